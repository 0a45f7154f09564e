/* A client that logs in by SASL: says who the server thinks it is, makes a node of its own, loses its connection if
 * told, and ends. sasl HOST zokor|polled|apache NAME=VALUE... ; lines on standard output say how far it came.
 * The request that was made first of all goes out behind the login: it needs the identity. */
#define THREADED
#define HAVE_CYRUS_SASL_H
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <zokor/client.h>

static _Atomic int state_now, sessions, rc_of_create = 1;
static sasl_callback_t *callbacks;

static void watch(zhandle_t *zh, int type, int state, const char *path, void *context)
{
    (void)zh, (void)path, (void)context;
    if (type != ZOO_SESSION_EVENT)
        return;
    state_now = state;
    sessions += state == ZOO_CONNECTED_STATE;
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

/* The password stands in the file backwards, and with a line's end. */
static int decode(const char *content, size_t n, void *context, char *out, size_t size, size_t *out_n)
{
    (void)context;
    while (n > 0 && content[n - 1] == '\n')
        n--;
    if (n > size)
        return SASL_BUFOVER;
    for (size_t i = 0; i < n; i++)
        out[i] = content[n - 1 - i];
    *out_n = n;
    return SASL_OK;
}

static zhandle_t *open_apache(int argc, char **argv)
{
    const char *user = value_of(argc, argv, "user"), *file = value_of(argc, argv, "password_file");
    zoo_sasl_password_t password = { .password_file = file, .callback = decode };
    if (value_of(argc, argv, "backwards") != NULL)
        callbacks = zoo_sasl_make_password_callbacks(user, value_of(argc, argv, "realm"), &password);
    else
        callbacks = zoo_sasl_make_basic_callbacks(user, value_of(argc, argv, "realm"), file);
    zoo_sasl_params_t params = { .service = "zookeeper",
                                 .host = value_of(argc, argv, "host"),
                                 .mechlist = value_of(argc, argv, "mechanism"),
                                 .callbacks = callbacks };
    return zookeeper_init_sasl(argv[1], watch, 30000, NULL, NULL, 0, say, &params);
}

static zhandle_t *open_handle(int argc, char **argv)
{
    if (strcmp(argv[2], "apache") == 0)
        return open_apache(argc, argv);
    const struct zokor_sasl o = {
        .size = sizeof o,
        .mechanism = value_of(argc, argv, "mechanism"),
        .user = value_of(argc, argv, "user"),
        .password = value_of(argc, argv, "password"),
        .password_file = value_of(argc, argv, "password_file"),
        .realm = value_of(argc, argv, "realm"),
        .principal = value_of(argc, argv, "principal"),
        .keytab = value_of(argc, argv, "keytab"),
        .ticket_cache = value_of(argc, argv, "ticket_cache"),
        .service = value_of(argc, argv, "service"),
        .host = value_of(argc, argv, "host"),
        .jaas = value_of(argc, argv, "jaas"),
        .jaas_section = value_of(argc, argv, "jaas_section"),
        .polled = strcmp(argv[2], "polled") == 0,
    };
    const struct zokor_tls tls = { .size = sizeof tls, .trust = value_of(argc, argv, "trust") };
    return zokor_init_sasl(argv[1], &o, tls.trust != NULL ? &tls : NULL, watch, 30000, NULL, NULL, 0, say);
}

static void created(int rc, const char *value, const void *data)
{
    (void)value, (void)data;
    rc_of_create = rc;
}

/* The program's own loop, until *what is no longer `before` or a while has passed. */
static void turn(zhandle_t *zh, _Atomic int *what, int before)
{
    for (time_t end = time(NULL) + 60; *what == before && time(NULL) < end;) {
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

static void await(zhandle_t *zh, int polled, _Atomic int *what, int before)
{
    if (polled)
        turn(zh, what, before);
    for (int i = 0; i < 3000 && *what == before; i++)
        nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
}

static void say_who(zhandle_t *zh)
{
    struct ClientInfo_vector ids = { 0 };
    printf("who %d", zokor_who_am_i(zh, &ids));
    for (int i = 0; i < ids.count; i++)
        printf(" %s:%s", ids.data[i].authScheme, ids.data[i].user);
    printf("\n");
    deallocate_ClientInfo_vector(&ids);
}

/* Requests that wait for the second session are made while there is none. */
static void again(zhandle_t *zh)
{
    char data[8];
    int n = sizeof data;
    printf("on %s\n", zoo_get_current_server(zh));
    printf("cut me\n"); /* whoever reads this does so now */
    for (int i = 0; i < 3000 && state_now == ZOO_CONNECTED_STATE; i++)
        nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
    await(zh, 0, &sessions, 1);
    printf("read %d\n", zoo_get(zh, "/own", 0, data, &n, NULL));
    say_who(zh);
}

/* Many handles that log in at the same time, again and again. */
static void *log_in_often(void *words)
{
    static _Atomic int turn_of;
    char **argv = words;
    int argc = 0, good = 0;
    while (argv[argc] != NULL)
        argc++;
    for (int i = 0; i < 10; i++) {
        zhandle_t *zh = open_handle(argc, argv);
        struct Stat stat;
        turn_of++;
        if (zh != NULL && turn_of % 5 != 0) /* the others are closed in the middle of it */
            good += zoo_exists(zh, "/", 0, &stat) == ZOK;
        else
            good++;
        if (zh != NULL)
            zookeeper_close(zh);
    }
    if (good == 10)
        printf("well\n");
    return NULL;
}

static int many(char **argv)
{
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, log_in_often, argv);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    return 0;
}

/* Requests over a connection that breaks all the time, also in the middle of logins: no more is lost than it. */
static int persist(zhandle_t *zh, int wanted)
{
    int good = 0, lost = 0, rc = ZOK;
    for (time_t end = time(NULL) + 120; good < wanted && time(NULL) < end; good += rc == ZOK, lost += rc != ZOK) {
        rc = zoo_set(zh, "/own", "w", 1, -1);
        if (rc == ZNONODE)
            rc = zoo_create(zh, "/own", "v", 1, &ZOO_CREATOR_ALL_ACL, ZOO_EPHEMERAL, NULL, 0);
        if (rc != ZOK && rc != ZCONNECTIONLOSS && rc != ZOPERATIONTIMEOUT && rc != ZNODEEXISTS)
            break;
    }
    printf("persisted %d, %s\n", good >= wanted ? 0 : rc, lost > 0 ? "some were lost" : "none was lost");
    printf("closed %d\n", zookeeper_close(zh));
    return 0;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    zoo_set_debug_level(ZOO_LOG_LEVEL_INFO);
    if (value_of(argc, argv, "many") != NULL)
        return many(argv);
    zhandle_t *zh = open_handle(argc, argv);
    if (zh == NULL) {
        printf("no handle: %s\n", strerror(errno));
        return 1;
    }
    int polled = strcmp(argv[2], "polled") == 0;
    if (value_of(argc, argv, "persist") != NULL)
        return persist(zh, 60);
    zoo_acreate(zh, "/own", "v", 1, &ZOO_CREATOR_ALL_ACL, ZOO_EPHEMERAL, created, NULL);
    await(zh, polled, &rc_of_create, 1);
    printf("created %d\n", rc_of_create);
    if (!polled && rc_of_create == ZOK)
        say_who(zh);
    if (getenv("AGAIN") != NULL)
        again(zh);
    printf("at last %d\n", zoo_state(zh));
    printf("closed %d\n", zookeeper_close(zh));
    free(callbacks);
    return 0;
}
