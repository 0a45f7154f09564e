"""Apache Curator's recipes against the server: java/CuratorInterop.java, compiled against Debian's
jars.
"""
import os
import shutil
import subprocess

import pytest

import server

HERE = os.path.dirname(os.path.abspath(__file__))
JARS = [
    "zookeeper",
    "zookeeper-jute",
    "curator-client",
    "curator-framework",
    "curator-recipes",
    "curator-x-discovery",
    "guava",
    "failureaccess",
    "slf4j-api",
    "slf4j-nop",
    "jackson-core",
    "jackson-databind",
    "jackson-annotations",
    "netty-common",
    "netty-buffer",
    "netty-handler",
    "netty-transport",
    "netty-resolver",
    "netty-codec",
    "metrics-core",
    "commons-cli",
]
NEEDED = [
    "zookeeper",
    "zookeeper-jute",
    "curator-client",
    "curator-framework",
    "curator-recipes",
    "curator-x-discovery",
    "guava",
]


def jar(name):
    return "/usr/share/java/%s.jar" % name


def reason():
    if server.missing_java():
        return server.missing_java()
    if shutil.which("javac") is None:
        return "javac is not installed"
    missing = [name for name in NEEDED if not os.path.exists(jar(name))]
    return "missing in /usr/share/java: " + ", ".join(missing) if missing else None


REASON = reason()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

NAMES = """
    InterProcessMutex InterProcessMutexTimeout InterProcessMutexHolderDies
    InterProcessSemaphoreMutex InterProcessReadWriteLock InterProcessReadWriteLockExclusion
    InterProcessSemaphoreV2 InterProcessMultiLock LeaderLatch LeaderLatchLeaderDies
    LeaderSelector NodeCache PathChildrenCache TreeCache CuratorCache PersistentWatcher
    CreateModes DataAndVersions CompressedData BackgroundCalls BackgroundOrder CuratorListener
    WatchersOfReads RemoveWatches ProtectedCreates CreateOrSet Transactions TransactionKinds
    Acls Namespaces ConnectionStates SessionTakenOver LargeData WatchReturnsAfterReconnect
    DistributedAtomicLong DistributedAtomicInteger SharedCount SharedValue DistributedBarrier
    DistributedDoubleBarrier DistributedQueue DistributedQueueOrder DistributedPriorityQueue
    DistributedDelayQueue SimpleDistributedQueue PersistentNode PersistentTtlNode GroupMember
    ServiceDiscovery
""".split()


@pytest.fixture(scope="module")
def results(shared_server, tmp_path_factory):
    """The program is run once; {name: line of its output, with what follows it}."""
    classes = tmp_path_factory.mktemp("curator")
    path = ":".join(jar(name) for name in JARS if os.path.exists(jar(name)))
    subprocess.run(
        [
            "javac",
            "-Xlint:-options",
            "-nowarn",
            "-d",
            str(classes),
            "-cp",
            path,
            os.path.join(HERE, "java", "CuratorInterop.java"),
        ],
        check=True,
    )
    run = subprocess.run(
        [
            "java",
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-cp",
            "%s:%s" % (classes, path),
            "CuratorInterop",
            shared_server.hosts,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    )
    out, current = {}, None
    for line in run.stdout.splitlines():
        if line.startswith(("PASS ", "FAIL ")):
            current = line.split()[1].rstrip(":")
            out[current] = line
        elif current:
            out[current] += "\n" + line
    out[""] = run.stdout
    return out


@pytest.mark.parametrize("name", NAMES)
def test_recipe(results, name):
    assert name in results, "not run:\n" + results[""][-3000:]
    assert results[name].startswith("PASS "), results[name]


def test_every_recipe_of_the_program_is_listed(results):
    assert sorted(set(results) - {""}) == sorted(NAMES)
