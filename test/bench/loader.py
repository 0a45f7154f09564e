"""Runs zkbench, keeps every record, and says what the machine was like meanwhile."""
import json
import os
import statistics
import subprocess
import time

from servers import BenchError, reap, spawn


class Loader:
    """zkbench with what all its runs share. Every record goes to the file `out` as a JSON line."""

    def __init__(self, zkbench, directory, out=None):
        if not os.access(zkbench, os.X_OK):
            raise BenchError(
                f"no load generator at {zkbench}: run ./dev build, or give --tools DIR"
            )
        self.zkbench, self.disk = zkbench, disk_of(directory)
        self.out = open(out, "a") if out else None
        self.other_cores, self.errors = [], 0

    def start(self, server, args):
        """Starts zkbench against a server and returns the child, for collect()."""
        check = [] if server.checked else ["--no-check"]
        pids = ["--pids", str(server.pid)] if server.child else []
        command = [
            self.zkbench,
            args[0],
            "--hosts",
            server.host,
            "--label",
            server.name,
            "--disk",
            self.disk,
            *pids,
            *check,
            *map(str, args[1:]),
        ]
        return spawn(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def collect(self, child, server, timeout_s=300, **labels):
        """Waits for a started zkbench and returns its record with the labels added."""
        try:
            stdout, stderr = child.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise BenchError(
                f"{server.name}: no end after {timeout_s} s: {' '.join(child.args)}"
            ) from None
        finally:
            reap(child)
        if server.child and server.child.poll() is not None:
            raise BenchError(
                f"{server.name} ended with status {server.child.returncode} under load: "
                f"{' '.join(child.args)}\nits log: {server.log}"
            )
        try:
            record = json.loads(stdout.strip().splitlines()[-1])
        except (IndexError, ValueError):
            raise BenchError(
                f"{server.name}: {' '.join(child.args)} failed with status {child.returncode}:\n"
                f"{stderr[-800:]}"
            ) from None
        record.update(server=server.name, time=round(time.time(), 1), **labels)
        record["wrong"] = record.get("errors", 0) + record.get("bad", 0)
        if record["wrong"]:
            self.errors += record["wrong"]
            print(
                f"  {server.name}: {record['wrong']} wrong or missing answers: "
                f"{' '.join(args_of(child))}\n"
                f"  {stderr.strip()[-600:]}",
                flush=True,
            )
        if "system" in record:
            self.other_cores.append(record["system"]["other_cores"])
        if self.out:
            self.out.write(json.dumps(record) + "\n")
            self.out.flush()
        return record

    def run(self, server, args, timeout_s=300, **labels):
        return self.collect(self.start(server, args), server, timeout_s, **labels)

    def noise(self):
        """One line on how much of the machine was taken by others while we measured."""
        if not self.other_cores:
            return "no noise figures"
        cores = sorted(self.other_cores)
        disturbed = sum(c > 0.3 for c in cores)
        return (
            f"other work on the machine: median {statistics.median(cores):.2f} cores, "
            f"most {cores[-1]:.2f}; {disturbed} of {len(cores)} runs had more than 0.3 cores taken"
        )


def args_of(child):
    return child.args[1:]


def disk_of(directory):
    """The name in /proc/diskstats of the device under a directory (for counts of flushes)."""
    device = os.stat(directory).st_dev
    try:
        return os.path.basename(
            os.readlink(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
        )
    except OSError:
        return "none"


def filesystem_of(directory):
    """The type of the file system a directory lies on."""
    best, kind = "", "unknown"
    path = os.path.realpath(directory)
    with open("/proc/mounts") as f:
        for line in f:
            _, mount, fs_type = line.split()[:3]
            inside = path == mount or path.startswith(mount.rstrip("/") + "/")
            if inside and len(mount) >= len(best):
                best, kind = mount, fs_type
    return kind


def machine(directory):
    """The lines that say where figures come from."""
    model = "unknown processor"
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    kind = filesystem_of(directory)
    lines = [
        f"{os.cpu_count()} x {model}, Linux {os.uname().release}, data on {kind} ({directory}), "
        f"load {os.getloadavg()[0]:.2f}"
    ]
    if kind in ("tmpfs", "ramfs"):
        lines.append(
            "WARNING: a sync costs nothing on this file system, so writes look too cheap (--dir)"
        )
    if os.getloadavg()[0] > 0.7:
        lines.append(
            "note: the machine is not idle; trust the quietest round and look at other cores"
        )
    return lines


def table(head, rows):
    """Prints an aligned table that is also Markdown."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(line[i]) for line in [head, *rows]) for i in range(len(head))]

    def show(line):
        cells = (c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths)))
        print("| " + " | ".join(cells) + " |")

    show(head)
    print("|" + "|".join("-" * (w + 2) for w in widths) + "|")
    for row in rows:
        show(row)
    print(flush=True)


class Goals:
    """Collects what was to be reached and what was."""

    def __init__(self):
        self.rows = []

    def add(self, name, value, limit, unit=""):
        """value has to be at most limit."""
        met = value <= limit
        shown = f"{value:.0f}" if value >= 100 else f"{value:.3g}"
        self.rows.append((name, shown + unit, f"{limit:g}{unit}", "met" if met else "NOT MET", met))
        return met

    def show(self):
        if not self.rows:
            return
        print("Goals (at most)")
        table(["goal", "measured", "limit", "verdict"], [row[:4] for row in self.rows])
        print(f"{sum(row[4] for row in self.rows)} of {len(self.rows)} goals met")

    def all_met(self):
        return all(row[4] for row in self.rows)
