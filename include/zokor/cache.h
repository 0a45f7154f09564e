/* zokor/cache.h: a copy of a node, of its children, or of everything below it, that is kept up to date; as Curator's
 * CuratorCache, NodeCache, PathChildrenCache and TreeCache. They stand on one persistent watch, which Apache's servers
 * have from 3.6 on; where the server has none, or one_shot says so, every node has watches of its own.
 *
 * A cache is eventually what the servers hold: nodes are read again after their events, and everything is listed again
 * after every connection; what differs then is told as if it had just happened. Of several changes in a row only
 * the last may be seen. A node's stat is that of its last change of data: its list of children may be newer.
 *
 * Threads: as zokor/framework.h. Listeners are called by the framework's thread, in order, with no lock held; they may
 * call everything here. Errors are those of zookeeper.h. */
#ifndef ZOKOR_CACHE_PUBLIC_H
#define ZOKOR_CACHE_PUBLIC_H

#include <zokor/framework.h>

#ifdef __cplusplus
extern "C" {
#endif

struct zokor_cache;

enum zokor_cache_kind {
    ZOKOR_CACHE_TREE = 0, /* the node and all below it */
    ZOKOR_CACHE_NODE,     /* the node alone */
    ZOKOR_CACHE_CHILDREN  /* its children, not itself and not theirs */
};

/* All zeros is fine. */
struct zokor_cache_options {
    enum zokor_cache_kind kind;
    int depth_max;  /* of a TREE: levels below the node; 0: no limit */
    int compressed; /* data is decompressed; what is no gzip has null data */
    int one_shot;   /* no persistent watch: for every node a request, and a watch that is set again after each event */
    /* Of a TREE, may be NULL: non-zero if the node (its children) shall be in the cache. Called by the framework's
     * thread. */
    int (*accept)(const char *path, void *context);
    int (*descend)(const char *path, void *context);
    void *context;
};

struct zokor_cache_node {
    const char *path; /* in the framework's namespace */
    const char *data; /* ended by a zero byte that is not counted */
    int data_len;     /* -1: null */
    struct Stat stat;
};

enum zokor_cache_event_type {
    ZOKOR_CACHE_CREATED = 1,
    ZOKOR_CACHE_CHANGED,
    ZOKOR_CACHE_DELETED,
    ZOKOR_CACHE_INITIALIZED /* once: everything that was there has been told */
};
struct zokor_cache_event {
    enum zokor_cache_event_type type;
    const struct zokor_cache_node *old; /* CHANGED, DELETED; else NULL */
    const struct zokor_cache_node *now; /* CREATED, CHANGED; else NULL */
};
typedef void (*zokor_cache_fn)(struct zokor_cache *c, const struct zokor_cache_event *event, void *context);

/* Nothing happens before zokor_cache_start, so that listeners can be added. NULL: bad path. options may be NULL. */
struct zokor_cache *zokor_cache_new(struct zokor_framework *f, const char *path,
                                    const struct zokor_cache_options *options);
void zokor_cache_listen(struct zokor_cache *c, zokor_cache_fn fn, void *context);
/* When it returns, the listener is not called any more (unless it is the caller). */
void zokor_cache_unlisten(struct zokor_cache *c, zokor_cache_fn fn, void *context);
/* ZOK, or ZINVALIDSTATE: it was started before. */
int zokor_cache_start(struct zokor_cache *c);
/* Waits until everything has been read once. ZOK, ZOPERATIONTIMEOUT (timeout_ms -1: never) or ZUNIMPLEMENTED: the
 * server does not let us watch this. Not from a callback. */
int zokor_cache_wait(struct zokor_cache *c, int timeout_ms);
/* Stops and frees. Listeners are not called any more. May be called by one of its listeners. */
void zokor_cache_close(struct zokor_cache *c);

/* What is in the cache now. ZOK or ZNONODE. *data is to be freed with free, NULL for null data; data, data_len and stat
 * may be NULL. */
int zokor_cache_get(struct zokor_cache *c, const char *path, char **data, int *data_len, struct Stat *stat);
/* The names of a node's children, sorted; to be freed with deallocate_String_vector. ZOK or ZNONODE. */
int zokor_cache_children(struct zokor_cache *c, const char *path, struct String_vector *names);
size_t zokor_cache_size(struct zokor_cache *c);

#ifdef __cplusplus
}
#endif

#endif
