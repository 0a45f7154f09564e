/* zab: the protocol that keeps the replicas in one order, as one pure state machine: fast leader election, discovery of
 * the epoch, synchronisation by DIFF, TRUNC or SNAP, broadcast; leader, follower and observer (quorum specification 2
 * to 5). It knows links, votes, epochs and transactions as bytes; it does not know trees, sessions or sockets.
 *
 * Time, bytes of links and completions of the disk come in as events; what must happen comes out as effects, in order.
 * The rules of durability hold here by construction: an ACK, an epoch's acknowledgement and a commit leave only after
 * the event that proves their premise (LOG_SYNCED, EPOCHS_SAVED, IMAGE_SAVED) has come back.
 *
 * Owner: one thread, that of the core. Memory of effects lives in the zab_out until it is reset. */
#ifndef ZOKOR_ZAB_ZAB_H
#define ZOKOR_ZAB_ZAB_H

#include "base/arena.h"
#include "base/blob.h"
#include "base/summary.h"
#include "wire/peer.h"
#include "zab/members.h"

struct zab;

enum zab_port {
    ZAB_PORT_ELECTION,
    ZAB_PORT_LEARNER,
    ZAB_PORT_OBSERVERS, /* observerMasterPort: followers' */
};
#define ZAB_PORT_COUNT 3

struct zab_options {
    int64_t sid;
    uint64_t seed;           /* of random delays */
    struct members *members; /* zab takes its own reference */
    bool observer;           /* peerType, for a server that the members do not name */
    int64_t tick_time_ms;
    int64_t init_limit_ticks, sync_limit_ticks;
    int64_t connect_limit_ticks; /* connectToLearnerMasterLimit; 0: init_limit_ticks */
    int64_t notification_ms_min; /* 200: also the finalize wait */
    int64_t notification_ms_max; /* capped at 5 s of our own */
    int64_t hello_ms;          /* quorumCnxnTimeoutMs: who connects to the election port says its hello in it; 0: 5 s */
    int64_t epoch_wait_ms_max; /* leader.maxTimeToWaitForEpoch; 0: initLimit alone counts */
    int64_t observer_delay_ms; /* random wait of an observer before it looks for a leader */
    int64_t observer_reconnect_ms; /* observer.reconnectDelayMs: random, too, and added to it */
    int64_t history_count;         /* commitLogCount, at least 500 */
    size_t history_bytes;          /* committed transactions kept in memory for DIFF never exceed this much */
    size_t packet_field_bytes_max; /* jute.maxbuffer + extrasize */
    size_t link_backlog_bytes_max; /* bytes held back for a learner that loads an image */
    size_t
        unsynced_bytes_max;   /* of a learner: when what waits for its disk is more, the leader is not read; 0: never */
    bool log_sync;            /* read the log on disk for learners behind the window (snapshotSizeFactor >= 0) */
    uint32_t counter_last;    /* transactions an epoch may have; 0: all that fit. For tests of what follows */
    bool force_snapshot_sync; /* forceSnapshotSync */
    int64_t snap_syncs_max;   /* leader.maxConcurrentSnapSyncs: images on their way at once; 0: any number */
    int64_t diff_syncs_max;   /* leader.maxConcurrentDiffSyncs: learners brought up to date by transactions at once */
    bool observer_unlogged;   /* syncEnabled=false: an observer keeps in memory what comes behind its synchronisation */
    bool observer_masters;    /* observerMasterPort: a follower serves observers, an observer asks followers first */
    bool many_addresses;      /* multiAddress.enabled */
    bool oracle;              /* oraclePath: of two voters one alone may go on if the oracle says so (lone.c) */
    bool untrusted; /* an empty directory that nobody has said to be new: no vote before a leader has sent an image */
    size_t packets_remembered; /* messageTracker: of a connection, each way, told at its end; 0: none */
    int64_t last_zxid;         /* end of the log, as recovered: the tree is exactly there */
    int64_t accepted_epoch, current_epoch;
};

struct zab *zab_new(const struct zab_options *options, int64_t now_ms);
void zab_free(struct zab *z);

/* ---- events ---- */

enum zab_event_type {
    ZAB_EV_TICK,      /* time has passed: due at zab_next_tick_ms */
    ZAB_EV_ACCEPTED,  /* link, port: somebody dialled us. Numbers of accepted links are the shell's: below
                         ZAB_LINK_DIALLED, never used twice */
    ZAB_EV_CONNECTED, /* link: our dial has succeeded */
    ZAB_EV_BYTES,     /* link, bytes: received, as many as came. Bytes live for the call */
    ZAB_EV_LOST,      /* link: dial failed (refused: nobody listens there), or connection gone. Never after our CLOSE */
    ZAB_EV_DRAINED, /* link: what was queued for it has fallen below the shell's mark, after a SEND with tell_drained */
    ZAB_EV_LOG_SYNCED,   /* zxid: every append up to it is durable */
    ZAB_EV_EPOCHS_SAVED, /* the epochs of the latest SAVE_EPOCHS are durable */
    ZAB_EV_TRUNCATED, /* zxid: the log now ends here and the tree is exactly there; err: it failed, the server must stop
                       */
    ZAB_EV_LOG_READ,  /* link, bytes, end, err: the next transactions for a learner, each as a be64 zxid, a be32 length
                         and  its bytes; end: the last ones. err: the log does not hold them */
    ZAB_EV_ORACLE,    /* end: what the oracle says, true for 1: this server may be a quorum by itself */
    ZAB_EV_IMAGE_SAVED, /* err: the snapshot asked for by SAVE_IMAGE is durable, or failed */
};

struct zab_event {
    enum zab_event_type type;
    uint32_t link;
    enum zab_port port;
    bool end;
    bool refused; /* of LOST: an active refusal, not a timeout */
    int64_t now_ms;
    int64_t zxid;
    struct slice bytes;
    int err;
};

/* Returns false after BYTES when the link is paused: no more bytes of it until ZAB_FX_RESUME. */
struct zab_out;
bool zab_step(struct zab *z, const struct zab_event *ev, struct zab_out *out);
/* When ZAB_EV_TICK is due next. */
int64_t zab_next_tick_ms(const struct zab *z);

/* ---- effects ---- */

#define ZAB_LINK_DIALLED 0x80000000u /* numbers of links that zab dials have this bit */

enum zab_fx_type {
    /* for the shell */
    ZAB_FX_DIAL,        /* link, sid, port: connect to one of the member's addresses (names resolved anew, all addresses
                           tried). addresses: where the member said it is, tried first; null otherwise */
    ZAB_FX_SEND,        /* link, bytes, tell_drained */
    ZAB_FX_CLOSE,       /* link: send what is queued, then close. Forgotten by zab */
    ZAB_FX_RESUME,      /* link: bytes are welcome again */
    ZAB_FX_LISTEN,      /* port, on: open or close the learner port, or that for observers */
    ZAB_FX_SAVE_EPOCHS, /* accepted, current: write the files that differ, accepted first; then EPOCHS_SAVED. A failure
                           ends the server */
    ZAB_FX_TRUNCATE,    /* zxid, reload: drop every log record and every snapshot above zxid, durably; no append is in
                           flight. reload: recover a tree from what is left. Then TRUNCATED */
    ZAB_FX_LOG_READ, /* link, zxid, to: read what the log on disk holds above zxid up to `to` and answer with LOG_READ.
                        err if the record zxid itself is not there, or if an image would be shorter (snapshotSizeFactor)
                      */
    ZAB_FX_LOG_MORE, /* link: the next piece, please */
    ZAB_FX_LOG_DONE, /* link: no more of it is wanted */
    ZAB_FX_ASK_ORACLE, /* read the oracle's file, then ORACLE */
    /* for the core */
    ZAB_FX_ROLE,          /* role, serving, leader, epoch */
    ZAB_FX_APPEND,        /* txn (a reference for the taker), zxid: to the log, in this order */
    ZAB_FX_COMMIT,        /* txn (a reference for the taker), zxid: apply now */
    ZAB_FX_REQUEST,       /* leader: link, request, authinfo from a learner; request.body lives as long as the out */
    ZAB_FX_REVALIDATE,    /* leader: link, session, timeout: answer with zab_revalidate_answer */
    ZAB_FX_TOUCH,         /* leader: link, session, timeout: seen by that learner */
    ZAB_FX_VALIDITY,      /* learner: session, valid */
    ZAB_FX_SYNCED,        /* learner: the oldest sync of this server is done; leader: that of token */
    ZAB_FX_PING,          /* learner: answer with zab_pong */
    ZAB_FX_IMAGE_WANTED,  /* leader: link: call zab_image_begin when a walk of the tree can begin */
    ZAB_FX_IMAGE_PULL,    /* leader: link: call zab_image_bytes with the next slice */
    ZAB_FX_IMAGE_DROPPED, /* leader: link: it is gone, end the walk */
    ZAB_FX_IMAGE_BYTES,   /* learner: bytes of the leader's image are in zab_image_buffered: read and call
                             zab_image_consumed. on: these are the first bytes of an image */
    ZAB_FX_SAVE_IMAGE,    /* learner: save the tree as a snapshot; then IMAGE_SAVED */
};

/* Several are made for every write, so it is kept small: a type has the fields of one member of the union. */
struct zab_fx {
    enum zab_fx_type type;
    uint32_t link;
    int64_t zxid;
    enum zab_port port;
    bool serving, on, reload, tell_drained, valid;
    union {
        /* APPEND, COMMIT */
        struct blob *txn;
        /* SEND */
        struct slice bytes;
        /* DIAL */
        struct {
            int64_t sid;
            struct slice addresses;
        };
        /* ROLE; leader: -1 none */
        struct {
            int64_t leader;
            int64_t epoch;
            enum peer_state role;
        };
        /* SAVE_EPOCHS */
        struct {
            int64_t accepted_epoch, current_epoch;
        };
        /* LOG_READ */
        int64_t to;
        /* REVALIDATE, TOUCH, VALIDITY */
        struct {
            int64_t session_id;
            int32_t timeout_ms;
        };
        /* SYNCED */
        int64_t token;
        /* REQUEST */
        struct {
            struct peer_request request;
            struct wire_vec authinfo;
        };
    };
};

struct zab_out {
    struct arena arena;
    struct zab_fx *fx;
    size_t count, cap;
};
void zab_out_init(struct zab_out *out);
/* Forgets the effects. References of APPEND must have been taken over. */
void zab_out_reset(struct zab_out *out);
void zab_out_fini(struct zab_out *out);

/* ---- calls of the core; each may add effects ---- */

/* Leader, serving: the zxid of the next proposal; -1 when the counter of this epoch is used up: then the leader has
 * stepped down (effects in out). */
int64_t zab_next_zxid(struct zab *z, struct zab_out *out);
/* Leader, serving: proposes txn under the zxid that zab_next_zxid gave. Takes its own references. */
void zab_propose(struct zab *z, int64_t zxid, struct blob *txn, struct zab_out *out);
/* Leader: calls back with ZAB_FX_SYNCED{token} once everything proposed before is committed and a quorum has answered
 * a ping sent after this call, so that this server was the leader then. Tokens come back in the order of the calls. */
void zab_sync(struct zab *z, int64_t token, struct zab_out *out);
/* Leader: tells a learner that its oldest sync is done. */
void zab_sync_answer(struct zab *z, uint32_t link, struct zab_out *out);
/* Leader: answers ZAB_FX_REVALIDATE. */
void zab_revalidate_answer(struct zab *z, uint32_t link, int64_t session_id, bool valid, struct zab_out *out);
/* Learner, serving: sends a request to the leader. authinfo: elements, count -1 for null. */
void zab_forward(struct zab *z, const struct peer_request *q, struct wire_vec authinfo, struct zab_out *out);
/* To be called for each ZAB_FX_COMMIT when it is carried out: observers of this follower are told now, in order with
 * what the core answers them. Nothing elsewhere. */
void zab_inform(struct zab *z, int64_t zxid, struct blob *txn, struct zab_out *out);
/* Learner, serving: asks whether a session lives; ZAB_FX_VALIDITY answers. */
void zab_revalidate(struct zab *z, int64_t session_id, int32_t timeout_ms, struct zab_out *out);
/* Learner: answers ZAB_FX_PING; touches: peer_touch records. */
void zab_pong(struct zab *z, struct slice touches, struct zab_out *out);
/* Leader: a walk of the tree as it is now begins for this learner. False: the learner is gone. */
bool zab_image_begin(struct zab *z, uint32_t link, struct zab_out *out);
/* Leader: the next bytes (from the session count to the end mark "/"); end: the last ones. */
void zab_image_bytes(struct zab *z, uint32_t link, struct slice bytes, bool end, struct zab_out *out);
/* Leader: the image of this learner was given up. */
void zab_image_failed(struct zab *z, uint32_t link, struct zab_out *out);
/* Learner: the bytes of the image that have come; valid until the next call of zab. */
struct slice zab_image_buffered(const struct zab *z);
/* Learner: n of them were used. done: the image is complete (behind "/"), the tree has become it. err: it cannot be
 * read; the link is dropped. */
void zab_image_consumed(struct zab *z, size_t n, bool done, int err, struct zab_out *out);
/* Fills the window of past transactions at start, oldest first, all of them in the log. For zab_new's caller only. */
void zab_remember(struct zab *z, int64_t zxid, struct blob *txn);

/* ---- looking ---- */

struct zab_view {
    enum peer_state role;
    bool serving;
    int64_t leader;    /* sid, -1 none */
    int64_t epoch;     /* of the role, or current_epoch */
    int64_t round;     /* of the election */
    int64_t last_zxid; /* end of the log */
    int64_t committed_zxid;
    int64_t outstanding; /* proposals not committed */
    size_t followers, synced_followers, observers, synced_observers, non_voting_followers, synced_non_voting_followers;
    int64_t elections;        /* begun since start */
    int64_t last_election_ms; /* how long the last one took, -1 before the first */
    int64_t quorum_size;
    int64_t proposals, proposal_bytes_last, proposal_bytes_min, proposal_bytes_max;
    int64_t diffs_sent, truncs_sent, snaps_sent;
    int64_t looking_since_ms;
};
/* This server leads and proposals are welcome; it follows or observes and requests are. */
bool zab_leads(const struct zab *z);
bool zab_learns(const struct zab *z);
/* False: nothing comes of ZAB_EV_LOG_SYNCED before another event. It may come late, with that one: a leader whose
 * followers have not acknowledged cannot commit, whatever its own log says. */
bool zab_awaits_log(const struct zab *z);
struct zab_view zab_view(const struct zab *z);
/* Synchronisations under way, as seen whenever one began or ended; borrowed. */
const struct summary *zab_inflight_snaps(const struct zab *z);
const struct summary *zab_inflight_diffs(const struct zab *z);
/* Learners that are connected to this leader, for `stat`, mntr and the admin commands. */
struct zab_learner_view {
    uint32_t link;
    int64_t sid;
    bool observer, synced;
    int64_t acked_zxid;
    size_t queued_bytes;
};
size_t zab_learners(const struct zab *z, struct zab_learner_view *to, size_t max);
/* The configuration in force; borrowed. */
const struct members *zab_members(const struct zab *z);

/* Walks the invariants; asserts on a breach. For tests and the simulator. */
void zab_check(const struct zab *z);

#endif
