/* Who may do what, and who we are: getAcl, setAcl, addauth, whoami. */
#include "cli/acl.h"
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/walk.h"
#include <limits.h>
#include <time.h>

int cli_parse_acl(struct cli *c, const char *text, struct ACL_vector *out)
{
    struct buf complaints;
    buf_init(&complaints, SIZE_MAX / 2);
    cli_acl_parse(text, out, &complaints);
    if (complaints.n > 0)
        cli_complain(c, "%.*s", (int)complaints.n - 1, (const char *)complaints.p);
    buf_fini(&complaints);
    return out->count;
}

int cli_get_acl(struct cli *c, struct cli_args *args)
{
    struct reply reply;
    char perms[6];
    if (args->n < 2)
        return cli_misused(c, "getAcl");
    const char *path = args->words[1];
    if (cli_check_path(c, path) != 0)
        return CLI_FAILED;
    int rc = call_get_acl(c, path, &reply);
    if (rc != ZOK)
        return cli_fail_rc(c, rc, path);
    json_t *list = json_array();
    for (int32_t i = 0; i < reply.acl.count; i++) {
        const struct ACL *a = &reply.acl.data[i];
        cli_perms_text(a->perms, perms);
        json_array_append_new(list, json_pack("{sososs}", "scheme", cli_json_text(a->id.scheme), "id",
                                              cli_json_text(a->id.id), "perms", perms));
        if (c->options.json)
            continue;
        cli_print(c, "'");
        cli_print_name(c, a->id.scheme);
        cli_print(c, ",'");
        cli_print_name(c, a->id.id);
        cli_print(c, "\n: %s\n", perms);
    }
    if (c->options.json) {
        json_t *object = json_pack("{soso}", "path", cli_json_text(path), "acl", json_incref(list));
        if (cli_args_has(args, "s"))
            json_object_set_new(object, "stat", cli_json_stat(&reply.stat));
        cli_print_json(c, object);
    } else if (cli_args_has(args, "s")) {
        cli_print_stat(c, &reply.stat);
    }
    json_decref(list);
    reply_free(&reply);
    return CLI_DONE;
}

struct setting {
    const struct ACL_vector *acl;
    int version;
    bool failed;
};

/* One node of setAcl -R. zkCli.sh prints Java's text for what fails, without an end of line, and goes on; so do we,
 * with one. */
static int set_one(struct cli *c, const struct walk_node *node, void *context)
{
    struct setting *s = context;
    int rc = call_set_acl(c, node->path, s->acl, s->version);
    if (rc != ZOK) {
        cli_keeper_text(rc, node->path, &c->out);
        cli_print(c, "\n");
        s->failed = true;
    }
    if (node->rc != ZOK && node->rc != ZNONODE) {
        cli_fail_rc(c, node->rc, node->path);
        return WALK_STOP;
    }
    return WALK_ON;
}

int cli_set_acl(struct cli *c, struct cli_args *args)
{
    struct ACL_vector acl;
    struct reply reply;
    int64_t version;
    int status = CLI_DONE, rc;
    if (args->n < 3)
        return cli_misused(c, "setAcl");
    const char *path = args->words[1];
    cli_parse_acl(c, args->words[2], &acl);
    if (cli_take_number(c, args, "v", INT_MIN, INT_MAX, -1, &version) != 0 || cli_check_path(c, path) != 0) {
        status = CLI_FAILED;
    } else if (acl.count == 0) {
        status = cli_fail_rc(c, ZINVALIDACL, NULL);
    } else if (cli_args_has(args, "R")) {
        struct setting setting = { .acl = &acl, .version = (int)version };
        const struct walk_plan plan = { .entered = set_one, .context = &setting };
        status = walk_tree(c, path, &plan);
    } else if ((rc = call_set_acl(c, path, &acl, (int)version)) != ZOK) {
        status = cli_fail_rc(c, rc, path);
    } else if (!cli_args_has(args, "s") && !c->options.json) {
        status = CLI_DONE;
    } else if ((rc = call_exists(c, path, false, &reply)) != ZOK) {
        status = cli_fail_rc(c, rc, path);
    } else if (c->options.json) {
        cli_print_json(c, json_pack("{soso}", "path", cli_json_text(path), "stat", cli_json_stat(&reply.stat)));
    } else {
        cli_print_stat(c, &reply.stat);
    }
    deallocate_ACL_vector(&acl);
    return status;
}

int cli_prove(struct cli *c, const char *scheme, const char *auth)
{
    int rc = call_auth(c, scheme, auth);
    if (rc == ZOK)
        return CLI_DONE;
    if (rc == ZAUTHFAILED || rc == ZINVALIDSTATE || rc == ZCLOSING)
        return cli_fail(c,
                        "the server does not accept this authentication: scheme '%s'; the session is over, connect "
                        "opens a new one",
                        scheme);
    return cli_fail_rc(c, rc, NULL);
}

int cli_addauth(struct cli *c, struct cli_args *args)
{
    if (args->n < 2)
        return cli_misused(c, "addauth");
    int status = cli_prove(c, args->words[1], args->n > 2 ? args->words[2] : NULL);
    return status == CLI_DONE ? cli_done(c, NULL) : status;
}

int cli_whoami(struct cli *c, struct cli_args *args)
{
    struct reply reply;
    (void)args;
    int rc = call_who_am_i(c, &reply);
    if (rc != ZOK)
        return cli_fail_rc(c, rc, NULL);
    if (!c->options.json)
        cli_print(c, "Auth scheme: User\n");
    json_t *list = json_array();
    for (int32_t i = 0; i < reply.ids.count; i++) {
        const struct ClientInfo *id = &reply.ids.data[i];
        json_array_append_new(
            list, json_pack("{soso}", "scheme", cli_json_text(id->authScheme), "user", cli_json_text(id->user)));
        if (!c->options.json) {
            cli_print_name(c, id->authScheme);
            cli_print(c, ": ");
            cli_print_name(c, id->user);
            cli_print(c, "\n");
        }
    }
    if (c->options.json)
        cli_print_json(c, json_pack("{sO}", "ids", list));
    json_decref(list);
    reply_free(&reply);
    return CLI_DONE;
}
