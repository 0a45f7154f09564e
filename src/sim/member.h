/* member: one server of a simulation: the core and the store of the real one over a fake disk, with the shell's duties
 * done by agenda items that take their time: syncs of the log, snapshots, starts. It can be killed, lose its power,
 * stand still, and have a wrong clock. */
#ifndef ZOKOR_SIM_MEMBER_H
#define ZOKOR_SIM_MEMBER_H

#include "core/core.h"
#include "sim/agenda.h"
#include "sim/dice.h"
#include "sim/disk.h"
#include "sim/ghost.h"
#include "sim/net.h"
#include "store/epochs.h"
#include "store/snapshot.h"
#include "store/txnlog.h"

struct cluster;
struct feed;

struct touch {
    int64_t session_id, at_ms;
};

/* How a member ends when a script says so. */
struct member_death {
    struct disk_crash_plan plan; /* what survives a power cut */
    uint64_t operations;         /* of what is being written, that still happen; 0: none */
};

/* How the batch under way goes to the disk. */
enum member_way {
    MEMBER_FLUSHES,     /* through the page cache, when its time has come */
    MEMBER_WRITES_PAST, /* past it, as far as it goes */
    MEMBER_HAS_BEGUN,   /* past it, and it is on its way since the beginning */
};

struct sim_member {
    struct cluster *cluster;
    uint32_t index;
    int64_t sid;
    uint64_t life; /* counts starts; agenda items of an earlier life are stale */
    bool up;
    bool paused;
    bool stopping; /* an error has ended it: killed at the end of the step */
    int64_t resume_us;
    struct member_death death;   /* of a script: how exactly it ends */
    bool rotten;                 /* its disk has been damaged: it need not start */
    bool forgot_sessions;        /* its disk does not tell which ids it has given */
    struct disk *backup;         /* an old copy of its disk, or NULL */
    struct agenda_item *backlog; /* what came while it stood still */
    size_t backlog_count, backlog_cap;
    struct disk *disk;
    struct core *core;
    struct core_out out;
    struct txnlog *log;
    struct dice dice, log_dice;

    /* Clock: monotonic from boot_us of virtual time on, running wrong by drift_ppm. */
    int64_t boot_us, drift_ppm, wall_offset_ms, started_wall_ms;
    int64_t tick_us; /* when the timer that was set goes off; INT64_MAX none */
    uint64_t tick_mark;

    /* The log: what the core has appended and no flush has taken yet. */
    struct core_append *waiting;
    size_t waiting_count, waiting_cap;
    bool flushing;
    enum member_way way;
    size_t flush_count; /* of waiting, that the flush under way covers */
    int64_t appended_zxid, durable_zxid;
    int64_t untold_zxid; /* durable, but not worth an event of its own to the core; 0: none */
    int64_t stalled_until_us;

    struct snapshot_writer *image;
    bool image_open;
    bool image_given_up; /* the tree it was taken from is gone */
    bool image_of_leader;
    struct core_snapshot_fx image_wanted;
    struct buf image_body; /* of the last step */
    bool image_ends, image_aborts;

    /* Of an ensemble. */
    uint32_t next_link;
    bool listens[ZAB_PORT_COUNT]; /* but for the election port, which is always open */
    bool powerless, leads;
    bool oracle_says; /* of a script: 1 stands in the file that tells it whether it may go on alone */
    struct store_epochs epochs, epochs_wanted;
    bool saving_epochs;
    bool truncating, truncate_reload, truncate_again;
    int64_t truncate_zxid;
    struct blob **past; /* the newest transactions of the log, while it is recovered */
    size_t past_count;
    struct feed *feeds; /* of the log on disk to learners */

    struct shadow shadow;
    bool served;        /* before this step */
    int64_t shown_zxid; /* the newest that was told to a client in it */
    int64_t seen_zxid;  /* end of the tree when the ghost looked last */
    uint64_t steps_to_check;

    struct touch *touches; /* when each session was last heard of here, in this life */
    size_t touch_count, touch_cap;
};

void member_new(struct cluster *c, uint32_t index);
void member_free(struct sim_member *m);

bool member_is_up(const struct sim_member *m);
uint64_t member_life(const struct sim_member *m);
/* Time as the member sees it, and the first virtual moment at which its clock shows ms. */
int64_t member_now_ms(const struct sim_member *m);
int64_t member_wall_ms(const struct sim_member *m);

/* Recovers and begins a life; false if the disk did not let it. */
bool member_start(struct sim_member *m);

enum member_end {
    MEMBER_KILLED,   /* what the kernel knows stays */
    MEMBER_POWERLESS /* what was not synced may be lost, in any way */
};
void member_stop(struct sim_member *m, enum member_end end);
/* Its disk has failed it, and it ends itself. The next life may find what the kernel has kept, or only the disk. */
void member_disk_failed(struct sim_member *m);
/* Adds what its life has counted to the coverage. */
void member_count(struct sim_member *m);
void member_pause(struct sim_member *m, int64_t us);
/* Keeps an item for when it goes on. */
void member_keep(struct sim_member *m, struct agenda_item item);
void member_snapshot(struct sim_member *m);
void member_purge(struct sim_member *m);

/* ---- member_damage.c ---- */

/* Would no promise be lost with its disk? */
bool member_may_lose_disk(const struct sim_member *m);
/* A bit of a log or snapshot is another one; the newest file, or one that is so many older. False: there is none. */
bool member_rot(struct sim_member *m, bool log, size_t from_newest, uint64_t bit);
void member_rot_somewhere(struct sim_member *m, struct dice *d);
/* It ends, and its disk is empty. */
void member_wipe(struct sim_member *m);
/* The empty disk alone, of one that is down. */
void member_new_disk(struct sim_member *m);
/* Keeps a copy of its disk; false: there is none to put back. It ends for that. */
void member_back_up(struct sim_member *m);
bool member_restore(struct sim_member *m);

/* Connections of clients. */
bool member_accept(struct sim_member *m, uint32_t cable);
bool member_frame(struct sim_member *m, uint32_t cable, struct slice frame);
void member_conn_lost(struct sim_member *m, uint32_t cable);

/* From the net; false: no more bytes of this link for now. */
bool member_peer_event(struct sim_member *m, struct zab_event ev);
/* It leads or follows, and takes clients. */
bool member_serves(const struct sim_member *m);

/* Happenings of its own. */
void member_epochs_done(struct sim_member *m);
void member_truncated(struct sim_member *m);
void member_feed_read(struct sim_member *m);
void member_tick(struct sim_member *m, uint64_t mark);
void member_log_done(struct sim_member *m);
void member_image(struct sim_member *m);

/* For ghost and oracle: when a session was last heard of by this life of the member; -1 never. */
int64_t member_touched_ms(const struct sim_member *m, int64_t session_id);

#endif
