/* run: wiring. One struct server; everything in this file runs on the core's thread, but for the two `changed`
 * callbacks, which only wake it. */
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "os/clock.h"
#include "os/notify.h"
#include "os/process.h"
#include "server/boot.h"
#include "server/client_tls.h"
#include "server/fronts.h"
#include "server/http_ports.h"
#include "server/limits.h"
#include "server/listener.h"
#include "server/logger.h"
#include "server/quorum.h"
#include "server/quorum_tls.h"
#include "server/sasl_clients.h"
#include "server/server.h"
#include "server/snapshotter.h"
#include "server/words.h"

#define SWEEP_MS 1000
#define DRAIN_LOOK_MS 20
#define SNAPSHOT_PACE_MS 1
#define TLS_HANDSHAKE_MS 5000 /* Apache's, if the key says 0 */

enum phase {
    PHASE_SERVING,
    PHASE_DRAINING, /* no new requests; writes in flight and replies are finished */
    PHASE_LEAVING,
};

struct server {
    const struct config *config;
    struct fs *fs;
    struct boot boot;
    struct loop *loop;
    struct core *core;
    struct core_out out;
    struct front front;    /* the connections, if there are no net threads */
    struct fronts *fronts; /* otherwise; NULL */
    uint32_t net_threads;
    struct listener listener, secure_listener;
    struct client_tls tls;
    struct quorum_tls quorum_tls;
    struct quorum_sasl quorum_sasl;
    struct logger *logger;
    struct snapshotter *snapshotter;
    struct words words;
    struct sasl_clients *sasl; /* NULL: not configured */
    struct command_host host;
    struct http_ports *http;
    struct members *members; /* at start; NULL: a standalone server */
    struct quorum *quorum;   /* NULL: a standalone server */
    struct loop_timer tick, purge, pace, stall;
    int64_t stall_set_ms; /* jvm.pause.monitor: when the timer was set */
    struct summary stall_ms;
    struct loop_wake log_wake, snapshot_wake;
    struct loop_poll log_bell; /* fn NULL: there is none */
    struct loop_signal terminate, interrupt;
    int64_t snapshot_zxid; /* of the one being written, or the last */
    int64_t began_ms;      /* of this life; started_ms: of the process */
    int64_t started_ms, swept_ms, tick_due_ms, stop_by_ms, synced_zxid;
    int64_t wall_ms;                       /* 0: not asked for yet in this turn */
    size_t fx_seen, fx_last_n, turn_bytes; /* how much of `out` was counted */
    bool log_awaited;                      /* what the logger was told */
    bool snapshot_open;                    /* begun and not ended: pieces are pulled */
    int64_t snapshot_began_ms;
    struct summary snapshot_ms;
    uint64_t frames, frames_at_pull; /* given to the core, and how many at the last piece */
    uint16_t port, secure_port;      /* 0: none */
    enum phase phase;
    bool begins_anew;  /* after this life another one follows, on what restore has put into the directory */
    int64_t last_zxid; /* of that life */
    int exit_code;
};

/* ---- the core: one step, and what comes of it ---- */

static bool step(struct server *s, struct core_event *ev)
{
    if (s->wall_ms == 0)
        s->wall_ms = clock_wall_ms();
    ev->now_ms = loop_now_ms(s->loop);
    ev->wall_ms = s->wall_ms;
    return core_step(s->core, ev, &s->out);
}

static void apply(struct server *s, const struct core_fx *fx, size_t count)
{
    if (s->fronts != NULL)
        fronts_apply(s->fronts, fx, count);
    else
        front_apply(&s->front, fx, count);
}

/* The core has closed these connections. */
static void forget_closed(struct server *s)
{
    const struct core_out *out = &s->out;
    if (!words_any(&s->words) && s->sasl == NULL)
        return;
    for (size_t i = 0; i < out->fx_count; i++) {
        if (out->fx[i].type != CORE_FX_CLOSE)
            continue;
        words_forget(&s->words, out->fx[i].conn);
        if (s->sasl != NULL)
            sasl_clients_forget(s->sasl, out->fx[i].conn);
    }
}

static void pull_snapshot(void *ctx);
static void arm_tick(struct server *s);

static void begin_snapshot(struct server *s, const struct core_snapshot_fx *snapshot)
{
    s->snapshot_open = true;
    s->snapshot_zxid = snapshot->zxid;
    s->snapshot_began_ms = loop_now_ms(s->loop);
    http_ports_snapshot_begun(s->http, snapshot->zxid);
    loop_set_busy(s->loop, pull_snapshot, s);
    snapshotter_begin(s->snapshotter, snapshot);
}

static void carry_out(struct server *s)
{
    struct core_out *out = &s->out;
    if (out->append_count != 0)
        logger_submit(s->logger, out->appends, out->append_count);
    if (out->fx_count != 0) {
        forget_closed(s);
        apply(s, out->fx, out->fx_count);
    }
    const struct core_snapshot_fx *snapshot = &out->snapshot;
    if (snapshot->begin)
        begin_snapshot(s, snapshot);
    if (snapshot->body.n != 0 || snapshot->end)
        snapshotter_body(s->snapshotter, snapshot->body, snapshot->end);
    if (snapshot->abort)
        snapshotter_abort(s->snapshotter);
    if (out->peer_count != 0)
        quorum_carry_out(s->quorum, out->peer_fx, out->peer_count);
    core_out_reset(out);
    s->fx_seen = s->fx_last_n = s->turn_bytes = 0;
}

/* Adds what the last step has added to the replies of the turn; consecutive replies grow the last effect. */
static void count_replies(struct server *s)
{
    const struct core_out *out = &s->out;
    if (out->fx_count == 0)
        return;
    if (s->fx_seen != 0)
        s->turn_bytes += out->fx[s->fx_seen - 1].n - s->fx_last_n;
    for (size_t i = s->fx_seen; i < out->fx_count; i++)
        s->turn_bytes += out->fx[i].n;
    s->fx_seen = out->fx_count;
    s->fx_last_n = out->fx[s->fx_seen - 1].n;
}

/* ---- snapshots ---- */

/* Pieces are pulled one a turn as fast as they are written while no client asks for anything, and one a millisecond
 * while some do: a snapshot may take its time, a request may not. */
static void pull_snapshot(void *ctx)
{
    struct server *s = ctx;
    if (!snapshotter_has_room(s->snapshotter)) {
        loop_set_busy(s->loop, NULL, NULL); /* the thread wakes us */
        return;
    }
    step(s, &(struct core_event){ .type = CORE_EV_SNAPSHOT_PULL });
    if (s->out.snapshot.end || s->out.snapshot.abort)
        s->snapshot_open = false;
    bool idle = s->frames == s->frames_at_pull;
    s->frames_at_pull = s->frames;
    if (!s->snapshot_open || !idle)
        loop_set_busy(s->loop, NULL, NULL);
    if (s->snapshot_open && !idle)
        loop_timer_set(&s->pace, SNAPSHOT_PACE_MS);
}

static void on_pace(struct loop_timer *timer)
{
    struct server *s = CONTAINER_OF(timer, struct server, pace);
    if (s->snapshot_open)
        loop_set_busy(s->loop, pull_snapshot, s);
}

static void on_snapshot_wake(struct loop_wake *wake)
{
    struct server *s = CONTAINER_OF(wake, struct server, snapshot_wake);
    int err;
    if (snapshotter_take_result(s->snapshotter, &err)) {
        s->snapshot_open = false;
        loop_set_busy(s->loop, NULL, NULL);
        if (err == 0)
            summary_add(&s->snapshot_ms, loop_now_ms(s->loop) - s->snapshot_began_ms);
        http_ports_snapshot_ended(s->http, err);
        if (s->quorum == NULL || quorum_snapshot_ended(s->quorum, s->snapshot_zxid, err))
            step(s, &(struct core_event){ .type = CORE_EV_SNAPSHOT_DONE, .err = err });
    } else if (s->snapshot_open) {
        loop_set_busy(s->loop, pull_snapshot, s);
    }
    if (s->quorum != NULL)
        quorum_snapshot_changed(s->quorum);
}

static void snapshot_changed(void *ctx)
{
    struct server *s = ctx;
    loop_wake(&s->snapshot_wake);
}

/* ---- the turn ---- */

static bool all_sent(struct server *s)
{
    return s->fronts != NULL ? fronts_all_sent(s->fronts) : front_all_sent(&s->front);
}

static bool drained(struct server *s)
{
    bool late = loop_now_ms(s->loop) >= s->stop_by_ms;
    if (s->quorum != NULL && late) /* what is in flight may wait for other servers for ever */
        return true;
    return !core_has_writes_in_flight(s->core) && (all_sent(s) || late);
}

/* Connections and links that may go on: true if there were some, and the turn is not over yet. */
static bool run_ready(struct server *s)
{
    if (s->quorum != NULL && quorum_run_ready(s->quorum))
        return true;
    if (s->fronts != NULL) {
        if (!fronts_has_ready(s->fronts))
            return false;
        fronts_run_ready(s->fronts);
        return true;
    }
    if (!front_has_ready(&s->front))
        return false;
    front_run_ready(&s->front);
    return true;
}

static void look_at_log(struct server *s)
{
    if (s->quorum != NULL)
        (void)quorum_log_changed(s->quorum, &s->synced_zxid);
    int64_t synced = logger_synced(s->logger);
    if (synced <= s->synced_zxid)
        return;
    s->synced_zxid = synced;
    step(s, &(struct core_event){ .type = CORE_EV_LOG_SYNCED, .zxid = synced });
}

/* A turn sees what has become durable in any case. Only if something hangs on it alone is it worth being woken for. */
static void await_log(struct server *s)
{
    bool awaits = core_awaits_log(s->core);
    if (awaits == s->log_awaited)
        return;
    s->log_awaited = awaits;
    logger_tell_syncs(s->logger, awaits);
    if (awaits && logger_synced(s->logger) > s->synced_zxid)
        loop_wake(&s->log_wake);
}

static void turn(void *ctx)
{
    struct server *s = ctx;
    logger_collect(s->logger);
    if (logger_synced(s->logger) > s->synced_zxid)
        look_at_log(s);
    do
        carry_out(s);
    while (run_ready(s));
    await_log(s);
    /* What other servers say may set a nearer date: a pause before the next vote, a dial to be tried again. */
    if (s->quorum != NULL && s->phase == PHASE_SERVING && core_next_tick_ms(s->core) < s->tick_due_ms)
        arm_tick(s);
    s->wall_ms = 0;
    if (s->phase == PHASE_DRAINING && drained(s)) {
        s->phase = PHASE_LEAVING;
        loop_stop(s->loop);
    }
}

/* ---- what connections bring ---- */

static enum front_went on_accept(void *ctx, uint32_t conn, const struct net_address *peer)
{
    struct server *s = ctx;
    struct core_event ev = { .type = CORE_EV_ACCEPT, .conn = conn, .peer = { .ipv6 = peer->ipv6, .port = peer->port } };
    memcpy(ev.peer.address, peer->bytes, sizeof ev.peer.address);
    if (s->sasl != NULL)
        sasl_clients_forget(s->sasl, conn);
    return step(s, &ev) ? FRONT_GO_ON : FRONT_PAUSED;
}

/* Apache's order: the super user's id comes before that of the scheme. */
static void on_proved(void *ctx, uint32_t conn, struct slice subject)
{
    struct server *s = ctx;
    if (client_tls_is_super(&s->tls, subject))
        step(s, &(struct core_event){
                    .type = CORE_EV_AUTHENTICATED, .conn = conn, .scheme = "super", .frame = slice_str("") });
    step(s, &(struct core_event){ .type = CORE_EV_AUTHENTICATED, .conn = conn, .scheme = "x509", .frame = subject });
}

/* A reply to a SASL request may overtake those to earlier requests (client specification 6.4), but one that ends the
 * connection goes out behind what is ready. */
static enum front_went answer_sasl(struct server *s, uint32_t conn, const struct sasl_answer *answer)
{
    if (!slice_is_null(answer->id))
        step(s, &(struct core_event){
                    .type = CORE_EV_AUTHENTICATED, .conn = conn, .scheme = "sasl", .frame = answer->id });
    if (answer->super)
        step(s, &(struct core_event){
                    .type = CORE_EV_AUTHENTICATED, .conn = conn, .scheme = "super", .frame = slice_str("") });
    if (answer->close)
        carry_out(s);
    const struct core_fx fx[] = {
        { .type = CORE_FX_SEND, .conn = conn, .p = answer->reply.p, .n = (uint32_t)answer->reply.n },
        { .type = CORE_FX_CLOSE, .conn = conn },
    };
    size_t from = answer->reply.n == 0 ? 1 : 0;
    apply(s, fx + from, (answer->close ? 2 : 1) - from);
    if (!answer->close)
        return FRONT_GO_ON;
    sasl_clients_forget(s->sasl, conn);
    step(s, &(struct core_event){ .type = CORE_EV_CONN_LOST, .conn = conn });
    return FRONT_PAUSED;
}

static enum front_went on_frame(void *ctx, uint32_t conn, struct slice frame)
{
    struct server *s = ctx;
    struct sasl_answer answer;
    if (UNLIKELY(s->sasl != NULL) && sasl_clients_frame(s->sasl, conn, frame, &answer))
        return answer_sasl(s, conn, &answer);
    struct core_event ev = { .type = CORE_EV_FRAME, .conn = conn, .frame = frame };
    s->frames++;
    bool go_on = step(s, &ev);
    count_replies(s);
    if (UNLIKELY(s->turn_bytes > LIMIT_TURN_BYTES) && go_on) /* a resume must come behind the pause */
        carry_out(s);
    return go_on ? FRONT_GO_ON : FRONT_PAUSED;
}

static void on_coming(void *ctx, const struct slice *frames, size_t count)
{
    const struct server *s = ctx;
    core_expect(s->core, frames, count);
}

static void on_lost(void *ctx, uint32_t conn)
{
    struct server *s = ctx;
    words_forget(&s->words, conn);
    if (s->sasl != NULL)
        sasl_clients_forget(s->sasl, conn);
    step(s, &(struct core_event){ .type = CORE_EV_CONN_LOST, .conn = conn });
}

static void on_word(void *ctx, uint32_t conn, uint32_t word, struct slice argument)
{
    struct server *s = ctx;
    words_begin(&s->words, conn, word, argument);
}

static void on_word_more(void *ctx, uint32_t conn)
{
    struct server *s = ctx;
    words_more(&s->words, conn);
}

static void words_apply(void *ctx, const struct core_fx *fx, size_t count)
{
    apply(ctx, fx, count);
}

static void words_done(void *ctx, uint32_t conn)
{
    struct server *s = ctx;
    step(s, &(struct core_event){ .type = CORE_EV_CONN_LOST, .conn = conn });
}

static bool listener_room(void *ctx)
{
    struct server *s = ctx;
    return s->fronts != NULL ? fronts_make_room(s->fronts) : front_make_room(&s->front);
}

static void add(struct server *s, int fd, const struct net_address *peer, enum front_port port)
{
    if (s->fronts != NULL)
        fronts_add(s->fronts, fd, peer, port);
    else
        front_add(&s->front, fd, peer, port);
}

static void listener_add(void *ctx, int fd, const struct net_address *peer)
{
    struct server *s = ctx;
    add(s, fd, peer, s->config->client_unified ? FRONT_EITHER : FRONT_PLAIN);
}

/* A handshake costs more than all that a server which serves nobody could answer. */
static void listener_add_secure(void *ctx, int fd, const struct net_address *peer)
{
    const struct server *s = ctx;
    if (s->config->handshakes_early_drop && core_mode(s->core) == CORE_LOOKING) {
        net_close(fd);
        return;
    }
    add(ctx, fd, peer, FRONT_TLS);
}

/* ---- the log ---- */

static void log_changed(void *ctx)
{
    struct server *s = ctx;
    loop_wake(&s->log_wake);
}

static void log_news(struct server *s)
{
    struct store_error err;
    look_at_log(s);
    if (s->phase == PHASE_LEAVING || logger_error(s->logger, &err) == 0)
        return;
    log_error("log.failed",
              "%s next=\"nothing that was not durable has been acknowledged; free or mend the disk, then "
              "start again\"",
              err.text);
    s->exit_code = SERVER_EXIT_LOG_FAILED;
    s->phase = PHASE_LEAVING;
    loop_stop(s->loop);
}

static void on_log_wake(struct loop_wake *wake)
{
    log_news(CONTAINER_OF(wake, struct server, log_wake));
}

static void on_log_bell(struct loop_poll *poll, unsigned events)
{
    struct server *s = CONTAINER_OF(poll, struct server, log_bell);
    (void)events;
    logger_answer(s->logger);
    logger_collect(s->logger);
    log_news(s);
}

/* A service manager that cannot be told is no reason to stop serving. */
static void tell_manager(const char *lines)
{
    int err = notify_send(lines);
    if (err != 0)
        log_warn("server.notify", "what=\"%s\" error=\"%s\" next=\"see NOTIFY_SOCKET\"", lines, err_text(err));
}

/* ---- time and signals ---- */

static void arm_tick(struct server *s)
{
    int64_t in_ms = DRAIN_LOOK_MS;
    if (s->phase == PHASE_SERVING) {
        in_ms = core_next_tick_ms(s->core) - loop_now_ms(s->loop);
        if (in_ms > SWEEP_MS)
            in_ms = SWEEP_MS;
        if (in_ms > s->config->tick_time_ms / 2)
            in_ms = s->config->tick_time_ms / 2;
    }
    s->tick_due_ms = loop_now_ms(s->loop) + in_ms;
    loop_timer_set(&s->tick, in_ms);
}

static void on_tick(struct loop_timer *timer)
{
    struct server *s = CONTAINER_OF(timer, struct server, tick);
    if (s->phase == PHASE_SERVING || s->quorum != NULL)
        step(s, &(struct core_event){ .type = CORE_EV_TICK });
    int64_t now_ms = loop_now_ms(s->loop);
    if (now_ms - s->swept_ms >= SWEEP_MS) {
        s->swept_ms = now_ms;
        if (s->fronts == NULL)
            front_sweep(&s->front);
    }
    arm_tick(s);
}

static void on_purge(struct loop_timer *timer)
{
    struct server *s = CONTAINER_OF(timer, struct server, purge);
    if (s->quorum != NULL && !quorum_may_purge(s->quorum)) {
        loop_timer_set(timer, SWEEP_MS);
        return;
    }
    snapshotter_purge(s->snapshotter);
    loop_timer_set(timer, (int64_t)s->config->purge_interval_hours * 3600 * 1000);
}

/* jvm.pause.monitor: how much later than it should a timer comes, which is what every client waits, too. The numbers
 * are those of Apache's JvmPauseMonitor. */
static void on_stall(struct loop_timer *timer)
{
    struct server *s = CONTAINER_OF(timer, struct server, stall);
    const struct config *c = s->config;
    int64_t now_ms = clock_mono_ms(), late_ms = now_ms - s->stall_set_ms - c->stall_sleep_ms;
    summary_add(&s->stall_ms, late_ms < 0 ? 0 : late_ms);
    if (late_ms > c->stall_warn_ms)
        log_warn("loop.stalled", "late_ms=%lld next=\"look at what else the machine does: steal time, swapping\"",
                 (long long)late_ms);
    else if (late_ms > c->stall_info_ms)
        log_info("loop.stalled", "late_ms=%lld", (long long)late_ms);
    s->stall_set_ms = now_ms;
    loop_timer_set(timer, c->stall_sleep_ms);
}

static void begin_stalls(struct server *s)
{
    loop_timer_open(s->loop, &s->stall, on_stall);
    s->stall_set_ms = clock_mono_ms();
    if (s->config->stall_monitor)
        loop_timer_set(&s->stall, s->config->stall_sleep_ms);
}

/* No new connections and requests; what is in flight is finished first. */
static void begin_draining(struct server *s)
{
    s->phase = PHASE_DRAINING;
    http_ports_close(s->http);
    s->stop_by_ms = loop_now_ms(s->loop) + s->config->nio_shutdown_ms;
    listener_close(&s->listener);
    listener_close(&s->secure_listener);
    if (s->fronts != NULL)
        fronts_stop_reading(s->fronts);
    else
        front_stop_reading(&s->front);
    arm_tick(s);
}

static void begin_stop(struct server *s, const char *signal)
{
    s->begins_anew = false;
    if (s->phase != PHASE_SERVING) { /* asked twice: clients get no more time; what is durable stays durable */
        log_warn("server.stop", "signal=%s again=true", signal);
        s->phase = PHASE_LEAVING;
        loop_stop(s->loop);
        return;
    }
    log_info("server.stop", "signal=%s connections=%lld writes_in_flight=%s", signal,
             (long long)(s->fronts != NULL ? fronts_open_count(s->fronts) : s->front.open_count),
             core_has_writes_in_flight(s->core) ? "yes" : "no");
    tell_manager("STOPPING=1");
    begin_draining(s);
}

static void on_terminate(struct loop_signal *signal)
{
    begin_stop(CONTAINER_OF(signal, struct server, terminate), "SIGTERM");
}

static void on_interrupt(struct loop_signal *signal)
{
    begin_stop(CONTAINER_OF(signal, struct server, interrupt), "SIGINT");
}

/* ---- the other servers ---- */

static bool quorum_step(void *ctx, struct core_event *ev)
{
    return step(ctx, ev);
}

static const struct core *quorum_core(void *ctx)
{
    struct server *s = ctx;
    return s->core;
}

static void quorum_fail(void *ctx, int exit_code)
{
    struct server *s = ctx;
    if (s->phase == PHASE_LEAVING)
        return;
    s->exit_code = exit_code;
    s->phase = PHASE_LEAVING;
    loop_stop(s->loop);
}

static void start_quorum(struct server *s)
{
    if (!s->config->distributed)
        return;
    s->quorum = quorum_new(&(struct quorum_options){ .loop = s->loop,
                                                     .config = s->config,
                                                     .boot = &s->boot,
                                                     .fs = s->fs,
                                                     .logger = s->logger,
                                                     .snapshotter = s->snapshotter,
                                                     .tls = &s->quorum_tls,
                                                     .sasl = &s->quorum_sasl,
                                                     .ctx = s,
                                                     .step = quorum_step,
                                                     .core = quorum_core,
                                                     .fail = quorum_fail });
    step(s, &(struct core_event){ .type = CORE_EV_TICK }); /* it begins to look for a leader */
}

/* ---- what the HTTP ports ask ---- */

static void want_snapshot(void *ctx)
{
    struct server *s = ctx;
    step(s, &(struct core_event){ .type = CORE_EV_SNAPSHOT_WANT });
}

static void begin_anew(void *ctx)
{
    struct server *s = ctx;
    log_info("server.begins-anew", "why=restore connections=%lld",
             (long long)(s->fronts != NULL ? fronts_open_count(s->fronts) : s->front.open_count));
    begin_draining(s);
    s->begins_anew = true;
}

/* ---- what words ask ---- */

static void boot_figures(const struct boot *b, struct command_figures *out)
{
    summary_add(&out->boot_ms, b->ended_ms - b->began_ms);
    if (b->found.snapshot_zxid >= 0)
        summary_add(&out->boot_snapshot_ms, b->loaded_ms - b->began_ms);
    if (b->found.txn_count != 0) {
        summary_add(&out->boot_txns_ms, b->ended_ms - b->loaded_ms);
        summary_add(&out->boot_txns, (int64_t)b->found.txn_count);
    }
}

static int64_t tls_figure(const struct server *s, enum front_tls_figure which)
{
    return s->fronts != NULL ? fronts_tls_figure(s->fronts, which) : s->front.tls_figures[which];
}

static void host_figures(void *ctx, struct command_figures *out)
{
    struct server *s = ctx;
    struct logger_figures log;
    *out = (struct command_figures){
        .now_ms = loop_now_ms(s->loop),
        .wall_ms = clock_wall_ms(),
        .started_ms = s->started_ms,
        .fsync_slow_count = logger_slow_syncs(s->logger),
        .snapshot_ms = s->snapshot_ms,
        .stall_ms = s->stall_ms,
        .restore_ms = s->http->restore_ms,
        .snapshot_errors = s->http->host.snapshot_errors,
        .snapshots_limited = s->http->host.snapshots_limited,
        .restore_errors = s->http->host.restore_errors,
        .restores_limited = s->http->host.restores_limited,
        .tls_handshakes = tls_figure(s, FRONT_TLS_HANDSHAKES),
        .tls_handshakes_refused = tls_figure(s, FRONT_TLS_REFUSED),
        .plain_local = tls_figure(s, FRONT_TLS_PLAIN_LOCAL),
        .plain_remote = tls_figure(s, FRONT_TLS_PLAIN_REMOTE),
        .plain_admin = https_door_plain_count(s->http->door),
        .net_queued_bytes = s->fronts != NULL ? fronts_unsent_bytes(s->fronts) : s->front.unsent_bytes,
    };
    logger_figures(s->logger, &log);
    out->sync_ms = log.sync_ms;
    out->batch_size = log.batch_size;
    out->batch_wait_ms = log.batch_wait_ms;
    out->batch_total_ms = log.batch_total_ms;
    boot_figures(&s->boot, out);
}

static void host_dir_bytes(void *ctx, int64_t *snap_bytes, int64_t *log_bytes)
{
    struct server *s = ctx;
    *snap_bytes = process_dir_bytes(s->boot.snap_dir, "snapshot");
    *log_bytes = process_dir_bytes(s->boot.log_dir, "log");
}

static void host_conf(void *ctx, struct buf *out)
{
    struct server *s = ctx;
    struct config_facts facts = { .snap_dir = s->boot.snap_dir,
                                  .log_dir = s->boot.log_dir,
                                  .client_port = s->port,
                                  .server_id = s->config->distributed ? s->config->my_id : 0 };
    struct buf membership;
    buf_init(&membership, SIZE_MAX / 2);
    if (s->quorum != NULL) {
        members_put(zab_members(core_zab(s->core)), &membership);
        facts.membership = buf_slice(&membership);
    }
    host_dir_bytes(s, &facts.snap_dir_bytes, &facts.log_dir_bytes);
    config_conf(s->config, &facts, out);
    buf_fini(&membership);
}

static unsigned host_interest(void *ctx, uint32_t conn)
{
    struct server *s = ctx;
    /* With net threads the core's thread cannot look; nearly always it is bytes that are awaited. */
    return s->fronts != NULL ? LOOP_READABLE : front_interest(&s->front, conn);
}

/* ---- start ---- */

/* Schemes whose ids are valid in ACLs though the core cannot prove them. */
/* Apache knows the scheme where authProvider.N names its class; a list of names without that would be for nothing. */
static bool knows_ensembles(const struct config *c)
{
    for (size_t i = 0; i < c->auth_providers.count; i++)
        if (strcmp(c->auth_providers.at[i].value, "org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider") ==
            0)
            return true;
    return c->ensemble_auth_name[0] != '\0';
}

static const char *shell_schemes(const struct server *s)
{
    bool sasl = sasl_schemes(s->config) != NULL;
    if (s->tls.context == NULL)
        return sasl ? "sasl" : NULL;
    return sasl ? "sasl,x509" : "x509";
}

static struct core_options core_options_of(const struct server *s)
{
    const struct config *c = s->config;
    int64_t frame_max = c->jute_max_buffer_bytes;
    return (struct core_options){
        .seed = process_entropy(),
        .start_wall_ms = clock_wall_ms(),
        .server_id = c->distributed ? (uint8_t)c->my_id : 1,
        .tick_time_ms = c->tick_time_ms,
        .session_timeout_ms_min = c->session_timeout_ms_min,
        .session_timeout_ms_max = c->session_timeout_ms_max,
        .handshake_timeout_ms = c->sessionless_timeout_ms,
        .frame_bytes_max = (size_t)(frame_max < 1024 ? 1024 : frame_max), /* the front enforces the exact limit */
        .txn_bytes_max = (size_t)(frame_max + c->jute_extra_bytes),
        .skip_acl = c->skip_acl,
        .eager_acl_check = c->eager_acl_check,
        .enforce_quota = c->enforce_quota,
        .extended_types = c->extended_types,
        .ttl_353 = c->emulate_353_ttl,
        .digest_enabled = c->digest_enabled,
        .reconfig_enabled = c->reconfig_enabled,
        .digest_auth_enabled = c->digest_auth,
        .digest_algorithm = c->digest_algorithm,
        .super_digest = c->super_digest[0] != '\0' ? c->super_digest : NULL,
        .ensemble_auth = knows_ensembles(c),
        .ensemble_names = c->ensemble_auth_name[0] != '\0' ? c->ensemble_auth_name : NULL,
        .enforce_auth = c->enforce_auth,
        .enforce_auth_schemes = c->enforce_auth_schemes,
        .container_check_interval_ms = c->container_check_ms,
        .container_max_per_minute = c->container_per_minute_max,
        .container_never_used_ms = c->container_never_used_ms_max,
        .outstanding_limit = c->outstanding_limit,
        .conns_per_ip_max = c->conns_per_ip_max < 0 ? 0 : c->conns_per_ip_max,
        .conns_max = c->conns_max < 0 ? 0 : c->conns_max,
        .snap_count = c->snap_count,
        .snap_size_bytes = c->snap_size_limit_kb < 0 ? 0 : c->snap_size_limit_kb * 1024,
        .throttled_op_wait_ms = c->throttled_op_wait_ms,
        .request_throttle_max = c->request_throttle_max,
        .large_request_threshold = c->large_request_threshold_bytes,
        .large_request_bytes_max = c->large_request_bytes_max,
        .connection_throttle = {
            .tokens = c->connection_tokens,
            .fill_time_ms = c->connection_fill_time_ms,
            .fill_count = c->connection_fill_count,
            .freeze_time_ms = c->connection_freeze_time_ms,
            .drop_increase = c->connection_drop_increase,
            .drop_decrease = c->connection_drop_decrease,
            .decrease_ratio = c->connection_decrease_ratio,
            .weighted = c->connection_weights,
            .global_session_weight = c->connection_weight_global,
            .local_session_weight = c->connection_weight_local,
            .renew_weight = c->connection_weight_renew,
        },
        .shell_schemes = shell_schemes(s),
        .audit = c->audit_enabled,
        .leader_serves = c->leader_serves,
        .image_saved_bytes_max = LIMIT_IMAGE_SAVED_BYTES,
        .read_only = c->read_only_mode,
        .local_sessions = c->local_sessions,
        .local_sessions_upgrade = c->local_sessions_upgrade,
    };
}

static int take_members(struct server *s)
{
    if (!s->config->distributed)
        return 0;
    struct buf why;
    buf_init(&why, 1024);
    s->members = quorum_members(s->config, &why);
    if (s->members == NULL)
        log_error("server.config", "%.*s", SLICE_ARG(buf_slice(&why)));
    buf_fini(&why);
    return s->members == NULL ? SERVER_EXIT_USAGE : 0;
}

static void start_threads(struct server *s)
{
    const struct config *c = s->config;
    s->log_awaited = true;
    s->logger = logger_new(&(struct logger_options){
        .fs = s->fs,
        .log = { .dir = s->boot.log_dir,
                 .prealloc_bytes = (uint64_t)c->log_prealloc_kb * 1024,
                 .size_limit_bytes = c->log_size_limit_kb > 0 ? (uint64_t)c->log_size_limit_kb * 1024 : 0,
                 .force_sync = c->force_sync },
        .slow_sync_ms = c->fsync_warn_ms,
        .direct = c->force_sync && c->log_direct,
        .changed = log_changed,
        .ctx = s,
    });
    int bell = logger_bell(s->logger);
    s->log_bell.fn = NULL;
    if (bell >= 0) {
        int rc = loop_poll_open(s->loop, &s->log_bell, bell, on_log_bell);
        ASSERT(rc == 0);
        loop_poll_set(&s->log_bell, LOOP_READABLE);
    }
    s->snapshotter = snapshotter_new(&(struct snapshotter_options){
        .fs = s->fs,
        .dirs = s->boot.dirs,
        .codec = s->boot.codec,
        .digest = c->digest_enabled,
        .last_zxid_block = c->serialize_last_zxid,
        .purge_keep = c->purge_keep_snapshots,
        .changed = snapshot_changed,
        .ctx = s,
    });
}

static void open_listener(struct server *s, struct listener *l, int fd,
                          void (*take)(void *ctx, int fd, const struct net_address *peer))
{
    if (fd >= 0)
        listener_open(
            l, &(struct listener_options){ .loop = s->loop, .fd = fd, .ctx = s, .room = listener_room, .add = take });
}

/* Sockets of clients that fit below the limit of descriptors. */
static int64_t clients_max(const struct server *s)
{
    const struct config *c = s->config;
    int64_t files_max = process_file_limit();
    int64_t reserved = LIMIT_FDS_RESERVED + (int64_t)LIMIT_FDS_THREAD * s->net_threads + http_ports_files_max(c);
    if (c->distributed) /* the ports between servers, and dials to every member */
        reserved += (c->observer_master_port != 0 ? 3 : 2) * (LIMIT_PEER_STRANGERS + 2 * (int64_t)c->peer_count) +
                    4 * (int64_t)c->peer_count;
    return files_max > 2 * reserved ? files_max - reserved : files_max / 2;
}

static void start_serving(struct server *s, int listen_fd, int secure_fd)
{
    const struct config *c = s->config;
    struct loop *loop = s->loop;
    struct front_sink sink = { .ctx = s,
                               .accept = on_accept,
                               .proved = on_proved,
                               .frame = on_frame,
                               .coming = on_coming,
                               .lost = on_lost,
                               .word = on_word,
                               .word_more = on_word_more };
    int64_t tls_handshake_ms = c->ssl_detect_ms > 0 ? c->ssl_detect_ms : TLS_HANDSHAKE_MS;
    int64_t conns_max = clients_max(s);
    if (s->net_threads == 0)
        front_init(&s->front, &(struct front_options){ .loop = loop,
                                                       .sink = sink,
                                                       .index = 0,
                                                       .count = 1,
                                                       .frame_bytes_max = (size_t)c->jute_max_buffer_bytes,
                                                       .conns_max = conns_max,
                                                       .tls = s->tls.context,
                                                       .tls_handshake_ms = tls_handshake_ms,
                                                       .tls_names = c->ssl_reverse_dns,
                                                       .tls_handshakes_max = c->handshakes_max });
    else
        s->fronts = fronts_new(&(struct fronts_options){ .threads = s->net_threads,
                                                         .core_loop = loop,
                                                         .sink = sink,
                                                         .frame_bytes_max = (size_t)c->jute_max_buffer_bytes,
                                                         .conns_max = conns_max,
                                                         .tls = s->tls.context,
                                                         .tls_handshake_ms = tls_handshake_ms,
                                                         .tls_names = c->ssl_reverse_dns,
                                                         .tls_handshakes_max = c->handshakes_max });
    s->host = (struct command_host){
        .ctx = s,
        .core = s->core,
        .words_allowed = c->words_allowed,
        .read_only_mode = c->read_only_mode,
        .with_metrics = strstr(c->metrics_class, ".NullMetricsProvider") == NULL,
        .figures = host_figures,
        .conf = host_conf,
        .dir_bytes = host_dir_bytes,
        .interest = host_interest,
        .trace_mask = 306, /* Apache's default, for gtmk */
    };
    words_init(&s->words, &s->host, s, words_apply, words_done);
    loop_wake_open(loop, &s->log_wake, on_log_wake);
    loop_wake_open(loop, &s->snapshot_wake, on_snapshot_wake);
    loop_timer_open(loop, &s->tick, on_tick);
    loop_timer_open(loop, &s->purge, on_purge);
    loop_timer_open(loop, &s->pace, on_pace);
    begin_stalls(s);
    loop_signal_open(loop, &s->terminate, LOOP_SIGNAL_TERMINATE, on_terminate);
    loop_signal_open(loop, &s->interrupt, LOOP_SIGNAL_INTERRUPT, on_interrupt);
    loop_set_turn(loop, turn, s);
    start_threads(s);
    start_quorum(s);
    if (c->purge_interval_hours > 0)
        loop_timer_set(&s->purge, 0);
    if (s->boot.found.txn_count > (uint64_t)c->snap_count / 2)
        step(s, &(struct core_event){ .type = CORE_EV_SNAPSHOT_WANT });
    arm_tick(s);
    client_tls_start(&s->tls, loop);
    open_listener(s, &s->listener, listen_fd, listener_add);
    open_listener(s, &s->secure_listener, secure_fd, listener_add_secure);
}

static void stop_serving(struct server *s)
{
    loop_set_busy(s->loop, NULL, NULL);
    loop_set_turn(s->loop, NULL, NULL);
    http_ports_detach(s->http);
    client_tls_stop(&s->tls);
    listener_close(&s->listener);
    listener_close(&s->secure_listener);
    if (s->fronts != NULL)
        fronts_stop(s->fronts);
    else
        front_close_all(&s->front);
    quorum_close(s->quorum);
    loop_timer_close(&s->tick);
    loop_timer_close(&s->purge);
    loop_timer_close(&s->pace);
    loop_timer_close(&s->stall);
    loop_signal_close(&s->terminate);
    loop_signal_close(&s->interrupt);
    if (s->log_bell.fn != NULL)
        loop_poll_close(&s->log_bell, NULL);
    /* The threads may wake the loop until they have ended. */
    logger_free(s->logger);
    snapshotter_free(s->snapshotter);
    loop_wake_close(&s->log_wake);
    loop_wake_close(&s->snapshot_wake);
    words_fini(&s->words);
}

/* On one or two processors a thread for sockets costs more in hand-overs than it takes off the core's thread. On more,
 * the core's thread is the bound, and every other processor but the log's may feed it. */
static uint32_t net_threads_of(const struct config *c)
{
    if (c->net_threads >= 0)
        return (uint32_t)c->net_threads;
    int cpus = process_cpus();
    return cpus <= 2 ? 0 : cpus < 8 ? (uint32_t)cpus / 2 : 4;
}

static void make_core(struct server *s)
{
    const struct config *c = s->config;
    struct boot *b = &s->boot;
    struct core_options options = core_options_of(s);
    struct zab_options zab;
    if (c->distributed) {
        zab = quorum_zab_options(c, b, s->members);
        options.zab = &zab;
    }
    options.past_session_id = b->found.past_session_id;
    s->core = core_new(&options, b->found.tree, loop_now_ms(s->loop));
    b->found.tree = NULL; /* the core's now */
    core_out_init(&s->out);
    for (size_t i = 0; i < b->past_count; i++) {
        const struct boot_past *p = &b->past[(b->past_head + i) % b->past_cap];
        core_remember(s->core, p->zxid, p->txn);
    }
    boot_forget_past(b);
}

/* *fd is -1 for no port. 0 or an exit code. */
static int listen_on(const struct config *c, const char *key, const char *address, int32_t port, int *fd,
                     uint16_t *bound)
{
    struct net_error err;
    *fd = -1;
    if (port == 0)
        return 0;
    int backlog = c->listen_backlog > 0 ? c->listen_backlog : LIMIT_BACKLOG;
    if (net_listen(address, (uint16_t)port, backlog, c->client_keepalive, fd, &err) != 0) {
        log_error("server.listen", "%s next=\"find what uses the port (ss -ltnp), or set %s\"", err.text, key);
        *fd = -1;
        return SERVER_EXIT_BIND;
    }
    *bound = net_port(*fd);
    return 0;
}

static int listen_to_clients(struct server *s, int *fd, int *secure_fd)
{
    const struct config *c = s->config;
    int rc = listen_on(c, "clientPort", c->client_port_address, c->client_port, fd, &s->port);
    if (rc != 0)
        return rc;
    rc = listen_on(c, "secureClientPort", c->secure_client_port_address, c->secure_client_port, secure_fd,
                   &s->secure_port);
    if (rc != 0 && *fd >= 0)
        net_close(*fd);
    return rc;
}

static int serve(struct server *s)
{
    const struct config *c = s->config;
    int listen_fd, secure_fd;
    int rc = listen_to_clients(s, &listen_fd, &secure_fd);
    if (rc != 0)
        return rc;
    s->net_threads = net_threads_of(c);
    s->loop = loop_new();
    make_core(s);
    start_serving(s, listen_fd, secure_fd);
    rc = http_ports_attach(s->http, &(struct http_ports_server){ .ctx = s,
                                                                 .loop = s->loop,
                                                                 .words = &s->host,
                                                                 .boot = &s->boot,
                                                                 .client_port = s->port,
                                                                 .want_snapshot = want_snapshot,
                                                                 .restart = begin_anew });
    if (s->exit_code == 0) /* the ports for other servers may have failed before */
        s->exit_code = rc;
    log_info("server.started", "version=%s port=%u secure_port=%u address=%s net_threads=%u pid=%lld took_ms=%lld",
             ZOKOR_VERSION, s->port, s->secure_port, c->client_port_address[0] != '\0' ? c->client_port_address : "*",
             s->net_threads, (long long)process_id(), (long long)(clock_mono_ms() - s->began_ms));
    if (s->exit_code == 0) {
        tell_manager("READY=1");
        loop_run(s->loop);
    }
    stop_serving(s);
    loop_free(s->loop);
    if (s->fronts != NULL)
        fronts_free(s->fronts);
    else
        front_fini(&s->front);
    for (size_t i = 0; i < s->out.append_count; i++)
        blob_unref(s->out.appends[i].txn);
    core_out_fini(&s->out);
    s->last_zxid = tree_last_zxid(core_tree(s->core));
    s->begins_anew = s->begins_anew && s->exit_code == 0 && !core_has_writes_in_flight(s->core);
    core_free(s->core);
    quorum_free(s->quorum);
    log_info("server.stopped", "exit=%d", s->exit_code);
    return s->exit_code;
}

/* One life: from what is in the directory to the orderly end. True in *again if another one is to follow. */
static int live(const struct config *config, struct http_ports *http, int64_t started_ms, bool *again)
{
    struct server *s = mem_zalloc(sizeof *s);
    s->config = config;
    s->fs = fs_real();
    s->http = http;
    s->started_ms = started_ms;
    s->began_ms = clock_mono_ms();
    int rc = client_tls_init(&s->tls, config);
    if (rc == 0)
        rc = quorum_tls_init(&s->quorum_tls, config);
    if (rc == 0)
        rc = quorum_sasl_init(&s->quorum_sasl, config, s->fs);
    if (rc == 0)
        rc = sasl_clients_new(config, s->fs, &s->sasl);
    if (rc == 0)
        rc = take_members(s);
    if (rc == 0)
        rc = boot_run(&s->boot, config, s->fs, process_entropy());
    if (rc == 0 && http->config == NULL)
        rc = http_ports_listen(http, config);
    if (rc == 0)
        rc = serve(s);
    *again = rc == 0 && s->begins_anew;
    if (*again)
        http_ports_install(http, s->fs, &s->boot.dirs, s->last_zxid);
    boot_fini(&s->boot);
    sasl_clients_free(s->sasl);
    members_unref(s->members);
    quorum_sasl_fini(&s->quorum_sasl);
    quorum_tls_fini(&s->quorum_tls);
    client_tls_fini(&s->tls);
    mem_free(s);
    return rc;
}

int server_run(const struct config *config)
{
    struct http_ports *http = mem_zalloc(sizeof *http);
    int64_t started_ms = clock_mono_ms();
    bool again = true;
    process_ignore_write_signals();
    process_raise_file_limit();
    int rc = 0;
    while (rc == 0 && again)
        rc = live(config, http, started_ms, &again);
    http_ports_stop(http);
    mem_free(http);
    return rc;
}
