#include "server/sasl_token.h"
#include "base/assert.h"
#include "base/mem.h"
#include "base/rng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void tokens(void **state)
{
    (void)state;
    static const struct {
        const char *token, *wrong;
    } rows[] = {
        /* of Java, libsasl2 and pure-sasl */
        { "charset=utf-8,username=\"bob\",realm=\"zk-sasl-md5\",nonce=\"n+/=\",nc=00000001,cnonce=\"c\",digest-uri="
          "\"zookeeper/zk-sasl-md5\",maxbuf=65536,response=0123,qop=auth,authzid=\"bob\"",
          NULL },
        { "username=\"a\\\"b\",realm=\"zk-sasl-md5\"", NULL },
        { "username=bob", NULL },
        { " username = \"bob\" ,\r\n realm=x", NULL },
        { ",,a=b,, c=d,", NULL },
        { "username=\"\"", NULL },
        { "a=\"x,a=\\\"\"", NULL }, /* inside of quotes */
        { "a=\xc3\xa9", NULL },
        { "", "the token is empty" },
        { ",, ,", "the token is empty" },
        { "a=b,a=c", "the token has a directive twice" },
        { "username=\"bob\",x=y,UserName=\"bob\"", "the token has a directive twice" },
        { "=", "the token is no list of directives" },
        { "\"a\"=b", "the token is no list of directives" },
        { "a=b c=d", "the token is no list of directives" },
        { "a=\"b\"c=d", "the token is no list of directives" },
        { "a", "the token is no list of directives" },
        { "a,b=c", "the token is no list of directives" },
        { "a=", "the token is no list of directives" },
        { "a=,b=c", "the token is no list of directives" },
        { "a=\"", "the token is no list of directives" },
        { "a=\"b", "the token is no list of directives" },
        { "a=\"b\\", "the token is no list of directives" },
        { "a=\"b\\\"", "the token is no list of directives" },
        { "a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1,j=1,k=1,l=1,m=1,n=1,o=1,p=1", NULL },
        { "a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1,j=1,k=1,l=1,m=1,n=1,o=1,p=1,q=1",
          "the token has more directives than there are" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const char *got = sasl_token_wrong(slice_str(rows[i].token));
        if ((got == NULL) != (rows[i].wrong == NULL) || (got != NULL && strcmp(got, rows[i].wrong) != 0))
            fail_msg("%s: %s", rows[i].token, got == NULL ? "nothing is wrong" : got);
    }
    assert_string_equal(sasl_token_wrong(slice_of("a=b\0", 4)), "the token holds a zero byte");
    static char big[4097];
    memset(big, ',', sizeof big);
    memcpy(big, "a=b", 3);
    assert_null(sasl_token_wrong(slice_of(big, 4096)));
    assert_string_equal(sasl_token_wrong(slice_of(big, 4097)), "the token is longer than any of DIGEST-MD5");
    assert_string_equal(sasl_token_wrong((struct slice){ 0 }), "the token is empty");
}

static void values(void **state)
{
    (void)state;
    const struct slice token = slice_str("a=b,\t realm = \"zk-sasl-md5\" ,Nonce=\"x\\\"y\",e=\"\",c=\"realm=d\"");
    static const struct {
        const char *name, *value;
    } rows[] = {
        { "a", "b" }, { "realm", "zk-sasl-md5" }, { "nonce", "x\\\"y" }, { "e", "" }, { "c", "realm=d" },
    };
    assert_null(sasl_token_wrong(token));
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_false(slice_is_null(sasl_token_value(token, rows[i].name)));
        assert_true(slice_eq_str(sasl_token_value(token, rows[i].name), rows[i].value));
    }
    assert_true(slice_is_null(sasl_token_value(token, "b")));
    assert_true(slice_is_null(sasl_token_value(token, "real")));
    assert_true(slice_is_null(sasl_token_value((struct slice){ 0 }, "a")));
}

/* Each in memory of its exact size, so that a sanitizer sees a byte too far. */
static void any_bytes_are_looked_at(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 3);
    for (int i = 0; i < 20000; i++) {
        size_t n = rng_below(&rng, 20);
        uint8_t *p = mem_alloc(n + (n == 0));
        for (size_t k = 0; k < n; k++)
            p[k] = (uint8_t) "ab=,\"\\ \t\0\xc3"[rng_below(&rng, 10)];
        (void)sasl_token_wrong(slice_of(p, n));
        mem_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(tokens), cmocka_unit_test(values),
                                        cmocka_unit_test(any_bytes_are_looked_at) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
