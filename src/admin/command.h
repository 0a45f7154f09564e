/* command: four-letter words. The server recognises a word in the first four bytes of a connection, asks for its answer
 * here and sends it piece by piece as the socket takes it, so that an answer of any length costs no more memory than a
 * piece. Implemented by this room (command.c); called by the server on the core's thread only. */
#ifndef ZOKOR_ADMIN_COMMAND_H
#define ZOKOR_ADMIN_COMMAND_H

#include "base/buf.h"
#include "core/view.h"

/* Figures of the process that the core does not know. */
struct command_figures {
    int64_t now_ms, wall_ms, started_ms; /* started_ms: monotonic, as now_ms */
    int64_t fsync_slow_count;            /* syncs of the log above fsync.warningthresholdms */
    int64_t net_queued_bytes;            /* replies that sockets have not taken yet */
    /* TLS on the client ports: handshakes under way; not begun, because too many were; and how many connections came
     * without it, from this machine and from others. 0 without TLS. */
    int64_t tls_handshakes, tls_handshakes_refused, plain_local, plain_remote;
    int64_t plain_admin;    /* plain connections to HTTP ports that take both */
    struct summary sync_ms; /* how long the syncs of the log took */
    /* Of each batch of the log: transactions in it; how long the first waited until the write began, and until the
     * sync was done. */
    struct summary batch_size, batch_wait_ms, batch_total_ms;
    struct summary stall_ms;                /* of the event loop, if jvm.pause.monitor looks for them */
    struct summary snapshot_ms, restore_ms; /* each snapshot taken, each restore */
    struct summary boot_ms, boot_snapshot_ms, boot_txns_ms, boot_txns; /* one value each: the start of this process */
    int64_t snapshot_errors, snapshots_limited, restore_errors, restores_limited; /* of the admin commands */
};

/* Descriptors of the process: a walk through a directory, made by whoever asks where it delays nobody. */
struct command_files {
    int64_t open, max;
};

/* What the server lends to this room; lives as long as the server. The functions run on the core's thread. */
struct command_host {
    void *ctx;
    struct core *core;
    const char *words_allowed; /* 4lw.commands.whitelist */
    bool read_only_mode;       /* readonlymode.enabled: isro is allowed, too */
    bool with_metrics;         /* false: metricsProvider.className is the one that keeps none */
    void (*figures)(void *ctx, struct command_figures *out);
    /* Appends the answer of `conf`. */
    void (*conf)(void *ctx, struct buf *out);
    /* Bytes of the files in the two directories, for `dirs`. */
    void (*dir_bytes)(void *ctx, int64_t *snap_bytes, int64_t *log_bytes);
    /* What the server waits for on a connection: 1 bytes to read, 4 room to write, or both. For "[1]" in stat, cons. */
    unsigned (*interest)(void *ctx, uint32_t conn);
    int64_t trace_mask; /* gtmk, stmk */
};

/* The first four bytes as a big-endian number: is it a word (allowed or not)? This and the next: any thread. */
bool command_known(uint32_t word);
/* Bytes that must follow the word before it can be answered: 8 for stmk, 0 for all others. */
size_t command_argument_bytes(uint32_t word);

struct command_answer; /* one answer in the making */

/* Begins the answer to a known word from connection `conn`; argument has command_argument_bytes bytes. Words that are
 * not allowed get their one line. Never NULL. */
struct command_answer *command_begin(struct command_host *host, uint32_t conn, uint32_t word, struct slice argument);
/* Appends about `bytes` more bytes (a single entry may exceed it); true while there is more to come. Between two calls
 * the core moves on: entries that come or go meanwhile may be missing or shown. */
bool command_next(struct command_answer *a, size_t bytes, struct buf *out);
/* Ends it, finished or not. */
void command_end(struct command_answer *a);

#endif
