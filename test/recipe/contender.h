/* What the files of the C half of a contest share. */
#ifndef ZOKOR_TEST_CONTENDER_H
#define ZOKOR_TEST_CONTENDER_H

#include "check.h"
#include <stdbool.h>

#define CONTEST_WAIT_MS 60000
#define REFUSED_MS 50 /* how long something is tried that the other one has */
#define ME "c"
#define OTHER "java"

extern struct zokor_framework *f;
extern int rounds;

void meet(const char *where); /* both programs come to this point, or neither goes on */
char *numbered(const char *format, int i);
void prepare(const char *tail, const char *data);
bool is_there(const char *tail);
void put_mark(const char *tail); /* a node of ours that was not there */

/* contender_sharing.c: what both have at once. */
void atomic_number(void);
void shared_count(void);
void shared_value(void);
void queue_fifo(void);
void queue_held(void);
void queue_simple(void);
void queue_id(void);
void queue_priority(void);
void queue_delay(void);
void group(void);
void persistent_node(void);
void registry(void);
void cache_tree(void);
void cache_children(void);
void cache_node(void);
void compressed(void);

#endif
