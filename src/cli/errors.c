/* Errors in the words of zkCli.sh (its CliWrapperException), and checks that it makes before it asks a server. */
#include "base/err.h"
#include "cli/internal.h"
#include "cli/numbers.h"
#include "cli/paths.h"
#include <inttypes.h>

void cli_keeper_text(int rc, const char *path, struct buf *out)
{
    const char *text = err_text(rc);
    if (rc == ZINVALIDSTATE)
        text = err_text(ZSESSIONEXPIRED);
    else if (rc == ZCLOSING)
        text = "Session closed";
    buf_printf(out, "KeeperErrorCode = %s", text);
    if (path != NULL && path[0] != '\0')
        buf_printf(out, " for %s", path);
}

void cli_error_text(int rc, const char *path, struct buf *out)
{
    static const struct {
        int rc;
        const char *text;
    } texts[] = {
        { ZNONODE, "Node does not exist: " },
        { ZNOCHILDRENFOREPHEMERALS, "Ephemerals cannot have children: " },
        { ZNODEEXISTS, "Node already exists: " },
        { ZNOTEMPTY, "Node not empty: " },
        { ZNOTREADONLY, "Not a read-only call: " },
        { ZINVALIDACL, "Acl is not valid : " },
        { ZNOAUTH, "Insufficient permission : " },
        { ZBADARGUMENTS, "Arguments are not valid : " },
        { ZBADVERSION, "version No is not valid : " },
        { ZQUOTAEXCEEDED, "Quota has exceeded : " },
    };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        if (texts[i].rc == rc) {
            buf_printf(out, "%s%s", texts[i].text, path == NULL ? "null" : path);
            return;
        }
    }
    if (rc == ZRECONFIGINPROGRESS)
        buf_printf(out, "Another reconfiguration is in progress -- concurrent reconfigs not supported (yet)");
    else if (rc == ZNEWCONFIGNOQUORUM)
        buf_printf(out, "No quorum of new config is connected and up-to-date with the leader of last commmitted config "
                        "- try invoking reconfiguration after new servers are connected and synced");
    else
        cli_keeper_text(rc, path, out);
}

/* Why there is no connection, where that is the trouble; empty otherwise. */
static void find_reason(int rc, char *out, size_t size)
{
    out[0] = '\0';
    if (rc == ZCONNECTIONLOSS || rc == ZOPERATIONTIMEOUT || rc == ZAUTHFAILED)
        cli_last_log(out, size);
}

int cli_fail_rc(struct cli *c, int rc, const char *path)
{
    struct buf text;
    char reason[512];
    if (rc == ZINVALIDSTATE && cli_is_refused(c)) /* a moment earlier it would have been told so */
        rc = ZAUTHFAILED;
    find_reason(rc, reason, sizeof(reason));
    if (cli_interrupted)
        return cli_fail(c, "interrupted; what was asked may still be done");
    buf_init(&text, SIZE_MAX / 2);
    cli_error_text(rc, path, &text);
    buf_append(&text, "", 1);
    if (c->options.json) {
        cli_flush(c);
        json_t *object = json_pack("{sbsssiso*soss*}", "ok", 0, "error", err_name(rc), "code", rc, "path",
                                   path == NULL ? NULL : cli_json_text(path), "message",
                                   cli_json_text((const char *)text.p), "reason", reason[0] == '\0' ? NULL : reason);
        json_dumpf(object, stderr, JSON_COMPACT);
        fprintf(stderr, "\n");
        json_decref(object);
    } else {
        cli_complain(c, "%s%s%s", (const char *)text.p, reason[0] == '\0' ? "" : "\n  ", reason);
    }
    buf_fini(&text);
    return CLI_FAILED;
}

int cli_check_path(struct cli *c, const char *path)
{
    struct buf why;
    buf_init(&why, SIZE_MAX / 2);
    int status = 0;
    if (cli_path_check(path, false, &why) != 0)
        status = cli_fail(c, "%.*s", (int)why.n, (const char *)why.p);
    buf_fini(&why);
    return status;
}

int cli_take_number(struct cli *c, const struct cli_args *args, const char *flag, int64_t min, int64_t max,
                    int64_t otherwise, int64_t *out)
{
    const char *text = cli_args_value(args, flag);
    *out = otherwise;
    if (text == NULL || cli_number(text, 10, min, max, out) == 0)
        return 0;
    return cli_fail(c, "-%s: '%s' is not a number (%" PRId64 "..%" PRId64 ")", flag, text, min, max);
}
