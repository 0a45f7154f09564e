#include "server/config.h"
#include "base/err.h"
#include "base/properties.h"
#include "server/config_peers.h"
#include "server/config_table.h"
#include "server/config_words.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_BYTES_MAX (1u << 20)

/* One load: where it stands, for messages. */
struct load {
    struct config *config;
    const struct config_input *input;
    struct config_error *err;
    struct arena scratch;
    bool in_dynamic;    /* reading the dynamic file */
    const char *source; /* "zoo.cfg", or "command line" for rules about several keys */
    struct buf file_text;
};

static int fail(struct load *load, const char *fmt, ...) PRINTF_LIKE(2, 3);
static int fail(struct load *load, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(load->err->text, sizeof load->err->text, fmt, args);
    va_end(args);
    return ERR_INVALID;
}

static void warn(struct config *config, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void warn(struct config *config, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (config->warning_count == config->warning_cap) {
        size_t cap = config->warning_cap * 2 + 8;
        const char **more = arena_alloc(&config->arena, cap * sizeof *more);
        if (config->warning_count > 0)
            memcpy(more, config->warnings, config->warning_count * sizeof *more);
        config->warnings = more;
        config->warning_cap = cap;
    }
    config->warnings[config->warning_count++] = config_text(config, slice_str(text));
}

/* "zoo.cfg: line 12: tickTime", "-Dzookeeper.tickTime" or "argument TICKTIME": where a value came from. */
static const char *place(struct load *load, enum config_origin origin, const char *name, int line)
{
    char text[512];
    if (origin == CONFIG_FROM_FILE)
        snprintf(text, sizeof text, "%s: line %d: %s", load->source, line, name);
    else if (origin == CONFIG_FROM_DEFINE)
        snprintf(text, sizeof text, "-D%s", name);
    else
        snprintf(text, sizeof text, "argument %s", name);
    return (const char *)arena_dup(&load->scratch, slice_str(text)).p;
}

/* An unknown key is told once, however often it is there. */
static void note_unknown(struct load *load, const char *where, struct slice name, struct slice value, int line)
{
    struct config_pairs *unknown = &load->config->unknown;
    for (size_t i = 0; i < unknown->count; i++) {
        if (slice_eq_str(name, unknown->at[i].name)) {
            unknown->at[i].value = config_text(load->config, value);
            return;
        }
    }
    struct config_pair *more = arena_alloc(&load->config->arena, (unknown->count + 1) * sizeof *more);
    if (unknown->count > 0)
        memcpy(more, unknown->at, unknown->count * sizeof *more);
    more[unknown->count].name = config_text(load->config, name);
    more[unknown->count].value = config_text(load->config, value);
    more[unknown->count].line = line;
    unknown->at = more;
    unknown->count++;
    warn(load->config, "%s: unknown key, ignored", where);
}

/* What a line that replaces another value says about it. */
static void note_override(struct load *load, const struct config_row *row, const char *where, struct slice old)
{
    struct config *config = load->config;
    enum config_key key = config_row_key(row);
    struct buf now;
    buf_init(&now, FILE_BYTES_MAX);
    config_print(config, row, &now);
    if (config->origin[key] == CONFIG_FROM_FILE)
        warn(config, "%s: given before in line %d; this line wins", where, config->origin_line[key]);
    else if (config->origin[key] == CONFIG_FROM_DEFINE && !slice_eq(buf_slice(&now), old))
        warn(config, "%s: the file wins over -Dzookeeper.%s", where, config_key_name(key));
    buf_fini(&now);
}

static bool is_peer_line(const struct config_row *row)
{
    enum config_key key = config_row_key(row);
    return key == CONFIG_KEY_server_lines || key == CONFIG_KEY_group_lines || key == CONFIG_KEY_weight_lines;
}

static int take(struct load *load, const struct config_row *row, struct slice name, struct slice value,
                enum config_origin origin, const char *label, int line)
{
    struct config *config = load->config;
    enum config_key key = config_row_key(row);
    const char *where = place(load, origin, label, line);
    struct buf why, old;
    buf_init(&why, sizeof load->err->text);
    buf_init(&old, FILE_BYTES_MAX);
    config_print(config, row, &old);
    int err = config_set(config, row, name, value, line, &why);
    if (err != 0) {
        struct slice text = buf_slice(&why);
        err = fail(load, "%s: %.*s", where, SLICE_ARG(text));
        goto out;
    }
    if (origin == CONFIG_FROM_FILE && row->type != CONFIG_FAMILY)
        note_override(load, row, where, buf_slice(&old));
    config->origin[key] = (uint8_t)origin;
    config->origin_line[key] = line;
out:
    buf_fini(&why);
    buf_fini(&old);
    return err;
}

/* "name=value" of a -D argument. Names that are neither known nor ours belong to Java and are left alone. */
static int take_define(struct load *load, const char *define)
{
    size_t n = strcspn(define, "=");
    struct slice name = slice_of(define, n), bare;
    struct slice value = slice_str(define[n] == '=' ? define + n + 1 : define + n);
    const char *label = (const char *)arena_dup(&load->scratch, name).p;
    const struct config_row *row = config_find(name, &bare);
    bool ours = slice_starts(name, slice_str("zookeeper.")) || slice_starts(name, slice_str("zokor."));
    if (row != NULL && !is_peer_line(row) && (ours || row->type != CONFIG_FAMILY))
        return take(load, row, bare, value, CONFIG_FROM_DEFINE, label, 0);
    if (ours)
        note_unknown(load, place(load, CONFIG_FROM_DEFINE, label, 0), name, value, 0);
    return 0;
}

static int take_flags(struct load *load, const char *flags)
{
    if (flags == NULL)
        return 0;
    struct slice rest = slice_str(flags), word;
    while (config_words_next(&rest, &load->scratch, &word)) {
        if (slice_starts(word, slice_str("-D")) && word.n > 2 && take_define(load, (const char *)word.p + 2) != 0)
            return ERR_INVALID;
    }
    return 0;
}

/* In the dynamic file only lines about peers may stand, each once. */
static int check_dynamic_line(struct load *load, const struct property *at, const struct config_row *row,
                              struct slice bare)
{
    if (slice_eq_str(at->key, "version"))
        return fail(load, "%s: line %d: version: the version belongs to the name of the file, not into it",
                    load->source, at->line);
    if (row == NULL || !is_peer_line(row))
        return fail(load, "%s: line %d: %.*s: only server, group and weight lines may stand here", load->source,
                    at->line, SLICE_ARG(at->key));
    const struct config *config = load->config;
    const struct config_pairs *families[] = { &config->server_lines, &config->group_lines, &config->weight_lines };
    for (size_t f = 0; f < ARRAY_COUNT(families); f++) {
        for (size_t i = 0; i < families[f]->count; i++) {
            if (slice_eq_str(bare, families[f]->at[i].name))
                return fail(load, "%s: line %d: %.*s: given before in line %d", load->source, at->line,
                            SLICE_ARG(at->key), families[f]->at[i].line);
        }
    }
    return 0;
}

static int take_file_line(struct load *load, const struct property *at)
{
    struct slice bare;
    const char *label = (const char *)arena_dup(&load->scratch, at->key).p;
    if (memchr(at->key.p, 0, at->key.n) != NULL)
        return fail(load, "%s: line %d: a key has a zero byte", load->source, at->line);
    const struct config_row *row = config_find(at->key, &bare);
    if (load->in_dynamic && check_dynamic_line(load, at, row, bare) != 0)
        return ERR_INVALID;
    if (row == NULL) {
        note_unknown(load, place(load, CONFIG_FROM_FILE, label, at->line), at->key, at->value, at->line);
        return 0;
    }
    return take(load, row, bare, at->value, CONFIG_FROM_FILE, label, at->line);
}

static int read_file(struct load *load, const char *path, struct buf *bytes)
{
    buf_init(bytes, FILE_BYTES_MAX);
    if (load->input->read_file == NULL)
        return ERR_NOT_FOUND;
    return load->input->read_file(load->input->read_ctx, path, bytes);
}

/* What the file said, for whoever asks the server later. */
static void note_line(struct load *load, const struct property *at)
{
    struct slice bare;
    if (load->in_dynamic)
        return;
    bool secret = config_is_secret(config_find(at->key, &bare), at->key);
    buf_append_slice(&load->file_text, at->key);
    buf_append(&load->file_text, "=", 1);
    buf_append_slice(&load->file_text, secret && at->value.n != 0 ? slice_str("***") : at->value);
    buf_append(&load->file_text, "\n", 1);
}

static int take_file(struct load *load, const char *path)
{
    struct buf bytes;
    load->source = path;
    int err = read_file(load, path, &bytes);
    if (err != 0) {
        fail(load, "%s: cannot be read: %s", path, err_text(err));
        goto out;
    }
    struct properties lines;
    struct property line;
    properties_init(&lines, buf_slice(&bytes), &load->scratch);
    while ((err = properties_next(&lines, &line)) > 0) {
        note_line(load, &line);
        err = take_file_line(load, &line);
        if (err != 0)
            goto out;
    }
    if (err != 0)
        fail(load, "%s: line %d: a \\u needs four hexadecimal digits", path, line.line);
out:
    buf_fini(&bytes);
    return err;
}

/* zoo.cfg.dynamic.100000000 holds version 0x100000000; a name without a hexadecimal end holds version 0. */
static int64_t version_of_name(const char *path)
{
    const char *dot = strrchr(path, '.');
    size_t n = dot == NULL ? 0 : strlen(dot + 1);
    if (n == 0 || n > 16 || strspn(dot + 1, "0123456789abcdefABCDEF") != n)
        return 0;
    uint64_t version = strtoull(dot + 1, NULL, 16);
    return version > INT64_MAX ? 0 : (int64_t)version;
}

static int take_dynamic_file(struct load *load)
{
    struct config *config = load->config;
    if (config->dynamic_config_file[0] == '\0')
        return 0;
    const struct config_pairs *pairs[] = { &config->server_lines, &config->group_lines, &config->weight_lines };
    for (size_t i = 0; i < ARRAY_COUNT(pairs); i++) {
        if (pairs[i]->count > 0)
            return fail(load, "%s: line %d: %s: must stand in %s, the dynamicConfigFile", load->source,
                        pairs[i]->at[0].line, pairs[i]->at[0].name, config->dynamic_config_file);
    }
    const char *source = load->source;
    load->in_dynamic = true;
    int err = take_file(load, config->dynamic_config_file);
    load->in_dynamic = false;
    config->dynamic_version = version_of_name(config->dynamic_config_file);
    if (err == 0)
        load->source = source;
    return err;
}

static int take_peers(struct load *load)
{
    struct config *config = load->config;
    struct buf why;
    int line = 0;
    buf_init(&why, sizeof load->err->text);
    int err = config_parse_peers(config, &why, &line);
    const char *file = config->dynamic_config_file[0] != '\0' ? config->dynamic_config_file : load->source;
    struct slice text = buf_slice(&why);
    if (err != 0 && line != 0)
        fail(load, "%s: line %d: %.*s", file, line, SLICE_ARG(text));
    else if (err != 0)
        fail(load, "%s: %.*s", file, SLICE_ARG(text));
    buf_fini(&why);
    return err;
}

/* dataDir/myid says which server line is ours. A single server may do without. */
static int take_my_id(struct load *load)
{
    struct config *config = load->config;
    if (config->peer_count == 0)
        return 0;
    struct buf path, bytes;
    buf_init(&path, FILE_BYTES_MAX);
    buf_printf(&path, "%s/myid", config->data_dir);
    buf_append(&path, "", 1);
    const char *name = (const char *)path.p;
    int err = read_file(load, name, &bytes);
    if (err == ERR_NOT_FOUND && !config->distributed) {
        config->my_id = config->peers[0].id;
        err = 0;
    } else if (err != 0) {
        fail(load, "%s: cannot be read: %s; it must hold the number of this server", name, err_text(err));
    } else {
        struct slice text = buf_slice(&bytes);
        bool big;
        while (text.n > 0 && text.p[text.n - 1] <= ' ')
            text.n--;
        if (!config_number(text, &config->my_id, &big) || big)
            err = fail(load, "%s: '%.*s' is not the number of a server", name, SLICE_ARG(text));
    }
    buf_fini(&bytes);
    buf_fini(&path);
    return err;
}

/* A server line may name the client port: it counts when clientPort is absent, and must agree when it is there. */
static int apply_own_peer(struct load *load)
{
    struct config *config = load->config;
    if (config->peer_count == 0)
        return 0;
    struct config_peer *me = config_peer_find(config, config->my_id);
    if (me == NULL) {
        if (config->distributed)
            return fail(load, "%s: no line server.%lld, but that is the number in %s/myid", load->source,
                        (long long)config->my_id, config->data_dir);
        return 0;
    }
    if (me->observer != (strcmp(config->peer_type, "observer") == 0))
        warn(config, "%s: peerType says %s but server.%lld says %s; the server line counts", load->source,
             config->peer_type, (long long)me->id, me->observer ? "observer" : "participant");
    if (me->client_port == 0)
        return 0;
    if (config->client_port != 0 && config->client_port != me->client_port)
        return fail(load, "%s: clientPort is %d but server.%lld says %d", load->source, (int)config->client_port,
                    (long long)me->id, (int)me->client_port);
    if (config->client_port_address[0] == '\0')
        config->client_port_address = me->client_host;
    config->client_port = me->client_port;
    return 0;
}

static int32_t times(int32_t a, int32_t b)
{
    int64_t product = (int64_t)a * b;
    return product > INT32_MAX ? INT32_MAX : (int32_t)product;
}

/* Defaults that stand for a value made from other keys. */
static void derive(struct config *config)
{
    if (config->data_log_dir[0] == '\0')
        config->data_log_dir = config->data_dir;
    if (config->session_timeout_ms_min == -1)
        config->session_timeout_ms_min = times(config->tick_time_ms, 2);
    if (config->session_timeout_ms_max == -1)
        config->session_timeout_ms_max = times(config->tick_time_ms, 20);
    if (config->jute_extra_bytes == -1)
        config->jute_extra_bytes = config->jute_max_buffer_bytes;
    if (config->connect_to_leader_limit_ticks == 0)
        config->connect_to_leader_limit_ticks = config->init_limit_ticks;
    if (config->election_read_timeout_ms == -1)
        config->election_read_timeout_ms = times(config->sync_limit_ticks, config->tick_time_ms);
    if (config->require_client_sasl) { /* as AuthenticationHelper: it stands for the two keys and wins over them */
        config->enforce_auth = true;
        config->enforce_auth_schemes = "sasl";
    }
}

/* A member of an ensemble may vote and keep the data without a client of its own (QuorumPeerConfig only tells that the
 * port is not set). A server that is alone would be of no use to anybody: there it is a mistake. */
static int check_ports(struct load *load)
{
    struct config *config = load->config;
    if (config->client_port == 0 && config->client_port_address[0] != '\0')
        return fail(load, "%s: clientPortAddress is set but clientPort is not set", load->source);
    if (config->secure_client_port == 0 && config->secure_client_port_address[0] != '\0')
        return fail(load, "%s: secureClientPortAddress is set but secureClientPort is not set", load->source);
    if (config->client_port != 0 || config->secure_client_port != 0)
        return 0;
    if (!config->distributed)
        return fail(load, "%s: neither clientPort nor secureClientPort is set", load->source);
    warn(config, "%s: neither clientPort nor secureClientPort is set, so this server serves no clients", load->source);
    return 0;
}

static int check_auth(struct load *load)
{
    const struct config *config = load->config;
    if (config->enforce_auth && config->enforce_auth_schemes[0] == '\0')
        return fail(load, "%s: enforce.auth.enabled is true, so enforce.auth.schemes must be set", load->source);
    if (config->quorum_sasl_server && !config->quorum_sasl_learner)
        return fail(load, "%s: quorum.auth.serverRequireSasl needs quorum.auth.learnerRequireSasl", load->source);
    if (config->quorum_sasl_learner && !config->quorum_sasl)
        return fail(load, "%s: quorum.auth.learnerRequireSasl needs quorum.auth.enableSasl", load->source);
    return 0;
}

static int check_ensemble(struct load *load)
{
    struct config *config = load->config;
    if (!config->distributed)
        return 0;
    size_t voters = 0;
    for (size_t i = 0; i < config->peer_count; i++)
        voters += !config->peers[i].observer;
    if (config->init_limit_ticks == 0)
        return fail(load, "%s: initLimit is not set", load->source);
    if (config->sync_limit_ticks == 0)
        return fail(load, "%s: syncLimit is not set", load->source);
    if (voters <= 2)
        warn(config, "%s: %zu participants: no failure is survived; three servers survive one", load->source, voters);
    else if (voters % 2 == 0)
        warn(config, "%s: %zu participants survive no more failures than %zu", load->source, voters, voters - 1);
    return 0;
}

static int check(struct load *load)
{
    struct config *config = load->config;
    if (config->session_timeout_ms_min > config->session_timeout_ms_max)
        return fail(load, "%s: minSessionTimeout (%d ms) must not be larger than maxSessionTimeout (%d ms)",
                    load->source, (int)config->session_timeout_ms_min, (int)config->session_timeout_ms_max);
    if (config->purge_keep_snapshots < 3) {
        warn(config, "%s: autopurge.snapRetainCount: %d is less than 3, so 3 is used", load->source,
             (int)config->purge_keep_snapshots);
        config->purge_keep_snapshots = 3;
    }
    if (check_ports(load) != 0 || check_auth(load) != 0)
        return ERR_INVALID;
    return check_ensemble(load);
}

static int take_arguments(struct load *load)
{
    const struct config_input *input = load->input;
    const struct {
        const char *text, *label;
        enum config_key key;
    } arguments[] = {
        { input->client_port, "PORT", CONFIG_KEY_client_port },
        { input->data_dir, "DATADIR", CONFIG_KEY_data_dir },
        { input->tick_time, "TICKTIME", CONFIG_KEY_tick_time_ms },
        { input->conns_per_ip_max, "MAXCLIENTCNXNS", CONFIG_KEY_conns_per_ip_max },
    };
    for (size_t i = 0; i < ARRAY_COUNT(arguments); i++) {
        const struct config_row *row = &config_rows[arguments[i].key];
        if (arguments[i].text != NULL && take(load, row, slice_str(row->names), slice_str(arguments[i].text),
                                              CONFIG_FROM_ARGUMENT, arguments[i].label, 0) != 0)
            return ERR_INVALID;
    }
    return 0;
}

static void reset_all(struct config *config)
{
    *config = (struct config){ .file = "", .my_id = -1 };
    arena_init(&config->arena, 4096);
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++)
        config_reset(config, &config_rows[i]);
}

static int load_all(struct load *load)
{
    struct config *config = load->config;
    const struct config_input *input = load->input;
    if (input->file == NULL && input->data_dir == NULL) {
        config->client_port = 2181;
        config->client_port_address = "127.0.0.1";
        config->data_dir = CONFIG_DEFAULT_DATA_DIR;
        config->tick_time_ms = 2000;
    }
    if (take_flags(load, input->jvm_flags) != 0 || take_flags(load, input->server_jvm_flags) != 0)
        return ERR_INVALID;
    for (size_t i = 0; i < input->define_count; i++) {
        if (take_define(load, input->defines[i]) != 0)
            return ERR_INVALID;
    }
    int err = take_arguments(load);
    if (err == 0 && input->file != NULL) {
        config->file = config_text(config, slice_str(input->file));
        err = take_file(load, input->file);
        config->file_text = config_text(config, buf_slice(&load->file_text));
    }
    if (err == 0)
        err = take_dynamic_file(load);
    if (err == 0 && config->data_dir[0] == '\0')
        err = fail(load, "%s: dataDir is not set", load->source);
    if (err == 0)
        err = take_peers(load);
    if (err == 0)
        err = take_my_id(load);
    if (err == 0)
        err = apply_own_peer(load);
    if (err != 0)
        return err;
    derive(config);
    return check(load);
}

int config_load(struct config *config, const struct config_input *input, struct config_error *err)
{
    struct load load = { .config = config, .input = input, .err = err, .source = "command line" };
    arena_init(&load.scratch, 16384);
    buf_init(&load.file_text, 4 * FILE_BYTES_MAX);
    err->text[0] = '\0';
    reset_all(config);
    int code = load_all(&load);
    buf_fini(&load.file_text);
    arena_fini(&load.scratch);
    if (code != 0)
        config_fini(config);
    return code;
}

void config_init(struct config *config)
{
    reset_all(config);
    derive(config);
}

void config_fini(struct config *config)
{
    arena_fini(&config->arena);
    *config = (struct config){ 0 };
}
