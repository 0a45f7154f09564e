#include "sim/model.h"
#include "base/digest.h"
#include "base/hash.h"
#include "base/mem.h"
#include <stdio.h>

#define NAME_BYTES_MAX 256

enum undo_kind { UNDO_CREATED, UNDO_DELETED, UNDO_DATA, UNDO_ACL, UNDO_STAT };

struct model_undo {
    enum undo_kind kind;
    struct model_node *node;
    uint8_t *bytes;
    size_t n;
    int32_t count;
    struct wire_stat_persisted stat;
};

/* ---- nodes ---- */

static uint64_t hash_of(struct slice path)
{
    return hash_slice(0x5eed, path);
}

struct model_node *model_find(const struct model *m, struct slice path)
{
    uint64_t hash = hash_of(path);
    for (struct model_node *n = m->buckets[hash & (m->bucket_count - 1)]; n != NULL; n = n->hash_next)
        if (n->hash == hash && slice_eq_str(path, n->path))
            return n;
    return NULL;
}

static uint32_t node_digest(const struct model_node *n)
{
    if (strncmp(n->path, "/zookeeper/", 11) == 0)
        return 0;
    uint8_t b[60];
    const struct wire_stat_persisted *s = &n->stat;
    const int64_t longs[] = { s->czxid, s->mzxid, s->pzxid, s->ctime, s->mtime };
    for (int i = 0; i < 5; i++)
        store_be64(b + i * 8, (uint64_t)longs[i]);
    store_be32(b + 40, (uint32_t)s->version);
    store_be32(b + 44, (uint32_t)s->cversion);
    store_be32(b + 48, (uint32_t)s->aversion);
    store_be64(b + 52, (uint64_t)s->ephemeral_owner);
    uint32_t crc = n->parent == NULL ? 0 : digest_crc32(0, n->path, strlen(n->path));
    if (n->data_n != 0)
        crc = digest_crc32(crc, n->data, n->data_n);
    return digest_crc32(crc, b, sizeof b);
}

static void hash_insert(struct model *m, struct model_node *n)
{
    struct model_node **at = &m->buckets[n->hash & (m->bucket_count - 1)];
    n->hash_next = *at;
    *at = n;
    m->node_count++;
}

static void hash_remove(struct model *m, struct model_node *n)
{
    struct model_node **at = &m->buckets[n->hash & (m->bucket_count - 1)];
    while (*at != n)
        at = &(*at)->hash_next;
    *at = n->hash_next;
    m->node_count--;
}

static void child_insert(struct model_node *parent, struct model_node *n)
{
    n->parent = parent;
    n->next = parent->child_first;
    if (n->next != NULL)
        n->next->link = &n->next;
    n->link = &parent->child_first;
    parent->child_first = n;
    parent->children++;
}

static void child_remove(struct model_node *n)
{
    *n->link = n->next;
    if (n->next != NULL)
        n->next->link = n->link;
    n->parent->children--;
}

static uint8_t *bytes_dup(const void *p, size_t n)
{
    uint8_t *copy = mem_alloc(n + 1);
    if (n != 0)
        memcpy(copy, p, n);
    copy[n] = 0;
    return copy;
}

static struct model_node *node_new(struct model *m, struct model_node *parent, struct slice path)
{
    struct model_node *n = mem_zalloc(sizeof *n);
    n->path = (char *)bytes_dup(path.p, path.n);
    n->hash = hash_of(path);
    if (parent != NULL)
        child_insert(parent, n);
    hash_insert(m, n);
    return n;
}

static void node_free(struct model_node *n)
{
    mem_free(n->path);
    mem_free(n->data);
    mem_free(n->acl);
    mem_free(n);
}

static void set_data(struct model_node *n, struct slice data)
{
    n->data = slice_is_null(data) ? NULL : bytes_dup(data.p, data.n);
    n->data_n = data.n;
}

static struct slice parent_of(struct slice path)
{
    size_t n = path.n;
    while (n > 1 && path.p[n - 1] != '/')
        n--;
    return slice_of(path.p, n > 1 ? n - 1 : 1);
}

static bool is_ephemeral(const struct model_node *n)
{
    int64_t owner = n->stat.ephemeral_owner;
    return owner != 0 && owner != WIRE_OWNER_CONTAINER && (owner & WIRE_OWNER_TTL_MASK) != WIRE_OWNER_TTL_MASK;
}

struct wire_stat model_stat(const struct model_node *n)
{
    const struct wire_stat_persisted *s = &n->stat;
    return (struct wire_stat){
        .czxid = s->czxid,
        .mzxid = s->mzxid,
        .ctime = s->ctime,
        .mtime = s->mtime,
        .version = s->version,
        .cversion = 2 * s->cversion - n->children,
        .aversion = s->aversion,
        .ephemeral_owner = is_ephemeral(n) ? s->ephemeral_owner : 0,
        .data_length = (int32_t)n->data_n,
        .num_children = n->children,
        .pzxid = s->pzxid,
    };
}

/* ---- the model ---- */

static struct model_node *system_node(struct model *m, struct model_node *parent, const char *path)
{
    struct model_node *n = node_new(m, parent, slice_str(path));
    struct buf b;
    buf_init(&b, 1000);
    wire_put_acl(&b, (struct wire_acl){ WIRE_PERM_ALL, { slice_str("world"), slice_str("anyone") } });
    n->acl = bytes_dup(b.p, b.n);
    n->acl_n = b.n;
    n->acl_count = 1;
    set_data(n, slice_str(""));
    buf_fini(&b);
    return n;
}

void model_init(struct model *m)
{
    *m = (struct model){ .bucket_count = 4096 };
    m->buckets = mem_zalloc(m->bucket_count * sizeof(struct model_node *));
    buf_init(&m->reply, 16u << 20);
    m->root = system_node(m, NULL, "/");
    struct model_node *zookeeper = system_node(m, m->root, "/zookeeper");
    (void)system_node(m, zookeeper, "/zookeeper/config");
    (void)system_node(m, zookeeper, "/zookeeper/quota");
    m->digest = (uint64_t)node_digest(m->root) + node_digest(zookeeper);
}

void model_fini(struct model *m)
{
    model_settle(m);
    for (size_t i = 0; i < m->bucket_count; i++) {
        for (struct model_node *n = m->buckets[i], *next; n != NULL; n = next) {
            next = n->hash_next;
            node_free(n);
        }
    }
    mem_free(m->buckets);
    mem_free(m->sessions);
    mem_free(m->ended);
    model_quotas_fini(m);
    mem_free(m->events);
    mem_free(m->undo);
    buf_fini(&m->reply);
}

const struct model_session *model_session(const struct model *m, int64_t id)
{
    for (size_t i = 0; i < m->session_count; i++)
        if (m->sessions[i].id == id)
            return &m->sessions[i];
    return NULL;
}

/* ---- events and what a failed multi takes back ---- */

static void add_event(struct model *m, int32_t type, struct model_node *n)
{
    if (m->event_count == m->event_cap) {
        m->event_cap = m->event_cap == 0 ? 16 : m->event_cap * 2;
        m->events = mem_realloc(m->events, m->event_cap * sizeof *m->events);
    }
    m->events[m->event_count++] = (struct model_event){ .type = type, .node = n };
}

static struct model_undo *add_undo(struct model *m, enum undo_kind kind, struct model_node *n)
{
    if (m->undo_count == m->undo_cap) {
        m->undo_cap = m->undo_cap == 0 ? 16 : m->undo_cap * 2;
        m->undo = mem_realloc(m->undo, m->undo_cap * sizeof *m->undo);
    }
    m->undo[m->undo_count] = (struct model_undo){ .kind = kind, .node = n, .stat = n->stat };
    return &m->undo[m->undo_count++];
}

static void take_back(struct model *m)
{
    m->event_count = 0;
    while (m->undo_count != 0) {
        struct model_undo *u = &m->undo[--m->undo_count];
        struct model_node *n = u->node;
        switch (u->kind) {
        case UNDO_CREATED:
            m->digest -= node_digest(n);
            child_remove(n);
            hash_remove(m, n);
            node_free(n);
            break;
        case UNDO_DELETED:
            child_insert(n->parent, n);
            hash_insert(m, n);
            m->digest += node_digest(n);
            break;
        case UNDO_DATA:
            m->digest -= node_digest(n);
            mem_free(n->data);
            n->data = u->bytes;
            n->data_n = u->n;
            n->stat = u->stat;
            m->digest += node_digest(n);
            break;
        case UNDO_ACL: /* has no place in a multi */
        case UNDO_STAT:
            m->digest -= node_digest(n);
            n->stat = u->stat;
            m->digest += node_digest(n);
            break;
        }
    }
}

void model_settle(struct model *m)
{
    for (size_t i = 0; i < m->undo_count; i++) {
        mem_free(m->undo[i].bytes);
        if (m->undo[i].kind == UNDO_DELETED)
            node_free(m->undo[i].node);
    }
    m->undo_count = 0;
    m->event_count = 0;
}

/* ---- changes ---- */

static void stat_changes(struct model *m, struct model_node *n)
{
    (void)add_undo(m, UNDO_STAT, n);
    m->digest -= node_digest(n);
}

static void stat_changed(struct model *m, const struct model_node *n)
{
    m->digest += node_digest(n);
}

static void remove_node(struct model *m, struct model_node *n)
{
    struct model_node *parent = n->parent;
    (void)add_undo(m, UNDO_DELETED, n);
    m->digest -= node_digest(n);
    child_remove(n);
    hash_remove(m, n);
    stat_changes(m, parent);
    parent->stat.pzxid = m->zxid;
    stat_changed(m, parent);
    add_event(m, WIRE_EVENT_DELETED, n);
    add_event(m, WIRE_EVENT_CHILDREN_CHANGED, parent);
}

struct create {
    int32_t op, flags;
    struct slice path, data;
    struct wire_vec acl;
    int64_t ttl_ms;
};

static bool read_create(int32_t op, struct wire_reader *r, struct create *q)
{
    *q = (struct create){ .op = op };
    q->path = wire_get_ustring(r);
    q->data = wire_get_buffer(r);
    q->acl = wire_get_acls(r);
    q->flags = wire_get_i32(r);
    if (op == WIRE_OP_CREATE_TTL)
        q->ttl_ms = wire_get_i64(r);
    return r->err == 0 && !slice_is_null(q->path);
}

/* The stored owner, or 1 for a mistake in flags or ttl. */
static int64_t owner_of(const struct model_caller *who, const struct create *q)
{
    bool ttl = q->flags == WIRE_CREATE_TTL || q->flags == WIRE_CREATE_TTL_SEQUENTIAL;
    if (q->flags < 0 || q->flags > 6 || ttl != (q->op == WIRE_OP_CREATE_TTL))
        return 1;
    if (ttl)
        return q->ttl_ms <= 0 || q->ttl_ms > WIRE_TTL_MS_MAX ? 1 : (WIRE_OWNER_TTL_MASK | q->ttl_ms);
    if (q->flags == WIRE_CREATE_CONTAINER || q->op == WIRE_OP_CREATE_CONTAINER)
        return WIRE_OWNER_CONTAINER;
    return q->flags == WIRE_CREATE_EPHEMERAL || q->flags == WIRE_CREATE_EPHEMERAL_SEQUENTIAL ? who->session_id : 0;
}

static int32_t make_node(struct model *m, const struct model_caller *who, const struct create *q,
                         struct model_node **out)
{
    char name[NAME_BYTES_MAX];
    struct buf acl;
    int32_t acl_count = 0;
    int64_t owner = owner_of(who, q);
    if (owner == 1)
        return ERR_BAD_ARGUMENTS;
    buf_init(&acl, 1 << 20);
    int32_t err = model_fix_acl(who, q->acl, &acl, &acl_count);
    struct model_node *parent = err == 0 ? model_find(m, parent_of(q->path)) : NULL;
    bool sequential = q->flags == WIRE_CREATE_SEQUENTIAL || q->flags == WIRE_CREATE_EPHEMERAL_SEQUENTIAL ||
                      q->flags == WIRE_CREATE_TTL_SEQUENTIAL;
    if (err == 0 && parent == NULL)
        err = ERR_NO_NODE;
    if (err == 0 && !model_allows(parent, who, WIRE_PERM_CREATE))
        err = ERR_NO_AUTH;
    struct slice path = q->path;
    if (err == 0 && sequential) {
        int n =
            snprintf(name, sizeof name, "%.*s%010d", (int)q->path.n, (const char *)q->path.p, parent->stat.cversion);
        path = slice_of(name, (size_t)n);
    }
    if (err == 0 && model_find(m, path) != NULL)
        err = ERR_NODE_EXISTS;
    if (err == 0 && is_ephemeral(parent))
        err = ERR_NO_CHILDREN_FOR_EPHEMERALS;
    if (err == 0 && model_quota_refuses(m, path, 1, (int64_t)q->data.n))
        err = ERR_QUOTA_EXCEEDED;
    if (err == 0) {
        stat_changes(m, parent);
        parent->stat.cversion++;
        parent->stat.pzxid = m->zxid;
        stat_changed(m, parent);
        struct model_node *n = node_new(m, parent, path);
        set_data(n, q->data);
        n->acl = bytes_dup(acl.p, acl.n);
        n->acl_n = acl.n;
        n->acl_count = acl_count;
        n->stat = (struct wire_stat_persisted){ .czxid = m->zxid,
                                                .mzxid = m->zxid,
                                                .pzxid = m->zxid,
                                                .ctime = m->time_ms,
                                                .mtime = m->time_ms,
                                                .ephemeral_owner = owner };
        m->digest += node_digest(n);
        (void)add_undo(m, UNDO_CREATED, n);
        add_event(m, WIRE_EVENT_CREATED, n);
        add_event(m, WIRE_EVENT_CHILDREN_CHANGED, parent);
        *out = n;
    }
    buf_fini(&acl);
    return err;
}

static int32_t delete_node(struct model *m, const struct model_caller *who, const struct wire_path_version_request *q)
{
    if (slice_eq_str(q->path, "/") || slice_eq_str(q->path, "/zookeeper"))
        return ERR_BAD_ARGUMENTS;
    struct model_node *parent = model_find(m, parent_of(q->path)), *n = model_find(m, q->path);
    if (parent == NULL)
        return ERR_NO_NODE;
    if (!model_allows(parent, who, WIRE_PERM_DELETE))
        return ERR_NO_AUTH;
    if (n == NULL)
        return ERR_NO_NODE;
    if (q->version != -1 && q->version != n->stat.version)
        return ERR_BAD_VERSION;
    if (n->children != 0)
        return ERR_NOT_EMPTY;
    remove_node(m, n);
    return 0;
}

static int32_t change_data(struct model *m, const struct model_caller *who, const struct wire_set_data_request *q,
                           struct model_node **out)
{
    struct model_node *n = model_find(m, q->path);
    if (n == NULL)
        return ERR_NO_NODE;
    if (!model_allows(n, who, WIRE_PERM_WRITE))
        return ERR_NO_AUTH;
    if (model_quota_refuses(m, q->path, 0, (int64_t)q->data.n - (int64_t)n->data_n))
        return ERR_QUOTA_EXCEEDED;
    if (q->version != -1 && q->version != n->stat.version)
        return ERR_BAD_VERSION;
    struct model_undo *u = add_undo(m, UNDO_DATA, n);
    u->bytes = n->data;
    u->n = n->data_n;
    m->digest -= node_digest(n);
    set_data(n, q->data);
    n->stat.version++;
    n->stat.mzxid = m->zxid;
    n->stat.mtime = m->time_ms;
    m->digest += node_digest(n);
    add_event(m, WIRE_EVENT_DATA_CHANGED, n);
    *out = n;
    return 0;
}

static int32_t change_acl(struct model *m, const struct model_caller *who, const struct wire_set_acl_request *q,
                          struct model_node **out)
{
    struct buf acl;
    int32_t count = 0;
    buf_init(&acl, 1 << 20);
    int32_t err = model_fix_acl(who, q->acl, &acl, &count);
    struct model_node *n = model_find(m, q->path);
    if (err == 0 && n == NULL)
        err = ERR_NO_NODE;
    if (err == 0 && !model_allows(n, who, WIRE_PERM_ADMIN))
        err = ERR_NO_AUTH;
    if (err == 0 && q->version != -1 && q->version != n->stat.aversion)
        err = ERR_BAD_VERSION;
    if (err == 0) {
        add_undo(m, UNDO_ACL, n)->bytes = n->acl;
        n->acl = bytes_dup(acl.p, acl.n);
        n->acl_n = acl.n;
        n->acl_count = count;
        m->digest -= node_digest(n);
        n->stat.aversion++;
        m->digest += node_digest(n);
        *out = n;
    }
    buf_fini(&acl);
    return err;
}

static int32_t check_node(struct model *m, const struct model_caller *who, const struct wire_path_version_request *q)
{
    struct model_node *n = model_find(m, q->path);
    if (n == NULL)
        return ERR_NO_NODE;
    if (!model_allows(n, who, WIRE_PERM_READ))
        return ERR_NO_AUTH;
    return q->version != -1 && q->version != n->stat.version ? ERR_BAD_VERSION : 0;
}

/* ---- one operation ---- */

/* Where its answer is put: path, stat, or both. */
static void put_made(struct buf *b, const struct model_node *n, bool path, bool stat)
{
    if (path)
        wire_put_ustring(b, slice_str(n->path));
    if (stat)
        wire_put_stat(b, model_stat(n));
}

static int32_t one(struct model *m, const struct model_caller *who, int32_t op, struct wire_reader *r, struct buf *b)
{
    struct model_node *n = NULL;
    int32_t err;
    switch (op) {
    case WIRE_OP_CREATE:
    case WIRE_OP_CREATE2:
    case WIRE_OP_CREATE_CONTAINER:
    case WIRE_OP_CREATE_TTL: {
        struct create q;
        if (!read_create(op, r, &q))
            return ERR_MARSHALLING;
        err = make_node(m, who, &q, &n);
        if (err == 0)
            put_made(b, n, true, op != WIRE_OP_CREATE);
        return err;
    }
    case WIRE_OP_DELETE: {
        struct wire_path_version_request q = wire_get_path_version_request(r);
        return r->err != 0 ? ERR_MARSHALLING : delete_node(m, who, &q);
    }
    case WIRE_OP_CHECK: {
        struct wire_path_version_request q = wire_get_path_version_request(r);
        return r->err != 0 ? ERR_MARSHALLING : check_node(m, who, &q);
    }
    case WIRE_OP_SET_DATA: {
        struct wire_set_data_request q = wire_get_set_data_request(r);
        err = r->err != 0 ? ERR_MARSHALLING : change_data(m, who, &q, &n);
        break;
    }
    case WIRE_OP_SET_ACL: {
        struct wire_set_acl_request q = wire_get_set_acl_request(r);
        err = r->err != 0 ? ERR_MARSHALLING : change_acl(m, who, &q, &n);
        break;
    }
    default:
        return ERR_UNIMPLEMENTED;
    }
    if (err == 0)
        put_made(b, n, false, true);
    return err;
}

/* ---- multi ---- */

static bool multi_is_readable(struct wire_reader r, int32_t *count)
{
    for (*count = 0;; (*count)++) {
        struct wire_multi_header h = wire_get_multi_header(&r);
        if (r.err != 0 || h.done)
            return r.err == 0;
        struct create q;
        switch (h.type) {
        case WIRE_OP_CREATE:
        case WIRE_OP_CREATE2:
        case WIRE_OP_CREATE_CONTAINER:
        case WIRE_OP_CREATE_TTL:
            if (!read_create(h.type, &r, &q) || q.flags < 0 || q.flags > 6)
                return false;
            break;
        case WIRE_OP_DELETE:
        case WIRE_OP_CHECK:
            (void)wire_get_path_version_request(&r);
            break;
        case WIRE_OP_SET_DATA:
            (void)wire_get_set_data_request(&r);
            break;
        default:
            return false;
        }
    }
}

static void put_result_header(struct buf *b, int32_t type, bool done, int32_t err)
{
    wire_put_multi_header(b, &(struct wire_multi_header){ type, done, err });
}

static int32_t multi(struct model *m, const struct model_caller *who, struct wire_reader r, int32_t *failed)
{
    int32_t count, err = 0, at = 0;
    if (!multi_is_readable(r, &count))
        return ERR_MARSHALLING;
    for (; at < count && err == 0; at++) {
        struct wire_multi_header h = wire_get_multi_header(&r);
        size_t before = m->reply.n;
        m->op_at = at;
        bool made = h.type == WIRE_OP_CREATE_CONTAINER || h.type == WIRE_OP_CREATE_TTL;
        put_result_header(&m->reply, made ? WIRE_OP_CREATE2 : h.type, false, 0);
        err = one(m, who, h.type, &r, &m->reply);
        if (err != 0)
            m->reply.n = before;
    }
    if (err != 0) {
        take_back(m);
        buf_reset(&m->reply);
        for (int32_t i = 0; i < count; i++) {
            int32_t e = i < at - 1 ? 0 : i == at - 1 ? err : ERR_RUNTIME_INCONSISTENCY;
            put_result_header(&m->reply, WIRE_OP_ERROR, false, e);
            wire_put_i32(&m->reply, e);
        }
        *failed = err;
    }
    put_result_header(&m->reply, WIRE_OP_ERROR, true, -1);
    for (size_t i = 0; i < m->event_count; i++)
        m->events[i].by_multi = true;
    return 0;
}

bool model_is_readable(int32_t op, struct slice record)
{
    int32_t count;
    return op != WIRE_OP_MULTI || multi_is_readable(wire_reader_of(record), &count);
}

int32_t model_write(struct model *m, const struct model_caller *who, int32_t op, struct slice record, int64_t zxid,
                    int64_t time_ms)
{
    m->zxid = zxid;
    m->time_ms = time_ms;
    buf_reset(&m->reply);
    if (model_session(m, who->session_id) == NULL && (!m->local_sessions || m->said_expired))
        return ERR_SESSION_EXPIRED;
    struct wire_reader r = wire_reader_of(record);
    int32_t failed = 0;
    m->op_at = 0;
    int32_t err = op == WIRE_OP_MULTI ? multi(m, who, r, &failed) : one(m, who, op, &r, &m->reply);
    if (err != 0)
        buf_reset(&m->reply);
    return err;
}

/* ---- what servers do ---- */

void model_open_session(struct model *m, int64_t session_id, int32_t timeout_ms, int64_t zxid)
{
    m->zxid = zxid;
    if (model_session(m, session_id) != NULL)
        return;
    if (m->session_count == m->session_cap) {
        m->session_cap = m->session_cap == 0 ? 16 : m->session_cap * 2;
        m->sessions = mem_realloc(m->sessions, m->session_cap * sizeof *m->sessions);
    }
    m->sessions[m->session_count++] = (struct model_session){ session_id, timeout_ms };
}

bool model_session_lives(const struct model *m, int64_t id)
{
    if (model_session(m, id) != NULL)
        return true;
    for (size_t i = m->ended_count; i-- > 0;)
        if (m->ended[i] == id)
            return false;
    return m->local_sessions;
}

static size_t count_owned(const struct model *m, int64_t session_id)
{
    size_t count = 0;
    for (size_t i = 0; i < m->bucket_count; i++)
        for (const struct model_node *n = m->buckets[i]; n != NULL; n = n->hash_next)
            count += n->stat.ephemeral_owner == session_id;
    return count;
}

bool model_close_session(struct model *m, int64_t session_id, struct wire_vec paths, int64_t zxid)
{
    m->zxid = zxid;
    buf_reset(&m->reply);
    for (size_t i = 0; i < m->session_count; i++)
        if (m->sessions[i].id == session_id)
            m->sessions[i--] = m->sessions[--m->session_count];
    if (m->ended_count == m->ended_cap) {
        m->ended_cap = m->ended_cap == 0 ? 64 : m->ended_cap * 2;
        m->ended = mem_realloc(m->ended, m->ended_cap * sizeof *m->ended);
    }
    m->ended[m->ended_count++] = session_id;
    struct wire_reader r = wire_vec_reader(paths);
    for (int32_t i = 0; i < paths.count; i++) {
        struct model_node *n = model_find(m, wire_get_ustring(&r));
        if (n == NULL || n->stat.ephemeral_owner != session_id)
            return false;
        remove_node(m, n);
    }
    for (size_t i = 0; i < m->event_count; i++)
        m->events[i].by_close = true;
    return count_owned(m, session_id) == 0;
}

bool model_reap(struct model *m, struct slice path, int64_t zxid, int64_t time_ms)
{
    m->zxid = zxid;
    struct model_node *n = model_find(m, path);
    if (n == NULL || n->children != 0)
        return false;
    bool container = n->stat.ephemeral_owner == WIRE_OWNER_CONTAINER;
    if (n->stat.ephemeral_owner == 0 || is_ephemeral(n) || (container && n->stat.cversion == 0))
        return false;
    if (!container && time_ms - n->stat.mtime <= (n->stat.ephemeral_owner & WIRE_TTL_MS_MAX))
        return false;
    remove_node(m, n);
    return true;
}
