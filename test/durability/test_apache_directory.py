"""Data directories cross both ways: Apache ZooKeeper (Debian's package) opens what our store writes, and our store
reads what Apache leaves behind when it is killed. Trees are compared node by node: data, ACL, stat, children.

DURABILITY_DIRECTORY names the program that writes and reads directories; default: the newest one in build/.
"""
import glob
import json
import os
import shutil
import subprocess
import sys
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, "..", "interop"))

from server import Server  # noqa: E402

kazoo_client = pytest.importorskip("kazoo.client", reason="python3-kazoo is not installed")
from kazoo.security import ACL, Id, OPEN_ACL_UNSAFE  # noqa: E402

LAUNCHER = os.path.join(HERE, "..", "interop", "apache-server")


def program():
    named = os.environ.get("DURABILITY_DIRECTORY")
    found = [named] if named else glob.glob(os.path.join(ROOT, "build", "*", "test", "durability",
                                                         "durability_directory"))
    found = [path for path in found if os.access(path, os.X_OK)]
    return max(found, key=os.path.getmtime) if found else None


pytestmark = [
    pytest.mark.skipif(shutil.which(os.environ.get("JAVA", "java")) is None, reason="java is not installed"),
    pytest.mark.skipif(not os.environ.get("APACHE_CP") and not os.path.exists("/usr/share/java/zookeeper.jar"),
                       reason="Debian's package zookeeper is not installed"),
    pytest.mark.skipif(program() is None, reason="durability_directory is not built"),
]


class Apache(Server):
    """Apache ZooKeeper, whichever server the rest of the suite tests."""

    def command(self):
        props = ["-D%s=%s" % kv for kv in sorted(self.props.items())]
        return [LAUNCHER, "server"] + props + [self.cfg]


def run(*args):
    """The tree that the program prints, and what it says beside it."""
    done = subprocess.run([program(), *args], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout), done.stderr.decode()


def live_tree(client):
    """All nodes as a client sees them, in the program's form."""
    nodes, todo = {}, ["/"]
    while todo:
        path = todo.pop()
        data, stat = client.get(path)
        acls, _ = client.get_acls(path)
        nodes[path] = {
            "data": None if data is None else data.hex(),
            "acl": [[a.perms, a.id.scheme, a.id.id] for a in acls],
            "stat": list(stat),
        }
        children = client.get_children(path)
        assert len(children) == stat.numChildren
        todo += [path.rstrip("/") + "/" + name for name in children]
    return nodes


def without_null(nodes):
    """kazoo gives b"" for null data; lengths and digests tell the difference elsewhere."""
    return {path: {**node, "data": node["data"] or ""} for path, node in nodes.items()}


def connected(server):
    client = kazoo_client.KazooClient(server.hosts, timeout=30)
    client.start(60)
    return client


@pytest.mark.parametrize("codec", ["plain", "gz", "snappy"])
def test_apache_opens_what_we_write(tmp_path, codec):
    expected, _ = run("write", str(tmp_path / "data" / "version-2"), codec)
    again, said = run("read", str(tmp_path / "data" / "version-2"))
    assert again == expected
    assert "store.log_torn" in said
    with Apache(tmp_path, data_dir=str(tmp_path / "data")) as server:
        assert server.zxid() == expected["zxid"]
        client = connected(server)
        try:
            assert without_null(live_tree(client)) == without_null(expected["nodes"])
        finally:
            client.stop()
            client.close()
        log = server.log()
    for word in ("mismatch", "Mismatch", "Unreasonable", "Problem loading"):
        assert word not in log


def busy(client):
    """One of everything that a client can do to the tree."""
    client.create("/a", b"alpha")
    client.create("/a/seq-", b"", sequence=True)
    client.create("/a/eph", b"e", ephemeral=True)
    client.create("/a/été", "ü".encode())
    client.set("/a", b"alpha2")
    client.set_acls("/a", OPEN_ACL_UNSAFE + [ACL(1, Id("ip", "127.0.0.1"))])
    client.create("/gone", b"")
    client.delete("/gone")
    for i in range(50):
        client.create("/a/n%d" % i, b"x" * i)
    t = client.transaction()
    t.create("/t1", b"1")
    t.set_data("/a", b"alpha3")
    t.delete("/a/n3")
    t.check("/a", 2)
    assert not any(isinstance(r, Exception) for r in t.commit())
    t = client.transaction()
    t.create("/t2", b"1")
    t.check("/a", 77)
    t.commit()
    with pytest.raises(Exception):
        client.delete("/nothing")


@pytest.mark.parametrize("method", ["", "gz", "snappy"])
def test_we_read_what_apache_leaves(tmp_path, method):
    server = Apache(tmp_path, props={"zookeeper.snapCount": "20", "zookeeper.snapshot.compression.method": method})
    with server:
        client = connected(server)
        busy(client)
        time.sleep(0.5)  # its snapshots are written in the background; any state of them must do
        expected = live_tree(client)
        zxid = server.zxid()
        server.kill()
        client.stop()
        client.close()
    got, _ = run("read", os.path.join(server.data_dir, "version-2"))
    assert got["zxid"] == zxid
    assert without_null(got["nodes"]) == without_null(expected)
