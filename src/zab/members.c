#include "zab/members.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/museum.h"
#include "base/properties.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define BLOCK_BYTES 4096
#define WHY_BYTES 512
#define CLIENT_WILDCARD "0.0.0.0"
#define SERVER_FORM "host:quorumPort:electionPort[:role][;[address:]clientPort]"

/* What a caller sees, and the memory that everything in it lives in. */
struct holder {
    struct members m;
    struct arena arena;
};

static struct holder *holder_of(struct members *m)
{
    return CONTAINER_OF(m, struct holder, m);
}

static struct holder *holder_new(void)
{
    struct holder *h = mem_zalloc(sizeof *h);
    arena_init(&h->arena, BLOCK_BYTES);
    h->m.refs = 1;
    h->m.at = arena_alloc(&h->arena, MEMBERS_MAX * sizeof *h->m.at);
    return h;
}

/* ---- reading ---- */

struct parser {
    struct members *m;
    struct arena *arena, scratch;
    struct buf *why; /* may be NULL */
};

/* Values are a stranger's: what would break a line of the log becomes a question mark. */
static int fail(struct parser *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
static int fail(struct parser *p, const char *fmt, ...)
{
    char text[WHY_BYTES];
    va_list args;
    if (p->why == NULL)
        return ERR_INVALID;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    for (char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    }
    buf_printf(p->why, "%s", text);
    return ERR_INVALID;
}

/* All of s as digits of the base, at most max. */
static bool parse_number(struct slice s, unsigned base, int64_t max, int64_t *out)
{
    int64_t value = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned c = s.p[i], digit;
        if (c >= '0' && c <= '9')
            digit = c - '0';
        else if (base == 16 && (c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (c | 0x20) - 'a' + 10;
        else
            return false;
        if (value > (max - (int64_t)digit) / base)
            return false;
        value = value * base + digit;
    }
    *out = value;
    return s.n > 0;
}

static bool parse_port(struct slice s, uint16_t *port)
{
    int64_t value;
    if (!parse_number(slice_trim(s), 10, UINT16_MAX, &value) || value == 0)
        return false;
    *port = (uint16_t)value;
    return true;
}

/* A host without the brackets of IPv6; NULL if there is none. What the canonical text could not tell from its own
 * marks is no host. */
static const char *parse_host(struct parser *p, struct slice s)
{
    s = slice_trim(s);
    bool brackets = s.n >= 2 && s.p[0] == '[' && s.p[s.n - 1] == ']';
    if (brackets)
        s = slice_of(s.p + 1, s.n - 2);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= ' ' || s.p[i] == 0x7f || strchr("[]|;\\", s.p[i]) != NULL || (s.p[i] == ':' && !brackets))
            return NULL;
    }
    return s.n == 0 ? NULL : (const char *)arena_dup(p->arena, s).p;
}

/* "observer" or "participant" in any case; null: not told. */
static int parse_role(struct parser *p, const char *key, struct slice text, bool *told, bool *observer)
{
    if (slice_is_null(text))
        return 0;
    text = slice_trim(text);
    bool is_observer = text.n == 8 && strncasecmp((const char *)text.p, "observer", 8) == 0;
    if (!is_observer && !(text.n == 11 && strncasecmp((const char *)text.p, "participant", 11) == 0))
        return fail(p, "%s: '%.*s' is not a role (participant, observer)", key, SLICE_ARG(text));
    if (*told && *observer != is_observer)
        return fail(p, "%s: its addresses have different roles", key);
    *told = true;
    *observer = is_observer;
    return 0;
}

static int by_host(const void *a, const void *b)
{
    const struct member_address *x = a, *y = b;
    int c = strcmp(x->host, y->host);
    return c != 0 ? c : (x->quorum_port > y->quorum_port) - (x->quorum_port < y->quorum_port);
}

/* host:quorum:election[:role], several joined by '|'. */
static int parse_addresses(struct parser *p, const char *key, struct slice text, struct member *member)
{
    size_t count_max = 1;
    bool role_told = false;
    for (size_t i = 0; i < text.n; i++)
        count_max += text.p[i] == '|';
    member->addresses = arena_alloc(p->arena, count_max * sizeof *member->addresses);
    while (!slice_is_null(text)) {
        struct slice one = slice_trim(slice_cut(&text, '|')), rest = one;
        struct slice host = slice_cut(&rest, ':'), quorum = slice_cut(&rest, ':'), election = slice_cut(&rest, ':');
        struct member_address *a = &member->addresses[member->address_count++];
        a->host = parse_host(p, host);
        if (a->host == NULL || !parse_port(quorum, &a->quorum_port) || !parse_port(election, &a->election_port))
            return fail(p, "%s: '%.*s' does not have the form " SERVER_FORM, key, SLICE_ARG(one));
        if (a->quorum_port == a->election_port)
            return fail(p, "%s: '%.*s' has the same port twice", key, SLICE_ARG(one));
        if (parse_role(p, key, rest, &role_told, &member->observer) != 0)
            return ERR_INVALID;
    }
    qsort(member->addresses, member->address_count, sizeof *member->addresses, by_host);
    return 0;
}

/* [address:]port */
static int parse_client(struct parser *p, const char *key, struct slice text, struct member *member)
{
    struct slice rest = text, first = slice_cut(&rest, ':');
    bool port_alone = slice_is_null(rest);
    member->client_host = port_alone ? CLIENT_WILDCARD : parse_host(p, first);
    if (member->client_host == NULL || !parse_port(port_alone ? first : rest, &member->client_port))
        return fail(p, "%s: '%.*s' is not a client's address ([address:]port)", key, SLICE_ARG(text));
    return 0;
}

static struct member *find(const struct members *m, int64_t sid)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->at[i].sid == sid)
            return &m->at[i];
    }
    return NULL;
}

static int take_server(struct parser *p, int64_t sid, const char *key, struct slice value)
{
    struct member member = { .sid = sid, .weight = 1, .group = -1, .client_host = "" };
    struct slice client = value, servers = slice_cut(&client, ';');
    if (parse_addresses(p, key, servers, &member) != 0)
        return ERR_INVALID;
    if (!slice_is_null(client) && parse_client(p, key, slice_trim(client), &member) != 0)
        return ERR_INVALID;
    struct member *same = find(p->m, sid);
    if (same == NULL && p->m->count == MEMBERS_MAX)
        return fail(p, "%s: more than %u servers", key, MEMBERS_MAX);
    *(same != NULL ? same : &p->m->at[p->m->count++]) = member;
    return 0;
}

static int take_group(struct parser *p, int64_t group, const char *key, struct slice value)
{
    p->m->hierarchical = true;
    while (!slice_is_null(value)) {
        int64_t sid;
        struct slice one = slice_trim(slice_cut(&value, ':'));
        if (!parse_number(one, 10, INT64_MAX, &sid))
            return fail(p, "%s: '%.*s' is not the number of a server", key, SLICE_ARG(one));
        struct member *member = find(p->m, sid);
        if (member == NULL)
            continue;
        if (member->group != -1 && member->group != group)
            return fail(p, "%s: the server %" PRId64 " is in several groups", key, sid);
        member->group = group;
    }
    return 0;
}

static int take_weight(struct parser *p, int64_t sid, const char *key, struct slice value)
{
    int64_t weight;
    p->m->hierarchical = true;
    if (!parse_number(value, 10, INT64_MAX, &weight))
        return fail(p, "%s: '%.*s' is not a weight (0..%" PRId64 ")", key, SLICE_ARG(value), INT64_MAX);
    struct member *member = find(p->m, sid);
    if (member != NULL)
        member->weight = weight;
    return 0;
}

/* Groups and weights are about servers, which may stand below them: the text is read once for each family. */
static const struct family {
    const char *prefix;
    int (*take)(struct parser *p, int64_t number, const char *key, struct slice value);
} families[] = {
    { "server.", take_server },
    { "group.", take_group },
    { "weight.", take_weight },
};

static int take_line(struct parser *p, const struct property *line, const struct family *wanted)
{
    const char *key = (const char *)line->key.p;
    if (slice_eq_str(line->key, "version")) {
        if (!parse_number(line->value, 16, INT64_MAX, &p->m->version))
            return fail(p, "version: '%.*s' is not a hexadecimal number", SLICE_ARG(line->value));
        return 0;
    }
    for (size_t i = 0; i < ARRAY_COUNT(families); i++) {
        struct slice prefix = slice_str(families[i].prefix);
        if (!slice_starts(line->key, prefix))
            continue;
        int64_t number;
        if (!parse_number(slice_of(line->key.p + prefix.n, line->key.n - prefix.n), 10, INT64_MAX - 1, &number))
            return fail(p, "%s: '%s' is not the number of a %.*s", key, key + prefix.n, (int)prefix.n - 1, prefix.p);
        return &families[i] == wanted ? wanted->take(p, number, key, line->value) : 0;
    }
    return fail(p, "%s: unknown key", key);
}

static int take_text(struct parser *p, struct slice text, const struct family *wanted)
{
    struct properties lines;
    struct property line;
    int got;
    arena_reset(&p->scratch);
    properties_init(&lines, text, &p->scratch);
    while ((got = properties_next(&lines, &line)) > 0) {
        if (take_line(p, &line, wanted) != 0)
            return ERR_INVALID;
    }
    return got == 0 ? 0 : fail(p, "line %d: a \\u needs four hexadecimal digits", line.line);
}

static int by_sid(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    return (x->sid > y->sid) - (x->sid < y->sid);
}

static int finish(struct parser *p)
{
    struct members *m = p->m;
    qsort(m->at, m->count, sizeof *m->at, by_sid);
    for (size_t i = 0; i < m->count; i++) {
        m->voter_count += !m->at[i].observer;
        if (m->hierarchical && !m->at[i].observer && m->at[i].group == -1)
            return fail(p, "server.%" PRId64 ": is in no group", m->at[i].sid);
    }
    return 0;
}

int members_parse(struct slice text, struct buf *why, struct members **out)
{
    struct holder *h = holder_new();
    struct parser p = { .m = &h->m, .arena = &h->arena, .why = why };
    int err = 0;
    arena_init(&p.scratch, BLOCK_BYTES);
    for (size_t i = 0; i < ARRAY_COUNT(families) && err == 0; i++)
        err = take_text(&p, text, &families[i]);
    if (err == 0)
        err = finish(&p);
    arena_fini(&p.scratch);
    *out = err == 0 ? &h->m : NULL;
    if (err != 0)
        members_unref(&h->m);
    return err;
}

/* ---- one configuration ---- */

static const char *copy_text(struct arena *arena, const char *text)
{
    return (const char *)arena_dup(arena, slice_str(text)).p;
}

struct members *members_with_version(const struct members *m, int64_t version)
{
    struct holder *h = holder_new();
    h->m.version = version;
    h->m.hierarchical = m->hierarchical;
    h->m.count = m->count;
    h->m.voter_count = m->voter_count;
    for (size_t i = 0; i < m->count; i++) {
        const struct member *from = &m->at[i];
        struct member *to = &h->m.at[i];
        *to = *from;
        to->client_host = copy_text(&h->arena, from->client_host);
        to->addresses = arena_alloc(&h->arena, from->address_count * sizeof *to->addresses);
        for (size_t k = 0; k < from->address_count; k++) {
            to->addresses[k] = from->addresses[k];
            to->addresses[k].host = copy_text(&h->arena, from->addresses[k].host);
        }
    }
    return &h->m;
}

struct members *members_ref(struct members *m)
{
    m->refs++;
    return m;
}

void members_unref(struct members *m)
{
    if (m == NULL || --m->refs != 0)
        return;
    struct holder *h = holder_of(m);
    arena_fini(&h->arena);
    mem_free(h);
}

/* IPv6 in brackets, so that its colons are its own. */
static void put_host(struct buf *b, const char *host)
{
    bool brackets = strchr(host, ':') != NULL;
    buf_printf(b, "%s%s%s", brackets ? "[" : "", host, brackets ? "]" : "");
}

static void put_server(struct buf *b, const struct member *member)
{
    buf_printf(b, "server.%" PRId64 "=", member->sid);
    for (size_t i = 0; i < member->address_count; i++) {
        const struct member_address *a = &member->addresses[i];
        buf_printf(b, "%s", i == 0 ? "" : "|");
        put_host(b, a->host);
        buf_printf(b, ":%u:%u", a->quorum_port, a->election_port);
    }
    buf_printf(b, ":%s", member->observer ? "observer" : "participant");
    if (member->client_port != 0) {
        buf_printf(b, ";");
        put_host(b, member->client_host);
        buf_printf(b, ":%u", member->client_port);
    }
    buf_printf(b, "\n");
}

/* Each group once, in the order of its number. */
static void put_groups(const struct members *m, struct buf *b)
{
    int64_t last = -1;
    for (;;) {
        int64_t group = INT64_MAX;
        for (size_t i = 0; i < m->count; i++) {
            if (m->at[i].group > last && m->at[i].group < group)
                group = m->at[i].group;
        }
        if (group == INT64_MAX)
            return;
        buf_printf(b, "group.%" PRId64, group);
        const char *mark = "=";
        for (size_t i = 0; i < m->count; i++) {
            if (m->at[i].group != group)
                continue;
            buf_printf(b, "%s%" PRId64, mark, m->at[i].sid);
            mark = ":";
        }
        buf_printf(b, "\n");
        last = group;
    }
}

void members_put(const struct members *m, struct buf *b)
{
    for (size_t i = 0; i < m->count; i++)
        put_server(b, &m->at[i]);
    if (m->hierarchical) {
        put_groups(m, b);
        for (size_t i = 0; i < m->count; i++) {
            const struct member *at = &m->at[i];
            if (!at->observer || at->group != -1 || at->weight != 1)
                buf_printf(b, "weight.%" PRId64 "=%" PRId64 "\n", at->sid, at->weight);
        }
    }
    buf_printf(b, "version=%" PRIx64, m->version);
}

const struct member *members_find(const struct members *m, int64_t sid)
{
    int i = members_index(m, sid);
    return i < 0 ? NULL : &m->at[i];
}

bool members_is_voter(const struct members *m, int64_t sid)
{
    const struct member *member = members_find(m, sid);
    return member != NULL && !member->observer;
}

int64_t members_weight(const struct members *m, int64_t sid)
{
    const struct member *member = members_find(m, sid);
    return member == NULL || member->observer ? 0 : member->weight;
}

int members_index(const struct members *m, int64_t sid)
{
    size_t low = 0, high = m->count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (m->at[mid].sid == sid)
            return (int)mid;
        if (m->at[mid].sid < sid)
            low = mid + 1;
        else
            high = mid;
    }
    return -1;
}

/* ---- sets ---- */

static bool has_bit(const struct member_set *s, size_t i)
{
    return (s->bits[i / 64] >> i % 64 & 1) != 0;
}

void member_set_add(struct member_set *s, const struct members *m, int64_t sid)
{
    int i = members_index(m, sid);
    if (i >= 0 && !m->at[i].observer)
        s->bits[i / 64] |= (uint64_t)1 << i % 64;
}

void member_set_remove(struct member_set *s, const struct members *m, int64_t sid)
{
    int i = members_index(m, sid);
    if (i >= 0)
        s->bits[i / 64] &= ~((uint64_t)1 << i % 64);
}

bool member_set_has(const struct member_set *s, const struct members *m, int64_t sid)
{
    int i = members_index(m, sid);
    return i >= 0 && has_bit(s, (size_t)i);
}

size_t member_set_count(const struct member_set *s)
{
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_COUNT(s->bits); i++)
        n += (size_t)__builtin_popcountll(s->bits[i]);
    return n;
}

/* True if the set has more than half of the weight of the group of at[first]; *counts if the group has any. Sums of
 * 255 weights do not fit 64 bits. */
static bool wins_group(const struct members *m, const struct member_set *s, size_t first, bool *counts)
{
    unsigned __int128 total = 0, got = 0;
    for (size_t i = first; i < m->count; i++) {
        if (m->at[i].observer || m->at[i].group != m->at[first].group)
            continue;
        total += (uint64_t)m->at[i].weight;
        if (has_bit(s, i))
            got += (uint64_t)m->at[i].weight;
    }
    *counts = total > 0;
    return got > total / 2;
}

/* The first voter of its group, by position. */
static bool is_first_of_group(const struct members *m, size_t at)
{
    if (m->at[at].observer)
        return false;
    for (size_t i = 0; i < at; i++) {
        if (!m->at[i].observer && m->at[i].group == m->at[at].group)
            return false;
    }
    return true;
}

bool members_is_quorum(const struct members *m, const struct member_set *s)
{
    if (!m->hierarchical || SIM_BUG(weights_ignored))
        return member_set_count(s) > m->voter_count / 2;
    size_t groups = 0, won = 0;
    for (size_t i = 0; i < m->count; i++) {
        bool counts;
        if (!is_first_of_group(m, i))
            continue;
        won += wins_group(m, s, i, &counts);
        groups += counts;
    }
    return won > groups / 2;
}

static bool same_member(const struct member *a, const struct member *b)
{
    if (a->sid != b->sid || a->observer != b->observer || a->address_count != b->address_count ||
        a->client_port != b->client_port || strcmp(a->client_host, b->client_host) != 0)
        return false;
    for (size_t i = 0; i < a->address_count; i++) {
        const struct member_address *x = &a->addresses[i], *y = &b->addresses[i];
        if (strcmp(x->host, y->host) != 0 || x->quorum_port != y->quorum_port || x->election_port != y->election_port)
            return false;
    }
    return true;
}

bool members_equal(const struct members *a, const struct members *b)
{
    if (a->version != b->version || a->version != 0)
        return a->version == b->version;
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!same_member(&a->at[i], &b->at[i]))
            return false;
    }
    return true;
}
