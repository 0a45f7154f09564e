#include "cmd/cmd.h"
#include "cli/cli.h"

int cmd_cli(int argc, char **argv)
{
    static const struct cli_program program = { .version = ZOKOR_VERSION, .compatible = ZOKOR_COMPATIBLE };
    return cli_main(argc, argv, &program);
}
