/* members: a group whose members send a heartbeat: who is alive, and how each is.
 *
 *     members 127.0.0.1:2181 /group alice
 *
 * A session tells only that a process and its network live. The heartbeat is the program's own word: it writes how far
 * it has come, and a member that has not for some time is shown as stuck although its session lives. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zokor/node.h>

#define BEAT_MS 500
#define STUCK_S 5

static void show(struct zokor_group *g)
{
    struct zokor_member *members;
    int count;
    if (zokor_group_members(g, &members, &count) != ZOK)
        return;
    for (int i = 0; i < count; i++) {
        long long beat = 0;
        int number = 0;
        if (sscanf(members[i].data, "%lld %d", &beat, &number) != 2)
            continue;
        printf("%s%s%s", i > 0 ? ", " : "", members[i].id, (long long)time(NULL) - beat > STUCK_S ? " (stuck)" : "");
    }
    printf("\n");
    fflush(stdout);
    zokor_members_free(members, count);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: members HOSTS PATH ID\n");
        return 2;
    }
    zoo_set_debug_level(ZOO_LOG_LEVEL_WARN);
    struct zokor_framework *f =
        zokor_framework_open(&(struct zokor_framework_options){ .hosts = argv[1], .session_timeout_ms = 10000 });
    if (f == NULL) {
        perror("members");
        return 1;
    }
    char beat[64];
    int n = snprintf(beat, sizeof(beat), "%lld 0", (long long)time(NULL));
    struct zokor_group *g = zokor_group_join(f, argv[2], argv[3], beat, n);
    for (int number = 1; g != NULL; number++) {
        struct pollfd input = { .fd = 0, .events = POLLIN };
        char c;
        if (poll(&input, 1, BEAT_MS) > 0 && fread(&c, 1, 1, stdin) == 0)
            break; /* the end of the input ends it */
        n = snprintf(beat, sizeof(beat), "%lld %d", (long long)time(NULL), number);
        zokor_group_set_data(g, beat, n);
        show(g);
    }
    zokor_group_leave(g);
    zokor_framework_close(f);
    return g != NULL ? 0 : 1;
}
