/* json: JSON written front to back into a buf, in the layout of Apache's admin server (Jackson's pretty printer:
 * `"key" : value`, members on lines of their own, arrays on one), so that what greps an answer finds the same text. No
 * memory of its own: an answer may be written piece by piece. */
#ifndef ZOKOR_ADMIN_JSON_H
#define ZOKOR_ADMIN_JSON_H

#include "base/buf.h"

struct json {
    struct buf *out; /* may be another one for the next piece */
    unsigned level;  /* open objects and arrays, at most 31 */
    unsigned indent; /* open objects */
    uint32_t arrays; /* bit n: level n is an array */
    bool first;      /* nothing was written yet on this level */
};

/* Begins with nothing open: a value is to follow. */
void json_begin(struct json *j, struct buf *out);

/* The name of a member; its value must follow. */
void json_key(struct json *j, const char *key);
void json_key_slice(struct json *j, struct slice key);
void json_key_number(struct json *j, int64_t key);

/* A value: of the member whose name was written, or the next element of an array. */
void json_object(struct json *j);
void json_object_end(struct json *j);
void json_array(struct json *j);
void json_array_end(struct json *j);
/* What is not UTF-8 becomes U+FFFD. */
void json_slice(struct json *j, struct slice text);
void json_string(struct json *j, const char *text); /* NULL: null */
void json_number(struct json *j, int64_t value);
void json_unsigned(struct json *j, uint64_t value);
/* As Java prints a number rounded to four places: at least one of them. */
void json_real(struct json *j, double value);
void json_bool(struct json *j, bool value);

/* A member in one call. */
void json_member_number(struct json *j, const char *key, int64_t value);
void json_member_string(struct json *j, const char *key, const char *text);
void json_member_bool(struct json *j, const char *key, bool value);

#endif
