/* fronts: client connections on threads of their own. Each thread has a loop and a front; what its connections bring
 * goes to the core's thread in batches, one a turn, and effects come back the same way. To the core's thread this is
 * one large front with the same calls.
 *
 * A connection's number is given again only when both sides know that the old one is gone, so an answer can never reach
 * a stranger. What is under way in either direction is bounded: a thread whose batches are not being taken stops
 * cutting frames; a connection whose answers pile up gets no further request answered until they are sent. */
#ifndef ZOKOR_SERVER_FRONTS_H
#define ZOKOR_SERVER_FRONTS_H

#include "server/front.h"

struct fronts;

struct fronts_options {
    uint32_t threads; /* at least 1 */
    struct loop *core_loop;
    struct front_sink sink; /* called on the core's thread */
    size_t frame_bytes_max;
    int64_t conns_max;
    struct tls_context *tls; /* the rest as in front_options */
    int64_t tls_handshake_ms, tls_handshakes_max;
    bool tls_names;
};

struct fronts *fronts_new(const struct fronts_options *options);
/* Closes all sockets and ends the threads. Nothing but fronts_free may follow. NULL is fine. */
void fronts_stop(struct fronts *n);
/* After core_loop was freed. NULL is fine. */
void fronts_free(struct fronts *n);

/* All on the core's thread, with the meaning of their namesakes in front.h. */
void fronts_add(struct fronts *n, int fd, const struct net_address *peer, enum front_port port);
bool fronts_make_room(struct fronts *n);
void fronts_apply(struct fronts *n, const struct core_fx *fx, size_t count);
bool fronts_has_ready(const struct fronts *n);
void fronts_run_ready(struct fronts *n);
void fronts_stop_reading(struct fronts *n);
/* Every thread has stopped reading, all it brought was given to the sink, and every answer was sent. */
bool fronts_all_sent(struct fronts *n);
int64_t fronts_open_count(const struct fronts *n);
int64_t fronts_unsent_bytes(const struct fronts *n);
int64_t fronts_tls_figure(const struct fronts *n, enum front_tls_figure which);

#endif
