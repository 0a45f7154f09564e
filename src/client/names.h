/* names: what the connect string calls each address, for those who have to name a server: its certificate, or Kerberos.
 * Any thread. */
#ifndef ZOKOR_CLIENT_NAMES_H
#define ZOKOR_CLIENT_NAMES_H

#include "client/hosts.h"
#include <pthread.h>

#define NAMES_OF_ONE_MAX 8

struct host_name {
    struct client_addr addr;
    char *name;
};

struct host_names {
    pthread_mutex_t lock;
    struct host_name *all; /* lock */
    size_t count;
};

void host_names_init(struct host_names *n);
void host_names_fini(struct host_names *n);
void host_names_note(struct host_names *n, const struct client_addr *a, const char *name);
/* Copies of the names of an address, the latest first, and a NULL. To be freed with host_names_drop. */
void host_names_find(struct host_names *n, const struct client_addr *a, char *out[NAMES_OF_ONE_MAX + 1]);
void host_names_drop(char *out[NAMES_OF_ONE_MAX + 1]);

#endif
