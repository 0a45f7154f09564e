/* Running: lines or one command, the history, Ctrl-C, the exit status. */
#include "base/err.h"
#include "base/mem.h"
#include "cli/commands.h"
#include <errno.h>
#include <locale.h>
#include <sys/eventfd.h>
#include <unistd.h>

volatile sig_atomic_t cli_interrupted;

static volatile sig_atomic_t second_ends; /* nobody types: who is not heard at once asks again */

static volatile sig_atomic_t wake_fd = -1;

/* The editor is woken, too: a signal that comes just before it goes to sleep would wait for the next key. */
static void interrupted(int number)
{
    const uint64_t one = 1;
    int error = errno;
    if (second_ends && cli_interrupted)
        _exit(128 + number);
    cli_interrupted = number;
    ssize_t n = write(wake_fd, &one, sizeof(one));
    (void)n;
    errno = error;
}

/* What a command is for that needs a session when there is none: as zkCli.sh, it is told on stdout, and no failure. A
 * login that was refused is one, as it is for a command that was on its way then. */
static int run_without_session(struct cli *c, const struct cli_command *command, const struct cli_words *words)
{
    struct cli_args args = { .words = words->at, .n = words->n };
    int status = CLI_DONE;
    if (command->run == cli_history || command->run == cli_redo || command->run == cli_printwatches)
        status = command->run(c, &args);
    if (cli_is_refused(c) && status == CLI_DONE)
        return cli_fail_rc(c, ZAUTHFAILED, NULL);
    if (c->options.json)
        return cli_fail(c, "Not connected");
    cli_print(c, "Not connected\n");
    return status;
}

static int unknown_command(struct cli *c, const char *name)
{
    struct buf block;
    buf_init(&block, SIZE_MAX / 2);
    cli_usage_block(&block);
    if (!c->options.json)
        cli_complain(c, "%.*s", (int)block.n - 1, (const char *)block.p);
    cli_complain(c, "Command not found: Command not found %s", name);
    buf_fini(&block);
    return CLI_NOT_FOUND;
}

static int run_command(struct cli *c, const struct cli_command *command, const struct cli_words *words)
{
    struct cli_args args = { .words = words->at, .n = words->n };
    struct buf error;
    int status;
    if ((command->marks & CLI_ALONE) == 0 && !cli_is_alive(c))
        return run_without_session(c, command, words);
    if ((command->marks & CLI_CRUDE_WORDS) != 0)
        return command->run(c, &args);
    buf_init(&error, SIZE_MAX / 2);
    if (cli_args_parse(&args, command->flags, words, &error) == 0)
        status = command->run(c, &args);
    else
        status = cli_fail(c, "%.*s", (int)error.n, (const char *)error.p);
    cli_args_free(&args);
    buf_fini(&error);
    return status;
}

int cli_run_words(struct cli *c, const struct cli_words *words)
{
    const struct cli_command *command = cli_find_command(words->at[0]);
    c->status = command == NULL ? unknown_command(c, words->at[0]) : run_command(c, command, words);
    cli_flush(c);
    return c->status;
}

void cli_run_line(struct cli *c, const char *line)
{
    struct cli_words words = cli_words_split(line);
    if (words.n > 0) {
        if (c->count == c->history_n) {
            c->history = mem_realloc(c->history, (c->history_n + 1) * sizeof(*c->history));
            c->history[c->history_n++] = strdup(line);
        }
        cli_run_words(c, &words);
        c->count++;
    }
    cli_words_free(&words);
}

/* Lines as they come: from a pipe, or from a terminal without the means to edit, which gets a prompt. */
static void run_stdin(struct cli *c)
{
    char *line = NULL;
    size_t room = 0;
    if (!c->options.json && !c->options.quiet)
        cli_print(c, "JLine support is disabled\n");
    while (!c->leave) {
        if (c->terminal)
            cli_print(c, "[zk: %s(%s) %zu] ", c->host, cli_state_name(c), c->count);
        cli_flush(c);
        ssize_t n = getline(&line, &room, stdin);
        if (n < 0)
            break;
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
            line[--n] = '\0';
        cli_run_line(c, line);
    }
    free(line);
}

static void run_terminal(struct cli *c, struct cli_editor *editor)
{
    second_ends = 0;
    cli_print(c, "Tab completes commands and paths, help lists commands.\n");
    cli_flush(c);
    const char *line;
    while (!c->leave && (line = cli_editor_line(editor)) != NULL)
        cli_run_line(c, line);
}

static void run_lines(struct cli *c)
{
    if (!c->options.json && !c->options.quiet)
        cli_print(c, "Welcome to ZooKeeper!\n");
    cli_flush(c);
    struct cli_editor *editor = c->able ? cli_editor_open(c) : NULL;
    if (editor != NULL)
        run_terminal(c, editor);
    else
        run_stdin(c);
    cli_editor_close(editor);
}

/* "scheme:auth" or "scheme:@file", whose first line is the auth. */
static int prove_all(struct cli *c)
{
    for (size_t i = 0; i < c->options.auths_n; i++) {
        const char *colon = strchr(c->options.auths[i], ':');
        char *scheme = strndup(c->options.auths[i], (size_t)(colon - c->options.auths[i])), *line = NULL;
        const char *auth = colon + 1;
        int status = CLI_DONE;
        if (auth[0] == '@') {
            size_t room = 0;
            FILE *file = fopen(auth + 1, "re");
            ssize_t n = file == NULL ? -1 : getline(&line, &room, file);
            if (n < 0)
                status =
                    cli_fail(c, "--auth: %s: cannot be read: %s", auth + 1, file == NULL ? strerror(errno) : "empty");
            else
                line[strcspn(line, "\r\n")] = '\0';
            if (file != NULL)
                fclose(file);
            auth = line;
        }
        if (status == CLI_DONE)
            status = cli_prove(c, scheme, auth);
        free(scheme);
        free(line);
        if (status != CLI_DONE)
            return status;
    }
    return CLI_DONE;
}

static int run(struct cli *c, int argc, char **argv)
{
    const struct sigaction action = { .sa_handler = interrupted };
    second_ends = 1;
    wake_fd = c->wake_fd;
    sigaction(SIGINT, &action, NULL);
    bool one = c->options.command_at < argc;
    const struct cli_command *command = one ? cli_find_command(argv[c->options.command_at]) : NULL;
    if (command != NULL && (command->marks & CLI_OURS) != 0)
        c->options.quiet = true; /* no script of zkCli.sh looks for the greeting */
    if (!c->options.json && !c->options.quiet)
        cli_print(c, "Connecting to %s\n", c->options.server);
    cli_flush(c);
    if (cli_connect(c, c->options.server) != 0 || prove_all(c) != CLI_DONE)
        return CLI_FAILED;
    if (one) {
        struct cli_words words = cli_words_of(argc - c->options.command_at, argv + c->options.command_at);
        cli_run_words(c, &words);
        cli_words_free(&words);
    } else {
        run_lines(c);
    }
    return c->status;
}

static void set_up(struct cli *c)
{
    bool dumb = getenv("TERM") == NULL || strcmp(getenv("TERM"), "dumb") == 0;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    buf_init(&c->out, SIZE_MAX / 2);
    buf_init(&c->events, SIZE_MAX / 2);
    c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    c->print_watches = true;
    c->options.quiet |= c->options.json;
    c->show = isatty(STDOUT_FILENO) && !c->options.json;
    c->terminal = c->show && isatty(STDIN_FILENO);
    c->able = c->terminal && !dumb;
    c->color = c->options.color == CLI_COLOR_ALWAYS ||
               (c->options.color == CLI_COLOR_AUTO && c->show && !dumb && getenv("NO_COLOR") == NULL);
    c->color = c->color && !c->options.json;
}

static void tear_down(struct cli *c)
{
    cli_disconnect(c, false);
    cli_flush(c);
    for (size_t i = 0; i < c->history_n; i++)
        free(c->history[i]);
    mem_free(c->history);
    free(c->host);
    buf_fini(&c->out);
    buf_fini(&c->events);
    if (c->wake_fd >= 0)
        close(c->wake_fd);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->changed);
}

int cli_main(int argc, char **argv, const struct cli_program *program)
{
    struct cli c = { .program = program };
    struct buf error, warnings;
    buf_init(&error, SIZE_MAX / 2);
    buf_init(&warnings, SIZE_MAX / 2);
    setlocale(LC_CTYPE, "");
    int bad = cli_options_parse(&c.options, argc, argv, &error, &warnings);
    if (bad == 0 && settings_read(&c.options.settings, &c.options.connect, &error, &warnings) != 0)
        bad = 2; /* the status of zkCli.sh */
    fwrite(warnings.n > 0 ? (const char *)warnings.p : "", 1, warnings.n, stderr);
    if (bad != 0)
        fprintf(stderr, "%.*s\n", (int)error.n, (const char *)error.p);
    int status = bad < 0 ? CLI_FAILED : bad;
    if (bad == 0 && c.options.help) {
        cli_print_help();
        status = CLI_DONE;
    } else if (bad == 0) {
        set_up(&c);
        status = run(&c, argc, argv);
        bool ended_by_signal = second_ends && cli_interrupted;
        tear_down(&c);
        if (ended_by_signal) { /* files and the session are in order: now end as Ctrl-C ends programs */
            signal(SIGINT, SIG_DFL);
            raise(SIGINT);
        }
    }
    cli_options_fini(&c.options);
    buf_fini(&error);
    buf_fini(&warnings);
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        fprintf(stderr, "zokor cli: the output cannot be written: %s\n", strerror(errno));
        return CLI_FAILED;
    }
    return status;
}
