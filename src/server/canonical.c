#include "server/canonical.h"
#include "base/log.h"
#include "base/mem.h"
#include "os/net.h"

struct pair {
    char *host, *full;
};

struct canonical {
    struct pair *at;
    size_t count;
};

static char *copy(const char *text)
{
    size_t n = strlen(text) + 1;
    char *to = mem_alloc(n);
    memcpy(to, text, n);
    return to;
}

static void look_up(struct canonical *c, const char *host)
{
    char full[NET_NAME_TEXT_BYTES];
    if (canonical_of(c, host) != host)
        return;
    if (!net_canonical_name(host, full)) {
        log_warn("quorum.canonical", "host=%s action=\"taken as it is\" next=\"no name service knows its full name\"",
                 host);
        return;
    }
    log_info("quorum.canonical", "host=%s name=%s", host, full);
    c->at = mem_realloc(c->at, (c->count + 1) * sizeof *c->at);
    c->at[c->count++] = (struct pair){ copy(host), copy(full) };
}

struct canonical *canonical_new(const struct members *members)
{
    struct canonical *c = mem_zalloc(sizeof *c);
    for (size_t i = 0; i < members->count; i++)
        for (size_t k = 0; k < members->at[i].address_count; k++)
            look_up(c, members->at[i].addresses[k].host);
    return c;
}

void canonical_free(struct canonical *c)
{
    for (size_t i = 0; c != NULL && i < c->count; i++) {
        mem_free(c->at[i].host);
        mem_free(c->at[i].full);
    }
    if (c != NULL)
        mem_free(c->at);
    mem_free(c);
}

const char *canonical_of(const struct canonical *c, const char *host)
{
    for (size_t i = 0; c != NULL && i < c->count; i++)
        if (strcmp(c->at[i].host, host) == 0)
            return c->at[i].full;
    return host;
}
