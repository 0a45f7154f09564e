/* internal: what the files of this room share: one struct zab, its links, its election, and its role. */
#ifndef ZOKOR_ZAB_INTERNAL_H
#define ZOKOR_ZAB_INTERNAL_H

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "zab/history.h"
#include "zab/zab.h"

#define SID_NONE INT64_MIN /* the vote of an observer */
#define STRANGERS_MAX 24u  /* peers of the election port that the configuration does not name: they must leave room */
#define HELLO_MS 5000      /* a link that was accepted has this long to say who it is, if the options do not say */
#define REDIAL_MS 50       /* between two tries to reach the same election port; doubles up to REDIAL_MS_MAX */
#define REDIAL_MS_MAX 1000
#define UNANSWERED_MS 3000      /* an observer calls a voter anew that answers nothing for so long */
#define AVOID_MS 60000          /* who was elected and could not be reached is avoided for so long, */
#define AVOID_FIRST_MS 3000     /* and only in the first moments of an election: perhaps there is nobody else */
#define BEHIND_MS 200           /* a leader that cannot be followed is not tried again sooner */
#define RETRY_LEADER_MS 10      /* between two tries to reach a leader that does not listen yet */
#define RETRY_LEADER_MS_MAX 320 /* one that hangs up, or cannot be connected to: the pause doubles up to this */
#define RETRY_LEADER_FOR_MS 1000
#define EPOCH_MAX 0x7ffffffe      /* the epoch files hold what Java calls a positive int */
#define EPOCH_NONE 0xffffffff     /* of Apache's server with an empty database that is not trusted: none was promised */
#define INFO_BYTES_MAX 1024u      /* a field of the packet in which a learner says who it is */
#define ROUND_MAX (INT64_MAX / 2) /* no server counts so many elections; one more than the largest must be a number */
#define TELL_BEHIND_MS 10000      /* a disk that cannot keep up is told of once in so long */
#define NOTIFICATION_MS_CAP 5000  /* a partition that heals is noticed within this */

/* ---- links ---- */

enum link_kind {
    LINK_ELECTION_DIALLED, /* connecting to a peer's election port, or just connected */
    LINK_ELECTION_HELLO,   /* accepted there, has not said who it is */
    LINK_ELECTION,         /* the connection of this pair */
    LINK_LEARNER,          /* accepted on the learner port */
    LINK_LEADER,           /* our connection to the leader, or the dial */
};

struct link {
    struct link *next;
    uint32_t id;
    enum link_kind kind;
    bool connected;
    bool paused;  /* zab_step has returned false */
    bool closing; /* closed while its bytes are being read: freed when that ends */
    int64_t opened_ms;
    struct buf in;       /* bytes that are not a whole message yet */
    struct slice unread; /* of the running event, behind `in` */
    struct peer *peer;
    struct learner *learner;
};

/* ---- election ---- */

struct vote {
    bool given;
    enum peer_state state;
    int64_t leader, zxid, round, peer_epoch;
    int32_t version;
};

/* Somebody on the election port: a member, or a stranger. */
struct peer {
    struct peer *next;
    int64_t sid;
    struct link *link; /* NULL: none */
    struct link *dial; /* NULL: none under way */
    bool dead;         /* the last thing heard of it was a refusal or a loss */
    bool pending;      /* `last` has not been sent */
    struct buf last;   /* the newest message for it, as sent */
    struct buf said;   /* where it says it listens, if that is worth anything; from its hello */
    int64_t redial_ms; /* no dial before */
    int64_t redial_after_ms;
    int64_t unanswered_ms;  /* since when an observer asks it in vain; 0: it does not */
    struct vote recv;       /* its vote in this round */
    struct vote outside;    /* its vote as one that follows or leads, of any round */
    struct vote early;      /* its vote, come before we could look */
    int64_t avoid_until_ms; /* it was elected and could not be reached: others are looked for first */
};

struct election {
    int64_t round;
    struct vote proposal; /* while looking: what we propose. state LOOKING */
    struct vote current;  /* otherwise: what we tell */
    int64_t repeat_ms;    /* when the proposal is sent again */
    int64_t repeat_after_ms;
    int64_t final_ms; /* a quorum agrees: decided then unless a better vote comes; 0: none */
    int64_t begun_ms;
    int64_t start_ms; /* an observer waits until then before it looks; 0: it has begun */
};

/* ---- the last packets of a connection (packets.c) ---- */

struct packet_seen {
    int64_t at_ms, zxid;
    int32_t type;
};

struct packets {
    struct packet_seen *at; /* ring of packets_remembered; NULL before the first */
    size_t count;           /* of all that were noted */
};

/* ---- leading ---- */

enum learner_state {
    LEARNER_NEW,        /* FOLLOWERINFO has not come */
    LEARNER_WAIT_EPOCH, /* waits for the epoch to be decided and saved */
    LEARNER_TOLD_EPOCH, /* LEADERINFO sent */
    LEARNER_WAIT_SYNC,  /* ACKEPOCH has come; waits for its quorum */
    LEARNER_LOG,        /* gets what only the log on disk holds */
    LEARNER_WAIT_IMAGE, /* needs an image; the core has not begun one */
    LEARNER_IMAGE,      /* bytes of the image go out; everything else is held back */
    LEARNER_SYNCING,    /* NEWLEADER sent */
    LEARNER_SYNCED,     /* NEWLEADER acknowledged */
    LEARNER_UP,         /* UPTODATE sent */
};

/* From the first packet of a synchronisation to the acknowledgement of its end. */
enum sync_load { SYNC_LOAD_NONE, SYNC_LOAD_DIFF, SYNC_LOAD_SNAP };

struct learner {
    struct list link;
    struct link *conn;
    int64_t sid;
    enum learner_state state;
    enum sync_load load; /* what the throttle of syncs counts it as */
    bool relayed;        /* came to the port for observers */
    bool observer;       /* came with OBSERVERINFO: gets INFORM */
    bool registered;     /* gets what is proposed and committed */
    bool log_begun;      /* LEARNER_LOG: DIFF has been sent */
    bool doomed;         /* to be dropped at the end of the turn */
    int64_t accepted_epoch;
    int64_t last_zxid;  /* of ACKEPOCH; while LEARNER_LOG: the last transaction sent */
    int64_t log_to;     /* while LEARNER_LOG: what is being read ends here */
    int64_t acked_zxid; /* of proposals */
    int64_t sent_zxid;  /* when it was registered: what was committed by then it has got */
    int64_t registered_ms;
    int64_t opened_ms, heard_ms;
    int64_t pings_sent, pings_answered, round_mark; /* since UPTODATE */
    struct buf held;
    struct packets sent, got;
};

enum leading_phase {
    LEADING_COLLECT, /* acceptedEpochs */
    LEADING_SAVE_ACCEPTED,
    LEADING_ACKEPOCH,
    LEADING_SAVE_CURRENT,
    LEADING_NEWLEADER,
    LEADING_SERVING,
};

struct waiting_sync {
    struct waiting_sync *next;
    int64_t token;
    int64_t zxid;  /* must be committed */
    int64_t round; /* of pings that a quorum must have answered */
};

struct leading {
    enum leading_phase phase;
    struct list learners;
    struct member_set epoch_from, acks_from; /* who has been heard in COLLECT and ACKEPOCH */
    int64_t epoch;
    int64_t epoch_max;               /* of the accepted ones */
    int64_t start_epoch, start_zxid; /* ours when we were elected */
    int64_t begun_ms, deadline_ms;
    int64_t ping_ms;
    int64_t proposed; /* last zxid given to a proposal */
    struct waiting_sync *syncs, **syncs_last;
    int64_t ping_round, answered_round;
    int64_t wanted_round; /* of the newest sync that waits */
    bool any_doomed;
    bool any_acked; /* since the last look at what is committed */
    bool relays;    /* this is a follower that serves observers (relay.c) */
    int64_t proposals, bytes_last, bytes_min, bytes_max;
};

/* ---- learning ---- */

enum learning_phase {
    LEARNING_DIAL,
    LEARNING_WAIT_RETRY,
    LEARNING_INFO,          /* FOLLOWERINFO sent */
    LEARNING_BEHIND,        /* the leader's epoch is behind the one promised: we leave it, in a moment */
    LEARNING_SAVE_ACCEPTED, /* before ACKEPOCH */
    LEARNING_PLAN,          /* waits for DIFF, TRUNC or SNAP */
    LEARNING_TRUNCATE,
    LEARNING_IMAGE,
    LEARNING_IMAGE_END, /* the string behind the image */
    LEARNING_IMAGE_TRUNCATE,
    LEARNING_IMAGE_SAVE,
    LEARNING_SYNC,
    LEARNING_FLUSH,        /* NEWLEADER has come: the log must be durable */
    LEARNING_SAVE_CURRENT, /* then the epoch */
    LEARNING_ACKED,        /* waits for UPTODATE */
    LEARNING_SERVING,
};

struct learning {
    enum learning_phase phase;
    struct link *conn;
    int64_t leader;
    int64_t via;          /* whom the connection is to: the leader, or a follower that serves observers */
    uint64_t relay_begin; /* an observer's: whom it dials */
    int tries;
    int64_t epoch;
    int64_t begun_ms, heard_ms, retry_ms;
    int64_t retry_after_ms; /* the last pause; 0: none yet */
    int64_t plan_zxid;
    int64_t image_floor; /* proposals up to here are in the image */
    int64_t ping_zxid;   /* of the last PING: its answer repeats it */
    int64_t acked_zxid;
    bool image_begun;
    bool saw_newleader;
    size_t unsynced_bytes; /* of transactions that are appended and not durable */
    bool disk_behind;      /* they are too many: the connection is paused until they are fewer */
    int64_t told_behind_ms;
    struct packets sent, got;
};

/* ---- the oracle of two voters (lone.c) ---- */

enum lone_answer { LONE_UNKNOWN, LONE_NO, LONE_YES };

struct lone {
    enum lone_answer answer; /* the last one of this role */
    bool asked;
    int64_t asked_ms;
};

/* ---- all ---- */

struct zab {
    struct zab_options opt;
    struct members *members;
    struct buf config_text; /* canonical */
    struct rng rng;
    int64_t now_ms;
    struct zab_out *out; /* of the running call */

    struct link *links;
    uint32_t next_link;
    struct peer *peers;
    size_t stranger_count;
    int64_t next_nameless;

    int64_t accepted_epoch, current_epoch; /* durable, or being saved */
    int64_t disk_zxid, disk_epoch;         /* of an observer without a log: what its disk really holds */
    bool saving_epochs, truncating, reloading, saving_image;
    bool wants_image; /* the log cannot be cut to what the leader has: only an image helps */
    bool untrusted;   /* see zab_options; until an image is saved */
    bool dirty;       /* the tree is not what the log would give: it must be read again before it counts */
    struct history history;
    int64_t appended, synced; /* end of the log, and its durable end */
    int64_t committed;        /* given to the core as committed; at most appended */

    enum peer_state role;
    bool settling; /* a role has ended; the disk must come to rest before we look for a leader */
    bool leaving;  /* the role must end when the running event is done */
    bool stopped;  /* an error of the disk: nothing more is done */
    struct election election;
    struct leading leading;
    struct learning learning;
    struct lone lone;
    int64_t elections, last_election_ms;
    int64_t diffs_sent, truncs_sent, snaps_sent;
    struct summary inflight[SYNC_LOAD_SNAP + 1]; /* by enum sync_load */
    struct buf scratch, request;
};

/* zab.c */
/* Around each call of the core, as zab_step does around an event. */
void zab_call_begin(struct zab *z, struct zab_out *out);
void zab_call_end(struct zab *z);
struct zab_fx *zab_emit(struct zab *z, enum zab_fx_type type);
void zab_leave_role(struct zab *z, const char *why);
void zab_save_epochs(struct zab *z, int64_t accepted, int64_t current);
void zab_append(struct zab *z, int64_t zxid, struct blob *txn);
void zab_commit_next(struct zab *z);
void zab_role_changed(struct zab *z, bool serving);
bool zab_is_participant(const struct zab *z);
void zab_log_resync(struct zab *z, int64_t end);

/* links.c */
struct link *link_add(struct zab *z, uint32_t id, enum link_kind kind);
struct link *link_dial(struct zab *z, enum link_kind kind, enum zab_port port, int64_t sid, struct slice addresses);
struct link *link_find(const struct zab *z, uint32_t id);
void link_close(struct zab *z, struct link *l);
void link_forget(struct zab *z, struct link *l);
void link_sweep(struct zab *z);
void link_send(struct zab *z, struct link *l, struct slice bytes);
void link_send_buf(struct zab *z, struct link *l, const struct buf *b);
void link_send_packet(struct zab *z, struct link *l, const struct peer_packet *p);
void link_unpause(struct zab *z, struct link *l);

/* election.c */
void election_begin(struct zab *z);
void election_tick(struct zab *z);
void election_notified(struct zab *z, struct peer *p, const struct peer_notification *n);
int64_t election_next_tick_ms(const struct zab *z);
/* Somebody has been lost: perhaps nobody is left to wait for. */
void election_recheck(struct zab *z);
/* The oracle has answered. */
void election_oracle(struct zab *z);
void election_peer_epoch(struct zab *z, int64_t epoch);
/* This one was elected, and no connection to its learner port comes about. */
void election_avoid(struct zab *z, int64_t sid);

/* election_links.c */
void election_accepted(struct zab *z, uint32_t id);
void election_connected(struct zab *z, struct link *l);
void election_lost(struct zab *z, struct link *l, bool refused);
/* Takes whole messages off the bytes; returns how many bytes were used, or an error. */
int64_t election_bytes(struct zab *z, struct link *l, struct slice bytes);
void election_tell(struct zab *z, struct peer *p, const struct peer_notification *n);
struct peer *election_peer(struct zab *z, int64_t sid);
void election_links_free(struct zab *z);
void election_links_tick(struct zab *z);
/* An observer is about to ask this voter again. */
void election_drop_dead(struct zab *z, struct peer *p);

/* leader.c */
void leader_begin(struct zab *z);
void leader_end(struct zab *z);
void leader_tick(struct zab *z);
/* A voter looks for a leader while this one waits for their epochs. */
void leader_voter_looks(struct zab *z);
int64_t leader_next_tick_ms(const struct zab *z);
void leader_accepted(struct zab *z, uint32_t id, enum zab_port port);
/* Closes every learner's connection. */
void leader_forget_learners(struct zab *z);
void leader_tell_commit(struct zab *z, const struct past *p);
void leader_drop_late(struct zab *z);
void leader_lost(struct zab *z, struct link *l);
int64_t leader_bytes(struct zab *z, struct link *l, struct slice bytes);
void leader_epochs_saved(struct zab *z);
void leader_log_synced(struct zab *z);
/* Of a leader: zab_awaits_log. */
bool leader_awaits_log(const struct zab *z);
void leader_try_commit(struct zab *z);
/* Something that quorums depend on has changed. */
void leader_recheck(struct zab *z);
void leader_drop(struct zab *z, struct learner *f, const char *why);
void leader_drop_doomed(struct zab *z);
void leader_drained(struct zab *z, struct link *l);
struct learner *leader_find(const struct zab *z, uint32_t link);
void leader_send(struct zab *z, struct learner *f, const struct peer_packet *p);
void leader_established(struct zab *z);
bool leader_quorum_synced(const struct zab *z);
/* leader_sync.c */
void leader_sync_learner(struct zab *z, struct learner *f);
void leader_log_read(struct zab *z, struct link *l, const struct zab_event *ev);
void leader_sync_ended(struct zab *z, struct learner *f);
void leader_newleader_acked(struct zab *z, struct learner *f);
/* leader_ping.c */
void leader_ping_all(struct zab *z);
void leader_ping_answered(struct zab *z, struct learner *f);
void leader_recheck_round(struct zab *z);
void leader_release_syncs(struct zab *z);
void leader_free_syncs(struct zab *z);

/* packets.c */
void packets_note(struct zab *z, struct packets *p, int32_t type, int64_t zxid);
/* Tells both and forgets them. */
void packets_tell(const struct zab *z, struct packets *sent, struct packets *got, int64_t sid);

/* lone.c */
/* A quorum of these voters, or with the oracle's word. */
bool zab_is_quorum(const struct zab *z, const struct member_set *set);
/* The oracle has said 0: whoever says that it leads is followed without a quorum's word. */
bool lone_follows(const struct zab *z);
/* The oracle has been asked and may yet answer. */
bool lone_waits(const struct zab *z);
void lone_ask(struct zab *z);
/* A role begins, or has lost its last follower: what was said before is worth nothing. */
void lone_begin(struct zab *z);
void lone_answered(struct zab *z, bool yes);

/* relay.c */
bool relay_is_open(const struct zab *z);
void relay_begin(struct zab *z);
void relay_end(struct zab *z);
bool relay_is_behind(const struct zab *z, const struct learner *f);
void relay_tick(struct zab *z);
/* Whom an observer of this leader dials at its n-th try. */
int64_t relay_of(const struct zab *z, int64_t leader, uint64_t begin, int tries);

/* learner.c */
void learner_begin(struct zab *z, int64_t leader);
void learner_end(struct zab *z);
void learner_tick(struct zab *z);
int64_t learner_next_tick_ms(const struct zab *z);
void learner_connected(struct zab *z, struct link *l);
void learner_lost(struct zab *z, bool refused);
int64_t learner_bytes(struct zab *z, struct link *l, struct slice bytes);
void learner_epochs_saved(struct zab *z);
void learner_log_synced(struct zab *z);
void learner_truncated(struct zab *z);
void learner_image_saved(struct zab *z, int err);
void learner_send(struct zab *z, int32_t type, int64_t zxid, struct slice data);

/* learner_disk.c */
void learner_appended(struct zab *z, size_t bytes);
void learner_pause_if_behind(struct zab *z, struct link *l);
/* What is durable ends at z->synced now, and ended at `before`. */
void learner_disk_caught_up(struct zab *z, int64_t before);

#endif
