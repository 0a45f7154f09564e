/* watch: who wants to hear of what (client specification 6). A watcher is a small number the core gives to a
 * connection. One watcher holds any combination of modes on a path; each combination costs one entry. Watches on
 * existing nodes hang on the node's id, watches on missing paths on the path's text; they move when a node is created
 * or deleted. tree_apply matches; this header is what requests need. */
#ifndef ZOKOR_TREE_WATCH_H
#define ZOKOR_TREE_WATCH_H

#include "tree/tree.h"

enum watch_mode {
    WATCH_DATA = 1,       /* one-shot: getData, exists */
    WATCH_CHILD = 2,      /* one-shot: getChildren */
    WATCH_PERSISTENT = 4, /* addWatch mode 0: data and child events, stays */
    WATCH_RECURSIVE = 8,  /* addWatch mode 1: data events of the path and everything below, stays */
};

/* Adds modes (bits) for a watcher on any path string; needs no node. Watcher numbers are below 2^24. */
void watch_add(struct tree *t, uint32_t watcher, struct slice path, unsigned modes);

/* The modes a watcher holds on a path. */
unsigned watch_modes(const struct tree *t, uint32_t watcher, struct slice path);

/* Takes modes away; returns those that were there. */
unsigned watch_remove(struct tree *t, uint32_t watcher, struct slice path, unsigned modes);

/* Forgets everything of a watcher. O(its watches). */
void watch_drop_watcher(struct tree *t, uint32_t watcher);

/* Watches in all (each mode of a watcher on a path is one), distinct paths, watchers with at least one. */
struct watch_counts {
    int64_t watches, paths, watchers;
};
struct watch_counts watch_counts(const struct tree *t);

/* Lists entries in slices, for the commands that show them: calls fn for up to `max` entries starting at *cursor
 * (0 to begin) and moves it on; false when the end is reached. Order is arbitrary but stable while nothing changes.
 * The path lives for the call only. */
bool watch_list(const struct tree *t, uint64_t *cursor, size_t max,
                void (*fn)(void *ctx, uint32_t watcher, struct slice path, unsigned modes), void *ctx);

/* What has at least one of these modes: entries (one a watcher and path), distinct paths, watchers. O(entries). */
struct watch_counts watch_counts_of(const struct tree *t, unsigned modes);

/* The entries of one watcher or one path, for the commands that show them in pieces: gathered at once, 4 bytes an
 * entry, and looked up when they are shown. The tree may change meanwhile, and even be another one: what comes or goes
 * may be missing or shown. Zeroed memory is an empty one. */
struct watch_cursor {
    uint32_t *entries;
    size_t count, cap, at;
    bool by_path;
    uint32_t watcher, thing; /* whose they are */
    node_id node;
    const void *path;
    struct buf text;
};

struct watch_seen {
    uint32_t watcher;
    struct slice path; /* lives until the next call with the cursor */
    unsigned modes;
};

/* What this watcher has with at least one of these modes. O(its entries). */
void watch_cursor_of(const struct tree *t, struct watch_cursor *c, uint32_t watcher, unsigned modes);
/* The same of the next path at or behind *position (0 to begin), which moves on; false when the end is reached. Looks
 * at a bounded number of records, so that the cursor may be empty. */
bool watch_cursor_of_path(const struct tree *t, struct watch_cursor *c, uint64_t *position, unsigned modes);
/* The next one that is still there; false if there is none. O(1). */
bool watch_cursor_next(const struct tree *t, struct watch_cursor *c, unsigned modes, struct watch_seen *out);
/* Forgets what was gathered and keeps the memory. */
void watch_cursor_empty(struct watch_cursor *c);
/* Gives the memory back and leaves an empty one. */
void watch_cursor_fini(struct watch_cursor *c);

#endif
