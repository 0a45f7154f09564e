/* zokor/leader.h: one of many leads, with the nodes of Apache Curator's LeaderLatch and LeaderSelector.
 *
 * A leadership ends when the connection is suspended (by the session policy: when the session is lost), before anybody
 * else can be elected; after a reconnection the candidate's own node is looked for before it leads again. A program
 * that was stopped for long may still believe that it leads: the token (zokor/hold.h) protects against that. Threads
 * and errors: zokor/framework.h. */
#ifndef ZOKOR_LEADER_PUBLIC_H
#define ZOKOR_LEADER_PUBLIC_H

#include <zokor/hold.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Leads until closed (LeaderLatch). */
struct zokor_leader_latch;
/* On the event thread: this candidate leads (leads is 1; token of this leadership), or does not any more. */
typedef void (*zokor_leader_fn)(struct zokor_leader_latch *l, int leads, int64_t token, void *context);
/* id: told to others as the participant's name; NULL: "". fn may be NULL. */
struct zokor_leader_latch *zokor_leader_latch_new(struct zokor_framework *f, const char *path, const char *id,
                                                  zokor_leader_fn fn, void *context);
/* Becomes a candidate, in the background, and stays one across sessions. ZINVALIDSTATE: not the first time. */
int zokor_leader_latch_start(struct zokor_leader_latch *l);
/* Steps back and frees it. notify: a leader's fn is called a last time, by this thread. */
void zokor_leader_latch_free(struct zokor_leader_latch *l, int notify);
int zokor_leader_latch_leads(struct zokor_leader_latch *l);
/* -1: does not lead. */
int64_t zokor_leader_latch_token(struct zokor_leader_latch *l);
/* The node's path, as zokor_mutex_node; NULL: does not lead. */
char *zokor_leader_latch_node(struct zokor_leader_latch *l);
/* Until it leads: ZOK, or ZOPERATIONTIMEOUT. timeout_ms -1: for ever. */
int zokor_leader_latch_await(struct zokor_leader_latch *l, int timeout_ms);
/* All candidates, the leader first. To be freed with zokor_participants_free. */
int zokor_leader_latch_participants(struct zokor_leader_latch *l, struct zokor_participant **participants, int *count);

/* Leads for as long as a function of the program's runs (LeaderSelector). */
struct zokor_leader_selector;
/* On a thread of the selector's own. It returns when it has done leading, and soon when
 * zokor_leader_selector_is_interrupted says so: the connection broke, the node is gone, or somebody interrupts. */
typedef void (*zokor_take_leadership_fn)(struct zokor_leader_selector *s, int64_t token, void *context);
struct zokor_leader_selector *zokor_leader_selector_new(struct zokor_framework *f, const char *path, const char *id,
                                                        zokor_take_leadership_fn fn, void *context);
/* Queue up again whenever fn has returned. Before start. */
void zokor_leader_selector_auto_requeue(struct zokor_leader_selector *s);
/* Queues up. ZINVALIDSTATE: not the first time. */
int zokor_leader_selector_start(struct zokor_leader_selector *s);
/* Queues up again, now or when fn has returned. ZINVALIDSTATE: it is queued already. */
int zokor_leader_selector_requeue(struct zokor_leader_selector *s);
/* Interrupts fn, waits for it, and frees the selector. Not inside fn. */
void zokor_leader_selector_free(struct zokor_leader_selector *s);
int zokor_leader_selector_leads(struct zokor_leader_selector *s);
int zokor_leader_selector_is_interrupted(struct zokor_leader_selector *s);
/* Inside fn: sleeps; ZOK when the time has passed, ZINVALIDSTATE when interrupted (timeout_ms -1: until then). */
int zokor_leader_selector_sleep(struct zokor_leader_selector *s, int timeout_ms);
/* Ends this leadership, as far as fn listens; the selector queues up again if it does so by itself. */
void zokor_leader_selector_interrupt(struct zokor_leader_selector *s);
int zokor_leader_selector_participants(struct zokor_leader_selector *s, struct zokor_participant **participants,
                                       int *count);

#ifdef __cplusplus
}
#endif

#endif
