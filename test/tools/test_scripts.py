"""The scripts with the names of Apache's, verb by verb, and zokor purge, init and status under them."""
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading

import pytest
from conftest import ENVIRONMENT, GOLDEN, ROOT
from server import Server, free_port

SCRIPTS = os.path.join(ROOT, "scripts")
SMALL = os.path.join(GOLDEN, "snapshots", "3.8.0", "snapshot.3c")


class Place:
    """A configuration directory of its own, and the scripts run on it."""

    def __init__(self, path, zokor, lines=()):
        self.path = path
        self.port = free_port()
        self.zokor = zokor
        self.conf = path / "conf"
        self.data = path / "data"
        self.conf.mkdir()
        self.write("tickTime=2000", "dataDir=%s" % self.data, "clientPort=%d" % self.port,
                   "clientPortAddress=127.0.0.1", "admin.enableServer=false", *lines)

    def write(self, *lines):
        (self.conf / "zoo.cfg").write_text("".join(line + "\n" for line in lines))

    def run(self, script, *args, env=None, config=True, seconds=60):
        words = [os.path.join(SCRIPTS, script)]
        if config:
            words += ["--config", str(self.conf)]
        return subprocess.run(
            [*words, *map(str, args)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds,
            env={**ENVIRONMENT, "ZOKOR": self.zokor, "ZOO_LOG_DIR": str(self.path / "logs"), **(env or {})})

    def server(self, *args, env=None):
        return self.run("zkServer.sh", *args, env=env)

    def pid(self, name="zookeeper_server.pid"):
        return int((self.data / name).read_text())


@pytest.fixture
def place(tmp_path, zokor):
    made = Place(tmp_path, zokor)
    yield made
    for file in (made.data / "zookeeper_server.pid", tmp_path / "run" / "own.pid"):
        if file.exists():
            try:
                os.kill(int(file.read_text()), signal.SIGKILL)
            except ProcessLookupError:
                pass


def test_start_status_restart_stop(place):
    run = place.server("start")
    assert (run.returncode, run.stdout) == (0, "Starting zookeeper ... STARTED\n"), run.stderr
    assert run.stderr == "Using config: %s/zoo.cfg\n" % place.conf
    first = place.pid()
    run = place.server("start")
    assert (run.returncode, run.stdout) == (1, "Starting zookeeper ... already running as process %d.\n" % first)
    run = place.server("status")
    assert run.returncode == 0, run.stdout
    assert run.stdout == ("Client port found: %d. Client address: 127.0.0.1. Client SSL: false.\nMode: standalone\n"
                          % place.port)
    run = place.server("restart")
    assert (run.returncode, run.stdout) == (0, "Stopping zookeeper ... STOPPED\nStarting zookeeper ... STARTED\n")
    assert place.pid() != first
    run = place.server("stop")
    assert (run.returncode, run.stdout) == (0, "Stopping zookeeper ... STOPPED\n")
    run = place.server("stop")
    assert (run.returncode, run.stdout) == (
        0, "Stopping zookeeper ... no zookeeper to stop (could not find file %s/zookeeper_server.pid)\n" % place.data)
    run = place.server("status")
    assert run.returncode == 1 and run.stdout.endswith("Error contacting service. It is probably not running.\n")


def test_the_environment_is_honoured(place, tmp_path):
    """Another file, another pid file, properties for the server: by name, by path, and from java.env."""
    other = place.conf / "other.cfg"
    shutil.move(place.conf / "zoo.cfg", other)
    pid_file = tmp_path / "run" / "own.pid"
    (place.conf / "java.env").write_text('SERVER_JVMFLAGS="-Xmx1g -Dzookeeper.4lw.commands.whitelist=ruok,srvr,conf"\n')
    env = {"ZOOCFG": "other.cfg", "ZOOPIDFILE": str(pid_file), "JVMFLAGS": "-Dzookeeper.maxCnxns=77"}
    run = place.server("start", env=env)
    assert run.stdout == "Starting zookeeper ... STARTED\n", run.stderr
    assert pid_file.exists() and not (place.data / "zookeeper_server.pid").exists()
    told = subprocess.run([place.zokor, "status", "127.0.0.1", str(place.port), "conf"], capture_output=True, text=True,
                          timeout=60, env=ENVIRONMENT).stdout
    assert "clientPort=%d" % place.port in told
    assert place.server("status", str(other), env={"ZOOPIDFILE": str(pid_file)}).returncode == 0
    run = place.server("stop", "other.cfg", env={"ZOOPIDFILE": str(pid_file)})
    assert run.stdout == "Stopping zookeeper ... STOPPED\n" and not pid_file.exists()
    logs = list((place.path / "logs").glob("zookeeper-*-server-*.out"))
    assert len(logs) == 1 and "server.stopped" in logs[0].read_text()


def test_a_start_that_fails_says_why(place):
    place.write("dataDir=%s" % place.data, "clientPort=%d" % place.port, "tickTime=soon")
    run = place.server("start")
    assert (run.returncode, run.stdout) == (1, "Starting zookeeper ... FAILED TO START\n")
    assert "tickTime: 'soon' is not a number" in run.stderr
    assert not (place.data / "zookeeper_server.pid").exists()


def test_a_stale_pid_file(place):
    place.data.mkdir()
    dead = subprocess.Popen(["true"])
    dead.wait()
    (place.data / "zookeeper_server.pid").write_text(str(dead.pid))
    run = place.server("start")
    assert run.stdout == "Starting zookeeper ... STARTED\n"
    assert place.server("stop").returncode == 0


def test_start_foreground_ends_in_order(place):
    env = {**ENVIRONMENT, "ZOKOR": place.zokor, "ZOO_LOG_DIR": str(place.path / "logs")}
    p = subprocess.Popen([SCRIPTS + "/zkServer.sh", "--config", str(place.conf), "start-foreground"], env=env,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in p.stdout:
        if "server.started" in line:
            break
    p.terminate()
    rest = p.stdout.read()
    assert p.wait(60) == 0 and "server.stopped" in rest


def test_what_is_missing_is_fatal_if_asked(place):
    run = place.server("start", env={"ZOO_DATADIR_AUTOCREATE_DISABLE": "1"})
    assert run.returncode == 1
    assert run.stdout == ("ZooKeeper data directory is missing at %s fix the path or run initialize\n" % place.data)


def test_words_without_a_server(place):
    run = place.server("version")
    assert run.returncode == 0 and "compatible with Apache ZooKeeper 3.9.5" in run.stdout
    run = place.server("print-cmd")
    assert run.returncode == 0 and run.stdout.startswith("%s server %s/zoo.cfg > " % (place.zokor, place.conf))
    run = place.server("begin")
    assert run.returncode == 0 and "{start|start-foreground|stop|version|restart|status|print-cmd}" in run.stderr


@pytest.mark.parametrize("lines,said", [
    (["server.1=127.0.0.1:1:2;127.0.0.1:{port}"], "Client port found: {port}. Client address: 127.0.0.1. "),
    (["server.1=127.0.0.1:1:2;{port}"], "Client port found: {port}. Client address: localhost. "),
    (["server.1=h:1:2;[::1]:{port}"], "Client port found: {port}. Client address: ::1. "),
    (["dynamicConfigFile={conf}/dyn"], "Client port not found in static config file. Looking in dynamic config file.\n"
                                      "Client port found: {port}. Client address: localhost. "),
    (["secureClientPort={port}"], "Client port found: {port}. Client address: localhost. Client SSL: true."),
    ([], "Unable to find either secure or unsecure client port in any configs. Terminating.\n"),
])
def test_status_finds_the_port(place, lines, said):
    names = {"port": place.port, "conf": place.conf}
    (place.conf / "dyn").write_text("server.1=127.0.0.1:1:2:participant;%d\n" % place.port)
    place.data.mkdir()
    (place.data / "myid").write_text("1\n")
    place.write("dataDir=%s" % place.data, *(line.format(**names) for line in lines))
    run = place.server("status")
    assert run.returncode == 1 and said.format(**names) in run.stdout, run.stdout


DEBIANS = "/usr/share/zookeeper/bin/zkServer.sh"


@pytest.mark.skipif(not os.path.exists(DEBIANS), reason="Debian's package zookeeper (its scripts) is not installed")
@pytest.mark.skipif(shutil.which("java") is None, reason="java is not installed")
@pytest.mark.parametrize("verb", ["stop", "status", "begin"])
@pytest.mark.parametrize("lines", [
    ["clientPort={port}"], ["clientPort={port}", "clientPortAddress=127.0.0.1"],
    ["server.1=127.0.0.1:1:2;127.0.0.1:{port}"], ["server.1=h:1:2;[::1]:{port}"],
    ["dynamicConfigFile={conf}/dyn"], ["secureClientPort={port}"], ["secureClientPort={port}",
                                                                    "secureClientPortAddress=127.0.0.1"], []])
def test_words_and_status_are_those_of_debians_script(place, verb, lines):
    """Where no server runs: Debian's script takes no configuration directory, so both get the file by its path."""
    (place.conf / "dyn").write_text("server.1=127.0.0.1:1:2:participant;%d\n" % place.port)
    place.data.mkdir()
    (place.data / "myid").write_text("1\n")
    place.write("dataDir=%s" % place.data, *(x.format(port=place.port, conf=place.conf) for x in lines))
    ours = place.run("zkServer.sh", verb, place.conf / "zoo.cfg", config=False)
    theirs = subprocess.run([DEBIANS, verb, str(place.conf / "zoo.cfg")], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, timeout=120, env={**ENVIRONMENT, "JMXDISABLE": "true"})
    assert ours.returncode == theirs.returncode, (ours.stdout, theirs.stdout)

    def essence(text):
        """A TLS client of Java's has other properties to be told of."""
        return [x.split() for x in text.splitlines() if x.strip() and "-Dzookeeper." not in x]

    assert essence(ours.stdout) == essence(theirs.stdout)


def test_scripts_are_sound():
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    found = [os.path.join(SCRIPTS, name) for name in sorted(os.listdir(SCRIPTS))]
    run = subprocess.run(["shellcheck", "-S", "warning", *found], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout


# ---- init ----


def test_initialize(place):
    place.write("dataDir = %s" % place.data, "dataLogDir=%s" % (place.path / "log"), "clientPort=%d" % place.port)
    run = place.run("zkServer-initialize.sh", "--myid=3")
    assert (run.returncode, run.stdout) == (0, "Using myid of 3\n"), run.stderr
    assert (place.data / "myid").read_text() == "3\n" and (place.data / "initialize").exists()
    assert (place.data / "version-2").is_dir() and (place.path / "log" / "version-2").is_dir()
    (place.data / "version-2" / "snapshot.7").write_text("precious")
    run = place.run("zkServer-initialize.sh", "--myid=4")
    assert (run.returncode, run.stdout) == (
        1, "ZooKeeper data directory already exists at %s (or use --force to force re-initialization)\n" % place.data)
    assert (place.data / "version-2" / "snapshot.7").exists() and (place.data / "myid").read_text() == "3\n"
    run = place.run("zkServer-initialize.sh", "--force")
    assert run.returncode == 0 and "Force enabled, data/txnlog directories will be re-initialized" in run.stdout
    assert "No myid provided, be sure to specify it in %s/myid if using non-standalone" % place.data in run.stdout
    assert list((place.data / "version-2").iterdir()) == [] and not (place.data / "myid").exists()


def test_initialize_spares_a_running_server(place):
    with Server(place.path / "srv", port=place.port, data_dir=place.data) as srv:
        run = place.run("zkServer-initialize.sh", "--force")
        assert run.returncode == 1 and "a server works on this directory" in run.stderr
        assert srv.running() and (place.data / "version-2" / "snapshot.0").exists()


@pytest.mark.parametrize("args,status,text", [
    (["--configfile=/nonexistent"], 1, "Unable to find config file at /nonexistent"), (["--myid=300"], 2, "0 to 255"),
    (["--myid=x"], 2, "'x'"), (["--frobnicate"], 2, "--frobnicate"), (["more"], 2, "'more'"), (["-h"], 0, "usage:")])
def test_initialize_arguments(tool, args, status, text):
    run = tool("init", *args)
    assert run.returncode == status and text in (run.stdout + run.stderr).decode()


def test_a_member_needs_no_other_preparation(place, zokor):
    """What init made is enough for a server that must not make anything by itself."""
    assert place.run("zkServer-initialize.sh").returncode == 0
    with Server(place.path / "srv", port=place.port, data_dir=place.data,
                props={"zookeeper.datadir.autocreate": "false", "zookeeper.db.autocreate": "false"}) as srv:
        assert srv.zxid() == 0


# ---- purge ----


def fill(directory):
    version = directory / "version-2"
    version.mkdir(parents=True)
    for zxid in (0, 5, 6, 7, 8):
        shutil.copy(SMALL, version / ("snapshot.%x" % zxid))
        shutil.copy(os.path.join(GOLDEN, "small", "version-2", "log.1"), version / ("log.%x" % (zxid or 1)))
    for file in version.iterdir():
        file.chmod(stat.S_IRUSR | stat.S_IWUSR)
        os.utime(file, (1795265867, 1795265867))
    return version


def test_purge_is_apaches(tool, apache, tmp_path):
    ours, theirs = fill(tmp_path / "ours"), fill(tmp_path / "theirs")
    run = tool("purge", tmp_path / "ours", "-n", "3")
    their = apache("PurgeTxnLog", tmp_path / "theirs", "-n", "3")
    assert run.returncode == their.returncode == 0
    assert sorted(os.listdir(ours)) == sorted(os.listdir(theirs))
    assert sorted(run.stdout.replace(b"/ours/", b"/theirs/").splitlines()) == sorted(their.stdout.splitlines())


@pytest.mark.parametrize("args", [[], ["{dir}"], ["{dir}", "-n", "2"], ["{dir}", "-n", "x"],
                                  ["{dir}", "{dir}", "{dir}"],
                                  ["/nonexistent", "-n", "3"], ["{dir}", "-n"]])
def test_purge_refuses(tool, tmp_path, args):
    version = fill(tmp_path)
    run = tool("purge", *(a.format(dir=tmp_path) for a in args))
    assert run.returncode == 1 and b"should be greater than or equal to 3" in run.stdout
    assert len(os.listdir(version)) == 10


def test_cleanup_takes_directories_from_the_configuration(place):
    fill(place.data)
    run = place.run("zkCleanup.sh", "-n", "4")
    assert run.returncode == 0 and run.stdout.count("Removing file: Nov 21, 2026, 12:57:47 PM\t") == 2, run.stdout
    assert sorted(p.name for p in (place.data / "version-2").glob("snapshot.*")) == ["snapshot.5", "snapshot.6",
                                                                                  "snapshot.7", "snapshot.8"]
    assert place.run("zkCleanup.sh", "-n", "2").returncode == 1


# ---- the others ----


def test_thin_names(place, tool):
    log = os.path.join(GOLDEN, "small", "version-2", "log.1")
    for script, args, same in (
            ("zkTxnLogToolkit.sh", ["-d", log], ["log", "toolkit", "-d", log]),
            ("zkSnapShotToolkit.sh", ["-d", SMALL], ["snap", "show", "-d", SMALL]),
            ("zkSnapshotRecursiveSummaryToolkit.sh", [SMALL, "/", "2"], ["snap", "summary", SMALL, "/", "2"])):
        run = place.run(script, *args, config=False)
        assert run.returncode == 0 and run.stdout.encode() == tool(*same).stdout and run.stdout != ""
    run = place.run("zkSnapshotComparer.sh", "-l", SMALL, "-r", SMALL, "-b", "0", "-n", "0", config=False)
    assert run.returncode == 0 and run.stdout.endswith("All layers compared.\n")


def test_scripts_are_found_through_links(place, tmp_path):
    os.symlink(os.path.join(SCRIPTS, "zkServer.sh"), tmp_path / "zkServer")
    run = subprocess.run([tmp_path / "zkServer", "version"], capture_output=True, text=True, timeout=60,
                         env={**ENVIRONMENT, "ZOKOR": place.zokor})
    assert run.returncode == 0 and "zokor" in run.stdout


# ---- status ----


def test_status_asks(tool, tmp_path):
    with Server(tmp_path) as srv:
        for words in ([srv.cfg], [srv.hosts], ["127.0.0.1", srv.port], ["localhost", srv.port, "srvr", "false"]):
            run = tool("status", *words)
            assert run.returncode == 0 and b"Mode: standalone\n" in run.stdout, (words, run.stderr)
        assert tool("status", "127.0.0.1", srv.port, "ruok").stdout == b"imok"
        assert tool("status", "127.0.0.1", srv.port, "ruok", "secure", seconds=60).returncode == 1
    run = tool("status", srv.hosts)
    assert run.returncode == 1 and b"Error contacting service. It is probably not running." in run.stderr
    assert tool("status", "a", "b", "toolong").returncode == 2


def test_status_of_several(tool, tmp_path):
    with Server(tmp_path / "a") as a, Server(tmp_path / "b") as b:
        run = tool("status", "%s,[127.0.0.1]:%d,%s" % (a.hosts, a.port, b.hosts))
        rows = run.stdout.decode().splitlines()
        assert run.returncode == 0 and rows[0].split()[:4] == ["server", "mode", "zxid", "connections"]
        assert rows[1].split()[:3] == [a.hosts, "standalone", "0x0"]
        assert [row.split()[1] for row in rows[1:]] == ["standalone"] * 3
        b.stop()
        run = tool("status", a.hosts + "," + b.hosts)
        assert run.returncode == 1 and b"Connection refused" in run.stdout.splitlines()[2]
    assert tool("status", "a:1,b").returncode == 2


def test_status_over_tls(tool, tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key = tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(tmp_path / "k"), "-out",
                    str(tmp_path / "c"), "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True, timeout=60)
    key.write_text((tmp_path / "k").read_text() + (tmp_path / "c").read_text())
    port = free_port()
    lines = ["secureClientPort=%d" % port, "ssl.keyStore.location=%s" % key, "ssl.clientAuth=none",
             "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory"]
    with Server(tmp_path / "srv", extra=lines):
        trust = "-Dzookeeper.ssl.trustStore.location=%s" % (tmp_path / "c")
        run = tool("status", trust, "localhost", port, "srvr", "secure")
        assert run.returncode == 0 and b"Mode: standalone\n" in run.stdout, run.stderr
        run = tool("status", "127.0.0.1", port, "srvr", "true", env={"CLIENT_JVMFLAGS": "-Dfoo=1 " + trust})
        assert run.returncode == 0, run.stderr
        run = tool("status", "localhost", port, "srvr", "secure")
        assert run.returncode == 1 and b"certificate" in run.stderr


# ---- start, stop, restart ----


@pytest.fixture
def background(tool, tmp_path):
    """background(verb, ...): zokor VERB of one server; it is killed at the end."""
    port, data = free_port(), tmp_path / "data"

    def run(verb, *args):
        run = tool(verb, "-Dzookeeper.admin.enableServer=false", *args, port, data)
        return run.returncode, run.stdout.decode(), run.stderr.decode()

    run.port, run.data = port, data
    yield run
    if (data / "zookeeper_server.pid").exists():
        os.kill(int((data / "zookeeper_server.pid").read_text()), signal.SIGKILL)


def test_in_the_background(background, tool):
    assert background("stop") == (0, "Stopping zookeeper ... no zookeeper to stop (could not find file %s"
                                  "/zookeeper_server.pid)\n" % background.data, "")
    assert background("start") == (0, "Starting zookeeper ... STARTED\n", "")
    assert b"Mode: standalone" in tool("status", "127.0.0.1:%d" % background.port).stdout, "it listens by now"
    first = int((background.data / "zookeeper_server.pid").read_text())
    status, said, _ = background("start")
    assert (status, said) == (1, "Starting zookeeper ... already running as process %d.\n" % first)
    status, _, why = background("start", "--pidfile=%s/other.pid" % background.data)
    assert status == 1 and "listens on the client port already" in why
    assert background("restart") == (0, "Stopping zookeeper ... STOPPED\nStarting zookeeper ... STARTED\n", "")
    assert int((background.data / "zookeeper_server.pid").read_text()) != first
    assert background("stop") == (0, "Stopping zookeeper ... STOPPED\n", "")
    assert (background.data / "zokor.log").read_text().count("server.stopped exit=0") == 2
    assert not (background.data / "zookeeper_server.pid").exists()


def test_a_background_start_that_fails(background):
    background.data.mkdir()
    (background.data / "version-2").mkdir()
    (background.data / "version-2" / "log.1").write_bytes(b"no log")
    status, said, why = background("start")
    assert (status, said) == (1, "Starting zookeeper ... FAILED TO START\n") and "zokor log repair" in why
    assert not (background.data / "zookeeper_server.pid").exists()
    status, _, why = background("start", "--wait", "soon")
    assert status == 2 and "'soon' is not a number of seconds" in why


def test_stop_spares_a_stranger(background):
    """The number in a stale file may be somebody else's by now."""
    background.data.mkdir()
    stranger = subprocess.Popen(["sleep", "1000"])
    try:
        (background.data / "zookeeper_server.pid").write_text(str(stranger.pid))
        assert background("stop") == (0, "Stopping zookeeper ... STOPPED\n", "")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_stop_ends_a_java_server(background):
    """What Apache's zkServer.sh has started has its number in the same file."""
    background.data.mkdir()
    words = ["java", "-c", "import time; time.sleep(1000)", "-cp", "x.jar:" * 4000]
    words += ["org.apache.zookeeper.server.quorum.QuorumPeerMain", "zoo.cfg"]
    java = subprocess.Popen(words, executable=sys.executable)
    try:
        (background.data / "zookeeper_server.pid").write_text(str(java.pid))
        status, said, _ = background("start")
        assert (status, said) == (1, "Starting zookeeper ... already running as process %d.\n" % java.pid)
        # It is a child of this test, which sees to it that it does not stay a zombie.
        reaper = threading.Thread(target=java.wait)
        reaper.start()
        assert background("stop") == (0, "Stopping zookeeper ... STOPPED\n", "")
        reaper.join(60)
        assert java.returncode == -signal.SIGTERM
    finally:
        java.kill()
        java.wait()
