/* The framework: every request in both ways, states of the connection, what happens to lost replies. */
#include "check.h"
#include "proxy.h"

/* The protocol's numbers. */
#define OP_DELETE 2
#define OP_SET 5
#define OP_CREATE2 15
#define OP_CREATE_CONTAINER 19

char base[64];
const char *hosts;
int port;

static atomic_int calls, states[8];
static _Atomic int last_rc;

static void on_result(struct zokor_framework *f, const struct zokor_result *r, void *context)
{
    (void)f;
    if (context != NULL)
        SAME(context, r->path);
    atomic_store(&last_rc, r->rc);
    atomic_fetch_add(&calls, 1);
}

static void on_state(struct zokor_framework *f, enum zokor_connection_state state, void *context)
{
    (void)f;
    (void)context;
    atomic_fetch_add(&states[state], 1);
}

static void on_event(struct zokor_framework *f, const struct zokor_event *e, void *context)
{
    (void)f;
    if (context != NULL && e->type != ZOO_SESSION_EVENT)
        SAME(context, e->path);
    atomic_fetch_add(&calls, 1);
}

static void test_requests(void)
{
    struct zokor_framework *f = open_direct();
    struct Stat stat;
    char *path, *data;
    int n;
    EQ(ZNONODE, zokor_framework_create(f, at("/a/b/c"), "x", 1, 0, 0, NULL));
    EQ(ZOK, zokor_framework_create(f, at("/a/b/c"), "x", 1, 0, ZOKOR_PARENTS, &path));
    SAME(at("/a/b/c"), path);
    free(path);
    EQ(ZNODEEXISTS, zokor_framework_create(f, at("/a/b/c"), "x", 1, 0, ZOKOR_PARENTS, NULL));
    EQ(ZOK, zokor_framework_create(f, at("/a/b/c"), "yz", 2, 0, ZOKOR_OR_SET, NULL));
    EQ(ZOK, zokor_framework_get(f, at("/a/b/c"), &data, &n, &stat));
    EQ(2, n);
    SAME("yz", data);
    EQ(1, stat.version);
    free(data);
    EQ(ZBADVERSION, zokor_framework_set(f, at("/a/b/c"), "q", 1, 0));
    EQ(ZOK, zokor_framework_set(f, at("/a/b/c"), "q", 1, 1));
    EQ(ZOK, zokor_framework_create(f, at("/a/seq-"), NULL, 0, ZOO_PERSISTENT_SEQUENTIAL, 0, &path));
    EQ(1, zokor_path_sequence(path));
    free(path);
    struct String_vector children;
    EQ(ZOK, zokor_framework_children(f, at("/a"), &children));
    EQ(2, children.count);
    deallocate_String_vector(&children);
    EQ(ZNONODE, zokor_framework_exists(f, at("/none"), NULL));
    EQ(ZOK, zokor_framework_exists(f, at("/a/b"), &stat));
    EQ(1, stat.numChildren);
    EQ(ZNOTEMPTY, zokor_framework_delete(f, at("/a/b"), 0));
    struct zokor_result r;
    EQ(ZOK, zokor_framework_do(f, &(struct zokor_request){ .operation = ZOKOR_GET_ACL, .path = at("/a") }, &r));
    EQ(1, r.acl.count);
    zokor_result_clear(&r);
    EQ(ZOK, zokor_framework_do(
                f, &(struct zokor_request){ .operation = ZOKOR_SET_ACL, .path = at("/a"), .acl = &ZOO_READ_ACL_UNSAFE },
                NULL));
    EQ(ZNOAUTH, zokor_framework_create(f, at("/a/d"), NULL, 0, 0, 0, NULL));
    EQ(ZOK, zokor_framework_do(f, &(struct zokor_request){ .operation = ZOKOR_SYNC, .path = "/" }, NULL));
    EQ(ZOK, zokor_framework_do(f, &(struct zokor_request){ .operation = ZOKOR_GET_CONFIG }, NULL));
    EQ(ZBADARGUMENTS, zokor_framework_do(f, &(struct zokor_request){ .operation = ZOKOR_GET, .path = "a" }, NULL));
    EQ(ZBADARGUMENTS, zokor_framework_do(f, &(struct zokor_request){ .operation = ZOKOR_GET, .path = "/a//b" }, NULL));
    EQ(ZNONODE, zokor_framework_delete(f, at("/none"), 0));
    EQ(ZOK, zokor_framework_delete(f, at("/none"), ZOKOR_QUIETLY));
    EQ(ZOK, zokor_framework_exists(f, at("/a/b"), NULL));
    EQ(ZOK, zokor_framework_close(f));
}

static void test_parents(void)
{
    struct proxy *x = proxy_start(port);
    struct zokor_framework *f = open_through(x->port, SESSION_MS);
    proxy_lose_reply(x, OP_CREATE_CONTAINER); /* it makes containers, and carries on when a reply is lost */
    EQ(ZOK, zokor_framework_create(f, at("/a/b/c"), NULL, 0, ZOO_EPHEMERAL, ZOKOR_CONTAINER_PARENTS, NULL));
    EQ(1, proxy_lost(x));
    EQ(ZOK, zokor_framework_exists(f, at("/a/b"), NULL));
    EQ(ZNONODE,
       zokor_framework_do(
           f, &(struct zokor_request){ .operation = ZOKOR_EXISTS, .path = at("/x/y/z"), .flags = ZOKOR_PARENTS },
           NULL));
    EQ(ZOK, zokor_framework_exists(f, at("/x/y"), NULL));
    for (int i = 0; i < 50; i++) {
        char tail[64];
        snprintf(tail, sizeof(tail), "/x/y/%d/%d", i % 5, i);
        EQ(ZOK, zokor_framework_create(f, at(tail), NULL, 0, 0, ZOKOR_PARENTS, NULL));
    }
    EQ(ZOK, zokor_framework_delete(f, base, ZOKOR_RECURSIVE));
    EQ(ZNONODE, zokor_framework_exists(f, base, NULL));
    EQ(ZOK, zokor_framework_close(f));
    proxy_end(x);
}

static void test_background(void)
{
    struct zokor_framework *f = open_direct();
    static char node[160], gone_node[160]; /* read by the thread that calls back */
    snprintf(node, sizeof(node), "%s/n", base);
    snprintf(gone_node, sizeof(gone_node), "%s/gone", base);
    EQ(ZOK, zokor_framework_create(f, base, NULL, 0, 0, 0, NULL));
    for (int i = 0; i < 500; i++) {
        const struct zokor_request q = { .operation = ZOKOR_CREATE, .path = node, .flags = ZOKOR_OR_SET };
        EQ(ZOK, zokor_framework_do_background(f, &q, on_result, node));
    }
    EVENTUALLY(atomic_load(&calls) == 500);
    struct Stat stat;
    EQ(ZOK, zokor_framework_exists(f, node, &stat));
    EQ(499, stat.version);
    EQ(ZBADARGUMENTS, zokor_framework_do_background(f, &(struct zokor_request){ .operation = ZOKOR_GET }, NULL, NULL));
    const struct zokor_request gone = { .operation = ZOKOR_GET, .path = gone_node };
    EQ(ZOK, zokor_framework_do_background(f, &gone, on_result, gone_node));
    EVENTUALLY(atomic_load(&calls) == 501);
    EQ(ZNONODE, atomic_load(&last_rc));
    EQ(ZOK, zokor_framework_close(f));
}

static void in_background(struct zokor_framework *f, const struct zokor_result *r, void *context)
{
    struct Stat stat;
    (void)context;
    EQ(ZOK, r->rc);
    EQ(ZOK, zokor_framework_exists(f, r->path, &stat));
    EQ(ZINVALIDSTATE, zokor_framework_close(f));
    atomic_fetch_add(&calls, 1);
}

static void test_callbacks_may_wait(void)
{
    struct zokor_framework *f = open_direct();
    const struct zokor_request q = { .operation = ZOKOR_CREATE, .path = base };
    EQ(ZOK, zokor_framework_do_background(f, &q, in_background, NULL));
    EVENTUALLY(atomic_load(&calls) == 1);
    EQ(ZOK, zokor_framework_close(f));
}

static void test_namespaces(void)
{
    struct zokor_framework *f = zokor_framework_open(
        &(struct zokor_framework_options){ .hosts = hosts, .name_space = base + 1, .session_timeout_ms = SESSION_MS });
    struct zokor_framework *plain = zokor_framework_using_namespace(f, NULL);
    char *path;
    SAME(base + 1, zokor_framework_namespace(f));
    CHECK(zokor_framework_using_namespace(f, base + 1) == f);
    EQ(ZOK, zokor_framework_create(f, "/a", "1", 1, 0, 0, &path));
    SAME("/a", path);
    free(path);
    EQ(ZOK, zokor_framework_exists(plain, at("/a"), NULL));
    EQ(ZOK, zokor_framework_do(f,
                               &(struct zokor_request){
                                   .operation = ZOKOR_EXISTS, .path = "/b", .watch = on_event, .watch_context = "/b" },
                               NULL) == ZNONODE
                ? ZOK
                : -1);
    EQ(ZOK, zokor_framework_create(plain, at("/b"), NULL, 0, 0, 0, NULL));
    EVENTUALLY(atomic_load(&calls) == 1);
    struct String_vector children;
    EQ(ZOK, zokor_framework_children(f, "/", &children));
    EQ(2, children.count);
    deallocate_String_vector(&children);
    struct zokor_transaction *t = zokor_transaction_new();
    struct zokor_framework *deeper = zokor_framework_using_namespace(f, at("/c/d") + 1);
    zokor_transaction_create(t, "/e", NULL, 0, 0, 0, NULL);
    EQ(ZOK, zokor_transaction_commit(deeper, t, NULL));
    zokor_transaction_free(t);
    EQ(ZOK, zokor_framework_exists(plain, at("/c/d/e"), NULL));
    EQ(ZOK, zokor_framework_delete(plain, base, ZOKOR_RECURSIVE));
    EQ(ZOK, zokor_framework_close(f));
}

static void test_transactions(void)
{
    struct zokor_framework *f = open_direct();
    struct zokor_transaction *t = zokor_transaction_new();
    struct zokor_result r;
    zokor_transaction_create(t, base, "1", 1, 0, 0, NULL);
    zokor_transaction_create(t, at("/s-"), NULL, -1, ZOO_PERSISTENT_SEQUENTIAL, 0, NULL);
    zokor_transaction_set(t, base, "22", 2, 0);
    zokor_transaction_check(t, base, 1);
    EQ(ZOK, zokor_transaction_commit(f, t, &r));
    EQ(4, r.part_count);
    SAME(at("/s-0000000000"), r.parts[1].path);
    EQ(ZOKOR_SET, r.parts[2].operation);
    EQ(1, r.parts[2].stat.version);
    zokor_result_clear(&r);
    EQ(ZNODEEXISTS, zokor_transaction_commit(f, t, &r));
    EQ(ZNODEEXISTS, r.parts[0].rc);
    EQ(ZRUNTIMEINCONSISTENCY, r.parts[3].rc);
    zokor_result_clear(&r);
    zokor_transaction_free(t);
    t = zokor_transaction_new();
    zokor_transaction_delete(t, at("/s-0000000000"), 0);
    zokor_transaction_check(t, base, 7);
    EQ(ZBADVERSION, zokor_transaction_commit(f, t, &r));
    EQ(ZBADVERSION, r.parts[1].rc);
    zokor_result_clear(&r);
    zokor_transaction_free(t);
    EQ(ZOK, zokor_framework_exists(f, at("/s-0000000000"), NULL));
    EQ(ZOK, zokor_framework_close(f));
}

static void test_compression(void)
{
    struct zokor_framework *f = open_direct();
    static char zeros[100000];
    struct zokor_result r;
    char *raw;
    int n;
    const struct zokor_request put = {
        .operation = ZOKOR_CREATE, .path = base, .data = zeros, .data_len = 100000, .flags = ZOKOR_COMPRESSED
    };
    EQ(ZOK, zokor_framework_do(f, &put, NULL));
    EQ(ZOK, zokor_framework_get(f, base, &raw, &n, NULL));
    CHECK(n < 1000 && (unsigned char)raw[0] == 0x1f && (unsigned char)raw[1] == 0x8b);
    free(raw);
    const struct zokor_request get = { .operation = ZOKOR_GET, .path = base, .flags = ZOKOR_COMPRESSED };
    EQ(ZOK, zokor_framework_do(f, &get, &r));
    EQ(100000, r.data_len);
    CHECK(memcmp(zeros, r.data, 100000) == 0);
    zokor_result_clear(&r);
    EQ(ZOK, zokor_framework_set(f, base, "not gzip", 8, -1));
    EQ(ZDATAINCONSISTENCY, zokor_framework_do(f, &get, NULL));
    EQ(ZOK, zokor_gzip("", 0, &raw, &n));
    CHECK(n > 0);
    char *back;
    int back_n;
    EQ(ZDATAINCONSISTENCY, zokor_gunzip(raw, n - 1, &back, &back_n));
    EQ(ZOK, zokor_gunzip(raw, n, &back, &back_n));
    EQ(0, back_n);
    free(raw);
    free(back);
    EQ(ZOK, zokor_framework_close(f));
}

static zhandle_t *make_handle(const char *where, watcher_fn watcher, int timeout_ms, void *watcher_context, int flags,
                              void *made)
{
    atomic_fetch_add((atomic_int *)made, 1);
    if (atomic_load((atomic_int *)made) == 2)
        return NULL; /* it tries again */
    return zookeeper_init(where, watcher, timeout_ms, NULL, watcher_context, flags);
}

static void test_states(void)
{
    static atomic_int handles;
    struct proxy *x = proxy_start(port);
    char where[64];
    snprintf(where, sizeof(where), "127.0.0.1:%d", x->port);
    struct zokor_framework *f =
        zokor_framework_open(&(struct zokor_framework_options){ .hosts = where,
                                                                .session_timeout_ms = SHORT_SESSION_MS,
                                                                .retry = zokor_retry_forever(50),
                                                                .make_handle = make_handle,
                                                                .make_context = &handles });
    zokor_framework_listen(f, on_state, NULL);
    EVENTUALLY(atomic_load(&states[ZOKOR_CONNECTED]) == 1);
    int64_t session = zokor_framework_session_id(f);
    proxy_cut(x);
    EVENTUALLY(atomic_load(&states[ZOKOR_RECONNECTED]) == 1);
    EQ(1, atomic_load(&states[ZOKOR_SUSPENDED]));
    CHECK(zokor_framework_session_id(f) == session);
    EQ(ZOK, zokor_framework_create(f, base, NULL, 0, 0, 0, NULL));
    EQ(ZOK, zokor_framework_create(f, at("/e"), NULL, 0, ZOO_EPHEMERAL, 0, NULL));
    EQ(ZNONODE,
       zokor_framework_do(f, &(struct zokor_request){ .operation = ZOKOR_EXISTS, .path = at("/w"), .watch = on_event },
                          NULL));
    struct zokor_watch *w = zokor_watch_start(f, base, ZOKOR_WATCH_RECURSIVE, on_event, NULL);
    EVENTUALLY(atomic_load(&calls) == 1);
    proxy_shut(x, 1);
    EVENTUALLY(atomic_load(&states[ZOKOR_LOST]) == 1);
    EQ(2, atomic_load(&states[ZOKOR_SUSPENDED]));
    EVENTUALLY(atomic_load(&calls) == 2); /* the watch of the exists ended */
    proxy_shut(x, 0);
    EVENTUALLY(atomic_load(&states[ZOKOR_RECONNECTED]) == 2);
    CHECK(zokor_framework_session_id(f) != session);
    EVENTUALLY(atomic_load(&calls) == 3); /* the persistent one is set again */
    EQ(3, atomic_load(&handles));
    EQ(ZOK, zokor_framework_create(f, at("/n"), NULL, 0, 0, 0, NULL));
    EVENTUALLY(atomic_load(&calls) >= 4);
    EVENTUALLY(zokor_framework_exists(f, at("/e"), NULL) == ZNONODE);
    zokor_watch_stop(w);
    zokor_framework_unlisten(f, on_state, NULL);
    EQ(ZOK, zokor_framework_close(f));
    proxy_end(x);
}

static void test_lost_replies(void)
{
    struct proxy *x = proxy_start(port);
    struct zokor_framework *f = open_through(x->port, SESSION_MS);
    char *path;
    EQ(ZOK, zokor_framework_create(f, base, NULL, 0, 0, 0, NULL));
    for (int i = 0; i < 5; i++) {
        proxy_lose_reply(x, OP_CREATE2);
        EQ(ZOK, zokor_framework_create(f, at("/lock-"), "d", 1, ZOO_EPHEMERAL_SEQUENTIAL, ZOKOR_PROTECTED, &path));
        EQ(i + 1, proxy_lost(x));
        EQ(i + 1, count_children(f, base)); /* the one that was made is found again */
        EQ(i, zokor_path_sequence(path));
        CHECK(strstr(path, "/_c_") != NULL && strlen(strstr(path, "/_c_")) == strlen("/_c_-lock-") + 36 + 10);
        free(path);
    }
    proxy_lose_reply(x, OP_CREATE2);
    EQ(ZOK, zokor_framework_create(f, at("/plain"), "d", 1, 0, ZOKOR_IDEMPOTENT, NULL));
    proxy_lose_reply(x, OP_CREATE2);
    EQ(ZNODEEXISTS, zokor_framework_create(f, at("/plain2"), "d", 1, 0, 0, NULL));
    struct zokor_request set = { .operation = ZOKOR_SET, .path = at("/plain"), .data = "e", .data_len = 1 };
    set.has_version = 1;
    set.flags = ZOKOR_IDEMPOTENT;
    proxy_lose_reply(x, OP_SET);
    EQ(ZOK, zokor_framework_do(f, &set, NULL));
    EQ(ZBADVERSION, zokor_framework_do(f, &set, NULL)); /* nothing was lost: not its own work */
    set.version = 1;
    set.flags = 0;
    proxy_lose_reply(x, OP_SET);
    EQ(ZBADVERSION, zokor_framework_do(f, &set, NULL));
    proxy_lose_reply(x, OP_DELETE);
    EQ(ZOK, zokor_framework_delete(f, at("/plain"), ZOKOR_GUARANTEED));
    proxy_lose_reply(x, OP_DELETE);
    EQ(ZNONODE, zokor_framework_delete(f, at("/plain2"), 0));
    EQ(11, proxy_lost(x));
    EQ(ZOK, zokor_framework_close(f));
    proxy_end(x);
}

static void test_given_up(void)
{
    struct proxy *x = proxy_start(port);
    struct zokor_framework *f = open_through(x->port, SESSION_MS), *direct = open_direct();
    const struct zokor_retry never = zokor_retry_never();
    EQ(ZOK, zokor_framework_create(direct, base, NULL, 0, 0, 0, NULL));
    EQ(ZOK, zokor_framework_create(direct, at("/d"), NULL, 0, 0, 0, NULL));
    proxy_lose_reply(x, OP_CREATE2);
    const struct zokor_request create = {
        .operation = ZOKOR_CREATE, .path = at("/p"), .flags = ZOKOR_PROTECTED, .retry = &never
    };
    EQ(ZCONNECTIONLOSS, zokor_framework_do(f, &create, NULL));
    EVENTUALLY(count_children(direct, base) == 1); /* it is looked for and deleted */
    proxy_shut(x, 1);
    EVENTUALLY(zokor_framework_state(f) == ZOKOR_SUSPENDED);
    const struct zokor_request delete = {
        .operation = ZOKOR_DELETE, .path = at("/d"), .flags = ZOKOR_GUARANTEED, .retry = &never
    };
    EQ(ZCONNECTIONLOSS, zokor_framework_do(f, &delete, NULL));
    EQ(1, count_children(direct, base));
    proxy_shut(x, 0);
    EVENTUALLY(count_children(direct, base) == 0);
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(direct));
    proxy_end(x);
}

static void test_close_ends_requests(void)
{
    struct proxy *x = proxy_start(port);
    struct zokor_framework *f = open_through(x->port, SESSION_MS);
    proxy_shut(x, 1);
    EVENTUALLY(zokor_framework_state(f) == ZOKOR_SUSPENDED);
    for (int i = 0; i < 20; i++) {
        const struct zokor_request q = { .operation = ZOKOR_CREATE, .path = base };
        EQ(ZOK, zokor_framework_do_background(f, &q, on_result, base));
    }
    EQ(ZOK, zokor_framework_close(f));
    EQ(20, atomic_load(&calls));
    EQ(ZCLOSING, atomic_load(&last_rc));
    proxy_end(x);
}

/* A reply that comes after the request's deadline sets a watch that nobody asked for any more. */
static void test_late_replies(void)
{
    struct proxy *x = proxy_start(port);
    char where[64];
    snprintf(where, sizeof(where), "127.0.0.1:%d", x->port);
    struct zokor_framework *f =
        zokor_framework_open(&(struct zokor_framework_options){ .hosts = where,
                                                                .session_timeout_ms = SESSION_MS,
                                                                .request_timeout_ms = 300,
                                                                .retry = zokor_retry_n_times(1, 10) });
    struct zokor_framework *direct = open_direct();
    EQ(ZOK, zokor_framework_create(direct, base, NULL, 0, 0, 0, NULL));
    EQ(ZOK, zokor_framework_wait_connected(f, WAIT_MS));
    const struct zokor_request q = { .operation = ZOKOR_GET, .path = base, .watch = on_event };
    proxy_freeze(x, 1);
    for (int i = 0; i < 4; i++)
        EQ(ZREQUESTTIMEOUT, zokor_framework_do(f, &q, NULL));
    struct zokor_watch *w = zokor_watch_start(f, base, ZOKOR_WATCH_PERSISTENT, on_event, NULL);
    proxy_freeze(x, 0);
    EVENTUALLY(atomic_load(&calls) == 1); /* the persistent watch is set, at last */
    while (zokor_framework_do(f, &q, NULL) != ZOK)
        poll(NULL, 0, 5);
    EQ(ZOK, zokor_framework_set(direct, base, "1", 1, -1));
    EVENTUALLY(atomic_load(&calls) == 3); /* one for each that was set, none for what was given up */
    const struct zokor_request sync = { .operation = ZOKOR_SYNC, .path = base };
    while (zokor_framework_do(f, &sync, NULL) != ZOK) /* a disk may stall for longer than a request may take here */
        poll(NULL, 0, 5);
    EQ(3, atomic_load(&calls));
    zokor_watch_stop(w);
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(direct));
    proxy_end(x);
}

/* The session ends while a request with a watch waits for its next try: the watch belongs to the request, and is set in
 * the next session. */
static void test_watch_across_sessions(void)
{
    struct proxy *x = proxy_start(port);
    struct zokor_framework *f = open_through(x->port, SHORT_SESSION_MS), *direct = open_direct();
    const struct zokor_retry slow = zokor_retry_forever(2500);
    const struct zokor_request q = { .operation = ZOKOR_EXISTS, .path = base, .watch = on_event, .retry = &slow };
    int64_t session = zokor_framework_session_id(f);
    proxy_shut(x, 1);
    EVENTUALLY(zokor_framework_state(f) == ZOKOR_SUSPENDED);
    for (int i = 0; i < 10; i++)
        EQ(ZOK, zokor_framework_do_background(f, &q, on_result, base));
    EVENTUALLY(zokor_framework_state(f) == ZOKOR_LOST);
    proxy_shut(x, 0);
    EVENTUALLY(atomic_load(&calls) == 10);
    CHECK(zokor_framework_session_id(f) != session);
    EQ(ZNONODE, atomic_load(&last_rc));
    EQ(ZOK, zokor_framework_create(direct, base, NULL, 0, 0, 0, NULL));
    EVENTUALLY(atomic_load(&calls) == 20); /* every watch, once */
    EQ(ZOK, zokor_framework_close(f));
    EQ(20, atomic_load(&calls));
    EQ(ZOK, zokor_framework_close(direct));
    proxy_end(x);
}

static void test_policies(void)
{
    struct zokor_retry p = zokor_retry_exponential(10, 3);
    for (int i = 0; i < 3; i++) {
        int ms = zokor_retry_sleep_ms(&p, i, 0);
        CHECK(ms >= 10 && ms <= 10 << (i + 1));
    }
    EQ(-1, zokor_retry_sleep_ms(&p, 3, 0));
    p = zokor_retry_bounded_exponential(1000, 1500, 30);
    for (int i = 0; i < 29; i++)
        CHECK(zokor_retry_sleep_ms(&p, i, 0) <= 1500);
    EQ(-1, zokor_retry_sleep_ms(&p, 29, 0));
    p = zokor_retry_n_times(2, 7);
    EQ(7, zokor_retry_sleep_ms(&p, 1, 0));
    EQ(-1, zokor_retry_sleep_ms(&p, 2, 0));
    p = zokor_retry_until_elapsed(100, 7);
    EQ(7, zokor_retry_sleep_ms(&p, 1000, 99));
    EQ(-1, zokor_retry_sleep_ms(&p, 0, 100));
    p = zokor_retry_forever(5);
    EQ(5, zokor_retry_sleep_ms(&p, 1000000, INT64_MAX));
    p = zokor_retry_never();
    EQ(-1, zokor_retry_sleep_ms(&p, 0, 0));
    CHECK(zokor_is_retryable(ZCONNECTIONLOSS) && zokor_is_retryable(ZSESSIONEXPIRED) && !zokor_is_retryable(ZNONODE));
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        { "requests", test_requests },
        { "parents", test_parents },
        { "background", test_background },
        { "callbacks_may_wait", test_callbacks_may_wait },
        { "namespaces", test_namespaces },
        { "transactions", test_transactions },
        { "compression", test_compression },
        { "states", test_states },
        { "lost_replies", test_lost_replies },
        { "given_up", test_given_up },
        { "close_ends_requests", test_close_ends_requests },
        { "late_replies", test_late_replies },
        { "watch_across_sessions", test_watch_across_sessions },
        { "policies", test_policies },
    };
    return run_tests(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
