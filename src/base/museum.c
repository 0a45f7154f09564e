#include "base/museum.h"

#ifdef ZOKOR_MUSEUM
enum museum_bug museum_alive = MUSEUM_NONE;
#else
typedef int museum_is_empty; /* a translation unit must hold something */
#endif
