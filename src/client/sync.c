/* The calls of zookeeper.h that wait. */
#include "client/shell.h"
#include "wire/proto.h"

static int create(zhandle_t *zh, const struct create_args *a, char *path_buffer, int path_buffer_len, struct Stat *stat)
{
    struct sync_wait w = { .text = path_buffer, .text_n = path_buffer_len, .stat = stat };
    const struct client_call call = wait_call(&w, a->with_stat ? SHAPE_STRING_STAT : SHAPE_STRING);
    return wait_for(zh, &w, request_create(zh, a, &call));
}

int zoo_create(zhandle_t *zh, const char *path, const char *value, int valuelen, const struct ACL_vector *acl, int mode,
               char *path_buffer, int path_buffer_len)
{
    const struct create_args a = { path, value, valuelen, acl, mode, -1, false };
    return create(zh, &a, path_buffer, path_buffer_len, NULL);
}

int zoo_create_ttl(zhandle_t *zh, const char *path, const char *value, int valuelen, const struct ACL_vector *acl,
                   int mode, int64_t ttl, char *path_buffer, int path_buffer_len)
{
    const struct create_args a = { path, value, valuelen, acl, mode, ttl, false };
    return create(zh, &a, path_buffer, path_buffer_len, NULL);
}

int zoo_create2(zhandle_t *zh, const char *path, const char *value, int valuelen, const struct ACL_vector *acl,
                int mode, char *path_buffer, int path_buffer_len, struct Stat *stat)
{
    const struct create_args a = { path, value, valuelen, acl, mode, -1, true };
    return create(zh, &a, path_buffer, path_buffer_len, stat);
}

int zoo_create2_ttl(zhandle_t *zh, const char *path, const char *value, int valuelen, const struct ACL_vector *acl,
                    int mode, int64_t ttl, char *path_buffer, int path_buffer_len, struct Stat *stat)
{
    const struct create_args a = { path, value, valuelen, acl, mode, ttl, true };
    return create(zh, &a, path_buffer, path_buffer_len, stat);
}

int zoo_delete(zhandle_t *zh, const char *path, int version)
{
    struct sync_wait w = { 0 };
    const struct client_call call = wait_call(&w, SHAPE_VOID);
    return wait_for(zh, &w, request_path_version(zh, WIRE_OP_DELETE, path, version, &call));
}

int zoo_wexists(zhandle_t *zh, const char *path, watcher_fn watcher, void *watcherCtx, struct Stat *stat)
{
    struct sync_wait w = { .stat = stat };
    const struct client_call call = wait_call(&w, SHAPE_STAT);
    return wait_for(zh, &w, request_read(zh, WIRE_OP_EXISTS, path, watcher, watcherCtx, &call));
}

int zoo_exists(zhandle_t *zh, const char *path, int watch, struct Stat *stat)
{
    void *context;
    watcher_fn watcher = default_watcher(zh, watch, &context);
    return zoo_wexists(zh, path, watcher, context, stat);
}

int zoo_wget(zhandle_t *zh, const char *path, watcher_fn watcher, void *watcherCtx, char *buffer, int *buffer_len,
             struct Stat *stat)
{
    struct sync_wait w = { .data = buffer, .data_n = buffer_len, .stat = stat };
    const struct client_call call = wait_call(&w, SHAPE_DATA);
    return wait_for(zh, &w, request_read(zh, WIRE_OP_GET_DATA, path, watcher, watcherCtx, &call));
}

int zoo_get(zhandle_t *zh, const char *path, int watch, char *buffer, int *buffer_len, struct Stat *stat)
{
    void *context;
    watcher_fn watcher = default_watcher(zh, watch, &context);
    return zoo_wget(zh, path, watcher, context, buffer, buffer_len, stat);
}

int zoo_wget_children(zhandle_t *zh, const char *path, watcher_fn watcher, void *watcherCtx,
                      struct String_vector *strings)
{
    struct sync_wait w = { .strings = strings };
    const struct client_call call = wait_call(&w, SHAPE_STRINGS);
    return wait_for(zh, &w, request_read(zh, WIRE_OP_GET_CHILDREN, path, watcher, watcherCtx, &call));
}

int zoo_get_children(zhandle_t *zh, const char *path, int watch, struct String_vector *strings)
{
    void *context;
    watcher_fn watcher = default_watcher(zh, watch, &context);
    return zoo_wget_children(zh, path, watcher, context, strings);
}

int zoo_wget_children2(zhandle_t *zh, const char *path, watcher_fn watcher, void *watcherCtx,
                       struct String_vector *strings, struct Stat *stat)
{
    struct sync_wait w = { .strings = strings, .stat = stat };
    const struct client_call call = wait_call(&w, SHAPE_STRINGS_STAT);
    return wait_for(zh, &w, request_read(zh, WIRE_OP_GET_CHILDREN2, path, watcher, watcherCtx, &call));
}

int zoo_get_children2(zhandle_t *zh, const char *path, int watch, struct String_vector *strings, struct Stat *stat)
{
    void *context;
    watcher_fn watcher = default_watcher(zh, watch, &context);
    return zoo_wget_children2(zh, path, watcher, context, strings, stat);
}

int zoo_wgetconfig(zhandle_t *zh, watcher_fn watcher, void *watcherCtx, char *buffer, int *buffer_len,
                   struct Stat *stat)
{
    struct sync_wait w = { .data = buffer, .data_n = buffer_len, .stat = stat };
    const struct client_call call = wait_call(&w, SHAPE_DATA);
    return wait_for(zh, &w, request_config(zh, watcher, watcherCtx, &call));
}

int zoo_getconfig(zhandle_t *zh, int watch, char *buffer, int *buffer_len, struct Stat *stat)
{
    void *context;
    watcher_fn watcher = default_watcher(zh, watch, &context);
    return zoo_wgetconfig(zh, watcher, context, buffer, buffer_len, stat);
}

int zoo_reconfig(zhandle_t *zh, const char *joining, const char *leaving, const char *members, int64_t version,
                 char *buffer, int *buffer_len, struct Stat *stat)
{
    struct sync_wait w = { .data = buffer, .data_n = buffer_len, .stat = stat };
    const struct client_call call = wait_call(&w, SHAPE_DATA);
    return wait_for(zh, &w, request_reconfig(zh, joining, leaving, members, version, &call));
}

int zoo_set2(zhandle_t *zh, const char *path, const char *buffer, int buflen, int version, struct Stat *stat)
{
    struct sync_wait w = { .stat = stat };
    const struct client_call call = wait_call(&w, SHAPE_STAT);
    return wait_for(zh, &w, request_set(zh, path, buffer, buflen, version, &call));
}

int zoo_set(zhandle_t *zh, const char *path, const char *buffer, int buflen, int version)
{
    return zoo_set2(zh, path, buffer, buflen, version, NULL);
}

int zoo_get_acl(zhandle_t *zh, const char *path, struct ACL_vector *acl, struct Stat *stat)
{
    struct sync_wait w = { .acl = acl, .stat = stat };
    const struct client_call call = wait_call(&w, SHAPE_ACL);
    return wait_for(zh, &w, path == NULL ? ZBADARGUMENTS : request_plain(zh, WIRE_OP_GET_ACL, path, &call));
}

int zoo_set_acl(zhandle_t *zh, const char *path, int version, const struct ACL_vector *acl)
{
    struct sync_wait w = { 0 };
    const struct client_call call = wait_call(&w, SHAPE_VOID);
    return wait_for(zh, &w, request_set_acl(zh, path, version, acl, &call));
}

static int unwatch(zhandle_t *zh, const char *path, int type, watcher_fn watcher, void *context, enum unwatch how)
{
    struct sync_wait w = { 0 };
    const struct client_call call = wait_call(&w, SHAPE_VOID);
    return wait_for(zh, &w, request_unwatch(zh, path, type, watcher, context, how, &call));
}

int zoo_remove_watches(zhandle_t *zh, const char *path, ZooWatcherType wtype, watcher_fn watcher, void *watcherCtx,
                       int local)
{
    if (wtype < ZWATCHTYPE_CHILD || wtype > ZWATCHTYPE_ANY)
        return ZBADARGUMENTS;
    return unwatch(zh, path, (int)wtype, watcher, watcherCtx, local != 0 ? UNWATCH_LOCAL : UNWATCH);
}

int zoo_remove_all_watches(zhandle_t *zh, const char *path, ZooWatcherType wtype, int local)
{
    if (wtype < ZWATCHTYPE_CHILD || wtype > ZWATCHTYPE_ANY)
        return ZBADARGUMENTS;
    return unwatch(zh, path, (int)wtype, NULL, NULL, local != 0 ? UNWATCH_ALL_LOCAL : UNWATCH_ALL);
}

int zokor_remove_watches(zhandle_t *zh, const char *path, enum zokor_watch_type type, watcher_fn watcher,
                         void *watcherCtx, int local)
{
    return unwatch(zh, path, (int)type, watcher, watcherCtx, local != 0 ? UNWATCH_LOCAL : UNWATCH);
}
