/* finding: what is wrong, if anything: the first thing that was noticed. */
#ifndef ZOKOR_SIM_FINDING_H
#define ZOKOR_SIM_FINDING_H

#include "base/assert.h"
#include <stdbool.h>
#include <stdint.h>

struct finding {
    bool is;
    char rule[48]; /* which rule was broken; two findings of one rule are taken for the same */
    char text[600];
    int64_t at_us;
};

/* Only the first one is kept. */
void finding_set(struct finding *f, int64_t at_us, const char *rule, const char *fmt, ...) PRINTF_LIKE(4, 5);

#endif
