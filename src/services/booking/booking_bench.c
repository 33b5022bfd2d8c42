/* One booking of the ordinary kind. */
#include "services/booking/booking_bench.h"

#include "base/check.h"
#include "base/timestamp.h"
#include "services/booking/internal.h"

static struct quote_set *bench_quotes(const struct booking_service *s, struct arena *a,
                                      struct rng *rng, struct str customer_id, int64_t now_us) {
    struct quote_set *set = arena_new(a, struct quote_set);
    *set = (struct quote_set){.customer_id = customer_id,
                              .created_at_us = now_us,
                              .expires_at_us = now_us + s->o.quote_ttl_us,
                              .stops = arena_array(a, struct place, STOPS_MIN),
                              .stop_count = STOPS_MIN,
                              .quotes = arena_array(a, struct quote, 1),
                              .quote_count = 1};
    for (int32_t i = 0; i < set->stop_count; i++)
        set->stops[i] = (struct place){.lat_e7 = (int32_t)rng_between(rng, 576500000, 577500000),
                                       .lng_e7 = (int32_t)rng_between(rng, 118500000, 120500000),
                                       .address = i == 0 ? STR("Drottningtorget 5, Göteborg")
                                                         : STR("Linnégatan 21, Göteborg")};
    struct quote *q = &set->quotes[0];
    *q = (struct quote){.vehicle = VEHICLE_VAN,
                        .distance_m = rng_between(rng, 500, 20000),
                        .duration_s = rng_between(rng, 120, 3600),
                        .pickup_eta_s = 240};
    const struct tariff_version v = {&tariffs_default, zone_utc};
    CHECK(quote_price(s, &v, place_point(&set->stops[0]), now_us, set->stop_count, 0, a, q));
    return set;
}

struct command *booking_bench_create(struct booking_service *s, struct arena *a, struct rng *rng,
                                     int64_t now_us) {
    struct str set_id = id_variant(a, id_new(a, "qte", now_us, rng), 0);
    struct create_body *body = arena_new(a, struct create_body);
    *body = (struct create_body){.quote_id = id_variant(a, set_id, VEHICLE_VAN),
                                 .notes = STR("ring twice"),
                                 .payment = PAYMENT_CASH,
                                 .stops = arena_array(a, struct stop_body, STOPS_MIN),
                                 .stop_count = STOPS_MIN};
    for (int32_t i = 0; i < body->stop_count; i++) {
        body->stops[i].contact = arena_new(a, struct contact);
        *body->stops[i].contact = (struct contact){STR("Bo Ek"), STR("+46701234567")};
    }
    struct command *cmd = arena_new(a, struct command);
    *cmd =
        (struct command){.type = &booking_create,
                         .service = s,
                         .id = id_with_prefix(a, set_id, "bkg"),
                         .args = body,
                         .arena = a,
                         .who = {.user_id = id_new(a, "usr", now_us, rng), .role = ROLE_CUSTOMER}};
    cmd->id = id_with_prefix(a, body->quote_id, "bkg");
    struct create_facts *facts = arena_new(a, struct create_facts);
    facts->set = bench_quotes(s, a, rng, cmd->who.user_id, now_us);
    unsigned char bytes[SECRET_BYTES];
    rng_bytes(rng, bytes, sizeof(bytes));
    tracking_secret(bytes, facts->secret);
    cmd->facts = facts;
    return cmd;
}
