/* Tickets by a key tab, or from a cache that is not the system's: libsasl2's GSSAPI takes a credential that somebody
 * else made. Over MIT's library, which Debian's plug-in is linked with, too. */
#include "base/err.h"
#include "base/gss.h"
#include "base/mem.h"
#include "client/login_internal.h"
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME_BYTES_MAX 600u

struct login_tickets {
    void *library; /* stays open, as libsasl2's plug-in does */
    struct gss gss;
    const char *principal, *keytab; /* the login's; may be NULL */
    char cache[NAME_BYTES_MAX];     /* "": the system's */
};

static void *find(void *library, const char *name)
{
    return dlsym(library, name);
}

static int load(struct login_tickets *t, struct login_error *err)
{
    t->library = dlopen(GSS_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (t->library == NULL)
        return login_fail(
            err, ERR_UNSUPPORTED,
            "Kerberos needs the library " GSS_LIBRARY ": %s. Debian has it in the package libgssapi-krb5-2", dlerror());
    const char *missing = gss_bind(&t->gss, find, t->library);
    return missing == NULL ? 0 : login_fail(err, ERR_UNSUPPORTED, GSS_LIBRARY " has no function %s", missing);
}

/* With a key tab tickets live in this process alone, in a cache of this login's own. */
static int name_cache(struct login_tickets *t, const struct login_options *o, struct login_error *err)
{
    int n = 0;
    if (o->ticket_cache != NULL)
        n = snprintf(t->cache, sizeof t->cache, "%s", o->ticket_cache);
    else if (o->keytab != NULL)
        n = snprintf(t->cache, sizeof t->cache, "MEMORY:zokor-login-%p", (void *)t);
    return n < (int)sizeof t->cache ? 0 : login_fail(err, ERR_INVALID, "the name of the ticket cache is too long");
}

int login_tickets_new(const struct login_options *options, struct login_tickets **out, struct login_error *err)
{
    struct login_tickets *t = mem_zalloc(sizeof *t);
    t->principal = options->principal;
    t->keytab = options->keytab;
    int rc = name_cache(t, options, err);
    if (rc == 0)
        rc = load(t, err);
    if (rc == 0)
        *out = t;
    else
        login_tickets_free(t);
    return rc;
}

void login_tickets_free(struct login_tickets *t)
{
    mem_free(t);
}

static void explain(struct login_tickets *t, const char *what, uint32_t major, uint32_t minor, char *why, size_t size)
{
    char reason[GSS_REASON_BYTES];
    gss_reason(&t->gss, major, minor, reason);
    (void)snprintf(why, size, "%s: %s (principal %.100s, %s %.600s)", what, reason,
                   t->principal != NULL ? t->principal : "any", t->keytab != NULL ? "key tab" : "ticket cache",
                   t->keytab != NULL ? t->keytab : t->cache);
}

void *login_tickets_acquire(struct login_tickets *t, char *why, size_t why_size)
{
    struct gss_setting settings[2];
    struct gss_store store = { 0, settings };
    void *name = NULL, *credential = NULL;
    uint32_t minor = 0, major = 0;
    if (t->cache[0] != '\0')
        settings[store.count++] = (struct gss_setting){ "ccache", t->cache };
    if (t->keytab != NULL)
        settings[store.count++] = (struct gss_setting){ "client_keytab", t->keytab };
    if (t->principal != NULL) {
        struct gss_bytes text = { strlen(t->principal), (void *)(uintptr_t)t->principal };
        major = t->gss.import_name(&minor, &text, &GSS_PRINCIPAL, &name);
    }
    if (!GSS_FAILED(major))
        major = t->gss.acquire_cred_from(&minor, name, UINT32_MAX, NULL, GSS_INITIATE, store.count > 0 ? &store : NULL,
                                         &credential, NULL, NULL);
    if (GSS_FAILED(major)) {
        explain(t, "no ticket", major, minor, why, why_size);
        credential = NULL;
    }
    (void)t->gss.release_name(&minor, &name);
    return credential;
}

void login_tickets_release(struct login_tickets *t, void *credential)
{
    uint32_t minor;
    if (credential != NULL)
        (void)t->gss.release_cred(&minor, &credential);
}
