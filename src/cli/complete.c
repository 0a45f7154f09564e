#include "cli/complete.h"
#include "base/mem.h"
#include "cli/internal.h"
#include "cli/paths.h"
#include "cli/words.h"

static void add(struct cli_completion *c, char *word)
{
    c->words = mem_realloc(c->words, (c->n + 1) * sizeof(*c->words));
    c->words[c->n++] = word;
}

static void add_if_begins(struct cli_completion *c, const char *word, const char *prefix)
{
    if (strncmp(word, prefix, strlen(prefix)) == 0)
        add(c, strdup(word));
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_commands(struct cli_completion *c, const char *prefix)
{
    for (size_t i = 0; i < cli_commands_n; i++)
        add_if_begins(c, cli_commands[i].name, prefix);
    if (c->n > 1)
        qsort(c->words, c->n, sizeof(*c->words), by_bytes);
    c->is_final = true;
}

static void add_flags(struct cli_completion *c, const struct cli_flag *flags, const char *prefix)
{
    for (; flags != NULL && flags->name != NULL; flags++) {
        char word[32];
        snprintf(word, sizeof(word), "-%s", flags->name);
        add_if_begins(c, word, prefix);
    }
    c->is_final = true;
}

static void add_words(struct cli_completion *c, const char *prefix, const char *const *words)
{
    for (; *words != NULL; words++)
        add_if_begins(c, *words, prefix);
    c->is_final = true;
}

/* A word with a blank must be in quotes; `quoted`: it is already. */
static char *quote_if_needed(char *path, bool quoted)
{
    if (quoted || strpbrk(path, " \t\"'") == NULL)
        return path;
    size_t n = strlen(path);
    char *word = mem_alloc(n + 2);
    word[0] = strchr(path, '"') == NULL ? '"' : '\'';
    memcpy(word + 1, path, n + 1);
    free(path);
    return word;
}

static void add_paths(struct cli_completion *c, const char *prefix, bool quoted, const struct cli_sources *sources)
{
    struct String_vector names = { 0 };
    const char *slash = strrchr(prefix, '/');
    char *parent = slash == prefix ? strdup("/") : strndup(prefix, (size_t)(slash - prefix));
    size_t n = strlen(slash + 1);
    if (sources->children(sources->context, parent, &names) == 0) {
        for (int32_t i = 0; i < names.count; i++) {
            if (strncmp(names.data[i], slash + 1, n) == 0)
                add(c, quote_if_needed(cli_path_join(parent, names.data[i]), quoted));
        }
        c->shown_from = (size_t)(slash + 1 - prefix);
    }
    deallocate_String_vector(&names);
    /* The path is complete: a slash leads to its children, if it has any. */
    if (c->n == 1 && strcmp(c->words[0], prefix) == 0) {
        struct String_vector below = { 0 };
        if (sources->children(sources->context, prefix, &below) == 0 && below.count > 0) {
            char *word = mem_realloc(c->words[0], strlen(prefix) + 2);
            memcpy(word + strlen(prefix), "/", 2);
            c->words[0] = word;
        } else {
            c->is_final = !quoted;
        }
        deallocate_String_vector(&below);
    }
    free(parent);
}

static void add_files(struct cli_completion *c, const char *prefix, bool quoted, const struct cli_sources *sources)
{
    struct String_vector names = { 0 };
    const char *slash = strrchr(prefix, '/');
    size_t n = slash == NULL ? 0 : (size_t)(slash - prefix) + 1;
    char *directory = strndup(prefix, n);
    if (sources->files(sources->context, directory, &names) == 0) {
        for (int32_t i = 0; i < names.count; i++) {
            if (strncmp(names.data[i], prefix + n, strlen(prefix + n)) != 0)
                continue;
            char *word = mem_alloc(n + strlen(names.data[i]) + 1);
            memcpy(word, directory, n);
            memcpy(word + n, names.data[i], strlen(names.data[i]) + 1);
            add(c, quote_if_needed(word, quoted));
        }
        c->shown_from = n;
    }
    deallocate_String_vector(&names);
    free(directory);
    c->is_final = c->n == 1 && !quoted && c->words[0][strlen(c->words[0]) - 1] != '/';
}

/* The word is a file's name: import FILE, export path FILE, reconfig -file FILE. */
static bool is_file_wanted(const struct cli_words *before, const char *prefix)
{
    size_t words = 0;
    for (size_t i = 1; i < before->n; i++)
        words += before->at[i][0] != '-';
    if (prefix[0] == '-')
        return false;
    return (strcmp(before->at[0], "import") == 0 && words == 0) ||
           (strcmp(before->at[0], "export") == 0 && words == 1) || strcmp(before->at[before->n - 1], "-file") == 0;
}

static void find_common(struct cli_completion *c)
{
    c->common = c->n == 0 ? 0 : strlen(c->words[0]);
    for (size_t i = 1; i < c->n; i++) {
        size_t k = 0;
        while (k < c->common && c->words[i][k] == c->words[0][k])
            k++;
        c->common = k;
    }
    /* Not inside of a character of UTF-8. */
    while (c->common > 0 && c->n > 1 && ((unsigned char)c->words[0][c->common] & 0xc0) == 0x80)
        c->common--;
}

static void add_arguments(struct cli_completion *c, const struct cli_words *before, const char *prefix)
{
    static const char *const modes[] = { "PERSISTENT", "PERSISTENT_RECURSIVE", NULL };
    static const char *const switches[] = { "on", "off", NULL };
    static const char *const schemes[] = { "digest", NULL };
    static const char *const root[] = { "/", NULL };
    const char *name = before->at[0], *last = before->at[before->n - 1];
    const struct cli_command *command = cli_find_command(name);
    if (command == NULL)
        return;
    if (strcmp(name, "help") == 0)
        add_commands(c, prefix);
    else if (strcmp(name, "addWatch") == 0 && strcmp(last, "-m") == 0)
        add_words(c, prefix, modes);
    else if (strcmp(name, "printwatches") == 0)
        add_words(c, prefix, switches);
    else if (strcmp(name, "addauth") == 0 && before->n == 1)
        add_words(c, prefix, schemes);
    else if (prefix[0] == '-')
        add_flags(c, command->flags, prefix);
    else if (prefix[0] == '\0' && strstr(command->usage, "path") != NULL) {
        add_words(c, prefix, root);
        c->is_final = false;
    }
}

struct cli_completion cli_complete(const char *line, size_t cursor, const struct cli_sources *sources)
{
    struct cli_completion c = { .from = cli_words_begin_at(line, cursor) };
    char *head = strndup(line, c.from), *prefix = strndup(line + c.from, cursor - c.from);
    bool quoted = c.from > 0 && (line[c.from - 1] == '"' || line[c.from - 1] == '\'');
    struct cli_words before = cli_words_split(head);
    if (before.n == 0)
        add_commands(&c, prefix);
    else if (is_file_wanted(&before, prefix))
        add_files(&c, prefix, quoted, sources);
    else if (prefix[0] == '/')
        add_paths(&c, prefix, quoted, sources);
    else
        add_arguments(&c, &before, prefix);
    find_common(&c);
    cli_words_free(&before);
    free(head);
    free(prefix);
    return c;
}

void cli_completion_free(struct cli_completion *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->words[i]);
    mem_free(c->words);
    *c = (struct cli_completion){ 0 };
}
