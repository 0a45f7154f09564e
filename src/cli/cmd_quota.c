/* Quotas: setquota, listquota, delquota. A quota is two nodes below /zookeeper/quota, which clients make. */
#include "base/mem.h"
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/numbers.h"
#include "cli/paths.h"
#include "cli/quota.h"
#include "cli/walk.h"
#include <inttypes.h>
#include <limits.h>

/* Reads the limits or the statistics of a path. */
static int read_quota(struct cli *c, const char *path, const char *name, struct cli_quota *out)
{
    struct reply reply;
    char *node = cli_quota_path(path, name);
    int rc = call_get(c, node, false, &reply);
    if (rc == ZOK && cli_quota_parse(out, reply.data == NULL ? "" : reply.data,
                                     reply.data == NULL ? 0 : (size_t)reply.data_len) != 0)
        rc = ZMARSHALLINGERROR;
    reply_free(&reply);
    mem_free(node);
    return rc;
}

static int write_quota(struct cli *c, const char *path, const char *name, const struct cli_quota *quota, bool create)
{
    struct reply reply;
    struct buf text;
    char *node = cli_quota_path(path, name);
    buf_init(&text, SIZE_MAX / 2);
    cli_quota_text(quota, &text);
    const char *data = (const char *)text.p;
    int rc = create ? call_create(c, node, data, (int)text.n, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, 0, &reply)
                    : call_set(c, node, data, (int)text.n, -1, &reply);
    reply_free(&reply);
    buf_fini(&text);
    mem_free(node);
    return rc;
}

struct search {
    const char *path;
    bool found;
};

static int look_for_child(struct cli *c, const struct walk_node *node, void *context)
{
    struct search *s = context;
    const char *real = node->path + strlen(CLI_QUOTA_ROOT);
    if (node->rc != ZOK) {
        if (node->rc != ZNONODE)
            cli_fail_rc(c, node->rc, node->path);
        return node->rc == ZNONODE ? WALK_SKIP : WALK_STOP;
    }
    for (int32_t i = 0; i < node->children->count; i++) {
        if (strcmp(real, s->path) == 0 || strcmp(node->children->data[i], CLI_QUOTA_LIMITS) != 0)
            continue;
        s->found = true;
        cli_complain(c, "%s has a child %s which has a quota", s->path, real);
        return WALK_STOP;
    }
    return WALK_ON;
}

static int check_children(struct cli *c, const char *path)
{
    struct search search = { .path = path };
    const struct walk_plan plan = { .entered = look_for_child, .context = &search };
    char *root = cli_quota_path(path, "");
    int status = walk_tree(c, root, &plan);
    mem_free(root);
    return status;
}

static int check_parents(struct cli *c, const char *path)
{
    struct reply reply;
    for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        char *parent = strndup(path, (size_t)(slash - path));
        char *node = cli_quota_path(parent, CLI_QUOTA_LIMITS);
        int rc = call_exists(c, node, false, &reply), status = CLI_DONE;
        mem_free(node);
        if (rc == ZOK)
            status = cli_fail(c, "%s has a parent %s which has a quota", path, parent);
        else if (rc != ZNONODE)
            status = cli_fail_rc(c, rc, parent);
        free(parent);
        if (status != CLI_DONE)
            return status;
    }
    return CLI_DONE;
}

/* Makes the nodes above the two of the quota. */
static int make_parents(struct cli *c, const char *path)
{
    struct reply reply;
    char *node = cli_quota_path(path, "");
    size_t root = strlen(CLI_QUOTA_ROOT);
    int rc = ZOK;
    for (char *slash = node + root; slash != NULL && rc == ZOK; slash = strchr(slash + 1, '/')) {
        char *next = strchr(slash + 1, '/');
        if (next != NULL)
            *next = '\0';
        rc = call_create(c, node, NULL, -1, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, 0, &reply);
        reply_free(&reply);
        rc = rc == ZNODEEXISTS ? ZOK : rc;
        if (next != NULL)
            *next = '/';
    }
    int status = rc == ZOK ? CLI_DONE : cli_fail_rc(c, rc, node);
    mem_free(node);
    return status;
}

static void warn_if_exceeded(struct cli *c, const struct cli_quota *limits, const struct cli_quota *used)
{
    if ((limits->count > -1 && limits->count < used->count) ||
        (limits->count_hard > -1 && limits->count_hard < used->count))
        cli_print(c, "[Warning]: the count quota you create is less than the existing count:%" PRId64 "\n",
                  used->count);
    if ((limits->bytes > -1 && limits->bytes < used->bytes) ||
        (limits->bytes_hard > -1 && limits->bytes_hard < used->bytes))
        cli_print(c, "[Warning]: the bytes quota you create is less than the existing bytes:%" PRId64 "\n",
                  used->bytes);
}

static void change(struct cli_quota *to, const struct cli_quota *by)
{
    to->count = by->count > -1 ? by->count : to->count;
    to->bytes = by->bytes > -1 ? by->bytes : to->bytes;
    to->count_hard = by->count_hard > -1 ? by->count_hard : to->count_hard;
    to->bytes_hard = by->bytes_hard > -1 ? by->bytes_hard : to->bytes_hard;
    to->has_hard |= by->count_hard > -1 || by->bytes_hard > -1;
}

static int set_quota(struct cli *c, const char *path, const struct cli_quota *wanted)
{
    struct cli_quota limits, used = { .count = -1, .bytes = -1 };
    const struct cli_quota none = { 0 };
    bool warn = true;
    int rc = read_quota(c, path, CLI_QUOTA_LIMITS, &limits);
    if (rc == ZOK) {
        change(&limits, wanted);
        rc = read_quota(c, path, CLI_QUOTA_STATS, &used);
        warn = rc == ZOK;
        if (rc == ZOK)
            rc = write_quota(c, path, CLI_QUOTA_LIMITS, &limits, false);
    } else if (rc == ZNONODE) {
        limits = *wanted;
        if (make_parents(c, path) != CLI_DONE)
            return CLI_FAILED;
        rc = write_quota(c, path, CLI_QUOTA_LIMITS, &limits, true);
        if (rc == ZOK)
            rc = write_quota(c, path, CLI_QUOTA_STATS, &none, true);
        if (rc == ZOK)
            rc = read_quota(c, path, CLI_QUOTA_STATS, &used);
    }
    if (rc != ZOK)
        return cli_fail_rc(c, rc, path);
    if (warn && !c->options.json)
        warn_if_exceeded(c, &limits, &used);
    return cli_done(c, path);
}

/* One of -n -b -N -B; the texts are those of zkCli.sh. */
static int take_limits(struct cli *c, const struct cli_args *args, struct cli_quota *out)
{
    const struct {
        const char *flag;
        int64_t *to, max;
    } flags[] = { { "n", &out->count, INT_MAX },
                  { "b", &out->bytes, INT64_MAX },
                  { "N", &out->count_hard, INT_MAX },
                  { "B", &out->bytes_hard, INT64_MAX } };
    *out = (struct cli_quota){ .count = -1, .bytes = -1, .count_hard = -1, .bytes_hard = -1, .has_hard = true };
    for (size_t i = 0; i < ARRAY_COUNT(flags); i++) {
        const char *text = cli_args_value(args, flags[i].flag);
        bool count = flags[i].max == INT_MAX;
        if (text == NULL)
            continue;
        if (cli_number(text, 10, count ? INT_MIN : INT64_MIN, flags[i].max, flags[i].to) != 0)
            return cli_fail(c, "NumberFormatException happens when parsing the option value");
        if (count && *flags[i].to <= 0)
            return cli_fail(c, "the num quota must be greater than zero");
        if (*flags[i].to < 0)
            return cli_fail(c, "the bytes quota must be greater than or equal to zero");
    }
    return CLI_DONE;
}

int cli_setquota(struct cli *c, struct cli_args *args)
{
    struct cli_quota wanted;
    struct reply reply;
    if (args->n < 2)
        return cli_misused(c, "setquota");
    const char *path = args->words[1];
    /* What is wrong with the values is told, and no failure for zkCli.sh. */
    if (strncmp(path, CLI_QUOTA_ROOT, strlen(CLI_QUOTA_ROOT)) == 0) {
        cli_complain(c, "cannot set a quota under the path: %s", CLI_QUOTA_ROOT);
        return c->options.json ? CLI_FAILED : CLI_DONE;
    }
    if (take_limits(c, args, &wanted) != CLI_DONE)
        return c->options.json ? CLI_FAILED : CLI_DONE;
    if (cli_check_path(c, path) != 0)
        return CLI_FAILED;
    if (strcmp(path, "/") == 0) /* Apache's server ends, and does not start again, when it has such a quota */
        return cli_fail(c, "/: a quota on the root is ignored here and brings Apache's server down; give it a child");
    int rc = call_exists(c, path, false, &reply);
    if (rc == ZNONODE)
        return cli_fail(c, "%s does not exist.", path);
    if (rc != ZOK)
        return cli_fail_rc(c, rc, path);
    if (check_children(c, path) != CLI_DONE || check_parents(c, path) != CLI_DONE)
        return CLI_FAILED;
    return set_quota(c, path, &wanted);
}

static json_t *json_quota(const struct cli_quota *q)
{
    return json_pack("{sIsIsIsI}", "count", (json_int_t)q->count, "bytes", (json_int_t)q->bytes, "countHardLimit",
                     (json_int_t)q->count_hard, "byteHardLimit", (json_int_t)q->bytes_hard);
}

static void print_quota(struct cli *c, const char *label, const char *path, const struct cli_quota *quota)
{
    cli_print(c, "Output %s for %s ", label, path);
    cli_quota_text(quota, &c->out);
    cli_print(c, "\n");
}

int cli_listquota(struct cli *c, struct cli_args *args)
{
    struct cli_quota limits, used;
    if (args->n < 2)
        return cli_misused(c, "listquota");
    const char *path = args->words[1];
    char *node = cli_quota_path(path, CLI_QUOTA_LIMITS);
    if (!c->options.json)
        cli_complain(c, "absolute path is %s", node);
    int status = cli_check_path(c, node);
    mem_free(node);
    if (status != CLI_DONE)
        return status;
    int rc = read_quota(c, path, CLI_QUOTA_LIMITS, &limits);
    if (rc == ZOK)
        rc = read_quota(c, path, CLI_QUOTA_STATS, &used);
    if (rc == ZNONODE) {
        cli_complain(c, "quota for %s does not exist.", path);
        return c->options.json ? CLI_FAILED : CLI_DONE; /* no failure for zkCli.sh */
    }
    if (rc != ZOK)
        return cli_fail_rc(c, rc, path);
    if (c->options.json) {
        cli_print_json(c, json_pack("{sososo}", "path", cli_json_text(path), "quota", json_quota(&limits), "used",
                                    json_quota(&used)));
        return CLI_DONE;
    }
    print_quota(c, "quota", path, &limits);
    print_quota(c, "stat", path, &used);
    return CLI_DONE;
}

/* Deletes the nodes of a quota, and those above that hold nothing more. */
static int remove_nodes(struct cli *c, const char *path)
{
    struct reply reply;
    char *node = cli_quota_path(path, "");
    int rc = call_children(c, node, false, &reply);
    for (int32_t i = 0; i < reply.names.count && rc == ZOK; i++) {
        char *child = cli_path_join(node, reply.names.data[i]);
        rc = call_delete(c, child, -1);
        mem_free(child);
    }
    reply_free(&reply);
    while (rc == ZOK && strlen(node) > strlen(CLI_QUOTA_ROOT)) {
        rc = call_delete(c, node, -1);
        *strrchr(node, '/') = '\0';
    }
    mem_free(node);
    return rc == ZNOTEMPTY ? ZOK : rc;
}

int cli_delquota(struct cli *c, struct cli_args *args)
{
    struct cli_quota limits;
    if (args->n < 2)
        return cli_misused(c, "delquota");
    const char *path = args->words[1];
    if (cli_check_path(c, path) != 0)
        return CLI_FAILED;
    int rc = read_quota(c, path, CLI_QUOTA_LIMITS, &limits);
    if (rc == ZNONODE) {
        if (c->options.json)
            return cli_fail_rc(c, rc, path);
        cli_print(c, "Quota does not exist for %s\n", path);
        return CLI_DONE;
    }
    bool n = cli_args_has(args, "n"), b = cli_args_has(args, "b");
    bool hard_n = cli_args_has(args, "N"), hard_b = cli_args_has(args, "B");
    if (rc == ZOK && (n || b || hard_n || hard_b)) {
        limits.count = n ? -1 : limits.count;
        limits.bytes = b ? -1 : limits.bytes;
        limits.count_hard = hard_n ? -1 : limits.count_hard;
        limits.bytes_hard = hard_b ? -1 : limits.bytes_hard;
        limits.has_hard |= hard_n || hard_b;
        rc = write_quota(c, path, CLI_QUOTA_LIMITS, &limits, false);
    } else if (rc == ZOK) {
        rc = remove_nodes(c, path);
    }
    return rc == ZOK ? cli_done(c, path) : cli_fail_rc(c, rc, path);
}
