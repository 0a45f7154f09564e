/* walk: going through a subtree. The children of a node are asked for side by side, so that a walk costs a round trip a
 * level of siblings rather than one a node. */
#ifndef ZOKOR_CLI_WALK_H
#define ZOKOR_CLI_WALK_H

#include "cli/call.h"

/* A node as it is entered. Valid during the call. */
struct walk_node {
    const char *path;
    size_t depth; /* 0: where the walk began */
    bool last;    /* of its siblings */
    int rc;       /* of listing it; then stat and children are empty */
    struct Stat stat;
    const struct String_vector *children; /* sorted */
    int data_rc, acl_rc;                  /* with_data, with_acl */
    const char *data;                     /* NULL: null */
    int data_len;
    const struct ACL_vector *acl;
};

enum { WALK_ON = 0, WALK_SKIP = 1, WALK_STOP = -1 }; /* what `entered` returns; skip: not into its children */

/* What a walk asks for and whom it tells. A node that is gone when its turn comes is passed over. Without `entered` any
 * other error ends the walk with a message; with it, it is the function's to judge node->rc. */
struct walk_plan {
    void *context;
    bool watch, with_data, with_acl;
    size_t depth_max; /* 0: no limit */
    /* Every path once, where zkCli.sh names it: all children of a node before what is below the first of them. */
    void (*listed)(struct cli *c, const char *path, void *context);
    /* Every node, parents before children, in the order of their paths' parts. */
    int (*entered)(struct cli *c, const struct walk_node *node, void *context);
};

/* CLI_DONE, or CLI_FAILED after an error (told), Ctrl-C (told) or WALK_STOP. */
int walk_tree(struct cli *c, const char *root, const struct walk_plan *plan);

#endif
