/* Looking at subtrees: tree, find. */
#include "base/mem.h"
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/paths.h"
#include "cli/walk.h"
#include <fnmatch.h>
#include <langinfo.h>
#include <limits.h>

/* Where a command of ours works: its path, or the root. NULL if it is no path (told). */
static const char *take_root(struct cli *c, const struct cli_args *args)
{
    const char *path = args->n > 1 ? args->words[1] : "/";
    return cli_check_path(c, path) == 0 ? path : NULL;
}

struct drawing {
    bool sizes, utf8;
    bool *last; /* by depth: no sibling follows, so that no line goes down */
    size_t room;
    size_t nodes, denied;
};

static void draw_branches(struct cli *c, struct drawing *d, const struct walk_node *node)
{
    if (node->depth >= d->room) {
        d->room = node->depth * 2 + 16;
        d->last = mem_realloc(d->last, d->room * sizeof(*d->last));
    }
    d->last[node->depth] = node->last;
    cli_color(c, "2");
    for (size_t i = 1; i < node->depth; i++)
        cli_print(c, "%s", d->last[i] ? "    " : d->utf8 ? "│   " : "|   ");
    if (node->depth > 0)
        cli_print(c, "%s", d->utf8 ? node->last ? "└── " : "├── " : node->last ? "`-- " : "|-- ");
    cli_color(c, NULL);
}

static int draw(struct cli *c, const struct walk_node *node, void *context)
{
    struct drawing *d = context;
    d->nodes++;
    draw_branches(c, d, node);
    cli_color(c, node->stat.ephemeralOwner != 0 ? "35" : node->stat.numChildren > 0 ? "1;34" : "0");
    cli_print_name(c, node->depth == 0 ? node->path : cli_path_name(node->path));
    cli_color(c, NULL);
    if (node->rc != ZOK) {
        d->denied++;
        cli_print(c, " (");
        cli_keeper_text(node->rc, NULL, &c->out);
        cli_print(c, ")");
    } else if (d->sizes) {
        cli_print(c, " [%d]%s", node->stat.dataLength, node->stat.ephemeralOwner != 0 ? " E" : "");
    }
    cli_print(c, "\n");
    cli_flush_if_large(c);
    return node->rc == ZOK || node->rc == ZNOAUTH ? WALK_ON : WALK_STOP;
}

static int draw_json(struct cli *c, const struct walk_node *node, void *context)
{
    struct drawing *d = context;
    json_t *object = json_pack("{sosi}", "path", cli_json_text(node->path), "depth", (int)node->depth);
    if (node->rc == ZOK) {
        json_object_set_new(object, "dataLength", json_integer(node->stat.dataLength));
        json_object_set_new(object, "numChildren", json_integer(node->stat.numChildren));
        json_object_set_new(object, "ephemeral", json_boolean(node->stat.ephemeralOwner != 0));
    } else {
        d->denied++;
        json_object_set_new(object, "code", json_integer(node->rc));
    }
    cli_print_json(c, object);
    cli_flush_if_large(c);
    return node->rc == ZOK || node->rc == ZNOAUTH ? WALK_ON : WALK_STOP;
}

int cli_tree(struct cli *c, struct cli_args *args)
{
    struct drawing d = { .sizes = cli_args_has(args, "s"), .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0 };
    int64_t levels;
    const char *root = take_root(c, args);
    if (root == NULL || cli_take_number(c, args, "L", 1, INT_MAX, 0, &levels) != 0)
        return CLI_FAILED;
    const struct walk_plan plan = { .entered = c->options.json ? draw_json : draw,
                                    .context = &d,
                                    .depth_max = (size_t)levels };
    struct reply reply;
    int rc = call_exists(c, root, false, &reply);
    if (rc != ZOK)
        return cli_fail_rc(c, rc, root);
    int status = walk_tree(c, root, &plan);
    if (status == CLI_DONE && !c->options.json)
        cli_print(c, "\n%zu node%s\n", d.nodes, d.nodes == 1 ? "" : "s");
    mem_free(d.last);
    return d.denied > 0 ? CLI_FAILED : status;
}

struct finding {
    const char *name, *path, *data;
    bool ephemeral, with_stat;
    size_t denied;
};

static bool matches(const struct finding *f, const struct walk_node *node)
{
    if (f->ephemeral && node->stat.ephemeralOwner == 0)
        return false;
    if (f->name != NULL && fnmatch(f->name, cli_path_name(node->path), 0) != 0)
        return false;
    if (f->path != NULL && fnmatch(f->path, node->path, 0) != 0)
        return false;
    if (f->data == NULL)
        return true;
    return node->data != NULL && memmem(node->data, (size_t)node->data_len, f->data, strlen(f->data)) != NULL;
}

static int test_node(struct cli *c, const struct walk_node *node, void *context)
{
    struct finding *f = context;
    bool blind = f->data != NULL && node->data_rc != ZOK && node->data_rc != ZNONODE;
    if (node->rc != ZOK || blind) {
        f->denied++;
        cli_fail_rc(c, node->rc != ZOK ? node->rc : node->data_rc, node->path);
    }
    if (node->rc != ZOK && node->rc != ZNOAUTH)
        return WALK_STOP;
    if (!matches(f, node))
        return WALK_ON;
    if (c->options.json) {
        json_t *object = json_pack("{so}", "path", cli_json_text(node->path));
        if (f->with_stat && node->rc == ZOK)
            json_object_set_new(object, "stat", cli_json_stat(&node->stat));
        cli_print_json(c, object);
    } else {
        cli_print_name(c, node->path);
        cli_print(c, "\n");
        if (f->with_stat && node->rc == ZOK)
            cli_print_stat(c, &node->stat);
    }
    cli_flush_if_large(c);
    return WALK_ON;
}

int cli_find(struct cli *c, struct cli_args *args)
{
    struct finding f = { .name = cli_args_value(args, "name"),
                         .path = cli_args_value(args, "path"),
                         .data = cli_args_value(args, "data"),
                         .ephemeral = cli_args_has(args, "e"),
                         .with_stat = cli_args_has(args, "s") };
    int64_t levels;
    const char *root = take_root(c, args);
    if (root == NULL || cli_take_number(c, args, "L", 1, INT_MAX, 0, &levels) != 0)
        return CLI_FAILED;
    const struct walk_plan plan = {
        .entered = test_node, .context = &f, .with_data = f.data != NULL, .depth_max = (size_t)levels
    };
    int status = walk_tree(c, root, &plan);
    return f.denied > 0 ? CLI_FAILED : status;
}
