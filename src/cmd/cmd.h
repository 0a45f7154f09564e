/* cmd: the program `zokor`. main.c finds the subcommand; one file a subcommand. */
#ifndef ZOKOR_CMD_CMD_H
#define ZOKOR_CMD_CMD_H

#include "base/assert.h"

#define ZOKOR_COMPATIBLE "3.9.5"

enum { CMD_OK = 0, CMD_FAILED = 1, CMD_USAGE = 2 };

/* A subcommand: argv[0] is its name. Returns the exit status. */
int cmd_log(int argc, char **argv);
int cmd_cli(int argc, char **argv);
int cmd_server(int argc, char **argv);
int cmd_sim(int argc, char **argv);
int cmd_snap(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_init(int argc, char **argv);
int cmd_purge(int argc, char **argv);
/* start, stop and restart. */
int cmd_daemon(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_version(int argc, char **argv);
int cmd_lock(int argc, char **argv);
int cmd_elect(int argc, char **argv);
int cmd_semaphore(int argc, char **argv);
int cmd_barrier(int argc, char **argv);
int cmd_queue(int argc, char **argv);
int cmd_register(int argc, char **argv);
int cmd_discover(int argc, char **argv);
int cmd_watch(int argc, char **argv);

/* "zokor 0.1.0 (compatible with Apache ZooKeeper 3.9.5)" */
const char *cmd_version_line(void);

/* "zokor: " and the text on stderr; returns CMD_USAGE. */
int cmd_usage_error(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Flushes stdout: status, or CMD_FAILED with a message when it could not be written. */
int cmd_finish_output(int status);

#endif
