"""CPU, latency and memory per operation of several servers in one alternating run."""
import re
import statistics
import time
from dataclasses import dataclass

from loader import table


@dataclass(frozen=True)
class Row:
    name: str
    args: tuple
    limit: float = 0.0  # the goal: at most this multiple of the floor; 0: no goal
    by: str = "cpu"  # what the goal compares: CPU per operation or the median latency
    quick: bool = False


def row(name, workload, conns, depth, *more, **kw):
    return Row(name, (workload, "-c", conns, "-d", depth, *more), **kw)


ROWS = [
    row("ping 64x16", "ping", 64, 16, limit=2.0, quick=True),
    row("get 64x16", "get", 64, 16, limit=2.5, quick=True),
    row("exists 64x16", "exists", 64, 16, limit=2.5),
    row("set 64x16", "set", 64, 16, limit=2.5, quick=True),
    row("create 64x16", "create", 64, 16, limit=3.0, quick=True),
    row("ping 64x1", "ping", 64, 1, limit=1.25),
    row("get 64x1", "get", 64, 1, limit=1.25, quick=True),
    row("set 64x1", "set", 64, 1, limit=1.25),
    row("set 1x1", "set", 1, 1, limit=1.2, by="p50", quick=True),
    row("sync 64x16", "sync", 64, 16),
    row("getChildren2(100) 64x4", "getChildren2", 64, 4, "--children", 100),
    row("multi(10 set) 64x4", "multi", 64, 4, "--multi", 10),
    row("createEphSeq 64x16", "createEphemeralSequential", 64, 16),
    row("mixed 90/10 64x16", "mixed", 64, 16, "--read-pct", 90),
    row("get 64x16 1 KB", "get", 64, 16, "-s", 1024),
    row("set 64x16 1 KB", "set", 64, 16, "-s", 1024),
]


def cpu(record):
    return record["cpu_us_per_op"]


def p50(record):
    return record["lat_us"]["p50"]


def choose(only, quick):
    rows = [r for r in ROWS if (not quick or r.quick) and (not only or re.search(only, r.name))]
    return rows


def estimate_s(rows, servers, options):
    per_run = options.secs + options.warm + 0.5
    return options.rounds * len(rows) * len(servers) * per_run + sum(2 + s.warm_s for s in servers)


def measure(rows, servers, loader, options, goals):
    """Starts all servers, runs A B C A B C ..., prints the tables, collects the goals."""
    print(
        f"about {estimate_s(rows, servers, options) / 60:.1f} min: {len(rows)} workloads, "
        f"{', '.join(s.name for s in servers)}, {options.rounds} rounds of {options.secs:g} s",
        flush=True,
    )
    records = {}
    try:
        for server in servers:
            server.start(loader.zkbench)
            if server.warm_s and options.jit_warm:
                loader.run(
                    server,
                    ["mixed", "-c", 64, "-d", 4, "--read-pct", 50, "-w", 0, "-t", server.warm_s],
                )
                loader.run(server, ["create", "-c", 64, "-d", 4, "-w", 0, "-t", server.warm_s / 4])
        loader.other_cores.clear()
        for number in range(options.rounds):
            for workload in rows:
                for server in servers:
                    args = [*workload.args, "-t", options.secs, "-w", options.warm]
                    record = loader.run(
                        server, args, mode="standalone", name=workload.name, round=number
                    )
                    records.setdefault((workload.name, server.name), []).append(record)
                    if options.verbose:
                        print(
                            f"  [{number + 1}/{options.rounds}] {workload.name:24} "
                            f"{server.name:10} "
                            f"{record['ops_s']:10.0f} ops/s {cpu(record):8.2f} us/op, loader "
                            f"{record['loader']['cores']:.2f}, "
                            f"other {record['system']['other_cores']:.2f} cores",
                            flush=True,
                        )
                    time.sleep(0.1)
    finally:
        for server in servers:
            server.stop()
            server.erase()
    report(rows, [s.name for s in servers], records, options, goals)


def cpu_cell(runs):
    return f"{min(map(cpu, runs)):.2f} ({statistics.median(map(cpu, runs)):.2f})"


def latency_cell(runs):
    middle = statistics.median(map(p50, runs))
    return f"{middle:.0f}/{statistics.median(r['lat_us']['p99'] for r in runs):.0f}"


def verdict(workload, ours, floor, goals):
    """The goal as a multiple of the floor, best round against best round, and whether it is met."""
    if not workload.limit:
        return "", ""
    pick = p50 if workload.by == "p50" else cpu
    ratio = min(map(pick, ours)) / max(min(map(pick, floor)), 1e-9)
    met = goals.add(f"{workload.name} {workload.by} / floor", ratio, workload.limit, "x")
    return f"{workload.by} {workload.limit:g}x", "met" if met else f"NOT MET ({ratio:.2f}x)"


def report(rows, names, records, options, goals):
    runs = lambda workload, name: records[workload.name, name]  # noqa: E731
    print(f"\nCPU of the server, us per operation: quietest of {options.rounds} rounds (median)")
    others = [n for n in names if n != "floor"]
    head = ["workload", *names]
    head += [f"{n}/floor" for n in others if n != "apache"] if "floor" in names else []
    head += [f"apache/{n}" for n in others if n != "apache"] if "apache" in names else []
    head += ["goal", "verdict"]
    best = lambda workload, name: max(min(map(cpu, runs(workload, name))), 1e-9)  # noqa: E731
    lines = []
    for workload in rows:
        line = [workload.name, *(cpu_cell(runs(workload, n)) for n in names)]
        if "floor" in names:
            line += [
                f"{best(workload, n) / best(workload, 'floor'):.2f}"
                for n in others
                if n != "apache"
            ]
        if "apache" in names:
            line += [
                f"{best(workload, 'apache') / best(workload, n):.1f}"
                for n in others
                if n != "apache"
            ]
        judged = "floor" in names and "zokor" in names
        line += (
            verdict(workload, runs(workload, "zokor"), runs(workload, "floor"), goals)
            if judged
            else ["", ""]
        )
        lines.append(line)
    table(head, lines)
    print("Latency p50/p99 us (medians of the rounds), rate, memory, and cores the loader took")
    head = [
        "workload",
        *(f"{n} p50/p99" for n in names),
        *(f"{n} kops/s" for n in names),
        *(f"{n} RSS MB" for n in names),
        "loader cores",
        "other cores",
    ]
    lines = []
    for workload in rows:
        every = [r for n in names for r in runs(workload, n)]
        middle = lambda name, key: statistics.median(
            key(r) for r in runs(workload, name)
        )  # noqa: E731,B023
        lines.append(
            [
                workload.name,
                *(latency_cell(runs(workload, n)) for n in names),
                *(f"{middle(n, lambda r: r['ops_s'] / 1e3):.1f}" for n in names),
                *(f"{middle(n, lambda r: r['rss_after_kb'] / 1024):.1f}" for n in names),
                "/".join(f"{middle(n, lambda r: r['loader']['cores']):.2f}" for n in names),
                f"{max(r['system']['other_cores'] for r in every):.2f}",
            ]
        )
    table(head, lines)
