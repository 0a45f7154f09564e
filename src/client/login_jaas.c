/* The section of a JAAS file by which clients log in, as Java's client takes it (Login.java). */
#include "base/err.h"
#include "base/jaas.h"
#include "base/mem.h"
#include "client/login_internal.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FILE_BYTES_MAX (1u << 20)
#define SECTION "Client"

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), end_n = strlen(end);
    return n >= end_n && strcmp(s + n - end_n, end) == 0;
}

static const char *keep(struct arena *strings, const char *text)
{
    return text == NULL ? NULL : (const char *)arena_dup(strings, slice_str(text)).p;
}

static bool is_true(const struct jaas_module *m, const char *name)
{
    const char *value = jaas_option(m, name);
    return value != NULL && strcasecmp(value, "true") == 0;
}

static int read_digest(struct login_options *o, const struct jaas_module *m, struct arena *strings,
                       struct login_error *err)
{
    const char *user = jaas_option(m, "username"), *password = jaas_option(m, "password");
    if (user == NULL || user[0] == '\0' || password == NULL)
        return login_fail(err, ERR_INVALID, "%s: line %d: section %s needs username=\"...\" password=\"...\"", o->jaas,
                          m->line, o->section);
    o->mechanisms = LOGIN_DIGEST_MD5;
    o->user = keep(strings, user);
    o->password = keep(strings, password);
    return 0;
}

static int read_kerberos(struct login_options *o, const struct jaas_module *m, struct arena *strings,
                         struct login_error *err)
{
    const char *keytab = jaas_option(m, "keyTab");
    if (is_true(m, "useKeyTab") && keytab == NULL)
        return login_fail(err, ERR_INVALID, "%s: line %d: section %s needs keyTab=\"FILE\" beside useKeyTab=true",
                          o->jaas, m->line, o->section);
    o->mechanisms = LOGIN_GSSAPI;
    o->principal = keep(strings, jaas_option(m, "principal"));
    if (is_true(m, "useKeyTab"))
        o->keytab = keep(strings, keytab);
    else
        o->ticket_cache = keep(strings, jaas_option(m, "ticketCache"));
    return 0;
}

static int read_section(struct login_options *o, const struct jaas *jaas, struct arena *strings,
                        struct login_error *err)
{
    const struct jaas_section *section = jaas_section(jaas, o->section);
    if (section == NULL)
        return login_fail(err, ERR_NOT_FOUND, "%s has no section %s: add it, or name another", o->jaas, o->section);
    const struct jaas_module *m = section->modules;
    if (m != NULL && ends_with(m->class_name, ".DigestLoginModule"))
        return read_digest(o, m, strings, err);
    if (m != NULL && ends_with(m->class_name, ".Krb5LoginModule"))
        return read_kerberos(o, m, strings, err);
    return login_fail(err, ERR_INVALID,
                      "%s: line %d: section %s has another login module than "
                      "org.apache.zookeeper.server.auth.DigestLoginModule or "
                      "com.sun.security.auth.module.Krb5LoginModule",
                      o->jaas, section->line, o->section);
}

int login_jaas_read(struct login_options *o, struct arena *strings, struct login_error *err)
{
    struct jaas jaas;
    struct jaas_error wrong;
    char *text = mem_alloc(FILE_BYTES_MAX + 1);
    FILE *f = fopen(o->jaas, "re");
    size_t n = f == NULL ? 0 : fread(text, 1, FILE_BYTES_MAX + 1, f);
    int error = f == NULL || ferror(f) != 0 ? errno : n > FILE_BYTES_MAX ? EFBIG : 0;
    int rc = ERR_INVALID;
    if (o->section == NULL)
        o->section = SECTION;
    if (f != NULL)
        (void)fclose(f);
    if (error != 0) {
        (void)login_fail(err, rc, "%s: %s; a JAAS file that this user can read is needed", o->jaas, strerror(error));
    } else if (jaas_parse(&jaas, slice_of(text, n), &wrong) != 0) {
        (void)login_fail(err, rc, "%s: line %d: %s", o->jaas, wrong.line, wrong.text);
    } else {
        rc = read_section(o, &jaas, strings, err);
        jaas_fini(&jaas);
    }
    explicit_bzero(text, n);
    mem_free(text);
    return rc;
}

int login_first_line(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return errno;
    size_t n = fread(out, 1, size, f);
    int error = ferror(f) != 0 ? EIO : 0;
    (void)fclose(f);
    char *end = memchr(out, '\n', n);
    if (error == 0 && end == NULL && n == size)
        error = EFBIG;
    if (error != 0)
        explicit_bzero(out, size);
    else
        (end == NULL ? out + n : end)[0] = '\0';
    return error;
}
