"""Random operations against a small model of the tree: every error code, Stat, list of children and
zxid must agree.

The model is the specification in Python: what a request answers depends on the tree alone, and the
tree on the writes before it. Several sessions take turns, multis are mixed in, sessions end, and at
last the server is killed and must come back with the same tree.
"""
import random

import pytest

import zkraw
from zkraw import (
    BAD_ARGUMENTS,
    BAD_VERSION,
    EPHEMERAL,
    NO_CHILDREN_FOR_EPHEMERALS,
    NO_NODE,
    NODE_EXISTS,
    NOT_EMPTY,
    RUNTIME_INCONSISTENCY,
    SEQUENTIAL,
    Client,
    m_check,
    m_create,
    m_delete,
    m_set,
)

STEPS = 500


class Node:
    def __init__(self, data, zxid, owner):
        self.data, self.owner = data, owner
        self.czxid = self.mzxid = self.pzxid = zxid
        self.version = self.aversion = self.created = 0
        self.children = set()

    def stat(self):
        cversion = 2 * self.created - len(self.children)
        return (
            self.czxid,
            self.mzxid,
            self.version,
            cversion,
            self.aversion,
            self.owner,
            len(self.data or b""),
            len(self.children),
            self.pzxid,
        )

    def copy(self):
        other = Node(self.data, 0, self.owner)
        other.__dict__.update(self.__dict__, children=set(self.children))
        return other


def visible(stat):
    """A Stat without its times."""
    return stat[:2] + stat[4:]


def parent_of(path):
    return path.rsplit("/", 1)[0] or "/"


class Model:
    def __init__(self, zxid):
        self.zxid = zxid
        self.nodes = {"/": Node(b"", 0, 0)}

    def write(self, op, session):
        """Every write takes a zxid, also one that fails."""
        self.zxid += 1
        return self.apply(op, session)

    def apply(self, op, session):
        """(error, path or None) of one write; nothing changes on an error."""
        kind, path = op[0], op[1]
        node = self.nodes.get(path)
        if kind == "create":
            _, _, data, flags = op
            parent = self.nodes.get(parent_of(path))
            if parent is None:
                return NO_NODE, None
            if flags in (2, 3):
                path += "%010d" % parent.created
            if path in self.nodes:
                return NODE_EXISTS, None
            if parent.owner:
                return NO_CHILDREN_FOR_EPHEMERALS, None
            self.nodes[path] = Node(data, self.zxid, session if flags in (1, 3) else 0)
            parent.children.add(path.rsplit("/", 1)[1])
            parent.created += 1
            parent.pzxid = self.zxid
            return 0, path
        if kind == "delete":
            if path == "/":
                return BAD_ARGUMENTS, None
            if parent_of(path) not in self.nodes or node is None:
                return NO_NODE, None
            if op[2] not in (-1, node.version):
                return BAD_VERSION, None
            if node.children:
                return NOT_EMPTY, None
            self.remove(path)
            return 0, None
        if node is None:
            return NO_NODE, None
        if kind == "check":
            return (0 if op[2] in (-1, node.version) else BAD_VERSION), None
        if kind == "set":
            if op[3] not in (-1, node.version):
                return BAD_VERSION, None
            node.data, node.mzxid = op[2], self.zxid
            node.version += 1
            return 0, None
        assert kind == "setacl"
        if op[2] not in (-1, node.aversion):
            return BAD_VERSION, None
        node.aversion += 1
        return 0, None

    def remove(self, path):
        del self.nodes[path]
        parent = self.nodes[parent_of(path)]
        parent.children.discard(path.rsplit("/", 1)[1])
        parent.pzxid = max(parent.pzxid, self.zxid)

    def multi(self, ops, session):
        """The list of error codes; all or nothing."""
        self.zxid += 1
        saved = {path: node.copy() for path, node in self.nodes.items()}
        codes, paths = [], []
        for op in ops:
            err, path = self.apply(op, session)
            codes.append(err)
            paths.append(path)
            if err:
                self.nodes = saved
                return [0] * (len(codes) - 1) + [err] + [RUNTIME_INCONSISTENCY] * (
                    len(ops) - len(codes)
                ), None
        return codes, paths

    def end(self, session):
        self.zxid += 1
        for path in [p for p, n in self.nodes.items() if n.owner == session]:
            self.remove(path)


class Run:
    def __init__(self, srv, seed):
        self.rng = random.Random(seed)
        self.srv = srv
        self.clients = [Client(srv.port, 40000)]
        zk = self.clients[0]
        self.base = "/m%d" % seed
        assert zk.create(self.base).err == 0
        self.model = Model(zk.ping().zxid)
        self.model.nodes["/"].pzxid = self.model.zxid
        # The run lives below its own node, which the model calls "/".
        node = self.model.nodes["/"]
        node.czxid = node.mzxid = node.pzxid = self.model.zxid
        self.names = ["a", "b", "c"]

    def real(self, path):
        return self.base if path == "/" else self.base + path

    def path(self):
        """A path that is likely to be there, or one beside it."""
        known = [p for p in self.model.nodes]
        path = self.rng.choice(known)
        if self.rng.random() < 0.5 and path.count("/") < 4:
            path = path.rstrip("/") + "/" + self.rng.choice(self.names)
        return path

    def version(self, current):
        return self.rng.choice([-1, -1, current, current, current + 1, 0, -2])

    def operation(self, in_multi):
        path = self.path()
        node = self.model.nodes.get(path)
        kinds = (
            ["create"] * 5 + ["delete"] * 3 + ["set"] * 3 + (["check"] if in_multi else ["setacl"])
        )
        kind = self.rng.choice(kinds)
        data = self.rng.choice(
            [None, b"", b"x", b"some data", bytes(self.rng.randrange(256) for _ in range(50))]
        )
        if kind == "create":
            if path == "/" or self.rng.random() < 0.5:
                path = path.rstrip("/") + "/" + self.rng.choice(self.names)
            return kind, path, data, self.rng.choice([0, 0, 0, EPHEMERAL, SEQUENTIAL, 3])
        if kind == "set":
            return kind, path, data, self.version(node.version if node else 0)
        if kind == "setacl":
            return kind, path, self.version(node.aversion if node else 0)
        if kind == "delete" and path == "/":
            return "check" if in_multi else "delete", "/none/x", -1
        return kind, path, self.version(node.version if node else 0)

    def send(self, client, op):
        kind, path = op[0], self.real(op[1])
        if kind == "create":
            return client.create(
                path, op[2], flags=op[3], op=self.rng.choice([zkraw.CREATE, zkraw.CREATE2])
            )
        if kind == "delete":
            return client.delete(path, op[2])
        if kind == "set":
            return client.set(path, op[2], op[3])
        return client.set_acl(path, zkraw.OPEN, op[2])

    def single(self, client):
        op = self.operation(False)
        reply = self.send(client, op)
        err, path = self.model.write(op, client.session_id)
        assert (reply.err, reply.zxid) == (err, self.model.zxid), op
        if reply.path is not None:
            assert reply.path == self.real(path), op
        if reply.stat is not None:
            assert visible(reply.stat) == self.model.nodes[path or op[1]].stat(), op

    def multi(self, client):
        # Later operations are drawn from the tree as it is before; so some of them fail, which is
        # wanted.
        ops = [self.operation(True) for _ in range(self.rng.randrange(1, 6))]
        reply = client.multi([self.sub(o) for o in ops])
        codes, paths = self.model.multi(ops, client.session_id)
        assert (reply.err, reply.zxid) == (0, self.model.zxid)
        assert [r[1] for r in reply.results] == codes, ops
        if paths is not None:
            for result, path in zip(reply.results, paths):
                assert path is None or result[2] == self.real(path), ops

    def read(self, client):
        path = self.path()
        node = self.model.nodes.get(path)
        real = self.real(path)
        for reply in (client.exists(real), client.get(real), client.ls2(real)):
            assert (reply.err, reply.zxid) == (0 if node else NO_NODE, self.model.zxid)
            if node:
                assert visible(reply.stat) == node.stat(), path
        if node:
            assert client.get(real).data == node.data
            assert client.ls(real).children == sorted(node.children)

    def sessions(self):
        if len(self.clients) < 4 and self.rng.random() < 0.6:
            self.clients.append(Client(self.srv.port, 40000))
            self.model.zxid += 1
        elif len(self.clients) > 1:
            client = self.clients.pop(self.rng.randrange(1, len(self.clients)))
            self.model.end(client.session_id)
            assert client.close().zxid == self.model.zxid

    def step(self):
        what = self.rng.random()
        client = self.rng.choice(self.clients)
        if what < 0.5:
            self.single(client)
        elif what < 0.7:
            self.multi(client)
        elif what < 0.96:
            self.read(client)
        else:
            self.sessions()

    def body_of(self, op):
        """(opcode, body) of a single write, made by the builders of multi's sub-operations."""
        if op[0] == "setacl":
            return zkraw.SET_ACL, zkraw.text(self.real(op[1])) + zkraw.acls(zkraw.OPEN) + zkraw.i32(
                op[2]
            )
        return self.sub(op)

    def sub(self, op):
        kind, path = op[0], self.real(op[1])
        if kind == "create":
            return m_create(path, op[2], flags=op[3])
        if kind == "delete":
            return m_delete(path, op[2])
        return m_check(path, op[2]) if kind == "check" else m_set(path, op[2], op[3])

    def batch(self, client, size):
        """Sends many requests before it reads the first reply; each must be judged after all those
        before it.
        """
        expected = []
        for _ in range(size):
            what = self.rng.random()
            if what < 0.25:
                path = self.path()
                node = self.model.nodes.get(path)
                want = node and (node.data, node.stat())
                client.send(zkraw.GET_DATA, zkraw.text(self.real(path)) + b"\0")
                expected.append(
                    ("get", path, NO_NODE if node is None else 0, self.model.zxid, want)
                )
            elif what < 0.5:
                ops = [self.operation(True) for _ in range(self.rng.randrange(1, 6))]
                body = b"".join(
                    zkraw.i32(k) + b"\0" + zkraw.i32(-1) + b for k, b in map(self.sub, ops)
                )
                client.send(zkraw.MULTI, body + zkraw.i32(-1) + b"\1" + zkraw.i32(-1))
                codes, _ = self.model.multi(ops, client.session_id)
                expected.append(("multi", ops, 0, self.model.zxid, codes))
            else:
                op = self.operation(False)
                client.send(*self.body_of(op))
                err, path = self.model.write(op, client.session_id)
                want = None
                if err == 0 and op[0] in ("set", "setacl"):
                    want = self.model.nodes[op[1]].stat()
                expected.append(
                    (op[0], op, err, self.model.zxid, want if op[0] != "create" else path)
                )
        for kind, op, err, zxid, want in expected:
            reply = client.recv()
            assert (reply.err, reply.zxid) == (err, zxid), (kind, op)
            r = zkraw.Reader(reply.body)
            if kind == "multi":
                assert [x[1] for x in client._results(r)] == want, op
            elif err == 0 and kind == "get":
                assert (r.bytes(), visible(r.stat())) == want, op
            elif err == 0 and kind == "create":
                assert r.text() == self.real(want), op
            elif err == 0 and want is not None:
                assert visible(r.stat()) == want, op

    def compare_tree(self, client):
        for path, node in self.model.nodes.items():
            reply = client.get(self.real(path))
            assert (
                reply.err == 0 and reply.data == node.data and visible(reply.stat) == node.stat()
            ), path
            assert client.ls(self.real(path)).children == sorted(node.children)
        assert client.all_children_number(self.base).value == len(self.model.nodes) - 1


@pytest.mark.parametrize("seed", range(1, 7))
def test_random_operations(own_server, seed):
    srv = own_server()
    run = Run(srv, seed)
    for number in range(STEPS):
        try:
            run.step()
        except AssertionError as e:
            raise AssertionError("seed %d, step %d: %s" % (seed, number, e)) from e
    run.compare_tree(run.clients[0])
    for client in run.clients:
        client.drop()
    srv.restart(kill=True)
    run.compare_tree(Client(srv.port))


@pytest.mark.parametrize("seed", range(11, 15))
def test_random_operations_in_flight(own_server, seed):
    srv = own_server()
    run = Run(srv, seed)
    for number in range(30):
        try:
            run.batch(run.rng.choice(run.clients), run.rng.randrange(1, 60))
            run.sessions()
        except AssertionError as e:
            raise AssertionError("seed %d, batch %d: %s" % (seed, number, e)) from e
    run.compare_tree(run.clients[0])
    for client in run.clients:
        client.drop()
    srv.restart(kill=True)
    run.compare_tree(Client(srv.port))
