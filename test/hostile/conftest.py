"""Fixtures of the hostile tests: every test ends with the question whether the server still serves,
and how much memory it kept."""
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "interop"))

import server as server_module  # noqa: E402
from server import Server  # noqa: E402
from zkraw import Client  # noqa: E402

MB = 1024  # in the KB of /proc


def pytest_collection_modifyitems(config, items):
    why = None
    if server_module.use_apache():
        why = "these tests are about our limits, not the reference's"
    elif server_module.server_command() is None:
        why = "no server to test: build it, or set ZOKOR_BIN"
    if why is not None:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=why))


def is_sanitized(srv):
    """Sanitizers keep freed memory: bounds on RSS mean nothing then."""
    with open("/proc/%d/maps" % srv.pid) as f:
        text = f.read()
    return "libasan" in text or "libtsan" in text or "libclang_rt" in text


def rss_kb(srv, field="VmRSS"):
    with open("/proc/%d/status" % srv.pid) as f:
        for line in f:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    raise LookupError(field)


def cpu_seconds(srv):
    with open("/proc/%d/stat" % srv.pid) as f:
        fields = f.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def still_serves(srv):
    """A new client can write and read."""
    assert srv.running(), srv.log()[-3000:]
    client = Client(srv.port)
    assert client.granted_ms > 0
    path = "/alive-%x" % client.session_id
    assert client.create(path, b"x").err == 0
    assert client.get(path).data == b"x"
    assert client.delete(path).err == 0
    client.close()


class Watched:
    """A server and the memory it had when the test began."""

    def __init__(self, srv):
        self.srv = srv
        self.before_kb = rss_kb(srv)

    def check(self, grown_kb_max):
        still_serves(self.srv)
        if not is_sanitized(self.srv):
            grown = rss_kb(self.srv) - self.before_kb
            assert grown <= grown_kb_max, "RSS grew by %d KB" % grown


@pytest.fixture(scope="module")
def hostile_server(tmp_path_factory):
    """One server for the tests of a file that need no settings of their own."""
    with Server(tmp_path_factory.mktemp("hostile"), tick_ms=1000) as srv:
        still_serves(srv)
        yield srv


@pytest.fixture
def srv(hostile_server):
    assert hostile_server.running(), "an earlier test brought the server down\n" + hostile_server.log()[-3000:]
    return hostile_server


@pytest.fixture
def watched(srv):
    """The shared server; after the test it must still serve and have grown by less than 24 MB."""
    w = Watched(srv)
    yield w
    w.check(24 * MB)


@pytest.fixture
def own_server(tmp_path):
    servers = []

    def make(**options):
        srv = Server(os.path.join(str(tmp_path), "s%d" % len(servers)), **options)
        servers.append(srv)
        return srv.start()

    yield make
    for srv in servers:
        srv.kill()
