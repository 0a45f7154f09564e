/* zokor/barrier.h: where processes wait for each other, with the nodes of Apache Curator's DistributedBarrier and
 * DistributedDoubleBarrier. timeout_ms -1: for ever; ZOPERATIONTIMEOUT. Threads and errors: zokor/framework.h. */
#ifndef ZOKOR_BARRIER_PUBLIC_H
#define ZOKOR_BARRIER_PUBLIC_H

#include <zokor/framework.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A barrier is there as long as its node is. Setting one that is there, or removing one that is not, is fine. */
int zokor_barrier_set(struct zokor_framework *f, const char *path);
int zokor_barrier_remove(struct zokor_framework *f, const char *path);
int zokor_barrier_wait(struct zokor_framework *f, const char *path, int timeout_ms);

/* All enter when there are `count` of them; all leave when all want to. */
struct zokor_double_barrier;
struct zokor_double_barrier *zokor_double_barrier_new(struct zokor_framework *f, const char *path, int count);
void zokor_double_barrier_free(struct zokor_double_barrier *b);
/* Once. After ZOPERATIONTIMEOUT this one still counts among those who are there; leave takes it back. ZSESSIONEXPIRED:
 * its node is gone, so others may have waited in vain. */
int zokor_double_barrier_enter(struct zokor_double_barrier *b, int timeout_ms);
int zokor_double_barrier_leave(struct zokor_double_barrier *b, int timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
