"""Where members listen and dial: several addresses a server, every address, names, ports that are taken for a while;
what the admin port says of it; and an epoch that cannot be written."""
import json
import os
import socket
import urllib.request

import pytest
from ensemble import Ensemble, has_apache, until
from server import free_port, use_apache
from test_ensemble_members import children_everywhere, fill

pytestmark = pytest.mark.skipif(use_apache(), reason="starts its own servers")


def with_lines(e, line_of):
    """Other server lines for every member."""
    for m in e:
        m.extra = [x for x in m.extra if not x.startswith("server.")] + [line_of(x) for x in e]
    return e


def two_addresses(m):
    ports = "%d:%d" % (m.quorum_port, m.election_port)
    return "server.%d=127.0.0.%d:%s|127.0.1.%d:%s" % (m.sid, m.sid, ports, m.sid, ports)


def listens(host, port):
    try:
        socket.create_connection((host, port), timeout=5).close()
        return True
    except OSError:
        return False


MANY = {"zookeeper.multiAddress.enabled": "true"}


def test_a_server_with_two_addresses(tmp_path):
    e = with_lines(Ensemble(tmp_path, props=MANY), two_addresses)
    with e:
        lead = e.wait_serving()
        fill(lead, "/a", 10)
        for m in e:
            assert listens("127.0.0.%d" % m.sid, m.election_port)
            assert listens("127.0.1.%d" % m.sid, m.election_port)
            assert not listens("127.0.2.%d" % m.sid, m.election_port)
        lead.kill()
        e.wait_serving()
        lead.start()
        assert children_everywhere(e, "/a") == {10}


@pytest.mark.java
@pytest.mark.skipif(not has_apache(), reason="needs java and Debian's zookeeper")
@pytest.mark.parametrize("kinds", ["zza", "aaz"])
def test_two_addresses_beside_apache(tmp_path, kinds):
    with with_lines(Ensemble(tmp_path, kinds, props=MANY), two_addresses) as e:
        fill(e.wait_serving(120), "/a", 10)
        assert children_everywhere(e, "/a") == {10}


def test_one_address_of_two_is_dead(tmp_path):
    """Nobody listens at the first address of each line: 192.0.2.0/24 belongs to nobody."""
    def line(m):
        return "server.%d=192.0.2.%d:%d:%d|127.0.0.1:%d:%d" % (
            m.sid, m.sid, m.quorum_port, m.election_port, m.quorum_port, m.election_port
        )

    with with_lines(Ensemble(tmp_path, props=MANY), line) as e:
        fill(e.wait_serving(), "/a", 10)
        assert children_everywhere(e, "/a") == {10}


def test_every_address(tmp_path):
    with Ensemble(tmp_path, extra=["quorumListenOnAllIPs=true"]) as e:
        lead = e.wait_serving()
        assert listens("127.0.0.9", lead.election_port)
        assert listens("127.0.0.9", lead.quorum_port)
        until(lambda: not listens("127.0.0.9", e.followers()[0].quorum_port))  # who does not lead has it closed


def test_by_name(tmp_path):
    def line(m):
        return "server.%d=localhost:%d:%d" % (m.sid, m.quorum_port, m.election_port)

    with with_lines(Ensemble(tmp_path), line) as e:
        fill(e.wait_serving(), "/a", 10)
        lead = e.leader()
        lead.kill()
        e.wait_serving()
        assert children_everywhere(e, "/a") == {10}


def test_a_name_that_nobody_knows_is_no_reason_to_stop(tmp_path):
    """A member whose name has no address (its machine is not there yet) is only absent."""
    def line(m):
        host = "nowhere.invalid" if m.sid == 3 else "127.0.0.1"
        return "server.%d=%s:%d:%d" % (m.sid, host, m.quorum_port, m.election_port)

    e = with_lines(Ensemble(tmp_path), line)
    try:
        e.start([e[1], e[2]])
        fill(e.wait_serving(), "/a", 10)
        assert children_everywhere(e, "/a") == {10}
    finally:
        e.close()


def test_the_election_port_is_waited_for(tmp_path):
    """As after a restart in a container: electionPortBindRetry goes on until it is free."""
    e = Ensemble(tmp_path, props={"zookeeper.electionPortBindRetry": "0"})
    try:
        with socket.socket() as s:
            s.bind(("127.0.0.1", e[1].election_port))
            s.listen()
            e.start([e[1]])
            until(lambda: "peer.listen port=election tries=1" in e[1].log())
        e.start([e[2], e[3]])
        e.wait_serving()
        assert e[1].mode() in ("follower", "leader")
    finally:
        e.close()


def test_the_quorum_port_is_waited_for(tmp_path):
    e = Ensemble(tmp_path, "z", extra=["standaloneEnabled=false"])
    with socket.socket() as s:
        s.bind(("127.0.0.1", e[1].quorum_port))
        s.listen()
        with e:
            until(lambda: "peer.listen port=quorum" in e[1].log())
            s.close()
            e.wait_serving()
            until(lambda: listens("127.0.0.1", e[1].quorum_port))


def test_an_epoch_that_cannot_be_written_ends_the_server(tmp_path):
    e = Ensemble(tmp_path)
    version = os.path.join(e[1].data_dir, "version-2")
    os.makedirs(os.path.join(version, "acceptedEpoch.tmp", "in-the-way"))
    try:
        e.start()
        assert e[1].wait(60) == 3
        log = e[1].log()
        assert "quorum.epochs" in log and "acceptedEpoch" in log
        e.wait_serving()  # the others are enough
    finally:
        e.close()


def test_http_commands(tmp_path):
    e = Ensemble(tmp_path, observers="z")
    ports = {}
    for m in e:
        ports[m.sid] = free_port()
        m.props["zookeeper.admin.enableServer"] = "true"
        m.props["zookeeper.admin.serverPort"] = str(ports[m.sid])
        m.props["zookeeper.admin.serverAddress"] = "127.0.0.1"

    def ask(m, command):
        url = "http://127.0.0.1:%d/commands/%s" % (ports[m.sid], command)
        with urllib.request.urlopen(url, timeout=60) as answer:
            return json.load(answer)

    with e:
        lead = e.wait_serving()
        for m in e:
            said = ask(m, "leader")
            assert (said["is_leader"], said["leader_id"], said["leader_ip"]) == (m is lead, lead.sid, "127.0.0.1")
            view = ask(m, "voting_view")["current_config"]
            assert sorted(view) == ["1", "2", "3"]
            assert view["2"] == {
                "server_addresses": ["127.0.0.1:%d" % e[2].quorum_port],
                "election_addresses": ["127.0.0.1:%d" % e[2].election_port],
                "client_address": e[2].hosts if m is e[2] else "",
                "learner_type": "participant",
            }
            state = ask(m, "zabstate")
            assert (state["myid"], state["voting"], state["zabstate"]) == (m.sid, not m.observer, "broadcast")
            assert state["quorum_address"]["one"] == "127.0.0.1:%d" % m.quorum_port
            assert state["client_address"] == m.hosts
            assert ask(m, "configuration")["server_id"] == m.sid
            assert ask(m, "monitor")["server_state"] == m.mode()
        seen = ask(lead, "observers")
        assert seen["synced_observers"] == 1
        assert [x["sid"] for x in seen["observers"]] == [4]
        others = [m for m in e if m is not e[1]]
        for m in others:
            m.kill()
        nobody = "This ZooKeeper instance is not currently serving requests"
        until(lambda: ask(e[1], "leader")["error"] == nobody)
        until(lambda: ask(e[1], "zabstate")["zabstate"] == "")  # it may have followed one that was still there
