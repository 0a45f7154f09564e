/* The calls of zokor/client.h that are one request. */
#include "client/shell.h"
#include "wire/proto.h"
#include "wire/records.h"
#include <string.h>

#define FN(completion) ((void (*)(void))(completion))

int64_t zokor_zxid(zhandle_t *zh)
{
    return zh == NULL ? -1 : deliver_zxid(zh);
}

int64_t zokor_last_zxid(zhandle_t *zh)
{
    if (zh == NULL)
        return 0;
    pthread_mutex_lock(&zh->lock);
    int64_t zxid = client_last_zxid(zh->core);
    pthread_mutex_unlock(&zh->lock);
    return zxid;
}

static int add_watch(zhandle_t *zh, const char *path, enum zokor_watch_mode mode, watcher_fn watcher, void *context,
                     const struct client_call *call)
{
    struct request q;
    if (watcher == NULL || !client_path_valid(path, false) ||
        (mode != ZOKOR_WATCH_PERSISTENT && mode != ZOKOR_WATCH_RECURSIVE))
        return ZBADARGUMENTS;
    int rc = request_begin(&q, zh, WIRE_OP_ADD_WATCH, call);
    if (rc != 0)
        return rc;
    request_path(&q, path);
    wire_put_i32(q.b, (int32_t)mode);
    return request_send(&q, call, mode == ZOKOR_WATCH_RECURSIVE ? CLIENT_WATCH_RECURSIVE : CLIENT_WATCH_PERSISTENT,
                        watcher, context);
}

int zokor_add_watch(zhandle_t *zh, const char *path, enum zokor_watch_mode mode, watcher_fn watcher, void *watcherCtx)
{
    struct sync_wait w = { 0 };
    const struct client_call call = wait_call(&w, SHAPE_VOID);
    return wait_for(zh, &w, add_watch(zh, path, mode, watcher, watcherCtx, &call));
}

int zokor_aadd_watch(zhandle_t *zh, const char *path, enum zokor_watch_mode mode, watcher_fn watcher, void *watcherCtx,
                     void_completion_t completion, const void *data)
{
    const struct client_call call = call_of(FN(completion), data, SHAPE_VOID);
    return add_watch(zh, path, mode, watcher, watcherCtx, &call);
}

int zokor_aremove_watches(zhandle_t *zh, const char *path, enum zokor_watch_type type, watcher_fn watcher,
                          void *watcherCtx, int local, void_completion_t completion, const void *data)
{
    const struct client_call call = call_of(FN(completion), data, SHAPE_VOID);
    return request_unwatch(zh, path, (int)type, watcher, watcherCtx, local != 0 ? UNWATCH_LOCAL : UNWATCH, &call);
}

int zokor_who_am_i(zhandle_t *zh, struct ClientInfo_vector *ids)
{
    struct sync_wait w = { .ids = ids };
    const struct client_call call = wait_call(&w, SHAPE_IDS);
    return wait_for(zh, &w, request_plain(zh, WIRE_OP_WHO_AM_I, NULL, &call));
}

int zokor_awho_am_i(zhandle_t *zh, zokor_ids_completion_t completion, const void *data)
{
    const struct client_call call = call_of(FN(completion), data, SHAPE_IDS);
    return request_plain(zh, WIRE_OP_WHO_AM_I, NULL, &call);
}

/* The prefix is plain text: it may end with a '/', and with a chroot "/" means what is below it. */
static int ephemerals(zhandle_t *zh, const char *prefix, const struct client_call *call)
{
    struct request q;
    if (prefix == NULL || prefix[0] != '/')
        return ZBADARGUMENTS;
    int rc = request_begin(&q, zh, WIRE_OP_GET_EPHEMERALS, call);
    if (rc != 0)
        return rc;
    struct slice chroot = client_chroot(zh->core);
    wire_put_i32(q.b, (int32_t)(chroot.n + strlen(prefix)));
    buf_append_slice(q.b, chroot);
    buf_append(q.b, prefix, strlen(prefix));
    return request_send(&q, call, 0, NULL, NULL);
}

int zokor_get_ephemerals(zhandle_t *zh, const char *prefix, struct String_vector *paths)
{
    struct sync_wait w = { .strings = paths };
    const struct client_call call = wait_call(&w, SHAPE_PATHS);
    return wait_for(zh, &w, ephemerals(zh, prefix, &call));
}

int zokor_aget_ephemerals(zhandle_t *zh, const char *prefix, strings_completion_t completion, const void *data)
{
    const struct client_call call = call_of(FN(completion), data, SHAPE_PATHS);
    return ephemerals(zh, prefix, &call);
}

int zokor_get_all_children_number(zhandle_t *zh, const char *path, int32_t *number)
{
    struct sync_wait w = { .number = number };
    const struct client_call call = wait_call(&w, SHAPE_NUMBER);
    return wait_for(zh, &w,
                    path == NULL ? ZBADARGUMENTS : request_plain(zh, WIRE_OP_GET_ALL_CHILDREN_NUMBER, path, &call));
}

int zokor_aget_all_children_number(zhandle_t *zh, const char *path, zokor_number_completion_t completion,
                                   const void *data)
{
    const struct client_call call = call_of(FN(completion), data, SHAPE_NUMBER);
    return path == NULL ? ZBADARGUMENTS : request_plain(zh, WIRE_OP_GET_ALL_CHILDREN_NUMBER, path, &call);
}

int zokor_sync(zhandle_t *zh, const char *path)
{
    struct sync_wait w = { 0 };
    const struct client_call call = wait_call(&w, SHAPE_STRING);
    return wait_for(zh, &w, path == NULL ? ZBADARGUMENTS : request_plain(zh, WIRE_OP_SYNC, path, &call));
}
