/* ids: names and numbers that nobody else gets.
 *
 *     ids 127.0.0.1:2181 /ids 3
 *
 * prints so many names, and as many numbers. A name comes from a sequential node: one write each, and the server never
 * gives the same one again. Numbers come from a counter, a block at a time: one write for many, and those of a block
 * that were not used are lost with the program. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <zokor/atomic.h>

#define BLOCK 100

struct numbers {
    struct zokor_framework *f;
    char *path;
    int64_t next, end;
};

/* ZOK and the next number, or an error. */
static int next_number(struct numbers *n, int64_t *number)
{
    if (n->next == n->end) {
        int rc = zokor_atomic_long_add(n->f, n->path, NULL, BLOCK, &n->next, NULL);
        if (rc != ZOK)
            return rc;
        n->end = n->next + BLOCK;
    }
    *number = n->next++;
    return ZOK;
}

/* The node is not needed: its name is. */
static int next_name(struct zokor_framework *f, const char *folder, int64_t *sequence)
{
    char *path = zokor_path_join(folder, "name-"), *made = NULL;
    int rc = zokor_framework_create(f, path, NULL, 0, ZOO_PERSISTENT_SEQUENTIAL, ZOKOR_PARENTS, &made);
    if (rc == ZOK) {
        *sequence = zokor_path_sequence(made);
        rc = zokor_framework_delete(f, made, ZOKOR_GUARANTEED);
    }
    free(path);
    free(made);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: ids HOSTS PATH COUNT\n");
        return 2;
    }
    zoo_set_debug_level(ZOO_LOG_LEVEL_WARN);
    struct zokor_framework *f = zokor_framework_open(&(struct zokor_framework_options){ .hosts = argv[1] });
    if (f == NULL) {
        perror("ids");
        return 1;
    }
    struct numbers numbers = { .f = f, .path = zokor_path_join(argv[2], "counter") };
    int rc = ZOK;
    for (int i = 0; i < atoi(argv[3]) && rc == ZOK; i++) {
        int64_t sequence = 0, number = 0;
        rc = next_name(f, argv[2], &sequence);
        if (rc == ZOK)
            rc = next_number(&numbers, &number);
        if (rc == ZOK)
            printf("name-%" PRId64 " number %" PRId64 "\n", sequence, number);
    }
    if (rc != ZOK)
        fprintf(stderr, "ids: %s\n", zerror(rc));
    free(numbers.path);
    zokor_framework_close(f);
    return rc == ZOK ? 0 : 1;
}
