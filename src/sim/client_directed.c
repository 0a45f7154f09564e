/* client_directed: requests of a script, from words. */
#include "sim/client.h"
#include "wire/records.h"
#include <stdio.h>

static const struct {
    const char *word;
    int32_t op;
} ops[] = {
    { "create", WIRE_OP_CREATE },
    { "delete", WIRE_OP_DELETE },
    { "set", WIRE_OP_SET_DATA },
    { "get", WIRE_OP_GET_DATA },
    { "exists", WIRE_OP_EXISTS },
    { "children", WIRE_OP_GET_CHILDREN2 },
    { "sync", WIRE_OP_SYNC },
    { "close", WIRE_OP_CLOSE_SESSION },
    { "multi", WIRE_OP_MULTI },
    { "ttl", WIRE_OP_CREATE_TTL },
    { "container", WIRE_OP_CREATE_CONTAINER },
};

static bool has_word(const char *const *words, size_t count, const char *word)
{
    for (size_t i = 2; i < count; i++)
        if (strcmp(words[i], word) == 0)
            return true;
    return false;
}

/* "data=..." or the path itself, so that whoever reads a transcript knows whose it is. */
static struct slice data_of(const char *const *words, size_t count)
{
    for (size_t i = 2; i < count; i++)
        if (strncmp(words[i], "data=", 5) == 0)
            return slice_str(words[i] + 5);
    return slice_str(words[1]);
}

static void put_create(struct buf *b, const char *path, struct slice data, int32_t flags)
{
    wire_put_ustring(b, slice_str(path));
    wire_put_buffer(b, data);
    wire_put_i32(b, 1);
    wire_put_acl(b, (struct wire_acl){ WIRE_PERM_ALL, { slice_str("world"), slice_str("anyone") } });
    wire_put_i32(b, flags);
}

static void put_record(struct buf *b, int32_t op, const char *const *words, size_t count)
{
    int32_t flags = (has_word(words, count, "ephemeral") ? WIRE_CREATE_EPHEMERAL : 0) |
                    (has_word(words, count, "sequential") ? WIRE_CREATE_SEQUENTIAL : 0);
    bool watch = has_word(words, count, "watch");
    switch (op) {
    case WIRE_OP_CREATE:
        put_create(b, words[1], data_of(words, count), flags);
        return;
    case WIRE_OP_CREATE_CONTAINER:
        put_create(b, words[1], data_of(words, count), WIRE_CREATE_CONTAINER);
        return;
    case WIRE_OP_CREATE_TTL:
        put_create(b, words[1], data_of(words, count), WIRE_CREATE_TTL);
        wire_put_i64(b, 1000);
        return;
    case WIRE_OP_DELETE:
        wire_put_ustring(b, slice_str(words[1]));
        wire_put_i32(b, -1);
        return;
    case WIRE_OP_SET_DATA:
        wire_put_ustring(b, slice_str(words[1]));
        wire_put_buffer(b, data_of(words, count));
        wire_put_i32(b, -1);
        return;
    case WIRE_OP_MULTI: /* creates each */
        for (size_t i = 1; i < count; i++) {
            wire_put_multi_header(b, &(struct wire_multi_header){ WIRE_OP_CREATE, false, -1 });
            put_create(b, words[i], slice_str(words[i]), 0);
        }
        wire_put_multi_header(b, &(struct wire_multi_header){ -1, true, -1 });
        return;
    case WIRE_OP_SYNC:
        wire_put_path_request(b, &(struct wire_path_request){ slice_str(words[1]) });
        return;
    case WIRE_OP_CLOSE_SESSION:
        return;
    default:
        wire_put_path_watch_request(b, &(struct wire_path_watch_request){ slice_str(words[1]), watch });
    }
}

bool simclient_put_words(const char *const *words, size_t count, int32_t xid, struct buf *b, struct client_request *q)
{
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (count == 0 || strcmp(words[0], ops[i].word) != 0 || (count < 2 && ops[i].op != WIRE_OP_CLOSE_SESSION))
            continue;
        q->xid = xid;
        q->op = ops[i].op;
        q->watches = has_word(words, count, "watch");
        q->kind = q->op == WIRE_OP_GET_CHILDREN2 ? SIM_WATCH_CHILD : SIM_WATCH_DATA;
        if (count > 1)
            snprintf(q->path, sizeof q->path, "%s", words[1]);
        wire_put_request_header(b, &(struct wire_request_header){ xid, q->op });
        put_record(b, q->op, words, count);
        return true;
    }
    return false;
}
