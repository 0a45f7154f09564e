/* gss: the part of GSSAPI (RFC 2744) that logins by Kerberos use, whose headers are not worth a package. The library is
 * MIT's, which Debian's plug-in of libsasl2 is linked with; who needs it loads it. */
#ifndef ZOKOR_BASE_GSS_H
#define ZOKOR_BASE_GSS_H

#include <stddef.h>
#include <stdint.h>

#define GSS_LIBRARY "libgssapi_krb5.so.2"

struct gss_bytes {
    size_t n;
    void *p;
};

struct gss_oid {
    uint32_t n;
    const void *p;
};

struct gss_setting {
    const char *key, *value;
};

struct gss_store {
    uint32_t count;
    const struct gss_setting *settings;
};

#define GSS_INITIATE 1
#define GSS_FAILED(major) (((major)&0xffff0000u) != 0)
#define GSS_STATUS 1
#define GSS_MECHANISM_STATUS 2

#define GSS_REASON_BYTES 128u

/* Its functions: major status, and a minor one by the first argument. */
struct gss {
    uint32_t (*acquire_cred_from)(uint32_t *minor, void *name, uint32_t time, void *mechanisms, int usage,
                                  const struct gss_store *store, void **cred, void **actual, uint32_t *left);
    uint32_t (*release_cred)(uint32_t *minor, void **cred);
    uint32_t (*import_name)(uint32_t *minor, struct gss_bytes *text, const struct gss_oid *kind, void **name);
    uint32_t (*release_name)(uint32_t *minor, void **name);
    uint32_t (*init_sec_context)(uint32_t *minor, void *cred, void **context, void *target,
                                 const struct gss_oid *mechanism, uint32_t flags, uint32_t time, void *bindings,
                                 struct gss_bytes *in, void **actual, struct gss_bytes *out, uint32_t *has,
                                 uint32_t *left);
    uint32_t (*delete_sec_context)(uint32_t *minor, void **context, struct gss_bytes *out);
    uint32_t (*wrap)(uint32_t *minor, void *context, int encrypt, uint32_t quality, struct gss_bytes *in, int *has,
                     struct gss_bytes *out);
    uint32_t (*unwrap)(uint32_t *minor, void *context, struct gss_bytes *in, struct gss_bytes *out, int *has,
                       uint32_t *quality);
    uint32_t (*release_buffer)(uint32_t *minor, struct gss_bytes *b);
    uint32_t (*display_status)(uint32_t *minor, uint32_t value, int kind, const struct gss_oid *mechanism,
                               uint32_t *more, struct gss_bytes *out);
};

/* Finds all of them in a library. NULL, or the name of one that it does not have. */
const char *gss_bind(struct gss *g, void *(*find)(void *library, const char *name), void *library);
/* What the library says of a failed call, "?" where it has no words; the minor status counts where there is one. */
void gss_reason(const struct gss *g, uint32_t major, uint32_t minor, char to[GSS_REASON_BYTES]);

static const struct gss_oid GSS_KRB5 = { 9, "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02" };
static const struct gss_oid GSS_PRINCIPAL = { 10, "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01" };

#endif
