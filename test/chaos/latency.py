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
PHASE_S = 3
ROUNDS = 3
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


def harms_of(victim, control):
    """name: (begin, end)"""
    return {
        "paused": (lambda: victim.signal(signal.SIGSTOP), lambda: victim.signal(signal.SIGCONT)),
        "disk full": (lambda: control.set(disk_full=1), lambda: control.set(disk_full=0)),
        "syncs fail": (lambda: control.set(sync_fails=1), lambda: control.set(sync_fails=0)),
        "disk 50 ms": (lambda: control.set(sync_delay_ms=50), lambda: control.set(sync_delay_ms=0)),
        "disk stalled": (lambda: control.set(sync_delay_ms=60000), lambda: control.set(sync_delay_ms=0)),
    }


def main(members=3):
    """Each harm in turns with times without, so that a machine that is busy for a while does both alike."""
    directory = tempfile.mkdtemp(prefix="zokor-chaos-")
    print("%d members, %d sets a second through a follower while another is in trouble; ms" % (members, RATE))
    print("%-14s %8s %8s %8s %8s   %s" % ("", "p50", "p99", "p50 well", "p99 well", "p99 to well: median, all rounds"))
    with Cluster(directory, members, 0) as cluster:
        victim, near = cluster.ensemble.followers()[:2]
        cluster.excused.add(victim.sid)
        writer = Writer(near.port, "/latency")
        writer.run(SETTLE_S)
        for name, (begin, end) in harms_of(victim, cluster.control[victim.sid]).items():
            rounds = []
            for _ in range(ROUNDS):
                well = figures(writer.run(PHASE_S))
                begin()
                ill = figures(writer.run(PHASE_S))
                end()
                rounds.append((ill[1] / well[1], ill, well))
                until(lambda: cluster.look() or victim.mode() == "follower", 60)
                cluster.excused.add(victim.sid)
                writer.run(SETTLE_S)
            rounds.sort()
            ratio, ill, well = rounds[len(rounds) // 2]
            every = " ".join("%.2f" % r[0] for r in rounds)
            print("%-14s %8.2f %8.2f %8.2f %8.2f   %.2f (%s)" % (name, *ill[:2], *well[:2], ratio, every), flush=True)
    shutil.rmtree(directory)
    return 0
