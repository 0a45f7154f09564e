/* library: a simulated client that is the client library: its core, the simulated network instead of sockets, and a
 * program above it that asks, watches, closes, hands its session over and changes the list of servers by chance. Every
 * answer and event that the library delivers is judged at once (library_judge); what goes over the wire is in the
 * chronicle as any client's. */
#ifndef ZOKOR_SIM_LIBRARY_H
#define ZOKOR_SIM_LIBRARY_H

#include "base/buf.h"

struct simclient;
struct library;
struct model;

/* `client` is what the cluster knows; it asks this one to do the work. modest: takes servers without a quorum. */
struct library *library_new(struct simclient *client, bool modest);
void library_free(struct library *l);

/* From its cable, and its alarm. */
void library_received(struct library *l, uint32_t cable, struct slice bytes);
void library_gone(struct library *l, uint32_t cable);
void library_woken(struct library *l, uint64_t mark);

/* Faults. */
void library_cut(struct library *l);
void library_mute(struct library *l);
/* Nothing reaches it and it reaches nobody for a while, or its process stands still. */
void library_away(struct library *l);
void library_back(struct library *l);
void library_close_session(struct library *l);

/* Connected, and every request has its answer. */
bool library_is_at_rest(const struct library *l);
void library_describe(const struct library *l, struct buf *b);

/* After the run: there was an event at this path that it may not read; the watch for it is gone all the same. */
void library_denied(struct library *l, struct slice path);
/* Nothing that it waits for has happened. */
void library_judge_end(struct library *l, const struct model *m);

#endif
