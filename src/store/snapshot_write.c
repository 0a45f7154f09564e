/* Writing a snapshot: header, body, seals, under a name that no reader takes for a snapshot; then sync, rename, sync
 * of the directory. A crash before the rename leaves the older snapshots as they were. So does a rename that is not
 * known to be durable: it is taken back, or a purge would trust what the next crash may take away. */
#include "base/digest.h"
#include "base/mem.h"
#include "store/stream.h"
#include "tree/tree.h"
#include "wire/jute.h"
#include "wire/proto.h"
#include <inttypes.h>
#include <stdio.h>

/* The file is synced each time this much has been written: one sync of everything at the end would make the log's
 * syncs beside it wait for all of it. */
#define SYNC_BYTES (32u << 20)
#define SEAL_BYTES 13
#define BODY_BYTES (64u << 10)

static const char *const codec_suffix[] = {
    [SNAPSHOT_PLAIN] = "",
    [SNAPSHOT_GZIP] = ".gz",
    [SNAPSHOT_SNAPPY] = ".snappy",
};

struct snapshot_writer {
    struct fs *fs;
    struct snapshot_write_options options;
    char *dir;
    struct store_path unborn, path;
    struct fs_file *file;
    struct stream_out *stream;
    uint32_t adler; /* over every byte given to the stream */
    uint64_t bytes; /* of the body */
    uint64_t unsynced;
};

static int writer_fail(struct snapshot_writer *w, int rc, const char *what, struct store_error *err)
{
    return store_fail(err, rc, "%s: cannot %s the snapshot: %s; the older snapshots and the logs are untouched",
                      w->path.text, what, err_text(rc));
}

static int writer_put(struct snapshot_writer *w, const uint8_t *p, size_t n, struct store_error *err)
{
    w->adler = digest_adler32(w->adler, p, n);
    int rc = stream_out_write(w->stream, p, n);
    return rc < 0 ? writer_fail(w, rc, "write", err) : 0;
}

static int writer_seal(struct snapshot_writer *w, struct store_error *err)
{
    uint8_t seal[SEAL_BYTES] = { [11] = 1, [12] = '/' };
    store_be64(seal, w->adler);
    return writer_put(w, seal, sizeof seal, err);
}

int snapshot_write_begin(struct fs *fs, const struct snapshot_write_options *options, struct snapshot_writer **out,
                         struct store_error *err)
{
    static const uint8_t header[16] = { 'Z', 'K', 'S', 'N', 0, 0, 0, 2, 255, 255, 255, 255, 255, 255, 255, 255 };
    char name[64];
    struct snapshot_writer *w = mem_zalloc(sizeof *w);
    size_t dir_size = strlen(options->dir) + 1;
    *out = NULL;
    w->fs = fs;
    w->options = *options;
    w->dir = mem_alloc(dir_size);
    memcpy(w->dir, options->dir, dir_size);
    w->options.dir = w->dir;
    w->adler = 1;
    (void)snprintf(name, sizeof name, "snapshot.%" PRIx64 "%s", (uint64_t)options->zxid, codec_suffix[options->codec]);
    store_path_join(&w->path, w->dir, name);
    (void)snprintf(name, sizeof name, "tmp-snapshot.%" PRIx64, (uint64_t)options->zxid);
    store_path_join(&w->unborn, w->dir, name);

    int rc = store_create(fs, w->unborn.text, &w->file);
    if (rc < 0) {
        rc = writer_fail(w, rc, "create", err);
    } else if ((w->stream = stream_out_new(fs, w->file, options->codec)) == NULL) {
        rc = writer_fail(w, ERR_NO_MEMORY, "compress", err);
    } else {
        rc = writer_put(w, header, sizeof header, err);
    }
    if (rc < 0) {
        snapshot_write_abort(w);
        return rc;
    }
    *out = w;
    return 0;
}

int snapshot_write_body(struct snapshot_writer *w, struct slice bytes, struct store_error *err)
{
    int rc = writer_put(w, bytes.p, bytes.n, err);
    if (rc < 0)
        return rc;
    w->bytes += bytes.n;
    w->unsynced += bytes.n;
    if (w->unsynced < SYNC_BYTES)
        return 0;
    w->unsynced = 0;
    rc = w->fs->ops->sync(w->file);
    return rc < 0 ? writer_fail(w, rc, "sync", err) : 0;
}

uint64_t snapshot_write_bytes(const struct snapshot_writer *w)
{
    return w->bytes;
}

static int writer_trailer(struct snapshot_writer *w, struct store_error *err)
{
    const struct snapshot_write_options *o = &w->options;
    int rc = writer_seal(w, err);
    if (rc == 0 && o->digest) {
        uint8_t block[20];
        store_be64(block, (uint64_t)o->digest_zxid);
        store_be32(block + 8, WIRE_DIGEST_VERSION);
        store_be64(block + 12, o->tree_digest);
        if ((rc = writer_put(w, block, sizeof block, err)) == 0)
            rc = writer_seal(w, err);
    }
    if (rc == 0 && o->last_zxid_block) {
        uint8_t block[8];
        store_be64(block, (uint64_t)o->zxid);
        if ((rc = writer_put(w, block, sizeof block, err)) == 0)
            rc = writer_seal(w, err);
    }
    if (rc < 0)
        return rc;
    rc = stream_out_end(w->stream);
    return rc < 0 ? writer_fail(w, rc, "write", err) : 0;
}

static void writer_free(struct snapshot_writer *w)
{
    stream_out_free(w->stream);
    w->fs->ops->close(w->file);
    mem_free(w->dir);
    mem_free(w);
}

static bool writer_replaces(struct snapshot_writer *w)
{
    struct fs_file *f = NULL;
    int rc = fs_open(w->fs, w->path.text, FS_READ, &f);
    w->fs->ops->close(f);
    return rc != ERR_NOT_FOUND;
}

/* Makes the new name durable. If that fails the name goes away again, unless it stood there before: then a snapshot of
 * this zxid is under it whatever a crash leaves, and without it there might be none. */
static int writer_sync_name(struct snapshot_writer *w, bool replaces, struct store_error *err)
{
    int rc = w->fs->ops->sync_dir(w->fs, w->dir);
    if (rc == 0)
        return 0;
    if (!replaces)
        (void)w->fs->ops->remove(w->fs, w->path.text); /* store_purge syncs the directory if this fails, too */
    return writer_fail(w, rc, "sync the directory of", err);
}

int snapshot_write_end(struct snapshot_writer *w, struct store_error *err)
{
    const struct fs_ops *ops = w->fs->ops;
    bool replaces = writer_replaces(w);
    int rc = writer_trailer(w, err);
    if (rc == 0 && (rc = ops->sync(w->file)) < 0)
        rc = writer_fail(w, rc, "sync", err);
    if (rc == 0 && (rc = ops->rename(w->fs, w->unborn.text, w->path.text)) < 0)
        rc = writer_fail(w, rc, "name", err);
    if (rc < 0) {
        snapshot_write_abort(w);
        return rc;
    }
    rc = writer_sync_name(w, replaces, err);
    writer_free(w);
    return rc;
}

void snapshot_write_abort(struct snapshot_writer *w)
{
    if (w == NULL)
        return;
    if (w->file != NULL)
        (void)w->fs->ops->remove(w->fs, w->unborn.text); /* what is left is overwritten or purged */
    writer_free(w);
}

int snapshot_write_tree(struct fs *fs, const struct snapshot_write_options *options, struct tree *tree,
                        struct store_error *err)
{
    struct snapshot_writer *w = NULL;
    struct tree_walk *walk = tree_walk_begin(tree);
    struct buf body;
    buf_init(&body, SIZE_MAX / 2);
    int rc = snapshot_write_begin(fs, options, &w, err);
    for (bool more = true; rc == 0 && more;) {
        buf_reset(&body);
        more = tree_walk_next(walk, BODY_BYTES, &body);
        rc = snapshot_write_body(w, buf_slice(&body), err);
    }
    if (rc == 0)
        rc = snapshot_write_end(w, err);
    else
        snapshot_write_abort(w);
    buf_fini(&body);
    tree_walk_end(walk);
    return rc;
}
