"""Apache's C client: a program of ours over libzookeeper_mt, and its own cli_mt."""
import os
import queue
import re
import shutil
import subprocess
import threading
import time

import pytest

from ensemble import until

HERE = os.path.dirname(os.path.abspath(__file__))
CLI_MT = next(
    (
        p
        for p in (os.environ.get("CLI_MT", ""), "/usr/lib/zookeeper/bin/cli_mt")
        if p and os.path.exists(p)
    ),
    None,
)
CC = shutil.which(os.environ.get("CC", "cc"))

GROUPS = [
    "sync_api",
    "children",
    "modes",
    "acl",
    "add_auth",
    "async_api",
    "pipeline",
    "multi",
    "watches",
    "remove_watches",
    "sessions",
    "chroot",
    "config",
    "large_data",
]

needs_library = pytest.mark.skipif(
    CC is None or not os.path.exists("/usr/include/zookeeper/zookeeper.h"),
    reason="a C compiler and Debian's package libzookeeper-mt-dev are needed",
)
needs_cli = pytest.mark.skipif(
    CLI_MT is None, reason="Debian's package zookeeper-bin (cli_mt) is not installed"
)


@pytest.fixture(scope="module")
def results(shared_server, tmp_path_factory):
    program = str(tmp_path_factory.mktemp("c") / "client_mt")
    subprocess.run(
        [
            CC,
            "-std=c17",
            "-D_GNU_SOURCE",
            "-Wall",
            "-Wextra",
            "-O1",
            "-o",
            program,
            os.path.join(HERE, "c", "client_mt.c"),
            "-lzookeeper_mt",
            "-lpthread",
        ],
        check=True,
    )
    run = subprocess.run(
        [program, shared_server.hosts],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    out = {m.group(2): m.group(0) for m in re.finditer(r"^(PASS|FAIL) (\w+).*$", run.stdout, re.M)}
    out[""] = run.stdout
    return out


@needs_library
@pytest.mark.parametrize("name", GROUPS)
def test_library(results, name):
    assert name in results, "not run:\n" + results[""][-3000:]
    assert results[name].startswith("PASS "), results[name]


@needs_library
def test_every_group_of_the_program_is_listed(results):
    assert sorted(set(results) - {""}) == sorted(GROUPS)


class CliMt:
    """cli_mt fed by a pipe; its output is read line by line."""

    def __init__(self, hosts, directory):
        self.process = subprocess.Popen(
            ["stdbuf", "-oL", CLI_MT, hosts],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
            cwd=directory,
        )
        self.lines = queue.Queue()
        threading.Thread(target=self._pump, daemon=True).start()

    def _pump(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def expect(self, *patterns, seconds=60):
        """Reads until every pattern was the whole of a line, in any order; the lines read."""
        seen, missing = [], list(patterns)
        deadline = time.monotonic() + seconds
        while missing:
            try:
                line = self.lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(
                    "waited in vain for %s; seen:\n%s" % (missing, "\n".join(seen))
                )
            assert line is not None, "cli_mt ended; waited for %s; seen:\n%s" % (
                missing,
                "\n".join(seen),
            )
            seen.append(line)
            missing = [
                p
                for i, p in enumerate(missing)
                if not (
                    re.fullmatch(p, line) and not any(re.fullmatch(q, line) for q in missing[:i])
                )
            ]
        return seen

    def run(self, command, *patterns):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.expect(*patterns)


@pytest.fixture
def cli(shared_server, tmp_path):
    client = CliMt(shared_server.hosts, tmp_path)
    client.expect("Watcher SESSION_EVENT state = CONNECTED_STATE")
    yield client
    client.process.kill()
    client.process.wait(60)


@needs_cli
def test_cli_mt(cli, zk, base):
    a, e = base + "/a", base + "/e"
    cli.run("create %s" % a, r"\[%s\]: rc = 0" % a, r"\tname = %s" % a)
    cli.run("create %s" % a, r"\[%s\]: rc = -110" % a)
    cli.run("set %s hello" % a, r"%s: rc = 0 Stat:" % a, r"\tversion=1\taversion=0")
    cli.run("get %s" % a, r"%s: rc = 0" % a, r" value_len = 5", "hello")
    cli.run("create +e %s" % e, r"\tname = %s" % e)
    assert zk.exists(e).stat.owner != 0
    cli.run("create +s %s/s-" % base, r"\tname = %s/s-0000000002" % base)
    cli.run("create2 +c %s/c" % base, r"\tname = %s/c" % base, r"\tephemeralOwner = 0")
    cli.run("create +t=100000 %s/t" % base, r"\tname = %s/t" % base)
    cli.run("ls %s" % base, r"%s: rc = 0" % base, r"\ta", r"\tc", r"\te", r"\tt", r"\ts-0000000002")
    cli.run("exists %s/none" % base, "Error -101 for %s/none" % base)
    cli.run("wexists %s" % a)
    cli.run(
        "set %s again" % a,
        "Watcher CHANGED_EVENT state = CONNECTED_STATE for path %s" % a,
        r"%s: rc = 0 Stat:" % a,
    )
    cli.run("delete %s" % a, r"%s: rc = 0" % a)
    cli.run("get %s" % a, r"%s: rc = -101" % a)
    cli.run("sync %s" % base, r"\[%s\]: rc = 0" % base, r"\tname = %s" % base)
    cli.run("acreate %s/async" % base, r"\tname = %s/async" % base)
    cli.run("aset %s/async v" % base, r"%s/async: rc = 0 Stat:" % base)
    cli.run("aget %s/async" % base, r" value_len = 1", "v")
    cli.run("adelete %s/async" % base, r"%s/async: rc = 0" % base)
    cli.run("create %s/x/y" % base, r"\[%s/x/y\]: rc = -101" % base)
    cli.run("config", r"/zookeeper/config: rc = 0", r" value_len = 0")
    cli.run("addauth digest bob:pw")
    cli.run("myid", "session Id = [0-9a-f]+")
    cli.run("quit", "Quitting...")
    assert cli.process.wait(60) == 0
    # Its ephemeral goes with its session, whose end it does not wait for.
    until(lambda: zk.ls(base).children == ["c", "s-0000000002", "t"])
