/* Handles that log in by SASL: how the two interfaces say it, and the steps on a connection. */
#define HAVE_CYRUS_SASL_H
#include "base/mem.h"
#include "client/login_internal.h"
#include "client/login_options.h"
#include "client/secure_options.h"
#include "client/shell.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PASSWORD_BYTES_MAX 1024u /* as Apache's C client takes */

/* ---- steps: the io thread ---- */

/* "address;port", as libsasl2 wants it; "" if it is unknown. */
static void end_text(int sock, bool remote, char *out, size_t size)
{
    struct client_addr a = { 0 };
    struct sockaddr_storage s;
    socklen_t n = sizeof s;
    int rc = remote ? getpeername(sock, (struct sockaddr *)&s, &n) : getsockname(sock, (struct sockaddr *)&s, &n);
    char whole[80], host[80];
    out[0] = '\0';
    if (rc != 0 || n > sizeof a.bytes)
        return;
    a.n = (uint8_t)n;
    memcpy(a.bytes, &s, n);
    addr_print(&a, whole, sizeof whole);
    addr_print_host(&a, host, sizeof host);
    const char *colon = strrchr(whole, ':');
    (void)snprintf(out, size, "%s;%s", host, colon == NULL ? "" : colon + 1);
}

static struct login_exchange *begin(zhandle_t *zh)
{
    char local[96], remote[96], address[80], *names[NAMES_OF_ONE_MAX + 1];
    struct client_addr a;
    pthread_mutex_lock(&zh->lock);
    a = client_linked(zh->core);
    pthread_mutex_unlock(&zh->lock);
    end_text(zh->sock, false, local, sizeof local);
    end_text(zh->sock, true, remote, sizeof remote);
    addr_print_host(&a, address, sizeof address);
    host_names_find(&zh->names, &a, names);
    struct login_exchange *x =
        login_exchange_new(zh->login, &(struct login_peer){ .name = names[0] != NULL ? names[0] : address,
                                                            .local = local[0] == '\0' ? NULL : local,
                                                            .remote = remote[0] == '\0' ? NULL : remote });
    host_names_drop(names);
    return x;
}

void io_log_in(zhandle_t *zh)
{
    struct slice token, reply;
    bool begins = client_login_token(zh->core, &token);
    if (begins) {
        login_exchange_free(zh->exchange);
        zh->exchange = begin(zh);
    }
    enum login_state how = login_step(zh->exchange, begins ? NULL : &token, &reply);
    if (how == LOGIN_FAILED)
        zlog(zh, ZOO_LOG_LEVEL_ERROR, "the login by SASL has failed: %s", login_reason(zh->exchange));
    pthread_mutex_lock(&zh->lock);
    enum client_state before = client_state_of(zh->core);
    client_login_answer(zh->core, how, reply, clock_ms());
    if (how != LOGIN_FAILED)
        io_note_session(zh, before);
    pthread_mutex_unlock(&zh->lock);
    if (how != LOGIN_MORE) { /* and with it what it knows of the password */
        login_exchange_free(zh->exchange);
        zh->exchange = NULL;
    }
}

/* ---- Apache's interface ---- */

zhandle_t *zookeeper_init_sasl(const char *host, watcher_fn fn, int timeout_ms, const clientid_t *id, void *context,
                               int flags, log_callback_fn log_callback, zoo_sasl_params_t *params)
{
    static const sasl_callback_t none[] = { { SASL_CB_LIST_END, NULL, NULL } };
    if (params == NULL)
        return zookeeper_init2(host, fn, timeout_ms, id, context, flags, log_callback);
    const struct login_options login = { .mechanisms = params->mechlist,
                                         .service = params->service,
                                         .host = params->host,
                                         .callbacks = params->callbacks != NULL ? params->callbacks : none };
    return handle_make(host, fn, timeout_ms, id, context, flags, log_callback,
                       &(struct handle_options){ .login = &login });
}

/* What zoo_sasl_make_password_callbacks gives away: one block, of which the list is the beginning, so that free() of
 * the list frees all of it. */
struct basic {
    sasl_callback_t list[5];
    zoo_sasl_password_callback_t decode;
    void *decode_context;
    const char *password_file;
    union {
        sasl_secret_t secret;
        char room[sizeof(sasl_secret_t) + PASSWORD_BYTES_MAX + 1];
    } password;
    char texts[];
};

static int give_name(void *context, int id, const char **result, unsigned *n)
{
    (void)id;
    if (result == NULL)
        return SASL_BADPARAM;
    *result = context;
    if (n != NULL)
        *n = context == NULL ? 0 : (unsigned)strlen(context);
    return SASL_OK;
}

static int give_realm(void *context, int id, const char **offered, const char **result)
{
    (void)id, (void)offered;
    *result = context;
    return SASL_OK;
}

/* What `decode` makes of the file as it is. */
static int decode_password(const struct basic *b, char *out, size_t size)
{
    char raw[PASSWORD_BYTES_MAX];
    FILE *f = fopen(b->password_file, "re");
    if (f == NULL)
        return SASL_FAIL;
    size_t n = fread(raw, 1, sizeof raw - 1, f), made = 0;
    int rc = ferror(f) == 0 ? SASL_OK : SASL_FAIL;
    (void)fclose(f);
    raw[n] = '\0';
    if (rc == SASL_OK)
        rc = b->decode(raw, n, b->decode_context, out, size - 1, &made);
    explicit_bzero(raw, sizeof raw);
    if (rc == SASL_OK && made >= size)
        rc = SASL_BUFOVER;
    out[rc == SASL_OK ? made : 0] = '\0';
    return rc;
}

static int ask_password(char *out, size_t size)
{
    char *typed = getpass("Password: ");
    if (typed == NULL || strlen(typed) >= size)
        return SASL_FAIL;
    (void)snprintf(out, size, "%s", typed);
    explicit_bzero(typed, strlen(typed));
    return SASL_OK;
}

static int give_password(sasl_conn_t *conn, void *context, int id, sasl_secret_t **out)
{
    struct basic *b = context;
    char text[PASSWORD_BYTES_MAX] = "";
    if (conn == NULL || out == NULL || id != SASL_CB_PASS || (b->password_file == NULL && b->decode != NULL))
        return SASL_BADPARAM;
    int rc = b->password_file == NULL                                     ? ask_password(text, sizeof text)
             : b->decode != NULL                                          ? decode_password(b, text, sizeof text)
             : login_first_line(b->password_file, text, sizeof text) == 0 ? SASL_OK
                                                                          : SASL_FAIL;
    if (rc != SASL_OK)
        return rc;
    size_t n = strnlen(text, sizeof text);
    b->password.secret.len = n;
    memcpy(b->password.room + offsetof(sasl_secret_t, data), text, n);
    b->password.room[offsetof(sasl_secret_t, data) + n] = '\0';
    explicit_bzero(text, sizeof text);
    *out = &b->password.secret;
    return SASL_OK;
}

static char *put_text(char **at, const char *text)
{
    if (text == NULL)
        return NULL;
    size_t n = strlen(text) + 1;
    char *p = memcpy(*at, text, n);
    *at += n;
    return p;
}

static size_t text_bytes(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

sasl_callback_t *zoo_sasl_make_password_callbacks(const char *user, const char *realm, zoo_sasl_password_t *password)
{
    const char *file = password == NULL ? NULL : password->password_file;
    struct basic *b = calloc(1, sizeof *b + text_bytes(user) + text_bytes(realm) + text_bytes(file));
    if (b == NULL)
        return NULL;
    char *at = b->texts;
    char *kept_user = put_text(&at, user), *kept_realm = put_text(&at, realm);
    b->password_file = put_text(&at, file);
    b->decode = password == NULL ? NULL : password->callback;
    b->decode_context = password == NULL ? NULL : password->context;
    const sasl_callback_t list[] = {
        CYRUS_CLIENT_CALLBACK(SASL_CB_GETREALM, give_realm, kept_realm),
        CYRUS_CLIENT_CALLBACK(SASL_CB_USER, give_name, kept_user),
        CYRUS_CLIENT_CALLBACK(SASL_CB_AUTHNAME, give_name, kept_user),
        CYRUS_CLIENT_CALLBACK(SASL_CB_PASS, give_password, b),
        { SASL_CB_LIST_END, NULL, NULL },
    };
    memcpy(b->list, list, sizeof list);
    return b->list;
}

sasl_callback_t *zoo_sasl_make_basic_callbacks(const char *user, const char *realm, const char *password_file)
{
    return zoo_sasl_make_password_callbacks(user, realm, &(zoo_sasl_password_t){ .password_file = password_file });
}

/* ---- ours ---- */

zhandle_t *zokor_init_sasl(const char *host, const struct zokor_sasl *sasl, const struct zokor_tls *tls, watcher_fn fn,
                           int timeout_ms, const clientid_t *id, void *context, int flags, log_callback_fn log_callback)
{
    struct zokor_sasl o = { 0 };
    struct zokor_tls t = { 0 };
    if (sasl == NULL || sasl->size < sizeof(size_t) || (tls != NULL && tls->size < sizeof(size_t))) {
        errno = EINVAL;
        return NULL;
    }
    memcpy(&o, sasl, sasl->size < sizeof o ? sasl->size : sizeof o);
    if (tls != NULL)
        memcpy(&t, tls, tls->size < sizeof t ? tls->size : sizeof t);
    const struct tls_options secure = secure_options(&t);
    const struct login_options login = login_options(&o);
    return handle_make(host, fn, timeout_ms, id, context, flags, log_callback,
                       &(struct handle_options){ .polled = o.polled != 0 || t.polled != 0,
                                                 .tls = tls != NULL ? &secure : NULL,
                                                 .login = &login });
}
