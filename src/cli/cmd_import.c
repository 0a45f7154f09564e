/* import: an exported subtree comes back, many requests on their way at once. A file is read twice: nothing is changed
 * before all of it is known to be good; from stdin there is one reading only. */
#include "base/mem.h"
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/export.h"
#include "cli/progress.h"
#include <errno.h>
#include <inttypes.h>

enum { WINDOW = 256, ERRORS_SHOWN = 10 };

/* Shared with completions, which count under `lock`. */
struct importing {
    struct cli *c;
    const char *name, *to; /* the file; where the tree goes, NULL: where it was */
    bool dry, update, keep, open_acl;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t on_their_way;
    int64_t created, updated, kept, failed, existed, unknown, nodes; /* unknown: the server has no such nodes */
    struct buf errors;                                               /* lines that the main thread is to print */
};

/* One node on its way. */
struct node {
    struct importing *x;
    struct export_record record;
    char *path;
};

static void finish(struct node *n, int rc, int64_t *counter)
{
    struct importing *x = n->x;
    pthread_mutex_lock(&x->lock);
    x->existed += rc == ZNODEEXISTS;
    x->unknown += rc == ZUNIMPLEMENTED;
    if (rc == ZOK) {
        (*counter)++;
    } else if (x->failed++ < ERRORS_SHOWN) {
        cli_error_text(rc, n->path, &x->errors);
        buf_printf(&x->errors, "\n");
    }
    x->on_their_way--;
    pthread_cond_signal(&x->changed);
    pthread_mutex_unlock(&x->lock);
    export_record_free(&n->record);
    mem_free(n->path);
    mem_free(n);
}

static void acl_set(int rc, const void *data)
{
    struct node *n = (struct node *)data;
    finish(n, rc, &n->x->updated);
}

static void data_set(int rc, const struct Stat *stat, const void *data)
{
    struct node *n = (struct node *)data;
    (void)stat;
    if (rc == ZOK && !n->x->open_acl)
        rc = zoo_aset_acl(n->x->c->zh, n->path, -1, &n->record.acl, acl_set, n);
    else if (rc == ZOK)
        rc = zoo_aset_acl(n->x->c->zh, n->path, -1, &ZOO_OPEN_ACL_UNSAFE, acl_set, n);
    else {
        finish(n, rc, &n->x->updated);
        return;
    }
    if (rc != ZOK)
        finish(n, rc, &n->x->updated);
}

static void exists_already(struct node *n)
{
    struct importing *x = n->x;
    int rc = ZOK;
    if (x->keep) {
        finish(n, ZOK, &x->kept);
    } else if (!x->update) {
        finish(n, ZNODEEXISTS, &x->kept);
    } else if (x->dry) {
        finish(n, ZOK, &x->updated);
    } else {
        rc = zoo_aset(x->c->zh, n->path, n->record.data, n->record.data_len, -1, data_set, n);
        if (rc != ZOK)
            finish(n, rc, &x->updated);
    }
}

static void created(int rc, const char *value, const void *data)
{
    struct node *n = (struct node *)data;
    (void)value;
    if (rc == ZNODEEXISTS)
        exists_already(n);
    else
        finish(n, rc, &n->x->created);
}

static void looked(int rc, const struct Stat *stat, const void *data)
{
    struct node *n = (struct node *)data;
    (void)stat;
    if (rc == ZOK)
        exists_already(n);
    else
        finish(n, rc == ZNONODE ? ZOK : rc, &n->x->created);
}

static void print_errors(struct importing *x)
{
    struct buf errors;
    pthread_mutex_lock(&x->lock);
    errors = x->errors;
    buf_init(&x->errors, SIZE_MAX / 2);
    pthread_mutex_unlock(&x->lock);
    if (errors.n > 0)
        cli_complain(x->c, "%.*s", (int)errors.n - 1, (const char *)errors.p);
    buf_fini(&errors);
}

/* Waits until at most `most` are on their way, even after Ctrl-C: the completions use what is on the stack. */
static void wait_until(struct importing *x, size_t most)
{
    pthread_mutex_lock(&x->lock);
    while (x->on_their_way > most)
        call_wait(&x->lock, &x->changed);
    pthread_mutex_unlock(&x->lock);
    print_errors(x);
}

static void send_node(struct importing *x, struct export_record *record, char *path)
{
    struct node *n = mem_zalloc(sizeof(*n));
    *n = (struct node){ .x = x, .record = *record, .path = path };
    *record = (struct export_record){ 0 };
    pthread_mutex_lock(&x->lock);
    x->on_their_way++;
    pthread_mutex_unlock(&x->lock);
    const struct ACL_vector *acl = x->open_acl ? &ZOO_OPEN_ACL_UNSAFE : &n->record.acl;
    int mode = n->record.ttl_ms > 0 ? ZOO_PERSISTENT_WITH_TTL : n->record.container ? ZOO_CONTAINER : ZOO_PERSISTENT;
    int rc = x->dry ? zoo_aexists(x->c->zh, path, 0, looked, n)
                    : zoo_acreate_ttl(x->c->zh, path, n->record.data, n->record.data_len, acl, mode, n->record.ttl_ms,
                                      created, n);
    if (rc != ZOK)
        finish(n, rc, &x->created);
}

/* What a reading of the file carries along. */
struct reading {
    FILE *file;
    struct importing *x;
    bool send; /* the second reading */
    char *root;
    int64_t line, nodes;
    bool ended;
    struct progress_line progress;
};

static int bad_line(struct reading *r, const char *why)
{
    return cli_fail(r->x->c, "%s: line %" PRId64 ": %s", r->x->name, r->line, why);
}

static int take_node(struct reading *r, struct export_record *record)
{
    struct importing *x = r->x;
    char *path = r->root == NULL ? NULL : export_move(record->path, r->root, x->to == NULL ? r->root : x->to);
    r->nodes++;
    if (path == NULL)
        return bad_line(r, r->root == NULL ? "a node comes before the first line of an export"
                                           : "the node is not below the root that the first line names");
    if (record->acl_hidden && !x->open_acl) {
        mem_free(path);
        return bad_line(r, "the server hid this ACL from who exported it; export it again as its admin, or give -o");
    }
    if (!r->send || strcmp(path, "/") == 0) { /* the root is always there */
        mem_free(path);
        return 0;
    }
    send_node(x, record, path);
    wait_until(x, WINDOW);
    progress_update(&r->progress, r->nodes);
    return 0;
}

static int take_record(struct reading *r, struct export_record *record)
{
    if (r->ended)
        return bad_line(r, "more lines after the end of the export");
    if (record->kind == EXPORT_NODE)
        return take_node(r, record);
    if (record->kind == EXPORT_HEAD) {
        if (r->root != NULL)
            return bad_line(r, "a second beginning of an export");
        r->root = strdup(record->path);
        return 0;
    }
    r->ended = true;
    if (record->nodes == r->nodes)
        return 0;
    cli_complain(r->x->c, "%" PRId64 " nodes are announced, %" PRId64 " were there", record->nodes, r->nodes);
    return bad_line(r, "nodes are missing");
}

static int read_all(struct reading *r)
{
    struct export_record record;
    struct buf error;
    char *line = NULL;
    size_t room = 0;
    int status = CLI_DONE;
    buf_init(&error, SIZE_MAX / 2);
    progress_start(&r->progress, r->x->dry ? "looked at" : "imported", r->x->nodes);
    while (status == CLI_DONE && !cli_interrupted && getline(&line, &room, r->file) >= 0) {
        r->line++;
        if (export_read(&record, line, &error) != 0) {
            buf_append(&error, "", 1);
            status = bad_line(r, (const char *)error.p);
        } else {
            status = take_record(r, &record);
        }
        export_record_free(&record);
    }
    progress_end(&r->progress);
    if (status == CLI_DONE && cli_interrupted)
        status = cli_fail(r->x->c, "interrupted");
    if (status == CLI_DONE && !r->ended)
        status = bad_line(r, "the export ends too early: the file was cut off");
    free(line);
    free(r->root);
    r->root = NULL;
    buf_fini(&error);
    return status;
}

static int import_file(struct importing *x)
{
    bool from_stdin = strcmp(x->name, "-") == 0;
    FILE *file = from_stdin ? stdin : fopen(x->name, "re");
    if (file == NULL)
        return cli_fail(x->c, "%s: cannot be read: %s", x->name, strerror(errno));
    struct reading check = { .file = file, .x = x }, send = { .file = file, .x = x, .send = true };
    int status = from_stdin ? CLI_DONE : read_all(&check);
    if (status == CLI_DONE && !from_stdin)
        rewind(file);
    x->nodes = check.nodes;
    if (status == CLI_DONE)
        status = read_all(&send);
    wait_until(x, 0);
    if (!from_stdin)
        fclose(file);
    return status;
}

static void report(struct importing *x)
{
    const char *would = x->dry ? "would be " : "";
    if (x->c->options.json)
        cli_print_json(x->c,
                       json_pack("{sbsIsIsIsI}", "dry", x->dry, "created", (json_int_t)x->created, "updated",
                                 (json_int_t)x->updated, "kept", (json_int_t)x->kept, "failed", (json_int_t)x->failed));
    else
        cli_print(x->c, "%" PRId64 " nodes %screated, %" PRId64 " %supdated, %" PRId64 " kept, %" PRId64 " failed\n",
                  x->created, would, x->updated, would, x->kept, x->failed);
}

int cli_import(struct cli *c, struct cli_args *args)
{
    struct importing x = { .c = c,
                           .dry = cli_args_has(args, "n"),
                           .update = cli_args_has(args, "u"),
                           .keep = cli_args_has(args, "k"),
                           .open_acl = cli_args_has(args, "o") };
    if (args->n < 2)
        return cli_misused(c, "import");
    if (x.update && x.keep)
        return cli_fail(c, "-u and -k exclude each other: nodes that exist are updated, or kept");
    x.name = args->words[1];
    x.to = args->n > 2 ? args->words[2] : NULL;
    if (x.to != NULL && cli_check_path(c, x.to) != 0)
        return CLI_FAILED;
    pthread_mutex_init(&x.lock, NULL);
    pthread_cond_init(&x.changed, NULL);
    buf_init(&x.errors, SIZE_MAX / 2);
    int status = import_file(&x);
    if (x.created + x.updated + x.kept + x.failed > 0)
        report(&x);
    if (x.existed > 0)
        cli_complain(c, "nodes that exist are not touched without -u (update them) or -k (keep them)");
    if (x.unknown > 0)
        cli_complain(c, "the servers have no nodes with a time to live: they need extendedTypesEnabled=true");
    buf_fini(&x.errors);
    pthread_mutex_destroy(&x.lock);
    pthread_cond_destroy(&x.changed);
    return x.failed > 0 ? CLI_FAILED : status;
}
