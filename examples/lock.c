/* lock: runs a command while holding a lock that one program of all machines can have.
 *
 *     lock 127.0.0.1:2181 /locks/backup rsync -a /data backup:
 *
 * Everyone who wants the lock makes an ephemeral node with a number below its path. The lowest number has the lock;
 * each other waits for the one before it, so that a release wakes a single program. A program that dies loses its node,
 * and with it the lock, when its session expires. */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

static sem_t changed; /* something happened: look again */

static void on_event(zhandle_t *zh, int type, int state, const char *path, void *context)
{
    (void)zh;
    (void)path;
    (void)context;
    if (type == ZOO_SESSION_EVENT && state == ZOO_EXPIRED_SESSION_STATE) {
        fprintf(stderr, "lock: the session has expired, and with it the lock\n");
        _exit(3); /* the command must not go on as if it had the lock */
    }
    sem_post(&changed);
}

static void check(int rc, const char *what)
{
    if (rc == ZOK)
        return;
    fprintf(stderr, "lock: %s: %s\n", what, zerror(rc));
    exit(1);
}

/* Calls that only read, or that may be done twice, are simply done again after a connection was lost. */
static int lost(int rc)
{
    return rc == ZCONNECTIONLOSS || rc == ZOPERATIONTIMEOUT;
}

/* The number at the end of a name. */
static const char *number_of(const char *name)
{
    return name + strlen(name) - 10;
}

/* Of the nodes with a number below `mine`, the one with the highest: name in `before`, or "" if mine is the lowest.
 * Also finds a node that an earlier attempt has made: its name begins with our prefix. */
static int look(zhandle_t *zh, const char *path, const char *prefix, char *mine, char *before, size_t size)
{
    struct String_vector names = { 0, NULL };
    int rc = zoo_get_children(zh, path, 0, &names);
    before[0] = '\0';
    for (int i = 0; rc == ZOK && i < names.count; i++)
        if (strncmp(names.data[i], prefix, strlen(prefix)) == 0)
            snprintf(mine, size, "%s", names.data[i]);
    for (int i = 0; rc == ZOK && mine[0] != '\0' && i < names.count; i++) {
        const char *n = names.data[i];
        if (strcmp(number_of(n), number_of(mine)) < 0 &&
            (before[0] == '\0' || strcmp(number_of(n), number_of(before)) > 0))
            snprintf(before, size, "%s", n);
    }
    if (rc == ZOK)
        deallocate_String_vector(&names);
    return rc;
}

static void acquire(zhandle_t *zh, const char *path, const char *prefix, char *mine)
{
    char node[512], before[256];
    struct Stat stat;
    int rc;
    for (;;) {
        if (lost(rc = look(zh, path, prefix, mine, before, sizeof before)))
            continue;
        check(rc, path);
        if (mine[0] == '\0') { /* not in the queue yet, or the answer was lost and nothing was made */
            snprintf(node, sizeof node, "%s/%s", path, prefix);
            rc = zoo_create(zh, node, "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL_SEQUENTIAL, NULL, 0);
            if (!lost(rc))
                check(rc, node);
            continue;
        }
        if (before[0] == '\0')
            return;
        snprintf(node, sizeof node, "%s/%s", path, before);
        rc = zoo_wexists(zh, node, on_event, NULL, &stat);
        if (rc == ZOK)
            sem_wait(&changed);
        else if (rc != ZNONODE && !lost(rc))
            check(rc, node);
    }
}

static int run(char **command)
{
    int status = 1;
    pid_t child = fork();
    if (child == 0) {
        execvp(command[0], command);
        perror(command[0]);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
    char prefix[64], mine[256] = "";
    if (argc < 4) {
        fprintf(stderr, "usage: lock HOST:PORT,... PATH COMMAND [ARGUMENTS]\n");
        return 2;
    }
    sem_init(&changed, 0, 0);
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    zhandle_t *zh = zookeeper_init(argv[1], on_event, 10000, NULL, NULL, 0);
    if (zh == NULL) {
        perror(argv[1]);
        return 1;
    }
    int rc;
    while (lost(rc = zoo_create(zh, argv[2], "", -1, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, NULL, 0)))
        ;
    if (rc != ZNODEEXISTS)
        check(rc, argv[2]);
    /* A prefix of our own: the session's number is nobody else's. */
    snprintf(prefix, sizeof prefix, "%016llx-", (unsigned long long)zoo_client_id(zh)->client_id);
    acquire(zh, argv[2], prefix, mine);
    int status = run(argv + 3);
    zookeeper_close(zh); /* ends the session: the node goes, the next in the queue hears of it */
    return status;
}
