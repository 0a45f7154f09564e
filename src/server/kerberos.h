/* kerberos: names of Kerberos as ids of the scheme sasl. */
#ifndef ZOKOR_SERVER_KERBEROS_H
#define ZOKOR_SERVER_KERBEROS_H

#include "base/assert.h"
#include <stdbool.h>
#include <stddef.h>

/* The default realm of the system's Kerberos configuration (KRB5_CONFIG, /etc/krb5.conf), asked of libkrb5, which is
 * loaded for it. 0; ERR_NOT_FOUND: none is configured; ERR_UNSUPPORTED: no library; ERR_TOO_LONG. reason is filled on
 * an error. Start-up only. */
int kerberos_default_realm(char *out, size_t out_size, char *reason, size_t reason_size) WARN_UNUSED;

/* The id of a client, as SaslServerCallbackHandler makes it with the rule DEFAULT of KerberosName: a principal of the
 * default realm loses host or realm if that is configured; any other stays whole, so that no stranger's realm can make
 * a name of ours. A name without realm is of the default realm (libsasl2 cuts that off, and that one alone). Needs
 * out_size > strlen(name) + strlen(default_realm) + 1. */
void kerberos_id(const char *name, const char *default_realm, bool drop_host, bool drop_realm, char *out,
                 size_t out_size);

#endif
