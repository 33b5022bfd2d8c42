/* Recipients. An account's own event may come after one of its first booking: then that waits for
 * it, if the account is young; an account from before this service kept recipients is told nothing
 * until it changes.
 */
#include "services/notification/recipients.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "base/zone.h"
#include "services/notification/internal.h"
#include "services/notification/webhooks.h"

#include <stddef.h>
#include <string.h>

/* ---- shapes ---- */

static const char *const kinds[] = {
    "requested", "assigned",       "arrived_pickup", "picked_up",     "arrived_dropoff",
    "delivered", "cancelled",      "expired",        "failed",        "offer",
    "scheduled", "reminded",       "shift",          "document",      "stop_failed",
    "returning", "arrived_return", "returned",       "stops_changed",
};
/* By e-mail, for customers who have chosen nothing. */
static const char *const usual[] = {"assigned", "delivered",    "cancelled", "expired",
                                    "failed",   "scheduled",    "reminded",  "stop_failed",
                                    "returned", "stops_changed"};

#define AT(member) .offset = offsetof(struct recipient, member)
#define KINDS(list, number)                                                                        \
    AT(list), .count_offset = offsetof(struct recipient, number), .min = 0, .max = 20
static const struct schema_field fields[] = {
    {"email_address", S_STR, S_STORE, AT(email)},
    {"phone", S_STR, S_STORE, AT(phone)},
    {"name", S_STR, S_STORE, AT(name)},
    {"disabled", S_BOOL, S_STORE, AT(disabled)},
    {"account_at", S_TIME, S_STORE, AT(account_us)},
    {"chosen", S_BOOL, S_STORE, AT(chosen)},
    {"language", S_STR, S_OUT | S_STORE | S_NULL, AT(language)},
    {"timezone", S_STR, S_OUT | S_STORE | S_NULL, AT(timezone)},
    {"quiet_from", S_STR, S_OUT | S_STORE | S_NULL, AT(quiet_from)},
    {"quiet_until", S_STR, S_OUT | S_STORE | S_NULL, AT(quiet_until)},
    {"email", S_STR_LIST, S_OUT | S_STORE | S_REQUIRED, KINDS(email_kinds, email_count)},
    {"message", S_STR_LIST, S_OUT | S_STORE | S_REQUIRED, KINDS(message_kinds, message_count)},
};
static const struct schema schema = SCHEMA(struct recipient, "Recipient", fields);
const struct store_collection recipient_collection = {.name = "recipients"};
const struct aggregate recipient_aggregate = {&recipient_collection, &schema, NULL, NULL};

static const struct schema_field preferences_fields[] = {
    {"language", S_LINE, S_IN, AT(language), .min = 2, .max = 16},
    {"timezone", S_LINE, S_IN, AT(timezone), .min = 1, .max = ZONE_NAME_MAX},
    {"quiet_from", S_LINE, S_IN, AT(quiet_from), .min = CLOCK_TEXT_LEN, .max = CLOCK_TEXT_LEN},
    {"quiet_until", S_LINE, S_IN, AT(quiet_until), .min = CLOCK_TEXT_LEN, .max = CLOCK_TEXT_LEN},
    {"email", S_STR_LIST, S_IN | S_REQUIRED, KINDS(email_kinds, email_count)},
    {"message", S_STR_LIST, S_IN | S_REQUIRED, KINDS(message_kinds, message_count)},
};
#undef AT
const struct schema preferences_schema =
    SCHEMA(struct recipient, "NotificationPreferences", preferences_fields);

static void write(struct jw *w, const struct recipient *r) {
    jw_object(w);
    jw_kv_i64(w, "version", r->head.version);
    schema_write_fields(&schema, r, S_OUT, w);
    jw_end(w);
}

/* ---- what was chosen ---- */

static bool is_kind(struct str s) {
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (str_is(s, kinds[i]))
            return true;
    }
    return false;
}

static void take_usual(struct recipient *r, struct arena *a) {
    r->email_kinds = arena_array(a, struct str, COUNT_OF(usual));
    r->email_count = (int32_t)COUNT_OF(usual);
    for (size_t i = 0; i < COUNT_OF(usual); i++)
        r->email_kinds[i] = str_from(usual[i]);
}

/* "booking_assigned" → "assigned": what may be chosen. */
static struct str choice_of(struct str kind) {
    if (str_starts(kind, "driver_shift_"))
        return STR("shift");
    if (str_starts(kind, "driver_"))
        return STR("document");
    if (str_starts(kind, "recurrence_"))
        return STR("expired"); /* as any booking that does not come about */
    if (str_is(kind, "booking_assigned_next"))
        return STR("assigned");
    return str_sub(kind, strlen("booking_"), kind.len);
}

static bool wants(const struct recipient *r, enum delivery_channel channel, struct str kind) {
    if (channel == CHANNEL_EMAIL && str_is(kind, "document"))
        return true; /* without it he may not drive any more, or it is about money that he holds:
                        nobody chooses not to know */
    const struct str *list = channel == CHANNEL_EMAIL ? r->email_kinds : r->message_kinds;
    int32_t count = channel == CHANNEL_EMAIL ? r->email_count : r->message_count;
    for (int32_t i = 0; i < count; i++) {
        if (str_eq(list[i], kind))
            return true;
    }
    return false;
}

int64_t recipient_quiet_until(const struct recipient *r, int64_t now_us, struct arena *a) {
    struct zone zone = zone_utc;
    int32_t from = clock_minutes(r->quiet_from), until = clock_minutes(r->quiet_until);
    if (from < 0 || until < 0 || from == until)
        return now_us;
    if (r->timezone.p != NULL && zone_load(ZONE_DIR, r->timezone, a, &zone) < 0)
        zone = zone_utc; /* its file has gone since it was chosen */
    struct zone_time local;
    zone_local(&zone, now_us, &local);
    int32_t now = local.hour * 60 + local.minute;
    bool quiet = from < until ? now >= from && now < until : now >= from || now < until;
    int32_t wait = (until - now + 24 * 60) % (24 * 60);
    return quiet ? now_us + (wait * INT64_C(60) - local.second) * US_PER_S : now_us;
}

/* ---- the account ---- */

static void account_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *old,
                           struct decision *ret) {
    const struct recipient *said = cmd->args, *before = old;
    if (before != NULL && before->account_us >= said->account_us)
        return; /* older news */
    struct recipient *r = arena_new(ctx->arena, struct recipient);
    if (before != NULL)
        *r = *before;
    r->email = said->email;
    r->phone = said->phone;
    r->name = said->name;
    r->disabled = said->disabled;
    r->account_us = said->account_us;
    if (!r->chosen) {
        r->email_count = 0;
        if (said->chosen) /* a customer */
            take_usual(r, ctx->arena);
    }
    decision_state(ret, cmd, old, r);
}
static const struct command_type recipient_account = {
    .name = "recipient.account", .aggregate = &recipient_aggregate, .decide = account_decide};

void on_recipient_account(struct event_turn *t, const void *data) {
    const struct ev_account *said = data;
    if (said->user_id.p == NULL)
        return; /* nobody's */
    struct recipient *r = arena_new(t->arena, struct recipient);
    *r = (struct recipient){.email = said->email,
                            .phone = said->phone,
                            .name = said->name,
                            .disabled = said->disabled,
                            .account_us = t->event->at_us,
                            .chosen = said->role == ROLE_CUSTOMER};
    event_command(t, &recipient_account, said->user_id, r);
    webhooks_on_account(t, said);
}

/* ---- what is to be told ---- */

/* "2026-11-24 10:00–12:00" by the clock of R's zone; without one "… UTC". */
static struct str when_text(const struct recipient *r, int64_t from_us, int64_t to_us,
                            struct arena *a) {
    struct zone zone = zone_utc;
    struct zone_time from, to;
    bool own = r->timezone.p != NULL && zone_load(ZONE_DIR, r->timezone, a, &zone) == 0;
    zone_local(&zone, from_us, &from);
    zone_local(&zone, to_us, &to);
    return arena_printf(a, "%04d-%02d-%02d %02d:%02d–%02d:%02d%s", from.year, from.month, from.day,
                        from.hour, from.minute, to.hour, to.minute, own ? "" : " UTC");
}

/* Facts: the delivery filled in, or NULL where it is not wanted. */
static int wanted_load(struct command *cmd, struct store *store, int64_t now_us) {
    const struct delivery *said = cmd->args;
    void *state;
    cmd->facts = NULL;
    int err = aggregate_get(&recipient_aggregate, store, executor_parser(cmd->executor),
                            said->user_id, cmd->arena, &state);
    bool young = now_us - id_time_us(said->user_id) < RECIPIENT_YOUNG_US;
    if (err == ERR_NOT_FOUND)
        return young ? ERR_BUSY : 0; /* its account is still on its way */
    if (err < 0)
        return err;
    const struct recipient *r = state;
    if (r->account_us == 0 && young)
        return ERR_BUSY; /* he has chosen already, and where he is reached is not known yet */
    enum delivery_channel channel = (enum delivery_channel)said->channel;
    struct str to = channel == CHANNEL_EMAIL ? r->email : r->phone;
    struct str kind = choice_of(said->kind);
    if (r->disabled || to.len == 0 || !wants(r, channel, kind))
        return 0;
    struct delivery *d = arena_copy(cmd->arena, said, sizeof(*said));
    d->to = to;
    d->name = r->name;
    d->language = r->language;
    if (d->from_us > 0)
        d->when = when_text(r, d->from_us, d->to_us, cmd->arena);
    if (!str_is(kind, "offer")) /* which does not wait for the morning */
        d->next_us = recipient_quiet_until(r, now_us, cmd->arena);
    cmd->facts = d;
    return 0;
}

static void wanted_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *old,
                          struct decision *ret) {
    if (old != NULL || cmd->facts == NULL)
        return;
    struct delivery *d = arena_copy(ctx->arena, cmd->facts, sizeof(*d));
    delivery_begin_life(d, ctx->now_us);
    decision_state(ret, cmd, NULL, d);
}
static const struct command_type delivery_wanted = {.name = "delivery.wanted",
                                                    .aggregate = &delivery_aggregate,
                                                    .load = wanted_load,
                                                    .decide = wanted_decide};

/* What the view of a booking says that its words need. */
struct about {
    struct str code;        /* "ABC123", as people know the booking */
    int64_t from_us, to_us; /* when it is to be fetched; 0: as soon as can be */
};

static void add(struct event_turn *t, enum delivery_channel channel, const struct delivery *what) {
    struct delivery *d = arena_copy(t->arena, what, sizeof(*what));
    d->channel = (int32_t)channel;
    d->event_id = t->event->id;
    struct str receiver =
        arena_printf(t->arena, "%s:%.*s", delivery_channel_names[channel], STR_ARG(d->user_id));
    event_command_once(t, &delivery_wanted, delivery_id(t->arena, t->event->id, receiver), d);
}

static void add_each(struct event_turn *t, const struct delivery *what) {
    const struct notification_service *n = t->service;
    if (what->user_id.len > 0 && n->o.mailer != NULL)
        add(t, CHANNEL_EMAIL, what);
    if (what->user_id.len > 0 && n->o.message_url.len > 0)
        add(t, CHANNEL_MESSAGE, what);
}

static void add_for(struct event_turn *t, struct str user_id, struct str kind,
                    const struct about *about) {
    add_each(t, &(struct delivery){.user_id = user_id,
                                   .kind = kind,
                                   .booking = about->code,
                                   .from_us = about->from_us,
                                   .to_us = about->to_us});
}

void recipients_notice(struct event_turn *t, const struct ev_notice *said) {
    struct str kind = arena_printf(t->arena, "driver_%.*s", STR_ARG(said->kind));
    if (words_exist(kind)) /* else a later version's, which this one has no words for */
        add_each(t, &(struct delivery){.user_id = said->user_id,
                                       .kind = kind,
                                       .document = said->document,
                                       .when = said->when,
                                       .reason = said->reason});
}

void recipients_not_booked(struct event_turn *t, const struct ev_not_booked *said) {
    add_each(t,
             &(struct delivery){.user_id = said->user_id,
                                .kind = str_is(said->reason, "too_dear") ? STR("recurrence_held")
                                                                         : STR("recurrence_failed"),
                                .from_us = said->from_us,
                                .to_us = said->to_us,
                                .reason = said->reason});
}

static int64_t time_member(struct json_value object, const char *key) {
    struct json_value v;
    int64_t at_us = 0;
    if (json_get(object, key, &v) && json_kind(v) == JSON_IS_STRING)
        timestamp_parse(json_text(v), &at_us);
    return at_us;
}

static struct about about_of(struct event_turn *t, const struct ev_booking *b) {
    struct json_value root, code, window;
    struct about about = {.code = STR_NONE};
    if (b->view.len == 0 || json_parse(t->parser, b->view, &root) < 0)
        return about;
    if (json_get(root, "code", &code))
        about.code = arena_str(t->arena, json_text(code));
    if (json_get(root, "pickup_window", &window) && json_kind(window) == JSON_IS_OBJECT) {
        about.from_us = time_member(window, "from");
        about.to_us = time_member(window, "to");
    }
    return about;
}

void recipients_add(struct event_turn *t, const struct ev_booking *b) {
    static const char *const changes[] = {
        EV_BOOKING_REQUESTED,   EV_BOOKING_ASSIGNED, EV_BOOKING_PROGRESSED, EV_BOOKING_DELIVERED,
        EV_BOOKING_CANCELLED,   EV_BOOKING_EXPIRED,  EV_BOOKING_FAILED,     EV_BOOKING_SCHEDULED,
        EV_BOOKING_RESCHEDULED, EV_BOOKING_RETURNED};
    const struct notification_service *n = t->service;
    if ((n->o.mailer == NULL && n->o.message_url.len == 0) || b->in_bulk)
        return;
    struct about about = about_of(t, b);
    if (str_is(t->event->type, EV_BOOKING_OFFERED)) {
        if (b->offer != NULL && !b->offer->manual)
            add_for(t, b->offer->driver_user_id, STR("booking_offer"), &about);
        return;
    }
    if (str_is(t->event->type, EV_BOOKING_REMINDED))
        add_for(t, b->customer_id, STR("booking_reminded"), &about);
    if (str_is(t->event->type, EV_BOOKING_STOP_FAILED)) {
        add_for(t, b->customer_id, STR("booking_stop_failed"), &about);
        add_for(t, b->driver_user_id, STR("booking_stop_failed"), &about);
    }
    if (str_is(t->event->type, EV_BOOKING_STOPS_CHANGED)) {
        add_for(t, b->customer_id, STR("booking_stops_changed"), &about);
        add_for(t, b->driver_user_id, STR("booking_stops_changed"), &about);
    }
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        if (!str_is(t->event->type, changes[i]) || b->state <= BOOKING_NONE ||
            b->state >= BOOKING_STATE_COUNT)
            continue;
        bool waits = str_is(t->event->type, EV_BOOKING_ASSIGNED) && b->offer != NULL &&
                     b->offer->free_at_us != 0;
        struct str kind = arena_printf(t->arena, "booking_%s%s", booking_state_names[b->state],
                                       waits ? "_next" : "");
        add_for(t, b->customer_id, kind, &about);
        add_for(t, b->driver_user_id, kind, &about);
    }
}

/* ---- /v1/notifications/preferences ---- */

static void check_kinds(struct call *c, const char *field, const struct str *list, int32_t count,
                        struct field_errors *errors) {
    for (int32_t i = 0; i < count; i++) {
        if (!is_kind(list[i]))
            field_errors_add(errors, &c->arena, arena_printf(&c->arena, "/%s/%d", field, i),
                             "is no kind of notification");
    }
}

void preferences_check(struct call *c, const void *data, struct field_errors *errors) {
    const struct recipient *r = data;
    struct zone zone;
    check_kinds(c, "email", r->email_kinds, r->email_count, errors);
    check_kinds(c, "message", r->message_kinds, r->message_count, errors);
    if (r->timezone.p != NULL && zone_load(ZONE_DIR, r->timezone, &c->arena, &zone) < 0)
        field_errors_add(errors, &c->arena, STR("/timezone"), "is no timezone");
    if (r->language.p != NULL && !str_eq(words_language(r->language), str_sub(r->language, 0, 2)))
        field_errors_add(errors, &c->arena, STR("/language"), "must be one of en, sv, hi, ar");
    if (r->quiet_from.p != NULL && clock_minutes(r->quiet_from) < 0)
        field_errors_add(errors, &c->arena, STR("/quiet_from"), "must be a time such as 22:00");
    if (r->quiet_until.p != NULL && clock_minutes(r->quiet_until) < 0)
        field_errors_add(errors, &c->arena, STR("/quiet_until"), "must be a time such as 07:00");
    if ((r->quiet_from.p == NULL) != (r->quiet_until.p == NULL))
        field_errors_add(errors, &c->arena,
                         r->quiet_from.p == NULL ? STR("/quiet_from") : STR("/quiet_until"),
                         "is required where the other one is given");
}

static void put_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *old,
                       struct decision *ret) {
    const struct recipient *said = cmd->args, *before = old;
    struct recipient *r = arena_new(ctx->arena, struct recipient);
    if (before != NULL)
        *r = *before;
    r->chosen = true;
    r->language = said->language;
    r->timezone = said->timezone;
    r->quiet_from = said->quiet_from;
    r->quiet_until = said->quiet_until;
    r->email_kinds = said->email_kinds;
    r->email_count = said->email_count;
    r->message_kinds = said->message_kinds;
    r->message_count = said->message_count;
    decision_state(ret, cmd, old, r);
    struct buf out;
    struct jw w;
    buf_init(&out, ctx->arena, 512);
    jw_init(&w, &out);
    write(&w, r);
    decision_json(ret, 200, buf_str(&out));
    decision_etag(ret, cmd, r->head.version);
}
static const struct command_type recipient_put = {
    .name = "recipient.put", .aggregate = &recipient_aggregate, .decide = put_decide};

void route_preferences_put(struct call *c) {
    call_command(c, &recipient_put, c->who.user_id, c->body);
}

void route_preferences(struct call *c) {
    struct recipient nobody = {0};
    void *state = &nobody;
    int err = aggregate_get(&recipient_aggregate, c->worker->reader, c->worker->parser,
                            c->who.user_id, &c->arena, &state);
    if (err < 0 && err != ERR_NOT_FOUND) {
        call_error(c, err);
        return;
    }
    if (err == ERR_NOT_FOUND && c->who.role == ROLE_CUSTOMER)
        take_usual(&nobody, &c->arena);
    struct buf out;
    struct jw w;
    buf_init(&out, &c->arena, 512);
    jw_init(&w, &out);
    write(&w, state);
    call_json_etag(c, ((const struct recipient *)state)->head.version, buf_str(&out));
}
