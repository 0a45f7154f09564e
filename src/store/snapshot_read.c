/* Reading a snapshot: the plain bytes pass through one window, from which sessions, ACL lists and nodes go straight
 * into a tree (tree/image.h). The checksum of the seals runs over the window's bytes before they leave it. */
#include "base/digest.h"
#include "base/mem.h"
#include "base/museum.h"
#include "store/stream.h"
#include "tree/image.h"
#include "wire/jute.h"
#include "wire/proto.h"
#include "wire/records.h"
#include <inttypes.h>

#define WINDOW_BYTES (256u << 10)
#define RECORD_BYTES_MAX_DEFAULT 2097150 /* jute.maxbuffer + extrasize */
#define SEAL_BYTES 13
#define DIGEST_BLOCK_BYTES 20
#define TRAILER_BYTES_MAX 4096

struct snapshot_reader {
    struct store_path path;
    struct fs *fs;
    struct fs_file *file;
    struct stream_in *stream;
    struct tree_image *image;
    struct snapshot_info info;
    uint8_t *window; /* plain bytes [at, n) are not consumed yet */
    size_t at, n, cap;
    size_t summed; /* window bytes up to here are in adler */
    uint64_t base; /* plain bytes before the window */
    uint32_t adler;
    struct store_error *err;
};

static int reader_fail(struct snapshot_reader *r, int rc, const char *what)
{
    return store_fail(r->err, rc, "%s: damaged at offset %" PRIu64 " (of the plain bytes): %s", r->path.text,
                      r->base + r->at, what);
}

static void reader_sum(struct snapshot_reader *r)
{
    r->adler = digest_adler32(r->adler, r->window + r->summed, r->at - r->summed);
    r->summed = r->at;
}

/* Tries to make `wanted` bytes contiguous at r->at; 0 even if the end comes first (then r->n - r->at is less). */
static int reader_fill(struct snapshot_reader *r, size_t wanted)
{
    reader_sum(r);
    size_t kept = r->n - r->at;
    memmove(r->window, r->window + r->at, kept);
    r->base += r->at;
    r->at = r->summed = 0;
    r->n = kept;
    if (wanted > r->cap) {
        uint8_t *bigger = mem_try_realloc(r->window, wanted);
        if (bigger == NULL)
            return store_fail(r->err, ERR_NO_MEMORY, "%s: no memory for a node of %zu bytes", r->path.text, wanted);
        r->window = bigger;
        r->cap = wanted;
    }
    int64_t got = stream_in_read(r->stream, r->window + kept, r->cap - kept);
    if (got == ERR_CORRUPT || got == ERR_TRUNCATED)
        return reader_fail(r, ERR_CORRUPT, got == ERR_CORRUPT ? "cannot be decompressed" : "ends too early");
    if (got < 0)
        return store_fail(r->err, (int)got, "%s: cannot read: %s", r->path.text, err_text((int)got));
    r->n += (size_t)got;
    return 0;
}

/* The next `wanted` bytes, contiguous at window + at. */
static inline int reader_need(struct snapshot_reader *r, size_t wanted)
{
    if (LIKELY(r->n - r->at >= wanted))
        return 0;
    int rc = reader_fill(r, wanted);
    if (rc < 0)
        return rc;
    return r->n - r->at >= wanted ? 0 : reader_fail(r, ERR_CORRUPT, "ends too early");
}

static int reader_header(struct snapshot_reader *r)
{
    int rc = reader_need(r, 16);
    if (rc < 0)
        return rc;
    if (memcmp(r->window, "ZKSN", 4) != 0)
        return reader_fail(r, ERR_CORRUPT, "does not begin with the \"ZKSN\" of a snapshot");
    r->at = 16;
    return 0;
}

/* Sessions, ACL lists and nodes, up to and with the "/" that ends them. */
static int reader_body(struct snapshot_reader *r)
{
    for (bool done = false; !done;) {
        uint64_t before = tree_image_offset(r->image);
        int64_t used = tree_image_feed(r->image, slice_of(r->window + r->at, r->n - r->at), &done);
        r->at += (size_t)(tree_image_offset(r->image) - before);
        if (used < 0)
            return reader_fail(r, ERR_CORRUPT, tree_image_why(r->image));
        int rc = done ? 0 : reader_need(r, tree_image_wanted(r->image));
        if (rc < 0)
            return rc;
    }
    r->info.node_count = tree_image_node_count(r->image);
    return 0;
}

/* The seal that begins at window + at is over everything before it. */
static bool seal_fits(struct snapshot_reader *r)
{
    static const uint8_t slash[5] = { 0, 0, 0, 1, '/' };
    const uint8_t *p = r->window + r->at;
    reader_sum(r);
    return r->n - r->at >= SEAL_BYTES && (load_be64(p) == r->adler || SIM_BUG(snapshot_checksum_ignored)) &&
           memcmp(p + 8, slash, sizeof slash) == 0;
}

static int reader_seal(struct snapshot_reader *r)
{
    int rc = reader_need(r, SEAL_BYTES);
    if (rc < 0)
        return rc;
    if (!seal_fits(r))
        return reader_fail(r, ERR_CORRUPT, "the checksum is wrong");
    r->at += SEAL_BYTES;
    return 0;
}

/* A digest block of version 2; or of version 1 (3.6.0), which holds the digest as a string that nobody compares. */
static bool trailer_digest(struct snapshot_reader *r)
{
    const uint8_t *p = r->window + r->at;
    size_t left = r->n - r->at, n = DIGEST_BLOCK_BYTES;
    if (left < DIGEST_BLOCK_BYTES + SEAL_BYTES)
        return false;
    int32_t version = (int32_t)load_be32(p + 8);
    if (version != WIRE_DIGEST_VERSION) {
        uint32_t text_n = load_be32(p + 12);
        if (text_n > left - 16)
            return false;
        n = 16 + text_n;
    }
    r->at += n;
    if (!seal_fits(r))
        return false;
    r->at += SEAL_BYTES;
    r->info.digest_version = version;
    r->info.digest_zxid = (int64_t)load_be64(p);
    r->info.digest = version == WIRE_DIGEST_VERSION ? load_be64(p + 12) : 0;
    return true;
}

static bool trailer_last_zxid(struct snapshot_reader *r)
{
    if (r->n - r->at < 8 + SEAL_BYTES)
        return false;
    const uint8_t *p = r->window + r->at;
    r->at += 8;
    if (!seal_fits(r))
        return false;
    r->at += SEAL_BYTES;
    r->info.has_last_zxid = true;
    r->info.last_zxid = (int64_t)load_be64(p);
    return true;
}

/* Both blocks behind the first seal are optional, and which one is there is told only by whose seal fits. What may
 * follow is of a newer version and is left alone, as older readers do. */
static int reader_trailer(struct snapshot_reader *r)
{
    int rc = r->n - r->at < TRAILER_BYTES_MAX ? reader_fill(r, TRAILER_BYTES_MAX) : 0;
    if (rc < 0 || r->n == r->at)
        return rc;
    reader_sum(r);
    size_t at = r->at;
    uint32_t adler = r->adler;
    if (trailer_digest(r)) {
        (void)trailer_last_zxid(r);
        return 0;
    }
    r->at = r->summed = at;
    r->adler = adler;
    if (trailer_last_zxid(r))
        return 0;
    r->at = at;
    return reader_fail(r, ERR_CORRUPT, "the checksum of the digest block is wrong");
}

static int reader_run(struct snapshot_reader *r, const char *name)
{
    enum snapshot_codec codec = stream_codec_of(name);
    int rc = fs_open(r->fs, r->path.text, FS_READ, &r->file);
    if (rc < 0)
        return store_fail(r->err, rc, "%s: cannot open: %s", r->path.text, err_text(rc));
    r->stream = stream_in_new(r->fs, r->file, codec);
    if (r->stream == NULL)
        return store_fail(r->err, ERR_NO_MEMORY, "%s: no memory to decompress", r->path.text);
    if ((rc = reader_header(r)) < 0 || (rc = reader_body(r)) < 0 || (rc = reader_seal(r)) < 0)
        return rc;
    return reader_trailer(r);
}

/* Without tree options the structure and the seals are only checked, and *tree stays. */
static int read_file(struct fs *fs, const char *dir, const char *name, const struct tree_options *options,
                     size_t record_bytes_max, struct tree **tree, struct snapshot_info *info, struct store_error *err)
{
    struct snapshot_reader *r = mem_zalloc(sizeof *r);
    store_path_join(&r->path, dir, name);
    r->fs = fs;
    r->err = err;
    r->info.zxid = store_name_zxid(name, "snapshot");
    r->image = tree_image_new(options, record_bytes_max == 0 ? RECORD_BYTES_MAX_DEFAULT : record_bytes_max);
    r->window = mem_alloc(WINDOW_BYTES);
    r->cap = WINDOW_BYTES;
    r->adler = 1;

    int rc = r->info.zxid < 0 ? store_fail(err, ERR_INVALID, "%s: not the name of a snapshot", r->path.text)
                              : reader_run(r, name);
    if (rc == 0 && options != NULL) {
        *tree = tree_image_finish(r->image, r->info.zxid);
        r->image = NULL;
        if (*tree == NULL)
            rc = reader_fail(r, ERR_CORRUPT, "there is no root");
    }
    *info = r->info;
    tree_image_free(r->image);
    stream_in_free(r->stream);
    fs->ops->close(r->file);
    mem_free(r->window);
    mem_free(r);
    return rc;
}

int snapshot_read(struct fs *fs, const char *dir, const char *name, const struct store_recover_options *options,
                  struct tree **tree, struct snapshot_info *info, struct store_error *err)
{
    *tree = NULL;
    return read_file(fs, dir, name, &options->tree, options->record_bytes_max, tree, info, err);
}

int snapshot_verify(struct fs *fs, const char *dir, const char *name, size_t record_bytes_max,
                    struct snapshot_info *info, struct store_error *err)
{
    return read_file(fs, dir, name, NULL, record_bytes_max, NULL, info, err);
}

/* As Apache's check: how a plain file ends, how a compressed one begins. 1, 0 or an error. */
static int check_ends(struct fs *fs, struct fs_file *f, enum snapshot_codec codec)
{
    static const struct {
        const char *bytes;
        size_t n;
        bool at_end;
    } marks[] = {
        [SNAPSHOT_PLAIN] = { "\0\0\0\1/", 5, true },
        [SNAPSHOT_GZIP] = { "\x1f\x8b", 2, false },
        [SNAPSHOT_SNAPPY] = { "\x82SNAPPY", 8, false },
    };
    uint8_t b[8];
    int64_t size = fs->ops->size(f);
    if (size < 10)
        return size < 0 ? (int)size : 0;
    uint64_t at = marks[codec].at_end ? (uint64_t)size - marks[codec].n : 0;
    int64_t got = fs->ops->read_at(f, at, b, marks[codec].n);
    if (got < 0)
        return (int)got;
    return (size_t)got == marks[codec].n && memcmp(b, marks[codec].bytes, marks[codec].n) == 0;
}

int snapshot_check(struct fs *fs, const char *dir, const char *name)
{
    struct store_path path;
    struct fs_file *f = NULL;
    store_path_join(&path, dir, name);
    int rc = fs_open(fs, path.text, FS_READ, &f);
    if (rc < 0)
        return rc;
    rc = check_ends(fs, f, stream_codec_of(name));
    fs->ops->close(f);
    return rc;
}

bool snapshot_looks_valid(struct fs *fs, const char *dir, const char *name)
{
    return snapshot_check(fs, dir, name) == 1;
}
