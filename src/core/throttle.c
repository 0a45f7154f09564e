/* throttle: how fast clients may connect: a token bucket, and above it a drop probability that follows how empty the
 * bucket stays, as Apache's BlueThrottle. Off unless connection_throttle_tokens is set. */
#include "core/internal.h"

static double random_unit(struct core *c)
{
    return (double)(rng_u64(&c->rng) >> 11) / 9007199254740992.0; /* 2^53 */
}

static void refill(struct core *c)
{
    const struct core_throttle *o = &c->opt.connection_throttle;
    struct throttle *t = &c->throttle;
    int64_t passed_ms = c->now_ms - t->filled_ms;
    if (passed_ms <= o->fill_time_ms)
        return;
    int64_t fill_time_ms = o->fill_time_ms < 1 ? 1 : o->fill_time_ms;
    t->tokens += passed_ms * o->fill_count / fill_time_ms;
    if (t->tokens > o->tokens)
        t->tokens = o->tokens;
    t->filled_ms = c->now_ms;
}

static bool dropped(struct core *c)
{
    const struct core_throttle *o = &c->opt.connection_throttle;
    struct throttle *t = &c->throttle;
    if (o->freeze_time_ms < 0)
        return false;
    if (c->now_ms - t->frozen_ms > o->freeze_time_ms) {
        int64_t used = o->tokens - t->tokens;
        if (used >= o->tokens && t->drop_probability < 1)
            t->drop_probability += o->drop_increase;
        else if ((double)used <= (double)o->tokens * o->decrease_ratio && t->drop_probability > 0)
            t->drop_probability -= o->drop_decrease;
        if (t->drop_probability > 1)
            t->drop_probability = 1;
        if (t->drop_probability < 0)
            t->drop_probability = 0;
        t->frozen_ms = c->now_ms;
    }
    return random_unit(c) < t->drop_probability;
}

static bool admits(struct core *c, bool renews_session)
{
    const struct core_throttle *o = &c->opt.connection_throttle;
    struct throttle *t = &c->throttle;
    if (!t->begun) {
        *t = (struct throttle){ .begun = true, .tokens = o->tokens, .filled_ms = c->now_ms, .frozen_ms = c->now_ms };
    }
    int64_t need = !o->weighted            ? 1
                   : renews_session        ? o->renew_weight
                   : c->opt.local_sessions ? o->local_session_weight
                                           : o->global_session_weight;
    refill(c);
    if (dropped(c) || t->tokens < need)
        return false;
    t->tokens -= need;
    return true;
}

/* True if a connection with this weight may go on; takes its tokens. */
bool throttle_admits(struct core *c, bool renews_session)
{
    int64_t tokens = c->opt.connection_throttle.tokens;
    bool admitted = tokens <= 0 || admits(c, renews_session);
    summary_add(&c->stats.token_deficit, tokens <= 0 ? 0 : tokens - c->throttle.tokens);
    return admitted;
}
