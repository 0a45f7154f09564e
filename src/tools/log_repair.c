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
#include "tools/log_repair.h"
#include <ctype.h>
#include <inttypes.h>

#define FILL_COUNT_MAX 1000000
#define TXN_HEADER_BYTES LOGFILE_TXN_HEADER_BYTES

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
        repair_emit(r, bad->checksum, whole.payload);
        r->restored++;
        r->at += n + LOGFILE_OVERHEAD_BYTES;
        rc = 1;
    }
    return rc;
}

/* ---- a wrong checksum ---- */

/* Could a record with this zxid stand here? Within an epoch nothing is missing; the first of a file is in its name. */
static bool zxid_fits(const struct repair *r, int64_t zxid, int64_t next_zxid)
{
    int64_t first = r->before >= 0 ? r->before + 1 : store_name_zxid(file_base(logfile_name(r->l)), "log");
    if (next_zxid > 0 && zxid >= next_zxid)
        return false;
    if (r->last_zxid < 0)
        return first <= 0 || zxid == first;
    return zxid >> 32 == r->last_zxid >> 32 ? zxid == r->last_zxid + 1 : zxid > r->last_zxid;
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
    if (!repair_find_byte(bad, &place, &value))
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
            repair_emit(r, bad->checksum, whole.payload);
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
    repair_emit(r, checksum, bad->payload);
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
    repair_emit(r, digest_adler32(1, s.p, s.n), s);
    r->filled++;
}

static int repair_cut(struct repair *r)
{
    r->cut = true;
    return REPAIR_END;
}

/* What is to become of transactions that are lost: 'f'ill, 'c'ut or 'a'bort. */
static char choose_lost(struct repair *r)
{
    if (r->how->lost != LOG_LOST_ASK)
        return r->how->lost == LOG_LOST_FILL ? 'f' : 'c';
    if (!r->how->yes) {
        fprintf(r->c->out,
                "Fill: records that change nothing take their place, and those behind them stay. Cut: the log "
                "ends before them.\n");
        return ask(r, "Fill, cut or abort (Fill/Cut/Abort)", "fca");
    }
    fprintf(r->c->err, "zokor: what is lost cannot be repaired with -y alone: say --lost=fill or --lost=cut, or "
                       "restore the file from a backup or another member\n");
    return 'a';
}

/* Of the transactions between the last one and zxid `next` nothing is left that could be read. */
static int settle_lost(struct repair *r, int64_t next)
{
    int64_t from = r->last_zxid + 1, to = next - 1;
    if (r->last_zxid < 0)
        from = r->before >= 0 ? r->before + 1 : store_name_zxid(file_base(logfile_name(r->l)), "log");
    bool known = from > 0 && from >> 32 == to >> 32 && from <= to && to - from < FILL_COUNT_MAX;
    if (known)
        fprintf(r->c->out, "They held zxid 0x%" PRIx64 " to 0x%" PRIx64 ", %" PRId64 " transactions.\n", (uint64_t)from,
                (uint64_t)to, to - from + 1);
    else
        fprintf(r->c->out, "Which zxids they held is not known.\n");
    char answer = choose_lost(r);
    if (answer == 'a')
        return REPAIR_ABORT;
    if (answer == 'c')
        return repair_cut(r);
    for (int64_t zxid = from; known && zxid <= to; zxid++)
        fill(r, zxid);
    return REPAIR_GO_ON;
}

/* What stands between r->at and `next` cannot be read. */
static int repair_lost(struct repair *r, const char *what, const struct logfile_record *next)
{
    fprintf(r->c->out,
            "LOST at offset %" PRIu64 ": %s; %" PRIu64 " bytes up to the next valid record, zxid 0x%" PRIx64 ". ",
            r->at, what, next->offset - r->at, (uint64_t)next->zxid);
    int rc = settle_lost(r, next->zxid);
    if (rc != REPAIR_GO_ON)
        return rc;
    r->dropped += next->offset - r->at;
    r->at = next->offset;
    return REPAIR_GO_ON;
}

/* Nothing valid stands behind r->at, but something does; `torn`: as a crash leaves it. */
static int repair_tail(struct repair *r, const char *what, bool torn, uint64_t end)
{
    fprintf(r->c->out,
            "%s at offset %" PRIu64 ": %s; no valid record stands behind it: the log ends there, %" PRIu64
            " bytes are left out.\n",
            torn ? "CUT OFF" : "LOST", r->at, what, end - r->at);
    if (!torn && !r->how->yes && r->how->lost == LOG_LOST_ASK &&
        ask(r, "Would you like to end it there (Yes/Abort)", "ya") == 'a')
        return REPAIR_ABORT;
    r->dropped += end - r->at;
    return repair_cut(r);
}

/* A record whose checksum is right. */
static int repair_valid(struct repair *r, const struct logfile_record *record)
{
    static const char what[] = "a record with a right checksum that is no transaction (of a newer version, perhaps)";
    int64_t last = r->last_zxid >= 0 ? r->last_zxid : r->before;
    struct logfile_record next;
    struct txn txn;
    if (txn_decode(record->payload, &txn) != 0) {
        uint64_t end = record->end;
        int found = logfile_find(r->l, end, r->last_zxid, &next, &r->err);
        return found < 0 ? found : found == 1 ? repair_lost(r, what, &next) : repair_tail(r, what, false, end);
    }
    if (last >= 0 && record->zxid > last + 1 && record->zxid >> 32 == last >> 32) {
        int64_t zxid = record->zxid;
        fprintf(r->c->out, "MISSING in front of offset %" PRIu64 ": zxid 0x%" PRIx64 " follows 0x%" PRIx64 ". ",
                record->offset, (uint64_t)zxid, (uint64_t)last);
        if (zxid - last <= FILL_COUNT_MAX || r->how->lost == LOG_LOST_CUT)
            return settle_lost(r, zxid); /* the record's turn comes again */
        fprintf(r->c->out, "They are too many to be filled in; --lost=cut would end the log here.\n");
        return REPAIR_ABORT;
    }
    if (r->how->verbose)
        log_print_text(r->c, &r->line, NULL, record);
    repair_emit(r, record->checksum, record->payload);
    r->at = record->end;
    return REPAIR_GO_ON;
}

static int repair_step(struct repair *r)
{
    struct logfile_record bad, next = { 0 };
    struct txn txn;
    uint64_t end;
    int rc = logfile_read(r->l, r->at, &bad, &r->err);
    if (rc < 0)
        return rc;
    if (bad.state == LOGFILE_VALID)
        return repair_valid(r, &bad);
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
    const char *what = logfile_state_text(bad.state);
    return found == 1 ? repair_lost(r, what, &next) : repair_tail(r, what, bad.state == LOGFILE_CUT, end);
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
    int rc = repair_write(r, name, new_name);
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
        repair_say_next(c, name, new_name, "damaged-");
        return 0;
    }
    return repair_replace(r, name, new_name, "damaged-");
}

static int64_t last_valid_zxid(const struct log_context *c, const char *name)
{
    struct logfile *l = NULL;
    struct store_error err;
    struct logfile_record r;
    int64_t last = -1;
    if (logfile_open(c->fs, name, &l, &err) < 0)
        return -1;
    for (uint64_t at = LOGFILE_HEADER_BYTES; logfile_read(l, at, &r, &err) == 0 && r.state == LOGFILE_VALID; at = r.end)
        last = r.zxid > last ? r.zxid : last;
    logfile_close(l);
    return last;
}

/* The zxid behind which this log goes on: that of the last valid record of the logs before it in its directory. -1 if
 * there is none, or if a snapshot stands between them: then a server does not read the older ones. */
static int64_t zxid_before(const struct log_context *c, const char *name)
{
    char dir[4096];
    const char *base = file_base(name);
    int64_t own = store_name_zxid(base, "log"), last = -1;
    struct file_list files = { 0 };
    struct store_error err;
    file_dir(name, dir, sizeof dir);
    if (own >= 0 && file_list_expand(&files, c->fs, dir, "log", &err) == 0) {
        for (size_t i = files.count; i-- > 0 && last < 0;)
            if (store_name_zxid(file_base(files.at[i]), "log") < own)
                last = last_valid_zxid(c, files.at[i]);
    }
    file_list_fini(&files);
    if (last >= 0 && file_list_expand(&files, c->fs, dir, "snapshot", &err) == 0 &&
        store_name_zxid(file_base(files.at[files.count - 1]), "snapshot") > last)
        last = -1;
    file_list_fini(&files);
    return last >= 0 && last < own && last >> 32 == own >> 32 ? last : -1;
}

int log_repair(const struct log_context *c, const char *name, const struct log_repair *how)
{
    struct repair r = { .how = how };
    char new_name[4200];
    file_beside(name, "", ".fixed", new_name, sizeof new_name);
    int rc = repair_begin(&r, c, name, new_name);
    r.before = zxid_before(c, name);
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
