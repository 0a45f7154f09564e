"""Our recipes and Apache Curator's use the same nodes: one queue, one number, one register of services, one cache."""
import json
import os
import struct
import subprocess
import sys

import pytest
from conftest import HERE, INTEROP

sys.path.insert(0, INTEROP)
from test_commands import zokor  # noqa: E402,F401
from test_curator import JARS, REASON, jar  # noqa: E402

pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))


@pytest.fixture(scope="module")
def srv(either_server):
    return either_server


class Curator:
    """curator("put fifo /q item"): what Curator answers."""

    def __init__(self, classes, srv, session_ms):
        self.java = subprocess.Popen(
            ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", classes]
            + ["CuratorPartner", srv.hosts, str(session_ms)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def hear(self):
        for line in self.java.stdout:
            if line.startswith("= "):
                return line[2:].rstrip("\n")
        raise AssertionError("Curator has ended")

    def __call__(self, *words, wait=True):
        self.java.stdin.write(" ".join(words) + "\n")
        self.java.stdin.flush()
        return self.hear() if wait else None

    def kill(self):
        self.java.kill()
        self.java.wait()

    def end(self):
        self.java.stdin.close()
        try:
            self.java.wait(timeout=60)
        finally:
            self.kill()


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    out = tmp_path_factory.mktemp("partner")
    path = ":".join(jar(name) for name in JARS if os.path.exists(jar(name)))
    source = os.path.join(HERE, "java", "CuratorPartner.java")
    subprocess.run(["javac", "-Xlint:-options", "-nowarn", "-d", str(out), "-cp", path, source], check=True)
    return "%s:%s" % (out, path)


@pytest.fixture(scope="module")
def curator(classes, srv):
    one = Curator(classes, srv, 60000)
    yield one
    one.end()


KINDS = {"fifo": [], "simple": [], "id": ["--id", "a/b"], "priority": ["--priority", "-7"], "delay": ["--delay", "1"]}


@pytest.mark.parametrize("kind", KINDS)
def test_one_queue(zokor, curator, base, kind):  # noqa: F811
    more = {"id": ["c"], "priority": ["3"], "delay": ["50"]}.get(kind, [])
    path = base + "/" + kind
    options = ["--kind", kind, *KINDS[kind]]
    assert zokor("queue", "put", path, "ours", *options).returncode == 0
    assert curator("put", kind, path, "theirs", *more) == "ok"
    assert zokor("queue", "take", path, "--kind", kind, "--count", "2").stdout == "ours\ntheirs\n"
    assert zokor("queue", "put", path, "ours", *options).returncode == 0
    assert curator("put", kind, path, "theirs", *more) == "ok"
    assert curator("take", kind, path, "2") == "ours,theirs"


def test_one_lock_of_items(zokor, curator, base, zk):  # noqa: F811
    """What one side holds the other does not get."""
    path, locks = base + "/q", base + "/locks"
    assert zokor("queue", "put", path, "a", "b").returncode == 0
    holder = zokor.start("queue", "take", path, "--lock", locks, "--", "sh", "-c", "cat; echo; read x; sleep 60")
    assert holder.stdout.readline() == "a\n"
    assert curator("take", "fifo", path, "1", locks) == "b"
    assert len(zk.ls(path).children) == 1
    held = zk.ls(locks).children
    holder.kill()
    holder.wait()
    zk.delete(locks + "/" + held[0])  # as the end of its session will
    assert curator("take", "fifo", path, "1", locks) == "a"


def test_one_number(build, program, srv, curator, base, zk):
    path, times = base + "/n", 100
    curator("add", path, str(times), wait=False)
    ours = build.run(program("partner"), srv.hosts, path, str(times))
    assert curator.hear() == "ok" and ours.returncode == 0, ours.stdout[-2000:]
    assert zk.get(path).data == struct.pack(">q", 2 * times)


def test_one_register(zokor, curator, base):  # noqa: F811
    where = ["--base", base + "/s"]
    assert curator("register", base + "/s", "web", "theirs", "8080") == "ok"
    seen = zokor("discover", "web", "--json", *where)
    theirs = json.loads(seen.stdout)
    assert (theirs["address"], theirs["port"], theirs["payload"]) == ("java", 8080, 'of "java"')
    assert zokor("discover", "web", "--uri", *where).stdout == "http://java:8080\n"
    ours = zokor.start("register", "web", *where, "--id", "ours", "--ssl-port", "443", "--address", "c", "--payload",
                       '"of c"', "--uri", "{scheme}://{address}:{ssl-port}/{id}")
    assert ours.stdout.readline() == "registered web ours\n"
    assert curator("discover", base + "/s", "web") == "ours=https://c:443/ours=of c,theirs=http://java:8080=of \"java\""
    assert curator("unregister") == "ok"
    assert zokor("discover", "web", *where).stdout.startswith("ours\t")


def test_caches_see_each_other(zokor, curator, base, zk):  # noqa: F811
    lines = zokor.start("watch", base + "/c", "--json", "--all", "--count", "4")
    assert json.loads(lines.stdout.readline()) == {"type": "ready"}

    def told(kind, tail, data):
        line = json.loads(lines.stdout.readline())
        assert (line["type"], line["path"], line["data"]) == (kind, base + tail, data)

    assert curator("create", base + "/c/one", "1") == "ok"
    told("created", "/c", "")
    told("created", "/c/one", "1")
    assert curator("set", base + "/c/one", "2") == "ok"
    told("changed", "/c/one", "2")
    assert curator("create", base + "/c/last", "3") == "ok"
    told("created", "/c/last", "3")
    want = ",".join(sorted(base + tail for tail in ("/c=", "/c/one=2", "/c/last=3")))
    assert curator("cache", base + "/c") == want


def test_whoever_holds_dies(zokor, curator, classes, srv, base):  # noqa: F811
    """Killed, with its session: the other kind gets the lock, and the leadership, and sees that a service is gone."""
    short = Curator(classes, srv, 10000)  # it lives until it is killed
    try:
        assert short("lock", base + "/lock") == "ok" and short("lead", base + "/leader") == "ok"
        assert short("register", base + "/s", "web", "theirs", "8080") == "ok"
        heirs = [zokor.start(verb, base + path, "--session", "10000", "--", "sh", "-c", "echo got it; sleep 120")
                 for verb, path in (("lock", "/lock"), ("elect", "/leader"))]
        seen = zokor.start("watch", base + "/s/web", "--json", "--all")
        there = [json.loads(seen.stdout.readline())["type"] for _ in range(3)]
        assert there == ["created", "created", "ready"]
        short.kill()
        assert [heir.stdout.readline() for heir in heirs] == ["got it\n"] * 2
        assert json.loads(seen.stdout.readline())["type"] == "deleted"
        curator("lock", base + "/lock", wait=False)
        for heir in heirs:
            heir.kill()
        assert curator.hear() == "ok" and curator("lead", base + "/leader") == "ok"
    finally:
        short.kill()
