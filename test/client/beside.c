/* What a program sees of the library, as text: run on ours and on Apache's, the lines must be the same.
 * beside HOSTS BASE: two addresses of which only the first answers, and a node of its own that is there. */
#define THREADED
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <zookeeper.h>

#define WAIT_S 60
#define SAY(call) printf("%s: %d\n", #call, (int)(call))

extern ZooLogLevel logLevel;

static zhandle_t *zh;
static const char *base;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int connected, answered, fired;
static char heard[1024]; /* what watchers would print: the main thread does, in its own time */

static void count(int *value)
{
    pthread_mutex_lock(&lock);
    ++*value;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

/* The main thread has the output but for here, so that what completions print comes behind the lines of the calls. */
static void reach(const int *value, int want)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += WAIT_S;
    int rc = 0;
    funlockfile(stdout);
    pthread_mutex_lock(&lock);
    while (*value < want && rc == 0)
        rc = pthread_cond_timedwait(&changed, &lock, &end);
    bool came = *value >= want;
    pthread_mutex_unlock(&lock);
    flockfile(stdout);
    if (!came)
        printf("nothing came\n");
}

static const char *at(const char *tail)
{
    static char paths[8][128];
    static int next;
    next = (next + 1) % 8;
    snprintf(paths[next], 128, "%s%s", base, tail);
    return paths[next];
}

static void on_session(zhandle_t *from, int type, int state, const char *path, void *context)
{
    (void)from;
    (void)path;
    (void)context;
    if (type == ZOO_SESSION_EVENT && state == ZOO_CONNECTED_STATE)
        count(&connected);
}

static void on_event(zhandle_t *from, int type, int state, const char *path, void *context)
{
    (void)from;
    if (type == ZOO_SESSION_EVENT)
        return;
    pthread_mutex_lock(&lock);
    size_t n = strlen(heard);
    snprintf(heard + n, sizeof(heard) - n, "watcher %s: type %d, state %d, %s\n", (const char *)context, type, state,
             path + strlen(base));
    pthread_mutex_unlock(&lock);
    count(&fired);
}

/* ---- completions ---- */

static const char *is(const void *p)
{
    return p == NULL ? "NULL" : "there";
}

static void on_void(int rc, const void *data)
{
    printf("%s: %d\n", (const char *)data, rc);
    count(&answered);
}

static void on_stat(int rc, const struct Stat *stat, const void *data)
{
    printf("%s: %d, stat %s\n", (const char *)data, rc, is(stat));
    count(&answered);
}

static void on_data(int rc, const char *value, int n, const struct Stat *stat, const void *data)
{
    printf("%s: %d, data %s %d, stat %s\n", (const char *)data, rc, is(value), n, is(stat));
    count(&answered);
}

static void on_strings(int rc, const struct String_vector *strings, const void *data)
{
    printf("%s: %d, strings %s\n", (const char *)data, rc, is(strings));
    count(&answered);
}

static void on_strings_stat(int rc, const struct String_vector *strings, const struct Stat *stat, const void *data)
{
    printf("%s: %d, strings %s, stat %s\n", (const char *)data, rc, is(strings), is(stat));
    count(&answered);
}

static void on_acl(int rc, struct ACL_vector *acl, struct Stat *stat, const void *data)
{
    printf("%s: %d, acl %s, stat %s\n", (const char *)data, rc, is(acl), is(stat));
    count(&answered);
}

static void on_string(int rc, const char *text, const void *data)
{
    printf("%s: %d, text %s\n", (const char *)data, rc, is(text));
    count(&answered);
}

static void on_string_stat(int rc, const char *text, const struct Stat *stat, const void *data)
{
    printf("%s: %d, text %s, stat %s\n", (const char *)data, rc, is(text), is(stat));
    count(&answered);
}

/* A program may ask the pointers, not the code, whether there is something. */
static void show_completions(const char *path)
{
    static const struct ACL_vector *const open = &ZOO_OPEN_ACL_UNSAFE;
    const int before = answered;
    char child[160];
    snprintf(child, sizeof(child), "%s/child", path);
    SAY(zoo_aexists(zh, path, 0, on_stat, "exists"));
    SAY(zoo_aget(zh, path, 0, on_data, "get"));
    SAY(zoo_aset(zh, path, NULL, -1, -1, on_stat, "set"));
    SAY(zoo_aget(zh, path, 0, on_data, "get, null"));
    SAY(zoo_aget_children(zh, path, 0, on_strings, "children"));
    SAY(zoo_aget_children2(zh, path, 0, on_strings_stat, "children2"));
    SAY(zoo_aget_acl(zh, path, on_acl, "acl"));
    SAY(zoo_acreate(zh, child, "", 0, open, ZOO_EPHEMERAL, on_string, "create"));
    SAY(zoo_adelete(zh, child, -1, on_void, "delete"));
    SAY(zoo_acreate2(zh, child, "", 0, open, ZOO_EPHEMERAL, on_string_stat, "create2"));
    SAY(zoo_adelete(zh, child, 7, on_void, "delete of a version"));
    SAY(zoo_async(zh, path, on_string, "sync"));
    reach(&answered, before + 12);
}

/* ---- calls that wait ---- */

static void show_get(int room)
{
    char buffer[16] = "...............";
    struct Stat stat = { .dataLength = -1 };
    int n = room;
    int rc = zoo_get(zh, at("/data"), 0, buffer, &n, &stat);
    printf("get of 5 bytes into %d: %d, %d, %s, length %d\n", room, rc, n, buffer, stat.dataLength);
    n = room;
    rc = zoo_get(zh, at("/none"), 0, buffer, &n, &stat);
    printf("get of nothing into %d: %d, %d\n", room, rc, n);
}

static void show_calls(void)
{
    static const struct ACL_vector *const open = &ZOO_OPEN_ACL_UNSAFE;
    char made[4];
    struct Stat stat = { .dataLength = -1 };
    struct String_vector names = { .count = 7 };
    SAY(zoo_create(zh, at("/data"), "hello", 5, open, ZOO_PERSISTENT, made, sizeof(made)));
    printf("%s\n", made);
    show_get(3);
    show_get(5);
    show_get(8);
    show_get(0);
    SAY(zoo_get_children(zh, at("/data"), 0, &names));
    printf("%d names\n", names.count);
    (void)deallocate_String_vector(&names);
    SAY(zoo_exists(zh, at("/none"), 0, &stat));
    printf("length %d\n", stat.dataLength);
    SAY(zoo_create(zh, at("/acl"), "", 0, NULL, ZOO_PERSISTENT, NULL, 0));
    SAY(zoo_create(zh, at("/mode"), "", 0, open, 17, NULL, 0));
    SAY(zoo_create(zh, at("/ttl"), "", 0, open, ZOO_PERSISTENT_WITH_TTL, NULL, 0));
    SAY(zoo_create_ttl(zh, at("/ttl"), "", 0, open, ZOO_PERSISTENT, 100, NULL, 0));
    SAY(zoo_get_acl(zh, at("/data"), NULL, NULL));
    SAY(zoo_wexists(zh, at("/data"), NULL, NULL, NULL));
    SAY(zoo_set(zh, at("/data"), NULL, -1, -1));
    show_get(3);
}

static void show_multi(void)
{
    zoo_op_t ops[3];
    zoo_op_result_t results[3];
    char made[4];
    memset(results, 7, sizeof(results));
    zoo_create_op_init(&ops[0], at("/multi"), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, made, sizeof(made));
    zoo_delete_op_init(&ops[1], at("/none"), -1);
    zoo_check_op_init(&ops[2], at("/none"), -1);
    SAY(zoo_multi(zh, 3, ops, results));
    printf("%d %d %d\n", results[0].err, results[1].err, results[2].err);
    SAY(zoo_multi(zh, 0, ops, results));
    SAY(zoo_multi(zh, 1, ops, results));
    printf("%d %s %d\n", results[0].err, results[0].value, results[0].valuelen);
}

/* ---- watchers ---- */

static void watch_both(void)
{
    SAY(zoo_wexists(zh, at("/data"), on_event, "one", NULL));
    SAY(zoo_wexists(zh, at("/data"), on_event, "two", NULL));
}

static void change(int watchers)
{
    const int before = fired;
    SAY(zoo_set(zh, at("/data"), "", 0, -1));
    reach(&fired, before + watchers);
    pthread_mutex_lock(&lock);
    printf("%s", heard);
    heard[0] = 0;
    pthread_mutex_unlock(&lock);
}

static void show_unwatching(void)
{
    struct String_vector names;
    void_completion_t *done = (void_completion_t *)(void *)on_void; /* so the header wants it */
    SAY(zoo_remove_watches(zh, at("/data"), ZWATCHTYPE_ANY, on_event, "one", 0));
    SAY(zoo_remove_watches(zh, at("/data"), ZWATCHTYPE_ANY, NULL, NULL, 0));
    SAY(zoo_remove_all_watches(zh, at("/data"), ZWATCHTYPE_ANY, 0));
    SAY(zoo_remove_all_watches(zh, at("/data"), ZWATCHTYPE_ANY, 1));
    const int before = answered;
    SAY(zoo_aremove_all_watches(zh, at("/data"), ZWATCHTYPE_DATA, 0, done, "all, of none"));
    reach(&answered, before + 1);
    watch_both();
    SAY(zoo_remove_watches(zh, at("/data"), ZWATCHTYPE_ANY, NULL, NULL, 0));
    change(0);
    watch_both();
    SAY(zoo_remove_watches(zh, at("/data"), ZWATCHTYPE_DATA, on_event, "one", 0));
    change(1);
    watch_both();
    SAY(zoo_remove_watches(zh, at("/data"), ZWATCHTYPE_DATA, on_event, "one", 1));
    change(1);
    watch_both();
    SAY(zoo_remove_all_watches(zh, at("/data"), ZWATCHTYPE_DATA, 0));
    change(0);
    SAY(zoo_wexists(zh, at("/none"), on_event, "one", NULL));
    SAY(zoo_remove_watches(zh, at("/none"), ZWATCHTYPE_DATA, on_event, "one", 0));
    SAY(zoo_wget_children(zh, at("/data"), on_event, "one", &names));
    (void)deallocate_String_vector(&names);
    SAY(zoo_remove_watches(zh, at("/data"), ZWATCHTYPE_DATA, on_event, "one", 0));
    SAY(zoo_remove_watches(zh, at("/data"), ZWATCHTYPE_CHILD, on_event, "one", 0));
}

/* ---- handles ---- */

static void show_levels(void)
{
    for (int level = 0; level < 7; level++) {
        zoo_set_debug_level((ZooLogLevel)level);
        printf("level %d: %d\n", level, (int)logLevel);
    }
    zoo_set_debug_level((ZooLogLevel)0);
}

/* Who is connected does not depend on where the next connection would go. */
static void show_host(int port)
{
    struct sockaddr_in a;
    socklen_t n = sizeof(a);
    const struct sockaddr *found = zookeeper_get_connected_host(zh, (struct sockaddr *)&a, &n);
    printf("connected host: %s, %s\n", is(found), found != NULL && ntohs(a.sin_port) == port ? "the first" : "another");
}

static void show_handle(int port)
{
    show_host(port);
    zoo_cycle_next_server(zh);
    show_host(port);
    SAY(zoo_set_servers_resolution_delay(zh, -2));
    SAY(zookeeper_close(NULL));
    SAY(zoo_state(NULL));
}

static void show_identities(void)
{
    const int before = answered;
    SAY(zoo_add_auth(zh, NULL, "a", 1, on_void, "no scheme"));
    SAY(zoo_add_auth(zh, "digest", NULL, 0, on_void, "no proof"));
    SAY(zoo_add_auth(zh, "digest", "a:b", 3, on_void, "digest"));
    reach(&answered, before + 2);
    SAY(zoo_exists(zh, base, 0, NULL));
    SAY(zoo_add_auth(zh, "no-such-scheme", "a", 1, on_void, "unknown scheme"));
    reach(&answered, before + 3);
    SAY(zoo_state(zh));
    SAY(is_unrecoverable(zh));
    SAY(zoo_exists(zh, base, 0, NULL));
    SAY(zoo_aexists(zh, base, 0, on_stat, "over"));
    SAY(zoo_add_auth(zh, "digest", "a:b", 3, on_void, "over"));
    show_host(0);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    base = argv[2];
    flockfile(stdout);
    show_levels();
    zoo_deterministic_conn_order(1);
    zh = zookeeper_init(argv[1], on_session, 30000, NULL, NULL, 0);
    if (zh == NULL)
        return 1;
    reach(&connected, 1);
    show_handle(atoi(strchr(argv[1], ':') + 1));
    show_calls();
    show_completions(at("/data"));
    show_completions(at("/none"));
    show_multi();
    show_unwatching();
    show_identities();
    SAY(zookeeper_close(zh));
    return 0;
}
