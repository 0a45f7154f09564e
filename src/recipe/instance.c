/* Instances as Curator's JsonInstanceSerializer writes them, member by member in its order. */
#include "recipe/internal.h"
#include "recipe/json.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zokor/discovery.h>

static const char *const types[] = { "DYNAMIC", "STATIC", "PERMANENT", "DYNAMIC_SEQUENTIAL" };

void zokor_instance_free(struct zokor_instance *i)
{
    if (i == NULL)
        return;
    mem_free(i->name);
    mem_free(i->id);
    mem_free(i->address);
    mem_free(i->payload);
    mem_free(i->uri_spec);
    mem_free(i);
}

struct zokor_instance *zokor_instance_copy(const struct zokor_instance *i)
{
    struct zokor_instance *copy = mem_alloc(sizeof(*copy));
    *copy = *i;
    copy->name = recipe_copy(i->name);
    copy->id = recipe_copy(i->id);
    copy->address = recipe_copy(i->address);
    copy->payload = recipe_copy(i->payload);
    copy->uri_spec = recipe_copy(i->uri_spec);
    return copy;
}

void zokor_instances_free(struct zokor_instance **instances, int count)
{
    for (int i = 0; i < count; i++)
        zokor_instance_free(instances[i]);
    mem_free(instances);
}

/* Text that grows. */
static void add(char **text, char *more)
{
    char *all = recipe_text("%s%s", *text, more);
    mem_free(*text);
    mem_free(more);
    *text = all;
}

static void add_string(char **text, const char *key, const char *value)
{
    char *quoted = value == NULL ? recipe_copy("null") : zokor_json_quote(value);
    add(text, recipe_text("\"%s\":%s", key, quoted));
    mem_free(quoted);
}

static void add_number(char **text, const char *key, int64_t value, bool none)
{
    add(text, none ? recipe_text(",\"%s\":null", key) : recipe_text(",\"%s\":%lld", key, (long long)value));
}

/* The next part of a spec: "{variable}" or what is before the next brace. False: none is left. As Curator's UriSpec,
 * a brace that is never closed is a value. */
static bool next_part(const char **spec, const char **from, size_t *n, bool *variable)
{
    const char *p = *spec, *close = *p == '{' ? strchr(p, '}') : NULL;
    if (*p == 0)
        return false;
    *variable = close != NULL;
    *from = close != NULL ? p + 1 : p;
    *n = close != NULL ? (size_t)(close - p - 1) : *p == '{' ? strlen(p) : strcspn(p, "{");
    *spec = close != NULL ? close + 1 : p + *n;
    return true;
}

static void add_uri(char **text, const char *spec)
{
    const char *from, *comma = "";
    size_t n;
    bool variable;
    if (spec == NULL) {
        add(text, recipe_copy(",\"uriSpec\":null"));
        return;
    }
    add(text, recipe_copy(",\"uriSpec\":{\"parts\":["));
    while (next_part(&spec, &from, &n, &variable)) {
        char *value = recipe_text("%.*s", (int)n, from), *quoted = zokor_json_quote(value);
        add(text, recipe_text("%s{\"value\":%s,\"variable\":%s}", comma, quoted, variable ? "true" : "false"));
        mem_free(value);
        mem_free(quoted);
        comma = ",";
    }
    add(text, recipe_copy("]}"));
}

static bool is_json(const char *text)
{
    struct json j = json_of(text, (int)strlen(text));
    const char *from;
    return json_skip(&j, &from) && json_at_end(&j);
}

char *zokor_instance_encode(const struct zokor_instance *i, int *len)
{
    if (i->name == NULL || i->id == NULL || (size_t)i->type >= ARRAY_COUNT(types) ||
        (i->payload != NULL && !is_json(i->payload)))
        return NULL;
    char *text = recipe_copy("{");
    add_string(&text, "name", i->name);
    add(&text, recipe_copy(","));
    add_string(&text, "id", i->id);
    add(&text, recipe_copy(","));
    add_string(&text, "address", i->address);
    add_number(&text, "port", i->port, i->port <= 0);
    add_number(&text, "sslPort", i->ssl_port, i->ssl_port <= 0);
    add(&text, recipe_text(",\"payload\":%s", i->payload == NULL ? "null" : i->payload));
    add_number(&text, "registrationTimeUTC", i->registered_ms, false);
    add(&text, recipe_text(",\"serviceType\":\"%s\"", types[i->type]));
    add_uri(&text, i->uri_spec);
    add(&text, recipe_copy(i->disabled ? ",\"enabled\":false}" : "}")); /* older Curators do not know it */
    *len = (int)strlen(text);
    return text;
}

static char *read_parts(struct json *j)
{
    char *spec = recipe_copy(""), *key, *value = NULL;
    bool first_part = true, variable = false;
    if (!json_enter(j, '['))
        return spec;
    while (json_element(j, &first_part)) {
        bool first = true;
        (void)json_enter(j, '{');
        while (!j->bad && json_member(j, &first, &key)) {
            const char *from;
            if (strcmp(key, "value") == 0) {
                mem_free(value);
                value = json_string(j);
            } else if (strcmp(key, "variable") == 0) {
                variable = json_boolean(j);
            } else {
                (void)json_skip(j, &from);
            }
            mem_free(key);
        }
        add(&spec, recipe_text(variable ? "{%s}" : "%s", value == NULL ? "" : value));
        mem_free(value);
        value = NULL;
        if (j->bad)
            break;
    }
    return spec;
}

static char *read_uri(struct json *j)
{
    char *spec = NULL, *key;
    const char *from;
    bool first = true;
    struct json ahead = *j;
    if (json_skip(&ahead, &from) && *from == 'n') {
        *j = ahead;
        return NULL;
    }
    (void)json_enter(j, '{');
    while (!j->bad && json_member(j, &first, &key)) {
        if (strcmp(key, "parts") == 0) {
            mem_free(spec);
            spec = read_parts(j);
        } else {
            (void)json_skip(j, &from);
        }
        mem_free(key);
    }
    return spec;
}

static void read_text(struct json *j, char **to)
{
    mem_free(*to);
    *to = json_string(j);
}

static void read_member(struct json *j, const char *key, struct zokor_instance *i)
{
    const char *from;
    if (strcmp(key, "name") == 0) {
        read_text(j, &i->name);
    } else if (strcmp(key, "id") == 0) {
        read_text(j, &i->id);
    } else if (strcmp(key, "address") == 0) {
        read_text(j, &i->address);
    } else if (strcmp(key, "port") == 0) {
        i->port = (int)json_integer(j, 0);
    } else if (strcmp(key, "sslPort") == 0) {
        i->ssl_port = (int)json_integer(j, 0);
    } else if (strcmp(key, "registrationTimeUTC") == 0) {
        i->registered_ms = json_integer(j, 0);
    } else if (strcmp(key, "enabled") == 0) {
        i->disabled = !json_boolean(j);
    } else if (strcmp(key, "uriSpec") == 0) {
        mem_free(i->uri_spec);
        i->uri_spec = read_uri(j);
    } else if (strcmp(key, "payload") == 0) {
        mem_free(i->payload);
        i->payload = json_skip(j, &from) ? recipe_text("%.*s", (int)(j->p - from), from) : NULL;
    } else if (strcmp(key, "serviceType") == 0) {
        char *type = json_string(j);
        for (size_t t = 0; type != NULL && t < ARRAY_COUNT(types); t++) {
            if (strcmp(type, types[t]) == 0)
                i->type = (enum zokor_service_type)t;
        }
        mem_free(type);
    } else {
        (void)json_skip(j, &from);
    }
}

struct zokor_instance *zokor_instance_decode(const char *data, int len)
{
    struct json j = json_of(data == NULL ? "" : data, len);
    struct zokor_instance *i = mem_zalloc(sizeof(*i));
    bool first = true;
    char *key;
    (void)json_enter(&j, '{');
    while (!j.bad && json_member(&j, &first, &key)) {
        read_member(&j, key, i);
        mem_free(key);
    }
    if (i->payload != NULL && strcmp(i->payload, "null") == 0) {
        mem_free(i->payload);
        i->payload = NULL;
    }
    if (json_at_end(&j) && i->name != NULL && i->id != NULL)
        return i;
    zokor_instance_free(i);
    return NULL;
}

static char *variable_of(const struct zokor_instance *i, const char *name, size_t n)
{
    const struct {
        const char *name, *text;
        int64_t number;
    } variables[] = {
        { "scheme", i->ssl_port > 0 ? "https" : "http", 0 },
        { "name", i->name, 0 },
        { "id", i->id, 0 },
        { "address", i->address == NULL ? "" : i->address, 0 },
        { "port", NULL, i->port },
        { "ssl-port", NULL, i->ssl_port },
        { "registration-time-utc", NULL, i->registered_ms },
        { "service-type", types[i->type], 0 },
    };
    for (size_t v = 0; v < ARRAY_COUNT(variables); v++) {
        if (strlen(variables[v].name) != n || memcmp(variables[v].name, name, n) != 0)
            continue;
        return variables[v].text != NULL ? recipe_copy(variables[v].text)
                                         : recipe_text("%lld", (long long)variables[v].number);
    }
    return recipe_copy("");
}

char *zokor_instance_uri(const struct zokor_instance *i)
{
    const char *spec = i->uri_spec, *from;
    size_t n;
    bool variable;
    if (spec == NULL)
        return NULL;
    char *uri = recipe_copy("");
    while (next_part(&spec, &from, &n, &variable))
        add(&uri, variable ? variable_of(i, from, n) : recipe_text("%.*s", (int)n, from));
    return uri;
}
