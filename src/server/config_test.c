/* What real configuration files give, and what wrong ones are told. Expected defaults are those of Apache 3.9.5,
 * written down here a second time on purpose. */
#include "base/err.h"
#include "server/config_peers.h"
#include "server/config_table.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

#define BASE "dataDir=/d\nclientPort=2181\n"

/* Files of a pretend disk: name, text, ..., NULL. */
static int read_pretend(void *ctx, const char *path, struct buf *out)
{
    const char *const *files = ctx;
    for (; files[0] != NULL; files += 2) {
        if (strcmp(files[0], path) == 0) {
            buf_append(out, files[1], strlen(files[1]));
            return out->err;
        }
    }
    return ERR_NOT_FOUND;
}

struct given {
    const char *cfg, *dynamic, *my_id; /* texts of zoo.cfg, dyn (and dyn.1f), /d/myid; NULL: no such file */
    const char *defines[8];
    const char *jvm_flags, *server_jvm_flags;
};

static int load(struct config *config, const struct given *given, struct config_error *err)
{
    const char *files[10] = { 0 };
    size_t n = 0, define_count = 0;
    const char *names[] = { "zoo.cfg", "dyn", "dyn.1f", "/d/myid" };
    const char *texts[] = { given->cfg, given->dynamic, given->dynamic, given->my_id };
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (texts[i] != NULL) {
            files[n++] = names[i];
            files[n++] = texts[i];
        }
    }
    while (given->defines[define_count] != NULL)
        define_count++;
    struct config_input input = {
        .file = "zoo.cfg",
        .defines = given->defines,
        .define_count = define_count,
        .jvm_flags = given->jvm_flags,
        .server_jvm_flags = given->server_jvm_flags,
        .read_file = read_pretend,
        .read_ctx = files,
    };
    return config_load(config, &input, err);
}

static void good(struct config *config, struct given given)
{
    struct config_error err;
    int code = load(config, &given, &err);
    if (code != 0)
        fail_msg("refused: %s", err.text);
}

static void refused(struct given given, const char *expected)
{
    struct config config;
    struct config_error err;
    assert_int_not_equal(load(&config, &given, &err), 0);
    assert_string_equal(err.text, expected);
}

static void warned(struct given given, const char *expected)
{
    struct config config;
    good(&config, given);
    if (expected == NULL) {
        assert_int_equal(config.warning_count, 0);
    } else {
        assert_int_equal(config.warning_count, 1);
        assert_string_equal(config.warnings[0], expected);
    }
    config_fini(&config);
}

static void defaults(void **state)
{
    (void)state;
    struct config c;
    good(&c, (struct given){ .cfg = BASE });
    assert_string_equal(c.data_dir, "/d");
    assert_string_equal(c.data_log_dir, "/d");
    assert_int_equal(c.client_port, 2181);
    assert_string_equal(c.client_port_address, "");
    assert_int_equal(c.tick_time_ms, 3000);
    assert_int_equal(c.session_timeout_ms_min, 6000);
    assert_int_equal(c.session_timeout_ms_max, 60000);
    assert_int_equal(c.conns_per_ip_max, 60);
    assert_int_equal(c.conns_max, 0);
    assert_int_equal(c.listen_backlog, -1);
    assert_int_equal(c.snap_count, 100000);
    assert_int_equal(c.snap_size_limit_kb, 4194304);
    assert_int_equal(c.log_size_limit_kb, -1);
    assert_int_equal(c.log_prealloc_kb, 65536);
    assert_int_equal(c.purge_keep_snapshots, 3);
    assert_int_equal(c.purge_interval_hours, 0);
    assert_true(c.force_sync);
    assert_int_equal(c.fsync_warn_ms, 1000);
    assert_int_equal(c.container_check_ms, 60000);
    assert_int_equal(c.container_per_minute_max, 10000);
    assert_int_equal(c.container_never_used_ms_max, 0);
    assert_int_equal(c.jute_max_buffer_bytes, 1048575);
    assert_int_equal(c.jute_extra_bytes, 1048575);
    assert_int_equal(c.outstanding_limit, 1000);
    assert_int_equal(c.sessionless_timeout_ms, 10000);
    assert_string_equal(c.words_allowed, "srvr");
    assert_string_equal(c.digest_algorithm, "SHA1");
    assert_string_equal(c.super_digest, "");
    assert_string_equal(c.snapshot_compression, "none");
    assert_true(c.digest_enabled && c.digest_auth && c.serialize_last_zxid && c.close_session_txn);
    assert_false(c.extended_types || c.skip_acl || c.enforce_quota || c.reconfig_enabled || c.enforce_auth);
    assert_true(c.leader_serves && c.datadir_autocreate && c.db_autocreate && c.fips_mode && c.admin_enabled);
    assert_false(c.distributed);
    assert_int_equal(c.my_id, -1);
    assert_int_equal(c.warning_count, 0);
    config_fini(&c);
}

/* A value that the row takes and that is not its default. */
static void other_value(const struct config_row *row, char *text, size_t size)
{
    switch (row->type) {
    case CONFIG_BOOL:
        snprintf(text, size, "%s", row->number ? "false" : "true");
        break;
    case CONFIG_YESNO:
        snprintf(text, size, "%s", row->number ? "no" : "yes");
        break;
    case CONFIG_INT:
    case CONFIG_LONG:
        snprintf(text, size, "%lld", (long long)(row->number < row->max ? row->number + 1 : row->min));
        break;
    case CONFIG_REAL:
        snprintf(text, size, "0.5");
        break;
    case CONFIG_ENUM:
        snprintf(text, size, "%s", strrchr(row->choices, ' ') + 1);
        if (strcmp(text, row->text) == 0)
            snprintf(text, size, "%.*s", (int)strcspn(row->choices, " "), row->choices);
        break;
    case CONFIG_TEXT:
    case CONFIG_SECRET:
    case CONFIG_PATH:
    case CONFIG_LIST:
    case CONFIG_FAMILY:
        snprintf(text, size, "other,value");
        break;
    }
}

/* Sets every key by every spelling, bare and with the prefix, and finds the field changed. */
static void every_key_parses(void **state)
{
    (void)state;
    size_t tried = 0;
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        const struct config_row *row = &config_rows[i];
        if (row->min == row->max && row->type == CONFIG_INT)
            continue; /* electionAlg has one value */
        for (const char *name = row->names; *name != '\0'; name += strlen(name) + 1) {
            struct config c;
            struct buf why, shown;
            struct slice bare;
            char text[64], prefixed[128];
            snprintf(prefixed, sizeof prefixed, "zookeeper.%s%s", name, row->type == CONFIG_FAMILY ? "1" : "");
            if (strcmp(name, "superUser") == 0)
                snprintf(prefixed, sizeof prefixed, "zookeeper.superUser.1");
            other_value(row, text, sizeof text);
            assert_ptr_equal(config_find(slice_str(prefixed), &bare), row);
            assert_string_equal((const char *)bare.p, prefixed + strlen("zookeeper."));
            assert_ptr_equal(config_find(bare, &bare), row);
            config_init(&c);
            config_reset(&c, row); /* computed ones too */
            buf_init(&why, 1000);
            buf_init(&shown, 1000);
            assert_int_equal(config_set(&c, row, bare, slice_str(text), 1, &why), 0);
            const void *field = (const char *)&c + row->offset;
            config_print(&c, row, &shown);
            if (row->type == CONFIG_FAMILY) {
                assert_int_equal(((const struct config_pairs *)field)->count, 1);
            } else if (row->type == CONFIG_SECRET) {
                assert_string_equal(*(const char *const *)field, text);
                assert_true(slice_eq_str(buf_slice(&shown), "***"));
            } else {
                assert_true(slice_eq_str(buf_slice(&shown), text));
            }
            buf_fini(&why);
            buf_fini(&shown);
            config_fini(&c);
            tried++;
        }
    }
    assert_true(tried > CONFIG_KEY_COUNT);
}

static void names_are_unique_and_defaults_in_range(void **state)
{
    (void)state;
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        const struct config_row *row = &config_rows[i];
        struct slice bare;
        for (const char *name = row->names; *name != '\0'; name += strlen(name) + 1) {
            if (row->type != CONFIG_FAMILY)
                assert_ptr_equal(config_find(slice_str(name), &bare), row);
        }
        if (row->type == CONFIG_INT || row->type == CONFIG_LONG)
            assert_true(row->min <= row->max && (row->number >= row->min || (row->flags & CONFIG_INHERIT)));
        assert_true(row->help[0] != '\0');
    }
}

static void wrong_values_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *line, *error;
    } rows[] = {
        { "tickTime=abc", "tickTime: 'abc' is not a number (1..2147483647 ms)" },
        { "tickTime=0", "tickTime: '0' is out of range (1..2147483647 ms)" },
        { "tickTime=", "tickTime: '' is not a number (1..2147483647 ms)" },
        { "tickTime=20 00", "tickTime: '20 00' is not a number (1..2147483647 ms)" },
        { "tickTime=2147483648", "tickTime: '2147483648' is out of range (1..2147483647 ms)" },
        { "tickTime=99999999999999999999", "tickTime: '99999999999999999999' is out of range (1..2147483647 ms)" },
        { "tickTime=-1", "tickTime: '-1' is out of range (1..2147483647 ms)" },
        { "clientPort=70000", "clientPort: '70000' is out of range (0..65535)" },
        { "zookeeper.snapCount=1", "zookeeper.snapCount: '1' is out of range (2..2147483647)" },
        { "forceSync=false", "forceSync: 'false' is not yes or no (yes or no)" },
        { "digest.enabled=yes", "digest.enabled: 'yes' is not true or false (true or false)" },
        { "snapshotSizeFactor=x", "snapshotSizeFactor: 'x' is not a number (-1..1e+09)" },
        { "connection_throttle_drop_increase=1.5", "connection_throttle_drop_increase: '1.5' is out of range (0..1)" },
        { "snapshot.compression.method=lz4", "snapshot.compression.method: 'lz4' is not known (none, gz, snappy)" },
        { "peerType=leader", "peerType: 'leader' is not known (participant, observer)" },
        { "electionAlg=0", "electionAlg: '0' is out of range (only 3)" },
        { "jute.maxbuffer=0xfffffffffffffffff",
          "jute.maxbuffer: '0xfffffffffffffffff' is out of range (1..2147482623 bytes)" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        char cfg[256], expected[256];
        snprintf(cfg, sizeof cfg, BASE "# comment\n%s\n", rows[i].line);
        snprintf(expected, sizeof expected, "zoo.cfg: line 4: %s", rows[i].error);
        refused((struct given){ .cfg = cfg }, expected);
    }
    refused((struct given){ .cfg = BASE "a=\\u1\n" }, "zoo.cfg: line 3: a \\u needs four hexadecimal digits");
    refused((struct given){ .cfg = BASE, .defines = { "zookeeper.snapCount=x" } },
            "-Dzookeeper.snapCount: 'x' is not a number (2..2147483647)");
}

static void numbers_are_read_as_java_reads_them(void **state)
{
    (void)state;
    struct config c;
    good(&c, (struct given){ .cfg = BASE "jute.maxbuffer=0xFFfff\nsnapCount=+7\nmaxClientCnxns=-1\n" });
    assert_int_equal(c.jute_max_buffer_bytes, 0xfffff);
    assert_int_equal(c.jute_extra_bytes, 0xfffff);
    assert_int_equal(c.snap_count, 7);
    assert_int_equal(c.conns_per_ip_max, -1);
    config_fini(&c);
    good(&c, (struct given){ .cfg = BASE "leaderServes=NO\ndigest.enabled=False\npeerType=Participant\n" });
    assert_false(c.leader_serves);
    assert_false(c.digest_enabled);
    assert_string_equal(c.peer_type, "participant");
    config_fini(&c);
}

static void rules_about_several_keys(void **state)
{
    (void)state;
    refused((struct given){ .cfg = "clientPort=2181\n" }, "zoo.cfg: dataDir is not set");
    refused((struct given){ .cfg = "dataDir=/d\n" }, "zoo.cfg: neither clientPort nor secureClientPort is set");
    refused((struct given){ .cfg = "dataDir=/d\nclientPortAddress=::1\n" },
            "zoo.cfg: clientPortAddress is set but clientPort is not set");
    refused((struct given){ .cfg = BASE "secureClientPortAddress=::1\n" },
            "zoo.cfg: secureClientPortAddress is set but secureClientPort is not set");
    refused((struct given){ .cfg = BASE "minSessionTimeout=9000\nmaxSessionTimeout=8999\n" },
            "zoo.cfg: minSessionTimeout (9000 ms) must not be larger than maxSessionTimeout (8999 ms)");
    refused((struct given){ .cfg = BASE "enforce.auth.enabled=true\n" },
            "zoo.cfg: enforce.auth.enabled is true, so enforce.auth.schemes must be set");
    refused((struct given){ .cfg = BASE "quorum.auth.serverRequireSasl=true\nquorum.auth.enableSasl=true\n" },
            "zoo.cfg: quorum.auth.serverRequireSasl needs quorum.auth.learnerRequireSasl");
    refused((struct given){ .cfg = BASE "quorum.auth.learnerRequireSasl=true\n" },
            "zoo.cfg: quorum.auth.learnerRequireSasl needs quorum.auth.enableSasl");
    refused((struct given){ .cfg = BASE "standaloneEnabled=false\n" },
            "zoo.cfg: standaloneEnabled=false needs at least one server line of a participant");
    warned((struct given){ .cfg = BASE "autopurge.snapRetainCount=2\n" },
           "zoo.cfg: autopurge.snapRetainCount: 2 is less than 3, so 3 is used");
    struct config c;
    good(&c, (struct given){ .cfg = BASE "tickTime=2000000000\n" });
    assert_int_equal(c.session_timeout_ms_max, INT32_MAX);
    config_fini(&c);
    good(&c, (struct given){ .cfg = BASE "sessionRequireClientSASLAuth=true\n" });
    assert_true(c.enforce_auth);
    assert_string_equal(c.enforce_auth_schemes, "sasl");
    config_fini(&c);
    good(&c, (struct given){ .cfg = BASE "sessionRequireClientSASLAuth=true\nenforce.auth.schemes=digest\n" });
    assert_string_equal(c.enforce_auth_schemes, "sasl");
    config_fini(&c);
}

static void warnings(void **state)
{
    (void)state;
    warned((struct given){ .cfg = BASE "foo=1\nfoo=2\n" }, "zoo.cfg: line 3: foo: unknown key, ignored");
    warned((struct given){ .cfg = BASE, .defines = { "zookeeper.foo", "zookeeper.foo=1" } },
           "-Dzookeeper.foo: unknown key, ignored");
    warned((struct given){ .cfg = BASE, .defines = { "java.net.preferIPv4Stack=true", "server.x=1" } }, NULL);
    warned((struct given){ .cfg = BASE "snapCount=5\nsnapCount=6\n" },
           "zoo.cfg: line 4: snapCount: given before in line 3; this line wins");
    warned((struct given){ .cfg = BASE "snapCount=5\n", .defines = { "zookeeper.snapCount=6" } },
           "zoo.cfg: line 3: snapCount: the file wins over -Dzookeeper.snapCount");
    warned((struct given){ .cfg = BASE "snapCount=5\n", .defines = { "zookeeper.snapCount=5" } }, NULL);
    warned((struct given){ .cfg = BASE "admin.enableServer=true\nserverCnxnFactory=x\n" }, NULL);
}

static void where_values_come_from(void **state)
{
    (void)state;
    struct config c;
    good(&c, (struct given){
                 .cfg = BASE "snapCount=40\n",
                 .jvm_flags = "-Xmx1g -Dzookeeper.snapCount=10 -Dzookeeper.preAllocSize=11 -Djute.maxbuffer=12 "
                              "-Dzookeeper.maxCnxns=13",
                 .server_jvm_flags = "-Dzookeeper.preAllocSize=21 \"-Dzookeeper.4lw.commands.whitelist=ruok, mntr\"",
                 .defines = { "zookeeper.snapCount=30", "jute.maxbuffer=32", "readonlymode.enabled=true" },
             });
    assert_int_equal(c.snap_count, 40);
    assert_int_equal(c.log_prealloc_kb, 21);
    assert_int_equal(c.jute_max_buffer_bytes, 32);
    assert_int_equal(c.conns_max, 13);
    assert_string_equal(c.words_allowed, "ruok, mntr");
    assert_true(c.read_only_mode);
    assert_int_equal(c.origin[CONFIG_KEY_snap_count], CONFIG_FROM_FILE);
    assert_int_equal(c.origin_line[CONFIG_KEY_snap_count], 3);
    assert_int_equal(c.origin[CONFIG_KEY_conns_max], CONFIG_FROM_DEFINE);
    assert_int_equal(c.origin[CONFIG_KEY_force_sync], CONFIG_FROM_DEFAULT);
    config_fini(&c);
}

static void without_a_file(void **state)
{
    (void)state;
    struct config c;
    struct config_error err;
    const char *define = "zookeeper.clientPort=24100";
    struct config_input input = { .defines = &define, .define_count = 1 };
    assert_int_equal(config_load(&c, &input, &err), 0);
    assert_string_equal(c.data_dir, "./zokor-data");
    assert_string_equal(c.client_port_address, "127.0.0.1");
    assert_int_equal(c.client_port, 24100);
    assert_int_equal(c.tick_time_ms, 2000);
    assert_int_equal(c.session_timeout_ms_max, 40000);
    config_fini(&c);
    struct config_input positional = {
        .client_port = "2182", .data_dir = "/x", .tick_time = "500", .conns_per_ip_max = "7"
    };
    assert_int_equal(config_load(&c, &positional, &err), 0);
    assert_string_equal(c.data_dir, "/x");
    assert_string_equal(c.client_port_address, "");
    assert_int_equal(c.client_port, 2182);
    assert_int_equal(c.tick_time_ms, 500);
    assert_int_equal(c.conns_per_ip_max, 7);
    config_fini(&c);
    positional.client_port = "http";
    assert_int_equal(config_load(&c, &positional, &err), ERR_INVALID);
    assert_string_equal(err.text, "argument PORT: 'http' is not a number (0..65535)");
    struct config_input absent = { .file = "none.cfg" };
    assert_int_equal(config_load(&c, &absent, &err), ERR_NOT_FOUND);
    assert_string_equal(err.text, "none.cfg: cannot be read: no such file or entry");
}

/* As the official container image writes it: the port stands in the server line. */
static void docker_file(void **state)
{
    (void)state;
    static const char cfg[] =
        "dataDir=/d\ndataLogDir=/datalog\ntickTime=2000\ninitLimit=5\nsyncLimit=2\nautopurge.snapRetainCount=3\n"
        "autopurge.purgeInterval=0\nmaxClientCnxns=60\nstandaloneEnabled=true\nadmin.enableServer=true\n"
        "server.1=localhost:2888:3888;2181\n4lw.commands.whitelist=srvr, mntr\n";
    struct config c;
    good(&c, (struct given){ .cfg = cfg, .my_id = "1\n" });
    assert_int_equal(c.warning_count, 0);
    assert_int_equal(c.client_port, 2181);
    assert_string_equal(c.client_port_address, "");
    assert_string_equal(c.data_log_dir, "/datalog");
    assert_int_equal(c.my_id, 1);
    assert_false(c.distributed);
    assert_int_equal(c.peer_count, 1);
    assert_string_equal(c.peers[0].addresses[0].host, "localhost");
    assert_int_equal(c.peers[0].addresses[0].quorum_port, 2888);
    assert_int_equal(c.peers[0].addresses[0].election_port, 3888);
    config_fini(&c);
    good(&c, (struct given){ .cfg = cfg }); /* without myid too */
    assert_int_equal(c.client_port, 2181);
    assert_int_equal(c.my_id, 1);
    config_fini(&c);
}

/* As the widespread charts write it, SASL and metrics switched on. */
static void chart_file(void **state)
{
    (void)state;
    static const char cfg[] =
        "# The number of milliseconds of each tick\ntickTime=2000\ninitLimit=10\nsyncLimit=5\n"
        "dataDir=/bitnami/zookeeper/data\n# the port at which the clients will connect\nclientPort=2181\n"
        "#maxClientCnxns=60\nmaxClientCnxns=0\nautopurge.snapRetainCount=10\nautopurge.purgeInterval=1\n"
        "## Metrics Providers\nmetricsProvider.className=org.apache.zookeeper.metrics.prometheus."
        "PrometheusMetricsProvider\nmetricsProvider.httpHost=0.0.0.0\nmetricsProvider.httpPort=9141\n"
        "metricsProvider.exportJvmInfo=true\n4lw.commands.whitelist=srvr, mntr, ruok\nmaxSessionTimeout=40000\n"
        "preAllocSize=65536\nsnapCount=100000\nquorumListenOnAllIPs=true\nadmin.serverPort=8080\n"
        "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider\n"
        "requireClientAuthScheme=sasl\njaasLoginRenew=3600000\n";
    struct config c;
    good(&c, (struct given){ .cfg = cfg });
    assert_int_equal(c.conns_per_ip_max, 0);
    assert_int_equal(c.purge_keep_snapshots, 10);
    assert_int_equal(c.purge_interval_hours, 1);
    assert_int_equal(c.metrics_port, 9141);
    assert_string_equal(c.words_allowed, "srvr, mntr, ruok");
    assert_int_equal(c.auth_providers.count, 1);
    assert_string_equal(c.auth_providers.at[0].name, "authProvider.1");
    assert_string_equal(c.auth_providers.at[0].value, "org.apache.zookeeper.server.auth.SASLAuthenticationProvider");
    assert_int_equal(c.unknown.count, 1);
    assert_string_equal(c.unknown.at[0].name, "jaasLoginRenew");
    assert_int_equal(c.warning_count, 1); /* jaasLoginRenew */
    config_fini(&c);
}

static void note_set(void *ctx, const char *name, const char *value)
{
    buf_printf(ctx, "%s=%s\n", name, value);
}

/* What operators may ask of a running server. */
static void shown_without_secrets(void **state)
{
    (void)state;
    struct config c;
    struct buf out;
    buf_init(&out, 1 << 20);
    good(&c, (struct given){ .cfg = "# a comment\ndataDir = /d\nclientPort: 2181\nssl.keyStore.password=one\n"
                                    "DigestAuthenticationProvider.superDigest=super:two\nmy.PassWord=three\n"
                                    "metricsProvider.ssl.trustStore.password=four\nother=5\n" });
    assert_string_equal(c.file_text, "dataDir=/d\nclientPort=2181\nssl.keyStore.password=***\n"
                                     "DigestAuthenticationProvider.superDigest=***\nmy.PassWord=***\n"
                                     "metricsProvider.ssl.trustStore.password=***\nother=5\n");
    config_each_set(&c, note_set, &out);
    buf_append(&out, "", 1);
    assert_string_equal((const char *)out.p,
                        "zookeeper.clientPort=2181\nzookeeper.dataDir=/d\n"
                        "zookeeper.DigestAuthenticationProvider.superDigest=***\nzookeeper.ssl.keyStore.password=***\n"
                        "zookeeper.metricsProvider.ssl.trustStore.password=***\nzookeeper.my.PassWord=***\n"
                        "zookeeper.other=5\n");
    buf_fini(&out);
    config_fini(&c);
}

#define ENSEMBLE "dataDir=/d\ntickTime=2000\ninitLimit=10\nsyncLimit=5\n"

static void ensemble_lines(void **state)
{
    (void)state;
    struct config c;
    good(&c,
         (struct given){ .cfg = ENSEMBLE "multiAddress.enabled=true\n"
                                         "server.3=[2001:db8::3]:2888:3888:observer;[::1]:2183\n"
                                         "server.1=zk1:2888:3888:participant|zk1b:2889:3889;0.0.0.0:2181\n"
                                         "server.2=zk2:2888:3888;2182\nserver.5=zk5:2888:3888\ngroup.1=1:2\ngroup.2=5\n"
                                         "weight.5=0\n",
                         .my_id = "1" });
    assert_true(c.distributed);
    assert_int_equal(c.peer_count, 4);
    assert_int_equal(c.client_port, 2181);
    assert_string_equal(c.client_port_address, "0.0.0.0");
    assert_int_equal(c.peers[0].id, 1);
    assert_int_equal(c.peers[0].address_count, 2);
    assert_string_equal(c.peers[0].addresses[1].host, "zk1b");
    assert_int_equal(c.peers[0].group, 1);
    assert_int_equal(c.peers[2].id, 3);
    assert_true(c.peers[2].observer);
    assert_string_equal(c.peers[2].addresses[0].host, "2001:db8::3");
    assert_string_equal(c.peers[2].client_host, "::1");
    assert_int_equal(c.peers[2].client_port, 2183);
    assert_int_equal(c.peers[3].weight, 0);
    assert_int_equal(c.peers[3].client_port, 0);
    assert_int_equal(c.connect_to_leader_limit_ticks, 10);
    assert_int_equal(c.election_read_timeout_ms, 10000);
    config_fini(&c);
}

static void wrong_server_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line, *error;
    } rows[] = {
        { "server.1=host", "server.1: 'host' does not have the form "
                           "host:quorumPort:electionPort[:role][;[address:]clientPort]" },
        { "server.1=h:1:2:leader", "server.1: 'h:1:2:leader' does not have the form "
                                   "host:quorumPort:electionPort[:role][;[address:]clientPort]" },
        { "server.1=h:1:2;x", "server.1: 'h:1:2;x' does not have the form "
                              "host:quorumPort:electionPort[:role][;[address:]clientPort]" },
        { "server.1=:1:2", "server.1: ':1:2' does not have the form "
                           "host:quorumPort:electionPort[:role][;[address:]clientPort]" },
        { "server.x=h:1:2", "server.x: 'x' is not the number of a server" },
        { "group.1=7:a", "group.1: 'a' is not the number of a server" },
        { "weight.1=-1", "weight.1: '-1' is not a weight (0..9223372036854775807)" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        char cfg[256], expected[256];
        snprintf(cfg, sizeof cfg, BASE "%s\n", rows[i].line);
        snprintf(expected, sizeof expected, "zoo.cfg: line 3: %s", rows[i].error);
        refused((struct given){ .cfg = cfg }, expected);
    }
    refused((struct given){ .cfg = BASE "server.1=a:1:2\nserver.01=b:1:2\n" },
            "zoo.cfg: line 4: server.01: the server 1 is named twice");
    refused((struct given){ .cfg = BASE "server.1=a:1:2\ngroup.1=1\ngroup.2=1\n" },
            "zoo.cfg: line 5: group.2: the server 1 is in several groups");
    refused((struct given){ .cfg = BASE "server.1=a:1:2;2182\n" },
            "zoo.cfg: clientPort is 2181 but server.1 says 2182");
    refused((struct given){ .cfg = BASE "server.1=a:1:2:observer\n" },
            "zoo.cfg: there are observers but no participants");
    refused((struct given){ .cfg = ENSEMBLE "server.1=a:1:2;1\nserver.2=b:1:2;2\n" },
            "/d/myid: cannot be read: no such file or entry; it must hold the number of this server");
    refused((struct given){ .cfg = ENSEMBLE "server.1=a:1:2;1\nserver.2=b:1:2;2\n", .my_id = "one\n" },
            "/d/myid: 'one' is not the number of a server");
    refused((struct given){ .cfg = ENSEMBLE "server.1=a:1:2;1\nserver.2=b:1:2;2\n", .my_id = "3\n" },
            "zoo.cfg: no line server.3, but that is the number in /d/myid");
    refused((struct given){ .cfg = "dataDir=/d\nserver.1=a:1:2;1\nserver.2=b:1:2;2\n", .my_id = "2\n" },
            "zoo.cfg: initLimit is not set");
    warned((struct given){ .cfg = ENSEMBLE "server.1=a:1:2;1\nserver.2=b:1:2;2\n", .my_id = "2\n" },
           "zoo.cfg: 2 participants: no failure is survived; three servers survive one");
}

/* Not even in its server line: it votes, and serves nobody. */
static void a_member_without_a_client_port(void **state)
{
    (void)state;
    struct config c;
    static const char lines[] = ENSEMBLE "server.1=a:1:2\nserver.2=b:1:2;2182\nserver.3=c:1:2\n";
    good(&c, (struct given){ .cfg = lines, .my_id = "1" });
    assert_true(c.distributed);
    assert_int_equal(c.client_port, 0);
    assert_int_equal(c.secure_client_port, 0);
    config_fini(&c);
    warned((struct given){ .cfg = lines, .my_id = "1" },
           "zoo.cfg: neither clientPort nor secureClientPort is set, so this server serves no clients");
    warned((struct given){ .cfg = lines, .my_id = "2" }, NULL);
    refused((struct given){ .cfg = ENSEMBLE "server.1=a:1:2\n", .my_id = "1" }, /* one voter stands alone */
            "zoo.cfg: neither clientPort nor secureClientPort is set");
    refused((struct given){ .cfg = ENSEMBLE "clientPortAddress=::1\nserver.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\n",
                            .my_id = "1" },
            "zoo.cfg: clientPortAddress is set but clientPort is not set");
}

static void dynamic_file(void **state)
{
    (void)state;
    struct config c;
    static const char *const names[] = { "dyn", "dyn.1f" };
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        char cfg[256];
        snprintf(cfg, sizeof cfg, ENSEMBLE "dynamicConfigFile=%s\n", names[i]);
        good(&c, (struct given){
                     .cfg = cfg, .my_id = "2", .dynamic = "server.1=a:1:2;1\nserver.2=b:1:2;2\nserver.3=c:1:2;3\n" });
        assert_int_equal(c.peer_count, 3);
        assert_int_equal(c.dynamic_version, i == 0 ? 0 : 0x1f);
        assert_int_equal(c.client_port, 2);
        config_fini(&c);
    }
    refused((struct given){ .cfg = BASE "dynamicConfigFile=dyn\n", .dynamic = "server.1=a:1:2\nversion=1\n" },
            "dyn: line 2: version: the version belongs to the name of the file, not into it");
    refused((struct given){ .cfg = BASE "dynamicConfigFile=dyn\ngroup.1=1\n", .dynamic = "" },
            "zoo.cfg: line 4: group.1: must stand in dyn, the dynamicConfigFile");
    refused((struct given){ .cfg = BASE "dynamicConfigFile=dyn\nweight.1=1\n", .dynamic = "" },
            "zoo.cfg: line 4: weight.1: must stand in dyn, the dynamicConfigFile");
    refused((struct given){ .cfg = BASE "server.1=a:1:2\ndynamicConfigFile=dyn\n", .dynamic = "" },
            "zoo.cfg: line 3: server.1: must stand in dyn, the dynamicConfigFile");
    refused((struct given){ .cfg = BASE "dynamicConfigFile=dyn\n", .dynamic = "server.1=a:1:2\ntickTime=1\n" },
            "dyn: line 2: tickTime: only server, group and weight lines may stand here");
    refused((struct given){ .cfg = BASE "dynamicConfigFile=dyn\n", .dynamic = "server.1=a:1:2\nserver.1=b:1:2\n" },
            "dyn: line 2: server.1: given before in line 1");
    struct config_error err;
    struct given without = { .cfg = BASE "dynamicConfigFile=dyn\n" };
    assert_int_equal(load(&c, &without, &err), ERR_NOT_FOUND);
    assert_string_equal(err.text, "dyn: cannot be read: no such file or entry");
}

static void word_conf(void **state)
{
    (void)state;
    struct config c;
    struct buf out;
    struct config_facts facts = { .snap_dir = "/d/version-2",
                                  .log_dir = "/l/version-2",
                                  .snap_dir_bytes = 67109477,
                                  .log_dir_bytes = 5,
                                  .client_port = 2181,
                                  .server_id = 1 };
    good(&c, (struct given){ .cfg = BASE "tickTime=2000\nmaxClientCnxns=0\ndataLogDir=/l\n" });
    buf_init(&out, 4096);
    config_conf(&c, &facts, &out);
    assert_true(slice_eq_str(buf_slice(&out),
                             "clientPort=2181\nsecureClientPort=-1\ndataDir=/d/version-2\ndataDirSize=67109477\n"
                             "dataLogDir=/l/version-2\ndataLogSize=5\ntickTime=2000\nmaxClientCnxns=0\n"
                             "minSessionTimeout=4000\nmaxSessionTimeout=40000\nclientPortListenBacklog=-1\n"
                             "serverId=1\n"));
    buf_fini(&out);
    config_fini(&c);
}

/* Bytes of a stranger give an error or a configuration, never a fault: every prefix, and every byte changed. */
static void hostile_bytes(void **state)
{
    (void)state;
    static const char cfg[] = BASE "server.1=[::1]:1:2|b:3:4:observer;x:5\ngroup.1=1:2\\\n  :3\nweight.1=\\u0031\n"
                                   "peerType=observer\nsnapshotSizeFactor=0.1e1\njute.maxbuffer=0x1\na\\";
    char text[sizeof cfg + 1];
    struct config c;
    struct config_error err;
    for (size_t n = 0; n < sizeof cfg; n++) {
        static const char changes[] = "\\=:;[]|\n\r .-0\x01\xff";
        memcpy(text, cfg, n);
        text[n] = '\0';
        struct given cut = { .cfg = text };
        if (load(&c, &cut, &err) == 0)
            config_fini(&c);
        for (size_t k = 0; k < sizeof changes; k++) {
            memcpy(text, cfg, sizeof cfg);
            text[sizeof cfg] = '\0'; /* the end mark itself is one of the bytes changed */
            text[n] = changes[k];
            if (load(&c, &cut, &err) == 0)
                config_fini(&c);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(every_key_parses),
        cmocka_unit_test(names_are_unique_and_defaults_in_range),
        cmocka_unit_test(wrong_values_are_told),
        cmocka_unit_test(numbers_are_read_as_java_reads_them),
        cmocka_unit_test(rules_about_several_keys),
        cmocka_unit_test(warnings),
        cmocka_unit_test(where_values_come_from),
        cmocka_unit_test(without_a_file),
        cmocka_unit_test(docker_file),
        cmocka_unit_test(chart_file),
        cmocka_unit_test(shown_without_secrets),
        cmocka_unit_test(ensemble_lines),
        cmocka_unit_test(wrong_server_lines),
        cmocka_unit_test(a_member_without_a_client_port),
        cmocka_unit_test(dynamic_file),
        cmocka_unit_test(word_conf),
        cmocka_unit_test(hostile_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
