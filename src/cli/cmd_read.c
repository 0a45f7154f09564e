/* Reading: ls, get, stat, getAllChildrenNumber, getEphemerals. */
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/numbers.h"
#include "cli/walk.h"
#include <inttypes.h>

/* "get path watch" of before 3.5: any word behind the path stands for -w. */
static void accept_old_watch(struct cli *c, struct cli_args *args, const char *old, const char *new)
{
    if (args->n <= 2)
        return;
    cli_complain(c, "'%s' has been deprecated. Please use '%s' instead.", old, new);
    for (size_t i = 0; args->flags[i].name != NULL; i++) {
        if (strcmp(args->flags[i].name, "w") == 0)
            args->given[i] = true;
    }
}

static void print_ls_help(struct cli *c, const struct cli_args *args)
{
    cli_print(c, "usage: ls [options] path\n");
    cli_flags_describe(args->flags, &c->out);
}

static void print_listed(struct cli *c, const char *path, void *context)
{
    (void)context;
    if (c->options.json) {
        cli_print_json(c, json_pack("{so}", "path", cli_json_text(path)));
    } else {
        cli_print_name(c, path);
        cli_print(c, "\n");
    }
    cli_flush_if_large(c);
}

static int ls_recursive(struct cli *c, const char *path, bool watch)
{
    struct reply reply;
    int rc = call_get(c, path, watch, &reply); /* as zkCli.sh: this watches the root's data */
    reply_free(&reply);
    if (rc != ZOK)
        return cli_fail_rc(c, rc, path);
    const struct walk_plan plan = { .listed = print_listed, .watch = watch };
    return walk_tree(c, path, &plan);
}

int cli_ls(struct cli *c, struct cli_args *args)
{
    if (cli_args_has(args, "?"))
        print_ls_help(c, args);
    accept_old_watch(c, args, "ls path [watch]", "ls [-w] path");
    if (args->n < 2)
        return cli_misused(c, "ls");
    const char *path = args->words[1];
    bool watch = cli_args_has(args, "w"), with_stat = cli_args_has(args, "s");
    if (cli_check_path(c, path) != 0)
        return CLI_FAILED;
    if (cli_args_has(args, "R"))
        return ls_recursive(c, path, watch);
    struct reply reply;
    int rc = call_children(c, path, watch, &reply);
    if (rc != ZOK) {
        reply_free(&reply);
        return cli_fail_rc(c, rc, path);
    }
    if (c->options.json) {
        json_t *object = json_pack("{soso}", "path", cli_json_text(path), "children", cli_json_names(&reply.names));
        if (with_stat)
            json_object_set_new(object, "stat", cli_json_stat(&reply.stat));
        cli_print_json(c, object);
    } else {
        cli_print_names(c, &reply.names);
        if (with_stat)
            cli_print_stat(c, &reply.stat);
    }
    reply_free(&reply);
    return CLI_DONE;
}

/* Java shows null as the word, whatever the format. */
static void print_data(struct cli *c, const struct cli_args *args, const char *data, size_t n)
{
    if (cli_args_has(args, "x"))
        cli_hex_dump(data, n, &c->out);
    else if (cli_args_has(args, "b"))
        cli_base64_encode(data, n, &c->out);
    else
        cli_print_text(c, data, n);
    cli_print(c, "\n");
}

int cli_get(struct cli *c, struct cli_args *args)
{
    struct reply reply;
    accept_old_watch(c, args, "get path [watch]", "get [-s] [-w] path");
    if (args->n < 2)
        return cli_misused(c, "get");
    const char *path = args->words[1];
    if (cli_check_path(c, path) != 0)
        return CLI_FAILED;
    int rc = call_get(c, path, cli_args_has(args, "w"), &reply);
    if (rc != ZOK) {
        reply_free(&reply);
        return cli_fail_rc(c, rc, path);
    }
    if (c->options.json) {
        json_t *object = json_pack("{so}", "path", cli_json_text(path));
        cli_json_data(object, reply.data, reply.data_len);
        if (cli_args_has(args, "s"))
            json_object_set_new(object, "stat", cli_json_stat(&reply.stat));
        cli_print_json(c, object);
    } else {
        if (reply.data == NULL)
            print_data(c, args, "null", 4);
        else
            print_data(c, args, reply.data, (size_t)reply.data_len);
        if (cli_args_has(args, "s"))
            cli_print_stat(c, &reply.stat);
    }
    reply_free(&reply);
    return CLI_DONE;
}

int cli_stat(struct cli *c, struct cli_args *args)
{
    struct reply reply;
    if (args->n < 2)
        return cli_misused(c, "stat");
    accept_old_watch(c, args, "stat path [watch]", "stat [-w] path");
    const char *path = args->words[1];
    if (cli_check_path(c, path) != 0)
        return CLI_FAILED;
    int rc = call_exists(c, path, cli_args_has(args, "w"), &reply);
    if (rc != ZOK)
        return cli_fail_rc(c, rc, path);
    if (c->options.json)
        cli_print_json(c, json_pack("{soso}", "path", cli_json_text(path), "stat", cli_json_stat(&reply.stat)));
    else
        cli_print_stat(c, &reply.stat);
    return CLI_DONE;
}

int cli_get_all_children_number(struct cli *c, struct cli_args *args)
{
    struct reply reply;
    if (args->n < 2)
        return cli_misused(c, "getAllChildrenNumber");
    const char *path = args->words[1];
    if (cli_check_path(c, path) != 0)
        return CLI_FAILED;
    int rc = call_all_children_number(c, path, &reply);
    if (rc != ZOK)
        return cli_fail_rc(c, rc, path);
    if (c->options.json)
        cli_print_json(c, json_pack("{sosi}", "path", cli_json_text(path), "number", reply.number));
    else
        cli_print(c, "%" PRId32 "\n", reply.number);
    return CLI_DONE;
}

int cli_get_ephemerals(struct cli *c, struct cli_args *args)
{
    struct reply reply;
    const char *prefix = args->n < 2 ? "/" : args->words[1];
    if (cli_check_path(c, prefix) != 0)
        return CLI_FAILED;
    int rc = call_ephemerals(c, prefix, &reply);
    if (rc != ZOK) {
        reply_free(&reply);
        return cli_fail_rc(c, rc, NULL);
    }
    if (c->options.json)
        cli_print_json(c, json_pack("{so}", "ephemerals", cli_json_names(&reply.names)));
    else
        cli_print_names(c, &reply.names);
    reply_free(&reply);
    return CLI_DONE;
}
