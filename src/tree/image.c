#include "tree/image.h"
struct tree_image *tree_image_new(const struct tree_options *o, size_t n)
{
    (void)o;
    (void)n;
    return NULL;
}
int64_t tree_image_feed(struct tree_image *im, struct slice bytes, bool *done)
{
    (void)im;
    (void)bytes;
    (void)done;
    return -1;
}
struct tree *tree_image_finish(struct tree_image *im, int64_t zxid)
{
    (void)im;
    (void)zxid;
    return NULL;
}
void tree_image_free(struct tree_image *im)
{
    (void)im;
}
