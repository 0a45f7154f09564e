/* Point-in-time images: whatever happens while a walk is under way, its bytes are the tree as it
 * was at the begin. */
#include "base/rng.h"
#include "tree/tree_test_support.h"
#include <stdio.h>

struct world {
    struct bench b;
    struct rng r;
};

/* ---- reading an image, comparing trees ---- */

static struct tree *tree_of_image(struct slice body, int64_t zxid)
{
    struct wire_reader r = wire_reader_of(body);
    struct tree *t = tree_new_for_load(&test_options);
    for (int32_t n = wire_get_i32(&r); n > 0; n--) {
        int64_t id = wire_get_i64(&r);
        tree_load_session(t, id, wire_get_i32(&r));
    }
    for (int32_t n = wire_get_i32(&r); n > 0; n--) {
        int64_t id = wire_get_i64(&r);
        assert_int_equal(tree_load_acl(t, id, wire_get_acls(&r)), 0);
    }
    for (;;) {
        struct slice path = wire_get_ustring(&r);
        assert_int_equal(r.err, 0);
        if (slice_eq_str(path, "/"))
            break;
        struct slice data = wire_get_buffer(&r);
        int64_t acl = wire_get_i64(&r);
        struct wire_stat_persisted s = wire_get_stat_persisted(&r);
        assert_int_equal(tree_load_node(t, path, data, acl, &s), 0); /* its parent came before it */
    }
    assert_int_equal(r.err, 0);
    assert_int_equal(wire_left(&r), 0);
    assert_int_equal(tree_load_finish(t, zxid), 0);
    return t;
}

static void assert_same_stats(const struct wire_stat_persisted *a, const struct wire_stat_persisted *b)
{
    assert_true(a->czxid == b->czxid && a->mzxid == b->mzxid && a->pzxid == b->pzxid);
    assert_true(a->ctime == b->ctime && a->mtime == b->mtime && a->version == b->version);
    assert_true(a->cversion == b->cversion && a->aversion == b->aversion);
    assert_true(a->ephemeral_owner == b->ephemeral_owner);
}

static void assert_same_trees(const struct tree *a, const struct tree *b)
{
    assert_int_equal(tree_node_count(a), tree_node_count(b));
    assert_int_equal(tree_ephemeral_count(a), tree_ephemeral_count(b));
    assert_int_equal(tree_data_size(a), tree_data_size(b));
    assert_true(tree_digest(a) == tree_digest(b));
    assert_int_equal(tree_session_count(a), tree_session_count(b));
    struct buf path;
    buf_init(&path, SIZE_MAX);
    for (node_id n = NODE_ROOT; n != NODE_NONE; n = node_next_below(a, NODE_ROOT, n)) {
        buf_reset(&path);
        tree_put_path(a, n, &path);
        node_id m = tree_find(b, buf_slice(&path));
        assert_int_not_equal(m, NODE_NONE);
        struct wire_stat_persisted x = tree_stat_persisted(a, n), y = tree_stat_persisted(b, m);
        assert_same_stats(&x, &y);
        struct slice d = tree_data(a, n), e = tree_data(b, m);
        assert_int_equal(d.p == NULL, e.p == NULL);
        assert_true(slice_eq(d, e));
        assert_true(slice_eq(tree_acl(a, n).raw, tree_acl(b, m).raw));
        assert_int_equal(node_at(a, n)->acl == ACL_OPEN, node_at(b, m)->acl == ACL_OPEN);
    }
    for (uint32_t s = 1; s < a->sessions.end; s++)
        if (session_at(a, s)->in_table)
            assert_int_equal(session_at(a, s)->timeout_ms, tree_session_timeout_ms(b, session_at(a, s)->id));
    buf_fini(&path);
}

/* ---- random changes ---- */

static void random_path(struct rng *r, char path[64])
{
    path[0] = 0;
    for (int i = 1 + (int)rng_below(r, 4); i > 0; i--)
        sprintf(path + strlen(path), "/%c", (int)('a' + rng_below(r, 6)));
}

static void random_data(struct rng *r, char data[80])
{
    size_t n = rng_below(r, 70);
    memset(data, 'a' + (int)rng_below(r, 26), n);
    data[n] = 0;
}

static void random_change(struct world *w)
{
    char path[64], data[80], scheme[16];
    struct bench *b = &w->b;
    random_path(&w->r, path);
    random_data(&w->r, data);
    b->session = 1 + (int64_t)rng_below(&w->r, 12);
    struct buf acl;
    sprintf(scheme, "s%d", (int)rng_below(&w->r, 30));
    acl_make_one(&acl, 1, scheme, "x");
    struct txn_op op = op_create(b, path, rng_below(&w->r, 9) == 0 ? NULL : data);
    op.acl = acl_of(rng_below(&w->r, 2) == 0 ? &acl : &b->acl_open);
    uint64_t kind = rng_below(&w->r, 24);
    if (kind < 6) {
        bench_apply(b, op_set(path, data, (int32_t)kind));
    } else if (kind < 8) {
        bench_apply(b,
                    (struct txn_op){ .type = WIRE_OP_SET_ACL, .path = slice_str(path), .acl = op.acl, .version = 3 });
    } else if (kind < 12) {
        bench_apply(b, op_delete(path)); /* sometimes with all that is below */
    } else if (kind == 12) {
        bench_apply(b, (struct txn_op){ .type = WIRE_OP_CLOSE_SESSION, .paths = { -1, { 0 } } });
    } else if (kind < 15) {
        bench_apply(b, (struct txn_op){ .type = WIRE_OP_CREATE_SESSION, .timeout_ms = 1000 + (int32_t)kind });
    } else {
        op.ephemeral = kind == 15;
        op.type = kind == 16 ? WIRE_OP_CREATE_CONTAINER : WIRE_OP_CREATE;
        bench_apply(b, op);
    }
    buf_fini(&acl);
}

static void world_open(struct world *w, uint64_t seed, int changes)
{
    rng_init(&w->r, seed);
    bench_open(&w->b);
    bench_create(&w->b, "/zookeeper/quota/a", NULL); /* quotas change nodes behind the back of transactions */
    bench_create(&w->b, "/zookeeper/quota/a/zookeeper_limits", "count=5,bytes=5");
    bench_create(&w->b, "/zookeeper/quota/a/zookeeper_stats", "");
    for (int i = 0; i < changes; i++)
        random_change(w);
}

static void image_at_once(const struct world *w, struct buf *out)
{
    struct tree_walk *walk = tree_walk_begin(w->b.t);
    while (tree_walk_next(walk, 1000, out))
        ;
    tree_walk_end(walk);
}

static void image_while_changing(struct world *w, size_t bytes, uint64_t changes_max, bool check)
{
    struct buf before, out;
    buf_init(&before, SIZE_MAX);
    buf_init(&out, SIZE_MAX);
    image_at_once(w, &before);
    struct tree *expected = tree_of_image(buf_slice(&before), w->b.zxid);
    assert_same_trees(expected, w->b.t);
    assert_same_trees(w->b.t, expected);
    struct tree_walk *walk = tree_walk_begin(w->b.t);
    int64_t zxid = tree_walk_zxid(walk);
    assert_int_equal(zxid, w->b.zxid);
    bool more;
    do {
        for (uint64_t n = rng_below(&w->r, changes_max + 1); n > 0; n--) {
            random_change(w);
            if (check)
                tree_check(w->b.t);
        }
        more = tree_walk_next(walk, bytes, &out);
    } while (more);
    assert_true(tree_walk_digest(walk) == tree_digest(expected));
    tree_walk_end(walk);
    tree_check(w->b.t);
    struct tree *image = tree_of_image(buf_slice(&out), zxid);
    assert_same_trees(image, expected);
    assert_same_trees(expected, image);
    tree_check(image);
    tree_free(image);
    tree_free(expected);
    buf_fini(&before);
    buf_fini(&out);
}

static void exact_under_changes(void **state)
{
    (void)state;
    static const struct {
        size_t bytes;
        uint64_t changes;
    } paces[] = { { 1, 1 }, { 1, 3 }, { 200, 3 }, { 200, 40 }, { 4000, 200 }, { 1, 0 } };
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct world w;
        world_open(&w, seed, 600);
        for (size_t i = 0; i < ARRAY_COUNT(paces); i++)
            image_while_changing(&w, paces[i].bytes, paces[i].changes, seed == 1 && i == 2);
        bench_close(&w.b);
    }
}

struct one_of_many {
    struct tree_walk *walk;
    struct tree *expected;
    int64_t zxid;
    size_t pace; /* bytes a turn */
    struct buf out;
};

static void begin_one(struct world *w, struct one_of_many *o)
{
    struct buf now;
    buf_init(&now, SIZE_MAX);
    buf_init(&o->out, SIZE_MAX);
    image_at_once(w, &now);
    o->expected = tree_of_image(buf_slice(&now), w->b.zxid);
    o->zxid = w->b.zxid;
    o->pace = 1 + rng_below(&w->r, 2000);
    o->walk = tree_walk_begin(w->b.t);
    buf_fini(&now);
}

static void end_one(struct one_of_many *o, bool whole)
{
    assert_true(tree_walk_zxid(o->walk) == o->zxid && tree_walk_digest(o->walk) == tree_digest(o->expected));
    tree_walk_end(o->walk);
    if (whole) {
        struct tree *image = tree_of_image(buf_slice(&o->out), o->zxid);
        assert_same_trees(image, o->expected);
        assert_same_trees(o->expected, image);
        tree_free(image);
    }
    tree_free(o->expected);
    buf_fini(&o->out);
    o->walk = NULL;
}

/* Walks begin, go on at their own paces and end in any order: each image is that of its own moment. */
static void several_at_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 15; seed++) {
        struct world w;
        struct one_of_many all[5] = { 0 };
        int whole = 0;
        size_t saved = 0;
        world_open(&w, 500 + seed, 300);
        while (whole < 12) {
            struct one_of_many *o = &all[rng_below(&w.r, ARRAY_COUNT(all))];
            for (uint64_t n = rng_below(&w.r, 4); n > 0; n--)
                random_change(&w);
            if (o->walk != NULL && tree_walk_saved_bytes(o->walk) > saved)
                saved = tree_walk_saved_bytes(o->walk);
            if (o->walk == NULL) {
                begin_one(&w, o);
            } else if (!tree_walk_next(o->walk, o->pace, &o->out)) {
                end_one(o, true);
                whole++;
            } else if (rng_below(&w.r, 60) == 0) {
                end_one(o, false);
            }
        }
        assert_true(saved > 0);
        tree_check(w.b.t);
        for (size_t i = 0; i < ARRAY_COUNT(all); i++)
            if (all[i].walk != NULL)
                end_one(&all[i], false);
        bench_close(&w.b);
    }
}

/* A walk that is given up leaves no marks: the next one is whole. */
static void given_up(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 25; seed++) {
        struct world w;
        world_open(&w, 100 + seed, 500);
        for (uint64_t round = 0; round < 6; round++) {
            struct tree_walk *walk = tree_walk_begin(w.b.t);
            struct buf out;
            buf_init(&out, SIZE_MAX);
            for (uint64_t i = 0; i < round * 12; i++) {
                (void)tree_walk_next(walk, 100, &out);
                random_change(&w);
            }
            for (int i = 0; i < 30; i++)
                random_change(&w);
            tree_walk_end(walk);
            buf_fini(&out);
            tree_check(w.b.t);
            image_while_changing(&w, 300, 5, false);
        }
        bench_close(&w.b);
    }
}

/* The image of a fresh tree, byte by byte (disk specification 3.1). */
static void fresh_bytes(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    struct buf out, expected;
    buf_init(&out, SIZE_MAX);
    buf_init(&expected, SIZE_MAX);
    struct tree_walk *walk = tree_walk_begin(b.t);
    while (tree_walk_next(walk, 64, &out))
        ;
    tree_walk_end(walk);
    wire_put_i32(&expected, 0);
    wire_put_i32(&expected, 1);
    wire_put_i64(&expected, 2);
    wire_put_i32(&expected, 1);
    wire_put_acl(&expected, (struct wire_acl){ 1, { slice_str("world"), slice_str("anyone") } });
    static const char *paths[] = { "", "/zookeeper", "/zookeeper/config", "/zookeeper/quota" };
    for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
        wire_put_ustring(&expected, slice_str(paths[i]));
        wire_put_buffer(&expected, slice_str(""));
        wire_put_i64(&expected, i == 2 ? 2 : -1);
        wire_put_stat_persisted(&expected, &(struct wire_stat_persisted){ .aversion = i == 2 ? -1 : 0 });
    }
    wire_put_ustring(&expected, slice_str("/"));
    assert_int_equal(out.n, expected.n);
    assert_memory_equal(out.p, expected.p, out.n);
    buf_fini(&out);
    buf_fini(&expected);
    bench_close(&b);
}

/* One call looks at a bounded number of places even when it finds nothing. */
static void slices_are_bounded(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    char path[24];
    for (int i = 0; i < 20000; i++) {
        sprintf(path, "/n%d", i);
        bench_create(&b, path, "");
    }
    for (int i = 0; i < 20000; i++) {
        sprintf(path, "/n%d", i);
        bench_delete(&b, path);
    }
    struct buf out;
    buf_init(&out, SIZE_MAX);
    struct tree_walk *walk = tree_walk_begin(b.t);
    int calls = 1;
    while (tree_walk_next(walk, 1 << 20, &out))
        calls++;
    assert_true(calls >= 4);
    tree_walk_end(walk);
    buf_fini(&out);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_bytes), cmocka_unit_test(exact_under_changes), cmocka_unit_test(several_at_once),
        cmocka_unit_test(given_up),    cmocka_unit_test(slices_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
