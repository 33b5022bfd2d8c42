/* Deliveries, as the oracle sees them: what leaves the house was durable before, what is said to be
 * sent has been taken, and everybody is told of each change of his bookings that he wants to be
 * told of exactly once, by what he has chosen or, as a customer, by the usual.
 */
#include "sim/oracle.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>

void oracle_delivery(struct oracle *o, const struct store_change *c) {
    struct json_value root;
    struct shadow_letter *l = map_get(&o->letters, c->id);
    if (c->remove || json_parse(o->parser, c->state, &root) < 0)
        return;
    if (l == NULL) {
        l = arena_new(&o->sim->arena, struct shadow_letter);
        snprintf(l->id, sizeof(l->id), "%.*s", STR_ARG(c->id));
        snprintf(l->user_id, sizeof(l->user_id), "%.*s", STR_ARG(sim_json_str(root, "user_id")));
        snprintf(l->kind, sizeof(l->kind), "%.*s", STR_ARG(sim_json_str(root, "kind")));
        map_put(&o->letters, str_from(l->id), l);
        l->next = o->first_letter;
        o->first_letter = l;
        if (str_is(sim_json_str(root, "channel"), "webhook"))
            oracle_webhook_told(o, sim_json_str(root, "webhook_id"), sim_json_str(root, "event_id"),
                                l);
    }
    struct str state = sim_json_str(root, "state");
    SIM_EXPECT(o->sim, !l->sent || str_is(state, "sent"), "what is sent stays so",
               "%s is %.*s again", l->id, STR_ARG(state));
    SIM_EXPECT(o->sim, !str_is(state, "sent") || l->taken, "what is said to be sent was taken",
               "%s was not", l->id);
    l->sent = str_is(state, "sent");
    l->pending = str_is(state, "pending");
}

void oracle_mail(struct sim *sim, struct str id) {
    struct shadow_letter *l = map_get(&sim->oracle->letters, id);
    sim_trace(sim, "mail", -1, id, STR_NONE, 0, 0);
    SIM_EXPECT(sim, l != NULL, "what leaves the house is durable", "%.*s is not", STR_ARG(id));
    if (l != NULL)
        l->taken = true;
}

bool oracle_mail_settled(struct oracle *o, struct str *ret_why) {
    for (const struct shadow_letter *l = o->first_letter; l != NULL; l = l->next) {
        if (!l->pending)
            continue;
        *ret_why = arena_printf(&o->sim->arena, "%s (%s) has not been sent", l->id, l->kind);
        return false;
    }
    return true;
}

/* ---- what was promised ---- */

const char *const sim_kinds[] = {
    "requested",   "assigned",  "arrived_pickup", "picked_up", "arrived_dropoff", "delivered",
    "cancelled",   "expired",   "failed",         "offer",     "scheduled",       "reminded",
    "stop_failed", "returning", "arrived_return", "returned",  "stops_changed",   NULL};
#define USUAL                                                                                      \
    (1u << 1 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 8 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 15 | \
     1u << 16)

static int kind_named(const char *name) {
    for (int i = 0; sim_kinds[i] != NULL; i++) {
        if (strcmp(sim_kinds[i], name) == 0)
            return i;
    }
    return -1;
}

/* USER_ID is to be told of one more of KIND, if he wants to. */
static void promise(struct oracle *o, struct str user_id, const char *kind) {
    int k = kind_named(kind);
    if (user_id.len == 0 || k < 0)
        return;
    struct shadow_promise *p = map_get(&o->promises, user_id);
    if (p == NULL) {
        p = arena_new(&o->sim->arena, struct shadow_promise);
        snprintf(p->user_id, sizeof(p->user_id), "%.*s", STR_ARG(user_id));
        map_put(&o->promises, str_from(p->user_id), p);
    }
    p->happened[k]++;
}

void oracle_promised(struct oracle *o, const struct event *e, const struct shadow_booking *b) {
    static const char *const states[] = {
        EV_BOOKING_REQUESTED,   EV_BOOKING_ASSIGNED, EV_BOOKING_PROGRESSED, EV_BOOKING_DELIVERED,
        EV_BOOKING_CANCELLED,   EV_BOOKING_EXPIRED,  EV_BOOKING_FAILED,     EV_BOOKING_SCHEDULED,
        EV_BOOKING_RESCHEDULED, EV_BOOKING_RETURNED};
    struct json_value root, offer, manual;
    if (b->imported && b->version == 1) /* one letter for each row of a file nobody wants */
        return;
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        if (!str_is(e->type, states[i]))
            continue;
        promise(o, str_from(b->customer_id), booking_state_names[b->state]);
        promise(o, str_from(b->driver_user_id), booking_state_names[b->state]);
    }
    if (str_is(e->type, EV_BOOKING_STOP_FAILED)) {
        promise(o, str_from(b->customer_id), "stop_failed");
        promise(o, str_from(b->driver_user_id), "stop_failed");
    }
    if (str_is(e->type, EV_BOOKING_STOPS_CHANGED)) {
        promise(o, str_from(b->customer_id), "stops_changed");
        promise(o, str_from(b->driver_user_id), "stops_changed");
    }
    if (str_is(e->type, EV_BOOKING_REMINDED))
        promise(o, str_from(b->customer_id), "reminded");
    if (!str_is(e->type, EV_BOOKING_OFFERED) || json_parse(o->parser, e->data, &root) < 0 ||
        !json_get(root, "offer", &offer) || json_kind(offer) != JSON_IS_OBJECT ||
        (json_get(offer, "manual", &manual) && json_bool(manual)))
        return;
    struct str asked = arena_str(&o->sim->arena, sim_json_str(offer, "driver_user_id"));
    promise(o, asked, "offer");
}

/* Of somebody who finishes another booking first it is told in other words. */
static bool is_kind(const char *is, const char *kind) {
    return strcmp(is, kind) == 0 ||
           (strcmp(is, "booking_assigned_next") == 0 && strcmp(kind, "booking_assigned") == 0);
}

static int64_t letters_to(const struct oracle *o, const char *user_id, const char *kind) {
    int64_t count = 0;
    for (const struct shadow_letter *l = o->first_letter; l != NULL; l = l->next)
        count += strcmp(l->user_id, user_id) == 0 && is_kind(l->kind, kind) && l->sent;
    return count;
}

static void check_person(struct oracle *o, const struct person *p) {
    const struct shadow_promise *said = map_get(&o->promises, str_from(p->user_id));
    unsigned wanted = p->chosen ? p->kinds : p->role == ROLE_CUSTOMER ? USUAL : 0;
    for (int k = 0; sim_kinds[k] != NULL && p->ready; k++) {
        char kind[40];
        snprintf(kind, sizeof(kind), "booking_%s", sim_kinds[k]);
        int64_t due = said != NULL && (wanted & 1u << k) != 0 ? said->happened[k] : 0;
        int64_t sent = letters_to(o, p->user_id, kind);
        SIM_EXPECT(o->sim, sent == due, "everybody is told what he wants to be told, once",
                   "%s was told %lld times of %s, and should have been %lld times", p->user_id,
                   (long long)sent, kind, (long long)due);
    }
}

void oracle_mail_verdict(struct sim *sim) {
    for (int32_t i = 0; i < sim->profile.customers; i++)
        check_person(sim->oracle, &sim->customers[i].p);
    for (int32_t i = 0; i < sim->profile.drivers; i++)
        check_person(sim->oracle, &sim->drivers[i].p);
}
