/* The executor: load → decide → commit, in batches. It owns every aggregate of its store's writer:
 * one thread, one writing handle, one mailbox. A turn takes what waits in the mailbox, loads what
 * the commands name, lets each decide, commits all changes in one durable write, and only then
 * replies. Between turns it pumps the outbox to the bus and turns due wake-ups into commands.
 *
 * A command touches one aggregate. Commands on the same aggregate in one batch see each other's
 * decisions in order. Conflict: load and decide again, EXECUTOR_ATTEMPTS_MAX times. A commit whose
 * answer was lost is found again by its commit id.
 */
#ifndef LORRY_RUNTIME_EXECUTOR_H
#define LORRY_RUNTIME_EXECUTOR_H

#include "base/log.h"
#include "ports/bus.h"
#include "ports/clock.h"
#include "ports/entropy.h"
#include "runtime/aggregate.h"
#include "runtime/call.h"
#include "runtime/peers.h"
#include "runtime/problem.h"
#include "runtime/spans.h"

#define EXECUTOR_ATTEMPTS_MAX 8
#define EXECUTOR_MAILBOX_MAX 16384
#define EXECUTOR_PARKED_MAX 256
#define EXECUTOR_PARK_TIMEOUT_US (INT64_C(5) * 1000000)

struct executor;
struct command;

/* What a pure decision may know beside the state and the command. */
struct decide_ctx {
    int64_t now_us;
    struct rng *rng;         /* ids and choices; replayable */
    struct entropy *entropy; /* what nobody may guess: the machine's, or the seed's */
    struct arena *arena;     /* the command's: what is decided lives there */
};

/* What a decision says. Zeroed before decide; saying nothing means: no change, 204 / success. */
struct decision {
    void *state;          /* the new state (in ctx->arena), NULL: no change */
    bool remove;          /* delete the aggregate */
    struct event *events; /* in ctx->arena; decision_event adds to them */
    int32_t event_count;
    struct response response; /* for whoever waits; status 0 becomes 204 */
    int result;               /* for commands without a call: < 0 asks for redelivery (rare) */
    struct str park_key; /* hold the reply until a decision with this wake_key (or the time-out,
                            then this decision's response is sent) */
    struct str wake_key; /* parked calls with this key get this decision's response */
};

struct command_type {
    const char *name; /* "booking.accept": for metrics and traces */
    const struct aggregate *aggregate;
    /* Optional, executor thread, before decide: gathers into cmd->facts (cmd->arena) what decide
     * needs beside its aggregate: an immutable document, candidates from memory. May set cmd->id.
     * 0; ERR_AGAIN (decide in a later batch); another error fails the command. To answer a client
     * with a problem, put it in cmd->facts and let decide say it. */
    int (*load)(struct command *cmd, struct store *store, int64_t now_us);
    /* Pure. STATE is NULL when there is no such document yet; never change it: copy, then set
     * ret->state. */
    void (*decide)(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                   struct decision *ret);
    /* Optional, executor thread, once the decision is durable (or had nothing to write): update
     * what is kept in memory. STATE is the new state or, unchanged, the old one (NULL if none). */
    void (*applied)(const struct command *cmd, const struct decision *d, const void *state);
    /* Optional: the command will be tried again or has failed after load ran: forget what load
     * reserved. (When a commit whose answer was lost turns out to be there, applied follows after
     * all, without another load.) */
    void (*undone)(const struct command *cmd);
    /* Optional, of a type that creates: "/v1/bookings/". An answer of 201 says with it and the
     * command's id where the new thing is (Location), the first time and whenever its
     * Idempotency-Key is sent again; so the id must follow from the request alone. */
    const char *location;
};

struct command {
    const struct command_type *type;
    void *service;      /* the service's own struct: configuration and memory */
    struct str id;      /* of the aggregate */
    void *args, *facts; /* in arena */
    struct identity who;
    struct str request_id;
    struct traceparent trace;
    struct str dedupe;     /* event commands: effect at most once */
    struct str answer_key; /* Idempotency-Key, with account, method and path; absent: none */
    uint64_t body_hash;
    int64_t if_match; /* version; 0: none; -1: "*" (must exist) */
    bool refusable;   /* a client's: told to come again while too many events wait for the bus */
    bool fresh; /* load's word that there is no such document yet: none is asked for, and the commit
                   finds out (ERR_CONFLICT, and load is called again) */
    struct arena *arena;
    struct executor *executor;
    /* Executor thread, exactly once: RESULT 0 and a response (of a call), or an error: nothing of
     * this command is in the store. The command may be freed in it. */
    void (*finish)(struct command *cmd, int result, struct response *response);
    void *finish_arg;
    /* the executor's own */
    struct decision decision;
    struct store_change change;
    void *old_state;
    struct str lost_commit_id;
    int32_t attempts;
    bool changed, loaded, recalled, doubted;
    bool answered; /* its key has an answer already */
    int outcome;
    struct span *span;         /* of deciding and committing it, NULL: not traced */
    struct command *builds_on; /* the one of the same batch whose change this one saw */
    struct str latest_key;     /* what the batch knows its aggregate by */
    struct command *next;
};

struct executor_options {
    struct store *store; /* the writer; the executor closes it */
    struct bus *bus;
    const struct clock *clock;
    struct entropy *entropy;
    const struct log *log;
    struct peers *peers; /* others that write to the same store; NULL: nobody */
    struct spans *spans; /* what is traced goes there; NULL: nothing is */
    const char *name;    /* in logs and metrics */
    int32_t batch_max;   /* ≤ STORE_BATCH_MAX */
    /* With peers: with so many of its events waiting for the bus, what clients send that would make
     * more is refused (ERR_FULL); 0: OUTBOX_BEHIND_MAX. */
    int32_t behind_max;
};
#define OUTBOX_BEHIND_MAX 20000
struct executor *executor_new(const struct executor_options *o);
void executor_free(struct executor *x); /* after stop */

/* The wake command of a collection: due documents of AGGREGATE get TYPE. Before the first turn. */
void executor_timer(struct executor *x, const struct command_type *type, void *service);

/* FN is called on the executor's thread about once a second, between batches. Before the first
 * turn. */
void executor_ticker(struct executor *x,
                     void (*fn)(void *arg, struct store *writer, int64_t now_us), void *arg);

/* ERR_FULL: answer 503. Any thread. From then on the command is the executor's until finish. */
int executor_submit(struct executor *x, struct command *cmd);
/* A command that nobody waits for, with copies of ID and of the LEN bytes at ARGS (0: none). What
 * becomes of it nobody hears, nor of there being no room for it. Any thread. */
void executor_send(struct executor *x, const struct command_type *type, void *service,
                   struct str id, const void *args, size_t len);
/* One turn on the executor's thread, waiting at most WAIT_US for work. Returns how many commands it
 * took. The simulator calls it with 0. */
int32_t executor_turn(struct executor *x, int64_t wait_us);
/* A thread that turns until stop. */
int executor_start(struct executor *x);
void executor_stop(
    struct executor *x); /* finishes what is in the mailbox, pumps what it can, joins */
/* Has nothing to do: mailbox, retries and outbox are empty. Executor thread. */
bool executor_idle(struct executor *x);

struct executor_stats {
    uint64_t commands, batches, commits, conflicts, duplicates, store_errors, timers,
        events_published, events_confirmed;
    int64_t mailbox_depth, outbox_in_flight, outbox_oldest_us, outbox_behind, parked;
};
void executor_stats(struct executor *x, struct executor_stats *ret); /* any thread */
struct json_parser *executor_parser(struct executor *x);             /* executor thread */
struct store *executor_store(struct executor *x);

/* For decide. The new state: sets its version to the old one's + 1 (1 for a create). */
void decision_state(struct decision *d, const struct command *cmd, const void *old_state,
                    void *new_state);
/* Adds an event; DATA (described by SCHEMA) is written as JSON at once. */
void decision_event(struct decision *d, const struct command *cmd, const struct decide_ctx *ctx,
                    const char *type, struct str key, const struct schema *schema,
                    const void *data);
void decision_json(struct decision *d, int status, struct str json);
void decision_problem(struct decision *d, const struct command *cmd, enum problem p,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));
/* 422 invalid-request of one field, the one at POINTER, and what is wrong with it. */
void decision_invalid(struct decision *d, const struct command *cmd, const char *pointer,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));
/* ETag: "<version>" on the response. */
void decision_etag(struct decision *d, const struct command *cmd, int64_t version);

#endif
