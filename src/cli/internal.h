/* internal: what the files of this room share: the state of a run, the table of commands, output, the session.
 *
 * Threads: everything is the main thread's, but cli_watcher and completions, which the client library's thread calls.
 * That thread touches what `lock` guards, and a call's reply. */
#ifndef ZOKOR_CLI_INTERNAL_H
#define ZOKOR_CLI_INTERNAL_H

#define THREADED
#include "base/buf.h"
#include "cli/cli.h"
#include "cli/flags.h"
#include "cli/options.h"
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <zokor/client.h>

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_NOT_FOUND = 127 };

struct cli {
    struct cli_options options;
    const struct cli_program *program;
    bool terminal; /* a person types: there is a prompt */
    bool able;     /* and the terminal can show lines being edited */
    bool show;     /* stdout is a terminal: what is shown there is made safe */
    bool color;
    int status; /* of the last command */
    bool leave; /* quit was typed */

    zhandle_t *zh; /* NULL after close */
    char *host;
    struct buf out; /* what the command has printed and stdout has not got yet */

    char **history; /* the lines of this run, by number */
    size_t history_n, count;

    pthread_mutex_t lock; /* guards what follows, and stdout between whole texts */
    pthread_cond_t changed;
    bool print_watches;
    bool connected; /* the session had a connection once */
    bool refused;   /* it ended with a login that failed */
    bool editing;   /* the prompt is on the screen: events wait in `events` for the editor to make room */
    struct buf events;
    uint64_t events_shown; /* of nodes */
    int wake_fd;           /* an eventfd that wakes the editor; -1 without one */
};

/* ---- The table of commands (table.c) */

enum {
    CLI_OURS = 1,        /* zkCli.sh has no such command */
    CLI_LIST_FLAGS = 2,  /* a wrong use shows the options, too */
    CLI_ALONE = 4,       /* needs no session */
    CLI_CRUDE_WORDS = 8, /* the words as they are: options are not looked for */
};

struct cli_command {
    const char *name, *usage;
    int (*run)(struct cli *c, struct cli_args *args);
    const struct cli_flag *flags;
    unsigned marks;
    const char *summary;
};
extern const struct cli_command cli_commands[];
extern const size_t cli_commands_n;

const struct cli_command *cli_find_command(const char *name);
/* "name usage", and the options if the command shows them. */
void cli_usage_text(const struct cli_command *command, struct buf *out);
/* The block that zkCli.sh prints for what it does not know. */
void cli_usage_block(struct buf *out);

/* Runs the words of one command; sets and returns c->status. */
int cli_run_words(struct cli *c, const struct cli_words *words);
/* The same with a line, which goes into the history. */
void cli_run_line(struct cli *c, const char *line);

/* ---- Output (print.c). Results go to c->out and leave with cli_flush, errors to stderr at once. */

void cli_print(struct cli *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A line on stderr. With --json an object with "message". */
void cli_complain(struct cli *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* cli_complain, and CLI_FAILED. */
int cli_fail(struct cli *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The usage of a command on stderr, and CLI_FAILED. */
int cli_misused(struct cli *c, const char *command);
void cli_flush(struct cli *c);
/* Flushes once there is much, for commands that print much. */
void cli_flush_if_large(struct cli *c);
/* Text of the tree: on a terminal escaped, elsewhere as it is. */
void cli_print_text(struct cli *c, const void *p, size_t n);
void cli_print_name(struct cli *c, const char *name);
void cli_print_stat(struct cli *c, const struct Stat *stat);
/* "[a, b]" and a newline. */
void cli_print_names(struct cli *c, const struct String_vector *names);
/* Starts and ends a colour, an ANSI code such as "1;34"; NULL ends. */
void cli_color(struct cli *c, const char *code);

/* One line of JSON; the object is given away. */
void cli_print_json(struct cli *c, json_t *object);
json_t *cli_json_stat(const struct Stat *stat);
json_t *cli_json_names(const struct String_vector *names);
/* A string, or NULL's null. Bytes that are no UTF-8 are escaped. */
json_t *cli_json_text(const char *text);
/* Adds "data": a string or null, or "base64" for what is no text; data_len -1: null. */
void cli_json_data(json_t *object, const char *data, int data_len);
/* {"ok":true,"path":path}: for commands that say nothing. Nothing without --json. */
int cli_done(struct cli *c, const char *path);

/* The text of an error of the client library or the server, as zkCli.sh words it; path may be NULL. */
void cli_error_text(int rc, const char *path, struct buf *out);
/* Java's own wording: "KeeperErrorCode = NoNode for /a". */
void cli_keeper_text(int rc, const char *path, struct buf *out);
/* Says what went wrong; CLI_FAILED. */
int cli_fail_rc(struct cli *c, int rc, const char *path);
/* 0 if a node may have this path, otherwise says why not and returns CLI_FAILED. */
int cli_check_path(struct cli *c, const char *path);
/* The number behind an option: 0, or CLI_FAILED with a message. `otherwise` if the option was not given. */
int cli_take_number(struct cli *c, const struct cli_args *args, const char *flag, int64_t min, int64_t max,
                    int64_t otherwise, int64_t *out);

/* ---- The session (session.c) */

/* Opens a session and closes the one before. 0, or CLI_FAILED with a message. */
int cli_connect(struct cli *c, const char *host);
/* Ends the session; `event`: tells of it as of a watch event, as zkCli.sh. */
void cli_disconnect(struct cli *c, bool event);
/* The session ended with a login, or another proof, that failed. */
bool cli_is_refused(struct cli *c);
/* False once the session is closed, has expired or could not authenticate. */
bool cli_is_alive(struct cli *c);
/* CONNECTED, CONNECTING, ... */
const char *cli_state_name(struct cli *c);
/* Gives waiting events to stdout: called by the editor when it has made room. */
void cli_print_events(struct cli *c);

/* The last line of the client library about its connection; empty if there is none. */
void cli_last_log(char *out, size_t size);

/* Hears of the session and of every watch; its context is the struct cli. */
void cli_watcher(zhandle_t *zh, int type, int state, const char *path, void *context);
/* Prints an event or queues it for the editor. zxid -1: none. */
void cli_show_event(struct cli *c, int type, int state, const char *path, int64_t zxid);

/* ---- Interruption (run.c): Ctrl-C sets it, reading the next line clears it. */
extern volatile sig_atomic_t cli_interrupted;

/* ---- The editor (edit.c) */

struct cli_editor;
/* NULL if there is no terminal or no library for it: lines are then read as they come. */
struct cli_editor *cli_editor_open(struct cli *c);
/* The next line, without its end, valid until the next call; NULL at the end. */
const char *cli_editor_line(struct cli_editor *e);
void cli_editor_close(struct cli_editor *e);

#endif
