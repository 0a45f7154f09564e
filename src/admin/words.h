/* words: what the files of this room share: one row a word, and the answer in the making. */
#ifndef ZOKOR_ADMIN_WORDS_H
#define ZOKOR_ADMIN_WORDS_H

#include "admin/command.h"
#include "base/err.h"
#include "core/core.h"
#include "tree/watch.h"

/* Something with a moment at which it expires: a session, or a connection by its number. */
struct expiring {
    int64_t moment_ms, who;
};

struct command_answer {
    struct command_host *host;
    const struct word_row *row;
    struct slice argument; /* owned copy */
    bool begun;
    int stage;            /* of answers with several parts */
    uint32_t cursor;      /* connections */
    uint64_t long_cursor; /* watched paths; rows of `expiring` */
    bool is_open;         /* the line of the connection or path whose watches are listed was given */
    bool at_end;          /* that was the last one */
    int64_t session_id;   /* of that connection */
    struct watch_cursor watches;
    struct tree_ephemerals ephemerals;
    struct expiring *expiring;
    size_t expiring_count, expiring_cap;
    int64_t wall_offset_ms; /* wall clock minus monotonic clock, when the answer began */
};

struct word_row {
    uint32_t word;
    const char *name;
    /* Appends about `bytes` more; true while there is more. */
    bool (*next)(struct command_answer *a, size_t bytes, struct buf *out);
    bool works_always; /* also when nothing is being served */
};

/* figures.c */
extern const char *const words_version; /* "3.9.5-zokor-..., built on ..." */
bool word_srvr(struct command_answer *a, size_t bytes, struct buf *out);
bool word_stat(struct command_answer *a, size_t bytes, struct buf *out);
bool word_envi(struct command_answer *a, size_t bytes, struct buf *out);
void put_decimal(struct buf *out, double value);
/* Java has a name of its own for the most common machine. */
const char *java_arch(const char *machine);
/* monitor.c */
struct quantile_name {
    const char *prefix;
    double share;
};
extern const struct quantile_name quantile_names[4];
/* "leading - broadcast"; NULL for a server that takes no part in an ensemble now. */
const char *peer_state_name(enum core_mode mode);
bool word_mntr(struct command_answer *a, size_t bytes, struct buf *out);
/* listings.c */
bool word_cons(struct command_answer *a, size_t bytes, struct buf *out);
bool word_hash(struct command_answer *a, size_t bytes, struct buf *out);
/* dump.c */
bool word_dump(struct command_answer *a, size_t bytes, struct buf *out);
/* watches.c */
bool word_wchs(struct command_answer *a, size_t bytes, struct buf *out);
bool word_wchc(struct command_answer *a, size_t bytes, struct buf *out);
bool word_wchp(struct command_answer *a, size_t bytes, struct buf *out);
/* (listings.c) One line a connection; brief as in stat. True while there are more. */
bool put_connections(struct command_answer *a, size_t bytes, bool brief, struct buf *out);

#endif
