#include "server/words.h"
#include "base/mem.h"
#include "server/limits.h"

struct job {
    struct list link;
    uint32_t conn;
    struct command_answer *answer;
};

void words_init(struct words *w, struct command_host *host, void *ctx,
                void (*apply)(void *ctx, const struct core_fx *fx, size_t count),
                void (*done)(void *ctx, uint32_t conn))
{
    *w = (struct words){ .host = host, .ctx = ctx, .apply = apply, .done = done };
    list_init(&w->jobs);
    buf_init(&w->piece, SIZE_MAX / 2);
}

static void job_end(struct job *j)
{
    list_remove(&j->link);
    command_end(j->answer);
    mem_free(j);
}

void words_fini(struct words *w)
{
    LIST_FOR_SAFE(it, &w->jobs)
    job_end(CONTAINER_OF(it, struct job, link));
    buf_fini(&w->piece);
}

static struct job *job_find(const struct words *w, uint32_t conn)
{
    LIST_FOR(it, &w->jobs)
    {
        struct job *j = CONTAINER_OF(it, struct job, link);
        if (j->conn == conn)
            return j;
    }
    return NULL;
}

static void send_piece(struct words *w, struct job *j)
{
    uint32_t conn = j->conn;
    struct core_fx fx[2];
    size_t count = 0;
    buf_reset(&w->piece);
    bool more = command_next(j->answer, LIMIT_WORD_PIECE_BYTES, &w->piece);
    if (w->piece.n != 0)
        fx[count++] = (struct core_fx){ CORE_FX_SEND, conn, (uint32_t)w->piece.n, w->piece.p };
    if (!more) {
        job_end(j);
        w->done(w->ctx, conn);
        fx[count++] = (struct core_fx){ .type = CORE_FX_CLOSE, .conn = conn };
    }
    w->apply(w->ctx, fx, count);
    if (w->piece.cap > 4 * LIMIT_WORD_PIECE_BYTES)
        buf_fini(&w->piece);
}

void words_begin(struct words *w, uint32_t conn, uint32_t word, struct slice argument)
{
    struct job *j = mem_zalloc(sizeof *j);
    j->conn = conn;
    j->answer = command_begin(w->host, conn, word, argument);
    list_push_back(&w->jobs, &j->link);
    send_piece(w, j);
}

void words_more(struct words *w, uint32_t conn)
{
    struct job *j = job_find(w, conn);
    if (j != NULL)
        send_piece(w, j);
}

void words_forget(struct words *w, uint32_t conn)
{
    struct job *j = job_find(w, conn);
    if (j != NULL)
        job_end(j);
}
