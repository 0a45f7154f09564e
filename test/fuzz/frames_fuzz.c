/* Frames of strangers against the core: several connections, a log that becomes durable now and then, time that
 * passes, snapshots taken meanwhile. After each input every invariant of core and tree holds, and the digest prepared
 * in flight was always the one that came about. Input: a byte (what happens), two bytes (length), that many bytes. */
#include "core/internal.h"

#define CONNS 3u

struct fuzz {
    struct core *core;
    struct core_out out;
    int64_t now_ms, appended;
    bool open[CONNS], connected[CONNS];
    bool image;
};

static bool step(struct fuzz *f, struct core_event ev)
{
    ev.now_ms = f->now_ms;
    ev.wall_ms = 1700000000000 + f->now_ms;
    bool go_on = core_step(f->core, &ev, &f->out);
    for (size_t i = 0; i < f->out.fx_count; i++) {
        struct core_fx *fx = &f->out.fx[i];
        ASSERT(fx->conn < CONNS);
        if (fx->type == CORE_FX_CLOSE)
            f->open[fx->conn] = f->connected[fx->conn] = false;
    }
    for (size_t i = 0; i < f->out.append_count; i++) {
        ASSERT(f->out.appends[i].zxid == f->appended + 1);
        f->appended++;
        blob_unref(f->out.appends[i].txn);
    }
    f->image = (f->image || f->out.snapshot.begin) && !f->out.snapshot.end;
    bool ended = f->out.snapshot.end;
    core_out_reset(&f->out);
    if (ended)
        step(f, (struct core_event){ .type = CORE_EV_SNAPSHOT_DONE });
    return go_on;
}

static void sync_log(struct fuzz *f)
{
    step(f, (struct core_event){ .type = CORE_EV_LOG_SYNCED, .zxid = f->appended });
}

static void open_conn(struct fuzz *f, uint32_t conn, bool handshake)
{
    f->open[conn] = true;
    step(f, (struct core_event){ .type = CORE_EV_ACCEPT, .conn = conn, .peer = { .address = { 127, 0, 0, 1 } } });
    if (!handshake || !f->open[conn])
        return;
    uint8_t request[45] = { [14] = 0x27, [15] = 0x10, [27] = 16 };
    step(f, (struct core_event){ .type = CORE_EV_FRAME, .conn = conn, .frame = slice_of(request, sizeof request) });
    sync_log(f);
}

static void act(struct fuzz *f, uint8_t what, struct slice frame)
{
    uint32_t conn = what % CONNS;
    unsigned kind = what / CONNS % 16;
    if (!f->open[conn])
        open_conn(f, conn, kind != 15);
    if (!f->open[conn])
        return;
    if (kind == 14) {
        f->open[conn] = false;
        step(f, (struct core_event){ .type = CORE_EV_CONN_LOST, .conn = conn });
        return;
    }
    step(f, (struct core_event){ .type = CORE_EV_FRAME, .conn = conn, .frame = frame });
    if (kind == 13)
        f->now_ms += 3000;
    if (kind >= 12)
        step(f, (struct core_event){ .type = CORE_EV_TICK });
    if (kind < 6)
        sync_log(f);
    if (f->image && kind % 2 == 0)
        step(f, (struct core_event){ .type = CORE_EV_SNAPSHOT_PULL });
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct core_options o = { .seed = 1,
                              .start_wall_ms = 1700000000000,
                              .server_id = 1,
                              .tick_time_ms = 2000,
                              .session_timeout_ms_min = 4000,
                              .session_timeout_ms_max = 40000,
                              .handshake_timeout_ms = 10000,
                              .frame_bytes_max = 1048575,
                              .txn_bytes_max = 2097150,
                              .extended_types = true,
                              .digest_enabled = true,
                              .reconfig_enabled = true,
                              .digest_auth_enabled = true,
                              .digest_algorithm = "SHA1",
                              .enforce_quota = true,
                              .super_digest = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=",
                              .container_check_interval_ms = 2500,
                              .container_max_per_minute = 10000,
                              .outstanding_limit = 50,
                              .snap_count = 10 };
    struct fuzz f = { .now_ms = 1000 };
    struct tree *t = tree_new(&(struct tree_options){ .hash_key = 1, .extended_types = true, .digest_enabled = true });
    f.core = core_new(&o, t, f.now_ms);
    core_out_init(&f.out);
    while (size >= 3) {
        size_t n = (size_t)data[1] << 8 | data[2];
        if (n > size - 3)
            n = size - 3;
        const struct slice coming[] = { slice_of(data + 3, n), slice_of(data + 1, size - 1), slice_of(data, 7) };
        core_expect(f.core, coming, 3);
        act(&f, data[0], slice_of(data + 3, n));
        data += 3 + n;
        size -= 3 + n;
    }
    core_check(f.core);
    sync_log(&f);
    core_check(f.core);
    struct core_stats stats;
    core_stats(f.core, &stats);
    ASSERT(stats.digest_mismatches == 0);
    core_free(f.core);
    core_out_fini(&f.out);
    return 0;
}
