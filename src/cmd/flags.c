#include "cmd/flags.h"
#include "base/err.h"
#include "base/mem.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

void flags_init(struct flags *f)
{
    *f = (struct flags){ 0 };
}

void flags_fini(struct flags *f)
{
    for (size_t i = 0; i < f->count; i++)
        mem_free(f->at[i]);
    mem_free(f->at);
    *f = (struct flags){ 0 };
}

static void add(struct flags *f, const char *p, size_t n)
{
    if (f->count == f->cap) {
        f->cap = f->cap == 0 ? 8 : f->cap * 2;
        f->at = mem_realloc(f->at, f->cap * sizeof *f->at);
    }
    char *copy = mem_alloc(n + 1);
    memcpy(copy, p, n);
    copy[n] = '\0';
    f->at[f->count++] = copy;
}

void flags_add(struct flags *f, const char *flag)
{
    add(f, flag, strlen(flag));
}

void flags_add_words(struct flags *f, const char *line)
{
    static const char blanks[] = " \t\r\n";
    if (line == NULL)
        return;
    for (const char *p = line + strspn(line, blanks); *p != '\0'; p += strspn(p, blanks)) {
        size_t n = strcspn(p, blanks);
        if (n > 2 && p[0] == '-' && p[1] == 'D')
            add(f, p + 2, n - 2);
        p += n;
    }
}

const char *flags_get(const struct flags *f, const char *key)
{
    size_t n = strlen(key);
    for (size_t i = f->count; i-- > 0;)
        if (strncmp(f->at[i], key, n) == 0 && f->at[i][n] == '=')
            return f->at[i] + n + 1;
    return NULL;
}

static int error_of_errno(int number)
{
    if (number == ENOENT || number == ENOTDIR)
        return ERR_NOT_FOUND;
    return number == EACCES || number == EPERM ? ERR_ACCESS : ERR_IO;
}

int flags_read_file(void *ctx, const char *path, struct buf *out)
{
    (void)ctx;
    char chunk[8192];
    size_t n;
    errno = 0;
    FILE *f = fopen(path, "rbe");
    if (f == NULL)
        return error_of_errno(errno);
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0 && out->err == 0)
        buf_append(out, chunk, n);
    int err = ferror(f) ? error_of_errno(errno) : out->err;
    fclose(f);
    return err;
}
