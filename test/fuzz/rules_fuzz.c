/* security.auth_to_local: the input is a principal, its line's end, and rules. The rules are refused with a text or
 * give the principal a short name, or none. */
#include "base/err.h"
#include "base/kerberos_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *line = size == 0 ? NULL : memchr(data, '\n', size);
    size_t named = line == NULL ? 0 : (size_t)(line - data), from = line == NULL ? 0 : named + 1;
    struct kerberos_rules *rules;
    struct kerberos_rules_error why = { "" };
    if (kerberos_rules_new(slice_of(data + from, size - from), &rules, &why) < 0) {
        ASSERT(why.text[0] != '\0');
        return 0;
    }
    struct kerberos_name name;
    struct buf b;
    buf_init(&b, 1 << 20);
    if (kerberos_name_parse(slice_of(data, named), &name)) {
        int rc = kerberos_rules_apply(rules, &name, slice_str("EXAMPLE.COM"), &b);
        ASSERT(rc == 0 || (rc == ERR_NOT_FOUND && b.n == 0));
        for (size_t i = 0; i < b.n; i++)
            ASSERT(b.p[i] != '/' && b.p[i] != '@');
    }
    buf_fini(&b);
    kerberos_rules_free(rules);
    return 0;
}
