/* path: the rules of names (client specification 4.1). Characters are judged as UTF-16 units, as Java sees them. */
#ifndef ZOKOR_WIRE_PATH_H
#define ZOKOR_WIRE_PATH_H

#include "base/slice.h"

/* The full check: 0, or ERR_BAD_ARGUMENTS. "/" alone is valid; null and "" are not. */
int path_check(struct slice path);

/* The text before the last '/': "" for "/a" (the root's name in the tree). The path must hold a '/'. */
struct slice path_parent(struct slice path);

/* The text after the last '/'. */
struct slice path_name(struct slice path);

/* True if the path has no '/' or holds a zero byte: what create and delete look at first. */
bool path_is_malformed(struct slice path);

#endif
