/* The command line's parsers: any bytes as a line, options, a path, an ACL, a quota, a configuration, a line of an
 * export, data for the terminal. What was understood must come out the same when it is written and read again. */
#include "base/mem.h"
#include "cli/acl.h"
#include "cli/complete.h"
#include "cli/export.h"
#include "cli/internal.h"
#include "cli/member.h"
#include "cli/numbers.h"
#include "cli/paths.h"
#include "cli/quota.h"

static struct buf out, again;

static void lines(const char *text)
{
    struct cli_words words = cli_words_split(text);
    for (size_t i = 0; i < cli_commands_n && words.n > 0; i++) {
        struct cli_args args;
        cli_args_parse(&args, cli_commands[i].flags, &words, &out);
        cli_args_free(&args);
    }
    cli_words_free(&words);
}

static int some_children(void *context, const char *path, struct String_vector *names)
{
    static const char *const list[] = { "a", "two words", "\xc3\xbc", "b\"c" };
    (void)context;
    if (strlen(path) % 5 == 4)
        return ZNONODE;
    names->data = mem_zalloc(sizeof(list));
    for (size_t i = 0; i < ARRAY_COUNT(list); i++)
        names->data[names->count++] = strdup(list[i]);
    return 0;
}

static void completion(const char *text, size_t cursor)
{
    const struct cli_sources sources = { .children = some_children, .files = some_children };
    struct cli_completion c = cli_complete(text, cursor, &sources);
    ASSERT(c.from <= cursor);
    for (size_t i = 0; i < c.n; i++)
        ASSERT(strlen(c.words[i]) >= c.common && memcmp(c.words[i], c.words[0], c.common) == 0);
    cli_completion_free(&c);
}

static void terminal(const char *text, size_t n)
{
    buf_reset(&out);
    cli_escape(text, n, false, &out);
    for (size_t i = 0; i < out.n; i++)
        ASSERT(out.p[i] >= 0x20 && out.p[i] != 0x7f);
    buf_reset(&again);
    cli_escape(out.p, out.n, false, &again);
    ASSERT(slice_eq(buf_slice(&out), buf_slice(&again)));
}

static void quotas(const char *text, size_t n)
{
    struct cli_quota q, back;
    if (cli_quota_parse(&q, text, n) != 0)
        return;
    buf_reset(&out);
    cli_quota_text(&q, &out);
    ASSERT(cli_quota_parse(&back, (const char *)out.p, out.n) == 0);
    ASSERT(q.count == back.count && q.bytes == back.bytes && q.has_hard == back.has_hard);
}

static void exports(const char *text)
{
    struct export_record r, back;
    buf_reset(&out);
    if (export_read(&r, text, &out) == 0 && r.kind == EXPORT_NODE) {
        buf_reset(&out);
        export_put_node(&out, r.path, r.data, r.data_len, &r.acl, r.ephemeral);
        buf_append(&out, "", 1);
        ASSERT(export_read(&back, (const char *)out.p, &again) == 0);
        ASSERT(back.data_len == r.data_len && back.acl.count == r.acl.count && strcmp(back.path, r.path) == 0);
        ASSERT(r.data_len <= 0 || memcmp(back.data, r.data, (size_t)r.data_len) == 0);
        export_record_free(&back);
    }
    export_record_free(&r);
}

static void lists(const char *text)
{
    struct ACL_vector acl;
    buf_reset(&out);
    cli_acl_parse(text, &acl, &out);
    for (int32_t i = 0; i < acl.count; i++)
        (void)cli_acl_is_hidden(&acl.data[i]);
    deallocate_ACL_vector(&acl);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings settings;
    buf_init(&out, SIZE_MAX / 2);
    buf_init(&again, SIZE_MAX / 2);
    char *text = mem_alloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    lines(text);
    completion(text, size == 0 ? 0 : data[0] % (strlen(text) + 1));
    cli_path_check(text, size % 2 == 0, &out);
    lists(text);
    quotas(text, size);
    exports(text);
    terminal(text, size);
    buf_reset(&out);
    settings_init(&settings);
    settings_parse(&settings, "f", text, size, &out, &again);
    settings_parse_flags(&settings, "JVMFLAGS", text, &out);
    settings_fini(&settings);
    buf_reset(&out);
    cli_client_string(text, size, &out);
    buf_reset(&out);
    cli_base64_decode(text, &out);
    mem_free(text);
    buf_fini(&out);
    buf_fini(&again);
    return 0;
}
