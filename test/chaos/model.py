"""The tree as the rules of the protocol say it is, and the transaction log as it lies on disk: both written for the
checker alone, nothing is shared with the server.

    history = read_log(directory)            # {zxid: Txn} of all log files of one member
    tree = Tree(); tree.apply(txn); tree.digest
"""
import collections
import os
import struct
import zlib

from zkraw import Reader, Stat

CREATE, DELETE, SET, SET_ACL, CHECK, MULTI, CREATE2, ERROR = 1, 2, 5, 7, 13, 14, 15, -1
CREATE_SESSION, CLOSE_SESSION = -10, -11
CREATES = (CREATE, CREATE2)
NO_NODE, BAD_VERSION, NO_CHILDREN_FOR_EPHEMERALS, NODE_EXISTS, NOT_EMPTY = -101, -103, -108, -110, -111
AFTER_ERROR = -2

Txn = collections.namedtuple("Txn", "session cxid zxid time type body digest raw")


class BadLog(Exception):
    pass


def _body(kind, r):
    if kind in CREATES:
        return r.text(), r.bytes(), r.acls(), bool(r.byte()), r.int()
    if kind == DELETE:
        return (r.text(),)
    if kind in (SET, CHECK):
        return (r.text(), r.bytes(), r.int()) if kind == SET else (r.text(), r.int())
    if kind == ERROR:
        return (r.int(),)
    if kind == CREATE_SESSION:
        return (r.int(),)
    if kind == CLOSE_SESSION:
        return (r.vector(r.text),)
    if kind == MULTI:
        subs = []
        for _ in range(r.int()):
            sub = r.int()
            subs.append((sub, _body(sub, Reader(r.bytes()))))
        return (subs,)
    raise BadLog("a transaction of type %d" % kind)


def parse_txn(raw):
    r = Reader(raw)
    session, cxid, zxid, time, kind = r.long(), r.int(), r.long(), r.long(), r.int()
    body = _body(kind, r)
    digest = None
    if r.left() >= 12:
        assert r.int() == 2
        digest = r.long() & (2**64 - 1)
    return Txn(session, cxid, zxid, time, kind, body, digest, raw)


def read_file(path):
    """The records of one log file, up to its end; a torn record is an end."""
    with open(path, "rb") as f:
        data = f.read()
    if data[:4] != b"ZKLG":
        if len(data) < 16 or not any(data):
            return []
        raise BadLog("%s: no log" % path)
    at, out = 16, []
    while at + 12 <= len(data):
        checksum, n = struct.unpack_from(">qi", data, at)
        if n <= 0 or at + 12 + n + 1 > len(data) or data[at + 12 + n] != 0x42:
            break
        raw = data[at + 12 : at + 12 + n]
        if zlib.adler32(raw) != checksum:
            raise BadLog("%s: wrong checksum at %d" % (path, at))
        out.append(parse_txn(raw))
        at += 12 + n + 1
    return out


def _numbered(directory, kind):
    found = []
    for name in os.listdir(directory):
        parts = name.split(".")
        if parts[0] == kind and len(parts) == 2:
            found.append((int(parts[1], 16), os.path.join(directory, name)))
    return sorted(found)


def read_log(directory):
    """All records of version-2/log.*: a list in the order of the files."""
    return [t for _, path in _numbered(directory, "log") for t in read_file(path)]


def snapshots(directory):
    return [zxid for zxid, _ in _numbered(directory, "snapshot")]


class Node:
    __slots__ = ("data", "czxid", "mzxid", "pzxid", "ctime", "mtime", "version", "cversion", "owner", "children")

    def __init__(self, data=b"", zxid=0, time=0, owner=0):
        self.data = data
        self.czxid = self.mzxid = self.pzxid = zxid
        self.ctime = self.mtime = time
        self.version = self.cversion = 0
        self.owner = owner
        self.children = set()

    def digest(self, path):
        if path.startswith("/zookeeper/"):
            return 0
        numbers = (self.czxid, self.mzxid, self.pzxid, self.ctime, self.mtime, self.version, self.cversion, 0)
        fixed = struct.pack(">qqqqqiiiq", *numbers, self.owner)
        return zlib.crc32(("" if path == "/" else path).encode() + (self.data or b"") + fixed)

    def stat(self):
        n = len(self.children)
        return Stat(
            self.czxid,
            self.mzxid,
            self.ctime,
            self.mtime,
            self.version,
            2 * self.cversion - n,
            0,
            self.owner,
            len(self.data or b""),
            n,
            self.pzxid,
        )


def parent_of(path):
    return path.rsplit("/", 1)[0] or "/"


class Tree:
    def __init__(self):
        self.nodes = {"/": Node(), "/zookeeper": Node(), "/zookeeper/config": Node(), "/zookeeper/quota": Node()}
        self.nodes["/"].children = {"zookeeper"}
        self.nodes["/zookeeper"].children = {"config", "quota"}
        self.digest = sum(node.digest(path) for path, node in self.nodes.items())
        self.sessions = {}
        self.owned = collections.defaultdict(set)

    def _before(self, *paths):
        for path in paths:
            self.digest -= self.nodes[path].digest(path)

    def _after(self, *paths):
        for path in paths:
            self.digest += self.nodes[path].digest(path)
        self.digest &= 2**64 - 1

    # ---- what a request must give -------------------------------------------------------------------

    def plan(self, session, op, args):
        """What the leader must make of a request in this state: (type, body) of the transaction."""
        if op == "create":
            path, data, flags = args
            up = self.nodes.get(parent_of(path))
            if up is None:
                return ERROR, (NO_NODE,)
            if flags & 2:
                path += "%010d" % up.cversion
            if path in self.nodes:
                return ERROR, (NODE_EXISTS,)
            if up.owner:
                return ERROR, (NO_CHILDREN_FOR_EPHEMERALS,)
            return CREATE, (path, data, [(31, "world", "anyone")], bool(flags & 1), up.cversion + 1)
        if op == "multi":
            return MULTI, (self._plan_multi(session, args),)
        if op == "close":
            return CLOSE_SESSION, (sorted(self.owned[session]),)
        path, version = args[0], args[-1]
        node = self.nodes.get(path)
        if node is None:
            return ERROR, (NO_NODE,)
        if version not in (-1, node.version):
            return ERROR, (BAD_VERSION,)
        if op == "set":
            return SET, (path, args[1], node.version + 1)
        if op == "check":
            return CHECK, (path, node.version + 1)
        if node.children:
            return ERROR, (NOT_EMPTY,)
        return DELETE, (path,)

    def _plan_multi(self, session, subs):
        """Each part sees what those before it did: they are tried on copies of the few nodes they touch."""
        trial = Tree.__new__(Tree)
        trial.nodes, trial.owned, trial.digest = _Copy(self.nodes), _Copy(self.owned, set), 0
        out, failed = [], False
        for op, args in subs:
            if failed:
                out.append((ERROR, (AFTER_ERROR,)))
                continue
            kind, body = trial.plan(session, op, args)
            failed = kind == ERROR
            out.append((kind, body))
            if not failed:
                trial._apply_one(session, 0, 0, kind, body)
        return out

    # ---- what a transaction does ----------------------------------------------------------------------

    def apply(self, t):
        """Applies it; returns what happened to nodes, in order: ("created" | "deleted" | "changed", path)."""
        if t.type == CREATE_SESSION:
            self.sessions[t.session] = t.body[0]
        elif t.type == CLOSE_SESSION:
            self.sessions.pop(t.session, None)
            happened = []
            for path in t.body[0]:
                happened += self._delete(path, t.zxid)
            return happened
        elif t.type == MULTI:
            if all(kind != ERROR for kind, _ in t.body[0]):
                happened = []
                for kind, body in t.body[0]:
                    happened += self._apply_one(t.session, t.zxid, t.time, kind, body)
                return happened
        elif t.type != ERROR:
            return self._apply_one(t.session, t.zxid, t.time, t.type, t.body)
        return []

    def _apply_one(self, session, zxid, time, kind, body):
        if kind in CREATES:
            return self._create(session, zxid, time, body)
        if kind == DELETE:
            return self._delete(body[0], zxid)
        if kind == SET:
            node = self.nodes[body[0]]
            self._before(body[0])
            node.data, node.version, node.mzxid, node.mtime = body[1], body[2], zxid, time
            self._after(body[0])
            return [("changed", body[0])]
        return []

    def _create(self, session, zxid, time, body):
        path, data, _acl, ephemeral, cversion = body
        up = self.nodes[parent_of(path)]
        self._before(parent_of(path))
        up.cversion, up.pzxid = cversion, zxid
        up.children.add(path.rsplit("/", 1)[1])
        self.nodes[path] = Node(data, zxid, time, session if ephemeral else 0)
        if ephemeral:
            self.owned[session].add(path)
        self._after(parent_of(path), path)
        return [("created", path)]

    def _delete(self, path, zxid):
        node = self.nodes.get(path)
        if node is None:
            return []
        self._before(parent_of(path), path)
        up = self.nodes[parent_of(path)]
        up.children.discard(path.rsplit("/", 1)[1])
        up.pzxid = max(up.pzxid, zxid)
        if node.owner:
            self.owned[node.owner].discard(path)
        del self.nodes[path]
        self._after(parent_of(path))
        return [("deleted", path)]


class _Copy:
    """A mapping that leaves the one behind it as it is: what is looked at is copied first."""

    GONE = object()

    def __init__(self, behind, default=None):
        self.behind, self.default, self.mine = behind, default, {}

    def get(self, key):
        if key not in self.mine:
            there = self.behind.get(key)
            self.mine[key] = self.GONE if there is None else self._copy(there)
        value = self.mine[key]
        return None if value is self.GONE else value

    @staticmethod
    def _copy(there):
        if isinstance(there, set):
            return set(there)
        node = Node()
        for name in Node.__slots__:
            setattr(node, name, getattr(there, name))
        node.children = set(there.children)
        return node

    def __getitem__(self, key):
        value = self.get(key)
        if value is None and self.default is not None:
            value = self.mine[key] = self.default()
        return value

    def __setitem__(self, key, value):
        self.mine[key] = value

    def __delitem__(self, key):
        self.mine[key] = self.GONE

    def __contains__(self, key):
        return self.get(key) is not None
