/* system: what this machine and user are called, for the word `envi`. */
#ifndef ZOKOR_OS_SYSTEM_H
#define ZOKOR_OS_SYSTEM_H

struct system_names {
    char host_name[256], os_name[80], os_arch[80], os_version[160], user_name[80], user_home[256], user_dir[512];
};

/* Fills what can be found out; the rest stays "". */
void system_names(struct system_names *out);

#endif
