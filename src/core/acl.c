/* acl: who may do what (client specification 4.8). Lists stay in their encoded form; checking walks the bytes. */
#include "base/museum.h"
#include "base/hash.h"
#include "core/internal.h"

/* { 31, world, anyone }, by far the commonest list. */
static const uint8_t open_bytes[] = "\0\0\0\x1f\0\0\0\5world\0\0\0\6anyone";

struct wire_vec acl_open(void)
{
    return (struct wire_vec){ .count = 1, .raw = slice_of(open_bytes, sizeof open_bytes - 1) };
}

static bool is_open(struct wire_vec acl)
{
    return acl.count == 1 && slice_eq(acl.raw, slice_of(open_bytes, sizeof open_bytes - 1));
}

/* ---- ip ids: IPv4 dotted quad or IPv6 literal, optional /bits ---- */

struct ip_range {
    uint8_t address[16];
    bool ipv6;
    unsigned bits;
};

/* Decimal digits at s[*at], at most `max`; -1 if there are none or the value is larger. */
static int32_t parse_number(struct slice s, size_t *at, int32_t max)
{
    int32_t v = -1;
    for (size_t digits = 0; *at < s.n && s.p[*at] >= '0' && s.p[*at] <= '9' && digits < 4; (*at)++, digits++)
        v = (v < 0 ? 0 : v) * 10 + (s.p[*at] - '0');
    return v > max ? -1 : v;
}

static bool parse_ipv4(struct slice s, size_t *at, uint8_t to[4])
{
    for (int i = 0; i < 4; i++) {
        if (i > 0 && (*at >= s.n || s.p[(*at)++] != '.'))
            return false;
        int32_t v = parse_number(s, at, 255);
        if (v < 0)
            return false;
        to[i] = (uint8_t)v;
    }
    return true;
}

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* One group of up to four hexadecimal digits; -1 if there is none. */
static int32_t parse_group(struct slice s, size_t *at)
{
    int32_t v = -1;
    for (int digits = 0; digits < 4 && *at < s.n && hex_digit(s.p[*at]) >= 0; digits++, (*at)++)
        v = (v < 0 ? 0 : v << 4) | hex_digit(s.p[*at]);
    return v;
}

/* RFC 4291 text: eight groups, one "::" for a run of zeros, or an IPv4 tail. */
static bool parse_ipv6(struct slice s, size_t *at, uint8_t to[16])
{
    uint8_t head[16] = { 0 };
    size_t n = 0, gap = SIZE_MAX;
    if (s.n - *at >= 2 && s.p[*at] == ':' && s.p[*at + 1] == ':') {
        gap = 0;
        *at += 2;
    }
    while (n < 16 && *at < s.n && s.p[*at] != '/') {
        size_t start = *at;
        int32_t v = parse_group(s, at);
        if (v < 0)
            return false;
        if (*at < s.n && s.p[*at] == '.') { /* the last four bytes in IPv4 form */
            *at = start;
            if (n > 12 || !parse_ipv4(s, at, head + n))
                return false;
            n += 4;
            break;
        }
        head[n++] = (uint8_t)(v >> 8);
        head[n++] = (uint8_t)v;
        if (*at >= s.n || s.p[*at] == '/')
            break;
        if (s.p[(*at)++] != ':')
            return false;
        if (*at < s.n && s.p[*at] == ':') {
            if (gap != SIZE_MAX)
                return false;
            gap = n;
            (*at)++;
        } else if (*at >= s.n || s.p[*at] == '/') {
            return false; /* ends with a single ':' */
        }
    }
    if (gap == SIZE_MAX ? n != 16 : n > 14)
        return false;
    size_t before = gap == SIZE_MAX ? n : gap;
    memset(to, 0, 16);
    memcpy(to, head, before);
    memcpy(to + 16 - (n - before), head + before, n - before);
    return true;
}

static bool parse_range(struct slice s, struct ip_range *out)
{
    size_t at = 0;
    *out = (struct ip_range){ .ipv6 = s.n != 0 && memchr(s.p, ':', s.n) != NULL };
    if (s.n == 0 || !(out->ipv6 ? parse_ipv6(s, &at, out->address) : parse_ipv4(s, &at, out->address)))
        return false;
    int32_t max = out->ipv6 ? 128 : 32;
    int32_t bits = max;
    if (at < s.n) {
        if (s.p[at++] != '/')
            return false;
        bits = parse_number(s, &at, max);
    }
    out->bits = (unsigned)bits;
    return bits >= 0 && at == s.n;
}

static bool range_matches(const struct ip_range *r, const struct core_peer *peer)
{
    if (r->ipv6 != peer->ipv6)
        return false;
    size_t whole = r->bits / 8;
    if (memcmp(r->address, peer->address, whole) != 0)
        return false;
    unsigned rest = r->bits % 8;
    return rest == 0 || ((r->address[whole] ^ peer->address[whole]) >> (8 - rest)) == 0;
}

/* One address, as text. */
bool acl_parse_address(struct slice text, struct core_peer *out)
{
    struct ip_range range;
    if (!parse_range(text, &range) || range.bits != (range.ipv6 ? 128u : 32u))
        return false;
    *out = (struct core_peer){ .ipv6 = range.ipv6 };
    memcpy(out->address, range.address, sizeof out->address);
    return true;
}

/* ---- checking ---- */

static bool id_matches(const struct conn *k, const struct wire_id *id)
{
    if (slice_eq_str(id->scheme, "world"))
        return slice_eq_str(id->id, "anyone");
    if (slice_eq_str(id->scheme, "ip")) {
        struct ip_range range;
        return parse_range(id->id, &range) && range_matches(&range, &k->peer);
    }
    /* As SASLAuthenticationProvider.matches: its user super has the rights of every other. */
    bool is_sasl = slice_eq_str(id->scheme, "sasl");
    for (uint32_t i = 0; i < k->auth_count_now; i++) {
        struct auth_id own = k->auth->ids[i];
        if (slice_eq(own.scheme, id->scheme) &&
            (slice_eq(own.id, id->id) || (is_sasl && slice_eq_str(own.id, "super"))))
            return true;
    }
    return false;
}

/* k == NULL is the server itself, which may do everything. Any one of the bits in perms suffices. */
bool acl_allows(const struct core *c, const struct conn *k, struct wire_vec acl, int32_t perms)
{
    if (SIM_BUG(acl_read_ignored) && perms == WIRE_PERM_READ)
        return true;
    if (LIKELY(is_open(acl)) || k == NULL || c->opt.skip_acl || acl.count <= 0)
        return true;
    if (k->auth != NULL && k->auth->super) {
        for (uint32_t i = 0; i < k->auth_count_now; i++)
            if (slice_eq_str(k->auth->ids[i].scheme, "super"))
                return true;
    }
    struct wire_reader r = wire_vec_reader(acl);
    for (int32_t i = 0; i < acl.count; i++) {
        struct wire_acl a = wire_get_acl(&r);
        if ((a.perms & perms) != 0 && id_matches(k, &a.id))
            return true;
    }
    return false;
}

bool acl_world_can_read(struct wire_vec acl)
{
    if (is_open(acl) || acl.count <= 0)
        return true;
    struct wire_reader r = wire_vec_reader(acl);
    for (int32_t i = 0; i < acl.count; i++) {
        struct wire_acl a = wire_get_acl(&r);
        if ((a.perms & WIRE_PERM_READ) != 0 && slice_eq_str(a.id.scheme, "world"))
            return true;
    }
    return false;
}

/* ---- lists given by clients ---- */

/* As DigestAuthenticationProvider.isValid: exactly two parts in the sense of Java's split, which drops empty ones at
 * the end: "a:b" and ":b" pass, "a", "a:" and "a:b:c" do not. */
static bool digest_id_valid(struct slice id)
{
    const uint8_t *colon = id.n == 0 ? NULL : memchr(id.p, ':', id.n);
    if (colon == NULL)
        return false;
    size_t rest = id.n - (size_t)(colon - id.p) - 1;
    while (rest > 0 && colon[rest] == ':') /* "a:b::" has two parts as well */
        rest--;
    return rest > 0 && memchr(colon + 1, ':', rest) == NULL;
}

/* As X509AuthenticationProvider.isValid, which has Java read the name: parts between separators, each with a type in
 * front of an '='. Unknown types pass here. An empty name is one, too. */
static bool x509_id_valid(struct slice id)
{
    bool has_type = false, quoted = false;
    size_t from = 0;
    for (size_t i = 0; i < id.n; i++) {
        uint8_t c = id.p[i];
        if (c == '\\' && ++i == id.n)
            return false;
        if (c == '"')
            quoted = !quoted;
        if (c == '=' && !has_type) {
            if (i == from)
                return false;
            has_type = true;
        }
        if (!quoted && (c == ',' || c == ';' || c == '+')) {
            if (!has_type)
                return false;
            has_type = false;
            from = i + 1;
        }
    }
    return id.n == 0 || (has_type && !quoted);
}

/* The list in the making, with a hash set of its entries: a request may hold a hundred thousand. */
struct acl_set {
    struct core *core;
    struct buf bytes;
    uint32_t *slots; /* offset of an entry in bytes, + 1; in the turn's arena */
    size_t slot_count;
    int32_t count;
};

static struct slice entry_at(const struct acl_set *s, size_t from)
{
    struct wire_reader r = wire_vec_reader((struct wire_vec){ .raw = slice_of(s->bytes.p + from, s->bytes.n - from) });
    (void)wire_get_acl(&r);
    return slice_of(s->bytes.p + from, s->bytes.n - from - wire_left(&r));
}

/* The slot that holds this entry, or the free one where it belongs. */
static uint32_t *set_slot(const struct acl_set *s, struct slice entry)
{
    size_t at = hash_slice(s->core->hash_key, entry) & (s->slot_count - 1);
    while (s->slots[at] != 0 && !slice_eq(entry_at(s, s->slots[at] - 1), entry))
        at = (at + 1) & (s->slot_count - 1);
    return &s->slots[at];
}

static void set_grow(struct acl_set *s)
{
    size_t old_count = s->slot_count;
    uint32_t *old = s->slots;
    s->slot_count = old_count == 0 ? 16 : old_count * 2;
    s->slots = arena_alloc(&s->core->turn, s->slot_count * sizeof *s->slots);
    memset(s->slots, 0, s->slot_count * sizeof *s->slots);
    for (size_t i = 0; i < old_count; i++)
        if (old[i] != 0)
            *set_slot(s, entry_at(s, old[i] - 1)) = old[i];
}

static void put_once(struct acl_set *s, struct wire_acl a)
{
    if ((size_t)s->count * 2 >= s->slot_count)
        set_grow(s);
    size_t from = s->bytes.n;
    wire_put_acl(&s->bytes, a);
    if (s->bytes.err != 0)
        return;
    uint32_t *slot = set_slot(s, slice_of(s->bytes.p + from, s->bytes.n - from));
    if (*slot != 0) {
        s->bytes.n = from;
        return;
    }
    *slot = (uint32_t)from + 1;
    s->count++;
}

static int fix_one(struct acl_set *set, const struct conn *k, struct wire_acl a)
{
    const struct core *c = set->core;
    if (slice_is_null(a.id.scheme))
        return ERR_INVALID_ACL;
    if (slice_eq_str(a.id.scheme, "world")) {
        if (slice_is_null(a.id.id))
            return ERR_MARSHALLING; /* as the reference server, which fails to look at it */
        if (!slice_eq_str(a.id.id, "anyone"))
            return ERR_INVALID_ACL;
        put_once(set, a);
        return 0;
    }
    if (slice_eq_str(a.id.scheme, "auth")) {
        bool any = false;
        for (uint32_t i = 0; k != NULL && i < k->auth_count_now && set->bytes.err == 0; i++) {
            struct auth_id id = k->auth->ids[i];
            if (slice_eq_str(id.scheme, "super"))
                continue; /* has no provider and so is not an authenticated id */
            put_once(set, (struct wire_acl){ a.perms, { id.scheme, id.id } });
            any = true;
        }
        return any ? 0 : ERR_INVALID_ACL;
    }
    struct ip_range range;
    bool valid = !slice_is_null(a.id.id) &&
                 ((slice_eq_str(a.id.scheme, "digest") && c->opt.digest_auth_enabled && digest_id_valid(a.id.id)) ||
                  (slice_eq_str(a.id.scheme, "ip") && parse_range(a.id.id, &range)) ||
                  (auth_scheme_listed(c->opt.shell_schemes, a.id.scheme) &&
                   (slice_eq_str(a.id.scheme, "x509") ? x509_id_valid(a.id.id) : a.id.id.n != 0)));
    if (!valid)
        return ERR_INVALID_ACL;
    put_once(set, a);
    return 0;
}

/* PrepRequestProcessor.fixupACL: validates, expands `auth`, drops duplicates. The result lives in the turn's arena. A
 * list that is open already is passed through. */
int acl_fix(struct core *c, const struct conn *k, struct wire_vec in, struct wire_vec *out)
{
    if (is_open(in)) {
        *out = acl_open();
        return 0;
    }
    if (in.count <= 0)
        return ERR_INVALID_ACL;
    struct acl_set set = { .core = c };
    buf_init(&set.bytes, c->opt.txn_bytes_max);
    int rc = 0;
    struct wire_reader r = wire_vec_reader(in);
    for (int32_t i = 0; i < in.count && rc == 0 && set.bytes.err == 0; i++)
        rc = fix_one(&set, k, wire_get_acl(&r));
    if (rc == 0 && set.bytes.err != 0)
        rc = ERR_MARSHALLING;
    *out = (struct wire_vec){ .count = set.count, .raw = arena_dup(&c->turn, buf_slice(&set.bytes)) };
    buf_fini(&set.bytes);
    return rc;
}

/* CVE-2019-0201: who may not administer a node sees digest ids without their digests. */
struct wire_vec acl_redact(struct core *c, struct wire_vec in)
{
    if (is_open(in))
        return in;
    struct buf b;
    buf_init(&b, SIZE_MAX / 2);
    struct wire_reader r = wire_vec_reader(in);
    for (int32_t i = 0; i < in.count; i++) {
        struct wire_acl a = wire_get_acl(&r);
        if (slice_eq_str(a.id.scheme, "digest")) {
            const uint8_t *colon = a.id.id.n == 0 ? NULL : memchr(a.id.id.p, ':', a.id.id.n);
            size_t user_n = colon == NULL ? a.id.id.n : (size_t)(colon - a.id.id.p);
            uint8_t *id = arena_alloc(&c->turn, user_n + 2);
            if (user_n != 0)
                memcpy(id, a.id.id.p, user_n);
            memcpy(id + user_n, ":x", 2);
            a.id.id = slice_of(id, user_n + 2);
        }
        wire_put_acl(&b, a);
    }
    struct wire_vec out = { .count = in.count, .raw = arena_dup(&c->turn, buf_slice(&b)) };
    buf_fini(&b);
    return out;
}
