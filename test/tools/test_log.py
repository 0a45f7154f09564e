"""zokor log beside Apache's TxnLogToolkit, and what it does with damaged files."""
import json
import os
import re
import select
import shutil
import struct
import subprocess
import time
import zlib

import pytest
from conftest import ApacheServer, GOLDEN, ENVIRONMENT, files, golden_files, short
from server import Server

SMALL = os.path.join(GOLDEN, "small", "version-2", "log.1")
# Here Apache's tool ends with an exception; ours tells what it found (test_what_apache_gives_up_on).
APACHE_FAILS = ("torn-middle-log/version-2/log.b", "torn-padded/version-2/log.1")


def records(data):
    """(offset, payload length) of each."""
    at = 16
    while at + 12 < len(data):
        (n,) = struct.unpack_from(">i", data, at + 8)
        if n == 0:
            return
        yield at, n
        at += 13 + n


def record(payload):
    return struct.pack(">qi", zlib.adler32(payload), len(payload)) + payload + b"B"


def same(ours, theirs):
    assert ours.stdout == theirs.stdout
    assert ours.returncode == theirs.returncode, (ours.stderr, theirs.stderr)


@pytest.mark.parametrize("path", golden_files("log"), ids=short)
def test_dump_is_apaches(tool, apache, path):
    if short(path) in APACHE_FAILS:
        pytest.skip("Apache's tool fails with an exception on this file")
    same(tool("log", "toolkit", path), apache("persistence.TxnLogToolkit", path))


def test_dump_of_fresh_logs_is_apaches(tool, apache, directory):
    for path in files(directory, "log"):
        same(tool("log", "toolkit", "-d", path), apache("persistence.TxnLogToolkit", "-d", path))


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_times_are_those_of_the_zone(tool, apache, zone):
    env = {"TZ": zone}
    same(tool("log", "toolkit", SMALL, env=env), apache("persistence.TxnLogToolkit", SMALL, env=env))


@pytest.fixture
def damaged(tmp_path):
    """damaged(change): a copy of the small log whose bytes `change` has altered."""

    def make(change, name="log.1"):
        with open(SMALL, "rb") as f:
            data = bytearray(f.read())
        data = change(data, list(records(data))) or data
        path = tmp_path / name
        path.write_bytes(data)
        return str(path)

    return make


def spoil(index, text=b"X"):
    def change(data, at):
        offset, n = at[index]
        place = offset + 12 + n - 20
        data[place:place + len(text)] = text
    return change


def flip_two(data, at):
    """Two records, several bytes of each: nothing tells what they were."""
    for word in (b"c2data", b"alpha2"):
        place = data.find(word)
        data[place:place + 4] = b"\xf0\xf1\xf2\xf3"


def flip_byte(data, at):
    data[data.find(b"alpha2")] ^= 0x10


def flip_checksum(data, at):
    data[at[30][0] + 6] ^= 0x10


def no_end_byte(data, at):
    offset, n = at[10]
    data[offset + 12 + n] = 0


def cut_last(data, at):
    return data[:at[-1][0] + 30]


def bad_length(data, at):
    data[at[10][0] + 8] = 0x7f


def length_off_by_one(data, at):
    data[at[10][0] + 11] ^= 1


def bad_magic(data, at):
    data[0] = 0


@pytest.mark.parametrize("change", [flip_two, no_end_byte, cut_last, bad_magic, length_off_by_one])
def test_dump_of_damage_is_apaches(tool, apache, damaged, change):
    path = damaged(change)
    same(tool("log", "toolkit", path), apache("persistence.TxnLogToolkit", path))


def test_odd_records_are_apaches(tool, apache, tmp_path):
    def text(s):
        return struct.pack(">i", len(s)) + s

    def head(zxid, kind, time_ms=1795265867137, session=7):
        return struct.pack(">qiqqi", session, -1, zxid, time_ms, kind)

    payloads = [
        head(0x3d, -11),
        head(0x3e, 7) + text(b"/a,b%}c\n") + struct.pack(">ii", -1, 3),
        head(0x3f, 1) + text(b"/old") + text(b"\xe2\x82x\xf0\x9f\x98\x80\xed\xa0\x80\xf8\x88") +
        struct.pack(">i", -1) + b"\1",
        head(0x40, 1, -1, -1) + text(b"/old") + struct.pack(">ii", -1, 0) + b"\1",
        head(0x41, 5, 951782400000) + text(b"/x") + text(b"\t\x1b[31m") + struct.pack(">i", -2),
    ]
    path = tmp_path / "log.3d"
    path.write_bytes(b"ZKLG" + struct.pack(">iq", 2, 0) + b"".join(record(p) for p in payloads))
    same(tool("log", "toolkit", path), apache("persistence.TxnLogToolkit", path))


@pytest.mark.parametrize("args,answers", [(["-r"], b"x\ny\nn\n"), (["-r", "-v"], b"y\ny\n"), (["-ry"], b""),
                                          (["-r", "--yes", "--verbose"], b""), (["-r"], b"a\n")])
def test_recovery_is_apaches(tool, apache, damaged, tmp_path, args, answers):
    path = damaged(flip_two)
    theirs = apache("persistence.TxnLogToolkit", *args, path, stdin=answers)
    theirs_file = path + ".fixed"
    theirs_bytes = open(theirs_file, "rb").read().rstrip(b"\0") if os.path.exists(theirs_file) else b""
    os.remove(theirs_file)
    ours = tool("log", "toolkit", *args, path, stdin=answers)
    same(ours, theirs)
    assert ours.stderr == theirs.stderr
    if answers.endswith(b"a\n"):
        assert not os.path.exists(theirs_file), "an aborted recovery leaves nothing"
    else:
        assert open(theirs_file, "rb").read() == theirs_bytes
        again = tool("log", "toolkit", *args, path)
        assert again.returncode == 1 and b"already exists or not writable" in again.stderr


def test_chop_is_apaches(tool, apache, tmp_path):
    for zxid in ("0x10", "16", "999"):
        path = str(tmp_path / "log.1")
        shutil.copy(SMALL, path)
        theirs = apache("persistence.TxnLogToolkit", "-c", path, "-z", zxid)
        name = "%s.chopped%d" % (path, int(zxid, 0))
        expected = open(name, "rb").read()
        os.remove(name)
        same(tool("log", "toolkit", "-c", path, "-z", zxid), theirs)
        if zxid == "999":
            assert not os.path.exists(name), "nothing is left of what failed"
        else:
            assert open(name, "rb").read() == expected
            os.remove(name)


@pytest.mark.parametrize("args", [[], ["-h"], ["-q", "x"], ["/nonexistent"], ["-c", "x"], ["-c", SMALL]])
def test_usage_is_apaches(tool, apache, args):
    ours, theirs = tool("log", "toolkit", *args), apache("persistence.TxnLogToolkit", *args)
    same(ours, theirs)
    assert ours.stderr.strip() == theirs.stderr.strip()


@pytest.mark.parametrize("path", APACHE_FAILS)
def test_what_apache_gives_up_on(tool, path):
    run = tool("log", "show", os.path.join(GOLDEN, path))
    assert b"zxid 0x3b " in run.stdout and b"EOF reached" in run.stdout


# ---- show ----


def show(tool, *args):
    run = tool("log", "show", "--json", *args)
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_json_has_every_field(tool):
    rows = show(tool, os.path.join(GOLDEN, "small"))
    assert [int(r["zxid"], 16) for r in rows] == list(range(1, 61))
    assert rows[1] == {
        "file": "log.1", "offset": 77, "valid": True, "zxid": "0x2", "session": "0x100001005e70000", "cxid": 1,
        "time": "2026-11-21T03:58:36.338Z", "type": "create", "path": "/a", "data": "YWxwaGE=",
        "acl": [{"perms": 31, "scheme": "world", "id": "anyone"}], "ephemeral": False, "parent_cversion": 1,
        "digest": "0x14bd14d4b"}
    multi = rows[0x23 - 1]
    assert [op["type"] for op in multi["ops"]][:2] == ["check", "create"] and len(multi["ops"]) == 9
    assert rows[0x2a - 1]["paths"] == ["/a/y2", "/y1"]
    assert rows[0x1e - 1] == {**rows[0x1e - 1], "type": "error", "err": -110}


def test_choices(tool):
    small = os.path.join(GOLDEN, "small")

    def zxids(*args):
        return [int(r["zxid"], 16) for r in show(tool, small, *args)]

    assert zxids("--from", "0x10", "--to", "12") == [0x10, 0x11, 0x12]
    assert zxids("--session", "0x100001005e70001") == [0x27, 0x28, 0x29, 0x2a]
    assert zxids("--path", "/m") == [0x22, 0x23, 0x24], "also inside a multi; not /many"
    assert zxids("--path", "/y1") == [0x28, 0x2a], "also what a closing session takes away"
    assert zxids("--path", "/", "--type", "deletecontainer") == [0x3a, 0x3b]
    fuzzy = show(tool, os.path.join(GOLDEN, "fuzzy"), "--from", "0x100")
    assert [int(r["zxid"], 16) for r in fuzzy] == list(range(0x100, 0x17a)), "over several files"
    assert {r["file"] for r in fuzzy} == {"log.c8", "log.118", "log.170"}


@pytest.mark.parametrize("args,text", [
    (["show"], "which file"), (["look", "x"], "'look' is none of show"), (["show", "--path", "a", "x"], "begin with /"),
    (["show", "--session", "zz", "x"], "not a hexadecimal"), (["show", "--type", "creat", "x"], "'creat' is not known"),
    (["repair", "a", "b"], "'b' is too many"), (["repair", "--lost", "x", "a"], "neither fill nor cut")])
def test_wrong_arguments(tool, args, text):
    run = tool("log", *args)
    assert run.returncode == 2 and text in run.stderr.decode(), run.stderr


def test_help_teaches(tool):
    for words in (["log"], ["log", "--help"], ["snap", "--help"], ["purge", "--help"], ["init", "--help"],
                  ["status", "--help"]):
        run = tool(*words)
        assert run.returncode == 0 and b"example" in run.stdout and b"Exit status" in run.stdout, words


def test_data_cannot_command_a_terminal(zokor, tmp_path):
    """On a terminal control characters are shown as question marks; in a pipe bytes stay as they are."""
    payload = struct.pack(">qiqqi", 1, 1, 1, 0, 5) + struct.pack(">i", 2) + b"/x" + struct.pack(">i", 5) + \
        b"\x1b[31m" + struct.pack(">i", 1)
    path = tmp_path / "log.1"
    path.write_bytes(b"ZKLG" + struct.pack(">iq", 2, 0) + record(payload))
    main, other = os.openpty()
    subprocess.run([zokor, "log", "show", str(path)], stdout=other, stderr=other, timeout=60, check=True)
    shown = b""
    while b"[31m" not in shown:  # a terminal gives what was written in pieces
        assert select.select([main], [], [], 60)[0], shown
        shown += os.read(main, 65536)
    os.close(other)
    os.close(main)
    assert b"?[31m" in shown and b"\x1b[31m" not in shown
    piped = subprocess.run([zokor, "log", "show", str(path)], capture_output=True, timeout=60, check=True)
    assert b"\x1b[31m" in piped.stdout


# ---- follow ----


def test_follow_goes_from_file_to_file(zokor, tmp_path):
    kazoo_client = pytest.importorskip("kazoo.client", reason="python3-kazoo is not installed")
    with Server(tmp_path, extra=["snapCount=10", "preAllocSize=64"]) as srv:
        client = kazoo_client.KazooClient(srv.hosts, timeout=30)
        client.start(60)
        client.create("/before", b"")
        out = open(tmp_path / "followed", "w+b")
        follower = subprocess.Popen([zokor, "log", "follow", "--json", "--path", "/f", srv.data_dir], stdout=out,
                                    env=ENVIRONMENT)
        try:
            client.create("/f", b"")
            # Told only of what comes: wait until it looks, by what it shows.
            deadline = time.monotonic() + 60
            n = 0
            while os.fstat(out.fileno()).st_size == 0:
                assert time.monotonic() < deadline and follower.poll() is None
                client.create("/f/warm%d" % n, b"")
                n += 1
                time.sleep(0.05)
            for i in range(40):
                client.create("/f/n%d" % i, b"")
                client.create("/other%d" % i, b"")
            client.create("/f/last", b"")
            deadline = time.monotonic() + 60
            while not re.search(rb'"/f/last".*\n', open(out.name, "rb").read()):
                assert time.monotonic() < deadline and follower.poll() is None
                time.sleep(0.05)
        finally:
            follower.terminate()
            follower.wait(60)
            client.stop()
            client.close()
        rows = [json.loads(line) for line in open(out.name)]
        out.close()
        paths = [r["path"] for r in rows]
        assert [p for p in paths if p.startswith("/f/n")] == ["/f/n%d" % i for i in range(40)]
        assert "/before" not in paths and not any(p.startswith("/other") for p in paths)
        assert len({r["file"] for r in rows}) > 1, "the server has begun new files meanwhile"


# ---- verify and repair ----


def test_verify_of_what_servers_wrote(tool, directory):
    run = tool("log", "verify", os.path.dirname(directory))
    assert run.returncode == 0, run.stdout
    assert b"BAD" not in run.stdout and b"A server starts with these files" in run.stdout
    assert b" 0 wrong." in run.stdout


@pytest.mark.parametrize("change,text", [(flip_two, "wrong checksum"), (no_end_byte, "without its end byte"),
                                         (bad_length, "impossible length"), (bad_magic, "ZKLG")])
def test_verify_finds_damage_and_names_the_repair(tool, damaged, change, text):
    path = damaged(change)
    run = tool("log", "verify", path)
    said = run.stdout.decode()
    assert run.returncode == 1 and text in said and "zokor log repair " + path in said


@pytest.mark.parametrize("change", [no_end_byte, bad_length, length_off_by_one, bad_magic, flip_byte,
                                    flip_checksum])
def test_what_can_be_proved_is_restored(tool, damaged, change):
    path = damaged(change)
    run = tool("log", "repair", path, stdin=b"y\n" if change in (flip_byte, flip_checksum) else b"")
    assert run.returncode == 0, run.stderr
    assert open(path + ".fixed", "rb").read() == open(SMALL, "rb").read()
    assert tool("log", "verify", path + ".fixed").returncode == 0


def test_one_byte_is_found(tool, damaged):
    path = damaged(flip_byte)
    run = tool("log", "repair", path, stdin=b"a\n")
    assert run.returncode == 1 and b"0x61 instead of 0x71 makes the checksum fit" in run.stdout, run.stdout
    run = tool("log", "repair", path, stdin=b"n\ny\n")
    assert run.returncode == 0 and b"setData /a,qlpha2,1" in run.stdout and b"1 fixed CRC error" in run.stdout


def test_a_sound_log_is_left_alone(tool, damaged):
    path = damaged(lambda data, at: None)
    run = tool("log", "repair", path)
    assert run.returncode == 0 and b"nothing to repair" in run.stdout
    assert not os.path.exists(path + ".fixed")


@pytest.mark.parametrize("answers,fixed", [(b"y\ny\n", 2), (b"n\ny\n", 1), (b"a\n", None), (b"", None)])
def test_a_checksum_is_asked_about(tool, damaged, answers, fixed):
    path = damaged(flip_two)
    before = open(path, "rb").read()
    run = tool("log", "repair", path, stdin=answers)
    assert open(path, "rb").read() == before, "the log itself is never changed"
    if fixed is None:
        assert run.returncode == 1 and b"Recovery aborted." in run.stderr
        assert not os.path.exists(path + ".fixed")
    else:
        assert b"with %d fixed CRC error" % fixed in run.stdout
        assert tool("log", "verify", path + ".fixed").returncode == (0 if fixed == 2 else 1)


def lose_three(data, at):
    """Three records in the middle become garbage that is no record."""
    first, last = at[20][0], at[23][0]
    data[first:last] = bytes((i * 37 + 11) & 0xff | 1 for i in range(last - first))


def test_what_is_lost_is_filled_or_cut(tool, damaged, tmp_path):
    path = damaged(lose_three)
    run = tool("log", "repair", "-y", path)
    assert run.returncode == 1 and b"--lost=fill or --lost=cut" in run.stderr and not os.path.exists(path + ".fixed")
    run = tool("log", "repair", "--lost", "fill", path)
    assert run.returncode == 0 and b"They held zxid 0x15 to 0x17, 3 transactions" in run.stdout, run.stdout
    rows = show(tool, path + ".fixed")
    assert [int(r["zxid"], 16) for r in rows] == list(range(1, 61))
    assert [r["type"] for r in rows[0x14:0x17]] == ["error"] * 3
    os.remove(path + ".fixed")
    run = tool("log", "repair", path, stdin=b"c\n")
    assert run.returncode == 0, run.stderr
    assert [int(r["zxid"], 16) for r in show(tool, path + ".fixed")] == list(range(1, 0x15))


def lose_one_cleanly(data, at):
    """A record is gone as if it had never been: its neighbours are whole."""
    del data[at[30][0]:at[31][0]]


def not_a_transaction(data, at):
    """The checksum is right, the type is one that nobody knows."""
    offset, n = at[30]
    data[offset + 12 + 28:offset + 12 + 32] = struct.pack(">i", 99)
    data[offset:offset + 8] = struct.pack(">q", zlib.adler32(data[offset + 12:offset + 12 + n]))


@pytest.mark.parametrize("change", [lose_one_cleanly, not_a_transaction])
def test_what_a_whole_file_lacks(tool, damaged, change):
    path = damaged(change)
    assert tool("log", "verify", path).returncode == 1
    run = tool("log", "repair", path, stdin=b"f\n")
    assert run.returncode == 0 and b"They held zxid 0x1f to 0x1f, 1 transactions." in run.stdout, run.stdout
    rows = show(tool, path + ".fixed")
    assert [int(r["zxid"], 16) for r in rows] == list(range(1, 61)) and rows[30]["type"] == "error"
    os.remove(path + ".fixed")
    run = tool("log", "repair", "-y", "--lost=cut", path)
    assert run.returncode == 0 and len(show(tool, path + ".fixed")) == 30


def copy_of(name, place):
    """A data directory of its own of one of the golden ones."""
    shutil.copytree(os.path.join(GOLDEN, name), place / "data")
    for base, _, names in os.walk(place / "data"):
        for file in names:
            os.chmod(os.path.join(base, file), 0o644)
    return place / "data" / "version-2"


def follow_the_advice(tool, srv, *more):
    """The server refuses; what it says to run is run."""
    srv.spawn()
    assert srv.wait() == 3, srv.log()
    command = re.findall(r"run `zokor (log repair [^`]+)`", srv.log())[-1].split()
    return tool(*command, "--replace", *more)


def test_a_log_that_is_missing_between_two(tool, tmp_path):
    """The advice for a gap between files names the second one, where the gap is filled."""
    version = copy_of("fuzzy", tmp_path)
    os.remove(version / "log.c8")
    srv = Server(tmp_path)
    run = follow_the_advice(tool, srv, "--lost=fill")
    assert run.returncode == 0 and b"They held zxid 0xc8 to 0x117, 80 transactions." in run.stdout, run.stdout
    with srv:
        assert srv.zxid() >= 0x179


@pytest.mark.parametrize("content", [b"", b"ZKLG", b"\0" * 16 + b"rubbish"])
def test_a_middle_log_without_a_header(tool, tmp_path, content):
    version = copy_of("fuzzy", tmp_path)
    (version / "log.c8").write_bytes(content)
    srv = Server(tmp_path)
    assert follow_the_advice(tool, srv, "-y").returncode == 0
    assert (version / "log.c8").read_bytes() == b"ZKLG\0\0\0\2" + b"\0" * 8
    run = follow_the_advice(tool, srv, "--lost=fill")
    assert run.returncode == 0, run.stderr
    with srv:
        assert srv.zxid() >= 0x179


def test_a_server_starts_again_after_the_repair_it_named(tool, zokor, tmp_path):
    """Damage, refusal with the command to run, that command, a start."""
    log = copy_of("small", tmp_path) / "log.1"
    data = bytearray(log.read_bytes())
    no_end_byte(data, list(records(data)))
    log.write_bytes(data)
    srv = Server(tmp_path)
    run = follow_the_advice(tool, srv)
    assert run.returncode == 0, run.stderr
    kept = log.parent / "damaged-log.1"
    assert kept.read_bytes() == data
    with srv:
        assert srv.zxid() >= 0x3c
        held = tool("log", "repair", "--replace", log)
        assert held.returncode == 1 and b"a server works on this directory" in held.stderr


def test_trim(tool, directory, tmp_path):
    longest = max(files(directory, "log"), key=lambda file: len(show(tool, file)))
    path = str(tmp_path / os.path.basename(longest))
    shutil.copy(longest, path)
    run = tool("log", "trim", path)
    assert run.returncode == 0, run.stderr
    new = str(tmp_path / ("trimmed-" + os.path.basename(path)))
    assert open(path, "rb").read().rstrip(b"\0") == open(new, "rb").read()
    os.remove(new)
    last = int(show(tool, path)[-1]["zxid"], 16)
    run = tool("log", "trim", "--replace", "--to", "0x%x" % (last - 2), path)
    assert run.returncode == 0, run.stderr
    assert int(show(tool, path)[-1]["zxid"], 16) == last - 2
    assert os.path.exists(tmp_path / ("untrimmed-" + os.path.basename(path)))


def zxid_at_start(directory):
    """Of the snapshot that Apache's server then makes; some seconds later the first of the sessions ends."""
    return max(int(path.rsplit(".", 1)[1], 16) for path in files(directory, "snapshot"))


@pytest.mark.parametrize("lost,last", [("fill", 0x3c), ("cut", 0x14)])
def test_apache_starts_on_what_was_repaired(tool, tmp_path, lost, last):
    log = copy_of("small", tmp_path) / "log.1"
    data = bytearray(log.read_bytes())
    lose_three(data, list(records(data)))
    log.write_bytes(data)
    run = tool("log", "repair", "--replace", "--lost", lost, log)
    assert run.returncode == 0, run.stderr
    kazoo_client = pytest.importorskip("kazoo.client", reason="python3-kazoo is not installed")
    with ApacheServer(tmp_path) as srv:
        assert zxid_at_start(log.parent) == last
        client = kazoo_client.KazooClient(srv.hosts, timeout=30)
        client.start(60)
        assert client.get("/a")[0] == b"alpha3", "from in front of the damage"
        assert (client.exists("/keep") is not None) == (lost == "fill"), "from behind it"
        client.stop()
        client.close()


def test_apache_starts_on_what_was_trimmed(tool, tmp_path):
    log = copy_of("small", tmp_path) / "log.1"
    log.write_bytes(log.read_bytes() + bytes(100000))
    assert tool("log", "trim", "--replace", "--to", "0x30", log).returncode == 0
    with ApacheServer(tmp_path):
        assert zxid_at_start(log.parent) == 0x30
