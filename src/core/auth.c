/* auth: what a connection proves about itself (client specification 4.11). Schemes of a server without plug-ins: ip
 * (implicit), digest, and super through digest. */
#include "base/digest.h"
#include "core/internal.h"

#define AUTH_IDS_MAX 1000u /* one connection's; each costs the checker time */

void auth_free(struct auth *a)
{
    if (a == NULL)
        return;
    for (uint32_t i = 0; i < a->count; i++)
        mem_free((void *)(uintptr_t)a->ids[i].scheme.p);
    mem_free(a);
}

static bool auth_has(const struct auth *a, struct slice scheme, struct slice id)
{
    for (uint32_t i = 0; a != NULL && i < a->count; i++)
        if (slice_eq(a->ids[i].scheme, scheme) && slice_eq(a->ids[i].id, id))
            return true;
    return false;
}

static bool auth_has_scheme(const struct auth *a, struct slice scheme)
{
    for (uint32_t i = 0; a != NULL && i < a->count; i++)
        if (slice_eq(a->ids[i].scheme, scheme))
            return true;
    return false;
}

static int auth_add(struct conn *k, struct slice scheme, struct slice id)
{
    if (auth_has(k->auth, scheme, id))
        return 0;
    uint32_t count = k->auth == NULL ? 0 : k->auth->count;
    if (count >= AUTH_IDS_MAX)
        return ERR_AUTH_FAILED;
    struct auth *a = mem_realloc(k->auth, sizeof *a + (count + 1) * sizeof a->ids[0]);
    if (count == 0)
        a->super = false;
    uint8_t *bytes = mem_alloc(scheme.n + id.n + 1);
    memcpy(bytes, scheme.p, scheme.n);
    if (id.n != 0)
        memcpy(bytes + scheme.n, id.p, id.n);
    a->ids[count] = (struct auth_id){ slice_of(bytes, scheme.n), slice_of(bytes + scheme.n, id.n) };
    a->count = count + 1;
    if (slice_eq_str(scheme, "super"))
        a->super = true;
    k->auth = a;
    buf_fini(&k->ids);
    return 0;
}

/* DigestAuthenticationProvider: the id is user:base64(digest(user:password)). Without a ':' the whole text is the
 * user. The super digest adds the id ("super", ""). */
static int auth_digest(struct core *c, struct conn *k, struct slice secret)
{
    uint8_t md[64];
    size_t md_n = digest_message(c->opt.digest_algorithm, secret, md);
    if (md_n == 0 || secret.p == NULL)
        return ERR_AUTH_FAILED;
    const uint8_t *colon = secret.n == 0 ? NULL : memchr(secret.p, ':', secret.n);
    size_t user_n = colon == NULL ? secret.n : (size_t)(colon - secret.p);
    char *id = arena_alloc(&c->turn, user_n + 1 + 100);
    memcpy(id, secret.p, user_n);
    id[user_n] = ':';
    size_t id_n = user_n + 1 + digest_base64(slice_of(md, md_n), id + user_n + 1);
    if (c->opt.super_digest != NULL && digest_equal_secret(slice_of(id, id_n), slice_str(c->opt.super_digest))) {
        int rc = auth_add(k, slice_str("super"), slice_str(""));
        if (rc != 0)
            return rc;
    }
    return auth_add(k, slice_str("digest"), slice_of(id, id_n));
}

/* EnsembleAuthenticationProvider: the client says whom it means to talk to. A wrong name closes the connection without
 * an answer, so that it tries another server: an error would end its session for good. */
static int auth_ensemble(struct core *c, struct slice name)
{
    if (name.n == 0 || c->opt.ensemble_names == NULL) {
        c->stats.ensemble_auth_skipped++;
        return 0;
    }
    if (auth_scheme_listed(c->opt.ensemble_names, name)) {
        c->stats.ensemble_auth_well++;
        return 0;
    }
    c->stats.ensemble_auth_failed++;
    return ERR_CLOSED;
}

int auth_request(struct core *c, struct conn *k, struct wire_reader *r)
{
    struct wire_auth_request q = wire_get_auth_request(r);
    int rc = ERR_AUTH_FAILED;
    if (r->err == 0 && slice_eq_str(q.scheme, "ip"))
        rc = 0; /* the peer's address is known already */
    else if (r->err == 0 && slice_eq_str(q.scheme, "digest") && c->opt.digest_auth_enabled)
        rc = auth_digest(c, k, q.auth);
    else if (r->err == 0 && slice_eq_str(q.scheme, "x509") && auth_has_scheme(k->auth, q.scheme))
        rc = 0; /* as X509AuthenticationProvider, which looks at the certificate again */
    else if (r->err == 0 && c->opt.ensemble_auth && slice_eq_str(q.scheme, "ensemble"))
        rc = auth_ensemble(c, q.auth);
    if (rc != 0)
        log_warn("auth.failed", "scheme=%.*s conn=%u", SLICE_ARG(q.scheme), k->id);
    return rc;
}

/* The admin server's clients are no connections: one is made up for the time of the check. */
int core_may_administer(struct core *c, struct slice scheme, struct slice secret, struct slice address)
{
    struct conn k = { .id = CORE_CONN_MAX };
    int rc = ERR_AUTH_FAILED;
    if (slice_eq_str(scheme, "ip"))
        rc = acl_parse_address(address, &k.peer) ? 0 : ERR_AUTH_FAILED;
    else if (slice_eq_str(scheme, "digest") && c->opt.digest_auth_enabled)
        rc = auth_digest(c, &k, secret);
    k.auth_count_now = k.auth == NULL ? 0 : k.auth->count;
    struct wire_vec acl = tree_acl(c->tree, NODE_ROOT);
    for (int32_t perm = WIRE_PERM_READ; rc == 0 && perm <= WIRE_PERM_ADMIN; perm <<= 1)
        if (!acl_allows(c, &k, acl, perm))
            rc = ERR_NO_AUTH;
    auth_free(k.auth);
    return rc;
}

/* What the shell has proved by TLS or SASL. The scheme "super" comes with the id that earned it, as a second event. */
void auth_proved(struct core *c, const struct core_event *ev)
{
    struct conn *k = conn_get(c, ev->conn);
    if (k == NULL)
        return;
    if (auth_add(k, slice_str(ev->scheme), ev->frame) != 0)
        log_warn("auth.full", "scheme=%s conn=%u", ev->scheme, k->id);
}

/* What another server says that its client has proved. */
void auth_add_proved(struct conn *k, struct slice scheme, struct slice id)
{
    (void)auth_add(k, scheme, slice_is_null(id) ? slice_str("") : id);
}

/* True if the comma separated list, blanks around its items allowed, holds the scheme. NULL is empty. */
bool auth_scheme_listed(const char *list, struct slice scheme)
{
    struct slice rest = slice_str(list == NULL ? "" : list);
    while (rest.n != 0) {
        const uint8_t *comma = memchr(rest.p, ',', rest.n);
        size_t n = comma == NULL ? rest.n : (size_t)(comma - rest.p);
        size_t from = 0, to = n;
        while (from < to && rest.p[from] == ' ')
            from++;
        while (to > from && rest.p[to - 1] == ' ')
            to--;
        if (slice_eq(slice_of(rest.p + from, to - from), scheme))
            return true;
        size_t used = comma == NULL ? n : n + 1;
        rest = slice_of(rest.p + used, rest.n - used);
    }
    return false;
}

/* enforce.auth.enabled: one id of a listed scheme is needed before anything else is served. */
bool auth_satisfies_policy(const struct core *c, const struct conn *k)
{
    if (auth_scheme_listed(c->opt.enforce_auth_schemes, slice_str("ip")))
        return true;
    for (uint32_t i = 0; k->auth != NULL && i < k->auth->count; i++)
        if (auth_scheme_listed(c->opt.enforce_auth_schemes, k->auth->ids[i].scheme))
            return true;
    return false;
}

/* whoAmI: digest shows the user without the digest, ip the address, super nothing (client specification 4.10). */
int32_t auth_put_client_infos(const struct conn *k, struct buf *b)
{
    int32_t count = 0;
    for (uint32_t i = 0; i < k->auth_count_now; i++, count++) {
        struct auth_id id = k->auth->ids[i];
        struct slice user = id.id;
        if (slice_eq_str(id.scheme, "digest")) {
            const uint8_t *colon = memchr(user.p, ':', user.n);
            if (colon != NULL)
                user.n = (size_t)(colon - user.p);
        }
        wire_put_client_info(b, &(struct wire_client_info){ id.scheme, user });
    }
    char peer[64];
    size_t n = conn_peer_text(&k->peer, false, peer, sizeof peer);
    wire_put_client_info(b, &(struct wire_client_info){ slice_str("ip"), slice_of(peer, n) });
    return count + 1;
}
