/* core: a replica as a function, core_step(core, event) -> effects. Sessions, permission checks, preparation, the
 * pipeline of writes in flight, the tree, watches and replies, all pure: no clock, socket, file, thread or randomness.
 * Time and seeds come in with events and options; what must happen outside leaves as data in core_out.
 *
 * The durability rule lives here: nothing that tells a client of a write leaves before CORE_EV_LOG_SYNCED has proved
 * that the write is durable. A shell has no rule to forget.
 *
 * Owner: one thread. The shell that calls core_step is server/; the simulator has its own. */
#ifndef ZOKOR_CORE_CORE_H
#define ZOKOR_CORE_CORE_H

#include "base/arena.h"
#include "base/blob.h"
#include "tree/tree.h"
#include "zab/zab.h"

struct core;

#define CORE_CONN_MAX (1u << 24) /* connection numbers are below this */

/* connection_throttle_*: tokens 0 is off; freeze_time_ms -1 switches the drop probability off. */
struct core_throttle {
    int64_t tokens, fill_time_ms, fill_count, freeze_time_ms;
    double drop_increase, drop_decrease, decrease_ratio;
    bool weighted; /* connection_throttle_weight_enabled */
    int64_t global_session_weight, local_session_weight, renew_weight;
};

struct core_options {
    uint64_t seed;         /* for hash keys and the randomised snapshot rule */
    int64_t start_wall_ms; /* wall clock at start: session ids begin with it */
    int64_t
        past_session_id; /* and are above this one of this server, if it is not 0: the clock may have been set back */
    uint8_t server_id;   /* high byte of session ids; 1 for a standalone server */
    int32_t tick_time_ms;
    int32_t session_timeout_ms_min, session_timeout_ms_max;
    int32_t handshake_timeout_ms; /* nio.sessionlessCnxnTimeout: in all, from accept to a session */
    size_t frame_bytes_max;       /* jute.maxbuffer */
    size_t txn_bytes_max;         /* jute.maxbuffer + extrasize: a larger txn is refused with -5 */
    bool skip_acl;
    bool eager_acl_check; /* enableEagerACLCheck */
    bool enforce_quota;
    bool extended_types;
    bool ttl_353; /* emulate353TTLNodes */
    bool digest_enabled;
    bool reconfig_enabled;
    bool digest_auth_enabled;         /* DigestAuthenticationProvider.enabled */
    const char *digest_algorithm;     /* "SHA1"; an OpenSSL name */
    const char *super_digest;         /* "super:<base64>", or NULL */
    bool ensemble_auth;               /* the scheme "ensemble" is known: clients say whom they mean to talk to */
    const char *ensemble_names;       /* ensembleAuthName, comma separated; NULL: any name is right */
    bool enforce_auth;                /* enforce.auth.enabled */
    const char *enforce_auth_schemes; /* comma separated */
    int64_t container_check_interval_ms, container_max_per_minute, container_never_used_ms;
    int64_t outstanding_limit;       /* globalOutstandingLimit */
    int32_t conns_per_ip_max;        /* maxClientCnxns; 0 off */
    int32_t conns_max;               /* maxCnxns; 0 off */
    int64_t snap_count;              /* snapCount */
    int64_t snap_size_bytes;         /* snapSizeLimitInKb * 1024; 0 off */
    int64_t throttled_op_wait_ms;    /* throttled_op_wait_time; 0 off */
    int64_t request_throttle_max;    /* request_throttle_max_requests; 0 off */
    int64_t large_request_threshold; /* largeRequestThreshold; a frame above it is large; <= 0 off */
    int64_t large_request_bytes_max; /* largeRequestMaxBytes: large writes in flight together */
    struct core_throttle connection_throttle;
    const char *shell_schemes;     /* schemes that the shell proves, comma separated ("sasl,x509"): valid in ACLs */
    bool audit;                    /* audit.enable: lines of the event "audit" */
    bool serves_sasl;              /* false: sasl requests get a null token (client specification 4.11) */
    const struct zab_options *zab; /* a member of an ensemble; NULL: a standalone server. Read by core_new only */
    bool leader_serves;            /* leaderServes: a leader takes clients */
    size_t
        image_saved_bytes_max;   /* what changes while images go to learners is kept for them, so much in all; 0: any */
    bool read_only;              /* readonlymode.enabled: serve reads while there is no quorum */
    bool local_sessions;         /* localSessionsEnabled */
    bool local_sessions_upgrade; /* localSessionsUpgradingEnabled */
};

/* Takes over the recovered tree. now_ms: monotonic; every session of the tree gets its full timeout from it. */
struct core *core_new(const struct core_options *options, struct tree *tree, int64_t now_ms);
/* Frees everything, the tree too. */
void core_free(struct core *core);

enum core_event_type {
    CORE_EV_TICK,          /* time has passed; at least every tick_time_ms / 2, and at core_next_tick_ms */
    CORE_EV_ACCEPT,        /* a connection: conn, peer. Refused ones are answered with CORE_FX_CLOSE */
    CORE_EV_FRAME,         /* one frame of conn, without its length; lives for the call */
    CORE_EV_CONN_LOST,     /* the socket of conn is gone. Never for one that got CORE_FX_CLOSE */
    CORE_EV_AUTHENTICATED, /* the shell has proved an identity of conn (TLS certificate, SASL): scheme, frame = id */
    CORE_EV_LOG_SYNCED,    /* every append up to zxid is durable */
    CORE_EV_SNAPSHOT_WANT, /* take a snapshot soon (start-up, admin) */
    CORE_EV_SNAPSHOT_PULL, /* the snapshot being taken: give the next bytes */
    CORE_EV_SNAPSHOT_DONE, /* the snapshot thread has ended (saved, or failed: err) */
    CORE_EV_PEER,          /* peer_event: what happened on a link to another server, or to the epoch files */
    CORE_EV_TRUNCATED,     /* answers ZAB_FX_TRUNCATE: zxid = end of the log now, err; with `reload`, tree = what was
                              recovered, exactly there; the core takes it over */
};

struct core_peer {
    uint8_t address[16]; /* IPv4 in the first 4 bytes */
    bool ipv6;
    uint16_t port;
};

struct core_event {
    enum core_event_type type;
    uint32_t conn;
    int64_t now_ms;  /* monotonic, never falls */
    int64_t wall_ms; /* since 1970, may jump */
    struct core_peer peer;
    struct slice frame;
    const char *scheme; /* of CORE_EV_AUTHENTICATED: "sasl", "x509" or "super" */
    int64_t zxid;
    int err;
    const struct zab_event *peer_event; /* its now_ms is filled in by the core */
    struct tree *tree;
};

enum core_fx_type {
    CORE_FX_SEND,   /* bytes (whole frames, lengths included) for conn, in order */
    CORE_FX_CLOSE,  /* flush what was sent, then close conn. The core has forgotten it: its number may be reused
                       once the socket is closed */
    CORE_FX_RESUME, /* frames of conn are welcome again (core_step had returned false) */
};

struct core_fx {
    enum core_fx_type type;
    uint32_t conn;
    uint32_t n;
    const uint8_t *p; /* in out->arena */
};

struct core_append {
    int64_t zxid;
    struct blob *txn; /* header, body, digest; the shell owns this reference */
    bool roll_after;  /* the next append starts a new log file */
};

/* The snapshot in the making. begin comes alone; then, for each pull, body bytes and possibly end. */
struct core_snapshot_fx {
    bool begin;
    int64_t zxid, digest_zxid;
    uint64_t digest;
    struct slice body; /* in out->arena */
    bool end;
    bool abort; /* instead of a body: the tree it was taken from is gone. Give the file up and say SNAPSHOT_DONE */
};

/* Effects of one turn: the shell may call core_step many times before it carries them out and resets. */
struct core_out {
    struct arena arena;
    struct core_fx *fx;
    size_t fx_count, fx_cap;
    struct core_append *appends;
    size_t append_count, append_cap;
    struct core_snapshot_fx snapshot;
    /* Effects for links, epoch files and the log's end (ZAB_FX_DIAL to ZAB_FX_TRUNCATE), in order. Bytes in arena.
     * Carry out appends of the same turn before them. */
    struct zab_fx *peer_fx;
    size_t peer_count, peer_cap;
    struct zab_out zab; /* the core's own: what zab says in this turn */
};

void core_out_init(struct core_out *out);
/* Forgets the effects; append references must have been taken over. */
void core_out_reset(struct core_out *out);
void core_out_fini(struct core_out *out);

/* Before the first event: a transaction of the recovered log, in order, for the window from which other servers are
 * brought up to date. Takes its own reference. Without an ensemble it does nothing. */
void core_remember(struct core *core, int64_t zxid, struct blob *txn);

/* Returns false after a CORE_EV_PEER of type BYTES when no more bytes of that link may be given before ZAB_FX_RESUME.
 * Returns false after a CORE_EV_FRAME or CORE_EV_ACCEPT when no further frame of this connection may be given for
 * now: it was closed (CORE_FX_CLOSE is in out) or paused (CORE_FX_RESUME will come). True otherwise. */
bool core_step(struct core *core, const struct core_event *ev, struct core_out *out);

/* A hint: these frames, of any clients, are about to be given. What the first CORE_EXPECT_MAX of them will look for is
 * fetched from memory, for all at the same time. */
#define CORE_EXPECT_MAX 16u
void core_expect(const struct core *core, const struct slice *frames, size_t count);

/* When the next CORE_EV_TICK is due (monotonic). */
int64_t core_next_tick_ms(const struct core *core);

/* The protocol's state, for views; NULL on a standalone server. */
const struct zab *core_zab(const struct core *core);

/* True while writes wait for the log. For an orderly stop: stop feeding, wait for this to be false. */
bool core_has_writes_in_flight(const struct core *core);
/* False: CORE_EV_LOG_SYNCED is not worth a turn of its own; it may come with the next event. */
bool core_awaits_log(const struct core *core);

/* Walks the invariants of sessions, pipeline and overlay; asserts on a breach. For tests and the simulator. */
void core_check(const struct core *core);

#endif
