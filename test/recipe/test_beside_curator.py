"""Our recipes and Apache Curator's on the same paths at the same time: a Java and a C process contend."""
import os
import struct
import subprocess
import sys

import pytest
from conftest import HERE, INTEROP

sys.path.insert(0, INTEROP)
from test_curator import JARS, REASON, jar  # noqa: E402

pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
CONTESTS = """mutex multi_lock semaphore_mutex read_write latch selector semaphore double_barrier barrier refused revoke
    count value number queue_fifo queue_held queue_simple queue_id queue_priority queue_delay group persistent_node
    registry cache_tree cache_old_tree cache_children cache_node compressed""".split()
QUEUES = [name for name in CONTESTS if name.startswith("queue_")]
ALONE = "mutex multi_lock semaphore_mutex latch selector".split()  # one turn a round; a reader-writer has fewer
ROUNDS = 30
BASE = "/contest"


@pytest.fixture(scope="module")
def srv(either_server):
    return either_server


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """The class path with the Java half."""
    out = tmp_path_factory.mktemp("contender")
    path = ":".join(jar(name) for name in JARS if os.path.exists(jar(name)))
    sources = [os.path.join(HERE, "java", name) for name in ("CuratorContender.java", "CuratorSharing.java")]
    command = ["javac", "-Xlint:-options", "-nowarn", "-d", str(out), "-cp", path, *sources]
    subprocess.run(command, check=True)
    return "%s:%s" % (out, path)


@pytest.fixture(scope="module")
def outcome(build, srv, program, classes):
    """The output of both programs, which went through all contests together."""
    arguments = [srv.hosts, BASE, str(ROUNDS), *CONTESTS]
    java = subprocess.Popen(
        ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", classes, "CuratorContender", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        ours = build.run(program("contender", "contender_sharing"), *arguments, seconds=1200)
        if ours.returncode != 0:
            java.kill()  # it waits for the other one in vain
        theirs = java.communicate(timeout=300)[0]
    finally:
        java.kill()
        java.wait()
    return ours, theirs


@pytest.mark.parametrize("contest", CONTESTS)
def test_contest(outcome, contest):
    ours, theirs = outcome
    passed = "PASS %s\n" % contest
    assert passed in ours.stdout and passed in theirs, ours.stdout[-3000:] + theirs[-3000:]


def test_both_ended_well(outcome):
    assert outcome[0].returncode == 0, outcome[0].stdout[-3000:]
    assert "FAIL" not in outcome[1]


def changes(history, one, other):
    return sum(a == one and b == other for a, b in zip(history, history[1:]))


@pytest.mark.parametrize("contest", ALONE + ["read_write"])
def test_the_history_of_turns(outcome, zk, contest):
    """None was lost, and the place went from each to the other: whoever has every second turn only given back with
    the other behind it is followed by that one."""
    history = zk.get("%s/%s/history" % (BASE, contest)).data.decode()
    turns = [i for i in range(ROUNDS) if contest != "read_write" or i % 3 == 0]
    assert history.count("c") == history.count("j") == len(turns) and len(history) == 2 * len(turns)
    contended = sum(i % 2 == 0 for i in turns) - 1  # the last turn of all has nobody behind it
    # A reader may be what has queued up behind a writer.
    least = 1 if contest == "read_write" else contended
    assert min(changes(history, "c", "j"), changes(history, "j", "c")) >= least, history


def test_the_sums_are_those_of_both(outcome, zk):
    assert zk.get(BASE + "/count/lock").data == struct.pack(">i", 2 * ROUNDS)
    assert zk.get(BASE + "/number/n").data == struct.pack(">q", 2 * ROUNDS)


@pytest.mark.parametrize("contest", ["count", "number"] + QUEUES)
def test_everything_was_got_once(outcome, zk, contest):
    """By both: in the contests each creates a node for what it got, which nobody else can create again."""
    folder = "%s/%s/got" % (BASE, contest)
    got = {name: zk.get(folder + "/" + name).data for name in zk.ls(folder).children}
    assert len(got) == 2 * ROUNDS and set(got.values()) == {b"c", b"j"}
    if contest in QUEUES:
        assert sum("-java-" in name for name in got) == ROUNDS
    else:
        assert sorted(int(name) for name in got) == list(range(1, 2 * ROUNDS + 1))
