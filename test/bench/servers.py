"""The servers under measurement: how each is started, watched and stopped."""
import ctypes
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))

import ports  # noqa: E402

JARS = """zookeeper zookeeper-jute slf4j-api slf4j-nop netty-all netty-buffer netty-codec
netty-common netty-handler netty-resolver netty-transport netty-transport-native-epoll
netty-transport-native-unix-common metrics-core snappy-java commons-cli jackson-databind
jackson-core jackson-annotations jetty9-server jetty9-servlet jetty9-util jetty9-util-ajax
jetty9-http jetty9-io jetty9-security servlet-api jetty-servlet-api""".split()
JAVA_DIR = "/usr/share/java"
PR_SET_PDEATHSIG = 1


class BenchError(Exception):
    """A reason to stop that the person at the keyboard can act on."""


_libc = ctypes.CDLL(None)
_children = []


def _child_setup():
    """In the child: die with the parent, even one killed with -9, and have room for sessions."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def spawn(command, **kwargs):
    """Popen that stop_all() knows of. Its own session: an interrupt reaches this program only."""
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    child = subprocess.Popen(command, start_new_session=True, preexec_fn=_child_setup, **kwargs)
    _children.append(child)
    return child


def reap(child, term_s=20):
    """Ends a child: SIGTERM, then SIGKILL when it does not leave in term_s seconds."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(term_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    if child in _children:
        _children.remove(child)


def stop_all():
    """Kills whatever still runs; called on every way out."""
    for child in list(_children):
        if child.poll() is None:
            child.kill()
    for child in list(_children):
        child.wait()
    _children.clear()


def tail(path, size=1500):
    try:
        with open(path, errors="replace") as f:
            return f.read()[-size:].strip()
    except OSError:
        return ""


def free_port(port):
    """The first port from `port` on that can be bound, never the same one twice."""
    found = ports.free_port_from(port)
    if found is None:
        raise BenchError(f"no free port from {port} to {port + 199}: give another --port")
    return found


class Server:
    """One server: `name` for the tables, `directory` for its files, a port of its own."""

    warm_s = 0.0  # load before the first measurement (a JIT compiler wants it)
    checked = True  # its answers are real and are checked
    keeps_data = True  # it has a tree and a log to come back from

    def __init__(self, name, directory, port):
        self.name, self.directory, self.port = name, directory, free_port(port)
        self.child = None

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    @property
    def log(self):
        return os.path.join(self.directory, "server.log")

    @property
    def data(self):
        return os.path.join(self.directory, "data")

    @property
    def pid(self):
        return self.child.pid

    def command(self, config):
        raise NotImplementedError

    def config(self, **keys):
        """Writes zoo.cfg with further keys and returns its path."""
        os.makedirs(self.data, exist_ok=True)
        path = os.path.join(self.directory, "zoo.cfg")
        lines = {
            "tickTime": 2000,
            "dataDir": self.data,
            "clientPort": self.port,
            "clientPortAddress": "127.0.0.1",
            "maxClientCnxns": 0,
            "admin.enableServer": "false",
            **keys,
        }
        with open(path, "w") as f:
            f.writelines(f"{key}={value}\n" for key, value in lines.items())
        return path

    def erase(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self, zkbench, fresh=True, **keys):
        """Starts the server and waits until a session opens and a read works."""
        if fresh:
            self.erase()
        os.makedirs(self.directory, exist_ok=True)
        command = self.command(self.config(**keys))
        with open(self.log, "w") as log:
            self.child = spawn(command, stdout=log, stderr=log)
        waiter = spawn(
            [zkbench, "wait", "--hosts", self.host],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while waiter.poll() is None:
                if self.child.poll() is not None:
                    raise BenchError(
                        f"{self.name} ended with status {self.child.returncode} at its start:\n"
                        f"  {' '.join(command)}\n{tail(self.log)}"
                    )
                time.sleep(0.02)
            if waiter.returncode:
                raise BenchError(
                    f"{self.name} does not serve on {self.host} after 60 s:\n{tail(self.log)}"
                )
        finally:
            reap(waiter)

    def stop(self):
        if self.child:
            reap(self.child)
            self.child = None

    def memory_kb(self, field="VmRSS"):
        with open(f"/proc/{self.pid}/status") as f:
            for line in f:
                if line.startswith(field + ":"):
                    return int(line.split()[1])
        raise BenchError(f"{self.name}: no {field} in /proc/{self.pid}/status")


class Zokor(Server):
    def __init__(self, name, directory, port, binary):
        super().__init__(name, directory, port)
        self.binary = binary
        if not os.access(binary, os.X_OK):
            raise BenchError(f"no Zokor binary at {binary}: run ./dev build, or set ZOKOR_BIN")

    def command(self, config):
        return [self.binary, "server", config]


class Apache(Server):
    """Apache ZooKeeper as Debian's package `zookeeper` brings it."""

    warm_s = 6.0

    def __init__(self, name, directory, port):
        super().__init__(name, directory, port)
        reason = Apache.missing()
        if reason:
            raise BenchError(reason)

    @staticmethod
    def missing():
        """Why it cannot run here, or None."""
        if not shutil.which("java"):
            return "java is not installed"
        for jar in ("zookeeper", "zookeeper-jute", "slf4j-api"):
            if not os.path.exists(f"{JAVA_DIR}/{jar}.jar"):
                return f"{JAVA_DIR}/{jar}.jar is missing (Debian's package zookeeper)"
        return None

    def command(self, config):
        jars = (f"{JAVA_DIR}/{jar}.jar" for jar in JARS)
        return [
            "java",
            *os.environ.get("JVMFLAGS", "-Xmx2g").split(),
            "-Dzookeeper.admin.enableServer=false",
            "-cp",
            ":".join(jar for jar in jars if os.path.exists(jar)),
            "org.apache.zookeeper.server.quorum.QuorumPeerMain",
            config,
        ]


class Floor(Server):
    """limits: the wire behaviour and the synced log of such a server, and none of the work."""

    checked = False
    keeps_data = False

    def __init__(self, name, directory, port, limits):
        super().__init__(name, directory, port)
        self.limits = limits

    def command(self, config):
        log = os.path.join(self.directory, "floor.log")
        return [
            self.limits,
            "echo",
            str(self.port),
            "--log",
            log,
            "--sync",
            "thread",
            "--prealloc",
            "fallocate",
        ]
