"""The judge: what clients saw against what the log says, by replay. The header of every reply carries the zxid of the
state it was made in, so no search is needed: requests are tried on the model in the order of their zxids.

    found = Check(history, records).run()      # a list of sentences; empty is good

history   [Txn] in order, the true one (see true_history)
records   {client: [tuple]} of clients.py
strangers sessions that wrote without a record
"""
import bisect
import collections

import zkraw
from model import CLOSE_SESSION, CREATE_SESSION, CREATES, DELETE, ERROR, MULTI, SET, Tree, parent_of

READS = ("get", "exists", "ls")
WRITES = ("create", "set", "delete", "multi", "close")
SESSION_ERRORS = (-112, -118)
MAX_FINDINGS = 40
ALL = 2**63 - 1  # as the zxid of a snapshot: it covers everything
EVENT_TYPE = {"created": zkraw.CREATED, "deleted": zkraw.DELETED, "changed": zkraw.CHANGED}
CHILD_EVENT = zkraw.CHILD

Request = collections.namedtuple("Request", "client session xid op args watch sent zxid err result got")


class Broken(Exception):
    pass


def epoch_ends(logs, snapshots):
    """{epoch: zxid of its last transaction}, as far as two records that follow each other in one member's files say so.
    A snapshot between the two means that the member got its tree from another, and that records may be missing."""
    ends = {}
    for member, txns in logs.items():
        for a, b in zip(txns, txns[1:]):
            if a.zxid >> 32 < b.zxid >> 32 and not any(a.zxid < s < b.zxid for s in snapshots[member]):
                ends[a.zxid >> 32] = a.zxid
    return ends


def true_history(logs, snapshots):
    """logs: {member: [Txn] as they lie in its files}, snapshots: {member: [zxid]}; a disk that was lost has ALL
    among them, for nothing is read from it any more. Returns ([Txn], findings).

    All members' records together, without those an epoch left behind when it ended: such a record may only lie where a
    snapshot the member got later covers it."""
    findings, truth, holder = [], {}, {}
    ends = epoch_ends(logs, snapshots)
    for member, txns in logs.items():
        covered = max(snapshots[member], default=0)
        for t in txns:
            if t.zxid > ends.get(t.zxid >> 32, t.zxid):
                if t.zxid > covered:
                    findings.append("member %s still has %#x, behind the end of its epoch" % (member, t.zxid))
                continue
            there = truth.setdefault(t.zxid, t)
            if there.raw != t.raw:
                findings.append("members %s and %s differ at %#x" % (holder[t.zxid], member, t.zxid))
            holder.setdefault(t.zxid, member)
    order = [truth[z] for z in sorted(truth)]
    for a, b in zip(order, order[1:]):
        next_epoch = b.zxid >> 32 > a.zxid >> 32
        if (next_epoch and b.zxid & 0xFFFFFFFF != 1) or (not next_epoch and b.zxid != a.zxid + 1):
            findings.append("a gap: %#x is followed by %#x" % (a.zxid, b.zxid))
    return order, findings


class Check:
    def __init__(self, history, records, strangers=()):
        self.history = history
        self.strangers = strangers
        self.records = records
        self.by_zxid = {t.zxid: t for t in history}
        self.by_request = {}
        self.findings = []
        self.requests = []
        self.figures = collections.Counter()
        self.happened = {}  # zxid: what its transaction did to nodes

    def find(self, words, *values):
        self.findings.append(words % values if values else words)
        if len(self.findings) >= MAX_FINDINGS:
            raise Broken()

    def run(self):
        try:
            self.collect()
            self.check_log()
            self.check_requests_and_log()
            self.replay()
            self.check_order()
            for client, record in self.records.items():
                self.check_watches(client, record)
        except Broken:
            pass
        return self.findings

    # ---- reading the records ----------------------------------------------------------------------------

    def collect(self):
        for client, record in self.records.items():
            session, waiting = 0, {}
            for row in record:
                if row[0] == "connect":
                    session = row[2]
                elif row[0] == "send":
                    waiting[row[1]] = row
                elif row[0] == "reply":
                    _, xid, zxid, err, result, got = row
                    _, _, op, args, watch, sent = waiting.pop(xid)
                    self.requests.append(Request(client, session, xid, op, args, watch, sent, zxid, err, result, got))
                elif row[0] == "gone":
                    for _, xid, op, args, watch, sent in waiting.values():
                        self.requests.append(
                            Request(client, session, xid, op, args, watch, sent, None, None, None, None)
                        )
                    waiting = {}
                elif row[0] == "expired":
                    self.figures["sessions expired"] += 1
                elif row[0] == "wrong":
                    self.find("client %d: %s", client, row[1])

    # ---- the log by itself --------------------------------------------------------------------------------

    def check_log(self):
        """No request twice, sessions only between their creation and their end."""
        closed = set()
        for t in self.history:
            key = (t.session, t.cxid)
            if t.cxid != 0:
                if key in self.by_request:
                    self.find("%#x repeats %#x of session %#x", t.zxid, self.by_request[key].zxid, t.session)
                self.by_request[key] = t
            if t.session in closed and t.type != ERROR:
                self.find("%#x is of session %#x, closed before", t.zxid, t.session)
            if t.type == CLOSE_SESSION:
                closed.add(t.session)
                self.figures["sessions closed by the server"] += t.cxid == 0

    # ---- requests against the log ---------------------------------------------------------------------------

    def check_requests_and_log(self):
        known = set()
        for q in self.requests:
            if q.op not in WRITES:
                continue
            known.add((q.session, q.xid))
            t = self.by_request.get((q.session, q.xid))
            if q.zxid is None:
                self.figures["unknown, done" if t else "unknown, not done"] += 1
                continue
            self.figures["writes acknowledged"] += 1
            if q.err in SESSION_ERRORS:
                continue
            if q.op == "close" and t is None:
                t = self.by_zxid.get(q.zxid)
                if t is not None and t.type == CLOSE_SESSION and t.session == q.session:
                    continue
            if t is None:
                self.find("acknowledged, not in the log: %r", q)
            elif t.zxid != q.zxid:
                self.find("acknowledged at %#x, logged at %#x: %r", q.zxid, t.zxid, q)
        for key, t in self.by_request.items():
            if key not in known and t.session not in self.strangers and t.type not in (CREATE_SESSION, CLOSE_SESSION):
                self.find("%#x was never asked for: %r", t.zxid, t)

    # ---- replay -----------------------------------------------------------------------------------------------

    def replay(self):
        writes = {(q.session, q.xid): q for q in self.requests if q.op in WRITES}
        reads = [q for q in self.requests if q.op in READS and q.zxid is not None]
        reads.sort(key=lambda q: q.zxid)
        tree, at = Tree(), 0
        for t in self.history:
            while at < len(reads) and reads[at].zxid < t.zxid:
                self.check_read(tree, reads[at])
                at += 1
            q = writes.get((t.session, t.cxid)) if t.cxid else None
            if q is not None:
                self.check_plan(tree, t, q)
            elif t.type == CLOSE_SESSION and set(t.body[0]) != tree.owned[t.session]:
                self.find("%#x closes a session of %r with %r", t.zxid, tree.owned[t.session], t.body[0])
            try:
                self.happened[t.zxid] = tree.apply(t)
            except KeyError as e:
                self.find("%#x cannot be applied: %r is missing", t.zxid, e.args[0])
                raise Broken() from e
            if t.digest is not None and t.digest != tree.digest:
                self.find("the digest of %#x is %#x, the model's %#x", t.zxid, t.digest, tree.digest)
                raise Broken()
            if q is not None and q.zxid is not None and q.err not in SESSION_ERRORS:
                self.check_write_reply(tree, t, q)
        last = self.history[-1].zxid if self.history else 0
        for q in reads[at:]:
            if q.zxid > last and q.zxid & 0xFFFFFFFF != 0:
                self.find("a read from the future: %r", q)
            self.check_read(tree, q)
        self.tree = tree
        self.figures["reads"] = len(reads)

    def check_plan(self, tree, t, q):
        if t.type == ERROR and t.body[0] in SESSION_ERRORS:
            self.figures["refused: session moved or gone"] += 1
            return
        kind, body = tree.plan(t.session, q.op, q.args)
        logged = (CREATES[0] if t.type in CREATES else t.type), t.body
        if kind == CLOSE_SESSION:
            body, logged = (set(body[0]),), (t.type, (set(t.body[0]),))
        if t.type == MULTI:
            logged = MULTI, ([(CREATES[0] if k in CREATES else k, b) for k, b in t.body[0]],)
        if logged != (kind, body):
            self.find("%#x is %r, it should be %r for %r", t.zxid, logged, (kind, body), q)

    def check_write_reply(self, tree, t, q):
        if q.op == "multi":
            self.check_multi_reply(tree, t, q)
            return
        want = t.body[0] if t.type == ERROR else 0
        if q.err != want:
            self.find("the reply says %d, the log %d: %r", q.err, want, q)
        elif want == 0:
            result = self.result_of(tree, t.type, t.body)
            if q.result != result:
                self.find("the reply should say %r: %r", result, q)
        self.figures["error %d" % q.err] += 1

    @staticmethod
    def result_of(tree, kind, body):
        if kind in CREATES:
            return body[0]
        return tree.nodes[body[0]].stat() if kind == SET else None

    def check_multi_reply(self, tree, t, q):
        failed = any(kind == ERROR for kind, _ in t.body[0])
        want = []
        before = True
        for kind, body in t.body[0]:
            if failed:
                before = before and kind != ERROR
                want.append((-1, 0 if before else body[0]))
            elif kind in CREATES:
                want.append((1, 0, body[0]))
            elif kind == SET:
                # Two sets of one node are not among the clients' multis, so the state after it is that of each part.
                want.append((SET, 0, tree.nodes[body[0]].stat()))
            else:
                want.append((kind, 0))
        self.figures["multi failed" if failed else "multi done"] += 1
        if q.result != tuple(want):
            self.find("the multi's reply should say %r: %r", want, q)

    def check_read(self, tree, q):
        node = tree.nodes.get(q.args[0])
        if node is None:
            want = (zkraw.NO_NODE, None)
        elif q.op == "get":
            want = (0, (node.data, node.stat()))
        elif q.op == "exists":
            want = (0, node.stat())
        else:
            want = (0, (tuple(sorted(node.children)), node.stat()))
        if (q.err, q.result) != want:
            self.find("a read should say %r: %r", want, q)

    # ---- order --------------------------------------------------------------------------------------------------

    def check_order(self):
        """A(t) is the highest zxid any client had seen by t. Writes, and reads behind a sync, come after it."""
        seen = sorted((q.got, q.zxid) for q in self.requests if q.zxid is not None)
        times, best, high = [], [], 0
        for got, zxid in seen:
            high = max(high, zxid)
            times.append(got)
            best.append(high)

        def seen_by(when):
            i = bisect.bisect_left(times, when)
            return best[i - 1] if i else 0

        last = collections.defaultdict(int)
        floor = collections.defaultdict(int)
        last_write = collections.defaultdict(int)
        for q in self.requests:  # in the order of each client's requests
            t = self.by_request.get((q.session, q.xid)) if q.op in WRITES else None
            if t is not None:
                if t.zxid <= seen_by(q.sent):
                    self.find("%#x was asked for when %#x had been seen: %r", t.zxid, seen_by(q.sent), q)
                if t.type == ERROR and t.body[0] in SESSION_ERRORS:
                    continue  # what a connection left behind sent may arrive late, to be refused
                if t.zxid <= last_write[q.session]:
                    self.find("%#x of session %#x comes before its %#x", t.zxid, q.session, last_write[q.session])
                last_write[q.session] = t.zxid
            if q.zxid is None:
                continue
            if q.zxid < last[q.session]:
                self.find("session %#x went back from %#x: %r", q.session, last[q.session], q)
            if q.zxid < floor[q.session]:
                self.find("behind a sync at %#x: %r", floor[q.session], q)
            if q.op in READS and q.zxid < seen_by(q.sent):
                self.figures["reads that were old"] += 1
            last[q.session] = q.zxid
            if q.op == "sync" and q.err == 0:
                floor[q.session] = max(floor[q.session], seen_by(q.sent))
                self.figures["syncs"] += 1

    # ---- watches --------------------------------------------------------------------------------------------------

    def check_watches(self, client, record):
        """Between two replies a connection gets exactly the events of the transactions between their zxids."""
        zxids = [t.zxid for t in self.history]
        watches, at, got, waiting, missed = None, 0, [], {}, None
        for row in record + [("gone", 0)]:
            if row[0] == "connect":
                watches, at, got, waiting, missed = Watches(), None, [], {}, None
            elif row[0] == "send":
                waiting[row[1]] = row
                if row[2] == "set_watches":
                    missed = row[3]
            elif row[0] == "event":
                got.append((row[3], row[1], row[2]))
            elif row[0] == "gone" and watches is not None:
                self.events_so_far(client, watches, zxids, at, None, got)
                watches = None
            elif row[0] == "reply":
                _, _, op, args, watch, _ = waiting.pop(row[1])
                zxid, err = row[2], row[3]
                if op == "set_watches":
                    self.check_missed(client, watches, missed, zxid, got)
                else:
                    self.events_so_far(client, watches, zxids, at, zxid, got)
                    watches.learn(op, args, watch, err)
                at, got = zxid, []

    def events_so_far(self, client, watches, zxids, at, until, got):
        """Events of transactions above `at` up to `until`, or, if the connection ended, a beginning of them."""
        if at is None:
            at = until if until is not None else 0
        want = []
        i = bisect.bisect_right(zxids, at)
        stop = until if until is not None else (got[-1][0] if got else at)
        while i < len(zxids) and zxids[i] <= stop:
            for kind, path in watches.fire(self.happened[zxids[i]]):
                want.append((zxids[i], kind, path))
            i += 1
        self.figures["events"] += len(got)
        if until is None:
            whole = [e for e in want if not got or e[0] < got[-1][0]]
            good = sorted(got[: len(whole)]) == sorted(whole) and set(got) <= set(want) and len(set(got)) == len(got)
        else:
            good = [e[0] for e in got] == [e[0] for e in want] and sorted(got) == sorted(want)
        if not good:
            self.find("client %d, from %#x to %r: events %r, they should be %r", client, at, until, got, want)

    def check_missed(self, client, watches, missed, zxid, got):
        """The four rules of setWatches, at the state of its reply."""
        since, data, exist, child = missed
        tree = self.tree_at(zxid)
        want = set()
        for path in data:
            node = tree.get(path)
            if node is None:
                want.add((zkraw.DELETED, path))
            elif node[0] > since:
                want.add((zkraw.CHANGED, path))
            else:
                watches.data.add(path)
        for path in exist:
            if path in tree:
                want.add((zkraw.CREATED, path))
            else:
                watches.data.add(path)
        for path in child:
            node = tree.get(path)
            if node is None:
                want.add((zkraw.DELETED, path))
            elif node[1] > since:
                want.add((CHILD_EVENT, path))
            else:
                watches.child.add(path)
        self.figures["watches taken along"] += len(data) + len(exist) + len(child)
        self.figures["events that were missed"] += len(want)
        if {(kind, path) for _, kind, path in got} != want:
            self.find("client %d: setWatches at %#x gave %r, not %r", client, zxid, got, want)

    def tree_at(self, zxid):
        """{path: (mzxid, pzxid)} at zxid, of the versions each path went through."""
        if not hasattr(self, "steps"):
            self.make_steps()
        out = {}
        for path, steps in self.steps.items():
            i = bisect.bisect_right(steps, (zxid, float("inf"))) - 1
            if i >= 0 and steps[i][2] is not None:
                out[path] = steps[i][2]
        return out

    def make_steps(self):
        self.steps = collections.defaultdict(list)
        tree, n = Tree(), 0
        for t in self.history:
            for _, path in tree.apply(t):
                for touched in (path, parent_of(path)):
                    n += 1
                    node = tree.nodes.get(touched)
                    self.steps[touched].append((t.zxid, n, node and (node.mzxid, node.pzxid)))


class Watches:
    """The one-shot watches of one connection."""

    def __init__(self):
        self.data, self.child = set(), set()

    def learn(self, op, args, watch, err):
        if not watch:
            return
        if op == "ls" and err == 0:
            self.child.add(args[0])
        elif (op == "get" and err == 0) or (op == "exists" and err in (0, zkraw.NO_NODE)):
            self.data.add(args[0])

    def fire(self, happened):
        out = []
        for what, path in happened:
            touched = path in self.data or (what == "deleted" and path in self.child)
            if touched:
                out.append((EVENT_TYPE[what], path))
            self.data.discard(path)
            if what == "deleted":
                self.child.discard(path)
            up = parent_of(path)
            if what != "changed" and up in self.child:
                self.child.discard(up)
                out.append((CHILD_EVENT, up))
        return out
