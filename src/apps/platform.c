#include "apps/platform.h"
#include "apps/figures.h"

#include "adapters/crow/crow.h"
#include "adapters/mbtiles/mbtiles.h"
#include "adapters/streets/streets.h"
#include "adapters/web/web.h"
#include "apps/beside.h"
#include "apps/city_places.h"
#include "apps/modules.h"
#include "apps/settings.h"
#include "base/check.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/timestamp.h"
#include "ports/blobs.h"
#include "services/auth/auth_service.h"
#include "services/booking/booking_service.h"
#include "services/booking/tariff.h"
#include "services/driver/driver_service.h"
#include "services/files/files_service.h"
#include "services/map/map_service.h"
#include "services/notification/notification_service.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BATCH_MAX STORE_BATCH_MAX
#define HELD_BYTES_MIN (INT64_C(16) << 20) /* of one network thread */

/* ---- the machine's clock and randomness ---- */

static int64_t wall_now(const struct clock *c) {
    (void)c;
    return clock_wall_us();
}

void clock_machine(struct clock *c) {
    c->now_us = wall_now;
}

static void machine_fill(struct entropy *e, void *out, size_t n) {
    (void)e;
    randombytes_buf(out, n);
}

void entropy_machine(struct entropy *e) {
    CHECK(sodium_init() >= 0);
    e->fill = machine_fill;
}

/* ---- the store, beside a server ---- */

int platform_open_store(const struct config *config, struct arena *a, struct stores *ret_stores,
                        struct store **ret_store, struct str *ret_why) {
    struct stores stores;
    int err = stores_open(config, true, NULL, a, &stores, ret_why);
    if (err < 0)
        return err;
    err = stores.port->open(stores.port, true, ret_store);
    if (err < 0) {
        stores_close(&stores);
        *ret_why = str_from(err_text(err));
        return err;
    }
    *ret_stores = stores;
    return 0;
}

/* ---- streets ---- */

static bool newer(const char *a, const char *b) {
    struct stat sa, sb;
    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_mtime >= sb.st_mtime;
}

struct str streets_problem(const char *geojson, int err, struct arena *a) {
    struct stat st;
    if (stat(geojson, &st) != 0 || access(geojson, R_OK) != 0)
        return arena_printf(a, "cannot read the streets: %s: %s", geojson, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return arena_printf(a, "cannot read the streets: %s is not a file", geojson);
    if (err == ERR_INVALID)
        return arena_printf(a,
                            "the streets of %s cannot be used: it must be a GeoJSON "
                            "FeatureCollection of road lines (LineString, with OSM's tags)",
                            geojson);
    if (err == ERR_LIMIT)
        return arena_printf(a, "the streets of %s are too many", geojson);
    return arena_printf(a, "cannot use the streets of %s: %s", geojson, err_text(err));
}

/* Opens the binary form beside the data, building it first if it is missing, old or damaged. */
static int open_streets(struct platform *p, const char *geojson, struct str *ret_why) {
    struct str cache = arena_printf(&p->arena, "%s/streets.graph", config_cstr(p->config, "data"));
    if (newer(cache.p, geojson) && streets_open(cache.p, p->crow, &p->streets) == 0)
        return 0;
    if (access(geojson, R_OK) == 0)
        log_info(&p->log, "building the road graph from %s (once)", geojson);
    int err = streets_build(geojson, cache.p, NULL);
    if (err == 0)
        err = streets_open(cache.p, p->crow, &p->streets);
    if (err < 0)
        *ret_why = streets_problem(geojson, err, &p->arena);
    return err;
}

/* The map from a file of tiles; the places on it still come from the streets. */
static int open_map(struct platform *p, struct str *ret_why) {
    const char *path = config_cstr(p->config, "map");
    struct str why = STR_NONE;
    if (path == NULL)
        return 0;
    int err = mbtiles_atlas_open(path, p->atlas, &p->arena, &p->atlas, &why);
    if (err < 0)
        *ret_why = arena_printf(&p->arena, "the map cannot be used: %.*s", STR_ARG(why));
    return err;
}

static int open_routers(struct platform *p, struct str *ret_why) {
    p->crow = crow_new(NULL);
    p->router = p->crow;
    const char *geojson = config_cstr(p->config, "streets");
    if (geojson == NULL)
        return 0;
    int err = open_streets(p, geojson, ret_why);
    if (err < 0)
        return err;
    p->router = streets_router(p->streets);
    p->atlas = streets_atlas_new(p->streets);
    return 0;
}

/* ---- the web app ---- */

static int open_web(struct platform *p, struct str *ret_why) {
    char beside[1024];
    const char *dir = config_cstr(p->config, "web");
    if (dir == NULL &&
        beside_find("web", "../share/lorry/web", "index.html", beside, sizeof beside)) {
        *strrchr(beside, '/') = 0; /* the folder */
        dir = beside;
    }
    return dir != NULL ? web_open(dir, &p->arena, &p->web, ret_why) : 0;
}

static bool answer_page(const void *arg, struct call *c) {
    return web_answer(arg, c);
}

/* ---- tracing ---- */

/* What this process does: "lorry", or "lorry-booking" where others do the rest. */
static struct str traced_name(struct platform *p) {
    struct buf name;
    buf_init(&name, &p->arena, 64);
    buf_add_cstr(&name, "lorry");
    unsigned services = config_list(p->config, "service");
    for (int i = 0; services != SERVICES_ALL && i < SERVICE_COUNT; i++) {
        if ((services & 1u << i) != 0)
            buf_printf(&name, "-%s", service_names[i]);
    }
    return buf_str(&name);
}

/* A random UUID: what OpenTelemetry asks for, where nothing better names the process. */
static struct str instance_name(struct platform *p) {
    uint8_t id[16];
    char hex[32];
    p->entropy.fill(&p->entropy, id, sizeof(id));
    id[6] = (uint8_t)(0x40 | (id[6] & 0x0F));
    id[8] = (uint8_t)(0x80 | (id[8] & 0x3F));
    hex_write(hex, id, sizeof(id));
    return arena_printf(&p->arena, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
                        hex + 20);
}

static int open_tracing(struct platform *p, struct str *ret_why) {
    const void *module;
    double sample = 1;
    if (!config_is_given(p->config, "otlp"))
        return 0;
    int err = module_load(MODULE_OTLP, &p->arena, &module, ret_why);
    if (err < 0)
        return err;
    CHECK(str_to_f64(str_from(config_cstr(p->config, "otlp_sample")), &sample) == 0);
    p->otlp_driver = module;
    p->spans = spans_new(sample);
    struct otlp_options o = {.url = config_cstr(p->config, "otlp"),
                             .service = arena_cstr(&p->arena, traced_name(p)),
                             .instance = instance_name(p).p,
                             .spans = p->spans,
                             .log = &p->log};
    p->entropy.fill(&p->entropy, &o.seed, sizeof(o.seed));
    return p->otlp_driver->open(&o, &p->arena, &p->otlp, ret_why);
}

/* ---- services ---- */

static void ask_for_city(void *arg) {
    const struct platform *p = arg;
    (void)eventfd_write(p->fill_fd, 1); /* full: it has been asked for */
}

static void make_auth(struct platform *p) {
    struct auth_options o = auth_options_default();
    o.engaged = booking_engaged;
    o.hasher = p->hasher;
    o.cache = p->links.cache;
    o.bus = p->links.bus;
    o.peers = p->peers;
    o.verifier = p->verifier;
    o.entropy = &p->entropy;
    o.log = &p->log;
    o.issuer = config_cstr(p->config, "issuer");
    if (p->fill_fd >= 0) {
        o.fill = ask_for_city;
        o.fill_arg = p;
    }
    o.access_ttl_s = config_int(p->config, "access_ttl_s");
    o.refresh_ttl_s = config_int(p->config, "refresh_ttl_s");
    o.login_failures_max = (int32_t)config_int(p->config, "login_failures_max");
    o.account_failures_max = (int32_t)config_int(p->config, "account_failures_max");
    o.address_failures_max = (int32_t)config_int(p->config, "address_failures_max");
    o.registers_per_hour_max = (int32_t)config_int(p->config, "registers_per_hour_max");
    o.require_factor = (enum factor_rule)config_enum(p->config, "require_second_factor");
    o.sends_mail =
        config_is_given(p->config, "mail") && !str_is(config_text(p->config, "mail"), "none");
    o.public_url =
        config_is_given(p->config, "public_url") ? config_cstr(p->config, "public_url") : NULL;
    o.audit_days = config_int(p->config, "audit_days");
    if (config_bool(p->config, "demo"))
        o.registers_per_hour_max = 0; /* the whole city registers from one address */
    p->auth = auth_service_new(&o);
}

static void read_weights(struct platform *p) {
    for (int part = PART_ETA; part < DISPATCH_PARTS; part++) {
        char key[64];
        snprintf(key, sizeof key, "dispatch_weight_%s", dispatch_part_names[part]);
        p->weights.of[part] = config_int(p->config, key);
    }
}

static void make_driver(struct platform *p) {
    const struct config *c = p->config;
    read_weights(p);
    bool own_zone = config_is_given(c, "timezone");
    p->driver = driver_service_new(&(struct driver_options){
        .clock = &p->clock,
        .entropy = &p->entropy,
        .bus = p->links.bus,
        .router = p->router,
        .log = &p->log,
        .peers = p->peers,
        .approval_auto = config_enum(c, "driver_approval") == APPROVAL_AUTO ||
                         (config_bool(c, "demo") && !config_is_given(c, "driver_approval")),
        .document_kinds = config_text(c, "driver_documents"),
        .documents_required = config_bool(c, "driver_documents_required"),
        .shifts_required = config_enum(c, "driver_shifts") == SHIFTS_REQUIRED,
        .timezone = own_zone ? config_text(c, "timezone") : p->tariffs->timezone,
        .offer_wave = (int32_t)config_int(c, "offer_wave"),
        .auto_accept = (enum auto_accept)config_enum(c, "offer_auto_accept"),
        .window_us = config_enum(c, "dispatch") == DISPATCH_BATCH
                         ? config_int(c, "dispatch_window_s") * US_PER_S
                         : 0,
        .offer_whole_waves = config_enum(c, "offer_refill") == OFFER_REFILL_WAVE,
        .weights = &p->weights,
        .fairness_half_life_s = config_int(c, "dispatch_fairness_h") * 3600,
        .bigger_classes = (int32_t)config_int(c, "dispatch_bigger_classes"),
        .cash_limit = config_int(c, "cash_limit"),
        .chain_eta_s = config_int(c, "chain_eta_s"),
        .chain_late_s = config_int(c, "chain_late_s"),
        .offer_timeout_s = config_int(c, "offer_timeout_s"),
        .search_radius_m = config_int(c, "search_radius_m"),
        .search_radius_max_m = config_int(c, "search_radius_max_m"),
        .cache = p->links.cache,
        .fixes_per_hour_max = (int32_t)config_int(c, "fixes_per_hour_max"),
        .trail_keep_days = config_int(c, "trail_days"),
        .trail_thin_m = config_int(c, "trail_simplify_m"),
        .trail_thin_us = config_int(c, "trail_simplify_days") * US_PER_DAY,
        .arrival_radius_m = config_int(c, "arrival_radius_m"),
        .stale_after_s = config_int(c, "stale_after_s"),
        .unassigned_after_s = config_int(c, "unassigned_after_s"),
        .off_route_m = config_int(c, "off_route_m"),
        .currency = p->tariffs->currency.p,
    });
}

/* WHY names the file; whose it is shows which setting is meant. */
static int refuse_file(struct platform *p, const char *key, struct str *why) {
    *why = arena_printf(&p->arena, "the %s cannot be used: %.*s", key, STR_ARG(*why));
    return ERR_INVALID;
}

static int make_booking(struct platform *p, struct str *ret_why) {
    const struct config *c = p->config;
    int64_t commission = config_int(c, "commission_percent");
    int64_t open_max = config_int(c, "open_bookings_max");
    int64_t remind_us = config_int(c, "schedule_remind_s") * US_PER_S;
    int64_t contact_us = config_int(c, "contact_hours") * 3600 * US_PER_S;
    struct booking_options o = {
        .tariffs = p->tariffs,
        .bus = p->links.bus,
        .peers = p->peers,
        .router = p->router,
        .entropy = &p->entropy,
        .fleet = driver_service_fleet(p->driver),
        .quote_ttl_us = config_int(c, "quote_ttl_s") * US_PER_S,
        .offer_timeout_us = config_int(c, "offer_timeout_s") * US_PER_S,
        .search_timeout_us = config_int(c, "search_timeout_s") * US_PER_S,
        .commission_percent = commission > 0 ? (int32_t)commission : -1,
        .trip_max_km = (int32_t)config_int(c, "trip_max_km"),
        .status_by_position = config_enum(c, "arrival_status") == ARRIVAL_AUTO,
        .open_bookings_max = open_max > 0 ? (int32_t)open_max : -1,
        .files = files_service_port(p->files),
        .proof_default = (int32_t)config_list(c, "proof") & ~1, /* without "none" */
        .schedule_lead_us = config_int(c, "schedule_lead_s") * US_PER_S,
        .schedule_lead_max_us = config_int(c, "schedule_lead_max_s") * US_PER_S,
        .schedule_remind_us = remind_us > 0 ? remind_us : -1,
        .cash_limit = config_int(c, "cash_limit"),
        .collect_max = config_int(c, "collect_max"),
        .schedule_days_max = (int32_t)config_int(c, "schedule_days_max"),
        .recurrence_days = (int32_t)config_int(c, "recurrence_days"),
        .contact_kept_us = contact_us > 0 ? contact_us : -1,
        .contact_phone = config_text(c, "contact_phone"),
        .sign = auth_service_sign,
        .sign_arg = p->auth,
    };
    if (config_is_given(c, "area")) {
        o.area = booking_area_load(config_cstr(c, "area"), &p->arena, ret_why);
        if (o.area == NULL)
            return refuse_file(p, "area", ret_why);
    }
    p->booking = booking_service_new(&o);
    const struct file_viewer viewer = booking_service_viewer(p->booking);
    files_service_viewer(p->files, &viewer);
    return 0;
}

static int32_t worker_count(const struct config *c) {
    int64_t n = config_int(c, "workers");
    if (n == 0)
        n = sysconf(_SC_NPROCESSORS_ONLN);
    return (int32_t)(n < 1 ? 1 : n > PLATFORM_WORKERS_MAX ? PLATFORM_WORKERS_MAX : n);
}

static bool active(const struct platform *p, enum settings_service service) {
    return (config_list(p->config, "service") & 1u << service) != 0;
}

static void on_placed(void *notification, const struct signal_position *said) {
    notification_service_position(notification, said);
}

static int make_notification(struct platform *p, struct str *ret_why) {
    bool here = active(p, SERVICE_NOTIFICATION); /* else nobody watches, and it hears nothing */
    int err = here ? mailer_open(p->config, &p->arena, &p->mailer, ret_why) : 0;
    if (err < 0)
        return err;
    if (config_is_given(p->config, "message_url") &&
        !notification_is_secret(config_text(p->config, "message_secret"))) {
        *ret_why = STR("message_url needs a message_secret beside it: whsec_ and the base64 of 24 "
                       "to 64 bytes");
        return ERR_INVALID;
    }
    p->poster = here ? poster_new(p->config, &p->log) : NULL;
    p->notification = notification_service_new(&(struct notification_options){
        .clock = &p->clock,
        .bus = here ? p->links.bus : NULL,
        .verifier = p->verifier,
        .locations = driver_service_locations(p->driver),
        .mailer = p->mailer,
        .poster = p->poster,
        .message_url = here ? config_text(p->config, "message_url") : STR_NONE,
        .message_secret = config_text(p->config, "message_secret"),
        .webhook_allow_private = config_bool(p->config, "webhook_allow_private"),
        .entropy = &p->entropy,
        .log = &p->log,
        .peers = here ? p->peers : NULL,
        .spans = p->spans,
        .workers_max = worker_count(p->config),
    });
    if (here && p->peers != NULL)
        driver_service_placed(p->driver, on_placed, p->notification);
    return 0;
}

/* They are kept and served where bookings are; the others only attach them. */
static int make_files(struct platform *p, struct str *ret_why) {
    bool here = active(p, SERVICE_BOOKING);
    struct files_options o = {.clock = &p->clock,
                              .cache = p->links.cache,
                              .log = &p->log,
                              .threads = here ? FILES_THREADS : 0,
                              .bytes_per_day_max = config_int(p->config, "files_mb_per_day_max")
                                                   << 20};
    int err = here ? blobs_open(p->config, &p->arena, &p->blobs, ret_why) : 0;
    if (err < 0)
        return err;
    o.blobs = p->blobs;
    p->files = files_service_new(&o);
    return p->files != NULL ? 0 : ERR_LIMIT;
}

/* What prices are where no file says it: the demo's by the clock of its city. */
static const struct tariffs *house_tariffs(struct platform *p) {
    if (!config_bool(p->config, "demo"))
        return &tariffs_default;
    struct tariffs *t = arena_copy(&p->arena, &tariffs_default, sizeof(*t));
    t->timezone = STR(CITY_TIMEZONE);
    return t;
}

static int make_services(struct platform *p, struct str *ret_why) {
    p->tariffs = house_tariffs(p);
    if (config_is_given(p->config, "tariffs"))
        p->tariffs = booking_tariffs_load(config_cstr(p->config, "tariffs"), &p->arena, ret_why);
    if (p->tariffs == NULL)
        return refuse_file(p, "tariffs", ret_why);
    make_auth(p);
    make_driver(p);
    int err = make_notification(p, ret_why);
    if (err < 0)
        return err;
    p->map = map_service_new(p->atlas);
    err = make_files(p, ret_why);
    if (err < 0)
        return err;
    const struct file_viewer viewer = driver_service_viewer(p->driver);
    driver_service_files(p->driver, files_service_port(p->files));
    files_service_viewer(p->files, &viewer);
    return make_booking(p, ret_why);
}

static int make_runtime(struct platform *p, struct str *ret_why) {
    struct store *writer;
    int err = p->stores.port->open(p->stores.port, true, &writer);
    if (err < 0) {
        *ret_why = str_from(err_text(err));
        return err;
    }
    p->executor = executor_new(
        &(struct executor_options){.store = writer,
                                   .bus = p->links.bus,
                                   .clock = &p->clock,
                                   .entropy = &p->entropy,
                                   .log = &p->log,
                                   .peers = p->peers,
                                   .spans = p->spans,
                                   .name = "lorry",
                                   .batch_max = BATCH_MAX,
                                   .behind_max = (int32_t)config_int(p->config, "outbox_max")});
    driver_service_executor(p->driver, p->executor);
    notification_service_executor(p->notification, p->executor);
    files_service_executor(p->files, p->executor);
    booking_service_executor(p->booking, p->executor);
    struct service services[] = {auth_service(p->auth),     booking_service(p->booking),
                                 driver_service(p->driver), notification_service(p->notification),
                                 map_service(p->map),       files_service(p->files)};
    for (int i = 0; i < SERVICE_COUNT; i++) /* the map is wherever it is asked for */
        services[i].passive = !active(p, (enum settings_service)i);
    services[COUNT_OF(services) - 1].passive = !active(p, SERVICE_BOOKING);
    struct runtime_options o = {.clock = &p->clock,
                                .pages = p->web != NULL ? answer_page : NULL,
                                .pages_arg = p->web,
                                .entropy = &p->entropy,
                                .bus = p->links.bus,
                                .cache = p->links.cache,
                                .verifier = p->verifier,
                                .api_key = auth_service_api_key,
                                .api_key_arg = p->auth,
                                .executor = p->executor,
                                .log = &p->log,
                                .metrics = platform_metrics,
                                .metrics_arg = p,
                                .writes_per_minute_max =
                                    (int32_t)config_int(p->config, "writes_per_minute_max"),
                                .peers = p->peers,
                                .spans = p->spans};
    if (p->links.several) {
        o.health[0] = (struct health){"bus", links_bus_ok, &p->links, false};
        o.health[1] = (struct health){"cache", links_cache_ok, &p->links, false};
    }
    p->runtime = runtime_new(&o, services, COUNT_OF(services));
    err = links_start(&p->links, ret_why); /* the signals of others, before what they are about */
    if (err < 0)
        return err;
    err = runtime_start(p->runtime, writer);
    if (err < 0)
        *ret_why = arena_printf(&p->arena, "cannot read the state: %s", err_text(err));
    return err;
}

/* ---- the network ---- */

static int worker_start(void *app, struct worker *w) {
    struct platform *p = app;
    w->parser = json_parser_new();
    w->rng = xcalloc(1, sizeof(struct rng));
    uint64_t seed;
    p->entropy.fill(&p->entropy, &seed, sizeof(seed));
    rng_seed(w->rng, seed);
    int err = p->stores.port->open(p->stores.port, false, &w->reader);
    return err < 0 ? err : runtime_worker_start(p->runtime, w);
}

static void worker_stop(void *app, struct worker *w) {
    struct platform *p = app;
    runtime_worker_stop(p->runtime, w);
    if (w->reader != NULL)
        w->reader->ops->close(w->reader);
    json_parser_free(w->parser);
    free(w->rng);
}

static void on_request(void *app, struct call *c) {
    runtime_request(((struct platform *)app)->runtime, c);
}

static size_t on_body_max(void *app, struct str method, struct str path) {
    return runtime_body_max(((struct platform *)app)->runtime, method, path);
}

static void on_tick(void *app, struct worker *w, int64_t now_us) {
    runtime_worker_tick(((struct platform *)app)->runtime, w, now_us);
}

static int listen_on(struct platform *p, struct str *ret_why) {
    const struct config *c = p->config;
    struct http_limits limits = http_limits_default;
    limits.connections_max = (int32_t)config_int(c, "connections_max");
    limits.connections_per_address_max = (int32_t)config_int(c, "connections_per_address_max");
    if (config_bool(c, "demo") && !config_is_given(c, "connections_per_address_max"))
        limits.connections_per_address_max = 0; /* the whole city comes from one address */
    struct network *proxies = arena_array(&p->arena, struct network, NETWORKS_MAX);
    int32_t proxy_count = 0;
    if (config_is_given(c, "trusted_proxies"))
        proxy_count = networks_parse(str_from(config_cstr(c, "trusted_proxies")), proxies);
    /* Of one thread: all together may hold no more on a machine with many processors. */
    limits.held_bytes_max /= worker_count(c);
    if (limits.held_bytes_max < HELD_BYTES_MIN)
        limits.held_bytes_max = HELD_BYTES_MIN;
    const char *why = "";
    int err = http_start(&(struct http_options){.address = config_host(c, "listen"),
                                                .port = config_port(c, "listen"),
                                                .workers = worker_count(c),
                                                .limits = limits,
                                                .proxies = proxies,
                                                .proxy_count = proxy_count,
                                                .log = &p->log,
                                                .clock = &p->clock,
                                                .worker_start = worker_start,
                                                .worker_stop = worker_stop,
                                                .request = on_request,
                                                .body_max = on_body_max,
                                                .tick = on_tick,
                                                .tick_ms = 100,
                                                .app = p},
                         &p->http, &p->port, &why);
    if (err < 0)
        *ret_why = arena_printf(&p->arena, "cannot listen on %s port %d: %s (--listen says where)",
                                config_host(c, "listen"), config_port(c, "listen"), why);
    return err;
}

/* ---- life ---- */

static int open_all(struct platform *p, struct str *ret_why) {
    int err = stores_open(p->config, false, &p->log, &p->arena, &p->stores, ret_why);
    if (err == 0)
        err = links_open(p->config, &p->log, &p->arena, &p->links, ret_why);
    if (err < 0)
        return err;
    if (p->stores.shared)
        p->peers = peers_new(p->links.bus, &p->clock, &p->entropy);
    /* A city lives in one process, which must have all services. */
    if (!p->stores.shared && !p->links.several && !config_bool(p->config, "demo"))
        p->fill_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    p->verifier = token_verifier_new(config_cstr(p->config, "issuer"), p->links.cache);
    p->hasher = hasher_argon2id_new(
        &(struct hasher_options){.workers = (int32_t)config_int(p->config, "hash_workers"),
                                 .queue_max = (int32_t)config_int(p->config, "hash_queue")});
    if (p->hasher == NULL)
        return ERR_LIMIT;
    err = open_tracing(p, ret_why);
    if (err == 0)
        err = open_routers(p, ret_why);
    if (err == 0)
        err = open_map(p, ret_why);
    if (err == 0)
        err = make_services(p, ret_why);
    if (err == 0)
        err = open_web(p, ret_why);
    if (err == 0)
        err = make_runtime(p, ret_why);
    if (err == 0)
        err = executor_start(p->executor);
    if (err == 0)
        err = listen_on(p, ret_why);
    return err;
}

int platform_open(struct platform *p, const struct config *config, struct str *ret_why) {
    *p = (struct platform){.config = config, .fill_fd = -1};
    arena_init(&p->arena, 16384);
    p->log = (struct log){(enum log_level)config_enum(config, "log_level"), 2, "lorry"};
    clock_machine(&p->clock);
    entropy_machine(&p->entropy);
    *ret_why = STR("it could not be started");
    int err = open_all(p, ret_why);
    if (err < 0) {
        char why[1024]; /* outlives the arena */
        size_t len = ret_why->len < sizeof(why) ? ret_why->len : sizeof(why) - 1;
        memcpy(why, ret_why->p, len);
        platform_close(p);
        arena_init(&p->arena, 1024);
        *ret_why = arena_str(&p->arena, (struct str){why, len});
    }
    return err;
}

void platform_url(const struct platform *p, char out[PLATFORM_URL_MAX]) {
    const char *host = config_host(p->config, "listen");
    bool six = strchr(host, ':') != NULL;
    snprintf(out, PLATFORM_URL_MAX, "http://%s%s%s:%d", six ? "[" : "", host, six ? "]" : "",
             p->port);
}

#define MESSAGES_PATIENCE_US (3 * US_PER_S)

/* What is heard now need not be sent again after the start. */
static void let_messages_arrive(struct platform *p) {
    int64_t until_us = clock_mono_us() + MESSAGES_PATIENCE_US;
    notification_service_stop(p->notification);
    while (notification_service_under_way(p->notification) > 0 && clock_mono_us() < until_us)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

void platform_close(struct platform *p) {
    if (p->runtime != NULL)
        runtime_draining(p->runtime);
    if (p->http != NULL)
        http_stop(p->http);
    if (p->hasher != NULL)
        p->hasher->ops->close(p->hasher); /* its threads submit to the executor */
    if (p->files != NULL)                 /* the same */
        files_service_stop(p->files);
    if (p->notification != NULL)
        let_messages_arrive(p);
    if (p->executor != NULL)
        executor_stop(p->executor);
    if (p->mailer != NULL) /* after who sends by it, before who hears its results */
        p->mailer->ops->close(p->mailer);
    if (p->poster != NULL)
        p->poster->ops->close(p->poster);
    http_free(p->http);
    runtime_free(p->runtime);
    executor_free(p->executor);
    notification_service_free(p->notification);
    booking_service_free(p->booking);
    driver_service_free(p->driver);
    auth_service_free(p->auth);
    map_service_free(p->map);
    files_service_free(p->files);
    if (p->blobs != NULL)
        p->blobs->ops->close(p->blobs);
    if (p->atlas != NULL)
        p->atlas->ops->close(p->atlas);
    streets_close(p->streets);
    web_close(p->web);
    if (p->crow != NULL)
        p->crow->ops->close(p->crow);
    token_verifier_free(p->verifier);
    links_close(&p->links);
    p->peers = peers_free(p->peers);
    stores_close(&p->stores);
    if (p->otlp != NULL)
        p->otlp_driver->close(p->otlp);
    p->spans = spans_free(p->spans);
    arena_free(&p->arena);
    if (p->fill_fd >= 0)
        close(p->fill_fd);
    *p = (struct platform){.fill_fd = -1};
}
