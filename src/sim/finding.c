#include "sim/finding.h"
#include <stdarg.h>
#include <stdio.h>

void finding_set(struct finding *f, int64_t at_us, const char *rule, const char *fmt, ...)
{
    if (f->is)
        return;
    f->is = true;
    f->at_us = at_us;
    snprintf(f->rule, sizeof f->rule, "%s", rule);
    va_list args;
    va_start(args, fmt);
    vsnprintf(f->text, sizeof f->text, fmt, args);
    va_end(args);
}
