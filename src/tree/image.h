/* image: a tree from the body of a snapshot, pushed in as it comes: from a file, or over the wire from a leader
 * (quorum specification 4.7). The bytes are those that tree_walk_next gives: sessions, ACL table, nodes and the "/"
 * that ends them; no file header, no seals, and no "BenWasHere" behind it. One owner at a time. */
#ifndef ZOKOR_TREE_IMAGE_H
#define ZOKOR_TREE_IMAGE_H

#include "tree/tree.h"

struct tree_image;

/* field_bytes_max: longest path, data, ACL scheme or id that is accepted (jute.maxbuffer + extrasize). Without options
 * (NULL) no tree is made and only the structure is checked. */
struct tree_image *tree_image_new(const struct tree_options *options, size_t field_bytes_max);
/* NULL is fine. */
void tree_image_free(struct tree_image *im);

/* Takes the whole records at the front of `bytes` and returns how many bytes they were; the rest is to be given again
 * with more behind it. *done is set when the end mark was taken; what follows it is the caller's. ERR_CORRUPT for what
 * cannot be a snapshot, ERR_TOO_LONG for a length above the limits (told from the length, before the bytes are there);
 * then every later call returns the same. */
int64_t tree_image_feed(struct tree_image *im, struct slice bytes, bool *done);
/* How many bytes the next call needs at least to get on: more than the last one left. 0 when all is taken. */
size_t tree_image_wanted(const struct tree_image *im);
/* Bytes and nodes taken so far. The bytes are also where the damage begins after an error. */
uint64_t tree_image_offset(const struct tree_image *im);
uint64_t tree_image_node_count(const struct tree_image *im);
/* What was wrong, for a message; "" before an error. Never freed. */
const char *tree_image_why(const struct tree_image *im);

/* The tree, with zxid as its last one; owned by the caller. NULL if the end mark is not taken, the root is missing, or
 * there were no options. The image is freed in every case. Ephemerals of sessions that are not in the table stay: a
 * log that follows may still remove them. */
struct tree *tree_image_finish(struct tree_image *im, int64_t zxid);

#endif
