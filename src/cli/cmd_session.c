/* The session and this run of the program: close, connect, quit, sync, version, history, redo. */
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/numbers.h"

int cli_close(struct cli *c, struct cli_args *args)
{
    (void)args;
    cli_disconnect(c, true);
    return cli_done(c, NULL);
}

int cli_connect_command(struct cli *c, struct cli_args *args)
{
    int status = cli_connect(c, args->n > 1 ? args->words[1] : c->host);
    return status == CLI_DONE ? cli_done(c, NULL) : status;
}

/* The program's status is that of the command before, as with zkCli.sh. */
int cli_quit(struct cli *c, struct cli_args *args)
{
    (void)args;
    cli_disconnect(c, cli_is_alive(c));
    c->leave = true;
    return c->status;
}

int cli_sync(struct cli *c, struct cli_args *args)
{
    if (args->n < 2)
        return cli_misused(c, "sync");
    const char *path = args->words[1];
    if (cli_check_path(c, path) != 0)
        return CLI_FAILED;
    int rc = call_sync(c, path);
    if (c->options.json)
        return rc == ZOK ? cli_done(c, path) : cli_fail_rc(c, rc, path);
    if (rc == ZOK)
        cli_print(c, "Sync is OK\n");
    else
        cli_print(c, "Sync has failed. rc=%d\n", rc);
    return CLI_DONE;
}

int cli_version(struct cli *c, struct cli_args *args)
{
    if (args->n > 1)
        return cli_misused(c, "version");
    if (c->options.json)
        cli_print_json(c, json_pack("{ssss}", "version", c->program->version, "compatible", c->program->compatible));
    else
        cli_print(c, "ZooKeeper CLI version: %s (zokor %s)\n", c->program->compatible, c->program->version);
    return CLI_DONE;
}

int cli_history(struct cli *c, struct cli_args *args)
{
    (void)args;
    for (size_t i = c->history_n > 11 ? c->history_n - 11 : 0; i < c->history_n; i++) {
        if (c->options.json)
            cli_print_json(c, json_pack("{sIso}", "number", (json_int_t)i, "command", cli_json_text(c->history[i])));
        else
            cli_print(c, "%zu - %s\n", i, c->history[i]);
    }
    return CLI_DONE;
}

int cli_redo(struct cli *c, struct cli_args *args)
{
    int64_t i;
    if (args->n < 2)
        return CLI_DONE; /* as zkCli.sh */
    if (cli_number(args->words[1], 10, INT64_MIN, INT64_MAX, &i) != 0)
        return cli_fail(c, "redo: '%s' is not the number of a command; history shows them", args->words[1]);
    if (i < 0 || (uint64_t)i >= c->count)
        return cli_fail(c, "Command index out of range");
    struct cli_words words = cli_words_split(c->history[i]);
    int status;
    if (strcmp(words.at[0], "redo") == 0) {
        status = cli_fail(c, "No redoing redos");
    } else {
        char *line = strdup(c->history[i]);
        free(c->history[c->count]);
        c->history[c->count] = line;
        status = cli_run_words(c, &words);
    }
    cli_words_free(&words);
    return status;
}
