/* Names to addresses, over getaddrinfo. */
#include "client/shell.h"
#include "base/mem.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

static bool keep_addr(const struct addrinfo *ai, struct client_addr *to)
{
    if ((ai->ai_family != AF_INET && ai->ai_family != AF_INET6) || ai->ai_addrlen > sizeof(to->bytes))
        return false;
    memset(to, 0, sizeof(*to));
    to->n = (uint8_t)ai->ai_addrlen;
    memcpy(to->bytes, ai->ai_addr, ai->ai_addrlen);
    return true;
}

size_t resolve_hosts(zhandle_t *zh, const char *text, struct client_addr *addrs, size_t max)
{
    struct client_host *hosts = mem_alloc(CLIENT_HOSTS_MAX * sizeof(*hosts));
    struct slice chroot;
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    size_t found = 0;
    int n = client_hosts_parse(text, hosts, &chroot);
    for (int i = 0; i < n; i++) {
        struct addrinfo *list = NULL;
        char name[256], port[8];
        (void)snprintf(name, sizeof(name), "%.*s", SLICE_ARG(hosts[i].host));
        (void)snprintf(port, sizeof(port), "%u", hosts[i].port);
        int rc = getaddrinfo(name, port, &hints, &list);
        if (rc != 0) {
            zlog(zh, ZOO_LOG_LEVEL_WARN, "cannot look up %s: %s", name, gai_strerror(rc));
            continue;
        }
        for (const struct addrinfo *ai = list; ai != NULL && found < max; ai = ai->ai_next) {
            if (!keep_addr(ai, &addrs[found]))
                continue;
            if (zh->secure != NULL || zh->login != NULL)
                host_names_note(&zh->names, &addrs[found], name);
            found++;
        }
        freeaddrinfo(list);
    }
    mem_free(hosts);
    return found;
}

void addr_print_sockaddr(const struct sockaddr *sa, char *out, size_t size)
{
    char text[INET6_ADDRSTRLEN] = "?";
    if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 a;
        memcpy(&a, sa, sizeof(a));
        inet_ntop(AF_INET6, &a.sin6_addr, text, sizeof(text));
        (void)snprintf(out, size, "[%s]:%u", text, ntohs(a.sin6_port));
    } else {
        struct sockaddr_in a;
        memcpy(&a, sa, sizeof(a));
        inet_ntop(AF_INET, &a.sin_addr, text, sizeof(text));
        (void)snprintf(out, size, "%s:%u", text, ntohs(a.sin_port));
    }
}

void addr_print(const struct client_addr *a, char *out, size_t size)
{
    struct sockaddr_storage s = { 0 };
    memcpy(&s, a->bytes, a->n);
    addr_print_sockaddr((const struct sockaddr *)&s, out, size);
}

void addr_print_host(const struct client_addr *a, char *out, size_t size)
{
    char text[80];
    addr_print(a, text, sizeof text);
    char *colon = strrchr(text, ':');
    if (colon != NULL)
        *colon = '\0';
    bool brackets = text[0] == '[';
    size_t n = strlen(text);
    if (brackets && n > 1)
        text[n - 1] = '\0';
    (void)snprintf(out, size, "%s", text + (brackets ? 1 : 0));
}
