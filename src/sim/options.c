#include "sim/options.h"
#include "base/err.h"
#include "sim/dice.h"
#include <stdlib.h>

static const struct {
    const char *name;
    int64_t value;
    const char *help;
} table[] = {
#define OPTION(name, value, help) { #name, value, help },
#include "sim/options.def"
#undef OPTION
};
_Static_assert(OPTION_COUNT <= 64, "options.given has a bit for each");

/* What a seed may draw: a range that is walked by powers of two, and how often the option is left as it is. */
static const struct {
    enum sim_option option;
    int64_t lo, hi;
    uint64_t left_out; /* in 16 */
} drawn[] = {
    { OPT_clients, 2, 16, 6 },
    { OPT_op_ms, 20, 500, 6 },
    { OPT_window, 1, 16, 6 },
    { OPT_names, 2, 12, 6 },
    { OPT_timeout_ms, 4000, 20000, 8 },
    { OPT_snap_count, 20, 1000, 4 },
    { OPT_history_count, 10, 500, 5 },
    { OPT_log_sync, 0, 1, 12 },
    { OPT_epoch_txns, 30, 2000, 13 },
    { OPT_client_delay_us, 50, 20000, 6 },
    { OPT_peer_delay_us, 50, 50000, 6 },
    { OPT_sync_us, 50, 50000, 6 },
    { OPT_image_us, 100, 50000, 6 },
    { OPT_chunk_bytes, 1, 4096, 10 },
    { OPT_groups, 1, 1, 13 },
    { OPT_quotas, 1, 1, 12 },
    { OPT_local_sessions, 1, 2, 13 },
    { OPT_read_only, 1, 1, 12 },
    { OPT_library_pct, 12, 100, 6 },
    { OPT_kill_ms, 1000, 16000, 7 },
    { OPT_power_ms, 1000, 16000, 7 },
    { OPT_blackout_ms, 4000, 16000, 10 },
    { OPT_down_ms, 50, 8000, 4 },
    { OPT_pause_ms, 1000, 16000, 10 },
    { OPT_pause_length_ms, 100, 12000, 4 },
    { OPT_disk_error_ms, 2000, 16000, 11 },
    { OPT_disk_full_ms, 2000, 16000, 11 },
    { OPT_stall_ms, 1000, 16000, 11 },
    { OPT_stall_length_ms, 100, 8000, 4 },
    { OPT_purge_ms, 500, 8000, 8 },
    { OPT_snapshot_ms, 500, 8000, 8 },
    { OPT_wipe_ms, 4000, 16000, 13 },
    { OPT_rot_ms, 1000, 8000, 11 },
    { OPT_restore_ms, 1000, 16000, 13 },
    { OPT_drift_ppm, 100, 50000, 8 },
    { OPT_wall_step_ms, 1000, 16000, 10 },
    { OPT_cut_ms, 200, 8000, 5 },
    { OPT_mute_ms, 1000, 16000, 8 },
    { OPT_away_ms, 2000, 16000, 8 },
    { OPT_close_ms, 500, 8000, 6 },
    { OPT_partition_ms, 1000, 16000, 7 },
    { OPT_partition_length_ms, 200, 16000, 4 },
    { OPT_link_ms, 500, 16000, 8 },
    { OPT_flap_ms, 1000, 16000, 11 },
    { OPT_direct_pct, 20, 100, 3 },
    { OPT_prealloc_bytes, 4096, 131072, 4 },
    { OPT_ahead_bytes, 4096, 32768, 6 },
};

void options_default(struct sim_options *o)
{
    *o = (struct sim_options){ 0 };
    for (int i = 0; i < OPTION_COUNT; i++)
        o->v[i] = table[i].value;
}

const char *options_name(enum sim_option i)
{
    return table[i].name;
}

const char *options_help(enum sim_option i)
{
    return table[i].help;
}

int64_t options_default_of(enum sim_option i)
{
    return table[i].value;
}

bool options_is_fault(enum sim_option i)
{
    return i >= OPT_kill_ms && i < OPT_observer_masters && i != OPT_down_ms && i != OPT_pause_length_ms &&
           i != OPT_stall_length_ms && i != OPT_partition_length_ms;
}

int options_set(struct sim_options *o, const char *assignment)
{
    const char *eq = strchr(assignment, '=');
    if (eq == NULL || eq[1] == '\0')
        return ERR_INVALID;
    char *end;
    int64_t value = strtoll(eq + 1, &end, 10);
    if (*end != '\0' || value < 0 || value > 1000000000)
        return ERR_INVALID;
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (strlen(table[i].name) != (size_t)(eq - assignment) ||
            strncmp(table[i].name, assignment, (size_t)(eq - assignment)) != 0)
            continue;
        o->v[i] = value;
        o->given |= 1ull << i;
        return 0;
    }
    return ERR_INVALID;
}

void options_draw(struct sim_options *o, uint64_t seed)
{
    o->seed = seed;
    for (size_t i = 0; i < ARRAY_COUNT(drawn); i++) {
        struct dice d = dice_of(seed, "options", drawn[i].option);
        bool left_out = rng_below(&d.rng, 16) < drawn[i].left_out;
        int64_t octaves = 0;
        while (drawn[i].lo != 0 && drawn[i].lo << (octaves + 1) <= drawn[i].hi)
            octaves++;
        int64_t base = drawn[i].lo << dice_between(&d, 0, octaves);
        int64_t value = dice_between(&d, base, base * 2 < drawn[i].hi ? base * 2 : drawn[i].hi);
        if (!left_out && (o->given >> drawn[i].option & 1) == 0)
            o->v[drawn[i].option] = value;
    }
}

void options_put(const struct sim_options *o, struct buf *b)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        if (o->v[i] != table[i].value)
            buf_printf(b, " --set %s=%lld", table[i].name, (long long)o->v[i]);
}
