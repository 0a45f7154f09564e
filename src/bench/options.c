#include "bench/options.h"
#include "base/err.h"
#include "client/hosts.h"
#include "base/mem.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *word, *help;
    enum bench_needs needs;
} workloads[] = {
#define X(name, word, needs, help) { word, help, BENCH_NEEDS_##needs },
    BENCH_WORKLOADS(X)
#undef X
};

const char *bench_workload_word(enum bench_workload w)
{
    return workloads[w].word;
}

const char *bench_workload_help(enum bench_workload w)
{
    return workloads[w].help;
}

enum bench_needs bench_workload_needs(enum bench_workload w)
{
    return workloads[w].needs;
}

void bench_options_init(struct bench_options *o, unsigned processors)
{
    unsigned half = processors / 2;
    *o = (struct bench_options){
        .servers = "127.0.0.1:2181",
        .root = "/",
        .connections = 16,
        .depth = 1,
        .threads = half < 1   ? 1
                   : half > 4 ? 4
                              : half,
        .size_bytes = 100,
        .nodes = 10000,
        .children = 100,
        .ops = 10,
        .reads_percent = 90,
        .timeout_ms = 30000,
        .seconds = 5,
        .warmup_seconds = 1,
        .give_up_seconds = 5,
    };
}

/* Options with a whole number. The limits keep what can be asked within what a machine can hold: a value is at most
 * what a server takes by default (jute.maxbuffer less room for the path). */
struct number_option {
    const char *name, *short_name;
    size_t at;
    uint32_t min, max;
    const char *unit;
};
#define NUMBER(name, short_name, field, min, max, unit)                         \
    {                                                                           \
        name, short_name, offsetof(struct bench_options, field), min, max, unit \
    }
static const struct number_option numbers[] = {
    NUMBER("--connections", "-c", connections, 1, 100000, "connections"),
    NUMBER("--depth", "-d", depth, 1, 10000, "requests in flight on a connection"),
    NUMBER("--threads", NULL, threads, 1, 256, "threads"),
    NUMBER("--size", "-s", size_bytes, 0, 1000000, "bytes"),
    NUMBER("--nodes", "-n", nodes, 1, 100000000, "nodes"),
    NUMBER("--children", NULL, children, 0, 1000000, "nodes"),
    NUMBER("--ops", NULL, ops, 1, 10000, "writes in a transaction"),
    NUMBER("--reads", NULL, reads_percent, 0, 100, "percent"),
    NUMBER("--timeout", NULL, timeout_ms, 100, 86400000, "ms"),
};

struct real_option {
    const char *name, *short_name;
    size_t at;
    double min, max;
    const char *unit;
};
static const struct real_option reals[] = {
    { "--seconds", "-t", offsetof(struct bench_options, seconds), 0.1, 1e6, "seconds" },
    { "--warm-up", NULL, offsetof(struct bench_options, warmup_seconds), 0, 1e6, "seconds" },
    { "--give-up", NULL, offsetof(struct bench_options, give_up_seconds), 0.1, 1e6, "seconds" },
    { "--rate", "-r", offsetof(struct bench_options, rate), 0, 1e8, "operations a second; 0: no limit" },
};
static const struct {
    const char *name;
    size_t at;
} texts[] = {
    { "--servers", offsetof(struct bench_options, servers) },
    { "--root", offsetof(struct bench_options, root) },
    { "--auth", offsetof(struct bench_options, auth) },
    { "--client-configuration", offsetof(struct bench_options, connect.configuration) },
    { "--jaas", offsetof(struct bench_options, connect.jaas) },
    { "--sasl-section", offsetof(struct bench_options, connect.section) },
};
static const struct {
    const char *name;
    size_t at;
} flags[] = {
    { "--json", offsetof(struct bench_options, json) },   { "--histogram", offsetof(struct bench_options, histogram) },
    { "--quiet", offsetof(struct bench_options, quiet) }, { "--help", offsetof(struct bench_options, help) },
    { "-h", offsetof(struct bench_options, help) },
};

struct parser {
    struct bench_options *o;
    char *error;
    size_t error_size;
};

static int fail(const struct parser *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
static int fail(const struct parser *p, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(p->error, p->error_size, fmt, args);
    va_end(args);
    return ERR_BAD_ARGUMENTS;
}

static void *field(const struct parser *p, size_t at)
{
    return (char *)p->o + at;
}

static bool named(const char *word, const char *name, const char *short_name)
{
    return strcmp(word, name) == 0 || (short_name != NULL && strcmp(word, short_name) == 0);
}

static int take_number(const struct parser *p, const struct number_option *n, const char *value)
{
    char *end;
    unsigned long long v = strtoull(value, &end, 10);
    if (*value < '0' || *value > '9' || *end != '\0' || v < n->min || v > n->max)
        return fail(p, "%s: '%s' is no number from %u to %u (%s)", n->name, value, n->min, n->max, n->unit);
    *(uint32_t *)field(p, n->at) = (uint32_t)v;
    return 0;
}

static int take_real(const struct parser *p, const struct real_option *r, const char *value)
{
    char *end;
    double v = strtod(value, &end);
    if (*value < '0' || *value > '9' || *end != '\0' || !isfinite(v) || v < r->min || v > r->max)
        return fail(p, "%s: '%s' is no number from %g to %g (%s)", r->name, value, r->min, r->max, r->unit);
    *(double *)field(p, r->at) = v;
    return 0;
}

/* 1: taken with its value, 0: no such option, negative: wrong. */
static int take_valued(const struct parser *p, const char *word, const char *value)
{
    int rc = 0;
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++)
        if (named(word, numbers[i].name, numbers[i].short_name))
            return value == NULL                                   ? fail(p, "%s needs a value", word)
                   : (rc = take_number(p, &numbers[i], value)) < 0 ? rc
                                                                   : 1;
    for (size_t i = 0; i < ARRAY_COUNT(reals); i++)
        if (named(word, reals[i].name, reals[i].short_name))
            return value == NULL                               ? fail(p, "%s needs a value", word)
                   : (rc = take_real(p, &reals[i], value)) < 0 ? rc
                                                               : 1;
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        if (!named(word, texts[i].name, NULL))
            continue;
        if (value == NULL)
            return fail(p, "%s needs a value", word);
        *(const char **)field(p, texts[i].at) = value;
        return 1;
    }
    return 0;
}

static int take_workload(const struct parser *p, const char *word)
{
    struct bench_options *o = p->o;
    for (size_t i = 0; i < BENCH_WORKLOAD_COUNT; i++) {
        if (strcmp(word, workloads[i].word) != 0)
            continue;
        for (size_t j = 0; j < o->workload_count; j++)
            if (o->workloads[j] == (enum bench_workload)i)
                return fail(p, "workload '%s' is named twice", word);
        o->workloads[o->workload_count++] = (enum bench_workload)i;
        return 0;
    }
    return fail(p, "there is no workload '%s'; zokor bench --help lists them", word);
}

static int take_word(const struct parser *p, int argc, char **argv, int *i)
{
    const char *word = argv[*i];
    char name[64];
    const char *equals = word[0] == '-' ? strchr(word, '=') : NULL;
    if (word[0] != '-')
        return take_workload(p, word);
    for (size_t f = 0; f < ARRAY_COUNT(flags); f++) {
        if (strcmp(word, flags[f].name) != 0)
            continue;
        *(bool *)field(p, flags[f].at) = true;
        return 0;
    }
    if (equals != NULL && (size_t)(equals - word) < sizeof name) {
        snprintf(name, sizeof name, "%.*s", (int)(equals - word), word);
        int rc = take_valued(p, name, equals + 1);
        return rc < 0 ? rc : rc > 0 ? 0 : fail(p, "unknown option '%s'; zokor bench --help", name);
    }
    int rc = take_valued(p, word, *i + 1 < argc ? argv[*i + 1] : NULL);
    if (rc == 0)
        return fail(p, "unknown option '%s'; zokor bench --help", word);
    *i += rc > 0;
    return rc < 0 ? rc : 0;
}

static int check(const struct parser *p)
{
    struct bench_options *o = p->o;
    struct client_host *hosts = mem_alloc(CLIENT_HOSTS_MAX * sizeof *hosts);
    struct slice chroot;
    int n = client_hosts_parse(o->servers, hosts, &chroot);
    mem_free(hosts);
    if (n < 0)
        return fail(p, "--servers: '%s' is no list of servers (host:port,host:port)", o->servers);
    if (!slice_is_null(chroot))
        return fail(p, "--servers: '%s' has a path; give it with --root", o->servers);
    if (!client_path_valid(o->root, false))
        return fail(p, "--root: '%s' is no path of a node (/some/node)", o->root);
    if (strlen(o->root) > BENCH_ROOT_BYTES_MAX)
        return fail(p, "--root: a path of %zu bytes, at most %d", strlen(o->root), BENCH_ROOT_BYTES_MAX);
    if (o->auth != NULL && (strchr(o->auth, ':') == NULL || o->auth[0] == ':'))
        return fail(p, "--auth: '%s' is not SCHEME:TEXT, for instance digest:user:password", o->auth);
    if (o->threads > o->connections)
        o->threads = o->connections;
    if ((uint64_t)o->ops * (o->size_bytes + 64) > 1000000)
        for (size_t i = 0; i < o->workload_count; i++)
            if (o->workloads[i] == BENCH_MULTI)
                return fail(p, "--ops %u of --size %u: a transaction of more than 1000000 bytes, which servers refuse",
                            o->ops, o->size_bytes);
    return 0;
}

int bench_options_parse(struct bench_options *o, int argc, char **argv, char *error, size_t error_size)
{
    const struct parser p = { o, error, error_size };
    int rc = 0;
    for (int i = 1; i < argc && rc == 0; i++)
        rc = take_word(&p, argc, argv, &i);
    if (rc != 0 || o->help)
        return rc;
    if (o->workload_count == 0) {
        for (size_t i = 0; i < BENCH_WORKLOAD_COUNT; i++)
            o->workloads[i] = (enum bench_workload)i;
        o->workload_count = BENCH_WORKLOAD_COUNT;
    }
    return check(&p);
}
