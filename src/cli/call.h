/* call: requests that wait for their answer. They are asynchronous calls underneath, so that an event is printed before
 * the answer that shows its change, and Ctrl-C ends the waiting. */
#ifndef ZOKOR_CLI_CALL_H
#define ZOKOR_CLI_CALL_H

#include "cli/internal.h"

/* What a request brought. Only what it asked for is filled; free with reply_free, also after an error. */
struct reply {
    int rc;
    char *data; /* the data of a node, or a created path; ends with a zero byte; NULL for null */
    int data_len;
    int32_t number;
    struct Stat stat;
    struct String_vector names;
    struct ACL_vector acl;
    struct ClientInfo_vector ids;
};

/* All return reply->rc, which is ZSYSTEMERROR with cli_interrupted set after Ctrl-C. */
int call_get(struct cli *c, const char *path, bool watch, struct reply *reply);
int call_exists(struct cli *c, const char *path, bool watch, struct reply *reply);
/* The children sorted by their bytes. */
int call_children(struct cli *c, const char *path, bool watch, struct reply *reply);
/* The same for completion: gives up after 2 seconds, with ZOPERATIONTIMEOUT. */
int call_children_soon(struct cli *c, const char *path, struct reply *reply);
int call_create(struct cli *c, const char *path, const char *data, int data_len, const struct ACL_vector *acl, int mode,
                int64_t ttl_ms, struct reply *reply);
int call_set(struct cli *c, const char *path, const char *data, int data_len, int version, struct reply *reply);
int call_delete(struct cli *c, const char *path, int version);
int call_get_acl(struct cli *c, const char *path, struct reply *reply);
int call_set_acl(struct cli *c, const char *path, const struct ACL_vector *acl, int version);
/* auth may be NULL. Waits 5 seconds at most: without a connection the proof is given when there is one, and ZOK
 * returned. */
int call_auth(struct cli *c, const char *scheme, const char *auth);
int call_sync(struct cli *c, const char *path);
int call_config(struct cli *c, bool watch, struct reply *reply);
int call_reconfig(struct cli *c, const char *joining, const char *leaving, const char *members, int64_t version,
                  struct reply *reply);
int call_add_watch(struct cli *c, const char *path, enum zokor_watch_mode mode);
int call_remove_watches(struct cli *c, const char *path, enum zokor_watch_type type, bool local);
int call_who_am_i(struct cli *c, struct reply *reply);
int call_ephemerals(struct cli *c, const char *prefix, struct reply *reply);
int call_all_children_number(struct cli *c, const char *path, struct reply *reply);

void reply_free(struct reply *reply);

/* Copies for completions that keep what they are given. */
void copy_names(struct String_vector *to, const struct String_vector *from);
void copy_acl(struct ACL_vector *to, const struct ACL_vector *from);
void sort_names(struct String_vector *names);

/* A pause of the caller until the completion has been, 50 ms at most. Shared with walk.c and import. */
void call_wait(pthread_mutex_t *lock, pthread_cond_t *changed);

#endif
