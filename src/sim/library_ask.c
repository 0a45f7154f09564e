/* library_ask: what the program above a library does by chance. */
#include "base/err.h"
#include "base/mem.h"
#include "sim/library_internal.h"
#include "wire/records.h"
#include <stdio.h>

#define DEADLINE_MS_MAX 3000

/* Never called: the core hands functions back, it does not know what they are. */
static void nobody(void)
{
}

static struct client_watcher watcher_of(unsigned number)
{
    return (struct client_watcher){ .fn = nobody, .ctx = (void *)(uintptr_t)(number + 1) };
}

static bool is_up(const struct library *l)
{
    enum client_state s = client_state_of(l->core);
    return l->judge.up && (s == CLIENT_STATE_CONNECTED || s == CLIENT_STATE_READ_ONLY);
}

/* The kinds have other names on this side. */
static enum client_watch_kind kind_of(const struct client_request *q)
{
    static const enum client_watch_kind kinds[] = {
        [SIM_WATCH_DATA] = CLIENT_WATCH_DATA,       [SIM_WATCH_EXIST] = CLIENT_WATCH_EXIST,
        [SIM_WATCH_CHILD] = CLIENT_WATCH_CHILD,     [SIM_WATCH_ALL] = CLIENT_WATCH_PERSISTENT,
        [SIM_WATCH_BELOW] = CLIENT_WATCH_RECURSIVE,
    };
    return q->op == WIRE_OP_EXISTS ? CLIENT_WATCH_EXIST : kinds[q->kind];
}

static void commit(struct library *l, const struct client_request *q, int32_t xid)
{
    struct library_asked asked = { .xid = xid,
                                   .op = q->op,
                                   .watches = q->watches,
                                   .kind = q->op == WIRE_OP_EXISTS ? CLIENT_WATCH_DATA : kind_of(q),
                                   .watcher = (unsigned)dice_between(&l->works, 0, LIBRARY_WATCHERS - 1) };
    struct slice path = slice_str(q->path);
    if (dice_one_in(&l->works, 6))
        asked.deadline_ms = l->c->now_us / 1000 + dice_between(&l->works, 1, DEADLINE_MS_MAX);
    snprintf(asked.path, sizeof asked.path, "%s", q->path);
    uint32_t serial = judge_accepted(&l->judge, asked);
    struct client_call call = { .fn = nobody, .data = (const void *)(uintptr_t)serial };
    struct client_watch_wish wish = { .kind = kind_of(q), .path = path, .watcher = watcher_of(asked.watcher) };
    int rc = client_commit(l->core, &call, asked.deadline_ms, q->watches ? &wish : NULL);
    if (rc != 0)
        judge_wrong(&l->judge, "library.refused", "a request of op %d is not accepted: %d", q->op, rc);
    l->c->ops_sent++;
}

/* A watch that is on its way when another one is removed. */
static void watch_too(struct library *l, const char *path)
{
    struct client_request q = { .op = WIRE_OP_EXISTS, .watches = true, .kind = SIM_WATCH_DATA };
    struct buf *b = NULL;
    int rc = client_begin(l->core, q.op, &b);
    ASSERT(rc == 0);
    int32_t xid = (int32_t)load_be32(b->p + b->n - 8);
    snprintf(q.path, sizeof q.path, "%s", path);
    wire_put_path_watch_request(b, &(struct wire_path_watch_request){ slice_str(path), true });
    commit(l, &q, xid);
}

/* As zoo_remove_watches: the server is told to remove when nobody else here wants the watch, and only asked when
 * somebody does. local: the watchers are forgotten whatever the server says. */
static void unwatch(struct library *l)
{
    static const unsigned kinds[] = { [WIRE_WATCHER_CHILDREN] = CLIENT_WATCH_BIT(CLIENT_WATCH_CHILD),
                                      [WIRE_WATCHER_DATA] =
                                          CLIENT_WATCH_BIT(CLIENT_WATCH_DATA) | CLIENT_WATCH_BIT(CLIENT_WATCH_EXIST),
                                      [WIRE_WATCHER_ANY] = CLIENT_WATCH_ANY,
                                      [WIRE_WATCHER_PERSISTENT] = CLIENT_WATCH_BIT(CLIENT_WATCH_PERSISTENT),
                                      [WIRE_WATCHER_PERSISTENT_RECURSIVE] = CLIENT_WATCH_BIT(CLIENT_WATCH_RECURSIVE) };
    struct dice *d = &l->works;
    const struct library_watches *kept = &l->judge.watches;
    int32_t type = (int32_t)dice_between(d, WIRE_WATCHER_CHILDREN, WIRE_WATCHER_PERSISTENT_RECURSIVE);
    struct library_watch one = kept->p[dice_between(d, 0, (int64_t)kept->n - 1)];
    bool all = dice_one_in(d, 3), local = dice_one_in(d, 4);
    const struct client_watcher w = watcher_of(one.watcher);
    const struct client_watcher *which = all ? NULL : &w;
    struct client_watches *tables = client_watch_tables(l->core);
    struct slice path = slice_str(one.path);
    struct buf *b = NULL;
    if (!client_watches_have(tables, path, kinds[type], which))
        return;
    if (dice_one_in(d, 3))
        watch_too(l, one.path);
    bool others = client_watch_shared(l->core, path, kinds[type], which);
    int32_t op = others ? WIRE_OP_CHECK_WATCHES : WIRE_OP_REMOVE_WATCHES;
    int rc = client_begin(l->core, op, &b);
    ASSERT(rc == 0);
    struct library_asked asked = { .xid = (int32_t)load_be32(b->p + b->n - 8),
                                   .op = op,
                                   .forgets = local ? 0 : kinds[type],
                                   .armed = others ? 0 : kinds[type],
                                   .watcher = all ? LIBRARY_EVERYBODY : one.watcher };
    snprintf(asked.path, sizeof asked.path, "%s", one.path);
    wire_put_path_kind_request(b, &(struct wire_path_kind_request){ path, type });
    struct client_call call = { .fn = nobody, .data = (const void *)(uintptr_t)judge_accepted(&l->judge, asked) };
    if (local) {
        client_forget_now(l->core, path, kinds[type], which);
        judge_forgets(&l->judge, path, kinds[type], asked.watcher);
    }
    rc = client_commit(l->core, &call, 0, NULL);
    ASSERT(rc == 0);
    if (!local)
        client_forget_after(l->core, path, kinds[type], which);
    cover(&l->c->coverage, COVER_library_unwatched);
    l->c->ops_sent++;
}

void library_ask(struct library *l)
{
    struct client_request q = { 0 };
    struct buf *b = NULL;
    buf_reset(&l->scratch);
    simclient_next_request(l->client, &l->works, l->judge.last_xid + 1, &l->scratch, &q);
    if (q.op == WIRE_OP_REMOVE_WATCHES) {
        if (l->judge.watches.n != 0)
            unwatch(l);
        return;
    }
    int rc = client_begin(l->core, q.op, &b);
    if (rc != 0) {
        judge_wrong(&l->judge, "library.refused", "op %d is refused with %d", q.op, rc);
        return;
    }
    int32_t xid = (int32_t)load_be32(b->p + b->n - 8);
    buf_append(b, l->scratch.p + 8, l->scratch.n - 8); /* the record, without the header */
    if (dice_one_in(&l->works, 100)) {                 /* the program thinks better of it */
        client_abandon(l->core);
        return;
    }
    commit(l, &q, xid);
}

void library_prove(struct library *l)
{
    uint32_t user = simclient_user(l->client);
    if (user >= CLIENT_USERS)
        return;
    buf_reset(&l->scratch);
    simclient_put_auth(user, &l->scratch);
    struct wire_reader r = wire_reader_of(slice_of(l->scratch.p + 8, l->scratch.n - 8));
    struct wire_auth_request a = wire_get_auth_request(&r);
    struct client_call call = { .fn = nobody, .tag = LIBRARY_TAG_AUTH };
    l->judge.auth_asked++;
    if (client_add_auth(l->core, a.scheme, a.auth, &call) != 0)
        judge_wrong(&l->judge, "library.refused", "an identity is not accepted");
}

static bool holds(const struct library *l, uint32_t member)
{
    for (size_t i = 0; i < l->server_n; i++)
        if (l->servers[i].bytes[0] == member)
            return true;
    return false;
}

void library_relist(struct library *l, bool whole)
{
    struct cluster *c = l->c;
    l->server_n = 0;
    for (uint32_t i = 0; i < c->member_count; i++)
        if (whole || dice_one_in(&l->dice, 2))
            l->servers[l->server_n++] = (struct client_addr){ .n = 1, .bytes = { (uint8_t)i } };
    if (l->server_n == 0)
        l->servers[l->server_n++] =
            (struct client_addr){ .n = 1, .bytes = { (uint8_t)dice_between(&l->dice, 0, c->member_count - 1) } };
    if (l->core == NULL)
        return;
    bool was_up = is_up(l);
    cover(&c->coverage, COVER_library_relists);
    judge_servers(&l->judge, l->server_n);
    l->judge.may_leave = true;
    client_set_servers(l->core, l->servers, l->server_n, c->now_us / 1000);
    bool left = was_up && !is_up(l);
    if (left)
        cover(&c->coverage, COVER_library_moved);
    else if (was_up && !holds(l, l->member))
        judge_wrong(&l->judge, "library.stays", "stays with member %u, which is not in its list any more",
                    l->member + 1);
    if (!left)
        l->judge.may_leave = false;
}

void library_hand_over(struct library *l)
{
    if (!is_up(l) || !l->judge.seen_writable || l->judge.closing)
        return;
    cover(&l->c->coverage, COVER_library_handed_over);
    l->takes_over = true;
    l->old_session_id = client_session_id(l->core);
    memcpy(l->old_passwd, client_passwd(l->core), sizeof l->old_passwd);
    l->old_xid = l->judge.last_xid;
    judge_closes(&l->judge, false, l->c->now_us / 1000);
    if (dice_one_in(&l->dice, 3)) /* its server does not hear of it */
        library_mute(l);
    client_abort(l->core);
    library_pump(l);
}
