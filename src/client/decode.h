/* decode: the body of an answer as the structs of the C interface. Strings are ended by a zero byte where they lie:
 * each moves one byte to the front, over its length, so that nothing is copied. A body can be read once that way. */
#ifndef ZOKOR_CLIENT_DECODE_H
#define ZOKOR_CLIENT_DECODE_H

#include "base/arena.h"
#include "wire/jute.h"
#include "zookeeper/zookeeper.jute.h"

struct client_body {
    struct wire_reader r;
    struct slice chroot; /* taken off paths; null if none */
};

struct client_body client_body_of(uint8_t *p, size_t n, struct slice chroot);

/* A string ended by a zero byte, in the body; NULL for null or an error (body.r.err). */
char *client_body_text(struct client_body *b);
/* The same below the chroot ("/" for the chroot itself). */
char *client_body_path(struct client_body *b);
/* Bytes in the body; a length of -1 for null. */
void client_body_data(struct client_body *b, const char **p, int *n);
void client_body_stat(struct client_body *b, struct Stat *s);
/* Vectors whose elements live in the arena and whose strings live in the body. */
void client_body_strings(struct client_body *b, struct arena *a, struct String_vector *v);
void client_body_paths(struct client_body *b, struct arena *a, struct String_vector *v);
void client_body_acls(struct client_body *b, struct arena *a, struct ACL_vector *v);
void client_body_ids(struct client_body *b, struct arena *a, struct ClientInfo_vector *v);
/* The header of the next part of a multi's answer: 1, and its type and error; 0 at the end or on an error of the body.
 */
int client_body_part(struct client_body *b, int32_t *type, int32_t *err);

#endif
