#include "cmd/cmd.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    { "server", cmd_server, "run a server (zokor server --help)" },
    { "cli", cmd_cli, "talk to servers, as zkCli.sh (zokor cli --help)" },
    { "status", cmd_status, "ask a server how it is (zokor status --help)" },
    { "log", cmd_log, "show, follow, verify and repair transaction logs (zokor log --help)" },
    { "snap", cmd_snap, "show, compare and export snapshots (zokor snap --help)" },
    { "start", cmd_daemon, "run a server in the background (zokor start --help)" },
    { "stop", cmd_daemon, "stop it" },
    { "restart", cmd_daemon, "stop it and start it again" },
    { "purge", cmd_purge, "remove snapshots and logs that are no longer needed (zokor purge --help)" },
    { "init", cmd_init, "make the data directories of a new server (zokor init --help)" },
    { "lock", cmd_lock, "run a command under a lock (zokor lock --help)" },
    { "elect", cmd_elect, "run a command while this one leads (zokor elect --help)" },
    { "semaphore", cmd_semaphore, "run a command as one of at most N (zokor semaphore --help)" },
    { "barrier", cmd_barrier, "wait for others (zokor barrier --help)" },
    { "queue", cmd_queue, "put items into a queue and take them (zokor queue --help)" },
    { "register", cmd_register, "tell where a service is (zokor register --help)" },
    { "discover", cmd_discover, "find out where services are (zokor discover --help)" },
    { "watch", cmd_watch, "print the changes of a subtree (zokor watch --help)" },
    { "bench", cmd_bench, "put load on a server and measure it (zokor bench --help)" },
    { "sim", cmd_sim, "simulate ensembles and their clients, with faults (zokor sim --help)" },
    { "version", cmd_version, "print the version and how it was built" },
};

static void print_commands(FILE *to)
{
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
}

static int help(void)
{
    printf("%s\n\n"
           "Zokor speaks ZooKeeper: existing clients, data directories and zoo.cfg files work with it unchanged.\n\n"
           "usage: zokor COMMAND [ARGUMENTS]\n\n"
           "commands:\n",
           cmd_version_line());
    print_commands(stdout);
    printf("\n"
           "  --help, --version\n\n"
           "A first server, with its data in ./zokor-data, for clients of this machine:\n\n"
           "  zokor server\n\n"
           "Exit status: 0 done, 1 failed, 2 wrong arguments or configuration; docs/operations.md lists the others.\n");
    return cmd_finish_output(CMD_OK);
}

int cmd_usage_error(const char *fmt, ...)
{
    va_list args;
    fprintf(stderr, "zokor: ");
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "\n");
    return CMD_USAGE;
}

int cmd_finish_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "zokor: the output cannot be written: %s\n", strerror(errno));
    return CMD_FAILED;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: zokor COMMAND [ARGUMENTS]\n");
        print_commands(stderr);
        return CMD_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        return help();
    if (strcmp(name, "--version") == 0) {
        printf("%s\n", cmd_version_line());
        return cmd_finish_output(CMD_OK);
    }
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    cmd_usage_error("unknown command '%s'; there are:", name);
    print_commands(stderr);
    return CMD_USAGE;
}
