"""Recipes side by side: ours and Apache Curator's do the same on one server, in turns."""
import os
import shutil
import statistics
import subprocess
import tempfile

from loader import table
from servers import JAVA_DIR, JARS, BenchError, reap, spawn

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CURATOR = "curator-client curator-framework curator-recipes guava failureaccess".split()
FOLDERS, NODES, BYTES = 100, 1000, 100

# name, command, how often in a measurement, rounds before the first one for the sake of the compiler in the JVM
TURNS = (
    ("acquire and release", "mutex /bench/alone {}", 1500, 4),
    ("hand-over, 2 waiters", "handover /bench/two 2 {}", 1500, 3),
    ("hand-over, 8 waiters", "handover /bench/eight 8 {}", 1503, 3),
)
CACHE_WARM = 3
RATE_GOAL = 0.5  # Curator's rate over ours
CPU_GOAL = 0.25  # our processor time over Curator's
CACHE_GOAL_S = 1
MEMORY_GOAL = 300


class Program:
    """One of the twins: a command a line, an answer a line."""

    def __init__(self, name, command, env=None):
        self.name = name
        self.child = spawn(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
        )

    def ask(self, line):
        try:
            self.child.stdin.write(line + "\n")
            self.child.stdin.flush()
            answer = self.child.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            reap(self.child)
            why = self.child.stderr.read()[-1500:]
            raise BenchError(f"{self.name}: no answer to '{line}', status {self.child.returncode}\n{why}")
        return [float(x) for x in answer.split()]


def missing_curator():
    """Why Curator cannot run here, or None."""
    for program in ("java", "javac"):
        if not shutil.which(program):
            return f"{program} is not installed"
    for jar in ["zookeeper", "zookeeper-jute", *CURATOR[:-1]]:
        if not os.path.exists(f"{JAVA_DIR}/{jar}.jar"):
            return f"{JAVA_DIR}/{jar}.jar is missing (Debian's package libcurator-recipes-java)"
    return None


def start_ours(directory, host):
    release = os.path.join(ROOT, "build", "release")
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None or not os.path.exists(os.path.join(release, "libzokor.so")):
        raise BenchError("a C compiler and build/release/libzokor.so are needed: run ./dev build")
    program = os.path.join(directory, "recipes")
    command = [compiler, "-std=c17", "-D_GNU_SOURCE", "-O2", "-I" + os.path.join(ROOT, "include"), "-o", program]
    command += [os.path.join(HERE, "recipes.c"), "-L" + release, "-lzokor", "-lpthread"]
    subprocess.run(command, check=True)
    return Program("zokor", [program, host], {"LD_LIBRARY_PATH": release})


def start_curator(directory, host):
    jars = (f"{JAVA_DIR}/{jar}.jar" for jar in [*JARS, *CURATOR])
    path = ":".join([directory, *(jar for jar in jars if os.path.exists(jar))])
    source = os.path.join(HERE, "java", "CuratorBench.java")
    subprocess.run(
        ["javac", "-Xlint:-options", "-nowarn", "-d", directory, "-cp", path, source], check=True
    )
    flags = os.environ.get("JVMFLAGS", "-Xmx1g").split()
    return Program("curator", ["java", *flags, "-cp", path, "CuratorBench", host])


def rounds(programs, command, warm, o):
    """{program: answers}, in turns; the rounds that only warm up are left out."""
    found = {p.name: [] for p in programs}
    for i in range(warm + o.rounds):
        for p in programs:
            answer = p.ask(command)
            if o.verbose:
                print(f"  {p.name}: {command}: {answer}", flush=True)
            if i >= warm:
                found[p.name].append(answer)
    return found


def turns(programs, o, goals):
    lines = []
    for name, command, count, warm in TURNS:
        found = rounds(programs, command.format(count), warm, o)
        rate, cpu = {}, {}
        for p, answers in found.items():
            rate[p] = max(a[0] for a in answers)
            cpu[p] = min(a[1] for a in answers)
            medians = [statistics.median(column) for column in zip(*answers)]
            lines.append([name, p, f"{rate[p]:.0f} ({medians[0]:.0f})", f"{cpu[p]:.1f} ({medians[1]:.1f})"])
        if "curator" in rate:
            goals.add(f"{name}: Curator's rate / ours", rate["curator"] / rate["zokor"], RATE_GOAL)
            goals.add(f"{name}: client CPU / Curator's", cpu["zokor"] / cpu["curator"], CPU_GOAL)
    print("Locks: in the best round (median)")
    table(["row", "recipes", "per second", "us client CPU"], lines)


def caches(programs, o, goals):
    made = programs[0].ask(f"fill /bench/cache {FOLDERS} {NODES} {BYTES}")[0]
    found = rounds(programs, f"cache /bench/cache {BYTES}", CACHE_WARM, o)
    lines = []
    for p, answers in found.items():
        nodes = min(a[0] for a in answers)
        if nodes != made + 1 and p == "zokor":
            raise BenchError(f"a cache of {nodes:.0f} nodes, not of {made + 1:.0f}")
        wall, cpu, memory = (min(a[i] for a in answers) for i in (1, 2, 3))
        medians = [statistics.median(column) for column in zip(*answers)]
        times = [f"{wall * 1000:.0f} ({medians[1] * 1000:.0f})", f"{cpu:.2f} ({medians[2]:.2f})"]
        lines.append([p, f"{nodes:.0f}", *times, f"{memory:.0f}"])
        if p == "zokor":
            goals.add(f"a cache of {made:.0f} nodes is initialised", wall, CACHE_GOAL_S, " s")
            goals.add("memory of a cached node beside its data", memory, MEMORY_GOAL, " B")
    print(f"A cache of {made:.0f} nodes of {BYTES} bytes: in the best round (median)")
    table(["recipes", "nodes", "ms to initialised", "us client CPU/node", "bytes/node beside data"], lines)


def measure(server, loader, o, goals):
    directory = tempfile.mkdtemp(prefix="recipes-", dir=o.dir)
    programs = []
    try:
        # A disk's syncs, the same for both, would hide what is measured here.
        server.start(loader.zkbench, forceSync="no")
        programs.append(start_ours(directory, server.host))
        if missing_curator() is None:
            programs.append(start_curator(directory, server.host))
        else:
            print(f"skipped: Curator: {missing_curator()}")
        turns(programs, o, goals)
        caches(programs, o, goals)
    finally:
        for p in programs:
            reap(p.child)
        server.stop()
        server.erase()
        shutil.rmtree(directory)
