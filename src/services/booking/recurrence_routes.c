/* What people may say of a recurrence: the bodies, what a schema cannot say of them, and the
 * decisions. The clock of the area is looked at by the handler, for a decision reads none. */
#include "base/check.h"
#include "base/err.h"
#include "runtime/audit.h"
#include "services/booking/recurrence.h"
#include "services/booking/schedule.h"

#include <stddef.h>
#include <string.h>

/* ---- bodies ---- */

#define AT(type, member) .flags = S_IN, .offset = offsetof(struct type, member)
#define MUST(type, member) .flags = S_IN | S_REQUIRED, .offset = offsetof(struct type, member)
static const struct schema_field pickup_fields[] = {
    {"from", S_LINE, MUST(clock_pair, from), .min = 5, .max = 5},
    {"to", S_LINE, MUST(clock_pair, to), .min = 5, .max = 5},
};
static const struct schema pickup_schema =
    STRICT_SCHEMA(struct clock_pair, "RecurrencePickup", pickup_fields);

#define COUNT(member) .count_offset = offsetof(struct recurrence_body, member)
/* What both have; IS: MUST or AT. */
#define SHARED_FIELDS(IS)                                                                          \
    {"name", S_LINE, AT(recurrence_body, name), .min = 1, .max = RECURRENCE_NAME_CHARS_MAX},       \
        {"stops",                                                                                  \
         S_LIST,                                                                                   \
         IS(recurrence_body, order.stops),                                                         \
         COUNT(order.stop_count),                                                                  \
         .min = STOPS_MIN,                                                                         \
         .max = STOPS_MAX,                                                                         \
         .sub = &order_stop_schema},                                                               \
        {"vehicle", S_ENUM, IS(recurrence_body, order.vehicle), .names = vehicle_names,            \
         .hint = "vehicle class"},                                                                 \
        {"goods",                                                                                  \
         S_LIST,                                                                                   \
         AT(recurrence_body, order.goods),                                                         \
         COUNT(order.goods_count),                                                                 \
         .min = 0,                                                                                 \
         .max = GOODS_MAX,                                                                         \
         .sub = &goods_schema},                                                                    \
        {"payment", S_ENUM, AT(recurrence_body, order.payment), .names = payment_names,            \
         .hint = "way to pay"},                                                                    \
        {"notes", S_STR, AT(recurrence_body, order.notes), .min = 0, .max = NOTES_CHARS_MAX},      \
        {"weekdays",           S_STR_LIST, IS(recurrence_body, weekdays),                          \
         COUNT(weekday_count), .min = 1,   .max = 7},                                              \
        {"every_weeks", S_I64, AT(recurrence_body, every_weeks), .min = 1,                         \
         .max = RECURRENCE_WEEKS_MAX},                                                             \
        {"pickup", S_OBJECT_PTR, IS(recurrence_body, pickup), .sub = &pickup_schema},              \
        {"ends_on", S_LINE, AT(recurrence_body, ends_on), .min = 10, .max = 10}, {                 \
        "times", S_I64, AT(recurrence_body, times), .min = 1, .max = RECURRENCE_TIMES_MAX          \
    }

static const struct schema_field body_fields[] = {
    SHARED_FIELDS(MUST),
    {"starts_on", S_LINE, AT(recurrence_body, starts_on), .min = 10, .max = 10},
    {"price_max", S_I64, AT(recurrence_body, price_max), .min = 1, .max = INT64_C(1000000000)},
};
const struct schema recurrence_body_schema =
    STRICT_SCHEMA(struct recurrence_body, "RecurrenceRequest", body_fields);
static const struct schema_field patch_fields[] = {
    SHARED_FIELDS(AT),
    {"price_max", S_I64, AT(recurrence_body, price_max), .min = 0, .max = INT64_C(1000000000)},
    {"open_ended", S_TRI, AT(recurrence_body, open_ended)},
    {"paused", S_TRI, AT(recurrence_body, paused)},
};
const struct schema recurrence_patch_schema =
    STRICT_SCHEMA(struct recurrence_body, "RecurrenceChange", patch_fields);
static const struct schema_field skip_fields[] = {
    {"date", S_LINE, MUST(skip_body, date), .min = 10, .max = 10},
};
const struct schema skip_body_schema =
    STRICT_SCHEMA(struct skip_body, "RecurrenceDate", skip_fields);
static const struct schema_field occurrence_fields[] = {
    {"date", S_LINE, MUST(occurrence_body, date), .min = 10, .max = 10},
    {"total", S_I64, AT(occurrence_body, total), .min = 1, .max = INT64_C(1000000000)},
};
const struct schema occurrence_body_schema =
    STRICT_SCHEMA(struct occurrence_body, "OccurrenceBooking", occurrence_fields);

/* ---- what is wrong with them ---- */

/* Of this moment; the zone's is that of the tariff that holds now. */
static struct wall wall_now(struct call *c) {
    struct booking_service *s = c->service;
    struct tariff_book *book = shelf_take(&s->tariffs);
    struct zone_time t;
    zone_local(&tariff_book_at(book, c->now_us)->zone, c->now_us, &t);
    shelf_give(&s->tariffs, book);
    return (struct wall){date_days(t.year, t.month, t.day), t.hour * 60 + t.minute};
}

static void check_weekdays(const struct recurrence_body *b, struct arena *a,
                           struct field_errors *errors) {
    uint32_t seen = 0;
    for (int32_t i = 0; i < b->weekday_count; i++) {
        int32_t weekday = weekday_named(b->weekdays[i]);
        struct str pointer = arena_printf(a, "/weekdays/%d", i);
        if (weekday < 0)
            field_errors_add(errors, a, pointer,
                             "must be one of mon, tue, wed, thu, fri, sat, sun");
        else if ((seen & 1u << weekday) != 0)
            field_errors_add(errors, a, pointer, "is there twice");
        seen |= weekday >= 0 ? 1u << weekday : 0;
    }
}

static void check_pickup(const struct recurrence_body *b, struct arena *a,
                         struct field_errors *errors) {
    if (b->pickup == NULL || b->pickup->from.p == NULL || b->pickup->to.p == NULL)
        return; /* absent, or said already */
    int32_t from = clock_minutes(b->pickup->from), to = clock_minutes(b->pickup->to);
    if (from < 0)
        field_errors_add(errors, a, STR("/pickup/from"), "must be a time like 08:00");
    if (to < 0)
        field_errors_add(errors, a, STR("/pickup/to"), "must be a time like 10:00");
    if (from < 0 || to < 0)
        return;
    int64_t length_us = (int64_t)rule_length_min(from, to) * 60 * US_PER_S;
    if (length_us < PICKUP_WINDOW_MIN_US)
        field_errors_add(errors, a, STR("/pickup/to"), "must be at least %lld minutes after from",
                         (long long)(PICKUP_WINDOW_MIN_US / US_PER_S / 60));
    else if (length_us > PICKUP_WINDOW_MAX_US)
        field_errors_add(errors, a, STR("/pickup/to"), "must be at most %lld hours after from",
                         (long long)(PICKUP_WINDOW_MAX_US / US_PER_S / 3600));
}

/* DATE, if it is given and one from FIRST on; else I64_ABSENT. */
static int64_t check_date(struct str date, const char *pointer, int64_t first, struct arena *a,
                          struct field_errors *errors) {
    int64_t day = date.p != NULL ? date_day(date) : I64_ABSENT;
    if (date.p != NULL && day == I64_ABSENT)
        field_errors_add(errors, a, str_from(pointer), "must be a date like 2026-12-25");
    else if (day != I64_ABSENT && day < first)
        field_errors_add(errors, a, str_from(pointer), "must not be before %.*s",
                         STR_ARG(day_date(first, a)));
    return day;
}

static void check_shared(const struct recurrence_body *b, struct arena *a,
                         struct field_errors *errors) {
    check_weekdays(b, a, errors);
    check_pickup(b, a, errors);
    goods_check(b->order.goods, b->order.goods_count, a, errors);
    if (b->ends_on.p != NULL && b->times != I64_ABSENT)
        field_errors_add(errors, a, STR("/times"), "cannot be given together with ends_on");
}

/* A whole one as a rule; what is not sound has been said. */
static struct recurrence_rule rule_of(const struct recurrence_body *b, int64_t today) {
    struct recurrence r = {.weekdays = b->weekdays,
                           .weekday_count = b->weekday_count,
                           .every_weeks = b->every_weeks != I64_ABSENT ? b->every_weeks : 1,
                           .pickup_from = b->pickup->from,
                           .pickup_to = b->pickup->to,
                           .starts_on = b->starts_on,
                           .ends_on = b->ends_on};
    struct recurrence_rule rule = recurrence_rule_of(&r);
    rule.first_day = b->starts_on.p != NULL ? rule.first_day : today;
    return rule;
}

/* Its first day that is not gone by. */
static int64_t first_day(const struct recurrence_rule *rule, struct wall now) {
    return rule_next(rule, recurrence_gone(rule, now));
}

/* What hangs on the day is for the decision to say: who asks again with his Idempotency-Key, and
 * after midnight, is answered as he was. */
static void check_days(const struct recurrence_body *b, struct wall now, struct arena *a,
                       struct field_errors *errors) {
    int64_t starts = check_date(b->starts_on, "/starts_on", now.day, a, errors);
    if (starts != I64_ABSENT && starts > now.day + RECURRENCE_START_DAYS_MAX)
        field_errors_add(errors, a, STR("/starts_on"), "is more than %d days ahead",
                         RECURRENCE_START_DAYS_MAX);
    check_date(b->ends_on, "/ends_on", starts > now.day ? starts : now.day, a, errors);
    if (errors->count > 0 || b->weekday_count == 0 || b->pickup == NULL)
        return;
    struct recurrence_rule rule = rule_of(b, now.day);
    if (first_day(&rule, now) == I64_ABSENT)
        field_errors_add(errors, a, STR("/ends_on"), "is before the first of its days");
}

#define ANY_DAY (INT64_MIN + 1)

void check_recurrence(struct call *c, const void *data, struct field_errors *errors) {
    const struct recurrence_body *b = data;
    check_shared(b, &c->arena, errors);
    check_date(b->starts_on, "/starts_on", ANY_DAY, &c->arena, errors);
    check_date(b->ends_on, "/ends_on", ANY_DAY, &c->arena, errors);
}

void check_recurrence_patch(struct call *c, const void *data, struct field_errors *errors) {
    const struct recurrence_body *b = data;
    check_shared(b, &c->arena, errors);
    check_date(b->ends_on, "/ends_on", ANY_DAY, &c->arena, errors);
    if (b->open_ended == TRI_TRUE && (b->ends_on.p != NULL || b->times != I64_ABSENT))
        field_errors_add(errors, &c->arena, STR("/open_ended"),
                         "cannot be given together with an end");
}

void check_skip(struct call *c, const void *data, struct field_errors *errors) {
    check_date(((const struct skip_body *)data)->date, "/date", ANY_DAY, &c->arena, errors);
}

void check_book_occurrence(struct call *c, const void *data, struct field_errors *errors) {
    check_date(((const struct occurrence_body *)data)->date, "/date", ANY_DAY, &c->arena, errors);
}

/* Could it be booked at all, as far as is known now? What is in the way is added to ERRORS. AT: a
 * window of its, if it is near enough to be priced; NULL: as if it were now. */
static void check_bookable(struct call *c, const struct order *order, const struct window *at,
                           struct field_errors *errors) {
    const struct order_owner owner = {c->who.user_id, (int32_t)c->who.role, STR_NONE};
    struct order asked = *order;
    struct window window;
    if (at != NULL) {
        window = *at;
        asked.pickup_window = &window;
    }
    order_price(c->service, &asked, &owner, c->now_us, &c->arena, errors);
}

/* ---- making one ---- */

static int load_begin(struct command *cmd, struct store *store, int64_t now_us) {
    struct booking_service *s = cmd->service;
    (void)now_us;
    return begin_reserve(cmd, store, &recurrence_collection, &s->beginning, RECURRENCES_MAX);
}

void recurrence_answer(const struct command *cmd, const struct decide_ctx *ctx,
                       const struct recurrence *r, int status, struct decision *ret) {
    decision_json(ret, status, recurrence_view(r, ctx->arena));
    decision_etag(ret, cmd, r->head.version);
}

static struct recurrence *made(const struct command *cmd, const struct decide_ctx *ctx) {
    const struct recurrence_args *args = cmd->args;
    const struct recurrence_body *b = &args->body;
    struct recurrence_rule rule = rule_of(b, args->now.day);
    int64_t gone = recurrence_gone(&rule, args->now);
    int64_t last = b->times != I64_ABSENT ? rule_nth(&rule, gone, b->times) : rule.last_day;
    struct recurrence *r = arena_new(ctx->arena, struct recurrence);
    *r = (struct recurrence){
        .owner_id = cmd->who.user_id,
        .role = (int32_t)cmd->who.role,
        .state = RECURRENCE_ACTIVE,
        .name = b->name,
        .order = arena_copy(ctx->arena, &b->order, sizeof(b->order)),
        .weekdays = b->weekdays,
        .weekday_count = b->weekday_count,
        .every_weeks = rule.every_weeks,
        .pickup_from = b->pickup->from,
        .pickup_to = b->pickup->to,
        .starts_on = day_date(rule.first_day, ctx->arena),
        .ends_on = last != I64_ABSENT ? day_date(last, ctx->arena) : STR_NONE,
        .price_max = b->price_max,
        .through = day_date(gone > rule.first_day - 1 ? gone : rule.first_day - 1, ctx->arena),
        .created_at_us = ctx->now_us,
        .updated_at_us = ctx->now_us,
        .next_us = ctx->now_us};
    return r;
}

/* True: RET has what the handler found. */
static bool refused(const struct command *cmd, struct decision *ret) {
    const struct recurrence_args *args = cmd->args;
    if (args->errors.count > 0)
        problem_fill_invalid(&ret->response, cmd->arena, cmd->request_id, &args->errors);
    return args->errors.count > 0;
}

static void decide_begin(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    const struct begin_facts *facts = cmd->facts;
    if (state != NULL) { /* 80 random bits met */
        decision_problem(ret, cmd, PROBLEM_INTERNAL, "this recurrence exists; try again");
        return;
    }
    if (facts->too_many) {
        decision_problem(ret, cmd, PROBLEM_TOO_MANY_RECURRENCES,
                         "%d of your recurrences have not ended, which is as many as may be",
                         RECURRENCES_MAX);
        return;
    }
    if (refused(cmd, ret))
        return;
    struct recurrence *r = made(cmd, ctx);
    decision_state(ret, cmd, NULL, r);
    recurrence_tell(cmd, ctx, r, ret);
    recurrence_answer(cmd, ctx, r, 201, ret);
}

const struct command_type recurrence_begin = {.name = "recurrence.begin",
                                              .aggregate = &recurrence_aggregate,
                                              .load = load_begin,
                                              .decide = decide_begin,
                                              .applied = begin_applied,
                                              .undone = begin_over};

/* ---- changing, ending, skipping ---- */

bool recurrence_at_hand(const struct recurrence *old, const struct command *cmd, const char *wanted,
                        struct decision *ret) {
    if (old == NULL || !recurrence_visible(old, &cmd->who)) {
        decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "there is no such recurrence");
        return false;
    }
    if (old->state == RECURRENCE_ENDED)
        decision_problem(ret, cmd, PROBLEM_ILLEGAL_TRANSITION,
                         "%s is not possible: this recurrence has ended", wanted);
    return old->state != RECURRENCE_ENDED;
}

/* What the audit log shows of one: nothing of who and where, which goes when its customer does. */
struct recurrence_note {
    int32_t state, stopped, vehicle, payment;
    int64_t stops, goods, every_weeks, price_max, booked;
    struct str *weekdays, *skips;
    int32_t weekday_count, skip_count;
    struct str pickup_from, pickup_to, starts_on, ends_on, trip;
};
#define NOTE(member) .flags = S_STORE, .offset = offsetof(struct recurrence_note, member)
static const struct schema_field note_fields[] = {
    {"state", S_ENUM, NOTE(state), .names = recurrence_state_names},
    {"paused_reason", S_ENUM, NOTE(stopped), .names = pause_reason_names},
    {"vehicle", S_ENUM, NOTE(vehicle), .names = vehicle_names},
    {"payment", S_ENUM, NOTE(payment), .names = payment_names},
    {"stops", S_I64, NOTE(stops)},
    {"goods", S_I64, NOTE(goods)},
    {"trip", S_STR, NOTE(trip)}, /* tells one from another, and not what it is */
    {"weekdays", S_STR_LIST, NOTE(weekdays),
     .count_offset = offsetof(struct recurrence_note, weekday_count), .max = 7},
    {"every_weeks", S_I64, NOTE(every_weeks)},
    {"pickup_from", S_STR, NOTE(pickup_from)},
    {"pickup_to", S_STR, NOTE(pickup_to)},
    {"starts_on", S_STR, NOTE(starts_on)},
    {"ends_on", S_STR, NOTE(ends_on)},
    {"price_max", S_I64, NOTE(price_max)},
    {"skips", S_STR_LIST, NOTE(skips), .count_offset = offsetof(struct recurrence_note, skip_count),
     .max = SKIPS_MAX},
    {"days_booked", S_I64, NOTE(booked)},
};
static const struct schema note_schema =
    SCHEMA(struct recurrence_note, "RecurrenceNote", note_fields);

static struct recurrence_note note_of(const struct recurrence *r, struct arena *a) {
    struct recurrence_note n = {.state = r->state,
                                .stopped = r->stopped,
                                .vehicle = r->order->vehicle,
                                .payment = r->order->payment,
                                .stops = r->order->stop_count,
                                .goods = r->order->goods_count,
                                .every_weeks = r->every_weeks,
                                .price_max = r->price_max,
                                .weekdays = r->weekdays,
                                .weekday_count = r->weekday_count,
                                .skips = r->skips,
                                .skip_count = r->skip_count,
                                .pickup_from = r->pickup_from,
                                .pickup_to = r->pickup_to,
                                .starts_on = r->starts_on,
                                .ends_on = r->ends_on};
    struct str order = schema_text(&order_schema, r->order, S_STORE, a);
    n.trip = arena_printf(a, "%08x", (unsigned)(str_hash(order, 0) & 0xffffffff));
    for (int32_t i = 0; i < r->occurrence_count; i++)
        n.booked += r->occurrences[i].state == OCCURRENCE_BOOKED;
    return n;
}

/* What staff do to somebody else's is noted. */
static void audit(const struct command *cmd, const struct decide_ctx *ctx, const char *action,
                  const struct recurrence *old, const struct recurrence *r, struct decision *ret) {
    if (str_eq(old->owner_id, cmd->who.user_id))
        return;
    struct recurrence_note before = note_of(old, ctx->arena), after = note_of(r, ctx->arena);
    decision_audit(ret, cmd, ctx, action, &before, &after,
                   &(struct audit_more){.schema = &note_schema, .kept = true});
}

void recurrence_finish(const struct command *cmd, const struct decide_ctx *ctx, const char *action,
                       const struct recurrence *old, struct recurrence *r, struct decision *ret) {
    audit(cmd, ctx, action, old, r, ret);
    recurrence_tell(cmd, ctx, r, ret);
    recurrence_answer(cmd, ctx, r, 200, ret);
}

static void change_trip(const struct recurrence_body *b, const struct decide_ctx *ctx,
                        struct recurrence *r) {
    struct order *o = arena_copy(ctx->arena, r->order, sizeof(*o));
    r->order = o;
    if (b->order.stops != NULL && b->order.stop_count > 0) {
        o->stops = b->order.stops;
        o->stop_count = b->order.stop_count;
    }
    if (b->order.goods != NULL) {
        o->goods = b->order.goods;
        o->goods_count = b->order.goods_count;
    }
    o->vehicle = b->order.vehicle != VEHICLE_NONE ? b->order.vehicle : o->vehicle;
    o->payment = b->order.payment != PAYMENT_NONE ? b->order.payment : o->payment;
    o->notes = b->order.notes.p != NULL ? b->order.notes : o->notes;
    r->name = b->name.p != NULL ? b->name : r->name;
    if (b->price_max != I64_ABSENT)
        r->price_max = b->price_max > 0 ? b->price_max : I64_ABSENT;
}

static void change_when(const struct recurrence_args *args, const struct decide_ctx *ctx,
                        struct recurrence *r) {
    const struct recurrence_body *b = &args->body;
    if (b->weekday_count > 0) {
        r->weekdays = b->weekdays;
        r->weekday_count = b->weekday_count;
    }
    r->every_weeks = b->every_weeks != I64_ABSENT ? b->every_weeks : r->every_weeks;
    if (b->pickup != NULL) {
        r->pickup_from = b->pickup->from;
        r->pickup_to = b->pickup->to;
    }
    /* From now on: days that were none of its before, and those of a pause, are not made up for. */
    struct recurrence_rule rule = recurrence_rule_of(r);
    int64_t gone = recurrence_gone(&rule, args->now);
    if (gone > date_day(r->through))
        r->through = day_date(gone, ctx->arena);
    if (b->open_ended == TRI_TRUE)
        r->ends_on = STR_NONE;
    if (b->ends_on.p != NULL)
        r->ends_on = b->ends_on;
    if (b->times == I64_ABSENT)
        return;
    rule.last_day = I64_ABSENT;
    int64_t day = date_day(r->through);
    for (int64_t n = 0; n < b->times; n++) { /* of those that nobody has seen to */
        do
            day = rule_next(&rule, day);
        while (recurrence_occurrence(r, day_date(day, ctx->arena)) >= 0);
    }
    r->ends_on = day_date(day, ctx->arena);
}

/* What was stopped because of its owner's account goes on when he says so, and nobody else. */
static bool may_resume(const struct recurrence *old, const struct command *cmd,
                       const struct recurrence_body *body, struct decision *ret) {
    bool own = str_eq(old->owner_id, cmd->who.user_id);
    if (body->paused != TRI_FALSE || old->stopped == PAUSE_NONE || own)
        return true;
    decision_problem(ret, cmd, PROBLEM_ILLEGAL_TRANSITION,
                     "its account was disabled: only its customer says that it goes on");
    return false;
}

static void change_pause(int32_t paused, const struct command *cmd, const struct decide_ctx *ctx,
                         struct recurrence *r) {
    if (str_eq(r->owner_id, cmd->who.user_id))
        r->vouched_us = ctx->now_us;
    if (paused == TRI_ABSENT)
        return;
    r->stopped = PAUSE_NONE;
    r->state = RECURRENCE_ACTIVE;
    if (paused == TRI_TRUE)
        recurrence_rest(r, ctx->now_us, ctx->arena);
}

static void decide_change(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct recurrence *old = state;
    const struct recurrence_args *args = cmd->args;
    if (!recurrence_at_hand(old, cmd, "a change", ret))
        return;
    struct str ends_on = args->body.ends_on;
    if (ends_on.p != NULL && date_day(ends_on) < date_day(old->starts_on)) {
        decision_invalid(ret, cmd, "/ends_on", "is before its first day");
        return;
    }
    if (refused(cmd, ret) || !may_resume(old, cmd, &args->body, ret))
        return;
    struct recurrence *r = recurrence_edit(cmd, ctx, old, ret);
    change_trip(&args->body, ctx, r);
    change_when(args, ctx, r);
    change_pause(args->body.paused, cmd, ctx, r);
    r->next_us = r->state == RECURRENCE_ACTIVE ? ctx->now_us : 0;
    recurrence_finish(cmd, ctx, "recurrence.changed", old, r, ret);
}
const struct command_type recurrence_change = {
    .name = "recurrence.change", .aggregate = &recurrence_aggregate, .decide = decide_change};

static void decide_end(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                       struct decision *ret) {
    const struct recurrence *old = state;
    bool ended =
        old != NULL && old->state == RECURRENCE_ENDED && recurrence_visible(old, &cmd->who);
    if (ended || !recurrence_at_hand(old, cmd, "ending it", ret))
        return; /* 204, as the first time */
    struct recurrence *r = recurrence_edit(cmd, ctx, old, ret);
    r->state = RECURRENCE_ENDED;
    r->ended_at_us = ctx->now_us;
    r->next_us = ctx->now_us + RECURRENCES_KEPT_US;
    audit(cmd, ctx, "recurrence.ended", old, r, ret);
    recurrence_tell(cmd, ctx, r, ret);
}
const struct command_type recurrence_end = {
    .name = "recurrence.end", .aggregate = &recurrence_aggregate, .decide = decide_end};

void recurrence_refuse_date(const struct command *cmd, struct str why, struct decision *ret) {
    decision_invalid(ret, cmd, "/date", "%.*s", STR_ARG(why));
}

/* May DATE be skipped, or no longer be? False: RET says why not. */
static bool may_skip(const struct command *cmd, const struct recurrence *old, int32_t known,
                     struct decision *ret) {
    const struct skip_args *args = cmd->args;
    struct recurrence_rule rule = recurrence_rule_of(old);
    int64_t day = date_day(args->date);
    if (known >= 0 && old->occurrences[known].state == OCCURRENCE_BOOKED) {
        struct str extra = arena_printf(cmd->arena, "\"booking_id\":\"%.*s\"",
                                        STR_ARG(old->occurrences[known].booking_id));
        problem_fill_more(&ret->response, cmd->arena, cmd->request_id, PROBLEM_ILLEGAL_TRANSITION,
                          STR("it is booked already; its booking can be cancelled"), NULL, extra,
                          0);
        return false;
    }
    if (!rule_falls_on(&rule, day))
        recurrence_refuse_date(cmd, STR("is none of its days"), ret);
    else if (day <= recurrence_gone(&rule, args->now))
        recurrence_refuse_date(cmd, STR("has gone by"), ret);
    else if (!args->undo && old->skip_count == SKIPS_MAX)
        recurrence_refuse_date(
            cmd,
            arena_printf(cmd->arena, "%d days are skipped, which is as many as may be", SKIPS_MAX),
            ret);
    else
        return true;
    return false;
}

static void add_skip(struct recurrence *r, struct str date, struct arena *a) {
    struct str *skips = arena_array(a, struct str, r->skip_count + 1);
    int32_t at = r->skip_count;
    if (at > 0)
        memcpy(skips, r->skips, (size_t)at * sizeof(*skips));
    for (; at > 0 && date_day(skips[at - 1]) > date_day(date); at--)
        skips[at] = skips[at - 1];
    skips[at] = date;
    r->skips = skips;
    r->skip_count++;
}

/* One that is held, or has failed: nobody wants it any more. */
static void settle_skipped(struct recurrence *r, int32_t known, struct arena *a) {
    r->occurrences =
        arena_copy(a, r->occurrences, (size_t)r->occurrence_count * sizeof(*r->occurrences));
    struct occurrence *o = &r->occurrences[known];
    o->state = OCCURRENCE_SKIPPED;
    o->reason = REASON_NONE;
    o->error_count = 0;
    o->total = I64_ABSENT;
}

/* DATE is like any other of its days again: also one that could not be booked, which is tried
 * again.
 */
static void clear_date(struct recurrence *r, struct str date, int32_t known, struct arena *a) {
    int32_t skip = recurrence_skipped(r, date);
    if (skip >= 0) {
        r->skips = arena_copy(a, r->skips, (size_t)r->skip_count * sizeof(*r->skips));
        r->skip_count--;
        memmove(&r->skips[skip], &r->skips[skip + 1],
                (size_t)(r->skip_count - skip) * sizeof(*r->skips));
    }
    if (known < 0)
        return;
    r->occurrences =
        arena_copy(a, r->occurrences, (size_t)r->occurrence_count * sizeof(*r->occurrences));
    r->occurrence_count--;
    memmove(&r->occurrences[known], &r->occurrences[known + 1],
            (size_t)(r->occurrence_count - known) * sizeof(*r->occurrences));
}

static void decide_skip(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    const struct recurrence *old = state;
    const struct skip_args *args = cmd->args;
    if (!recurrence_at_hand(old, cmd, "skipping", ret))
        return;
    int32_t known = recurrence_occurrence(old, args->date);
    if (!may_skip(cmd, old, known, ret))
        return;
    bool skipped = recurrence_skipped(old, args->date) >= 0 ||
                   (known >= 0 && old->occurrences[known].state == OCCURRENCE_SKIPPED);
    if (args->undo ? !skipped && known < 0 : skipped) {
        recurrence_answer(cmd, ctx, old, 200, ret); /* it is so already */
        return;
    }
    struct recurrence *r = recurrence_edit(cmd, ctx, old, ret);
    if (args->undo)
        clear_date(r, args->date, known, ctx->arena);
    else if (known >= 0)
        settle_skipped(r, known, ctx->arena);
    else
        add_skip(r, args->date, ctx->arena);
    r->next_us = r->state == RECURRENCE_ACTIVE ? ctx->now_us : 0;
    recurrence_finish(cmd, ctx, args->undo ? "recurrence.unskipped" : "recurrence.skipped", old, r,
                      ret);
}
const struct command_type recurrence_skip = {
    .name = "recurrence.skip", .aggregate = &recurrence_aggregate, .decide = decide_skip};

/* ---- routes ---- */

static struct recurrence_args *args_of(struct call *c) {
    struct recurrence_args *args = arena_new(&c->arena, struct recurrence_args);
    *args = (struct recurrence_args){.body = *(const struct recurrence_body *)c->body,
                                     .now = wall_now(c)};
    return args;
}

/* Whatever stands in the way, the command is sent: the request may be one that was answered before.
 */
void handle_recurrence(struct call *c) {
    struct recurrence_args *args = args_of(c);
    struct booking_service *s = c->service;
    check_days(&args->body, args->now, &c->arena, &args->errors);
    if (args->errors.count == 0) {
        struct recurrence_rule rule = rule_of(&args->body, args->now.day);
        struct tariff_book *book = shelf_take(&s->tariffs);
        struct window first =
            rule_window(&rule, first_day(&rule, args->now), &tariff_book_at(book, c->now_us)->zone);
        shelf_give(&s->tariffs, book);
        bool near = first.from_us >= c->now_us &&
                    first.from_us <= c->now_us + s->o.schedule_days_max * US_PER_DAY;
        check_bookable(c, &args->body.order, near ? &first : NULL, &args->errors);
    }
    call_command(c, &recurrence_begin, id_new(&c->arena, "rec", c->now_us, c->worker->rng), args);
}

static void write_item(struct page *p, const void *state, const void *arg) {
    (void)arg;
    recurrence_write(&p->w, state);
}

void handle_recurrences(struct call *c) {
    struct page page;
    int index = c->who.role == ROLE_CUSTOMER ? 0 : -1;
    if (page_list(&page, c, &recurrence_aggregate, index, c->who.user_id, write_item, NULL))
        page_reply(&page, page.more, page.last_id);
}

/* Can the path's be an id? False: replied. */
static bool path_id(struct call *c) {
    bool valid = id_valid(c->params[0], "rec");
    if (!valid)
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such recurrence");
    return valid;
}

void handle_get_recurrence(struct call *c) {
    const struct recurrence *r =
        path_id(c) ? call_state(c, &recurrence_aggregate, c->params[0]) : NULL;
    if (r == NULL)
        return;
    if (recurrence_visible(r, &c->who))
        call_json_etag(c, r->head.version, recurrence_view(r, &c->arena));
    else
        call_problem(c, PROBLEM_NOT_FOUND, "there is nothing here"); /* as if there were none */
}

/* Where another trip is wanted: could it be booked? False: replied. */
static bool look_at_trip(struct call *c, struct recurrence_args *args) {
    const struct recurrence_body *b = &args->body;
    bool asked =
        b->order.stop_count > 0 || b->order.goods_count > 0 || b->order.vehicle != VEHICLE_NONE;
    void *state = NULL;
    int err = asked ? aggregate_get(&recurrence_aggregate, c->worker->reader, c->worker->parser,
                                    c->params[0], &c->arena, &state)
                    : 0;
    if (err < 0 && err != ERR_NOT_FOUND) {
        call_error(c, err);
        return false;
    }
    const struct recurrence *r = state;
    if (r == NULL || !recurrence_visible(r, &c->who))
        return true; /* for the decision to say */
    struct recurrence next = *r;
    change_trip(b, &(struct decide_ctx){.arena = &c->arena}, &next);
    check_bookable(c, next.order, NULL, &args->errors);
    return true;
}

void handle_patch_recurrence(struct call *c) {
    if (!path_id(c))
        return;
    struct recurrence_args *args = args_of(c);
    check_date(args->body.ends_on, "/ends_on", args->now.day, &c->arena, &args->errors);
    if (look_at_trip(c, args))
        call_command(c, &recurrence_change, c->params[0], args);
}

void handle_end_recurrence(struct call *c) {
    if (path_id(c))
        call_command(c, &recurrence_end, c->params[0], NULL);
}

static void skip(struct call *c, bool undo) {
    struct skip_args *args = arena_new(&c->arena, struct skip_args);
    *args = (struct skip_args){((const struct skip_body *)c->body)->date, undo, wall_now(c)};
    if (path_id(c))
        call_command(c, &recurrence_skip, c->params[0], args);
}
void handle_skip(struct call *c) {
    skip(c, false);
}
void handle_unskip(struct call *c) {
    skip(c, true);
}

void handle_book_occurrence(struct call *c) {
    if (path_id(c))
        call_command(c, &recurrence_book, c->params[0], c->body);
}
