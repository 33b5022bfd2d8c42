/* What the seed chooses. Each kind of fault is on in some seeds only, and at a rate of the seed's,
 * so that now and then there is one kind alone, or all at once, or none.
 */
#include "sim/sim.h"

const char *const sim_fault_names[SIM_FAULT_COUNT] = {
    [SIM_CALL_LOST] = "requests lost",
    [SIM_REPLY_LOST] = "answers lost",
    [SIM_CALL_TWICE] = "requests doubled",
    [SIM_SOCKET_CUT] = "sockets cut",
    [SIM_SLOW_READER] = "slow readers",
    [SIM_NOTE_LOST] = "notes to workers lost",
    [SIM_EVENT_DROPPED] = "events dropped before confirm",
    [SIM_CONFIRM_LOST] = "confirms lost",
    [SIM_EVENT_TWICE] = "events doubled",
    [SIM_EVENT_LATE] = "events late, out of order",
    [SIM_ACK_LOST] = "acknowledgements lost",
    [SIM_BUS_FULL] = "publishes refused",
    [SIM_PARTITION] = "partitions",
    [SIM_STORE_FAULT] = "commits refused or in doubt",
    [SIM_CACHE_LOST] = "caches lost",
    [SIM_CLOCK_SET] = "clocks set",
    [SIM_CRASH] = "crashes",
    [SIM_CRASH_COMMIT] = "crashes after a commit",
    [SIM_GPS_LATE] = "late or doubled GPS batches",
    [SIM_MAIL_REFUSED] = "mails refused for now",
    [SIM_MAIL_TWICE] = "mails doubled",
    [SIM_POST_REFUSED] = "webhook calls refused for now",
    [SIM_POST_TWICE] = "webhook calls doubled",
};

bool sim_chance(struct sim *sim, double p) {
    return p > 0 && rng_unit(&sim->rng) < p;
}

bool sim_strikes(struct sim *sim, enum sim_fault fault) {
    if (sim->calm || !sim_chance(sim, sim->profile.faults[fault]))
        return false;
    sim->result->faults[fault]++;
    sim_trace(sim, "fault", -1, str_from(sim_fault_names[fault]), STR_NONE, 0, 0);
    return true;
}

/* Highest chance of each, where it can strike. Zero: not by chance (see sim_disasters). */
static const double fault_max[SIM_FAULT_COUNT] = {
    [SIM_CALL_LOST] = 0.06,     [SIM_REPLY_LOST] = 0.06,    [SIM_CALL_TWICE] = 0.06,
    [SIM_SOCKET_CUT] = 0.01,    [SIM_SLOW_READER] = 0.01,   [SIM_NOTE_LOST] = 0.02,
    [SIM_EVENT_DROPPED] = 0.08, [SIM_CONFIRM_LOST] = 0.05,  [SIM_EVENT_TWICE] = 0.08,
    [SIM_EVENT_LATE] = 0.08,    [SIM_ACK_LOST] = 0.05,      [SIM_BUS_FULL] = 0.05,
    [SIM_PARTITION] = 0.03,     [SIM_CACHE_LOST] = 0.02,    [SIM_CLOCK_SET] = 0.01,
    [SIM_CRASH] = 0.04,         [SIM_CRASH_COMMIT] = 0.004, [SIM_GPS_LATE] = 0.2,
    [SIM_MAIL_REFUSED] = 0.2,   [SIM_MAIL_TWICE] = 0.1,     [SIM_POST_REFUSED] = 0.05,
    [SIM_POST_TWICE] = 0.03,
};

static void draw_faults(struct sim *sim) {
    struct sim_profile *p = &sim->profile;
    double on = (double)rng_below(&sim->rng, 11) / 10;
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        bool chosen = sim_chance(sim, on);
        double rate = fault_max[i] * rng_unit(&sim->rng);
        p->faults[i] = chosen ? rate : 0;
    }
    double *const store[] = {&p->store.busy,         &p->store.io,
                             &p->store.conflict,     &p->store.unknown_committed,
                             &p->store.unknown_lost, &p->store.read_busy,
                             &p->store.doubt};
    for (size_t i = 0; i < sizeof(store) / sizeof(store[0]); i++) {
        bool chosen = sim_chance(sim, on);
        double rate = 0.05 * rng_unit(&sim->rng);
        *store[i] = chosen ? rate : 0;
    }
}

static void draw_sizes(struct sim *sim, int32_t bookings) {
    static const int64_t turn_delays_us[] = {100, 2000, 20000, 300000};
    static const int64_t latencies_us[] = {500, 5000, 40000};
    static const int32_t batches[] = {1, 3, 16, 64, 256};
    struct rng *r = &sim->rng;
    struct sim_profile *p = &sim->profile;
    p->bookings = bookings;
    p->customers = (int32_t)rng_between(r, 1, bookings / 3 + 1);
    p->drivers = (int32_t)rng_between(r, 2, bookings / 3 + 3);
    p->offer_wave = rng_below(r, 3) == 0 ? (int32_t)rng_between(r, 2, 3) : 1;
    p->batch_max = batches[rng_below(r, 5)];
    p->offer_timeout_s = rng_between(r, 5, 20);
    p->search_timeout_s = rng_between(r, 45, 180);
    p->turn_delay_max_us = turn_delays_us[rng_below(r, 4)];
    p->idle_turn_us = rng_between(r, 300, 700) * US_PER_MS;
    p->latency_mean_us = latencies_us[rng_below(r, 3)];
    p->approval_auto = rng_below(r, 2) == 0;
    p->faults_until_us = SIM_START_US + rng_between(r, 90, 360) * US_PER_S;
    p->cancel = rng_unit(r) * 0.3;
    p->decline = rng_unit(r) * 0.3;
    p->ignore = rng_unit(r) * 0.2;
    p->late_accept = rng_unit(r) * 0.2;
    p->off_duty = rng_unit(r) * 0.1;
    p->assign = rng_unit(r) * 0.3;
    p->suspend = rng_unit(r) * 0.05;
    p->webhook = rng_below(r, 2) == 0;
    p->tariffs = rng_unit(r) * 0.2;
    p->two_dropoffs = rng_unit(r) * 0.4;
    p->vehicles = rng_unit(r) * 0.1;
    p->shifts = rng_unit(r) * 0.05;
    p->documents = rng_unit(r) * 0.05;
    p->linger = rng_unit(r) * 0.4;
    p->schedule_lead_s = rng_between(r, 20, 120);
    p->schedule_lead_max_s = p->schedule_lead_s * rng_between(r, 1, 8);
    p->schedule = rng_unit(r) * 0.4;
    p->reschedule = rng_unit(r) * 0.4;
    p->change_stops = rng_unit(r) * 0.6;
    p->notes = rng_unit(r) * 0.6;
    p->contact_kept_s = rng_below(r, 4) == 0 ? -1 : rng_between(r, 10, 300);
    p->proof = rng_unit(r) * 0.6;
    p->thin_s = rng_between(r, 15, 60);
    p->trace_s = 10 * p->thin_s;
    p->thin_m = rng_below(r, 4) == 0 ? 0 : rng_between(r, 20, 300);
    p->imports = rng_unit(r) * 0.15;
    p->recurs = rng_unit(r) * 0.15;
    p->collect = rng_unit(r) * 0.7;
    p->settle = rng_unit(r) * 0.4;
    p->cash_limit = rng_below(r, 3) == 0 ? rng_between(r, 10000, 200000) : 0;
    p->blobs = (struct memory_blob_faults){(int32_t)rng_below(r, 100), (int32_t)rng_below(r, 100)};
}

/* Whom dispatch prefers is none of the oracle's business; that all holds whomever it does, is. */
static void draw_dispatch(struct sim *sim) {
    struct sim_profile *p = &sim->profile;
    struct rng *r = &sim->rng;
    p->whole_waves = rng_below(r, 3) == 0;
    p->release = rng_unit(r) * 0.1;
    p->fail = rng_unit(r) * 0.15;
    p->returns = rng_below(r, 4) > 0;
    p->auto_accept = rng_unit(r) * 0.5;
    p->house_accepts = rng_below(r, 6) == 0 ? AUTO_ACCEPT_ALWAYS : AUTO_ACCEPT_CHOSEN;
    p->unassign = rng_unit(r) * 0.4;
    p->bigger_classes = rng_below(r, 4) == 0 ? (int32_t)rng_between(r, 1, 3) : 0;
    p->chain_eta_s = rng_below(r, 4) > 0 ? rng_between(r, 60, 900) : 0;
    p->chain_late_s = rng_between(r, 1, 90);
    p->window_us = rng_below(r, 3) == 0 ? rng_between(r, 1, 8) * US_PER_S : 0;
    p->weights = dispatch_weights_standard;
    for (int part = PART_ETA; part < DISPATCH_PARTS; part++) {
        if (rng_below(r, 4) == 0)
            p->weights.of[part] = rng_between(r, 0, 2000);
    }
}

void sim_profile_draw(struct sim *sim, const struct sim_options *o) {
    struct sim_profile *p = &sim->profile;
    uint64_t shape = rng_below(&sim->rng, 10);
    p->topology = shape < 6 ? SIM_FOUR_NODES : shape < 8 ? SIM_ONE_NODE : SIM_ONE_NODE_BROKER;
    if (o->replicas)
        p->topology = SIM_REPLICAS;
    draw_sizes(sim, o->bookings);
    draw_dispatch(sim);
    draw_faults(sim);
    if (o->calm)
        p->faults_until_us = SIM_START_US;
    sim->calm = o->calm;
}
