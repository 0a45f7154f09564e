/* zokor log show and follow. */
#include "base/err.h"
#include "store/txnlog.h"
#include "tools/log_internal.h"
#include <inttypes.h>
#include <time.h>

#define LINE_BYTES_MAX (1u << 30)
#define POLL_NS 200000000L

void log_print_header(const struct log_context *c, const struct logfile *l)
{
    fprintf(c->out, "ZooKeeper Transactional Log File with dbid %" PRId64 " txnlog format version %" PRId32 "\n",
            logfile_dbid(l), logfile_version(l));
}

/* Data may hold anything, also what makes a terminal do things. */
static void put_line(const struct log_context *c, struct buf *line)
{
    if (c->printable) {
        for (size_t i = 0; i < line->n; i++) {
            uint8_t ch = line->p[i];
            bool c1 = ch == 0xc2 && i + 1 < line->n && line->p[i + 1] < 0xa0;
            if ((ch < 0x20 && ch != '\n' && ch != '\t') || ch == 0x7f)
                line->p[i] = '?';
            else if (c1)
                line->p[i] = line->p[i + 1] = '?';
        }
    }
    fwrite(buf_slice(line).p, 1, line->n, c->out);
    if (line->n == 0 || line->p[line->n - 1] != '\n')
        fputc('\n', c->out);
}

bool log_print_text(const struct log_context *c, struct buf *scratch, const char *prefix,
                    const struct logfile_record *r)
{
    buf_reset(scratch);
    if (prefix != NULL)
        buf_printf(scratch, "%s - ", prefix);
    bool readable = txn_print_text(scratch, r->payload);
    put_line(c, scratch);
    return readable;
}

void log_print_json(const struct log_context *c, struct buf *scratch, const char *file, const struct logfile_record *r)
{
    buf_reset(scratch);
    buf_printf(scratch, "{\"file\":");
    text_put_json(scratch, slice_str(file_base(file)));
    buf_printf(scratch, ",\"offset\":%" PRIu64 ",\"valid\":%s,", r->offset,
               r->state == LOGFILE_VALID ? "true" : "false");
    txn_print_json(scratch, r->payload);
    buf_printf(scratch, "}");
    put_line(c, scratch);
}

bool log_select_type_known(const char *type)
{
    int32_t number;
    return type == NULL || text_op_number(type, &number);
}

bool log_selected(const struct log_select *select, const struct logfile_record *r)
{
    struct txn txn;
    int32_t type = 0;
    if (r->zxid < select->from || (select->to > 0 && r->zxid > select->to))
        return false;
    if (select->type != NULL && text_op_number(select->type, &type) && r->type != type)
        return false;
    if (!select->by_session && select->path == NULL)
        return true;
    if (txn_decode(r->payload, &txn) != 0)
        return false;
    if (select->by_session && txn.header.session_id != select->session)
        return false;
    return select->path == NULL || txn_touches(&txn, slice_str(select->path));
}

struct show {
    const struct log_context *c;
    const struct log_select *select;
    struct buf line;
    struct store_error err;
    uint64_t shown;
    bool damaged;
};

static void show_record(struct show *s, const char *file, const struct logfile_record *r)
{
    if (!log_selected(s->select, r))
        return;
    if (s->c->json) {
        log_print_json(s->c, &s->line, file, r);
    } else {
        if (r->state != LOGFILE_VALID)
            (void)log_print_text(s->c, &s->line, "CRC ERROR", r);
        s->damaged |= !log_print_text(s->c, &s->line, NULL, r);
    }
    s->shown++;
}

static void show_damage_json(struct show *s, const struct logfile *l, uint64_t offset, uint64_t bytes, const char *what)
{
    buf_reset(&s->line);
    buf_printf(&s->line, "{\"file\":");
    text_put_json(&s->line, slice_str(file_base(logfile_name(l))));
    buf_printf(&s->line, ",\"offset\":%" PRIu64 ",\"damage\":\"%s\",\"bytes\":%" PRIu64 "}", offset, what, bytes);
    put_line(s->c, &s->line);
}

static void show_damage(struct show *s, const struct logfile *l, const struct logfile_record *r, uint64_t next)
{
    const char *what = logfile_state_text(r->state);
    s->damaged = true;
    if (s->c->json)
        show_damage_json(s, l, r->offset, next - r->offset, what);
    else
        fprintf(s->c->out, "DAMAGED at offset %" PRIu64 ": %s; %" PRIu64 " bytes passed\n", r->offset, what,
                next - r->offset);
}

/* What stands at `r` is no record: is it the end? 1 and the place where records go on; 0; or an error. */
static int show_resume(struct show *s, struct logfile *l, const struct logfile_record *r, int64_t last_zxid,
                       uint64_t *at)
{
    struct logfile_record next;
    uint64_t end;
    int rc = logfile_zeros(l, r->offset, &end, &s->err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    rc = logfile_find(l, r->offset + 1, last_zxid, &next, &s->err);
    if (rc < 0)
        return rc;
    if (rc == 0 && r->state == LOGFILE_CUT && !s->c->json)
        fprintf(s->c->out, "The last record, at offset %" PRIu64 ", is cut off.\n", r->offset);
    else
        show_damage(s, l, r, rc == 0 ? end : next.offset);
    *at = next.offset;
    return rc;
}

static int show_file(struct show *s, const char *name)
{
    struct logfile *l = NULL;
    uint64_t before = s->shown, at = LOGFILE_HEADER_BYTES;
    int64_t last_zxid = -1;
    int rc = logfile_open(s->c->fs, name, &l, &s->err);
    if (rc < 0)
        return rc;
    if (logfile_header(l) != LOGFILE_HEADER_OK) {
        s->damaged = true;
        fprintf(s->c->err, "%s: %s\n", name,
                logfile_header(l) == LOGFILE_HEADER_MAGIC ? "does not begin with the \"ZKLG\" of a transaction log"
                                                          : "is shorter than the header of a transaction log");
    } else if (!s->c->json) {
        log_print_header(s->c, l);
    }
    for (;;) {
        struct logfile_record r;
        rc = logfile_read(l, at, &r, &s->err);
        if (rc < 0)
            break;
        if (r.state == LOGFILE_VALID || r.state == LOGFILE_CHECKSUM) {
            s->damaged |= r.state != LOGFILE_VALID;
            show_record(s, name, &r);
            last_zxid = r.zxid > last_zxid && r.state == LOGFILE_VALID ? r.zxid : last_zxid;
            at = r.end;
            continue;
        }
        rc = show_resume(s, l, &r, last_zxid, &at);
        if (rc != 1)
            break;
    }
    if (rc == 0 && !s->c->json)
        fprintf(s->c->out, "EOF reached after %" PRIu64 " txns.\n", s->shown - before);
    logfile_close(l);
    return rc;
}

static int show_begin(struct show *s, const struct log_context *c, const struct log_select *select)
{
    *s = (struct show){ .c = c, .select = select };
    buf_init(&s->line, LINE_BYTES_MAX);
    return 0;
}

/* The first file that can hold `from`: of files that begin at or below it only the newest can. */
static size_t first_file(const struct file_list *files, int64_t from)
{
    size_t first = 0;
    for (size_t i = 1; i < files->count; i++) {
        int64_t zxid = store_name_zxid(file_base(files->at[i]), "log");
        if (zxid < 0)
            return 0;
        if (zxid <= from)
            first = i;
    }
    return first;
}

int log_show(const struct log_context *c, char *const *names, size_t count, const struct log_select *select)
{
    struct show s;
    struct file_list files = { 0 };
    int rc = show_begin(&s, c, select);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = file_list_expand(&files, c->fs, names[i], "log", &s.err);
    for (size_t i = first_file(&files, select->from); i < files.count && rc == 0; i++) {
        if (files.count > 1 && !c->json)
            fprintf(c->out, "%s:\n", files.at[i]);
        rc = show_file(&s, files.at[i]);
    }
    if (rc < 0)
        fprintf(c->err, "zokor: %s\n", s.err.text);
    file_list_fini(&files);
    buf_fini(&s.line);
    return rc < 0 || s.damaged ? 1 : 0;
}

/* ---- follow ---- */

struct follow {
    struct show show;
    struct log_select select;
    const char *name;
    bool dir;
    struct logfile *l;
    uint64_t at;
    int64_t last_zxid;    /* shown or passed over */
    unsigned stuck_turns; /* how often an invalid record was seen there */
    enum logfile_state stuck;
    bool leaving; /* a newer file is there: the open one gets no more, and is read once more */
};

#define STUCK_TURNS_TOLD 25 /* a record that is being written is whole long before, unless the server stands still */

static void tell_stuck(const struct follow *f, const char *done)
{
    (void)fflush(f->show.c->out);
    (void)fprintf(f->show.c->err,
                  "zokor: %s: at offset %" PRIu64 " stands no record: %s; %s. `zokor log verify %s` tells more\n",
                  logfile_name(f->l), f->at, logfile_state_text(f->stuck), done, logfile_name(f->l));
}

static void follow_leave(struct follow *f)
{
    logfile_close(f->l);
    f->l = NULL;
}

/* Opens the file that holds what is behind last_zxid, or the one behind the open one: 1, 0 if there is none, or an
 * error. The open one is left only when it was read to its end with the newer one there. */
static int follow_enter(struct follow *f)
{
    struct file_list files = { 0 };
    struct store_error err;
    int rc = file_list_expand(&files, f->show.c->fs, f->name, "log", &err);
    if (rc < 0) {
        file_list_fini(&files);
        f->show.err = err;
        return rc == ERR_NOT_FOUND && f->dir ? 0 : rc;
    }
    size_t i = files.count - 1;
    if (f->l != NULL) { /* the one behind the open one, which may be gone by now */
        int64_t open_zxid = store_name_zxid(file_base(logfile_name(f->l)), "log");
        for (i = 0; i < files.count && store_name_zxid(file_base(files.at[i]), "log") <= open_zxid; i++)
            ;
    } else {
        i = first_file(&files, f->last_zxid == INT64_MAX ? INT64_MAX : f->last_zxid + 1);
    }
    rc = 0;
    if (i < files.count && f->l != NULL && !f->leaving) {
        f->leaving = true;
        rc = 1;
    } else if (i < files.count) {
        if (f->stuck_turns > 0) /* what a crash has left of a record, or damage */
            tell_stuck(f, "going on with the next file");
        follow_leave(f);
        f->leaving = false;
        rc = logfile_open(f->show.c->fs, files.at[i], &f->l, &f->show.err);
        f->at = LOGFILE_HEADER_BYTES;
        f->stuck_turns = 0;
        rc = rc < 0 ? rc : 1;
    }
    file_list_fini(&files);
    return rc;
}

/* Shows what is there. 1 if anything was, 0, or an error. */
static int follow_read(struct follow *f)
{
    struct logfile_record r;
    int rc = logfile_refresh(f->l, &f->show.err), any = 0;
    if (rc < 0 || logfile_header(f->l) != LOGFILE_HEADER_OK)
        return rc;
    for (; (rc = logfile_read(f->l, f->at, &r, &f->show.err)) == 0 && r.state == LOGFILE_VALID; f->at = r.end) {
        any = 1;
        if (r.zxid > f->last_zxid)
            show_record(&f->show, logfile_name(f->l), &r);
        f->last_zxid = r.zxid > f->last_zxid ? r.zxid : f->last_zxid;
    }
    if (rc < 0)
        return rc;
    if (r.state == LOGFILE_END || any == 1) {
        f->stuck_turns = 0;
        return any;
    }
    f->stuck = r.state;
    if (++f->stuck_turns == STUCK_TURNS_TOLD)
        tell_stuck(f, "waiting for it");
    return 0;
}

static bool wait_a_little(void *ctx)
{
    (void)ctx;
    struct timespec t = { .tv_nsec = POLL_NS };
    (void)nanosleep(&t, NULL);
    return true;
}

/* The zxid of the last record that is there now; -1. */
static int follow_find_end(struct follow *f)
{
    int rc = 0;
    struct logfile_record r;
    f->last_zxid = INT64_MAX;
    rc = follow_enter(f);
    f->last_zxid = -1;
    if (rc <= 0)
        return rc;
    while ((rc = logfile_read(f->l, f->at, &r, &f->show.err)) == 0 && r.state == LOGFILE_VALID) {
        f->at = r.end;
        f->last_zxid = r.zxid > f->last_zxid ? r.zxid : f->last_zxid;
    }
    return rc;
}

int log_follow(const struct log_context *c, const char *name, const struct log_select *select, bool (*wait)(void *ctx),
               void *ctx)
{
    struct follow f = { .select = *select, .name = name, .dir = file_is_dir(c->fs, name), .last_zxid = -1 };
    int rc = show_begin(&f.show, c, &f.select);
    if (select->from < 0)
        rc = follow_find_end(&f);
    else
        f.last_zxid = select->from - 1;
    f.select.from = 0;
    while (rc >= 0) {
        rc = f.l == NULL ? 0 : follow_read(&f);
        fflush(c->out);
        if (rc == 0)
            rc = follow_enter(&f);
        if (rc != 0)
            continue;
        if (ferror(c->out) || !(wait == NULL ? wait_a_little : wait)(ctx))
            break;
    }
    if (rc < 0)
        fprintf(c->err, "zokor: %s\n", f.show.err.text);
    follow_leave(&f);
    buf_fini(&f.show.line);
    return rc < 0 ? 1 : 0;
}
