/* The epoch files: what is read from what stands there, and what a power cut or a failing disk leaves of a save. */
#include "store/epochs.h"
#include "store/test_support.h"

#define ACCEPTED DIR_NAME "/acceptedEpoch"
#define CURRENT DIR_NAME "/currentEpoch"

static struct disk *disk_with(const char *accepted, const char *current)
{
    struct disk *d = disk_new(3);
    assert_int_equal(disk_fs(d)->ops->make_dir(disk_fs(d), DIR_NAME), 0);
    if (accepted != NULL)
        disk_put(d, ACCEPTED, slice_str(accepted));
    if (current != NULL)
        disk_put(d, CURRENT, slice_str(current));
    return d;
}

static void reads_what_is_there(void **state)
{
    (void)state;
    static const struct {
        const char *accepted, *current;
        int64_t last_zxid;
        int rc;
        int64_t gives_accepted, gives_current;
        const char *says; /* the error, or on the log */
    } rows[] = {
        { "7", "7", 0x700000003, 0, 7, 7, "" },
        { "9", "7", 0x700000003, 0, 9, 7, "" },
        { "9", "7", 0x300000003, 0, 9, 7, "" },
        { "0", "0", 0, 0, 0, 0, "" },
        { "7\n", "7\r\n", 0x700000003, 0, 7, 7, "" },
        { "2147483647", "1", 0, 0, 2147483647, 1, "" },
        { NULL, NULL, 0, 0, 0, 0, "" },
        { NULL, NULL, 0x500000001, 0, 5, 5, "" },
        { "6", NULL, 0x500000001, 0, 6, 5, "" },
        { NULL, "5", 0x500000001, 0, 5, 5, "" },
        { "8", "7", 0x800000000, 0, 8, 7, "store.epoch_behind" },
        { NULL, "6", 0x500000001, ERR_INVALID, 0, 0, "currentEpoch 6 is above acceptedEpoch 5 (no such file" },
        { "4", NULL, 0x500000001, ERR_INVALID, 0, 0, "currentEpoch 5 (no such file" },
        { "6", "7", 0x500000001, ERR_INVALID, 0, 0, "currentEpoch 7 is above acceptedEpoch 6, which" },
        { "6", "6", 0x700000001, ERR_INVALID, 0, 0, "the last transaction is 0x700000001, of epoch 7" },
        { "", "7", 0, ERR_CORRUPT, 0, 0, ACCEPTED ": does not hold an epoch (a decimal number) but 0 bytes: \"\"" },
        { "7", "", 0, ERR_CORRUPT, 0, 0, CURRENT ": does not hold" },
        { "7", "seven", 0, ERR_CORRUPT, 0, 0, "but 5 bytes: \"seven\"" },
        { "7\n\n", "7", 0, ERR_CORRUPT, 0, 0, "but 3 bytes: \"7\\x0a\\x0a\"" },
        { "-1", "7", 0, ERR_CORRUPT, 0, 0, "\"-1\"" },
        { " 7", "7", 0, ERR_CORRUPT, 0, 0, "\" 7\"" },
        { "7", "0x7", 0, ERR_CORRUPT, 0, 0, "\"0x7\"" },
        { "2147483648", "7", 0, ERR_CORRUPT, 0, 0, "\"2147483648\"" },
        { "99999999999999999999", "7", 0, ERR_CORRUPT, 0, 0, "20 bytes" },
        { "000000000000000000000000000000000000000000000000000000", "7", 0, ERR_CORRUPT, 0, 0, "at least 40 bytes" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct disk *d = disk_with(rows[i].accepted, rows[i].current);
        disk_put(d, ACCEPTED ".tmp", slice_str("44"));
        disk_put(d, CURRENT ".tmp", slice_str("torn"));
        struct store_epochs e = { -1, -1 };
        struct store_error err = { "" };
        struct told told = { "" };
        log_set_sink(told_sink, &told, LOG_INFO);
        int rc = store_epochs_read(disk_fs(d), DIR_NAME, rows[i].last_zxid, &e, &err);
        log_set_sink(NULL, NULL, LOG_INFO);
        if (rc != rows[i].rc)
            fail_msg("row %zu: %d %s", i, rc, err.text);
        if (rc == 0) {
            assert_int_equal(e.accepted, rows[i].gives_accepted);
            assert_int_equal(e.current, rows[i].gives_current);
            assert_string_equal(err.text, "");
            if (rows[i].says[0] == 0)
                assert_string_equal(told.text, "");
        }
        assert_says(rc == 0 ? told.text : err.text, rows[i].says);
        assert_int_equal(disk_pending_count(d), 0); /* reading changes nothing */
        disk_free(d);
    }
}

static void bytes_that_are_not_text(void **state)
{
    (void)state;
    struct disk *d = disk_with(NULL, "5");
    struct store_epochs e;
    struct store_error err;
    disk_put(d, ACCEPTED, slice_of("\0\0\377\"", 4));
    assert_int_equal(store_epochs_read(disk_fs(d), DIR_NAME, 0, &e, &err), ERR_CORRUPT);
    assert_says(err.text, "but 4 bytes: \"\\x00\\x00\\xff\\x22\"");
    disk_set_fault(d, (struct disk_fault){ DISK_OP_READ, 1, ERR_IO, false });
    assert_int_equal(store_epochs_read(disk_fs(d), DIR_NAME, 0, &e, &err), ERR_IO);
    assert_says(err.text, ACCEPTED ": cannot read: input/output error");
    disk_free(d);
    d = disk_new(1); /* not even a directory */
    assert_int_equal(store_epochs_read(disk_fs(d), DIR_NAME, 0x300000001, &e, &err), 0);
    assert_int_equal(e.accepted, 3);
    assert_int_equal(e.current, 3);
    disk_free(d);
}

static void assert_file(struct disk *d, const char *name, const char *text)
{
    struct buf b;
    buf_init(&b, 100);
    int rc = disk_get(d, name, &b);
    if (text == NULL) {
        assert_int_equal(rc, ERR_NOT_FOUND);
    } else {
        assert_int_equal(rc, 0);
        assert_true(slice_eq_str(buf_slice(&b), text));
    }
    buf_fini(&b);
}

static void writes_only_what_differs(void **state)
{
    (void)state;
    struct store_error err;
    struct disk *d = disk_with(NULL, NULL);
    struct fs *fs = disk_fs(d);
    struct store_epochs a = { 4, 3 }, b = { 5, 3 }, c = { 5, 5 };
    disk_put(d, ACCEPTED ".tmp", slice_str("longer than the number, from a crash"));
    assert_int_equal(store_epochs_save(fs, DIR_NAME, NULL, &a, &err), 0);
    assert_file(d, ACCEPTED, "4");
    assert_file(d, CURRENT, "3");
    assert_file(d, ACCEPTED ".tmp", NULL);
    disk_put(d, CURRENT, slice_str("3\n"));
    assert_int_equal(store_epochs_save(fs, DIR_NAME, &a, &b, &err), 0);
    assert_file(d, ACCEPTED, "5");
    assert_file(d, CURRENT, "3\n"); /* untouched */
    uint64_t ops = disk_op_count(d);
    assert_int_equal(store_epochs_save(fs, DIR_NAME, &b, &b, &err), 0);
    assert_int_equal(disk_op_count(d), ops);
    assert_int_equal(store_epochs_save(fs, DIR_NAME, &b, &c, &err), 0);
    assert_file(d, CURRENT, "5");
    assert_int_equal(disk_pending_count(d), 0);
    disk_free(d);
}

/* ---- power cuts and faults ---- */

static const struct {
    struct store_epochs old, now;
    bool old_on_disk, old_given;
} saves[] = {
    { { 0, 0 }, { 1, 0 }, false, true }, { { 0, 0 }, { 1, 1 }, false, false }, { { 3, 2 }, { 4, 2 }, true, true },
    { { 4, 2 }, { 4, 4 }, true, true },  { { 9, 9 }, { 10, 10 }, true, true },
};

static struct disk *disk_before(size_t i)
{
    char accepted[24], current[24];
    snprintf(accepted, sizeof accepted, "%" PRId64, saves[i].old.accepted);
    snprintf(current, sizeof current, "%" PRId64, saves[i].old.current);
    return disk_with(saves[i].old_on_disk ? accepted : NULL, saves[i].old_on_disk ? current : NULL);
}

static int save(struct disk *d, size_t i, struct store_error *err)
{
    return store_epochs_save(disk_fs(d), DIR_NAME, saves[i].old_given ? &saves[i].old : NULL, &saves[i].now, err);
}

/* Each number is the old or the new one; all new if that was promised; current never above accepted (read says so). */
static void check_epochs(struct disk *d, size_t i, bool promised)
{
    struct store_epochs e;
    struct store_error err;
    if (store_epochs_read(disk_fs(d), DIR_NAME, 0, &e, &err) < 0)
        fail_msg("save %zu, %s: %s", i, disk_last_op(d), err.text);
    assert_true(e.accepted == saves[i].now.accepted || (!promised && e.accepted == saves[i].old.accepted));
    assert_true(e.current == saves[i].now.current || (!promised && e.current == saves[i].old.current));
}

static void check_outcomes(struct disk *d, size_t i, bool promised)
{
    size_t pending = disk_pending_count(d);
    for (uint64_t number = 0; number < 30; number++) {
        struct disk *after = disk_crash(d, (struct disk_crash_plan){ DISK_CRASH_SEED, number + i * 1000 });
        check_epochs(after, i, promised);
        disk_free(after);
    }
    assert_true(pending < 12);
    for (uint64_t set = 0; set < 1u << pending; set++) {
        struct disk *after = disk_crash(d, (struct disk_crash_plan){ DISK_CRASH_SET, set });
        check_epochs(after, i, promised);
        disk_free(after);
    }
}

static void survives_a_power_cut_at_every_operation(void **state)
{
    (void)state;
    int cuts = 0;
    for (size_t i = 0; i < ARRAY_COUNT(saves); i++) {
        for (uint64_t op = 1;; op++) {
            struct store_error err;
            struct disk *d = disk_before(i);
            disk_cut_power_at(d, disk_op_count(d) + op);
            int rc = save(d, i, &err);
            assert_true(rc == 0 || rc == ERR_IO);
            check_outcomes(d, i, rc == 0);
            cuts += rc < 0;
            disk_free(d);
            if (rc == 0)
                break;
        }
    }
    assert_true(cuts > 30);
}

static void every_failing_operation_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(saves); i++) {
        bool hit = true;
        for (uint64_t n = 1; hit; n++) {
            int want = n % 2 == 0 ? ERR_IO : ERR_NO_SPACE;
            struct store_error err;
            struct disk *d = disk_before(i);
            disk_set_fault(d, (struct disk_fault){ DISK_OP_ANY, n, want, false });
            int rc = save(d, i, &err);
            hit = disk_fault_hit(d);
            assert_int_equal(rc, hit ? want : 0);
            if (hit)
                assert_says(err.text, "Epoch: cannot write epoch");
            check_outcomes(d, i, rc == 0);
            disk_set_fault(d, (struct disk_fault){ 0 });
            assert_int_equal(save(d, i, &err), 0); /* again */
            check_outcomes(d, i, true);
            disk_free(d);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_is_there),
        cmocka_unit_test(bytes_that_are_not_text),
        cmocka_unit_test(writes_only_what_differs),
        cmocka_unit_test(survives_a_power_cut_at_every_operation),
        cmocka_unit_test(every_failing_operation_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
