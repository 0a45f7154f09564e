/* The C half of a contest: our recipes on the paths that java/CuratorContender.java uses at the same time.
 *
 *     contender HOSTS BASE ROUNDS CONTEST ...
 *
 * Whoever is alone appends its letter to a history. In every other turn it goes on only when the other one has queued
 * up behind it, or has had all its turns: the places have to change hands. */
#include "contender.h"
#include <zokor/barrier.h>
#include <zokor/leader.h>
#include <zokor/lock.h>

#define LEASES 2

char base[64];
const char *hosts;
int port;
struct zokor_framework *f;
int rounds;

bool is_there(const char *tail)
{
    int rc = zokor_framework_exists(f, at(tail), NULL);
    CHECK(rc == ZOK || rc == ZNONODE);
    return rc == ZOK;
}

void put_mark(const char *tail)
{
    EQ(ZOK, zokor_framework_create(f, at(tail), NULL, 0, 0, ZOKOR_PARENTS, NULL));
}

void prepare(const char *tail, const char *data)
{
    int rc = zokor_framework_create(f, at(tail), data, (int)strlen(data), 0, ZOKOR_PARENTS, NULL);
    CHECK(rc == ZOK || rc == ZNODEEXISTS);
}

char *numbered(const char *format, int i)
{
    char tail[64];
    snprintf(tail, sizeof(tail), format, i);
    return at(tail);
}

void meet(const char *where)
{
    char folder[160], own[170];
    snprintf(folder, sizeof(folder), "%s/met-%s", base, where);
    snprintf(own, sizeof(own), "%s/" ME, folder);
    EQ(ZOK, zokor_framework_create(f, own, NULL, 0, 0, ZOKOR_PARENTS, NULL));
    EVENTUALLY(count_children(f, folder) >= 2);
}

static void note(const char *tail, const char *history, int n)
{
    EQ(ZOK, zokor_framework_set(f, at(tail), history, n, -1));
}

/* Nobody else may be here: a second one could not create the node. The mirror is written after the history, so that
 * a reader who is beside a writer can see them differ. */
static void alone(const char *queue, int turn)
{
    char *history;
    int n;
    EQ(ZOK, zokor_framework_create(f, at("/inside"), NULL, 0, ZOO_EPHEMERAL, 0, NULL));
    EQ(ZOK, zokor_framework_get(f, at("/history"), &history, &n, NULL));
    char *longer = malloc((size_t)n + 1);
    CHECK(longer != NULL);
    memcpy(longer, history, (size_t)n);
    longer[n] = ME[0];
    note("/history", longer, n + 1);
    if (turn % 2 == 0)
        EVENTUALLY(count_children(f, at(queue)) >= 2 || is_there("/done-" OTHER));
    note("/mirror", longer, n + 1);
    free(history);
    free(longer);
    EQ(ZOK, zokor_framework_delete(f, at("/inside"), 0));
}

static void mutex(void)
{
    struct zokor_mutex *m = zokor_mutex_new(f, at("/lock"));
    for (int i = 0; i < rounds; i++) {
        EQ(ZOK, zokor_mutex_acquire(m, CONTEST_WAIT_MS));
        alone("/lock", i);
        EQ(ZOK, zokor_mutex_release(m));
    }
    zokor_mutex_free(m);
}

/* With another lock that nobody else wants, in the same order as the other one. */
static void multi_lock(void)
{
    struct zokor_mutex *m[] = { zokor_mutex_new(f, at("/first")), zokor_mutex_new(f, at("/lock")) };
    for (int i = 0; i < rounds; i++) {
        EQ(ZOK, zokor_multi_lock_acquire(m, 2, CONTEST_WAIT_MS));
        alone("/first", i);
        EQ(ZOK, zokor_multi_lock_release(m, 2));
    }
    zokor_mutex_free(m[0]);
    zokor_mutex_free(m[1]);
}

static void semaphore_mutex(void)
{
    struct zokor_semaphore_mutex *m = zokor_semaphore_mutex_new(f, at("/lock"));
    for (int i = 0; i < rounds; i++) {
        EQ(ZOK, zokor_semaphore_mutex_acquire(m, CONTEST_WAIT_MS));
        alone("/lock/leases", i);
        EQ(ZOK, zokor_semaphore_mutex_release(m));
    }
    zokor_semaphore_mutex_free(m);
}

static void read_beside_writers(void)
{
    char *me, *history, *mirror;
    int n, m;
    EQ(ZOK, zokor_framework_create(f, at("/readers/r"), NULL, 0, ZOO_EPHEMERAL_SEQUENTIAL, 0, &me));
    CHECK(!is_there("/inside"));
    EQ(ZOK, zokor_framework_get(f, at("/mirror"), &mirror, &m, NULL));
    EQ(ZOK, zokor_framework_get(f, at("/history"), &history, &n, NULL));
    EQ(n, m);
    EQ(ZOK, zokor_framework_delete(f, me, 0));
    free(me);
    free(history);
    free(mirror);
}

/* At the end both read at once: readers that kept each other out would not meet. */
static void read_write(void)
{
    struct zokor_rw_lock *l = zokor_rw_lock_new(f, at("/lock"));
    for (int i = 0; i < rounds; i++) {
        bool writes = i % 3 == 0;
        struct zokor_mutex *m = writes ? zokor_rw_lock_write(l) : zokor_rw_lock_read(l);
        EQ(ZOK, zokor_mutex_acquire(m, CONTEST_WAIT_MS));
        if (writes) {
            EQ(0, count_children(f, at("/readers")));
            alone("/lock", i);
        } else {
            read_beside_writers();
        }
        EQ(ZOK, zokor_mutex_release(m));
    }
    put_mark("/done-" ME);
    meet("before-reading");
    EQ(ZOK, zokor_mutex_acquire(zokor_rw_lock_read(l), CONTEST_WAIT_MS));
    meet("reading");
    EQ(ZOK, zokor_mutex_release(zokor_rw_lock_read(l)));
    zokor_rw_lock_free(l);
}

static void latch(void)
{
    for (int i = 0; i < rounds; i++) {
        struct zokor_leader_latch *l = zokor_leader_latch_new(f, at("/lock"), ME, NULL, NULL);
        struct zokor_participant *p;
        int n;
        EQ(ZOK, zokor_leader_latch_start(l));
        EQ(ZOK, zokor_leader_latch_await(l, CONTEST_WAIT_MS));
        EQ(ZOK, zokor_leader_latch_participants(l, &p, &n));
        SAME(ME, p[0].id);
        for (int k = 1; k < n; k++)
            SAME(OTHER, p[k].id);
        zokor_participants_free(p, n);
        alone("/lock", i);
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
    alone("/lock", atomic_load(&terms));
    atomic_fetch_add(&terms, 1);
}

static void selector(void)
{
    struct zokor_leader_selector *s = zokor_leader_selector_new(f, at("/lock"), ME, term, NULL);
    zokor_leader_selector_auto_requeue(s);
    EQ(ZOK, zokor_leader_selector_start(s));
    EVENTUALLY(atomic_load(&terms) == rounds);
    put_mark("/done-" ME);
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

/* At the end each has one, and neither gets another. */
static void semaphore(void)
{
    struct zokor_semaphore *s = zokor_semaphore_new(f, at("/lock"), LEASES);
    struct zokor_lease *one, *more;
    pthread_t t[LEASES];
    for (int i = 0; i < LEASES; i++)
        EQ(0, pthread_create(&t[i], NULL, take_leases, s));
    for (int i = 0; i < LEASES; i++)
        pthread_join(t[i], NULL);
    EQ(ZOK, zokor_semaphore_acquire(s, 1, &one, CONTEST_WAIT_MS));
    meet("one-each");
    EQ(ZOPERATIONTIMEOUT, zokor_semaphore_acquire(s, 1, &more, REFUSED_MS));
    meet("no-more");
    EQ(ZOK, zokor_lease_return(one));
    zokor_semaphore_free(s);
}

static void double_barrier(void)
{
    for (int i = 0; i < rounds; i++) {
        struct zokor_double_barrier *b = zokor_double_barrier_new(f, numbered("/lock/%d", i), 2);
        EQ(ZOK, zokor_framework_create(f, numbered("/came/%d/" ME, i), NULL, 0, 0, ZOKOR_PARENTS, NULL));
        EQ(ZOK, zokor_double_barrier_enter(b, CONTEST_WAIT_MS));
        EQ(ZOK, zokor_framework_exists(f, numbered("/came/%d/" OTHER, i), NULL));
        EQ(ZOK, zokor_framework_create(f, numbered("/went/%d/" ME, i), NULL, 0, 0, ZOKOR_PARENTS, NULL));
        EQ(ZOK, zokor_double_barrier_leave(b, CONTEST_WAIT_MS));
        EQ(ZOK, zokor_framework_exists(f, numbered("/went/%d/" OTHER, i), NULL));
        zokor_double_barrier_free(b);
    }
}

static void barrier(void)
{
    EQ(ZOK, zokor_barrier_set(f, at("/of-" ME)));
    meet("set");
    EQ(ZOPERATIONTIMEOUT, zokor_barrier_wait(f, at("/of-" OTHER), REFUSED_MS));
    meet("waited");
    EQ(ZOK, zokor_barrier_remove(f, at("/of-" ME)));
    EQ(ZOK, zokor_barrier_wait(f, at("/of-" OTHER), CONTEST_WAIT_MS));
}

/* What one has the other does not get, until it is given back. */
struct wanted {
    const char *name;
    struct zokor_mutex *mutex[2]; /* both of a multi lock */
    struct zokor_semaphore_mutex *semaphore;
};

static int take(const struct wanted *w, int timeout_ms)
{
    if (w->semaphore != NULL)
        return zokor_semaphore_mutex_acquire(w->semaphore, timeout_ms);
    if (w->mutex[1] != NULL)
        return zokor_multi_lock_acquire(w->mutex, 2, timeout_ms);
    return zokor_mutex_acquire(w->mutex[0], timeout_ms);
}

static int give(const struct wanted *w)
{
    if (w->semaphore != NULL)
        return zokor_semaphore_mutex_release(w->semaphore);
    if (w->mutex[1] != NULL)
        return zokor_multi_lock_release(w->mutex, 2);
    return zokor_mutex_release(w->mutex[0]);
}

static void meet_at(const char *what, const char *holder, const char *step)
{
    char where[64];
    snprintf(where, sizeof(where), "%s-%s-%s", what, holder, step);
    meet(where);
}

static void refuse(const struct wanted *mine, const struct wanted *theirs)
{
    EQ(ZOK, take(mine, CONTEST_WAIT_MS));
    meet_at(mine->name, ME, "held");
    meet_at(mine->name, ME, "refused");
    EQ(ZOK, give(mine));
    meet_at(theirs->name, OTHER, "held");
    EQ(ZOPERATIONTIMEOUT, take(theirs, REFUSED_MS));
    meet_at(theirs->name, OTHER, "refused");
    EQ(ZOK, take(theirs, CONTEST_WAIT_MS));
    EQ(ZOK, give(theirs));
}

static void refused(void)
{
    struct wanted mutex = { .name = "mutex", .mutex = { zokor_mutex_new(f, at("/mutex")) } };
    struct wanted multi = { .name = "multi", .mutex = { zokor_mutex_new(f, at("/free")), mutex.mutex[0] } };
    struct wanted semaphore = { .name = "semaphore", .semaphore = zokor_semaphore_mutex_new(f, at("/semaphore")) };
    struct zokor_rw_lock *rw = zokor_rw_lock_new(f, at("/rw"));
    struct wanted reads = { .name = "read", .mutex = { zokor_rw_lock_read(rw) } };
    struct wanted writes = { .name = "write", .mutex = { zokor_rw_lock_write(rw) } };
    refuse(&mutex, &mutex);
    refuse(&semaphore, &semaphore);
    meet("multi");
    mutex.name = multi.name;
    refuse(&mutex, &multi);
    meet("read-write");
    reads.name = writes.name = "read";
    refuse(&reads, &writes);
    meet("write-read");
    reads.name = writes.name = "write";
    refuse(&writes, &reads);
    meet("write-write");
    writes.name = "write-write";
    refuse(&writes, &writes);
    zokor_rw_lock_free(rw);
    zokor_semaphore_mutex_free(semaphore.semaphore);
    zokor_mutex_free(mutex.mutex[0]);
    zokor_mutex_free(multi.mutex[0]);
}

static atomic_bool asked_back;

static void on_revoke(const char *path, int64_t token, void *context)
{
    (void)path;
    (void)token;
    (void)context;
    atomic_store(&asked_back, true);
}

/* Each asks the other for the lock, and gets it. */
static void revocation(void)
{
    struct zokor_mutex *m = zokor_mutex_new(f, at("/lock"));
    struct String_vector paths;
    zokor_mutex_make_revocable(m, on_revoke, NULL);
    EQ(ZOK, zokor_mutex_acquire(m, CONTEST_WAIT_MS));
    meet("ours");
    EVENTUALLY(atomic_load(&asked_back));
    EQ(ZOK, zokor_mutex_release(m));
    meet("theirs");
    EQ(ZOK, zokor_mutex_participants(m, &paths));
    EQ(1, paths.count);
    EQ(ZOK, zokor_revoke(f, paths.data[0]));
    deallocate_String_vector(&paths);
    EQ(ZOK, zokor_mutex_acquire(m, CONTEST_WAIT_MS));
    EQ(ZOK, zokor_mutex_release(m));
    zokor_mutex_free(m);
}

static void contend(const char *where, const struct test *contest)
{
    snprintf(base, sizeof(base), "%s/%s", where, contest->name);
    prepare("/history", "");
    prepare("/mirror", "");
    prepare("/readers", "");
    meet("start");
    contest->run();
    prepare("/done-" ME, "");
    meet("end");
    printf("PASS %s\n", contest->name);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const struct test contests[] = {
        { "mutex", mutex },
        { "multi_lock", multi_lock },
        { "semaphore_mutex", semaphore_mutex },
        { "read_write", read_write },
        { "latch", latch },
        { "selector", selector },
        { "semaphore", semaphore },
        { "double_barrier", double_barrier },
        { "barrier", barrier },
        { "refused", refused },
        { "revoke", revocation },
        { "count", shared_count },
        { "value", shared_value },
        { "number", atomic_number },
        { "queue_fifo", queue_fifo },
        { "queue_held", queue_held },
        { "queue_simple", queue_simple },
        { "queue_id", queue_id },
        { "queue_priority", queue_priority },
        { "queue_delay", queue_delay },
        { "group", group },
        { "persistent_node", persistent_node },
        { "registry", registry },
        { "cache_tree", cache_tree },
        { "cache_old_tree", cache_tree },
        { "cache_children", cache_children },
        { "cache_node", cache_node },
        { "compressed", compressed },
    };
    CHECK(argc > 4);
    hosts = argv[1];
    rounds = atoi(argv[3]);
    f = open_direct();
    for (int a = 4; a < argc; a++) {
        for (size_t i = 0; i < sizeof(contests) / sizeof(contests[0]); i++) {
            if (strcmp(contests[i].name, argv[a]) == 0)
                contend(argv[2], &contests[i]);
        }
    }
    EQ(ZOK, zokor_framework_close(f));
    return 0;
}
