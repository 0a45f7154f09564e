#include "server/kerberos.h"
#include "base/buf.h"
#include "base/err.h"
#include "os/library.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* That of MIT, which Debian's plug-in of libsasl2 is linked with; so it is in the process already. */
#define LIBRARY "libkrb5.so.3"

/* The few functions of libkrb5 that are used, whose headers are not worth a package. */
struct krb5 {
    int32_t (*init_context)(void **context);
    void (*free_context)(void *context);
    int32_t (*get_default_realm)(void *context, char **realm);
    void (*free_default_realm)(void *context, char *realm);
};

static int bind(struct krb5 *k, struct library *library)
{
    const struct {
        const char *name;
        void *to;
    } rows[] = {
        { "krb5_init_context", &k->init_context },
        { "krb5_free_context", &k->free_context },
        { "krb5_get_default_realm", &k->get_default_realm },
        { "krb5_free_default_realm", &k->free_default_realm },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        void *p = library_symbol(library, rows[i].name);
        if (p == NULL)
            return ERR_UNSUPPORTED;
        memcpy(rows[i].to, &p, sizeof p);
    }
    return 0;
}

static int ask(const struct krb5 *k, char *out, size_t out_size)
{
    void *context = NULL;
    char *realm = NULL;
    if (k->init_context(&context) != 0)
        return ERR_NOT_FOUND;
    int rc = k->get_default_realm(context, &realm) == 0 && realm != NULL ? 0 : ERR_NOT_FOUND;
    if (rc == 0 && (size_t)snprintf(out, out_size, "%s", realm) >= out_size)
        rc = ERR_TOO_LONG;
    if (realm != NULL)
        k->free_default_realm(context, realm);
    k->free_context(context);
    return rc;
}

int kerberos_default_realm(char *out, size_t out_size, char *reason, size_t reason_size)
{
    struct krb5 k = { 0 };
    struct library *library = library_open(LIBRARY, reason, reason_size);
    if (library == NULL)
        return ERR_UNSUPPORTED;
    int rc = bind(&k, library);
    if (rc == 0)
        rc = ask(&k, out, out_size);
    if (rc != 0)
        snprintf(reason, reason_size, LIBRARY ": %s",
                 rc == ERR_NOT_FOUND ? "no default realm is configured" : err_text(rc));
    library_close(library);
    return rc;
}

/* libkrb5 writes a backslash before such a sign within a name. */
static bool has_realm(const char *name)
{
    for (const char *s = name; *s != '\0'; s++) {
        if (*s == '@')
            return true;
        if (*s == '\\' && s[1] != '\0')
            s++;
    }
    return false;
}

static void append(struct buf *to, char mark, struct slice part)
{
    buf_append(to, &mark, 1);
    buf_append_slice(to, part);
}

char *kerberos_id(const struct kerberos_ids *how, const char *name)
{
    struct kerberos_name parts;
    struct buf whole, id;
    buf_init(&whole, SIZE_MAX / 2);
    buf_init(&id, SIZE_MAX / 2);
    buf_append_slice(&whole, slice_str(name));
    if (!has_realm(name))
        append(&whole, '@', slice_str(how->default_realm));
    bool fits = kerberos_name_parse(buf_slice(&whole), &parts) &&
                kerberos_rules_apply(how->rules, &parts, slice_str(how->default_realm), &id) == 0;
    if (!fits)
        buf_append_slice(&id, buf_slice(&whole));
    if (fits && parts.host.p != NULL && !how->drop_host)
        append(&id, '/', parts.host);
    if (fits && !how->drop_realm)
        append(&id, '@', parts.realm);
    buf_append(&id, "", 1);
    buf_fini(&whole);
    return (char *)id.p;
}
