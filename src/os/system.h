/* system: what this machine and user are called, for the word `envi`. */
#ifndef ZOKOR_OS_SYSTEM_H
#define ZOKOR_OS_SYSTEM_H

#include <stdint.h>

struct system_names {
    char host_name[256], os_name[80], os_arch[80], os_version[160], user_name[80], user_home[256], user_dir[512];
};

/* Memory of this machine; 0 where it cannot be found out. */
struct system_memory {
    int64_t free_bytes, total_bytes;
};
struct system_memory system_memory(void);

/* Fills what can be found out; the rest stays "". */
void system_names(struct system_names *out);

#endif
