/* check: what a start would refuse before it touches the data directory, without a start. */
#include "base/log.h"
#include "os/fs.h"
#include "server/client_tls.h"
#include "server/quorum.h"
#include "server/sasl_clients.h"
#include "server/server.h"

static int check_members(const struct config *config)
{
    if (!config->distributed)
        return 0;
    struct buf why;
    buf_init(&why, 1024);
    struct members *members = quorum_members(config, &why);
    if (members == NULL)
        log_error("server.config", "error=\"%.*s\"", SLICE_ARG(buf_slice(&why)));
    buf_fini(&why);
    members_unref(members);
    return members == NULL ? SERVER_EXIT_USAGE : 0;
}

int server_check(const struct config *config)
{
    struct client_tls clients = { 0 };
    struct quorum_tls peers = { 0 };
    struct quorum_sasl logins = { 0 };
    struct sasl_clients *users = NULL;
    int rcs[] = {
        client_tls_init(&clients, config),
        quorum_tls_init(&peers, config),
        quorum_sasl_init(&logins, config, fs_real()),
        sasl_clients_new(config, fs_real(), &users),
        check_members(config),
    };
    sasl_clients_free(users);
    quorum_sasl_fini(&logins);
    quorum_tls_fini(&peers);
    client_tls_fini(&clients);
    for (size_t i = 0; i < ARRAY_COUNT(rcs); i++)
        if (rcs[i] != 0)
            return rcs[i];
    return 0;
}
