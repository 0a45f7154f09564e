/* rwlock: a lock for many readers or one writer, by hand: each has an ephemeral, sequential node and waits for the
 * last one before it that it cannot share the lock with. zokor/lock.h has the same, for use.
 *
 *     rwlock 127.0.0.1:2181 /lock read          holds until its input ends
 *     rwlock 127.0.0.1:2181 /lock write */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zokor/framework.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int fired;

static void on_event(struct zokor_framework *f, const struct zokor_event *event, void *context)
{
    (void)f;
    (void)event; /* gone, or the session is: look again */
    (void)context;
    pthread_mutex_lock(&lock);
    fired = 1;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

/* The last node before ours that is in our way; NULL: none. A reader minds writers alone. */
static const char *in_the_way(const struct String_vector *nodes, const char *own, int reads)
{
    const char *found = NULL;
    for (int32_t i = 0; i < nodes->count; i++) {
        const char *node = nodes->data[i];
        if (zokor_path_sequence(node) < 0 || zokor_path_sequence(node) >= zokor_path_sequence(own) ||
            (reads && strstr(node, "read-") != NULL))
            continue;
        if (found == NULL || zokor_path_sequence(node) > zokor_path_sequence(found))
            found = node;
    }
    return found;
}

/* One round: ZOK if the lock is ours, ZNOTHING if it is time for the next round. */
static int round_of(struct zokor_framework *f, const char *folder, const char *own, int reads)
{
    struct String_vector nodes;
    int rc = zokor_framework_children(f, folder, &nodes);
    if (rc != ZOK)
        return rc;
    const char *other = in_the_way(&nodes, own, reads);
    if (other != NULL) {
        char *path = zokor_path_join(folder, other);
        fired = 0;
        rc = zokor_framework_do(f, &(struct zokor_request){ .operation = ZOKOR_GET, .path = path, .watch = on_event },
                                NULL);
        pthread_mutex_lock(&lock);
        while (rc == ZOK && !fired)
            pthread_cond_wait(&changed, &lock);
        pthread_mutex_unlock(&lock);
        free(path);
        rc = rc == ZOK || rc == ZNONODE ? ZNOTHING : rc;
    }
    deallocate_String_vector(&nodes);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc != 4 || (strcmp(argv[3], "read") != 0 && strcmp(argv[3], "write") != 0)) {
        fprintf(stderr, "usage: rwlock HOSTS PATH read|write\n");
        return 2;
    }
    zoo_set_debug_level(ZOO_LOG_LEVEL_WARN);
    struct zokor_framework *f = zokor_framework_open(&(struct zokor_framework_options){ .hosts = argv[1] });
    if (f == NULL) {
        perror("rwlock");
        return 1;
    }
    int reads = strcmp(argv[3], "read") == 0;
    char *path = zokor_path_join(argv[2], reads ? "read-" : "write-"), *own = NULL;
    /* Protected: if the reply is lost the node is found again, and nobody waits for a node without an owner. */
    int rc = zokor_framework_create(f, path, NULL, 0, ZOO_EPHEMERAL_SEQUENTIAL, ZOKOR_PROTECTED | ZOKOR_PARENTS, &own);
    if (rc == ZOK) {
        do
            rc = round_of(f, argv[2], own, reads);
        while (rc == ZNOTHING);
    }
    if (rc == ZOK) {
        printf("%sing\n", reads ? "read" : "writ");
        fflush(stdout);
        while (getchar() != EOF)
            continue;
        rc = zokor_framework_delete(f, own, ZOKOR_GUARANTEED);
    }
    if (rc != ZOK)
        fprintf(stderr, "rwlock: %s\n", zerror(rc));
    free(path);
    free(own);
    zokor_framework_close(f);
    return rc == ZOK ? 0 : 1;
}
