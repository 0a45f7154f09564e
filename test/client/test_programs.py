"""Programs that others built for Apache's library, on ours: its command line and its Python binding."""
import os
import subprocess
import textwrap

import pytest
import server as server_module
from conftest import HERE  # noqa: F401  (finds the folder interop)
from cutter import Cutter
from server import Server
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


@needs_cli
def test_watches_and_session_outlive_connections(srv, zk, base, tmp_path):
    """The connection is cut, and the node changes before and after the client is back."""
    cutter = Cutter(srv.port, server_module.free_port(), 0)
    client = CliMt("127.0.0.1:%d" % cutter.port, tmp_path)
    try:
        client.expect("Watcher SESSION_EVENT state = CONNECTED_STATE")
        client.run("create +e %s/e" % base, r"\tname = %s/e" % base)
        owner = zk.exists(base + "/e").stat.owner
        for node in ("a", "b"):
            client.run("wexists %s/%s" % (base, node), "Error -101 for %s/%s" % (base, node))
        cutter.cut()
        assert zk.create(base + "/a").err == 0
        created = "Watcher CREATED_EVENT state = CONNECTED_STATE for path %s/" % base
        client.expect(
            "Watcher SESSION_EVENT state = CONNECTING_STATE",
            "Watcher SESSION_EVENT state = CONNECTED_STATE",
            created + "a",
        )
        assert zk.create(base + "/b").err == 0
        client.expect(created + "b")
        assert zk.exists(base + "/e").stat.owner == owner
        client.run("set %s/e v" % base, r"%s/e: rc = 0 Stat:" % base)
    finally:
        client.process.kill()
        client.process.wait(60)
        cutter.close()


@needs_cli
def test_a_restarted_server(plain, tmp_path):
    with Server(tmp_path / "server", tick_ms=1000) as own:
        client = CliMt(own.hosts, tmp_path)
        try:
            client.expect("Watcher SESSION_EVENT state = CONNECTED_STATE")
            client.run("create +e /e", r"\tname = /e")
            client.run("wexists /n", "Error -101 for /n")
            own.restart(kill=True)
            client.expect("Watcher SESSION_EVENT state = CONNECTED_STATE")
            client.run("create /n", "Watcher CREATED_EVENT state = CONNECTED_STATE for path /n", r"\tname = /n")
            client.run("get /e", r"/e: rc = 0")
        finally:
            client.process.kill()
            client.process.wait(60)


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
    handle = zookeeper.init(hosts, session, 30000)
    assert up.wait(60)
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
    assert done.wait(60)
    print(answers)
    zookeeper.delete(handle, base + "/a")
    assert changed.wait(60)
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
            ["/usr/bin/python3", "-c", SCRIPT, srv.hosts, base], env=env, capture_output=True, text=True, timeout=180
        )
        assert run.returncode == 0, run.stdout + run.stderr
        outputs.append(run.stdout)
    assert outputs[0] == outputs[1]
    assert "True 30000" in outputs[0] and "bytes 4" in outputs[0] and "NoNodeException" in outputs[0]


LOAD_GEN = "/usr/lib/zookeeper/bin/load_gen"


@pytest.mark.skipif(not os.path.exists(LOAD_GEN), reason="Debian's package zookeeper-bin (load_gen) is not installed")
@pytest.mark.parametrize("library", ("ours", "apache"))
def test_load_gen(plain, srv, zk, base, library):
    """Apache's load generator: creates, writes, reads and deletes children for ever, asynchronously; then cleans up."""
    env = {**os.environ, "LD_LIBRARY_PATH": plain.dir if library == "ours" else ""}
    path = base + "-" + library
    load = subprocess.Popen(
        [LOAD_GEN, srv.hosts, path, "100"], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    lines, cycles = [], 0
    try:
        for line in load.stdout:
            lines.append(line)
            cycles += "Starting the delete cycle for path" in line
            if cycles == 3:
                break
    finally:
        load.kill()
        load.wait(60)
        load.stdout.close()
    assert cycles == 3, lines
    assert not [line for line in lines if "Failed" in line or "ZOO_ERROR" in line], lines
    clean = subprocess.run([LOAD_GEN, srv.hosts, path, "clean"], env=env, capture_output=True, text=True, timeout=120)
    assert clean.returncode == 0, clean.stderr
    assert "Successfully deleted a subtree starting at " + path in clean.stdout + clean.stderr
    assert zk.exists(path).err == -101
