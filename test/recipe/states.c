/* Prints the states of a connection that may be read-only, and does what its input says: "set", "get".
 *
 *     states HOSTS */
#include "check.h"

char base[64] = "/states";
const char *hosts;
int port;

static void on_state(struct zokor_framework *f, enum zokor_connection_state state, void *context)
{
    (void)f;
    (void)context;
    printf("%s\n", zokor_connection_state_text(state));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    char word[16];
    CHECK(argc == 2);
    struct zokor_framework *f =
        zokor_framework_open(&(struct zokor_framework_options){ .hosts = argv[1],
                                                                .session_timeout_ms = SESSION_MS,
                                                                .can_be_read_only = 1,
                                                                .retry = zokor_retry_n_times(1200, 50) });
    CHECK(f != NULL);
    zokor_framework_listen(f, on_state, NULL);
    while (scanf("%15s", word) == 1) {
        int rc = strcmp(word, "set") == 0 ? zokor_framework_create(f, base, "x", 1, 0, ZOKOR_OR_SET, NULL)
                                          : zokor_framework_exists(f, base, NULL);
        printf("%s %d\n", word, rc);
        fflush(stdout);
    }
    EQ(ZOK, zokor_framework_close(f));
    return 0;
}
