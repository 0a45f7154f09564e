/* requests: the frames that a load is made of, and the names of the nodes it works on. Pure.
 *
 * Everything lies under one node of this run's own: ROOT/k7 the nodes that are read and written, ROOT/l/c7 those that
 * are listed, ROOT/f3/n7 what connection 3 creates. */
#ifndef ZOKOR_BENCH_REQUESTS_H
#define ZOKOR_BENCH_REQUESTS_H

#include "base/buf.h"
#include "wire/proto.h"

#define BENCH_PATH_MAX 1024

/* What is under the run's node. */
enum bench_place { BENCH_AT_ROOT, BENCH_AT_NODE, BENCH_AT_LIST, BENCH_AT_CHILD, BENCH_AT_FOLDER, BENCH_AT_NEW };

/* The path of a node; `folder` counts for FOLDER and NEW, `number` for NODE, CHILD and NEW. Bytes written to `path`
 * (BENCH_PATH_MAX of them; root is short enough), without a 0 byte. */
struct slice bench_path(char *path, struct slice root, enum bench_place place, uint32_t folder, uint64_t number);

/* Each appends one frame. */
void bench_put_connect(struct buf *b, int64_t zxid, uint32_t timeout_ms, int64_t session, const uint8_t *passwd);
/* One token of SASL. */
void bench_put_login(struct buf *b, int32_t xid, struct slice token);
void bench_put_auth(struct buf *b, struct slice scheme, struct slice text);
void bench_put_create(struct buf *b, int32_t xid, struct slice path, struct slice value);
void bench_put_delete(struct buf *b, int32_t xid, struct slice path);
void bench_put_set(struct buf *b, int32_t xid, struct slice path, struct slice value);
/* exists, getData, getChildren2 */
void bench_put_read(struct buf *b, int32_t xid, enum wire_opcode op, struct slice path, bool watch);
void bench_put_sync(struct buf *b, int32_t xid, struct slice path);
/* ping, closeSession */
void bench_put_plain(struct buf *b, int32_t xid, enum wire_opcode op);
/* A transaction: begin, parts, end. */
size_t bench_multi_begin(struct buf *b, int32_t xid);
void bench_multi_set(struct buf *b, struct slice path, struct slice value);
void bench_multi_end(struct buf *b, size_t begun);

/* The error of a transaction's reply: that of its first part that failed, 0, or ERR_MARSHALLING. The body of a reply
 * whose header has no error. */
int bench_multi_error(struct slice body);

#endif
