/* Journeys, as the oracle sees them: geofences never flap, whatever the noise of the positions; and
 * what is shown of arrivals keeps to its bounds, moves only when it is off, and is pushed only
 * then.
 *
 * Fences are held against the fixes that are durable, by terms that stand here a second time: one
 * comes in within 120 m, goes out beyond twice that, and either must last for 20 s.
 */
#include "sim/oracle.h"

#include "geo/geo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTER_M 120.0
#define LEAVE_M 240.0
#define DWELL_US (20 * US_PER_S)
#define ACCURACY_M 30.0 /* of a fix that does not tell its own */
#define STEP_US (60 * US_PER_S)
#define WINDOW_US (300 * US_PER_S)
#define SPREAD_US (120 * US_PER_S)

static int64_t time_of(struct json_value v, const char *key) {
    int64_t at_us = 0;
    struct str text = sim_json_str(v, key);
    if (text.p != NULL)
        timestamp_parse(text, &at_us);
    return at_us;
}

static int32_t degrees(struct json_value v, const char *key) {
    struct json_value member;
    double value = 0;
    if (json_get(v, key, &member))
        json_f64(member, &value);
    return (int32_t)(value * 1e7 + (value < 0 ? -0.5 : 0.5));
}

static struct shadow_journey *journey_of(struct oracle *o, struct str id) {
    struct shadow_journey *j = map_get(&o->journeys, id);
    if (j != NULL)
        return j;
    j = arena_new(&o->sim->arena, struct shadow_journey);
    snprintf(j->id, sizeof(j->id), "%.*s", STR_ARG(id));
    map_put(&o->journeys, str_from(j->id), j);
    return j;
}

/* ---- fences ---- */

/* The fix of that time was so near the stop, or so far, that it had to count. */
static void check_fix(struct oracle *o, const struct shadow_journey *j, int64_t i, int64_t at_us,
                      bool inside) {
    const struct shadow_fix *fix = shadow_fix(o, str_from(j->driver_id), at_us);
    const struct shadow_stop *s = &j->stops[i];
    SIM_EXPECT(o->sim, fix != NULL, "a fence changes by a fix that is durable",
               "stop %lld of %s at %lld", (long long)i, j->id, (long long)at_us);
    if (fix == NULL)
        return;
    double far_m = geo_distance_m((struct point){fix->lat_e7, fix->lng_e7},
                                  (struct point){s->lat_e7, s->lng_e7});
    double off_m = fix->accuracy_cm >= 0 ? (double)fix->accuracy_cm / 100 : ACCURACY_M;
    SIM_EXPECT(o->sim, inside ? far_m + off_m <= ENTER_M + 1 : far_m - off_m >= LEAVE_M - 1,
               "a fence changes by a fix that leaves no doubt",
               "stop %lld of %s was %s at %.0f m, give or take %.0f", (long long)i, j->id,
               inside ? "reached" : "left", far_m, off_m);
}

/* What was told of a stop: he came, he left, he came … */
static void check_told(struct oracle *o, struct shadow_journey *j, const struct event *e) {
    struct json_value data;
    bool reached = str_is(e->type, EV_TRACKING_REACHED);
    if (!reached && !str_is(e->type, EV_TRACKING_LEFT))
        return;
    if (json_parse(o->parser, e->data, &data) < 0)
        return;
    int64_t i = sim_json_i64(data, "stop"), at_us = time_of(data, "at");
    if (i < 0 || i >= SHADOW_STOPS_MAX) {
        sim_fail(o->sim, "a fence is a stop's", "%s tells of stop %lld", j->id, (long long)i);
        return;
    }
    struct shadow_stop *s = &j->stops[i];
    SIM_EXPECT(o->sim, s->told != reached, "a fence is left after it was reached, and only then",
               "stop %lld of %s was %s again", (long long)i, j->id, reached ? "reached" : "left");
    SIM_EXPECT(o->sim, s->told_us == 0 || at_us - s->told_us >= DWELL_US, "a fence never flaps",
               "stop %lld of %s changed %lld us after it had", (long long)i, j->id,
               (long long)(at_us - s->told_us));
    check_fix(o, j, i, at_us, reached);
    s->told = reached;
    s->told_us = at_us;
    o->sim->result->fences++;
}

/* ---- what is shown ---- */

static void check_window(struct oracle *o, const struct shadow_journey *j, int32_t i,
                         const struct shadow_stop *was, const struct shadow_stop *is,
                         int64_t now_us) {
    int64_t left_us = is->shown_us > now_us ? is->shown_us - now_us : 0;
    int64_t spread_us = left_us * 15 / 100 > SPREAD_US ? left_us * 15 / 100 : SPREAD_US;
    bool news = was->shown_us == 0 || llabs(is->shown_us - was->shown_us) >= STEP_US ||
                is->shown_us < was->early_us || is->shown_us > was->late_us;
    SIM_EXPECT(o->sim, news, "an arrival is shown anew only when it is news",
               "stop %d of %s went from %lld to %lld", i, j->id, (long long)was->shown_us,
               (long long)is->shown_us);
    SIM_EXPECT(o->sim, is->early_us % WINDOW_US == 0 && is->late_us % WINDOW_US == 0,
               "windows are of whole five minutes", "stop %d of %s: %lld to %lld", i, j->id,
               (long long)is->early_us, (long long)is->late_us);
    SIM_EXPECT(o->sim,
               is->shown_us - is->early_us >= spread_us - US_PER_S &&
                   is->late_us - is->shown_us >= spread_us - US_PER_S &&
                   is->shown_us - is->early_us < spread_us + WINDOW_US + US_PER_S &&
                   is->late_us - is->shown_us < spread_us + WINDOW_US + US_PER_S,
               "a window is as wide as what is left",
               "stop %d of %s: %lld s left, window of %lld s", i, j->id,
               (long long)(left_us / US_PER_S),
               (long long)((is->late_us - is->early_us) / US_PER_S));
    SIM_EXPECT(o->sim, is->shown_us >= now_us - US_PER_S, "nobody arrives in the past",
               "stop %d of %s, %lld us ago", i, j->id, (long long)(now_us - is->shown_us));
}

static void read_stops(struct oracle *o, struct shadow_journey *j, struct json_value root,
                       bool same_way, int64_t now_us) {
    struct json_value stops;
    int32_t i = 0;
    bool news = false;
    memcpy(j->before, j->stops, sizeof(j->before));
    if (!json_get(root, "stops", &stops))
        return;
    for (struct json_iter it = json_iter(stops); json_next(&it) && i < SHADOW_STOPS_MAX; i++) {
        struct shadow_stop *s = &j->stops[i], was = *s;
        s->lat_e7 = degrees(it.value, "lat");
        s->lng_e7 = degrees(it.value, "lng");
        if (s->lat_e7 != was.lat_e7 || s->lng_e7 != was.lng_e7) { /* another stop than before */
            s->told = false;
            s->told_us = 0;
            was = (struct shadow_stop){0};
        }
        s->shown_us = time_of(it.value, "shown");
        s->early_us = time_of(it.value, "early");
        s->late_us = time_of(it.value, "late");
        bool moved =
            s->shown_us != was.shown_us || s->early_us != was.early_us || s->late_us != was.late_us;
        if (moved && s->shown_us != 0)
            check_window(o, j, i, same_way ? &was : &(struct shadow_stop){0}, s, now_us);
        news = news || (moved && s->shown_us != 0);
    }
    j->stop_count = i;
    j->changes += news;
}

void oracle_journey(struct oracle *o, const struct store_change *change) {
    struct json_value root;
    struct shadow_journey *j = journey_of(o, change->id);
    if (change->remove || json_parse(o->parser, change->state, &root) < 0)
        return;
    struct str driver_id = sim_json_str(root, "driver_id");
    int64_t begun_us = time_of(root, "begun_at"), through_us = time_of(root, "through");
    bool same_way = str_is(driver_id, j->driver_id) && begun_us == j->begun_us;
    if (!same_way) { /* another driver's, or the same one's once more */
        memset(j->stops, 0, sizeof(j->stops));
        snprintf(j->driver_id, sizeof(j->driver_id), "%.*s", STR_ARG(driver_id));
        j->begun_us = begun_us;
        j->through_us = 0;
    }
    SIM_EXPECT(o->sim, through_us >= j->through_us, "a journey goes by its clock",
               "%s was judged up to %lld, and now to %lld", j->id, (long long)j->through_us,
               (long long)through_us);
    j->through_us = through_us;
    read_stops(o, j, root, same_way, change->at_us);
    oracle_journey_stops(o, j, root);
    for (int32_t e = 0; e < change->event_count; e++)
        check_told(o, j, &change->events[e]); /* the parser's from here on */
}

/* ---- what is pushed ---- */

static bool says(const struct signal_eta *said, const struct shadow_stop *stops, int32_t count) {
    bool same = true;
    for (int32_t i = 0; i < said->stop_count && i < count; i++)
        same =
            same && (said->stops[i].eta_us == 0 || (said->stops[i].eta_us == stops[i].shown_us &&
                                                    said->stops[i].early_us == stops[i].early_us &&
                                                    said->stops[i].late_us == stops[i].late_us));
    return same;
}

/* Of two changes in one batch both are durable when the first is told. */
void oracle_signal(struct sim *sim, const char *topic, const void *data, size_t len) {
    struct signal_eta said;
    if (strcmp(topic, SIGNAL_ETA) != 0 || !signal_eta_read(data, len, &said))
        return;
    struct arena a;
    arena_init(&a, 128);
    struct str id = arena_printf(&a, "jny%s", said.booking_id + strlen("bkg"));
    struct shadow_journey *j = map_get(&sim->oracle->journeys, id);
    SIM_EXPECT(sim, j != NULL, "what is pushed is durable", "an arrival of %s", said.booking_id);
    if (j != NULL) {
        bool newest = says(&said, j->stops, j->stop_count);
        SIM_EXPECT(sim, newest || says(&said, j->before, j->stop_count),
                   "what is pushed is durable", "the arrivals of %s are others", said.booking_id);
        SIM_EXPECT(sim, j->changes > 0, "an arrival is pushed only when it has changed",
                   "%s was pushed again", said.booking_id);
        j->changes = newest ? 0 : j->changes;
    }
    arena_free(&a);
}
