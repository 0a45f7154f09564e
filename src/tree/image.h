#ifndef T_IMAGE_H
#define T_IMAGE_H
#include "tree/tree.h"
struct tree_image;
struct tree_image *tree_image_new(const struct tree_options *o, size_t field_bytes_max);
int64_t tree_image_feed(struct tree_image *im, struct slice bytes, bool *done);
struct tree *tree_image_finish(struct tree_image *im, int64_t zxid);
void tree_image_free(struct tree_image *im);
#endif
