#include "client/watches.h"
#include "base/mem.h"
#include "wire/proto.h"
#include "wire/records.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void fn_a(void)
{
}
static void fn_b(void)
{
}

/* Which of the watchers hear: 'a' and 'b', sorted. */
static const char *heard(struct client_watches *w, int32_t type, const char *path)
{
    struct client_watchers *l = client_watches_fire(w, type, slice_str(path));
    bool a = false, b = false;
    for (size_t i = 0; l != NULL && i < l->n; i++) {
        assert_false(l->p[i].fn == fn_a ? a : b); /* nobody twice */
        a |= l->p[i].fn == fn_a;
        b |= l->p[i].fn == fn_b;
    }
    mem_free(l);
    return a && b ? "ab" : a ? "a" : b ? "b" : "";
}

static const struct client_watcher a = { .fn = fn_a }, b = { .fn = fn_b };

static void kinds_hear_what_servers_tell(void **state)
{
    (void)state;
    static const struct {
        enum client_watch_kind kind;
        const char *created, *deleted, *changed, *child;
    } rows[] = {
        { CLIENT_WATCH_DATA, "a", "a", "a", "" },      { CLIENT_WATCH_EXIST, "a", "a", "a", "" },
        { CLIENT_WATCH_CHILD, "", "a", "", "a" },      { CLIENT_WATCH_PERSISTENT, "a", "a", "a", "a" },
        { CLIENT_WATCH_RECURSIVE, "a", "a", "a", "" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        bool lasting = rows[i].kind >= CLIENT_WATCH_PERSISTENT;
        const char *const expected[] = { "", rows[i].created, rows[i].deleted, rows[i].changed, rows[i].child };
        for (int32_t type = WIRE_EVENT_CREATED; type <= WIRE_EVENT_CHILDREN_CHANGED; type++) {
            struct client_watches w;
            client_watches_init(&w, i);
            client_watches_add(&w, rows[i].kind, slice_str("/p"), a);
            assert_string_equal(heard(&w, type, "/other"), "");
            assert_string_equal(heard(&w, type, "/p"), expected[type]);
            assert_string_equal(heard(&w, type, "/p"), lasting ? expected[type] : "");
            client_watches_fini(&w);
        }
    }
}

static void one_watcher_of_many_kinds_hears_once(void **state)
{
    (void)state;
    struct client_watches w;
    client_watches_init(&w, 1);
    for (int k = 0; k < CLIENT_WATCH_KINDS; k++) {
        client_watches_add(&w, (enum client_watch_kind)k, slice_str("/p/q"), a);
        client_watches_add(&w, (enum client_watch_kind)k, slice_str("/p/q"), a);
    }
    client_watches_add(&w, CLIENT_WATCH_RECURSIVE, slice_str("/"), b);
    client_watches_add(&w, CLIENT_WATCH_RECURSIVE, slice_str("/p"), a);
    assert_string_equal(heard(&w, WIRE_EVENT_DELETED, "/p/q"), "ab");
    assert_string_equal(heard(&w, WIRE_EVENT_DATA_CHANGED, "/p/q/r/s"), "ab");
    assert_string_equal(heard(&w, WIRE_EVENT_DATA_CHANGED, "/pq"), "b");
    assert_string_equal(heard(&w, WIRE_EVENT_CHILDREN_CHANGED, "/p"), "");
    struct client_watchers *l = client_watches_all(&w, b);
    assert_int_equal(l->n, 2);
    assert_ptr_equal((void *)l->p[0].fn, (void *)fn_b);
    mem_free(l);
    client_watches_fini(&w);
}

static void many_paths_many_watchers(void **state)
{
    (void)state;
    struct client_watches w;
    char path[32];
    static int ctx[300];
    client_watches_init(&w, 7);
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(path, sizeof(path), "/n/%d", i);
        client_watches_add(&w, CLIENT_WATCH_DATA, slice_str(path),
                           (struct client_watcher){ .fn = fn_a, .ctx = &ctx[i % 300] });
        client_watches_add(&w, CLIENT_WATCH_CHILD, slice_str(path),
                           (struct client_watcher){ .fn = fn_b, .ctx = &ctx[i % 300] });
    }
    assert_int_equal(w.node_count, 3000);
    struct client_watchers *l = client_watches_all(&w, a);
    assert_int_equal(l->n, 601);
    mem_free(l);
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(path, sizeof(path), "/n/%d", i);
        assert_string_equal(heard(&w, WIRE_EVENT_DATA_CHANGED, path), "a");
        assert_true(client_watches_have(&w, slice_str(path), CLIENT_WATCH_ANY, NULL));
        assert_string_equal(heard(&w, WIRE_EVENT_CHILDREN_CHANGED, path), "b");
        assert_false(client_watches_have(&w, slice_str(path), CLIENT_WATCH_ANY, NULL));
    }
    assert_int_equal(w.node_count, 0);
    for (int k = 0; k < CLIENT_WATCH_KINDS; k++)
        assert_int_equal(w.counts[k], 0);
    assert_null(client_watches_all(&w, (struct client_watcher){ 0 }));
    client_watches_fini(&w);
}

static void watchers_are_forgotten_one_by_one(void **state)
{
    (void)state;
    struct client_watches w;
    const unsigned data = CLIENT_WATCH_BIT(CLIENT_WATCH_DATA), child = CLIENT_WATCH_BIT(CLIENT_WATCH_CHILD);
    struct slice p = slice_str("/p");
    client_watches_init(&w, 7);
    client_watches_add(&w, CLIENT_WATCH_DATA, p, a);
    client_watches_add(&w, CLIENT_WATCH_DATA, p, b);
    client_watches_add(&w, CLIENT_WATCH_CHILD, p, b);
    assert_true(client_watches_have(&w, p, data, &a));
    assert_false(client_watches_have(&w, p, child, &a));
    assert_true(client_watches_others(&w, p, data, &a));
    assert_false(client_watches_others(&w, p, child, &b));
    assert_false(client_watches_others(&w, p, data, NULL));
    assert_int_equal(client_watches_remove(&w, p, data, &a), 0);
    assert_int_equal(client_watches_remove(&w, p, data, &a), 0);
    assert_int_equal(client_watches_remove(&w, p, CLIENT_WATCH_ANY, NULL), data | child);
    assert_int_equal(client_watches_remove(&w, p, CLIENT_WATCH_ANY, NULL), 0);
    assert_int_equal(w.node_count, 0);
    client_watches_fini(&w);
}

static void rearming_names_every_path_under_its_kind(void **state)
{
    (void)state;
    struct client_watches w;
    struct buf out;
    struct slice frame = { 0 };
    size_t used;
    client_watches_init(&w, 7);
    buf_init(&out, SIZE_MAX);
    assert_int_equal(client_watches_rearm(&w, &out, 5, 1000), 0);
    client_watches_add(&w, CLIENT_WATCH_DATA, slice_str("/d"), a);
    client_watches_add(&w, CLIENT_WATCH_EXIST, slice_str("/e"), a);
    client_watches_add(&w, CLIENT_WATCH_CHILD, slice_str("/c"), a);
    assert_int_equal(client_watches_rearm(&w, &out, 5, 1000), 1);
    assert_int_equal(wire_frame_next(buf_slice(&out), 10000, &frame, &used), 1);
    assert_int_equal(used, out.n);
    struct wire_reader r = wire_reader_of(frame);
    struct wire_request_header h = wire_get_request_header(&r);
    assert_int_equal(h.xid, WIRE_XID_SET_WATCHES);
    assert_int_equal(h.type, WIRE_OP_SET_WATCHES); /* servers before 3.6 know no other */
    struct wire_set_watches_request one = wire_get_set_watches_request(&r);
    assert_int_equal(r.err, 0);
    assert_true(one.data.count == 1 && one.exist.count == 1 && one.child.count == 1 && one.relative_zxid == 5);
    client_watches_add(&w, CLIENT_WATCH_PERSISTENT, slice_str("/p"), a);
    client_watches_add(&w, CLIENT_WATCH_RECURSIVE, slice_str("/r"), a);
    buf_reset(&out);
    assert_int_equal(client_watches_rearm(&w, &out, 5, 1000), 1);
    assert_int_equal(wire_frame_next(buf_slice(&out), 10000, &frame, &used), 1);
    r = wire_reader_of(frame);
    h = wire_get_request_header(&r);
    assert_int_equal(h.type, WIRE_OP_SET_WATCHES2);
    struct wire_set_watches2_request two = wire_get_set_watches2_request(&r);
    assert_int_equal(r.err, 0);
    assert_true(two.data.count == 1 && two.exist.count == 1 && two.child.count == 1);
    assert_true(two.persistent.count == 1 && two.recursive.count == 1);
    buf_fini(&out);
    client_watches_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_hear_what_servers_tell),
        cmocka_unit_test(one_watcher_of_many_kinds_hears_once),
        cmocka_unit_test(many_paths_many_watchers),
        cmocka_unit_test(watchers_are_forgotten_one_by_one),
        cmocka_unit_test(rearming_names_every_path_under_its_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
