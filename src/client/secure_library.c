/* The table of TLS: all of libzokor_tls.so, and a part of zokor. */
#include "client/secure.h"

__attribute__((visibility("default"))) const struct secure_library *zokor_tls_library(void)
{
    static const struct secure_library table = {
        .version = SECURE_LIBRARY_VERSION,
        .context_new = tls_context_new,
        .context_free = tls_context_free,
        .context_reload = tls_context_reload,
        .conn_new = tls_conn_new,
        .conn_free = tls_conn_free,
        .begin = tls_begin,
        .feed = tls_feed,
        .send = tls_send,
        .end = tls_end,
        .state = tls_state,
        .describe = tls_describe,
    };
    return &table;
}
