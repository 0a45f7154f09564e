#include "sim/directed.h"
#include "base/err.h"
#include "sim/cluster.h"
#include <string.h>

static const char *name_of(int packet)
{
    if (packet == DIRECTED_IMAGE)
        return "IMAGE";
    const char *name = packet == DIRECTED_ELECTION ? "ELECTION" : peer_packet_name(packet);
    return name == NULL ? "" : name;
}

int directed_packet(const char *name)
{
    for (int i = 0; i < DIRECTED_PACKETS; i++)
        if (strcmp(name, name_of(i)) == 0)
            return i;
    return -1;
}

/* ---- where packets end ---- */

static size_t arrived_bytes(const struct cluster *c, const struct net_stream *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->chunk_count && s->chunks[s->chunk_head + i].at_us <= c->now_us; i++)
        n += s->chunks[s->chunk_head + i].n;
    return n;
}

static void take_bytes(struct net_stream *s, size_t n)
{
    while (n != 0) {
        struct net_chunk *k = &s->chunks[s->chunk_head];
        if (k->n > n) {
            k->n -= (uint32_t)n;
            return;
        }
        n -= k->n;
        s->chunk_head++;
        s->chunk_count--;
    }
}

#define SIGNATURE_BYTES 14u

/* An image ends with the leader's signature, a string (quorum specification 4.5). Where a script does not look at it,
 * it flows as it comes: *whole is false, and the end is still to come. */
static size_t image_bytes(struct slice bytes, bool flows, bool *whole)
{
    static const char signature[SIGNATURE_BYTES + 1] = "\0\0\0\nBenWasHere";
    const uint8_t *end = bytes.n == 0 ? NULL : memmem(bytes.p, bytes.n, signature, SIGNATURE_BYTES);
    *whole = end != NULL;
    if (end != NULL)
        return (size_t)(end - bytes.p) + SIGNATURE_BYTES;
    return flows && bytes.n > SIGNATURE_BYTES ? bytes.n - SIGNATURE_BYTES : 0;
}

/* Does a script hold images of this way, or tear the next one? */
static bool is_watched(const struct directed *d, uint32_t from, uint32_t to)
{
    const bool *held = d->held[from][to];
    return held[DIRECTED_IMAGE] || (d->tear.is && d->tear.type == DIRECTED_IMAGE);
}

/* The first packet of what has arrived: its bytes and *type; 0: it is not all there. */
static size_t first_packet(const struct directed *d, const struct net_wire *w, unsigned side, size_t arrived, int *type,
                           bool *whole)
{
    const struct net_stream *s = &w->to[side];
    struct slice bytes = slice_of(s->data.p, arrived);
    *whole = true;
    *type = DIRECTED_ELECTION;
    if (w->port == ZAB_PORT_ELECTION)
        return arrived;
    *type = DIRECTED_IMAGE;
    if (s->image)
        return image_bytes(bytes, !is_watched(d, w->member[!side], w->member[side]), whole);
    struct peer_packet p;
    int64_t n = peer_packet_get(bytes, 64u << 20, &p);
    if (n <= 0)
        return 0;
    *type = p.type >= 0 && p.type < DIRECTED_PACKETS ? p.type : DIRECTED_ELECTION;
    return (size_t)n;
}

/* The rest of it, and everything the other way, is lost. */
static void tear(struct cluster *c, struct net_wire *w, uint32_t wire, unsigned side, size_t bytes)
{
    for (unsigned i = 0; i < 2; i++) {
        struct net_stream *s = &w->to[i];
        size_t stays = i == side ? bytes : 0;
        s->data.n = stays;
        s->chunk_count = stays == 0 ? 0 : 1;
        if (stays != 0)
            s->chunks[s->chunk_head] = (struct net_chunk){ c->now_us, (uint32_t)stays };
        s->ends = true;
        s->last_us = c->now_us;
        cluster_at(c, c->now_us, HAPPEN_WIRE_ARRIVED, wire, i, NULL);
    }
}

size_t directed_piece(struct cluster *c, uint32_t wire, unsigned side)
{
    struct directed *d = c->directed;
    struct net_wire *w = c->net.wires[wire];
    struct net_stream *s = &w->to[side];
    uint32_t from = w->member[!side], to = w->member[side];
    int type;
    size_t arrived = arrived_bytes(c, s);
    bool whole;
    size_t n = arrived == 0 ? 0 : first_packet(d, w, side, arrived, &type, &whole);
    if (n == 0 && s->ends && s->last_us <= c->now_us)
        n = arrived; /* the end of something that will never be whole */
    else if (n == 0)
        return 0;
    else if (d->held[from][to][type]) {
        d->waits[from][to] = true;
        return 0;
    } else if (d->tear.is && d->tear.from == from && d->tear.to == to && d->tear.type == type) {
        d->tear.is = false;
        n = d->tear.bytes < n ? d->tear.bytes : n;
        tear(c, w, wire, side, n);
    } else if (whole) {
        d->delivered[from][to][type]++;
        s->image = type == PEER_SNAP;
    }
    take_bytes(s, n);
    return n;
}

/* ---- disks ---- */

bool directed_keeps(const struct cluster *c, const struct agenda_item *it)
{
    if (c->directed == NULL)
        return false;
    unsigned kind;
    switch ((enum happening)it->kind) {
    case HAPPEN_LOG_DONE:
        kind = DIRECTED_LOG;
        break;
    case HAPPEN_EPOCHS:
        kind = DIRECTED_EPOCHS;
        break;
    case HAPPEN_TRUNCATED:
        kind = DIRECTED_CUT;
        break;
    case HAPPEN_IMAGE:
        kind = DIRECTED_SNAPSHOT;
        break;
    case HAPPEN_FEED:
        kind = DIRECTED_FEED;
        break;
    default:
        return false;
    }
    return (c->directed->disk_held[it->who] & kind) != 0;
}
