/* members: who belongs to an ensemble, in which role, with which weight, and where. Immutable once made; shared by
 * count within one thread. */
#ifndef ZOKOR_ZAB_MEMBERS_H
#define ZOKOR_ZAB_MEMBERS_H

#include "base/buf.h"
#include "base/slice.h"

#define MEMBERS_MAX 255u /* servers in one ensemble: ids beyond a byte would make equal session ids */

struct member_address {
    const char *host; /* as configured, IPv6 without brackets */
    uint16_t quorum_port, election_port;
};

struct member {
    int64_t sid;
    bool observer;
    int64_t weight;                   /* 1 unless told; 0: votes are not counted and it cannot lead */
    int64_t group;                    /* -1: none */
    struct member_address *addresses; /* by host, as text */
    size_t address_count;
    const char *client_host; /* "0.0.0.0" for a port alone; "" with client_port 0: not told */
    uint16_t client_port;
};

struct members {
    uint32_t refs;
    int64_t version; /* 0: never agreed upon */
    bool hierarchical;
    size_t count, voter_count;
    struct member *at; /* ascending sid */
};

/* Reads the text of a configuration (quorum specification 1.4; Java properties, lines in any order, of equal keys the
 * last counts). ERR_INVALID with the reason in why (may be NULL), and *out NULL. A line "version=<hex>" sets the
 * version. Groups and weights of servers that have no line are ignored. One reference. */
int members_parse(struct slice text, struct buf *why, struct members **out);
/* The same members under another version. One reference. */
struct members *members_with_version(const struct members *m, int64_t version);
struct members *members_ref(struct members *m);
void members_unref(struct members *m); /* NULL is fine */

/* Appends the canonical text: servers, groups, weights, version; no newline at the end. */
void members_put(const struct members *m, struct buf *b);

/* NULL if there is none. */
const struct member *members_find(const struct members *m, int64_t sid);
/* A participant of this configuration. */
bool members_is_voter(const struct members *m, int64_t sid);
/* 0 for observers and strangers. */
int64_t members_weight(const struct members *m, int64_t sid);
/* Position of a server, for sets; -1 for a stranger. */
int members_index(const struct members *m, int64_t sid);

/* A set of members, by position: it belongs to one configuration. Zeroed memory is the empty set. */
struct member_set {
    uint64_t bits[4];
};

/* Adds a voter; observers and strangers are ignored (quorum specification 1.3). */
void member_set_add(struct member_set *s, const struct members *m, int64_t sid);
void member_set_remove(struct member_set *s, const struct members *m, int64_t sid);
bool member_set_has(const struct member_set *s, const struct members *m, int64_t sid);
size_t member_set_count(const struct member_set *s);
/* Majority, or hierarchical quorum where groups or weights are given. The empty ensemble has no quorum. */
bool members_is_quorum(const struct members *m, const struct member_set *s);

/* Equal version; or version 0 on both sides and the same members (ids, roles, addresses, client addresses). */
bool members_equal(const struct members *a, const struct members *b);

#endif
