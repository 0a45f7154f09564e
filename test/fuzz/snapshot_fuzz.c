/* Snapshot files. The first byte chooses: 0 plain, 1 gzip, 2 snappy, each with the input as the file; 3 plain with a
 * true header and seal around the input, so that what stands behind the checksum is reached. */
#include "base/digest.h"
#include "sim/disk.h"
#include "store/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "snapshot.5", "snapshot.5.gz", "snapshot.5.snappy", "snapshot.5" };
    if (size == 0)
        return 0;
    const char *name = names[data[0] % 4];
    struct disk *d = disk_new(1);
    struct fs *fs = disk_fs(d);
    (void)fs->ops->make_dir(fs, "/v");
    struct buf b;
    buf_init(&b, 1 << 24);
    if (data[0] % 4 == 3)
        buf_append(&b, "ZKSN\0\0\0\2\xff\xff\xff\xff\xff\xff\xff\xff", 16);
    buf_append(&b, data + 1, size - 1);
    if (data[0] % 4 == 3) {
        wire_put_ustring(&b, slice_str("/"));
        wire_put_i64(&b, digest_adler32(1, b.p, b.n));
        wire_put_ustring(&b, slice_str("/"));
    }
    char path[64] = "/v/";
    for (size_t i = 0; name[i] != '\0'; i++)
        path[3 + i] = name[i];
    disk_put(d, path, buf_slice(&b));
    buf_fini(&b);
    struct store_recover_options o = { .tree = { .hash_key = 2, .extended_types = true, .digest_enabled = true },
                                       .record_bytes_max = 2097150 };
    struct tree *t = NULL;
    struct snapshot_info info;
    struct store_error err = { "" };
    (void)snapshot_looks_valid(fs, "/v", name);
    if (snapshot_read(fs, "/v", name, &o, &t, &info, &err) == 0) {
        tree_check(t);
        tree_free(t);
    } else {
        ASSERT(t == NULL && err.text[0] != '\0');
    }
    disk_free(d);
    return 0;
}
