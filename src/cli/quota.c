#include "cli/quota.h"
#include "base/mem.h"
#include "cli/numbers.h"
#include <inttypes.h>
#include <stdio.h>

static int take_pair(struct cli_quota *q, const char *pair, size_t n)
{
    const struct {
        const char *key;
        int64_t *to;
        bool hard;
    } keys[] = { { "count", &q->count, false },
                 { "bytes", &q->bytes, false },
                 { "countHardLimit", &q->count_hard, true },
                 { "byteHardLimit", &q->bytes_hard, true } };
    const char *equal = memchr(pair, '=', n);
    if (equal == NULL)
        return 0;
    size_t key_n = (size_t)(equal - pair), value_n = n - key_n - 1;
    const char *end = memchr(equal + 1, '=', value_n); /* "bytes=100=": the mark that 3.6 and older stop at */
    value_n = end == NULL ? value_n : (size_t)(end - equal) - 1;
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        if (!slice_eq_str(slice_of(pair, key_n), keys[i].key))
            continue;
        char number[32];
        snprintf(number, sizeof(number), "%.*s", (int)value_n, equal + 1);
        q->has_hard |= keys[i].hard;
        *keys[i].to = -1;
        return value_n == 0 ? 0 : cli_number(number, 10, INT64_MIN, INT64_MAX, keys[i].to);
    }
    return 0;
}

int cli_quota_parse(struct cli_quota *out, const char *text, size_t n)
{
    *out = (struct cli_quota){ .count = -1, .bytes = -1, .count_hard = -1, .bytes_hard = -1 };
    for (size_t at = 0; at < n;) {
        size_t end = at;
        while (end < n && text[end] != ',' && text[end] != ';')
            end++;
        if (take_pair(out, text + at, end - at) != 0)
            return -1;
        at = end + 1;
    }
    return 0;
}

void cli_quota_text(const struct cli_quota *q, struct buf *out)
{
    buf_printf(out, "count=%" PRId64 ",bytes=%" PRId64, q->count, q->bytes);
    if (q->has_hard)
        buf_printf(out, "=;byteHardLimit=%" PRId64 ";countHardLimit=%" PRId64, q->bytes_hard, q->count_hard);
}

char *cli_quota_path(const char *path, const char *name)
{
    struct buf b;
    buf_init(&b, SIZE_MAX / 2);
    buf_printf(&b, "%s%s%s%s", CLI_QUOTA_ROOT, path, name[0] == '\0' ? "" : "/", name);
    buf_append(&b, "", 1);
    return (char *)b.p;
}
