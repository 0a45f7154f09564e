/* scenario_sight: what a script can look at. */
#include "core/view.h"
#include "sim/scenario_internal.h"
#include <stdlib.h>
#include <string.h>

struct sim_member *scenario_member(struct scenario *s, const char *word)
{
    char *end;
    long n = strtol(word, &end, 10);
    if (*end == '\0' && n >= 1 && n <= (long)s->c.member_count)
        return s->c.members[n - 1];
    scenario_wrong(s, "there is no member %s", word);
    return NULL;
}

static bool looks(const struct sim_member *m)
{
    return m->up && !member_serves(m);
}

static bool serves(const struct sim_member *m)
{
    return m->up && member_serves(m);
}

static bool leads(const struct sim_member *m)
{
    return serves(m) && (m->leads || core_zab(m->core) == NULL);
}

static bool is_down(const struct sim_member *m)
{
    return !m->up;
}

static bool saves_epochs(const struct sim_member *m)
{
    return m->up && m->saving_epochs;
}

static bool flushes(const struct sim_member *m)
{
    return m->up && m->flushing;
}

static bool cuts(const struct sim_member *m)
{
    return m->up && m->truncating;
}

static bool takes_snapshot(const struct sim_member *m)
{
    return m->up && m->image_open;
}

/* Of each member that is named. */
static const struct {
    const char *word;
    bool (*is)(const struct sim_member *m);
} states[] = {
    { "looking", looks },
    { "serves", serves },
    { "leader", leads },
    { "down", is_down },
    { "saving-epochs", saves_epochs },
    { "flushing", flushes },
    { "cutting", cuts },
    { "imaging", takes_snapshot },
};

static int sees_states(struct scenario *s, const struct words *w, size_t at)
{
    for (size_t i = 0; i < ARRAY_COUNT(states); i++) {
        if (strcmp(w->w[at], states[i].word) != 0)
            continue;
        for (size_t j = at + 1; j < w->n; j++) {
            const struct sim_member *m = scenario_member(s, w->w[j]);
            if (m == NULL || !states[i].is(m))
                return 0;
        }
        return 1;
    }
    return -1;
}

/* "packet 3 > 1 NEWLEADER", since the last mark; "held 3 > 1" */
static int sees_packets(struct scenario *s, const struct words *w, size_t at)
{
    if (w->n < at + 4 || strcmp(w->w[at + 2], ">") != 0)
        return -1;
    const struct sim_member *from = scenario_member(s, w->w[at + 1]), *to = scenario_member(s, w->w[at + 3]);
    if (from == NULL || to == NULL)
        return -1;
    if (strcmp(w->w[at], "held") == 0)
        return s->d.waits[from->index][to->index];
    int type = w->n < at + 5 ? -1 : directed_packet(w->w[at + 4]);
    if (type < 0)
        return -1;
    return s->d.delivered[from->index][to->index][type] > s->marked[from->index][to->index][type];
}

/* "has 2 /a /b", "lacks 2 /a" */
static int sees_nodes(struct scenario *s, const struct words *w, size_t at, bool there)
{
    const struct sim_member *m = w->n < at + 3 ? NULL : scenario_member(s, w->w[at + 1]);
    if (m == NULL || !m->up)
        return 0;
    for (size_t i = at + 2; i < w->n; i++)
        if ((tree_find(core_tree(m->core), slice_str(w->w[i])) != NODE_NONE) != there)
            return 0;
    return 1;
}

/* "same 1 2 3": one history and one tree */
static int sees_same(struct scenario *s, const struct words *w, size_t at)
{
    const struct sim_member *first = scenario_member(s, w->w[at + 1]);
    for (size_t i = at + 1; i < w->n; i++) {
        const struct sim_member *m = scenario_member(s, w->w[i]);
        if (first == NULL || m == NULL || !m->up || !first->up ||
            tree_last_zxid(core_tree(m->core)) != tree_last_zxid(core_tree(first->core)) ||
            tree_digest(core_tree(m->core)) != tree_digest(core_tree(first->core)))
            return 0;
    }
    return 1;
}

int scenario_sees(struct scenario *s, const struct words *w, size_t at)
{
    if (w->n < at + 2)
        return -1;
    const char *what = w->w[at];
    if (strcmp(what, "no") == 0) {
        int sees = scenario_sees(s, w, at + 1);
        return sees < 0 ? sees : !sees;
    }
    if (strcmp(what, "packet") == 0 || strcmp(what, "held") == 0)
        return sees_packets(s, w, at);
    if (strcmp(what, "has") == 0 || strcmp(what, "lacks") == 0)
        return sees_nodes(s, w, at, what[0] == 'h');
    if (strcmp(what, "same") == 0)
        return sees_same(s, w, at);
    return sees_states(s, w, at);
}
