/* What the reports count, as the oracle sees it: it reckons from the bookings' documents what has
 * happened to them, and holds the days of the reports against it. They may lag, but never tell of
 * more than there was; and when all has settled they tell of all of it. Written from the words of
 * the documentation, not from the service's table.
 */
#include "sim/oracle.h"

#include <string.h>

enum { REQUESTED, DELIVERED, CANCELLED, EXPIRED, FAILED, RATINGS, STARS, REVENUE, EARNINGS };
static const char *const names[SHADOW_COUNTS] = {"requested", "delivered", "cancelled",
                                                 "expired",   "failed",    "ratings",
                                                 "stars",     "revenue",   "earnings"};

/* What customers were charged, and what drivers got, by the ledger. */
static void read_money(struct json_value root, int64_t counts[SHADOW_COUNTS]) {
    struct json_value lines;
    if (!json_get(root, "ledger", &lines))
        return;
    for (struct json_iter it = json_iter(lines); json_next(&it);) {
        int64_t amount = sim_json_i64(it.value, "amount");
        struct str account = sim_json_str(it.value, "account");
        struct str code = sim_json_str(it.value, "code");
        if (str_is(code, "cash") || str_is(code, "collected")) /* from hand to hand */
            continue;
        counts[REVENUE] -= str_is(account, "customer") ? amount : 0;
        counts[EARNINGS] += str_is(account, "driver") ? amount : 0;
    }
}

void oracle_counted(struct oracle *o, struct json_value root, struct shadow_booking *b) {
    int64_t counts[SHADOW_COUNTS] = {[REQUESTED] = 1};
    struct json_value rating;
    counts[DELIVERED] = b->state == BOOKING_DELIVERED;
    counts[CANCELLED] = b->state == BOOKING_CANCELLED;
    counts[EXPIRED] = b->state == BOOKING_EXPIRED;
    counts[FAILED] = b->state == BOOKING_FAILED || b->state == BOOKING_RETURNED;
    if (json_get(root, "rating", &rating) && json_kind(rating) == JSON_IS_OBJECT) {
        counts[RATINGS] = 1;
        counts[STARS] = sim_json_i64(rating, "stars");
    }
    read_money(root, counts);
    for (int i = 0; i < SHADOW_COUNTS; i++) {
        o->happened[i] += counts[i] - b->counts[i];
        b->counts[i] = counts[i];
    }
}

void oracle_report(struct oracle *o, const struct store_change *change) {
    struct json_value root, hours;
    int64_t counts[SHADOW_COUNTS] = {0};
    if (change->id.p[0] != 'c' || json_parse(o->parser, change->state, &root) < 0)
        return; /* a driver's: a part of the same */
    if (json_get(root, "hours", &hours)) {
        for (struct json_iter it = json_iter(hours); json_next(&it);) {
            for (int i = 0; i < SHADOW_COUNTS; i++) {
                struct json_value v;
                if (json_get(it.value, names[i], &v))
                    counts[i] += sim_json_i64(it.value, names[i]);
            }
        }
    }
    struct shadow_report *r = map_get(&o->reports, change->id);
    if (r == NULL) {
        r = arena_new(&o->sim->arena, struct shadow_report);
        map_put(&o->reports, arena_str(&o->sim->arena, change->id), r);
    }
    for (int i = 0; i < SHADOW_COUNTS; i++) {
        o->reported[i] += counts[i] - r->counts[i];
        r->counts[i] = counts[i];
        SIM_EXPECT(o->sim, i >= REVENUE || o->reported[i] <= o->happened[i],
                   "a report counts what happened, once", "%s: %lld happened, %lld are counted",
                   names[i], (long long)o->happened[i], (long long)o->reported[i]);
    }
}

void oracle_reports_verdict(struct oracle *o) {
    for (int i = 0; i < SHADOW_COUNTS; i++)
        SIM_EXPECT(o->sim, o->reported[i] == o->happened[i], "a report counts all that happened",
                   "%s: %lld happened, %lld are counted", names[i], (long long)o->happened[i],
                   (long long)o->reported[i]);
}
