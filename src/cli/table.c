/* The commands and their options, in the order in which help shows them. Names, usage and the options' texts of those
 * that zkCli.sh has are its own: they are part of what it prints. */
#include "cli/commands.h"
#include <string.h>

static const struct cli_flag ls_flags[] = {
    { "?", false, "help", CLI_FREE },
    { "s", false, "stat", CLI_FREE },
    { "w", false, "watch", CLI_FREE },
    { "R", false, "recurse", CLI_FREE },
    { 0 },
};
static const struct cli_flag get_flags[] = {
    { "s", false, "Print znode stats additionally", CLI_FREE },
    { "w", false, "Watch for changes on the znode", CLI_FREE },
    { "b", false, "Output data in base64 format", CLI_FREE },
    { "x", false, "Output data in hexdump format", CLI_FREE },
    { 0 },
};
static const struct cli_flag stat_flags[] = { { "w", false, "watch", CLI_FREE }, { 0 } };
static const struct cli_flag create_flags[] = {
    { "e", false, "ephemeral", CLI_FREE },
    { "s", false, "sequential", CLI_FREE },
    { "c", false, "container", CLI_FREE },
    { "t", true, "ttl", CLI_FREE },
    { 0 },
};
static const struct cli_flag set_flags[] = {
    { "s", false, "Print znode stats additionally", CLI_FREE },
    { "v", true, "Set with an expected version", CLI_FREE },
    { "b", false, "Supply data in base64 format", CLI_FREE },
    { 0 },
};
static const struct cli_flag delete_flags[] = { { "v", true, "version", CLI_FREE }, { 0 } };
static const struct cli_flag deleteall_flags[] = { { "b", true, "batch size", CLI_FREE }, { 0 } };
static const struct cli_flag get_acl_flags[] = { { "s", false, "stats", CLI_FREE }, { 0 } };
static const struct cli_flag set_acl_flags[] = {
    { "s", false, "stats", CLI_FREE },
    { "v", true, "version", CLI_FREE },
    { "R", false, "recursive", CLI_FREE },
    { 0 },
};
static const struct cli_flag add_watch_flags[] = { { "m", true, "", CLI_FREE }, { 0 } };
static const struct cli_flag watch_flags[] = {
    { "n", true, "end after so many events (otherwise: at Ctrl-C)", CLI_FREE },
    { "o", false, "only this node and its list of children, not all below it", CLI_FREE },
    { 0 },
};
static const struct cli_flag remove_flags[] = {
    { "c", false, "child watcher type", CLI_FREE },
    { "d", false, "data watcher type", CLI_FREE },
    { "p", false, "persistent watcher type", CLI_FREE },
    { "r", false, "persistent recursive watcher type", CLI_FREE },
    { "a", false, "any watcher type", CLI_FREE },
    { "l", false, "remove locally when there is no server connection", CLI_FREE },
    { 0 },
};
static const struct cli_flag setquota_flags[] = {
    { "n", true, "num soft quota", CLI_NEEDED },
    { "b", true, "bytes soft quota", CLI_NEEDED },
    { "N", true, "num hard quota", CLI_NEEDED },
    { "B", true, "bytes hard quota", CLI_NEEDED },
    { 0 },
};
static const struct cli_flag delquota_flags[] = {
    { "n", false, "num soft quota", CLI_ONE_OF },
    { "b", false, "bytes soft quota", CLI_ONE_OF },
    { "N", false, "num hard quota", CLI_ONE_OF },
    { "B", false, "bytes hard quota", CLI_ONE_OF },
    { 0 },
};
static const struct cli_flag config_flags[] = {
    { "s", false, "stats", CLI_FREE },
    { "w", false, "watch", CLI_FREE },
    { "c", false, "client connection string", CLI_FREE },
    { 0 },
};
static const struct cli_flag reconfig_flags[] = {
    { "s", false, "stats", CLI_FREE },
    { "v", true, "required current config version", CLI_FREE },
    { "file", true, "path of config file to parse for membership", CLI_FREE },
    { "members", true, "comma-separated list of config strings for non-incremental reconfig", CLI_FREE },
    { "add", true, "comma-separated list of config strings for new servers", CLI_FREE },
    { "remove", true, "comma-separated list of server IDs to remove", CLI_FREE },
    { 0 },
};
static const struct cli_flag tree_flags[] = {
    { "L", true, "go down this many levels only", CLI_FREE },
    { "s", false, "show the size of the data, E for ephemeral", CLI_FREE },
    { 0 },
};
static const struct cli_flag find_flags[] = {
    { "name", true, "the last part of the path matches this pattern (* ? [a-z])", CLI_FREE },
    { "path", true, "the whole path matches this pattern", CLI_FREE },
    { "data", true, "the data contains this text", CLI_FREE },
    { "e", false, "only ephemeral nodes", CLI_FREE },
    { "L", true, "go down this many levels only", CLI_FREE },
    { "s", false, "print znode stats additionally", CLI_FREE },
    { 0 },
};
static const struct cli_flag export_flags[] = {
    { "e", false, "ephemeral nodes, too", CLI_FREE },
    { "f", false, "replace the file if there is one", CLI_FREE },
    { 0 },
};
static const struct cli_flag import_flags[] = {
    { "n", false, "change nothing, only say what would be done", CLI_FREE },
    { "u", false, "update nodes that exist: their data and ACL", CLI_FREE },
    { "k", false, "keep nodes that exist as they are", CLI_FREE },
    { "o", false, "open ACL (world:anyone:cdrwa) instead of the exported ones", CLI_FREE },
    { 0 },
};

#define RECONFIG_USAGE                                                                        \
    "[-s] [-v version] [[-file path] | [-members serverID=host:port1:port2;port3[,...]*]] | " \
    "[-add serverId=host:port1:port2;port3[,...]]* [-remove serverId[,...]*]"
#define ADD_WATCH_USAGE \
    "[-m mode] path # optional mode is one of [PERSISTENT, PERSISTENT_RECURSIVE] - default is PERSISTENT_RECURSIVE"

const struct cli_command cli_commands[] = {
    { "ls", "[-s] [-w] [-R] path", cli_ls, ls_flags, 0, "children of a node; -R: the whole subtree" },
    { "get", "[-s] [-w] [-b] [-x] path", cli_get, get_flags, CLI_LIST_FLAGS, "data of a node" },
    { "stat", "[-w] path", cli_stat, stat_flags, 0, "zxids, times, versions, sizes of a node" },
    { "getAllChildrenNumber", "path", cli_get_all_children_number, NULL, 0, "how many nodes are below a node" },
    { "getEphemerals", "path", cli_get_ephemerals, NULL, 0, "this session's ephemeral nodes below a path" },
    { "tree", "[-L levels] [-s] [path]", cli_tree, tree_flags, CLI_OURS, "draw a subtree" },
    { "find", "[-name pattern] [-path pattern] [-data text] [-e] [-L levels] [-s] [path]", cli_find, find_flags,
      CLI_OURS, "paths of nodes that match" },
    { "create", "[-s] [-e] [-c] [-t ttl] path [data] [acl]", cli_create, create_flags, 0,
      "create a node: -s sequential, -e ephemeral, -c container, -t ms to live" },
    { "set", "path data [-s] [-v version] [-b]", cli_set, set_flags, CLI_LIST_FLAGS, "set the data of a node" },
    { "delete", "[-v version] path", cli_delete, delete_flags, 0, "delete a node without children" },
    { "deleteall", "path [-b batch size]", cli_deleteall, deleteall_flags, 0, "delete a node and all below it" },
    { "export", "[-e] [-f] path [file]", cli_export, export_flags, CLI_OURS,
      "write a subtree with its ACLs to a file, or to stdout" },
    { "import", "[-n] [-u|-k] [-o] file [path]", cli_import, import_flags, CLI_OURS,
      "create an exported subtree, where it was or below path; file - is stdin" },
    { "getAcl", "[-s] path", cli_get_acl, get_acl_flags, 0, "who may do what with a node" },
    { "setAcl", "[-s] [-v version] [-R] path acl", cli_set_acl, set_acl_flags, 0,
      "acl: scheme:id:perms,...; perms of c d r w a" },
    { "addauth", "scheme auth", cli_addauth, NULL, 0, "prove who you are: addauth digest user:password" },
    { "whoami", "", cli_whoami, NULL, CLI_CRUDE_WORDS, "the ids that the server holds this connection for" },
    { "addWatch", ADD_WATCH_USAGE, cli_add_watch, add_watch_flags, 0, "a watch that stays" },
    { "watch", "[-n count] [-o] path", cli_watch, watch_flags, CLI_OURS,
      "show what happens to a subtree, as it happens" },
    { "removewatches", "path [-c|-d|-a] [-l]", cli_remove_watches, remove_flags, 0, "forget watches of a path" },
    { "printwatches", "on|off", cli_printwatches, NULL, CLI_CRUDE_WORDS, "whether events are shown" },
    { "setquota", "-n|-b|-N|-B val path", cli_setquota, setquota_flags, 0,
      "limit nodes (-n soft, -N hard) or bytes (-b, -B)" },
    { "listquota", "path", cli_listquota, NULL, 0, "limits and use of a path" },
    { "delquota", "[-n|-b|-N|-B] path", cli_delquota, delquota_flags, 0, "remove a limit, or all" },
    { "config", "[-c] [-w] [-s]", cli_config, config_flags, 0, "members of the ensemble; -c: a connect string" },
    { "reconfig", RECONFIG_USAGE, cli_reconfig, reconfig_flags, 0, "change the members of the ensemble" },
    { "sync", "path", cli_sync, NULL, 0, "let the server catch up with its leader" },
    { "connect", "host:port", cli_connect_command, NULL, CLI_CRUDE_WORDS | CLI_ALONE, "end this session, open one" },
    { "close", "", cli_close, NULL, CLI_CRUDE_WORDS, "end the session" },
    { "history", "", cli_history, NULL, CLI_CRUDE_WORDS, "the last commands, by number" },
    { "redo", "cmdno", cli_redo, NULL, CLI_CRUDE_WORDS, "run a command of the history again" },
    { "version", "", cli_version, NULL, 0, "version of this program" },
    { "help", "[command]", cli_help, NULL, CLI_OURS | CLI_CRUDE_WORDS | CLI_ALONE, "this list, or one command" },
    { "exit", "", cli_quit, NULL, CLI_OURS | CLI_CRUDE_WORDS | CLI_ALONE, "as quit" },
    { "quit", "", cli_quit, NULL, CLI_CRUDE_WORDS | CLI_ALONE, "end the session and the program" },
};
const size_t cli_commands_n = ARRAY_COUNT(cli_commands);

const struct cli_command *cli_find_command(const char *name)
{
    for (size_t i = 0; i < cli_commands_n; i++) {
        if (strcmp(cli_commands[i].name, name) == 0)
            return &cli_commands[i];
    }
    return NULL;
}

void cli_usage_text(const struct cli_command *command, struct buf *out)
{
    buf_printf(out, "%s %s", command->name, command->usage);
    if ((command->marks & (CLI_LIST_FLAGS | CLI_OURS)) == 0 || command->flags == NULL)
        return;
    buf_printf(out, "\n");
    cli_flags_describe(command->flags, out);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct cli_command *const *)a)->name, (*(const struct cli_command *const *)b)->name);
}

void cli_usage_block(struct buf *out)
{
    const struct cli_command *sorted[ARRAY_COUNT(cli_commands)];
    for (size_t i = 0; i < cli_commands_n; i++)
        sorted[i] = &cli_commands[i];
    qsort(sorted, cli_commands_n, sizeof(sorted[0]), by_name);
    buf_printf(out, "ZooKeeper -server host:port -client-configuration properties-file cmd args\n");
    for (size_t i = 0; i < cli_commands_n; i++)
        buf_printf(out, "\t%s %s\n", sorted[i]->name, sorted[i]->usage);
}
