/* member_internal: what the files of member share. */
#ifndef ZOKOR_SIM_MEMBER_INTERNAL_H
#define ZOKOR_SIM_MEMBER_INTERNAL_H

#include "sim/member.h"

extern const struct store_dirs member_dirs;

/* Steps the core and carries out what it wants; returns what core_step returned. */
bool member_step(struct sim_member *m, struct core_event ev);
/* member_log.c */
struct txnlog *member_new_log(const struct sim_member *m);
/* What waits becomes a batch, if none is under way. */
void member_start_flush(struct sim_member *m);
/* Makes durable what the batch under way covers. ERR_BUSY: given back, it is to be written again. */
int member_flush(struct sim_member *m, struct store_error *err);
/* Forgets the oldest n appends that wait. */
void member_drop_waiting(struct sim_member *m, size_t n);

int member_recover(struct sim_member *m, struct store_recovered *out, struct store_error *err);

/* member_feed.c: the log on disk for learners, by link */
void member_feed_open(struct sim_member *m, uint32_t link, int64_t from, int64_t to);
void member_feed_more(struct sim_member *m, uint32_t link);
void member_feed_close(struct sim_member *m, uint32_t link);
void member_feed_close_all(struct sim_member *m);

/* member_peer.c */
void member_take_peer_effects(struct sim_member *m);
struct zab_options member_zab_options(const struct sim_member *m);
/* The disk's part of saving epochs, of cutting the log: also done by halves when power fails. */
int member_write_epochs(struct sim_member *m);
int member_cut(struct sim_member *m, struct store_error *err);

#endif
