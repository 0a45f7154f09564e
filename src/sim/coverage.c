#include "sim/coverage.h"

static const struct {
    const char *name;
    uint64_t floor;
    bool standalone;
} table[] = {
#define COVERAGE(name, floor, standalone) { #name, floor, standalone },
#include "sim/coverage.def"
#undef COVERAGE
};

void coverage_add(struct coverage *sum, const struct coverage *c)
{
    for (int i = 0; i < COVERAGE_COUNT; i++)
        sum->n[i] += c->n[i];
}

int coverage_judge(const struct coverage *c, uint64_t seeds, bool ensemble, struct buf *b)
{
    int low = 0;
    for (int i = 0; i < COVERAGE_COUNT; i++) {
        uint64_t floor = table[i].floor * seeds / 1000;
        if (c->n[i] >= floor || (!ensemble && !table[i].standalone))
            continue;
        buf_printf(b, "  %-32s %llu, at least %llu\n", table[i].name, (unsigned long long)c->n[i],
                   (unsigned long long)floor);
        low++;
    }
    return low;
}

void coverage_print(const struct coverage *c, struct buf *b)
{
    for (int i = 0; i < COVERAGE_COUNT; i++)
        buf_printf(b, "  %-32s %llu\n", table[i].name, (unsigned long long)c->n[i]);
}
