#include "cli/export.h"
#include "cli/acl.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static struct ACL_vector open_acl(void)
{
    struct ACL_vector acl = { 0 };
    cli_acl_append(&acl, "world", "anyone", 31);
    return acl;
}

static void assert_line(struct buf *out, const char *line)
{
    buf_append(out, "", 1);
    assert_string_equal((const char *)out->p, line);
    buf_fini(out);
}

static void lines_look_like_this(void **state)
{
    struct ACL_vector acl = open_acl();
    struct buf out;
    (void)state;
    buf_init(&out, 4096);
    export_put_head(&out, "/app");
    export_put_node(&out, "/app", "text \"x\"", 8, &acl, false);
    export_put_node(&out, "/app/b", "\x00\xff", 2, &acl, true);
    export_put_node(&out, "/app/n", NULL, -1, &acl, false);
    export_put_node(&out, "/app/0", "", 0, &acl, false);
    export_put_end(&out, 4);
    assert_line(&out, "{\"zokor-export\":1,\"root\":\"/app\"}\n"
                      "{\"path\":\"/app\",\"data\":\"text \\\"x\\\"\",\"acl\":[\"world:anyone:cdrwa\"]}\n"
                      "{\"path\":\"/app/b\",\"base64\":\"AP8=\",\"acl\":[\"world:anyone:cdrwa\"],\"ephemeral\":true}\n"
                      "{\"path\":\"/app/n\",\"data\":null,\"acl\":[\"world:anyone:cdrwa\"]}\n"
                      "{\"path\":\"/app/0\",\"data\":\"\",\"acl\":[\"world:anyone:cdrwa\"]}\n"
                      "{\"end\":true,\"nodes\":4}\n");
    deallocate_ACL_vector(&acl);
}

static void any_bytes_come_back(void **state)
{
    struct ACL_vector acl = { 0 };
    char data[300];
    (void)state;
    cli_acl_append(&acl, "digest", "bob:x+/=", 31);
    cli_acl_append(&acl, "ip", "2001:db8::1", 1);
    cli_acl_append(&acl, "auth", "", 0);
    for (unsigned seed = 0; seed < 500; seed++) {
        struct export_record r;
        struct buf out, error;
        size_t n = seed % sizeof(data);
        for (size_t i = 0; i < n; i++) /* every other time text, with zero bytes in it */
            data[i] = (char)(seed % 2 == 0 ? (i * 31 + seed * 7) % 128 : i * 31 + seed * 7);
        buf_init(&out, 1 << 16);
        buf_init(&error, 4096);
        export_put_node(&out, "/a/ü", data, (int)n, &acl, seed % 3 == 0);
        buf_append(&out, "", 1);
        assert_int_equal(export_read(&r, (const char *)out.p, &error), 0);
        assert_int_equal(r.kind, EXPORT_NODE);
        assert_string_equal(r.path, "/a/ü");
        assert_int_equal(r.data_len, n);
        assert_memory_equal(r.data, data, n);
        assert_int_equal(r.ephemeral, seed % 3 == 0);
        assert_false(r.acl_hidden);
        assert_int_equal(r.acl.count, 3);
        assert_string_equal(r.acl.data[1].id.id, "2001:db8::1");
        assert_int_equal(r.acl.data[2].perms, 0);
        export_record_free(&r);
        buf_fini(&out);
        buf_fini(&error);
    }
    deallocate_ACL_vector(&acl);
}

static void hidden_lists_are_marked(void **state)
{
    struct ACL_vector acl = { 0 };
    struct export_record r;
    struct buf out, error;
    (void)state;
    cli_acl_append(&acl, "digest", "bob:x", 31);
    buf_init(&out, 4096);
    buf_init(&error, 4096);
    export_put_node(&out, "/a", NULL, -1, &acl, false);
    buf_append(&out, "", 1);
    assert_int_equal(export_read(&r, (const char *)out.p, &error), 0);
    assert_true(r.acl_hidden);
    export_record_free(&r);
    buf_fini(&out);
    buf_fini(&error);
    deallocate_ACL_vector(&acl);
}

static void what_is_wrong_is_said(void **state)
{
    static const struct {
        const char *line, *error;
    } rows[] = {
        { "{", "not a JSON object: string or '}' expected near end of file" },
        { "[1]", "not a JSON object: another value" },
        { "{\"zokor-export\":2,\"root\":\"/a\"}", "format 2 is not known, only 1" },
        { "{\"zokor-export\":1,\"root\":\"a\"}", "Path must start with / character" },
        { "{\"data\":null}", "no \"path\"" },
        { "{\"path\":\"/a/\"}", "Path must not end with / character" },
        { "{\"path\":\"/a\"}", "neither \"data\" nor a good \"base64\"" },
        { "{\"path\":\"/a\",\"base64\":\"*\"}", "neither \"data\" nor a good \"base64\"" },
        { "{\"path\":\"/a\",\"data\":7}", "neither \"data\" nor a good \"base64\"" },
        { "{\"path\":\"/a\",\"data\":null}", "\"acl\" is not a list with an entry" },
        { "{\"path\":\"/a\",\"data\":null,\"ttl_ms\":0}", "\"ttl_ms\" is not a number from 1 to 1099511627775" },
        { "{\"path\":\"/a\",\"data\":null,\"ttl_ms\":\"9\"}", "\"ttl_ms\" is not a number from 1 to 1099511627775" },
        { "{\"path\":\"/a\",\"data\":null,\"ttl_ms\":9,\"container\":true}",
          "a node is one of \"ephemeral\", \"container\" and one with \"ttl_ms\"" },
        { "{\"path\":\"/a\",\"data\":null,\"acl\":[]}", "\"acl\" is not a list with an entry" },
        { "{\"path\":\"/a\",\"data\":null,\"acl\":[\"a:r\"]}", "\"acl\": 'a:r' is not scheme:id:perms" },
        { "{\"path\":\"/a\",\"data\":null,\"acl\":[\"a:b:x\"]}", "\"acl\": 'a:b:x' is not scheme:id:perms" },
        { "{\"path\":\"/a\",\"data\":null,\"acl\":[7]}", "\"acl\": '?' is not scheme:id:perms" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct export_record r;
        struct buf error;
        buf_init(&error, 4096);
        assert_int_equal(export_read(&r, rows[i].line, &error), -1);
        export_record_free(&r);
        assert_line(&error, rows[i].error);
    }
}

static void trees_move(void **state)
{
    static const struct {
        const char *path, *root, *to, *moved;
    } rows[] = {
        { "/a", "/a", "/b", "/b" },      { "/a/x/y", "/a", "/b", "/b/x/y" }, { "/a/x", "/a", "/", "/x" },
        { "/x", "/", "/b/c", "/b/c/x" }, { "/", "/", "/b", "/b" },           { "/ab", "/a", "/b", NULL },
        { "/c", "/a", "/b", NULL },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *moved = export_move(rows[i].path, rows[i].root, rows[i].to);
        if (rows[i].moved == NULL)
            assert_null(moved);
        else
            assert_string_equal(moved, rows[i].moved);
        free(moved);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_look_like_this),
        cmocka_unit_test(any_bytes_come_back),
        cmocka_unit_test(hidden_lists_are_marked),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(trees_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
