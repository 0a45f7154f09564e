/* zokor start, stop, restart: a server in the background, with a file that holds its process id, for machines without a
 * service manager. The file is the one that zkServer.sh uses, so that either can stop what the other has started. */
#include "cmd/cmd.h"
#include "cmd/server.h"
#include "tools/files.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT_S_DEFAULT 30
#define POLL_NS 50000000L
#define LOG_TAIL_BYTES 1024

static const char help_text[] =
    "usage: zokor start   [--pidfile FILE] [--logfile FILE] [--wait S] [the arguments of zokor server]\n"
    "       zokor stop    [--pidfile FILE] [--wait S] [the same]\n"
    "       zokor restart [the options of start]\n"
    "\n"
    "start runs a server in the background and returns when it listens; stop lets it finish what it does and waits "
    "for\n"
    "its end. Where there is a service manager (systemd), let that do it: zokor server stays in the foreground.\n"
    "\n"
    "  --pidfile FILE  default: dataDir/zookeeper_server.pid, as with zkServer.sh\n"
    "  --logfile FILE  default: dataDir/zokor.log; what the server says is added at its end\n"
    "  --wait S        how long to wait for start and end (30)\n"
    "\n"
    "examples:\n"
    "  zokor start && zokor status && zokor stop        data in ./zokor-data, port 2181 of this machine\n"
    "  zokor restart /etc/zookeeper/conf/zoo.cfg\n"
    "\n"
    "Exit status: 0 done, or nothing to stop; 1 failed, or running already; 2 wrong arguments or configuration.\n";

struct daemon {
    const char *verb, *pid_option, *log_option;
    long wait_s;
    char **words; /* for zokor server; words[0] is "server" */
    int word_count;
    struct config config;
    char pid_file[4096], log_file[4096];
};

static void nap(void)
{
    struct timespec t = { .tv_nsec = POLL_NS };
    (void)nanosleep(&t, NULL);
}

static time_t deadline_of(const struct daemon *d)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + d->wait_s;
}

static bool is_past(time_t deadline)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec >= deadline;
}

static size_t read_proc(pid_t pid, const char *name, char *text, size_t size)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, name);
    FILE *f = fopen(path, "re");
    size_t n = f == NULL ? 0 : fread(text, 1, size - 1, f);
    if (f != NULL)
        fclose(f);
    text[n] = '\0';
    return n;
}

/* `zokor server`, or Java's server, whose file of this name is the same. The words are parted by zeros. */
static bool are_servers(const char *words, size_t n)
{
    static const char *const classes[] = { "org.apache.zookeeper.server.quorum.QuorumPeerMain",
                                           "org.apache.zookeeper.server.ZooKeeperServerMain" };
    size_t first = strlen(words) + 1;
    if (first < n && strcmp(words + first, "server") == 0)
        return true;
    for (size_t at = first; at < n; at += strlen(words + at) + 1)
        for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
            if (strcmp(words + at, classes[i]) == 0)
                return true;
    return false;
}

/* Is it a server that runs? Not one that has ended and whose parent does not care (process 1 of a container
 * often does not), nor a stranger that got the number of a server that ended long ago. */
static bool is_server(pid_t pid)
{
    char stat[512], words[65536]; /* Java's list of jars is long */
    if (kill(pid, 0) != 0 && errno != EPERM)
        return false;
    const char *name_end = read_proc(pid, "stat", stat, sizeof stat) > 0 ? strrchr(stat, ')') : NULL;
    if (name_end != NULL && name_end[1] == ' ' && name_end[2] == 'Z')
        return false;
    size_t n = read_proc(pid, "cmdline", words, sizeof words);
    return n == 0 || are_servers(words, n);
}

/* The process that the file names, if it lives; else 0. */
static pid_t running(const struct daemon *d)
{
    char text[32] = "";
    FILE *f = fopen(d->pid_file, "re");
    if (f == NULL)
        return 0;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    char *end;
    long pid = strtol(text, &end, 10);
    if (n == 0 || end == text || pid <= 1 || pid > INT32_MAX)
        return 0;
    return is_server((pid_t)pid) ? (pid_t)pid : 0;
}

/* Does anybody listen on the port where clients will come? */
static bool listens(const struct daemon *d)
{
    const struct config *c = &d->config;
    bool plain = c->client_port > 0;
    const char *host = plain ? c->client_port_address : c->secure_client_port_address;
    char port[16];
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
    (void)snprintf(port, sizeof port, "%d", (int)(plain ? c->client_port : c->secure_client_port));
    if (getaddrinfo(host[0] != '\0' ? host : "127.0.0.1", port, &hints, &found) != 0)
        return false;
    bool yes = false;
    for (struct addrinfo *a = found; a != NULL && !yes; a = a->ai_next) {
        int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        yes = fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0;
        if (fd >= 0)
            (void)close(fd);
    }
    freeaddrinfo(found);
    return yes;
}

static int fail(const char *fmt, ...) PRINTF_LIKE(1, 2);
static int fail(const char *fmt, ...)
{
    va_list args;
    fflush(stdout);
    fprintf(stderr, "zokor: ");
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "\n");
    return CMD_FAILED;
}

static void show_log_tail(const struct daemon *d, off_t from)
{
    char text[LOG_TAIL_BYTES];
    int fd = open(d->log_file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    off_t end = lseek(fd, 0, SEEK_END);
    if (end - from > LOG_TAIL_BYTES)
        from = end - LOG_TAIL_BYTES;
    ssize_t n = pread(fd, text, sizeof text, from);
    if (n > 0)
        fprintf(stderr, "%.*s", (int)n, text);
    (void)close(fd);
}

_Noreturn static void become_server(const struct daemon *d, int log_fd)
{
    char self[4096] = "";
    int null = open("/dev/null", O_RDONLY);
    if (readlink("/proc/self/exe", self, sizeof self - 1) <= 0)
        _exit(CMD_FAILED);
    (void)setsid();
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(log_fd, STDOUT_FILENO) < 0 || dup2(log_fd, STDERR_FILENO) < 0)
        _exit(CMD_FAILED);
    (void)execv(self, d->words);
    _exit(CMD_FAILED);
}

/* Until it listens, or has ended, or time is up. */
static int await_start(struct daemon *d, pid_t pid, off_t log_from)
{
    time_t deadline = deadline_of(d);
    int how;
    for (;;) {
        if (waitpid(pid, &how, WNOHANG) == pid) {
            printf("FAILED TO START\n");
            fflush(stdout);
            (void)unlink(d->pid_file);
            show_log_tail(d, log_from);
            return CMD_FAILED;
        }
        if (listens(d)) {
            printf("STARTED\n");
            return CMD_OK;
        }
        if (is_past(deadline))
            break;
        nap();
    }
    printf("STARTED (process %ld does not listen yet; %s tells why)\n", (long)pid, d->log_file);
    return CMD_OK;
}

static int start(struct daemon *d)
{
    printf("Starting zookeeper ... ");
    pid_t pid = running(d);
    if (pid != 0) {
        printf("already running as process %ld.\n", (long)pid);
        return CMD_FAILED;
    }
    if (listens(d))
        return fail("another process listens on the client port already (ss -ltnp shows which)");
    int rc = fs_real()->ops->make_dir(fs_real(), d->config.data_dir);
    int log_fd = rc < 0 ? -1 : open(d->log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (log_fd < 0)
        return fail("%s: cannot be written: %s", d->log_file, strerror(errno));
    off_t log_from = lseek(log_fd, 0, SEEK_END);
    fflush(stdout);
    pid = fork();
    if (pid == 0)
        become_server(d, log_fd);
    (void)close(log_fd);
    if (pid < 0)
        return fail("a process cannot be made: %s", strerror(errno));
    FILE *f = fopen(d->pid_file, "we");
    bool written = f != NULL && fprintf(f, "%ld", (long)pid) > 0;
    if (f != NULL)
        written = fclose(f) == 0 && written;
    if (!written) {
        (void)kill(pid, SIGTERM);
        return fail("%s: cannot be written: %s", d->pid_file, strerror(errno));
    }
    return await_start(d, pid, log_from);
}

static int stop(struct daemon *d)
{
    printf("Stopping zookeeper ... ");
    if (access(d->pid_file, F_OK) != 0) {
        printf("no zookeeper to stop (could not find file %s)\n", d->pid_file);
        return CMD_OK;
    }
    pid_t pid = running(d);
    if (pid != 0 && kill(pid, SIGTERM) != 0)
        return fail("process %ld cannot be told to stop: %s", (long)pid, strerror(errno));
    fflush(stdout);
    for (time_t deadline = deadline_of(d); pid != 0 && is_server(pid); nap())
        if (is_past(deadline))
            return fail("process %ld has not ended within %ld s", (long)pid, d->wait_s);
    (void)unlink(d->pid_file);
    printf("STOPPED\n");
    return CMD_OK;
}

static bool take_value(const char *name, int argc, char **argv, int *i, const char **value)
{
    size_t n = strlen(name);
    if (strncmp(argv[*i], name, n) != 0)
        return false;
    if (argv[*i][n] == '=') {
        *value = argv[*i] + n + 1;
        return true;
    }
    if (argv[*i][n] != '\0' || *i + 1 >= argc)
        return false;
    *value = argv[++*i];
    return true;
}

static int parse(struct daemon *d, int argc, char **argv)
{
    const char *wait_text = NULL;
    d->words[d->word_count++] = (char *)(uintptr_t) "zokor";
    d->words[d->word_count++] = (char *)(uintptr_t) "server";
    for (int i = 1; i < argc; i++) {
        if (!take_value("--pidfile", argc, argv, &i, &d->pid_option) &&
            !take_value("--logfile", argc, argv, &i, &d->log_option) &&
            !take_value("--wait", argc, argv, &i, &wait_text))
            d->words[d->word_count++] = argv[i];
    }
    char *end = NULL;
    d->wait_s = wait_text != NULL ? strtol(wait_text, &end, 10) : WAIT_S_DEFAULT;
    if (wait_text != NULL && (*wait_text == '\0' || *end != '\0' || d->wait_s < 0 || d->wait_s > 86400))
        return cmd_usage_error("%s: --wait: '%s' is not a number of seconds (0..86400)", d->verb, wait_text);
    return CMD_OK;
}

static int run(struct daemon *d)
{
    int status = CMD_OK;
    if (d->pid_option != NULL)
        tool_path(d->pid_file, sizeof d->pid_file, "%s", d->pid_option);
    else
        tool_path(d->pid_file, sizeof d->pid_file, "%s/zookeeper_server.pid", d->config.data_dir);
    if (d->log_option != NULL)
        tool_path(d->log_file, sizeof d->log_file, "%s", d->log_option);
    else
        tool_path(d->log_file, sizeof d->log_file, "%s/zokor.log", d->config.data_dir);
    if (strcmp(d->verb, "start") != 0)
        status = stop(d);
    if (status == CMD_OK && strcmp(d->verb, "stop") != 0)
        status = start(d);
    return status;
}

int cmd_daemon(int argc, char **argv)
{
    struct daemon d = { .verb = argv[0] };
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(help_text, stdout);
            return cmd_finish_output(CMD_OK);
        }
    }
    d.words = calloc((size_t)argc + 2, sizeof *d.words);
    if (d.words == NULL)
        return fail("out of memory");
    int status = parse(&d, argc, argv);
    if (status == CMD_OK)
        status = server_config_of(d.word_count - 1, d.words + 1, &d.config);
    if (status == CMD_OK) {
        status = run(&d);
        config_fini(&d.config);
    }
    free(d.words);
    return cmd_finish_output(status);
}
