/* When the faults are over everything must come to rest; and then nothing may be left over: no
 * booking under way, no claim, no event, no entry that somebody has not seen.
 */
#include "sim/oracle.h"

#include "base/check.h"

#include <string.h>

#define DEADLINE_SPARE_US (10 * US_PER_S)
#define IN_FLIGHT_MAX 1024 /* events of one node that the bus has not confirmed */

static struct str why(struct sim *sim, const char *what, const char *which) {
    return arena_printf(&sim->arena, "%s: %s", what, which);
}

/* ---- has it come to rest? ---- */

static bool nodes_idle(struct sim *sim, struct str *ret_why) {
    for (int32_t i = 0; i < sim->node_count; i++) {
        struct sim_node *n = &sim->nodes[i];
        struct memory_disk_stats stats;
        memory_disk_stats(n->disk, &stats);
        if (!n->up || !executor_idle(n->executor) || stats.outbox_rows > 0) {
            *ret_why = why(sim,
                           !n->up                  ? "a node is down"
                           : stats.outbox_rows > 0 ? "an outbox is not empty"
                                                   : "an executor has work",
                           n->name);
            return false;
        }
    }
    if (sim_bus_idle(sim->bus))
        return true;
    *ret_why = STR("the bus has deliveries, or signals on their way");
    return false;
}

static bool bookings_over(struct oracle *o, struct str *ret_why) {
    if (o->open_bookings == 0)
        return true;
    for (const struct shadow_booking *b = o->first_booking; b != NULL; b = b->next) {
        if (b->state < BOOKING_DELIVERED)
            *ret_why = why(o->sim, "a booking hangs", b->id);
    }
    return false;
}

static bool claims_gone(struct oracle *o, struct str *ret_why) {
    for (const struct shadow_driver *d = o->first_driver; d != NULL; d = d->next) {
        if (!d->claimed && !d->has_next)
            continue;
        *ret_why = arena_printf(&o->sim->arena, "%s is still claimed for %s", d->id, d->booking_id);
        return false;
    }
    return true;
}

static bool shifts_ended(struct oracle *o, struct str *ret_why) {
    for (const struct shadow_driver *d = o->first_driver; d != NULL; d = d->next) {
        if (d->approved && d->paper_end_us != 0 && d->paper_end_us < o->sim->now_us) {
            *ret_why = arena_printf(&o->sim->arena, "%s drives on what has expired", d->id);
            return false;
        }
        bool over = d->shift_end_us != 0 && d->shift_end_us < o->sim->now_us;
        if (!d->on_duty || d->claimed || !over)
            continue;
        *ret_why = arena_printf(&o->sim->arena, "%s is on duty after his shift", d->id);
        return false;
    }
    return true;
}

static bool feed_done(struct sim *sim, const struct person *p, struct str *ret_why) {
    const struct sim_feed *f = &p->feed;
    for (int64_t seq = 1; f->stream != NULL && seq <= oracle_stream_end(f->stream); seq++) {
        bool seen = seq < f->seen_cap && f->seen[seq] != 0;
        if (oracle_entry_exists(f->stream, seq) && !seen) {
            *ret_why =
                arena_printf(&sim->arena, "%s has not been sent entry %lld of %lld", p->user_id,
                             (long long)seq, (long long)oracle_stream_end(f->stream));
            return false;
        }
    }
    return true;
}

static bool people_done(struct sim *sim, struct str *ret_why) {
    for (int32_t i = 0; i < sim->profile.customers; i++) {
        const struct customer *c = &sim->customers[i];
        if (!c->done) {
            *ret_why = why(sim, "a customer is not done", c->p.user_id);
            return false;
        }
        if (!feed_done(sim, &c->p, ret_why))
            return false;
    }
    for (int32_t i = 0; i < sim->profile.drivers; i++) {
        const struct driver_person *d = &sim->drivers[i];
        if (!d->p.ready || !sim_driver_quiet(d)) {
            *ret_why = why(sim, "a driver is not done", d->p.user_id);
            return false;
        }
        if (!feed_done(sim, &d->p, ret_why))
            return false;
    }
    return feed_done(sim, &sim->staff.p, ret_why);
}

/* ---- meanwhile ---- */

/* Nothing stays open past its time, once the faults are over and the booking service has had a
 * moment to look around. */
static void check_deadlines(struct sim *sim) {
    const struct sim_node *n = sim_node_of(sim, SIM_BOOKING);
    if (!sim->calm || !n->up || sim->now_us - n->booted_us < DEADLINE_SPARE_US ||
        sim->now_us - sim->profile.faults_until_us < DEADLINE_SPARE_US)
        return;
    int64_t late_us = sim_node_now(n) - DEADLINE_SPARE_US;
    for (const struct shadow_booking *b = sim->oracle->first_booking; b != NULL; b = b->next) {
        int64_t lead_us = sim->profile.schedule_lead_s * US_PER_S;
        SIM_EXPECT(sim,
                   b->state != BOOKING_SCHEDULED || b->pickup_from_us - lead_us > late_us ||
                       b->pickup_from_us == 0,
                   "what is scheduled is not forgotten", "%s is", b->id);
        if (b->state != BOOKING_REQUESTED && b->state != BOOKING_OFFERED)
            continue;
        SIM_EXPECT(sim, b->search_until_us > late_us, "a search ends in time", "that of %s did not",
                   b->id);
        for (int32_t i = 0; i < b->offer_count; i++)
            SIM_EXPECT(sim, b->offers[i].expires_at_us > late_us, "an offer runs out in time",
                       "%s of %s did not", b->offers[i].id, b->id);
    }
}

static void check_limits(struct sim *sim) {
    for (int32_t i = 0; i < sim->node_count; i++) {
        const struct sim_node *n = &sim->nodes[i];
        struct executor_stats s;
        if (!n->up)
            continue;
        executor_stats(n->executor, &s);
        SIM_EXPECT(sim,
                   s.mailbox_depth <= EXECUTOR_MAILBOX_MAX && s.parked <= EXECUTOR_PARKED_MAX &&
                       s.outbox_in_flight <= IN_FLIGHT_MAX,
                   "queues stay within their limits", "%s: %lld commands, %lld parked, %lld events",
                   n->name, (long long)s.mailbox_depth, (long long)s.parked,
                   (long long)s.outbox_in_flight);
    }
}

void oracle_watch(struct sim *sim) {
    check_deadlines(sim);
    check_limits(sim);
}

/* ---- all of it ---- */

bool oracle_settled(struct sim *sim, struct str *ret_why) {
    struct oracle *o = sim->oracle;
    return bookings_over(o, ret_why) && claims_gone(o, ret_why) && shifts_ended(o, ret_why) &&
           people_done(sim, ret_why) && oracle_mail_settled(o, ret_why) &&
           oracle_promo_settled(o, ret_why) && oracle_imports_settled(o, ret_why) &&
           oracle_recurrences_settled(o, ret_why) && nodes_idle(sim, ret_why);
}

/* ---- and what is left ---- */

static bool told(const uint8_t *list, int64_t cap, int64_t version) {
    return version < cap && list[version] == 1;
}

static void check_told(struct sim *sim, const struct shadow_booking *b) {
    for (int64_t v = 1; v <= b->version; v++) {
        SIM_EXPECT(sim, told(b->to_customer, b->versions_cap, v), "a change is told",
                   "version %lld of %s never came into its customer's inbox", (long long)v, b->id);
        SIM_EXPECT(sim, told(b->to_staff, b->versions_cap, v), "a change is told",
                   "version %lld of %s never came into the staff's inbox", (long long)v, b->id);
        if (b->driver_at[v] != NULL)
            SIM_EXPECT(sim, told(b->to_driver, b->versions_cap, v), "a change is told",
                       "version %lld of %s never came into its driver's inbox", (long long)v,
                       b->id);
    }
    SIM_EXPECT(sim, b->losses_told == b->losses, "who loses a booking is told, once",
               "%s lost %d drivers, %d were told", b->id, b->losses, b->losses_told);
}

/* What the office does is in its log, and nothing of the log is ever written again. */
static void check_audited(struct sim *sim) {
    for (const struct shadow_note *n = sim->oracle->first_note; n != NULL; n = n->next) {
        int64_t version = shadow_version(sim->oracle, "audit_log", str_from(n->id));
        SIM_EXPECT(sim, version == 1, "each act of the office is in the audit log, once",
                   "%s has version %lld", n->id, (long long)version);
    }
}

/* What the disks hold now is what the commits said. */
static void check_disks(struct sim *sim) {
    static const struct store_collection bookings = {.name = "bookings"};
    struct sim_node *n = sim_node_of(sim, SIM_BOOKING);
    struct store *reader = memory_disk_open(n->disk, false, NULL);
    for (const struct shadow_booking *b = sim->oracle->first_booking; b != NULL; b = b->next) {
        struct store_doc doc;
        int err = reader->ops->get(reader, &bookings, str_from(b->id), &sim->arena, &doc);
        SIM_EXPECT(sim, err == 0 && doc.version == b->version, "what is acknowledged is there",
                   "%s is not there in version %lld", b->id, (long long)b->version);
    }
    reader->ops->close(reader);
}

void oracle_verdict(struct sim *sim) {
    struct oracle *o = sim->oracle;
    check_audited(sim);
    for (const struct shadow_booking *b = o->first_booking; b != NULL; b = b->next)
        check_told(sim, b);
    for (const struct shadow_driver *d = o->first_driver; d != NULL; d = d->next) {
        SIM_EXPECT(sim, !d->busy, "who has no booking is not busy", "%s is", d->id);
        SIM_EXPECT(sim, d->earned == d->earnings_kept, "a driver gets what he earned",
                   "%s earned %lld and has %lld", d->id, (long long)d->earned,
                   (long long)d->earnings_kept);
    }
    check_disks(sim);
    oracle_reports_verdict(o);
    oracle_mail_verdict(sim);
    oracle_webhook_verdict(sim);
    oracle_promo_verdict(o);
    oracle_imports_verdict(o);
    oracle_recurrences_verdict(o);
    oracle_cash_verdict(o);
    oracle_proof_verdict(sim);
    oracle_audit(sim);
}
