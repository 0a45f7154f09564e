/* Gzip by zlib, which is loaded when it is first asked for: the client library needs nothing but libc. */
#include "recipe/internal.h"
#include <dlfcn.h>
#include <string.h>
#include <zlib.h>

#define GUNZIP_BYTES_MAX (256 << 20) /* what a hostile node may make of a megabyte is a gigabyte */
#define GZIP_WINDOW (15 + 16)        /* zlib's number for gzip with the largest window */
#define ROOM_BYTES 4096

static struct {
    int (*deflate_init)(z_stream *, int, int, int, int, int, const char *, int);
    int (*deflate)(z_stream *, int);
    int (*deflate_end)(z_stream *);
    int (*inflate_init)(z_stream *, int, const char *, int);
    int (*inflate)(z_stream *, int);
    int (*inflate_reset)(z_stream *);
    int (*inflate_end)(z_stream *);
    bool is_there;
} zlib;

static void load(void)
{
    const struct {
        const char *name;
        void *to;
    } symbols[] = {
        { "deflateInit2_", &zlib.deflate_init }, { "deflate", &zlib.deflate }, { "deflateEnd", &zlib.deflate_end },
        { "inflateInit2_", &zlib.inflate_init }, { "inflate", &zlib.inflate }, { "inflateReset", &zlib.inflate_reset },
        { "inflateEnd", &zlib.inflate_end },
    };
    void *library = dlopen("libz.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return;
    for (size_t i = 0; i < ARRAY_COUNT(symbols); i++) {
        void *p = dlsym(library, symbols[i].name);
        if (p == NULL)
            return;
        memcpy(symbols[i].to, &p, sizeof(p)); /* ISO C has no conversion of one to the other */
    }
    zlib.is_there = true;
}

static bool has_zlib(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return zlib.is_there;
}

/* Doubles what the stream writes to; false: it would grow above the limit. */
static bool more_room(z_stream *z, char **out, size_t *room)
{
    if (*room >= GUNZIP_BYTES_MAX)
        return false;
    size_t used = *room - z->avail_out;
    *room = *room == 0 ? ROOM_BYTES : *room * 2;
    *out = mem_realloc(*out, *room + 1);
    z->next_out = (Bytef *)*out + used;
    z->avail_out = (uInt)(*room - used);
    return true;
}

int zokor_gzip(const void *data, int len, char **out, int *out_len)
{
    z_stream z = { .next_in = (Bytef *)data, .avail_in = (uInt)(len < 0 ? 0 : len) };
    char *p = NULL;
    size_t room = 0;
    if (!has_zlib())
        return ZUNIMPLEMENTED;
    if (zlib.deflate_init(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                          (int)sizeof(z)) != Z_OK)
        return ZSYSTEMERROR;
    int rc = Z_OK;
    while (rc == Z_OK || rc == Z_BUF_ERROR) {
        if (z.avail_out == 0 && !more_room(&z, &p, &room))
            break;
        rc = zlib.deflate(&z, Z_FINISH);
    }
    (void)zlib.deflate_end(&z);
    if (rc != Z_STREAM_END) {
        mem_free(p);
        return ZSYSTEMERROR;
    }
    *out_len = (int)(room - z.avail_out);
    p[*out_len] = 0;
    *out = p;
    return ZOK;
}

int zokor_gunzip(const void *data, int len, char **out, int *out_len)
{
    z_stream z = { .next_in = (Bytef *)data, .avail_in = (uInt)(len < 0 ? 0 : len) };
    char *p = NULL;
    size_t room = 0;
    if (!has_zlib())
        return ZUNIMPLEMENTED;
    if (zlib.inflate_init(&z, GZIP_WINDOW, ZLIB_VERSION, (int)sizeof(z)) != Z_OK)
        return ZSYSTEMERROR;
    int rc = Z_OK;
    while (rc == Z_OK) {
        if (z.avail_out == 0 && !more_room(&z, &p, &room))
            break;
        rc = zlib.inflate(&z, Z_NO_FLUSH);
        if (rc == Z_BUF_ERROR && z.avail_out == 0)
            rc = Z_OK;
        if (rc == Z_STREAM_END && z.avail_in > 0) /* one after the other, as java.util.zip reads them */
            rc = zlib.inflate_reset(&z);
    }
    (void)zlib.inflate_end(&z);
    if (rc != Z_STREAM_END) {
        mem_free(p);
        return ZDATAINCONSISTENCY;
    }
    *out_len = (int)(room - z.avail_out);
    p[*out_len] = 0;
    *out = p;
    return ZOK;
}
