/* zokor status: asks a server a four-letter word, over TCP or TLS. */
#include "base/err.h"
#include "cmd/cmd.h"
#include "cmd/flags.h"
#include "os/tls.h"
#include "server/config.h"
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX (64u << 20)
#define TIMEOUT_S 10

static const char help_text[] =
    "usage: zokor status [-DKEY=VALUE ...] [zoo.cfg | HOST:PORT | HOST PORT [WORD [secure]]]\n"
    "       zokor status [-DKEY=VALUE ...] HOST:PORT,HOST:PORT,...\n"
    "\n"
    "Asks a server a four-letter word, srvr if none is named, and prints the answer: mode, zxid, latencies, "
    "connections.\n"
    "Without arguments it asks 127.0.0.1:2181; of zoo.cfg it takes the client port, or the secure one if that is all.\n"
    "Of several servers, parted by commas, it makes a table.\n"
    "\n"
    "examples:\n"
    "  zokor status\n"
    "  zokor status /etc/zookeeper/conf/zoo.cfg\n"
    "  zokor status zk1:2181,zk2:2181,zk3:2181\n"
    "  zokor status zk1.example.com 2181 mntr          (the server's 4lw.commands.whitelist must hold it)\n"
    "  zokor status -Dzookeeper.ssl.trustStore.location=ca.pem zk1.example.com 2281 srvr secure\n"
    "\n"
    "  -D...  for TLS: zookeeper.ssl.keyStore and .trustStore with .location, .password, .passwordPath and .type,\n"
    "         zookeeper.ssl.hostnameVerification; also taken from CLIENT_JVMFLAGS and JVMFLAGS\n"
    "\n"
    "Exit status: 0 it answered (all of them did), 1 not so, 2 wrong arguments.\n";

struct question {
    char host[256], port[16], word[8];
    bool secure;
    struct flags flags;
};

static int dial(const struct question *q, char *why, size_t size)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *found = NULL;
    int rc = getaddrinfo(q->host, q->port, &hints, &found), fd = -1;
    if (rc != 0) {
        (void)snprintf(why, size, "%s cannot be looked up: %s", q->host, gai_strerror(rc));
        return -1;
    }
    for (struct addrinfo *a = found; a != NULL && fd < 0; a = a->ai_next) {
        struct timeval limit = { .tv_sec = TIMEOUT_S };
        fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (fd < 0)
            continue;
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        if (connect(fd, a->ai_addr, a->ai_addrlen) == 0)
            break;
        (void)snprintf(why, size, "%s:%s: %s", q->host, q->port, strerror(errno));
        (void)close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

static int send_all(int fd, struct slice s)
{
    while (s.n > 0) {
        ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
        if (n <= 0)
            return ERR_IO;
        s.p += n;
        s.n -= (size_t)n;
    }
    return 0;
}

/* Reads to the end of the connection, through TLS if there is one. */
static int receive(int fd, struct tls_conn *tls, const char *word, struct buf *answer, struct buf *to_send)
{
    uint8_t chunk[8192];
    bool asked = tls == NULL;
    for (;;) {
        ssize_t n = recv(fd, chunk, sizeof chunk, 0);
        if (n <= 0)
            return n < 0 && answer->n == 0 ? ERR_IO : 0;
        if (tls == NULL) {
            buf_append(answer, chunk, (size_t)n);
            continue;
        }
        int rc = tls_feed(tls, slice_of(chunk, (size_t)n), answer, to_send);
        if (rc == 0 && !asked && tls_state(tls) == TLS_ESTABLISHED) {
            asked = true;
            rc = tls_send(tls, &(struct slice){ (const uint8_t *)word, 4 }, 1, to_send);
        }
        if (send_all(fd, buf_slice(to_send)) < 0 && rc == 0)
            return ERR_IO;
        buf_reset(to_send);
        if (rc != 0)
            return rc == ERR_CLOSED ? 0 : rc;
    }
}

static int tls_open(const struct question *q, struct tls_context **context, struct tls_conn **conn, char *why,
                    size_t size)
{
    const struct flags *f = &q->flags;
    const char *verify = flags_get(f, "zookeeper.ssl.hostnameVerification");
    struct tls_options options = {
        .role = TLS_CLIENT,
        .key = { .location = flags_get(f, "zookeeper.ssl.keyStore.location"),
                 .password = flags_get(f, "zookeeper.ssl.keyStore.password"),
                 .password_path = flags_get(f, "zookeeper.ssl.keyStore.passwordPath"),
                 .type = flags_get(f, "zookeeper.ssl.keyStore.type") },
        .trust = { .location = flags_get(f, "zookeeper.ssl.trustStore.location"),
                   .password = flags_get(f, "zookeeper.ssl.trustStore.password"),
                   .password_path = flags_get(f, "zookeeper.ssl.trustStore.passwordPath"),
                   .type = flags_get(f, "zookeeper.ssl.trustStore.type") },
        .protocol = "",
        .protocols = "",
        .ciphers = "",
        .verify_name = verify == NULL || strcasecmp(verify, "false") != 0,
    };
    struct tls_error err;
    int rc = tls_context_new(&options, context, &err);
    if (rc < 0) {
        (void)snprintf(why, size, "%s", err.text);
        return rc;
    }
    *conn = tls_conn_new(*context, &(struct tls_peer){ .name = q->host, .address = q->host });
    return *conn == NULL ? ERR_NO_MEMORY : 0;
}

/* 0 and the answer, or an error and why. */
static int ask(const struct question *q, struct buf *answer, char *why, size_t size)
{
    struct tls_context *context = NULL;
    struct tls_conn *tls = NULL;
    struct buf to_send;
    int fd = -1, rc = 0;
    buf_init(&to_send, 1u << 20);
    if (q->secure)
        rc = tls_open(q, &context, &tls, why, size);
    if (rc < 0)
        goto out;
    fd = dial(q, why, size);
    if (fd < 0) {
        rc = ERR_CLOSED;
        goto out;
    }
    if (tls != NULL)
        rc = tls_begin(tls, &to_send);
    else
        buf_append(&to_send, q->word, 4);
    if (rc == 0)
        rc = send_all(fd, buf_slice(&to_send));
    buf_reset(&to_send);
    if (rc == 0)
        rc = receive(fd, tls, q->word, answer, &to_send);
    if (rc < 0 && tls != NULL && tls_state(tls) == TLS_FAILED)
        tls_describe(tls, why, size);
    else if (rc < 0)
        (void)snprintf(why, size, "%s:%s did not answer in %d s", q->host, q->port, TIMEOUT_S);
out:
    if (fd >= 0)
        (void)close(fd);
    tls_conn_free(tls);
    tls_context_free(context);
    buf_fini(&to_send);
    return rc;
}

static int from_config(struct question *q, const char *file)
{
    struct config config;
    struct config_error err;
    struct config_input input = { .file = file, .read_file = flags_read_file };
    if (config_load(&config, &input, &err) != 0)
        return cmd_usage_error("%s", err.text);
    q->secure = config.client_port <= 0;
    const char *host = q->secure ? config.secure_client_port_address : config.client_port_address;
    (void)snprintf(q->host, sizeof q->host, "%s", host[0] != '\0' ? host : "127.0.0.1");
    (void)snprintf(q->port, sizeof q->port, "%d", (int)(q->secure ? config.secure_client_port : config.client_port));
    config_fini(&config);
    return strcmp(q->port, "0") == 0 ? cmd_usage_error("%s: no client port is configured", file) : CMD_OK;
}

/* "HOST:PORT", "[IPV6]:PORT" of n bytes. */
static bool take_address(struct question *q, const char *text, size_t n)
{
    const char *colon = memrchr(text, ':', n);
    size_t digits = colon == NULL ? 0 : n - (size_t)(colon - text) - 1;
    if (digits == 0 || digits > 5 || strspn(colon + 1, "0123456789") < digits)
        return false;
    size_t host_n = (size_t)(colon - text);
    if (host_n > 1 && text[0] == '[' && text[host_n - 1] == ']') {
        text++;
        host_n -= 2;
    }
    (void)snprintf(q->host, sizeof q->host, "%.*s", (int)host_n, text);
    (void)snprintf(q->port, sizeof q->port, "%.*s", (int)digits, colon + 1);
    return true;
}

/* The rest of the line of srvr's answer that begins with `key`, up to a comma; "-" without one. */
static const char *fact(const char *answer, const char *key, char *to, size_t size)
{
    const char *at = strstr(answer, key);
    (void)snprintf(to, size, "-");
    if (at != NULL)
        (void)snprintf(to, size, "%.*s", (int)strcspn(at + strlen(key), "\n,"), at + strlen(key));
    return to;
}

static int table_row(const struct question *q, const char *name, int name_n)
{
    char why[1024] = "", mode[32], zxid[32], count[32], latency[64], version[96];
    struct buf answer;
    buf_init(&answer, ANSWER_BYTES_MAX);
    int rc = ask(q, &answer, why, sizeof why);
    buf_append(&answer, "", 1);
    const char *text = answer.p != NULL ? (const char *)answer.p : "";
    int status = rc == 0 && strstr(text, "Mode: ") != NULL ? CMD_OK : CMD_FAILED;
    if (rc < 0 || *text == '\0')
        printf("%-24.*s %s\n", name_n, name, why[0] != '\0' ? why : "closed the connection without an answer");
    else if (status != CMD_OK)
        printf("%-24.*s %.*s\n", name_n, name, (int)strcspn(text, "\n"), text);
    else
        printf("%-24.*s %-11s %-13s %-11s %-15s %s\n", name_n, name, fact(text, "Mode: ", mode, sizeof mode),
               fact(text, "Zxid: ", zxid, sizeof zxid), fact(text, "Connections: ", count, sizeof count),
               fact(text, "Latency min/avg/max: ", latency, sizeof latency),
               fact(text, "Zookeeper version: ", version, sizeof version));
    buf_fini(&answer);
    return status;
}

/* A line for each of "HOST:PORT,HOST:PORT,...". */
static int print_table(struct question *q, const char *list)
{
    int status = CMD_OK;
    printf("%-24s %-11s %-13s %-11s %-15s %s\n", "server", "mode", "zxid", "connections", "min/avg/max ms", "version");
    for (const char *at = list; *at != '\0';) {
        size_t n = strcspn(at, ",");
        if (!take_address(q, at, n))
            return cmd_usage_error("status: '%.*s' is not HOST:PORT", (int)n, at);
        if (table_row(q, at, (int)n) != CMD_OK)
            status = CMD_FAILED;
        at += n + (at[n] == ',');
    }
    return status;
}

static int print_answer(const struct question *q)
{
    char why[1024] = "";
    struct buf answer;
    buf_init(&answer, ANSWER_BYTES_MAX);
    int rc = ask(q, &answer, why, sizeof why);
    int status = rc < 0 || answer.n == 0 ? CMD_FAILED : CMD_OK;
    fwrite(buf_slice(&answer).p, 1, answer.n, stdout);
    if (status != CMD_OK)
        fprintf(stderr, "Error contacting service. It is probably not running. (%s)\n",
                why[0] != '\0' ? why : "the connection was closed without an answer");
    buf_fini(&answer);
    return status;
}

static int take_words(struct question *q, char **words, int count)
{
    if (count == 0 || (count == 1 && take_address(q, words[0], strlen(words[0]))))
        return CMD_OK;
    if (count == 1)
        return from_config(q, words[0]);
    if (count > 4 || (count > 2 && strlen(words[2]) != 4))
        return cmd_usage_error("status: HOST PORT WORD secure are expected, WORD has four letters");
    (void)snprintf(q->host, sizeof q->host, "%s", words[0]);
    (void)snprintf(q->port, sizeof q->port, "%s", words[1]);
    if (count > 2)
        memcpy(q->word, words[2], 5);
    q->secure = count > 3 && strcmp(words[3], "false") != 0;
    return CMD_OK;
}

int cmd_status(int argc, char **argv)
{
    struct question q = { .host = "127.0.0.1", .port = "2181", .word = "srvr" };
    char *words[5];
    int count = 0, status = CMD_OK;
    flags_init(&q.flags);
    flags_add_words(&q.flags, getenv("JVMFLAGS"));
    flags_add_words(&q.flags, getenv("CLIENT_JVMFLAGS"));
    for (int i = 1; i < argc && status == CMD_OK; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(help_text, stdout);
            flags_fini(&q.flags);
            return cmd_finish_output(CMD_OK);
        }
        if (strncmp(argv[i], "-D", 2) == 0)
            flags_add(&q.flags, argv[i] + 2);
        else if (argv[i][0] == '-' || count == (int)ARRAY_COUNT(words))
            status = cmd_usage_error("status: '%s' is unexpected; zokor status --help tells what is not", argv[i]);
        else
            words[count++] = argv[i];
    }
    bool several = count == 1 && strchr(words[0], ',') != NULL;
    if (status == CMD_OK && !several)
        status = take_words(&q, words, count);
    if (status == CMD_OK)
        status = several ? print_table(&q, words[0]) : print_answer(&q);
    flags_fini(&q.flags);
    return cmd_finish_output(status);
}
