/* snap_tools: what `zokor snap` does with snapshots, plain, .gz or .snappy. A snapshot is loaded whole, as a server
 * loads it, checksums and all. Functions return an exit status: 0, or 1 with a message on the error stream. */
#ifndef ZOKOR_TOOLS_SNAP_TOOLS_H
#define ZOKOR_TOOLS_SNAP_TOOLS_H

#include "os/fs.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct watchfs;

struct snap_context {
    struct watchfs *fs; /* its `instead` is used */
    FILE *in, *out, *err;
};

enum snap_show {
    SNAP_SHOW_LENGTHS, /* Apache's SnapshotFormatter */
    SNAP_SHOW_DATA,    /* -d: data in base64 */
    SNAP_SHOW_JSON,    /* -json: names and sizes, nested, as the program ncdu reads them */
};

int snap_show(const struct snap_context *c, const char *name, enum snap_show how);
/* A line of facts: zxid, nodes, sessions, sizes, digest, and whether all of it fits. */
int snap_info(const struct snap_context *c, const char *name);
/* Everything, one JSON object a line: the snapshot, sessions, nodes with data, ACL and stat. path: only what is at or
 * below it; NULL: all. */
int snap_export(const struct snap_context *c, const char *name, const char *path);
/* The same nodes without sessions, ephemeral nodes and the server's own, for `import` of `zokor cli`. */
int snap_export_subtree(const struct snap_context *c, const char *name, const char *path);

struct snap_compare {
    const char *left, *right;
    int64_t bytes_min, nodes_min; /* differences up to these are not shown */
    bool debug, interactive;
};
/* Apache's SnapshotComparer. */
int snap_compare(const struct snap_context *c, const struct snap_compare *how);

enum { SNAP_DIFF_SAME = 0, SNAP_DIFF_DIFFERENT = 1, SNAP_DIFF_FAILED = 2 };
/* Node by node, in order of paths: "- " only in left, "+ " only in right, "~ " in both, with what differs; then
 * sessions. path: only at or below it; NULL: all. */
int snap_diff(const struct snap_context *c, const char *left, const char *right, const char *path);

/* Apache's SnapshotRecursiveSummary: descendants and bytes of each node that has children, from `path` down.
 * depth_max 0: all levels. */
int snap_summary(const struct snap_context *c, const char *name, const char *path, long depth_max);

#endif
