/* Webhooks, as the oracle sees them: once the office has one, each event of a booking that people
 * are told of is told it, too, as one delivery however often that is tried. (What is said to be
 * sent was taken: oracle_mail.c, as for every delivery.)
 */
#include "sim/oracle.h"

#include <stdio.h>

#define KNOWN_US                                                                                   \
    (60 * US_PER_S) /* until each process knows of it, whatever befalls it meanwhile               \
                     */

/* Whose answer is lost makes another: no key, for an answer with a secret is not kept. The first is
 * looked after. */
void oracle_webhook(struct oracle *o, const struct store_change *c) {
    if (c->remove || o->webhook_from_us != 0)
        return;
    o->webhook_from_us = o->sim->now_us + KNOWN_US;
    snprintf(o->webhook_id, sizeof(o->webhook_id), "%.*s", STR_ARG(c->id));
}

void oracle_webhook_due(struct oracle *o, const struct event *e) {
    if (o->webhook_from_us == 0 || o->sim->now_us < o->webhook_from_us ||
        str_is(e->type, EV_BOOKING_ASSIGN_WANTED)) /* between services; its outcome is told */
        return;
    struct shadow_due *due = arena_new(&o->sim->arena, struct shadow_due);
    snprintf(due->event_id, sizeof(due->event_id), "%.*s", STR_ARG(e->id));
    snprintf(due->type, sizeof(due->type), "%.*s", STR_ARG(e->type));
    due->next = o->first_due;
    o->first_due = due;
}

void oracle_webhook_told(struct oracle *o, struct str webhook_id, struct str event_id,
                         struct shadow_letter *l) {
    if (!str_is(webhook_id, o->webhook_id))
        return;
    SIM_EXPECT(o->sim, map_get(&o->told, event_id) == NULL, "a webhook is told of an event once",
               "of %.*s there are two deliveries", STR_ARG(event_id));
    map_put(&o->told, arena_str(&o->sim->arena, event_id), l);
}

void oracle_webhook_verdict(struct sim *sim) {
    struct oracle *o = sim->oracle;
    for (const struct shadow_due *due = o->first_due; due != NULL; due = due->next) {
        const struct shadow_letter *l = map_get(&o->told, str_from(due->event_id));
        SIM_EXPECT(sim, l != NULL && l->sent, "a webhook is told of each event", "%s, %s, was not",
                   due->event_id, due->type);
        sim->result->posted++;
    }
}
