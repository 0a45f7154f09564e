/* bench: load for any server that speaks ZooKeeper's protocol, and what comes of it.
 *
 * Threads: each worker owns its connections. A run is a list of stages (connect, make nodes, load, delete nodes,
 * close); all workers and the conductor, which is the caller's thread, go from one to the next together. */
#ifndef ZOKOR_BENCH_BENCH_H
#define ZOKOR_BENCH_BENCH_H

#include "bench/options.h"

/* Runs what is asked and prints it: results on stdout, progress and trouble on stderr. 0: done without an error; 1:
 * some operation failed, or no server answered; 130: interrupted by SIGINT. */
int bench_run(const struct bench_options *o);

#endif
