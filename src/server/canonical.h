/* canonical: the full names of the ensemble's hosts (kerberos.canonicalizeHostNames), which Kerberos has in its
 * principals where zoo.cfg has aliases or addresses. They are looked up once, at the start, as Apache does: that may
 * wait for a name service. */
#ifndef ZOKOR_SERVER_CANONICAL_H
#define ZOKOR_SERVER_CANONICAL_H

#include "zab/members.h"

struct canonical;

/* Looks all of them up, and tells what came of it. */
struct canonical *canonical_new(const struct members *members);
/* NULL is fine. */
void canonical_free(struct canonical *c);
/* The full name of a host, or the host itself if it is not known; lives as long as c and host do. c may be NULL. */
const char *canonical_of(const struct canonical *c, const char *host);

#endif
