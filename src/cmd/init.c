/* zokor init: the directories of a new server, as Apache's zkServer-initialize.sh makes them. */
#include "base/arena.h"
#include "base/err.h"
#include "base/properties.h"
#include "cmd/cmd.h"
#include "os/fs.h"
#include "os/process.h"
#include "tools/files.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help_text[] =
    "usage: zokor init [--configfile=FILE] [--myid=ID] [--force]\n"
    "\n"
    "Makes what a new server needs: dataDir/version-2 and dataLogDir/version-2 as zoo.cfg names them, the number of a\n"
    "member of an ensemble in dataDir/myid, and the mark `initialize`, by which a server with\n"
    "zookeeper.db.autocreate=false believes that its empty database is meant to be empty.\n"
    "\n"
    "  --configfile=FILE  zoo.cfg (default: $ZOOCFGDIR/zoo.cfg, or /etc/zookeeper/conf/zoo.cfg)\n"
    "  --myid=ID          0 to 255; not needed for a single server\n"
    "  --force            directories that are there already are emptied: ALL DATA IN THEM IS LOST\n"
    "\n"
    "example:\n"
    "  zokor init --configfile=/etc/zookeeper/conf/zoo.cfg --myid=1\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 wrong arguments.\n";

struct init {
    const char *config, *my_id;
    bool force;
    struct arena arena;
    char data_dir[2048], log_dir[2048]; /* log_dir "": the same as data_dir */
};

static int fail(const char *what, const char *name, int rc)
{
    fprintf(stderr, "zokor: %s: %s: %s\n", name, what, err_text(rc));
    return CMD_FAILED;
}

static int read_dirs(struct init *a)
{
    static char text[1 << 20];
    FILE *f = fopen(a->config, "rbe");
    if (f == NULL) {
        printf("Unable to find config file at %s\n", a->config);
        return CMD_FAILED;
    }
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    struct properties lines;
    struct property p;
    properties_init(&lines, slice_of(text, n), &a->arena);
    while (properties_next(&lines, &p) == 1) {
        if (slice_eq_str(p.key, "dataDir"))
            tool_path(a->data_dir, sizeof a->data_dir, "%s", (const char *)p.value.p);
        else if (slice_eq_str(p.key, "dataLogDir"))
            tool_path(a->log_dir, sizeof a->log_dir, "%s", (const char *)p.value.p);
    }
    if (strcmp(a->log_dir, a->data_dir) == 0)
        a->log_dir[0] = '\0';
    if (a->data_dir[0] != '\0')
        return CMD_OK;
    printf("Unable to determine dataDir from %s\n", a->config);
    return CMD_FAILED;
}

struct emptying {
    const char *dir;
    int err;
};

static void remove_entry(void *ctx, const char *name)
{
    struct emptying *e = ctx;
    char path[4096];
    tool_path(path, sizeof path, "%s/%s", e->dir, name);
    int rc = fs_real()->ops->remove(fs_real(), path);
    if (rc < 0 && rc != ERR_NOT_FOUND && e->err == 0)
        e->err = rc;
}

/* Is nothing there that would be lost? */
static int check_dir(const struct init *a, const char *parent, const char *what)
{
    char dir[2100];
    tool_path(dir, sizeof dir, "%s/version-2", parent);
    if (a->force || !file_is_dir(fs_real(), dir))
        return CMD_OK;
    printf("ZooKeeper %s directory already exists at %s (or use --force to force re-initialization)\n", what, parent);
    return CMD_FAILED;
}

/* version-2 below a directory, empty. */
static int make_dir(const char *parent)
{
    struct fs *fs = fs_real();
    char dir[2100];
    tool_path(dir, sizeof dir, "%s/version-2", parent);
    if (file_is_dir(fs, dir)) {
        int rc = process_lock_dir(dir);
        if (rc == ERR_BUSY) {
            fprintf(stderr, "zokor: %s: a server works on this directory: stop it first\n", dir);
            return CMD_FAILED;
        }
        struct emptying e = { .dir = dir };
        rc = fs->ops->list(fs, dir, remove_entry, &e);
        if (rc < 0 || e.err < 0)
            return fail("cannot be emptied", dir, rc < 0 ? rc : e.err);
    }
    int rc = fs->ops->make_dir(fs, dir);
    return rc < 0 ? fail("cannot be made", dir, rc) : CMD_OK;
}

static int write_text(const char *dir, const char *name, const char *text)
{
    char path[2100];
    struct fs *fs = fs_real();
    struct fs_file *f = NULL;
    tool_path(path, sizeof path, "%s/%s", dir, name);
    int rc = fs_open(fs, path, FS_WRITE | FS_CREATE | FS_TRUNCATE, &f);
    if (rc == 0 && *text != '\0')
        rc = fs->ops->write_at(f, 0, text, strlen(text));
    if (rc == 0)
        rc = fs->ops->sync(f);
    fs->ops->close(f);
    if (rc == 0)
        rc = fs->ops->sync_dir(fs, dir);
    return rc < 0 ? fail("cannot be written", path, rc) : CMD_OK;
}

static int initialize(struct init *a)
{
    char line[32], old[2100];
    int status = read_dirs(a);
    if (status != CMD_OK)
        return status;
    if (a->force)
        printf("Force enabled, data/txnlog directories will be re-initialized\n");
    /* Both are looked at before either is touched. */
    bool apart = a->log_dir[0] != '\0';
    if ((status = check_dir(a, a->data_dir, "data")) != CMD_OK ||
        (apart && (status = check_dir(a, a->log_dir, "txnlog")) != CMD_OK) ||
        (status = make_dir(a->data_dir)) != CMD_OK || (apart && (status = make_dir(a->log_dir)) != CMD_OK))
        return status;
    tool_path(old, sizeof old, "%s/myid", a->data_dir);
    (void)fs_real()->ops->remove(fs_real(), old);
    if (a->my_id != NULL) {
        printf("Using myid of %s\n", a->my_id);
        tool_path(line, sizeof line, "%s\n", a->my_id);
        status = write_text(a->data_dir, "myid", line);
    } else {
        printf("No myid provided, be sure to specify it in %s/myid if using non-standalone\n", a->data_dir);
    }
    return status == CMD_OK ? write_text(a->data_dir, "initialize", "") : status;
}

static bool id_known(const char *s)
{
    char *end;
    errno = 0;
    long id = strtol(s, &end, 10);
    return *s != '\0' && *end == '\0' && errno == 0 && id >= 0 && id <= 255;
}

int cmd_init(int argc, char **argv)
{
    static const struct option options[] = {
        { "configfile", required_argument, NULL, 'c' },
        { "myid", required_argument, NULL, 'm' },
        { "force", no_argument, NULL, 'f' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    static char config[2100];
    const char *dir = getenv("ZOOCFGDIR");
    struct init a = { .config = config };
    tool_path(config, sizeof config, "%s/zoo.cfg", dir != NULL && *dir != '\0' ? dir : "/etc/zookeeper/conf");
    optind = 0;
    opterr = 0;
    for (int letter; (letter = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        switch (letter) {
        case 'c':
            a.config = optarg;
            break;
        case 'm':
            a.my_id = optarg;
            break;
        case 'f':
            a.force = true;
            break;
        case 'h':
            fputs(help_text, stdout);
            return cmd_finish_output(CMD_OK);
        default:
            return cmd_usage_error("init: unknown option or missing value at '%s'; zokor init --help tells them",
                                   argv[optind - 1]);
        }
    }
    if (optind < argc)
        return cmd_usage_error("init: '%s' is unexpected; zokor init --help tells what is not", argv[optind]);
    if (a.my_id != NULL && !id_known(a.my_id))
        return cmd_usage_error("init: --myid: '%s' is not a number from 0 to 255", a.my_id);
    arena_init(&a.arena, 4096);
    int status = initialize(&a);
    arena_fini(&a.arena);
    return cmd_finish_output(status);
}
