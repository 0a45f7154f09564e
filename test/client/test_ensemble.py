"""The client library on ensembles: servers that die, lists that change, a lost quorum."""
import collections

import pytest
import zoo
from ensemble import Ensemble, until
from zoo import Zoo

NO_NODE, CONNECTION_LOSS, NOT_READ_ONLY = -101, -4, -119


@pytest.fixture(autouse=True)
def ours_only(plain):
    import server

    if server.use_apache():
        pytest.skip("these ensembles are ours; the library meets Apache's servers in the other files")


def hosts(members, chroot=""):
    return ",".join("127.0.0.1:%d" % m.port for m in members) + chroot


def port_of(z):
    return int(z.server.split(":")[1])


def test_a_server_dies_and_the_session_lives(plain, tmp_path):
    with Ensemble(tmp_path) as e:
        e.wait_serving()
        with Zoo(plain.library, hosts(e)) as z:
            z.expect_state(zoo.CONNECTED)
            session = z.session.client_id
            assert z.create("/e", b"", 1) == 0
            assert z.exists("/n", 1) == NO_NODE
            for round in range(2):
                z.forget()  # what a connection that did not last may have told in the round before
                victim = next(m for m in e if m.port == port_of(z))
                victim.kill()
                z.expect_state(zoo.CONNECTING)
                z.expect_state(zoo.CONNECTED)
                until(lambda: z.state == zoo.CONNECTED and port_of(z) != victim.port)
                assert z.session.client_id == session
                assert z.persist(z.exists, "/e") == 0
                assert z.persist(z.set, "/e", b"%d" % round) == 0
                victim.start(wait=False)
                e.wait_serving()
            assert z.persist(z.create, "/n") == 0
            z.expect(1, zoo.CONNECTED, "/n")


def test_a_session_is_handed_over(plain, tmp_path):
    with Ensemble(tmp_path) as e:
        e.wait_serving()
        first = Zoo(plain.library, hosts([e[1]]))
        first.expect_state(zoo.CONNECTED)
        assert first.create("/e", b"", 1) == 0
        with Zoo(plain.library, hosts([e[2]]), client_id=first.session) as second:
            second.expect_state(zoo.CONNECTED)
            assert second.session.client_id == first.session.client_id
            assert second.set("/e", b"mine") == 0
        with Zoo(plain.library, hosts([e[3]]), client_id=first.session) as late:
            late.expect_state(zoo.EXPIRED)
            assert late.state == zoo.EXPIRED and late.exists("/e") == -9
        first.expect_state(zoo.EXPIRED)
        first.close()


def test_a_longer_list_takes_some_clients_over(plain, tmp_path):
    with Ensemble(tmp_path) as e:
        e.wait_serving()
        clients = [Zoo(plain.library, hosts([e[1]])) for _ in range(40)]
        for z in clients:
            z.expect_state(zoo.CONNECTED)
        for z in clients:
            assert z.set_servers(hosts(e)) == 0
        for z in clients:
            assert z.persist(z.exists, "/") == 0
        where = collections.Counter(z.server for z in clients)
        # A third each is expected; fewer than 3 of 40 has a chance of one in a hundred thousand.
        assert len(where) == 3 and min(where.values()) >= 3, where
        for z in clients:
            assert z.set_servers(hosts([e[2]])) == 0
            assert z.persist(z.exists, "/") == 0
            assert z.server == "127.0.0.1:%d" % e[2].port
        for z in clients:
            assert z.close() == 0


def test_without_a_quorum_a_client_may_read(plain, tmp_path):
    props = {"readonlymode.enabled": "true"}
    with Ensemble(tmp_path, extra=["localSessionsEnabled=true"], props=props) as e:
        e.wait_serving()
        with Zoo(plain.library, hosts(e), flags=zoo.READ_ONLY_OK) as z:
            z.expect_state(zoo.CONNECTED)
            assert z.create("/a", b"data") == 0
            with e[1].raw() as c:  # the one that will be left has it
                assert c.sync("/").err == 0 and c.close().err == 0
            e[2].kill()
            e[3].kill()
            with Zoo(plain.library, hosts(e), flags=zoo.READ_ONLY_OK) as reader:
                reader.expect_state(zoo.READ_ONLY)
                assert reader.state == zoo.READ_ONLY
                assert reader.get("/a") == (0, b"data")
                assert reader.set("/a", b"x") == NOT_READ_ONLY
                e[2].start(wait=False)
                e[3].start(wait=False)
                reader.expect_state(zoo.CONNECTED)
                assert reader.persist(reader.set, "/a", b"new") == 0
