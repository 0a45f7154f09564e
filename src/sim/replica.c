#include "sim/replica.h"
#include "base/log.h"

/* A server never logs before a snapshot is there (disk specification 7): readers refuse logs without one. */
static int first_snapshot(struct replica *r, struct tree *t, const struct replica_options *o, struct store_error *err)
{
    const struct snapshot_write_options so = { .dir = r->dirs.snap_dir,
                                               .zxid = tree_last_zxid(t),
                                               .digest = o->core.digest_enabled,
                                               .tree_digest = tree_digest(t),
                                               .digest_zxid = tree_last_zxid(t),
                                               .last_zxid_block = true };
    return snapshot_write_tree(r->fs, &so, t, err);
}

int replica_start(struct replica *r, struct fs *fs, const struct store_dirs *dirs, const struct replica_options *o,
                  struct store_error *err)
{
    *r = (struct replica){ .fs = fs, .dirs = *dirs, .now_ms = 1000000, .wall_ms = 1700000000000 };
    int rc = fs->ops->make_dir(fs, dirs->snap_dir);
    if (rc == 0)
        rc = fs->ops->make_dir(fs, dirs->log_dir);
    if (rc == 0)
        rc = store_recover(fs, dirs, &o->recover, &r->recovered, err);
    if (rc != 0)
        return rc;
    if (r->recovered.snapshot_zxid < 0 && (rc = first_snapshot(r, r->recovered.tree, o, err)) != 0) {
        tree_free(r->recovered.tree);
        return rc;
    }
    r->log = txnlog_new(fs, &o->log);
    r->appended_zxid = r->durable_zxid = r->recovered.last_zxid;
    core_out_init(&r->out);
    for (int i = 0; i < REPLICA_CONNS; i++)
        buf_init(&r->sent[i], 64u << 20);
    r->core = core_new(&o->core, r->recovered.tree, r->now_ms);
    return 0;
}

static void take_sends(struct replica *r)
{
    for (size_t i = 0; i < r->out.fx_count; i++) {
        const struct core_fx *fx = &r->out.fx[i];
        ASSERT(fx->conn < REPLICA_CONNS);
        if (fx->type == CORE_FX_SEND)
            buf_append(&r->sent[fx->conn], fx->p, fx->n);
        else if (fx->type == CORE_FX_CLOSE)
            r->closed[fx->conn] = true;
    }
}

static void take_appends(struct replica *r)
{
    for (size_t i = 0; i < r->out.append_count; i++) {
        const struct core_append *a = &r->out.appends[i];
        if (r->on_append != NULL)
            r->on_append(r->ctx, a->zxid, blob_slice(a->txn));
        txnlog_append(r->log, a->zxid, blob_slice(a->txn));
        if (a->roll_after)
            txnlog_roll(r->log);
        r->appended_zxid = a->zxid;
        blob_unref(a->txn);
    }
}

/* Saved (rc 0) or not: the core is told, and may begin another. */
static void image_done(struct replica *r, int rc, const struct store_error *err)
{
    if (rc != 0)
        log_warn("replica.snapshot", "err=%s text=\"%s\"", err_name(rc), err->text);
    r->image = NULL;
    r->image_open = false;
    struct core_event ev = { .type = CORE_EV_SNAPSHOT_DONE, .err = rc };
    (void)replica_step(r, ev);
}

static void take_snapshot(struct replica *r)
{
    struct core_snapshot_fx s = r->out.snapshot;
    struct store_error err = { "" };
    if (s.begin) {
        r->image_open = true;
        int rc = snapshot_write_begin(r->fs,
                                      &(struct snapshot_write_options){ .dir = r->dirs.snap_dir,
                                                                        .zxid = s.zxid,
                                                                        .digest = true,
                                                                        .tree_digest = s.digest,
                                                                        .digest_zxid = s.digest_zxid,
                                                                        .last_zxid_block = true },
                                      &r->image, &err);
        if (rc != 0)
            r->image = NULL; /* told at the next pull: the core is in the middle of a step */
    }
}

bool replica_step(struct replica *r, struct core_event ev)
{
    ev.now_ms = r->now_ms;
    ev.wall_ms = r->wall_ms;
    bool go_on = core_step(r->core, &ev, &r->out);
    take_sends(r);
    take_appends(r);
    take_snapshot(r);
    core_out_reset(&r->out);
    return go_on;
}

int replica_flush(struct replica *r, struct store_error *err)
{
    int rc = txnlog_flush(r->log, err);
    if (rc != 0)
        return rc;
    if (r->durable_zxid == r->appended_zxid)
        return 0;
    r->durable_zxid = r->appended_zxid;
    replica_step(r, (struct core_event){ .type = CORE_EV_LOG_SYNCED, .zxid = r->durable_zxid });
    return 0;
}

void replica_image(struct replica *r)
{
    if (!r->image_open)
        return;
    struct store_error err = { "could not be created" };
    if (r->image == NULL) {
        image_done(r, ERR_IO, &err);
        return;
    }
    struct core_event ev = { .type = CORE_EV_SNAPSHOT_PULL, .now_ms = r->now_ms, .wall_ms = r->wall_ms };
    (void)core_step(r->core, &ev, &r->out);
    take_sends(r);
    take_appends(r);
    bool end = r->out.snapshot.end;
    int rc = snapshot_write_body(r->image, r->out.snapshot.body, &err);
    core_out_reset(&r->out);
    if (rc != 0) {
        snapshot_write_abort(r->image);
        image_done(r, rc, &err);
        return;
    }
    if (!end)
        return;
    rc = snapshot_write_end(r->image, &err);
    image_done(r, rc, &err);
}

void replica_stop(struct replica *r)
{
    if (r->core == NULL)
        return;
    snapshot_write_abort(r->image);
    txnlog_free(r->log);
    core_free(r->core);
    core_out_fini(&r->out);
    for (int i = 0; i < REPLICA_CONNS; i++)
        buf_fini(&r->sent[i]);
    *r = (struct replica){ 0 };
}
