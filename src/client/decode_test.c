#include "client/decode.h"
#include "base/mem.h"
#include "base/rng.h"
#include "wire/proto.h"
#include "wire/records.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void strings_end_where_they_lie(void **state)
{
    (void)state;
    struct buf b;
    struct arena arena;
    struct String_vector v;
    buf_init(&b, SIZE_MAX);
    arena_init(&arena, 256);
    wire_put_i32(&b, 3);
    wire_put_ustring(&b, slice_str("one"));
    wire_put_ustring(&b, slice_str(""));
    wire_put_ustring(&b, slice_str("three"));
    wire_put_stat(&b, (struct wire_stat){ .czxid = 5, .pzxid = 6, .num_children = 3 });
    struct client_body body = client_body_of(b.p, b.n, (struct slice){ 0 });
    client_body_strings(&body, &arena, &v);
    struct Stat stat;
    client_body_stat(&body, &stat);
    assert_int_equal(body.r.err, 0);
    assert_int_equal(v.count, 3);
    assert_string_equal(v.data[0], "one");
    assert_string_equal(v.data[1], "");
    assert_string_equal(v.data[2], "three");
    assert_true(stat.czxid == 5 && stat.pzxid == 6 && stat.numChildren == 3);
    arena_fini(&arena);
    buf_fini(&b);
}

static void paths_lose_the_chroot(void **state)
{
    (void)state;
    static const struct {
        const char *on_wire, *shown;
    } rows[] = {
        { "/ch/a/b", "/a/b" }, { "/ch", "/" }, { "/chx", "/chx" }, { "/other", "/other" }, { "", "" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct buf b;
        buf_init(&b, SIZE_MAX);
        wire_put_ustring(&b, slice_str(rows[i].on_wire));
        struct client_body body = client_body_of(b.p, b.n, slice_str("/ch"));
        assert_string_equal(client_body_path(&body), rows[i].shown);
        buf_fini(&b);
    }
}

static void null_is_not_empty(void **state)
{
    (void)state;
    struct buf b;
    const char *p;
    int n;
    buf_init(&b, SIZE_MAX);
    wire_put_buffer(&b, (struct slice){ 0 });
    wire_put_buffer(&b, slice_str(""));
    wire_put_ustring(&b, (struct slice){ 0 });
    struct client_body body = client_body_of(b.p, b.n, (struct slice){ 0 });
    client_body_data(&body, &p, &n);
    assert_true(p == NULL && n == -1);
    client_body_data(&body, &p, &n);
    assert_true(p != NULL && n == 0);
    assert_null(client_body_text(&body));
    assert_int_equal(body.r.err, 0);
    assert_null(client_body_text(&body));
    assert_int_equal(body.r.err, ERR_MARSHALLING);
    buf_fini(&b);
}

/* Bytes that no server would send are read to an error at worst; the sanitizers watch. */
static void nonsense_ends_in_an_error(void **state)
{
    (void)state;
    struct rng rng;
    struct arena arena;
    rng_init(&rng, 1);
    arena_init(&arena, 256);
    for (int i = 0; i < 30000; i++) {
        size_t n = (size_t)rng_below(&rng, 60);
        uint8_t *p = mem_alloc(n + 4); /* a body follows a header */
        for (size_t k = 0; k < n + 4; k++)
            p[k] = (uint8_t)(rng_below(&rng, 3) == 0 ? rng_below(&rng, 256) : 0);
        struct client_body body = client_body_of(p + 4, n, slice_str("/a"));
        struct String_vector v;
        struct ACL_vector acl;
        struct ClientInfo_vector ids;
        struct Stat stat;
        int32_t type, err;
        switch (i % 5) {
        case 0:
            client_body_strings(&body, &arena, &v);
            break;
        case 1:
            client_body_paths(&body, &arena, &v);
            break;
        case 2:
            client_body_acls(&body, &arena, &acl);
            break;
        case 3:
            client_body_ids(&body, &arena, &ids);
            break;
        default:
            while (client_body_part(&body, &type, &err) == 1)
                (void)client_body_path(&body);
        }
        client_body_stat(&body, &stat);
        arena_reset(&arena);
        mem_free(p);
    }
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_end_where_they_lie),
        cmocka_unit_test(paths_lose_the_chroot),
        cmocka_unit_test(null_is_not_empty),
        cmocka_unit_test(nonsense_ends_in_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
