/* The editor: libedit, loaded when there is a terminal, so that nothing else in the program pays for it. While a line
 * is edited events wait until the prompt has been taken off the screen, and it is drawn again under them. */
#include "base/mem.h"
#include "cli/call.h"
#include "cli/complete.h"
#include "cli/internal.h"
#include "cli/numbers.h"
#include "os/library.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

enum { HISTORY_MAX = 1000, CHILDREN_SHOWN_MAX = 500 };

/* libedit's functions that are used. */
#define EDIT_FUNCTIONS(X)                                          \
    X(EditLine *, el_init, (const char *, FILE *, FILE *, FILE *)) \
    X(void, el_end, (EditLine *))                                  \
    X(int, el_set, (EditLine *, int, ...))                         \
    X(int, el_wset, (EditLine *, int, ...))                        \
    X(const char *, el_gets, (EditLine *, int *))                  \
    X(const LineInfo *, el_line, (EditLine *))                     \
    X(int, el_insertstr, (EditLine *, const char *))               \
    X(void, el_deletestr, (EditLine *, int))                       \
    X(void, el_resize, (EditLine *))                               \
    X(int, el_source, (EditLine *, const char *))                  \
    X(History *, history_init, (void))                             \
    X(void, history_end, (History *))                              \
    X(int, history, (History *, HistEvent *, int, ...))

struct cli_editor {
    struct cli *c;
    EditLine *el;
    History *past;
    char *history_path; /* NULL: it is not kept */
    char *line;
    char prompt[512];
#define X(type, name, args) type(*name) args;
    EDIT_FUNCTIONS(X)
#undef X
};

static volatile sig_atomic_t resized;

static void note_resize(int number)
{
    resized = number;
}

/* Stays loaded until the program ends: the terminal's description belongs to a library that libedit loads, and is never
 * given back. */
static struct library *library;

static bool load(struct cli_editor *e)
{
    char reason[256];
    if (library == NULL)
        library = library_open("libedit.so.2", reason, sizeof(reason));
    if (library == NULL) {
        fprintf(stderr, "no line editing: %s (Debian: apt-get install libedit2)\n", reason);
        return false;
    }
    bool all = true;
#define X(type, name, args)                              \
    *(void **)&e->name = library_symbol(library, #name); \
    all = all && e->name != NULL;
    EDIT_FUNCTIONS(X)
#undef X
    return all;
}

/* The editor that belongs to an EditLine: there is one at a time. */
static struct cli_editor *current;

/* "[zk: host(STATE) n] "; \1 encloses what takes no room. */
static void format_prompt(struct cli *c, bool color, char *out, size_t size)
{
    const char *state = cli_state_name(c);
    const char *code = strncmp(state, "CONNECTED", 9) == 0 ? "32" : "31";
    if (color)
        snprintf(out, size, "[zk: %.200s(\1\033[%sm\1%s\1\033[0m\1) %zu] ", c->host, code, state, c->count);
    else
        snprintf(out, size, "[zk: %.200s(%s) %zu] ", c->host, state, c->count);
}

static char *prompt(EditLine *el)
{
    struct cli_editor *e = current;
    (void)el;
    format_prompt(e->c, e->c->color, e->prompt, sizeof(e->prompt));
    return e->prompt;
}

static size_t width_of(const char *text, size_t n)
{
    wchar_t wide[2048];
    char copy[2048];
    snprintf(copy, sizeof(copy), "%.*s", (int)n, text);
    size_t k = mbstowcs(wide, copy, ARRAY_COUNT(wide));
    int width = k == (size_t)-1 ? -1 : wcswidth(wide, k);
    return width < 0 ? n : (size_t)width;
}

/* Takes the prompt and the line off the screen: up by the rows that they fill, and all below is cleared. */
static void clear_line(struct cli_editor *e)
{
    struct winsize size = { 0 };
    char shown[512];
    const LineInfo *line = e->el_line(e->el);
    format_prompt(e->c, false, shown, sizeof(shown));
    size_t width = width_of(shown, strlen(shown)) + width_of(line->buffer, (size_t)(line->cursor - line->buffer));
    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    size_t rows = size.ws_col == 0 ? 0 : width / size.ws_col;
    printf("\r");
    for (size_t i = 0; i < rows; i++)
        printf("\033[A");
    printf("\033[J");
}

static void make_room_for_events(struct cli_editor *e)
{
    uint64_t ignored;
    if (read(e->c->wake_fd, &ignored, sizeof(ignored)) < 0)
        return; /* nothing has happened */
    clear_line(e);
    cli_print_events(e->c);
    e->el_set(e->el, EL_REFRESH);
    fflush(stdout);
}

/* The next character of the terminal: 1, 0 at the end, -1 after Ctrl-C. Events are shown meanwhile. */
static int read_character(EditLine *el, wchar_t *out)
{
    struct cli_editor *e = current;
    mbstate_t state = { 0 };
    for (;;) {
        struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = e->c->wake_fd, .events = POLLIN } };
        if (resized) {
            resized = 0;
            e->el_resize(el);
        }
        make_room_for_events(e);
        if (cli_interrupted)
            return -1;
        if (poll(fds, ARRAY_COUNT(fds), -1) < 0 && errno != EINTR)
            return 0;
        if (cli_interrupted || (fds[0].revents & (POLLIN | POLLHUP | POLLERR)) == 0)
            continue;
        char byte;
        ssize_t n = read(STDIN_FILENO, &byte, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return 0;
        size_t k = mbrtowc(out, &byte, 1, &state);
        if (k == (size_t)-2)
            continue; /* in the middle of a character */
        if (k == (size_t)-1)
            *out = L'?';
        return 1;
    }
}

static int list_children(void *context, const char *path, struct String_vector *names)
{
    struct cli *c = context;
    struct reply reply;
    if (!cli_is_alive(c) || strncmp(cli_state_name(c), "CONNECTED", 9) != 0)
        return -1;
    int rc = call_children_soon(c, path, &reply);
    if (rc == ZOK)
        *names = reply.names;
    else
        reply_free(&reply);
    return rc;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_files(void *context, const char *directory, struct String_vector *names)
{
    DIR *d = opendir(directory[0] == '\0' ? "." : directory);
    struct dirent *entry;
    (void)context;
    if (d == NULL)
        return -1;
    while ((entry = readdir(d)) != NULL && names->count < CHILDREN_SHOWN_MAX) {
        if (entry->d_name[0] == '.')
            continue;
        size_t n = strlen(entry->d_name);
        char *name = mem_alloc(n + 2);
        memcpy(name, entry->d_name, n + 1);
        if (entry->d_type == DT_DIR)
            memcpy(name + n, "/", 2);
        names->data = mem_realloc(names->data, (size_t)(names->count + 1) * sizeof(*names->data));
        names->data[names->count++] = name;
    }
    closedir(d);
    if (names->count > 1)
        qsort(names->data, (size_t)names->count, sizeof(*names->data), by_bytes);
    return 0;
}

/* The candidates in columns under the line. */
static void list_candidates(struct cli_editor *e, const struct cli_completion *found)
{
    struct winsize size = { 0 };
    size_t widest = 1, n = found->n < CHILDREN_SHOWN_MAX ? found->n : CHILDREN_SHOWN_MAX;
    for (size_t i = 0; i < n; i++) {
        size_t width = width_of(found->words[i] + found->shown_from, strlen(found->words[i] + found->shown_from));
        widest = width > widest ? width : widest;
    }
    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    size_t columns = size.ws_col / (widest + 2) < 1 ? 1 : size.ws_col / (widest + 2);
    for (size_t i = 0; i < n; i++) {
        struct buf safe;
        const char *name = found->words[i] + found->shown_from;
        buf_init(&safe, SIZE_MAX / 2);
        cli_escape(name, strlen(name), false, &safe);
        printf("%s%.*s%*s", i % columns == 0 ? "\n" : "", (int)safe.n, (const char *)safe.p,
               (int)(widest + 2 - width_of(name, strlen(name))), "");
        buf_fini(&safe);
    }
    if (n < found->n)
        printf("\n... and %zu more", found->n - n);
    printf("\n");
    (void)e;
}

static unsigned char complete(EditLine *el, int character)
{
    struct cli_editor *e = current;
    const LineInfo *info = e->el_line(el);
    char *line = strndup(info->buffer, (size_t)(info->lastchar - info->buffer));
    size_t cursor = (size_t)(info->cursor - info->buffer);
    unsigned char result = CC_ERROR;
    (void)character;
    const struct cli_sources sources = { .context = e->c, .children = list_children, .files = list_files };
    struct cli_completion found = cli_complete(line, cursor, &sources);
    bool longer = found.n > 0 && (found.common > cursor - found.from ||
                                  strncmp(found.words[0], line + found.from, cursor - found.from) != 0);
    if (longer || (found.n == 1 && found.is_final)) {
        char *word = strndup(found.words[0], found.common);
        line[cursor] = '\0';
        size_t typed = mbstowcs(NULL, line + found.from, 0);
        if (typed > 0 && typed != (size_t)-1)
            e->el_deletestr(el, (int)typed);
        e->el_insertstr(el, word);
        if (found.n == 1 && found.is_final)
            e->el_insertstr(el, " ");
        free(word);
        result = CC_REFRESH;
    } else if (found.n > 1) {
        list_candidates(e, &found);
        result = CC_REDISPLAY;
    }
    cli_completion_free(&found);
    free(line);
    return result;
}

/* $XDG_STATE_HOME/zokor/cli-history, or ~/.local/state/zokor/cli-history; "" in ZOKOR_CLI_HISTORY: nowhere. */
static char *find_history(void)
{
    const char *chosen = getenv("ZOKOR_CLI_HISTORY"), *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char path[512];
    if (chosen != NULL)
        return chosen[0] == '\0' ? NULL : strdup(chosen);
    if (state != NULL && state[0] == '/')
        snprintf(path, sizeof(path), "%.400s/zokor/cli-history", state);
    else if (home != NULL && home[0] == '/')
        snprintf(path, sizeof(path), "%.400s/.local/state/zokor/cli-history", home);
    else
        return NULL;
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return NULL;
        *slash = '/';
    }
    return strdup(path);
}

static void set_up(struct cli_editor *e)
{
    HistEvent event;
    e->el_set(e->el, EL_PROMPT_ESC, prompt, '\1');
    e->el_set(e->el, EL_SIGNAL, 0);
    e->el_set(e->el, EL_EDITOR, "emacs");
    e->history(e->past, &event, H_SETSIZE, HISTORY_MAX);
    e->history(e->past, &event, H_SETUNIQUE, 1);
    e->el_set(e->el, EL_HIST, e->history, e->past);
    /* With wide strings: copies of others would never be given back. */
    e->el_wset(e->el, EL_ADDFN, L"cli-complete", L"Completes commands and paths", complete);
    e->el_set(e->el, EL_BIND, "^I", "cli-complete", NULL);
    e->el_set(e->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
    e->el_set(e->el, EL_BIND, "^W", "ed-delete-prev-word", NULL);
    (void)e->el_source(e->el, NULL); /* ~/.editrc, if there is one */
    e->el_set(e->el, EL_GETCFN, read_character);
}

struct cli_editor *cli_editor_open(struct cli *c)
{
    struct cli_editor *e = mem_zalloc(sizeof(*e));
    HistEvent event;
    e->c = c;
    current = e;
    if (c->wake_fd >= 0 && load(e)) {
        e->el = e->el_init("zokor", stdin, stdout, stderr);
        e->past = e->history_init();
    }
    if (e->el == NULL || e->past == NULL) {
        cli_editor_close(e);
        return NULL;
    }
    struct sigaction action = { .sa_handler = note_resize };
    sigaction(SIGWINCH, &action, NULL);
    e->history_path = find_history();
    set_up(e);
    if (e->history_path != NULL)
        e->history(e->past, &event, H_LOAD, e->history_path);
    return e;
}

static void set_editing(struct cli *c, bool editing)
{
    pthread_mutex_lock(&c->lock);
    c->editing = editing;
    pthread_mutex_unlock(&c->lock);
}

/* Passwords are not kept: neither those of addauth nor lines that begin with a blank. */
static void remember(struct cli_editor *e)
{
    HistEvent event;
    if (e->line[0] == '\0' || e->line[0] == ' ' || strncmp(e->line, "addauth", strlen("addauth")) == 0)
        return;
    e->history(e->past, &event, H_ENTER, e->line);
    if (e->history_path != NULL) /* at once: a terminal may be closed at any time */
        e->history(e->past, &event, H_SAVE, e->history_path);
}

const char *cli_editor_line(struct cli_editor *e)
{
    int n;
    const char *line;
    do {
        cli_interrupted = 0;
        set_editing(e->c, true);
        e->el_set(e->el, EL_PREP_TERM, 1); /* before the prompt: what is typed at once is not echoed twice */
        line = e->el_gets(e->el, &n);
        set_editing(e->c, false);
        if (line == NULL)
            printf("%s\n", cli_interrupted ? "^C" : "");
        cli_print_events(e->c);
    } while (line == NULL && cli_interrupted);
    if (line == NULL || n <= 0)
        return NULL;
    free(e->line);
    e->line = strndup(line, strcspn(line, "\r\n"));
    remember(e);
    return e->line;
}

void cli_editor_close(struct cli_editor *e)
{
    if (e == NULL)
        return;
    if (e->past != NULL)
        e->history_end(e->past);
    if (e->el != NULL)
        e->el_end(e->el);
    free(e->history_path);
    free(e->line);
    mem_free(e);
    current = NULL;
}
