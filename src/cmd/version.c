#include "cmd/cmd.h"
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>
#include <zlib.h>

const char *cmd_version_line(void)
{
    return "zokor " ZOKOR_VERSION " (compatible with Apache ZooKeeper " ZOKOR_COMPATIBLE ")";
}

int cmd_version(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        printf("usage: zokor version\n\nPrints the version, the compiler, and the libraries in use.\n");
        return cmd_finish_output(CMD_OK);
    }
    if (argc > 1)
        return cmd_usage_error("version: unexpected argument '%s'", argv[1]);
    printf("%s\n", cmd_version_line());
#ifdef __clang__
    printf("compiler   %s\n", __VERSION__);
#else
    printf("compiler   gcc %s\n", __VERSION__);
#endif
    printf("build      %s\n", ZOKOR_BUILD_TYPE);
    printf("libuv      %s\n", uv_version_string());
    printf("openssl    %s\n", OpenSSL_version(OPENSSL_VERSION_STRING));
    printf("zlib       %s\n", zlibVersion());
    return cmd_finish_output(CMD_OK);
}
