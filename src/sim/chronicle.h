/* chronicle: what happened, in order of virtual time: everything clients sent, received and noticed, and every
 * transaction that was committed. The oracle judges it afterwards. */
#ifndef ZOKOR_SIM_CHRONICLE_H
#define ZOKOR_SIM_CHRONICLE_H

#include "base/buf.h"

enum chronicle_kind {
    CHRONICLE_DIALLED,    /* a connection was begun: its first frame, a ConnectRequest */
    CHRONICLE_CONNECTED,  /* a ConnectResponse with a session came: the frame */
    CHRONICLE_REFUSED,    /* a ConnectResponse without one */
    CHRONICLE_SENT,       /* a request frame */
    CHRONICLE_RECEIVED,   /* a reply or an event: the frame */
    CHRONICLE_TAKEN_OVER, /* the client has given its session to a new one, which has seen nothing yet */
    CHRONICLE_GONE,       /* the client knows that the connection is over */
};

struct chronicle_entry {
    int64_t at_us;
    enum chronicle_kind kind;
    uint32_t client;
    uint32_t cable; /* connections are numbered over the whole run, from 0 */
    int64_t session_id;
    size_t at; /* of the frame's bytes in chronicle.bytes */
    uint32_t n;
};

struct chronicle_txn {
    int64_t zxid, at_us;
    size_t at; /* header, body, digest */
    uint32_t n;
    uint32_t member; /* who was the first to apply it */
    uint64_t digest; /* of the tree after it, as the leader announced it */
};

struct chronicle {
    struct chronicle_entry *entries;
    size_t count, cap;
    struct chronicle_txn *txns; /* ascending zxids */
    size_t txn_count, txn_cap;
    struct buf bytes;
    uint32_t cables;
};

void chronicle_init(struct chronicle *h);
void chronicle_fini(struct chronicle *h);
/* entry.at and .n are filled in from frame. */
void chronicle_add(struct chronicle *h, struct chronicle_entry entry, struct slice frame);
void chronicle_commit(struct chronicle *h, struct chronicle_txn txn, struct slice bytes);
struct slice chronicle_frame(const struct chronicle *h, const struct chronicle_entry *e);
struct slice chronicle_txn_bytes(const struct chronicle *h, const struct chronicle_txn *t);
/* NULL: no such transaction was committed. */
const struct chronicle_txn *chronicle_find(const struct chronicle *h, int64_t zxid);

#endif
