#include "services/booking/collect.h"

#include "base/check.h"
#include "runtime/audit.h"
#include "services/booking/fees.h"
#include "services/booking/ledger.h"

#include <stddef.h>

/* ---- what is due ---- */

static int64_t asked_at(const struct booking *b, int32_t i) {
    const struct stop_cash *cash = b->stops[i].cash;
    return cash != NULL && cash->asked > 0 ? cash->asked : 0;
}

static bool is_confirmed(const struct booking *b, int32_t i) {
    const struct stop_cash *cash = b->stops[i].cash;
    return cash != NULL && cash->collected != I64_ABSENT;
}

static bool has_fare(const struct booking *b, int32_t i) {
    return b->payment == PAYMENT_CASH && i == b->stop_count - 1;
}

int64_t collect_fares(const struct booking *b, int32_t but) {
    int64_t all = 0;
    for (int32_t i = 0; i < b->stop_count; i++)
        all += i != but && is_confirmed(b, i) ? b->stops[i].cash->fare : 0;
    return all;
}

/* Of a price of TOTAL: at the last stop what was not paid before; elsewhere what was paid there
 * when it was the last, before the way back was added, or another stop. Until its driver leaves
 * that one, what he has been paid for waiting there is not in the price: then nothing is due. */
static int64_t fare_of(const struct booking *b, int32_t i, int64_t total) {
    int64_t paid = has_fare(b, i) ? collect_fares(b, i) : 0;
    if (has_fare(b, i))
        return total > paid ? total - paid : 0;
    return is_confirmed(b, i) ? b->stops[i].cash->fare : 0;
}

int64_t collect_fare(const struct booking *b, int32_t i, int64_t now_us, struct arena *a) {
    struct price price = b->price;
    if (b->stops[i].state == STOP_ARRIVED) /* done: what was waited is in the price */
        fees_leave(b, i, now_us, a, &price);
    return fare_of(b, i, price.total);
}

/* What was due for the trip when cash was confirmed at stop I, as far as it is not paid elsewhere
 * by now. The stop need not be the last any more: else the office could say less of it, and never
 * again what it was. */
static int64_t fare_once(const struct booking *b, int32_t i) {
    const struct stop_cash *cash = b->stops[i].cash;
    if (!is_confirmed(b, i) || cash->fare_due <= 0) /* absent: confirmed before it was kept, and
                                                       not since: only as much as is due now */
        return 0;
    int64_t room = b->price.total - (ledger_fares(b) - cash->fare);
    int64_t fare = cash->fare_due < room ? cash->fare_due : room;
    return fare > 0 ? fare : 0;
}

int64_t collect_due(const struct booking *b, int32_t i, int64_t now_us, struct arena *a) {
    return asked_at(b, i) + collect_fare(b, i, now_us, a);
}

int64_t collect_taken(const struct booking *b, int32_t i) {
    bool at_end = b->state == BOOKING_DELIVERED || b->state == BOOKING_RETURNED;
    if (is_confirmed(b, i))
        return b->stops[i].cash->collected;
    int64_t fare = has_fare(b, i) && at_end ? ledger_fares(b) - collect_fares(b, i) : I64_ABSENT;
    return fare != I64_ABSENT && fare < 0 ? 0 : fare;
}

int64_t collect_all(const struct booking *b) {
    int64_t all = b->payment == PAYMENT_CASH ? b->price.total : 0;
    for (int32_t i = 0; i < b->stop_count; i++)
        all += b->stops[i].state != STOP_FAILED || is_confirmed(b, i) ? asked_at(b, i) : 0;
    return all;
}

/* What was confirmed is less than is due by now, and nobody has said why: what comes after this
 * stop was dropped since, and the fare is due here. */
static bool is_short(const struct booking *b, int32_t i) {
    const struct stop_cash *cash = b->stops[i].cash;
    return is_confirmed(b, i) && cash->reason.p == NULL &&
           cash->collected < asked_at(b, i) + fare_of(b, i, b->price.total);
}

bool collect_lacking(const struct booking *b, int32_t i, const struct command *cmd,
                     struct decision *d) {
    bool known = asked_at(b, i) == 0 || collect_taken(b, i) != I64_ABSENT;
    if (known && !is_short(b, i))
        return false;
    problem_fill_more(&d->response, cmd->arena, cmd->request_id, PROBLEM_CASH_MISSING,
                      arena_printf(cmd->arena, "stop %d is done once its cash is confirmed", i),
                      NULL, arena_printf(cmd->arena, "\"stop\":%d", i), 0);
    return true;
}

/* ---- what was asked ---- */

void collect_ask(const struct create_body *body, struct arena *a, struct booking *b) {
    for (int32_t i = 0; i < body->stop_count && i < b->stop_count; i++) {
        const struct collect_body *collect = body->stops[i].collect;
        if (collect == NULL)
            continue;
        b->stops[i].cash = arena_new(a, struct stop_cash);
        *b->stops[i].cash = (struct stop_cash){.asked = collect->amount, .collected = I64_ABSENT};
    }
}

int32_t collect_foreign(const struct create_body *body, struct str currency) {
    for (int32_t i = 0; i < body->stop_count; i++) {
        const struct collect_body *collect = body->stops[i].collect;
        if (collect != NULL && collect->currency.p != NULL && !str_eq(collect->currency, currency))
            return i;
    }
    return -1;
}

void collect_check(const struct booking_service *s, const struct create_body *body, struct arena *a,
                   struct field_errors *errors) {
    for (int32_t i = 0; i < body->stop_count; i++) {
        const struct collect_body *collect = body->stops[i].collect;
        if (collect == NULL)
            continue;
        if (i == 0)
            field_errors_add(errors, a, STR("/stops/0/collect"),
                             "is for stops to which something is brought, not for the pickup");
        else if (collect->amount > s->o.collect_max)
            field_errors_add(errors, a, arena_printf(a, "/stops/%d/collect/amount", i),
                             "must be at most %lld", (long long)s->o.collect_max);
    }
}

/* ---- what is shown ---- */

void collect_write(struct jw *w, const struct booking *b, int32_t i) {
    const struct stop_cash *cash = b->stops[i].cash;
    int64_t goods = asked_at(b, i), taken = collect_taken(b, i);
    if (goods == 0 && !has_fare(b, i) && taken == I64_ABSENT)
        return;
    int64_t fare = fare_of(b, i, b->price.total);
    jw_key(w, "cash");
    jw_object(w);
    jw_kv_str(w, "currency", b->price.currency);
    jw_kv_i64(w, "goods", goods);
    jw_kv_i64(w, "fare", fare);
    jw_kv_i64(w, "due", goods + fare);
    jw_key(w, "collected");
    if (taken != I64_ABSENT)
        jw_i64(w, taken);
    else
        jw_null(w);
    if (cash != NULL && cash->at_us != 0)
        jw_kv_time(w, "at", cash->at_us);
    if (cash != NULL && cash->reason.p != NULL)
        jw_kv_str(w, "reason", cash->reason);
    jw_end(w);
}

static void write_due(struct jw *w, const struct booking *b, int32_t i, int64_t now_us,
                      struct arena *a) {
    int64_t due = collect_due(b, i, now_us, a), taken = collect_taken(b, i);
    if (due == 0)
        return;
    jw_object(w);
    jw_kv_i64(w, "stop", i);
    jw_kv_i64(w, "goods", asked_at(b, i));
    jw_kv_i64(w, "fare", due - asked_at(b, i));
    jw_kv_i64(w, "due", due);
    jw_key(w, "collected");
    if (taken != I64_ABSENT)
        jw_i64(w, taken);
    else
        jw_null(w);
    jw_end(w);
}

/* As of now: what is being waited at the last stop is in it. */
void handle_collection(struct call *c) {
    const struct booking *b = visible_booking(c);
    struct buf out;
    struct jw w;
    if (b == NULL)
        return;
    buf_init(&out, &c->arena, 256);
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "currency", b->price.currency);
    jw_key(&w, "stops");
    jw_array(&w);
    for (int32_t i = 0; i < b->stop_count; i++)
        write_due(&w, b, i, c->now_us, &c->arena);
    jw_end(&w);
    jw_end(&w);
    response_header(&c->response, "Cache-Control", STR("no-store"));
    call_json(c, 200, buf_str(&out));
}

/* ---- confirming ---- */

/* Its driver, at the stop; or the office, where something is known that can be put right. False:
 * RET has the problem. */
static bool may_confirm(const struct booking *b, const struct command *cmd, unsigned hats,
                        struct decision *ret) {
    const struct collection_body *body = cmd->args;
    bool back = b->state == BOOKING_ARRIVED_RETURN;
    struct booking_ask ask = booking_ask_of(b, back ? ACTION_GIVE_BACK : ACTION_DELIVER, hats);
    int32_t to;
    if ((hats & HAT_STAFF) != 0) {
        bool known = body->stop < b->stop_count && b->driver != NULL &&
                     collect_taken(b, (int32_t)body->stop) != I64_ABSENT;
        if (!known)
            decision_invalid(ret, cmd, "/stop", "has no cash that was confirmed");
        else if (body->reason.p == NULL)
            decision_invalid(ret, cmd, "/reason", "is required to put right what was confirmed");
        return known && body->reason.p != NULL;
    }
    ask.stop = body->stop;
    enum verdict v = booking_judge(&ask, &to);
    if (v != VERDICT_OK)
        booking_refuse(b, cmd, &ask, v, "confirming cash", ret);
    return v == VERDICT_OK;
}

/* What has been waited since the driver was told may be left out: it stays owed. False: RET has the
 * problem. */
static bool sum_fits(const struct booking *b, const struct command *cmd, int64_t due,
                     struct decision *ret) {
    const struct collection_body *body = cmd->args;
    int32_t i = (int32_t)body->stop;
    int64_t least = asked_at(b, i) + fare_of(b, i, b->price.total);
    if (due == 0)
        decision_invalid(ret, cmd, "/stop", "asks for no cash");
    else if (body->amount > due)
        decision_invalid(ret, cmd, "/amount", "must be at most %lld, which is due here",
                         (long long)due);
    else if (body->amount < least && body->reason.p == NULL)
        decision_invalid(ret, cmd, "/reason", "is required for less than %lld, which is due here",
                         (long long)least);
    else
        return true;
    return false;
}

static bool said_already(const struct booking *b, const struct collection_body *body) {
    const struct stop_cash *cash = b->stops[body->stop].cash;
    return cash != NULL && cash->collected == body->amount && str_eq(cash->reason, body->reason);
}

/* The sum is AMOUNT, of which up to FARE is for the trip; the ledger gets what that is more than
 * before. */
static void take(struct edit *e, int32_t i, int64_t amount, int64_t fare) {
    const struct collection_body *body = e->cmd->args;
    const struct stop_cash *old = e->old->stops[i].cash;
    int64_t before = collect_taken(e->old, i);
    bool known = before != I64_ABSENT, said = old != NULL && old->collected != I64_ABSENT;
    int64_t fare_before = said ? old->fare : known ? before : 0; /* unsaid: it was the fare */
    struct stop_cash *cash = arena_new(e->ctx->arena, struct stop_cash);
    *cash = (struct stop_cash){.collected = I64_ABSENT};
    if (old != NULL)
        *cash = *old;
    cash->collected = amount;
    cash->fare = fare < amount ? fare : amount;
    cash->fare_due = fare > cash->fare_due ? fare : cash->fare_due;
    cash->reason = body->reason;
    cash->changes++;
    if (cash->at_us == 0)
        cash->at_us = e->ctx->now_us;
    edit_stop(e, i)->cash = cash;
    int64_t goods_before = known ? before - fare_before : 0;
    ledger_collected(e->b, amount - cash->fare - goods_before, cash->fare - fare_before,
                     e->ctx->now_us, e->ctx->arena);
}

/* It has ended, and nobody pays for the trip. */
static bool is_for_nothing(const struct booking *b) {
    return b->state == BOOKING_FAILED || b->state == BOOKING_CANCELLED;
}

void collect_for_nothing(struct edit *e) {
    int64_t fares = collect_fares(e->b, -1);
    for (int32_t k = 0; k < e->b->stop_count && is_for_nothing(e->b); k++) {
        if (!is_confirmed(e->b, k))
            continue;
        struct stop_cash *cash =
            arena_copy(e->ctx->arena, e->b->stops[k].cash, sizeof(struct stop_cash));
        cash->fare_due = cash->fare > cash->fare_due ? cash->fare : cash->fare_due;
        cash->fare = 0;
        edit_stop(e, k)->cash = cash;
    }
    if (is_for_nothing(e->b) && fares > 0)
        ledger_collected(e->b, fares, -fares, e->ctx->now_us, e->ctx->arena);
}

int64_t collect_failed(struct edit *e, int32_t i) {
    int64_t taken = is_confirmed(e->b, i) ? collect_taken(e->b, i) : 0;
    collect_for_nothing(e);
    return taken > 0 ? taken : I64_ABSENT;
}

/* For the audit log: what the office says was taken, in place of what was said before. */
struct collect_note {
    int64_t stop, amount;
};
#define NOTE(member) .flags = S_STORE, .offset = offsetof(struct collect_note, member)
static const struct schema_field note_fields[] = {
    {"stop", S_I64, NOTE(stop)},
    {"amount", S_I64, NOTE(amount)},
};
static const struct schema note_schema = SCHEMA(struct collect_note, "CollectNote", note_fields);

static void note_staff(const struct command *cmd, const struct decide_ctx *ctx,
                       const struct booking *old, const struct booking *b, int32_t i,
                       struct decision *ret) {
    const struct collection_body *body = cmd->args;
    struct collect_note before = {I64_ABSENT, collect_taken(old, i)};
    struct collect_note after = {i, collect_taken(b, i)};
    decision_audit(
        ret, cmd, ctx, "booking.cash_corrected", &before, &after,
        &(struct audit_more){.schema = &note_schema, .kept = true, .reason = body->reason});
}

static void decide_collect(const struct command *cmd, const struct decide_ctx *ctx,
                           const void *state, struct decision *ret) {
    const struct booking *b = state;
    const struct collection_body *body = cmd->args;
    unsigned hats = b != NULL ? booking_hats(b, &cmd->who) : 0;
    if (!booking_at_hand(b, cmd, hats, body->version, ret))
        return;
    CHECK(b != NULL);
    if (!may_confirm(b, cmd, hats, ret))
        return;
    int32_t i = (int32_t)body->stop;
    int64_t fare = collect_fare(b, i, ctx->now_us, ctx->arena);
    if ((hats & HAT_STAFF) != 0 && fare_once(b, i) > fare)
        fare = fare_once(b, i);
    if (!sum_fits(b, cmd, asked_at(b, i) + fare, ret))
        return;
    if (said_already(b, body)) {
        booking_unchanged(b, cmd, ctx, ret);
        return;
    }
    int32_t most = (hats & HAT_STAFF) != 0 ? COLLECT_CHANGES_IN_ALL : COLLECT_CHANGES_MAX;
    if (b->stops[i].cash != NULL && b->stops[i].cash->changes >= most) {
        decision_invalid(ret, cmd, "/stop", "has been confirmed often enough");
        return;
    }
    if (is_for_nothing(b))
        fare = 0; /* nothing was carried: all of it is the customer's */
    struct edit e;
    edit_begin(&e, cmd, ctx, b);
    take(&e, i, body->amount, fare);
    struct timeline_entry *entry = edit_entry(&e, ENTRY_COLLECTED);
    entry->stop = i;
    entry->amount = body->amount;
    entry->reason = body->reason;
    edit_event(&e, ENTRY_COLLECTED, NULL)->money_stop = i;
    edit_commit(&e, ret);
    if ((hats & HAT_STAFF) != 0)
        note_staff(cmd, ctx, b, e.b, i, ret);
    edit_reply(&e, ret, 200);
}

const struct command_type booking_collect = {
    .name = "booking.collect",
    .aggregate = &booking_aggregate,
    .decide = decide_collect,
    .applied = booking_applied,
};
