/* commands: what the table points to. Each file of commands has one family; every function runs one command with its
 * options parsed and returns CLI_DONE, CLI_FAILED or CLI_NOT_FOUND. */
#ifndef ZOKOR_CLI_COMMANDS_H
#define ZOKOR_CLI_COMMANDS_H

#include "cli/internal.h"

/* cmd_read.c */
int cli_get(struct cli *c, struct cli_args *args);
int cli_ls(struct cli *c, struct cli_args *args);
int cli_stat(struct cli *c, struct cli_args *args);
int cli_get_all_children_number(struct cli *c, struct cli_args *args);
int cli_get_ephemerals(struct cli *c, struct cli_args *args);
/* cmd_write.c */
int cli_create(struct cli *c, struct cli_args *args);
int cli_set(struct cli *c, struct cli_args *args);
int cli_delete(struct cli *c, struct cli_args *args);
/* cmd_deleteall.c */
int cli_deleteall(struct cli *c, struct cli_args *args);
/* cmd_acl.c */
/* Parses an ACL and says what is wrong with it; the number of its entries. */
int cli_parse_acl(struct cli *c, const char *text, struct ACL_vector *out);
int cli_get_acl(struct cli *c, struct cli_args *args);
int cli_set_acl(struct cli *c, struct cli_args *args);
int cli_addauth(struct cli *c, struct cli_args *args);
int cli_whoami(struct cli *c, struct cli_args *args);
/* Proves an id: the auth may be NULL. */
int cli_prove(struct cli *c, const char *scheme, const char *auth);
/* cmd_watch.c */
int cli_add_watch(struct cli *c, struct cli_args *args);
int cli_remove_watches(struct cli *c, struct cli_args *args);
int cli_printwatches(struct cli *c, struct cli_args *args);
int cli_watch(struct cli *c, struct cli_args *args);
/* cmd_quota.c */
int cli_setquota(struct cli *c, struct cli_args *args);
int cli_listquota(struct cli *c, struct cli_args *args);
int cli_delquota(struct cli *c, struct cli_args *args);
/* cmd_config.c */
int cli_config(struct cli *c, struct cli_args *args);
int cli_reconfig(struct cli *c, struct cli_args *args);
/* cmd_session.c */
int cli_close(struct cli *c, struct cli_args *args);
int cli_connect_command(struct cli *c, struct cli_args *args);
int cli_quit(struct cli *c, struct cli_args *args);
int cli_sync(struct cli *c, struct cli_args *args);
int cli_version(struct cli *c, struct cli_args *args);
int cli_history(struct cli *c, struct cli_args *args);
int cli_redo(struct cli *c, struct cli_args *args);
/* help.c */
int cli_help(struct cli *c, struct cli_args *args);
/* The text of zokor cli --help, on stdout. */
void cli_print_help(void);
/* cmd_tree.c */
int cli_tree(struct cli *c, struct cli_args *args);
int cli_find(struct cli *c, struct cli_args *args);
/* cmd_export.c, cmd_import.c */
int cli_export(struct cli *c, struct cli_args *args);
int cli_import(struct cli *c, struct cli_args *args);

#endif
