"""A ZooKeeper client of raw sockets for tests: it sends what it is told, right or wrong, and hides
nothing.

Every request returns a Reply (header fields, a decoded body where the operation has one) and never
raises for a server-side error. Watch events that arrive before a reply are kept in `events`, in
order.
"""
import base64
import collections
import hashlib
import select
import socket
import ssl
import struct
import time

# How long anything is waited for that is sure to come: it ends a hang and measures nothing, so it is far above what a
# busy machine with a disk that stalls makes of it.
SECONDS = 60

# Ports of Apache's servers in ensembles. Their CommitProcessor looks whether there is something to do, and only then
# takes the lock under which it sleeps: what is committed in between wakes nobody, and its client waits until the next
# request or commit comes by (3.8.0: CommitProcessor.run). Real clients ping; here somebody else asks for something.
SLEEPY = set()
NUDGE_AFTER_S = 3
NUDGE_TRANSACTIONS = 2  # a session begins and ends
nudges = [0]

CREATE, DELETE, EXISTS, GET_DATA, SET_DATA, GET_ACL, SET_ACL, GET_CHILDREN, SYNC = (
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
)
PING, GET_CHILDREN2, CHECK, MULTI, CREATE2, RECONFIG, CHECK_WATCHES, REMOVE_WATCHES = (
    11,
    12,
    13,
    14,
    15,
    16,
    17,
    18,
)
CREATE_CONTAINER, DELETE_CONTAINER, CREATE_TTL, MULTI_READ = 19, 20, 21, 22
AUTH, SET_WATCHES, SASL, GET_EPHEMERALS, ALL_CHILDREN_NUMBER, SET_WATCHES2 = (
    100,
    101,
    102,
    103,
    104,
    105,
)
ADD_WATCH, WHO_AM_I, CREATE_SESSION, CLOSE_SESSION = 106, 107, -10, -11

OK, MARSHALLING, UNIMPLEMENTED, BAD_ARGUMENTS = 0, -5, -6, -8
RUNTIME_INCONSISTENCY, NO_NODE, NO_AUTH, BAD_VERSION = -2, -101, -102, -103
NO_CHILDREN_FOR_EPHEMERALS, NODE_EXISTS, NOT_EMPTY, INVALID_ACL, AUTH_FAILED = (
    -108,
    -110,
    -111,
    -114,
    -115,
)
NO_WATCHER, RECONFIG_DISABLED, QUOTA_EXCEEDED = -121, -123, -125

PERSISTENT, EPHEMERAL, SEQUENTIAL, EPHEMERAL_SEQUENTIAL, CONTAINER, TTL, TTL_SEQUENTIAL = range(7)
CREATED, DELETED, CHANGED, CHILD = 1, 2, 3, 4
READ, WRITE, CREATE_PERM, DELETE_PERM, ADMIN, ALL = 1, 2, 4, 8, 16, 31
OPEN = [(ALL, "world", "anyone")]

Stat = collections.namedtuple(
    "Stat", "czxid mzxid ctime mtime version cversion aversion owner length children pzxid"
)
Event = collections.namedtuple("Event", "type path zxid state")


def i32(x):
    return struct.pack(">i", x)


def i64(x):
    return struct.pack(">q", x)


def text(s):
    """A ustring or a buffer: they have the same layout; None is null."""
    if s is None:
        return i32(-1)
    s = s.encode() if isinstance(s, str) else s
    return i32(len(s)) + s


def vector(items, f=text):
    return i32(-1) if items is None else i32(len(items)) + b"".join(f(x) for x in items)


def acls(entries):
    return vector(entries, lambda a: i32(a[0]) + text(a[1]) + text(a[2]))


def digest_id(user, password):
    secret = hashlib.sha1(("%s:%s" % (user, password)).encode()).digest()
    return "%s:%s" % (user, base64.b64encode(secret).decode())


def session_password(session_id):
    """The 16 bytes that java.util.Random gives for a session id (seed: id xor 0xB3415C00)."""
    state = ((session_id & (2**64 - 1)) ^ 0xB3415C00 ^ 0x5DEECE66D) & (2**48 - 1)
    out = b""
    for _ in range(4):
        state = (state * 0x5DEECE66D + 0xB) & (2**48 - 1)
        out += struct.pack("<I", state >> 16)
    return out


class Reader:
    def __init__(self, data, pos=0):
        self.data, self.pos = data, pos

    def _take(self, fmt, size):
        value = struct.unpack_from(fmt, self.data, self.pos)[0]
        self.pos += size
        return value

    def int(self):
        return self._take(">i", 4)

    def long(self):
        return self._take(">q", 8)

    def byte(self):
        return self._take(">B", 1)

    def bytes(self):
        n = self.int()
        if n < 0:
            return None
        self.pos += n
        assert self.pos <= len(self.data), "buffer runs over the end of the frame"
        return self.data[self.pos - n : self.pos]

    def text(self):
        raw = self.bytes()
        return None if raw is None else raw.decode()

    def vector(self, f):
        n = self.int()
        return None if n < 0 else [f() for _ in range(n)]

    def stat(self):
        return Stat(
            self.long(),
            self.long(),
            self.long(),
            self.long(),
            self.int(),
            self.int(),
            self.int(),
            self.long(),
            self.int(),
            self.int(),
            self.long(),
        )

    def acls(self):
        return self.vector(lambda: (self.int(), self.text(), self.text()))

    def left(self):
        return len(self.data) - self.pos


class Reply:
    """xid, zxid, err of the header; the decoded body in the fields named by the operation."""

    def __init__(self, frame):
        self.frame = frame
        r = Reader(frame)
        self.xid, self.zxid, self.err = r.int(), r.long(), r.int()
        self.body = frame[16:]
        self.path = (
            self.data
        ) = self.stat = self.children = self.acl = self.results = self.value = None

    def __repr__(self):
        return "Reply(xid=%d, zxid=%#x, err=%d, body=%s)" % (
            self.xid,
            self.zxid,
            self.err,
            self.body.hex(),
        )


class Closed(Exception):
    """The server closed the connection."""


class Connection:
    """A TCP connection and the frames on it, without a handshake of its own."""

    def __init__(self, port, seconds=SECONDS, host="127.0.0.1", tls=None):
        """tls: an ssl.SSLContext, for a port that speaks it."""
        self.seconds = seconds
        self.port = port
        self.sock = socket.create_connection((host, port), timeout=seconds)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")

    def send_bytes(self, data):
        self.sock.sendall(data)

    def send_frame(self, payload):
        self.sock.sendall(i32(len(payload)) + payload)

    def _await(self):
        """Until there is something to read, which a sleeping server is woken for; or as long as a read would wait."""
        if self.port not in SLEEPY or isinstance(self.sock, ssl.SSLSocket):
            return
        deadline = time.monotonic() + (self.sock.gettimeout() or SECONDS)
        while time.monotonic() + NUDGE_AFTER_S < deadline:
            if select.select([self.sock], [], [], NUDGE_AFTER_S)[0]:
                return
            nudge(self.port)

    def _read(self, n):
        out = b""
        while len(out) < n:
            self._await()
            try:
                piece = self.sock.recv(n - len(out))
            except ConnectionError:
                piece = b""
            if not piece:
                raise Closed("connection closed by the server")
            out += piece
        return out

    def recv_frame(self):
        n = struct.unpack(">i", self._read(4))[0]
        return self._read(n)

    def closed_by_peer(self, seconds=SECONDS):
        """True when the next thing that arrives is the end of the connection."""
        self.sock.settimeout(seconds)
        try:
            return self.sock.recv(1) == b""
        except ConnectionError:
            return True
        except socket.timeout:
            return False

    def drop(self):
        """Closes the socket and nothing else: the session lives on."""
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.drop()


def nudge(port):
    """A session that begins and ends."""
    nudges[0] += 1
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as s:
            for payload in (connect_request(2000), i32(1) + i32(CLOSE_SESSION)):
                s.sendall(i32(len(payload)) + payload)
                s.recv(1000)
    except OSError:
        pass


def connect_request(
    timeout_ms=10000, session_id=0, password=b"\0" * 16, last_zxid=0, read_only=False, protocol=0
):
    return (
        i32(protocol)
        + i64(last_zxid)
        + i32(timeout_ms)
        + i64(session_id)
        + text(password)
        + (b"" if read_only is None else bytes([bool(read_only)]))
    )


class Client(Connection):
    """A connection with a session. `granted_ms` is 0 when the server refused it."""

    def __init__(self, port, timeout_ms=30000, seconds=SECONDS, tls=None, **request):
        super().__init__(port, seconds, tls=tls)
        self.xid = 0
        self.events = []
        self.send_frame(connect_request(timeout_ms, **request))
        self.connect_frame = self.recv_frame()
        r = Reader(self.connect_frame)
        self.protocol, self.granted_ms, self.session_id, self.password = (
            r.int(),
            r.int(),
            r.long(),
            r.bytes(),
        )
        self.has_read_only = r.left() == 1

    # -- plumbing ----------------------------------------------------------------------------------

    def send(self, op, body=b"", xid=None):
        if xid is None:
            self.xid += 1
            xid = self.xid
        self.send_frame(i32(xid) + i32(op) + body)
        return xid

    def recv(self):
        """The next reply; events before it go to `events`."""
        while True:
            reply = Reply(self.recv_frame())
            if reply.xid == -1:
                r = Reader(reply.body)
                kind, state, path = r.int(), r.int(), r.text()
                self.events.append(Event(kind, path, reply.zxid, state))
                continue
            return reply

    def call(self, op, body=b"", xid=None):
        xid = self.send(op, body, xid)
        reply = self.recv()
        assert reply.xid == xid or op in (PING,), "reply %r to request %d" % (reply, xid)
        return reply

    def take_events(self):
        """Events so far as (type, path), and forgets them. A ping is sent first: what was before it
        is here then.
        """
        self.ping()
        return self.drop_events()

    def drop_events(self):
        out = [(e.type, e.path) for e in self.events]
        self.events = []
        return out

    def wait_events(self, count, seconds=SECONDS):
        """Waits for `count` events without sending anything that would keep the session alive."""
        deadline = time.monotonic() + seconds
        while len(self.events) < count:
            self.sock.settimeout(max(0.01, deadline - time.monotonic()))
            reply = Reply(self.recv_frame())
            assert reply.xid == -1, "unexpected %r" % reply
            r = Reader(reply.body)
            kind, state, path = r.int(), r.int(), r.text()
            self.events.append(Event(kind, path, reply.zxid, state))
        self.sock.settimeout(self.seconds)
        return self.drop_events()

    # -- operations --------------------------------------------------------------------------------

    def create(self, path, data=b"", acl=OPEN, flags=0, op=CREATE, ttl=None):
        if ttl is not None and op == CREATE:
            op = CREATE_TTL
        body = text(path) + text(data) + acls(acl) + i32(flags) + (b"" if ttl is None else i64(ttl))
        reply = self.call(op, body)
        if reply.err == 0:
            r = Reader(reply.body)
            reply.path = r.text()
            if op != CREATE:
                reply.stat = r.stat()
            assert r.left() == 0
        return reply

    def create2(self, path, data=b"", acl=OPEN, flags=0):
        return self.create(path, data, acl, flags, CREATE2)

    def container(self, path, data=b"", acl=OPEN, flags=CONTAINER):
        return self.create(path, data, acl, flags, CREATE_CONTAINER)

    def ttl(self, path, ttl, data=b"", acl=OPEN, flags=TTL):
        return self.create(path, data, acl, flags, CREATE_TTL, ttl)

    def delete(self, path, version=-1):
        return self.call(DELETE, text(path) + i32(version))

    def _stat_call(self, op, body):
        reply = self.call(op, body)
        if reply.err == 0:
            r = Reader(reply.body)
            reply.stat = r.stat()
            assert r.left() == 0
        return reply

    def exists(self, path, watch=False):
        return self._stat_call(EXISTS, text(path) + bytes([watch]))

    def set(self, path, data=b"", version=-1):
        return self._stat_call(SET_DATA, text(path) + text(data) + i32(version))

    def set_acl(self, path, acl, version=-1):
        return self._stat_call(SET_ACL, text(path) + acls(acl) + i32(version))

    def get(self, path, watch=False):
        reply = self.call(GET_DATA, text(path) + bytes([watch]))
        if reply.err == 0:
            r = Reader(reply.body)
            reply.data, reply.stat = r.bytes(), r.stat()
            assert r.left() == 0
        return reply

    def get_acl(self, path):
        reply = self.call(GET_ACL, text(path))
        if reply.err == 0:
            r = Reader(reply.body)
            reply.acl, reply.stat = r.acls(), r.stat()
            assert r.left() == 0
        return reply

    def ls(self, path, watch=False):
        reply = self.call(GET_CHILDREN, text(path) + bytes([watch]))
        if reply.err == 0:
            r = Reader(reply.body)
            reply.children = sorted(r.vector(r.text))
            assert r.left() == 0
        return reply

    def ls2(self, path, watch=False):
        reply = self.call(GET_CHILDREN2, text(path) + bytes([watch]))
        if reply.err == 0:
            r = Reader(reply.body)
            reply.children, reply.stat = sorted(r.vector(r.text)), r.stat()
            assert r.left() == 0
        return reply

    def sync(self, path):
        reply = self.call(SYNC, text(path))
        if reply.err == 0:
            reply.path = Reader(reply.body).text()
        return reply

    def all_children_number(self, path):
        reply = self.call(ALL_CHILDREN_NUMBER, text(path))
        if reply.err == 0:
            reply.value = Reader(reply.body).int()
        return reply

    def ephemerals(self, prefix):
        reply = self.call(GET_EPHEMERALS, text(prefix))
        if reply.err == 0:
            r = Reader(reply.body)
            reply.children = sorted(r.vector(r.text))
        return reply

    def check(self, path, version=-1):
        return self.call(CHECK, text(path) + i32(version))

    def add_watch(self, path, mode):
        return self.call(ADD_WATCH, text(path) + i32(mode))

    def remove_watches(self, path, kind):
        return self.call(REMOVE_WATCHES, text(path) + i32(kind))

    def check_watches(self, path, kind):
        return self.call(CHECK_WATCHES, text(path) + i32(kind))

    def set_watches(self, zxid, data=(), exist=(), child=()):
        return self.call(
            SET_WATCHES, i64(zxid) + vector(data) + vector(exist) + vector(child), xid=-8
        )

    def set_watches2(self, zxid, data=(), exist=(), child=(), persistent=(), recursive=()):
        lists = b"".join(vector(x) for x in (data, exist, child, persistent, recursive))
        return self.call(SET_WATCHES2, i64(zxid) + lists, xid=-8)

    def who_am_i(self):
        reply = self.call(WHO_AM_I)
        if reply.err == 0:
            r = Reader(reply.body)
            reply.value = sorted(r.vector(lambda: (r.text(), r.text())))
        return reply

    def auth(self, scheme, data):
        return self.call(AUTH, i32(0) + text(scheme) + text(data), xid=-4)

    def reconfig(self, joining=None, leaving=None, members=None, version=-1):
        return self.call(RECONFIG, text(joining) + text(leaving) + text(members) + i64(version))

    def ping(self):
        return self.call(PING, xid=-2)

    def close(self):
        """closeSession, then the server's end of the connection."""
        reply = self.call(CLOSE_SESSION)
        self.sock.close()
        return reply

    def multi(self, ops, op=MULTI):
        """ops: list of (opcode, body). results: list of (type, err, decoded...)."""
        body = b"".join(i32(kind) + b"\0" + i32(-1) + sub for kind, sub in ops)
        reply = self.call(op, body + i32(-1) + b"\1" + i32(-1))
        if reply.err == 0 or reply.body:
            reply.results = self._results(Reader(reply.body))
        return reply

    @staticmethod
    def _results(r):
        out = []
        while True:
            kind, done, err = r.int(), r.byte(), r.int()
            if done:
                assert (kind, done, err) == (-1, 1, -1) and r.left() == 0
                return out
            if kind == -1:
                assert r.int() == err
                out.append((-1, err))
            elif kind == CREATE:
                out.append((kind, err, r.text()))
            elif kind == CREATE2:
                out.append((kind, err, r.text(), r.stat()))
            elif kind == SET_DATA:
                out.append((kind, err, r.stat()))
            elif kind == GET_CHILDREN:
                out.append((kind, err, sorted(r.vector(r.text))))
            elif kind == GET_DATA:
                out.append((kind, err, r.bytes(), r.stat()))
            else:
                assert kind in (DELETE, CHECK), "result of kind %d" % kind
                out.append((kind, err))


# Sub-operations of multi.


def m_create(path, data=b"", acl=OPEN, flags=0, op=CREATE):
    return op, text(path) + text(data) + acls(acl) + i32(flags)


def m_create_ttl(path, ttl, data=b"", acl=OPEN, flags=TTL):
    return CREATE_TTL, text(path) + text(data) + acls(acl) + i32(flags) + i64(ttl)


def m_delete(path, version=-1):
    return DELETE, text(path) + i32(version)


def m_set(path, data=b"", version=-1):
    return SET_DATA, text(path) + text(data) + i32(version)


def m_check(path, version=-1):
    return CHECK, text(path) + i32(version)


def m_get(path, watch=False):
    return GET_DATA, text(path) + bytes([watch])


def m_ls(path, watch=False):
    return GET_CHILDREN, text(path) + bytes([watch])
