#include "server/restore.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "os/clock.h"
#include <stdio.h>

#define PATH_BYTES 4096
#define NAME_BYTES 32
#define UNNAMED "upload"

struct restore {
    const struct config *config;
    struct fs *fs;
    struct fs_file *file; /* open while it comes */
    uint64_t bytes;
    char dir[PATH_BYTES];
    char name[NAME_BYTES]; /* of the file, within dir */
    struct tree *tree;
    int64_t zxid;
    int64_t began_ms;
};

static void path_of(const struct restore *r, const char *name, char to[PATH_BYTES + NAME_BYTES])
{
    snprintf(to, PATH_BYTES + NAME_BYTES, "%s/%s", r->dir, name);
}

static int tell(const struct restore *r, int rc, const char *why)
{
    log_warn("restore.failed", "dir=%s bytes=%llu reason=\"%s\"", r->dir, (unsigned long long)r->bytes, why);
    return rc;
}

int restore_begin(const struct config *config, struct restore **out)
{
    struct restore *r = mem_zalloc(sizeof *r);
    char path[PATH_BYTES + NAME_BYTES];
    r->config = config;
    r->fs = fs_real();
    r->began_ms = clock_mono_ms();
    snprintf(r->dir, sizeof r->dir, "%s/restore", config->data_dir);
    snprintf(r->name, sizeof r->name, UNNAMED);
    path_of(r, r->name, path);
    int rc = r->fs->ops->make_dir(r->fs, r->dir);
    if (rc == 0)
        rc = fs_open(r->fs, path, FS_WRITE | FS_CREATE | FS_TRUNCATE, &r->file);
    if (rc != 0) {
        tell(r, rc, err_text(rc));
        mem_free(r);
        return rc;
    }
    *out = r;
    return 0;
}

int restore_write(struct restore *r, const void *p, size_t n)
{
    int rc = r->fs->ops->write_at(r->file, r->bytes, p, n);
    if (rc != 0)
        return tell(r, rc, err_text(rc));
    r->bytes += n;
    return 0;
}

/* Which of the three formats it is can be seen from how it begins; the reader goes by the name. */
static int give_name(struct restore *r)
{
    uint8_t head[2] = { 0 };
    struct fs_file *f;
    char from[PATH_BYTES + NAME_BYTES], to[PATH_BYTES + NAME_BYTES];
    path_of(r, r->name, from);
    int rc = fs_open(r->fs, from, FS_READ, &f);
    if (rc != 0)
        return rc;
    int64_t n = r->fs->ops->read_at(f, 0, head, sizeof head);
    r->fs->ops->close(f);
    if (n < 0)
        return (int)n;
    const char *suffix = head[0] == 0x1f && head[1] == 0x8b ? ".gz" : head[0] == 0x82 ? ".snappy" : "";
    snprintf(r->name, sizeof r->name, "snapshot.0%s", suffix);
    path_of(r, r->name, to);
    rc = r->fs->ops->rename(r->fs, from, to);
    if (rc != 0)
        snprintf(r->name, sizeof r->name, UNNAMED);
    return rc;
}

int restore_end(struct restore *r, uint64_t hash_key)
{
    const struct config *c = r->config;
    struct store_error err = { "" };
    struct snapshot_info info;
    struct store_recover_options o = {
        .tree = { .hash_key = hash_key,
                  .extended_types = c->extended_types,
                  .ttl_353 = c->emulate_353_ttl,
                  .digest_enabled = c->digest_enabled },
        .record_bytes_max = (size_t)(c->jute_max_buffer_bytes + c->jute_extra_bytes),
    };
    r->fs->ops->close(r->file);
    r->file = NULL;
    int rc = give_name(r);
    if (rc != 0)
        return tell(r, rc, err_text(rc));
    rc = snapshot_read(r->fs, r->dir, r->name, &o, &r->tree, &info, &err);
    if (rc != 0)
        return tell(r, rc, err.text);
    r->zxid = info.has_last_zxid ? info.last_zxid : info.digest_zxid;
    log_info("restore.loaded", "zxid=0x%llx bytes=%llu nodes=%lld sessions=%zu took_ms=%lld",
             (unsigned long long)r->zxid, (unsigned long long)r->bytes, (long long)tree_node_count(r->tree),
             tree_session_count(r->tree), (long long)(clock_mono_ms() - r->began_ms));
    return 0;
}

void restore_drop(struct restore *r)
{
    char path[PATH_BYTES + NAME_BYTES];
    if (r->file != NULL)
        r->fs->ops->close(r->file);
    path_of(r, r->name, path);
    (void)r->fs->ops->remove(r->fs, path);
    tree_free(r->tree);
    mem_free(r);
}

int64_t restore_zxid(const struct restore *r)
{
    return r->zxid;
}

int restore_install(struct restore *r, struct fs *fs, const struct store_dirs *dirs, enum snapshot_codec codec,
                    int64_t last_zxid)
{
    struct store_error err = { "" };
    int64_t zxid = r->zxid > last_zxid ? r->zxid : last_zxid + 1;
    int rc = boot_write_tree(r->tree, r->config, fs, dirs->snap_dir, codec, zxid, &err);
    if (rc != 0)
        return tell(r, rc, err.text);
    log_info("restore.installed", "zxid=0x%llx snapshot=0x%llx", (unsigned long long)r->zxid, (unsigned long long)zxid);
    return 0;
}
