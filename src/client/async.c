/* The asynchronous calls of zookeeper.h. */
#include "client/shell.h"
#include "wire/proto.h"
#include <string.h>

#define FN(completion) ((void (*)(void))(completion))

int zoo_acreate_ttl(zhandle_t *zh, const char *path, const char *value, int valuelen, const struct ACL_vector *acl,
                    int mode, int64_t ttl, string_completion_t completion, const void *data)
{
    const struct create_args a = { path, value, valuelen, acl, mode, ttl, false };
    const struct client_call call = call_of(FN(completion), data, SHAPE_STRING);
    return request_create(zh, &a, &call);
}

int zoo_acreate(zhandle_t *zh, const char *path, const char *value, int valuelen, const struct ACL_vector *acl,
                int mode, string_completion_t completion, const void *data)
{
    return zoo_acreate_ttl(zh, path, value, valuelen, acl, mode, -1, completion, data);
}

int zoo_acreate2_ttl(zhandle_t *zh, const char *path, const char *value, int valuelen, const struct ACL_vector *acl,
                     int mode, int64_t ttl, string_stat_completion_t completion, const void *data)
{
    const struct create_args a = { path, value, valuelen, acl, mode, ttl, true };
    const struct client_call call = call_of(FN(completion), data, SHAPE_STRING_STAT);
    return request_create(zh, &a, &call);
}

int zoo_acreate2(zhandle_t *zh, const char *path, const char *value, int valuelen, const struct ACL_vector *acl,
                 int mode, string_stat_completion_t completion, const void *data)
{
    return zoo_acreate2_ttl(zh, path, value, valuelen, acl, mode, -1, completion, data);
}

int zoo_adelete(zhandle_t *zh, const char *path, int version, void_completion_t completion, const void *data)
{
    const struct client_call call = call_of(FN(completion), data, SHAPE_VOID);
    return request_path_version(zh, WIRE_OP_DELETE, path, version, &call);
}

int zoo_awexists(zhandle_t *zh, const char *path, watcher_fn watcher, void *watcherCtx, stat_completion_t completion,
                 const void *data)
{
    const struct client_call call = call_of(FN(completion), data, SHAPE_STAT);
    return request_read(zh, WIRE_OP_EXISTS, path, watcher, watcherCtx, &call);
}

int zoo_aexists(zhandle_t *zh, const char *path, int watch, stat_completion_t completion, const void *data)
{
    void *context;
    watcher_fn watcher = default_watcher(zh, watch, &context);
    return zoo_awexists(zh, path, watcher, context, completion, data);
}

int zoo_awget(zhandle_t *zh, const char *path, watcher_fn watcher, void *watcherCtx, data_completion_t completion,
              const void *data)
{
    const struct client_call call = call_of(FN(completion), data, SHAPE_DATA);
    return request_read(zh, WIRE_OP_GET_DATA, path, watcher, watcherCtx, &call);
}

int zoo_aget(zhandle_t *zh, const char *path, int watch, data_completion_t completion, const void *data)
{
    void *context;
    watcher_fn watcher = default_watcher(zh, watch, &context);
    return zoo_awget(zh, path, watcher, context, completion, data);
}

int zoo_awget_children(zhandle_t *zh, const char *path, watcher_fn watcher, void *watcherCtx,
                       strings_completion_t completion, const void *data)
{
    const struct client_call call = call_of(FN(completion), data, SHAPE_STRINGS);
    return request_read(zh, WIRE_OP_GET_CHILDREN, path, watcher, watcherCtx, &call);
}

int zoo_aget_children(zhandle_t *zh, const char *path, int watch, strings_completion_t completion, const void *data)
{
    void *context;
    watcher_fn watcher = default_watcher(zh, watch, &context);
    return zoo_awget_children(zh, path, watcher, context, completion, data);
}

int zoo_awget_children2(zhandle_t *zh, const char *path, watcher_fn watcher, void *watcherCtx,
                        strings_stat_completion_t completion, const void *data)
{
    const struct client_call call = call_of(FN(completion), data, SHAPE_STRINGS_STAT);
    return request_read(zh, WIRE_OP_GET_CHILDREN2, path, watcher, watcherCtx, &call);
}

int zoo_aget_children2(zhandle_t *zh, const char *path, int watch, strings_stat_completion_t completion,
                       const void *data)
{
    void *context;
    watcher_fn watcher = default_watcher(zh, watch, &context);
    return zoo_awget_children2(zh, path, watcher, context, completion, data);
}

int zoo_aset(zhandle_t *zh, const char *path, const char *buffer, int buflen, int version, stat_completion_t completion,
             const void *data)
{
    const struct client_call call = call_of(FN(completion), data, SHAPE_STAT);
    return request_set(zh, path, buffer, buflen, version, &call);
}

int zoo_async(zhandle_t *zh, const char *path, string_completion_t completion, const void *data)
{
    const struct client_call call = call_of(FN(completion), data, SHAPE_STRING);
    return path == NULL ? ZBADARGUMENTS : request_plain(zh, WIRE_OP_SYNC, path, &call);
}

int zoo_aget_acl(zhandle_t *zh, const char *path, acl_completion_t completion, const void *data)
{
    const struct client_call call = call_of(FN(completion), data, SHAPE_ACL);
    return path == NULL ? ZBADARGUMENTS : request_plain(zh, WIRE_OP_GET_ACL, path, &call);
}

int zoo_aset_acl(zhandle_t *zh, const char *path, int version, struct ACL_vector *acl, void_completion_t completion,
                 const void *data)
{
    const struct client_call call = call_of(FN(completion), data, SHAPE_VOID);
    return request_set_acl(zh, path, version, acl, &call);
}

int zoo_awgetconfig(zhandle_t *zh, watcher_fn watcher, void *watcherCtx, data_completion_t completion, const void *data)
{
    const struct client_call call = call_of(FN(completion), data, SHAPE_DATA);
    return request_config(zh, watcher, watcherCtx, &call);
}

int zoo_agetconfig(zhandle_t *zh, int watch, data_completion_t completion, const void *data)
{
    void *context;
    watcher_fn watcher = default_watcher(zh, watch, &context);
    return zoo_awgetconfig(zh, watcher, context, completion, data);
}

int zoo_areconfig(zhandle_t *zh, const char *joining, const char *leaving, const char *members, int64_t version,
                  data_completion_t dc, const void *data)
{
    const struct client_call call = call_of(FN(dc), data, SHAPE_DATA);
    return request_reconfig(zh, joining, leaving, members, version, &call);
}

int zoo_add_auth(zhandle_t *zh, const char *scheme, const char *cert, int certLen, void_completion_t completion,
                 const void *data)
{
    const struct client_call call = call_of(FN(completion), data, SHAPE_VOID);
    if (zh == NULL || scheme == NULL)
        return ZBADARGUMENTS;
    pthread_mutex_lock(&zh->lock);
    int rc = client_add_auth(zh->core, slice_str(scheme), request_value(cert, certLen < 0 ? 0 : certLen), &call);
    if (rc == 0)
        io_wake_if_asleep(zh);
    pthread_mutex_unlock(&zh->lock);
    return rc;
}

/* The interface says pointer to a function pointer; what programs pass, and Apache's library calls, is the function. */
int zoo_aremove_watches(zhandle_t *zh, const char *path, ZooWatcherType wtype, watcher_fn watcher, void *watcherCtx,
                        int local, void_completion_t *completion, const void *data)
{
    const struct client_call call = call_of(FN(completion), data, SHAPE_VOID);
    if (wtype < ZWATCHTYPE_CHILD || wtype > ZWATCHTYPE_ANY)
        return ZBADARGUMENTS;
    return request_unwatch(zh, path, (int)wtype, watcher, watcherCtx, local != 0 ? UNWATCH_LOCAL : UNWATCH, &call);
}

int zoo_aremove_all_watches(zhandle_t *zh, const char *path, ZooWatcherType wtype, int local,
                            void_completion_t *completion, const void *data)
{
    const struct client_call call = call_of(FN(completion), data, SHAPE_VOID);
    if (wtype < ZWATCHTYPE_CHILD || wtype > ZWATCHTYPE_ANY)
        return ZBADARGUMENTS;
    return request_unwatch(zh, path, (int)wtype, NULL, NULL, local != 0 ? UNWATCH_ALL_LOCAL : UNWATCH_ALL, &call);
}
