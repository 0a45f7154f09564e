#include "sim/disk.h"
#include "base/err.h"
#include "base/mem.h"
#include "sim/disk_internal.h"
#include <stdio.h>

/* A torn write is cut at a byte or loses sectors, half of the time each; or only the size survives. */
enum tear { TEAR_PREFIX, TEAR_SECTORS, TEAR_SIZE_ONLY, TEAR_KINDS };

static char *text_dup(const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(mem_alloc(n), s, n);
}

static struct disk *disk_of(struct fs *fs)
{
    return CONTAINER_OF(fs, struct disk, fs);
}

/* ---- contents ---- */

static void image_resize(struct image *m, uint64_t size)
{
    if (size < m->n)
        m->n = size;
    m->size = size;
}

void disk_image_write(struct image *m, uint64_t offset, const uint8_t *p, uint64_t n)
{
    uint64_t size = offset + n;
    if (n != 0 && size > m->size)
        m->size = size;
    while (n != 0 && offset + n > m->n && p[n - 1] == 0) /* behind what is stored are zeros already */
        n--;
    uint64_t end = offset + n;
    if (n == 0)
        return;
    if (end > m->cap) {
        m->cap = end + end / 2;
        m->p = mem_realloc(m->p, m->cap);
    }
    if (offset > m->n)
        memset(m->p + m->n, 0, offset - m->n);
    memcpy(m->p + offset, p, n);
    if (end > m->n)
        m->n = end;
}

void disk_image_read(const struct image *m, uint64_t offset, uint8_t *p, uint64_t n)
{
    uint64_t stored = offset < m->n ? m->n - offset : 0;
    if (stored > n)
        stored = n;
    if (stored > 0)
        memcpy(p, m->p + offset, stored);
    memset(p + stored, 0, n - stored);
}

static void image_copy(struct image *to, const struct image *from)
{
    *to = (struct image){ 0 };
    disk_image_write(to, 0, from->p, from->n);
    image_resize(to, from->size);
}

void disk_image_apply(struct image *m, const struct change *c)
{
    if (c->kind == DISK_OP_WRITE || c->kind == DISK_OP_DIRECT)
        disk_image_write(m, c->offset, c->bytes, c->n);
    else if (c->kind == DISK_OP_TRUNCATE || c->offset > m->size)
        image_resize(m, c->offset);
}

static void image_apply_sectors(struct image *m, const struct change *c, struct rng *rng)
{
    for (uint64_t at = c->offset, end = c->offset + c->n; at < end;) {
        uint64_t to = (at / DISK_SECTOR_BYTES + 1) * DISK_SECTOR_BYTES;
        if (to > end)
            to = end;
        if (rng_below(rng, 2) == 0)
            disk_image_write(m, at, c->bytes + (at - c->offset), to - at);
        at = to;
    }
}

/* How many bytes of a write are there when the first n are: with whole_sectors, as many as fill sectors. */
static uint64_t first_bytes(bool whole_sectors, uint64_t offset, uint64_t n)
{
    uint64_t over = (offset + n) % DISK_SECTOR_BYTES;
    return !whole_sectors ? n : over < n ? n - over : 0;
}

static void image_apply_torn(struct image *m, const struct change *c, bool whole_sectors, struct rng *rng)
{
    if (c->kind == DISK_OP_DIRECT)
        image_apply_sectors(m, c, rng);
    if (c->kind != DISK_OP_WRITE) /* sizes change whole */
        return;
    switch ((enum tear)rng_below(rng, TEAR_KINDS)) {
    case TEAR_PREFIX:
        disk_image_write(m, c->offset, c->bytes, first_bytes(whole_sectors, c->offset, rng_below(rng, c->n)));
        return;
    case TEAR_SIZE_ONLY:
        if (c->offset + c->n > m->size)
            image_resize(m, c->offset + c->n);
        return;
    default:
        image_apply_sectors(m, c, rng);
    }
}

struct change *disk_change_pend(struct disk *d, struct inode *i, struct change change)
{
    struct change *c = mem_alloc(sizeof *c);
    *c = change;
    c->number = ++d->change_number;
    c->next = NULL;
    if (c->bytes != NULL)
        c->bytes = memcpy(mem_alloc(c->n), c->bytes, c->n);
    *i->changes_end = c;
    i->changes_end = &c->next;
    return c;
}

static void change_add(struct disk *d, struct inode *i, struct change change)
{
    disk_image_apply(&i->now, disk_change_pend(d, i, change));
}

void disk_change_drop(struct inode *i, struct change **at)
{
    struct change *c = *at;
    *at = c->next;
    if (i->changes_end == &c->next)
        i->changes_end = at;
    mem_free(c->bytes);
    mem_free(c);
}

static void changes_drop(struct inode *i)
{
    while (i->changes != NULL)
        disk_change_drop(i, &i->changes);
}

/* ---- inodes and names ---- */

static struct inode *inode_new(struct disk *d)
{
    struct inode *i = mem_zalloc(sizeof *i);
    i->changes_end = &i->changes;
    i->next = d->inodes;
    d->inodes = i;
    return i;
}

struct inode *disk_inode_ref(struct inode *i)
{
    i->refs++;
    return i;
}

void disk_inode_unref(struct disk *d, struct inode *i)
{
    ASSERT(i->refs > 0);
    if (--i->refs > 0)
        return;
    struct inode **at = &d->inodes;
    while (*at != i)
        at = &(*at)->next;
    *at = i->next;
    changes_drop(i);
    mem_free(i->now.p);
    mem_free(i->durable.p);
    mem_free(i);
}

static struct name **name_find(struct name **list, const char *text)
{
    while (*list != NULL && strcmp((*list)->text, text) != 0)
        list = &(*list)->next;
    return list;
}

static void name_drop(struct disk *d, struct name **at)
{
    struct name *n = *at;
    if (n == NULL)
        return;
    *at = n->next;
    disk_inode_unref(d, n->inode);
    mem_free(n->text);
    mem_free(n);
}

static void name_set(struct disk *d, struct name **list, const char *text, struct inode *inode)
{
    disk_inode_ref(inode);
    name_drop(d, name_find(list, text));
    struct name *n = mem_alloc(sizeof *n);
    *n = (struct name){ .text = text_dup(text), .inode = inode, .next = *list };
    *list = n;
}

static void renaming_apply(struct disk *d, struct name **list, const struct renaming *r)
{
    if (r->from != NULL)
        name_drop(d, name_find(list, r->from));
    if (r->to != NULL)
        name_set(d, list, r->to, r->inode);
}

/* Changes the current names, and pends. */
static void renaming_add(struct disk *d, const char *from, const char *to, struct inode *inode)
{
    struct renaming *r = mem_zalloc(sizeof *r);
    r->number = ++d->change_number;
    r->from = from == NULL ? NULL : text_dup(from);
    r->to = to == NULL ? NULL : text_dup(to);
    r->inode = disk_inode_ref(inode);
    *d->renamings_end = r;
    d->renamings_end = &r->next;
    renaming_apply(d, &d->now, r);
}

static void renaming_drop(struct disk *d, struct renaming **at)
{
    struct renaming *r = *at;
    *at = r->next;
    if (d->renamings_end == &r->next)
        d->renamings_end = at;
    disk_inode_unref(d, r->inode);
    mem_free(r->from);
    mem_free(r->to);
    mem_free(r);
}

static bool is_in(const char *dir, const char *name)
{
    size_t n = strlen(dir);
    return strncmp(dir, name, n) == 0 && name[n] == '/' && strchr(name + n + 1, '/') == NULL;
}

static bool renaming_is_in(const struct renaming *r, const char *dir)
{
    return (r->to != NULL && is_in(dir, r->to)) || (r->from != NULL && is_in(dir, r->from));
}

static struct directory *dir_find(const struct disk *d, const char *text)
{
    struct directory *dir = d->dirs;
    while (dir != NULL && strcmp(dir->text, text) != 0)
        dir = dir->next;
    return dir;
}

static void dir_add(struct disk *d, const char *text)
{
    if (dir_find(d, text) != NULL)
        return;
    struct directory *dir = mem_alloc(sizeof *dir);
    *dir = (struct directory){ .text = text_dup(text), .next = d->dirs };
    d->dirs = dir;
}

/* ---- one operation ---- */

int disk_op_begin(struct disk *d, enum disk_op_kind kind, const char *name, uint64_t offset, uint64_t n, bool *cut)
{
    *cut = false;
    if (d->dead)
        return ERR_IO;
    if (kind & DISK_OP_CHANGING) {
        static const char *const verbs[] = { "open",
                                             "write",
                                             "allocate",
                                             "truncate",
                                             "sync",
                                             "rename",
                                             "remove",
                                             "sync the directory",
                                             "read",
                                             "list",
                                             "write past the cache" };
        (void)snprintf(d->last_op, sizeof d->last_op, "%s %s at %llu, %llu bytes", verbs[__builtin_ctz(kind)], name,
                       (unsigned long long)offset, (unsigned long long)n);
        d->op_count++;
        *cut = d->dead = d->op_count == d->cut_at;
    }
    if (!(d->fault.kinds & (unsigned)kind) || d->fault.nth == 0)
        return 0;
    if (d->fault.nth > 1) {
        d->fault.nth--;
        return 0;
    }
    d->fault_hit = true;
    if (!d->fault.lasting)
        d->fault.nth = 0;
    return d->fault.err;
}

struct inode *disk_inode_of(struct disk *d, const char *name)
{
    struct name *n = *name_find(&d->now, name);
    return n == NULL ? NULL : n->inode;
}

static uint64_t disk_used(const struct disk *d)
{
    uint64_t used = 0;
    for (const struct inode *i = d->inodes; i != NULL; i = i->next)
        used += i->now.size;
    return used;
}

static bool has_room(const struct disk *d, const struct inode *i, uint64_t size)
{
    return d->capacity == 0 || size <= i->now.size || disk_used(d) + (size - i->now.size) <= d->capacity;
}

static int op_open(struct fs *fs, const char *name, int flags, struct fs_file **out)
{
    struct disk *d = disk_of(fs);
    bool cut;
    int rc = disk_op_begin(d, DISK_OP_OPEN, name, 0, 0, &cut);
    if (rc < 0)
        return rc;
    struct name *n = *name_find(&d->now, name);
    if (n == NULL && !(flags & FS_CREATE))
        return cut ? ERR_IO : ERR_NOT_FOUND;
    struct inode *i = n != NULL ? n->inode : inode_new(d);
    if (n == NULL)
        renaming_add(d, NULL, name, i);
    if ((flags & FS_TRUNCATE) && i->now.size > 0)
        change_add(d, i, (struct change){ .kind = DISK_OP_TRUNCATE });
    if (cut)
        return ERR_IO;
    *out = mem_alloc(sizeof **out);
    **out = (struct fs_file){ .disk = d, .inode = disk_inode_ref(i), .name = text_dup(name) };
    d->open_files++;
    return 0;
}

static void op_close(struct fs_file *f)
{
    if (f == NULL)
        return;
    f->disk->open_files--;
    disk_inode_unref(f->disk, f->inode);
    mem_free(f->name);
    mem_free(f);
}

static int op_write_at(struct fs_file *f, uint64_t offset, const void *p, size_t n)
{
    struct disk *d = f->disk;
    bool cut;
    int rc = disk_op_begin(d, DISK_OP_WRITE, f->name, offset, n, &cut);
    if (rc == 0 && !has_room(d, f->inode, offset + n))
        rc = ERR_NO_SPACE;
    if (d->dead && !cut)
        return ERR_IO;
    size_t done = rc < 0 ? first_bytes(f->inode->whole_sectors, offset, n / 2) : n;
    if (done > 0 && (rc == 0 || has_room(d, f->inode, offset + done)))
        change_add(
            d, f->inode,
            (struct change){ .kind = DISK_OP_WRITE, .offset = offset, .n = done, .bytes = (uint8_t *)(uintptr_t)p });
    return cut ? ERR_IO : rc;
}

static int64_t op_read_at(struct fs_file *f, uint64_t offset, void *p, size_t n)
{
    const struct image *m = &f->inode->now;
    bool cut;
    int rc = disk_op_begin(f->disk, DISK_OP_READ, f->name, offset, n, &cut);
    if (rc < 0)
        return rc;
    if (offset >= m->size)
        return 0;
    if (n > m->size - offset)
        n = m->size - offset;
    disk_image_read(m, offset, p, n);
    return (int64_t)n;
}

static int64_t op_size(struct fs_file *f)
{
    return f->disk->dead ? ERR_IO : (int64_t)f->inode->now.size;
}

static int resize(struct fs_file *f, enum disk_op_kind kind, uint64_t size)
{
    struct disk *d = f->disk;
    bool cut;
    int rc = disk_op_begin(d, kind, f->name, size, 0, &cut);
    if (rc < 0)
        return rc;
    if (!has_room(d, f->inode, size))
        return ERR_NO_SPACE;
    if (kind == DISK_OP_TRUNCATE ? size != f->inode->now.size : size > f->inode->now.size)
        change_add(d, f->inode, (struct change){ .kind = kind, .offset = size });
    return cut ? ERR_IO : 0;
}

static int op_allocate(struct fs_file *f, uint64_t size)
{
    return resize(f, DISK_OP_ALLOCATE, size);
}

static int op_truncate(struct fs_file *f, uint64_t size)
{
    return resize(f, DISK_OP_TRUNCATE, size);
}

static int op_sync(struct fs_file *f)
{
    struct inode *i = f->inode;
    bool cut;
    int rc = disk_op_begin(f->disk, DISK_OP_SYNC, f->name, 0, 0, &cut);
    if (rc < 0)
        i->sync_broken = true;
    if (rc < 0 || cut)
        return rc < 0 ? rc : ERR_IO;
    if (i->sync_broken)
        return 0;
    for (const struct change *c = i->changes; c != NULL; c = c->next)
        disk_image_apply(&i->durable, c);
    changes_drop(i);
    return 0;
}

static int op_settle(struct fs_file *f)
{
    struct inode *i = f->inode;
    bool lost = i->sync_broken;
    int rc = op_sync(f);
    if (rc < 0 || !lost)
        return rc;
    mem_free(i->now.p);
    image_copy(&i->now, &i->durable);
    changes_drop(i);
    i->sync_broken = false;
    return 0;
}

static int op_rename(struct fs *fs, const char *from, const char *to)
{
    struct disk *d = disk_of(fs);
    bool cut;
    int rc = disk_op_begin(d, DISK_OP_RENAME, from, 0, 0, &cut);
    if (rc < 0)
        return rc;
    struct name *n = *name_find(&d->now, from);
    if (n == NULL)
        return ERR_NOT_FOUND;
    if (strcmp(from, to) != 0)
        renaming_add(d, from, to, n->inode);
    return cut ? ERR_IO : 0;
}

static int op_remove(struct fs *fs, const char *name)
{
    struct disk *d = disk_of(fs);
    bool cut;
    int rc = disk_op_begin(d, DISK_OP_REMOVE, name, 0, 0, &cut);
    if (rc < 0)
        return rc;
    struct name *n = *name_find(&d->now, name);
    if (n == NULL)
        return ERR_NOT_FOUND;
    renaming_add(d, name, NULL, n->inode);
    return cut ? ERR_IO : 0;
}

static int op_make_dir(struct fs *fs, const char *name)
{
    struct disk *d = disk_of(fs);
    if (d->dead)
        return ERR_IO;
    char *path = text_dup(name);
    for (char *p = path + 1; *p != '\0'; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        dir_add(d, path);
        *p = '/';
    }
    dir_add(d, path);
    mem_free(path);
    return 0;
}

/* In an order that the seed chooses. fn may change the disk: it sees the names as they were. */
static int op_list(struct fs *fs, const char *dir, void (*fn)(void *ctx, const char *name), void *ctx)
{
    struct disk *d = disk_of(fs);
    bool cut;
    int rc = disk_op_begin(d, DISK_OP_LIST, dir, 0, 0, &cut);
    if (rc < 0)
        return rc;
    if (dir_find(d, dir) == NULL)
        return ERR_NOT_FOUND;
    size_t count = 0, n = 0;
    for (const struct name *e = d->now; e != NULL; e = e->next)
        count += is_in(dir, e->text);
    char **names = mem_alloc(count * sizeof *names);
    for (const struct name *e = d->now; e != NULL; e = e->next) {
        if (!is_in(dir, e->text))
            continue;
        size_t at = rng_below(&d->rng, n + 1);
        names[n++] = names[at];
        names[at] = text_dup(e->text + strlen(dir) + 1);
    }
    for (size_t i = 0; i < count; i++) {
        fn(ctx, names[i]);
        mem_free(names[i]);
    }
    mem_free(names);
    return 0;
}

static int op_sync_dir(struct fs *fs, const char *dir)
{
    struct disk *d = disk_of(fs);
    bool cut;
    int rc = disk_op_begin(d, DISK_OP_SYNC_DIR, dir, 0, 0, &cut);
    if (rc < 0 || cut)
        return rc < 0 ? rc : ERR_IO;
    for (struct renaming **at = &d->renamings; *at != NULL;) {
        if (renaming_is_in(*at, dir)) {
            renaming_apply(d, &d->durable, *at);
            renaming_drop(d, at);
        } else {
            at = &(*at)->next;
        }
    }
    return 0;
}

static int64_t op_free_bytes(struct fs *fs, const char *dir)
{
    struct disk *d = disk_of(fs);
    (void)dir;
    if (d->dead)
        return ERR_IO;
    uint64_t used = disk_used(d);
    if (d->capacity == 0)
        return INT64_MAX;
    return used < d->capacity ? (int64_t)(d->capacity - used) : 0;
}

/* ---- the disk ---- */

struct disk *disk_new(uint64_t seed)
{
    static const struct fs_ops ops = {
        .open = op_open,
        .close = op_close,
        .write_at = op_write_at,
        .read_at = op_read_at,
        .size = op_size,
        .allocate = op_allocate,
        .truncate = op_truncate,
        .sync = op_sync,
        .settle = op_settle,
        .rename = op_rename,
        .remove = op_remove,
        .make_dir = op_make_dir,
        .list = op_list,
        .sync_dir = op_sync_dir,
        .free_bytes = op_free_bytes,
    };
    struct disk *d = mem_zalloc(sizeof *d);
    d->fs.ops = &ops;
    d->renamings_end = &d->renamings;
    rng_init(&d->rng, seed);
    return d;
}

void disk_free(struct disk *d)
{
    if (d == NULL)
        return;
    ASSERT(d->open_files == 0);
    if (d->direct.inode != NULL)
        disk_inode_unref(d, d->direct.inode);
    while (d->now != NULL)
        name_drop(d, &d->now);
    while (d->durable != NULL)
        name_drop(d, &d->durable);
    while (d->renamings != NULL)
        renaming_drop(d, &d->renamings);
    while (d->dirs != NULL) {
        struct directory *dir = d->dirs;
        d->dirs = dir->next;
        mem_free(dir->text);
        mem_free(dir);
    }
    ASSERT(d->inodes == NULL);
    mem_free(d);
}

struct fs *disk_fs(struct disk *d)
{
    return &d->fs;
}

void disk_set_fault(struct disk *d, struct disk_fault fault)
{
    d->fault = fault;
    d->fault_hit = false;
}

bool disk_fault_hit(const struct disk *d)
{
    return d->fault_hit || d->dead;
}

void disk_set_capacity(struct disk *d, uint64_t bytes)
{
    d->capacity = bytes;
}

bool disk_flip(struct disk *d, const char *name, uint64_t offset, uint8_t bits)
{
    struct name *n = *name_find(&d->now, name);
    if (n == NULL || offset >= n->inode->now.size)
        return false;
    struct image *images[] = { &n->inode->now, &n->inode->durable };
    for (size_t i = 0; i < 2; i++) {
        if (offset >= images[i]->size)
            continue;
        uint8_t b = (uint8_t)((offset < images[i]->n ? images[i]->p[offset] : 0) ^ bits);
        disk_image_write(images[i], offset, &b, 1);
    }
    return true;
}

uint64_t disk_op_count(const struct disk *d)
{
    return d->op_count;
}

void disk_cut_power_at(struct disk *d, uint64_t op_number)
{
    d->cut_at = op_number;
}

void disk_revive(struct disk *d)
{
    d->dead = false;
    d->cut_at = 0;
    disk_direct_finish(d);
}

const char *disk_last_op(const struct disk *d)
{
    return d->last_op;
}

void disk_put(struct disk *d, const char *name, struct slice contents)
{
    char *dir = text_dup(name);
    char *slash = strrchr(dir, '/');
    if (slash != NULL && slash != dir) {
        *slash = '\0';
        (void)op_make_dir(&d->fs, dir);
    }
    mem_free(dir);
    struct inode *i = inode_new(d);
    disk_image_write(&i->now, 0, contents.p, contents.n);
    disk_image_write(&i->durable, 0, contents.p, contents.n);
    name_set(d, &d->now, name, i);
    name_set(d, &d->durable, name, i);
}

int disk_get(const struct disk *d, const char *name, struct buf *out)
{
    struct name *names = d->now;
    struct name *n = *name_find(&names, name);
    if (n == NULL)
        return ERR_NOT_FOUND;
    const struct image *m = &n->inode->now;
    buf_append(out, m->p, m->n);
    uint8_t *zeros = buf_add(out, m->size - m->n);
    if (zeros != NULL)
        memset(zeros, 0, m->size - m->n);
    return out->err;
}

/* ---- power cuts ---- */

size_t disk_pending_count(const struct disk *d)
{
    size_t count = 0;
    for (const struct renaming *r = d->renamings; r != NULL; r = r->next)
        count++;
    for (const struct inode *i = d->inodes; i != NULL; i = i->next) {
        for (const struct change *c = i->changes; c != NULL; c = c->next)
            count++;
    }
    return count;
}

/* How many pending operations were begun before this one. */
static size_t pending_index(const struct disk *d, uint64_t number)
{
    size_t index = 0;
    for (const struct renaming *r = d->renamings; r != NULL; r = r->next)
        index += r->number < number;
    for (const struct inode *i = d->inodes; i != NULL; i = i->next) {
        for (const struct change *c = i->changes; c != NULL; c = c->next)
            index += c->number < number;
    }
    return index;
}

enum fate { FATE_LOST, FATE_KEPT, FATE_TORN };

static enum fate fate_of(const struct disk *d, struct disk_crash_plan plan, uint64_t number, struct rng *rng)
{
    size_t index;
    switch (plan.kind) {
    case DISK_CRASH_LOSE:
        return FATE_LOST;
    case DISK_CRASH_KEEP:
        return FATE_KEPT;
    case DISK_CRASH_PREFIX:
        return pending_index(d, number) < plan.number ? FATE_KEPT : FATE_LOST;
    case DISK_CRASH_SET:
        index = pending_index(d, number);
        return index < 64 && (plan.number >> index & 1) ? FATE_KEPT : FATE_LOST;
    case DISK_CRASH_SEED:
        break;
    }
    return (enum fate)rng_below(rng, 3);
}

/* What of a file's contents survived. */
static void crash_inode(const struct disk *d, struct disk_crash_plan plan, struct rng *rng, const struct inode *from,
                        struct inode *to)
{
    image_copy(&to->durable, &from->durable);
    for (const struct change *c = from->changes; c != NULL; c = c->next) {
        enum fate fate = fate_of(d, plan, c->number, rng);
        if (fate == FATE_KEPT)
            disk_image_apply(&to->durable, c);
        else if (fate == FATE_TORN)
            image_apply_torn(&to->durable, c, from->whole_sectors, rng);
    }
    image_copy(&to->now, &to->durable);
    to->whole_sectors = from->whole_sectors;
}

struct disk *disk_crash(const struct disk *d, struct disk_crash_plan plan)
{
    struct rng rng;
    rng_init(&rng, plan.number);
    struct disk *after = disk_new(rng_u64(&rng));
    after->capacity = d->capacity;
    for (const struct directory *dir = d->dirs; dir != NULL; dir = dir->next)
        dir_add(after, dir->text);

    /* Names first, still leading to the old inodes; renaming_apply counts references, so they are borrowed. */
    struct disk *old = (struct disk *)(uintptr_t)d; /* reference counts go up and down again; nothing else changes */
    struct name *names = NULL;
    for (const struct name *n = d->durable; n != NULL; n = n->next)
        name_set(old, &names, n->text, n->inode);
    for (const struct renaming *r = d->renamings; r != NULL; r = r->next) {
        if (fate_of(d, plan, r->number, &rng) == FATE_KEPT)
            renaming_apply(old, &names, r);
    }
    for (const struct inode *from = d->inodes; from != NULL; from = from->next) {
        struct inode *to = disk_inode_ref(inode_new(after));
        crash_inode(d, plan, &rng, from, to);
        for (const struct name *n = names; n != NULL; n = n->next) {
            if (n->inode == from) {
                name_set(after, &after->now, n->text, to);
                name_set(after, &after->durable, n->text, to);
            }
        }
        disk_inode_unref(after, to);
    }
    while (names != NULL)
        name_drop(old, &names);
    return after;
}
