/* Fixes on their way in. A batch is read and put in order on the thread it came in on. Then it goes
 * to the executor as one command, which stores the longest piece from its front that makes one
 * chunk (trail.h): within a window of thin.h, which is TRAIL_SPAN_US at most, and either all newer
 * than the driver's newest fix or all not newer. Nearly always that is the whole batch; if not, the
 * command is sent again for the rest.
 *
 * No fix is stored twice: a piece that is all newer cannot have been stored (the fast way, without
 * reading anything); of another, the stored stretch is read and what is there already is left out.
 * Both go by what is durable. Pieces of one driver that meet in one batch of the executor may go
 * together only if their times do not overlap: each notes its range on the member while it is
 * undecided, and who overlaps waits for the next batch.
 *
 * A piece that is so old that it would be simplified already (thin.h) goes where the simplified
 * ones are: of `trails` nothing that is past that age grows any more.
 *
 * When a commit fails or nobody knows whether it is there, what the roster says of the driver's
 * trail is forgotten, and read from the store again.
 */
#include "base/check.h"
#include "base/err.h"
#include "services/driver/service_internal.h"
#include "services/driver/thin.h"
#include "services/driver/trail.h"

#include <stdlib.h>

#define STALE_TRIES_MAX 3 /* somebody else wrote this driver's trail meanwhile */

struct batch {
    struct driver_service *service;
    struct str driver_id;
    struct fix *fixes; /* in order, no two at the same time */
    int32_t count, next, stale;
    int32_t charged; /* to the driver's hour; what is not stored of them goes back */
    struct locations_result result;
    locations_done_fn done;
    void *done_arg;
    struct arena *arena;
    struct command command;
};

/* What load finds out for a batch's next piece. */
struct piece {
    struct member *member;    /* this turn only */
    struct trail_range range; /* on the member while `reserved` */
    bool reserved;
    int32_t taken;     /* fixes of the batch that it is about */
    struct fix *fresh; /* those of them that are not stored yet */
    int32_t fresh_count;
    struct fix newest; /* the driver's, with these */
    int64_t through_us;
};

/* ---- the command ---- */

/* How many fixes from the front of the batch make one chunk. None reaches over the end of a window
 * of thin.h, so that what is between two fixes of a window is in that window. */
static int32_t piece_length(const struct batch *b, const struct member *m) {
    int64_t window_us = b->service->o.trail_thin_window_us;
    const struct fix *first = &b->fixes[b->next];
    bool late = m->has_fix && first->at_us <= m->newest.at_us;
    int32_t n = 1;
    for (; b->next + n < b->count; n++) {
        const struct fix *f = &b->fixes[b->next + n];
        if (f->at_us / window_us != first->at_us / window_us ||
            (late && f->at_us > m->newest.at_us))
            break;
    }
    return n;
}

static bool range_taken(const struct member *m, const struct trail_range *range) {
    for (const struct trail_range *r = m->pending; r != NULL; r = r->next) {
        if (range->from_us <= r->until_us && range->until_us >= r->from_us)
            return true;
    }
    return false;
}

/* The slow way: those of the piece that the store does not have. */
static int leave_out_stored(struct piece *p, struct command *cmd, struct store *store) {
    struct trail_page stored;
    int err = trail_read(store, executor_parser(cmd->executor), str_from(p->member->id),
                         p->range.from_us, p->range.until_us, TRAIL_FIXES_MAX, cmd->arena, &stored);
    if (err < 0)
        return err;
    struct fix *fresh = arena_array(cmd->arena, struct fix, p->taken);
    int32_t count = 0, at = 0;
    for (int32_t i = 0; i < p->taken; i++) {
        while (at < stored.count && stored.fixes[at].at_us < p->fresh[i].at_us)
            at++;
        if (at == stored.count || stored.fixes[at].at_us > p->fresh[i].at_us)
            fresh[count++] = p->fresh[i];
    }
    p->fresh = fresh;
    p->fresh_count = count;
    return 0;
}

static const struct command_type locations_type, locations_old_type;

static bool next_is_old(const struct batch *b, int64_t now_us) {
    return b->next < b->count && thin_is_old(b->service, b->fixes[b->next].at_us, now_us);
}

static int locations_load(struct command *cmd, struct store *store, int64_t now_us) {
    const struct batch *b = cmd->args;
    struct driver_service *s = cmd->service;
    struct piece *p = arena_new(cmd->arena, struct piece);
    cmd->facts = p;
    cmd->id = trail_id(cmd->arena, b->driver_id, 0);
    if (cmd->type == &locations_type && next_is_old(b, now_us))
        return ERR_CONFLICT; /* it has grown old while it waited: sent again as what it is */
    p->member = roster_meet(s->roster, b->driver_id);
    int err = follow_know(s, p->member, cmd, store, now_us);
    if (err < 0)
        return err;
    struct member *m = p->member;
    p->newest = m->newest;
    p->through_us = m->has_fix ? m->newest.at_us : 0;
    if (b->next == b->count)
        return 0; /* nothing was good: he only learns how far his trail goes */
    p->taken = p->fresh_count = piece_length(b, m);
    p->fresh = &b->fixes[b->next];
    const struct fix *last = &p->fresh[p->taken - 1];
    p->range = (struct trail_range){p->fresh[0].at_us, last->at_us, m->pending};
    if (range_taken(m, &p->range))
        return ERR_AGAIN;
    if (!m->has_fix || p->range.from_us > m->newest.at_us) {
        p->newest = *last;
        p->through_us = last->at_us;
    } else if ((err = leave_out_stored(p, cmd, store)) < 0) {
        return err;
    }
    if (p->fresh_count == 0)
        return 0;
    cmd->id = trail_id(cmd->arena, b->driver_id, p->fresh[0].at_us);
    m->pending = &p->range;
    p->reserved = true;
    return 0;
}

static void locations_decide(const struct command *cmd, const struct decide_ctx *ctx,
                             const void *state, struct decision *ret) {
    const struct batch *b = cmd->args;
    const struct piece *p = cmd->facts;
    if (p->fresh_count == 0)
        return;
    if (state != NULL) { /* what we believed of his newest fix is not so any more */
        ret->result = ERR_CONFLICT;
        return;
    }
    struct trail_chunk *chunk =
        trail_encode(ctx->arena, b->driver_id, p->fresh, p->fresh_count, &p->newest);
    decision_state(ret, cmd, NULL, chunk);
}

static void release(struct piece *p) {
    if (!p->reserved)
        return;
    struct trail_range **at = &p->member->pending;
    while (*at != &p->range) {
        CHECK(*at != NULL);
        at = &(*at)->next;
    }
    *at = p->range.next;
    p->reserved = false;
}

static void locations_applied(const struct command *cmd, const struct decision *d,
                              const void *state) {
    (void)state;
    const struct batch *b = cmd->args;
    struct driver_service *s = cmd->service;
    struct piece *p = cmd->facts;
    release(p);
    struct member *m = roster_meet(s->roster, b->driver_id);
    if (d->result < 0) {
        m->known = false;
        return;
    }
    m->known_us = s->o.clock->now_us(s->o.clock);
    roster_fix(s->roster, m, &p->newest);
}

static void locations_undone(const struct command *cmd) {
    struct piece *p = cmd->facts;
    if (p == NULL || !p->reserved)
        return;
    p->member->known = false;
    release(p);
}

static const struct command_type locations_type = {.name = "driver.locations",
                                                   .aggregate = &trail_aggregate,
                                                   .load = locations_load,
                                                   .decide = locations_decide,
                                                   .applied = locations_applied,
                                                   .undone = locations_undone};
static const struct command_type locations_old_type = {.name = "driver.locations_old",
                                                       .aggregate = &track_aggregate,
                                                       .load = locations_load,
                                                       .decide = locations_decide,
                                                       .applied = locations_applied,
                                                       .undone = locations_undone};

/* ---- the batch ---- */

static void batch_finish(struct command *cmd, int result, struct response *response);

static int batch_send(struct batch *b) {
    const struct clock *clock = b->service->o.clock;
    bool old = next_is_old(b, clock->now_us(clock));
    b->command = (struct command){.type = old ? &locations_old_type : &locations_type,
                                  .service = b->service,
                                  .args = b,
                                  .arena = b->arena,
                                  .finish = batch_finish,
                                  .finish_arg = b};
    return executor_submit(b->service->o.executor, &b->command);
}

static void batch_finish(struct command *cmd, int result, struct response *response) {
    (void)response;
    struct batch *b = cmd->finish_arg;
    const struct piece *p = cmd->facts;
    if (result == 0) {
        b->result.stored += p->fresh_count;
        b->result.duplicates += p->taken - p->fresh_count;
        b->result.through_us = p->through_us;
        b->next += p->taken;
    }
    bool again = result == ERR_CONFLICT && b->stale++ < STALE_TRIES_MAX;
    if (again || (result == 0 && b->next < b->count)) {
        result = batch_send(b);
        if (result == 0)
            return;
    }
    const struct clock *clock = b->service->o.clock;
    fix_budget_return(b->service, b->driver_id, b->charged - b->result.stored, clock->now_us(clock),
                      b->arena);
    b->service->stats.fixes += (uint64_t)b->result.stored;
    b->service->stats.duplicates += (uint64_t)b->result.duplicates;
    b->done(b->done_arg, result, &b->result);
}

static void reject(struct jw *w, struct arena *a, int32_t index, const struct fix_fault *fault) {
    jw_object(w);
    jw_kv_i64(w, "index", index);
    jw_kv_str(w, "pointer",
              fault->member != NULL ? arena_printf(a, "/fixes/%d/%s", index, fault->member)
                                    : arena_printf(a, "/fixes/%d", index));
    jw_kv_str(w, "detail", str_from(fault->detail));
    jw_end(w);
}

/* In order of time, and of two at the same time the one that came first. */
static void put_in_order(struct batch *b) {
    bool ordered = true;
    for (int32_t i = 1; i < b->count && ordered; i++)
        ordered = b->fixes[i].at_us > b->fixes[i - 1].at_us;
    if (ordered)
        return;
    fix_sort(b->fixes, b->count, b->arena);
    int32_t kept = 1;
    for (int32_t i = 1; i < b->count; i++) {
        if (b->fixes[i].at_us != b->fixes[kept - 1].at_us)
            b->fixes[kept++] = b->fixes[i];
    }
    b->result.duplicates = b->count - kept;
    b->count = kept;
}

static void read_fixes(struct batch *b, struct json_value fixes, int64_t now_us) {
    struct buf rejected;
    buf_init(&rejected, b->arena, 64);
    struct jw w;
    jw_init(&w, &rejected);
    jw_array(&w);
    int32_t index = 0;
    for (struct json_iter it = json_iter(fixes); json_next(&it); index++) {
        struct fix_fault fault;
        if (fix_read(it.value, now_us, &b->fixes[b->count], &fault) == 0)
            b->count++;
        else
            reject(&w, b->arena, index, &fault);
    }
    jw_end(&w);
    b->result.rejected = buf_str(&rejected);
    b->service->stats.rejected += (uint64_t)(index - b->count);
    put_in_order(b);
}

/* The list of fixes in BODY, if its shape is right. */
static int find_fixes(struct json_value body, struct arena *a, struct field_errors *errors,
                      struct json_value *ret_fixes) {
    bool found = false;
    if (json_kind(body) != JSON_IS_OBJECT) {
        field_errors_add(errors, a, STR(""), "must be an object");
        return ERR_INVALID;
    }
    for (struct json_iter it = json_iter(body); json_next(&it);) {
        if (!str_is(it.key, "fixes"))
            continue;
        if (found) {
            field_errors_add(errors, a, STR("/fixes"), "is given twice");
            return ERR_INVALID;
        }
        found = true;
        *ret_fixes = it.value;
    }
    if (!found || json_kind(*ret_fixes) == JSON_IS_NULL)
        field_errors_add(errors, a, STR("/fixes"), "is required");
    else if (json_kind(*ret_fixes) != JSON_IS_ARRAY)
        field_errors_add(errors, a, STR("/fixes"), "must be a list");
    else if (json_count(*ret_fixes) < 1 || json_count(*ret_fixes) > LOCATIONS_FIXES_MAX)
        field_errors_add(errors, a, STR("/fixes"), "must have 1 to %d items", LOCATIONS_FIXES_MAX);
    else
        return 0;
    return ERR_INVALID;
}

static int submit(struct locations *l, struct str user_id, struct json_value body, int64_t now_us,
                  struct arena *a, struct field_errors *errors, locations_done_fn done, void *arg,
                  int32_t *ret_wait_s) {
    struct driver_service *s =
        (struct driver_service *)((char *)l - offsetof(struct driver_service, locations));
    struct json_value fixes;
    int err = find_fixes(body, a, errors, &fixes);
    if (err < 0)
        return err;
    struct batch *b = arena_new(a, struct batch);
    *b = (struct batch){
        .service = s, .arena = a, .driver_id = driver_id_of(a, user_id), .done = done};
    b->done_arg = arg;
    b->fixes = arena_array(a, struct fix, json_count(fixes));
    read_fixes(b, fixes, now_us);
    int32_t wait_s = fix_budget_take(s, b->driver_id, b->count, now_us, a);
    if (wait_s > 0) {
        *ret_wait_s = wait_s;
        return ERR_LIMIT;
    }
    b->charged = b->count;
    err = batch_send(b);
    if (err < 0)
        fix_budget_return(s, b->driver_id, b->charged, now_us, a);
    return err;
}

const struct locations_ops driver_locations_ops = {.submit = submit};

/* ---- over HTTP ---- */

void locations_call_done(void *arg, int err, const struct locations_result *r) {
    struct call *c = arg;
    if (err == ERR_LIMIT) {
        call_problem(c, PROBLEM_TOO_MANY_REQUESTS,
                     "there are too many fixes of this stretch of time already");
        return;
    }
    if (err < 0) {
        call_error(c, err);
        return;
    }
    struct buf out;
    buf_init(&out, &c->arena, 128 + r->rejected.len);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_i64(&w, "stored", r->stored);
    jw_kv_i64(&w, "duplicates", r->duplicates);
    jw_key(&w, "rejected");
    jw_raw(&w, r->rejected);
    jw_kv_time(&w, "through", r->through_us);
    jw_end(&w);
    call_json(c, 200, buf_str(&out));
}

void locations_post(struct call *c) {
    struct driver_service *s = c->service;
    struct field_errors errors = {0};
    int32_t wait_s;
    int err = driver_locations_ops.submit(&s->locations, c->who.user_id, c->json, c->now_us,
                                          &c->arena, &errors, locations_call_done, c, &wait_s);
    if (err == ERR_INVALID)
        call_invalid(c, &errors);
    else if (err == ERR_LIMIT)
        call_too_many(c, STR("as many fixes as an hour may have are stored"), wait_s);
    else if (err < 0)
        call_problem(c, PROBLEM_OVERLOADED, "too many requests wait to be written");
}
