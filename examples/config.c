/* config: follows the settings below a node, however deep, and prints every change.
 *
 *     config 127.0.0.1:2181 /config
 *
 * One persistent recursive watch tells of all changes below, in order, and is kept when the connection breaks: what
 * plain watches lack, and the reason for <zokor/client.h>. Ends when standard input does. */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zokor/client.h>

static sem_t connected;

static void on_session(zhandle_t *zh, int type, int state, const char *path, void *context)
{
    (void)zh;
    (void)path;
    (void)context;
    if (type == ZOO_SESSION_EVENT && state == ZOO_EXPIRED_SESSION_STATE) {
        fprintf(stderr, "config: the session has expired\n");
        _exit(1); /* whoever runs this starts it again, and it reads everything anew */
    }
    if (type == ZOO_SESSION_EVENT && state == ZOO_CONNECTED_STATE)
        sem_post(&connected);
}

static void print(zhandle_t *zh, const char *path)
{
    char value[1024];
    int n = (int)sizeof value;
    struct Stat stat;
    int rc = zoo_get(zh, path, 0, value, &n, &stat);
    if (rc == ZOK)
        printf("%s = %.*s\n", path, n < 0 ? 0 : n, value);
    else if (rc != ZNONODE) /* gone meanwhile: its event follows */
        printf("%s: %s\n", path, zerror(rc));
    fflush(stdout);
}

/* A watcher may ask the server, also with calls that wait. */
static void on_change(zhandle_t *zh, int type, int state, const char *path, void *context)
{
    (void)state;
    (void)context;
    if (type == ZOO_CREATED_EVENT || type == ZOO_CHANGED_EVENT) {
        print(zh, path);
    } else if (type == ZOO_DELETED_EVENT) {
        printf("%s is gone\n", path);
        fflush(stdout);
    }
}

/* What is there now: the node and everything below it. */
static void print_all(zhandle_t *zh, const char *path)
{
    struct String_vector names = { 0, NULL };
    char child[1024];
    print(zh, path);
    if (zoo_get_children(zh, path, 0, &names) != ZOK)
        return;
    for (int i = 0; i < names.count; i++) {
        snprintf(child, sizeof child, "%s/%s", strcmp(path, "/") == 0 ? "" : path, names.data[i]);
        print_all(zh, child);
    }
    deallocate_String_vector(&names);
}

int main(int argc, char **argv)
{
    char text[256];
    if (argc != 3) {
        fprintf(stderr, "usage: config HOST:PORT,... PATH\n");
        return 2;
    }
    sem_init(&connected, 0, 0);
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    zhandle_t *zh = zookeeper_init(argv[1], on_session, 10000, NULL, NULL, 0);
    if (zh == NULL) {
        perror(argv[1]);
        return 1;
    }
    sem_wait(&connected);
    /* Watch first, read then: a change in between is told twice rather than not at all. */
    int rc = zokor_add_watch(zh, argv[2], ZOKOR_WATCH_RECURSIVE, on_change, NULL);
    if (rc != ZOK) {
        fprintf(stderr, "config: %s: %s\n", argv[2], zerror(rc));
        return 1;
    }
    print_all(zh, argv[2]);
    while (read(STDIN_FILENO, text, sizeof text) > 0)
        ;
    zookeeper_close(zh);
    return 0;
}
