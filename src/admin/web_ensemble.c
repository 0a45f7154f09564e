/* web_ensemble: the HTTP commands about an ensemble, in the shape of Apache's. */
#include "admin/web_rows.h"
#include "zab/members.h"
#include <stdio.h>

#define LEARNERS_MAX 512u

enum which { QUORUM, ELECTION };

static uint16_t port_of(const struct member_address *a, enum which which)
{
    return which == QUORUM ? a->quorum_port : a->election_port;
}

static void put_address(struct json *j, const char *host, uint16_t port)
{
    char text[300];
    bool ipv6 = strchr(host, ':') != NULL;
    snprintf(text, sizeof text, ipv6 ? "[%s]:%u" : "%s:%u", host, port);
    json_string(j, text);
}

/* host NULL: each address's own. */
static void put_addresses(struct json *j, const char *key, const struct member *m, enum which which, const char *host)
{
    json_key(j, key);
    json_array(j);
    for (size_t i = 0; i < m->address_count; i++)
        put_address(j, host != NULL ? host : m->addresses[i].host, port_of(&m->addresses[i], which));
    json_array_end(j);
}

/* ---- leader ---- */

bool web_leader(struct web_answer *a)
{
    struct json *j = &a->json;
    const struct zab *zab = core_zab(a->core);
    if (zab == NULL) {
        web_set_error(a, "server is not initialized"); /* what Apache says of a server that is in no ensemble */
        return false;
    }
    struct zab_view v = zab_view(zab);
    const struct member *m = members_find(zab_members(zab), v.leader);
    char hosts[1024] = "";
    for (size_t i = 0, n = 0; m != NULL && i < m->address_count && n < sizeof hosts; i++)
        n += (size_t)snprintf(hosts + n, sizeof hosts - n, "%s%s", i == 0 ? "" : "|", m->addresses[i].host);
    json_member_bool(j, "is_leader", core_mode(a->core) == CORE_LEADING);
    json_member_number(j, "leader_id", v.leader);
    json_member_string(j, "leader_ip", hosts);
    return false;
}

/* ---- observers ---- */

bool web_observers(struct web_answer *a)
{
    struct json *j = &a->json;
    const struct zab *zab = core_zab(a->core);
    struct zab_learner_view learners[LEARNERS_MAX];
    size_t count = 0;
    if (core_mode(a->core) == CORE_LEADING)
        count = zab_learners(zab, learners, LEARNERS_MAX);
    if (count > LEARNERS_MAX)
        count = LEARNERS_MAX;
    json_member_number(j, "synced_observers", count == 0 ? 0 : (int64_t)zab_view(zab).synced_observers);
    json_key(j, "observers");
    json_array(j);
    for (size_t i = 0; i < count; i++) {
        if (!learners[i].observer)
            continue;
        json_object(j);
        json_member_number(j, "sid", learners[i].sid);
        json_member_bool(j, "synced", learners[i].synced);
        json_member_number(j, "queued_packets_size", (int64_t)learners[i].queued_bytes);
        json_member_number(j, "last_zxid", learners[i].acked_zxid);
        json_object_end(j);
    }
    json_array_end(j);
    return false;
}

/* ---- voting_view ---- */

static void put_voter(struct web_answer *a, const struct member *m)
{
    struct json *j = &a->json;
    json_key_number(j, m->sid);
    json_object(j);
    put_addresses(j, "server_addresses", m, QUORUM, NULL);
    put_addresses(j, "election_addresses", m, ELECTION, NULL);
    json_key(j, "client_address");
    if (m->client_port != 0)
        put_address(j, m->client_host[0] == '\0' ? "0.0.0.0" : m->client_host, m->client_port);
    else
        json_string(j, m->sid == a->host->words->server_id ? a->host->words->client_address : "");
    json_member_string(j, "learner_type", "participant");
    json_object_end(j);
}

bool web_voting_view(struct web_answer *a)
{
    const struct zab *zab = core_zab(a->core);
    json_key(&a->json, "current_config");
    json_object(&a->json);
    const struct members *members = zab == NULL ? NULL : zab_members(zab);
    for (size_t i = 0; members != NULL && i < members->count; i++)
        if (!members->at[i].observer)
            put_voter(a, &members->at[i]);
    json_object_end(&a->json);
    return false;
}

/* ---- zabstate ---- */

/* The fields of Java's object. Nobody here asks whether an address can be reached: all of them count as such. */
static void put_endpoint(struct json *j, const char *key, const struct member *m, enum which which)
{
    const struct member_address *first = &m->addresses[0];
    json_key(j, key);
    json_object(j);
    json_member_bool(j, "empty", false);
    put_addresses(j, "all_addresses", m, which, NULL);
    put_addresses(j, "all_reachable_addresses", m, which, NULL);
    json_key(j, "one");
    put_address(j, first->host, port_of(first, which));
    json_key(j, "reachable_address");
    put_address(j, first->host, port_of(first, which));
    put_addresses(j, "wildcard_addresses", m, which, "0.0.0.0");
    json_key(j, "all_ports");
    json_array(j);
    for (size_t i = 0; i < m->address_count; i++)
        json_number(j, port_of(&m->addresses[i], which));
    json_array_end(j);
    json_key(j, "all_host_strings");
    json_array(j);
    for (size_t i = 0; i < m->address_count; i++)
        json_string(j, m->addresses[i].host);
    json_array_end(j);
    put_addresses(j, "all_reachable_addresses_or_all", m, which, NULL);
    json_key(j, "reachable_or_one");
    put_address(j, first->host, port_of(first, which));
    json_object_end(j);
}

bool web_zabstate(struct web_answer *a)
{
    struct json *j = &a->json;
    const struct zab *zab = core_zab(a->core);
    enum core_mode mode = core_mode(a->core);
    if (zab == NULL || mode == CORE_LOOKING || mode == CORE_READ_ONLY) {
        json_member_bool(j, "voting", false);
        json_member_string(j, "zabstate", "");
        return false;
    }
    struct core_stats s;
    char zxid[24];
    core_stats(a->core, &s);
    int64_t sid = a->host->words->server_id;
    const struct member *m = members_find(zab_members(zab), sid);
    json_member_number(j, "myid", sid);
    json_member_bool(j, "is_leader", mode == CORE_LEADING);
    if (m != NULL) {
        put_endpoint(j, "quorum_address", m, QUORUM);
        put_endpoint(j, "election_address", m, ELECTION);
    }
    json_member_string(j, "client_address", a->host->words->client_address);
    json_member_bool(j, "voting", members_is_voter(zab_members(zab), sid));
    snprintf(zxid, sizeof zxid, "0x%llx", (unsigned long long)s.last_zxid);
    json_member_string(j, "last_zxid", zxid);
    json_member_number(j, "zab_epoch", (int64_t)((uint64_t)s.last_zxid >> 32));
    json_member_number(j, "zab_counter", s.last_zxid & 0xffffffff);
    json_member_string(j, "zabstate", "broadcast");
    return false;
}
