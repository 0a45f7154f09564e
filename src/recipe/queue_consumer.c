/* A thread that takes items and hands them to the program. */
#include "recipe/queue.h"
#include <poll.h>

#define PAUSE_MS 100 /* after an error: the framework has tried for long already */

struct zokor_consumer {
    struct zokor_queue *q;
    zokor_consume_fn fn;
    void *context;
    pthread_t thread;
};

static void *consume(void *arg)
{
    struct zokor_consumer *c = arg;
    for (;;) {
        struct zokor_item item;
        int rc = zokor_queue_take(c->q, &item, -1);
        if (rc == ZCLOSING)
            break;
        if (rc != ZOK)
            poll(NULL, 0, PAUSE_MS);
        else if (c->fn(c->q, &item, c->context) == 0)
            (void)zokor_queue_done(c->q, &item);
        else
            (void)zokor_queue_again(c->q, &item);
    }
    return NULL;
}

struct zokor_consumer *zokor_consumer_start(struct zokor_queue *q, zokor_consume_fn fn, void *context)
{
    struct zokor_consumer *c = mem_zalloc(sizeof(*c));
    *c = (struct zokor_consumer){ .q = q, .fn = fn, .context = context };
    if (pthread_create(&c->thread, NULL, consume, c) == 0)
        return c;
    mem_free(c);
    return NULL;
}

void zokor_consumer_stop(struct zokor_consumer *c)
{
    if (c == NULL)
        return;
    zokor_queue_cancel(c->q);
    pthread_join(c->thread, NULL);
    mem_free(c);
}
