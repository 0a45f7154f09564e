/* command: the table of four-letter words and the rule of the whitelist (client specification 9.1). */
#include "admin/command.h"
#include "admin/words.h"
#include "base/mem.h"
#include "wire/jute.h"
#include <stdio.h>

#define WORD(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))
#define WORD_TELNET_CLOSE 0xfff4fffdu /* what telnet sends on ^C */

static bool word_ruok(struct command_answer *a, size_t bytes, struct buf *out)
{
    (void)a;
    (void)bytes;
    buf_printf(out, "imok");
    return false;
}

static bool word_isro(struct command_answer *a, size_t bytes, struct buf *out)
{
    (void)bytes;
    enum core_mode mode = core_mode(a->host->core);
    buf_printf(out, mode == CORE_LOOKING ? "null" : mode == CORE_READ_ONLY ? "ro" : "rw");
    return false;
}

static bool word_conf(struct command_answer *a, size_t bytes, struct buf *out)
{
    (void)bytes;
    a->host->conf(a->host->ctx, out);
    return false;
}

static bool word_dirs(struct command_answer *a, size_t bytes, struct buf *out)
{
    (void)bytes;
    int64_t snap = 0, log = 0;
    a->host->dir_bytes(a->host->ctx, &snap, &log);
    buf_printf(out, "datadir_size: %lld\nlogdir_size: %lld\n", (long long)snap, (long long)log);
    return false;
}

static bool word_crst(struct command_answer *a, size_t bytes, struct buf *out)
{
    (void)bytes;
    core_conn_stats_reset(a->host->core);
    buf_printf(out, "Connection stats reset.\n");
    return false;
}

static bool word_srst(struct command_answer *a, size_t bytes, struct buf *out)
{
    (void)bytes;
    core_stats_reset(a->host->core);
    buf_printf(out, "Server stats reset.\n");
    return false;
}

static bool word_gtmk(struct command_answer *a, size_t bytes, struct buf *out)
{
    (void)bytes;
    buf_printf(out, "%lld", (long long)a->host->trace_mask);
    return false;
}

static bool word_stmk(struct command_answer *a, size_t bytes, struct buf *out)
{
    (void)bytes;
    a->host->trace_mask = (int64_t)load_be64(a->argument.p);
    return word_gtmk(a, bytes, out);
}

static bool word_telnet_close(struct command_answer *a, size_t bytes, struct buf *out)
{
    (void)a;
    (void)bytes;
    (void)out;
    return false;
}

static const struct word_row rows[] = {
    { WORD('c', 'o', 'n', 'f'), "conf", word_conf, false },
    { WORD('c', 'o', 'n', 's'), "cons", word_cons, false },
    { WORD('c', 'r', 's', 't'), "crst", word_crst, false },
    { WORD('d', 'i', 'r', 's'), "dirs", word_dirs, false },
    { WORD('d', 'u', 'm', 'p'), "dump", word_dump, false },
    { WORD('e', 'n', 'v', 'i'), "envi", word_envi, true },
    { WORD('g', 't', 'm', 'k'), "gtmk", word_gtmk, true },
    { WORD('h', 'a', 's', 'h'), "hash", word_hash, false },
    { WORD('i', 's', 'r', 'o'), "isro", word_isro, true },
    { WORD('m', 'n', 't', 'r'), "mntr", word_mntr, false },
    { WORD('r', 'u', 'o', 'k'), "ruok", word_ruok, true },
    { WORD('s', 'r', 's', 't'), "srst", word_srst, false },
    { WORD('s', 'r', 'v', 'r'), "srvr", word_srvr, false },
    { WORD('s', 't', 'a', 't'), "stat", word_stat, false },
    { WORD('s', 't', 'm', 'k'), "stmk", word_stmk, true },
    { WORD('w', 'c', 'h', 'c'), "wchc", word_wchc, false },
    { WORD('w', 'c', 'h', 'p'), "wchp", word_wchp, false },
    { WORD('w', 'c', 'h', 's'), "wchs", word_wchs, false },
    { WORD_TELNET_CLOSE, "telnet close", word_telnet_close, true },
};

static const struct word_row *find(uint32_t word)
{
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        if (rows[i].word == word)
            return &rows[i];
    return NULL;
}

bool command_known(uint32_t word)
{
    return find(word) != NULL;
}

size_t command_argument_bytes(uint32_t word)
{
    return word == WORD('s', 't', 'm', 'k') ? 8 : 0;
}

/* Items of a comma separated list, blanks around them do not count; "*" allows all. */
static bool listed(const char *list, const char *name)
{
    size_t name_n = strlen(name);
    for (const char *p = list; *p != '\0';) {
        size_t n = strcspn(p, ",");
        const char *from = p, *to = p + n;
        while (from < to && (*from == ' ' || *from == '\t'))
            from++;
        while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
            to--;
        size_t item_n = (size_t)(to - from);
        if ((item_n == 1 && *from == '*') || (item_n == name_n && memcmp(from, name, name_n) == 0))
            return true;
        p += n + (p[n] == ',');
    }
    return false;
}

/* srvr always works: clients use it to find out what they talk to. */
static bool allowed(const struct command_host *h, const struct word_row *row)
{
    if (row->next == word_srvr || (row->next == word_isro && h->read_only_mode))
        return true;
    return listed(h->words_allowed, row->name);
}

struct command_answer *command_begin(struct command_host *host, uint32_t conn, uint32_t word, struct slice argument)
{
    struct command_answer *a = mem_zalloc(sizeof *a);
    a->host = host;
    a->row = find(word);
    ASSERT(a->row != NULL);
    core_conn_word(host->core, conn);
    uint8_t *copy = mem_alloc(argument.n + 1);
    if (argument.n != 0)
        memcpy(copy, argument.p, argument.n);
    a->argument = slice_of(copy, argument.n);
    return a;
}

bool command_next(struct command_answer *a, size_t bytes, struct buf *out)
{
    if (!allowed(a->host, a->row)) {
        buf_printf(out, "%s is not executed because it is not in the whitelist.\n", a->row->name);
        return false;
    }
    /* An answer that has begun is finished, whatever becomes of the server meanwhile. */
    if (!a->begun && !a->row->works_always && core_mode(a->host->core) == CORE_LOOKING) {
        buf_printf(out, "This ZooKeeper instance is not currently serving requests\n");
        return false;
    }
    a->begun = true;
    return a->row->next(a, bytes, out);
}

void command_end(struct command_answer *a)
{
    if (a == NULL)
        return;
    mem_free((void *)(uintptr_t)a->argument.p);
    mem_free(a->expiring);
    watch_cursor_fini(&a->watches);
    tree_ephemerals_end(&a->ephemerals);
    mem_free(a);
}
