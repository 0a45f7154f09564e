/* client: a client as libraries are: one session that moves between members, requests sent ahead of their replies,
 * pings, watches that are set again after a reconnect. It speaks real frames; what it sends, receives and notices goes
 * to the chronicle. */
#ifndef ZOKOR_SIM_CLIENT_H
#define ZOKOR_SIM_CLIENT_H

#include "base/buf.h"
#include "sim/dice.h"
#include "wire/proto.h"

struct cluster;
struct client;

enum client_watch { CLIENT_WATCH_DATA, CLIENT_WATCH_EXIST, CLIENT_WATCH_CHILD, CLIENT_WATCH_ALL, CLIENT_WATCH_BELOW };

/* A request without its answer. */
struct client_request {
    int32_t xid, op;
    int64_t sent_us;
    bool watches; /* a watch is armed by the answer */
    enum client_watch kind;
    char path[40];
};

void client_new(struct cluster *c, uint32_t index);
void client_free(struct client *k);
struct dice *client_dice(struct client *k);

/* From its cable. */
void client_received(struct client *k, uint32_t cable, struct slice bytes);
void client_gone(struct client *k, uint32_t cable);
/* Its alarm. */
void client_woken(struct client *k, uint64_t mark);

/* Faults. */
void client_cut(struct client *k);
void client_mute(struct client *k);
void client_away(struct client *k);
/* It comes back at once if it is away. */
void client_back(struct client *k);
void client_close_session(struct client *k);

/* Nothing is under way: every request has its answer and it is connected. */
bool client_is_at_rest(const struct client *k);
/* What it waits for, for messages. */
void client_describe(const struct client *k, struct buf *b);

/* client_ops.c: appends the next request (header and record) to b and fills q. */
void client_next_request(struct client *k, struct dice *d, int32_t xid, struct buf *b, struct client_request *q);
/* Appends the digest credentials of user number 0 to 2, as an auth request. */
void client_put_auth(uint32_t user, struct buf *b);
uint32_t client_user(const struct client *k);
struct cluster *client_cluster(const struct client *k);
uint32_t client_index(const struct client *k);

#define CLIENT_USERS 3u
/* "user:base64(sha1(user:password))" */
extern const char *const client_user_ids[CLIENT_USERS];

#endif
