/* zokor log: reading, judging and repairing transaction logs. */
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/logging.h"
#include "os/process.h"
#include "tools/log_tools.h"
#include "tools/files.h"
#include "tools/progress.h"
#include "tools/text.h"
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help_text[] =
    "usage: zokor log show FILE|DIR ... [--json] [--path P] [--session S] [--type T] [--from ZXID] [--to ZXID]\n"
    "       zokor log follow FILE|DIR [--from ZXID] [the same choices]     what is there, then what comes\n"
    "       zokor log verify FILE|DIR ... [--snapshots DIR]                would a server start with these files?\n"
    "       zokor log repair FILE [-y] [-v] [--lost fill|cut] [--replace]  write FILE.fixed\n"
    "       zokor log trim FILE [--to ZXID] [--replace]                    write trimmed-FILE without zeros at its "
    "end\n"
    "       zokor log toolkit [-dhrvyc] FILE [-z ZXID]                     as Apache's zkTxnLogToolkit.sh\n"
    "\n"
    "Transaction logs (log.ZXID in dataLogDir/version-2) of this server and of Apache's hold every change, one record\n"
    "each. A data directory stands for the logs in it. Nothing is changed in a log itself; a running server is not\n"
    "disturbed by show, follow and verify.\n"
    "\n"
    "examples:\n"
    "  zokor log show /var/lib/zookeeper --path /app --from 0x100000000   who changed /app in this epoch?\n"
    "  zokor log show log.1 --json | jq 'select(.type == \"delete\")'       (jq: apt-get install jq)\n"
    "  zokor log follow /var/lib/zookeeper --session 0x100001005e70000    watch a client work\n"
    "  zokor log verify /var/lib/zookeeper                                before a start, after a crash, of a backup\n"
    "\n"
    "show and follow:\n"
    "  --json         one object a line; data is base64\n"
    "  --path P       what touches the node P or one below it\n"
    "  --session S    what this session (hexadecimal) did\n"
    "  --type T       create, create2, createTTL, createContainer, delete, deleteContainer, setData, setACL, multi,\n"
    "                 reconfig, error, createSession or closeSession\n"
    "  --from, --to   zxids, both included: 0x1f or 1f. follow without --from begins behind what is there now.\n"
    "\n"
    "repair: a damaged length or end byte is restored where the checksum proves it. You are asked about a single byte\n"
    "that, changed, makes a checksum fit, and about records with a wrong checksum that read as transactions, as by\n"
    "Apache's tool; -y says yes. What is lost altogether leaves a gap, over which no server starts: --lost fill puts\n"
    "records that change nothing there and keeps what is behind, --lost cut ends the log before it. Of an ensemble,\n"
    "rather stop the member, move its data directory away and start it: it takes everything from the others.\n"
    "  -v             print every record\n"
    "  --replace      put the new file in the place of the old one, which becomes damaged-NAME (trim: "
    "untrimmed-NAME);\n"
    "                 the server must be stopped\n"
    "trim: writes what is valid, without preallocated zeros and, with --to, without records above a zxid. What is\n"
    "trimmed off by --to is lost: snapshots above it must go, too.\n"
    "\n"
    "Exit status: 0 done and undamaged, 1 damaged or failed, 2 wrong arguments.\n";

struct arguments {
    struct log_select select;
    struct log_repair repair;
    const char *snap_dir;
    bool json, replace, help, from_given;
    int64_t to;
};

enum { OPT_JSON = 256, OPT_PATH, OPT_SESSION, OPT_TYPE, OPT_FROM, OPT_TO, OPT_LOST, OPT_REPLACE, OPT_SNAPSHOTS };

static const struct option options[] = {
    { "json", no_argument, NULL, OPT_JSON },
    { "path", required_argument, NULL, OPT_PATH },
    { "session", required_argument, NULL, OPT_SESSION },
    { "type", required_argument, NULL, OPT_TYPE },
    { "from", required_argument, NULL, OPT_FROM },
    { "to", required_argument, NULL, OPT_TO },
    { "lost", required_argument, NULL, OPT_LOST },
    { "replace", no_argument, NULL, OPT_REPLACE },
    { "yes", no_argument, NULL, 'y' },
    { "verbose", no_argument, NULL, 'v' },
    { "snapshots", required_argument, NULL, OPT_SNAPSHOTS },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static int hex_option(const char *name, int64_t *value)
{
    if (text_parse_hex(optarg, value))
        return CMD_OK;
    return cmd_usage_error("log: --%s: '%s' is not a hexadecimal number such as 0x1f", name, optarg);
}

static int take_option(struct arguments *a, int letter, char **argv)
{
    switch (letter) {
    case OPT_JSON:
        a->json = true;
        return CMD_OK;
    case OPT_PATH:
        a->select.path = optarg;
        return optarg[0] == '/' ? CMD_OK : cmd_usage_error("log: --path: '%s' does not begin with /", optarg);
    case OPT_SESSION:
        a->select.by_session = true;
        return hex_option("session", &a->select.session);
    case OPT_TYPE:
        a->select.type = optarg;
        return log_select_type_known(optarg) ? CMD_OK : cmd_usage_error("log: --type: '%s' is not known", optarg);
    case OPT_FROM:
        a->from_given = true;
        return hex_option("from", &a->select.from);
    case OPT_TO:
        return hex_option("to", &a->select.to);
    case OPT_LOST:
        a->repair.lost = strcmp(optarg, "fill") == 0 ? LOG_LOST_FILL : LOG_LOST_CUT;
        return a->repair.lost == LOG_LOST_FILL || strcmp(optarg, "cut") == 0
                   ? CMD_OK
                   : cmd_usage_error("log: --lost: '%s' is neither fill nor cut", optarg);
    case OPT_REPLACE:
        a->replace = a->repair.replace = true;
        return CMD_OK;
    case OPT_SNAPSHOTS:
        a->snap_dir = optarg;
        return CMD_OK;
    case 'y':
        a->repair.yes = true;
        return CMD_OK;
    case 'v':
        a->repair.verbose = true;
        return CMD_OK;
    case 'h':
        a->help = true;
        return CMD_OK;
    default:
        return cmd_usage_error("log: unknown option or missing value at '%s'; zokor log --help tells them",
                               argv[optind - 1]);
    }
}

static void keep_owner(const char *from, const char *to)
{
    struct stat st;
    if (stat(from, &st) != 0)
        return;
    if (chown(to, st.st_uid, st.st_gid) != 0 && geteuid() == 0)
        fprintf(stderr, "zokor: %s: its owner could not be made that of %s\n", to, from);
    (void)chmod(to, st.st_mode & 0666);
}

/* Nothing may be put in the place of a file that a server has open. */
static int hold_directory(const char *name)
{
    char dir[4096];
    file_dir(name, dir, sizeof dir);
    int rc = process_lock_dir(dir);
    if (rc == 0)
        return CMD_OK;
    fprintf(stderr, "zokor: %s: %s\n", dir,
            rc == ERR_BUSY ? "a server works on this directory: stop it first" : err_text(rc));
    return CMD_FAILED;
}

static int run_verb(const char *verb, const struct arguments *a, const struct log_context *c, int count, char **names)
{
    if (strcmp(verb, "show") == 0)
        return log_show(c, names, (size_t)count, &a->select);
    if (strcmp(verb, "verify") == 0)
        return log_verify(c, names, (size_t)count, a->snap_dir);
    if (count > 1)
        return cmd_usage_error("log %s: one file at a time, '%s' is too many", verb, names[1]);
    if (strcmp(verb, "follow") == 0) {
        struct log_select select = a->select;
        if (!a->from_given)
            select.from = -1;
        return log_follow(c, names[0], &select, NULL, NULL);
    }
    if (a->replace && hold_directory(names[0]) != CMD_OK)
        return CMD_FAILED;
    if (strcmp(verb, "repair") == 0)
        return log_repair(c, names[0], &a->repair);
    return log_trim(c, names[0], a->select.to, a->replace);
}

static bool verb_known(const char *verb)
{
    static const char *const verbs[] = { "show", "follow", "verify", "repair", "trim" };
    for (size_t i = 0; i < ARRAY_COUNT(verbs); i++)
        if (strcmp(verb, verbs[i]) == 0)
            return true;
    return false;
}

int cmd_log(int argc, char **argv)
{
    struct arguments a = { .help = argc < 2 };
    struct progress progress;
    logging_start(LOG_ERROR); /* what the readers warn of is told in the output */
    struct log_context c = { .in = stdin, .out = stdout, .err = stderr, .keep_owner = keep_owner };
    c.printable = isatty(STDOUT_FILENO) == 1;
    c.fs = progress_start(&progress, fs_real(), stderr);
    if (c.printable && (argc < 2 || strcmp(argv[1], "verify") != 0))
        progress_quiet(&progress); /* what is found is shown meanwhile, on the same terminal */
    if (argc > 1 && strcmp(argv[1], "toolkit") == 0)
        return cmd_finish_output(log_toolkit(&c, argc - 1, argv + 1));
    optind = 0;
    opterr = 0;
    for (int letter; (letter = getopt_long(argc, argv, "yvh", options, NULL)) != -1;)
        if (take_option(&a, letter, argv) != CMD_OK)
            return CMD_USAGE;
    if (a.help) {
        fputs(help_text, stdout);
        return cmd_finish_output(CMD_OK);
    }
    const char *verb = optind < argc ? argv[optind] : "";
    if (!verb_known(verb))
        return cmd_usage_error(
            "log: '%s' is none of show, follow, verify, repair, trim, toolkit; zokor log --help tells "
            "what they do",
            verb);
    if (optind + 1 >= argc)
        return cmd_usage_error("log %s: which file or directory?", verb);
    c.json = a.json;
    int status = run_verb(verb, &a, &c, argc - optind - 1, argv + optind + 1);
    progress_end(&progress);
    return cmd_finish_output(status);
}
