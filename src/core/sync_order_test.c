/* Who waits behind a sync, and in which order they go on: against the plain rule, by chance; and with very many. */
#include "core/sync_order.h"
#include "base/mem.h"
#include "base/rng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define MANY 200000u
#define PENDING_MAX 400u
#define HELD_MAX 2000u

struct request {
    struct sync_held held; /* first: what is held is a request */
    uint32_t number;
};

static struct request *request(uint32_t link, bool is_sync, uint32_t number)
{
    struct request *q = mem_zalloc(sizeof *q);
    *q = (struct request){ { .link = link, .is_sync = is_sync }, number };
    return q;
}

/* ---- the plain rule: walks over everything ---- */

struct plain {
    struct sync_held pending[PENDING_MAX]; /* oldest first */
    struct request held[HELD_MAX];
    uint32_t pending_count, held_count;
    uint32_t gone[HELD_MAX];
    uint32_t gone_count;
};

static bool plain_must_wait(const struct plain *p, const struct sync_held *q, uint32_t end)
{
    for (uint32_t i = 0; i < p->pending_count; i++)
        if (p->pending[i].link == q->link && !q->is_sync)
            return true;
    for (uint32_t i = 0; i < end; i++)
        if (p->held[i].held.link == q->link)
            return true;
    return false;
}

static void plain_end(struct plain *p, uint32_t at)
{
    p->pending_count--;
    for (uint32_t i = at; i < p->pending_count; i++)
        p->pending[i] = p->pending[i + 1];
    for (uint32_t i = 0; i < p->held_count;) {
        struct request q = p->held[i];
        if (plain_must_wait(p, &q.held, i)) {
            i++;
            continue;
        }
        p->held_count--;
        for (uint32_t k = i; k < p->held_count; k++)
            p->held[k] = p->held[k + 1];
        p->gone[p->gone_count++] = q.number;
        if (q.held.is_sync)
            p->pending[p->pending_count++] = q.held;
    }
}

static void check_released(struct sync_order *o, struct plain *p)
{
    for (uint32_t i = 0; i < p->gone_count; i++) {
        struct request *q = (struct request *)sync_order_next(o);
        assert_non_null(q);
        assert_int_equal(q->number, p->gone[i]);
        if (q->held.is_sync)
            sync_order_began(o, q->held.link);
        mem_free(q);
    }
    assert_null(sync_order_next(o));
    p->gone_count = 0;
}

static void as_the_plain_rule_says(void **state)
{
    (void)state;
    struct plain *p = mem_zalloc(sizeof *p);
    struct sync_order o;
    struct rng rng;
    rng_init(&rng, 5);
    sync_order_init(&o);
    for (uint32_t n = 0; n < 60000; n++) {
        bool ends = p->held_count > HELD_MAX - 10 || p->pending_count > PENDING_MAX / 2 || rng_below(&rng, 3) == 0;
        if (ends && p->pending_count != 0) {
            uint32_t at = n % 2 == 0 ? 0 : (uint32_t)rng_below(&rng, p->pending_count);
            struct sync_held s = p->pending[at];
            plain_end(p, at);
            sync_order_ended(&o, s.link);
            check_released(&o, p);
            continue;
        }
        struct request q = { .number = n };
        q.held.link = (uint32_t)rng_below(&rng, 3);
        q.held.is_sync = rng_below(&rng, 3) == 0;
        bool waits = plain_must_wait(p, &q.held, p->held_count);
        assert_int_equal(sync_order_must_wait(&o, q.held.link, q.held.is_sync), waits);
        if (waits) {
            p->held[p->held_count++] = q;
            sync_order_hold(&o, &request(q.held.link, q.held.is_sync, n)->held);
        } else if (q.held.is_sync) {
            p->pending[p->pending_count++] = q.held;
            sync_order_began(&o, q.held.link);
        }
        assert_int_equal(o.held_count, p->held_count);
    }
    for (struct sync_held *h; (h = sync_order_take_any(&o)) != NULL;)
        mem_free(h);
    assert_int_equal(o.held_count, 0);
    assert_null(o.lanes);
    sync_order_fini(&o);
    mem_free(p);
}

/* A walk over all of them for each would not come to an end. run: how many of a kind one behind the other. */
static void very_many(void **state)
{
    (void)state;
    static const uint32_t runs[] = { 1, 1000, MANY };
    for (size_t k = 0; k < ARRAY_COUNT(runs); k++) {
        struct sync_order o;
        uint32_t gone = 0;
        sync_order_init(&o);
        sync_order_began(&o, 1);
        for (uint32_t n = 0; n < MANY; n++) {
            bool is_sync = n / runs[k] % 2 == 1;
            assert_true(sync_order_must_wait(&o, 1, is_sync));
            sync_order_hold(&o, &request(1, is_sync, n)->held);
        }
        while (o.held_count != 0) {
            sync_order_ended(&o, 1);
            for (struct sync_held *h; (h = sync_order_next(&o)) != NULL; gone++) {
                assert_int_equal(((struct request *)h)->number, gone);
                if (h->is_sync)
                    sync_order_began(&o, h->link);
                mem_free(h);
            }
        }
        assert_int_equal(gone, MANY);
        assert_null(sync_order_take_any(&o));
        sync_order_fini(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_plain_rule_says),
        cmocka_unit_test(very_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
