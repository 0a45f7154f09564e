/* settings: how a program of ours connects, as users of Java's client write it: the keys of ZKClientConfig in a
 * properties file or as -D words in CLIENT_JVMFLAGS and JVMFLAGS, and a JAAS file. Not part of the library: it is what
 * zokor cli, zokor bench and the commands over recipes share. */
#ifndef ZOKOR_CLIENT_SETTINGS_H
#define ZOKOR_CLIENT_SETTINGS_H

#include "base/arena.h"
#include "base/buf.h"
#include <zokor/client.h>

struct settings {
    bool secure; /* TLS, as `tls` says */
    struct zokor_tls tls;
    bool logs_in; /* SASL, as `sasl` says */
    bool sasl_off;
    bool must_log_in; /* it is no oversight: a JAAS file without the section is a mistake */
    struct zokor_sasl sasl;
    int request_timeout_ms; /* 0: none */
    const char *krb5_conf;
    struct arena strings;
};

/* What a program was told on its command line; members may be NULL. */
struct settings_words {
    const char *configuration; /* a properties file */
    const char *jaas, *section;
};

void settings_init(struct settings *s);
/* Overwrites passwords. */
void settings_fini(struct settings *s);

/* Reads a client configuration, a Java properties file. 0; -1: `error` says why. Keys without a meaning here are told
 * of in `warnings`. */
int settings_parse(struct settings *s, const char *name, const char *text, size_t n, struct buf *error,
                   struct buf *warnings);
/* The same with the words -Dkey=value of a variable like JVMFLAGS; all others, and keys without a meaning, are the
 * business of Java. */
int settings_parse_flags(struct settings *s, const char *name, const char *flags, struct buf *error);

/* All there is: the two variables (the later one wins), the file over them, then the words. Start-up only: it may set
 * KRB5_CONFIG (java.security.krb5.conf) in the environment. 0; -1: `error` says why. */
int settings_read(struct settings *s, const struct settings_words *words, struct buf *error, struct buf *warnings);

/* A handle that connects so, as zookeeper_init2. A JAAS file without the section Client, where no section was named, is
 * for other programs: there is no login then, as with Java's client, and logs_in becomes false. */
zhandle_t *settings_open(struct settings *s, const char *host, watcher_fn watcher, int timeout_ms, void *context,
                         int flags, log_callback_fn log_callback);

#endif
