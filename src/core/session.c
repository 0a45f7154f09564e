/* session: the live side of sessions: who is bound to which connection and when each expires. The durable side, id
 * and timeout, is in the tree's session table.
 *
 * Expiry follows Java's buckets (client specification 7.1): a touched session lives until the tick after
 * now + timeout. Touching only moves expires_ms; the wheel finds out when the session's slot comes up. */
#include "base/museum.h"
#include "base/hash.h"
#include "core/internal.h"

#define EXPIRE_PER_TURN_MAX 500u /* closeSessions proposed in one step: a mass expiry must not stall the others */

static size_t bucket_of(const struct core *c, int64_t id)
{
    return hash_u64(c->hash_key, (uint64_t)id) & (c->session_bucket_count - 1);
}

static void grow(struct core *c)
{
    size_t count = c->session_bucket_count == 0 ? 64 : c->session_bucket_count * 2;
    struct session **old = c->session_buckets;
    size_t old_count = c->session_bucket_count;
    c->session_buckets = mem_zalloc(count * sizeof *c->session_buckets);
    c->session_bucket_count = count;
    for (size_t i = 0; i < old_count; i++) {
        for (struct session *s = old[i], *next; s != NULL; s = next) {
            next = s->hash_next;
            size_t b = bucket_of(c, s->id);
            s->hash_next = c->session_buckets[b];
            c->session_buckets[b] = s;
        }
    }
    mem_free(old);
}

struct session *session_lookup(const struct core *c, int64_t id)
{
    if (c->session_count == 0)
        return NULL;
    struct session *s = c->session_buckets[bucket_of(c, id)];
    while (s != NULL && s->id != id)
        s = s->hash_next;
    return s;
}

static int64_t tick_of(const struct core *c, int64_t ms)
{
    return ms / c->opt.tick_time_ms;
}

/* Puts the session where the wheel will meet it at its deadline, or one turn of the wheel ahead if that is further. */
static void wheel_place(struct core *c, struct session *s)
{
    int64_t tick = tick_of(c, s->expires_ms);
    if (tick <= c->wheel_tick)
        tick = c->wheel_tick + 1;
    if (tick > c->wheel_tick + (int64_t)WHEEL_SLOTS - 1)
        tick = c->wheel_tick + (int64_t)WHEEL_SLOTS - 1;
    list_remove(&s->wheel);
    list_push_back(&c->wheel[(uint64_t)tick % WHEEL_SLOTS], &s->wheel);
}

void session_touch(struct core *c, struct session *s)
{
    s->expires_ms = (tick_of(c, c->now_ms + (SIM_BUG(expires_early) ? s->timeout_ms / 2 : s->timeout_ms)) + 1) *
                    c->opt.tick_time_ms;
}

/* A shorter timeout may bring the deadline before the place where the wheel would look. */
void session_set_timeout(struct core *c, struct session *s, int32_t timeout_ms)
{
    s->timeout_ms = timeout_ms;
    session_touch(c, s);
    wheel_place(c, s);
}

void session_own(struct session *s, uint32_t owner)
{
    if (s->owner != owner && s->owner != OWNER_NONE)
        s->moves++;
    s->owner = owner;
}

struct session *session_add(struct core *c, int64_t id, int32_t timeout_ms)
{
    if (c->session_count >= c->session_bucket_count)
        grow(c);
    struct session *s = mem_zalloc(sizeof *s);
    s->id = id;
    s->timeout_ms = timeout_ms;
    list_init(&s->wheel);
    list_init(&s->pending_ephemerals);
    size_t b = bucket_of(c, id);
    s->hash_next = c->session_buckets[b];
    c->session_buckets[b] = s;
    c->session_count++;
    s->owner = OWNER_NONE;
    session_touch(c, s);
    wheel_place(c, s);
    return s;
}

void session_remove(struct core *c, struct session *s)
{
    struct session **at = &c->session_buckets[bucket_of(c, s->id)];
    while (*at != s)
        at = &(*at)->hash_next;
    *at = s->hash_next;
    c->session_count--;
    list_remove(&s->wheel);
    while (!list_empty(&s->pending_ephemerals))
        list_remove(s->pending_ephemerals.next);
    if (s->conn != NULL)
        s->conn->session = NULL;
    mem_free(s);
}

/* False also for a leader whose epoch's counter has been used up within this very step. */
static bool proposes(const struct core *c)
{
    return ensemble_leads(c) && (c->ens.zab == NULL || zab_leads(c->ens.zab));
}

/* Expires what is due, at most EXPIRE_PER_TURN_MAX a step; the rest waits in c->expiring for the next one. */
void session_expire_due(struct core *c)
{
    int64_t tick = tick_of(c, c->now_ms);
    while (c->wheel_tick < tick) {
        c->wheel_tick++;
        struct list *slot = &c->wheel[(uint64_t)c->wheel_tick % WHEEL_SLOTS];
        LIST_FOR_SAFE(it, slot)
        {
            struct session *s = CONTAINER_OF(it, struct session, wheel);
            if (s->expires_ms > c->wheel_tick * c->opt.tick_time_ms) {
                wheel_place(c, s);
                continue;
            }
            list_remove(it);
            list_push_back(&c->expiring, it);
        }
    }
    for (unsigned n = 0; n < EXPIRE_PER_TURN_MAX && !list_empty(&c->expiring); n++) {
        struct session *s = CONTAINER_OF(c->expiring.next, struct session, wheel);
        list_remove(&s->wheel);
        if (s->closing || SIM_BUG(expires_never))
            continue;
        if (!s->local && !proposes(c)) { /* the leader's business */
            session_touch(c, s);
            wheel_place(c, s);
            continue;
        }
        if (s->expires_ms > c->now_ms) { /* touched while it waited here */
            wheel_place(c, s);
            continue;
        }
        int64_t id = s->id;
        int32_t timeout_ms = s->timeout_ms;
        if (s->local)
            local_end(c, s);
        else if (!pipeline_own(c, id, op_find(WIRE_OP_CLOSE_SESSION), slice_str("")))
            continue;
        log_info("session.expired", "session=0x%llx timeout_ms=%d", (unsigned long long)id, timeout_ms);
        c->stats.sessions_expired++;
    }
}

/* As SessionTrackerImpl.initializeNextSessionId: server id, then 40 bits of a millisecond clock, then a counter. The
 * wall clock is used since it does not begin again after a reboot, and no id at or below a living one is given. */
int64_t session_new_id(struct core *c)
{
    return c->next_session_id++;
}

/* No id is given again that this server has given, even if its clock has been set back since. Others that
 * followed it may have left no trace, in this start or in several: they were local, or died with the server before
 * anything was logged. A leap of up to a quarter of an hour, by chance, goes past them. */
static void outdo(struct core *c, int64_t id)
{
    if (id != 0 && ((uint64_t)id >> 56) == c->opt.server_id && id >= c->next_session_id)
        c->next_session_id = (id | 0xffff) + 1 + (int64_t)(hash_u64(c->opt.seed, (uint64_t)id) & 0xfffff0000u);
}

static void adopt(void *ctx, int64_t id, int32_t timeout_ms)
{
    struct core *c = ctx;
    session_add(c, id, timeout_ms);
    outdo(c, id);
}

void session_table_init(struct core *c)
{
    for (unsigned i = 0; i < WHEEL_SLOTS; i++)
        list_init(&c->wheel[i]);
    list_init(&c->expiring);
    c->wheel_tick = tick_of(c, c->now_ms);
    uint64_t first = ((uint64_t)c->opt.start_wall_ms << 24) >> 8;
    c->next_session_id = (int64_t)((uint64_t)c->opt.server_id << 56 | first);
    if (c->next_session_id == WIRE_OWNER_CONTAINER)
        c->next_session_id++;
    outdo(c, c->opt.past_session_id);
    grow(c);
    tree_sessions(c->tree, adopt, c);
}

void session_table_rebuild(struct core *c)
{
    for (size_t i = 0; i < c->session_bucket_count; i++) {
        while (c->session_buckets[i] != NULL)
            session_remove(c, c->session_buckets[i]);
    }
    c->wheel_tick = tick_of(c, c->now_ms);
    tree_sessions(c->tree, adopt, c);
}

void session_table_fini(struct core *c)
{
    for (size_t i = 0; i < c->session_bucket_count; i++) {
        while (c->session_buckets[i] != NULL)
            session_remove(c, c->session_buckets[i]);
    }
    mem_free(c->session_buckets);
}

/* java.util.Random seeded with the id, as ZooKeeperServer.generatePasswd: every server of a mixed ensemble must come
 * to the same bytes (client specification 2.5). */
void session_password(int64_t id, uint8_t to[WIRE_PASSWD_BYTES])
{
    const uint64_t mask = (1ull << 48) - 1;
    uint64_t s = ((uint64_t)id ^ 0xB3415C00u ^ 0x5DEECE66Dull) & mask;
    for (int i = 0; i < 4; i++) {
        s = (s * 0x5DEECE66Dull + 0xB) & mask;
        uint32_t w = (uint32_t)(s >> 16);
        for (int byte = 0; byte < 4; byte++)
            to[i * 4 + byte] = (uint8_t)(w >> (8 * byte));
    }
}
