#include "sim/minimise.h"

struct search {
    struct sim_options *best;
    struct finding *found;
    char rule[sizeof((struct finding *)0)->rule];
    minimise_run *run;
    void *ctx;
    int left;
};

/* Keeps the change if the same rule is still broken. */
static bool try_value(struct search *s, enum sim_option option, int64_t value)
{
    if (s->best->v[option] == value || s->left == 0)
        return false;
    struct sim_options o = *s->best;
    struct finding f = { 0 };
    o.v[option] = value;
    s->left--;
    if (!s->run(s->ctx, &o, &f) || strcmp(f.rule, s->rule) != 0)
        return false;
    *s->best = o;
    *s->found = f;
    return true;
}

/* Halves towards `least` while that works, then takes away ever smaller parts. */
static void shrink(struct search *s, enum sim_option option, int64_t least)
{
    int64_t step = (s->best->v[option] - least + 1) / 2;
    while (step > 0 && s->left != 0) {
        int64_t value = s->best->v[option] - step;
        if (value < least || !try_value(s, option, value))
            step /= 2;
    }
}

int minimise(struct sim_options *o, struct finding *f, minimise_run *run, void *ctx, int runs)
{
    struct search s = { .best = o, .found = f, .run = run, .ctx = ctx, .left = runs };
    memcpy(s.rule, f->rule, sizeof s.rule);
    for (int i = 0; i < OPTION_COUNT; i++)
        if (options_is_fault((enum sim_option)i))
            (void)try_value(&s, (enum sim_option)i, 0);
    (void)try_value(&s, OPT_observers, 0);
    if (o->v[OPT_members] > 3)
        (void)try_value(&s, OPT_members, 3);
    shrink(&s, OPT_duration_ms, 100);
    shrink(&s, OPT_clients, 1);
    for (int i = 0; i < OPTION_COUNT; i++) {
        bool shape = i == OPT_members || i == OPT_observers || i == OPT_duration_ms || i == OPT_clients;
        if (!shape && !options_is_fault((enum sim_option)i))
            (void)try_value(&s, (enum sim_option)i, options_default_of((enum sim_option)i));
    }
    if (try_value(&s, OPT_ops_max, 2000))
        shrink(&s, OPT_ops_max, 1);
    shrink(&s, OPT_duration_ms, 100);
    return runs - s.left;
}
