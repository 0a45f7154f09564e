/* options: what `zokor bench` is asked to do. Pure: words in, a struct or a sentence about what is wrong out. */
#ifndef ZOKOR_BENCH_OPTIONS_H
#define ZOKOR_BENCH_OPTIONS_H

#include "base/assert.h"
#include "client/settings.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_ROOT_BYTES_MAX 900 /* what comes below it fits into a path of BENCH_PATH_MAX */

/* X(name, word, needs, help). `needs`: what is made before: nodes to read and write, a list of children, a folder a
 * connection. */
#define BENCH_WORKLOADS(X)                                                                                \
    X(PING, "ping", NOTHING, "the least a server can be asked: no node, no log")                          \
    X(EXISTS, "exists", NODES, "exists on one of --nodes nodes, chosen by chance")                        \
    X(GET, "get", NODES, "read one of them")                                                              \
    X(LS, "ls", CHILDREN, "list a node with --children children")                                         \
    X(SET, "set", NODES, "write one of them")                                                             \
    X(CREATE, "create", FOLDERS, "make new nodes, in a folder a connection; they are deleted afterwards") \
    X(DELETE, "delete", FOLDERS, "make a node and delete it; only the deletes are counted")               \
    X(MULTI, "multi", NODES, "a transaction of --ops writes")                                             \
    X(SYNC, "sync", NOTHING, "sync: a round through the leader")                                          \
    X(WATCH, "watch", NODES, "every connection watches one node, one writes it; counted are the events")  \
    X(MIXED, "mixed", NODES, "reads and writes of nodes, --reads percent of them reads")

enum bench_workload {
#define X(name, word, needs, help) BENCH_##name,
    BENCH_WORKLOADS(X)
#undef X
        BENCH_WORKLOAD_COUNT
};

enum bench_needs { BENCH_NEEDS_NOTHING, BENCH_NEEDS_NODES, BENCH_NEEDS_CHILDREN, BENCH_NEEDS_FOLDERS };

struct bench_options {
    const char *servers, *root, *auth; /* auth: NULL or "scheme:text" */
    struct settings_words connect;     /* TLS and SASL */
    enum bench_workload workloads[BENCH_WORKLOAD_COUNT];
    size_t workload_count;
    uint32_t connections, depth, threads, size_bytes, nodes, children, ops, reads_percent;
    uint32_t timeout_ms;
    double seconds, warmup_seconds, give_up_seconds;
    double rate; /* operations a second, all connections together; 0: as fast as it goes */
    bool json, histogram, quiet, help;
};

/* The defaults, for a machine with that many processors. */
void bench_options_init(struct bench_options *o, unsigned processors);
/* Reads argv[1...]. 0, or ERR_BAD_ARGUMENTS and a sentence in error. Strings of argv are kept, not copied. */
int bench_options_parse(struct bench_options *o, int argc, char **argv, char *error, size_t error_size) WARN_UNUSED;
const char *bench_workload_word(enum bench_workload w);
const char *bench_workload_help(enum bench_workload w);
enum bench_needs bench_workload_needs(enum bench_workload w);

#endif
