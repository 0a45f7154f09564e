/* Writing what was repaired or trimmed, and trimming itself. */
#include "tools/log_repair.h"
#include "base/err.h"
#include <inttypes.h>

#define LINE_BYTES_MAX (1u << 30)
#define ADLER_BASE 65521u

static void write_header(struct file_writer *w)
{
    uint8_t header[LOGFILE_HEADER_BYTES] = { 'Z', 'K', 'L', 'G', 0, 0, 0, 2 };
    file_writer_put(w, header, sizeof header);
}

static void write_record(struct file_writer *w, uint64_t checksum, struct slice payload)
{
    uint8_t head[12];
    store_be64(head, checksum);
    store_be32(head + 8, (uint32_t)payload.n);
    file_writer_put(w, head, sizeof head);
    file_writer_put(w, payload.p, payload.n);
    file_writer_put(w, "B", 1);
}

void repair_emit(struct repair *r, uint64_t checksum, struct slice payload)
{
    write_record(&r->out, checksum, payload);
    r->records++;
    if (payload.n < LOGFILE_TXN_HEADER_BYTES)
        return;
    int64_t zxid = (int64_t)load_be64(payload.p + 12);
    r->last_zxid = zxid > r->last_zxid ? zxid : r->last_zxid;
    r->last_time = (int64_t)load_be64(payload.p + 20);
}

int repair_begin(struct repair *r, const struct log_context *c, const char *name, const char *new_name)
{
    r->c = c;
    r->last_zxid = -1;
    r->at = LOGFILE_HEADER_BYTES;
    buf_init(&r->line, LINE_BYTES_MAX);
    int rc = logfile_open(c->fs, name, &r->l, &r->err);
    if (rc == 0)
        rc = file_writer_open(&r->out, c->fs, new_name, &r->err);
    if (rc == 0)
        write_header(&r->out);
    return rc;
}

void repair_fini(struct repair *r)
{
    logfile_close(r->l);
    buf_fini(&r->line);
    buf_fini(&r->out.held);
}

int repair_write(struct repair *r, const char *name, const char *new_name)
{
    int rc = file_writer_end(&r->out, &r->err);
    if (rc == 0 && r->c->keep_owner != NULL)
        r->c->keep_owner(name, new_name);
    return rc;
}

/* A durable copy under another name: the log itself must not be gone for a moment, or a server that starts after a
 * power cut would not know that it ever was. */
static int copy_file(struct repair *r, const char *from, const char *to)
{
    struct file_writer w;
    uint64_t size = logfile_size(r->l), at = 0;
    int rc = file_writer_open(&w, r->c->fs, to, &r->err);
    while (rc == 0 && at < size) {
        struct slice bytes;
        size_t n = size - at < (1u << 20) ? (size_t)(size - at) : 1u << 20;
        rc = logfile_bytes(r->l, at, n, &bytes, &r->err);
        if (rc == 0)
            file_writer_put(&w, bytes.p, bytes.n);
        at += n;
    }
    if (rc == 0)
        rc = file_writer_end(&w, &r->err);
    else if (rc != ERR_EXISTS)
        file_writer_abort(&w);
    if (rc == 0 && r->c->keep_owner != NULL)
        r->c->keep_owner(from, to);
    return rc;
}

int repair_replace(struct repair *r, const char *name, const char *new_name, const char *prefix)
{
    const struct log_context *c = r->c;
    char kept[4200];
    file_beside(name, prefix, "", kept, sizeof kept);
    if (file_exists(c->fs, kept)) {
        tool_error(&r->err, "%s is there already: move it away, then rename %s to %s", kept, new_name, name);
        return ERR_EXISTS;
    }
    int rc = copy_file(r, name, kept);
    if (rc == 0)
        rc = file_move(c->fs, new_name, name, &r->err);
    if (rc == 0)
        fprintf(c->out, "%s is the new file now; the old one is %s.\n", name, kept);
    return rc;
}

void repair_say_next(const struct log_context *c, const char *name, const char *new_name, const char *prefix)
{
    char kept[4200];
    file_beside(name, prefix, "", kept, sizeof kept);
    fprintf(c->out,
            "The old file is as it was. With the server stopped, put the new one in its place:\n"
            "  cp -p %s %s && mv %s %s\n",
            name, kept, new_name, name);
}

static uint32_t adler_inverse(uint32_t d)
{
    uint64_t result = 1, base = d;
    for (uint32_t e = ADLER_BASE - 2; e > 0; e >>= 1, base = base * base % ADLER_BASE)
        if (e & 1)
            result = result * base % ADLER_BASE;
    return (uint32_t)result;
}

bool repair_find_byte(const struct logfile_record *bad, size_t *place, uint8_t *value)
{
    uint32_t a0 = bad->checksum & 0xffff, a1 = bad->checksum_is & 0xffff;
    uint32_t b0 = (uint32_t)(bad->checksum >> 16), b1 = (uint32_t)(bad->checksum_is >> 16);
    if (bad->checksum >> 32 != 0 || a0 >= ADLER_BASE || b0 >= ADLER_BASE || a0 == a1 || bad->payload.n >= ADLER_BASE)
        return false;
    uint32_t d = (a0 + ADLER_BASE - a1) % ADLER_BASE;
    uint64_t from_end = (uint64_t)((b0 + ADLER_BASE - b1) % ADLER_BASE) * adler_inverse(d) % ADLER_BASE;
    if (from_end == 0 || from_end > bad->payload.n)
        return false;
    *place = bad->payload.n - (size_t)from_end;
    int32_t wanted = bad->payload.p[*place] + (d > ADLER_BASE / 2 ? (int32_t)d - (int32_t)ADLER_BASE : (int32_t)d);
    *value = (uint8_t)wanted;
    return wanted >= 0 && wanted <= 0xff;
}

int log_trim(const struct log_context *c, const char *name, int64_t to, bool replace)
{
    struct repair r = { .how = &(struct log_repair){ .yes = true } };
    struct logfile_record rec = { 0 };
    char new_name[4200];
    uint64_t end, above = 0;
    file_beside(name, "trimmed-", "", new_name, sizeof new_name);
    int rc = repair_begin(&r, c, name, new_name);
    while (rc == 0 && (rc = logfile_read(r.l, r.at, &rec, &r.err)) == 0 && rec.state == LOGFILE_VALID) {
        if (to > 0 && rec.zxid > to)
            above++;
        else
            repair_emit(&r, rec.checksum, rec.payload);
        r.at = rec.end;
    }
    if (rc == 0 && (logfile_header(r.l) != LOGFILE_HEADER_OK ||
                    (logfile_zeros(r.l, r.at, &end, &r.err) == 0 && rec.state != LOGFILE_CUT))) {
        tool_error(&r.err, "%s: damaged at offset %" PRIu64 ": %s; run `zokor log repair %s`", name, r.at,
                   logfile_state_text(rec.state), name);
        rc = ERR_CORRUPT;
    }
    if (rc == 0)
        rc = repair_write(&r, name, new_name);
    else
        file_writer_abort(&r.out);
    if (rc == 0) {
        fprintf(c->out,
                "%s has been written: %" PRIu64 " records, %" PRIu64 " left out, %" PRIu64 " of %" PRIu64 " bytes.\n",
                new_name, r.records, above, r.out.pos, logfile_size(r.l));
        if (replace)
            rc = repair_replace(&r, name, new_name, "untrimmed-");
        else
            repair_say_next(c, name, new_name, "untrimmed-");
    }
    if (rc < 0)
        fprintf(c->err, "zokor: %s\n", r.err.text);
    repair_fini(&r);
    return rc < 0 ? 1 : 0;
}
