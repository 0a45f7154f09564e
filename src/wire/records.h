/* records: the structs of records.def and, for each, wire_get_X, wire_put_X, wire_size_X and wire_print_X. */
#ifndef ZOKOR_WIRE_RECORDS_H
#define ZOKOR_WIRE_RECORDS_H

#include "wire/jute.h"

typedef bool wire_t_bool; /* field types by the name used in records.def */
typedef int8_t wire_t_i8;
typedef int32_t wire_t_i32;
typedef int64_t wire_t_i64;
typedef struct slice wire_t_buffer;
typedef struct slice wire_t_ustring;
typedef struct wire_vec wire_t_strings;
typedef struct wire_vec wire_t_acls;
typedef struct wire_stat wire_t_stat;

#define RECORD(name) struct wire_##name {
#define FIELD(type, name) wire_t_##type name;
#define TAIL(type, name) \
    wire_t_##type name;  \
    bool has_##name;
#define END(name) \
    }             \
    ;
#include "wire/records.def"

/* wire_get_X: reads the record; slices point into the reader's bytes; look at r->err afterwards.
 * wire_put_X: appends the record; look at b->err afterwards.
 * wire_size_X: bytes that put will append.
 * wire_print_X: appends one line of text, fields as name=value, bytes quoted, for tools and logs. */
#define RECORD(name)                                                  \
    struct wire_##name wire_get_##name(struct wire_reader *r);        \
    void wire_put_##name(struct buf *b, const struct wire_##name *v); \
    size_t wire_size_##name(const struct wire_##name *v);             \
    void wire_print_##name(struct buf *b, const struct wire_##name *v);
#define FIELD(type, name)
#define TAIL(type, name)
#define END(name)
#include "wire/records.def"

/* One row a record, for tools and the fuzz target: decode bytes, encode and print what was decoded. */
struct wire_record_row {
    const char *name;
    size_t struct_bytes;
    void (*get)(struct wire_reader *r, void *v);
    void (*put)(struct buf *b, const void *v);
    size_t (*size)(const void *v);
    void (*print)(struct buf *b, const void *v);
};
extern const struct wire_record_row wire_record_rows[];
extern const size_t wire_record_row_count;

/* Appends bytes in double quotes; what is not printable ASCII becomes \xNN; null becomes null. At most 200 bytes are
 * shown. */
void wire_print_bytes(struct buf *b, struct slice s);

#endif
