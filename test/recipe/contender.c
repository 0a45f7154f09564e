/* The C half of a contest: our recipes on the paths that java/CuratorContender.java uses at the same time.
 *
 *     contender HOSTS BASE ROUNDS CONTEST ... */
#include "check.h"
#include <zokor/barrier.h>
#include <zokor/leader.h>
#include <zokor/lock.h>
#include <zokor/shared.h>

#define CONTEST_WAIT_MS 60000
#define LEASES 2

char base[64];
const char *hosts;
int port;

static struct zokor_framework *f;
static int rounds;

/* Nobody else may be here: a second one could not create the node. */
static void alone(void)
{
    char *data, text[32];
    int n;
    EQ(ZOK, zokor_framework_create(f, at("/inside"), NULL, 0, ZOO_EPHEMERAL, 0, NULL));
    EQ(ZOK, zokor_framework_delete(f, at("/inside"), 0));
    EQ(ZOK, zokor_framework_get(f, at("/counter"), &data, &n, NULL));
    snprintf(text, sizeof(text), "%d", atoi(data) + 1);
    free(data);
    EQ(ZOK, zokor_framework_set(f, at("/counter"), text, (int)strlen(text), -1));
}

static void mutex(void)
{
    struct zokor_mutex *m = zokor_mutex_new(f, at("/lock"));
    for (int i = 0; i < rounds; i++) {
        EQ(ZOK, zokor_mutex_acquire(m, CONTEST_WAIT_MS));
        alone();
        EQ(ZOK, zokor_mutex_release(m));
    }
    zokor_mutex_free(m);
}

static void semaphore_mutex(void)
{
    struct zokor_semaphore_mutex *m = zokor_semaphore_mutex_new(f, at("/lock"));
    for (int i = 0; i < rounds; i++) {
        EQ(ZOK, zokor_semaphore_mutex_acquire(m, CONTEST_WAIT_MS));
        alone();
        EQ(ZOK, zokor_semaphore_mutex_release(m));
    }
    zokor_semaphore_mutex_free(m);
}

static void read_write(void)
{
    struct zokor_rw_lock *l = zokor_rw_lock_new(f, at("/lock"));
    for (int i = 0; i < rounds; i++) {
        int writes = i % 3 == 0;
        struct zokor_mutex *m = writes ? zokor_rw_lock_write(l) : zokor_rw_lock_read(l);
        char *me;
        EQ(ZOK, zokor_mutex_acquire(m, CONTEST_WAIT_MS));
        if (writes) {
            EQ(0, count_children(f, at("/readers")));
            alone();
        } else {
            EQ(ZOK, zokor_framework_create(f, at("/readers/r"), NULL, 0, ZOO_EPHEMERAL_SEQUENTIAL, 0, &me));
            EQ(ZNONODE, zokor_framework_exists(f, at("/inside"), NULL));
            EQ(ZOK, zokor_framework_delete(f, me, 0));
            free(me);
        }
        EQ(ZOK, zokor_mutex_release(m));
    }
    zokor_rw_lock_free(l);
}

static void latch(void)
{
    for (int i = 0; i < rounds; i++) {
        struct zokor_leader_latch *l = zokor_leader_latch_new(f, at("/lock"), "c", NULL, NULL);
        struct zokor_participant *p;
        int n;
        EQ(ZOK, zokor_leader_latch_start(l));
        EQ(ZOK, zokor_leader_latch_await(l, CONTEST_WAIT_MS));
        EQ(ZOK, zokor_leader_latch_participants(l, &p, &n));
        SAME("c", p[0].id);
        for (int k = 1; k < n; k++)
            SAME("java", p[k].id);
        zokor_participants_free(p, n);
        alone();
        zokor_leader_latch_free(l, 0);
    }
}

static atomic_int terms;

static void term(struct zokor_leader_selector *s, int64_t token, void *context)
{
    (void)s;
    (void)token;
    (void)context;
    if (atomic_load(&terms) >= rounds)
        return;
    alone();
    atomic_fetch_add(&terms, 1);
}

static void selector(void)
{
    struct zokor_leader_selector *s = zokor_leader_selector_new(f, at("/lock"), "c", term, NULL);
    zokor_leader_selector_auto_requeue(s);
    EQ(ZOK, zokor_leader_selector_start(s));
    EVENTUALLY(atomic_load(&terms) == rounds);
    zokor_leader_selector_free(s);
}

static void *take_leases(void *arg)
{
    struct zokor_lease *lease;
    char *me;
    for (int i = 0; i < rounds; i++) {
        EQ(ZOK, zokor_semaphore_acquire(arg, 1, &lease, CONTEST_WAIT_MS));
        EQ(ZOK, zokor_framework_create(f, at("/readers/r"), NULL, 0, ZOO_EPHEMERAL_SEQUENTIAL, 0, &me));
        CHECK(count_children(f, at("/readers")) <= LEASES);
        EQ(ZOK, zokor_framework_delete(f, me, 0));
        free(me);
        EQ(ZOK, zokor_lease_return(lease));
    }
    return NULL;
}

static void semaphore(void)
{
    struct zokor_semaphore *s = zokor_semaphore_new(f, at("/lock"), LEASES);
    pthread_t t[LEASES];
    for (int i = 0; i < LEASES; i++)
        EQ(0, pthread_create(&t[i], NULL, take_leases, s));
    for (int i = 0; i < LEASES; i++)
        pthread_join(t[i], NULL);
    zokor_semaphore_free(s);
}

static char *numbered(const char *format, int i)
{
    char tail[64];
    snprintf(tail, sizeof(tail), format, i);
    return at(tail);
}

static void double_barrier(void)
{
    for (int i = 0; i < rounds; i++) {
        struct zokor_double_barrier *b = zokor_double_barrier_new(f, numbered("/lock/%d", i), 2);
        EQ(ZOK, zokor_framework_create(f, numbered("/came/%d/c", i), NULL, 0, 0, ZOKOR_PARENTS, NULL));
        EQ(ZOK, zokor_double_barrier_enter(b, CONTEST_WAIT_MS));
        EQ(ZOK, zokor_framework_exists(f, numbered("/came/%d/java", i), NULL));
        EQ(ZOK, zokor_framework_create(f, numbered("/went/%d/c", i), NULL, 0, 0, ZOKOR_PARENTS, NULL));
        EQ(ZOK, zokor_double_barrier_leave(b, CONTEST_WAIT_MS));
        EQ(ZOK, zokor_framework_exists(f, numbered("/went/%d/java", i), NULL));
        zokor_double_barrier_free(b);
    }
}

static void count(void)
{
    int rc, version;
    struct zokor_shared_count *c = zokor_shared_count_new(f, at("/lock"), 0, NULL, NULL, &rc);
    EQ(ZOK, rc);
    for (int i = 0; i < rounds; i++) {
        int32_t now = zokor_shared_count_get(c, &version);
        while ((rc = zokor_shared_count_try_set(c, version, now + 1)) == ZBADVERSION)
            now = zokor_shared_count_get(c, &version);
        EQ(ZOK, rc);
    }
    zokor_shared_count_free(c);
}

/* Both programs come to this point, or neither goes on. */
static void meet(const char *where)
{
    char folder[160], own[170];
    snprintf(folder, sizeof(folder), "%s/met-%s", base, where);
    snprintf(own, sizeof(own), "%s/c", folder);
    EQ(ZOK, zokor_framework_create(f, own, NULL, 0, 0, ZOKOR_PARENTS, NULL));
    int left = CONTEST_WAIT_MS;
    while (count_children(f, folder) < 2 && --left > 0)
        poll(NULL, 0, 2);
    CHECK(left > 0);
}

static void compressed(void)
{
    static char text[6001];
    struct zokor_result r;
    for (int i = 0; i < 1000; i++)
        memcpy(text + i * 6, "zokor ", 6);
    const struct zokor_request put = {
        .operation = ZOKOR_CREATE, .path = at("/c-data"), .data = text, .data_len = 6000, .flags = ZOKOR_COMPRESSED
    };
    EQ(ZOK, zokor_framework_do(f, &put, NULL));
    meet("compressed");
    const struct zokor_request get = { .operation = ZOKOR_GET, .path = at("/java-data"), .flags = ZOKOR_COMPRESSED };
    EQ(ZOK, zokor_framework_do(f, &get, &r));
    EQ(6000, r.data_len);
    CHECK(memcmp(text, r.data, 6000) == 0);
    zokor_result_clear(&r);
}

static void prepare(const char *tail, const char *data)
{
    int rc = zokor_framework_create(f, at(tail), data, (int)strlen(data), 0, ZOKOR_PARENTS, NULL);
    CHECK(rc == ZOK || rc == ZNODEEXISTS);
}

int main(int argc, char **argv)
{
    static const struct test contests[] = {
        { "mutex", mutex },           { "semaphore_mutex", semaphore_mutex },
        { "read_write", read_write }, { "latch", latch },
        { "selector", selector },     { "semaphore", semaphore },
        { "count", count },           { "double_barrier", double_barrier },
        { "compressed", compressed },
    };
    CHECK(argc > 4);
    hosts = argv[1];
    rounds = atoi(argv[3]);
    f = open_direct();
    for (int a = 4; a < argc; a++) {
        for (size_t i = 0; i < sizeof(contests) / sizeof(contests[0]); i++) {
            if (strcmp(contests[i].name, argv[a]) != 0)
                continue;
            snprintf(base, sizeof(base), "%s/%s", argv[2], argv[a]);
            prepare("/counter", "0");
            prepare("/readers", "");
            meet("start");
            contests[i].run();
            meet("end");
            printf("PASS %s\n", argv[a]);
            fflush(stdout);
        }
    }
    EQ(ZOK, zokor_framework_close(f));
    return 0;
}
