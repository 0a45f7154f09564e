"""zokor bench from outside: what it measures, what it leaves behind (nothing), what it says when things go wrong."""
import json
import os
import pty
import re
import signal
import socket
import subprocess
import threading
import time

import pytest
import server as server_module
import zkraw
from ensemble import Ensemble, until
from server import Server

WORKLOADS = "ping exists get ls set create delete multi sync watch mixed".split()
SHORT = ["--seconds", "0.3", "--warm-up", "0", "--nodes", "50", "--children", "7", "--quiet", "--give-up", "60"]


@pytest.fixture(scope="module")
def zokor():
    command = os.environ.get("ZOKOR_BIN") or os.path.join(server_module.ROOT, "build", "release", "zokor")
    if not os.path.exists(command):
        pytest.skip("%s is not built" % command)
    return os.path.abspath(command)


def bench(zokor, *args, seconds=120):
    return subprocess.run(
        [zokor, "bench", *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds
    )


def rows(run):
    return [json.loads(line) for line in run.stdout.splitlines()]


def children(srv, path="/"):
    with zkraw.Client(srv.port) as c:
        return sorted(c.ls(path).children)


def assert_sound(row):
    assert row["errors"] == 0 and row["error_counts"] == {}
    assert row["operations"] > 0
    latency = row["latency_us"]
    ordered = [latency[k] for k in ("min", "p50", "p90", "p99", "p99_9", "p99_99", "max")]
    assert ordered == sorted(ordered) and ordered[0] > 0
    assert sum(n for _, _, n in row["histogram_us"]) == row["operations"]


def measured(zokor, *args):
    """The run, with --json, and its rows. What a disk that stalls has let nothing through of is measured for longer."""
    for seconds in ("0.3", "3", "20"):
        run = bench(zokor, *args, "--json", *SHORT, "--seconds", seconds, seconds=600)
        assert run.returncode == 0, run.stderr
        if all(row["operations"] > 0 for row in rows(run)):
            break
    return run, rows(run)


def test_every_workload(zokor, srv):
    before = children(srv)
    run, got = measured(zokor, "--servers", srv.hosts, "-c", "4", "-d", "3", "--threads", "2")
    assert [r["workload"] for r in got] == WORKLOADS
    for row in got:
        assert_sound(row)
        assert (row["connections"], row["depth"], row["threads"], row["nodes"]) == (4, 3, 2, 50)
    assert run.stderr == ""
    assert children(srv) == before


def test_one_connection_alone(zokor, srv):
    for row in measured(zokor, "delete", "watch", "create", "--servers", srv.hosts, "-c", "1")[1]:
        assert_sound(row)


def test_for_people(zokor, srv):
    run = bench(zokor, "get", "--servers", srv.hosts, *SHORT)
    assert run.returncode == 0 and run.stderr == ""
    assert "get: " in run.stdout and " 0 errors" in run.stdout and "p99.9" in run.stdout
    assert " us " in run.stdout and "###" in run.stdout and "\033" not in run.stdout
    run = bench(zokor, "get", "set", "--servers", srv.hosts, *SHORT)
    assert [line.split()[0] for line in run.stdout.splitlines()[3:]] == ["get", "set"]
    assert "###" not in run.stdout


def test_a_rate_is_kept(zokor, srv):
    run = bench(zokor, "mixed", "--servers", srv.hosts, "--json", "--rate", "300", *SHORT, "--seconds", "1")
    (row,) = rows(run)
    assert_sound(row)
    assert row["operations"] <= 301


def test_values_and_roots(zokor, srv, zk, base):
    assert zk.create(base + "/here").err == 0
    _, (row,) = measured(zokor, "get", "--servers", srv.hosts, "--size", "70000", "--root", base + "/here")
    assert_sound(row)
    assert zk.ls(base + "/here").children == []
    run = bench(zokor, "get", "--servers", srv.hosts, "--root", base + "/nowhere", *SHORT)
    assert run.returncode == 1
    assert "cannot be created: NoNode" in run.stderr


def test_auth(zokor, srv, zk, base):
    """A node that only one id may use."""
    assert zk.auth("digest", b"u:p").err == 0
    assert zk.create(base + "/mine", acl=[(31, "auth", "")]).err == 0
    args = ["get", "--servers", srv.hosts, "--root", base + "/mine", *SHORT]
    run = bench(zokor, *args)
    assert run.returncode == 1 and "NoAuth" in run.stderr
    assert bench(zokor, *args, "--auth", "digest:u:p").returncode == 0


@pytest.mark.parametrize(
    "args, says",
    [
        (["--size", "big"], "--size: 'big' is no number from 0 to 1000000 (bytes)"),
        (["fly"], "there is no workload 'fly'"),
        (["--servers", "host:port"], "--servers: 'host:port' is no list of servers"),
        (["--speed", "3"], "unknown option '--speed'"),
        (["--depth"], "--depth needs a value"),
    ],
)
def test_bad_arguments(zokor, args, says):
    run = bench(zokor, *args)
    assert run.returncode == 2 and says in run.stderr and run.stdout == ""


def test_help_names_everything(zokor):
    run = bench(zokor, "--help")
    assert run.returncode == 0
    for word in [*WORKLOADS, "--servers", "--rate", "--json", "zokor bench get -c 50 -d 16", "Exit status"]:
        assert word in run.stdout


def test_no_server(zokor):
    run = bench(zokor, "get", "--servers", "127.0.0.1:%d" % server_module.free_port(), "--give-up", "0.3")
    assert run.returncode == 1
    assert "no server of 127.0.0.1" in run.stderr and "Connection refused" in run.stderr
    run = bench(zokor, "get", "--servers", "no-such-host.invalid:1")
    assert run.returncode == 1 and "no-such-host.invalid" in run.stderr


def test_something_else_answers(zokor):
    """Not a ZooKeeper server at all: says so and ends."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        over = threading.Event()

        def answer():
            listener.settimeout(0.2)
            while not over.is_set():
                try:
                    one, _ = listener.accept()
                    one.sendall(b"\0\0\0\5hello")
                    one.recv(100)
                except OSError:
                    pass

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            run = bench(zokor, "get", "--servers", "127.0.0.1:%d" % listener.getsockname()[1], "--give-up", "3")
        finally:
            over.set()
            thread.join()
    assert run.returncode == 1
    assert "what answers is no ZooKeeper server" in run.stderr


def start(zokor, *args):
    return subprocess.Popen([zokor, "bench", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_load(srv):
    """Until the run's node is there and has its nodes, and what it does to them is measured."""

    def loaded():
        for name in children(srv):
            if name.startswith("zokor-bench-") and "k49" in children(srv, "/" + name):
                return "/" + name
        return None

    node = until(loaded, pause=0.01)
    before = srv.zxid()
    until(lambda: srv.zxid() >= before + 50, pause=0.01)
    return node


def test_a_server_that_goes_away(zokor, tmp_path):
    with Server(tmp_path, tick_ms=1000) as own:
        process = start(zokor, "set", "mixed", "--servers", own.hosts, *SHORT, "--seconds", "60", "--give-up", "5")
        node = wait_for_load(own)
        own.kill()
        out, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "no server of %s answers for 5 s" % own.hosts in err
        assert "nodes are left under %s" % node in err
        assert "mixed" not in out  # the next workload was not begun


def test_a_server_that_comes_back(zokor, tmp_path):
    with Server(tmp_path, tick_ms=1000) as own:
        process = start(zokor, "set", "--servers", own.hosts, "--json", *SHORT, "--seconds", "5", "--give-up", "60")
        wait_for_load(own)
        own.restart(kill=True)
        out, err = process.communicate(timeout=120)
        (row,) = [json.loads(line) for line in out.splitlines()]
        assert row["operations"] > 0 and row["reconnects"] > 0
        assert set(row["error_counts"]) <= {"CONNECTION_LOSS"}
        assert process.returncode == (1 if row["errors"] else 0), err
        assert children(own) == ["zookeeper"]


def test_interrupted(zokor, tmp_path):
    with Server(tmp_path, tick_ms=1000) as own:
        process = start(zokor, "create", "get", "--servers", own.hosts, "--json", *SHORT, "--seconds", "60")
        deadline = time.monotonic() + 60
        while not any(n.startswith("zokor-bench-") for n in children(own)) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 130, err
        assert [json.loads(line)["workload"] for line in out.splitlines()] in ([], ["create"])
        assert children(own) == ["zookeeper"]


def test_nobody_reads_the_results(zokor, tmp_path):
    """As with `| head -1`: it ends with an error, but it cleans up."""
    with Server(tmp_path, tick_ms=1000) as own:
        process = start(zokor, "ping", "get", "set", "--servers", own.hosts, "--json", *SHORT)
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 1
        assert "cannot be written" in process.stderr.read()
        process.stderr.close()
        assert children(own) == ["zookeeper"]


def test_too_many_connections(zokor, tmp_path):
    with Server(tmp_path, tick_ms=1000, extra=["maxClientCnxns=3"]) as own:
        run = bench(zokor, "ping", "--servers", own.hosts, "-c", "8", "--threads", "1", *SHORT, "--give-up", "3")
        assert run.returncode == 1
        assert " of 8 connections of a thread were accepted" in run.stderr and "maxClientCnxns" in run.stderr


@pytest.mark.skipif(server_module.use_apache(), reason="starts its own servers")
def test_an_ensemble_that_loses_its_leader(zokor, tmp_path):
    """Connections move to the servers that are left; what was in flight counts as lost, and nothing stays behind."""
    with Ensemble(tmp_path) as e:
        e.wait_serving()
        hosts = ",".join(m.hosts for m in e)
        process = start(zokor, "set", "--servers", hosts, "--json", *SHORT, "--seconds", "5", "--give-up", "60")
        leader = e.leader()
        wait_for_load(leader)
        leader.kill()
        out, err = process.communicate(timeout=120)
        (row,) = [json.loads(line) for line in out.splitlines()]
        assert row["operations"] > 0 and row["reconnects"] > 0
        assert set(row["error_counts"]) <= {"CONNECTION_LOSS"}, row
        assert process.returncode == (1 if row["errors"] else 0), err
        e.wait_serving()
        assert children(e.leader()) == ["zookeeper"]


def on_a_terminal(command):
    """Exit status, standard output (a pipe), and what the terminal on standard error shows."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    shown = b""
    try:
        while True:
            shown += os.read(ours, 4096)
    except OSError:  # the other end is closed
        pass
    out, _ = process.communicate(timeout=60)
    os.close(ours)
    return process.returncode, out, shown.decode()


def test_progress_on_a_terminal(zokor, srv):
    args = [zokor, "bench", "get", "--servers", srv.hosts, "--warm-up", "0", "--nodes", "50", "--seconds"]
    status, out, shown = on_a_terminal([*args, "4"])
    assert status == 0 and "get: " in out and "\r" not in out
    assert "\r" in shown and re.search(r"get  \d+/s  p50 .* p99 ", shown)
    assert shown.endswith("\r\033[K")  # the line is gone
    assert on_a_terminal([*args, "1.3", "--quiet"])[2] == ""
