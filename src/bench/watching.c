#include "bench/internal.h"
#include "base/err.h"

static struct slice watched(const struct worker *w, char *path)
{
    return bench_path(path, w->run->root, BENCH_AT_NODE, 0, w->id % w->run->o->nodes);
}

static void arm(struct worker *w, struct bench_conn *c)
{
    char path[BENCH_PATH_MAX];
    if (w->leaving || c->armed || c->in_flight > 0 || c->link != BENCH_LINK_READY)
        return;
    bench_put_read(&c->out, worker_book(w, c, OP_ARM, 0, w->now_ns), WIRE_OP_GET_DATA, watched(w, path), true);
}

void watching_begin(struct worker *w)
{
    w->armed_count = 0;
    w->set_in_flight = false;
    for (uint32_t i = 0; i < w->conn_count; i++)
        w->conns[i].armed = false;
}

/* The write goes out when everybody who is there watches. */
void watching_go_on(struct worker *w)
{
    char path[BENCH_PATH_MAX];
    struct bench_conn *writer = NULL;
    for (uint32_t i = 0; i < w->conn_count && writer == NULL; i++)
        if (w->conns[i].link == BENCH_LINK_READY)
            writer = &w->conns[i];
    if (w->armed_count < w->ready_count)
        for (uint32_t i = 0; i < w->conn_count; i++)
            arm(w, &w->conns[i]);
    if (w->leaving || w->set_in_flight || writer == NULL || w->armed_count < w->ready_count)
        return;
    if (w->due_step_ns > 0) {
        if (w->due_ns > w->now_ns)
            return;
        w->due_ns += (uint64_t)(w->due_step_ns * (double)w->ready_count); /* a write makes that many events */
        if (w->due_ns < w->now_ns)
            w->due_ns = w->now_ns;
    }
    w->set_in_flight = true;
    w->set_ns = w->now_ns;
    bench_put_set(&writer->out, worker_book(w, writer, OP_WATCHED_SET, 0, w->now_ns), watched(w, path), w->run->value);
}

void watching_reply(struct worker *w, struct bench_conn *c, const struct bench_op *op, int err)
{
    if (op->kind == OP_WATCHED_SET)
        w->set_in_flight = false;
    if (err != 0)
        worker_count_error(w, err);
    else if (op->kind == OP_ARM && !c->armed) {
        c->armed = true;
        w->armed_count++;
    }
}

void watching_event(struct worker *w, struct bench_conn *c)
{
    if (!c->armed)
        return;
    c->armed = false;
    w->armed_count--;
    worker_count(w, w->set_ns);
    arm(w, c);
}

/* The watch died with the connection. */
void watching_broken(struct worker *w, struct bench_conn *c)
{
    if (c->armed)
        w->armed_count--;
    c->armed = false;
}
