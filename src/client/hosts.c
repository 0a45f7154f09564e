#include "client/hosts.h"
#include "base/err.h"
#include "base/mem.h"

static int parse_port(struct slice s, uint16_t *port)
{
    uint32_t v = 0;
    if (s.n == 0 || s.n > 5)
        return ERR_BAD_ARGUMENTS;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return ERR_BAD_ARGUMENTS;
        v = v * 10 + (uint32_t)(s.p[i] - '0');
    }
    if (v == 0 || v > 65535)
        return ERR_BAD_ARGUMENTS;
    *port = (uint16_t)v;
    return 0;
}

/* "name", "name:port", "[v6]", "[v6]:port". Of an address without brackets the last colon begins the port. */
static int parse_host(struct slice s, struct client_host *out)
{
    const uint8_t *colon = NULL;
    out->port = CLIENT_PORT_DEFAULT;
    if (s.n > 0 && s.p[0] == '[') {
        const uint8_t *close = memchr(s.p, ']', s.n);
        if (close == NULL)
            return ERR_BAD_ARGUMENTS;
        out->host = slice_of(s.p + 1, (size_t)(close - s.p) - 1);
        if (close + 1 == s.p + s.n)
            return out->host.n == 0 ? ERR_BAD_ARGUMENTS : 0;
        if (close[1] != ':')
            return ERR_BAD_ARGUMENTS;
        colon = close + 1;
    } else {
        colon = memrchr(s.p, ':', s.n);
        out->host = colon == NULL ? s : slice_of(s.p, (size_t)(colon - s.p));
    }
    if (out->host.n == 0 || out->host.n > 255)
        return ERR_BAD_ARGUMENTS;
    return colon == NULL ? 0 : parse_port(slice_of(colon + 1, (size_t)(s.p + s.n - colon) - 1), &out->port);
}

int client_hosts_parse(const char *text, struct client_host *hosts, struct slice *chroot)
{
    const char *slash = strchr(text, '/');
    const char *end = slash == NULL ? text + strlen(text) : slash;
    int n = 0;
    *chroot = (struct slice){ 0 };
    if (slash != NULL && slash[1] != 0) {
        if (!client_path_valid(slash, false))
            return ERR_BAD_ARGUMENTS;
        *chroot = slice_str(slash);
    }
    while (text < end) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        const char *stop = comma == NULL ? end : comma;
        struct slice word = slice_trim(slice_of(text, (size_t)(stop - text)));
        if (word.n > 0) {
            if (n == CLIENT_HOSTS_MAX || parse_host(word, &hosts[n]) != 0)
                return ERR_BAD_ARGUMENTS;
            n++;
        }
        text = stop + 1;
    }
    return n == 0 ? ERR_BAD_ARGUMENTS : n;
}

bool client_path_valid(const char *path, bool sequential)
{
    if (path == NULL || path[0] != '/')
        return false;
    const char *name = path + 1; /* start of the component that is read */
    const char *p = path + 1;
    if (*p == 0)
        return true;
    for (;; p++) {
        if (*p != 0 && *p != '/') {
            if ((unsigned char)*p < 0x20)
                return false;
            continue;
        }
        size_t n = (size_t)(p - name);
        if (n == 0)
            return *p == 0 && sequential;
        bool dots = (n == 1 && name[0] == '.') || (n == 2 && name[0] == '.' && name[1] == '.');
        if (dots && !(*p == 0 && sequential))
            return false;
        if (*p == 0)
            return true;
        name = p + 1;
    }
}

bool client_addr_eq(const struct client_addr *a, const struct client_addr *b)
{
    return a->n == b->n && memcmp(a->bytes, b->bytes, a->n) == 0;
}

void client_hosts_init(struct client_hosts *h, uint64_t seed, bool ordered)
{
    *h = (struct client_hosts){ .ordered = ordered };
    rng_init(&h->rng, seed);
}

static void end_levelling(struct client_hosts *h)
{
    mem_free(h->old_ones);
    mem_free(h->new_ones);
    h->old_ones = h->new_ones = NULL;
    h->old_n = h->new_n = h->old_at = h->new_at = 0;
    h->levelling = false;
}

void client_hosts_fini(struct client_hosts *h)
{
    end_levelling(h);
    mem_free(h->all);
    h->all = NULL;
    h->n = 0;
}

static bool holds(const struct client_addr *list, size_t n, const struct client_addr *a)
{
    for (size_t i = 0; i < n; i++) {
        if (client_addr_eq(&list[i], a))
            return true;
    }
    return false;
}

bool client_hosts_has(const struct client_hosts *h, const struct client_addr *a)
{
    return holds(h->all, h->n, a);
}

bool client_hosts_same(const struct client_hosts *h, const struct client_addr *addrs, size_t n)
{
    if (n != h->n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!holds(h->all, h->n, &addrs[i]) || !holds(addrs, n, &h->all[i]))
            return false;
    }
    return true;
}

static void shuffle(struct client_hosts *h, struct client_addr *list, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t k = (size_t)rng_below(&h->rng, i);
        struct client_addr t = list[i - 1];
        list[i - 1] = list[k];
        list[k] = t;
    }
}

static double chance(struct client_hosts *h)
{
    return (double)(rng_u64(&h->rng) >> 11) / 9007199254740992.0; /* 2^53 */
}

/* Decides whether to leave, and with what weights the next server is chosen; old_n and new_n are already counted. */
static bool weigh(struct client_hosts *h, size_t before, size_t after, bool kept)
{
    double old_n = (double)h->old_n;
    if (after > before) {
        if (kept && chance(h) <= (double)before / (double)after)
            return false;
        h->chance_old = kept || h->new_n > 0 ? 0 : 1; /* only newcomers take clients over */
        h->levelling = h->new_n > 0;
        return true;
    }
    if (kept)
        return false;
    if (before > h->old_n)
        h->chance_old = old_n * (double)(before - after) / ((double)after * ((double)before - old_n));
    h->levelling = h->old_n + h->new_n > 0;
    return true;
}

bool client_hosts_set(struct client_hosts *h, const struct client_addr *addrs, size_t n, bool connected)
{
    size_t before = h->n;
    struct client_addr *was = h->all;
    bool leave = false;
    end_levelling(h);
    h->all = mem_alloc((n == 0 ? 1 : n) * sizeof(*h->all));
    h->old_ones = mem_alloc((n == 0 ? 1 : n) * sizeof(*h->all));
    h->new_ones = mem_alloc((n == 0 ? 1 : n) * sizeof(*h->all));
    h->n = 0;
    for (size_t i = 0; i < n; i++) {
        if (!holds(h->all, h->n, &addrs[i]))
            h->all[h->n++] = addrs[i];
    }
    if (!h->ordered)
        shuffle(h, h->all, h->n);
    for (size_t i = 0; i < h->n; i++) {
        if (holds(was, before, &h->all[i]))
            h->old_ones[h->old_n++] = h->all[i];
        else
            h->new_ones[h->new_n++] = h->all[i];
    }
    if (connected && before > 0 && h->n > 0 && h->has_current)
        leave = weigh(h, before, h->n, holds(h->all, h->n, &h->current));
    mem_free(was);
    if (!h->levelling)
        end_levelling(h);
    h->next = 0;
    for (size_t i = 0; connected && !leave && i < h->n; i++) {
        if (client_addr_eq(&h->all[i], &h->current))
            h->next = (i + 1) % h->n;
    }
    h->tried = 0;
    return leave;
}

/* One of the two kinds by weight; the other when the first is used up; NULL when both are. */
static const struct client_addr *next_levelled(struct client_hosts *h)
{
    bool has_old = h->old_at < h->old_n, has_new = h->new_at < h->new_n;
    if (!has_old && !has_new)
        return NULL;
    bool take_old = has_old && (!has_new || chance(h) < h->chance_old);
    return take_old ? &h->old_ones[h->old_at++] : &h->new_ones[h->new_at++];
}

const struct client_addr *client_hosts_next(struct client_hosts *h)
{
    if (h->n == 0)
        return NULL;
    if (client_hosts_round_over(h))
        h->tried = 0;
    h->tried++;
    const struct client_addr *a = h->levelling ? next_levelled(h) : NULL;
    if (a == NULL) {
        if (h->levelling)
            end_levelling(h);
        a = &h->all[h->next];
        h->next = (h->next + 1) % h->n;
    }
    h->current = *a;
    h->has_current = true;
    return &h->current;
}

void client_hosts_cycle(struct client_hosts *h)
{
    size_t tried = h->tried;
    (void)client_hosts_next(h);
    h->tried = tried;
}

bool client_hosts_round_over(const struct client_hosts *h)
{
    return h->tried >= h->n;
}

void client_hosts_succeeded(struct client_hosts *h)
{
    end_levelling(h);
    h->tried = 0;
}

void client_hosts_prefer(struct client_hosts *h, const struct client_addr *a)
{
    end_levelling(h);
    for (size_t i = 0; i < h->n; i++) {
        if (client_addr_eq(&h->all[i], a))
            h->next = i;
    }
}
