/* secure_options: the public description of TLS in the words of os/tls.h. */
#ifndef ZOKOR_CLIENT_SECURE_OPTIONS_H
#define ZOKOR_CLIENT_SECURE_OPTIONS_H

#include "os/tls.h"
#include "zokor/client.h"

/* Texts stay where they are. */
static inline struct tls_options secure_options(const struct zokor_tls *o)
{
    return (struct tls_options){
        .role = TLS_CLIENT,
        .trust = { .location = o->trust,
                   .password = o->trust_password,
                   .password_path = o->trust_password_file,
                   .type = o->trust_type },
        .key = { .location = o->key,
                 .key_location = o->key_apart,
                 .password = o->key_password,
                 .password_path = o->key_password_file,
                 .type = o->key_type },
        .protocols = o->protocols == NULL ? "TLSv1.2,TLSv1.3" : o->protocols,
        .ciphers = o->ciphers,
        .verify_name = o->any_name == 0,
        .prefix = "",
    };
}

#endif
