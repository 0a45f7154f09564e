"""One command a run: exit statuses, streams, options, JSON, data of every kind."""
import json
import os
import select
import signal
import subprocess
import time

import pytest

import cli_tools
import zkraw
from ensemble import until


def test_exit_statuses(cli):
    assert cli("create {}/a x") == (0, [], ["Created %s/a" % cli.base])
    assert cli("create {}/a x") == (1, [], ["Node already exists: %s/a" % cli.base])
    assert cli("get {}/a") == (0, ["x"], [])
    assert cli("get {}/none") == (1, [], ["Node does not exist: %s/none" % cli.base])
    status, out, err = cli("nonsense")
    assert (status, out, err[-1]) == (127, [], "Command not found: Command not found nonsense")
    assert cli("set {}/a") [0] == 1
    assert cli("version")[0] == 0


def test_the_greeting_is_that_of_zkcli(cli, shared_server):
    cli("create {}/a x")
    status, out, err = cli("get {}/a", quiet=False)
    assert out == [
        "Connecting to " + shared_server.hosts,
        "",
        "WATCHER::",
        "",
        "WatchedEvent state:SyncConnected type:None path:null zxid: -1",
        "x",
    ]
    assert (status, err) == (0, [])


def test_wrong_options(zokor, shared_server):
    def run(*words):
        return cli_tools.one_shot(shared_server.hosts, *words)

    assert run("-timeout", "soon", "ls", "/")[0] == 1
    assert "'soon' is not a number of milliseconds" in run("-timeout", "soon", "ls", "/")[2][0]
    status, _, err = run("-q", "--nonsense", "ls", "/")
    assert status == 0 and err == ["unknown option '--nonsense' is ignored; zokor cli --help lists them"]
    alone = subprocess.run([*zokor, "-server"], capture_output=True, text=True, timeout=60)
    assert (alone.returncode, alone.stderr) == (1, "Error: no argument found for option -server\n")
    assert "'loud' is not known; there are: off warn info debug" in run("--log", "loud", "ls", "/")[2][0]
    status, _, err = cli_tools.one_shot("127.0.0.1:x", "-q", "ls", "/")
    assert status == 1 and "'127.0.0.1:x' is no list of servers" in err[0]


def test_help_teaches(zokor):
    run = subprocess.run([*zokor, "--help"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0 and run.stderr == ""
    for text in ("usage: zokor cli", "-server LIST", "examples:", "Exit status", "deleteall", "export"):
        assert text in run.stdout


def test_help_of_a_command(cli):
    status, out, _ = cli("help", "find")
    assert status == 0 and out[0].startswith("find [-name pattern]") and any("-name" in x for x in out[3:])
    assert cli("help", "nonsense") == (1, [], ["there is no command 'nonsense'; help lists them"])
    assert cli("help")[0] == 0


def test_no_server(own_server):
    srv = own_server()
    srv.stop()
    status, out, err = cli_tools.one_shot(srv.hosts, "-q", "ls", "/")
    assert status == 1 and out == [] and err[0] == "KeeperErrorCode = ConnectionLoss for /"
    assert "refused" in err[1]
    status, _, err = cli_tools.one_shot(srv.hosts, "-q", "-waitforconnection", "-timeout", "300", "ls", "/")
    assert status == 1 and "no connection to %s within 300 ms (-timeout)" % srv.hosts in err[0]


def test_client_configuration(cli, tmp_path):
    name = str(tmp_path / "client.cfg")

    def run(text):
        with open(name, "w") as f:
            f.write(text)
        return cli("-client-configuration", name, "ls", cli.base)

    assert run("zookeeper.request.timeout=60000\n# words\n") == (0, ["[]"], [])
    assert run("zookeeper.request.timeout=soon\n")[0] == 2
    assert "line 2: zookeeper.request.timeout: 'x' is not a number" in run("\nzookeeper.request.timeout=x\n")[2][0]
    status, out, err = run("zookeeper.nonsense=1\n")
    assert (status, out) == (0, ["[]"]) and "zookeeper.nonsense has no meaning" in err[0]
    os.unlink(name)
    status, _, err = cli("-client-configuration", name, "ls", "/")
    assert status == 2 and "Error processing %s: No such file" % name in err[0]


def test_auth_before_the_command(cli, tmp_path):
    word = str(tmp_path / "password")
    with open(word, "w") as f:
        f.write("bob:pw\n")
    assert cli("--auth", "digest:bob:pw", "create", "{}/mine", "x", "auth::cdrwa")[0] == 0
    assert cli("get {}/mine") == (1, [], ["Insufficient permission : %s/mine" % cli.base])
    assert cli("--auth", "digest:@" + word, "get", "{}/mine") == (0, ["x"], [])
    assert cli("--auth", "digest", "get", "/")[0] == 1
    status, _, err = cli("--auth", "digest:@" + word + "x", "get", "/")
    assert status == 1 and "cannot be read" in err[0]
    status, _, err = cli("--auth", "nosuch:x", "get", "/")
    assert status == 1 and "does not accept this authentication: scheme 'nosuch'" in err[0]


def test_ephemerals_go_with_the_command(cli, zk):
    """zkCli.sh leaves them until its session has timed out."""
    assert cli("create -e {}/e")[0] == 0
    until(lambda: zk.exists(cli.base + "/e").err == -101)  # a server that is slow to answer is not waited for


def test_commands_from_a_pipe(cli):
    script = "create {0}/a x\n\n   \nget {0}/a\nget {0}/none\n".format(cli.base).encode()
    status, out, err = cli(stdin=script)
    assert (status, out) == (1, ["x"])
    assert err == ["Created %s/a" % cli.base, "Node does not exist: %s/none" % cli.base]
    assert cli(stdin=script + b"quit\nls /\n")[0] == 1
    assert cli(stdin=("get %s/a\r\n" % cli.base).encode())[1] == ["x"]
    assert cli(stdin=("get %s/a" % cli.base).encode())[1] == ["x"], "the last line needs no end"


class TestData:
    def test_bytes_go_through_a_pipe_as_they_are(self, cli, zk, shared_server, zokor):
        data = bytes(range(256))
        zk.create(cli.base + "/bin", data)
        out = subprocess.run(
            [*zokor, "-q", "-server", shared_server.hosts, "get", cli.base + "/bin"],
            capture_output=True,
            timeout=60,
        ).stdout
        assert out == data + b"\n"

    def test_base64(self, cli, zk):
        zk.create(cli.base + "/bin", b"\x00\xff\x10")
        assert cli("get -b {}/bin")[1] == ["AP8Q"]
        assert cli("set {}/bin AAECAw== -b") == (0, [], [])
        assert zk.get(cli.base + "/bin").data == b"\x00\x01\x02\x03"
        assert cli("set -b {}/bin A*A=") == (1, [], ["-b: 'A*A=' is not base64"])

    def test_hex_dump(self, cli, zk):
        zk.create(cli.base + "/bin", b"Hello, \x00\x7f world!")
        assert cli("get -x {}/bin")[1] == [
            "         +-------------------------------------------------+",
            "         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |",
            "+--------+-------------------------------------------------+----------------+",
            "|00000000| 48 65 6c 6c 6f 2c 20 00 7f 20 77 6f 72 6c 64 21 |Hello, .. world!|",
            "+--------+-------------------------------------------------+----------------+",
        ]

    def test_large(self, cli, zk):
        zk.create(cli.base + "/large", b"x" * 1000000)
        assert cli("get {}/large")[1] == ["x" * 1000000]


class TestJson:
    def run(self, cli, *words):
        status, out, err = cli("--json", *words)
        return status, [json.loads(x) for x in out], [json.loads(x) for x in err]

    def test_reads(self, cli, zk):
        base = cli.base
        zk.create(base + "/a", b"text")
        zk.create(base + "/b", b"\xff\x00")
        assert self.run(cli, "ls", base) == (0, [{"path": base, "children": ["a", "b"]}], [])
        assert self.run(cli, "get", base + "/a") == (0, [{"path": base + "/a", "data": "text"}], [])
        assert self.run(cli, "get", base + "/b") == (0, [{"path": base + "/b", "base64": "/wA="}], [])
        status, out, _ = self.run(cli, "get", "-s", base + "/a")
        assert out[0]["stat"]["dataLength"] == 4 and out[0]["stat"]["cZxid"].startswith("0x")
        _, out, _ = self.run(cli, "ls", "-R", base)
        assert [x["path"] for x in out] == [base, base + "/a", base + "/b"]
        _, out, _ = self.run(cli, "getAcl", base)
        assert out == [{"path": base, "acl": [{"scheme": "world", "id": "anyone", "perms": "cdrwa"}]}]
        _, out, _ = self.run(cli, "getAllChildrenNumber", base)
        assert out == [{"path": base, "number": 2}]
        _, out, _ = self.run(cli, "whoami")
        assert out == [{"ids": [{"scheme": "ip", "user": "127.0.0.1"}]}]
        _, out, _ = self.run(cli, "find", "-name", "b", base)
        assert out == [{"path": base + "/b"}]

    def test_writes(self, cli):
        base = cli.base
        assert self.run(cli, "create", "-s", base + "/s-", "x")[1] == [{"created": base + "/s-0000000000"}]
        status, out, _ = self.run(cli, "set", base + "/s-0000000000", "y")
        assert status == 0 and out[0]["stat"]["dataVersion"] == 1
        assert self.run(cli, "delete", base + "/s-0000000000")[1] == [{"ok": True, "path": base + "/s-0000000000"}]
        assert self.run(cli, "setquota", "-n", "4", base)[1] == [{"ok": True, "path": base}]
        _, out, _ = self.run(cli, "listquota", base)
        assert out[0]["quota"]["count"] == 4 and out[0]["used"]["count"] == 1
        assert self.run(cli, "delquota", base)[0] == 0

    def test_errors(self, cli):
        status, out, err = self.run(cli, "get", cli.base + "/none")
        assert (status, out) == (1, [])
        assert err == [
            {
                "ok": False,
                "error": "NO_NODE",
                "code": -101,
                "path": cli.base + "/none",
                "message": "Node does not exist: %s/none" % cli.base,
            }
        ]
        status, _, err = self.run(cli, "get", "nopath")
        assert status == 1 and err == [{"ok": False, "message": "Path must start with / character"}]
        assert self.run(cli, "nonsense")[0] == 127

    def test_events_of_watches(self, cli):
        script = "get -w {0}\nset {0} x\n".format(cli.base).encode()
        _, out, _ = cli("--json", stdin=script)
        out = [json.loads(x) for x in out]
        assert out[1]["event"]["type"] == "NodeDataChanged" and out[1]["event"]["path"] == cli.base
        assert out[1]["event"]["zxid"] > 0
        assert len(out) == 3


class TestWatch:
    """watch: events until there were enough."""

    @pytest.fixture
    def watching(self, zokor, shared_server):
        started = []

        def start(*words):
            command = [*zokor, "--json", "-server", shared_server.hosts, "watch", *words]
            p = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=cli_tools.environment())
            started.append(p)
            return p

        yield start
        for p in started:
            p.kill()
            p.communicate()

    def changes_until_end(self, zk, path, process):
        """Changes a node until the program has seen enough: nobody tells when its watch is set."""
        while process.poll() is None:
            zk.set(path, b"x")
            time.sleep(0.02)
        out, _ = process.communicate(timeout=cli_tools.SECONDS)
        return [json.loads(line)["event"] for line in out.splitlines()]

    def test_so_many_events(self, zk, base, watching):
        zk.create(base + "/below")
        p = watching("-n", "2", base)
        events = self.changes_until_end(zk, base + "/below", p)
        assert p.returncode == 0
        assert {(e["type"], e["path"]) for e in events} == {("NodeDataChanged", base + "/below")}
        assert len(events) >= 2 and events[0]["zxid"] < events[1]["zxid"]

    def test_only_the_node(self, zk, base, watching):
        zk.create(base + "/below")
        p = watching("-n", "1", "-o", base)
        zk.set(base + "/below", b"not seen")
        events = self.changes_until_end(zk, base, p)
        assert {(e["type"], e["path"]) for e in events} == {("NodeDataChanged", base)}

    def test_ctrl_c(self, zk, base, watching):
        p = watching(base)
        while not select.select([p.stdout], [], [], 0.02)[0]:
            zk.set(base, b"x")
        p.send_signal(signal.SIGINT)
        p.communicate(timeout=cli_tools.SECONDS)
        assert p.returncode == -signal.SIGINT

    def test_wrong_uses(self, cli):
        assert cli("watch") == (1, [], ["watch [-n count] [-o] path", *cli("help", "watch")[1][4:], ""])
        assert cli("watch -n 0 {}") == (1, [], ["-n: '0' is not a number (1..2147483647)"])


class TestSubtrees:
    @pytest.fixture
    def tree(self, cli, zk):
        for path in ("/a", "/a/x", "/a/x/deep", "/b", "/c"):
            zk.create(cli.base + path, path.encode())
        zk.create(cli.base + "/e", b"", flags=1)
        return cli

    def test_tree(self, tree):
        status, out, _ = tree("tree {}")
        assert status == 0
        assert out == [
            tree.base,
            "├── a",
            "│   └── x",
            "│       └── deep",
            "├── b",
            "├── c",
            "└── e",
            "",
            "7 nodes",
        ]
        assert tree("tree -L 1 {}")[1][1:5] == ["├── a", "├── b", "├── c", "└── e"]
        assert "├── b [2]" in tree("tree -s {}")[1] and "└── e [0] E" in tree("tree -s {}")[1]
        ascii_env = dict(cli_tools.environment(), LC_ALL="C")
        assert tree("tree {}", env=ascii_env)[1][1:3] == ["|-- a", "|   `-- x"]
        assert tree("tree {}/none")[0] == 1
        assert tree("tree -L 0 {}") == (1, [], ["-L: '0' is not a number (1..2147483647)"])

    def test_find(self, tree):
        def found(*words):
            status, out, err = tree("find", *words)
            assert (status, err) == (0, [])
            return [x.replace(tree.base, "") for x in out]

        assert found("{}") == ["", "/a", "/a/x", "/a/x/deep", "/b", "/c", "/e"]
        assert found("-name", "?", "{}") == ["/a", "/a/x", "/b", "/c", "/e"]
        assert found("-path", "*x*", "{}") == ["/a/x", "/a/x/deep"]
        assert found("-data", "/a/x", "{}") == ["/a/x", "/a/x/deep"]
        assert found("-e", "{}") == ["/e"]
        assert found("-L", "1", "{}") == ["", "/a", "/b", "/c", "/e"]

    def test_what_may_not_be_read(self, tree, zk):
        zk.create(tree.base + "/shut", b"x", acl=[(31, "digest", "u:x=")])
        status, out, err = tree("find", "-data", "x", "{}")
        assert status == 1 and err == ["Insufficient permission : %s/shut" % tree.base]
        assert tree.base + "/a/x" in out
        status, out, _ = tree("tree {}")
        assert status == 1 and "└── shut (KeeperErrorCode = NoAuth)" in out

    def test_thousands(self, cli, zk):
        zk.create(cli.base + "/many")
        for k in range(0, 3000, 500):
            ops = [zkraw.m_create(cli.base + "/many/n%04d" % i) for i in range(k, k + 500)]
            assert zk.multi(ops).err == 0
        status, out, _ = cli("ls -R {}/many")
        assert status == 0 and len(out) == 3001 and out == sorted(out)
        assert cli("find -name n*7 {}/many")[1] == [cli.base + "/many/n%04d" % i for i in range(7, 3000, 10)]
        assert cli("deleteall {}/many") == (0, [], [])
        assert zk.exists(cli.base + "/many").err == -101


def test_quota_on_the_root_is_refused(cli):
    status, _, err = cli("setquota -n 5 /")
    assert status == 1 and "brings Apache's server down" in err[0]


def test_output_that_cannot_be_written(zokor, shared_server):
    with open("/dev/full", "w") as full:
        run = subprocess.run(
            [*zokor, "-q", "-server", shared_server.hosts, "ls", "/"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert run.returncode == 1 and "cannot be written" in run.stderr
