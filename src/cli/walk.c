#include "cli/walk.h"
#include "base/mem.h"
#include "cli/paths.h"

enum { BATCH_MAX = 256, BATCH_WITH_DATA_MAX = 64 }; /* nodes asked for at once: data may be a megabyte each */

/* What the servers said of one node; filled by up to three completions. */
struct visit {
    struct batch *batch;
    char *path;
    int rc, data_rc, acl_rc, data_len;
    struct Stat stat;
    struct String_vector children;
    struct ACL_vector acl;
    char *data;
};

/* Siblings that are asked for together. Shared with the completions: the last to leave frees it. */
struct batch {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t waiting; /* completions that have yet to come */
    bool abandoned;
    size_t n;
    struct visit visits[];
};

/* One level of the way down. */
struct level {
    char *path;
    struct String_vector names;
    int32_t next;        /* the next of names that is not yet in a batch */
    struct batch *batch; /* NULL, or the siblings that are being entered */
    size_t at;           /* the next of them */
};

static void batch_free(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        struct visit *v = &b->visits[i];
        mem_free(v->path);
        mem_free(v->data);
        deallocate_String_vector(&v->children);
        deallocate_ACL_vector(&v->acl);
    }
    pthread_mutex_destroy(&b->lock);
    pthread_cond_destroy(&b->changed);
    mem_free(b);
}

static void came(struct batch *b)
{
    pthread_mutex_lock(&b->lock);
    b->waiting--;
    bool last = b->waiting == 0 && b->abandoned;
    pthread_cond_signal(&b->changed);
    pthread_mutex_unlock(&b->lock);
    if (last)
        batch_free(b);
}

static void children_came(int rc, const struct String_vector *names, const struct Stat *stat, const void *data)
{
    struct visit *v = (struct visit *)data;
    v->rc = rc;
    if (rc == ZOK) {
        copy_names(&v->children, names);
        sort_names(&v->children);
        v->stat = *stat;
    }
    came(v->batch);
}

static void data_came(int rc, const char *value, int n, const struct Stat *stat, const void *data)
{
    struct visit *v = (struct visit *)data;
    (void)stat;
    v->data_rc = rc;
    v->data_len = rc == ZOK && value != NULL ? n : -1;
    if (v->data_len >= 0) {
        v->data = mem_alloc((size_t)n + 1);
        memcpy(v->data, value, (size_t)n);
        v->data[n] = '\0';
    }
    came(v->batch);
}

static void acl_came(int rc, struct ACL_vector *acl, struct Stat *stat, const void *data)
{
    struct visit *v = (struct visit *)data;
    (void)stat;
    v->acl_rc = rc;
    if (rc == ZOK)
        copy_acl(&v->acl, acl);
    came(v->batch);
}

/* A request that was not accepted has no completion: *to gets its error. */
static void sent(struct batch *b, int rc, int *to)
{
    if (rc == ZOK)
        return;
    *to = rc;
    came(b);
}

static struct batch *batch_start(struct cli *c, const struct walk_plan *plan, size_t n, char **paths)
{
    struct batch *b = mem_zalloc(sizeof(*b) + n * sizeof(b->visits[0]));
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->changed, NULL);
    b->n = n;
    b->waiting = n * (1u + plan->with_data + plan->with_acl);
    for (size_t i = 0; i < n; i++) {
        struct visit *v = &b->visits[i];
        v->batch = b;
        v->path = paths[i];
        if (plan->with_data)
            sent(b, zoo_aget(c->zh, v->path, 0, data_came, v), &v->data_rc);
        if (plan->with_acl)
            sent(b, zoo_aget_acl(c->zh, v->path, acl_came, v), &v->acl_rc);
        sent(b, zoo_aget_children2(c->zh, v->path, plan->watch, children_came, v), &v->rc);
    }
    return b;
}

/* True once all answers are there; false after Ctrl-C. */
static bool batch_wait(struct batch *b)
{
    pthread_mutex_lock(&b->lock);
    while (b->waiting > 0 && !cli_interrupted)
        call_wait(&b->lock, &b->changed);
    bool complete = b->waiting == 0;
    pthread_mutex_unlock(&b->lock);
    return complete && !cli_interrupted;
}

static void batch_leave(struct batch *b)
{
    if (b == NULL)
        return;
    pthread_mutex_lock(&b->lock);
    bool last = b->waiting == 0;
    b->abandoned = true;
    pthread_mutex_unlock(&b->lock);
    if (last)
        batch_free(b);
}

struct walk {
    struct cli *c;
    const struct walk_plan *plan;
    struct level *levels;
    size_t n, room;
};

static void push(struct walk *w, char *path, struct String_vector names)
{
    if (w->n == w->room) {
        w->room = w->room * 2 + 16;
        w->levels = mem_realloc(w->levels, w->room * sizeof(*w->levels));
    }
    w->levels[w->n++] = (struct level){ .path = path, .names = names };
}

static void pop(struct walk *w)
{
    struct level *l = &w->levels[--w->n];
    batch_leave(l->batch);
    mem_free(l->path);
    deallocate_String_vector(&l->names);
}

static int judge(struct walk *w, const struct visit *v, bool last)
{
    struct cli *c = w->c;
    if (v->rc == ZNONODE && w->n > 1)
        return WALK_SKIP;
    if (w->plan->entered == NULL) {
        if (v->rc != ZOK)
            cli_fail_rc(c, v->rc, v->path);
        return v->rc == ZOK ? WALK_ON : WALK_STOP;
    }
    const struct walk_node node = { .path = v->path,
                                    .depth = w->n - 1,
                                    .last = last,
                                    .rc = v->rc,
                                    .stat = v->stat,
                                    .children = &v->children,
                                    .data_rc = v->data_rc,
                                    .acl_rc = v->acl_rc,
                                    .data = v->data,
                                    .data_len = v->data_len,
                                    .acl = &v->acl };
    int verdict = w->plan->entered(c, &node, w->plan->context);
    return verdict == WALK_ON && v->rc != ZOK ? WALK_SKIP : verdict;
}

/* Names the children and goes down to them. */
static void descend(struct walk *w, struct visit *v)
{
    if (w->plan->listed != NULL) {
        for (int32_t i = 0; i < v->children.count; i++) {
            char *path = cli_path_join(v->path, v->children.data[i]);
            w->plan->listed(w->c, path, w->plan->context);
            mem_free(path);
        }
    }
    if (v->children.count == 0 || (w->plan->depth_max > 0 && w->n > w->plan->depth_max))
        return;
    struct String_vector names = v->children;
    v->children = (struct String_vector){ 0 };
    push(w, strdup(v->path), names);
}

/* The next batch of a level; false at its end. */
static bool next_batch(struct walk *w, struct level *l)
{
    char *paths[BATCH_MAX];
    size_t n = 0, most = w->plan->with_data ? BATCH_WITH_DATA_MAX : BATCH_MAX;
    batch_leave(l->batch);
    l->batch = NULL;
    while (n < most && l->next < l->names.count)
        paths[n++] = cli_path_join(l->path, l->names.data[l->next++]);
    if (n == 0)
        return false;
    l->batch = batch_start(w->c, w->plan, n, paths);
    l->at = 0;
    return true;
}

int walk_tree(struct cli *c, const char *root, const struct walk_plan *plan)
{
    struct walk w = { .c = c, .plan = plan };
    int status = CLI_DONE;
    char *first = strdup(root);
    if (plan->listed != NULL)
        plan->listed(c, root, plan->context);
    push(&w, strdup(root), (struct String_vector){ 0 });
    w.levels[0].batch = batch_start(c, plan, 1, &first);
    while (w.n > 0 && status == CLI_DONE) {
        struct level *l = &w.levels[w.n - 1];
        if ((l->batch == NULL || l->at == l->batch->n) && !next_batch(&w, l)) {
            pop(&w);
            continue;
        }
        if (!batch_wait(l->batch)) {
            status = cli_fail(c, "interrupted");
            break;
        }
        struct visit *v = &l->batch->visits[l->at++];
        int verdict = judge(&w, v, l->at == l->batch->n && l->next == l->names.count);
        if (verdict == WALK_STOP)
            status = CLI_FAILED;
        else if (verdict == WALK_ON)
            descend(&w, v);
    }
    while (w.n > 0)
        pop(&w);
    mem_free(w.levels);
    return status;
}
