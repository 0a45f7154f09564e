#include "cli/acl.h"
#include "base/mem.h"

static const struct {
    char letter;
    int bit;
} letters[] = {
    { 'c', 4 }, { 'd', 8 }, { 'r', 1 }, { 'w', 2 }, { 'a', 16 }
}; /* in the order in which they are shown */

static int bit_of(char letter)
{
    for (size_t i = 0; i < ARRAY_COUNT(letters); i++) {
        if (letters[i].letter == letter)
            return letters[i].bit;
    }
    return 0;
}

void cli_perms_text(int perms, char out[6])
{
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_COUNT(letters); i++) {
        if ((perms & letters[i].bit) != 0)
            out[n++] = letters[i].letter;
    }
    out[n] = '\0';
}

int cli_perms_of(const char *text)
{
    int perms = 0;
    for (; *text != '\0'; text++) {
        if (bit_of(*text) == 0)
            return -1;
        perms |= bit_of(*text);
    }
    return perms;
}

/* The vector's strings are freed by the client library, with free(3). */
static char *copy(const char *p, size_t n)
{
    char *s = mem_alloc(n + 1);
    memcpy(s, p, n);
    s[n] = '\0';
    return s;
}

static void append(struct ACL_vector *list, char *scheme, char *id, int perms)
{
    list->data = mem_realloc(list->data, (size_t)(list->count + 1) * sizeof(*list->data));
    list->data[list->count++] = (struct ACL){ .perms = perms, .id = { .scheme = scheme, .id = id } };
}

void cli_acl_append(struct ACL_vector *list, const char *scheme, const char *id, int perms)
{
    append(list, copy(scheme, strlen(scheme)), copy(id, strlen(id)), perms);
}

static void parse_entry(const char *entry, size_t n, struct ACL_vector *out, struct buf *complaints)
{
    const char *first = memchr(entry, ':', n), *last = memrchr(entry, ':', n);
    if (first == NULL || first == last) {
        buf_printf(complaints, "%.*s does not have the form scheme:id:perm\n", (int)n, entry);
        return;
    }
    int perms = 0;
    for (const char *p = last + 1; p < entry + n; p++) {
        perms |= bit_of(*p);
        if (bit_of(*p) == 0)
            buf_printf(complaints, "Unknown perm type: %c\n", *p);
    }
    append(out, copy(entry, (size_t)(first - entry)), copy(first + 1, (size_t)(last - first - 1)), perms);
}

void cli_acl_parse(const char *text, struct ACL_vector *out, struct buf *complaints)
{
    size_t end = strlen(text);
    *out = (struct ACL_vector){ 0 };
    while (end > 0 && text[end - 1] == ',') /* Java's split drops empty entries at the end, no others */
        end--;
    if (end == 0 && text[0] != '\0')
        return;
    for (size_t at = 0; at <= end;) {
        const char *comma = memchr(text + at, ',', end - at);
        size_t n = comma == NULL ? end - at : (size_t)(comma - text) - at;
        parse_entry(text + at, n, out, complaints);
        at += n + 1;
    }
}

bool cli_acl_is_hidden(const struct ACL *entry)
{
    const char *colon = strchr(entry->id.id, ':');
    return strcmp(entry->id.scheme, "digest") == 0 && colon != NULL && strcmp(colon, ":x") == 0;
}
