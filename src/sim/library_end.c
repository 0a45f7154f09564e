/* library_end: when all is quiet, no watch that still waits may have missed what it waits for. */
#include "base/mem.h"
#include "sim/library_internal.h"
#include "sim/model.h"

/* What a watch has missed: the node's zxid of it, or 1: it is gone; 0: nothing. */
static int64_t missed(const struct model_node *n, const struct library_watch *one)
{
    switch (one->kind) {
    case CLIENT_WATCH_EXIST:
        return n == NULL ? 0 : n->stat.czxid;
    case CLIENT_WATCH_DATA:
        return n == NULL ? 1 : n->stat.mzxid > one->since ? n->stat.mzxid : 0;
    case CLIENT_WATCH_CHILD:
        return n == NULL ? 1 : n->stat.pzxid > one->since ? n->stat.pzxid : 0;
    default:
        return 0;
    }
}

void library_denied(struct library *l, struct slice path)
{
    library_watch_add(&l->denied, CLIENT_WATCH_DATA, path, 0, 0);
}

void library_judge_end(struct library *l, const struct model *m)
{
    const struct library_judge *j = &l->judge;
    if (l->core == NULL || !j->up || j->read_only || l->c->cables[l->cable].muted)
        return;
    for (size_t i = 0; i < j->watches.n; i++) {
        const struct library_watch *one = &j->watches.p[i];
        int64_t zxid = missed(model_find(m, slice_str(one->path)), one);
        cover(&l->c->coverage, COVER_library_watches_kept);
        if (zxid != 0 && !library_watch_has(&l->denied, CLIENT_WATCH_DATA, slice_str(one->path)))
            judge_wrong(&l->judge, "library.missed",
                        "watcher %u, kind %d, has waited at %s since 0x%llx, and was never told of 0x%llx",
                        one->watcher, one->kind, one->path, (unsigned long long)one->since, (unsigned long long)zxid);
    }
}
