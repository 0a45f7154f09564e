/* kerberos_rules: security.auth_to_local, the rules by which Apache's KerberosName makes a short name of a principal:
 * DEFAULT, or RULE:[n:format](pattern)s/pattern/replacement/g, of which the parts in () and s/// may be missing. The
 * first rule that fits counts. */
#ifndef ZOKOR_BASE_KERBEROS_RULES_H
#define ZOKOR_BASE_KERBEROS_RULES_H

#include "base/assert.h"
#include "base/buf.h"

struct kerberos_rules;

/* "service/host@realm" in its parts; host is null where there is none. */
struct kerberos_name {
    struct slice service, host, realm;
};

struct kerberos_rules_error {
    char text[400]; /* which rule, and what is wrong with it */
};

/* Rules stand one behind the other, with or without blanks between. 0; ERR_INVALID: these are no rules, or Apache would
 * fail whenever one was used; ERR_UNSUPPORTED: a regular expression that this program does not know (pattern.h). err
 * is filled on an error. The text is not kept. */
int kerberos_rules_new(struct slice text, struct kerberos_rules **out, struct kerberos_rules_error *err) WARN_UNUSED;
/* NULL is fine. */
void kerberos_rules_free(struct kerberos_rules *r);
/* False for what KerberosName calls malformed: more than one slash or at sign, or no realm. The parts are name's. */
bool kerberos_name_parse(struct slice name, struct kerberos_name *out);
/* Appends the short name. 0; ERR_NOT_FOUND: no rule fits, or the first that does makes a name with a slash or an at
 * sign; then out is as before. */
int kerberos_rules_apply(const struct kerberos_rules *r, const struct kerberos_name *name, struct slice default_realm,
                         struct buf *out) WARN_UNUSED;

#endif
