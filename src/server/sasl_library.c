#include "server/sasl_library.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "os/library.h"
#include <stdarg.h>
#include <stdio.h>

#define PLUGIN "zokor"
#define LIBRARY "libsasl2.so.2"
#define NAME_BYTES_MAX 1024u

struct process {
    struct library *library;
    struct cyrus cyrus;
    size_t users;
    bool has_gssapi;
    char *keytab; /* of GSSAPI; NULL: the system's */
    bool has_server, has_client;
};

/* As the library's own state. */
static struct process process;

int sasl_error_set(struct sasl_error *err, int code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    return code;
}

/* ---- what the library asks ---- */

/* Options of the library. What is not answered here keeps its default, for no file of options is read. */
static int get_option(void *ctx, const char *plugin, const char *option, const char **result, unsigned *n)
{
    (void)ctx;
    (void)plugin;
    static const struct {
        const char *name, *value;
    } options[] = {
        { "auxprop_plugin", PLUGIN },
        { "reauth_timeout", "0" }, /* nobody gets in by a nonce that was good before */
        { "log_level", "3" },
    };
    const char *value = NULL;
    for (size_t i = 0; i < ARRAY_COUNT(options); i++)
        if (strcmp(options[i].name, option) == 0)
            value = options[i].value;
    if (strcmp(option, "keytab") == 0)
        value = process.keytab;
    if (value == NULL)
        return SASL_FAIL;
    *result = value;
    if (n != NULL)
        *n = (unsigned)strlen(value);
    return SASL_OK;
}

/* Which files of the library's may be used: of its plug-ins the mechanisms, of its options none. */
static int verify_file(void *ctx, const char *file, sasl_verify_type_t type)
{
    bool is_server = ctx == NULL;
    const char *slash = strrchr(file, '/');
    const char *name = slash == NULL ? file : slash + 1;
    if (type != SASL_VRFY_PLUGIN)
        return SASL_CONTINUE;
    bool wanted = strncmp(name, "libdigestmd5.", 13) == 0 ||
                  (is_server && process.has_gssapi && strncmp(name, "libgssapiv2.", 12) == 0);
    return wanted ? SASL_OK : SASL_CONTINUE;
}

static int take_log(void *ctx, int level, const char *message)
{
    (void)ctx;
    if (level == SASL_LOG_ERR)
        log_warn("sasl.library", "message=\"%s\"", message);
    else if (level != SASL_LOG_NONE && level < SASL_LOG_PASS)
        log_debug("sasl.library", "message=\"%s\"", message);
    return SASL_OK;
}

static const sasl_callback_t server_callbacks[] = {
    CYRUS_CALLBACK(SASL_CB_GETOPT, get_option, NULL),
    CYRUS_CALLBACK(SASL_CB_VERIFYFILE, verify_file, NULL),
    CYRUS_CALLBACK(SASL_CB_LOG, take_log, NULL),
    { SASL_CB_LIST_END, NULL, NULL },
};

static const sasl_callback_t client_callbacks[] = {
    CYRUS_CALLBACK(SASL_CB_GETOPT, get_option, NULL),
    CYRUS_CALLBACK(SASL_CB_VERIFYFILE, verify_file, &process),
    CYRUS_CALLBACK(SASL_CB_LOG, take_log, NULL),
    { SASL_CB_LIST_END, NULL, NULL },
};

int cyrus_canonical(sasl_conn_t *conn, void *users, const char *in, unsigned n, unsigned flags, const char *realm,
                    char *out, unsigned out_max, unsigned *out_n)
{
    (void)conn, (void)users, (void)flags, (void)realm;
    if (n >= out_max || n > NAME_BYTES_MAX)
        return SASL_BUFOVER;
    memmove(out, in, n);
    out[n] = 0;
    *out_n = n;
    return SASL_OK;
}

/* The source of passwords. Properties that begin with '*' are the client's own, others those of whom it acts for. */
static int look_up(void *ctx, sasl_server_params_t *params, unsigned flags, const char *user, unsigned n)
{
    (void)ctx;
    sasl_callback_ft fn;
    void *found;
    if ((flags & SASL_AUXPROP_AUTHZID) != 0)
        return SASL_OK;
    if (params->utils->getcallback(params->utils->conn, SASL_CB_CANON_USER, &fn, &found) != SASL_OK || found == NULL)
        return SASL_FAIL;
    const struct cyrus_users *users = found;
    const char *password = users->password(users, slice_of(user, n));
    const struct propval *wanted = params->utils->prop_get(params->propctx);
    if (password == NULL || wanted == NULL)
        return SASL_NOUSER;
    for (; wanted->name != NULL; wanted++)
        if (strcmp(wanted->name, "*" SASL_AUX_PASSWORD_PROP) == 0)
            (void)params->utils->prop_set(params->propctx, wanted->name, password, (int)strlen(password));
    return SASL_OK;
}

static int plug(const sasl_utils_t *utils, int max_version, int *version, sasl_auxprop_plug_t **out, const char *name)
{
    static char plugin_name[] = PLUGIN;
    static sasl_auxprop_plug_t plugin = { .auxprop_lookup = look_up, .name = plugin_name };
    (void)utils, (void)name;
    if (max_version < SASL_AUXPROP_PLUG_VERSION)
        return SASL_BADVERS;
    *version = SASL_AUXPROP_PLUG_VERSION;
    *out = &plugin;
    return SASL_OK;
}

/* ---- the library ---- */

static int load(struct sasl_error *err)
{
    char reason[300] = "";
    process.library = library_open(LIBRARY, reason, sizeof reason);
    if (process.library == NULL)
        return sasl_error_set(err, ERR_UNSUPPORTED,
                              "SASL needs the library " LIBRARY ": %s. Debian has it in the package libsasl2-2",
                              reason);
    void *p;
#define X(member, name)                                                                                 \
    p = library_symbol(process.library, #name);                                                         \
    if (p == NULL)                                                                                      \
        return sasl_error_set(err, ERR_UNSUPPORTED,                                                     \
                              LIBRARY " has no function " #name ": version 2.1.27 or later is needed"); \
    memcpy(&process.cyrus.member, &p, sizeof p);
    CYRUS_FUNCTIONS(X)
#undef X
    return 0;
}

static int does_not_start(struct sasl_error *err, int error)
{
    return sasl_error_set(err, ERR_UNSUPPORTED, "libsasl2 does not start: error %d", error);
}

static int start(struct sasl_error *err)
{
    int rc = process.cyrus.auxprop_add_plugin(PLUGIN, plug);
    if (rc == SASL_OK)
        rc = process.cyrus.server_init(server_callbacks, "zokor");
    process.has_server = rc == SASL_OK;
    return rc == SASL_OK ? 0 : does_not_start(err, rc);
}

static void unload(void)
{
    if (process.has_client)
        (void)process.cyrus.client_done();
    if (process.has_server)
        (void)process.cyrus.server_done();
    library_close(process.library);
    mem_free(process.keytab);
    process = (struct process){ 0 };
}

static bool same_keytab(const char *keytab)
{
    return keytab == NULL || process.keytab == NULL ? keytab == process.keytab : strcmp(keytab, process.keytab) == 0;
}

static void set_gssapi(const char *keytab)
{
    process.has_gssapi = true;
    if (keytab == NULL)
        return;
    mem_free(process.keytab);
    process.keytab = mem_alloc(strlen(keytab) + 1);
    memcpy(process.keytab, keytab, strlen(keytab) + 1);
}

void cyrus_expect_gssapi(const char *keytab)
{
    if (process.users == 0 && !process.has_gssapi)
        set_gssapi(keytab);
}

int cyrus_begin(const char *mechanism, const char *keytab, const struct cyrus **out, struct sasl_error *err)
{
    bool gssapi = strcmp(mechanism, SASL_GSSAPI) == 0;
    if (process.users == 0) {
        if (gssapi)
            set_gssapi(keytab);
        int rc = load(err);
        if (rc == 0)
            rc = start(err);
        if (rc != 0) {
            unload();
            return rc;
        }
    } else if (gssapi && !(process.has_gssapi && same_keytab(keytab))) {
        return sasl_error_set(err, ERR_UNSUPPORTED, "all sections that use Kerberos must name the same key tab");
    }
    process.users++;
    *out = &process.cyrus;
    return 0;
}

void cyrus_end(void)
{
    ASSERT(process.users > 0);
    if (--process.users == 0)
        unload();
}

int cyrus_begin_client(const struct cyrus **out, struct sasl_error *err)
{
    int rc = cyrus_begin(SASL_DIGEST_MD5, NULL, out, err);
    if (rc != 0 || process.has_client)
        return rc;
    rc = process.cyrus.client_init(client_callbacks);
    process.has_client = rc == SASL_OK;
    if (rc == SASL_OK)
        return 0;
    cyrus_end();
    return does_not_start(err, rc);
}
