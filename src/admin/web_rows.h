/* web_rows: what the files with HTTP commands share. */
#ifndef ZOKOR_ADMIN_WEB_ROWS_H
#define ZOKOR_ADMIN_WEB_ROWS_H

#include "admin/web.h"
#include "admin/words.h"

/* An answer in the making. */
struct web_answer {
    struct web_host *host;
    struct web_ask *ask;
    struct core *core;
    struct json json;
    bool has_error;       /* the member `error` was written */
    const char *error;    /* or is to have this value; NULL: null */
    bool named_as_asked;  /* the member `command` is the name that was used, not the first one */
    size_t stop;          /* ask->piece.n at which the piece is full */
    int stage;            /* of answers with several parts */
    uint32_t cursor;      /* connections */
    uint64_t long_cursor; /* watched paths; rows of `expiring` */
    bool at_end;          /* the connection or path whose watches are listed is the last one */
    int64_t session_id;   /* of that connection */
    struct watch_cursor watches;
    bool has_ephemerals; /* the walk has begun */
    struct tree_ephemerals ephemerals;
    bool is_open;      /* the list of a session, path or moment was begun and goes on in the next piece */
    uint64_t open_key; /* which one */
    struct expiring *expiring;
    size_t expiring_count, expiring_cap;
};

enum web_flags {
    WEB_ALWAYS = 1, /* also when nothing is being served */
    WEB_FILES = 2,  /* needs web_ask.files */
    WEB_DIRS = 4,   /* needs web_ask.snap_bytes and log_bytes */
    WEB_RAW = 8,    /* writes the whole answer, not the members of a JSON object */
    WEB_POST = 16,
};

struct web_row {
    const char *name;
    const char *also[2];
    unsigned flags;
    /* Writes the next members, about until a->stop; true while there are more. */
    bool (*next)(struct web_answer *a);
};

/* Writes the member `error` before its usual place, as Apache's commands do that fail by themselves. */
void web_set_error(struct web_answer *a, const char *error);

/* web_lists.c */
bool web_connections(struct web_answer *a);
bool web_stats(struct web_answer *a);
bool web_dump(struct web_answer *a);
bool web_watches(struct web_answer *a);
bool web_watches_by_path(struct web_answer *a);
/* web_figures.c */
bool web_server_stats(struct web_answer *a);
bool web_monitor(struct web_answer *a);
bool web_metrics(struct web_answer *a);
bool web_environment(struct web_answer *a);
bool web_initial_configuration(struct web_answer *a);
bool web_system_properties(struct web_answer *a);
/* web_members.c */
bool web_leader(struct web_answer *a);
bool web_observers(struct web_answer *a);
bool web_voting_view(struct web_answer *a);
bool web_zabstate(struct web_answer *a);
/* web_guarded.c */
bool web_snapshot(struct web_answer *a);
bool web_restore(struct web_answer *a);

#endif
