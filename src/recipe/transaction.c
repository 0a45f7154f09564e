/* Transactions: parts are gathered by the program, copied by the request. */
#include "recipe/internal.h"
#include <stdlib.h>
#include <string.h>

#define SEQUENCE_ROOM 16 /* the digits of a sequential name, or of a negative one */

struct part {
    enum zokor_operation operation; /* 0: check */
    char *path;
    char *data;
    int data_len;
    int mode;
    int version;
    int64_t ttl_ms;
    struct ACL_vector acl;
};

struct zokor_transaction {
    struct part *parts;
    int n, cap;
};

struct zokor_transaction *zokor_transaction_new(void)
{
    return mem_zalloc(sizeof(struct zokor_transaction));
}

void zokor_transaction_free(struct zokor_transaction *t)
{
    for (int i = 0; t != NULL && i < t->n; i++) {
        mem_free(t->parts[i].path);
        mem_free(t->parts[i].data);
        deallocate_ACL_vector(&t->parts[i].acl);
    }
    if (t != NULL)
        mem_free(t->parts);
    mem_free(t);
}

static struct part *add(struct zokor_transaction *t, enum zokor_operation operation, const char *path, int version)
{
    if (t->n == t->cap) {
        t->cap = t->cap == 0 ? 8 : t->cap * 2;
        t->parts = mem_realloc(t->parts, (size_t)t->cap * sizeof(*t->parts));
    }
    struct part *p = &t->parts[t->n++];
    *p = (struct part){ .operation = operation, .path = recipe_copy(path), .data_len = -1, .version = version };
    return p;
}

static void take_bytes(struct part *p, const void *data, int n)
{
    p->data_len = n;
    if (n < 0)
        return;
    p->data = mem_alloc((size_t)n + 1);
    if (n > 0)
        memcpy(p->data, data, (size_t)n);
}

void zokor_transaction_create(struct zokor_transaction *t, const char *path, const void *data, int data_len, int mode,
                              int64_t ttl_ms, const struct ACL_vector *acl)
{
    struct part *p = add(t, ZOKOR_CREATE, path, -1);
    take_bytes(p, data, data_len);
    p->mode = mode;
    p->ttl_ms = ttl_ms;
    if (acl != NULL)
        recipe_copy_acl(acl, &p->acl);
}

void zokor_transaction_delete(struct zokor_transaction *t, const char *path, int version)
{
    (void)add(t, ZOKOR_DELETE, path, version);
}

void zokor_transaction_set(struct zokor_transaction *t, const char *path, const void *data, int data_len, int version)
{
    take_bytes(add(t, ZOKOR_SET, path, version), data, data_len);
}

void zokor_transaction_check(struct zokor_transaction *t, const char *path, int version)
{
    (void)add(t, 0, path, version);
}

int zokor_transaction_commit(struct zokor_framework *f, struct zokor_transaction *t, struct zokor_result *result)
{
    return zokor_framework_do(f, &(struct zokor_request){ .operation = ZOKOR_TRANSACTION, .transaction = t }, result);
}

/* What the client library is given: pointers into copies of this operation's own. */
struct taken {
    struct part part;
    char *created;
};

static void take_part(struct op *op, int i, const struct part *from)
{
    struct taken *k = &op->taken[i];
    struct part *p = &k->part;
    zoo_op_t *o = &op->parts[i];
    *p = *from;
    p->path = view_path(op->view, from->path);
    p->data = NULL;
    p->acl = (struct ACL_vector){ .count = 0 };
    take_bytes(p, from->data, from->data_len);
    int room = (int)strlen(p->path) + SEQUENCE_ROOM;
    switch (p->operation) {
    case ZOKOR_CREATE:
        recipe_copy_acl(from->acl.count > 0 ? &from->acl : &op->acl, &p->acl);
        k->created = mem_zalloc((size_t)room);
        if (p->mode == ZOO_PERSISTENT_WITH_TTL || p->mode == ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL)
            zokor_create_ttl_op_init(o, p->path, p->data, p->data_len, &p->acl, p->mode, p->ttl_ms, k->created, room);
        else
            zoo_create2_op_init(o, p->path, p->data, p->data_len, &p->acl, p->mode, k->created, room);
        break;
    case ZOKOR_DELETE:
        zoo_delete_op_init(o, p->path, p->version);
        break;
    case ZOKOR_SET:
        zoo_set_op_init(o, p->path, p->data, p->data_len, p->version, NULL);
        break;
    default:
        zoo_check_op_init(o, p->path, p->version);
    }
}

void transaction_take(struct op *op)
{
    const struct zokor_transaction *t = op->q.transaction;
    size_t n = (size_t)t->n + 1;
    op->part_count = t->n;
    op->parts = mem_zalloc(n * sizeof(*op->parts));
    op->taken = mem_zalloc(n * sizeof(*op->taken));
    op->part_results = mem_zalloc(n * sizeof(*op->part_results));
    op->part_stats = mem_zalloc(n * sizeof(*op->part_stats));
    for (int i = 0; i < t->n; i++)
        take_part(op, i, &t->parts[i]);
}

void transaction_drop(struct op *op)
{
    for (int i = 0; i < op->part_count; i++) {
        mem_free(op->taken[i].part.path);
        mem_free(op->taken[i].part.data);
        mem_free(op->taken[i].created);
        deallocate_ACL_vector(&op->taken[i].part.acl);
    }
    mem_free(op->parts);
    mem_free(op->taken);
    mem_free(op->part_results);
    mem_free(op->part_stats);
}

static int send_multi(struct op *op, zhandle_t *zh)
{
    return zokor_amulti(zh, op->part_count, op->parts, op->part_results, op->part_stats, op_void_done, op);
}

static void multi_answered(struct op *op, int rc)
{
    if (zokor_is_retryable(rc) || rc == ZCLOSING) {
        op_end(op, rc);
        return;
    }
    op->result.part_count = op->part_count;
    op->result.parts = mem_zalloc(((size_t)op->part_count + 1) * sizeof(*op->result.parts));
    for (int i = 0; i < op->part_count; i++) {
        struct zokor_part_result *r = &op->result.parts[i];
        const struct taken *k = &op->taken[i];
        r->operation = k->part.operation;
        r->rc = op->part_results[i].err;
        bool named = rc == ZOK && k->created != NULL && k->created[0] != 0;
        r->path = recipe_copy(view_strip(op->view, named ? k->created : k->part.path));
        r->stat = op->part_stats[i];
    }
    op_finish(op, rc);
}

static void try_multi(struct op *op)
{
    op_send(op, send_multi, multi_answered);
}

void transaction_begin(struct op *op)
{
    if (!parents_of_namespace(op, try_multi))
        try_multi(op);
}
