/* client: a client as libraries are: one session that moves between members, requests sent ahead of their replies,
 * pings, watches that are set again after a reconnect. It speaks real frames; what it sends, receives and notices goes
 * to the chronicle. */
#ifndef ZOKOR_SIM_CLIENT_H
#define ZOKOR_SIM_CLIENT_H

#include "base/buf.h"
#include "sim/dice.h"
#include "wire/proto.h"

struct cluster;
struct simclient;
struct model;

enum sim_watch { SIM_WATCH_DATA, SIM_WATCH_EXIST, SIM_WATCH_CHILD, SIM_WATCH_ALL, SIM_WATCH_BELOW };

/* A request without its answer. */
struct client_request {
    int32_t xid, op;
    int64_t sent_us;
    bool watches; /* a watch is armed by the answer */
    enum sim_watch kind;
    char path[40];
    uint32_t ticket; /* of a script */
};

void sim_client_new(struct cluster *c, uint32_t index);
void sim_client_free(struct simclient *k);
struct dice *simclient_dice(struct simclient *k);

/* From its cable. */
void sim_client_received(struct simclient *k, uint32_t cable, struct slice bytes);
void simclient_gone(struct simclient *k, uint32_t cable);
/* Its alarm. */
void simclient_woken(struct simclient *k, uint64_t mark);

/* Faults. */
void simclient_cut(struct simclient *k);
void simclient_mute(struct simclient *k);
void simclient_away(struct simclient *k);
/* It comes back at once if it is away. */
void simclient_back(struct simclient *k);
void simclient_close_session(struct simclient *k);

/* Nothing is under way: every request has its answer and it is connected. */
bool simclient_is_at_rest(const struct simclient *k);
/* What it waits for, for messages. */
void simclient_describe(const struct simclient *k, struct buf *b);

/* After the run: it was not told of an event at this path, because it may not read it. */
void simclient_denied(struct simclient *k, struct slice path);
/* After the run, with the model at its end: what only the client can judge. */
void simclient_judge_end(struct simclient *k, const struct model *m);

/* ---- a script's client: it keeps its session and does nothing else by itself ---- */

/* It connects there, now and whenever it has lost its connection. */
void simclient_go(struct simclient *k, uint32_t member);
/* It goes away and comes back with simclient_go only. */
void simclient_leave(struct simclient *k);
bool simclient_is_connected(const struct simclient *k);
/* Sends what "create /a", "create /a ephemeral sequential", "delete /a", "set /a", "get /a", "exists /a",
 * "children /a", "sync /a", "close" say (words, count of them). A ticket to ask for the answer with; 0: such a request
 * is unknown, or it is not connected. */
uint32_t simclient_ask(struct simclient *k, const char *const *words, size_t count);
enum client_outcome { CLIENT_WAITS, CLIENT_ANSWERED, CLIENT_LOST };
enum client_outcome simclient_outcome(const struct simclient *k, uint32_t ticket, int32_t *err);
/* client_directed.c: header and record of such a request; false: unknown. */
bool simclient_put_words(const char *const *words, size_t count, int32_t xid, struct buf *b, struct client_request *q);

/* client_ops.c: appends the next request (header and record) to b and fills q. */
void simclient_next_request(struct simclient *k, struct dice *d, int32_t xid, struct buf *b, struct client_request *q);
/* Appends the digest credentials of user number 0 to 2, as an auth request. */
void simclient_put_auth(uint32_t user, struct buf *b);
/* Does it become a transaction? */
bool simclient_is_write(int32_t op);
uint32_t simclient_user(const struct simclient *k);
struct cluster *simclient_cluster(const struct simclient *k);
uint32_t simclient_index(const struct simclient *k);

#define CLIENT_USERS 3u
/* "user:base64(sha1(user:password))" */
extern const char *const simclient_user_ids[CLIENT_USERS];

#endif
