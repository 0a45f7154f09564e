/* The tree beside a naive model that follows the specification word by word: a list of paths, a
 * list of watches. Random transactions go to both; every stat, list, count, digest and event must
 * agree. */
#include "base/mem.h"
#include "base/rng.h"
#include "tree/tree_test_support.h"
#include "wire/path.h"
#include <stdio.h>
#include <stdlib.h>

#define MODEL_NODES_MAX 700
#define MODEL_WATCHES_MAX 500
#define MODEL_EVENTS_MAX 4000
#define MODEL_WATCHERS 6

struct m_node {
    char path[64];
    bool used;
    char data[80];
    size_t data_n;
    bool data_null;
    int acl; /* 0 open, 1 other */
    struct wire_stat_persisted s;
    uint64_t born; /* order of creation */
};

struct m_watch {
    char path[64];
    uint32_t watcher;
    unsigned modes;
};

struct m_event {
    int32_t type;
    char path[64];
    int acl;
    unsigned told; /* bit set of watchers */
};

struct model {
    struct bench b;
    struct rng r;
    struct m_node nodes[MODEL_NODES_MAX];
    struct m_watch watches[MODEL_WATCHES_MAX];
    int watch_count;
    struct m_event events[MODEL_EVENTS_MAX];
    int event_count;
    uint64_t born;
};

static struct m_node *m_find(struct model *m, const char *path)
{
    for (int i = 0; i < MODEL_NODES_MAX; i++)
        if (m->nodes[i].used && strcmp(m->nodes[i].path, path) == 0)
            return &m->nodes[i];
    return NULL;
}

static struct m_node *m_add(struct model *m, const char *path)
{
    for (int i = 0; i < MODEL_NODES_MAX; i++) {
        struct m_node *n = &m->nodes[i];
        if (n->used)
            continue;
        *n = (struct m_node){ .used = true, .born = ++m->born };
        strcpy(n->path, path);
        return n;
    }
    fail_msg("the model is full");
    return NULL;
}

/* "" for the root, as in the tree. */
static void parent_of(const char *path, char parent[64])
{
    strcpy(parent, path);
    *strrchr(parent, '/') = 0;
}

static int m_children(struct model *m, const char *path)
{
    int count = 0;
    char parent[64];
    for (int i = 0; i < MODEL_NODES_MAX; i++) {
        if (!m->nodes[i].used || m->nodes[i].path[0] == 0)
            continue;
        parent_of(m->nodes[i].path, parent);
        count += strcmp(parent, path) == 0;
    }
    return count;
}

/* ---- watches ---- */

static const char *shown(const char *path)
{
    return path[0] == 0 ? "/" : path;
}

static unsigned m_take(struct model *m, const char *path, unsigned modes, unsigned once)
{
    unsigned told = 0;
    for (int i = 0; i < m->watch_count;) {
        struct m_watch *w = &m->watches[i];
        if (strcmp(w->path, shown(path)) == 0 && (w->modes & modes)) {
            told |= 1u << w->watcher;
            w->modes &= ~once;
        }
        if (w->modes == 0)
            *w = m->watches[--m->watch_count];
        else
            i++;
    }
    return told;
}

static unsigned m_above(struct model *m, const char *path)
{
    unsigned told = 0;
    char p[64];
    strcpy(p, path);
    while (p[0] != 0) {
        *strrchr(p, '/') = 0;
        told |= m_take(m, p, WATCH_RECURSIVE, 0);
    }
    return told;
}

static void m_fire(struct model *m, int32_t type, const struct m_node *n)
{
    unsigned told;
    if (type == WIRE_EVENT_CHILDREN_CHANGED) {
        told = m_take(m, n->path, WATCH_CHILD | WATCH_PERSISTENT, WATCH_CHILD);
    } else {
        told = m_take(m, n->path, WATCH_DATA | WATCH_PERSISTENT | WATCH_RECURSIVE, WATCH_DATA) | m_above(m, n->path);
        if (type == WIRE_EVENT_DELETED)
            told |= m_take(m, n->path, WATCH_CHILD | WATCH_PERSISTENT, WATCH_CHILD);
    }
    if (told == 0)
        return;
    struct m_event *e = &m->events[m->event_count++];
    *e = (struct m_event){ .type = type, .acl = n->acl, .told = told };
    strcpy(e->path, shown(n->path));
}

static struct m_watch *m_watch_at(struct model *m, uint32_t watcher, const char *path)
{
    for (int i = 0; i < m->watch_count; i++)
        if (m->watches[i].watcher == watcher && strcmp(m->watches[i].path, shown(path)) == 0)
            return &m->watches[i];
    return NULL;
}

/* ---- transactions ---- */

static void m_raise(const struct model *m, struct m_node *parent)
{
    parent->s.cversion++;
    parent->s.pzxid = m->b.zxid;
}

static int m_create(struct model *m, const struct txn_op *op, const char *path)
{
    char parent_path[64];
    parent_of(path, parent_path);
    struct m_node *parent = m_find(m, parent_path);
    int acl = op->acl.raw.p == m->b.acl_other.p;
    if (parent == NULL)
        return ERR_NO_NODE;
    struct m_node *n = m_find(m, path);
    if (n != NULL) {
        n->acl = acl;
        if (op->type == WIRE_OP_CREATE)
            m_raise(m, parent);
        return ERR_NODE_EXISTS;
    }
    n = m_add(m, path);
    n->acl = acl;
    n->data_n = op->data.n;
    n->data_null = op->data.p == NULL;
    if (op->data.n != 0)
        memcpy(n->data, op->data.p, op->data.n);
    n->s = (struct wire_stat_persisted){
        .czxid = m->b.zxid, .mzxid = m->b.zxid, .pzxid = m->b.zxid, .ctime = m->b.time_ms, .mtime = m->b.time_ms
    };
    n->s.ephemeral_owner = op->type == WIRE_OP_CREATE_CONTAINER ? INT64_MIN
                           : op->type == WIRE_OP_CREATE_TTL     ? (int64_t)(0xff00000000000000u | (uint64_t)op->ttl_ms)
                           : op->ephemeral                      ? m->b.session
                                                                : 0;
    m_raise(m, parent);
    m_fire(m, WIRE_EVENT_CREATED, n);
    m_fire(m, WIRE_EVENT_CHILDREN_CHANGED, parent);
    return 0;
}

static int m_delete(struct model *m, const char *path)
{
    char parent_path[64];
    parent_of(path, parent_path);
    struct m_node *parent = m_find(m, parent_path), *n = m_find(m, path);
    if (parent == NULL)
        return ERR_NO_NODE;
    if (m->b.zxid > parent->s.pzxid)
        parent->s.pzxid = m->b.zxid;
    if (n == NULL)
        return ERR_NO_NODE;
    m_fire(m, WIRE_EVENT_DELETED, n);
    n->used = false;
    m_fire(m, WIRE_EVENT_CHILDREN_CHANGED, parent);
    return 0;
}

static int m_set_data(struct model *m, const struct txn_op *op, const char *path)
{
    struct m_node *n = m_find(m, path);
    if (n == NULL)
        return ERR_NO_NODE;
    n->data_n = op->data.n;
    n->data_null = op->data.p == NULL;
    if (op->data.n != 0)
        memcpy(n->data, op->data.p, op->data.n);
    n->s.mzxid = m->b.zxid;
    n->s.mtime = m->b.time_ms;
    n->s.version = op->version;
    m_fire(m, WIRE_EVENT_DATA_CHANGED, n);
    return 0;
}

static int m_apply(struct model *m, const struct txn_op *op)
{
    char path[64];
    snprintf(path, sizeof path, "%.*s", (int)op->path.n, (const char *)op->path.p);
    struct m_node *n;
    switch (op->type) {
    case WIRE_OP_DELETE:
        return m_delete(m, path);
    case WIRE_OP_SET_DATA:
        return m_set_data(m, op, path);
    case WIRE_OP_SET_ACL:
        n = m_find(m, path);
        if (n == NULL)
            return ERR_NO_NODE;
        n->acl = op->acl.raw.p == m->b.acl_other.p;
        n->s.aversion = op->version;
        return 0;
    default:
        return m_create(m, op, path);
    }
}

static void m_close(struct model *m)
{
    for (;;) {
        struct m_node *oldest = NULL;
        for (int i = 0; i < MODEL_NODES_MAX; i++) {
            struct m_node *n = &m->nodes[i];
            if (n->used && n->s.ephemeral_owner == m->b.session && (oldest == NULL || n->born < oldest->born))
                oldest = n;
        }
        if (oldest == NULL)
            return;
        m_delete(m, oldest->path);
    }
}

/* ---- comparing ---- */

static void compare_node(struct model *m, const struct m_node *n)
{
    const struct tree *t = m->b.t;
    node_id id = tree_find(t, slice_str(n->path));
    assert_int_not_equal(id, NODE_NONE);
    struct slice data = tree_data(t, id);
    assert_int_equal(data.p == NULL, n->data_null);
    assert_true(slice_eq(data, slice_of(n->data, n->data_n)));
    struct wire_stat_persisted s = tree_stat_persisted(t, id);
    assert_true(s.czxid == n->s.czxid && s.mzxid == n->s.mzxid && s.pzxid == n->s.pzxid);
    assert_true(s.ctime == n->s.ctime && s.mtime == n->s.mtime && s.version == n->s.version);
    assert_true(s.cversion == n->s.cversion && s.aversion == n->s.aversion);
    assert_true(s.ephemeral_owner == n->s.ephemeral_owner);
    assert_int_equal(tree_child_count(t, id), m_children(m, n->path));
    if (strncmp(n->path, "/zookeeper", 10) != 0)
        assert_true(slice_eq(tree_acl(t, id).raw, buf_slice(n->acl ? &m->b.acl_other : &m->b.acl_open)));
}

static void compare_all(struct model *m)
{
    uint64_t digest = 0;
    int64_t count = 0, size = 1;
    for (int i = 0; i < MODEL_NODES_MAX; i++) {
        const struct m_node *n = &m->nodes[i];
        if (!n->used)
            continue;
        compare_node(m, n);
        count++;
        size += (int64_t)(strlen(n->path) + n->data_n);
        if (tree_digest_counts(slice_str(n->path)))
            digest += tree_digest_finish(tree_digest_prefix(slice_str(n->path), slice_of(n->data, n->data_n)), &n->s);
    }
    assert_int_equal(count, tree_node_count(m->b.t));
    assert_int_equal(size, tree_data_size(m->b.t));
    assert_true(digest == tree_digest(m->b.t));
    int64_t modes = 0;
    for (int i = 0; i < m->watch_count; i++) {
        const struct m_watch *w = &m->watches[i];
        assert_int_equal(watch_modes(m->b.t, w->watcher, slice_str(w->path)), w->modes);
        modes += __builtin_popcount(w->modes);
    }
    assert_int_equal(modes, watch_counts(m->b.t).watches);
    tree_check(m->b.t);
}

static void compare_events(struct model *m)
{
    const struct tree_applied *out = &m->b.out;
    assert_int_equal(out->event_count, m->event_count);
    for (int i = 0; i < m->event_count; i++) {
        const struct m_event *want = &m->events[i];
        const struct tree_event *have = &out->events[i];
        assert_int_equal(have->type, want->type);
        assert_slice(have->path, want->path);
        unsigned told = 0;
        for (uint32_t k = 0; k < have->watcher_count; k++) {
            assert_false(told & 1u << have->watchers[k]);
            told |= 1u << have->watchers[k];
        }
        assert_int_equal(told, want->told);
        if (strncmp(want->path, "/zookeeper", 10) != 0)
            assert_true(slice_eq(have->acl.raw, buf_slice(want->acl ? &m->b.acl_other : &m->b.acl_open)));
    }
    m->event_count = 0;
}

/* ---- random ---- */

static void random_path(struct model *m, char path[64])
{
    path[0] = 0;
    int depth = 1 + (int)rng_below(&m->r, 4);
    for (int i = 0; i < depth; i++)
        sprintf(path + strlen(path), "/%c%s", (int)('a' + rng_below(&m->r, 4)), rng_below(&m->r, 9) == 0 ? "xyz" : "");
}

static struct txn_op random_op(struct model *m, char path[64], char data[80])
{
    random_path(m, path);
    size_t n = rng_below(&m->r, 70);
    memset(data, 'a' + (int)rng_below(&m->r, 26), n);
    struct slice d = rng_below(&m->r, 12) == 0 ? (struct slice){ 0 } : slice_of(data, n);
    struct wire_vec acl = acl_of(rng_below(&m->r, 3) == 0 ? &m->b.acl_other : &m->b.acl_open);
    uint64_t kind = rng_below(&m->r, 20);
    if (kind < 5)
        return (
            struct txn_op){ .type = WIRE_OP_SET_DATA, .path = slice_str(path), .data = d, .version = (int32_t)kind };
    if (kind < 7)
        return (
            struct txn_op){ .type = WIRE_OP_SET_ACL, .path = slice_str(path), .acl = acl, .version = (int32_t)kind };
    if (kind < 11 && m_children(m, path) == 0)
        return op_delete(path);
    struct txn_op op = { .type = kind == 19   ? WIRE_OP_CREATE_CONTAINER
                                 : kind == 18 ? WIRE_OP_CREATE_TTL
                                 : kind == 17 ? WIRE_OP_CREATE2
                                              : WIRE_OP_CREATE,
                         .path = slice_str(path),
                         .data = d,
                         .acl = acl,
                         .has_parent_cversion = true,
                         .parent_cversion = -1 };
    op.ephemeral = kind == 16 || kind == 17;
    if (op.ephemeral) /* a name that no path goes through: ephemerals have no children */
        sprintf(path + strlen(path), "/E%c", (int)('a' + rng_below(&m->r, 4)));
    op.path = slice_str(path);
    if (op.type == WIRE_OP_CREATE_TTL)
        op.ttl_ms = 1000;
    return op;
}

static void random_watch(struct model *m)
{
    static const unsigned modes[] = { WATCH_DATA,
                                      WATCH_CHILD,
                                      WATCH_PERSISTENT,
                                      WATCH_RECURSIVE,
                                      WATCH_DATA | WATCH_CHILD,
                                      WATCH_PERSISTENT | WATCH_RECURSIVE };
    char path[64];
    uint32_t watcher = (uint32_t)rng_below(&m->r, MODEL_WATCHERS);
    unsigned mode = modes[rng_below(&m->r, ARRAY_COUNT(modes))];
    random_path(m, path);
    if (rng_below(&m->r, 20) == 0)
        strcpy(path, "/");
    struct m_watch *w = m_watch_at(m, watcher, path);
    uint64_t what = rng_below(&m->r, 10);
    if (what == 0) {
        watch_drop_watcher(m->b.t, watcher);
        for (int i = 0; i < m->watch_count;)
            if (m->watches[i].watcher == watcher)
                m->watches[i] = m->watches[--m->watch_count];
            else
                i++;
    } else if (what < 3) {
        unsigned had = w == NULL ? 0 : w->modes;
        assert_int_equal(watch_remove(m->b.t, watcher, slice_str(path), mode), had & mode);
        if (w != NULL && (w->modes &= ~mode) == 0)
            *w = m->watches[--m->watch_count];
    } else if (m->watch_count < MODEL_WATCHES_MAX) {
        watch_add(m->b.t, watcher, slice_str(path), mode);
        if (w == NULL) {
            w = &m->watches[m->watch_count++];
            *w = (struct m_watch){ .watcher = watcher };
            strcpy(w->path, path);
        }
        w->modes |= mode;
    }
}

/* Says that some paths come, which may not be, or may be gone when they would be fetched: nothing that can be seen may
 * change. */
static void random_expectations(struct model *m)
{
    static const char *const odd[] = { "", "/", "a", "//", "/a//b", "/a/", "/zookeeper/quota" };
    char text[TREE_EXPECT_MAX][64];
    struct slice paths[TREE_EXPECT_MAX];
    size_t n = rng_below(&m->r, TREE_EXPECT_MAX + 1);
    for (size_t i = 0; i < n; i++) {
        random_path(m, text[i]);
        paths[i] = slice_str(rng_below(&m->r, 10) == 0 ? odd[rng_below(&m->r, ARRAY_COUNT(odd))] : text[i]);
    }
    tree_expect(m->b.t, paths, n);
}

static void random_txn(struct model *m)
{
    random_expectations(m);
    char path[4][64], data[4][80];
    struct txn_op ops[4];
    m->b.session = 100 + (int64_t)rng_below(&m->r, 3);
    uint64_t kind = rng_below(&m->r, 40);
    if (kind == 0) {
        bench_apply(&m->b, (struct txn_op){ .type = WIRE_OP_CLOSE_SESSION, .paths = { -1, { 0 } } });
        m_close(m);
    } else if (kind < 4) {
        size_t n = 1 + rng_below(&m->r, 4);
        /* All of them are chosen before the first is applied, so no delete here: it might meet
         * children. */
        for (size_t i = 0; i < n; i++)
            do
                ops[i] = random_op(m, path[i], data[i]);
            while (ops[i].type == WIRE_OP_DELETE || ops[i].type == WIRE_OP_SET_ACL);
        struct tree_result *r = bench_multi(&m->b, ops, n);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(r[i].err, m_apply(m, &ops[i]));
    } else {
        ops[0] = random_op(m, path[0], data[0]);
        struct tree_result *r = bench_apply(&m->b, ops[0]);
        assert_int_equal(r->err, m_apply(m, &ops[0]));
    }
    compare_events(m);
}

static void run(uint64_t seed, int steps)
{
    struct model *m = mem_zalloc(sizeof *m);
    bench_open(&m->b);
    rng_init(&m->r, seed);
    static const char *builtin[] = { "", "/zookeeper", "/zookeeper/config", "/zookeeper/quota" };
    for (size_t i = 0; i < ARRAY_COUNT(builtin); i++)
        m_add(m, builtin[i])->s.aversion = i == 2 ? -1 : 0;
    for (int i = 0; i < steps; i++) {
        if (rng_below(&m->r, 2) == 0)
            random_watch(m);
        random_txn(m);
        if (i % 64 == 0)
            compare_all(m);
    }
    compare_all(m);
    bench_close(&m->b);
    mem_free(m);
}

static void random_histories(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++)
        run(seed, 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(random_histories) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
