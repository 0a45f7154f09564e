/* login_options: the public description of a login in the words of login.h. */
#ifndef ZOKOR_CLIENT_LOGIN_OPTIONS_H
#define ZOKOR_CLIENT_LOGIN_OPTIONS_H

#include "client/login.h"
#include "zokor/client.h"

/* Texts stay where they are. */
static inline struct login_options login_options(const struct zokor_sasl *o)
{
    return (struct login_options){
        .mechanisms = o->mechanism,
        .service = o->service,
        .host = o->host,
        .user = o->user,
        .realm = o->realm,
        .password = o->password,
        .password_file = o->password_file,
        .principal = o->principal,
        .keytab = o->keytab,
        .ticket_cache = o->ticket_cache,
        .jaas = o->jaas,
        .section = o->jaas_section,
    };
}

#endif
