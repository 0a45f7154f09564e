/* workers: a work queue in which nothing is lost when a worker dies: an item is held until it is done.
 *
 *     workers 127.0.0.1:2181 /work put 'resize a.png' 'resize b.png'
 *     workers 127.0.0.1:2181 /work do           takes items until its input ends */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zokor/queue.h>

static int do_it(struct zokor_queue *q, const struct zokor_item *item, void *context)
{
    (void)q;
    (void)context;
    printf("doing %s\n", item->parts[0].data); /* may happen twice: work that is done again should do no harm */
    fflush(stdout);
    return 0; /* anything else: it is put back */
}

static int put_all(struct zokor_queue *q, char **items, int count)
{
    int rc = ZOK;
    for (int i = 0; i < count && rc == ZOK; i++)
        rc = zokor_queue_put(q, items[i], (int)strlen(items[i]), NULL);
    if (rc != ZOK)
        fprintf(stderr, "workers: %s\n", zerror(rc));
    return rc == ZOK ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc < 4 || (strcmp(argv[3], "put") != 0 && strcmp(argv[3], "do") != 0)) {
        fprintf(stderr, "usage: workers HOSTS PATH put ITEM ... | do\n");
        return 2;
    }
    zoo_set_debug_level(ZOO_LOG_LEVEL_WARN);
    struct zokor_framework *f =
        zokor_framework_open(&(struct zokor_framework_options){ .hosts = argv[1], .session_timeout_ms = 10000 });
    if (f == NULL) {
        perror("workers");
        return 1;
    }
    char *items = zokor_path_join(argv[2], "items"), *locks = zokor_path_join(argv[2], "locks");
    struct zokor_queue *q = zokor_queue_new(f, items, &(struct zokor_queue_options){ .lock_path = locks });
    int status = 1;
    if (q != NULL && strcmp(argv[3], "put") == 0) {
        status = put_all(q, argv + 4, argc - 4);
    } else if (q != NULL) {
        struct zokor_consumer *c = zokor_consumer_start(q, do_it, NULL);
        while (getchar() != EOF)
            continue;
        zokor_consumer_stop(c);
        status = 0;
    }
    zokor_queue_free(q);
    free(items);
    free(locks);
    zokor_framework_close(f);
    return status;
}
