/* acl: ACL lists as people write and read them, "scheme:id:perms,...". Pure. */
#ifndef ZOKOR_CLI_ACL_H
#define ZOKOR_CLI_ACL_H

#include "base/buf.h"
#include <zookeeper/zookeeper.h>

/* Parses entries between commas: the scheme is before the first colon, the letters (r w c d a) behind the last one. As
 * zkCli.sh, a letter that is unknown and an entry of another form are left out, each with a line in `complaints`, so
 * the list may be empty. An empty string gives one such complaint. Free with deallocate_ACL_vector. */
void cli_acl_parse(const char *text, struct ACL_vector *out, struct buf *complaints);

/* The letters in the order c d r w a; `out` has room for 6. */
void cli_perms_text(int perms, char out[6]);
/* The bits of letters; -1 if one is none of them. */
int cli_perms_of(const char *letters);

/* Appends an entry with copies of the strings. */
void cli_acl_append(struct ACL_vector *list, const char *scheme, const char *id, int perms);

/* True if the server hid the password's digest, which it does from those who may not change the list: what it shows
 * ("user:x") opens nothing. */
bool cli_acl_is_hidden(const struct ACL *entry);

#endif
