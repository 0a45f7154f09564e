"""Four-letter words: shapes of the answers, the whitelist, numbers that must agree with the tree.
"""
import re

from ensemble import until
from zkraw import Client, EPHEMERAL

WORDS = [
    "conf",
    "cons",
    "crst",
    "dirs",
    "dump",
    "envi",
    "gtmk",
    "hash",
    "isro",
    "mntr",
    "ruok",
    "srst",
    "srvr",
    "stat",
    "wchc",
    "wchp",
    "wchs",
]


def word(srv, name):
    return srv.four_letter(name).decode()


def matches(pattern, answer):
    assert re.fullmatch(pattern, answer), answer
    return True


def test_one_line_answers(srv):
    assert word(srv, "ruok") == "imok"
    assert word(srv, "isro") == "rw"
    assert word(srv, "gtmk") == "306"
    assert word(srv, "crst") == "Connection stats reset.\n"
    assert word(srv, "srst") == "Server stats reset.\n"


def test_dirs(srv):
    assert matches(r"datadir_size: \d+\nlogdir_size: \d+\n", word(srv, "dirs"))


SRVR = (
    r"Zookeeper version: [^\n]+, built on \d{4}-\d\d-\d\d \d\d:\d\d UTC\n%s"
    r"Latency min/avg/max: \d+/\d+\.\d{1,4}/\d+\nReceived: \d+\nSent: \d+\n"
    r"Connections: \d+\nOutstanding: \d+\n"
    r"Zxid: 0x[0-9a-f]+\nMode: standalone\nNode count: \d+\n"
)
CLIENT = r" /127\.0\.0\.1:\d+\[\d\]\(queued=\d+,recved=\d+,sent=\d+\)\n"


def test_srvr(srv):
    assert matches(SRVR % "", word(srv, "srvr"))


def test_stat(srv, zk):
    assert matches(SRVR % ("Clients:\n(" + CLIENT + r"){2,}\n"), word(srv, "stat"))


def test_srvr_numbers(srv, zk):
    def are_right():
        created = zk.create("/srvr-numbers")
        values = srv.srvr()
        nodes = zk.all_children_number("/").value + 2
        zk.delete("/srvr-numbers")
        return (int(values["Zxid"], 16), int(values["Node count"])) == (created.zxid, nodes)

    until(are_right)  # a session of an earlier test may end in between


def test_cons(srv, zk):
    zk.exists("/")
    answer = word(srv, "cons")
    session = (
        r" /127\.0\.0\.1:\d+\[\d\]\(queued=\d+,recved=\d+,sent=\d+,sid=0x%x,lop=EXIS,est=\d+,"
        r"to=%d,lcxid=0x1,lzxid=0x[0-9a-f]+,lresp=\d+,llat=\d+,minlat=\d+,avglat=\d+,maxlat=\d+\)\n"
    )
    assert re.search(session % (zk.session_id, zk.granted_ms), answer), answer
    assert answer.endswith(")\n\n")


def test_conf(srv):
    answer = word(srv, "conf")
    keys = [line.split("=")[0] for line in answer.splitlines()]
    assert keys == [
        "clientPort",
        "secureClientPort",
        "dataDir",
        "dataDirSize",
        "dataLogDir",
        "dataLogSize",
        "tickTime",
        "maxClientCnxns",
        "minSessionTimeout",
        "maxSessionTimeout",
        "clientPortListenBacklog",
        "serverId",
    ]
    values = dict(line.split("=", 1) for line in answer.splitlines())
    assert values["clientPort"] == str(srv.port) and values["tickTime"] == "1000"
    assert (values["minSessionTimeout"], values["maxSessionTimeout"]) == ("2000", "600000")
    assert values["dataDir"] == srv.data_dir + "/version-2"


def test_dump(srv, zk, base):
    zk.create(base + "/e", flags=EPHEMERAL)
    answer = word(srv, "dump")
    assert answer.startswith("SessionTracker dump:\nSession Sets (")
    assert re.search(
        r"\n\d+ expire at \w{3} \w{3} \d\d \d\d:\d\d:\d\d \S+ \d{4}:\n(\t0x[0-9a-f]+\n)*\t0x%x\n"
        % zk.session_id,
        answer,
    ), answer
    assert "\nephemeral nodes dump:\nSessions with Ephemerals (" in answer
    assert "0x%x:\n\t%s\n" % (zk.session_id, base + "/e") in answer
    assert "\nConnections dump:\nConnections Sets (" in answer
    assert re.search(r"\tip: /127\.0\.0\.1:\d+ sessionId: 0x%x\n" % zk.session_id, answer)


def test_watch_words(own_server):
    srv = own_server()
    a, b = Client(srv.port), Client(srv.port)
    a.exists("/a", True)
    a.exists("/b", True)
    b.exists("/a", True)
    assert word(srv, "wchs") == "2 connections watching 2 paths\nTotal watches:3\n"
    by_session = word(srv, "wchc")
    assert by_session.endswith("\n\n")
    sections = dict(re.findall(r"(0x[0-9a-f]+)\n((?:\t[^\n]+\n)+)", by_session))
    assert sorted(sections["0x%x" % a.session_id].split()) == ["/a", "/b"]
    assert sections["0x%x" % b.session_id].split() == ["/a"]
    by_path = word(srv, "wchp")
    assert by_path.endswith("\n\n")
    sections = dict(re.findall(r"(/\w)\n((?:\t[^\n]+\n)+)", by_path))
    assert sorted(sections["/a"].split()) == sorted("0x%x" % c.session_id for c in (a, b))
    assert sections["/b"].split() == ["0x%x" % a.session_id]


def mntr(srv):
    out = {}
    for line in word(srv, "mntr").splitlines():
        key, tab, value = line.partition("\t")
        assert tab and key.startswith("zk_"), line
        out[key] = value
    return out


def test_mntr(own_server):
    srv = own_server()
    zk = Client(srv.port)
    zk.create("/e", b"12345", flags=EPHEMERAL)
    zk.exists("/e", True)
    lines = word(srv, "mntr").splitlines()
    assert [line.split("\t")[0] for line in lines[:2]] == ["zk_version", "zk_server_state"]
    assert mntr(srv)["zk_server_state"] == "standalone"
    want = {
        "zk_znode_count": 6,
        "zk_ephemerals_count": 1,
        "zk_watch_count": 1,
        "zk_num_alive_connections": 2,
        "zk_approximate_data_size": 44 + 2 + 5,
        "zk_outstanding_requests": 0,
        "zk_global_sessions": 1,
    }

    def differ():
        return {k: v for k, v in mntr(srv).items() if k in want and int(v) != want[k]}

    try:  # ends of connections are seen by and by
        until(lambda: not differ())
    except TimeoutError:
        assert differ() == {}
    values = mntr(srv)
    assert set(want) <= set(values)
    for key in (
        "zk_avg_latency",
        "zk_min_latency",
        "zk_max_latency",
        "zk_packets_received",
        "zk_packets_sent",
        "zk_open_file_descriptor_count",
        "zk_max_file_descriptor_count",
        "zk_uptime",
    ):
        assert float(values[key]) >= 0


def test_envi(srv):
    answer = word(srv, "envi")
    assert answer.startswith("Environment:\nzookeeper.version=")
    keys = [line.split("=")[0] for line in answer.splitlines()[1:]]
    for key in (
        "host.name",
        "os.name",
        "os.arch",
        "os.version",
        "user.name",
        "user.home",
        "user.dir",
    ):
        assert key in keys


def test_srst_resets(srv, zk):
    zk.exists("/")
    word(srv, "srst")
    assert int(srv.srvr()["Received"]) < 5


def test_set_trace_mask(srv):
    assert srv.four_letter(b"stmk" + (306).to_bytes(8, "big")) == b"306"


def test_whitelist_default_is_srvr_alone(own_server):
    srv = own_server(props={"zookeeper.4lw.commands.whitelist": None})
    for name in WORDS:
        answer = word(srv, name)
        if name == "srvr":
            assert "Mode: standalone" in answer
        else:
            assert answer == "%s is not executed because it is not in the whitelist.\n" % name


def test_whitelist_in_zoo_cfg(own_server):
    srv = own_server(
        extra=["4lw.commands.whitelist=ruok, mntr"],
        props={"zookeeper.4lw.commands.whitelist": None},
    )
    assert word(srv, "ruok") == "imok"
    assert word(srv, "mntr").startswith("zk_version\t")
    assert "Mode: standalone" in word(srv, "srvr")
    assert word(srv, "stat") == "stat is not executed because it is not in the whitelist.\n"
    assert (
        srv.four_letter(b"\xff\xf4\xff\xfd")
        == b"telnet close is not executed because it is not in the whitelist.\n"
    )


def test_telnet_close_when_enabled(srv):
    assert srv.four_letter(b"\xff\xf4\xff\xfd") == b""
