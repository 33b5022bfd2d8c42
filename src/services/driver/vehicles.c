/* A driver's vehicles: a few, of which one is in use. What he is asked to carry and carries is
 * for the one in use, so while there is a claim on him it neither changes nor is changed for
 * another, and while he is on duty there is one. The office may add, change and remove them by the
 * same rules; which one he drives is his word alone.
 *
 * All of them lie in his document: which one is in use is decided with his duty and his claim.
 */
#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "runtime/audit.h"
#include "services/driver/documents.h"

#include <string.h>

static void vehicle_copy(struct driver_vehicle *v, struct arena *a) {
    v->plate = arena_str(a, v->plate);
    v->id = arena_str(a, v->id);
    vehicle_fill(v);
}

void vehicles_copy(struct driver *copy, struct str driver_id, struct arena *a) {
    const struct driver_vehicle *old = copy->vehicles;
    copy->vehicles = arena_array(a, struct driver_vehicle, VEHICLES_MAX);
    for (int32_t i = 0; i < copy->vehicle_count; i++) {
        copy->vehicles[i] = old[i];
        vehicle_copy(&copy->vehicles[i], a);
    }
    if (copy->vehicle == NULL)
        return;
    copy->vehicle = arena_copy(a, copy->vehicle, sizeof(*copy->vehicle));
    vehicle_copy(copy->vehicle, a);
    if (copy->vehicle->id.p == NULL)
        copy->vehicle->id = id_with_prefix(a, driver_id, "veh");
    if (copy->vehicle_count == 0)
        copy->vehicles[copy->vehicle_count++] = *copy->vehicle;
}

/* NULL: he has no such vehicle. */
static struct driver_vehicle *find(const struct driver *d, struct str id) {
    for (int32_t i = 0; i < d->vehicle_count; i++) {
        if (str_eq(d->vehicles[i].id, id))
            return &d->vehicles[i];
    }
    return NULL;
}

/* The next letter or digit of P from *AT on, 0: none; spaces and dashes are how it is written. */
static char plate_next(struct str p, size_t *at) {
    while (*at < p.len && (p.p[*at] == ' ' || p.p[*at] == '-'))
        ++*at;
    char c = *at < p.len ? p.p[(*at)++] : '\0';
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool same_plate(struct str a, struct str b) {
    size_t i = 0, j = 0;
    char c, d;
    do {
        c = plate_next(a, &i);
        d = plate_next(b, &j);
    } while (c == d && c != '\0');
    return c == d;
}

/* True: another of D's than V (NULL: a new one) has PLATE, and the decision says so. */
static bool refused_by_plate(const struct command *cmd, const struct driver *d,
                             const struct driver_vehicle *v, struct str plate,
                             struct decision *ret) {
    for (int32_t i = 0; i < d->vehicle_count; i++) {
        if (&d->vehicles[i] == v || !same_plate(d->vehicles[i].plate, plate))
            continue;
        decision_invalid(ret, cmd, "/plate", "is that of another vehicle already");
        return true;
    }
    return false;
}

static bool in_use(const struct driver *d, const struct driver_vehicle *v) {
    return d->vehicle != NULL && str_eq(d->vehicle->id, v->id);
}

/* True: the one in use may not be touched now, and the decision says why. */
static bool refused_by_claim(const struct command *cmd, const struct driver *d,
                             struct decision *ret) {
    if (d->claim == NULL)
        return false;
    decision_problem(ret, cmd, PROBLEM_ACTIVE_BOOKING,
                     d->claim->active ? "the vehicle in use can change once the booking is finished"
                                      : "the vehicle in use can change once the offer is answered");
    return true;
}

static void put_in_use(struct driver *d, const struct driver_vehicle *v, struct arena *a) {
    d->vehicle = arena_copy(a, v, sizeof(*v));
}

/* Where nobody has to look at a new driver, a vehicle is all that is asked of him, and documents if
 * these are required. */
void driver_approve(const struct command *cmd, const struct decide_ctx *ctx, struct driver *d) {
    const struct driver_service *s = cmd->service;
    const char *why;
    bool itself = (s->o.approval_auto || s->approve_all) && d->status == STATUS_PENDING;
    if (itself && documents_lack(s, d, ctx->now_us, &why).p == NULL)
        d->status = STATUS_APPROVED;
}

/* What the client said of a vehicle, as it is kept. */
static struct driver_vehicle said(const struct driver_vehicle *body, struct str id) {
    struct driver_vehicle v = *body;
    v.id = id;
    vehicle_fill(&v);
    return v;
}

static bool same(const struct driver_vehicle *a, const struct driver_vehicle *b) {
    return a->kind == b->kind && a->capacity_kg == b->capacity_kg &&
           a->capacity_l == b->capacity_l && a->capacity_items == b->capacity_items &&
           str_eq(a->plate, b->plate);
}

/* ---- PUT /v1/driver: the one in use, as those know it who have only one ---- */

/* Which of D's it is about: that with this plate, or else the one in use becomes another. */
static struct driver_vehicle *meant(const struct driver *d, struct str plate) {
    for (int32_t i = 0; i < d->vehicle_count; i++) {
        if (same_plate(d->vehicles[i].plate, plate))
            return &d->vehicles[i];
    }
    return d->vehicle != NULL ? find(d, d->vehicle->id) : NULL;
}

/* Is it already as BODY says? What BODY leaves out of the capacity is as it was. */
static bool as_said(const struct driver_vehicle *v, const struct driver_vehicle *body) {
    struct driver_vehicle now = *body;
    if (v == NULL)
        return false;
    if (now.capacity_kg == I64_ABSENT)
        now.capacity_kg = v->capacity_kg;
    if (now.capacity_l == I64_ABSENT)
        now.capacity_l = v->capacity_l;
    if (now.capacity_items == I64_ABSENT)
        now.capacity_items = v->capacity_items;
    return same(v, &now);
}

static void decide_profile(const struct command *cmd, const struct decide_ctx *ctx,
                           const void *state, struct decision *ret) {
    const struct driver_vehicle *body = &((const struct profile_body *)cmd->args)->vehicle;
    const struct driver *old = state;
    if (driver_gone(cmd, old, ret))
        return;
    if (old != NULL && as_said(old->vehicle, body)) {
        driver_answer(cmd, ctx, old, ret);
        return;
    }
    if (old != NULL && refused_by_claim(cmd, old, ret))
        return;
    struct driver *d = old != NULL ? driver_edit(cmd, ctx, old, ret) : driver_make(cmd, ctx, ret);
    if (old == NULL)
        d->name = arena_str(ctx->arena, cmd->who.name);
    CHECK(d->vehicles != NULL); /* there is room for VEHICLES_MAX */
    struct driver_vehicle *v = meant(d, body->plate);
    if (v == NULL && d->vehicle_count == VEHICLES_MAX)
        v = &d->vehicles[0];
    if (v == NULL) {
        v = &d->vehicles[d->vehicle_count++];
        v->id = id_new(ctx->arena, "veh", ctx->now_us, ctx->rng);
    }
    *v = said(body, v->id);
    put_in_use(d, v, ctx->arena);
    driver_approve(cmd, ctx, d);
    driver_answer(cmd, ctx, d, ret);
}

const struct command_type driver_profile_type = {.name = "driver.profile",
                                                 .aggregate = &driver_aggregate,
                                                 .load = driver_load_position,
                                                 .decide = decide_profile,
                                                 .applied = driver_applied};

void profile_put(struct call *c) {
    call_command(c, &driver_profile_type, driver_id_of(&c->arena, c->who.user_id), c->body);
}

/* ---- /v1/driver/vehicles ---- */

struct vehicle_args {
    struct str id;
    const struct driver_vehicle *body; /* NULL: the command needs none */
    bool by_staff;
};

static void note(const struct command *cmd, const struct decide_ctx *ctx, const struct driver *old,
                 const struct driver *d, struct decision *ret) {
    static const char *const members[] = {"vehicle", "vehicles", "status", NULL};
    const struct vehicle_args *args = cmd->args;
    if (args->by_staff)
        decision_audit(ret, cmd, ctx, "driver.vehicles", old, d,
                       &(struct audit_more){.kept = true, .only = members});
}

static void write_one(struct jw *w, const struct driver *d, const struct driver_vehicle *v) {
    jw_object(w);
    schema_write_fields(&vehicle_schema, v, S_OUT, w);
    jw_key(w, "in_use");
    jw_bool(w, in_use(d, v));
    jw_end(w);
}

static void answer_one(const struct command *cmd, const struct decide_ctx *ctx, int status,
                       const struct driver *d, const struct driver_vehicle *v,
                       struct decision *ret) {
    struct buf out;
    struct jw w;
    buf_init(&out, ctx->arena, 256);
    jw_init(&w, &out);
    write_one(&w, d, v);
    decision_json(ret, status, buf_str(&out));
    decision_etag(ret, cmd, d->head.version);
}

static void decide_add(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                       struct decision *ret) {
    const struct vehicle_args *args = cmd->args;
    const struct driver *old = state;
    if (old == NULL && args->by_staff) {
        decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "there is no such driver");
        return;
    }
    if (driver_gone(cmd, old, ret))
        return;
    if (old != NULL && old->vehicle_count == VEHICLES_MAX) {
        decision_problem(ret, cmd, PROBLEM_TOO_MANY_VEHICLES,
                         "there are %d vehicles already: remove one first", VEHICLES_MAX);
        return;
    }
    struct driver *d = old != NULL ? driver_edit(cmd, ctx, old, ret) : driver_make(cmd, ctx, ret);
    if (old == NULL)
        d->name = arena_str(ctx->arena, cmd->who.name);
    if (refused_by_plate(cmd, d, NULL, args->body->plate, ret)) {
        ret->state = NULL;
        return;
    }
    struct driver_vehicle *v = &d->vehicles[d->vehicle_count++];
    *v = said(args->body, id_new(ctx->arena, "veh", ctx->now_us, ctx->rng));
    if (d->vehicle == NULL)
        put_in_use(d, v, ctx->arena);
    driver_approve(cmd, ctx, d);
    note(cmd, ctx, old, d, ret);
    answer_one(cmd, ctx, 201, d, v, ret);
}

/* A copy of STATE to change, and which of its vehicles the command is about; NULL: answered. */
static struct driver *edit_one(const struct command *cmd, const struct decide_ctx *ctx,
                               const void *state, struct driver_vehicle **ret_vehicle,
                               struct decision *ret) {
    const struct vehicle_args *args = cmd->args;
    if (driver_gone(cmd, state, ret))
        return NULL;
    struct driver *d = state != NULL ? driver_edit(cmd, ctx, state, ret) : NULL;
    *ret_vehicle = d != NULL ? find(d, args->id) : NULL;
    if (*ret_vehicle != NULL)
        return d;
    ret->state = NULL;
    decision_problem(ret, cmd, PROBLEM_NOT_FOUND,
                     args->by_staff ? "there is no such vehicle" : "you have no such vehicle");
    return NULL;
}

static void decide_change(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct vehicle_args *args = cmd->args;
    struct driver_vehicle *v;
    struct driver *d = edit_one(cmd, ctx, state, &v, ret);
    if (d == NULL)
        return;
    const struct driver_vehicle next = said(args->body, v->id);
    if (same(v, &next)) {
        ret->state = NULL;
        answer_one(cmd, ctx, 200, state, v, ret);
        return;
    }
    bool refused = (in_use(d, v) && refused_by_claim(cmd, d, ret)) ||
                   (!same_plate(v->plate, next.plate) && /* two from before may be the same */
                    refused_by_plate(cmd, d, v, next.plate, ret));
    if (refused) {
        ret->state = NULL;
        return;
    }
    *v = next;
    if (in_use(d, v))
        put_in_use(d, v, ctx->arena);
    note(cmd, ctx, state, d, ret);
    answer_one(cmd, ctx, 200, d, v, ret);
}

static void decide_remove(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct vehicle_args *args = cmd->args;
    struct driver_vehicle *v;
    struct driver *d = edit_one(cmd, ctx, state, &v, ret);
    if (d == NULL)
        return;
    bool used = in_use(d, v);
    if (used && (d->claim != NULL || d->duty != DUTY_OFF)) {
        ret->state = NULL;
        if (!refused_by_claim(cmd, d, ret))
            decision_problem(ret, cmd, PROBLEM_ACTIVE_BOOKING,
                             args->by_staff ? "it is in use: its driver must go off duty, or take "
                                              "another vehicle, before it is removed"
                                            : "go off duty, or take another vehicle, before you "
                                              "remove this one");
        return;
    }
    if (used)
        d->vehicle = NULL;
    struct driver_vehicle *end = d->vehicles + d->vehicle_count--;
    memmove(v, v + 1, (size_t)(end - v - 1) * sizeof(*v));
    note(cmd, ctx, state, d, ret);
}

static void decide_use(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                       struct decision *ret) {
    struct driver_vehicle *v;
    struct driver *d = edit_one(cmd, ctx, state, &v, ret);
    if (d == NULL)
        return;
    if (in_use(d, v)) {
        ret->state = NULL;
        driver_answer(cmd, ctx, state, ret);
    } else if (refused_by_claim(cmd, d, ret)) {
        ret->state = NULL;
    } else {
        put_in_use(d, v, ctx->arena);
        driver_answer(cmd, ctx, d, ret);
    }
}

#define VEHICLE_COMMAND(label, decide_fn)                                                          \
    {                                                                                              \
        .name = (label), .aggregate = &driver_aggregate, .load = driver_load_position,             \
        .decide = (decide_fn), .applied = driver_applied                                           \
    }
static const struct command_type add_type = VEHICLE_COMMAND("vehicle.add", decide_add);
static const struct command_type change_type = VEHICLE_COMMAND("vehicle.change", decide_change);
static const struct command_type remove_type = VEHICLE_COMMAND("vehicle.remove", decide_remove);
static const struct command_type use_type = VEHICLE_COMMAND("vehicle.use", decide_use);

/* ---- routes ---- */

static void send(struct call *c, const struct command_type *type) {
    struct vehicle_args *args = arena_new(&c->arena, struct vehicle_args);
    *args = (struct vehicle_args){.id = c->params[0], .body = c->body};
    call_command(c, type, driver_id_of(&c->arena, c->who.user_id), args);
}

static void send_for(struct call *c, const struct command_type *type, struct str vehicle_id) {
    if (!id_valid(c->params[0], "drv")) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such driver");
        return;
    }
    struct vehicle_args *args = arena_new(&c->arena, struct vehicle_args);
    *args = (struct vehicle_args){.id = vehicle_id, .body = c->body, .by_staff = true};
    call_command(c, type, c->params[0], args);
}

void vehicles_add_for(struct call *c) {
    send_for(c, &add_type, STR_NONE);
}

void vehicles_change_for(struct call *c) {
    send_for(c, &change_type, c->params[1]);
}

void vehicles_remove_for(struct call *c) {
    send_for(c, &remove_type, c->params[1]);
}

void vehicles_add(struct call *c) {
    send(c, &add_type);
}

void vehicles_change(struct call *c) {
    send(c, &change_type);
}

void vehicles_remove(struct call *c) {
    send(c, &remove_type);
}

void vehicles_use(struct call *c) {
    send(c, &use_type);
}

void vehicles_write(struct jw *w, const struct driver *d, struct arena *a) {
    struct driver whole = *d;
    vehicles_copy(&whole, d->head.id, a);
    for (int32_t i = 0; i < whole.vehicle_count; i++)
        write_one(w, &whole, &whole.vehicles[i]);
}

static void list(struct call *c, struct str id, bool must_exist) {
    void *state = NULL;
    int err = id_valid(id, "drv") ? aggregate_get(&driver_aggregate, c->worker->reader,
                                                  c->worker->parser, id, &c->arena, &state)
                                  : ERR_NOT_FOUND;
    if (err < 0 && (err != ERR_NOT_FOUND || must_exist)) {
        call_error(c, err);
        return;
    }
    struct page p;
    page_begin(&p, c);
    if (state != NULL)
        vehicles_write(&p.w, state, &c->arena);
    page_reply(&p, false, STR_NONE);
}

void vehicles_list(struct call *c) {
    list(c, driver_id_of(&c->arena, c->who.user_id), false);
}

void vehicles_of(struct call *c) {
    list(c, c->params[0], true);
}
