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
pytest_configure = _client.pytest_configure
pytest_collection_modifyitems = _client.pytest_collection_modifyitems
shared_server, srv, connect, zk, base, build = (
    _client.shared_server,
    _client.srv,
    _client.connect,
    _client.zk,
    _client.base,
    _client.build,
)


@pytest.fixture(scope="session")
def program(build, tmp_path_factory):
    """program("framework"): the path of the compiled framework.c."""
    made = {}

    def get(name):
        if name not in made:
            out = tmp_path_factory.mktemp("c") / name
            made[name] = build.compile(out, os.path.join(HERE, name + ".c"), more=["-I" + HERE])
        return made[name]

    return get
INTEROP = _client.INTEROP
missing_java = _client._interop.missing_java
