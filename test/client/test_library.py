"""The client library: its symbols and headers beside Apache's, and programs that run on it."""
import os
import re
import shutil
import subprocess

import pytest
import server as server_module
from conftest import HERE, INTEROP, ROOT
from cutter import Cutter
from test_c_client import GROUPS as C_CLIENT_GROUPS

APACHE = "/usr/lib/x86_64-linux-gnu/libzookeeper_mt.so.2"
INCLUDE = os.path.join(ROOT, "include")
HEADERS = ["zookeeper.h", "zookeeper_log.h", "zookeeper_version.h", "zookeeper.jute.h", "proto.h", "recordio.h"]
OURS = sorted("zokor/" + name for name in os.listdir(os.path.join(INCLUDE, "zokor")))
needs_apache_library = pytest.mark.skipif(
    not os.path.exists(APACHE), reason="Debian's package libzookeeper-mt2 is not installed"
)
needs_apache_headers = pytest.mark.skipif(
    not os.path.exists("/usr/include/zookeeper/zookeeper.h"),
    reason="Debian's package libzookeeper-mt-dev is not installed",
)
LIBRARY_GROUPS = [
    "persistent_watches",
    "reads",
    "who_and_ephemerals",
    "multi_with_stats",
    "large_multi",
    "ends",
    "fork",
    "deadlines",
    "prompt",
    "await",
    "inside_a_prompt_function",
    "closed_while_awaiting",
    "asking_inside_a_watcher",
    "polled",
    "arguments",
]


def symbols(library):
    """name -> (kind, size of a data object): T is a function, D data, read-only or not."""
    out = subprocess.run(["nm", "-DS", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    found = {}
    for line in out.splitlines():
        words = line.split()
        kind, name = words[-2:]
        found[name] = ("T", 0) if kind in "TWi" else ("D", int(words[1], 16))
    return found


@needs_apache_library
def test_symbols_are_those_of_apache(plain):
    theirs, ours = symbols(APACHE), symbols(plain.library)
    assert len(theirs) == 200
    assert {k: ours.get(k) for k in theirs} == theirs
    # Of a build of theirs with OpenSSL, and with Cyrus SASL; the last one is 3.9's.
    beyond = {"zookeeper_init_ssl", "zookeeper_init_sasl", "zoo_sasl_make_basic_callbacks"}
    beyond.add("zoo_sasl_make_password_callbacks")
    assert {k for k in ours if k not in theirs and not k.startswith("zokor_")} == beyond
    # The recipes stand on handles with threads: the other library has all but them.
    single = symbols(os.path.join(plain.dir, "libzokor_st.so"))
    assert {k: ours.get(k) for k in single} == single
    with open(os.path.join(INCLUDE, "zokor", "client.h")) as f:
        functions = set(re.findall(r"\b(zokor_\w+)\(", f.read()))
    assert len(functions) > 15 and functions <= set(single)


def test_the_library_needs_nothing_but_libc(plain):
    for name in ("libzokor.so", "libzokor_st.so"):
        path = os.path.join(plain.dir, name)
        out = subprocess.run(["readelf", "-d", path], check=True, capture_output=True, text=True)
        assert re.findall(r"NEEDED.*\[(.*)\]", out.stdout) == ["libc.so.6"]
    for name in ("libzookeeper_mt.so.2", "libzokor.so.0"):
        assert os.path.realpath(os.path.join(plain.dir, name)) == os.path.realpath(plain.library)


@pytest.mark.parametrize("header", HEADERS + OURS)
@pytest.mark.parametrize("language", ["c", "c++"])
def test_headers_stand_alone(plain, tmp_path, header, language):
    if language == "c++" and shutil.which("c++") is None:
        pytest.skip("no C++ compiler")
    source = tmp_path / "one.c"
    folder = header if header.startswith("zokor/") else "zookeeper/" + header
    source.write_text("#include <%s>\nint main(void) { return 0; }\n" % folder)
    standard = "-std=c11" if language == "c" else "-std=c++17"
    compiler = plain.compiler if language == "c" else "c++"
    subprocess.run(
        [compiler, "-x", language, standard, "-Wall", "-Wextra", "-Werror", "-I" + INCLUDE]
        + ["-fsyntax-only", str(source)],
        check=True,
    )


@needs_apache_headers
def test_layouts_and_constants_are_those_of_apache(plain, tmp_path):
    """One program, printing the place of every field and every constant, built with either header."""
    with open(os.path.join(INCLUDE, "zookeeper", "zookeeper.jute.h")) as f:
        text = f.read()
    lines = []
    for name, body in re.findall(r"^struct (\w+) {\n(.*?)^};", text, re.M | re.S):
        lines.append("SIZE(struct %s)" % name)
        lines += ["FIELD(struct %s, %s)" % (name, f) for f in re.findall(r"(\w+);", body)]
    assert len(lines) > 250
    fields = "path data datalen buf buflen acl flags ttl".split()
    lines += ["FIELD(zoo_op_t, create_op.%s)" % f for f in fields]
    lines += ["FIELD(zoo_op_t, set_op.%s)" % f for f in "path data datalen version stat".split()]
    lines += ["FIELD(zoo_op_t, delete_op.version)", "FIELD(zoo_op_t, check_op.version)"]
    lines += ["FIELD(zoo_op_result_t, %s)" % f for f in "err value valuelen stat".split()]
    lines += ["SIZE(%s)" % t for t in "zoo_op_t zoo_op_result_t clientid_t zsock_t zcert_t struct~buffer".split()]
    lines += ["SIZE(struct iarchive)", "SIZE(struct oarchive)", "SIZE(ZooLogLevel)", "SIZE(ZooWatcherType)"]
    with open("/usr/include/zookeeper/zookeeper.h") as f:
        theirs = f.read()
    with open("/usr/include/zookeeper/proto.h") as f:
        theirs_too = f.read()
    errors = re.findall(r"^  (Z\w+) = -?\d+", theirs, re.M)
    numbers = re.findall(r"#define (ZOO_\w+_OP|ZOO_\w+_WATCHES)\b", theirs_too)
    globals_ = re.findall(r"extern ZOOAPI const int (\w+);", theirs)
    assert len(errors) > 30 and len(numbers) > 20 and len(globals_) > 28
    lines += ["VALUE(%s)" % e for e in errors + numbers + globals_]
    lines += ["VALUE(%s)" % v for v in "ZOO_READONLY ZOO_NO_LOG_CLIENTENV ZWATCHTYPE_ANY ZOO_LOG_LEVEL_DEBUG".split()]
    lines += ["TEXT(ZOO_CONFIG_NODE)", "TEXT(ZOO_VERSION)"]
    lines += ["TEXT(zerror(%d))" % c for c in range(-130, 1) if c not in (-15, -122, -125)]
    source = tmp_path / "layout.c"
    source.write_text(
        "#include <stddef.h>\n#include <zookeeper/zookeeper.h>\n#include <zookeeper/zookeeper_log.h>\n"
        '#define SIZE(t) printf("%s %zu\\n", #t, sizeof(t));\n'
        '#define FIELD(t, f) printf("%s.%s %zu %zu\\n", #t, #f, offsetof(t, f), sizeof(((t *)0)->f));\n'
        '#define VALUE(v) printf("%s %d\\n", #v, (int)(v));\n'
        '#define TEXT(v) printf("%s %s\\n", #v, v);\n'
        "int main(void)\n{\n" + "\n".join(lines).replace("~", " ") + "\nreturn 0;\n}\n"
    )
    ours = plain.run(plain.compile(tmp_path / "ours", str(source)))
    apache = subprocess.run([plain.compile(tmp_path / "theirs", str(source), "debian")], capture_output=True, text=True)
    assert ours.returncode == 0 and apache.returncode == 0
    assert ours.stdout == apache.stdout


@needs_apache_library
@needs_apache_headers
def test_what_a_program_sees_is_what_it_sees_of_apache(plain, srv, zk, base, tmp_path):
    """Codes, arguments of completions, events, levels of the log: one program's lines on either library."""
    program = plain.compile(tmp_path / "beside", os.path.join(HERE, "beside.c"), "debian")
    hosts = "%s,127.0.0.1:%d" % (srv.hosts, server_module.free_port())
    said = {}
    for name in ("theirs", "ours"):
        path = base + "-" + name
        assert zk.create(path).err == 0
        if name == "ours":
            run = plain.run(program, hosts, path)
        else:
            run = subprocess.run([program, hosts, path], stdout=subprocess.PIPE, text=True, timeout=120)
        assert run.returncode == 0, run.stdout
        said[name] = run.stdout.replace(path, base).splitlines()
    assert said["ours"] == said["theirs"]
    assert len(said["ours"]) > 110 and "nothing came" not in said["ours"]


@needs_apache_headers
def test_every_function_of_their_header_is_in_ours(plain, tmp_path):
    """Each with the same type: a second declaration that differs would not compile."""
    command = [plain.compiler, "-DTHREADED", "-E", "-P", "/usr/include/zookeeper/zookeeper.h"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    known = symbols(plain.library)
    declared = {}
    for line in re.split(r"[;{}]", re.sub(r"\s+", " ", text)):
        found = re.match(r" ?(?:const )?(?:struct )?\w+[ *]+(zoo\w+|zerror|is_unrecoverable) ?\(.*\)$", line)
        if found and found.group(1) in known:
            declared[found.group(1)] = line.strip()
    assert len(declared) > 70
    source = tmp_path / "again.c"
    source.write_text(
        "#define THREADED\n#include <zookeeper/zookeeper.h>\n"
        + "".join(line + ";\n" for line in declared.values())
        + "int main(void) { return 0; }\n"
    )
    subprocess.run([plain.compiler, "-I" + INCLUDE, "-Werror", "-fsyntax-only", str(source)], check=True)


def groups_of(run):
    return {m.group(2): m.group(0) for m in re.finditer(r"^(PASS|FAIL) (\w+).*$", run.stdout, re.M)}


def assert_groups(run, expected):
    found = groups_of(run)
    assert sorted(found) == sorted(expected), run.stdout[-3000:]
    assert [line for line in found.values() if not line.startswith("PASS ")] == [], run.stdout[-3000:]
    assert run.returncode == 0, run.stdout[-3000:]


@pytest.mark.parametrize("headers", ["ours", pytest.param("debian", marks=needs_apache_headers)])
def test_a_program_for_apaches_library(build, srv, tmp_path, headers):
    if headers == "debian" and build.sanitizer:
        pytest.skip("linked with Apache's library, which has no sanitizer")
    program = build.compile(tmp_path / "client_mt", os.path.join(INTEROP, "c", "client_mt.c"), headers)
    assert_groups(build.run(program, srv.hosts), C_CLIENT_GROUPS)


def test_what_is_added(build, srv, tmp_path):
    if server_module.use_apache() and srv.is_38():
        pytest.skip("since 3.9: types of watches, creates with a stat in a multi")
    program = build.compile(tmp_path / "library", os.path.join(HERE, "library.c"))
    assert_groups(build.run(program, srv.hosts), LIBRARY_GROUPS)


def test_the_library_without_threads(build, srv, tmp_path):
    more = ["-DWITHOUT_THREADS", "-Wno-unused"]
    program = build.compile(tmp_path / "st", os.path.join(HERE, "library.c"), library="zokor_st", more=more)
    assert_groups(build.run(program, srv.hosts), ["polled"])


@pytest.fixture(scope="module")
def stress(build, tmp_path_factory):
    return build.compile(tmp_path_factory.mktemp("c") / "stress", os.path.join(HERE, "stress.c"))


def test_many_threads(build, srv, stress):
    run = build.run(stress, srv.hosts, "4", "3000", "1")
    assert run.returncode == 0 and " lost 0," in run.stdout, run.stdout[-6000:]


@pytest.mark.parametrize("seed", ["1", "2"])
def test_many_threads_and_a_connection_that_breaks(build, srv, stress, seed):
    cutter = Cutter(srv.port, server_module.free_port(), 60000, seed=int(seed))
    try:
        run = build.run(stress, "127.0.0.1:%d" % cutter.port, "4", "1500", seed)
    finally:
        cutter.close()
    assert run.returncode == 0, run.stdout[-6000:]
    assert cutter.cuts > 0 and " lost 0," not in run.stdout


@pytest.mark.parametrize("mean_bytes", [0, 60000])
def test_threads_that_receive_for_each_other(build, srv, tmp_path, mean_bytes):
    program = build.compile(tmp_path / "waiters", os.path.join(HERE, "waiters.c"))
    cutter = Cutter(srv.port, server_module.free_port(), mean_bytes, seed=3)
    try:
        run = build.run(program, "127.0.0.1:%d" % cutter.port, "4", "1500", "1")
    finally:
        cutter.close()
    assert run.returncode == 0, run.stdout[-6000:]
    assert (cutter.cuts > 0) == (mean_bytes > 0) and (" lost 0," in run.stdout) == (mean_bytes == 0), run.stdout


def test_load_gen_runs_on_it(plain, srv, zk, base):
    program = "/usr/lib/zookeeper/bin/load_gen"
    if not os.path.exists(program):
        pytest.skip("Debian's package zookeeper-bin is not installed")
    # It works for ever: it is ended once it has begun its second cycle.
    process = subprocess.Popen(
        [program, srv.hosts, base, "50"], env=plain.env(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    seen = []
    for line in process.stdout:
        seen.append(line)
        if sum("Creating children" in x for x in seen) == 2:
            break
    process.kill()
    process.wait(60)
    for stage in ("Created %s/0" % base, "Starting the write cycle", "Starting the read cycle", "Starting the delete"):
        assert any(stage in line for line in seen), seen[-20:]
    assert not any("ZOO_ERROR" in line for line in seen), seen[-20:]
    clean = plain.run(program, srv.hosts, base, "clean")
    assert "Successfully deleted a subtree" in clean.stdout
    assert zk.create(base).err == 0, "it was deleted"
