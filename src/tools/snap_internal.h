/* What the files of `zokor snap` share. */
#ifndef ZOKOR_TOOLS_SNAP_INTERNAL_H
#define ZOKOR_TOOLS_SNAP_INTERNAL_H

#include "store/snapshot.h"
#include "tools/files.h"
#include "tools/snap_tools.h"
#include "tools/snap_walk.h"
#include "tools/text.h"

/* Loads a file of any name. info->zxid is that of its name, -1 if that tells none. 0, or an error that was told. */
int snap_load(const struct snap_context *c, const char *name, struct tree **tree, struct snapshot_info *info);
/* Writes what b holds and empties it. */
void snap_flush(const struct snap_context *c, struct buf *b);

#endif
