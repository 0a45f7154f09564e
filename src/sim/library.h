/* library: a client of a simulation that runs the client library's own core: it moves, waits, sets watches again and
 * sends what was asked for in between as programs that use the library do. What it must keep of its promises is judged
 * here: every request ends in one record, in order, with what the server said; every event finds its watcher. */
#ifndef ZOKOR_SIM_LIBRARY_H
#define ZOKOR_SIM_LIBRARY_H

#include "base/buf.h"
#include "sim/dice.h"

struct cluster;
struct library;
struct simclient;

/* user: whose id it proves; CLIENT_USERS: nobody's. works: its requests. */
struct library *library_new(struct cluster *c, struct simclient *client, uint32_t index, uint32_t user,
                            struct dice *works);
void library_free(struct library *l);

/* Time has passed. Returns when it wants to be woken. */
int64_t library_woken(struct library *l);
/* From its cable; the same. */
int64_t library_received(struct library *l, uint32_t cable, struct slice bytes);
int64_t library_gone(struct library *l, uint32_t cable);

/* Faults. */
void library_cut(struct library *l, bool silently);
/* The process stands still, and its connection is lost. */
void library_away(struct library *l, int64_t us);
int64_t library_close_session(struct library *l);
/* It goes on, and knows only of servers that live. */
int64_t library_back(struct library *l);

bool library_is_at_rest(const struct library *l);
void library_describe(const struct library *l, struct buf *b);

#endif
