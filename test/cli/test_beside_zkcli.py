"""The same session typed into Debian's zkCli.sh and into ours, each on a server of its own with nothing in it:
what they print must be the same, but for what is known to differ between zkCli.sh 3.8 and 3.9, and what we do better
on purpose. What zkCli.sh printed is in session.recorded, for machines without it; ZOKOR_CLI_RECORD=1 writes it again.
"""
import difflib
import os
import re
import shutil

import pytest

import cli_tools
import conftest
import zkraw

REASON = conftest.missing_java() or (
    None if os.path.exists(cli_tools.ZKCLI) else "Debian's package zookeeper (zkCli.sh) is not installed"
)
with_zkcli = pytest.mark.skipif(REASON is not None, reason=str(REASON))

HERE = os.path.dirname(os.path.abspath(__file__))
OURS = ("exit", "export", "find", "help", "import", "tree", "watch")


def commands():
    with open(os.path.join(HERE, "session.txt"), encoding="utf-8") as f:
        return [line.rstrip("\n") for line in f if not line.startswith("#")]


def same(line):
    """A line without what may differ: times, 3.9's additions, the client's name, our own commands."""
    line = re.sub(r"^([cm]time) = .*", r"\1 = ...", line)
    line = re.sub(r"^(ephemeralOwner = 0x1)\w+", r"\1...", line)
    line = re.sub(r" zxid: -?\d+$", "", line)  # 3.9 adds it to events
    line = re.sub(r"^JLine support is \w+$", "JLine", line)
    line = re.sub(r"^ZooKeeper CLI version: .*", "ZooKeeper CLI version: ...", line)
    line = line.replace("get [-s] [-w] [-b] [-x] path", "get [-s] [-w] path")  # 3.9
    line = line.replace("set path data [-s] [-v version] [-b]", "set [-s] [-v version] path data")  # 3.9
    return line


def is_ours_alone(line):
    """Lines that zkCli.sh 3.8 does not print: our commands in the usage block; options in the usage of get and set,
    which 3.9 lists, with an empty line behind them."""
    return line.startswith(tuple("\t%s " % name for name in OURS)) or re.match(r" -\w( <arg>)?  +[A-Z]", line)


def take_events(lines):
    """Lines without those of events, and the events. zkCli.sh prints events from another thread, so that the lines of
    one may stand around a result: empty lines are dropped everywhere."""
    events = [same(x) for x in lines if x.startswith("WatchedEvent ")]
    return [x for x in lines if x not in ("", "WATCHER::") and not x.startswith("WatchedEvent ")], events


def replay(command, server):
    """[(command, stdout, stderr)], events."""
    helper = zkraw.Client(server.port)
    helper.create(cli_tools.Piped.MARK, cli_tools.Piped.MARK_TEXT)
    helper.close()
    cli = cli_tools.Piped(command, server.hosts)
    transcript, events, alive = [], [], True
    try:
        for typed in commands():
            typed = typed.replace("{hosts}", server.hosts)
            if typed.startswith("connect"):
                alive = True
            if typed == "close":
                alive = False
            if alive:
                out, err = cli.run(typed)
            else:
                out, err = cli.run_unconnected(typed), []
            out, seen = take_events(out)
            events += seen
            out = [same(x) for x in out if not is_ours_alone(x)]
            err = [same(x) for x in err if not is_ours_alone(x)]
            if typed in ("get", "set", "set /a", "set /b") and err[-1:] == [""]:
                err.pop()
            transcript.append((typed, out, err))
        cli.send("quit")
        status = cli.process.wait(cli_tools.SECONDS)
        events += take_events(cli.rest())[1]
    finally:
        cli.kill()
    return transcript, events, status


def as_text(transcript, hosts):
    lines = []
    for typed, out, err in transcript:
        lines.append("> " + typed)
        lines += ["  O|" + x for x in out] + ["  E|" + x for x in err]
    return [x.replace(hosts, "HOSTS") for x in lines]


def assert_same(theirs, ours):
    difference = "\n".join(difflib.unified_diff(theirs, ours, "zkCli.sh", "zokor cli", lineterm="", n=5))
    assert not difference, "\n" + difference


def session(command, server):
    """All that a session shows, as lines: commands with their output, the events, the status."""
    transcript, events, status = replay(command, server)
    return [*as_text(transcript, server.hosts), "events:", *("  " + x for x in events), "status: %d" % status]


RECORDED = os.path.join(HERE, "session.recorded")


def test_the_session_reads_as_recorded(own_server, zokor):
    with open(RECORDED, encoding="utf-8") as f:
        assert_same(f.read().splitlines(), session(zokor, own_server()))


@pytest.mark.java
@with_zkcli
def test_zkcli_reads_as_recorded(own_server):
    lines = session([cli_tools.ZKCLI], own_server())
    if os.environ.get("ZOKOR_CLI_RECORD"):
        with open(RECORDED, "w", encoding="utf-8") as f:
            f.writelines(line + "\n" for line in lines)
    with open(RECORDED, encoding="utf-8") as f:
        assert_same(f.read().splitlines(), lines)


@pytest.mark.java
@with_zkcli
def test_both_read_the_same_on_apaches_server(own_server, zokor, monkeypatch):
    monkeypatch.setenv("ZOKOR_TEST_APACHE", "1")  # for the servers that are started from here on
    assert_same(session([cli_tools.ZKCLI], own_server()), session(zokor, own_server()))


ONE_SHOTS = [
    "ls /",
    "get /nope",
    "create /oneshot x",
    "create /oneshot x",
    "get /oneshot",
    "get",
    "foo",
    "foo bar",
    "version",
    "ls -x /",
    "ls nopath",
    "delete /oneshot",
    "delete /oneshot",
    "deleteall /oneshot",
    "setquota -n abc /x",
    "setquota /x",
    "listquota /x",
    "delquota /x",
    "getAcl /",
    "sync /x",
    "redo 3",
    "printwatches",
]


@pytest.mark.java
@with_zkcli
def test_one_shots_read_the_same(own_server, zokor):
    theirs_server, ours_server = own_server(), own_server()
    texts = []
    for command, server in (([cli_tools.ZKCLI], theirs_server), (zokor, ours_server)):
        lines = []
        for typed in ONE_SHOTS:
            status, out, err = cli_tools.one_shot(server.hosts, *typed.split(), program=command)
            out, _ = take_events(out)  # whether there was time to connect is chance
            lines += ["> " + typed, "  status %d" % status] + ["  O|" + same(x) for x in out]
            lines += ["  E|" + same(x) for x in err if not is_ours_alone(x) and x]
        texts.append([x.replace(server.hosts, "HOSTS") for x in lines])
    assert_same(*texts)


@pytest.mark.java
@with_zkcli
def test_no_server_reads_the_same(zokor, own_server):
    with_port = own_server()
    hosts = with_port.hosts
    with_port.stop()
    results = []
    for command in ([cli_tools.ZKCLI], zokor):
        status, out, err = cli_tools.one_shot(hosts, "get", "/a", program=command)
        results.append((status, out, err[0]))
    assert results[0] == results[1]
