#include "cli/member.h"
#include "base/arena.h"
#include "base/properties.h"

/* Behind the last ';' of a member: "port", or "host:port" with an IPv6 host in brackets. */
static void put_address(const char *value, struct buf *out)
{
    const char *at = strrchr(value, ';');
    if (at == NULL)
        return;
    at++;
    buf_printf(out, "%s%s", strchr(at, ':') == NULL ? "0.0.0.0:" : "", at);
}

void cli_client_string(const char *text, size_t n, struct buf *out)
{
    struct properties lines;
    struct property p;
    struct arena arena;
    struct buf servers;
    bool first = true;
    arena_init(&arena, 4096);
    buf_init(&servers, SIZE_MAX / 2);
    properties_init(&lines, slice_of(text, n), &arena);
    while (properties_next(&lines, &p) == 1) {
        if (slice_eq_str(p.key, "version"))
            buf_append_slice(out, p.value);
        if (!slice_starts(p.key, slice_str("server.")))
            continue;
        buf_printf(&servers, "%s", first ? "" : ",");
        first = false;
        put_address((const char *)p.value.p, &servers);
    }
    buf_printf(out, " ");
    buf_append(out, servers.p, servers.n);
    buf_fini(&servers);
    arena_fini(&arena);
}
