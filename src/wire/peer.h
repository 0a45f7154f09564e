/* peer: what servers say to each other: the election port's first message and notifications, the learner port's
 * packets and the records inside them (quorum specification 2.2, 2.5, 4.1 to 4.4, 4.10). Everything that is read
 * points into the bytes it was read from. */
#ifndef ZOKOR_WIRE_PEER_H
#define ZOKOR_WIRE_PEER_H

#include "wire/jute.h"
#include "wire/records.h"

/* ---- the learner port: packets without any frame ---- */

enum peer_packet_type {
    PEER_REQUEST = 1,
    PEER_PROPOSAL = 2,
    PEER_ACK = 3,
    PEER_COMMIT = 4,
    PEER_PING = 5,
    PEER_REVALIDATE = 6,
    PEER_SYNC = 7,
    PEER_INFORM = 8,
    PEER_COMMIT_AND_ACTIVATE = 9,
    PEER_NEWLEADER = 10,
    PEER_FOLLOWERINFO = 11,
    PEER_UPTODATE = 12,
    PEER_DIFF = 13,
    PEER_TRUNC = 14,
    PEER_SNAP = 15,
    PEER_OBSERVERINFO = 16,
    PEER_LEADERINFO = 17,
    PEER_ACKEPOCH = 18,
    PEER_INFORM_AND_ACTIVATE = 19,
};

#define PEER_PROTOCOL_VERSION 0x10000
/* "PROPOSAL"; NULL for a type that does not exist. */
const char *peer_packet_name(int32_t type);

struct peer_packet {
    int32_t type; /* any number: unknown ones are the reader's business */
    int64_t zxid;
    struct slice data;        /* null or bytes; empty is not null */
    struct wire_vec authinfo; /* elements {scheme, id}; count -1 is null */
};

/* Cuts one packet off the front of a stream. Returns the bytes it takes; 0 while it is not all there; ERR_MARSHALLING
 * for what cannot be a packet, ERR_TOO_LONG for data, a string, or all of authinfo longer than field_bytes_max (told as
 * soon as the length is seen). Never reads past `bytes`. */
int64_t peer_packet_get(struct slice bytes, size_t field_bytes_max, struct peer_packet *out);
void peer_packet_put(struct buf *b, const struct peer_packet *p);

/* FOLLOWERINFO and OBSERVERINFO. Data of 8 bytes is a sid alone (protocol_version 1, as Apache takes it); other sizes
 * below 20 are an error. */
struct peer_learner_info {
    int64_t sid;
    int32_t protocol_version;
    int64_t config_version;
};
int peer_learner_info_get(struct slice data, struct peer_learner_info *out);
void peer_learner_info_put(struct buf *b, const struct peer_learner_info *info);

/* REQUEST: a client's request on its way to the leader. */
struct peer_request {
    int64_t session_id;
    int32_t cxid;
    int32_t op;
    struct slice body; /* the request record as the client sent it; may be empty */
};
int peer_request_get(struct slice data, struct peer_request *out);
void peer_request_put(struct buf *b, const struct peer_request *q);

/* One entry of a PING reply, and the question of REVALIDATE. */
struct peer_touch {
    int64_t session_id;
    int32_t timeout_ms;
};
int peer_touch_get(struct wire_reader *r, struct peer_touch *out); /* 1, 0 at the end, ERR_MARSHALLING */
void peer_touch_put(struct buf *b, struct peer_touch t);

/* REVALIDATE's answer. */
struct peer_validity {
    int64_t session_id;
    bool valid;
};
int peer_validity_get(struct slice data, struct peer_validity *out);
void peer_validity_put(struct buf *b, struct peer_validity v);

/* ---- the election port ---- */

#define PEER_HELLO_BYTES_MAX 2048
#define PEER_NOTIFICATION_BYTES_MAX 524288

/* The first message of whoever dials. */
struct peer_hello {
    int64_t sid;            /* INT64_MAX: an observer without a name */
    struct slice addresses; /* "host:port" or "host:port|host:port"; null from servers before 3.5 */
    bool many;              /* written as version 2, for several addresses */
};
/* As peer_packet_get: bytes taken, 0 for more, ERR_MARSHALLING. */
int64_t peer_hello_get(struct slice bytes, struct peer_hello *out);
void peer_hello_put(struct buf *b, const struct peer_hello *h);

/* ---- logging in, on both ports (QuorumAuth) ---- */

/* No other first message of either port begins with this. */
#define PEER_AUTH_MAGIC 0x5f2435013501edcc
#define PEER_AUTH_TOKEN_BYTES_MAX (128u * 1024) /* Kerberos tickets may be large */

enum peer_auth_status {
    PEER_AUTH_GOES_ON = 0,
    PEER_AUTH_DONE = 1,
    PEER_AUTH_REFUSED = -1,
};

/* Do the bytes begin such a packet: 1, no: -1, too few to say: 0. */
int peer_auth_begins(struct slice bytes);
/* As peer_packet_get: bytes taken, 0 for more, ERR_MARSHALLING, ERR_TOO_LONG. The token may be null. */
int64_t peer_auth_get(struct slice bytes, enum peer_auth_status *status, struct slice *token);
void peer_auth_put(struct buf *b, enum peer_auth_status status, struct slice token);

/* ---- votes ---- */

enum peer_state {
    PEER_LOOKING = 0,
    PEER_FOLLOWING = 1,
    PEER_LEADING = 2,
    PEER_OBSERVING = 3,
};

struct peer_notification {
    enum peer_state state;
    int64_t leader;
    int64_t zxid;
    int64_t round; /* the sender's logical clock */
    int64_t peer_epoch;
    int32_t version;     /* 0: config is null */
    struct slice config; /* canonical text, or null */
};
/* Cuts one frame: bytes taken, 0 for more, ERR_MARSHALLING for a length outside 1..PEER_NOTIFICATION_BYTES_MAX. *body
 * is the notification without the length. */
int64_t peer_notification_frame(struct slice bytes, struct slice *body);
/* Reads a body by the rules of sizes (2.5). ERR_MARSHALLING: to be dropped. */
int peer_notification_get(struct slice body, struct peer_notification *out);
/* Appends length and body, in version 2. */
void peer_notification_put(struct buf *b, const struct peer_notification *n);

#endif
