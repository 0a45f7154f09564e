#include "sim/model_watch.h"
#include "base/hash.h"
#include "base/mem.h"

void model_watches_init(struct model_watches *w)
{
    w->bucket_count = 1024;
    w->buckets = mem_zalloc(w->bucket_count * sizeof(struct model_watch *));
}

void model_watches_fini(struct model_watches *w)
{
    for (size_t i = 0; i < w->bucket_count; i++) {
        for (struct model_watch *x = w->buckets[i], *next; x != NULL; x = next) {
            next = x->hash_next;
            mem_free(x);
        }
    }
    mem_free(w->buckets);
}

static struct model_watch **bucket(const struct model_watches *w, struct slice path, uint64_t *hash)
{
    *hash = hash_slice(0xcafe, path);
    return &w->buckets[*hash & (w->bucket_count - 1)];
}

static struct model_watch **find(const struct model_watches *w, uint32_t cable, struct slice path)
{
    uint64_t hash;
    struct model_watch **at = bucket(w, path, &hash);
    while (*at != NULL &&
           ((*at)->hash != hash || (*at)->cable != cable || !slice_eq(path, slice_of((*at)->path, (*at)->path_n))))
        at = &(*at)->hash_next;
    return at;
}

void model_watch_add(struct model_watches *w, uint32_t cable, struct slice path, unsigned modes)
{
    struct model_watch **at = find(w, cable, path);
    if (*at == NULL) {
        uint64_t hash;
        (void)bucket(w, path, &hash);
        struct model_watch *x = mem_zalloc(sizeof *x + path.n + 1);
        x->hash = hash;
        x->cable = cable;
        x->path_n = path.n;
        memcpy(x->path, path.p, path.n);
        *at = x;
    }
    (*at)->modes |= modes;
}

unsigned model_watch_modes(const struct model_watches *w, uint32_t cable, struct slice path)
{
    struct model_watch *x = *find(w, cable, path);
    return x == NULL ? 0 : x->modes;
}

unsigned model_watch_remove(struct model_watches *w, uint32_t cable, struct slice path, unsigned modes)
{
    struct model_watch **at = find(w, cable, path), *x = *at;
    if (x == NULL)
        return 0;
    unsigned there = x->modes & modes;
    x->modes &= ~modes;
    if (x->modes == 0) {
        *at = x->hash_next;
        mem_free(x);
    }
    return there;
}

static void fire_at(struct model_watches *w, struct slice path, unsigned modes, unsigned once,
                    void (*fn)(void *ctx, uint32_t cable, unsigned modes), void *ctx)
{
    uint64_t hash;
    struct model_watch **at = bucket(w, path, &hash);
    while (*at != NULL) {
        struct model_watch *x = *at;
        bool here = x->hash == hash && slice_eq(path, slice_of(x->path, x->path_n));
        if (here && (x->modes & modes) != 0)
            fn(ctx, x->cable, x->modes & modes);
        if (here)
            x->modes &= ~once;
        if (x->modes == 0) {
            *at = x->hash_next;
            mem_free(x);
        } else {
            at = &x->hash_next;
        }
    }
}

void model_watch_fire(struct model_watches *w, int32_t type, struct slice path,
                      void (*fn)(void *ctx, uint32_t cable, unsigned modes), void *ctx)
{
    unsigned once = type == WIRE_EVENT_CHILDREN_CHANGED ? MODEL_WATCH_CHILD
                    : type == WIRE_EVENT_DELETED        ? MODEL_WATCH_DATA | MODEL_WATCH_CHILD
                                                        : MODEL_WATCH_DATA;
    fire_at(w, path, once | MODEL_WATCH_ALL, once, fn, ctx);
    if (type == WIRE_EVENT_CHILDREN_CHANGED)
        return;
    for (size_t n = path.n; n != 0; n--) {
        if (n == path.n || path.p[n] == '/')
            fire_at(w, slice_of(path.p, n), MODEL_WATCH_BELOW, 0, fn, ctx);
    }
    if (path.n > 1)
        fire_at(w, slice_str("/"), MODEL_WATCH_BELOW, 0, fn, ctx);
}
