/* The parts of the simulator that nothing else proves: chance, order, options, the model's arithmetic, the minimiser;
 * and that a seed is one story. */
#include "base/log.h"
#include "sim/agenda.h"
#include "base/err.h"
#include "base/mem.h"
#include "sim/cluster.h"
#include "sim/library_judge.h"
#include "sim/minimise.h"
#include "sim/model_watch.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void streams_of_chance_are_apart(void **state)
{
    (void)state;
    struct dice a = dice_of(7, "net", 1), same = dice_of(7, "net", 1), other = dice_of(7, "net", 2),
                name = dice_of(7, "disk", 1), seed = dice_of(8, "net", 1);
    uint64_t first = rng_u64(&a.rng);
    assert_true(first == rng_u64(&same.rng));
    assert_true(first != rng_u64(&other.rng));
    assert_true(first != rng_u64(&name.rng));
    assert_true(first != rng_u64(&seed.rng));
    int64_t sum = 0;
    for (int i = 0; i < 20000; i++) {
        int64_t wait = dice_wait(&a, 1000);
        assert_in_range(wait, 1, 60000);
        sum += wait;
    }
    assert_in_range(sum / 20000, 900, 1150);
    for (int i = 0; i < 1000; i++)
        assert_in_range(dice_between(&a, 3, 5), 3, 5);
    assert_int_equal(dice_between(&a, 9, 2), 9);
    assert_false(dice_one_in(&a, 0));
}

static void agenda_keeps_order(void **state)
{
    (void)state;
    struct agenda a;
    struct dice d = dice_of(1, "agenda", 0);
    agenda_init(&a);
    for (uint32_t i = 0; i < 2000; i++)
        agenda_add(&a, (struct agenda_item){ .at_us = dice_between(&d, 0, 50), .who = i });
    struct agenda_item last = { .at_us = -1 }, it;
    size_t count = 0;
    for (; agenda_next(&a, &it); count++) {
        assert_true(it.at_us > last.at_us || (it.at_us == last.at_us && it.who > last.who));
        last = it;
    }
    assert_int_equal(count, 2000);
    agenda_fini(&a);
}

static void options_are_drawn_unless_given(void **state)
{
    (void)state;
    struct sim_options o, again;
    options_default(&o);
    assert_int_equal(options_set(&o, "kill_ms=77"), 0);
    assert_int_not_equal(options_set(&o, "kill_ms"), 0);
    assert_int_not_equal(options_set(&o, "kill_ms=x"), 0);
    assert_int_not_equal(options_set(&o, "kill=1"), 0);
    again = o;
    options_draw(&o, 5);
    options_draw(&again, 5);
    assert_memory_equal(&o, &again, sizeof o);
    assert_int_equal(o.v[OPT_kill_ms], 77);
    uint64_t left_out = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        options_draw(&again, seed);
        left_out += again.v[OPT_power_ms] == 0;
        options_default(&again);
    }
    assert_in_range(left_out, 40, 160); /* each seed has other kinds of faults */
}

/* The fixed points of disk specification 4. */
static void model_has_the_known_digests(void **state)
{
    (void)state;
    struct model m;
    struct buf b;
    model_init(&m);
    assert_true(m.digest == 0x51c6d660u);
    model_open_session(&m, 99, 6000, 1);
    assert_true(m.digest == 0x51c6d660u);
    buf_init(&b, 1000);
    wire_put_ustring(&b, slice_str("/a"));
    wire_put_buffer(&b, slice_str("alpha"));
    wire_put_i32(&b, 1);
    wire_put_acl(&b, (struct wire_acl){ WIRE_PERM_ALL, { slice_str("world"), slice_str("anyone") } });
    wire_put_i32(&b, 0);
    struct model_caller who = { .session_id = 99 };
    assert_int_equal(model_write(&m, &who, WIRE_OP_CREATE, buf_slice(&b), 2, 0x1a1fc418b32), 0);
    assert_true(m.digest == 0x14bd14d4bu);
    assert_int_equal(m.event_count, 2);
    model_settle(&m);
    assert_int_equal(model_write(&m, &who, WIRE_OP_CREATE, buf_slice(&b), 3, 0x1a1fc418b33), ERR_NODE_EXISTS);
    assert_true(m.digest == 0x14bd14d4bu);
    model_settle(&m);
    who.session_id = 100;
    assert_int_equal(model_write(&m, &who, WIRE_OP_CREATE, buf_slice(&b), 4, 0), ERR_SESSION_EXPIRED);
    buf_fini(&b);
    model_fini(&m);
}

static void add_up(void *ctx, uint32_t cable, unsigned modes)
{
    unsigned *sum = ctx;
    *sum += modes * (cable + 1);
}

static void model_watches_fire_once_or_stay(void **state)
{
    (void)state;
    struct model_watches w;
    struct slice a = slice_str("/a"), ab = slice_str("/a/b");
    unsigned sum = 0;
    model_watches_init(&w);
    model_watch_add(&w, 0, a, MODEL_WATCH_DATA | MODEL_WATCH_CHILD);
    model_watch_add(&w, 1, a, MODEL_WATCH_BELOW);
    model_watch_add(&w, 0, ab, MODEL_WATCH_ALL);
    model_watch_fire(&w, WIRE_EVENT_DATA_CHANGED, ab, add_up, &sum);
    assert_int_equal(sum, MODEL_WATCH_ALL + 2 * MODEL_WATCH_BELOW);
    sum = 0;
    model_watch_fire(&w, WIRE_EVENT_CHILDREN_CHANGED, a, add_up, &sum);
    assert_int_equal(sum, MODEL_WATCH_CHILD);
    sum = 0;
    model_watch_fire(&w, WIRE_EVENT_CHILDREN_CHANGED, a, add_up, &sum);
    assert_int_equal(sum, 0);
    model_watch_fire(&w, WIRE_EVENT_DELETED, a, add_up, &sum);
    assert_int_equal(sum, MODEL_WATCH_DATA + 2 * MODEL_WATCH_BELOW);
    assert_int_equal(model_watch_modes(&w, 0, a), 0);
    assert_int_equal(model_watch_remove(&w, 1, a, MODEL_WATCH_BELOW | MODEL_WATCH_DATA), MODEL_WATCH_BELOW);
    model_watches_fini(&w);
}

/* Fails while there are kills, three clients and a second of time. */
static bool fails_so(void *ctx, const struct sim_options *o, struct finding *found)
{
    (*(int *)ctx)++;
    if (o->v[OPT_kill_ms] == 0 || o->v[OPT_clients] < 3 || o->v[OPT_duration_ms] < 1000)
        return false;
    finding_set(found, 5, "it", "still");
    return true;
}

static void minimiser_keeps_what_matters(void **state)
{
    (void)state;
    struct sim_options o;
    struct finding f = { 0 };
    int runs = 0;
    options_default(&o);
    o.v[OPT_kill_ms] = 500;
    o.v[OPT_power_ms] = 500;
    o.v[OPT_names] = 3;
    o.v[OPT_clients] = 16;
    finding_set(&f, 1, "it", "at first");
    int took = minimise(&o, &f, fails_so, &runs, 300);
    assert_int_equal(took, runs);
    assert_int_equal(o.v[OPT_kill_ms], 500);
    assert_int_equal(o.v[OPT_power_ms], 0);
    assert_int_equal(o.v[OPT_names], options_default_of(OPT_names));
    assert_int_equal(o.v[OPT_clients], 3);
    assert_in_range(o.v[OPT_duration_ms], 1000, 1010);
    assert_string_equal(f.text, "still");
}

static void a_seed_is_one_story(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct sim_options o;
        struct sim_result first, second;
        options_default(&o);
        options_set(&o, seed % 2 == 0 ? "members=1" : "members=3");
        options_set(&o, "duration_ms=3000");
        options_set(&o, "ops_max=300");
        options_draw(&o, seed);
        cluster_run(&o, &first);
        cluster_run(&o, &second);
        if (first.finding.is)
            fail_msg("seed %llu: %s: %s", (unsigned long long)seed, first.finding.rule, first.finding.text);
        assert_true(first.trace == second.trace);
        assert_true(first.txns == second.txns && first.txns > 20);
        assert_memory_equal(&first.coverage, &second.coverage, sizeof first.coverage);
    }
}

/* The client library in its core as it is; every kind of what befalls it. */
static void libraries_survive_everything(void **state)
{
    (void)state;
    static const enum coverage_mark marks[] = { COVER_library_rearmed,  COVER_library_lost_requests,
                                                COVER_library_waited,   COVER_library_deadlines,
                                                COVER_library_closings, COVER_library_handed_over };
    struct coverage sum = { 0 };
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct sim_options o;
        struct sim_result first, second;
        options_default(&o);
        options_set(&o, seed % 2 == 0 ? "members=1" : "members=3");
        options_set(&o, "library_pct=100");
        options_set(&o, "duration_ms=6000");
        options_set(&o, "op_ms=60");
        options_draw(&o, seed);
        cluster_run(&o, &first);
        cluster_run(&o, &second);
        if (first.finding.is)
            fail_msg("seed %llu: %s: %s", (unsigned long long)seed, first.finding.rule, first.finding.text);
        assert_true(first.trace == second.trace);
        assert_memory_equal(&first.coverage, &second.coverage, sizeof first.coverage);
        coverage_add(&sum, &first.coverage);
    }
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        assert_true(sum.n[marks[i]] > 0);
}

static void library_watches_fire_as_specified(void **state)
{
    (void)state;
    struct library_watches w = { 0 };
    struct slice a = slice_str("/a"), ab = slice_str("/a/b");
    library_watch_add(&w, CLIENT_WATCH_DATA, a, 0, 0);
    library_watch_add(&w, CLIENT_WATCH_DATA, a, 0, 0);
    library_watch_add(&w, CLIENT_WATCH_CHILD, a, 1, 0);
    library_watch_add(&w, CLIENT_WATCH_PERSISTENT, ab, 2, 0);
    library_watch_add(&w, CLIENT_WATCH_RECURSIVE, slice_str("/"), 3, 0);
    assert_int_equal(library_watch_count(&w), 4);
    assert_int_equal(library_watch_fire(&w, WIRE_EVENT_CHILDREN_CHANGED, ab), 1u << 2);
    assert_int_equal(library_watch_fire(&w, WIRE_EVENT_CREATED, ab), 1u << 2 | 1u << 3);
    assert_int_equal(library_watch_fire(&w, WIRE_EVENT_DATA_CHANGED, a), 1u << 0 | 1u << 3);
    assert_int_equal(library_watch_fire(&w, WIRE_EVENT_DELETED, a), 1u << 1 | 1u << 3);
    assert_false(library_watch_has(&w, CLIENT_WATCH_CHILD, a));
    assert_int_equal(library_watch_everybody(&w), 1u << 2 | 1u << 3);
    library_watch_forget(&w, ab, CLIENT_WATCH_ANY, LIBRARY_EVERYBODY);
    assert_int_equal(library_watch_everybody(&w), 1u << 3);
    library_watches_fini(&w);
}

/* A request on connection 5, accepted as number 1. */
static struct cluster *judged(struct library_judge *j)
{
    struct cluster *c = mem_zalloc(sizeof *c);
    c->now_us = 1000000;
    judge_init(j, c, 0);
    judge_servers(j, 2);
    judge_dialled(j, 5);
    j->up = true;
    j->state = CLIENT_STATE_CONNECTED;
    j->timeout_ms = 6000;
    assert_int_equal(judge_accepted(j, (struct library_asked){ .xid = 1, .op = WIRE_OP_SYNC }), 1);
    return c;
}

static void judge_sends(struct library_judge *j)
{
    struct buf b;
    buf_init(&b, 100);
    wire_put_request_header(&b, &(struct wire_request_header){ 1, WIRE_OP_SYNC });
    judge_sent(j, buf_slice(&b));
    buf_fini(&b);
}

static void judge_answers(struct library_judge *j)
{
    struct buf b;
    buf_init(&b, 100);
    wire_put_reply_header(&b, &(struct wire_reply_header){ 1, 7, 0 });
    assert_true(judge_received(j, buf_slice(&b)));
    buf_fini(&b);
}

static void ends(struct library_judge *j, int32_t rc)
{
    const struct client_done d = { .rc = rc, .zxid = rc == 0 ? 7 : -1, .call = { .data = (const void *)1 } };
    judge_done(j, &d);
}

static void must_find(struct cluster *c, struct library_judge *j, const char *rule)
{
    if (rule == NULL)
        assert_false(c->finding.is);
    else
        assert_string_equal(c->finding.rule, rule);
    judge_fini(j);
    mem_free(c);
}

static void the_judge_of_libraries_judges(void **state)
{
    (void)state;
    struct library_judge j;
    struct cluster *c = judged(&j);
    judge_sends(&j);
    judge_answers(&j);
    ends(&j, 0);
    judge_settled(&j, false);
    must_find(c, &j, NULL);

    c = judged(&j);
    judge_sends(&j);
    judge_answers(&j);
    judge_settled(&j, false);
    must_find(c, &j, "library.lost");

    c = judged(&j);
    judge_sends(&j);
    judge_answers(&j);
    ends(&j, 0);
    ends(&j, 0);
    must_find(c, &j, "library.twice");

    c = judged(&j);
    judge_sends(&j);
    judge_answers(&j);
    ends(&j, ERR_NO_NODE);
    must_find(c, &j, "library.answer");

    c = judged(&j);
    judge_sends(&j);
    ends(&j, ERR_CONNECTION_LOSS);
    must_find(c, &j, "library.failure");

    c = judged(&j);
    judge_sends(&j);
    judge_disconnected(&j, false);
    judge_settled(&j, false);
    must_find(c, &j, "library.lost");

    c = judged(&j);
    judge_disconnected(&j, true);
    must_find(c, &j, "library.left");

    c = judged(&j);
    judge_closes(&j, false, 0);
    judge_settled(&j, true);
    must_find(c, &j, "library.lost");
}

/* Whatever a seed draws seldom, at once. */
static void everything_together(void **state)
{
    (void)state;
    static const char *const always[] = { "groups=1",     "quotas=1",       "library_pct=50",   "rot_ms=900",
                                          "wipe_ms=2000", "restore_ms=700", "duration_ms=5000", "kill_ms=1500" };
    static const char *const kinds[] = { "local_sessions=0", "local_sessions=1", "local_sessions=2" };
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct sim_options o;
        struct sim_result r;
        options_default(&o);
        for (size_t i = 0; i < ARRAY_COUNT(always); i++)
            assert_int_equal(options_set(&o, always[i]), 0);
        assert_int_equal(options_set(&o, seed % 2 == 0 ? "read_only=1" : "read_only=0"), 0);
        assert_int_equal(options_set(&o, kinds[seed % 3]), 0);
        options_draw(&o, seed);
        cluster_run(&o, &r);
        if (r.finding.is)
            fail_msg("seed %llu: %s: %s", (unsigned long long)seed, r.finding.rule, r.finding.text);
        assert_true(r.coverage.n[COVER_library_waited] > 0);
    }
}

int main(void)
{
    log_set_sink(NULL, NULL, LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_of_chance_are_apart),
        cmocka_unit_test(agenda_keeps_order),
        cmocka_unit_test(options_are_drawn_unless_given),
        cmocka_unit_test(model_has_the_known_digests),
        cmocka_unit_test(model_watches_fire_once_or_stay),
        cmocka_unit_test(minimiser_keeps_what_matters),
        cmocka_unit_test(a_seed_is_one_story),
        cmocka_unit_test(everything_together),
        cmocka_unit_test(libraries_survive_everything),
        cmocka_unit_test(library_watches_fire_as_specified),
        cmocka_unit_test(the_judge_of_libraries_judges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
