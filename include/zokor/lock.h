/* zokor/lock.h: locks and semaphores between processes, with the nodes of Apache Curator's recipes: programs of both
 * kinds meet on one path.
 *
 * A lock is fair: who asks first gets it first, and who waits watches only the one before it. timeout_ms is -1 for
 * ever, 0 to try once; it bounds the waiting for others, not what the framework's retry policy does while there is no
 * connection. What is held, and the tokens, are explained in zokor/hold.h. Threads and errors: zokor/framework.h. */
#ifndef ZOKOR_LOCK_PUBLIC_H
#define ZOKOR_LOCK_PUBLIC_H

#include <zokor/hold.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A lock that its thread may take again (InterProcessMutex). One object serves any number of threads: each takes it
 * for itself. */
struct zokor_mutex;
struct zokor_mutex *zokor_mutex_new(struct zokor_framework *f, const char *path);
/* Gives back what is still held. No thread may be in one of its functions. */
void zokor_mutex_free(struct zokor_mutex *m);
/* ZOK: this thread holds it. ZOPERATIONTIMEOUT: others had it all the time. ZINVALIDSTATE: this thread held it and has
 * lost it; release it first. ZCLOSING: zokor_mutex_cancel. */
int zokor_mutex_acquire(struct zokor_mutex *m, int timeout_ms);
/* As often as acquired; the last one deletes the node. Must be the thread that acquired: ZINVALIDSTATE. An error of the
 * connection says that the node is still there; it is deleted as soon as that is possible. */
int zokor_mutex_release(struct zokor_mutex *m);
/* All threads that wait, and will, get ZCLOSING. What is held stays held. */
void zokor_mutex_cancel(struct zokor_mutex *m);
/* About the hold of this thread. */
enum zokor_hold zokor_mutex_hold(struct zokor_mutex *m);
int64_t zokor_mutex_token(struct zokor_mutex *m); /* -1: not held */
/* The node's path, to be freed with free; NULL: not held. A transaction that checks it (zokor_transaction_check,
 * version -1) is carried out only while the lock is held: no token needed. */
char *zokor_mutex_node(struct zokor_mutex *m);
/* Does any thread hold it by this object? */
int zokor_mutex_is_acquired(struct zokor_mutex *m);
/* Before the first acquire: data of the nodes; who is told of a lost hold; who is asked to give it back, by anybody's
 * zokor_revoke. */
void zokor_mutex_set_data(struct zokor_mutex *m, const void *data, int data_len);
void zokor_mutex_on_lost(struct zokor_mutex *m, zokor_hold_fn fn, void *context);
void zokor_mutex_make_revocable(struct zokor_mutex *m, zokor_hold_fn fn, void *context);
/* The paths of all that hold or wait, the holder first. To be freed with deallocate_String_vector. */
int zokor_mutex_participants(struct zokor_mutex *m, struct String_vector *paths);
/* Asks the holder of that node, by its path, to give it back. */
int zokor_revoke(struct zokor_framework *f, const char *path);

/* A pair of locks (InterProcessReadWriteLock): many readers or one writer. Who holds the write lock may take the read
 * lock, too, and keep it when it gives back the write lock; a writer that has queued up in between waits for that (in
 * Curator it does not). The other way round would wait for itself for ever. */
struct zokor_rw_lock;
struct zokor_rw_lock *zokor_rw_lock_new(struct zokor_framework *f, const char *path);
void zokor_rw_lock_free(struct zokor_rw_lock *l);
/* Belong to the pair; never freed themselves. */
struct zokor_mutex *zokor_rw_lock_read(struct zokor_rw_lock *l);
struct zokor_mutex *zokor_rw_lock_write(struct zokor_rw_lock *l);

/* Several leases on one path (InterProcessSemaphoreV2). Leases belong to nobody: any thread may give them back. */
struct zokor_semaphore;
struct zokor_lease;
struct zokor_shared_count;
struct zokor_semaphore *zokor_semaphore_new(struct zokor_framework *f, const char *path, int max_leases);
/* As many leases as the count says, now and later; the count outlives the semaphore (zokor/shared.h). */
struct zokor_semaphore *zokor_semaphore_new_with_count(struct zokor_framework *f, const char *path,
                                                       struct zokor_shared_count *count);
void zokor_semaphore_free(struct zokor_semaphore *s);
void zokor_semaphore_set_data(struct zokor_semaphore *s, const void *data, int data_len);
void zokor_semaphore_on_lost(struct zokor_semaphore *s, zokor_hold_fn fn, void *context);
/* All n leases or none. */
int zokor_semaphore_acquire(struct zokor_semaphore *s, int n, struct zokor_lease **leases, int timeout_ms);
/* The names of the nodes of all leases. */
int zokor_semaphore_participants(struct zokor_semaphore *s, struct String_vector *names);
enum zokor_hold zokor_lease_hold(struct zokor_lease *lease);
int64_t zokor_lease_token(struct zokor_lease *lease);
const char *zokor_lease_path(struct zokor_lease *lease);
/* Gives it back and frees it, whatever it returns (as zokor_mutex_release). */
int zokor_lease_return(struct zokor_lease *lease);

/* A lock that no thread may take twice, and any may give back (InterProcessSemaphoreMutex). */
struct zokor_semaphore_mutex;
struct zokor_semaphore_mutex *zokor_semaphore_mutex_new(struct zokor_framework *f, const char *path);
void zokor_semaphore_mutex_free(struct zokor_semaphore_mutex *m);
int zokor_semaphore_mutex_acquire(struct zokor_semaphore_mutex *m, int timeout_ms);
int zokor_semaphore_mutex_release(struct zokor_semaphore_mutex *m);
enum zokor_hold zokor_semaphore_mutex_hold(struct zokor_semaphore_mutex *m);
int64_t zokor_semaphore_mutex_token(struct zokor_semaphore_mutex *m);

/* Several locks as one (InterProcessMultiLock): all or none, and all in one session: if the first ones are lost while
 * the last one is waited for, it begins anew. They are taken in the order given; two programs that use the same ones
 * must use the same order. The mutexes stay the caller's. */
int zokor_multi_lock_acquire(struct zokor_mutex *const *locks, int count, int timeout_ms);
/* All of them, whatever happens; the first error. */
int zokor_multi_lock_release(struct zokor_mutex *const *locks, int count);

#ifdef __cplusplus
}
#endif

#endif
