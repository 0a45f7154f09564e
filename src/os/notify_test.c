#include "os/notify.h"
#include "base/err.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

/* A manager's socket by the name that NOTIFY_SOCKET would have. */
static int manager(const char *name)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    size_t n = strlen(name);
    assert_true(n < sizeof a.sun_path);
    memcpy(a.sun_path, name, n);
    if (name[0] == '@')
        a.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    return fd;
}

static void expect_text(int fd, const char *text)
{
    char got[256];
    ssize_t n = recv(fd, got, sizeof got, 0);
    assert_int_equal(n, (ssize_t)strlen(text));
    assert_memory_equal(got, text, strlen(text));
}

static void both_kinds_of_names(void **state)
{
    (void)state;
    char dir[] = "/tmp/zokor-notify-XXXXXX", names[2][128];
    assert_non_null(mkdtemp(dir));
    snprintf(names[0], sizeof names[0], "%s/socket", dir);
    snprintf(names[1], sizeof names[1], "@zokor-notify-test-%ld", (long)getpid());
    for (int i = 0; i < 2; i++) {
        int fd = manager(names[i]);
        assert_int_equal(notify_send("READY=1\nSTATUS=fine"), 0);
        expect_text(fd, "READY=1\nSTATUS=fine");
        close(fd);
        assert_int_equal(notify_send("STOPPING=1"), ERR_IO); /* nobody there any more */
    }
    unlink(names[0]);
    rmdir(dir);
}

static void nobody_asked(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(notify_send("READY=1"), 0);
    setenv("NOTIFY_SOCKET", "", 1);
    assert_int_equal(notify_send("READY=1"), 0);
}

static void names_that_are_none(void **state)
{
    (void)state;
    char name[300];
    memset(name, 'x', sizeof name - 1);
    name[0] = '/';
    name[sizeof name - 1] = '\0';
    setenv("NOTIFY_SOCKET", name, 1);
    assert_int_equal(notify_send("READY=1"), ERR_INVALID);
    setenv("NOTIFY_SOCKET", "vsock:2:1", 1);
    assert_int_equal(notify_send("READY=1"), ERR_INVALID);
    setenv("NOTIFY_SOCKET", "@", 1);
    assert_int_equal(notify_send("READY=1"), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_kinds_of_names),
        cmocka_unit_test(nobody_asked),
        cmocka_unit_test(names_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
