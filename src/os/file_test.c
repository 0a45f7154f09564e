#include "base/err.h"
#include "os/fs.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[64];

static const char *in_dir(const char *name)
{
    static char paths[4][256];
    static int turn;
    char *p = paths[turn++ % 4];
    snprintf(p, sizeof paths[0], "%s/%s", dir, name);
    return p;
}

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/zokor-file-test-XXXXXX");
    return mkdtemp(dir) == NULL;
}

static void remove_one(void *ctx, const char *name)
{
    (void)ctx;
    if (fs_real()->ops->remove(fs_real(), in_dir(name)) < 0)
        rmdir(in_dir(name));
}

static int teardown(void **state)
{
    (void)state;
    rmdir(in_dir("a/b"));
    fs_real()->ops->list(fs_real(), dir, remove_one, NULL);
    return rmdir(dir);
}

static void bytes_go_where_they_are_told(void **state)
{
    (void)state;
    struct fs *fs = fs_real();
    struct fs_file *f;
    char b[10];
    assert_int_equal(fs_open(fs, in_dir("f"), FS_WRITE, &f), ERR_NOT_FOUND);
    assert_int_equal(fs_open(fs, in_dir("f"), FS_WRITE | FS_READ | FS_CREATE, &f), 0);
    assert_int_equal(fs->ops->write_at(f, 3, "abc", 3), 0);
    assert_int_equal(fs->ops->size(f), 6);
    assert_int_equal(fs->ops->read_at(f, 1, b, 10), 5);
    assert_memory_equal(b, "\0\0abc", 5);
    assert_int_equal(fs->ops->read_at(f, 6, b, 1), 0);
    assert_int_equal(fs->ops->allocate(f, 5000), 0);
    assert_int_equal(fs->ops->allocate(f, 100), 0); /* never shrinks */
    assert_int_equal(fs->ops->size(f), 5000);
    assert_int_equal(fs->ops->read_at(f, 5, b, 3), 3);
    assert_memory_equal(b, "c\0\0", 3);
    assert_int_equal(fs->ops->sync(f), 0);
    assert_int_equal(fs->ops->truncate(f, 4), 0);
    assert_int_equal(fs->ops->size(f), 4);
    fs->ops->close(f);
    fs->ops->close(NULL);
    assert_int_equal(fs_open(fs, in_dir("f"), FS_WRITE | FS_CREATE | FS_TRUNCATE, &f), 0);
    assert_int_equal(fs->ops->size(f), 0);
    fs->ops->close(f);
    /* What a client's ACL hides, another user of the machine shall not read either. */
    struct stat st;
    assert_int_equal(stat(in_dir("f"), &st), 0);
    assert_int_equal(st.st_mode & 07, 0);
}

static void append_name(void *ctx, const char *name)
{
    strcat(ctx, name);
    strcat(ctx, " ");
}

static void names_come_and_go(void **state)
{
    (void)state;
    struct fs *fs = fs_real();
    struct fs_file *f;
    char names[200] = "";
    assert_int_equal(fs->ops->make_dir(fs, in_dir("a/b")), 0);
    assert_int_equal(fs->ops->make_dir(fs, in_dir("a/b")), 0);
    assert_int_equal(fs_open(fs, in_dir("a/b/one"), FS_WRITE | FS_CREATE, &f), 0);
    fs->ops->close(f);
    assert_int_equal(fs->ops->make_dir(fs, in_dir("a/b/one")), ERR_EXISTS);
    assert_int_equal(fs->ops->rename(fs, in_dir("a/b/one"), in_dir("a/b/two")), 0);
    assert_int_equal(fs->ops->rename(fs, in_dir("a/b/one"), in_dir("a/b/two")), ERR_NOT_FOUND);
    assert_int_equal(fs->ops->sync_dir(fs, in_dir("a/b")), 0);
    assert_int_equal(fs->ops->sync_dir(fs, in_dir("none")), ERR_NOT_FOUND);
    assert_int_equal(fs->ops->sync_dir(fs, "/proc/self"), 0); /* a file system that knows no such sync */
    assert_int_equal(fs->ops->list(fs, in_dir("a/b"), append_name, names), 0);
    assert_string_equal(names, "two ");
    assert_int_equal(fs->ops->list(fs, in_dir("none"), append_name, names), ERR_NOT_FOUND);
    assert_int_equal(fs->ops->remove(fs, in_dir("a/b/two")), 0);
    assert_int_equal(fs->ops->remove(fs, in_dir("a/b/two")), ERR_NOT_FOUND);
    assert_true(fs->ops->free_bytes(fs, dir) > 0);
    assert_int_equal(fs->ops->free_bytes(fs, in_dir("none")), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_go_where_they_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(names_come_and_go, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
