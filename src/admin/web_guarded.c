/* web_guarded: the two commands that need every permission on "/" (feature map 3.2): snapshot, and restore with a body.
 * The order of the checks, status and texts are those of Apache 3.9.5. */
#include "admin/web_rows.h"
#include "base/log.h"

static bool refuse(struct web_answer *a, enum web_status status, const char *error)
{
    a->ask->status = status;
    a->error = error;
    a->named_as_asked = error != NULL;
    return false;
}

/* "<scheme> <data>", or the scheme alone, as Java's split at single blanks sees it: blanks at the end do not count. */
static bool split(struct slice header, struct slice *scheme, struct slice *data)
{
    while (header.n != 0 && header.p[header.n - 1] == ' ')
        header.n--;
    const uint8_t *blank = header.n == 0 ? NULL : memchr(header.p, ' ', header.n);
    *data = (struct slice){ 0 };
    *scheme = header;
    if (blank == NULL)
        return header.n != 0;
    scheme->n = (size_t)(blank - header.p);
    *data = slice_of(blank + 1, header.n - scheme->n - 1);
    return memchr(data->p, ' ', data->n) == NULL;
}

static bool is_allowed(struct web_answer *a)
{
    struct slice scheme, data;
    int rc = ERR_AUTH_FAILED;
    if (slice_is_null(a->ask->authorization))
        return refuse(a, WEB_NO_AUTH, "Auth info is missing for the command");
    if (split(a->ask->authorization, &scheme, &data))
        rc = core_may_administer(a->core, scheme, data, a->ask->address);
    if (rc == ERR_NO_AUTH)
        return refuse(a, WEB_FORBIDDEN, "Not authorized");
    return rc == 0 || refuse(a, WEB_NO_AUTH, "Not authenticated");
}

static bool is_in_time(struct web_answer *a, struct web_limiter *l)
{
    struct command_figures f = { 0 };
    a->host->words->figures(a->host->words->ctx, &f);
    if (l->interval_ms <= 0 || f.now_ms > l->since_ms + l->interval_ms) {
        l->used = false;
        l->since_ms = f.now_ms;
    }
    bool allowed = !l->used;
    l->used = true;
    return allowed;
}

static bool may_run(struct web_answer *a, bool enabled, struct web_limiter *limiter, int64_t *limited)
{
    if (!is_allowed(a))
        return false;
    if (!enabled)
        return refuse(a, WEB_DISABLED, NULL);
    if (!a->host->last_zxid_block)
        return refuse(a, WEB_FAILED, NULL);
    if (is_in_time(a, limiter))
        return true;
    (*limited)++;
    return refuse(a, WEB_LIMITED, NULL);
}

bool web_snapshot(struct web_answer *a)
{
    struct web_host *h = a->host;
    if (!may_run(a, h->snapshot_enabled, &h->snapshot_limiter, &h->snapshots_limited))
        return false;
    a->ask->pending = true;
    h->snapshot(h->ctx, a->ask);
    return false;
}

bool web_restore(struct web_answer *a)
{
    struct web_host *h = a->host;
    if (a->ask->upload_failed) {
        h->restore_errors++;
        return refuse(a, WEB_FAILED, NULL);
    }
    if (core_zab(a->core) != NULL && is_allowed(a)) {
        /* Apache lets each member take a tree of its own, and they differ from then on. */
        log_warn("restore.failed", "reason=\"this server is a member of an ensemble: its tree is the leader's\" "
                                   "next=\"stop all members, empty their directories, put the snapshot into each\"");
        h->restore_errors++;
        return refuse(a, WEB_FAILED, NULL);
    }
    if (a->ask->upload == NULL) {
        if (may_run(a, h->restore_enabled, &h->restore_limiter, &h->restores_limited))
            a->ask->status = WEB_CONTINUE;
        return false;
    }
    a->ask->pending = true;
    h->restore(h->ctx, a->ask);
    return false;
}
