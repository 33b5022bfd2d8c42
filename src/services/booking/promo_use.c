/* The saga of a promo code's use: promo.h says how it goes. Pure but for the loads. */
#include "services/booking/promo.h"

#include "base/check.h"
#include "base/err.h"
#include "services/booking/internal.h"

#include <string.h>

/* ---- the code's document ---- */

/* A copy of OLD to change, with room for one more hold; it is the decision's state already. */
static struct promo *promo_edit(const struct command *cmd, const struct decide_ctx *ctx,
                                const struct promo *old, struct decision *ret) {
    struct promo *p = arena_copy(ctx->arena, old, sizeof(*p));
    p->holds = arena_array(ctx->arena, struct promo_hold, PROMO_HOLDS_MAX + 1);
    if (p->hold_count > 0)
        memcpy(p->holds, old->holds, (size_t)p->hold_count * sizeof(struct promo_hold));
    decision_state(ret, cmd, old, p);
    return p;
}

static int32_t hold_of(const struct promo *p, struct str booking_id) {
    for (int32_t i = 0; i < p->hold_count; i++) {
        if (str_eq(p->holds[i].booking_id, booking_id))
            return i;
    }
    return -1;
}

static void drop_hold(struct promo *p, int32_t i) {
    memmove(&p->holds[i], &p->holds[i + 1],
            (size_t)(p->hold_count - i - 1) * sizeof(struct promo_hold));
    p->hold_count--;
}

static void one_fewer(struct promo *p) {
    p->used -= p->used > 0;
}

/* ---- taking a use ---- */

static int exists(struct str booking_id, struct store *store, struct json_parser *parser,
                  struct arena *a, bool *ret) {
    void *state;
    int err = aggregate_get(&booking_aggregate, store, parser, booking_id, a, &state);
    *ret = err == 0;
    return err == ERR_NOT_FOUND ? 0 : err;
}

static int load_reserve(struct command *cmd, struct store *store, int64_t now_us) {
    const struct ev_promo *args = cmd->args;
    struct json_parser *parser = executor_parser(cmd->executor);
    struct promo_facts *f = arena_new(cmd->arena, struct promo_facts);
    void *state;
    cmd->facts = f;
    f->create_until_us = now_us + PROMO_CREATE_US;
    int err = exists(args->booking_id, store, parser, cmd->arena, &f->booked);
    if (err == 0)
        err = aggregate_get(&promo_aggregate, store, parser, cmd->id, cmd->arena, &state);
    if (err == 0)
        err = promo_know(state, args->customer_id, store, parser, cmd->arena, f);
    return err == ERR_NOT_FOUND ? 0 : err;
}

static void decide_reserve(const struct command *cmd, const struct decide_ctx *ctx,
                           const void *state, struct decision *ret) {
    const struct ev_promo *args = cmd->args;
    const struct promo_facts *f = cmd->facts;
    const struct promo *old = state;
    if (old == NULL) {
        decision_problem(ret, cmd, PROBLEM_PROMO_UNKNOWN, "%s", promo_words(PROBLEM_PROMO_UNKNOWN));
        return;
    }
    if (f->booked) /* it has its use, or had it: the booking says what is to be said */
        return;
    int32_t i = hold_of(old, args->booking_id);
    enum problem denied =
        i >= 0 ? PROBLEM_COUNT
               : promo_denied(old, f, args->customer_id, args->booking_id, ctx->now_us);
    if (denied != PROBLEM_COUNT) {
        decision_problem(ret, cmd, denied, "%s", promo_words(denied));
        return;
    }
    if (i < 0 && old->hold_count == PROMO_HOLDS_MAX) {
        decision_problem(ret, cmd, PROBLEM_OVERLOADED, "many use this promo code at this moment");
        return;
    }
    struct promo *p = promo_edit(cmd, ctx, old, ret);
    if (i < 0) {
        i = p->hold_count++;
        p->used++;
    }
    p->holds[i] = (struct promo_hold){.booking_id = args->booking_id,
                                      .customer_id = args->customer_id,
                                      .until_us = ctx->now_us + PROMO_HOLD_US,
                                      .settled = p->holds[i].settled};
}

const struct command_type promo_reserve = {.name = "promo.reserve",
                                           .aggregate = &promo_aggregate,
                                           .load = load_reserve,
                                           .decide = decide_reserve};

/* ---- holds that run out ---- */

static int load_wake(struct command *cmd, struct store *store, int64_t now_us) {
    struct json_parser *parser = executor_parser(cmd->executor);
    struct promo_facts *f = arena_new(cmd->arena, struct promo_facts);
    void *state;
    cmd->facts = f;
    int err = aggregate_get(&promo_aggregate, store, parser, cmd->id, cmd->arena, &state);
    if (err < 0)
        return err == ERR_NOT_FOUND ? 0 : err;
    const struct promo *p = state;
    for (int32_t i = 0; i < p->hold_count && err == 0; i++) {
        const struct promo_hold *h = &p->holds[i];
        bool booked = true;
        if (h->settled || h->until_us > now_us)
            continue;
        err = exists(h->booking_id, store, parser, cmd->arena, &booked);
        if (!booked && err == 0)
            f->gone[f->gone_count++] = h->booking_id;
    }
    return err;
}

static bool is_gone(const struct promo_facts *f, struct str booking_id) {
    for (int32_t i = 0; i < f->gone_count; i++) {
        if (str_eq(f->gone[i], booking_id))
            return true;
    }
    return false;
}

/* A hold whose booking is there waits on for its event. */
static void decide_wake(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    const struct promo *old = state;
    if (old == NULL || promo_aggregate.wake_at(old) == 0 ||
        promo_aggregate.wake_at(old) > ctx->now_us)
        return;
    struct promo *p = promo_edit(cmd, ctx, old, ret);
    for (int32_t i = p->hold_count - 1; i >= 0; i--) {
        struct promo_hold *h = &p->holds[i];
        if (h->until_us > ctx->now_us)
            continue;
        if (h->settled) {
            drop_hold(p, i);
        } else if (is_gone(cmd->facts, h->booking_id)) {
            drop_hold(p, i);
            one_fewer(p);
        } else {
            h->until_us = ctx->now_us + PROMO_HOLD_US;
        }
    }
}

const struct command_type promo_wake = {
    .name = "promo.wake", .aggregate = &promo_aggregate, .load = load_wake, .decide = decide_wake};

/* ---- what became of it ---- */

static void decide_settle(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct ev_promo *args = cmd->args;
    const struct promo *old = state;
    int32_t i = old != NULL ? hold_of(old, args->booking_id) : -1;
    if (i < 0 || old->holds[i].settled)
        return;
    struct promo *p = promo_edit(cmd, ctx, old, ret);
    p->holds[i].settled = true;
    p->holds[i].until_us = ctx->now_us + PROMO_SETTLED_US;
}

static void decide_free(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    const struct ev_promo *args = cmd->args;
    if (state == NULL)
        return;
    struct promo *p = promo_edit(cmd, ctx, state, ret);
    int32_t i = hold_of(p, args->booking_id);
    if (i >= 0)
        drop_hold(p, i);
    one_fewer(p);
}

static const struct command_type promo_settle = {
    .name = "promo.settle", .aggregate = &promo_aggregate, .decide = decide_settle};
static const struct command_type promo_free = {
    .name = "promo.free", .aggregate = &promo_aggregate, .decide = decide_free};

/* ---- a customer's uses ---- */

static struct promo_uses *uses_edit(const struct command *cmd, const struct decide_ctx *ctx,
                                    const struct promo_uses *old, struct decision *ret) {
    const struct ev_promo *args = cmd->args;
    struct promo_uses *u = arena_new(ctx->arena, struct promo_uses);
    if (old != NULL)
        *u = *old;
    else
        *u = (struct promo_uses){.code = args->code, .customer_id = args->customer_id};
    u->uses = arena_array(ctx->arena, struct promo_use, u->use_count + 1);
    if (old != NULL && old->use_count > 0)
        memcpy(u->uses, old->uses, (size_t)old->use_count * sizeof(struct promo_use));
    decision_state(ret, cmd, old, u);
    return u;
}

static int32_t use_of(const struct promo_uses *u, struct str booking_id) {
    for (int32_t i = 0; u != NULL && i < u->use_count; i++) {
        if (str_eq(u->uses[i].booking_id, booking_id))
            return i;
    }
    return -1;
}

/* The oldest that were given back are forgotten when there are many. */
static void forget_freed(struct promo_uses *u) {
    int32_t freed = 0;
    for (int32_t i = u->use_count - 1; i >= 0; i--) {
        freed += u->uses[i].freed;
        if (!u->uses[i].freed || freed <= PROMO_FREED_MAX)
            continue;
        memmove(&u->uses[i], &u->uses[i + 1],
                (size_t)(u->use_count - i - 1) * sizeof(struct promo_use));
        u->use_count--;
    }
}

static void tell(const struct command *cmd, const struct decide_ctx *ctx, const char *type,
                 struct decision *ret) {
    const struct ev_promo *args = cmd->args;
    decision_event(ret, cmd, ctx, type, args->code, &ev_promo_schema, args);
}

static void decide_taken(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    const struct ev_promo *args = cmd->args;
    if (use_of(state, args->booking_id) >= 0)
        return; /* given back before it was heard of */
    struct promo_uses *u = uses_edit(cmd, ctx, state, ret);
    /* The oldest goes when the document is full: then it counts for nobody any more. */
    if (u->use_count == PROMO_CUSTOMER_USES_MAX + PROMO_FREED_MAX) {
        memmove(u->uses, u->uses + 1, (size_t)(u->use_count - 1) * sizeof(struct promo_use));
        u->use_count--;
    }
    u->uses[u->use_count++] = (struct promo_use){.booking_id = args->booking_id};
    tell(cmd, ctx, EV_PROMO_USED, ret);
}

static void decide_given_back(const struct command *cmd, const struct decide_ctx *ctx,
                              const void *state, struct decision *ret) {
    const struct ev_promo *args = cmd->args;
    int32_t i = use_of(state, args->booking_id);
    if (i >= 0 && ((const struct promo_uses *)state)->uses[i].freed)
        return;
    struct promo_uses *u = uses_edit(cmd, ctx, state, ret);
    if (i < 0)
        i = u->use_count++;
    u->uses[i] = (struct promo_use){.booking_id = args->booking_id, .freed = true};
    forget_freed(u);
    tell(cmd, ctx, EV_PROMO_FREED, ret);
}

static const struct command_type uses_taken = {
    .name = "promo.taken", .aggregate = &promo_uses_aggregate, .decide = decide_taken};
static const struct command_type uses_given_back = {
    .name = "promo.given_back", .aggregate = &promo_uses_aggregate, .decide = decide_given_back};

/* ---- events ---- */

static bool sound(const struct ev_promo *e) {
    return e->code.p != NULL && id_valid(e->booking_id, "bkg") && id_valid(e->customer_id, "usr");
}

static void on_uses(struct event_turn *t, const void *data, const struct command_type *type) {
    const struct ev_promo *e = data;
    if (sound(e))
        event_command(t, type, promo_uses_id(e->code, e->customer_id, t->arena),
                      arena_copy(t->arena, e, sizeof(*e)));
}

static void on_code(struct event_turn *t, const void *data, const struct command_type *type) {
    const struct ev_promo *e = data;
    if (sound(e))
        event_command(t, type, promo_id(e->code, t->arena), arena_copy(t->arena, e, sizeof(*e)));
}

void on_promo_taken(struct event_turn *t, const void *data) {
    on_uses(t, data, &uses_taken);
}
void on_promo_given_back(struct event_turn *t, const void *data) {
    on_uses(t, data, &uses_given_back);
}
void on_promo_used(struct event_turn *t, const void *data) {
    on_code(t, data, &promo_settle);
}
void on_promo_freed(struct event_turn *t, const void *data) {
    on_code(t, data, &promo_free);
}
