/* images: the tree on its way between servers: to a learner that is too far behind, and from a leader to us. */
#include "core/internal.h"
#include "tree/image.h"

#define SLICE_BYTES (128u * 1024)

/* ---- to a learner ---- */

void images_wanted(struct core *c, uint32_t link)
{
    struct image_wait *w = mem_alloc(sizeof *w), **at = &c->ens.image_waits;
    *w = (struct image_wait){ .link = link };
    while (*at != NULL)
        at = &(*at)->next;
    *at = w;
}

/* There is one walk of the tree at a time; a snapshot for the disk and other learners go first. */
void images_maybe_begin(struct core *c)
{
    struct ensemble *e = &c->ens;
    while (e->image_waits != NULL && c->walk == NULL) {
        struct image_wait *w = e->image_waits;
        e->image_waits = w->next;
        c->walk = tree_walk_begin(c->tree);
        e->image_for_peer = true;
        e->image_link = w->link;
        if (!zab_image_begin(e->zab, w->link, &c->out->zab))
            images_dropped(c, w->link);
        mem_free(w);
    }
}

void images_pull(struct core *c, uint32_t link)
{
    struct ensemble *e = &c->ens;
    if (c->walk == NULL || !e->image_for_peer || e->image_link != link)
        return;
    struct buf b;
    buf_init(&b, SIZE_MAX / 2);
    bool more = tree_walk_next(c->walk, SLICE_BYTES, &b);
    if (!more) {
        tree_walk_end(c->walk);
        c->walk = NULL;
        e->image_for_peer = false;
    }
    zab_image_bytes(e->zab, link, buf_slice(&b), !more, &c->out->zab);
    buf_fini(&b);
}

void images_dropped(struct core *c, uint32_t link)
{
    struct ensemble *e = &c->ens;
    for (struct image_wait **at = &e->image_waits; *at != NULL;) {
        struct image_wait *w = *at;
        if (w->link != link) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        mem_free(w);
    }
    if (c->walk == NULL || !e->image_for_peer || e->image_link != link)
        return;
    tree_walk_end(c->walk);
    c->walk = NULL;
    e->image_for_peer = false;
}

/* ---- from the leader ---- */

void images_read(struct core *c, bool first, int64_t zxid)
{
    struct ensemble *e = &c->ens;
    if (first) {
        tree_image_free(e->image);
        e->image = tree_image_new(&(struct tree_options){ .hash_key = rng_u64(&c->rng),
                                                          .extended_types = c->opt.extended_types,
                                                          .digest_enabled = c->opt.digest_enabled },
                                  c->opt.txn_bytes_max);
    }
    if (e->image == NULL)
        return;
    bool done = false;
    int64_t used = tree_image_feed(e->image, zab_image_buffered(e->zab), &done);
    int err = used < 0 ? (int)used : 0;
    if (err == 0 && done) {
        struct tree *t = tree_image_finish(e->image, zxid);
        e->image = NULL;
        if (t == NULL)
            err = ERR_CORRUPT;
        else
            ensemble_replace_tree(c, t);
    }
    if (err != 0) {
        log_error("image.refused", "zxid=0x%llx err=%s", (unsigned long long)zxid, err_name(err));
        tree_image_free(e->image);
        e->image = NULL;
    }
    zab_image_consumed(e->zab, used < 0 ? 0 : (size_t)used, done && err == 0, err, &c->out->zab);
}

void images_fini(struct core *c)
{
    struct ensemble *e = &c->ens;
    tree_image_free(e->image);
    e->image = NULL;
    while (e->image_waits != NULL) {
        struct image_wait *w = e->image_waits;
        e->image_waits = w->next;
        mem_free(w);
    }
}
