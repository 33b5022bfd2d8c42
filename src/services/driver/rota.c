/* When a driver works and where he is at home. Outside his shifts he may be refused to go on duty
 * (a setting); at the end of one he is taken off duty as soon as he is free, by a wake-up of his
 * document; half an hour before one he is reminded.
 *
 * Where shifts are required the office sets them, not he.
 */
#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "runtime/audit.h"
#include "services/driver/service_internal.h"
#include "services/driver/shifts.h"

void rota_copy(struct driver *copy, struct arena *a) {
    const struct shift *old = copy->shifts;
    copy->shifts = arena_array(a, struct shift, copy->shift_count);
    for (int32_t i = 0; i < copy->shift_count; i++)
        copy->shifts[i] =
            (struct shift){old[i].day, arena_str(a, old[i].from), arena_str(a, old[i].to)};
    if (copy->home != NULL) {
        copy->home = arena_copy(a, copy->home, sizeof(*copy->home));
        copy->home->name = arena_str(a, copy->home->name);
    }
}

static struct shift_span span_of(const struct driver_service *s, const struct driver *d,
                                 int64_t now_us) {
    return shifts_span(d->shifts, d->shift_count, &s->zone, now_us);
}

/* ---- duty ---- */

bool rota_refuses(const struct command *cmd, const struct driver *d, int64_t now_us,
                  struct decision *ret) {
    const struct driver_service *s = cmd->service;
    if (!s->o.shifts_required)
        return false;
    struct shift_span span = span_of(s, d, now_us);
    if (span.end_us != 0 && span.begin_us - SHIFT_EARLY_US <= now_us)
        return false;
    char at[TIMESTAMP_TEXT_MAX] = "";
    if (span.end_us != 0)
        timestamp_format(span.begin_us, at);
    decision_problem(ret, cmd, PROBLEM_OUTSIDE_SHIFT,
                     span.end_us != 0 ? "your next shift begins at %s" : "you have no shifts%s",
                     at);
    return true;
}

void rota_begin_duty(const struct command *cmd, struct driver *d, int64_t now_us) {
    d->shift_end_us = span_of(cmd->service, d, now_us).end_us;
}

const char *rota_bar(const struct driver *d, const struct ev_claim *want, int64_t from_us) {
    if (d->shift_end_us != 0 && d->shift_end_us <= from_us)
        return "the shift has ended";
    const struct home *home = d->home;
    if (home == NULL || !home->only || want->manual || want->pickup == NULL)
        return NULL;
    struct point at = {want->pickup->lat_e7, want->pickup->lng_e7};
    struct point middle = {home->lat_e7, home->lng_e7};
    return geo_distance_m(at, middle) > (double)home->radius_m ? "outside the home zone" : NULL;
}

/* ---- wake-ups ---- */

int64_t rota_wake_at(const struct driver *d) {
    bool ends = d->shift_end_us != 0 && d->duty == DUTY_ON && d->claim == NULL;
    int64_t end_us = ends ? d->shift_end_us : 0;
    if (end_us == 0 || (d->remind_at_us != 0 && d->remind_at_us < end_us))
        return d->remind_at_us;
    return end_us;
}

static void end_shift(const struct command *cmd, const struct decide_ctx *ctx, struct driver *d,
                      struct decision *ret) {
    struct shift_span span = span_of(cmd->service, d, ctx->now_us);
    if (span.end_us != 0 && span.begin_us <= ctx->now_us) {
        d->shift_end_us = span.end_us; /* it was made longer than it was looked ahead */
        return;
    }
    driver_off_duty(d, "the shift has ended", cmd, ctx, ret);
    struct ev_notice told = {
        .kind = STR("shift_ended"), .at_us = d->shift_end_us, .days = I64_ABSENT};
    driver_notice(d, &told, cmd, ctx, ret);
    d->shift_end_us = 0;
}

static void remind(const struct command *cmd, const struct decide_ctx *ctx, struct driver *d,
                   struct decision *ret) {
    const struct driver_service *s = cmd->service;
    int64_t begin_us = d->remind_at_us + SHIFT_REMIND_US;
    bool may = d->status == STATUS_APPROVED && !d->disabled && d->duty == DUTY_OFF;
    struct zone_time local;
    zone_local(&s->zone, begin_us, &local);
    struct ev_notice told = {.kind = STR("shift_begins"),
                             .at_us = begin_us,
                             .when =
                                 arena_printf(ctx->arena, "%02d:%02d", local.hour, local.minute),
                             .days = I64_ABSENT};
    if (may && begin_us > ctx->now_us) /* else it is too late to remind of it */
        driver_notice(d, &told, cmd, ctx, ret);
    d->remind_at_us = shifts_remind_at(d->shifts, d->shift_count, &s->zone, ctx->now_us);
}

void rota_wake(const struct command *cmd, const struct decide_ctx *ctx, struct driver *d,
               struct decision *ret) {
    bool free = d->duty == DUTY_ON && d->claim == NULL;
    if (free && d->shift_end_us != 0 && d->shift_end_us <= ctx->now_us)
        end_shift(cmd, ctx, d, ret);
    if (d->remind_at_us != 0 && d->remind_at_us <= ctx->now_us)
        remind(cmd, ctx, d, ret);
}

/* ---- /v1/driver/schedule, /v1/drivers/{id}/schedule ---- */

struct rota_args {
    const struct rota_body *body;
    bool by_staff;
};

static void write_span(struct jw *w, const char *key, struct shift_span span) {
    jw_key(w, key);
    if (span.end_us == 0) {
        jw_null(w);
        return;
    }
    jw_object(w);
    jw_kv_time(w, "begins_at", span.begin_us);
    jw_kv_time(w, "ends_at", span.end_us);
    jw_end(w);
}

void rota_write(struct jw *w, const struct driver_service *s, const struct driver *d,
                int64_t now_us) {
    struct rota_body shown = {d->shifts, d->shift_count, d->home};
    struct shift_span span = span_of(s, d, now_us);
    jw_object(w);
    schema_write_fields(&rota_schema, &shown, S_OUT, w);
    jw_kv_str(w, "timezone", s->o.timezone);
    jw_key(w, "required");
    jw_bool(w, s->o.shifts_required);
    jw_key(w, "on_shift");
    jw_bool(w, span.end_us != 0 && span.begin_us <= now_us);
    write_span(w, "next", span);
    jw_kv_i64(w, "version", d->head.version);
    jw_end(w);
}

static struct str rota_json(const struct driver_service *s, const struct driver *d, int64_t now_us,
                            struct arena *a) {
    struct buf out;
    struct jw w;
    buf_init(&out, a, 1024);
    jw_init(&w, &out);
    rota_write(&w, s, d, now_us);
    return buf_str(&out);
}

static bool same_shifts(const struct driver *d, const struct rota_body *body) {
    bool same = d->shift_count == body->shift_count;
    for (int32_t i = 0; same && i < body->shift_count; i++)
        same = d->shifts[i].day == body->shifts[i].day &&
               str_eq(d->shifts[i].from, body->shifts[i].from) &&
               str_eq(d->shifts[i].to, body->shifts[i].to);
    return same;
}

static void take(const struct command *cmd, const struct decide_ctx *ctx, struct driver *d,
                 const struct rota_body *body) {
    const struct driver_service *s = cmd->service;
    d->shifts = body->shifts;
    d->shift_count = body->shift_count;
    d->home = body->home;
    rota_copy(d, ctx->arena);
    d->remind_at_us = shifts_remind_at(d->shifts, d->shift_count, &s->zone, ctx->now_us);
    if (d->duty != DUTY_OFF)
        rota_begin_duty(cmd, d, ctx->now_us);
}

static void decide_schedule(const struct command *cmd, const struct decide_ctx *ctx,
                            const void *state, struct decision *ret) {
    static const char *const members[] = {"shifts", "home", NULL};
    const struct driver_service *s = cmd->service;
    const struct rota_args *args = cmd->args;
    const struct driver *old = state;
    if (old == NULL && args->by_staff) {
        decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "there is no such driver");
        return;
    }
    if (driver_gone(cmd, old, ret))
        return;
    bool his = args->by_staff || !s->o.shifts_required;
    if (!his && (old != NULL ? !same_shifts(old, args->body) : args->body->shift_count > 0)) {
        decision_problem(ret, cmd, PROBLEM_FORBIDDEN, "your shifts are set by the office");
        return;
    }
    struct driver *d = old != NULL ? driver_edit(cmd, ctx, old, ret) : driver_make(cmd, ctx, ret);
    if (old == NULL)
        d->name = arena_str(ctx->arena, cmd->who.name);
    take(cmd, ctx, d, args->body);
    if (args->by_staff)
        decision_audit(ret, cmd, ctx, "driver.schedule", old, d,
                       &(struct audit_more){.kept = true, .only = members});
    decision_json(ret, 200, rota_json(s, d, ctx->now_us, ctx->arena));
    decision_etag(ret, cmd, d->head.version);
}

static const struct command_type rota_type = {.name = "driver.schedule",
                                              .aggregate = &driver_aggregate,
                                              .decide = decide_schedule,
                                              .applied = driver_applied};

void rota_body_check(struct call *c, const void *data, struct field_errors *errors) {
    const struct rota_body *body = data;
    shifts_check(body->shifts, body->shift_count, &c->arena, errors);
}

static void put(struct call *c, struct str id, bool by_staff) {
    struct rota_args *args = arena_new(&c->arena, struct rota_args);
    *args = (struct rota_args){c->body, by_staff};
    call_command(c, &rota_type, id, args);
}

void rota_put(struct call *c) {
    put(c, driver_id_of(&c->arena, c->who.user_id), false);
}

void rota_put_of(struct call *c) {
    if (id_valid(c->params[0], "drv"))
        put(c, c->params[0], true);
    else
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such driver");
}

static void get(struct call *c, struct str id, bool must_exist) {
    static const struct driver nobody = {.status = STATUS_PENDING, .duty = DUTY_OFF};
    const void *state = &nobody;
    void *found;
    int err = id_valid(id, "drv") ? aggregate_get(&driver_aggregate, c->worker->reader,
                                                  c->worker->parser, id, &c->arena, &found)
                                  : ERR_NOT_FOUND;
    if (err < 0 && (err != ERR_NOT_FOUND || must_exist)) {
        call_error(c, err);
        return;
    }
    if (err == 0)
        state = found;
    const struct driver *d = state;
    response_header(&c->response, "ETag",
                    arena_printf(&c->arena, "\"%lld\"", (long long)d->head.version));
    call_json(c, 200, rota_json(c->service, d, c->now_us, &c->arena));
}

void rota_get(struct call *c) {
    get(c, driver_id_of(&c->arena, c->who.user_id), false);
}

void rota_get_of(struct call *c) {
    get(c, c->params[0], true);
}
