#include "server/kerberos_login.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/gss.h"
#include "base/list.h"
#include "base/mem.h"
#include "os/library.h"
#include "os/thread.h"
#include "server/sasl_library.h"
#include <stdio.h>

#define CACHE "MEMORY:zokor-quorum" /* tickets live in this process alone */
#define NAME_BYTES_MAX 600u

/* ---- the library ---- */

#define GSS_CONTINUES 1u
#define GSS_FLAGS (2u | 4u | 8u | 32u) /* mutual, replay, sequence, integrity */
#define LAYER_NONE 1                   /* RFC 4752: nothing of what follows is signed or encrypted */

static void *find(void *library, const char *name)
{
    return library_symbol(library, name);
}

/* ---- logins ---- */

struct kerberos_login {
    struct library *library;
    struct gss gss;
    char principal[NAME_BYTES_MAX], service[NAME_BYTES_MAX];
    char *keytab;
    struct thread thread;
    bool has_thread; /* it begins with the first attempt */
    size_t attempt_count;
    struct mutex mutex; /* guards what follows, and the first fields of attempts */
    struct cond cond;
    struct list orders; /* attempts that wait for the thread */
    bool stopping;
    void (*changed)(void *ctx);
    void *changed_ctx;
};

struct kerberos_attempt {
    struct kerberos_login *login;
    struct list order; /* under the mutex, as the two below */
    bool ready, abandoned;
    /* The thread's until ready. */
    char target[NAME_BYTES_MAX];
    void *target_name, *context;
    struct gss_bytes first; /* token */
    char reason[400];       /* why it failed; "": it has not */
    /* The owner's. */
    bool has_begun, agreed, done; /* agreed: the context is there, the layer comes next */
    struct buf reply;
};

static void explain(struct kerberos_attempt *a, const char *what, uint32_t major, uint32_t minor)
{
    char reason[GSS_REASON_BYTES];
    gss_reason(&a->login->gss, major, minor, reason);
    snprintf(a->reason, sizeof a->reason, "%s: %s (principal %.80s, key tab %.80s)", what, reason, a->login->principal,
             a->login->keytab != NULL ? a->login->keytab : "of the system");
}

/* ---- on the thread: what may ask a KDC ---- */

static bool import(struct kerberos_attempt *a, char *name, void **out)
{
    uint32_t minor;
    struct gss_bytes text = { strlen(name), name };
    uint32_t major = a->login->gss.import_name(&minor, &text, &GSS_PRINCIPAL, out);
    if (GSS_FAILED(major))
        explain(a, name, major, minor);
    return !GSS_FAILED(major);
}

static void begin(struct kerberos_attempt *a)
{
    struct kerberos_login *l = a->login;
    const struct gss *g = &l->gss;
    struct gss_setting settings[2] = { { "ccache", CACHE }, { "client_keytab", l->keytab } };
    const struct gss_store store = { l->keytab != NULL ? 2 : 1, settings };
    void *self = NULL, *cred = NULL;
    uint32_t minor, major;
    if (!import(a, l->principal, &self) || !import(a, a->target, &a->target_name))
        goto out;
    major = g->acquire_cred_from(&minor, self, UINT32_MAX, NULL, GSS_INITIATE, &store, &cred, NULL, NULL);
    if (GSS_FAILED(major)) {
        explain(a, "no ticket", major, minor);
        goto out;
    }
    major = g->init_sec_context(&minor, cred, &a->context, a->target_name, &GSS_KRB5, GSS_FLAGS, 0, NULL, NULL, NULL,
                                &a->first, NULL, NULL);
    if (GSS_FAILED(major))
        explain(a, a->target, major, minor);
out:
    (void)g->release_cred(&minor, &cred);
    (void)g->release_name(&minor, &self);
}

static void forget(struct kerberos_attempt *a)
{
    const struct gss *g = &a->login->gss;
    uint32_t minor;
    if (a->context != NULL)
        (void)g->delete_sec_context(&minor, &a->context, NULL);
    (void)g->release_name(&minor, &a->target_name);
    (void)g->release_buffer(&minor, &a->first);
    buf_fini(&a->reply);
    mem_free(a);
}

static void run(void *ctx)
{
    struct kerberos_login *l = ctx;
    mutex_lock(&l->mutex);
    while (!l->stopping) {
        if (list_empty(&l->orders)) {
            cond_wait(&l->cond, &l->mutex);
            continue;
        }
        struct kerberos_attempt *a = CONTAINER_OF(l->orders.next, struct kerberos_attempt, order);
        list_remove(&a->order);
        bool wanted = !a->abandoned;
        mutex_unlock(&l->mutex);
        if (wanted)
            begin(a);
        mutex_lock(&l->mutex);
        a->ready = true;
        if (a->abandoned)
            forget(a);
        else if (l->changed != NULL)
            l->changed(l->changed_ctx);
    }
    mutex_unlock(&l->mutex);
}

/* ---- life ---- */

static int name_service(struct kerberos_login *l, const struct kerberos_login_options *o, struct sasl_error *err)
{
    const char *realm = strchr(o->principal, '@');
    bool has_realm = strchr(o->service, '@') != NULL;
    int n = snprintf(l->service, sizeof l->service, "%s%s", o->service, has_realm || realm == NULL ? "" : realm);
    int m = snprintf(l->principal, sizeof l->principal, "%s", o->principal);
    if (strchr(o->service, '/') == NULL || n >= (int)sizeof l->service || m >= (int)sizeof l->principal)
        return sasl_error_set(err, ERR_INVALID,
                              "quorum.auth.kerberos.servicePrincipal=%.200s: a principal of the form SERVICE/HOST is "
                              "needed; _HOST stands for the host that is dialled",
                              o->service);
    return 0;
}

int kerberos_login_new(const struct kerberos_login_options *options, struct kerberos_login **out,
                       struct sasl_error *err)
{
    char reason[300] = "";
    struct kerberos_login *l = mem_zalloc(sizeof *l);
    mutex_init(&l->mutex);
    cond_init(&l->cond);
    list_init(&l->orders);
    if (options->keytab != NULL) {
        l->keytab = mem_alloc(strlen(options->keytab) + 1);
        memcpy(l->keytab, options->keytab, strlen(options->keytab) + 1);
    }
    int rc = name_service(l, options, err);
    if (rc == 0 && (l->library = library_open(GSS_LIBRARY, reason, sizeof reason)) == NULL)
        rc = sasl_error_set(
            err, ERR_UNSUPPORTED,
            "Kerberos needs the library " GSS_LIBRARY ": %s. Debian has it in the package libgssapi-krb5-2", reason);
    const char *missing = rc == 0 ? gss_bind(&l->gss, find, l->library) : NULL;
    if (missing != NULL)
        rc = sasl_error_set(err, ERR_UNSUPPORTED, GSS_LIBRARY " has no function %s", missing);
    if (rc == 0)
        *out = l;
    else
        kerberos_login_free(l);
    return rc;
}

void kerberos_login_free(struct kerberos_login *l)
{
    if (l == NULL)
        return;
    ASSERT(l->attempt_count == 0);
    if (l->has_thread) {
        mutex_lock(&l->mutex);
        l->stopping = true;
        cond_signal(&l->cond);
        mutex_unlock(&l->mutex);
        thread_join(&l->thread);
    }
    while (!list_empty(&l->orders)) {
        struct kerberos_attempt *a = CONTAINER_OF(l->orders.next, struct kerberos_attempt, order);
        list_remove(&a->order);
        forget(a);
    }
    library_close(l->library);
    mutex_fini(&l->mutex);
    cond_fini(&l->cond);
    mem_free(l->keytab);
    mem_free(l);
}

void kerberos_login_listen(struct kerberos_login *l, void (*changed)(void *ctx), void *ctx)
{
    mutex_lock(&l->mutex);
    l->changed = changed;
    l->changed_ctx = ctx;
    mutex_unlock(&l->mutex);
}

/* ---- attempts ---- */

/* As SecurityUtils.getServerPrincipal. */
static void name_target(struct kerberos_attempt *a, const char *host)
{
    const char *service = a->login->service, *mark = strstr(service, "/_HOST");
    int n = mark == NULL ? snprintf(a->target, sizeof a->target, "%s", service)
                         : snprintf(a->target, sizeof a->target, "%.*s/%s%s", (int)(mark - service), service, host,
                                    mark + strlen("/_HOST"));
    if (n >= (int)sizeof a->target)
        snprintf(a->reason, sizeof a->reason, "the name of the host %.100s is too long for a principal", host);
}

struct kerberos_attempt *kerberos_attempt_new(struct kerberos_login *l, const char *host)
{
    struct kerberos_attempt *a = mem_zalloc(sizeof *a);
    a->login = l;
    list_init(&a->order);
    buf_init_refusable(&a->reply, 64u * 1024);
    name_target(a, host);
    l->attempt_count++;
    mutex_lock(&l->mutex);
    if (a->reason[0] != '\0')
        a->ready = true;
    else
        list_push_back(&l->orders, &a->order);
    cond_signal(&l->cond);
    mutex_unlock(&l->mutex);
    if (!l->has_thread)
        thread_start(&l->thread, "kerberos", run, l);
    l->has_thread = true;
    return a;
}

void kerberos_attempt_free(struct kerberos_attempt *a)
{
    if (a == NULL)
        return;
    struct kerberos_login *l = a->login;
    l->attempt_count--;
    mutex_lock(&l->mutex);
    bool mine = a->ready;
    a->abandoned = true; /* else the thread frees it */
    mutex_unlock(&l->mutex);
    if (mine)
        forget(a);
}

bool kerberos_attempt_ready(struct kerberos_attempt *a)
{
    mutex_lock(&a->login->mutex);
    bool ready = a->ready;
    mutex_unlock(&a->login->mutex);
    return ready;
}

static enum sasl_state refuse(struct kerberos_attempt *a, const char *what, uint32_t major, uint32_t minor)
{
    explain(a, what, major, minor);
    return SASL_STATE_FAILED;
}

/* Nothing of it may need a KDC: the other side has answered. */
static enum sasl_state go_on(struct kerberos_attempt *a, struct gss_bytes in)
{
    const struct gss *g = &a->login->gss;
    struct gss_bytes out = { 0 };
    uint32_t minor, ignored;
    uint32_t major = g->init_sec_context(&minor, NULL, &a->context, a->target_name, &GSS_KRB5, GSS_FLAGS, 0, NULL, &in,
                                         NULL, &out, NULL, NULL);
    if (GSS_FAILED(major))
        return refuse(a, "the other server's answer is wrong", major, minor);
    a->agreed = (major & GSS_CONTINUES) == 0;
    buf_append(&a->reply, out.p, out.n);
    (void)g->release_buffer(&ignored, &out);
    return SASL_STATE_MORE;
}

/* RFC 4752, 3.1: it offers layers, we take none, and say who we are, as Java's client does. */
static enum sasl_state agree_on_layer(struct kerberos_attempt *a, struct gss_bytes in)
{
    const struct gss *g = &a->login->gss;
    struct gss_bytes offer = { 0 }, sealed = { 0 };
    uint32_t minor, ignored;
    uint8_t answer[4 + NAME_BYTES_MAX] = { LAYER_NONE };
    size_t n = strlen(a->login->principal);
    uint32_t major = g->unwrap(&minor, a->context, &in, &offer, NULL, NULL);
    if (GSS_FAILED(major))
        return refuse(a, "the other server's offer is wrong", major, minor);
    bool good = offer.n == 4 && (((const uint8_t *)offer.p)[0] & LAYER_NONE) != 0;
    (void)g->release_buffer(&ignored, &offer);
    if (!good) {
        snprintf(a->reason, sizeof a->reason, "the other server wants to sign or encrypt, which ends with the login");
        return SASL_STATE_FAILED;
    }
    memcpy(answer + 4, a->login->principal, n);
    struct gss_bytes plain = { 4 + n, answer };
    major = g->wrap(&minor, a->context, 0, 0, &plain, NULL, &sealed);
    if (GSS_FAILED(major))
        return refuse(a, "our answer cannot be sealed", major, minor);
    buf_append(&a->reply, sealed.p, sealed.n);
    (void)g->release_buffer(&ignored, &sealed);
    a->done = true;
    return SASL_STATE_DONE;
}

enum sasl_state kerberos_attempt_step(struct kerberos_attempt *a, struct slice token, struct slice *reply)
{
    enum sasl_state state = SASL_STATE_MORE;
    *reply = (struct slice){ 0 };
    if (a->reason[0] != '\0')
        return SASL_STATE_FAILED;
    buf_reset(&a->reply);
    struct gss_bytes in = { token.n, (void *)(uintptr_t)token.p };
    if (a->done) {
        snprintf(a->reason, sizeof a->reason, "a token after the end of the exchange");
        return SASL_STATE_FAILED;
    }
    if (!a->has_begun)
        buf_append(&a->reply, a->first.p, a->first.n);
    else if (!a->agreed)
        state = go_on(a, in);
    else
        state = agree_on_layer(a, in);
    a->has_begun = true;
    if (a->reply.err != 0) {
        snprintf(a->reason, sizeof a->reason, "no memory for the login, or its token is too long");
        return SASL_STATE_FAILED;
    }
    if (state != SASL_STATE_FAILED && a->reply.n != 0)
        *reply = buf_slice(&a->reply);
    return state;
}

const char *kerberos_attempt_reason(const struct kerberos_attempt *a)
{
    return a->reason;
}
