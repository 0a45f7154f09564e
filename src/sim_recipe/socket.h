/* socket: the sockets of simulated programs. Descriptors are numbers that no file has. */
#ifndef ZOKOR_SIM_RECIPE_SOCKET_H
#define ZOKOR_SIM_RECIPE_SOCKET_H

#include "base/buf.h"
#include "sim_recipe/world.h"

#define SOCKET_FIRST 1000000

enum sock_state { SOCK_NEW, SOCK_OPENING, SOCK_OPEN, SOCK_BROKEN, SOCK_EVENT, SOCK_SET };

struct sock {
    struct app *app;
    enum sock_state state;
    uint32_t client, cable; /* the number it dials with; cable: only while `dialled` */
    bool dialled;
    int64_t open_us, refuse_us; /* when it is connected, or refused */
    int error;
    uint64_t value; /* of an event */
    int member;     /* of an epoll set, which has one; -1: none */
    short wanted;   /* of it, as poll has them */
    struct buf in;  /* from the member, not read yet */
    size_t in_at;
    struct buf seen; /* read: the beginning of a frame */
    struct buf out;  /* written: the beginning of a frame */
    int64_t full_us; /* takes nothing until then */
    bool ended;      /* nothing comes after `in` */
    bool asked, greeted, deaf;
    int64_t session_id, dialled_us;
};

/* NULL: no such thing of the running program. */
struct sock *sock_at(int fd);
/* A new descriptor. Like all that follow, not as a fiber. */
int sock_new(struct fiber *f, enum sock_state state);
void sock_close(struct sock *s, int fd);
int sock_connect(struct sock *s, uint32_t member);
/* What poll says of it now. */
short sock_events(struct sock *s, short wanted);
/* When it may say something else by itself; FIBER_NEVER. */
int64_t sock_due_us(const struct sock *s);
/* As recv and send; -1: *error. */
int64_t sock_read(struct sock *s, void *p, size_t n, int *error);
int64_t sock_write(struct sock *s, const void *p, size_t n, int *error);

#endif
