/* zokor barrier: Curator's DistributedBarrier and DistributedDoubleBarrier. */
#include "cmd/hold.h"
#include <stdio.h>
#include <string.h>
#include <zokor/barrier.h>

static int help(void)
{
    printf(
        "usage: zokor barrier set|remove|wait PATH [OPTIONS]\n"
        "       zokor barrier enter PATH --count N [OPTIONS] -- COMMAND [ARGUMENTS]\n\n"
        "set puts up a barrier at PATH, wait waits until somebody removes it. enter waits until N have entered, runs\n"
        "the command, waits until all N have done with theirs, and exits with its status. Programs with Apache\n"
        "Curator's DistributedBarrier and DistributedDoubleBarrier take part.\n\n"
        "%s"
        "  --count N        how many must have entered\n\n"
        "Exit status: 0 or that of the command; 124 the wait was in vain, 127 no such command, 1 failed, 2 wrong\n"
        "arguments.\n",
        hold_options_help);
    return cmd_finish_output(CMD_OK);
}

static int enter(struct zokor_framework *f, const struct hold_args *args, int count)
{
    const char *path = args->words[1];
    struct zokor_double_barrier *b = zokor_double_barrier_new(f, path, count);
    int rc = zokor_double_barrier_enter(b, hold_wait_ms(args));
    int status = CMD_OK;
    if (rc == ZOK) {
        status = hold_run(args->command, -1, path, NULL, 0);
        rc = zokor_double_barrier_leave(b, hold_wait_ms(args));
    }
    if (rc != ZOK)
        status = hold_failed("pass", path, rc);
    zokor_double_barrier_free(b);
    return status;
}

int cmd_barrier(int argc, char **argv)
{
    struct hold_args args;
    int count = 0;
    const struct hold_option options[] = { { .name = "--count", .number = &count } };
    if (hold_asks_help(argc, argv))
        return help();
    int status = hold_parse(argc, argv, options, ARRAY_COUNT(options), &args);
    if (status != CMD_OK)
        return status;
    const char *verb = args.words_count == 2 ? args.words[0] : "";
    bool enters = strcmp(verb, "enter") == 0;
    if (args.words_count != 2 || args.words[1][0] != '/' || (enters && (args.command == NULL || count < 1)))
        return cmd_usage_error("usage: zokor barrier set|remove|wait PATH, or zokor barrier enter PATH --count N -- "
                               "COMMAND");
    if (!enters && strcmp(verb, "set") != 0 && strcmp(verb, "remove") != 0 && strcmp(verb, "wait") != 0)
        return cmd_usage_error("barrier: '%s' is none of set, remove, wait, enter", verb);
    struct zokor_framework *f = hold_open(&args);
    if (f == NULL)
        return CMD_FAILED;
    if (enters) {
        status = enter(f, &args, count);
    } else {
        int rc = strcmp(verb, "set") == 0      ? zokor_barrier_set(f, args.words[1])
                 : strcmp(verb, "remove") == 0 ? zokor_barrier_remove(f, args.words[1])
                                               : zokor_barrier_wait(f, args.words[1], hold_wait_ms(&args));
        status = rc == ZOK ? CMD_OK : hold_failed(verb, args.words[1], rc);
    }
    (void)zokor_framework_close(f);
    return status;
}
