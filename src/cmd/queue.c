/* zokor queue: puts into and takes from Curator's queues. */
#include "cmd/hold.h"
#include "base/buf.h"
#include "base/mem.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zokor/queue.h>

#define INPUT_BYTES_MAX (1 << 20) /* a node has no more */

struct queue_args {
    struct hold_args common;
    const char *kind, *lock_path, *id, *priority_text;
    int priority;
    int count, delay_ms, lines;
    struct zokor_queue *queue;
};

static int help(void)
{
    printf("usage: zokor queue put PATH [DATA ...] [OPTIONS]\n"
           "       zokor queue take PATH [OPTIONS] [-- COMMAND [ARGUMENTS]]\n\n"
           "put puts each DATA (without any: standard input) into the queue at PATH. take prints the next item with a\n"
           "line end, waiting for one; with a command it runs that with the item on its standard input: if its status\n"
           "is 0 the item is done, otherwise it is put back. Until then others cannot have it, unless this program\n"
           "dies. A signal is passed on to the command, and take ends when that has ended. Programs with Apache\n"
           "Curator's queues, and strings as items, take part.\n\n"
           "%s"
           "  --kind KIND      fifo, simple, id, priority or delay                                 [fifo]\n"
           "  --lock PATH      who takes an item holds a lock below PATH until it is done\n"
           "                   [with a command: the queue's path with -locks at its end; otherwise none]\n"
           "put:\n"
           "  --lines          every line of standard input is an item\n"
           "  --id TEXT        of an id queue\n"
           "  --priority N     of a priority queue; the lowest first\n"
           "  --delay MS       of a delay queue: not before that\n"
           "take:\n"
           "  --count N        so many items, 0: for ever                                          [1]\n\n"
           "examples:\n"
           "  zokor queue put /mails 'to: someone'\n"
           "  zokor queue take /mails --count 0 -- ./send\n\n"
           "Exit status: 0 done; 124 no item in time; 1 failed; 2 wrong arguments; take with a command: its last\n"
           "status that was not 0.\n",
           hold_options_help);
    return cmd_finish_output(CMD_OK);
}

static int kind_of(const char *word, enum zokor_queue_kind *kind)
{
    static const char *const words[] = { "fifo", "simple", "id", "priority", "delay" };
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (word == NULL || strcmp(words[i], word) == 0) {
            *kind = (enum zokor_queue_kind)i;
            return CMD_OK;
        }
    }
    return cmd_usage_error("queue: --kind '%s' is none of fifo, simple, id, priority, delay", word);
}

/* Any int, below zero, too. */
static int priority_of(const char *text, int *priority)
{
    char *end = NULL;
    errno = 0;
    long v = text == NULL ? 0 : strtol(text, &end, 10);
    if (text != NULL && (*text == 0 || *end != 0 || errno != 0 || v < INT_MIN || v > INT_MAX))
        return cmd_usage_error("queue: --priority wants a number from %d to %d, not '%s'", INT_MIN, INT_MAX, text);
    *priority = (int)v;
    return CMD_OK;
}

static int put_one(const struct queue_args *a, const char *data, size_t n)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    const struct zokor_put put = {
        .id = a->id,
        .priority = a->priority,
        .not_before = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + a->delay_ms,
    };
    return zokor_queue_put(a->queue, data, (int)n, &put);
}

static int put_lines(const struct queue_args *a)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    int rc = ZOK;
    while (rc == ZOK && (n = getline(&line, &room, stdin)) >= 0) {
        if (n > 0 && line[n - 1] == '\n')
            n--;
        rc = n > INPUT_BYTES_MAX ? ZBADARGUMENTS : put_one(a, line, (size_t)n);
    }
    free(line);
    return rc;
}

/* All of it, whatever bytes there are. */
static int put_input(const struct queue_args *a)
{
    char *all = mem_alloc(INPUT_BYTES_MAX + 1);
    size_t n = fread(all, 1, INPUT_BYTES_MAX + 1, stdin);
    int rc = ferror(stdin) ? ZSYSTEMERROR : n > INPUT_BYTES_MAX ? ZBADARGUMENTS : put_one(a, all, n);
    mem_free(all);
    return rc;
}

static int put(const struct queue_args *a)
{
    int rc = ZOK;
    char *const *more = a->common.command; /* what follows -- may begin with a dash */
    if (a->common.words_count == 2 && more == NULL)
        rc = a->lines ? put_lines(a) : put_input(a);
    for (int i = 2; i < a->common.words_count && rc == ZOK; i++)
        rc = put_one(a, a->common.words[i], strlen(a->common.words[i]));
    for (; more != NULL && *more != NULL && rc == ZOK; more++)
        rc = put_one(a, *more, strlen(*more));
    return rc == ZOK ? CMD_OK : hold_failed("put into", a->common.words[1], rc);
}

static int use(const struct queue_args *a, struct zokor_item *item)
{
    int status = CMD_OK;
    for (int i = 0; i < item->count && status == CMD_OK; i++) {
        const struct zokor_bytes *part = &item->parts[i];
        if (a->common.command != NULL)
            status = hold_run(a->common.command, item->token, a->common.words[1], part->data, (size_t)part->len);
        else if (fwrite(part->data, 1, (size_t)part->len, stdout) != (size_t)part->len || putchar('\n') == EOF)
            status = CMD_FAILED;
    }
    return a->common.command == NULL ? cmd_finish_output(status) : status;
}

static int take(const struct queue_args *a)
{
    int worst = CMD_OK;
    for (int i = 0; (a->count == 0 || i < a->count) && hold_signal() == 0; i++) {
        struct zokor_item item;
        int rc = zokor_queue_take(a->queue, &item, hold_wait_ms(&a->common));
        if (rc != ZOK)
            return hold_failed("take from", a->common.words[1], rc);
        int status = use(a, &item);
        rc = status == CMD_OK ? zokor_queue_done(a->queue, &item) : zokor_queue_again(a->queue, &item);
        if (rc != ZOK)
            return hold_failed("end an item of", a->common.words[1], rc);
        worst = status != CMD_OK ? status : worst;
        if (status != CMD_OK && a->common.command == NULL)
            break; /* nobody reads */
    }
    return worst;
}

static void cancel(void *context)
{
    zokor_queue_cancel(context);
}

int cmd_queue(int argc, char **argv)
{
    struct queue_args a = { .count = 1 };
    enum zokor_queue_kind kind = ZOKOR_QUEUE_FIFO;
    const struct hold_option options[] = {
        { .name = "--kind", .value = &a.kind },       { .name = "--lock", .value = &a.lock_path },
        { .name = "--id", .value = &a.id },           { .name = "--priority", .value = &a.priority_text },
        { .name = "--delay", .number = &a.delay_ms }, { .name = "--count", .number = &a.count },
        { .name = "--lines", .flag = &a.lines },
    };
    if (hold_asks_help(argc, argv))
        return help();
    int status = hold_parse(argc, argv, options, ARRAY_COUNT(options), &a.common);
    if (status == CMD_OK)
        status = kind_of(a.kind, &kind);
    if (status == CMD_OK)
        status = priority_of(a.priority_text, &a.priority);
    if (status != CMD_OK)
        return status;
    bool puts = a.common.words_count > 0 && strcmp(a.common.words[0], "put") == 0;
    bool takes = a.common.words_count == 2 && strcmp(a.common.words[0], "take") == 0;
    if ((!puts && !takes) || a.common.words_count < 2 || a.common.words[1][0] != '/')
        return cmd_usage_error("usage: zokor queue put PATH [DATA ...], or zokor queue take PATH [-- COMMAND]");
    char locks[1024];
    snprintf(locks, sizeof(locks), "%.1000s-locks", a.common.words[1]);
    if (takes && a.common.command != NULL && a.lock_path == NULL && kind != ZOKOR_QUEUE_SIMPLE)
        a.lock_path = locks;
    struct zokor_framework *f = hold_open(&a.common);
    if (f == NULL)
        return CMD_FAILED;
    a.queue = zokor_queue_new(f, a.common.words[1],
                              &(struct zokor_queue_options){ .kind = kind, .lock_path = takes ? a.lock_path : NULL });
    if (a.queue != NULL) {
        hold_on_signal(cancel, a.queue);
        status = puts ? put(&a) : take(&a);
        hold_on_signal(NULL, NULL);
        zokor_queue_free(a.queue);
    } else {
        status = cmd_usage_error("queue: a lock path starts with a slash, and a simple queue has none");
    }
    (void)zokor_framework_close(f);
    return status;
}
