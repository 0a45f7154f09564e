/* scenario_steps: what a line of a script does. */
#include "base/err.h"
#include "base/log.h"
#include "sim/oracle.h"
#include "sim/scenario_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool begun(struct scenario *s)
{
    if (s->begun)
        return true;
    s->begun = true;
    s->c.opt = s->options;
    cluster_begin_directed(&s->c, &s->d, s->result);
    return !s->c.finding.is;
}

static uint32_t count_packets(const struct scenario *s, int type)
{
    uint32_t n = 0;
    for (uint32_t a = 0; a < s->c.member_count; a++)
        for (uint32_t b = 0; b < s->c.member_count; b++)
            n += s->d.delivered[a][b][type];
    return n;
}

/* The next thing happens; who is to die of it, dies. */
static bool scenario_next(struct scenario *s, int64_t until_us)
{
    bool more = cluster_next(&s->c, until_us);
    if (s->trap_member == NULL || count_packets(s, s->trap_type) == s->trap_count)
        return more;
    struct sim_member *m = s->trap_member;
    s->trap_member = NULL;
    member_stop(m, s->trap_end);
    return !s->c.finding.is;
}

static bool run_for(struct scenario *s, int64_t us)
{
    int64_t until_us = s->c.now_us + us;
    while (scenario_next(s, until_us))
        continue;
    return !s->c.finding.is;
}

/* "200ms" or "3s"; negative: it is neither. */
static int64_t duration_us(const char *word)
{
    char *end;
    int64_t n = strtoll(word, &end, 10);
    return n < 0                    ? -1
           : strcmp(end, "us") == 0 ? n
           : strcmp(end, "ms") == 0 ? n * 1000
           : strcmp(end, "s") == 0  ? n * 1000000
                                    : -1;
}

/* ---- set-up ---- */

/* "ensemble 3", "ensemble 3 observers 1" */
static bool do_ensemble(struct scenario *s, const struct words *w)
{
    s->options.v[OPT_members] = strtol(w->w[1], NULL, 10);
    if (w->n == 4 && strcmp(w->w[2], "observers") == 0)
        s->options.v[OPT_observers] = strtol(w->w[3], NULL, 10);
    return begun(s);
}

/* "set sync_us 5000": an option of the simulator; before "ensemble" for what members start with. */
static bool do_set(struct scenario *s, const struct words *w)
{
    char text[64];
    snprintf(text, sizeof text, "%s=%s", w->w[1], w->n > 2 ? w->w[2] : "");
    if (options_set(&s->options, text) == 0) {
        memcpy(s->c.opt.v, s->options.v, sizeof s->c.opt.v);
        return true;
    }
    scenario_wrong(s, "'%s' is no option", text);
    return false;
}

/* ---- members ---- */

/* Of "1 2 3" or "1,2,3", in that order. */
static bool for_members(struct scenario *s, const struct words *w, bool (*act)(struct scenario *, struct sim_member *))
{
    for (size_t i = 1; i < w->n; i++) {
        for (const char *p = w->w[i]; *p != '\0'; p += strcspn(p, ",") + (p[strcspn(p, ",")] == ',')) {
            char one[16];
            snprintf(one, sizeof one, "%.*s", (int)strcspn(p, ","), p);
            struct sim_member *m = scenario_member(s, one);
            if (m == NULL || !act(s, m) || s->c.finding.is)
                return false;
        }
    }
    return true;
}

static bool start_one(struct scenario *s, struct sim_member *m)
{
    if (m->up)
        return true;
    if (!member_start(m) && !m->rotten)
        scenario_wrong(s, "member %u does not start", m->index + 1);
    return run_for(s, 1000);
}

/* "start 1 2 3" or "start 3,1,2": in that order */
static bool do_start(struct scenario *s, const struct words *w)
{
    return for_members(s, w, start_one);
}

static bool kill_one(struct scenario *s, struct sim_member *m)
{
    (void)s;
    member_stop(m, MEMBER_KILLED);
    return true;
}

static bool do_kill(struct scenario *s, const struct words *w)
{
    return for_members(s, w, kill_one);
}

/* "trap 2 NEWLEADER kill", "... power": it dies when the next such packet has arrived, wherever */
static bool do_trap(struct scenario *s, const struct words *w)
{
    struct sim_member *m = scenario_member(s, w->w[1]);
    int type = directed_packet(w->w[2]);
    if (m == NULL || type < 0)
        return false;
    s->trap_member = m;
    s->trap_type = type;
    s->trap_count = count_packets(s, type);
    s->trap_end = strcmp(w->w[3], "kill") == 0 ? MEMBER_KILLED : MEMBER_POWERLESS;
    m->death = (struct member_death){ .plan.kind = DISK_CRASH_LOSE };
    return true;
}

/* "power 2 lose", "power 2 keep", "power 2 torn 7"; "... after 3" operations of what is being written. "power 2 kill"
 * is "kill 2", for scripts that try both */
static bool do_power(struct scenario *s, const struct words *w)
{
    struct sim_member *m = scenario_member(s, w->w[1]);
    if (m == NULL)
        return false;
    m->death = (struct member_death){ .plan.kind = DISK_CRASH_LOSE };
    for (size_t i = 2; i < w->n; i++) {
        uint64_t number = i + 1 < w->n ? strtoull(w->w[i + 1], NULL, 10) : 0;
        if (strcmp(w->w[i], "keep") == 0)
            m->death.plan.kind = DISK_CRASH_KEEP;
        else if (strcmp(w->w[i], "torn") == 0)
            m->death.plan = (struct disk_crash_plan){ DISK_CRASH_SEED, number };
        else if (strcmp(w->w[i], "after") == 0)
            m->death.operations = number;
    }
    member_stop(m, w->n > 2 && strcmp(w->w[2], "kill") == 0 ? MEMBER_KILLED : MEMBER_POWERLESS);
    return true;
}

/* "fuse 2 7 [keep|torn 3]": power fails at the 7th disk operation from now */
static bool do_fuse(struct scenario *s, const struct words *w)
{
    struct sim_member *m = w->n < 3 ? NULL : scenario_member(s, w->w[1]);
    if (m == NULL)
        return false;
    disk_cut_power_at(m->disk, disk_op_count(m->disk) + strtoull(w->w[2], NULL, 10));
    m->death = (struct member_death){ .plan.kind = DISK_CRASH_LOSE };
    if (w->n > 3 && strcmp(w->w[3], "keep") == 0)
        m->death.plan.kind = DISK_CRASH_KEEP;
    if (w->n > 4 && strcmp(w->w[3], "torn") == 0)
        m->death.plan = (struct disk_crash_plan){ DISK_CRASH_SEED, strtoull(w->w[4], NULL, 10) };
    return true;
}

static bool wipe_one(struct scenario *s, struct sim_member *m)
{
    (void)s;
    member_wipe(m);
    return true;
}

static bool do_wipe(struct scenario *s, const struct words *w)
{
    return for_members(s, w, wipe_one);
}

static bool back_up_one(struct scenario *s, struct sim_member *m)
{
    (void)s;
    member_back_up(m);
    return true;
}

static bool do_back_up(struct scenario *s, const struct words *w)
{
    return for_members(s, w, back_up_one);
}

/* It ends; its disk is as it was at "backup". */
static bool restore_one(struct scenario *s, struct sim_member *m)
{
    (void)s;
    return member_restore(m);
}

static bool do_restore(struct scenario *s, const struct words *w)
{
    return for_members(s, w, restore_one);
}

static bool pause_one(struct scenario *s, struct sim_member *m)
{
    s->c.disturbed_us = s->c.now_us;
    m->paused = m->up;
    return true;
}

static bool resume_one(struct scenario *s, struct sim_member *m)
{
    s->c.disturbed_us = s->c.now_us;
    m->paused = false;
    cluster_unkeep(&s->c, m);
    return true;
}

static bool do_pause(struct scenario *s, const struct words *w)
{
    return for_members(s, w, pause_one);
}

static bool do_resume(struct scenario *s, const struct words *w)
{
    return for_members(s, w, resume_one);
}

static bool snapshot_one(struct scenario *s, struct sim_member *m)
{
    if (m->up)
        member_snapshot(m);
    return run_for(s, 1);
}

static bool do_snapshot(struct scenario *s, const struct words *w)
{
    return for_members(s, w, snapshot_one);
}

static bool purge_one(struct scenario *s, struct sim_member *m)
{
    (void)s;
    member_purge(m);
    return true;
}

static bool do_purge(struct scenario *s, const struct words *w)
{
    return for_members(s, w, purge_one);
}

/* ---- disks ---- */

/* "disk 2 holds log", "disk 2 goes on", "disk 2 fails write 1 IO [lasting]" */
static bool do_disk(struct scenario *s, const struct words *w)
{
    static const struct {
        const char *word;
        unsigned kinds;
    } holds[] = { { "log", DIRECTED_LOG },           { "epochs", DIRECTED_EPOCHS }, { "cut", DIRECTED_CUT },
                  { "snapshot", DIRECTED_SNAPSHOT }, { "feed", DIRECTED_FEED },     { "all", DIRECTED_DISK } },
      ops[] = { { "write", DISK_OP_WRITE },      { "sync", DISK_OP_SYNC },     { "open", DISK_OP_OPEN },
                { "rename", DISK_OP_RENAME },    { "remove", DISK_OP_REMOVE }, { "truncate", DISK_OP_TRUNCATE },
                { "syncdir", DISK_OP_SYNC_DIR }, { "any", DISK_OP_CHANGING } };
    struct sim_member *m = w->n < 4 ? NULL : scenario_member(s, w->w[1]);
    if (m == NULL)
        return false;
    if (strcmp(w->w[2], "goes") == 0) {
        s->d.disk_held[m->index] = 0;
        cluster_unkeep(&s->c, m);
        return true;
    }
    for (size_t i = 0; strcmp(w->w[2], "holds") == 0 && i < ARRAY_COUNT(holds); i++)
        if (strcmp(w->w[3], holds[i].word) == 0)
            return s->d.disk_held[m->index] |= holds[i].kinds, true;
    for (size_t i = 0; strcmp(w->w[2], "fails") == 0 && w->n > 5 && i < ARRAY_COUNT(ops); i++) {
        if (strcmp(w->w[3], ops[i].word) != 0)
            continue;
        disk_set_fault(m->disk, (struct disk_fault){ .kinds = ops[i].kinds,
                                                     .nth = strtoull(w->w[4], NULL, 10),
                                                     .err = strcmp(w->w[5], "NO_SPACE") == 0 ? ERR_NO_SPACE : ERR_IO,
                                                     .lasting = w->n > 6 });
        return true;
    }
    if (strcmp(w->w[2], "rots") == 0 && w->n > 4)
        return member_rot(m, strcmp(w->w[3], "log") == 0, 0, strtoull(w->w[4], NULL, 10));
    scenario_wrong(s, "a disk does not do this");
    return false;
}

/* ---- network ---- */

/* "cut 3 | 1 2": nothing goes between groups */
static bool do_cut(struct scenario *s, const struct words *w)
{
    int group[NET_MEMBERS_MAX] = { 0 }, at = 1;
    for (size_t i = 1; i < w->n; i++) {
        struct sim_member *m = strcmp(w->w[i], "|") == 0 ? NULL : scenario_member(s, w->w[i]);
        if (m != NULL)
            group[m->index] = at;
        else
            at++;
    }
    for (uint32_t a = 0; a < s->c.member_count; a++)
        for (uint32_t b = 0; b < s->c.member_count; b++)
            s->c.net.blocked[a][b] = group[a] != group[b];
    s->c.disturbed_us = s->c.now_us;
    return !s->c.finding.is;
}

/* From and to of "... 3 > 1 ..." */
static bool ends_of(struct scenario *s, const struct words *w, uint32_t *from, uint32_t *to)
{
    if (w->n < 4 || strcmp(w->w[2], ">") != 0) {
        scenario_wrong(s, "'%s' wants FROM > TO", w->w[0]);
        return false;
    }
    const struct sim_member *a = scenario_member(s, w->w[1]), *b = scenario_member(s, w->w[3]);
    if (a == NULL || b == NULL)
        return false;
    *from = a->index;
    *to = b->index;
    return true;
}

static void let_flow(struct scenario *s)
{
    struct net *n = &s->c.net;
    memset(s->d.waits, 0, sizeof s->d.waits);
    for (uint32_t i = 0; i < n->live_count; i++)
        for (unsigned side = 0; side < 2; side++)
            cluster_at(&s->c, s->c.now_us, HAPPEN_WIRE_ARRIVED, n->live[i], side, NULL);
}

/* "block 3 > 1": nothing goes this way */
static bool do_block(struct scenario *s, const struct words *w)
{
    uint32_t from, to;
    if (!ends_of(s, w, &from, &to))
        return false;
    s->c.net.blocked[from][to] = true;
    s->c.disturbed_us = s->c.now_us;
    return true;
}

static bool do_heal(struct scenario *s, const struct words *w)
{
    (void)w;
    simnet_heal(&s->c);
    s->c.disturbed_us = s->c.now_us;
    return true;
}

/* "refuse 3": nobody gets a connection to its learner port; "accept 3" */
static bool do_refuse(struct scenario *s, const struct words *w)
{
    const struct sim_member *m = scenario_member(s, w->w[1]);
    if (m == NULL)
        return false;
    s->c.net.refuses_until_us[m->index][ZAB_PORT_LEARNER] = strcmp(w->w[0], "refuse") == 0 ? INT64_MAX : 0;
    s->c.disturbed_us = s->c.now_us;
    return true;
}

/* "oracle 1 says 1": two members, and what stands in the file of this one; before it starts */
static bool do_oracle(struct scenario *s, const struct words *w)
{
    struct sim_member *m = scenario_member(s, w->w[1]);
    if (m == NULL || w->n != 4)
        return false;
    s->c.has_oracle = true;
    m->oracle_says = strcmp(w->w[3], "1") == 0;
    return true;
}

/* "hold 3 > 1 NEWLEADER": it and all behind it waits */
static bool do_hold(struct scenario *s, const struct words *w)
{
    uint32_t from, to;
    int type = w->n < 5 ? -1 : directed_packet(w->w[4]);
    if (type < 0) {
        scenario_wrong(s, "there is no such packet");
        return false;
    }
    if (!ends_of(s, w, &from, &to))
        return false;
    s->d.held[from][to][type] = true;
    return true;
}

/* "let 3 > 1" */
static bool do_let(struct scenario *s, const struct words *w)
{
    uint32_t from, to;
    if (!ends_of(s, w, &from, &to))
        return false;
    memset(s->d.held[from][to], 0, sizeof s->d.held[from][to]);
    let_flow(s);
    return true;
}

/* "tear 3 > 1 PROPOSAL 17": of the next one so many bytes arrive, then the connection is lost */
static bool do_tear(struct scenario *s, const struct words *w)
{
    uint32_t from, to;
    int type = w->n < 6 ? -1 : directed_packet(w->w[4]);
    if (type < 0 || !ends_of(s, w, &from, &to))
        return false;
    s->d.tear.is = true;
    s->d.tear.from = from;
    s->d.tear.to = to;
    s->d.tear.type = type;
    s->d.tear.bytes = strtoull(w->w[5], NULL, 10);
    return true;
}

/* "break 3 1": connections between the two are lost, with all that was under way */
static bool do_break(struct scenario *s, const struct words *w)
{
    struct net *n = &s->c.net;
    const struct sim_member *a = w->n < 3 ? NULL : scenario_member(s, w->w[1]);
    const struct sim_member *b = a == NULL ? NULL : scenario_member(s, w->w[2]);
    if (b == NULL)
        return false;
    s->c.disturbed_us = s->c.now_us;
    for (uint32_t i = 0; i < n->live_count; i++) {
        struct net_wire *k = n->wires[n->live[i]];
        if ((k->member[0] != a->index || k->member[1] != b->index) &&
            (k->member[0] != b->index || k->member[1] != a->index))
            continue;
        for (unsigned side = 0; side < 2; side++) {
            k->to[side].data.n = 0;
            k->to[side].chunk_count = 0;
            k->to[side].ends = true;
            k->to[side].last_us = s->c.now_us;
            cluster_at(&s->c, s->c.now_us, HAPPEN_WIRE_ARRIVED, n->live[i], side, NULL);
        }
    }
    return true;
}

/* ---- clients ---- */

static struct script_client *client_of(struct scenario *s, const char *name)
{
    for (uint32_t i = 0; i < s->c.client_count; i++)
        if (strcmp(s->clients[i].name, name) == 0)
            return &s->clients[i];
    return NULL;
}

/* "client a via 1": it is connected when the line ends; "client a calls 1": it tries; "client a leaves" */
static bool do_client(struct scenario *s, const struct words *w)
{
    if (w->n < 3)
        return false;
    struct script_client *k = client_of(s, w->w[1]);
    if (k == NULL && s->c.client_count < CLUSTER_SCRIPT_CLIENTS) {
        k = &s->clients[s->c.client_count];
        snprintf(k->name, sizeof k->name, "%s", w->w[1]);
        sim_client_new(&s->c, s->c.client_count);
        k->client = s->c.clients[s->c.client_count++];
    }
    if (k == NULL || strcmp(w->w[2], "leaves") == 0) {
        if (k != NULL)
            simclient_leave(k->client);
        return k != NULL;
    }
    const struct sim_member *m = w->n < 4 ? NULL : scenario_member(s, w->w[3]);
    if (m == NULL)
        return false;
    simclient_go(k->client, m->index);
    if (strcmp(w->w[2], "calls") == 0)
        return true;
    for (int64_t end_us = s->c.now_us + SCENARIO_PATIENCE_US; !simclient_is_connected(k->client);)
        if (!scenario_next(s, end_us)) {
            scenario_wrong(s, "client %s does not get a connection to member %s", k->name, w->w[3]);
            return false;
        }
    return true;
}

static int32_t error_of(const char *word)
{
    for (int32_t err = 0; err > -200; err--)
        if (strcmp(err_name(err), word) == 0)
            return err;
    return strcmp(word, "OK") == 0 ? 0 : 1;
}

static bool await_connection(struct scenario *s, const struct script_client *k)
{
    for (int64_t end_us = s->c.now_us + SCENARIO_PATIENCE_US; !simclient_is_connected(k->client);)
        if (!scenario_next(s, end_us)) {
            scenario_wrong(s, "client %s has no connection", k->name);
            return false;
        }
    return true;
}

static bool ask(struct scenario *s, struct script_client *k, const struct words *w, size_t first, size_t count)
{
    if (!await_connection(s, k))
        return false;
    k->ticket = simclient_ask(k->client, w->w + first, count);
    if (k->ticket == 0)
        scenario_wrong(s, "client %s cannot ask this", k->name);
    return k->ticket != 0;
}

static bool await_answer(struct scenario *s, struct script_client *k, int32_t want)
{
    int32_t err = 0;
    enum client_outcome is;
    int64_t end_us = s->c.now_us + SCENARIO_PATIENCE_US;
    while ((is = simclient_outcome(k->client, k->ticket, &err)) == CLIENT_WAITS && scenario_next(s, end_us))
        continue;
    if (is == CLIENT_ANSWERED && err == want)
        return true;
    scenario_wrong(s, "client %s: %s", k->name,
                   is == CLIENT_WAITS  ? "no answer"
                   : is == CLIENT_LOST ? "the connection was lost"
                                       : err_name(err));
    return false;
}

static bool judge_outcome(struct scenario *s, const struct script_client *k, const char *word)
{
    int32_t err = 0;
    enum client_outcome is = k->ticket == 0 ? CLIENT_LOST : simclient_outcome(k->client, k->ticket, &err);
    bool so = is == (strcmp(word, "lost") == 0 ? CLIENT_LOST : CLIENT_WAITS);
    if (!so)
        scenario_wrong(s, "the last request of %s is %s", k->name, is == CLIENT_ANSWERED ? "answered" : "not so");
    return so;
}

/* Asks again when the connection was lost, until there is an answer, or what was asked for is there already. */
static bool try_for_long(struct scenario *s, struct script_client *k, const struct words *w, int32_t want)
{
    for (int i = 0; i < 100; i++) {
        int32_t err = 0;
        enum client_outcome is = CLIENT_LOST;
        if (!ask(s, k, w, 2, w->n - 2))
            return false;
        int64_t end_us = s->c.now_us + SCENARIO_PATIENCE_US;
        while ((is = simclient_outcome(k->client, k->ticket, &err)) == CLIENT_WAITS && scenario_next(s, end_us))
            continue;
        if (is != CLIENT_LOST)
            return err == ERR_NODE_EXISTS || await_answer(s, k, want);
    }
    scenario_wrong(s, "client %s tried it in vain", k->name);
    return false;
}

/* "a create /x", "a create /x -> NODE_EXISTS": answered so; "a sends create /x": not waited for; "a waits": its last
 * request is answered well; "a tries create /x": again, when its connection is lost; "a is unanswered", "a is lost" */
static bool client_line(struct scenario *s, struct script_client *k, const struct words *w)
{
    size_t count = w->n;
    int32_t want = 0;
    if (count >= 4 && strcmp(w->w[count - 2], "->") == 0) {
        want = error_of(w->w[count - 1]);
        count -= 2;
    }
    if (strcmp(w->w[1], "is") == 0 && w->n > 2)
        return judge_outcome(s, k, w->w[2]);
    if (strcmp(w->w[1], "waits") == 0 && k->ticket != 0)
        return await_answer(s, k, want);
    if (strcmp(w->w[1], "sends") == 0)
        return ask(s, k, w, 2, count - 2);
    if (strcmp(w->w[1], "tries") == 0)
        return try_for_long(s, k, w, want);
    return ask(s, k, w, 1, count - 1) && await_answer(s, k, want);
}

/* ---- time and conditions ---- */

static bool do_run(struct scenario *s, const struct words *w)
{
    int64_t us = duration_us(w->w[1]);
    if (us < 0) {
        scenario_wrong(s, "'%s' is no time: 200ms", w->w[1]);
        return false;
    }
    return run_for(s, us);
}

static void join(const struct words *w, size_t from, char *to, size_t size)
{
    size_t n = 0;
    to[0] = '\0';
    for (size_t i = from; i < w->n && n < size; i++)
        n += (size_t)snprintf(to + n, size - n, "%s%s", i == from ? "" : " ", w->w[i]);
}

static bool judge(struct scenario *s, const struct words *w, int sees)
{
    char text[300];
    join(w, 1, text, sizeof text);
    if (sees < 0)
        scenario_wrong(s, "what is it: %s", text);
    else if (sees == 0)
        scenario_wrong(s, "it is not so: %s", text);
    return sees > 0;
}

static bool do_expect(struct scenario *s, const struct words *w)
{
    return judge(s, w, scenario_sees(s, w, 1));
}

/* Until it holds. */
static bool do_until(struct scenario *s, const struct words *w)
{
    int sees;
    for (int64_t end_us = s->c.now_us + SCENARIO_PATIENCE_US; (sees = scenario_sees(s, w, 1)) == 0;)
        if (!scenario_next(s, end_us))
            break;
    return judge(s, w, sees);
}

/* "never 2s CONDITION" */
static bool do_never(struct scenario *s, const struct words *w)
{
    int64_t us = w->n < 3 ? -1 : duration_us(w->w[1]);
    int64_t end_us = s->c.now_us + us;
    int sees = us < 0 ? -1 : 0;
    while (sees == 0 && (sees = scenario_sees(s, w, 2)) == 0 && scenario_next(s, end_us))
        continue;
    return judge(s, w, sees < 0 ? sees : !sees) && !s->c.finding.is;
}

/* Packets are counted from here on. */
static bool do_mark(struct scenario *s, const struct words *w)
{
    (void)w;
    memcpy(s->marked, s->d.delivered, sizeof s->marked);
    return true;
}

static bool do_verify(struct scenario *s, const struct words *w)
{
    (void)w;
    return scenario_verify(s);
}

/* Faults may go on; clients are not judged. */
static bool do_stop(struct scenario *s, const struct words *w)
{
    (void)w;
    s->closed = true;
    return true;
}

static bool all_rest(struct scenario *s)
{
    struct cluster *c = &s->c;
    for (uint32_t i = 0; i < c->client_count; i++)
        if (!simclient_is_at_rest(c->clients[i]))
            return false;
    for (uint32_t i = 0; i < c->member_count; i++) {
        const struct sim_member *m = c->members[i];
        if (!m->up || !member_serves(m) || core_has_writes_in_flight(m->core) || m->seen_zxid != c->ghost.committed)
            return false;
    }
    return true;
}

/* Everything is mended, nobody is left out. */
static void mend(struct scenario *s)
{
    memset(s->d.held, 0, sizeof s->d.held);
    memset(s->d.disk_held, 0, sizeof s->d.disk_held);
    s->d.tear.is = false;
    simnet_heal(&s->c);
    let_flow(s);
    for (uint32_t i = 0; i < s->c.member_count && !s->c.finding.is; i++) {
        struct sim_member *m = s->c.members[i];
        disk_set_fault(m->disk, (struct disk_fault){ 0 });
        if (m->up)
            disk_cut_power_at(m->disk, 0);
        m->paused = false;
        cluster_unkeep(&s->c, m);
        if (!m->up)
            (void)start_one(s, m);
    }
}

bool scenario_verify(struct scenario *s)
{
    struct cluster *c = &s->c;
    mend(s);
    for (int64_t end_us = c->now_us + SCENARIO_PATIENCE_US; !all_rest(s);)
        if (!scenario_next(s, end_us))
            break;
    struct buf why;
    buf_init(&why, 4096);
    for (uint32_t i = 0; i < c->client_count && why.n == 0; i++)
        if (!simclient_is_at_rest(c->clients[i]))
            simclient_describe(c->clients[i], &why);
    for (uint32_t i = 0; i < c->member_count && why.n == 0; i++)
        if (!c->members[i]->up || !member_serves(c->members[i]) || c->members[i]->seen_zxid != c->ghost.committed)
            buf_printf(&why, "member %u is not with the others", i + 1);
    if (!all_rest(s))
        scenario_wrong(s, "no rest: %.*s", (int)why.n, why.n == 0 ? "" : (const char *)why.p);
    buf_fini(&why);
    for (uint32_t i = 0; i < c->member_count && !c->finding.is; i++)
        ghost_check(c, c->members[i]);
    if (!c->finding.is && !s->closed)
        oracle_judge(c);
    s->closed = true;
    return !c->finding.is;
}

/* ---- one line ---- */

bool scenario_step(struct scenario *s, const struct words *w)
{
    char line[300];
    join(w, 0, line, sizeof line);
    log_info("scenario", "%s", line);
    static const struct {
        const char *word;
        bool (*act)(struct scenario *s, const struct words *w);
        size_t words;
    } steps[] = {
        { "ensemble", do_ensemble, 2 }, { "set", do_set, 3 },         { "start", do_start, 2 },
        { "kill", do_kill, 2 },         { "power", do_power, 2 },     { "fuse", do_fuse, 3 },
        { "wipe", do_wipe, 2 },         { "pause", do_pause, 2 },     { "resume", do_resume, 2 },
        { "snapshot", do_snapshot, 2 }, { "purge", do_purge, 2 },     { "disk", do_disk, 4 },
        { "cut", do_cut, 4 },           { "block", do_block, 4 },     { "heal", do_heal, 1 },
        { "hold", do_hold, 5 },         { "let", do_let, 4 },         { "tear", do_tear, 6 },
        { "break", do_break, 3 },       { "client", do_client, 3 },   { "run", do_run, 2 },
        { "expect", do_expect, 3 },     { "until", do_until, 3 },     { "never", do_never, 4 },
        { "backup", do_back_up, 2 },    { "restore", do_restore, 2 }, { "refuse", do_refuse, 2 },
        { "accept", do_refuse, 2 },     { "mark", do_mark, 1 },       { "trap", do_trap, 4 },
        { "oracle", do_oracle, 3 },     { "verify", do_verify, 1 },   { "stop", do_stop, 1 },
    };
    for (size_t i = 0; i < ARRAY_COUNT(steps); i++)
        if (strcmp(w->w[0], steps[i].word) == 0 && w->n >= steps[i].words) {
            bool fine = (!s->begun && steps[i].act != do_set && steps[i].act != do_ensemble)
                            ? begun(s) && steps[i].act(s, w)
                            : steps[i].act(s, w);
            if (!fine)
                scenario_wrong(s, "'%s' cannot be done so", w->w[0]);
            return fine;
        }
    struct script_client *k = client_of(s, w->w[0]);
    if (k != NULL && w->n > 1)
        return client_line(s, k, w);
    scenario_wrong(s, "'%s': what is it?", w->w[0]);
    return false;
}
