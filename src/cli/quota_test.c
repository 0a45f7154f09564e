#include "cli/quota.h"
#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static int parse(struct cli_quota *q, const char *text)
{
    return cli_quota_parse(q, text, strlen(text));
}

static void texts_come_back(void **state)
{
    static const char *const texts[] = {
        "count=5,bytes=-1",
        "count=-1,bytes=100=;byteHardLimit=-1;countHardLimit=-1",
        "count=6,bytes=100=;byteHardLimit=2000000000000;countHardLimit=7",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct cli_quota q;
        struct buf out;
        buf_init(&out, 4096);
        assert_int_equal(parse(&q, texts[i]), 0);
        cli_quota_text(&q, &out);
        buf_append(&out, "", 1);
        assert_string_equal((const char *)out.p, texts[i]);
        buf_fini(&out);
    }
}

static void what_others_may_have_written(void **state)
{
    struct cli_quota q;
    (void)state;
    assert_int_equal(parse(&q, ""), 0);
    assert_true(q.count == -1 && q.bytes == -1 && !q.has_hard);
    assert_int_equal(parse(&q, "bytes=7,count="), 0);
    assert_true(q.count == -1 && q.bytes == 7);
    assert_int_equal(parse(&q, "count=1,later=9,bytes=2"), 0);
    assert_true(q.count == 1 && q.bytes == 2);
    assert_int_equal(parse(&q, "count"), 0);
    assert_int_equal(parse(&q, "count=x"), -1);
    assert_int_equal(parse(&q, "count=99999999999999999999"), -1);
}

static void paths(void **state)
{
    (void)state;
    char *limits = cli_quota_path("/a/b", CLI_QUOTA_LIMITS), *node = cli_quota_path("/a", "");
    assert_string_equal(limits, "/zookeeper/quota/a/b/zookeeper_limits");
    assert_string_equal(node, "/zookeeper/quota/a");
    mem_free(limits);
    mem_free(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_come_back),
        cmocka_unit_test(what_others_may_have_written),
        cmocka_unit_test(paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
