#include "base/jaas.h"
#include "base/err.h"
#include "base/rng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void parse(struct jaas *j, const char *text)
{
    struct jaas_error err;
    int rc = jaas_parse(j, slice_str(text), &err);
    if (rc != 0)
        fail_msg("line %d: %s", err.line, err.text);
}

static const char *option(const struct jaas *j, const char *section, const char *name)
{
    const struct jaas_section *s = jaas_section(j, section);
    assert_non_null(s);
    assert_non_null(s->modules);
    return jaas_option(s->modules, name);
}

static void a_file_as_people_write_it(void **state)
{
    (void)state;
    struct jaas j;
    parse(&j, "// users of the client port\n"
              "Server {\n"
              "    org.apache.zookeeper.server.auth.DigestLoginModule required\n"
              "    user_bob=\"secret\" /* the first */\n"
              "    user_super=\"admin \\\"secret\\\"\";\n"
              "};\n"
              "\n"
              "Client {\n"
              "    com.sun.security.auth.module.Krb5LoginModule REQUIRED\n"
              "    useKeyTab=true keyTab=\"/etc/zk.keytab\" principal=\"zk/host@REALM\";\n"
              "    other.Module optional;\n"
              "};\n");
    assert_string_equal(j.sections->name, "Server");
    assert_int_equal(j.sections->line, 2);
    assert_string_equal(j.sections->modules->class_name, "org.apache.zookeeper.server.auth.DigestLoginModule");
    assert_string_equal(j.sections->modules->flag, "required");
    assert_int_equal(j.sections->modules->line, 3);
    assert_null(j.sections->modules->next);
    assert_string_equal(j.sections->modules->options->name, "user_bob");
    assert_string_equal(option(&j, "Server", "user_bob"), "secret");
    assert_string_equal(option(&j, "Server", "user_super"), "admin \"secret\"");
    assert_null(option(&j, "Server", "user_alice"));
    const struct jaas_section *client = jaas_section(&j, "Client");
    assert_string_equal(client->modules->flag, "required");
    assert_string_equal(option(&j, "Client", "principal"), "zk/host@REALM");
    assert_string_equal(option(&j, "Client", "useKeyTab"), "true");
    assert_string_equal(client->modules->next->class_name, "other.Module");
    assert_string_equal(client->modules->next->flag, "optional");
    assert_null(client->modules->next->options);
    assert_null(client->modules->next->next);
    assert_null(client->next);
    assert_null(jaas_section(&j, "server"));
    jaas_fini(&j);
}

static void corners_of_the_syntax(void **state)
{
    (void)state;
    struct jaas j;
    parse(&j, "");
    assert_null(j.sections);
    jaas_fini(&j);
    parse(&j, "a{};\"b c\"{m required x=\"1\" x=\"2\";};");
    assert_null(jaas_section(&j, "a")->modules);
    assert_string_equal(option(&j, "b c", "x"), "2");
    jaas_fini(&j);
    /* a lone slash begins a comment, blocks count lines, numbers and words with these signs need no quotes */
    parse(&j, "/ so\n/* \n\n */ a { /***/ m\n\nrequired n = 10 w=a-b_c$d*e.f u=\xc3\xa9t\xc3\xa9 e=\"\" ; } ; //");
    assert_int_equal(jaas_section(&j, "a")->line, 4);
    assert_string_equal(option(&j, "a", "n"), "10");
    assert_string_equal(option(&j, "a", "w"), "a-b_c$d*e.f");
    assert_string_equal(option(&j, "a", "u"), "\xc3\xa9t\xc3\xa9");
    assert_string_equal(option(&j, "a", "e"), "");
    jaas_fini(&j);
    jaas_fini(&j);
}

static void escapes_and_expansion(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {
        { "a\\tb\\nc", "a\tb\nc" },
        { "\\\\ \\\" \\q", "\\ \" q" },
        { "\\101\\60x", "A0x" },
        { "\\351", "\xc3\xa9" },
        { "\\\xc3\xa9", "\xc3\xa9" },
        { "\\4014", " 14" },
        { "a${/}b${/}", "a/b/" },
        { "${{x}}y", "${{x}}y" },
        { "${{x", "${{x" },
        { "$ { $x }", "$ { $x }" },
        { "// no comment", "// no comment" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        char text[200];
        struct jaas j;
        snprintf(text, sizeof text, "s { m required o=\"%s\"; };", rows[i].in);
        parse(&j, text);
        assert_string_equal(option(&j, "s", "o"), rows[i].out);
        jaas_fini(&j);
    }
}

static void errors_name_line_and_wish(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int line;
        const char *says;
    } rows[] = {
        { "Server", 1, "expected '{' behind the name of a section, found the end of the file" },
        { "{", 1, "expected the name of a section, found '{'" },
        { "s {\n m required\n", 3, "the end of the file" },
        { "s {\n m needed;\n};", 2, "required, requisite, sufficient or optional" },
        { "s {\n m required o;\n};", 2, "expected '=' behind the name of an option, found ';'" },
        { "s {\n m required o=\n;\n};", 3, "it needs quotes), found ';'" },
        { "s {\n m required o=zk/host;\n};", 3, "expected the name of an option or ';', found '}'" },
        { "s {\n m required o=zk@host;\n};", 2, "expected the name of an option or ';', found '@'" },
        { "s {\n m required o=\"a\n\";\n};", 2, "does not end on its line" },
        { "s {\n m required o=\"a\\\n\";\n};", 2, "does not end on its line" },
        { "s {\n m required o=\"", 2, "does not end on its line" },
        { "s {\n m required o=\"a\\0\";\n};", 2, "zero byte" },
        { "s {\n m required o=\"${user.home}\";\n};", 2, "write the value itself" },
        { "s {\n m required;\n}\n", 4, "expected ';' behind the '}' of a section" },
        { "s { };\n\ns { };", 3, "section s is in line 1 already" },
        { "s {\n/* never\nends", 2, "never ends" },
        { "# comment", 1, "found '#'" },
        { "s { \x7f", 1, "found the byte 0x7f" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct jaas j;
        struct jaas_error err;
        assert_int_equal(jaas_parse(&j, slice_str(rows[i].text), &err), ERR_INVALID);
        if (err.line != rows[i].line || strstr(err.text, rows[i].says) == NULL)
            fail_msg("%s: line %d: %s", rows[i].text, err.line, err.text);
    }
}

static void errors_keep_passwords_to_themselves(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "s { m required user_bob=hush!; };",   "s { m required user_bob=hush hush; };",
        "s { m required user_bob=\"hush; };",  "s { m required user_bob=\"${hush}\"; };",
        "s { m required user_bob=\"hush\" };", "s { m hush; };",
    };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct jaas j;
        struct jaas_error err;
        assert_int_equal(jaas_parse(&j, slice_str(texts[i]), &err), ERR_INVALID);
        assert_null(strstr(err.text, "hush"));
    }
}

static void zero_bytes_are_refused(void **state)
{
    (void)state;
    static const char in_string[] = "s { m required o=\"a\0b\"; };", between[] = "s {\0 m required; };";
    struct jaas j;
    struct jaas_error err;
    assert_int_equal(jaas_parse(&j, slice_of(in_string, sizeof in_string - 1), &err), ERR_INVALID);
    assert_int_equal(jaas_parse(&j, slice_of(between, sizeof between - 1), &err), 0); /* a blank to Java */
    jaas_fini(&j);
}

static void a_giant_file_is_refused(void **state)
{
    (void)state;
    static uint8_t blanks[(1u << 20) + 1];
    memset(blanks, ' ', sizeof blanks);
    struct jaas j;
    struct jaas_error err;
    assert_int_equal(jaas_parse(&j, slice_of(blanks, sizeof blanks), &err), ERR_INVALID);
    assert_int_equal(jaas_parse(&j, slice_of(blanks, sizeof blanks - 1), &err), 0);
    jaas_fini(&j);
}

/* Every beginning of a good file, and good files with bytes changed: an answer, never a crash, never a line of 0. */
static void damaged_files_get_an_answer(void **state)
{
    (void)state;
    static const char good[] =
        "/*c*/ Server { //x\n a.b.C required user_x=\"a\\351${/}\" k=10;\n D optional; };\nE { };\n";
    struct rng rng;
    rng_init(&rng, 7);
    struct jaas j;
    struct jaas_error err;
    for (size_t i = 0; i < 20000; i++) {
        uint8_t bytes[sizeof good - 1];
        memcpy(bytes, good, sizeof bytes);
        size_t n = i < sizeof bytes ? i : sizeof bytes;
        for (uint64_t hits = i < sizeof bytes ? 0 : 1 + rng_below(&rng, 4); hits > 0; hits--) {
            static const uint8_t likely[] = "{};=\"\\/*$ \n\0a\xff";
            bytes[rng_below(&rng, n)] = likely[rng_below(&rng, sizeof likely - 1)];
        }
        if (jaas_parse(&j, slice_of(bytes, n), &err) == 0) {
            jaas_fini(&j);
        } else {
            assert_true(err.line > 0);
            assert_true(err.text[0] != '\0');
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_as_people_write_it),
        cmocka_unit_test(corners_of_the_syntax),
        cmocka_unit_test(escapes_and_expansion),
        cmocka_unit_test(errors_name_line_and_wish),
        cmocka_unit_test(errors_keep_passwords_to_themselves),
        cmocka_unit_test(zero_bytes_are_refused),
        cmocka_unit_test(a_giant_file_is_refused),
        cmocka_unit_test(damaged_files_get_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
