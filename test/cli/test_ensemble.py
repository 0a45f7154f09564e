"""The command line and ensembles: configuration, lists of servers, chroots, reading without a quorum."""
import os
import signal

import pytest

import cli_tools
import conftest
from ensemble import Ensemble
from test_beside_zkcli import take_events

NO_JAVA = conftest.missing_java() or (None if os.path.exists(cli_tools.ZKCLI) else "zkCli.sh is not installed")


@pytest.fixture(scope="module")
def trio(tmp_path_factory):
    props = {"readonlymode.enabled": "true"}
    with Ensemble(tmp_path_factory.mktemp("cli-trio"), props=props) as e:
        e.wait_serving()
        yield e


def hosts(*members):
    return ",".join(m.hosts for m in members)


def run(servers, *words, **more):
    return cli_tools.one_shot(servers, "-q", *words, **more)


def test_a_list_of_servers_and_a_chroot(trio):
    everybody = hosts(*trio)
    assert run(everybody, "create", "/chroot")[0] == 0
    assert run(everybody + "/chroot", "create", "/inside", "x") == (0, [], ["Created /inside"])
    for m in trio:  # whoever is asked has it
        assert run(hosts(m), "sync", "/")[0] == 0
    assert run(hosts(trio.leader()), "ls", "/chroot")[1] == ["[inside]"]
    assert run(everybody + "/chroot", "ls", "/none") == (1, [], ["Node does not exist: /none"])
    assert run(everybody + "/chroot", "tree")[1][:2] == ["/", "└── inside"]


def test_config(trio):
    status, out, _ = run(hosts(trio[1]), "config")
    assert status == 0
    assert [x.split("=")[0] for x in out] == ["server.1", "server.2", "server.3", "version"]
    assert run(hosts(trio[1]), "config", "-s")[1][-11].startswith("cZxid = ")
    assert run(hosts(trio[1]), "--json", "config")[1][0].startswith('{"config":"server.1=')


@pytest.mark.java
@pytest.mark.skipif(NO_JAVA is not None, reason=str(NO_JAVA))
@pytest.mark.parametrize(
    "command",
    [
        "config",
        "config -c",
        "config -s",
        "reconfig -remove 3",
        "reconfig -add server.4=h:1:2;3 -s",
        "reconfig -v 1 -add x",
    ],
)
def test_as_zkcli_shows_it(trio, command):
    theirs, ours = (
        cli_tools.one_shot(hosts(trio.leader()), *command.split(), program=program)
        for program in ([cli_tools.ZKCLI], cli_tools.zokor() + ["cli"])
    )
    assert (ours[0], ours[2]) == (theirs[0], theirs[2])
    (first, *ours), (_, *theirs) = (take_events(x[1])[0] for x in (ours, theirs))
    assert first.startswith("Connecting to ") and ours == theirs, "zkCli.sh prints events when it comes to it"


def test_without_a_quorum(trio):
    """Reads go on with -r; the prompt says so. Leaves the ensemble as it was."""
    assert run(hosts(trio.leader()), "create", "/kept", "x")[0] == 0
    last, others = trio[1], [trio[2], trio[3]]
    run(hosts(last), "sync", "/")
    for m in others:
        m.signal(signal.SIGSTOP)
    try:
        t = cli_tools.Terminal([*cli_tools.zokor(), "cli", "-r", "-server", hosts(last)])
        try:
            t.wait_screen("(CONNECTEDREADONLY) 0]")
            t.type("get /kept\n")
            t.wait_screen("(CONNECTEDREADONLY) 1]")
            assert "x" in t.screen()
            t.type("create /new x\n")
            t.wait_screen("Not a read-only call: /new")
            for m in others:
                m.signal(signal.SIGCONT)
            t.wait_screen("(CONNECTED) 2]")
        finally:
            t.kill()
    finally:
        for m in others:
            m.signal(signal.SIGCONT)
    trio.wait_serving()
