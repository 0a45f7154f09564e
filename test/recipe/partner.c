/* Adds to a number that others add to at the same time: partner HOSTS PATH TIMES. */
#include "check.h"
#include <zokor/atomic.h>

char base[64];
const char *hosts;
int port;

int main(int argc, char **argv)
{
    CHECK(argc == 4);
    hosts = argv[1];
    struct zokor_framework *f = open_direct();
    const struct zokor_atomic_options o = { .retry = zokor_retry_n_times(1000, 2) };
    for (int i = 0; i < atoi(argv[3]); i++)
        EQ(ZOK, zokor_atomic_long_add(f, argv[2], &o, 1, NULL, NULL));
    EQ(ZOK, zokor_framework_close(f));
    return 0;
}
