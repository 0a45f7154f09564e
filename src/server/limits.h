/* limits: every number that bounds what strangers can make the server's sockets cost, in one place. What the core
 * bounds (frame length, connections an address, requests in flight, time for a handshake) are keys of the
 * configuration; these are not, because no operator has reason to turn them. */
#ifndef ZOKOR_SERVER_LIMITS_H
#define ZOKOR_SERVER_LIMITS_H

/* One read takes at most this: a call's cost is spread over thousands of small requests, and a connection that pauses
 * with requests behind leaves no more than this in memory. */
#define LIMIT_RECV_BYTES (64u * 1024)
/* What is left of a frame is put before the next read if it is at most this long; a longer rest is read behind. */
#define LIMIT_COPY_BYTES (4u * 1024)
/* Replies of a turn are sent when so many bytes have gathered, not only at its end: a few small requests for large
 * nodes must not pile up answers for every connection at once. */
#define LIMIT_TURN_BYTES (1024u * 1024)
/* With net threads: requests of one thread that wait for the core, and answers that wait for that thread. Above, the
 * thread cuts no more frames, and the core answers no more of them. */
#define LIMIT_INBOX_BYTES (2u * 1024 * 1024)
#define LIMIT_ORDERS_BYTES (16u * 1024 * 1024)
/* Replies that a socket has not taken: above SOFT nothing more is read from it; above HARD it is closed before more is
 * added (only watch events can bring it there). One reply may be of any length, so the bound is HARD and one reply. */
#define LIMIT_OUT_SOFT_BYTES (4u * 1024 * 1024)
#define LIMIT_OUT_HARD_BYTES (16u * 1024 * 1024)
/* Replies wait and the peer takes not one byte for so long: closed. Longer than any pause a live client makes, shorter
 * than what a session may last at most by default (20 ticks of 2 s). */
#define LIMIT_STALL_MS 30000
/* The same for a connection that only waits to be closed. */
#define LIMIT_CLOSE_MS 5000
/* New connections taken before sockets of others are looked at again. */
#define LIMIT_ACCEPTS_PER_TURN 128
/* Descriptors that no client gets: log and snapshot files (two of each while they roll), directories being synced,
 * threads' own, and a margin. Accepting stops before these are touched. */
#define LIMIT_FDS_RESERVED 32
/* And those of one net thread: what its loop waits on, and is woken by. */
#define LIMIT_FDS_THREAD 6
/* Connections that have not sent one whole frame may hold one slot in so many; above that, or when no slot is free,
 * the oldest of them makes room if it is older than FRESH_MS, else accepting pauses for ACCEPT_PAUSE_MS. */
#define LIMIT_FRESH_SHARE 10u
#define LIMIT_FRESH_MIN 1024u
#define LIMIT_FRESH_MS 1000
#define LIMIT_ACCEPT_PAUSE_MS 50
/* Connections the kernel holds for us when clientPortListenBacklog is not set. Apache's 50 loses clients when a fleet
 * reconnects; the kernel cuts this to its own somaxconn. */
#define LIMIT_BACKLOG 4096
/* Connections to the HTTP ports that speak TLS, or may; each costs up to 200 KiB. */
#define LIMIT_HTTPS_CONNS 128u
/* Connections the kernel holds for the admin port and the metrics port. */
#define LIMIT_HTTP_BACKLOG 64
/* Links between servers: DRAINED is told below the first; a link that holds more than the second is closed, because its
 * server takes nothing and must catch up anew. */
#define LIMIT_PEER_DRAINED_BYTES (256u * 1024)
#define LIMIT_PEER_OUT_BYTES (256u * 1024 * 1024)
/* What changes while images are on their way to learners is kept for them as it was: so much in all. */
#define LIMIT_IMAGE_SAVED_BYTES (512u * 1024 * 1024)
/* Transactions kept in memory for servers that are behind, whatever commitLogCount says. */
#define LIMIT_HISTORY_BYTES (64u * 1024 * 1024)
/* Packets of a connection between servers that are remembered each way, whatever messageTracker.BufferSize says. */
#define LIMIT_PEER_PACKETS 10000u
/* Accepted links a port: so many, and two for every member. */
#define LIMIT_PEER_STRANGERS 32u
/* Failed TLS handshakes are told one in so long, with the number of those that were not. */
#define LIMIT_TLS_WARN_MS 1000
/* The same for servers that are refused, by TLS or by SASL. */
#define LIMIT_PEER_WARN_MS 1000
/* A piece of the answer to a four-letter word or an HTTP command. */
#define LIMIT_WORD_PIECE_BYTES (32u * 1024)
/* Pieces of a snapshot that wait for its thread. */
#define LIMIT_SNAPSHOT_CHUNKS 8u
/* SASL exchanges that have begun and not ended, over all connections; each costs about 20 KiB. Above, the one that has
 * run longest is forgotten: its client has had the time of a thousand others. */
#define LIMIT_SASL_RUNNING 1024u

#endif
