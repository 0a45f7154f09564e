"""Starts the server under test for every test folder of the project.

Which server runs is decided by the environment:

    ZOKOR_BIN            path of the binary; default: build/release/zokor, then build/zokor
    ZOKOR_TEST_APACHE=1  Apache ZooKeeper of Debian's package instead (java and its jars are needed)
    APACHE_CP            class path put before Debian's jars, to test another Apache version
    ZOKOR_TEST_PORTS     "first-last": take ports from this range only (ports.py)
    ZOKOR_TEST_ARGS      extra -Dkey=value arguments for every server started (blank separated)

Other folders use it like this:

    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "interop"))
    from server import Server

    with Server(tmp_path, extra=["maxClientCnxns=3"], props={"zookeeper.skipACL": "yes"}) as srv:
        ...                     # srv.port, srv.four_letter("srvr"), srv.log(), srv.data_dir
        srv.kill()              # SIGKILL; what the kernel has not been given is lost
        srv.start()             # same directory, same port
        srv.stop()              # SIGTERM; returns the exit status
"""
import contextlib
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import time

from ports import free_port  # noqa: F401: who uses servers finds both here

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
START_SECONDS = float(os.environ.get("ZOKOR_TEST_START_S", "60"))

# Sessions of tests last so long if nobody ends them: longer than a test takes on any machine.
LONGEST_MS = 600000

# What a server writes before it dies of a mistake of its own.
DAMAGE = ("Sanitizer:", "runtime error:", "base.assert")

# Containers, TTL nodes and the four-letter words are switched off by default in both servers, the admin port is on.
BASE_PROPS = {
    "zookeeper.extendedTypesEnabled": "true",
    "zookeeper.4lw.commands.whitelist": "*",
    "zookeeper.admin.enableServer": "false",
}


def use_apache():
    return os.environ.get("ZOKOR_TEST_APACHE", "") not in ("", "0")


def missing_java():
    """Why the Java tests cannot run here, or None."""
    if shutil.which(os.environ.get("JAVA", "java")) is None:
        return "java is not installed"
    if not os.path.exists("/usr/share/java/zookeeper.jar"):
        return "Debian's package libzookeeper-java is not installed"
    return None


@contextlib.contextmanager
def servers_of(kind):
    """Servers started inside are ours ("ours") or Apache's ("apache"), whatever the environment says."""
    before = os.environ.get("ZOKOR_TEST_APACHE", "")
    os.environ["ZOKOR_TEST_APACHE"] = "1" if kind == "apache" else ""
    try:
        yield
    finally:
        os.environ["ZOKOR_TEST_APACHE"] = before


def server_command():
    """The program to run, as a list, or None when the server under test is not there."""
    if use_apache():
        if shutil.which(os.environ.get("JAVA", "java")) is None:
            return None
        if not os.environ.get("APACHE_CP") and not os.path.exists("/usr/share/java/zookeeper.jar"):
            return None
        return [os.path.join(HERE, "apache-server")]
    named = os.environ.get("ZOKOR_BIN")
    if named:
        return [os.path.abspath(named)]
    for path in ("build/release/zokor", "build/zokor"):
        path = os.path.join(ROOT, path)
        if os.access(path, os.X_OK):
            return [path]
    return None


# Servers that were started and that no test has ended since, by the order of their starts.
_STARTED = []

# How many servers of Apache's were started.
_APACHE_STARTS = [0]

# Of mntr: what is 0, and the many figures of times.
DULL = re.compile(r"\t0(\.0)?$|^zk_(avg|min|max|cnt|sum|p\d+)_")
LAST_LINES = 40
LONGEST_LINE = 400


def tell_of_failure(servers=None):
    """What these servers (default: all that tests have left running) say of themselves, for the report of a failed
    test.
    """
    return "\n".join(one.report() for one in (_STARTED if servers is None else servers))


def apaches():
    """Servers of Apache's that were started and that no test has ended since; `fixtures` are those that did it."""
    return [one for one in _STARTED if one.is_apache]


def apache_starts():
    return _APACHE_STARTS[0]


def _has_header(path):
    with open(path, "rb") as f:
        return len(f.read(16).rstrip(b"\0")) > 4


class ServerDied(Exception):
    """The process ended before it answered; the message carries the end of its log."""


class Server:
    """One server process with its own directory. Not started until start() or `with`.

    directory  gets zoo.cfg, data/ and log; made if missing; another Server may take it over later
    extra      further lines of zoo.cfg
    props      -D arguments in addition to BASE_PROPS; a value of None takes a base property away
    env        additions to the environment
    cfg_text   the whole of zoo.cfg, instead of the generated one (then give port and data_dir)
    wrapper    words put before the command (for instance ["strace", "-f"])
    """

    def __init__(
        self,
        directory,
        extra=(),
        props=None,
        port=None,
        tick_ms=2000,
        env=None,
        cfg_text=None,
        wrapper=(),
        data_dir=None,
    ):
        self.directory = str(directory)
        self.port = port or free_port()
        self.data_dir = str(data_dir or os.path.join(self.directory, "data"))
        self.cfg = os.path.join(self.directory, "zoo.cfg")
        self.log_path = os.path.join(self.directory, "log")
        self.extra = list(extra)
        self.props = dict(BASE_PROPS)
        self.props.update(props or {})
        self.tick_ms = tick_ms
        self.env = env or {}
        self.cfg_text = cfg_text
        self.wrapper = list(wrapper)
        self.process = None
        self.is_apache = False  # known once it has been started
        self.fixtures = []

    def write_cfg(self):
        os.makedirs(self.directory, exist_ok=True)
        os.makedirs(self.data_dir, exist_ok=True)
        text = self.cfg_text
        if text is None:
            lines = {
                "tickTime": str(self.tick_ms),
                "dataDir": self.data_dir,
                "clientPort": str(self.port),
                "clientPortAddress": "127.0.0.1",
                "maxClientCnxns": "0",
                "reconfigEnabled": "true",
            }
            more = []
            for line in self.extra:
                key, _, value = line.partition("=")
                if key in lines:
                    lines[key] = value
                else:
                    more.append(line)
            text = "".join("%s=%s\n" % kv for kv in lines.items()) + "".join(x + "\n" for x in more)
        with open(self.cfg, "w") as f:
            f.write(text)

    def command(self):
        program = server_command()
        if program is None:
            raise RuntimeError(
                "no server to test: set ZOKOR_BIN, or ZOKOR_TEST_APACHE=1 with java installed"
            )
        props = ["-D%s=%s" % kv for kv in sorted(self.props.items()) if kv[1] is not None]
        props += os.environ.get("ZOKOR_TEST_ARGS", "").split()
        return self.wrapper + program + ["server"] + props + [self.cfg]

    def spawn(self):
        """Starts the process without waiting for an answer."""
        assert self.process is None or self.process.poll() is not None, "already running"
        self.write_cfg()
        command = self.command()
        self.is_apache = any(os.path.basename(word) == "apache-server" for word in command)
        _APACHE_STARTS[0] += self.is_apache
        if self not in _STARTED:
            _STARTED.append(self)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env={**os.environ, **self.env},
            )
        return self

    def start(self, wait=True):
        self.spawn()
        if wait:
            self.wait_serving()
        return self

    def wait_serving(self, seconds=START_SECONDS):
        """Returns once the server answers `srvr` as one that serves."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise ServerDied(
                    "exit status %s\n%s" % (self.process.returncode, self.log()[-4000:])
                )
            try:
                if b"Mode: " in self.four_letter("srvr", 1):
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise TimeoutError("no answer in %s s\n%s" % (seconds, self.log()[-4000:]))

    def running(self):
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self):
        return self.process.pid

    def signal(self, number):
        self.process.send_signal(number)

    def _ended(self):
        if self in _STARTED:
            _STARTED.remove(self)

    def stop(self, seconds=60):
        """SIGTERM and wait; the exit status, negative for a signal."""
        self._ended()
        if self.running():
            self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def kill(self):
        self._ended()
        if self.running():
            if self.is_apache:
                self._freeze_whole()
            self.signal(signal.SIGKILL)
        return self.wait()

    def stands_still(self):
        """Every thread has taken notice of SIGSTOP: until then it may still read what comes."""
        tasks = "/proc/%d/task" % self.pid
        states = set()
        for task in os.listdir(tasks):
            with open("%s/%s/stat" % (tasks, task)) as f:
                states.add(f.read().rpartition(")")[2].split()[0])
        return states <= {"T", "Z"}

    def _freeze_whole(self):
        """Stops it at a moment when each of its logs has a header: Apache's does not start on one that is empty."""
        deadline = time.monotonic() + 60
        while self.running() and time.monotonic() < deadline:
            self.signal(signal.SIGSTOP)
            try:
                while self.running() and not self.stands_still() and time.monotonic() < deadline:
                    time.sleep(0.001)
                if all(_has_header(name) for name in glob.glob(os.path.join(self.data_dir, "version-2", "log.*"))):
                    return
            except OSError:  # a thread or a file has gone meanwhile
                pass
            self.signal(signal.SIGCONT)
            time.sleep(0.01)

    def wait(self, seconds=60):
        if self.process is None:
            return None
        try:
            status = self.process.wait(seconds)
            self._ended()  # as the test has seen
            return status
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(60)
            raise

    def restart(self, kill=False):
        self.kill() if kill else self.stop()
        return self.start()

    def log(self):
        try:
            with open(self.log_path, errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def check_log(self):
        """Fails when a sanitizer, or an assertion of the server, has spoken."""
        for line in self.log().splitlines():
            assert not any(sign in line for sign in DAMAGE), "%s\n%s" % (line, self.log()[-8000:])

    def _state(self):
        """Runs, sleeps, was stopped by a signal, or has ended."""
        if self.process is None:
            return "never started"
        if not self.running():
            return "ended with status %d" % self.process.returncode
        try:
            with open("/proc/%d/status" % self.pid) as f:
                return "pid %d, %s" % (self.pid, next((x.strip() for x in f if x.startswith("State")), "no state"))
        except OSError as e:
            return "pid %d, %s" % (self.pid, e)

    def report(self):
        """How it is, in lines for people: its state, its answers to srvr and mntr, the end of its log. Never fails."""
        lines = ["---- %s %s: %s" % (type(self).__name__, self.directory, self._state())]
        for word in ("srvr", "mntr") if self.running() else ():
            try:
                answer = self.four_letter(word, 3).decode(errors="replace").splitlines()
                said = [x for x in answer if not DULL.search(x)]
                lines.append("%s: %s" % (word, "; ".join(x.replace("\t", "=") for x in said)))
            except OSError as e:
                lines.append("%s: no answer from port %d: %s" % (word, self.port, e))
                break
        log = self.log().splitlines()
        lines.append("the last of %d lines of %s:" % (len(log), self.log_path))
        return "\n".join(lines + ["  " + x[:LONGEST_LINE] for x in log[-LAST_LINES:]])

    def four_letter(self, word, seconds=60):
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as s:
            s.sendall(word.encode() if isinstance(word, str) else word)
            out = b""
            while True:
                piece = s.recv(65536)
                if not piece:
                    return out
                out += piece

    def srvr(self, seconds=60):
        """The answer of `srvr` as a dict of its `key: value` lines."""
        text = self.four_letter("srvr", seconds).decode()
        return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)

    def zxid(self):
        return int(self.srvr()["Zxid"], 16)

    def is_38(self):
        """True for a reference server older than 3.9: some behaviours differ, and the tests say
        which.
        """
        if not use_apache():
            return False
        version = self.srvr()["Zookeeper version"]
        major, minor = (int(x) for x in version.split(".")[:2])
        return (major, minor) < (3, 9)

    @property
    def hosts(self):
        return "127.0.0.1:%d" % self.port

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        if exc[0] is not None:
            print(tell_of_failure([self]))
        # SIGKILL is always enough: what is thrown away is a temporary directory.
        self.kill()
        if exc[0] is None:
            self.check_log()
