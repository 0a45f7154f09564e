#include "server/jaas_file.h"
#include "base/err.h"
#include <string.h>

#define JAAS_BYTES_MAX (1u << 20)

int jaas_file_read(struct fs *fs, const char *path, struct buf *out)
{
    struct fs_file *f = NULL;
    buf_init(out, JAAS_BYTES_MAX + 1);
    int rc = fs_open(fs, path, FS_READ, &f);
    if (rc != 0)
        return rc;
    int64_t size = fs->ops->size(f);
    if (size > (int64_t)JAAS_BYTES_MAX)
        size = ERR_TOO_LONG;
    uint8_t *to = size < 0 ? NULL : buf_add(out, (size_t)size);
    int64_t got = to == NULL ? size : fs->ops->read_at(f, 0, to, (size_t)size);
    fs->ops->close(f);
    if (got >= 0)
        out->n = (size_t)got;
    return got < 0 ? (int)got : out->err;
}

void jaas_file_wipe(struct buf *b)
{
    if (b->p != NULL)
        explicit_bzero(b->p, b->n);
    buf_fini(b);
}
