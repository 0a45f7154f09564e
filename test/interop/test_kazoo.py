"""kazoo's own test suite (from Debian's package python3-kazoo) against one server.

Its harness starts `java ... QuorumPeerMain zoo.cfg`; kazoo/java stands in for java and starts the
server under test. kazoo/excluded.txt names every test that is left out, with the reason; nothing
else may fail, and what kazoo's tests skip by themselves is printed.
"""
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree

import pytest

import server as server_module

kazoo_tests = pytest.importorskip(
    "kazoo.tests", reason="Debian's package python3-kazoo is not installed"
)

HERE = os.path.dirname(os.path.abspath(__file__))
# Debian 12 ships 2.8.0 with this many tests that run on one server; a smaller number means the run
# itself is broken.
AT_LEAST = 250
SECONDS = 1200


def excluded():
    """[(node id, reason)] for the server under test"""
    out = []
    with open(os.path.join(HERE, "kazoo", "excluded.txt")) as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                name, server, reason = line.split(None, 2)
                assert server in ("all", "zokor"), line
                if server == "all" or not server_module.use_apache():
                    out.append((name, reason.strip()))
    return out


def test_every_exclusion_has_a_reason_and_exists():
    folder = os.path.dirname(kazoo_tests.__file__)
    for name, reason in excluded():
        assert len(reason) > 10, name
        path, _, test = name.partition("::")
        with open(os.path.join(folder, path)) as f:
            source = f.read()
        # Tests of the two event loops are inherited from test_client.py.
        with open(os.path.join(folder, "test_client.py")) as f:
            source += f.read()
        assert "def %s(" % test.split("::")[-1] in source, name


def run_suite(directory, arguments):
    """Runs kazoo's tests in a process of their own: ({node id: outcome}, output)"""
    os.makedirs(directory)
    folder = os.path.dirname(kazoo_tests.__file__)
    report, output = os.path.join(directory, "report.xml"), os.path.join(directory, "output")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-v",
        "-p",
        "no:cacheprovider",
        "-o",
        "faulthandler_timeout=200",
        "--junitxml",
        report,
        "--rootdir",
        folder,
        "-c",
        os.devnull,
    ] + arguments
    env = dict(
        os.environ,
        PATH=os.path.join(HERE, "kazoo") + ":" + os.environ["PATH"],
        ZOOKEEPER_CLUSTER_SIZE="1",
        ZOOKEEPER_PORT_OFFSET=str(server_module.free_port(4)),  # of a server: for clients, the admin, two more
        ZOOKEEPER_CLASSPATH="unused",
        ZOOKEEPER_VERSION="3.8.0",
        PYTHONDONTWRITEBYTECODE="1",
        TMPDIR=directory,
        PYTHONPATH=os.path.join(HERE, "kazoo", "stubs"),
        ZK_SERVER=" ".join(server_module.server_command() + ["server"]),
    )
    with open(output, "wb") as f:
        run = subprocess.Popen(
            command, env=env, cwd=folder, stdout=f, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            run.wait(SECONDS)
        finally:
            if run.poll() is None:  # the server is in the same session
                os.killpg(run.pid, signal.SIGKILL)
                run.wait()
    with open(output, errors="replace") as f:
        output = f.read()
    assert os.path.exists(report), output[-8000:]
    outcomes = {}
    for case in xml.etree.ElementTree.parse(report).getroot().iter("testcase"):
        module, _, klass = case.get("classname").partition(".")
        name = "::".join(
            x for x in (module + ".py", klass.replace(".", "::"), case.get("name")) if x
        )
        if case.find("failure") is not None or case.find("error") is not None:
            outcomes[name] = "failed"
        elif case.find("skipped") is not None:
            outcomes[name] = "skipped: %s" % case.find("skipped").get("message")
        else:
            outcomes[name] = "passed"
    return outcomes, output


def test_kazoos_own_suite(tmp_path):
    folder = os.path.dirname(kazoo_tests.__file__)
    arguments = [folder]
    for name, reason in excluded():
        print("not run: %s: %s" % (name, reason))
        arguments += ["--deselect", name]
    outcomes, output = run_suite(str(tmp_path / "all"), arguments)
    # Some of kazoo's tests wait for fixed times; on a busy machine such a one gets two more chances
    # by itself.
    for number in (2, 3):
        again = [name for name, outcome in outcomes.items() if outcome == "failed"]
        if not 0 < len(again) <= 10:
            break
        outcomes_then, output = run_suite(
            str(tmp_path / ("again-%d" % number)), [os.path.join(folder, name) for name in again]
        )
        for name in again:
            print("chance %d: %s: %s" % (number, name, outcomes_then.get(name)))
            outcomes[name] = outcomes_then.get(name, "failed")
    for name, outcome in outcomes.items():
        if outcome.startswith("skipped"):
            print("skipped by kazoo: %s: %s" % (name, outcome[9:]))
    failed = [name for name, outcome in outcomes.items() if outcome == "failed"]
    passed = sum(outcome == "passed" for outcome in outcomes.values())
    print("kazoo's own suite: %d passed, %d failed" % (passed, len(failed)))
    assert not failed, "\n".join(failed) + "\n" + output[-12000:]
    assert passed >= AT_LEAST
