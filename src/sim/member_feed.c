/* member_feed: pieces of the log on disk for learners that are behind the leader's window. */
#include "base/mem.h"
#include "sim/cluster.h"
#include "sim/member.h"
#include "sim/member_internal.h"
#include "store/logread.h"

#define PIECE_BYTES 4096u

struct feed {
    struct feed *next;
    uint32_t link;
    int64_t from, to;
    bool ordered;                /* a piece is being read */
    struct store_log_read *read; /* NULL: not opened yet */
};

static struct feed **find(struct sim_member *m, uint32_t link)
{
    struct feed **at = &m->feeds;
    while (*at != NULL && (*at)->link != link)
        at = &(*at)->next;
    return at;
}

static void end(struct feed **at)
{
    struct feed *f = *at;
    *at = f->next;
    store_log_read_close(f->read);
    mem_free(f);
}

void member_feed_close(struct sim_member *m, uint32_t link)
{
    struct feed **at = find(m, link);
    if (*at != NULL)
        end(at);
}

void member_feed_close_all(struct sim_member *m)
{
    while (m->feeds != NULL)
        end(&m->feeds);
}

static void order(struct sim_member *m, struct feed *f)
{
    struct cluster *c = m->cluster;
    f->ordered = true;
    cluster_at(c, c->now_us + dice_wait(&m->dice, opt(c, OPT_image_us)), HAPPEN_FEED, m->index, m->life, NULL);
}

void member_feed_open(struct sim_member *m, uint32_t link, int64_t from, int64_t to)
{
    member_feed_close(m, link);
    struct feed *f = mem_zalloc(sizeof *f);
    f->link = link;
    f->from = from;
    f->to = to;
    f->next = m->feeds;
    m->feeds = f;
    order(m, f);
}

void member_feed_more(struct sim_member *m, uint32_t link)
{
    struct feed *f = *find(m, link);
    if (f != NULL)
        order(m, f);
}

static void tell(struct sim_member *m, uint32_t link, struct slice bytes, bool last, int err)
{
    (void)member_peer_event(
        m, (struct zab_event){ .type = ZAB_EV_LOG_READ, .link = link, .bytes = bytes, .end = last, .err = err });
}

/* False, and the learner's wish is answered: the log does not help. */
static bool open_log(struct sim_member *m, struct feed *f)
{
    struct store_log_cover cover = { 0 };
    struct store_error err;
    int rc = store_log_read_open(disk_fs(m->disk), &member_dirs, 0, f->from, f->to, &cover, &f->read, &err);
    if (rc == 0 && f->read != NULL && cover.exact)
        return true;
    uint32_t link = f->link;
    member_feed_close(m, link);
    tell(m, link, slice_str(""), false, rc != 0 ? rc : ERR_NOT_FOUND);
    return false;
}

static void read_piece(struct sim_member *m, struct feed *f)
{
    struct store_error err;
    struct slice payload;
    struct buf b;
    int64_t zxid;
    int rc = 1;
    uint32_t link = f->link;
    buf_init(&b, SIZE_MAX / 2);
    while (b.n < PIECE_BYTES && (rc = store_log_read_next(f->read, &zxid, &payload, &err)) == 1) {
        wire_put_i64(&b, zxid);
        wire_put_i32(&b, (int32_t)payload.n);
        buf_append_slice(&b, payload);
    }
    cover(&m->cluster->coverage, COVER_log_feeds);
    if (rc != 1)
        member_feed_close(m, link);
    tell(m, link, buf_slice(&b), rc == 0, rc < 0 ? rc : 0);
    buf_fini(&b);
}

/* One that was ordered. */
void member_feed_read(struct sim_member *m)
{
    for (struct feed *f = m->feeds; f != NULL; f = f->next) {
        if (!f->ordered)
            continue;
        f->ordered = false;
        if (f->read != NULL || open_log(m, f))
            read_piece(m, f);
        return;
    }
}
