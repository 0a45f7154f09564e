/* model: what the tree must be, told a second time: written from the client specification alone and slow but plain. It
 * shares no code with the tree and core rooms but the wire's encoding. The oracle replays history on it. */
#ifndef ZOKOR_SIM_MODEL_H
#define ZOKOR_SIM_MODEL_H

#include "base/buf.h"
#include "wire/proto.h"
#include "wire/records.h"

struct model_node {
    struct model_node *hash_next;
    struct model_node *parent, *child_first, *next, **link; /* siblings */
    uint64_t hash;
    char *path;
    uint8_t *data; /* NULL: null */
    size_t data_n;
    uint8_t *acl; /* encoded entries */
    size_t acl_n;
    int32_t acl_count;
    int32_t children;
    struct wire_stat_persisted stat;
    uint64_t stamp; /* of the comparison that met it last */
};

struct model_session {
    int64_t id;
    int32_t timeout_ms;
};

/* Who asks: its session and what its connection has proved. */
struct model_caller {
    int64_t session_id;
    struct slice user; /* a digest id, or null */
};

struct model_event {
    int32_t type;
    struct model_node *node; /* lives until model_settle */
    bool by_multi, by_close;
};

/* What was used below a limited path after a transaction. */
struct model_quota_used {
    int64_t zxid, nodes, bytes;
};

struct model_quota {
    struct model_quota_used *used; /* empty: there is no limit yet */
    size_t count, cap;
};

#define MODEL_QUOTAS 2

struct model_undo;

struct model {
    struct model_node **buckets;
    size_t bucket_count, node_count;
    struct model_node *root;
    uint64_t digest, stamp;
    struct model_session *sessions;
    size_t session_count, session_cap;
    int64_t *ended; /* sessions that were and are no more */
    size_t ended_count, ended_cap;
    bool local_sessions; /* there are sessions that only their own server knows */
    bool said_expired;   /* the transaction being judged says that its session has ended */
    /* Of the transaction being judged. */
    int64_t zxid, time_ms;
    struct model_event *events;
    size_t event_count, event_cap;
    struct model_undo *undo;
    size_t undo_count, undo_cap;
    struct model_quota quotas[MODEL_QUOTAS];
    int64_t quota_seen;       /* who prepared it had applied at least this */
    int32_t quota_refused_at; /* the operation of it that was refused for a quota; -1 none */
    int32_t op_at;            /* the operation of a multi that is being judged */
    struct buf reply;         /* what its client must be told behind the header */
};

void model_init(struct model *m);
void model_fini(struct model *m);
struct model_node *model_find(const struct model *m, struct slice path);
struct wire_stat model_stat(const struct model_node *n);
const struct model_session *model_session(const struct model *m, int64_t id);
/* May this session do anything now? Local ones may until they have become everybody's and have ended. */
bool model_session_lives(const struct model *m, int64_t id);

/* Carries out a write of a client as the transaction zxid at time_ms. Returns the error it must end with (0: none;
 * ERR_MARSHALLING: it must not have become a transaction). m->reply and m->events tell the rest. */
int32_t model_write(struct model *m, const struct model_caller *who, int32_t op, struct slice record, int64_t zxid,
                    int64_t time_ms);
/* False: a server cannot read this request, so that nothing may come of it. */
bool model_is_readable(int32_t op, struct slice record);
/* What servers do by themselves. */
void model_open_session(struct model *m, int64_t session_id, int32_t timeout_ms, int64_t zxid);
/* paths: the order in which its nodes went. False if they are not exactly the nodes of the session. */
bool model_close_session(struct model *m, int64_t session_id, struct wire_vec paths, int64_t zxid);
/* A container or TTL node that was due; false if it may not go. */
bool model_reap(struct model *m, struct slice path, int64_t zxid, int64_t time_ms);
/* Forgets the events. Between two transactions. */
void model_settle(struct model *m);

/* ---- model_read.c ---- */

/* True if this is the answer to the read: err and body. Otherwise why tells. */
bool model_read_is(struct model *m, const struct model_caller *who, int32_t op, struct slice record, int32_t err,
                   struct slice body, struct buf *why);

/* ---- model_quota.c ---- */

/* The paths that clients limit, and how: -1 no limit. */
extern const char *const model_quota_paths[MODEL_QUOTAS];
extern const int64_t model_quota_nodes[MODEL_QUOTAS], model_quota_bytes[MODEL_QUOTAS];
void model_quotas_fini(struct model *m);
/* After each transaction of a simulation with quotas. */
void model_quota_note(struct model *m, int64_t zxid);
/* Is so much more at this path too much? Where both are right: what the transaction says. */
bool model_quota_refuses(const struct model *m, struct slice path, int64_t nodes, int64_t bytes);

/* ---- model_acl.c ---- */

bool model_allows(const struct model_node *n, const struct model_caller *who, int32_t perms);
/* The list as it is stored: 0 and count and entries in out, or ERR_INVALID_ACL. */
int32_t model_fix_acl(const struct model_caller *who, struct wire_vec in, struct buf *out, int32_t *count);
/* As shown to who may not administer the node. */
void model_put_acl(const struct model_node *n, const struct model_caller *who, struct buf *b);

#endif
