/* zokor bench: the load generator's words. */
#include "bench/bench.h"
#include "cmd/cmd.h"
#include <stdio.h>
#include <unistd.h>

static void workloads(void)
{
    for (int i = 0; i < BENCH_WORKLOAD_COUNT; i++)
        printf("  %-8s %s\n", bench_workload_word((enum bench_workload)i), bench_workload_help((enum bench_workload)i));
}

static int help(void)
{
    printf("usage: zokor bench [WORKLOAD ...] [OPTIONS]\n\n"
           "Puts load on a ZooKeeper server, any that speaks the protocol, and measures what it answers and how fast.\n"
           "It makes its own node zokor-bench-..., works below it, and deletes it at the end, also after Ctrl-C.\n\n"
           "workloads (default: each in turn):\n");
    workloads();
    printf("\nwhere:\n"
           "  --servers LIST       host:port,host:port; connections are spread over them   [127.0.0.1:2181]\n"
           "  --root PATH          node below which it works; it must exist                 [/]\n"
           "  --auth SCHEME:TEXT   says who it is, for instance digest:user:password\n"
           "  --client-configuration FILE   TLS, with the keys that zokor cli takes (docs/cli.md); also -D words in\n"
           "                       CLIENT_JVMFLAGS\n"
           "  --jaas FILE          logs in by SASL, with the section Client of a JAAS file\n"
           "  --sasl-section NAME  or with this one\n"
           "  --timeout MS         session timeout                                          [30000]\n"
           "how much:\n"
           "  -c, --connections N  sessions                                                 [16]\n"
           "  -d, --depth N        requests in flight on each; 1 waits for every answer     [1]\n"
           "  -r, --rate N         operations a second, all together; 0: as fast as it goes [0]\n"
           "  -t, --seconds N      how long each workload is measured                       [5]\n"
           "      --warm-up N      seconds before that count for nothing                    [1]\n"
           "      --threads N      of this program             [half the processors, at most 4]\n"
           "with what:\n"
           "  -s, --size N         bytes of a value                                         [100]\n"
           "  -n, --nodes N        nodes that are read and written                          [10000]\n"
           "      --children N     of the node that ls lists                                [100]\n"
           "      --ops N          writes in a transaction of multi                         [10]\n"
           "      --reads N        percent of mixed that are reads                          [90]\n"
           "what is shown:\n"
           "      --json           one object a workload, a line each; times in microseconds\n"
           "      --histogram      bars below every row, also when there are several workloads\n"
           "      --quiet          no line of progress\n"
           "      --give-up N      seconds without any server until it ends                 [5]\n\n");
    printf(
        "examples:\n"
        "  zokor bench                                        a tour, six seconds a workload\n"
        "  zokor bench get -c 50 -d 16                        as many reads as the server gives\n"
        "  zokor bench set -c 1                               what one client waits for one write\n"
        "  zokor bench mixed -r 10000 -c 50 -t 60             how late answers are at a load you know\n"
        "  zokor bench watch -c 50                            how fast fifty clients hear of a change\n"
        "  zokor bench create --servers a:2181,b:2181,c:2181 --json\n\n"
        "How to read it: without --rate every connection asks again when it was answered (a closed loop): ops/s is\n"
        "what the server can do, and latency is mostly waiting behind the other requests. With --rate every request\n"
        "has its time, and latency counts from then on, so that a pause of the server is not hidden. p99 is the time\n"
        "within which 99 of 100 were answered. The program itself needs processor time: put it on another machine,\n"
        "or leave it a core. Writes wait for the server's disk. A server takes 60 connections of one machine unless "
        "its\n"
        "maxClientCnxns says otherwise.\n\n"
        "Exit status: 0 no errors, 1 some operation failed or no server answered, 2 wrong arguments, 130 "
        "interrupted.\n");
    return cmd_finish_output(CMD_OK);
}

int cmd_bench(int argc, char **argv)
{
    struct bench_options o;
    char error[512];
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    bench_options_init(&o, processors < 1 ? 1 : (unsigned)processors);
    if (bench_options_parse(&o, argc, argv, error, sizeof error) != 0)
        return cmd_usage_error("bench: %s", error);
    if (o.help)
        return help();
    return cmd_finish_output(bench_run(&o));
}
