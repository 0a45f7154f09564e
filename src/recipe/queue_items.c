#include "recipe/queue.h"
#include <stdlib.h>
#include <string.h>

#define ITEM "queue-"
#define SIMPLE_ITEM "qn-"
#define SEPARATOR '|'
#define ITEMS_VERSION 0x00010001u
#define ITEM_OPCODE 1
#define EOF_OPCODE 2

char *item_fixed_id(const char *id)
{
    char *fixed = recipe_copy(id == NULL ? "" : id);
    for (char *p = fixed; *p != 0; p++) {
        if (*p == '/' || *p == SEPARATOR)
            *p = '_';
    }
    return fixed;
}

char *item_name(enum zokor_queue_kind kind, const struct zokor_put *put)
{
    char *id, *name;
    switch (kind) {
    case ZOKOR_QUEUE_SIMPLE:
        return recipe_copy(SIMPLE_ITEM);
    case ZOKOR_QUEUE_ID:
        id = item_fixed_id(put->id);
        name = recipe_text(ITEM "|%s|", id);
        mem_free(id);
        return name;
    case ZOKOR_QUEUE_PRIORITY: /* as text the negative ones come first */
        return recipe_text(ITEM "%s%08X", put->priority < 0 ? "0" : "1", (unsigned)put->priority);
    case ZOKOR_QUEUE_DELAY:
        return recipe_text(ITEM "|%08llX|", (unsigned long long)(put->not_before < 0 ? 0 : put->not_before));
    case ZOKOR_QUEUE_FIFO:
        break;
    }
    return recipe_copy(ITEM);
}

/* What is between the bars. */
static bool between(const char *name, const char **from, size_t *n)
{
    const char *first = strchr(name, SEPARATOR);
    const char *second = first == NULL ? NULL : strchr(first + 1, SEPARATOR);
    if (second == NULL)
        return false;
    *from = first + 1;
    *n = (size_t)(second - first - 1);
    return true;
}

char *item_id(const char *name)
{
    const char *from;
    size_t n;
    return between(name, &from, &n) ? recipe_text("%.*s", (int)n, from) : NULL;
}

int64_t item_due_ms(const char *name)
{
    const char *from;
    size_t n;
    char *end;
    if (!between(name, &from, &n) || n == 0 || n > 15)
        return 0;
    int64_t due = (int64_t)strtoull(from, &end, 16);
    return end == from + n ? due : 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names of an ID queue without their ids, as Curator's parseId cleans them. */
static const char *cleaned(const char *name)
{
    const char *from;
    size_t n;
    return between(name, &from, &n)                 ? from + n + 1
           : strncmp(name, ITEM, strlen(ITEM)) == 0 ? name + strlen(ITEM)
                                                    : name;
}

static int by_sequence(const void *a, const void *b)
{
    return strcmp(cleaned(*(const char *const *)a), cleaned(*(const char *const *)b));
}

static int by_due(const void *a, const void *b)
{
    int64_t x = item_due_ms(*(const char *const *)a), y = item_due_ms(*(const char *const *)b);
    return x < y ? -1 : x > y ? 1 : by_text(a, b);
}

void items_sort(enum zokor_queue_kind kind, struct String_vector *names)
{
    const char *prefix = kind == ZOKOR_QUEUE_SIMPLE ? SIMPLE_ITEM : ITEM;
    int32_t n = 0;
    for (int32_t i = 0; i < names->count; i++) {
        if (strncmp(names->data[i], prefix, strlen(prefix)) == 0)
            names->data[n++] = names->data[i];
        else
            mem_free(names->data[i]);
    }
    names->count = n;
    if (n > 0)
        qsort(names->data, (size_t)n, sizeof(char *),
              kind == ZOKOR_QUEUE_DELAY ? by_due
              : kind == ZOKOR_QUEUE_ID  ? by_sequence
                                        : by_text);
}

struct zokor_bytes bytes_copy(const char *data, int len)
{
    struct zokor_bytes b = { .data = mem_alloc((size_t)(len > 0 ? len : 0) + 1), .len = len > 0 ? len : 0 };
    if (b.len > 0)
        memcpy(b.data, data, (size_t)b.len);
    b.data[b.len] = 0;
    return b;
}

static char *put_u32(char *p, uint32_t v)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        *p++ = (char)(v >> shift);
    return p;
}

static uint32_t get_u32(const char *p)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++)
        v = v << 8 | (unsigned char)p[i];
    return v;
}

char *items_encode(const struct zokor_bytes *items, int count, int *len)
{
    size_t n = 4 + 1;
    for (int i = 0; i < count; i++)
        n += 5 + (size_t)items[i].len;
    char *out = mem_alloc(n), *p = put_u32(out, ITEMS_VERSION);
    for (int i = 0; i < count; i++) {
        *p++ = ITEM_OPCODE;
        p = put_u32(p, (uint32_t)items[i].len);
        if (items[i].len > 0)
            memcpy(p, items[i].data, (size_t)items[i].len);
        p += items[i].len;
    }
    *p = EOF_OPCODE;
    *len = (int)n;
    return out;
}

static void parts_free(struct zokor_bytes *parts, int count)
{
    for (int i = 0; i < count; i++)
        mem_free(parts[i].data);
    mem_free(parts);
}

bool items_decode(const char *data, int len, struct zokor_bytes **parts, int *count)
{
    const char *p = data, *end = data + (len > 0 ? len : 0);
    struct zokor_bytes *out = NULL;
    int n = 0, room = 0;
    if (data == NULL || len < 5 || get_u32(p) != ITEMS_VERSION)
        return false;
    for (p += 4; p < end && *p == ITEM_OPCODE;) {
        uint32_t size = end - p < 5 ? UINT32_MAX : get_u32(p + 1);
        if (end - p < 5 || size > (size_t)(end - p - 5))
            break;
        if (n == room) {
            room = room == 0 ? 1 : room * 2;
            out = mem_realloc(out, (size_t)room * sizeof(*out));
        }
        out[n++] = bytes_copy(p + 5, (int)size);
        p += 5 + size;
    }
    if (p < end && *p == EOF_OPCODE) {
        *parts = out;
        *count = n;
        return true;
    }
    parts_free(out, n);
    return false;
}
