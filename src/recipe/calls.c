/* The common requests as functions of their own. */
#include "recipe/internal.h"
#include <stdlib.h>

int zokor_framework_create(struct zokor_framework *f, const char *path, const void *data, int data_len, int mode,
                           unsigned flags, char **created)
{
    struct zokor_result r;
    int rc = zokor_framework_do(f,
                                &(struct zokor_request){
                                    .operation = ZOKOR_CREATE,
                                    .path = path,
                                    .data = data,
                                    .data_len = data_len,
                                    .mode = mode,
                                    .flags = flags,
                                },
                                &r);
    if (created != NULL) {
        *created = rc == ZOK ? r.path : NULL;
        if (rc == ZOK)
            r.path = NULL;
    }
    zokor_result_clear(&r);
    return rc;
}

int zokor_framework_delete(struct zokor_framework *f, const char *path, unsigned flags)
{
    return zokor_framework_do(f, &(struct zokor_request){ .operation = ZOKOR_DELETE, .path = path, .flags = flags },
                              NULL);
}

int zokor_framework_exists(struct zokor_framework *f, const char *path, struct Stat *stat)
{
    struct zokor_result r;
    int rc = zokor_framework_do(f, &(struct zokor_request){ .operation = ZOKOR_EXISTS, .path = path }, &r);
    if (rc == ZOK && stat != NULL)
        *stat = r.stat;
    zokor_result_clear(&r);
    return rc;
}

int zokor_framework_get(struct zokor_framework *f, const char *path, char **data, int *data_len, struct Stat *stat)
{
    struct zokor_result r;
    int rc = zokor_framework_do(f, &(struct zokor_request){ .operation = ZOKOR_GET, .path = path }, &r);
    *data = rc == ZOK ? r.data : NULL;
    *data_len = rc == ZOK ? r.data_len : -1;
    if (rc == ZOK) {
        r.data = NULL;
        if (stat != NULL)
            *stat = r.stat;
    }
    zokor_result_clear(&r);
    return rc;
}

int zokor_framework_set(struct zokor_framework *f, const char *path, const void *data, int data_len, int version)
{
    return zokor_framework_do(f,
                              &(struct zokor_request){
                                  .operation = ZOKOR_SET,
                                  .path = path,
                                  .data = data,
                                  .data_len = data_len,
                                  .has_version = 1,
                                  .version = version,
                              },
                              NULL);
}

int zokor_framework_children(struct zokor_framework *f, const char *path, struct String_vector *children)
{
    struct zokor_result r;
    int rc = zokor_framework_do(f, &(struct zokor_request){ .operation = ZOKOR_GET_CHILDREN, .path = path }, &r);
    *children = (struct String_vector){ .count = 0 };
    if (rc == ZOK) {
        *children = r.children;
        r.children = (struct String_vector){ .count = 0 };
    }
    zokor_result_clear(&r);
    return rc;
}
