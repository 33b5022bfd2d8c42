/* Promo codes, as the oracle sees them: never used more often than they may be, no discount without
 * a use that was taken for it, and in the end as many uses as bookings that have them. */
#include "sim/oracle.h"

#include <stdio.h>
#include <string.h>

void oracle_promo(struct oracle *o, const struct store_change *change) {
    struct json_value root, holds;
    struct str id = change->id;
    if (json_parse(o->parser, change->state, &root) < 0) {
        sim_fail(o->sim, "documents are JSON", "%.*s", STR_ARG(id));
        return;
    }
    struct shadow_promo *p = map_get(&o->promos, id);
    if (p == NULL) {
        p = arena_new(&o->sim->arena, struct shadow_promo);
        snprintf(p->id, sizeof(p->id), "%.*s", STR_ARG(id));
        map_put(&o->promos, str_from(p->id), p);
        p->next = o->first_promo;
        o->first_promo = p;
    }
    p->used = sim_json_i64(root, "used");
    p->uses_max = sim_json_i64(root, "uses_max");
    p->customer_max = sim_json_i64(root, "uses_per_customer_max");
    p->hold_count = p->open = 0;
    if (json_get(root, "holds", &holds)) {
        for (struct json_iter it = json_iter(holds); json_next(&it);) {
            struct json_value settled;
            if (p->hold_count < SHADOW_HOLDS_MAX)
                snprintf(p->holds[p->hold_count++], ID_TEXT_MAX, "%.*s",
                         STR_ARG(sim_json_str(it.value, "booking_id")));
            p->open += !(json_get(it.value, "settled", &settled) && json_bool(settled));
        }
    }
    SIM_EXPECT(o->sim,
               p->used >= 0 && p->used >= p->open &&
                   (p->uses_max == I64_ABSENT || p->used <= p->uses_max),
               "a promo code is not used more often than it may be", "%s: %lld uses of %lld", p->id,
               (long long)p->used, (long long)p->uses_max);
}

/* A booking that is new has what its code gives by a use that is held for it. */
void oracle_promo_taken(struct oracle *o, const struct shadow_booking *b) {
    if (b->promo[0] == 0)
        return;
    const struct shadow_promo *p = map_get(&o->promos, str_from(b->promo));
    bool held = false;
    for (int32_t i = 0; p != NULL && i < p->hold_count; i++)
        held = held || strcmp(p->holds[i], b->id) == 0;
    SIM_EXPECT(o->sim, held, "a discount takes a use", "%s has that of %s, and holds none", b->id,
               b->promo);
}

bool oracle_promo_settled(struct oracle *o, struct str *ret_why) {
    for (const struct shadow_promo *p = o->first_promo; p != NULL; p = p->next) {
        if (p->open == 0)
            continue;
        *ret_why = arena_printf(&o->sim->arena, "%s is held still", p->id);
        return false;
    }
    return true;
}

static bool uses(const struct shadow_booking *b, const struct shadow_promo *p) {
    return strcmp(b->promo, p->id) == 0 && b->state != BOOKING_CANCELLED &&
           b->state != BOOKING_EXPIRED;
}

void oracle_promo_verdict(struct oracle *o) {
    for (const struct shadow_promo *p = o->first_promo; p != NULL; p = p->next) {
        int64_t count = 0;
        for (const struct shadow_booking *b = o->first_booking; b != NULL; b = b->next) {
            int64_t his = 0;
            if (!uses(b, p))
                continue;
            count++;
            for (const struct shadow_booking *n = o->first_booking; n != NULL; n = n->next)
                his += uses(n, p) && strcmp(n->customer_id, b->customer_id) == 0;
            SIM_EXPECT(o->sim, p->customer_max == I64_ABSENT || his <= p->customer_max,
                       "a promo code is not used more often than it may be",
                       "%s has used %s %lld times", b->customer_id, p->id, (long long)his);
        }
        SIM_EXPECT(o->sim, count == p->used, "a promo code counts its bookings",
                   "%s says %lld uses, there are %lld", p->id, (long long)p->used,
                   (long long)count);
    }
}
