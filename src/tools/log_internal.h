/* What the files of `zokor log` share. */
#ifndef ZOKOR_TOOLS_LOG_INTERNAL_H
#define ZOKOR_TOOLS_LOG_INTERNAL_H

#include "tools/files.h"
#include "tools/log_tools.h"
#include "tools/logfile.h"
#include "tools/text.h"
#include "tools/txn_print.h"

/* "ZooKeeper Transactional Log File with dbid 0 txnlog format version 2" */
void log_print_header(const struct log_context *c, const struct logfile *l);
/* A record as a line of text, behind `prefix` (NULL: none). scratch is emptied first. False if its bytes
 * are no transaction. */
bool log_print_text(const struct log_context *c, struct buf *scratch, const char *prefix,
                    const struct logfile_record *r);
void log_print_json(const struct log_context *c, struct buf *scratch, const char *file, const struct logfile_record *r);
/* Is the record among what was asked for? */
bool log_selected(const struct log_select *select, const struct logfile_record *r);

#endif
