/* zokor purge: what Apache's PurgeTxnLog does, by hand instead of by autopurge. */
#include "base/err.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/logging.h"
#include "os/process.h"
#include "store/snapshot.h"
#include "tools/files.h"
#include "tools/progress.h"
#include "tools/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETAIN_MIN 3

static const char usage[] =
    "Usage:\n"
    "zokor purge dataLogDir [snapDir] -n count\n"
    "\tdataLogDir -- path to the txn log directory\n"
    "\tsnapDir -- path to the snapshot directory\n"
    "\tcount -- the number of old snaps/logs you want to keep, value should be greater than or equal to 3\n";

static const char help_text[] =
    "\n"
    "Keeps the newest COUNT snapshots that look valid, and more until one of them is known to be whole, and the logs\n"
    "that lead on from the oldest of them. Everything older is removed, and told. A running server is not disturbed; "
    "it\n"
    "can do the same by itself (autopurge.purgeInterval and autopurge.snapRetainCount in zoo.cfg).\n"
    "\n"
    "example:\n"
    "  zokor purge /var/lib/zookeeper -n 3\n"
    "\n"
    "Exit status: 0 done, 1 failed or wrong arguments.\n";

static int wrong(const char *dir)
{
    if (dir != NULL)
        fprintf(stderr, "Path '%s' does not exist. \n", dir);
    fputs(usage, stdout);
    (void)fflush(stdout);
    return CMD_FAILED;
}

static void tell_removed(void *ctx, const char *name)
{
    struct buf b;
    int64_t seconds = process_file_seconds(name);
    (void)ctx;
    buf_init(&b, 4096);
    if (seconds >= 0)
        text_put_time_medium(&b, seconds * 1000);
    printf("Removing file: %s\t%s\n", text_cstr(&b), name);
    buf_fini(&b);
}

static bool parse_count(const char *s, int *count)
{
    char *end;
    long v = strtol(s, &end, 10);
    if (*s == '\0' || *end != '\0' || v < RETAIN_MIN || v > 1000000)
        return false;
    *count = (int)v;
    return true;
}

int cmd_purge(int argc, char **argv)
{
    const char *dirs[2] = { NULL, NULL };
    size_t dir_count = 0;
    int count = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            printf("%s%s", usage, help_text);
            return cmd_finish_output(CMD_OK);
        }
        if (strcmp(argv[i], "-n") == 0) {
            if (i + 1 >= argc || !parse_count(argv[++i], &count))
                return wrong(NULL);
        } else if (dir_count == ARRAY_COUNT(dirs)) {
            return wrong(NULL);
        } else {
            dirs[dir_count++] = argv[i];
        }
    }
    struct progress progress;
    struct fs *fs = progress_start(&progress, fs_real(), stderr);
    for (size_t i = 0; i < dir_count; i++)
        if (!file_is_dir(fs, dirs[i]))
            return wrong(dirs[i]);
    if (dir_count == 0 || count == 0)
        return wrong(NULL);
    char log_dir[4096], snap_dir[4096];
    file_version_dir(fs, dirs[0], log_dir, sizeof log_dir);
    file_version_dir(fs, dirs[dir_count - 1], snap_dir, sizeof snap_dir);
    logging_start(LOG_WARN);
    progress.watch.on_remove = tell_removed;
    struct store_error err;
    int rc = store_purge(fs, &(struct store_dirs){ .snap_dir = snap_dir, .log_dir = log_dir }, count, &err);
    progress_end(&progress);
    if (rc < 0)
        fprintf(stderr, "zokor: %s\n", err.text);
    return cmd_finish_output(rc < 0 ? CMD_FAILED : CMD_OK);
}
