/* zokor semaphore: a command with a lease of Curator's InterProcessSemaphoreV2. */
#include "cmd/hold.h"
#include <stdio.h>
#include <stdlib.h>
#include <zokor/lock.h>

static int help(void)
{
    printf(
        "usage: zokor semaphore PATH --leases N [OPTIONS] -- COMMAND [ARGUMENTS]\n\n"
        "Runs the command when less than N others have a lease of the semaphore at PATH, and exits with its status.\n"
        "All must say the same N. Programs with Apache Curator's InterProcessSemaphoreV2 take part.\n\n"
        "%s"
        "  --leases N       how many may run at once\n"
        "\nThe command finds ZOKOR_TOKEN and ZOKOR_PATH in its environment. Signals are passed on to it. If the lease\n"
        "is lost, because the session ended or its node was deleted, it gets SIGTERM.\n\n"
        "example:\n"
        "  zokor semaphore /downloads --leases 3 -- curl -O https://example.org/file\n\n"
        "Exit status: that of the command, 128 + N if signal N ended it; 124 the wait was in vain, 125 the lease\n"
        "was lost, 127 no such command, 1 no server or no right, 2 wrong arguments.\n",
        hold_options_help);
    return cmd_finish_output(CMD_OK);
}

int cmd_semaphore(int argc, char **argv)
{
    struct hold_args args;
    int leases = 0;
    const struct hold_option options[] = { { .name = "--leases", .number = &leases } };
    if (hold_asks_help(argc, argv))
        return help();
    int status = hold_parse(argc, argv, options, ARRAY_COUNT(options), &args);
    if (status != CMD_OK)
        return status;
    if (args.words_count != 1 || args.words[0][0] != '/' || args.command == NULL || leases < 1)
        return cmd_usage_error("usage: zokor semaphore PATH --leases N [OPTIONS] -- COMMAND; N is at least 1");
    struct zokor_framework *f = hold_open(&args);
    if (f == NULL)
        return CMD_FAILED;
    struct zokor_semaphore *s = zokor_semaphore_new(f, args.words[0], leases);
    struct zokor_lease *lease;
    zokor_semaphore_on_lost(s, hold_lost, NULL);
    int rc = zokor_semaphore_acquire(s, 1, &lease, hold_wait_ms(&args));
    if (rc == ZOK) {
        status = hold_run(args.command, zokor_lease_token(lease), zokor_lease_path(lease), NULL, 0);
        (void)zokor_lease_return(lease);
        status = hold_is_lost() ? HOLD_LOST : status;
    } else {
        status = hold_failed("get a lease of", args.words[0], rc);
    }
    zokor_semaphore_free(s);
    (void)zokor_framework_close(f);
    return status;
}
