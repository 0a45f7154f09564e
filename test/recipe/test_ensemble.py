"""The recipes when somebody dies: servers of an ensemble, one after the other, or whoever holds a lock."""
import subprocess
import threading
import time

import pytest
import server
from ensemble import Ensemble

CONTESTS = ["mutex", "latch", "semaphore_mutex", "read_write"]
WAIT_S = 60
NOT_READ_ONLY = -119


class Process:
    """A program of this folder; its output is read as it comes."""

    def __init__(self, build, *command):
        self.process = subprocess.Popen(
            command,
            env=build.env(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    def until(self, is_true):
        end = time.monotonic() + WAIT_S
        while not is_true(self.lines):
            assert self.process.poll() is None and time.monotonic() < end, self.lines[-3:]
            time.sleep(0.005)

    def say(self, word):
        """The answer to a word of input."""
        before = len(self.lines)
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        self.until(lambda lines: any(line.startswith(word) for line in lines[before:]))
        return next(int(line.split()[1]) for line in self.lines[before:] if line.startswith(word))

    def await_turns(self, more):
        wanted = len(self.lines) + more
        self.until(lambda lines: len(lines) >= wanted)

    def end(self):
        self.process.stdin.close()
        status = self.process.wait(WAIT_S)
        self.reader.join(WAIT_S)
        assert status == 0, self.lines[-3:]

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.mark.parametrize("contest", CONTESTS)
def test_contest_while_servers_die(build, program, tmp_path, contest):
    """Two C processes contend while every member is killed once: nobody is ever beside another, and both go on."""
    if server.use_apache():
        pytest.skip("these ensembles are ours")
    with Ensemble(tmp_path) as e:
        e.wait_serving()
        hosts = ",".join("127.0.0.1:%d" % m.port for m in e)
        both = [Process(build, program("survivor"), hosts, "/survivor", contest, name) for name in ("one", "two")]
        try:
            for member in list(e):
                for s in both:
                    s.await_turns(5)
                member.kill()
                for s in both:
                    s.await_turns(5)
                member.start(wait=False)
                e.wait_serving()
            for s in both:
                s.await_turns(5)
            for s in both:
                s.end()
                assert s.lines[-1].startswith("PASS")
        finally:
            for s in both:
                s.kill()


@pytest.mark.parametrize("contest", CONTESTS)
def test_the_holder_dies(build, program, srv, contest):
    """Killed while it holds: when its session has expired the next one gets its turn."""
    holder = Process(build, program("survivor"), srv.hosts, "/dies", contest, "hold")
    try:
        holder.until(lambda lines: lines == ["holding\n"])
        heir = Process(build, program("survivor"), srv.hosts, "/dies", contest, "heir")
        try:
            time.sleep(0.3)
            assert heir.lines == []  # it waits
            holder.kill()
            heir.await_turns(5)
            heir.end()
        finally:
            heir.kill()
    finally:
        holder.kill()


def test_without_a_quorum_it_is_read_only(build, program, tmp_path):
    if server.use_apache():
        pytest.skip("these ensembles are ours")
    props = {"readonlymode.enabled": "true"}
    with Ensemble(tmp_path, extra=["localSessionsEnabled=true"], props=props) as e:
        e.wait_serving()
        p = Process(build, program("states"), ",".join("127.0.0.1:%d" % m.port for m in e))
        try:
            p.until(lambda lines: lines[:1] == ["CONNECTED\n"])
            assert p.say("set") == 0
            e[2].kill()
            e[3].kill()
            p.until(lambda lines: "READ_ONLY\n" in lines)
            assert p.say("get") == 0 and p.say("set") == NOT_READ_ONLY
            e[2].start(wait=False)
            e[3].start(wait=False)
            p.until(lambda lines: "RECONNECTED\n" in lines[lines.index("READ_ONLY\n") :])
            assert p.say("set") == 0
            p.end()
        finally:
            p.kill()
