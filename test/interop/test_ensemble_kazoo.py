"""kazoo's clients on an ensemble: sessions, ephemerals, watches and locks outlive the server they were on."""
import threading

import pytest
from ensemble import Ensemble, until
from server import use_apache

kazoo_client = pytest.importorskip("kazoo.client", reason="Debian's package python3-kazoo is not installed")
from kazoo.exceptions import ConnectionLoss, KazooException, NodeExistsError  # noqa: E402
from kazoo.retry import KazooRetry  # noqa: E402

pytestmark = pytest.mark.skipif(use_apache(), reason="starts its own servers")


@pytest.fixture
def clients():
    made = []

    def make(hosts, **more):
        c = kazoo_client.KazooClient(
            hosts=hosts, timeout=60, connection_retry=KazooRetry(-1, delay=0.05, max_delay=0.2), **more
        )
        made.append(c)
        c.start(timeout=60)
        return c

    yield make
    for c in made:
        c.stop()
        c.close()


def insist(call):
    """What call() returns; asked again as long as the connection is lost meanwhile."""
    result = []

    def answered():
        try:
            result.append(call())
        except KazooException as error:
            print("asked again: %r" % error)
        return result

    return until(answered)[0]


def hosts_of(e, *first):
    return ",".join(e[sid].hosts for sid in [*first, *[m.sid for m in e if m.sid not in first]])


def test_a_session_survives_its_server(tmp_path, clients):
    with Ensemble(tmp_path) as e:
        e.wait_serving()
        c = clients(hosts_of(e, 1), randomize_hosts=False)
        session = c.client_id[0]
        c.create("/mine", b"", ephemeral=True)
        seen = threading.Event()
        c.exists("/later", watch=lambda event: seen.set())
        for sid in (1, 2, 3):
            e[sid].kill()
            e.wait_leader()
            assert insist(lambda: c.exists("/mine"))
            assert c.client_id[0] == session
            e[sid].start()
        other = clients(hosts_of(e, 3), randomize_hosts=False)
        other.create("/later", b"")
        assert seen.wait(60)
        assert other.get("/mine")[1].ephemeralOwner == session


def test_the_leader_dies_while_everybody_writes(tmp_path, clients):
    """Every acknowledged write is there afterwards, each exactly once or not at all."""
    with Ensemble(tmp_path) as e:
        e.wait_serving()
        workers, acked, maybe, stop = [], set(), set(), threading.Event()

        def work(number):
            c = clients(hosts_of(e, 1 + number % 3))
            i = 0
            while not stop.is_set():
                name = "w%d-%d" % (number, i)
                i += 1
                try:
                    c.create("/all/" + name, b"")
                    acked.add(name)
                except NodeExistsError:
                    acked.add(name)
                except (ConnectionLoss, KazooException):
                    maybe.add(name)

        c = clients(hosts_of(e))
        c.create("/all", b"")
        for number in range(6):
            workers.append(threading.Thread(target=work, args=(number,)))
            workers[-1].start()
        try:
            for _ in range(3):
                before = len(acked)
                until(lambda: len(acked) > before + 200)
                lead = e.wait_leader()
                lead.kill()
                e.wait_leader()
                lead.start()
            before = len(acked)
            until(lambda: len(acked) > before + 200)
        finally:
            stop.set()
            for t in workers:
                t.join(60)
        e.wait_serving()
        for m in e:
            reader = clients(m.hosts)
            reader.sync("/")
            names = set(reader.get_children("/all"))
            assert acked <= names
            assert names <= acked | maybe
        e.check_same(["/all"])


def test_a_lock_passes_on_when_a_member_dies(tmp_path, clients):
    with Ensemble(tmp_path) as e:
        e.wait_serving()
        a, b = clients(hosts_of(e, 1), randomize_hosts=False), clients(hosts_of(e, 2), randomize_hosts=False)
        first, second = a.Lock("/lock", "a"), b.Lock("/lock", "b")
        first.acquire()
        got = threading.Event()
        waiter = threading.Thread(target=lambda: second.acquire() and got.set())
        waiter.start()
        until(lambda: len(a.get_children("/lock")) == 2)
        e.leader().kill()
        e.wait_leader()
        assert not got.is_set()
        insist(first.release)
        assert got.wait(60)
        waiter.join(60)
        second.release()
