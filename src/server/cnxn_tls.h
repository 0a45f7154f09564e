/* cnxn_tls: what stands between a connection's socket and its frames on a TLS port. Costs a plain connection one
 * look at a pointer. */
#ifndef ZOKOR_SERVER_CNXN_TLS_H
#define ZOKOR_SERVER_CNXN_TLS_H

#include "os/tls.h"
#include "server/cnxn.h"

struct cnxn_tls {
    struct tls_conn *conn; /* NULL: the first bytes have not said yet whether this is TLS */
    struct net_address peer;
    bool established;
    struct loop_naming *naming; /* ssl.allowReverseDnsLookup: NULL unless the name of the address is asked for */
    struct tls_sniff sniffed;   /* a byte that may begin TLS, and was taken from the socket */
};

/* port is FRONT_TLS or FRONT_EITHER. False: no memory, or too many handshakes are under way. */
bool cnxn_tls_open(struct cnxn *c, const struct net_address *peer, enum front_port port);
/* For the figures of a front with TLS: a connection without it. */
void cnxn_tls_count_plain(struct front *f, const struct net_address *peer);
/* The socket has bytes. */
void cnxn_tls_bytes(struct cnxn *c);
/* Makes records of the parts; they live until the next call for any connection of the front. Null: there is nothing to
 * send, the connection may be broken. */
struct slice cnxn_tls_wrap(struct cnxn *c, const struct slice *parts, size_t count);
/* Says the last words, if the socket takes them, and frees. */
void cnxn_tls_close(struct cnxn *c);
/* For the front's sweep: a handshake that takes too long breaks the connection. */
void cnxn_tls_expire(struct cnxn *c, int64_t now_ms);

#endif
