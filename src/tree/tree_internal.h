/* What the files of this room share. See tree.h for what it does; here is how.
 *
 * A znode is a 72-byte record of a slab plus one block of the pool that holds its name and data.
 * Whatever most nodes do not need (children, counters of children, an owner) is in an extra block.
 * Children hang in their parent's own hash table; a path is found component by component. */
#ifndef ZOKOR_TREE_INTERNAL_H
#define ZOKOR_TREE_INTERNAL_H

#include "tree/buckets.h"
#include "tree/pool.h"
#include "tree/slab.h"
#include "tree/tree.h"
#include "tree/watch.h"

/* ---- nodes ---- */

enum node_flag {
    NODE_USED = 1,           /* the record holds a node */
    NODE_DATA_NULL = 2,      /* data is null, not empty */
    NODE_HIDDEN = 4,         /* below /zookeeper/: no part of the tree digest */
    NODE_WATCHED = 8,        /* the watch table has an entry for this node */
    NODE_WATCHED_BELOW = 16, /* maybe some of them are recursive */
};

#define NODE_NAME_LONG 0xffffffu /* the length is in the extra block */

struct node_extra {
    struct buckets children;
    int64_t pzxid;
    int64_t owner; /* ephemeralOwner as stored */
    int32_t cversion, aversion;
    uint32_t digest;              /* of the node as it is now; kept because parents change often */
    node_id link_prev, link_next; /* in the list of its session, or of containers and TTL nodes */
    uint32_t name_bytes;
};

struct node {
    node_id parent;
    uint32_t acl;             /* number of its ACL list */
    uint8_t *payload;         /* name, then data; NULL when both are empty */
    struct node_extra *extra; /* NULL: no children ever, pzxid == czxid, all of it 0 */
    int64_t czxid, mzxid, ctime, mtime;
    int32_t version;
    uint32_t data_bytes;
    uint32_t crc_prefix; /* CRC-32 of path and data */
    uint32_t name_bytes : 24;
    uint32_t flags : 8; /* enum node_flag */
};
_Static_assert(sizeof(struct node) == 72, "a million nodes are meant to take 72 MB of records");

struct node_list {
    node_id head, tail;
    uint32_t count;
};

enum owner_kind { OWNER_NONE, OWNER_SESSION, OWNER_CONTAINER, OWNER_TTL };

/* ---- ACL lists ---- */

#define ACL_OPEN                                                                                  \
    1u /* world:anyone, all permissions; -1 in snapshots; only for the nodes a server starts with \
        */

struct acl_list {
    int32_t count;
    uint32_t refs; /* nodes with this list; the record is free when there are none */
    uint8_t *raw;  /* encoded entries; NULL when empty */
    uint32_t raw_bytes;
};

/* ---- sessions ---- */

struct session {
    int64_t id;
    int32_t timeout_ms;
    struct node_list ephemerals;
    bool used;
    bool in_table; /* false: it only owns nodes (a fuzzy snapshot, before its createSession is
                      replayed) */
};

/* ---- watches (watch.c) ---- */

struct watch_table {
    struct slab entries, things, watchers;
    struct buckets by_pair, by_thing, by_number;
    uint32_t serial;    /* of the last trigger, to tell each watcher once */
    int64_t watches;    /* modes in all */
    uint32_t missing;   /* things that are paths without a node */
    uint32_t recursive; /* entries with WATCH_RECURSIVE */
};

struct loading;

/* The parent of the path that was found last. Nodes keep their paths, so it is right until that node goes. */
struct last_parent {
    node_id id; /* NODE_NONE: none */
    uint32_t n;
    uint8_t path[120];
};

struct tree {
    struct tree_options options;
    struct slab nodes;
    struct pool pool;
    int64_t node_count, ephemeral_count, data_size, last_zxid;
    uint64_t digest;
    uint64_t removals;
    node_id zookeeper, quota; /* /zookeeper, /zookeeper/quota, or NODE_NONE */
    struct slab acls;
    struct buckets acls_by_content;
    struct slab sessions;
    struct buckets sessions_by_id;
    size_t session_count;     /* in the table */
    struct node_list special; /* containers and TTL nodes */
    node_id expire_next;      /* where tree_put_expired goes on; NODE_NONE: at the head */
    struct watch_table watch;
    struct tree_walk *walks;         /* that run now; NULL: none */
    struct last_parent *last_parent; /* written by who only looks; a tree is one thread's */
    struct loading *loading;         /* between tree_new_for_load and tree_load_finish */
};

static inline struct node *node_at(const struct tree *t, node_id id)
{
    return (struct node *)(void *)t->nodes.chunks[id >> SLAB_SHIFT] + (id & (SLAB_CHUNK_RECORDS - 1));
}

/* ---- node.c ---- */

static inline size_t node_name_bytes(const struct node *n)
{
    return LIKELY(n->name_bytes != NODE_NAME_LONG) ? n->name_bytes : n->extra->name_bytes;
}

static inline struct slice node_name(const struct node *n)
{
    return slice_of(n->payload, node_name_bytes(n));
}

uint32_t node_hash(const struct tree *t, struct slice name);
/* As tree_find, of what path_parent gives: "" is the root, "/" nothing. Who asks for one node of a directory asks for
 * others of it: the last one found is remembered. */
node_id node_find_parent(const struct tree *t, struct slice path);
/* As tree_child, with the hash of the name. */
node_id node_child(const struct tree *t, node_id parent, struct slice name, uint32_t hash);
struct node_extra *node_extra_need(struct tree *t, node_id id);
/* The bytes of the full path; 0 for the root. */
size_t node_path_bytes(const struct tree *t, node_id id);
/* Writes the full path to `to`, which has room for exactly `bytes`. */
void node_path_store(const struct tree *t, node_id id, uint8_t *to, size_t bytes);
/* Adds a node. Takes over one reference of the ACL list. `parent` is NODE_NONE for the root only.
 */
node_id node_insert(struct tree *t, node_id parent, struct slice name, uint32_t hash, struct slice path,
                    struct slice data, uint32_t acl, const struct wire_stat_persisted *stat, const uint32_t *prefix);
/* Removes a node that has no children and is not the root. */
void node_remove(struct tree *t, node_id id, size_t path_bytes);
/* Replaces the data and the CRC; the caller keeps the tree digest. */
void node_data_set(struct tree *t, node_id id, struct slice path, struct slice data, const uint32_t *prefix);
/* The next node of the subtree below `top` in pre-order; NODE_NONE at the end. */
node_id node_next_below(const struct tree *t, node_id top, node_id n);

static inline int64_t node_pzxid(const struct node *n)
{
    return n->extra != NULL ? n->extra->pzxid : n->czxid;
}

static inline int32_t node_cversion(const struct node *n)
{
    return n->extra != NULL ? n->extra->cversion : 0;
}

static inline int64_t node_owner(const struct node *n)
{
    return n->extra != NULL ? n->extra->owner : 0;
}

static inline uint32_t node_children(const struct node *n)
{
    return n->extra != NULL ? n->extra->children.entries : 0;
}

/* ---- digest.c ---- */

/* Around every change of a node's stat or data that is part of the digest. They also save the node
 * for a walk. */
void node_change_begin(struct tree *t, node_id id);
void node_change_end(struct tree *t, node_id id);
/* The node's part in the sum (0 for hidden ones or without digests), from scratch. */
uint32_t node_digest_compute(const struct tree *t, node_id id);
/* The same from the extra block if there is one. */
uint32_t node_digest(const struct tree *t, node_id id);

/* ---- acl.c ---- */

void acl_init(struct tree *t);
void acl_fini(struct tree *t);
/* The number of a list, with one more reference. Null gives ACL_OPEN. */
uint32_t acl_intern(struct tree *t, struct wire_vec acl);
void acl_ref(struct tree *t, uint32_t acl);
void acl_unref(struct tree *t, uint32_t acl);
struct wire_vec acl_vec(const struct tree *t, uint32_t acl);
static inline struct acl_list *acl_at(const struct tree *t, uint32_t acl)
{
    return slab_at(&t->acls, acl);
}
/* The number of a list in a snapshot. */
static inline int64_t acl_snapshot_id(uint32_t acl)
{
    return acl == ACL_OPEN ? -1 : (int64_t)acl;
}

/* ---- session.c ---- */

enum owner_kind owner_kind(const struct tree_options *options, int64_t owner);
static inline struct session *session_at(const struct tree *t, uint32_t s)
{
    return slab_at(&t->sessions, s);
}
uint32_t session_find(const struct tree *t, int64_t id);
void session_put(struct tree *t, int64_t id, int32_t timeout_ms);
/* Takes the session out of the table; what it owns stays. */
void session_drop(struct tree *t, int64_t id);
/* Links and unlinks a node in the list its owner asks for. */
void owner_link(struct tree *t, node_id id);
void owner_unlink(struct tree *t, node_id id);

/* ---- quota.c ---- */

/* After a change at path: count is +1, 0 or -1, bytes the difference. */
void quota_changed(struct tree *t, struct slice path, int64_t count, int64_t bytes);
/* After a node was created: a new stats node gets its figures. */
void quota_created(struct tree *t, node_id id);
/* Recounts every quota. */
void quota_recount_all(struct tree *t);

/* ---- apply.c ---- */

/* What one tree_apply carries along. */
struct applying {
    struct tree *t;
    struct arena *arena; /* NULL: no events are wanted */
    struct tree_applied *out;
    const struct wire_txn_header *header;
    const struct tree_hint *hint; /* NULL: none, and inside a multi */
    uint32_t event_cap;
};

/* Deletes by the rules of disk specification 5.3. 0 or ERR_NO_NODE. */
int apply_delete_path(struct applying *a, struct slice path);

/* ---- watch.c ---- */

void watch_init(struct tree *t);
void watch_fini(struct tree *t);
/* One trigger of the data table (NodeCreated, NodeDataChanged), of the child table
 * (NodeChildrenChanged), or of both (NodeDeleted), for a node that exists. Appends an event if
 * somebody watches. */
void watch_fire(struct applying *a, int32_t type, node_id id, struct slice path);
/* Watches of a path move to the node that was just created there. */
void watch_node_created(struct tree *t, node_id id, struct slice path);
/* Watches of a node that is about to go move to its path. */
void watch_node_deleted(struct tree *t, node_id id, struct slice path);
void watch_check(const struct tree *t);

/* ---- walk.c: running walks must see things before they change ---- */

void walk_save_node(struct tree *t, node_id id);
void walk_save_acl(struct tree *t, uint32_t acl);
void walk_save_session(struct tree *t, uint32_t s);
/* New ones are no part of the image. */
void walk_skip_node(struct tree *t, node_id id);
void walk_skip_acl(struct tree *t, uint32_t acl);
void walk_skip_session(struct tree *t, uint32_t s);

/* ---- load.c ---- */

void loading_free(struct tree *t);
/* Makes /zookeeper and its children where they are missing. */
void builtin_nodes_add(struct tree *t);

/* ---- check.c ---- */

/* Bytes the tree has allocated for its state (not for a running walk). */
size_t tree_memory_bytes(const struct tree *t);

#endif
