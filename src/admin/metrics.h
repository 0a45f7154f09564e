/* metrics: the table of figures, under the names and with the kinds of Apache ZooKeeper 3.9. The word mntr, the admin
 * command monitor and the page for Prometheus are three ways to print it. */
#ifndef ZOKOR_ADMIN_METRICS_H
#define ZOKOR_ADMIN_METRICS_H

#include "admin/command.h"

enum metric_kind {
    METRIC_GAUGE,    /* may fall */
    METRIC_COUNTER,  /* only grows, until srst */
    METRIC_BASIC,    /* a summary without quantiles in mntr */
    METRIC_ADVANCED, /* a summary with quantiles */
};

struct metric {
    const char *name; /* as Prometheus names it; mntr puts "zk_" before it */
    struct slice key; /* of a set of figures with one name: the top node it is about; mntr puts it before the name.
                         Null: no set. Those of a set come one after the other */
    enum metric_kind kind;
    bool is_real; /* `real` counts, not `number` */
    double real;
    int64_t number;
    const struct summary *summary; /* of the two last kinds */
};

/* "name", or "key_name": what mntr calls a figure. */
void metric_put_name(struct buf *out, const struct metric *m);

/* Everything is copied first, then fn is called once for each figure, gauges first, in a fixed order. Core's thread. */
void metrics_visit(const struct command_host *host, const struct command_files *files,
                   void (*fn)(void *ctx, const struct metric *m), void *ctx);

struct process_usage;
/* The page that Prometheus reads, text format 0.0.4. What the process uses follows if it is known. */
void metrics_put_prometheus(const struct command_host *host, const struct command_files *files,
                            const struct process_usage *usage, struct buf *out);

#endif
