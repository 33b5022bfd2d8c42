/* What leaves the house: a delivery is one message to one receiver over one channel, a document of
 * its own. It says what is to be sent, how often that was tried, and when it is tried next; its
 * wake-up sends it. Nothing of it is kept in memory but how many are under way.
 *
 *   delivery.c   the aggregate and its decisions: new, begin, result, again; pure
 *   outbound.c   begun deliveries to their ports, results back as commands
 *   slots.c      how many may be under way to one receiver
 *   words.c      templates
 *
 * A try is begun by a commit, then handed to the port, and its result is a commit again. Who hears
 * no result for DELIVERY_LEASE_US (the process died) tries again: at least once, with an id that
 * follows from the event, so that a repeat can be recognised.
 */
#ifndef LORRY_SERVICES_NOTIFICATION_DELIVERY_H
#define LORRY_SERVICES_NOTIFICATION_DELIVERY_H

#include "base/id.h"
#include "base/map.h"
#include "base/timestamp.h"
#include "services/notification/notification_service.h"

#include <pthread.h>

#define DELIVERY_LEASE_US (INT64_C(180) * US_PER_S) /* more than any port takes for one */
#define DELIVERY_TRIES_KEPT_MAX 20                  /* in its log: the newest */
#define DELIVERY_DETAIL_MAX 240
#define DELIVERY_EXCERPT_MAX 500
#define DELIVERY_KEEP_US (30 * US_PER_DAY)
#define DELIVERIES_PRUNED_MAX 500 /* in one tick */
#define MAIL_TRY_MAX 12
#define MAIL_KEEP_TRYING_US (2 * US_PER_DAY)

enum delivery_channel {
    CHANNEL_NONE,
    CHANNEL_EMAIL,
    CHANNEL_WEBHOOK,
    CHANNEL_MESSAGE,
    CHANNEL_COUNT
};
extern const char *const delivery_channel_names[];
enum delivery_state { DELIVERY_NONE, DELIVERY_PENDING, DELIVERY_SENT, DELIVERY_DEAD };
extern const char *const delivery_state_names[];

struct webhook;
struct delivery_try {
    int64_t at_us, status, latency_ms;
    struct str detail;  /* what was wrong; absent: nothing */
    struct str excerpt; /* of the answer; absent: none */
};
struct delivery {
    struct aggregate_head head; /* "dlv_…", from the event's id and the receiver */
    int32_t channel, state;
    struct str event_id, kind; /* kind: the template */
    struct str user_id, to;
    struct str endpoint_id, payload;                /* of a webhook: whose, and the body */
    struct str language, name, code, link, booking; /* what the template is filled with … */
    struct str when;                                /* … times in the receiver's zone … */
    int64_t from_us, to_us;                         /* … of WHEN, until it is written; not kept */
    struct str document, reason;                    /* … and of a driver's notices */
    int64_t created_us, expires_us;                 /* not begun after it */
    int64_t next_us;                                /* PENDING: when it is tried */
    int64_t begun_us;                               /* of the try under way; 0: none */
    int64_t done_us;                                /* when it was sent, or given up */
    int64_t tries;                                  /* that were begun … */
    int64_t base;                                   /* … before it was last sent off by hand */
    struct delivery_try *log;
    int32_t log_count;
};
extern const struct aggregate delivery_aggregate;
extern const struct store_collection delivery_collection;
extern const struct command_type delivery_wake;

/* The id of the delivery of EVENT_ID to RECEIVER: the same whenever it is asked for, and beginning
 * with the event's time. */
struct str delivery_id(struct arena *a, struct str event_id, struct str receiver);
/* Of an event: D is to be sent, unless it is there already. D and all in it live in the turn's
 * arena; its head, state, tries and next_us are set here. */
void delivery_add(struct event_turn *t, struct delivery *d);
/* For decide: D is to be sent from NOW on, whatever has become of it. */
void delivery_begin_life(struct delivery *d, int64_t now_us);

/* ---- slots.c ---- */

#define SLOT_KEY_MAX 40
#define SLOT_POSTPONE_MAX_US (INT64_C(600) * US_PER_S)
struct slots {
    pthread_mutex_t lock;
    struct map by_key;
};
void slots_init(struct slots *l);
void slots_free(struct slots *l);
/* 0: one more is under way on the slot KEY, which carries MAX at once. Otherwise when to come
 * again: each who comes too early is given a later time, so that a queue of thousands is not asked
 * for every second. Any thread. */
int64_t slots_take(struct slots *l, struct str key, int32_t max, int64_t now_us);
/* LATENCY_US: how long it took; SLOT_NOT_USED: nothing was begun, which says nothing of that. */
#define SLOT_NOT_USED INT64_C(-1)
void slots_give(struct slots *l, struct str key, int64_t latency_us, int64_t now_us);

/* ---- outbound.c ---- */

struct outbound {
    struct slots slots;
    struct executor *executor; /* where results go */
    _Atomic bool stopping;     /* nothing more is begun */
    _Atomic int32_t under_way;
    _Atomic uint64_t begun, sent, later, dead, dropped;
    _Atomic int64_t oldest_us; /* of those that wait: when it was made; 0: none waits */
    int64_t looked_us;         /* executor thread */
};
void outbound_init(struct outbound *o);
void outbound_free(struct outbound *o);
/* What decide must know of the world to begin D. */
struct delivery_facts {
    bool taken;                     /* a place is reserved */
    int64_t again_us;               /* else: when to come again */
    const struct webhook *endpoint; /* of a webhook's; NULL: it is gone, or disabled */
};
void outbound_reserve(struct notification_service *n, const struct delivery *d, int64_t now_us,
                      struct delivery_facts *ret);
void outbound_release(struct notification_service *n, const struct delivery *d, int64_t now_us);
/* Executor thread: the try that D has begun, on its way. */
void outbound_send(struct notification_service *n, const struct delivery *d,
                   const struct webhook *endpoint);
void outbound_tick(struct notification_service *n, struct store *writer, int64_t now_us);
void outbound_metrics(struct notification_service *n, struct buf *out);
void on_mail_wanted(struct event_turn *t, const void *data);

/* What a port has said, for delivery_result. */
struct delivery_outcome {
    int64_t tries; /* of the try that it is about */
    enum mail_result result;
    bool gone; /* the receiver wants no more */
    int64_t status, latency_ms;
    struct str detail, excerpt;
};
extern const struct command_type delivery_result;

/* ---- words.c ---- */

struct words {
    struct str subject, text, html;
};
/* D's message in its language, in A. ERR_NOT_FOUND: there is no such template. */
int words_of(const struct delivery *d, struct arena *a, struct words *ret);
bool words_exist(struct str kind);
/* The nearest of the languages that there are templates in, by its tag ("sv-FI" → "sv"). */
struct str words_language(struct str tag);

#endif
