/* watches: who wants to hear of which path. Five kinds a path, as servers keep them (client specification 6.8):
 * standard ones are forgotten when they fire, persistent ones stay. A watcher is a function and its argument, which
 * this file only compares and counts; the same one under several kinds hears of a change once. */
#ifndef ZOKOR_CLIENT_WATCHES_H
#define ZOKOR_CLIENT_WATCHES_H

#include "base/assert.h"
#include "base/buf.h"
#include "base/slice.h"

enum client_watch_kind {
    CLIENT_WATCH_DATA,
    CLIENT_WATCH_EXIST,
    CLIENT_WATCH_CHILD,
    CLIENT_WATCH_PERSISTENT,
    CLIENT_WATCH_RECURSIVE,
    CLIENT_WATCH_KINDS
};
#define CLIENT_WATCH_BIT(kind) (1u << (kind))
#define CLIENT_WATCH_ANY (CLIENT_WATCH_BIT(CLIENT_WATCH_KINDS) - 1)

struct client_watcher {
    void (*fn)(void); /* NULL: nobody */
    void *ctx;
    size_t prompt; /* the caller's word on how it may be called; not compared */
};

/* A list of different watchers; freed with mem_free. */
struct client_watchers {
    size_t n;
    struct client_watcher p[];
};

struct client_watch_node;

struct client_watches {
    struct client_watch_node **buckets;
    size_t bucket_count; /* a power of two; 0 before the first */
    size_t node_count;
    size_t counts[CLIENT_WATCH_KINDS]; /* paths that have watchers of the kind */
    uint64_t key;
};

void client_watches_init(struct client_watches *w, uint64_t key);
void client_watches_fini(struct client_watches *w);

/* Adds a watcher; the same one twice is one. The path is copied. */
void client_watches_add(struct client_watches *w, enum client_watch_kind kind, struct slice path,
                        struct client_watcher watcher);

/* The watchers that an event of a type (enum wire_event_type) on a path is for; standard ones leave the tables. NULL if
 * there is none. The caller frees the list. */
struct client_watchers *client_watches_fire(struct client_watches *w, int32_t type, struct slice path) WARN_UNUSED;

/* Every watcher once, `first` ahead if it has a function: they all hear of the session. The caller frees the list. */
struct client_watchers *client_watches_all(const struct client_watches *w, struct client_watcher first) WARN_UNUSED;

/* True if the path has a watcher of one of the kinds (bits): this one, or any if `watcher` is NULL. */
bool client_watches_have(const struct client_watches *w, struct slice path, unsigned kinds,
                         const struct client_watcher *watcher);

/* Forgets this watcher (NULL: all) of the path under these kinds. The kinds that lost their last watcher. */
unsigned client_watches_remove(struct client_watches *w, struct slice path, unsigned kinds,
                               const struct client_watcher *watcher);

/* True if other watchers than this one (NULL: none) are kept for the path under these kinds. */
bool client_watches_others(const struct client_watches *w, struct slice path, unsigned kinds,
                           const struct client_watcher *watcher);

/* Appends the frames that tell a server all watches (setWatches, or setWatches2 where persistent ones are in it); each
 * holds about batch_bytes of paths, so that none comes near a server's limit. Returns the number of frames. */
size_t client_watches_rearm(const struct client_watches *w, struct buf *out, int64_t last_zxid, size_t batch_bytes);

#endif
