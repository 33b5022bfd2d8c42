/* The executor's batch: gather, prepare each command (load and decide), commit, settle each.
 *
 * A command of the batch that changed a document is what the next one on the same document sees
 * (`latest`); whoever built on a change that then failed is decided again, before anything else
 * that waits. What became of commits whose answer was lost is found in lost.c.
 */
#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "runtime/executor_internal.h"

#include <stdlib.h>
#include <time.h>

static void wake_mailbox(void *arg) {
    mailbox_wake(arg);
}

struct executor *executor_new(const struct executor_options *o) {
    CHECK(o->batch_max > 0 && o->batch_max <= STORE_BATCH_MAX);
    struct executor *x = xcalloc(1, sizeof(*x));
    x->o = *o;
    if (x->o.behind_max == 0)
        x->o.behind_max = OUTBOX_BEHIND_MAX;
    x->mailbox = mailbox_new(EXECUTOR_MAILBOX_MAX, NULL, NULL);
    if (o->bus->ops->on_ready != NULL)
        o->bus->ops->on_ready(o->bus, wake_mailbox, x->mailbox);
    x->parser = json_parser_new();
    arena_init(&x->batch_arena, 65536);
    map_init(&x->latest);
    map_init(&x->keys);
    x->batch = xcalloc((size_t)o->batch_max, sizeof(struct command *));
    x->changes = xcalloc((size_t)o->batch_max, sizeof(struct store_change));
    x->outbox.dirty = true;
    uint64_t seed;
    o->entropy->fill(o->entropy, &seed, sizeof(seed));
    rng_seed(&x->rng, seed);
    if (o->peers != NULL)
        parked_listen(x);
    return x;
}

static struct command *take_first(struct executor *x) {
    struct command *cmd = x->first;
    if (cmd != NULL)
        x->first = cmd->next;
    if (x->first == NULL)
        x->last = NULL;
    return cmd;
}

/* Whoever still waits is told that it will not be: nothing of his is in the store. */
static void abandon(struct executor *x) {
    void *item;
    struct command *cmd;
    while ((cmd = take_first(x)) != NULL)
        cmd->finish(cmd, ERR_UNAVAILABLE, &cmd->decision.response);
    while (mailbox_take(x->mailbox, &item, 1, 0) == 1) {
        cmd = item;
        cmd->finish(cmd, ERR_UNAVAILABLE, &cmd->decision.response);
    }
    parked_expire(x, 0, true);
}

void executor_free(struct executor *x) {
    if (x == NULL)
        return;
    mailbox_close(x->mailbox);
    abandon(x);
    if (x->o.bus->ops->on_ready != NULL)
        x->o.bus->ops->on_ready(x->o.bus, NULL, x->mailbox);
    mailbox_free(x->mailbox);
    json_parser_free(x->parser);
    arena_free(&x->batch_arena);
    map_free(&x->latest);
    map_free(&x->keys);
    free(x->batch);
    free(x->changes);
    outbox_free(x);
    x->o.store->ops->close(x->o.store);
    free(x);
}

void executor_timer(struct executor *x, const struct command_type *type, void *service) {
    CHECK(x->timer_count < TIMERS_MAX && type->aggregate->collection->timers);
    x->timers[x->timer_count++] = (struct timer_source){.wake = type, .service = service};
}

void executor_ticker(struct executor *x,
                     void (*fn)(void *arg, struct store *writer, int64_t now_us), void *arg) {
    x->tick = fn;
    x->tick_arg = arg;
}

int executor_submit(struct executor *x, struct command *cmd) {
    cmd->executor = x;
    return mailbox_send(x->mailbox, cmd) ? 0 : ERR_FULL;
}

struct sent {
    struct arena arena;
    struct command cmd;
};

static void sent_free(struct sent *own) {
    arena_free(&own->arena);
    free(own);
}

static void sent_finish(struct command *cmd, int result, struct response *response) {
    (void)result;
    (void)response;
    sent_free(cmd->finish_arg);
}

void executor_send(struct executor *x, const struct command_type *type, void *service,
                   struct str id, const void *args, size_t len) {
    struct sent *own = xcalloc(1, sizeof(*own));
    arena_init(&own->arena, 512);
    own->cmd = (struct command){.type = type,
                                .service = service,
                                .id = arena_str(&own->arena, id),
                                .args = len > 0 ? arena_copy(&own->arena, args, len) : NULL,
                                .arena = &own->arena,
                                .finish = sent_finish,
                                .finish_arg = own};
    if (executor_submit(x, &own->cmd) < 0)
        sent_free(own);
}

bool executor_transient(int err) {
    return err == ERR_BUSY || err == ERR_FULL || err == ERR_CONFLICT || err == ERR_UNKNOWN ||
           err == ERR_AGAIN || err == ERR_TIMEOUT || err == ERR_UNAVAILABLE;
}

void executor_enqueue(struct executor *x, struct command *cmd) {
    cmd->executor = x;
    cmd->next = NULL;
    if (x->last != NULL)
        x->last->next = cmd;
    else
        x->first = cmd;
    x->last = cmd;
}

/* ---- prepare ---- */

#define LATEST_KEY_CHARS 48 /* most have no more */

struct str executor_latest_key(struct executor *x, const struct command *cmd) {
    struct buf key;
    buf_init(&key, &x->batch_arena, LATEST_KEY_CHARS);
    buf_add_cstr(&key, cmd->type->aggregate->collection->name);
    buf_add_char(&key, '/');
    buf_add_str(&key, cmd->id);
    return buf_str(&key);
}

/* Where a new thing is follows from what made it, so that nobody needs to keep it. */
static void say_where(struct command *cmd) {
    struct response *r = &cmd->decision.response;
    if (cmd->type->location != NULL && r->status == 201)
        response_header(r, "Location",
                        arena_printf(cmd->arena, "%s%.*s", cmd->type->location, STR_ARG(cmd->id)));
}

/* Answers a repeated Idempotency-Key. True: the command is answered. An answer of 202 said only
 * that the outcome was not known yet: it is looked for again, and the decision finds what has come
 * of it. */
static bool answer_again(struct executor *x, struct command *cmd) {
    if (map_get(&x->keys, cmd->answer_key) != NULL) {
        cmd->outcome = OUTCOME_AGAIN;
        return true;
    }
    struct store_answer answer;
    int err = x->o.store->ops->answer(x->o.store, cmd->type->aggregate->collection, cmd->answer_key,
                                      cmd->arena, &answer);
    if (err == ERR_NOT_FOUND)
        return false;
    if (err < 0) {
        cmd->outcome = err;
        return true;
    }
    struct decision *d = &cmd->decision;
    if (answer.body_hash != cmd->body_hash) {
        decision_problem(d, cmd, PROBLEM_IDEMPOTENCY_MISMATCH,
                         "this Idempotency-Key was used with another body");
        return true;
    }
    cmd->answered = true;
    if (answer.status == 202)
        return false;
    decision_json(d, answer.status, answer.body);
    if (answer.etag.p != NULL)
        response_header(&d->response, "ETag", answer.etag);
    say_where(cmd);
    response_header(&d->response, "Idempotency-Replayed", STR("true"));
    return true;
}

/* The aggregate as this command must see it: what an earlier one of the batch made of it, or the
 * store's. Returns 0 with *ret_state NULL when there is none. */
static int find_state(struct executor *x, struct command *cmd, void **ret_state) {
    cmd->latest_key = executor_latest_key(x, cmd);
    struct command *before = map_get(&x->latest, cmd->latest_key);
    cmd->builds_on = before; /* whoever fails takes those with him who built on him */
    if (before != NULL && before->outcome != 0)
        return before->outcome; /* nobody knows what it did: after it, then */
    if (before != NULL) {
        *ret_state = before->decision.remove ? NULL : before->decision.state;
        return 0;
    }
    *ret_state = NULL;
    if (cmd->fresh)
        return 0;
    int err =
        aggregate_get(cmd->type->aggregate, x->o.store, x->parser, cmd->id, cmd->arena, ret_state);
    if (err == ERR_NOT_FOUND) {
        *ret_state = NULL;
        return 0;
    }
    return err;
}

/* If-Match is looked at last, so that who may not see the aggregate learns nothing of its version:
 * a decision that would have gone through becomes a 412 and changes nothing. */
static void check_precondition(struct command *cmd, const void *state) {
    const struct aggregate_head *head = state;
    bool holds = cmd->if_match == 0 ||
                 (head != NULL && (cmd->if_match < 0 || cmd->if_match == head->version));
    if (holds || cmd->decision.response.status >= 400)
        return;
    cmd->decision = (struct decision){0};
    decision_problem(&cmd->decision, cmd, PROBLEM_PRECONDITION_FAILED,
                     "the current version is %lld", head != NULL ? (long long)head->version : 0LL);
}

static const struct store_answer *answer_for(struct command *cmd, int64_t now_us) {
    const struct response *r = &cmd->decision.response;
    if (cmd->answer_key.p == NULL || cmd->answered || r->status >= 300)
        return NULL;
    struct store_answer *answer = arena_new(cmd->arena, struct store_answer);
    *answer = (struct store_answer){.key = cmd->answer_key,
                                    .body_hash = cmd->body_hash,
                                    .status = r->status,
                                    .body = r->body,
                                    .at_us = now_us};
    for (int32_t i = 0; i < r->header_count; i++) {
        if (str_is(r->headers[i].name, "ETag"))
            answer->etag = r->headers[i].value;
    }
    return answer;
}

/* Turns a decision that changes something into the store's terms. */
static void make_change(struct executor *x, struct command *cmd, int64_t now_us) {
    const struct aggregate *g = cmd->type->aggregate;
    struct decision *d = &cmd->decision;
    const struct aggregate_head *old = cmd->old_state;
    if (d->state == NULL && !d->remove) { /* only events: the document is their carrier */
        CHECK(old != NULL);
        decision_state(d, cmd, old, arena_copy(cmd->arena, old, g->schema->size));
    }
    cmd->change = (struct store_change){
        .collection = g->collection,
        .id = cmd->id,
        .expected_version = old != NULL ? old->version : 0,
        .remove = d->remove,
        .events = d->events,
        .event_count = d->event_count,
        .dedupe = cmd->dedupe,
        .at_us = now_us,
        .answer = answer_for(cmd, now_us),
    };
    if (!d->remove) {
        cmd->change.state = schema_text(g->schema, d->state, S_STORE, cmd->arena);
        cmd->change.wake_at_us = g->wake_at != NULL ? g->wake_at(d->state) : 0;
        if (g->keys != NULL)
            g->keys(d->state, cmd->arena, cmd->change.keys);
    }
    cmd->changed = true;
    map_put(&x->latest, cmd->latest_key, cmd);
    if (cmd->answer_key.p != NULL)
        map_put(&x->keys, cmd->answer_key, cmd);
    if (cmd->dedupe.p != NULL)
        map_put(&x->keys, cmd->dedupe, cmd);
}

/* Has this event had its effect, or is it having it in this batch? True: nothing to decide now. */
static bool seen_before(struct executor *x, struct command *cmd) {
    if (map_get(&x->keys, cmd->dedupe) != NULL) {
        cmd->outcome = OUTCOME_AGAIN;
        return true;
    }
    if (!x->o.store->ops->seen(x->o.store, cmd->type->aggregate->collection, cmd->dedupe))
        return false;
    x->stats.duplicates++;
    return true;
}

static void begin_attempt(struct executor *x, struct command *cmd, int64_t now_us) {
    if (cmd->span == NULL) /* one for all attempts */
        cmd->span = span_begin(x->o.spans, cmd->arena, &x->rng, &cmd->trace, SPAN_INTERNAL, now_us);
    cmd->outcome = 0;
    cmd->changed = false;
    cmd->loaded = false;
    cmd->answered = false;
    cmd->builds_on = NULL;
    executor_recall(x, cmd); /* for the whole batch first: who was lost may stand behind others */
}

/* The answer to a key and the aggregate are written as one, but looked for one after the other: in
 * between another process may have carried out the twin of this request, and what refuses it here
 * is its own effect. A second look finds the answer. */
static bool perhaps_own_effect(struct executor *x, struct command *cmd) {
    bool perhaps = x->o.peers != NULL && cmd->answer_key.p != NULL && !cmd->answered &&
                   !cmd->doubted && cmd->decision.response.status >= 400;
    cmd->doubted |= perhaps;
    return perhaps;
}

static void prepare(struct executor *x, struct command *cmd, int64_t now_us) {
    if (cmd->recalled)
        return;
    cmd->decision = (struct decision){0};
    if (cmd->answer_key.p != NULL && answer_again(x, cmd))
        return;
    if (cmd->dedupe.p != NULL && seen_before(x, cmd))
        return;
    if (cmd->type->load != NULL) {
        cmd->loaded = true;
        int err = cmd->type->load(cmd, x->o.store, now_us);
        if (err < 0) {
            cmd->outcome = err == ERR_AGAIN ? OUTCOME_AGAIN : err;
            return;
        }
    }
    cmd->outcome = find_state(x, cmd, &cmd->old_state);
    if (cmd->outcome != 0)
        return;
    struct decide_ctx ctx = {
        .now_us = now_us, .rng = &x->rng, .entropy = x->o.entropy, .arena = cmd->arena};
    cmd->type->decide(cmd, &ctx, cmd->old_state, &cmd->decision);
    struct decision *d = &cmd->decision;
    if (d->response.status == 0)
        d->response.status = 204;
    /* Taken from the state they may lie with the command that made it, which is answered (and may
     * be gone) before this one. */
    d->park_key = arena_str(cmd->arena, d->park_key);
    d->wake_key = arena_str(cmd->arena, d->wake_key);
    check_precondition(cmd, cmd->old_state);
    if (perhaps_own_effect(x, cmd)) {
        cmd->outcome = OUTCOME_AGAIN;
        return;
    }
    if (d->event_count > 0 && cmd->refusable && x->outbox.behind >= x->o.behind_max) {
        cmd->outcome = ERR_FULL; /* the bus is away, and what is written for it is bounded */
        return;
    }
    say_where(cmd);
    if (d->state != NULL || d->remove || d->event_count > 0)
        make_change(x, cmd, now_us);
}

/* ---- commit and settle ---- */

/* Commits the batch's changes and gives each command its outcome. */
static void commit(struct executor *x, int32_t count, int64_t now_us) {
    struct str batch_id = id_new(&x->batch_arena, "cmt", now_us, &x->rng);
    int32_t changes = 0;
    int32_t events = 0;
    for (int32_t i = 0; i < count; i++) {
        if (!x->batch[i]->changed)
            continue;
        x->batch[i]->change.commit_id =
            arena_printf(&x->batch_arena, "%.*s.%04d", STR_ARG(batch_id), changes);
        x->changes[changes++] = x->batch[i]->change;
        events += x->batch[i]->change.event_count;
    }
    int32_t removes = x->outbox.confirmed_count;
    if (changes == 0 && removes == 0)
        return;
    int err =
        x->o.store->ops->commit(x->o.store, x->changes, changes, x->outbox.confirmed, removes);
    x->stats.batches++;
    if (err == 0)
        outbox_removed(x, removes);
    else
        x->stats.store_errors++;
    if (events > 0 && (err == 0 || err == ERR_UNKNOWN)) {
        x->outbox.dirty = true;
        x->outbox.behind += x->o.peers != NULL ? events : 0;
    }
    int32_t at = 0;
    for (int32_t i = 0; i < count; i++) {
        struct command *cmd = x->batch[i];
        if (cmd->outcome != 0)
            continue;
        if (cmd->changed)
            cmd->outcome = err < 0 ? err : x->changes[at++].result;
        else if (err < 0 && cmd->builds_on != NULL)
            cmd->outcome = err; /* it built on what is not there */
        if (cmd->changed && cmd->outcome == ERR_UNKNOWN)
            executor_keep_lost(x, cmd);
    }
}

/* Puts CMD on the list of those to be decided again. */
static bool try_again(struct executor *x, struct command *cmd, int outcome) {
    if (outcome == ERR_CONFLICT)
        x->stats.conflicts++;
    x->unseen += outcome == OUTCOME_UNSEEN;
    bool lost = outcome == ERR_UNKNOWN || outcome == OUTCOME_UNSEEN; /* never given up unlooked */
    bool again =
        lost || outcome == ERR_CONFLICT || (outcome == ERR_DUPLICATE && cmd->answer_key.p != NULL);
    if (outcome < 0 && again)
        again = ++cmd->attempts < EXECUTOR_ATTEMPTS_MAX || lost;
    if (!again && outcome != OUTCOME_AGAIN)
        return false;
    cmd->next = NULL;
    *x->again_last = cmd;
    x->again_last = &cmd->next;
    return true;
}

/* Those to be decided again go first, in their order: nothing may come between a write whose answer
 * was lost and the look for it. */
static void take_again(struct executor *x) {
    if (x->again == NULL)
        return;
    struct command *last = x->again;
    while (last->next != NULL)
        last = last->next;
    last->next = x->first;
    if (x->first == NULL)
        x->last = last;
    x->first = x->again;
}

/* Memory follows what is durable. Before anyone is told, because telling may free what a later
 * command of the batch has built on. */
static void apply(struct executor *x, struct command *cmd) {
    const struct decision *d = &cmd->decision;
    if (cmd->outcome != 0) {
        if (cmd->loaded && cmd->type->undone != NULL)
            cmd->type->undone(cmd);
        return;
    }
    x->stats.commits += cmd->changed;
    if ((cmd->loaded || cmd->changed) && cmd->type->applied != NULL)
        cmd->type->applied(cmd, d, d->state != NULL ? d->state : cmd->old_state);
}

/* Before it is finished, or its answer held: then it may be gone. */
static void end_span(struct executor *x, struct command *cmd, int outcome) {
    if (cmd->span == NULL)
        return;
    span_name(cmd->span, "%s", cmd->type->name);
    span_text(cmd->span, "lorry.aggregate", cmd->id);
    span_number(cmd->span, "lorry.batch.size", x->batch_count);
    if (cmd->attempts > 0)
        span_number(cmd->span, "lorry.attempts", cmd->attempts + 1);
    if (outcome < 0)
        span_fail(cmd->span, err_text(outcome));
    span_end(x->o.spans, cmd->span, x->o.clock->now_us(x->o.clock));
}

static void settle(struct executor *x, struct command *cmd, int64_t now_us) {
    struct decision *d = &cmd->decision;
    int outcome = cmd->outcome;
    if (outcome != 0) {
        if (try_again(x, cmd, outcome))
            return;
        if (outcome == ERR_DUPLICATE) {
            x->stats.duplicates++;
            outcome = 0;
        }
        end_span(x, cmd, outcome);
        cmd->finish(cmd, outcome, &d->response);
        return;
    }
    end_span(x, cmd, d->result);
    if (d->wake_key.p != NULL)
        parked_wake(x, d->wake_key, &d->response);
    if (d->park_key.p != NULL && parked_hold(x, cmd, now_us))
        return;
    cmd->finish(cmd, d->result, &d->response);
}

/* ---- a turn ---- */

struct timer_command {
    struct arena arena;
    struct timer_source *source;
    struct command cmd;
};

/* What could not be done is due again: at the next poll, or after a rest if it looks as if it could
 * never be done. */
static void timer_finish(struct command *cmd, int result, struct response *response) {
    (void)response;
    struct timer_command *own = cmd->finish_arg;
    struct executor *x = cmd->executor;
    own->source->waiting--;
    if (result < 0 && !executor_transient(result)) {
        log_write(x->o.log, LOG_ERROR, LOG_NO_CAUSE, "%s of %.*s failed: %s", cmd->type->name,
                  STR_ARG(cmd->id), err_text(result));
        own->source->rest_until_us = x->o.clock->now_us(x->o.clock) + TIMER_REST_US;
    }
    arena_free(&own->arena);
    free(own);
}

static void fire_timer(struct executor *x, struct timer_source *t, struct str id) {
    struct timer_command *own = xcalloc(1, sizeof(*own));
    own->source = t;
    t->waiting++;
    arena_init(&own->arena, 4096);
    own->cmd = (struct command){.type = t->wake,
                                .service = t->service,
                                .id = arena_str(&own->arena, id),
                                .arena = &own->arena,
                                .finish = timer_finish,
                                .finish_arg = own};
    if (x->o.spans != NULL) { /* what it causes is traced from here on */
        own->cmd.trace = traceparent_new(&x->rng);
        spans_judge(x->o.spans, &own->cmd.trace);
    }
    executor_enqueue(x, &own->cmd);
    x->stats.timers++;
}

static void fire_timers(struct executor *x, int64_t now_us) {
    if (now_us < x->next_timer_us)
        return;
    x->next_timer_us = now_us + (x->o.peers == NULL ? TIMER_POLL_US
                                                    : rng_between(&x->rng, TIMER_SHARED_MIN_US,
                                                                  TIMER_SHARED_MAX_US));
    for (int32_t i = 0; i < x->timer_count; i++) {
        struct store_doc *docs;
        int32_t count;
        struct timer_source *t = &x->timers[i];
        if (t->waiting > 0 || now_us < t->rest_until_us)
            continue; /* the same documents would be due once more */
        int err = x->o.store->ops->due(x->o.store, t->wake->aggregate->collection, now_us,
                                       TIMER_PAGE_MAX, &x->batch_arena, &docs, &count);
        for (int32_t n = 0; err == 0 && n < count; n++)
            fire_timer(x, t, docs[n].id);
    }
}

static void tick(struct executor *x, int64_t now_us) {
    if (x->tick == NULL || now_us < x->next_tick_us)
        return;
    x->next_tick_us = now_us + TICK_US;
    x->tick(x->tick_arg, x->o.store, now_us);
}

/* A store that cannot even be asked is not asked the faster for it. */
#define UNSEEN_PAUSE_NS 2000000L /* 2 ms */

static int32_t gather(struct executor *x, int64_t wait_us) {
    int32_t count = 0;
    if (x->unseen > 0 && wait_us > 0)
        nanosleep(&(struct timespec){.tv_nsec = UNSEEN_PAUSE_NS}, NULL);
    while (count < x->o.batch_max && x->first != NULL)
        x->batch[count++] = take_first(x);
    if (count == x->o.batch_max)
        return count;
    void **room = (void **)(x->batch + count);
    return count + (int32_t)mailbox_take(x->mailbox, room, (size_t)(x->o.batch_max - count),
                                         count > 0 ? 0 : wait_us);
}

static int64_t patience(struct executor *x, int64_t now_us, int64_t wait_us, int64_t bus_wants_us) {
    if (wait_us <= 0)
        return 0;
    int64_t until = now_us + wait_us;
    if (x->timer_count > 0 && x->next_timer_us < until)
        until = x->next_timer_us;
    if (bus_wants_us > 0 && bus_wants_us < until)
        until = bus_wants_us;
    return until > now_us ? until - now_us : 0;
}

/* An operator, or NTP, has put the clock back: what waits for a time to come would wait for that
 * long, too. It is due now instead, and waits as it should from then on. */
static void clock_put_back(struct executor *x, int64_t now_us) {
    x->next_timer_us = x->next_tick_us = now_us;
    x->outbox.next_poll_us = x->outbox.again_at_us = now_us;
    x->outbox.confirmed_since_us = now_us;
    for (int32_t i = 0; i < x->timer_count; i++)
        x->timers[i].rest_until_us = now_us;
    for (int32_t i = 0; i < x->parked_count; i++)
        x->parked[i].deadline_us = now_us + EXECUTOR_PARK_TIMEOUT_US;
}

/* Tells the store what is to come. A command whose load chooses the document only has its keys. */
static void open_batch(struct executor *x, int32_t count) {
    const struct store_ops *store = x->o.store->ops;
    if (store->begin != NULL)
        store->begin(x->o.store);
    if (store->expect == NULL)
        return;
    struct store_want *wants = arena_array(&x->batch_arena, struct store_want, count);
    for (int32_t i = 0; i < count; i++) {
        const struct command *cmd = x->batch[i];
        wants[i] = (struct store_want){.collection = cmd->type->aggregate->collection,
                                       .id = cmd->id,
                                       .dedupe = cmd->dedupe,
                                       .answer = cmd->answer_key};
    }
    store->expect(x->o.store, wants, count);
}

int32_t executor_turn(struct executor *x, int64_t wait_us) {
    int64_t now_us = x->o.clock->now_us(x->o.clock);
    if (now_us < x->turn_at_us)
        clock_put_back(x, now_us);
    x->turn_at_us = now_us;
    arena_reset(&x->batch_arena);
    int64_t bus_wants_us = x->o.bus->ops->poll(x->o.bus, now_us);
    outbox_pump(x, now_us);
    fire_timers(x, now_us);
    tick(x, now_us);
    parked_expire(x, now_us, false);
    int32_t count = gather(x, patience(x, now_us, wait_us, bus_wants_us));
    now_us = x->o.clock->now_us(x->o.clock);
    const struct outbox *o = &x->outbox;
    if (count == 0) {
        if (o->confirmed_count > 0 && now_us - o->confirmed_since_us >= OUTBOX_FLUSH_US)
            commit(x, 0, now_us);
        return 0;
    }
    x->stats.commands += (uint64_t)count;
    x->batch_count = count;
    map_free(&x->latest);
    map_free(&x->keys);
    const struct store_ops *store = x->o.store->ops;
    open_batch(x, count);
    for (int32_t i = 0; i < count; i++)
        begin_attempt(x, x->batch[i], now_us);
    for (int32_t i = 0; i < count; i++)
        prepare(x, x->batch[i], now_us);
    commit(x, count, now_us);
    if (store->end != NULL)
        store->end(x->o.store);
    /* Who built on a change that failed has failed, too. */
    for (int32_t i = 0; i < count; i++) {
        struct command *cmd = x->batch[i];
        if (cmd->outcome == 0 && cmd->builds_on != NULL && cmd->builds_on->outcome != 0)
            cmd->outcome = OUTCOME_AGAIN;
    }
    for (int32_t i = 0; i < count; i++)
        apply(x, x->batch[i]);
    x->again = NULL;
    x->again_last = &x->again;
    x->unseen = 0;
    for (int32_t i = 0; i < count; i++)
        settle(x, x->batch[i], now_us);
    take_again(x);
    return count;
}

/* ---- the thread ---- */

#define STOP_PATIENCE_US (10 * US_PER_S) /* for commands: somebody waits for each */
#define STOP_OUTBOX_US (1 * US_PER_S)    /* for events: they would also be there after the start */

static void finish_work(struct executor *x) {
    int64_t now_us = clock_mono_us();
    const int64_t until_us = now_us + STOP_PATIENCE_US, outbox_until_us = now_us + STOP_OUTBOX_US;
    while (!executor_idle(x) && now_us < until_us) {
        if (mailbox_count(x->mailbox) == 0 && x->first == NULL && now_us >= outbox_until_us)
            break;
        executor_turn(x, 5 * US_PER_MS);
        now_us = clock_mono_us();
    }
    abandon(x);
}

static void *executor_thread(void *arg) {
    struct executor *x = arg;
    while (!x->stopping)
        executor_turn(x, 50 * US_PER_MS);
    finish_work(x); /* here, because the bus confirms on the thread that published */
    return NULL;
}

int executor_start(struct executor *x) {
    if (pthread_create(&x->thread, NULL, executor_thread, x) != 0)
        return ERR_LIMIT;
    x->threaded = true;
    return 0;
}

void executor_stop(struct executor *x) {
    x->stopping = true;
    mailbox_close(x->mailbox);
    if (x->threaded)
        pthread_join(x->thread, NULL);
    else
        finish_work(x);
    x->threaded = false;
}

bool executor_idle(struct executor *x) {
    return mailbox_count(x->mailbox) == 0 && x->first == NULL && outbox_idle(x);
}

void executor_stats(struct executor *x, struct executor_stats *ret) {
    *ret = (struct executor_stats){
        .commands = x->stats.commands,
        .batches = x->stats.batches,
        .commits = x->stats.commits,
        .conflicts = x->stats.conflicts,
        .duplicates = x->stats.duplicates,
        .store_errors = x->stats.store_errors,
        .timers = x->stats.timers,
        .events_published = x->stats.published,
        .events_confirmed = x->stats.confirmed,
        .mailbox_depth = (int64_t)mailbox_count(x->mailbox),
        .outbox_in_flight = x->stats.in_flight,
        .outbox_oldest_us = x->stats.oldest_us,
        .outbox_behind = x->stats.behind,
        .parked = x->stats.parked,
    };
}

struct json_parser *executor_parser(struct executor *x) {
    return x->parser;
}

struct store *executor_store(struct executor *x) {
    return x->o.store;
}
