/* Tools of operators: showing, judging, repairing and trimming a log made of the input. Each ends with a status;
 * whatever repair says yes to is a log that a server reads without complaint, and the damaged one stays as it was. The
 * first byte chooses what becomes of what is lost. */
#include "sim/disk.h"
#include "store/txnlog.h"
#include "tools/log_tools.h"

static FILE *nowhere;

static void check_sound(struct fs *fs, const char *name)
{
    struct txnlog_reader *r = NULL;
    struct store_error err;
    struct slice payload;
    uint64_t offset;
    int rc = txnlog_reader_open(fs, name, (size_t)1 << 30, &r, &err);
    while (rc == 0 && (rc = txnlog_reader_next(r, &payload, &offset, &err)) == 1)
        rc = 0;
    ASSERT(rc == 0 && txnlog_reader_end(r) == TXNLOG_END_CLEAN);
    txnlog_reader_close(r);
}

static bool is_there(struct fs *fs, const char *name)
{
    struct fs_file *f = NULL;
    int rc = fs_open(fs, name, FS_READ, &f);
    fs->ops->close(f);
    return rc == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (nowhere == NULL)
        nowhere = fopen("/dev/null", "r+e");
    struct disk *d = disk_new(1);
    struct fs *fs = disk_fs(d);
    (void)fs->ops->make_dir(fs, "/v");
    disk_put(d, "/v/log.1", slice_of(data + 1, size - 1));
    struct log_context c = { .fs = fs, .in = nowhere, .out = nowhere, .err = nowhere, .printable = data[0] % 2 == 0 };
    char name[] = "/v/log.1", *names[] = { name };
    (void)log_show(&c, names, 1, &(struct log_select){ .path = data[0] % 3 == 0 ? "/a" : NULL });
    c.json = true;
    (void)log_show(&c, names, 1, &(struct log_select){ 0 });
    (void)log_verify(&c, names, 1, NULL);
    char toolkit[] = "toolkit", option[] = "-rvy";
    (void)log_toolkit(&c, 3, (char *[]){ toolkit, option, name, NULL });
    (void)fs->ops->remove(fs, "/v/log.1.fixed");
    struct log_repair how = { .yes = true, .lost = data[0] % 2 == 0 ? LOG_LOST_FILL : LOG_LOST_CUT };
    int status = log_repair(&c, name, &how);
    if (is_there(fs, "/v/log.1.fixed")) {
        ASSERT(status == 0);
        check_sound(fs, "/v/log.1.fixed");
    }
    (void)log_trim(&c, name, data[0], false);
    disk_free(d);
    return 0;
}
