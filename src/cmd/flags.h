/* flags: -DKEY=VALUE words, as Java programs take them from arguments and from JVMFLAGS. And a file as a whole. */
#ifndef ZOKOR_CMD_FLAGS_H
#define ZOKOR_CMD_FLAGS_H

#include "base/buf.h"

struct flags {
    char **at; /* "KEY=VALUE" */
    size_t count, cap;
};

void flags_init(struct flags *f);
void flags_fini(struct flags *f);
/* "KEY=VALUE" is copied. */
void flags_add(struct flags *f, const char *flag);
/* The -D words of a line such as JVMFLAGS holds, parted by blanks; NULL is fine. */
void flags_add_words(struct flags *f, const char *line);
/* The value of the last flag with this key; NULL: none. */
const char *flags_get(const struct flags *f, const char *key);

/* A config_read_file over the machine's files: appends a file to out. 0, ERR_NOT_FOUND, ERR_ACCESS, ERR_IO. */
int flags_read_file(void *ctx, const char *path, struct buf *out);

#endif
