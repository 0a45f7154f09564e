/* logger: the thread that makes writes durable. It takes whatever waits as one batch, appends, syncs once, and tells up
 * to which zxid everything is on disk. While it syncs, the next batch gathers: under load one sync serves many writes.
 *
 * A small batch that comes while the thread sleeps does not wake it: the owner begins a write of its own past the page
 * cache, where the file system can (os/direct.h), and hears of its end. Two hand-overs between threads, which cost a
 * lone write more than the disk does, fall away.
 *
 * An error ends its work for good: a failed sync may have lost pages that the kernel calls clean, so it is never
 * tried again and nothing after it may be acknowledged. */
#ifndef ZOKOR_SERVER_LOGGER_H
#define ZOKOR_SERVER_LOGGER_H

#include "base/summary.h"
#include "core/core.h"
#include "store/txnlog.h"

struct logger;

struct logger_options {
    struct fs *fs;
    struct txnlog_options log;  /* dir must live as long as the logger */
    int64_t slow_sync_ms;       /* a longer sync is told (fsync.warningthresholdms) */
    bool direct;                /* fs is the machine's own: writes may go past it */
    void (*changed)(void *ctx); /* logger_synced or logger_error has news; called on the logger's thread */
    void *ctx;
};

struct logger *logger_new(const struct logger_options *options);
/* Waits until everything submitted is durable (or the log has failed), ends the thread, frees. NULL is fine. */
void logger_free(struct logger *l);

/* What follows is called on one thread, but where it says otherwise. */

/* Readable when a write of the owner has ended: logger_answer and logger_collect are to be called; -1: never. */
int logger_bell(const struct logger *l);
void logger_answer(struct logger *l);
/* Takes notice of a write that has ended: logger_synced or logger_error has news, without a call of `changed`. To ask
 * costs nothing, and may find it before the bell. */
void logger_collect(struct logger *l);
/* Hands over appends, in order, with their references. Never waits for the disk. */
void logger_submit(struct logger *l, const struct core_append *appends, size_t count);
/* Work for the logger's thread: it comes after all that was submitted before, and not at all once the log has failed.
 */
struct logger_job {
    struct logger_job *next;
    void (*fn)(struct logger_job *job); /* on the logger's thread */
    bool closes_log;                    /* fn may change the log's files: the next append begins a new one */
};
/* The job is the logger's until logger_take_done gives it back. With closes_log nothing may be submitted meanwhile. */
void logger_run(struct logger *l, struct logger_job *job);
/* A job whose fn has returned, oldest first; NULL: none. `changed` tells when to ask. */
struct logger_job *logger_take_done(struct logger *l);
/* After a job has shortened the log: its end, for logger_synced. */
void logger_restart_at(struct logger *l, int64_t zxid);
/* Whether `changed` is called for every sync (as at first), or for errors and jobs alone: who has other reasons to
 * look at logger_synced is spared being woken. After saying yes it must be looked at once: a sync before is not told.
 */
void logger_tell_syncs(struct logger *l, bool tell);
/* The highest zxid that is durable with all before it; 0 before the first. Any thread. */
int64_t logger_synced(const struct logger *l);
/* 0, or the error that ended the log, with its text. Any thread. */
int logger_error(struct logger *l, struct store_error *err);
/* How long the syncs took (with the write before each), how many transactions each batch had, how long the first of
 * them waited until the write began and until the sync was done. Any thread. */
struct logger_figures {
    struct summary sync_ms, batch_size, batch_wait_ms, batch_total_ms;
};
void logger_figures(struct logger *l, struct logger_figures *out);
/* Syncs above slow_sync_ms so far. Any thread. */
int64_t logger_slow_syncs(const struct logger *l);

#endif
