/* Values that many change at once: read, make, set with the version that was read. */
#include "recipe/internal.h"
#include "base/museum.h"
#include <poll.h>
#include <string.h>
#include <zokor/atomic.h>
#include <zokor/lock.h>

#define LOCK_TIMEOUT_MS 10000

static const struct zokor_retry usual = {
    .kind = ZOKOR_RETRY_EXPONENTIAL, .base_ms = 1, .retries_max = 10, .max_sleep_ms = 50
};

struct update {
    struct zokor_framework *f;
    const char *path;
    zokor_atomic_fn fn;
    void *context;
};

/* Never made again: if the reply was lost, the second one would find the first one's work, which looks like that of
 * somebody who was faster, and the change would be made twice. */
static int write_value(const struct update *u, bool is_there, int version, const char *post, int post_len)
{
    const struct zokor_retry never = zokor_retry_never();
    const struct zokor_request q = { .operation = is_there ? ZOKOR_SET : ZOKOR_CREATE,
                                     .path = u->path,
                                     .data = post,
                                     .data_len = post_len,
                                     .has_version = is_there,
                                     .version = version,
                                     .flags = is_there ? 0 : ZOKOR_CONTAINER_PARENTS,
                                     .retry = SIM_BUG(recipe_adds_again) ? NULL : &never };
    int rc = zokor_framework_do(u->f, &q, NULL);
    return rc == ZNODEEXISTS ? ZBADVERSION : rc;
}

/* ZBADVERSION: somebody else was faster. */
static int try_once(const struct update *u)
{
    char *pre, *post = NULL;
    int pre_len, post_len = 0;
    struct Stat stat = { .version = 0 };
    int rc = zokor_framework_get(u->f, u->path, &pre, &pre_len, &stat);
    bool is_there = rc == ZOK;
    if (rc != ZOK && rc != ZNONODE)
        return rc;
    u->fn(pre, pre_len, &post, &post_len, u->context);
    rc = post == NULL ? ZOK : write_value(u, is_there, stat.version, post, post_len);
    mem_free(pre);
    mem_free(post);
    return rc == ZNONODE ? ZBADVERSION : rc;
}

static int try_often(const struct update *u, const struct zokor_retry *retry, int *tries)
{
    int64_t began = recipe_now_ms();
    for (int n = 0;; n++) {
        int rc = try_once(u);
        ++*tries;
        int sleep_ms = zokor_retry_sleep_ms(retry, n, recipe_now_ms() - began);
        if (rc != ZBADVERSION || sleep_ms < 0)
            return rc;
        poll(NULL, 0, sleep_ms);
    }
}

static int try_locked(const struct update *u, const struct zokor_atomic_options *o, int *tries)
{
    struct zokor_mutex *lock = zokor_mutex_new(u->f, o->lock_path);
    if (lock == NULL)
        return ZBADARGUMENTS;
    int rc = zokor_mutex_acquire(lock, o->lock_timeout_ms > 0 ? o->lock_timeout_ms : LOCK_TIMEOUT_MS);
    if (rc == ZOK) {
        rc = try_often(u, o->lock_retry.kind == ZOKOR_RETRY_DEFAULT ? &usual : &o->lock_retry, tries);
        (void)zokor_mutex_release(lock); /* at the latest zokor_mutex_free sees to it */
    } else if (rc == ZOPERATIONTIMEOUT) {
        rc = ZBADVERSION;
    }
    zokor_mutex_free(lock);
    return rc;
}

int zokor_atomic_update(struct zokor_framework *f, const char *path, const struct zokor_atomic_options *options,
                        zokor_atomic_fn fn, void *context, struct zokor_atomic_stats *stats)
{
    static const struct zokor_atomic_options none;
    const struct zokor_atomic_options *o = options == NULL ? &none : options;
    const struct update u = { .f = f, .path = path, .fn = fn, .context = context };
    struct zokor_atomic_stats spent = { .tries = 0 };
    int rc = try_often(&u, o->retry.kind == ZOKOR_RETRY_DEFAULT ? &usual : &o->retry, &spent.tries);
    if (rc == ZBADVERSION && o->lock_path != NULL)
        rc = try_locked(&u, o, &spent.locked_tries);
    if (stats != NULL)
        *stats = spent;
    return rc;
}

/* Numbers of 4 or 8 bytes. */
struct number {
    int size;
    int64_t expected, operand, before;
    enum { ADD, SET, COMPARE } what;
    bool is_bad, done;
};

static bool number_from(const char *p, int len, int size, int64_t *out)
{
    uint64_t v = 0;
    *out = 0;
    if (p == NULL)
        return true;
    if (len != size)
        return false;
    for (int i = 0; i < len; i++)
        v = v << 8 | (unsigned char)p[i];
    *out = size == 4 ? (int32_t)v : (int64_t)v;
    return true;
}

static void change_number(const char *pre, int pre_len, char **post, int *post_len, void *context)
{
    struct number *n = context;
    n->is_bad = !number_from(pre, pre_len, n->size, &n->before) && n->what != SET;
    n->done = !n->is_bad && (n->what != COMPARE || n->before == n->expected);
    if (!n->done)
        return;
    uint64_t v = n->what == ADD ? (uint64_t)n->before + (uint64_t)n->operand : (uint64_t)n->operand;
    *post = mem_alloc((size_t)n->size);
    *post_len = n->size;
    for (int i = 0; i < n->size; i++)
        (*post)[i] = (char)(v >> (8 * (n->size - 1 - i)));
}

static int change(struct zokor_framework *f, const char *path, const struct zokor_atomic_options *options,
                  struct number *n, struct zokor_atomic_stats *stats)
{
    int rc = zokor_atomic_update(f, path, options, change_number, n, stats);
    return rc == ZOK && n->is_bad ? ZDATAINCONSISTENCY : rc;
}

static int get_number(struct zokor_framework *f, const char *path, int size, int64_t *value)
{
    char *data;
    int len;
    int rc = zokor_framework_get(f, path, &data, &len, NULL);
    *value = 0;
    if (rc == ZNONODE)
        return ZOK;
    if (rc == ZOK && !number_from(data, len, size, value))
        rc = ZDATAINCONSISTENCY;
    mem_free(data);
    return rc;
}

int zokor_atomic_long_get(struct zokor_framework *f, const char *path, int64_t *value)
{
    return get_number(f, path, 8, value);
}

int zokor_atomic_long_add(struct zokor_framework *f, const char *path, const struct zokor_atomic_options *options,
                          int64_t delta, int64_t *before, struct zokor_atomic_stats *stats)
{
    struct number n = { .size = 8, .what = ADD, .operand = delta };
    int rc = change(f, path, options, &n, stats);
    if (before != NULL)
        *before = n.before;
    return rc;
}

int zokor_atomic_long_set(struct zokor_framework *f, const char *path, const struct zokor_atomic_options *options,
                          int64_t value, int64_t *before)
{
    struct number n = { .size = 8, .what = SET, .operand = value };
    int rc = change(f, path, options, &n, NULL);
    if (before != NULL)
        *before = n.before;
    return rc;
}

int zokor_atomic_long_compare_and_set(struct zokor_framework *f, const char *path,
                                      const struct zokor_atomic_options *options, int64_t expected, int64_t value,
                                      int *swapped)
{
    struct number n = { .size = 8, .what = COMPARE, .expected = expected, .operand = value };
    int rc = change(f, path, options, &n, NULL);
    *swapped = rc == ZOK && n.done;
    return rc;
}

int zokor_atomic_int_get(struct zokor_framework *f, const char *path, int32_t *value)
{
    int64_t v;
    int rc = get_number(f, path, 4, &v);
    *value = (int32_t)v;
    return rc;
}

int zokor_atomic_int_add(struct zokor_framework *f, const char *path, const struct zokor_atomic_options *options,
                         int32_t delta, int32_t *before, struct zokor_atomic_stats *stats)
{
    struct number n = { .size = 4, .what = ADD, .operand = delta };
    int rc = change(f, path, options, &n, stats);
    if (before != NULL)
        *before = (int32_t)n.before;
    return rc;
}
