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
CONTESTS = "mutex semaphore_mutex read_write latch selector semaphore double_barrier count compressed".split()
ROUNDS = 30
BASE = "/contest"


@pytest.fixture(scope="module")
def srv(either_server):
    return either_server


@pytest.fixture(scope="module")
def outcome(build, srv, program, tmp_path_factory):
    """The output of both programs, which went through all contests together."""
    classes = tmp_path_factory.mktemp("contender")
    path = ":".join(jar(name) for name in JARS if os.path.exists(jar(name)))
    source = os.path.join(HERE, "java", "CuratorContender.java")
    command = ["javac", "-Xlint:-options", "-nowarn", "-d", str(classes), "-cp", path, source]
    subprocess.run(command, check=True)
    arguments = [srv.hosts, BASE, str(ROUNDS), *CONTESTS]
    java = subprocess.Popen(
        ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", "%s:%s" % (classes, path)]
        + ["CuratorContender", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        ours = build.run(program("contender"), *arguments, seconds=400)
        theirs = java.communicate(timeout=120)[0]
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


@pytest.mark.parametrize("contest", ["mutex", "semaphore_mutex", "latch", "selector"])
def test_no_turn_was_lost(outcome, zk, contest):
    """The counter was read and written by whoever was alone."""
    assert zk.get("%s/%s/counter" % (BASE, contest)).data == b"%d" % (2 * ROUNDS)


def test_the_count_is_that_of_both(outcome, zk):
    assert zk.get(BASE + "/count/lock").data == struct.pack(">i", 2 * ROUNDS)
