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
