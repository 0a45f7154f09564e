/* help: what zokor cli --help and the command help say. */
#include "cli/commands.h"

void cli_print_help(void)
{
    printf("usage: zokor cli [OPTIONS] [COMMAND [ARGUMENTS]]\n\n"
           "Talks to ZooKeeper servers, Apache's or ours, with the commands and options of zkCli.sh. Without a command "
           "it\n"
           "reads them: with a prompt and Tab completion on a terminal, one a line otherwise.\n\n"
           "options:\n"
           "  -server LIST                 host:port,host:port/path (default: localhost:2181)\n"
           "  -timeout MS                  session timeout (default: 30000)\n"
           "  -r                           a server without a quorum will do, read only\n"
           "  -waitforconnection           fail if there is no connection within the timeout\n"
           "  -client-configuration FILE   Java properties: TLS and SASL (docs/cli.md), zookeeper.request.timeout\n"
           "  --jaas FILE                  log in by SASL, with the section Client of a JAAS file\n"
           "  --sasl-section NAME          or with this one\n"
           "  --auth SCHEME:AUTH           prove who you are first: digest:user:password, or digest:@FILE\n"
           "  --json                       results and errors as one JSON object a line\n"
           "  -q, --quiet                  no greeting and no events of the session, results alone\n"
           "  --color auto|never|always    default: on a terminal, unless NO_COLOR is set\n"
           "  --log off|warn|info|debug    the client library's log, on stderr\n\n"
           "commands (help COMMAND in the prompt says more):\n");
    for (size_t i = 0; i < cli_commands_n; i++)
        printf("  %-22s %s\n", cli_commands[i].name, cli_commands[i].summary);
    printf(
        "\n"
        "examples:\n"
        "  zokor cli                                    a prompt on localhost:2181\n"
        "  zokor cli -server zk1:2181 get -s /app       one command\n"
        "  zokor cli -q get /app > app.conf             the data alone\n"
        "  zokor cli --json ls /app | jq .children      for scripts\n"
        "  zokor cli export /app app.json               a subtree with its ACLs\n"
        "  zokor cli -server new:2181 import app.json   and into another ensemble\n\n"
        "Exit status: that of the last command: 0 done, 1 failed, 127 unknown command; 2: the client configuration is\n"
        "not usable. Results are on stdout, errors and \"Created ...\" on stderr, as with zkCli.sh.\n");
}

static int help_one(struct cli *c, const char *name)
{
    const struct cli_command *command = cli_find_command(name);
    if (command == NULL)
        return cli_fail(c, "there is no command '%s'; help lists them", name);
    cli_print(c, "%s %s\n\n  %s\n", command->name, command->usage, command->summary);
    if (command->flags != NULL) {
        cli_print(c, "\n");
        cli_flags_describe(command->flags, &c->out);
    }
    return CLI_DONE;
}

int cli_help(struct cli *c, struct cli_args *args)
{
    if (args->n > 1)
        return help_one(c, args->words[1]);
    for (size_t i = 0; i < cli_commands_n; i++) {
        cli_color(c, "1");
        cli_print(c, "  %-22s", cli_commands[i].name);
        cli_color(c, NULL);
        cli_print(c, " %s\n", cli_commands[i].summary);
    }
    cli_print(c, "\nWords in quotes ('...' or \"...\") are one. help COMMAND shows its options.\n");
    return CLI_DONE;
}
