#include "server/server.h"
#include "base/err.h"
#include "cmd/cmd.h"
#include "cmd/flags.h"
#include "cmd/logging.h"
#include "cmd/server.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: zokor server [-Dzookeeper.KEY=VALUE ...] [zoo.cfg]\n"
    "       zokor server [-Dzookeeper.KEY=VALUE ...] PORT DATADIR [TICKTIME] [MAXCLIENTCNXNS]\n"
    "       zokor server --check [zoo.cfg]        read the configuration, tell what is wrong, do not start\n"
    "       zokor server --help-config[=markdown] every key with default, values and meaning\n";

static int help(void)
{
    printf("%s\n"
           "Runs a server until SIGTERM or SIGINT. Without arguments it listens on 127.0.0.1:2181 and keeps its data\n"
           "in ./zokor-data. With Apache ZooKeeper's zoo.cfg it takes over where that server stopped.\n\n"
           "examples:\n"
           "  zokor server\n"
           "  zokor server /etc/zookeeper/conf/zoo.cfg\n"
           "  zokor server 2182 /tmp/data\n"
           "  zokor server -Dzookeeper.4lw.commands.whitelist='*' -Dzokor.log.level=debug zoo.cfg\n\n"
           "Is it alive?   echo srvr | nc 127.0.0.1 2181    (nc: apt-get install netcat-openbsd)\n\n"
           "Arguments in the environment: SERVER_JVMFLAGS and JVMFLAGS (their -D parts), ZOKOR_LOG_LEVEL.\n"
           "Exit status: 0 stopped in order, 1 failed, 2 wrong arguments or configuration, 3 data directory unusable\n"
           "or damaged, 10 transaction log cannot be written, 14 port cannot be listened on, 70 out of memory.\n",
           usage);
    return cmd_finish_output(CMD_OK);
}

static int help_config(bool markdown)
{
    struct buf out;
    buf_init(&out, 1u << 20);
    if (markdown)
        config_help_markdown(&out);
    else
        config_help_text(&out);
    fwrite(out.p, 1, out.n, stdout);
    buf_fini(&out);
    return cmd_finish_output(CMD_OK);
}

struct arguments {
    const char **defines;
    size_t define_count;
    const char *words[4]; /* what is no option: the file, or PORT DATADIR ... */
    size_t word_count;
    bool check_only, help, help_config, help_markdown;
};

static int parse_option(struct arguments *a, int argc, char **argv, int *i)
{
    const char *option = argv[*i];
    if (strcmp(option, "-D") == 0 && *i + 1 < argc)
        a->defines[a->define_count++] = argv[++*i];
    else if (strncmp(option, "-D", 2) == 0 && option[2] != '\0')
        a->defines[a->define_count++] = option + 2;
    else if (strcmp(option, "--check") == 0)
        a->check_only = true;
    else if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0)
        a->help = true;
    else if (strcmp(option, "--help-config") == 0)
        a->help_config = true;
    else if (strcmp(option, "--help-config=markdown") == 0)
        a->help_config = a->help_markdown = true;
    else
        return cmd_usage_error("server: unknown option '%s'\n%s", option, usage);
    return CMD_OK;
}

static int parse_arguments(struct arguments *a, int argc, char **argv)
{
    bool options = true;
    for (int i = 1; i < argc; i++) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (options && argv[i][0] == '-') {
            if (parse_option(a, argc, argv, &i) != CMD_OK)
                return CMD_USAGE;
        } else if (a->word_count == ARRAY_COUNT(a->words)) {
            return cmd_usage_error("server: too many arguments at '%s'\n%s", argv[i], usage);
        } else {
            a->words[a->word_count++] = argv[i];
        }
    }
    return CMD_OK;
}

static int load_config(const struct arguments *a, struct config *config)
{
    struct config_input input = {
        .jvm_flags = getenv("JVMFLAGS"),
        .server_jvm_flags = getenv("SERVER_JVMFLAGS"),
        .defines = a->defines,
        .define_count = a->define_count,
        .read_file = flags_read_file,
    };
    struct config_error error;
    if (a->word_count == 1) {
        input.file = a->words[0];
    } else if (a->word_count > 1) {
        input.client_port = a->words[0];
        input.data_dir = a->words[1];
        input.tick_time = a->words[2];
        input.conns_per_ip_max = a->words[3];
    }
    if (config_load(config, &input, &error) != 0)
        return cmd_usage_error("%s", error.text);
    return CMD_OK;
}

static int start_logging(const struct config *config)
{
    enum log_level level = LOG_INFO;
    const char *name = config->log_level, *env = getenv("ZOKOR_LOG_LEVEL");
    if (env != NULL && config->origin[CONFIG_KEY_log_level] == CONFIG_FROM_DEFAULT)
        name = env;
    if (!logging_level(name, &level))
        return cmd_usage_error("ZOKOR_LOG_LEVEL: '%s' is not known (error, warn, info, debug, trace)", name);
    logging_start(level);
    return CMD_OK;
}

static void log_config(const struct config *config)
{
    log_info("server.config",
             "version=\"%s\" file=%s dataDir=%s dataLogDir=%s clientPort=%d clientPortAddress=%s "
             "tickTime=%d minSessionTimeout=%d maxSessionTimeout=%d",
             cmd_version_line(), config->file[0] != '\0' ? config->file : "-", config->data_dir, config->data_log_dir,
             (int)config->client_port, config->client_port_address[0] != '\0' ? config->client_port_address : "*",
             (int)config->tick_time_ms, (int)config->session_timeout_ms_min, (int)config->session_timeout_ms_max);
    for (size_t i = 0; i < config->warning_count; i++)
        log_warn("server.config", "%s", config->warnings[i]);
}

static int run(const struct arguments *a)
{
    struct config config;
    if (load_config(a, &config) != CMD_OK)
        return CMD_USAGE;
    int status = start_logging(&config);
    if (status != CMD_OK)
        goto out;
    log_config(&config);
    status = a->check_only ? server_check(&config) : server_run(&config);
out:
    config_fini(&config);
    return status;
}

int server_config_of(int argc, char **argv, struct config *config)
{
    struct arguments a = { .defines = calloc((size_t)argc, sizeof(char *)) };
    if (a.defines == NULL)
        return cmd_usage_error("out of memory");
    int status = parse_arguments(&a, argc, argv);
    if (status == CMD_OK && (a.help || a.help_config || a.check_only))
        status = cmd_usage_error("only arguments of a server that runs are taken here\n%s", usage);
    if (status == CMD_OK)
        status = load_config(&a, config);
    free(a.defines);
    return status;
}

int cmd_server(int argc, char **argv)
{
    struct arguments a = { .defines = calloc((size_t)argc, sizeof(char *)) };
    if (a.defines == NULL)
        return cmd_usage_error("out of memory");
    int status = parse_arguments(&a, argc, argv);
    if (status == CMD_OK && a.help)
        status = help();
    else if (status == CMD_OK && a.help_config)
        status = help_config(a.help_markdown);
    else if (status == CMD_OK)
        status = run(&a);
    free(a.defines);
    return status;
}
