/* zokor/discovery.h: services and where they are, with the nodes and the JSON of Apache Curator's service discovery:
 * below a path a node for each service, below that one for each instance.
 *
 * Threads and errors: zokor/framework.h. What is created here is freed before the framework is closed. */
#ifndef ZOKOR_DISCOVERY_PUBLIC_H
#define ZOKOR_DISCOVERY_PUBLIC_H

#include <zokor/framework.h>

#ifdef __cplusplus
extern "C" {
#endif

enum zokor_service_type {
    ZOKOR_SERVICE_DYNAMIC = 0, /* there as long as who registered it */
    ZOKOR_SERVICE_STATIC,      /* there until somebody removes it */
    ZOKOR_SERVICE_PERMANENT,   /* the same */
    ZOKOR_SERVICE_DYNAMIC_SEQUENTIAL
};

struct zokor_instance {
    char *name;            /* of the service */
    char *id;              /* of this instance, unique in the service */
    char *address;         /* may be NULL */
    int port, ssl_port;    /* 0: none */
    char *payload;         /* any JSON, as text; NULL: none */
    int64_t registered_ms; /* since 1970 */
    enum zokor_service_type type;
    char *uri_spec; /* "{scheme}://{address}:{port}"; NULL: none */
    int disabled;
};
struct zokor_instance *zokor_instance_copy(const struct zokor_instance *i);
void zokor_instance_free(struct zokor_instance *i);
/* As Curator's JsonInstanceSerializer writes it; to be freed with free. NULL: payload is no JSON, or no name or id. */
char *zokor_instance_encode(const struct zokor_instance *i, int *len);
/* To be freed with zokor_instance_free; NULL: not an instance. */
struct zokor_instance *zokor_instance_decode(const char *data, int len);
/* uri_spec with its variables (scheme: https with an ssl_port, else http; name, id, address, port, ssl-port,
 * registration-time-utc, service-type) replaced; to be freed with free; NULL: no uri_spec. */
char *zokor_instance_uri(const struct zokor_instance *i);
/* Text as a JSON string, with its quotes; to be freed with free. */
char *zokor_json_quote(const char *text);

struct zokor_discovery;
struct zokor_discovery *zokor_discovery_new(struct zokor_framework *f, const char *base_path);
/* Unregisters everything that was registered with it. */
void zokor_discovery_free(struct zokor_discovery *d);
/* Registers until it is unregistered, across sessions; waits until it is there (as long as the framework's retry policy
 * says; then it goes on in the background and ZOPERATIONTIMEOUT is returned). What an earlier run of the same
 * instance left behind is replaced. registered_ms 0: now. ZBADARGUMENTS: no name, no id, bad payload. */
int zokor_discovery_register(struct zokor_discovery *d, const struct zokor_instance *i);
/* ZNONODE: it is not registered here. */
int zokor_discovery_update(struct zokor_discovery *d, const struct zokor_instance *i);
int zokor_discovery_unregister(struct zokor_discovery *d, const char *name, const char *id);

/* What the server says now. Arrays are freed with zokor_instances_free; nodes that are no instances are left out. */
int zokor_discovery_names(struct zokor_discovery *d, struct String_vector *names);
int zokor_discovery_instances(struct zokor_discovery *d, const char *name, struct zokor_instance ***instances,
                              int *count);
int zokor_discovery_instance(struct zokor_discovery *d, const char *name, const char *id,
                             struct zokor_instance **instance);
void zokor_instances_free(struct zokor_instance **instances, int count);

/* The instances of one service, kept up to date. */
struct zokor_service_cache;
/* After every change, on the framework's thread. */
typedef void (*zokor_service_fn)(struct zokor_service_cache *c, void *context);
struct zokor_service_cache *zokor_service_cache_start(struct zokor_discovery *d, const char *name, zokor_service_fn fn,
                                                      void *context);
/* As zokor_cache_wait. */
int zokor_service_cache_wait(struct zokor_service_cache *c, int timeout_ms);
/* By id. */
int zokor_service_cache_instances(struct zokor_service_cache *c, struct zokor_instance ***instances, int *count);
/* Not inside its fn. */
void zokor_service_cache_close(struct zokor_service_cache *c);

/* One of the instances at a time. */
enum zokor_strategy { ZOKOR_ROUND_ROBIN = 0, ZOKOR_RANDOM, ZOKOR_STICKY };
/* All zeros is fine. */
struct zokor_provider_options {
    enum zokor_strategy strategy;
    /* Non-zero: this one may be taken. NULL: all that are not disabled. */
    int (*filter)(const struct zokor_instance *i, void *context);
    void *context;
    int errors_max; /* so many errors within down_ms: left out until down_ms have passed. 0: 2 */
    int down_ms;    /* 0: 30,000 */
};
struct zokor_provider;
struct zokor_provider *zokor_provider_start(struct zokor_discovery *d, const char *name,
                                            const struct zokor_provider_options *options);
int zokor_provider_wait(struct zokor_provider *p, int timeout_ms);
/* ZOK, or ZNONODE: there is none. To be freed with zokor_instance_free. */
int zokor_provider_get(struct zokor_provider *p, struct zokor_instance **instance);
/* The instance did not do what it should. */
void zokor_provider_note_error(struct zokor_provider *p, const char *id);
void zokor_provider_close(struct zokor_provider *p);

#ifdef __cplusplus
}
#endif

#endif
