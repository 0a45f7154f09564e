#include "cmd/hold.h"
#include "base/mem.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zookeeper/zookeeper_log.h>

#define CONNECT_MS 15000
#define LOOK_MS 100
#define SESSION_MS 10000

const char hold_options_help[] =
    "  --servers LIST   host:port,host:port/chroot       [$ZOKOR_SERVERS, or 127.0.0.1:2181]\n"
    "  --auth S:TEXT    says who it is, for instance digest:user:password\n"
    "  --jaas FILE      logs in by SASL, with the section Client of a JAAS file,\n"
    "  --sasl-section NAME           or with this one\n"
    "  --client-configuration FILE   TLS, with the keys that zokor cli takes; they may be in CLIENT_JVMFLAGS, too\n"
    "  --session MS     how long it may be cut off before what it holds is given to others  [10000]\n"
    "  --wait SECONDS   give up after that, with status 124                                 [never]\n";

static struct {
    pthread_mutex_t lock;
    pid_t child; /* 0: none; not reaped yet */
    void (*cancel)(void *context);
    void *context;
    struct zokor_framework *framework;
    struct settings settings; /* how handles are made */
    atomic_int signal;
    atomic_bool lost;
    sigset_t before;
} now = { .lock = PTHREAD_MUTEX_INITIALIZER };

bool hold_asks_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

static int number_of(const char *option, const char *text, int *out)
{
    char *end;
    errno = 0;
    long v = strtol(text, &end, 10);
    if (*text == 0 || *end != 0 || errno != 0 || v < 0 || v > 1000000000)
        return cmd_usage_error("%s wants a number from 0 to 1000000000, not '%s'", option, text);
    *out = (int)v;
    return CMD_OK;
}

/* *at is the option's place, and is moved to its value. */
static int take_option(int argc, char **argv, int *at, const struct hold_option *options, size_t count)
{
    const char *name = argv[*at];
    for (size_t i = 0; i < count; i++) {
        if (strcmp(options[i].name, name) != 0)
            continue;
        if (options[i].flag != NULL) {
            *options[i].flag = 1;
            return CMD_OK;
        }
        if (*at + 1 >= argc)
            return cmd_usage_error("%s wants a value", name);
        ++*at;
        if (options[i].value != NULL)
            *options[i].value = argv[*at];
        return options[i].number == NULL ? CMD_OK : number_of(name, argv[*at], options[i].number);
    }
    return -1;
}

static int read_settings(const struct settings_words *words)
{
    struct buf error, warnings;
    buf_init(&error, SIZE_MAX / 2);
    buf_init(&warnings, SIZE_MAX / 2);
    settings_init(&now.settings);
    int status = settings_read(&now.settings, words, &error, &warnings) == 0 ? CMD_OK : CMD_USAGE;
    fprintf(stderr, "%.*s", (int)warnings.n, warnings.n > 0 ? (const char *)warnings.p : "");
    if (status != CMD_OK)
        (void)cmd_usage_error("%.*s", (int)error.n, (const char *)error.p);
    buf_fini(&error);
    buf_fini(&warnings);
    return status;
}

int hold_parse(int argc, char **argv, const struct hold_option *options, size_t count, struct hold_args *args)
{
    *args = (struct hold_args){
        .servers = getenv("ZOKOR_SERVERS"), .session_ms = SESSION_MS, .wait_s = -1, .words = argv + 1
    };
    const struct hold_option common[] = {
        { .name = "--servers", .value = &args->servers },
        { .name = "--auth", .value = &args->auth },
        { .name = "--client-configuration", .value = &args->connect.configuration },
        { .name = "--jaas", .value = &args->connect.jaas },
        { .name = "--sasl-section", .value = &args->connect.section },
        { .name = "--session", .number = &args->session_ms },
        { .name = "--wait", .number = &args->wait_s },
    };
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            args->command = i + 1 < argc ? argv + i + 1 : NULL;
            break;
        }
        if (argv[i][0] == '-' && argv[i][1] != 0) {
            int rc = take_option(argc, argv, &i, common, ARRAY_COUNT(common));
            if (rc < 0)
                rc = take_option(argc, argv, &i, options, count);
            if (rc != CMD_OK)
                return rc < 0
                           ? cmd_usage_error("%s: unknown option '%s'; see zokor %s --help", argv[0], argv[i], argv[0])
                           : rc;
        } else {
            args->words[args->words_count++] = argv[i];
        }
    }
    if (args->servers == NULL || args->servers[0] == 0)
        args->servers = "127.0.0.1:2181";
    if (args->auth != NULL && strchr(args->auth, ':') == NULL)
        return cmd_usage_error("--auth wants SCHEME:TEXT, not '%s'", args->auth);
    return read_settings(&args->connect);
}

int hold_wait_ms(const struct hold_args *args)
{
    return args->wait_s < 0 ? -1 : args->wait_s > 2000000 ? 2000000000 : args->wait_s * 1000;
}

/* Ends the session, so that nothing of it stays, and the program. */
static void end_all(int sig)
{
    zhandle_t *zh = now.framework == NULL ? NULL : zokor_framework_handle(now.framework);
    if (zh != NULL)
        (void)zookeeper_close(zh);
    _exit(128 + sig);
}

static void *signal_main(void *arg)
{
    const sigset_t *set = arg;
    for (;;) {
        int sig;
        if (sigwait(set, &sig) != 0)
            continue;
        pthread_mutex_lock(&now.lock);
        bool ends = sig != SIGUSR1 && sig != SIGUSR2, alone = ends && now.child <= 0 && now.cancel == NULL;
        if (ends)
            now.signal = sig;
        if (now.child > 0)
            (void)kill(now.child, sig);
        else if (ends && now.cancel != NULL)
            now.cancel(now.context); /* with the lock: what it is about is not freed meanwhile */
        pthread_mutex_unlock(&now.lock);
        if (alone)
            end_all(sig);
    }
    return NULL;
}

static int watch_signals(void)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };
    static sigset_t set;
    pthread_t thread;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_COUNT(signals); i++)
        sigaddset(&set, signals[i]);
    pthread_sigmask(SIG_BLOCK, &set, &now.before);
    signal(SIGPIPE, SIG_IGN);
    int error = pthread_create(&thread, NULL, signal_main, &set);
    if (error == 0)
        pthread_detach(thread);
    return error;
}

void hold_on_signal(void (*cancel)(void *context), void *context)
{
    pthread_mutex_lock(&now.lock);
    now.cancel = cancel;
    now.context = context;
    pthread_mutex_unlock(&now.lock);
}

int hold_signal(void)
{
    return now.signal;
}

static zhandle_t *make_handle(const char *hosts, watcher_fn watcher, int timeout_ms, void *watcher_context, int flags,
                              void *context)
{
    return settings_open(context, hosts, watcher, timeout_ms, watcher_context, flags, NULL);
}

/* A login that was refused is refused by every server. */
static int wait_connected(struct zokor_framework *f)
{
    int rc = ZCONNECTIONLOSS;
    for (int i = 0; i < CONNECT_MS / LOOK_MS && rc != ZOK; i++) {
        rc = zokor_framework_wait_connected(f, LOOK_MS);
        zhandle_t *zh = rc == ZOK ? NULL : zokor_framework_handle(f);
        if (zh != NULL && zoo_state(zh) == ZOO_AUTH_FAILED_STATE)
            return ZAUTHFAILED;
    }
    return rc;
}

struct zokor_framework *hold_open(const struct hold_args *args)
{
    struct zokor_auth auth = { .scheme = NULL };
    char *scheme = NULL;
    const char *colon = args->auth == NULL ? NULL : strchr(args->auth, ':');
    if (colon != NULL) {
        scheme = strndup(args->auth, (size_t)(colon - args->auth));
        auth = (struct zokor_auth){ .scheme = scheme, .auth = colon + 1, .auth_len = (int)strlen(colon + 1) };
    }
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    int error = watch_signals();
    struct zokor_framework *f = zokor_framework_open(&(struct zokor_framework_options){
        .hosts = args->servers,
        .session_timeout_ms = args->session_ms,
        .retry = zokor_retry_exponential(100, 8),
        .auths = &auth,
        .auth_count = colon != NULL,
        .request_timeout_ms = now.settings.request_timeout_ms,
        .make_handle = make_handle,
        .make_context = &now.settings,
    });
    mem_free(scheme);
    if (f == NULL || error != 0) {
        fprintf(stderr, "zokor: cannot connect to '%s': %s\n", args->servers, strerror(error != 0 ? error : errno));
        return NULL;
    }
    now.framework = f;
    int rc = wait_connected(f);
    if (rc != ZOK) {
        if (rc == ZAUTHFAILED)
            fprintf(stderr, "zokor: the servers of '%s' do not believe who this is\n", args->servers);
        else
            fprintf(stderr, "zokor: no server of '%s' answers; --servers says where they are\n", args->servers);
        (void)zokor_framework_close(f);
        return NULL;
    }
    return f;
}

void hold_lost(const char *path, int64_t token, void *context)
{
    (void)token;
    (void)context;
    now.lost = true;
    fprintf(stderr, "zokor: %s is lost: the session ended, or somebody deleted the node\n", path);
    pthread_mutex_lock(&now.lock);
    if (now.child > 0)
        (void)kill(now.child, SIGTERM);
    pthread_mutex_unlock(&now.lock);
}

bool hold_is_lost(void)
{
    return now.lost;
}

static void child_main(char **command, int input)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* nobody holds anything for it any more */
    signal(SIGPIPE, SIG_DFL);
    if (input >= 0)
        (void)dup2(input, STDIN_FILENO);
    pthread_sigmask(SIG_SETMASK, &now.before, NULL);
    execvp(command[0], command);
    fprintf(stderr, "zokor: cannot run '%s': %s\n", command[0], strerror(errno));
    _exit(HOLD_NO_COMMAND);
}

static void feed(int fd, const char *input, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, input, n);
        if (k <= 0 && errno != EINTR)
            return; /* it does not want to know */
        input += k > 0 ? k : 0;
        n -= k > 0 ? (size_t)k : 0;
    }
}

int hold_run(char **command, int64_t token, const char *path, const char *input, size_t input_len)
{
    int ends[2] = { -1, -1 };
    char text[32];
    snprintf(text, sizeof(text), "%lld", (long long)token);
    if (token >= 0)
        (void)setenv("ZOKOR_TOKEN", text, 1);
    if (path != NULL)
        (void)setenv("ZOKOR_PATH", path, 1);
    if (input != NULL && pipe(ends) != 0) {
        fprintf(stderr, "zokor: cannot make a pipe: %s\n", strerror(errno));
        return CMD_FAILED;
    }
    pthread_mutex_lock(&now.lock);
    pid_t child = now.child = fork();
    if (child == 0) {
        if (input != NULL)
            close(ends[1]);
        child_main(command, ends[0]);
    }
    if (child > 0 && now.lost)
        (void)kill(child, SIGTERM);
    if (child > 0 && now.signal != 0)
        (void)kill(child, now.signal);
    pthread_mutex_unlock(&now.lock);
    if (input != NULL) {
        close(ends[0]);
        if (child > 0)
            feed(ends[1], input, input_len);
        close(ends[1]);
    }
    if (child < 0) {
        fprintf(stderr, "zokor: cannot start a process: %s\n", strerror(errno));
        return CMD_FAILED;
    }
    siginfo_t info; /* not reaped before nobody can send it a signal any more */
    while (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR)
        continue;
    int status = 0;
    pthread_mutex_lock(&now.lock);
    now.child = 0;
    (void)waitpid(child, &status, 0);
    pthread_mutex_unlock(&now.lock);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int hold_failed(const char *verb, const char *path, int rc)
{
    if (rc == ZCLOSING && now.signal != 0)
        return 128 + now.signal;
    if (rc == ZOPERATIONTIMEOUT) {
        fprintf(stderr, "zokor: could not %s %s within the time of --wait\n", verb, path);
        return HOLD_TIMEOUT;
    }
    fprintf(stderr, "zokor: could not %s %s: %s\n", verb, path, zerror(rc));
    return CMD_FAILED;
}
