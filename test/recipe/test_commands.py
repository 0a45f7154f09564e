"""zokor lock, elect, semaphore, barrier, queue, register, discover and watch against a server."""
import json
import os
import signal
import subprocess
import time

import pytest
from conftest import ROOT

SECONDS = 60


@pytest.fixture
def zokor(srv, base):
    """zokor("lock", ...) runs it; .start(...) leaves it running, and ends it with the test."""
    named = os.environ.get("ZOKOR_BIN")
    found = [p for p in (named, ROOT + "/build/release/zokor", ROOT + "/build/zokor") if p and os.path.exists(p)]
    if not found:
        pytest.skip("the program is not built")
    binary = found[0]
    env = dict(os.environ, ZOKOR_SERVERS=srv.hosts)
    running = []

    def command(words):
        """Sessions outlive what else the machine does, unless they are to end."""
        if words[0] in COMMANDS and "--session" not in words:
            words = [words[0], "--session", "60000", *words[1:]]
        return [binary, *words]

    def run(*words, **more):
        return subprocess.run(command(words), env=env, capture_output=True, text=True, timeout=SECONDS, **more)

    def start(*words):
        p = subprocess.Popen(command(words), env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        running.append(p)
        return p

    run.start, run.binary, run.servers = start, binary, srv.hosts
    yield run
    for p in running:
        p.kill()
        p.wait()


COMMANDS = "lock elect semaphore barrier queue register discover watch".split()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_and_wrong_arguments(zokor, command):
    text = zokor(command, "--help")
    assert text.returncode == 0 and "usage: zokor " + command in text.stdout and "Exit status" in text.stdout
    assert zokor(command, "--nonsense").returncode == 2
    wrong = zokor(command, "no-path", "no-path", "no-path")
    assert wrong.returncode == 2 and "zokor:" in wrong.stderr
    assert zokor("lock", "/x", "--wait", "soon", "--", "true").returncode == 2


HOLDERS = [("lock", []), ("elect", []), ("semaphore", ["--leases", "1"])]


@pytest.mark.parametrize("command,more", HOLDERS)
def test_status_and_environment(zokor, base, zk, command, more):
    path = base + "/h"
    first = zokor(command, path, *more, "--", "sh", "-c", "echo $ZOKOR_TOKEN; exit 7")
    assert first.returncode == 7
    second = zokor(command, path, *more, "--", "sh", "-c", "echo $ZOKOR_TOKEN")
    assert second.returncode == 0 and int(second.stdout) > int(first.stdout) > 0
    assert zokor(command, path, *more, "--", "/no/such/program").returncode == 127
    assert zokor(command, path, *more, "--", "sh", "-c", "kill -9 $$").returncode == 128 + 9


@pytest.mark.parametrize("command,more", HOLDERS)
def test_one_at_a_time_and_signals(zokor, base, command, more):
    path = base + "/h"
    script = "trap 'echo got it; exit 5' TERM; echo in; while :; do sleep 0.05; done"
    holder = zokor.start(command, path, *more, "--", "sh", "-c", script)
    assert holder.stdout.readline() == "in\n"
    assert zokor(command, path, *more, "--wait", "0", "--", "true").returncode == 124
    waiting = zokor.start(command, path, *more, "--", "echo", "mine")
    holder.send_signal(signal.SIGTERM)
    assert holder.communicate(timeout=SECONDS)[0] == "got it\n"
    assert holder.returncode == 5
    assert waiting.communicate(timeout=SECONDS)[0] == "mine\n"
    assert waiting.returncode == 0


@pytest.mark.parametrize("command,more", HOLDERS)
def test_a_signal_ends_the_waiting(zokor, base, zk, command, more):
    path = base + "/h"
    holder = zokor.start(command, path, *more, "--", "sh", "-c", "echo in; exec sleep 60")
    assert holder.stdout.readline() == "in\n"
    nodes = path + ("/leases" if command == "semaphore" else "")
    there = len(zk.ls(nodes).children)
    waiting = zokor.start(command, path, *more, "--", "true")
    while len(zk.ls(nodes).children) == there:
        pass
    waiting.send_signal(signal.SIGINT)
    assert waiting.wait(timeout=SECONDS) == 128 + signal.SIGINT
    assert len(zk.ls(nodes).children) == there


def test_a_lost_lock_ends_the_command(zokor, base, zk):
    path = base + "/h"
    script = "trap 'echo ends; exit 0' TERM; echo in; while :; do sleep 0.05; done"
    holder = zokor.start("lock", path, "--session", "4000", "--", "sh", "-c", script)
    assert holder.stdout.readline() == "in\n"
    holder.send_signal(signal.SIGSTOP)
    while zk.ls(path).children:  # until its session is over
        time.sleep(0.05)
    holder.send_signal(signal.SIGCONT)
    out = holder.communicate(timeout=SECONDS)[0]
    assert holder.returncode == 125 and "ends\n" in out and "is lost" in out


@pytest.mark.parametrize("command,more", HOLDERS)
def test_a_deleted_node_ends_the_command(zokor, base, zk, command, more):
    path = base + "/h"
    script = "trap 'echo ends; exit 0' TERM; echo in; while :; do sleep 0.05; done"
    holder = zokor.start(command, path, *more, "--", "sh", "-c", script)
    assert holder.stdout.readline() == "in\n"
    folder = path + "/leases" if command == "semaphore" else path
    (node,) = zk.ls(folder).children
    zk.delete(folder + "/" + node)
    out = holder.communicate(timeout=SECONDS)[0]
    assert holder.returncode == 125 and "ends\n" in out and "is lost" in out


def test_barrier(zokor, base):
    path = base + "/b"
    assert zokor("barrier", "set", path).returncode == 0
    assert zokor("barrier", "wait", path, "--wait", "0").returncode == 124
    assert zokor("barrier", "remove", path).returncode == 0
    assert zokor("barrier", "wait", path).returncode == 0
    both = [zokor.start("barrier", "enter", base + "/d", "--count", "2", "--", "echo", str(i)) for i in (1, 2)]
    assert [p.communicate(timeout=SECONDS)[0] for p in both] == ["1\n", "2\n"]


def test_queue(zokor, base):
    path = base + "/q"
    assert zokor("queue", "put", path, "one", "two").returncode == 0
    assert zokor("queue", "take", path).stdout == "one\n"
    refused = zokor("queue", "take", path, "--", "sh", "-c", "cat >&2; exit 3")
    assert refused.returncode == 3 and refused.stderr == "two"
    assert zokor("queue", "take", path, "--", "cat").stdout == "two"
    assert zokor("queue", "take", path, "--wait", "0").returncode == 124
    assert zokor("queue", "put", path, "--lines", input="a\nb\n").returncode == 0
    assert zokor("queue", "take", path, "--count", "2").stdout == "a\nb\n"
    for item, priority in (("later", "5"), ("first", "-3"), ("soon", "0")):
        assert zokor("queue", "put", base + "/p", "--kind", "priority", "--priority", priority, item).returncode == 0
    assert zokor("queue", "take", base + "/p", "--kind", "priority", "--count", "3").stdout == "first\nsoon\nlater\n"


def test_queue_takes_any_bytes_and_any_number(zokor, base, zk):
    path = base + "/q"
    data = bytes(range(256)) * 300
    put = subprocess.run([zokor.binary, "queue", "put", path, "--servers", zokor.servers], input=data, timeout=SECONDS)
    assert put.returncode == 0 and len(zk.ls(path).children) == 1
    take = [zokor.binary, "queue", "take", path, "--servers", zokor.servers, "--", "cat"]
    assert subprocess.run(take, stdout=subprocess.PIPE, timeout=SECONDS).stdout == data
    words = ["item %d" % i for i in range(20)]
    assert zokor("queue", "put", path, *words, "--", "-dash", "--").returncode == 0
    assert zokor("queue", "take", path, "--count", "22").stdout.splitlines() == [*words, "-dash", "--"]
    assert zokor("queue", "put", path, input="").returncode == 0
    assert zokor("queue", "take", path).stdout == "\n", "an empty item is one, too"


def test_a_signal_ends_a_taker_that_works(zokor, base, zk):
    path = base + "/q"
    assert zokor("queue", "put", path, "one", "two").returncode == 0
    taker = zokor.start("queue", "take", path, "--count", "0", "--", "sh", "-c", "echo in; exec sleep 60")
    assert taker.stdout.readline() == "in\n"
    taker.send_signal(signal.SIGTERM)
    assert taker.communicate(timeout=SECONDS)[0] == "", "no other item was taken"
    assert taker.returncode == 128 + signal.SIGTERM
    assert len(zk.ls(path).children) == 2, "and this one was put back"


def test_wrong_options_are_usage_errors(zokor, tmp_path):
    for more in (["--auth", "nobody"], ["--session", "0"], ["--client-configuration", str(tmp_path / "none")]):
        wrong = zokor("lock", "/x", *more, "--", "true")
        assert wrong.returncode == 2 and "zokor: " in wrong.stderr


def test_services(zokor, base):
    where = ["--base", base + "/s"]
    assert zokor("discover", *where).returncode == 1
    seen = zokor("register", "web", *where, "--port", "80", "--address", "h", "--id", "i", "--payload", '{"k":[1]}',
                 "--", zokor.binary, "discover", "web", *where, "--json")
    assert seen.returncode == 0
    instance = json.loads(seen.stdout)
    assert (instance["id"], instance["port"], instance["payload"]) == ("i", 80, {"k": [1]})
    assert zokor("discover", "web", *where).stdout == ""
    assert zokor("register", "web", *where, "--payload", "{").returncode == 2
    stays = zokor.start("register", "web", *where, "--port", "81", "--id", "stays")
    assert stays.stdout.readline() == "registered web stays\n"
    assert zokor("discover", "web", *where).stdout.startswith("stays\t")
    stays.send_signal(signal.SIGTERM)
    assert stays.wait(timeout=SECONDS) == 0
    assert zokor("discover", "web", *where).stdout == ""


def test_watch(zokor, base, zk):
    zk.create(base + "/w", b"there")
    lines = zokor.start("watch", base + "/w", "--json", "--all", "--count", "4")
    assert json.loads(lines.stdout.readline())["data"] == "there"
    assert json.loads(lines.stdout.readline()) == {"type": "ready"}
    zk.create(base + "/w/a", 'é"\n'.encode())
    made = json.loads(lines.stdout.readline())
    assert (made["type"], made["path"], made["data"]) == ("created", base + "/w/a", 'é"\n')
    zk.set(base + "/w/a", b"\xff\x00")
    assert json.loads(lines.stdout.readline())["hex"] == "ff00"
    zk.delete(base + "/w/a")
    assert json.loads(lines.stdout.readline())["type"] == "deleted"
    zk.set(base + "/w", b"x")
    assert json.loads(lines.stdout.readline())["version"] == 1
    assert lines.wait(timeout=SECONDS) == 0
    plain = zokor.start("watch", base + "/w", "--all")
    assert plain.stdout.readline().split() == ["created", base + "/w", "v1", "x"]
    plain.send_signal(signal.SIGINT)
    assert plain.wait(timeout=SECONDS) == 0
