/* Subjects of certificates: each row's text is what OpenJDK 17 printed (X500Principal.getName()) for the bytes. */
#include "base/err.h"
#include "os/tls_internal.h"
#include "os/tls_test_support.h"

/* DER of a name in hexadecimal, and its text. */
static const struct {
    const char *der, *text;
} ROWS[] = {
    /* the last part comes first */
    { "3020310e300c060355040a0c055a6f6b6f72310e300c06035504030c05616c696365", "CN=alice,O=Zokor" },
    { "306a310b3009060355040613024445310e300c06035504080c055374617465310d300b06035504070c04546f776e310e300c06035504090c"
      "055761792031310e300c060355040a0c055a6f6b6f72310c300a060355040b0c034f7073310e300c06035504030c05616c696365",
      "CN=alice,OU=Ops,O=Zokor,STREET=Way 1,L=Town,ST=State,C=DE" },
    { "304431173015060a0992268993f22c64011916076578616d706c6531153013060a0992268993f22c64011916057a6f6b6f7231123010060a"
      "0992268993f22c6401010c027531",
      "UID=u1,DC=zokor,DC=example" },
    /* two types in one part */
    { "3022310a3008060355040a0c01633114300806035504030c01613008060355040b0c0162", "CN=a+OU=b,O=c" },
    /* types without a keyword */
    { "30223114301206092a864886f70d01090116056140622e63310a300806035504030c0178",
      "CN=x,1.2.840.113549.1.9.1=#16056140622e63" },
    { "3026310b3009060355040513023432310b3009060355040c0c024472310a300806035504030c0178",
      "CN=x,2.5.4.12=#0c024472,2.5.4.5=#13023432" },
    /* what is escaped */
    { "303131143012060355040a0c0b5a6f6b6f722c20496e632e3119301706035504030c10612b623d2263223c643e3b655c662367",
      "CN=a\\+b\\=\\\"c\\\"\\<d\\>\\;e\\\\f\\#g,O=Zokor\\, Inc." },
    /* blanks at the ends */
    { "30133111300f06035504030c082020612020622020", "CN=\\ \\ a  b\\ \\ " },
    { "300d310b300906035504030c022361", "CN=\\#a" },
    { "30163114301206035504030c0b4ac3bc7267656e20e69db1", "CN=J\xc3\xbcrgen \xe6\x9d\xb1" },
    /* strings of other types are read as UTF-8 */
    { "300f310d300b06035504031e04004a00fc", "CN=\\00J\\00\xef\xbf\xbd" },
    { "300d310b3009060355040314024afc", "CN=J\xef\xbf\xbd" },
    /* types that are no text, of a type that has a keyword */
    { "300e310c300a06035504031203313233", "CN=#1203313233" },
    { "300b3109300706035504030c00", "CN=" },
    { "300e310c300a06035504030c03610062", "CN=a\\00b" },
    { "300f310d300b06035504030c04610a620d", "CN=a\x0a"
                                            "b\\\x0d" },
    /* no name at all */
    { "3000", "" },
    { "30133111300f06035504031c080000004100000062", "CN=#1c080000004100000062" },
    { "3010310e300c06035504030c057569643d35", "CN=uid\\=5" },
    { "300e310c300a06035504030c03202020", "CN=\\ \\ \\ " },
    { "301f310b30090603550406130264653110300e06035504031307416c6963652042", "CN=Alice B,C=de" },
};

static size_t from_hex(const char *hex, uint8_t *to, size_t size)
{
    size_t n = strlen(hex) / 2;
    assert_true(n <= size);
    for (size_t i = 0; i < n; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        to[i] = (uint8_t)byte;
    }
    return n;
}

static X509_NAME *parse(const char *hex)
{
    uint8_t der[512];
    const unsigned char *p = der;
    size_t n = from_hex(hex, der, sizeof der);
    X509_NAME *name = d2i_X509_NAME(NULL, &p, (long)n);
    assert_non_null(name);
    return name;
}

static void names_as_java(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(ROWS); i++) {
        struct buf out;
        X509_NAME *name = parse(ROWS[i].der);
        buf_init(&out, 10000);
        tls_name_append(name, &out);
        if (!slice_eq_str(buf_slice(&out), ROWS[i].text))
            fail_msg("row %zu: '%.*s', not '%s'", i, SLICE_ARG(buf_slice(&out)), ROWS[i].text);
        buf_fini(&out);
        X509_NAME_free(name);
    }
}

/* Names that the library does not read belong to certificates that cannot come in. */
static void broken_names(void **state)
{
    (void)state;
    static const char *const DER[] = { "3010310e300c06035504030c0561ffe69d62", "300e310c300a06035504031a03766973" };
    for (size_t i = 0; i < ARRAY_COUNT(DER); i++) {
        uint8_t der[64];
        const unsigned char *p = der;
        size_t n = from_hex(DER[i], der, sizeof der);
        assert_null(d2i_X509_NAME(NULL, &p, (long)n));
    }
}

static void appends_within_limits(void **state)
{
    (void)state;
    struct buf out;
    X509_NAME *name = parse(ROWS[0].der);
    buf_init(&out, 20);
    buf_append(&out, "id=", 3);
    tls_name_append(name, &out);
    assert_memory_equal(out.p, "id=CN=alice,O=Zokor", 19);
    tls_name_append(name, &out);
    assert_int_equal(out.err, ERR_TOO_LONG);
    buf_fini(&out);
    X509_NAME_free(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_as_java),
        cmocka_unit_test(broken_names),
        cmocka_unit_test(appends_within_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
