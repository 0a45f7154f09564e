#include "sim_recipe/program.h"
#include "base/assert.h"
#include <pthread.h>

#define THREADS_MAX 8

struct zokor_framework *program_open(struct app *a)
{
    struct zokor_framework_options o = { .hosts = a->w->hosts,
                                         .session_timeout_ms = (int)opt(a->w->c, OPT_timeout_ms) };
    switch (dice_between(&a->dice, 0, 3)) {
    case 0:
        o.retry = zokor_retry_n_times(3, 100);
        break;
    case 1:
        o.retry = zokor_retry_exponential(50, 6);
        break;
    case 2:
        o.retry = zokor_retry_forever(200);
        break;
    default:
        break;
    }
    if (dice_one_in(&a->dice, 6))
        o.request_timeout_ms = (int)dice_between(&a->dice, 500, 5000);
    a->is_hasty = o.request_timeout_ms != 0;
    a->is_bold = dice_one_in(&a->dice, 6);
    o.error_policy = a->is_bold ? ZOKOR_ERRORS_SESSION : ZOKOR_ERRORS_STANDARD;
    struct zokor_framework *f = zokor_framework_open(&o);
    ASSERT(f != NULL);
    return f;
}

void program_close(struct app *a, struct zokor_framework *f, void (*look)(void *framework))
{
    bool hasty = a->is_hasty;
    if (!hasty)
        app_meet(look, f);
    (void)zokor_framework_close(f);
    if (hasty)
        app_meet(NULL, NULL);
}

void program_threads(size_t count, void *(*main)(void *), void *args, size_t size)
{
    pthread_t threads[THREADS_MAX];
    ASSERT(count <= THREADS_MAX);
    for (size_t i = 0; i < count; i++) {
        int rc = pthread_create(&threads[i], NULL, main, (char *)args + i * size);
        ASSERT(rc == 0);
    }
    for (size_t i = 0; i < count; i++)
        (void)pthread_join(threads[i], NULL);
}
