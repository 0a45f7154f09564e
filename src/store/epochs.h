/* epochs: the two promises of a member of an ensemble that outlive it (quorum specification 4.5): the files
 * acceptedEpoch and currentEpoch in the directory of the snapshots, each a decimal number. */
#ifndef ZOKOR_STORE_EPOCHS_H
#define ZOKOR_STORE_EPOCHS_H

#include "os/fs.h"
#include "store/store.h"

struct store_epochs {
    int64_t accepted; /* the largest epoch that was promised: no leader of a lower one is followed */
    int64_t current;  /* the epoch of the history: of the last NEWLEADER that was acknowledged */
};

/* Reads both; writes nothing. last_zxid: the end of the recovered log; a file that is missing counts as its epoch, as
 * in Apache. What an interrupted save left beside the files is not looked at. An epoch of last_zxid above currentEpoch
 * only warns: the history was durable and the epoch not yet, and the lower one is the safe one to vote with (Apache
 * refuses unless currentEpoch.tmp is there). ERR_CORRUPT: a file that is not a number; ERR_INVALID: currentEpoch, or
 * the epoch of last_zxid, above acceptedEpoch, which no crash leaves; ERR_IO, ...; err->text names file and bytes. */
int store_epochs_read(struct fs *fs, const char *dir, int64_t last_zxid, struct store_epochs *out,
                      struct store_error *err);

/* Makes `now` durable, acceptedEpoch first: whatever moment power fails at, each file holds its old or its new number
 * and current is not above accepted. Files whose number is that of `old` (what is durable now; NULL: unknown) are left
 * alone. Never call with current above accepted. After an error nothing may be promised; old or new numbers may be on
 * disk. It may be called again. */
int store_epochs_save(struct fs *fs, const char *dir, const struct store_epochs *old, const struct store_epochs *now,
                      struct store_error *err);

#endif
