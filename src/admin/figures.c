/* figures: srvr, stat and envi (client specification 9.2). */
#include "admin/words.h"
#include "os/system.h"
#include <stdio.h>

/* Clients read the leading number to know the protocol's age; people read the rest. */
const char *const words_version = "3.9.5-zokor-" ZOKOR_VERSION ", built on " ZOKOR_BUILD_DATE;

/* As Java prints a double that was rounded to four places: at least one place, no zeros at the end. */
void put_decimal(struct buf *out, double value)
{
    char text[64];
    int n = snprintf(text, sizeof text, "%.4f", value);
    while (n > 2 && text[n - 1] == '0' && text[n - 2] != '.')
        n--;
    buf_append(out, text, n < 0 ? 0 : (size_t)n);
}

static void put_numbers(struct command_answer *a, struct buf *out)
{
    struct core_stats s;
    core_stats(a->host->core, &s);
    enum core_mode mode = core_mode(a->host->core);
    if (mode == CORE_READ_ONLY)
        buf_printf(out, "READ-ONLY mode; serving only read-only clients\n");
    buf_printf(out, "Latency min/avg/max: %lld/", (long long)s.latency_min_ms);
    put_decimal(out, s.latency_count == 0 ? 0 : (double)s.latency_sum_ms / (double)s.latency_count);
    buf_printf(out,
               "/%lld\nReceived: %lld\nSent: %lld\nConnections: %lld\nOutstanding: %lld\nZxid: 0x%llx\n"
               "Mode: %s\nNode count: %lld\n",
               (long long)s.latency_max_ms, (long long)s.packets_received, (long long)s.packets_sent,
               (long long)s.connections, (long long)s.outstanding, (unsigned long long)s.last_zxid,
               core_mode_name(mode), (long long)s.node_count + 1); /* Apache counts the root twice */
    if (mode != CORE_LEADING)
        return;
    struct zab_view v = zab_view(core_zab(a->host->core));
    buf_printf(out, "Proposal sizes last/min/max: %lld/%lld/%lld\n", (long long)v.proposal_bytes_last,
               (long long)v.proposal_bytes_min, (long long)v.proposal_bytes_max);
}

bool word_srvr(struct command_answer *a, size_t bytes, struct buf *out)
{
    (void)bytes;
    buf_printf(out, "Zookeeper version: %s\n", words_version);
    put_numbers(a, out);
    return false;
}

bool word_stat(struct command_answer *a, size_t bytes, struct buf *out)
{
    if (a->stage == 0) {
        a->stage = 1;
        buf_printf(out, "Zookeeper version: %s\nClients:\n", words_version);
    }
    if (put_connections(a, bytes, true, out))
        return true;
    buf_printf(out, "\n");
    put_numbers(a, out);
    return false;
}

const char *java_arch(const char *machine)
{
    return strcmp(machine, "x86_64") == 0 ? "amd64" : machine;
}

/* The java.* keys are there since readers look for some of them; their values say what this is. */
bool word_envi(struct command_answer *a, size_t bytes, struct buf *out)
{
    (void)a;
    (void)bytes;
    struct system_names n;
    system_names(&n);
    buf_printf(out, "Environment:\nzookeeper.version=%s\nhost.name=%s\n", words_version, n.host_name);
    buf_printf(out, "java.version=none\njava.vendor=none\njava.home=\njava.class.path=\njava.library.path=\n"
                    "java.io.tmpdir=/tmp\njava.compiler=<NA>\n");
    struct system_memory m = system_memory();
    buf_printf(out, "os.name=%s\nos.arch=%s\nos.version=%s\nuser.name=%s\nuser.home=%s\nuser.dir=%s\n", n.os_name,
               java_arch(n.os_arch), n.os_version, n.user_name, n.user_home, n.user_dir);
    buf_printf(out, "os.memory.free=%lldMB\nos.memory.max=%lldMB\nos.memory.total=%lldMB\n",
               (long long)(m.free_bytes >> 20), (long long)(m.total_bytes >> 20), (long long)(m.total_bytes >> 20));
    return false;
}
