/* sim_scenario: scripts that lead a simulation. */
#include "sim/scenario.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/sim_run.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRIPT_BYTES_MAX (1u << 20)

static void say(void *ctx, enum log_level level, const char *event, const char *text)
{
    const struct scenario_result *r = ctx;
    (void)level;
    if (strcmp(event, "scenario") == 0)
        printf("%12.6f > %s\n", (double)r->sim.virtual_us / 1e6, text);
    else
        printf("%12.6f %u   %s %s\n", (double)r->sim.virtual_us / 1e6, r->sim.member, event, text);
    fflush(stdout);
}

int sim_scenario(const char *file, const char *variant, bool log)
{
    FILE *f = fopen(file, "r");
    if (f == NULL)
        return cmd_usage_error("sim: cannot read the script %s: %s", file, strerror(errno));
    char *text = mem_alloc(SCRIPT_BYTES_MAX);
    size_t n = fread(text, 1, SCRIPT_BYTES_MAX, f);
    fclose(f);
    struct scenario_result r = { 0 };
    log_set_sink(log ? say : NULL, &r, log ? LOG_INFO : LOG_ERROR);
    scenario_run(slice_of(text, n), variant, &r);
    log_set_sink(NULL, NULL, LOG_ERROR);
    mem_free(text);
    if (r.failed)
        printf("%s: %s\n", file, r.why);
    else
        printf("%s: %u variants, %llu events: as it should be\n", file, r.variants, (unsigned long long)r.steps);
    return cmd_finish_output(r.failed ? CMD_FAILED : CMD_OK);
}
