/* Handles over TLS: what the two interfaces say in the words of os/tls.h. */
#include "client/secure_options.h"
#include "client/shell.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

zhandle_t *zokor_init_tls(const char *host, const struct zokor_tls *tls, watcher_fn fn, int timeout_ms,
                          const clientid_t *id, void *context, int flags, log_callback_fn log_callback)
{
    struct zokor_tls o = { 0 };
    if (tls == NULL || tls->size < sizeof(size_t)) {
        errno = EINVAL;
        return NULL;
    }
    memcpy(&o, tls, tls->size < sizeof o ? tls->size : sizeof o);
    const struct tls_options options = secure_options(&o);
    return handle_make(host, fn, timeout_ms, id, context, flags, log_callback,
                       &(struct handle_options){ .polled = o.polled != 0, .tls = &options });
}

/* "ca,cert,key,password" as Apache's client cuts it. */
zhandle_t *zookeeper_init_ssl(const char *host, const char *cert, watcher_fn fn, int timeout_ms, const clientid_t *id,
                              void *context, int flags)
{
    char *text = cert == NULL ? NULL : strdup(cert), *rest = NULL;
    if (text == NULL) {
        errno = cert == NULL ? EINVAL : ENOMEM;
        return NULL;
    }
    struct zokor_tls o = { .size = sizeof o, .any_name = 1 };
    o.trust = strtok_r(text, ",", &rest);
    o.key = strtok_r(NULL, ",", &rest);
    o.key_apart = strtok_r(NULL, ",", &rest);
    o.key_password = strtok_r(NULL, ",", &rest);
    zhandle_t *zh = zokor_init_tls(host, &o, fn, timeout_ms, id, context, flags, NULL);
    int error = errno;
    free(text);
    errno = error;
    return zh;
}
