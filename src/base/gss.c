#include "base/gss.h"
#include "base/assert.h"
#include <stdio.h>
#include <string.h>

const char *gss_bind(struct gss *g, void *(*find)(void *library, const char *name), void *library)
{
    const struct {
        const char *name;
        void *to;
    } rows[] = {
        { "gss_acquire_cred_from", &g->acquire_cred_from },
        { "gss_release_cred", &g->release_cred },
        { "gss_import_name", &g->import_name },
        { "gss_release_name", &g->release_name },
        { "gss_init_sec_context", &g->init_sec_context },
        { "gss_delete_sec_context", &g->delete_sec_context },
        { "gss_wrap", &g->wrap },
        { "gss_unwrap", &g->unwrap },
        { "gss_release_buffer", &g->release_buffer },
        { "gss_display_status", &g->display_status },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        void *p = find(library, rows[i].name);
        if (p == NULL)
            return rows[i].name;
        memcpy(rows[i].to, &p, sizeof p);
    }
    return NULL;
}

void gss_reason(const struct gss *g, uint32_t major, uint32_t minor, char to[GSS_REASON_BYTES])
{
    struct gss_bytes text = { 0 };
    uint32_t ignored, more = 0;
    uint32_t rc = minor != 0 ? g->display_status(&ignored, minor, GSS_MECHANISM_STATUS, &GSS_KRB5, &more, &text)
                             : g->display_status(&ignored, major, GSS_STATUS, NULL, &more, &text);
    if (GSS_FAILED(rc))
        text = (struct gss_bytes){ 0 };
    size_t n = text.n < GSS_REASON_BYTES - 8 ? text.n : GSS_REASON_BYTES - 8;
    (void)snprintf(to, GSS_REASON_BYTES, "%.*s", text.p != NULL ? (int)n : 1,
                   text.p != NULL ? (const char *)text.p : "?");
    (void)g->release_buffer(&ignored, &text);
}
