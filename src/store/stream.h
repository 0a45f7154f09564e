/* stream: the plain bytes of a snapshot file, whatever its compression: gzip (one stream) or snappy in the framing of
 * Apache's snappy-java ("xerial", disk specification 3.2). */
#ifndef ZOKOR_STORE_STREAM_H
#define ZOKOR_STORE_STREAM_H

#include "store/internal.h"

/* By the last part of the name, in either case, as Apache does. */
enum snapshot_codec stream_codec_of(const char *name);

/* ---- writing ---- */

struct stream_out;

/* Writes to f from offset 0. The file stays the caller's. */
struct stream_out *stream_out_new(struct fs *fs, struct fs_file *f, enum snapshot_codec codec);
/* 0 or an error; after one only stream_out_free may follow. */
int stream_out_write(struct stream_out *s, const uint8_t *p, size_t n);
/* Writes what is held back and the compression's own end. */
int stream_out_end(struct stream_out *s);
/* NULL is fine. */
void stream_out_free(struct stream_out *s);

/* ---- reading ---- */

struct stream_in;

struct stream_in *stream_in_new(struct fs *fs, struct fs_file *f, enum snapshot_codec codec);
/* Up to n plain bytes, fewer only at the end; ERR_CORRUPT for damaged compression, ERR_TRUNCATED if the compressed
 * file ends too early, or the file system's error. */
int64_t stream_in_read(struct stream_in *s, uint8_t *p, size_t n);
/* NULL is fine. */
void stream_in_free(struct stream_in *s);

#endif
