#include "os/library.h"
#include "base/mem.h"
#include <stdio.h>
#include <uv.h>

struct library {
    uv_lib_t lib;
};

struct library *library_open(const char *name, char *reason, size_t reason_size)
{
    struct library *l = mem_zalloc(sizeof *l);
    if (uv_dlopen(name, &l->lib) == 0)
        return l;
    snprintf(reason, reason_size, "%s", uv_dlerror(&l->lib));
    library_close(l);
    return NULL;
}

void *library_symbol(struct library *l, const char *name)
{
    void *p = NULL;
    return uv_dlsym(&l->lib, name, &p) == 0 ? p : NULL;
}

void library_close(struct library *l)
{
    if (l == NULL)
        return;
    uv_dlclose(&l->lib); /* also frees the text of an error */
    mem_free(l);
}
