/*
 * Drives a server with Apache's multi-threaded C client (libzookeeper_mt).
 *
 *   client_mt host:port
 *
 * prints "PASS name" or "FAIL name: what" for each group of checks; exits with 1 if one failed.
 */
#define THREADED
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <time.h>

#include <zookeeper/zookeeper.h>

enum { WAIT_S = 60, MAX_EVENTS = 64 };

struct event {
    int type;
    char path[128];
};

/* Events and completions of one handle. */
struct inbox {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool connected;
    struct event events[MAX_EVENTS];
    int n_events;
    int n_done; /* completions so far */
    int last_rc;
    char last_text[256];
    struct Stat last_stat;
};

static const char *hosts;
static char base[64]; /* the node of the group that runs */
static char problem[512];

static int fail(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(problem, sizeof problem, fmt, ap);
    va_end(ap);
    return 1;
}

#define CHECK(condition)                                      \
    do {                                                      \
        if (!(condition))                                     \
            return fail("line %d: %s", __LINE__, #condition); \
    } while (0)
#define CHECK_RC(want, call)                                                            \
    do {                                                                                \
        int rc_ = (call);                                                               \
        if (rc_ != (want))                                                              \
            return fail("line %d: %s gave %d (%s)", __LINE__, #call, rc_, zerror(rc_)); \
    } while (0)

static const char *at(const char *name)
{
    static __thread char paths[8][256];
    static __thread int next;
    char *p = paths[next++ % 8];
    snprintf(p, sizeof paths[0], "%s%s", base, name);
    return p;
}

static void inbox_init(struct inbox *in)
{
    memset(in, 0, sizeof *in);
    pthread_mutex_init(&in->lock, NULL);
    pthread_cond_init(&in->changed, NULL);
}

static void on_event(zhandle_t *zh, int type, int state, const char *path, void *ctx)
{
    (void)zh;
    struct inbox *in = ctx;
    pthread_mutex_lock(&in->lock);
    if (type == ZOO_SESSION_EVENT) {
        in->connected = state == ZOO_CONNECTED_STATE;
    } else if (in->n_events < MAX_EVENTS) {
        struct event *e = &in->events[in->n_events++];
        e->type = type;
        snprintf(e->path, sizeof e->path, "%s", path ? path : "");
    }
    pthread_cond_broadcast(&in->changed);
    pthread_mutex_unlock(&in->lock);
}

/* Waits until *value reaches want; false after WAIT_S. */
static bool wait_int(struct inbox *in, const int *value, int want)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += WAIT_S;
    int rc = 0;
    pthread_mutex_lock(&in->lock);
    while (*value < want && rc == 0)
        rc = pthread_cond_timedwait(&in->changed, &in->lock, &end);
    bool ok = *value >= want;
    pthread_mutex_unlock(&in->lock);
    return ok;
}

static bool event_is(struct inbox *in, int index, int type, const char *path)
{
    if (!wait_int(in, &in->n_events, index + 1))
        return false;
    return in->events[index].type == type && strcmp(in->events[index].path, path) == 0;
}

static zhandle_t *connect_as(struct inbox *in, const clientid_t *id, const char *where)
{
    zhandle_t *zh = zookeeper_init(where, on_event, 30000, id, in, 0);
    for (int i = 0; zh && i < WAIT_S * 100 && zoo_state(zh) != ZOO_CONNECTED_STATE; i++)
        nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
    if (zh && zoo_state(zh) != ZOO_CONNECTED_STATE) {
        zookeeper_close(zh);
        zh = NULL;
    }
    return zh;
}

static int make(zhandle_t *zh, const char *path, const char *value, int mode)
{
    return zoo_create(zh, path, value, value ? (int)strlen(value) : -1, &ZOO_OPEN_ACL_UNSAFE, mode, NULL, 0);
}

/* ---- groups ---- */

static int test_sync_api(zhandle_t *zh)
{
    char path[128], data[64];
    int length = sizeof data;
    struct Stat stat;
    CHECK_RC(ZOK, zoo_create(zh, at("/n"), "hello", 5, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path));
    CHECK(strcmp(path, at("/n")) == 0);
    CHECK_RC(ZNODEEXISTS, make(zh, at("/n"), "x", 0));
    CHECK_RC(ZNONODE, make(zh, at("/none/x"), "x", 0));
    CHECK_RC(ZOK, zoo_get(zh, at("/n"), 0, data, &length, &stat));
    CHECK(length == 5 && memcmp(data, "hello", 5) == 0 && stat.dataLength == 5 && stat.version == 0);
    CHECK_RC(ZOK, zoo_set2(zh, at("/n"), "other", 5, 0, &stat));
    CHECK(stat.version == 1 && stat.mzxid > stat.czxid);
    CHECK_RC(ZBADVERSION, zoo_set(zh, at("/n"), "x", 1, 0));
    CHECK_RC(ZOK, zoo_exists(zh, at("/n"), 0, &stat));
    CHECK_RC(ZNONODE, zoo_exists(zh, at("/none"), 0, &stat));
    CHECK_RC(ZOK, make(zh, at("/null"), NULL, 0));
    length = sizeof data;
    CHECK_RC(ZOK, zoo_get(zh, at("/null"), 0, data, &length, &stat));
    CHECK(length == -1);
    CHECK_RC(ZBADVERSION, zoo_delete(zh, at("/n"), 5));
    CHECK_RC(ZOK, zoo_delete(zh, at("/n"), 1));
    CHECK_RC(ZNONODE, zoo_delete(zh, at("/n"), -1));
    CHECK_RC(ZNOTEMPTY, zoo_delete(zh, base, -1));
    return 0;
}

static int test_children(zhandle_t *zh)
{
    struct String_vector names;
    struct Stat stat;
    CHECK_RC(ZOK, make(zh, at("/a"), "", 0));
    CHECK_RC(ZOK, make(zh, at("/b"), "", 0));
    CHECK_RC(ZOK, zoo_get_children(zh, base, 0, &names));
    CHECK(names.count == 2);
    deallocate_String_vector(&names);
    CHECK_RC(ZOK, zoo_get_children2(zh, base, 0, &names, &stat));
    CHECK(names.count == 2 && stat.numChildren == 2 && stat.cversion == 2);
    deallocate_String_vector(&names);
    CHECK_RC(ZNONODE, zoo_get_children(zh, at("/none"), 0, &names));
    return 0;
}

static int test_modes(zhandle_t *zh)
{
    char path[128];
    struct Stat stat;
    CHECK_RC(ZOK, zoo_create(zh, at("/s-"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_SEQUENTIAL, path, sizeof path));
    CHECK(strcmp(path, at("/s-0000000000")) == 0);
    CHECK_RC(ZOK, zoo_create2(zh, at("/e-"), "xyz", 3, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL_SEQUENTIAL, path,
                              sizeof path, &stat));
    CHECK(strcmp(path, at("/e-0000000001")) == 0 && stat.ephemeralOwner == zoo_client_id(zh)->client_id &&
          stat.dataLength == 3);
    CHECK_RC(ZNOCHILDRENFOREPHEMERALS, make(zh, at("/e-0000000001/c"), "", 0));
    CHECK_RC(ZOK, zoo_create2(zh, at("/c"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_CONTAINER, path, sizeof path, &stat));
    CHECK(stat.ephemeralOwner == 0);
    CHECK_RC(ZOK, zoo_create2_ttl(zh, at("/t"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_WITH_TTL, 100000, path,
                                  sizeof path, &stat));
    CHECK(stat.ephemeralOwner == 0);
    CHECK_RC(ZOK, zoo_create_ttl(zh, at("/ts-"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL,
                                 100000, path, sizeof path));
    CHECK(strcmp(path, at("/ts-0000000004")) == 0);
    return 0;
}

static int test_acl(zhandle_t *zh)
{
    struct ACL_vector acl;
    struct Stat stat;
    CHECK_RC(ZINVALIDACL, zoo_create(zh, at("/auth"), "", 0, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0));
    CHECK_RC(ZOK, zoo_create(zh, at("/ro"), "x", 1, &ZOO_READ_ACL_UNSAFE, 0, NULL, 0));
    CHECK_RC(ZNOAUTH, zoo_set(zh, at("/ro"), "y", 1, -1));
    CHECK_RC(ZOK, zoo_get_acl(zh, at("/ro"), &acl, &stat));
    CHECK(acl.count == 1 && acl.data[0].perms == ZOO_PERM_READ && strcmp(acl.data[0].id.scheme, "world") == 0);
    deallocate_ACL_vector(&acl);
    CHECK_RC(ZOK, make(zh, at("/n"), "", 0));
    CHECK_RC(ZOK, zoo_set_acl(zh, at("/n"), 0, &ZOO_READ_ACL_UNSAFE));
    CHECK_RC(ZNOAUTH, zoo_set_acl(zh, at("/n"), -1, &ZOO_OPEN_ACL_UNSAFE));
    struct ACL bad = { .perms = ZOO_PERM_ALL, .id = { .scheme = "nosuch", .id = "x" } };
    struct ACL_vector bad_list = { .count = 1, .data = &bad };
    CHECK_RC(ZINVALIDACL, zoo_create(zh, at("/bad"), "", 0, &bad_list, 0, NULL, 0));
    return 0;
}

static void on_void(int rc, const void *data)
{
    struct inbox *in = (struct inbox *)data;
    pthread_mutex_lock(&in->lock);
    in->last_rc = rc;
    in->n_done++;
    pthread_cond_broadcast(&in->changed);
    pthread_mutex_unlock(&in->lock);
}

static void on_string(int rc, const char *value, const void *data)
{
    struct inbox *in = (struct inbox *)data;
    snprintf(in->last_text, sizeof in->last_text, "%s", value ? value : "");
    on_void(rc, data);
}

static void on_stat(int rc, const struct Stat *stat, const void *data)
{
    struct inbox *in = (struct inbox *)data;
    if (stat)
        in->last_stat = *stat;
    on_void(rc, data);
}

static void on_data(int rc, const char *value, int length, const struct Stat *stat, const void *data)
{
    struct inbox *in = (struct inbox *)data;
    if (value && length >= 0)
        snprintf(in->last_text, sizeof in->last_text, "%.*s", length, value);
    if (stat)
        in->last_stat = *stat;
    on_void(rc, data);
}

static void on_strings(int rc, const struct String_vector *names, const void *data)
{
    struct inbox *in = (struct inbox *)data;
    snprintf(in->last_text, sizeof in->last_text, "%d", names ? names->count : -1);
    on_void(rc, data);
}

static int test_add_auth(zhandle_t *zh)
{
    struct inbox in;
    struct ACL_vector acl;
    struct Stat stat;
    char data[16];
    int length = sizeof data;
    inbox_init(&in);
    zhandle_t *own = connect_as(&in, NULL, hosts);
    CHECK(own != NULL);
    CHECK_RC(ZOK, zoo_add_auth(own, "digest", "bob:pw", 6, on_void, &in));
    CHECK(wait_int(&in, &in.n_done, 1) && in.last_rc == ZOK);
    CHECK_RC(ZOK, zoo_create(own, at("/mine"), "x", 1, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0));
    CHECK_RC(ZNOAUTH, zoo_get(zh, at("/mine"), 0, data, &length, &stat));
    CHECK_RC(ZOK, zoo_get_acl(own, at("/mine"), &acl, &stat));
    CHECK(acl.count == 1 && strcmp(acl.data[0].id.id, "bob:ikIaKsbtGweaHnb/jKn7OHqbunM=") == 0);
    deallocate_ACL_vector(&acl);
    CHECK_RC(ZOK, zoo_delete(own, at("/mine"), -1));
    CHECK_RC(ZOK, zookeeper_close(own));
    return 0;
}

static int test_async_api(zhandle_t *zh)
{
    struct inbox in;
    int done = 0;
    inbox_init(&in);
    CHECK_RC(ZOK, zoo_acreate(zh, at("/a"), "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, on_string, &in));
    CHECK(wait_int(&in, &in.n_done, ++done) && in.last_rc == ZOK && strcmp(in.last_text, at("/a")) == 0);
    CHECK_RC(ZOK, zoo_aget(zh, at("/a"), 0, on_data, &in));
    CHECK(wait_int(&in, &in.n_done, ++done) && in.last_rc == ZOK && strcmp(in.last_text, "1") == 0);
    CHECK_RC(ZOK, zoo_aset(zh, at("/a"), "22", 2, 0, on_stat, &in));
    CHECK(wait_int(&in, &in.n_done, ++done) && in.last_rc == ZOK && in.last_stat.version == 1);
    CHECK_RC(ZOK, zoo_aexists(zh, at("/none"), 0, on_stat, &in));
    CHECK(wait_int(&in, &in.n_done, ++done) && in.last_rc == ZNONODE);
    CHECK_RC(ZOK, zoo_aget_children(zh, base, 0, on_strings, &in));
    CHECK(wait_int(&in, &in.n_done, ++done) && strcmp(in.last_text, "1") == 0);
    CHECK_RC(ZOK, zoo_async(zh, base, on_string, &in));
    CHECK(wait_int(&in, &in.n_done, ++done) && in.last_rc == ZOK && strcmp(in.last_text, base) == 0);
    CHECK_RC(ZOK, zoo_aset_acl(zh, at("/a"), -1, (struct ACL_vector *)&ZOO_OPEN_ACL_UNSAFE, on_void, &in));
    CHECK(wait_int(&in, &in.n_done, ++done) && in.last_rc == ZOK);
    CHECK_RC(ZOK, zoo_adelete(zh, at("/a"), -1, on_void, &in));
    CHECK(wait_int(&in, &in.n_done, ++done) && in.last_rc == ZOK);
    return 0;
}

/* A thousand writes and reads in flight; the replies come in order, or the client library would
 * drop the connection. */
static int test_pipeline(zhandle_t *zh)
{
    struct inbox in;
    enum { COUNT = 1000 };
    char data[16];
    int length = sizeof data;
    struct Stat stat;
    inbox_init(&in);
    CHECK_RC(ZOK, make(zh, at("/n"), "", 0));
    for (int i = 0; i < COUNT; i++) {
        snprintf(data, sizeof data, "%d", i);
        if (i % 2)
            CHECK_RC(ZOK, zoo_aset(zh, at("/n"), data, (int)strlen(data), -1, on_stat, &in));
        else
            CHECK_RC(ZOK, zoo_aget(zh, at("/n"), 0, on_data, &in));
    }
    CHECK(wait_int(&in, &in.n_done, COUNT) && in.last_rc == ZOK);
    CHECK_RC(ZOK, zoo_get(zh, at("/n"), 0, data, &length, &stat));
    CHECK(stat.version == COUNT / 2 && length == 3 && memcmp(data, "999", 3) == 0);
    return 0;
}

static int test_multi(zhandle_t *zh)
{
    zoo_op_t ops[4];
    zoo_op_result_t results[4];
    struct Stat stat;
    char path[128];
    zoo_create_op_init(&ops[0], at("/m-"), "1", 1, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_SEQUENTIAL, path, sizeof path);
    zoo_set_op_init(&ops[1], at("/m-0000000000"), "22", 2, 0, &stat);
    zoo_check_op_init(&ops[2], at("/m-0000000000"), 1);
    zoo_delete_op_init(&ops[3], at("/m-0000000000"), 1);
    CHECK_RC(ZOK, zoo_multi(zh, 4, ops, results));
    CHECK(strcmp(path, at("/m-0000000000")) == 0 && stat.version == 1);
    for (int i = 0; i < 4; i++)
        CHECK(results[i].err == ZOK);
    CHECK_RC(ZNONODE, zoo_exists(zh, at("/m-0000000000"), 0, &stat));
    zoo_create_op_init(&ops[0], at("/x"), "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path);
    zoo_check_op_init(&ops[1], base, 99);
    zoo_delete_op_init(&ops[2], at("/x"), -1);
    CHECK_RC(ZBADVERSION, zoo_multi(zh, 3, ops, results));
    CHECK(results[0].err == ZOK && results[1].err == ZBADVERSION && results[2].err == ZRUNTIMEINCONSISTENCY);
    CHECK_RC(ZNONODE, zoo_exists(zh, at("/x"), 0, &stat));
    return 0;
}

static int test_watches(zhandle_t *zh)
{
    struct inbox in;
    struct Stat stat;
    struct String_vector names;
    char data[16];
    int length = sizeof data;
    inbox_init(&in);
    CHECK_RC(ZNONODE, zoo_wexists(zh, at("/n"), on_event, &in, &stat));
    CHECK_RC(ZOK, zoo_wget_children(zh, base, on_event, &in, &names));
    deallocate_String_vector(&names);
    CHECK_RC(ZOK, make(zh, at("/n"), "", 0));
    CHECK(event_is(&in, 0, ZOO_CREATED_EVENT, at("/n")));
    CHECK(event_is(&in, 1, ZOO_CHILD_EVENT, base));
    CHECK_RC(ZOK, zoo_wget(zh, at("/n"), on_event, &in, data, &length, &stat));
    CHECK_RC(ZOK, zoo_set(zh, at("/n"), "x", 1, -1));
    CHECK(event_is(&in, 2, ZOO_CHANGED_EVENT, at("/n")));
    CHECK_RC(ZOK, zoo_set(zh, at("/n"), "y", 1, -1));
    length = sizeof data;
    CHECK_RC(ZOK, zoo_wget(zh, at("/n"), on_event, &in, data, &length, &stat));
    CHECK_RC(ZOK, zoo_delete(zh, at("/n"), -1));
    CHECK(event_is(&in, 3, ZOO_DELETED_EVENT, at("/n")));
    CHECK(in.n_events == 4);
    return 0;
}

static int test_remove_watches(zhandle_t *zh)
{
    struct inbox in;
    struct Stat stat;
    inbox_init(&in);
    CHECK_RC(ZOK, zoo_wexists(zh, base, on_event, &in, &stat));
    CHECK_RC(ZOK, zoo_remove_watches(zh, base, ZWATCHTYPE_DATA, on_event, &in, 0));
    CHECK_RC(ZNOWATCHER, zoo_remove_watches(zh, base, ZWATCHTYPE_DATA, on_event, &in, 0));
    int after_removal = in.n_events;
    CHECK_RC(ZOK, zoo_set(zh, base, "x", 1, -1));
    CHECK_RC(ZOK, zoo_exists(zh, base, 0, &stat));
    CHECK(in.n_events == after_removal);
    return 0;
}

static int test_sessions(zhandle_t *zh)
{
    struct inbox first_in, second_in;
    struct Stat stat;
    inbox_init(&first_in);
    inbox_init(&second_in);
    zhandle_t *first = connect_as(&first_in, NULL, hosts);
    CHECK(first != NULL);
    CHECK(zoo_recv_timeout(first) > 0);
    CHECK_RC(ZOK, make(first, at("/e"), "", ZOO_EPHEMERAL));
    clientid_t id = *zoo_client_id(first);
    zhandle_t *second = connect_as(&second_in, &id, hosts);
    CHECK(second != NULL && zoo_client_id(second)->client_id == id.client_id);
    int rc = ZCONNECTIONLOSS; /* the first handle comes back, and each takes the session from the other */
    for (int tries = 0; tries < 100 && rc == ZCONNECTIONLOSS; tries++) {
        rc = zoo_exists(second, at("/e"), 0, &stat);
        usleep(rc == ZCONNECTIONLOSS ? 20000 : 0);
    }
    CHECK_RC(ZOK, rc);
    CHECK(stat.ephemeralOwner == id.client_id);
    CHECK_RC(ZOK, zookeeper_close(second));
    zookeeper_close(first);
    /* If both were without a connection at their ends, the session goes by its timeout. */
    for (int i = 0; i < WAIT_S * 100 && (rc = zoo_exists(zh, at("/e"), 0, &stat)) == ZOK; i++)
        nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
    CHECK_RC(ZNONODE, rc);
    struct inbox late_in;
    inbox_init(&late_in);
    zhandle_t *late = zookeeper_init(hosts, on_event, 30000, &id, &late_in, 0);
    for (int i = 0; i < WAIT_S * 100 && zoo_state(late) != ZOO_EXPIRED_SESSION_STATE; i++)
        nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
    CHECK(zoo_state(late) == ZOO_EXPIRED_SESSION_STATE);
    zookeeper_close(late);
    return 0;
}

static int test_chroot(zhandle_t *zh)
{
    struct inbox in;
    char where[160], path[64];
    struct Stat stat;
    inbox_init(&in);
    snprintf(where, sizeof where, "%s%s", hosts, base);
    zhandle_t *own = connect_as(&in, NULL, where);
    CHECK(own != NULL);
    CHECK_RC(ZOK, zoo_create(own, "/inside", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path));
    CHECK(strcmp(path, "/inside") == 0);
    CHECK_RC(ZOK, zoo_exists(zh, at("/inside"), 0, &stat));
    CHECK_RC(ZOK, zookeeper_close(own));
    return 0;
}

static int test_config(zhandle_t *zh)
{
    char data[64];
    int length = sizeof data;
    struct Stat stat;
    CHECK_RC(ZOK, zoo_getconfig(zh, 0, data, &length, &stat));
    CHECK(length == 0 && stat.aversion == -1);
    CHECK_RC(ZUNIMPLEMENTED, zoo_reconfig(zh, NULL, "1", NULL, -1, data, &length, &stat));
    return 0;
}

static int test_large_data(zhandle_t *zh)
{
    enum { SIZE = 1000 * 1000 };
    char *data = malloc(SIZE), *back = malloc(SIZE);
    int length = SIZE;
    struct Stat stat;
    memset(data, 'z', SIZE);
    int made = zoo_create(zh, at("/big"), data, SIZE, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
    int got = zoo_get(zh, at("/big"), 0, back, &length, &stat);
    bool same = length == SIZE && memcmp(data, back, SIZE) == 0;
    zoo_delete(zh, at("/big"), -1);
    free(data);
    free(back);
    CHECK(made == ZOK && got == ZOK && same);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(zhandle_t *);
} groups[] = {
    { "sync_api", test_sync_api }, { "children", test_children },
    { "modes", test_modes },       { "acl", test_acl },
    { "add_auth", test_add_auth }, { "async_api", test_async_api },
    { "pipeline", test_pipeline }, { "multi", test_multi },
    { "watches", test_watches },   { "remove_watches", test_remove_watches },
    { "sessions", test_sessions }, { "chroot", test_chroot },
    { "config", test_config },     { "large_data", test_large_data },
};

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: client_mt host:port\n");
        return 2;
    }
    hosts = argv[1];
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    struct inbox in;
    inbox_init(&in);
    zhandle_t *zh = connect_as(&in, NULL, hosts);
    if (!zh) {
        fprintf(stderr, "cannot connect to %s\n", hosts);
        return 1;
    }
    int failed = 0;
    char root[40];
    int64_t id = zoo_client_id(zh)->client_id;
    snprintf(root, sizeof root, "/c-%" PRIx64, id);
    make(zh, root, "", 0);
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        snprintf(base, sizeof base, "%s/%s", root, groups[i].name);
        make(zh, base, "", 0);
        if (groups[i].run(zh) == 0) {
            printf("PASS %s\n", groups[i].name);
        } else {
            printf("FAIL %s: %s\n", groups[i].name, problem);
            failed = 1;
        }
        fflush(stdout);
    }
    zookeeper_close(zh);
    return failed;
}
