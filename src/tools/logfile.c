#include "tools/logfile.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/mem.h"
#include "tools/files.h"
#include "wire/txn.h"
#include <inttypes.h>
#include <stdio.h>

#define READ_BYTES (1u << 20)
#define SCAN_BYTES (1u << 16) /* less than READ_BYTES, so that most looks find their bytes in the window */
#define HEAD_BYTES 12u
#define RECORD_BYTES_MAX (1u << 30) /* jute.maxbuffer may be set to anything; this only bounds memory */
#define SCAN_RECORD_BYTES_MAX (64u << 20)

struct logfile {
    struct fs *fs;
    struct fs_file *file;
    char name[4096];
    uint64_t size;
    enum logfile_header header;
    int32_t version;
    int64_t dbid;
    uint8_t *window; /* bytes [base, base + have) of the file */
    size_t cap, have;
    uint64_t base;
};

static int fail(const struct logfile *l, struct store_error *err, uint64_t offset, int rc)
{
    tool_error(err, "%s: cannot read at offset %" PRIu64 ": %s", l->name, offset, err_text(rc));
    return rc;
}

/* Up to n contiguous bytes at an offset, fewer only at the end of the file; or an error. */
static int64_t look(struct logfile *l, uint64_t at, size_t n, const uint8_t **p)
{
    *p = NULL;
    if (at >= l->size)
        return 0;
    if (l->size - at < n)
        n = (size_t)(l->size - at);
    if (at < l->base || at + n > l->base + l->have) {
        size_t want = n > READ_BYTES ? n : READ_BYTES;
        if (want > l->size - at)
            want = (size_t)(l->size - at);
        if (want > l->cap) {
            uint8_t *bigger = mem_try_realloc(l->window, want);
            if (bigger == NULL)
                return ERR_NO_MEMORY;
            l->window = bigger;
            l->cap = want;
        }
        int64_t got = l->fs->ops->read_at(l->file, at, l->window, want);
        l->base = at;
        l->have = got < 0 ? 0 : (size_t)got;
        if (got < 0)
            return got;
        if ((size_t)got < n)
            n = (size_t)got;
    }
    *p = l->window + (at - l->base);
    return (int64_t)n;
}

int logfile_refresh(struct logfile *l, struct store_error *err)
{
    const uint8_t *p;
    int64_t size = l->fs->ops->size(l->file);
    if (size < 0)
        return fail(l, err, 0, (int)size);
    l->size = (uint64_t)size;
    l->have = 0;
    int64_t n = look(l, 0, LOGFILE_HEADER_BYTES, &p);
    if (n < 0)
        return fail(l, err, 0, (int)n);
    if (n < LOGFILE_HEADER_BYTES) {
        l->header = LOGFILE_HEADER_SHORT;
        return 0;
    }
    l->header = memcmp(p, "ZKLG", 4) == 0 ? LOGFILE_HEADER_OK : LOGFILE_HEADER_MAGIC;
    l->version = (int32_t)load_be32(p + 4);
    l->dbid = (int64_t)load_be64(p + 8);
    return 0;
}

int logfile_open(struct fs *fs, const char *name, struct logfile **out, struct store_error *err)
{
    struct logfile *l = mem_zalloc(sizeof *l);
    *out = NULL;
    l->fs = fs;
    tool_path(l->name, sizeof l->name, "%s", name);
    int rc = fs_open(fs, name, FS_READ, &l->file);
    if (rc < 0)
        tool_error(err, "%s: cannot open: %s", name, err_text(rc));
    else
        rc = logfile_refresh(l, err);
    if (rc < 0) {
        logfile_close(l);
        return rc;
    }
    *out = l;
    return 0;
}

void logfile_close(struct logfile *l)
{
    if (l == NULL)
        return;
    l->fs->ops->close(l->file);
    mem_free(l->window);
    mem_free(l);
}

enum logfile_header logfile_header(const struct logfile *l)
{
    return l->header;
}

int32_t logfile_version(const struct logfile *l)
{
    return l->version;
}

int64_t logfile_dbid(const struct logfile *l)
{
    return l->dbid;
}

const char *logfile_name(const struct logfile *l)
{
    return l->name;
}

uint64_t logfile_size(const struct logfile *l)
{
    return l->size;
}

static void read_head(struct logfile_record *r)
{
    r->zxid = -1;
    r->type = 0;
    if (r->payload.n < LOGFILE_TXN_HEADER_BYTES)
        return;
    r->zxid = (int64_t)load_be64(r->payload.p + 12);
    r->type = (int32_t)load_be32(r->payload.p + 28);
}

int logfile_read(struct logfile *l, uint64_t offset, struct logfile_record *out, struct store_error *err)
{
    const uint8_t *p;
    *out = (struct logfile_record){ .state = LOGFILE_END, .offset = offset, .end = offset, .zxid = -1 };
    int64_t there = look(l, offset, HEAD_BYTES, &p);
    if (there < 0)
        return fail(l, err, offset, (int)there);
    if (there < (int64_t)HEAD_BYTES) {
        out->state = there == 0 ? LOGFILE_END : LOGFILE_CUT;
        return 0;
    }
    out->checksum = load_be64(p);
    out->length = load_be32(p + 8);
    if (out->length == 0)
        return 0;
    if (out->length > RECORD_BYTES_MAX) {
        out->state = LOGFILE_LENGTH;
        return 0;
    }
    size_t whole = (size_t)out->length + LOGFILE_OVERHEAD_BYTES;
    if (whole > l->size - offset) {
        out->state = LOGFILE_CUT;
        return 0;
    }
    there = look(l, offset, whole, &p);
    if (there < 0)
        return fail(l, err, offset, (int)there);
    if ((size_t)there < whole) {
        out->state = LOGFILE_CUT;
        return 0;
    }
    out->payload = slice_of(p + HEAD_BYTES, out->length);
    out->checksum_is = digest_adler32(1, out->payload.p, out->payload.n);
    out->end = offset + whole;
    read_head(out);
    out->state = p[whole - 1] != 'B'                 ? LOGFILE_END_BYTE
                 : out->checksum != out->checksum_is ? LOGFILE_CHECKSUM
                                                     : LOGFILE_VALID;
    return 0;
}

int logfile_find(struct logfile *l, uint64_t from, int64_t above, struct logfile_record *out, struct store_error *err)
{
    while (from + HEAD_BYTES < l->size) {
        const uint8_t *p;
        int64_t there = look(l, from, SCAN_BYTES, &p);
        if (there < 0)
            return fail(l, err, from, (int)there);
        size_t i = 0, n = (size_t)there;
        /* The upper half of a checksum is always zero, and so is the uppermost byte of any length that counts. */
        for (; i + HEAD_BYTES <= n; i++) {
            uint32_t length = load_be32(p + i + 8);
            if (load_be32(p + i) == 0 && length >= LOGFILE_TXN_HEADER_BYTES && length <= SCAN_RECORD_BYTES_MAX)
                break;
        }
        from += i;
        if (i + HEAD_BYTES > n) {
            if ((uint64_t)there < SCAN_BYTES)
                return 0;
            continue;
        }
        struct txn txn;
        int rc = logfile_read(l, from, out, err);
        if (rc < 0)
            return rc;
        if (out->state == LOGFILE_VALID && out->zxid > above && txn_decode(out->payload, &txn) == 0)
            return 1;
        from++;
    }
    return 0;
}

int logfile_zeros(struct logfile *l, uint64_t from, uint64_t *end, struct store_error *err)
{
    *end = from;
    for (uint64_t at = from; at < l->size;) {
        const uint8_t *p;
        int64_t there = look(l, at, READ_BYTES, &p);
        if (there <= 0)
            return there < 0 ? fail(l, err, at, (int)there) : 0;
        for (size_t i = (size_t)there; i > 0; i--) {
            if (p[i - 1] != 0) {
                *end = at + i;
                break;
            }
        }
        at += (uint64_t)there;
    }
    return *end == from;
}

int logfile_bytes(struct logfile *l, uint64_t offset, size_t n, struct slice *out, struct store_error *err)
{
    const uint8_t *p;
    int64_t there = look(l, offset, n, &p);
    if (there < 0 || (size_t)there < n)
        return fail(l, err, offset, there < 0 ? (int)there : ERR_TRUNCATED);
    *out = slice_of(p, n);
    return 0;
}

const char *logfile_state_text(enum logfile_state state)
{
    static const char *const text[] = {
        [LOGFILE_VALID] = "a valid record",
        [LOGFILE_END] = "no record",
        [LOGFILE_CHECKSUM] = "the checksum is wrong",
        [LOGFILE_END_BYTE] = "the end byte is missing",
        [LOGFILE_CUT] = "the file ends inside a record",
        [LOGFILE_LENGTH] = "the length is impossible",
    };
    return text[state];
}
