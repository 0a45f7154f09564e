#include "sim/cluster.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "sim/client.h"
#include "sim/directed.h"
#include "sim/member.h"
#include "sim/oracle.h"

void cluster_at(struct cluster *c, int64_t at_us, enum happening kind, uint32_t who, uint64_t mark, void *p)
{
    agenda_add(&c->agenda, (struct agenda_item){ .at_us = at_us, .kind = kind, .who = who, .mark = mark, .p = p });
}

/* ---- faults ---- */

static struct sim_member *some_member(struct cluster *c, struct dice *d)
{
    return c->members[dice_between(d, 0, c->member_count - 1)];
}

static struct simclient *some_client(struct cluster *c, struct dice *d)
{
    return c->clients[dice_between(d, 0, c->client_count - 1)];
}

static void break_disk(struct cluster *c, struct dice *d, int err)
{
    static const unsigned kinds[] = { DISK_OP_WRITE | DISK_OP_DIRECT,
                                      DISK_OP_SYNC | DISK_OP_DIRECT,
                                      DISK_OP_ALLOCATE,
                                      DISK_OP_OPEN,
                                      DISK_OP_RENAME,
                                      DISK_OP_SYNC_DIR };
    struct sim_member *m = some_member(c, d);
    disk_set_fault(m->disk, (struct disk_fault){ .kinds = kinds[dice_between(d, 0, ARRAY_COUNT(kinds) - 1)],
                                                 .nth = (uint64_t)dice_between(d, 1, 6),
                                                 .err = err,
                                                 .lasting = dice_one_in(d, 3) });
}

static void stop_all(struct cluster *c)
{
    for (uint32_t i = 0; i < c->member_count; i++)
        member_stop(c->members[i], MEMBER_POWERLESS);
    cover(&c->coverage, COVER_power_cuts);
}

static void stop_one(struct cluster *c, struct dice *d, enum member_end end)
{
    struct sim_member *m = some_member(c, d);
    if (m->up)
        cover(&c->coverage, end == MEMBER_KILLED ? COVER_kills : COVER_power_cuts);
    member_stop(m, end);
}

static void stall(struct cluster *c, struct dice *d)
{
    struct sim_member *m = some_member(c, d);
    m->stalled_until_us = c->now_us + dice_wait(d, opt(c, OPT_stall_length_ms) * 1000);
    cover(&c->coverage, COVER_stalls);
}

static void step_wall(struct cluster *c, struct dice *d)
{
    static const int64_t steps_ms[] = { 1000, 60000, 3600000, 86400000 };
    int64_t ms = steps_ms[dice_between(d, 0, ARRAY_COUNT(steps_ms) - 1)];
    some_member(c, d)->wall_offset_ms = dice_between(d, -ms, ms);
}

static void split(struct cluster *c, struct dice *d)
{
    if (c->member_count < 2)
        return;
    simnet_split(c, d);
    c->disturbed_us = c->now_us;
    cluster_at(c, c->now_us + dice_wait(d, opt(c, OPT_partition_length_ms) * 1000), HAPPEN_UNSPLIT, 0, 0, NULL);
}

/* A disk that is damaged or lost takes promises with it: only where no other holds less. */
static void damage(struct cluster *c, struct dice *d, enum sim_option kind)
{
    struct sim_member *m = some_member(c, d);
    if (kind == OPT_restore_ms && (m->backup == NULL || dice_one_in(d, 4)) && m->up)
        member_back_up(m);
    else if (!member_may_lose_disk(m))
        return;
    else if (kind == OPT_wipe_ms)
        member_wipe(m);
    else if (kind == OPT_restore_ms)
        (void)member_restore(m);
    else
        member_rot_somewhere(m, d);
}

static void break_something(struct cluster *c, enum sim_option kind)
{
    struct dice *d = &c->faults[kind];
    log_info("sim.fault", "%s", options_name(kind));
    struct sim_member *m;
    switch (kind) {
    case OPT_kill_ms:
        stop_one(c, d, MEMBER_KILLED);
        break;
    case OPT_power_ms:
        stop_one(c, d, MEMBER_POWERLESS);
        break;
    case OPT_blackout_ms:
        stop_all(c);
        break;
    case OPT_pause_ms:
        member_pause(some_member(c, d), dice_wait(d, opt(c, OPT_pause_length_ms) * 1000));
        break;
    case OPT_disk_error_ms:
        break_disk(c, d, ERR_IO);
        break;
    case OPT_disk_full_ms:
        break_disk(c, d, ERR_NO_SPACE);
        break;
    case OPT_stall_ms:
        stall(c, d);
        break;
    case OPT_purge_ms:
        if ((m = some_member(c, d))->up && !m->paused)
            member_purge(m);
        break;
    case OPT_snapshot_ms:
        if ((m = some_member(c, d))->up && !m->paused)
            member_snapshot(m);
        break;
    case OPT_wall_step_ms:
        step_wall(c, d);
        break;
    case OPT_partition_ms:
        split(c, d);
        break;
    case OPT_link_ms:
        simnet_break_one(c, d);
        c->disturbed_us = c->now_us;
        break;
    case OPT_flap_ms:
        simnet_flap(c, d);
        break;
    case OPT_wipe_ms:
    case OPT_rot_ms:
    case OPT_restore_ms:
        damage(c, d, kind);
        break;
    case OPT_cut_ms:
        simclient_cut(some_client(c, d));
        break;
    case OPT_mute_ms:
        simclient_mute(some_client(c, d));
        break;
    case OPT_away_ms:
        simclient_away(some_client(c, d));
        break;
    case OPT_close_ms:
        simclient_close_session(some_client(c, d));
        break;
    default:
        break;
    }
}

static void next_fault(struct cluster *c, enum sim_option kind)
{
    int64_t mean_ms = opt(c, kind);
    if (mean_ms == 0 || kind == OPT_drift_ppm)
        return;
    cluster_at(c, c->now_us + dice_wait(&c->faults[kind], mean_ms * 1000), HAPPEN_FAULT, kind, 0, NULL);
}

static void fault(struct cluster *c, enum sim_option kind)
{
    if (c->healing)
        return;
    break_something(c, kind);
    next_fault(c, kind);
}

/* Who must make progress now: often all, sometimes just a quorum while the others stay dead, deaf or alone for ever. */
static void choose_core(struct cluster *c)
{
    struct dice d = dice_of(c->opt.seed, "core", 0);
    uint32_t voters = (uint32_t)opt(c, OPT_members);
    struct member_set core = { 0 };
    if (c->member_count < 2 || dice_one_in(&d, 2))
        return;
    for (uint32_t i = 0; i < c->member_count; i++) {
        member_set_add(&core, c->ensemble, i + 1);
        if (c->members[i]->rotten) /* all others may be needed to make it whole */
            return;
    }
    for (uint32_t i = 0; i < voters; i++) {
        struct member_set less = core;
        member_set_remove(&less, c->ensemble, i + 1);
        if (dice_one_in(&d, 2) || !members_is_quorum(c->ensemble, &less))
            continue;
        core = less;
        c->outside[i] = true;
        int64_t how = dice_between(&d, 0, 2);
        log_info("sim.outside", "member=%u how=%d", i + 1, (int)how);
        if (how == 0)
            member_stop(c->members[i], MEMBER_KILLED);
        for (uint32_t j = 0; j < c->member_count && how != 0; j++) {
            c->net.blocked[j][i] = j != i;
            c->net.blocked[i][j] = j != i && how == 1;
        }
    }
}

static void heal(struct cluster *c)
{
    c->healing = true;
    log_info("sim.heal", "the faults are over");
    c->disturbed_us = c->now_us;
    simnet_heal(c);
    choose_core(c);
    for (uint32_t i = 0; i < c->client_count; i++)
        simclient_back(c->clients[i]);
    if (c->opt.guests != NULL)
        c->opt.guests->heal(c->guest_state);
    for (uint32_t i = 0; i < c->member_count; i++) {
        struct sim_member *m = c->members[i];
        disk_set_fault(m->disk, (struct disk_fault){ 0 });
        m->stalled_until_us = 0;
        if (c->outside[i] && !m->up)
            m->life++; /* no restart finds it */
        else if (!m->up)
            cluster_at(c, c->now_us + 1, HAPPEN_RESTART, i, m->life, NULL);
        else if (m->paused)
            cluster_at(c, c->now_us + 1, HAPPEN_RESUME, i, m->life, NULL);
    }
}

/* ---- time ---- */

/* The member an item is for, if it is one that a standing process cannot take; NULL otherwise. */
static struct sim_member *taker(struct cluster *c, const struct agenda_item *it)
{
    uint32_t i;
    switch ((enum happening)it->kind) {
    case HAPPEN_TICK:
    case HAPPEN_LOG_DONE:
    case HAPPEN_IMAGE:
    case HAPPEN_EPOCHS:
    case HAPPEN_TRUNCATED:
    case HAPPEN_FEED:
    case HAPPEN_ORACLE:
        return c->members[it->who];
    case HAPPEN_WIRE_ACCEPTED:
    case HAPPEN_WIRE_CONNECTED:
    case HAPPEN_WIRE_FAILED:
    case HAPPEN_WIRE_REFUSED:
    case HAPPEN_WIRE_ARRIVED:
    case HAPPEN_WIRE_DRAINED:
    case HAPPEN_WIRE_RESUMED:
        i = simnet_member_of(c, it->who, (unsigned)it->mark);
        return i < c->member_count ? c->members[i] : NULL;
    case HAPPEN_CABLE_ACCEPT:
    case HAPPEN_CABLE_UP:
    case HAPPEN_CABLE_LOST:
    case HAPPEN_CABLE_RESUMED:
        return c->members[c->cables[it->who].member];
    default:
        return NULL;
    }
}

static void happen(struct cluster *c, const struct agenda_item *it);

/* A process that stands still, or whose disk a script holds, finds it when it goes on. */
static bool is_kept(struct cluster *c, const struct agenda_item *it)
{
    struct sim_member *m = taker(c, it);
    if (m == NULL || (!m->paused && !directed_keeps(c, it)))
        return false;
    member_keep(m, *it);
    return true;
}

/* In the order in which it came, before anything newer. */
void cluster_unkeep(struct cluster *c, struct sim_member *m)
{
    struct agenda_item *items = m->backlog;
    size_t count = m->backlog_count;
    m->backlog = NULL;
    m->backlog_count = m->backlog_cap = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_kept(c, &items[i]))
            happen(c, &items[i]);
    mem_free(items);
}

static void member_happening(struct cluster *c, const struct agenda_item *it)
{
    struct sim_member *m = c->members[it->who];
    if (it->kind == HAPPEN_TICK) {
        if (m->up)
            member_tick(m, it->mark);
        return;
    }
    if (it->mark != m->life)
        return;
    if (it->kind == HAPPEN_RESTART) {
        if (!m->up)
            (void)member_start(m);
    } else if (it->kind == HAPPEN_RESUME) {
        m->paused = false;
        cluster_unkeep(c, m);
    } else if (it->kind == HAPPEN_LOG_DONE) {
        member_log_done(m);
    } else if (it->kind == HAPPEN_IMAGE) {
        member_image(m);
    } else if (it->kind == HAPPEN_EPOCHS) {
        member_epochs_done(m);
    } else if (it->kind == HAPPEN_TRUNCATED) {
        member_truncated(m);
    } else if (it->kind == HAPPEN_FEED) {
        member_feed_read(m);
    } else if (it->kind == HAPPEN_ORACLE) {
        (void)member_peer_event(m, (struct zab_event){ .type = ZAB_EV_ORACLE, .end = m->oracle_says });
    }
}

static void wire_happening(struct cluster *c, const struct agenda_item *it)
{
    unsigned side = (unsigned)it->mark;
    switch ((enum happening)it->kind) {
    case HAPPEN_WIRE_DIALLED:
        simnet_dialled(c, it->who);
        break;
    case HAPPEN_WIRE_ACCEPTED:
        simnet_accepted(c, it->who);
        break;
    case HAPPEN_WIRE_CONNECTED:
        simnet_connected(c, it->who);
        break;
    case HAPPEN_WIRE_FAILED:
    case HAPPEN_WIRE_REFUSED:
        simnet_failed(c, it->who, it->kind == HAPPEN_WIRE_REFUSED);
        break;
    case HAPPEN_WIRE_ARRIVED:
        simnet_arrived(c, it->who, side);
        break;
    case HAPPEN_WIRE_DRAINED:
        simnet_drained(c, it->who, side);
        break;
    default:
        simnet_resumed(c, it->who, side);
    }
}

static void happen(struct cluster *c, const struct agenda_item *it)
{
    switch ((enum happening)it->kind) {
    case HAPPEN_TICK:
    case HAPPEN_LOG_DONE:
    case HAPPEN_IMAGE:
    case HAPPEN_EPOCHS:
    case HAPPEN_TRUNCATED:
    case HAPPEN_FEED:
    case HAPPEN_ORACLE:
    case HAPPEN_RESTART:
    case HAPPEN_RESUME:
        member_happening(c, it);
        break;
    case HAPPEN_BACKLOG:
        cluster_unkeep(c, c->members[it->who]);
        break;
    case HAPPEN_CABLE_ACCEPT:
        cable_accepted(c, it->who);
        break;
    case HAPPEN_CABLE_UP:
        cable_up(c, it->who, it->p);
        break;
    case HAPPEN_CABLE_DOWN:
        cable_down(c, it->who, it->p);
        break;
    case HAPPEN_CABLE_LOST:
        cable_lost(c, it->who);
        break;
    case HAPPEN_CABLE_GONE:
        cable_gone(c, it->who);
        break;
    case HAPPEN_CABLE_RESUMED:
        cable_resumed(c, it->who);
        break;
    case HAPPEN_WIRE_DIALLED:
    case HAPPEN_WIRE_ACCEPTED:
    case HAPPEN_WIRE_CONNECTED:
    case HAPPEN_WIRE_FAILED:
    case HAPPEN_WIRE_REFUSED:
    case HAPPEN_WIRE_ARRIVED:
    case HAPPEN_WIRE_DRAINED:
    case HAPPEN_WIRE_RESUMED:
        wire_happening(c, it);
        break;
    case HAPPEN_UNSPLIT:
        if (!c->healing)
            simnet_heal(c);
        c->disturbed_us = c->now_us;
        break;
    case HAPPEN_CLIENT:
        simclient_woken(c->clients[it->who], it->mark);
        break;
    case HAPPEN_FAULT:
        fault(c, (enum sim_option)it->who);
        break;
    case HAPPEN_HEAL:
        heal(c);
        break;
    }
}

bool cluster_next(struct cluster *c, int64_t until_us)
{
    struct agenda_item it;
    if (c->finding.is)
        return false;
    if (c->agenda.count == 0 || c->agenda.items[0].at_us > until_us) {
        c->now_us = until_us;
        return false;
    }
    (void)agenda_next(&c->agenda, &it);
    c->now_us = c->result->virtual_us = it.at_us;
    c->result->member = 0;
    if (is_kept(c, &it))
        return true;
    c->steps++;
    c->trace = hash_u64(c->trace, (uint64_t)it.at_us ^ (uint64_t)it.kind << 56 ^ (uint64_t)it.who << 40);
    happen(c, &it);
    return true;
}

/* Everything until then, or until something is found. */
static void run_until(struct cluster *c, int64_t until_us)
{
    while (cluster_next(c, until_us))
        continue;
}

/* Nothing is on its way to a client: events of a server's own write, perhaps. */
static bool all_is_delivered(const struct cluster *c)
{
    for (uint32_t i = 0; i < c->chronicle.cables; i++) {
        const struct cable *k = &c->cables[i];
        if (k->client_open && k->member_open && !k->muted && k->down_us > c->now_us)
            return false;
    }
    return true;
}

static bool at_rest(struct cluster *c)
{
    if (c->opt.guests != NULL && !c->opt.guests->is_at_rest(c->guest_state))
        return false;
    for (uint32_t i = 0; i < c->client_count; i++)
        if (!simclient_is_at_rest(c->clients[i]))
            return false;
    for (uint32_t i = 0; i < c->member_count; i++)
        if (!c->outside[i] &&
            (!c->members[i]->up || core_has_writes_in_flight(c->members[i]->core) || !member_serves(c->members[i])))
            return false;
    return all_is_delivered(c);
}

static void judge_rest(struct cluster *c)
{
    struct buf why;
    buf_init(&why, 4096);
    if (c->opt.guests != NULL && !c->opt.guests->is_at_rest(c->guest_state))
        c->opt.guests->describe(c->guest_state, &why);
    for (uint32_t i = 0; i < c->client_count && why.n == 0; i++)
        if (!simclient_is_at_rest(c->clients[i]))
            simclient_describe(c->clients[i], &why);
    for (uint32_t i = 0; i < c->member_count && why.n == 0; i++) {
        const struct sim_member *m = c->members[i];
        if (!c->outside[i] && !m->up)
            buf_printf(&why, "member %u is down", i + 1);
        else if (!c->outside[i] && !member_serves(m))
            buf_printf(&why, "member %u does not serve", i + 1);
        else if (!c->outside[i] && core_has_writes_in_flight(m->core))
            buf_printf(&why, "member %u has writes in flight", i + 1);
        else if (!c->outside[i] && m->seen_zxid != c->ghost.committed)
            buf_printf(&why, "member %u is at 0x%llx, decided is 0x%llx", i + 1, (unsigned long long)m->seen_zxid,
                       (unsigned long long)c->ghost.committed);
    }
    if (why.n == 0 && !all_is_delivered(c))
        buf_printf(&why, "a client is being told something");
    if (!at_rest(c))
        finding_set(&c->finding, c->now_us, "liveness", "no rest %lld ms after the last fault: %.*s",
                    (long long)opt(c, OPT_heal_ms), (int)why.n, why.n == 0 ? "" : (const char *)why.p);
    buf_fini(&why);
    for (uint32_t i = 0; i < c->member_count && !c->finding.is; i++)
        if (c->members[i]->up)
            ghost_check(c, c->members[i]);
}

/* Groups with weights (quorum specification 1.3): a vote counts for its weight within its group, and a majority of
 * groups must agree. Nobody may be without a say everywhere. */
static void put_groups(struct cluster *c, struct buf *text)
{
    struct dice d = dice_of(c->opt.seed, "groups", 0);
    uint32_t voters = (uint32_t)opt(c, OPT_members), groups = (uint32_t)dice_between(&d, 1, (voters + 1) / 2);
    for (uint32_t g = 0; g < groups; g++) {
        buf_printf(text, "group.%u=", g + 1);
        for (uint32_t i = g; i < voters; i += groups)
            buf_printf(text, "%s%u", i == g ? "" : ":", i + 1);
        buf_printf(text, "\n");
    }
    for (uint32_t i = 0; i < voters; i++)
        buf_printf(text, "weight.%u=%d\n", i + 1,
                   i < groups ? (int)dice_between(&d, 1, 3) : (int)dice_between(&d, 0, 3));
}

static void make_ensemble(struct cluster *c)
{
    if (c->member_count < 2)
        return;
    struct buf text;
    buf_init(&text, 10000);
    for (uint32_t i = 0; i < c->member_count; i++)
        buf_printf(&text, "server.%u=10.0.0.%u:2888:3888:%s;0.0.0.0:2181\n", i + 1, i + 1,
                   i < (uint32_t)opt(c, OPT_members) ? "participant" : "observer");
    if (opt(c, OPT_groups) != 0)
        put_groups(c, &text);
    int rc = members_parse(buf_slice(&text), NULL, &c->ensemble);
    ASSERT(rc == 0);
    buf_fini(&text);
}

static void make(struct cluster *c, uint32_t client_count)
{
    agenda_init(&c->agenda);
    chronicle_init(&c->chronicle);
    c->ghost.digest = GHOST_FIRST_DIGEST;
    c->member_count = (uint32_t)(opt(c, OPT_members) + opt(c, OPT_observers));
    c->members = mem_zalloc(c->member_count * sizeof(struct sim_member *));
    c->clients = mem_zalloc(client_count * sizeof(struct simclient *));
    simnet_init(c);
    make_ensemble(c);
    for (uint32_t i = 0; i < c->member_count; i++)
        member_new(c, i);
}

static void begin(struct cluster *c)
{
    const struct guests *g = c->opt.guests;
    if (g != NULL)
        g->adjust(&c->opt);
    c->client_count = g != NULL ? g->clients(&c->opt) : (uint32_t)opt(c, OPT_clients);
    make(c, c->client_count);
    for (uint32_t i = 0; i < c->member_count; i++)
        (void)member_start(c->members[i]);
    for (uint32_t i = 0; i < c->client_count; i++)
        sim_client_new(c, i);
    if (g != NULL)
        c->guest_state = g->begin(c);
    for (int i = 0; i < OPTION_COUNT; i++) {
        c->faults[i] = dice_of(c->opt.seed, "faults", (uint64_t)i);
        if (options_is_fault((enum sim_option)i))
            next_fault(c, (enum sim_option)i);
    }
    cluster_at(c, opt(c, OPT_duration_ms) * 1000, HAPPEN_HEAL, 0, 0, NULL);
}

void cluster_begin_directed(struct cluster *c, struct directed *d, struct sim_result *result)
{
    c->directed = d;
    c->result = result;
    make(c, CLUSTER_SCRIPT_CLIENTS);
}

void cluster_end(struct cluster *c)
{
    for (uint32_t i = 0; i < c->client_count; i++)
        sim_client_free(c->clients[i]);
    simnet_fini(c);
    for (uint32_t i = 0; i < c->member_count; i++)
        member_free(c->members[i]);
    members_unref(c->ensemble);
    for (uint32_t i = 0; i < c->chronicle.cables; i++)
        cable_free_inbox(&c->cables[i]);
    mem_free(c->cables);
    mem_free(c->ghost.sessions);
    mem_free(c->ghost.reigns);
    mem_free(c->clients);
    mem_free(c->members);
    chronicle_fini(&c->chronicle);
    agenda_fini(&c->agenda);
}

void cluster_run(const struct sim_options *options, struct sim_result *result)
{
    struct cluster *c = mem_zalloc(sizeof *c);
    uint64_t guest_counts[RESULT_GUEST_COUNTS];
    c->opt = *options;
    *result = (struct sim_result){ 0 };
    c->result = result;
    begin(c);
    int64_t faults_us = opt(c, OPT_duration_ms) * 1000, heal_us = opt(c, OPT_heal_ms) * 1000;
    run_until(c, faults_us + heal_us / 2);
    c->resting = true;
    run_until(c, faults_us + heal_us);
    /* A server's own write, the end of a session perhaps, may be on its way just now. */
    for (int i = 0; i < 60 && !c->finding.is && !at_rest(c); i++)
        run_until(c, c->now_us + 50000);
    if (!c->finding.is)
        judge_rest(c);
    for (uint32_t i = 0; i < c->member_count; i++)
        if (c->members[i]->up)
            member_count(c->members[i]);
    if (!c->finding.is)
        oracle_judge(c);
    if (c->opt.guests != NULL)
        c->opt.guests->end(c->guest_state);
    memcpy(guest_counts, result->guest_counts, sizeof guest_counts);
    *result = (struct sim_result){ .finding = c->finding,
                                   .coverage = c->coverage,
                                   .steps = c->steps,
                                   .trace = c->trace,
                                   .virtual_us = c->now_us,
                                   .requests = (uint64_t)c->ops_sent,
                                   .txns = c->chronicle.txn_count };
    memcpy(result->guest_counts, guest_counts, sizeof guest_counts);
    cluster_end(c);
    mem_free(c);
}
