/* The ensemble's members: config, reconfig. */
#include "base/arena.h"
#include "base/properties.h"
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/member.h"
#include "cli/numbers.h"
#include <ctype.h>
#include <errno.h>

static void print_configuration(struct cli *c, const struct cli_args *args, const struct reply *reply)
{
    struct buf client;
    const char *text = reply->data == NULL ? "null" : reply->data;
    size_t n = reply->data == NULL ? 4 : (size_t)reply->data_len;
    buf_init(&client, SIZE_MAX / 2);
    cli_client_string(text, n, &client);
    if (c->options.json) {
        json_t *object = json_pack("{soss#}", "config", json_stringn(text, n), "clients",
                                   client.p == NULL ? "" : (const char *)client.p, (int)client.n);
        if (cli_args_has(args, "s"))
            json_object_set_new(object, "stat", cli_json_stat(&reply->stat));
        cli_print_json(c, object);
    } else {
        if (cli_args_has(args, "c"))
            cli_print_text(c, client.p, client.n);
        else
            cli_print_text(c, text, n);
        cli_print(c, "\n");
        if (cli_args_has(args, "s"))
            cli_print_stat(c, &reply->stat);
    }
    buf_fini(&client);
}

int cli_config(struct cli *c, struct cli_args *args)
{
    struct reply reply;
    int rc = call_config(c, cli_args_has(args, "w"), &reply);
    if (rc == ZOK)
        print_configuration(c, args, &reply);
    reply_free(&reply);
    return rc == ZOK ? CLI_DONE : cli_fail_rc(c, rc, ZOO_CONFIG_NODE);
}

/* The lines of a dynamic configuration file that name members, groups and weights; the rest is another server's. */
static int read_members(struct cli *c, const char *name, struct buf *out)
{
    char text[65536];
    FILE *file = fopen(name, "re");
    if (file == NULL)
        return cli_fail(c, "Error processing %s: %s", name, strerror(errno));
    size_t n = fread(text, 1, sizeof(text), file);
    fclose(file);
    if (n == sizeof(text))
        return cli_fail(c, "Error processing %s: longer than 65535 bytes", name);
    struct properties lines;
    struct property p;
    struct arena arena;
    arena_init(&arena, 4096);
    properties_init(&lines, slice_of(text, n), &arena);
    while (properties_next(&lines, &p) == 1) {
        if (slice_starts(p.key, slice_str("server.")) || slice_starts(p.key, slice_str("group.")) ||
            slice_starts(p.key, slice_str("weight.")))
            buf_printf(out, "%s=%s\n", (const char *)p.key.p, (const char *)p.value.p);
    }
    arena_fini(&arena);
    return out->n > 0 ? CLI_DONE : cli_fail(c, "Error processing %s: no line begins with server.", name);
}

/* What zkCli.sh refuses before it asks a server. */
static int check_modes(struct cli *c, const struct cli_args *args)
{
    bool file = cli_args_has(args, "file"), members = cli_args_has(args, "members");
    bool add = cli_args_has(args, "add"), remove = cli_args_has(args, "remove");
    if (!file && !members && !add && !remove)
        return cli_misused(c, "reconfig");
    if ((file || members) && (add || remove))
        return cli_fail(c, "Can't use -file or -members together with -add or -remove (mixing incremental and "
                           "non-incremental modes is not allowed)");
    if (file && members)
        return cli_fail(c, "Can't use -file and -members together (conflicting non-incremental modes)");
    return CLI_DONE;
}

/* A copy in small letters, as zkCli.sh sends it; NULL for NULL. */
static char *lowered(const char *text)
{
    char *copy = text == NULL ? NULL : strdup(text);
    for (char *p = copy; p != NULL && *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
    return copy;
}

int cli_reconfig(struct cli *c, struct cli_args *args)
{
    struct buf members;
    struct reply reply = { 0 };
    int64_t version = -1;
    const char *version_text = cli_args_value(args, "v");
    if (check_modes(c, args) != CLI_DONE)
        return CLI_FAILED;
    if (version_text != NULL && cli_number(version_text, 16, INT64_MIN, INT64_MAX, &version) != 0)
        return cli_fail(c, "-v must be followed by a long (configuration version)");
    buf_init(&members, SIZE_MAX / 2);
    char *add = lowered(cli_args_value(args, "add")), *remove = lowered(cli_args_value(args, "remove"));
    char *list = lowered(cli_args_value(args, "members"));
    int status = CLI_DONE;
    if (cli_args_has(args, "file"))
        status = read_members(c, cli_args_value(args, "file"), &members);
    buf_append(&members, "", 1);
    if (status == CLI_DONE) {
        const char *all = cli_args_has(args, "file") ? (const char *)members.p : list;
        int rc = call_reconfig(c, add, remove, all, version, &reply);
        if (rc != ZOK) {
            status = cli_fail_rc(c, rc, NULL);
        } else {
            if (!c->options.json)
                cli_print(c, "Committed new configuration:\n");
            print_configuration(c, args, &reply);
        }
    }
    reply_free(&reply);
    buf_fini(&members);
    free(add);
    free(remove);
    free(list);
    return status;
}
