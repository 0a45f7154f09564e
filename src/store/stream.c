#include "store/stream.h"
#include "base/mem.h"
#include "wire/jute.h"
#include <snappy-c.h>
#include <strings.h>
#include <zlib.h>

#define OUT_BYTES (256u << 10)
#define IN_BYTES (256u << 10)
#define GZIP_WINDOW_BITS (15 + 16)     /* a gzip header, the largest window */
#define SNAPPY_BLOCK_BYTES (32u << 10) /* what snappy-java fills a block with */
/* Larger blocks are not what snappy-java writes; the limit keeps a damaged length from asking for much memory. */
#define SNAPPY_BLOCK_BYTES_MAX (16u << 20)

/* magic, version 1, lowest compatible version 1 */
static const uint8_t xerial_header[16] = { 0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1 };

enum snapshot_codec stream_codec_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    if (dot != NULL && strcasecmp(dot, ".gz") == 0)
        return SNAPSHOT_GZIP;
    return dot != NULL && strcasecmp(dot, ".snappy") == 0 ? SNAPSHOT_SNAPPY : SNAPSHOT_PLAIN;
}

/* ---- writing ---- */

struct stream_out {
    struct fs *fs;
    struct fs_file *file;
    enum snapshot_codec codec;
    uint64_t pos; /* in the file */
    uint8_t *out; /* bytes for the file; OUT_BYTES of room */
    size_t out_n;
    uint8_t *block; /* snappy: plain bytes of the next block, and room for the compressed ones */
    size_t block_n;
    z_stream z; /* gzip */
};

struct stream_out *stream_out_new(struct fs *fs, struct fs_file *f, enum snapshot_codec codec)
{
    struct stream_out *s = mem_zalloc(sizeof *s);
    s->fs = fs;
    s->file = f;
    s->codec = codec;
    s->out = mem_alloc(OUT_BYTES);
    if (codec == SNAPSHOT_GZIP &&
        deflateInit2(&s->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        stream_out_free(s);
        return NULL;
    }
    if (codec == SNAPSHOT_SNAPPY) {
        s->block = mem_alloc(SNAPPY_BLOCK_BYTES);
        memcpy(s->out, xerial_header, sizeof xerial_header);
        s->out_n = sizeof xerial_header;
    }
    return s;
}

void stream_out_free(struct stream_out *s)
{
    if (s == NULL)
        return;
    if (s->codec == SNAPSHOT_GZIP)
        (void)deflateEnd(&s->z);
    mem_free(s->block);
    mem_free(s->out);
    mem_free(s);
}

static int out_flush(struct stream_out *s)
{
    int rc = s->out_n == 0 ? 0 : s->fs->ops->write_at(s->file, s->pos, s->out, s->out_n);
    s->pos += s->out_n;
    s->out_n = 0;
    return rc;
}

static int out_plain(struct stream_out *s, const uint8_t *p, size_t n)
{
    int rc = n > OUT_BYTES - s->out_n ? out_flush(s) : 0;
    if (rc < 0)
        return rc;
    if (n >= OUT_BYTES) {
        rc = s->fs->ops->write_at(s->file, s->pos, p, n);
        s->pos += n;
        return rc;
    }
    memcpy(s->out + s->out_n, p, n);
    s->out_n += n;
    return 0;
}

static int out_gzip(struct stream_out *s, const uint8_t *p, size_t n, int flush)
{
    ASSERT(n <= UINT32_MAX);
    s->z.next_in = (uint8_t *)(uintptr_t)p; /* zlib reads only; its type lacks the const */
    s->z.avail_in = (uInt)n;
    for (;;) {
        s->z.next_out = s->out + s->out_n;
        s->z.avail_out = (uInt)(OUT_BYTES - s->out_n);
        int z = deflate(&s->z, flush);
        ASSERT(z != Z_STREAM_ERROR);
        s->out_n = OUT_BYTES - s->z.avail_out;
        if (z == Z_STREAM_END || (flush == Z_NO_FLUSH && s->z.avail_in == 0 && s->z.avail_out > 0))
            return 0;
        int rc = out_flush(s);
        if (rc < 0)
            return rc;
    }
}

static int out_snappy_block(struct stream_out *s)
{
    size_t n = snappy_max_compressed_length(s->block_n);
    if (s->block_n == 0)
        return 0;
    _Static_assert(OUT_BYTES > 2 * SNAPPY_BLOCK_BYTES, "a compressed block fits into an empty buffer");
    int rc = n + 4 > OUT_BYTES - s->out_n ? out_flush(s) : 0;
    if (rc < 0)
        return rc;
    snappy_status st = snappy_compress((const char *)s->block, s->block_n, (char *)s->out + s->out_n + 4, &n);
    ASSERT(st == SNAPPY_OK);
    store_be32(s->out + s->out_n, (uint32_t)n);
    s->out_n += n + 4;
    s->block_n = 0;
    return 0;
}

static int out_snappy(struct stream_out *s, const uint8_t *p, size_t n)
{
    while (n > 0) {
        size_t take = SNAPPY_BLOCK_BYTES - s->block_n < n ? SNAPPY_BLOCK_BYTES - s->block_n : n;
        memcpy(s->block + s->block_n, p, take);
        s->block_n += take;
        p += take;
        n -= take;
        int rc = s->block_n == SNAPPY_BLOCK_BYTES ? out_snappy_block(s) : 0;
        if (rc < 0)
            return rc;
    }
    return 0;
}

int stream_out_write(struct stream_out *s, const uint8_t *p, size_t n)
{
    switch (s->codec) {
    case SNAPSHOT_GZIP:
        return out_gzip(s, p, n, Z_NO_FLUSH);
    case SNAPSHOT_SNAPPY:
        return out_snappy(s, p, n);
    case SNAPSHOT_PLAIN:
        break;
    }
    return out_plain(s, p, n);
}

int stream_out_end(struct stream_out *s)
{
    int rc = 0;
    if (s->codec == SNAPSHOT_GZIP)
        rc = out_gzip(s, s->out, 0, Z_FINISH);
    else if (s->codec == SNAPSHOT_SNAPPY)
        rc = out_snappy_block(s);
    return rc < 0 ? rc : out_flush(s);
}

/* ---- reading ---- */

struct stream_in {
    struct fs *fs;
    struct fs_file *file;
    enum snapshot_codec codec;
    uint64_t pos; /* in the file */
    uint8_t *in;  /* compressed bytes [in_at, in_n) */
    size_t in_at, in_n, in_cap;
    bool started, ended;
    uint8_t *block; /* snappy: plain bytes [block_at, block_n) */
    size_t block_at, block_n, block_cap;
    z_stream z;
};

struct stream_in *stream_in_new(struct fs *fs, struct fs_file *f, enum snapshot_codec codec)
{
    struct stream_in *s = mem_zalloc(sizeof *s);
    s->fs = fs;
    s->file = f;
    s->codec = codec;
    if (codec != SNAPSHOT_PLAIN) {
        s->in = mem_alloc(IN_BYTES);
        s->in_cap = IN_BYTES;
    }
    if (codec == SNAPSHOT_GZIP && inflateInit2(&s->z, GZIP_WINDOW_BITS) != Z_OK) {
        stream_in_free(s);
        return NULL;
    }
    return s;
}

void stream_in_free(struct stream_in *s)
{
    if (s == NULL)
        return;
    if (s->codec == SNAPSHOT_GZIP)
        (void)inflateEnd(&s->z);
    mem_free(s->block);
    mem_free(s->in);
    mem_free(s);
}

static int64_t in_plain(struct stream_in *s, uint8_t *p, size_t n)
{
    int64_t got = s->fs->ops->read_at(s->file, s->pos, p, n);
    s->pos += got > 0 ? (uint64_t)got : 0;
    return got;
}

/* Makes n compressed bytes contiguous; ERR_END if not even one is left, ERR_TRUNCATED if fewer than n. */
static int in_need(struct stream_in *s, size_t n)
{
    if (s->in_n - s->in_at >= n)
        return 0;
    memmove(s->in, s->in + s->in_at, s->in_n - s->in_at);
    s->in_n -= s->in_at;
    s->in_at = 0;
    if (s->in_cap < n) {
        uint8_t *bigger = mem_try_realloc(s->in, n);
        if (bigger == NULL)
            return ERR_NO_MEMORY;
        s->in = bigger;
        s->in_cap = n;
    }
    int64_t got = in_plain(s, s->in + s->in_n, s->in_cap - s->in_n);
    if (got < 0)
        return (int)got;
    s->in_n += (size_t)got;
    if (s->in_n >= n)
        return 0;
    return s->in_n == 0 ? ERR_END : ERR_TRUNCATED;
}

static int64_t in_gzip(struct stream_in *s, uint8_t *p, size_t n)
{
    s->z.next_out = p;
    s->z.avail_out = (uInt)n;
    while (s->z.avail_out > 0 && !s->ended) {
        int rc = in_need(s, 1);
        if (rc < 0)
            return rc == ERR_END ? ERR_TRUNCATED : rc;
        s->z.next_in = s->in + s->in_at;
        s->z.avail_in = (uInt)(s->in_n - s->in_at);
        int z = inflate(&s->z, Z_NO_FLUSH);
        s->in_at = s->in_n - s->z.avail_in;
        if (z == Z_STREAM_END)
            s->ended = true;
        else if (z != Z_OK && z != Z_BUF_ERROR)
            return z == Z_MEM_ERROR ? ERR_NO_MEMORY : ERR_CORRUPT;
    }
    return (int64_t)(n - s->z.avail_out);
}

/* Fills s->block with the next block; ERR_END behind the last one. */
static int in_snappy_block(struct stream_in *s)
{
    int rc = in_need(s, 4);
    if (rc < 0)
        return rc;
    uint32_t n = load_be32(s->in + s->in_at);
    if (n > SNAPPY_BLOCK_BYTES_MAX)
        return ERR_CORRUPT;
    if ((rc = in_need(s, 4 + (size_t)n)) < 0)
        return rc;
    const char *compressed = (const char *)s->in + s->in_at + 4;
    size_t plain_n;
    if (snappy_uncompressed_length(compressed, n, &plain_n) != SNAPPY_OK || plain_n > SNAPPY_BLOCK_BYTES_MAX)
        return ERR_CORRUPT;
    if (plain_n > s->block_cap) {
        mem_free(s->block);
        s->block_cap = 0;
        s->block = mem_try_alloc(plain_n);
        if (s->block == NULL)
            return ERR_NO_MEMORY;
        s->block_cap = plain_n;
    }
    s->block_n = s->block_at = 0;
    if (snappy_uncompress(compressed, n, (char *)s->block, &plain_n) != SNAPPY_OK)
        return ERR_CORRUPT;
    s->block_n = plain_n;
    s->in_at += 4 + (size_t)n;
    return 0;
}

static int in_snappy_header(struct stream_in *s)
{
    int rc = in_need(s, sizeof xerial_header);
    if (rc < 0)
        return rc == ERR_END ? ERR_TRUNCATED : rc;
    if (memcmp(s->in + s->in_at, xerial_header, 8) != 0)
        return ERR_CORRUPT;
    s->in_at += sizeof xerial_header;
    s->started = true;
    return 0;
}

static int64_t in_snappy(struct stream_in *s, uint8_t *p, size_t n)
{
    size_t done = 0;
    int rc = s->started ? 0 : in_snappy_header(s);
    while (rc == 0 && done < n) {
        if (s->block_at == s->block_n) {
            rc = in_snappy_block(s);
            continue;
        }
        size_t take = s->block_n - s->block_at < n - done ? s->block_n - s->block_at : n - done;
        memcpy(p + done, s->block + s->block_at, take);
        s->block_at += take;
        done += take;
    }
    return rc == 0 || rc == ERR_END ? (int64_t)done : rc;
}

int64_t stream_in_read(struct stream_in *s, uint8_t *p, size_t n)
{
    switch (s->codec) {
    case SNAPSHOT_GZIP:
        return in_gzip(s, p, n);
    case SNAPSHOT_SNAPPY:
        return in_snappy(s, p, n);
    case SNAPSHOT_PLAIN:
        break;
    }
    return in_plain(s, p, n);
}
