#include "cli/complete.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A tree: /app has alpha, beta, "two words", "übrig", "üben"; /app/alpha has deep. */
static int children(void *context, const char *path, struct String_vector *names)
{
    static const char *const root[] = { "app", "zookeeper", NULL };
    static const char *const app[] = { "alpha", "beta", "two words", "üben", "übrig", NULL };
    static const char *const alpha[] = { "deep", NULL };
    static const char *const none[] = { NULL };
    const char *const *list = none;
    (*(int *)context)++;
    if (strcmp(path, "/") == 0)
        list = root;
    else if (strcmp(path, "/app") == 0)
        list = app;
    else if (strcmp(path, "/app/alpha") == 0)
        list = alpha;
    else if (strcmp(path, "/gone") == 0)
        return ZNONODE;
    *names = (struct String_vector){ .data = calloc(8, sizeof(char *)) };
    for (; *list != NULL; list++)
        names->data[names->count++] = strdup(*list);
    return 0;
}

/* Files: a folder in/ with x.json, and two beside it. */
static int files(void *context, const char *directory, struct String_vector *names)
{
    static const char *const here[] = { "a b.json", "app.json", "in/", NULL };
    static const char *const in[] = { "x.json", NULL };
    const char *const *list = directory[0] == '\0' ? here : in;
    (void)context;
    if (directory[0] != '\0' && strcmp(directory, "in/") != 0)
        return -1;
    *names = (struct String_vector){ .data = calloc(8, sizeof(char *)) };
    for (; *list != NULL; list++)
        names->data[names->count++] = strdup(*list);
    return 0;
}

static int asked;

/* "from:common|word|word" and "." if one alone is final. */
static const char *complete(const char *line)
{
    static char out[1024];
    asked = 0;
    const struct cli_sources sources = { .context = &asked, .children = children, .files = files };
    struct cli_completion c = cli_complete(line, strlen(line), &sources);
    size_t n = (size_t)snprintf(out, sizeof(out), "%zu:%zu", c.from, c.common);
    for (size_t i = 0; i < c.n; i++)
        n += (size_t)snprintf(out + n, sizeof(out) - n, "|%s", c.words[i]);
    if (c.n == 1 && c.is_final)
        snprintf(out + n, sizeof(out) - n, ".");
    cli_completion_free(&c);
    return out;
}

static void commands(void **state)
{
    (void)state;
    assert_string_equal(complete("cre"), "0:6|create.");
    assert_string_equal(complete("getA"), "0:4|getAcl|getAllChildrenNumber");
    assert_string_equal(complete("  whoa"), "2:6|whoami.");
    assert_string_equal(complete("nothing"), "0:0");
    assert_string_equal(complete("help tre"), "5:4|tree.");
    assert_int_equal(asked, 0);
}

static void paths(void **state)
{
    (void)state;
    assert_string_equal(complete("get /a"), "4:4|/app");
    assert_string_equal(complete("get /app/"), "4:0|/app/alpha|/app/beta|\"/app/two words|/app/üben|/app/übrig");
    assert_string_equal(complete("get /app/b"), "4:9|/app/beta");
    assert_string_equal(complete("get -s /app/al"), "7:10|/app/alpha");
    assert_string_equal(complete("get /app/alpha"), "4:11|/app/alpha/"); /* whole, with children */
    assert_string_equal(complete("get /app/beta"), "4:9|/app/beta.");    /* whole, without */
    assert_string_equal(complete("get /app/none"), "4:0");
    assert_string_equal(complete("get /gone/x"), "4:0");
    assert_string_equal(complete("nonsense /app/b"), "9:9|/app/beta");
}

static void names_that_need_quotes(void **state)
{
    (void)state;
    assert_string_equal(complete("get /app/t"), "4:15|\"/app/two words");
    assert_string_equal(complete("get \"/app/t"), "5:14|/app/two words");
    assert_string_equal(complete("get '/app/two w"), "5:14|/app/two words");
    assert_string_equal(complete("get '/app/two words"), "5:14|/app/two words"); /* the quote is still to be closed */
}

static void letters_are_not_cut(void **state)
{
    (void)state;
    assert_string_equal(complete("get /app/ü"), "4:8|/app/üben|/app/übrig");
}

static void names_of_files(void **state)
{
    (void)state;
    assert_string_equal(complete("import "), "7:0|\"a b.json|app.json|in/");
    assert_string_equal(complete("import -n ap"), "10:8|app.json.");
    assert_string_equal(complete("import i"), "7:3|in/");
    assert_string_equal(complete("import in/"), "7:9|in/x.json.");
    assert_string_equal(complete("import no/"), "7:0");
    assert_string_equal(complete("import app.json /a"), "16:4|/app");
    assert_string_equal(complete("export /app ap"), "12:8|app.json.");
    assert_string_equal(complete("export /a"), "7:4|/app");
    assert_string_equal(complete("reconfig -file ap"), "15:8|app.json.");
}

static void what_options_take(void **state)
{
    (void)state;
    assert_string_equal(complete("create -"), "7:1|-e|-s|-c|-t");
    assert_string_equal(complete("reconfig -mem"), "9:8|-members.");
    assert_string_equal(complete("addWatch -m PERSISTENT_"), "12:20|PERSISTENT_RECURSIVE.");
    assert_string_equal(complete("printwatches o"), "13:1|on|off");
    assert_string_equal(complete("get "), "4:1|/");
    assert_string_equal(complete("whoami "), "7:0");
    assert_string_equal(complete("nonsense -"), "9:0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands),
        cmocka_unit_test(paths),
        cmocka_unit_test(names_that_need_quotes),
        cmocka_unit_test(letters_are_not_cut),
        cmocka_unit_test(names_of_files),
        cmocka_unit_test(what_options_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
