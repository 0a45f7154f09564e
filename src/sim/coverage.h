/* coverage: counts of what a simulation has really done, with the floors below which a campaign proves nothing. */
#ifndef ZOKOR_SIM_COVERAGE_H
#define ZOKOR_SIM_COVERAGE_H

#include "base/buf.h"

enum coverage_mark {
#define COVERAGE(name, floor, standalone) COVER_##name,
#include "sim/coverage.def"
#undef COVERAGE
    COVERAGE_COUNT
};

struct coverage {
    uint64_t n[COVERAGE_COUNT];
};

static inline void cover(struct coverage *c, enum coverage_mark mark)
{
    c->n[mark]++;
}

void coverage_add(struct coverage *sum, const struct coverage *c);
/* Appends one line a mark that is below its floor for so many seeds; returns how many there are. Marks that need more
 * than one server count only for `ensemble`. */
int coverage_judge(const struct coverage *c, uint64_t seeds, bool ensemble, struct buf *b);
void coverage_print(const struct coverage *c, struct buf *b);

#endif
