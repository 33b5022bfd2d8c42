/* The last look, through the API as people have it: what the disks keep is what can be read, and
 * what services hold in memory, after all the crashes, is what the documents say. Reads are
 * answered at once, so each is a call straight into its node.
 */
#include "geo/geo.h"
#include "sim/oracle.h"

#include <string.h>

#define AUDIT_PAGES_MAX 1000

/* Asks as P. False: not answered with 200, which is a failure. */
static bool ask(struct sim *sim, struct person *p, enum sim_service service, struct str path,
                struct json_value *ret_root) {
    struct sim_request *r = arena_new(&sim->arena, struct sim_request);
    struct sim_call *c = arena_new(&sim->arena, struct sim_call);
    *r = (struct sim_request){.service = service, .method = "GET", .path = path};
    c->person = p;
    c->request = r;
    sim_call_enter(sim, c, sim_node_for(sim, service));
    bool answered =
        c->answer.status == 200 && json_parse(sim->parser, c->answer.body, ret_root) == 0;
    SIM_EXPECT(sim, answered, "what is there can be read", "GET %.*s was answered %d: %.*s",
               STR_ARG(path), c->answer.status, STR_ARG(c->answer.body));
    return answered;
}

/* ---- bookings ---- */

static void audit_bookings(struct sim *sim) {
    for (struct shadow_booking *b = sim->oracle->first_booking; b != NULL; b = b->next) {
        struct json_value root;
        if (!ask(sim, &sim->staff.p, SIM_BOOKING,
                 arena_printf(&sim->arena, "/v1/bookings/%s", b->id), &root))
            return;
        SIM_EXPECT(sim,
                   sim_json_i64(root, "version") == b->version &&
                       str_is(sim_json_str(root, "state"), booking_state_names[b->state]),
                   "what is acknowledged is there", "%s reads as version %lld", b->id,
                   (long long)sim_json_i64(root, "version"));
    }
}

/* ---- inboxes ---- */

/* Each entry of the inbox, in order, over HTTP. */
static void audit_inbox(struct sim *sim, struct person *p) {
    struct stream *s = p->feed.stream;
    int64_t after = 0;
    for (int page = 0; s != NULL && page < AUDIT_PAGES_MAX; page++) {
        struct json_value root, items;
        struct str path =
            arena_printf(&sim->arena, "/v1/notifications?limit=200&after=%lld", (long long)after);
        if (!ask(sim, p, SIM_NOTIFICATION, path, &root) || !json_get(root, "items", &items))
            return;
        if (json_count(items) == 0)
            break;
        for (struct json_iter it = json_iter(items); json_next(&it);) {
            int64_t seq = sim_json_i64(it.value, "seq");
            while (++after < seq)
                SIM_EXPECT(sim, !oracle_entry_exists(s, after), "every entry can be read",
                           "%s: entry %lld is left out", p->user_id, (long long)after);
            SIM_EXPECT(sim, oracle_entry_exists(s, seq), "what is read is durable",
                       "%s: entry %lld is not there", p->user_id, (long long)seq);
        }
    }
    SIM_EXPECT(sim, s == NULL || after == oracle_stream_end(s), "every entry can be read",
               "%s: read up to %lld of %lld", p->user_id, (long long)after,
               s != NULL ? (long long)oracle_stream_end(s) : 0LL);
}

/* ---- drivers ---- */

/* The fixes of his trail as it is read, in order; *RET_COUNT < 0: it could not be read. */
static const struct shadow_fix **read_trail(struct sim *sim, const struct shadow_driver *d,
                                            size_t *ret_count) {
    struct str cursor = STR_NONE;
    int64_t last_us = 0;
    const struct shadow_fix **seen =
        arena_array(&sim->arena, const struct shadow_fix *, d->fixes.count + 1);
    *ret_count = 0;
    for (int page = 0; page < AUDIT_PAGES_MAX; page++) {
        struct json_value root, fixes;
        struct str path = arena_printf(&sim->arena, "/v1/drivers/%s/trail?limit=200%s%.*s", d->id,
                                       cursor.len > 0 ? "&cursor=" : "", (int)cursor.len, cursor.p);
        if (!ask(sim, &sim->staff.p, SIM_DRIVER, path, &root) || !json_get(root, "fixes", &fixes))
            return NULL;
        for (struct json_iter it = json_iter(fixes); json_next(&it);) {
            int64_t at_us = 0;
            timestamp_parse(sim_json_str(it.value, "at"), &at_us);
            const struct shadow_fix *fix = shadow_fix(sim->oracle, str_from(d->id), at_us);
            SIM_EXPECT(sim, at_us > last_us && fix != NULL, "a trail is in order, and true",
                       "%s at %lld", d->id, (long long)at_us);
            if (fix != NULL && *ret_count < d->fixes.count)
                seen[(*ret_count)++] = fix;
            last_us = at_us;
        }
        cursor = sim_json_str(root, "next_cursor");
        if (cursor.len == 0)
            break;
        cursor = arena_str(&sim->arena, cursor);
    }
    return seen;
}

static struct point place_of(const struct shadow_fix *f) {
    return (struct point){f->lat_e7, f->lng_e7};
}

/* One that is not in the trail any more is near the line that is. */
static void audit_left_out(struct sim *sim, const struct shadow_driver *d,
                           const struct shadow_fix *fix, const struct shadow_fix *const *seen,
                           size_t count) {
    size_t low = 0, high = count; /* the first after it */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (seen[middle]->at_us < fix->at_us)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < count && seen[low]->at_us == fix->at_us)
        return;
    bool between = low > 0 && low < count;
    SIM_EXPECT(sim, between && sim->profile.thin_m > 0, "every stored fix is in the trail once",
               "%s: the fix of %lld is not in the trail", d->id, (long long)fix->at_us);
    if (!between || seen[low]->late || seen[low - 1]->late || fix->late)
        return;
    const struct shadow_fix *a = seen[low - 1], *b = seen[low];
    double fraction = (double)(fix->at_us - a->at_us) / (double)(b->at_us - a->at_us);
    double off_m = geo_distance_m(geo_toward(place_of(a), place_of(b), fraction), place_of(fix));
    SIM_EXPECT(sim, off_m <= (double)sim->profile.thin_m + 1,
               "a simplified trail is as near as was said", "%s: the fix of %lld is %.1f m off",
               d->id, (long long)fix->at_us, off_m);
}

static void audit_trail(struct sim *sim, const struct shadow_driver *d) {
    size_t count;
    void *fix;
    const struct shadow_fix *const *seen = read_trail(sim, d, &count);
    for (size_t i = 0; seen != NULL && map_next(&d->fixes, &i, &fix);)
        audit_left_out(sim, d, fix, seen, count);
}

static void audit_profile(struct sim *sim, struct driver_person *p, const struct shadow_driver *d) {
    struct json_value root;
    if (!ask(sim, &p->p, SIM_DRIVER, STR("/v1/driver/earnings?from=2026-11-22T00:00:00Z"), &root))
        return;
    SIM_EXPECT(sim, sim_json_i64(root, "total") == d->earned, "a driver gets what he earned",
               "%s earned %lld, and reads %lld", d->id, (long long)d->earned,
               (long long)sim_json_i64(root, "total"));
    if (!ask(sim, &p->p, SIM_DRIVER, STR("/v1/driver/offers"), &root))
        return;
    struct json_value items;
    SIM_EXPECT(sim, json_get(root, "items", &items) && json_count(items) == 0,
               "no offer is left over", "%s has one", d->id);
}

/* Whoever looks at what he had long ago. */
static void audit_people(struct sim *sim, struct person *p) {
    struct json_value root, items;
    if (!ask(sim, p, SIM_BOOKING, STR("/v1/bookings?limit=50"), &root) ||
        !json_get(root, "items", &items))
        return;
    for (struct json_iter it = json_iter(items); json_next(&it);)
        oracle_people(sim, p, it.value, true);
}

/* The map shows who is on duty and has been seen, and nobody else. */
static void audit_fleet(struct sim *sim) {
    struct json_value root, items;
    if (!ask(sim, &sim->staff.p, SIM_DRIVER, STR("/v1/fleet?bbox=-179,-89,179,89"), &root) ||
        !json_get(root, "items", &items))
        return;
    size_t expected = 0;
    for (const struct shadow_driver *d = sim->oracle->first_driver; d != NULL; d = d->next)
        expected += d->on_duty && d->fixes.count > 0;
    SIM_EXPECT(sim, json_count(items) == expected, "memory follows what is durable",
               "the fleet shows %zu drivers, %zu are on duty", json_count(items), expected);
    for (struct json_iter it = json_iter(items); json_next(&it);) {
        struct str id = sim_json_str(it.value, "driver_id");
        const struct shadow_driver *d = shadow_driver(sim->oracle, id);
        int64_t at_us = 0;
        timestamp_parse(sim_json_str(it.value, "at"), &at_us);
        SIM_EXPECT(sim, d->on_duty && at_us == d->newest_fix_us, "memory follows what is durable",
                   "the fleet shows %s as of %lld, his newest fix is of %lld", d->id,
                   (long long)at_us, (long long)d->newest_fix_us);
    }
}

void oracle_audit(struct sim *sim) {
    audit_bookings(sim);
    audit_fleet(sim);
    audit_inbox(sim, &sim->staff.p);
    for (int32_t i = 0; i < sim->profile.customers; i++) {
        audit_inbox(sim, &sim->customers[i].p);
        audit_people(sim, &sim->customers[i].p);
    }
    for (int32_t i = 0; i < sim->profile.drivers; i++) {
        struct driver_person *p = &sim->drivers[i];
        const struct shadow_driver *d = shadow_driver(sim->oracle, str_from(p->p.driver_id));
        audit_inbox(sim, &p->p);
        audit_trail(sim, d);
        audit_profile(sim, p, d);
        audit_people(sim, &p->p);
    }
}
