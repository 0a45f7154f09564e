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
#define NAMES_MAX 4096u
#define NAMES_OF_ONE_MAX 8

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
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

static void forget_names(struct secure *s)
{
    for (size_t i = 0; i < s->name_count; i++)
        mem_free(s->names[i].name);
    mem_free(s->names);
    s->names = NULL;
    s->name_count = 0;
}

void secure_free(struct secure *s)
{
    if (s == NULL)
        return;
    s->lib->conn_free(s->conn);
    s->lib->context_free(s->context);
    buf_fini(&s->clear);
    buf_fini(&s->plain);
    forget_names(s);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

/* Names are kept when the list changes: a connection to a server of the old one may be under way. */
void secure_note_name(struct secure *s, const struct client_addr *a, const char *name)
{
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->name_count; i++)
        if (client_addr_eq(&s->names[i].addr, a) && strcmp(s->names[i].name, name) == 0)
            goto out;
    if (s->name_count == NAMES_MAX)
        forget_names(s);
    s->names = mem_realloc(s->names, (s->name_count + 1) * sizeof *s->names);
    char *copy = mem_alloc(strlen(name) + 1);
    memcpy(copy, name, strlen(name) + 1);
    s->names[s->name_count++] = (struct secure_name){ .addr = *a, .name = copy };
out:
    pthread_mutex_unlock(&s->lock);
}

/* ---- a connection ---- */

/* "1.2.3.4:5" and "[::1]:5" without their ends. */
static void address_text(const struct client_addr *a, char *out, size_t size)
{
    char text[80];
    addr_print(a, text, sizeof text);
    char *colon = strrchr(text, ':');
    if (colon != NULL)
        *colon = '\0';
    bool brackets = text[0] == '[';
    size_t n = strlen(text);
    if (brackets && n > 1)
        text[n - 1] = '\0';
    (void)snprintf(out, size, "%s", text + (brackets ? 1 : 0));
}

static struct tls_conn *new_conn(struct secure *s, const struct client_addr *a)
{
    char address[80];
    const char *names[NAMES_OF_ONE_MAX + 1] = { NULL };
    size_t n = 0;
    address_text(a, address, sizeof address);
    pthread_mutex_lock(&s->lock);
    for (size_t i = s->name_count; i-- > 0 && n < NAMES_OF_ONE_MAX;)
        if (client_addr_eq(&s->names[i].addr, a) && strcmp(s->names[i].name, address) != 0)
            names[n++] = s->names[i].name;
    struct tls_conn *c = s->lib->conn_new(
        s->context, &(struct tls_peer){ .name = names[0], .address = address, .others = n > 1 ? names + 1 : NULL });
    pthread_mutex_unlock(&s->lock);
    return c;
}

int secure_begin(struct secure *s, const struct client_addr *a, struct buf *out, char *text, size_t size)
{
    struct tls_error err;
    secure_end(s, NULL);
    if (s->lib->context_reload(s->context, &err) < 0) {
        (void)snprintf(text, size, "%s", err.text); /* the former keys stay */
        zlog(NULL, ZOO_LOG_LEVEL_WARN, "%s", err.text);
    }
    s->conn = new_conn(s, a);
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
