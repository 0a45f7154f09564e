/* agenda: what will happen, ordered by virtual time; what is due at the same moment happens in the order in which it
 * was put down. A binary heap. */
#ifndef ZOKOR_SIM_AGENDA_H
#define ZOKOR_SIM_AGENDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agenda_item {
    int64_t at_us;
    uint64_t serial; /* given by agenda_add */
    int32_t kind;
    uint32_t who;  /* index of a member, client, link, ... by kind */
    uint64_t mark; /* tells a stale item from a good one, by kind */
    void *p;       /* one block of mem_alloc, or NULL; whoever takes the item frees it */
};

struct agenda {
    struct agenda_item *items;
    size_t count, cap;
    uint64_t next_serial;
};

void agenda_init(struct agenda *a);
/* Frees the blocks of what is left, too. */
void agenda_fini(struct agenda *a);
void agenda_add(struct agenda *a, struct agenda_item item);
/* False when nothing is left. */
bool agenda_next(struct agenda *a, struct agenda_item *item);

#endif
