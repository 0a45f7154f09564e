/* TLS between the socket and the protocol, and how its code is found. */
#include "client/secure.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/shell.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COMPANION "libzokor_tls.so.0"

#pragma weak zokor_tls_library

typedef const struct secure_library *(*library_fn)(void);

static pthread_once_t found_once = PTHREAD_ONCE_INIT;
static const struct secure_library *found;
static char why_not[512];

/* The companion beside this library, wherever that was found; otherwise where the system keeps libraries. It is never
 * closed: OpenSSL leaves handlers behind that run when the process ends. */
static void *open_companion(void)
{
    Dl_info here;
    char path[4096];
    const char *slash = dladdr((void *)(uintptr_t)&why_not, &here) == 0 ? NULL : strrchr(here.dli_fname, '/');
    void *dl = NULL;
    if (slash != NULL && (size_t)(slash - here.dli_fname) < sizeof path - sizeof COMPANION - 1) {
        (void)snprintf(path, sizeof path, "%.*s/%s", (int)(slash - here.dli_fname), here.dli_fname, COMPANION);
        dl = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    }
    if (dl == NULL)
        dl = dlopen(COMPANION, RTLD_NOW | RTLD_LOCAL);
    if (dl == NULL)
        (void)snprintf(why_not, sizeof why_not, "TLS needs %s, which comes with libzokor.so: %s", COMPANION, dlerror());
    return dl;
}

static void find_library(void)
{
    if (zokor_tls_library != NULL) {
        found = zokor_tls_library();
        return;
    }
    void *dl = open_companion();
    if (dl == NULL)
        return;
    void *symbol = dlsym(dl, "zokor_tls_library");
    library_fn fn = NULL;
    memcpy(&fn, &symbol, sizeof fn);
    const struct secure_library *lib = fn == NULL ? NULL : fn();
    if (lib != NULL && lib->version == SECURE_LIBRARY_VERSION)
        found = lib;
    else
        (void)snprintf(why_not, sizeof why_not, "%s is of another version; install it and libzokor.so together",
                       COMPANION);
}

struct secure *secure_new(const struct tls_options *options, struct tls_error *err)
{
    (void)pthread_once(&found_once, find_library);
    if (found == NULL) {
        (void)snprintf(err->text, sizeof err->text, "%s", why_not);
        errno = ENOSYS;
        return NULL;
    }
    struct tls_context *context;
    if (found->context_new(options, &context, err) != 0) {
        errno = EINVAL;
        return NULL;
    }
    struct secure *s = mem_zalloc(sizeof *s);
    s->lib = found;
    s->context = context;
    s->verify_name = options->verify_name;
    buf_init(&s->clear, SIZE_MAX);
    buf_init(&s->plain, SIZE_MAX);
    return s;
}

void secure_free(struct secure *s)
{
    if (s == NULL)
        return;
    s->lib->conn_free(s->conn);
    s->lib->context_free(s->context);
    buf_fini(&s->clear);
    buf_fini(&s->plain);
    mem_free(s);
}

/* ---- a connection ---- */

static struct tls_conn *new_conn(struct secure *s, const struct client_addr *a, struct host_names *known)
{
    char address[80], *known_as[NAMES_OF_ONE_MAX + 1];
    const char *names[NAMES_OF_ONE_MAX + 1] = { NULL };
    size_t n = 0;
    addr_print_host(a, address, sizeof address);
    host_names_find(known, a, known_as);
    for (size_t i = 0; known_as[i] != NULL; i++)
        if (strcmp(known_as[i], address) != 0)
            names[n++] = known_as[i];
    struct tls_conn *c = s->lib->conn_new(
        s->context, &(struct tls_peer){ .name = names[0], .address = address, .others = n > 1 ? names + 1 : NULL });
    host_names_drop(known_as);
    return c;
}

int secure_begin(struct secure *s, const struct client_addr *a, struct host_names *names, struct buf *out, char *text,
                 size_t size)
{
    struct tls_error err;
    secure_end(s, NULL);
    if (s->lib->context_reload(s->context, &err) < 0) {
        (void)snprintf(text, size, "%s", err.text); /* the former keys stay */
        zlog(NULL, ZOO_LOG_LEVEL_WARN, "%s", err.text);
    }
    s->conn = new_conn(s, a, names);
    if (s->conn == NULL) {
        (void)snprintf(text, size, "no memory for TLS");
        return ERR_NO_MEMORY;
    }
    s->shaking = true;
    int rc = s->lib->begin(s->conn, out);
    if (rc != 0)
        s->lib->describe(s->conn, text, size);
    return rc;
}

void secure_end(struct secure *s, struct buf *out)
{
    if (s->conn != NULL && out != NULL && !s->shaking)
        s->lib->end(s->conn, out);
    s->lib->conn_free(s->conn);
    s->conn = NULL;
    s->shaking = false;
    buf_reset(&s->clear);
    buf_reset(&s->plain);
}

int secure_feed(struct secure *s, struct slice in, struct buf *out, bool *established, char *text, size_t size)
{
    *established = false;
    int rc = s->lib->feed(s->conn, in, &s->plain, out);
    if (rc == ERR_INVALID)
        s->lib->describe(s->conn, text, size);
    else if (s->shaking && s->lib->state(s->conn) != TLS_HANDSHAKE) {
        s->shaking = false;
        *established = true;
    }
    return rc;
}

int secure_seal(struct secure *s, struct buf *out)
{
    struct slice part = buf_slice(&s->clear);
    int rc = part.n == 0 ? 0 : s->lib->send(s->conn, &part, 1, out);
    buf_reset(&s->clear);
    return rc;
}
