/* leader: one of many is elected, and another one when it goes.
 *
 *     leader 127.0.0.1:2181 /election $(hostname)
 *
 * Prints "leading" when this program is the leader and "following NAME" when another one is, until standard input ends.
 * Candidates are ephemeral nodes with a number; the lowest leads. Everyone watches the one before it. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

struct candidate {
    const char *path, *name;
    pthread_mutex_t lock;
    pthread_cond_t woken;
    int look; /* something happened */
    int over; /* the session has expired, or standard input has ended */
};

static void wake(struct candidate *c, int over)
{
    pthread_mutex_lock(&c->lock);
    c->look = 1;
    c->over |= over;
    pthread_cond_signal(&c->woken);
    pthread_mutex_unlock(&c->lock);
}

static void on_event(zhandle_t *zh, int type, int state, const char *path, void *context)
{
    (void)zh;
    (void)path;
    wake(context, type == ZOO_SESSION_EVENT && state == ZOO_EXPIRED_SESSION_STATE);
}

static void *read_input(void *context)
{
    char text[256];
    while (read(STDIN_FILENO, text, sizeof text) > 0)
        ;
    wake(context, 1);
    return NULL;
}

static int by_number(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    return strcmp(x + strlen(x) - 10, y + strlen(y) - 10);
}

static void say(const char *word, const char *name, char *said, size_t size)
{
    char line[256];
    snprintf(line, sizeof line, "%s%s%s", word, name[0] == '\0' ? "" : " ", name);
    if (strcmp(line, said) == 0)
        return;
    snprintf(said, size, "%s", line);
    puts(line);
    fflush(stdout);
}

/* Looks at the queue once and watches the one before us. 0, or an error after which it looks again. */
static int look(zhandle_t *zh, struct candidate *c, const char *mine, char *said, size_t size)
{
    struct String_vector names = { 0, NULL };
    char node[512], leader[128] = "";
    int length = (int)sizeof leader - 1, me = -1;
    struct Stat stat;
    int rc = zoo_get_children(zh, c->path, 0, &names);
    if (rc != ZOK)
        return rc;
    qsort(names.data, (size_t)names.count, sizeof names.data[0], by_number);
    for (int i = 0; i < names.count; i++)
        if (strcmp(names.data[i], mine) == 0)
            me = i;
    if (me < 0) {
        rc = ZSESSIONEXPIRED; /* somebody has deleted our node: no candidate any more */
    } else if (me == 0) {
        say("leading", "", said, size);
    } else {
        snprintf(node, sizeof node, "%s/%s", c->path, names.data[me - 1]);
        rc = zoo_wexists(zh, node, on_event, c, &stat);
        snprintf(node, sizeof node, "%s/%s", c->path, names.data[0]);
        if (rc == ZOK)
            rc = zoo_get(zh, node, 0, leader, &length, &stat);
        if (rc == ZOK) {
            leader[length < 0 ? 0 : length] = '\0';
            say("following", leader, said, size);
        }
    }
    deallocate_String_vector(&names);
    return rc;
}

static int stand(zhandle_t *zh, struct candidate *c)
{
    char node[512], mine[512], said[256] = "";
    int rc = zoo_create(zh, c->path, "", -1, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, NULL, 0);
    if (rc != ZOK && rc != ZNODEEXISTS)
        return rc;
    snprintf(node, sizeof node, "%s/n-", c->path);
    rc = zoo_create(zh, node, c->name, (int)strlen(c->name), &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL_SEQUENTIAL, mine,
                    sizeof mine);
    while (rc == ZOK) {
        pthread_mutex_lock(&c->lock);
        c->look = 0;
        pthread_mutex_unlock(&c->lock);
        rc = look(zh, c, strrchr(mine, '/') + 1, said, sizeof said);
        if (rc == ZNONODE || rc == ZCONNECTIONLOSS ||
            rc == ZOPERATIONTIMEOUT) { /* look again; a session outlives that */
            rc = ZOK;
            usleep(10000);
            wake(c, 0);
        }
        pthread_mutex_lock(&c->lock);
        while (!c->look && !c->over)
            pthread_cond_wait(&c->woken, &c->lock);
        int over = c->over;
        pthread_mutex_unlock(&c->lock);
        if (over)
            break;
    }
    return rc;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: leader HOST:PORT,... PATH NAME\n");
        return 2;
    }
    struct candidate c = { argv[2], argv[3], PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0 };
    pthread_t reader;
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    zhandle_t *zh = zookeeper_init(argv[1], on_event, 10000, NULL, &c, 0);
    if (zh == NULL || pthread_create(&reader, NULL, read_input, &c) != 0) {
        perror(argv[1]);
        return 1;
    }
    int rc = stand(zh, &c);
    if (rc != ZOK)
        fprintf(stderr, "leader: %s\n", zerror(rc));
    zookeeper_close(zh); /* the next one leads at once, not when the session would have expired */
    return rc == ZOK ? 0 : 1;
}
