/* Small things: time, chance, text, paths. */
#include "recipe/internal.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

int64_t recipe_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void recipe_randoms(uint64_t *r, size_t n)
{
    if (getrandom(r, n * sizeof(*r), 0) == (ssize_t)(n * sizeof(*r)))
        return;
    for (size_t i = 0; i < n; i++)
        r[i] = ((uint64_t)recipe_now_ms() + i) * 0x9e3779b97f4a7c15u;
}

uint64_t recipe_random(void)
{
    uint64_t r;
    recipe_randoms(&r, 1);
    return r;
}

char *recipe_text(const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *s = mem_alloc((size_t)n + 1);
    vsnprintf(s, (size_t)n + 1, format, again);
    va_end(again);
    va_end(args);
    return s;
}

char *recipe_copy(const char *s)
{
    if (s == NULL)
        return NULL;
    size_t n = strlen(s) + 1;
    return memcpy(mem_alloc(n), s, n);
}

void recipe_copy_acl(const struct ACL_vector *from, struct ACL_vector *to)
{
    *to = (struct ACL_vector){ .count = 0 };
    if (allocate_ACL_vector(to, from->count) != 0)
        to->count = 0;
    for (int32_t i = 0; i < to->count; i++) {
        to->data[i].perms = from->data[i].perms;
        to->data[i].id.scheme = recipe_copy(from->data[i].id.scheme);
        to->data[i].id.id = recipe_copy(from->data[i].id.id);
    }
}

void recipe_cond_init(pthread_cond_t *c)
{
    pthread_condattr_t a;
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_cond_init(c, &a);
    pthread_condattr_destroy(&a);
}

bool recipe_cond_wait(pthread_cond_t *c, pthread_mutex_t *lock, int64_t due_ms)
{
    if (due_ms < 0) {
        pthread_cond_wait(c, lock);
        return true;
    }
    const struct timespec t = { .tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000 };
    return pthread_cond_timedwait(c, lock, &t) != ETIMEDOUT;
}

char *view_path(const struct zokor_framework *f, const char *path)
{
    if (f->name_space[0] != 0 && strcmp(path, "/") == 0)
        return recipe_copy(f->name_space);
    return recipe_text("%s%s", f->name_space, path);
}

const char *view_strip(const struct zokor_framework *f, const char *path)
{
    size_t n = strlen(f->name_space);
    if (path == NULL || n == 0 || strncmp(path, f->name_space, n) != 0)
        return path;
    return path[n] == 0 ? "/" : path[n] == '/' ? path + n : path;
}

char *zokor_path_join(const char *parent, const char *child)
{
    size_t n = strlen(parent);
    while (n > 0 && parent[n - 1] == '/')
        n--;
    while (*child == '/')
        child++;
    if (*child == 0)
        return n == 0 ? recipe_copy("/") : recipe_text("%.*s", (int)n, parent);
    return recipe_text("%.*s/%s", (int)n, parent, child);
}

int64_t zokor_path_sequence(const char *path)
{
    size_t n = path == NULL ? 0 : strlen(path);
    if (n < 10)
        return -1;
    int64_t number = 0;
    for (const char *p = path + n - 10; *p != 0; p++) {
        if (*p < '0' || *p > '9')
            return -1;
        number = number * 10 + (*p - '0');
    }
    return number;
}
