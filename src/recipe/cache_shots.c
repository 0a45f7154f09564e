/* Caches over watches that are called once: for servers without persistent ones (Apache's before 3.6), and for programs
 * that want it so. A node is read and watched by one request, so that nothing after the reading is missed; then its
 * children are listed and watched in the same way. Within a session that is all: after a reconnection the server tells
 * of what has changed meanwhile, because the client library names the watches and the last zxid it has seen. With the
 * session all watches are gone, and a pass reads everything again; what has another mzxid, or is gone, is told then.
 *
 * A path is tracked from its first reading to its end, so that it is never watched twice. Its czxid says which node of
 * that name is meant: an event or a list of one that was deleted since is not taken for that of its successor. */
#include "recipe/cache.h"
#include <string.h>

#define REQUESTS_MAX 64
#define PASS_NUMBERS 0x3fffffffu

enum shot_kind {
    SHOT_DATA,
    SHOT_CHILDREN,
    SHOT_CREATION /* of the topmost node */
};

/* A request, and then its watch. Of the event thread alone but for the link, which is under the cache's lock once the
 * watch is set. */
struct shot {
    struct list link; /* in cache.unsent, or in cache.shots */
    struct zokor_cache *cache;
    enum shot_kind kind;
    uint32_t pass;
    int64_t czxid; /* of the node that is watched; 0: of none */
    bool answered;
    int fired; /* the event came before the answer: an earlier try, whose answer was lost, has set the watch */
    char path[];
};

static void shot_free(struct shot *s)
{
    struct zokor_cache *c = s->cache;
    pthread_mutex_lock(&c->lock);
    list_remove(&s->link);
    pthread_mutex_unlock(&c->lock);
    mem_free(s);
    cache_drop(c);
}

static void ask(struct zokor_cache *c, enum shot_kind kind, const char *path)
{
    size_t n = strlen(path);
    struct shot *s = mem_zalloc(offsetof(struct shot, path) + n + 1);
    s->cache = c;
    s->kind = kind;
    s->pass = c->pass;
    memcpy(s->path, path, n + 1);
    cache_hold(c);
    list_push_back(&c->unsent, &s->link);
}

static struct cache_node *tracked(const struct zokor_cache *c, const char *path)
{
    return cache_tree_find(&c->tracked, path);
}

static void track(struct zokor_cache *c, const char *path)
{
    struct cache_node *t = cache_tree_make(&c->tracked, path);
    t->stat.czxid = 0;
    cache_tree_appear(&c->tracked, t);
    ask(c, SHOT_DATA, path);
}

static void lost_node(struct zokor_cache *c, const char *path)
{
    struct cache_node *t = tracked(c, path);
    if (t != NULL)
        cache_tree_vanish(&c->tracked, t);
    cache_gone(c, path);
}

static void drop_unsent(struct zokor_cache *c)
{
    LIST_FOR_SAFE(it, &c->unsent)
    shot_free(CONTAINER_OF(it, struct shot, link));
}

static void begin(struct zokor_cache *c)
{
    drop_unsent(c);
    cache_tree_fini(&c->tracked);
    cache_tree_init(&c->tracked, c->path);
    pthread_mutex_lock(&c->lock);
    c->pass = (c->pass + 1) & PASS_NUMBERS;
    pthread_mutex_unlock(&c->lock);
    c->requests = 0;
    c->failed = false;
    c->in_pass = true;
    track(c, c->path);
}

static void take_data(struct zokor_cache *c, struct shot *s, const struct zokor_result *from)
{
    struct cache_node *t = tracked(c, s->path);
    if (t == NULL)
        return;
    bool is_new = t->stat.czxid != from->stat.czxid;
    s->czxid = t->stat.czxid = from->stat.czxid;
    struct zokor_read_result r = { .data_len = from->data_len, .stat = from->stat };
    if (from->data_len >= 0) {
        r.data = mem_alloc((size_t)from->data_len + 1);
        memcpy(r.data, from->data, (size_t)from->data_len + 1);
    }
    if (c->options.compressed)
        cache_decompress(&r);
    if (cache_wants(c, s->path))
        cache_there(c, s->path, &r);
    mem_free(r.data); /* unless it was taken */
    if (is_new && !c->closed && cache_descends(c, s->path))
        ask(c, SHOT_CHILDREN, s->path);
}

static void take_children(struct zokor_cache *c, struct shot *s, const struct zokor_result *r)
{
    const struct cache_node *t = tracked(c, s->path);
    if (t == NULL || t->stat.czxid != r->stat.czxid)
        return;
    s->czxid = r->stat.czxid;
    for (int32_t i = 0; i < r->children.count; i++) {
        char *child = zokor_path_join(s->path, r->children.data[i]);
        if (tracked(c, child) == NULL && (cache_wants(c, child) || cache_descends(c, child)))
            track(c, child);
        mem_free(child);
    }
}

static void take_answer(struct zokor_cache *c, struct shot *s, const struct zokor_result *r)
{
    if (s->kind == SHOT_CREATION && r->rc == ZNONODE) {
        s->czxid = -1; /* there is none: all is well */
    } else if (r->rc == ZNONODE || r->rc == ZNOAUTH) {
        if (s->kind == SHOT_DATA)
            lost_node(c, s->path);
        if (s->kind == SHOT_DATA && r->rc == ZNONODE && strcmp(s->path, c->path) == 0 && !c->closed)
            ask(c, SHOT_CREATION, s->path);
    } else if (r->rc != ZOK) {
        ask(c, s->kind, s->path);
        cache_pass_failed(c);
    } else if (s->kind == SHOT_DATA) {
        take_data(c, s, r);
    } else if (s->kind == SHOT_CHILDREN) {
        take_children(c, s, r);
    } else {
        track(c, s->path);
    }
}

/* The watch was called. */
static void take_event(struct zokor_cache *c, struct shot *s, int type)
{
    if (s->pass != c->pass)
        return;
    if (type == ZOO_SESSION_EVENT) {
        begin(c);
        return;
    }
    const struct cache_node *t = tracked(c, s->path);
    if (s->kind == SHOT_CREATION) {
        if (s->czxid == -1 && t == NULL)
            track(c, s->path);
    } else if (t == NULL || t->stat.czxid != s->czxid) {
        return;
    } else if (s->kind == SHOT_CHILDREN) {
        if (type == ZOO_CHILD_EVENT)
            ask(c, SHOT_CHILDREN, s->path);
    } else if (type == ZOO_DELETED_EVENT) {
        lost_node(c, s->path);
        if (strcmp(s->path, c->path) == 0 && !c->closed)
            ask(c, SHOT_CREATION, s->path);
    } else {
        ask(c, SHOT_DATA, s->path);
    }
}

static void send_all(struct zokor_cache *c);

static void on_watch(struct zokor_framework *f, const struct zokor_event *e, void *context)
{
    struct shot *s = context;
    struct zokor_cache *c = s->cache;
    (void)f;
    if (!s->answered) {
        s->fired = e->type;
        return;
    }
    if (cache_enter(c)) {
        take_event(c, s, e->type);
        send_all(c);
        cache_leave(c);
    }
    shot_free(s);
}

/* True: it is not called any more. The cache's lock is held, so that the shot cannot be freed, and be another's,
 * meanwhile. */
static bool cancel(const struct zokor_cache *c, struct shot *s)
{
    return watch_cancel(c->f, on_watch, s);
}

static void keep_or_cancel(struct zokor_cache *c, struct shot *s)
{
    pthread_mutex_lock(&c->lock);
    bool over = c->closed && cancel(c, s);
    if (!c->closed)
        list_push_back(&c->shots, &s->link);
    pthread_mutex_unlock(&c->lock);
    if (over)
        shot_free(s);
}

static void on_answer(struct zokor_framework *f, const struct zokor_result *r, void *context)
{
    struct shot *s = context;
    struct zokor_cache *c = s->cache;
    (void)f;
    s->answered = true;
    if (cache_enter(c)) {
        if (s->pass == c->pass) {
            c->requests--;
            take_answer(c, s, r);
        }
        if (s->fired != 0)
            take_event(c, s, s->fired);
        send_all(c);
        cache_leave(c);
    }
    if (s->fired != 0 || !op_sets_watch(r->operation, r->rc))
        shot_free(s);
    else
        keep_or_cancel(c, s);
}

static bool send_one(struct zokor_cache *c, struct shot *s)
{
    static const enum zokor_operation operations[] = {
        [SHOT_DATA] = ZOKOR_GET,
        [SHOT_CHILDREN] = ZOKOR_GET_CHILDREN,
        [SHOT_CREATION] = ZOKOR_EXISTS,
    };
    const struct zokor_request q = {
        .operation = operations[s->kind],
        .flags = s->kind == SHOT_DATA ? ZOKOR_UNCOMPRESSED : 0, /* decompressed here, if at all */
        .path = s->path,
        .watch = on_watch,
        .watch_context = s,
    };
    list_remove(&s->link);
    if (op_start(c->f, &q, on_answer, s, false) == ZOK)
        return true;
    c->failed = true; /* the framework is being closed */
    shot_free(s);
    return false;
}

static void send_all(struct zokor_cache *c)
{
    if (c->closed) {
        drop_unsent(c);
        return;
    }
    while (!c->failed && c->requests < REQUESTS_MAX && !list_empty(&c->unsent))
        c->requests += send_one(c, CONTAINER_OF(list_first(&c->unsent), struct shot, link));
    if (c->requests == 0 && c->in_pass && !c->failed && list_empty(&c->unsent))
        cache_end_pass(c);
}

void shots_again(struct zokor_cache *c)
{
    c->failed = false;
    if (c->pass == 0)
        begin(c);
    send_all(c);
}

void shots_cancel(struct zokor_cache *c)
{
    drop_unsent(c); /* the event thread does not come here any more */
    for (;;) {
        pthread_mutex_lock(&c->lock);
        struct list *first = list_first(&c->shots);
        struct shot *s = first == NULL ? NULL : CONTAINER_OF(first, struct shot, link);
        bool over = s != NULL && cancel(c, s);
        if (first != NULL)
            list_remove(first);
        pthread_mutex_unlock(&c->lock);
        if (s == NULL)
            return;
        if (over)
            shot_free(s);
    }
}
