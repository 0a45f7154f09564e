/* Creates: parents, protection, or setting what is there. */
#include "recipe/internal.h"
#include "base/museum.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARENTS_ROUNDS_MAX 16 /* containers may vanish while nodes are created in them */

/* The nodes in question are the namespace's, not those that the request asks for. */
static bool is_namespace(const struct op *op)
{
    return op->parents_end == strlen(op->view->name_space);
}

/* About the node that the cut path names. */
static int send_cut(struct op *op, zhandle_t *zh, bool create)
{
    char *path = recipe_text("%.*s", (int)op->parent_at, op->path);
    bool with_acl = !is_namespace(op) && (op->q.flags & ZOKOR_PARENTS_WITH_ACL) != 0;
    int mode = op->parents_plain ? ZOO_PERSISTENT : ZOO_CONTAINER;
    int rc;
    if (create) {
        pthread_mutex_lock(&op->client->lock);
        struct ACL_vector acl;
        recipe_copy_acl(with_acl ? &op->acl : &op->client->acl, &acl);
        pthread_mutex_unlock(&op->client->lock);
        rc = zoo_acreate2(zh, path, "", 0, &acl, mode, op_string_stat_done, op);
        deallocate_ACL_vector(&acl);
    } else {
        rc = zoo_aexists(zh, path, 0, op_stat_done, op);
    }
    mem_free(path);
    return rc;
}

static int send_look(struct op *op, zhandle_t *zh)
{
    return send_cut(op, zh, false);
}

static int send_make(struct op *op, zhandle_t *zh)
{
    return send_cut(op, zh, true);
}

static void made(struct op *op, int rc);

/* The cut is at a node that is there: goes on with the one below it. */
static void descend(struct op *op)
{
    if (op->parent_at >= op->parents_end) {
        if (is_namespace(op))
            atomic_store(&op->view->has_root, true);
        op->then(op);
        return;
    }
    const char *next = strchr(op->path + op->parent_at + 1, '/');
    op->parent_at = next == NULL ? op->parents_end : (size_t)(next - op->path);
    op_send(op, send_make, made);
}

static void looked(struct op *op, int rc)
{
    if (rc == ZNONODE) {
        while (op->parent_at > 0 && op->path[--op->parent_at] != '/')
            ;
        if (op->parent_at > 0)
            op_send(op, send_look, looked);
        else
            descend(op);
    } else if (rc == ZOK) {
        descend(op);
    } else {
        op_end(op, rc);
    }
}

static void made(struct op *op, int rc)
{
    if (rc == ZUNIMPLEMENTED && !op->parents_plain) {
        op->parents_plain = true;
        op_send(op, send_make, made);
    } else if (rc == ZNONODE && op->parents_rounds < PARENTS_ROUNDS_MAX) {
        parents_begin(op, op->parents_end, op->then);
    } else if (rc == ZOK || rc == ZNODEEXISTS) {
        descend(op);
    } else {
        op_end(op, rc);
    }
}

void parents_begin(struct op *op, size_t end, void (*then)(struct op *))
{
    op->parents_rounds++;
    op->parents_end = op->parent_at = end;
    op->then = then;
    op->parents_plain = op->client->plain_parents || (!is_namespace(op) && (op->q.flags & ZOKOR_PARENTS) != 0);
    if (end == 0)
        then(op);
    else
        op_send(op, send_look, looked);
}

bool parents_of_namespace(struct op *op, void (*then)(struct op *))
{
    if (op->view->name_space[0] == 0 || atomic_load(&op->view->has_root))
        return false;
    parents_begin(op, strlen(op->view->name_space), then);
    return true;
}

/* Protected creates: Curator's names, _c_<uuid>-name. */
static void protect(struct op *op)
{
    uint64_t r[2];
    recipe_randoms(r, 2);
    const uint64_t a = r[0], b = r[1];
    snprintf(op->protection, sizeof(op->protection), "_c_%08x-%04x-4%03x-%04x-%012llx-", (unsigned)(a >> 32),
             (unsigned)(a >> 16) & 0xffff, (unsigned)a & 0xfff, ((unsigned)(b >> 48) & 0x3fff) | 0x8000,
             (unsigned long long)(b & 0xffffffffffffu));
    char *old = op->path;
    const char *name = strrchr(view_strip(op->view, op->q.path), '/');
    size_t parent = (size_t)(strrchr(op->path, '/') - op->path);
    op->path = recipe_text("%.*s/%s%s", (int)parent, op->path, op->protection, name + 1);
    mem_free(old);
}

static char *parent_of(const char *path)
{
    size_t n = (size_t)(strrchr(path, '/') - path);
    return n == 0 ? recipe_copy("/") : recipe_text("%.*s", (int)n, path);
}

static int send_sync(struct op *op, zhandle_t *zh)
{
    char *parent = parent_of(op->path);
    int rc = zoo_async(zh, parent, op_string_done, op);
    mem_free(parent);
    return rc;
}

static int send_list(struct op *op, zhandle_t *zh)
{
    char *parent = parent_of(op->path);
    int rc = zoo_aget_children2(zh, parent, 0, op_strings_stat_done, op);
    mem_free(parent);
    return rc;
}

static void listed(struct op *op, int rc)
{
    mem_free(op->found);
    op->found = NULL;
    for (int32_t i = 0; rc == ZOK && i < op->result.children.count; i++) {
        const char *child = op->result.children.data[i];
        if (strncmp(child, op->protection, strlen(op->protection)) == 0 && op->found == NULL) {
            char *parent = parent_of(op->path);
            op->found = zokor_path_join(parent, child);
            mem_free(parent);
        }
    }
    deallocate_String_vector(&op->result.children);
    op->result.children = (struct String_vector){ .count = 0 };
    if (rc == ZOK || rc == ZNONODE)
        op->then(op);
    else
        op_end(op, rc);
}

static void synced(struct op *op, int rc)
{
    if (rc == ZOK || rc == ZNONODE)
        op_send(op, send_list, listed);
    else
        op_end(op, rc);
}

/* The create may have reached the leader by way of one server and the question another, which lags behind: hence the
 * sync. Requests that the old connection carried cannot come later than the new one's. */
void protected_find(struct op *op, void (*then)(struct op *))
{
    op->then = then;
    op_send(op, send_sync, synced);
}

static int send_create(struct op *op, zhandle_t *zh)
{
    const struct zokor_request *q = &op->q;
    if (q->mode == ZOO_PERSISTENT_WITH_TTL || q->mode == ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL)
        return zoo_acreate2_ttl(zh, op->path, op->sending, op->sending_len, &op->acl, q->mode, q->ttl_ms,
                                op_string_stat_done, op);
    return zoo_acreate2(zh, op->path, op->sending, op->sending_len, &op->acl, q->mode, op_string_stat_done, op);
}

static int send_set(struct op *op, zhandle_t *zh)
{
    return zoo_aset(zh, op->path, op->sending, op->sending_len, op->q.version, op_stat_done, op);
}

static int send_get(struct op *op, zhandle_t *zh)
{
    return zoo_aget(zh, op->path, 0, op_data_done, op);
}

static void try_create(struct op *op);

static void was_set(struct op *op, int rc)
{
    if (rc == ZNONODE)
        try_create(op);
    else
        op_end(op, rc);
}

/* An earlier try of ours made it, if the data is ours. */
static void compared(struct op *op, int rc)
{
    bool same = rc == ZOK && op_data_is_own(op);
    mem_free(op->result.data);
    op->result.data = NULL;
    op->result.data_len = -1;
    op_end(op, rc != ZOK ? rc : same ? ZOK : ZNODEEXISTS);
}

static void created(struct op *op, int rc)
{
    bool parents = (op->q.flags & (ZOKOR_PARENTS | ZOKOR_CONTAINER_PARENTS)) != 0;
    if (rc == ZOK) {
        op->result.path = recipe_copy(view_strip(op->view, op->found));
        op_finish(op, ZOK);
    } else if (rc == ZNONODE && parents && op->parents_rounds < PARENTS_ROUNDS_MAX) {
        parents_begin(op, (size_t)(strrchr(op->path, '/') - op->path), try_create);
    } else if (rc == ZNODEEXISTS && (op->q.flags & ZOKOR_OR_SET) != 0) {
        op_send(op, send_set, was_set);
    } else if (rc == ZNODEEXISTS && (op->q.flags & ZOKOR_IDEMPOTENT) != 0 && op->lost) {
        op_send(op, send_get, compared);
    } else {
        op->lost = op->lost || zokor_is_retryable(rc);
        op_end(op, rc);
    }
}

static void try_create(struct op *op)
{
    op_send(op, send_create, created);
}

static int send_look_at_found(struct op *op, zhandle_t *zh)
{
    return zoo_aexists(zh, op->found, 0, op_stat_done, op);
}

static int send_delete_found(struct op *op, zhandle_t *zh)
{
    return zoo_adelete(zh, op->found, -1, op_void_done, op);
}

static void deleted_found(struct op *op, int rc)
{
    if (rc != ZOK && rc != ZNONODE) {
        op_end(op, rc);
        return;
    }
    op->lost = false;
    try_create(op);
}

/* An ephemeral node of a session that is over is not ours any more, whatever its name: it may vanish at any moment. */
static void judged(struct op *op, int rc)
{
    int64_t owner = op->result.stat.ephemeralOwner;
    if (rc == ZNONODE)
        try_create(op);
    else if (rc == ZOK && owner != 0 && owner != zokor_framework_session_id(op->view))
        op_send(op, send_delete_found, deleted_found);
    else
        created(op, rc);
}

static void judge(struct op *op)
{
    if (op->found != NULL)
        op_send(op, send_look_at_found, judged);
    else
        try_create(op);
}

void create_begin(struct op *op)
{
    bool is_protected = (op->q.flags & ZOKOR_PROTECTED) != 0;
    if (is_protected && op->protection[0] == 0)
        protect(op);
    if (is_protected && op->lost && !SIM_BUG(recipe_create_forgotten))
        protected_find(op, judge);
    else if (!parents_of_namespace(op, try_create))
        try_create(op);
}

/* As Curator: the caller is told that it failed, so nothing of it shall remain. */
void create_given_up(const struct op *op)
{
    if (op->protection[0] == 0 || !op->lost)
        return;
    const struct zokor_retry retry = zokor_retry_forever(1000);
    const struct zokor_request q = {
        .operation = ZOKOR_DELETE, .flags = ZOKOR_QUIETLY, .path = op->q.path, .retry = &retry
    };
    op_start_cleaning(op, &q);
}
