/* hosts: the servers of a connect string and the order in which they are tried. Pure: addresses come from outside and
 * are only compared; chance comes from a seed. */
#ifndef ZOKOR_CLIENT_HOSTS_H
#define ZOKOR_CLIENT_HOSTS_H

#include "base/rng.h"
#include "base/slice.h"
#include "base/assert.h"

#define CLIENT_PORT_DEFAULT 2181
#define CLIENT_HOSTS_MAX 1024 /* names in a connect string, addresses behind them */

/* A socket address as the shell knows it; n of its bytes count. */
struct client_addr {
    uint8_t n;
    uint8_t bytes[31];
};

/* One name of a connect string. `host` is without brackets. */
struct client_host {
    struct slice host;
    uint16_t port;
};

/* Cuts "a:1,[::1]:2,c/chroot" into hosts (slices of `text`, at most CLIENT_HOSTS_MAX) and chroot (null if there is none
 * or it is "/"). The number of hosts, or ERR_BAD_ARGUMENTS: no host, a bad port, a chroot that is no valid path. */
int client_hosts_parse(const char *text, struct client_host *hosts, struct slice *chroot) WARN_UNUSED;

/* Paths as the interface judges them before a request is sent (client specification 4.1, without the classes of
 * characters, which the server judges). A sequential name may end with '/', "/."
 * or "/..", because a number follows. */
bool client_path_valid(const char *path, bool sequential);

struct client_hosts {
    struct rng rng;
    bool ordered; /* as given; otherwise shuffled */
    struct client_addr *all;
    size_t n;
    size_t next;  /* index of the address to try next */
    size_t tried; /* attempts since the last success */
    bool has_current;
    struct client_addr current; /* what client_hosts_next gave last */
    /* While a change of the list is being levelled out: addresses that were in the list before and those that were not
     * are kept apart, and one kind is chosen by chance. */
    bool levelling;
    struct client_addr *old_ones, *new_ones;
    size_t old_n, new_n, old_at, new_at;
    double chance_old;
};

void client_hosts_init(struct client_hosts *h, uint64_t seed, bool ordered);
void client_hosts_fini(struct client_hosts *h);

/* Takes a list over. `connected`: there is a connection to the current address now. True if the connection should be
 * given up so that clients spread evenly over the new list (the scheme of Apache's clients: a list that grew from m to
 * n moves a client with probability 1 - m/n, a list that lost the client's server moves it to the others by weight). */
bool client_hosts_set(struct client_hosts *h, const struct client_addr *addrs, size_t n, bool connected);

/* True if the list holds exactly these addresses, in any order. */
bool client_hosts_same(const struct client_hosts *h, const struct client_addr *addrs, size_t n);
bool client_hosts_has(const struct client_hosts *h, const struct client_addr *a);

/* The address to try next; NULL if the list is empty. It becomes the current one. */
const struct client_addr *client_hosts_next(struct client_hosts *h);

/* The next address becomes the current one; nothing was tried. */
void client_hosts_cycle(struct client_hosts *h);

/* True when every address was tried since the last success. */
bool client_hosts_round_over(const struct client_hosts *h);

/* A connection has succeeded: levelling ends, a new round begins. */
void client_hosts_succeeded(struct client_hosts *h);

/* The next attempt goes to this address, if it is in the list. */
void client_hosts_prefer(struct client_hosts *h, const struct client_addr *a);

bool client_addr_eq(const struct client_addr *a, const struct client_addr *b);

#endif
