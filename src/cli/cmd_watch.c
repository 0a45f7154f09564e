/* Watches: addWatch, removewatches, printwatches, watch. */
#include "cli/call.h"
#include "cli/commands.h"
#include <limits.h>
#include <strings.h>

int cli_add_watch(struct cli *c, struct cli_args *args)
{
    const char *mode_text = cli_args_value(args, "m");
    enum zokor_watch_mode mode = ZOKOR_WATCH_RECURSIVE;
    if (args->n != 2)
        return cli_misused(c, "addWatch");
    if (mode_text != NULL && strcasecmp(mode_text, "PERSISTENT") == 0)
        mode = ZOKOR_WATCH_PERSISTENT;
    else if (mode_text != NULL && strcasecmp(mode_text, "PERSISTENT_RECURSIVE") != 0)
        return cli_misused(c, "addWatch");
    const char *path = args->words[1];
    if (cli_check_path(c, path) != 0)
        return CLI_FAILED;
    int rc = call_add_watch(c, path, mode);
    return rc == ZOK ? cli_done(c, path) : cli_fail_rc(c, rc, path);
}

enum { DATA_WATCH_REMOVED = 5, CHILD_WATCH_REMOVED = 6, PERSISTENT_WATCH_REMOVED = 7 };

/* Removes one kind; the events are Java's, which are made by the client, never sent by a server. ZNOWATCHER: there was
 * none. */
static int remove_kind(struct cli *c, const char *path, enum zokor_watch_type type, int event, bool local, bool *told)
{
    int rc = call_remove_watches(c, path, type, local);
    if (rc == ZOK && !*told)
        cli_show_event(c, event, ZOO_CONNECTED_STATE, path, -1);
    *told |= rc == ZOK;
    return rc;
}

static int remove_any(struct cli *c, const char *path, bool local)
{
    static const struct {
        enum zokor_watch_type type;
        int event;
    } kinds[] = { { ZOKOR_WATCHES_CHILD, CHILD_WATCH_REMOVED },
                  { ZOKOR_WATCHES_DATA, DATA_WATCH_REMOVED },
                  { ZOKOR_WATCHES_PERSISTENT, PERSISTENT_WATCH_REMOVED },
                  { ZOKOR_WATCHES_RECURSIVE, PERSISTENT_WATCH_REMOVED } };
    bool told[8] = { false };
    int result = ZNOWATCHER;
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        int rc = remove_kind(c, path, kinds[i].type, kinds[i].event, local, &told[kinds[i].event]);
        if (rc != ZOK && rc != ZNOWATCHER && kinds[i].type >= ZOKOR_WATCHES_PERSISTENT) /* a server before 3.9 */
            rc = remove_kind(c, path, ZOKOR_WATCHES_ANY, kinds[i].event, local, &told[kinds[i].event]);
        if (rc != ZNOWATCHER && (result == ZNOWATCHER || rc != ZOK))
            result = rc;
    }
    return result;
}

int cli_remove_watches(struct cli *c, struct cli_args *args)
{
    bool told = false, local = cli_args_has(args, "l");
    int rc;
    if (args->n < 2)
        return cli_misused(c, "removewatches");
    const char *path = args->words[1];
    if (cli_check_path(c, path) != 0)
        return CLI_FAILED;
    if (cli_args_has(args, "c"))
        rc = remove_kind(c, path, ZOKOR_WATCHES_CHILD, CHILD_WATCH_REMOVED, local, &told);
    else if (cli_args_has(args, "d"))
        rc = remove_kind(c, path, ZOKOR_WATCHES_DATA, DATA_WATCH_REMOVED, local, &told);
    else if (cli_args_has(args, "p"))
        rc = remove_kind(c, path, ZOKOR_WATCHES_PERSISTENT, PERSISTENT_WATCH_REMOVED, local, &told);
    else if (cli_args_has(args, "r"))
        rc = remove_kind(c, path, ZOKOR_WATCHES_RECURSIVE, PERSISTENT_WATCH_REMOVED, local, &told);
    else
        rc = remove_any(c, path, local);
    return rc == ZOK ? cli_done(c, path) : cli_fail_rc(c, rc, path);
}

int cli_printwatches(struct cli *c, struct cli_args *args)
{
    pthread_mutex_lock(&c->lock);
    if (args->n > 1)
        c->print_watches = strcmp(args->words[1], "on") == 0;
    bool on = c->print_watches;
    pthread_mutex_unlock(&c->lock);
    if (c->options.json)
        cli_print_json(c, json_pack("{sb}", "printwatches", on));
    else if (args->n == 1)
        cli_print(c, "printwatches is %s\n", on ? "on" : "off");
    return CLI_DONE;
}

/* Waits until so many events more were shown (0: for ever), Ctrl-C, or the end of the session; true for the first. */
static bool wait_for_events(struct cli *c, uint64_t from, uint64_t count)
{
    bool seen = false;
    while (!seen && !cli_interrupted && cli_is_alive(c)) {
        pthread_mutex_lock(&c->lock);
        seen = count > 0 && c->events_shown - from >= count;
        if (!seen)
            call_wait(&c->lock, &c->changed);
        pthread_mutex_unlock(&c->lock);
    }
    return seen;
}

static uint64_t events_shown(struct cli *c)
{
    pthread_mutex_lock(&c->lock);
    uint64_t shown = c->events_shown;
    pthread_mutex_unlock(&c->lock);
    return shown;
}

int cli_watch(struct cli *c, struct cli_args *args)
{
    enum zokor_watch_mode mode = cli_args_has(args, "o") ? ZOKOR_WATCH_PERSISTENT : ZOKOR_WATCH_RECURSIVE;
    int64_t count;
    if (args->n < 2)
        return cli_misused(c, "watch");
    const char *path = args->words[1];
    if (cli_take_number(c, args, "n", 1, INT_MAX, 0, &count) != 0 || cli_check_path(c, path) != 0)
        return CLI_FAILED;
    uint64_t from = events_shown(c);
    int rc = call_add_watch(c, path, mode);
    if (rc != ZOK)
        return cli_fail_rc(c, rc, path);
    bool seen = wait_for_events(c, from, (uint64_t)count);
    if (!cli_is_alive(c))
        return cli_fail_rc(c, ZSESSIONEXPIRED, path);
    bool interrupted = cli_interrupted != 0;
    cli_interrupted = 0; /* the server is told even so */
    rc = call_remove_watches(c, path,
                             mode == ZOKOR_WATCH_RECURSIVE ? ZOKOR_WATCHES_RECURSIVE : ZOKOR_WATCHES_PERSISTENT, true);
    (void)rc; /* forgotten here in any case; servers before 3.9 know no such type */
    cli_interrupted = interrupted ? SIGINT : 0;
    return seen || c->terminal ? CLI_DONE : CLI_FAILED;
}
