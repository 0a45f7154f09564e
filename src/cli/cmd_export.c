/* export: a subtree as a file, or on stdout. A file appears whole or not at all. */
#include "base/mem.h"
#include "cli/acl.h"
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/export.h"
#include "cli/progress.h"
#include "cli/walk.h"
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

struct exporting {
    FILE *file; /* NULL: stdout */
    bool ephemerals;
    int64_t nodes, left_out, hidden, failed;
    struct buf line;
    struct progress_line progress;
};

static bool put(struct cli *c, struct exporting *x)
{
    bool well = true;
    if (x->file != NULL) {
        well = fwrite(x->line.p, 1, x->line.n, x->file) == x->line.n;
    } else {
        buf_append(&c->out, x->line.p, x->line.n);
        cli_flush_if_large(c);
    }
    buf_reset(&x->line);
    return well;
}

static bool has_hidden(const struct ACL_vector *acl)
{
    for (int32_t i = 0; i < acl->count; i++) {
        if (cli_acl_is_hidden(&acl->data[i]))
            return true;
    }
    return false;
}

static int export_node(struct cli *c, const struct walk_node *node, void *context)
{
    struct exporting *x = context;
    int rc = node->rc != ZOK ? node->rc : node->data_rc != ZOK ? node->data_rc : node->acl_rc;
    if (rc == ZNONODE && node->depth > 0)
        return WALK_SKIP; /* deleted meanwhile */
    if (strcmp(node->path, "/zookeeper") == 0 && node->depth > 0)
        return WALK_SKIP; /* the server's own */
    if (rc != ZOK) {
        progress_end(&x->progress);
        cli_fail_rc(c, rc, node->path);
        x->failed++;
        return rc == ZNOAUTH ? WALK_SKIP : WALK_STOP;
    }
    if (node->stat.ephemeralOwner != 0 && !x->ephemerals) {
        x->left_out++;
        return WALK_SKIP;
    }
    export_put_node(&x->line, node->path, node->data, node->data_len, node->acl, node->stat.ephemeralOwner != 0);
    x->hidden += has_hidden(node->acl);
    progress_update(&x->progress, ++x->nodes);
    if (put(c, x))
        return WALK_ON;
    cli_complain(c, "export: the file cannot be written: %s", strerror(errno));
    return WALK_STOP;
}

static void report(struct cli *c, const struct exporting *x)
{
    if (x->hidden > 0)
        cli_complain(c,
                     "the server hides the digests of %" PRId64
                     " ACLs from who may not change them; such nodes cannot be "
                     "imported with their ACL: addauth as their admin first",
                     x->hidden);
    if (x->left_out > 0)
        cli_complain(c, "%" PRId64 " ephemeral nodes are left out (-e takes them, too)", x->left_out);
    if (x->failed > 0 && x->nodes > 0)
        cli_complain(c, "%" PRId64 " nodes could not be read; what is below them is missing", x->failed);
}

static int64_t count_nodes(struct cli *c, const char *path)
{
    struct reply reply;
    return isatty(STDERR_FILENO) && call_all_children_number(c, path, &reply) == ZOK ? reply.number + 1 : 0;
}

static int export_to(struct cli *c, const char *path, struct exporting *x)
{
    const struct walk_plan plan = { .entered = export_node, .context = x, .with_data = true, .with_acl = true };
    progress_start(&x->progress, "exported", count_nodes(c, path));
    export_put_head(&x->line, path);
    bool well = put(c, x);
    int status = walk_tree(c, path, &plan);
    progress_end(&x->progress);
    if (status == CLI_DONE && x->nodes > 0) {
        export_put_end(&x->line, x->nodes);
        well = put(c, x) && well;
    } else {
        status = CLI_FAILED;
    }
    return well ? status : CLI_FAILED;
}

/* Writes beside the file and gives it its name at the end. */
static int export_to_file(struct cli *c, const char *path, const char *name, bool replace, struct exporting *x)
{
    struct buf part;
    buf_init(&part, SIZE_MAX / 2);
    buf_printf(&part, "%s.part", name);
    buf_append(&part, "", 1);
    const char *part_name = (const char *)part.p;
    int status = CLI_FAILED;
    if (!replace && access(name, F_OK) == 0) {
        cli_complain(c, "%s: there is such a file; -f replaces it", name);
        goto out;
    }
    x->file = fopen(part_name, "we");
    if (x->file == NULL) {
        cli_complain(c, "%s: cannot be written: %s", part_name, strerror(errno));
        goto out;
    }
    status = export_to(c, path, x);
    bool written = fflush(x->file) == 0 && fsync(fileno(x->file)) == 0;
    written = fclose(x->file) == 0 && written;
    if (status == CLI_DONE && (!written || rename(part_name, name) != 0))
        status = cli_fail(c, "%s: cannot be written: %s", name, strerror(errno));
    if (status != CLI_DONE)
        unlink(part_name);
out:
    buf_fini(&part);
    return status;
}

int cli_export(struct cli *c, struct cli_args *args)
{
    struct exporting x = { .ephemerals = cli_args_has(args, "e") };
    if (args->n < 2)
        return cli_misused(c, "export");
    const char *path = args->words[1], *name = args->n > 2 ? args->words[2] : "-";
    if (cli_check_path(c, path) != 0)
        return CLI_FAILED;
    buf_init(&x.line, SIZE_MAX / 2);
    bool to_file = strcmp(name, "-") != 0;
    int status = to_file ? export_to_file(c, path, name, cli_args_has(args, "f"), &x) : export_to(c, path, &x);
    buf_fini(&x.line);
    report(c, &x);
    if (status != CLI_DONE || !to_file)
        return x.failed > 0 ? CLI_FAILED : status;
    if (c->options.json)
        cli_print_json(c, json_pack("{sssI}", "file", name, "nodes", (json_int_t)x.nodes));
    else
        cli_print(c, "exported %" PRId64 " nodes to %s\n", x.nodes, name);
    return x.failed > 0 ? CLI_FAILED : CLI_DONE;
}
