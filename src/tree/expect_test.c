/* What is expected may never come, or be gone by the time it would be fetched. The model test says that nothing that
 * can be seen depends on it. */
#include "tree/tree_test_support.h"
#include <stdio.h>

#define CHILDREN 3000 /* several chunks of records, and a directory of many buckets */

static void expect_from(struct bench *b, int first)
{
    char text[TREE_EXPECT_MAX][32];
    struct slice paths[TREE_EXPECT_MAX];
    size_t n = 0;
    for (; n < TREE_EXPECT_MAX && first + (int)n < CHILDREN; n++) {
        snprintf(text[n], sizeof text[n], "/dir/node-%d", first + (int)n);
        paths[n] = slice_str(text[n]);
    }
    tree_expect(b->t, paths, n);
}

static void expect_all(struct bench *b)
{
    for (int i = 0; i < CHILDREN; i += (int)TREE_EXPECT_MAX)
        expect_from(b, i);
}

static void the_expected_may_go(void **state)
{
    (void)state;
    struct bench b;
    char path[32];
    bench_open(&b);
    expect_all(&b); /* not even the directory is there */
    bench_create(&b, "/dir", "d");
    expect_all(&b);
    for (int i = 0; i < CHILDREN; i++) {
        snprintf(path, sizeof path, "/dir/node-%d", i);
        bench_create(&b, path, i % 2 == 0 ? "data" : NULL);
    }
    expect_all(&b);
    uint64_t digest = tree_digest(b.t);
    for (int i = CHILDREN - 1; i >= 0; i--) {
        snprintf(path, sizeof path, "/dir/node-%d", i);
        expect_from(&b, i);
        bench_delete(&b, path);
    }
    expect_from(&b, 1);
    bench_delete(&b, "/dir");
    expect_all(&b);
    bench_create(&b, "/other", NULL); /* where the directory's record was */
    expect_all(&b);
    tree_check(b.t);
    assert_true(tree_digest(b.t) != digest);
    bench_close(&b);
}

static void what_is_no_path_is_passed_over(void **state)
{
    (void)state;
    static const char zero_inside[] = { '/', 'a', 0, 'b' };
    static const char *const rows[] = { "", "/", "//", "a", "a/b", "/a/", "/a//b", "/none/at/all" };
    struct bench b;
    bench_open(&b);
    bench_create(&b, "/a", "x");
    struct slice paths[ARRAY_COUNT(rows) + 2] = { slice_of((const uint8_t *)zero_inside, sizeof zero_inside) };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        paths[i + 1] = slice_str(rows[i]); /* the last one is null */
    tree_expect(b.t, paths, ARRAY_COUNT(paths));
    tree_expect(b.t, NULL, 0);
    assert_data(&b, "/a", "x");
    tree_check(b.t);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_expected_may_go),
        cmocka_unit_test(what_is_no_path_is_passed_over),
    };
    return cmocka_run_group_tests_name("expect", tests, NULL, NULL);
}
