"""Tests of the programs around the server and of what is installed: the load generator, the examples, the package."""
import importlib.util
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CLIENT = os.path.join(ROOT, "test", "client")
sys.path.insert(0, HERE)

_spec = importlib.util.spec_from_file_location("client_conftest", os.path.join(CLIENT, "conftest.py"))
_client = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_client)
missing_java = _client.missing_java
pytest_collection_modifyitems = _client.pytest_collection_modifyitems
shared_server, srv, connect, zk, base, build, plain = (
    _client.shared_server,
    _client.srv,
    _client.connect,
    _client.zk,
    _client.base,
    _client.build,
    _client.plain,
)
