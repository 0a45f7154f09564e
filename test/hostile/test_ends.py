"""How a server ends: killed at any instant, asked to stop, out of disk, in each other's way."""
import os
import random
import re
import select
import signal
import subprocess
import threading
import time

import pytest

import zkraw
from hostile_tools import LONG, still_serves
from ensemble import until
from server import LONGEST_MS, Server, free_port
from zkraw import Client, Closed, acls, i32, text

EXIT_DATA, EXIT_LOG_FAILED, EXIT_BIND = 3, 10, 14  # enum server_exit of src/server/server.h


class Writer(threading.Thread):
    """Writes through one session, several requests in flight, and remembers what was acknowledged."""

    DEPTH = 8

    def __init__(self, port, name):
        super().__init__(daemon=True)
        self.port, self.name_ = port, name
        self.value = 0       # highest value acknowledged for /name
        self.asked = 0       # highest value sent
        self.created = []    # sequential nodes acknowledged
        self.deleted = set() # of those
        self.deleting = set()
        self.error = None

    def run(self):
        try:
            client = Client(self.port, timeout_ms=LONGEST_MS)
            client.create("/" + self.name_, b"0")
            pending = {}
            rng = random.Random(self.name_)
            while True:
                while len(pending) < self.DEPTH:
                    self._send(client, pending, rng)
                reply = client.recv()
                self._acknowledged(reply, *pending.pop(reply.xid))
        except (Closed, OSError):
            pass  # the server is gone: that is what is tested
        except Exception as e:  # told by the test
            self.error = e

    def _send(self, client, pending, rng):
        what = rng.randrange(4)
        if what == 0:
            body = text("/%s/n-" % self.name_) + text(b"") + acls(zkraw.OPEN) + i32(zkraw.SEQUENTIAL)
            pending[client.send(zkraw.CREATE, body)] = ("create", None)
        elif what == 1 and len(self.created) - len(self.deleting) > 5:
            path = next(p for p in self.created if p not in self.deleting)
            self.deleting.add(path)
            pending[client.send(zkraw.DELETE, text(path) + i32(-1))] = ("delete", path)
        else:
            self.asked += 1
            body = text("/" + self.name_) + text(b"%d" % self.asked) + i32(-1)
            pending[client.send(zkraw.SET_DATA, body)] = ("set", self.asked)

    def _acknowledged(self, reply, kind, what):
        assert reply.err == 0, (kind, what, reply)
        if kind == "set":
            self.value = what
        elif kind == "create":
            self.created.append(zkraw.Reader(reply.body).text())
        else:
            self.deleted.add(what)

    def check(self, client):
        assert self.error is None, self.error
        got = client.get("/" + self.name_)
        if got.err == zkraw.NO_NODE:
            assert self.value == 0 and not self.created
            return
        assert self.value <= int(got.data) <= self.asked, "acknowledged %d, found %s" % (self.value, got.data)
        names = {"/%s/%s" % (self.name_, n) for n in client.ls("/" + self.name_).children}
        missing = set(self.created) - self.deleting - names
        assert not missing, "acknowledged creates are gone: %s" % missing
        back = self.deleted & names
        assert not back, "acknowledged deletes are back: %s" % back


SMALL = {"zookeeper.snapCount": "300", "zookeeper.preAllocSize": "256"}


def test_killed_at_random_instants(own_server):
    """SIGKILL under load with logs rolling and snapshots being taken; every acknowledged write is there."""
    srv = own_server(props=SMALL)
    rng = random.Random(7)
    for round_ in range(8):
        writers = [Writer(srv.port, "r%d-%d" % (round_, n)) for n in range(4)]
        for w in writers:
            w.start()
        time.sleep(rng.uniform(0.05, 0.9))
        srv.kill()
        for w in writers:
            w.join(zkraw.SECONDS)
        srv.start()
        client = Client(srv.port)
        for w in writers:
            w.check(client)
        client.close()
    assert "digest_mismatches=0" in srv.log()
    assert max(int(x.split("=")[1]) for x in srv.log().split() if x.startswith("digest_mismatches=")) == 0


def test_killed_while_starting(own_server):
    """A server that is killed during its start leaves the data as it was."""
    srv = own_server(props=SMALL)
    w = Writer(srv.port, "w")
    w.start()
    time.sleep(1)
    srv.kill()
    w.join(zkraw.SECONDS)
    rng = random.Random(3)
    for _ in range(8):
        srv.spawn()
        time.sleep(rng.uniform(0, 0.05))
        srv.kill()
    srv.start()
    w.check(Client(srv.port))


def test_stops_in_order(own_server):
    """SIGTERM under load: status 0, and every acknowledged write is there after the next start."""
    srv = own_server(props=SMALL)
    for round_ in range(4):
        writers = [Writer(srv.port, "s%d-%d" % (round_, n)) for n in range(4)]
        for w in writers:
            w.start()
        until(lambda: all(w.value > 0 or w.error for w in writers))
        assert srv.stop() == 0
        for w in writers:
            w.join(zkraw.SECONDS)
        srv.start()
        client = Client(srv.port)
        for w in writers:
            w.check(client)
            assert w.value > 0
        client.close()
    assert "server.stopped exit=0" in srv.log()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_writes_in_flight_are_answered_before_it_leaves(own_server, number):
    """What was taken in before the signal is finished and answered; what was not is not there."""
    srv = own_server()
    client = Client(srv.port, timeout_ms=LONGEST_MS)
    assert client.create("/last").err == 0
    count = 3000
    client.send_bytes(
        b"".join(
            i32(8 + len(text("/last")) + len(text(b"%d" % n)) + 4) + i32(n + 10) + i32(zkraw.SET_DATA) + text("/last")
            + text(b"%d" % n) + i32(-1)
            for n in range(count)
        )
    )
    srv.signal(number)
    answered = 0
    try:
        while answered < count:
            reply = client.recv()
            assert reply.err == 0 and reply.xid == answered + 10
            answered += 1
    except Closed:
        pass
    assert srv.wait() == 0
    srv.start()
    after = Client(srv.port).get("/last")
    assert after.stat.version == answered, "answered %d, applied %d" % (answered, after.stat.version)


def answers_begin(client):
    """The requests have been taken in, all with one read; the answers are far more than sockets hold."""
    assert select.select([client.sock], [], [], zkraw.SECONDS)[0]


def test_a_slow_reader_cannot_hold_up_the_stop(own_server):
    srv = own_server(props={"zookeeper.nio.shutdownTimeout": "700"})
    client = Client(srv.port, timeout_ms=LONGEST_MS)
    assert client.create("/blob", b"b" * 1000000).err == 0
    request = i32(8 + len(text("/blob")) + 1) + i32(1) + i32(zkraw.GET_DATA) + text("/blob") + b"\0"
    client.send_bytes(request * 30)
    answers_begin(client)
    assert srv.stop() == 0


def test_second_signal_leaves_at_once(own_server):
    srv = own_server(props={"zookeeper.nio.shutdownTimeout": "600000"})
    client = Client(srv.port, timeout_ms=LONGEST_MS)
    assert client.create("/blob", b"b" * 1000000).err == 0
    request = i32(8 + len(text("/blob")) + 1) + i32(1) + i32(zkraw.GET_DATA) + text("/blob") + b"\0"
    client.send_bytes(request * 30)
    answers_begin(client)
    srv.signal(signal.SIGTERM)
    until(lambda: "server.stop signal=SIGTERM" in re.sub(" +", " ", srv.log()))  # two at once would be one
    assert srv.running()
    assert srv.stop() == 0


def until_gone(srv, client, data):
    """Writes until the server leaves; how many writes were acknowledged."""
    acknowledged = 0
    try:
        while acknowledged < 100000:
            assert client.set("/full", data + b"%d" % acknowledged).err == 0
            acknowledged += 1
    except (Closed, OSError):
        pass
    return acknowledged


def check_full_disk(srv, acknowledged, data):
    assert srv.wait() == EXIT_LOG_FAILED, srv.log()[-2000:]
    assert "log.failed" in srv.log()
    assert acknowledged > 0
    return data + b"%d" % (acknowledged - 1)


def test_log_cannot_grow(own_server):
    """A limit on file sizes stands for a full disk: the server leaves with its code, nothing acknowledged is lost."""
    srv = own_server(
        wrapper=["prlimit", "--fsize=400000:400000"],
        props={"zookeeper.preAllocSize": "64", "zookeeper.snapCount": "100000"},
    )
    client = Client(srv.port, timeout_ms=LONGEST_MS)
    assert client.create("/full").err == 0
    data = b"d" * 900
    acknowledged = until_gone(srv, client, data)
    last = check_full_disk(srv, acknowledged, data)
    srv.wrapper = []
    srv.start()
    got = Client(srv.port).get("/full")
    assert got.data == last and got.stat.version == acknowledged
    still_serves(srv)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MB, where this user may mount one."""
    where = tmp_path / "small"
    where.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(where)], capture_output=True)
    if mount.returncode != 0:
        pytest.skip("cannot mount a tmpfs: " + mount.stderr.decode().strip())
    yield str(where)
    subprocess.run(["umount", "-l", str(where)], check=True)


def test_disk_full(tmp_path, small_disk):
    data = os.path.join(small_disk, "data")
    srv = Server(tmp_path / "s", data_dir=data, extra=LONG, props={"zookeeper.preAllocSize": "64"})
    try:
        srv.start()
        client = Client(srv.port, timeout_ms=LONGEST_MS)
        assert client.create("/full").err == 0
        data = b"d" * 5000
        acknowledged = until_gone(srv, client, data)
        last = check_full_disk(srv, acknowledged, data)
        subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
        srv.start()
        got = Client(srv.port).get("/full")
        # A write that was not acknowledged may have reached the disk.
        assert got.stat.version - acknowledged in (0, 1)
        assert got.data == last or got.stat.version == acknowledged + 1
    finally:
        srv.kill()


def test_snapshots_fail_and_the_server_goes_on(tmp_path, small_disk):
    """Only the snapshot directory is full: the log still holds everything, so service goes on, and the next snapshot
    succeeds when there is room again."""
    srv = Server(
        tmp_path / "s",
        data_dir=os.path.join(small_disk, "data"),
        extra=["dataLogDir=%s" % (tmp_path / "log"), *LONG],
        props={"zookeeper.snapCount": "50", "zookeeper.preAllocSize": "64"},
    )
    try:
        srv.start()
        client = Client(srv.port, timeout_ms=LONGEST_MS)
        for n in range(4):
            assert client.create("/fill%d" % n, b"f" * 700000).err == 0
        for n in range(200):
            assert client.set("/fill0", b"%d" % n).err == 0
        deadline = time.monotonic() + zkraw.SECONDS
        while "snapshot.failed" not in srv.log() and time.monotonic() < deadline:
            assert client.set("/fill0", b"again").err == 0
        assert "snapshot.failed" in srv.log()
        assert not [f for f in os.listdir(os.path.join(srv.data_dir, "version-2")) if "snapshot." not in f]
        subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
        before = srv.log().count("snapshot.saved")
        for n in range(400):
            assert client.set("/fill0", b"%d" % n).err == 0
        deadline = time.monotonic() + zkraw.SECONDS
        while srv.log().count("snapshot.saved") == before and time.monotonic() < deadline:
            assert client.set("/fill0", b"again").err == 0
        assert srv.log().count("snapshot.saved") > before
        srv.kill()
        srv.start()
        assert Client(srv.port).get("/fill3").data == b"f" * 700000
        still_serves(srv)
    finally:
        srv.kill()


def test_two_servers_on_one_directory(own_server, tmp_path):
    """The second one leaves with a reason, the first does not notice."""
    srv = own_server()
    second = Server(tmp_path / "second", data_dir=srv.data_dir)
    second.spawn()
    assert second.wait() == EXIT_DATA
    assert "another server works on this directory" in second.log()
    still_serves(srv)


def test_port_in_use(own_server, tmp_path):
    srv = own_server()
    second = Server(tmp_path / "second", port=srv.port)
    second.spawn()
    assert second.wait() == EXIT_BIND
    still_serves(srv)


def test_secure_port_without_a_key_is_refused_not_ignored(tmp_path):
    srv = Server(tmp_path / "s", extra=["secureClientPort=%d" % free_port()])
    srv.spawn()
    assert srv.wait() == 2
    assert "ssl.keyStore.location is not set" in srv.log()


def test_directory_that_cannot_be_made(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")
    srv = Server(tmp_path / "s", extra=["dataLogDir=%s" % (blocker / "log")])
    srv.spawn()
    assert srv.wait() == EXIT_DATA


def test_paused_process_resumes(own_server):
    """SIGSTOP for longer than a tick: no session of a client that was only waiting is lost without its timeout."""
    srv = own_server(tick_ms=1000)
    client = Client(srv.port, timeout_ms=LONGEST_MS)
    assert client.create("/e", flags=zkraw.EPHEMERAL).err == 0
    srv.signal(signal.SIGSTOP)
    time.sleep(2.5)
    srv.signal(signal.SIGCONT)
    assert client.exists("/e").err == 0
    still_serves(srv)
