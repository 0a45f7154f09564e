/* Services: the JSON, registrations that last, caches and the choice of an instance. */
#include "check.h"
#include "proxy.h"
#include <zokor/discovery.h>

char base[64];
const char *hosts;
int port;

/* As Curator 5.4 writes them. */
static const char *const golden[] = {
    "{\"name\":\"svc\",\"id\":\"i1\",\"address\":\"1.2.3.4\",\"port\":80,\"sslPort\":null,"
    "\"payload\":\"pay\\\"\xc3\xa9/x\",\"registrationTimeUTC\":5,\"serviceType\":\"DYNAMIC\",\"uriSpec\":{\"parts\":["
    "{\"value\":\"scheme\",\"variable\":true},{\"value\":\"://\",\"variable\":false},"
    "{\"value\":\"address\",\"variable\":true},{\"value\":\":\",\"variable\":false},"
    "{\"value\":\"port\",\"variable\":true},{\"value\":\"/x\",\"variable\":false}]}}",
    "{\"name\":\"svc\",\"id\":\"i1\",\"address\":\"h\",\"port\":null,\"sslPort\":443,\"payload\":null,"
    "\"registrationTimeUTC\":5,\"serviceType\":\"STATIC\",\"uriSpec\":null}",
};

static void test_json(void)
{
    for (size_t g = 0; g < 2; g++) {
        struct zokor_instance *i = zokor_instance_decode(golden[g], (int)strlen(golden[g]));
        int n;
        CHECK(i != NULL);
        char *again = zokor_instance_encode(i, &n);
        SAME(golden[g], again);
        EQ(strlen(golden[g]), n);
        char *uri = zokor_instance_uri(i);
        CHECK((uri == NULL) == (g == 1));
        if (uri != NULL)
            SAME("http://1.2.3.4:80/x", uri);
        free(uri);
        free(again);
        zokor_instance_free(i);
        for (int cut = 0; cut < (int)strlen(golden[g]); cut++) {
            char *part = malloc((size_t)cut + 1); /* so that a sanitizer sees a byte too far */
            memcpy(part, golden[g], (size_t)cut);
            CHECK(zokor_instance_decode(part, cut) == NULL);
            free(part);
        }
    }
    const char *odd = " { \"more\" : [1, {\"a\":[]}, -2.5e3], \"id\":\"\\u00e9\\ud83d\\ude00\\n\",\"name\":\"n\", "
                      "\"enabled\":false, \"payload\": {\"k\": [true]} } ";
    struct zokor_instance *i = zokor_instance_decode(odd, (int)strlen(odd));
    SAME("\xc3\xa9\xf0\x9f\x98\x80\n", i->id);
    SAME("{\"k\": [true]}", i->payload);
    EQ(1, i->disabled);
    zokor_instance_free(i);
    char deep[400];
    memset(deep, '[', sizeof(deep));
    memcpy(deep, "{\"x\":", 5);
    CHECK(zokor_instance_decode(deep, sizeof(deep)) == NULL);
    int n;
    static const char *const bad[] = { "{",  "1-2",     "01",     ".5",   "1.",  "-",
                                       "1e", "\"\\q\"", "\"\\\"", "[1,]", "tru", "1 2" };
    for (size_t b = 0; b < sizeof(bad) / sizeof(bad[0]); b++) {
        struct zokor_instance with = { .name = "n", .id = "i", .payload = (char *)bad[b] };
        CHECK(zokor_instance_encode(&with, &n) == NULL);
    }
    static const char *const good[] = { "-0.5e+10", "0", "120", "\"\\u00e9\\n\"", "[1, -2]", " true " };
    for (size_t g = 0; g < sizeof(good) / sizeof(good[0]); g++) {
        struct zokor_instance with = { .name = "n", .id = "i", .payload = (char *)good[g] };
        char *encoded = zokor_instance_encode(&with, &n);
        CHECK(encoded != NULL && strstr(encoded, good[g]) != NULL);
        free(encoded);
    }
}

static struct zokor_instance instance(const char *id, int at_port)
{
    return (struct zokor_instance){ .name = "web", .id = (char *)id, .address = "127.0.0.1", .port = at_port };
}

static void test_registration(void)
{
    struct proxy *x = proxy_start(port);
    char where[64];
    snprintf(where, sizeof(where), "127.0.0.1:%d", x->port);
    struct zokor_framework *f = open_at(where, SHORT_SESSION_MS), *other = open_direct();
    struct zokor_discovery *d = zokor_discovery_new(f, base), *seen = zokor_discovery_new(other, base);
    struct zokor_instance one = instance("one", 1), **all, *got;
    struct String_vector names;
    int n;
    EQ(ZOK, zokor_framework_create(other, at("/web/one"), "stale", 5, ZOO_EPHEMERAL, ZOKOR_PARENTS, NULL));
    EQ(ZOK, zokor_discovery_register(d, &one));
    EQ(ZOK, zokor_discovery_names(seen, &names));
    EQ(1, names.count);
    SAME("web", names.data[0]);
    deallocate_String_vector(&names);
    EQ(ZOK, zokor_discovery_instances(seen, "web", &all, &n));
    EQ(1, n);
    EQ(1, all[0]->port);
    CHECK(all[0]->registered_ms > 1500000000000);
    zokor_instances_free(all, n);
    one.port = 2;
    EQ(ZOK, zokor_discovery_update(d, &one));
    EVENTUALLY(zokor_discovery_instance(seen, "web", "one", &got) == ZOK &&
               (n = got->port, zokor_instance_free(got), n) == 2);
    proxy_shut(x, 1);
    EVENTUALLY(zokor_framework_exists(other, at("/web/one"), NULL) == ZNONODE);
    EVENTUALLY(zokor_framework_state(f) == ZOKOR_LOST);
    proxy_shut(x, 0);
    EVENTUALLY(zokor_framework_exists(other, at("/web/one"), NULL) == ZOK);
    EQ(ZNONODE, zokor_discovery_unregister(d, "web", "two"));
    EQ(ZOK, zokor_discovery_unregister(d, "web", "one"));
    EQ(ZNONODE, zokor_framework_exists(other, at("/web/one"), NULL));
    one.type = ZOKOR_SERVICE_STATIC;
    EQ(ZOK, zokor_discovery_register(d, &one));
    zokor_discovery_free(d);
    EQ(ZOK, zokor_discovery_instances(seen, "web", &all, &n));
    EQ(0, n);
    zokor_instances_free(all, n);
    one.id = "a/b";
    EQ(ZBADARGUMENTS, zokor_discovery_register(seen, &one));
    zokor_discovery_free(seen);
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(other));
    proxy_end(x);
}

static int is_even(const struct zokor_instance *i, void *context)
{
    (void)context;
    return i->port % 2 == 0;
}

static int next_port(struct zokor_provider *p)
{
    struct zokor_instance *i;
    if (zokor_provider_get(p, &i) != ZOK)
        return 0;
    int its = i->port;
    zokor_instance_free(i);
    return its;
}

static atomic_int told;

static void on_service(struct zokor_service_cache *c, void *context)
{
    struct zokor_instance **all;
    int n;
    (void)context;
    EQ(ZOK, zokor_service_cache_instances(c, &all, &n));
    zokor_instances_free(all, n);
    atomic_store(&told, n);
}

static void test_provider(void)
{
    struct zokor_framework *f = open_direct();
    struct zokor_discovery *d = zokor_discovery_new(f, base);
    struct zokor_service_cache *c = zokor_service_cache_start(d, "web", on_service, NULL);
    struct zokor_provider *p = zokor_provider_start(d, "web", NULL);
    EQ(ZOK, zokor_provider_wait(p, WAIT_MS));
    EQ(0, next_port(p));
    for (int i = 1; i <= 4; i++) {
        char id[2] = { (char)('a' + i), 0 };
        struct zokor_instance it = instance(id, i);
        it.disabled = i == 4;
        EQ(ZOK, zokor_discovery_register(d, &it));
    }
    EQ(ZOK, zokor_framework_create(f, at("/web/foreign"), "x", 1, 0, 0, NULL));
    EVENTUALLY(atomic_load(&told) == 4);
    struct zokor_provider *even =
        zokor_provider_start(d, "web", &(struct zokor_provider_options){ .filter = is_even, .strategy = ZOKOR_RANDOM });
    struct zokor_provider *sticky = zokor_provider_start(
        d, "web", &(struct zokor_provider_options){ .strategy = ZOKOR_STICKY, .down_ms = 10 * WAIT_MS });
    EQ(ZOK, zokor_provider_wait(even, WAIT_MS));
    EQ(ZOK, zokor_provider_wait(sticky, WAIT_MS));
    while (next_port(p) != 3)
        poll(NULL, 0, 1);
    for (int i = 0; i < 6; i++)
        EQ(i % 3 + 1, next_port(p));
    EQ(2, next_port(even));
    int stuck = next_port(sticky);
    for (int i = 0; i < 10; i++)
        EQ(stuck, next_port(sticky));
    char id[2] = { (char)('a' + stuck), 0 };
    zokor_provider_note_error(sticky, id);
    EQ(stuck, next_port(sticky));
    zokor_provider_note_error(sticky, id);
    CHECK(next_port(sticky) != stuck);
    EVENTUALLY(next_port(even) == 2);
    EQ(ZOK, zokor_discovery_unregister(d, "web", "c"));
    EVENTUALLY(next_port(even) == 0);
    zokor_provider_close(even);
    zokor_provider_close(sticky);
    zokor_provider_close(p);
    zokor_service_cache_close(c);
    zokor_discovery_free(d);
    EQ(ZOK, zokor_framework_close(f));
}

static const struct test tests[] = {
    { "json", test_json },
    { "registration", test_registration },
    { "provider", test_provider },
};

int main(int argc, char **argv)
{
    return run_tests(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
