/* Transaction logs: recovery over a valid first snapshot and a log made of the input. The first byte chooses: even, the
 * input is the file; odd, it is payloads (two bytes of length each) that are framed with true checksums, so that the
 * decoder and the tree are reached. Recovery says no or gives a tree whose invariants hold. */
#include "base/digest.h"
#include "sim/disk.h"
#include "store/store.h"
#include "store/txnlog.h"

static void put_first_snapshot(struct disk *d)
{
    struct tree *t = tree_new(&(struct tree_options){ .hash_key = 1 });
    struct buf b;
    buf_init(&b, 1 << 16);
    buf_append(&b, "ZKSN\0\0\0\2\xff\xff\xff\xff\xff\xff\xff\xff", 16);
    struct tree_walk *w = tree_walk_begin(t);
    while (tree_walk_next(w, 1 << 16, &b))
        ;
    tree_walk_end(w);
    tree_free(t);
    wire_put_i64(&b, digest_adler32(1, b.p, b.n));
    wire_put_ustring(&b, slice_str("/"));
    disk_put(d, "/v/snapshot.0", buf_slice(&b));
    buf_fini(&b);
}

static void frame_payloads(struct buf *b, const uint8_t *data, size_t size)
{
    buf_append(b, "ZKLG\0\0\0\2\0\0\0\0\0\0\0\0", 16);
    while (size >= 2) {
        size_t n = (size_t)data[0] << 8 | data[1];
        if (n > size - 2)
            n = size - 2;
        wire_put_i64(b, digest_adler32(1, data + 2, n));
        wire_put_i32(b, (int32_t)n);
        buf_append(b, data + 2, n);
        buf_append(b, "B", 1);
        data += 2 + n;
        size -= 2 + n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct disk *d = disk_new(1);
    struct fs *fs = disk_fs(d);
    (void)fs->ops->make_dir(fs, "/v");
    put_first_snapshot(d);
    struct buf b;
    buf_init(&b, 1 << 24);
    if (data[0] % 2 == 0)
        buf_append(&b, data + 1, size - 1);
    else
        frame_payloads(&b, data + 1, size - 1);
    disk_put(d, "/v/log.1", buf_slice(&b));
    buf_fini(&b);
    struct store_dirs dirs = { "/v", "/v" };
    struct store_recover_options o = { .tree = { .hash_key = 2, .extended_types = true, .digest_enabled = true },
                                       .record_bytes_max = 2097150 };
    struct store_recovered got = { 0 };
    struct store_error err = { "" };
    if (store_recover(fs, &dirs, &o, &got, &err) == 0) {
        tree_check(got.tree);
        tree_free(got.tree);
    } else {
        ASSERT(err.text[0] != '\0');
    }
    disk_free(d);
    return 0;
}
