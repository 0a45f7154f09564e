/* zokor discover: what is in Curator's service discovery. */
#include "cmd/hold.h"
#include <stdio.h>
#include <stdlib.h>
#include <zokor/discovery.h>

static int help(void)
{
    printf(
        "usage: zokor discover [NAME] [OPTIONS]\n\n"
        "Without NAME, prints the names of all services; with it, its instances: id, address, port, in a line each.\n"
        "The nodes are those of Apache Curator's service discovery.\n\n"
        "%s"
        "  --base PATH      where the services are                                              [/services]\n"
        "  --json           an instance a line, as it is stored\n"
        "  --uri            print the URIs instead; instances without are left out\n\n"
        "Exit status: 0 found, 1 none or failed, 2 wrong arguments.\n",
        hold_options_help);
    return cmd_finish_output(CMD_OK);
}

static int names(struct zokor_discovery *d, const char *base)
{
    struct String_vector all;
    int rc = zokor_discovery_names(d, &all);
    if (rc != ZOK)
        return hold_failed("list", base, rc);
    for (int32_t i = 0; i < all.count; i++)
        puts(all.data[i]);
    int status = all.count > 0 ? CMD_OK : CMD_FAILED;
    deallocate_String_vector(&all);
    return cmd_finish_output(status);
}

/* Whether anything was to be shown. */
static int show(const struct zokor_instance *i, int json, int uri)
{
    int n;
    char *text = json ? zokor_instance_encode(i, &n) : uri ? zokor_instance_uri(i) : NULL;
    if (text != NULL)
        puts(text);
    else if (!json && !uri)
        printf("%s\t%s\t%d\n", i->id, i->address == NULL ? "-" : i->address, i->port > 0 ? i->port : i->ssl_port);
    int shown = text != NULL || (!json && !uri);
    free(text);
    return shown;
}

int cmd_discover(int argc, char **argv)
{
    struct hold_args args;
    const char *base = "/services";
    int json = 0, uri = 0, shown = 0;
    const struct hold_option options[] = {
        { .name = "--base", .value = &base },
        { .name = "--json", .flag = &json },
        { .name = "--uri", .flag = &uri },
    };
    if (hold_asks_help(argc, argv))
        return help();
    int status = hold_parse(argc, argv, options, ARRAY_COUNT(options), &args);
    if (status != CMD_OK)
        return status;
    if (args.words_count > 1 || base[0] != '/')
        return cmd_usage_error("usage: zokor discover [NAME] [--base PATH] [OPTIONS]");
    struct zokor_framework *f = hold_open(&args);
    if (f == NULL)
        return CMD_FAILED;
    struct zokor_discovery *d = zokor_discovery_new(f, base);
    if (args.words_count == 0) {
        status = names(d, base);
    } else {
        struct zokor_instance **all;
        int count;
        int rc = zokor_discovery_instances(d, args.words[0], &all, &count);
        for (int i = 0; i < count; i++)
            shown += show(all[i], json, uri);
        zokor_instances_free(all, count);
        status =
            rc != ZOK ? hold_failed("list", args.words[0], rc) : cmd_finish_output(shown > 0 ? CMD_OK : CMD_FAILED);
    }
    zokor_discovery_free(d);
    (void)zokor_framework_close(f);
    return status;
}
