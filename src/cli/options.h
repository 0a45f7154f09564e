/* options: how zokor cli is started: zkCli.sh's options, and ours. */
#ifndef ZOKOR_CLI_OPTIONS_H
#define ZOKOR_CLI_OPTIONS_H

#include "base/buf.h"
#include "client/settings.h"

enum { CLI_AUTHS_MAX = 8 };

struct cli_options {
    const char *server;
    int timeout_ms;
    bool read_only, wait_for_connection, json, quiet, help;
    enum { CLI_COLOR_AUTO = 0, CLI_COLOR_NEVER, CLI_COLOR_ALWAYS } color;
    enum { CLI_LOG_OFF = 0, CLI_LOG_WARN, CLI_LOG_INFO, CLI_LOG_DEBUG } log;
    const char *auths[CLI_AUTHS_MAX]; /* "scheme:auth" or "scheme:@file" */
    size_t auths_n;
    int command_at; /* the index in argv of a command to run; argc if there is none */
    struct settings_words connect;
    struct settings settings; /* not read here: settings_read */
};

/* 0; -1: `error` says what is wrong. An option that is unknown is told of in `warnings` and ignored, as zkCli.sh does.
 * cli_options_fini in both cases. */
int cli_options_parse(struct cli_options *out, int argc, char **argv, struct buf *error, struct buf *warnings);
void cli_options_fini(struct cli_options *options);

#endif
