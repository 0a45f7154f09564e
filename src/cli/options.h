/* options: how zokor cli is started: zkCli.sh's options, ours, and the client configuration file. */
#ifndef ZOKOR_CLI_OPTIONS_H
#define ZOKOR_CLI_OPTIONS_H

#include "base/arena.h"
#include "base/buf.h"
#include <zokor/client.h>

enum { CLI_AUTHS_MAX = 8 };

struct cli_options {
    const char *server, *configuration;
    int timeout_ms;
    int request_timeout_ms; /* 0: none */
    bool read_only, wait_for_connection, json, quiet, help;
    enum { CLI_COLOR_AUTO = 0, CLI_COLOR_NEVER, CLI_COLOR_ALWAYS } color;
    enum { CLI_LOG_OFF = 0, CLI_LOG_WARN, CLI_LOG_INFO, CLI_LOG_DEBUG } log;
    const char *auths[CLI_AUTHS_MAX]; /* "scheme:auth" or "scheme:@file" */
    size_t auths_n;
    int command_at; /* the index in argv of a command to run; argc if there is none */
    bool secure;    /* TLS, as `tls` says */
    struct zokor_tls tls;
    struct arena strings; /* of the configuration */
};

/* 0; -1: `error` says what is wrong. An option that is unknown is told of in `warnings` and ignored, as zkCli.sh does.
 * cli_options_fini in both cases. */
int cli_options_parse(struct cli_options *out, int argc, char **argv, struct buf *error, struct buf *warnings);
void cli_options_fini(struct cli_options *options);

/* Reads a client configuration, a Java properties file. 0; -1: `error` says why. Keys without a meaning here are told
 * of in `warnings`. */
int cli_configuration_parse(struct cli_options *out, const char *name, const char *text, size_t n, struct buf *error,
                            struct buf *warnings);

/* The same with the words -Dkey=value of a variable like JVMFLAGS; all others, and keys without a meaning, are the
 * business of Java. */
int cli_flags_parse(struct cli_options *out, const char *name, const char *flags, struct buf *error);

#endif
