/* member_life: how a member starts, and the ways in which it ends. */
#include "base/log.h"
#include "base/mem.h"
#include "sim/cluster.h"
#include "sim/member.h"
#include "sim/member_internal.h"

const struct store_dirs member_dirs = { .snap_dir = "/data/version-2", .log_dir = "/log/version-2" };

static struct tree_options tree_options(const struct sim_member *m)
{
    return (struct tree_options){ .hash_key = m->cluster->opt.seed + m->life,
                                  .extended_types = true,
                                  .digest_enabled = true };
}

static struct core_options core_options(const struct sim_member *m)
{
    const struct cluster *c = m->cluster;
    return (struct core_options){
        .seed = c->opt.seed * 31 + (uint64_t)m->sid * 7 + m->life,
        .start_wall_ms = member_wall_ms(m),
        .server_id = (uint8_t)m->sid,
        .tick_time_ms = (int32_t)opt(c, OPT_tick_ms),
        .session_timeout_ms_min = (int32_t)opt(c, OPT_tick_ms) * 2,
        .session_timeout_ms_max = (int32_t)opt(c, OPT_tick_ms) * 20,
        .handshake_timeout_ms = 10000,
        .frame_bytes_max = 1048575,
        .txn_bytes_max = 2097150,
        .extended_types = true,
        .digest_enabled = true,
        .reconfig_enabled = true,
        .digest_auth_enabled = true,
        .digest_algorithm = "SHA1",
        .container_check_interval_ms = opt(c, OPT_reap_ms),
        .container_max_per_minute = 10000,
        .outstanding_limit = 1000,
        .snap_count = opt(c, OPT_snap_count),
        .leader_serves = true,
        .enforce_quota = opt(c, OPT_quotas) != 0,
        .read_only = opt(c, OPT_read_only) != 0,
        .local_sessions = opt(c, OPT_local_sessions) != 0,
        .local_sessions_upgrade = opt(c, OPT_local_sessions) == 1,
    };
}

/* A server never logs before a snapshot is there: readers refuse logs without one. */
static int first_snapshot(struct sim_member *m, struct tree *t, struct store_error *err)
{
    const struct snapshot_write_options o = { .dir = member_dirs.snap_dir,
                                              .zxid = tree_last_zxid(t),
                                              .digest = true,
                                              .tree_digest = tree_digest(t),
                                              .digest_zxid = tree_last_zxid(t),
                                              .last_zxid_block = true };
    return snapshot_write_tree(disk_fs(m->disk), &o, t, err);
}

/* The newest transactions, for the window from which others are brought up to date. */
static void keep_past(void *ctx, int64_t zxid, struct slice payload)
{
    struct sim_member *m = ctx;
    size_t cap = (size_t)opt(m->cluster, OPT_history_count);
    (void)zxid;
    if (m->past == NULL)
        m->past = mem_alloc(cap * sizeof(struct blob *));
    if (m->past_count == cap) {
        blob_unref(m->past[0]);
        memmove(m->past, m->past + 1, --m->past_count * sizeof(struct blob *));
    }
    m->past[m->past_count++] = blob_dup(payload);
}

static void drop_past(struct sim_member *m)
{
    for (size_t i = 0; i < m->past_count; i++)
        blob_unref(m->past[i]);
    mem_free(m->past);
    m->past = NULL;
    m->past_count = 0;
}

static void remember_past(struct sim_member *m, int64_t last_zxid)
{
    for (size_t i = 0; i < m->past_count; i++) {
        struct wire_reader r = wire_reader_of(blob_slice(m->past[i]));
        struct wire_txn_header h = wire_get_txn_header(&r);
        if (h.zxid <= last_zxid)
            core_remember(m->core, h.zxid, m->past[i]);
    }
    drop_past(m);
}

int member_recover(struct sim_member *m, struct store_recovered *out, struct store_error *err)
{
    struct fs *fs = disk_fs(m->disk);
    struct store_recover_options o = {
        .tree = tree_options(m), .on_txn = keep_past, .on_txn_ctx = m, .server_id = (uint8_t)m->sid
    };
    drop_past(m);
    int rc = fs->ops->make_dir(fs, member_dirs.snap_dir);
    if (rc == 0)
        rc = fs->ops->make_dir(fs, member_dirs.log_dir);
    if (rc == 0)
        rc = store_recover(fs, &member_dirs, &o, out, err);
    if (rc != 0)
        return rc;
    if (out->snapshot_zxid < 0 && (rc = first_snapshot(m, out->tree, err)) != 0)
        tree_free(out->tree);
    return rc;
}

static void try_again(struct sim_member *m)
{
    if (m->cluster->directed != NULL)
        return;
    int64_t wait_us = dice_wait(&m->dice, opt(m->cluster, OPT_down_ms) * 1000);
    cluster_at(m->cluster, m->cluster->now_us + wait_us, HAPPEN_RESTART, m->index, m->life, NULL);
}

/* History and promises. */
static int recover_all(struct sim_member *m, struct store_recovered *r, struct store_error *err)
{
    int rc = member_recover(m, r, err);
    if (rc != 0 || m->cluster->ensemble == NULL)
        return rc;
    rc = store_epochs_read(disk_fs(m->disk), member_dirs.snap_dir, r->last_zxid, &m->epochs, err);
    if (rc != 0)
        tree_free(r->tree);
    return rc;
}

/* A damaged disk may be refused; whoever looks after the servers then gives this one an empty disk, if the others have
 * everything. */
static void does_not_start(struct sim_member *m, int rc, const struct store_error *err)
{
    struct cluster *c = m->cluster;
    bool broken = disk_fault_hit(m->disk);
    log_info("sim.refused", "member=%u error=%s why=\"%s\"", m->index + 1, err_name(rc), err->text);
    if (!broken && !m->rotten)
        finding_set(&c->finding, c->now_us, "store.recovery", "member %u does not start: %s (%s)", m->index + 1,
                    err_name(rc), err->text);
    disk_set_fault(m->disk, (struct disk_fault){ 0 });
    if (!broken && m->rotten && c->directed == NULL) {
        cover(&c->coverage, COVER_rots_refused);
        if (member_may_lose_disk(m))
            member_new_disk(m);
    }
    try_again(m);
}

bool member_start(struct sim_member *m)
{
    struct cluster *c = m->cluster;
    struct store_recovered r = { 0 };
    struct store_error err = { "" };
    m->life++;
    if (m->forgot_sessions && member_wall_ms(m) <= m->started_wall_ms) /* ids begin with the wall clock */
        m->wall_offset_ms += m->started_wall_ms - member_wall_ms(m) + 1;
    if (member_wall_ms(m) > m->started_wall_ms)
        m->started_wall_ms = member_wall_ms(m);
    int rc = recover_all(m, &r, &err);
    if (rc != 0) {
        does_not_start(m, rc, &err);
        return false;
    }
    if (r.digest_mismatches != 0)
        finding_set(&c->finding, c->now_us, "store.digest", "member %u: %llu digests differ in its log", m->index + 1,
                    (unsigned long long)r.digest_mismatches);
    if (r.snapshot_ahead) /* Apache's may be; ours are of one moment */
        finding_set(&c->finding, c->now_us, "store.snapshot_ahead", "member %u: its snapshot is not of one zxid",
                    m->index + 1);
    cover(&c->coverage, COVER_restarts);
    log_info("sim.start", "member=%u zxid=0x%llx", m->index + 1, (unsigned long long)r.last_zxid);
    m->log = member_new_log(m);
    core_out_init(&m->out);
    buf_init(&m->image_body, SIZE_MAX / 2);
    m->up = true;
    m->powerless = m->leads = m->served = false;
    memset(m->listens, 0, sizeof m->listens);
    m->tick_us = INT64_MAX;
    ghost_recovered(c, m, r.last_zxid);
    m->appended_zxid = m->durable_zxid = r.last_zxid;
    m->untold_zxid = 0;
    struct zab_options z = member_zab_options(m);
    struct core_options o = core_options(m);
    o.past_session_id = r.past_session_id;
    o.zab = c->ensemble == NULL ? NULL : &z;
    m->core = core_new(&o, r.tree, member_now_ms(m));
    remember_past(m, r.last_zxid);
    member_step(m, (struct core_event){ .type = CORE_EV_TICK });
    return true;
}

/* Part of what was being written reaches the disk before the end. What was begun past the cache is on its way without
 * this. */
static void break_off_writing(struct sim_member *m)
{
    struct store_error err;
    bool flushing = m->flushing && m->way != MEMBER_HAS_BEGUN;
    bool writing = flushing || m->saving_epochs || m->truncating, directed = m->cluster->directed != NULL;
    if (!writing || (directed ? m->death.operations == 0 : dice_one_in(&m->dice, 3)))
        return;
    uint64_t operations = directed ? m->death.operations : (uint64_t)dice_between(&m->dice, 1, 6);
    if (flushing && m->way == MEMBER_WRITES_PAST && !directed && dice_one_in(&m->log_dice, 2))
        operations = 1; /* it is one */
    cover(&m->cluster->coverage, COVER_torn_flushes);
    disk_cut_power_at(m->disk, disk_op_count(m->disk) + operations);
    if (flushing)
        (void)member_flush(m, &err);
    if (m->saving_epochs)
        (void)member_write_epochs(m);
    if (m->truncating)
        (void)member_cut(m, &err);
}

static void lose_power(struct sim_member *m)
{
    static const enum disk_crash_kind kinds[] = { DISK_CRASH_SEED, DISK_CRASH_SEED, DISK_CRASH_LOSE, DISK_CRASH_KEEP,
                                                  DISK_CRASH_PREFIX };
    struct disk_crash_plan plan = { kinds[dice_between(&m->dice, 0, ARRAY_COUNT(kinds) - 1)], rng_u64(&m->dice.rng) };
    if (plan.kind == DISK_CRASH_PREFIX)
        plan.number = (uint64_t)dice_between(&m->dice, 0, (int64_t)disk_pending_count(m->disk));
    if (m->cluster->directed != NULL)
        plan = m->death.plan;
    if (disk_direct_is_under_way(m->disk))
        cover(&m->cluster->coverage, COVER_log_offers_torn);
    struct disk *after = disk_crash(m->disk, plan);
    struct disk *before = m->disk;
    m->disk = after;
    txnlog_free(m->log);
    snapshot_write_abort(m->image);
    disk_free(before);
}

static void drop_process(struct sim_member *m, enum member_end end)
{
    struct cluster *c = m->cluster;
    break_off_writing(m);
    member_feed_close_all(m);
    if (end == MEMBER_POWERLESS) {
        lose_power(m);
        m->boot_us = c->now_us;
    } else {
        disk_cut_power_at(m->disk, disk_op_count(m->disk));
        txnlog_free(m->log);
        snapshot_write_abort(m->image);
        disk_revive(m->disk);
        disk_cut_power_at(m->disk, 0);
    }
    disk_set_fault(m->disk, (struct disk_fault){ 0 });
    core_free(m->core);
    core_out_fini(&m->out);
    buf_fini(&m->image_body);
    drop_past(m);
    m->core = NULL;
    m->log = NULL;
    m->image = NULL;
    m->image_open = false;
    m->flushing = m->saving_epochs = m->truncating = m->truncate_again = false;
    m->touch_count = 0;
    member_drop_waiting(m, m->waiting_count);
}

/* Adds what its life has counted. */
void member_count(struct sim_member *m)
{
    const struct zab *z = core_zab(m->core);
    if (z == NULL)
        return;
    struct zab_view v = zab_view(z);
    struct coverage *c = &m->cluster->coverage;
    c->n[COVER_diffs] += (uint64_t)v.diffs_sent;
    c->n[COVER_truncs] += (uint64_t)v.truncs_sent;
    c->n[COVER_snaps] += (uint64_t)v.snaps_sent;
}

void member_stop(struct sim_member *m, enum member_end end)
{
    struct cluster *c = m->cluster;
    if (!m->up)
        return;
    m->up = false;
    m->paused = false;
    m->life++;
    cluster_at(c, c->now_us, HAPPEN_BACKLOG, m->index, 0, NULL);
    if (m->seen_zxid == 0 || dice_one_in(&m->dice, 4))
        core_check(m->core);
    log_info("sim.stop", "member=%u power=%d zxid=0x%llx", m->index + 1, end == MEMBER_POWERLESS,
             (unsigned long long)m->appended_zxid);
    member_count(m);
    drop_process(m, end);
    c->disturbed_us = c->now_us;
    m->powerless = end == MEMBER_POWERLESS;
    bool silent = m->powerless && c->directed == NULL && dice_one_in(&m->dice, 2);
    simnet_member_gone(m, silent);
    for (uint32_t i = 0; i < c->chronicle.cables; i++)
        if (c->cables[i].member == m->index && c->cables[i].member_open)
            cable_orphan(c, i, silent);
    try_again(m);
}

void member_disk_failed(struct sim_member *m)
{
    cover(&m->cluster->coverage, COVER_disk_errors);
    member_stop(m, dice_one_in(&m->dice, 2) ? MEMBER_KILLED : MEMBER_POWERLESS);
}

void member_pause(struct sim_member *m, int64_t us)
{
    struct cluster *c = m->cluster;
    if (!m->up || m->paused)
        return;
    m->paused = true;
    c->disturbed_us = c->now_us + us;
    m->resume_us = c->now_us + us;
    cover(&c->coverage, COVER_pauses);
    cluster_at(c, m->resume_us, HAPPEN_RESUME, m->index, m->life, NULL);
}

void member_keep(struct sim_member *m, struct agenda_item item)
{
    if (m->backlog_count == m->backlog_cap) {
        m->backlog_cap = m->backlog_cap == 0 ? 64 : m->backlog_cap * 2;
        m->backlog = mem_realloc(m->backlog, m->backlog_cap * sizeof *m->backlog);
    }
    m->backlog[m->backlog_count++] = item;
}

void member_new(struct cluster *c, uint32_t index)
{
    struct sim_member *m = mem_zalloc(sizeof *m);
    c->members[index] = m;
    m->cluster = c;
    m->index = index;
    m->sid = index + 1;
    m->disk = disk_new(c->opt.seed * 13 + index);
    m->dice = dice_of(c->opt.seed, "member", index);
    m->log_dice = dice_of(c->opt.seed, "log", index);
    struct dice clock = dice_of(c->opt.seed, "clock", index);
    m->drift_ppm = dice_between(&clock, -opt(c, OPT_drift_ppm), opt(c, OPT_drift_ppm));
    shadow_init(&m->shadow);
}

void member_free(struct sim_member *m)
{
    member_feed_close_all(m);
    if (m->up) {
        txnlog_free(m->log);
        snapshot_write_abort(m->image);
        core_free(m->core);
        core_out_fini(&m->out);
        buf_fini(&m->image_body);
    }
    drop_past(m);
    member_drop_waiting(m, m->waiting_count);
    shadow_fini(&m->shadow);
    disk_free(m->disk);
    disk_free(m->backup);
    for (size_t i = 0; i < m->backlog_count; i++)
        mem_free(m->backlog[i].p);
    mem_free(m->backlog);
    mem_free(m->waiting);
    mem_free(m->touches);
    mem_free(m);
}
