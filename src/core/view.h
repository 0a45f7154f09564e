/* view: what may be seen of a core from outside: numbers, connections, sessions. All that admin includes of core.
 * The functions run on the core's thread; what other threads show is a copy of struct core_stats. */
#ifndef ZOKOR_CORE_VIEW_H
#define ZOKOR_CORE_VIEW_H

#include "base/slice.h"
#include "base/summary.h"

struct core;
struct tree;

/* What this server is to its clients now. */
enum core_mode {
    CORE_STANDALONE,
    CORE_LOOKING, /* in an ensemble, serving nobody: between two leaders, or not up to date yet */
    CORE_LEADING,
    CORE_FOLLOWING,
    CORE_OBSERVING,
    CORE_READ_ONLY, /* cut off from its quorum; reads for clients that know */
};
enum core_mode core_mode(const struct core *core);
/* As Apache's words show it: "standalone", "leader", "follower", "observer", "read-only", "leaderelection". */
const char *core_mode_name(enum core_mode mode);

struct core_stats {
    int64_t last_zxid;                      /* of a leader at least the begin of its epoch, as Apache shows it */
    int64_t packets_received, packets_sent; /* frames */
    int64_t bytes_received;                 /* of frames, their lengths included, as Apache counts */
    int64_t bytes_sent;                     /* of frames without their lengths, as Apache counts */
    int64_t event_bytes_sent;               /* of watch events alone */
    int64_t outstanding;                    /* requests taken and not answered */
    int64_t latency_min_ms, latency_max_ms, latency_sum_ms, latency_count;
    int64_t connections; /* without those of four-letter words that have ended */
    int64_t sessions;
    int64_t node_count, ephemeral_count, data_size; /* node_count: root once */
    int64_t watch_count, watch_path_count, watcher_count;
    int64_t pending_syncs; /* of a leader: sync requests that wait for a quorum */
    int64_t leading_ms;    /* how long it has led, 0 if it does not */
    int64_t auth_failed, connections_rejected, sessions_expired, connections_dropped;
    int64_t ensemble_auth_well, ensemble_auth_failed, ensemble_auth_skipped; /* of the scheme "ensemble" */
    int64_t handshakes_expired, unsuccessful_handshakes, digest_mismatches;
    int64_t reads, writes, txns_committed, snapshots_taken, large_requests_rejected, throttled_ops;
    int64_t response_bytes_last, response_bytes_min, response_bytes_max; /* -1 before the first */
    int64_t changes_queued, changes_applied; /* nodes touched by proposals; by those that are applied */
    int64_t connection_requests;             /* handshakes begun */
    double drop_probability;                 /* of the connection throttle */
    struct summary read_latency_ms, update_latency_ms;
    struct summary created_watches, deleted_watches, changed_watches, children_watches; /* events told of one change */
    struct summary token_deficit; /* of the connection throttle, at each handshake */
    uint64_t tree_digest;
};
void core_stats(const struct core *core, struct core_stats *out);
/* srst: everything that counts events begins anew, as in Apache; what tells how many there are now stays. */
void core_stats_reset(struct core *core);

struct core_conn_info {
    uint32_t conn;
    struct slice peer;  /* "127.0.0.1:1234", an IPv6 address with its scope-less long form as Java prints it */
    int64_t session_id; /* 0: none (yet) */
    int32_t timeout_ms;
    int64_t established_wall_ms;
    int32_t last_op;          /* opcode of the last request; INT32_MIN: none */
    int64_t last_cxid;        /* -1: none */
    int64_t last_zxid;        /* -1: none */
    int64_t last_response_ms; /* monotonic; 0: none */
    int64_t latency_last_ms, latency_min_ms, latency_avg_ms, latency_max_ms;
    int64_t packets_received, packets_sent;
    int64_t outstanding;
};
/* Calls fn for up to max connections from *cursor on (0 to begin); false at the end. */
bool core_conn_list(const struct core *core, uint32_t *cursor, size_t max,
                    void (*fn)(void *ctx, const struct core_conn_info *info), void *ctx);
bool core_conn_find(const struct core *core, uint32_t conn, void (*fn)(void *ctx, const struct core_conn_info *info),
                    void *ctx);
/* crst: counters of every connection begin anew. */
void core_conn_stats_reset(struct core *core);

/* A connection asks in a four-letter word: it counts as a packet, and its end as no lost client. Unknown connections
 * are ignored. */
void core_conn_word(struct core *core, uint32_t conn);

/* May somebody who is no connection do what needs every permission on "/" (feature map 3.2)? scheme and secret as in
 * addauth; `address` is who asks, for the scheme ip. Each permission is checked for itself (CVE-2025-58457).
 * 0, ERR_AUTH_FAILED (nothing was proved) or ERR_NO_AUTH. */
int core_may_administer(struct core *core, struct slice scheme, struct slice secret, struct slice address);

/* Sessions by the tick at which they expire, ascending. Calls fn once a session. */
void core_session_list(const struct core *core,
                       void (*fn)(void *ctx, int64_t session_id, int32_t timeout_ms, int64_t expires_ms), void *ctx);
/* The session bound to a connection number (0: none), for lists of watches. */
int64_t core_conn_session(const struct core *core, uint32_t conn);

/* What was read and written below a top node, in bytes of path and data as Apache counts them; writes that a hard
 * quota has refused. */
struct core_spread {
    int64_t count, sum, min, max;
};
struct core_namespace {
    struct slice name;
    struct core_spread read, written;
    int64_t quota_exceeded;
};
/* Up to 256 of them, those that were used first since the start or srst. */
void core_namespace_list(const struct core *core, void (*fn)(void *ctx, const struct core_namespace *n), void *ctx);

/* The remembered digests (every 128th zxid, the newest 1024), oldest first. */
void core_digest_list(const struct core *core, void (*fn)(void *ctx, int64_t zxid, uint64_t digest), void *ctx);

/* The tree, for reading. */
const struct tree *core_tree(const struct core *core);

/* "CREA", "GETD", ... as the cons command shows; "NA" for none. */
const char *core_op_short_name(int32_t opcode);

#endif
