"""zokor snap beside Apache's SnapshotFormatter and SnapshotComparer."""
import base64
import gzip
import json
import os
import re
import shutil

import pytest
from conftest import ApacheServer, GOLDEN, files, golden_files, short, work
from server import Server

SMALL = os.path.join(GOLDEN, "snapshots", "3.8.0", "snapshot.3c")
FUZZY = os.path.join(GOLDEN, "fuzzy", "version-2", "snapshot.3d")
QUORUM = os.path.join(GOLDEN, "quorum", "version-2", "snapshot.100000008")


def blocks(out):
    """The parts between the lines; Apache shows nodes and sessions in the order of its hash tables, we by name."""
    parts = out.decode().split("\n----\n")
    return sorted("\n".join(sorted(p.split("\n"))) if p.startswith("Session Details") else p for p in parts)


def same_snapshot(tool, apache, path, *options):
    ours, theirs = tool("snap", "show", *options, path), apache("SnapshotFormatter", *options, path)
    assert blocks(ours.stdout) == blocks(theirs.stdout)
    assert ours.returncode == theirs.returncode == 0


@pytest.mark.parametrize("path", golden_files("snapshot"), ids=short)
def test_show_is_apaches(tool, apache, path):
    same_snapshot(tool, apache, path)
    same_snapshot(tool, apache, path, "-d")


def test_show_of_fresh_snapshots_is_apaches(tool, apache, directory):
    for path in files(directory, "snapshot"):
        same_snapshot(tool, apache, path, "-d")


def flatten(node):
    """ncdu's nested lists: (path names, asize) of each, without order."""
    if isinstance(node, dict):
        return {(node["name"],): node["asize"]}
    top, found = node[0]["name"], {(node[0]["name"],): node[0]["asize"]}
    for child in node[1:]:
        found.update({(top, *k): v for k, v in flatten(child).items()})
    return found


@pytest.mark.parametrize("path", [SMALL, FUZZY, QUORUM], ids=short)
def test_json_is_apaches(tool, apache, path):
    ours, theirs = (json.loads(run.stdout) for run in (tool("snap", "show", "-json", path),
                                                       apache("SnapshotFormatter", "-json", path)))
    assert ours[:2] == theirs[:2] and set(ours[2]) == set(theirs[2])
    assert flatten(ours[3]) == flatten(theirs[3])


@pytest.mark.parametrize("args", [[], ["a", "b", "c"], ["/nonexistent"], ["-d", "-json", SMALL], ["-foo", SMALL]])
def test_usage_is_apaches(tool, apache, args):
    ours, theirs = tool("snap", "show", *args), apache("SnapshotFormatter", *args)
    assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout)
    assert ours.stderr.strip() == theirs.stderr.strip()


def test_a_snapshot_of_any_name(tool, tmp_path):
    for name, source in (("copy", SMALL), ("copy.gz", SMALL + ".gz"), ("copy.snappy", SMALL + ".snappy")):
        path = tmp_path / name
        shutil.copy(source, path)
        run = tool("snap", "show", path)
        assert run.returncode == 0 and b"ZNode Details (count=33)" in run.stdout
        assert run.stdout.endswith(b"Last zxid: 0x3c\n"), "the largest of its nodes"


@pytest.mark.parametrize("place", [100, 1500, -20])
def test_damage_is_told(tool, tmp_path, place):
    data = bytearray(open(SMALL, "rb").read())
    data[place] ^= 0x55
    path = tmp_path / "snapshot.3c"
    path.write_bytes(data)
    for verb in ("show", "info", "export"):
        run = tool("snap", verb, path)
        assert run.returncode != 0 and b"damaged" in run.stderr, verb


def test_a_truncated_gzip_is_told(tool, tmp_path):
    path = tmp_path / "snapshot.3c.gz"
    path.write_bytes(open(SMALL + ".gz", "rb").read()[:-100])
    run = tool("snap", "info", path)
    assert run.returncode == 1 and b"ends too early" in run.stderr


def test_info(tool):
    text = tool("snap", "info", os.path.join(GOLDEN, "snapshots", "3.9.5", "snapshot.3c")).stdout.decode()
    facts = dict(re.split(r"\s+", line, maxsplit=1) for line in text.splitlines())
    assert facts["nodes"] == "32" and facts["sessions"] == "2" and facts["digest"] == "0xde7936f9b"
    assert facts["stored"] == "0xde7936f9b at zxid 0x3c: the same"


def without_times(out):
    return re.sub(rb"[\d.]+ seconds", b"? seconds", out)


@pytest.mark.parametrize("options", [["-b", "0", "-n", "0"], ["-b", "2", "-n", "1", "-d"],
                                     ["--bytes", "5000", "--nodes=100"]])
@pytest.mark.parametrize("pair", [(SMALL, QUORUM), (SMALL, FUZZY), (FUZZY, SMALL + ".gz"), (SMALL, SMALL)])
def test_compare_is_apaches(tool, apache, options, pair):
    args = ["-l", pair[0], "-r", pair[1], *options]
    ours, theirs = tool("snap", "compare", *args), apache("SnapshotComparer", *args)
    assert without_times(ours.stdout) == without_times(theirs.stdout)
    assert ours.returncode == theirs.returncode


def test_interactive_compare_is_apaches(tool, apache):
    args = ["-l", SMALL, "-r", QUORUM, "-b", "2", "-n", "0", "-i"]
    answers = b"/q\n/nope\n99\nabc\n-1\n\n\n4\n\n"
    ours, theirs = tool("snap", "compare", *args, stdin=answers), apache("SnapshotComparer", *args, stdin=answers)
    assert without_times(ours.stdout) == without_times(theirs.stdout)


def test_compare_of_fresh_snapshots(tool, apache, directory):
    found = files(directory, "snapshot")
    args = ["-l", found[0], "-r", found[-1], "-b", "0", "-n", "0"]
    ours, theirs = tool("snap", "compare", *args), apache("SnapshotComparer", *args)
    assert without_times(ours.stdout) == without_times(theirs.stdout)
    assert b"/a-b/c/d/e found only in right tree" in ours.stdout


def test_compare_wants_its_options(tool):
    run = tool("snap", "compare", "-l", SMALL)
    assert run.returncode == 2 and b"(Required) The right snapshot file." in run.stdout


def test_diff(tool):
    assert tool("snap", "diff", SMALL, SMALL + ".gz").stdout == b""
    assert tool("snap", "diff", SMALL, SMALL + ".snappy").returncode == 0
    run = tool("snap", "diff", SMALL, QUORUM)
    lines = run.stdout.decode().splitlines()
    assert run.returncode == 1
    assert "- /a/b (0 bytes, czxid 0x3)" in lines and any(x.startswith("+ /q/after (12 bytes, ") for x in lines)
    changed = next(x for x in lines if x.startswith("~ /q:"))
    assert " data (5 -> 6 bytes)" in changed and " czxid 0x31 -> 0x100000002" in changed, changed
    assert "- session 0x100001005e70000" in lines
    paths = [x[2:].split(" (")[0].split(":")[0] for x in lines if "session" not in x]
    assert paths == sorted(paths) and len(paths) == len(set(paths))
    below = tool("snap", "diff", SMALL, QUORUM, "/q").stdout.decode().splitlines()
    assert below == [x for x in lines if re.match(r"[-+~] /q[/: ]", x)]
    assert tool("snap", "diff", SMALL, QUORUM, "/nope").returncode == 2
    assert tool("snap", "diff", SMALL, "/nonexistent").returncode == 2
    assert tool("snap", "diff", SMALL).returncode == 2


def test_apache_comes_to_the_same_tree(tool, tmp_path):
    """Our snapshot beside the one that Apache makes of our logs up to its zxid: not one difference."""
    with Server(tmp_path / "ours", extra=["snapCount=40", "preAllocSize=64"]) as srv:
        work(srv.hosts)
        srv.kill()
    ours = os.path.join(srv.data_dir, "version-2")
    newest = max(files(ours, "snapshot"), key=lambda f: int(f.rsplit(".", 1)[1], 16))
    zxid = int(newest.rsplit(".", 1)[1], 16)
    theirs = tmp_path / "theirs" / "data" / "version-2"
    theirs.mkdir(parents=True)
    shutil.copy(os.path.join(ours, "snapshot.0"), theirs)
    for log in files(ours, "log"):
        if int(log.rsplit(".", 1)[1], 16) <= zxid:
            shutil.copy(log, theirs)
            assert tool("log", "trim", "--replace", "--to", "%x" % zxid, theirs / os.path.basename(log)).returncode == 0
    with ApacheServer(tmp_path / "theirs"):
        pass
    run = tool("snap", "diff", newest, theirs / os.path.basename(newest))
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")


def test_summary(tool):
    """The form of Apache's SnapshotRecursiveSummary (3.9), which Debian's jar lacks."""
    run = tool("snap", "summary", SMALL, "/", "1")
    assert run.stdout.decode() == (
        " /\n   children: 31\n   data: 90\n"
        "-- /a\n--   children: 7\n--   data: 21\n"
        "-- /cont\n--   children: 1\n--   data: 3\n"
        "-- /m\n--   children: 5\n--   data: 5\n"
        "-- /q\n--   children: 2\n--   data: 8\n"
        "-- /zookeeper\n--   children: 5\n--   data: 36\n\n")
    deep = tool("snap", "summary", SMALL, "/zookeeper", "0").stdout.decode()
    assert deep.startswith(" /zookeeper\n   children: 5\n") and "---- /zookeeper/quota/q\n" in deep
    assert tool("snap", "summary", SMALL, "/nope", "0").returncode == 1
    assert tool("snap", "summary", SMALL, "/", "x").returncode == 2


def test_export_agrees_with_what_clients_saw(tool):
    with open(os.path.join(GOLDEN, "small", "expected.json")) as f:
        expected = json.load(f)
    lines = [json.loads(line) for line in tool("snap", "export", SMALL).stdout.splitlines()]
    assert lines[0] == {"snapshot": "snapshot.3c", "zxid": "0x3c", "nodes": 32, "digest": "0xde7936f9b"}
    nodes = {row["path"]: row for row in lines if "path" in row}
    assert set(nodes) == set(expected["nodes"])
    for path, node in expected["nodes"].items():
        data = nodes[path]["data"]
        assert node["data"] == (None if data is None else base64.b64decode(data).hex()), path
        assert [[a["perms"], a["scheme"], a["id"]] for a in nodes[path]["acl"]] == node["acl"], path
        assert nodes[path]["children"] == len(node["children"]), path
    assert nodes["/cont"]["kind"] == "container" and nodes["/ttl"] == {**nodes["/ttl"], "kind": "ttl",
                                                                      "ttl_ms": 3600000}
    assert nodes["/e1"]["kind"] == "ephemeral" and nodes["/a"]["kind"] == "persistent"
    below = [json.loads(line) for line in tool("snap", "export", SMALL, "/m").stdout.splitlines()][1:]
    assert all(row["path"].startswith("/m") for row in below) and len(below) == 6


def test_export_for_import(tool):
    """As `import` reads it: no sessions, no ephemeral nodes, and what a server does not tell its clients."""
    run = tool("snap", "export", "--for-import", SMALL)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    whole = [json.loads(line) for line in tool("snap", "export", SMALL).stdout.splitlines()]
    assert lines[0] == {"zokor-export": 1, "root": "/"} and lines[-1] == {"end": True, "nodes": len(lines) - 2}
    nodes = {row["path"]: row for row in lines[1:-1]}
    kept = {row["path"]: row for row in whole
            if "path" in row and row["kind"] != "ephemeral" and not (row["path"] + "/").startswith("/zookeeper/")}
    assert set(nodes) == set(kept) and list(nodes)[0] == "/"
    for path, row in kept.items():
        assert nodes[path].get("base64", nodes[path].get("data")) == row["data"], path
        assert nodes[path].get("container") == (True if row["kind"] == "container" else None), path
        assert nodes[path].get("ttl_ms") == row.get("ttl_ms"), path
        assert [a.rsplit(":", 1)[0] for a in nodes[path]["acl"]] == [a["scheme"] + ":" + a["id"] for a in row["acl"]]
    assert nodes["/cont"]["container"] and nodes["/ttl"]["ttl_ms"] == 3600000
    ephemerals = sum(row.get("kind") == "ephemeral" for row in whole)
    assert "%d ephemeral nodes are left out" % ephemerals in run.stderr.decode()
    assert tool("snap", "export", "--for-import", SMALL, "/nope").returncode == 1
    assert tool("snap", "export", "--for-import").returncode == 2


def test_a_deep_tree(tool, tmp_path):
    """Nothing recurses: a path of many parts is shown like any other."""
    import struct
    import zlib
    plain = gzip.decompress(open(SMALL + ".gz", "rb").read())
    # The "/" that ends the nodes is the one with the seal behind it; nodes are put in front of it.
    at = plain.index(b"\0\0\0\1/")
    while zlib.adler32(plain[:at + 5]) != struct.unpack_from(">q", plain, at + 5)[0]:
        at = plain.index(b"\0\0\0\1/", at + 1)
    path, nodes = b"", bytearray()
    for _ in range(5000):
        path += b"/d"
        nodes += struct.pack(">i", len(path)) + path + struct.pack(">iqqqqqiiiqq", 0, -1, 1, 1, 0, 0, 0, 0, 0, 0, 1)
    body = plain[:at] + bytes(nodes) + b"\0\0\0\1/"
    file = tmp_path / "snapshot.3c"
    file.write_bytes(body + struct.pack(">q", zlib.adler32(body)) + b"\0\0\0\1/")
    run = tool("snap", "summary", file, "/d", "1")
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(b" /d\n   children: %d\n" % 4999)
    assert tool("snap", "compare", "-l", SMALL, "-r", file, "-b", "0", "-n", "0").returncode == 0
