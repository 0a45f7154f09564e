/* library_judge: what a client library owes the program above it (docs/client.md), told from the frames that went over
 * the wire and what the program asked for:
 *   every accepted request ends exactly once, in the order of the requests unless its deadline passed, with the
 *   server's answer, or with a loss that really happened;
 *   events come before the answers that follow them on the wire, once, to exactly those who watch;
 *   session events tell what the server said;
 *   a new connection names the session, the newest zxid and all watches.
 * One judge a handle. */
#ifndef ZOKOR_SIM_LIBRARY_JUDGE_H
#define ZOKOR_SIM_LIBRARY_JUDGE_H

#include "client/core.h"
#include "sim/finding.h"
#include "sim/library_watches.h"

struct cluster;

#define LIBRARY_WATCHERS 4u         /* of the program, numbered from 0 */
#define LIBRARY_WATCHER_SESSION 30u /* the one that hears of the session */
#define LIBRARY_NOWHERE UINT32_MAX

/* A request that the library has accepted. */
struct library_asked {
    uint32_t serial; /* what its answer names it by; 0: closeSession, for whose answer nobody waits */
    int32_t xid, op;
    int64_t deadline_ms; /* 0: none */
    uint32_t cable;      /* it was sent there; LIBRARY_NOWHERE: it waits */
    uint32_t up_cable;   /* the connection with a session that it is for; LIBRARY_NOWHERE: none yet */
    bool told;           /* it has ended */
    bool answered;       /* the server's answer has come */
    bool watches;
    bool unwished;    /* it watches, but the watcher has been forgotten meanwhile */
    unsigned forgets; /* kinds (bits) */
    unsigned armed;   /* kinds that the server forgets with an answer of 0 */
    enum client_watch_kind kind;
    unsigned watcher;
    char path[40];
};

/* What must be delivered next. */
struct library_due {
    bool is_event;
    uint32_t serial;
    int32_t rc, type; /* err of an answer; type of an event */
    int64_t zxid;
    unsigned who;
    size_t at, n; /* its body or path in judge.bytes */
};

struct library_judge {
    struct cluster *c;
    uint32_t client;
    struct library_asked *asked; /* in order; those at the front that are over leave */
    size_t asked_n, asked_cap;
    struct library_due *due;
    size_t due_at, due_n, due_cap;
    struct buf bytes;
    struct library_watches watches;
    struct library_watches armed; /* what the server keeps for this connection; kinds EXIST and DATA are one to it */
    struct slice chroot;          /* "": none */
    /* What the server said, and what the session event must be. */
    int64_t session_id;
    uint8_t passwd[WIRE_PASSWD_BYTES];
    int32_t timeout_ms;
    bool seen_writable, read_only;
    int64_t seen_zxid;    /* the newest zxid in any frame: no server that is behind it will do */
    int64_t settled_zxid; /* the newest zxid up to which no event is missing: that of an answer */
    int32_t state;        /* the last session event; 0: none yet */
    bool greeted;         /* a CONNECTED must come */
    bool refused;         /* the server said that the session is over */
    /* The connection. */
    uint32_t cable;    /* LIBRARY_NOWHERE: none */
    bool up, primed;   /* it has a session; and the first frames of it were looked at */
    size_t rearmed;    /* paths in setWatches of this connection */
    int64_t heard_us;  /* when the last byte came */
    int64_t spoke_us;  /* when the last frame left */
    int64_t thawed_us; /* when its process went on */
    bool may_leave;    /* the program gave a reason to leave it */
    size_t servers, tried;
    bool closing;        /* the program has closed the handle */
    int64_t close_by_ms; /* it must have ended then */
    uint32_t auth_asked, auth_told;
    uint32_t last_serial;
    int32_t last_xid;
};

void judge_init(struct library_judge *j, struct cluster *c, uint32_t client);
void judge_fini(struct library_judge *j);
void judge_wrong(struct library_judge *j, const char *rule, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The program's side. Gives the serial to name the answer by. */
uint32_t judge_accepted(struct library_judge *j, struct library_asked asked);
/* The handle is closed: it must have ended by then. sends: closeSession is asked for, for whose answer nobody waits. */
void judge_closes(struct library_judge *j, bool sends, int64_t by_ms);
/* Watchers are forgotten at once. */
void judge_forgets(struct library_judge *j, struct slice path, unsigned kinds, unsigned watcher);
size_t judge_waiting(const struct library_judge *j);
/* The list has changed. */
void judge_servers(struct library_judge *j, size_t n);

/* The connection. */
void judge_dialled(struct library_judge *j, uint32_t cable);
/* Its first frame. */
void judge_connect_request(struct library_judge *j, struct slice frame);
void judge_sent(struct library_judge *j, struct slice frame);
/* After a batch of sent frames. */
void judge_flushed(struct library_judge *j);
/* A ConnectResponse; false: the session is over. */
bool judge_connected(struct library_judge *j, struct slice frame);
/* Any other frame, before the library gets it. False: the session has been closed by it. */
bool judge_received(struct library_judge *j, struct slice frame);
/* The connection is over. chosen: the library left by itself. */
void judge_disconnected(struct library_judge *j, bool chosen);

/* What the library delivers. */
void judge_done(struct library_judge *j, const struct client_done *d);
/* After all that there is to deliver has been. over: the handle has ended. */
/* What the handle says of itself. */
void judge_handle(struct library_judge *j, const struct client_core *core);
void judge_settled(struct library_judge *j, bool over);

#endif
