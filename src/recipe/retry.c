#include "recipe/internal.h"

/* As Curator's ExponentialBackoffRetry: more would overflow. */
#define EXPONENT_MAX 29

struct zokor_retry zokor_retry_never(void)
{
    return (struct zokor_retry){ .kind = ZOKOR_RETRY_NEVER };
}

struct zokor_retry zokor_retry_exponential(int base_ms, int retries_max)
{
    return (struct zokor_retry){
        .kind = ZOKOR_RETRY_EXPONENTIAL, .base_ms = base_ms, .retries_max = retries_max, .max_sleep_ms = INT32_MAX
    };
}

struct zokor_retry zokor_retry_bounded_exponential(int base_ms, int max_sleep_ms, int retries_max)
{
    return (struct zokor_retry){
        .kind = ZOKOR_RETRY_EXPONENTIAL, .base_ms = base_ms, .retries_max = retries_max, .max_sleep_ms = max_sleep_ms
    };
}

struct zokor_retry zokor_retry_n_times(int retries_max, int sleep_ms)
{
    return (struct zokor_retry){ .kind = ZOKOR_RETRY_N_TIMES, .base_ms = sleep_ms, .retries_max = retries_max };
}

struct zokor_retry zokor_retry_until_elapsed(int elapsed_max_ms, int sleep_ms)
{
    return (
        struct zokor_retry){ .kind = ZOKOR_RETRY_UNTIL_ELAPSED, .base_ms = sleep_ms, .elapsed_max_ms = elapsed_max_ms };
}

struct zokor_retry zokor_retry_forever(int sleep_ms)
{
    return (struct zokor_retry){ .kind = ZOKOR_RETRY_FOREVER, .base_ms = sleep_ms };
}

static int exponential_ms(const struct zokor_retry *p, int retries)
{
    int exponent = retries + 1 < EXPONENT_MAX ? retries + 1 : EXPONENT_MAX;
    int64_t factor = (int64_t)(recipe_random() % ((uint64_t)1 << exponent));
    int64_t ms = p->base_ms * (factor < 1 ? 1 : factor);
    int64_t most = p->max_sleep_ms > 0 ? p->max_sleep_ms : INT32_MAX;
    return (int)(ms < most ? ms : most);
}

int zokor_retry_sleep_ms(const struct zokor_retry *p, int retries, int64_t elapsed_ms)
{
    static const struct zokor_retry usual = {
        .kind = ZOKOR_RETRY_EXPONENTIAL, .base_ms = 1000, .retries_max = 3, .max_sleep_ms = INT32_MAX
    };
    switch (p->kind) {
    case ZOKOR_RETRY_DEFAULT:
        return zokor_retry_sleep_ms(&usual, retries, elapsed_ms);
    case ZOKOR_RETRY_NEVER:
        return -1;
    case ZOKOR_RETRY_EXPONENTIAL:
        return retries < p->retries_max && retries < EXPONENT_MAX ? exponential_ms(p, retries) : -1;
    case ZOKOR_RETRY_N_TIMES:
        return retries < p->retries_max ? p->base_ms : -1;
    case ZOKOR_RETRY_UNTIL_ELAPSED:
        return elapsed_ms < p->elapsed_max_ms ? p->base_ms : -1;
    case ZOKOR_RETRY_FOREVER:
        return p->base_ms;
    }
    return -1;
}

int zokor_is_retryable(int rc)
{
    switch (rc) {
    case ZCONNECTIONLOSS:
    case ZOPERATIONTIMEOUT:
    case ZREQUESTTIMEOUT:
    case ZSESSIONMOVED:
    case ZSESSIONEXPIRED:
    case ZTHROTTLEDOP:
        return 1;
    default:
        return 0;
    }
}
