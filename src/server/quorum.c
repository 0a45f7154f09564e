#include "server/quorum.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "os/process.h"
#include "server/canonical.h"
#include "server/config_peers.h"
#include "server/limits.h"
#include "server/log_feed.h"
#include "server/server.h"

#define SIZE_FACTOR_DEFAULT 0.33 /* stands for a snapshotSizeFactor above 1, as in Apache */

struct epochs_job {
    struct logger_job job;
    struct quorum *quorum;
    struct store_epochs old, now;
    bool running;
    int rc;
    struct store_error err;
};

struct truncate_job {
    struct logger_job job;
    struct quorum *quorum;
    int64_t zxid;
    bool reload;
    bool wanted;  /* waits for the snapshot thread to come to rest */
    bool running; /* from the effect to the event */
    bool again;   /* snapshots above zxid could not be removed before one of zxid is there */
    bool second;  /* now they can: the core waits for SNAPSHOT_DONE meanwhile */
    int rc;
    struct store_recovered found;
    struct store_error err;
};

struct oracle_job {
    struct logger_job job;
    struct quorum *quorum;
    bool yes;
};

struct quorum {
    struct quorum_options opt;
    struct peers *peers;
    struct members *members; /* of the configuration at start: where to listen */
    struct epochs_job epochs;
    struct truncate_job truncate;
    struct oracle_job oracle;
    struct log_feed *feed;
    struct canonical *canonical; /* NULL: hosts are called what the server lines call them */
    struct loop_wake feed_wake, login_wake;
};

/* ---- the epoch files ---- */

static void save_epochs(struct logger_job *job)
{
    struct epochs_job *e = CONTAINER_OF(job, struct epochs_job, job);
    const struct quorum *q = e->quorum;
    e->rc = store_epochs_save(q->opt.fs, q->opt.boot->snap_dir, &e->old, &e->now, &e->err);
}

static void begin_epochs(struct quorum *q, const struct zab_fx *fx)
{
    struct epochs_job *e = &q->epochs;
    ASSERT(!e->running);
    e->running = true;
    e->now = (struct store_epochs){ .accepted = fx->accepted_epoch, .current = fx->current_epoch };
    logger_run(q->opt.logger, &e->job);
}

static void epochs_done(struct quorum *q)
{
    struct epochs_job *e = &q->epochs;
    e->running = false;
    if (e->rc != 0) {
        log_error("quorum.epochs",
                  "%s next=\"nothing was promised that is not on disk; free or mend the disk, then "
                  "start again\"",
                  e->err.text);
        q->opt.fail(q->opt.ctx, SERVER_EXIT_DATA);
        return;
    }
    e->old = e->now;
    q->opt.step(q->opt.ctx, &(struct core_event){ .type = CORE_EV_PEER,
                                                  .peer_event = &(struct zab_event){ .type = ZAB_EV_EPOCHS_SAVED } });
}

/* ---- the oracle of two voters ---- */

/* As Apache's QuorumOracleMaj: its first character is 1, or it says no; a file that cannot be read says no. */
static void read_oracle(struct logger_job *job)
{
    struct oracle_job *o = CONTAINER_OF(job, struct oracle_job, job);
    struct fs *fs = o->quorum->opt.fs;
    const char *path = o->quorum->opt.config->oracle_path;
    struct fs_file *f = NULL;
    char first = 0;
    int64_t n = fs_open(fs, path, FS_READ, &f);
    if (n == 0)
        n = fs->ops->read_at(f, 0, &first, 1);
    fs->ops->close(f);
    if (n < 0)
        log_warn("quorum.oracle",
                 "path=\"%s\" err=%s action=\"taken for 0\" next=\"write 1 or 0 into the file of oraclePath\"", path,
                 err_name((int)n));
    o->yes = n == 1 && first == '1';
}

static void oracle_read(struct quorum *q)
{
    q->opt.step(q->opt.ctx, &(struct core_event){
                                .type = CORE_EV_PEER,
                                .peer_event = &(struct zab_event){ .type = ZAB_EV_ORACLE, .end = q->oracle.yes } });
}

/* ---- the end of the log ---- */

static void truncate_log(struct logger_job *job)
{
    struct truncate_job *t = CONTAINER_OF(job, struct truncate_job, job);
    const struct quorum *q = t->quorum;
    const struct config *c = q->opt.config;
    const struct boot *b = q->opt.boot;
    t->found = (struct store_recovered){ 0 };
    t->rc = store_truncate(q->opt.fs, &b->dirs, boot_record_bytes_max(c), t->zxid, &t->err);
    /* No snapshot leads to zxid, and those above it stay. An image of the leader replaces them when it is saved; else
     * the recovery ends above zxid, and the core asks for an image (ZOOKEEPER-4837). */
    bool kept = t->rc == ERR_NOT_FOUND && !t->second;
    t->again = kept && !t->reload;
    if (kept) {
        log_warn("quorum.truncate", "zxid=0x%llx action=\"no snapshot leads there: an image is asked for\"",
                 (unsigned long long)t->zxid);
        t->rc = 0;
    }
    if (t->rc != 0 || !t->reload)
        return;
    struct store_recover_options o = boot_recover_options(c, process_entropy());
    t->rc = store_recover(q->opt.fs, &b->dirs, &o, &t->found, &t->err);
    if (t->rc != 0)
        t->found.tree = NULL;
}

/* No snapshot may be in the making, and none may be removed, while the files change: what is written of the old tree
 * is given up. */
static void try_truncate(struct quorum *q)
{
    struct truncate_job *t = &q->truncate;
    if (!t->wanted)
        return;
    if (!snapshotter_is_idle(q->opt.snapshotter)) {
        snapshotter_abort(q->opt.snapshotter);
        return;
    }
    t->wanted = false;
    logger_run(q->opt.logger, &t->job);
}

static void begin_truncate(struct quorum *q, const struct zab_fx *fx)
{
    struct truncate_job *t = &q->truncate;
    ASSERT(!t->running);
    t->running = t->wanted = true;
    t->second = t->again = false;
    t->zxid = fx->zxid;
    t->reload = fx->reload;
    try_truncate(q);
}

static bool truncate_done(struct quorum *q, int64_t *end)
{
    struct truncate_job *t = &q->truncate;
    if (t->rc != 0) {
        log_error("quorum.truncate",
                  "zxid=0x%llx %s next=\"the leader will send everything to an empty directory: move %s and %s away "
                  "and start again\"",
                  (unsigned long long)t->zxid, t->err.text, q->opt.boot->snap_dir, q->opt.boot->log_dir);
        q->opt.fail(q->opt.ctx, SERVER_EXIT_DATA);
        return false;
    }
    t->running = false;
    if (t->second) {
        t->second = false;
        q->opt.step(q->opt.ctx, &(struct core_event){ .type = CORE_EV_SNAPSHOT_DONE });
        return false;
    }
    *end = t->reload ? t->found.last_zxid : t->zxid;
    logger_restart_at(q->opt.logger, *end);
    log_info("quorum.truncated", "zxid=0x%llx reloaded=%s", (unsigned long long)*end, t->reload ? "yes" : "no");
    struct core_event ev = { .type = CORE_EV_TRUNCATED, .zxid = *end, .tree = t->found.tree };
    t->found.tree = NULL;
    q->opt.step(q->opt.ctx, &ev);
    return true;
}

bool quorum_log_changed(struct quorum *q, int64_t *end)
{
    struct logger_job *job;
    bool moved = false;
    while ((job = logger_take_done(q->opt.logger)) != NULL) {
        if (job == &q->epochs.job)
            epochs_done(q);
        else if (job == &q->oracle.job)
            oracle_read(q);
        else
            moved = truncate_done(q, end) || moved;
    }
    return moved;
}

bool quorum_snapshot_ended(struct quorum *q, int64_t zxid, int err)
{
    struct truncate_job *t = &q->truncate;
    if (err != 0 || !t->again || zxid != t->zxid)
        return true;
    t->again = false;
    t->second = t->running = t->wanted = true;
    return false;
}

void quorum_snapshot_changed(struct quorum *q)
{
    try_truncate(q);
}

bool quorum_may_purge(const struct quorum *q)
{
    return !q->truncate.running && !q->truncate.again;
}

/* ---- past transactions for learners ---- */

/* On the feed's thread. */
static void on_feed_changed(void *ctx)
{
    struct quorum *q = ctx;
    loop_wake(&q->feed_wake);
}

static void on_feed_wake(struct loop_wake *wake)
{
    struct quorum *q = CONTAINER_OF(wake, struct quorum, feed_wake);
    struct log_feed_piece piece;
    while (log_feed_take(q->feed, &piece)) {
        struct zab_event ev = { .type = ZAB_EV_LOG_READ,
                                .link = piece.link,
                                .bytes = piece.bytes != NULL ? blob_slice(piece.bytes) : slice_of("", 0),
                                .end = piece.end,
                                .err = piece.err };
        q->opt.step(q->opt.ctx, &(struct core_event){ .type = CORE_EV_PEER, .peer_event = &ev });
        blob_unref(piece.bytes);
    }
}

/* ---- logins of ours ---- */

/* On the thread of Kerberos. */
static void on_login_changed(void *ctx)
{
    struct quorum *q = ctx;
    loop_wake(&q->login_wake);
}

static void on_login_wake(struct loop_wake *wake)
{
    peers_login_changed(CONTAINER_OF(wake, struct quorum, login_wake)->peers);
}

/* ---- links ---- */

static bool on_peer_event(void *ctx, const struct zab_event *ev)
{
    struct quorum *q = ctx;
    return q->opt.step(q->opt.ctx, &(struct core_event){ .type = CORE_EV_PEER, .peer_event = ev });
}

static const struct member *on_member(void *ctx, int64_t sid)
{
    struct quorum *q = ctx;
    return members_find(zab_members(core_zab(q->opt.core(q->opt.ctx))), sid);
}

static const struct members *on_members(void *ctx)
{
    struct quorum *q = ctx;
    return zab_members(core_zab(q->opt.core(q->opt.ctx)));
}

static const char *on_canonical(void *ctx, const char *host)
{
    const struct quorum *q = ctx;
    return canonical_of(q->canonical, host);
}

static void on_bind_failed(void *ctx, const char *why)
{
    struct quorum *q = ctx;
    log_error(
        "quorum.listen",
        "port=election err=\"%s\" next=\"find what uses the port (ss -ltnp), or check the address in server.%lld\"",
        why, (long long)q->opt.config->my_id);
    q->opt.fail(q->opt.ctx, SERVER_EXIT_BIND);
}

void quorum_carry_out(struct quorum *q, const struct zab_fx *fx, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fx[i].type == ZAB_FX_SAVE_EPOCHS)
            begin_epochs(q, &fx[i]);
        else if (fx[i].type == ZAB_FX_TRUNCATE)
            begin_truncate(q, &fx[i]);
        else if (fx[i].type == ZAB_FX_LOG_READ)
            log_feed_open(q->feed, fx[i].link, fx[i].zxid, fx[i].to);
        else if (fx[i].type == ZAB_FX_LOG_MORE)
            log_feed_more(q->feed, fx[i].link);
        else if (fx[i].type == ZAB_FX_LOG_DONE)
            log_feed_close(q->feed, fx[i].link);
        else if (fx[i].type == ZAB_FX_ASK_ORACLE)
            logger_run(q->opt.logger, &q->oracle.job);
    }
    peers_apply(q->peers, fx, count);
}

bool quorum_run_ready(struct quorum *q)
{
    return peers_run_ready(q->peers);
}

int64_t quorum_unsent_bytes(const struct quorum *q)
{
    return peers_unsent_bytes(q->peers);
}

/* ---- begin and end ---- */

struct members *quorum_members(const struct config *c, struct buf *why)
{
    struct members *members = NULL;
    struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    config_put_members(c, &text);
    (void)members_parse(buf_slice(&text), why, &members);
    buf_fini(&text);
    return members;
}

static size_t packets_remembered(const struct config *c)
{
    if (!c->message_tracker)
        return 0;
    size_t n = (size_t)c->message_tracker_count;
    return n < LIMIT_PEER_PACKETS ? n : LIMIT_PEER_PACKETS;
}

struct zab_options quorum_zab_options(const struct config *c, const struct boot *b, struct members *members)
{
    return (struct zab_options){
        .sid = c->my_id,
        .seed = process_entropy(),
        .members = members,
        .observer = strcmp(c->peer_type, "observer") == 0,
        .tick_time_ms = c->tick_time_ms,
        .init_limit_ticks = c->init_limit_ticks,
        .sync_limit_ticks = c->sync_limit_ticks,
        .connect_limit_ticks = c->connect_to_leader_limit_ticks,
        .notification_ms_min = c->election_notify_ms_min,
        .notification_ms_max = c->election_notify_ms_max,
        .hello_ms = c->election_read_timeout_ms,
        .epoch_wait_ms_max = c->leader_epoch_wait_ms_max == 0 ? 1 : c->leader_epoch_wait_ms_max,
        .observer_delay_ms = c->observer_election_delay_ms,
        .observer_reconnect_ms = c->observer_reconnect_delay_ms,
        .history_count = boot_history_count(c),
        .history_bytes = LIMIT_HISTORY_BYTES,
        .packet_field_bytes_max = boot_record_bytes_max(c),
        .link_backlog_bytes_max = LIMIT_PEER_OUT_BYTES,
        .log_sync = c->snapshot_size_factor >= 0,
        .force_snapshot_sync = c->force_snapshot_sync,
        .snap_syncs_max = c->leader_snap_syncs_max,
        .diff_syncs_max = c->leader_diff_syncs_max,
        .observer_unlogged = !c->observer_sync,
        .observer_masters = c->observer_master_port != 0,
        .many_addresses = c->multi_address,
        .oracle = c->oracle_path[0] != '\0',
        .untrusted = b->untrusted,
        .packets_remembered = packets_remembered(c),
        .last_zxid = b->found.last_zxid,
        .accepted_epoch = b->epochs.accepted,
        .current_epoch = b->epochs.current,
    };
}

struct quorum *quorum_new(const struct quorum_options *options)
{
    struct quorum *q = mem_zalloc(sizeof *q);
    const struct config *c = options->config;
    q->opt = *options;
    q->epochs = (struct epochs_job){ .job.fn = save_epochs, .quorum = q, .old = options->boot->epochs };
    q->truncate = (struct truncate_job){ .job = { .fn = truncate_log, .closes_log = true }, .quorum = q };
    q->oracle = (struct oracle_job){ .job.fn = read_oracle, .quorum = q };
    const struct members *now = zab_members(core_zab(options->core(options->ctx)));
    if (c->quorum_sasl && c->kerberos_canonical_hosts)
        q->canonical = canonical_new(now);
    q->members = members_ref((struct members *)(uintptr_t)now);
    const struct member *self = members_find(now, c->my_id);
    ASSERT(self != NULL); /* config_load has looked */
    loop_wake_open(options->loop, &q->feed_wake, on_feed_wake);
    q->feed = log_feed_new(&(struct log_feed_options){
        .fs = options->fs,
        .dirs = &options->boot->dirs,
        .record_bytes_max = boot_record_bytes_max(c),
        .size_factor = c->snapshot_size_factor > 1 ? SIZE_FACTOR_DEFAULT : c->snapshot_size_factor,
        .changed = on_feed_changed,
        .ctx = q,
    });
    int64_t leader_ms = (int64_t)c->connect_to_leader_limit_ticks * c->tick_time_ms;
    q->peers = peers_new(&(struct peers_options){
        .loop = options->loop,
        .self = self,
        .listen_all = c->quorum_listen_all,
        .keepalive = c->election_keepalive,
        .bind_tries = c->election_bind_retries,
        /* 0 is Java's for ever. */
        .dial_ms = { [ZAB_PORT_ELECTION] =
                         c->election_connect_timeout_ms == 0 ? INT32_MAX : c->election_connect_timeout_ms,
                     [ZAB_PORT_LEARNER] = leader_ms,
                     [ZAB_PORT_OBSERVERS] = leader_ms },
        .observer_port = (uint16_t)c->observer_master_port,
        .tls_accept = options->tls->accept,
        .tls_dial = options->tls->dial,
        .tls_optional = options->tls->optional,
        .tls_handshake_ms = quorum_tls_handshake_ms(c),
        .sasl_accept = options->sasl->accept,
        .sasl_required = options->sasl->required,
        .sasl_dial = options->sasl->dial,
        .login_ms = c->election_read_timeout_ms,
        .links_max = LIMIT_PEER_STRANGERS + 2 * now->count,
        .ctx = q,
        .event = on_peer_event,
        .member = on_member,
        .members = on_members,
        .canonical = on_canonical,
        .failed = on_bind_failed,
    });
    loop_wake_open(options->loop, &q->login_wake, on_login_wake);
    if (options->sasl->dial != NULL)
        sasl_login_listen(options->sasl->dial, on_login_changed, q);
    quorum_tls_start(options->tls, options->loop);
    return q;
}

void quorum_close(struct quorum *q)
{
    if (q == NULL)
        return;
    quorum_tls_stop(q->opt.tls);
    if (q->opt.sasl->dial != NULL)
        sasl_login_listen(q->opt.sasl->dial, NULL, NULL);
    loop_wake_close(&q->login_wake);
    peers_close(q->peers);
    log_feed_free(q->feed);
    q->feed = NULL;
    loop_wake_close(&q->feed_wake);
}

void quorum_free(struct quorum *q)
{
    if (q == NULL)
        return;
    peers_free(q->peers);
    tree_free(q->truncate.found.tree);
    members_unref(q->members);
    canonical_free(q->canonical);
    mem_free(q);
}
