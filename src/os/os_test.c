/* The loop, sockets and locks of this room. */
#include "base/err.h"
#include "os/clock.h"
#include "os/loop.h"
#include "os/net.h"
#include "os/process.h"
#include "os/thread.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct bench {
    struct loop *loop;
    struct loop_timer timer;
    struct loop_wake wake;
    struct loop_poll poll;
    int fired, turns, busy, events, closed;
    int fd;
};

static void on_timer(struct loop_timer *timer)
{
    struct bench *b = CONTAINER_OF(timer, struct bench, timer);
    if (++b->fired < 3)
        loop_timer_set(timer, 0); /* set to 0 by its own callback: a later turn's, not this one's */
    else
        loop_stop(b->loop);
}

static void on_turn(void *ctx)
{
    struct bench *b = ctx;
    b->turns++;
}

static void test_timers_and_turns(void **state)
{
    (void)state;
    struct bench b = { .loop = loop_new() };
    loop_set_turn(b.loop, on_turn, &b);
    loop_timer_open(b.loop, &b.timer, on_timer);
    loop_timer_set(&b.timer, 1);
    loop_run(b.loop);
    assert_int_equal(b.fired, 3);
    assert_true(b.turns >= 5); /* twice a turn, a turn for each time */
    loop_timer_close(&b.timer);
    loop_free(b.loop);
}

static void on_wake(struct loop_wake *wake)
{
    struct bench *b = CONTAINER_OF(wake, struct bench, wake);
    b->fired++;
    loop_stop(b->loop);
}

static void wake_from_afar(void *ctx)
{
    struct bench *b = ctx;
    loop_wake(&b->wake);
    loop_wake(&b->wake);
}

static void test_wake_from_another_thread(void **state)
{
    (void)state;
    struct bench b = { .loop = loop_new() };
    struct thread t;
    loop_wake_open(b.loop, &b.wake, on_wake);
    thread_start(&t, "waker", wake_from_afar, &b);
    loop_run(b.loop);
    thread_join(&t);
    assert_true(b.fired >= 1);
    loop_wake_close(&b.wake);
    loop_free(b.loop);
}

struct many {
    struct bench b;
    atomic_int given;
    int taken;
};

#define WAKES 20000

static void on_given(struct loop_wake *wake)
{
    struct many *m = CONTAINER_OF(CONTAINER_OF(wake, struct bench, wake), struct many, b);
    m->taken = atomic_load(&m->given);
    if (m->taken == WAKES)
        loop_stop(m->b.loop);
}

static void give_many(void *ctx)
{
    struct many *m = ctx;
    for (int i = 0; i < WAKES; i++) {
        atomic_fetch_add(&m->given, 1);
        loop_wake(&m->b.wake);
    }
}

/* Whether the loop sleeps, is about to, or runs when it is woken: the last wake is always seen, or this never ends. */
static void test_no_wake_is_lost(void **state)
{
    (void)state;
    struct many m = { .b.loop = loop_new() };
    struct thread t;
    loop_wake_open(m.b.loop, &m.b.wake, on_given);
    thread_start(&t, "waker", give_many, &m);
    loop_run(m.b.loop);
    thread_join(&t);
    assert_int_equal(m.taken, WAKES);
    loop_wake_close(&m.b.wake);
    loop_free(m.b.loop);
}

static void on_own(struct loop_wake *wake)
{
    struct bench *b = CONTAINER_OF(wake, struct bench, wake);
    if (++b->fired == 3)
        loop_stop(b->loop);
    else
        loop_wake(wake); /* a later turn's, and that turn does not wait */
}

static void test_a_loop_wakes_itself(void **state)
{
    (void)state;
    struct bench b = { .loop = loop_new() };
    loop_wake_open(b.loop, &b.wake, on_own);
    loop_wake(&b.wake);
    loop_run(b.loop);
    assert_int_equal(b.fired, 3);
    loop_wake_close(&b.wake);
    loop_free(b.loop);
}

static void on_busy(void *ctx)
{
    struct bench *b = ctx;
    if (++b->busy == 5)
        loop_set_busy(b->loop, NULL, NULL);
}

static void on_event(struct loop_poll *poll, unsigned events)
{
    struct bench *b = CONTAINER_OF(poll, struct bench, poll);
    char c;
    b->events++;
    if ((events & LOOP_READABLE) != 0 && net_recv(b->fd, &c, 1) == 0)
        loop_poll_set(poll, 0);
}

static void on_closed(struct loop_poll *poll)
{
    CONTAINER_OF(poll, struct bench, poll)->closed++;
}

static void test_sockets_and_busy_turns(void **state)
{
    (void)state;
    struct bench b = { .loop = loop_new() };
    int fds[2];
    assert_int_equal(net_pair(fds), 0);
    b.fd = fds[0];
    assert_int_equal(loop_poll_open(b.loop, &b.poll, fds[0], on_event), 0);
    loop_poll_set(&b.poll, LOOP_READABLE);
    loop_set_busy(b.loop, on_busy, &b);
    for (int i = 0; i < 10; i++)
        loop_run_once(b.loop);
    assert_int_equal(b.busy, 5);
    assert_int_equal(b.events, 0);
    struct slice two[] = { { (const uint8_t *)"a", 1 }, { (const uint8_t *)"b", 1 } };
    assert_int_equal(net_send(fds[1], two, 2), 2);
    loop_run_once(b.loop);
    loop_run_once(b.loop);
    assert_int_equal(b.events, 2); /* level-triggered: one byte was read each time */
    net_close(fds[1]);
    loop_run_once(b.loop);
    assert_int_equal(b.events, 3);
    loop_run_once(b.loop);
    assert_int_equal(b.events, 3);
    loop_poll_close(&b.poll, on_closed);
    net_close(fds[0]);
    loop_free(b.loop);
    assert_int_equal(b.closed, 1);
}

static void test_listen_and_refusals(void **state)
{
    (void)state;
    int a, b, c;
    struct net_error err;
    struct net_address peer;
    assert_int_equal(net_listen("127.0.0.1", 0, 10, true, &a, &err), 0);
    uint16_t port = net_port(a);
    assert_true(port != 0);
    assert_int_equal(net_listen("127.0.0.1", port, 10, false, &b, &err), ERR_ADDRESS_IN_USE);
    assert_non_null(strstr(err.text, "127.0.0.1"));
    assert_int_equal(net_listen("not a name", 0, 10, false, &b, &err), ERR_INVALID);
    assert_int_equal(net_accept(a, &c, &peer), ERR_BUSY);
    net_close(a);
    assert_int_equal(net_listen("", 0, 10, false, &b, &err), 0); /* every address */
    net_close(b);
}

static void test_send_to_a_full_and_to_a_closed_socket(void **state)
{
    (void)state;
    int fds[2];
    static uint8_t bytes[65536];
    assert_int_equal(net_pair(fds), 0);
    assert_int_equal(net_recv(fds[0], bytes, 1), ERR_BUSY);
    int64_t n = 0;
    for (int i = 0; i < 1000 && n != ERR_BUSY; i++)
        n = net_send(fds[0], &(struct slice){ bytes, sizeof bytes }, 1);
    assert_int_equal(n, ERR_BUSY);
    net_close(fds[1]);
    assert_int_equal(net_send(fds[0], &(struct slice){ bytes, 1 }, 1), ERR_CLOSED);
    net_close(fds[0]);
}

/* A directory belongs to one process; the end of the process gives it back. */
struct naming {
    struct loop *loop;
    int answers;
    char name[64];
};

static void on_name(void *ctx, const char *name, const char *why)
{
    struct naming *n = ctx;
    n->answers++;
    assert_int_equal(name == NULL, strlen(why) != 0);
    snprintf(n->name, sizeof n->name, "%s", name == NULL ? "" : name);
    loop_stop(n->loop);
}

/* What 127.0.0.1 and ::1 are called stands in /etc/hosts. */
static void test_names_of_addresses(void **state)
{
    (void)state;
    struct naming n = { .loop = loop_new() };
    const struct net_address here = { .bytes = { 127, 0, 0, 1 }, .port = 1 };
    loop_name_drop(loop_name(n.loop, &here, on_name, &n));
    assert_non_null(loop_name(n.loop, &here, on_name, &n));
    loop_run(n.loop);
    assert_int_equal(n.answers, 1);
    assert_string_not_equal(n.name, "");
    loop_free(n.loop);
}

static void test_directory_lock(void **state)
{
    (void)state;
    char dir[] = "/tmp/zokor-lock-XXXXXX";
    int status, pipe_fds[2];
    char c = 0;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t holder = fork();
    if (holder == 0) {
        c = process_lock_dir(dir) == 0 && process_lock_dir(dir) == 0;
        if (write(pipe_fds[1], &c, 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(pipe_fds[0], &c, 1), 1);
    assert_int_equal(c, 1);
    assert_int_equal(process_lock_dir(dir), ERR_BUSY);
    kill(holder, SIGKILL);
    assert_int_equal(waitpid(holder, &status, 0), holder);
    assert_int_equal(process_lock_dir(dir), 0);
    assert_int_equal(process_lock_dir("/nowhere/at/all"), ERR_NOT_FOUND);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    rmdir(dir);
}

static void test_clock_and_process(void **state)
{
    (void)state;
    int64_t a = clock_mono_ns(), b = clock_mono_ns();
    assert_true(b >= a);
    assert_true(clock_wall_ms() > 1600000000000);
    assert_true(process_entropy() != process_entropy());
    assert_true(process_cpus() >= 1);
    assert_true(process_files_open() >= 3);
    assert_true(process_raise_file_limit() >= 3);
    assert_int_equal(process_dir_bytes("/nowhere/at/all", ""), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers_and_turns),
        cmocka_unit_test(test_wake_from_another_thread),
        cmocka_unit_test(test_no_wake_is_lost),
        cmocka_unit_test(test_a_loop_wakes_itself),
        cmocka_unit_test(test_sockets_and_busy_turns),
        cmocka_unit_test(test_listen_and_refusals),
        cmocka_unit_test(test_send_to_a_full_and_to_a_closed_socket),
        cmocka_unit_test(test_names_of_addresses),
        cmocka_unit_test(test_directory_lock),
        cmocka_unit_test(test_clock_and_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
