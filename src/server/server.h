/* server: the shell around the core: sockets, the log and snapshot threads, signals, wiring. */
#ifndef ZOKOR_SERVER_SERVER_H
#define ZOKOR_SERVER_SERVER_H

#include "server/config.h"

/* What the process ends with; Apache's numbers where it has them (docs/operations.md). Out of memory is 70. */
enum server_exit {
    SERVER_EXIT_OK = 0,          /* stopped by SIGTERM or SIGINT, in order */
    SERVER_EXIT_FAILED = 1,      /* any other failure at run */
    SERVER_EXIT_USAGE = 2,       /* wrong arguments or configuration */
    SERVER_EXIT_DATA = 3,        /* the data directory cannot be used, is locked, or is damaged */
    SERVER_EXIT_LOG_FAILED = 10, /* the transaction log could not be written: nothing more may be acknowledged */
    SERVER_EXIT_BIND = 14,       /* a port cannot be listened on */
};

/* Recovers, listens, serves until SIGTERM or SIGINT, drains and stops. Returns an enum server_exit. The log sink must
 * be set before; reasons for failure were told there. Call once, on the main thread. */
int server_run(const struct config *config);

/* What server_run would refuse before it touches the data directory, all of it: key stores, files of logins, server
 * lines. Reasons are told to the log sink. Returns an enum server_exit. */
int server_check(const struct config *config);

#endif
