/* hold: what `zokor lock` and its neighbours share: their options, their connection, signals, and running a command
 * while something is held. */
#ifndef ZOKOR_CMD_HOLD_H
#define ZOKOR_CMD_HOLD_H

#include "cmd/cmd.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zokor/framework.h>
#include "client/settings.h"

/* Exit statuses beside those of cmd.h and of the command that is run. */
enum { HOLD_TIMEOUT = 124, HOLD_LOST = 125, HOLD_NO_COMMAND = 127 };

/* An option of one command: "--name VALUE", or without value where `flag` is set. */
struct hold_option {
    const char *name;
    const char **value;
    int *number; /* >= 0 */
    int *flag;
};

struct hold_args {
    const char *servers; /* --servers, $ZOKOR_SERVERS, 127.0.0.1:2181 */
    const char *auth;
    struct settings_words connect;
    int session_ms;
    int wait_s; /* --wait; -1: for ever */
    int words_count;
    char **words;   /* what is no option, up to --; in the place of the arguments */
    char **command; /* after --; NULL: none */
};

/* Reads the arguments and the files that they name; CMD_OK, or CMD_USAGE after a message. --help is not an option here:
 * hold_asks_help. */
int hold_parse(int argc, char **argv, const struct hold_option *options, size_t count, struct hold_args *args);
bool hold_asks_help(int argc, char **argv);
/* The lines about the common options. */
extern const char hold_options_help[];

/* Takes care of signals from here on, and connects. NULL after a message. On SIGINT, SIGTERM and SIGHUP `cancel` is
 * called (by a thread of its own), or if there is none the session is ended, with everything that it holds, and the
 * program. While a command runs, all signals go to it instead; one that was just too early for that, too. */
struct zokor_framework *hold_open(const struct hold_args *args);
void hold_on_signal(void (*cancel)(void *context), void *context);
/* The signal that ended the waiting, or was passed on to a command; 0: none yet. */
int hold_signal(void);
int hold_wait_ms(const struct hold_args *args);

/* Runs a command with ZOKOR_TOKEN and ZOKOR_PATH in its environment (token -1, path NULL: without), `input` on its
 * standard input if it is not NULL. Its exit status, 128 + signal, or HOLD_NO_COMMAND. */
int hold_run(char **command, int64_t token, const char *path, const char *input, size_t input_len);
/* A zokor_hold_fn: what is held was lost. The command gets SIGTERM. */
void hold_lost(const char *path, int64_t token, void *context);
bool hold_is_lost(void);

/* "zokor: could not VERB PATH: reason"; the exit status for rc. */
int hold_failed(const char *verb, const char *path, int rc);

#endif
