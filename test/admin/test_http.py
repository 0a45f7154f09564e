"""The commands of the HTTP admin server and the page for Prometheus: names, members and kinds of values are compared
with Apache's, live where Java and Apache's server are there and recorded (golden_http.json, of 3.8.0) everywhere.
"""
import http.client
import json
import os
import re
import socket
import time

import pytest

from http_tools import HERE, HttpServer, free_port, shape_of, use
from server import Server, ServerDied, missing_java, server_command, use_apache
from zkraw import Client

pytestmark = pytest.mark.skipif(server_command() is None or use_apache(), reason="ours is not built")

with open(os.path.join(HERE, "golden_http.json")) as f:
    GOLDEN = json.load(f)["answers"]


class ApacheHttpServer(HttpServer):
    def command(self):
        words = super().command()
        return [os.path.join(HERE, "..", "interop", "apache-server")] + words[words.index("server"):]


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    props = {"zookeeper.admin.idleTimeout": "5000"}
    with HttpServer(tmp_path_factory.mktemp("ours"), metrics=True, props=props) as srv:
        clients = use(srv)
        yield srv
        for client in clients:
            client.drop()


@pytest.fixture(scope="module")
def apache(tmp_path_factory):
    if missing_java() is not None:
        pytest.skip(missing_java())
    with ApacheHttpServer(tmp_path_factory.mktemp("apache")) as srv:
        clients = use(srv)
        yield srv
        for client in clients:
            client.drop()


def compare(name, mine, theirs):
    if name == "monitor":  # figures of ours may be more
        assert sorted(set(theirs) - set(mine)) == []
        assert {k: mine[k] for k in theirs} == theirs
    else:  # the order counts, too, but within server_stats, where Java gives another one at each start
        sort = name in ("server_stats", "stats")
        assert json.dumps(mine, sort_keys=sort) == json.dumps(theirs, sort_keys=sort)


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_as_recorded(ours, name):
    compare(name, shape_of(name, ours.ask(name)), GOLDEN[name])


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_beside_apache(ours, apache, name):
    compare(name, shape_of(name, ours.ask(name)), shape_of(name, apache.ask(name)))


@pytest.mark.parametrize("name", ["ruok", "crst", "gtmk", "isro", "lead", "obsr", "orst", "voting_view", "wchs",
                                  "stmk", "stmk?traceMask=12", "stmk?traceMask=x", "gtmk", "zabstate", "nosuch",
                                  "a%22%0a%3cb", "RUOK", "/ruok", "ruok/", "stmk?traceMask=306&traceMask=7", ""])
def test_same_bytes(ours, apache, name):
    """Headers that count, and the body, byte for byte."""
    answers = []
    for srv in (ours, apache):
        status, headers, body = srv.http("/commands/" + name)
        answers.append((status, headers["Content-Length"], body))
    if name == "":  # 3.8 does not know the two that 3.9 has added
        answers[0] = (200, None, re.sub(rb'<a href="/commands/(snapshot|restore)">.*\n<br/>\n', b"", answers[0][2]))
        answers[1] = (200, None, answers[1][2])
    assert answers[0] == answers[1]


@pytest.mark.parametrize("method,path", [
    ("GET", "/"), ("GET", "/commandsx"), ("GET", "/metrics"), ("GET", "/commands/../etc/passwd"),
    ("PUT", "/commands/ruok"), ("DELETE", "/commands/ruok"), ("TRACE", "/commands/ruok"), ("HEAD", "/commands/ruok"),
    ("OPTIONS", "/commands/ruok"), ("FOO", "/commands/ruok"), ("POST", "/commands/ruok"), ("GET", "/%63ommands/ruok")])
def test_same_status(ours, apache, method, path):
    assert ours.http(path, method)[0] == apache.http(path, method)[0]


def test_values(ours):
    """What the shape does not tell."""
    stats = ours.ask("server_stats")
    srvr = ours.srvr()
    assert stats["node_count"] == int(srvr["Node count"])
    assert stats["server_stats"]["last_processed_zxid"] == int(srvr["Zxid"], 16)
    mntr = dict(x.split("\t", 1) for x in ours.four_letter("mntr").decode().splitlines())
    monitor = ours.ask("monitor")
    assert list(mntr) == ["zk_" + k for k in monitor if k not in ("command", "error")]
    for key in ("znode_count", "watch_count", "ephemerals_count", "global_sessions", "cnt_node_children_watch_count"):
        assert mntr["zk_" + key] == str(monitor[key]), key
    assert monitor["cnt_sync_processor_batch_size"] > 0 and monitor["cnt_dbinittime"] == 1
    watches = ours.ask("wchc")["session_id_to_watched_paths"]
    assert sorted(map(sorted, watches.values())) == [["/n/e"], ["/n/e", "/none"]]
    assert set(ours.ask("wchp")["path_to_session_ids"]) == {"/n/e", "/none"}
    dump = ours.ask("dump")
    assert list(dump["session_id_to_ephemeral_paths"].values()) == [["/n/e"]]
    ids = {c["session_id"] for c in ours.ask("cons")["connections"]}
    assert ids == {i for each in dump["expiry_time_to_session_ids"].values() for i in each}


def test_namespaces(ours, apache):
    """Bytes read and written below the top node, and its quota."""
    figures = []
    for srv in (ours, apache):
        with Client(srv.port) as client:
            client.create("/zookeeper/quota/n")
            client.create("/zookeeper/quota/n/zookeeper_limits", b"count=100,bytes=-1")
            client.create("/zookeeper/quota/n/zookeeper_stats", b"count=0,bytes=0")
            client.ls("/n")
            client.ls2("/n")
            client.get("/n")
            client.create("/n/more", b"123")
            client.delete("/n/more")
            client.close()  # or it would end in the middle of another test, which counts
        monitor = srv.ask("monitor")
        per_top = re.compile(r"((avg|min|max|cnt|sum)_)?n_.*_per_namespace")
        figures.append({k: v for k, v in monitor.items() if per_top.match(k)})
    assert len(figures[0]) == 14
    assert figures[0] == figures[1]


def test_resets(tmp_path):
    with HttpServer(tmp_path) as srv:
        with Client(srv.port) as client:
            client.create("/x")
            assert srv.ask("stats")["server_stats"]["packets_received"] > 0
            assert srv.ask("srst") == {"command": "stat_reset", "error": None}
            assert srv.ask("crst") == {"command": "connection_stat_reset", "error": None}
            assert srv.ask("stats")["server_stats"]["packets_received"] == 0
            assert srv.ask("cons")["connections"][0]["packets_received"] == 0


def test_long_answers(tmp_path):
    """More than a piece: whole, valid, and the same whatever came between the pieces."""
    with HttpServer(tmp_path) as srv:
        clients = [Client(srv.port) for _ in range(40)]
        for i in range(3000):
            clients[i % 40].exists("/watched-%05d" % i, True)
        clients[0].exists("/watched-00001", True)
        status, headers, body = srv.http("/commands/watches")
        assert headers["Transfer-Encoding"] == "chunked" and len(body) > 40000
        assert sum(map(len, json.loads(body)["session_id_to_watched_paths"].values())) == 3001
        by_path = srv.ask("watches_by_path")["path_to_session_ids"]
        assert len(by_path) == 3000 and len(by_path["/watched-00001"]) == 2
        connections = srv.ask("connections")["connections"]
        assert len({c["session_id"] for c in connections}) == 40
        for client in clients:
            client.drop()


def test_secrets_are_not_shown(tmp_path):
    extra = ["ssl.keyStore.password=hush-1", "metricsProvider.ssl.keyStore.password=hush-2",
             "someone.elses.password=hush-3"]
    props = {"zookeeper.DigestAuthenticationProvider.superDigest": "super:hush-4"}
    with HttpServer(tmp_path, extra=extra, props=props) as srv:
        for name in ("initial_configuration", "system_properties", "configuration", "environment"):
            assert "hush" not in json.dumps(srv.ask(name))
        assert "ssl.keyStore.password=***\n" in srv.ask("icfg")["initial_configuration"]
        assert srv.ask("sysp")["zookeeper.ssl.keyStore.password"] == "***"
        assert srv.ask("sysp")["zookeeper.admin.serverPort"] == str(srv.admin_port)


# ---- ports ----


def test_taken_admin_port_only_warns(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        props = {"zookeeper.admin.serverPort": taken.getsockname()[1]}
        with HttpServer(tmp_path, props=props) as srv:
            assert "WARN  admin.listen" in srv.log()
            assert srv.four_letter("ruok") == b"imok"


def test_taken_metrics_port_stops_the_start(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        srv = HttpServer(tmp_path, metrics=True)
        srv.extra[-1] = "metricsProvider.httpPort=%d" % taken.getsockname()[1]
        with pytest.raises(ServerDied):
            srv.start()
        assert srv.wait() == 1 and "metrics.listen" in srv.log()


def test_unknown_provider_stops_the_start(tmp_path):
    srv = Server(tmp_path, extra=["metricsProvider.className=com.example.Mine"])
    with pytest.raises(ServerDied):
        srv.start()
    assert srv.wait() == 2 and "com.example.Mine" in srv.log()


def test_disabled(tmp_path):
    with HttpServer(tmp_path, props={"zookeeper.admin.enableServer": "false"}) as srv:
        with pytest.raises(ConnectionRefusedError):
            srv.http("/commands")
        with open("/proc/%d/maps" % srv.pid) as maps:
            assert "libmicrohttpd" not in maps.read()


def test_null_provider(tmp_path):
    extra = ["metricsProvider.className=org.apache.zookeeper.metrics.impl.NullMetricsProvider"]
    with HttpServer(tmp_path, extra=extra) as srv:
        assert list(srv.ask("monitor")) == ["version", "server_state", "command", "error"]
        assert len(srv.four_letter("mntr").splitlines()) == 2


def test_one_port_for_both(tmp_path):
    srv = HttpServer(tmp_path, metrics=True)
    srv.extra[-1] = "metricsProvider.httpPort=%d" % srv.admin_port
    with srv:
        assert srv.ask("ruok")["error"] is None
        assert srv.http("/metrics")[0] == 200


@pytest.mark.parametrize("url", ["/", "/zk/", "/a/b"])
def test_command_url(tmp_path, url):
    with HttpServer(tmp_path, props={"zookeeper.admin.commandURL": url}) as srv:
        base = url.rstrip("/")
        assert json.loads(srv.http(base + "/ruok")[2])["command"] == "ruok"
        assert srv.http("/commands/ruok")[0] == (200 if base == "" else 404)


# ---- the page for Prometheus ----

LABELS = r"(\{(key=\"[a-z]+\",?)?(quantile=\"(0\.5|0\.9|0\.99)\")?\})?"
SAMPLE = re.compile(r"^([a-z_0-9]+)" + LABELS + r" (NaN|-?[0-9]+(\.[0-9]+)?)$")


def page(srv):
    status, headers, body = srv.http("/metrics", port=srv.metrics_port)
    assert status == 200 and headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return body.decode()


def test_page_is_well_formed(ours):
    """Every family has a type, comes once, and its samples follow it."""
    types, family = {}, None
    for line in page(ours).splitlines():
        if line.startswith("# TYPE "):
            family, kind = line.split()[2:]
            assert family not in types
            types[family] = kind
        elif not line.startswith("# HELP "):
            found = SAMPLE.match(line)
            assert found, line
            suffixes = ("", "_count", "_sum") if types[family] == "summary" else ("",)
            assert found.group(1) in [family + s for s in suffixes], line


def test_page_has_every_figure(ours):
    text = page(ours)
    for key in GOLDEN["monitor"]:
        if key in ("version", "server_state", "command", "error"):
            continue
        found = re.match(r"(avg|min|max|cnt|sum|p50|p95|p99|p999)_(.*)", key)
        name = found.group(2) if found and "cnt_" + found.group(2) in GOLDEN["monitor"] else key
        assert re.search(r"^%s(_count)? " % name, text, re.M), key
    assert "# TYPE znode_count gauge\n" in text and "# TYPE bytes_received_count counter\n" in text
    assert "# TYPE bytes_received_count_total counter\n" in text
    assert 'readlatency{quantile="0.99"} ' in text and 'fsynctime{quantile="0.99"} ' not in text
    assert re.search(r"^process_resident_memory_bytes [1-9]", text, re.M)


def test_page_values(ours):
    numbers = dict(line.rsplit(" ", 1) for line in page(ours).splitlines() if line[0] != "#")
    monitor = ours.ask("monitor")
    assert float(numbers["znode_count"]) == monitor["znode_count"]
    assert float(numbers["fsynctime_count"]) == monitor["cnt_fsynctime"]
    assert float(numbers["updatelatency_sum"]) == monitor["sum_updatelatency"]


def test_nothing_else_is_on_the_metrics_port(ours):
    for path in ("/", "/commands", "/commands/ruok", "/metricsx", "/metrics/"):
        assert ours.http(path, port=ours.metrics_port)[0] == 404
    for method in ("POST", "PUT", "DELETE"):
        assert ours.http("/metrics", method, port=ours.metrics_port)[0] == 405


def test_process_figures_can_be_left_out(tmp_path):
    with HttpServer(tmp_path, metrics=True, extra=["metricsProvider.exportJvmInfo=false"]) as srv:
        assert "\nprocess_" not in page(srv)


# ---- requests that are none ----


def status_of(answer):
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", answer)
    return int(found.group(1)) if found else None


HOSTILE = {
    "nothing": (b"\r\n\r\n", (None, 400)),
    "noise": (bytes(range(256)) * 40 + b"\r\n\r\n", (None, 400, 414, 431)),
    "huge header": (b"GET /commands/ruok HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40000 + b"\r\n\r\n", (None, 431)),
    "many headers": (b"GET /commands/ruok HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 9000 + b"\r\n", (None, 431)),
    "huge url": (b"GET /commands/" + b"a" * 60000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", (None, 414, 431)),
    "huge method": (b"G" * 60000 + b" / HTTP/1.1\r\n\r\n", (None, 400, 414, 431, 501)),
    "no host": (b"GET /commands/ruok HTTP/1.1\r\n\r\n", (200, 400)),
    "negative length": (b"GET /commands/ruok HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", (None, 400)),
    "two lengths": (b"POST /commands/ruok HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 9\r\n\r\na",
                    (None, 400, 405)),
    "bad chunk": (b"POST /commands/ruok HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                  (None, 400, 405)),
    "up and away": (b"GET /commands/../../etc/passwd HTTP/1.0\r\n\r\n", (404,)),
    "up, hidden": (b"GET /commands/%2e%2e/%2e%2e/etc/passwd HTTP/1.0\r\n\r\n", (404,)),
    "zero byte": (b"GET /commands/ruok%00.html HTTP/1.0\r\n\r\n", (200,)),
    "not utf-8": (b"GET /commands/%ff%fe%c0%80 HTTP/1.0\r\n\r\n", (200,)),
    "absolute": (b"GET http://elsewhere/commands/ruok HTTP/1.0\r\n\r\n", (200, 400, 404)),
    "a word": (b"ruok", (None, 400)),
    "version 9": (b"GET /commands/ruok HTTP/9.9\r\nHost: x\r\n\r\n", (None, 400, 505)),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_request(ours, name):
    data, allowed = HOSTILE[name]
    with socket.create_connection(("127.0.0.1", ours.admin_port), timeout=60) as s:
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            answer = b""
            while True:
                piece = s.recv(65536)
                if not piece:
                    break
                answer += piece
        except OSError:  # closed before it has read all
            answer = b""
    assert status_of(answer) in allowed
    assert b"root:" not in answer
    if b"application/json" in answer:
        json.loads(answer.split(b"\r\n\r\n", 1)[1].decode())
    assert ours.ask("ruok")["error"] is None


def test_slow_heads_make_room(ours):
    """Connections that never finish their request do not keep others out."""
    slow = []
    try:
        for _ in range(200):
            s = socket.create_connection(("127.0.0.1", ours.admin_port), timeout=60)
            s.sendall(b"GET /commands/ruok HTTP/1.1\r\nX-")
            slow.append(s)
        while True:  # each that is turned away takes one of the slow ones along once they are not young any more
            try:
                assert ours.ask("ruok")["error"] is None
                break
            except (http.client.HTTPException, OSError):
                time.sleep(0.05)
        for s in slow:
            try:
                s.sendall(b"a")
            except OSError:
                pass
    finally:
        for s in slow:
            s.close()
    assert ours.ask("ruok")["error"] is None


def test_idle_connections_are_closed(tmp_path):
    with HttpServer(tmp_path, props={"zookeeper.admin.idleTimeout": "3000"}) as srv:
        assert status_of(srv.raw(b"GET /commands/ruok HTTP/1.1\r\nHost: x\r\n\r\n")) == 200  # then it waits for the end
        assert status_of(srv.raw(b"GET /commands")) in (None, 408)


def test_many_at_once_and_gone_in_the_middle(ours):
    """Readers that leave after the first bytes of a long answer."""
    for _ in range(100):
        s = socket.create_connection(("127.0.0.1", ours.admin_port), timeout=60)
        s.sendall(b"GET /commands/monitor HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        s.recv(10)
        s.close()
    assert ours.ask("ruok")["error"] is None


def test_stop_with_requests_open(tmp_path):
    srv = HttpServer(tmp_path, metrics=True).start()
    open_ones = []
    for i in range(20):
        s = socket.create_connection(("127.0.0.1", srv.admin_port if i % 2 else srv.metrics_port), timeout=60)
        s.sendall(b"GET /commands/monitor HTTP/1.1\r\nHost: x\r\n\r\n"[: 20 + 3 * i])
        open_ones.append(s)
    assert srv.stop() == 0
    for s in open_ones:
        s.close()
    srv.check_log()
