/* member_damage: what happens to a disk behind a server's back: a bit rots, the disk is lost, an old copy is put back.
 * A server cannot know what it has promised with a disk that is gone, so these are for moments in which all others hold
 * everything that was ever promised. */
#include "base/log.h"
#include "base/mem.h"
#include "sim/cluster.h"
#include "sim/member.h"
#include <stdio.h>
#include <stdlib.h>

#define ROT_FILES_MAX 200
#define ROT_NAME_BYTES 80

struct rot_files {
    char at[ROT_FILES_MAX][ROT_NAME_BYTES];
    size_t count;
    const char *dir, *prefix;
};

bool member_may_lose_disk(const struct sim_member *m)
{
    const struct cluster *c = m->cluster;
    if (c->member_count < 3 || (m->up && m->leads))
        return false;
    struct member_set others = { 0 };
    for (uint32_t i = 0; i < c->member_count; i++)
        if (i != m->index)
            member_set_add(&others, c->ensemble, i + 1);
    if (!members_is_quorum(c->ensemble, &others)) /* groups and weights: nothing goes without it */
        return false;
    bool led = false, tail_is_dead = m->durable_zxid >> 32 < c->ghost.led_epoch;
    for (uint32_t i = 0; i < c->member_count; i++) {
        const struct sim_member *other = c->members[i];
        led = led || (other->up && other->leads);
        if (other != m && (!other->up || other->rotten || other->durable_zxid < c->ghost.committed ||
                           (other->durable_zxid < m->durable_zxid && !tail_is_dead) || !member_serves(other) ||
                           other->epochs.current != c->ghost.led_epoch || other->epochs.accepted != c->ghost.led_epoch))
            return false;
    }
    return led;
}

/* ---- bits ---- */

static void add_file(void *ctx, const char *name)
{
    struct rot_files *f = ctx;
    if (f->count < ROT_FILES_MAX && strncmp(name, f->prefix, strlen(f->prefix)) == 0)
        snprintf(f->at[f->count++], ROT_NAME_BYTES, "%s/%s", f->dir, name);
}

static int by_name(const void *a, const void *b)
{
    size_t n = strlen(a), k = strlen(b); /* zxids in hexadecimal: longer is newer */
    return n != k ? (n > k) - (n < k) : strcmp(a, b);
}

static void list_files(struct sim_member *m, bool log, struct rot_files *f)
{
    struct fs *fs = disk_fs(m->disk);
    f->count = 0;
    f->dir = log ? "/log/version-2" : "/data/version-2";
    f->prefix = log ? "log." : "snapshot.";
    (void)fs->ops->list(fs, f->dir, add_file, f);
    qsort(f->at, f->count, sizeof f->at[0], by_name);
}

bool member_rot(struct sim_member *m, bool log, size_t from_newest, uint64_t bit)
{
    struct rot_files *f = mem_alloc(sizeof *f);
    struct buf b;
    buf_init(&b, SIZE_MAX / 2);
    list_files(m, log, f);
    bool done = from_newest < f->count && disk_get(m->disk, f->at[f->count - 1 - from_newest], &b) == 0 && b.n != 0;
    if (done) {
        size_t end = b.n; /* mostly not in the padding */
        while (bit >> 61 != 0 && end > 1 && b.p[end - 1] == 0)
            end--;
        uint64_t at = bit / 8 % end;
        done = disk_flip(m->disk, f->at[f->count - 1 - from_newest], at, (uint8_t)(1u << bit % 8));
        log_info("sim.rot", "member=%u file=%s offset=%llu of=%zu", m->index + 1, f->at[f->count - 1 - from_newest],
                 (unsigned long long)at, b.n);
        m->rotten = true;
        cover(&m->cluster->coverage, COVER_rots);
    }
    buf_fini(&b);
    mem_free(f);
    return done;
}

void member_rot_somewhere(struct sim_member *m, struct dice *d)
{
    bool log = !dice_one_in(d, 3), dies = dice_one_in(d, 2);
    size_t from_newest = dice_one_in(d, 3) ? (size_t)dice_between(d, 1, 4) : 0;
    if (member_rot(m, log, from_newest, rng_u64(&d->rng)) && dies) /* who is not started again never finds it */
        member_stop(m, MEMBER_KILLED);
}

/* ---- whole disks ---- */

static void replace_disk(struct sim_member *m, struct disk *with)
{
    disk_free(m->disk);
    m->disk = with;
    m->durable_zxid = m->appended_zxid = 0;
    m->epochs = (struct store_epochs){ 0 };
    m->rotten = false;
    m->forgot_sessions = true;
    shadow_cut(&m->shadow, -1);
}

void member_new_disk(struct sim_member *m)
{
    replace_disk(m, disk_new(m->cluster->opt.seed * 13 + m->index + m->life * 1000));
}

void member_wipe(struct sim_member *m)
{
    member_stop(m, MEMBER_POWERLESS);
    member_new_disk(m);
    cover(&m->cluster->coverage, COVER_wipes);
}

void member_back_up(struct sim_member *m)
{
    if (m->rotten)
        return;
    disk_free(m->backup);
    m->backup = disk_crash(m->disk, (struct disk_crash_plan){ .kind = DISK_CRASH_KEEP });
}

bool member_restore(struct sim_member *m)
{
    if (m->backup == NULL)
        return false;
    member_stop(m, MEMBER_KILLED);
    replace_disk(m, disk_crash(m->backup, (struct disk_crash_plan){ .kind = DISK_CRASH_KEEP }));
    log_info("sim.restore", "member=%u", m->index + 1);
    cover(&m->cluster->coverage, COVER_restores);
    return true;
}
