/* ops: one row an operation: what it is called, whether it writes, who judges it, who answers it. */
#include "base/museum.h"
#include "core/internal.h"

/* ---- replies of writes, made from what applying gave ---- */

static void reply_path(struct core *c, const struct proposal *p, const struct tree_applied *a, struct buf *body)
{
    (void)c;
    (void)p;
    wire_put_ustring(body, a->results[0].path);
}

static void reply_path_stat(struct core *c, const struct proposal *p, const struct tree_applied *a, struct buf *body)
{
    (void)c;
    (void)p;
    wire_put_ustring(body, a->results[0].path);
    wire_put_stat(body, a->results[0].stat);
}

static void reply_stat(struct core *c, const struct proposal *p, const struct tree_applied *a, struct buf *body)
{
    (void)c;
    (void)p;
    if (SIM_BUG(stat_old))
        a->results[0].stat.version--;
    wire_put_stat(body, a->results[0].stat);
}

static void put_header(struct buf *b, int32_t type, bool done, int32_t err)
{
    wire_put_multi_header(b, &(struct wire_multi_header){ type, done, err });
}

static void reply_multi_one(struct buf *body, const struct tree_result *r, int32_t kind)
{
    put_header(body, kind, false, 0);
    if (kind == WIRE_OP_CREATE || kind == WIRE_OP_CREATE2)
        wire_put_ustring(body, r->path);
    if (kind == WIRE_OP_CREATE2 || kind == WIRE_OP_SET_DATA)
        wire_put_stat(body, r->stat);
}

/* A container or TTL node answers as create2 does; a create2 was logged as a create and multi_kinds remembers. */
static int32_t multi_kind(const struct proposal *p, const struct tree_result *r, uint32_t i)
{
    if (r->type == WIRE_OP_CREATE_CONTAINER || r->type == WIRE_OP_CREATE_TTL || p->multi_kinds[i] == WIRE_OP_CREATE2)
        return WIRE_OP_CREATE2;
    return r->type;
}

static void reply_multi(struct core *c, const struct proposal *p, const struct tree_applied *a, struct buf *body)
{
    (void)c;
    bool failed = false;
    for (uint32_t i = 0; i < a->result_count; i++)
        failed = failed || a->results[i].type == WIRE_OP_ERROR;
    for (uint32_t i = 0; i < a->result_count; i++) {
        const struct tree_result *r = &a->results[i];
        if (!failed) {
            reply_multi_one(body, r, multi_kind(p, r, i));
            continue;
        }
        int32_t err = r->type == WIRE_OP_ERROR ? r->err : 0;
        put_header(body, WIRE_OP_ERROR, false, err);
        wire_put_i32(body, err);
    }
    put_header(body, WIRE_OP_ERROR, true, -1);
}

/* ---- the table ---- */

#define WRITE(c, n, s, p, r)                                                                         \
    {                                                                                                \
        .code = c, .name = n, .short_name = s, .writes = true, .client = true, .prep = p, .reply = r \
    }
#define IN_MULTI(c, n, s, p, r, k)                                                                          \
    {                                                                                                       \
        .code = c, .name = n, .short_name = s, .writes = true, .client = true, .in_multi = true, .prep = p, \
        .reply = r, .skip = k                                                                               \
    }
#define READ(c, n, s, f)                                                 \
    {                                                                    \
        .code = c, .name = n, .short_name = s, .client = true, .read = f \
    }

static const struct op_row rows[] = {
    IN_MULTI(WIRE_OP_CREATE, "create", "CREA", prep_create, reply_path, skip_create),
    IN_MULTI(WIRE_OP_CREATE2, "create2", "CREA", prep_create, reply_path_stat, skip_create),
    IN_MULTI(WIRE_OP_CREATE_CONTAINER, "createContainer", "CREA", prep_create, reply_path_stat, skip_create),
    IN_MULTI(WIRE_OP_CREATE_TTL, "createTTL", "CREA", prep_create, reply_path_stat, skip_create_ttl),
    IN_MULTI(WIRE_OP_DELETE, "delete", "DELE", prep_delete, NULL, skip_path_version),
    IN_MULTI(WIRE_OP_SET_DATA, "setData", "SETD", prep_set_data, reply_stat, skip_set_data),
    WRITE(WIRE_OP_SET_ACL, "setACL", "SETA", prep_set_acl, reply_stat),
    WRITE(WIRE_OP_MULTI, "multi", "MULT", prep_multi, reply_multi),
    WRITE(WIRE_OP_RECONFIG, "reconfig", "RECO", prep_reconfig, NULL),
    WRITE(WIRE_OP_CLOSE_SESSION, "closeSession", "CLOS", prep_close_session, NULL),
    { .code = WIRE_OP_CHECK,
      .name = "check",
      .short_name = "CHEC",
      .writes = true,
      .in_multi = true,
      .prep = prep_check,
      .skip = skip_path_version },
    { .code = WIRE_OP_CREATE_SESSION,
      .name = "createSession",
      .short_name = "SESS",
      .writes = true,
      .prep = prep_create_session },
    { .code = WIRE_OP_DELETE_CONTAINER,
      .name = "deleteContainer",
      .short_name = "DELE",
      .writes = true,
      .prep = prep_delete_container },
    READ(WIRE_OP_EXISTS, "exists", "EXIS", read_exists),
    READ(WIRE_OP_GET_DATA, "getData", "GETD", read_get_data),
    READ(WIRE_OP_GET_ACL, "getACL", "GETA", read_get_acl),
    READ(WIRE_OP_GET_CHILDREN, "getChildren", "GETC", read_get_children),
    READ(WIRE_OP_GET_CHILDREN2, "getChildren2", "GETC", read_get_children2),
    READ(WIRE_OP_SYNC, "sync", "SYNC", read_sync),
    READ(WIRE_OP_PING, "ping", "PING", read_ping),
    READ(WIRE_OP_MULTI_READ, "multiRead", "MLTR", read_multi),
    READ(WIRE_OP_CHECK_WATCHES, "checkWatches", "CHKW", read_check_watches),
    READ(WIRE_OP_REMOVE_WATCHES, "removeWatches", "REMW", read_remove_watches),
    READ(WIRE_OP_SET_WATCHES, "setWatches", "SETW", read_set_watches),
    READ(WIRE_OP_SET_WATCHES2, "setWatches2", "STW2", read_set_watches2),
    READ(WIRE_OP_ADD_WATCH, "addWatch", "ADDW", read_add_watch),
    READ(WIRE_OP_GET_EPHEMERALS, "getEphemerals", "GETE", read_get_ephemerals),
    READ(WIRE_OP_GET_ALL_CHILDREN_NUMBER, "getAllChildrenNumber", "GETACN", read_get_all_children_number),
    READ(WIRE_OP_WHO_AM_I, "whoAmI", "HOMI", read_who_am_i),
};

#define CODE_MIN WIRE_OP_CLOSE_SESSION
#define CODE_MAX WIRE_OP_WHO_AM_I

/* Row numbers by code, made by the compiler's first use; rows are few and codes dense. */
static const struct op_row *by_code[CODE_MAX - CODE_MIN + 1];

__attribute__((constructor)) static void index_rows(void)
{
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        by_code[rows[i].code - CODE_MIN] = &rows[i];
}

const struct op_row *op_find(int32_t code)
{
    return code < CODE_MIN || code > CODE_MAX ? NULL : by_code[code - CODE_MIN];
}

const char *core_op_short_name(int32_t opcode)
{
    const struct op_row *row = op_find(opcode);
    return row == NULL ? "NA" : row->short_name;
}
