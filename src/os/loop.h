/* loop: one event loop a thread. A turn is: timers, `before` of the turn, waiting for sockets and wakes, `after` of the
 * turn, closing. Handles are embedded in their owners; the bytes in `storage` are the loop library's own.
 * Every function but loop_wake belongs to the loop's thread. */
#ifndef ZOKOR_OS_LOOP_H
#define ZOKOR_OS_LOOP_H

#include "base/assert.h"
#include "os/net.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;

/* Never NULL: without a loop nothing can run, so failing ends the process with a line on stderr. */
struct loop *loop_new(void);
/* Runs what is still closing, then frees. All handles must have been closed. */
void loop_free(struct loop *loop);
/* Until loop_stop, or until no handle is open. */
void loop_run(struct loop *loop);
/* One turn that does not wait: for tests. */
void loop_run_once(struct loop *loop);
/* Ends loop_run at the end of this turn. */
void loop_stop(struct loop *loop);
/* Monotonic milliseconds, taken when this turn's events came. */
int64_t loop_now_ms(const struct loop *loop);
/* fn runs twice a turn: before the wait and after it. Whatever a turn gathers is carried out there. */
void loop_set_turn(struct loop *loop, void (*fn)(void *ctx), void *ctx);
/* While on, a turn does not wait: fn runs once a turn and sockets are looked at in between. */
void loop_set_busy(struct loop *loop, void (*fn)(void *ctx), void *ctx);

/* ---- sockets ---- */

enum {
    LOOP_READABLE = 1,
    LOOP_WRITABLE = 4,
    LOOP_FAILED = 8, /* comes alone: the socket has an error and is watched no longer */
};

struct loop_poll {
    /* events: LOOP_ flags; a hang-up of the peer comes as every flag that was asked for. */
    void (*fn)(struct loop_poll *poll, unsigned events);
    void (*closed)(struct loop_poll *poll);
    uint64_t storage[20];
};

/* Watches nothing yet. 0 or a negative err. */
int loop_poll_open(struct loop *loop, struct loop_poll *poll, int fd,
                   void (*fn)(struct loop_poll *, unsigned)) WARN_UNUSED;
/* Level-triggered. events 0 stops watching. */
void loop_poll_set(struct loop_poll *poll, unsigned events);
/* The socket may be closed right after. `closed` runs at the end of a turn; then the memory is the owner's again. */
void loop_poll_close(struct loop_poll *poll, void (*closed)(struct loop_poll *));

/* ---- timers ---- */

struct loop_timer {
    void (*fn)(struct loop_timer *timer);
    uint64_t storage[20];
};

void loop_timer_open(struct loop *loop, struct loop_timer *timer, void (*fn)(struct loop_timer *));
/* Once, after_ms (at least 1) from now; a running timer starts anew. */
void loop_timer_set(struct loop_timer *timer, int64_t after_ms);
void loop_timer_stop(struct loop_timer *timer);
void loop_timer_close(struct loop_timer *timer);

/* ---- waking a loop from another thread ---- */

struct loop_wake {
    void (*fn)(struct loop_wake *wake);
    struct loop *loop;
    struct loop_wake *next; /* of the loop's */
    atomic_bool woken;
};

void loop_wake_open(struct loop *loop, struct loop_wake *wake, void (*fn)(struct loop_wake *));
/* Any thread. Several wakes before the loop comes round run fn once, after the sockets of that turn. A loop that is not
 * asleep is woken without a system call. */
void loop_wake(struct loop_wake *wake);
/* Wakes that come later are lost; they must have ended before the loop and the memory go. */
void loop_wake_close(struct loop_wake *wake);

/* ---- addresses of names ---- */

#define LOOP_LOOKUP_MAX 16 /* more addresses of one name are left out */

struct loop_lookup; /* under way */

/* Asks what addresses a host name has, IPv4 first; port is put into each. fn runs once, in a later turn; `at` lives for
 * the call; count 0: why says what went wrong. Other threads do the waiting. */
struct loop_lookup *loop_lookup(struct loop *loop, const char *host, uint16_t port,
                                void (*fn)(void *ctx, const struct net_address *at, size_t count, const char *why),
                                void *ctx);
/* The answer is not wanted any more: fn will not run. Not after fn has run. */
void loop_lookup_drop(struct loop_lookup *lookup);

/* ---- names of addresses ---- */

struct loop_naming; /* under way */

/* Asks what host an address is of. fn runs once, in a later turn; name lives for the call. It is NULL, and why says so,
 * if there is none, or if that name does not lead back to the address: whoever has an address may name it as they like.
 * Other threads do the waiting. */
struct loop_naming *loop_name(struct loop *loop, const struct net_address *address,
                              void (*fn)(void *ctx, const char *name, const char *why), void *ctx);
/* The answer is not wanted any more: fn will not run. Not after fn has run. */
void loop_name_drop(struct loop_naming *naming);

/* ---- signals ---- */

struct loop_signal {
    void (*fn)(struct loop_signal *signal);
    uint64_t storage[21];
};

enum loop_signal_number { LOOP_SIGNAL_TERMINATE, LOOP_SIGNAL_INTERRUPT };

void loop_signal_open(struct loop *loop, struct loop_signal *signal, enum loop_signal_number number,
                      void (*fn)(struct loop_signal *));
void loop_signal_close(struct loop_signal *signal);

#endif
