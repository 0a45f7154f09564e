#include "server/config_peers.h"
#include "base/err.h"
#include "server/config_table.h"
#include <stdlib.h>
#include <strings.h>

#define SERVER_FORM "host:quorumPort:electionPort[:role][;[address:]clientPort]"

struct config_peer *config_peer_find(const struct config *config, int64_t id)
{
    for (size_t i = 0; i < config->peer_count; i++) {
        if (config->peers[i].id == id)
            return &config->peers[i];
    }
    return NULL;
}

/* Cuts `rest` at the first `mark` outside of brackets: the part before it; *rest is what follows, null at the end. */
static struct slice cut(struct slice *rest, uint8_t mark)
{
    struct slice part = *rest;
    bool bracket = false;
    for (size_t i = 0; i < part.n; i++) {
        uint8_t c = part.p[i];
        if (c == '[' || c == ']')
            bracket = c == '[';
        if (c == mark && !bracket) {
            *rest = slice_of(part.p + i + 1, part.n - i - 1);
            return slice_of(part.p, i);
        }
    }
    *rest = (struct slice){ 0 };
    return part;
}

static struct slice trim(struct slice s)
{
    while (s.n > 0 && s.p[0] <= ' ')
        s = slice_of(s.p + 1, s.n - 1);
    while (s.n > 0 && s.p[s.n - 1] <= ' ')
        s.n--;
    return s;
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

/* A host without the brackets of IPv6; NULL if there is none. */
static const char *parse_host(struct config *config, struct slice s)
{
    if (s.n >= 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
        s = slice_of(s.p + 1, s.n - 2);
    return s.n == 0 ? NULL : config_text(config, s);
}

/* host:quorum:election[:role]; role is NULL where there is none. */
static bool parse_address(struct config *config, struct slice s, struct config_peer_address *address, const char **role)
{
    struct slice host = cut(&s, ':'), quorum = cut(&s, ':'), election = cut(&s, ':');
    address->host = parse_host(config, host);
    *role = slice_is_null(s) ? NULL : config_text(config, s);
    return address->host != NULL && parse_port(quorum, &address->quorum_port) &&
           parse_port(election, &address->election_port);
}

/* [address:]port */
static bool parse_client(struct config *config, struct slice s, struct config_peer *peer)
{
    struct slice first = cut(&s, ':');
    peer->client_host = "";
    if (slice_is_null(s))
        return parse_port(first, &peer->client_port);
    peer->client_host = parse_host(config, first);
    return peer->client_host != NULL && parse_port(s, &peer->client_port);
}

static bool parse_server(struct config *config, struct slice value, struct config_peer *peer)
{
    struct slice servers = cut(&value, ';');
    peer->client_host = "";
    if (!slice_is_null(value) && !parse_client(config, trim(value), peer))
        return false;
    size_t count_max = 1;
    for (size_t i = 0; i < servers.n; i++)
        count_max += servers.p[i] == '|';
    peer->addresses = arena_alloc(&config->arena, count_max * sizeof *peer->addresses);
    while (!slice_is_null(servers)) {
        const char *role;
        struct slice one = trim(cut(&servers, '|'));
        struct config_peer_address *address = &peer->addresses[peer->address_count++];
        *address = (struct config_peer_address){ 0 };
        if (!parse_address(config, one, address, &role))
            return false;
        if (role == NULL)
            continue;
        if (strcasecmp(role, "observer") != 0 && strcasecmp(role, "participant") != 0)
            return false;
        peer->observer = strcasecmp(role, "observer") == 0;
    }
    return true;
}

/* The N of server.N, group.N, weight.N. */
static int parse_id(const struct config_pair *pair, int64_t *id, struct buf *why)
{
    bool big;
    const char *dot = strchr(pair->name, '.');
    if (config_number(slice_str(dot + 1), id, &big) && !big)
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
        struct config_peer peer = { .weight = 1 };
        *line = pair->line;
        if (parse_id(pair, &peer.id, why) != 0)
            return ERR_INVALID;
        if (!parse_server(config, slice_str(pair->value), &peer)) {
            buf_printf(why, "%s: '%s' does not have the form " SERVER_FORM, pair->name, pair->value);
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
        struct slice one = trim(cut(&rest, ':'));
        if (!config_number(one, &id, &big) || big) {
            buf_printf(why, "%s: '%.*s' is not the number of a server", pair->name, SLICE_ARG(one));
            return ERR_INVALID;
        }
        struct config_peer *peer = config_peer_find(config, id);
        if (peer == NULL)
            continue; /* Apache keeps such a group too; it counts for nothing */
        if (peer->group != 0) {
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
    return check_counts(config, why);
}
