"""The service: what the server tells a service manager, and the unit that the package carries."""
import os
import re
import shutil
import signal
import socket
import subprocess

import pytest
import server as server_module
import zkraw
from server import Server


class Manager:
    """What systemd is to a service of Type=notify."""

    def __init__(self, name):
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self.socket.settimeout(60)

    def next(self):
        return self.socket.recv(4096).decode()

    def close(self):
        self.socket.close()


@pytest.fixture(params=("path", "abstract"))
def manager(request, tmp_path):
    name = str(tmp_path / "notify") if request.param == "path" else "@zokor-test-%d" % os.getpid()
    it = Manager(name)
    yield it
    it.close()


@pytest.fixture(autouse=True)
def ours():
    if server_module.use_apache():
        pytest.skip("Apache's server does not notify")


def test_ready_and_stopping(manager, tmp_path):
    with Server(tmp_path / "server", env={"NOTIFY_SOCKET": manager.name}) as srv:
        assert manager.next() == "READY=1"
        with zkraw.Client(srv.port) as client:  # it is true
            assert client.exists("/").err == 0
        srv.process.send_signal(signal.SIGTERM)
        assert manager.next() == "STOPPING=1"
        assert srv.process.wait(60) == 0
        assert "server.notify" not in srv.log()


def test_not_ready_when_it_cannot_start(tmp_path):
    manager = Manager(str(tmp_path / "notify"))
    manager.socket.settimeout(0.2)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        srv = Server(tmp_path / "server", port=port, env={"NOTIFY_SOCKET": manager.name})
        with pytest.raises(server_module.ServerDied):
            with srv:
                pass
    with pytest.raises(socket.timeout):
        manager.next()
    manager.close()


def test_a_manager_that_is_not_there(tmp_path):
    """It serves all the same, and says so once."""
    with Server(tmp_path / "server", env={"NOTIFY_SOCKET": str(tmp_path / "nobody")}) as srv:
        with zkraw.Client(srv.port) as client:
            assert client.exists("/").err == 0
        assert srv.log().count("server.notify") == 1


@pytest.fixture
def unit(tmp_path):
    """The unit with paths that are there."""
    command = server_module.server_command()
    path = os.path.join(server_module.ROOT, "packaging", "systemd", "zokor.service.in")
    with open(path) as f:
        text = f.read()
    text = text.replace("@CMAKE_INSTALL_FULL_BINDIR@/zokor", command[0])
    text = text.replace("@CMAKE_INSTALL_FULL_SYSCONFDIR@", "/etc")
    text = re.sub("^Documentation=.*\n", "", text, flags=re.M)  # the pages are not installed
    assert "@" not in re.sub("@system-service|@privileged|@resources", "", text)
    out = tmp_path / "zokor.service"
    out.write_text(text)
    return str(out)


def analyze(*args):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    return subprocess.run(["systemd-analyze", *args], capture_output=True, text=True, timeout=60)


def test_the_unit_is_sound(unit):
    run = analyze("verify", unit)
    assert run.returncode == 0 and "zokor" not in run.stderr, run.stderr


def test_the_unit_is_hardened(unit):
    """10 is no protection at all; what remains is that it uses the network."""
    run = analyze("security", "--offline=true", "--threshold=20", "--no-pager", unit)
    assert run.returncode == 0, run.stdout[-3000:]


def filter_set(name):
    """The names in a set of system calls, with those of the sets in it."""
    found = set()
    for word in analyze("syscall-filter", name).stdout.split("\n"):
        word = word.strip()
        if word.startswith("@") and word != name:
            found |= filter_set(word)
        elif re.fullmatch(r"\w+", word):
            found.add(word)
    return found


def test_the_filter_lets_the_server_work(unit, tmp_path):
    """No systemd runs here that would enforce the filter: what the server really calls is compared with it."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    with open(unit) as f:
        rules = re.findall(r"^SystemCallFilter=(.*)$", f.read(), re.M)
    allowed = set()
    for rule in rules:  # each adds to what was allowed before it, or takes away
        for word in rule.lstrip("~").split():
            names = filter_set(word) if word.startswith("@") else {word}
            allowed = allowed - names if rule.startswith("~") else allowed | names
    assert {"openat", "fdatasync"} <= allowed and "mount" not in allowed
    trace = tmp_path / "trace"
    port = server_module.free_port()
    with Server(
        tmp_path / "server",
        wrapper=["strace", "-f", "-qq", "-o", str(trace)],
        extra=["admin.serverAddress=127.0.0.1", "admin.serverPort=%d" % port, "snapCount=20"],
        props={"zookeeper.admin.enableServer": "true", "zokor.net.threads": "2"},
        env={"NOTIFY_SOCKET": "@zokor-nobody-is-there"},
    ) as srv:
        with zkraw.Client(srv.port) as client:
            for i in range(50):
                assert client.create("/n%d" % i, b"x" * 1000).err == 0
        srv.four_letter("mntr")
        with socket.create_connection(("127.0.0.1", port)) as http:
            http.sendall(b"GET /commands/monitor HTTP/1.0\r\n\r\n")
            assert b"200" in http.makefile("rb").readline()
        pid = subprocess.run(["pgrep", "-P", str(srv.process.pid)], capture_output=True, text=True).stdout.split()[0]
        os.kill(int(pid), signal.SIGTERM)
        assert srv.process.wait(60) == 0
    with open(trace) as f:
        called = set(re.findall(r"^\d+ +(\w+)\(", f.read(), re.M))
    assert {"fdatasync", "epoll_wait", "sendto"} & called and "openat" in called
    # The limit of open files is raised where that is allowed; the unit sets it itself.
    refused = called - allowed - {"prlimit64", "setrlimit"}
    assert not refused
