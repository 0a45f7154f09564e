/* Deletes: with what is below, and until they are done. */
#include "recipe/internal.h"
#include "base/museum.h"
#include <stdlib.h>
#include <string.h>

#define GUARANTEED_RETRY_MS 1000

static void push(struct op *op, char *path)
{
    if (op->stack_n == op->stack_cap) {
        op->stack_cap = op->stack_cap == 0 ? 8 : op->stack_cap * 2;
        op->stack = mem_realloc(op->stack, op->stack_cap * sizeof(*op->stack));
    }
    op->stack[op->stack_n++] = path;
}

static const char *top(const struct op *op)
{
    return op->stack[op->stack_n - 1];
}

static int send_delete(struct op *op, zhandle_t *zh)
{
    return zoo_adelete(zh, top(op), op->stack_n == 1 ? op->q.version : -1, op_void_done, op);
}

static int send_list(struct op *op, zhandle_t *zh)
{
    return zoo_aget_children2(zh, top(op), 0, op_strings_stat_done, op);
}

static void deleted(struct op *op, int rc);

static void listed(struct op *op, int rc)
{
    if (rc != ZOK && rc != ZNONODE) {
        op_end(op, rc);
        return;
    }
    char *parent = recipe_copy(top(op));
    for (int32_t i = 0; rc == ZOK && i < op->result.children.count; i++)
        push(op, zokor_path_join(parent, op->result.children.data[i]));
    mem_free(parent);
    deallocate_String_vector(&op->result.children);
    op->result.children = (struct String_vector){ .count = 0 };
    op_send(op, send_delete, deleted);
}

static void deleted(struct op *op, int rc)
{
    bool last = op->stack_n == 1;
    if (rc == ZNOTEMPTY && (op->q.flags & ZOKOR_RECURSIVE) != 0) {
        op_send(op, send_list, listed);
        return;
    }
    if (rc == ZNONODE && (!last || (op->q.flags & ZOKOR_QUIETLY) != 0))
        rc = ZOK;
    if (rc == ZNONODE && op->lost && (op->q.flags & (ZOKOR_IDEMPOTENT | ZOKOR_GUARANTEED)) != 0)
        rc = ZOK; /* the try whose reply was lost did it */
    if (rc != ZOK || last) {
        op->lost = op->lost || zokor_is_retryable(rc);
        op_end(op, rc);
        return;
    }
    mem_free(op->stack[--op->stack_n]);
    op_send(op, send_delete, deleted);
}

static void delete_found(struct op *op)
{
    if (op->found == NULL) {
        op_finish(op, ZOK);
        return;
    }
    push(op, recipe_copy(op->found));
    op_send(op, send_delete, deleted);
}

void delete_begin(struct op *op)
{
    while (op->stack_n > 0)
        mem_free(op->stack[--op->stack_n]);
    if (op->cleaning) {
        protected_find(op, delete_found);
        return;
    }
    push(op, recipe_copy(op->path));
    op_send(op, send_delete, deleted);
}

/* As Curator's FailedDeleteManager: the caller hears of the failure, the delete goes on. */
void delete_given_up(const struct op *op)
{
    if ((op->q.flags & ZOKOR_GUARANTEED) == 0 || SIM_BUG(recipe_delete_forgotten))
        return;
    const struct zokor_retry retry = zokor_retry_forever(GUARANTEED_RETRY_MS);
    struct zokor_request q = op->q;
    q.flags = (q.flags & ZOKOR_RECURSIVE) | ZOKOR_QUIETLY;
    q.has_version = q.version != -1;
    q.retry = &retry;
    (void)op_start(op->view, &q, NULL, NULL, true);
}
