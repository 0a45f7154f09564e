"""Programs that others built for Apache's library, on ours: its command line and its Python binding."""
import os
import subprocess
import textwrap

import pytest
from conftest import HERE  # noqa: F401  (finds the folder interop)
from test_c_client import CliMt, cli, needs_cli, test_cli_mt  # noqa: F401  (the same tests, on our library)

BINDING = "/usr/lib/python3/dist-packages/zookeeper.cpython-311-x86_64-linux-gnu.so"


@pytest.fixture(autouse=True)
def on_our_library(plain, monkeypatch):
    monkeypatch.setenv("LD_LIBRARY_PATH", plain.dir)


def test_it_is_our_library_that_runs(plain):
    if not os.path.exists("/usr/lib/zookeeper/bin/cli_mt"):
        pytest.skip("Debian's package zookeeper-bin is not installed")
    out = subprocess.run(["ldd", "/usr/lib/zookeeper/bin/cli_mt"], capture_output=True, text=True, check=True).stdout
    assert os.path.join(plain.dir, "libzookeeper_mt.so.2") in out


SCRIPT = textwrap.dedent(
    """
    import sys, threading, zookeeper
    hosts, base = sys.argv[1:]
    seen, changed, up = [], threading.Event(), threading.Event()
    def session(handle, kind, state, path):
        if state == zookeeper.CONNECTED_STATE:
            up.set()
    def watcher(handle, kind, state, path):
        seen.append((kind, state, path))
        changed.set()
    zookeeper.set_debug_level(zookeeper.LOG_LEVEL_ERROR)
    handle = zookeeper.init(hosts, session, 10000)
    assert up.wait(30)
    print(zookeeper.state(handle) == zookeeper.CONNECTED_STATE, zookeeper.recv_timeout(handle))
    print("bytes", zookeeper.exists(handle, base + "/a", watcher)["dataLength"])
    print(zookeeper.exists(handle, base + "/none"), sorted(zookeeper.get_children(handle, base)))
    print(zookeeper.get_acl(handle, base)[1])
    done, answers = threading.Event(), []
    def got(handle, rc, stat):
        answers.append((rc, stat["version"]))
    def names(handle, rc, children):
        answers.append((rc, children))
        done.set()
    zookeeper.aexists(handle, base + "/a", None, got)
    zookeeper.aget_children(handle, base, None, names)
    assert done.wait(30)
    print(answers)
    zookeeper.delete(handle, base + "/a")
    assert changed.wait(30)
    print(seen == [(zookeeper.DELETED_EVENT, zookeeper.CONNECTED_STATE, base + "/a")])
    try:
        zookeeper.delete(handle, base + "/a")
    except zookeeper.NoNodeException as e:
        print("NoNodeException", e)
    print(zookeeper.close(handle))
    """
)


def test_python_binding(plain, srv, zk, base, tmp_path):
    """Debian's binding was not ported to Python 3.11: it names a symbol that the interpreter keeps to itself, and calls
    with data raise. The first is given to it, the second avoided; the rest must work on both libraries alike."""
    if not os.path.exists(BINDING):
        pytest.skip("Debian's package python3-zookeeper is not installed")
    source, shim = tmp_path / "shim.c", str(tmp_path / "shim.so")
    source.write_text("char PyIOBase_Type[1024];\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", shim, str(source)], check=True)
    outputs = []
    for folder in (plain.dir, ""):
        assert zk.create(base + "/a", b"data").err == 0
        env = {**os.environ, "LD_PRELOAD": shim, "LD_LIBRARY_PATH": folder}
        run = subprocess.run(
            ["/usr/bin/python3", "-c", SCRIPT, srv.hosts, base], env=env, capture_output=True, text=True, timeout=60
        )
        assert run.returncode == 0, run.stdout + run.stderr
        outputs.append(run.stdout)
    assert outputs[0] == outputs[1]
    assert "True 10000" in outputs[0] and "bytes 4" in outputs[0] and "NoNodeException" in outputs[0]
