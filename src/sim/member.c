#include "base/museum.h"
#include "sim/member.h"
#include "base/mem.h"
#include "core/view.h"
#include "sim/cluster.h"
#include "sim/member_internal.h"

#define BOOT_MS 1000000 /* a monotonic clock does not begin at 0 */
#define WALL_MS 1700000000000

/* ---- clocks ---- */

int64_t member_now_ms(const struct sim_member *m)
{
    int64_t us = m->cluster->now_us - m->boot_us;
    return BOOT_MS + (us + us * m->drift_ppm / 1000000) / 1000;
}

int64_t member_wall_ms(const struct sim_member *m)
{
    return WALL_MS + m->cluster->now_us / 1000 + m->wall_offset_ms;
}

static int64_t virtual_us(const struct sim_member *m, int64_t ms)
{
    int64_t us = (ms - BOOT_MS) * 1000;
    return m->boot_us + us * 1000000 / (1000000 + m->drift_ppm) + 2;
}

static void set_timer(struct sim_member *m)
{
    int64_t due_us = virtual_us(m, core_next_tick_ms(m->core));
    if (due_us <= m->cluster->now_us)
        due_us = m->cluster->now_us + 1;
    if (due_us >= m->tick_us)
        return;
    m->tick_us = due_us;
    cluster_at(m->cluster, due_us, HAPPEN_TICK, m->index, ++m->tick_mark, NULL);
}

/* ---- sessions heard of ---- */

static struct touch *touch_find(const struct sim_member *m, int64_t session_id)
{
    for (size_t i = m->touch_count; i-- > 0;)
        if (m->touches[i].session_id == session_id)
            return &m->touches[i];
    return NULL;
}

int64_t member_touched_ms(const struct sim_member *m, int64_t session_id)
{
    const struct touch *t = touch_find(m, session_id);
    return t == NULL ? -1 : t->at_ms;
}

static void touched(struct sim_member *m, int64_t session_id)
{
    struct touch *t = touch_find(m, session_id);
    if (t == NULL) {
        if (m->touch_count == m->touch_cap) {
            m->touch_cap = m->touch_cap == 0 ? 16 : m->touch_cap * 2;
            m->touches = mem_realloc(m->touches, m->touch_cap * sizeof *m->touches);
        }
        t = &m->touches[m->touch_count++];
        t->session_id = session_id;
    }
    t->at_ms = member_now_ms(m);
}

/* ---- effects ---- */

static void take_appends(struct sim_member *m)
{
    for (size_t i = 0; i < m->out.append_count; i++) {
        if (m->waiting_count == m->waiting_cap) {
            m->waiting_cap = m->waiting_cap == 0 ? 64 : m->waiting_cap * 2;
            m->waiting = mem_realloc(m->waiting, m->waiting_cap * sizeof *m->waiting);
        }
        m->waiting[m->waiting_count++] = m->out.appends[i];
        m->appended_zxid = m->out.appends[i].zxid;
        ghost_appends(m->cluster, m, m->out.appends[i].zxid, m->out.appends[i].txn);
    }
    member_start_flush(m);
}

/* What leaves in one turn: whole frames, of which each but the first begins with a reply header. */
static void look_at_sent(struct sim_member *m, struct cable *k, struct slice bytes)
{
    struct slice frame;
    size_t used;
    while (wire_frame_next(bytes, SIZE_MAX, &frame, &used) == 1) {
        int64_t zxid = k->greeted && frame.n >= 16 ? (int64_t)load_be64(frame.p + 4) : 0;
        if (zxid > m->shown_zxid)
            m->shown_zxid = zxid;
        k->greeted = true;
        bytes = slice_of(bytes.p + used, bytes.n - used);
    }
}

static void take_sends(struct sim_member *m)
{
    struct cluster *c = m->cluster;
    m->shown_zxid = 0;
    for (size_t i = 0; i < m->out.fx_count; i++) {
        const struct core_fx *fx = &m->out.fx[i];
        if (fx->type == CORE_FX_SEND)
            look_at_sent(m, &c->cables[fx->conn], slice_of(fx->p, fx->n));
        if (fx->type == CORE_FX_SEND)
            cable_send_down(c, fx->conn, slice_of(fx->p, fx->n));
        else if (fx->type == CORE_FX_CLOSE)
            cable_close(c, fx->conn);
        else
            cluster_at(c, c->now_us, HAPPEN_CABLE_RESUMED, fx->conn, 0, NULL);
    }
}

static void next_image(struct sim_member *m)
{
    int64_t wait_us = dice_wait(&m->dice, opt(m->cluster, OPT_image_us));
    cluster_at(m->cluster, m->cluster->now_us + wait_us, HAPPEN_IMAGE, m->index, m->life, NULL);
}

static void take_snapshot(struct sim_member *m)
{
    const struct core_snapshot_fx *s = &m->out.snapshot;
    buf_append_slice(&m->image_body, s->body);
    m->image_ends = m->image_ends || s->end;
    m->image_aborts = m->image_aborts || s->abort;
    if (!s->begin)
        return;
    m->image_open = true;
    m->image_given_up = false;
    m->image_wanted = *s;
    m->image_of_leader = !member_serves(m);
    if (m->image_of_leader)
        ghost_image(m->cluster, m, s->zxid);
    next_image(m);
}

bool member_serves(const struct sim_member *m)
{
    const struct zab *z = core_zab(m->core);
    return z == NULL || zab_leads(z) || zab_learns(z);
}

static bool step_once(struct sim_member *m, struct core_event ev)
{
    ev.now_ms = member_now_ms(m);
    ev.wall_ms = member_wall_ms(m);
    m->cluster->result->member = m->index + 1;
    bool go_on = core_step(m->core, &ev, &m->out);
    take_appends(m);
    member_take_peer_effects(m);
    take_sends(m);
    take_snapshot(m);
    core_out_reset(&m->out);
    ghost_stepped(m->cluster, m);
    set_timer(m);
    return go_on;
}

/* As in the server: what became durable without mattering is told behind the next event. */
bool member_step(struct sim_member *m, struct core_event ev)
{
    bool go_on = step_once(m, ev);
    int64_t zxid = m->untold_zxid;
    m->untold_zxid = 0;
    if (zxid != 0)
        step_once(m, (struct core_event){ .type = CORE_EV_LOG_SYNCED, .zxid = zxid });
    return go_on;
}

/* ---- connections ---- */

bool member_is_up(const struct sim_member *m)
{
    return m->up;
}

uint64_t member_life(const struct sim_member *m)
{
    return m->life;
}

bool member_accept(struct sim_member *m, uint32_t cable)
{
    return member_step(
        m, (struct core_event){ .type = CORE_EV_ACCEPT,
                                .conn = cable,
                                .peer = { .address = { 127, 0, 0, 1 }, .port = (uint16_t)(cable % 60000 + 1) } });
}

bool member_frame(struct sim_member *m, uint32_t cable, struct slice frame)
{
    bool go_on = member_step(m, (struct core_event){ .type = CORE_EV_FRAME, .conn = cable, .frame = frame });
    int64_t session_id = core_conn_session(m->core, cable);
    bool is_auth = frame.n >= 8 && load_be32(frame.p + 4) == WIRE_OP_AUTH;
    if (session_id != 0 && !is_auth && member_serves(m)) /* without a quorum nobody else is told */
        touched(m, session_id);
    return go_on;
}

void member_conn_lost(struct sim_member *m, uint32_t cable)
{
    member_step(m, (struct core_event){ .type = CORE_EV_CONN_LOST, .conn = cable });
}

void member_tick(struct sim_member *m, uint64_t mark)
{
    if (mark != m->tick_mark)
        return;
    m->tick_us = INT64_MAX;
    member_step(m, (struct core_event){ .type = CORE_EV_TICK });
}

/* ---- disk ---- */

/* An image of the leader stands for the log now; what a TRUNC could not remove before can go. */
static int image_of_leader_saved(struct sim_member *m)
{
    struct store_error err;
    int rc = 0;
    if (m->truncate_again)
        rc = store_truncate(disk_fs(m->disk), &member_dirs, 0, m->truncate_zxid, &err);
    m->truncate_again = false;
    if (rc == 0)
        m->durable_zxid = m->image_wanted.zxid;
    return rc;
}

static void image_done(struct sim_member *m, int rc)
{
    m->image = NULL;
    m->image_open = false;
    if (rc == 0 && m->image_of_leader)
        rc = image_of_leader_saved(m);
    cover(&m->cluster->coverage, rc == 0 ? COVER_snapshots : COVER_disk_errors);
    member_step(m, (struct core_event){ .type = CORE_EV_SNAPSHOT_DONE, .err = rc });
}

static int image_begin(struct sim_member *m, struct store_error *err)
{
    const struct core_snapshot_fx *s = &m->image_wanted;
    int rc = snapshot_write_begin(disk_fs(m->disk),
                                  &(struct snapshot_write_options){ .dir = member_dirs.snap_dir,
                                                                    .zxid = s->zxid,
                                                                    .digest = true,
                                                                    .tree_digest = s->digest,
                                                                    .digest_zxid = s->digest_zxid,
                                                                    .last_zxid_block = true },
                                  &m->image, err);
    if (rc != 0)
        m->image = NULL;
    return rc;
}

void member_image(struct sim_member *m)
{
    if (!m->image_open)
        return;
    struct store_error err;
    int rc = m->image_given_up ? ERR_IO : m->image == NULL ? image_begin(m, &err) : 0;
    if (rc != 0) {
        image_done(m, rc);
        return;
    }
    buf_reset(&m->image_body);
    m->image_ends = m->image_aborts = false;
    (void)member_step(m, (struct core_event){ .type = CORE_EV_SNAPSHOT_PULL }); /* it may be of two steps */
    bool end = m->image_ends, abort = m->image_aborts;
    if (m->image == NULL) { /* given up by that step */
        next_image(m);
        return;
    }
    rc = abort ? ERR_IO : snapshot_write_body(m->image, buf_slice(&m->image_body), &err);
    if (rc != 0) {
        snapshot_write_abort(m->image);
        image_done(m, rc);
    } else if (end && m->image_of_leader && SIM_BUG(image_not_saved)) {
        snapshot_write_abort(m->image);
        image_done(m, 0);
    } else if (end) {
        image_done(m, snapshot_write_end(m->image, &err));
    } else {
        next_image(m);
    }
}

void member_snapshot(struct sim_member *m)
{
    member_step(m, (struct core_event){ .type = CORE_EV_SNAPSHOT_WANT });
}

void member_purge(struct sim_member *m)
{
    struct store_error err;
    if (store_purge(disk_fs(m->disk), &member_dirs, 3, &err) >= 0)
        cover(&m->cluster->coverage, COVER_purges);
}
