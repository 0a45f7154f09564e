/* zokor snap export --for-import: a subtree as `import` of `zokor cli` reads it (the format is that of cli/export.h). A
 * snapshot knows what servers do not tell their clients: which nodes are containers, and which have a time to live. */
#include "base/err.h"
#include "tools/snap_internal.h"
#include "tools/text.h"
#include <inttypes.h>

#define HELD_BYTES (1u << 16)

struct subtree {
    const struct snap_context *c;
    const struct tree *t;
    struct buf out;
    struct slice root;
    int64_t nodes, ephemerals;
};

static bool is_at_or_below(struct slice path, const char *top)
{
    size_t n = strlen(top);
    return path.n >= n && memcmp(path.p, top, n) == 0 && (path.n == n || path.p[n] == '/');
}

static void put_id(struct buf *b, struct wire_acl a)
{
    static const char letters[] = "rwcda", order[] = "cdrwa";
    struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    buf_append(&text, a.id.scheme.p, a.id.scheme.n);
    buf_append(&text, ":", 1);
    buf_append(&text, a.id.id.p, a.id.id.n);
    buf_append(&text, ":", 1);
    for (const char *one = order; *one != '\0'; one++) {
        if ((a.perms & 1 << (strchr(letters, *one) - letters)) != 0)
            buf_append(&text, one, 1);
    }
    text_put_json(b, buf_slice(&text));
    buf_fini(&text);
}

/* A node without a list is open to anyone, as one with that list. */
static void put_acl(struct buf *b, struct wire_vec acl)
{
    if (acl.count <= 0) {
        buf_printf(b, ",\"acl\":[\"world:anyone:cdrwa\"]");
        return;
    }
    struct wire_reader r = wire_vec_reader(acl);
    buf_printf(b, ",\"acl\":[");
    for (int32_t i = 0; i < acl.count; i++) {
        if (i > 0)
            buf_append(b, ",", 1);
        put_id(b, wire_get_acl(&r));
    }
    buf_append(b, "]", 1);
}

static void put_node(void *ctx, node_id n, struct slice path, unsigned depth, int32_t children)
{
    struct subtree *s = ctx;
    struct buf *b = &s->out;
    int64_t owner = tree_stat_persisted(s->t, n).ephemeral_owner;
    struct slice data = tree_data(s->t, n);
    bool ttl = (owner & WIRE_OWNER_TTL_MASK) == WIRE_OWNER_TTL_MASK;
    (void)depth;
    (void)children;
    if (is_at_or_below(path, "/zookeeper") && s->root.n == 1)
        return; /* the server's own */
    if (owner != 0 && owner != WIRE_OWNER_CONTAINER && !ttl) {
        s->ephemerals++;
        return;
    }
    buf_printf(b, "{\"path\":");
    text_put_json(b, path);
    buf_printf(b, slice_is_null(data) ? ",\"data\":" : ",\"base64\":");
    text_put_json_base64(b, data);
    put_acl(b, tree_acl(s->t, n));
    if (ttl)
        buf_printf(b, ",\"ttl_ms\":%" PRId64, (int64_t)(owner & WIRE_TTL_MS_MAX));
    else if (owner == WIRE_OWNER_CONTAINER)
        buf_printf(b, ",\"container\":true");
    buf_printf(b, "}\n");
    s->nodes++;
    if (b->n > HELD_BYTES)
        snap_flush(s->c, b);
}

int snap_export_subtree(const struct snap_context *c, const char *name, const char *path)
{
    struct tree *tree;
    struct snapshot_info info;
    struct subtree s = { .c = c, .root = slice_str(path == NULL ? "/" : path) };
    if (snap_load(c, name, &tree, &info) < 0)
        return 1;
    node_id top = tree_find(tree, s.root);
    if (top == NODE_NONE) {
        fprintf(c->err, "zokor: %s: there is no node %s in it\n", name, path);
        tree_free(tree);
        return 1;
    }
    s.t = tree;
    buf_init(&s.out, SIZE_MAX / 2);
    buf_printf(&s.out, "{\"zokor-export\":1,\"root\":");
    text_put_json(&s.out, s.root);
    buf_printf(&s.out, "}\n");
    snap_walk(tree, top, &(struct snap_visitor){ .enter = put_node, .ctx = &s });
    buf_printf(&s.out, "{\"end\":true,\"nodes\":%" PRId64 "}\n", s.nodes);
    snap_flush(c, &s.out);
    if (s.ephemerals > 0)
        fprintf(c->err, "zokor: %" PRId64 " ephemeral nodes are left out\n", s.ephemerals);
    buf_fini(&s.out);
    tree_free(tree);
    return 0;
}
