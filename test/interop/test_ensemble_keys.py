"""Keys of an ensemble's members that change what they keep, and how many are brought up to date at once."""
import os

import pytest
from ensemble import Ensemble, until
from server import use_apache
from test_ensemble_members import fill
from test_ensemble_tls import START_S, needs_apache

pytestmark = [pytest.mark.skipif(use_apache(), reason="starts its own servers")]


def files(member, kind):
    """The names of its logs ("log.") or snapshots ("snapshot."), and how much they hold that is not zero."""
    directory = os.path.join(member.data_dir, "version-2")
    names = sorted(x for x in os.listdir(directory) if x.startswith(kind))
    size = 0
    for name in names:
        with open(os.path.join(directory, name), "rb") as f:
            size += len(f.read().rstrip(b"\0"))
    return names, size


@pytest.mark.parametrize("voters, observer", [("zzz", "z"), pytest.param("zzz", "a", marks=needs_apache)])
def test_an_observer_that_writes_no_log(tmp_path, voters, observer):
    """syncEnabled=false, beside Apache's: it serves, loses nothing that the leader has, and its disk stays as it was."""
    with Ensemble(tmp_path, voters, observer, lines_of={4: ["syncEnabled=false"]}) as e:
        e.wait_serving(START_S)
        before = files(e[4], "log.")
        with e[4].raw() as c:
            assert c.create("/o", b"1").err == 0
        fill(e[1], "/many", 300)
        with e[4].raw() as c:
            c.sync("/")
            assert len(c.ls("/many").children) == 300
        assert files(e[4], "log.") == before
        assert e[1].mode() in ("leader", "follower") and files(e[1], "log.")[1] > 0
        snapshots = files(e[4], "snapshot.")
        e.leader().kill()
        until(lambda: e.leader() is not None and e[4].mode() == "observer", START_S)
        e[4].kill()
        assert files(e[4], "log.") == before
        if observer == "z":
            assert files(e[4], "snapshot.") == snapshots
        e[4].start(wait=False)
        until(lambda: e[4].mode() == "observer", START_S)
        e.check_same(["/", "/o", "/many"])
