/* services: programs say where they can be reached, and others hear of it.
 *
 *     services 127.0.0.1:2181 /services/web add web1 10.0.0.1:80      until it is stopped (SIGTERM)
 *     services 127.0.0.1:2181 /services/web watch                     prints the list whenever it changes
 *
 * A service is an ephemeral node: it goes with its program. */
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

static sem_t changed;
static volatile sig_atomic_t expired, stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
    sem_post(&changed);
}

static void on_event(zhandle_t *zh, int type, int state, const char *path, void *context)
{
    (void)zh;
    (void)path;
    (void)context;
    if (type == ZOO_SESSION_EVENT && state == ZOO_EXPIRED_SESSION_STATE)
        expired = 1;
    sem_post(&changed);
}

static zhandle_t *open_session(const char *hosts)
{
    expired = 0;
    zhandle_t *zh = zookeeper_init(hosts, on_event, 10000, NULL, NULL, 0);
    if (zh == NULL) {
        perror(hosts);
        exit(1);
    }
    return zh;
}

/* Makes the node and those above it. */
static int make_path(zhandle_t *zh, const char *path)
{
    char part[512];
    int rc = ZOK;
    for (const char *slash = path; slash != NULL && (rc == ZOK || rc == ZNODEEXISTS);) {
        slash = strchr(slash + 1, '/');
        snprintf(part, sizeof part, "%.*s", (int)(slash == NULL ? (long)strlen(path) : slash - path), path);
        rc = zoo_create(zh, part, "", -1, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, NULL, 0);
    }
    return rc == ZNODEEXISTS ? ZOK : rc;
}

/* A node of ours from a session before this one is still there until that has expired: it is replaced. */
static int add(zhandle_t *zh, const char *path, const char *name, const char *address)
{
    char node[512];
    int rc = make_path(zh, path);
    snprintf(node, sizeof node, "%s/%s", path, name);
    if (rc == ZOK)
        rc = zoo_delete(zh, node, -1);
    if (rc == ZOK || rc == ZNONODE)
        rc = zoo_create(zh, node, address, (int)strlen(address), &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Prints the list and leaves a watch on it. */
static int list(zhandle_t *zh, const char *path)
{
    struct String_vector names = { 0, NULL };
    struct Stat stat;
    int rc = make_path(zh, path);
    if (rc == ZOK)
        rc = zoo_wget_children(zh, path, on_event, NULL, &names);
    if (rc != ZOK)
        return rc;
    qsort(names.data, (size_t)names.count, sizeof names.data[0], by_name);
    printf("%d:", names.count);
    for (int i = 0; i < names.count; i++) {
        char node[512], address[256];
        int n = (int)sizeof address;
        snprintf(node, sizeof node, "%s/%s", path, names.data[i]);
        if (zoo_get(zh, node, 0, address, &n, &stat) == ZOK) /* it may have gone since; the watch tells */
            printf(" %s=%.*s", names.data[i], n < 0 ? 0 : n, address);
    }
    printf("\n");
    fflush(stdout);
    deallocate_String_vector(&names);
    return ZOK;
}

static int lost(int rc)
{
    return rc == ZCONNECTIONLOSS || rc == ZOPERATIONTIMEOUT || rc == ZSESSIONEXPIRED || rc == ZINVALIDSTATE;
}

int main(int argc, char **argv)
{
    int adds = argc == 6 && strcmp(argv[3], "add") == 0;
    if (!adds && (argc != 4 || strcmp(argv[3], "watch") != 0)) {
        fprintf(stderr, "usage: services HOST:PORT,... PATH add NAME ADDRESS | watch\n");
        return 2;
    }
    sem_init(&changed, 0, 0);
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    zhandle_t *zh = open_session(argv[1]);
    for (int rc = ZCONNECTIONLOSS; !stopped;) {
        if (lost(rc) || !adds)
            rc = adds ? add(zh, argv[2], argv[4], argv[5]) : list(zh, argv[2]);
        if (rc != ZOK && !lost(rc)) {
            fprintf(stderr, "services: %s: %s\n", argv[2], zerror(rc));
            zookeeper_close(zh);
            return 1;
        }
        if (rc == ZOK)
            sem_wait(&changed);
        else
            usleep(100000);
        if (expired) { /* our node is gone, and so are our watches: begin again */
            zookeeper_close(zh);
            zh = open_session(argv[1]);
            rc = ZCONNECTIONLOSS;
        }
    }
    zookeeper_close(zh); /* the node goes now, not when the session would have expired */
    return 0;
}
