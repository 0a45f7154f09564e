"""export and import: what comes back, what is refused, what others may not see."""
import json
import os
import random
import subprocess

import pytest

import zkraw

OPEN = [(31, "world", "anyone")]
MINE = [(31, "digest", zkraw.digest_id("bob", "pw")), (1, "ip", "10.0.0.0/8")]


@pytest.fixture
def tree(cli, zk):
    """Nodes with every kind of data and of ACL below base/from."""
    root = cli.base + "/from"
    zk.create(root, b"text")
    zk.create(root + "/null", None)
    zk.create(root + "/empty", b"")
    zk.create(root + "/binary", bytes(range(256)))
    zk.create(root + "/zero", b"a\x00b")
    zk.create(root + "/übrig", "日本".encode())
    zk.create(root + "/two words", b"x")
    zk.create(root + "/dir", b"")
    zk.create(root + "/dir/below", b"deep", acl=[(1, "world", "anyone"), (31, "ip", "127.0.0.1")])
    cli.root = root
    return cli


def nodes(zk, root):
    """{path below root: (data, acl)}"""
    found, todo = {}, [root]
    while todo:
        path = todo.pop()
        found[path[len(root) :]] = (zk.get(path).data, zk.get_acl(path).acl)
        todo += [path + "/" + name for name in zk.ls(path).children]
    return found


def exported(cli, *words):
    status, out, err = cli("export", *words)
    assert status == 0, err
    return [json.loads(line) for line in out]


def test_a_copy_is_the_same(tree, zk, tmp_path):
    name = str(tmp_path / "x.json")
    status, out, err = tree("export", tree.root, name)
    assert (status, out, err) == (0, ["exported 9 nodes to " + name], [])
    status, out, err = tree("import", name, "{}/to")
    assert (status, err) == (0, [])
    assert out == ["9 nodes created, 0 updated, 0 kept, 0 failed"]
    assert nodes(zk, tree.base + "/to") == nodes(zk, tree.root)
    # And back to where it was.
    assert tree("deleteall", tree.root)[0] == 0
    assert tree("import", name)[0] == 0
    assert nodes(zk, tree.base + "/to") == nodes(zk, tree.root)


def test_through_pipes(tree, zk):
    _, out, _ = tree("export", tree.root)
    status, report, _ = tree("import", "-", "{}/to", stdin=("\n".join(out) + "\n").encode("utf-8", "surrogateescape"))
    assert (status, report) == (0, ["9 nodes created, 0 updated, 0 kept, 0 failed"])
    assert nodes(zk, tree.base + "/to") == nodes(zk, tree.root)


def test_the_root_and_what_is_the_servers(own_server, zokor):
    import cli_tools

    a, b = own_server(), own_server()
    cli_tools.one_shot(a.hosts, "-q", "create", "/x", "1")
    _, out, _ = cli_tools.one_shot(a.hosts, "-q", "export", "/")
    assert [json.loads(x).get("path") for x in out] == [None, "/", "/x", None]
    status, report, err = cli_tools.one_shot(b.hosts, "-q", "import", "-", stdin="\n".join(out).encode())
    assert (status, err) == (0, []) and report == ["1 nodes created, 0 updated, 0 kept, 0 failed"]
    assert cli_tools.one_shot(b.hosts, "-q", "ls", "/")[1] == ["[x, zookeeper]"]


KINDS = """{"zokor-export":1,"root":"/k"}
{"path":"/k","data":"","acl":["world:anyone:cdrwa"],"container":true}
{"path":"/k/t","base64":"AAE=","acl":["world:anyone:cdrwa"],"ttl_ms":3600000}
{"path":"/k/p","data":"plain","acl":["world:anyone:cdrwa"]}
{"end":true,"nodes":3}
"""


def newest_snapshot_with_k(srv):
    """`snap export` of it; writes until there is one."""
    import cli_tools

    folder = os.path.join(srv.data_dir, "version-2")
    for i in range(200):
        cli_tools.one_shot(srv.hosts, "-q", "create", "/more%d" % i)
        names = [f for f in os.listdir(folder) if f.startswith("snapshot.") and "." not in f[9:]]
        newest = max(names, key=lambda f: int(f[9:], 16))
        command = [*cli_tools.zokor(), "snap", "export", "--for-import", os.path.join(folder, newest), "/k"]
        run = subprocess.run(command, capture_output=True)
        if run.returncode == 0 and b'"nodes":3' in run.stdout:
            return run
    raise AssertionError(run.stderr)


def test_containers_and_times_to_live(own_server):
    """They come back as what they were; the files of the server say so, and give the same export."""
    import cli_tools

    first = own_server(props={"zookeeper.snapCount": "4"})
    done = (0, ["3 nodes created, 0 updated, 0 kept, 0 failed"], [])
    assert cli_tools.one_shot(first.hosts, "-q", "import", "-", stdin=KINDS.encode()) == done
    run = newest_snapshot_with_k(first)
    exported = [json.loads(line) for line in run.stdout.splitlines()]
    kinds = {x["path"]: (x.get("container"), x.get("ttl_ms")) for x in exported if "path" in x}
    assert kinds == {"/k": (True, None), "/k/t": (None, 3600000), "/k/p": (None, None)}
    second = own_server()
    assert cli_tools.one_shot(second.hosts, "-q", "import", "-", stdin=run.stdout) == done
    assert cli_tools.one_shot(second.hosts, "-q", "get", "/k/p")[1] == ["plain"]


def test_a_server_without_times_to_live(own_server):
    import cli_tools

    srv = own_server(props={"zookeeper.extendedTypesEnabled": "false"})
    status, out, err = cli_tools.one_shot(srv.hosts, "-q", "import", "-", stdin=KINDS.encode())
    assert (status, out) == (1, ["2 nodes created, 0 updated, 0 kept, 1 failed"])
    assert "extendedTypesEnabled=true" in err[-1], err


def test_nodes_that_exist(tree, zk, tmp_path):
    name = str(tmp_path / "x.json")
    tree("export", tree.root, name)
    zk.set(tree.root, b"changed")
    status, out, err = tree("import", name)
    assert status == 1 and out == ["0 nodes created, 0 updated, 0 kept, 9 failed"]
    assert err[0].startswith("Node already exists: ") and "-u (update them) or -k (keep them)" in err[-1]
    status, out, _ = tree("import", "-k", name)
    assert (status, out) == (0, ["0 nodes created, 0 updated, 9 kept, 0 failed"])
    assert zk.get(tree.root).data == b"changed"
    status, out, _ = tree("import", "-n", "-u", name)
    assert (status, out) == (0, ["0 nodes would be created, 9 would be updated, 0 kept, 0 failed"])
    assert zk.get(tree.root).data == b"changed"
    status, out, _ = tree("import", "-u", name)
    assert (status, out) == (0, ["0 nodes created, 9 updated, 0 kept, 0 failed"])
    assert zk.get(tree.root).data == b"text"
    assert tree("import", "-u", "-k", name)[0] == 1


def test_ephemerals_are_left_out(tree, zk):
    zk.create(tree.root + "/session", b"s", flags=1)
    status, out, err = tree("export", tree.root)
    assert status == 0 and not any("session" in x for x in out)
    assert err == ["1 ephemeral nodes are left out (-e takes them, too)"]
    lines = exported(tree, "-e", tree.root)
    assert [x for x in lines if x.get("ephemeral")][0]["path"] == tree.root + "/session"


def test_hidden_digests(tree, zk, tmp_path):
    name = str(tmp_path / "x.json")
    zk.create(tree.root + "/mine", b"m", acl=[(1, "world", "anyone"), *MINE])
    status, _, err = tree("export", tree.root, name)
    assert status == 0 and "hides the digests of 1 ACLs" in err[0]
    status, _, err = tree("import", name, "{}/to")
    assert status == 1 and "the server hid this ACL" in err[0]
    assert zk.exists(tree.base + "/to").err == -101, "nothing was changed"
    assert tree("import", "-o", name, "{}/to")[0] == 0
    assert nodes(zk, tree.base + "/to")["/mine"] == (b"m", OPEN)
    auth = ("--auth", "digest:bob:pw")
    assert tree(*auth, "export", "-f", tree.root, name)[0] == 0
    assert tree(*auth, "import", name, "{}/again")[0] == 0
    assert zk.auth("digest", "bob:pw").err == 0
    assert nodes(zk, tree.base + "/again") == nodes(zk, tree.root)


def test_what_may_not_be_read_is_told(tree, zk):
    zk.create(tree.root + "/shut", b"x", acl=MINE)
    status, out, err = tree("export", tree.root)
    assert status == 1 and "Insufficient permission : %s/shut" % tree.root in err
    assert not any("/shut" in x for x in out)
    assert "1 nodes could not be read; what is below them is missing" in err


def test_damaged_files_change_nothing(tree, zk, tmp_path):
    name = str(tmp_path / "x.json")
    tree("export", tree.root, name)
    with open(name) as f:
        lines = f.readlines()

    def refused(lines, why):
        with open(name, "w") as f:
            f.writelines(lines)
        status, out, err = tree("import", name, "{}/to")
        assert status == 1 and out == [] and why in "\n".join(err), err
        assert zk.exists(tree.base + "/to").err == -101

    refused(lines[:-1], "line 10: the export ends too early: the file was cut off")
    refused(lines[:3] + lines[4:], "8 were there")
    refused(lines[1:], "line 1: a node comes before the first line of an export")
    refused([lines[0], lines[0], *lines[1:]], "line 2: a second beginning of an export")
    refused([*lines, lines[3]], "line 12: more lines after the end of the export")
    refused([*lines[:4], lines[4][: len(lines[4]) // 2], *lines[5:]], "line 5: not a JSON object")
    refused([lines[0], lines[1].replace("/from", "/else"), *lines[2:]], "line 2: the node is not below the root")
    refused([], "line 0: the export ends too early")
    refused(["\x00\xff\n"], "line 1: not a JSON object")


def test_files_that_cannot_be(tree, tmp_path):
    name = str(tmp_path / "x.json")
    assert tree("export", tree.root, name)[0] == 0
    assert tree("export", tree.root, name) == (1, [], ["%s: there is such a file; -f replaces it" % name])
    assert tree("export", "-f", tree.root, name)[0] == 0
    missing = str(tmp_path / "none" / "x")
    assert "cannot be written: No such file" in tree("export", tree.root, missing)[2][0]
    assert "cannot be read: No such file" in tree("import", missing)[2][0]
    assert tree("export", "{}/none", str(tmp_path / "y")) == (
        1,
        [],
        ["Node does not exist: %s/none" % tree.base],
    )
    assert os.listdir(tmp_path) == ["x.json"], "no half file is left"


def test_a_missing_parent(tree, tmp_path):
    name = str(tmp_path / "x.json")
    tree("export", tree.root, name)
    status, _, err = tree("import", name, "{}/none/to")
    assert status == 1 and err[0] == "Node does not exist: %s/none/to" % tree.base


def test_thousands_of_nodes(cli, zk, tmp_path):
    """More than what is on its way at once, at random depths."""
    random.seed(5)
    name, paths = str(tmp_path / "x.json"), [cli.base + "/from"]
    zk.create(paths[0])
    while len(paths) < 3000:
        more = []
        for _ in range(300):
            more.append("%s/n%d" % (random.choice(paths), len(paths) + len(more)))
        assert zk.multi([zkraw.m_create(p, p.encode()) for p in more]).err == 0
        paths += more
    assert cli("export", paths[0], name)[0] == 0
    status, out, _ = cli("import", name, "{}/to")
    assert status == 0 and out == ["%d nodes created, 0 updated, 0 kept, 0 failed" % len(paths)]
    assert nodes(zk, cli.base + "/to") == nodes(zk, paths[0])
