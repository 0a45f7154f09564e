#include "cli/call.h"
#include "base/mem.h"
#include "cli/acl.h"
#include <time.h>

/* Between the caller, who may leave early, and the completion: the last of the two frees it. */
struct call {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int owners;
    bool done;
    unsigned patience; /* how many 50 ms the caller waits; 0: for ever */
    struct reply reply;
};

static struct call *call_new(void)
{
    struct call *k = mem_zalloc(sizeof(*k));
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->changed, NULL);
    k->owners = 2;
    return k;
}

static void leave(struct call *k)
{
    bool last = --k->owners == 0;
    pthread_mutex_unlock(&k->lock);
    if (!last)
        return;
    reply_free(&k->reply);
    pthread_mutex_destroy(&k->lock);
    pthread_cond_destroy(&k->changed);
    mem_free(k);
}

/* Locks a call for its completion; finish unlocks. */
static struct reply *start(const void *data, int rc)
{
    struct call *k = (struct call *)data;
    pthread_mutex_lock(&k->lock);
    k->reply.rc = rc;
    return &k->reply;
}

static void finish(const void *data)
{
    struct call *k = (struct call *)data;
    k->done = true;
    pthread_cond_signal(&k->changed);
    leave(k);
}

void call_wait(pthread_mutex_t *lock, pthread_cond_t *changed)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 50000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_cond_timedwait(changed, lock, &until);
}

/* Waits for the completion of a request that was accepted with rc 0; gives its reply away. */
static int call_end(struct call *k, int rc, struct reply *out)
{
    struct reply ignored;
    struct reply *to = out == NULL ? &ignored : out;
    *to = (struct reply){ .rc = rc };
    pthread_mutex_lock(&k->lock);
    if (rc != ZOK) { /* no completion will come */
        k->owners--;
    } else {
        bool tired = false;
        for (unsigned n = 0; !k->done && !cli_interrupted && !tired; n++) {
            call_wait(&k->lock, &k->changed);
            tired = k->patience > 0 && n >= k->patience;
        }
        to->rc = tired ? ZOPERATIONTIMEOUT : ZSYSTEMERROR;
        if (k->done) {
            *to = k->reply;
            k->reply = (struct reply){ 0 };
        }
    }
    leave(k);
    rc = to->rc;
    if (out == NULL)
        reply_free(&ignored);
    return rc;
}

void copy_names(struct String_vector *to, const struct String_vector *from)
{
    *to = (struct String_vector){ .count = from->count,
                                  .data = mem_alloc(((size_t)from->count + 1) * sizeof(*from->data)) };
    for (int32_t i = 0; i < from->count; i++)
        to->data[i] = strdup(from->data[i]);
}

void copy_acl(struct ACL_vector *to, const struct ACL_vector *from)
{
    *to = (struct ACL_vector){ 0 };
    for (int32_t i = 0; i < from->count; i++)
        cli_acl_append(to, from->data[i].id.scheme, from->data[i].id.id, from->data[i].perms);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void sort_names(struct String_vector *names)
{
    if (names->count > 1)
        qsort(names->data, (size_t)names->count, sizeof(*names->data), compare_names);
}

static void take_bytes(struct reply *r, const char *p, int n)
{
    r->data_len = p == NULL ? -1 : n;
    if (p == NULL || n < 0)
        return;
    r->data = mem_alloc((size_t)n + 1);
    memcpy(r->data, p, (size_t)n);
    r->data[n] = '\0';
}

static void void_done(int rc, const void *data)
{
    start(data, rc);
    finish(data);
}

static void stat_done(int rc, const struct Stat *stat, const void *data)
{
    struct reply *r = start(data, rc);
    if (rc == ZOK && stat != NULL)
        r->stat = *stat;
    finish(data);
}

static void data_done(int rc, const char *value, int n, const struct Stat *stat, const void *data)
{
    struct reply *r = start(data, rc);
    if (rc == ZOK) {
        take_bytes(r, value, n);
        if (stat != NULL)
            r->stat = *stat;
    }
    finish(data);
}

static void string_done(int rc, const char *value, const void *data)
{
    struct reply *r = start(data, rc);
    if (rc == ZOK && value != NULL)
        take_bytes(r, value, (int)strlen(value));
    finish(data);
}

static void names_stat_done(int rc, const struct String_vector *names, const struct Stat *stat, const void *data)
{
    struct reply *r = start(data, rc);
    if (rc == ZOK) {
        copy_names(&r->names, names);
        if (stat != NULL)
            r->stat = *stat;
    }
    finish(data);
}

static void names_done(int rc, const struct String_vector *names, const void *data)
{
    names_stat_done(rc, names, NULL, data);
}

static void acl_done(int rc, struct ACL_vector *acl, struct Stat *stat, const void *data)
{
    struct reply *r = start(data, rc);
    if (rc == ZOK) {
        copy_acl(&r->acl, acl);
        r->stat = *stat;
    }
    finish(data);
}

static void number_done(int rc, int32_t number, const void *data)
{
    start(data, rc)->number = number;
    finish(data);
}

/* Servers may say null. */
static const char *or_empty(const char *s)
{
    return s == NULL ? "" : s;
}

static void ids_done(int rc, const struct ClientInfo_vector *ids, const void *data)
{
    struct reply *r = start(data, rc);
    if (rc == ZOK) {
        r->ids.data = mem_zalloc(((size_t)ids->count + 1) * sizeof(*ids->data));
        for (; r->ids.count < ids->count; r->ids.count++) {
            const struct ClientInfo *from = &ids->data[r->ids.count];
            r->ids.data[r->ids.count] = (struct ClientInfo){ .authScheme = strdup(or_empty(from->authScheme)),
                                                             .user = strdup(or_empty(from->user)) };
        }
    }
    finish(data);
}

int call_get(struct cli *c, const char *path, bool watch, struct reply *reply)
{
    struct call *k = call_new();
    return call_end(k, zoo_aget(c->zh, path, watch, data_done, k), reply);
}

int call_exists(struct cli *c, const char *path, bool watch, struct reply *reply)
{
    struct call *k = call_new();
    return call_end(k, zoo_aexists(c->zh, path, watch, stat_done, k), reply);
}

int call_children(struct cli *c, const char *path, bool watch, struct reply *reply)
{
    struct call *k = call_new();
    int rc = call_end(k, zoo_aget_children2(c->zh, path, watch, names_stat_done, k), reply);
    sort_names(&reply->names);
    return rc;
}

int call_children_soon(struct cli *c, const char *path, struct reply *reply)
{
    struct call *k = call_new();
    int rc = zoo_aget_children2(c->zh, path, 0, names_stat_done, k);
    k->patience = 40;
    rc = call_end(k, rc, reply);
    sort_names(&reply->names);
    return rc;
}

int call_create(struct cli *c, const char *path, const char *data, int data_len, const struct ACL_vector *acl, int mode,
                int64_t ttl_ms, struct reply *reply)
{
    struct call *k = call_new();
    int rc = ttl_ms > 0 ? zoo_acreate_ttl(c->zh, path, data, data_len, acl, mode, ttl_ms, string_done, k)
                        : zoo_acreate(c->zh, path, data, data_len, acl, mode, string_done, k);
    return call_end(k, rc, reply);
}

int call_set(struct cli *c, const char *path, const char *data, int data_len, int version, struct reply *reply)
{
    struct call *k = call_new();
    return call_end(k, zoo_aset(c->zh, path, data, data_len, version, stat_done, k), reply);
}

int call_delete(struct cli *c, const char *path, int version)
{
    struct call *k = call_new();
    return call_end(k, zoo_adelete(c->zh, path, version, void_done, k), NULL);
}

int call_get_acl(struct cli *c, const char *path, struct reply *reply)
{
    struct call *k = call_new();
    return call_end(k, zoo_aget_acl(c->zh, path, acl_done, k), reply);
}

int call_set_acl(struct cli *c, const char *path, const struct ACL_vector *acl, int version)
{
    struct call *k = call_new();
    struct ACL_vector list = *acl;
    return call_end(k, zoo_aset_acl(c->zh, path, version, &list, void_done, k), NULL);
}

int call_auth(struct cli *c, const char *scheme, const char *auth)
{
    struct call *k = call_new();
    int rc = zoo_add_auth(c->zh, scheme, auth == NULL ? "" : auth, auth == NULL ? 0 : (int)strlen(auth), void_done, k);
    k->patience = 100;
    rc = call_end(k, rc, NULL);
    return rc == ZOPERATIONTIMEOUT ? ZOK : rc;
}

int call_sync(struct cli *c, const char *path)
{
    struct call *k = call_new();
    return call_end(k, zoo_async(c->zh, path, string_done, k), NULL);
}

int call_config(struct cli *c, bool watch, struct reply *reply)
{
    struct call *k = call_new();
    return call_end(k, zoo_agetconfig(c->zh, watch, data_done, k), reply);
}

int call_reconfig(struct cli *c, const char *joining, const char *leaving, const char *members, int64_t version,
                  struct reply *reply)
{
    struct call *k = call_new();
    return call_end(k, zoo_areconfig(c->zh, joining, leaving, members, version, data_done, k), reply);
}

int call_add_watch(struct cli *c, const char *path, enum zokor_watch_mode mode)
{
    struct call *k = call_new();
    return call_end(k, zokor_aadd_watch(c->zh, path, mode, cli_watcher, c, void_done, k), NULL);
}

int call_remove_watches(struct cli *c, const char *path, enum zokor_watch_type type, bool local)
{
    struct call *k = call_new();
    return call_end(k, zokor_aremove_watches(c->zh, path, type, NULL, NULL, local, void_done, k), NULL);
}

int call_who_am_i(struct cli *c, struct reply *reply)
{
    struct call *k = call_new();
    return call_end(k, zokor_awho_am_i(c->zh, ids_done, k), reply);
}

int call_ephemerals(struct cli *c, const char *prefix, struct reply *reply)
{
    struct call *k = call_new();
    return call_end(k, zokor_aget_ephemerals(c->zh, prefix, names_done, k), reply);
}

int call_all_children_number(struct cli *c, const char *path, struct reply *reply)
{
    struct call *k = call_new();
    return call_end(k, zokor_aget_all_children_number(c->zh, path, number_done, k), reply);
}

void reply_free(struct reply *r)
{
    mem_free(r->data);
    deallocate_String_vector(&r->names);
    deallocate_ACL_vector(&r->acl);
    deallocate_ClientInfo_vector(&r->ids);
    *r = (struct reply){ 0 };
}
