/* mutex: as lock.c, with the recipes of zokor/lock.h: runs a command while holding a lock.
 *
 *     mutex 127.0.0.1:2181 /locks/backup sh -c 'rsync -a /data backup: && echo "$ZOKOR_TOKEN" >last'
 *
 * The queue of nodes is Apache Curator's: a Java program with an InterProcessMutex waits in the same one. The command
 * finds in ZOKOR_TOKEN a number that grows from holder to holder. A broken connection is mended behind its back; if the
 * lock is lost all the same, the command is ended. */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zokor/lock.h>

static _Atomic pid_t child;
static atomic_int lost;

/* Somebody else may have the lock from now on. */
static void on_lost(const char *path, int64_t token, void *context)
{
    (void)token;
    (void)context;
    fprintf(stderr, "mutex: the lock is lost, with its node %s\n", path);
    atomic_store(&lost, 1);
    if (atomic_load(&child) > 0)
        kill(atomic_load(&child), SIGTERM);
}

static int run(char **command, int64_t token)
{
    char text[32];
    int status = 0;
    snprintf(text, sizeof(text), "%lld", (long long)token);
    setenv("ZOKOR_TOKEN", text, 1);
    pid_t pid = fork();
    if (pid == 0) {
        execvp(command[0], command);
        perror(command[0]);
        _exit(127);
    }
    atomic_store(&child, pid);
    if (atomic_load(&lost) && pid > 0)
        kill(pid, SIGTERM); /* it was lost before on_lost knew whom to end */
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: mutex HOSTS PATH COMMAND [ARGUMENT ...]\n");
        return 2;
    }
    zoo_set_debug_level(ZOO_LOG_LEVEL_WARN);
    struct zokor_framework *f = zokor_framework_open(&(struct zokor_framework_options){
        .hosts = argv[1], .session_timeout_ms = 10000, .retry = zokor_retry_bounded_exponential(100, 5000, 20) });
    if (f == NULL) {
        perror("mutex");
        return 1;
    }
    struct zokor_mutex *m = zokor_mutex_new(f, argv[2]);
    zokor_mutex_on_lost(m, on_lost, NULL);
    int status = 1, rc = zokor_mutex_acquire(m, -1);
    if (rc == ZOK)
        status = run(argv + 3, zokor_mutex_token(m));
    else
        fprintf(stderr, "mutex: %s\n", zerror(rc));
    zokor_mutex_free(m); /* gives it back */
    zokor_framework_close(f);
    return atomic_load(&lost) ? 3 : status;
}
