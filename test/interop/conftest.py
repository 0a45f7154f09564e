"""Fixtures shared by the suite: servers, clients, and the marks that say where the reference
differs.
"""
import os
import shutil
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import server as server_module  # noqa: E402
import zkraw  # noqa: E402
from server import Server, missing_java  # noqa: E402,F401  (other folders look for both here)

SUPER_PASSWORD = "test"
SUPER_PROPS = {
    "zookeeper.DigestAuthenticationProvider.superDigest": zkraw.digest_id("super", SUPER_PASSWORD)
}


def pytest_collection_modifyitems(config, items):
    if server_module.server_command() is None:
        skip = pytest.mark.skip(
            reason="no server to test: build it, set ZOKOR_BIN, or ZOKOR_TEST_APACHE=1"
        )
        for item in items:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory):
    """One server for all tests that need no settings of their own; they keep to paths of their
    own.
    """
    extra = ["maxSessionTimeout=%d" % server_module.LONGEST_MS]
    with Server(tmp_path_factory.mktemp("shared"), tick_ms=1000, props=SUPER_PROPS, extra=extra) as srv:
        yield srv
        if not server_module.use_apache():
            assert srv.stop() == 0, srv.log()[-4000:]


@pytest.fixture(scope="session")
def reference(shared_server):
    """An empty string for ours; "3.8" for a reference server before 3.9, "3.9" for a later one."""
    if not server_module.use_apache():
        return ""
    return "3.8" if shared_server.is_38() else "3.9"


@pytest.fixture(autouse=True)
def _skip_by_reference(request):
    since = request.node.get_closest_marker("since39")
    ours = request.node.get_closest_marker("ours")
    if (since or ours) and server_module.use_apache():
        reference = request.getfixturevalue("reference")
        if ours:
            pytest.skip("reference bug, not copied: " + ours.args[0])
        if since and reference == "3.8":
            pytest.skip("since 3.9: " + since.args[0])


@pytest.fixture
def srv(shared_server):
    if not shared_server.running():
        # A test brought it down: that test failed; the others still get a server, if need be an
        # empty one.
        try:
            shared_server.start()
        except server_module.ServerDied:
            shutil.rmtree(shared_server.data_dir)
            shared_server.start()
    return shared_server


@pytest.fixture
def connect(srv):
    """connect(**options) opens a session on the shared server; all are closed at the end of the
    test. They send nothing while other programs run, however long that takes.
    """
    clients = []

    def make(**options):
        options.setdefault("timeout_ms", server_module.LONGEST_MS)
        client = zkraw.Client(srv.port, **options)
        clients.append(client)
        return client

    yield make
    for client in clients:
        try:
            client.sock.settimeout(5)
            client.send(zkraw.CLOSE_SESSION)
            client.sock.recv(65536)
        except OSError:
            pass
        client.drop()


@pytest.fixture
def zk(connect):
    return connect()


@pytest.fixture
def other(connect):
    return connect()


@pytest.fixture
def superuser(connect):
    client = connect()
    assert client.auth("digest", "super:" + SUPER_PASSWORD).err == 0
    return client


_COUNTER = [0]


@pytest.fixture
def base(zk):
    """A fresh node of this test's own."""
    _COUNTER[0] += 1
    path = "/t%05d" % _COUNTER[0]
    assert zk.create(path).err == 0
    return path


@pytest.fixture
def own_server(tmp_path):
    """own_server(extra=[...], props={...}) starts a server for this test alone."""
    servers = []

    def make(directory=None, **options):
        srv = Server(directory or os.path.join(str(tmp_path), "s%d" % len(servers)), **options)
        servers.append(srv)
        return srv.start()

    yield make
    for srv in servers:
        srv.kill()
        srv.check_log()
