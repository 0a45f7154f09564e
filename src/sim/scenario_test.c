/* Every script of test/scenarios must come to its end; and a script that is wrong must not. */
#include "base/log.h"
#include "base/mem.h"
#include "sim/scenario.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define FOLDER ZOKOR_SOURCE_DIR "/test/scenarios"

static void run_file(const char *name)
{
    char path[600], text[40000];
    snprintf(path, sizeof path, "%s/%s", FOLDER, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text, f);
    assert_true(n < sizeof text);
    fclose(f);
    struct scenario_result r;
    scenario_run(slice_of(text, n), NULL, &r);
    if (r.failed)
        fail_msg("%s: %s", name, r.why);
}

static void all_scenarios(void **state)
{
    (void)state;
    struct dirent **entries;
    int count = scandir(FOLDER, &entries, NULL, alphasort), ran = 0;
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        if (strstr(entries[i]->d_name, ".zks") != NULL) {
            run_file(entries[i]->d_name);
            ran++;
        }
        free(entries[i]);
    }
    free(entries);
    assert_true(ran > 20);
}

static void fails_with(const char *text, const char *why)
{
    struct scenario_result r;
    scenario_run(slice_str(text), NULL, &r);
    assert_true(r.failed);
    if (strstr(r.why, why) == NULL)
        fail_msg("%s", r.why);
}

static void what_is_wrong_fails(void **state)
{
    (void)state;
    fails_with("", "nothing to run");
    fails_with("ensemble 3\ndance 1\n", "line 2");
    fails_with("ensemble 3\nstart 4\n", "no member 4");
    fails_with("each N 1 2\nensemble 3\nstart 1 2\nuntil leader $N\nexpect leader 1\n", "with N=1");
    fails_with("ensemble 3\nstart 3 1 2\nuntil leader 3\nclient a via 1\na create /x\nexpect lacks 1 /x\n", "line 6");
    fails_with("ensemble 3\nstart 3 1 2\nuntil leader 3\nclient a via 1\na create /x -> NO_NODE\n", "OK");
    fails_with("ensemble 3\nstart 3 1 2\nuntil leader 3\nnever 1s serves 1 2\n", "not so");
    /* who has lost what it had promised is found */
    fails_with("ensemble 3\nstart 1 2\nuntil leader 2\nclient a via 2\na create /x\nclient a leaves\nkill 2\nwipe 1\n"
               "start 1 3\nuntil leader 3\nclient b via 3\nb create /y\n",
               "ghost.");
}

int main(void)
{
    log_set_sink(NULL, NULL, LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_fails),
        cmocka_unit_test(all_scenarios),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
