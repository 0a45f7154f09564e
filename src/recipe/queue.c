/* Queues: sequential nodes in a container; who takes one deletes it, or holds it by an ephemeral node of its name. */
#include "recipe/queue.h"
#include "base/museum.h"
#include "recipe/claim.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define AHEAD_MAX 64 /* few, so that what was put back is not passed over for long */
#define AGAIN_MS 20  /* when the end of a hold of ours is not yet known */
#define REMOVE_TRIES_MAX 10
#define MISSES_MAX 3 /* of these in a row: others take, too, and it is time to look again */

struct zokor_queue {
    struct zokor_framework *f;
    char *path, *lock_path;
    enum zokor_queue_kind kind;
    int items_max;
    atomic_bool cancelled;
    pthread_mutex_t lock;
    struct list wakers; /* struct waiting */
    struct list holds;  /* queue_hold.c; the client's lock */
    /* The next names of the last look, so that a long queue is not listed for every item; from ahead_at on. */
    char *ahead[AHEAD_MAX];
    int ahead_at, ahead_count;
};

struct waiting {
    struct list link;
    struct waker *waker;
};

struct zokor_queue *zokor_queue_new(struct zokor_framework *f, const char *path,
                                    const struct zokor_queue_options *options)
{
    static const struct zokor_queue_options none;
    const struct zokor_queue_options *o = options == NULL ? &none : options;
    if (path == NULL || path[0] != '/' || (o->lock_path != NULL && o->lock_path[0] != '/') ||
        (o->kind == ZOKOR_QUEUE_SIMPLE && o->lock_path != NULL))
        return NULL;
    struct zokor_queue *q = mem_zalloc(sizeof(*q));
    q->f = f;
    q->kind = o->kind;
    q->items_max = o->items_max;
    q->path = zokor_path_join(path, "");
    q->lock_path = o->lock_path == NULL ? NULL : zokor_path_join(o->lock_path, "");
    pthread_mutex_init(&q->lock, NULL);
    list_init(&q->wakers);
    list_init(&q->holds);
    return q;
}

void zokor_queue_free(struct zokor_queue *q)
{
    if (q == NULL)
        return;
    hold_end_all(q->f, &q->holds);
    while (q->ahead_at < q->ahead_count)
        mem_free(q->ahead[q->ahead_at++]);
    pthread_mutex_destroy(&q->lock);
    mem_free(q->path);
    mem_free(q->lock_path);
    mem_free(q);
}

void zokor_queue_cancel(struct zokor_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->cancelled = true;
    LIST_FOR(it, &q->wakers)
    waker_cancel(CONTAINER_OF(it, struct waiting, link)->waker);
    pthread_mutex_unlock(&q->lock);
}

static int64_t wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void zokor_item_free(struct zokor_item *item)
{
    for (int i = 0; i < item->count; i++)
        mem_free(item->parts[i].data);
    mem_free(item->parts);
    mem_free(item->name);
    mem_free(item->id);
    *item = (struct zokor_item){ .count = 0 };
}

/* The container may vanish whenever it is empty. */
static int make_path(struct zokor_queue *q, const char *path)
{
    int rc = zokor_framework_create(q->f, path, NULL, 0, ZOO_PERSISTENT, ZOKOR_CONTAINER_PARENTS, NULL);
    return rc == ZNODEEXISTS ? ZOK : rc;
}

/* The names below path, watched by w; with w NULL not watched. */
static int list(struct zokor_queue *q, const char *path, struct waker *w, struct String_vector *names)
{
    const struct zokor_request ask = { .operation = ZOKOR_GET_CHILDREN, .path = path };
    struct zokor_result r;
    int rc;
    *names = (struct String_vector){ .count = 0 };
    do {
        rc = w != NULL ? waker_do(w, q->f, &ask, &r) : zokor_framework_do(q->f, &ask, &r);
        if (rc == ZOK) {
            *names = r.children;
            r.children = (struct String_vector){ .count = 0 };
        }
        zokor_result_clear(&r);
    } while (rc == ZNONODE && w != NULL && (rc = make_path(q, path)) == ZOK);
    return rc == ZNONODE ? ZOK : rc;
}

/* What a try sees: the items in order, and who is held by whom. */
struct view {
    struct String_vector names, locked;
    struct zokor_item *item;
    const char *id; /* only this one */
    bool only_look;
    bool keeps;     /* the names that follow */
    int64_t due_ms; /* set: try again at this time (of the wall clock) */
};

static int look(struct zokor_queue *q, struct waker *w, struct view *v)
{
    int rc = list(q, q->path, w, &v->names);
    v->locked = (struct String_vector){ .count = 0 };
    if (rc == ZOK && q->lock_path != NULL)
        rc = list(q, q->lock_path, w, &v->locked);
    if (rc == ZOK)
        items_sort(q->kind, &v->names);
    return rc;
}

static void unlook(struct view *v)
{
    deallocate_String_vector(&v->names);
    deallocate_String_vector(&v->locked);
}

/* ZNONODE from try: wait for a change, and try again. */
static int until(struct zokor_queue *q, int timeout_ms, int (*try)(struct zokor_queue *, struct view *), struct view *v)
{
    int64_t end = due_of(timeout_ms);
    struct waiting w = { .waker = waker_new() };
    int rc;
    pthread_mutex_lock(&q->lock);
    list_push_back(&q->wakers, &w.link);
    pthread_mutex_unlock(&q->lock);
    for (;;) {
        waker_reset(w.waker);
        v->due_ms = -1;
        rc = q->cancelled ? ZCLOSING : look(q, w.waker, v);
        if (rc == ZOK)
            rc = try(q, v);
        unlook(v);
        if (rc != ZNONODE)
            break;
        int64_t wait_end = v->due_ms < 0 ? -1 : recipe_now_ms() + v->due_ms - wall_ms();
        if (wait_end < 0 || (end >= 0 && end < wait_end))
            wait_end = end;
        bool poked = waker_wait(w.waker, q->f, wait_end);
        waker_unwatch(w.waker, q->f);
        waker_unwatch(w.waker, q->f);
        if (!poked && end >= 0 && recipe_now_ms() >= end) {
            rc = ZOPERATIONTIMEOUT;
            break;
        }
    }
    waker_unwatch(w.waker, q->f);
    waker_unwatch(w.waker, q->f);
    pthread_mutex_lock(&q->lock);
    list_remove(&w.link);
    pthread_mutex_unlock(&q->lock);
    waker_drop(w.waker);
    return rc;
}

static void take_data(struct zokor_queue *q, const char *name, const char *data, int len, struct zokor_item *item)
{
    item->name = recipe_copy(name);
    item->id = q->kind == ZOKOR_QUEUE_ID ? item_id(name) : NULL;
    if (q->kind != ZOKOR_QUEUE_SIMPLE && items_decode(data, len, &item->parts, &item->count))
        return;
    item->parts = mem_alloc(sizeof(*item->parts)); /* somebody else's bytes: as they are */
    item->parts[0] = bytes_copy(data, len);
    item->count = 1;
}

/* ZNODEEXISTS: somebody else has it; ZNOTHING: as hold_begin. A node of our own session that no thread knows of is one
 * whose reply was lost. */
static int lock_item(struct zokor_queue *q, const char *path, struct Stat *stat)
{
    int rc = hold_begin(q->f, &q->holds, path);
    if (rc != ZOK)
        return rc;
    struct zokor_result r;
    rc = zokor_framework_do(
        q->f,
        &(struct zokor_request){
            .operation = ZOKOR_CREATE, .path = path, .mode = ZOO_EPHEMERAL, .flags = ZOKOR_CONTAINER_PARENTS },
        &r);
    *stat = r.stat;
    zokor_result_clear(&r);
    if (rc == ZNODEEXISTS) {
        rc = zokor_framework_exists(q->f, path, stat);
        if (rc == ZOK && stat->ephemeralOwner != zokor_framework_session_id(q->f) &&
            !SIM_BUG(recipe_queue_lock_of_others))
            rc = ZNODEEXISTS;
    }
    if (rc == ZOK)
        hold_set(q->f, path, stat->ephemeralOwner);
    if (zokor_is_retryable(rc))
        hold_release(q->f, path, false);
    else if (rc != ZOK)
        hold_end(q->f, path);
    return rc;
}

/* Deletes the node that was seen; ZNONODE, ZBADVERSION: it is not there any more. A try whose reply was lost is not
 * made again blindly: the container may have gone with the last item, and its numbers begun anew, so that another item
 * has the name by now. */
static int remove_seen(struct zokor_queue *q, const char *path, const struct Stat *seen)
{
    const struct zokor_retry never = zokor_retry_never();
    const struct zokor_request removal = {
        .operation = ZOKOR_DELETE, .path = path, .has_version = 1, .version = seen->version, .retry = &never
    };
    int rc = ZCONNECTIONLOSS;
    for (int tries = 0; zokor_is_retryable(rc) && tries < REMOVE_TRIES_MAX; tries++) {
        struct Stat now;
        int there = tries == 0 ? ZOK : zokor_framework_exists(q->f, path, &now);
        if (there != ZOK)
            return there;
        if (tries > 0 && now.czxid != seen->czxid)
            return ZNONODE;
        rc = zokor_framework_do(q->f, &removal, NULL);
    }
    return rc;
}

/* ZNONODE: somebody else was faster. ZNOTHING: as hold_begin. */
static int take_one(struct zokor_queue *q, const char *name, bool only_look, struct zokor_item *item)
{
    bool locks = q->lock_path != NULL && !only_look;
    char *path = zokor_path_join(q->path, name), *lock = locks ? zokor_path_join(q->lock_path, name) : NULL;
    char *data = NULL;
    struct Stat stat, hold = { .czxid = -1 };
    int len;
    int rc = locks ? lock_item(q, lock, &hold) : ZOK;
    bool locked = locks && rc == ZOK;
    if (rc == ZOK)
        rc = zokor_framework_get(q->f, path, &data, &len, &stat);
    if (rc == ZOK && locks && hold.ephemeralOwner != zokor_framework_session_id(q->f) &&
        !SIM_BUG(recipe_queue_lock_of_others))
        rc = ZNONODE; /* the session has ended meanwhile, and the hold with it */
    if (rc == ZOK && !locks && !only_look)
        rc = remove_seen(q, path, &stat);
    if (rc == ZOK) {
        take_data(q, name, data, len, item);
        item->token = locks ? hold.czxid : stat.czxid;
    } else if (locked) {
        hold_release(q->f, lock, true);
    }
    mem_free(data);
    mem_free(path);
    mem_free(lock);
    return rc == ZNODEEXISTS || rc == ZBADVERSION ? ZNONODE : rc;
}

static bool is_in(const struct String_vector *names, const char *name)
{
    for (int32_t i = 0; i < names->count; i++) {
        if (strcmp(names->data[i], name) == 0)
            return true;
    }
    return false;
}

static bool has_id(const char *name, const char *id)
{
    char *its = item_id(name);
    bool is = its != NULL &&
              (strcmp(its, id) == 0 || (SIM_BUG(recipe_queue_removes_alike) && strncmp(its, id, strlen(id)) == 0));
    mem_free(its);
    return is;
}

/* Keeps the names from the one at `from` on, as far as nobody holds them. */
static void keep_ahead(struct zokor_queue *q, struct view *v, int32_t from)
{
    pthread_mutex_lock(&q->lock);
    while (q->ahead_at < q->ahead_count)
        mem_free(q->ahead[q->ahead_at++]);
    q->ahead_at = q->ahead_count = 0;
    for (int32_t i = from; i < v->names.count && q->ahead_count < AHEAD_MAX; i++) {
        if (!is_in(&v->locked, v->names.data[i]))
            q->ahead[q->ahead_count++] = recipe_copy(v->names.data[i]);
    }
    pthread_mutex_unlock(&q->lock);
}

/* One of those names; ZNONODE: it is time to look. */
static int take_ahead(struct zokor_queue *q, struct zokor_item *item)
{
    int rc = ZNONODE;
    for (int misses = 0; (rc == ZNONODE || rc == ZNOTHING) && misses < MISSES_MAX && !q->cancelled; misses++) {
        pthread_mutex_lock(&q->lock);
        char *name = q->ahead_at < q->ahead_count ? q->ahead[q->ahead_at++] : NULL;
        pthread_mutex_unlock(&q->lock);
        if (name == NULL)
            break;
        rc = take_one(q, name, false, item);
        mem_free(name);
    }
    return rc == ZNOTHING ? ZNONODE : rc;
}

static void again_at(struct view *v, int64_t due_ms)
{
    if (v->due_ms < 0 || due_ms < v->due_ms)
        v->due_ms = due_ms;
}

static int try_take(struct zokor_queue *q, struct view *v)
{
    for (int32_t i = 0; i < v->names.count; i++) {
        const char *name = v->names.data[i];
        if (q->kind == ZOKOR_QUEUE_DELAY && item_due_ms(name) > wall_ms()) {
            again_at(v, item_due_ms(name)); /* and all that follow are later */
            break;
        }
        if (is_in(&v->locked, name) || (v->id != NULL && !has_id(name, v->id)))
            continue;
        int rc = take_one(q, name, v->only_look, v->item);
        if (rc == ZOK && v->keeps)
            keep_ahead(q, v, i + 1);
        if (rc == ZNOTHING)
            again_at(v, wall_ms() + AGAIN_MS);
        else if (rc != ZNONODE)
            return rc;
    }
    return ZNONODE;
}

int zokor_queue_take(struct zokor_queue *q, struct zokor_item *item, int timeout_ms)
{
    /* Of the other kinds, what is put later may come first. */
    struct view v = { .item = item, .keeps = q->kind == ZOKOR_QUEUE_FIFO || q->kind == ZOKOR_QUEUE_SIMPLE };
    *item = (struct zokor_item){ .count = 0 };
    int rc = v.keeps ? take_ahead(q, item) : ZNONODE;
    return rc != ZNONODE ? rc : until(q, timeout_ms, try_take, &v);
}

/* Once, without waiting. */
static int take_now(struct zokor_queue *q, struct view *v)
{
    int rc = look(q, NULL, v);
    *v->item = (struct zokor_item){ .count = 0 };
    if (rc == ZOK)
        rc = try_take(q, v);
    unlook(v);
    return rc;
}

int zokor_queue_peek(struct zokor_queue *q, struct zokor_item *item)
{
    struct view v = { .item = item, .only_look = true };
    return take_now(q, &v);
}

int zokor_queue_size(struct zokor_queue *q, int *size)
{
    struct view v = { .only_look = true };
    int rc = look(q, NULL, &v);
    *size = v.names.count;
    unlook(&v);
    return rc;
}

int zokor_queue_remove(struct zokor_queue *q, const char *id, int *removed)
{
    struct zokor_item item;
    char *fixed = item_fixed_id(id);
    struct view v = { .item = &item, .id = fixed };
    int n = 0, rc;
    while ((rc = take_now(q, &v)) == ZOK) {
        rc = zokor_queue_done(q, &item);
        n += rc == ZOK;
        if (rc != ZOK)
            break;
    }
    mem_free(fixed);
    if (removed != NULL)
        *removed = n;
    return rc == ZNONODE ? ZOK : rc;
}

static int try_room(struct zokor_queue *q, struct view *v)
{
    return v->names.count < q->items_max ? ZOK : ZNONODE;
}

static int put_node(struct zokor_queue *q, const char *name, const char *data, int len)
{
    char *path = zokor_path_join(q->path, name);
    int rc = zokor_framework_create(q->f, path, data, len, ZOO_PERSISTENT_SEQUENTIAL, ZOKOR_CONTAINER_PARENTS, NULL);
    mem_free(path);
    return rc;
}

int zokor_queue_put_all(struct zokor_queue *q, const struct zokor_bytes *items, int count, const struct zokor_put *put)
{
    static const struct zokor_put ordinary;
    const struct zokor_put *how = put == NULL ? &ordinary : put;
    struct view v = { .only_look = true };
    int len = 0, rc = ZOK;
    if (count < 1 || (q->kind == ZOKOR_QUEUE_SIMPLE && count != 1))
        return ZBADARGUMENTS;
    if (q->items_max > 0)
        rc = until(q, how->timeout_ms > 0 ? how->timeout_ms : -1, try_room, &v);
    if (rc != ZOK)
        return rc;
    char *name = item_name(q->kind, how);
    char *data = q->kind == ZOKOR_QUEUE_SIMPLE ? NULL : items_encode(items, count, &len);
    rc = data == NULL ? put_node(q, name, items[0].data, items[0].len) : put_node(q, name, data, len);
    mem_free(name);
    mem_free(data);
    return rc;
}

int zokor_queue_put(struct zokor_queue *q, const void *data, int len, const struct zokor_put *put)
{
    const struct zokor_bytes item = { .data = (char *)data, .len = len };
    return zokor_queue_put_all(q, &item, 1, put);
}

/* Deletes the item with its lock, and puts it back if `data` is given. */
static int finish(struct zokor_queue *q, const struct zokor_item *item, const char *data, int len)
{
    char *path = zokor_path_join(q->path, item->name), *lock = zokor_path_join(q->lock_path, item->name);
    struct zokor_transaction *t = zokor_transaction_new();
    zokor_transaction_delete(t, lock, -1);    /* fails if the hold was lost, as long as it is done in our session: */
    int64_t session = hold_owner(q->f, lock); /* in another one it would be the node of who has it now */
    zokor_transaction_delete(t, path, -1);
    if (data != NULL) {
        char *again = recipe_text("%.*s", (int)(strlen(path) - 10), path); /* without its sequence */
        zokor_transaction_create(t, again, data, len, ZOO_PERSISTENT_SEQUENTIAL, 0, NULL);
        mem_free(again);
    }
    int rc = op_do_in(q->f, &(struct zokor_request){ .operation = ZOKOR_TRANSACTION, .transaction = t }, NULL, session);
    zokor_transaction_free(t);
    if (rc == ZSESSIONEXPIRED)
        rc = ZNONODE;
    if (rc == ZNONODE) { /* a try whose reply was lost may have done it */
        int there = zokor_framework_exists(q->f, path, NULL);
        rc = there == ZNONODE ? ZOK : there == ZOK ? ZNONODE : there;
    }
    if (rc == ZOK)
        hold_end(q->f, lock);
    else
        hold_release(q->f, lock, true);
    mem_free(path);
    mem_free(lock);
    return rc;
}

int zokor_queue_done(struct zokor_queue *q, struct zokor_item *item)
{
    int rc = q->lock_path == NULL ? ZOK : finish(q, item, NULL, 0);
    zokor_item_free(item);
    return rc;
}

int zokor_queue_again(struct zokor_queue *q, struct zokor_item *item)
{
    int len = 0, rc;
    char *data = items_encode(item->parts, item->count, &len);
    if (q->kind == ZOKOR_QUEUE_SIMPLE) {
        rc = put_node(q, "qn-", item->parts[0].data, item->parts[0].len);
    } else if (q->lock_path == NULL) {
        char *name = recipe_text("%.*s", (int)(strlen(item->name) - 10), item->name);
        rc = put_node(q, name, data, len);
        mem_free(name);
    } else {
        rc = finish(q, item, data, len);
    }
    mem_free(data);
    zokor_item_free(item);
    return rc;
}
