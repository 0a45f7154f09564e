/* deleteall: lists the subtree from the top, deletes it from the bottom in batches, some on their way at once. */
#include "base/mem.h"
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/walk.h"
#include <limits.h>

enum { BATCHES_AT_ONCE = 10 };

struct paths {
    char **at;
    size_t n, room;
};

static void paths_add(struct paths *p, const char *path)
{
    if (p->n == p->room) {
        p->room = p->room * 2 + 64;
        p->at = mem_realloc(p->at, p->room * sizeof(*p->at));
    }
    p->at[p->n++] = strdup(path);
}

static void paths_free(struct paths *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->at[i]);
    mem_free(p->at);
}

/* What the completions of the batches tell. Freed by the last of them if the command has left. */
struct progress {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t on_their_way;
    bool failed, abandoned;
};

struct part {
    struct progress *progress;
    zoo_op_t *ops;
    zoo_op_result_t *results;
};

static void part_free(struct part *part)
{
    mem_free(part->ops);
    mem_free(part->results);
    mem_free(part);
}

static void progress_free(struct progress *p)
{
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->changed);
    mem_free(p);
}

static void deleted(int rc, const void *data)
{
    struct part *part = (struct part *)data;
    struct progress *p = part->progress;
    pthread_mutex_lock(&p->lock);
    p->failed |= rc != ZOK;
    bool last = --p->on_their_way == 0 && p->abandoned;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
    part_free(part);
    if (last)
        progress_free(p);
}

static void send_part(struct cli *c, struct progress *p, char **paths, size_t n)
{
    struct part *part = mem_zalloc(sizeof(*part));
    part->progress = p;
    part->ops = mem_zalloc(n * sizeof(*part->ops));
    part->results = mem_zalloc(n * sizeof(*part->results));
    for (size_t i = 0; i < n; i++)
        zoo_delete_op_init(&part->ops[i], paths[n - 1 - i], -1);
    pthread_mutex_lock(&p->lock);
    p->on_their_way++;
    pthread_mutex_unlock(&p->lock);
    int rc = zoo_amulti(c->zh, (int)n, part->ops, part->results, deleted, part);
    if (rc != ZOK)
        deleted(rc, part);
}

/* Waits until at most `most` batches are on their way; false to stop. */
static bool wait_until(struct progress *p, size_t most)
{
    pthread_mutex_lock(&p->lock);
    while (p->on_their_way > most && !cli_interrupted)
        call_wait(&p->lock, &p->changed);
    bool go_on = !p->failed && !cli_interrupted;
    pthread_mutex_unlock(&p->lock);
    return go_on;
}

/* True if all is deleted. */
static bool delete_paths(struct cli *c, const struct paths *paths, size_t batch)
{
    struct progress *p = mem_zalloc(sizeof(*p));
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    size_t left = paths->n;
    while (left > 0 && wait_until(p, BATCHES_AT_ONCE - 1)) {
        size_t n = left < batch ? left : batch;
        left -= n;
        send_part(c, p, paths->at + left, n);
    }
    bool all = wait_until(p, 0) && left == 0;
    pthread_mutex_lock(&p->lock);
    bool last = p->on_their_way == 0;
    p->abandoned = true;
    pthread_mutex_unlock(&p->lock);
    if (last)
        progress_free(p);
    return all;
}

static int delete_one_by_one(struct cli *c, const struct paths *paths)
{
    for (size_t i = paths->n; i-- > 0;) {
        int rc = call_delete(c, paths->at[i], -1);
        if (rc != ZOK)
            return cli_fail_rc(c, rc, paths->at[i]);
    }
    return CLI_DONE;
}

static void note_path(struct cli *c, const char *path, void *context)
{
    (void)c;
    paths_add(context, path);
}

/* As zkCli.sh, what could not be deleted is told of and the status is nevertheless 0: its scripts rely on it. */
int cli_deleteall(struct cli *c, struct cli_args *args)
{
    struct paths paths = { 0 };
    int64_t batch;
    if (args->n < 2)
        return cli_misused(c, "deleteall");
    const char *path = args->words[1];
    if (cli_take_number(c, args, "b", INT_MIN, INT_MAX, 1000, &batch) != 0 || cli_check_path(c, path) != 0)
        return CLI_FAILED;
    const struct walk_plan plan = { .listed = note_path, .context = &paths };
    int status = walk_tree(c, path, &plan);
    if (status == CLI_DONE && batch <= 0)
        status = delete_one_by_one(c, &paths);
    else if (status == CLI_DONE && !delete_paths(c, &paths, (size_t)batch))
        cli_complain(c, "Failed to delete some node(s) in the subtree!");
    if (status == CLI_DONE)
        cli_done(c, path);
    paths_free(&paths);
    return status;
}
