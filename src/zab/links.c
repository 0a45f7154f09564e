/* links: the connections of this server to others, and the bytes on their way. */
#include "zab/internal.h"

/* The largest thing that is kept until its rest has come: a packet with two fields of the longest kind and its ids. */
static size_t in_bytes_max(const struct zab *z)
{
    return 4 * z->opt.packet_field_bytes_max + PEER_NOTIFICATION_BYTES_MAX;
}

struct link *link_add(struct zab *z, uint32_t id, enum link_kind kind)
{
    struct link *l = mem_zalloc(sizeof *l);
    l->id = id;
    l->kind = kind;
    l->opened_ms = z->now_ms;
    buf_init_refusable(&l->in, in_bytes_max(z));
    l->next = z->links;
    z->links = l;
    return l;
}

struct link *link_dial(struct zab *z, enum link_kind kind, enum zab_port port, int64_t sid, struct slice addresses)
{
    struct link *l = link_add(z, ZAB_LINK_DIALLED | z->next_link, kind);
    z->next_link = (z->next_link + 1) & ~ZAB_LINK_DIALLED;
    struct zab_fx *fx = zab_emit(z, ZAB_FX_DIAL);
    fx->link = l->id;
    fx->sid = sid;
    fx->port = port;
    fx->addresses = slice_is_null(addresses) ? addresses : arena_pack_dup(&z->out->arena, addresses);
    return l;
}

struct link *link_find(const struct zab *z, uint32_t id)
{
    struct link *l = z->links;
    while (l != NULL && (l->id != id || l->closing))
        l = l->next;
    return l;
}

/* Bytes of it may be in use up the stack: it is freed at the end of the turn. */
void link_forget(struct zab *z, struct link *l)
{
    (void)z;
    l->closing = true;
    l->peer = NULL;
    l->learner = NULL;
}

void link_close(struct zab *z, struct link *l)
{
    zab_emit(z, ZAB_FX_CLOSE)->link = l->id;
    link_forget(z, l);
}

void link_sweep(struct zab *z)
{
    for (struct link **at = &z->links; *at != NULL;) {
        struct link *l = *at;
        if (!l->closing) {
            at = &l->next;
            continue;
        }
        *at = l->next;
        buf_fini(&l->in);
        mem_free(l);
    }
}

void link_send(struct zab *z, struct link *l, struct slice bytes)
{
    struct zab_fx *fx = zab_emit(z, ZAB_FX_SEND);
    fx->link = l->id;
    fx->bytes = bytes;
}

void link_send_buf(struct zab *z, struct link *l, const struct buf *b)
{
    link_send(z, l, arena_pack_dup(&z->out->arena, buf_slice(b)));
}

void link_send_packet(struct zab *z, struct link *l, const struct peer_packet *p)
{
    buf_reset(&z->scratch);
    peer_packet_put(&z->scratch, p);
    ASSERT(z->scratch.err == 0);
    link_send_buf(z, l, &z->scratch);
}
