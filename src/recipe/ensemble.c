/* The list of servers follows the ensemble's configuration, as Curator's EnsembleTracker has it: the node
 * /zookeeper/config is read and watched, and every change of its client addresses is told to the handle. */
#include "recipe/internal.h"
#include <stdlib.h>
#include <string.h>

/* A part of a line, not ended by a zero byte. */
struct text {
    const char *p;
    size_t n;
};

static struct text before(struct text t, size_t n)
{
    return (struct text){ t.p, n };
}

static struct text from(struct text t, size_t n)
{
    return (struct text){ t.p + n, t.n - n };
}

/* Where the character is, or the end. */
static size_t find(struct text t, char c)
{
    const char *at = t.n == 0 ? NULL : memchr(t.p, c, t.n);
    return at == NULL ? t.n : (size_t)(at - t.p);
}

static bool begins(struct text t, const char *with)
{
    size_t n = strlen(with);
    return t.n >= n && memcmp(t.p, with, n) == 0;
}

static bool is(struct text t, const char *what)
{
    return t.n == strlen(what) && begins(t, what);
}

/* The host of "host:rest", with its brackets if it has them. */
static struct text host_of(struct text t)
{
    if (t.n > 0 && t.p[0] == '[') {
        size_t end = find(t, ']');
        return before(t, end < t.n ? end + 1 : end);
    }
    return before(t, find(t, ':'));
}

/* Appends "host:port" of server.N=HOST:PORT:PORT[:ROLE][|HOST...];[CLIENTHOST:]CLIENTPORT, if it has a client port. An
 * address that stands for all of a server is the server's host. */
static void put_server(char *out, size_t size, struct text value)
{
    size_t split = find(value, ';');
    if (split + 1 >= value.n)
        return;
    struct text server = host_of(before(value, split)), client = from(value, split + 1), host = host_of(client);
    struct text port = from(client, host.n);
    if (port.n == 0) { /* the port alone */
        port = host;
        host = server;
    } else {
        port = from(port, 1);
    }
    if (host.n == 0 || is(host, "0.0.0.0") || is(host, "[::]") || is(host, "[0:0:0:0:0:0:0:0]"))
        host = server;
    size_t len = strlen(out);
    (void)snprintf(out + len, size - len, "%s%.*s:%.*s", len > 0 ? "," : "", (int)host.n, host.p, (int)port.n, port.p);
}

char *zokor_config_hosts(const char *config, int config_len, int64_t *version)
{
    struct text rest = { config, config_len < 0 ? 0 : (size_t)config_len };
    size_t size = 2 * rest.n + 1; /* a server's own host may stand for a shorter one */
    char *out = mem_zalloc(size);
    *version = 0;
    while (rest.n > 0) {
        size_t end = find(rest, '\n');
        struct text line = before(rest, end);
        rest = from(rest, end < rest.n ? end + 1 : end);
        if (line.n > 0 && line.p[line.n - 1] == '\r')
            line.n--;
        size_t equals = find(line, '=');
        if (equals == line.n)
            continue;
        if (begins(line, "server."))
            put_server(out, size, from(line, equals + 1));
        else if (begins(line, "version="))
            *version = strtoll(line.p + equals + 1, NULL, 16);
    }
    if (out[0] != 0)
        return out;
    mem_free(out);
    return NULL;
}

/* The new list with the path that the old one ends with. */
static char *with_chroot(const char *hosts, const char *old)
{
    const char *chroot = strchr(old, '/');
    return recipe_text("%s%s", hosts, chroot == NULL ? "" : chroot);
}

static void apply(struct client *c, const struct zokor_result *r)
{
    int64_t version;
    char *found = r->data == NULL ? NULL : zokor_config_hosts(r->data, r->data_len, &version);
    if (found == NULL)
        return; /* nobody says where clients shall go: as it was */
    pthread_mutex_lock(&c->lock);
    char *hosts = with_chroot(found, c->hosts);
    bool is_new = version >= c->config_version && strcmp(hosts, c->hosts) != 0; /* a server may lag behind */
    if (is_new) {
        mem_free(c->hosts);
        c->hosts = recipe_copy(hosts);
        c->config_version = version;
    }
    pthread_mutex_unlock(&c->lock);
    struct session *s = is_new ? session_hold(c) : NULL; /* a later one begins with the new list */
    if (s != NULL) {
        (void)zoo_set_servers(s->zh, hosts);
        session_release(s);
    }
    mem_free(hosts);
    mem_free(found);
}

static void on_config(struct zokor_framework *f, const struct zokor_result *r, void *context)
{
    (void)context;
    if (r->rc == ZOK)
        apply(f->client, r);
}

static void on_change(struct zokor_framework *f, const struct zokor_event *e, void *context)
{
    (void)e; /* a change, or the end of the session with the watch */
    (void)context;
    ensemble_follow(f->client);
}

void ensemble_follow(struct client *c)
{
    const struct zokor_retry retry = zokor_retry_forever(1000);
    const struct zokor_request q = { .operation = ZOKOR_GET_CONFIG, .watch = on_change, .retry = &retry };
    (void)op_start(&c->root, &q, on_config, NULL, false);
}

char *zokor_framework_hosts(struct zokor_framework *f)
{
    pthread_mutex_lock(&f->client->lock);
    char *hosts = recipe_copy(f->client->hosts);
    pthread_mutex_unlock(&f->client->lock);
    return hosts;
}
