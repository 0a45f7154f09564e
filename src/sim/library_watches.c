#include "sim/library_watches.h"
#include "base/mem.h"
#include "wire/proto.h"
#include <stdio.h>

void library_watches_fini(struct library_watches *w)
{
    mem_free(w->p);
    *w = (struct library_watches){ 0 };
}

void library_watch_add(struct library_watches *w, enum client_watch_kind kind, struct slice path, unsigned watcher,
                       int64_t since)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->p[i].kind == kind && w->p[i].watcher == watcher && slice_eq_str(path, w->p[i].path))
            return;
    if (w->n == w->cap) {
        w->cap = w->cap == 0 ? 16 : w->cap * 2;
        w->p = mem_realloc(w->p, w->cap * sizeof *w->p);
    }
    struct library_watch *one = &w->p[w->n++];
    one->kind = kind;
    one->watcher = watcher;
    one->since = since;
    snprintf(one->path, sizeof one->path, "%.*s", SLICE_ARG(path));
}

void library_watch_forget(struct library_watches *w, struct slice path, unsigned kinds, unsigned watcher)
{
    size_t left = 0;
    for (size_t i = 0; i < w->n; i++) {
        const struct library_watch *one = &w->p[i];
        bool goes = slice_eq_str(path, one->path) && (kinds & CLIENT_WATCH_BIT(one->kind)) != 0 &&
                    (watcher == LIBRARY_EVERYBODY || watcher == one->watcher);
        if (!goes)
            w->p[left++] = w->p[i];
    }
    w->n = left;
}

static bool lies_below(struct slice path, const char *top)
{
    size_t n = strlen(top);
    if (n == 1)
        return true;
    return path.n > n && memcmp(path.p, top, n) == 0 && path.p[n] == '/';
}

static bool hears(const struct library_watch *one, int32_t type, struct slice path)
{
    bool here = slice_eq_str(path, one->path), children = type == WIRE_EVENT_CHILDREN_CHANGED;
    switch (one->kind) {
    case CLIENT_WATCH_DATA:
    case CLIENT_WATCH_EXIST:
        return here && !children;
    case CLIENT_WATCH_CHILD:
        return here && (children || type == WIRE_EVENT_DELETED);
    case CLIENT_WATCH_PERSISTENT:
        return here;
    default:
        return !children && (here || lies_below(path, one->path));
    }
}

unsigned library_watch_fire(struct library_watches *w, int32_t type, struct slice path)
{
    unsigned who = 0;
    size_t left = 0;
    for (size_t i = 0; i < w->n; i++) {
        bool told = hears(&w->p[i], type, path);
        who |= told ? 1u << w->p[i].watcher : 0;
        if (!told || w->p[i].kind >= CLIENT_WATCH_PERSISTENT)
            w->p[left++] = w->p[i];
    }
    w->n = left;
    return who;
}

unsigned library_watch_everybody(const struct library_watches *w)
{
    unsigned who = 0;
    for (size_t i = 0; i < w->n; i++)
        who |= 1u << w->p[i].watcher;
    return who;
}

size_t library_watch_count(const struct library_watches *w)
{
    size_t count = 0;
    for (size_t i = 0; i < w->n; i++) {
        bool seen = false;
        for (size_t j = 0; j < i && !seen; j++)
            seen = w->p[j].kind == w->p[i].kind && strcmp(w->p[j].path, w->p[i].path) == 0;
        count += !seen;
    }
    return count;
}

bool library_watch_has(const struct library_watches *w, enum client_watch_kind kind, struct slice path)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->p[i].kind == kind && slice_eq_str(path, w->p[i].path))
            return true;
    return false;
}
