/* The reader of the transaction log, and the rule that tells the torn end of a crash from damage.
 *
 * What a crash can leave behind the last acknowledged record is one unfinished write: any of its 512-byte sectors may
 * be there or not, and one that is not reads as zeros, because files only grow and are written once. So an invalid
 * record is a torn end if
 *   - no valid record follows it in the file and it ends too early, has no end byte or no length; or
 *   - one of its own sectors reads as zeros and everything behind it fits into one write of the log's writer.
 * Everything else is damage: acknowledged records may lie at or behind that place, and going on without them would
 * lose them silently. Apache's reader does so for a damaged end byte or a length of zero (disk specification 2.7). */
#include "base/museum.h"
#include "base/digest.h"
#include "base/mem.h"
#include "store/internal.h"
#include "store/txnlog.h"
#include "wire/txn.h"
#include <inttypes.h>
#include <stdio.h>

#define READ_BYTES (1u << 20)
#define RECORD_BYTES_MAX_DEFAULT 2097150 /* jute.maxbuffer + extrasize */
#define SECTOR_BYTES 512u
#define RECORD_HEAD_BYTES 12u /* checksum, length */
#define TXN_HEADER_BYTES 32u
#define SCAN_BLOCK_BYTES 4096u
/* Behind this many zeros only one block in SCAN_STRIDE_BYTES is looked at: most of a preallocated file is zeros. */
#define SCAN_ZEROS_DENSE_BYTES (1u << 20)
#define SCAN_STRIDE_BYTES (1u << 16)
/* Work spent on checksums of what only looks like a record; beyond it a file counts as damaged. */
#define SCAN_CHECKSUM_BYTES_MAX (1u << 30)

struct txnlog_reader {
    struct fs *fs;
    struct fs_file *file;
    struct store_path path;
    uint64_t size; /* of the file */
    size_t record_bytes_max;
    uint8_t *window; /* bytes [base, base + have) of the file */
    size_t cap, have;
    size_t ahead; /* read at least this much when a read is due */
    uint64_t base;
    uint64_t at;  /* of the next record */
    int64_t zxid; /* of the last one; -1 */
    int result;   /* 1 while there may be more; then what next returns for ever */
    enum txnlog_end end;
    struct store_error why; /* the torn end or the damage */
};

/* Up to n bytes at an offset, contiguous; fewer only at the end of the file. Negative errors. */
static int64_t reader_look(struct txnlog_reader *r, uint64_t at, size_t n, const uint8_t **p)
{
    if (at >= r->size)
        return 0;
    if (r->size - at < n)
        n = (size_t)(r->size - at);
    if (at < r->base || at + n > r->base + r->have) {
        if (r->cap < n) {
            uint8_t *bigger = mem_try_realloc(r->window, n + READ_BYTES);
            if (bigger == NULL)
                return ERR_NO_MEMORY;
            r->window = bigger;
            r->ahead = r->cap = n + READ_BYTES;
        }
        size_t kept = 0;
        if (at >= r->base && at < r->base + r->have) {
            kept = (size_t)(r->base + r->have - at);
            memmove(r->window, r->window + (at - r->base), kept);
        }
        size_t want = (n > r->ahead ? n : r->ahead) - kept;
        if (want > r->size - at - kept)
            want = (size_t)(r->size - at - kept);
        int64_t got = r->fs->ops->read_at(r->file, at + kept, r->window + kept, want);
        r->base = at;
        r->have = got < 0 ? 0 : kept + (size_t)got;
        if (got < 0)
            return got;
    }
    size_t there = (size_t)(r->base + r->have - at);
    *p = r->window + (at - r->base);
    return (int64_t)(there < n ? there : n);
}

static int reader_io_error(const struct txnlog_reader *r, uint64_t at, int rc, struct store_error *err)
{
    return store_fail(err, rc, "%s: cannot read at offset %" PRIu64 ": %s", r->path.text, at, err_text(rc));
}

static int reader_check_header(struct txnlog_reader *r, struct store_error *err)
{
    const uint8_t *p = NULL;
    int64_t size = r->fs->ops->size(r->file);
    if (size < 0)
        return reader_io_error(r, 0, (int)size, err);
    r->size = (uint64_t)size;
    if (size == 0)
        return store_fail(err, ERR_END, "%s: is empty", r->path.text);
    r->ahead = r->cap = r->size < READ_BYTES ? (size_t)r->size : READ_BYTES;
    r->window = mem_alloc(r->cap);
    int64_t n = reader_look(r, 0, TXNLOG_HEADER_BYTES, &p);
    if (n < 0)
        return reader_io_error(r, 0, (int)n, err);
    if (n < TXNLOG_HEADER_BYTES)
        return store_fail(err, ERR_CORRUPT,
                          "%s: has only %" PRId64 " bytes, less than a log's header: no transaction is in it. If it is "
                          "the newest log, move it away; else " STORE_LOG_REPAIR_HINT,
                          r->path.text, n, r->path.text);
    if (memcmp(p, "ZKLG", 4) != 0)
        return store_fail(err, ERR_CORRUPT,
                          "%s: offset 0: begins with %02x%02x%02x%02x, not with the \"ZKLG\" of a transaction "
                          "log; " STORE_LOG_REPAIR_HINT,
                          r->path.text, p[0], p[1], p[2], p[3], r->path.text);
    return 0;
}

int txnlog_reader_open(struct fs *fs, const char *name, size_t record_bytes_max, struct txnlog_reader **out,
                       struct store_error *err)
{
    struct txnlog_reader *r = mem_zalloc(sizeof *r);
    *out = NULL;
    r->fs = fs;
    r->record_bytes_max = record_bytes_max == 0 ? RECORD_BYTES_MAX_DEFAULT : record_bytes_max;
    r->at = TXNLOG_HEADER_BYTES;
    r->zxid = -1;
    r->result = 1;
    (void)snprintf(r->path.text, sizeof r->path.text, "%s", name);

    int rc = fs_open(fs, name, FS_READ, &r->file);
    if (rc < 0)
        rc = store_fail(err, rc, "%s: cannot open: %s", name, err_text(rc));
    else
        rc = reader_check_header(r, err);
    if (rc < 0) {
        txnlog_reader_close(r);
        return rc;
    }
    *out = r;
    return 0;
}

void txnlog_reader_close(struct txnlog_reader *r)
{
    if (r == NULL)
        return;
    r->fs->ops->close(r->file);
    mem_free(r->window);
    mem_free(r);
}

enum txnlog_end txnlog_reader_end(const struct txnlog_reader *r)
{
    return r->end;
}

uint64_t txnlog_reader_offset(const struct txnlog_reader *r)
{
    return r->at;
}

int64_t txnlog_reader_zxid(const struct txnlog_reader *r)
{
    return r->zxid;
}

const char *txnlog_reader_torn_text(const struct txnlog_reader *r)
{
    return r->why.text;
}

static bool all_zeros(const uint8_t *p, size_t n)
{
    uint64_t any = 0;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        any |= v;
    }
    for (; n > 0; p++, n--)
        any |= *p;
    return any == 0;
}

static int64_t payload_zxid(const uint8_t *payload)
{
    return (int64_t)load_be64(payload + 12);
}

/* ---- looking behind an invalid record ---- */

struct scan {
    uint64_t at;       /* the invalid record */
    uint64_t valid_at; /* the first valid record behind it; 0: none */
    int64_t valid_zxid;
    uint64_t data_end; /* just behind the last byte that is not zero; at if there is none */
    uint64_t checksum_bytes;
};

/* 1 if a valid record stands at `at` that could come after the last one read; 0; or an error. */
static int scan_try(struct txnlog_reader *r, struct scan *s, uint64_t at, uint32_t n)
{
    const uint8_t *p = NULL;
    size_t whole = (size_t)n + TXNLOG_OVERHEAD_BYTES;
    int64_t there = reader_look(r, at, whole, &p);
    if (there < 0)
        return (int)there;
    if ((size_t)there < whole || p[whole - 1] != 'B' || payload_zxid(p + RECORD_HEAD_BYTES) <= r->zxid)
        return 0;
    s->checksum_bytes += n;
    struct txn txn;
    struct slice payload = slice_of(p + RECORD_HEAD_BYTES, (size_t)n);
    if (digest_adler32(1, payload.p, payload.n) != load_be64(p) || txn_decode(payload, &txn) != 0)
        return 0;
    s->valid_at = at;
    s->valid_zxid = txn.header.zxid;
    return 1;
}

/* Looks for a record in the block at `at`: at every offset, because a wrong length tells nothing about where the next
 * one begins. Most offsets fail on the upper half of the checksum, which is always zero, or on the length. */
static int scan_block(struct txnlog_reader *r, struct scan *s, uint64_t at, uint64_t end)
{
    while (at < end) {
        const uint8_t *p = NULL;
        int64_t there = reader_look(r, at, SCAN_BLOCK_BYTES, &p);
        if (there < (int64_t)(TXNLOG_OVERHEAD_BYTES + TXN_HEADER_BYTES))
            return there < 0 ? (int)there : 0;
        uint32_t n = 0;
        for (; at < end && there >= (int64_t)RECORD_HEAD_BYTES; at++, p++, there--) {
            n = load_be32(p + 8);
            if (load_be32(p) == 0 && n >= TXN_HEADER_BYTES && n <= r->record_bytes_max)
                break;
        }
        if (at >= end || there < (int64_t)RECORD_HEAD_BYTES)
            continue;
        int rc = scan_try(r, s, at, n);
        if (rc != 0)
            return rc < 0 ? rc : 0;
        if (s->checksum_bytes > SCAN_CHECKSUM_BYTES_MAX)
            return ERR_TOO_LONG;
        at++;
    }
    return 0;
}

static uint64_t scan_data_end(const uint8_t *p, size_t n, uint64_t at)
{
    while (n > 0 && p[n - 1] == 0)
        n--;
    return at + n;
}

/* Reads from the invalid record to the end of the file. */
static int scan_behind(struct txnlog_reader *r, struct scan *s)
{
    uint64_t zeros = 0, scanned = s->at + 1;
    s->data_end = s->at;
    for (uint64_t at = s->at; at < r->size;) {
        const uint8_t *p = NULL;
        r->ahead = zeros < SCAN_ZEROS_DENSE_BYTES ? READ_BYTES : SCAN_BLOCK_BYTES;
        int64_t there = reader_look(r, at, SCAN_BLOCK_BYTES, &p);
        if (there <= 0)
            return (int)there;
        size_t n = (size_t)there;
        if (all_zeros(p, n)) {
            zeros += n;
            at += zeros < SCAN_ZEROS_DENSE_BYTES ? n : SCAN_STRIDE_BYTES;
            continue;
        }
        /* What a stride has passed over is read too, and the end of the zeros, where a checksum may begin. */
        uint64_t back = zeros >= SCAN_ZEROS_DENSE_BYTES ? SCAN_STRIDE_BYTES : RECORD_HEAD_BYTES;
        if (at > scanned + back)
            scanned = at - back;
        s->data_end = scan_data_end(p, n, at);
        zeros = 0;
        at += n;
        int rc = s->valid_at != 0 ? 0 : scan_block(r, s, scanned, at);
        if (rc < 0)
            return rc;
        scanned = at;
    }
    return 0;
}

/* Does one of the sectors that the record at `at` occupies read as zeros, where a record cannot be zeros by itself?
 * The first sector only tells if more of it belongs to the record than the upper half of the checksum. */
static int record_has_hole(struct txnlog_reader *r, uint64_t at, uint64_t end)
{
    uint64_t from = at;
    for (uint64_t to = (at / SECTOR_BYTES + 1) * SECTOR_BYTES; from < end && from < r->size; to += SECTOR_BYTES) {
        const uint8_t *p = NULL;
        int64_t there = reader_look(r, from, (size_t)(to - from), &p);
        if (there < 0)
            return (int)there;
        if (to - from > 4 && all_zeros(p, (size_t)there))
            return 1;
        from = to;
    }
    return 0;
}

/* ---- judging an invalid record ---- */

enum flaw {
    FLAW_NO_LENGTH, /* n = 0: where a log normally ends */
    FLAW_CUT,       /* the file ends inside the record */
    FLAW_END_BYTE,
    FLAW_CHECKSUM,
};

static const char *const flaw_text[] = {
    [FLAW_NO_LENGTH] = "no record",
    [FLAW_CUT] = "the file ends inside a record",
    [FLAW_END_BYTE] = "a record without its end byte",
    [FLAW_CHECKSUM] = "a record with a wrong checksum",
};

static void reader_zxid_text(const struct txnlog_reader *r, char *to, size_t size)
{
    if (r->zxid < 0)
        (void)snprintf(to, size, "it is the first record");
    else
        (void)snprintf(to, size, "the record before it has zxid 0x%" PRIx64, (uint64_t)r->zxid);
}

static int reader_damage(struct txnlog_reader *r, const char *what, const struct scan *s)
{
    char before[64], behind[160];
    reader_zxid_text(r, before, sizeof before);
    if (s != NULL && s->valid_at != 0)
        (void)snprintf(behind, sizeof behind,
                       "a valid record with zxid 0x%" PRIx64 " stands behind it at offset %" PRIu64
                       ", so it is not the torn end of a crash",
                       (uint64_t)s->valid_zxid, s->valid_at);
    else
        (void)snprintf(behind, sizeof behind, "no valid record stands behind it");
    r->result = store_fail(&r->why, ERR_CORRUPT,
                           "%s: damaged at offset %" PRIu64 ": %s; %s; %s. Nothing was changed; " STORE_LOG_REPAIR_HINT,
                           r->path.text, r->at, what, before, behind, r->path.text);
    return r->result;
}

static int reader_end_here(struct txnlog_reader *r, enum txnlog_end end, const char *what)
{
    char before[64];
    reader_zxid_text(r, before, sizeof before);
    r->end = end;
    if (end == TXNLOG_END_TORN)
        (void)store_fail(&r->why, 0, "%s: torn at offset %" PRIu64 ": %s; %s", r->path.text, r->at, what, before);
    return r->result = 0;
}

/* The record at r->at is invalid: an end, clean or torn, or damage. `end` is where the record would end. */
static int reader_judge(struct txnlog_reader *r, enum flaw flaw, uint64_t end)
{
    struct scan s = { .at = r->at };
    int rc = scan_behind(r, &s);
    if (rc == ERR_TOO_LONG) {
        (void)reader_damage(r, flaw_text[flaw], NULL);
        return r->result;
    }
    if (rc < 0)
        return r->result = reader_io_error(r, r->at, rc, &r->why);
    if (s.data_end == r->at)
        return reader_end_here(r, TXNLOG_END_CLEAN, "");
    if (s.valid_at == 0 && flaw != FLAW_CHECKSUM)
        return reader_end_here(r, TXNLOG_END_TORN, flaw_text[flaw]);
    /* A damaged length may reach into what follows, or into the preallocated zeros. */
    uint64_t known_end = s.valid_at != 0 ? s.valid_at : s.data_end;
    rc = record_has_hole(r, r->at, end < known_end ? end : known_end);
    if (rc < 0)
        return r->result = reader_io_error(r, r->at, rc, &r->why);
    uint64_t torn_max = TXNLOG_WRITE_BYTES_MAX + r->record_bytes_max + TXNLOG_OVERHEAD_BYTES;
    if (rc == 1 && s.data_end - r->at <= torn_max)
        return reader_end_here(r, TXNLOG_END_TORN, "sectors of an unfinished write are missing");
    return reader_damage(r, flaw_text[flaw], &s);
}

int txnlog_reader_next(struct txnlog_reader *r, struct slice *payload, uint64_t *offset, struct store_error *err)
{
    const uint8_t *p = NULL;
    if (r->result != 1)
        goto out;
    int64_t there = reader_look(r, r->at, RECORD_HEAD_BYTES, &p);
    if (there < 0) {
        r->result = reader_io_error(r, r->at, (int)there, &r->why);
        goto out;
    }
    if (there < (int64_t)RECORD_HEAD_BYTES) {
        (void)reader_judge(r, FLAW_CUT, r->at + RECORD_HEAD_BYTES);
        goto out;
    }
    uint64_t checksum = load_be64(p);
    uint32_t n = load_be32(p + 8);
    if (n == 0) {
        (void)reader_judge(r, FLAW_NO_LENGTH, r->at + RECORD_HEAD_BYTES + TXN_HEADER_BYTES);
        goto out;
    }
    if (n > r->record_bytes_max) {
        char what[96];
        (void)snprintf(what, sizeof what, "a record of impossible length %" PRId32 " (the limit is %zu)", (int32_t)n,
                       r->record_bytes_max);
        struct scan s = { .at = r->at };
        (void)reader_damage(r, what, scan_behind(r, &s) == 0 ? &s : NULL);
        goto out;
    }
    size_t whole = (size_t)n + TXNLOG_OVERHEAD_BYTES;
    there = reader_look(r, r->at, whole, &p);
    if (there < 0)
        r->result = reader_io_error(r, r->at, (int)there, &r->why);
    else if ((size_t)there < whole)
        (void)reader_judge(r, FLAW_CUT, r->at + whole);
    else if (p[whole - 1] != 'B')
        (void)reader_judge(r, FLAW_END_BYTE, r->at + whole);
    else if (digest_adler32(1, p + RECORD_HEAD_BYTES, n) != checksum && !SIM_BUG(log_checksum_ignored))
        (void)reader_judge(r, FLAW_CHECKSUM, r->at + whole);
    if (SIM_BUG(recovery_drops_last) && r->result == 1 && payload_zxid(p + RECORD_HEAD_BYTES) % 32 == 31)
        r->result = 0;
    if (r->result != 1)
        goto out;
    *payload = slice_of(p + RECORD_HEAD_BYTES, n);
    *offset = r->at;
    r->at += whole;
    if (n >= TXN_HEADER_BYTES)
        r->zxid = payload_zxid(payload->p);
    return 1;
out:
    if (r->result < 0)
        *err = r->why;
    return r->result;
}
