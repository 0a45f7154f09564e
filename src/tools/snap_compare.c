/* zokor snap compare: Apache's SnapshotComparer (3.8.0 was watched), layer by layer. */
#include "base/mem.h"
#include "tools/snap_internal.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

struct entry {
    char *path;                 /* "" for the root */
    int64_t bytes, descendants; /* of the node and below it; below it */
};

struct layer {
    struct entry *at;
    size_t count, cap;
};

struct side {
    struct layer *layers;
    size_t depth_max, cap;
    size_t *open; /* the index of the node that is open in each layer */
    int64_t nodes, bytes;
};

struct compare {
    const struct snap_context *c;
    const struct snap_compare *how;
    struct side left, right;
    size_t depth_max;
};

static void side_enter(void *ctx, node_id n, struct slice path, unsigned depth, int32_t children)
{
    struct side *s = ctx;
    (void)n;
    (void)children;
    if (depth == s->cap) {
        s->cap = s->cap == 0 ? 16 : s->cap * 2;
        s->layers = mem_realloc(s->layers, s->cap * sizeof *s->layers);
        s->open = mem_realloc(s->open, s->cap * sizeof *s->open);
    }
    if (depth == s->depth_max) {
        s->layers[depth] = (struct layer){ 0 };
        s->depth_max++;
    }
    struct layer *l = &s->layers[depth];
    if (l->count == l->cap) {
        l->cap = l->cap == 0 ? 8 : l->cap * 2;
        l->at = mem_realloc(l->at, l->cap * sizeof *l->at);
    }
    size_t bytes = depth == 0 ? 0 : path.n;
    char *copy = mem_alloc(bytes + 1);
    memcpy(copy, path.p, bytes);
    copy[bytes] = '\0';
    s->open[depth] = l->count;
    l->at[l->count++] = (struct entry){ .path = copy };
}

static void side_leave(void *ctx, node_id n, unsigned depth, int32_t children, uint64_t nodes, uint64_t bytes)
{
    struct side *s = ctx;
    struct entry *e = &s->layers[depth].at[s->open[depth]];
    (void)n;
    (void)children;
    e->bytes = (int64_t)bytes;
    e->descendants = (int64_t)nodes - 1;
    if (depth == 0) {
        s->nodes = (int64_t)nodes;
        s->bytes = (int64_t)bytes;
    }
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

static void side_fini(struct side *s)
{
    for (size_t d = 0; d < s->depth_max; d++) {
        for (size_t i = 0; i < s->layers[d].count; i++)
            mem_free(s->layers[d].at[i].path);
        mem_free(s->layers[d].at);
    }
    mem_free(s->layers);
    mem_free(s->open);
}

static double seconds_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int side_load(const struct snap_context *c, const char *name, struct side *s)
{
    struct tree *tree;
    struct snapshot_info info;
    double start = seconds_now();
    if (snap_load(c, name, &tree, &info) < 0)
        return 1;
    double loaded = seconds_now();
    fprintf(c->out, "Deserialized snapshot in %s in %f seconds\n", file_base(name), loaded - start);
    snap_walk(tree, NODE_ROOT, &(struct snap_visitor){ .enter = side_enter, .leave = side_leave, .ctx = s });
    tree_free(tree);
    for (size_t d = 0; d < s->depth_max; d++)
        qsort(s->layers[d].at, s->layers[d].count, sizeof *s->layers[d].at, by_path);
    fprintf(c->out, "Processed data tree in %f seconds\n", seconds_now() - loaded);
    return 0;
}

static void side_print(const struct snap_context *c, const struct side *s)
{
    fprintf(c->out, "Node count: %" PRId64 "\nTotal size: %" PRId64 "\nMax depth: %zu\n", s->nodes, s->bytes,
            s->depth_max);
    for (size_t d = 0; d < s->depth_max; d++)
        fprintf(c->out, "Count of nodes at depth %zu: %zu\n", d, s->layers[d].count);
    fprintf(c->out, "\n");
}

static void print_one(const struct compare *c, const struct entry *e, const char *side)
{
    if (e->bytes > c->how->bytes_min || e->descendants > c->how->nodes_min)
        fprintf(c->c->out,
                "Node %s found only in %s tree. Descendant size: %" PRId64 ". Descendant count: %" PRId64 "\n", e->path,
                side, e->bytes, e->descendants);
    else if (c->how->debug || c->how->interactive)
        fprintf(c->c->out, "Filtered %s node %s of size %" PRId64 "\n", side, e->path, e->bytes);
}

static void print_both(const struct compare *c, const struct entry *l, const struct entry *r)
{
    int64_t bytes = r->bytes - l->bytes, nodes = r->descendants - l->descendants;
    if (llabs(bytes) > c->how->bytes_min || llabs(nodes) > c->how->nodes_min)
        fprintf(c->c->out, "Node %s found in both trees. Delta: %" PRId64 " bytes, %" PRId64 " descendants\n", l->path,
                bytes, nodes);
    else if (c->how->debug || c->how->interactive)
        fprintf(c->c->out, "Filtered node %s of left size %" PRId64 ", right size %" PRId64 "\n", l->path, l->bytes,
                r->bytes);
}

static void compare_lists(const struct compare *c, const struct layer *l, const struct layer *r)
{
    size_t i = 0, k = 0;
    while (i < l->count || k < r->count) {
        int order = i == l->count ? 1 : k == r->count ? -1 : strcmp(l->at[i].path, r->at[k].path);
        if (c->how->debug && i < l->count && k < r->count) {
            fprintf(c->c->out, "Comparing %s to %s\n%s\n", l->at[i].path, r->at[k].path,
                    order < 0   ? "left is less"
                    : order > 0 ? "right is less"
                                : "same");
        }
        if (order < 0)
            print_one(c, &l->at[i], "left");
        else if (order > 0)
            print_one(c, &r->at[k], "right");
        else
            print_both(c, &l->at[i], &r->at[k]);
        i += order <= 0;
        k += order >= 0;
    }
}

static const struct layer *layer_of(const struct side *s, size_t depth)
{
    static const struct layer none;
    return depth < s->depth_max ? &s->layers[depth] : &none;
}

static void compare_depth(const struct compare *c, size_t depth)
{
    fprintf(c->c->out, "Analysis for depth %zu\n", depth);
    compare_lists(c, layer_of(&c->left, depth), layer_of(&c->right, depth));
}

static bool side_has(const struct side *s, size_t depth, const char *path)
{
    const struct layer *l = layer_of(s, depth);
    struct entry key = { .path = (char *)(uintptr_t)path };
    return l->count > 0 && bsearch(&key, l->at, l->count, sizeof *l->at, by_path) != NULL;
}

/* The children of a node: those of the next layer whose paths begin with its own. */
static struct layer children_of(const struct side *s, size_t depth, const char *path)
{
    const struct layer *l = layer_of(s, depth + 1);
    size_t n = strlen(path), from = 0, to;
    while (from < l->count && !(strncmp(l->at[from].path, path, n) == 0 && l->at[from].path[n] == '/'))
        from++;
    for (to = from; to < l->count && strncmp(l->at[to].path, path, n) == 0 && l->at[to].path[n] == '/';)
        to++;
    return (struct layer){ .at = l->at + from, .count = to - from };
}

static void compare_below(const struct compare *c, const char *path)
{
    size_t depth = 0;
    fprintf(c->c->out, "Analysis for node %s\n", path);
    if (strcmp(path, "/") == 0)
        path = "";
    for (const char *p = path; *p != '\0'; p++)
        depth += *p == '/';
    if (!side_has(&c->left, depth, path) && !side_has(&c->right, depth, path)) {
        fprintf(c->c->out, "Path %s is neither found in left tree nor right tree.\n", path);
        return;
    }
    struct layer l = children_of(&c->left, depth, path), r = children_of(&c->right, depth, path);
    compare_lists(c, &l, &r);
}

static void print_thresholds(const struct compare *c)
{
    fprintf(c->c->out,
            "Printing analysis for nodes difference larger than %" PRId64 " bytes or node count difference larger than "
            "%" PRId64 ".\n",
            c->how->bytes_min, c->how->nodes_min);
}

/* One answer of the user: what to look at next. */
static void take_answer(const struct compare *c, char *answer, size_t *depth)
{
    char *end;
    if (*answer == '\0') {
        compare_depth(c, *depth);
        ++*depth;
    } else if (*answer == '/') {
        compare_below(c, answer);
    } else {
        errno = 0;
        long wanted = strtol(answer, &end, 10);
        if (*end != '\0' || errno != 0) {
            fprintf(
                c->c->out,
                "Input %s is not valid. Depth must be in range [0, %zu]. Path must be an absolute path which starts "
                "with '/'.\n",
                answer, c->depth_max - 1);
        } else if (wanted < 0 || (size_t)wanted >= c->depth_max) {
            fprintf(c->c->out, "Depth must be in range [0, %zu]\n", c->depth_max - 1);
            return;
        } else {
            *depth = (size_t)wanted;
            compare_depth(c, *depth);
        }
    }
    fprintf(c->c->out, "\n");
}

static void compare_interactive(const struct compare *c)
{
    char *answer = NULL;
    size_t cap = 0;
    for (size_t depth = 0; depth < c->depth_max;) {
        fprintf(c->c->out,
                "Current depth is %zu\n"
                "- Press enter to move to print current depth layer;\n"
                "- Type a number to jump to and print all nodes at a given depth;\n"
                "- Enter an ABSOLUTE path to print the immediate subtree of a node. Path must start with '/'.\n",
                depth);
        fflush(c->c->out);
        ssize_t n = getline(&answer, &cap, c->c->in);
        if (n < 0)
            break;
        if (n > 0 && answer[n - 1] == '\n')
            answer[n - 1] = '\0';
        print_thresholds(c);
        take_answer(c, answer, &depth);
    }
    free(answer); /* getline's own */
}

int snap_compare(const struct snap_context *c, const struct snap_compare *how)
{
    struct compare cmp = { .c = c, .how = how };
    fprintf(c->out, "Successfully parsed options!\n");
    int status = side_load(c, how->left, &cmp.left);
    if (status == 0)
        status = side_load(c, how->right, &cmp.right);
    if (status == 0) {
        side_print(c, &cmp.left);
        side_print(c, &cmp.right);
        cmp.depth_max = cmp.left.depth_max > cmp.right.depth_max ? cmp.left.depth_max : cmp.right.depth_max;
        if (how->interactive) {
            compare_interactive(&cmp);
        } else {
            print_thresholds(&cmp);
            for (size_t depth = 0; depth < cmp.depth_max; depth++)
                compare_depth(&cmp, depth);
        }
        fprintf(c->out, "All layers compared.\n");
    }
    side_fini(&cmp.left);
    side_fini(&cmp.right);
    return status;
}
