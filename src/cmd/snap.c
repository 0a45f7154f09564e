/* zokor snap: showing, comparing and exporting snapshots. */
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/logging.h"
#include "tools/progress.h"
#include "tools/snap_tools.h"
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char help_text[] =
    "usage: zokor snap show [-d|-json] FILE              every node and session, as Apache's zkSnapShotToolkit.sh\n"
    "       zokor snap info FILE                         zxid, nodes, sessions, sizes, checksum and digest\n"
    "       zokor snap summary FILE [PATH [DEPTH]]       descendants and bytes by subtree, as Apache's\n"
    "                                                    zkSnapshotRecursiveSummaryToolkit.sh\n"
    "       zokor snap compare -l LEFT -r RIGHT -b BYTES -n NODES [-d] [-i]\n"
    "                                                    what differs, as Apache's zkSnapshotComparer.sh\n"
    "       zokor snap diff LEFT RIGHT [PATH]            what differs, node by node: data, ACLs, stats, sessions\n"
    "       zokor snap export [--for-import] FILE [PATH] everything as JSON, one object a line\n"
    "\n"
    "Snapshots (snapshot.ZXID in dataDir/version-2) of this server and of Apache's, plain, .gz or .snappy, hold the "
    "whole\n"
    "tree at one moment. They are only read. A snapshot is loaded into memory, about as large as the server needs it.\n"
    "\n"
    "examples:\n"
    "  zokor snap show snapshot.3c | less\n"
    "  zokor snap show -json snapshot.3c | ncdu -f -     walk through sizes       (ncdu: apt-get install ncdu)\n"
    "  zokor snap summary snapshot.3c / 2                who uses the space, two levels deep\n"
    "  zokor snap compare -l snapshot.3c -r snapshot.9f -b 1000 -n 10\n"
    "  zokor snap diff server1/snapshot.9f server2/snapshot.9f     are two members the same?\n"
    "  zokor snap export snapshot.3c /app | jq -r .path\n"
    "  zokor snap export --for-import snapshot.3c /app | zokor cli import -\n"
    "\n"
    "show:    -d shows data in base64; -json shows names and sizes as the program ncdu reads them.\n"
    "summary: PATH is where to begin (/); DEPTH how many levels below it are shown (0: all); what is deeper is "
    "counted.\n"
    "compare: nodes whose size and number of descendants differ by no more than BYTES and NODES are left out; -d says "
    "how\n"
    "         they were compared; -i asks which depth or path to show.\n"
    "diff:    - is only in LEFT, + only in RIGHT, ~ in both. Two members' snapshots with one zxid have no "
    "differences.\n"
    "export:  first the snapshot, then sessions, then nodes; data in base64. --for-import: as the cli's import reads "
    "it,\n"
    "         with containers and times to live, without sessions, ephemeral nodes and /zookeeper.\n"
    "\n"
    "Exit status: 0 done, 1 damaged or not there, 2 wrong arguments. diff: 0 the same, 1 different, 2 failed.\n";

/* Apache's tools end with 2 if the arguments or the file are wrong, and tell what they are. */
static const char show_usage[] = "USAGE: SnapshotFormatter [-d|-json] snapshot_file\n"
                                 "       -d dump the data for each znode\n"
                                 "       -json dump znode info in json format\n";

static const char compare_usage[] =
    "usage: zokor snap compare\n"
    " -b,--bytes <BYTETHRESHOLD>   (Required) The node data delta size threshold, in bytes, for printing the node.\n"
    " -d,--debug                   Use debug output.\n"
    " -i,--interactive             Enter interactive mode.\n"
    " -l,--left <LEFT>             (Required) The left snapshot file.\n"
    " -n,--nodes <NODETHRESHOLD>   (Required) The descendant node delta size threshold, in nodes, for printing the "
    "node.\n"
    " -r,--right <RIGHT>           (Required) The right snapshot file.\n";

static bool parse_number(const char *s, long *value)
{
    char *end;
    errno = 0;
    *value = strtol(s, &end, 10);
    return *s != '\0' && *end == '\0' && errno == 0;
}

static int show(const struct snap_context *c, int argc, char **argv)
{
    enum snap_show how = SNAP_SHOW_LENGTHS;
    const char *file = NULL;
    bool data = false, json = false, wrong = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-d") == 0)
            data = true;
        else if (strcmp(argv[i], "-json") == 0 || strcmp(argv[i], "--json") == 0)
            json = true;
        else if (argv[i][0] == '-' && argv[i][1] != '\0')
            wrong = true;
        else if (file == NULL)
            file = argv[i];
        else
            wrong = true;
    }
    if (wrong || file == NULL) {
        fputs(show_usage, c->err);
        return CMD_USAGE;
    }
    if (data && json) {
        fprintf(c->err, "Cannot specify both data dump (-d) and json mode (-json) in same call\n");
        return CMD_USAGE;
    }
    how = json ? SNAP_SHOW_JSON : data ? SNAP_SHOW_DATA : SNAP_SHOW_LENGTHS;
    return snap_show(c, file, how) == 0 ? CMD_OK : CMD_USAGE;
}

static int compare_wrong(const struct snap_context *c, const char *what)
{
    fprintf(c->err, "%s\n", what);
    fputs(compare_usage, c->out);
    return CMD_USAGE;
}

static int compare(const struct snap_context *c, int argc, char **argv)
{
    static const struct option options[] = {
        { "left", required_argument, NULL, 'l' },
        { "right", required_argument, NULL, 'r' },
        { "bytes", required_argument, NULL, 'b' },
        { "nodes", required_argument, NULL, 'n' },
        { "debug", no_argument, NULL, 'd' },
        { "interactive", no_argument, NULL, 'i' },
        { NULL, 0, NULL, 0 },
    };
    struct snap_compare how = { 0 };
    const char *bytes = NULL, *nodes = NULL;
    long bytes_min, nodes_min;
    optind = 0;
    opterr = 0;
    for (int letter; (letter = getopt_long(argc, argv, "l:r:b:n:di", options, NULL)) != -1;) {
        switch (letter) {
        case 'l':
            how.left = optarg;
            break;
        case 'r':
            how.right = optarg;
            break;
        case 'b':
            bytes = optarg;
            break;
        case 'n':
            nodes = optarg;
            break;
        case 'd':
            how.debug = true;
            break;
        case 'i':
            how.interactive = true;
            break;
        default:
            return compare_wrong(c, "Unrecognized option, or one without its value");
        }
    }
    if (how.left == NULL || how.right == NULL || bytes == NULL || nodes == NULL)
        return compare_wrong(c, "Missing required options: -l, -r, -b and -n are needed");
    if (!parse_number(bytes, &bytes_min) || !parse_number(nodes, &nodes_min))
        return compare_wrong(c, "-b and -n are numbers");
    how.bytes_min = bytes_min;
    how.nodes_min = nodes_min;
    return snap_compare(c, &how);
}

static int summary(const struct snap_context *c, int argc, char **argv)
{
    long depth = 0;
    if (argc < 2 || argc > 4)
        return cmd_usage_error("snap summary: FILE, PATH and DEPTH are expected");
    if (argc == 4 && (!parse_number(argv[3], &depth) || depth < 0))
        return cmd_usage_error("snap summary: '%s' is not a depth (0: all levels)", argv[3]);
    if (argc > 2 && argv[2][0] != '/')
        return cmd_usage_error("snap summary: the path '%s' does not begin with /", argv[2]);
    return snap_summary(c, argv[1], argc > 2 ? argv[2] : "/", depth);
}

static int info(const struct snap_context *c, int argc, char **argv)
{
    if (argc < 2)
        return cmd_usage_error("snap info: which file?");
    int status = CMD_OK;
    for (int i = 1; i < argc; i++)
        if (snap_info(c, argv[i]) != 0)
            status = CMD_FAILED;
    return status;
}

static int diff(const struct snap_context *c, int argc, char **argv)
{
    if (argc < 3 || argc > 4)
        return cmd_usage_error("snap diff: LEFT and RIGHT, and perhaps PATH, are expected");
    return snap_diff(c, argv[1], argv[2], argc > 3 ? argv[3] : NULL);
}

static int export(const struct snap_context *c, int argc, char **argv)
{
    bool for_import = argc > 1 && strcmp(argv[1], "--for-import") == 0;
    argc -= for_import;
    argv += for_import;
    if (argc < 2 || argc > 3)
        return cmd_usage_error("snap export: FILE, and perhaps PATH, are expected");
    if (for_import)
        return snap_export_subtree(c, argv[1], argc > 2 ? argv[2] : NULL);
    return snap_export(c, argv[1], argc > 2 ? argv[2] : NULL);
}

static const struct {
    const char *name;
    int (*run)(const struct snap_context *c, int argc, char **argv);
} verbs[] = {
    { "show", show },       { "info", info }, { "summary", summary },
    { "compare", compare }, { "diff", diff }, { "export", export },
};

int cmd_snap(int argc, char **argv)
{
    struct progress progress;
    struct snap_context c = { .fs = &progress.watch, .in = stdin, .out = stdout, .err = stderr };
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        fputs(help_text, stdout);
        return cmd_finish_output(CMD_OK);
    }
    logging_start(LOG_ERROR);
    (void)progress_start(&progress, fs_real(), stderr);
    for (size_t i = 0; i < ARRAY_COUNT(verbs); i++) {
        if (strcmp(argv[1], verbs[i].name) == 0) {
            int status = verbs[i].run(&c, argc - 1, argv + 1);
            progress_end(&progress);
            return cmd_finish_output(status);
        }
    }
    return cmd_usage_error(
        "snap: '%s' is none of show, info, summary, compare, diff, export; zokor snap --help tells what "
        "they do",
        argv[1]);
}
