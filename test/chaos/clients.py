"""Clients that do everything at once and write down all they send and see.

Each runs in a thread; the threads are spread over a few processes. A client sends small batches of requests, reads the
replies, moves to another member at random or when it must, takes its watches along with setWatches, closes its session
now and then, and begins anew when its session has expired.

What it records is a list of tuples, in the order of the connection:

    ("connect", member, session, timeout_ms, last_zxid, sent, got)
    ("send", xid, op, args, watch, sent)     op: create delete set multi close sync get exists ls set_watches
    ("reply", xid, zxid, err, result, got)
    ("event", type, path, zxid, got)
    ("gone", when)                           the connection ended; what was not answered stays unknown
    ("expired", session, when)
"""
import faulthandler
import multiprocessing
import os
import pickle
import random
import signal
import socket
import threading
import time

import zkraw
from zkraw import Reader, i32, i64, text, vector

PROCESSES = 2
END_S = 300  # a long campaign's records take long to write on a busy machine
TIMEOUT_MS = 4000
ANSWER_S = 3.0
ROOT = "/chaos"
KEYS = ["%s/k%d" % (ROOT, i) for i in range(12)]
PAIRS = [("%s/p%d" % (ROOT, i), "%s/q%d" % (ROOT, i)) for i in range(3)]
QUEUES = ["%s/queue%d" % (ROOT, i) for i in range(2)]
LASTING = [ROOT] + QUEUES

CREATE, DELETE, EXISTS, GET, SET, LS, SYNC, CHECK, MULTI = 1, 2, 3, 4, 5, 12, 9, 13, 14
CLOSE = zkraw.CLOSE_SESSION
SET_WATCHES_XID = -8
SESSION_ERRORS = (-112, -118)
WRITES_OF_STATE = ("create", "set", "delete", "multi")


def encode(op, args, watch):
    """The operation's number and the request's body."""
    if op == "create":
        path, data, flags = args
        return CREATE, text(path) + text(data) + zkraw.acls(zkraw.OPEN) + i32(flags)
    if op == "set":
        return SET, text(args[0]) + text(args[1]) + i32(args[2])
    if op in ("delete", "check"):
        return (DELETE if op == "delete" else CHECK), text(args[0]) + i32(args[1])
    if op == "multi":
        body = b""
        for sub, sub_args in args:
            number, sub_body = encode(sub, sub_args, False)
            body += i32(number) + b"\0" + i32(-1) + sub_body
        return MULTI, body + i32(-1) + b"\1" + i32(-1)
    if op == "close":
        return CLOSE, b""
    if op == "sync":
        return SYNC, text(args[0])
    if op == "set_watches":
        zxid, data, exist, child = args
        return zkraw.SET_WATCHES, i64(zxid) + vector(data) + vector(exist) + vector(child)
    return {"get": GET, "exists": EXISTS, "ls": LS}[op], text(args[0]) + bytes([watch])


def decode(op, body):
    r = Reader(body)
    if op in ("create", "sync"):
        return r.text()
    if op in ("set", "exists"):
        return r.stat()
    if op == "get":
        return r.bytes(), r.stat()
    if op == "ls":
        return tuple(sorted(r.vector(r.text))), r.stat()
    if op == "multi":
        return tuple(zkraw.Client._results(r))
    return None


class Lost(Exception):
    pass


class Client:
    """ports: client ports of the members. It stops when `stop` is set."""

    def __init__(self, number, ports, seed, stop, pace_s):
        self.number, self.ports, self.stop, self.pace_s = number, ports, stop, pace_s
        self.random = random.Random(seed)
        self.log = []
        self.count = 0
        self.at = number % len(ports)
        self.sock = None
        self.forget_session()

    def forget_session(self):
        self.session, self.password, self.xid, self.last_zxid = 0, b"\0" * 16, 0, 0
        self.versions = {}
        self.armed = {"data": set(), "exist": set(), "child": set()}

    # ---- the connection -------------------------------------------------------------------------------

    def connect(self):
        sent = time.monotonic()
        self.buffer = b""
        self.pending = []
        self.sock = socket.create_connection(("127.0.0.1", self.ports[self.at]), timeout=ANSWER_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        first = zkraw.connect_request(TIMEOUT_MS, self.session, self.password, self.last_zxid)
        self.sock.sendall(i32(len(first)) + first)
        r = Reader(self.frame())
        _, granted_ms, session, password = r.int(), r.int(), r.long(), r.bytes()
        if granted_ms <= 0:
            self.log.append(("expired", self.session, time.monotonic()))
            self.forget_session()
            raise Lost()
        self.session, self.password = session, password
        self.log.append(("connect", self.at, session, granted_ms, self.last_zxid, sent, time.monotonic()))
        if any(self.armed.values()):
            lists = [sorted(self.armed[k]) for k in ("data", "exist", "child")]
            self.send("set_watches", (self.last_zxid, *lists), xid=SET_WATCHES_XID)
            self.drain()

    def disconnect(self):
        if self.sock is not None:
            self.sock.close()
            self.sock = None
            self.log.append(("gone", time.monotonic()))

    def frame(self):
        while True:
            if len(self.buffer) >= 4:
                n = int.from_bytes(self.buffer[:4], "big")
                if len(self.buffer) >= 4 + n:
                    out, self.buffer = self.buffer[4 : 4 + n], self.buffer[4 + n :]
                    return out
            piece = self.sock.recv(65536)
            if not piece:
                raise Lost()
            self.buffer += piece

    def send(self, op, args, watch=False, xid=None):
        if xid is None:
            self.xid += 1
            xid = self.xid
        number, body = encode(op, args, watch)
        self.pending.append((xid, op, args, watch))
        self.log.append(("send", xid, op, args, watch, time.monotonic()))
        frame = i32(xid) + i32(number) + body
        self.sock.sendall(i32(len(frame)) + frame)

    def drain(self, limit=0):
        """Takes replies until at most `limit` requests wait for theirs."""
        while len(self.pending) > limit:
            self.take()

    def take(self):
        frame = self.frame()
        got = time.monotonic()
        r = Reader(frame)
        xid, zxid, err = r.int(), r.long(), r.int()
        if xid == -1:
            kind, _state, path = r.int(), r.int(), r.text()
            self.log.append(("event", kind, path, zxid, got))
            self.spend(kind, path)
            return
        if not self.pending or self.pending[0][0] != xid:
            self.log.append(("wrong", "reply to %d, not to %r" % (xid, self.pending[:1]), got))
            raise Lost()
        _, op, args, watch = self.pending.pop(0)
        result = decode(op, frame[16:]) if err == 0 and len(frame) > 16 else None
        self.log.append(("reply", xid, zxid, err, result, got))
        self.last_zxid = max(self.last_zxid, zxid)
        if err in SESSION_ERRORS:
            raise Lost()
        self.learn(op, args, watch, err, result)

    def spend(self, kind, path):
        if kind == zkraw.CHILD:
            self.armed["child"].discard(path)
        else:
            self.armed["data"].discard(path)
            self.armed["exist"].discard(path)
            if kind == zkraw.DELETED:
                self.armed["child"].discard(path)

    def learn(self, op, args, watch, err, result):
        if watch and op == "exists" and err in (0, zkraw.NO_NODE):
            if args[0] not in self.armed["data"] and args[0] not in self.armed["exist"]:
                self.armed["data" if err == 0 else "exist"].add(args[0])
        elif watch and err == 0:
            kind = "child" if op == "ls" else "data"
            self.armed[kind].add(args[0])
            if kind == "data":
                self.armed["exist"].discard(args[0])
        if err == 0 and op == "get":
            self.versions[args[0]] = result[1].version
        elif err == 0 and op in ("set", "exists"):
            self.versions[args[0]] = result.version

    # ---- what it does ---------------------------------------------------------------------------------

    def value(self):
        self.count += 1
        return b"%d.%d:" % (self.number, self.count) + b"v" * self.random.randrange(120)

    def version(self, path):
        if self.random.random() < 0.5:
            return -1
        return self.versions.get(path, 0)

    def write(self):
        r = self.random
        path, dice = r.choice(KEYS), r.random()
        if dice < 0.4:
            return "set", (path, self.value(), self.version(path))
        if dice < 0.55:
            flags = r.choice((0, 0, 1))
            return "create", (path, self.value(), flags)
        if dice < 0.65:
            return "delete", (path, self.version(path))
        if dice < 0.75:
            return "create", (r.choice(QUEUES) + "/n", self.value(), r.choice((2, 3)))
        if dice < 0.82 and self.last_made:
            return "delete", (self.last_made.pop(), -1)
        if dice < 0.85:
            return "create", (path + "/below", self.value(), 0)
        if dice < 0.87:
            return "delete", (path + "/below", -1)
        return self.several()

    def several(self):
        r = self.random
        a, b = r.choice(PAIRS)
        dice = r.random()
        if dice < 0.4:
            value = self.value()
            return "multi", (("set", (a, value, -1)), ("set", (b, value, -1)))
        if dice < 0.6:
            value = self.value()
            return "multi", (("create", (a, value, 0)), ("create", (b, value, 0)))
        if dice < 0.7:
            return "multi", (("delete", (a, -1)), ("delete", (b, -1)))
        if dice < 0.85:
            queue = r.choice(QUEUES)
            return "multi", tuple(("create", (queue + "/m", self.value(), 2)) for _ in range(r.randrange(1, 4)))
        key = r.choice(KEYS)
        return "multi", (("check", (key, self.version(key))), ("set", (key, self.value(), -1)))

    def read(self):
        r = self.random
        watch = r.random() < 0.4
        path = r.choice(KEYS + [p for pair in PAIRS for p in pair])
        dice = r.random()
        if dice < 0.5:
            return "get", (path,), watch
        if dice < 0.75:
            return "exists", (path,), watch
        return "ls", (r.choice([ROOT, path] + QUEUES),), watch

    def batch(self):
        for _ in range(self.random.choice((1, 1, 1, 2, 4, 8))):
            dice = self.random.random()
            if dice < 0.5:
                op, args = self.write()
                self.send(op, args)
            elif dice < 0.6:
                self.send("sync", (ROOT,))
                self.send(*self.read())
            else:
                self.send(*self.read())
        self.drain()
        self.pick_names()

    def pick_names(self):
        """Remembers some sequential nodes of its own, to delete them later."""
        for row in self.log[-16:]:
            if row[0] == "reply" and isinstance(row[4], str) and "/queue" in row[4] and row[4] not in self.picked:
                self.picked.add(row[4])
                self.last_made.append(row[4])

    def step(self):
        if self.sock is None:
            self.connect()
        self.batch()
        dice = self.random.random()
        if dice < 0.004:
            self.send("close", ())
            self.drain()
            self.disconnect()
            self.forget_session()
        elif dice < 0.02:
            # Moves while requests are on their way: their fate is unknown to it.
            for _ in range(self.random.randrange(3)):
                self.send(*self.write())
            self.move()

    def move(self):
        self.disconnect()
        self.at = self.random.randrange(len(self.ports))

    def run(self):
        self.last_made, self.picked = [], set()
        while not self.stop.is_set():
            try:
                self.step()
                self.stop.wait(self.pace_s * self.random.random() * 2)
            except (OSError, Lost):
                self.move()
                self.stop.wait(0.02 + 0.08 * self.random.random())
        self.end()

    def end(self):
        """Half of the clients close their session, the others leave it to expire."""
        try:
            if self.sock is not None and self.number % 2 == 0:
                self.send("close", ())
                self.drain()
        except (OSError, Lost):
            pass
        self.disconnect()


def _run_some(numbers, ports, seed, stop, pace_s, out):
    faulthandler.register(signal.SIGUSR1)
    clients = [Client(n, ports, seed * 1000 + n, stop, pace_s) for n in numbers]
    threads = [threading.Thread(target=c.run) for c in clients]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    with open(out, "wb") as f:
        pickle.dump({c.number: c.log for c in clients}, f)


class Crowd:
    """count clients at work, from begin() to end(), which returns {number: record}."""

    def __init__(self, count, ports, seed, directory, pace_s=0.008):
        context = multiprocessing.get_context("fork")
        self.stop = context.Event()
        self.outs = ["%s/clients%d" % (directory, i) for i in range(PROCESSES)]
        self.processes = []
        for i, out in enumerate(self.outs):
            numbers = range(i, count, PROCESSES)
            self.processes.append(
                context.Process(target=_run_some, args=(numbers, ports, seed, self.stop, pace_s, out), daemon=True)
            )

    def begin(self):
        for p in self.processes:
            p.start()

    def end(self):
        self.stop.set()
        found = {}
        for p, out in zip(self.processes, self.outs):
            p.join(END_S)
            if p.exitcode is None:
                os.kill(p.pid, signal.SIGUSR1)  # it tells where its threads stand
                p.join(2)
                raise RuntimeError("clients have not ended in %d s; where they stand is told above" % END_S)
            if p.exitcode != 0:
                raise RuntimeError("a process of clients ended with %r" % p.exitcode)
            with open(out, "rb") as f:
                found.update(pickle.load(f))
        return found
