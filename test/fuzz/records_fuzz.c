/* Every record of the protocol and the files: what decodes encodes to the bytes that were read, and prints. The first
 * byte chooses the record. */
#include "base/mem.h"
#include "wire/path.h"
#include "wire/records.h"
#include "wire/txn.h"

static void one_record(const struct wire_record_row *row, struct slice bytes)
{
    void *v = mem_zalloc(row->struct_bytes);
    struct buf b, text;
    buf_init(&b, 1 << 20);
    buf_init(&text, 1 << 24);
    struct wire_reader r = wire_reader_of(bytes);
    row->get(&r, v);
    if (r.err == 0) {
        size_t used = bytes.n - wire_left(&r);
        row->put(&b, v);
        ASSERT(b.err == 0);
        ASSERT(row->size(v) == b.n);
        row->print(&text, v);
        ASSERT(text.n > 0);
        /* Counts below -1 read as empty and any byte but 0 as true: decoding once more must give the same bytes. */
        struct wire_reader again = wire_reader_of(buf_slice(&b));
        row->get(&again, v);
        ASSERT(again.err == 0 && b.n <= used);
    }
    buf_fini(&b);
    buf_fini(&text);
    mem_free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct slice rest = slice_of(data + 1, size - 1);
    size_t row = data[0] % (wire_record_row_count + 2);
    if (row < wire_record_row_count) {
        one_record(&wire_record_rows[row], rest);
    } else if (row == wire_record_row_count) {
        struct txn txn;
        if (txn_decode(rest, &txn) == 0 && txn.op.type == WIRE_OP_MULTI) {
            struct slice subs = txn.op.sub_raw;
            struct txn_op sub;
            int32_t n = 0;
            while (txn_next_sub(&subs, &sub))
                n++;
            ASSERT(n == txn.op.sub_count);
        }
    } else if (path_check(rest) == 0) {
        ASSERT(!path_is_malformed(rest));
        ASSERT(rest.n == 1 || path_name(rest).n > 0);
        ASSERT(path_parent(rest).n < rest.n);
    }
    return 0;
}
