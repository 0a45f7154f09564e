/* Answers and events on their way to the program. */
#include "client/shell.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/decode.h"
#include <string.h>

#define ARENA_BYTES 4096

/* What this thread, one that receives, delivers at once. */
struct prompt_delivery {
    const zhandle_t *zh;
    int64_t zxid;
    bool by_caller;
};
static _Thread_local const struct prompt_delivery *prompt_delivery __attribute__((tls_model("initial-exec")));

/* A copy for a caller who frees it with the library's functions, which use free. */
static char *copy_text(const char *s)
{
    return s == NULL ? NULL : strdup(s);
}

static int copy_strings(const struct String_vector *from, struct String_vector *to)
{
    if (to == NULL)
        return 0;
    if (allocate_String_vector(to, from->count) != 0)
        return ERR_SYSTEM;
    for (int32_t i = 0; i < from->count; i++)
        to->data[i] = copy_text(from->data[i]);
    return 0;
}

static int copy_acls(const struct ACL_vector *from, struct ACL_vector *to)
{
    if (to == NULL)
        return 0;
    if (allocate_ACL_vector(to, from->count) != 0)
        return ERR_SYSTEM;
    for (int32_t i = 0; i < from->count; i++) {
        to->data[i].perms = from->data[i].perms;
        to->data[i].id.scheme = copy_text(from->data[i].id.scheme);
        to->data[i].id.id = copy_text(from->data[i].id.id);
    }
    return 0;
}

static int copy_ids(const struct ClientInfo_vector *from, struct ClientInfo_vector *to)
{
    if (to == NULL)
        return 0;
    if (allocate_ClientInfo_vector(to, from->count) != 0)
        return ERR_SYSTEM;
    for (int32_t i = 0; i < from->count; i++) {
        to->data[i].authScheme = copy_text(from->data[i].authScheme);
        to->data[i].user = copy_text(from->data[i].user);
    }
    return 0;
}

static void copy_path(const char *path, struct sync_wait *w)
{
    if (path == NULL || w->text == NULL || w->text_n <= 0)
        return;
    size_t n = strlen(path);
    if (n > (size_t)w->text_n - 1)
        n = (size_t)w->text_n - 1;
    memcpy(w->text, path, n);
    w->text[n] = 0;
}

static void copy_data(const char *data, int n, struct sync_wait *w)
{
    if (w->data_n == NULL)
        return;
    int room = *w->data_n < 0 ? 0 : *w->data_n;
    *w->data_n = n < room ? n : room; /* the answer may be null: -1 */
    if (w->data != NULL && *w->data_n > 0)
        memcpy(w->data, data, (size_t)*w->data_n);
}

/* Everything that an answer can hold, as far as its shape has it. */
struct answer {
    char *text;
    const char *data;
    int data_n;
    int32_t number;
    struct Stat stat;
    struct String_vector strings;
    struct ACL_vector acl;
    struct ClientInfo_vector ids;
};

static int read_answer(const struct client_done *d, struct slice chroot, struct arena *arena, struct answer *a)
{
    struct client_body b = client_body_of(d->body, d->body_n, chroot);
    switch ((enum shape)(d->call.tag & TAG_SHAPE)) {
    case SHAPE_STAT:
        client_body_stat(&b, &a->stat);
        break;
    case SHAPE_DATA:
        client_body_data(&b, &a->data, &a->data_n);
        client_body_stat(&b, &a->stat);
        break;
    case SHAPE_STRING:
        a->text = client_body_path(&b);
        break;
    case SHAPE_STRING_STAT:
        a->text = client_body_path(&b);
        client_body_stat(&b, &a->stat);
        break;
    case SHAPE_STRINGS:
        client_body_strings(&b, arena, &a->strings);
        break;
    case SHAPE_PATHS:
        client_body_paths(&b, arena, &a->strings);
        break;
    case SHAPE_STRINGS_STAT:
        client_body_strings(&b, arena, &a->strings);
        client_body_stat(&b, &a->stat);
        break;
    case SHAPE_ACL:
        client_body_acls(&b, arena, &a->acl);
        client_body_stat(&b, &a->stat);
        break;
    case SHAPE_IDS:
        client_body_ids(&b, arena, &a->ids);
        break;
    case SHAPE_NUMBER:
        a->number = wire_get_i32(&b.r);
        break;
    case SHAPE_VOID:
    case SHAPE_MULTI:
    case SHAPE_READS:
        break;
    }
    return b.r.err;
}

static void complete_wait(zhandle_t *zh, const struct client_done *d)
{
    struct sync_wait *w = d->call.extra;
    struct answer a = { 0 };
    struct arena arena;
    enum shape shape = (enum shape)(d->call.tag & TAG_SHAPE);
    arena_init(&arena, ARENA_BYTES);
    w->rc = d->rc;
    if (shape == SHAPE_MULTI) {
        w->rc = multi_answer(d, client_chroot(zh->core), w->multi);
    } else if (shape == SHAPE_READS) {
        w->rc = d->rc != 0 ? d->rc : reads_answer(d, w->reads, w->read_n, NULL);
    } else if (d->rc == 0) {
        w->rc = read_answer(d, client_chroot(zh->core), &arena, &a);
        if (w->rc == 0) {
            copy_path(a.text, w);
            if (shape == SHAPE_DATA)
                copy_data(a.data, a.data_n, w);
            if (w->stat != NULL)
                *w->stat = a.stat;
            if (w->number != NULL)
                *w->number = a.number;
            int rc = copy_strings(&a.strings, w->strings);
            rc = rc != 0 ? rc : copy_acls(&a.acl, w->acl);
            w->rc = rc != 0 ? rc : copy_ids(&a.ids, w->ids);
        }
    }
    arena_fini(&arena);
    sem_post(&w->done);
    zokor_nudge(zh);
}

/* Of a request that failed there is nothing but the error: NULL and 0, as Apache's library has it; programs look. */
static void call_back_failed(const struct client_call *call, int rc)
{
    switch ((enum shape)(call->tag & TAG_SHAPE)) {
    case SHAPE_VOID:
    case SHAPE_MULTI:
        ((void_completion_t)call->fn)(rc, call->data);
        break;
    case SHAPE_STAT:
        ((stat_completion_t)call->fn)(rc, NULL, call->data);
        break;
    case SHAPE_DATA:
        ((data_completion_t)call->fn)(rc, NULL, 0, NULL, call->data);
        break;
    case SHAPE_STRING:
        ((string_completion_t)call->fn)(rc, NULL, call->data);
        break;
    case SHAPE_STRING_STAT:
        ((string_stat_completion_t)call->fn)(rc, NULL, NULL, call->data);
        break;
    case SHAPE_STRINGS:
    case SHAPE_PATHS:
        ((strings_completion_t)call->fn)(rc, NULL, call->data);
        break;
    case SHAPE_STRINGS_STAT:
        ((strings_stat_completion_t)call->fn)(rc, NULL, NULL, call->data);
        break;
    case SHAPE_ACL:
        ((acl_completion_t)call->fn)(rc, NULL, NULL, call->data);
        break;
    case SHAPE_IDS:
        ((zokor_ids_completion_t)call->fn)(rc, NULL, call->data);
        break;
    case SHAPE_NUMBER:
        ((zokor_number_completion_t)call->fn)(rc, 0, call->data);
        break;
    case SHAPE_READS:
        break;
    }
}

static void call_back(const struct client_call *call, struct answer *a)
{
    switch ((enum shape)(call->tag & TAG_SHAPE)) {
    case SHAPE_VOID:
    case SHAPE_MULTI:
        ((void_completion_t)call->fn)(ZOK, call->data);
        break;
    case SHAPE_STAT:
        ((stat_completion_t)call->fn)(ZOK, &a->stat, call->data);
        break;
    case SHAPE_DATA:
        ((data_completion_t)call->fn)(ZOK, a->data, a->data_n, &a->stat, call->data);
        break;
    case SHAPE_STRING:
        ((string_completion_t)call->fn)(ZOK, a->text, call->data);
        break;
    case SHAPE_STRING_STAT:
        ((string_stat_completion_t)call->fn)(ZOK, a->text, &a->stat, call->data);
        break;
    case SHAPE_STRINGS:
    case SHAPE_PATHS:
        ((strings_completion_t)call->fn)(ZOK, &a->strings, call->data);
        break;
    case SHAPE_STRINGS_STAT:
        ((strings_stat_completion_t)call->fn)(ZOK, &a->strings, &a->stat, call->data);
        break;
    case SHAPE_ACL:
        ((acl_completion_t)call->fn)(ZOK, &a->acl, &a->stat, call->data);
        break;
    case SHAPE_IDS:
        ((zokor_ids_completion_t)call->fn)(ZOK, &a->ids, call->data);
        break;
    case SHAPE_NUMBER:
        ((zokor_number_completion_t)call->fn)(ZOK, a->number, call->data);
        break;
    case SHAPE_READS:
        break;
    }
}

static void deliver_reads(const struct client_done *d, struct arena *arena)
{
    const struct multi_wait *m = d->call.extra;
    struct zokor_read_result *results = arena_alloc(arena, (size_t)m->count * sizeof(*results));
    memset(results, 0, (size_t)m->count * sizeof(*results));
    int rc = d->rc != 0 ? d->rc : reads_answer(d, results, m->count, arena);
    if (d->call.fn != NULL)
        ((zokor_reads_completion_t)d->call.fn)(rc, rc == 0 ? m->count : 0, results, d->call.data);
    mem_free(d->call.extra);
}

static void deliver_reply(zhandle_t *zh, const struct client_done *d, struct arena *arena)
{
    struct answer a = { .data_n = -1 };
    int rc = d->rc;
    if ((d->call.tag & TAG_SHAPE) == SHAPE_READS) {
        deliver_reads(d, arena);
        return;
    }
    if ((d->call.tag & TAG_SHAPE) == SHAPE_MULTI) {
        rc = multi_answer(d, client_chroot(zh->core), d->call.extra);
        mem_free(d->call.extra);
    } else if (rc == 0) {
        rc = read_answer(d, client_chroot(zh->core), arena, &a);
    }
    if (d->call.fn != NULL && rc == 0)
        call_back(&d->call, &a);
    else if (d->call.fn != NULL)
        call_back_failed(&d->call, rc);
}

static void deliver_event(zhandle_t *zh, const struct client_done *d)
{
    static const char root[] = "/";
    const char *path = "";
    if (d->type != CLIENT_EVENT_SESSION && d->body_n == 0)
        path = root; /* the chroot itself */
    else if (d->body_n > 0) {
        char *p = (char *)d->body - 1; /* over the last byte of what stood before, which has been read */
        memmove(p, d->body, d->body_n);
        p[d->body_n] = 0;
        path = p;
    }
    for (size_t i = 0; i < d->watchers->n; i++)
        ((watcher_fn)d->watchers->p[i].fn)(zh, d->type, d->state, path, d->watchers->p[i].ctx);
}

static bool is_session_event(const struct client_done *d)
{
    return d->is_event && d->type == CLIENT_EVENT_SESSION;
}

static void count_session_event(zhandle_t *zh, int by)
{
    pthread_mutex_lock(&zh->done_lock);
    zh->session_events += by;
    pthread_mutex_unlock(&zh->done_lock);
}

static size_t deliver_all(zhandle_t *zh)
{
    size_t n = zh->delivering.n;
    zh->in_callback = true;
    for (size_t i = 0; i < n; i++) {
        struct client_done *d = &zh->delivering.p[i];
        zh->zxid = d->zxid;
        if (d->is_event)
            deliver_event(zh, d);
        else
            deliver_reply(zh, d, &zh->arena);
        if (is_session_event(d))
            count_session_event(zh, -1);
        client_done_fini(d);
        arena_reset(&zh->arena);
    }
    zh->in_callback = false;
    zh->delivering.n = 0;
    return n;
}

static void swap_dones(struct client_dones *a, struct client_dones *b)
{
    struct client_dones t = *a;
    *a = *b;
    *b = t;
}

static void queue_one(struct client_dones *to, const struct client_done *d)
{
    if (to->n == to->cap) {
        to->cap = to->cap == 0 ? 64 : to->cap * 2;
        to->p = mem_realloc(to->p, to->cap * sizeof(*to->p));
    }
    to->p[to->n++] = *d;
}

/* Events that a watcher of the usual kind hears, too, go to all of them in the usual way. So do those before which
 * something is still to be told of the session: who hears of a node knows through which connections it was watched. */
static bool is_prompt_event(zhandle_t *zh, const struct client_done *d)
{
    bool prompt = d->type != CLIENT_EVENT_SESSION;
    for (size_t i = 0; i < d->watchers->n; i++)
        prompt = prompt && d->watchers->p[i].prompt != 0;
    if (!prompt)
        return false;
    pthread_mutex_lock(&zh->done_lock);
    prompt = zh->session_events == 0;
    pthread_mutex_unlock(&zh->done_lock);
    return prompt;
}

/* By the io thread: for a caller that waits, or has said that its functions do not block. False: it is neither. */
static bool deliver_at_once(zhandle_t *zh, const struct client_done *d)
{
    const struct prompt_delivery now = { .zh = zh, .zxid = d->zxid, .by_caller = zh->caller_reads };
    if (!zh->threaded || (d->is_event ? !is_prompt_event(zh, d) : (d->call.tag & (TAG_SYNC | TAG_PROMPT)) == 0))
        return false;
    prompt_delivery = &now;
    if (d->is_event) {
        deliver_event(zh, d);
    } else if ((d->call.tag & TAG_SYNC) != 0) {
        complete_wait(zh, d);
    } else {
        struct arena arena;
        arena_init(&arena, ARENA_BYTES);
        deliver_reply(zh, d, &arena);
        arena_fini(&arena);
    }
    prompt_delivery = NULL;
    return true;
}

const void *deliver_exchange(const void *delivery)
{
    const void *before = prompt_delivery;
    prompt_delivery = delivery;
    return before;
}

bool deliver_is_here(const zhandle_t *zh)
{
    return prompt_delivery != NULL && prompt_delivery->zh == zh;
}

bool deliver_is_by_caller(const zhandle_t *zh)
{
    return deliver_is_here(zh) && prompt_delivery->by_caller;
}

int64_t deliver_zxid(const zhandle_t *zh)
{
    const struct prompt_delivery *now = prompt_delivery;
    if (now != NULL)
        return now->zh == zh ? now->zxid : -1;
    return zh->in_callback ? zh->zxid : -1;
}

void deliver_batch(zhandle_t *zh, struct client_dones *batch)
{
    size_t kept = 0;
    for (size_t i = 0; i < batch->n; i++) {
        struct client_done *d = &batch->p[i];
        if (deliver_at_once(zh, d)) {
            client_done_fini(d);
            continue;
        }
        if (is_session_event(d))
            count_session_event(zh, 1);
        if (kept != i)
            batch->p[kept] = *d;
        kept++;
    }
    batch->n = kept;
    if (kept == 0)
        return;
    pthread_mutex_lock(&zh->done_lock);
    if (zh->incoming.n == 0) {
        swap_dones(&zh->incoming, batch);
    } else {
        for (size_t i = 0; i < kept; i++)
            queue_one(&zh->incoming, &batch->p[i]);
    }
    bool wake = zh->done_waiting;
    zh->done_waiting = false;
    pthread_mutex_unlock(&zh->done_lock);
    batch->n = 0;
    if (wake)
        pthread_cond_signal(&zh->done_cond);
}

size_t deliver_queued(zhandle_t *zh)
{
    pthread_mutex_lock(&zh->done_lock);
    if (zh->incoming.n > 0 && zh->delivering.n == 0)
        swap_dones(&zh->incoming, &zh->delivering);
    pthread_mutex_unlock(&zh->done_lock);
    return zh->in_callback ? 0 : deliver_all(zh);
}

void deliver_end(zhandle_t *zh)
{
    pthread_mutex_lock(&zh->done_lock);
    zh->done_end = true;
    pthread_mutex_unlock(&zh->done_lock);
    pthread_cond_signal(&zh->done_cond);
}

void *callback_thread_main(void *arg)
{
    zhandle_t *zh = arg;
    for (bool end = false; !end;) {
        pthread_mutex_lock(&zh->done_lock);
        while (zh->incoming.n == 0 && !zh->done_end) {
            zh->done_waiting = true;
            pthread_cond_wait(&zh->done_cond, &zh->done_lock);
        }
        zh->done_waiting = false;
        swap_dones(&zh->incoming, &zh->delivering);
        end = zh->done_end && zh->delivering.n == 0;
        pthread_mutex_unlock(&zh->done_lock);
        (void)deliver_all(zh);
    }
    pthread_mutex_lock(&zh->lock);
    bool mine = zh->self_close;
    pthread_mutex_unlock(&zh->lock);
    if (mine) { /* closed by a callback: nobody else waits for the threads */
        pthread_detach(pthread_self());
        pthread_join(zh->io_thread, NULL);
        handle_free(zh);
    }
    return NULL;
}
