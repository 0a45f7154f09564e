/* options: how zokor cli is started: zkCli.sh's options, ours, and the client configuration file. */
#ifndef ZOKOR_CLI_OPTIONS_H
#define ZOKOR_CLI_OPTIONS_H

#include "base/buf.h"

enum { CLI_AUTHS_MAX = 8, CLI_TLS_TEXT_BYTES = 512 };

/* zookeeper.client.secure and zookeeper.ssl.*; "" is not set. */
enum cli_tls_text {
    CLI_TLS_TRUST,
    CLI_TLS_TRUST_PASSWORD,
    CLI_TLS_TRUST_PASSWORD_FILE,
    CLI_TLS_TRUST_TYPE,
    CLI_TLS_KEY,
    CLI_TLS_KEY_PASSWORD,
    CLI_TLS_KEY_PASSWORD_FILE,
    CLI_TLS_KEY_TYPE,
    CLI_TLS_PROTOCOL,
    CLI_TLS_PROTOCOLS,
    CLI_TLS_CIPHERS,
    CLI_TLS_TEXTS,
};
struct cli_tls {
    bool secure, any_name;
    char texts[CLI_TLS_TEXTS][CLI_TLS_TEXT_BYTES];
};

struct cli_options {
    const char *server, *configuration;
    int timeout_ms;
    int request_timeout_ms; /* 0: none */
    bool read_only, wait_for_connection, json, quiet, help;
    enum { CLI_COLOR_AUTO = 0, CLI_COLOR_NEVER, CLI_COLOR_ALWAYS } color;
    enum { CLI_LOG_OFF = 0, CLI_LOG_WARN, CLI_LOG_INFO, CLI_LOG_DEBUG } log;
    const char *auths[CLI_AUTHS_MAX]; /* "scheme:auth" or "scheme:@file" */
    size_t auths_n;
    struct cli_tls tls;
    int command_at; /* the index in argv of a command to run; argc if there is none */
};

/* 0; -1: `error` says what is wrong. An option that is unknown is told of in `warnings` and ignored, as zkCli.sh does.
 */
int cli_options_parse(struct cli_options *out, int argc, char **argv, struct buf *error, struct buf *warnings);

/* Reads a client configuration, a Java properties file. 0; -1: `error` says why. Keys without a meaning here are told of
 * in `warnings`. */
int cli_configuration_parse(struct cli_options *out, const char *name, const char *text, size_t n, struct buf *error,
                            struct buf *warnings);

/* Reads what CLIENT_JVMFLAGS or JVMFLAGS give to Java: -Dkey=value, between blanks. Keys that mean nothing here, and what
 * is no -D, are Java's. 0; -1: `error` says why. */
int cli_java_flags_parse(struct cli_options *out, const char *name, const char *flags, struct buf *error);

#endif
