/* text: how bytes, times and flags of the data files are shown to people and to programs. Everything is appended to a
 * buf. */
#ifndef ZOKOR_TOOLS_TEXT_H
#define ZOKOR_TOOLS_TEXT_H

#include "base/buf.h"
#include "wire/jute.h"

/* Bytes as UTF-8; each malformed stretch becomes U+FFFD, as a Java program shows it. */
void text_put_utf8(struct buf *b, struct slice s);
/* A record field as Jute's toString writes a string: ' in front, and % } , and line ends as %XX. Null: nothing. */
void text_put_csv(struct buf *b, struct slice s);
/* A JSON string with its quotes, malformed UTF-8 replaced; null for a null slice. */
void text_put_json(struct buf *b, struct slice s);
/* ,"acl":[{"perms":31,"scheme":"world","id":"anyone"}], or null for a vector that is null. */
void text_put_json_acl(struct buf *b, struct wire_vec acl);
/* Base64 without quotes. */
void text_put_base64(struct buf *b, struct slice s);
/* A value of a CSV-less JSON field: "AAEC" or null. */
void text_put_json_base64(struct buf *b, struct slice s);

/* "11/21/26, 3:58:36 AM UTC", "Sat Nov 21 03:58:36 UTC 2026", "Nov 21, 2026, 3:58:36 AM" in this machine's time zone,
 * as Java's DateFormat (SHORT, LONG), Date and DateFormat (MEDIUM) of an English locale write them. */
void text_put_time_short(struct buf *b, int64_t ms);
void text_put_time_long(struct buf *b, int64_t ms);
void text_put_time_medium(struct buf *b, int64_t ms);
/* "2026-11-21T03:58:36.123Z" */
void text_put_time_iso(struct buf *b, int64_t ms);

/* "create2", as Apache names the operation in its logs and tools; "unknown 99". */
void text_put_op(struct buf *b, int32_t type);
/* The number for such a name in any case, with or without what Apache writes differently (createTTL); false: none. */
bool text_op_number(const char *name, int32_t *type);

/* Ends the bytes of b with a zero that is not counted, so that b->p can be printed. "" without memory. */
const char *text_cstr(struct buf *b);

/* "123", "1.2 KiB", "3.4 GiB" */
void text_put_bytes(struct buf *b, uint64_t bytes);

/* A session or zxid as people write it: 0x1f or 1f (hex) ; false if it is not one. */
bool text_parse_hex(const char *s, int64_t *value);

#endif
