/* limits: what the machine allows, by the yardstick of zkbench.
 *   gcc -O2 -std=gnu17 -Wall -Wextra -pthread -o limits limits.c
 *   limits echo PORT [--data S] [--children N] [--threads T]
 *       A server with the wire behaviour of ZooKeeper and none of the work: it answers each request
 * frame with a reply frame of the right size (no tree, no sessions, no log). zkbench drives it with
 * --no-check. limits echo PORT --log FILE [--sync inline|thread|none] [--prealloc
 * none|fallocate|zero] [--follow h:p,h:p] The same, but each write request is appended to FILE (its
 * own bytes) and answered only after fdatasync, in groups of what arrived; with --follow also after
 * the followers' majority stored it. limits follow PORT --log FILE [--prealloc ..]   stores what
 * the leader sends, fdatasync, acknowledges limits fsync FILE --size S --batch B[,B..] --secs T
 * append+fdatasync alone, for each preallocation mode */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;
static u64 now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * 1000000000ull + (u64)t.tv_nsec;
}
static void die(const char *s)
{
    fprintf(stderr, "limits: %s: %s\n", s, strerror(errno));
    exit(2);
}
static void st4(u8 *p, u32 v)
{
    v = __builtin_bswap32(v);
    memcpy(p, &v, 4);
}
static void st8(u8 *p, u64 v)
{
    v = __builtin_bswap64(v);
    memcpy(p, &v, 8);
}
static u32 ld4(const u8 *p)
{
    u32 v;
    memcpy(&v, p, 4);
    return __builtin_bswap32(v);
}
struct buf {
    u8 *b;
    size_t n, off, cap;
};
static u8 *room(struct buf *o, size_t k)
{
    if (o->off == o->n)
        o->off = o->n = 0;
    if (o->n + k > o->cap) {
        if (o->off) {
            memmove(o->b, o->b + o->off, o->n - o->off);
            o->n -= o->off;
            o->off = 0;
        }
        while (o->n + k > o->cap)
            o->cap = o->cap ? o->cap * 2 : 4096;
        o->b = realloc(o->b, o->cap);
        if (!o->b)
            die("memory");
    }
    return o->b + o->n;
}
static int data_size = 100, nchildren = 100, nthreads = 1, port;
static const char *logf_ = NULL, *pre = "fallocate", *syncmode = "thread", *follow_ = NULL;
#define CHUNK (64ull << 20)
static u64 alloced;
static void prealloc(int fd, const char *mode, u64 upto)
{
    if (!strcmp(mode, "none"))
        return;
    while (alloced < upto + 65536) {
        if (!strcmp(mode, "fallocate")) {
            if (posix_fallocate(fd, (off_t)alloced, CHUNK))
                die("fallocate");
        } else {
            static u8 z[1 << 20];
            for (u64 i = 0; i < CHUNK; i += sizeof z)
                if (pwrite(fd, z, sizeof z, (off_t)(alloced + i)) < 0)
                    die("zero");
            fdatasync(fd);
        }
        alloced += CHUNK;
    }
}
/* the log: the I/O thread appends to pend; the sync thread swaps, writes, syncs, publishes */
static struct {
    int fd, ev;
    pthread_mutex_t m;
    pthread_cond_t c;
    struct buf pend, work;
    u64 appended, written, fsyncs;
    _Atomic u64 synced;
} L;
static void log_write(struct buf *w)
{
    prealloc(L.fd, pre, L.written + w->n);
    if (pwrite(L.fd, w->b, w->n, (off_t)L.written) != (ssize_t)w->n)
        die("log write");
    L.written += w->n;
    if (strcmp(syncmode, "none") && fdatasync(L.fd))
        die("fdatasync");
    L.fsyncs++;
    w->n = w->off = 0;
    atomic_store(&L.synced, L.written);
}
static _Noreturn void *sync_main(void *a)
{
    (void)a;
    for (;;) {
        pthread_mutex_lock(&L.m);
        while (!L.pend.n)
            pthread_cond_wait(&L.c, &L.m);
        struct buf t = L.pend;
        L.pend = L.work;
        L.work = t;
        pthread_mutex_unlock(&L.m);
        log_write(&L.work);
        u64 one = 1;
        if (write(L.ev, &one, 8) < 0)
            die("eventfd");
    }
}
static void log_open(void)
{
    L.fd = open(logf_, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (L.fd < 0)
        die(logf_);
    pthread_mutex_init(&L.m, NULL);
    pthread_cond_init(&L.c, NULL);
    prealloc(L.fd, pre, 1);
}

struct conn {
    int fd, kind;
    bool hand, wout, dirty;
    struct buf in, out;
    size_t held;
    u32 pend;
    u64 acked;
};
struct ent {
    struct conn *c;
    u64 lsn;
    u32 n;
};
struct q {
    struct ent *e;
    u64 h, t, cap;
};
struct srv {
    int ep, lfd;
    struct q q;
    struct conn *f[4];
    int nf;
    u64 zxid;
    struct conn **dirty;
    size_t nd, dcap;
};
static void q_push(struct q *q, struct conn *c, u64 lsn, u32 n)
{
    if (q->t - q->h == q->cap) {
        u64 k = q->cap ? q->cap * 2 : 1024;
        struct ent *e = malloc(k * sizeof *e);
        if (!e)
            die("memory");
        for (u64 i = q->h; i < q->t; i++)
            e[i & (k - 1)] = q->e[i & (q->cap - 1)];
        free(q->e);
        q->e = e;
        q->cap = k;
    }
    q->e[q->t++ & (q->cap - 1)] = (struct ent){ c, lsn, n };
}
static void mark(struct srv *s, struct conn *c)
{
    if (c->dirty)
        return;
    c->dirty = true;
    if (s->nd == s->dcap) {
        s->dcap = s->dcap ? s->dcap * 2 : 64;
        s->dirty = realloc(s->dirty, s->dcap * sizeof *s->dirty);
        if (!s->dirty)
            die("memory");
    }
    s->dirty[s->nd++] = c;
}
static void out_flush(struct srv *s, struct conn *c)
{
    size_t lim = c->out.n - c->held;
    while (c->fd >= 0 && c->out.off < lim) {
        ssize_t k = send(c->fd, c->out.b + c->out.off, lim - c->out.off, MSG_NOSIGNAL);
        if (k < 0) {
            if (errno == EAGAIN && !c->wout) {
                struct epoll_event e = { EPOLLIN | EPOLLOUT, { .ptr = c } };
                epoll_ctl(s->ep, EPOLL_CTL_MOD, c->fd, &e);
                c->wout = true;
            }
            return;
        }
        c->out.off += (size_t)k;
    }
    if (c->wout) {
        struct epoll_event e = { EPOLLIN, { .ptr = c } };
        epoll_ctl(s->ep, EPOLL_CTL_MOD, c->fd, &e);
        c->wout = false;
    }
}
static void commit(struct srv *s)
{
    u64 lsn = atomic_load(&L.synced);
    if (s->nf) {
        u64 v[5];
        int n = 0;
        v[n++] = lsn;
        for (int i = 0; i < s->nf; i++)
            v[n++] = s->f[i]->acked;
        for (int i = 0; i < n; i++)
            for (int j = i + 1; j < n; j++)
                if (v[j] > v[i]) {
                    u64 t = v[i];
                    v[i] = v[j];
                    v[j] = t;
                }
        lsn = v[n / 2];
    }
    while (s->q.h < s->q.t) {
        struct ent *e = &s->q.e[s->q.h & (s->q.cap - 1)];
        if (e->lsn > lsn)
            break;
        e->c->held -= e->n;
        e->c->pend--;
        mark(s, e->c);
        s->q.h++;
    }
}
static struct buf fbatch;
/* zkbench names its key directory /..../k<keys>-<size> and its child directory /.../ch<children>:
 * the sizes are read from there
 */
static u32 num_before(const u8 *p, u32 end)
{
    u32 v = 0, m = 1;
    while (end && p[end - 1] >= '0' && p[end - 1] <= '9') {
        v += m * (u32)(p[--end] - '0');
        m *= 10;
    }
    return v;
}
static bool is_write(u32 t)
{
    return t == 1 || t == 2 || t == 5 || t == 14;
}
static void answer(struct srv *s, struct conn *c, const u8 *f, u32 l)
{
    if (!c->hand) {
        c->hand = true;
        u8 *o = room(&c->out, 41);
        st4(o, 37);
        st4(o + 4, 0);
        st4(o + 8, 30000);
        st8(o + 12, 0x100000000ull + (u64)c->fd);
        st4(o + 20, 16);
        memset(o + 24, 1, 16);
        o[40] = 0;
        c->out.n += 41;
        return;
    }
    if (l < 8)
        return;
    u32 xid = ld4(f), type = ld4(f + 4), plen = l >= 12 ? ld4(f + 8) : 0, body;
    bool wr = is_write(type);
    u32 ds = (u32)data_size, nc = (u32)nchildren;
    if (type == 4 && plen > 15 && plen + 12 <= l && !memcmp(f + 12 + plen - 15, "/key-", 5))
        ds = num_before(f + 12, plen - 15);
    if (type == 12 && plen && plen + 12 <= l) {
        u32 v = num_before(f + 12, plen);
        if (v)
            nc = v;
    }
    switch (type) {
    case 4:
        body = 4 + ds + 68;
        break;
    case 3:
    case 5:
        body = 68;
        break;
    case 1:
        body = 4 + plen;
        {
            u32 fl = ld4(f + l - 4);
            if (fl & 2)
                body += 10;
        }
        break;
    case 9:
        body = 4 + plen;
        break;
    case 12:
        body = 4 + nc * 20 + 68;
        break;
    case 14: {
        u32 k = 0, p = 8;
        while (p + 9 < l && (int)ld4(f + p) != -1) {
            p += 9;
            p += 4 + ld4(f + p);
            p += 4 + ld4(f + p);
            p += 4;
            k++;
        }
        body = k * 77 + 9;
        break;
    }
    default:
        body = 0;
    }
    u8 *o = room(&c->out, 20 + body);
    st4(o, 16 + body);
    st4(o + 4, xid);
    if (wr)
        s->zxid++;
    st8(o + 8, s->zxid);
    st4(o + 16, 0);
    memset(o + 20, 0, body);
    if (type == 4)
        st4(o + 20, ds);
    else if (type == 1) {
        st4(o + 20, body - 4);
        memcpy(o + 24, f + 12, plen);
        if (body > 4 + plen)
            memset(o + 24 + plen, '0', 10);
    } else if (type == 9)
        memcpy(o + 20, f + 8, body);
    else if (type == 12) {
        st4(o + 20, nc);
        for (u32 i = 0; i < nc; i++)
            st4(o + 24 + i * 20, 16);
    } else if (type == 14) {
        u32 k = (body - 9) / 77;
        for (u32 i = 0; i < k; i++)
            st4(o + 20 + i * 77, 5);
        st4(o + 20 + k * 77, (u32)-1);
        o[24 + k * 77] = 1;
    }
    c->out.n += 20 + body;
    if (logf_ && (wr || c->pend)) {
        if (wr) {
            pthread_mutex_lock(&L.m);
            memcpy(room(&L.pend, l + 24), f, l);
            L.pend.n += l + 24;
            L.appended += l + 24;
            pthread_mutex_unlock(&L.m);
            if (s->nf) {
                memcpy(room(&fbatch, l + 24), f, l);
                fbatch.n += l + 24;
            }
        }
        c->held += 20 + body;
        c->pend++;
        q_push(&s->q, c, L.appended, 20 + body);
    }
}
static int listen_on(int p)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (nthreads > 1)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons((uint16_t)p),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (bind(fd, (void *)&a, sizeof a) || listen(fd, 4096))
        die("listen");
    return fd;
}
static _Noreturn void *srv_main(void *arg)
{
    (void)arg;
    struct srv *s = calloc(1, sizeof *s);
    s->ep = epoll_create1(EPOLL_CLOEXEC);
    s->lfd = listen_on(port);
    struct epoll_event e = { EPOLLIN, { .ptr = NULL } };
    epoll_ctl(s->ep, EPOLL_CTL_ADD, s->lfd, &e);
    static struct conn evc;
    evc.kind = 2;
    if (logf_) {
        L.ev = eventfd(0, EFD_NONBLOCK);
        evc.fd = L.ev;
        e.data.ptr = &evc;
        epoll_ctl(s->ep, EPOLL_CTL_ADD, L.ev, &e);
        if (!strcmp(syncmode, "thread")) {
            pthread_t t;
            pthread_create(&t, NULL, sync_main, NULL);
        }
    }
    if (follow_) {
        char *d = strdup(follow_), *sv = NULL;
        for (char *p = strtok_r(d, ",", &sv); p; p = strtok_r(NULL, ",", &sv)) {
            char *c = strrchr(p, ':');
            *c = 0;
            int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
            struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(c + 1)) };
            inet_pton(AF_INET, p, &a.sin_addr);
            for (int i = 0; connect(fd, (void *)&a, sizeof a); i++) {
                if (i > 100)
                    die("follower");
                usleep(20000);
            }
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            fcntl(fd, F_SETFL, O_NONBLOCK);
            struct conn *k = calloc(1, sizeof *k);
            k->fd = fd;
            k->kind = 3;
            e.data.ptr = k;
            epoll_ctl(s->ep, EPOLL_CTL_ADD, fd, &e);
            s->f[s->nf++] = k;
        }
    }
    u8 *scr = malloc(1 << 20);
    for (;;) {
        struct epoll_event ev[256];
        int n = epoll_wait(s->ep, ev, 256, -1);
        for (int i = 0; i < n; i++) {
            struct conn *c = ev[i].data.ptr;
            if (!c) {
                for (;;) {
                    int fd = accept4(s->lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                    if (fd < 0)
                        break;
                    int one = 1;
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    struct conn *k = calloc(1, sizeof *k);
                    k->fd = fd;
                    e.events = EPOLLIN;
                    e.data.ptr = k;
                    epoll_ctl(s->ep, EPOLL_CTL_ADD, fd, &e);
                }
                continue;
            }
            if (c->kind == 2) {
                u64 v;
                if (read(L.ev, &v, 8) == 8)
                    commit(s);
                continue;
            }
            if (c->kind == 3) {
                u8 b[4096];
                if (ev[i].events & EPOLLOUT)
                    out_flush(s, c);
                ssize_t k = recv(c->fd, b, sizeof b, 0);
                if (k == 0)
                    die("follower gone");
                if (k > 0) {
                    u64 v;
                    memcpy(&v, b + (k / 8 - 1) * 8, 8);
                    c->acked = v;
                    commit(s);
                }
                continue;
            }
            if (c->fd < 0)
                continue;
            if (ev[i].events & EPOLLOUT)
                out_flush(s, c);
            size_t have = c->in.n - c->in.off;
            if (have)
                memcpy(scr, c->in.b + c->in.off, have);
            ssize_t k = recv(c->fd, scr + have, (1 << 20) - have, 0);
            if (k <= 0) {
                if (k < 0 && errno == EAGAIN)
                    continue;
                close(c->fd);
                c->fd = -1;
                continue; /* leaked on purpose: entries may point here */
            }
            size_t m = have + (size_t)k, at = 0;
            bool gone = false;
            while (m - at >= 4 && m - at - 4 >= ld4(scr + at)) {
                u32 l = ld4(scr + at);
                bool was = c->hand;
                answer(s, c, scr + at + 4, l);
                if (was && l == 8 && (int)ld4(scr + at + 8) == -11)
                    gone = true;
                at += 4 + l;
            }
            c->in.n = c->in.off = 0;
            if (m - at) {
                memcpy(room(&c->in, m - at), scr + at, m - at);
                c->in.n = m - at;
            }
            out_flush(s, c);
            if (gone && !c->pend) {
                close(c->fd);
                c->fd = -1;
            }
        }
        if (logf_) {
            if (s->nf && fbatch.n) {
                for (int i = 0; i < s->nf; i++) {
                    struct conn *f = s->f[i];
                    memcpy(room(&f->out, fbatch.n), fbatch.b, fbatch.n);
                    f->out.n += fbatch.n;
                    out_flush(s, f);
                }
                fbatch.n = 0;
            }
            if (!strcmp(syncmode, "thread")) {
                pthread_mutex_lock(&L.m);
                if (L.pend.n)
                    pthread_cond_signal(&L.c);
                pthread_mutex_unlock(&L.m);
            } else if (L.pend.n) {
                log_write(&L.pend);
                commit(s);
            }
        }
        for (size_t i = 0; i < s->nd; i++) {
            s->dirty[i]->dirty = false;
            out_flush(s, s->dirty[i]);
        }
        s->nd = 0;
    }
}
static void follow(void)
{
    log_open();
    int l = listen_on(port);
    fcntl(l, F_SETFL, 0);
    int fd = accept(l, NULL, NULL), one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct buf b = { 0 };
    for (;;) {
        room(&b, 1 << 20);
        ssize_t k = recv(fd, b.b, 1 << 20, 0);
        if (k <= 0)
            return;
        b.n = (size_t)k;
        log_write(&b);
        u64 v = L.written;
        if (send(fd, &v, 8, MSG_NOSIGNAL) != 8)
            return;
    }
}
static int cmp64(const void *a, const void *b)
{
    u64 x = *(const u64 *)a, y = *(const u64 *)b;
    return x < y ? -1 : x > y;
}
static void fsync_bench(const char *file, int size, const char *batches, double secs)
{
    static const char *modes[] = { "none", "fallocate", "zero", "direct" };
    for (int m = 0; m < 4; m++) {
        char *d = strdup(batches), *sv = NULL;
        for (char *p = strtok_r(d, ",", &sv); p; p = strtok_r(NULL, ",", &sv)) {
            int b = atoi(p);
            size_t n = (size_t)b * (size_t)size;
            bool dir = m == 3;
            if (dir)
                n = (n + 4095) / 4096 * 4096;
            int fd = open(file, O_RDWR | O_CREAT | O_TRUNC | (dir ? O_DIRECT : 0), 0644);
            if (fd < 0)
                die(file);
            alloced = 0;
            u64 pos = 0;
            u8 *buf;
            if (posix_memalign((void **)&buf, 4096, n + 4096))
                die("memory");
            memset(buf, 7, n);
            if (m == 1)
                prealloc(fd, "fallocate", 1);
            if (m >= 2) {
                int f2 = open(file, O_RDWR);
                prealloc(f2, "zero", 1);
                fsync(f2);
                close(f2);
            }
            size_t cap = 1 << 20, k = 0;
            u64 *lat = malloc(cap * 8), t0 = now_ns(), end = t0 + (u64)(secs * 1e9), t = t0;
            struct rusage r0, r1;
            getrusage(RUSAGE_SELF, &r0);
            while (t < end && k < cap) {
                if (m == 1)
                    prealloc(fd, "fallocate", pos + n);
                if (m >= 2 && pos + n > alloced)
                    pos = 0;
                if (pwrite(fd, buf, n, (off_t)pos) != (ssize_t)n)
                    die("write");
                pos += n;
                if (fdatasync(fd))
                    die("fdatasync");
                u64 z = now_ns();
                lat[k++] = z - t;
                t = z;
            }
            getrusage(RUSAGE_SELF, &r1);
            double w = (double)(t - t0) / 1e9,
                   cpu =
                       (double)(r1.ru_utime.tv_sec - r0.ru_utime.tv_sec + r1.ru_stime.tv_sec - r0.ru_stime.tv_sec) +
                       (double)(r1.ru_utime.tv_usec - r0.ru_utime.tv_usec + r1.ru_stime.tv_usec - r0.ru_stime.tv_usec) /
                           1e6;
            qsort(lat, k, 8, cmp64);
            printf("{\"limit\":\"fsync\",\"prealloc\":\"%s\",\"size\":%d,\"batch\":%d,\"records_"
                   "s\":%.0f,\"syncs_s\":%.0f,\"p50_"
                   "us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,\"cpu_us_per_sync\":%.2f,\"cpu_us_"
                   "per_record\":%.3f,\"mb_s\":%.1f}\n",
                   dir ? "zero+O_DIRECT" : modes[m], size, b, (double)k * b / w, (double)k / w,
                   (double)lat[k / 2] / 1e3, (double)lat[k * 99 / 100] / 1e3, (double)lat[k - 1] / 1e3,
                   cpu * 1e6 / (double)k, cpu * 1e6 / (double)k / b, (double)k * (double)n / w / 1e6);
            fflush(stdout);
            free(lat);
            free(buf);
            close(fd);
        }
    }
    unlink(file);
}
int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    struct rlimit rl;
    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_cur = rl.rlim_max;
    setrlimit(RLIMIT_NOFILE, &rl);
    if (argc < 3) {
        fprintf(stderr, "limits echo PORT | follow PORT | fsync FILE; see the head of limits.c\n");
        return 2;
    }
    int size = 200;
    double secs = 2;
    const char *batch = "1,8,64,512";
    for (int i = 3; i + 1 < argc; i += 2) {
        const char *a = argv[i], *v = argv[i + 1];
        if (!strcmp(a, "--data"))
            data_size = atoi(v);
        else if (!strcmp(a, "--children"))
            nchildren = atoi(v);
        else if (!strcmp(a, "--threads"))
            nthreads = atoi(v);
        else if (!strcmp(a, "--log"))
            logf_ = v;
        else if (!strcmp(a, "--sync"))
            syncmode = v;
        else if (!strcmp(a, "--prealloc"))
            pre = v;
        else if (!strcmp(a, "--follow"))
            follow_ = v;
        else if (!strcmp(a, "--size"))
            size = atoi(v);
        else if (!strcmp(a, "--batch"))
            batch = v;
        else if (!strcmp(a, "--secs"))
            secs = atof(v);
        else {
            fprintf(stderr, "limits: unknown option %s\n", a);
            return 2;
        }
    }
    if (!strcmp(argv[1], "fsync")) {
        fsync_bench(argv[2], size, batch, secs);
        return 0;
    }
    port = atoi(argv[2]);
    if (!strcmp(argv[1], "follow")) {
        if (!logf_)
            logf_ = "follow.log";
        follow();
        return 0;
    }
    if (logf_) {
        log_open();
        nthreads = 1;
    }
    pthread_t t;
    for (int i = 1; i < nthreads; i++)
        pthread_create(&t, NULL, srv_main, NULL);
    srv_main(NULL);
}
