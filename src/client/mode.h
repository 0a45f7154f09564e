/* mode: the one difference between the library with threads and the one without. */
#ifndef ZOKOR_CLIENT_MODE_H
#define ZOKOR_CLIENT_MODE_H

#include <stdbool.h>

/* Whether zookeeper_init starts threads. */
extern const bool client_mode_threaded;

#endif
