/* export: the format of exported subtrees, one JSON object a line: what it is, each node (parents before children), and
 * how many there were, by which a file that was cut off is known. Pure.
 *
 *   {"zokor-export":1,"root":"/app"}
 *   {"path":"/app","data":"text","acl":["world:anyone:cdrwa"]}
 *   {"path":"/app/b","base64":"AAEC","acl":["digest:bob:ikIa...=:cdrwa"]}
 *   {"path":"/app/e","data":null,"acl":["world:anyone:r"],"ephemeral":true}
 *   {"path":"/app/c","data":"","acl":["world:anyone:r"],"container":true}
 *   {"path":"/app/t","data":"","acl":["world:anyone:r"],"ttl_ms":60000}
 *   {"end":true,"nodes":5}
 *
 * A server does not say which nodes are containers or have a time to live: only `zokor snap export` writes these two.
 * "base64" stands for data that is no UTF-8. "aclHidden":true: the server did not show the digests in the list. */
#ifndef ZOKOR_CLI_EXPORT_H
#define ZOKOR_CLI_EXPORT_H

#include "base/buf.h"
#include <zookeeper/zookeeper.h>

struct export_record {
    enum export_kind { EXPORT_HEAD = 0, EXPORT_NODE, EXPORT_END } kind;
    char *path; /* the root, or the node's */
    char *data; /* NULL: null */
    int data_len;
    struct ACL_vector acl;
    bool ephemeral, acl_hidden, container;
    int64_t ttl_ms; /* 0: none */
    int64_t nodes;  /* of EXPORT_END */
};

/* Appends a line. */
void export_put_head(struct buf *out, const char *root);
void export_put_node(struct buf *out, const char *path, const char *data, int data_len, const struct ACL_vector *acl,
                     bool ephemeral);
void export_put_end(struct buf *out, int64_t nodes);

/* Reads a line. 0; -1: `error` says what is wrong with it. Free with export_record_free in both cases. */
int export_read(struct export_record *out, const char *line, struct buf *error);
void export_record_free(struct export_record *r);

/* The path of a node whose tree moves from one root to another; NULL if it is not below `root`. The caller frees it. */
char *export_move(const char *path, const char *root, const char *to);

#endif
