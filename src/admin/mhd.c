#include "admin/mhd.h"
#include "base/assert.h"
#include "base/slice.h"
#include <dlfcn.h>
#include <stddef.h>

#define LIBRARY "libmicrohttpd.so.12"

static const struct {
    const char *name;
    size_t offset;
} symbols[] = {
    { "MHD_start_daemon", offsetof(struct mhd, start_daemon) },
    { "MHD_stop_daemon", offsetof(struct mhd, stop_daemon) },
    { "MHD_add_connection", offsetof(struct mhd, add_connection) },
    { "MHD_suspend_connection", offsetof(struct mhd, suspend_connection) },
    { "MHD_resume_connection", offsetof(struct mhd, resume_connection) },
    { "MHD_create_response_from_buffer", offsetof(struct mhd, create_response_from_buffer) },
    { "MHD_create_response_from_callback", offsetof(struct mhd, create_response_from_callback) },
    { "MHD_create_response_from_fd64", offsetof(struct mhd, create_response_from_fd64) },
    { "MHD_add_response_header", offsetof(struct mhd, add_response_header) },
    { "MHD_queue_response", offsetof(struct mhd, queue_response) },
    { "MHD_destroy_response", offsetof(struct mhd, destroy_response) },
    { "MHD_lookup_connection_value", offsetof(struct mhd, lookup_connection_value) },
    { "MHD_get_connection_info", offsetof(struct mhd, get_connection_info) },
};

static const char *load(struct mhd *lib)
{
    void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        return dlerror();
    for (size_t i = 0; i < ARRAY_COUNT(symbols); i++) {
        void *at = dlsym(handle, symbols[i].name);
        if (at == NULL)
            return dlerror();
        memcpy((char *)lib + symbols[i].offset, &at, sizeof at);
    }
    return NULL;
}

const struct mhd *mhd_load(const char **why)
{
    static struct mhd lib;
    if (lib.start_daemon == NULL)
        *why = load(&lib);
    return lib.get_connection_info != NULL ? &lib : NULL;
}
