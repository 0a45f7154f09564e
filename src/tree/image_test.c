/* The body of a snapshot, pushed in as it comes: in one piece, byte by byte, in random pieces; and bodies that lie. */
#include "tree/image.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tree/tree_test_support.h"
#include <stdio.h>

#define FIELD_BYTES_MAX 5000
#define ZXID 0x100000007

struct fixture {
    struct bench b;
    struct buf body, acl;
};

static void many_acls(struct fixture *f)
{
    buf_init(&f->acl, SIZE_MAX);
    for (int i = 0; i < 300; i++) {
        char id[32];
        snprintf(id, sizeof id, "user%d:secret", i);
        wire_put_acl(&f->acl, (struct wire_acl){ 1 + i % 31, { slice_str("digest"), slice_str(id) } });
    }
    struct txn_op op = op_create(&f->b, "/guarded", "x");
    op.acl = (struct wire_vec){ 300, buf_slice(&f->acl) };
    assert_int_equal(bench_apply(&f->b, op)->err, 0);
}

static int setup(void **state)
{
    static char big[FIELD_BYTES_MAX + 1];
    struct fixture *f = *state = mem_zalloc(sizeof *f);
    struct bench *b = &f->b;
    memset(big, 'b', FIELD_BYTES_MAX);
    bench_open(b);
    for (b->session = 1; b->session <= 5; b->session++)
        bench_apply(b, (struct txn_op){ .type = WIRE_OP_CREATE_SESSION, .timeout_ms = 4000 });
    b->session = 3;
    bench_create(b, "/app", "some data");
    bench_create(b, "/app/null", NULL);
    bench_create(b, "/app/empty", "");
    bench_create(b, "/app/big", big);
    bench_create_ephemeral(b, "/app/member");
    b->session = 0x99; /* a session that is not in the table */
    bench_create_ephemeral(b, "/app/orphan");
    many_acls(f);
    bench_delete(b, "/app/empty");
    buf_init(&f->body, SIZE_MAX);
    struct tree_walk *w = tree_walk_begin(b->t);
    while (tree_walk_next(w, 100, &f->body))
        ;
    tree_walk_end(w);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    buf_fini(&f->body);
    buf_fini(&f->acl);
    bench_close(&f->b);
    mem_free(f);
    return 0;
}

/* Feeds `body` in pieces of 1 to piece_max bytes, as a receiver does: what is not used waits for more. Checks what feed
 * promises. Returns the last result; *used: bytes taken. */
static int64_t feed_in_pieces(struct tree_image *im, struct slice body, struct rng *rng, size_t piece_max, size_t *used)
{
    size_t there = 0;
    bool done = false;
    *used = 0;
    for (;;) {
        /* A copy of exactly this size, so that a sanitizer sees every byte that is read too far. */
        size_t n = there - *used;
        uint8_t *copy = mem_alloc(n);
        memcpy(copy, body.p + *used, n);
        int64_t rc = tree_image_feed(im, slice_of(copy, n), &done);
        mem_free(copy);
        if (rc < 0) {
            assert_true(tree_image_why(im)[0] != 0);
            bool again = true;
            assert_int_equal(tree_image_feed(im, body, &again), rc);
            assert_false(again);
            return rc;
        }
        *used += (size_t)rc;
        assert_true(*used <= there);
        assert_int_equal(tree_image_offset(im), *used);
        if (done) {
            assert_int_equal(tree_image_wanted(im), 0);
            return 0;
        }
        assert_true(tree_image_wanted(im) > there - *used);
        if (there == body.n)
            return 0;
        there += 1 + rng_below(rng, piece_max);
        there = there < body.n ? there : body.n;
    }
}

static void assert_same(struct fixture *f, struct tree *t)
{
    assert_non_null(t);
    tree_check(t);
    assert_int_equal(tree_last_zxid(t), ZXID);
    assert_true(tree_digest(t) == tree_digest(f->b.t));
    assert_int_equal(tree_node_count(t), tree_node_count(f->b.t));
    assert_int_equal(tree_ephemeral_count(t), 2); /* the orphan too */
    assert_int_equal(tree_session_count(t), 5);
    assert_int_equal(tree_session_timeout_ms(t, 3), 4000);
    assert_true(slice_is_null(tree_data(t, tree_find(t, slice_str("/app/null")))));
    struct wire_vec acl = tree_acl(t, tree_find(t, slice_str("/guarded")));
    assert_int_equal(acl.count, 300);
    assert_true(slice_eq(acl.raw, buf_slice(&f->acl)));
}

static void any_pieces_make_the_same_tree(void **state)
{
    struct fixture *f = *state;
    struct rng rng;
    rng_init(&rng, 5);
    static const size_t pieces[] = { 1, 2, 7, 100, 3000, 100000, 1000000 };
    for (size_t i = 0; i < ARRAY_COUNT(pieces) * 5; i++) {
        struct tree_image *im = tree_image_new(&test_options, FIELD_BYTES_MAX);
        size_t used;
        assert_int_equal(feed_in_pieces(im, buf_slice(&f->body), &rng, pieces[i / 5], &used), 0);
        assert_int_equal(used, f->body.n);
        assert_int_equal(tree_image_node_count(im), tree_node_count(f->b.t));
        struct tree *t = tree_image_finish(im, ZXID);
        assert_same(f, t);
        tree_free(t);
    }
}

static void what_follows_is_left_alone(void **state)
{
    struct fixture *f = *state;
    size_t body_n = f->body.n;
    bool done;
    wire_put_ustring(&f->body, slice_str("BenWasHere"));
    wire_put_i32(&f->body, 3);
    struct tree_image *im = tree_image_new(&test_options, FIELD_BYTES_MAX);
    assert_int_equal(tree_image_feed(im, buf_slice(&f->body), &done), body_n);
    assert_true(done);
    assert_int_equal(tree_image_feed(im, slice_of(f->body.p + body_n, 18), &done), 0);
    assert_true(done);
    struct tree *t = tree_image_finish(im, ZXID);
    assert_same(f, t);
    tree_free(t);
}

/* Without a tree every byte is looked at just the same. */
static void only_checked(void **state)
{
    struct fixture *f = *state;
    struct rng rng;
    size_t used;
    rng_init(&rng, 6);
    struct tree_image *im = tree_image_new(NULL, FIELD_BYTES_MAX);
    assert_int_equal(feed_in_pieces(im, buf_slice(&f->body), &rng, 50, &used), 0);
    assert_int_equal(tree_image_node_count(im), tree_node_count(f->b.t));
    assert_null(tree_image_finish(im, ZXID));
}

static void unfinished_gives_no_tree(void **state)
{
    struct fixture *f = *state;
    struct rng rng;
    rng_init(&rng, 7);
    for (int i = 0; i < 50; i++) {
        struct tree_image *im = tree_image_new(&test_options, FIELD_BYTES_MAX);
        size_t used, cut = i == 0 ? f->body.n - 1 : rng_below(&rng, f->body.n);
        assert_int_equal(feed_in_pieces(im, slice_of(f->body.p, cut), &rng, 5000, &used), 0);
        assert_true(used <= cut);
        if (i % 2 == 0)
            assert_null(tree_image_finish(im, ZXID));
        else
            tree_image_free(im);
    }
    tree_image_free(NULL);
    assert_null(tree_image_finish(tree_image_new(&test_options, FIELD_BYTES_MAX), ZXID));
}

static void lies_are_refused(void **state)
{
    (void)state;
#define STAT_AND_ACL                                                       \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define ROOT "\0\0\0\0\377\377\377\377" STAT_AND_ACL
#define NO_TABLES "\0\0\0\0\0\0\0\0"
#define ROW(text) text, sizeof(text) - 1
    static const struct {
        const char *bytes;
        size_t n;
        int err;
        const char *says;
    } rows[] = {
        { ROW("\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\177\377\377\377"), ERR_TOO_LONG, "ACL list" },
        { ROW("\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\23\211"), ERR_TOO_LONG, "ACL list" },
        { ROW("\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\0\377\377\377\376"), ERR_TOO_LONG, "ACL list" },
        { ROW("\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0"), ERR_CORRUPT, "twice" },
        { ROW(NO_TABLES "\177\377\377\377x"), ERR_TOO_LONG, "a path of" },
        { ROW(NO_TABLES "\377\377\377\377x"), ERR_TOO_LONG, "a path of" },
        { ROW(NO_TABLES "\0\0\23\211x"), ERR_TOO_LONG, "a path of" },
        { ROW(NO_TABLES "\0\0\0\0\0\0\23\211"), ERR_TOO_LONG, "data" },
        { ROW(NO_TABLES "\0\0\0\0\200\0\0\0"), ERR_TOO_LONG, "data" },
        { ROW(NO_TABLES "\0\0\0\2/a\0\0\0\0" STAT_AND_ACL), ERR_CORRUPT, "parent" },
        { ROW(NO_TABLES ROOT ROOT), ERR_CORRUPT, "twice" },
        { ROW(NO_TABLES ROOT "\0\0\0\4/a/b\377\377\377\377" STAT_AND_ACL), ERR_CORRUPT, "parent" },
        { ROW(NO_TABLES ROOT "\0\0\0\1a\377\377\377\377" STAT_AND_ACL), ERR_CORRUPT, "parent" },
    };
    struct rng rng;
    rng_init(&rng, 8);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        for (size_t piece = 1; piece < 100; piece += 49) {
            struct tree_image *im = tree_image_new(&test_options, FIELD_BYTES_MAX);
            size_t used;
            assert_int_equal(feed_in_pieces(im, slice_of(rows[i].bytes, rows[i].n), &rng, piece, &used), rows[i].err);
            assert_non_null(strstr(tree_image_why(im), rows[i].says));
            assert_null(tree_image_finish(im, ZXID));
        }
    }
    /* The structure is right, but there is no root. */
    struct tree_image *im = tree_image_new(&test_options, FIELD_BYTES_MAX);
    bool done;
    assert_int_equal(tree_image_feed(im, slice_of(NO_TABLES "\0\0\0\1/", 13), &done), 13);
    assert_true(done);
    assert_null(tree_image_finish(im, ZXID));
}

/* Negative counts are none, as for the reference server. */
static void negative_counts_are_none(void **state)
{
    (void)state;
    static const char body[] = "\377\377\377\377\377\377\377\376" ROOT "\0\0\0\1/";
    struct tree_image *im = tree_image_new(&test_options, FIELD_BYTES_MAX);
    bool done;
    assert_int_equal(tree_image_feed(im, slice_of(body, sizeof body - 1), &done), sizeof body - 1);
    assert_true(done);
    struct tree *t = tree_image_finish(im, ZXID);
    assert_non_null(t);
    tree_free(t);
}

/* Any bytes at all: an error, or a tree that stands. */
static void random_damage(void **state)
{
    struct fixture *f = *state;
    struct rng rng;
    rng_init(&rng, 9);
    int trees = 0;
    for (int i = 0; i < 3000; i++) {
        struct buf b;
        size_t used;
        buf_init(&b, SIZE_MAX);
        buf_append_slice(&b, buf_slice(&f->body));
        for (uint64_t n = 1 + rng_below(&rng, 3); n > 0; n--)
            b.p[rng_below(&rng, rng_below(&rng, 2) == 0 ? 200 : b.n)] = (uint8_t)rng_u64(&rng);
        struct tree_image *im = tree_image_new(&test_options, FIELD_BYTES_MAX);
        (void)feed_in_pieces(im, buf_slice(&b), &rng, 20000, &used);
        struct tree *t = tree_image_finish(im, ZXID);
        if (t != NULL && trees++ < 200)
            tree_check(t);
        tree_free(t);
        buf_fini(&b);
    }
    assert_in_range(trees, 100, 2900);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(any_pieces_make_the_same_tree),
        TEST(what_follows_is_left_alone),
        TEST(only_checked),
        TEST(unfinished_gives_no_tree),
        cmocka_unit_test(lies_are_refused),
        cmocka_unit_test(negative_counts_are_none),
        TEST(random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
