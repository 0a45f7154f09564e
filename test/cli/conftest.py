"""Fixtures of the command line's tests: servers as the folder interop starts them, and both command lines."""
import importlib.util
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
INTEROP = os.path.join(ROOT, "test", "interop")
sys.path.insert(0, HERE)
sys.path.insert(0, INTEROP)

_spec = importlib.util.spec_from_file_location("interop_conftest", os.path.join(INTEROP, "conftest.py"))
_interop = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_interop)
shared_server, srv, connect, zk, base, own_server = (
    _interop.shared_server,
    _interop.srv,
    _interop.connect,
    _interop.zk,
    _interop.base,
    _interop.own_server,
)
missing_java = _interop.missing_java

import cli_tools  # noqa: E402


def pytest_collection_modifyitems(config, items):
    _interop.pytest_collection_modifyitems(config, items)
    if cli_tools.zokor() is None:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="zokor is not built, or the tests are for Apache's server"))


@pytest.fixture
def zokor():
    """The command of our command line."""
    return cli_tools.zokor() + ["cli"]


@pytest.fixture
def cli(shared_server, base):
    """cli("get /x", ...): one command for the shared server; the node of this test is `base`, written {}. Returns
    (status, stdout, stderr) without the greeting."""

    def run(*words, quiet=True, **more):
        words = [w.replace("{}", base) for w in words]
        if len(words) == 1 and " " in words[0]:
            words = words[0].split()
        options = ["-q"] if quiet else []
        return cli_tools.one_shot(shared_server.hosts, *options, *words, **more)

    run.base = base
    return run


@pytest.fixture
def terminal(shared_server, zokor):
    """terminal(*options): our command line on a pseudo-terminal, connected."""
    started = []

    def start(*options, env=None, connected=True):
        t = cli_tools.Terminal([*zokor, "-server", shared_server.hosts, *options], env=env)
        started.append(t)
        if connected:
            t.wait_screen("state:SyncConnected")  # the state may be there before the event
            t.prompt(0)
        return t

    yield start
    for t in started:
        t.kill()
