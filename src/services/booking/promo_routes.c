/* Promo codes over HTTP: an admin makes, changes and ends them; and who asks for a price names one.
 *
 * Codes are short words, so guessing is limited: an account that has named too many that there are
 * none of waits, whatever it names.
 */
#include "base/check.h"
#include "base/err.h"
#include "runtime/audit.h"
#include "services/booking/internal.h"
#include "services/booking/promo.h"

#include <string.h>

/* ---- a customer names one ---- */

static struct str guesses_key(struct call *c) {
    return arena_printf(&c->arena, "promo:%.*s", STR_ARG(c->who.user_id));
}

/* False: replied. Without a cache nobody counts. */
static bool may_guess(struct call *c) {
    struct cache *cache = runtime_options(c->runtime)->cache;
    int64_t guesses = 0, until_us;
    struct str key = guesses_key(c);
    if (cache->ops->get(cache, key, c->now_us, &guesses) < 0 || guesses < PROMO_GUESSES_MAX ||
        cache->ops->add(cache, key, 0, PROMO_GUESSES_US, c->now_us, &guesses, &until_us) < 0)
        return true;
    int64_t wait_s = (until_us - c->now_us) / 1000000 + 1;
    call_too_many(c, STR("too many promo codes that there are none of"), (int32_t)wait_s);
    return false;
}

static const struct promo_refusal *refusal(struct call *c, enum problem problem, struct str why) {
    struct promo_refusal *r = arena_new(&c->arena, struct promo_refusal);
    *r = (struct promo_refusal){(int32_t)problem, why};
    return r;
}

static const struct promo_refusal *unknown(struct call *c) {
    struct cache *cache = runtime_options(c->runtime)->cache;
    int64_t guesses, until_us;
    cache->ops->add(cache, guesses_key(c), 1, PROMO_GUESSES_US, c->now_us, &guesses, &until_us);
    return refusal(c, PROBLEM_PROMO_UNKNOWN, str_from(promo_words(PROBLEM_PROMO_UNKNOWN)));
}

const struct promo *promo_named(struct call *c, struct str text,
                                const struct promo_refusal **ret_refused) {
    struct str code = promo_normal(text, &c->arena);
    struct promo_facts *facts = arena_new(&c->arena, struct promo_facts);
    void *state;
    *ret_refused = NULL;
    if (!may_guess(c))
        return NULL;
    int err = code.p == NULL ? ERR_NOT_FOUND
                             : aggregate_get(&promo_aggregate, c->worker->reader, c->worker->parser,
                                             promo_id(code, &c->arena), &c->arena, &state);
    if (err == ERR_NOT_FOUND) {
        *ret_refused = unknown(c);
        return NULL;
    }
    if (err == 0)
        err = promo_know(state, c->who.user_id, c->worker->reader, c->worker->parser, &c->arena,
                         facts);
    if (err < 0) {
        call_error(c, err);
        return NULL;
    }
    enum problem denied = promo_denied(state, facts, c->who.user_id, STR_NONE, c->now_us);
    if (denied == PROBLEM_COUNT)
        return state;
    *ret_refused = refusal(c, denied,
                           str_from(denied == PROBLEM_PROMO_NOT_FOR_THIS ? "is for a first booking"
                                                                         : promo_words(denied)));
    return NULL;
}

/* ---- making one ---- */

static bool is_class(struct str name) {
    for (int32_t v = VEHICLE_NONE + 1; v < VEHICLE_COUNT; v++) {
        if (str_is(name, vehicle_names[v]))
            return true;
    }
    return false;
}

void check_promo(struct call *c, const void *body, struct field_errors *errors) {
    const struct promo *p = body;
    struct arena *a = &c->arena;
    if (p->code.p != NULL && promo_normal(p->code, a).p == NULL)
        field_errors_add(errors, a, STR("/code"), "must be letters A to Z, digits, - and _");
    if ((p->percent == I64_ABSENT) == (p->amount == I64_ABSENT))
        field_errors_add(errors, a, STR("/percent"), "either percent or amount must be there");
    if (p->cap != I64_ABSENT && p->percent == I64_ABSENT)
        field_errors_add(errors, a, STR("/cap"), "is for a percentage only");
    if (p->until_us != 0 && p->until_us <= (p->from_us > c->now_us ? p->from_us : c->now_us))
        field_errors_add(errors, a, STR("/valid_to"), "must lie after valid_from, and ahead");
    for (int32_t i = 0; i < p->vehicle_count; i++) {
        if (!is_class(p->vehicles[i]))
            field_errors_add(errors, a, arena_printf(a, "/vehicles/%d", i),
                             "must be one of bike, car, van, truck");
    }
}

static struct str promo_view(const struct promo *p, struct arena *a) {
    return schema_text(&promo_schema, p, S_OUT, a);
}

static void answer(const struct command *cmd, const struct decide_ctx *ctx, const struct promo *p,
                   int status, struct decision *ret) {
    decision_json(ret, status, promo_view(p, ctx->arena));
    decision_etag(ret, cmd, p->head.version);
}

static void decide_make(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    if (state != NULL) {
        decision_problem(ret, cmd, PROBLEM_PROMO_EXISTS, "there is such a code already");
        return;
    }
    struct promo *p = arena_copy(ctx->arena, cmd->args, sizeof(*p));
    p->code = promo_normal(p->code, ctx->arena);
    p->created_us = ctx->now_us;
    p->created_by = cmd->who.user_id;
    p->ended = false;
    p->used = 0;
    p->holds = NULL;
    p->hold_count = 0;
    decision_state(ret, cmd, NULL, p);
    decision_audit(ret, cmd, ctx, "promo.made", NULL, p, NULL);
    answer(cmd, ctx, p, 201, ret);
}

static const struct command_type promo_make = {
    .name = "promo.make", .aggregate = &promo_aggregate, .decide = decide_make};

void handle_promo_make(struct call *c) {
    const struct promo *p = c->body;
    struct str code = promo_normal(p->code, &c->arena);
    CHECK(code.p != NULL);
    call_command(c, &promo_make, promo_id(code, &c->arena), c->body);
}

/* ---- changing and ending one ---- */

static const struct promo *need(const struct command *cmd, const void *state,
                                struct decision *ret) {
    if (state == NULL)
        decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "there is no such promo code");
    return state;
}

static void decide_patch(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    const struct promo_patch *patch = cmd->args;
    const struct promo *old = need(cmd, state, ret);
    if (old == NULL)
        return;
    struct promo *p = arena_copy(ctx->arena, old, sizeof(*p));
    p->note = patch->note.p != NULL ? patch->note : p->note;
    p->until_us = patch->until_us != 0 ? patch->until_us : p->until_us;
    p->uses_max = patch->uses_max != I64_ABSENT ? patch->uses_max : p->uses_max;
    if (patch->customer_uses_max != I64_ABSENT)
        p->customer_uses_max = patch->customer_uses_max;
    if (patch->minimum_total != I64_ABSENT)
        p->minimum_total = patch->minimum_total;
    decision_state(ret, cmd, old, p);
    decision_audit(ret, cmd, ctx, "promo.changed", old, p, NULL);
    answer(cmd, ctx, p, 200, ret);
}

static void decide_end(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                       struct decision *ret) {
    const struct promo *old = need(cmd, state, ret);
    if (old == NULL)
        return;
    if (old->ended) {
        answer(cmd, ctx, old, 200, ret);
        return;
    }
    struct promo *p = arena_copy(ctx->arena, old, sizeof(*p));
    p->ended = true;
    decision_state(ret, cmd, old, p);
    decision_audit(ret, cmd, ctx, "promo.ended", old, p, NULL);
    answer(cmd, ctx, p, 200, ret);
}

static const struct command_type promo_change = {
    .name = "promo.change", .aggregate = &promo_aggregate, .decide = decide_patch};
static const struct command_type promo_end = {
    .name = "promo.end", .aggregate = &promo_aggregate, .decide = decide_end};

/* The id of the code in the path. Absent: replied. */
static struct str path_code(struct call *c) {
    struct str code = promo_normal(c->params[0], &c->arena);
    if (code.p != NULL)
        return promo_id(code, &c->arena);
    call_problem(c, PROBLEM_NOT_FOUND, "there is no such promo code");
    return STR_NONE;
}

void handle_promo_patch(struct call *c) {
    struct str id = path_code(c);
    if (id.p != NULL)
        call_command(c, &promo_change, id, c->body);
}

void handle_promo_end(struct call *c) {
    struct str id = path_code(c);
    if (id.p != NULL)
        call_command(c, &promo_end, id, NULL);
}

/* ---- reads ---- */

void handle_promo(struct call *c) {
    struct str id = path_code(c);
    const struct promo *p = id.p != NULL ? call_state(c, &promo_aggregate, id) : NULL;
    if (p != NULL)
        call_json_etag(c, p->head.version, promo_view(p, &c->arena));
}

void handle_promos(struct call *c) {
    int32_t limit, count;
    struct store_query q = {.collection = &promo_collection};
    struct store_doc *docs;
    if (!call_page(c, &limit, &q.after))
        return;
    q.limit = limit;
    int err = c->worker->reader->ops->list(c->worker->reader, &q, &c->arena, &docs, &count);
    struct page page;
    page_begin(&page, c);
    for (int32_t i = 0; i < count && err == 0; i++) {
        void *state;
        err = aggregate_decode(&promo_aggregate, &docs[i], c->worker->parser, &c->arena, &state);
        if (err == 0)
            schema_write(&promo_schema, state, S_OUT, &page.w);
    }
    if (err < 0) {
        call_error(c, err);
        return;
    }
    page_reply(&page, count == limit, count > 0 ? docs[count - 1].id : STR_NONE);
}
