/* Takes turns with others of its kind until its input ends, whatever happens to the servers.
 *
 *     survivor HOSTS BASE CONTEST NAME
 *     survivor HOSTS BASE CONTEST hold      takes it, says so, and keeps it until it dies
 *
 * In each turn it writes its token to a node. Whoever still holds what it holds must never see a higher token than its
 * own there, nor be overtaken between reading and writing. */
#include "check.h"
#include <zokor/leader.h>
#include <zokor/lock.h>

char base[64];
const char *hosts;
int port;

static struct zokor_framework *f;

/* What is contended for, in one shape. */
struct thing {
    const char *name;
    void *(*make)(void);
    int (*take)(void *x);
    int64_t (*token)(void *x);
    int (*is_held)(void *x);
    void (*give_back)(void *x);
    void (*end)(void *x);
};

static void *mutex_make(void)
{
    return zokor_mutex_new(f, at("/lock"));
}

static int mutex_take(void *x)
{
    return zokor_mutex_acquire(x, WAIT_MS);
}

static int64_t mutex_token(void *x)
{
    return zokor_mutex_token(x);
}

static int mutex_is_held(void *x)
{
    return zokor_mutex_hold(x) == ZOKOR_HELD;
}

static void mutex_give_back(void *x)
{
    (void)zokor_mutex_release(x);
}

static void mutex_end(void *x)
{
    zokor_mutex_free(x);
}

static void *writer_make(void)
{
    return zokor_rw_lock_new(f, at("/lock"));
}

static int writer_take(void *x)
{
    return mutex_take(zokor_rw_lock_write(x));
}

static int64_t writer_token(void *x)
{
    return mutex_token(zokor_rw_lock_write(x));
}

static int writer_is_held(void *x)
{
    return mutex_is_held(zokor_rw_lock_write(x));
}

static void writer_give_back(void *x)
{
    mutex_give_back(zokor_rw_lock_write(x));
}

static void writer_end(void *x)
{
    zokor_rw_lock_free(x);
}

static void *single_make(void)
{
    return zokor_semaphore_mutex_new(f, at("/lock"));
}

static int single_take(void *x)
{
    return zokor_semaphore_mutex_acquire(x, WAIT_MS);
}

static int64_t single_token(void *x)
{
    return zokor_semaphore_mutex_token(x);
}

static int single_is_held(void *x)
{
    return zokor_semaphore_mutex_hold(x) == ZOKOR_HELD;
}

static void single_give_back(void *x)
{
    (void)zokor_semaphore_mutex_release(x);
}

static void single_end(void *x)
{
    zokor_semaphore_mutex_free(x);
}

/* A latch is not taken again: each turn has one of its own. */
static struct zokor_leader_latch *latch;

static void *latch_make(void)
{
    return NULL;
}

static int latch_take(void *x)
{
    (void)x;
    latch = zokor_leader_latch_new(f, at("/lock"), "s", NULL, NULL);
    EQ(ZOK, zokor_leader_latch_start(latch));
    return zokor_leader_latch_await(latch, WAIT_MS);
}

static int64_t latch_token(void *x)
{
    (void)x;
    return zokor_leader_latch_token(latch);
}

static int latch_is_held(void *x)
{
    (void)x;
    return zokor_leader_latch_leads(latch);
}

static void latch_give_back(void *x)
{
    (void)x;
    zokor_leader_latch_free(latch, 0);
}

static void latch_end(void *x)
{
    (void)x;
}

static const struct thing things[] = {
    { "mutex", mutex_make, mutex_take, mutex_token, mutex_is_held, mutex_give_back, mutex_end },
    { "read_write", writer_make, writer_take, writer_token, writer_is_held, writer_give_back, writer_end },
    { "semaphore_mutex", single_make, single_take, single_token, single_is_held, single_give_back, single_end },
    { "latch", latch_make, latch_take, latch_token, latch_is_held, latch_give_back, latch_end },
};

/* 1: a whole turn was had. */
static int turn(const struct thing *t, void *x, const char *name, int number)
{
    char *data, mine[96];
    struct Stat stat;
    int n, rc = t->take(x);
    if (rc != ZOK) { /* the connection was gone for too long, say */
        t->give_back(x);
        return 0;
    }
    int64_t token = t->token(x);
    snprintf(mine, sizeof(mine), "%lld %s %d", (long long)token, name, number);
    rc = token < 0 ? ZINVALIDSTATE : zokor_framework_get(f, at("/last"), &data, &n, &stat);
    if (rc == ZOK) {
        int64_t last = atoll(data);
        int held = t->is_held(x) && t->token(x) == token;
        CHECK(last <= token || !held);
        free(data);
        rc = held ? zokor_framework_set(f, at("/last"), mine, (int)strlen(mine), stat.version) : ZINVALIDSTATE;
    }
    if (rc == ZBADVERSION) { /* by our own try whose reply was lost, or by somebody beside us */
        EQ(ZOK, zokor_framework_get(f, at("/last"), &data, &n, NULL));
        CHECK(strcmp(data, mine) == 0 || !t->is_held(x) || t->token(x) != token);
        free(data);
    }
    t->give_back(x);
    return rc == ZOK;
}

static void *read_input(void *ended)
{
    while (getchar() != EOF)
        ;
    atomic_store((atomic_int *)ended, 1);
    return NULL;
}

int main(int argc, char **argv)
{
    static atomic_int ended;
    pthread_t t;
    CHECK(argc == 5);
    hosts = argv[1];
    snprintf(base, sizeof(base), "%s-%s", argv[2], argv[3]);
    f = open_at(hosts, strcmp(argv[4], "hold") == 0 ? SHORT_SESSION_MS : SESSION_MS);
    int rc = zokor_framework_create(f, at("/last"), "0", 1, 0, ZOKOR_PARENTS, NULL);
    CHECK(rc == ZOK || rc == ZNODEEXISTS);
    EQ(0, pthread_create(&t, NULL, read_input, &ended));
    for (size_t i = 0; i < sizeof(things) / sizeof(things[0]); i++) {
        if (strcmp(things[i].name, argv[3]) != 0)
            continue;
        void *x = things[i].make();
        int turns = 0;
        if (strcmp(argv[4], "hold") == 0) {
            EQ(ZOK, things[i].take(x));
            printf("holding\n");
            fflush(stdout);
            pthread_join(t, NULL);
        }
        for (int number = 0; !atomic_load(&ended) || turns < 20; number++) {
            if (!turn(&things[i], x, argv[4], number))
                continue;
            printf("turn %d\n", ++turns);
            fflush(stdout);
        }
        things[i].end(x);
        printf("PASS %d turns\n", turns);
    }
    pthread_join(t, NULL);
    EQ(ZOK, zokor_framework_close(f));
    return 0;
}
