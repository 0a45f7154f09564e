/* Writes past the page cache: what has ended is in the file; what does not go is said. On a file system that does not
 * qualify only that is looked at. */
#include "base/err.h"
#include "os/direct.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCKS 4

static char path[64];
static _Alignas(DIRECT_BLOCK_BYTES) char bytes[BLOCKS * DIRECT_BLOCK_BYTES];

static int setup(void **state)
{
    (void)state;
    strcpy(path, "/tmp/zokor-direct-test-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    int rc = ftruncate(fd, sizeof bytes);
    close(fd);
    return rc;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

/* NULL: this machine or file system has no such writes. */
static struct direct *opened(void)
{
    struct direct *d = direct_new();
    if (d == NULL)
        return NULL;
    assert_int_equal(direct_open(d, "/nowhere/at/all"), ERR_IO);
    int rc = direct_open(d, path);
    if (rc == 0)
        return d;
    assert_int_equal(rc, ERR_UNSUPPORTED);
    direct_free(d);
    return NULL;
}

static void assert_file(size_t offset, size_t n)
{
    char got[sizeof bytes];
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, got, n, (off_t)offset), n);
    close(fd);
    assert_memory_equal(got, bytes, n);
}

static void what_has_ended_is_in_the_file(void **state)
{
    (void)state;
    struct direct *d = opened();
    int rc = 1;
    if (d == NULL)
        skip();
    memset(bytes, 'a', sizeof bytes);
    assert_int_equal(direct_write(d, 0, bytes, sizeof bytes, 0), 0); /* all blocks are there from now on */
    assert_false(direct_ended(d, false, &rc));
    for (int i = 0; i < 100; i++) {
        size_t at = (size_t)(i % BLOCKS) * DIRECT_BLOCK_BYTES;
        struct pollfd bell = { .fd = direct_bell(d), .events = POLLIN };
        memset(bytes, 'b' + i % 20, DIRECT_BLOCK_BYTES);
        if (direct_begin(d, at, bytes, DIRECT_BLOCK_BYTES) != 0) {
            assert_int_equal(direct_write(d, at, bytes, DIRECT_BLOCK_BYTES, 0), 0);
            continue;
        }
        if (i % 2 == 0)
            assert_int_equal(poll(&bell, 1, 60000), 1);
        direct_take_bell(d);
        assert_true(direct_ended(d, i % 2 != 0, &rc));
        assert_true(rc == 0 || rc == ERR_BUSY);
        if (rc == ERR_BUSY)
            assert_int_equal(direct_write(d, at, bytes, DIRECT_BLOCK_BYTES, 0), 0);
        assert_file(at, DIRECT_BLOCK_BYTES);
        assert_false(direct_ended(d, false, &rc)); /* told once */
    }
    direct_free(d);
}

static void zeros_follow(void **state)
{
    (void)state;
    static const size_t some[] = { DIRECT_BLOCK_BYTES, 64u * 1024, 64u * 1024 + DIRECT_BLOCK_BYTES, DIRECT_ZEROS_MAX };
    struct direct *d = opened();
    if (d == NULL)
        skip();
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        size_t all = DIRECT_BLOCK_BYTES + some[i];
        char *got = malloc(all + 1);
        assert_int_equal(truncate(path, 0), 0);
        memset(bytes, 'x', DIRECT_BLOCK_BYTES);
        assert_int_equal(direct_write(d, 0, bytes, DIRECT_BLOCK_BYTES, some[i]), 0);
        int fd = open(path, O_RDONLY);
        assert_int_equal(pread(fd, got, all + 1, 0), all);
        close(fd);
        assert_memory_equal(got, bytes, DIRECT_BLOCK_BYTES);
        for (size_t k = DIRECT_BLOCK_BYTES; k < all; k++)
            assert_int_equal(got[k], 0);
        free(got);
    }
    direct_free(d);
}

static void what_cannot_go_is_refused(void **state)
{
    (void)state;
    struct direct *d = opened();
    int rc = 0;
    if (d == NULL)
        skip();
    assert_int_equal(direct_write(d, 0, bytes + 1, DIRECT_BLOCK_BYTES - 7, 0), ERR_INVALID);
    if (direct_begin(d, 3, bytes + 1, 5) == 0) {
        assert_true(direct_ended(d, true, &rc));
        assert_int_equal(rc, ERR_BUSY);
    }
    direct_close(d);
    direct_free(d);
    direct_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_has_ended_is_in_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(zeros_follow, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_go_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests_name("direct", tests, NULL, NULL);
}
