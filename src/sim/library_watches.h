/* library_watches: which watchers a client library must keep for which path, told a second time and plainly, to judge
 * the library by. Watchers are numbers below 31, sets of them are bits. */
#ifndef ZOKOR_SIM_LIBRARY_WATCHES_H
#define ZOKOR_SIM_LIBRARY_WATCHES_H

#include "base/slice.h"
#include "client/watches.h"

struct library_watch {
    enum client_watch_kind kind;
    unsigned watcher;
    int64_t since; /* it must hear of what changes after this zxid */
    char path[40];
};

struct library_watches {
    struct library_watch *p;
    size_t n, cap;
};

void library_watches_fini(struct library_watches *w);
/* The same one twice is one. */
void library_watch_add(struct library_watches *w, enum client_watch_kind kind, struct slice path, unsigned watcher,
                       int64_t since);
/* Of these kinds (bits), this watcher's or everybody's. */
#define LIBRARY_EVERYBODY 31u
void library_watch_forget(struct library_watches *w, struct slice path, unsigned kinds, unsigned watcher);
/* The watchers that hear of an event (client specification 6.8); those that wait for one only are gone afterwards. */
unsigned library_watch_fire(struct library_watches *w, int32_t type, struct slice path);
/* All watchers. */
unsigned library_watch_everybody(const struct library_watches *w);
/* Paths, each once a kind. */
size_t library_watch_count(const struct library_watches *w);
bool library_watch_has(const struct library_watches *w, enum client_watch_kind kind, struct slice path);

#endif
