"""The recipes on an ensemble whose servers die, one after the other."""
import subprocess
import threading
import time

import pytest
import server
from ensemble import Ensemble

CONTESTS = ["mutex", "latch", "semaphore_mutex", "read_write"]
WAIT_S = 60


class Survivor:
    """A process of survivor.c; its output is read as it comes."""

    def __init__(self, build, program, hosts, contest, name):
        self.process = subprocess.Popen(
            [program, hosts, "/survivor", contest, name],
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

    def await_turns(self, more):
        wanted, end = len(self.lines) + more, time.monotonic() + WAIT_S
        while len(self.lines) < wanted:
            assert self.process.poll() is None and time.monotonic() < end, self.lines[-3:]
            time.sleep(0.005)

    def end(self):
        self.process.stdin.close()
        status = self.process.wait(WAIT_S)
        self.reader.join(WAIT_S)
        assert status == 0 and self.lines[-1].startswith("PASS"), self.lines[-3:]

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
        both = [Survivor(build, program("survivor"), hosts, contest, name) for name in ("one", "two")]
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
        finally:
            for s in both:
                s.kill()
