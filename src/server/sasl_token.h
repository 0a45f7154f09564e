/* sasl_token: looks at tokens of DIGEST-MD5 before libsasl2 does. Pure. */
#ifndef ZOKOR_SERVER_SASL_TOKEN_H
#define ZOKOR_SERVER_SASL_TOKEN_H

#include "base/slice.h"

/* NULL if the token is a list of directives, name=value with commas between, of which no two have the same name (RFC
 * 2831, 2.1.2 and 7.1); otherwise what is wrong with it (static). libsasl2 2.1.28 keeps every value of a name that is
 * there twice and frees the last one alone, so that strangers could eat the server's memory. */
const char *sasl_token_wrong(struct slice token);
/* The value of a directive, without its quotes and with its backslashes; null if a token that sasl_token_wrong finds
 * nothing about has none of that name. */
struct slice sasl_token_value(struct slice token, const char *name);

#endif
