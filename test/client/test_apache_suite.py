"""The tests that Apache's C client has of its own, on our library and a server of ours.

They are not part of this project: ZOKOR_APACHE_SOURCE names a folder with Apache ZooKeeper's source (3.9; the
part zookeeper-client is enough), and Debian's package libcppunit-dev must be there. What is left out looks into
Apache's handle, replaces functions of libc inside Apache's library, or needs its own certificates. Takes four minutes.
"""
import glob
import os
import re
import shutil
import subprocess
import textwrap

import pytest
import server as server_module

SOURCE = os.environ.get("ZOKOR_APACHE_SOURCE", "")
TESTS = os.path.join(SOURCE, "zookeeper-client", "zookeeper-client-c", "tests")
LEFT_OUT = ("testBadDescriptor", "testServersResolutionDelay", "testDeserializeString", "testLastZxid", "testSSL")
FILES = ("TestDriver", "TestClient", "TestMulti", "TestClientRetry", "TestReadOnlyClient", "TestLogClientEnv")
FILES += ("TestSASLAuth", "Util")
HELPERS = ("ThreadingUtil", "LibCSymTable")

pytestmark = [
    pytest.mark.skipif(not SOURCE, reason="ZOKOR_APACHE_SOURCE does not name Apache ZooKeeper's source"),
    pytest.mark.skipif(not os.path.exists("/usr/include/cppunit"), reason="libcppunit-dev is not installed"),
    pytest.mark.skipif(not os.path.exists("/usr/include/sasl"), reason="libsasl2-dev is not installed"),
    pytest.mark.skipif(server_module.use_apache(), reason="starts its own servers"),
]

# What tests/zkServer.sh does there, with the server of this project: every call kills the one that runs.
SERVER_SH = textwrap.dedent(
    """\
    #!/bin/bash
    cd @DIR@
    if [ -r pid ]; then
        kill -9 $(cat pid) 2>/dev/null
        while kill -0 $(cat pid) 2>/dev/null; do sleep 0.05; done
        rm -f pid
    fi
    case $1 in startClean*) rm -rf data ;; esac
    case $1 in start*) ;; *) exit 0 ;; esac
    mkdir -p data
    printf '%s\\n' tickTime=500 initLimit=10 syncLimit=5 dataDir=@DIR@/data clientPort=@PORT@ \\
        maxClientCnxns=${ZKMAXCNXNS:-100} admin.enableServer=false >zoo.cfg
    readonly=false
    if [ "$1" = startCleanReadOnly ] || [ -n "${3:-}" ]; then
        readonly=true
        echo 1 >data/myid
        printf 'server.%s\\n' 1=127.0.0.1:@PEERS@ 2=127.0.0.1:1:2 3=127.0.0.1:3:4 >>zoo.cfg
    fi
    sasl=()
    if [ "$1" = startRequireSASLAuth ]; then # [JAAS FILE] [READ ONLY]
        sasl=(-Dzookeeper.sessionRequireClientSASLAuth=true ${2:+-Djava.security.auth.login.config=$2})
        sasl+=(-Dzookeeper.authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider)
    fi
    @ZOKOR@ server "${sasl[@]}" -Dreadonlymode.enabled=$readonly -Dzookeeper.extendedTypesEnabled=true \\
        -Dznode.container.checkIntervalMs=100 zoo.cfg >>log 2>&1 </dev/null &
    echo $! >pid
    if $readonly; then
        sleep 4 # a server without others reads after some ticks
    fi
    for i in $(seq 300); do
        (exec 3<>/dev/tcp/127.0.0.1/@PORT@) 2>/dev/null && exit 0
        sleep 0.1
    done
    exit 1
    """
)


def cut_test(text, name):
    """Takes a test out: its registration, and its body, which would not compile."""
    text = text.replace("    CPPUNIT_TEST(%s);\n" % name, "")
    begin = re.search(r"    void %s\(\)\s*\{" % name, text)
    if begin is None:
        return text
    end, depth = begin.end(), 1
    while depth > 0:
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
    return text[: begin.start()] + text[end:]


@pytest.fixture
def program(plain, tmp_path):
    folder = tmp_path / "tests"
    folder.mkdir()
    port, down = server_module.free_port(), server_module.free_port()
    for path in glob.glob(TESTS + "/*.h") + [os.path.join(TESTS, n + ".cc") for n in FILES + HELPERS]:
        with open(path, encoding="utf-8") as f:
            text = f.read().replace("22181", str(port)).replace("22182", str(down))
        for name in LEFT_OUT:
            text = cut_test(text, name)
        (folder / os.path.basename(path)).write_text(text)
    (folder / "ZKMocks.h").write_text("")
    (folder / "config.h").write_text("#define POLL_NFDS_TYPE nfds_t\n")
    script = SERVER_SH.replace("@DIR@", str(tmp_path)).replace("@PORT@", str(port))
    script = script.replace("@PEERS@", "%d:%d" % (down, server_module.free_port()))
    script = script.replace("@ZOKOR@", server_module.server_command()[0])
    (tmp_path / "zkServer.sh").write_text(script)
    (tmp_path / "zkServer.sh").chmod(0o755)
    out = str(tmp_path / "zktest")
    command = ["g++", "-w", "-std=c++14", "-DTHREADED", "-D_GNU_SOURCE", "-I" + str(folder)]
    command += ['-DZKSERVER_CMD="%s"' % (tmp_path / "zkServer.sh"), "-o", out]
    command += ["-I" + os.path.join(server_module.ROOT, "include", part) for part in ("", "zookeeper")]
    command += [str(folder / (n + ".cc")) for n in FILES + HELPERS]
    command += ["-DHAVE_CYRUS_SASL_H", "-L" + plain.dir, "-lzokor", "-lcppunit", "-lpthread", "-ldl", "-lsasl2"]
    subprocess.run(command, check=True)
    yield out
    subprocess.run([str(tmp_path / "zkServer.sh"), "stop"], check=True)
    shutil.rmtree(tmp_path / "data", ignore_errors=True)


def test_apache_suite(program, plain, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # it leaves its logs where it runs
    run = plain.run(program, seconds=600)
    assert run.returncode == 0, run.stdout
    total = re.search(r"^OK \((\d+)\)", run.stdout, re.M)
    assert total and int(total.group(1)) >= 45, run.stdout
