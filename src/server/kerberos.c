#include "server/kerberos.h"
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

void kerberos_id(const char *name, const char *default_realm, bool drop_host, bool drop_realm, char *out,
                 size_t out_size)
{
    const char *at = strrchr(name, '@');
    size_t name_n = at == NULL ? strlen(name) : (size_t)(at - name);
    const char *realm = at == NULL ? default_realm : at + 1;
    const char *slash = memchr(name, '/', name_n);
    bool ours = strcmp(realm, default_realm) == 0;
    if (ours && drop_host && slash != NULL)
        name_n = (size_t)(slash - name);
    size_t realm_n = ours && drop_realm ? 0 : strlen(realm) + 1;
    ASSERT(name_n + realm_n < out_size);
    memcpy(out, name, name_n);
    if (realm_n != 0) {
        out[name_n] = '@';
        memcpy(out + name_n + 1, realm, realm_n - 1);
    }
    out[name_n + realm_n] = 0;
}
