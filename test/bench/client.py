"""Client libraries side by side: the same program runs on Apache's and on ours, against one server."""
import os
import shutil
import statistics
import subprocess
import tempfile

from loader import table
from servers import BenchError

HERE = os.path.dirname(os.path.abspath(__file__))
APACHE = "/usr/lib/x86_64-linux-gnu/libzookeeper_mt.so.2"
GOAL = 0.5  # of Apache's processor time per request

# operation, bytes of the value, requests in flight, requests of one measurement
ROWS = (
    ("get", 100, 256, 60000),
    ("set", 100, 256, 60000),
    ("get", 100, 16, 40000),
    ("get", 10000, 64, 20000),
    ("sync", 100, 1, 10000),
)


def build(directory):
    """The program, and for each library a folder that has it under the name that the program looks for."""
    root = os.path.dirname(os.path.dirname(HERE))
    release = os.path.join(root, "build", "release")
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None or not os.path.exists(os.path.join(release, "libzokor.so")):
        raise BenchError("a C compiler and build/release/libzokor.so are needed: run ./dev build")
    program = os.path.join(directory, "client_cpu")
    command = [compiler, "-std=c17", "-D_GNU_SOURCE", "-O2", "-I" + os.path.join(root, "include"), "-o", program]
    command += [os.path.join(HERE, "client_cpu.c"), "-L" + release, "-lzokor", "-lpthread"]
    subprocess.run(command, check=True)
    libraries = {}
    if os.path.exists(APACHE):
        libraries["apache"] = os.path.join(directory, "apache-library")
        os.makedirs(libraries["apache"], exist_ok=True)
        os.symlink(APACHE, os.path.join(libraries["apache"], "libzokor.so.0"))
    else:
        print("skipped: Apache's client library: Debian's package libzookeeper-mt2 is not installed")
    libraries["zokor"] = release
    return program, libraries


def once(program, library, host, row):
    """Requests a second and microseconds of processor time per request."""
    run = subprocess.run(
        [program, host, *(str(x) for x in row)],
        env={**os.environ, "LD_LIBRARY_PATH": library},
        capture_output=True,
        text=True,
        timeout=300,
    )
    if run.returncode != 0:
        raise BenchError(f"client_cpu {row}: status {run.returncode}\n{run.stderr[-1000:]}")
    rate, cpu, _ = run.stdout.split()
    return float(rate), float(cpu)


def measure(server, loader, o, goals):
    lines = []
    directory = tempfile.mkdtemp(prefix="client-", dir=o.dir)
    try:
        program, libraries = build(directory)
        server.start(loader.zkbench)
        for row in ROWS:
            name = f"{row[0]} {row[1]} B x{row[2]}"
            found = {library: [] for library in libraries}
            for _ in range(o.rounds):
                for library, path in libraries.items():
                    found[library].append(once(program, path, server.host, row))
            best = {library: min(cpu for _, cpu in runs) for library, runs in found.items()}
            for library, runs in found.items():
                rate = statistics.median(rate for rate, _ in runs)
                median = statistics.median(cpu for _, cpu in runs)
                lines.append([name, library, f"{rate:.0f}", f"{best[library]:.3f} ({median:.3f})"])
            if "apache" in best:
                goals.add(f"client CPU {name} / Apache's", best["zokor"] / best["apache"], GOAL)
    finally:
        server.stop()
        server.erase()
        shutil.rmtree(directory)
    print("Client libraries: processor time of the program per request, best round (median)")
    table(["row", "library", "requests/s", "us CPU"], lines)
