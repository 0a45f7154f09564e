/* member: where clients find the servers that a configuration names. Pure. */
#ifndef ZOKOR_CLI_MEMBER_H
#define ZOKOR_CLI_MEMBER_H

#include "base/buf.h"

/* "100000000 host:2181,host2:2181": the version and the client address of every line server.N=..., as `config -c` of
 * zkCli.sh prints them; a member without one leaves an empty place. */
void cli_client_string(const char *text, size_t n, struct buf *out);

#endif
