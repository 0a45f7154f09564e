#include "cmd/cmd.h"
#include "cmd/sim_run.h"
#include <stdio.h>

int sim_museum(const char *bug)
{
    (void)bug;
    return cmd_usage_error("sim: this build has no museum; configure one with -DZOKOR_MUSEUM=ON");
}
