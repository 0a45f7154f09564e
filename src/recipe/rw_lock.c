/* Readers and writers queue up in one row of nodes. */
#include "recipe/lock.h"
#include "base/museum.h"
#include <stdlib.h>
#include <string.h>

#define READ_NAME "__READ__"
#define WRITE_NAME "__WRIT__"

struct zokor_rw_lock {
    struct zokor_mutex read, write;
    pthread_mutex_t lock;
    struct list kept; /* struct kept */
};

/* A write claim that its thread has given back, but that stands before the read claim it still has. */
struct kept {
    struct list link;
    pthread_t thread;
    struct claim *claim;
};

/* The nearest writer before us is who we wait for; our own thread's writer is not in the way. */
static int judge_reader(const struct claim *c, char *const *names, int n, int ours)
{
    struct zokor_rw_lock *l = c->judge_context;
    (void)n;
    if (mutex_claim_of(&l->write, c->thread) != NULL)
        return CLAIM_GRANTED;
    for (int i = ours - 1; i >= (SIM_BUG(recipe_reader_passes) && ours > 0 ? ours - 1 : 0); i--) {
        if (strstr(names[i], WRITE_NAME) != NULL)
            return i;
    }
    return CLAIM_GRANTED;
}

/* Is there a writer between our two nodes? Who is not there now will not be: numbers only grow. */
static bool writer_between(struct zokor_rw_lock *l, const struct claim *writer, const struct claim *reader)
{
    struct String_vector children;
    bool found = true; /* if nobody can say: the careful answer */
    if (zokor_framework_children(l->read.f, l->read.path, &children) != ZOK)
        return found;
    const char *from = claim_number(writer->path, WRITE_NAME), *to = claim_number(reader->path, READ_NAME);
    found = false;
    for (int32_t i = 0; i < children.count; i++) {
        const char *child = children.data[i];
        if (strstr(child, WRITE_NAME) == NULL)
            continue;
        const char *number = claim_number(child, WRITE_NAME);
        found = found || (strcmp(number, from) > 0 && strcmp(number, to) < 0);
    }
    deallocate_String_vector(&children);
    return found;
}

/* Downgrade: a writer that queued up between our writer and our reader would find itself first in the row while we
 * still read. So our writer's node stays until we have done reading. */
static bool keep_writer(struct zokor_mutex *m, struct claim *claim)
{
    struct zokor_rw_lock *l = CONTAINER_OF(m, struct zokor_rw_lock, write);
    const struct claim *reader = mutex_claim(&l->read);
    if (reader == NULL || claim_hold(claim) == ZOKOR_HOLD_LOST || !writer_between(l, claim, reader))
        return false;
    struct kept *k = mem_zalloc(sizeof(*k));
    k->thread = pthread_self();
    k->claim = claim;
    pthread_mutex_lock(&l->lock);
    list_push_back(&l->kept, &k->link);
    pthread_mutex_unlock(&l->lock);
    return true;
}

static void reader_released(struct zokor_mutex *m)
{
    struct zokor_rw_lock *l = CONTAINER_OF(m, struct zokor_rw_lock, read);
    struct list mine;
    if (mutex_claim(m) != NULL)
        return;
    list_init(&mine);
    pthread_mutex_lock(&l->lock);
    LIST_FOR_SAFE(it, &l->kept)
    {
        if (pthread_equal(CONTAINER_OF(it, struct kept, link)->thread, pthread_self())) {
            list_remove(it);
            list_push_back(&mine, it);
        }
    }
    pthread_mutex_unlock(&l->lock);
    LIST_FOR_SAFE(it, &mine)
    {
        struct kept *k = CONTAINER_OF(it, struct kept, link);
        (void)claim_release(k->claim);
        claim_free(k->claim);
        mem_free(k);
    }
}

struct zokor_rw_lock *zokor_rw_lock_new(struct zokor_framework *f, const char *path)
{
    struct zokor_rw_lock *l = mem_zalloc(sizeof(*l));
    mutex_init(&l->read, f, path, READ_NAME, judge_reader, l);
    mutex_init(&l->write, f, path, WRITE_NAME, judge_first, NULL);
    l->write.keep = keep_writer;
    l->read.released = reader_released;
    pthread_mutex_init(&l->lock, NULL);
    list_init(&l->kept);
    return l;
}

void zokor_rw_lock_free(struct zokor_rw_lock *l)
{
    if (l == NULL)
        return;
    LIST_FOR_SAFE(it, &l->kept)
    {
        struct kept *k = CONTAINER_OF(it, struct kept, link);
        (void)claim_release(k->claim);
        claim_free(k->claim);
        mem_free(k);
    }
    mutex_fini(&l->read);
    mutex_fini(&l->write);
    pthread_mutex_destroy(&l->lock);
    mem_free(l);
}

struct zokor_mutex *zokor_rw_lock_read(struct zokor_rw_lock *l)
{
    return &l->read;
}

struct zokor_mutex *zokor_rw_lock_write(struct zokor_rw_lock *l)
{
    return &l->write;
}
