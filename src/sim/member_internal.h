/* member_internal: what the files of member share. */
#ifndef ZOKOR_SIM_MEMBER_INTERNAL_H
#define ZOKOR_SIM_MEMBER_INTERNAL_H

#include "sim/member.h"

extern const struct store_dirs member_dirs;

/* Steps the core and carries out what it wants; returns what core_step returned. */
bool member_step(struct sim_member *m, struct core_event ev);
/* Writes and syncs what the flush under way covers. */
int member_flush(struct sim_member *m, struct store_error *err);
/* Forgets the oldest n appends that wait. */
void member_drop_waiting(struct sim_member *m, size_t n);

#endif
