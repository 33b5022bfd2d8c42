/* The roster: what the driver service keeps in memory of each driver it has to do with, so that
 * fixes, maps and dispatch need no store. It is a shadow: everything in it can be read again from
 * the documents, and is at start.
 *
 * Threads: the executor's thread alone finds, makes and changes members. Network threads read the
 * fleet index and, through an item's owner, a member's public part, between roster_lock and
 * roster_unlock; the executor changes both only behind the write lock.
 */
#ifndef LORRY_DRIVER_ROSTER_H
#define LORRY_DRIVER_ROSTER_H

#include "geo/fleet_index.h"
#include "ports/bus.h"
#include "ports/fleet.h"
#include "services/driver/fix.h"
#include "services/driver/types.h"

#include "base/id.h"

#define POSITION_FRESH_US (INT64_C(10) * 60 * 1000000) /* after that nobody is sent to it */
#define ROSTER_IDLE_MAX 100000 /* members off duty that are remembered for their newest fix */

/* Fixes of a driver that the batch in hand will store: [from, until]. */
struct trail_range {
    int64_t from_us, until_us;
    struct trail_range *next;
};

/* What the roster keeps of a driver's document; also how replicas tell each other of it. A C struct
 * as it lies in memory: one that changes gets another topic. */
#define SIGNAL_DRIVER "driver.5"
#define SIGNAL_NAME_BYTES_MAX 400 /* a longer name is cut, on maps only */
/* What dispatch judges him by. */
struct merits {
    int64_t rating_x100, acceptance_percent;
    int64_t load_milli, load_at_us, free_since_us;
    int64_t cash_held; /* minor units; with what he carries, as cash_coming() says */
};
struct signal_driver {
    char driver_id[ID_TEXT_MAX];
    char booking_id[ID_TEXT_MAX]; /* under way; "" none */
    char name[SIGNAL_NAME_BYTES_MAX + 1];
    char next_id[ID_TEXT_MAX];      /* what he is to do after that, or is asked to; "" nothing */
    uint8_t duty, vehicle, claimed; /* enum duty, enum vehicle, 0 or 1 */
    struct capacity capacity;       /* of the vehicle in use */
    int64_t version;
    struct merits merits;
};

/* He is about to finish that booking: there, and then. */
#define SIGNAL_ENDS "ends"
struct signal_ends {
    char driver_id[ID_TEXT_MAX], booking_id[ID_TEXT_MAX];
    struct point at;
    int64_t at_us; /* 0: he is not */
};

struct member {
    /* public: behind the lock */
    char id[ID_TEXT_MAX];
    struct str name;              /* own copy; absent: not known */
    char booking_id[ID_TEXT_MAX]; /* under way; "" none */
    uint8_t duty, vehicle;        /* enum duty, enum vehicle */
    bool claimed, placed;         /* placed: stands in the index */
    char next_id[ID_TEXT_MAX];    /* what comes after that; "" nothing */
    bool ending;                  /* stands in the index of those about to finish */
    char ends_of[ID_TEXT_MAX];    /* the booking that he is about to finish */
    struct point ends_at;         /* … where … */
    int64_t ends_us;              /* … and when, as is thought; 0: he is not, or nobody knows */
    struct capacity capacity;     /* of the vehicle in use */
    struct merits merits;
    /* the executor's */
    int64_t version;  /* of the document this was made from */
    bool known;       /* newest is what the store has, or had … */
    int64_t known_us; /* … at this time: others may write this driver's trail */
    int64_t read_us;  /* when it was last read there: who signals may have missed something, too */
    bool ours;        /* his newest came in here, not to another process */
    int64_t heard_us; /* when the version was last looked at or changed */
    bool has_fix;
    struct fix newest;
    struct trail_range *pending;
    int64_t reserved_until_us; /* some search is about to claim him */
    char reserved_for[ID_TEXT_MAX];
};

struct roster;
/* SHARED: other processes write to the same store, and hear by signals of what this one writes. */
struct roster *roster_new(struct bus *bus, bool shared);
struct roster *roster_free(struct roster *r); /* NULL ok; returns NULL */

/* ---- executor's thread ---- */
struct member *roster_find(struct roster *r, struct str driver_id); /* NULL: not known here */
struct member *roster_meet(struct roster *r, struct str driver_id); /* makes him */
/* His document is now D: copies what it needs, moves him on or off the map. */
void roster_driver(struct roster *r, const struct driver *d);
/* S is how it stands with what he carries; the others are told. */
void roster_ends(struct roster *r, const struct signal_ends *s);
/* Another has said so. */
void roster_heard_ends(struct roster *r, const struct signal_ends *s);
/* What he is about to finish, having nothing next. ERR_NOT_FOUND. Any thread. */
int roster_about_to_finish(struct roster *r, struct str driver_id, struct signal_ends *ret);
/* F is durable: if it is his newest it becomes his position. */
void roster_fix(struct roster *r, struct member *m, const struct fix *f);
/* The same where it is no news to others: read from the store, or heard from them. No signals. */
struct member *roster_found(struct roster *r, const struct driver *d);
void roster_heard(struct roster *r, const struct signal_driver *d);
void roster_heard_position(struct roster *r, const struct signal_position *s, int64_t now_us);
void roster_found_fix(struct roster *r, struct member *m, const struct fix *f);
struct signal_position roster_signal(const struct member *m); /* as it would be signalled */
/* Calls EACH for every member on duty or claimed. It may change him, but make no new one. */
void roster_each_live(struct roster *r, void (*each)(void *arg, struct member *m), void *arg);
/* For reading on the executor's thread without the lock, or behind it. The second: those about to
 * finish what they carry and with nothing next, where that will be; an item's time is when. */
const struct fleet_index *roster_index(const struct roster *r);
const struct fleet_index *roster_ending(const struct roster *r);
/* Forgets members off duty when there are more than MAX of them. */
void roster_trim(struct roster *r, size_t max);

/* ---- any thread ---- */
const struct fleet_index *roster_lock(struct roster *r);
void roster_unlock(struct roster *r);
/* ERR_NOT_FOUND: not on duty, or never seen. */
int roster_position(struct roster *r, struct str driver_id, struct fleet_position *ret);
struct roster_counts {
    int64_t on, busy, members;
};
struct roster_counts roster_counts(const struct roster *r);

static inline struct fleet_position fleet_position_of(const struct fleet_item *i) {
    return (struct fleet_position){i->at, i->bearing_deg, i->speed_cmps, i->at_us};
}

#endif
