/* What connections are made of beside sockets: TLS and SASL, by the settings that zokor cli takes, too. */
#include "bench/internal.h"
#include "client/login_options.h"
#include "client/secure_options.h"
#include <errno.h>
#include <stdio.h>

static int init_tls(struct bench_access *a, const struct settings *s)
{
    struct tls_error err;
    const struct tls_options options = secure_options(&s->tls);
    int rc = tls_context_new(&options, &a->tls, &err);
    if (rc != 0)
        fprintf(stderr, "zokor: bench: %s\n", err.text);
    return rc;
}

static int init_login(struct bench_access *a, const struct settings *s)
{
    struct login_error err;
    const struct login_options options = login_options(&s->sasl);
    a->login = login_new(&options, &err);
    if (a->login != NULL || (errno == ENOENT && !s->must_log_in)) /* as settings_open */
        return 0;
    fprintf(stderr, "zokor: bench: %s\n", err.text);
    return -1;
}

int access_init(struct bench_access *a, const struct bench_options *o)
{
    struct settings s;
    struct buf error, warnings;
    buf_init(&error, SIZE_MAX / 2);
    buf_init(&warnings, SIZE_MAX / 2);
    settings_init(&s);
    a->auth = o->auth;
    int rc = settings_read(&s, &o->connect, &error, &warnings);
    fprintf(stderr, "%.*s", (int)warnings.n, warnings.n > 0 ? (const char *)warnings.p : "");
    if (rc != 0)
        fprintf(stderr, "zokor: bench: %.*s\n", (int)error.n, (const char *)error.p);
    if (rc == 0 && s.secure)
        rc = init_tls(a, &s);
    if (rc == 0 && s.logs_in)
        rc = init_login(a, &s);
    settings_fini(&s);
    buf_fini(&error);
    buf_fini(&warnings);
    return rc;
}

void access_fini(struct bench_access *a)
{
    tls_context_free(a->tls);
    login_free(a->login);
}
