/* Who is shown whose name, number and note, as the oracle sees it. It knows nothing of the table
 * that the services ask (events/sight.h): it looks at what came out. Contacts in here have a number
 * of their own (SIM_CONTACT_PHONE), drivers theirs, and a masked one has no plus.
 */
#include "sim/oracle.h"

#include <string.h>

/* How far apart the clocks of who ended a booking and who shows it may be, and more. */
#define CLOCKS_US (8 * US_PER_S)

static bool is_number(struct str phone) {
    return phone.len > 0 && phone.p[0] == '+';
}

static int32_t state_of(struct json_value booking) {
    struct str name = sim_json_str(booking, "state");
    for (int32_t s = BOOKING_NONE + 1; s < BOOKING_STATE_COUNT; s++) {
        if (str_is(name, booking_state_names[s]))
            return s;
    }
    return BOOKING_NONE;
}

/* What is seen of the people at the stops of BOOKING: whether some number is masked, some is whole,
 * and whether there are notes. */
struct shown {
    bool masked, whole, noted;
};
static struct shown shown_of(struct json_value booking) {
    struct json_value stops, contact;
    struct shown s = {.noted = sim_json_str(booking, "notes").len > 0};
    if (!json_get(booking, "stops", &stops))
        return s;
    for (struct json_iter it = json_iter(stops); json_next(&it);) {
        s.noted = s.noted || sim_json_str(it.value, "note").len > 0;
        if (!json_get(it.value, "contact", &contact) || json_kind(contact) != JSON_IS_OBJECT)
            continue;
        struct str phone = sim_json_str(contact, "phone");
        s.whole = s.whole || is_number(phone);
        s.masked = s.masked || (phone.len > 0 && !is_number(phone));
    }
    return s;
}

static struct str driver_member(struct json_value booking, const char *key) {
    struct json_value driver;
    if (!json_get(booking, "driver", &driver) || json_kind(driver) != JSON_IS_OBJECT)
        return STR_NONE;
    return sim_json_str(driver, key);
}

/* The names of people in here have two words. */
static bool is_full_name(struct str name) {
    return name.len > 0 && memchr(name.p, ' ', name.len) != NULL;
}

static void seen_by_customer(struct sim *sim, const struct person *p, struct json_value booking) {
    struct str phone = driver_member(booking, "phone");
    int32_t state = state_of(booking);
    SIM_EXPECT(sim, !shown_of(booking).masked, "a customer sees what he has written", "%s does not",
               p->user_id);
    if (phone.len == 0)
        return;
    SIM_EXPECT(sim, is_number(phone) == (state < BOOKING_DELIVERED),
               "a driver's number is seen while it is of use", "%s sees %.*s of one that is %s",
               p->user_id, STR_ARG(phone), booking_state_names[state]);
    SIM_EXPECT(sim, state < BOOKING_DELIVERED || !is_full_name(driver_member(booking, "name")),
               "a driver's name is seen while it is of use", "%s sees it", p->user_id);
}

static void seen_by_driver(struct sim *sim, const struct person *p, struct json_value booking,
                           bool fresh) {
    struct shown s = shown_of(booking);
    int32_t state = state_of(booking);
    int64_t ended_us = 0, kept_us = sim->profile.contact_kept_s * US_PER_S;
    bool his = str_is(driver_member(booking, "id"), p->driver_id);
    SIM_EXPECT(sim, his || !(s.whole || s.masked || s.noted),
               "who does not have a booking sees none of its people", "%s sees them", p->user_id);
    SIM_EXPECT(sim, sim_json_str(booking, "tracking_token").p == NULL,
               "a driver has no tracking link", "%s has one", p->user_id);
    if (!his)
        return;
    struct str own = driver_member(booking, "phone");
    /* None where he took it before the driver service had heard of his account's number. */
    SIM_EXPECT(sim, own.len == 0 || is_number(own), "one's own number is whole", "%s sees %.*s",
               p->user_id, STR_ARG(own));
    if (state < BOOKING_DELIVERED) {
        SIM_EXPECT(sim, !s.masked, "who has a booking can call its people", "%s cannot",
                   p->user_id);
        return;
    }
    if (!fresh || timestamp_parse(sim_json_str(booking, "ended_at"), &ended_us) < 0)
        return; /* an answer may come again long after */
    int64_t since_us = sim->now_us - ended_us;
    SIM_EXPECT(sim, since_us < kept_us + CLOCKS_US || !(s.whole || s.noted),
               "numbers are masked in time", "%s sees them %lld s after the end", p->user_id,
               (long long)(since_us / US_PER_S));
    SIM_EXPECT(sim, since_us > kept_us - CLOCKS_US || !s.masked, "numbers are masked in time",
               "%s does not see them %lld s after the end", p->user_id,
               (long long)(since_us / US_PER_S));
}

void oracle_people(struct sim *sim, const struct person *p, struct json_value booking, bool fresh) {
    if (p->role == ROLE_CUSTOMER)
        seen_by_customer(sim, p, booking);
    else if (p->role == ROLE_DRIVER)
        seen_by_driver(sim, p, booking, fresh);
    else
        SIM_EXPECT(sim, !shown_of(booking).masked, "staff sees whom it may have to call", "%s",
                   p->user_id);
}

void oracle_people_kept(struct oracle *o, const struct stream *s, const struct shadow_booking *b,
                        struct json_value view) {
    struct shown shown = shown_of(view);
    bool staff = strcmp(s->name, "staff") == 0, customer = strcmp(s->name, b->customer_id) == 0;
    if (staff)
        return;
    SIM_EXPECT(o->sim, customer || !(shown.whole || shown.noted),
               "an inbox keeps no number of others", "%s has one of %s", s->name, b->id);
    SIM_EXPECT(o->sim, customer || sim_json_str(view, "tracking_token").p == NULL,
               "a driver has no tracking link", "%s has that of %s", s->name, b->id);
    SIM_EXPECT(o->sim, !customer || !is_number(driver_member(view, "phone")),
               "an inbox keeps no number of others", "%s has that of the driver of %s", s->name,
               b->id);
}

/* Texts that go to people who may see no number at all: who is asked, and who has a link. */
void oracle_no_number(struct sim *sim, const struct sim_call *c) {
    struct str path = c->request->path, body = c->answer.body;
    if (!str_starts(path, "/v1/track/") && !str_is(path, "/v1/driver/offers"))
        return;
    SIM_EXPECT(sim,
               memmem(body.p, body.len, "\"phone\"", 7) == NULL &&
                   memmem(body.p, body.len, "\"note\"", 6) == NULL,
               "who does not have a booking sees none of its people", "%.*s: %.*s", STR_ARG(path),
               STR_ARG(body));
}
