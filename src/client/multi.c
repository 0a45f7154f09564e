/* Requests of several parts: how they are written, and how their answers are taken apart. */
#include "client/shell.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/decode.h"
#include "wire/proto.h"
#include "wire/records.h"
#include <string.h>

static void create_init(zoo_op_t *op, int type, const char *path, const char *value, int valuelen,
                        const struct ACL_vector *acl, int mode, int64_t ttl_ms, char *out, int out_n)
{
    *op = (zoo_op_t){ .type = type };
    op->create_op.path = path;
    op->create_op.data = value;
    op->create_op.datalen = valuelen;
    op->create_op.buf = out;
    op->create_op.buflen = out_n;
    op->create_op.acl = acl;
    op->create_op.flags = mode;
    op->create_op.ttl = ttl_ms;
}

void zoo_create_op_init(zoo_op_t *op, const char *path, const char *value, int valuelen, const struct ACL_vector *acl,
                        int mode, char *path_buffer, int path_buffer_len)
{
    create_init(op, create_opcode(mode, false), path, value, valuelen, acl, mode, -1, path_buffer, path_buffer_len);
}

void zoo_create2_op_init(zoo_op_t *op, const char *path, const char *value, int valuelen, const struct ACL_vector *acl,
                         int mode, char *path_buffer, int path_buffer_len)
{
    create_init(op, create_opcode(mode, true), path, value, valuelen, acl, mode, -1, path_buffer, path_buffer_len);
}

void zokor_create_ttl_op_init(zoo_op_t *op, const char *path, const char *value, int valuelen,
                              const struct ACL_vector *acl, int mode, int64_t ttl_ms, char *path_buffer,
                              int path_buffer_len)
{
    create_init(op, WIRE_OP_CREATE_TTL, path, value, valuelen, acl, mode, ttl_ms, path_buffer, path_buffer_len);
}

void zoo_delete_op_init(zoo_op_t *op, const char *path, int version)
{
    *op = (zoo_op_t){ .type = WIRE_OP_DELETE };
    op->delete_op.path = path;
    op->delete_op.version = version;
}

void zoo_set_op_init(zoo_op_t *op, const char *path, const char *buffer, int buflen, int version, struct Stat *stat)
{
    *op = (zoo_op_t){ .type = WIRE_OP_SET_DATA };
    op->set_op.path = path;
    op->set_op.data = buffer;
    op->set_op.datalen = buflen;
    op->set_op.version = version;
    op->set_op.stat = stat;
}

void zoo_check_op_init(zoo_op_t *op, const char *path, int version)
{
    *op = (zoo_op_t){ .type = WIRE_OP_CHECK };
    op->check_op.path = path;
    op->check_op.version = version;
}

static bool is_create(int type)
{
    return type == WIRE_OP_CREATE || type == WIRE_OP_CREATE2 || type == WIRE_OP_CREATE_CONTAINER ||
           type == WIRE_OP_CREATE_TTL;
}

static bool op_valid(const zoo_op_t *op)
{
    if (is_create(op->type))
        return client_path_valid(op->create_op.path, mode_is_sequential(op->create_op.flags));
    switch (op->type) {
    case WIRE_OP_DELETE:
        return client_path_valid(op->delete_op.path, false);
    case WIRE_OP_SET_DATA:
        return client_path_valid(op->set_op.path, false);
    case WIRE_OP_CHECK:
        return client_path_valid(op->check_op.path, false);
    default:
        return false;
    }
}

static void put_op(struct request *q, const zoo_op_t *op)
{
    const struct wire_multi_header h = { .type = op->type, .err = -1 };
    wire_put_multi_header(q->b, &h);
    if (is_create(op->type)) {
        request_path(q, op->create_op.path);
        wire_put_buffer(q->b, request_value(op->create_op.data, op->create_op.datalen));
        request_acls(q->b, op->create_op.acl);
        wire_put_i32(q->b, op->create_op.flags);
        if (op->type == WIRE_OP_CREATE_TTL)
            wire_put_i64(q->b, op->create_op.ttl);
    } else if (op->type == WIRE_OP_SET_DATA) {
        request_path(q, op->set_op.path);
        wire_put_buffer(q->b, request_value(op->set_op.data, op->set_op.datalen));
        wire_put_i32(q->b, op->set_op.version);
    } else { /* delete and check are alike */
        request_path(q, op->delete_op.path);
        wire_put_i32(q->b, op->delete_op.version);
    }
}

static void put_end(struct buf *b)
{
    const struct wire_multi_header end = { .type = -1, .done = true, .err = -1 };
    wire_put_multi_header(b, &end);
}

/* As Apache's library: the caller's buffers are named in the results before the request is sent. */
static void prepare_result(const zoo_op_t *op, zoo_op_result_t *r)
{
    r->err = ZOK;
    r->value = is_create(op->type) ? op->create_op.buf : NULL;
    r->valuelen = is_create(op->type) ? op->create_op.buflen : 0;
    r->stat = op->type == WIRE_OP_SET_DATA ? op->set_op.stat : NULL;
}

int request_multi(zhandle_t *zh, struct multi_wait *m, const struct client_call *call)
{
    struct request q;
    if (m->count < 0 || (m->count > 0 && (m->ops == NULL || m->results == NULL)))
        return ZBADARGUMENTS;
    for (int i = 0; i < m->count; i++) {
        if (!op_valid(&m->ops[i]))
            return ZBADARGUMENTS;
    }
    int rc = request_begin(&q, zh, WIRE_OP_MULTI, call);
    if (rc != 0)
        return rc;
    for (int i = 0; i < m->count; i++) {
        prepare_result(&m->ops[i], &m->results[i]);
        put_op(&q, &m->ops[i]);
    }
    put_end(q.b);
    return request_send(&q, call, 0, NULL, NULL);
}

static void store_path(const char *path, zoo_op_result_t *r)
{
    if (path == NULL || r->value == NULL || r->valuelen <= 0)
        return;
    size_t n = strlen(path);
    if (n > (size_t)r->valuelen - 1)
        n = (size_t)r->valuelen - 1;
    memcpy(r->value, path, n);
    r->value[n] = 0;
}

int multi_answer(const struct client_done *d, struct slice chroot, struct multi_wait *m)
{
    struct client_body b = client_body_of(d->body, d->body_n, chroot);
    int first = d->rc;
    if (m->stats != NULL)
        memset(m->stats, 0, (size_t)m->count * sizeof(*m->stats));
    for (int i = 0; i < m->count; i++) {
        zoo_op_result_t *r = &m->results[i];
        struct Stat stat = { 0 };
        int32_t type, err;
        r->err = d->rc;
        if (d->rc != 0)
            continue;
        if (client_body_part(&b, &type, &err) == 0) { /* fewer parts than were asked for */
            r->err = ERR_MARSHALLING;
            first = first != 0 ? first : ERR_MARSHALLING;
            continue;
        }
        r->err = err;
        if (is_create(type))
            store_path(client_body_path(&b), r);
        if (type == WIRE_OP_SET_DATA || (is_create(type) && type != WIRE_OP_CREATE)) {
            client_body_stat(&b, &stat);
            if (r->stat != NULL)
                *r->stat = stat;
            if (m->stats != NULL)
                m->stats[i] = stat;
        }
        /* Parts that were not tried say so; the error of the request is that of the part that failed. */
        if (first == 0 && err != 0 && err != ERR_RUNTIME_INCONSISTENCY)
            first = err;
    }
    return first != 0 ? first : b.r.err;
}

static int amulti(zhandle_t *zh, int count, const zoo_op_t *ops, zoo_op_result_t *results, struct Stat *stats,
                  void_completion_t completion, const void *data)
{
    struct client_call call = call_of((void (*)(void))completion, data, SHAPE_MULTI);
    struct multi_wait *m = mem_alloc(sizeof(*m));
    *m = (struct multi_wait){ .count = count, .ops = ops, .results = results, .stats = stats };
    call.extra = m;
    int rc = request_multi(zh, m, &call);
    if (rc != 0)
        mem_free(m);
    return rc;
}

static int multi(zhandle_t *zh, int count, const zoo_op_t *ops, zoo_op_result_t *results, struct Stat *stats)
{
    struct multi_wait m = { .count = count, .ops = ops, .results = results, .stats = stats, .is_sync = true };
    struct sync_wait w = { .multi = &m };
    struct client_call call = wait_call(&w, SHAPE_MULTI);
    return wait_for(zh, &w, request_multi(zh, &m, &call));
}

int zoo_amulti(zhandle_t *zh, int count, const zoo_op_t *ops, zoo_op_result_t *results, void_completion_t completion,
               const void *data)
{
    return amulti(zh, count, ops, results, NULL, completion, data);
}

int zoo_multi(zhandle_t *zh, int count, const zoo_op_t *ops, zoo_op_result_t *results)
{
    return multi(zh, count, ops, results, NULL);
}

int zokor_amulti(zhandle_t *zh, int count, const zoo_op_t *ops, zoo_op_result_t *results, struct Stat *stats,
                 void_completion_t completion, const void *data)
{
    return amulti(zh, count, ops, results, stats, completion, data);
}

int zokor_multi(zhandle_t *zh, int count, const zoo_op_t *ops, zoo_op_result_t *results, struct Stat *stats)
{
    return multi(zh, count, ops, results, stats);
}

static int request_reads(zhandle_t *zh, int count, const struct zokor_read *reads, const struct client_call *call)
{
    struct request q;
    if (count < 0 || (count > 0 && reads == NULL))
        return ZBADARGUMENTS;
    for (int i = 0; i < count; i++) {
        if (!client_path_valid(reads[i].path, false))
            return ZBADARGUMENTS;
    }
    int rc = request_begin(&q, zh, WIRE_OP_MULTI_READ, call);
    if (rc != 0)
        return rc;
    for (int i = 0; i < count; i++) {
        const struct wire_multi_header h = { .type = reads[i].children != 0 ? WIRE_OP_GET_CHILDREN : WIRE_OP_GET_DATA,
                                             .err = -1 };
        wire_put_multi_header(q.b, &h);
        request_path(&q, reads[i].path);
        wire_put_bool(q.b, false);
    }
    put_end(q.b);
    return request_send(&q, call, 0, NULL, NULL);
}

static void copy_children(const struct String_vector *from, struct String_vector *to)
{
    if (allocate_String_vector(to, from->count) != 0)
        return;
    for (int32_t i = 0; i < from->count; i++)
        to->data[i] = from->data[i] == NULL ? NULL : strdup(from->data[i]);
}

/* With an arena the results point into the body; without one they are copies for the caller. */
int reads_answer(const struct client_done *d, struct zokor_read_result *results, int count, struct arena *arena)
{
    struct client_body b = client_body_of(d->body, d->body_n, (struct slice){ 0 });
    struct arena own;
    arena_init(&own, 4096);
    for (int i = 0; i < count; i++) {
        struct zokor_read_result *r = &results[i];
        int32_t type;
        *r = (struct zokor_read_result){ .data_len = -1 };
        if (client_body_part(&b, &type, &r->err) == 0) {
            b.r.err = r->err = ERR_MARSHALLING;
        } else if (type == WIRE_OP_GET_DATA) {
            const char *p;
            client_body_data(&b, &p, &r->data_len);
            r->data = (char *)(uintptr_t)p;
            client_body_stat(&b, &r->stat);
            if (arena == NULL && r->data_len >= 0) {
                r->data = malloc((size_t)r->data_len + 1);
                if (r->data == NULL)
                    r->err = ERR_SYSTEM;
                else
                    memcpy(r->data, p, (size_t)r->data_len);
            }
        } else if (type == WIRE_OP_GET_CHILDREN) {
            struct String_vector v;
            client_body_strings(&b, arena == NULL ? &own : arena, &v);
            if (arena == NULL)
                copy_children(&v, &r->children);
            else
                r->children = v;
        }
    }
    arena_fini(&own);
    return b.r.err;
}

void zokor_read_results_free(int count, struct zokor_read_result *results)
{
    for (int i = 0; i < count; i++) {
        free(results[i].data);
        results[i].data = NULL;
        (void)deallocate_String_vector(&results[i].children);
    }
}

int zokor_multi_read(zhandle_t *zh, int count, const struct zokor_read *reads, struct zokor_read_result *results)
{
    struct sync_wait w = { .reads = results, .read_n = count };
    struct client_call call = wait_call(&w, SHAPE_READS);
    if (count > 0 && results != NULL)
        memset(results, 0, (size_t)count * sizeof(*results));
    return wait_for(zh, &w, results == NULL && count > 0 ? ZBADARGUMENTS : request_reads(zh, count, reads, &call));
}

int zokor_amulti_read(zhandle_t *zh, int count, const struct zokor_read *reads, zokor_reads_completion_t completion,
                      const void *data)
{
    struct client_call call = call_of((void (*)(void))completion, data, SHAPE_READS);
    struct multi_wait *m = mem_alloc(sizeof(*m));
    *m = (struct multi_wait){ .count = count };
    call.extra = m;
    int rc = request_reads(zh, count, reads, &call);
    if (rc != 0)
        mem_free(m);
    return rc;
}
