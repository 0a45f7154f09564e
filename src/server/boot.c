#include "server/boot.h"
#include "base/blob.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "os/clock.h"
#include "os/process.h"
#include "server/limits.h"
#include "server/server.h"
#include <stdio.h>

#define HISTORY_MIN 500
#define CLOCK_BEHIND_S_MAX (10 * 365 * 86400) /* further ahead a file's time is a mistake of its own */

static char *join(const char *a, const char *b)
{
    size_t n = strlen(a) + strlen(b) + 2;
    char *s = mem_alloc(n);
    snprintf(s, n, "%s/%s", a, b);
    return s;
}

static bool file_exists(struct fs *fs, const char *name)
{
    struct fs_file *f = NULL;
    if (fs_open(fs, name, FS_READ, &f) != 0)
        return false;
    fs->ops->close(f);
    return true;
}

static void ignore_name(void *ctx, const char *name)
{
    (void)ctx;
    (void)name;
}

static int fail_dir(const char *dir, int rc, const char *next)
{
    log_error("server.data", "dir=%s err=\"%s\" next=\"%s\"", dir, err_text(rc), next);
    return SERVER_EXIT_DATA;
}

static int take_dir(const struct config *config, struct fs *fs, const char *dir)
{
    int rc = fs->ops->list(fs, dir, ignore_name, NULL);
    if (rc == ERR_NOT_FOUND) {
        if (!config->datadir_autocreate)
            return fail_dir(dir, rc, "make the directory, or set zookeeper.datadir.autocreate=true");
        rc = fs->ops->make_dir(fs, dir);
        if (rc != 0)
            return fail_dir(dir, rc, "the directory cannot be made: check who owns its parent and the disk");
    } else if (rc < 0) {
        return fail_dir(dir, rc, "the directory cannot be read: check its owner and permissions");
    }
    return 0;
}

static int lock_dir(const char *dir)
{
    int rc = process_lock_dir(dir);
    if (rc == 0)
        return 0;
    return fail_dir(dir, rc,
                    rc == ERR_BUSY ? "another server works on this directory: stop it first"
                                   : "the directory cannot be opened: check its owner and permissions");
}

static bool take_mark(struct fs *fs, const char *dir)
{
    char *mark = join(dir, "initialize");
    bool marked = file_exists(fs, mark);
    if (marked)
        (void)fs->ops->remove(fs, mark);
    mem_free(mark);
    return marked;
}

/* Apache's db.autocreate=false: an empty directory is only believed to be new if an operator says so by the file
 * "initialize", which each start uses up. Its server looks for that in dataLogDir, its script puts it into dataDir. A
 * member of an ensemble goes on without a vote until a leader has sent it everything. */
static int check_new_database(struct boot *b, const struct config *config, struct fs *fs)
{
    bool marked = take_mark(fs, config->data_log_dir);
    marked = take_mark(fs, config->data_dir) || marked;
    if (b->found.snapshot_zxid >= 0 || b->found.txn_count != 0 || marked || config->db_autocreate)
        return 0;
    if (!config->distributed)
        return fail_dir(b->snap_dir, ERR_NOT_FOUND,
                        "there is no database and zookeeper.db.autocreate=false: bring the "
                        "data back, or make the file dataDir/initialize to start with an empty one");
    b->untrusted = true;
    log_warn(
        "server.untrusted",
        "path=%s reason=\"there is no database and zookeeper.db.autocreate=false\" action=\"no vote until a leader "
        "has sent one\" next=\"for a new ensemble make the file dataDir/initialize on every member and start again\"",
        b->snap_dir);
    return 0;
}

static void note_loaded(void *ctx)
{
    struct boot *b = ctx;
    b->loaded_ms = clock_mono_ms();
}

size_t boot_record_bytes_max(const struct config *config)
{
    return (size_t)(config->jute_max_buffer_bytes + config->jute_extra_bytes);
}

struct store_recover_options boot_recover_options(const struct config *config, uint64_t hash_key)
{
    return (struct store_recover_options){
        .tree = { .hash_key = hash_key,
                  .extended_types = config->extended_types,
                  .ttl_353 = config->emulate_353_ttl,
                  .digest_enabled = config->digest_enabled },
        .trust_empty_snapshot = config->snapshot_trust_empty,
        .record_bytes_max = boot_record_bytes_max(config),
    };
}

int64_t boot_history_count(const struct config *config)
{
    return config->commit_log_count < HISTORY_MIN ? HISTORY_MIN : config->commit_log_count;
}

static void drop_oldest(struct boot *b)
{
    struct boot_past *p = &b->past[b->past_head];
    b->past_bytes -= p->txn->n;
    blob_unref(p->txn);
    b->past_head = (b->past_head + 1) % b->past_cap;
    b->past_count--;
}

/* Servers that have missed no more than these are brought up to date with them, also right after a start. */
static void keep_past(void *ctx, int64_t zxid, struct slice payload)
{
    struct boot *b = ctx;
    if (b->past_count == b->past_cap)
        drop_oldest(b);
    b->past[(b->past_head + b->past_count++) % b->past_cap] = (struct boot_past){ zxid, blob_dup(payload) };
    b->past_bytes += payload.n;
    while (b->past_bytes > LIMIT_HISTORY_BYTES)
        drop_oldest(b);
}

static int read_epochs(struct boot *b, struct fs *fs)
{
    struct store_error err = { "" };
    if (store_epochs_read(fs, b->snap_dir, b->found.last_zxid, &b->epochs, &err) == 0)
        return 0;
    log_error("server.epochs", "%s", err.text);
    return SERVER_EXIT_DATA;
}

static int recover(struct boot *b, const struct config *config, struct fs *fs, uint64_t hash_key)
{
    struct store_error err = { "" };
    struct store_recover_options o = boot_recover_options(config, hash_key);
    o.snapshot_loaded = note_loaded;
    o.ctx = b;
    o.server_id = config->distributed ? (uint8_t)config->my_id : 1;
    if (config->distributed) {
        b->past_cap = (size_t)boot_history_count(config);
        b->past = mem_zalloc(b->past_cap * sizeof *b->past);
        o.on_txn = keep_past;
        o.on_txn_ctx = b;
    }
    b->began_ms = b->loaded_ms = clock_mono_ms();
    int rc = store_recover(fs, &b->dirs, &o, &b->found, &err);
    b->ended_ms = clock_mono_ms();
    /* A snapshot beyond the logs leaves a gap behind them: what is kept must end where the history does. */
    if (b->past_count != 0 && b->past[(b->past_head + b->past_count - 1) % b->past_cap].zxid != b->found.last_zxid)
        while (b->past_count != 0)
            drop_oldest(b);
    if (rc == 0)
        return config->distributed ? read_epochs(b, fs) : 0;
    b->found.tree = NULL;
    log_error("server.recover", "%s", err.text);
    return SERVER_EXIT_DATA;
}

int boot_write_tree(struct tree *tree, const struct config *config, struct fs *fs, const char *dir,
                    enum snapshot_codec codec, int64_t zxid, struct store_error *err)
{
    const struct snapshot_write_options o = {
        .dir = dir,
        .zxid = zxid,
        .codec = codec,
        .digest = config->digest_enabled,
        .tree_digest = tree_digest(tree),
        .digest_zxid = zxid,
        .last_zxid_block = config->serialize_last_zxid,
    };
    return snapshot_write_tree(fs, &o, tree, err);
}

struct newest {
    const char *dir;
    int64_t seconds;
};

static void note_time(void *ctx, const char *name)
{
    struct newest *n = ctx;
    char *path = join(n->dir, name);
    int64_t seconds = process_file_seconds(path);
    mem_free(path);
    if (seconds > n->seconds)
        n->seconds = seconds;
}

/* Session ids begin with the time, and were logged when they were given: with a clock behind the newest of the files
 * they might come again, also those that only older logs name, or none that is left. */
static void look_at_clock(struct boot *b, struct fs *fs, uint8_t server_id)
{
    struct newest n = { .dir = b->log_dir };
    int64_t now_ms = clock_wall_ms();
    (void)fs->ops->list(fs, b->log_dir, note_time, &n);
    n.dir = b->snap_dir;
    (void)fs->ops->list(fs, b->snap_dir, note_time, &n);
    int64_t behind_s = n.seconds + 1 - now_ms / 1000;
    if (behind_s <= 1 || behind_s > CLOCK_BEHIND_S_MAX)
        return;
    uint64_t first = ((uint64_t)(n.seconds + 1) * 1000) << 24 >> 8;
    int64_t id = (int64_t)((uint64_t)server_id << 56 | first);
    log_warn("server.clock", "behind_s=%lld action=\"session ids go on from the time of the newest file\"",
             (long long)behind_s);
    if (b->found.past_session_id == 0 || id > b->found.past_session_id)
        b->found.past_session_id = id;
}

/* Logs alone do not say whether an older snapshot was lost: a directory that serves always has one (Apache refuses
 * logs without a snapshot, and so do we at the next start). */
static int first_snapshot(struct boot *b, const struct config *config, struct fs *fs)
{
    if (b->found.snapshot_zxid >= 0 || b->untrusted)
        return 0;
    struct store_error err = { "" };
    int rc = boot_write_tree(b->found.tree, config, fs, b->snap_dir, b->codec, b->found.last_zxid, &err);
    if (rc == 0)
        return 0;
    log_error("server.first-snapshot", "%s", err.text);
    return SERVER_EXIT_DATA;
}

static enum snapshot_codec codec_of(const char *name)
{
    if (strcmp(name, "gz") == 0)
        return SNAPSHOT_GZIP;
    return strcmp(name, "snappy") == 0 ? SNAPSHOT_SNAPPY : SNAPSHOT_PLAIN;
}

int boot_run(struct boot *b, const struct config *config, struct fs *fs, uint64_t hash_key)
{
    *b = (struct boot){ .codec = codec_of(config->snapshot_compression) };
    b->snap_dir = join(config->data_dir, "version-2");
    b->log_dir = join(config->data_log_dir, "version-2");
    b->dirs = (struct store_dirs){ .snap_dir = b->snap_dir, .log_dir = b->log_dir };
    bool two = strcmp(b->snap_dir, b->log_dir) != 0;
    int64_t began_ms = clock_mono_ms();
    int rc = take_dir(config, fs, b->snap_dir);
    if (rc == 0 && two)
        rc = take_dir(config, fs, b->log_dir);
    if (rc == 0)
        rc = lock_dir(b->snap_dir);
    if (rc == 0 && two)
        rc = lock_dir(b->log_dir);
    if (rc == 0)
        rc = recover(b, config, fs, hash_key);
    if (rc == 0)
        rc = check_new_database(b, config, fs);
    if (rc == 0)
        look_at_clock(b, fs, config->distributed ? (uint8_t)config->my_id : 1);
    if (rc == 0)
        rc = first_snapshot(b, config, fs);
    if (rc != 0)
        return rc;
    const struct store_recovered *r = &b->found;
    log_info("server.recovered",
             "zxid=0x%llx snapshot=%s0x%llx replayed=%llu nodes=%lld sessions=%zu torn_files=%u "
             "digest_mismatches=%llu took_ms=%lld",
             (unsigned long long)r->last_zxid, r->snapshot_zxid < 0 ? "none->" : "",
             (unsigned long long)(r->snapshot_zxid < 0 ? r->last_zxid : r->snapshot_zxid),
             (unsigned long long)r->txn_count, (long long)tree_node_count(r->tree), tree_session_count(r->tree),
             r->torn_files, (unsigned long long)r->digest_mismatches, (long long)(clock_mono_ms() - began_ms));
    return 0;
}

void boot_forget_past(struct boot *b)
{
    while (b->past_count != 0)
        drop_oldest(b);
    mem_free(b->past);
    b->past = NULL;
}

void boot_fini(struct boot *b)
{
    tree_free(b->found.tree);
    boot_forget_past(b);
    mem_free(b->snap_dir);
    mem_free(b->log_dir);
}
