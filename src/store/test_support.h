/* What the tests of this room share: a history of transactions with the digests that it must lead to, and shorthands
 * for logs and snapshots on a fake disk. */
#ifndef ZOKOR_STORE_TEST_SUPPORT_H
#define ZOKOR_STORE_TEST_SUPPORT_H

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "sim/disk.h"
#include "store/internal.h"
#include "wire/proto.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define DIR_NAME "/data/version-2"
#define HISTORY_MAX 2000

static const struct store_dirs test_dirs = { DIR_NAME, DIR_NAME };
static const struct store_recover_options test_options = {
    .tree = { .hash_key = 11, .extended_types = true, .digest_enabled = true },
    .record_bytes_max = 100000,
};

/* payload[z] is the record of zxid z, digest[z] the tree's digest after it. */
struct history {
    struct slice payload[HISTORY_MAX];
    uint64_t digest[HISTORY_MAX];
    struct tree *tree; /* as after `last` */
    int64_t last;
    struct arena arena;
};

static inline void history_init(struct history *h)
{
    memset(h, 0, sizeof *h);
    h->tree = tree_new(&test_options.tree);
    h->digest[0] = tree_digest(h->tree);
    arena_init(&h->arena, 65536);
}

static inline void history_fini(struct history *h)
{
    for (size_t i = 0; i < HISTORY_MAX; i++)
        mem_free((void *)(uintptr_t)h->payload[i].p);
    tree_free(h->tree);
    arena_fini(&h->arena);
}

/* Goes on from another tree, which is the history's state after zxid `last`; takes the tree. */
static inline void history_continue(struct history *h, struct tree *t, int64_t last)
{
    tree_free(h->tree);
    h->tree = t;
    h->last = last;
}

static inline void history_apply(struct history *h, struct slice payload)
{
    struct txn txn;
    struct tree_applied applied;
    assert_int_equal(txn_decode(payload, &txn), 0);
    arena_reset(&h->arena);
    tree_apply(h->tree, &txn, &h->arena, &applied);
}

/* Makes the next record: a create, setData, delete or error, of a size that often crosses sectors. */
static inline void history_grow(struct history *h, struct rng *rng)
{
    int64_t zxid = ++h->last;
    assert_true(zxid < HISTORY_MAX);
    char path[32];
    static uint8_t data[3000];
    size_t data_n = rng_below(rng, 8) == 0 ? rng_below(rng, sizeof data) : rng_below(rng, 90);
    for (size_t i = 0; i < data_n; i++)
        data[i] = (uint8_t)(1 + rng_below(rng, 255));
    snprintf(path, sizeof path, "/n%u", (unsigned)rng_below(rng, 12));
    struct txn_op op = { .path = slice_str(path), .data = slice_of(data, data_n), .version = (int32_t)zxid };
    struct buf acl, b;
    buf_init(&acl, 1000);
    wire_put_acl(&acl, (struct wire_acl){ 31, { slice_str("world"), slice_str("anyone") } });
    op.acl = (struct wire_vec){ 1, buf_slice(&acl) };
    op.has_parent_cversion = true;
    op.parent_cversion = -1;
    bool there = tree_find(h->tree, op.path) != NODE_NONE;
    op.type = !there ? WIRE_OP_CREATE : rng_below(rng, 4) == 0 ? WIRE_OP_DELETE : WIRE_OP_SET_DATA;
    if (rng_below(rng, 10) == 0)
        op = (struct txn_op){ .type = WIRE_OP_ERROR, .err = ERR_BAD_VERSION };

    buf_init(&b, 100000);
    wire_put_txn_header(&b, &(struct wire_txn_header){ .session_id = (zxid % 3 + 1) << 56 | zxid % 37,
                                                       .cxid = (int32_t)zxid,
                                                       .zxid = zxid,
                                                       .time_ms = zxid * 10,
                                                       .type = op.type });
    txn_put_body(&b, &op);
    history_apply(h, buf_slice(&b));
    h->digest[zxid] = tree_digest(h->tree);
    if (op.type != WIRE_OP_ERROR)
        wire_put_txn_digest(
            &b, &(struct wire_txn_digest){ .version = WIRE_DIGEST_VERSION, .tree_digest = (int64_t)h->digest[zxid] });
    mem_free((void *)(uintptr_t)h->payload[zxid].p);
    h->payload[zxid] = slice_of(b.p, b.n); /* the buffer's memory is the history's now */
    buf_fini(&acl);
}

/* Writes a snapshot of a tree that says it was begun at zxid and had this digest then. */
static inline int write_snapshot_as(struct fs *fs, struct tree *t, enum snapshot_codec codec, int64_t zxid,
                                    uint64_t digest, struct store_error *err)
{
    const struct snapshot_write_options o = { .dir = DIR_NAME,
                                              .zxid = zxid,
                                              .codec = codec,
                                              .digest = true,
                                              .tree_digest = digest,
                                              .digest_zxid = zxid,
                                              .last_zxid_block = true };
    return snapshot_write_tree(fs, &o, t, err);
}

static inline int write_snapshot(struct fs *fs, struct tree *t, enum snapshot_codec codec, struct store_error *err)
{
    return write_snapshot_as(fs, t, codec, tree_last_zxid(t), tree_digest(t), err);
}

/* What recovery said on the log. */
struct told {
    char text[8000];
};

static inline void told_sink(void *ctx, enum log_level level, const char *event, const char *text)
{
    struct told *t = ctx;
    size_t n = strlen(t->text);
    (void)level;
    snprintf(t->text + n, sizeof t->text - n, "%s %s\n", event, text);
}

#define assert_says(text, part)                                 \
    do {                                                        \
        if (strstr((text), (part)) == NULL)                     \
            fail_msg("expected \"%s\" in: %s", (part), (text)); \
    } while (0)

#endif
