/* recipe/json.h: just as much JSON as instances need: reading values one after the other, and writing strings. */
#ifndef ZOKOR_RECIPE_JSON_H
#define ZOKOR_RECIPE_JSON_H

#include <stdbool.h>
#include <stdint.h>

/* Where the reader is; a failed step leaves it anywhere, and `bad` set. */
struct json {
    const char *p, *end;
    bool bad;
};

struct json json_of(const char *data, int len);
/* Passes a value of any kind, at most 64 deep; false: none. *from to p is its text. */
bool json_skip(struct json *j, const char **from);
/* Enters '{' or '[' . */
bool json_enter(struct json *j, char open);
/* The next member of an object: its key (allocated); false at its end, which is passed, or if it is bad. `first` says
 * which it is and is changed. */
bool json_member(struct json *j, bool *first, char **key);
bool json_element(struct json *j, bool *first);
/* Allocated; NULL for null, and if it is no string (then bad). */
char *json_string(struct json *j);
/* null is `none`. */
int64_t json_integer(struct json *j, int64_t none);
bool json_boolean(struct json *j);
/* Only blanks are left. */
bool json_at_end(struct json *j);

#endif
