#include "server/log_feed.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "os/thread.h"
#include "store/logread.h"
#include "wire/jute.h"

#define PIECE_BYTES (256u * 1024)

enum order_kind { ORDER_OPEN, ORDER_MORE, ORDER_CLOSE };

struct order {
    struct list link;
    enum order_kind kind;
    uint32_t learner;
    int64_t from, to;
};

struct answer {
    struct list link;
    struct log_feed_piece piece;
};

struct reading { /* the thread's own */
    struct list link;
    uint32_t learner;
    struct store_log_read *read;
};

struct log_feed {
    struct log_feed_options opt;
    struct thread thread;
    bool started;
    struct mutex mutex; /* guards what follows */
    struct cond cond;
    struct list orders, answers;
    bool stopping;
};

/* ---- the thread ---- */

static void tell(struct log_feed *f, struct log_feed_piece piece)
{
    struct answer *a = mem_alloc(sizeof *a);
    a->piece = piece;
    list_init(&a->link);
    mutex_lock(&f->mutex);
    list_push_back(&f->answers, &a->link);
    mutex_unlock(&f->mutex);
    f->opt.changed(f->opt.ctx);
}

static struct reading *find(struct list *readings, uint32_t learner)
{
    LIST_FOR(it, readings)
    {
        struct reading *r = CONTAINER_OF(it, struct reading, link);
        if (r->learner == learner)
            return r;
    }
    return NULL;
}

static void end_reading(struct reading *r)
{
    list_remove(&r->link);
    store_log_read_close(r->read);
    mem_free(r);
}

static void read_piece(struct log_feed *f, struct reading *r)
{
    struct store_error err = { "" };
    struct slice payload;
    struct buf b;
    int64_t zxid;
    int rc = 1;
    buf_init(&b, SIZE_MAX / 2);
    while (b.n < PIECE_BYTES && (rc = store_log_read_next(r->read, &zxid, &payload, &err)) == 1) {
        wire_put_i64(&b, zxid);
        wire_put_i32(&b, (int32_t)payload.n);
        buf_append_slice(&b, payload);
    }
    if (rc < 0)
        log_warn("log.feed", "%s", err.text);
    tell(f, (struct log_feed_piece){
                .link = r->learner, .bytes = blob_dup(buf_slice(&b)), .end = rc == 0, .err = rc < 0 ? rc : 0 });
    buf_fini(&b);
    if (rc != 1)
        end_reading(r);
}

/* Reading pays while the logs are small beside the image that would be sent instead. */
static bool worth_it(const struct log_feed *f, const struct store_log_cover *c)
{
    double limit = f->opt.size_factor * (double)c->image_bytes;
    return limit == 0 || (double)c->bytes <= limit;
}

static void open_reading(struct log_feed *f, struct list *readings, const struct order *o)
{
    struct store_log_cover cover = { 0 };
    struct store_log_read *read = NULL;
    struct store_error err = { "" };
    struct reading *r = find(readings, o->learner);
    if (r != NULL)
        end_reading(r);
    int rc = store_log_read_open(f->opt.fs, f->opt.dirs, f->opt.record_bytes_max, o->from, o->to, &cover, &read, &err);
    if (rc == 0 && (read == NULL || !cover.exact || !worth_it(f, &cover)))
        rc = ERR_NOT_FOUND;
    if (rc != 0) {
        log_info("log.feed", "from=0x%llx to=0x%llx covered=%s bytes=%llu image_bytes=%llu action=image",
                 (unsigned long long)o->from, (unsigned long long)o->to, cover.exact ? "yes" : "no",
                 (unsigned long long)cover.bytes, (unsigned long long)cover.image_bytes);
        store_log_read_close(read);
        tell(f, (struct log_feed_piece){ .link = o->learner, .err = rc });
        return;
    }
    r = mem_alloc(sizeof *r);
    *r = (struct reading){ .learner = o->learner, .read = read };
    list_init(&r->link);
    list_push_back(readings, &r->link);
    read_piece(f, r);
}

static void obey(struct log_feed *f, struct list *readings, const struct order *o)
{
    struct reading *r = find(readings, o->learner);
    if (o->kind == ORDER_OPEN)
        open_reading(f, readings, o);
    else if (o->kind == ORDER_MORE && r != NULL)
        read_piece(f, r);
    else if (o->kind == ORDER_CLOSE && r != NULL)
        end_reading(r);
}

static void run(void *ctx)
{
    struct log_feed *f = ctx;
    struct list readings;
    list_init(&readings);
    mutex_lock(&f->mutex);
    while (!f->stopping) {
        if (list_empty(&f->orders)) {
            cond_wait(&f->cond, &f->mutex);
            continue;
        }
        struct order *o = CONTAINER_OF(f->orders.next, struct order, link);
        list_remove(&o->link);
        mutex_unlock(&f->mutex);
        obey(f, &readings, o);
        mem_free(o);
        mutex_lock(&f->mutex);
    }
    mutex_unlock(&f->mutex);
    while (!list_empty(&readings))
        end_reading(CONTAINER_OF(readings.next, struct reading, link));
}

/* ---- the owner ---- */

struct log_feed *log_feed_new(const struct log_feed_options *options)
{
    struct log_feed *f = mem_zalloc(sizeof *f);
    f->opt = *options;
    mutex_init(&f->mutex);
    cond_init(&f->cond);
    list_init(&f->orders);
    list_init(&f->answers);
    return f;
}

void log_feed_free(struct log_feed *f)
{
    if (f == NULL)
        return;
    if (f->started) {
        mutex_lock(&f->mutex);
        f->stopping = true;
        cond_signal(&f->cond);
        mutex_unlock(&f->mutex);
        thread_join(&f->thread);
    }
    LIST_FOR_SAFE(it, &f->orders)
    mem_free(CONTAINER_OF(it, struct order, link));
    struct log_feed_piece piece;
    while (log_feed_take(f, &piece))
        blob_unref(piece.bytes);
    mutex_fini(&f->mutex);
    cond_fini(&f->cond);
    mem_free(f);
}

static void give(struct log_feed *f, struct order order)
{
    struct order *o = mem_alloc(sizeof *o);
    *o = order;
    list_init(&o->link);
    if (!f->started) {
        f->started = true;
        thread_start(&f->thread, "zokor-feed", run, f);
    }
    mutex_lock(&f->mutex);
    list_push_back(&f->orders, &o->link);
    cond_signal(&f->cond);
    mutex_unlock(&f->mutex);
}

void log_feed_open(struct log_feed *f, uint32_t link, int64_t from, int64_t to)
{
    give(f, (struct order){ .kind = ORDER_OPEN, .learner = link, .from = from, .to = to });
}

void log_feed_more(struct log_feed *f, uint32_t link)
{
    give(f, (struct order){ .kind = ORDER_MORE, .learner = link });
}

void log_feed_close(struct log_feed *f, uint32_t link)
{
    give(f, (struct order){ .kind = ORDER_CLOSE, .learner = link });
}

bool log_feed_take(struct log_feed *f, struct log_feed_piece *piece)
{
    mutex_lock(&f->mutex);
    bool some = !list_empty(&f->answers);
    struct answer *a = some ? CONTAINER_OF(f->answers.next, struct answer, link) : NULL;
    if (some)
        list_remove(&a->link);
    mutex_unlock(&f->mutex);
    if (some)
        *piece = a->piece;
    mem_free(a);
    return some;
}
