/* Services: what is registered here, and what is registered at all. */
#include "recipe/discovery.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WAIT_MS 15000 /* about what the framework's own policy takes to give up */

struct registration {
    struct list link;
    char *name, *id;
    struct zokor_persistent_node *node;
};

struct zokor_discovery *zokor_discovery_new(struct zokor_framework *f, const char *base_path)
{
    if (base_path == NULL || base_path[0] != '/')
        return NULL;
    struct zokor_discovery *d = mem_zalloc(sizeof(*d));
    d->f = f;
    d->path = zokor_path_join(base_path, "");
    pthread_mutex_init(&d->lock, NULL);
    list_init(&d->registrations);
    return d;
}

static void registration_free(struct registration *r)
{
    zokor_persistent_node_close(r->node);
    mem_free(r->name);
    mem_free(r->id);
    mem_free(r);
}

void zokor_discovery_free(struct zokor_discovery *d)
{
    if (d == NULL)
        return;
    LIST_FOR_SAFE(it, &d->registrations)
    registration_free(CONTAINER_OF(it, struct registration, link));
    pthread_mutex_destroy(&d->lock);
    mem_free(d->path);
    mem_free(d);
}

/* With the lock. */
static struct registration *find(struct zokor_discovery *d, const char *name, const char *id)
{
    LIST_FOR(it, &d->registrations)
    {
        struct registration *r = CONTAINER_OF(it, struct registration, link);
        if (strcmp(r->name, name) == 0 && strcmp(r->id, id) == 0)
            return r;
    }
    return NULL;
}

char *discovery_path(const struct zokor_discovery *d, const char *name, const char *id)
{
    char *service = zokor_path_join(d->path, name);
    if (id == NULL)
        return service;
    char *path = zokor_path_join(service, id);
    mem_free(service);
    return path;
}

static char *encode(const struct zokor_instance *i, int *len)
{
    struct zokor_instance stamped = *i;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (stamped.registered_ms == 0)
        stamped.registered_ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
    if (i->name == NULL || i->id == NULL || strchr(i->name, '/') != NULL || strchr(i->id, '/') != NULL)
        return NULL;
    return zokor_instance_encode(&stamped, len);
}

int zokor_discovery_register(struct zokor_discovery *d, const struct zokor_instance *i)
{
    const int modes[] = { ZOO_EPHEMERAL, ZOO_PERSISTENT, ZOO_PERSISTENT, ZOO_EPHEMERAL_SEQUENTIAL };
    int len;
    char *data = encode(i, &len);
    if (data == NULL)
        return ZBADARGUMENTS;
    pthread_mutex_lock(&d->lock);
    bool is_new = find(d, i->name, i->id) == NULL;
    pthread_mutex_unlock(&d->lock);
    int rc = is_new ? ZOK : zokor_discovery_update(d, i);
    if (is_new) {
        char *path = discovery_path(d, i->name, i->id);
        (void)zokor_framework_delete(d->f, path, ZOKOR_QUIETLY); /* of an earlier run: Curator deletes it, too */
        struct registration *r = mem_zalloc(sizeof(*r));
        r->name = recipe_copy(i->name);
        r->id = recipe_copy(i->id);
        r->node = zokor_persistent_node_start(d->f, path, modes[i->type], 0, data, len);
        pthread_mutex_lock(&d->lock);
        list_push_back(&d->registrations, &r->link);
        pthread_mutex_unlock(&d->lock);
        rc = zokor_persistent_node_wait(r->node, WAIT_MS);
        mem_free(path);
    }
    mem_free(data);
    return rc;
}

int zokor_discovery_update(struct zokor_discovery *d, const struct zokor_instance *i)
{
    int len;
    char *data = encode(i, &len);
    if (data == NULL)
        return ZBADARGUMENTS;
    pthread_mutex_lock(&d->lock);
    struct registration *r = find(d, i->name, i->id);
    pthread_mutex_unlock(&d->lock);
    if (r != NULL)
        zokor_persistent_node_set_data(r->node, data, len);
    mem_free(data);
    return r == NULL ? ZNONODE : ZOK;
}

int zokor_discovery_unregister(struct zokor_discovery *d, const char *name, const char *id)
{
    pthread_mutex_lock(&d->lock);
    struct registration *r = find(d, name, id);
    if (r != NULL)
        list_remove(&r->link);
    pthread_mutex_unlock(&d->lock);
    if (r == NULL)
        return ZNONODE;
    registration_free(r);
    return ZOK;
}

int zokor_discovery_names(struct zokor_discovery *d, struct String_vector *names)
{
    int rc = zokor_framework_children(d->f, d->path, names);
    return rc == ZNONODE ? ZOK : rc;
}

int zokor_discovery_instance(struct zokor_discovery *d, const char *name, const char *id,
                             struct zokor_instance **instance)
{
    char *path = discovery_path(d, name, id), *data;
    int len;
    int rc = zokor_framework_get(d->f, path, &data, &len, NULL);
    *instance = rc == ZOK ? zokor_instance_decode(data, len) : NULL;
    mem_free(path);
    mem_free(data);
    return rc == ZOK && *instance == NULL ? ZDATAINCONSISTENCY : rc;
}

int zokor_discovery_instances(struct zokor_discovery *d, const char *name, struct zokor_instance ***instances,
                              int *count)
{
    struct String_vector ids;
    char *path = discovery_path(d, name, NULL);
    int rc = zokor_framework_children(d->f, path, &ids);
    mem_free(path);
    rc = rc == ZNONODE ? ZOK : rc;
    *instances = mem_zalloc(((size_t)ids.count + 1) * sizeof(struct zokor_instance *));
    *count = 0;
    for (int32_t i = 0; i < ids.count && rc == ZOK; i++) {
        rc = zokor_discovery_instance(d, name, ids.data[i], &(*instances)[*count]);
        *count += rc == ZOK;
        if (rc == ZNONODE || rc == ZDATAINCONSISTENCY)
            rc = ZOK;
    }
    deallocate_String_vector(&ids);
    return rc;
}
