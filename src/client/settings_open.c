#include "client/settings.h"
#include <errno.h>

zhandle_t *settings_open(struct settings *s, const char *host, watcher_fn watcher, int timeout_ms, void *context,
                         int flags, log_callback_fn log_callback)
{
    zhandle_t *zh = NULL;
    if (s->logs_in) {
        zh = zokor_init_sasl(host, &s->sasl, s->secure ? &s->tls : NULL, watcher, timeout_ms, NULL, context, flags,
                             log_callback);
        if (zh != NULL || s->must_log_in || errno != ENOENT)
            return zh;
        s->logs_in = false;
    }
    if (s->secure)
        return zokor_init_tls(host, &s->tls, watcher, timeout_ms, NULL, context, flags, log_callback);
    return zookeeper_init2(host, watcher, timeout_ms, NULL, context, flags, log_callback);
}
