"""One campaign: members, clients, a nemesis, then the judge. See README.md."""
import argparse
import os
import pickle
import shutil
import sys
import tempfile
import time

from process import Cluster, Nemesis, until  # before the others: it finds zkraw
import model
import zkraw
from check import ALL, WRITES, Check, true_history
from clients import LASTING, Crowd

END_SECONDS = 180
# A campaign in which nothing happened proves nothing: each of these must have been seen when it is long enough.
FLOORS = ("writes acknowledged", "reads", "syncs", "multi done", "multi failed", "events", "error -103", "error -101")
LONG_FLOORS = ("reads that were old", "unknown, done", "unknown, not done", "watches taken along")
LONG_S = 25


def begin_tree(cluster):
    """Makes what lasts. A machine that stands still may cost the leader its place here, too, and a connection."""
    records = []

    def begin():
        try:
            with cluster[1].raw() as c:
                records.append(("connect", 0, c.session_id, c.granted_ms, 0, 0.0, 0.0))
                for path in LASTING:
                    records.append(("send", c.xid + 1, "create", (path, b"", 0), False, 0.0))
                    reply = c.create(path, b"")
                    assert reply.err in (0, zkraw.NODE_EXISTS), reply
                    made = path if reply.err == 0 else None
                    records.append(("reply", reply.xid, reply.zxid, reply.err, made, 0.0))
                records.append(("send", c.xid + 1, "close", (), False, 0.0))
                c.close()
                return True
        except (OSError, zkraw.Closed):
            return False
        finally:
            records.append(("gone", 0.0))

    until(begin)
    return records


def owners(trees):
    return {path for tree in trees.values() for path, (_, stat) in tree.items() if stat.owner}


def settle(cluster):
    """Until the sessions left behind have expired, and all members have the same tree; returns it."""

    def same():
        trees = cluster.trees()
        first = next(iter(trees.values()))
        return not owners(trees) and all(t == first for t in trees.values()) and trees

    try:
        return until(same, END_SECONDS, 0.2), []
    except TimeoutError:
        trees = cluster.trees()
        found = ["ephemerals are left: %r" % sorted(owners(trees))] if owners(trees) else []
        return trees, found + ["the members' trees differ at the end: %s" % difference(trees)]


def difference(trees):
    base = next(iter(trees))
    out = []
    for sid, tree in trees.items():
        paths = [p for p in set(tree) | set(trees[base]) if tree.get(p) != trees[base].get(p)]
        out += ["%s: %r at %d, %r at %d" % (p, tree.get(p), sid, trees[base].get(p), base) for p in sorted(paths)[:3]]
    return "; ".join(out)


def campaign(directory, seconds, members, seed, clients=None, say=print, only=None):
    """Runs it; returns (findings, figures)."""
    findings = []
    with Cluster(directory, members, seed) as cluster:
        records = {-1: begin_tree(cluster)}
        crowd = Crowd(clients or 4 * members, cluster.ports, seed, directory)
        crowd.begin()
        nemesis = Nemesis(cluster, seed, say, only)
        try:
            nemesis.run(seconds)
            healed = time.monotonic()
            try:
                cluster.wait_whole(END_SECONDS)
            except TimeoutError as e:
                findings.append("the members do not come together again: %s" % e)
            say("whole again %.2f s after the last fault" % (time.monotonic() - healed))
        finally:
            records.update(crowd.end())
        trees = None
        if not findings:
            trees, more = settle(cluster)
            findings += more
        cluster.stop()
        findings += cluster.findings
    with open(os.path.join(directory, "campaign"), "wb") as f:
        pickle.dump((members, records, cluster.sessions, trees), f)
    check, more = judge(directory)
    findings += more
    if not findings:
        findings += floors(check.figures, seconds)
    history = check.history
    figures = dict(check.figures, transactions=len(history), epochs=len({t.zxid >> 32 for t in history}))
    figures["faults"] = sum(nemesis.done.values())
    for words in longest_silences(check, nemesis.times):
        say(words)
    return findings, figures


def longest_silences(check, times, count=5):
    """Where no write was acknowledged to anybody for longest, and the fault that began last before."""
    got = sorted(q.got for q in check.requests if q.got and q.op in WRITES and q.client >= 0)
    gaps = sorted(((b - a, a) for a, b in zip(got, got[1:])), reverse=True)[:count]
    out = []
    for gap, begin in gaps:
        harms = [(when, name) for when, name in times if when < begin + gap] or [(begin, "nothing yet")]
        when, name = harms[-1]
        out.append("no write for %.2f s from %.2f s after: %s" % (gap, begin - when, name))
    return out


def judge(directory):
    """Judges what a campaign has left in its directory; returns (the Check, findings)."""
    with open(os.path.join(directory, "campaign"), "rb") as f:
        members, records, sessions, trees = pickle.load(f)
    logs, covered = {}, {}
    for sid in range(1, members + 1):
        data = os.path.join(directory, "server%d" % sid, "data")
        for name in os.listdir(data):
            if name == "version-2" or name.startswith("wiped."):
                path = os.path.join(data, name)
                logs[sid, name] = model.read_log(path)
                covered[sid, name] = model.snapshots(path) + ([ALL] if name != "version-2" else [])
    history, findings = true_history(logs, covered)
    check = Check(history, records, sessions)
    findings += check.run()
    if trees is not None and not findings:
        findings += compare(trees, check.tree)
    return check, findings


def compare(trees, tree):
    """Every member's tree against the model's."""
    want = {p: (n.data, n.stat()) for p, n in tree.nodes.items() if not p.startswith("/zookeeper")}
    wrong = [sid for sid, got in trees.items() if got != want]
    return ["member %d's tree is not the log's: %s" % (sid, difference({0: want, sid: trees[sid]})) for sid in wrong]


def floors(figures, seconds):
    wanted = FLOORS + (LONG_FLOORS if seconds >= LONG_S else ())
    return ["a campaign without %s" % name for name in wanted if not figures.get(name)]


def main():
    about = "Real faults on real processes, judged by replay."
    parser = argparse.ArgumentParser(prog="./dev chaos", description=about)
    parser.add_argument("--secs", type=float, default=60, help="how long faults are done (default: 60)")
    parser.add_argument("--members", type=int, default=3, choices=(3, 5))
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100000)
    parser.add_argument("--clients", type=int, help="default: four a member")
    parser.add_argument("--only", help="these faults alone, with commas between them")
    parser.add_argument("--keep", action="store_true", help="leave the members' files where they are")
    parser.add_argument("--judge", metavar="DIRECTORY", help="judge again what a campaign has left there")
    parser.add_argument("--latency", action="store_true", help="measure writes while one follower is in trouble")
    args = parser.parse_args()
    if args.latency:
        import latency

        return latency.main(args.members)
    if args.judge:
        _, findings = judge(args.judge)
        print("\n".join(findings + ["%d findings" % len(findings)]))
        return 1 if findings else 0
    directory = tempfile.mkdtemp(prefix="zokor-chaos-")
    begin = time.monotonic()

    def say(words):
        print("%6.2f  %s" % (time.monotonic() - begin, words), flush=True)

    say("seed %d, %d members, files in %s" % (args.seed, args.members, directory))
    only = args.only.split(",") if args.only else None
    findings, figures = campaign(directory, args.secs, args.members, args.seed, args.clients, say, only)
    for name, value in sorted(figures.items()):
        print("%10d  %s" % (value, name))
    for finding in findings:
        print("FOUND: %s" % finding)
    if not findings and not args.keep:
        shutil.rmtree(directory)
    again = "./dev chaos --secs %g --members %d --seed %d" % (args.secs, args.members, args.seed)
    print("%d findings; again: %s" % (len(findings), again))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
