/* balance: workers share pieces of work evenly, and again when one comes or goes: the list of members is everybody's
 * plan, so that nobody has to hand out anything.
 *
 *     balance 127.0.0.1:2181 /workers alice 12 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zokor/node.h>

static const char *own_id;
static int pieces;

/* Pieces of a member: every count-th from its place in the list on. While members learn of a change two may have the
 * same piece: work that cannot bear that takes a lock on its piece, too. */
static void on_change(struct zokor_group *g, void *context)
{
    struct zokor_member *members;
    int count, place = -1;
    (void)context;
    if (zokor_group_members(g, &members, &count) != ZOK)
        return;
    for (int i = 0; i < count; i++) {
        if (strcmp(members[i].id, own_id) == 0)
            place = i;
    }
    printf("%d of %d:", place + 1, count);
    for (int piece = place; place >= 0 && piece < pieces; piece += count)
        printf(" %d", piece);
    printf("\n");
    fflush(stdout);
    zokor_members_free(members, count);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: balance HOSTS PATH ID PIECES\n");
        return 2;
    }
    own_id = argv[3];
    pieces = atoi(argv[4]);
    zoo_set_debug_level(ZOO_LOG_LEVEL_WARN);
    struct zokor_framework *f =
        zokor_framework_open(&(struct zokor_framework_options){ .hosts = argv[1], .session_timeout_ms = 10000 });
    if (f == NULL) {
        perror("balance");
        return 1;
    }
    struct zokor_group *g = zokor_group_join(f, argv[2], own_id, NULL, 0);
    if (g != NULL) {
        zokor_group_on_change(g, on_change, NULL);
        if (zokor_group_wait(g, 30000) == ZOK)
            on_change(g, NULL);
        while (getchar() != EOF)
            continue;
        zokor_group_leave(g);
    }
    zokor_framework_close(f);
    return g != NULL ? 0 : 1;
}
