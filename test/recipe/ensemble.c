/* The list of servers follows the ensemble's configuration. */
#include "check.h"
#include "proxy.h"
#include <stdbool.h>

#define CONFIG "/zookeeper/config"

char base[64];
const char *hosts;
int port;

static void says(const char *config, const char *want, int64_t want_version)
{
    int64_t version;
    char *got = zokor_config_hosts(config, (int)strlen(config), &version);
    if (want == NULL)
        CHECK(got == NULL);
    else
        SAME(want, got);
    EQ(want_version, version);
    free(got);
}

static void test_texts(void)
{
    says("", NULL, 0);
    says("version=0", NULL, 0);
    says("server.1=a:2888:3888:participant\nversion=1ff", NULL, 0x1ff);
    says("server.1=a:2888:3888:participant;0.0.0.0:2181\nserver.2=b:2888:3888:observer;c:2182\nversion=100000000",
         "a:2181,c:2182", 0x100000000);
    says("server.1=a:1:2;2181\r\nserver.2=b:1:2:participant;\nserver.3=c:1:2|d:1:2;[::]:2183\r\n", "a:2181,c:2183", 0);
    says("server.1=[::1]:1:2:participant;[::]:2181\nserver.2=[2001:db8::2]:1:2;[2001:db8::9]:2182\nversion=a",
         "[::1]:2181,[2001:db8::9]:2182", 10);
    says("server.1\nserver.2=\nserver.3=;\n=;1\nserver.4=x;:5\n", "x:5", 0);
}

static void configure(struct zokor_framework *f, int at_port, int version)
{
    char text[128];
    int n = snprintf(text, sizeof(text), "server.1=127.0.0.1:1:2:participant;0.0.0.0:%d\nversion=%x", at_port, version);
    EQ(ZOK, zokor_framework_set(f, CONFIG, text, n, -1));
}

static bool is_at(struct zokor_framework *f, int at_port)
{
    char want[64];
    snprintf(want, sizeof(want), "127.0.0.1:%d", at_port);
    char *now = zokor_framework_hosts(f);
    bool same = strcmp(now, want) == 0;
    free(now);
    return same;
}

/* Two ways to one server, which says that first the one and then the other is the ensemble. */
static void test_moves(void)
{
    struct proxy *first = proxy_start(port), *second = proxy_start(port);
    char where[64], *old;
    int old_len;
    snprintf(where, sizeof(where), "127.0.0.1:%d", first->port);
    const struct zokor_auth super = { .scheme = "digest", .auth = "super:test", .auth_len = 10 };
    struct zokor_framework *admin =
        zokor_framework_open(&(struct zokor_framework_options){ .hosts = hosts, .auths = &super, .auth_count = 1 });
    EQ(ZOK, zokor_framework_get(admin, CONFIG, &old, &old_len, NULL));
    struct zokor_framework *f =
        zokor_framework_open(&(struct zokor_framework_options){ .hosts = where,
                                                                .session_timeout_ms = SHORT_SESSION_MS,
                                                                .retry = zokor_retry_n_times(1200, 50),
                                                                .follow_ensemble = 1 });
    EQ(ZOK, zokor_framework_wait_connected(f, WAIT_MS));
    EQ(ZOK, zokor_framework_exists(f, "/", NULL));
    int64_t session = zokor_framework_session_id(f);
    configure(admin, second->port, 0x500);
    EVENTUALLY(is_at(f, second->port));
    proxy_end(first); /* nobody is there any more */
    EQ(ZOK, zokor_framework_exists(f, "/", NULL));
    CHECK(session == zokor_framework_session_id(f));
    configure(admin, port, 0x4ff); /* older: from a server that lags behind */
    struct proxy *third = proxy_start(port);
    configure(admin, third->port, 0x501);
    EVENTUALLY(is_at(f, third->port));
    proxy_shut(third, 1); /* the next session, too, begins where the ensemble is */
    EVENTUALLY(zokor_framework_state(f) == ZOKOR_LOST);
    proxy_end(second);
    proxy_shut(third, 0);
    EVENTUALLY(zokor_framework_is_connected(f));
    CHECK(session != zokor_framework_session_id(f));
    configure(admin, port, 0x502);
    EVENTUALLY(is_at(f, port));
    EQ(ZOK, zokor_framework_set(admin, CONFIG, old, old_len, -1));
    free(old);
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(admin));
    proxy_end(third);
}

static const struct test tests[] = {
    { "texts", test_texts },
    { "moves", test_moves },
};

int main(int argc, char **argv)
{
    return run_tests(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
