/* recipe/shared.h: a shared count, as semaphores see it. */
#ifndef ZOKOR_RECIPE_SHARED_H
#define ZOKOR_RECIPE_SHARED_H

#include "recipe/internal.h"
#include <zokor/shared.h>

/* Called besides the program's function, after every change. At most one object listens at a time per link. */
struct count_listener {
    struct list link;
    void (*changed)(struct count_listener *l);
};
void count_listen(struct zokor_shared_count *c, struct count_listener *l);
/* After this it is not called any more. */
void count_unlisten(struct zokor_shared_count *c, struct count_listener *l);

#endif
