/* zoo.cfg: the input is the file; it is refused with a text or gives a configuration that `conf` can show. And the same
 * bytes as a JAAS file. */
#include "base/err.h"
#include "base/jaas.h"
#include "server/config.h"

static struct slice file;

static int read_file(void *ctx, const char *path, struct buf *out)
{
    (void)ctx;
    if (!slice_eq_str(slice_str(path), "zoo.cfg"))
        return ERR_NOT_FOUND;
    buf_append_slice(out, file);
    return out->err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    file = slice_of(data, size);
    struct config config;
    struct config_error err = { "" };
    struct config_input input = { .file = "zoo.cfg", .read_file = read_file };
    if (config_load(&config, &input, &err) == 0)
        config_fini(&config);
    else
        ASSERT(err.text[0] != '\0');
    struct jaas jaas;
    struct jaas_error wrong = { .text = "" };
    if (jaas_parse(&jaas, file, &wrong) == 0)
        jaas_fini(&jaas);
    else
        ASSERT(wrong.text[0] != '\0' && wrong.line > 0);
    return 0;
}
