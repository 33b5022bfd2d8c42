/* Drivers, their trails and earnings, as the oracle sees them. */
#include "sim/oracle.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>

static void copy_id(char out[ID_TEXT_MAX], struct str id) {
    snprintf(out, ID_TEXT_MAX, "%.*s", STR_ARG(id));
}

static bool has_event(const struct store_change *c, const char *type) {
    for (int32_t i = 0; i < c->event_count; i++) {
        if (str_is(c->events[i].type, type))
            return true;
    }
    return false;
}

/* Does a booking still count on a driver by this offer? */
static bool is_held(struct oracle *o, const char *booking_id, const char *offer_id) {
    const struct shadow_booking *b = shadow_booking(o, str_from(booking_id));
    if (b == NULL)
        return false;
    if (strcmp(b->offer_id, offer_id) == 0)
        return b->state < BOOKING_DELIVERED;
    for (int32_t i = 0; i < b->offer_count; i++) {
        if (!b->offers[i].wanted && strcmp(b->offers[i].id, offer_id) == 0)
            return true;
    }
    return false;
}

/* ---- what he does next ---- */

static void chained_new(struct oracle *o, const struct shadow_driver *d) {
    SIM_EXPECT(o->sim, map_get(&o->chained, str_from(d->next_offer)) == NULL,
               "what comes next comes once", "%s has %s next again", d->id, d->next_booking);
    struct shadow_chained *c = arena_new(&o->sim->arena, struct shadow_chained);
    snprintf(c->offer_id, sizeof(c->offer_id), "%s", d->next_offer);
    map_put(&o->chained, str_from(c->offer_id), c);
}

static void chained_over(struct oracle *o, const struct shadow_driver *old) {
    struct shadow_chained *c = map_get(&o->chained, str_from(old->next_offer));
    SIM_EXPECT(o->sim, c != NULL && !c->over, "what comes next begins or is let go, once",
               "%s of %s", old->next_booking, old->id);
    if (c != NULL)
        c->over = true;
}

/* Has what OLD had next become what D has? */
static bool is_promoted(const struct shadow_driver *old, const struct shadow_driver *d) {
    return old->has_next && d->claimed && strcmp(d->offer_id, old->next_offer) == 0;
}

static void check_next(struct oracle *o, const struct shadow_driver *old,
                       const struct shadow_driver *d, const struct store_change *change) {
    SIM_EXPECT(o->sim, !d->has_next || (d->claimed && d->active && d->busy),
               "only who carries something has something next", "%s has %s next", d->id,
               d->next_booking);
    SIM_EXPECT(o->sim, !d->has_next || strcmp(d->next_booking, d->booking_id) != 0,
               "what comes next is another booking", "%s has %s twice", d->id, d->booking_id);
    bool same = old->has_next && d->has_next && strcmp(old->next_offer, d->next_offer) == 0;
    if (same) {
        SIM_EXPECT(o->sim, d->next_active || !old->next_active, "a won booking is not lost again",
                   "%s does not have %s next any more", d->id, d->next_booking);
        return;
    }
    if (old->has_next)
        chained_over(o, old);
    if (is_promoted(old, d)) {
        SIM_EXPECT(o->sim, has_event(change, EV_DRIVER_NEXT_BEGUN), "what begins is told",
                   "%s begins %s without a word", d->id, d->booking_id);
        SIM_EXPECT(o->sim, d->active == old->next_active, "what comes next becomes what it was",
                   "%s has %s otherwise", d->id, d->booking_id);
        o->sim->result->chained += d->active;
    } else if (old->has_next) {
        SIM_EXPECT(o->sim, !is_held(o, old->next_booking, old->next_offer),
                   "only the booking's word ends a claim", "%s let go of %s, which is next", d->id,
                   old->next_booking);
        o->sim->result->unchained += old->next_active;
    }
    if (!d->has_next)
        return;
    SIM_EXPECT(o->sim, o->sim->profile.chain_eta_s > 0, "who is busy is asked where that is wanted",
               "%s was asked for %s", d->id, d->next_booking);
    SIM_EXPECT(o->sim, has_event(change, EV_DISPATCH_OFFERED), "a claim is told to its booking",
               "%s was claimed for %s without a word", d->id, d->next_booking);
    SIM_EXPECT(o->sim, d->approved, "only who is approved is asked", "%s was claimed for %s", d->id,
               d->next_booking);
    chained_new(o, d);
}

static void check_claim(struct oracle *o, const struct shadow_driver *old,
                        const struct shadow_driver *d, const struct store_change *change) {
    bool same = old->claimed && d->claimed && strcmp(old->offer_id, d->offer_id) == 0;
    if (same) {
        SIM_EXPECT(o->sim, d->active || !old->active, "a won booking is not lost again",
                   "%s: the claim of %s is not active any more", d->id, d->booking_id);
        return;
    }
    bool promoted = is_promoted(old, d);
    if (old->claimed && d->claimed && !promoted)
        SIM_EXPECT(o->sim, has_event(change, EV_DRIVER_DROPPED), "a driver holds one claim",
                   "%s was claimed for %s while he held %s", d->id, d->booking_id, old->booking_id);
    if (old->claimed)
        SIM_EXPECT(o->sim, !is_held(o, old->booking_id, old->offer_id),
                   "only the booking's word ends a claim",
                   "%s let go of %s, which still counts on him", d->id, old->booking_id);
    if (d->claimed && !d->active && !promoted)
        SIM_EXPECT(o->sim, has_event(change, EV_DISPATCH_OFFERED), "a claim is told to its booking",
                   "%s was claimed for %s without a word", d->id, d->booking_id);
}

/* What he is asked to carry was chosen for what he drives. */
static void check_vehicle(struct oracle *o, const struct shadow_driver *old,
                          struct shadow_driver *d, struct json_value root) {
    struct json_value vehicle;
    d->vehicle = STR_NONE;
    if (json_get(root, "vehicle", &vehicle) && json_kind(vehicle) == JSON_IS_OBJECT)
        d->vehicle = arena_printf(&o->sim->arena, "%.*s %.*s", STR_ARG(sim_json_str(vehicle, "id")),
                                  STR_ARG(sim_json_str(vehicle, "plate")));
    SIM_EXPECT(o->sim, !old->claimed || str_eq(old->vehicle, d->vehicle),
               "a claimed driver keeps his vehicle", "%s changed %.*s for %.*s", d->id,
               STR_ARG(old->vehicle), STR_ARG(d->vehicle));
    SIM_EXPECT(o->sim, !d->on_duty || d->vehicle.p != NULL, "who is on duty has a vehicle",
               "%s has none", d->id);
}

/* When the first of his approved documents expires. */
static int64_t paper_end(struct json_value root) {
    struct json_value list;
    int64_t first_us = 0;
    if (!json_get(root, "documents", &list))
        return 0;
    for (struct json_iter it = json_iter(list); json_next(&it);) {
        int64_t at_us = 0;
        if (str_is(sim_json_str(it.value, "state"), "approved") &&
            sim_json_str(it.value, "expires_at").p != NULL)
            timestamp_parse(sim_json_str(it.value, "expires_at"), &at_us);
        if (at_us != 0 && (first_us == 0 || at_us < first_us))
            first_us = at_us;
    }
    return first_us;
}

static void check_standing(struct oracle *o, const struct shadow_driver *old,
                           struct shadow_driver *d, struct json_value root, int64_t at_us) {
    d->approved = str_is(sim_json_str(root, "status"), "approved");
    d->suspended = str_is(sim_json_str(root, "status"), "suspended");
    d->paper_end_us = paper_end(root);
    bool asked = d->claimed && !d->active && !old->claimed;
    SIM_EXPECT(o->sim, !asked || d->approved, "only who is approved is asked",
               "%s was claimed for %s", d->id, d->booking_id);
    SIM_EXPECT(o->sim, !asked || d->paper_end_us == 0 || d->paper_end_us > at_us,
               "nobody is asked on what has expired", "%s was claimed for %s", d->id,
               d->booking_id);
    SIM_EXPECT(o->sim, !d->suspended || !d->on_duty || d->active,
               "who is suspended is on duty only to finish", "%s is", d->id);
}

void oracle_driver(struct oracle *o, const struct store_change *change) {
    struct json_value root, claim, is_active, vehicle, next;
    struct shadow_driver *d = shadow_driver(o, change->id);
    struct shadow_driver old = *d;
    if (json_parse(o->parser, change->state, &root) < 0) {
        sim_fail(o->sim, "documents are JSON", "%.*s", STR_ARG(change->id));
        return;
    }
    oracle_cash_book(o, root, d);
    struct str duty = sim_json_str(root, "duty");
    d->busy = str_is(duty, "busy");
    d->on_duty = !str_is(duty, "off");
    if (json_get(root, "vehicle", &vehicle) && json_kind(vehicle) == JSON_IS_OBJECT)
        d->capacity_kg = sim_json_i64(vehicle, "capacity_kg");
    d->claimed = json_get(root, "claim", &claim) && json_kind(claim) == JSON_IS_OBJECT;
    d->active = d->claimed && json_get(claim, "active", &is_active) && json_bool(is_active);
    if (d->claimed) {
        copy_id(d->booking_id, sim_json_str(claim, "booking_id"));
        copy_id(d->offer_id, sim_json_str(claim, "offer_id"));
    }
    d->has_next = json_get(root, "next", &next) && json_kind(next) == JSON_IS_OBJECT;
    d->next_active = d->has_next && json_get(next, "active", &is_active) && json_bool(is_active);
    if (d->has_next) {
        copy_id(d->next_booking, sim_json_str(next, "booking_id"));
        copy_id(d->next_offer, sim_json_str(next, "offer_id"));
    }
    sim_trace(o->sim, "driver", -1, change->id, d->claimed ? str_from(d->booking_id) : STR_NONE,
              d->active, d->busy);
    d->shift_end_us = 0;
    if (sim_json_str(root, "shift_end").p != NULL)
        timestamp_parse(sim_json_str(root, "shift_end"), &d->shift_end_us);
    SIM_EXPECT(o->sim, !d->active || d->busy, "who carries something is on duty",
               "%s went off duty with %s", d->id, d->booking_id);
    check_claim(o, &old, d, change);
    check_vehicle(o, &old, d, root);
    check_standing(o, &old, d, root, change->at_us);
    check_next(o, &old, d, change);
}

/* ---- trails ---- */

static struct str fix_key(const int64_t *at_us) {
    return (struct str){(const char *)at_us, sizeof(*at_us)};
}

static int64_t column(struct json_iter *row) {
    int64_t value = -1;
    if (json_next(row) && json_kind(row->value) != JSON_IS_NULL)
        json_i64(row->value, &value);
    return value;
}

static struct shadow_fix *read_row(struct oracle *o, struct json_value v) {
    struct json_iter row = json_iter(v);
    struct shadow_fix *fix = arena_new(&o->sim->arena, struct shadow_fix);
    fix->at_us = column(&row);
    fix->lat_e7 = (int32_t)column(&row);
    fix->lng_e7 = (int32_t)column(&row);
    fix->accuracy_cm = column(&row);
    return fix;
}

static void see_stored(struct oracle *o, const struct store_change *change, bool late) {
    struct json_value root, rows;
    if (change->remove || json_parse(o->parser, change->state, &root) < 0 ||
        !json_get(root, "fixes", &rows))
        return;
    struct shadow_driver *d = shadow_driver(o, sim_json_str(root, "driver_id"));
    for (struct json_iter it = json_iter(rows); json_next(&it);) {
        struct shadow_fix *fix = read_row(o, it.value);
        fix->late = late;
        o->sim->result->fixes++;
        /* Replicas may each store what came twice; it is read once. What was left out when it had
         * grown old, and comes again, is not known any more. */
        SIM_EXPECT(o->sim,
                   late || o->sim->profile.topology == SIM_REPLICAS ||
                       map_get(&d->fixes, fix_key(&fix->at_us)) == NULL,
                   "a fix is stored once", "%s: the fix of %lld is stored twice", d->id,
                   (long long)fix->at_us);
        map_put(&d->fixes, fix_key(&fix->at_us), fix);
        if (fix->at_us > d->newest_fix_us)
            d->newest_fix_us = fix->at_us;
    }
}

void oracle_trail(struct oracle *o, const struct store_change *change) {
    see_stored(o, change, false);
}

/* What came in old, or what is left of a stretch that has grown old: of that nothing may be new. */
void oracle_track(struct oracle *o, const struct store_change *change) {
    struct json_value root, rows;
    if (change->id.p[change->id.len - 1] != 's') {
        see_stored(o, change, true);
        return;
    }
    SIM_EXPECT(o->sim, o->sim->profile.thin_m > 0, "positions are simplified where that is wanted",
               "%.*s", STR_ARG(change->id));
    if (json_parse(o->parser, change->state, &root) < 0 || !json_get(root, "fixes", &rows))
        return;
    struct shadow_driver *d = shadow_driver(o, sim_json_str(root, "driver_id"));
    for (struct json_iter it = json_iter(rows); json_next(&it);) {
        const struct shadow_fix *fix = read_row(o, it.value);
        const struct shadow_fix *was = map_get(&d->fixes, fix_key(&fix->at_us));
        SIM_EXPECT(o->sim, was != NULL && was->lat_e7 == fix->lat_e7 && was->lng_e7 == fix->lng_e7,
                   "what is left of a trail was in it", "%s at %lld", d->id, (long long)fix->at_us);
    }
}

const struct shadow_fix *shadow_fix(struct oracle *o, struct str driver_id, int64_t at_us) {
    return map_get(&shadow_driver(o, driver_id)->fixes, fix_key(&at_us));
}

bool oracle_has_fix(struct sim *sim, const char *driver_id, int64_t at_us) {
    return shadow_fix(sim->oracle, str_from(driver_id), at_us) != NULL;
}

/* ---- earnings ---- */

void oracle_earnings(struct oracle *o, const struct store_change *change) {
    struct json_value root;
    if (json_parse(o->parser, change->state, &root) < 0)
        return;
    /* One day, or two when the run crosses midnight; the simulated one does not. */
    shadow_driver(o, sim_json_str(root, "driver_id"))->earnings_kept = sim_json_i64(root, "total");
}
