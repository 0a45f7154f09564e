/* library_life: a library's days: what its program does when, and what befalls it. */
#include "base/mem.h"
#include "sim/library_internal.h"

static int64_t now_ms(const struct library *l)
{
    return l->c->now_us / 1000;
}

static bool may_ask(const struct library *l)
{
    const struct cluster *c = l->c;
    return !l->judge.closing && !l->judge.refused && !c->resting &&
           judge_waiting(&l->judge) < (size_t)opt(c, OPT_window) &&
           (opt(c, OPT_ops_max) == 0 || c->ops_sent < opt(c, OPT_ops_max));
}

/* Programs ask while there is no connection, too, but less. */
static void work(struct library *l)
{
    struct cluster *c = l->c;
    if (c->now_us < l->next_op_us || !may_ask(l))
        return;
    l->next_op_us = c->now_us + dice_wait(&l->works, opt(c, OPT_op_ms) * 1000);
    if (!l->judge.up && !dice_one_in(&l->works, 4))
        return;
    do
        library_ask(l);
    while (dice_one_in(&l->works, 2) && may_ask(l));
    if (!c->healing && dice_one_in(&l->dice, 60))
        library_relist(l, dice_one_in(&l->dice, 2));
    if (dice_one_in(&l->dice, 100))
        client_cycle_server(l->core);
    library_pump(l);
    if (l->core != NULL && !c->healing && dice_one_in(&l->dice, 150))
        library_hand_over(l);
}

/* What came while it stood still comes now. */
static void thaw(struct library *l)
{
    struct buf kept = l->kept;
    bool gone = l->kept_gone;
    buf_init(&l->kept, SIZE_MAX);
    l->kept_gone = false;
    l->frozen_until_us = 0;
    l->judge.thawed_us = l->judge.spoke_us = l->idle_us = l->c->now_us;
    if (l->link == LIBRARY_OPEN && !dice_one_in(&l->dice, 2)) /* which of its threads goes on first? */
        library_pump(l);
    if (l->core != NULL && l->link == LIBRARY_OPEN)
        library_take_frames(l, buf_slice(&kept));
    if (l->core != NULL && gone)
        library_lost(l);
    buf_fini(&kept);
}

void library_woken(struct library *l, uint64_t mark)
{
    struct cluster *c = l->c;
    if (mark != l->alarm_mark || c->finding.is)
        return;
    if (c->now_us < l->frozen_until_us) {
        library_wake_at(l, l->frozen_until_us);
        return;
    }
    if (l->core == NULL) {
        if (c->now_us < l->next_handle_us) {
            library_wake_at(l, l->next_handle_us);
            return;
        }
        library_begin_handle(l);
    } else if (l->frozen_until_us != 0) {
        thaw(l);
    }
    if (l->core != NULL)
        library_happen(l);
    library_pump(l);
    if (l->core != NULL)
        work(l);
    if (l->core != NULL)
        library_wake_at(l, may_ask(l) ? l->next_op_us : LIBRARY_NEVER);
}

struct library *library_new(struct simclient *client, bool modest)
{
    struct library *l = mem_zalloc(sizeof *l);
    l->client = client;
    l->c = simclient_cluster(client);
    l->index = simclient_index(client);
    l->dice = dice_of(l->c->opt.seed, "library", l->index);
    l->works = dice_of(l->c->opt.seed, "library requests", l->index);
    l->modest = modest;
    l->cable = LIBRARY_NOWHERE;
    l->opened_us = l->refused_us = l->resolved_us = l->probed_us = LIBRARY_NEVER;
    buf_init(&l->kept, SIZE_MAX);
    buf_init(&l->out, SIZE_MAX);
    buf_init(&l->scratch, 1 << 20);
    library_relist(l, true);
    l->next_handle_us = dice_between(&l->dice, 1, 500000);
    library_wake_at(l, l->next_handle_us);
    return l;
}

void library_free(struct library *l)
{
    if (l->core != NULL) {
        client_free(l->core);
        judge_fini(&l->judge);
    }
    mem_free(l->dones.p);
    library_watches_fini(&l->denied);
    buf_fini(&l->kept);
    buf_fini(&l->out);
    buf_fini(&l->scratch);
    mem_free(l);
}

/* ---- faults ---- */

void library_cut(struct library *l)
{
    if (l->cable != LIBRARY_NOWHERE)
        cable_cut(l->c, l->cable);
}

void library_mute(struct library *l)
{
    if (l->cable != LIBRARY_NOWHERE)
        cable_mute(l->c, l->cable);
}

void library_away(struct library *l)
{
    int64_t timeout_ms = opt(l->c, OPT_timeout_ms);
    int64_t until_us = l->c->now_us + dice_between(&l->dice, timeout_ms / 2, timeout_ms * 3) * 1000;
    if (dice_one_in(&l->dice, 2)) {
        l->frozen_until_us = until_us;
        library_wake_at(l, until_us);
        return;
    }
    l->away_until_us = until_us;
    library_mute(l);
}

void library_back(struct library *l)
{
    l->away_until_us = 0;
    if (l->core != NULL && l->frozen_until_us != 0) {
        thaw(l);
        library_pump(l);
    }
    l->frozen_until_us = 0;
    if (l->core != NULL) {
        library_relist(l, true);
        library_pump(l);
    } else {
        library_relist(l, true);
    }
    l->alarm_us = 0;
    library_wake_at(l, l->c->now_us + 1);
}

void library_close_session(struct library *l)
{
    if (l->core == NULL || l->judge.closing || l->judge.refused || l->c->now_us < l->frozen_until_us)
        return;
    enum client_state s = client_state_of(l->core);
    bool sends = s == CLIENT_STATE_CONNECTED || s == CLIENT_STATE_READ_ONLY;
    struct buf *b;
    int64_t by_ms = now_ms(l) + dice_between(&l->dice, 0, 3000);
    judge_closes(&l->judge, sends, by_ms);
    client_close(l->core, by_ms);
    cover(&l->c->coverage, COVER_library_closed);
    if (client_begin(l->core, WIRE_OP_SYNC, &b) != CLIENT_ERR_CLOSING)
        judge_wrong(&l->judge, "library.after_end", "a handle that is being closed takes a request");
    library_pump(l);
}

bool library_is_at_rest(const struct library *l)
{
    return l->core != NULL && l->judge.up && !l->judge.closing && judge_waiting(&l->judge) == 0;
}

void library_describe(const struct library *l, struct buf *b)
{
    static const char *const names[] = { "unlinked", "opening", "open" };
    buf_printf(b, "the library of client %u is %s at member %u, session 0x%llx, state %d, %zu requests wait", l->index,
               l->core == NULL ? "between two handles" : names[l->link], l->member + 1,
               (unsigned long long)l->session_id, l->core == NULL ? 0 : (int)client_state_of(l->core),
               l->core == NULL ? 0 : judge_waiting(&l->judge));
}
