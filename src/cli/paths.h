/* paths: what zkCli.sh says of a path before it asks a server, and joining names. Pure. */
#ifndef ZOKOR_CLI_PATHS_H
#define ZOKOR_CLI_PATHS_H

#include "base/buf.h"

/* 0 if a node may have this path; -1: `error` gets the text. sequential: the server will append digits, so that the
 * path may end with a slash. */
int cli_path_check(const char *path, bool sequential, struct buf *error);

/* parent "/" name; the caller frees it. */
char *cli_path_join(const char *parent, const char *name);
/* The part behind the last slash; "/" for the root. */
const char *cli_path_name(const char *path);

#endif
