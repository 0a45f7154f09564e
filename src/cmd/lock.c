/* zokor lock: a command under a lock of Curator's InterProcessMutex. */
#include "cmd/hold.h"
#include <stdio.h>
#include <zokor/lock.h>

static int help(void)
{
    printf(
        "usage: zokor lock PATH [OPTIONS] -- COMMAND [ARGUMENTS]\n\n"
        "Waits for the lock at PATH, fairly, runs the command while it has it, and exits with its status. Programs\n"
        "with Apache Curator's InterProcessMutex on the same path take part.\n\n"
        "%s"
        "\nThe command finds in its environment ZOKOR_TOKEN, a number that grows from holder to holder (let what it\n"
        "writes to refuse lower ones than it has seen), and ZOKOR_PATH. Signals are passed on to it. If the lock is\n"
        "lost, because the session ended or its node was deleted, it gets SIGTERM.\n\n"
        "example:\n"
        "  zokor lock /backup/lock --wait 60 -- ./backup.sh\n\n"
        "Exit status: that of the command, 128 + N if signal N ended it; 124 the wait was in vain, 125 the lock was\n"
        "lost, 127 no such command, 1 no server or no right, 2 wrong arguments.\n",
        hold_options_help);
    return cmd_finish_output(CMD_OK);
}

static void cancel(void *context)
{
    zokor_mutex_cancel(context);
}

int cmd_lock(int argc, char **argv)
{
    struct hold_args args;
    if (hold_asks_help(argc, argv))
        return help();
    int status = hold_parse(argc, argv, NULL, 0, &args);
    if (status != CMD_OK)
        return status;
    if (args.words_count != 1 || args.words[0][0] != '/' || args.command == NULL)
        return cmd_usage_error("usage: zokor lock PATH [OPTIONS] -- COMMAND; PATH starts with a slash");
    struct zokor_framework *f = hold_open(&args);
    if (f == NULL)
        return CMD_FAILED;
    struct zokor_mutex *m = zokor_mutex_new(f, args.words[0]);
    zokor_mutex_on_lost(m, hold_lost, NULL);
    hold_on_signal(cancel, m);
    int rc = zokor_mutex_acquire(m, hold_wait_ms(&args));
    if (rc == ZOK) {
        status = hold_run(args.command, zokor_mutex_token(m), args.words[0], NULL, 0);
        (void)zokor_mutex_release(m); /* if it cannot now, the end of the session does */
        status = hold_is_lost() ? HOLD_LOST : status;
    } else {
        status = hold_failed("lock", args.words[0], rc);
    }
    hold_on_signal(NULL, NULL);
    zokor_mutex_free(m);
    (void)zokor_framework_close(f);
    return status;
}
