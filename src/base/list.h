/* list: intrusive, doubly linked, circular. A link belongs to at most one list; a container never allocates. */
#ifndef ZOKOR_BASE_LIST_H
#define ZOKOR_BASE_LIST_H

#include "base/assert.h"
#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_push_back(struct list *l, struct list *item)
{
    item->prev = l->prev;
    item->next = l;
    l->prev->next = item;
    l->prev = item;
}

/* Takes the item out and leaves it as an empty list, so that removing twice is harmless. */
static inline void list_remove(struct list *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    list_init(item);
}

/* The first link, or NULL. */
static inline struct list *list_first(const struct list *l)
{
    return list_empty(l) ? NULL : l->next;
}

#define LIST_FOR(it, l) for (struct list *it = (l)->next; it != (l); it = it->next)
/* The current item may be removed while walking. */
#define LIST_FOR_SAFE(it, l) \
    for (struct list *it = (l)->next, *it##_next = it->next; it != (l); it = it##_next, it##_next = it->next)

#endif
