#include "cli/export.h"
#include "base/mem.h"
#include "cli/acl.h"
#include "cli/numbers.h"
#include "cli/paths.h"
#include <inttypes.h>
#include <jansson.h>

enum { FORMAT = 1 };

#define TTL_MS_MAX 0xffffffffffLL /* five bytes, as servers keep it */

static void put_line(struct buf *out, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);
    ASSERT(text != NULL);
    buf_printf(out, "%s\n", text);
    free(text);
    json_decref(object);
}

/* A string of the tree; what is no UTF-8, which no client of Java makes, is escaped. */
static json_t *text_of(const char *p)
{
    json_t *text = json_string(p);
    struct buf safe;
    if (text != NULL)
        return text;
    buf_init(&safe, SIZE_MAX / 2);
    cli_escape(p, strlen(p), false, &safe);
    text = json_stringn((const char *)safe.p, safe.n);
    buf_fini(&safe);
    return text;
}

void export_put_head(struct buf *out, const char *root)
{
    put_line(out, json_pack("{siso}", "zokor-export", FORMAT, "root", text_of(root)));
}

void export_put_end(struct buf *out, int64_t nodes)
{
    put_line(out, json_pack("{sbsI}", "end", 1, "nodes", (json_int_t)nodes));
}

static void set_data(json_t *object, const char *data, int data_len)
{
    if (data == NULL || data_len < 0) {
        json_object_set_new(object, "data", json_null());
        return;
    }
    json_t *text = json_stringn(data, (size_t)data_len);
    const char *key = text == NULL ? "base64" : "data";
    if (text == NULL) {
        struct buf encoded;
        buf_init(&encoded, SIZE_MAX / 2);
        cli_base64_encode(data, (size_t)data_len, &encoded);
        text = json_stringn((const char *)encoded.p, encoded.n);
        buf_fini(&encoded);
    }
    json_object_set_new(object, key, text);
}

void export_put_node(struct buf *out, const char *path, const char *data, int data_len, const struct ACL_vector *acl,
                     bool ephemeral)
{
    json_t *object = json_pack("{so}", "path", text_of(path)), *list = json_array();
    bool hidden = false;
    set_data(object, data, data_len);
    for (int32_t i = 0; i < acl->count; i++) {
        struct buf entry;
        char perms[6];
        const struct ACL *a = &acl->data[i];
        buf_init(&entry, SIZE_MAX / 2);
        cli_perms_text(a->perms, perms);
        buf_printf(&entry, "%s:%s:%s", a->id.scheme, a->id.id, perms);
        buf_append(&entry, "", 1);
        json_array_append_new(list, text_of((const char *)entry.p));
        buf_fini(&entry);
        hidden |= cli_acl_is_hidden(a);
    }
    json_object_set_new(object, "acl", list);
    if (hidden)
        json_object_set_new(object, "aclHidden", json_true());
    if (ephemeral)
        json_object_set_new(object, "ephemeral", json_true());
    put_line(out, object);
}

static int read_acl(struct export_record *out, const json_t *list, struct buf *error)
{
    if (!json_is_array(list) || json_array_size(list) == 0) {
        buf_printf(error, "\"acl\" is not a list with an entry");
        return -1;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        const char *first = text == NULL ? NULL : strchr(text, ':'), *last = text == NULL ? NULL : strrchr(text, ':');
        int perms = first == last ? -1 : cli_perms_of(last + 1);
        if (perms < 0) {
            buf_printf(error, "\"acl\": '%s' is not scheme:id:perms", text == NULL ? "?" : text);
            return -1;
        }
        char *scheme = strndup(text, (size_t)(first - text));
        char *id = strndup(first + 1, (size_t)(last - first - 1));
        cli_acl_append(&out->acl, scheme, id, perms);
        free(scheme);
        free(id);
    }
    return 0;
}

static int read_data(struct export_record *out, const json_t *object, struct buf *error)
{
    const json_t *data = json_object_get(object, "data");
    const char *encoded = json_string_value(json_object_get(object, "base64"));
    struct buf bytes;
    out->data_len = -1;
    if (json_is_null(data))
        return 0;
    buf_init(&bytes, INT32_MAX);
    if (json_is_string(data)) {
        buf_append(&bytes, json_string_value(data), json_string_length(data));
    } else if (encoded == NULL || cli_base64_decode(encoded, &bytes) != 0) {
        buf_printf(error, "neither \"data\" nor a good \"base64\"");
        buf_fini(&bytes);
        return -1;
    }
    out->data_len = (int)bytes.n;
    buf_append(&bytes, "", 1);
    out->data = (char *)bytes.p;
    return 0;
}

static int read_path(struct export_record *out, const char *path, struct buf *error)
{
    if (path == NULL) {
        buf_printf(error, "no \"path\"");
        return -1;
    }
    out->path = strdup(path);
    return cli_path_check(path, false, error);
}

static int read_kind(struct export_record *out, const json_t *object, struct buf *error)
{
    const json_t *ttl = json_object_get(object, "ttl_ms");
    out->ephemeral = json_is_true(json_object_get(object, "ephemeral"));
    out->container = json_is_true(json_object_get(object, "container"));
    out->ttl_ms = json_integer_value(ttl);
    if (ttl != NULL && (out->ttl_ms <= 0 || out->ttl_ms > TTL_MS_MAX)) {
        buf_printf(error, "\"ttl_ms\" is not a number from 1 to %lld", TTL_MS_MAX);
        return -1;
    }
    if (out->ephemeral + out->container + (ttl != NULL) > 1) {
        buf_printf(error, "a node is one of \"ephemeral\", \"container\" and one with \"ttl_ms\"");
        return -1;
    }
    return 0;
}

static int read_object(struct export_record *out, const json_t *object, struct buf *error)
{
    const json_t *format = json_object_get(object, "zokor-export");
    if (format != NULL) {
        out->kind = EXPORT_HEAD;
        if (json_integer_value(format) != FORMAT) {
            buf_printf(error, "format %" JSON_INTEGER_FORMAT " is not known, only %d", json_integer_value(format),
                       FORMAT);
            return -1;
        }
        return read_path(out, json_string_value(json_object_get(object, "root")), error);
    }
    if (json_is_true(json_object_get(object, "end"))) {
        out->kind = EXPORT_END;
        out->nodes = json_integer_value(json_object_get(object, "nodes"));
        return 0;
    }
    out->kind = EXPORT_NODE;
    out->acl_hidden = json_is_true(json_object_get(object, "aclHidden"));
    if (read_path(out, json_string_value(json_object_get(object, "path")), error) != 0 ||
        read_data(out, object, error) != 0 || read_kind(out, object, error) != 0)
        return -1;
    return read_acl(out, json_object_get(object, "acl"), error);
}

int export_read(struct export_record *out, const char *line, struct buf *error)
{
    json_error_t why;
    *out = (struct export_record){ 0 };
    buf_reset(error);
    json_t *object = json_loads(line, JSON_ALLOW_NUL, &why);
    if (object == NULL || !json_is_object(object)) {
        buf_printf(error, "not a JSON object: %s", object == NULL ? why.text : "another value");
        json_decref(object);
        return -1;
    }
    int rc = read_object(out, object, error);
    json_decref(object);
    return rc;
}

void export_record_free(struct export_record *r)
{
    free(r->path);
    mem_free(r->data);
    for (int32_t i = 0; i < r->acl.count; i++) {
        mem_free(r->acl.data[i].id.scheme);
        mem_free(r->acl.data[i].id.id);
    }
    mem_free(r->acl.data);
    *r = (struct export_record){ 0 };
}

char *export_move(const char *path, const char *root, const char *to)
{
    size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root), m = strcmp(to, "/") == 0 ? 0 : strlen(to);
    if (strcmp(path, root) == 0)
        return strdup(to);
    if (strncmp(path, root, n) != 0 || path[n] != '/')
        return NULL;
    size_t tail = strlen(path + n);
    char *moved = mem_alloc(m + tail + 1);
    memcpy(moved, to, m);
    memcpy(moved + m, path + n, tail + 1);
    return moved;
}
