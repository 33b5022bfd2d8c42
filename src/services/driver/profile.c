/* A driver's profile: made when his account is, or when he first looks (the account's event may
 * still be on its way), his vehicle, his approval, his duty.
 *
 * Suspending takes him off duty, and an open offer away from him; a booking that he has under way
 * he finishes, because the goods are in his vehicle, and then he is off duty.
 */
#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "runtime/audit.h"
#include "services/driver/documents.h"
#include "services/driver/trail.h"

struct str driver_id_of(struct arena *a, struct str user_id) {
    return id_with_prefix(a, user_id, "drv");
}

/* ---- out ---- */

static void write_vehicle(struct jw *w, const struct driver_vehicle *v) {
    jw_key(w, "vehicle");
    if (v == NULL) {
        jw_null(w);
        return;
    }
    struct driver_vehicle whole = *v;
    vehicle_fill(&whole);
    schema_write(&vehicle_schema, &whole, S_OUT, w);
}

static void write_rating(struct jw *w, const struct driver *d) {
    jw_key(w, "rating");
    jw_object(w);
    jw_key(w, "mean");
    if (d->stars_count == 0)
        jw_null(w);
    else /* two decimals, rounded half up */
        jw_fixed(w, (d->stars_sum * 200 + d->stars_count) / (2 * d->stars_count), 2);
    jw_kv_i64(w, "count", d->stars_count);
    jw_end(w);
}

static void write_counters(struct jw *w, const struct driver *d) {
    jw_key(w, "counters");
    jw_object(w);
    jw_kv_i64(w, "offered", d->offered);
    jw_kv_i64(w, "accepted", d->accepted);
    jw_kv_i64(w, "declined", d->declined);
    jw_kv_i64(w, "timed_out", d->timed_out);
    jw_kv_i64(w, "delivered", d->delivered);
    jw_end(w);
}

static void write_position(struct jw *w, const struct fleet_position *p) {
    jw_key(w, "position");
    if (p == NULL) {
        jw_null(w);
        return;
    }
    jw_object(w);
    jw_kv_time(w, "at", p->at_us);
    jw_kv_point(w, p->at);
    fix_write_motion(w, p->speed_cmps, p->bearing_deg);
    jw_end(w);
}

void driver_write(struct jw *w, const struct driver *d, const struct fleet_position *position) {
    jw_object(w);
    jw_kv_str(w, "id", d->head.id);
    jw_kv_str(w, "user_id", d->user_id);
    jw_kv_str(w, "name", d->name);
    jw_kv_str(w, "phone", d->phone);
    jw_kv_str(w, "status", str_from(driver_status_names[d->status]));
    jw_kv_str(w, "status_reason", d->status_reason);
    jw_kv_str(w, "duty", str_from(duty_names[d->duty]));
    jw_key(w, "auto_accept");
    jw_bool(w, d->auto_accept);
    write_vehicle(w, d->vehicle);
    write_rating(w, d);
    write_counters(w, d);
    jw_kv_i64(w, "documents_waiting", documents_waiting(d));
    jw_kv_str(w, "booking_id", driver_active(d) ? d->claim->booking_id : STR_NONE);
    jw_kv_str(w, "next_booking_id",
              d->next != NULL && d->next->active ? d->next->booking_id : STR_NONE);
    write_position(w, position);
    jw_kv_i64(w, "version", d->head.version);
    jw_kv_time(w, "created_at", d->created_at_us);
    jw_kv_time(w, "updated_at", d->updated_at_us);
    jw_end(w);
}

static struct str driver_json(struct arena *a, const struct driver *d,
                              const struct fleet_position *position) {
    struct buf out;
    buf_init(&out, a, 768);
    struct jw w;
    jw_init(&w, &out);
    driver_write(&w, d, d->duty != DUTY_OFF ? position : NULL);
    return buf_str(&out);
}

/* ---- decisions ---- */

/* Where he is, for the answer: the roster's word, which decide may not ask itself. */
int driver_load_position(struct command *cmd, struct store *store, int64_t now_us) {
    struct driver_service *s = cmd->service;
    struct member *m = roster_meet(s->roster, cmd->id);
    int err = follow_know(s, m, cmd, store, now_us); /* the map shows where he was last */
    if (err < 0)
        return err;
    if (m->has_fix) {
        struct fleet_position *p = arena_new(cmd->arena, struct fleet_position);
        *p = (struct fleet_position){m->newest.at, m->newest.bearing_deg, m->newest.speed_cmps,
                                     m->newest.at_us};
        cmd->facts = p;
    }
    return 0;
}

void driver_answer(const struct command *cmd, const struct decide_ctx *ctx, const struct driver *d,
                   struct decision *ret) {
    decision_json(ret, 200, driver_json(ctx->arena, d, cmd->facts));
    decision_etag(ret, cmd, d->head.version);
}

struct driver *driver_make(const struct command *cmd, const struct decide_ctx *ctx,
                           struct decision *ret) {
    struct driver *d = arena_new(ctx->arena, struct driver);
    d->user_id = id_with_prefix(ctx->arena, cmd->id, "usr");
    d->status = STATUS_PENDING;
    d->duty = DUTY_OFF;
    d->ended = arena_array(ctx->arena, struct str, ENDED_MAX);
    d->vehicles = arena_array(ctx->arena, struct driver_vehicle, VEHICLES_MAX);
    d->documents = arena_array(ctx->arena, struct document, DOCUMENTS_MAX);
    d->created_at_us = d->updated_at_us = ctx->now_us;
    decision_state(ret, cmd, NULL, d);
    return d;
}

/* Off duty at once, or after the booking under way, and then without the next one. An open offer is
 * given back; its claim stays until the booking has said so. */
void driver_off_duty(struct driver *d, const char *why, const struct command *cmd,
                     const struct decide_ctx *ctx, struct decision *ret) {
    if (driver_active(d)) {
        driver_drop_next(d, why, cmd, ctx, ret);
        return;
    }
    if (d->claim != NULL && d->duty != DUTY_OFF)
        driver_claim_event(d, d->claim, str_from(why), EV_DRIVER_DROPPED, cmd, ctx, ret);
    driver_set_duty(d, DUTY_OFF, cmd, ctx, ret);
}

bool driver_gone(const struct command *cmd, const struct driver *d, struct decision *ret) {
    if (d == NULL || !d->erased)
        return false;
    decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "there is no such driver: he was erased");
    return true;
}

static void decide_account(const struct command *cmd, const struct decide_ctx *ctx,
                           const void *state, struct decision *ret) {
    const struct account_args *args = cmd->args;
    const struct ev_account *account = args->account;
    const struct driver *old = state;
    if (old == NULL && account->role != ROLE_DRIVER)
        return;
    if (old != NULL && (old->erased || args->at_us < old->account_at_us))
        return; /* older news than we have */
    struct driver *d = old != NULL ? driver_edit(cmd, ctx, old, ret) : driver_make(cmd, ctx, ret);
    d->account_at_us = args->at_us;
    d->name = arena_str(ctx->arena, account->name);
    d->phone = arena_str(ctx->arena, account->phone);
    d->disabled = account->disabled || account->role != ROLE_DRIVER;
    if (d->disabled)
        driver_off_duty(d, "the account is disabled", cmd, ctx, ret);
}

static void decide_open(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    if (state != NULL) {
        driver_answer(cmd, ctx, state, ret);
        return;
    }
    struct driver *d = driver_make(cmd, ctx, ret);
    d->name = arena_str(ctx->arena, cmd->who.name);
    driver_answer(cmd, ctx, d, ret);
}

static const char *const status_members[] = {"status", "status_reason", "duty", NULL};

static void decide_status(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct status_body *body = cmd->args;
    if (state == NULL) {
        decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "there is no such driver");
        return;
    }
    const struct driver *old = state;
    if (driver_gone(cmd, old, ret))
        return;
    int32_t status = body->status == 1 ? STATUS_APPROVED : STATUS_SUSPENDED;
    if (old->status == status && str_eq(old->status_reason, body->reason)) {
        driver_answer(cmd, ctx, old, ret);
        return;
    }
    if (status == STATUS_APPROVED && documents_refuse(cmd, old, ctx->now_us, ret))
        return;
    struct driver *d = driver_edit(cmd, ctx, old, ret);
    d->lapsed = false;
    d->status = status;
    d->status_reason = arena_str(ctx->arena, body->reason);
    if (d->status == STATUS_SUSPENDED)
        driver_off_duty(d, "suspended", cmd, ctx, ret);
    bool is_news = d->status != old->status;
    struct ev_notice told = {.kind =
                                 d->status == STATUS_SUSPENDED ? STR("suspended") : STR("approved"),
                             .reason = d->status_reason,
                             .days = I64_ABSENT};
    if (is_news)
        driver_notice(d, &told, cmd, ctx, ret);
    decision_audit(
        ret, cmd, ctx, "driver.status", old, d,
        &(struct audit_more){.kept = true, .only = status_members, .reason = body->reason});
    driver_answer(cmd, ctx, d, ret);
}

static void decide_duty(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    const struct duty_body *body = cmd->args;
    const struct driver *old = state;
    bool on = body->duty == DUTY_ON;
    if (on && (old == NULL || old->status != STATUS_APPROVED || old->disabled)) {
        bool suspended = old != NULL && old->status == STATUS_SUSPENDED;
        decision_problem(ret, cmd, PROBLEM_NOT_APPROVED, "%s",
                         suspended ? "you are suspended" : "you are not approved yet");
        return;
    }
    if (on && old->vehicle == NULL) {
        decision_problem(ret, cmd, PROBLEM_NO_VEHICLE, "tell which vehicle you drive first");
        return;
    }
    if (on && documents_refuse(cmd, old, ctx->now_us, ret))
        return;
    if (on && old->duty == DUTY_OFF && rota_refuses(cmd, old, ctx->now_us, ret))
        return;
    if (!on && old != NULL && driver_active(old)) {
        decision_problem(ret, cmd, PROBLEM_ACTIVE_BOOKING, "finish %.*s first",
                         STR_ARG(old->claim->booking_id));
        return;
    }
    if (old == NULL) {
        decide_open(cmd, ctx, NULL, ret);
        return;
    }
    bool wants = body->auto_accept == TRI_ABSENT ? old->auto_accept : body->auto_accept == TRI_TRUE;
    bool same_duty = on == (old->duty != DUTY_OFF);
    if (same_duty && wants == old->auto_accept) {
        driver_answer(cmd, ctx, old, ret);
        return;
    }
    struct driver *d = driver_edit(cmd, ctx, old, ret);
    d->auto_accept = wants;
    if (same_duty) { /* only that has changed */
        driver_answer(cmd, ctx, d, ret);
        return;
    }
    if (on) {
        driver_set_duty(d, driver_active(d) ? DUTY_BUSY : DUTY_ON, cmd, ctx, ret);
        rota_begin_duty(cmd, d, ctx->now_us);
        d->free_since_us = ctx->now_us;
    } else {
        driver_off_duty(d, "went off duty", cmd, ctx, ret);
    }
    driver_answer(cmd, ctx, d, ret);
}

#define PROFILE_COMMAND(label, decide_fn)                                                          \
    {                                                                                              \
        .name = (label), .aggregate = &driver_aggregate, .load = driver_load_position,             \
        .decide = (decide_fn), .applied = driver_applied                                           \
    }

const struct command_type driver_account_type = {.name = "driver.account",
                                                 .aggregate = &driver_aggregate,
                                                 .decide = decide_account,
                                                 .applied = driver_applied};
const struct command_type driver_open_type = PROFILE_COMMAND("driver.open", decide_open);
const struct command_type driver_status_type = PROFILE_COMMAND("driver.status", decide_status);
const struct command_type driver_duty_type = PROFILE_COMMAND("driver.duty", decide_duty);

/* ---- in ---- */

void on_account(struct event_turn *t, const void *data) {
    const struct ev_account *account = data;
    if (account->user_id.p == NULL)
        return; /* nobody's */
    struct account_args *args = arena_new(t->arena, struct account_args);
    *args = (struct account_args){account, t->event->at_us};
    event_command(t, &driver_account_type, driver_id_of(t->arena, account->user_id), args);
}

void profile_get(struct call *c) {
    struct driver_service *s = c->service;
    struct str id = driver_id_of(&c->arena, c->who.user_id);
    void *state;
    int err = aggregate_get(&driver_aggregate, c->worker->reader, c->worker->parser, id, &c->arena,
                            &state);
    if (err == ERR_NOT_FOUND) {
        call_command(c, &driver_open_type, id, NULL);
        return;
    }
    if (err < 0) {
        call_error(c, err);
        return;
    }
    const struct driver *d = state;
    struct fleet_position position;
    bool placed = roster_position(s->roster, id, &position) == 0;
    /* No 304: his position changes without his version. */
    response_header(&c->response, "ETag",
                    arena_printf(&c->arena, "\"%lld\"", (long long)d->head.version));
    call_json(c, 200, driver_json(&c->arena, d, placed ? &position : NULL));
}

void profile_of(struct call *c) {
    struct driver_service *s = c->service;
    void *state;
    struct str id = c->params[0];
    int err = id_valid(id, "drv") ? aggregate_get(&driver_aggregate, c->worker->reader,
                                                  c->worker->parser, id, &c->arena, &state)
                                  : ERR_NOT_FOUND;
    if (err < 0) {
        call_error(c, err);
        return;
    }
    const struct driver *d = state;
    struct fleet_position position;
    bool placed = roster_position(s->roster, id, &position) == 0;
    response_header(&c->response, "ETag",
                    arena_printf(&c->arena, "\"%lld\"", (long long)d->head.version));
    call_json(c, 200, driver_json(&c->arena, d, placed ? &position : NULL));
}

void profile_duty(struct call *c) {
    call_command(c, &driver_duty_type, driver_id_of(&c->arena, c->who.user_id), c->body);
}

void profile_status(struct call *c) {
    const struct status_body *body = c->body;
    if (body->status == 2 && body->reason.p == NULL) {
        struct field_errors errors = {0};
        field_errors_add(&errors, &c->arena, STR("/reason"), "is required to suspend");
        call_invalid(c, &errors);
        return;
    }
    if (!id_valid(c->params[0], "drv")) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such driver");
        return;
    }
    call_command(c, &driver_status_type, c->params[0], c->body);
}
