"""What a million nodes cost: memory, start time, and reads while a snapshot is written."""
import array
import os
import re
import resource
import statistics
import threading
import time

from loader import table
from servers import BenchError

NODE_B, SESSION_B, WATCH_B, EMPTY_MB = 250, 1000, 64, 12
START_S, EMPTY_START_MS, SNAPSHOT_P99 = 1.0, 30, 2.0
FINISHED = re.compile(r"snapshot\.([0-9a-f]+)(\.gz|\.snappy)?")
NEVER = 1_000_000_000  # a snapCount that is not reached


def judged(server):
    """Goals are about Zokor; other servers are measured for comparison."""
    return server.name == "zokor"


# ---- memory ----


def memory(server, loader, options, goals):
    """Memory: empty, a session, a node, a watch. Leaves the tree on disk and returns it."""
    lines = []

    def add(what, value, unit, limit, note=""):
        lines.append([what, f"{value:.1f} {unit}", f"{limit:g} {unit}" if limit else "", note])
        if limit and judged(server):
            goals.add(f"memory: {what}", value, limit, f" {unit}")

    def watches(what, limit, conns, nodes, watchers, *more):
        args = [
            "watch-memory",
            "-c",
            conns,
            "-k",
            nodes,
            "--watchers",
            watchers,
            "--hold",
            1,
            *more,
        ]
        r = loader.run(server, args, mode="memory", name=what)
        add(
            what,
            r["rss_bytes_per_watch"],
            "B",
            limit,
            f"{r['cpu_us_per_watch']:.2f} us CPU each; "
            f"{r['events']} of {r['events_wanted']} events came",
        )

    server.start(loader.zkbench)
    time.sleep(1)
    add(
        "empty server",
        server.memory_kb() / 1024,
        "MB",
        EMPTY_MB,
        f"{server.memory_kb('RssAnon') / 1024:.1f} MB of it not file pages",
    )
    sessions = session_count(options.sessions)
    r = loader.run(
        server,
        ["connect-storm", "-c", sessions, "--hold", 3, "--timeout", 30000],
        mode="memory",
        name="session",
    )
    add(
        "idle session",
        r["rss_bytes_per_session"],
        "B",
        SESSION_B,
        f"{sessions} sessions, {r['sessions_s']:.0f} opened/s, "
        f"{r['open_cpu_us_per_session']:.1f} us CPU each",
    )
    server.stop()
    small = max(options.nodes // 100, 1)
    server.start(loader.zkbench)
    watches("watch, 100 on each node", 0, 100, small, 100)
    server.stop()
    server.start(loader.zkbench)
    watches("watch, all on one node", 0, sessions, 1, sessions)
    server.stop()
    tree = load(server, loader, options, start=True)
    r = tree["record"]
    add(
        "node",
        r["rss_bytes_per_znode"],
        "B",
        NODE_B,
        f"{options.nodes} nodes of 100 data bytes, {r['ops_s'] / 1e3:.0f}k creates/s, "
        f"{r['cpu_us_per_op']:.2f} us CPU each, RSS {r['rss_settled_kb'] / 1024:.0f} MB",
    )
    server.stop()
    server.start(loader.zkbench, fresh=False)
    add("server with the tree, restarted", server.memory_kb() / 1024, "MB", 0)
    watches("watch, one on each node", WATCH_B, 8, options.nodes, 1, "--node", tree["top"])
    server.stop()
    print(f"Memory of {server.name} (RSS)")
    table(["what", "RSS", "goal", "note"], lines)
    return tree


def session_count(wanted):
    """As many sessions as this machine lets one process hold."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < wanted + 200:
        print(
            f"note: {max(hard - 200, 1)} sessions instead of {wanted}: "
            f"the limit of open files is {hard}"
        )
        return max(hard - 200, 1)
    return wanted


def load(server, loader, options, start):
    """Fills a tree of options.nodes nodes; the server stays up."""
    if start:
        server.start(loader.zkbench)
    r = loader.run(
        server,
        ["load-tree", "-k", options.nodes, "-c", 8, "-d", 64, "--hold", 3],
        mode="memory",
        name="node",
    )
    return {
        "record": r,
        "last": r["last_node"],
        "top": r["last_node"].rsplit("/", 2)[0],
        "snapshot": None,
    }


def loaded(server, loader, options, tree):
    if tree is None:
        print(f"{server.name}: loading {options.nodes} nodes", flush=True)
        tree = load(server, loader, options, start=True)
        server.stop()
    return tree


# ---- snapshots on disk ----


def snapshot_files(server):
    """{path: (size, mtime)} of everything that looks like a snapshot, finished or not."""
    found = {}
    for folder, _, names in os.walk(server.data):
        for name in names:
            if "snap" in name:
                path = os.path.join(folder, name)
                try:
                    st = os.stat(path)
                except OSError:
                    continue
                found[path] = (st.st_size, st.st_mtime_ns)
    return found


def finished(path):
    """A match if the name is that of a complete snapshot; others are being written."""
    return FINISHED.fullmatch(os.path.basename(path))


def newest_snapshot(server):
    """(zxid, path) of the newest finished snapshot, or (-1, None)."""
    done = [path for path in snapshot_files(server) if finished(path)]
    return max(((int(finished(path)[1], 16), path) for path in done), default=(-1, None))


def wait_quiet(server, quiet_s=1.0, limit_s=60):
    """Waits until no snapshot file has changed for quiet_s."""
    seen, since, end = None, time.monotonic(), time.monotonic() + limit_s
    while time.monotonic() - since < quiet_s:
        now = snapshot_files(server)
        if now != seen:
            seen, since = now, time.monotonic()
        if time.monotonic() > end:
            raise BenchError(f"{server.name}: its snapshots do not come to rest in {limit_s} s")
        time.sleep(0.02)


def into_snapshot(server, loader, tree):
    """Has the server write its tree to a snapshot (a small snapCount, some writes); stops it."""
    if tree["snapshot"]:
        return
    before = newest_snapshot(server)[0]
    server.start(loader.zkbench, fresh=False, snapCount=100)
    loader.run(
        server,
        ["set", "-c", 1, "-d", 8, "-k", 100, "-n", 300, "-w", 0],
        mode="prepare",
        name="snapshot",
    )
    wait_quiet(server)
    server.stop()
    zxid, path = newest_snapshot(server)
    if zxid <= before or zxid < tree["record"]["znodes"]:
        raise BenchError(
            f"{server.name} has written no snapshot of the loaded tree (newest: {path})"
        )
    tree["snapshot"] = path
    print(f"{server.name}: snapshot {os.path.basename(path)}, {os.path.getsize(path) / 1e6:.0f} MB")


# ---- start ----


def restart(server, loader, options, goals, tree):
    """Time from exec to the first read answered, with the tree and empty."""
    empty = []
    for number in range(max(options.rounds, 3)):
        directory, server.directory = server.directory, server.directory + "-empty"
        try:
            server.erase()
            empty.append(first_read(server, loader, "/", "empty", number))
        finally:
            server.erase()
            server.directory = directory
    tree = loaded(server, loader, options, tree)
    into_snapshot(server, loader, tree)
    full = [
        first_read(server, loader, tree["last"], "tree", n) for n in range(max(options.rounds, 3))
    ]
    lines = []
    for what, runs in (("empty", empty), (f"{options.nodes} nodes from a snapshot", full)):
        times = [r["first_read_ms"] for r in runs]
        lines.append(
            [
                what,
                f"{statistics.median(times):.1f}",
                f"{min(times):.1f}",
                f"{statistics.median(r['port_ms'] for r in runs):.1f}",
                f"{statistics.median(r['cpu_s'] for r in runs):.3f}",
                f"{runs[-1]['rss_kb'] / 1024:.1f}",
            ]
        )
    print(f"Start of {server.name}: from exec to the first read answered, files in the page cache")
    table(["start", "first read ms", "best", "port open ms", "CPU s", "RSS MB"], lines)
    if judged(server):
        goals.add(
            f"start with {options.nodes} nodes",
            statistics.median(r["first_read_ms"] for r in full) / 1e3,
            START_S,
            " s",
        )
        goals.add(
            "start empty",
            statistics.median(r["first_read_ms"] for r in empty),
            EMPTY_START_MS,
            " ms",
        )
    return tree


def first_read(server, loader, node, what, number):
    """zkbench itself starts the server here, so that the clock runs from the exec."""
    os.makedirs(server.directory, exist_ok=True)
    command = server.command(server.config())
    return loader.run(
        server,
        ["restart", "--node", node, "--signal", 15, "--", *command],
        mode="restart",
        name=what,
        round=number,
    )


# ---- reads while a snapshot is written ----


class SnapshotWatch(threading.Thread):
    """Notes when snapshot files appear and grow: spans of CLOCK_MONOTONIC nanoseconds."""

    PERIOD_S = 0.01

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.spans, self.ended = server, [], threading.Event()

    def run(self):
        files, open_span = snapshot_files(self.server), None
        while not self.ended.wait(self.PERIOD_S):
            now, t = snapshot_files(self.server), time.monotonic_ns()
            changed = any(files.get(path) != state for path, state in now.items())
            if changed or any(not finished(path) for path in now):
                if open_span and t - open_span[1] < 200_000_000:
                    open_span[1] = t
                else:
                    open_span = [t - int(2e9 * self.PERIOD_S), t]
                    self.spans.append(open_span)
            files = now

    def finish(self):
        self.ended.set()
        self.join()
        return self.spans


def percentile_us(latencies_ns, q):
    ordered = sorted(latencies_ns)
    return ordered[min(len(ordered) - 1, int(len(ordered) * q))] / 1e3


def reads(server, loader, options, snap_count, number, with_snapshots):
    """10,000 gets and 500 sets a second: (due, latency) of the gets, and the spans of snapshots."""
    server.start(loader.zkbench, fresh=False, snapCount=snap_count)
    trace = os.path.join(server.directory, "latencies")
    try:
        base = ["-k", 10000, "-s", 100]
        loader.run(server, ["get", "-c", 16, "-t", 1, "-w", 1, *base], mode="snapshot", name="warm")
        wait_quiet(server)
        watch = SnapshotWatch(server)
        watch.start()
        secs = options.snapshot_secs
        sets = loader.start(server, ["set", "-c", 1, "--rate", 500, "-t", secs + 1, "-w", 0, *base])
        record = loader.run(
            server,
            ["get", "-c", 64, "--rate", 10000, "-t", secs, "-w", 1, "--lat-log", trace, *base],
            mode="snapshot",
            name="gets",
            round=number,
            snapshots=with_snapshots,
        )
        loader.collect(sets, server, mode="snapshot", name="sets", round=number)
        spans = watch.finish()
        pairs = array.array("Q")
        with open(trace, "rb") as f:
            pairs.frombytes(f.read())
    finally:
        server.stop()
    return list(zip(pairs[0::2], pairs[1::2])), spans, record


def snapshot(server, loader, options, goals, tree):
    """p99 of gets at a fixed rate while a snapshot is written, against the same without one."""
    tree = loaded(server, loader, options, tree)
    into_snapshot(server, loader, tree)
    lines, quiet, busy = [], [], []
    for number in range(options.rounds):
        gets, spans, record = reads(server, loader, options, NEVER, number, False)
        outside = [ns for at, ns in gets if not any(a <= at <= b for a, b in spans)]
        quiet.append(percentile_us(outside, 0.99))
        lines.append(
            [
                f"{number + 1} without",
                len(outside),
                "",
                f"{percentile_us(outside, 0.5):.0f}",
                f"{quiet[-1]:.0f}",
                f"{record['lat_us']['max']:.0f}",
                f"{record['system']['other_cores']:.2f}",
            ]
        )
        gets, spans, record = reads(server, loader, options, options.snap_count, number, True)
        inside = [ns for at, ns in gets if any(a <= at <= b for a, b in spans)]
        if len(inside) < 500:
            raise BenchError(
                f"{server.name}: only {len(inside)} reads fell into a snapshot "
                f"({len(spans)} snapshots seen): raise --snapshot-secs or lower --snap-count"
            )
        length = statistics.mean((b - a) / 1e9 for a, b in spans)
        busy.append(percentile_us(inside, 0.99))
        lines.append(
            [
                f"{number + 1} snapshot",
                len(inside),
                f"{len(spans)} x {length:.2f} s",
                f"{percentile_us(inside, 0.5):.0f}",
                f"{busy[-1]:.0f}",
                f"{max(inside) / 1e3:.0f}",
                f"{record['system']['other_cores']:.2f}",
            ]
        )
    print(f"Reads of {server.name} at 10,000 gets/s (and 500 sets/s), {options.nodes} nodes")
    table(["round", "gets", "snapshots", "p50 us", "p99 us", "max us", "other cores"], lines)
    ratio = min(busy) / min(quiet)
    print(
        f"p99 in snapshots {min(busy):.0f} us, without {min(quiet):.0f} us "
        f"(best rounds): {ratio:.2f}x\n"
    )
    if judged(server):
        goals.add("p99 of gets in a snapshot / without", ratio, SNAPSHOT_P99, "x")
    return tree
