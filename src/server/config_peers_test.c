/* The lines about servers: what is refused, and the text that an ensemble is told of them. */
#include "server/config_peers.h"
#include "base/err.h"
#include "zab/members.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

#define ENSEMBLE "dataDir=/d\nclientPort=2181\ninitLimit=10\nsyncLimit=5\nstandaloneEnabled=false\n"
#define DYNAMIC "/c/zoo.cfg.dynamic."

struct disk {
    char cfg[16384];
    const char *dynamic; /* text of every file whose name starts with DYNAMIC; NULL: there is none */
};

static int read_disk(void *ctx, const char *path, struct buf *out)
{
    const struct disk *disk = ctx;
    const char *text = NULL;
    if (strcmp(path, "/c/zoo.cfg") == 0)
        text = disk->cfg;
    else if (strncmp(path, DYNAMIC, strlen(DYNAMIC)) == 0)
        text = disk->dynamic;
    else if (strcmp(path, "/d/myid") == 0)
        text = "1\n";
    if (text == NULL)
        return ERR_NOT_FOUND;
    buf_append(out, text, strlen(text));
    return out->err;
}

static int load(struct config *c, struct disk *disk, struct config_error *err)
{
    struct config_input input = { .file = "/c/zoo.cfg", .read_file = read_disk, .read_ctx = disk };
    return config_load(c, &input, err);
}

/* Members of this configuration are written as `expected`, and are what zab reads from it and writes again. */
static void assert_members(const struct config *c, const char *expected)
{
    struct buf b, again, why;
    struct members *m;
    buf_init(&b, 1 << 16);
    buf_init(&again, 1 << 16);
    buf_init(&why, 1000);
    config_put_members(c, &b);
    assert_int_equal(b.err, 0);
    assert_int_equal(members_parse(buf_slice(&b), &why, &m), 0);
    members_put(m, &again);
    assert_true(slice_eq(buf_slice(&b), buf_slice(&again)));
    members_unref(m);
    buf_append(&b, "", 1);
    assert_string_equal((const char *)b.p, expected);
    buf_fini(&b);
    buf_fini(&again);
    buf_fini(&why);
}

static void tells(const char *lines, const char *expected)
{
    struct disk disk = { .dynamic = NULL };
    struct config c;
    struct config_error err = { "" };
    snprintf(disk.cfg, sizeof disk.cfg, ENSEMBLE "%s", lines);
    int code = load(&c, &disk, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(code, 0);
    assert_members(&c, expected);
    config_fini(&c);
}

static void refused(const char *lines, const char *expected)
{
    struct disk disk = { .dynamic = NULL };
    struct config c;
    struct config_error err;
    snprintf(disk.cfg, sizeof disk.cfg, ENSEMBLE "%s", lines);
    assert_int_equal(load(&c, &disk, &err), ERR_INVALID);
    assert_string_equal(err.text, expected);
}

static void text_of_an_ensemble(void **state)
{
    (void)state;
    tells("server.3=c:1:2:OBSERVER;0.0.0.0:5\nserver.1=a:1:2\nserver.2=[::1]:1:2:participant;[fe80::1]:4\n",
          "server.1=a:1:2:participant\nserver.2=[::1]:1:2:participant;[fe80::1]:4\n"
          "server.3=c:1:2:observer;0.0.0.0:5\nversion=0");
    tells("server.1=a:1:2;2181\n", "server.1=a:1:2:participant;0.0.0.0:2181\nversion=0");
    tells("server.1 = a:1:2: observer ; 2181 \nserver.2=b:1:2",
          "server.1=a:1:2:observer;0.0.0.0:2181\nserver.2=b:1:2:participant\nversion=0");
    tells("server.1=127.0.0.2:1:2|127.0.0.12:3:4|[::1]:5:6\nmultiAddress.enabled=true\n",
          "server.1=127.0.0.12:3:4|127.0.0.2:1:2|[::1]:5:6:participant\nversion=0");
}

static void groups_and_weights(void **state)
{
    (void)state;
    tells(
        "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nserver.4=d:1:2:observer\ngroup.7=3\ngroup.0=1:2\nweight.2=3\n",
        "server.1=a:1:2:participant\nserver.2=b:1:2:participant\nserver.3=c:1:2:participant\n"
        "server.4=d:1:2:observer\ngroup.0=1:2\ngroup.7=3\nweight.1=1\nweight.2=3\nweight.3=1\nversion=0");
    tells("server.1=a:1:2\ngroup.1=1:9\nweight.9=4\n", "server.1=a:1:2:participant\ngroup.1=1\nweight.1=1\nversion=0");
    refused("server.1=a:1:2\nserver.2=b:1:2\ngroup.1=1\n",
            "/c/zoo.cfg: server.2 is in no group; with group or weight lines every participant must be in one");
    refused("server.1=a:1:2\nweight.1=1\n",
            "/c/zoo.cfg: server.1 is in no group; with group or weight lines every participant must be in one");
    refused("server.1=a:1:2\ngroup.0=1\ngroup.1=1\n", "/c/zoo.cfg: line 8: group.1: the server 1 is in several groups");
}

static void lines_that_no_ensemble_takes(void **state)
{
    (void)state;
#define AT "/c/zoo.cfg: line 6: "
#define FORM "does not have the form host:quorumPort:electionPort[:role][;[address:]clientPort]"
    refused("server.1=a:1:1\n", AT "server.1: 'a:1:1': its two ports must differ");
    refused("server.1=a:1:2|b:1:2\n", AT "server.1: 'a:1:2|b:1:2': several addresses need multiAddress.enabled=true");
    refused("server.1=a:1:2:observer|b:1:2:participant\nmultiAddress.enabled=true\n",
            AT "server.1: 'a:1:2:observer|b:1:2:participant': its addresses have different roles");
    refused("server.1=a b:1:2\n", AT "server.1: 'a b:1:2' " FORM);
    refused("server.1=::1:1:2\n", AT "server.1: '::1:1:2' " FORM);
    refused("server.1=[a]b]:1:2\n", AT "server.1: '[a]b]:1:2' " FORM);
    refused("server.-1=a:1:2\n", AT "server.-1: '-1' is not the number of a server");
    refused("server.9223372036854775807=a:1:2\n",
            AT "server.9223372036854775807: '9223372036854775807' is not the number of a server");
    char many[8192];
    size_t n = 0;
    for (int i = 0; i < 256; i++)
        n += (size_t)snprintf(many + n, sizeof many - n, "server.%d=h:1:2\n", i);
    refused(many, "/c/zoo.cfg: line 261: server.255: more than 255 servers");
#undef AT
#undef FORM
}

static void version_is_the_end_of_the_name(void **state)
{
    (void)state;
    static const struct {
        const char *end;
        int64_t version;
    } rows[] = {
        { "100000000", 0x100000000 },
        { "1F", 0x1f },
        { "0", 0 },
        { "next", 0 },
        { "", 0 },
        { "12g", 0 },
        { "-5", 0 },
        { "7fffffffffffffff", INT64_MAX },
        { "8000000000000000", 0 },
        { "10000000000000000", 0 },
        { "a.b/c", 0 },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct disk disk = { .dynamic = "server.1=a:1:2:participant;0.0.0.0:2181" };
        struct config c;
        struct config_error err = { "" };
        char expected[200];
        snprintf(disk.cfg, sizeof disk.cfg, ENSEMBLE "dynamicConfigFile=" DYNAMIC "%s\n", rows[i].end);
        assert_int_equal(load(&c, &disk, &err), 0);
        assert_int_equal(c.dynamic_version, rows[i].version);
        snprintf(expected, sizeof expected, "server.1=a:1:2:participant;0.0.0.0:2181\nversion=%llx",
                 (long long)rows[i].version);
        assert_members(&c, expected);
        config_fini(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_of_an_ensemble),
        cmocka_unit_test(groups_and_weights),
        cmocka_unit_test(lines_that_no_ensemble_takes),
        cmocka_unit_test(version_is_the_end_of_the_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
