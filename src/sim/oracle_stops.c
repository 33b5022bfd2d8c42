/* A booking's stops, as the oracle sees them: they are others only when a change says so, with the
 * number of changes one higher; and whatever is wanted, the pickup and each stop that somebody has
 * come to stay where they are, before all others. A journey that has heard of a version goes to the
 * stops of that version.
 */
#include "sim/oracle.h"

#include "base/check.h"

#define CHANGES_MAX 12

static int32_t degrees(struct json_value v, const char *key) {
    struct json_value member;
    double value = 0;
    if (json_get(v, key, &member))
        json_f64(member, &value);
    return (int32_t)(value * 1e7 + (value < 0 ? -0.5 : 0.5));
}

static void read_stops(struct json_value root, struct shadow_booking *b) {
    struct json_value stops, place;
    b->stop_count = 0;
    if (!json_get(root, "stops", &stops))
        return;
    for (struct json_iter it = json_iter(stops); json_next(&it);) {
        CHECK(b->stop_count < SHADOW_STOPS_MAX);
        if (!json_get(it.value, "place", &place))
            place = it.value;
        struct str state = sim_json_str(it.value, "state"), note = sim_json_str(it.value, "note");
        b->stops[b->stop_count++] = (struct shadow_place){
            degrees(place, "lat"), degrees(place, "lng"), str_is(state, "pending"),
            str_is(state, "done") || str_is(state, "failed"),
            note.len > 0 ? str_hash(note, 11) | 1 : 0};
    }
}

static bool same_place(const struct shadow_place *a, const struct shadow_place *b) {
    return a->lat_e7 == b->lat_e7 && a->lng_e7 == b->lng_e7;
}

/* How many of B's stops, from the first on, cannot be changed. */
static int32_t fixed_of(const struct shadow_booking *b) {
    int32_t n = 1;
    while (n < b->stop_count && !b->stops[n].pending)
        n++;
    return n;
}

/* Who made the last entry of the timeline. */
static struct str last_actor(struct json_value root) {
    struct json_value timeline;
    struct str kind = STR_NONE;
    if (json_get(root, "timeline", &timeline)) {
        for (struct json_iter it = json_iter(timeline); json_next(&it);)
            kind = sim_json_str(it.value, "actor_kind");
    }
    return kind;
}

/* BY: who wants it. */
static void check_changed(struct oracle *o, const struct shadow_booking *old,
                          const struct shadow_booking *b, struct str by) {
    int32_t fixed = fixed_of(old);
    bool kept = b->stop_count >= fixed;
    for (int32_t i = 0; kept && i < fixed; i++)
        kept = same_place(&old->stops[i], &b->stops[i]) &&
               old->stops[i].pending == b->stops[i].pending;
    for (int32_t i = fixed; kept && i < b->stop_count; i++)
        kept = b->stops[i].pending;
    SIM_EXPECT(o->sim, kept, "a stop that somebody has come to stays what and where it is",
               "%s, version %lld: %d of %d stay", b->id, (long long)b->version, fixed,
               old->stop_count);
    bool on_board = old->state >= BOOKING_PICKED_UP;
    SIM_EXPECT(o->sim, !on_board || !str_is(by, "customer") || b->earning >= old->earning,
               "what was driven is paid for", "%s went from %lld to %lld", b->id,
               (long long)old->earning, (long long)b->earning);
    SIM_EXPECT(o->sim,
               b->stops_revision == old->stops_revision + 1 && b->stops_revision <= CHANGES_MAX,
               "changes of stops are counted", "%s went from %lld to %lld", b->id,
               (long long)old->stops_revision, (long long)b->stops_revision);
    bool moves = old->state >= BOOKING_SCHEDULED && old->state <= BOOKING_ARRIVED_DROPOFF;
    bool stays =
        b->state == old->state || (old->state == BOOKING_OFFERED && b->state == BOOKING_REQUESTED);
    SIM_EXPECT(o->sim, moves && stays, "who changes stops changes nothing else",
               "%s was %s and is %s", b->id, booking_state_names[old->state],
               booking_state_names[b->state]);
    for (int32_t i = 0; i < b->offer_count; i++)
        SIM_EXPECT(o->sim, b->offers[i].wanted, "nobody is asked for a trip that has changed",
                   "%s has %s open", b->id, b->offers[i].id);
    o->sim->result->stops_changed++;
}

/* The stops are the same: what is to be known at one is other only before it is over. */
static void check_notes(struct oracle *o, const struct shadow_booking *old,
                        const struct shadow_booking *b) {
    for (int32_t i = 0; i < old->stop_count; i++) {
        if (old->stops[i].note == b->stops[i].note)
            continue;
        SIM_EXPECT(o->sim, !old->stops[i].over && old->state == b->state,
                   "who changes a note changes nothing else", "%s, stop %d: %s, then %s", b->id, i,
                   booking_state_names[old->state], booking_state_names[b->state]);
        o->sim->result->notes_changed++;
    }
}

void oracle_stops(struct oracle *o, const struct shadow_booking *old, struct shadow_booking *b,
                  struct json_value root) {
    int64_t revision = sim_json_i64(root, "stops_revision");
    b->stops_revision = revision != I64_ABSENT ? revision : 0;
    read_stops(root, b);
    if (old->state == BOOKING_NONE)
        return;
    if (b->stops_revision != old->stops_revision) {
        check_changed(o, old, b, last_actor(root));
        return;
    }
    bool same = b->stop_count >= old->stop_count; /* the way back is one more */
    for (int32_t i = 0; same && i < old->stop_count; i++)
        same = same_place(&old->stops[i], &b->stops[i]);
    SIM_EXPECT(o->sim, same, "stops change only where somebody wants it", "%s, version %lld", b->id,
               (long long)b->version);
    if (same)
        check_notes(o, old, b);
}

void oracle_journey_stops(struct oracle *o, const struct shadow_journey *j,
                          struct json_value root) {
    const struct shadow_booking *b = shadow_booking(o, sim_json_str(root, "booking_id"));
    struct json_value done;
    bool over = json_get(root, "done", &done) && json_bool(done);
    if (b == NULL || over || sim_json_i64(root, "booking_version") != b->version)
        return;
    bool there = j->stop_count == b->stop_count;
    for (int32_t i = 0; there && i < b->stop_count; i++)
        there =
            j->stops[i].lat_e7 == b->stops[i].lat_e7 && j->stops[i].lng_e7 == b->stops[i].lng_e7;
    SIM_EXPECT(o->sim, there, "a journey goes to the stops of its booking",
               "%s, of %d stops, and version %lld of %s, of %d", j->id, j->stop_count,
               (long long)b->version, b->id, b->stop_count);
}
