/* zokor/hold.h: what all recipes say of something that is held: a lock, a lease, a leadership.
 *
 * While the connection is broken nobody can know whether the holder's node is still there: the hold is in doubt (by the
 * standard error policy; by the session policy it is still held). After a reconnection the node is looked for, and the
 * hold is held again, or lost. It is lost, too, when somebody deletes the node: who has asked to be told of lost holds
 * hears that at once, by a watch. A hold that is lost stays so until it is given back.
 *
 * The token of a hold is the czxid of its node. Tokens of one lock only ever grow: a resource that remembers the
 * highest it has seen, and refuses lower ones, is safe from holders who do not know yet that they have lost. */
#ifndef ZOKOR_HOLD_PUBLIC_H
#define ZOKOR_HOLD_PUBLIC_H

#include <zokor/framework.h>

#ifdef __cplusplus
extern "C" {
#endif

enum zokor_hold { ZOKOR_NOT_HELD = 0, ZOKOR_HELD, ZOKOR_IN_DOUBT, ZOKOR_HOLD_LOST };

/* On the event thread of the framework. path: of the holder's node. */
typedef void (*zokor_hold_fn)(const char *path, int64_t token, void *context);

/* Who takes part in an election. */
struct zokor_participant {
    char *id;
    int is_leader;
};
void zokor_participants_free(struct zokor_participant *participants, int count);

#ifdef __cplusplus
}
#endif

#endif
