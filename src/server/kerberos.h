/* kerberos: names of Kerberos as ids of the scheme sasl. */
#ifndef ZOKOR_SERVER_KERBEROS_H
#define ZOKOR_SERVER_KERBEROS_H

#include "base/assert.h"
#include "base/kerberos_rules.h"
#include <stdbool.h>
#include <stddef.h>

/* The default realm of the system's Kerberos configuration (KRB5_CONFIG, /etc/krb5.conf), asked of libkrb5, which is
 * loaded for it. 0; ERR_NOT_FOUND: none is configured; ERR_UNSUPPORTED: no library; ERR_TOO_LONG. reason is filled on
 * an error. Start-up only. */
int kerberos_default_realm(char *out, size_t out_size, char *reason, size_t reason_size) WARN_UNUSED;

/* How ids are made of principals. */
struct kerberos_ids {
    const struct kerberos_rules *rules;
    const char *default_realm;
    bool drop_host, drop_realm;
};

/* The id of a client, as SaslServerCallbackHandler makes it: the short name that the rules make, then host and realm of
 * the principal unless they are dropped. A principal that no rule fits, or that is malformed, stays whole; so with the
 * rule DEFAULT no stranger's realm can make a name of ours. A name without realm is of the default realm (libsasl2 cuts
 * that off, and that one alone). Free it with mem_free. */
char *kerberos_id(const struct kerberos_ids *how, const char *name);

#endif
