/* model_watch: who must hear of what, by the model (client specification 6). Watchers are cables. */
#ifndef ZOKOR_SIM_MODEL_WATCH_H
#define ZOKOR_SIM_MODEL_WATCH_H

#include "sim/model.h"

enum model_watch_mode { MODEL_WATCH_DATA = 1, MODEL_WATCH_CHILD = 2, MODEL_WATCH_ALL = 4, MODEL_WATCH_BELOW = 8 };

struct model_watch {
    struct model_watch *hash_next;
    uint64_t hash;
    uint32_t cable;
    unsigned modes;
    size_t path_n;
    char path[];
};

struct model_watches {
    struct model_watch **buckets;
    size_t bucket_count;
};

void model_watches_init(struct model_watches *w);
void model_watches_fini(struct model_watches *w);
void model_watch_add(struct model_watches *w, uint32_t cable, struct slice path, unsigned modes);
unsigned model_watch_modes(const struct model_watches *w, uint32_t cable, struct slice path);
/* Returns those that were there. */
unsigned model_watch_remove(struct model_watches *w, uint32_t cable, struct slice path, unsigned modes);
/* Calls fn for each cable that an event at a path concerns, with the modes that made it so; what was for once is gone
 * afterwards. A cable may be named more than once. */
void model_watch_fire(struct model_watches *w, int32_t type, struct slice path,
                      void (*fn)(void *ctx, uint32_t cable, unsigned modes), void *ctx);

#endif
