/* client_ops: what a simulated client asks for: every operation, mostly sensible, over few names so that clients meet.
 */
#include "sim/client.h"
#include "sim/cluster.h"
#include "sim/model.h"
#include "wire/records.h"
#include <stdio.h>

const char *const simclient_user_ids[CLIENT_USERS] = {
    "alice:AIueg8ag5ALfqeEyKdLnva1Wvi0=",
    "bob:LcrmCNs/wfVD+i5a5yaz89GyjIM=",
    "carol:fZNmx4FXG2eKlMM0B59ZDbdBePE=",
};
static const char *const secrets[CLIENT_USERS] = { "alice:a", "bob:b", "carol:c" };

struct asking {
    struct simclient *client;
    struct dice *d;
    struct buf *b;
    struct client_request *q;
};

bool simclient_is_write(int32_t op)
{
    switch (op) {
    case WIRE_OP_CREATE:
    case WIRE_OP_CREATE2:
    case WIRE_OP_CREATE_CONTAINER:
    case WIRE_OP_CREATE_TTL:
    case WIRE_OP_DELETE:
    case WIRE_OP_SET_DATA:
    case WIRE_OP_SET_ACL:
    case WIRE_OP_MULTI:
    case WIRE_OP_CLOSE_SESSION:
        return true;
    default:
        return false;
    }
}

void simclient_put_auth(uint32_t user, struct buf *b)
{
    wire_put_request_header(b, &(struct wire_request_header){ WIRE_XID_AUTH, WIRE_OP_AUTH });
    wire_put_auth_request(
        b, &(struct wire_auth_request){ .scheme = slice_str("digest"), .auth = slice_str(secrets[user]) });
}

static struct slice random_path(struct asking *a)
{
    struct dice *d = a->d;
    int64_t names = opt(simclient_cluster(a->client), OPT_names);
    int64_t depth = dice_one_in(d, 10) ? 3 : dice_between(d, 1, 2);
    size_t n = 0;
    for (int64_t i = 0; i < depth; i++)
        n += (size_t)snprintf(a->q->path + n, sizeof a->q->path - n, "/%c", (int)('a' + dice_between(d, 0, names - 1)));
    return slice_of(a->q->path, n);
}

/* Where children are looked for: the root, too. */
static struct slice random_parent(struct asking *a)
{
    if (dice_one_in(a->d, 5)) {
        snprintf(a->q->path, sizeof a->q->path, "/");
        return slice_str(a->q->path);
    }
    return random_path(a);
}

static struct slice random_data(struct asking *a, char *to, size_t size)
{
    if (dice_one_in(a->d, 20))
        return (struct slice){ 0 };
    int64_t max = opt(simclient_cluster(a->client), OPT_data_bytes);
    memset(to, 'x', size);
    int n = snprintf(to, size, "%u.%d.", simclient_index(a->client), a->q->xid);
    to[n] = 'x';
    return slice_of(to, (size_t)dice_between(a->d, 0, max < (int64_t)size ? max : (int64_t)size));
}

static int32_t random_version(struct asking *a)
{
    return dice_one_in(a->d, 3) ? (int32_t)dice_between(a->d, 0, 2) : -1;
}

static void put_acl_one(struct buf *b, int32_t perms, const char *scheme, const char *id)
{
    wire_put_acl(b, (struct wire_acl){ perms, { slice_str(scheme), slice_str(id) } });
}

/* Mostly open; otherwise one of several lists, some of them not valid. */
static void put_random_acl(struct asking *a)
{
    struct buf *b = a->b;
    switch (dice_one_in(a->d, 5) ? dice_between(a->d, 1, 8) : 0) {
    case 1: /* others may look */
        wire_put_i32(b, 2);
        put_acl_one(b, WIRE_PERM_READ, "world", "anyone");
        put_acl_one(b, WIRE_PERM_ALL, "digest", simclient_user_ids[dice_between(a->d, 0, CLIENT_USERS - 1)]);
        return;
    case 2:
        wire_put_i32(b, 1);
        put_acl_one(b, WIRE_PERM_ALL, "auth", "");
        return;
    case 3:
        wire_put_i32(b, 0);
        return;
    case 4:
        wire_put_i32(b, -1);
        return;
    case 5: /* one twice */
        wire_put_i32(b, 3);
        put_acl_one(b, WIRE_PERM_ALL, "world", "anyone");
        put_acl_one(b, WIRE_PERM_READ, "digest", simclient_user_ids[0]);
        put_acl_one(b, WIRE_PERM_ALL, "world", "anyone");
        return;
    case 6:
        wire_put_i32(b, 1);
        put_acl_one(b, WIRE_PERM_READ | WIRE_PERM_WRITE | WIRE_PERM_CREATE, "world", "anyone");
        return;
    case 7:
        wire_put_i32(b, 1);
        put_acl_one(b, WIRE_PERM_ALL, "world", "somebody");
        return;
    case 8:
        wire_put_i32(b, 2);
        put_acl_one(b, WIRE_PERM_ALL, "ip", "127.0.0.1");
        put_acl_one(b, WIRE_PERM_ADMIN, "auth", "");
        return;
    default:
        wire_put_i32(b, 1);
        put_acl_one(b, WIRE_PERM_ALL, "world", "anyone");
    }
}

/* ---- writes, alone and in a multi ---- */

static void put_create_record(struct asking *a, int32_t op)
{
    char data[256];
    struct slice path = random_path(a);
    int32_t flags = op == WIRE_OP_CREATE_CONTAINER ? WIRE_CREATE_CONTAINER : (int32_t)dice_between(a->d, 0, 3);
    if (op == WIRE_OP_CREATE_TTL)
        flags = dice_one_in(a->d, 3) ? WIRE_CREATE_TTL_SEQUENTIAL : WIRE_CREATE_TTL;
    if (op != WIRE_OP_CREATE_TTL && flags == 0 && dice_one_in(a->d, 40))
        flags = 7; /* there is none */
    wire_put_ustring(a->b, path);
    wire_put_buffer(a->b, random_data(a, data, sizeof data));
    put_random_acl(a);
    wire_put_i32(a->b, flags);
    if (op == WIRE_OP_CREATE_TTL)
        wire_put_i64(a->b, dice_between(a->d, dice_one_in(a->d, 10) ? 0 : 500, 9000));
}

static void put_write_record(struct asking *a, int32_t op)
{
    char data[256];
    switch (op) {
    case WIRE_OP_DELETE:
    case WIRE_OP_CHECK:
        wire_put_ustring(a->b, random_path(a));
        wire_put_i32(a->b, random_version(a));
        return;
    case WIRE_OP_SET_DATA:
        wire_put_ustring(a->b, random_parent(a));
        wire_put_buffer(a->b, random_data(a, data, sizeof data));
        wire_put_i32(a->b, random_version(a));
        return;
    case WIRE_OP_SET_ACL:
        wire_put_ustring(a->b, random_path(a));
        put_random_acl(a);
        wire_put_i32(a->b, random_version(a));
        return;
    default:
        put_create_record(a, op);
    }
}

static int32_t random_write(struct asking *a)
{
    static const int32_t ops[] = { WIRE_OP_CREATE,   WIRE_OP_CREATE,   WIRE_OP_CREATE,           WIRE_OP_CREATE2,
                                   WIRE_OP_CREATE2,  WIRE_OP_DELETE,   WIRE_OP_DELETE,           WIRE_OP_DELETE,
                                   WIRE_OP_SET_DATA, WIRE_OP_SET_DATA, WIRE_OP_CREATE_CONTAINER, WIRE_OP_CREATE_TTL };
    return ops[dice_between(a->d, 0, ARRAY_COUNT(ops) - 1)];
}

static void put_multi(struct asking *a)
{
    int64_t count = dice_between(a->d, 0, 5);
    for (int64_t i = 0; i < count; i++) {
        int32_t op = dice_one_in(a->d, 5) ? WIRE_OP_CHECK : random_write(a);
        if (dice_one_in(a->d, 200))
            op = WIRE_OP_SET_ACL; /* has no place in a multi */
        wire_put_multi_header(a->b, &(struct wire_multi_header){ op, false, -1 });
        put_write_record(a, op);
    }
    wire_put_multi_header(a->b, &(struct wire_multi_header){ -1, true, -1 });
}

/* As the command-line client sets a quota, but at once; again and again, and only the first one counts. */
static void put_quota(struct asking *a)
{
    size_t i = (size_t)dice_between(a->d, 0, MODEL_QUOTAS - 1);
    char path[60], limits[100];
    const char *const names[] = { "", "/zookeeper_limits", "/zookeeper_stats" };
    (void)snprintf(limits, sizeof limits, "count=-1,bytes=-1=;byteHardLimit=%lld;countHardLimit=%lld",
                   (long long)model_quota_bytes[i], (long long)model_quota_nodes[i]);
    const char *const data[] = { "", limits, "count=0,bytes=0" };
    for (size_t k = 0; k < ARRAY_COUNT(names); k++) {
        (void)snprintf(path, sizeof path, "/zookeeper/quota%s%s", model_quota_paths[i], names[k]);
        wire_put_multi_header(a->b, &(struct wire_multi_header){ WIRE_OP_CREATE, false, -1 });
        wire_put_ustring(a->b, slice_str(path));
        wire_put_buffer(a->b, slice_str(data[k]));
        wire_put_i32(a->b, 1);
        put_acl_one(a->b, WIRE_PERM_ALL, "world", "anyone");
        wire_put_i32(a->b, WIRE_CREATE_PERSISTENT);
    }
    wire_put_multi_header(a->b, &(struct wire_multi_header){ -1, true, -1 });
}

/* ---- reads ---- */

static void put_multi_read(struct asking *a)
{
    int64_t count = dice_between(a->d, 0, 4);
    for (int64_t i = 0; i < count; i++) {
        int32_t op = dice_one_in(a->d, 2) ? WIRE_OP_GET_DATA : WIRE_OP_GET_CHILDREN;
        wire_put_multi_header(a->b, &(struct wire_multi_header){ op, false, -1 });
        wire_put_path_watch_request(a->b, &(struct wire_path_watch_request){ .path = random_parent(a) });
    }
    wire_put_multi_header(a->b, &(struct wire_multi_header){ -1, true, -1 });
}

static void put_read_record(struct asking *a, int32_t op)
{
    bool watch = dice_one_in(a->d, 3);
    switch (op) {
    case WIRE_OP_GET_DATA:
    case WIRE_OP_EXISTS:
        a->q->watches = watch;
        a->q->kind = SIM_WATCH_DATA;
        wire_put_path_watch_request(a->b, &(struct wire_path_watch_request){ random_path(a), watch });
        return;
    case WIRE_OP_GET_CHILDREN:
    case WIRE_OP_GET_CHILDREN2:
        a->q->watches = watch;
        a->q->kind = SIM_WATCH_CHILD;
        wire_put_path_watch_request(a->b, &(struct wire_path_watch_request){ random_parent(a), watch });
        return;
    case WIRE_OP_ADD_WATCH: {
        int32_t mode = (int32_t)dice_between(a->d, 0, dice_one_in(a->d, 20) ? 2 : 1);
        a->q->watches = mode < 2;
        a->q->kind = mode == 0 ? SIM_WATCH_ALL : SIM_WATCH_BELOW;
        wire_put_path_kind_request(a->b, &(struct wire_path_kind_request){ random_parent(a), mode });
        return;
    }
    case WIRE_OP_CHECK_WATCHES:
    case WIRE_OP_REMOVE_WATCHES: {
        /* The client's book is simple: what it removes, it removes wholly. */
        int32_t kind = op == WIRE_OP_REMOVE_WATCHES ? WIRE_WATCHER_ANY : (int32_t)dice_between(a->d, 1, 5);
        wire_put_path_kind_request(a->b, &(struct wire_path_kind_request){ random_parent(a), kind });
        return;
    }
    case WIRE_OP_MULTI_READ:
        put_multi_read(a);
        return;
    case WIRE_OP_WHO_AM_I:
        return;
    default:
        wire_put_path_request(a->b, &(struct wire_path_request){ random_parent(a) });
    }
}

static int32_t random_read(struct asking *a)
{
    static const int32_t ops[] = { WIRE_OP_GET_DATA,
                                   WIRE_OP_GET_DATA,
                                   WIRE_OP_GET_DATA,
                                   WIRE_OP_EXISTS,
                                   WIRE_OP_EXISTS,
                                   WIRE_OP_GET_CHILDREN,
                                   WIRE_OP_GET_CHILDREN2,
                                   WIRE_OP_GET_CHILDREN2,
                                   WIRE_OP_GET_ACL,
                                   WIRE_OP_SYNC,
                                   WIRE_OP_MULTI_READ,
                                   WIRE_OP_CHECK_WATCHES,
                                   WIRE_OP_REMOVE_WATCHES,
                                   WIRE_OP_ADD_WATCH,
                                   WIRE_OP_GET_EPHEMERALS,
                                   WIRE_OP_WHO_AM_I,
                                   WIRE_OP_GET_ALL_CHILDREN_NUMBER };
    return ops[dice_between(a->d, 0, ARRAY_COUNT(ops) - 1)];
}

void simclient_next_request(struct simclient *k, struct dice *d, int32_t xid, struct buf *b, struct client_request *q)
{
    struct asking a = { .client = k, .d = d, .b = b, .q = q };
    q->xid = xid;
    if (opt(simclient_cluster(k), OPT_quotas) != 0 && dice_one_in(d, 60)) {
        q->op = WIRE_OP_MULTI;
        wire_put_request_header(b, &(struct wire_request_header){ xid, q->op });
        put_quota(&a);
        return;
    }
    bool writes = dice_one_in(d, 2);
    q->op = !writes              ? random_read(&a)
            : dice_one_in(d, 6)  ? WIRE_OP_MULTI
            : dice_one_in(d, 12) ? WIRE_OP_SET_ACL
                                 : random_write(&a);
    wire_put_request_header(b, &(struct wire_request_header){ xid, q->op });
    if (q->op == WIRE_OP_MULTI)
        put_multi(&a);
    else if (writes)
        put_write_record(&a, q->op);
    else
        put_read_record(&a, q->op);
}
