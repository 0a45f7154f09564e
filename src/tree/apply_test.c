#include "tree/tree_test_support.h"
#include <stdio.h>

static void fresh_tree(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    assert_true(tree_digest(b.t) == 0x51c6d660);
    assert_int_equal(tree_node_count(b.t), 4);
    assert_int_equal(tree_data_size(b.t), 44);
    assert_int_equal(tree_descendant_count(b.t, NODE_ROOT), 3);
    assert_int_equal(tree_descendant_count(b.t, at(&b, "/zookeeper")), 2);
    assert_int_equal(stat_of(&b, "/").cversion, -1);
    assert_int_equal(stat_of(&b, "/zookeeper").cversion, -2);
    assert_int_equal(stat_of(&b, "/zookeeper/config").aversion, -1);
    assert_int_equal(tree_acl(b.t, at(&b, "/zookeeper/config")).raw.p[3], WIRE_PERM_READ);
    assert_int_equal(tree_acl(b.t, NODE_ROOT).raw.p[3], WIRE_PERM_ALL);
    assert_non_null(tree_data(b.t, NODE_ROOT).p);
    assert_int_equal(at(&b, ""), NODE_ROOT);
    assert_int_equal(at(&b, "/"), NODE_ROOT);
    const char *none[] = { "zookeeper", "//zookeeper", "/zookeeper/", "/zookeeper//quota", "/x", "x" };
    for (size_t i = 0; i < ARRAY_COUNT(none); i++)
        assert_int_equal(at(&b, none[i]), NODE_NONE);
    tree_check(b.t);
    bench_close(&b);
}

/* The worked example of disk specification section 4. */
static void worked_digest(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    b.zxid = 1;
    b.time_ms = 0x1a1fc418b32 - 10;
    bench_create(&b, "/a", "alpha");
    struct wire_stat_persisted s = tree_stat_persisted(b.t, NODE_ROOT);
    assert_int_equal(tree_digest_finish(tree_digest_prefix(slice_str("/"), slice_str("")), &s), 0x031578f2);
    node_id a = at(&b, "/a");
    s = tree_stat_persisted(b.t, a);
    assert_int_equal(tree_digest_finish(tree_node_digest_prefix(b.t, a), &s), 0xfb078701);
    assert_true(tree_digest(b.t) == 0x14bd14d4b);
    assert_true(tree_digest_counts(slice_str("/zookeeper")));
    assert_true(tree_digest_counts(slice_str("/zookeeperx/y")));
    assert_false(tree_digest_counts(slice_str("/zookeeper/quota")));
    uint64_t before = tree_digest(b.t);
    bench_apply(&b, op_set("/zookeeper/config", "server.1=x", -1));
    assert_true(tree_digest(b.t) == before);
    bench_create(&b, "/zookeeper/x", "y"); /* changes /zookeeper */
    assert_true(tree_digest(b.t) != before);
    tree_check(b.t);
    bench_close(&b);
}

static void stat_arithmetic(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    bench_create(&b, "/s", NULL);
    struct wire_stat s = b.out.results[0].stat;
    assert_int_equal(s.czxid, 1);
    assert_int_equal(s.mzxid, 1);
    assert_int_equal(s.pzxid, 1);
    assert_int_equal(s.ctime, 1010);
    assert_int_equal(s.cversion, 0);
    assert_null(tree_data(b.t, at(&b, "/s")).p);
    bench_create(&b, "/s/a", "");
    bench_create(&b, "/s/b", "");
    bench_create(&b, "/s/c", "");
    s = stat_of(&b, "/s");
    assert_int_equal(s.cversion, 3);
    assert_int_equal(s.num_children, 3);
    assert_int_equal(s.pzxid, 4);
    assert_int_equal(s.mzxid, 1);
    bench_delete(&b, "/s/b");
    s = stat_of(&b, "/s");
    assert_int_equal(s.cversion, 4);
    assert_int_equal(s.pzxid, 5);
    assert_int_equal(tree_stat_persisted(b.t, at(&b, "/s")).cversion, 3);
    struct tree_result *r = bench_apply(&b, op_set("/s", "12345", 1));
    assert_int_equal(r->err, 0);
    assert_int_equal(r->stat.version, 1);
    assert_int_equal(r->stat.mzxid, 6);
    assert_int_equal(r->stat.mtime, 1060);
    assert_int_equal(r->stat.ctime, 1010);
    assert_int_equal(r->stat.pzxid, 5);
    assert_int_equal(r->stat.data_length, 5);
    struct txn_op acl = { .type = WIRE_OP_SET_ACL, .path = slice_str("/s"), .acl = acl_of(&b.acl_other), .version = 1 };
    r = bench_apply(&b, acl);
    assert_int_equal(r->stat.aversion, 1);
    assert_int_equal(r->stat.mzxid, 6);
    assert_true(slice_eq(tree_acl(b.t, at(&b, "/s")).raw, buf_slice(&b.acl_other)));
    r = bench_apply(&b, op_set("/", "root", 1));
    assert_int_equal(r->err, 0);
    assert_data(&b, "/", "root");
    assert_slice(r->path, "/");
    tree_check(b.t);
    bench_close(&b);
}

static void cversion_only_rises(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    bench_create(&b, "/p", "");
    struct txn_op op = op_create(&b, "/p/a", "");
    op.parent_cversion = 10;
    bench_apply(&b, op);
    assert_int_equal(tree_stat_persisted(b.t, at(&b, "/p")).cversion, 10);
    assert_int_equal(stat_of(&b, "/p").pzxid, 2);
    op.path = slice_str("/p/b");
    op.parent_cversion = 10; /* not more: neither cversion nor pzxid moves */
    bench_apply(&b, op);
    assert_int_equal(tree_stat_persisted(b.t, at(&b, "/p")).cversion, 10);
    assert_int_equal(stat_of(&b, "/p").pzxid, 2);
    op.path = slice_str("/p/c");
    op.has_parent_cversion = false; /* the old form */
    bench_apply(&b, op);
    assert_int_equal(tree_stat_persisted(b.t, at(&b, "/p")).cversion, 11);
    op = op_create(&b, "/p/d", "");
    op.parent_cversion = INT32_MAX;
    bench_apply(&b, op);
    op.path = slice_str("/p/e");
    op.parent_cversion = INT32_MIN; /* what a proposer adds to the greatest value */
    bench_apply(&b, op);
    assert_int_equal(tree_stat_persisted(b.t, at(&b, "/p")).cversion, INT32_MAX);
    op.path = slice_str("/p/f");
    op.parent_cversion = -1;
    bench_apply(&b, op);
    assert_int_equal(tree_stat_persisted(b.t, at(&b, "/p")).cversion, INT32_MAX);
    assert_int_equal(stat_of(&b, "/p").cversion, (int32_t)(2u * INT32_MAX - 6));
    tree_check(b.t);
    bench_close(&b);
}

/* Disk specification 3.4, rules 1-6. */
static void replay_tolerance(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    bench_create(&b, "/p", "");
    bench_create(&b, "/p/a", "first");
    struct txn_op again = op_create(&b, "/p/a", "second");
    again.acl = acl_of(&b.acl_other);
    again.parent_cversion = 5;
    struct tree_result *r = bench_apply(&b, again);
    assert_int_equal(r->err, ERR_NODE_EXISTS);
    assert_data(&b, "/p/a", "first");
    assert_int_equal(stat_of(&b, "/p/a").czxid, 2);
    assert_true(slice_eq(tree_acl(b.t, at(&b, "/p/a")).raw, buf_slice(&b.acl_other)));
    assert_int_equal(tree_stat_persisted(b.t, at(&b, "/p")).cversion, 5);
    assert_int_equal(stat_of(&b, "/p").pzxid, 3);
    again.type = WIRE_OP_CREATE2; /* only type 1 touches the parent */
    again.parent_cversion = 9;
    bench_apply(&b, again);
    assert_int_equal(tree_stat_persisted(b.t, at(&b, "/p")).cversion, 5);
    assert_int_equal(bench_apply(&b, op_create(&b, "/none/x", ""))->err, ERR_NO_NODE);
    assert_int_equal(bench_apply(&b, op_delete("/p/none"))->err, ERR_NO_NODE);
    assert_int_equal(stat_of(&b, "/p").pzxid, 6); /* raised all the same */
    assert_int_equal(bench_apply(&b, op_delete("/none/x"))->err, ERR_NO_NODE);
    assert_int_equal(bench_apply(&b, op_set("/none", "", 1))->err, ERR_NO_NODE);
    b.zxid = 3; /* an old record: pzxid never goes back */
    bench_delete(&b, "/p/a");
    assert_int_equal(stat_of(&b, "/p").pzxid, 6);
    assert_int_equal(tree_last_zxid(b.t), 8);
    const char *bad[] = { "/", "", "x", "/p/" };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_int_not_equal(bench_apply(&b, op_create(&b, bad[i], ""))->err, 0);
        assert_int_not_equal(bench_apply(&b, op_delete(bad[i]))->err, 0);
    }
    const struct txn_op ops[] = { op_create(&b, "/m1", ""), op_delete("/none"), op_create(&b, "/m2", "") };
    r = bench_multi(&b, ops, 3);
    assert_int_equal(r[1].err, ERR_NO_NODE);
    assert_int_not_equal(at(&b, "/m2"), NODE_NONE);
    tree_check(b.t);
    bench_close(&b);
}

/* A node that was deleted and made again while a fuzzy snapshot was written: the replayed delete
 * meets its children. */
static void replayed_delete_takes_descendants(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    bench_create(&b, "/p", "");
    bench_create(&b, "/p/a", "1");
    bench_create(&b, "/p/a/b", "2");
    bench_create_ephemeral(&b, "/p/a/b/e");
    bench_create(&b, "/p/c", "3");
    bench_delete(&b, "/p");
    assert_int_equal(at(&b, "/p"), NODE_NONE);
    assert_int_equal(tree_node_count(b.t), 4);
    assert_int_equal(tree_ephemeral_count(b.t), 0);
    assert_int_equal(tree_data_size(b.t), 44);
    tree_check(b.t);
    bench_close(&b);
}

static void multi(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    struct txn_op version = { .type = WIRE_OP_CHECK, .path = slice_str("/"), .version = 1 };
    const struct txn_op ops[] = { version, op_create(&b, "/m", "1"), op_set("/m", "22", 1), op_create(&b, "/m/k", ""),
                                  op_delete("/m/k") };
    struct tree_result *r = bench_multi(&b, ops, 5);
    assert_int_equal(b.out.result_count, 5);
    assert_int_equal(r[0].type, WIRE_OP_CHECK);
    assert_int_equal(r[1].stat.data_length, 1); /* right after that part */
    assert_int_equal(r[2].stat.version, 1);
    assert_slice(r[3].path, "/m/k");
    assert_int_equal(stat_of(&b, "/m").pzxid, 1);
    uint64_t digest = tree_digest(b.t);
    const struct txn_op failing[] = { op_create(&b, "/x", ""),
                                      { .type = WIRE_OP_ERROR, .err = ERR_BAD_VERSION },
                                      { .type = WIRE_OP_ERROR, .err = ERR_RUNTIME_INCONSISTENCY } };
    r = bench_multi(&b, failing, 3);
    assert_int_equal(b.out.result_count, 3);
    assert_int_equal(r[0].type, WIRE_OP_ERROR);
    assert_int_equal(r[0].err, 0);
    assert_int_equal(r[1].err, ERR_BAD_VERSION);
    assert_int_equal(r[2].err, ERR_RUNTIME_INCONSISTENCY);
    assert_int_equal(at(&b, "/x"), NODE_NONE);
    assert_true(tree_digest(b.t) == digest);
    assert_int_equal(tree_last_zxid(b.t), 2);
    bench_multi(&b, NULL, 0);
    assert_int_equal(b.out.result_count, 0);
    r = bench_apply(&b, (struct txn_op){ .type = WIRE_OP_ERROR, .err = ERR_NO_AUTH });
    assert_int_equal(r->type, WIRE_OP_ERROR);
    assert_int_equal(r->err, ERR_NO_AUTH);
    assert_int_equal(bench_apply(&b, version)->err, 0);
    assert_int_equal(tree_last_zxid(b.t), 5);
    tree_check(b.t);
    bench_close(&b);
}

static void count_session(void *ctx, int64_t id, int32_t timeout_ms)
{
    int64_t *last = ctx;
    assert_true(id > *last && timeout_ms == 4000);
    *last = id;
}

static void sessions_and_ephemerals(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    for (int64_t s = 200; s > 0; s--) {
        b.session = s;
        bench_apply(&b, (struct txn_op){ .type = WIRE_OP_CREATE_SESSION, .timeout_ms = 4000 });
    }
    int64_t last = 0;
    tree_sessions(b.t, count_session, &last);
    assert_int_equal(last, 200);
    assert_int_equal(tree_session_count(b.t), 200);
    b.session = 7;
    bench_create(&b, "/d", "");
    bench_create_ephemeral(&b, "/d/e1");
    bench_create_ephemeral(&b, "/d/f2");
    bench_create_ephemeral(&b, "/e3");
    assert_true(stat_of(&b, "/e3").ephemeral_owner == 7);
    assert_int_equal(tree_ephemeral_count(b.t), 3);
    struct buf list;
    buf_init(&list, SIZE_MAX);
    assert_int_equal(tree_put_ephemerals(b.t, 7, (struct slice){ 0 }, &list), 3);
    assert_memory_equal(list.p, "\0\0\0\x05/d/e1\0\0\0\x05/d/f2\0\0\0\x03/e3", list.n);
    buf_reset(&list);
    assert_int_equal(tree_put_ephemerals(b.t, 7, slice_str("/d/f"), &list), 1);
    assert_int_equal(list.n, 9);
    /* The list names one of them, one that is gone and one of another session; the rest goes as
     * well. */
    b.session = 8;
    bench_create_ephemeral(&b, "/other");
    b.session = 7;
    buf_reset(&list);
    wire_put_ustring(&list, slice_str("/d/f2"));
    wire_put_ustring(&list, slice_str("/d/gone"));
    wire_put_ustring(&list, slice_str("/other"));
    bench_apply(&b,
                (struct txn_op){ .type = WIRE_OP_CLOSE_SESSION, .has_paths = true, .paths = { 3, buf_slice(&list) } });
    assert_int_equal(tree_ephemeral_count(b.t), 0);
    assert_int_equal(tree_session_timeout_ms(b.t, 7), 0);
    assert_int_equal(tree_session_timeout_ms(b.t, 8), 4000);
    assert_int_equal(stat_of(&b, "/d").pzxid, b.zxid);
    assert_int_equal(stat_of(&b, "/d").cversion, 4);
    bench_apply(&b, (struct txn_op){ .type = WIRE_OP_CLOSE_SESSION, .paths = { -1, { 0 } } }); /* unknown now */
    tree_check(b.t);
    buf_fini(&list);
    bench_close(&b);
}

static void dead_ephemerals(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    bench_create(&b, "/d", "");
    b.session = 99; /* has no createSession */
    bench_create_ephemeral(&b, "/d/dead1");
    bench_create_ephemeral(&b, "/d/dead2");
    b.session = 5;
    bench_apply(&b, (struct txn_op){ .type = WIRE_OP_CREATE_SESSION, .timeout_ms = 4000 });
    bench_create_ephemeral(&b, "/d/alive");
    assert_int_equal(tree_session_count(b.t), 1);
    assert_int_equal(tree_remove_dead_ephemerals(b.t), 2);
    assert_int_equal(stat_of(&b, "/d").num_children, 1);
    assert_int_equal(tree_last_zxid(b.t), b.zxid);
    tree_check(b.t);
    bench_close(&b);
}

static struct txn_op op_special(struct bench *b, const char *path, int32_t type, int64_t ttl_ms)
{
    struct txn_op op = op_create(b, path, "");
    op.type = type;
    op.ttl_ms = ttl_ms;
    return op;
}

static size_t expired(struct bench *b, int64_t wall_ms, int64_t never_used_ms, size_t max)
{
    struct buf out;
    buf_init(&out, SIZE_MAX);
    size_t n = tree_put_expired(b->t, wall_ms, never_used_ms, max, &out);
    buf_fini(&out);
    return n;
}

/* emulate353TTLNodes: 3.5.3 marked them by the top bit alone. */
static void owners(void **state)
{
    (void)state;
    const struct {
        int64_t owner;
        bool session[3], ttl[3]; /* plain, extendedTypesEnabled, and with emulate353TTLNodes */
    } rows[] = {
        { 0, { false, false, false }, { false, false, false } },
        { 0x0100000a65870000, { true, true, true }, { false, false, false } },
        { WIRE_OWNER_CONTAINER, { false, false, false }, { false, false, false } },
        { WIRE_OWNER_TTL_MASK | 5000, { true, false, false }, { false, true, true } },
        { INT64_MIN | 5000, { true, true, false }, { false, false, true } },
    };
    for (int mode = 0; mode < 3; mode++) {
        struct tree *t = tree_new(&(struct tree_options){ .extended_types = mode >= 1, .ttl_353 = mode == 2 });
        for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
            assert_int_equal(tree_owner_is_session(t, rows[i].owner), rows[i].session[mode]);
            assert_int_equal(tree_owner_is_ttl(t, rows[i].owner), rows[i].ttl[mode]);
        }
        tree_free(t);
    }
}

static void containers_and_ttl(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    bench_apply(&b, op_special(&b, "/c", WIRE_OP_CREATE_CONTAINER, 0));
    bench_apply(&b, op_special(&b, "/t", WIRE_OP_CREATE_TTL, 500)); /* mtime 1020 */
    assert_true(stat_of(&b, "/c").ephemeral_owner == 0);
    assert_true(stat_of(&b, "/t").ephemeral_owner == 0);
    assert_true(tree_stat_persisted(b.t, at(&b, "/c")).ephemeral_owner == INT64_MIN);
    assert_true((uint64_t)tree_stat_persisted(b.t, at(&b, "/t")).ephemeral_owner == 0xff000000000001f4u);
    assert_int_equal(tree_ephemeral_count(b.t), 0);
    assert_int_equal(expired(&b, 1520, 0, 10), 0);
    assert_int_equal(expired(&b, 1521, 0, 10), 1);   /* the TTL node */
    assert_int_equal(expired(&b, 1521, 511, 10), 1); /* the container was never used for 511 ms, not more */
    assert_int_equal(expired(&b, 1521, 510, 10), 2);
    bench_create(&b, "/c/k", "");
    bench_create(&b, "/t/k", "");
    assert_int_equal(expired(&b, 99999, 1, 10), 0); /* children keep both */
    bench_delete(&b, "/c/k");
    assert_int_equal(expired(&b, 1022, 0, 10), 1); /* used and empty: at once */
    bench_delete(&b, "/t/k");
    assert_int_equal(expired(&b, 99999, 0, 1), 1); /* one after the other */
    assert_int_equal(expired(&b, 99999, 0, 1), 1);
    struct txn_op gone = { .type = WIRE_OP_DELETE_CONTAINER, .path = slice_str("/c") };
    assert_int_equal(bench_apply(&b, gone)->err, 0);
    gone.path = slice_str("/t");
    assert_int_equal(bench_apply(&b, gone)->err, 0);
    assert_int_equal(expired(&b, 99999, 1, 10), 0);
    tree_check(b.t);
    bench_close(&b);
}

/* What goes between two calls does not stop the round: everything that is left is still seen. */
static void expiry_goes_round(void **state)
{
    (void)state;
    struct bench b;
    struct buf out;
    char path[16];
    bench_open(&b);
    buf_init(&out, SIZE_MAX);
    for (int i = 0; i < 6; i++) {
        snprintf(path, sizeof path, "/t%d", i);
        bench_apply(&b, op_special(&b, path, WIRE_OP_CREATE_TTL, 1));
    }
    assert_int_equal(tree_put_expired(b.t, 99999, 0, 2, &out), 2);
    bench_delete(&b, "/t2"); /* the one that would be next */
    bench_delete(&b, "/t0");
    assert_int_equal(tree_put_expired(b.t, 99999, 0, 2, &out), 2);
    bench_delete(&b, "/t5"); /* the next one and the last of the list */
    assert_int_equal(tree_put_expired(b.t, 99999, 0, 2, &out), 2);
    static const char *order[] = { "/t0", "/t1", "/t3", "/t4", "/t1", "/t3" };
    struct wire_reader r = wire_reader_of(buf_slice(&out));
    for (size_t i = 0; i < ARRAY_COUNT(order); i++)
        assert_slice(wire_get_ustring(&r), order[i]);
    assert_int_equal(wire_left(&r), 0);
    assert_int_equal(tree_put_expired(b.t, 99999, 0, 100, &out), 3); /* each once a call */
    buf_fini(&out);
    bench_close(&b);
}

static void children_are_listed(void **state)
{
    (void)state;
    struct bench b;
    struct buf out;
    char path[16];
    bench_open(&b);
    buf_init(&out, SIZE_MAX);
    bench_create(&b, "/p", "");
    for (int count = 0; count < 200; count++) {
        buf_reset(&out);
        tree_put_children(b.t, at(&b, "/p"), &out);
        struct wire_reader r = wire_reader_of(buf_slice(&out));
        bool seen[200] = { false };
        assert_int_equal(wire_get_i32(&r), count);
        for (int i = 0; i < count; i++) {
            struct slice name = wire_get_ustring(&r);
            assert_int_equal(name.n, 3);
            int number = (name.p[0] - '0') * 100 + (name.p[1] - '0') * 10 + name.p[2] - '0';
            assert_true(number < count && !seen[number]);
            seen[number] = true;
        }
        assert_int_equal(r.err, 0);
        assert_int_equal(wire_left(&r), 0);
        snprintf(path, sizeof path, "/p/%03d", count);
        bench_create(&b, path, "");
    }
    struct buf small;
    buf_init(&small, 100); /* a limit is an error, not an overrun */
    tree_put_children(b.t, at(&b, "/p"), &small);
    assert_int_equal(small.err, ERR_TOO_LONG);
    buf_fini(&small);
    buf_fini(&out);
    bench_close(&b);
}

static void without_extended_types(void **state)
{
    (void)state;
    struct tree_options o = test_options;
    o.extended_types = false;
    o.digest_enabled = false;
    struct bench b;
    bench_open_on(&b, tree_new(&o));
    bench_apply(&b, op_special(&b, "/t", WIRE_OP_CREATE_TTL, 500));
    bench_apply(&b, op_special(&b, "/c", WIRE_OP_CREATE_CONTAINER, 0));
    assert_true((uint64_t)stat_of(&b, "/t").ephemeral_owner == 0xff000000000001f4u);
    assert_true(stat_of(&b, "/c").ephemeral_owner == 0);
    assert_int_equal(tree_remove_dead_ephemerals(b.t), 0); /* a TTL node is not taken for an orphan */
    assert_true(tree_digest(b.t) == 0);
    tree_check(b.t);
    bench_close(&b);
}

/* Data that grows, shrinks, becomes null and empty, over the edges of block sizes; long names and
 * deep paths. */
static void sizes(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    bench_create(&b, "/n", "");
    static char text[5001];
    const size_t sizes[] = { 1, 6, 7, 8, 15, 100, 101, 504, 511, 512, 513, 5000, 0, 3 };
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        memset(text, 'a' + (int)i, sizes[i]);
        text[sizes[i]] = 0;
        bench_apply(&b, op_set("/n", text, (int32_t)i));
        assert_data(&b, "/n", text);
        assert_non_null(tree_data(b.t, at(&b, "/n")).p);
        tree_check(b.t);
    }
    bench_apply(&b, op_set("/n", NULL, 99));
    assert_null(tree_data(b.t, at(&b, "/n")).p);
    static char path[3 * 2000 + 1];
    for (int i = 0; i < 2000; i++) {
        memcpy(path + (size_t)i * 3, "/ab", 4);
        bench_create(&b, path, "");
    }
    assert_int_equal(tree_descendant_count(b.t, at(&b, "/ab")), 1999);
    tree_check(b.t);
    bench_delete(&b, "/ab");
    assert_int_equal(tree_node_count(b.t), 5);
    memset(path + 1, 'n', 6000);
    path[6000] = 0;
    bench_create(&b, path, "long name");
    assert_data(&b, path, "long name");
    tree_check(b.t);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_tree),
        cmocka_unit_test(worked_digest),
        cmocka_unit_test(stat_arithmetic),
        cmocka_unit_test(cversion_only_rises),
        cmocka_unit_test(replay_tolerance),
        cmocka_unit_test(replayed_delete_takes_descendants),
        cmocka_unit_test(multi),
        cmocka_unit_test(sessions_and_ephemerals),
        cmocka_unit_test(dead_ephemerals),
        cmocka_unit_test(owners),
        cmocka_unit_test(containers_and_ttl),
        cmocka_unit_test(expiry_goes_round),
        cmocka_unit_test(children_are_listed),
        cmocka_unit_test(without_extended_types),
        cmocka_unit_test(sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
