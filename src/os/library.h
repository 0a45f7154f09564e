/* library: shared libraries that only some configurations need, loaded when one asks for them. */
#ifndef ZOKOR_OS_LIBRARY_H
#define ZOKOR_OS_LIBRARY_H

#include "base/assert.h"
#include <stddef.h>

struct library;

/* Loads "libname.so.N" from where the system keeps its libraries. NULL if it cannot: then reason says why. Free with
 * library_close. Start-up only: finding and linking it takes milliseconds. */
struct library *library_open(const char *name, char *reason, size_t reason_size);
/* The address of a function, to be cast to its type; NULL if the library has none of that name. */
void *library_symbol(struct library *l, const char *name);
/* Nothing of the library may be called or pointed at any more. NULL is fine. */
void library_close(struct library *l);

#endif
