/* Elections and barriers: one leads, never two, whatever happens to connections and sessions. */
#include "check.h"
#include "proxy.h"
#include <zokor/barrier.h>
#include <zokor/leader.h>

#define OP_CREATE2 15

char base[64];
const char *hosts;
int port;

static atomic_int gained, gone;

static void on_leader(struct zokor_leader_latch *l, int leads, int64_t token, void *context)
{
    (void)l;
    (void)context;
    CHECK(token > 0);
    atomic_fetch_add(leads ? &gained : &gone, 1);
}

static struct zokor_leader_latch *candidate(struct zokor_framework *f, const char *id)
{
    struct zokor_leader_latch *l = zokor_leader_latch_new(f, base, id, on_leader, NULL);
    EQ(ZOK, zokor_leader_latch_start(l));
    return l;
}

static void test_latch(void)
{
    struct zokor_framework *f = open_direct(), *g = open_direct();
    struct zokor_leader_latch *l[4];
    struct zokor_participant *p;
    char id[2] = "a";
    int n;
    for (int i = 0; i < 4; i++) {
        id[0] = (char)('a' + i);
        l[i] = candidate(i % 2 == 0 ? f : g, id);
        EVENTUALLY(count_children(f, base) == i + 1);
    }
    EQ(ZINVALIDSTATE, zokor_leader_latch_start(l[0]));
    EQ(ZOK, zokor_leader_latch_await(l[0], WAIT_MS));
    EVENTUALLY(atomic_load(&gained) == 1);
    EQ(ZOPERATIONTIMEOUT, zokor_leader_latch_await(l[1], 20));
    EQ(-1, zokor_leader_latch_token(l[1]));
    EQ(ZOK, zokor_leader_latch_participants(l[3], &p, &n));
    EQ(4, n);
    SAME("a", p[0].id);
    CHECK(p[0].is_leader && !p[1].is_leader);
    SAME("d", p[3].id);
    zokor_participants_free(p, n);
    int64_t token = zokor_leader_latch_token(l[0]);
    zokor_leader_latch_free(l[1], 0); /* who does not lead leaves: nothing changes */
    EQ(1, zokor_leader_latch_leads(l[0]));
    zokor_leader_latch_free(l[0], 1);
    EQ(1, atomic_load(&gone));
    EQ(ZOK, zokor_leader_latch_await(l[2], WAIT_MS));
    CHECK(zokor_leader_latch_token(l[2]) > token);
    EVENTUALLY(atomic_load(&gained) == 2); /* it is told after await returns, and not at all once it is freed */
    zokor_leader_latch_free(l[2], 0);
    EQ(ZOK, zokor_leader_latch_await(l[3], WAIT_MS));
    EVENTUALLY(atomic_load(&gained) == 3);
    EQ(1, atomic_load(&gone));
    zokor_leader_latch_free(l[3], 0);
    EQ(0, count_children(f, base));
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(g));
}

static void test_latch_reconnects(void)
{
    struct proxy *x = proxy_start(port);
    struct zokor_framework *f = open_through(x->port, SESSION_MS), *g = open_direct();
    struct zokor_leader_latch *a = candidate(f, "a");
    EQ(ZOK, zokor_leader_latch_await(a, WAIT_MS));
    struct zokor_leader_latch *b = candidate(g, "b");
    int64_t token = zokor_leader_latch_token(a);
    EVENTUALLY(count_children(g, base) == 2);
    for (int i = 1; i <= 3; i++) {
        proxy_shut(x, 1);
        EVENTUALLY(!zokor_leader_latch_leads(a));
        proxy_shut(x, 0);
        EVENTUALLY(zokor_leader_latch_leads(a)); /* the node is still there, and the first */
        EVENTUALLY(atomic_load(&gained) == 1 + i && atomic_load(&gone) == i);
    }
    CHECK(zokor_leader_latch_token(a) == token);
    EQ(0, zokor_leader_latch_leads(b));
    EQ(2, count_children(g, base));
    zokor_leader_latch_free(a, 0);
    EVENTUALLY(zokor_leader_latch_leads(b));
    zokor_leader_latch_free(b, 0);
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(g));
    proxy_end(x);
}

/* By the session policy a broken connection is no reason to step back; and all this works in a namespace. */
static void test_latch_session_policy(void)
{
    struct proxy *x = proxy_start(port);
    char where[64];
    snprintf(where, sizeof(where), "127.0.0.1:%d", x->port);
    struct zokor_framework *f = zokor_framework_open(&(struct zokor_framework_options){
        .hosts = where,
        .name_space = base + 1,
        .session_timeout_ms = SHORT_SESSION_MS,
        .error_policy = ZOKOR_ERRORS_SESSION,
        .retry = zokor_retry_forever(50),
    });
    struct zokor_framework *g = open_direct();
    struct zokor_leader_latch *a = zokor_leader_latch_new(f, "/l", "a", on_leader, NULL);
    EQ(ZOK, zokor_leader_latch_start(a));
    EQ(ZOK, zokor_leader_latch_await(a, WAIT_MS));
    EQ(1, count_children(g, at("/l")));
    EVENTUALLY(atomic_load(&gained) == 1);
    proxy_shut(x, 1);
    EVENTUALLY(zokor_framework_state(f) == ZOKOR_SUSPENDED);
    EQ(1, zokor_leader_latch_leads(a));
    EVENTUALLY(!zokor_leader_latch_leads(a)); /* but a lost session is */
    EVENTUALLY(atomic_load(&gone) == 1);
    proxy_shut(x, 0);
    EVENTUALLY(zokor_leader_latch_leads(a));
    EQ(1, count_children(g, at("/l")));
    zokor_leader_latch_free(a, 0);
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(g));
    proxy_end(x);
}

/* CURATOR-620: the leader's session ends while it cannot be reached. */
static void test_latch_session_lost(void)
{
    struct proxy *x = proxy_start(port);
    struct zokor_framework *f = open_through(x->port, SHORT_SESSION_MS), *g = open_direct();
    struct zokor_leader_latch *a = candidate(f, "a");
    EQ(ZOK, zokor_leader_latch_await(a, WAIT_MS));
    struct zokor_leader_latch *b = candidate(g, "b");
    EVENTUALLY(count_children(g, base) == 2);
    int64_t token = zokor_leader_latch_token(a), session = zokor_framework_session_id(f);
    proxy_freeze(x, 1);
    EVENTUALLY(zokor_leader_latch_leads(b));
    EQ(0, zokor_leader_latch_leads(a)); /* it stepped back before anybody could be elected */
    CHECK(zokor_leader_latch_token(b) > token);
    proxy_freeze(x, 0);
    EVENTUALLY(zokor_framework_session_id(f) != session);
    EVENTUALLY(count_children(g, base) == 2); /* it queues up again, behind */
    EQ(1, zokor_leader_latch_leads(b));
    EQ(0, zokor_leader_latch_leads(a));
    zokor_leader_latch_free(b, 0);
    EVENTUALLY(zokor_leader_latch_leads(a));
    zokor_leader_latch_free(a, 0);
    EQ(0, count_children(g, base));
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(g));
    proxy_end(x);
}

/* CURATOR-653: the session goes on, but the leader's node vanished while the connection was down. */
static void test_latch_node_vanished(void)
{
    struct proxy *x = proxy_start(port);
    struct zokor_framework *f = open_through(x->port, SESSION_MS), *g = open_direct();
    struct zokor_leader_latch *a = candidate(f, "a");
    EQ(ZOK, zokor_leader_latch_await(a, WAIT_MS));
    struct zokor_leader_latch *b = candidate(g, "b");
    EVENTUALLY(count_children(g, base) == 2);
    struct String_vector paths;
    EQ(ZOK, zokor_framework_children(g, base, &paths));
    proxy_shut(x, 1);
    EVENTUALLY(!zokor_leader_latch_leads(a));
    for (int i = 0; i < paths.count; i++) {
        char tail[192];
        snprintf(tail, sizeof(tail), "/%s", paths.data[i]);
        if (zokor_path_sequence(tail) == 0)
            EQ(ZOK, zokor_framework_delete(g, at(tail), 0));
    }
    deallocate_String_vector(&paths);
    EVENTUALLY(zokor_leader_latch_leads(b));
    proxy_shut(x, 0);
    EVENTUALLY(count_children(g, base) == 2);
    EQ(0, zokor_leader_latch_leads(a));
    EQ(1, zokor_leader_latch_leads(b));
    zokor_leader_latch_free(b, 0);
    EVENTUALLY(zokor_leader_latch_leads(a));
    zokor_leader_latch_free(a, 0);
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(g));
    proxy_end(x);
}

/* CURATOR-696: a candidate that made its node, did not hear of it, and made another would wait for itself, or lead
 * twice. */
static void test_latch_lost_reply(void)
{
    struct proxy *x = proxy_start(port);
    struct zokor_framework *f = open_through(x->port, SESSION_MS);
    for (int i = 0; i < 3; i++) {
        if (i == 0)
            EQ(ZOK, zokor_framework_create(f, base, NULL, 0, 0, 0, NULL));
        proxy_lose_reply(x, OP_CREATE2);
        struct zokor_leader_latch *a = candidate(f, "a");
        EQ(ZOK, zokor_leader_latch_await(a, WAIT_MS));
        EQ(i + 1, proxy_lost(x));
        EQ(1, count_children(f, base));
        zokor_leader_latch_free(a, 0);
        EQ(0, count_children(f, base));
    }
    EQ(ZOK, zokor_framework_close(f));
    proxy_end(x);
}

#define CANDIDATES 3
static struct zokor_leader_latch *all[CANDIDATES];
static atomic_int ended, samples, doubles;

/* Who leads before and after another was seen to lead, in one leadership, leads together with it. */
static void *watch_for_two(void *arg)
{
    (void)arg;
    while (!atomic_load(&ended)) {
        for (int i = 0; i < CANDIDATES; i++) {
            int64_t before = zokor_leader_latch_token(all[i]);
            int64_t other = zokor_leader_latch_token(all[(i + 1) % CANDIDATES]);
            int64_t third = zokor_leader_latch_token(all[(i + 2) % CANDIDATES]);
            int64_t after = zokor_leader_latch_token(all[i]);
            if (before > 0 && before == after && (other > 0 || third > 0))
                atomic_fetch_add(&doubles, 1);
            atomic_fetch_add(&samples, before > 0);
        }
    }
    return NULL;
}

static int leaders(void)
{
    int n = 0;
    for (int i = 0; i < CANDIDATES; i++)
        n += zokor_leader_latch_leads(all[i]);
    return n;
}

static void test_never_two_leaders(void)
{
    struct proxy *x[CANDIDATES];
    struct zokor_framework *f[CANDIDATES];
    pthread_t t;
    for (int i = 0; i < CANDIDATES; i++) {
        x[i] = proxy_start(port);
        f[i] = open_through(x[i]->port, SHORT_SESSION_MS);
        all[i] = candidate(f[i], "c");
    }
    EQ(0, pthread_create(&t, NULL, watch_for_two, NULL));
    unsigned seed = 1;
    for (int round = 0; round < 30; round++) {
        int i = (int)(seed = seed * 1103515245 + 12345) >> 16 & 0x7fff;
        struct proxy *victim = x[i % CANDIDATES];
        switch (i / CANDIDATES % 4) {
        case 0:
            proxy_freeze(victim, 1);
            poll(NULL, 0, 600);
            proxy_freeze(victim, 0);
            break;
        case 1:
            proxy_shut(victim, 1);
            poll(NULL, 0, 200);
            proxy_shut(victim, 0);
            break;
        case 2:
            proxy_lose_reply(victim, OP_CREATE2);
            proxy_cut(victim);
            break;
        default:
            proxy_cut(victim);
        }
        poll(NULL, 0, 50);
    }
    for (int i = 0; i < CANDIDATES; i++)
        proxy_lose_reply(x[i], 0);
    EVENTUALLY(leaders() == 1);
    for (int i = 0; i < CANDIDATES; i++) { /* the leader's session ends, others can be elected */
        if (zokor_leader_latch_leads(all[i])) {
            proxy_freeze(x[i], 1);
            EVENTUALLY(zokor_leader_latch_leads(all[(i + 1) % CANDIDATES]) ||
                       zokor_leader_latch_leads(all[(i + 2) % CANDIDATES]));
            proxy_freeze(x[i], 0);
            break;
        }
    }
    EVENTUALLY(leaders() == 1);
    atomic_store(&ended, 1);
    pthread_join(t, NULL);
    printf("%d samples of a leader, %d with two\n", atomic_load(&samples), atomic_load(&doubles));
    EQ(0, atomic_load(&doubles));
    CHECK(atomic_load(&samples) > 100);
    for (int i = 0; i < CANDIDATES; i++)
        zokor_leader_latch_free(all[i], 0);
    for (int i = 0; i < CANDIDATES; i++)
        EQ(ZOK, zokor_framework_close(f[i]));
    for (int i = 0; i < CANDIDATES; i++)
        proxy_end(x[i]);
}

static atomic_int terms, leading, most_leading;
static _Atomic int64_t last_token;

static void short_term(struct zokor_leader_selector *s, int64_t token, void *context)
{
    (void)context;
    int n = atomic_fetch_add(&leading, 1) + 1;
    if (n > atomic_load(&most_leading))
        atomic_store(&most_leading, n);
    CHECK(token > atomic_exchange(&last_token, token));
    CHECK(zokor_leader_selector_leads(s));
    (void)zokor_leader_selector_sleep(s, 2);
    atomic_fetch_add(&terms, 1);
    atomic_fetch_sub(&leading, 1);
}

static void test_selector_requeues(void)
{
    struct zokor_framework *f = open_direct(), *g = open_direct();
    struct zokor_leader_selector *s[4];
    for (int i = 0; i < 4; i++) {
        s[i] = zokor_leader_selector_new(i % 2 == 0 ? f : g, base, "x", short_term, NULL);
        zokor_leader_selector_auto_requeue(s[i]);
        EQ(ZOK, zokor_leader_selector_start(s[i]));
    }

    EVENTUALLY(atomic_load(&terms) >= 40);
    EQ(1, atomic_load(&most_leading));
    for (int i = 0; i < 4; i++)
        zokor_leader_selector_free(s[i]);
    EQ(0, count_children(f, base));
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(g));
}

static atomic_int interrupted;

static void until_interrupted(struct zokor_leader_selector *s, int64_t token, void *context)
{
    (void)token;
    (void)context;
    atomic_fetch_add(&terms, 1);
    EQ(ZINVALIDSTATE, zokor_leader_selector_sleep(s, -1));
    CHECK(zokor_leader_selector_is_interrupted(s));
    atomic_fetch_add(&interrupted, 1);
}

static void test_selector_is_interrupted(void)
{
    struct proxy *x = proxy_start(port);
    struct zokor_framework *f = open_through(x->port, SESSION_MS), *g = open_direct();
    struct zokor_leader_selector *s = zokor_leader_selector_new(f, base, "me", until_interrupted, NULL);
    struct zokor_participant *p;
    int n;
    EQ(ZOK, zokor_leader_selector_start(s));
    EVENTUALLY(zokor_leader_selector_leads(s));
    EQ(ZOK, zokor_leader_selector_participants(s, &p, &n));
    EQ(1, n);
    SAME("me", p[0].id);
    zokor_participants_free(p, n);
    proxy_cut(x); /* a broken connection interrupts */
    EVENTUALLY(atomic_load(&interrupted) == 1);
    EVENTUALLY(count_children(g, base) == 0);
    EQ(ZOK, zokor_leader_selector_requeue(s));
    EVENTUALLY(atomic_load(&terms) == 2);
    zokor_leader_selector_interrupt(s);
    EVENTUALLY(atomic_load(&interrupted) == 2);
    EQ(ZOK, zokor_leader_selector_requeue(s));
    EVENTUALLY(atomic_load(&terms) == 3);
    zokor_leader_selector_free(s); /* and so does its end */
    EQ(3, atomic_load(&interrupted));
    EQ(0, count_children(g, base));
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(g));
    proxy_end(x);
}

static void *pass_barrier(void *arg)
{
    EQ(ZOK, zokor_barrier_wait(arg, base, -1));
    atomic_fetch_add(&gone, 1);
    return NULL;
}

static void test_barrier(void)
{
    struct proxy *x = proxy_start(port);
    struct zokor_framework *f = open_through(x->port, SESSION_MS), *g = open_direct();
    pthread_t t[5];
    EQ(ZOK, zokor_barrier_wait(f, base, 0)); /* there is none */
    EQ(ZOK, zokor_barrier_set(f, base));
    EQ(ZOK, zokor_barrier_set(g, base));
    EQ(ZOPERATIONTIMEOUT, zokor_barrier_wait(f, base, 20));
    for (int i = 0; i < 5; i++)
        EQ(0, pthread_create(&t[i], NULL, pass_barrier, f));
    poll(NULL, 0, 50);
    proxy_shut(x, 1);
    EVENTUALLY(!zokor_framework_is_connected(f));
    EQ(ZOK, zokor_barrier_remove(g, base)); /* while nobody hears of it */
    EQ(0, atomic_load(&gone));
    proxy_shut(x, 0);
    for (int i = 0; i < 5; i++)
        pthread_join(t[i], NULL);
    EQ(5, atomic_load(&gone));
    EQ(ZOK, zokor_barrier_remove(g, base));
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(g));
    proxy_end(x);
}

#define MEMBERS 6
static atomic_int entered, left;

static void *meet(void *arg)
{
    struct zokor_double_barrier *b = zokor_double_barrier_new(arg, base, MEMBERS);
    EQ(ZOK, zokor_double_barrier_enter(b, WAIT_MS));
    atomic_fetch_add(&entered, 1);
    while (atomic_load(&gone) == 0)
        poll(NULL, 0, 5);
    EQ(ZOK, zokor_double_barrier_leave(b, WAIT_MS));
    EQ(MEMBERS, atomic_load(&entered));
    atomic_fetch_add(&left, 1);
    zokor_double_barrier_free(b);
    return NULL;
}

static void test_double_barrier(void)
{
    struct zokor_framework *f = open_direct(), *g = open_direct();
    pthread_t t[MEMBERS];
    struct zokor_double_barrier *alone = zokor_double_barrier_new(f, at("/other"), 2);
    EQ(ZOPERATIONTIMEOUT, zokor_double_barrier_enter(alone, 30));
    EQ(ZOK, zokor_double_barrier_leave(alone, WAIT_MS));
    EQ(0, count_children(f, at("/other")));
    zokor_double_barrier_free(alone);
    EQ(ZOK, zokor_framework_delete(f, at("/other"), 0));
    for (int i = 0; i < MEMBERS; i++) {
        EQ(0, atomic_load(&entered));
        EQ(0, pthread_create(&t[i], NULL, meet, i % 2 == 0 ? f : g));
        if (i < MEMBERS - 1)
            EVENTUALLY(count_children(f, base) == i + 1);
    }
    EVENTUALLY(atomic_load(&entered) == MEMBERS);
    EQ(0, atomic_load(&left));
    atomic_store(&gone, 1);
    for (int i = 0; i < MEMBERS; i++)
        pthread_join(t[i], NULL);
    EQ(MEMBERS, atomic_load(&left));
    EQ(0, count_children(f, base));
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(g));
}

static void *enter_only(void *arg)
{
    EQ(ZOK, zokor_double_barrier_enter(arg, WAIT_MS));
    atomic_fetch_add(&entered, 1);
    return NULL;
}

/* A member whose session ends while it waits is still counted afterwards: it comes back in its new session. */
static void test_double_barrier_session_lost(void)
{
    struct proxy *x = proxy_start(port);
    struct zokor_framework *f = open_through(x->port, SHORT_SESSION_MS), *g = open_direct();
    struct zokor_double_barrier *a = zokor_double_barrier_new(f, base, 2), *b = zokor_double_barrier_new(g, base, 2);
    pthread_t t;
    EQ(0, pthread_create(&t, NULL, enter_only, a));
    EVENTUALLY(count_children(g, base) == 1);
    proxy_freeze(x, 1);
    EVENTUALLY(count_children(g, base) == 0);
    proxy_freeze(x, 0);
    EVENTUALLY(count_children(g, base) == 1);
    EQ(0, atomic_load(&entered));
    EQ(ZOK, zokor_double_barrier_enter(b, WAIT_MS));
    pthread_join(t, NULL);
    EQ(1, atomic_load(&entered));
    zokor_double_barrier_free(a);
    zokor_double_barrier_free(b);
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(g));
    proxy_end(x);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        { "latch", test_latch },
        { "latch_reconnects", test_latch_reconnects },
        { "latch_session_policy", test_latch_session_policy },
        { "latch_session_lost", test_latch_session_lost },
        { "latch_node_vanished", test_latch_node_vanished },
        { "latch_lost_reply", test_latch_lost_reply },
        { "never_two_leaders", test_never_two_leaders },
        { "selector_requeues", test_selector_requeues },
        { "selector_is_interrupted", test_selector_is_interrupted },
        { "barrier", test_barrier },
        { "double_barrier", test_double_barrier },
        { "double_barrier_session_lost", test_double_barrier_session_lost },
    };
    return run_tests(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
