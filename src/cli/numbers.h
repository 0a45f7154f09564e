/* numbers: decimal and hexadecimal numbers, base64, hex dumps. Pure. */
#ifndef ZOKOR_CLI_NUMBERS_H
#define ZOKOR_CLI_NUMBERS_H

#include "base/buf.h"

/* A whole string that is a number in [min, max]. 0; -1 if it is not, *out is untouched. */
int cli_number(const char *text, int base, int64_t min, int64_t max, int64_t *out);

/* The standard alphabet with '=' at the end, in one line. */
void cli_base64_encode(const void *p, size_t n, struct buf *out);
/* 0; -1 for what is not base64 (the '=' at the end may be missing). */
int cli_base64_decode(const char *text, struct buf *out);

/* The table that `get -x` of zkCli.sh prints (netty's), without a newline at its end; nothing for no bytes. */
void cli_hex_dump(const void *p, size_t n, struct buf *out);

/* Text for a terminal: what is no printable UTF-8, escape sequences above all, becomes \xNN. Newlines and tabs stay if
 * `lines`. */
void cli_escape(const void *p, size_t n, bool lines, struct buf *out);

#endif
