/* gss: the part of GSSAPI (RFC 2744) that logins by Kerberos use, whose headers are not worth a package. The library is
 * MIT's, which Debian's plug-in of libsasl2 is linked with; it is loaded when it is needed. */
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

static const struct gss_oid GSS_KRB5 = { 9, "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02" };
static const struct gss_oid GSS_PRINCIPAL = { 10, "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01" };

#endif
