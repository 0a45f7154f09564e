/* cli: `zokor cli`, which stands in for zkCli.sh: its commands, options, texts and exit statuses, and what people ask
 * of a tool for trees besides. It uses the client library by its public headers alone. */
#ifndef ZOKOR_CLI_CLI_H
#define ZOKOR_CLI_CLI_H

/* What the program tells of itself. */
struct cli_program {
    const char *version;    /* "0.1.0" */
    const char *compatible; /* "3.9.5" */
};

/* The whole program; argv[0] is its name. Returns the exit status: that of the last command, as zkCli.sh: 0 done, 1
 * failed, 127 unknown command. */
int cli_main(int argc, char **argv, const struct cli_program *program);

#endif
