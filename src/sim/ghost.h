/* ghost: what nobody inside the cluster can know: the one true order of transactions, taken from whoever is the first
 * to apply each, and the rules that must hold after every step (reliability invariants I1 to I5). */
#ifndef ZOKOR_SIM_GHOST_H
#define ZOKOR_SIM_GHOST_H

#include "base/blob.h"
#include <stdbool.h>

struct cluster;
struct sim_member;

struct ghost_reign {
    int64_t epoch;
    uint32_t leader;
};

/* Of a tree in which nothing has happened (disk specification 4). */
#define GHOST_FIRST_DIGEST 0x51c6d660u

struct ghost_session {
    int64_t session_id;
    bool begun; /* its creation is decided */
    int64_t begun_us;
    bool ended;   /* its end was proposed by anybody */
    bool decided; /* and is decided */
};

struct ghost {
    int64_t committed; /* the last transaction that was applied anywhere */
    uint64_t digest;   /* of the tree after it */
    struct ghost_session *sessions;
    size_t session_count, session_cap;
    struct ghost_reign *reigns; /* who has led in each epoch */
    size_t reign_count, reign_cap;
    int64_t led_epoch; /* the newest of them */
    int64_t led_us;    /* since when */
};

/* A member's log as it was handed over, from the first record that the ghost has not compared. */
struct shadow_record {
    int64_t zxid;
    struct blob *txn;
};

struct shadow {
    struct shadow_record *records;
    size_t head, count, cap;
};

void shadow_init(struct shadow *s);
void shadow_fini(struct shadow *s);
/* Takes its own reference. */
void shadow_push(struct shadow *s, int64_t zxid, struct blob *txn);
/* Forgets records at or below zxid: an image has taken their place. */
void shadow_drop(struct shadow *s, int64_t zxid);
/* Forgets records above zxid. */
void shadow_cut(struct shadow *s, int64_t zxid);

/* May a client that asked at asked_us be told that this session has ended? A lone server may say so when it has decided
 * it by itself; a local session is unknown elsewhere until it has become everybody's. */
bool ghost_ended(const struct cluster *c, int64_t session_id, int64_t asked_us);
/* A member hands a transaction to its log. */
void ghost_appends(struct cluster *c, struct sim_member *m, int64_t zxid, struct blob *txn);
/* A member's history through zxid is that of whoever sent it an image. */
void ghost_image(struct cluster *c, struct sim_member *m, int64_t zxid);
/* A member has been recovered; its tree is at zxid. */
void ghost_recovered(struct cluster *c, struct sim_member *m, int64_t zxid);
/* After each step of a member's core. */
void ghost_stepped(struct cluster *c, struct sim_member *m);
/* Its whole state: members' trees against their digests, and core_check. */
void ghost_check(struct cluster *c, struct sim_member *m);

#endif
