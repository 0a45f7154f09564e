/* latch: what leader.c does, with the recipe of <zokor/leader.h>: it outlives sessions, knows when its leadership is in
 * doubt, and shares its nodes with Java programs that use Curator's LeaderLatch.
 *
 *     latch 127.0.0.1:2181 /election $(hostname)
 *
 * Prints "leading" when this program begins to lead and "not leading" when it does no more, until standard input ends.
 */
#include <stdio.h>
#include <unistd.h>
#include <zokor/leader.h>

/* The token grows from leader to leader. Whoever does what the leader says should refuse a lower one than it has seen:
 * it comes from a leader who does not know yet that its time is over. */
static void on_change(struct zokor_leader_latch *latch, int leads, int64_t token, void *context)
{
    (void)latch;
    (void)context;
    if (leads)
        printf("leading\n");
    else
        printf("not leading\n");
    fflush(stdout);
    if (leads && token <= 0)
        fprintf(stderr, "latch: no token\n");
}

int main(int argc, char **argv)
{
    char text[256];
    if (argc != 4) {
        fprintf(stderr, "usage: latch HOST:PORT,... PATH NAME\n");
        return 2;
    }
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    struct zokor_framework *f =
        zokor_framework_open(&(struct zokor_framework_options){ .hosts = argv[1], .session_timeout_ms = 10000 });
    if (f == NULL) {
        perror(argv[1]);
        return 1;
    }
    struct zokor_leader_latch *latch = zokor_leader_latch_new(f, argv[2], argv[3], on_change, NULL);
    int rc = latch == NULL ? ZBADARGUMENTS : zokor_leader_latch_start(latch);
    while (rc == ZOK && read(STDIN_FILENO, text, sizeof text) > 0)
        ;
    if (rc != ZOK)
        fprintf(stderr, "latch: %s: %s\n", argv[2], zerror(rc));
    if (latch != NULL)
        zokor_leader_latch_free(latch, 0); /* the next one leads at once */
    zokor_framework_close(f);
    return rc == ZOK ? 0 : 1;
}
