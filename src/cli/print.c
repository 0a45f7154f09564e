/* What a command says: results to stdout in whole pieces, errors to stderr, both as text or JSON. */
#include "base/err.h"
#include "base/mem.h"
#include "cli/internal.h"
#include "cli/numbers.h"
#include "cli/paths.h"
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

enum { LARGE = 1 << 16 };

static void add_formatted(struct buf *out, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    ASSERT(n >= 0);
    char *p = (char *)buf_add(out, (size_t)n + 1);
    ASSERT(p != NULL);
    vsnprintf(p, (size_t)n + 1, fmt, args);
    out->n--; /* without the end mark */
}

void cli_print(struct cli *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add_formatted(&c->out, fmt, args);
    va_end(args);
}

void cli_flush(struct cli *c)
{
    pthread_mutex_lock(&c->lock);
    if (c->out.n > 0)
        fwrite(c->out.p, 1, c->out.n, stdout);
    fflush(stdout);
    pthread_mutex_unlock(&c->lock);
    buf_reset(&c->out);
}

void cli_flush_if_large(struct cli *c)
{
    if (c->out.n >= LARGE)
        cli_flush(c);
}

static void complain_text(struct cli *c, const char *text)
{
    cli_flush(c);
    pthread_mutex_lock(&c->lock);
    if (c->options.json) {
        json_t *object = json_pack("{sbso}", "ok", 0, "message", cli_json_text(text));
        json_dumpf(object, stderr, JSON_COMPACT);
        fprintf(stderr, "\n");
        json_decref(object);
    } else {
        fprintf(stderr, "%s\n", text);
    }
    pthread_mutex_unlock(&c->lock);
}

static void complain(struct cli *c, const char *fmt, va_list args)
{
    struct buf text, shown;
    buf_init(&text, SIZE_MAX / 2);
    buf_init(&shown, SIZE_MAX / 2);
    add_formatted(&text, fmt, args);
    if (isatty(STDERR_FILENO) && !c->options.json)
        cli_escape(text.p, text.n, true, &shown);
    else
        buf_append(&shown, text.p, text.n);
    buf_append(&shown, "", 1);
    complain_text(c, (const char *)shown.p);
    buf_fini(&text);
    buf_fini(&shown);
}

void cli_complain(struct cli *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    complain(c, fmt, args);
    va_end(args);
}

int cli_fail(struct cli *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    complain(c, fmt, args);
    va_end(args);
    return CLI_FAILED;
}

int cli_misused(struct cli *c, const char *command)
{
    struct buf usage;
    buf_init(&usage, SIZE_MAX / 2);
    cli_usage_text(cli_find_command(command), &usage);
    int status = cli_fail(c, "%.*s", (int)usage.n, (const char *)usage.p);
    buf_fini(&usage);
    return status;
}

void cli_print_text(struct cli *c, const void *p, size_t n)
{
    if (c->show)
        cli_escape(p, n, true, &c->out);
    else
        buf_append(&c->out, p, n);
}

void cli_print_name(struct cli *c, const char *name)
{
    if (c->show)
        cli_escape(name, strlen(name), false, &c->out);
    else
        buf_append(&c->out, name, strlen(name));
}

void cli_color(struct cli *c, const char *code)
{
    if (c->color)
        cli_print(c, "\033[%sm", code == NULL ? "0" : code);
}

/* Java's Date: "Sat Nov 21 04:06:58 UTC 2026". */
static void print_date(struct cli *c, const char *label, int64_t ms)
{
    char text[64] = "";
    struct tm tm;
    time_t s = (time_t)(ms / 1000);
    if (localtime_r(&s, &tm) != NULL)
        strftime(text, sizeof(text), "%a %b %d %H:%M:%S %Z %Y", &tm);
    cli_print(c, "%s = %s\n", label, text);
}

void cli_print_stat(struct cli *c, const struct Stat *s)
{
    cli_print(c, "cZxid = 0x%" PRIx64 "\n", s->czxid);
    print_date(c, "ctime", s->ctime);
    cli_print(c, "mZxid = 0x%" PRIx64 "\n", s->mzxid);
    print_date(c, "mtime", s->mtime);
    cli_print(c, "pZxid = 0x%" PRIx64 "\n", s->pzxid);
    cli_print(c, "cversion = %" PRId32 "\ndataVersion = %" PRId32 "\naclVersion = %" PRId32 "\n", s->cversion,
              s->version, s->aversion);
    cli_print(c, "ephemeralOwner = 0x%" PRIx64 "\ndataLength = %" PRId32 "\nnumChildren = %" PRId32 "\n",
              s->ephemeralOwner, s->dataLength, s->numChildren);
}

void cli_print_names(struct cli *c, const struct String_vector *names)
{
    cli_print(c, "[");
    for (int32_t i = 0; i < names->count; i++) {
        cli_print(c, "%s", i == 0 ? "" : ", ");
        cli_print_name(c, names->data[i]);
    }
    cli_print(c, "]\n");
}

void cli_print_json(struct cli *c, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);
    ASSERT(text != NULL);
    cli_print(c, "%s\n", text);
    free(text);
    json_decref(object);
}

json_t *cli_json_text(const char *text)
{
    if (text == NULL)
        return json_null();
    json_t *string = json_string(text);
    if (string != NULL)
        return string;
    struct buf safe;
    buf_init(&safe, SIZE_MAX / 2);
    cli_escape(text, strlen(text), true, &safe);
    string = json_stringn((const char *)safe.p, safe.n);
    buf_fini(&safe);
    return string;
}

json_t *cli_json_stat(const struct Stat *s)
{
    char zxids[4][24];
    const int64_t values[4] = { s->czxid, s->mzxid, s->pzxid, s->ephemeralOwner };
    for (size_t i = 0; i < ARRAY_COUNT(zxids); i++)
        snprintf(zxids[i], sizeof(zxids[i]), "0x%" PRIx64, values[i]);
    return json_pack("{sssIsssIsssisisisssisi}", "cZxid", zxids[0], "ctime", (json_int_t)s->ctime, "mZxid", zxids[1],
                     "mtime", (json_int_t)s->mtime, "pZxid", zxids[2], "cversion", s->cversion, "dataVersion",
                     s->version, "aclVersion", s->aversion, "ephemeralOwner", zxids[3], "dataLength", s->dataLength,
                     "numChildren", s->numChildren);
}

json_t *cli_json_names(const struct String_vector *names)
{
    json_t *list = json_array();
    for (int32_t i = 0; i < names->count; i++)
        json_array_append_new(list, cli_json_text(names->data[i]));
    return list;
}

void cli_json_data(json_t *object, const char *data, int data_len)
{
    if (data == NULL || data_len < 0) {
        json_object_set_new(object, "data", json_null());
        return;
    }
    json_t *text = json_stringn(data, (size_t)data_len);
    if (text != NULL) {
        json_object_set_new(object, "data", text);
        return;
    }
    struct buf encoded;
    buf_init(&encoded, SIZE_MAX / 2);
    cli_base64_encode(data, (size_t)data_len, &encoded);
    json_object_set_new(object, "base64", json_stringn((const char *)encoded.p, encoded.n));
    buf_fini(&encoded);
}

int cli_done(struct cli *c, const char *path)
{
    if (c->options.json)
        cli_print_json(c, path == NULL ? json_pack("{sb}", "ok", 1)
                                       : json_pack("{sbso}", "ok", 1, "path", cli_json_text(path)));
    return CLI_DONE;
}
