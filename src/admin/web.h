/* web: the commands of the HTTP admin server, and the page for Prometheus. The thread that speaks HTTP (http.h) puts
 * what was asked into a struct web_ask and lends it to the core's thread, which writes the answer a piece at a time
 * (web_serve) and gives it back: neither ever looks at what the other owns. */
#ifndef ZOKOR_ADMIN_WEB_H
#define ZOKOR_ADMIN_WEB_H

#include "admin/command.h"
#include "admin/json.h"
#include "base/list.h"
#include "os/process.h"

struct web_ask;

/* One of so many in an interval, as Apache counts: the interval begins at the first request after the one before has
 * ended, not with what was allowed last. */
struct web_limiter {
    int64_t interval_ms, since_ms;
    bool used;
};

/* What the server lends to the commands, beside the words' host; lives as long as the server. The functions run on the
 * core's thread. */
struct web_host {
    void *ctx;
    struct command_host *words;
    int64_t server_id;       /* in its ensemble; 0 without one */
    const char *client_host; /* where this member serves clients, if no server line says so; NULL: not told */
    uint16_t client_port;
    const char *config_text; /* zoo.cfg as it was read; NULL without one */
    /* The members of `configuration`. */
    void (*conf)(void *ctx, struct json *j);
    /* Calls fn for each key that was set, with what may be shown of its value. */
    void (*properties)(void *ctx, void (*fn)(void *fn_ctx, const char *name, const char *value), void *fn_ctx);
    /* zxid and time (seconds since 1970) of the last snapshot that is complete; -1: there is none. */
    void (*last_snapshot)(void *ctx, int64_t *zxid, int64_t *seconds);
    bool snapshot_enabled, restore_enabled; /* admin.snapshot.enabled, admin.restore.enabled */
    bool last_zxid_block;                   /* serializeLastProcessedZxid.enabled */
    struct web_limiter snapshot_limiter, restore_limiter;
    int64_t snapshot_errors, snapshots_limited, restore_errors, restores_limited;
    /* Take a snapshot; load what was uploaded. Sooner or later web_finish and ask->done are called. */
    void (*snapshot)(void *ctx, struct web_ask *ask);
    void (*restore)(void *ctx, struct web_ask *ask);
};

/* Status of HTTP. */
enum web_status {
    WEB_CONTINUE = 100, /* of a command with a body: it may come */
    WEB_OK = 200,
    WEB_NO_AUTH = 401,
    WEB_FORBIDDEN = 403,
    WEB_LIMITED = 429,
    WEB_FAILED = 500,
    WEB_DISABLED = 503,
};

struct web_row;
struct web_answer;

/* The command of this name, which may be one of its short ones (*known_as, lives on); NULL for an unknown one.
 * "/metrics" is the page. Any thread, as the next ones. */
const struct web_row *web_find(const char *name, const char **known_as);
/* The names of all commands, sorted; NULL at the end. */
const char *web_name(size_t i);
bool web_is_page(const struct web_row *row);
/* It has a body, and is asked twice: before that comes, and with `upload` when it is there. */
bool web_is_post(const struct web_row *row);
const char *web_content_type(const struct web_row *row);

/* One request, from the first byte of its answer to the last. Fields above `done` are the asker's, and rest while it
 * is lent; those below are written by the core's thread while it is. */
struct web_ask {
    struct list link;
    const struct web_row *row;
    const char *known_as;       /* the name that was used */
    struct slice authorization; /* the header; null: absent */
    bool streaming;             /* argument of snapshot: its bytes are wanted */
    void *upload;               /* of restore: what has come; NULL before */
    bool upload_failed;         /* it is no snapshot, or could not be kept */
    struct slice trace_mask;    /* argument of set_trace_mask; null: absent */
    struct slice address;       /* who asks, as text */
    struct process_usage usage; /* of the page, if it is to show it: what the process uses */
    struct command_files files; /* walks through directories, done beforehand if the row needs them */
    int64_t snap_bytes, log_bytes;
    void (*done)(struct web_ask *ask); /* gives it back: a piece is there. Core's thread, or the one that asked */

    struct web_answer *answer; /* until the last piece was given */
    struct buf piece;          /* emptied by the asker */
    bool more;                 /* ask again for the next piece */
    bool pending;              /* not done yet: web_finish will come */
    int64_t zxid;              /* of snapshot, if has_file: header last_zxid */
    bool has_file;
    int fd;             /* the file, or -1; closed by web_ask_fini */
    int64_t file_bytes; /* header snapshot_size */
    bool failed;        /* there will be no end: the connection must be cut */
    int status;
};

/* Which walks a row needs before it is asked. */
bool web_needs_files(const struct web_row *row);
bool web_needs_dirs(const struct web_row *row);

/* Appends the next piece, about `bytes` long, to ask->piece and sets more. Core's thread. Does not call done. */
void web_serve(struct web_host *host, struct web_ask *ask, size_t bytes);
/* Ends a pending answer: last_zxid is the member of restore's, -1 for none. Core's thread, or the one that ends the
 * server. Does not call done. */
void web_finish(struct web_ask *ask, enum web_status status, int64_t last_zxid);
/* The whole answer while nothing is being served: status 200 and the error that Apache gives. Any thread. */
void web_serve_closed(struct web_ask *ask);
/* The answer to an unknown command, or one with an error and nothing else. Any thread. */
void web_put_error(struct buf *out, const char *command, const char *error);
/* Prepares for the first use. */
void web_ask_init(struct web_ask *ask);
/* Forgets an answer that nobody wants to read on. Any thread that owns the ask. */
void web_ask_fini(struct web_ask *ask);

#endif
