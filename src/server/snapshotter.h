/* snapshotter: the thread that writes snapshots of the running tree, and removes old ones. The core's thread pulls
 * pieces out of the core only while there is room here, so a slow disk slows the snapshot and nothing else. */
#ifndef ZOKOR_SERVER_SNAPSHOTTER_H
#define ZOKOR_SERVER_SNAPSHOTTER_H

#include "core/core.h"
#include "store/snapshot.h"

struct snapshotter;

struct snapshotter_options {
    struct fs *fs;
    struct store_dirs dirs;
    enum snapshot_codec codec;
    bool digest, last_zxid_block;
    int purge_keep;             /* autopurge.snapRetainCount */
    void (*changed)(void *ctx); /* there is room again, or a result; called on the snapshotter's thread */
    void *ctx;
};

struct snapshotter *snapshotter_new(const struct snapshotter_options *options);
/* Gives up an unfinished snapshot (its file is removed), ends the thread, frees. NULL is fine. */
void snapshotter_free(struct snapshotter *s);

/* A snapshot begins: fx->begin is true. Only after the result of the one before was taken. */
void snapshotter_begin(struct snapshotter *s, const struct core_snapshot_fx *fx);
/* May a piece be given now? When not, `changed` tells when. */
bool snapshotter_has_room(struct snapshotter *s);
/* The next bytes, copied; end: they are the last. */
void snapshotter_body(struct snapshotter *s, struct slice body, bool end);
/* True once for each snapshot: it ended, well (0) or not. It may fail before its end was given: give no more then. */
bool snapshotter_take_result(struct snapshotter *s, int *err);

/* Gives up the snapshot in the making, if there is one: its result comes soon, and is an error unless all was there
 * already. */
void snapshotter_abort(struct snapshotter *s);
/* Nothing of the directory is being written or removed, and no result waits. `changed` tells when that may have become
 * true. */
bool snapshotter_is_idle(struct snapshotter *s);

/* Removes old snapshots and logs, behind what is being written. */
void snapshotter_purge(struct snapshotter *s);

#endif
