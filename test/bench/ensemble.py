"""Three servers as one ensemble: CPU per operation summed over the members, latency of a lone write, and how long
writes stop when the leader is killed; Apache's three and ours in turns."""
import json
import os
import socket
import statistics
import subprocess
import time

from loader import table
from servers import BenchError, spawn, stop_all, tail, free_port
from standalone import cpu, p50, row

SIZE = 3

# limit: our figure as a share of Apache's.
ROWS = [
    row("get 64x1", "get", 64, 1, limit=1 / 5),
    row("get 64x16", "get", 64, 16, limit=1 / 12),
    row("set 64x1", "set", 64, 1, limit=1 / 4),
    row("set 64x16", "set", 64, 16, limit=1 / 12),
    row("set 1x1", "set", 1, 1, limit=1 / 2.2),
]
LONE_P50_LIMIT = 0.6
FAILOVER_P50_MS, FAILOVER_WORST_MS = 100, 500
# Of both kinds; equal histories: the last one leads, and is killed.
MIXTURES = [("apache", "apache", "zokor"), ("zokor", "zokor", "apache"), ("apache", "zokor", "zokor")]
MIXED_SHARE = 1.0
IMAGE_ROUNDS = 3
IMAGE_S, IMAGE_P99 = 3.0, 2.0


class Ensemble:
    """Several servers; to the loader they look like one server with several addresses."""

    checked = True
    keeps_data = True

    def __init__(self, name, members):
        self.name, self.members = name, members
        self.warm_s = members[0].warm_s
        lines = []
        for i, m in enumerate(members, 1):
            m.quorum, m.election = free_port(m.port + 1000), free_port(m.port + 2000)
            lines.append((f"server.{i}", f"127.0.0.1:{m.quorum}:{m.election}"))
        self.lines = dict(lines)
        self.keys = {"initLimit": 10, "syncLimit": 5}

    def lines_of(self, number):
        """Where member `number` finds the others."""
        return self.lines

    @property
    def host(self):
        return ",".join(m.host for m in self.members)

    @property
    def pid(self):
        return ",".join(str(m.pid) for m in self.members)

    @property
    def log(self):
        return self.members[0].log

    @property
    def child(self):
        """A member that has ended, if there is one: what a load generator must hear of."""
        dead = [m.child for m in self.members if m.child and m.child.poll() is not None]
        return dead[0] if dead else self.members[-1].child

    def erase(self):
        for m in self.members:
            m.erase()

    def launch(self, m):
        number = self.members.index(m) + 1
        os.makedirs(m.data, exist_ok=True)
        with open(os.path.join(m.data, "myid"), "w") as f:
            f.write(f"{number}\n")
        config = m.config(**self.keys, **{"4lw.commands.whitelist": "*"}, **self.lines_of(number))
        with open(m.log, "a") as log:
            m.child = spawn(m.command(config), stdout=log, stderr=log)

    def start(self, zkbench, fresh=True):
        if fresh:
            self.erase()
        for m in self.members:
            self.launch(m)
        self.wait(zkbench)

    def wait(self, zkbench):
        done = subprocess.run(
            [zkbench, "wait", "--hosts", self.host],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=90,
        )
        if done.returncode:
            raise BenchError(f"{self.name} does not serve on {self.host}:\n{tail(self.log)}")

    def stop(self):
        for m in self.members:
            m.stop()


def measure(ensembles, loader, options, goals):
    print(f"{SIZE} members each: {', '.join(e.name for e in ensembles)}, {options.rounds} rounds", flush=True)
    records = {}
    try:
        for e in ensembles:
            e.start(loader.zkbench)
            if e.warm_s and options.jit_warm:
                loader.run(e, ["mixed", "-c", 64, "-d", 4, "--read-pct", 50, "-w", 0, "-t", e.warm_s])
        loader.other_cores.clear()
        for number in range(options.rounds):
            for workload in ROWS:
                for e in ensembles:
                    args = [*workload.args, "-t", options.secs, "-w", options.warm]
                    record = loader.run(e, args, mode="ensemble", name=workload.name, round=number)
                    records.setdefault((workload.name, e.name), []).append(record)
                    time.sleep(0.1)
    finally:
        for e in ensembles:
            e.stop()
    report([e.name for e in ensembles], records, goals)


def report(names, records, goals):
    print("\nCPU of all members, us per operation: quietest round (median); p50/p99 us")
    lines = []
    for workload in ROWS:
        line = [workload.name]
        for n in names:
            runs = records[workload.name, n]
            line.append(f"{min(map(cpu, runs)):.2f} ({statistics.median(map(cpu, runs)):.2f})")
            p99 = statistics.median(r["lat_us"]["p99"] for r in runs)
            line.append(f"{statistics.median(map(p50, runs)):.0f}/{p99:.0f}")
        verdict = ""
        if "apache" in names and "zokor" in names:
            share = min(map(cpu, records[workload.name, "zokor"])) / min(
                map(cpu, records[workload.name, "apache"])
            )
            met = goals.add(f"ensemble {workload.name} cpu / apache", share, round(workload.limit, 4))
            verdict = f"1/{1 / share:.1f} of apache, goal 1/{1 / workload.limit:g}: {'met' if met else 'NOT MET'}"
        lines.append([*line, verdict])
    head = ["workload"]
    for n in names:
        head += [n, f"{n} p50/p99"]
    table([*head, "verdict"], lines)
    if "apache" in names and "zokor" in names:
        lone = {n: min(map(p50, records["set 1x1", n])) for n in names}
        goals.add("ensemble set 1x1 p50 / apache", lone["zokor"] / lone["apache"], LONE_P50_LIMIT)


def first_writes(e, loader, times):
    """kill -9 of the leader under writers on every member: milliseconds to the first write acknowledged after it."""
    first = []
    for _ in range(times):
        e.start(loader.zkbench)
        try:
            command = [
                loader.zkbench, "failover", "--hosts", e.host, "--pids", e.pid, "--target", "leader",
                "--signal", "9", "--after", "1.5", "-t", "5", "-c", "6", "--label", e.name,
            ]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
            try:
                record = json.loads(done.stdout.strip().splitlines()[-1])
            except (IndexError, ValueError):
                raise BenchError(f"{e.name}: failover failed:\n{done.stderr[-600:]}") from None
            if loader.out:
                loader.out.write(json.dumps(record) + "\n")
            first.append(record["first_ack_ms"])
        finally:
            e.stop()
            e.erase()
    first.sort()
    print(f"leader killed, {e.name}: first write after ms " + " ".join(f"{x:.0f}" for x in first), flush=True)
    return first


def failover(ensembles, mixtures, loader, options, goals):
    times = {e.name: first_writes(e, loader, options.failovers) for e in ensembles}
    if "zokor" in times:
        goals.add("ensemble leader killed: first write ms, median", statistics.median(times["zokor"]), FAILOVER_P50_MS)
        goals.add("ensemble leader killed: first write ms, worst", times["zokor"][-1], FAILOVER_WORST_MS)
    for e in mixtures:
        share = statistics.median(first_writes(e, loader, options.failovers)) / statistics.median(times["apache"])
        goals.add(f"leader killed in {e.name}: first write / apache's", share, MIXED_SHARE)
    stop_all()


def serves(member):
    """It answers srvr as one that follows or leads."""
    try:
        with socket.create_connection(("127.0.0.1", member.port), 2) as s:
            s.sendall(b"srvr")
            text = b""
            while piece := s.recv(65536):
                text += piece
        return b"Mode: follower" in text or b"Mode: leader" in text
    except OSError:
        return False


def image(e, loader, options, goals):
    """An empty member gets the whole tree while the leader serves reads at a fixed rate."""
    e.start(loader.zkbench)
    try:
        *_, lead = e.members  # equal histories: the largest number leads
        loader.run(lead, ["load-tree", "-k", options.nodes, "-c", 16, "-d", 64])
        rounds = [image_round(e, lead, loader) for _ in range(IMAGE_ROUNDS)]
    finally:
        e.stop()
        e.erase()
    for took_s, before, after in rounds:
        print(f"{options.nodes} nodes to an empty member: {took_s:.2f} s; p99 of reads {before:.0f} -> {after:.0f} us")
    goals.add("ensemble image s, slowest round", max(took_s for took_s, _, _ in rounds), IMAGE_S)
    quietest = min(after / max(before, 1) for _, before, after in rounds)
    goals.add("ensemble image: p99 of reads, quietest round", quietest, IMAGE_P99, "x")


def image_round(e, lead, loader):
    """Seconds until the member serves; p99 of reads before and during that, us."""
    reads = ["get", "-c", 16, "--rate", 10000, "-t", 5, "-w", 0.5]
    empty = e.members[0]
    alone = loader.run(lead, reads)
    empty.stop()
    child = loader.start(lead, reads)
    time.sleep(1)
    empty.erase()
    began = time.monotonic()
    e.launch(empty)
    while not serves(empty):
        if time.monotonic() - began > 60:
            raise BenchError(f"{e.name}: the empty member does not serve after 60 s:\n{tail(empty.log)}")
        time.sleep(0.01)
    took_s = time.monotonic() - began
    during = loader.collect(child, lead)
    return took_s, alone["lat_us"]["p99"], during["lat_us"]["p99"]
