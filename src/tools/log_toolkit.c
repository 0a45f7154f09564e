/* Apache's TxnLogToolkit (3.8.0 was watched): arguments, messages, exit status. */
#include "base/err.h"
#include "tools/log_internal.h"
#include <inttypes.h>
#include <stdlib.h>

#define LINE_BYTES_MAX (1u << 30)

enum { EXIT_INVALID = 2 }; /* Apache's code for a file that is no log */

struct toolkit {
    const struct log_context *c;
    const char *file, *zxid;
    bool recover, yes, verbose, chop, help;
    struct logfile *l;
    struct file_writer out;
    struct buf line;
    struct store_error err;
    uint64_t count, fixed;
    bool unreadable;
};

static const char usage[] =
    "usage: TxnLogToolkit [-dhrvc] <txn_log_file_name> (-z <zxid>)\n"
    " -c,--chop         Chop mode. Chop txn file to a zxid.\n"
    " -d,--dump         Dump mode. Dump all entries of the log file with printing the content of a nodepath (default)\n"
    " -h,--help         Print help message\n"
    " -r,--recover      Recovery mode. Re-calculate CRC for broken entries.\n"
    " -v,--verbose      Be verbose in recovery mode: print all entries, not just fixed ones.\n"
    " -y,--yes          Non-interactive mode: repair all CRC errors without asking\n"
    " -z,--zxid <arg>   Used with chop. Zxid to which to chop.\n";

static const struct {
    const char *name;
    char letter;
} long_names[] = { { "chop", 'c' },    { "dump", 'd' }, { "help", 'h' }, { "recover", 'r' },
                   { "verbose", 'v' }, { "yes", 'y' },  { "zxid", 'z' } };

static bool set_option(struct toolkit *t, char letter)
{
    switch (letter) {
    case 'c':
        t->chop = true;
        return true;
    case 'h':
        t->help = true;
        return true;
    case 'r':
        t->recover = true;
        return true;
    case 'v':
        t->verbose = true;
        return true;
    case 'y':
        t->yes = true;
        return true;
    case 'd':
    case 'z':
        return true;
    default:
        return false;
    }
}

/* One argument that begins with '-'. False: unknown, or -z without its number. */
static bool parse_option(struct toolkit *t, int argc, char **argv, int *i)
{
    const char *a = argv[*i];
    char letters[2] = { 0 };
    if (a[1] == '-') {
        for (size_t k = 0; k < ARRAY_COUNT(long_names); k++)
            if (strcmp(a + 2, long_names[k].name) == 0)
                letters[0] = long_names[k].letter;
        a = letters;
    } else {
        a++;
    }
    if (*a == '\0')
        return false;
    for (; *a != '\0'; a++) {
        if (!set_option(t, *a))
            return false;
        if (*a == 'z') {
            if (*i + 1 >= argc)
                return false;
            t->zxid = argv[++*i];
        }
    }
    return true;
}

static int print_usage(const struct log_context *c, int status)
{
    fputs(usage, c->out);
    return status;
}

/* 'y', 'n' or 'a'; Apache asks again for anything else. */
static char ask(const struct log_context *c)
{
    char answer[128];
    for (;;) {
        fprintf(c->out, "Would you like to fix it (Yes/No/Abort) ? ");
        fflush(c->out);
        if (fgets(answer, sizeof answer, c->in) == NULL)
            return 'a';
        char letter = (char)(answer[0] | 0x20);
        if (letter == 'y' || letter == 'n' || letter == 'a')
            return letter;
    }
}

/* 1, or 0: the user gave up. */
static int judge(struct toolkit *t, struct logfile_record *r)
{
    if (r->checksum == r->checksum_is)
        return 1;
    if (!t->recover) {
        log_print_text(t->c, &t->line, "CRC ERROR", r);
        return 1;
    }
    log_print_text(t->c, &t->line, t->yes ? "CRC FIXED" : "CRC ERROR", r);
    char answer = t->yes ? 'y' : ask(t->c);
    if (answer == 'y') {
        r->checksum = r->checksum_is;
        t->fixed++;
    }
    return answer != 'a';
}

static void put_record(struct toolkit *t, const struct logfile_record *r)
{
    uint8_t head[12];
    store_be64(head, r->checksum);
    store_be32(head + 8, r->length);
    file_writer_put(&t->out, head, sizeof head);
    file_writer_put(&t->out, r->payload.p, r->payload.n);
    file_writer_put(&t->out, "B", 1);
}

/* Every record: 0 at the end, ERR_CLOSED if the user gave up, or an error with err filled. */
static int each_record(struct toolkit *t)
{
    uint64_t at = LOGFILE_HEADER_BYTES;
    for (;;) {
        struct logfile_record r;
        int rc = logfile_read(t->l, at, &r, &t->err);
        if (rc < 0)
            return rc;
        if (r.state == LOGFILE_END || r.state == LOGFILE_CUT) {
            fprintf(t->c->out, "EOF reached after %" PRIu64 " txns.\n", t->count);
            return 0;
        }
        if (r.state == LOGFILE_LENGTH) {
            tool_error(&t->err,
                       "%s: offset %" PRIu64 ": Unreasonable length = %" PRId32 "; `zokor log repair %s` can go on",
                       t->file, at, (int32_t)r.length, t->file);
            return ERR_CORRUPT;
        }
        if (judge(t, &r) == 0)
            return ERR_CLOSED;
        if (!t->recover || t->verbose)
            t->unreadable |= !log_print_text(t->c, &t->line, NULL, &r);
        if (r.state == LOGFILE_END_BYTE) {
            tool_error(&t->err, "Last transaction was partial.");
            return ERR_TRUNCATED;
        }
        if (t->recover)
            put_record(t, &r);
        t->count++;
        at = r.end;
    }
}

static int run(struct toolkit *t)
{
    static const uint8_t header[LOGFILE_HEADER_BYTES] = { 'Z', 'K', 'L', 'G', 0, 0, 0, 2 };
    char fixed[4200];
    if (t->recover) {
        file_beside(t->file, "", ".fixed", fixed, sizeof fixed);
        if (file_exists(t->c->fs, fixed) || file_writer_open(&t->out, t->c->fs, fixed, &t->err) < 0) {
            fprintf(t->c->err, "Recovery file %s already exists or not writable\n", fixed);
            return 1;
        }
        file_writer_put(&t->out, header, sizeof header);
    }
    log_print_header(t->c, t->l);
    int rc = each_record(t);
    if (t->recover && rc != 0)
        file_writer_abort(&t->out);
    else if (t->recover)
        rc = file_writer_end(&t->out, &t->err);
    if (t->recover && rc == 0 && t->c->keep_owner != NULL)
        t->c->keep_owner(t->file, fixed);
    if (rc == ERR_CLOSED) {
        fprintf(t->c->err, "Recovery aborted.\n");
        return 0;
    }
    if (rc < 0) {
        fflush(t->c->out);
        fprintf(t->c->err, "%s\n", t->err.text);
        return 1;
    }
    if (t->recover)
        fprintf(t->c->out, "Recovery file %s has been written with %" PRIu64 " fixed CRC error(s)\n", fixed, t->fixed);
    return t->unreadable ? 1 : 0;
}

/* Apache reads the number as Java's Long.decode: 0x.., #.. hexadecimal, 0.. octal, else decimal. */
static bool decode_number(const char *s, int64_t *value)
{
    char *end;
    if (*s == '\0')
        return false;
    *value = s[0] == '#' ? (int64_t)strtoull(s + 1, &end, 16) : strtoll(s, &end, 0);
    return *end == '\0';
}

static int chop(struct toolkit *t)
{
    char suffix[64], name[4200];
    int64_t zxid;
    struct logfile_record r;
    uint64_t at = LOGFILE_HEADER_BYTES, count = 0;
    static const uint8_t header[LOGFILE_HEADER_BYTES] = { 'Z', 'K', 'L', 'G', 0, 0, 0, 2 };
    if (!decode_number(t->zxid, &zxid)) {
        fprintf(t->c->err, "zokor: '%s' is no zxid (0x10 or 16)\n", t->zxid);
        return 1;
    }
    log_print_header(t->c, t->l);
    tool_path(suffix, sizeof suffix, ".chopped%" PRId64, zxid);
    file_beside(t->file, "", suffix, name, sizeof name);
    int rc = file_writer_open(&t->out, t->c->fs, name, &t->err);
    file_writer_put(&t->out, header, sizeof header);
    bool found = false;
    while (rc == 0 && !found && (rc = logfile_read(t->l, at, &r, &t->err)) == 0 && r.state == LOGFILE_VALID) {
        put_record(t, &r);
        at = r.end;
        count++;
        found = r.zxid == zxid;
    }
    if (rc == 0 && found)
        rc = file_writer_end(&t->out, &t->err);
    else
        file_writer_abort(&t->out);
    if (rc < 0)
        fprintf(t->c->err, "Got exception: %s\n", t->err.text);
    else if (found)
        fprintf(t->c->out, "Chopping at %" PRIx64 " new log has %" PRIu64 " records\n", (uint64_t)zxid, count);
    else
        fprintf(t->c->out, "EOF reached after %" PRIu64 " txns.\nGot exception: Failed to chop %s\n", count,
                file_base(t->file));
    return rc < 0 ? 1 : 0;
}

int log_toolkit(const struct log_context *c, int argc, char **argv)
{
    struct toolkit t = { .c = c };
    int status;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-' && argv[i][1] != '\0') {
            if (!parse_option(&t, argc, argv, &i)) {
                fprintf(c->err, "Unrecognized option: %s\n", argv[i]);
                return print_usage(c, 1);
            }
        } else if (t.file == NULL) {
            t.file = argv[i];
        }
    }
    if (t.help)
        return print_usage(c, 0);
    if (t.file == NULL)
        return print_usage(c, 1);
    if (file_is_dir(c->fs, t.file) || logfile_open(c->fs, t.file, &t.l, &t.err) < 0) {
        fprintf(c->err, "File doesn't exist or not readable: %s\n", t.file);
        return 1;
    }
    buf_init(&t.line, LINE_BYTES_MAX);
    if (logfile_header(t.l) != LOGFILE_HEADER_OK) {
        fprintf(c->err, "Invalid magic number for %s\n", file_base(t.file));
        status = EXIT_INVALID;
    } else {
        status = t.chop && t.zxid != NULL ? chop(&t) : run(&t); /* without a zxid Apache's dumps */
    }
    logfile_close(t.l);
    buf_fini(&t.line);
    return status;
}
