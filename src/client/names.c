#include "client/names.h"
#include "base/mem.h"
#include <string.h>

#define NAMES_MAX 4096u

void host_names_init(struct host_names *n)
{
    *n = (struct host_names){ .all = NULL };
    pthread_mutex_init(&n->lock, NULL);
}

static void forget(struct host_names *n)
{
    for (size_t i = 0; i < n->count; i++)
        mem_free(n->all[i].name);
    mem_free(n->all);
    n->all = NULL;
    n->count = 0;
}

void host_names_fini(struct host_names *n)
{
    forget(n);
    pthread_mutex_destroy(&n->lock);
}

static char *copy(const char *name)
{
    size_t n = strlen(name) + 1;
    return memcpy(mem_alloc(n), name, n);
}

/* Names are kept when the list changes: a connection to a server of the old one may be under way. */
void host_names_note(struct host_names *n, const struct client_addr *a, const char *name)
{
    pthread_mutex_lock(&n->lock);
    for (size_t i = 0; i < n->count; i++)
        if (client_addr_eq(&n->all[i].addr, a) && strcmp(n->all[i].name, name) == 0)
            goto out;
    if (n->count == NAMES_MAX)
        forget(n);
    n->all = mem_realloc(n->all, (n->count + 1) * sizeof *n->all);
    n->all[n->count++] = (struct host_name){ .addr = *a, .name = copy(name) };
out:
    pthread_mutex_unlock(&n->lock);
}

void host_names_find(struct host_names *n, const struct client_addr *a, char *out[NAMES_OF_ONE_MAX + 1])
{
    size_t found = 0;
    pthread_mutex_lock(&n->lock);
    for (size_t i = n->count; i-- > 0 && found < NAMES_OF_ONE_MAX;)
        if (client_addr_eq(&n->all[i].addr, a))
            out[found++] = copy(n->all[i].name);
    pthread_mutex_unlock(&n->lock);
    out[found] = NULL;
}

void host_names_drop(char *out[NAMES_OF_ONE_MAX + 1])
{
    for (size_t i = 0; out[i] != NULL; i++)
        mem_free(out[i]);
}
