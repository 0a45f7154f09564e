"""Fixtures of the recipes' tests: those of the client library's, and programs of this folder, each compiled once."""
import importlib.util
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CLIENT = os.path.join(ROOT, "test", "client")
sys.path.insert(0, CLIENT)

_spec = importlib.util.spec_from_file_location("client_conftest", os.path.join(CLIENT, "conftest.py"))
_client = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_client)
import server  # noqa: E402  (the path to it is set by the module above)

INTEROP = _client.INTEROP
missing_java = _client.missing_java
pytest_collection_modifyitems = _client.pytest_collection_modifyitems
shared_server, srv, connect, zk, base, build = (
    _client.shared_server,
    _client.srv,
    _client.connect,
    _client.zk,
    _client.base,
    _client.build,
)


class ApacheServer(server.Server):
    """Debian's ZooKeeper, whichever server the rest of the run is about."""

    def command(self):
        props = ["-D%s=%s" % kv for kv in sorted(self.props.items()) if kv[1] is not None]
        return [os.path.join(INTEROP, "apache-server"), "server", *props, self.cfg]


@pytest.fixture(scope="session", params=["ours", "apache"])
def either_server(request, tmp_path_factory):
    """First the server under test, then Apache's: modules that name it `srv` run on both."""
    if request.param == "ours":
        yield request.getfixturevalue("shared_server")
        return
    if missing_java():
        pytest.skip(missing_java())
    if server.use_apache():
        pytest.skip("the server under test is Apache's: its tests are those named ours")
    # Nothing here is about disks: without fsync its answers come as fast as ours.
    props, extra = {"zookeeper.forceSync": "no"}, ["maxSessionTimeout=%d" % server.LONGEST_MS]
    with ApacheServer(tmp_path_factory.mktemp("apache"), tick_ms=1000, props=props, extra=extra) as srv:
        yield srv


@pytest.fixture(scope="session")
def program(build, tmp_path_factory):
    """program("framework"): the path of the compiled framework.c; more names: files that it is made of, too."""
    made = {}

    def get(name, *more):
        if name not in made:
            out = tmp_path_factory.mktemp("c") / name
            sources = [os.path.join(HERE, one + ".c") for one in (name, *more)]
            made[name] = build.compile(out, sources[0], more=["-I" + HERE, *sources[1:]])
        return made[name]

    return get
