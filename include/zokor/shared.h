/* zokor/shared.h: a value in a node that everybody sees and changes: bytes (SharedValue) or a number (SharedCount, four
 * bytes, the highest first), as Apache Curator keeps them. Threads and errors: zokor/framework.h. */
#ifndef ZOKOR_SHARED_PUBLIC_H
#define ZOKOR_SHARED_PUBLIC_H

#include <zokor/framework.h>

#ifdef __cplusplus
extern "C" {
#endif

struct zokor_shared_value;
/* On the event thread, after every change that was seen; a quick series of changes may be seen as one. */
typedef void (*zokor_shared_value_fn)(struct zokor_shared_value *v, const void *data, int data_len, int version,
                                      void *context);

/* Makes the node with the seed if it is not there, and reads it. NULL and *rc: could not. */
struct zokor_shared_value *zokor_shared_value_new(struct zokor_framework *f, const char *path, const void *seed,
                                                  int seed_len, zokor_shared_value_fn fn, void *context, int *rc);
void zokor_shared_value_free(struct zokor_shared_value *v);
/* What was seen last; *data to be freed with free. Returns its version. */
int zokor_shared_value_get(struct zokor_shared_value *v, char **data, int *data_len);
/* Whatever it was before. */
int zokor_shared_value_set(struct zokor_shared_value *v, const void *data, int data_len);
/* Only if it still has that version: otherwise ZBADVERSION, and the value is read again. Tried once: after an error of
 * the connection it may have been set or not. */
int zokor_shared_value_try_set(struct zokor_shared_value *v, int version, const void *data, int data_len);

struct zokor_shared_count;
typedef void (*zokor_shared_count_fn)(struct zokor_shared_count *c, int32_t count, void *context);
struct zokor_shared_count *zokor_shared_count_new(struct zokor_framework *f, const char *path, int32_t seed,
                                                  zokor_shared_count_fn fn, void *context, int *rc);
void zokor_shared_count_free(struct zokor_shared_count *c);
/* version may be NULL. */
int32_t zokor_shared_count_get(struct zokor_shared_count *c, int *version);
int zokor_shared_count_set(struct zokor_shared_count *c, int32_t count);
int zokor_shared_count_try_set(struct zokor_shared_count *c, int version, int32_t count);

#ifdef __cplusplus
}
#endif

#endif
