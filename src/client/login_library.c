/* libsasl2 in this process. A program that uses it, too, may have started it: it counts its users, and the first one's
 * callbacks hold. Nobody stops it, for nobody knows who else is left. */
#include "base/err.h"
#include "client/login_internal.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LIBRARY "libsasl2.so.2"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct cyrus_client functions;
static bool is_there;
static char why_not[sizeof(((struct login_error *)0)->text)];

int login_fail(struct login_error *err, int code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    return code;
}

/* No file of options is read. A login by DIGEST-MD5 always begins anew: Java's servers answer one that goes on from the
 * last challenge as if it were wrong (JDK-6682540). */
static int get_option(void *ctx, const char *plugin, const char *option, const char **result, unsigned *n)
{
    (void)ctx, (void)plugin;
    bool reauthenticates = strcmp(option, "reauth_timeout") == 0;
    if (!reauthenticates)
        return SASL_FAIL;
    *result = "0";
    if (n != NULL)
        *n = 1;
    return SASL_OK;
}

/* Of its plug-ins the mechanisms that ZooKeeper's servers know, of its options none. */
static int verify_file(void *ctx, const char *file, sasl_verify_type_t type)
{
    (void)ctx;
    const char *slash = strrchr(file, '/');
    const char *name = slash == NULL ? file : slash + 1;
    bool wanted =
        type == SASL_VRFY_PLUGIN && (strncmp(name, "libdigestmd5.", 13) == 0 || strncmp(name, "libgssapiv2.", 12) == 0);
    return wanted ? SASL_OK : SASL_CONTINUE;
}

/* What it would write to the system's log comes as the reason of a failure, too. */
static int take_log(void *ctx, int level, const char *message)
{
    (void)ctx, (void)level, (void)message;
    return SASL_OK;
}

static const sasl_callback_t callbacks[] = {
    CYRUS_CLIENT_CALLBACK(SASL_CB_GETOPT, get_option, NULL),
    CYRUS_CLIENT_CALLBACK(SASL_CB_VERIFYFILE, verify_file, NULL),
    CYRUS_CLIENT_CALLBACK(SASL_CB_LOG, take_log, NULL),
    { SASL_CB_LIST_END, NULL, NULL },
};

static bool bind(void *dl)
{
    void *p;
#define X(member, name)                                                                          \
    p = dlsym(dl, #name);                                                                        \
    if (p == NULL) {                                                                             \
        (void)snprintf(why_not, sizeof why_not,                                                  \
                       LIBRARY " has no function " #name ": version 2.1.27 or later is needed"); \
        return false;                                                                            \
    }                                                                                            \
    memcpy(&functions.member, &p, sizeof p);
    CYRUS_CLIENT_FUNCTIONS(X)
#undef X
    return true;
}

static void load(void)
{
    void *dl = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (dl == NULL) {
        (void)snprintf(why_not, sizeof why_not,
                       "SASL needs the library " LIBRARY ": %s. Debian has it in the package libsasl2-2", dlerror());
        return;
    }
    if (!bind(dl))
        return;
    int rc = functions.client_init(callbacks);
    is_there = rc == SASL_OK;
    if (!is_there)
        (void)snprintf(why_not, sizeof why_not, "libsasl2 does not start: error %d", rc);
}

const struct cyrus_client *login_library(struct login_error *err)
{
    (void)pthread_once(&once, load);
    if (!is_there)
        (void)login_fail(err, ERR_UNSUPPORTED, "%s", why_not);
    return is_there ? &functions : NULL;
}

void login_library_lock(void)
{
    pthread_mutex_lock(&mutex);
}

void login_library_unlock(void)
{
    pthread_mutex_unlock(&mutex);
}
