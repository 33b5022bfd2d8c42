/* The executor alone: jobs on tallies, over a store and a bus that fail on demand. Every job's
 * memory is given back the moment it is finished, so that under ASan nobody leans on it later.
 *
 * The oracle of all tests: a tally is worth exactly the sum of the jobs that were told "done", and
 * memory, which follows by load, applied and undone, says the same and holds no reservation.
 */
#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "testing/house.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TALLIES 4

/* ---- the service: tallies ---- */

struct tally {
    struct aggregate_head head;
    int64_t value, alarm_at_us;
    struct str note;
};
static const struct schema_field tally_fields[] = {
    {"value", S_I64, S_STORE, offsetof(struct tally, value)},
    {"alarm_at", S_TIME, S_STORE, offsetof(struct tally, alarm_at_us)},
    {"note", S_STR, S_STORE, offsetof(struct tally, note)},
};
static const struct schema tally_schema = SCHEMA(struct tally, "Tally", tally_fields);
static const struct store_collection tallies = {"tallies", .timers = true};
static int64_t tally_wake(const void *state) {
    return ((const struct tally *)state)->alarm_at_us;
}
static const struct aggregate tally_aggregate = {&tallies, &tally_schema, NULL, tally_wake};

struct memory {
    int64_t value[TALLIES], version[TALLIES];
    const struct command *holder[TALLIES]; /* who has reserved it */
    int undone, alarms, split_failures;
    struct store *twin; /* another process's: it carries out the next "add" first */
};

struct add_args {
    int64_t by, alarm_at_us;
    bool exclusive;   /* reserves its tally until it is applied or undone */
    bool remove;      /* the tally goes */
    bool park;        /* the answer waits for a wake of "gate" */
    bool wake_note;   /* wakes whoever waits for what the note was before */
    bool only_look;   /* changes nothing */
    bool only_new;    /* is refused where there is a tally already */
    bool raw_event;   /* sends an event whose data nobody can read */
    bool events;      /* sends "tally.added" */
    struct str split; /* sends "tally.split" */
};

static int index_of(struct str id) {
    return id.p[0] - 'a';
}

/* The same request at another process, which was a moment faster. */
static void twin_adds(struct memory *m, const struct command *cmd, int64_t now_us) {
    const struct store_answer answer = {.key = cmd->answer_key,
                                        .body_hash = cmd->body_hash,
                                        .status = 200,
                                        .body = STR("{\"by\":\"the twin\"}"),
                                        .at_us = now_us};
    struct store_change change = {.collection = &tallies,
                                  .id = cmd->id,
                                  .commit_id = STR("cmt_twin"),
                                  .state = STR("{\"value\":1,\"note\":\"gate\"}"),
                                  .at_us = now_us,
                                  .answer = &answer};
    assert_int_equal(m->twin->ops->commit(m->twin, &change, 1, NULL, 0), 0);
    assert_int_equal(change.result, 0);
    m->twin = NULL;
}

static int add_load(struct command *cmd, struct store *store, int64_t now_us) {
    (void)store;
    struct memory *m = cmd->service;
    const struct add_args *args = cmd->args;
    if (m->twin != NULL)
        twin_adds(m, cmd, now_us);
    if (!args->exclusive)
        return 0;
    if (m->holder[index_of(cmd->id)] != NULL)
        return ERR_AGAIN;
    m->holder[index_of(cmd->id)] = cmd;
    return 0;
}

static void let_go(const struct command *cmd) {
    struct memory *m = cmd->service;
    if (m->holder[index_of(cmd->id)] == cmd)
        m->holder[index_of(cmd->id)] = NULL;
}

struct added {
    int64_t by;
    struct str note;
};
static const struct schema_field added_fields[] = {
    {"by", S_I64, S_REQUIRED | S_STORE, offsetof(struct added, by)},
    {"note", S_STR, S_STORE, offsetof(struct added, note)},
};
static const struct schema added_schema = SCHEMA(struct added, "Added", added_fields);

static void add_events(const struct command *cmd, const struct decide_ctx *ctx,
                       struct decision *ret) {
    const struct add_args *args = cmd->args;
    const struct added data = {args->by, args->split};
    if (args->events)
        decision_event(ret, cmd, ctx, "tally.added", cmd->id, &added_schema, &data);
    if (args->split.p != NULL)
        decision_event(ret, cmd, ctx, "tally.split", cmd->id, &added_schema, &data);
    if (args->raw_event) {
        decision_event(ret, cmd, ctx, "tally.split", cmd->id, &added_schema, &data);
        ret->events[ret->event_count - 1].data = STR("{\"by\":\"many\"}");
    }
}

static void add_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *old,
                       struct decision *ret) {
    const struct add_args *args = cmd->args;
    const struct tally *before = old;
    ret->response.status = 200;
    if (args->only_new && before != NULL) {
        ret->response.status = 409;
        return;
    }
    if (args->park)
        ret->park_key = STR("gate");
    if (args->wake_note && before != NULL)
        ret->wake_key = before->note;
    if (args->only_look)
        return;
    ret->remove = args->remove;
    if (args->remove)
        return;
    struct tally *next = arena_new(ctx->arena, struct tally);
    if (before != NULL)
        *next = *before;
    next->value += args->by;
    next->alarm_at_us = args->alarm_at_us;
    if (next->note.p == NULL || args->by != 1) /* else it stays where the one before has it */
        next->note = arena_printf(ctx->arena, "gate");
    decision_state(ret, cmd, old, next);
    add_events(cmd, ctx, ret);
}

/* Memory follows, one version after the other. */
static void follow(const struct command *cmd, const struct decision *d, const void *state) {
    struct memory *m = cmd->service;
    int i = index_of(cmd->id);
    let_go(cmd);
    if (d->remove) {
        m->value[i] = m->version[i] = 0;
        return;
    }
    const struct tally *t = state;
    if (d->state == NULL)
        return;
    assert_int_equal(t->head.version, m->version[i] + 1);
    assert_true(str_is(t->note, "gate"));
    m->version[i] = t->head.version;
    m->value[i] = t->value;
}
static void undo(const struct command *cmd) {
    let_go(cmd);
    ((struct memory *)cmd->service)->undone++;
}
static const struct command_type add_type = {"tally.add", &tally_aggregate, add_load,
                                             add_decide,  follow,           undo};

static void alarm_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *old,
                         struct decision *ret) {
    const struct tally *before = old;
    if (before == NULL || before->alarm_at_us == 0 || before->alarm_at_us > ctx->now_us)
        return;
    ((struct memory *)cmd->service)->alarms++; /* counts decisions, not effects */
    struct tally *next = arena_copy(ctx->arena, before, sizeof(*before));
    next->alarm_at_us = 0;
    next->value += 1000;
    decision_state(ret, cmd, old, next);
}
static const struct command_type alarm_type = {
    "tally.alarm", &tally_aggregate, NULL, alarm_decide, NULL, NULL};

/* An event that adds to three tallies; the second does not go the first two times. */
static int split_load(struct command *cmd, struct store *store, int64_t now_us) {
    (void)store;
    (void)now_us;
    struct memory *m = cmd->service;
    return index_of(cmd->id) == 1 && m->split_failures-- > 0 ? ERR_IO : 0;
}
static const struct command_type split_type = {"tally.split", &tally_aggregate, split_load,
                                               add_decide,    follow,           undo};
static void on_split(struct event_turn *t, const void *data) {
    const struct added *added = data;
    for (size_t i = 0; i < added->note.len; i++) {
        struct add_args *args = arena_new(t->arena, struct add_args);
        args->by = added->by;
        event_command(t, &split_type, str_sub(added->note, i, 1), args);
    }
}

static const struct event_entry events[] = {{"tally.split", &added_schema, on_split}};
static const struct command_type *const timers[] = {&alarm_type, NULL};
static const struct store_collection *const collections[] = {&tallies, NULL};
static const struct service_def def = {.name = "tally",
                                       .events = events,
                                       .event_count = COUNT_OF(events),
                                       .timers = timers,
                                       .collections = collections};

/* ---- jobs ---- */

enum { WAITING = 1 };
struct job {
    int result; /* WAITING, 0 or an error */
    int status; /* of the response */
    struct command *cmd;
    struct arena arena;
};

static void job_finish(struct command *cmd, int result, struct response *response) {
    struct job *job = cmd->finish_arg;
    assert_int_equal(job->result, WAITING);
    job->result = result;
    job->status = response->status;
    arena_free(&job->arena);
}

static struct command *job_command(struct house *h, struct memory *m, struct job *job,
                                   const char *id, const struct add_args *args) {
    (void)h;
    *job = (struct job){.result = WAITING};
    arena_init(&job->arena, 512);
    struct command *cmd = arena_new(&job->arena, struct command);
    cmd->type = &add_type;
    cmd->service = m;
    cmd->id = arena_str(&job->arena, str_from(id));
    cmd->args = arena_copy(&job->arena, args, sizeof(*args));
    cmd->arena = &job->arena;
    cmd->finish = job_finish;
    cmd->finish_arg = job;
    job->cmd = cmd;
    return cmd;
}
static int submit(struct house *h, struct memory *m, struct job *job, const char *id,
                  const struct add_args *args) {
    return executor_submit(h->executor, job_command(h, m, job, id, args));
}
static void begin(struct house *h, struct memory *m, struct job *job, const char *id,
                  const struct add_args *args) {
    assert_int_equal(submit(h, m, job, id, args), 0);
}

static struct house *open_house(uint64_t seed, struct memory *m) {
    struct house *h = house_new(seed);
    *m = (struct memory){0};
    house_open(h, &(struct service){&def, m}, 1);
    return h;
}

/* The value in the store; 0 when there is none. */
static int64_t stored(struct house *h, const char *id, int64_t *ret_version) {
    struct arena a;
    void *state;
    arena_init(&a, 1024);
    int err = aggregate_get(&tally_aggregate, h->worker.reader, h->worker.parser, str_from(id), &a,
                            &state);
    const struct tally *t = err == 0 ? state : NULL;
    int64_t value = t != NULL ? t->value : 0;
    if (ret_version != NULL)
        *ret_version = t != NULL ? t->head.version : 0;
    arena_free(&a);
    return value;
}

static void assert_memory_agrees(struct house *h, const struct memory *m) {
    static const char *const ids[TALLIES] = {"a", "b", "c", "d"};
    for (int i = 0; i < TALLIES; i++) {
        int64_t version;
        int64_t value = stored(h, ids[i], &version);
        assert_int_equal(m->value[i], value);
        assert_int_equal(m->version[i], version);
        assert_null(m->holder[i]);
    }
}

/* ---- commits that fail ---- */

/* Every fault there is, reads included: told "done" is there once, told an error is not there. */
static void run_faulty(uint64_t seed) {
    enum { JOBS = 40 };
    static const char *const ids[] = {"a", "b", "c"};
    static struct job jobs[JOBS];
    struct memory m;
    struct house *h = open_house(seed, &m);
    h->faults = (struct memory_store_faults){.rng = &h->rng,
                                             .busy = 0.03,
                                             .io = 0.03,
                                             .conflict = 0.05,
                                             .unknown_committed = 0.15,
                                             .unknown_lost = 0.1,
                                             .doubt = 0.1,
                                             .read_busy = 0.25};
    int on[JOBS];
    bool adds[JOBS];
    for (int i = 0; i < JOBS; i++) {
        on[i] = (int)rng_below(&h->rng, COUNT_OF(ids));
        adds[i] = rng_unit(&h->rng) < 0.9;
        begin(h, &m, &jobs[i], ids[on[i]],
              &(struct add_args){.by = 1,
                                 .exclusive = rng_unit(&h->rng) < 0.2,
                                 .wake_note = rng_unit(&h->rng) < 0.2,
                                 .only_look = !adds[i]});
        if (rng_unit(&h->rng) < 0.2)
            executor_turn(h->executor, 0);
    }
    house_settle(h);
    h->faults = (struct memory_store_faults){.rng = &h->rng};
    house_settle(h);
    int64_t done[COUNT_OF(ids)] = {0};
    for (int i = 0; i < JOBS; i++) {
        assert_int_not_equal(jobs[i].result, WAITING);
        assert_int_not_equal(jobs[i].result, ERR_UNKNOWN);
        done[on[i]] += adds[i] && jobs[i].result == 0;
    }
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        assert_int_equal(stored(h, ids[i], NULL), done[i]);
    assert_memory_agrees(h, &m);
    house_free(h);
}
static void test_exactly_once(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++)
        run_faulty(seed);
}

/* Who built on a change that failed is decided again, or fails with it, and memory never moved. */
static void test_builds_on_failed(void **state) {
    (void)state;
    struct memory m;
    struct house *h = open_house(1, &m);
    struct job jobs[3], look, other;
    h->faults.conflict = 1;
    for (int i = 0; i < 3; i++)
        begin(h, &m, &jobs[i], "a", &(struct add_args){.by = 1});
    executor_turn(h->executor, 0);
    assert_int_equal(m.undone, 3);
    assert_int_equal(m.version[0], 0);
    h->faults.conflict = 0;
    house_settle(h);
    for (int i = 0; i < 3; i++)
        assert_int_equal(jobs[i].result, 0);
    assert_int_equal(stored(h, "a", NULL), 3);
    /* a look at what was not written is no answer; a look at something else is */
    h->faults.busy = 1;
    begin(h, &m, &jobs[0], "a", &(struct add_args){.by = 1});
    begin(h, &m, &look, "a", &(struct add_args){.only_look = true});
    begin(h, &m, &other, "b", &(struct add_args){.only_look = true});
    house_settle(h);
    assert_int_equal(jobs[0].result, ERR_BUSY);
    assert_int_equal(look.result, ERR_BUSY);
    assert_int_equal(other.result, 0);
    h->faults.busy = 0;
    assert_memory_agrees(h, &m);
    house_free(h);
}

/* What load knows to be new is not asked for; if it is there after all, the commit says so. */
static void test_fresh(void **state) {
    (void)state;
    struct memory m;
    struct house *h = open_house(1, &m);
    struct job job;
    for (int i = 0; i < 2; i++) {
        h->faults.read_busy = 1 - i;
        struct command *cmd = job_command(h, &m, &job, "a", &(struct add_args){.by = 7});
        cmd->fresh = true;
        assert_int_equal(executor_submit(h->executor, cmd), 0);
        house_settle(h);
        assert_int_equal(job.result, i == 0 ? 0 : ERR_CONFLICT);
        assert_int_equal(m.undone, i * EXECUTOR_ATTEMPTS_MAX);
        assert_int_equal(stored(h, "a", NULL), 7);
    }
    assert_memory_agrees(h, &m);
    house_free(h);
}

static void test_attempts_end(void **state) {
    (void)state;
    struct memory m;
    struct house *h = open_house(2, &m);
    struct job job;
    h->faults.conflict = 1;
    begin(h, &m, &job, "a", &(struct add_args){.by = 1, .exclusive = true});
    house_settle(h);
    assert_int_equal(job.result, ERR_CONFLICT);
    assert_int_equal(m.undone, EXECUTOR_ATTEMPTS_MAX);
    h->faults = (struct memory_store_faults){.unknown_lost = 1, .rng = &h->rng};
    begin(h, &m, &job, "a", &(struct add_args){.by = 1, .exclusive = true});
    house_settle(h);
    assert_int_equal(job.result, ERR_UNAVAILABLE); /* it was looked for, and is not there */
    h->faults = (struct memory_store_faults){.unknown_committed = 1, .rng = &h->rng};
    begin(h, &m, &job, "a", &(struct add_args){.by = 1, .exclusive = true});
    house_settle(h);
    assert_int_equal(job.result, 0);
    begin(h, &m, &job, "a", &(struct add_args){.remove = true});
    house_settle(h);
    assert_int_equal(job.result, 0); /* not there any more: that was us */
    assert_memory_agrees(h, &m);
    house_free(h);
}

/* Between a write whose answer was lost and the look for it no other may wipe out its trace,
 * however long the store cannot be read. */
static void test_lost_then_blind(void **state) {
    (void)state;
    struct memory m;
    struct house *h = open_house(3, &m);
    struct job first, second, third;
    h->faults.unknown_committed = 1;
    begin(h, &m, &first, "a", &(struct add_args){.by = 1});
    begin(h, &m, &second, "a", &(struct add_args){.by = 1});
    executor_turn(h->executor, 0);
    h->faults.unknown_committed = 0;
    h->faults.read_busy = 1;
    begin(h, &m, &third, "a", &(struct add_args){.by = 1});
    for (int i = 0; i < 50; i++)
        executor_turn(h->executor, 0);
    assert_int_equal(first.result, WAITING);
    assert_int_equal(third.result, WAITING);
    h->faults.read_busy = 0;
    house_settle(h);
    assert_true(first.result == 0 && second.result == 0 && third.result == 0);
    assert_int_equal(stored(h, "a", NULL), 3);
    assert_memory_agrees(h, &m);
    house_free(h);
}

/* ERR_AGAIN is patience, not an attempt: as many batches as it takes. */
static void test_again(void **state) {
    (void)state;
    enum { JOBS = 5 * EXECUTOR_ATTEMPTS_MAX };
    struct memory m;
    struct house *h = open_house(4, &m);
    static struct job jobs[JOBS];
    for (int i = 0; i < JOBS; i++)
        begin(h, &m, &jobs[i], "a", &(struct add_args){.by = 1, .exclusive = true});
    house_settle(h);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(jobs[i].result, 0);
    assert_int_equal(stored(h, "a", NULL), JOBS);
    assert_memory_agrees(h, &m);
    house_free(h);
}

/* ---- waiting ---- */

static void test_mailbox_full(void **state) {
    (void)state;
    struct memory m;
    struct house *h = open_house(5, &m);
    struct job *jobs = xcalloc(EXECUTOR_MAILBOX_MAX + 1, sizeof(*jobs));
    const struct add_args look = {.only_look = true};
    for (int i = 0; i < EXECUTOR_MAILBOX_MAX; i++)
        begin(h, &m, &jobs[i], "a", &look);
    struct job *over = &jobs[EXECUTOR_MAILBOX_MAX];
    assert_int_equal(submit(h, &m, over, "a", &look), ERR_FULL);
    assert_int_equal(over->result, WAITING); /* still the sender's */
    arena_free(&over->arena);
    house_settle(h);
    for (int i = 0; i < EXECUTOR_MAILBOX_MAX; i++)
        assert_int_equal(jobs[i].result, 0);
    free(jobs);
    house_free(h);
}

/* More than may be parked are answered at once; a wake, or the end, answers the others. */
static void test_parked_max(void **state) {
    (void)state;
    enum { MORE = 5, HALF = EXECUTOR_PARKED_MAX / 2 };
    struct memory m;
    struct house *h = open_house(6, &m);
    static struct job jobs[EXECUTOR_PARKED_MAX + MORE];
    for (int i = 0; i < EXECUTOR_PARKED_MAX + MORE; i++)
        begin(h, &m, &jobs[i], "a", &(struct add_args){.by = 2, .park = true});
    house_settle(h);
    for (int i = 0; i < EXECUTOR_PARKED_MAX + MORE; i++)
        assert_int_equal(jobs[i].result, i < EXECUTOR_PARKED_MAX ? WAITING : 0);
    struct job waker;
    begin(h, &m, &waker, "a", &(struct add_args){.by = 1, .wake_note = true});
    house_settle(h);
    for (int i = 0; i < EXECUTOR_PARKED_MAX; i++)
        assert_int_equal(jobs[i].result, 0);
    for (int i = 0; i < HALF; i++)
        begin(h, &m, &jobs[i], "a", &(struct add_args){.by = 2, .park = true});
    house_settle(h);
    assert_int_equal(jobs[0].result, WAITING);
    executor_stop(h->executor);
    for (int i = 0; i < HALF; i++)
        assert_true(jobs[i].result == 0 && jobs[i].status == 200);
    house_free(h);
}

/* A wake key taken from the state lies with whoever wrote that, and he is answered first. */
static void test_wake_key_is_kept(void **state) {
    (void)state;
    struct memory m;
    struct house *h = open_house(7, &m);
    struct job parked, writer, waker;
    begin(h, &m, &parked, "b", &(struct add_args){.by = 2, .park = true});
    house_settle(h);
    begin(h, &m, &writer, "a", &(struct add_args){.by = 2});
    begin(h, &m, &waker, "a", &(struct add_args){.by = 1, .wake_note = true});
    house_settle(h);
    assert_true(parked.result == 0 && writer.result == 0 && waker.result == 0);
    house_free(h);
}

/* ---- timers ---- */

static void test_timers_wait_for_the_store(void **state) {
    (void)state;
    struct memory m;
    struct house *h = open_house(8, &m);
    struct job job;
    begin(h, &m, &job, "a", &(struct add_args){.by = 1, .alarm_at_us = h->now_us + 10 * US_PER_S});
    house_settle(h);
    h->faults.read_busy = 1;
    house_advance(h, 20 * US_PER_S);
    h->faults = (struct memory_store_faults){.busy = 1, .rng = &h->rng};
    house_advance(h, 20 * US_PER_S);
    assert_true(m.alarms > 1);
    h->faults.busy = 0;
    house_advance(h, US_PER_S);
    assert_int_equal(stored(h, "a", NULL), 1001);
    house_free(h);
}

/* An operator, or NTP, sets the clock a day back: what comes due then does not wait for a day. */
static void test_clock_put_back(void **state) {
    (void)state;
    struct memory m;
    struct house *h = open_house(8, &m);
    struct job job;
    house_advance(h, US_PER_S);
    h->now_us -= US_PER_DAY;
    begin(h, &m, &job, "a", &(struct add_args){.by = 1, .alarm_at_us = h->now_us + 10 * US_PER_S});
    house_settle(h);
    house_advance(h, 20 * US_PER_S);
    assert_int_equal(stored(h, "a", NULL), 1001);
    house_free(h);
}

/* However many are due, and however slow the batches: none waits twice. */
static void test_timers_once_each(void **state) {
    (void)state;
    enum { DUE = 500 };
    struct memory m;
    struct house *h = open_house(9, &m);
    struct arena a;
    arena_init(&a, 65536);
    struct store *writer = executor_store(h->executor);
    for (int i = 0; i < DUE; i++) {
        struct store_change change = {.collection = &tallies,
                                      .id = arena_printf(&a, "x%03d", i),
                                      .state = STR("{\"value\":0,\"alarm_at\":"
                                                   "\"2020-01-01T00:00:00Z\"}"),
                                      .wake_at_us = 1,
                                      .commit_id = STR("made")};
        assert_int_equal(writer->ops->commit(writer, &change, 1, NULL, 0), 0);
    }
    struct executor_stats stats;
    int32_t taken = 0;
    for (int i = 0; i < 60; i++) {
        h->now_us += US_PER_S; /* each batch takes so long that the timers are looked at again */
        taken += executor_turn(h->executor, 0);
    }
    executor_stats(h->executor, &stats);
    assert_int_equal(stats.timers, DUE);
    assert_int_equal(taken, DUE);
    assert_int_equal(m.alarms, DUE);
    arena_free(&a);
    house_free(h);
}

/* A document that cannot be read is tried again now and then, not all the time. */
static void test_timer_that_cannot(void **state) {
    (void)state;
    struct memory m;
    struct house *h = open_house(10, &m);
    struct store *writer = executor_store(h->executor);
    struct store_change change = {.collection = &tallies,
                                  .id = STR("broken"),
                                  .state = STR("{\"value\":\"much\"}"),
                                  .wake_at_us = 1,
                                  .commit_id = STR("made")};
    assert_int_equal(writer->ops->commit(writer, &change, 1, NULL, 0), 0);
    for (int i = 0; i < 1000; i++) {
        h->now_us += 10 * US_PER_MS;
        executor_turn(h->executor, 0);
    }
    struct executor_stats stats;
    executor_stats(h->executor, &stats);
    assert_in_range(stats.timers, 5, 15);
    house_free(h);
}

/* ---- events in ---- */

/* One of an event's commands fails twice: the event comes again, and each adds once. */
static void test_split_event(void **state) {
    (void)state;
    struct memory m;
    struct house *h = open_house(11, &m);
    struct job job;
    m.split_failures = 2;
    begin(h, &m, &job, "d", &(struct add_args){.by = 5, .split = STR("abc")});
    house_advance(h, 5 * US_PER_S);
    assert_int_equal(job.result, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(m.value[i], 5);
    assert_true(executor_idle(h->executor));
    assert_memory_agrees(h, &m);
    house_free(h);
}

/* What nobody can read is let go, and does not hold up what comes behind it on the same key. */
static void test_poison_event(void **state) {
    (void)state;
    struct memory m;
    struct house *h = open_house(12, &m);
    struct job bad, good;
    begin(h, &m, &bad, "d", &(struct add_args){.by = 1, .raw_event = true});
    begin(h, &m, &good, "d", &(struct add_args){.by = 1, .split = STR("a")});
    house_advance(h, 2 * US_PER_S);
    assert_int_equal(m.value[0], 1);
    assert_true(executor_idle(h->executor));
    house_free(h);
}

/* ---- the outbox, on a bus that does as it is told ---- */

#define SENT_MAX 4096
struct fake_bus {
    struct bus bus;
    void (*wake)(void *arg); /* the executor's */
    void *wake_arg;
    bool full;
    bus_deliver_fn deliver; /* of who has subscribed */
    void *consumer;
    int32_t sent, open;
    struct {
        int64_t seq;
        bus_confirm_fn confirm;
        void *publisher;
    } publishes[SENT_MAX]; /* all there were; those from the first open one on are not confirmed */
};
static int fake_subscribe(struct bus *b, const char *group, const char *const *types,
                          bus_deliver_fn deliver, void *consumer) {
    (void)group, (void)types;
    struct fake_bus *f = (struct fake_bus *)b;
    f->deliver = deliver;
    f->consumer = consumer;
    return 0;
}
static int fake_publish(struct bus *b, const struct event *e, bus_confirm_fn confirm,
                        void *publisher) {
    struct fake_bus *f = (struct fake_bus *)b;
    if (f->full)
        return ERR_FULL;
    assert_true(f->sent < SENT_MAX);
    f->publishes[f->sent].seq = e->seq;
    f->publishes[f->sent].confirm = confirm;
    f->publishes[f->sent++].publisher = publisher;
    return 0;
}
static int64_t fake_poll(struct bus *b, int64_t now_us) {
    (void)b, (void)now_us;
    return 0;
}
static void fake_on_ready(struct bus *b, void (*wake)(void *arg), void *arg) {
    struct fake_bus *f = (struct fake_bus *)b;
    f->wake = wake;
    f->wake_arg = arg;
}
static int fake_listen(struct bus *b, const char *topic, signal_fn fn, void *consumer) {
    (void)b, (void)topic, (void)fn, (void)consumer;
    return 0;
}
static void fake_signal(struct bus *b, const char *topic, const void *data, size_t len) {
    (void)b, (void)topic, (void)data, (void)len;
}
static void fake_close(struct bus *b) {
    free(b);
}
static const struct bus_ops fake_ops = {.subscribe = fake_subscribe,
                                        .publish = fake_publish,
                                        .poll = fake_poll,
                                        .on_ready = fake_on_ready,
                                        .listen = fake_listen,
                                        .signal = fake_signal,
                                        .close = fake_close};

/* Says RESULT of everything it has not spoken of yet. */
static void fake_say(struct fake_bus *f, int result) {
    while (f->open < f->sent) {
        int32_t i = f->open++;
        f->publishes[i].confirm(f->publishes[i].publisher, f->publishes[i].seq, result);
    }
}

static struct house *open_on_fake(uint64_t seed, struct memory *m, struct fake_bus **ret_bus) {
    struct house *h = house_new(seed);
    h->bus->ops->close(h->bus);
    *ret_bus = xcalloc(1, sizeof(struct fake_bus));
    (*ret_bus)->bus.ops = &fake_ops;
    h->bus = &(*ret_bus)->bus;
    *m = (struct memory){0};
    house_open(h, &(struct service){&def, m}, 1);
    return h;
}

struct told {
    struct bus_delivery delivery;
    int result;
};
static void told(struct bus_delivery *d, int result) {
    ((struct told *)d)->result = result;
}

/* What nobody can read is refused where the bus puts such things aside, and let go elsewhere. */
static void test_unreadable_event(void **state) {
    (void)state;
    struct memory m;
    struct fake_bus *bus;
    struct house *h = open_on_fake(19, &m, &bus);
    const struct event unreadable = {.id = STR("evt_01JZ7Q8M3N4P5R6S7T8V9W0X1Y"),
                                     .type = STR("tally.split"),
                                     .key = STR("a"),
                                     .data = STR("{\"by\":\"many\"}")};
    for (int aside = 0; aside < 2; aside++) {
        struct told t = {{&unreadable, told}, WAITING};
        bus->bus.puts_aside = aside;
        bus->deliver(bus->consumer, &t.delivery);
        assert_int_equal(t.result, aside ? ERR_CORRUPT : 0);
    }
    house_free(h);
}

static int64_t outbox_rows(struct house *h) {
    struct memory_disk_stats stats;
    memory_disk_stats(h->disk, &stats);
    return stats.outbox_rows;
}

#define TURN_US (30 * US_PER_S)
static void *one_turn(void *executor) {
    executor_turn(executor, TURN_US);
    return NULL;
}

/* What comes in over the bus does not wait for the end of the executor's patience. */
static void test_bus_wakes(void **state) {
    (void)state;
    struct house *h = house_new(12);
    struct fake_bus *bus = xcalloc(1, sizeof(*bus));
    bus->bus.ops = &fake_ops;
    struct executor *x =
        executor_new(&(struct executor_options){.store = memory_disk_open(h->disk, true, NULL),
                                                .bus = &bus->bus,
                                                .clock = &h->clock,
                                                .entropy = &h->entropy,
                                                .name = "alone",
                                                .batch_max = 1});
    assert_non_null(bus->wake);
    pthread_t thread;
    int64_t began_us = clock_mono_us();
    assert_int_equal(pthread_create(&thread, NULL, one_turn, x), 0);
    bus->wake(bus->wake_arg); /* before it sleeps or while it does: both count */
    pthread_join(thread, NULL);
    assert_true(clock_mono_us() - began_us < TURN_US / 2);
    executor_free(x);
    assert_null(bus->wake);
    bus->bus.ops->close(&bus->bus);
    house_free(h);
}

/* More events than may be in flight: the window holds, then all leave, in order, once. */
static void test_outbox_window(void **state) {
    (void)state;
    enum { EVENTS = 3000, WINDOW = 1024 };
    struct memory m;
    struct fake_bus *bus;
    struct house *h = open_on_fake(13, &m, &bus);
    static struct job jobs[EVENTS];
    for (int i = 0; i < EVENTS; i++) {
        begin(h, &m, &jobs[i], "a", &(struct add_args){.by = 2, .events = true});
        if (i % 100 == 0)
            executor_turn(h->executor, 0);
    }
    house_advance(h, US_PER_S);
    assert_int_equal(outbox_rows(h), EVENTS);
    assert_int_equal(bus->sent, WINDOW);
    for (int i = 0; i < 20 && outbox_rows(h) > 0; i++) {
        fake_say(bus, 0);
        house_advance(h, US_PER_S);
    }
    assert_int_equal(outbox_rows(h), 0);
    assert_int_equal(bus->sent, EVENTS);
    for (int i = 1; i < EVENTS; i++)
        assert_true(bus->publishes[i].seq > bus->publishes[i - 1].seq);
    assert_true(executor_idle(h->executor));
    house_free(h);
}

/* A refusal is answered with another try, after a pause, as often as it takes. */
static void test_outbox_refused(void **state) {
    (void)state;
    struct memory m;
    struct fake_bus *bus;
    struct house *h = open_on_fake(14, &m, &bus);
    struct job jobs[3];
    for (int i = 0; i < 3; i++)
        begin(h, &m, &jobs[i], "a", &(struct add_args){.by = 2, .events = true});
    house_settle(h);
    for (int round = 1; round <= 20; round++) {
        assert_int_equal(bus->sent, 3 * round);
        fake_say(bus, ERR_UNAVAILABLE);
        for (int i = 0; i < 50; i++)
            executor_turn(h->executor, 0);
        assert_int_equal(bus->sent, 3 * round); /* not at once */
        assert_false(executor_idle(h->executor));
        house_advance(h, 150 * US_PER_MS);
    }
    fake_say(bus, 0);
    fake_say(bus, 0);
    bus->publishes[0].confirm(bus->publishes[0].publisher, bus->publishes[0].seq, 0); /* twice */
    house_advance(h, US_PER_S);
    assert_int_equal(outbox_rows(h), 0);
    assert_true(executor_idle(h->executor));
    house_free(h);
}

/* Where others share the store the bus may be away for long: what waits for it is bounded. Clients
 * are refused what would make more and nothing else, everything inside goes on, and all is taken
 * again when it has caught up. */
static void test_outbox_behind(void **state) {
    (void)state;
    enum { MAX = 5, JOBS = 20 };
    struct memory m = {0};
    struct fake_bus *bus = xcalloc(1, sizeof(*bus));
    struct house *h = house_new(17);
    h->bus->ops->close(h->bus);
    bus->bus.ops = &fake_ops;
    h->bus = &bus->bus;
    h->peers = peers_new(h->bus, &h->clock, &h->entropy);
    h->behind_max = MAX;
    house_open(h, &(struct service){&def, &m}, 1);
    struct job jobs[JOBS];
    int taken = 0;
    for (int i = 0; i < JOBS; i++) {
        struct command *cmd =
            job_command(h, &m, &jobs[i], "a", &(struct add_args){.by = 2, .events = true});
        cmd->refusable = true;
        assert_int_equal(executor_submit(h->executor, cmd), 0);
        executor_turn(h->executor, 0);
        assert_int_equal(jobs[i].result, i < MAX ? 0 : ERR_FULL);
        taken += jobs[i].result == 0;
    }
    assert_int_equal(outbox_rows(h), MAX);
    struct job quiet, inner; /* makes no event; is nobody's request */
    job_command(h, &m, &quiet, "a", &(struct add_args){.by = 2})->refusable = true;
    assert_int_equal(executor_submit(h->executor, quiet.cmd), 0);
    begin(h, &m, &inner, "a", &(struct add_args){.by = 2, .events = true});
    executor_turn(h->executor, 0);
    assert_int_equal(quiet.result, 0);
    assert_int_equal(inner.result, 0);
    assert_int_equal(stored(h, "a", NULL), 2 * (taken + 2));
    for (int i = 0; i < 50 && outbox_rows(h) > 0; i++) { /* the bus is back */
        h->now_us += US_PER_S;
        executor_turn(h->executor, 0);
        fake_say(bus, 0);
    }
    assert_int_equal(outbox_rows(h), 0);
    struct command *again =
        job_command(h, &m, &quiet, "a", &(struct add_args){.by = 2, .events = true});
    again->refusable = true;
    assert_int_equal(executor_submit(h->executor, again), 0);
    executor_turn(h->executor, 0);
    assert_int_equal(quiet.result, 0);
    house_free(h);
}

/* The same key at two processes at once: whoever loses is told what the winner was told, not that
 * somebody (he himself) was there before. */
static void test_twins(void **state) {
    (void)state;
    struct memory m = {0};
    struct house *h = house_new(18);
    h->peers = peers_new(h->bus, &h->clock, &h->entropy);
    house_open(h, &(struct service){&def, &m}, 1);
    struct store *other = memory_disk_open(h->disk, true, NULL);
    m.twin = other;
    struct job job, late;
    struct command *cmd = job_command(h, &m, &job, "a", &(struct add_args){.only_new = true});
    cmd->answer_key = STR("usr_1 POST /tallies k-1");
    assert_int_equal(executor_submit(h->executor, cmd), 0);
    house_advance(h, US_PER_S);
    assert_int_equal(job.result, 0);
    assert_int_equal(job.status, 200);
    assert_int_equal(stored(h, "a", NULL), 1);
    /* Another key's is refused as ever. */
    cmd = job_command(h, &m, &late, "a", &(struct add_args){.only_new = true});
    cmd->answer_key = STR("usr_1 POST /tallies k-2");
    assert_int_equal(executor_submit(h->executor, cmd), 0);
    house_advance(h, US_PER_S);
    assert_int_equal(late.status, 409);
    other->ops->close(other);
    house_free(h);
}

static void test_outbox_full_bus(void **state) {
    (void)state;
    struct memory m;
    struct fake_bus *bus;
    struct house *h = open_on_fake(15, &m, &bus);
    struct job job;
    bus->full = true;
    begin(h, &m, &job, "a", &(struct add_args){.by = 2, .events = true});
    house_advance(h, 5 * US_PER_S);
    assert_int_equal(job.result, 0); /* a bus that is full is nobody's business but the outbox's */
    bus->full = false;
    h->faults.read_busy = 1;
    house_advance(h, 5 * US_PER_S);
    assert_int_equal(bus->sent, 0);
    h->faults.read_busy = 0;
    house_advance(h, US_PER_S);
    assert_int_equal(bus->sent, 1);
    fake_say(bus, 0);
    h->faults.unknown_committed = 1; /* the removal's answer is lost: it is removed again */
    house_advance(h, US_PER_S);
    h->faults.unknown_committed = 0;
    house_advance(h, US_PER_S);
    assert_int_equal(outbox_rows(h), 0);
    assert_true(executor_idle(h->executor));
    house_free(h);
}

static int64_t oldest_age_s(struct house *h) {
    struct executor_stats s;
    executor_stats(h->executor, &s);
    return s.outbox_oldest_us > 0 ? (h->now_us - s.outbox_oldest_us) / US_PER_S : 0;
}

/* Whoever is paged for an event that is stuck must be, however many others go through, and also
 * when the bus takes none. */
static void test_outbox_age(void **state) {
    (void)state;
    struct memory m;
    struct fake_bus *bus;
    struct house *h = open_on_fake(16, &m, &bus);
    struct job stuck, others[60], held;
    begin(h, &m, &stuck, "a", &(struct add_args){.by = 2, .events = true});
    for (int i = 0; i < 60; i++) {
        house_advance(h, US_PER_S);
        begin(h, &m, &others[i], "b", &(struct add_args){.by = 2, .events = true});
        house_settle(h);
        assert_int_equal(bus->sent, i + 2);
        bus->publishes[i + 1].confirm(bus->publishes[i + 1].publisher, bus->publishes[i + 1].seq,
                                      0);
    }
    house_advance(h, 2 * US_PER_S);
    assert_in_range(oldest_age_s(h), 60, 63);
    fake_say(bus, 0);
    house_advance(h, US_PER_S);
    assert_int_equal(oldest_age_s(h), 0);
    bus->full = true;
    begin(h, &m, &held, "a", &(struct add_args){.by = 2, .events = true});
    house_advance(h, 40 * US_PER_S);
    assert_in_range(oldest_age_s(h), 38, 41);
    bus->full = false;
    house_advance(h, US_PER_S);
    fake_say(bus, 0);
    house_advance(h, US_PER_S);
    assert_int_equal(oldest_age_s(h), 0);
    assert_true(executor_idle(h->executor));
    house_free(h);
}

/* ---- the end ---- */

static int64_t machine_now(const struct clock *c) {
    (void)c;
    return clock_wall_us();
}

/* A stop finishes what waits, lets the events out, and does not dawdle. */
static void test_stop_with_work_left(void **state) {
    (void)state;
    enum { JOBS = 1000 };
    struct memory m;
    struct house *h = open_house(16, &m);
    h->clock.now_us = machine_now;
    static struct job jobs[JOBS];
    for (int i = 0; i < JOBS; i++)
        begin(h, &m, &jobs[i], "a", &(struct add_args){.by = 1, .split = STR("bcd")});
    int64_t started_us = clock_mono_us();
    assert_int_equal(executor_start(h->executor), 0);
    executor_stop(h->executor);
    assert_true(clock_mono_us() - started_us < 900 * US_PER_MS);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(jobs[i].result, 0);
    assert_int_equal(m.value[0], JOBS);
    assert_int_equal(m.value[3], JOBS);
    assert_int_equal(outbox_rows(h), 0);
    struct job late;
    assert_int_equal(submit(h, &m, &late, "a", &(struct add_args){.by = 1}), ERR_FULL);
    arena_free(&late.arena);
    house_free(h);
}

/* A crash answers nobody's prayers, but everybody. */
static void test_end_without_stop(void **state) {
    (void)state;
    struct memory m;
    struct house *h = open_house(17, &m);
    struct job parked, waiting;
    begin(h, &m, &parked, "a", &(struct add_args){.by = 2, .park = true});
    house_settle(h);
    begin(h, &m, &waiting, "a", &(struct add_args){.by = 2});
    house_crash(h);
    assert_int_equal(parked.result, 0);
    assert_int_equal(waiting.result, ERR_UNAVAILABLE);
    house_free(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exactly_once),
        cmocka_unit_test(test_builds_on_failed),
        cmocka_unit_test(test_fresh),
        cmocka_unit_test(test_attempts_end),
        cmocka_unit_test(test_lost_then_blind),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_mailbox_full),
        cmocka_unit_test(test_parked_max),
        cmocka_unit_test(test_wake_key_is_kept),
        cmocka_unit_test(test_timers_wait_for_the_store),
        cmocka_unit_test(test_clock_put_back),
        cmocka_unit_test(test_timers_once_each),
        cmocka_unit_test(test_timer_that_cannot),
        cmocka_unit_test(test_split_event),
        cmocka_unit_test(test_poison_event),
        cmocka_unit_test(test_bus_wakes),
        cmocka_unit_test(test_outbox_window),
        cmocka_unit_test(test_outbox_refused),
        cmocka_unit_test(test_outbox_behind),
        cmocka_unit_test(test_outbox_full_bus),
        cmocka_unit_test(test_twins),
        cmocka_unit_test(test_unreadable_event),
        cmocka_unit_test(test_outbox_age),
        cmocka_unit_test(test_stop_with_work_left),
        cmocka_unit_test(test_end_without_stop),
    };
    return cmocka_run_group_tests_name("executor", tests, NULL, NULL);
}
