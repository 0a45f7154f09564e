/* clock: time of this machine. */
#ifndef ZOKOR_OS_CLOCK_H
#define ZOKOR_OS_CLOCK_H

#include <stdint.h>

/* Monotonic; never falls, not even when the machine's date is set. */
int64_t clock_mono_ns(void);
int64_t clock_mono_ms(void);
/* Milliseconds since 1970; may jump. */
int64_t clock_wall_ms(void);

#endif
