/* imaging: snapshots of the running tree. The image is exact at one zxid (architecture 7.3): it is begun between two
 * transactions, and what changes ahead of the walk leaves its old copy first. The shell pulls at its own pace. */
#include "base/museum.h"
#include "core/internal.h"

#define IMAGE_SLICE_BYTES (32u * 1024)

void imaging_maybe_begin(struct core *c)
{
    struct ensemble *e = &c->ens;
    /* Only what is decided may be in a snapshot (ZOOKEEPER-1549): none is begun between two roles, unless zab wants the
     * image on disk that the leader has sent. */
    bool wanted = e->image_wanted || (c->snapshot_wanted && (e->zab == NULL || e->serving));
    if (!wanted || c->snapshot_running || c->walk != NULL)
        return;
    if (e->image_wanted)
        e->image_saving = true;
    else
        c->snapshot_wanted = false;
    e->image_wanted = false;
    c->snapshot_running = true;
    c->walk = tree_walk_begin(c->tree);
    c->out->snapshot.begin = true;
    c->out->snapshot.zxid = SIM_BUG(snapshot_too_new) ? c->pipe.last_proposed : tree_walk_zxid(c->walk);
    c->out->snapshot.digest = tree_walk_digest(c->walk);
    c->out->snapshot.digest_zxid = tree_walk_zxid(c->walk);
    log_info("snapshot.begin", "zxid=0x%llx nodes=%lld", (unsigned long long)tree_walk_zxid(c->walk),
             (long long)tree_node_count(c->tree));
}

void imaging_pull(struct core *c)
{
    if (c->ens.image_abort) {
        c->out->snapshot.abort = true;
        return;
    }
    if (c->walk == NULL)
        return;
    struct buf b;
    buf_init(&b, SIZE_MAX / 2);
    bool more = tree_walk_next(c->walk, IMAGE_SLICE_BYTES, &b);
    uint8_t *p = out_bytes(c, b.n);
    if (b.n != 0)
        memcpy(p, b.p, b.n);
    c->out->snapshot.body = slice_of(p, b.n);
    buf_fini(&b);
    if (more)
        return;
    c->out->snapshot.end = true;
    tree_walk_end(c->walk);
    c->walk = NULL;
}

/* A failed one is asked for again by the next roll of the log; the logs since the last good one are all kept. */
void imaging_done(struct core *c, int err)
{
    struct ensemble *e = &c->ens;
    if (c->walk != NULL) {
        tree_walk_end(c->walk);
        c->walk = NULL;
    }
    c->snapshot_running = false;
    e->image_abort = false;
    if (e->image_saving) {
        e->image_saving = false;
        struct zab_event ev = { .type = ZAB_EV_IMAGE_SAVED, .now_ms = c->now_ms, .err = err };
        zab_step(e->zab, &ev, &c->out->zab);
    }
    if (err == 0)
        c->stats.snapshots_taken++;
    else
        log_error("snapshot.failed", "err=%s next=\"the server goes on; logs are kept; the next roll tries again\"",
                  err_text(err));
}
