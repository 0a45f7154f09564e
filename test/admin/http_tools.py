"""Helpers of the tests of the HTTP ports: servers that have one, requests, and the shape of an answer."""
import http.client
import json
import os
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "interop"))

from server import LONGEST_MS, Server, free_port  # noqa: E402
from zkraw import EPHEMERAL, Client  # noqa: E402

PROMETHEUS = "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider"


class HttpServer(Server):
    """A server with an admin port, and with a port for Prometheus if `metrics` is true."""

    def __init__(self, directory, metrics=False, extra=(), props=None, **options):
        self.admin_port = free_port()
        self.metrics_port = free_port() if metrics else None
        props = dict(props or {})
        props.setdefault("zookeeper.admin.enableServer", "true")
        props.setdefault("zookeeper.admin.serverPort", self.admin_port)
        props.setdefault("zookeeper.admin.serverAddress", "127.0.0.1")
        lines = ["maxSessionTimeout=%d" % LONGEST_MS, *extra]
        if metrics:
            lines += ["metricsProvider.className=" + PROMETHEUS, "metricsProvider.httpHost=127.0.0.1",
                      "metricsProvider.httpPort=%d" % self.metrics_port]
        super().__init__(directory, extra=lines, props=props, **options)

    def http(self, path, method="GET", headers=None, body=None, port=None):
        """Status, headers and body of one request."""
        conn = http.client.HTTPConnection("127.0.0.1", port or self.admin_port, timeout=60)
        try:
            conn.request(method, path, body=body, headers=headers or {})
            reply = conn.getresponse()
            return reply.status, reply.headers, reply.read()
        finally:
            conn.close()

    def ask(self, name):
        """The answer of a command, as Python values."""
        status, headers, body = self.http("/commands/" + name)
        assert (status, headers["Content-Type"]) == (200, "application/json")
        return json.loads(body)

    def raw(self, data, port=None):
        """Everything the server sends after these bytes, until it closes."""
        with socket.create_connection(("127.0.0.1", port or self.admin_port), timeout=60) as s:
            s.sendall(data)
            out = b""
            try:
                while True:
                    piece = s.recv(65536)
                    if not piece:
                        return out
                    out += piece
            except ConnectionResetError:
                return out


def use(srv):
    """A little of everything that the commands show. The clients stay connected, and their sessions live on."""
    a, b = Client(srv.port, timeout_ms=LONGEST_MS), Client(srv.port, timeout_ms=LONGEST_MS)
    a.create("/n", b"12345")
    for i in range(130):  # past one remembered digest
        a.set("/n", b"%d" % i)
    a.create("/n/e", flags=EPHEMERAL)
    a.exists("/n/e", True)
    b.exists("/n/e", True)
    b.exists("/none", True)
    b.ls("/n", True)
    a.get("/missing")
    return a, b


def shape(value):
    """Names and kinds, in order, without the values."""
    if isinstance(value, dict):
        return {k: shape(v) for k, v in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    kinds = {bool: "bool", type(None): "null", float: "real", int: "number"}
    return kinds.get(type(value), "text")


def shape_of(name, answer):
    """The same for an answer: where the names are ids or paths, one stands for all; figures that Apache shows once
    there was traffic in a namespace are left out.
    """
    s = shape(answer)
    if name in ("dump", "watches", "watches_by_path"):
        # Apache shows moments at which nobody expires any more, too
        s = {k: [max(v.values(), key=len)] if isinstance(v, dict) else v for k, v in s.items()}
    if name == "monitor":
        s = {k: v for k, v in s.items() if "_per_namespace" not in k}
    return s
