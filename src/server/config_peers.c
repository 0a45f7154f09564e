#include "server/config_peers.h"
#include "base/err.h"
#include "server/config_table.h"
#include <stdlib.h>
#include <strings.h>

#define PEERS_MAX 255u /* servers in one ensemble: session ids have a byte for the server's */
#define SERVER_FORM "host:quorumPort:electionPort[:role][;[address:]clientPort]"

struct config_peer *config_peer_find(const struct config *config, int64_t id)
{
    for (size_t i = 0; i < config->peer_count; i++) {
        if (config->peers[i].id == id)
            return &config->peers[i];
    }
    return NULL;
}

static bool parse_port(struct slice s, uint16_t *port)
{
    int64_t value;
    bool big;
    if (!config_number(s, &value, &big) || big || value < 1 || value > 65535)
        return false;
    *port = (uint16_t)value;
    return true;
}

/* A host without the brackets of IPv6; NULL if there is none, or one that the ensemble's text could not tell from its
 * own marks. */
static const char *parse_host(struct config *config, struct slice s)
{
    bool brackets = s.n >= 2 && s.p[0] == '[' && s.p[s.n - 1] == ']';
    if (brackets)
        s = slice_of(s.p + 1, s.n - 2);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= ' ' || s.p[i] == 0x7f || strchr("[]|;\\", s.p[i]) != NULL || (s.p[i] == ':' && !brackets))
            return NULL;
    }
    return s.n == 0 ? NULL : config_text(config, s);
}

/* host:quorum:election[:role]; role is NULL where there is none. */
static bool parse_address(struct config *config, struct slice s, struct config_peer_address *address, const char **role)
{
    struct slice host = slice_cut(&s, ':'), quorum = slice_cut(&s, ':'), election = slice_cut(&s, ':');
    address->host = parse_host(config, host);
    *role = slice_is_null(s) ? NULL : config_text(config, slice_trim(s));
    return address->host != NULL && parse_port(quorum, &address->quorum_port) &&
           parse_port(election, &address->election_port);
}

/* [address:]port */
static bool parse_client(struct config *config, struct slice s, struct config_peer *peer)
{
    struct slice first = slice_cut(&s, ':');
    peer->client_host = "";
    if (slice_is_null(s))
        return parse_port(first, &peer->client_port);
    peer->client_host = parse_host(config, first);
    return peer->client_host != NULL && parse_port(s, &peer->client_port);
}

static int by_host(const void *a, const void *b)
{
    const struct config_peer_address *x = a, *y = b;
    int c = strcmp(x->host, y->host);
    return c != 0 ? c : (x->quorum_port > y->quorum_port) - (x->quorum_port < y->quorum_port);
}

static bool parse_server(struct config *config, struct slice value, struct config_peer *peer, const char **wrong)
{
    bool role_told = false;
    struct slice servers = slice_cut(&value, ';');
    peer->client_host = "";
    if (!slice_is_null(value) && !parse_client(config, slice_trim(value), peer))
        return false;
    size_t count_max = 1;
    for (size_t i = 0; i < servers.n; i++)
        count_max += servers.p[i] == '|';
    peer->addresses = arena_alloc(&config->arena, count_max * sizeof *peer->addresses);
    while (!slice_is_null(servers)) {
        const char *role;
        struct slice one = slice_trim(slice_cut(&servers, '|'));
        struct config_peer_address *address = &peer->addresses[peer->address_count++];
        *address = (struct config_peer_address){ 0 };
        if (!parse_address(config, one, address, &role))
            return false;
        if (address->quorum_port == address->election_port)
            *wrong = "its two ports must differ";
        if (role == NULL)
            continue;
        bool observer = strcasecmp(role, "observer") == 0;
        if (!observer && strcasecmp(role, "participant") != 0)
            return false;
        if (role_told && observer != peer->observer)
            *wrong = "its addresses have different roles";
        role_told = true;
        peer->observer = observer;
    }
    if (peer->address_count > 1 && !config->multi_address)
        *wrong = "several addresses need multiAddress.enabled=true";
    qsort(peer->addresses, peer->address_count, sizeof *peer->addresses, by_host);
    return *wrong == NULL;
}

/* The N of server.N, group.N, weight.N. */
static int parse_id(const struct config_pair *pair, int64_t *id, struct buf *why)
{
    bool big;
    const char *dot = strchr(pair->name, '.');
    if (config_number(slice_str(dot + 1), id, &big) && !big && *id >= 0 && *id < INT64_MAX)
        return 0;
    buf_printf(why, "%s: '%s' is not the number of a %.*s", pair->name, dot + 1, (int)(dot - pair->name), pair->name);
    return ERR_INVALID;
}

static int by_id(const void *a, const void *b)
{
    const struct config_peer *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static int parse_servers(struct config *config, struct buf *why, int *line)
{
    const struct config_pairs *lines = &config->server_lines;
    config->peers = arena_alloc(&config->arena, (lines->count + 1) * sizeof *config->peers);
    for (size_t i = 0; i < lines->count; i++) {
        const struct config_pair *pair = &lines->at[i];
        struct config_peer peer = { .weight = 1, .group = -1 };
        const char *wrong = NULL;
        *line = pair->line;
        if (parse_id(pair, &peer.id, why) != 0)
            return ERR_INVALID;
        if (!parse_server(config, slice_str(pair->value), &peer, &wrong)) {
            if (wrong != NULL)
                buf_printf(why, "%s: '%s': %s", pair->name, pair->value, wrong);
            else
                buf_printf(why, "%s: '%s' does not have the form " SERVER_FORM, pair->name, pair->value);
            return ERR_INVALID;
        }
        if (config->peer_count == PEERS_MAX) {
            buf_printf(why, "%s: more than %u servers", pair->name, PEERS_MAX);
            return ERR_INVALID;
        }
        if (config_peer_find(config, peer.id) != NULL) {
            buf_printf(why, "%s: the server %lld is named twice", pair->name, (long long)peer.id);
            return ERR_INVALID;
        }
        config->peers[config->peer_count++] = peer;
    }
    qsort(config->peers, config->peer_count, sizeof *config->peers, by_id);
    return 0;
}

static int parse_group(struct config *config, const struct config_pair *pair, struct buf *why)
{
    int64_t group;
    if (parse_id(pair, &group, why) != 0)
        return ERR_INVALID;
    struct slice rest = slice_str(pair->value);
    while (!slice_is_null(rest)) {
        int64_t id;
        bool big;
        struct slice one = slice_trim(slice_cut(&rest, ':'));
        if (!config_number(one, &id, &big) || big) {
            buf_printf(why, "%s: '%.*s' is not the number of a server", pair->name, SLICE_ARG(one));
            return ERR_INVALID;
        }
        struct config_peer *peer = config_peer_find(config, id);
        if (peer == NULL)
            continue; /* Apache keeps such a group too; it counts for nothing */
        if (peer->group != -1 && peer->group != group) {
            buf_printf(why, "%s: the server %lld is in several groups", pair->name, (long long)id);
            return ERR_INVALID;
        }
        peer->group = group;
    }
    return 0;
}

static int parse_weight(struct config *config, const struct config_pair *pair, struct buf *why)
{
    int64_t id, weight;
    bool big;
    if (parse_id(pair, &id, why) != 0)
        return ERR_INVALID;
    if (!config_number(slice_str(pair->value), &weight, &big) || big || weight < 0) {
        buf_printf(why, "%s: '%s' is not a weight (0..%lld)", pair->name, pair->value, (long long)INT64_MAX);
        return ERR_INVALID;
    }
    struct config_peer *peer = config_peer_find(config, id);
    if (peer != NULL)
        peer->weight = weight;
    return 0;
}

static bool is_hierarchical(const struct config *config)
{
    return config->group_lines.count + config->weight_lines.count > 0;
}

/* QuorumHierarchical's rule. */
static int check_groups(const struct config *config, struct buf *why)
{
    for (size_t i = 0; i < config->peer_count && is_hierarchical(config); i++) {
        const struct config_peer *peer = &config->peers[i];
        if (!peer->observer && peer->group == -1) {
            buf_printf(why, "server.%lld is in no group; with group or weight lines every participant must be in one",
                       (long long)peer->id);
            return ERR_INVALID;
        }
    }
    return 0;
}

/* QuorumPeerConfig's rules about how many servers of which kind there may be. */
static int check_counts(struct config *config, struct buf *why)
{
    size_t voters = 0;
    for (size_t i = 0; i < config->peer_count; i++)
        voters += !config->peers[i].observer;
    size_t observers = config->peer_count - voters;
    const char *text = NULL;
    if (voters == 0 && !config->standalone_enabled)
        text = "standaloneEnabled=false needs at least one server line of a participant";
    else if (voters == 0 && observers > 0)
        text = "there are observers but no participants";
    else if (voters == 1 && config->standalone_enabled && observers > 0)
        text = "there are observers but only one participant; set standaloneEnabled=false to allow that";
    if (text != NULL) {
        buf_printf(why, "%s", text);
        return ERR_INVALID;
    }
    config->distributed = voters > 1 || (voters == 1 && !config->standalone_enabled);
    return 0;
}

int config_parse_peers(struct config *config, struct buf *why, int *line)
{
    if (parse_servers(config, why, line) != 0)
        return ERR_INVALID;
    for (size_t i = 0; i < config->group_lines.count; i++) {
        *line = config->group_lines.at[i].line;
        if (parse_group(config, &config->group_lines.at[i], why) != 0)
            return ERR_INVALID;
    }
    for (size_t i = 0; i < config->weight_lines.count; i++) {
        *line = config->weight_lines.at[i].line;
        if (parse_weight(config, &config->weight_lines.at[i], why) != 0)
            return ERR_INVALID;
    }
    *line = 0;
    return check_groups(config, why) != 0 ? ERR_INVALID : check_counts(config, why);
}

/* IPv6 in brackets, so that its colons are its own. */
static void put_host(struct buf *b, const char *host)
{
    bool brackets = strchr(host, ':') != NULL;
    buf_printf(b, "%s%s%s", brackets ? "[" : "", host, brackets ? "]" : "");
}

static void put_server(struct buf *b, const struct config_peer *peer)
{
    buf_printf(b, "server.%lld=", (long long)peer->id);
    for (size_t i = 0; i < peer->address_count; i++) {
        const struct config_peer_address *a = &peer->addresses[i];
        buf_printf(b, "%s", i == 0 ? "" : "|");
        put_host(b, a->host);
        buf_printf(b, ":%u:%u", a->quorum_port, a->election_port);
    }
    buf_printf(b, ":%s", peer->observer ? "observer" : "participant");
    if (peer->client_port != 0) {
        buf_printf(b, ";");
        put_host(b, peer->client_host[0] != '\0' ? peer->client_host : "0.0.0.0");
        buf_printf(b, ":%u", peer->client_port);
    }
    buf_printf(b, "\n");
}

/* Each group once, in the order of its number. */
static void put_groups(const struct config *config, struct buf *b)
{
    for (int64_t last = -1;;) {
        int64_t group = INT64_MAX;
        for (size_t i = 0; i < config->peer_count; i++) {
            if (config->peers[i].group > last && config->peers[i].group < group)
                group = config->peers[i].group;
        }
        if (group == INT64_MAX)
            return;
        buf_printf(b, "group.%lld", (long long)group);
        const char *mark = "=";
        for (size_t i = 0; i < config->peer_count; i++) {
            if (config->peers[i].group != group)
                continue;
            buf_printf(b, "%s%lld", mark, (long long)config->peers[i].id);
            mark = ":";
        }
        buf_printf(b, "\n");
        last = group;
    }
}

void config_put_members(const struct config *config, struct buf *b)
{
    for (size_t i = 0; i < config->peer_count; i++)
        put_server(b, &config->peers[i]);
    if (is_hierarchical(config)) {
        put_groups(config, b);
        for (size_t i = 0; i < config->peer_count; i++) {
            const struct config_peer *peer = &config->peers[i];
            if (!peer->observer || peer->group != -1 || peer->weight != 1)
                buf_printf(b, "weight.%lld=%lld\n", (long long)peer->id, (long long)peer->weight);
        }
    }
    buf_printf(b, "version=%llx", (unsigned long long)config->dynamic_version);
}
