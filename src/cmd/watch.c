/* zokor watch: the changes of a subtree, as they come. */
#include "cmd/hold.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zokor/cache.h>
#include <zokor/discovery.h>

#define SLICE_MS 200
#define DATA_BYTES_MAX 200 /* of a line for people */

static int help(void)
{
    printf("usage: zokor watch PATH [OPTIONS]\n\n"
           "Prints every change of the node at PATH and of everything below it, until it gets a signal. A line is\n"
           "created, changed or deleted, the path, the version and the data. What changes while the connection is\n"
           "broken is printed when it is back; of several changes in a row perhaps only the last.\n\n"
           "%s"
           "  --json           an object a line: type, path, version, zxid, data (or hex, if it is no text)\n"
           "  --all            first what is there, as created; then a line `ready`\n"
           "  --count N        end after N changes; 0: never                                       [0]\n\n"
           "example:\n"
           "  zokor watch /config --json | while read -r change; do ./reload \"$change\"; done\n\n"
           "Exit status: 0 after a signal or N changes, 124 nothing was read within --wait, 1 failed, 2 wrong "
           "arguments.\n",
           hold_options_help);
    return cmd_finish_output(CMD_OK);
}

struct watching {
    int json, all, count;
    atomic_int printed;
    atomic_bool ready, ended;
    int woken[2];
};

static void end(struct watching *w)
{
    w->ended = true;
    (void)!write(w->woken[1], "", 1);
}

/* Well-formed UTF-8 without a zero: anything else is shown as hex. */
static bool is_text(const char *data, int n)
{
    for (int i = 0; i < n;) {
        unsigned char c = (unsigned char)data[i];
        int more = c == 0                  ? -1
                   : c < 0x80              ? 0
                   : c >= 0xc2 && c < 0xe0 ? 1
                   : c >= 0xe0 && c < 0xf0 ? 2
                   : c >= 0xf0 && c < 0xf5 ? 3
                                           : -1;
        if (more < 0 || i + more >= n)
            return false;
        for (int k = 1; k <= more; k++) {
            if (((unsigned char)data[i + k] & 0xc0) != 0x80)
                return false;
        }
        i += more + 1;
    }
    return true;
}

static void print_hex(const char *data, int n)
{
    for (int i = 0; i < n; i++)
        printf("%02x", (unsigned char)data[i]);
}

static void print_json(const char *type, const struct zokor_cache_node *n)
{
    char *path = zokor_json_quote(n->path);
    printf("{\"type\":\"%s\",\"path\":%s,\"version\":%d,\"zxid\":%lld", type, path, n->stat.version,
           (long long)n->stat.mzxid);
    free(path);
    if (n->data_len < 0) {
        printf(",\"data\":null}\n");
    } else if (is_text(n->data, n->data_len)) {
        char *data = zokor_json_quote(n->data);
        printf(",\"data\":%s}\n", data);
        free(data);
    } else {
        printf(",\"hex\":\"");
        print_hex(n->data, n->data_len);
        printf("\"}\n");
    }
}

static void print_line(const char *type, const struct zokor_cache_node *n)
{
    int most = n->data_len < DATA_BYTES_MAX ? n->data_len : DATA_BYTES_MAX;
    printf("%-8s %s v%d ", type, n->path, n->stat.version);
    if (n->data_len > 0 && is_text(n->data, n->data_len)) {
        for (int i = 0; i < most; i++) /* a line stays a line, and a terminal as it is */
            putchar((unsigned char)n->data[i] < 0x20 || n->data[i] == 0x7f ? ' ' : n->data[i]);
    } else if (n->data_len > 0) {
        printf("0x");
        print_hex(n->data, most);
    }
    printf("%s\n", n->data_len > most ? "..." : "");
}

static void on_change(struct zokor_cache *c, const struct zokor_cache_event *e, void *context)
{
    static const char *const words[] = { "", "created", "changed", "deleted" };
    struct watching *w = context;
    (void)c;
    if (w->ended)
        return;
    if (e->type == ZOKOR_CACHE_INITIALIZED) {
        w->ready = true;
        if (w->all)
            printf(w->json ? "{\"type\":\"ready\"}\n" : "ready\n");
    } else if (w->ready || w->all) {
        const struct zokor_cache_node *n = e->now != NULL ? e->now : e->old;
        if (w->json)
            print_json(words[e->type], n);
        else
            print_line(words[e->type], n);
        w->printed += w->ready;
    }
    if (fflush(stdout) != 0 || (w->count > 0 && w->printed >= w->count))
        end(w);
}

static void cancel(void *context)
{
    end(context);
}

/* In slices: a signal ends it. */
static int await(struct watching *w, struct zokor_cache *cache, int wait_ms)
{
    int rc = ZOPERATIONTIMEOUT;
    for (int waited = 0; rc == ZOPERATIONTIMEOUT && !w->ended && (wait_ms < 0 || waited <= wait_ms); waited += SLICE_MS)
        rc = zokor_cache_wait(cache, SLICE_MS);
    return w->ended && rc == ZOPERATIONTIMEOUT ? ZOK : rc;
}

int cmd_watch(int argc, char **argv)
{
    static struct watching w;
    struct hold_args args;
    char c;
    const struct hold_option options[] = {
        { .name = "--json", .flag = &w.json },
        { .name = "--all", .flag = &w.all },
        { .name = "--count", .number = &w.count },
    };
    if (hold_asks_help(argc, argv))
        return help();
    int status = hold_parse(argc, argv, options, ARRAY_COUNT(options), &args);
    if (status != CMD_OK)
        return status;
    if (args.words_count != 1 || args.words[0][0] != '/' || pipe(w.woken) != 0)
        return cmd_usage_error("usage: zokor watch PATH [OPTIONS]; PATH starts with a slash");
    struct zokor_framework *f = hold_open(&args);
    if (f == NULL)
        return CMD_FAILED;
    struct zokor_cache *cache = zokor_cache_new(f, args.words[0], NULL);
    zokor_cache_listen(cache, on_change, &w);
    hold_on_signal(cancel, &w);
    int rc = zokor_cache_start(cache);
    rc = rc != ZOK ? rc : await(&w, cache, hold_wait_ms(&args));
    if (rc != ZOK)
        status = hold_failed("watch", args.words[0], rc);
    while (rc == ZOK && !w.ended)
        (void)!read(w.woken[0], &c, 1);
    hold_on_signal(NULL, NULL);
    zokor_cache_close(cache);
    (void)zokor_framework_close(f);
    return cmd_finish_output(status);
}
