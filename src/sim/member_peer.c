/* member_peer: what a member of an ensemble asks of its shell: links, epoch files, the end of the log. */
#include "base/museum.h"
#include "base/mem.h"
#include "sim/cluster.h"
#include "sim/member.h"
#include "sim/member_internal.h"

bool member_peer_event(struct sim_member *m, struct zab_event ev)
{
    return member_step(m, (struct core_event){ .type = CORE_EV_PEER, .peer_event = &ev });
}

static void save_epochs(struct sim_member *m, const struct zab_fx *fx)
{
    struct cluster *c = m->cluster;
    m->epochs_wanted = (struct store_epochs){ fx->accepted_epoch, fx->current_epoch };
    m->saving_epochs = true;
    if (fx->accepted_epoch < m->epochs.accepted || fx->current_epoch < m->epochs.current ||
        fx->current_epoch > fx->accepted_epoch)
        finding_set(&c->finding, c->now_us, "ghost.epochs", "member %u goes from epochs %lld, %lld to %lld, %lld",
                    m->index + 1, (long long)m->epochs.accepted, (long long)m->epochs.current,
                    (long long)fx->accepted_epoch, (long long)fx->current_epoch);
    int64_t at_us = c->now_us + dice_wait(&m->dice, opt(c, OPT_sync_us));
    if (SIM_BUG(epochs_told_early))
        cluster_at(c, c->now_us, HAPPEN_EPOCHS, m->index, m->life, NULL);
    cluster_at(c, at_us < m->stalled_until_us ? m->stalled_until_us : at_us, HAPPEN_EPOCHS, m->index, m->life, NULL);
}

int member_write_epochs(struct sim_member *m)
{
    struct store_error err;
    return store_epochs_save(disk_fs(m->disk), member_dirs.snap_dir, &m->epochs, &m->epochs_wanted, &err);
}

void member_epochs_done(struct sim_member *m)
{
    if (!m->saving_epochs)
        return;
    m->saving_epochs = false;
    if (!SIM_BUG(epochs_told_early) && member_write_epochs(m) != 0) {
        member_disk_failed(m);
        return;
    }
    m->epochs = m->epochs_wanted;
    (void)member_peer_event(m, (struct zab_event){ .type = ZAB_EV_EPOCHS_SAVED });
}

static void truncate(struct sim_member *m, const struct zab_fx *fx)
{
    struct cluster *c = m->cluster;
    m->truncating = true;
    m->truncate_zxid = fx->zxid;
    m->truncate_reload = fx->reload;
    if (m->flushing || m->waiting_count != 0)
        finding_set(&c->finding, c->now_us, "zab.truncate", "member %u cuts its log while it is being written",
                    m->index + 1);
    if (m->durable_zxid > fx->zxid)
        m->durable_zxid = fx->zxid;
    cluster_at(c, c->now_us + dice_wait(&m->dice, opt(c, OPT_sync_us) * 2), HAPPEN_TRUNCATED, m->index, m->life, NULL);
}

/* Cuts, and makes the log ready for what follows. What was being saved of the old tree is given up. */
int member_cut(struct sim_member *m, struct store_error *err)
{
    txnlog_free(m->log);
    m->log = NULL;
    if (m->image != NULL) {
        snapshot_write_abort(m->image);
        m->image = NULL;
        m->image_given_up = true;
    }
    int rc = 0;
    if (m->truncate_zxid != INT64_MAX)
        rc = store_truncate(disk_fs(m->disk), &member_dirs, 0, m->truncate_zxid, err);
    if (rc == ERR_NOT_FOUND) {                   /* else what is kept lies above it, and the core asks for an image */
        m->truncate_again = !m->truncate_reload; /* once the image that is coming is saved */
        rc = 0;
    }
    m->log = member_new_log(m);
    return rc;
}

void member_truncated(struct sim_member *m)
{
    if (!m->truncating)
        return;
    m->truncating = false;
    struct store_recovered r = { 0 };
    struct store_error err = { "" };
    int rc = member_cut(m, &err);
    if (rc == 0 && m->truncate_reload)
        rc = member_recover(m, &r, &err);
    if (rc != 0) { /* the server may not go on with a history that is not on its disk */
        if (!disk_fault_hit(m->disk) && !m->rotten)
            finding_set(&m->cluster->finding, m->cluster->now_us, "store.truncate", "member %u: %s (%s)", m->index + 1,
                        err_name(rc), err.text);
        member_disk_failed(m);
        return;
    }
    shadow_cut(&m->shadow, m->truncate_zxid); /* until now a start would have found all of it */
    struct core_event ev = { .type = CORE_EV_TRUNCATED, .zxid = m->truncate_zxid, .tree = r.tree };
    if (m->truncate_reload) {
        ev.zxid = r.last_zxid;
        m->durable_zxid = m->appended_zxid = r.last_zxid;
        m->seen_zxid = -1;
        shadow_cut(&m->shadow, r.last_zxid); /* an image that could not be saved never was */
    }
    (void)member_step(m, ev);
}

static void take_one(struct sim_member *m, const struct zab_fx *fx)
{
    switch (fx->type) {
    case ZAB_FX_DIAL:
        simnet_dial(m, fx->link, fx->sid, fx->port);
        break;
    case ZAB_FX_SEND:
        simnet_send(m, fx->link, fx->bytes, fx->tell_drained);
        break;
    case ZAB_FX_CLOSE:
        simnet_close(m, fx->link);
        break;
    case ZAB_FX_RESUME:
        simnet_resume(m, fx->link);
        break;
    case ZAB_FX_LISTEN:
        m->listens[fx->port] = fx->on;
        break;
    case ZAB_FX_SAVE_EPOCHS:
        save_epochs(m, fx);
        break;
    case ZAB_FX_LOG_READ:
        member_feed_open(m, fx->link, fx->zxid, fx->to);
        break;
    case ZAB_FX_LOG_MORE:
        member_feed_more(m, fx->link);
        break;
    case ZAB_FX_LOG_DONE:
        member_feed_close(m, fx->link);
        break;
    case ZAB_FX_TRUNCATE:
        truncate(m, fx);
        break;
    case ZAB_FX_ASK_ORACLE:
        cluster_at(m->cluster, m->cluster->now_us, HAPPEN_ORACLE, m->index, m->life, NULL);
        break;
    default:
        finding_set(&m->cluster->finding, m->cluster->now_us, "core.effects", "effect %d is not for the shell",
                    (int)fx->type);
    }
}

void member_take_peer_effects(struct sim_member *m)
{
    for (size_t i = 0; i < m->out.peer_count; i++)
        take_one(m, &m->out.peer_fx[i]);
}

struct zab_options member_zab_options(const struct sim_member *m)
{
    const struct cluster *c = m->cluster;
    return (struct zab_options){
        .sid = m->sid,
        .seed = c->opt.seed * 17 + (uint64_t)m->sid * 1000 + m->life,
        .members = c->ensemble,
        .observer = m->index >= (uint32_t)opt(c, OPT_members),
        .tick_time_ms = opt(c, OPT_tick_ms),
        .init_limit_ticks = opt(c, OPT_init_ticks),
        .sync_limit_ticks = opt(c, OPT_sync_ticks),
        .notification_ms_min = 200,
        .notification_ms_max = 5000,
        .observer_delay_ms = 200,
        .history_count = opt(c, OPT_history_count),
        .history_bytes = 1 << 20,
        .packet_field_bytes_max = 2097150,
        .counter_last = (uint32_t)opt(c, OPT_epoch_txns),
        .observer_masters = opt(c, OPT_observer_masters) != 0,
        .log_sync = opt(c, OPT_log_sync) != 0,
        .oracle = c->has_oracle,
        .link_backlog_bytes_max = 64u << 20,
        .unsynced_bytes_max = 4096, /* few, so that disks fall behind */
        .last_zxid = m->durable_zxid,
        .accepted_epoch = m->epochs.accepted,
        .current_epoch = m->epochs.current,
    };
}
