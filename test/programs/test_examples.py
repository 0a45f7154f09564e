"""The programs of the folder examples: built against our headers and against Apache's, run on our library and on
Apache's, beside each other."""
import glob
import os
import re
import subprocess
import threading
import time

import pytest
import server as server_module

EXAMPLES = os.path.join(server_module.ROOT, "examples")
OWN = ("config", "mutex", "latch", "ids", "rwlock", "balance", "members", "workers")  # with what Apache's library lacks
PLAIN = ("lock", "leader", "services")
# headers and library of the build, library at run time
KINDS = ("ours", "apache", "apache-on-ours")


class Example:
    """A running example: its lines, its input, its end."""

    def __init__(self, program, env, *args):
        self.process = subprocess.Popen(
            [program, *args],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines = []
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()

    def expect(self, *lines, seconds=60):
        """Waits until these lines have come, in this order, among others."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while not self._seen(lines):
                assert self.changed.wait(max(0, deadline - time.monotonic())), (lines, self.lines)

    def _seen(self, lines):
        rest = iter(self.lines)
        return all(line in rest for line in lines)

    def end(self, seconds=60):
        """End of input; the exit status."""
        self.process.stdin.close()
        return self._wait(seconds)

    def terminate(self, seconds=60):
        self.process.terminate()
        return self._wait(seconds)

    def _wait(self, seconds):
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.reader.join()
        self.errors = self.process.stderr.read()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()
        return status


@pytest.fixture(scope="session")
def programs(build, tmp_path_factory):
    made = {}
    folder = tmp_path_factory.mktemp("examples")

    def program(name, kind):
        """A program and the environment to run it in."""
        if kind != "ours":
            if build.sanitizer:
                pytest.skip("a program of others cannot run on a sanitizer's build")
            if not os.path.exists("/usr/include/zookeeper/zookeeper.h"):
                pytest.skip("Debian's package libzookeeper-mt-dev is not installed")
        headers = "ours" if kind == "ours" else "apache"
        if (name, headers) not in made:
            out = os.path.join(str(folder), name + "-" + headers)
            source, more = os.path.join(EXAMPLES, name + ".c"), ["-DTHREADED"]
            if headers == "apache":  # as <zookeeper/zookeeper.h>
                more.append("-I/usr/include")
            made[name, headers] = build.compile(out, source, headers=headers, more=more)
        env = build.env() if kind != "apache" else {**os.environ, "LD_LIBRARY_PATH": ""}
        return made[name, headers], env

    return program


@pytest.fixture
def start(programs):
    running = []

    def run(name, kind, *args):
        program, env = programs(name, kind)
        example = Example(program, env, *args)
        running.append(example)
        return example

    yield run
    for example in running:
        if example.process.poll() is None:
            example.process.kill()
            example._wait(60)


def test_they_are_short():
    for path in glob.glob(os.path.join(EXAMPLES, "*.c")):
        with open(path) as f:
            assert len(f.readlines()) < 150, path


def test_every_example_is_tested():
    names = {os.path.basename(p)[:-2] for p in glob.glob(os.path.join(EXAMPLES, "*.c"))}
    assert names == {*OWN, *PLAIN}


def test_which_library_runs(programs, plain):
    for kind, library in (("ours", "libzokor.so.0"), ("apache-on-ours", "libzookeeper_mt.so.2")):
        program, env = programs("lock", kind)
        out = subprocess.run(["ldd", program], env=env, capture_output=True, text=True, check=True).stdout
        assert re.search(r"%s => %s/" % (re.escape(library), re.escape(plain.dir)), out), out


@pytest.mark.parametrize("kind", KINDS)
def test_lock(start, srv, base, kind, tmp_path):
    """Five programs add one to a number in a file, which goes wrong unless only one does so at a time."""
    count = tmp_path / "count"
    count.write_text("0")
    command = "n=$(cat %s); sleep 0.02; echo $((n + 1)) >%s" % (count, count)
    all_of_them = [start("lock", kind, srv.hosts, base + "-lock", "sh", "-c", command) for _ in range(5)]
    for one in all_of_them:
        assert one.end() == 0, one.errors
    assert count.read_text().strip() == "5"
    failing = start("lock", kind, srv.hosts, base + "-lock", "sh", "-c", "exit 7")
    assert failing.end() == 7


@pytest.mark.parametrize("kind", KINDS)
def test_leader(start, srv, base, kind):
    first = start("leader", kind, srv.hosts, base + "-e", "ann")
    first.expect("leading")
    second = start("leader", kind, srv.hosts, base + "-e", "bob")
    second.expect("following ann")
    third = start("leader", kind, srv.hosts, base + "-e", "cid")
    third.expect("following ann")
    assert second.end() == 0, second.errors
    assert first.end() == 0, first.errors
    third.expect("following ann", "leading")
    assert third.end() == 0, third.errors


@pytest.mark.parametrize("kind", KINDS)
def test_services(start, srv, base, kind):
    path = base + "-s/web"
    watcher = start("services", kind, srv.hosts, path, "watch")
    watcher.expect("0:")
    one = start("services", kind, srv.hosts, path, "add", "one", "10.0.0.1:80")
    watcher.expect("0:", "1: one=10.0.0.1:80")
    two = start("services", kind, srv.hosts, path, "add", "two", "10.0.0.2:80")
    watcher.expect("2: one=10.0.0.1:80 two=10.0.0.2:80")
    assert one.terminate() == 0, one.errors
    watcher.expect("2: one=10.0.0.1:80 two=10.0.0.2:80", "1: two=10.0.0.2:80")
    assert two.terminate() == 0, two.errors
    watcher.expect("1: two=10.0.0.2:80", "0:")
    assert watcher.terminate() == 0, watcher.errors


def test_config(start, srv, zk, base):
    path = base + "-c"
    assert zk.create(path, b"").err == 0
    assert zk.create(path + "/db", b"10.0.0.5").err == 0
    config = start("config", "ours", srv.hosts, path)
    config.expect(path + " = ", path + "/db = 10.0.0.5")
    assert zk.set(path + "/db", b"10.0.0.6").err == 0
    config.expect(path + "/db = 10.0.0.6")
    assert zk.create(path + "/db/pool", b"20").err == 0
    config.expect(path + "/db/pool = 20")
    assert zk.delete(path + "/db/pool").err == 0
    config.expect(path + "/db/pool is gone")
    assert config.end() == 0, config.errors


def test_mutex(start, srv, base, tmp_path):
    """As test_lock; and the numbers that the holders are given grow."""
    count = tmp_path / "count"
    count.write_text("0\n")
    command = "n=$(tail -n 1 %s); sleep 0.02; echo $ZOKOR_TOKEN $((${n##* } + 1)) >>%s" % (count, count)
    all_of_them = [start("mutex", "ours", srv.hosts, base + "-mutex", "sh", "-c", command) for _ in range(5)]
    for one in all_of_them:
        assert one.end() == 0, one.errors
    lines = [line.split() for line in count.read_text().splitlines()[1:]]
    assert [n for _, n in lines] == ["1", "2", "3", "4", "5"]
    tokens = [int(token) for token, _ in lines]
    assert tokens == sorted(set(tokens)) and tokens[0] > 0
    assert start("mutex", "ours", srv.hosts, base + "-mutex", "sh", "-c", "exit 7").end() == 7


def test_latch(start, srv, zk, base):
    first = start("latch", "ours", srv.hosts, base + "-l", "ann")
    first.expect("leading")
    second = start("latch", "ours", srv.hosts, base + "-l", "bob")
    while len(zk.ls(base + "-l").children or []) < 2:
        time.sleep(0.01)
    assert second.lines == []
    assert first.end() == 0, first.errors
    second.expect("leading")
    assert second.end() == 0 and second.errors == "", second.errors


def test_ids(start, srv, base):
    """No name and no number twice; a block of numbers belongs to one program."""
    all_of_them = [start("ids", "ours", srv.hosts, base + "-ids", "5") for _ in range(3)]
    for one in all_of_them:
        assert one.end() == 0, one.errors
    lines = [line.split() for one in all_of_them for line in one.lines]
    assert len({name for name, _, _ in lines}) == len({number for _, _, number in lines}) == 15
    assert sorted({int(number) // 100 for _, _, number in lines}) == [0, 1, 2]


def test_rwlock(start, srv, base):
    path = base + "-rwlock"
    first, second = (start("rwlock", "ours", srv.hosts, path, "read") for _ in range(2))
    first.expect("reading")
    second.expect("reading")
    writer = start("rwlock", "ours", srv.hosts, path, "write")
    assert first.end() == 0
    assert writer.lines == []
    assert second.end() == 0
    writer.expect("writing")
    late = start("rwlock", "ours", srv.hosts, path, "read")
    assert writer.end() == 0
    late.expect("reading")
    assert late.end() == 0


def test_balance(start, srv, base):
    path = base + "-balance"
    one = start("balance", "ours", srv.hosts, path, "a", "5")
    one.expect("1 of 1: 0 1 2 3 4")
    two = start("balance", "ours", srv.hosts, path, "b", "5")
    one.expect("1 of 2: 0 2 4")
    two.expect("2 of 2: 1 3")
    assert one.end() == 0
    two.expect("1 of 1: 0 1 2 3 4")
    assert two.end() == 0


def test_members(start, srv, base):
    path = base + "-members"
    one, two = (start("members", "ours", srv.hosts, path, name) for name in "ab")
    one.expect("a, b")
    assert two.end() == 0
    one.expect("a, b", "a")
    assert one.end() == 0


def test_workers(start, srv, base):
    path = base + "-workers"
    first = start("workers", "ours", srv.hosts, path, "do")
    assert start("workers", "ours", srv.hosts, path, "put", "one", "two").end() == 0
    first.expect("doing one", "doing two")
    assert first.end() == 0
    assert start("workers", "ours", srv.hosts, path, "put", "three").end() == 0
    second = start("workers", "ours", srv.hosts, path, "do")
    second.expect("doing three")
    assert second.end() == 0


@pytest.mark.parametrize("name", (*OWN, *PLAIN))
def test_wrong_arguments(start, name):
    example = start(name, "ours")
    assert example.end() == 2
    assert "usage: " + name in example.errors
