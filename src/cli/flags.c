#include "cli/flags.h"
#include "base/mem.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define COMMONS "org.apache.commons.cli."

struct parser {
    struct cli_args *args;
    struct buf *error;
    int waiting;  /* the option that awaits its value, or -1 */
    int selected; /* the option of the group that was given, or -1 */
};

static int find_flag(const struct cli_flag *flags, const char *name, size_t n)
{
    for (int i = 0; flags != NULL && flags[i].name != NULL; i++) {
        if (strlen(flags[i].name) == n && memcmp(flags[i].name, name, n) == 0)
            return i;
    }
    return -1;
}

/* "-v", "-v=x", "-vx": looks like an option that there is, so it is no value of the option before it. */
static bool is_option(const struct cli_flag *flags, const char *word)
{
    if (word[0] != '-' || word[1] == '\0')
        return false;
    const char *name = word + 1;
    return find_flag(flags, name, strcspn(name, "=")) >= 0 || find_flag(flags, name, 1) >= 0;
}

static bool is_negative_number(const char *word)
{
    if (word[0] != '-')
        return false;
    size_t digits = strspn(word + 1, "0123456789.");
    return digits > 0 && word[1 + digits] == '\0';
}

static int unrecognized(struct parser *p, const char *word)
{
    buf_printf(p->error, COMMONS "UnrecognizedOptionException: Unrecognized option: %s", word);
    return -1;
}

static int check_value_came(struct parser *p)
{
    if (p->waiting < 0)
        return 0;
    buf_printf(p->error, COMMONS "MissingArgumentException: Missing argument for option: %s",
               p->args->flags[p->waiting].name);
    return -1;
}

static int take_option(struct parser *p, int i)
{
    const struct cli_flag *flags = p->args->flags;
    if (check_value_came(p) != 0)
        return -1;
    if (flags[i].group != CLI_FREE) {
        if (p->selected >= 0 && p->selected != i) {
            buf_printf(p->error,
                       COMMONS "AlreadySelectedException: The option '%s' was specified but an option from this group "
                               "has already been selected: '%s'",
                       flags[i].name, flags[p->selected].name);
            return -1;
        }
        p->selected = i;
    }
    p->args->given[i] = true;
    p->waiting = flags[i].has_value ? i : -1;
    return 0;
}

static void take_value(struct parser *p, const char *value)
{
    if (p->args->values[p->waiting] == NULL)
        p->args->values[p->waiting] = value;
    p->waiting = -1;
}

/* "-swR", and "-v5": letters until one takes the rest as its value. */
static int take_letters(struct parser *p, const char *word)
{
    for (size_t i = 1; word[i] != '\0'; i++) {
        int flag = find_flag(p->args->flags, word + i, 1);
        if (flag < 0)
            return unrecognized(p, word);
        if (take_option(p, flag) != 0)
            return -1;
        if (p->waiting >= 0 && word[i + 1] != '\0') {
            take_value(p, word + i + 1);
            break;
        }
    }
    return 0;
}

static int take_dashed(struct parser *p, const char *word)
{
    const struct cli_flag *flags = p->args->flags;
    const char *name = word + 1;
    const char *equal = strchr(name, '=');
    if (word[1] == '-')
        return unrecognized(p, word); /* there are no long ones */
    if (equal == NULL) {
        int i = find_flag(flags, name, strlen(name));
        return i >= 0 ? take_option(p, i) : take_letters(p, word);
    }
    int i = equal == name + 1 ? find_flag(flags, name, 1) : -1;
    if (i < 0 || !flags[i].has_value)
        return unrecognized(p, word);
    if (take_option(p, i) != 0)
        return -1;
    take_value(p, equal + 1);
    return 0;
}

static int check_group(struct parser *p)
{
    const struct cli_flag *flags = p->args->flags;
    bool needed = false;
    for (int i = 0; flags != NULL && flags[i].name != NULL; i++)
        needed |= flags[i].group == CLI_NEEDED;
    if (!needed || p->selected >= 0)
        return 0;
    buf_printf(p->error, COMMONS "MissingOptionException: Missing required option: [");
    const char *separator = "";
    for (int i = 0; flags[i].name != NULL; i++) {
        if (flags[i].group != CLI_NEEDED)
            continue;
        buf_printf(p->error, "%s-%s %s", separator, flags[i].name, flags[i].text);
        separator = ", ";
    }
    buf_printf(p->error, "]");
    return -1;
}

int cli_args_parse(struct cli_args *out, const struct cli_flag *flags, const struct cli_words *words, struct buf *error)
{
    struct parser p = { .args = out, .error = error, .waiting = -1, .selected = -1 };
    bool plain = false; /* after "--" */
    *out = (struct cli_args){ .flags = flags, .words = mem_alloc((words->n + 1) * sizeof(char *)) };
    buf_reset(error);
    for (size_t i = 0; i < words->n; i++) {
        const char *word = words->at[i];
        if (!plain && strcmp(word, "--") == 0)
            plain = true;
        else if (!plain && p.waiting >= 0 && (!is_option(flags, word) || is_negative_number(word)))
            take_value(&p, word);
        else if (plain || word[0] != '-' || word[1] == '\0')
            out->words[out->n++] = word;
        else if (take_dashed(&p, word) != 0)
            return -1;
    }
    return check_value_came(&p) != 0 || check_group(&p) != 0 ? -1 : 0;
}

void cli_args_free(struct cli_args *args)
{
    mem_free(args->words);
    *args = (struct cli_args){ 0 };
}

bool cli_args_has(const struct cli_args *args, const char *flag)
{
    int i = find_flag(args->flags, flag, strlen(flag));
    return i >= 0 && args->given[i];
}

const char *cli_args_value(const struct cli_args *args, const char *flag)
{
    int i = find_flag(args->flags, flag, strlen(flag));
    return i < 0 ? NULL : args->values[i];
}

void cli_flags_describe(const struct cli_flag *flags, struct buf *out)
{
    size_t order[CLI_FLAGS_MAX], n = 0, width = 0;
    for (; flags != NULL && flags[n].name != NULL; n++) {
        size_t at = n, w = strlen(flags[n].name) + (flags[n].has_value ? strlen(" <arg>") : 0);
        width = w > width ? w : width;
        for (; at > 0 && strcasecmp(flags[order[at - 1]].name, flags[n].name) > 0; at--)
            order[at] = order[at - 1];
        order[at] = n;
    }
    for (size_t i = 0; i < n; i++) {
        const struct cli_flag *f = &flags[order[i]];
        char name[64];
        snprintf(name, sizeof(name), "%s%s", f->name, f->has_value ? " <arg>" : "");
        buf_printf(out, " -%-*s   %s\n", (int)width, name, f->text);
    }
}
