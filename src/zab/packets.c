/* packets: the last packets of a connection between leader and learner, told when it ends (messageTracker.Enabled, as
 * Apache's MessageTracker): what somebody wants to see who asks why a server has left. */
#include "zab/internal.h"

#define LINE_BYTES 1500u

void packets_note(struct zab *z, struct packets *p, int32_t type, int64_t zxid)
{
    if (LIKELY(z->opt.packets_remembered == 0))
        return;
    if (p->at == NULL)
        p->at = mem_zalloc(z->opt.packets_remembered * sizeof *p->at);
    p->at[p->count++ % z->opt.packets_remembered] =
        (struct packet_seen){ .at_ms = z->now_ms, .type = type, .zxid = zxid };
}

static void tell(const struct zab *z, const struct packets *p, int64_t sid, const char *direction)
{
    size_t max = z->opt.packets_remembered;
    size_t i = p->count > max ? p->count - max : 0;
    struct buf b;
    buf_init(&b, LINE_BYTES + 200);
    while (i < p->count) {
        buf_reset(&b);
        for (; i < p->count && b.n < LINE_BYTES; i++) {
            const struct packet_seen *s = &p->at[i % max];
            const char *name = peer_packet_name(s->type);
            buf_printf(&b, "%s%s 0x%llx %lldms", b.n == 0 ? "" : ", ", name == NULL ? "?" : name,
                       (unsigned long long)s->zxid, (long long)(z->now_ms - s->at_ms));
        }
        log_info("zab.packets", "sid=%lld direction=%s type_zxid_age=\"%.*s\"", (long long)sid, direction,
                 SLICE_ARG(buf_slice(&b)));
    }
    buf_fini(&b);
}

void packets_tell(const struct zab *z, struct packets *sent, struct packets *got, int64_t sid)
{
    tell(z, got, sid, "received");
    tell(z, sent, sid, "sent");
    mem_free(sent->at);
    mem_free(got->at);
    *sent = *got = (struct packets){ 0 };
}
