#include "os/system.h"
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

void system_names(struct system_names *out)
{
    *out = (struct system_names){ 0 };
    struct utsname u;
    if (uname(&u) == 0) {
        snprintf(out->host_name, sizeof out->host_name, "%s", u.nodename);
        snprintf(out->os_name, sizeof out->os_name, "%s", u.sysname);
        snprintf(out->os_arch, sizeof out->os_arch, "%s", u.machine);
        snprintf(out->os_version, sizeof out->os_version, "%s", u.release);
    }
    char bytes[1024];
    struct passwd pw, *found = NULL;
    if (getpwuid_r(geteuid(), &pw, bytes, sizeof bytes, &found) == 0 && found != NULL) {
        snprintf(out->user_name, sizeof out->user_name, "%s", pw.pw_name);
        snprintf(out->user_home, sizeof out->user_home, "%s", pw.pw_dir);
    }
    if (getcwd(out->user_dir, sizeof out->user_dir) == NULL)
        out->user_dir[0] = '\0';
}

struct system_memory system_memory(void)
{
    struct sysinfo s;
    if (sysinfo(&s) != 0)
        return (struct system_memory){ 0 };
    return (struct system_memory){ .free_bytes = (int64_t)s.freeram * s.mem_unit,
                                   .total_bytes = (int64_t)s.totalram * s.mem_unit };
}
