/* zokor register: an instance of a service in Curator's service discovery, for as long as a command runs. */
#include "cmd/hold.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zokor/discovery.h>

static int help(void)
{
    printf(
        "usage: zokor register NAME [OPTIONS] [-- COMMAND [ARGUMENTS]]\n\n"
        "Registers an instance of the service NAME for as long as the command runs, or without one until it gets a\n"
        "signal. If the session is lost it is registered again in a new one. The nodes are those of Apache Curator's\n"
        "service discovery.\n\n"
        "%s"
        "  --base PATH      where the services are                                              [/services]\n"
        "  --id TEXT        of this instance, unique in the service                             [address:port]\n"
        "  --address HOST   where it is                                                         [this host's name]\n"
        "  --port N, --ssl-port N\n"
        "  --payload JSON   what others shall know of it\n"
        "  --uri SPEC       for instance {scheme}://{address}:{port}/path\n\n"
        "example:\n"
        "  zokor register web --port 8080 -- ./server --listen 8080\n\n"
        "Exit status: that of the command, or 0 after a signal; 127 no such command, 1 failed, 2 wrong arguments.\n",
        hold_options_help);
    return cmd_finish_output(CMD_OK);
}

static int woken[2];

static void cancel(void *context)
{
    (void)context;
    (void)!write(woken[1], "", 1);
}

static int stay(const struct hold_args *args, const struct zokor_instance *i)
{
    char c;
    if (args->command != NULL)
        return hold_run(args->command, -1, i->id, NULL, 0);
    printf("registered %s %s\n", i->name, i->id);
    if (cmd_finish_output(CMD_OK) != CMD_OK)
        return CMD_FAILED;
    while (hold_signal() == 0)
        (void)!read(woken[0], &c, 1);
    return CMD_OK;
}

int cmd_register(int argc, char **argv)
{
    struct hold_args args;
    const char *base = "/services", *id = NULL, *address = NULL, *payload = NULL, *uri = NULL;
    struct zokor_instance it = { .name = NULL };
    char host[256] = "", made[300];
    const struct hold_option options[] = {
        { .name = "--base", .value = &base },       { .name = "--id", .value = &id },
        { .name = "--address", .value = &address }, { .name = "--port", .number = &it.port },
        { .name = "--payload", .value = &payload }, { .name = "--ssl-port", .number = &it.ssl_port },
        { .name = "--uri", .value = &uri },
    };
    if (hold_asks_help(argc, argv))
        return help();
    int status = hold_parse(argc, argv, options, ARRAY_COUNT(options), &args);
    if (status != CMD_OK)
        return status;
    if (args.words_count != 1 || base[0] != '/' || pipe(woken) != 0)
        return cmd_usage_error("usage: zokor register NAME [OPTIONS] [-- COMMAND]");
    (void)gethostname(host, sizeof(host) - 1);
    it.name = args.words[0];
    it.address = (char *)(address != NULL ? address : host);
    snprintf(made, sizeof(made), "%.250s:%d", it.address, it.port > 0 ? it.port : it.ssl_port);
    it.id = (char *)(id != NULL ? id : made);
    it.payload = (char *)payload;
    it.uri_spec = (char *)uri;
    struct zokor_framework *f = hold_open(&args);
    if (f == NULL)
        return CMD_FAILED;
    struct zokor_discovery *d = zokor_discovery_new(f, base);
    int rc = zokor_discovery_register(d, &it);
    if (rc == ZBADARGUMENTS) {
        status = cmd_usage_error("register: the name and the id have no slashes, and --payload is JSON");
    } else if (rc != ZOK) {
        status = hold_failed("register below", base, rc);
    } else {
        hold_on_signal(cancel, NULL);
        status = stay(&args, &it);
        hold_on_signal(NULL, NULL);
    }
    zokor_discovery_free(d);
    (void)zokor_framework_close(f);
    return status;
}
