/* tls: TLS as a filter between a socket's bytes and a protocol's. A context holds key, certificates and rules, and is
 * shared by any number of connections; a connection is fed what the socket brought, gives back what was meant, and
 * never sees a socket, a clock of its own or a thread. Errors name the file or the peer's fault and the next step.
 *
 * Nothing of the TLS library is touched before the first context is made: a server without TLS pays for the mapping
 * of the library alone (240 KiB resident, shared with every process that uses it). */
#ifndef ZOKOR_OS_TLS_H
#define ZOKOR_OS_TLS_H

#include "base/buf.h"
#include "base/slice.h"

/* The most plaintext of one record (RFC 8446, 5.1). */
#define TLS_RECORD_BYTES 16384u
/* How much longer than its plaintext a record may be on the wire. */
#define TLS_RECORD_OVERHEAD_BYTES (256u + 5u)

/* ---- contexts ---- */

enum tls_role {
    TLS_SERVER,
    TLS_CLIENT,
};

/* ssl.clientAuth: is a client asked for a certificate, and must it have one? */
enum tls_client_auth {
    TLS_AUTH_NONE,
    TLS_AUTH_WANT,
    TLS_AUTH_NEED,
};

/* A key store or trust store. NULL and "" mean: not set. PEM and PKCS#12 are told apart by what the file holds, since
 * keytool writes PKCS#12 into files called .jks since Java 9. */
struct tls_store {
    const char *location;
    const char *password;
    const char *password_path; /* wins over password, as in Apache's X509Util; one newline at its end is dropped */
    const char *type;          /* JKS, PEM, PKCS12 or BCFKS in any case, as Apache's KeyStoreFileType; may be empty */
    const char *key_location;  /* of a key store in PEM whose location holds the certificates alone: the key's file */
};

struct tls_options {
    enum tls_role role;
    struct tls_store key;   /* needed by a server */
    struct tls_store trust; /* not set: the certificates that the system trusts, as Java does */
    const char *protocol;   /* ssl.protocol: the newest version when `protocols` is empty; "" is TLSv1.3 */
    const char *protocols;  /* ssl.enabledProtocols, comma separated; only TLSv1.2 and TLSv1.3 are ever spoken */
    const char *ciphers;    /* ssl.ciphersuites, comma separated, Java's names or OpenSSL's; "" is OpenSSL's choice */
    enum tls_client_auth client_auth; /* server only */
    /* The peer's certificate must hold the peer's name or address: ssl.hostnameVerification for a client,
     * ssl.clientHostnameVerification for a server. */
    bool verify_name;
    const char *prefix; /* of the configuration's keys, for messages: "ssl." if NULL, or "ssl.quorum." */
    bool crl;  /* ssl.crl: certificates are looked up in revocation lists, which stand in the PEM trust store */
    bool ocsp; /* ssl.ocsp: refused, with a message */
};

struct tls_error {
    char text[1024]; /* for the operator: what is wrong, in which file, and what to do */
};

struct tls_context;

/* Reads all files and checks that they fit together. The options are copied, passwords included (they are needed
 * again at a reload, and wiped by tls_context_free). May block on the disk.
 * 0; or ERR_INVALID, ERR_NOT_FOUND, ERR_ACCESS, ERR_IO, ERR_UNSUPPORTED with err filled, and *out NULL. */
int tls_context_new(const struct tls_options *options, struct tls_context **out, struct tls_error *err) WARN_UNUSED;
/* Connections made from it live on. NULL is fine. */
void tls_context_free(struct tls_context *t);

/* Looks at the files again and, if one of them has another time, size or inode, loads all of them for connections to
 * come; those that exist keep what they have. 1: loaded; 0: nothing has changed; negative, with err filled: what they
 * hold now cannot be used, so the former stays, and the next attempt waits for the next change.
 * One thread at a time; other threads may make connections meanwhile. Blocks on the disk. */
int tls_context_reload(struct tls_context *t, struct tls_error *err) WARN_UNUSED;

/* When the certificate of the key store ends, seconds since 1970; INT64_MAX without one. */
int64_t tls_context_expires_s(struct tls_context *t);

/* ---- connections ---- */

enum tls_state {
    TLS_HANDSHAKE,
    TLS_ESTABLISHED,
    TLS_CLOSED, /* the peer has said that nothing more comes; sending is still possible */
    TLS_FAILED,
};

/* Why a connection failed, for counters and for those who classify log lines. */
enum tls_fault {
    TLS_FAULT_NONE,
    TLS_FAULT_NOT_TLS,        /* the first bytes are no TLS: plaintext sent to a TLS port */
    TLS_FAULT_VERSION,        /* no version in common */
    TLS_FAULT_CIPHER,         /* no cipher suite, group or signature algorithm in common */
    TLS_FAULT_NO_CERTIFICATE, /* the peer has shown none, and it must */
    TLS_FAULT_UNTRUSTED,      /* its certificate leads to no trusted one, or is not for this use */
    TLS_FAULT_EXPIRED,        /* or is not valid yet */
    TLS_FAULT_REVOKED,        /* or no revocation list says that it is not */
    TLS_FAULT_NAME,           /* the certificate holds neither the peer's name nor its address */
    TLS_FAULT_ALERT,          /* the peer gave up: what it said is in the description */
    TLS_FAULT_TRUNCATED,      /* the socket ended without TLS's own end: bytes may have been cut off */
    TLS_FAULT_MEMORY,
    TLS_FAULT_PROTOCOL, /* anything else that TLS forbids: broken records, renegotiation */
};

struct tls_conn;

/* Both may be NULL; with verify_name one of them must match the certificate. */
struct tls_peer {
    const char *name;    /* host name; a client also sends it (SNI). Nothing is looked up here: it may block */
    const char *address; /* text of an IPv4 or IPv6 address */
    /* Further names or addresses, any of which may be the one that the certificate holds; ends with a NULL. May be
     * NULL. */
    const char *const *others;
    /* With verify_name: a certificate with none of these does not end the handshake, it is put off: tls_wants_name. */
    bool name_later;
};

/* NULL: no memory. What *peer points at is copied if it is needed. Any thread; the connection then belongs to one
 * thread at a time. */
struct tls_conn *tls_conn_new(struct tls_context *t, const struct tls_peer *peer) WARN_UNUSED;
/* Sends nothing. NULL is fine. */
void tls_conn_free(struct tls_conn *c);

/* A client's first words; a server needs no call. Appends to out. 0 or ERR_INVALID (failed). */
int tls_begin(struct tls_conn *c, struct buf *out) WARN_UNUSED;

/* Takes bytes that came from the socket, all of them: what makes no whole record yet is kept inside. Appends what was
 * meant to plain, and to out what TLS itself has to say (handshake, alerts, key updates), which is to be sent also
 * when this fails or the peer ends. plain grows by at most in.n + TLS_RECORD_BYTES; a limit below that of either
 * buffer fails the connection.
 * 0; ERR_CLOSED: the peer has said that nothing more comes (plain may have got its last bytes);
 * ERR_INVALID: failed, now or earlier: see tls_fault and tls_describe. */
int tls_feed(struct tls_conn *c, struct slice in, struct buf *plain, struct buf *out) WARN_UNUSED;

/* tls_peer.name_later: the peer has shown a trusted certificate of another name, and the handshake goes on when
 * tls_tell_name was called. The state is TLS_HANDSHAKE; what is fed until then is kept and not looked at. */
bool tls_wants_name(const struct tls_conn *c);
/* The peer's name, found out meanwhile; NULL: it has none, and why tells that. Then as tls_feed. */
int tls_tell_name(struct tls_conn *c, const char *name, const char *why, struct buf *plain,
                  struct buf *out) WARN_UNUSED;

/* The socket came to its end. 0 if the peer had announced that, else ERR_TRUNCATED, and the connection has failed. */
int tls_feed_end(struct tls_conn *c) WARN_UNUSED;

/* Appends the parts, in order, as records to out; small parts share records. Only in TLS_ESTABLISHED or TLS_CLOSED.
 * 0; ERR_BUSY: the handshake is not done, nothing was taken; ERR_INVALID: failed. */
int tls_send(struct tls_conn *c, const struct slice *parts, size_t count, struct buf *out) WARN_UNUSED;

/* Says that nothing more comes from this side. Appends to out; nothing after a failure or twice. */
void tls_end(struct tls_conn *c, struct buf *out);

enum tls_state tls_state(const struct tls_conn *c);
enum tls_fault tls_fault(const struct tls_conn *c);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384" when established; why it failed, and what to do, when it did. Always ends text. */
void tls_describe(const struct tls_conn *c, char *text, size_t size);

/* The peer has shown a certificate, and it leads to a trusted one. */
bool tls_peer_verified(const struct tls_conn *c);
/* The subject of the peer's certificate as Java's X500Principal.getName() writes it, which is the id of the scheme
 * x509 (X509AuthenticationProvider.getClientId). Null without a verified certificate. Lives as long as c. */
struct slice tls_peer_subject(const struct tls_conn *c);

/* ---- one port for both ---- */

enum tls_hello {
    TLS_HELLO_NO,
    TLS_HELLO_YES,
    TLS_HELLO_MORE, /* too few bytes to say */
};

/* Do the first bytes of a connection begin a TLS handshake? A plain client's first bytes are the length of its connect
 * request or a four-letter word; 16 03 would be a length over 352 MiB. At most two bytes are needed. */
enum tls_hello tls_looks_like_client_hello(struct slice first);

/* The same for bytes as they come from a socket: zeroed before the first ones. After TLS_HELLO_MORE the byte that came
 * is kept; whoever reads on begins with tls_sniffed. */
struct tls_sniff {
    uint8_t n, first;
};
enum tls_hello tls_sniff(struct tls_sniff *s, struct slice in);
static inline struct slice tls_sniffed(const struct tls_sniff *s)
{
    return slice_of(&s->first, s->n);
}

#endif
