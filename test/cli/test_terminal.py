"""The prompt, through a pseudo-terminal, as a person types."""
import os
import signal
import subprocess
import time

import pytest

import cli_tools
import zkraw
from ensemble import tried

UP, LEFT, CTRL_A, CTRL_C, CTRL_D, TAB = "\x1b[A", "\x1b[D", "\x01", "\x03", "\x04", "\t"
BACKSPACE = "\x7f"


def lines_after(terminal, text):
    """The lines of the screen behind the last one that contains the text."""
    screen = terminal.screen()
    return screen[max(i for i, line in enumerate(screen) if text in line) + 1 :]


def test_commands_and_statuses(terminal, base):
    t = terminal()
    t.run("create %s/a hello" % base, 1)
    t.run("get %s/a" % base, 2)
    assert lines_after(t, "get %s/a" % base)[0] == "hello"
    t.run("", 2)
    t.run("   ", 2)
    t.run("nonsense", 3)
    assert "Command not found: Command not found nonsense" in t.screen()
    t.type("quit\n")
    assert t.end() == 127, "the status of the last command, as zkCli.sh"


def test_ctrl_d_ends(terminal):
    t = terminal()
    t.run("ls /", 1)
    t.type(CTRL_D)
    assert t.end() == 0


def test_ctrl_c_drops_the_line(terminal):
    t = terminal()
    t.type("delete /import" + CTRL_C)
    t.wait_screen("^C")
    t.run("ls /zookeeper", 1)
    assert lines_after(t, "ls /zookeeper")[0] == "[config, quota]"


def test_editing_in_the_middle(terminal, base):
    t = terminal()
    t.type("et " + base + CTRL_A + "g")
    t.type("\n")
    t.prompt(1)
    assert any(line.endswith("get " + base) for line in t.screen())
    t.type("stat /zookeeXr" + LEFT + BACKSPACE + "pe\n")
    t.prompt(2)
    assert any(line.endswith("1] stat /zookeeper") for line in t.screen())
    assert any(line.startswith("numChildren = ") for line in t.screen())


class TestCompletion:
    def test_commands(self, terminal):
        t = terminal()
        t.type("getAl" + TAB)
        t.wait_screen("getAllChildrenNumber")
        t.type("/" + CTRL_C)
        t.prompt(0)
        t.type("get" + TAB)
        for name in ("getAcl", "getAllChildrenNumber", "getEphemerals"):
            t.wait_screen(name)
        t.wait_screen("0] get")

    def test_paths_of_the_live_tree(self, terminal, zk, base):
        zk.create(base + "/long-name-of-a-node")
        zk.create(base + "/long-name-of-a-node/inside")
        t = terminal()
        t.type("stat %s/lo" % base)
        t.complete("stat %s/long-name-of-a-node" % base)
        t.complete("stat %s/long-name-of-a-node/" % base)
        t.complete("stat %s/long-name-of-a-node/inside" % base)
        zk.create(base + "/later")
        t.type(CTRL_C)
        t.type("ls %s/la" % base)
        t.complete("ls %s/later" % base)

    def test_many_candidates_are_listed(self, terminal, zk, base):
        for name in ("node-a", "node-b", "node-ccc"):
            zk.create("%s/%s" % (base, name))
        t = terminal()
        t.type("get %s/" % base)
        t.complete("get %s/node-" % base)
        t.complete("node-a")
        t.wait_screen("node-ccc")
        t.type("b\n")
        t.prompt(1)
        assert any(line.endswith("get %s/node-b" % base) for line in t.screen())

    def test_names_with_blanks_and_other_letters(self, terminal, zk, base):
        zk.create(base + "/two words", b"found")
        zk.create(base + "/übrig", b"gefunden")
        t = terminal()
        t.type("get %s/two" % base)
        t.complete('get "%s/two words' % base)
        t.type('"\n')
        t.prompt(1)
        assert "found" in t.screen()
        t.type("get %s/üb" % base)
        t.complete("get %s/übrig" % base)
        t.type("\n")
        t.prompt(2)
        assert "gefunden" in t.screen()

    def test_options_and_modes(self, terminal):
        t = terminal()
        t.type("reconfig -mem" + TAB)
        t.wait_screen("reconfig -members")
        t.type(CTRL_C + "addWatch -m PERSISTENT_" + TAB)
        t.wait_screen("addWatch -m PERSISTENT_RECURSIVE")


    def test_files(self, terminal, tmp_path):
        (tmp_path / "exported.json").write_text("")
        (tmp_path / "folder").mkdir()
        t = terminal()
        t.type("import -n %s/exp" % tmp_path + TAB + "\n")
        t.wait_screen("line 0: the export ends too early")
        t.type("import %s/f" % tmp_path + TAB + "x")
        t.wait_screen("folder/x")


class TestEvents:
    def test_they_do_not_tear_the_line(self, terminal, zk, base):
        t = terminal()
        t.run("addWatch " + base, 1)
        t.type("create %s/mine tex" % base)
        t.wait_screen("create %s/mine tex" % base)
        zk.create(base + "/other")
        t.wait_screen("type:NodeCreated path:%s/other" % base)
        t.wait_screen("1] create %s/mine tex" % base)
        screen = t.screen()
        assert sum("create %s/mine" % base in line for line in screen) == 1, screen
        assert screen[-1].endswith("1] create %s/mine tex" % base), "the prompt is under the event"
        t.type("t\n")
        t.prompt(2)
        assert zk.get(base + "/mine").data == b"text"

    def test_nor_a_line_of_several_rows(self, terminal, zk, base):
        t = terminal()
        t.run("addWatch " + base, 1)
        data = "0123456789" * 20
        t.type("create %s/mine %s" % (base, data))
        t.wait_screen(data[-20:])
        zk.create(base + "/other")
        t.wait_screen("type:NodeCreated path:%s/other" % base)
        t.type("!\n")
        t.prompt(2)
        assert zk.get(base + "/mine").data == (data + "!").encode()
        assert sum("create %s/mine" % base in line for line in t.screen()) == 1, t.screen()

    def test_hundreds_while_nothing_is_typed(self, terminal, zk, base):
        t = terminal()
        t.run("addWatch " + base, 1)
        for i in range(200):
            zk.create("%s/n%d" % (base, i))
        t.wait_screen("path:%s/n199" % base)
        t.wait_screen("(CONNECTED) 1]")
        events = [line for line in t.screen() if line.startswith("WatchedEvent") and "/n" in line]
        assert [e.split("/n")[1].split()[0] for e in events] == [str(i) for i in range(200)]

    def test_watch_until_ctrl_c(self, terminal, zk, base):
        t = terminal()
        t.type("watch %s\n" % base)
        t.wait("watch %s\r\n" % base)
        for i in range(1000):  # nobody tells when the watch is set
            zk.create("%s/n%d" % (base, i))
            t.seen += t.read(0.02) or ""
            if any("type:NodeCreated path:%s/n" % base in line for line in t.screen()):
                break
        t.type(CTRL_C)
        t.prompt(1)
        events = len([line for line in t.screen() if line.startswith("WatchedEvent")])
        zk.create(base + "/later")
        t.run("ls /zookeeper", 2)
        assert len([line for line in t.screen() if line.startswith("WatchedEvent")]) == events, "the watch is gone"

    def test_the_prompt_tells_of_the_connection(self, terminal, own_server, zokor):
        srv = own_server()
        t = cli_tools.Terminal([*zokor, "-server", srv.hosts])
        try:
            t.wait_screen("state:SyncConnected")
            t.prompt(0)
            srv.kill()
            t.wait_screen("(CONNECTING) 0]")
            t.wait_screen("state:Disconnected")
            srv.start()
            t.wait_screen("(CONNECTED) 0]")
        finally:
            t.kill()


def test_ctrl_c_ends_the_waiting(own_server, zokor):
    srv = own_server()
    t = cli_tools.Terminal([*zokor, "-server", srv.hosts])
    try:
        t.wait_screen("state:SyncConnected")
        t.prompt(0)
        srv.signal(signal.SIGSTOP)
        t.type("ls /\n")
        t.wait("ls /\r\n")  # typed earlier Ctrl-C would drop the line
        t.type(CTRL_C)
        t.wait_screen("interrupted")
        srv.signal(signal.SIGCONT)
        t.prompt(1)
        t.run("ls /zookeeper", 2)
        assert "[config, quota]" in t.screen()
    finally:
        srv.signal(signal.SIGCONT)
        t.kill()


def test_ctrl_c_ends_a_command_of_a_script(own_server, zokor, tmp_path):
    """In good order: no half file stays, the session is closed."""
    srv = own_server()
    name = str(tmp_path / "export.json")
    run = subprocess.Popen(
        [*zokor, "-q", "-server", srv.hosts, "export", "/", name], stderr=subprocess.PIPE, env=cli_tools.environment()
    )
    srv.signal(signal.SIGSTOP)  # before it is done or after: both ends are orderly
    run.send_signal(signal.SIGINT)
    srv.signal(signal.SIGCONT)
    _, err = run.communicate(timeout=cli_tools.SECONDS)
    assert run.returncode in (-signal.SIGINT, 0), err
    assert os.listdir(tmp_path) in ([], ["s0"], ["export.json", "s0"], ["s0", "export.json"])


def test_an_expired_session(own_server, zokor):
    srv = own_server()
    watcher = zkraw.Client(srv.port)

    def expires():
        t = cli_tools.Terminal([*zokor, "-timeout", "2000", "-server", srv.hosts])
        try:
            t.wait_screen("state:SyncConnected")
            t.prompt(0)
            t.run("create -s -e /e- x", 1)
            assert any(line.startswith("Created /e-") for line in t.screen())
            os.kill(t.pid, signal.SIGSTOP)
            while watcher.ls("/").children != ["zookeeper"]:
                time.sleep(0.1)
            os.kill(t.pid, signal.SIGCONT)
            t.wait_screen("state:Expired")
            t.wait_screen("(CLOSED) 1]")
            t.type("ls /\n")
            t.wait_screen("Not connected")
            t.run("connect", 3)
            t.run("ls /", 4)
            assert "[zookeeper]" in t.screen()
        finally:
            os.kill(t.pid, signal.SIGCONT)
            t.kill()

    tried(expires)
    watcher.close()


class TestHistory:
    def test_up(self, terminal, base):
        t = terminal()
        t.run("create %s/a x" % base, 1)
        t.run("ls " + base, 2)
        t.type(UP + UP + "y\n")
        t.prompt(3)
        assert "Node already exists: %s/a" % base in t.screen()

    def test_it_is_kept_without_passwords(self, terminal, tmp_path):
        path = str(tmp_path / "history")
        env = cli_tools.environment(ZOKOR_CLI_HISTORY=path)
        t = terminal(env=env)
        t.run("addauth digest bob:secret", 1)
        t.run(" ls /hidden", 2)
        t.run("ls /zookeeper", 3)
        t.kill()  # as when its window is closed
        with open(path) as f:
            text = f.read()
        assert "zookeeper" in text and "secret" not in text and "hidden" not in text
        assert os.stat(path).st_mode & 0o077 == 0
        t = terminal(env=env)
        t.type(UP)
        t.wait_screen("0] ")
        t.type(UP + "\n")
        t.prompt(1)
        assert "[config, quota]" in t.screen()

    def test_history_and_redo(self, terminal, base):
        t = terminal()
        t.run("ls /zookeeper", 1)
        t.run("history", 2)
        assert lines_after(t, "1] history")[:2] == ["0 - ls /zookeeper", "1 - history"]
        t.run("redo 0", 3)
        assert lines_after(t, "redo 0")[0] == "[config, quota]"


class TestWhatIsShown:
    def test_no_escape_sequence_comes_through(self, terminal, zk, base):
        zk.create(base + "/evil", b"\x1b]0;owned\x07\x1b[2J\xff\xe2\x80\xae\tend\nsecond")
        t = terminal()
        t.run("get %s/evil" % base, 1)
        assert "\x1b]0;owned" not in t.seen and "\x1b[2J" not in t.seen
        shown = lines_after(t, "get %s/evil" % base)
        assert shown[0].startswith("\\x1b]0;owned\\x07\\x1b[2J\\xff\\xe2\\x80\\xae") and shown[1] == "second"

    def test_colours_can_be_had_or_not(self, terminal):
        assert "\x1b[32m" in terminal().seen
        plain = cli_tools.environment(NO_COLOR="1")
        assert "\x1b[32m" not in terminal(env=plain).seen
        assert "\x1b[32m" not in terminal("--color", "never").seen

    def test_errors_stand_between_the_prompts(self, terminal, base):
        t = terminal()
        t.run("get %s/none" % base, 1)
        assert lines_after(t, "get %s/none" % base)[:1] == ["Node does not exist: %s/none" % base]

    def test_other_letters(self, terminal, zk, base):
        t = terminal()
        t.run("create %s/ü Ünï→日本" % base, 1)
        assert zk.get(base + "/ü").data.decode() == "Ünï→日本"

    def test_a_terminal_without_abilities(self, terminal):
        env = cli_tools.environment()
        env["TERM"] = "dumb"
        t = terminal(env=env, connected=False)
        t.wait("JLine support is disabled")
        t.wait(" 0] ")
        t.type("ls /zookeeper\n")
        t.wait("[config, quota]")
        t.wait(" 1] ")
        t.type(CTRL_D)
        assert t.end() == 0
        assert "\x1b" not in t.seen


def test_without_libedit(terminal, tmp_path):
    (tmp_path / "libedit.so.2").write_bytes(b"")
    t = terminal(env=cli_tools.environment(LD_LIBRARY_PATH=str(tmp_path)), connected=False)
    t.wait("no line editing: ")
    t.wait(" 0] ")
    t.type("ls /zookeeper\n")
    t.wait("[config, quota]")
    t.type("quit\n")
    assert t.end() == 0


@pytest.mark.parametrize("columns", [20, 300])
def test_width_changes(terminal, base, columns):
    t = terminal()
    t.resize(columns, 30)
    t.run("create %s/a %s" % (base, "x" * 60), 1) if columns > 100 else t.type("ls /zookeeper\n")
    if columns <= 100:
        t.wait("[config, quota]")
