/* tree: the replicated state (znodes, ACL lists, ephemerals, quotas, the table of global sessions, the digest) and
 * what it tells watchers. Pure and single-owner: the core's thread is the only one that calls it.
 *
 * Nodes are named by small numbers (ids), not pointers: an id is valid until the next tree_apply. Node 0 means none. */
#ifndef ZOKOR_TREE_TREE_H
#define ZOKOR_TREE_TREE_H

#include "base/arena.h"
#include "wire/txn.h"

struct tree;

struct tree_options {
    uint64_t hash_key;   /* seed of the name tables; from outside */
    bool extended_types; /* TTL nodes: the top byte 0xff of an owner marks them */
    bool ttl_353;        /* and so does the top bit alone, as 3.5.3 had it: emulate353TTLNodes */
    bool digest_enabled;
};

/* A tree as a server finds it at its first start: "/", /zookeeper, /zookeeper/config, /zookeeper/quota. */
struct tree *tree_new(const struct tree_options *options);
void tree_free(struct tree *t);

/* ---- looking ---- */

typedef uint32_t node_id;
#define NODE_NONE 0u
#define NODE_ROOT 1u

/* The node at a path; NODE_NONE if there is none. "" and "/" are the root. Anything else must be exact: no
 * normalisation, a path without a leading '/' or with an empty component finds nothing. */
node_id tree_find(const struct tree *t, struct slice path);
/* The child with this name; the parent must exist. */
node_id tree_child(const struct tree *t, node_id parent, struct slice name);
node_id tree_parent(const struct tree *t, node_id n);

/* The stored stat (raw cversion and owner; disk specification 3.1) and what clients see (cversion =
 * 2 * stored - children, owner 0 for containers and TTL nodes). */
struct wire_stat_persisted tree_stat_persisted(const struct tree *t, node_id n);
struct wire_stat tree_stat(const struct tree *t, node_id n);
/* The client's view of a stored stat. */
struct wire_stat tree_client_stat(const struct wire_stat_persisted *s, int32_t children, int32_t data_length,
                                  const struct tree_options *options);
/* What the owner field of a node in this tree says: a session, or a time to live. */
bool tree_owner_is_session(const struct tree *t, int64_t owner);
bool tree_owner_is_ttl(const struct tree *t, int64_t owner);
/* The data; null stays null. Valid until the next tree_apply. */
struct slice tree_data(const struct tree *t, node_id n);
/* The ACL list as encoded elements. Valid until the next tree_apply. */
struct wire_vec tree_acl(const struct tree *t, node_id n);
int32_t tree_child_count(const struct tree *t, node_id n);
/* Appends count and names of the children (a vector<ustring>). The order is fixed for one history of the tree but
 * means nothing; clients sort. b->err tells if the limit of b was hit. */
void tree_put_children(const struct tree *t, node_id n, struct buf *b);
/* All descendants below n, n not counted. For NODE_ROOT this is tree_node_count - 1. Any other node is walked. */
int32_t tree_descendant_count(const struct tree *t, node_id n);
/* Appends the full path ("" for the root). */
void tree_put_path(const struct tree *t, node_id n, struct buf *b);

/* Nodes with the root counted once. (Apache's `Node count` is this + 1: it counts "" and "/".) */
int64_t tree_node_count(const struct tree *t);
int64_t tree_ephemeral_count(const struct tree *t);
/* Sum of path and data lengths, as `zk_approximate_data_size` (44 for a fresh tree). */
int64_t tree_data_size(const struct tree *t);
/* zxid of the last transaction applied, or loaded. */
int64_t tree_last_zxid(const struct tree *t);

/* ---- digest (disk specification 4) ---- */

uint64_t tree_digest(const struct tree *t);
/* CRC-32 over path and data: the part of a node's digest that its stat does not touch. Kept in each node. */
uint32_t tree_digest_prefix(struct slice path, struct slice data);
uint32_t tree_node_digest_prefix(const struct tree *t, node_id n);
/* A node's digest from its prefix and stored stat. */
uint32_t tree_digest_finish(uint32_t prefix, const struct wire_stat_persisted *s);
/* False for what lies below /zookeeper/ and so contributes nothing; /zookeeper itself contributes. */
bool tree_digest_counts(struct slice path);

/* ---- sessions (global ones: part of the replicated state) ---- */

/* The negotiated timeout of a session, or 0 if there is none. */
int32_t tree_session_timeout_ms(const struct tree *t, int64_t session_id);
size_t tree_session_count(const struct tree *t);
/* Calls fn for each session, in ascending order of ids. fn must not change the tree. */
void tree_sessions(const struct tree *t, void (*fn)(void *ctx, int64_t session_id, int32_t timeout_ms), void *ctx);
/* Appends the ephemeral paths of a session that start with prefix (null: all) to b, each as a ustring, in order of
 * creation; returns how many. */
int32_t tree_put_ephemerals(const struct tree *t, int64_t session_id, struct slice prefix, struct buf *b);
/* A walk over all ephemeral nodes: all sessions, ascending; within one in order of creation. The tree may change
 * between two steps, and even be another one: what comes or goes meanwhile may be missing or shown. */
struct tree_ephemerals {
    int64_t *ids; /* of the sessions that had some when it began */
    size_t count; /* how many they are */
    size_t at;
    uint64_t given; /* of the session at hand; 1: the node just given is its first */
    node_id next, last;
    int64_t next_czxid, last_czxid;
};
/* O(sessions). End it, also when it has come to its end. */
void tree_ephemerals_begin(const struct tree *t, struct tree_ephemerals *w);
/* The next node and its session; false at the end. O(1), but where the nodes on both sides of the cut have gone. */
bool tree_ephemerals_next(const struct tree *t, struct tree_ephemerals *w, int64_t *session_id, node_id *n);
/* Safe on zeroed memory. */
void tree_ephemerals_end(struct tree_ephemerals *w);

/* Containers and TTL nodes that are due for removal (client specification 7.5): appends up to `max` paths as ustrings
 * to b and returns how many. never_used_ms: age by mtime at which an unused container goes, 0 = never. Looks at up to
 * all special nodes but never at ordinary ones; continues behind the last one seen when called again. */
size_t tree_put_expired(struct tree *t, int64_t wall_ms, int64_t never_used_ms, size_t max, struct buf *b);

/* ---- quota (client specification 4.12) ---- */

/* What a create (count 1) or setData (count 0) of `bytes` more bytes at path would break:
 * 0, or ERR_QUOTA_EXCEEDED when a hard limit would be passed. *soft is set when a soft limit would be passed (to be
 * logged). Limits that do not parse are no limits; a quota on "/" is ignored. */
int tree_quota_check(const struct tree *t, struct slice path, int64_t count, int64_t bytes, bool *soft);

/* What is allowed and used below a top node that has quotas, summed over all of them as Apache does it: a limit that is
 * not set counts -1. */
struct tree_quota_sums {
    int64_t count_limit, bytes_limit, count_used, bytes_used;
};
/* Calls fn for each such top node. Walks /zookeeper/quota. */
void tree_quotas(const struct tree *t, void (*fn)(void *ctx, struct slice name, const struct tree_quota_sums *sums),
                 void *ctx);

/* ---- changing ---- */

/* What one operation did: one for a plain transaction, one a sub-operation for a multi. */
struct tree_result {
    int32_t type;          /* the txn's type; WIRE_OP_ERROR for a failed one */
    int32_t err;           /* 0, or the error of an error txn; or what replay tolerated (NO_NODE, NODE_EXISTS) */
    struct slice path;     /* as in the txn */
    struct wire_stat stat; /* create*, setData, setACL: the client's view right after this operation */
};

/* One event and who gets it. */
struct tree_event {
    int32_t type; /* enum wire_event_type */
    struct slice path;
    struct wire_vec acl;      /* of the node as it was in the transaction: who lacks READ is not told */
    const uint32_t *watchers; /* watcher numbers as given to watch_add, each once */
    uint32_t watcher_count;
};

/* Everything lives in the arena given to tree_apply. */
struct tree_applied {
    struct tree_result *results;
    uint32_t result_count;
    struct tree_event *events; /* in the order in which they must be sent; events nobody watches are left out */
    uint32_t event_count;
};

/* Applies a committed transaction (disk specification 5). It cannot fail: on replay over a fuzzy snapshot what is
 * already there or gone is tolerated by the rules of 3.4, and results tell. The strings of txn may die afterwards. */
void tree_apply(struct tree *t, const struct txn *txn, struct arena *arena, struct tree_applied *out);

/* What judging a request found out and applying its transaction would find out again. It is believed only while no node
 * has gone in between: a node's id may then be another node's. Zeroed: nothing is known. */
struct tree_hint {
    node_id node;    /* setData: the node; create: its parent */
    bool has_prefix; /* digest_prefix is that of the node with its new data */
    uint32_t digest_prefix;
    uint64_t removals; /* tree_removals when node was found */
};
/* Counts nodes that have gone. */
uint64_t tree_removals(const struct tree *t);
/* As tree_apply; hint may be NULL. */
void tree_apply_hinted(struct tree *t, const struct txn *txn, const struct tree_hint *hint, struct arena *arena,
                       struct tree_applied *out);

/* Says that these paths, at most TREE_EXPECT_MAX, will be looked up soon: what they will be found by is brought from
 * memory, for all at the same time. Changes nothing that can be seen. */
#define TREE_EXPECT_MAX 16u
void tree_expect(const struct tree *t, const struct slice *paths, size_t count);
void tree_expect_nodes(const struct tree *t, const node_id *nodes, size_t count);

/* Sets what /zookeeper/config holds: the members of an ensemble, which every server writes by itself and not by a
 * transaction (quorum specification 1.6): version -1, mzxid = the configuration's version. */
void tree_put_config(struct tree *t, struct slice text, int64_t version, int64_t wall_ms);

/* ---- point-in-time image ---- */

struct tree_walk;

/* Freezes an image of the tree as it is now. Several may go on at once, each at its own pace. An image costs memory
 * only for what changes ahead of its walk. */
struct tree_walk *tree_walk_begin(struct tree *t);
/* The image's last zxid and digest. */
int64_t tree_walk_zxid(const struct tree_walk *w);
uint64_t tree_walk_digest(const struct tree_walk *w);
/* What it keeps of things that have changed ahead of it. */
size_t tree_walk_saved_bytes(const struct tree_walk *w);
/* Appends the next bytes of a snapshot body (disk specification 3.1 from the session count to the "/" that ends the
 * nodes; parents before children, no file header, no seals) and returns true while there is more. One call appends
 * about `bytes` bytes (a single huge node may exceed it) and looks at no more than a few thousand slots. */
bool tree_walk_next(struct tree_walk *w, size_t bytes, struct buf *out);
/* Ends the walk, finished or not. */
void tree_walk_end(struct tree_walk *w);

/* ---- loading (used by store when it reads a snapshot) ---- */

/* An empty tree without any node, to be filled from a snapshot. */
struct tree *tree_new_for_load(const struct tree_options *options);
void tree_load_session(struct tree *t, int64_t session_id, int32_t timeout_ms);
/* An entry of the snapshot's ACL table. ERR_CORRUPT if the id is given twice. */
int tree_load_acl(struct tree *t, int64_t acl_id, struct wire_vec acl);
/* A node, after its parent. The first must be the root (path ""). ERR_CORRUPT when the parent is missing or the node
 * is there already. An ACL id that the table lacks is tolerated (3.4 rule 9). */
int tree_load_node(struct tree *t, struct slice path, struct slice data, int64_t acl_id,
                   const struct wire_stat_persisted *stat);
/* After the last node: drops unused ACL lists, finds quotas and recounts them (5.10), sets the last zxid.
 * ERR_CORRUPT when the root is missing. Creates /zookeeper and its children if an old snapshot lacks them. */
int tree_load_finish(struct tree *t, int64_t last_zxid);
/* After replay: removes the ephemerals of sessions that are not in the session table, as a closeSession would with the
 * last zxid, without a log record (3.5). Returns how many. */
size_t tree_remove_dead_ephemerals(struct tree *t);

/* Walks every invariant (counts, links, digest recomputed from scratch, ACL reference counts); asserts on a breach.
 * O(nodes): for tests and the simulator. */
void tree_check(const struct tree *t);

#endif
