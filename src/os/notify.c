#include "os/notify.h"
#include "base/err.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* sd_notify(3): a path, or with '@' in front a name of the abstract kind, whose first byte is 0. */
int notify_send(const char *lines)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    if (name == NULL || name[0] == '\0')
        return 0;
    size_t n = strlen(name), text_n = strlen(lines);
    if ((name[0] != '/' && name[0] != '@') || n < 2 || n >= sizeof to.sun_path)
        return ERR_INVALID;
    memcpy(to.sun_path, name, n);
    if (name[0] == '@')
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return ERR_IO;
    socklen_t to_n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    ssize_t sent = sendto(fd, lines, text_n, MSG_NOSIGNAL, (const struct sockaddr *)&to, to_n);
    close(fd);
    return sent == (ssize_t)text_n ? 0 : ERR_IO;
}
