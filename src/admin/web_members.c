/* web_members: the commands about the part that this server plays in an ensemble. A server that is in none, or that
 * serves nobody at the moment, gets the answers that Apache gives then. */
#include "admin/web_rows.h"
#include <stdio.h>

/* Enough for a name of a host and a port. */
#define ADDRESS_BYTES 300

static bool takes_part(const struct web_answer *a)
{
    enum core_mode mode = core_mode(a->core);
    return mode == CORE_LEADING || mode == CORE_FOLLOWING || mode == CORE_OBSERVING;
}

static const struct members *members_of(const struct web_answer *a)
{
    return zab_members(core_zab(a->core));
}

/* As Java writes a socket's address. */
static const char *address_text(const char *host, uint16_t port, char to[ADDRESS_BYTES])
{
    bool ipv6 = strchr(host, ':') != NULL;
    snprintf(to, ADDRESS_BYTES, ipv6 ? "[%.255s]:%u" : "%.255s:%u", host, port);
    return to;
}

bool web_leader(struct web_answer *a)
{
    struct json *j = &a->json;
    if (!takes_part(a)) {
        web_set_error(a, "server is not initialized");
        return false;
    }
    struct zab_view v = zab_view(core_zab(a->core));
    const struct member *m = members_find(members_of(a), v.leader);
    json_member_bool(j, "is_leader", core_mode(a->core) == CORE_LEADING);
    json_member_number(j, "leader_id", v.leader);
    json_member_string(j, "leader_ip", m == NULL ? "" : m->addresses[0].host);
    return false;
}

/* ---- observers ---- */

bool web_observers(struct web_answer *a)
{
    struct json *j = &a->json;
    bool may_serve = takes_part(a); /* a leader, and a follower with observerMasterPort */
    struct zab_learner_view learners[MEMBERS_MAX];
    size_t n = may_serve ? zab_learners(core_zab(a->core), learners, MEMBERS_MAX) : 0;
    json_member_number(j, "synced_observers", may_serve ? (int64_t)zab_view(core_zab(a->core)).synced_observers : 0);
    json_key(j, "observers");
    json_array(j);
    for (size_t i = 0; i < n && i < MEMBERS_MAX; i++) {
        if (!learners[i].observer)
            continue;
        json_object(j);
        json_member_number(j, "sid", learners[i].sid);
        json_member_number(j, "queued_packets_size", (int64_t)learners[i].queued_bytes);
        json_member_number(j, "last_zxid", learners[i].acked_zxid);
        json_object_end(j);
    }
    json_array_end(j);
    return false;
}

/* ---- voting_view ---- */

static void put_addresses(struct json *j, const char *key, const struct member *m, bool election)
{
    char text[ADDRESS_BYTES];
    json_key(j, key);
    json_array(j);
    for (size_t i = 0; i < m->address_count; i++)
        json_string(j, address_text(m->addresses[i].host,
                                    election ? m->addresses[i].election_port : m->addresses[i].quorum_port, text));
    json_array_end(j);
}

/* NULL: not told. */
static const char *client_address(const struct web_answer *a, const struct member *m, char to[ADDRESS_BYTES])
{
    if (m->client_port != 0)
        return address_text(m->client_host, m->client_port, to);
    if (m->sid != a->host->server_id || a->host->client_host == NULL)
        return NULL;
    return address_text(a->host->client_host, a->host->client_port, to);
}

static void put_voter(struct web_answer *a, const struct member *m)
{
    struct json *j = &a->json;
    char text[ADDRESS_BYTES];
    const char *client = client_address(a, m, text);
    json_key_number(j, m->sid);
    json_object(j);
    put_addresses(j, "server_addresses", m, false);
    put_addresses(j, "election_addresses", m, true);
    json_member_string(j, "client_address", client == NULL ? "" : client);
    json_member_string(j, "learner_type", "participant");
    json_object_end(j);
}

bool web_voting_view(struct web_answer *a)
{
    json_key(&a->json, "current_config");
    json_object(&a->json);
    if (takes_part(a)) {
        const struct members *m = members_of(a);
        for (size_t i = 0; i < m->count; i++)
            if (!m->at[i].observer)
                put_voter(a, &m->at[i]);
    }
    json_object_end(&a->json);
    return false;
}

/* ---- zabstate ---- */

/* What Apache's class of several addresses looks like from outside; which of them can be reached is not tried here. */
static void put_multi_address(struct json *j, const char *key, const struct member *m, bool election)
{
    static const char *const lists[] = { "all_addresses", "all_reachable_addresses" };
    const struct member_address *first = &m->addresses[0];
    uint16_t port = election ? first->election_port : first->quorum_port;
    char text[ADDRESS_BYTES], any[ADDRESS_BYTES];
    address_text(first->host, port, text);
    json_key(j, key);
    json_object(j);
    json_member_bool(j, "empty", false);
    for (size_t i = 0; i < ARRAY_COUNT(lists); i++)
        put_addresses(j, lists[i], m, election);
    json_member_string(j, "one", text);
    json_member_string(j, "reachable_address", text);
    json_key(j, "wildcard_addresses");
    json_array(j);
    json_string(j, address_text("0.0.0.0", port, any));
    json_array_end(j);
    json_key(j, "all_ports");
    json_array(j);
    json_number(j, port);
    json_array_end(j);
    json_key(j, "all_host_strings");
    json_array(j);
    for (size_t i = 0; i < m->address_count; i++)
        json_string(j, m->addresses[i].host);
    json_array_end(j);
    put_addresses(j, "all_reachable_addresses_or_all", m, election);
    json_member_string(j, "reachable_or_one", text);
    json_object_end(j);
}

static void put_place(struct web_answer *a, const struct member *m)
{
    struct json *j = &a->json;
    char text[ADDRESS_BYTES];
    put_multi_address(j, "quorum_address", m, false);
    put_multi_address(j, "election_address", m, true);
    json_member_string(j, "client_address", client_address(a, m, text));
}

bool web_zabstate(struct web_answer *a)
{
    struct json *j = &a->json;
    if (!takes_part(a)) {
        json_member_bool(j, "voting", false);
        json_member_string(j, "zabstate", "");
        return false;
    }
    char zxid[24];
    struct core_stats s;
    const struct member *m = members_find(members_of(a), a->host->server_id);
    core_stats(a->core, &s);
    snprintf(zxid, sizeof zxid, "0x%llx", (unsigned long long)s.last_zxid);
    json_member_number(j, "myid", a->host->server_id);
    json_member_bool(j, "is_leader", core_mode(a->core) == CORE_LEADING);
    if (m != NULL)
        put_place(a, m);
    json_member_bool(j, "voting", members_is_voter(members_of(a), a->host->server_id));
    json_member_string(j, "last_zxid", zxid);
    json_member_number(j, "zab_epoch", s.last_zxid >> 32);
    json_member_number(j, "zab_counter", s.last_zxid & 0xffffffff);
    json_member_string(j, "zabstate", "broadcast"); /* who serves has come through the other phases */
    return false;
}
