"""Second attempts (test/second_attempt.py): beside Apache's server one, for every other test none. Its server is a
program of this name that sleeps."""
import os
import subprocess
import sys

import pytest
from conftest import ENVIRONMENT, ROOT

TEST = os.path.join(ROOT, "test")
HEAD = """
import os
import pytest
import server

class Program(server.Server):
    def command(self):
        return [os.path.join(os.path.dirname(__file__), self.name)]
    def wait_serving(self, seconds=60):
        pass

class Apache(Program):
    name = "apache-server"

class Ours(Program):
    name = "zokor"

def attempts(name):
    with open(name, "a+") as f:
        f.write("x")
        f.seek(0)
        return len(f.read())

@pytest.fixture(scope="module", params=[Ours, Apache])
def either(request, tmp_path_factory):
    attempts("either")
    with request.param(tmp_path_factory.mktemp("s")) as srv:
        yield srv

@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory):
    with Apache(tmp_path_factory.mktemp("s")) as srv:
        yield srv
"""


@pytest.fixture
def run(tmp_path):
    """run(tests): exit status, output, and the lines that ./dev would show."""
    for name in ("apache-server", "zokor"):
        (tmp_path / name).write_text("#!/bin/sh\nexec sleep 1000\n")
        (tmp_path / name).chmod(0o755)

    def go(tests):
        (tmp_path / "test_it.py").write_text(HEAD + tests)
        (tmp_path / "pytest.ini").write_text("[pytest]\n")
        env = {**ENVIRONMENT, "PYTHONPATH": "%s:%s/interop" % (TEST, TEST)}
        words = ["-q", "-p", "second_attempt", "-p", "no:cacheprovider", "--junitxml=report.xml", "--basetemp=tmp"]
        done = subprocess.run([sys.executable, "-m", "pytest", *words, "."], cwd=tmp_path, env=env, text=True,
                              capture_output=True, timeout=100)  # fmt: skip
        counted = [subprocess.run([sys.executable, os.path.join(ROOT, "tools/count-results"), *more, "report.xml"],
                                  cwd=tmp_path, text=True, capture_output=True, timeout=60).stdout
                   for more in ([], ["--second-attempts"])]  # fmt: skip
        return done.returncode, done.stdout, counted

    return go


def test_one_that_starts_apaches_server(run):
    status, said, counted = run("""
def test_sometimes(tmp_path):
    with Apache(tmp_path):
        assert attempts("n") == 2, "what was wrong first"
""")
    assert status == 0, said
    assert "SECOND ATTEMPTS" in said and "test_it.py::test_sometimes: its second attempt passed" in said
    assert "what was wrong first" in said.split("SECOND ATTEMPTS")[1]
    assert counted[0] == "1 0 0\n"
    assert counted[1].startswith("test_it.test_sometimes: AssertionError: what was wrong first")


def test_no_third_attempt(run):
    status, said, counted = run("""
def test_never(tmp_path):
    with Apache(tmp_path):
        assert attempts("n") < 0, "attempt %d" % attempts("of")
""")
    assert status == 1
    assert "attempt 2" in said and "the first of two attempts" in said and "attempt 3" not in said
    assert "its second attempt failed" in said
    assert counted[0] == "0 1 0\n"


def test_servers_of_fixtures_begin_anew(run, tmp_path):
    status, said, counted = run("""
def test_before(either):
    pass
def test_sometimes(either):
    assert either.running()
    assert isinstance(either, Ours) or attempts("n") == 2
def test_behind(either):
    assert either.running()
""")
    assert status == 0, said
    assert counted[0] == "6 0 0\n"
    assert counted[1].count("\n") == 1 and "test_sometimes[" in counted[1]
    assert (tmp_path / "either").read_text() == "xxx"  # ours, Apache's, Apache's again


def test_a_fixture_that_fails(run):
    status, said, counted = run("""
@pytest.fixture(scope="module")
def late(tmp_path_factory):
    with Apache(tmp_path_factory.mktemp("s")) as srv:
        assert attempts("n") == 2
        yield srv
def test_it(late):
    assert late.running()
""")
    assert status == 0, said
    assert counted[0] == "1 0 0\n" and counted[1] != ""


def test_ours_alone_has_one_attempt(run):
    """Whatever servers of Apache's other tests have left running."""
    status, said, counted = run("""
def test_leaves_it_running(elsewhere):
    pass
def test_alone():
    assert attempts("alone") > 1
def test_ours(tmp_path):
    with Ours(tmp_path):
        assert attempts("ours") > 1
def test_of_a_fixture(either):
    assert isinstance(either, Apache) or attempts("fixture") > 1
""")
    assert status == 1
    assert "SECOND ATTEMPTS" not in said
    assert counted == ["2 3 0\n", ""]


def test_the_mark(run):
    status, said, counted = run("""
@pytest.mark.with_apache
def test_marked():
    assert attempts("n") == 2
""")
    assert status == 0, said
    assert counted[0] == "1 0 0\n" and "test_marked" in counted[1]
