"""Fixtures of the hostile tests: every test ends with the question whether the server still serves,
and how much memory it kept."""
import glob
import os
import shutil
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import hostile_tools  # noqa: E402,F401  (finds the folder interop)
import server as server_module  # noqa: E402
from hostile_tools import HERE, LONG, MB, Watched, still_serves  # noqa: E402
from server import Server  # noqa: E402


def pytest_collection_modifyitems(config, items):
    why = None
    if server_module.use_apache():
        why = "these tests are about our limits, not the reference's"
    elif server_module.server_command() is None:
        why = "no server to test: build it, or set ZOKOR_BIN"
    if why is not None:
        for item in items:
            if str(item.fspath).startswith(HERE):
                item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="module")
def hostile_server(tmp_path_factory):
    """One server for the tests of a file that need no settings of their own."""
    with Server(tmp_path_factory.mktemp("hostile"), tick_ms=1000, extra=LONG) as srv:
        still_serves(srv)
        yield srv
    shutil.rmtree(srv.data_dir, ignore_errors=True)


@pytest.fixture(autouse=True)
def clean_up(request):
    """Logs are allocated 64 MB at a time; pytest keeps directories of past runs. The servers' own logs stay."""
    where = str(request.getfixturevalue("tmp_path")) if "tmp_path" in request.fixturenames else None
    yield
    if where is not None:
        for data in glob.glob(os.path.join(where, "**", "version-2"), recursive=True):
            shutil.rmtree(data, ignore_errors=True)


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

    def make(extra=(), **options):
        srv = Server(os.path.join(str(tmp_path), "s%d" % len(servers)), extra=[*LONG, *extra], **options)
        servers.append(srv)
        return srv.start()

    yield make
    for srv in servers:
        srv.kill()
