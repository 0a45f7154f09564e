"""How much slower writes get for the others while one follower is in trouble: at a fixed rate, so that waiting for the
machine is not mistaken for waiting for the follower. A measurement; nothing here passes or fails."""
import shutil
import signal
import tempfile
import threading
import time

from process import Cluster, until
import zkraw

RATE = 1000
PHASE_S = 6
SETTLE_S = 1.0


class Writer:
    """Sets at a fixed rate over one connection, replies read by a thread of its own; latency counts from the time at
    which a write was due, not from when it could be sent."""

    def __init__(self, port, path):
        self.client = zkraw.Client(port, timeout_ms=10000, seconds=30)
        self.path = path
        self.client.create(path)
        self.due = {}
        self.out = []

    def _take(self, count):
        for _ in range(count):
            reply = self.client.recv()
            assert reply.err == 0, reply
            self.out.append(time.monotonic() - self.due.pop(reply.xid))

    def run(self, seconds):
        """Latencies in ms, sorted."""
        count = int(RATE * seconds)
        self.out = []
        taker = threading.Thread(target=self._take, args=(count,))
        taker.start()
        body = zkraw.text(self.path) + zkraw.text(b"x" * 100) + zkraw.i32(-1)
        begin = time.monotonic()
        for i in range(count):
            due = begin + i / RATE
            late = due - time.monotonic()
            if late > 0:
                time.sleep(late)
            self.due[self.client.xid + 1] = due
            self.client.send(zkraw.SET_DATA, body)
        taker.join()
        return sorted(x * 1000 for x in self.out)


def figures(times):
    return times[len(times) // 2], times[int(len(times) * 0.99)], times[-1]


def main(members=3):
    directory = tempfile.mkdtemp(prefix="zokor-chaos-")
    print("%d members, %d sets a second through another follower" % (members, RATE))
    print("%-16s %8s %8s %8s  p99 to that without" % ("one follower", "p50 ms", "p99 ms", "max ms"))
    with Cluster(directory, members, 0) as cluster:
        followers = cluster.ensemble.followers()
        victim, near = followers[0], followers[1]
        control = cluster.control[victim.sid]
        cluster.excused.add(victim.sid)
        writer = Writer(near.port, "/latency")
        writer.run(SETTLE_S)
        harms = [
            ("well", lambda: None, lambda: None),
            ("paused", lambda: victim.signal(signal.SIGSTOP), lambda: victim.signal(signal.SIGCONT)),
            ("well", lambda: None, lambda: None),
            ("disk full", lambda: control.set(disk_full=1), lambda: control.set(disk_full=0)),
            ("disk 50 ms", lambda: control.set(sync_delay_ms=50), lambda: control.set(sync_delay_ms=0)),
            ("disk stalled", lambda: control.set(sync_delay_ms=60000), lambda: control.set(sync_delay_ms=0)),
            ("well", lambda: None, lambda: None),
        ]
        base = None
        for name, begin, end in harms:
            begin()
            p50, p99, worst = figures(writer.run(PHASE_S))
            end()
            if name == "well":
                base = p99
            print("%-16s %8.2f %8.2f %8.2f  %.2f" % (name, p50, p99, worst, p99 / base), flush=True)
            cluster.look()
            until(lambda: victim.mode() == "follower", 60)
    shutil.rmtree(directory)
    return 0
