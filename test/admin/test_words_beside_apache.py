"""Four-letter words of our server and of Apache's, side by side after the same requests: answers must be equal once
numbers, times and names of the two machines are taken out. Skipped where Java or Apache's server is missing.
"""
import os
import re
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "interop"))

import server as server_module  # noqa: E402
from ensemble import until  # noqa: E402
from server import LONGEST_MS, Server, missing_java  # noqa: E402
from zkraw import CLOSE_SESSION, EPHEMERAL, Client  # noqa: E402

pytestmark = pytest.mark.skipif(
    missing_java() is not None or server_module.use_apache() or server_module.server_command() is None,
    reason="needs both servers: %s" % (missing_java() or "ours is not built, or is not the one under test"),
)


class ApacheServer(Server):
    def command(self):
        words = super().command()
        return [os.path.join(HERE, "..", "interop", "apache-server")] + words[words.index("server") :]


LONG = ["maxSessionTimeout=%d" % LONGEST_MS]


def use(srv):
    """A little of everything that words show. The clients stay connected, and their sessions live on."""
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


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    directories = tmp_path_factory.mktemp("ours"), tmp_path_factory.mktemp("apache")
    with Server(directories[0], extra=LONG) as ours, ApacheServer(directories[1], extra=LONG) as apache:
        clients = use(ours) + use(apache)
        yield ours, apache
        for client in clients:
            client.drop()


def leave(client):
    """The server closes first, so that neither counts a connection that was dropped."""
    assert client.call(CLOSE_SESSION).err == 0
    assert client.closed_by_peer()


def word(srv, name):
    return srv.four_letter(name).decode()


def shape(text):
    """The answer without what may differ; lines whose order means nothing are sorted."""
    text = re.sub(r"Zookeeper version: \S+, built on [-\d: ]+UTC", "Zookeeper version: V, built on D UTC", text)
    text = re.sub(r"\w{3} \w{3} \d\d \d\d:\d\d:\d\d \S+ \d{4}", "DATE", text)
    text = re.sub(r"0x[0-9a-f]{8,}", "0xSESSION", text)
    text = re.sub(r"127\.0\.0\.1:\d+\[\d\]", "PEER[I]", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "PEER", text)
    text = re.sub(r"(?<==)(/\S*)", "PATH", text)
    return text


def numbers_out(text):
    text = re.sub(r"\b\d+\.\d{1,4}\b", "F", text)
    return re.sub(r"\b(0x[0-9a-f]+|\d+)\b", "N", text)


@pytest.mark.parametrize("name", ["ruok", "isro", "gtmk", "wchs", "crst", "srst"])
def test_same_bytes(both, name):
    ours, apache = both
    assert word(ours, name) == word(apache, name)


@pytest.mark.parametrize("name", ["srvr", "stat", "dirs", "conf"])
def test_same_lines(both, name):
    ours, apache = both
    assert numbers_out(shape(word(ours, name))) == numbers_out(shape(word(apache, name)))


def test_counts_are_equal(both):
    """What a word says of itself and of the clients; reset words have run before or not, on both."""
    ours, apache = both
    for srv in both:
        word(srv, "srst")
        word(srv, "crst")
    counts = [re.findall(r"(?:Received|Connections|Outstanding|Zxid|Node count): \S+", word(s, "stat")) for s in both]
    zxids = [int(c.pop(3).split()[1], 16) for c in counts]
    assert counts[0] == counts[1]
    # Apache gives failed requests and the start a zxid where ours does not always.
    assert min(zxids) > 130
    lines = [sorted(re.findall(r"recved=\d+,sent=\d+", word(s, "cons"))) for s in both]
    assert lines[0] == lines[1] == ["recved=0,sent=0"] * 2 + ["recved=1,sent=0"]


def test_cons(both):
    lines = [sorted(numbers_out(shape(word(s, "cons"))).splitlines()) for s in both]
    without_cxid = [[line.replace(",lcxid=N", "") for line in each] for each in lines]
    assert without_cxid[0] == without_cxid[1]


def test_cons_of_a_fresh_session(both):
    lines = []
    for srv in both:
        with Client(srv.port) as client:

            def line():  # Apache counts what it has sent a moment after it was sent
                found = [x for x in word(srv, "cons").splitlines() if "sid=0x%x," % client.session_id in x]
                return found[0] if found and "(queued=0,recved=1,sent=1," in found[0] else None

            lines.append(re.sub(r"(llat|minlat|avglat|maxlat)=\d+", r"\1=N", until(line)))
            leave(client)
    for pattern in (r",lop=.*est=", r",to=.*lzxid=0x", r",llat=.*"):
        assert re.search(pattern, lines[0]).group() == re.search(pattern, lines[1]).group()


def sections(text):
    """Lines with the indented ones below them, sorted."""
    return sorted("".join(sorted(x.splitlines(True))) for x in re.findall(r"\S[^\n]*\n(?:\t[^\n]*\n)*", text))


@pytest.mark.parametrize("name", ["wchc", "wchp"])
def test_watches(both, name):
    answers = [shape(word(s, name)) for s in both]
    assert sections(answers[0]) == sections(answers[1])
    assert all(a.endswith("\n\n") for a in answers)


def test_dump(both):
    answers = [shape(word(s, "dump")) for s in both]
    # Apache lists buckets that have become empty, too.
    kept = [re.sub(r"^0 expire at DATE:\n", "", a, flags=re.M) for a in answers]
    heads = [re.findall(r"^\D*", line)[0] for a in kept for line in a.splitlines() if "expire at" not in line]
    assert heads[: len(heads) // 2] == heads[len(heads) // 2 :]
    assert re.search(r"Sessions with Ephemerals \(1\):\n0xSESSION:\n\t/n/e\nConnections dump:\n", kept[0])


def test_hash(both):
    answers = [word(s, "hash") for s in both]
    assert [re.sub(r": \d+", ": D", a) for a in answers] == ["80: D\n"] * 2


def test_envi(both):
    keys = [[line.split("=")[0] for line in word(s, "envi").splitlines()] for s in both]
    assert keys[0] == keys[1]


def mntr(srv):
    return dict(line.split("\t", 1) for line in word(srv, "mntr").splitlines())


def test_mntr_keys(both):
    """Apache's figures that are not summaries are all there, with the same kind of value."""
    tables = [mntr(srv) for srv in both]
    simple = {k: v for k, v in tables[1].items() if not re.match(r"zk_(cnt|sum|p\d+)_", k)}
    averages = {k for k in simple if "zk_cnt_" + k[7:] in tables[1] and re.match(r"zk_(avg|min|max)_", k)}
    missing = sorted(set(simple) - averages - set(tables[0]))
    assert missing == []
    for key in set(simple) - averages - {"zk_version", "zk_server_state"}:
        assert ("." in tables[0][key]) == ("." in tables[1][key]), key
    for name in ("readlatency", "updatelatency", "fsynctime"):
        found = [sorted(k for k in t if k.endswith("_" + name)) for t in tables]
        assert found[0] == found[1]
    keys = ("zk_znode_count", "zk_watch_count", "zk_ephemerals_count", "zk_approximate_data_size",
            "zk_num_alive_connections", "zk_global_sessions", "zk_connection_drop_count",
            "zk_connection_request_count")

    def differ():
        ours, theirs = (mntr(srv) for srv in both)
        return [(key, ours[key], theirs[key]) for key in keys if ours[key] != theirs[key]]

    try:  # ends of connections are seen by and by
        until(lambda: not differ())
    except TimeoutError:
        assert differ() == []


COUNTERS = ["zk_packets_received", "zk_bytes_received_count",
            "zk_cnt_updatelatency", "zk_cnt_readlatency", "zk_prep_processor_request_queued"]


def test_mntr_counts_requests(both):
    growth = []
    for srv in both:
        with Client(srv.port) as client:
            before = mntr(srv)
            for _ in range(5):
                assert client.set("/n", b"x").err == 0
            for _ in range(3):
                assert client.get("/n").err == 0
            after = mntr(srv)
            leave(client)
        growth.append({key: int(after[key]) - int(before[key]) for key in COUNTERS})
    assert growth[0] == growth[1]


def test_kazoo_reads_the_version(both):
    kazoo = pytest.importorskip("kazoo.client")
    client = kazoo.KazooClient(both[0].hosts, timeout=30)
    client.start(60)
    try:
        assert client.server_version() == (3, 9, 5)
    finally:
        client.stop()
        client.close()


def test_whitelist(tmp_path):
    props = {"zookeeper.4lw.commands.whitelist": " ruok ,isro"}
    with Server(tmp_path / "o", props=props) as ours, ApacheServer(tmp_path / "a", props=props) as apache:
        for name in ("ruok", "isro", "srst", "stat", "conf", "wchc", b"stmk12345678", b"\xff\xf4\xff\xfd"):
            assert ours.four_letter(name) == apache.four_letter(name), name
