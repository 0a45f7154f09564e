/* zkbench: drives any server that speaks the ZooKeeper client protocol, over raw sockets.
 * One file, C17, libc + pthread only.
 *   gcc -O2 -std=gnu17 -Wall -Wextra -pthread -o zkbench zkbench.c      (or the build's target
 * zkbench) zkbench help                                                        lists workloads and
 * options One JSON object per run goes to stdout; a one-line summary goes to stderr. Every reply is
 * checked: order of xids, err code, zxid order per session, body shape, and for getData the length
 * and the key number in the first 8 bytes. A wrong reply is an error in the report. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <dirent.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t i32;
typedef int64_t i64;

static u64 now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * 1000000000ull + (u64)t.tv_nsec;
}
static void die(const char *f, ...)
{
    va_list a;
    va_start(a, f);
    fprintf(stderr, "zkbench: ");
    vfprintf(stderr, f, a);
    fputc('\n', stderr);
    va_end(a);
    exit(2);
}
static void *xm(size_t n)
{
    void *p = calloc(1, n ? n : 1);
    if (!p)
        die("out of memory");
    return p;
}
static void sleep_ns(u64 ns)
{
    struct timespec t = { (time_t)(ns / 1000000000ull), (long)(ns % 1000000000ull) };
    nanosleep(&t, NULL);
}

/* ---------- histogram: 128 steps per power of two, error < 0.8 % ---------- */
#define HB 7
#define HN (58 << HB)
struct hist {
    u64 n, max, sum;
    u64 b[HN];
};
static void h_add(struct hist *h, u64 v)
{
    unsigned i;
    if (v < (1u << HB))
        i = (unsigned)v;
    else {
        int m = 63 - __builtin_clzll(v);
        i = ((unsigned)(m - HB + 1) << HB) + (unsigned)((v >> (m - HB)) & ((1u << HB) - 1));
    }
    h->b[i]++;
    h->n++;
    h->sum += v;
    if (v > h->max)
        h->max = v;
}
static void h_merge(struct hist *d, const struct hist *s)
{
    for (int i = 0; i < HN; i++)
        d->b[i] += s->b[i];
    d->n += s->n;
    d->sum += s->sum;
    if (s->max > d->max)
        d->max = s->max;
}
static double h_q(const struct hist *h, double q)
{
    if (!h->n)
        return 0;
    u64 want = (u64)(q * (double)h->n + 0.5), s = 0;
    if (want < 1)
        want = 1;
    for (unsigned i = 0; i < HN; i++) {
        s += h->b[i];
        if (s >= want) {
            double v;
            if (i < (1u << HB))
                v = i;
            else {
                unsigned e = (i >> HB) - 1;
                v = (double)((u64)((1u << HB) + (i & ((1u << HB) - 1))) << e) + (double)((1ull << e) / 2);
            }
            return v < (double)h->max ? v : (double)h->max;
        }
    }
    return (double)h->max;
}
static void h_json(FILE *f, const char *name, const struct hist *h)
{
    fprintf(f,
            "\"%s\":{\"n\":%llu,\"mean\":%.1f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,"
            "\"max\":%.1f}",
            name, (unsigned long long)h->n, h->n ? (double)h->sum / (double)h->n / 1e3 : 0, h_q(h, .5) / 1e3,
            h_q(h, .9) / 1e3, h_q(h, .99) / 1e3, h_q(h, .999) / 1e3, (double)h->max / 1e3);
}

/* ---------- what the processes cost ---------- */
struct psnap {
    bool ok;
    double cpu, ut, st;
    u64 rss_kb, hwm_kb, vol, inv, wbytes, wcalls, rcalls;
    int threads;
};
struct snap {
    u64 t;
    int n;
    struct psnap p[16];
    double sys_busy, sys_steal, sys_iowait, sys_irq;
    u64 flushes, wios, wsect;
    double self;
};
static int g_pids[16], g_npid;
static void psnap(int pid, struct psnap *o)
{
    char p[64], b[4096];
    memset(o, 0, sizeof *o);
    clockid_t ck;
    struct timespec ts;
    if (clock_getcpuclockid(pid, &ck) || clock_gettime(ck, &ts))
        return;
    o->ok = true;
    o->cpu = (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
    snprintf(p, sizeof p, "/proc/%d/stat", pid);
    FILE *f = fopen(p, "r");
    if (f) {
        size_t k = fread(b, 1, sizeof b - 1, f);
        b[k] = 0;
        fclose(f);
        char *q = strrchr(b, ')');
        unsigned long long u = 0, s = 0;
        if (q)
            sscanf(q + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &u, &s);
        o->ut = (double)u / (double)sysconf(_SC_CLK_TCK);
        o->st = (double)s / (double)sysconf(_SC_CLK_TCK);
    }
    snprintf(p, sizeof p, "/proc/%d/status", pid);
    f = fopen(p, "r");
    if (f) {
        while (fgets(b, sizeof b, f)) {
            sscanf(b, "VmRSS: %lu", (unsigned long *)&o->rss_kb);
            sscanf(b, "VmHWM: %lu", (unsigned long *)&o->hwm_kb);
        }
        fclose(f);
    }
    snprintf(p, sizeof p, "/proc/%d/io", pid);
    f = fopen(p, "r");
    if (f) {
        while (fgets(b, sizeof b, f)) {
            sscanf(b, "write_bytes: %lu", (unsigned long *)&o->wbytes);
            sscanf(b, "syscw: %lu", (unsigned long *)&o->wcalls);
            sscanf(b, "syscr: %lu", (unsigned long *)&o->rcalls);
        }
        fclose(f);
    }
    snprintf(p, sizeof p, "/proc/%d/task", pid);
    DIR *d = opendir(p);
    struct dirent *e;
    if (d) {
        while ((e = readdir(d))) {
            if (e->d_name[0] == '.')
                continue;
            char q[400];
            snprintf(q, sizeof q, "/proc/%d/task/%s/status", pid, e->d_name);
            f = fopen(q, "r");
            if (!f)
                continue;
            o->threads++;
            unsigned long v;
            while (fgets(b, sizeof b, f)) {
                if (sscanf(b, "voluntary_ctxt_switches: %lu", &v) == 1)
                    o->vol += v;
                else if (sscanf(b, "nonvoluntary_ctxt_switches: %lu", &v) == 1)
                    o->inv += v;
            }
            fclose(f);
        }
        closedir(d);
    }
}
static double self_cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
static char g_disk[32] = "vda";
static void snapit(struct snap *s)
{
    char b[512];
    memset(s, 0, sizeof *s);
    s->t = now_ns();
    s->self = self_cpu();
    s->n = g_npid;
    for (int i = 0; i < g_npid; i++)
        psnap(g_pids[i], &s->p[i]);
    FILE *f = fopen("/proc/stat", "r");
    if (f) {
        unsigned long long u = 0, n = 0, y = 0, id = 0, w = 0, hi = 0, si = 0, st = 0;
        if (fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &u, &n, &y, &id, &w, &hi, &si, &st) == 8) {
            double t = (double)sysconf(_SC_CLK_TCK);
            s->sys_busy = (double)(u + n + y + hi + si) / t;
            s->sys_steal = (double)st / t;
            s->sys_iowait = (double)w / t;
            s->sys_irq = (double)(hi + si) / t;
        }
        fclose(f);
    }
    f = fopen("/proc/diskstats", "r");
    if (f) {
        while (fgets(b, sizeof b, f)) {
            char nm[64];
            unsigned long v[17] = { 0 };
            if (sscanf(b,
                       "%*d %*d %63s %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu "
                       "%lu %lu",
                       nm, v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6, v + 7, v + 8, v + 9, v + 10, v + 11, v + 12,
                       v + 13, v + 14, v + 15, v + 16) >= 12 &&
                !strcmp(nm, g_disk)) {
                s->wios = v[4];
                s->wsect = v[6];
                s->flushes = v[15];
            }
        }
        fclose(f);
    }
}
static void snap_json(FILE *f, const struct snap *a, const struct snap *b, double ops)
{
    double w = (double)(b->t - a->t) / 1e9, tot = 0, self = b->self - a->self;
    u64 vol = 0, inv = 0, rb = 0, ra = 0, wb = 0, wc = 0, rc = 0;
    if (ops < 1)
        ops = 1;
    fprintf(f, "\"servers\":[");
    for (int i = 0; i < a->n; i++) {
        const struct psnap *x = &a->p[i], *y = &b->p[i];
        double c = y->cpu - x->cpu;
        tot += c;
        vol += y->vol - x->vol;
        inv += y->inv - x->inv;
        rb += x->rss_kb;
        ra += y->rss_kb;
        wb += y->wbytes - x->wbytes;
        wc += y->wcalls - x->wcalls;
        rc += y->rcalls - x->rcalls;
        fprintf(f,
                "%s{\"pid\":%d,\"alive\":%s,\"cpu_s\":%.4f,\"user_s\":%.2f,\"sys_s\":%.2f,\"cpu_us_"
                "per_op\":%.3f,\"cores\":%.3f,"
                "\"rss_before_kb\":%llu,\"rss_after_kb\":%llu,\"hwm_kb\":%llu,\"threads\":%d,"
                "\"vol\":%llu,\"invol\":%llu}",
                i ? "," : "", g_pids[i], y->ok ? "true" : "false", c, y->ut - x->ut, y->st - x->st, c * 1e6 / ops,
                c / w, (unsigned long long)x->rss_kb, (unsigned long long)y->rss_kb, (unsigned long long)y->hwm_kb,
                y->threads, (unsigned long long)(y->vol - x->vol), (unsigned long long)(y->inv - x->inv));
    }
    fprintf(f,
            "],\"cpu_s\":%.4f,\"cpu_us_per_op\":%.3f,\"cores\":%.3f,\"vol_per_op\":%.4f,\"invol_"
            "per_op\":%.4f,\"rss_before_kb\":%"
            "llu,\"rss_after_kb\":%llu,\"disk_bytes_per_op\":%.1f,\"write_calls_per_op\":%.4f,"
            "\"read_calls_per_op\":%.4f",
            tot, tot * 1e6 / ops, tot / w, (double)vol / ops, (double)inv / ops, (unsigned long long)rb,
            (unsigned long long)ra, (double)wb / ops, (double)wc / ops, (double)rc / ops);
    fprintf(f, ",\"loader\":{\"cpu_s\":%.4f,\"cpu_us_per_op\":%.3f,\"cores\":%.3f}", self, self * 1e6 / ops, self / w);
    fprintf(f,
            ",\"system\":{\"busy_cores\":%.3f,\"other_cores\":%.3f,\"steal_cores\":%.3f,\"iowait_"
            "cores\":%.3f,\"irq_cores\":%.3f,"
            "\"disk_flushes\":%llu,\"disk_writes\":%llu,\"disk_kb\":%llu,\"ops_per_flush\":%.2f}",
            (b->sys_busy - a->sys_busy) / w, (b->sys_busy - a->sys_busy - tot - self) / w,
            (b->sys_steal - a->sys_steal) / w, (b->sys_iowait - a->sys_iowait) / w, (b->sys_irq - a->sys_irq) / w,
            (unsigned long long)(b->flushes - a->flushes), (unsigned long long)(b->wios - a->wios),
            (unsigned long long)(b->wsect - a->wsect) / 2,
            b->flushes > a->flushes ? ops / (double)(b->flushes - a->flushes) : 0.0);
}

/* ---------- options ---------- */
struct addr {
    struct sockaddr_in sa;
    char name[64];
};
static struct addr g_h[16];
static int g_nh;
static struct {
    const char *wl, *label, *root, *node, *disk;
    int conns, depth, threads, size, children, mk, timeout, window;
    u64 keys, ops;
    double secs, warm, rate;
    int readpct;
    bool check, cleanup, persist, keep, stall;
    double hold;
    int rounds;
    const char *target;
    int sig;
    int kill_pid;
    double after;
    int backoff;
    int fan;
    int watchers;
    const char *latlog;
    const char *cpus;
    bool bye;
} O = { .label = "",
        .root = "/zkbench",
        .node = NULL,
        .conns = 16,
        .depth = 1,
        .threads = 1,
        .size = 100,
        .children = 100,
        .mk = 10,
        .timeout = 30000,
        .window = 64,
        .keys = 10000,
        .secs = 5,
        .warm = 1,
        .readpct = 90,
        .check = true,
        .cleanup = true,
        .hold = 10,
        .rounds = 20,
        .target = "leader",
        .sig = SIGKILL,
        .after = 5,
        .backoff = 10,
        .fan = 1000,
        .watchers = 1,
        .bye = true };

/* ---------- bytes ---------- */
struct out {
    u8 *b;
    size_t n, cap;
};
static void o_need(struct out *o, size_t k)
{
    if (o->n + k > o->cap) {
        while (o->n + k > o->cap)
            o->cap = o->cap ? o->cap * 2 : 512;
        o->b = realloc(o->b, o->cap);
        if (!o->b)
            die("out of memory");
    }
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
static u64 ld8(const u8 *p)
{
    u64 v;
    memcpy(&v, p, 8);
    return __builtin_bswap64(v);
}
static void p1(struct out *o, u8 v)
{
    o_need(o, 1);
    o->b[o->n++] = v;
}
static void p4(struct out *o, u32 v)
{
    o_need(o, 4);
    st4(o->b + o->n, v);
    o->n += 4;
}
static void p8(struct out *o, u64 v)
{
    o_need(o, 8);
    st8(o->b + o->n, v);
    o->n += 8;
}
static void pb(struct out *o, const void *s, size_t k)
{
    o_need(o, k + 4);
    st4(o->b + o->n, (u32)k);
    memcpy(o->b + o->n + 4, s, k);
    o->n += k + 4;
}
static u8 *g_fill;
static void pdata(struct out *o, u64 key)
{
    size_t k = (size_t)O.size;
    o_need(o, k + 4);
    st4(o->b + o->n, (u32)k);
    memcpy(o->b + o->n + 4, g_fill, k);
    if (k >= 8)
        st8(o->b + o->n + 4, key);
    o->n += k + 4;
}
static void pacl(struct out *o)
{
    p4(o, 1);
    p4(o, 31);
    pb(o, "world", 5);
    pb(o, "anyone", 6);
}

enum {
    T_CREATE = 1,
    T_DELETE,
    T_EXISTS,
    T_GET,
    T_SET,
    T_CHILDREN = 8,
    T_SYNC = 9,
    T_PING = 11,
    T_CHILDREN2 = 12,
    T_MULTI = 14,
    T_ADDWATCH = 106,
    T_CLOSE = -11
};
enum wl {
    W_GET,
    W_EXISTS,
    W_CHILD,
    W_SET,
    W_CREATE,
    W_CREATEDEL,
    W_EPH,
    W_MULTI,
    W_MIXED,
    W_PING,
    W_SYNC,
    W_PRELOAD,
    W_PRECHILD,
    W_CLEAN,
    W_DIRS,
    W_TREE,
    W_ARM,
    W_WATCH,
    W_NONE
};
#define K_EPH 200

/* ---------- connections ---------- */
struct op {
    u64 t0, aux;
    i32 xid;
    int16_t type;
    u8 cls;
};
enum { S_NEW, S_CONN, S_HAND, S_READY, S_DEAD };
struct conn {
    int fd, st, idx, host, tries;
    struct op *ring;
    u32 rh, rt, rcap;
    struct out o;
    size_t ooff;
    bool wout;
    u8 *part;
    size_t pn, pcap;
    i32 xid;
    i64 zxid;
    u64 sid;
    u8 pw[16];
    int tmo;
    u64 topen, seq, last;
    u32 *names;
    size_t nn, ncap;
    u64 quota;
};
struct lat {
    u64 at, ns; /* when it was due (CLOCK_MONOTONIC) and how long it took */
};
struct thr {
    int id, ep, nc;
    struct conn *c;
    struct hist h[2];
    u64 ops[2], errs, badorder, events, evt_last, evt_first, ready, dead, opening, next, pend;
    u64 rng;
    u8 *scr;
    size_t scap;
    enum wl w;
    bool run;
    u64 due, rr;
    struct hist hopen, hev;
    u64 persec[600];
    int lasterr;
    pthread_t th;
    u64 done;
    struct conn *writer;
    u64 wreply;
    double self;
    struct lat *lat; /* every operation of the run, with --lat-log */
    u64 nlat, clat;
};
static struct {
    atomic_bool stop;
    _Atomic u64 ts, te;
    pthread_barrier_t bar;
    atomic_int phase;
    char keydir[128], chdir[128], wdir[128];
    u64 tcon;
} G;

static int dial(const struct addr *a)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (const struct sockaddr *)&a->sa, sizeof a->sa) && errno != EINPROGRESS) {
        close(fd);
        return -1;
    }
    return fd;
}
static void ring_grow(struct conn *c)
{
    u32 n = c->rcap ? c->rcap * 2 : 8;
    struct op *r = xm(n * sizeof *r);
    for (u32 i = c->rh; i != c->rt; i++)
        r[i & (n - 1)] = c->ring[i & (c->rcap - 1)];
    free(c->ring);
    c->ring = r;
    c->rcap = n;
}
static u32 inflight(const struct conn *c)
{
    return c->rt - c->rh;
}
static u64 rnd(struct thr *t)
{
    u64 x = t->rng;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return t->rng = x;
}

/* frames: begin returns the offset of the length field */
static size_t req(struct thr *t, struct conn *c, int type, u8 cls, u64 aux, u64 t0)
{
    if (inflight(c) == c->rcap)
        ring_grow(c);
    i32 x = type == T_PING ? -2 : ++c->xid;
    struct op *r = &c->ring[c->rt++ & (c->rcap - 1)];
    r->t0 = t0;
    r->aux = aux;
    r->xid = x;
    r->type = (int16_t)type;
    r->cls = cls;
    t->pend++;
    size_t at = c->o.n;
    p4(&c->o, 0);
    p4(&c->o, (u32)x);
    p4(&c->o, (u32)(type == K_EPH ? T_CREATE : type));
    return at;
}
static void endf(struct conn *c, size_t at)
{
    st4(c->o.b + at, (u32)(c->o.n - at - 4));
}
static void flush(struct thr *t, struct conn *c)
{
    while (c->ooff < c->o.n) {
        ssize_t k = send(c->fd, c->o.b + c->ooff, c->o.n - c->ooff, MSG_NOSIGNAL);
        if (k < 0) {
            if (errno == EINTR)
                continue;
            if (errno == EAGAIN && !c->wout) {
                struct epoll_event e = { EPOLLIN | EPOLLOUT, { .ptr = c } };
                epoll_ctl(t->ep, EPOLL_CTL_MOD, c->fd, &e);
                c->wout = true;
            }
            if (errno != EAGAIN)
                c->ooff = c->o.n = 0;
            return;
        }
        c->ooff += (size_t)k;
    }
    c->ooff = c->o.n = 0;
    c->last = now_ns();
    if (c->wout) {
        struct epoll_event e = { EPOLLIN, { .ptr = c } };
        epoll_ctl(t->ep, EPOLL_CTL_MOD, c->fd, &e);
        c->wout = false;
    }
}
static size_t mkpath(char *b, const char *dir, const char *pre, u64 v)
{
    size_t n = strlen(dir);
    memcpy(b, dir, n);
    b[n++] = '/';
    size_t m = strlen(pre);
    memcpy(b + n, pre, m);
    n += m;
    for (int i = 9; i >= 0; i--) {
        b[n + (size_t)i] = (char)('0' + v % 10);
        v /= 10;
    }
    return n + 10;
}
static size_t cpath(char *b, const struct conn *c, u64 v)
{
    char p[24];
    snprintf(p, sizeof p, "c%05d-", c->idx);
    return mkpath(b, G.wdir, p, v);
}

static bool g_get(struct thr *t, struct conn *c, u64 t0, int type)
{
    char b[256];
    u64 k = rnd(t) % O.keys;
    size_t n = mkpath(b, G.keydir, "key-", k), at = req(t, c, type, 0, k, t0);
    pb(&c->o, b, n);
    p1(&c->o, 0);
    endf(c, at);
    return true;
}
static bool g_set(struct thr *t, struct conn *c, u64 t0)
{
    char b[256];
    u64 k = rnd(t) % O.keys;
    size_t n = mkpath(b, G.keydir, "key-", k), at = req(t, c, T_SET, 1, k, t0);
    pb(&c->o, b, n);
    pdata(&c->o, k);
    p4(&c->o, (u32)-1);
    endf(c, at);
    return true;
}
static void g_create(struct thr *t, struct conn *c, u64 t0, const char *p, size_t n, int flags, u64 key, int type)
{
    size_t at = req(t, c, type, 1, n, t0);
    pb(&c->o, p, n);
    pdata(&c->o, key);
    pacl(&c->o);
    p4(&c->o, (u32)flags);
    endf(c, at);
}
static void g_delete(struct thr *t, struct conn *c, u64 t0, const char *p, size_t n)
{
    size_t at = req(t, c, T_DELETE, 1, 0, t0);
    pb(&c->o, p, n);
    p4(&c->o, (u32)-1);
    endf(c, at);
}
/* node k of watch-memory: one of a loaded tree when --node names its directory, otherwise a key of
 * the key directory */
static size_t watched_path(char *b, size_t cap, u64 k)
{
    if (!O.node)
        return mkpath(b, G.keydir, "key-", k);
    return (size_t)snprintf(b, cap, "%.180s/d%010llu/n%010llu", O.node, (unsigned long long)(k / (u64)O.fan),
                            (unsigned long long)k);
}
/* one request of the current workload; false: nothing more to send */
static bool gen(struct thr *t, struct conn *c, u64 t0)
{
    char b[256];
    size_t n, at;
    if (c->quota != ~0ull) {
        if (!c->quota)
            return false;
        c->quota--;
    }
    switch (t->w) {
    case W_GET:
        return g_get(t, c, t0, T_GET);
    case W_EXISTS:
        return g_get(t, c, t0, T_EXISTS);
    case W_SET:
        return g_set(t, c, t0);
    case W_MIXED:
        return (int)(rnd(t) % 100) < O.readpct ? g_get(t, c, t0, T_GET) : g_set(t, c, t0);
    case W_CHILD:
        at = req(t, c, T_CHILDREN2, 0, 0, t0);
        pb(&c->o, G.chdir, strlen(G.chdir));
        p1(&c->o, 0);
        endf(c, at);
        return true;
    case W_CREATE:
        n = cpath(b, c, c->seq++);
        g_create(t, c, t0, b, n, 0, c->seq, T_CREATE);
        return true;
    case W_CREATEDEL:
        n = cpath(b, c, c->seq >> 1);
        if (c->seq++ & 1)
            g_delete(t, c, t0, b, n);
        else
            g_create(t, c, t0, b, n, 0, c->seq, T_CREATE);
        return true;
    case W_EPH:
        n = (size_t)snprintf(b, sizeof b, "%s/lock-", G.wdir);
        g_create(t, c, t0, b, n, 3, 0, K_EPH);
        return true;
    case W_PING:
        at = req(t, c, T_PING, 0, 0, t0);
        endf(c, at);
        return true;
    case W_SYNC:
        at = req(t, c, T_SYNC, 1, strlen(O.root), t0);
        pb(&c->o, O.root, strlen(O.root));
        endf(c, at);
        return true;
    case W_MULTI:
        at = req(t, c, T_MULTI, 1, (u64)O.mk, t0);
        for (int i = 0; i < O.mk; i++) {
            u64 k = rnd(t) % O.keys;
            n = mkpath(b, G.keydir, "key-", k);
            p4(&c->o, T_SET);
            p1(&c->o, 0);
            p4(&c->o, (u32)-1);
            pb(&c->o, b, n);
            pdata(&c->o, k);
            p4(&c->o, (u32)-1);
        }
        p4(&c->o, (u32)-1);
        p1(&c->o, 1);
        p4(&c->o, (u32)-1);
        endf(c, at);
        return true;
    case W_PRELOAD: {
        u64 k = c->seq;
        if (k >= O.keys)
            return false;
        c->seq += (u64)O.conns;
        n = mkpath(b, G.keydir, "key-", k);
        g_create(t, c, t0, b, n, 0, k, T_CREATE);
        return true;
    }
    case W_PRECHILD: {
        u64 k = c->seq;
        if (k >= (u64)O.children)
            return false;
        c->seq += (u64)O.conns;
        n = mkpath(b, G.chdir, "child-", k);
        size_t a2 = req(t, c, T_CREATE, 1, n, t0);
        pb(&c->o, b, n);
        pb(&c->o, "", 0);
        pacl(&c->o);
        p4(&c->o, 0);
        endf(c, a2);
        return true;
    }
    case W_CLEAN:
        if (!strcmp(O.wl, "createEphemeralSequential")) {
            if (!c->nn)
                return false;
            n = mkpath(b, G.wdir, "lock-", c->names[--c->nn]);
        } else {
            if (!c->seq)
                return false;
            n = cpath(b, c, --c->seq);
        }
        g_delete(t, c, t0, b, n);
        return true;
    case W_DIRS: {
        u64 nd = (O.keys + (u64)O.fan - 1) / (u64)O.fan;
        u64 k = c->seq;
        if (k >= nd)
            return false;
        c->seq += (u64)O.conns;
        n = mkpath(b, G.wdir, "d", k);
        size_t a2 = req(t, c, T_CREATE, 1, n, t0);
        pb(&c->o, b, n);
        pb(&c->o, "", 0);
        pacl(&c->o);
        p4(&c->o, 0);
        endf(c, a2);
        return true;
    }
    case W_TREE: {
        u64 k = c->seq;
        if (k >= O.keys)
            return false;
        c->seq += (u64)O.conns;
        char d[200];
        size_t dn = mkpath(d, G.wdir, "d", k / (u64)O.fan);
        d[dn] = 0;
        n = mkpath(b, d, "n", k);
        g_create(t, c, t0, b, n, 0, k, T_CREATE);
        return true;
    }
    case W_WATCH: /* node k is watched by the connections k, k+1 .. k+watchers-1, modulo their
                     number */
        while (c->seq < O.keys &&
               ((u64)c->idx + (u64)O.conns - c->seq % (u64)O.conns) % (u64)O.conns >= (u64)O.watchers)
            c->seq++;
        if (c->seq >= O.keys)
            return false;
        n = watched_path(b, sizeof b, c->seq++);
        at = req(t, c, T_EXISTS, 0, 0, t0);
        pb(&c->o, b, n);
        p1(&c->o, 1);
        endf(c, at);
        return true;
    case W_ARM:
        if (c == t->writer)
            return false;
        if (O.persist) {
            at = req(t, c, T_ADDWATCH, 0, 0, t0);
            pb(&c->o, G.chdir, strlen(G.chdir));
            p4(&c->o, 0);
        } else {
            at = req(t, c, T_GET, 0, ~0ull, t0);
            pb(&c->o, G.chdir, strlen(G.chdir));
            p1(&c->o, 1);
        }
        endf(c, at);
        return true;
    default:
        return false;
    }
}
static void kill_conn(struct thr *t, struct conn *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    if (c->st == S_READY)
        t->ready--;
    if (c->st == S_CONN || c->st == S_HAND)
        t->opening--;
    c->st = S_DEAD;
    t->dead++;
    t->pend -= inflight(c);
    if (t->run)
        t->errs += inflight(c);
    c->rh = c->rt;
    c->o.n = c->ooff = 0;
    c->pn = 0;
}
static void start_conn(struct thr *t, struct conn *c)
{
    for (;;) {
        c->fd = dial(&g_h[c->host]);
        if (c->fd >= 0)
            break;
        if (errno == EADDRNOTAVAIL || errno == EMFILE)
            die("connect: %s", strerror(errno));
        c->host = (c->host + 1) % g_nh;
        if (++c->tries > 200)
            die("cannot connect to any host");
        sleep_ns(5000000);
    }
    if (!c->topen)
        c->topen = now_ns();
    c->st = S_CONN;
    c->wout = true;
    t->opening++;
    struct epoll_event e = { EPOLLIN | EPOLLOUT, { .ptr = c } };
    epoll_ctl(t->ep, EPOLL_CTL_ADD, c->fd, &e);
}
static void conn_fail(struct thr *t, struct conn *c)
{
    if (c->st == S_READY) {
        if (t->run || t->pend) {
            t->lasterr = -1001;
            kill_conn(t, c);
        } else
            kill_conn(t, c);
        return;
    }
    close(c->fd);
    c->fd = -1;
    t->opening--;
    c->st = S_NEW;
    c->host = (c->host + 1) % g_nh;
    c->o.n = c->ooff = 0;
    c->pn = 0;
    if (++c->tries > 200)
        die("cannot open a session at %s", g_h[c->host].name);
    sleep_ns(2000000);
    start_conn(t, c);
}
static void bad(struct thr *t, struct conn *c, const char *why, const struct op *r)
{
    static atomic_int said;
    if (atomic_fetch_add(&said, 1) < 5)
        fprintf(stderr, "zkbench: bad reply (%s) type %d xid %d conn %d\n", why, r ? r->type : 0, r ? r->xid : 0,
                c->idx);
    t->badorder++;
}
static bool stat_ok(const u8 *p, size_t n)
{
    return n == 68 && (i32)ld4(p + 52) >= 0;
}
static void on_reply(struct thr *t, struct conn *c, const u8 *p, size_t n, u64 now)
{
    if (n < 16) {
        bad(t, c, "short header", NULL);
        return;
    }
    i32 x = (i32)ld4(p);
    i64 z = (i64)ld8(p + 4);
    i32 err = (i32)ld4(p + 12);
    p += 16;
    n -= 16;
    if (x == -1) {
        t->events++;
        t->evt_last = now;
        if (!t->evt_first)
            t->evt_first = now;
        if (t->due)
            h_add(&t->hev, now - t->due);
        return;
    }
    if (x == -2 && (!inflight(c) || c->ring[c->rh & (c->rcap - 1)].xid != -2))
        return; /* reply to a keep-alive ping */
    if (!inflight(c)) {
        bad(t, c, "reply without request", NULL);
        return;
    }
    struct op r = c->ring[c->rh++ & (c->rcap - 1)];
    t->pend--;
    t->done++;
    if (r.xid != x) {
        bad(t, c, "order", &r);
        return;
    }
    if (O.check) {
        if (z < c->zxid && z >= 0 && x != -2)
            bad(t, c, "zxid went back", &r);
        if (z > c->zxid)
            c->zxid = z;
    }
    bool e = false;
    if (err && !((t->w == W_PRELOAD || t->w == W_PRECHILD || t->w == W_DIRS) && err == -110)) {
        e = true;
        t->lasterr = err;
    } else if (!err && O.check)
        switch (r.type) {
        case T_GET:
            if (r.aux != ~0ull &&
                (n != 4 + (size_t)O.size + 68 || ld4(p) != (u32)O.size || (O.size >= 8 && ld8(p + 4) != r.aux) ||
                 !stat_ok(p + n - 68, 68) || ld4(p + n - 68 + 52) != (u32)O.size)) {
                bad(t, c, "getData body", &r);
                e = true;
            }
            break;
        case T_EXISTS:
        case T_SET:
            if (!stat_ok(p, n)) {
                bad(t, c, "stat", &r);
                e = true;
            }
            break;
        case T_CREATE:
            if (n != 4 + r.aux || ld4(p) != r.aux) {
                bad(t, c, "create path", &r);
                e = true;
            }
            break;
        case K_EPH:
            if (n != 4 + r.aux + 10 || ld4(p) != r.aux + 10) {
                bad(t, c, "sequential path", &r);
                e = true;
            }
            break;
        case T_SYNC:
            if (n != 4 + r.aux) {
                bad(t, c, "sync path", &r);
                e = true;
            }
            break;
        case T_CHILDREN2:
            if (n < 72 || ld4(p) != (u32)O.children) {
                bad(t, c, "children", &r);
                e = true;
            }
            break;
        case T_MULTI: {
            size_t q = 0;
            for (u64 i = 0; i < r.aux && !e; i++) {
                if (q + 9 + 68 > n || (i32)ld4(p + q) != T_SET || ld4(p + q + 5)) {
                    bad(t, c, "multi", &r);
                    e = true;
                }
                q += 9 + 68;
            }
            if (!e && (n != q + 9 || (i32)ld4(p + q) != -1)) {
                bad(t, c, "multi end", &r);
                e = true;
            }
        } break;
        default:
            break;
        }
    if (r.type == K_EPH && !e) {
        u32 v = 0;
        for (size_t i = n - 10; i < n; i++)
            v = v * 10 + (u32)(p[i] - '0');
        if (c->nn == c->ncap) {
            c->ncap = c->ncap ? c->ncap * 2 : 256;
            c->names = realloc(c->names, c->ncap * 4);
            if (!c->names)
                die("out of memory");
        }
        c->names[c->nn++] = v;
    }
    if (c == t->writer && r.type == T_SET)
        t->wreply = now;
    if (e) {
        if (t->run)
            t->errs++;
        else if (t->lasterr != -118) {
            static atomic_int said;
            if (atomic_fetch_add(&said, 1) < 5)
                fprintf(stderr, "zkbench: set-up request type %d failed: err %d\n", r.type, err);
        }
        return;
    }
    if (t->run) {
        u64 a = atomic_load_explicit(&G.ts, memory_order_relaxed),
            b = atomic_load_explicit(&G.te, memory_order_relaxed);
        if (now >= a && now < b) {
            h_add(&t->h[r.cls], now > r.t0 ? now - r.t0 : 0);
            t->ops[r.cls]++;
            u64 s = (now - a) / 1000000000ull;
            if (s < 600)
                t->persec[s]++;
            if (O.latlog) {
                if (t->nlat == t->clat) {
                    t->clat = t->clat ? t->clat * 2 : 1 << 16;
                    t->lat = realloc(t->lat, t->clat * sizeof *t->lat);
                    if (!t->lat)
                        die("out of memory");
                }
                t->lat[t->nlat++] = (struct lat){ r.t0, now > r.t0 ? now - r.t0 : 0 };
            }
        }
    }
}
static void fill(struct thr *t, struct conn *c, u64 now)
{
    if (O.rate > 0 && t->run)
        return;
    u32 d = (u32)O.depth;
    if (t->w == W_PRELOAD || t->w == W_PRECHILD || t->w == W_CLEAN || t->w == W_DIRS || t->w == W_WATCH)
        d = d > 64 ? d : 64;
    if (t->w == W_ARM)
        d = 1;
    while (inflight(c) < d && !atomic_load_explicit(&G.stop, memory_order_relaxed) && gen(t, c, now))
        ;
    if (c->o.n && !c->wout)
        flush(t, c);
}
static void connected(struct thr *t, struct conn *c)
{
    int e = 0;
    socklen_t l = sizeof e;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &l);
    if (e) {
        conn_fail(t, c);
        return;
    }
    c->st = S_HAND;
    size_t at = c->o.n;
    p4(&c->o, 0);
    p4(&c->o, 0);
    p8(&c->o, 0);
    p4(&c->o, (u32)O.timeout);
    p8(&c->o, c->sid);
    pb(&c->o, c->pw, 16);
    p1(&c->o, 0);
    endf(c, at);
    flush(t, c);
}
static bool g_autofill;
static void on_read(struct thr *t, struct conn *c)
{
    if (t->scap < c->pn + 262144) {
        t->scap = c->pn * 2 + 524288;
        t->scr = realloc(t->scr, t->scap);
        if (!t->scr)
            die("out of memory");
    }
    if (c->pn)
        memcpy(t->scr, c->part, c->pn);
    ssize_t k = recv(c->fd, t->scr + c->pn, t->scap - c->pn, 0);
    if (k <= 0) {
        if (k < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        conn_fail(t, c);
        return;
    }
    u64 now = now_ns();
    size_t n = c->pn + (size_t)k, i = 0;
    while (n - i >= 4) {
        size_t l = ld4(t->scr + i);
        if (l > 64u << 20) {
            bad(t, c, "frame length", NULL);
            kill_conn(t, c);
            return;
        }
        if (n - i - 4 < l)
            break;
        const u8 *p = t->scr + i + 4;
        if (c->st == S_HAND) {
            if (l < 36) {
                bad(t, c, "connect reply", NULL);
                kill_conn(t, c);
                return;
            }
            c->tmo = (int)ld4(p + 4);
            c->sid = ld8(p + 8);
            if (!c->tmo || ld4(p + 16) != 16) {
                bad(t, c, "connect refused", NULL);
                kill_conn(t, c);
                return;
            }
            memcpy(c->pw, p + 20, 16);
            c->st = S_READY;
            t->ready++;
            t->opening--;
            h_add(&t->hopen, now - c->topen);
        } else
            on_reply(t, c, p, l, now);
        i += 4 + l;
    }
    if (n - i) {
        if (c->pcap < n - i) {
            c->pcap = n - i;
            free(c->part);
            c->part = xm(c->pcap);
        }
        memcpy(c->part, t->scr + i, n - i);
    }
    c->pn = n - i;
    if (g_autofill && c->st == S_READY)
        fill(t, c, now);
}
static int poll_once(struct thr *t, i64 ns)
{
    struct epoll_event ev[256];
    struct timespec ts = { ns / 1000000000, ns % 1000000000 };
    int k = epoll_pwait2(t->ep, ev, 256, &ts, NULL);
    for (int i = 0; i < k; i++) {
        struct conn *c = ev[i].data.ptr;
        if (c->fd < 0)
            continue;
        if (ev[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
            if (c->st == S_CONN) {
                connected(t, c);
                continue;
            }
            if (c->st == S_READY && (ev[i].events & EPOLLOUT)) {
                flush(t, c);
            }
        }
        if (c->fd >= 0 && (ev[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
            on_read(t, c);
    }
    return k;
}
static void open_all(struct thr *t)
{
    while (t->ready + t->dead < (u64)t->nc) {
        while (t->opening < (u64)O.window && t->next < (u64)t->nc)
            start_conn(t, &t->c[t->next++]);
        poll_once(t, 100000000);
    }
    if (t->dead)
        die("%llu sessions refused", (unsigned long long)t->dead);
}
static void drain(struct thr *t, double max_s)
{
    u64 end = now_ns() + (u64)(max_s * 1e9);
    while (t->pend && now_ns() < end)
        poll_once(t, 20000000);
    if (t->pend) {
        fprintf(stderr, "zkbench: %llu requests unanswered\n", (unsigned long long)t->pend);
        t->errs += t->pend;
    }
}
static void quotas(struct thr *t, u64 q)
{
    for (int i = 0; i < t->nc; i++)
        t->c[i].quota = q;
}
/* runs a set-up workload to its end */
static void exhaust(struct thr *t, enum wl w, bool reset)
{
    t->w = w;
    t->run = false;
    quotas(t, ~0ull);
    if (reset)
        for (int i = 0; i < t->nc; i++)
            t->c[i].seq = (u64)t->c[i].idx;
    g_autofill = true;
    for (int i = 0; i < t->nc; i++)
        if (t->c[i].st == S_READY)
            fill(t, &t->c[i], now_ns());
    u64 last = t->done, when = now_ns();
    while (t->pend) {
        poll_once(t, 50000000);
        if (t->done != last) {
            last = t->done;
            when = now_ns();
        } else if (now_ns() - when > 60000000000ull)
            die("set-up stuck: %llu unanswered", (unsigned long long)t->pend);
    }
}
static void run_load(struct thr *t)
{
    t->run = true;
    g_autofill = true;
    if (O.rate > 0) {
        u64 iv = (u64)(1e9 * O.threads / O.rate);
        t->due = 0;
        u64 due = now_ns() + (u64)t->id * iv / (u64)O.threads;
        while (!atomic_load_explicit(&G.stop, memory_order_relaxed)) {
            u64 n = now_ns();
            int guard = 0;
            while (due <= n && guard < 4 * t->nc) {
                struct conn *c = &t->c[t->rr++ % (u64)t->nc];
                if (c->st != S_READY || inflight(c) >= (u32)(O.depth > 1 ? O.depth : 1024)) {
                    guard++;
                    continue;
                }
                gen(t, c, due);
                if (!c->wout)
                    flush(t, c);
                due += iv;
                guard = 0;
            }
            n = now_ns();
            poll_once(t, due > n ? (i64)(due - n < 5000000 ? due - n : 5000000) : 0);
        }
    } else {
        for (int i = 0; i < t->nc; i++)
            if (t->c[i].st == S_READY)
                fill(t, &t->c[i], now_ns());
        while (!atomic_load_explicit(&G.stop, memory_order_relaxed)) {
            poll_once(t, 5000000);
            if (t->c[0].quota != ~0ull && !t->pend) {
                u64 q = 0;
                for (int i = 0; i < t->nc; i++)
                    q += t->c[i].st == S_READY ? t->c[i].quota : 0;
                if (!q)
                    break;
            }
            if (t->dead == (u64)t->nc)
                break;
        }
    }
    bool f = g_autofill;
    g_autofill = false;
    drain(t, 30);
    g_autofill = f;
}
static void bye(struct thr *t)
{
    t->run = false;
    g_autofill = false;
    for (int i = 0; i < t->nc; i++) {
        struct conn *c = &t->c[i];
        if (c->st != S_READY)
            continue;
        if (O.bye) {
            size_t at = req(t, c, T_CLOSE, 1, 0, now_ns());
            endf(c, at);
            flush(t, c);
        }
    }
    u64 end = now_ns() + 30000000000ull;
    while (t->pend && now_ns() < end)
        poll_once(t, 20000000);
    for (int i = 0; i < t->nc; i++)
        if (t->c[i].fd >= 0) {
            close(t->c[i].fd);
            t->c[i].fd = -1;
        }
}
static void t_init(struct thr *t, int id, int first, int nc)
{
    memset(t, 0, sizeof *t);
    t->id = id;
    t->ep = epoll_create1(EPOLL_CLOEXEC);
    t->nc = nc;
    t->c = xm((size_t)nc * sizeof *t->c);
    t->rng = now_ns() * 2654435761u + (u64)id * 7919 + 88172645463325252ull;
    t->scap = 524288;
    t->scr = xm(t->scap);
    for (int i = 0; i < nc; i++) {
        struct conn *c = &t->c[i];
        c->fd = -1;
        c->idx = first + i;
        c->host = (first + i) % g_nh;
        c->quota = ~0ull;
    }
}
enum { P_OPEN, P_PRELOAD, P_PRECHILD, P_WARM, P_RUN, P_CLEAN, P_BYE, P_EXIT };
static void *t_main(void *a)
{
    struct thr *t = a;
    for (;;) {
        pthread_barrier_wait(&G.bar);
        int p = atomic_load(&G.phase);
        enum wl real = t->w;
        if (p == P_OPEN)
            open_all(t);
        else if (p == P_PRELOAD) {
            exhaust(t, W_PRELOAD, true);
            t->w = real;
        } else if (p == P_PRECHILD) {
            exhaust(t, W_PRECHILD, true);
            t->w = real;
        } else if (p == P_RUN || p == P_WARM)
            run_load(t);
        else if (p == P_CLEAN) {
            exhaust(t, W_CLEAN, false);
            t->w = real;
        } else if (p == P_BYE)
            bye(t);
        pthread_barrier_wait(&G.bar);
        if (p == P_EXIT)
            return NULL;
    }
}
static void ph_start(int p)
{
    atomic_store(&G.phase, p);
    pthread_barrier_wait(&G.bar);
}
static void ph_end(void)
{
    pthread_barrier_wait(&G.bar);
}

/* ---------- small blocking client ---------- */
struct bc {
    int fd;
    i64 sid;
    u8 pw[16];
    i32 xid;
    int tmo, host;
    struct out o;
    u8 *in;
    size_t icap, n;
};
static int bc_io(struct bc *b, bool rd, void *buf, size_t n, u64 end)
{
    size_t k = 0;
    while (k < n) {
        ssize_t r = rd ? recv(b->fd, (u8 *)buf + k, n - k, 0) : send(b->fd, (u8 *)buf + k, n - k, MSG_NOSIGNAL);
        if (r > 0) {
            k += (size_t)r;
            continue;
        }
        if (r == 0 && rd)
            return -1;
        if (r < 0 && errno != EAGAIN && errno != EINTR)
            return -1;
        u64 t = now_ns();
        if (t >= end)
            return -1;
        struct pollfd p = { b->fd, rd ? POLLIN : POLLOUT, 0 };
        int ms = (int)((end - t + 999999) / 1000000);
        if (poll(&p, 1, ms) == 0)
            return -1;
    }
    return 0;
}
static void bc_drop(struct bc *b)
{
    if (b->fd >= 0)
        close(b->fd);
    b->fd = -1;
}
static int bc_frame(struct bc *b, u64 end)
{
    u8 l[4];
    if (bc_io(b, true, l, 4, end))
        return -1;
    size_t n = ld4(l);
    if (n > 64u << 20)
        return -1;
    if (n > b->icap) {
        b->icap = n + 64;
        b->in = realloc(b->in, b->icap);
        if (!b->in)
            die("out of memory");
    }
    b->n = n;
    return bc_io(b, true, b->in, n, end);
}
/* 0 fine, -1 not reachable, -2 session expired */
static int bc_open(struct bc *b, const struct addr *a, int timeout, int conn_ms, int read_ms)
{
    bc_drop(b);
    b->fd = dial(a);
    if (b->fd < 0)
        return -1;
    struct pollfd p = { b->fd, POLLOUT, 0 };
    if (poll(&p, 1, conn_ms) != 1) {
        bc_drop(b);
        return -1;
    }
    int e = 0;
    socklen_t l = sizeof e;
    getsockopt(b->fd, SOL_SOCKET, SO_ERROR, &e, &l);
    if (e) {
        bc_drop(b);
        return -1;
    }
    b->o.n = 0;
    p4(&b->o, 0);
    p4(&b->o, 0);
    p8(&b->o, 0);
    p4(&b->o, (u32)timeout);
    p8(&b->o, (u64)b->sid);
    pb(&b->o, b->pw, 16);
    p1(&b->o, 0);
    st4(b->o.b, (u32)(b->o.n - 4));
    u64 end = now_ns() + (u64)read_ms * 1000000ull;
    if (bc_io(b, false, b->o.b, b->o.n, end) || bc_frame(b, end) || b->n < 36) {
        bc_drop(b);
        return -1;
    }
    b->tmo = (int)ld4(b->in + 4);
    if (b->tmo <= 0 || !ld8(b->in + 8)) {
        bc_drop(b);
        b->sid = 0;
        memset(b->pw, 0, 16);
        return -2;
    }
    b->sid = (i64)ld8(b->in + 8);
    memcpy(b->pw, b->in + 20, 16);
    return 0;
}
static void bc_req(struct bc *b, int type)
{
    b->o.n = 0;
    p4(&b->o, 0);
    p4(&b->o, (u32)++b->xid);
    p4(&b->o, (u32)type);
}
/* err of the reply; -9999 when the connection broke. The body starts at in+16. */
static int bc_call(struct bc *b, int ms)
{
    st4(b->o.b, (u32)(b->o.n - 4));
    u64 end = now_ns() + (u64)ms * 1000000ull;
    if (b->fd < 0 || bc_io(b, false, b->o.b, b->o.n, end)) {
        bc_drop(b);
        return -9999;
    }
    for (;;) {
        if (bc_frame(b, end) || b->n < 16) {
            bc_drop(b);
            return -9999;
        }
        i32 x = (i32)ld4(b->in);
        if (x == -1 || x == -2)
            continue;
        if (x != b->xid) {
            bc_drop(b);
            return -9999;
        }
        return (i32)ld4(b->in + 12);
    }
}
static int bc_mk(struct bc *b, const char *path)
{
    bc_req(b, T_CREATE);
    pb(&b->o, path, strlen(path));
    pb(&b->o, "", 0);
    pacl(&b->o);
    p4(&b->o, 0);
    int e = bc_call(b, 20000);
    return e == -110 ? 0 : e;
}
static int bc_exists(struct bc *b, const char *path)
{
    bc_req(b, T_EXISTS);
    pb(&b->o, path, strlen(path));
    p1(&b->o, 0);
    return bc_call(b, 20000);
}
static int bc_sync(struct bc *b, const char *path)
{
    bc_req(b, T_SYNC);
    pb(&b->o, path, strlen(path));
    return bc_call(b, 20000);
}
static int bc_del(struct bc *b, const char *path)
{
    bc_req(b, T_DELETE);
    pb(&b->o, path, strlen(path));
    p4(&b->o, (u32)-1);
    return bc_call(b, 20000);
}
static void bc_close(struct bc *b)
{
    if (b->fd >= 0) {
        bc_req(b, T_CLOSE);
        bc_call(b, 5000);
    }
    bc_drop(b);
    b->sid = 0;
}
static void bc_any(struct bc *b, double secs)
{
    u64 end = now_ns() + (u64)(secs * 1e9);
    memset(b, 0, sizeof *b);
    b->fd = -1;
    for (int i = 0;; i++) {
        if (!bc_open(b, &g_h[i % g_nh], O.timeout, 1000, 20000))
            return;
        if (now_ns() > end)
            die("no session at %s", g_h[0].name);
        sleep_ns(20000000);
    }
}
static void must(int e, const char *what)
{
    if (e)
        die("%s: err %d", what, e);
}
static void srvr_mode(int i, char *out, size_t cap)
{
    snprintf(out, cap, "down");
    struct bc b = { .fd = dial(&g_h[i]) };
    if (b.fd < 0)
        return;
    struct pollfd p = { b.fd, POLLOUT, 0 };
    poll(&p, 1, 1000);
    char t[4096];
    size_t n = 0;
    if (bc_io(&b, false, (void *)(uintptr_t) "srvr", 4, now_ns() + 1000000000ull) == 0) {
        u64 end = now_ns() + 2000000000ull;
        while (n < sizeof t - 1) {
            ssize_t r = recv(b.fd, t + n, sizeof t - 1 - n, 0);
            if (r > 0) {
                n += (size_t)r;
                continue;
            }
            if (r == 0 || errno != EAGAIN || now_ns() > end)
                break;
            p.events = POLLIN;
            poll(&p, 1, 500);
        }
    }
    t[n] = 0;
    char *m = strstr(t, "Mode: ");
    if (m) {
        m += 6;
        size_t k = strcspn(m, "\r\n");
        snprintf(out, cap, "%.*s", (int)(k < 40 ? k : 40), m);
    } else if (n)
        snprintf(out, cap, "notserving");
    bc_drop(&b);
}
static void head_json(const char *wl)
{
    printf("{\"workload\":\"%s\",\"label\":\"%s\",\"conns\":%d,\"depth\":%d,\"size\":%d,\"hosts\":%d", wl, O.label,
           O.conns, O.depth, O.size, g_nh);
}

/* ---------- the steady workloads ---------- */
static const struct {
    const char *n;
    enum wl w;
} WL[] = { { "get", W_GET },
           { "exists", W_EXISTS },
           { "getChildren2", W_CHILD },
           { "set", W_SET },
           { "create", W_CREATE },
           { "createdelete", W_CREATEDEL },
           { "createEphemeralSequential", W_EPH },
           { "multi", W_MULTI },
           { "mixed", W_MIXED },
           { "ping", W_PING },
           { "sync", W_SYNC } };
static void latlog_write(const struct thr *t, int n)
{
    FILE *f = fopen(O.latlog, "w");
    if (!f)
        die("%s: %s", O.latlog, strerror(errno));
    for (int i = 0; i < n; i++)
        if (t[i].nlat && fwrite(t[i].lat, sizeof *t[i].lat, t[i].nlat, f) != t[i].nlat)
            die("%s: %s", O.latlog, strerror(errno));
    if (fclose(f))
        die("%s: %s", O.latlog, strerror(errno));
}
static int bench(enum wl w)
{
    struct bc b;
    bc_any(&b, 20);
    must(bc_mk(&b, O.root), "create root");
    char p[256];
    snprintf(G.keydir, sizeof G.keydir, "%s/k%llu-%d", O.root, (unsigned long long)O.keys, O.size);
    snprintf(G.chdir, sizeof G.chdir, "%s/ch%d", O.root, O.children);
    snprintf(G.wdir, sizeof G.wdir, "%s/w%llx", O.root,
             (unsigned long long)(now_ns() / 1000000 ^ ((u64)getpid() << 32)));
    bool keyed = w == W_GET || w == W_EXISTS || w == W_SET || w == W_MULTI || w == W_MIXED,
         own = w == W_CREATE || w == W_CREATEDEL || w == W_EPH, pre = false, prech = false;
    if (keyed) {
        must(bc_mk(&b, G.keydir), "create key dir");
        bc_sync(&b, O.root);
        snprintf(p, sizeof p, "%s-ready", G.keydir);
        if (bc_exists(&b, p))
            pre = true;
    }
    if (w == W_CHILD) {
        must(bc_mk(&b, G.chdir), "create child dir");
        bc_sync(&b, O.root);
        snprintf(p, sizeof p, "%s-ready", G.chdir);
        if (bc_exists(&b, p))
            prech = true;
    }
    if (own)
        must(bc_mk(&b, G.wdir), "create work dir");
    if (O.threads > O.conns)
        O.threads = O.conns;
    struct thr *t = xm((size_t)O.threads * sizeof *t);
    pthread_barrier_init(&G.bar, NULL, (unsigned)O.threads + 1);
    int at = 0;
    for (int i = 0; i < O.threads; i++) {
        int n = O.conns / O.threads + (i < O.conns % O.threads);
        t_init(&t[i], i, at, n);
        t[i].w = w;
        at += n;
    }
    for (int i = 0; i < O.threads; i++)
        pthread_create(&t[i].th, NULL, t_main, &t[i]);
    u64 t0 = now_ns();
    ph_start(P_OPEN);
    ph_end();
    double open_s = (double)(now_ns() - t0) / 1e9;
    if (g_nh > 1)
        for (int i = 0; i < g_nh; i++) {
            struct bc x;
            memset(&x, 0, sizeof x);
            x.fd = -1;
            if (!bc_open(&x, &g_h[i], O.timeout, 2000, 10000)) {
                bc_sync(&x, O.root);
                bc_close(&x);
            }
        } /* set-up nodes visible at every server */
    double pre_s = 0;
    struct snap s0, s1;
    if (pre || prech) {
        t0 = now_ns();
        ph_start(pre ? P_PRELOAD : P_PRECHILD);
        ph_end();
        pre_s = (double)(now_ns() - t0) / 1e9;
        u64 e = 0;
        for (int i = 0; i < O.threads; i++)
            e += t[i].badorder;
        if (e)
            die("preload failed");
        must(bc_mk(&b, p), "mark");
        for (int i = 0; i < O.threads; i++)
            for (int j = 0; j < t[i].nc; j++)
                t[i].c[j].seq = 0;
        for (int i = 0; i < g_nh; i++) {
            struct bc x;
            memset(&x, 0, sizeof x);
            x.fd = -1;
            if (!bc_open(&x, &g_h[i], O.timeout, 2000, 10000)) {
                bc_sync(&x, O.root);
                bc_close(&x);
            }
        }
    }
    atomic_store(&G.stop, false);
    if (O.ops) {
        if (O.warm > 0) {
            atomic_store(&G.ts, ~0ull);
            atomic_store(&G.te, ~0ull);
            ph_start(P_WARM);
            sleep_ns((u64)(O.warm * 1e9));
            atomic_store(&G.stop, true);
            ph_end();
        }
        atomic_store(&G.stop, false);
        for (int i = 0; i < O.threads; i++)
            for (int j = 0; j < t[i].nc; j++)
                t[i].c[j].quota = O.ops / (u64)O.conns + ((u64)t[i].c[j].idx < O.ops % (u64)O.conns);
        atomic_store(&G.ts, now_ns());
        snapit(&s0);
        ph_start(P_RUN);
        ph_end();
        snapit(&s1);
    } else {
        u64 a = now_ns() + (u64)(O.warm * 1e9), e = a + (u64)(O.secs * 1e9);
        atomic_store(&G.ts, a);
        atomic_store(&G.te, e);
        ph_start(P_RUN);
        u64 n = now_ns();
        if (n < a)
            sleep_ns(a - n);
        snapit(&s0);
        n = now_ns();
        if (n < e)
            sleep_ns(e - n);
        snapit(&s1);
        atomic_store(&G.stop, true);
        ph_end();
    }
    struct hist *h = xm(sizeof *h), *hr = xm(sizeof *h), *hw = xm(sizeof *h);
    u64 errs = 0, bads = 0, r = 0, wr = 0, dead = 0;
    int le = 0;
    u64 ps[600] = { 0 };
    for (int i = 0; i < O.threads; i++) {
        h_merge(hr, &t[i].h[0]);
        h_merge(hw, &t[i].h[1]);
        errs += t[i].errs;
        bads += t[i].badorder;
        r += t[i].ops[0];
        wr += t[i].ops[1];
        dead += t[i].dead;
        if (t[i].lasterr)
            le = t[i].lasterr;
        for (int k = 0; k < 600; k++)
            ps[k] += t[i].persec[k];
    }
    h_merge(h, hr);
    h_merge(h, hw);
    double wall = O.ops ? (double)(s1.t - s0.t) / 1e9 : O.secs;
    u64 ops = r + wr, mn = ~0ull, mx = 0;
    int ns = (int)wall;
    for (int k = 0; k < ns && k < 600; k++) {
        if (ps[k] < mn)
            mn = ps[k];
        if (ps[k] > mx)
            mx = ps[k];
    }
    if (!ns)
        mn = mx = 0;
    u64 cl_ops = 0;
    double cl_s = 0, cl_cpu = 0;
    if (O.cleanup && (w == W_CREATE || w == W_EPH)) {
        for (int i = 0; i < O.threads; i++)
            for (int j = 0; j < t[i].nc; j++)
                cl_ops += w == W_EPH ? t[i].c[j].nn : t[i].c[j].seq;
        atomic_store(&G.stop, false);
        struct snap a, z;
        snapit(&a);
        ph_start(P_CLEAN);
        ph_end();
        snapit(&z);
        cl_s = (double)(z.t - a.t) / 1e9;
        for (int i = 0; i < g_npid; i++)
            cl_cpu += z.p[i].cpu - a.p[i].cpu;
    }
    ph_start(P_BYE);
    ph_end();
    ph_start(P_EXIT);
    ph_end();
    for (int i = 0; i < O.threads; i++)
        pthread_join(t[i].th, NULL);
    if (O.latlog)
        latlog_write(t, O.threads);
    if (own && (O.cleanup || w == W_EPH))
        bc_del(&b, G.wdir);
    bc_close(&b);
    head_json(O.wl);
    printf(",\"threads\":%d,\"rate\":%.0f,\"keys\":%llu,\"read_pct\":%d,\"children\":%d,\"multi\":%"
           "d,\"secs\":%.3f,\"ops\":%llu,"
           "\"reads\":%llu,\"writes\":%llu,\"ops_s\":%.1f,\"errors\":%llu,\"bad\":%llu,\"last_"
           "err\":%d,\"dead_conns\":%llu,"
           "\"persec_min\":%llu,\"persec_max\":%llu,",
           O.threads, O.rate, (unsigned long long)O.keys, w == W_MIXED ? O.readpct : -1, w == W_CHILD ? O.children : -1,
           w == W_MULTI ? O.mk : -1, wall, (unsigned long long)ops, (unsigned long long)r, (unsigned long long)wr,
           (double)ops / wall, (unsigned long long)errs, (unsigned long long)bads, le, (unsigned long long)dead,
           (unsigned long long)mn, (unsigned long long)mx);
    h_json(stdout, "lat_us", h);
    if (w == W_MIXED) {
        printf(",");
        h_json(stdout, "read_us", hr);
        printf(",");
        h_json(stdout, "write_us", hw);
    }
    printf(",\"open_s\":%.3f,\"preload_s\":%.3f,", open_s, pre_s);
    if (cl_ops)
        printf("\"delete\":{\"ops\":%llu,\"ops_s\":%.0f,\"cpu_us_per_op\":%.2f},", (unsigned long long)cl_ops,
               (double)cl_ops / cl_s, cl_cpu * 1e6 / (double)cl_ops);
    snap_json(stdout, &s0, &s1, (double)ops);
    printf("}\n");
    double cpu = 0;
    for (int i = 0; i < g_npid; i++)
        cpu += s1.p[i].cpu - s0.p[i].cpu;
    fprintf(stderr,
            "%-26s c=%d d=%d s=%d: %10.0f ops/s  err %llu bad %llu  p50 %.0f p99 %.0f p99.9 %.0f "
            "max %.0f us  server %.2f us/op "
            "(%.2f cores)  loader %.2f us/op (%.2f cores)\n",
            O.wl, O.conns, O.depth, O.size, (double)ops / wall, (unsigned long long)errs, (unsigned long long)bads,
            h_q(h, .5) / 1e3, h_q(h, .99) / 1e3, h_q(h, .999) / 1e3, (double)h->max / 1e3,
            ops ? cpu * 1e6 / (double)ops : 0, cpu / wall, ops ? (s1.self - s0.self) * 1e6 / (double)ops : 0,
            (s1.self - s0.self) / wall);
    return errs || bads ? 1 : 0;
}

static void keepalive(struct thr *t)
{
    u64 n = now_ns();
    for (int i = 0; i < t->nc; i++) {
        struct conn *c = &t->c[i];
        if (c->st == S_READY && n - c->last > (u64)c->tmo * 1000000ull / 3) {
            u8 f[12];
            st4(f, 8);
            st4(f + 4, (u32)-2);
            st4(f + 8, T_PING);
            if (send(c->fd, f, 12, MSG_NOSIGNAL) != 12)
                t->errs++;
            c->last = n;
        }
    }
}

/* ---------- watch fan-out ---------- */
static int watch_fanout(void)
{
    struct bc b;
    bc_any(&b, 20);
    must(bc_mk(&b, O.root), "root");
    snprintf(G.chdir, sizeof G.chdir, "%s/watched-%d", O.root, getpid());
    must(bc_mk(&b, G.chdir), "node");
    struct thr *t = xm(sizeof *t);
    t_init(t, 0, 0, O.conns + 1);
    t->writer = &t->c[O.conns];
    t->w = W_NONE;
    open_all(t);
    for (int i = 0; i < g_nh; i++) {
        struct bc x;
        memset(&x, 0, sizeof x);
        x.fd = -1;
        if (!bc_open(&x, &g_h[i], O.timeout, 2000, 10000)) {
            bc_sync(&x, O.root);
            bc_close(&x);
        }
    }
    struct hist *hr = xm(sizeof *hr), *hs = xm(sizeof *hr), *hl = xm(sizeof *hr), *hset = xm(sizeof *hr);
    double cpu = 0, armcpu = 0, self = 0, busy = 0;
    u64 lost = 0, extra = 0, notes = 0;
    struct snap a, z, s0, s1;
    snapit(&s0);
    for (int r = 0; r < O.rounds; r++) {
        if (r == 0 || !O.persist) {
            struct snap q;
            if (r)
                snapit(&q);
            t->due = 0;
            exhaust(t, W_NONE, false);
            t->w = W_ARM;
            for (int i = 0; i < O.conns; i++)
                t->c[i].quota = 1;
            t->writer->quota = 0;
            g_autofill = true;
            for (int i = 0; i < O.conns; i++)
                fill(t, &t->c[i], now_ns());
            u64 when = now_ns();
            while (t->pend) {
                poll_once(t, 20000000);
                if (now_ns() - when > 60000000000ull)
                    die("arming stuck");
            }
            g_autofill = false;
            if (r) {
                snapit(&z);
                for (int i = 0; i < g_npid; i++)
                    armcpu += z.p[i].cpu - q.p[i].cpu;
            }
        }
        t->events = 0;
        t->evt_last = t->evt_first = 0;
        t->wreply = 0;
        t->done = 0;
        t->w = W_NONE;
        sleep_ns(2000000);
        while (poll_once(t, 0) > 0)
            ;
        snapit(&a);
        struct conn *w = t->writer;
        u64 t0 = now_ns();
        t->due = t0;
        if (r == 0)
            memset(&t->hev, 0, sizeof t->hev);
        size_t at = req(t, w, T_SET, 1, 0, t0);
        pb(&w->o, G.chdir, strlen(G.chdir));
        pdata(&w->o, (u64)r);
        p4(&w->o, (u32)-1);
        endf(w, at);
        flush(t, w);
        while ((t->events < (u64)O.conns || !t->wreply) && now_ns() - t0 < 10000000000ull)
            poll_once(t, 5000000);
        snapit(&z);
        t->due = 0;
        if (t->events < (u64)O.conns)
            lost += (u64)O.conns - t->events;
        if (t->events > (u64)O.conns)
            extra += t->events - (u64)O.conns;
        h_add(hset, t->wreply - t0);
        h_add(hs, t->evt_last - t0);
        h_add(hr, t->evt_last > t->wreply ? t->evt_last - t->wreply : 0);
        h_add(hl, t->evt_first - t0);
        notes += t->events;
        busy += (double)((t->evt_last > t->wreply ? t->evt_last : t->wreply) - t0) / 1e9;
        for (int i = 0; i < g_npid; i++)
            cpu += z.p[i].cpu - a.p[i].cpu;
        self += z.self - a.self;
        if (O.stall)
            sleep_ns(20000000);
        keepalive(t);
    }
    snapit(&s1);
    head_json("watch-fanout");
    printf(",\"persistent\":%s,\"rounds\":%d,\"notifications\":%llu,\"notifications_s\":%.0f,"
           "\"errors\":%llu,\"lost\":%llu,"
           "\"extra\":%llu,\"bad\":%llu,",
           O.persist ? "true" : "false", O.rounds, (unsigned long long)notes, (double)notes / busy,
           (unsigned long long)(lost + extra + t->errs), (unsigned long long)lost, (unsigned long long)extra,
           (unsigned long long)t->badorder);
    h_json(stdout, "set_to_reply_us", hset);
    printf(",");
    h_json(stdout, "reply_to_last_us", hr);
    printf(",");
    h_json(stdout, "set_to_last_us", hs);
    printf(",");
    h_json(stdout, "set_to_first_us", hl);
    printf(",");
    h_json(stdout, "lat_us", &t->hev);
    printf(",\"cpu_us_per_notification\":%.3f,\"arm_cpu_us\":%.3f,\"loader_us_per_notification\":%."
           "3f,\"ops_s\":%.0f,",
           cpu * 1e6 / (double)notes, O.rounds > 1 && !O.persist ? armcpu * 1e6 / (double)(O.rounds - 1) / O.conns : 0,
           self * 1e6 / (double)notes, (double)notes / busy);
    snap_json(stdout, &s0, &s1, (double)notes);
    printf("}\n");
    fprintf(stderr,
            "watch-fanout c=%d: %.0f notifications/s, set->last p50 %.0f us p99 %.0f, reply->last "
            "p50 %.0f us, server %.2f "
            "us/notification, loader %.2f, lost %llu extra %llu\n",
            O.conns, (double)notes / busy, h_q(hs, .5) / 1e3, h_q(hs, .99) / 1e3, h_q(hr, .5) / 1e3,
            cpu * 1e6 / (double)notes, self * 1e6 / (double)notes, (unsigned long long)lost, (unsigned long long)extra);
    bye(t);
    bc_del(&b, G.chdir);
    bc_close(&b);
    return lost || t->errs || t->badorder;
}
/* ---------- memory per watch ---------- */
static void idle(struct thr *t, double secs)
{
    u64 end = now_ns() + (u64)(secs * 1e9);
    while (now_ns() < end) {
        poll_once(t, 20000000);
        keepalive(t);
    }
}
/* the watches are there: changing some of the nodes brings exactly the events that it must */
static u64 fire_watches(struct thr *t, u64 nodes)
{
    struct conn *c = &t->c[0];
    t->events = 0;
    for (u64 k = 0; k < nodes; k++) {
        char p[256];
        size_t n = watched_path(p, sizeof p, k), at = req(t, c, T_SET, 1, k, now_ns());
        pb(&c->o, p, n);
        pdata(&c->o, k);
        p4(&c->o, (u32)-1);
        endf(c, at);
        flush(t, c);
        while (t->pend && !poll_once(t, 5000000000ll))
            break;
    }
    u64 want = nodes * (u64)O.watchers, end = now_ns() + 10000000000ull;
    while (t->events < want && now_ns() < end)
        poll_once(t, 20000000);
    idle(t, 0.1);
    return t->events;
}
static int watch_memory(void)
{
    if (O.watchers > O.conns)
        die("--watchers needs as many connections");
    struct bc b;
    char ready[256];
    bc_any(&b, 20);
    must(bc_mk(&b, O.root), "root");
    snprintf(G.keydir, sizeof G.keydir, "%s/k%llu-%d", O.root, (unsigned long long)O.keys, O.size);
    snprintf(ready, sizeof ready, "%s-ready", G.keydir);
    struct thr *t = xm(sizeof *t);
    t_init(t, 0, 0, O.conns);
    open_all(t);
    if (!O.node && bc_exists(&b, ready)) {
        must(bc_mk(&b, G.keydir), "key dir");
        exhaust(t, W_PRELOAD, true);
        must(bc_mk(&b, ready), "mark");
    }
    g_autofill = false;
    idle(t, O.hold);
    for (int i = 0; i < t->nc; i++)
        t->c[i].seq = 0;
    t->lasterr = 0;
    t->events = 0;
    struct snap s0, s1, s2;
    snapit(&s0);
    u64 t0 = now_ns();
    exhaust(t, W_WATCH, false);
    double sec = (double)(now_ns() - t0) / 1e9;
    g_autofill = false;
    snapit(&s1);
    idle(t, O.hold);
    snapit(&s2);
    u64 watches = O.keys * (u64)O.watchers, early = t->events, nodes = 1 + 2000 / (u64)O.watchers;
    if (nodes > O.keys)
        nodes = O.keys;
    int le = t->lasterr;
    u64 fired = fire_watches(t, nodes), want = nodes * (u64)O.watchers;
    u64 errs = t->errs + t->badorder + early + (le ? 1 : 0) + (fired > want ? fired - want : want - fired);
    u64 r0 = 0, r2 = 0;
    double cpu = 0;
    for (int i = 0; i < g_npid; i++) {
        r0 += s0.p[i].rss_kb;
        r2 += s2.p[i].rss_kb;
        cpu += s1.p[i].cpu - s0.p[i].cpu;
    }
    double per = ((double)r2 - (double)r0) * 1024 / (double)watches;
    head_json("watch-memory");
    printf(",\"nodes\":%llu,\"watchers\":%d,\"watches\":%llu,\"ops_s\":%.0f,\"errors\":%llu,\"last_"
           "err\":%d,\"events_wanted\":%llu,"
           "\"events\":%llu,\"cpu_us_per_watch\":%.3f,\"rss0_kb\":%llu,\"rss_watched_kb\":%llu,"
           "\"rss_bytes_per_watch\":%.1f,",
           (unsigned long long)O.keys, O.watchers, (unsigned long long)watches, (double)watches / sec,
           (unsigned long long)errs, le, (unsigned long long)want, (unsigned long long)fired,
           cpu * 1e6 / (double)watches, (unsigned long long)r0, (unsigned long long)r2, per);
    snap_json(stdout, &s0, &s1, (double)watches);
    printf("}\n");
    fprintf(stderr,
            "watch-memory %llu nodes x %d watchers: RSS %llu -> %llu kB = %.1f B/watch, %.2f us "
            "cpu/watch, events %llu of %llu, err %d\n",
            (unsigned long long)O.keys, O.watchers, (unsigned long long)r0, (unsigned long long)r2, per,
            cpu * 1e6 / (double)watches, (unsigned long long)fired, (unsigned long long)want, le);
    bye(t);
    bc_close(&b);
    return errs != 0;
}
/* ---------- connect storm and idle sessions ---------- */
static int connect_storm(void)
{
    struct thr *t = xm(sizeof *t);
    t_init(t, 0, 0, O.conns);
    t->w = W_NONE;
    struct snap s0, s1, s2, s3;
    snapit(&s0);
    u64 a = now_ns();
    open_all(t);
    u64 z = now_ns();
    snapit(&s1);
    double sec = (double)(z - a) / 1e9;
    u64 retries = 0;
    for (int i = 0; i < t->nc; i++)
        retries += (u64)t->c[i].tries;
    u64 end = now_ns() + (u64)(O.hold * 1e9);
    while (now_ns() < end) {
        poll_once(t, 50000000);
        keepalive(t);
    }
    snapit(&s2);
    u64 alive = t->ready, gone = (u64)O.conns - alive;
    u64 b = now_ns();
    bye(t);
    double csec = (double)(now_ns() - b) / 1e9;
    snapit(&s3);
    double cc = 0, hc = 0, lc = 0;
    u64 r0 = 0, r1 = 0, r2 = 0;
    for (int i = 0; i < g_npid; i++) {
        cc += s1.p[i].cpu - s0.p[i].cpu;
        hc += s2.p[i].cpu - s1.p[i].cpu;
        lc += s3.p[i].cpu - s2.p[i].cpu;
        r0 += s0.p[i].rss_kb;
        r1 += s1.p[i].rss_kb;
        r2 += s2.p[i].rss_kb;
    }
    head_json("connect-storm");
    printf(",\"window\":%d,\"secs\":%.3f,\"sessions_s\":%.0f,\"ops_s\":%.0f,\"errors\":%llu,"
           "\"retries\":%llu,\"lost_in_hold\":%"
           "llu,\"hold_s\":%.1f,\"negotiated_ms\":%d,\"open_cpu_us_per_session\":%.2f,\"hold_cpu_"
           "us_per_session_s\":%.4f,\"close_"
           "cpu_us_per_session\":%.2f,\"close_sessions_s\":%.0f,\"rss0_kb\":%llu,\"rss_open_kb\":%"
           "llu,\"rss_hold_kb\":%llu,\"rss_"
           "bytes_per_session\":%.0f,",
           O.window, sec, O.conns / sec, O.conns / sec, (unsigned long long)(t->errs + gone),
           (unsigned long long)retries, (unsigned long long)gone, O.hold, t->c[0].tmo, cc * 1e6 / O.conns,
           O.hold > 0 ? hc * 1e6 / O.conns / O.hold : 0, lc * 1e6 / O.conns, O.conns / csec, (unsigned long long)r0,
           (unsigned long long)r1, (unsigned long long)r2, ((double)r2 - (double)r0) * 1024 / O.conns);
    h_json(stdout, "lat_us", &t->hopen);
    printf(",");
    snap_json(stdout, &s0, &s1, O.conns);
    printf("}\n");
    fprintf(stderr,
            "connect-storm n=%d: %.0f sessions/s (p50 %.0f p99 %.0f us, retries %llu), %.1f us "
            "cpu/session, RSS %.0f B/session, "
            "idle %.3f us cpu per session per s, close %.0f/s, lost %llu\n",
            O.conns, O.conns / sec, h_q(&t->hopen, .5) / 1e3, h_q(&t->hopen, .99) / 1e3, (unsigned long long)retries,
            cc * 1e6 / O.conns, ((double)r2 - (double)r0) * 1024 / O.conns,
            O.hold > 0 ? hc * 1e6 / O.conns / O.hold : 0, O.conns / csec, (unsigned long long)gone);
    return gone || t->errs;
}
/* ---------- memory per znode ---------- */
static int load_tree(void)
{
    struct bc b;
    bc_any(&b, 20);
    must(bc_mk(&b, O.root), "root");
    snprintf(G.wdir, sizeof G.wdir, "%s/t%x", O.root, (unsigned)getpid());
    must(bc_mk(&b, G.wdir), "dir");
    bc_sync(&b, O.root);
    struct thr *t = xm(sizeof *t);
    t_init(t, 0, 0, O.conns);
    open_all(t);
    atomic_store(&G.ts, 0);
    atomic_store(&G.te, ~0ull);
    exhaust(t, W_DIRS, true);
    t->done = 0;
    struct snap s0, s1;
    snapit(&s0);
    u64 a = now_ns();
    exhaust(t, W_TREE, true);
    u64 z = now_ns();
    snapit(&s1);
    u64 bad_ = t->badorder;
    double sec = (double)(z - a) / 1e9;
    u64 r0 = 0, r1 = 0, r2 = 0;
    double c = 0;
    for (int i = 0; i < g_npid; i++) {
        r0 += s0.p[i].rss_kb;
        r1 += s1.p[i].rss_kb;
        c += s1.p[i].cpu - s0.p[i].cpu;
    }
    sleep_ns((u64)(O.hold < 3 ? O.hold * 1e9 : 3e9));
    struct snap s2;
    snapit(&s2);
    for (int i = 0; i < g_npid; i++)
        r2 += s2.p[i].rss_kb;
    char last[256];
    size_t dn;
    {
        char d[200];
        dn = mkpath(d, G.wdir, "d", (O.keys - 1) / (u64)O.fan);
        d[dn] = 0;
        size_t n = mkpath(last, d, "n", O.keys - 1);
        last[n] = 0;
    }
    int e = bc_exists(&b, last);
    head_json("load-tree");
    printf(",\"znodes\":%llu,\"secs\":%.3f,\"ops_s\":%.0f,\"errors\":%llu,\"last_node\":\"%s\","
           "\"rss0_kb\":%llu,\"rss1_kb\":%llu,"
           "\"rss_settled_kb\":%llu,\"rss_bytes_per_znode\":%.1f,",
           (unsigned long long)O.keys, sec, (double)O.keys / sec,
           (unsigned long long)(bad_ + (t->lasterr ? 1 : 0) + (e ? 1 : 0)), last, (unsigned long long)r0,
           (unsigned long long)r1, (unsigned long long)r2, ((double)r2 - (double)r0) * 1024 / (double)O.keys);
    snap_json(stdout, &s0, &s1, (double)O.keys);
    printf("}\n");
    fprintf(stderr,
            "load-tree %llu x %d B: %.0f creates/s, RSS %llu -> %llu kB = %.0f B/znode, %.2f us "
            "cpu/create, err %d\n",
            (unsigned long long)O.keys, O.size, (double)O.keys / sec, (unsigned long long)r0, (unsigned long long)r2,
            ((double)r2 - (double)r0) * 1024 / (double)O.keys, c * 1e6 / (double)O.keys, t->lasterr);
    bye(t);
    bc_close(&b);
    return t->lasterr || e || bad_;
}
/* ---------- restart: exec to first read ---------- */
static int restart_(char **argv)
{
    if (!argv[0])
        die("restart needs -- COMMAND");
    u64 t0 = now_ns();
    pid_t p = fork();
    if (!p) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* no server survives a loader that is killed */
        int fd = open("/dev/null", O_RDWR);
        dup2(fd, 0);
        dup2(fd, 1);
        dup2(fd, 2);
        setpgid(0, 0);
        execvp(argv[0], argv);
        _exit(127);
    }
    u64 tp = 0, ts = 0, tr = 0;
    struct bc b;
    memset(&b, 0, sizeof b);
    b.fd = -1;
    const char *node = O.node ? O.node : O.root;
    int err = -9999, st;
    u64 limit = t0 + (u64)(O.secs < 30 ? 120 : O.secs) * 1000000000ull;
    while (now_ns() < limit) {
        if (waitpid(p, &st, WNOHANG) == p)
            die("the server ended, status %d", st);
        if (!tp) {
            int fd = dial(&g_h[0]);
            struct pollfd q = { fd, POLLOUT, 0 };
            int e = 1;
            socklen_t l = sizeof e;
            if (fd >= 0 && poll(&q, 1, 1000) == 1 && !getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &l) && !e)
                tp = now_ns();
            if (fd >= 0)
                close(fd);
            if (!tp) {
                sleep_ns(1000000);
                continue;
            }
        }
        /* a handshake sent while a server still loads may never be answered (Apache 3.8.0): give up
         * after 0.5 s */
        if (bc_open(&b, &g_h[0], O.timeout, 1000, 500)) {
            sleep_ns(1000000);
            continue;
        }
        ts = now_ns();
        bc_req(&b, T_GET);
        pb(&b.o, node, strlen(node));
        p1(&b.o, 0);
        err = bc_call(&b, 20000);
        if (err == -9999) {
            bc_drop(&b);
            b.sid = 0;
            continue;
        }
        tr = now_ns();
        break;
    }
    g_npid = 1;
    g_pids[0] = p;
    struct snap s;
    snapit(&s);
    printf("{\"workload\":\"restart\",\"label\":\"%s\",\"pid\":%d,\"port_ms\":%.2f,\"session_ms\":%"
           ".2f,\"first_read_ms\":%.2f,"
           "\"err\":%d,\"errors\":%d,\"cpu_s\":%.4f,\"rss_kb\":%llu}\n",
           O.label, p, tp ? (double)(tp - t0) / 1e6 : -1, ts ? (double)(ts - t0) / 1e6 : -1,
           tr ? (double)(tr - t0) / 1e6 : -1, err, err != 0, s.p[0].cpu, (unsigned long long)s.p[0].rss_kb);
    fflush(stdout);
    fprintf(stderr,
            "restart: port %.1f ms, session %.1f ms, first read %.1f ms (err %d), cpu %.3f s, RSS "
            "%llu kB, pid %d%s\n",
            tp ? (double)(tp - t0) / 1e6 : -1, ts ? (double)(ts - t0) / 1e6 : -1, tr ? (double)(tr - t0) / 1e6 : -1,
            err, s.p[0].cpu, (unsigned long long)s.p[0].rss_kb, p, O.keep ? " left running" : "");
    bc_close(&b);
    if (!O.keep) {
        kill(p, O.sig == SIGKILL ? SIGTERM : O.sig);
        for (int i = 0; i < 500; i++) {
            if (waitpid(p, &st, WNOHANG) == p)
                return err != 0;
            sleep_ns(10000000);
        }
        kill(p, SIGKILL);
        waitpid(p, &st, 0);
    }
    return err != 0;
}
/* ---------- failover ---------- */
struct fw {
    int id;
    pthread_t th;
    u64 acked, last_val, unknown, reconn, expired, longest, firstafter, errs, lastack, connfail;
    char path[160];
    struct hist h;
};
static _Atomic u64 F_kill;
static atomic_bool F_stop;
static void *fw_main(void *a)
{
    struct fw *f = a;
    struct bc b;
    memset(&b, 0, sizeof b);
    b.fd = -1;
    int host = f->id % g_nh;
    u64 val = 0;
    int round = 0;
    bool first = true;
    while (!atomic_load(&F_stop)) {
        if (b.fd < 0) {
            int ct = O.timeout / g_nh;
            int r = bc_open(&b, &g_h[host], O.timeout, ct, ct);
            if (r == -2) {
                f->expired++;
                continue;
            }
            if (r) {
                f->connfail++;
                host = (host + 1) % g_nh;
                if (++round % g_nh == 0)
                    sleep_ns((u64)O.backoff * 1000000ull);
                continue;
            }
            if (!first)
                f->reconn++;
            first = false;
        }
        bc_req(&b, T_SET);
        pb(&b.o, f->path, strlen(f->path));
        val++;
        size_t k = (size_t)(O.size < 8 ? 8 : O.size);
        o_need(&b.o, k + 4);
        st4(b.o.b + b.o.n, (u32)k);
        memset(b.o.b + b.o.n + 4, 'x', k);
        st8(b.o.b + b.o.n + 4, val);
        b.o.n += k + 4;
        p4(&b.o, (u32)-1);
        u64 t0 = now_ns();
        int e = bc_call(&b, O.timeout * 2 / 3);
        u64 t1 = now_ns();
        if (e == -9999) {
            f->unknown++;
            host = (host + 1) % g_nh;
            continue;
        }
        if (e) {
            f->errs++;
            if (e == -112 || e == -118) {
                bc_drop(&b);
                b.sid = 0;
                memset(b.pw, 0, 16);
                f->expired++;
            }
            continue;
        }
        f->acked++;
        f->last_val = val;
        h_add(&f->h, t1 - t0);
        if (f->lastack && t1 - f->lastack > f->longest)
            f->longest = t1 - f->lastack;
        f->lastack = t1;
        u64 kt = atomic_load(&F_kill);
        if (kt && !f->firstafter && t0 >= kt)
            f->firstafter = t1 - kt;
    }
    bc_close(&b);
    return NULL;
}
static int failover(void)
{
    int victim = O.kill_pid, vh = -1;
    char m[16][64];
    for (int i = 0; i < g_nh; i++) {
        srvr_mode(i, m[i], sizeof m[i]);
        fprintf(stderr, "%s: %s\n", g_h[i].name, m[i]);
        if (vh < 0 && !strcmp(m[i], O.target))
            vh = i;
    }
    if (!victim) {
        if (vh < 0)
            die("no %s found by srvr; give --kill-pid", O.target);
        if (g_npid != g_nh)
            die("--pids must match --hosts one to one, or give --kill-pid");
        victim = g_pids[vh];
    }
    struct bc b;
    bc_any(&b, 20);
    must(bc_mk(&b, O.root), "root");
    int nw = O.conns > g_nh && O.conns != 16 ? O.conns : g_nh;
    struct fw *f = xm((size_t)nw * sizeof *f);
    for (int i = 0; i < nw; i++) {
        f[i].id = i;
        snprintf(f[i].path, sizeof f[i].path, "%s/fo-%d-%d", O.root, getpid(), i);
        must(bc_mk(&b, f[i].path), "node");
    }
    bc_close(&b);
    for (int i = 0; i < nw; i++)
        pthread_create(&f[i].th, NULL, fw_main, &f[i]);
    sleep_ns((u64)((O.warm > 0 ? O.warm : 1) * 1e9));
    u64 before = 0;
    for (int i = 0; i < nw; i++)
        before += f[i].acked;
    atomic_store(&F_kill, now_ns());
    if (kill(victim, O.sig))
        die("kill %d: %s", victim, strerror(errno));
    u64 k = F_kill, first = 0, all = 0;
    while (now_ns() - k < 60000000000ull) {
        int n = 0;
        u64 mn = ~0ull, mx = 0;
        for (int i = 0; i < nw; i++) {
            u64 v = __atomic_load_n(&f[i].firstafter, __ATOMIC_RELAXED);
            if (v) {
                n++;
                if (v < mn)
                    mn = v;
                if (v > mx)
                    mx = v;
            }
        }
        if (n && !first)
            first = mn;
        if (n == nw) {
            all = mx;
            break;
        }
        sleep_ns(2000000);
    }
    u64 r0 = now_ns(), a0 = 0, a1 = 0;
    for (int i = 0; i < nw; i++)
        a0 += f[i].acked;
    sleep_ns((u64)(O.after * 1e9));
    for (int i = 0; i < nw; i++)
        a1 += f[i].acked;
    double rate = (double)(a1 - a0) / ((double)(now_ns() - r0) / 1e9);
    atomic_store(&F_stop, true);
    u64 gap = 0;
    for (int i = 0; i < nw; i++) {
        pthread_join(f[i].th, NULL);
        if (f[i].longest > gap)
            gap = f[i].longest;
    }
    if (first)
        for (int i = 0; i < nw; i++)
            if (f[i].firstafter && f[i].firstafter < first)
                first = f[i].firstafter;
    u64 lost = 0, errs = 0, exp = 0;
    bc_any(&b, 60);
    printf("{\"workload\":\"failover\",\"label\":\"%s\",\"target\":\"%s\",\"signal\":%d,\"killed_"
           "pid\":%d,\"timeout_ms\":%d,"
           "\"backoff_ms\":%d,\"writers\":[",
           O.label, O.target, O.sig, victim, O.timeout, O.backoff);
    for (int i = 0; i < nw; i++) {
        bc_sync(&b, f[i].path);
        bc_req(&b, T_GET);
        pb(&b.o, f[i].path, strlen(f[i].path));
        p1(&b.o, 0);
        int e = bc_call(&b, 20000);
        u64 v = !e && b.n >= 28 ? ld8(b.in + 20) : 0;
        u32 ver = !e && b.n >= 84 ? ld4(b.in + b.n - 68 + 32) : 0;
        bool bad_ = e || v < f[i].last_val || ver < f[i].acked || ver > f[i].acked + f[i].unknown;
        if (bad_)
            lost++;
        errs += f[i].errs;
        exp += f[i].expired;
        printf("%s{\"first_ack_after_kill_ms\":%.2f,\"longest_gap_ms\":%.2f,\"acked\":%llu,"
               "\"unknown\":%llu,\"reconnects\":%llu,"
               "\"failed_connects\":%llu,\"expired\":%llu,\"errors\":%llu,\"final_version\":%u,"
               "\"consistent\":%s,\"p50_us\":%.1f}",
               i ? "," : "", (double)f[i].firstafter / 1e6, (double)f[i].longest / 1e6, (unsigned long long)f[i].acked,
               (unsigned long long)f[i].unknown, (unsigned long long)f[i].reconn, (unsigned long long)f[i].connfail,
               (unsigned long long)f[i].expired, (unsigned long long)f[i].errs, ver, bad_ ? "false" : "true",
               h_q(&f[i].h, .5) / 1e3);
        bc_del(&b, f[i].path);
    }
    printf("],\"first_ack_ms\":%.2f,\"all_writers_ms\":%.2f,\"longest_gap_ms\":%.2f,\"writes_s_"
           "after\":%.0f,\"acked_before\":%"
           "llu,\"sessions_expired\":%llu,\"lost_writes\":%llu,\"errors\":%llu}\n",
           first ? (double)first / 1e6 : -1, all ? (double)all / 1e6 : -1, (double)gap / 1e6, rate,
           (unsigned long long)before, (unsigned long long)exp, (unsigned long long)lost,
           (unsigned long long)(errs + lost + (all ? 0 : 1)));
    fprintf(stderr,
            "failover: first ack %.1f ms, all writers %.1f ms, longest gap %.1f ms, expired %llu, "
            "lost %llu\n",
            first ? (double)first / 1e6 : -1, all ? (double)all / 1e6 : -1, (double)gap / 1e6, (unsigned long long)exp,
            (unsigned long long)lost);
    bc_close(&b);
    return lost || !all;
}
static void usage(void)
{
    puts("zkbench WORKLOAD --hosts h:p[,h:p...] [options]\n"
         " steady:  get exists getChildren2 set create createdelete createEphemeralSequential "
         "multi mixed ping sync\n"
         " other:   watch-fanout watch-memory connect-storm load-tree restart failover wait mode\n"
         "  -c N connections [16]   -d N pipeline depth per connection [1]   -T N loader threads "
         "[1]\n"
         "  -s B data size [100]    -k N key space, or znodes for load-tree [10000]   --children N "
         "[100]   --multi K [10]   "
         "--read-pct P [90]\n"
         "  -t S seconds [5]  -n N ops instead of seconds   -w S warm-up [1]   --rate R open loop, "
         "ops/s in total (latency from "
         "the due time)\n"
         "  --pids p,p  server processes to account for     --label TEXT   --root PATH [/zkbench]  "
         " --timeout MS [30000]   --cpu "
         "LIST pins the loader\n"
         "  --no-check  no check of bodies  --no-cleanup  leave created nodes  --no-bye  drop "
         "connections without closeSession\n"
         "  --window N sessions being opened at once [64]   --hold S idle time [10]   "
         "(connect-storm)\n"
         "  --rounds N [20]  --persistent  addWatch instead of one-shot watches   (watch-fanout)\n"
         "  --fan N znodes per directory [1000]  (load-tree)\n"
         "  --watchers N watches on each of -k nodes [1]; --node DIR of a loaded tree to watch  "
         "(watch-memory)\n"
         "  --lat-log FILE  due time and latency of each operation in ns, as pairs of 64-bit "
         "numbers  (steady)\n"
         "  --disk NAME  device of /proc/diskstats to count flushes of [vda]\n"
         "  --node PATH  --keep  -- COMMAND...   (restart: COMMAND stays in the foreground)\n"
         "  --target leader|follower --kill-pid P --signal N [9] --after S [5] --backoff MS [10] "
         "(failover: --pids in the order "
         "of --hosts)\n"
         "  wait: until a session opens and a read works; mode: prints the srvr mode of each host");
}
int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2 || !strcmp(argv[1], "help")) {
        usage();
        return 0;
    }
    O.wl = argv[1];
    static const struct option lo[] = {
        { "hosts", 1, 0, 1 },    { "pids", 1, 0, 2 },      { "children", 1, 0, 3 },    { "multi", 1, 0, 4 },
        { "read-pct", 1, 0, 5 }, { "rate", 1, 0, 6 },      { "label", 1, 0, 7 },       { "root", 1, 0, 8 },
        { "timeout", 1, 0, 9 },  { "no-check", 0, 0, 10 }, { "no-cleanup", 0, 0, 11 }, { "window", 1, 0, 12 },
        { "hold", 1, 0, 13 },    { "rounds", 1, 0, 14 },   { "persistent", 0, 0, 15 }, { "fan", 1, 0, 16 },
        { "node", 1, 0, 17 },    { "keep", 0, 0, 18 },     { "target", 1, 0, 19 },     { "kill-pid", 1, 0, 20 },
        { "signal", 1, 0, 21 },  { "after", 1, 0, 22 },    { "backoff", 1, 0, 23 },    { "cpu", 1, 0, 24 },
        { "no-bye", 0, 0, 25 },  { "disk", 1, 0, 26 },     { "watchers", 1, 0, 27 },   { "lat-log", 1, 0, 28 },
        { 0, 0, 0, 0 }
    };
    optind = 2;
    int k;
    while ((k = getopt_long(argc, argv, "+c:d:T:s:k:t:n:w:", lo, NULL)) != -1)
        switch (k) {
        case 'c':
            O.conns = atoi(optarg);
            break;
        case 'd':
            O.depth = atoi(optarg);
            break;
        case 'T':
            O.threads = atoi(optarg);
            break;
        case 's':
            O.size = atoi(optarg);
            break;
        case 'k':
            O.keys = strtoull(optarg, NULL, 10);
            break;
        case 't':
            O.secs = atof(optarg);
            break;
        case 'n':
            O.ops = strtoull(optarg, NULL, 10);
            break;
        case 'w':
            O.warm = atof(optarg);
            break;
        case 1: {
            char *s = strdup(optarg), *sv = NULL;
            for (char *p = strtok_r(s, ",", &sv); p && g_nh < 16; p = strtok_r(NULL, ",", &sv)) {
                struct addr *a = &g_h[g_nh];
                snprintf(a->name, sizeof a->name, "%s", p);
                char *c = strrchr(p, ':');
                if (!c)
                    die("host:port wanted, got %s", p);
                *c = 0;
                struct addrinfo hi = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *ai;
                if (getaddrinfo(p, c + 1, &hi, &ai))
                    die("unknown host %s", p);
                memcpy(&a->sa, ai->ai_addr, sizeof a->sa);
                freeaddrinfo(ai);
                g_nh++;
            }
            break;
        }
        case 2: {
            char *s = strdup(optarg), *sv = NULL;
            for (char *p = strtok_r(s, ", \n", &sv); p && g_npid < 16; p = strtok_r(NULL, ", \n", &sv))
                g_pids[g_npid++] = atoi(p);
            break;
        }
        case 3:
            O.children = atoi(optarg);
            break;
        case 4:
            O.mk = atoi(optarg);
            break;
        case 5:
            O.readpct = atoi(optarg);
            break;
        case 6:
            O.rate = atof(optarg);
            break;
        case 7:
            O.label = optarg;
            break;
        case 8:
            O.root = optarg;
            break;
        case 9:
            O.timeout = atoi(optarg);
            break;
        case 10:
            O.check = false;
            break;
        case 11:
            O.cleanup = false;
            break;
        case 12:
            O.window = atoi(optarg);
            break;
        case 13:
            O.hold = atof(optarg);
            break;
        case 14:
            O.rounds = atoi(optarg);
            break;
        case 15:
            O.persist = true;
            break;
        case 16:
            O.fan = atoi(optarg);
            break;
        case 17:
            O.node = optarg;
            break;
        case 18:
            O.keep = true;
            break;
        case 19:
            O.target = optarg;
            break;
        case 20:
            O.kill_pid = atoi(optarg);
            break;
        case 21:
            O.sig = atoi(optarg);
            break;
        case 22:
            O.after = atof(optarg);
            break;
        case 23:
            O.backoff = atoi(optarg);
            break;
        case 24:
            O.cpus = optarg;
            break;
        case 25:
            O.bye = false;
            break;
        case 26:
            snprintf(g_disk, sizeof g_disk, "%s", optarg);
            break;
        case 27:
            O.watchers = atoi(optarg);
            break;
        case 28:
            O.latlog = optarg;
            break;
        default:
            usage();
            return 2;
        }
    if (!g_nh)
        die("--hosts is needed");
    if (O.conns < 1 || O.depth < 1 || O.threads < 1 || O.size < 0 || !O.keys || O.children < 1 || O.mk < 1 ||
        O.fan < 1 || O.watchers < 1 || O.window < 1 || O.rounds < 1)
        die("option out of range");
    for (int i = 0; i < g_npid; i++) {
        struct psnap s;
        psnap(g_pids[i], &s);
        if (!s.ok)
            die("no process %d", g_pids[i]);
    }
    if (O.cpus) {
        cpu_set_t s;
        CPU_ZERO(&s);
        for (char *p = strdup(O.cpus), *sv = NULL, *q = strtok_r(p, ",", &sv); q; q = strtok_r(NULL, ",", &sv))
            CPU_SET((unsigned)atoi(q), &s);
        sched_setaffinity(0, sizeof s, &s);
    }
    g_fill = xm((size_t)O.size + 8);
    for (int i = 0; i < O.size; i++)
        g_fill[i] = (u8)('a' + i % 26);
    struct rlimit rl;
    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_cur = rl.rlim_max;
    setrlimit(RLIMIT_NOFILE, &rl);
    for (size_t i = 0; i < sizeof WL / sizeof *WL; i++)
        if (!strcmp(O.wl, WL[i].n))
            return bench(WL[i].w);
    if (!strcmp(O.wl, "watch-fanout"))
        return watch_fanout();
    if (!strcmp(O.wl, "watch-memory"))
        return watch_memory();
    if (!strcmp(O.wl, "connect-storm"))
        return connect_storm();
    if (!strcmp(O.wl, "load-tree"))
        return load_tree();
    if (!strcmp(O.wl, "restart"))
        return restart_(argv + optind);
    if (!strcmp(O.wl, "failover"))
        return failover();
    if (!strcmp(O.wl, "mode")) {
        for (int i = 0; i < g_nh; i++) {
            char m[64];
            srvr_mode(i, m, sizeof m);
            printf("%s %s\n", g_h[i].name, m);
        }
        return 0;
    }
    if (!strcmp(O.wl, "wait")) {
        u64 a = now_ns();
        for (int i = 0; i < g_nh; i++) {
            struct bc b;
            memset(&b, 0, sizeof b);
            b.fd = -1;
            while (bc_open(&b, &g_h[i], O.timeout, 1000, 5000) || bc_exists(&b, "/")) {
                if (now_ns() - a > (u64)(O.secs < 60 ? 60 : O.secs) * 1000000000ull)
                    die("%s does not serve", g_h[i].name);
                bc_drop(&b);
                b.sid = 0;
                sleep_ns(20000000);
            }
            bc_close(&b);
        }
        printf("%.0f ms\n", (double)(now_ns() - a) / 1e6);
        return 0;
    }
    usage();
    return 2;
}
