/* A client over TLS: says who the server thinks it is, writes and reads much, loses its connection if told, and ends.
 * tls HOST apache CERT | tls HOST zokor|polled NAME=VALUE... ; lines on standard output say how far it came. */
#define THREADED
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <zokor/client.h>

static _Atomic int connected, sessions, rc_of_create = 1;

static void watch(zhandle_t *zh, int type, int state, const char *path, void *context)
{
    (void)zh, (void)path, (void)context;
    if (type != ZOO_SESSION_EVENT)
        return;
    connected = state == ZOO_CONNECTED_STATE;
    sessions += connected;
    printf("state %d\n", state);
}

static void say(const char *message)
{
    printf("log %s\n", message);
}

static const char *value_of(int argc, char **argv, const char *name)
{
    size_t n = strlen(name);
    for (int i = 3; i < argc; i++)
        if (strncmp(argv[i], name, n) == 0 && argv[i][n] == '=')
            return argv[i] + n + 1;
    return NULL;
}

static zhandle_t *open_handle(int argc, char **argv)
{
    if (strcmp(argv[2], "apache") == 0)
        return zookeeper_init_ssl(argv[1], argv[3], watch, 30000, NULL, NULL, 0);
    struct zokor_tls o = {
        .size = sizeof o,
        .trust = value_of(argc, argv, "trust"),
        .trust_password = value_of(argc, argv, "trust_password"),
        .key = value_of(argc, argv, "key"),
        .key_apart = value_of(argc, argv, "key_apart"),
        .key_password = value_of(argc, argv, "key_password"),
        .protocols = value_of(argc, argv, "protocols"),
        .any_name = value_of(argc, argv, "any_name") != NULL,
        .polled = strcmp(argv[2], "polled") == 0,
    };
    return zokor_init_tls(argv[1], &o, watch, 30000, NULL, NULL, 0, say);
}

static void created(int rc, const char *value, const void *data)
{
    (void)value, (void)data;
    rc_of_create = rc;
}

/* The program's own loop, until *what is `until` or a while has passed. */
static void turn(zhandle_t *zh, _Atomic int *what, int until)
{
    for (time_t end = time(NULL) + 60; *what != until && time(NULL) < end;) {
        int fd, interest;
        struct timeval tv;
        int rc = zookeeper_interest(zh, &fd, &interest, &tv);
        (void)rc;
        struct pollfd p = { .fd = fd,
                            .events = (short)((interest & ZOOKEEPER_READ ? POLLIN : 0) |
                                              (interest & ZOOKEEPER_WRITE ? POLLOUT : 0)) };
        int wait = (int)(tv.tv_sec * 1000 + tv.tv_usec / 1000);
        poll(&p, 1, wait > 100 ? 100 : wait);
        zookeeper_process(zh,
                          (p.revents & ~POLLOUT ? ZOOKEEPER_READ : 0) | (p.revents & POLLOUT ? ZOOKEEPER_WRITE : 0));
    }
}

static int polled(zhandle_t *zh)
{
    turn(zh, &connected, 1);
    zoo_acreate(zh, "/polled", "v", 1, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, created, NULL);
    turn(zh, &rc_of_create, ZOK);
    printf("created %d\n", rc_of_create);
    printf("closed %d\n", zookeeper_close(zh));
    return 0;
}

static void await_session(int count)
{
    for (int i = 0; i < 3000 && (sessions < count || !connected); i++)
        nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
}

/* More than one record each way. */
static int much(zhandle_t *zh)
{
    static char sent[700000], got[700001];
    int n = sizeof got, rc;
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (char)(i * 7 + i / 256);
    rc = zoo_create(zh, "/much", sent, sizeof sent, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0);
    if (rc == ZOK)
        rc = zoo_get(zh, "/much", 0, got, &n, NULL);
    printf("much %d %s\n", rc, n == sizeof sent && memcmp(sent, got, sizeof sent) == 0 ? "same" : "different");
    return rc;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    zhandle_t *zh = open_handle(argc, argv);
    if (zh == NULL) {
        printf("no handle\n");
        return 1;
    }
    if (argc > 3 && strcmp(argv[2], "polled") == 0)
        return polled(zh);
    await_session(1);
    struct ClientInfo_vector ids = { 0 };
    int rc = zokor_who_am_i(zh, &ids);
    printf("who %d", rc);
    for (int i = 0; i < ids.count; i++)
        printf(" %s:%s", ids.data[i].authScheme, ids.data[i].user);
    printf("\n");
    deallocate_ClientInfo_vector(&ids);
    if (rc == ZOK)
        much(zh);
    if (getenv("AGAIN") != NULL) { /* whoever reads this cuts the connection now */
        printf("cut me\n");
        await_session(2);
        much(zh);
    }
    printf("closed %d\n", zookeeper_close(zh));
    return 0;
}
