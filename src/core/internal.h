/* internal: what the files of this room share. One struct core, its connections, its sessions, the overlay of changes
 * in flight and the queue of proposals. */
#ifndef ZOKOR_CORE_INTERNAL_H
#define ZOKOR_CORE_INTERNAL_H

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "core/core.h"
#include "core/sync_order.h"
#include "core/view.h"
#include "tree/watch.h"
#include "wire/path.h"

/* ---- authentication ---- */

struct auth_id {
    struct slice scheme, id; /* owned by the entry's one allocation */
};

/* What a connection has proved, in the order in which it did. The peer's address is not in the list: it is derived. */
struct auth {
    uint32_t count;
    bool super;
    struct auth_id ids[];
};

/* ---- connections ---- */

enum conn_state {
    CONN_HANDSHAKE,    /* no ConnectRequest yet */
    CONN_CREATING,     /* its createSession is in flight */
    CONN_REVALIDATING, /* the leader is asked whether its session lives */
    CONN_ACTIVE,
    CONN_CLOSING, /* its closeSession is in flight, or a reply that closes waits for earlier ones */
};

/* A request that waits for this connection's earlier writes. */
struct deferred {
    struct deferred *next;
    int64_t after_write; /* run when this many of the connection's writes have been answered */
    int64_t received_ms;
    uint32_t auth_count; /* ids held when it came */
    int32_t err;         /* not 0: answer with this instead of running it */
    uint32_t n;
    uint8_t frame[];
};

/* A request that a learner has sent to the leader: answered when the transaction with its number is committed. */
struct parked {
    struct parked *next;
    int64_t received_ms;
    uint8_t *multi_kinds; /* as struct proposal's */
    uint32_t multi_count; /* how many they are */
    struct blob *frame;   /* of a sync */
    int64_t number;       /* of a sync: struct asked's */
    int32_t xid;
    int16_t op;
    int8_t create_flags;
};

struct conn {
    uint32_t id;
    enum conn_state state;
    bool paused; /* core_step returned false; a resume is owed */
    bool close_after_deferred;
    bool asks_word;          /* a four-letter word: no client */
    bool old_client;         /* no readOnly byte: the response has none either */
    uint32_t auth_count_now; /* ids that the running request may use */
    struct core_peer peer;
    struct auth *auth; /* NULL: nothing but the address */
    struct buf ids;    /* address and auth as the leader is told them with every write; empty: to be made */
    struct session *session;
    struct list link; /* of core.handshakes or core.paused */
    struct deferred *deferred_first, **deferred_last;
    struct parked *parked_first, **parked_last;
    int64_t writes_begun, writes_answered;
    int32_t writes_in_flight, deferred_count;
    int32_t asked_timeout_ms; /* while CONN_REVALIDATING, with asked_number: of the question, or the token of a doubt */
    int64_t asked_number;
    int64_t sync_token;
    bool sync_waits; /* on a leader: nothing more is read before its sync is answered */
    int32_t last_op;
    int64_t accepted_ms, accepted_wall_ms, paused_since_ms;
    int64_t last_cxid, last_zxid, last_response_ms;
    int64_t latency_last_ms, latency_min_ms, latency_max_ms, latency_sum_ms, latency_count;
    int64_t packets_received, packets_sent;
};

/* ---- sessions ---- */

struct session {
    struct session *hash_next;
    struct list wheel;              /* of core.wheel[]; or the list of those that expire now */
    struct list pending_ephemerals; /* struct change.ephemeral_link: created, not yet applied */
    int64_t id;
    int64_t expires_ms; /* touched: moves on; the wheel notices later */
    int32_t timeout_ms;
    bool closing;      /* its closeSession has been proposed */
    bool touched;      /* on a learner: to be told with the next PING */
    bool local;        /* known to this server alone, until it makes an ephemeral node */
    uint32_t owner;    /* on a leader: the link of the learner that serves it, OWNER_SELF, or OWNER_NONE */
    uint32_t moves;    /* how often the owner has changed */
    struct conn *conn; /* the connection bound to it, or NULL */
};

/* ---- overlay: changes in flight ---- */

/* A node as it will be when everything proposed is applied. Lives while a proposal that touched it is in flight. */
struct change {
    struct change *hash_next;
    uint64_t hash;
    node_id node; /* in the tree, while no node has gone since `removals`; NODE_NONE: not looked up */
    uint64_t removals;
    uint32_t refs; /* proposals in flight that touched it */
    bool exists;
    bool own_acl; /* acl below counts; otherwise the tree's */
    int32_t children, data_length;
    uint32_t digest_prefix;
    struct wire_stat_persisted stat;
    struct wire_vec acl;
    struct blob *acl_blob; /* holds acl's bytes; NULL for the static open list */
    struct list ephemeral_link;
    uint32_t path_n;
    uint8_t path[];
};

struct touched {
    int64_t zxid;
    struct change *change;
};

/* A node as prep sees it: the overlay's if it is there, the tree's otherwise. */
struct view {
    bool exists;
    node_id node;          /* NODE_NONE if the tree does not have it */
    struct change *change; /* NULL if untouched */
    struct wire_stat_persisted stat;
    int32_t children, data_length;
    uint32_t digest_prefix;
    struct wire_vec acl;
};

struct undo {
    struct change *change;
    struct change saved; /* without the path */
};

struct overlay {
    struct change **buckets;
    size_t bucket_count, count;
    struct touched *queue; /* ring: touched by proposals, oldest first */
    size_t queue_cap, queue_head, queue_count;
    uint64_t digest; /* of the tree with everything proposed applied */
    bool undoing;    /* inside a multi: every first touch is saved */
    struct undo *undo;
    size_t undo_count, undo_cap;
    size_t undo_queue_count; /* queue_count when the multi began */
    uint64_t undo_digest;
};

/* ---- proposals ---- */

struct proposal {
    int64_t zxid;
    struct blob *txn;
    struct conn *conn; /* who waits for the answer; NULL: nobody (expiry, reaping, another server's client) or gone */
    int64_t session_id;
    int64_t received_ms;
    uint8_t *multi_kinds; /* result kinds of a multi with create2s in it, one byte an op; or NULL */
    int32_t xid;
    int16_t op;               /* the request's opcode */
    int8_t create_flags;      /* of a create; -1 otherwise. For the audit log */
    struct blob *failed_path; /* what a refused request was about; only kept for the audit log */
    struct tree_hint hint;
    bool large;
    bool from_elsewhere; /* not prepared here: a learner's commit */
    uint32_t conn_id;    /* of conn, to find out whether it still lives */
};

struct pipeline {
    struct proposal *ring;
    size_t cap, head, count; /* cap is a power of two */
    int64_t last_proposed;
    int64_t txns_since_roll, bytes_since_roll, roll_at_txns, roll_at_bytes;
    int64_t large_bytes;
};

/* ---- ensembles ---- */

#define OWNER_NONE 0xffffffffu
#define OWNER_SELF 0xfffffffeu

/* A sync on its way through a leader. */
struct sync_wait {
    struct sync_wait *next;
    int64_t token;
    uint32_t link; /* OWNER_SELF: of a connection of ours */
    uint32_t conn;
    int64_t session_id, received_ms;
    struct blob *frame; /* of a connection of ours */
    int64_t doubted;    /* instead of a sync: does this session live? 0: a sync */
    int32_t timeout_ms; /* of the doubted one */
};

/* A learner's request that must not overtake a sync. */
struct held_request {
    struct sync_held held;
    uint32_t moves;              /* of its session when it came */
    struct peer_request request; /* its bytes are behind this struct, then those of the ids */
    struct wire_vec authinfo;
};

/* A learner that gets an image of the tree, each at its own pace. */
struct image_send {
    struct image_send *next;
    uint32_t link;
    struct tree_walk *walk; /* NULL: it waits for the end of the turn */
};

/* What a learner has asked its leader. */
struct asked_list {
    struct asked *first, **last;
};

struct ensemble {
    struct zab *zab; /* NULL: a standalone server */
    enum peer_state role;
    bool serving;
    int64_t serving_since_ms;
    int64_t epoch;
    int64_t leader;
    int64_t next_token;
    struct sync_wait *syncs, **syncs_last; /* leader; in the order of their tokens */
    int64_t sync_count;
    struct sync_order sync_order;
    struct asked_list asked_syncs, asked_sessions; /* learner */
    int64_t next_asked;
    struct image_send *image_sends;
    bool image_wanted;        /* zab waits for a snapshot of the tree on disk */
    bool image_saving;        /* the running snapshot is that one */
    bool image_abort;         /* the running snapshot's tree is gone */
    struct tree_image *image; /* what comes from the leader */
    int64_t image_zxid;
    bool read_only; /* there is no quorum, and clients that know it may read */
};

/* ---- connection throttle ---- */

struct throttle {
    bool begun;
    int64_t tokens, filled_ms, frozen_ms;
    double drop_probability;
};

/* ---- the core ---- */

#define WHEEL_SLOTS 1024u

struct digest_mark {
    int64_t zxid;
    uint64_t digest;
};
#define DIGEST_MARKS_MAX 1024u
#define DIGEST_MARK_EVERY 128

struct core {
    struct core_options opt;
    struct tree *tree;
    int64_t now_ms, wall_ms;
    uint64_t hash_key;
    struct rng rng;

    struct conn **conns;
    uint32_t conn_cap, conn_count;
    struct list handshakes; /* oldest first */
    struct list paused;
    struct ip_count **ip_buckets;
    uint32_t ip_bucket_count, ip_count;

    struct session **session_buckets;
    size_t session_bucket_count, session_count;
    struct list wheel[WHEEL_SLOTS];
    struct list expiring;
    int64_t wheel_tick; /* the last tick that was scanned */
    int64_t next_session_id;
    int64_t
        *ended_sessions; /* by hash, a newer one in the place of an older; NULL: local sessions are off, or none yet */

    struct overlay overlay;
    struct pipeline pipe;
    struct ensemble ens;
    struct throttle throttle;
    int64_t deferred_count;
    int64_t parked_count; /* a learner's clients' requests that are with the leader */

    int64_t next_reap_ms;
    bool snapshot_wanted, snapshot_running;
    struct tree_walk *walk;
    bool walk_begun; /* begin was given out */

    struct digest_mark *marks; /* ring of DIGEST_MARKS_MAX */
    uint32_t mark_head, mark_count;

    struct core_stats stats;
    struct namespaces *namespaces; /* NULL: none was used */
    struct arena turn;             /* dies at the end of core_step */
    struct buf body, txn;          /* scratch for replies and transactions */
    struct core_out *out;          /* of the running step */
};

/* out.c */
uint8_t *out_send(struct core *c, uint32_t conn, size_t n);
void out_send_shared(struct core *c, uint32_t conn, const uint8_t *p, size_t n);
uint8_t *out_bytes(struct core *c, size_t n);
void out_fx(struct core *c, enum core_fx_type type, uint32_t conn);
void out_append(struct core *c, int64_t zxid, struct blob *txn, bool roll_after);
void out_peer(struct core *c, const struct zab_fx *fx);

/* conn.c */
bool conn_accept(struct core *c, const struct core_event *ev);
void conn_lost(struct core *c, uint32_t id);
bool conn_frame(struct core *c, const struct core_event *ev);
void conn_close(struct core *c, struct conn *k);
struct conn *conn_get(const struct core *c, uint32_t id);
void conn_expire_handshakes(struct core *c);
void conn_update_paused(struct core *c);
void conn_pause(struct core *c, struct conn *k);
void conn_reply(struct core *c, struct conn *k, int32_t xid, int64_t zxid, int32_t err, struct slice body,
                int64_t received_ms);
void conn_session_ready(struct core *c, struct conn *k);
void conn_bind(struct core *c, struct conn *k, struct session *s, int32_t timeout_ms);
void conn_refuse(struct core *c, struct conn *k);
void conn_close_served(struct core *c);
void conn_table_fini(struct core *c);
size_t conn_peer_text(const struct core_peer *peer, bool with_port, char *to, size_t size);

/* audit.c */
void audit_commit(struct core *c, const struct proposal *x, const struct txn *txn);

/* namespaces.c */
void namespaces_reset(struct core *c);
void namespaces_read(struct core *c, struct slice path, size_t bytes);
void namespaces_written(struct core *c, const struct tree_applied *applied);
void namespaces_quota_exceeded(struct core *c, struct slice path);

/* throttle.c */
bool throttle_admits(struct core *c, bool renews_session);
int eager_judge(struct core *c, struct conn *k, int32_t op, struct slice frame);

/* session.c */
void session_table_init(struct core *c);
void session_table_fini(struct core *c);
/* On a leader: it is served by this one from now on. */
void session_own(struct session *s, uint32_t owner);
struct session *session_lookup(const struct core *c, int64_t id);
struct session *session_add(struct core *c, int64_t id, int32_t timeout_ms);
void session_remove(struct core *c, struct session *s);
void session_touch(struct core *c, struct session *s);
void session_set_timeout(struct core *c, struct session *s, int32_t timeout_ms);
void session_expire_due(struct core *c);
int64_t session_new_id(struct core *c);
/* The tree's table again, each session with its full timeout and no connection. */
void session_table_rebuild(struct core *c);
void session_password(int64_t id, uint8_t to[WIRE_PASSWD_BYTES]);

/* auth.c */
void auth_free(struct auth *a);
int auth_request(struct core *c, struct conn *k, struct wire_reader *r);
void auth_proved(struct core *c, const struct core_event *ev);
void auth_add_proved(struct conn *k, struct slice scheme, struct slice id);
bool auth_scheme_listed(const char *list, struct slice scheme);
bool auth_satisfies_policy(const struct core *c, const struct conn *k);
int32_t auth_put_client_infos(const struct conn *k, struct buf *b);

/* acl.c */
bool acl_allows(const struct core *c, const struct conn *k, struct wire_vec acl, int32_t perms);
bool acl_world_can_read(struct wire_vec acl);
bool acl_parse_address(struct slice text, struct core_peer *out);
int acl_fix(struct core *c, const struct conn *k, struct wire_vec in, struct wire_vec *out);
struct wire_vec acl_redact(struct core *c, struct wire_vec in);
struct wire_vec acl_open(void);

/* overlay.c */
void overlay_init(struct core *c);
void overlay_fini(struct core *c);
struct view overlay_view(struct core *c, struct slice path);
struct change *overlay_touch(struct core *c, struct slice path, const struct view *v, int64_t zxid);
void overlay_digest_before(struct core *c, const struct change *ch);
void overlay_digest_after(struct core *c, const struct change *ch);
void overlay_committed(struct core *c, int64_t zxid);
void overlay_begin_undo(struct core *c);
void overlay_end_undo(struct core *c, bool roll_back);
void change_set_acl(struct change *ch, struct wire_vec acl);
bool overlay_knows(const struct core *c, struct slice path, bool *exists);

/* prep.c: each checks a request against tree and overlay, changes the overlay and fills op. ERR_MARSHALLING means the
 * request could not be read: nothing is logged for it. conn is NULL for our own requests. */
struct prep {
    struct core *core;
    const struct conn *conn;
    int64_t session_id;
    int64_t zxid;
    int64_t time_ms;
    uint8_t *multi_kinds;  /* out: for multi */
    int8_t create_flags;   /* out: for create; -1 otherwise */
    struct tree_hint hint; /* out: for create and setData */
    bool inside_multi;
};
int prep_create(struct prep *p, struct wire_reader *r, struct txn_op *op);
int prep_delete(struct prep *p, struct wire_reader *r, struct txn_op *op);
int prep_set_data(struct prep *p, struct wire_reader *r, struct txn_op *op);
int prep_set_acl(struct prep *p, struct wire_reader *r, struct txn_op *op);
int prep_check(struct prep *p, struct wire_reader *r, struct txn_op *op);
int prep_reconfig(struct prep *p, struct wire_reader *r, struct txn_op *op);
int prep_close_session(struct prep *p, struct wire_reader *r, struct txn_op *op);
int prep_create_session(struct prep *p, struct wire_reader *r, struct txn_op *op);
int prep_delete_container(struct prep *p, struct wire_reader *r, struct txn_op *op);
bool skip_create(struct wire_reader *r);
bool skip_create_ttl(struct wire_reader *r);
bool skip_path_version(struct wire_reader *r);
bool skip_set_data(struct wire_reader *r);
/* prep_multi.c */
int prep_multi(struct prep *p, struct wire_reader *r, struct txn_op *op);

/* ops.c */
struct op_row {
    int16_t code;
    const char *name, *short_name;
    bool writes;
    bool client;                         /* may come from a client at top level */
    bool in_multi;                       /* may be a sub-operation of a multi */
    bool (*skip)(struct wire_reader *r); /* in_multi: walks the request; false if it is malformed */
    int (*prep)(struct prep *p, struct wire_reader *r, struct txn_op *op);
    int (*read)(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body);
    void (*reply)(struct core *c, const struct proposal *p, const struct tree_applied *a, struct buf *body);
};
const struct op_row *op_find(int32_t code);

/* pipeline.c */
void pipeline_init(struct core *c);
void pipeline_fini(struct core *c);
void pipeline_write(struct core *c, struct conn *k, int32_t xid, const struct op_row *row, struct slice frame);
/* A transaction of the server's own. False: it proposes none now, since it does not lead any more. */
bool pipeline_own(struct core *c, int64_t session_id, const struct op_row *row, struct slice body);
void pipeline_create_session(struct core *c, struct conn *k, struct session *s);
void pipeline_synced(struct core *c, int64_t zxid);
/* A request that a learner has sent us; k stands for its client. */
void pipeline_remote(struct core *c, const struct conn *k, const struct peer_request *q, int err);
/* What the ensemble has decided. Takes the reference. */
void pipeline_committed(struct core *c, int64_t zxid, struct blob *txn);
/* To the log, by the order of zab. Takes the reference. */
void pipeline_log(struct core *c, int64_t zxid, struct blob *txn);
/* Another role: nothing is in flight any more, and the overlay begins at the tree. */
void pipeline_restart(struct core *c);
void pipeline_forget_conn(struct core *c, const struct conn *k);
void pipeline_defer(struct core *c, struct conn *k, struct slice frame, int32_t err);
void pipeline_run_deferred(struct core *c, struct conn *k);
/* Answers a request that changes nothing. False if that ended the connection. */
bool pipeline_run_now(struct core *c, struct conn *k, struct slice frame, int64_t received_ms);
int64_t pipeline_in_flight(const struct core *c);
void pipeline_draw_roll(struct core *c);

/* read.c */
int read_exists(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body);
int read_get_data(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body);
int read_get_acl(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body);
int read_get_children(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body);
int read_get_children2(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body);
int read_get_ephemerals(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body);
int read_get_all_children_number(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body);
int read_sync(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body);
int read_ping(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body);
int read_who_am_i(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body);
int read_multi(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body);

/* watches.c */
int read_check_watches(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body);
int read_remove_watches(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body);
int read_add_watch(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body);
int read_set_watches(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body);
int read_set_watches2(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body);
void watches_notify(struct core *c, const struct tree_applied *a, int64_t zxid);

/* ensemble.c */
void ensemble_init(struct core *c);
void ensemble_fini(struct core *c);
void ensemble_peer(struct core *c, const struct core_event *ev, bool *go_on);
void ensemble_truncated(struct core *c, const struct core_event *ev);
void ensemble_tick(struct core *c);
void ensemble_synced(struct core *c, int64_t zxid);
/* Carries out what zab has asked for until it asks for nothing more. */
void ensemble_drain(struct core *c);
/* True where requests of clients are served. */
bool ensemble_serves(const struct core *c);
/* True where writes are judged: a leader that serves, or a standalone server. */
bool ensemble_leads(const struct core *c);
void ensemble_replace_tree(struct core *c, struct tree *t);
/* The zxid that clients of this server may have seen. */
int64_t ensemble_seen_zxid(const struct core *c);

/* expect.c: what comes next is fetched from memory; each for the next few, and returns how many those were, or where
 * they end */
void expect_txns(const struct zab_out *z, size_t from);
size_t expect_effects(const struct core *c, const struct zab_out *z, size_t from);
size_t expect_commits(const struct core *c);

/* local.c: sessions that the ensemble does not know */
/* False: the request has been answered, or must not be sent on. */
bool local_may_write(struct core *c, struct conn *k, int32_t op, struct slice frame);
void local_begin(struct core *c, struct conn *k, struct session *s);
/* A session that everybody has known has ended: it is no local one of another server. Where sessions can be local, the
 * newest ends are remembered, some thousands of them. */
void local_note_end(struct core *c, int64_t session_id);
bool local_has_ended(const struct core *c, int64_t session_id);
void local_fini(struct core *c);
/* Answers the close of such a session and ends it, and the connection. */
void local_close(struct core *c, struct conn *k, int32_t xid);
/* A local session has expired, or its client has closed it. */
void local_end(struct core *c, struct session *s);

/* forward.c: a learner's side of its clients' writes */
void forward_write(struct core *c, struct conn *k, int32_t xid, int32_t op, struct slice frame);
void forward_create_session(struct core *c, struct conn *k, struct session *s);
void forward_revalidate(struct core *c, struct conn *k, int64_t session_id, int32_t timeout_ms);
/* The same for the client of an observer that this follower serves; and a request of one. */
void forward_relayed_revalidate(struct core *c, uint32_t link, int64_t session_id, int32_t timeout_ms);
void forward_relayed(struct core *c, uint32_t link, const struct peer_request *q, struct wire_vec authinfo);
void forward_validity(struct core *c, int64_t session_id, bool valid);
void forward_synced(struct core *c);
void forward_forget(struct core *c);
void forward_pong(struct core *c);
/* The connection whose parked request this transaction answers, and that request in x; NULL if it is none of ours. */
struct conn *forward_match(struct core *c, const struct txn *txn, struct proposal *x);

/* remote.c: a leader's side of its learners */
void remote_request(struct core *c, uint32_t link, const struct peer_request *q, struct wire_vec authinfo);
void remote_revalidate(struct core *c, uint32_t link, int64_t session_id, int32_t timeout_ms);
/* A client of ours names a session that seems not to live: it is told once this server has proved that it leads. */
void remote_doubt_own(struct core *c, struct conn *k, int64_t session_id, int32_t timeout_ms);
void remote_touch(struct core *c, int64_t session_id, int32_t timeout_ms);
void remote_sync_own(struct core *c, struct conn *k, int32_t xid, struct slice frame);
void remote_synced(struct core *c, int64_t token);
void remote_forget_syncs(struct core *c);

/* images.c: images of the tree between servers */
void images_wanted(struct core *c, uint32_t link);
void images_maybe_begin(struct core *c);
void images_pull(struct core *c, uint32_t link);
void images_dropped(struct core *c, uint32_t link);
void images_drop_all(struct core *c);
void images_limit(struct core *c);
void images_read(struct core *c, bool first, int64_t zxid);
void images_fini(struct core *c);

/* imaging.c: snapshots of the running tree */
void imaging_maybe_begin(struct core *c);
void imaging_pull(struct core *c);
void imaging_done(struct core *c, int err);

#endif
