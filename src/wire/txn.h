/* txn: a transaction as it stands in the log: header, body by type, optional digest (disk specification 2). */
#ifndef ZOKOR_WIRE_TXN_H
#define ZOKOR_WIRE_TXN_H

#include "wire/proto.h"
#include "wire/records.h"

/* The body of one operation. `type` is the log's number; fields that a type does not have are zero. Slices point into
 * the decoded bytes. */
struct txn_op {
    int32_t type;
    struct slice path;
    struct slice data;
    struct wire_vec acl;
    bool ephemeral;           /* create, create2 */
    bool has_parent_cversion; /* false for the old form of create */
    int32_t parent_cversion;
    int32_t version;       /* setData, setACL: the new version; check: as logged */
    int64_t ttl_ms;        /* createTTL */
    int32_t err;           /* error */
    int32_t timeout_ms;    /* createSession */
    bool has_paths;        /* closeSession: false for the form without a body */
    struct wire_vec paths; /* closeSession */
    int32_t sub_count;     /* multi */
    struct slice sub_raw;  /* multi: { int type, buffer body } one after the other, walked once */
};

struct txn {
    struct wire_txn_header header;
    struct txn_op op;
    bool has_digest;
    struct wire_txn_digest digest;
};

/* Decodes a log record's payload. 0; ERR_MARSHALLING if it is malformed; ERR_UNSUPPORTED for a type that has no place
 * in a log. Every sub-operation of a multi has been decoded once, so txn_next_sub cannot fail on it. */
int txn_decode(struct slice payload, struct txn *txn);
/* The path that a transaction of one node begins with, without a look at the rest; false if it has none or cannot be
 * read. */
bool txn_peek_path(struct slice payload, struct slice *path);

/* The next sub-operation: start with *rest = op->sub_raw; false when there is none left. */
bool txn_next_sub(struct slice *rest, struct txn_op *sub);

/* Appends the body of op (not for multi). */
void txn_put_body(struct buf *b, const struct txn_op *op);

/* Appends { type, buffer body }, the form of a sub-operation inside a multi's vector. */
void txn_put_sub(struct buf *b, const struct txn_op *op);

#endif
