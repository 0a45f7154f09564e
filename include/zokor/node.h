/* zokor/node.h: nodes that are there again when they were deleted or their session was lost, as Apache Curator's
 * PersistentNode, PersistentTtlNode and GroupMember. Threads and errors: zokor/framework.h. */
#ifndef ZOKOR_NODE_PUBLIC_H
#define ZOKOR_NODE_PUBLIC_H

#include <zokor/framework.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Missing parents are made, as containers. A sequential node keeps the name that it got first. An ephemeral node that
 * another session left behind under our name is replaced when it was ours, and waited for otherwise. */
struct zokor_persistent_node;
/* mode: ZOO_EPHEMERAL and its neighbours. is_protected: as ZOKOR_PROTECTED. NULL: bad path. */
struct zokor_persistent_node *zokor_persistent_node_start(struct zokor_framework *f, const char *path, int mode,
                                                          int is_protected, const void *data, int data_len);
/* Until the node was there for the first time. ZOK or ZOPERATIONTIMEOUT; timeout_ms -1: for ever. Or why it cannot be
 * made: ZNOAUTH, ZNOCHILDRENFOREPHEMERALS, ZINVALIDACL. Not from a callback. */
int zokor_persistent_node_wait(struct zokor_persistent_node *n, int timeout_ms);
/* NULL: not yet there. To be freed with free. */
char *zokor_persistent_node_path(struct zokor_persistent_node *n);
/* Now, if the node is there, and whenever it is made again. */
void zokor_persistent_node_set_data(struct zokor_persistent_node *n, const void *data, int data_len);
/* Deletes the node, in the background if the connection is broken, and frees this. */
void zokor_persistent_node_close(struct zokor_persistent_node *n);

/* A container with a child `touch` that lives ttl_ms and is touched twice in that time, so that the server deletes both
 * soon after the program has died. The server must have nodes with times to live (extendedTypesEnabled). */
struct zokor_ttl_node;
struct zokor_ttl_node *zokor_ttl_node_start(struct zokor_framework *f, const char *path, int64_t ttl_ms,
                                            const void *data, int data_len);
int zokor_ttl_node_wait(struct zokor_ttl_node *n, int timeout_ms);
/* Stops touching: the server deletes the nodes in its time. */
void zokor_ttl_node_close(struct zokor_ttl_node *n);

/* A group: each member has an ephemeral node with its id below the path, with data, and knows the others. */
struct zokor_group;
struct zokor_member {
    char *id;
    char *data; /* ended by a zero byte that is not counted */
    int data_len;
};
struct zokor_group *zokor_group_join(struct zokor_framework *f, const char *path, const char *id, const void *data,
                                     int data_len);
/* Until we are in it and know the others. */
int zokor_group_wait(struct zokor_group *g, int timeout_ms);
void zokor_group_set_data(struct zokor_group *g, const void *data, int data_len);
/* Called after every change, on the framework's thread. One only; before zokor_group_wait. */
typedef void (*zokor_group_fn)(struct zokor_group *g, void *context);
void zokor_group_on_change(struct zokor_group *g, zokor_group_fn fn, void *context);
/* All present members, by id; we are always among them. To be freed with zokor_members_free. */
int zokor_group_members(struct zokor_group *g, struct zokor_member **members, int *count);
void zokor_members_free(struct zokor_member *members, int count);
void zokor_group_leave(struct zokor_group *g);

#ifdef __cplusplus
}
#endif

#endif
