"""Apache's command line client, zkCli.sh of Debian's package zookeeper, against the server."""
import os
import queue
import re
import shutil
import subprocess
import threading
import time

import pytest

import server
import zkraw

ZKCLI = next(
    (
        p
        for p in (os.environ.get("ZKCLI", ""), "/usr/share/zookeeper/bin/zkCli.sh")
        if p and os.path.exists(p)
    ),
    shutil.which("zkCli.sh"),
)
REASON = server.missing_java() or (
    None if ZKCLI else "Debian's package zookeeper (zkCli.sh) is not installed"
)
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

MARK = "=end of the command="
STAT = [
    "cZxid",
    "ctime",
    "mZxid",
    "mtime",
    "pZxid",
    "cversion",
    "dataVersion",
    "aclVersion",
    "ephemeralOwner",
    "dataLength",
    "numChildren",
]


class ZkCli:
    """An interactive zkCli.sh fed by a pipe. The end of a command's output is found by reading a
    node with MARK in it.
    """

    def __init__(self, hosts, seconds=60):
        self.seconds = seconds
        self.process = subprocess.Popen(
            [ZKCLI, "-server", hosts],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
            encoding="utf-8",
            env=dict(
                os.environ,
                JVMFLAGS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC "
                "-Dfile.encoding=UTF-8 -Dsun.stdout.encoding=UTF-8",
            ),
        )
        self.lines = queue.Queue()
        threading.Thread(target=self._pump, daemon=True).start()
        self.events = []

    def _pump(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def send(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def line(self):
        line = self.lines.get(timeout=self.seconds)
        assert line is not None, "zkCli.sh ended"
        return line

    def run(self, command):
        """Output lines of one command; watch events are taken out and kept in `events`."""
        self.send(command)
        self.send("get /zkcli-mark")
        out = []
        while True:
            line = self.line()
            if line == MARK:
                return [x for x in out if x and x != "WATCHER::" and not self.noise(x)]
            if line.startswith("WatchedEvent "):
                self.events.append(line)
            else:
                out.append(line)

    @staticmethod
    def noise(line):
        return line.startswith(("log4j:", "SLF4J:")) or re.match(r"\d{4}-\d\d-\d\d ", line)

    def wait_event(self, kind, path):
        """Events come on a thread of their own: poll until this one was seen."""
        deadline = time.monotonic() + self.seconds
        text = "type:%s path:%s" % (kind, path)
        while time.monotonic() < deadline:
            for event in self.events:
                if re.sub(r" zxid: -?\d+$", "", event).endswith(text):
                    self.events.remove(event)
                    return True
            self.run("version")
            time.sleep(0.05)
        raise AssertionError("no event %s; seen: %s" % (text, self.events))

    def quit(self):
        self.send("quit")
        self.process.stdin.close()
        return self.process.wait(self.seconds)


@pytest.fixture(scope="module")
def cli(shared_server):
    helper = zkraw.Client(shared_server.port)
    helper.create("/zkcli-mark", MARK)
    helper.close()
    client = ZkCli(shared_server.hosts)
    client.run("version")  # takes the greeting away
    yield client
    if client.process.poll() is None:
        client.process.kill()
    client.process.wait(60)


@pytest.fixture
def run(cli, base):
    """run(command): `/` at the start of a word of the command is this test's own node."""
    cli.events.clear()

    def call(command):
        out = cli.run(re.sub(r"(?<= )/", base + "/", command).replace(base + "/ ", base + " "))
        return [line.replace(base, "") for line in out]

    call.base = base
    call.cli = cli
    return call


def stat_of(lines):
    assert [line.split(" = ")[0] for line in lines] == STAT
    return dict(line.split(" = ") for line in lines)


def test_create_get_set(run):
    assert run("create /a hello") == ["Created /a"]
    assert run("get /a") == ["hello"]
    assert run("create /a again") == ["Node already exists: /a"]
    assert run("create /b") == ["Created /b"]
    assert run("get /b") == ["null"]
    assert run('create /empty ""') == ["Created /empty"]
    assert run("get /empty") == []
    assert run("set /a world") == []
    assert run("get /a") == ["world"]
    assert run('set /a "quoted words"') == []
    assert run("get /a") == ["quoted words"]
    assert run("get /none") == ["Node does not exist: /none"]
    assert run("set /none x") == ["Node does not exist: /none"]
    assert run("create /none/x 1") == ["Node does not exist: /none/x"]
    assert run("set -v 9 /a x") == ["version No is not valid : /a"]
    assert run("set -v 2 /a x") == []


def test_unicode_data(run):
    assert run("create /uni é日本") == ["Created /uni"]
    assert run("get /uni") == ["é日本"]


def test_stat_and_get_s(run):
    run("create /a hello")
    run("set /a hi")
    stat = stat_of(run("stat /a"))
    assert (
        stat["dataVersion"],
        stat["aclVersion"],
        stat["cversion"],
        stat["dataLength"],
        stat["numChildren"],
        stat["ephemeralOwner"],
    ) == ("1", "0", "0", "2", "0", "0x0")
    assert stat["cZxid"] == stat["pZxid"] != stat["mZxid"]
    lines = run("get -s /a")
    assert lines[0] == "hi" and stat_of(lines[1:]) == stat
    assert stat_of(run("set -s /a ho"))["dataVersion"] == "2"
    assert run("stat /none") == ["Node does not exist: /none"]


def test_ls(run):
    for path in ("/p", "/p/b", "/p/a", "/p/a/deep"):
        run("create " + path)
    assert run("ls /p") == ["[a, b]"]
    assert run("ls -R /p") == ["/p", "/p/a", "/p/b", "/p/a/deep"]
    lines = run("ls -s /p")
    assert lines[0] == "[a, b]" and stat_of(lines[1:])["numChildren"] == "2"
    assert run("ls /none") == ["Node does not exist: /none"]


def test_sequential_and_ephemeral(run):
    assert run("create -s /s- x") == ["Created /s-0000000000"]
    assert run("create -e /e x") == ["Created /e"]
    assert run("create -s -e /se- x") == ["Created /se-0000000002"]
    assert run("create /e/child x") == ["Ephemerals cannot have children: /e/child"]
    assert stat_of(run("stat /e"))["ephemeralOwner"].startswith("0x1")
    listed = run.cli.run("getEphemerals " + run.base)[0].strip("[]").split(", ")
    assert sorted(listed) == [run.base + "/e", run.base + "/se-0000000002"]
    assert run("getEphemerals /s") == ["[/se-0000000002]"]
    assert run("getEphemerals /nothing") == ["[]"]


def test_container_and_ttl(run):
    assert run("create -c /c data") == ["Created /c"]
    assert run("create -t 1000000 /t data") == ["Created /t"]
    assert run("create -s -t 1000000 /ts- data") == ["Created /ts-0000000002"]
    assert stat_of(run("stat /c"))["ephemeralOwner"] == "0x0"
    assert stat_of(run("stat /t"))["ephemeralOwner"] == "0x0"


def test_delete_and_deleteall(run):
    for path in ("/p", "/p/a", "/p/a/b", "/p/c"):
        run("create " + path)
    assert run("delete /p") == ["Node not empty: /p"]
    assert run("delete -v 7 /p/c") == ["version No is not valid : /p/c"]
    assert run("delete /p/c") == []
    assert run("delete /p/c") == ["Node does not exist: /p/c"]
    assert run("deleteall /p") == []
    assert run("stat /p") == ["Node does not exist: /p"]
    assert run("deleteall /p") == ["Node does not exist: /p"]


def test_deleteall_in_batches(run):
    run("create /p")
    helper_ops = [zkraw.m_create(run.base + "/p/n%03d" % i) for i in range(250)]
    helper = zkraw.Client(int(run.cli.process.args[2].split(":")[1]))
    assert helper.multi(helper_ops).err == 0
    helper.close()
    assert run("getAllChildrenNumber /p") == ["250"]
    assert run("deleteall /p -b 100") == []
    assert run("stat /p") == ["Node does not exist: /p"]


def test_system_nodes_are_kept(cli, base):
    assert cli.run("delete /zookeeper") == ["Arguments are not valid : /zookeeper"]
    assert cli.run("set /zookeeper/config x") == ["Insufficient permission : /zookeeper/config"]
    assert cli.run("ls /zookeeper/config") == ["[]"]


def test_acl(run):
    run("create /a data world:anyone:r")
    assert run("getAcl /a") == ["'world,'anyone", ": r"]
    assert run("set /a x") == ["Insufficient permission : /a"]
    assert run("setAcl /a world:anyone:cdrwa") == ["Insufficient permission : /a"]
    run("create /b")
    assert run("setAcl /b world:anyone:cdra") == []
    assert run("getAcl /b") == ["'world,'anyone", ": cdra"]
    assert stat_of(run("setAcl -s /b world:anyone:cdrwa"))["aclVersion"] == "2"
    assert run("setAcl -v 9 /b world:anyone:cdrwa") == ["version No is not valid : /b"]
    assert run("create /bad data bogus:foo:cdrwa")[-1] == "Acl is not valid : /bad"
    lines = run("getAcl -s /b")
    assert lines[:2] == ["'world,'anyone", ": cdrwa"] and stat_of(lines[2:])["aclVersion"] == "2"
    run("create /b/c")
    assert run("setAcl -R /b world:anyone:cdrw,ip:127.0.0.1:cdrwa") == []
    assert run("getAcl /b/c") == ["'world,'anyone", ": cdrw", "'ip,'127.0.0.1", ": cdrwa"]


def test_addauth_and_whoami(run, shared_server, base):
    # addauth cannot be taken back, so it gets a client of its own.
    own = ZkCli(shared_server.hosts)
    try:
        assert own.run("whoami")[-2:] == ["Auth scheme: User", "ip: 127.0.0.1"]
        assert own.run("addauth digest bob:pw") == []
        assert own.run("whoami") == ["Auth scheme: User", "digest: bob", "ip: 127.0.0.1"]
        assert own.run("create %s/mine x auth::cdrwa" % base) == ["Created %s/mine" % base]
        assert own.run("getAcl %s/mine" % base) == [
            "'digest,'" + zkraw.digest_id("bob", "pw"),
            ": cdrwa",
        ]
        assert run("get /mine") == ["Insufficient permission : /mine"]
    finally:
        assert own.quit() == 0


def test_quota(run):
    run("create /q")
    assert run("setquota -n 5 /q") == []
    assert run("setquota -b 100 /q") == []
    run("create /q/a 12345")
    out = [line for line in run("listquota /q") if line.startswith("Output")]
    assert out == [
        "Output quota for /q count=5,bytes=100=;byteHardLimit=-1;countHardLimit=-1",
        "Output stat for /q count=2,bytes=5",
    ]
    assert run("delquota -n /q") == []
    assert "Output quota for /q count=-1,bytes=100=;byteHardLimit=-1;countHardLimit=-1" in run(
        "listquota /q"
    )
    assert run("setquota -N 7 /q") == []
    assert "Output quota for /q count=-1,bytes=100=;byteHardLimit=-1;countHardLimit=7" in run(
        "listquota /q"
    )
    assert run("delquota /q") == []
    assert run("delquota /q") == ["Quota does not exist for /q"]
    assert run("setquota -n 5 /none") == ["/none does not exist."]


def test_counts_and_sync(run):
    for path in ("/p", "/p/a", "/p/a/b"):
        run("create " + path)
    assert run("getAllChildrenNumber /p") == ["2"]
    assert run("getAllChildrenNumber /none") == ["Node does not exist: /none"]
    assert run("sync /p") == ["Sync is OK"]
    assert run("sync /none") == ["Sync is OK"]


def test_standard_watches(run):
    cli, base = run.cli, run.base
    run("create /a")
    run("get -w /a")
    run("set /a x")
    assert cli.wait_event("NodeDataChanged", base + "/a")
    run("stat -w /a")
    run("delete /a")
    assert cli.wait_event("NodeDeleted", base + "/a")
    run("stat -w /later")
    run("create /later")
    run("ls -w /later")
    run("create /later/k")
    assert cli.wait_event("NodeChildrenChanged", base + "/later")


def test_add_and_remove_watches(run):
    cli, base = run.cli, run.base
    run("create /p")
    assert run("addWatch -m PERSISTENT_RECURSIVE /p") == []
    run("create /p/a")
    assert cli.wait_event("NodeCreated", base + "/p/a")
    run("set /p/a 1")
    assert cli.wait_event("NodeDataChanged", base + "/p/a")
    run("create /p/a/b")
    assert cli.wait_event("NodeCreated", base + "/p/a/b")
    run("delete /p/a/b")
    assert cli.wait_event("NodeDeleted", base + "/p/a/b")
    assert run("removewatches /p") == []
    assert cli.wait_event("PersistentWatchRemoved", base + "/p")
    run("create /q")
    assert run("addWatch -m PERSISTENT /q") == []
    for data in "12":
        run("set /q " + data)
        assert cli.wait_event("NodeDataChanged", base + "/q")
    run("create /q/k")
    assert cli.wait_event("NodeChildrenChanged", base + "/q")
    assert run("removewatches /q") == []
    assert cli.wait_event("PersistentWatchRemoved", base + "/q")
    assert run("removewatches /none") == ["KeeperErrorCode = No such watcher for /none"]


def test_remove_single_watches(run):
    cli, base = run.cli, run.base
    run("create /a x")
    run("get -w /a")
    assert run("removewatches -d /a") == []
    assert cli.wait_event("DataWatchRemoved", base + "/a")
    run("ls -w /a")
    assert run("removewatches -c /a") == []
    assert cli.wait_event("ChildWatchRemoved", base + "/a")
    assert run("removewatches -d /a") == ["KeeperErrorCode = No such watcher for /a"]


def test_config_and_reconfig(cli, base):
    stat = stat_of(cli.run("config -s"))
    assert (stat["cZxid"], stat["aclVersion"]) == ("0x0", "-1")
    assert cli.run("reconfig -remove 1") == ["KeeperErrorCode = Unimplemented"]


def test_printwatches_version_history(cli, base):
    assert cli.run("printwatches") == ["printwatches is on"]
    assert cli.run("version")[0].startswith("ZooKeeper CLI version: ")
    assert cli.run("history")[-1].endswith(" - history")


def test_close_connect_and_quit(shared_server, zk, base):
    cli = ZkCli(shared_server.hosts)
    try:
        cli.run("create -e %s/e x" % base)
        assert zk.exists(base + "/e").err == 0
        cli.send("close")
        cli.send("connect " + shared_server.hosts)
        cli.run("version")
        assert cli.run("ls %s" % base) == ["[]"], "close ended the session and its ephemeral"
        cli.run("create -e %s/f x" % base)
        assert cli.quit() == 0
        assert zk.ls(base).children == []
    finally:
        cli.process.kill()


def one_shot(hosts, *words):
    run = subprocess.run(
        [ZKCLI, "-server", hosts, *words], capture_output=True, text=True, timeout=120
    )
    return run.returncode, run.stdout, run.stderr


def test_one_shot_commands(shared_server, zk, base):
    hosts = shared_server.hosts
    status, out, err = one_shot(hosts, "create", base + "/one", "data")
    assert status == 0 and "Created %s/one" % base in out + err
    status, out, err = one_shot(hosts, "get", base + "/one")
    assert status == 0 and "data" in out.splitlines()
    status, out, err = one_shot(hosts, "get", base + "/none")
    assert status == 1 and "Node does not exist: %s/none" % base in out + err


def test_chroot(shared_server, zk, base):
    status, out, err = one_shot(shared_server.hosts + base, "create", "/inside", "x")
    assert status == 0
    assert zk.get(base + "/inside").data == b"x"
