/* disk_direct: writes past the page cache. The cache and the disk agree about a range while such a write is made: its
 * dirty pages are written back and all of them forgotten before. What else of the file is in the cache does not matter
 * to it, and it makes nothing else durable. */
#include "base/err.h"
#include "base/mem.h"
#include "sim/disk.h"
#include "sim/disk_internal.h"

_Static_assert(DISK_BLOCK_BYTES % DISK_SECTOR_BYTES == 0, "blocks are of whole sectors");

/* Sizes that pend are noted by the sync of the write; with them goes what was written before. */
static void note_sizes(struct inode *i)
{
    struct change *last = NULL;
    for (struct change *c = i->changes; c != NULL; c = c->next)
        if (c->kind == DISK_OP_ALLOCATE || c->kind == DISK_OP_TRUNCATE)
            last = c;
    while (last != NULL) {
        bool end = i->changes == last;
        disk_image_apply(&i->durable, i->changes);
        disk_change_drop(i, &i->changes);
        if (end)
            last = NULL;
    }
}

/* The part of c that lies in [from, to) goes to the disk; what is left of it pends on. Returns what leads to the change
 * behind it. */
static struct change **write_back(struct inode *i, struct change **at, uint64_t from, uint64_t to)
{
    struct change *c = *at;
    uint64_t end = c->offset + c->n, lo = c->offset > from ? c->offset : from, hi = end < to ? end : to;
    if (c->kind != DISK_OP_WRITE || lo >= hi)
        return &c->next;
    if (!i->sync_broken) /* else the cache calls it clean, and forgets it */
        disk_image_write(&i->durable, lo, c->bytes + (lo - c->offset), hi - lo);
    if (hi < end) {
        struct change *right = mem_alloc(sizeof *right);
        *right = *c;
        right->offset = hi;
        right->n = end - hi;
        right->bytes = memcpy(mem_alloc(right->n), c->bytes + (hi - c->offset), right->n);
        c->next = right;
        if (right->next == NULL)
            i->changes_end = &right->next;
    }
    c->n = lo - c->offset;
    if (c->n != 0)
        return &c->next;
    disk_change_drop(i, at);
    return at;
}

/* The cache has nothing of [from, to) any more. */
static void leave_cache(struct inode *i, uint64_t from, uint64_t to)
{
    if (!i->sync_broken)
        note_sizes(i);
    for (struct change **at = &i->changes; *at != NULL;)
        at = write_back(i, at, from, to);
}

/* What a reader finds in a sector of c: the old bytes, which the disk has, or the new ones. */
static void show(struct inode *i, const struct change *c, uint64_t at, bool is_new)
{
    uint8_t old[DISK_SECTOR_BYTES];
    disk_image_read(&i->durable, at, old, sizeof old);
    disk_image_write(&i->now, at, is_new ? c->bytes + (at - c->offset) : old, sizeof old);
}

int disk_direct_begin(struct disk *d, const char *name, uint64_t offset, const void *p, size_t n, size_t zeros)
{
    bool cut;
    ASSERT(d->direct.inode == NULL && n > 0);
    if (d->dead)
        return ERR_IO;
    int err = disk_op_begin(d, DISK_OP_DIRECT, name, offset, n + zeros, &cut);
    struct inode *i = disk_inode_of(d, name);
    if (i == NULL)
        return ERR_NOT_FOUND;
    uint64_t end = offset + n + zeros;
    if (offset % DISK_BLOCK_BYTES != 0 || end % DISK_BLOCK_BYTES != 0 || end > i->now.size)
        return ERR_INVALID;
    i->whole_sectors = true;
    leave_cache(i, offset, end);
    uint8_t *bytes = mem_zalloc(n + zeros);
    memcpy(bytes, p, n);
    struct change *c = disk_change_pend(
        d, i, (struct change){ .kind = DISK_OP_DIRECT, .offset = offset, .n = n + zeros, .bytes = bytes });
    mem_free(bytes);
    for (uint64_t at = offset; at < end; at += DISK_SECTOR_BYTES)
        show(i, c, at, rng_below(&d->rng, 2) == 0);
    d->direct.inode = disk_inode_ref(i);
    d->direct.number = c->number;
    d->direct.err = err;
    return 0;
}

static struct change **under_way(struct disk *d)
{
    struct change **at = &d->direct.inode->changes;
    while (*at != NULL && (*at)->number != d->direct.number)
        at = &(*at)->next;
    ASSERT(*at != NULL); /* nobody syncs a file that is being written so */
    return at;
}

/* Of each sector something is there, for now or for good. */
static void break_off(struct disk *d, struct inode *i, const struct change *c)
{
    for (uint64_t at = c->offset; at < c->offset + c->n; at += DISK_SECTOR_BYTES) {
        uint64_t fate = rng_below(&d->rng, 4);
        const uint8_t *bytes = c->bytes + (at - c->offset);
        show(i, c, at, fate != 0);
        if (fate == 1)
            disk_image_write(&i->durable, at, bytes, DISK_SECTOR_BYTES);
        else if (fate != 0)
            (void)disk_change_pend(d, i,
                                   (struct change){ .kind = DISK_OP_WRITE,
                                                    .offset = at,
                                                    .n = DISK_SECTOR_BYTES,
                                                    .bytes = (uint8_t *)(uintptr_t)bytes });
    }
}

static void end_with(struct disk *d, int rc)
{
    struct inode *i = d->direct.inode;
    const struct change *c = *under_way(d);
    if (rc == 0) {
        disk_image_apply(&i->durable, c);
        disk_image_apply(&i->now, c);
    } else {
        break_off(d, i, c);
    }
    disk_change_drop(i, under_way(d));
    d->direct.inode = NULL;
    disk_inode_unref(d, i);
}

int disk_direct_end(struct disk *d, bool given_back)
{
    ASSERT(d->direct.inode != NULL || d->dead);
    if (d->dead)
        return ERR_IO;
    int rc = d->direct.err != 0 ? d->direct.err : given_back ? ERR_BUSY : 0;
    end_with(d, rc);
    return rc;
}

void disk_direct_finish(struct disk *d)
{
    if (d->direct.inode != NULL)
        end_with(d, 0);
}

bool disk_direct_is_under_way(const struct disk *d)
{
    return d->direct.inode != NULL;
}
