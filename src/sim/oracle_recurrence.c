/* Recurrences, as the oracle sees them: a day that is noted as booked has exactly one booking in
 * the end, for that day and the price that was noted, whatever fails in between; nothing is booked
 * too soon, or when it has gone by; nothing is booked that is not noted; what cannot be booked is
 * told in the same commit; and what has ended books nothing more.
 */
#include "sim/oracle.h"

#include "base/check.h"
#include "base/timestamp.h"

#include <stdio.h>
#include <string.h>

#define CLOCKS_DIFFER_US (10 * US_PER_S) /* crashes and delays between its load and its commit */

static struct shadow_recurrence *recurrence_of(struct oracle *o, struct str id) {
    struct shadow_recurrence *r = map_get(&o->recurrences, id);
    if (r != NULL)
        return r;
    r = arena_new(&o->sim->arena, struct shadow_recurrence);
    snprintf(r->id, sizeof(r->id), "%.*s", STR_ARG(id));
    map_put(&o->recurrences, str_from(r->id), r);
    r->next = o->first_recurrence;
    o->first_recurrence = r;
    return r;
}

static struct shadow_day *day_of(struct shadow_recurrence *r, struct str date) {
    for (int32_t i = 0; i < r->count; i++) {
        if (str_is(date, r->days[i].date))
            return &r->days[i];
    }
    CHECK(r->count < SHADOW_DAYS_MAX);
    struct shadow_day *d = &r->days[r->count++];
    snprintf(d->date, sizeof(d->date), "%.*s", STR_ARG(date));
    return d;
}

static int32_t events_in(const struct store_change *change, const char *type, struct str key) {
    int32_t count = 0;
    for (int32_t i = 0; i < change->event_count; i++)
        count += str_is(change->events[i].type, type) &&
                 (key.p == NULL || str_eq(change->events[i].key, key));
    return count;
}

/* D is booked just now: neither too soon, nor when it has gone by. */
static void check_booked(struct oracle *o, const struct store_change *change,
                         const struct shadow_recurrence *r, struct json_value v,
                         struct shadow_day *d) {
    d->total = sim_json_i64(v, "total");
    SIM_EXPECT(o->sim,
               d->from_us <= change->at_us + SIM_RECURRENCE_DAYS * US_PER_DAY + CLOCKS_DIFFER_US,
               "nothing is booked before it is time", "%s of %s", d->date, r->id);
    SIM_EXPECT(o->sim, d->from_us >= change->at_us - CLOCKS_DIFFER_US,
               "nothing is booked that has gone by", "%s of %s", d->date, r->id);
}

/* One occurrence as it is now; returns whether it was noted as not booked just now. */
static bool see_day(struct oracle *o, const struct store_change *change,
                    struct shadow_recurrence *r, struct json_value v) {
    struct shadow_day *d = day_of(r, sim_json_str(v, "date"));
    struct str state = sim_json_str(v, "state"), booking = sim_json_str(v, "booking_id");
    bool booked = str_is(state, "booked");
    bool refused = str_is(state, "failed") || str_is(state, "held");
    SIM_EXPECT(o->sim, d->booking_id[0] == 0 || (booked && str_is(booking, d->booking_id)),
               "a day that is booked stays so", "%s of %s is %.*s", d->date, r->id, STR_ARG(state));
    if (booked && d->booking_id[0] == 0) {
        snprintf(d->booking_id, sizeof(d->booking_id), "%.*s", STR_ARG(booking));
        timestamp_parse(sim_json_str(v, "from"), &d->from_us);
        SIM_EXPECT(o->sim, !r->ended, "what has ended books nothing more", "%s of %s", d->date,
                   r->id);
        SIM_EXPECT(o->sim, events_in(change, EV_BOOKING_ORDERED, booking) == 1,
                   "a day is booked with its event", "%s of %s has %d", d->date, r->id,
                   events_in(change, EV_BOOKING_ORDERED, booking));
        check_booked(o, change, r, v, d);
        r->booked++;
    }
    d->refused = refused;
    return refused && !d->was_refused;
}

void oracle_recurrence(struct oracle *o, const struct store_change *change) {
    struct json_value root, days;
    if (change->remove || json_parse(o->parser, change->state, &root) < 0) {
        sim_fail(o->sim, "a recurrence stays", "%.*s", STR_ARG(change->id));
        return;
    }
    struct shadow_recurrence *r = recurrence_of(o, change->id);
    bool ends = str_is(sim_json_str(root, "state"), "ended");
    int32_t booked = r->booked, told = 0;
    SIM_EXPECT(o->sim, ends || !r->ended, "what has ended has ended", "%s goes on", r->id);
    for (int32_t i = 0; i < r->count; i++) { /* one that is tried again is not there for a while */
        r->days[i].was_refused = r->days[i].refused;
        r->days[i].refused = false;
    }
    if (json_get(root, "occurrences", &days)) {
        for (struct json_iter it = json_iter(days); json_next(&it);)
            told += see_day(o, change, r, it.value);
    }
    r->ended = ends;
    SIM_EXPECT(o->sim, events_in(change, EV_BOOKING_ORDERED, STR_NONE) == r->booked - booked,
               "a day is booked with its event", "%s: %d days, %d events", r->id,
               r->booked - booked, events_in(change, EV_BOOKING_ORDERED, STR_NONE));
    SIM_EXPECT(o->sim, events_in(change, EV_RECURRENCE_FAILED, STR_NONE) == told,
               "a day that is not booked is told", "%s: %d days, %d events", r->id, told,
               events_in(change, EV_RECURRENCE_FAILED, STR_NONE));
}

void oracle_recurred(struct oracle *o, struct json_value root, const struct shadow_booking *b) {
    struct str made_by = sim_json_str(root, "made_by");
    struct json_value window;
    int64_t from_us = 0;
    if (made_by.p == NULL || !str_starts(made_by, "rec_"))
        return;
    struct shadow_recurrence *r = recurrence_of(o, made_by);
    struct shadow_day *d = NULL;
    for (int32_t i = 0; i < r->count && d == NULL; i++) {
        if (strcmp(r->days[i].booking_id, b->id) == 0)
            d = &r->days[i];
    }
    SIM_EXPECT(o->sim, d != NULL, "only days that are noted are booked", "%s is of %s", b->id,
               r->id);
    if (d == NULL)
        return;
    if (json_get(root, "pickup_window", &window))
        timestamp_parse(sim_json_str(window, "from"), &from_us);
    SIM_EXPECT(o->sim, from_us == d->from_us, "a day's booking is for that day", "%s is not for %s",
               b->id, d->date);
    SIM_EXPECT(o->sim, b->total == d->total, "a day costs what was noted",
               "%s costs %lld, not %lld", b->id, (long long)b->total, (long long)d->total);
    SIM_EXPECT(o->sim, ++d->bookings == 1, "each day has exactly one booking", "%s of %s has %d",
               d->date, r->id, d->bookings);
}

bool oracle_recurrences_settled(struct oracle *o, struct str *ret_why) {
    for (const struct shadow_recurrence *r = o->first_recurrence; r != NULL; r = r->next) {
        if (r->ended)
            continue;
        *ret_why = arena_printf(&o->sim->arena, "%s goes on", r->id);
        return false;
    }
    return true;
}

void oracle_recurrences_verdict(struct oracle *o) {
    for (const struct shadow_recurrence *r = o->first_recurrence; r != NULL; r = r->next) {
        for (int32_t i = 0; i < r->count; i++) {
            int32_t wanted = r->days[i].booking_id[0] != 0;
            SIM_EXPECT(o->sim, r->days[i].bookings == wanted, "each day has exactly one booking",
                       "%s of %s has %d, not %d", r->days[i].date, r->id, r->days[i].bookings,
                       wanted);
            o->sim->result->recurred += r->days[i].bookings;
        }
    }
}
