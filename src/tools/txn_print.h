/* txn_print: one transaction of the log as a line of text and as JSON. */
#ifndef ZOKOR_TOOLS_TXN_PRINT_H
#define ZOKOR_TOOLS_TXN_PRINT_H

#include "base/buf.h"
#include "wire/txn.h"

/* "11/21/26, 3:58:36 AM UTC session 0x1 cxid 0x1 zxid 0x2 create /a,alpha,[31,s{'world,'anyone}\n],false,1", as
 * Apache's TxnLogToolkit prints it, data as they are, without the line's end. Bytes that are no transaction are told of
 * as such, with as much of a header as there is; then it returns false. */
bool txn_print_text(struct buf *b, struct slice payload);

/* The members of a JSON object, without its braces: zxid, session, cxid, time, type and what the type has; multi holds
 * a list of its operations; "unreadable" holds bytes that are no transaction (base64). */
void txn_print_json(struct buf *b, struct slice payload);

/* Does the transaction touch the node `path` or one below it (its own path, a path of a multi's operations, one that a
 * closeSession removes)? */
bool txn_touches(const struct txn *txn, struct slice path);

#endif
