/* The parser of a snapshot's body: whole records go from the caller's bytes straight into the tree, and nothing is
 * copied or held back here. Each call may end anywhere in a record; only the walk through a list of ACLs, whose length
 * is not told at its front, is remembered, so that a list that comes in small pieces is not walked again and again. */
#include "base/museum.h"
#include "tree/image.h"
#include "base/mem.h"

#define SESSION_BYTES 12u
#define ACL_HEAD_BYTES 12u   /* id, count */
#define ACL_BYTES_MIN 12u    /* perms and the lengths of scheme and id */
#define NODE_FIXED_BYTES 68u /* ACL id and stat behind path and data */
#define ACL_LIST_BYTES_MAX (64u << 20)

enum image_phase {
    IMAGE_SESSION_COUNT,
    IMAGE_SESSIONS,
    IMAGE_ACL_COUNT,
    IMAGE_ACLS,
    IMAGE_NODES,
    IMAGE_DONE,
};

struct tree_image {
    struct tree *tree; /* NULL: the structure is only checked */
    size_t field_bytes_max;
    enum image_phase phase;
    int32_t left;      /* sessions or ACL lists still to come */
    size_t acl_walked; /* bytes of the list at the front that are known to be right; 0: none */
    int32_t acl_left;  /* its elements behind them */
    size_t wanted;
    uint64_t offset, node_count;
    int failed; /* sticky */
    const char *why;
};

struct tree_image *tree_image_new(const struct tree_options *options, size_t field_bytes_max)
{
    struct tree_image *im = mem_zalloc(sizeof *im);
    im->tree = options == NULL ? NULL : tree_new_for_load(options);
    im->field_bytes_max = field_bytes_max;
    im->wanted = 4;
    im->why = "";
    return im;
}

void tree_image_free(struct tree_image *im)
{
    if (im == NULL)
        return;
    tree_free(im->tree);
    mem_free(im);
}

size_t tree_image_wanted(const struct tree_image *im)
{
    return im->phase == IMAGE_DONE ? 0 : im->wanted;
}

uint64_t tree_image_offset(const struct tree_image *im)
{
    return im->offset;
}

uint64_t tree_image_node_count(const struct tree_image *im)
{
    return im->node_count;
}

const char *tree_image_why(const struct tree_image *im)
{
    return im->why;
}

static int image_fail(struct tree_image *im, int rc, const char *why)
{
    im->failed = rc;
    im->why = why;
    return rc;
}

static bool image_needs(struct tree_image *im, struct slice in, size_t wanted)
{
    im->wanted = wanted;
    return in.n < wanted;
}

/* Each of the functions below looks at the record at the front of `in` and returns its length, 0 if more bytes are
 * needed, or an error. */

static int64_t take_count(struct tree_image *im, struct slice in)
{
    if (image_needs(im, in, 4))
        return 0;
    im->left = (int32_t)load_be32(in.p);
    im->phase++;
    return 4;
}

static int64_t take_session(struct tree_image *im, struct slice in)
{
    if (image_needs(im, in, SESSION_BYTES))
        return 0;
    if (im->tree != NULL)
        if (!SIM_BUG(snapshot_forgets_sessions))
            tree_load_session(im->tree, (int64_t)load_be64(in.p), (int32_t)load_be32(in.p + 8));
    im->left--;
    return SESSION_BYTES;
}

/* Steps over the string at `at`. 1 done; 0 more bytes are needed; or an error. */
static int walk_ustring(struct tree_image *im, struct slice in, size_t *at)
{
    if (image_needs(im, in, *at + 4))
        return 0;
    uint32_t n = load_be32(in.p + *at);
    if (n == UINT32_MAX)
        n = 0; /* null */
    if (n > im->field_bytes_max || *at + n > ACL_LIST_BYTES_MAX)
        return image_fail(im, ERR_TOO_LONG, "an ACL list cannot be read: a string of impossible length");
    if (image_needs(im, in, *at + 4 + n))
        return 0;
    *at += 4 + n;
    return 1;
}

/* Goes on through the elements of the list at the front. 1 the whole list is there; 0; or an error. */
static int walk_acl_list(struct tree_image *im, struct slice in)
{
    if (im->acl_walked == 0) {
        if (image_needs(im, in, ACL_HEAD_BYTES))
            return 0;
        im->acl_left = (int32_t)load_be32(in.p + 8);
        if (im->acl_left > (int32_t)(ACL_LIST_BYTES_MAX / ACL_BYTES_MIN))
            return image_fail(im, ERR_TOO_LONG, "an ACL list cannot be read: an impossible count");
        im->acl_walked = ACL_HEAD_BYTES;
    }
    for (; im->acl_left > 0; im->acl_left--) {
        size_t at = im->acl_walked + 4;
        int rc = walk_ustring(im, in, &at);
        if (rc == 1)
            rc = walk_ustring(im, in, &at);
        if (rc != 1)
            return rc;
        im->acl_walked = at;
    }
    return image_needs(im, in, im->acl_walked) ? 0 : 1;
}

static int64_t take_acl_list(struct tree_image *im, struct slice in)
{
    int rc = walk_acl_list(im, in);
    if (rc != 1)
        return rc;
    size_t n = im->acl_walked;
    int32_t count = (int32_t)load_be32(in.p + 8);
    struct wire_vec acl = { .count = count < -1 ? 0 : count };
    if (acl.count != -1)
        acl.raw = slice_of(in.p + ACL_HEAD_BYTES, n - ACL_HEAD_BYTES);
    if (im->tree != NULL && tree_load_acl(im->tree, (int64_t)load_be64(in.p), acl) != 0)
        return image_fail(im, ERR_CORRUPT, "an ACL id is there twice");
    im->acl_walked = 0;
    im->left--;
    return (int64_t)n;
}

static struct wire_stat_persisted load_stat(const uint8_t *p)
{
    return (struct wire_stat_persisted){
        .czxid = (int64_t)load_be64(p),
        .mzxid = (int64_t)load_be64(p + 8),
        .ctime = (int64_t)load_be64(p + 16),
        .mtime = (int64_t)load_be64(p + 24),
        .version = (int32_t)load_be32(p + 32),
        .cversion = (int32_t)load_be32(p + 36),
        .aversion = (int32_t)load_be32(p + 40),
        .ephemeral_owner = (int64_t)load_be64(p + 44),
        .pzxid = (int64_t)load_be64(p + 52),
    };
}

/* A node, or the "/" that ends them: no node has that path, the root's is empty. */
static int64_t take_node(struct tree_image *im, struct slice in)
{
    if (image_needs(im, in, 5))
        return 0;
    size_t path_n = load_be32(in.p);
    if (path_n == 1 && in.p[4] == '/') {
        im->phase = IMAGE_DONE;
        return 5;
    }
    if (path_n > im->field_bytes_max)
        return image_fail(im, ERR_TOO_LONG, "a path of impossible length");
    if (image_needs(im, in, 8 + path_n))
        return 0;
    uint32_t data_n = load_be32(in.p + 4 + path_n);
    bool null = data_n == UINT32_MAX;
    if (!null && data_n > im->field_bytes_max)
        return image_fail(im, ERR_TOO_LONG, "a node's data has an impossible length");
    size_t data_bytes = null ? 0 : data_n;
    size_t whole = 8 + path_n + data_bytes + NODE_FIXED_BYTES;
    if (image_needs(im, in, whole))
        return 0;

    const uint8_t *data = in.p + 8 + path_n, *fixed = data + data_bytes;
    struct wire_stat_persisted stat = load_stat(fixed + 8);
    if (im->tree != NULL &&
        tree_load_node(im->tree, slice_of(in.p + 4, path_n), slice_of(null ? NULL : data, data_bytes),
                       (int64_t)load_be64(fixed), &stat) != 0)
        return image_fail(im, ERR_CORRUPT, "a node is there twice, or stands before its parent");
    im->node_count++;
    return (int64_t)whole;
}

static int64_t take_record(struct tree_image *im, struct slice in)
{
    if ((im->phase == IMAGE_SESSIONS || im->phase == IMAGE_ACLS) && im->left <= 0)
        im->phase++;
    switch (im->phase) {
    case IMAGE_SESSIONS:
        return take_session(im, in);
    case IMAGE_ACLS:
        return take_acl_list(im, in);
    case IMAGE_NODES:
        return take_node(im, in);
    default:
        return take_count(im, in);
    }
}

int64_t tree_image_feed(struct tree_image *im, struct slice bytes, bool *done)
{
    size_t at = 0;
    *done = false;
    if (im->failed != 0)
        return im->failed;
    while (im->phase != IMAGE_DONE) {
        int64_t n = take_record(im, slice_of(bytes.p + at, bytes.n - at));
        if (n < 0)
            return n;
        if (n == 0)
            break;
        at += (size_t)n;
        im->offset += (uint64_t)n;
    }
    *done = im->phase == IMAGE_DONE;
    return (int64_t)at;
}

struct tree *tree_image_finish(struct tree_image *im, int64_t zxid)
{
    struct tree *t = NULL;
    if (im->phase == IMAGE_DONE && im->tree != NULL && tree_load_finish(im->tree, zxid) == 0) {
        t = im->tree;
        im->tree = NULL;
    }
    tree_image_free(im);
    return t;
}
