/* Other stops than before, as customers and the office want them: those that nobody has come to yet
 * in any order, some of them left out, some new. Now and then what cannot be: it is refused.
 */
#include "sim/sim.h"

#define WISHES_MAX 8

static void add_new(struct sim *sim, struct buf *out) {
    buf_printf(out, "%s{\"lat\":%.5f,\"lng\":%.5f", out->p[out->len - 1] == '[' ? "" : ",",
               57.70 + (rng_unit(&sim->rng) - 0.5) * 0.04,
               11.97 + (rng_unit(&sim->rng) - 0.5) * 0.08);
    if (sim_chance(sim, 0.3))
        buf_add_cstr(out, ",\"proof\":[\"pin\"]");
    if (sim_chance(sim, 0.3))
        buf_printf(out, ",\"collect\":{\"amount\":%lld}",
                   (long long)rng_between(&sim->rng, 1, 50000));
    buf_add_char(out, '}');
}

static void add_kept(int32_t index, struct buf *out) {
    buf_printf(out, "%s{\"index\":%d}", out->p[out->len - 1] == '[' ? "" : ",", index);
}

struct str sim_stops_wish(struct sim *sim, struct json_value booking, const char *more) {
    struct json_value stops;
    struct buf out;
    int32_t count = 0, fixed = 0, order[32];
    if (!json_get(booking, "stops", &stops))
        return STR_NONE;
    for (struct json_iter it = json_iter(stops); json_next(&it) && count < 32; count++) {
        bool pending = str_is(sim_json_str(it.value, "state"), "pending");
        fixed += count == fixed && (count == 0 || !pending);
        order[count] = count;
    }
    if (count < 2)
        return STR_NONE;
    for (int32_t i = count - 1; i > fixed; i--) {
        int32_t k = fixed + (int32_t)rng_below(&sim->rng, (uint64_t)i - (uint64_t)fixed + 1);
        int32_t other = order[i];
        order[i] = order[k];
        order[k] = other;
    }
    if (sim_chance(sim, 0.05)) /* the pickup elsewhere */
        order[0] = count - 1;
    buf_init(&out, &sim->arena, 256);
    buf_printf(&out, "{%s\"stops_revision\":%lld,\"stops\":[", more,
               (long long)sim_json_i64(booking, "stops_revision"));
    for (int32_t i = 0; i < count; i++) {
        if (i < fixed || sim_chance(sim, 0.8))
            add_kept(order[i], &out);
        if (i + 1 >= fixed && count < WISHES_MAX && sim_chance(sim, 0.4))
            add_new(sim, &out);
    }
    buf_add_cstr(&out, "]}");
    return buf_str(&out);
}
