/* tls_name: a certificate's subject in the words of Java's X500Principal.getName(), since that text is the id of the
 * scheme x509 in ACLs that exist. It is RFC 2253 with Java's own habits (sun.security.x509.AVA, measured with
 * OpenJDK 17): nine keywords, other types as dotted numbers with the value in hexadecimal; '=' and '#' are escaped
 * anywhere; the bytes of every string type are read as UTF-8, whatever the type says. */
#include "os/tls_internal.h"
#include <openssl/objects.h>

static const struct {
    int nid;
    const char *keyword;
} KEYWORDS[] = {
    { NID_commonName, "CN" },          { NID_countryName, "C" },      { NID_localityName, "L" },
    { NID_stateOrProvinceName, "ST" }, { NID_organizationName, "O" }, { NID_organizationalUnitName, "OU" },
    { NID_streetAddress, "STREET" },   { NID_domainComponent, "DC" }, { NID_userId, "UID" },
};

static const char *keyword_of(const ASN1_OBJECT *type)
{
    int nid = OBJ_obj2nid(type);
    for (size_t i = 0; i < ARRAY_COUNT(KEYWORDS); i++)
        if (KEYWORDS[i].nid == nid)
            return KEYWORDS[i].keyword;
    return NULL;
}

static bool is_text(int type)
{
    switch (type) {
    case V_ASN1_UTF8STRING:
    case V_ASN1_PRINTABLESTRING:
    case V_ASN1_T61STRING:
    case V_ASN1_IA5STRING:
    case V_ASN1_GENERALSTRING:
    case V_ASN1_BMPSTRING:
        return true;
    default:
        return false;
    }
}

static void append_hex(struct buf *out, const ASN1_STRING *value)
{
    ASN1_TYPE any = { .type = ASN1_STRING_type(value) };
    any.value.asn1_string = (ASN1_STRING *)(uintptr_t)value;
    unsigned char *der = NULL;
    int n = i2d_ASN1_TYPE(&any, &der);
    buf_append(out, "#", 1);
    for (int i = 0; i < n; i++) {
        static const char digits[] = "0123456789abcdef";
        buf_append(out, &digits[der[i] >> 4], 1);
        buf_append(out, &digits[der[i] & 15], 1);
    }
    OPENSSL_free(der);
}

/* The bytes at p that are one character of UTF-8, *valid; or those that Java's decoder replaces by one U+FFFD. */
static size_t one_character(const uint8_t *p, size_t n, bool *valid)
{
    uint8_t lead = p[0];
    *valid = lead < 0x80;
    size_t want = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (want < 2)
        return 1;
    uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80, high = lead == 0xf4 ? 0x8f : 0xbf;
    size_t have = 1;
    while (have < want && have < n && p[have] >= low && p[have] <= high) {
        have++;
        low = 0x80;
        high = 0xbf;
    }
    bool surrogate = have == 3 && lead == 0xed && p[1] >= 0xa0;
    *valid = have == want && !surrogate;
    return have;
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\r';
}

static void append_text(struct buf *out, const uint8_t *p, size_t n)
{
    size_t lead = 0, trail = n;
    while (lead < n && is_blank(p[lead]))
        lead++;
    while (trail > lead && is_blank(p[trail - 1]))
        trail--;
    for (size_t i = 0; i < n;) {
        bool valid;
        size_t used = one_character(p + i, n - i, &valid);
        if (!valid)
            buf_append(out, "\xef\xbf\xbd", 3);
        else if (p[i] == 0)
            buf_append(out, "\\00", 3);
        else {
            if (i < lead || i >= trail || strchr(",=+<>#;\"\\", p[i]) != NULL)
                buf_append(out, "\\", 1);
            buf_append(out, p + i, used);
        }
        i += used;
    }
}

static void append_entry(struct buf *out, const X509_NAME_ENTRY *entry)
{
    const ASN1_OBJECT *type = X509_NAME_ENTRY_get_object(entry);
    const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
    const char *keyword = keyword_of(type);
    if (keyword != NULL) {
        buf_append_slice(out, slice_str(keyword));
    } else {
        char dotted[256];
        int n = OBJ_obj2txt(dotted, sizeof dotted, type, 1);
        buf_append(out, dotted, n < 0 ? 0 : strnlen(dotted, sizeof dotted));
    }
    buf_append(out, "=", 1);
    if (keyword != NULL && is_text(ASN1_STRING_type(value)))
        append_text(out, ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    else
        append_hex(out, value);
}

/* The last relative name comes first; the parts of one that has several keep their order. */
void tls_name_append(const X509_NAME *name, struct buf *out)
{
    int end = X509_NAME_entry_count(name);
    const size_t start = out->n;
    while (end > 0) {
        int set = X509_NAME_ENTRY_set(X509_NAME_get_entry(name, end - 1));
        int first = end - 1;
        while (first > 0 && X509_NAME_ENTRY_set(X509_NAME_get_entry(name, first - 1)) == set)
            first--;
        for (int i = first; i < end; i++) {
            if (out->n != start)
                buf_append(out, i == first ? "," : "+", 1);
            append_entry(out, X509_NAME_get_entry(name, i));
        }
        end = first;
    }
}
