/* zokor elect: a command while this process leads, by Curator's LeaderLatch. */
#include "cmd/hold.h"
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include <zokor/leader.h>

#define SLICE_MS 200 /* the place in the queue stays; only signals are looked for */

static int help(void)
{
    printf("usage: zokor elect PATH [OPTIONS] -- COMMAND [ARGUMENTS]\n\n"
           "Stands for election at PATH and runs the command when it leads. One of all candidates leads at a time;\n"
           "the next one follows when its command ends. Programs with Apache Curator's LeaderLatch take part.\n\n"
           "%s"
           "  --id TEXT        its name as the others see it                                       [host:process]\n"
           "\nThe command finds ZOKOR_TOKEN and ZOKOR_PATH in its environment, and gets SIGTERM as soon as the\n"
           "connection breaks or its node is deleted: another may lead soon. Signals are passed on to it.\n\n"
           "example:\n"
           "  zokor elect /scheduler/leader -- ./scheduler\n\n"
           "Exit status: that of the command, 128 + N if signal N ended it; 124 the wait was in vain, 125 the\n"
           "leadership was lost, 127 no such command, 1 no server or no right, 2 wrong arguments.\n",
           hold_options_help);
    return cmd_finish_output(CMD_OK);
}

static atomic_bool ending;

static void cancel(void *context)
{
    (void)context;
    ending = true;
}

static atomic_bool runs;

static void on_leader(struct zokor_leader_latch *l, int leads, int64_t token, void *context)
{
    (void)l;
    if (!leads && runs)
        hold_lost(context, token, NULL);
}

static int await(struct zokor_leader_latch *l, int wait_ms)
{
    for (int waited = 0; wait_ms < 0 || waited <= wait_ms; waited += SLICE_MS) {
        int rc = ending ? ZCLOSING : zokor_leader_latch_await(l, SLICE_MS);
        if (rc != ZOPERATIONTIMEOUT)
            return rc;
    }
    return ZOPERATIONTIMEOUT;
}

int cmd_elect(int argc, char **argv)
{
    struct hold_args args;
    const char *id = NULL;
    char host[65] = "", name[96];
    const struct hold_option options[] = { { .name = "--id", .value = &id } };
    if (hold_asks_help(argc, argv))
        return help();
    int status = hold_parse(argc, argv, options, ARRAY_COUNT(options), &args);
    if (status != CMD_OK)
        return status;
    if (args.words_count != 1 || args.words[0][0] != '/' || args.command == NULL)
        return cmd_usage_error("usage: zokor elect PATH [OPTIONS] -- COMMAND; PATH starts with a slash");
    (void)gethostname(host, sizeof(host) - 1);
    snprintf(name, sizeof(name), "%s:%d", host, (int)getpid());
    struct zokor_framework *f = hold_open(&args);
    if (f == NULL)
        return CMD_FAILED;
    hold_on_signal(cancel, NULL);
    struct zokor_leader_latch *l =
        zokor_leader_latch_new(f, args.words[0], id != NULL ? id : name, on_leader, args.words[0]);
    int rc = zokor_leader_latch_start(l);
    rc = rc != ZOK ? rc : await(l, hold_wait_ms(&args));
    if (rc == ZOK) {
        int64_t token = zokor_leader_latch_token(l);
        runs = true;
        if (token < 0)
            hold_lost(args.words[0], token, NULL);
        status = token < 0 ? HOLD_LOST : hold_run(args.command, token, args.words[0], NULL, 0);
        runs = false;
        status = hold_is_lost() ? HOLD_LOST : status;
    } else {
        status = hold_failed("lead", args.words[0], rc);
    }
    zokor_leader_latch_free(l, 0);
    (void)zokor_framework_close(f);
    return status;
}
