/* images: the tree on its way between servers: to learners that are too far behind, and from a leader to us. */
#include "core/internal.h"
#include "tree/image.h"

#define SLICE_BYTES (128u * 1024)

/* ---- to learners ---- */

static struct image_send *find_send(const struct core *c, uint32_t link)
{
    struct image_send *s = c->ens.image_sends;
    while (s != NULL && s->link != link)
        s = s->next;
    return s;
}

void images_wanted(struct core *c, uint32_t link)
{
    struct image_send *s = mem_alloc(sizeof *s);
    *s = (struct image_send){ .next = c->ens.image_sends, .link = link };
    c->ens.image_sends = s;
}

/* Each learner has a walk of its own: nobody waits for a slower one, nor for a snapshot on its way to the disk. */
void images_maybe_begin(struct core *c)
{
    struct image_send *next;
    for (struct image_send *s = c->ens.image_sends; s != NULL; s = next) {
        next = s->next;
        if (s->walk != NULL)
            continue;
        s->walk = tree_walk_begin(c->tree);
        if (!zab_image_begin(c->ens.zab, s->link, &c->out->zab))
            images_dropped(c, s->link);
    }
}

void images_pull(struct core *c, uint32_t link)
{
    struct image_send *s = find_send(c, link);
    if (s == NULL || s->walk == NULL)
        return;
    struct buf b;
    buf_init(&b, SIZE_MAX / 2);
    bool more = tree_walk_next(s->walk, SLICE_BYTES, &b);
    zab_image_bytes(c->ens.zab, link, buf_slice(&b), !more, &c->out->zab);
    buf_fini(&b);
    if (!more)
        images_dropped(c, link);
}

void images_dropped(struct core *c, uint32_t link)
{
    struct image_send **at = &c->ens.image_sends;
    while (*at != NULL && (*at)->link != link)
        at = &(*at)->next;
    struct image_send *s = *at;
    if (s == NULL)
        return;
    *at = s->next;
    tree_walk_end(s->walk);
    mem_free(s);
}

/* What changes ahead of a walk is kept for it. Together the images may keep so much; above, the one that keeps most is
 * given up: its learner tries again, others go on. */
void images_limit(struct core *c)
{
    for (;;) {
        size_t sum = 0, most = 0;
        const struct image_send *largest = NULL;
        for (const struct image_send *s = c->ens.image_sends; s != NULL; s = s->next) {
            size_t n = s->walk == NULL ? 0 : tree_walk_saved_bytes(s->walk);
            sum += n;
            if (n > most) {
                most = n;
                largest = s;
            }
        }
        if (largest == NULL || c->opt.image_saved_bytes_max == 0 || sum <= c->opt.image_saved_bytes_max)
            return;
        uint32_t link = largest->link;
        images_dropped(c, link);
        zab_image_failed(c->ens.zab, link, &c->out->zab);
    }
}

void images_drop_all(struct core *c)
{
    while (c->ens.image_sends != NULL)
        images_dropped(c, c->ens.image_sends->link);
}

/* ---- from the leader ---- */

void images_read(struct core *c, bool first, int64_t zxid)
{
    struct ensemble *e = &c->ens;
    if (first) {
        tree_image_free(e->image);
        e->image = tree_image_new(&(struct tree_options){ .hash_key = rng_u64(&c->rng),
                                                          .extended_types = c->opt.extended_types,
                                                          .ttl_353 = c->opt.ttl_353,
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
    images_drop_all(c);
}
