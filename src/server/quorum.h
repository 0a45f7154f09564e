/* quorum: what the server does for its core as a member of an ensemble: links, epoch files, the end of the log. A
 * standalone server has none. Owner: the core's thread. */
#ifndef ZOKOR_SERVER_QUORUM_H
#define ZOKOR_SERVER_QUORUM_H

#include "server/boot.h"
#include "server/logger.h"
#include "server/peers.h"
#include "server/quorum_sasl.h"
#include "server/quorum_tls.h"
#include "server/snapshotter.h"

struct quorum;

struct quorum_options {
    struct loop *loop;
    const struct config *config;
    const struct boot *boot; /* must live as long as the quorum */
    struct fs *fs;
    struct logger *logger;
    struct snapshotter *snapshotter;
    struct quorum_tls *tls;         /* initialised; must live as long as the quorum */
    const struct quorum_sasl *sasl; /* the same */
    void *ctx;
    /* One step of the core; its effects come to quorum_carry_out later. */
    bool (*step)(void *ctx, struct core_event *ev);
    const struct core *(*core)(void *ctx);
    /* The server must end with this exit code; the reason was logged. */
    void (*fail)(void *ctx, int exit_code);
};

/* The members that the server lines make; NULL, with the reason in why, if they make no ensemble. One reference. */
struct members *quorum_members(const struct config *config, struct buf *why);
/* What zab must know, from configuration and disk. */
struct zab_options quorum_zab_options(const struct config *config, const struct boot *boot, struct members *members);

/* Begins to listen. The core exists. */
struct quorum *quorum_new(const struct quorum_options *options);
/* Closes the links; no event comes any more. The loop must turn, and the logger must have ended, before quorum_free. */
void quorum_close(struct quorum *q);
/* NULL is fine. */
void quorum_free(struct quorum *q);

void quorum_carry_out(struct quorum *q, const struct zab_fx *fx, size_t count);
/* As peers_run_ready. */
bool quorum_run_ready(struct quorum *q);
/* The logger has news: to be asked before logger_synced. True if the log's end is now at *end. */
bool quorum_log_changed(struct quorum *q, int64_t *end);
/* A snapshot has ended. False: the core is not to be told yet; it will be by the quorum. */
bool quorum_snapshot_ended(struct quorum *q, int64_t zxid, int err);
/* The snapshotter has news, its result taken. */
void quorum_snapshot_changed(struct quorum *q);
/* Old files must not be removed while the log is being shortened. */
bool quorum_may_purge(const struct quorum *q);
int64_t quorum_unsent_bytes(const struct quorum *q);

#endif
