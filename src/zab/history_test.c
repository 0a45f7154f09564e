#include "zab/history.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void push(struct history *h, int64_t zxid, size_t bytes)
{
    struct blob *b = blob_new(bytes);
    history_push(h, zxid, b, 0);
    blob_unref(b);
}

static void grows_and_wraps(void **state)
{
    (void)state;
    struct history h;
    history_init(&h, 0);
    for (int64_t z = 1; z <= 1000; z++) {
        push(&h, z, 10);
        history_trim(&h, z - 5, 50, SIZE_MAX);
    }
    assert_int_equal(h.count, 50);
    assert_int_equal(h.base, 950);
    assert_int_equal(h.bytes, 500);
    for (size_t i = 0; i < h.count; i++)
        assert_int_equal(history_at(&h, i)->zxid, 951 + (int64_t)i);
    assert_int_equal(history_after(&h, 900), 0);
    assert_int_equal(history_after(&h, 951), 1);
    assert_int_equal(history_after(&h, 1000), 50);
    history_fini(&h);
}

static void places_across_epochs(void **state)
{
    (void)state;
    struct history h;
    history_init(&h, 0);
    for (int64_t z = 1; z <= 5; z++)
        push(&h, z, 10);
    for (int64_t z = 1; z <= 5; z++)
        push(&h, ZXID_FIRST(2) + z, 10);
    for (size_t i = 0; i < h.count; i++)
        assert_int_equal(history_after(&h, history_at(&h, i)->zxid), i + 1);
    assert_int_equal(history_after(&h, 0), 0);
    assert_int_equal(history_after(&h, -1), 0);
    assert_int_equal(history_after(&h, INT64_MIN), 0);
    assert_int_equal(history_after(&h, 6), 5);
    assert_int_equal(history_after(&h, ZXID_FIRST(2)), 5);
    assert_int_equal(history_after(&h, ZXID_FIRST(2) + 6), 10);
    assert_int_equal(history_after(&h, INT64_MAX), 10);
    history_fini(&h);
}

static void what_is_not_decided_is_never_trimmed(void **state)
{
    (void)state;
    struct history h;
    history_init(&h, 0);
    for (int64_t z = 1; z <= 100; z++)
        push(&h, z, 10);
    history_trim(&h, 40, 10, SIZE_MAX);
    assert_int_equal(h.count, 60);
    history_trim(&h, 100, 100, 100);
    assert_int_equal(h.count, 10); /* by bytes */
    history_fini(&h);
}

static void the_end_can_be_cut(void **state)
{
    (void)state;
    struct history h;
    history_init(&h, 7);
    for (int64_t z = 8; z <= 20; z++)
        push(&h, z, 1);
    history_drop_above(&h, 15);
    assert_int_equal(history_end(&h), 15);
    assert_int_equal(h.bytes, 8);
    history_drop_above(&h, 3);
    assert_int_equal(h.count, 0);
    assert_int_equal(history_end(&h), 7);
    history_restart(&h, 99);
    assert_int_equal(history_end(&h), 99);
    history_fini(&h);
}

static void one_follows_another(void **state)
{
    (void)state;
    assert_true(zxid_follows(0x100000001, 0x100000002));
    assert_true(zxid_follows(0x100000009, 0x200000001));
    assert_true(zxid_follows(0x100000009, 0x300000001));
    assert_true(zxid_follows(0x200000000, 0x200000001)); /* behind the start of an epoch */
    assert_false(zxid_follows(0x100000001, 0x100000003));
    assert_false(zxid_follows(0x100000001, 0x100000001));
    assert_false(zxid_follows(0x100000009, 0x200000002));
    assert_false(zxid_follows(0x200000001, 0x100000002));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_wraps),
        cmocka_unit_test(places_across_epochs),
        cmocka_unit_test(what_is_not_decided_is_never_trimmed),
        cmocka_unit_test(the_end_can_be_cut),
        cmocka_unit_test(one_follows_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
