/* Deliveries, as the oracle sees them: what leaves the house was durable before, what is said to be
 * sent has been taken, and each customer is told of each end of a booking once, as he has by
 * default chosen.
 */
#include "sim/oracle.h"

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

static int32_t letters_to(const struct oracle *o, const char *user_id, const char *kind) {
    int32_t count = 0;
    for (const struct shadow_letter *l = o->first_letter; l != NULL; l = l->next)
        count += strcmp(l->user_id, user_id) == 0 && strcmp(l->kind, kind) == 0 && l->sent;
    return count;
}

void oracle_mail_verdict(struct sim *sim) {
    const struct oracle *o = sim->oracle;
    for (const struct shadow_booking *b = o->first_booking; b != NULL; b = b->next) {
        int32_t wanted = 0;
        char kind[40];
        for (const struct shadow_booking *other = o->first_booking; other != NULL;
             other = other->next)
            wanted += other->state == b->state && strcmp(other->customer_id, b->customer_id) == 0;
        snprintf(kind, sizeof(kind), "booking_%s", booking_state_names[b->state]);
        int32_t sent = letters_to(o, b->customer_id, kind);
        SIM_EXPECT(sim, sent == wanted, "a customer is told of a booking's end, once",
                   "%s had %d of %s, and was told %d times", b->customer_id, wanted, kind, sent);
    }
}
