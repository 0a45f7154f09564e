/* Writing: create, set, delete. */
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/numbers.h"
#include "cli/paths.h"
#include <limits.h>

#define TTL_MAX 0xffffffffffLL /* five bytes */

/* The mode that the options name, the way zkCli.sh judges them. */
static int take_mode(struct cli *c, const struct cli_args *args, int *mode, int64_t *ttl_ms)
{
    bool e = cli_args_has(args, "e"), s = cli_args_has(args, "s");
    bool container = cli_args_has(args, "c"), ttl = cli_args_has(args, "t");
    *ttl_ms = 0;
    if (container && (e || s))
        return cli_fail(c, "-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.");
    if (ttl && cli_number(cli_args_value(args, "t"), 10, INT64_MIN, INT64_MAX, ttl_ms) != 0)
        return cli_fail(c, "-t argument must be a long value");
    if (ttl && e)
        return cli_fail(c, "TTLs cannot be used with Ephemeral znodes");
    if (ttl && container)
        return cli_fail(c, "TTLs cannot be used with Container znodes");
    if (ttl && (*ttl_ms <= 0 || *ttl_ms > TTL_MAX))
        return cli_fail(c, "ttl must be positive and cannot be larger than: %lld", TTL_MAX);
    if (e)
        *mode = s ? ZOO_EPHEMERAL_SEQUENTIAL : ZOO_EPHEMERAL;
    else if (s)
        *mode = ttl ? ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL : ZOO_PERSISTENT_SEQUENTIAL;
    else if (container)
        *mode = ZOO_CONTAINER;
    else
        *mode = ttl ? ZOO_PERSISTENT_WITH_TTL : ZOO_PERSISTENT;
    return 0;
}

static int check_create_path(struct cli *c, const char *path, bool sequential)
{
    struct buf why;
    buf_init(&why, SIZE_MAX / 2);
    int status = CLI_DONE;
    if (cli_path_check(path, sequential, &why) != 0)
        status = cli_fail(c, "%.*s", (int)why.n, (const char *)why.p);
    buf_fini(&why);
    return status;
}

static int report_create(struct cli *c, const char *path, const struct reply *reply)
{
    struct buf text;
    if (reply->rc == ZINVALIDACL) {
        buf_init(&text, SIZE_MAX / 2);
        cli_keeper_text(reply->rc, path, &text);
        cli_complain(c, "%.*s", (int)text.n, (const char *)text.p);
        buf_fini(&text);
    }
    if (reply->rc == ZEPHEMERALONLOCALSESSION)
        cli_complain(c, "Unable to create ephemeral node on a local session");
    if (reply->rc != ZOK)
        return cli_fail_rc(c, reply->rc, path);
    if (c->options.json)
        cli_print_json(c, json_pack("{so}", "created", cli_json_text(reply->data)));
    else
        cli_complain(c, "Created %s", reply->data);
    return CLI_DONE;
}

int cli_create(struct cli *c, struct cli_args *args)
{
    struct ACL_vector acl = ZOO_OPEN_ACL_UNSAFE, parsed = { 0 };
    struct reply reply = { 0 };
    int mode = 0, status = CLI_FAILED;
    int64_t ttl_ms;
    if (args->n < 2)
        return cli_misused(c, "create");
    const char *path = args->words[1], *data = args->n > 2 ? args->words[2] : NULL;
    size_t length = data == NULL ? 0 : strlen(data);
    if (take_mode(c, args, &mode, &ttl_ms) != 0)
        return CLI_FAILED;
    if (args->n > 3) {
        cli_parse_acl(c, args->words[3], &parsed);
        acl = parsed;
    }
    if (check_create_path(c, path, cli_args_has(args, "s")) != 0)
        goto out;
    if (acl.count == 0) { /* Java's client refuses an empty list itself, and knows no path then */
        reply.rc = ZINVALIDACL;
        path = NULL;
    } else {
        call_create(c, path, data, data == NULL ? -1 : (int)length, &acl, mode, ttl_ms, &reply);
    }
    status = report_create(c, path, &reply);
out:
    reply_free(&reply);
    deallocate_ACL_vector(&parsed);
    return status;
}

int cli_set(struct cli *c, struct cli_args *args)
{
    struct reply reply;
    struct buf data;
    int64_t version;
    if (args->n < 3)
        return cli_misused(c, "set");
    const char *path = args->words[1];
    if (cli_take_number(c, args, "v", INT_MIN, INT_MAX, -1, &version) != 0 || cli_check_path(c, path) != 0)
        return CLI_FAILED;
    buf_init(&data, INT_MAX);
    int status = CLI_DONE;
    if (!cli_args_has(args, "b"))
        buf_append(&data, args->words[2], strlen(args->words[2]));
    else if (cli_base64_decode(args->words[2], &data) != 0)
        status = cli_fail(c, "-b: '%s' is not base64", args->words[2]);
    if (status == CLI_DONE) {
        int rc = call_set(c, path, data.p == NULL ? "" : (const char *)data.p, (int)data.n, (int)version, &reply);
        if (rc != ZOK)
            status = cli_fail_rc(c, rc, path);
        else if (c->options.json)
            cli_print_json(c, json_pack("{soso}", "path", cli_json_text(path), "stat", cli_json_stat(&reply.stat)));
        else if (cli_args_has(args, "s"))
            cli_print_stat(c, &reply.stat);
    }
    buf_fini(&data);
    return status;
}

int cli_delete(struct cli *c, struct cli_args *args)
{
    int64_t version;
    if (args->n < 2)
        return cli_misused(c, "delete");
    if (args->n > 2)
        cli_complain(c, "'delete path [version]' has been deprecated. Please use 'delete [-v version] path' instead.");
    const char *path = args->words[1];
    if (cli_take_number(c, args, "v", INT_MIN, INT_MAX, -1, &version) != 0 || cli_check_path(c, path) != 0)
        return CLI_FAILED;
    int rc = call_delete(c, path, (int)version);
    return rc == ZOK ? cli_done(c, path) : cli_fail_rc(c, rc, path);
}
