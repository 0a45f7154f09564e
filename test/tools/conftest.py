"""What the tests of zokor log, snap, purge, init, status and of the scripts share.

Files come from three places: test/golden/disk (written by Apache 3.8.0 and 3.9.5), a server of ours and an Apache
server that ran here just before. Outputs are compared with those of Apache's own tools from Debian's jar.
"""
import os
import shutil
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, "..", "interop"))

import server as server_module  # noqa: E402
from ensemble import until  # noqa: E402
from server import Server  # noqa: E402

GOLDEN = os.path.join(ROOT, "test", "golden", "disk")
JARS = "/usr/share/java"
# Both sides speak of times in the same zone and of bytes in the same encoding.
ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
for name in ("JVMFLAGS", "SERVER_JVMFLAGS", "CLIENT_JVMFLAGS", "ZOOCFGDIR", "ZOOCFG", "ZOOPIDFILE"):
    ENVIRONMENT.pop(name, None)


@pytest.fixture(scope="session")
def zokor():
    named = os.environ.get("ZOKOR_BIN") or os.path.join(ROOT, "build", "release", "zokor")
    if not os.access(named, os.X_OK):
        pytest.skip("%s is not built" % named)
    return os.path.abspath(named)


@pytest.fixture(scope="session")
def tool(zokor):
    """tool("log", "show", file): the finished process; outputs as bytes."""

    def run(*args, stdin=b"", env=None, seconds=60):
        return subprocess.run([zokor, *map(str, args)], input=stdin, capture_output=True, timeout=seconds,
                              env={**ENVIRONMENT, **(env or {})})

    return run


@pytest.fixture(scope="session")
def apache(tmp_path_factory):
    """apache("SnapshotFormatter", file): the same of a tool of Apache's."""
    java = shutil.which(os.environ.get("JAVA", "java"))
    if java is None:
        pytest.skip("java is not installed")
    if not os.path.exists(JARS + "/zookeeper.jar"):
        pytest.skip("Debian's package zookeeper (its jar) is not installed")
    names = ["zookeeper", "zookeeper-jute", "slf4j-api", "slf4j-nop", "netty-all", "metrics-core", "snappy-java",
             "commons-cli", "jackson-databind", "jackson-core", "jackson-annotations"]
    path = ":".join("%s/%s.jar" % (JARS, name) for name in names)

    def run(tool_class, *args, stdin=b"", env=None, seconds=120):
        return subprocess.run(
            [java, "-Xmx300m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Duser.language=en",
             "-Duser.country=US", "-Dfile.encoding=UTF-8", "-Dsun.stdout.encoding=UTF-8", "-cp", path,
             "org.apache.zookeeper.server." + tool_class, *map(str, args)],
            input=stdin, capture_output=True, timeout=seconds, env={**ENVIRONMENT, **(env or {})})

    return run


class ApacheServer(Server):
    """Apache ZooKeeper of Debian's package, whichever server the rest of the suite tests."""

    def command(self):
        if shutil.which(os.environ.get("JAVA", "java")) is None:
            pytest.skip("java is not installed")
        if not os.path.exists(JARS + "/zookeeper.jar"):
            pytest.skip("Debian's package zookeeper (its jar) is not installed")
        props = ["-D%s=%s" % kv for kv in sorted(self.props.items())]
        return [os.path.join(HERE, "..", "interop", "apache-server"), "server"] + props + [self.cfg]


def work(hosts):
    """Leaves every kind of record and node behind; the session stays open in the last snapshot."""
    kazoo_client = pytest.importorskip("kazoo.client", reason="python3-kazoo is not installed")
    from kazoo.security import make_digest_acl
    first = kazoo_client.KazooClient(hosts, timeout=30)
    first.start(60)
    first.create("/a", b"alpha")
    first.create("/a/b", b"", acl=[make_digest_acl("bob", "secret", all=True)])
    first.create("/a/\u00e9t\u00e9", bytes(range(256)))
    first.create("/a/s-", b"%,}'\n", sequence=True)
    first.create("/a-b", b"x" * 5000, makepath=True)
    first.create("/a-b/c/d/e", b"deep", makepath=True)
    first.set("/a", b"alpha2")
    first.create("/gone")
    first.delete("/gone")
    with pytest.raises(Exception):
        first.create("/a")
    multi = first.transaction()
    multi.check("/a", 1)
    multi.create("/m", b"1")
    multi.set_data("/a", b"3")
    multi.delete("/m")
    multi.commit()
    first.create("/e", b"mine", ephemeral=True)
    second = kazoo_client.KazooClient(hosts, timeout=20)
    second.start(60)
    second.create("/e2", b"", ephemeral=True)
    second.stop()
    second.close()
    for i in range(60):
        first.create("/many/n%03d" % i, b"v" * i, makepath=True)
    first.stop()
    first.close()


@pytest.fixture(scope="session", params=["ours", "apache"])
def directory(request, tmp_path_factory):
    """version-2 of a server that ran here, with several logs and snapshots."""
    place = tmp_path_factory.mktemp("by-" + request.param)
    if request.param == "ours" and (server_module.server_command() is None or server_module.use_apache()):
        pytest.skip("no server of ours: build it, or set ZOKOR_BIN")
    kind = ApacheServer if request.param == "apache" else Server
    with kind(place, extra=["snapCount=40", "preAllocSize=64"]) as srv:
        version = os.path.join(srv.data_dir, "version-2")
        work(srv.hosts)
        # Written in the background: one that has all nodes but the last ones is waited for.
        until(lambda: sum(map(is_whole, files(version, "snapshot"))) > 1)
        srv.kill()
    for path in files(version, "snapshot"):
        if not is_whole(path):  # Apache's writes them under their own names
            os.remove(path)
    return version


def is_whole(path):
    """A snapshot ends with its seal."""
    with open(path, "rb") as f:
        return f.read()[-5:] == b"\0\0\0\1/"


def files(directory, kind):
    return sorted(os.path.join(directory, n) for n in os.listdir(directory) if n.startswith(kind + "."))


def golden_files(kind):
    found = []
    for base, _, names in sorted(os.walk(GOLDEN)):
        found += [os.path.join(base, n) for n in sorted(names) if n.startswith(kind + ".")]
    return found


def short(path):
    return os.path.relpath(path, GOLDEN)
