/* log_tools: what `zokor log` does with transaction logs. Every function writes to the streams of its context, never
 * changes a log in place but by an explicit `replace`, and returns an exit status: 0, or 1 for what failed or is
 * damaged (then the error stream tells). */
#ifndef ZOKOR_TOOLS_LOG_TOOLS_H
#define ZOKOR_TOOLS_LOG_TOOLS_H

#include "os/fs.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct log_context {
    struct fs *fs;
    FILE *in, *out, *err;
    bool json;
    bool printable; /* control characters of the data are shown as '?': the output is a terminal */
    /* Or NULL: gives a new file owner and permissions of the old one, so that the server can read what its
     * administrator has repaired. */
    void (*keep_owner)(const char *from, const char *to);
};

struct log_select {
    const char *path; /* or NULL: only what touches this node or one below it */
    const char *type; /* or NULL: only this operation, as text_op_number knows it */
    bool by_session;
    int64_t session;  /* with by_session */
    int64_t from, to; /* zxids, both included; to 0: no end */
};

/* Is the name of an operation known (or NULL)? */
bool log_select_type_known(const char *type);

/* Prints the transactions of files and directories; damaged places are told and passed. */
int log_show(const struct log_context *c, char *const *names, size_t count, const struct log_select *select);

/* As log_show of one directory (or file), and then what comes, file after file, until `wait` says no. wait is called
 * when there is nothing new; NULL waits a fifth of a second. select->from -1: begin behind the last one that is there
 * now. */
int log_follow(const struct log_context *c, const char *name, const struct log_select *select, bool (*wait)(void *ctx),
               void *ctx);

/* Judges files as the server does when it starts; of a directory all of them together, with its snapshots. */
int log_verify(const struct log_context *c, char *const *names, size_t count, const char *snap_dir);

enum log_lost {
    LOG_LOST_ASK,  /* or stop, when nobody is asked */
    LOG_LOST_FILL, /* records without content take the place of those that are lost: history goes on behind them */
    LOG_LOST_CUT,  /* the log ends before them */
};

struct log_repair {
    bool yes;     /* do not ask */
    bool verbose; /* print every record */
    bool replace; /* put the repaired file in the place of the damaged one, which becomes damaged-NAME */
    enum log_lost lost;
};

/* Writes NAME.fixed: what can be proved is restored, wrong checksums are computed anew with the user's yes, what is
 * lost is filled or cut. */
int log_repair(const struct log_context *c, const char *name, const struct log_repair *how);

/* Writes trimmed-NAME without preallocated zeros or a torn end, and without records above `to` (0: all stay). */
int log_trim(const struct log_context *c, const char *name, int64_t to, bool replace);

/* Apache's TxnLogToolkit: its arguments, messages and exit status. argv[0] is not looked at. */
int log_toolkit(const struct log_context *c, int argc, char **argv);

#endif
