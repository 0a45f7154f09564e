/* zokor log repair and trim: a new file beside the old one.
 *
 * What a damaged record was can sometimes be proved: if only its length or its end byte is wrong, its checksum still
 * fits the bytes. If only one byte of the record or of its checksum is wrong, Adler-32 tells which: its lower half is
 * off by the byte's change d, its upper half by d times the byte's distance from the end. Several wrong bytes can look
 * like one, so the user decides; and also about other records with a wrong checksum that read as transactions, as with
 * Apache's toolkit. What is lost altogether leaves a gap in the zxids, over which no server
 * starts; it is filled with records of a failed request, which change nothing, or the log ends there. */
#include "base/digest.h"
#include "base/err.h"
#include "store/txnlog.h"
#include "tools/log_internal.h"
#include <ctype.h>
#include <inttypes.h>

#define LINE_BYTES_MAX (1u << 30)
#define FILL_COUNT_MAX 1000000
#define TXN_HEADER_BYTES LOGFILE_TXN_HEADER_BYTES

struct repair {
    const struct log_context *c;
    const struct log_repair *how;
    struct logfile *l;
    struct file_writer out;
    struct buf line;
    struct store_error err;
    int64_t last_zxid, last_time;
    uint64_t at, records, restored, checksums, filled, dropped;
    bool cut, refused;
};

enum { REPAIR_GO_ON = 1, REPAIR_END = 0, REPAIR_ABORT = ERR_CLOSED };

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

static void emit(struct repair *r, uint64_t checksum, struct slice payload)
{
    write_record(&r->out, checksum, payload);
    r->records++;
    if (payload.n < TXN_HEADER_BYTES)
        return;
    int64_t zxid = (int64_t)load_be64(payload.p + 12);
    r->last_zxid = zxid > r->last_zxid ? zxid : r->last_zxid;
    r->last_time = (int64_t)load_be64(payload.p + 20);
}

/* The first letter of an answer that is one of `letters` (lower case); the end of the input is the last of them. */
static char ask(struct repair *r, const char *question, const char *letters)
{
    char answer[128];
    for (;;) {
        fprintf(r->c->out, "%s ? ", question);
        fflush(r->c->out);
        if (fgets(answer, sizeof answer, r->c->in) == NULL)
            return letters[strlen(letters) - 1];
        char c = (char)tolower((unsigned char)answer[strspn(answer, " \t")]);
        if (c != '\0' && strchr(letters, c) != NULL)
            return c;
    }
}

/* ---- what can be proved ---- */

/* Do the bytes behind the record's head, taken as n long, have its checksum and read as a transaction? */
static bool proves(struct repair *r, const struct logfile_record *bad, uint64_t n, struct slice bytes)
{
    struct txn txn;
    return n >= TXN_HEADER_BYTES && n <= bytes.n && digest_adler32(1, bytes.p, (size_t)n) == bad->checksum &&
           txn_decode(slice_of(bytes.p, (size_t)n), &txn) == 0 && txn.header.zxid > r->last_zxid;
}

/* The record at r->at has a damaged length or end byte: 1 if it is restored, 0, or an error. `end` is where the next
 * valid record begins, or the data end. */
static int repair_proved(struct repair *r, const struct logfile_record *bad, uint64_t end)
{
    struct logfile_record whole = *bad;
    struct slice bytes = bad->payload;
    uint64_t n = bad->length;
    int rc = 0;
    if (bad->state != LOGFILE_END_BYTE || bad->checksum != bad->checksum_is || bad->end > end) {
        if (end - r->at < LOGFILE_OVERHEAD_BYTES + TXN_HEADER_BYTES || end - r->at > (1u << 30))
            return 0;
        rc = logfile_bytes(r->l, r->at + 12, (size_t)(end - r->at - 12), &bytes, &r->err);
        if (rc < 0)
            return rc;
        n = end - r->at - LOGFILE_OVERHEAD_BYTES;
    }
    if (proves(r, bad, n, bytes)) {
        whole.payload = slice_of(bytes.p, (size_t)n);
        log_print_text(r->c, &r->line, n == bad->length ? "END BYTE RESTORED" : "LENGTH RESTORED", &whole);
        emit(r, bad->checksum, whole.payload);
        r->restored++;
        r->at += n + LOGFILE_OVERHEAD_BYTES;
        rc = 1;
    }
    return rc;
}

/* ---- a wrong checksum ---- */

#define ADLER_BASE 65521u

/* Could a record with this zxid stand here? Within an epoch nothing is missing; the first of a file is in its name. */
static bool zxid_fits(const struct repair *r, int64_t zxid, int64_t next_zxid)
{
    int64_t first = store_name_zxid(file_base(logfile_name(r->l)), "log");
    if (next_zxid > 0 && zxid >= next_zxid)
        return false;
    if (r->last_zxid < 0)
        return first <= 0 || zxid == first;
    return zxid >> 32 == r->last_zxid >> 32 ? zxid == r->last_zxid + 1 : zxid > r->last_zxid;
}

static uint32_t adler_inverse(uint32_t d)
{
    uint64_t result = 1, base = d;
    for (uint32_t e = ADLER_BASE - 2; e > 0; e >>= 1, base = base * base % ADLER_BASE)
        if (e & 1)
            result = result * base % ADLER_BASE;
    return (uint32_t)result;
}

/* If changing one byte of the payload makes it fit the checksum: true, where and what it must be. */
static bool find_byte(const struct logfile_record *bad, size_t *place, uint8_t *value)
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

/* A record in its frame whose checksum does not fit: could one byte be wrong? REPAIR_GO_ON if it is restored, 0, or
 * REPAIR_ABORT. It is asked about, since several wrong bytes can look like one. */
static int repair_one_byte(struct repair *r, const struct logfile_record *bad, int64_t next_zxid)
{
    struct logfile_record whole = *bad;
    struct buf copy;
    struct txn txn;
    size_t place;
    uint8_t value;
    int done = 0;
    if (!find_byte(bad, &place, &value))
        return 0;
    buf_init(&copy, (size_t)1 << 31);
    buf_append_slice(&copy, bad->payload);
    copy.p[place] = value;
    whole.payload = buf_slice(&copy);
    if (digest_adler32(1, copy.p, copy.n) == bad->checksum && txn_decode(whole.payload, &txn) == 0 &&
        zxid_fits(r, txn.header.zxid, next_zxid)) {
        char answer = 'y';
        fprintf(r->c->out, "BYTE at offset %" PRIu64 ": 0x%02x instead of 0x%02x makes the checksum fit\n",
                bad->offset + 12 + place, value, bad->payload.p[place]);
        log_print_text(r->c, &r->line, "WITH IT", &whole);
        if (!r->how->yes)
            answer = ask(r, "Would you like to restore it (Yes/No/Abort)", "yna");
        done = answer == 'a' ? REPAIR_ABORT : answer == 'y' ? REPAIR_GO_ON : 0;
        if (done == REPAIR_GO_ON) {
            emit(r, bad->checksum, whole.payload);
            r->restored++;
            r->at = bad->end;
        }
    }
    buf_fini(&copy);
    return done;
}

static int repair_checksum(struct repair *r, const struct logfile_record *bad)
{
    uint64_t checksum = bad->checksum_is;
    log_print_text(r->c, &r->line, r->how->yes ? "CRC FIXED" : "CRC ERROR", bad);
    if (!r->how->yes) {
        char answer = ask(r, "Would you like to fix it (Yes/No/Abort)", "yna");
        if (answer == 'a')
            return REPAIR_ABORT;
        if (answer == 'n') {
            checksum = bad->checksum;
            r->refused = true;
        }
    }
    r->checksums += checksum == bad->checksum_is;
    emit(r, checksum, bad->payload);
    r->at = bad->end;
    return REPAIR_GO_ON;
}

/* ---- what is lost ---- */

static void fill(struct repair *r, int64_t zxid)
{
    uint8_t payload[TXN_HEADER_BYTES + 4];
    store_be64(payload, 0);
    store_be32(payload + 8, 0);
    store_be64(payload + 12, (uint64_t)zxid);
    store_be64(payload + 20, (uint64_t)r->last_time);
    store_be32(payload + 28, (uint32_t)WIRE_OP_ERROR);
    store_be32(payload + 32, (uint32_t)ERR_RUNTIME_INCONSISTENCY);
    struct slice s = slice_of(payload, sizeof payload);
    emit(r, digest_adler32(1, s.p, s.n), s);
    r->filled++;
}

static int repair_cut(struct repair *r)
{
    r->cut = true;
    return REPAIR_END;
}

/* Records between the last one and `next` cannot be read. */
static int repair_lost(struct repair *r, const struct logfile_record *bad, const struct logfile_record *next)
{
    int64_t from = r->last_zxid + 1, to = next->zxid - 1;
    if (r->last_zxid < 0)
        from = store_name_zxid(file_base(logfile_name(r->l)), "log");
    bool known = from > 0 && from >> 32 == to >> 32 && from <= to && to - from < FILL_COUNT_MAX;
    fprintf(r->c->out,
            "LOST at offset %" PRIu64 ": %s; %" PRIu64 " bytes up to the next valid record, zxid 0x%" PRIx64 ". ",
            bad->offset, logfile_state_text(bad->state), next->offset - r->at, (uint64_t)next->zxid);
    if (known)
        fprintf(r->c->out, "They held zxid 0x%" PRIx64 " to 0x%" PRIx64 ", %" PRId64 " transactions.\n", (uint64_t)from,
                (uint64_t)to, to - from + 1);
    else
        fprintf(r->c->out, "Which zxids they held is not known.\n");
    char answer = r->how->lost == LOG_LOST_FILL ? 'f' : r->how->lost == LOG_LOST_CUT ? 'c' : 'a';
    if (r->how->lost == LOG_LOST_ASK && !r->how->yes) {
        fprintf(r->c->out,
                "Fill: records that change nothing take their place, and those behind them stay. Cut: the log "
                "ends before them.\n");
        answer = ask(r, "Fill, cut or abort (Fill/Cut/Abort)", "fca");
    } else if (r->how->lost == LOG_LOST_ASK) {
        fprintf(r->c->err, "zokor: what is lost cannot be repaired with -y alone: say --lost=fill or --lost=cut, or "
                           "restore the file from a backup or another member\n");
    }
    if (answer == 'a')
        return REPAIR_ABORT;
    if (answer == 'c')
        return repair_cut(r);
    for (int64_t zxid = from; known && zxid <= to; zxid++)
        fill(r, zxid);
    r->dropped += next->offset - r->at;
    r->at = next->offset;
    return REPAIR_GO_ON;
}

/* Nothing valid stands behind r->at, but something does. */
static int repair_tail(struct repair *r, const struct logfile_record *bad, uint64_t end)
{
    fprintf(r->c->out,
            "%s at offset %" PRIu64 ": %s; no valid record stands behind it: the log ends there, %" PRIu64
            " bytes are left out.\n",
            bad->state == LOGFILE_CUT ? "CUT OFF" : "LOST", bad->offset, logfile_state_text(bad->state), end - r->at);
    if (bad->state != LOGFILE_CUT && !r->how->yes && r->how->lost == LOG_LOST_ASK &&
        ask(r, "Would you like to end it there (Yes/Abort)", "ya") == 'a')
        return REPAIR_ABORT;
    r->dropped += end - r->at;
    return repair_cut(r);
}

static int repair_step(struct repair *r)
{
    struct logfile_record bad, next = { 0 };
    struct txn txn;
    uint64_t end;
    int rc = logfile_read(r->l, r->at, &bad, &r->err);
    if (rc < 0)
        return rc;
    if (bad.state == LOGFILE_VALID) {
        if (r->how->verbose)
            log_print_text(r->c, &r->line, NULL, &bad);
        emit(r, bad.checksum, bad.payload);
        r->at = bad.end;
        return REPAIR_GO_ON;
    }
    if ((rc = logfile_zeros(r->l, r->at, &end, &r->err)) != 0)
        return rc < 0 ? rc : REPAIR_END;
    int found = logfile_find(r->l, r->at + 1, r->last_zxid, &next, &r->err);
    if (found < 0)
        return found;
    uint64_t next_at = found == 1 ? next.offset : end;
    int64_t next_zxid = found == 1 ? next.zxid : 0;
    if ((rc = logfile_read(r->l, r->at, &bad, &r->err)) < 0 || (rc = repair_proved(r, &bad, next_at)) != 0)
        return rc;
    if ((rc = logfile_read(r->l, r->at, &bad, &r->err)) < 0)
        return rc;
    bool framed = bad.state == LOGFILE_CHECKSUM && bad.end <= next_at;
    if (framed && (rc = repair_one_byte(r, &bad, next_zxid)) != 0)
        return rc;
    if (framed && zxid_fits(r, bad.zxid, next_zxid) && txn_decode(bad.payload, &txn) == 0)
        return repair_checksum(r, &bad);
    return found == 1 ? repair_lost(r, &bad, &next) : repair_tail(r, &bad, end);
}

static int repair_begin(struct repair *r, const struct log_context *c, const char *name, const char *new_name)
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

static void repair_fini(struct repair *r)
{
    logfile_close(r->l);
    buf_fini(&r->line);
    buf_fini(&r->out.held);
}

/* Puts the new file in the place of the old one, which is kept under a name that no server takes for a log. */
static int replace_file(const struct log_context *c, const char *name, const char *new_name, const char *prefix,
                        struct store_error *err)
{
    char kept[4200];
    file_beside(name, prefix, "", kept, sizeof kept);
    if (file_exists(c->fs, kept)) {
        tool_error(err, "%s is there already: move it away, then rename %s to %s", kept, new_name, name);
        return ERR_EXISTS;
    }
    int rc = file_move(c->fs, name, kept, err);
    if (rc == 0)
        rc = file_move(c->fs, new_name, name, err);
    if (rc == 0)
        fprintf(c->out, "%s is the repaired file now; the old one is %s.\n", name, kept);
    return rc;
}

static void say_next(const struct log_context *c, const char *name, const char *new_name, const char *prefix)
{
    char kept[4200];
    file_beside(name, prefix, "", kept, sizeof kept);
    fprintf(c->out,
            "The old file is as it was. With the server stopped, put the new one in its place:\n"
            "  mv %s %s && mv %s %s\n",
            name, kept, new_name, name);
}

static int finish_file(struct repair *r, const char *name, const char *new_name)
{
    int rc = file_writer_end(&r->out, &r->err);
    if (rc == 0 && r->c->keep_owner != NULL)
        r->c->keep_owner(name, new_name);
    return rc;
}

static int repair_finish(struct repair *r, const char *name, const char *new_name)
{
    const struct log_context *c = r->c;
    bool header = logfile_header(r->l) != LOGFILE_HEADER_OK;
    if (!header && r->restored + r->checksums + r->filled + r->dropped == 0 && !r->cut && !r->refused) {
        file_writer_abort(&r->out);
        fprintf(c->out, "%s: all %" PRIu64 " records are valid; there is nothing to repair.\n", name, r->records);
        return 0;
    }
    int rc = finish_file(r, name, new_name);
    if (rc < 0)
        return rc;
    fprintf(c->out, "Recovery file %s has been written with %" PRIu64 " fixed CRC error(s)\n", new_name, r->checksums);
    fprintf(c->out,
            "%" PRIu64 " records, the last with zxid 0x%" PRIx64 "; %" PRIu64 " restored, %" PRIu64
            " with a new checksum, %" PRIu64 " filled in, %" PRIu64 " bytes left out%s.\n",
            r->records, (uint64_t)(r->last_zxid < 0 ? 0 : r->last_zxid), r->restored, r->checksums, r->filled,
            r->dropped, header ? "; the file's header was written anew" : "");
    if (r->filled + r->dropped > 0)
        fprintf(c->out, "Changes are missing. Of an ensemble, rather empty this member's data directory: it takes all "
                        "from the others.\n");
    if (!r->how->replace) {
        say_next(c, name, new_name, "damaged-");
        return 0;
    }
    return replace_file(c, name, new_name, "damaged-", &r->err);
}

int log_repair(const struct log_context *c, const char *name, const struct log_repair *how)
{
    struct repair r = { .how = how };
    char new_name[4200];
    file_beside(name, "", ".fixed", new_name, sizeof new_name);
    int rc = repair_begin(&r, c, name, new_name);
    if (rc == 0)
        rc = logfile_size(r.l) < LOGFILE_HEADER_BYTES ? REPAIR_END : REPAIR_GO_ON;
    while (rc == REPAIR_GO_ON)
        rc = repair_step(&r);
    if (rc == REPAIR_END)
        rc = repair_finish(&r, name, new_name);
    else
        file_writer_abort(&r.out);
    if (rc == REPAIR_ABORT)
        fprintf(c->err, "Recovery aborted.\n");
    else if (rc < 0)
        fprintf(c->err, "zokor: %s\n", r.err.text);
    repair_fini(&r);
    return rc < 0 ? 1 : 0;
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
            emit(&r, rec.checksum, rec.payload);
        r.at = rec.end;
    }
    if (rc == 0 && (logfile_header(r.l) != LOGFILE_HEADER_OK ||
                    (logfile_zeros(r.l, r.at, &end, &r.err) == 0 && rec.state != LOGFILE_CUT))) {
        tool_error(&r.err, "%s: damaged at offset %" PRIu64 ": %s; run `zokor log repair %s`", name, r.at,
                   logfile_state_text(rec.state), name);
        rc = ERR_CORRUPT;
    }
    if (rc == 0)
        rc = finish_file(&r, name, new_name);
    else
        file_writer_abort(&r.out);
    if (rc == 0) {
        fprintf(c->out,
                "%s has been written: %" PRIu64 " records, %" PRIu64 " left out, %" PRIu64 " of %" PRIu64 " bytes.\n",
                new_name, r.records, above, r.out.pos, logfile_size(r.l));
        if (replace)
            rc = replace_file(c, name, new_name, "untrimmed-", &r.err);
        else
            say_next(c, name, new_name, "untrimmed-");
    }
    if (rc < 0)
        fprintf(c->err, "zokor: %s\n", r.err.text);
    repair_fini(&r);
    return rc < 0 ? 1 : 0;
}
