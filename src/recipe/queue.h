/* recipe/queue.h: names, order and bytes of items. */
#ifndef ZOKOR_RECIPE_QUEUE_H
#define ZOKOR_RECIPE_QUEUE_H

#include "recipe/internal.h"
#include <zokor/queue.h>

/* queue_hold.c: path is that of the item's node below the lock path; holds: the list of the queue. */
/* ZNODEEXISTS: a thread of this client has it. ZNOTHING: not any more, but its node is still being looked for, and
 * nothing that a watch sees may come of it: to be tried again soon. */
int hold_begin(struct zokor_framework *f, struct list *holds, const char *path);
/* It has its node, which is this session's. */
void hold_set(struct zokor_framework *f, const char *path, int64_t owner);
/* Whose session its node is of; 0: nobody here knows. */
int64_t hold_owner(struct zokor_framework *f, const char *path);
/* Its node is certainly gone, or was never made. */
void hold_end(struct zokor_framework *f, const char *path);
/* What a queue holds is its own affair no more. Also after the framework's end. */
void hold_end_all(struct zokor_framework *f, struct list *holds);
/* Deletes its node in the background, if it is ours; nobody here gets it before. is_made: it is known to have been. */
void hold_release(struct zokor_framework *f, const char *path, bool is_made);

/* The name that an item is made with, without its sequence. */
char *item_name(enum zokor_queue_kind kind, const struct zokor_put *put);
/* The id in a name of an ID queue, allocated; NULL: none. */
char *item_id(const char *name);
/* As ids are in names; allocated. */
char *item_fixed_id(const char *id);
/* When an item of a DELAY queue is due, ms since 1970; 0: no such name. */
int64_t item_due_ms(const char *name);
/* Leaves only names of this kind, in the order in which they are taken. */
void items_sort(enum zokor_queue_kind kind, struct String_vector *names);
/* Curator's ItemSerializer: version 0x00010001, then 1, length, bytes for each, then 2. */
char *items_encode(const struct zokor_bytes *items, int count, int *len);
/* False: no such bytes. *parts is allocated; each has its own data. */
bool items_decode(const char *data, int len, struct zokor_bytes **parts, int *count);
struct zokor_bytes bytes_copy(const char *data, int len);

#endif
