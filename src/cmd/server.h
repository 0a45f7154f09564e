/* server: the configuration that the arguments of `zokor server` ask for. */
#ifndef ZOKOR_CMD_SERVER_H
#define ZOKOR_CMD_SERVER_H

#include "server/config.h"

/* argv[0] is "server". CMD_OK, and config_fini is due; or CMD_USAGE, and why was told. */
int server_config_of(int argc, char **argv, struct config *config);

#endif
