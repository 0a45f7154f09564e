#include "tree/tree_test_support.h"
#include <stdio.h>

/* "type path watcher,watcher;" for each event of the last transaction; watchers ascending. */
static const char *events(const struct bench *b)
{
    static struct buf text;
    static uint8_t room[1000];
    text = (struct buf){ .p = room, .cap = sizeof room, .limit = sizeof room };
    for (uint32_t i = 0; i < b->out.event_count; i++) {
        const struct tree_event *e = &b->out.events[i];
        static const char *names[] = { "?", "created", "deleted", "data", "children" };
        buf_printf(&text, "%s%s %.*s", i == 0 ? "" : "; ", names[e->type], SLICE_ARG(e->path));
        for (uint32_t w = 0; w < 64; w++)
            for (uint32_t k = 0; k < e->watcher_count; k++)
                if (e->watchers[k] == w)
                    buf_printf(&text, " %u", w);
    }
    assert_int_equal(text.err, 0);
    room[text.n] = 0;
    return (const char *)room;
}

static void add(struct bench *b, uint32_t watcher, const char *path, unsigned modes)
{
    watch_add(b->t, watcher, slice_str(path), modes);
}

static void one_shot(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    add(&b, 1, "/a", WATCH_DATA); /* exists on a missing node */
    bench_create(&b, "/a", "");
    assert_string_equal(events(&b), "created /a 1");
    bench_apply(&b, op_set("/a", "x", 1));
    assert_string_equal(events(&b), "");
    add(&b, 1, "/a", WATCH_DATA);
    add(&b, 2, "/a", WATCH_CHILD);
    bench_create(&b, "/a/k", "");
    assert_string_equal(events(&b), "children /a 2");
    add(&b, 2, "/a", WATCH_CHILD);
    bench_apply(&b, op_set("/a", "y", 2));
    assert_string_equal(events(&b), "data /a 1");
    struct txn_op acl = { .type = WIRE_OP_SET_ACL, .path = slice_str("/a"), .acl = acl_of(&b.acl_other), .version = 1 };
    bench_apply(&b, acl);
    assert_string_equal(events(&b), "");
    add(&b, 3, "/", WATCH_CHILD | WATCH_DATA);
    bench_delete(&b, "/a/k");
    assert_string_equal(events(&b), "children /a 2");
    bench_apply(&b, op_set("/", "r", 1));
    assert_string_equal(events(&b), "data / 3");
    add(&b, 2, "/a", WATCH_CHILD | WATCH_DATA);
    add(&b, 4, "/a", WATCH_CHILD);
    bench_delete(&b, "/a"); /* one NodeDeleted for 2, though it had both; then the parent's event */
    assert_string_equal(events(&b), "deleted /a 2 4; children / 3");
    assert_int_equal(watch_counts(b.t).watches, 0);
    assert_int_equal(watch_counts(b.t).paths, 0);
    assert_int_equal(watch_counts(b.t).watchers, 0);
    bench_close(&b);
}

static void persistent_and_recursive(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    add(&b, 1, "/p", WATCH_PERSISTENT);
    add(&b, 2, "/p", WATCH_RECURSIVE);
    bench_create(&b, "/p", "");
    assert_string_equal(events(&b), "created /p 1 2");
    bench_create(&b, "/p/k", "");
    assert_string_equal(events(&b), "created /p/k 2; children /p 1");
    add(&b, 2, "/p", WATCH_CHILD); /* a recursive watcher hears of children only if it asks */
    bench_create(&b, "/p/k/deep", "");
    assert_string_equal(events(&b), "created /p/k/deep 2");
    bench_delete(&b, "/p/k/deep");
    assert_string_equal(events(&b), "deleted /p/k/deep 2");
    bench_apply(&b, op_set("/p/k", "x", 1));
    assert_string_equal(events(&b), "data /p/k 2");
    bench_delete(&b, "/p/k");
    assert_string_equal(events(&b), "deleted /p/k 2; children /p 1 2");
    add(&b, 1, "/p", WATCH_DATA); /* beside the persistent mode: one event, and that stays */
    bench_apply(&b, op_set("/p", "x", 1));
    assert_string_equal(events(&b), "data /p 1 2");
    assert_int_equal(watch_modes(b.t, 1, slice_str("/p")), WATCH_PERSISTENT);
    bench_delete(&b, "/p");
    assert_string_equal(events(&b), "deleted /p 1 2");
    assert_int_equal(watch_modes(b.t, 1, slice_str("/p")), WATCH_PERSISTENT);
    bench_create(&b, "/p", ""); /* they survive the node */
    assert_string_equal(events(&b), "created /p 1 2");
    add(&b, 3, "/", WATCH_RECURSIVE);
    add(&b, 2, "/", WATCH_RECURSIVE); /* told once, although two of its watches match */
    bench_create(&b, "/p/q", "");
    assert_string_equal(events(&b), "created /p/q 2 3; children /p 1");
    assert_int_equal(watch_remove(b.t, 2, slice_str("/p"), WATCH_RECURSIVE | WATCH_DATA), WATCH_RECURSIVE);
    assert_int_equal(watch_remove(b.t, 2, slice_str("/p"), WATCH_RECURSIVE), 0);
    bench_apply(&b, op_set("/p/q", "", 1));
    assert_string_equal(events(&b), "data /p/q 2 3");
    watch_drop_watcher(b.t, 3);
    watch_drop_watcher(b.t, 2);
    bench_apply(&b, op_set("/p/q", "", 2));
    assert_string_equal(events(&b), "");
    bench_apply(&b, op_set("/p/q", "", 2));
    tree_check(b.t);
    bench_close(&b);
}

static void multi_and_close(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    add(&b, 1, "/", WATCH_RECURSIVE);
    add(&b, 2, "/m", WATCH_DATA);
    struct txn_op secret = op_create(&b, "/m", "");
    secret.acl = acl_of(&b.acl_other);
    const struct txn_op ops[] = { secret, op_set("/m", "1", 1), op_delete("/m") };
    bench_multi(&b, ops, 3);
    assert_string_equal(events(&b), "created /m 1 2; data /m 1; deleted /m 1");
    /* Nobody has that list any more, but the events still say whom to tell. */
    for (int i = 0; i < 3; i++)
        assert_true(slice_eq(b.out.events[i].acl.raw, buf_slice(&b.acl_other)));
    bench_create_ephemeral(&b, "/e1");
    bench_create_ephemeral(&b, "/e2");
    add(&b, 2, "/", WATCH_CHILD);
    bench_apply(&b, (struct txn_op){ .type = WIRE_OP_CLOSE_SESSION, .paths = { -1, { 0 } } });
    assert_string_equal(events(&b), "deleted /e1 1; children / 2; deleted /e2 1");
    bench_apply(&b, op_delete("/none")); /* tolerated errors tell nobody */
    assert_string_equal(events(&b), "");
    bench_apply(&b, op_create(&b, "/zookeeper", ""));
    assert_string_equal(events(&b), "");
    bench_close(&b);
}

struct seen {
    int count;
    unsigned modes;
    size_t path_bytes;
};

static void see(void *ctx, uint32_t watcher, struct slice path, unsigned modes)
{
    struct seen *s = ctx;
    assert_true(watcher < 100 && path.n != 0);
    s->count++;
    s->modes |= modes;
    s->path_bytes += path.n;
}

static void listing(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    char path[16];
    for (uint32_t i = 0; i < 1000; i++) {
        snprintf(path, sizeof path, "/n%03u", i % 500);
        if (i < 250)
            bench_create(&b, path, "");
        add(&b, i % 100, path, i < 500 ? WATCH_DATA : WATCH_CHILD);
    }
    add(&b, 1, "/", WATCH_CHILD);
    add(&b, 1, "", WATCH_DATA); /* the same node */
    assert_int_equal(watch_counts(b.t).watches, 1002);
    assert_int_equal(watch_counts(b.t).paths, 501);
    assert_int_equal(watch_counts(b.t).watchers, 100);
    struct seen all = { 0 };
    uint64_t cursor = 0;
    int calls = 0;
    bool more;
    do {
        int before = all.count;
        more = watch_list(b.t, &cursor, 7, see, &all);
        assert_true(all.count - before <= 7);
        calls++;
    } while (more);
    assert_int_equal(all.count, 501); /* an entry holds all modes of a watcher on a path */
    assert_int_equal(all.path_bytes, 500 * 5 + 1);
    assert_true(calls >= 501 / 7);
    struct seen paths = { 0 };
    struct watch_cursor c = { 0 };
    struct watch_seen w;
    cursor = 0;
    do {
        int before = paths.count;
        more = watch_cursor_of_path(b.t, &c, &cursor, ~0u);
        while (watch_cursor_next(b.t, &c, ~0u, &w))
            see(&paths, w.watcher, w.path, w.modes);
        assert_true(paths.count - before <= 500);
    } while (more);
    assert_int_equal(paths.count, 501);
    assert_int_equal(paths.path_bytes, all.path_bytes);
    struct watch_counts any = watch_counts_of(b.t, 15), data = watch_counts_of(b.t, WATCH_DATA);
    assert_int_equal(any.watches, 501);
    assert_int_equal(any.paths, watch_counts(b.t).paths);
    assert_int_equal(any.watchers, watch_counts(b.t).watchers);
    assert_true(data.watches <= 501 && data.paths > 0 && data.watchers > 0);
    assert_int_equal(watch_counts_of(b.t, 0).watches, 0);
    struct seen mine = { 0 };
    watch_cursor_of(b.t, &c, 1, ~0u);
    while (watch_cursor_next(b.t, &c, ~0u, &w))
        see(&mine, w.watcher, w.path, w.modes);
    assert_int_equal(mine.count, 6);
    assert_int_equal(mine.modes, WATCH_DATA | WATCH_CHILD);
    watch_cursor_of(b.t, &c, 1, ~0u);
    for (uint32_t i = 0; i < 100; i++) {
        watch_drop_watcher(b.t, i);
        watch_check(b.t);
    }
    assert_false(watch_cursor_next(b.t, &c, ~0u, &w)); /* all of them have gone */
    watch_cursor_fini(&c);
    watch_drop_watcher(b.t, 5);
    assert_int_equal(watch_counts(b.t).watches, 0);
    cursor = 0;
    assert_false(watch_list(b.t, &cursor, 7, see, &all));
    bench_close(&b);
}

/* Distinct paths, nodes that exist: what the design promises of memory. */
static void memory_of_watches(void **state)
{
    (void)state;
    enum { COUNT = 40000 };
    struct bench b;
    bench_open(&b);
    char path[24];
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(path, sizeof path, "/n%u", i);
        bench_create(&b, path, "");
    }
    size_t before = tree_memory_bytes(b.t);
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(path, sizeof path, "/n%u", i);
        add(&b, i % 1000, path, WATCH_DATA);
    }
    double each = (double)(tree_memory_bytes(b.t) - before) / COUNT;
    print_message("%.1f bytes a watch\n", each);
    assert_true(each < 75);
    watch_check(b.t);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_shot), cmocka_unit_test(persistent_and_recursive), cmocka_unit_test(multi_and_close),
        cmocka_unit_test(listing),  cmocka_unit_test(memory_of_watches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
