/* The document of a recurrence, and what becomes of its occurrences. recurrence.h says how it goes.
 */
#include "services/booking/recurrence.h"

#include "services/booking/standing.h"

#include "base/check.h"
#include "base/err.h"

#include <stddef.h>
#include <string.h>

#define PAUSE_US US_PER_S /* until the next step, where more is due than one takes */

const char *const recurrence_state_names[] = {NULL, "active", "paused", "ended", NULL};
const char *const pause_reason_names[] = {NULL, "account_disabled", NULL};
const char *const occurrence_state_names[] = {NULL, "booked", "failed", "held", "skipped", NULL};
const char *const occurrence_reason_names[] = {NULL,       "outside_area", "no_tariff",
                                               "goods",    "too_dear",     "too_many_open",
                                               "too_late", "not_bookable", NULL};

#define AT(type, member) .flags = S_STORE, .offset = offsetof(struct type, member)
static const struct schema_field error_fields[] = {
    {"pointer", S_STR, AT(row_error, pointer)},
    {"detail", S_STR, AT(row_error, detail)},
};
static const struct schema error_schema = SCHEMA(struct row_error, "OccurrenceError", error_fields);
static const struct schema_field occurrence_fields[] = {
    {"date", S_STR, AT(occurrence, date)},
    {"state", S_ENUM, AT(occurrence, state), .names = occurrence_state_names},
    {"from", S_TIME, AT(occurrence, from_us)},
    {"to", S_TIME, AT(occurrence, to_us)},
    {"booking_id", S_ID, AT(occurrence, booking_id), .hint = "bkg"},
    {"total", S_I64, AT(occurrence, total)},
    {"reason", S_ENUM, AT(occurrence, reason), .names = occurrence_reason_names},
    {"errors", S_LIST, AT(occurrence, errors),
     .count_offset = offsetof(struct occurrence, error_count), .sub = &error_schema,
     .max = IMPORT_ERRORS_MAX},
};
static const struct schema occurrence_schema =
    SCHEMA(struct occurrence, "Occurrence", occurrence_fields);
static const struct schema_field recurrence_fields[] = {
    {"id", S_ID, S_OUT, offsetof(struct recurrence, head.id), .hint = "rec"},
    {"version", S_I64, S_OUT, offsetof(struct recurrence, head.version)},
    {"owner_id", S_ID, AT(recurrence, owner_id), .hint = "usr"},
    {"role", S_ENUM, AT(recurrence, role), .names = role_names},
    {"state", S_ENUM, AT(recurrence, state), .names = recurrence_state_names},
    {"name", S_STR, AT(recurrence, name)},
    {"order", S_OBJECT_PTR, AT(recurrence, order), .sub = &order_schema},
    {"weekdays", S_STR_LIST, AT(recurrence, weekdays),
     .count_offset = offsetof(struct recurrence, weekday_count), .max = 7},
    {"every_weeks", S_I64, AT(recurrence, every_weeks)},
    {"pickup_from", S_STR, AT(recurrence, pickup_from)},
    {"pickup_to", S_STR, AT(recurrence, pickup_to)},
    {"starts_on", S_STR, AT(recurrence, starts_on)},
    {"ends_on", S_STR, AT(recurrence, ends_on)},
    {"price_max", S_I64, AT(recurrence, price_max)},
    {"currency", S_STR, AT(recurrence, currency)},
    {"through", S_STR, AT(recurrence, through)},
    {"skips", S_STR_LIST, AT(recurrence, skips),
     .count_offset = offsetof(struct recurrence, skip_count), .max = SKIPS_MAX},
    {"occurrences", S_LIST, AT(recurrence, occurrences),
     .count_offset = offsetof(struct recurrence, occurrence_count), .sub = &occurrence_schema,
     .max = OCCURRENCES_MAX},
    {"created_at", S_TIME, AT(recurrence, created_at_us)},
    {"updated_at", S_TIME, AT(recurrence, updated_at_us)},
    {"ended_at", S_TIME, AT(recurrence, ended_at_us)},
    {"next", S_TIME, AT(recurrence, next_us)},
    {"vouched", S_TIME, AT(recurrence, vouched_us)},
    {"stopped", S_ENUM, AT(recurrence, stopped), .names = pause_reason_names},
};
const struct schema recurrence_schema =
    SCHEMA(struct recurrence, "StoredRecurrence", recurrence_fields);
const struct store_collection recurrence_collection = {
    .name = "recurrences", .indexes = {"owner_id", "going_on"}, .timers = true};

static void recurrence_keys(const void *state, struct arena *a,
                            struct str ret_keys[STORE_KEYS_MAX]) {
    const struct recurrence *r = state;
    (void)a;
    ret_keys[0] = r->owner_id;
    ret_keys[1] = r->state != RECURRENCE_ENDED ? r->owner_id : STR_NONE;
}
static int64_t recurrence_wake_at(const void *state) {
    return ((const struct recurrence *)state)->next_us;
}
const struct aggregate recurrence_aggregate = {&recurrence_collection, &recurrence_schema,
                                               recurrence_keys, recurrence_wake_at};

/* ---- days ---- */

int64_t date_day(struct str date) {
    int32_t y, m, d;
    return date_parse(date, &y, &m, &d) ? date_days(y, m, d) : I64_ABSENT;
}

struct str day_date(int64_t day, struct arena *a) {
    int32_t y, m, d;
    date_of_days(day, &y, &m, &d);
    return arena_printf(a, "%04d-%02d-%02d", y, m, d);
}

struct recurrence_rule recurrence_rule_of(const struct recurrence *r) {
    struct recurrence_rule rule = {.every_weeks = r->every_weeks,
                                   .from_min = clock_minutes(r->pickup_from),
                                   .to_min = clock_minutes(r->pickup_to),
                                   .first_day = date_day(r->starts_on),
                                   .last_day = date_day(r->ends_on)};
    for (int32_t i = 0; i < r->weekday_count; i++)
        rule.weekdays |= 1u << weekday_named(r->weekdays[i]);
    return rule;
}

int64_t recurrence_gone(const struct recurrence_rule *rule, struct wall now) {
    return now.minute >= rule->from_min ? now.day : now.day - 1;
}

int32_t recurrence_occurrence(const struct recurrence *r, struct str date) {
    for (int32_t i = 0; i < r->occurrence_count; i++) {
        if (str_eq(r->occurrences[i].date, date))
            return i;
    }
    return -1;
}

int32_t recurrence_skipped(const struct recurrence *r, struct str date) {
    for (int32_t i = 0; i < r->skip_count; i++) {
        if (str_eq(r->skips[i], date))
            return i;
    }
    return -1;
}

/* The first day that will be booked, as far as is known now; I64_ABSENT: none. */
static int64_t next_to_book(const struct recurrence *r, struct arena *a) {
    struct recurrence_rule rule = recurrence_rule_of(r);
    int64_t day = r->state == RECURRENCE_ENDED ? I64_ABSENT : date_day(r->through);
    while (day != I64_ABSENT) {
        day = rule_next(&rule, day);
        struct str date = day != I64_ABSENT ? day_date(day, a) : STR_NONE;
        if (date.p == NULL ||
            (recurrence_occurrence(r, date) < 0 && recurrence_skipped(r, date) < 0))
            break;
    }
    return day;
}

/* ---- views ---- */

bool recurrence_visible(const struct recurrence *r, const struct identity *who) {
    return who->role == ROLE_DISPATCHER || who->role == ROLE_ADMIN ||
           str_eq(r->owner_id, who->user_id);
}

static void write_strs(struct jw *w, const char *key, const struct str *list, int32_t count) {
    jw_key(w, key);
    jw_array(w);
    for (int32_t i = 0; i < count; i++)
        jw_str(w, list[i]);
    jw_end(w);
}

static void write_optional(struct jw *w, const char *key, int64_t v) {
    jw_key(w, key);
    if (v == I64_ABSENT)
        jw_null(w);
    else
        jw_i64(w, v);
}

static void write_occurrence(struct jw *w, const struct occurrence *o) {
    jw_object(w);
    jw_kv_str(w, "date", o->date);
    jw_kv_str(w, "state", str_from(occurrence_state_names[o->state]));
    jw_kv_time(w, "from", o->from_us);
    jw_kv_time(w, "to", o->to_us);
    jw_kv_str(w, "booking_id", o->booking_id);
    write_optional(w, "total", o->total);
    jw_kv_str(w, "reason",
              o->reason != REASON_NONE ? str_from(occurrence_reason_names[o->reason]) : STR_NONE);
    jw_key(w, "errors");
    jw_array(w);
    for (int32_t i = 0; i < o->error_count; i++)
        schema_write(&error_schema, &o->errors[i], S_STORE, w);
    jw_end(w);
    jw_end(w);
}

static void write_when(struct jw *w, const struct recurrence *r) {
    struct arena a;
    arena_init(&a, 1024);
    int64_t next = next_to_book(r, &a);
    write_strs(w, "weekdays", r->weekdays, r->weekday_count);
    jw_kv_i64(w, "every_weeks", r->every_weeks);
    jw_key(w, "pickup");
    jw_object(w);
    jw_kv_str(w, "from", r->pickup_from);
    jw_kv_str(w, "to", r->pickup_to);
    jw_end(w);
    jw_kv_str(w, "starts_on", r->starts_on);
    jw_kv_str(w, "ends_on", r->ends_on);
    jw_kv_str(w, "next_on", next != I64_ABSENT ? day_date(next, &a) : STR_NONE);
    jw_kv_time(w, "next_at", r->state == RECURRENCE_ACTIVE && next != I64_ABSENT ? r->next_us : 0);
    arena_free(&a);
}

void recurrence_write(struct jw *w, const struct recurrence *r) {
    jw_object(w);
    jw_kv_str(w, "id", r->head.id);
    jw_kv_i64(w, "version", r->head.version);
    jw_kv_str(w, "owner_id", r->owner_id);
    jw_kv_str(w, "state", str_from(recurrence_state_names[r->state]));
    jw_kv_str(w, "paused_reason",
              r->state == RECURRENCE_PAUSED && r->stopped != PAUSE_NONE
                  ? str_from(pause_reason_names[r->stopped])
                  : STR_NONE);
    jw_kv_str(w, "name", r->name);
    schema_write_fields(&order_schema, r->order, S_STORE, w);
    write_when(w, r);
    write_optional(w, "price_max", r->price_max);
    jw_kv_str(w, "currency", r->currency);
    write_strs(w, "skips", r->skips, r->skip_count);
    jw_key(w, "occurrences");
    jw_array(w);
    for (int32_t i = 0; i < r->occurrence_count; i++)
        write_occurrence(w, &r->occurrences[i]);
    jw_end(w);
    jw_kv_time(w, "created_at", r->created_at_us);
    jw_kv_time(w, "updated_at", r->updated_at_us);
    jw_kv_time(w, "ended_at", r->ended_at_us);
    jw_end(w);
}

struct str recurrence_view(const struct recurrence *r, struct arena *a) {
    struct buf out;
    struct jw w;
    buf_init(&out, a, 1024);
    jw_init(&w, &out);
    recurrence_write(&w, r);
    return buf_str(&out);
}

/* ---- changes ---- */

struct recurrence *recurrence_edit(const struct command *cmd, const struct decide_ctx *ctx,
                                   const struct recurrence *old, struct decision *ret) {
    struct recurrence *r = arena_copy(ctx->arena, old, sizeof(*r));
    r->updated_at_us = ctx->now_us;
    decision_state(ret, cmd, old, r);
    return r;
}

void recurrence_tell(const struct command *cmd, const struct decide_ctx *ctx,
                     const struct recurrence *r, struct decision *ret) {
    struct ev_told said = {r->owner_id, r->role, recurrence_view(r, ctx->arena)};
    decision_event(ret, cmd, ctx, EV_RECURRENCE_UPDATED, r->head.id, &ev_told_schema, &said);
}

/* ---- a step ---- */

struct step_occurrence {
    int64_t day;
    struct window window;
    bool skipped;
    const struct quote_set *set; /* of one that is to be booked; NULL: … */
    int32_t reason;              /* … why not */
    int64_t total;               /* I64_ABSENT: it has no price */
    struct str currency;
    struct field_errors *errors;
};
struct recurrence_step {
    int64_t version; /* of the recurrence that was read; 0: there is none */
    bool disabled;   /* its owner's account is, and he has not said since that it goes on */
    struct step_occurrence due[RECURRENCE_STEP_MAX];
    int32_t count;
    int64_t next_us; /* of the next after these; 0: there is none */
};

static int32_t reason_of(const struct field_errors *errors) {
    struct str pointer = errors->count > 0 ? errors->items[0].pointer : STR_NONE;
    return str_starts(pointer, "/stops")     ? REASON_OUTSIDE_AREA
           : str_starts(pointer, "/vehicle") ? REASON_NO_TARIFF
           : str_starts(pointer, "/goods")   ? REASON_GOODS
                                             : REASON_OTHER;
}

static void refuse(struct command *cmd, struct step_occurrence *o, int32_t reason,
                   const char *pointer, struct str why) {
    o->set = NULL;
    o->reason = reason;
    field_errors_add(o->errors, cmd->arena, str_from(pointer), "%.*s", STR_ARG(why));
}

/* What is to become of O, for which there is ROOM for one more booking and which may cost PRICE_MAX
 * (I64_ABSENT: anything). */
static void judge(struct command *cmd, const struct recurrence *r, int64_t now_us, bool room,
                  int64_t price_max, struct step_occurrence *o) {
    struct booking_service *s = cmd->service;
    struct order order = *r->order;
    order.pickup_window = &o->window;
    o->total = I64_ABSENT;
    if (o->skipped)
        return;
    o->errors = arena_new(cmd->arena, struct field_errors);
    if (o->window.from_us < now_us) {
        refuse(cmd, o, REASON_TOO_LATE, "/pickup/from", STR("has gone by"));
        return;
    }
    const struct order_owner owner = {r->owner_id, r->role, r->head.id};
    o->set = order_price(s, &order, &owner, now_us, cmd->arena, o->errors);
    if (o->set == NULL) {
        o->reason = reason_of(o->errors);
        return;
    }
    o->total = o->set->quotes[0].price.total;
    o->currency = o->set->quotes[0].price.currency;
    if (price_max != I64_ABSENT && o->total > price_max)
        refuse(cmd, o, REASON_TOO_DEAR, "/price_max",
               arena_printf(cmd->arena, "it costs %lld", (long long)o->total));
    else if (!room)
        refuse(cmd, o, REASON_TOO_MANY_OPEN, "", open_words(s, cmd->arena));
}

static void list_due(struct booking_service *s, struct command *cmd, const struct recurrence *r,
                     int64_t now_us, struct recurrence_step *step) {
    struct recurrence_rule rule = recurrence_rule_of(r);
    int64_t settled[OCCURRENCES_MAX];
    struct rule_progress done = {date_day(r->through), settled, r->occurrence_count};
    struct rule_due due;
    for (int32_t i = 0; i < r->occurrence_count; i++)
        settled[i] = date_day(r->occurrences[i].date);
    struct tariff_book *book = shelf_take(&s->tariffs);
    const struct zone *zone = &tariff_book_at(book, now_us)->zone;
    rule_due(&rule, &done, zone, now_us, s->o.recurrence_days * US_PER_DAY, &due);
    for (int32_t i = 0; i < due.count; i++)
        step->due[i] = (struct step_occurrence){
            .day = due.days[i],
            .window = rule_window(&rule, due.days[i], zone),
            .skipped = recurrence_skipped(r, day_date(due.days[i], cmd->arena)) >= 0};
    shelf_give(&s->tariffs, book);
    step->count = due.count;
    step->next_us = due.more ? now_us + PAUSE_US : due.next_us;
}

static int look_at_owner(struct command *cmd, struct store *store, const struct recurrence *r,
                         struct recurrence_step *step) {
    enum standing standing;
    int64_t since_us;
    int err = standing_of(store, executor_parser(cmd->executor), r->owner_id, cmd->arena, &standing,
                          &since_us);
    step->disabled = standing == STANDING_ERASED ||
                     (standing == STANDING_DISABLED && since_us > recurrence_vouched(r));
    return err;
}

/* The occurrences that are due, and their prices. */
static int load_step(struct command *cmd, struct store *store, int64_t now_us) {
    struct recurrence_step *step = arena_new(cmd->arena, struct recurrence_step);
    int32_t room = RECURRENCE_STEP_MAX;
    void *state;
    cmd->facts = step;
    int err = aggregate_get(&recurrence_aggregate, store, executor_parser(cmd->executor), cmd->id,
                            cmd->arena, &state);
    if (err < 0)
        return err == ERR_NOT_FOUND ? 0 : err;
    const struct recurrence *r = state;
    step->version = r->head.version;
    if (r->state != RECURRENCE_ACTIVE)
        return 0;
    err = look_at_owner(cmd, store, r, step);
    if (err < 0 || step->disabled)
        return err;
    list_due(cmd->service, cmd, r, now_us, step);
    if (step->count > 0)
        err = order_room(cmd->service, store, r->owner_id, r->role, RECURRENCE_STEP_MAX, &room);
    for (int32_t i = 0; i < step->count && err == 0; i++) {
        judge(cmd, r, now_us, room > 0, r->price_max, &step->due[i]);
        room -= step->due[i].set != NULL;
    }
    return err;
}

/* The booking of DAY has one id, whenever it is asked for: of about the time when it is made. */
static struct str booking_of(const struct recurrence *r, int64_t day, int64_t days_ahead,
                             struct arena *a) {
    int64_t at_us = (day - days_ahead - 1) * US_PER_DAY;
    return order_booking_id(r->head.id, day, at_us > r->created_at_us ? at_us : r->created_at_us,
                            a);
}

static void tell_failed(const struct command *cmd, const struct decide_ctx *ctx,
                        const struct recurrence *r, const struct occurrence *o,
                        struct decision *ret) {
    struct ev_not_booked said = {.user_id = r->owner_id,
                                 .role = r->role,
                                 .recurrence_id = r->head.id,
                                 .name = r->name,
                                 .date = o->date,
                                 .reason = str_from(occurrence_reason_names[o->reason]),
                                 .detail = o->error_count > 0 ? o->errors[0].detail : STR_NONE,
                                 .from_us = o->from_us,
                                 .to_us = o->to_us};
    decision_event(ret, cmd, ctx, EV_RECURRENCE_FAILED, r->head.id, &ev_not_booked_schema, &said);
}

/* What O has come to. */
static int32_t outcome_of(const struct step_occurrence *o) {
    return o->skipped                     ? OCCURRENCE_SKIPPED
           : o->set != NULL               ? OCCURRENCE_BOOKED
           : o->reason == REASON_TOO_DEAR ? OCCURRENCE_HELD
                                          : OCCURRENCE_FAILED;
}

static struct occurrence settled(const struct command *cmd, const struct decide_ctx *ctx,
                                 struct recurrence *r, const struct step_occurrence *due,
                                 struct decision *ret) {
    const struct booking_service *s = cmd->service;
    struct occurrence o = {.date = day_date(due->day, ctx->arena),
                           .state = outcome_of(due),
                           .from_us = due->window.from_us,
                           .to_us = due->window.to_us,
                           .total = due->total};
    if (due->total != I64_ABSENT)
        r->currency = due->currency;
    if (o.state == OCCURRENCE_BOOKED) {
        o.booking_id = booking_of(r, due->day, s->o.recurrence_days, ctx->arena);
        order_send(ret, cmd, ctx, o.booking_id, due->set);
    }
    if (due->skipped || due->set != NULL)
        return o;
    struct import_row row = {0};
    import_fail(&row, due->errors, false, ctx->arena);
    o.reason = due->reason;
    o.errors = row.errors;
    o.error_count = row.error_count;
    tell_failed(cmd, ctx, r, &o, ret);
    return o;
}

/* Puts O in its place; the oldest that is not needed any more makes room. */
static void put(struct recurrence *r, const struct occurrence *o) {
    int32_t at = r->occurrence_count;
    while (at > 0 && date_day(r->occurrences[at - 1].date) > date_day(o->date))
        at--;
    if (r->occurrence_count == OCCURRENCES_MAX) {
        CHECK(at > 0 && date_day(r->occurrences[0].date) <= date_day(r->through));
        at--;
        memmove(r->occurrences, r->occurrences + 1, (size_t)at * sizeof(*o));
    } else {
        memmove(r->occurrences + at + 1, r->occurrences + at,
                (size_t)(r->occurrence_count - at) * sizeof(*o));
        r->occurrence_count++;
    }
    r->occurrences[at] = *o;
}

static void drop_skip(struct recurrence *r, struct str date, struct arena *a) {
    int32_t at = recurrence_skipped(r, date);
    if (at < 0)
        return;
    r->skips = arena_copy(a, r->skips, (size_t)r->skip_count * sizeof(*r->skips));
    memmove(&r->skips[at], &r->skips[at + 1], (size_t)(r->skip_count - at - 1) * sizeof(*r->skips));
    r->skip_count--;
}

/* What has begun by NOW and was seen to need never be looked at again, nor is anybody asked any
 * more. */
static void pass(struct recurrence *r, int64_t now_us) {
    for (int32_t i = 0; i < r->occurrence_count; i++) {
        struct occurrence *o = &r->occurrences[i];
        if (o->from_us > now_us)
            continue;
        if (o->state == OCCURRENCE_HELD)
            o->state = OCCURRENCE_FAILED;
        if (date_day(o->date) > date_day(r->through))
            r->through = o->date;
    }
}

/* When it is to be looked at next, if NEXT_US is when the next occurrence is due or the last
 * begins: when one that is held has begun, if that is earlier. */
static int64_t wake_of(const struct recurrence *r, int64_t next_us) {
    for (int32_t i = 0; i < r->occurrence_count; i++) {
        const struct occurrence *o = &r->occurrences[i];
        if (o->state == OCCURRENCE_HELD && o->from_us < next_us)
            next_us = o->from_us;
    }
    return next_us;
}

/* Nothing more will come: it ends when the last has begun. */
static void run_out(struct recurrence *r, int64_t now_us) {
    int64_t last_us = 0;
    for (int32_t i = 0; i < r->occurrence_count; i++)
        last_us = r->occurrences[i].from_us > last_us ? r->occurrences[i].from_us : last_us;
    r->next_us = last_us;
    if (last_us > now_us)
        return;
    r->state = RECURRENCE_ENDED;
    r->ended_at_us = now_us;
    r->next_us = now_us + RECURRENCES_KEPT_US;
}

/* A list of its own, with room. */
static void own_occurrences(struct recurrence *r, struct arena *a) {
    const struct occurrence *old = r->occurrences;
    r->occurrences = arena_array(a, struct occurrence, OCCURRENCES_MAX);
    if (r->occurrence_count > 0)
        memcpy(r->occurrences, old, (size_t)r->occurrence_count * sizeof(*old));
}

void recurrence_rest(struct recurrence *r, int64_t now_us, struct arena *a) {
    int32_t kept = 0;
    own_occurrences(r, a);
    pass(r, now_us);
    for (int32_t i = 0; i < r->occurrence_count; i++) {
        if (r->occurrences[i].state != OCCURRENCE_HELD)
            r->occurrences[kept++] = r->occurrences[i];
    }
    r->occurrence_count = kept;
    r->state = RECURRENCE_PAUSED;
    r->next_us = 0;
}

/* Not because somebody said so. */
static void stop(const struct command *cmd, const struct decide_ctx *ctx, struct recurrence *r,
                 struct decision *ret) {
    recurrence_rest(r, ctx->now_us, ctx->arena);
    r->stopped = PAUSE_ACCOUNT_DISABLED;
    recurrence_tell(cmd, ctx, r, ret);
}

/* ARGS: when that was. */
static void decide_stop(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    const struct recurrence *old = state;
    const int64_t *since_us = cmd->args;
    if (old != NULL && old->state == RECURRENCE_ACTIVE && *since_us > recurrence_vouched(old))
        stop(cmd, ctx, recurrence_edit(cmd, ctx, old, ret), ret);
}
const struct command_type recurrence_stop = {
    .name = "recurrence.stop", .aggregate = &recurrence_aggregate, .decide = decide_stop};

static void decide_step(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    const struct recurrence *old = state;
    const struct recurrence_step *step = cmd->facts;
    if (old == NULL || old->next_us == 0 || old->next_us > ctx->now_us ||
        step->version != old->head.version)
        return; /* it comes again */
    if (old->state == RECURRENCE_ENDED) {
        ret->remove = true;
        return;
    }
    struct recurrence *r = recurrence_edit(cmd, ctx, old, ret);
    if (step->disabled) {
        stop(cmd, ctx, r, ret);
        return;
    }
    own_occurrences(r, ctx->arena);
    pass(r, ctx->now_us);
    for (int32_t i = 0; i < step->count; i++) {
        struct occurrence o = settled(cmd, ctx, r, &step->due[i], ret);
        drop_skip(r, o.date, ctx->arena);
        put(r, &o);
        pass(r, ctx->now_us);
    }
    r->next_us = step->next_us;
    if (r->next_us == 0)
        run_out(r, ctx->now_us);
    if (r->state != RECURRENCE_ENDED)
        r->next_us = wake_of(r, r->next_us);
    if (step->count > 0 || r->state != old->state)
        recurrence_tell(cmd, ctx, r, ret);
}

static void step_applied(const struct command *cmd, const struct decision *d, const void *state) {
    struct booking_service *s = cmd->service;
    const struct recurrence_step *step = cmd->facts;
    (void)state;
    for (int32_t i = 0; d->state != NULL && i < step->count; i++) {
        int32_t became = outcome_of(&step->due[i]);
        atomic_fetch_add_explicit(&s->occurrences[became], 1, memory_order_relaxed);
    }
}

const struct command_type recurrence_wake = {.name = "recurrence.step",
                                             .aggregate = &recurrence_aggregate,
                                             .load = load_step,
                                             .decide = decide_step,
                                             .applied = step_applied};

/* ---- one that was not booked, because its customer says so ---- */

/* Its price now, if it is one that waits or has failed. */
static int load_book(struct command *cmd, struct store *store, int64_t now_us) {
    const struct occurrence_body *args = cmd->args;
    struct recurrence_step *step = arena_new(cmd->arena, struct recurrence_step);
    struct booking_service *s = cmd->service;
    void *state;
    cmd->facts = step;
    int err = aggregate_get(&recurrence_aggregate, store, executor_parser(cmd->executor), cmd->id,
                            cmd->arena, &state);
    if (err < 0)
        return err == ERR_NOT_FOUND ? 0 : err;
    const struct recurrence *r = state;
    int32_t at = recurrence_occurrence(r, args->date), room = 1;
    step->version = r->head.version;
    if (at < 0 || !recurrence_visible(r, &cmd->who))
        return 0;
    const struct occurrence *o = &r->occurrences[at];
    step->due[0] =
        (struct step_occurrence){.day = date_day(o->date), .window = {o->from_us, o->to_us}};
    step->count = 1;
    err = order_room(s, store, r->owner_id, r->role, 1, &room);
    if (err == 0)
        err = look_at_owner(cmd, store, r, step);
    if (err == 0)
        judge(cmd, r, now_us, room > 0, args->total != I64_ABSENT ? args->total : r->price_max,
              &step->due[0]);
    return err;
}

/* Why not, as a problem. */
static void answer_not_booked(const struct command *cmd, const struct step_occurrence *o,
                              int64_t old_total, struct decision *ret) {
    if (o->reason == REASON_TOO_DEAR) {
        struct str extra = arena_printf(
            cmd->arena, "\"price\":{\"currency\":\"%.*s\",\"total\":%lld,\"old_total\":%lld}",
            STR_ARG(o->currency), (long long)o->total,
            (long long)(old_total != I64_ABSENT ? old_total : o->total));
        problem_fill_more(&ret->response, cmd->arena, cmd->request_id, PROBLEM_PRICE_CHANGED,
                          STR("it costs more than that"), NULL, extra, 0);
    } else if (o->reason == REASON_TOO_MANY_OPEN) {
        decision_problem(ret, cmd, PROBLEM_TOO_MANY_OPEN, "%.*s",
                         STR_ARG(o->errors->items[0].detail));
    } else if (o->reason == REASON_TOO_LATE) {
        decision_problem(ret, cmd, PROBLEM_ILLEGAL_TRANSITION, "its time has gone by");
    } else {
        problem_fill_more(&ret->response, cmd->arena, cmd->request_id, PROBLEM_INVALID_REQUEST,
                          STR("that day cannot be booked"), o->errors, STR_NONE, 0);
    }
}

static void decide_book(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    const struct occurrence_body *args = cmd->args;
    const struct recurrence *old = state;
    const struct recurrence_step *step = cmd->facts;
    if (!recurrence_at_hand(old, cmd, "booking one of its days", ret))
        return;
    int32_t at = recurrence_occurrence(old, args->date);
    int32_t was = at >= 0 ? old->occurrences[at].state : OCCURRENCE_NONE;
    if (was == OCCURRENCE_BOOKED) {
        recurrence_answer(cmd, ctx, old, 200, ret); /* it is so already */
        return;
    }
    if (was != OCCURRENCE_HELD && was != OCCURRENCE_FAILED) {
        recurrence_refuse_date(cmd, STR("is none that is held or has failed"), ret);
        return;
    }
    if (step->version != old->head.version) { /* of one batch; the price may be another */
        decision_problem(ret, cmd, PROBLEM_VERSION_CONFLICT, "it was changed meanwhile");
        return;
    }
    if (step->disabled) { /* the office asks */
        decision_problem(ret, cmd, PROBLEM_ILLEGAL_TRANSITION,
                         "booking one of its days is not possible: its account is disabled");
        return;
    }
    if (step->due[0].set == NULL) {
        answer_not_booked(cmd, &step->due[0], old->occurrences[at].total, ret);
        return;
    }
    struct recurrence *r = recurrence_edit(cmd, ctx, old, ret);
    own_occurrences(r, ctx->arena);
    r->occurrences[at] = settled(cmd, ctx, r, &step->due[0], ret);
    recurrence_finish(cmd, ctx, "recurrence.booked", old, r, ret);
}

static void book_applied(const struct command *cmd, const struct decision *d, const void *state) {
    struct booking_service *s = cmd->service;
    (void)state;
    if (d->state != NULL)
        atomic_fetch_add_explicit(&s->occurrences[OCCURRENCE_BOOKED], 1, memory_order_relaxed);
}

const struct command_type recurrence_book = {.name = "recurrence.book",
                                             .aggregate = &recurrence_aggregate,
                                             .load = load_book,
                                             .decide = decide_book,
                                             .applied = book_applied};
