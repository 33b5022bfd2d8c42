/* A node: one process of the platform. It has a disk that survives it; everything else is made at
 * its start and dropped when it crashes. Its executor turns when something has come for it, a
 * little later, so that work gathers into batches; and now and then by itself, for its timers.
 *
 * A crash right after a commit: the watcher of the disk marks the node as dying, and whatever it
 * says from there to the end of the turn (answers, acknowledgements, notes) is not heard.
 */
#include "adapters/crow/crow.h"
#include "adapters/memory/memory_cache.h"
#include "base/check.h"
#include "services/auth/auth_service.h"
#include "services/booking/booking_service.h"
#include "services/booking/tariff.h"
#include "services/driver/driver_service.h"
#include "services/files/files_service.h"
#include "services/notification/notification_service.h"
#include "sim/sim.h"

#include <stddef.h>
#include <stdlib.h>

#define TICK_US (100 * US_PER_MS) /* of the worker */
#define CACHE_ENTRIES_MAX 4096
#define FIXES_PER_HOUR_MAX 100000 /* out of reach: what is not stored must come back to it */
#define BUSY_TURN_US INT64_C(50)
#define FILES_KEPT_US (72 * US_PER_S) /* some are too late */

struct sim_posted {
    struct sim_posted *next;
    void (*fn)(struct worker *w, void *arg);
    void *arg;
};

/* ---- its clock and its randomness ---- */

int64_t sim_node_now(const struct sim_node *n) {
    int64_t passed_us = n->sim->now_us - SIM_START_US;
    return n->sim->now_us + n->offset_us + passed_us / 1000 * n->drift_ppm / 1000;
}

static int64_t node_clock(const struct clock *c) {
    return sim_node_now(
        (const struct sim_node *)((const char *)c - offsetof(struct sim_node, clock)));
}

static void node_fill(struct entropy *e, void *out, size_t n) {
    struct sim_node *node = (struct sim_node *)((char *)e - offsetof(struct sim_node, entropy));
    rng_bytes(&node->rng, out, n);
}

/* ---- its worker ---- */

static bool post(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg) {
    struct sim_node *n = w->adapter;
    if (n->dying || sim_strikes(n->sim, SIM_NOTE_LOST))
        return false;
    struct sim_posted *p = xcalloc(1, sizeof(*p));
    *p = (struct sim_posted){.fn = fn, .arg = arg};
    if (n->posted_last != NULL)
        n->posted_last->next = p;
    else
        n->posted = p;
    n->posted_last = p;
    return true;
}

static void run_posted(struct sim_node *n) {
    while (n->posted != NULL) {
        struct sim_posted *p = n->posted;
        n->posted = p->next;
        if (n->posted == NULL)
            n->posted_last = NULL;
        p->fn(&n->worker, p->arg);
        free(p);
    }
}

/* ---- turns ---- */

static void turn(struct sim *sim, void *arg, uint64_t token);

static void arrange_turn(struct sim_node *n, int64_t delay_us) {
    int64_t at_us = n->sim->now_us + delay_us;
    if (n->turn_at_us != 0 && n->turn_at_us <= at_us)
        return;
    n->turn_at_us = at_us;
    sim_after(n->sim, delay_us, turn, n, n->life);
}

void sim_node_poke(struct sim_node *n) {
    struct sim *sim = n->sim;
    if (n->up)
        arrange_turn(n, (int64_t)rng_below(&sim->rng, (uint64_t)sim->profile.turn_delay_max_us));
}

static void turn(struct sim *sim, void *arg, uint64_t token) {
    struct sim_node *n = arg;
    if (!n->up || token != n->life || n->turn_at_us != sim->now_us)
        return; /* of an earlier life, or one that was brought forward */
    n->turn_at_us = 0;
    sim->turning = n;
    int32_t taken = executor_turn(n->executor, 0);
    sim->turning = NULL;
    if (!n->dying) {
        run_posted(n);
        if (sim->now_us >= n->next_tick_us) {
            n->next_tick_us = sim->now_us + TICK_US;
            runtime_worker_tick(n->runtime, &n->worker, sim_node_now(n));
            run_posted(n);
        }
    }
    if (n->dying)
        sim_node_crash(n);
    else
        arrange_turn(n, taken > 0 ? BUSY_TURN_US : sim->profile.idle_turn_us);
}

/* ---- start ---- */

static bool holds(const struct sim_node *n, enum sim_service s) {
    return (n->holds & (1u << s)) != 0;
}

/* A process of several has all services; those that it does not hold are passive. */
static bool has(const struct sim_node *n, enum sim_service s) {
    return holds(n, s) || n->peers != NULL;
}

static void on_placed(void *notification, const struct signal_position *said) {
    notification_service_position(notification, said);
}

static void make_auth(struct sim_node *n) {
    struct auth_options o = auth_options_default();
    n->hasher = hasher_instant_new();
    o.hasher = n->hasher;
    o.cache = n->cache;
    o.verifier = n->verifier;
    o.entropy = &n->entropy;
    o.bus = n->bus;
    o.peers = n->peers;
    o.address_failures_max = 0; /* all simulated people share one address */
    o.registers_per_hour_max = 0;
    n->auth = auth_service_new(&o);
}

/* Documents are attached to nothing: files have a workload of their own, with the proofs. */
static void attach_any(struct files *f, struct call *c, struct str subject,
                       struct file_claim *claims, int32_t count, files_then_fn then, void *arg) {
    (void)f;
    (void)subject;
    for (int32_t i = 0; i < count; i++)
        claims[i].type = FILE_JPEG;
    then(c, claims, count, arg);
}
static const struct files_ops any_ops = {.attach = attach_any};

static void make_files(struct sim_node *n) {
    n->files = files_service_new(&(struct files_options){
        .blobs = n->sim->blobs, .clock = &n->clock, .cache = n->cache, .kept_us = FILES_KEPT_US});
}

/* What the house begins with; staff changes it. */
static const struct tariffs *house_tariffs(struct sim_node *n) {
    static const struct return_terms returns = {.percent = 60};
    struct tariffs *t = arena_new(&n->sim->arena, struct tariffs);
    *t = tariffs_default;
    t->returns = n->sim->profile.returns ? &returns : NULL;
    return t;
}

static void make_services(struct sim_node *n) {
    const struct sim_profile *p = &n->sim->profile;
    n->router = crow_new(NULL);
    if (has(n, SIM_AUTH))
        make_auth(n);
    n->any_files.ops = &any_ops;
    if (has(n, SIM_DRIVER))
        n->driver =
            driver_service_new(&(struct driver_options){.clock = &n->clock,
                                                        .entropy = &n->entropy,
                                                        .bus = n->bus,
                                                        .cache = n->cache,
                                                        .router = n->router,
                                                        .peers = n->peers,
                                                        .fixes_per_hour_max = FIXES_PER_HOUR_MAX,
                                                        .files = &n->any_files,
                                                        .approval_auto = p->approval_auto,
                                                        .offer_wave = p->offer_wave,
                                                        .offer_whole_waves = p->whole_waves,
                                                        .auto_accept = p->house_accepts,
                                                        .weights = &p->weights,
                                                        .bigger_classes = p->bigger_classes,
                                                        .cash_limit = p->cash_limit,
                                                        .chain_eta_s = p->chain_eta_s,
                                                        .chain_late_s = p->chain_late_s,
                                                        .window_us = p->window_us,
                                                        .trail_thin_m = p->thin_m,
                                                        .trail_thin_us = p->thin_s * US_PER_S,
                                                        .trace_keep_us = p->trace_s * US_PER_S,
                                                        .trail_thin_window_us = 15 * US_PER_S,
                                                        .trail_thin_margin_us = 10 * US_PER_S,
                                                        .offer_timeout_s = p->offer_timeout_s});
    if (has(n, SIM_BOOKING)) {
        make_files(n);
        n->booking = booking_service_new(&(struct booking_options){
            .files = files_service_port(n->files),
            .router = n->router,
            .entropy = &n->entropy,
            .fleet = n->driver != NULL ? driver_service_fleet(n->driver) : NULL,
            .bus = n->bus,
            .peers = n->peers,
            .tariffs = house_tariffs(n),
            .offer_timeout_us = p->offer_timeout_s * US_PER_S,
            .search_timeout_us = p->search_timeout_s * US_PER_S,
            .held_timeout_us = p->search_timeout_s * US_PER_S,
            .recurrence_days = SIM_RECURRENCE_DAYS,
            .schedule_lead_us = p->schedule_lead_s * US_PER_S,
            .schedule_lead_max_us = p->schedule_lead_max_s * US_PER_S,
            .schedule_remind_us = 2 * p->schedule_lead_s * US_PER_S,
            .contact_kept_us = p->contact_kept_s > 0 ? p->contact_kept_s * US_PER_S : -1});
        const struct file_viewer viewer = booking_service_viewer(n->booking);
        files_service_viewer(n->files, &viewer);
    }
    bool socketed = holds(n, SIM_NOTIFICATION);
    n->carrier = socketed ? sim_carrier_new(n) : NULL;
    if (has(n, SIM_NOTIFICATION))
        n->notification = notification_service_new(&(struct notification_options){
            .clock = &n->clock,
            .bus = socketed ? n->bus : NULL,
            .verifier = n->verifier,
            .locations = n->driver != NULL ? driver_service_locations(n->driver) : NULL,
            .peers = socketed ? n->peers : NULL,
            .mailer = sim_carrier_mailer(n->carrier),
            .poster = sim_carrier_poster(n->carrier),
            .entropy = &n->entropy,
            .workers_max = 1});
    if (socketed && n->peers != NULL)
        driver_service_placed(n->driver, on_placed, n->notification);
}

static int32_t list_services(struct sim_node *n, struct service out[SIM_SERVICE_COUNT + 1]) {
    int32_t count = 0;
    if (n->auth != NULL)
        out[count++] = auth_service(n->auth);
    if (n->booking != NULL)
        out[count++] = booking_service(n->booking);
    if (n->driver != NULL)
        out[count++] = driver_service(n->driver);
    if (n->notification != NULL)
        out[count++] = notification_service(n->notification);
    for (int32_t i = 0; n->peers != NULL && i < count; i++)
        out[i].passive = !holds(n, (enum sim_service)i);
    if (n->files != NULL) {
        out[count] = files_service(n->files);
        out[count++].passive = !holds(n, SIM_BOOKING);
    }
    return count;
}

static void make_runtime(struct sim_node *n) {
    struct service services[SIM_SERVICE_COUNT + 1];
    n->executor = executor_new(
        &(struct executor_options){.store = memory_disk_join(n->disk, true, n->index, &n->faults),
                                   .bus = n->bus,
                                   .peers = n->peers,
                                   .clock = &n->clock,
                                   .entropy = &n->entropy,
                                   .name = n->name,
                                   .batch_max = n->sim->profile.batch_max});
    if (n->driver != NULL)
        driver_service_executor(n->driver, n->executor);
    if (n->notification != NULL)
        notification_service_executor(n->notification, n->executor);
    if (n->files != NULL)
        files_service_executor(n->files, n->executor);
    if (n->booking != NULL)
        booking_service_executor(n->booking, n->executor);
    int32_t count = list_services(n, services);
    n->runtime = runtime_new(
        &(struct runtime_options){.clock = &n->clock,
                                  .entropy = &n->entropy,
                                  .bus = n->bus,
                                  .cache = n->cache,
                                  .verifier = n->verifier,
                                  .peers = n->peers,
                                  .api_key = n->auth != NULL ? auth_service_api_key : NULL,
                                  .api_key_arg = n->auth,
                                  .executor = n->executor},
        services, count);
    n->worker = (struct worker){.parser = json_parser_new(),
                                .reader = memory_disk_open(n->disk, false, &n->faults),
                                .rng = &n->rng,
                                .post = post,
                                .adapter = n};
}

void sim_node_boot(struct sim_node *n) {
    struct sim *sim = n->sim;
    n->life++;
    n->up = true;
    n->booted_us = sim->now_us;
    n->dying = false;
    sim_trace(sim, "boot", n->index, STR_NONE, STR_NONE, (int64_t)n->life, 0);
    n->bus = sim->bus != NULL ? sim_bus_open(sim->bus, n) : sim_tap_new(n);
    n->cache = sim->cache != NULL ? sim->cache : memory_cache_new(CACHE_ENTRIES_MAX);
    n->verifier = token_verifier_new("lorry", n->cache);
    if (sim->profile.topology == SIM_REPLICAS)
        n->peers = peers_new(n->bus, &n->clock, &n->entropy);
    n->faults = (struct memory_store_faults){0}; /* who cannot read at his start is started again */
    make_services(n);
    make_runtime(n);
    struct store *store = n->peers != NULL ? executor_store(n->executor) : n->worker.reader;
    sim->turning = n;
    CHECK(runtime_start(n->runtime, store) == 0);
    sim->turning = NULL;
    CHECK(runtime_worker_start(n->runtime, &n->worker) == 0);
    if (!sim->calm)
        n->faults = sim->profile.store;
    n->faults.rng = &n->rng;
    n->turn_at_us = 0;
    if (n->peers != NULL)
        sim_bus_first_gap(sim->bus, n);
    sim_node_poke(n);
}

/* ---- end ---- */

/* The store draws its faults itself; the executor has met them. */
static void count_store_faults(struct sim_node *n) {
    struct executor_stats stats;
    executor_stats(n->executor, &stats);
    n->sim->result->faults[SIM_STORE_FAULT] += stats.store_errors + stats.conflicts;
}

static void close_down(struct sim_node *n) {
    n->dying = true; /* what is said from here on nobody hears */
    count_store_faults(n);
    while (n->sockets != NULL)
        sim_socket_lost(n->sockets);
    while (n->posted != NULL) {
        struct sim_posted *p = n->posted;
        n->posted = p->next;
        p->fn(&n->worker, p->arg); /* it frees what it holds; its sockets are gone */
        free(p);
    }
    n->posted_last = NULL;
    runtime_worker_stop(n->runtime, &n->worker);
    n->carrier = sim_carrier_free(n->carrier);
    executor_free(n->executor);
    runtime_free(n->runtime);
    n->notification = notification_service_free(n->notification);
    n->booking = booking_service_free(n->booking);
    n->files = files_service_free(n->files);
    n->driver = driver_service_free(n->driver);
    n->auth = auth_service_free(n->auth);
    if (n->hasher != NULL)
        n->hasher->ops->close(n->hasher);
    n->hasher = NULL;
    n->router->ops->close(n->router);
    n->worker.reader->ops->close(n->worker.reader);
    json_parser_free(n->worker.parser);
    token_verifier_free(n->verifier);
    n->peers = peers_free(n->peers);
    n->bus->ops->close(n->bus);
    if (n->cache != n->sim->cache)
        n->cache->ops->close(n->cache);
    n->up = false;
    n->dying = false;
}

static void come_back(struct sim *sim, void *arg, uint64_t token) {
    struct sim_node *n = arg;
    (void)sim;
    (void)token;
    sim_node_boot(n);
}

void sim_node_crash(struct sim_node *n) {
    struct sim *sim = n->sim;
    sim_trace(sim, "crash", n->index, STR_NONE, STR_NONE, (int64_t)n->life, 0);
    sim->result->crashes++;
    close_down(n);
    int64_t down_us = (int64_t)rng_exponential(&sim->rng, 4.0 * US_PER_S);
    sim_after(sim, down_us, come_back, n, 0);
}

void sim_node_init(struct sim *sim, struct sim_node *n, int32_t index, const char *name,
                   unsigned services) {
    *n = (struct sim_node){.sim = sim, .name = name, .index = index, .holds = services};
    n->clock.now_us = node_clock;
    n->entropy.fill = node_fill;
    n->offset_us = rng_between(&sim->rng, -US_PER_S, US_PER_S);
    n->drift_ppm = rng_between(&sim->rng, -300, 300);
    rng_seed(&n->rng, rng_next(&sim->rng));
    bool joins = sim->profile.topology == SIM_REPLICAS && index > 0;
    n->disk_number = joins ? 0 : index;
    n->disk = joins ? sim->nodes[0].disk : memory_disk_new();
    if (!joins)
        memory_disk_watch(n->disk, oracle_commit, n);
}

void sim_node_stop(struct sim_node *n) {
    if (n->up)
        close_down(n);
}

void sim_node_free(struct sim_node *n) {
    if (n->disk_number == n->index)
        n->disk = memory_disk_free(n->disk);
}

struct sim_node *sim_node_of(struct sim *sim, enum sim_service service) {
    for (int32_t i = 0; i < sim->node_count; i++) {
        if (holds(&sim->nodes[i], service))
            return &sim->nodes[i];
    }
    UNREACHABLE();
}

struct sim_node *sim_node_for(struct sim *sim, enum sim_service service) {
    struct sim_node *up[SIM_NODES_MAX];
    uint64_t count = 0;
    for (int32_t i = 0; i < sim->node_count; i++) {
        if (holds(&sim->nodes[i], service) && sim->nodes[i].up)
            up[count++] = &sim->nodes[i];
    }
    if (count == 0)
        return sim_node_of(sim, service);
    return count == 1 ? up[0] : up[rng_below(&sim->rng, count)];
}

/* ---- what befalls them ---- */

static void strike_node(struct sim *sim, struct sim_node *n) {
    if (n->up && sim_strikes(sim, SIM_CRASH))
        sim_node_crash(n);
    if (sim->bus != NULL && sim_strikes(sim, SIM_PARTITION))
        n->cut_until_us = sim->now_us + rng_between(&sim->rng, 1, 15) * US_PER_S;
    if (sim_strikes(sim, SIM_CLOCK_SET))
        n->offset_us = rng_between(&sim->rng, -2 * US_PER_S, 2 * US_PER_S);
}

static void end_faults(struct sim *sim) {
    sim->profile.blobs = (struct memory_blob_faults){0};
    sim->calm = true;
    sim_trace(sim, "calm", -1, STR_NONE, STR_NONE, 0, 0);
    for (int32_t i = 0; i < sim->node_count; i++) {
        struct sim_node *n = &sim->nodes[i];
        n->faults = (struct memory_store_faults){.rng = &n->rng};
        n->cut_until_us = 0;
    }
}

static void each_second(struct sim *sim, void *arg, uint64_t token) {
    (void)arg;
    (void)token;
    if (!sim->calm && sim->now_us >= sim->profile.faults_until_us)
        end_faults(sim);
    for (int32_t i = 0; i < sim->node_count; i++)
        strike_node(sim, &sim->nodes[i]);
    if (sim->cache != NULL && sim_strikes(sim, SIM_CACHE_LOST))
        memory_cache_clear(sim->cache);
    if (!sim->calm)
        sim_after(sim, US_PER_S, each_second, NULL, 0);
}

void sim_disasters(struct sim *sim) {
    sim_after(sim, US_PER_S, each_second, NULL, 0);
}
