"""A leader that falls silent without dying: paused by SIGSTOP, or cut off from the others while it runs on. Measured is
the time until a write that another member took is acknowledged. Only time tells such a leader from a slow one: the
others wait syncLimit ticks, and then they must not need more than GRACE_S to find another."""
import json
import os
import signal
import subprocess
import sys

from servers import BenchError, free_port

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "chaos"))
from links import Links  # noqa: E402

TICK_MS, SYNC_LIMIT = 1000, 3
GRACE_S = 2.0


def first_write_ms(e, loader, lead, pid, number):
    """zkbench writes through the others, and sends the signal `number` to `pid` to begin with."""
    others = ",".join(m.host for m in e.members if m is not lead)
    command = [
        loader.zkbench, "failover", "--hosts", others, "--kill-pid", pid, "--signal", number, "-c", 4,
        "--after", 0.5, "--timeout", 20000, "--label", e.name,
    ]  # fmt: skip
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120)
    try:
        record = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        raise BenchError(f"{e.name}: no write after the leader fell silent:\n{done.stderr[-600:]}") from None
    if loader.out:
        loader.out.write(json.dumps(record) + "\n")
    if record["lost_writes"] or record["first_ack_ms"] < 0:
        raise BenchError(f"{e.name}: {record['lost_writes']} acknowledged writes are lost, or none was acknowledged")
    return record["first_ack_ms"]


def paused(e, loader):
    *_, lead = e.members
    pid = lead.child.pid
    try:
        return first_write_ms(e, loader, lead, pid, int(signal.SIGSTOP))
    finally:
        os.kill(pid, signal.SIGCONT)


def cut_off(e, loader, links):
    *_, lead = e.members
    number = len(e.members)

    def cut(*_):
        for other in range(1, number):
            links.set(number, other, cut=True)
            links.set(other, number, cut=True)

    before = signal.signal(signal.SIGUSR1, cut)
    try:
        return first_write_ms(e, loader, lead, os.getpid(), int(signal.SIGUSR1))
    finally:
        signal.signal(signal.SIGUSR1, before)
        links.heal()


def measure(e, loader, goals):
    """Equal histories: the member with the largest number leads."""
    limit_ms = TICK_MS * SYNC_LIMIT + GRACE_S * 1000
    ports = {i: (m.quorum, m.election) for i, m in enumerate(e.members, 1)}
    spare = iter(range(e.members[0].port + 3000, 65000))
    keys, e.keys = e.keys, {"initLimit": 10, "syncLimit": SYNC_LIMIT, "tickTime": TICK_MS}
    with Links(ports, lambda: free_port(next(spare))) as links:

        def lines_of(number):
            lines = dict(e.lines)
            for (a, b), (quorum, election) in links.ports.items():
                if a == number:
                    lines[f"server.{b}"] = f"127.0.0.1:{quorum}:{election}"
            return lines

        e.lines_of = lines_of
        for what, fall_silent in (("paused", paused), ("cut off", lambda e, loader: cut_off(e, loader, links))):
            e.start(loader.zkbench)
            try:
                took_ms = fall_silent(e, loader)
            finally:
                e.stop()
                e.erase()
            print(f"leader {what}, {e.name}: first write through another member after {took_ms:.0f} ms", flush=True)
            goals.add(f"ensemble leader {what}: first write ms (syncLimit x tickTime + 2 s)", took_ms, limit_ms)
    del e.lines_of
    e.keys = keys
