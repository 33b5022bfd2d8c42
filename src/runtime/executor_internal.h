/* What the parts of the executor share: the batch (executor.c), the look for lost commits
 * (lost.c), the outbox pump (outbox.c) and parked replies (parked.c). Executor thread only, but for
 * the mailbox and the atomic counters.
 */
#ifndef LORRY_RUNTIME_EXECUTOR_INTERNAL_H
#define LORRY_RUNTIME_EXECUTOR_INTERNAL_H

#include "base/mailbox.h"
#include "base/map.h"
#include "base/rng.h"
#include "runtime/executor.h"

#include <pthread.h>
#include <stdatomic.h>

#define OUTBOX_IN_FLIGHT_MAX 1024
#define OUTBOX_PAGE_MAX 128
#define OUTBOX_CONFIRMED_MAX 4096
#define OUTBOX_POLL_US (INT64_C(1) * 1000000) /* rows that another process wrote */
#define OUTBOX_FLUSH_US (INT64_C(50) * 1000)  /* how long confirmed rows may wait for a commit */
#define OUTBOX_RETRY_US (INT64_C(100) * 1000)
#define TIMER_POLL_US (INT64_C(25) * 1000)
/* Where several look for the same wake-ups each does so more seldom, and at moments of its own, so
 * that mostly one of them has done it when the next one looks. */
#define TIMER_SHARED_MIN_US (INT64_C(70) * 1000)
#define TIMER_SHARED_MAX_US (INT64_C(130) * 1000)
#define TICK_US (INT64_C(1) * 1000000)
#define TIMER_REST_US                                                                              \
    (INT64_C(1) * 1000000) /* of a source with a document that cannot be woken                     \
                            */
#define TIMERS_MAX 24
#define TIMER_PAGE_MAX 128

/* What prepare and settle say of a command (cmd->outcome is 0, an error, or one of these). */
enum {
    OUTCOME_AGAIN = 1, /* to be decided in a later batch */
    OUTCOME_UNSEEN = 2 /* the store could not be asked about its lost commit: ask again */
};

struct outbox_row {
    int64_t seq, at_us;
    struct span *span; /* of publishing it; NULL: not traced. The row's */
};

/* Events that the bus has, and has not confirmed. Unordered: one that is stuck holds up no other.
 */
struct outbox {
    int64_t pumped_seq; /* everything up to here was published once since the start */
    struct outbox_row in_flight[OUTBOX_IN_FLIGHT_MAX];
    int32_t in_flight_count;
    struct outbox_row again[OUTBOX_IN_FLIGHT_MAX]; /* refused by the bus: publish again */
    int32_t again_count;
    int64_t again_at_us;
    int64_t confirmed[OUTBOX_CONFIRMED_MAX]; /* leave the store with the next commit */
    int32_t confirmed_count;
    int64_t confirmed_since_us, next_poll_us;
    int64_t held_us; /* when the first row beyond pumped_seq was made that the bus did not take; 0:
                        none */
    int64_t behind;  /* committed and not confirmed, about */
    bool dirty;      /* there may be rows beyond pumped_seq */
};

struct parked_call {
    struct command *cmd;
    int64_t deadline_us;
};

struct timer_source {
    const struct command_type *wake;
    void *service;
    int32_t waiting; /* commands of it that are not finished: it is not asked again before */
    int64_t rest_until_us;
};

struct executor {
    struct executor_options o;
    struct mailbox *mailbox;
    struct command *first, *last; /* commands that go before the mailbox: retries, events, timers */
    struct command *again, **again_last; /* of the batch being settled: to be decided again */
    struct json_parser *parser;
    struct rng rng;
    struct arena batch_arena;
    struct map latest; /* collection + id → the command of this batch that changed it last */
    struct map keys;   /* idempotency or dedupe key → command of this batch */
    int32_t unseen;    /* commands of the last batch whose lost commit could not be looked for */
    struct command **batch;
    int32_t batch_count;
    struct store_change *changes;
    struct timer_source timers[TIMERS_MAX];
    int32_t timer_count;
    int64_t next_timer_us;
    void (*tick)(void *arg, struct store *writer, int64_t now_us);
    void *tick_arg;
    int64_t next_tick_us, turn_at_us; /* turn_at_us: the clock at the last turn */
    struct outbox outbox;
    struct parked_call parked[EXECUTOR_PARKED_MAX];
    int32_t parked_count;
    pthread_t thread;
    bool threaded;
    _Atomic bool stopping;
    struct {
        _Atomic uint64_t commands, batches, commits, conflicts, duplicates, store_errors, timers,
            published, confirmed;
        _Atomic int64_t in_flight, oldest_us, behind, parked;
    } stats;
};

void executor_enqueue(struct executor *x, struct command *cmd); /* executor thread */
bool executor_transient(int err); /* an error that may be gone the next time */

struct str executor_latest_key(struct executor *x, const struct command *cmd); /* in `latest` */

/* lost.c */
void executor_recall(struct executor *x, struct command *cmd); /* sets cmd->recalled if settled */
/* The commit of CMD has no answer: notes what is needed to find it. What was decided still counts
 * when it is found, so the state, which may lean on other commands' memory, is made anew in CMD's.
 */
void executor_keep_lost(struct executor *x, struct command *cmd);

/* outbox.c */
void outbox_pump(struct executor *x, int64_t now_us);
void outbox_removed(struct executor *x,
                    int32_t count); /* the first COUNT confirmed rows are gone */
bool outbox_idle(const struct executor *x);
void outbox_free(struct executor *x);

/* parked.c */
bool parked_hold(struct executor *x, struct command *cmd, int64_t now_us); /* false: no room */
void parked_wake(struct executor *x, struct str key, const struct response *response);
void parked_listen(struct executor *x); /* for those that others wake */
void parked_expire(struct executor *x, int64_t now_us, bool all);

#endif
