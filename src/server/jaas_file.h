/* jaas_file: the file that java.security.auth.login.config names, as bytes. It holds passwords. */
#ifndef ZOKOR_SERVER_JAAS_FILE_H
#define ZOKOR_SERVER_JAAS_FILE_H

#include "base/buf.h"
#include "os/fs.h"

/* Appends the whole file to out, which it initialises. 0, ERR_TOO_LONG for what is no such file, or another negative
 * err. May block: start-up only. jaas_file_wipe is needed in any case. */
int jaas_file_read(struct fs *fs, const char *path, struct buf *out) WARN_UNUSED;
/* Overwrites and frees. */
void jaas_file_wipe(struct buf *b);

#endif
