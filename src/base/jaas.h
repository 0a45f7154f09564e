/* jaas: files in the login configuration syntax of Java, where ZooKeeper keeps the users and keys of SASL:
 *
 *     Server {
 *         org.apache.zookeeper.server.auth.DigestLoginModule required
 *         user_bob="secret" user_super="adminsecret";
 *     };
 *
 * A file has sections, a section has modules, a module has a class, a flag and options. Pure: bytes in, lists out. */
#ifndef ZOKOR_BASE_JAAS_H
#define ZOKOR_BASE_JAAS_H

#include "base/arena.h"
#include "base/assert.h"

/* Lists keep the order of the file. All strings end with NUL, hold no other NUL, and live as long as the jaas. */
struct jaas_option {
    struct jaas_option *next;
    const char *name;
    const char *value;
};

struct jaas_module {
    struct jaas_module *next;
    const char *class_name;
    const char *flag; /* "required", "requisite", "sufficient" or "optional" */
    struct jaas_option *options;
    int line;
};

struct jaas_section {
    struct jaas_section *next;
    const char *name;
    struct jaas_module *modules; /* NULL for an empty section */
    int line;
};

struct jaas {
    struct jaas_section *sections;
    struct arena arena;
};

/* text tells what was expected and found, never the value of an option: values are secrets. */
struct jaas_error {
    int line;
    char text[240];
};

/* Reads a whole file. 0; or ERR_INVALID, then err is filled and j needs no jaas_fini. The text is not kept. */
int jaas_parse(struct jaas *j, struct slice text, struct jaas_error *err) WARN_UNUSED;
/* Overwrites every value, then frees. Safe on zeroed memory. */
void jaas_fini(struct jaas *j);

/* NULL if there is none of that name. */
const struct jaas_section *jaas_section(const struct jaas *j, const char *name);
/* The value of an option, of equal names the last as in Java's map; NULL if it is missing. */
const char *jaas_option(const struct jaas_module *m, const char *name);

#endif
