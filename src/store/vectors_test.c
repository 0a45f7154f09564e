/* The directories of test/golden/disk, written by Apache 3.8.0 and 3.9.5, must open as the trees that those servers
 * gave to a client (expected.json). */
#include "base/log.h"
#include "os/fs.h"
#include "store/snapshot.h"
#include "store/store.h"
#include "wire/jute.h"
#include "wire/proto.h"
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define GOLDEN ZOKOR_SOURCE_DIR "/test/golden/disk/"

static const struct store_recover_options options = {
    .tree = { .hash_key = 7, .extended_types = true, .digest_enabled = true },
    .record_bytes_max = 2097150,
};

static int64_t hex(const json_t *s)
{
    return (int64_t)strtoull(json_string_value(s), NULL, 16);
}

static json_t *field(const json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    if (v == NULL)
        fail_msg("expected.json lacks %s", key);
    return v;
}

static int64_t number(const json_t *o, const char *key)
{
    return json_integer_value(field(o, key));
}

/* ---- nodes ---- */

static void check_stat(const char *path, const json_t *expected, struct wire_stat s)
{
    struct {
        const char *key;
        int64_t got;
    } rows[] = {
        { "czxid", s.czxid },
        { "mzxid", s.mzxid },
        { "ctime", s.ctime },
        { "mtime", s.mtime },
        { "version", s.version },
        { "cversion", s.cversion },
        { "aversion", s.aversion },
        { "ephemeralOwner", s.ephemeral_owner },
        { "dataLength", s.data_length },
        { "numChildren", s.num_children },
        { "pzxid", s.pzxid },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const json_t *v = field(expected, rows[i].key);
        if (!json_is_null(v) && json_integer_value(v) != rows[i].got)
            fail_msg("%s: %s is %lld, expected %lld", path, rows[i].key, (long long)rows[i].got,
                     (long long)json_integer_value(v));
    }
}

static void check_data(const char *path, const json_t *expected, struct slice data)
{
    assert_int_equal(json_is_null(expected), slice_is_null(data));
    if (json_is_null(expected))
        return;
    const char *text = json_string_value(expected);
    if (strlen(text) != data.n * 2)
        fail_msg("%s: %zu data bytes, expected %s", path, data.n, text);
    for (size_t i = 0; i < data.n; i++) {
        char two[3];
        snprintf(two, sizeof two, "%02x", data.p[i]);
        if (memcmp(two, text + 2 * i, 2) != 0)
            fail_msg("%s: data differ at byte %zu", path, i);
    }
}

static void check_acl(const char *path, const json_t *expected, struct wire_vec acl)
{
    if (acl.count != (int32_t)json_array_size(expected))
        fail_msg("%s: %d ACL entries, expected %zu", path, acl.count, json_array_size(expected));
    struct wire_reader r = wire_vec_reader(acl);
    for (int32_t i = 0; i < acl.count; i++) {
        const json_t *e = json_array_get(expected, (size_t)i);
        struct wire_acl a = wire_get_acl(&r);
        assert_int_equal(a.perms, json_integer_value(json_array_get(e, 0)));
        if (!slice_eq_str(a.id.scheme, json_string_value(json_array_get(e, 1))) ||
            !slice_eq_str(a.id.id, json_string_value(json_array_get(e, 2))))
            fail_msg("%s: ACL entry %d differs", path, i);
    }
}

static void check_children(const char *path, const json_t *expected, const struct tree *t, node_id n)
{
    assert_int_equal(tree_child_count(t, n), json_array_size(expected));
    size_t i;
    json_t *name;
    json_array_foreach(expected, i, name)
    {
        if (tree_child(t, n, slice_str(json_string_value(name))) == NODE_NONE)
            fail_msg("%s has no child %s", path, json_string_value(name));
    }
}

static void check_nodes(const json_t *nodes, const struct tree *t)
{
    const char *path;
    json_t *e;
    assert_int_equal(tree_node_count(t), json_object_size(nodes));
    json_object_foreach((json_t *)(uintptr_t)nodes, path, e)
    {
        node_id n = tree_find(t, slice_str(path));
        if (n == NODE_NONE)
            fail_msg("%s is missing", path);
        check_stat(path, field(e, "stat"), tree_stat(t, n));
        check_data(path, field(e, "data"), tree_data(t, n));
        check_acl(path, field(e, "acl"), tree_acl(t, n));
        check_children(path, field(e, "children"), t, n);
        const json_t *persisted = json_object_get(e, "persisted");
        if (persisted != NULL) {
            struct wire_stat_persisted s = tree_stat_persisted(t, n);
            assert_int_equal(s.cversion, number(persisted, "cversion"));
            assert_int_equal(s.ephemeral_owner, hex(field(persisted, "ephemeralOwner")));
        }
    }
}

/* ---- the rest ---- */

static void check_sessions(const json_t *sessions, const struct tree *t)
{
    const char *id;
    json_t *timeout;
    assert_int_equal(tree_session_count(t), json_object_size(sessions));
    json_object_foreach((json_t *)(uintptr_t)sessions, id, timeout)
        assert_int_equal(tree_session_timeout_ms(t, (int64_t)strtoull(id, NULL, 16)), json_integer_value(timeout));
}

static bool holds(const json_t *array, struct slice path)
{
    size_t i;
    json_t *e;
    json_array_foreach(array, i, e)
    {
        if (slice_eq_str(path, json_string_value(e)))
            return true;
    }
    return false;
}

static void check_ephemerals(const json_t *ephemerals, const struct tree *t)
{
    const char *id;
    json_t *paths;
    size_t total = 0;
    json_object_foreach((json_t *)(uintptr_t)ephemerals, id, paths)
    {
        struct buf b;
        buf_init(&b, SIZE_MAX);
        int32_t n = tree_put_ephemerals(t, (int64_t)strtoull(id, NULL, 16), slice_of(NULL, 0), &b);
        assert_int_equal(n, json_array_size(paths));
        struct wire_reader r = wire_reader_of(buf_slice(&b));
        for (int32_t i = 0; i < n; i++)
            assert_true(holds(paths, wire_get_ustring(&r)));
        total += (size_t)n;
        buf_fini(&b);
    }
    assert_int_equal(tree_ephemeral_count(t), total);
}

static void check_owners(const json_t *paths, const struct tree *t, int64_t mask, int64_t mark)
{
    size_t i;
    json_t *path;
    json_array_foreach(paths, i, path)
    {
        node_id n = tree_find(t, slice_str(json_string_value(path)));
        assert_int_not_equal(n, NODE_NONE);
        assert_int_equal(tree_stat_persisted(t, n).ephemeral_owner & mask, mark);
    }
}

static void check_tree(const json_t *expected, const struct tree *t)
{
    check_nodes(field(expected, "nodes"), t);
    check_sessions(field(expected, "sessions"), t);
    check_ephemerals(field(expected, "ephemerals"), t);
    check_owners(field(expected, "containers"), t, -1, WIRE_OWNER_CONTAINER);
    check_owners(field(expected, "ttls"), t, WIRE_OWNER_TTL_MASK, WIRE_OWNER_TTL_MASK);
    assert_int_equal(tree_digest(t), hex(field(expected, "digest")));
    assert_int_equal(tree_last_zxid(t), hex(field(expected, "lastProcessedZxid")));
    tree_check(t);
}

static json_t *expected_of(const char *set)
{
    char path[512];
    json_error_t why;
    snprintf(path, sizeof path, GOLDEN "%s/expected.json", set);
    json_t *expected = json_load_file(path, 0, &why);
    if (expected == NULL)
        fail_msg("%s: %s", path, why.text);
    return expected;
}

static struct store_recovered recovered(const char *set)
{
    char dir[512];
    struct store_recovered out;
    struct store_error err = { "" };
    snprintf(dir, sizeof dir, GOLDEN "%s/version-2", set);
    if (store_recover(fs_real(), &(struct store_dirs){ dir, dir }, &options, &out, &err) != 0)
        fail_msg("%s: %s", set, err.text);
    return out;
}

struct set {
    const char *name;
    int64_t snapshot_zxid;
    uint64_t txns, digests;
    uint32_t torn;
};

static void opens_as_written(void **state)
{
    const struct set *set = *state;
    struct store_recovered out = recovered(set->name);
    json_t *expected = expected_of(set->name);
    assert_int_equal(out.last_zxid, hex(field(expected, "lastProcessedZxid")));
    assert_int_equal(out.snapshot_zxid, set->snapshot_zxid);
    assert_int_equal(out.txn_count, set->txns);
    assert_int_equal(out.digest_mismatches, 0);
    assert_int_equal(out.digest_matches, set->digests);
    assert_int_equal(out.torn_files, set->torn);
    assert_int_equal(out.snapshots_skipped, 0);
    assert_int_equal(out.dead_ephemerals, 0);
    check_tree(expected, out.tree);
    json_decref(expected);
    tree_free(out.tree);
}

/* Snapshots of `small` at its end, each with every codec. */
static void opens_snapshots(void **state)
{
    static const char *const versions[] = { "3.8.0", "3.9.5" };
    static const char *const suffixes[] = { "", ".gz", ".snappy" };
    (void)state;
    json_t *expected = expected_of("small");
    for (size_t i = 0; i < 6; i++) {
        char dir[512], name[64];
        struct tree *t;
        struct snapshot_info info;
        struct store_error err = { "" };
        snprintf(dir, sizeof dir, GOLDEN "snapshots/%s", versions[i / 3]);
        snprintf(name, sizeof name, "snapshot.3c%s", suffixes[i % 3]);
        assert_true(snapshot_looks_valid(fs_real(), dir, name));
        if (snapshot_read(fs_real(), dir, name, &options, &t, &info, &err) != 0)
            fail_msg("%s", err.text);
        assert_int_equal(info.zxid, 0x3c);
        assert_int_equal(info.node_count, tree_node_count(t));
        assert_int_equal(info.has_last_zxid, i / 3 == 1);
        assert_int_equal(tree_digest(t), 0xde7936f9b);
        check_tree(expected, t);
        tree_free(t);
    }
    json_decref(expected);
}

int main(void)
{
    static const struct set sets[] = {
        { "small", 0, 60, 56, 0 },          { "small-395", 0, 60, 56, 0 },   { "fuzzy", 0x3d, 316, 6, 0 },
        { "torn-eof", 0, 59, 55, 1 },       { "torn-padded", 0, 59, 55, 1 }, { "torn-middle-log", 0, 59, 55, 2 },
        { "quorum", 0x100000008, 2, 3, 0 },
    };
    struct CMUnitTest tests[sizeof sets / sizeof sets[0] + 1];
    memset(tests, 0, sizeof tests);
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        tests[i] = (struct CMUnitTest){ .name = sets[i].name,
                                        .test_func = opens_as_written,
                                        .initial_state = (void *)(uintptr_t)&sets[i] };
    tests[sizeof sets / sizeof sets[0]] = (struct CMUnitTest)cmocka_unit_test(opens_snapshots);
    return _cmocka_run_group_tests("vectors", tests, sizeof tests / sizeof tests[0], NULL, NULL);
}
