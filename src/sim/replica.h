/* replica: one server in one thread over a given struct fs: the core, its log and its snapshots, with the shell's
 * duties done by hand. The simulator and the crash tests drive it; the same core and store run in the server. */
#ifndef ZOKOR_SIM_REPLICA_H
#define ZOKOR_SIM_REPLICA_H

#include "core/core.h"
#include "store/snapshot.h"
#include "store/txnlog.h"

#define REPLICA_CONNS 8

struct replica {
    struct fs *fs;
    struct store_dirs dirs;
    struct core *core;
    struct txnlog *log;
    struct snapshot_writer *image; /* the snapshot being written, or NULL */
    bool image_open;               /* the core thinks that one is being written */
    struct core_out out;
    int64_t now_ms, wall_ms;
    int64_t appended_zxid, durable_zxid;
    struct buf sent[REPLICA_CONNS]; /* bytes the core sent to each connection */
    bool closed[REPLICA_CONNS];
    /* Called for every transaction the core hands to the log. */
    void (*on_append)(void *ctx, int64_t zxid, struct slice txn);
    void *ctx;
    struct store_recovered recovered; /* of the start; its tree belongs to the core */
};

struct replica_options {
    struct core_options core;
    struct txnlog_options log;
    struct store_recover_options recover;
};

/* Recovers from the directories, writes a first snapshot if there is none, makes the core. 0, or an error with err
 * filled; then nothing is left to stop. */
int replica_start(struct replica *r, struct fs *fs, const struct store_dirs *dirs,
                  const struct replica_options *options, struct store_error *err);

/* Steps the core with an event (times are filled in) and hands its appends to the log in memory. Returns what
 * core_step returned. */
bool replica_step(struct replica *r, struct core_event ev);

/* Makes the log durable and tells the core. After an error the replica must be stopped: no reply has left for what
 * was not durable. */
int replica_flush(struct replica *r, struct store_error *err);

/* Takes the snapshot being written one slice further, if there is one. A failure is told to the core and is not fatal.
 */
void replica_image(struct replica *r);

/* Frees everything; nothing more is written. */
void replica_stop(struct replica *r);

#endif
