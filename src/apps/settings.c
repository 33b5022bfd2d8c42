/* The const tables of the platform's settings, and the few checks that span two of them. */
#include "apps/settings.h"

#include "base/address.h"
#include "base/check.h"
#include "base/err.h"
#include "base/log.h"
#include "base/zone.h"
#include "dispatch/dispatch.h"
#include "ports/locations.h"
#include "services/driver/driver_service.h"

#include <string.h>

#define YEAR_S (INT64_C(366) * 86400)

/* What may stand as `iss` in a token: a StringOrURI without spaces. */
static bool is_issuer(struct str s) {
    return !memchr(s.p, ' ', s.len);
}

static bool is_networks(struct str s) {
    struct network list[NETWORKS_MAX];
    return networks_parse(s, list) > 0;
}

#define TABLE(name, heading)                                                                       \
    const struct config_table settings_##name = {heading, name, (int32_t)COUNT_OF(name)}

static const char *const stores[] = {"sqlite",  "postgres",    "postgresql",
                                     "mongodb", "mongodb+srv", NULL};
static const struct config_setting data[] = {
    {.key = "data",
     .kind = CONFIG_PATH,
     .fallback = "./data",
     .placeholder = "DIR",
     .help = "The folder that keeps all state (with another store than sqlite: only what was made "
             "from the streets); made if it is missing"},
    {.key = "store",
     .kind = CONFIG_URL,
     .fallback = "sqlite",
     .names = stores,
     .help = "What keeps it: sqlite, in the folder, or a server that many processes may share: "
             "postgres://USER@HOST/DATABASE, mongodb://HOST/DATABASE. With a password in it from a "
             "file: --store-file"},
    {.key = "store_read",
     .kind = CONFIG_URL,
     .names = stores + 1,
     .help = "A PostgreSQL server that follows it and may be behind: lists and reports for staff "
             "are read there"},
    {.key = "store_read_lag_s",
     .kind = CONFIG_INT,
     .fallback = "5",
     .min = 1,
     .max = 300,
     .help = "While it is further behind they are read where everything is"},
};
TABLE(data, "State");

static const char *const file_places[] = {"data", "file", "s3", "s3+http", NULL};
static const struct config_setting files[] = {
    {.key = "files",
     .kind = CONFIG_URL,
     .fallback = "data",
     .names = file_places,
     .help = "Where uploaded files are kept: data, in the data folder; file:DIR; or a bucket of S3 "
             "or what speaks like it: s3://KEY:SECRET@HOST/BUCKET/PREFIX?region=eu-north-1 "
             "(s3+http:// without TLS). With the secret from a file: --files-file"},
    {.key = "files_ca",
     .kind = CONFIG_PATH,
     .placeholder = "FILE",
     .help = "PEM file of who may vouch for the bucket's server; without it the system's"},
    {.key = "files_mb_per_day_max",
     .kind = CONFIG_INT,
     .fallback = "256",
     .max = 1000000,
     .help = "Megabytes that one account may upload a day; 0 for no limit"},
};
TABLE(files, "Files");

const char *const service_names[] = {"auth", "booking", "driver", "notification", NULL};
static const char *const buses[] = {"inproc", "amqp", "amqps", NULL};
static const char *const caches[] = {"memory", "redis", "redis+unix", "redis+sentinel", NULL};
static const struct config_setting parts[] = {
    {.key = "service",
     .kind = CONFIG_LIST,
     .fallback = "auth,booking,driver,notification",
     .names = service_names,
     .help = "What this process does; where it is not all, others do the rest"},
    {.key = "cache",
     .kind = CONFIG_URL,
     .fallback = "memory",
     .names = caches,
     .help = "What processes share that may be lost, and how they hear of each other: memory, for "
             "one process, or redis://HOST, redis+sentinel://HOST,HOST/MASTER. With a password: "
             "--cache-file"},
};
TABLE(parts, "Several processes");

static const struct config_setting bus[] = {
    {.key = "bus",
     .kind = CONFIG_URL,
     .fallback = "inproc",
     .names = buses,
     .help = "What carries events between services: inproc, inside the process, or RabbitMQ: "
             "amqp://USER@HOST,HOST/VHOST. With a password: --bus-file"},
    {.key = "outbox_max",
     .kind = CONFIG_INT,
     .fallback = "20000",
     .min = 1,
     .max = 10000000,
     .help = "Events of this process that may wait for RabbitMQ; then what would make more is "
             "answered 503"},
    {.key = "bus_ca",
     .kind = CONFIG_PATH,
     .placeholder = "FILE",
     .help = "PEM file of who may vouch for an amqps broker"},
};
TABLE(bus, "Broker");

static const struct config_setting server[] = {
    {.key = "listen",
     .kind = CONFIG_ADDRESS,
     .fallback = "127.0.0.1:8080",
     .help = "Where to listen; port 0 takes any free one"},
    {.key = "workers",
     .kind = CONFIG_INT,
     .fallback = "0",
     .max = 256,
     .help = "Network threads; 0 is one for each processor"},
    {.key = "connections_max",
     .kind = CONFIG_INT,
     .fallback = "15000",
     .min = 16,
     .max = 1000000,
     .help = "Connections at once; more are closed as they come"},
    {.key = "connections_per_address_max",
     .kind = CONFIG_INT,
     .fallback = "1000",
     .max = 1000000,
     .help = "Connections from one address, or one /64 of IPv6; 0 for no limit"},
    {.key = "trusted_proxies",
     .kind = CONFIG_STRING,
     .placeholder = "LIST",
     .valid = is_networks,
     .expects = "addresses and networks with commas between, as in 10.0.0.0/8,::1",
     .help = "Whose X-Forwarded-For is believed: proxies in front, as addresses and networks"},
    {.key = "web",
     .kind = CONFIG_PATH,
     .placeholder = "DIR",
     .help = "The built web app to serve; without it the one installed beside the program, if any"},
    {.key = "log_level",
     .kind = CONFIG_ENUM,
     .fallback = "info",
     .names = log_level_names,
     .help = "How much to log"},
};
TABLE(server, "Server");

/* A part of the whole, as --otlp-sample has it. */
static bool is_ratio(struct str s) {
    double ratio;
    return str_to_f64(s, &ratio) == 0 && ratio >= 0 && ratio <= 1;
}

static const char *const collectors[] = {"http", "https", NULL};
static const struct config_setting tracing[] = {
    {.key = "otlp",
     .kind = CONFIG_URL,
     .names = collectors,
     .help = "Send traces to the OpenTelemetry collector there, by OTLP over HTTP: "
             "http://127.0.0.1:4318"},
    {.key = "otlp_sample",
     .kind = CONFIG_STRING,
     .fallback = "1",
     .placeholder = "RATIO",
     .valid = is_ratio,
     .expects = "a number between 0 and 1, as in 0.05",
     .help = "How many of the traces that begin here are recorded; of others their traceparent "
             "says it"},
};
TABLE(tracing, "Tracing");

static const struct config_setting tokens[] = {
    {.key = "issuer",
     .kind = CONFIG_STRING,
     .fallback = "lorry",
     .min = 1,
     .max = 200,
     .valid = is_issuer,
     .expects = "a name or URL without spaces",
     .help = "Who the tokens say has issued them"},
    {.key = "access_ttl_s",
     .kind = CONFIG_DURATION,
     .fallback = "900",
     .min = 10,
     .max = 86400,
     .help = "How long an access token is good"},
    {.key = "refresh_ttl_s",
     .kind = CONFIG_DURATION,
     .fallback = "2592000",
     .min = 60,
     .max = YEAR_S,
     .help = "How long a session lasts without being used"},
};
TABLE(tokens, "Tokens");

static bool is_public_url(struct str value) {
    bool web = str_starts(value, "https://") || str_starts(value, "http://");
    for (size_t i = 0; web && i < value.len; i++)
        web = value.p[i] > ' ' && value.p[i] <= '~' && value.p[i] != '"';
    return web && !str_ends(value, "/");
}

static const char *const factor_rules[] = {"nobody", "admin", "staff", NULL}; /* enum factor_rule */
static const struct config_setting auth[] = {
    {.key = "login_failures_max",
     .kind = CONFIG_INT,
     .fallback = "5",
     .min = 1,
     .max = 1000,
     .help = "Wrong passwords for one account from one address in 15 minutes"},
    {.key = "account_failures_max",
     .kind = CONFIG_INT,
     .fallback = "100",
     .min = 0,
     .max = 1000000,
     .help = "The same from all addresses but those of its owner; 0 for no limit"},
    {.key = "address_failures_max",
     .kind = CONFIG_INT,
     .fallback = "50",
     .min = 0,
     .max = 1000000,
     .help = "Wrong passwords from one address in 15 minutes; 0 for no limit"},
    {.key = "registers_per_hour_max",
     .kind = CONFIG_INT,
     .fallback = "600",
     .min = 0,
     .max = 1000000,
     .help = "Registrations from one address in an hour; 0 for no limit"},
    {.key = "require_second_factor",
     .kind = CONFIG_ENUM,
     .fallback = "nobody",
     .names = factor_rules,
     .help = "Who must have a second factor to do more than enrol one: nobody, admin or staff"},
    {.key = "public_url",
     .kind = CONFIG_STRING,
     .placeholder = "URL",
     .min = 8,
     .max = 200,
     .valid = is_public_url,
     .expects = "http:// or https://, a host and perhaps a path, without / at its end",
     .help =
         "Where people reach the web app, for links in mails; without it mails have codes only"},
    {.key = "audit_days",
     .kind = CONFIG_INT,
     .fallback = "730",
     .min = 0,
     .max = 36500,
     .help = "Days that entries of the audit log are kept; 0 for ever"},
    {.key = "writes_per_minute_max",
     .kind = CONFIG_INT,
     .fallback = "1200",
     .min = 0,
     .max = 100000000,
     .help = "Requests of one account in a minute that may change something; 0 for no limit"},
    {.key = "hash_workers",
     .kind = CONFIG_INT,
     .fallback = "2",
     .min = 1,
     .max = 64,
     .help = "Passwords hashed at once; each takes 19 MiB while it lasts"},
    {.key = "hash_queue",
     .kind = CONFIG_INT,
     .fallback = "64",
     .min = 1,
     .max = 10000,
     .help = "Passwords that may wait for it; more are told to come again"},
};
TABLE(auth, "Accounts");

/* As enum proof_kind has them. */
static const char *const proof_names[] = {"none", "pin", "photo", "signature", "name", NULL};

static bool is_number_to_call(struct str s) {
    struct str digits = s.len > 0 && s.p[0] == '+' ? str_sub(s, 1, s.len - 1) : s;
    for (size_t i = 0; i < digits.len; i++)
        if (digits.p[i] < '0' || digits.p[i] > '9')
            return false;
    return digits.len >= 6 && digits.len <= 15; /* E.164 has at most 15 */
}

static const struct config_setting booking[] = {
    {.key = "tariffs",
     .kind = CONFIG_PATH,
     .placeholder = "FILE",
     .help = "JSON file of prices for each vehicle class; without it the built-in ones"},
    {.key = "area",
     .kind = CONFIG_PATH,
     .placeholder = "FILE",
     .help = "GeoJSON polygon of the service area; without it any place on Earth"},
    {.key = "streets",
     .kind = CONFIG_PATH,
     .placeholder = "FILE",
     .help = "GeoJSON road lines to route over; without it routes go as the crow flies"},
    {.key = "map",
     .kind = CONFIG_PATH,
     .placeholder = "FILE",
     .help = "MBTiles to draw the map from (lorry map build); without it the streets are drawn"},
    {.key = "trip_max_km",
     .kind = CONFIG_INT,
     .fallback = "200",
     .min = 1,
     .max = 5000,
     .help = "How far apart stops may be, where no area is set"},
    {.key = "open_bookings_max",
     .kind = CONFIG_INT,
     .fallback = "100",
     .min = 0,
     .max = 10000,
     .help = "Bookings that one customer may have open at once; 0 for no limit"},
    {.key = "proof",
     .kind = CONFIG_LIST,
     .fallback = "none",
     .names = proof_names,
     .help =
         "What a dropoff asks for before it is done, where its booking does not say: pin, photo, "
         "signature, name"},
    {.key = "schedule_days_max",
     .kind = CONFIG_INT,
     .fallback = "30",
     .min = 1,
     .max = 365,
     .help = "How many days ahead a pickup may be booked"},
    {.key = "recurrence_days",
     .kind = CONFIG_INT,
     .fallback = "7",
     .min = 1,
     .max = 30,
     .help = "How many days before its pickup what recurs is booked; at most --schedule-days-max"},
    {.key = "schedule_lead_s",
     .kind = CONFIG_DURATION,
     .fallback = "900",
     .min = 10,
     .max = 86400,
     .help = "How long before its window a driver is looked for"},
    {.key = "schedule_lead_max_s",
     .kind = CONFIG_DURATION,
     .fallback = "3600",
     .min = 10,
     .max = 86400,
     .help = "How long before its window at most, where the nearest driver has far to come"},
    {.key = "schedule_remind_s",
     .kind = CONFIG_DURATION,
     .fallback = "7200",
     .min = 0,
     .max = 604800,
     .help = "How long before its window a customer is reminded; 0 for not at all"},
    {.key = "contact_hours",
     .kind = CONFIG_INT,
     .fallback = "24",
     .min = 0,
     .max = 8760,
     .help = "How many hours after the end of a booking its driver sees the numbers of the people "
             "at its stops, and the notes; then they are masked"},
    {.key = "contact_phone",
     .kind = CONFIG_STRING,
     .placeholder = "PHONE",
     .valid = is_number_to_call,
     .expects = "6 to 15 digits after a +, as in +46701234567",
     .help = "A number of the house, which customers and drivers are shown instead of each "
             "other's"},
    {.key = "quote_ttl_s",
     .kind = CONFIG_DURATION,
     .fallback = "600",
     .min = 10,
     .max = 86400,
     .help = "How long a quoted price holds"},
    {.key = "commission_percent",
     .kind = CONFIG_INT,
     .fallback = "20",
     .min = 0,
     .max = 100,
     .help = "What the house keeps of a price; the rest is the driver's earning"},
};
TABLE(booking, "Bookings");

static const char *const arrivals[] = {"suggest", "auto", NULL};
static const char *const approvals[] = {"manual", "auto", NULL};
static const char *const auto_accepts[] = {"chosen", "never", "always", NULL}; /* as the enum */
static const char *const dispatches[] = {"greedy", "batch", NULL};
static const char *const offer_refills[] = {"each", "wave", NULL};
#define WEIGHT(standard, unit)                                                                     \
    .kind = CONFIG_INT, .fallback = (standard), .min = 0, .max = DISPATCH_WEIGHT_MAX,              \
    .help = "Points against a driver for " unit
static bool timezone_valid(struct str name) {
    struct arena a;
    struct zone zone;
    arena_init(&a, 4096);
    int err = zone_load(ZONE_DIR, name, &a, &zone);
    arena_free(&a);
    return err == 0;
}
static const char *const shift_rules[] = {"shown", "required", NULL};
static const struct config_setting dispatch[] = {
    {.key = "driver_approval",
     .kind = CONFIG_ENUM,
     .fallback = "manual",
     .names = approvals,
     .help = "Whether an admin approves new drivers"},
    {.key = "driver_documents",
     .kind = CONFIG_STRING,
     .fallback = DOCUMENT_KINDS_DEFAULT,
     .placeholder = "KIND,KIND",
     .valid = driver_document_kinds_valid,
     .expects = "at most 8 words in small letters with commas between, such as licence,insurance",
     .help = "Kinds of documents that drivers send"},
    {.key = "driver_documents_required",
     .kind = CONFIG_BOOL,
     .fallback = "false",
     .help = "Nobody drives before one of each kind is approved"},
    {.key = "driver_shifts",
     .kind = CONFIG_ENUM,
     .fallback = "shown",
     .names = shift_rules,
     .help = "Whether shifts are only shown, or required of who goes on duty"},
    {.key = "timezone",
     .kind = CONFIG_STRING,
     .placeholder = "NAME",
     .valid = timezone_valid,
     .expects = "a timezone that this machine knows, such as Europe/Stockholm",
     .help = "Whose clock shifts go by; else that of the file of tariffs, or UTC"},
    {.key = "offer_timeout_s",
     .kind = CONFIG_DURATION,
     .fallback = "20",
     .min = 1,
     .max = 3600,
     .help = "How long a driver may think about an offer"},
    {.key = "offer_wave",
     .kind = CONFIG_INT,
     .fallback = "1",
     .min = 1,
     .max = 10,
     .help = "Drivers that are offered a booking at once"},
    {.key = "offer_auto_accept",
     .kind = CONFIG_ENUM,
     .names = auto_accepts,
     .fallback = "chosen",
     .help = "Whose offers are taken at once on their behalf: of drivers who have chosen that "
             "(chosen), nobody's (never), everybody's (always)"},
    {.key = "dispatch",
     .kind = CONFIG_ENUM,
     .names = dispatches,
     .fallback = "greedy",
     .help = "Each booking asks its best driver at once (greedy), or those of a window are given "
             "theirs together so that it costs least (batch)"},
    {.key = "dispatch_window_s",
     .kind = CONFIG_INT,
     .fallback = "5",
     .min = 1,
     .max = 60,
     .help = "How many seconds the window of a batch lasts"},
    {.key = "offer_refill",
     .kind = CONFIG_ENUM,
     .names = offer_refills,
     .fallback = "each",
     .help = "Of a wave, the next is asked when one has answered (each), or when all have (wave)"},
    {.key = "dispatch_weight_eta", WEIGHT("10", "a second to the pickup")},
    {.key = "dispatch_weight_rating", WEIGHT("3", "a hundredth of a star less than the best")},
    {.key = "dispatch_weight_jobs",
     WEIGHT("2", "a hundredth of a job more than the least, lately")},
    {.key = "dispatch_weight_idle", WEIGHT("10", "a minute of waiting less than the longest")},
    {.key = "dispatch_weight_acceptance",
     WEIGHT("6", "a per cent of offers taken less than the best")},
    {.key = "dispatch_weight_class", WEIGHT("600", "a class of vehicle bigger than needed")},
    {.key = "dispatch_fairness_h",
     .kind = CONFIG_INT,
     .fallback = "4",
     .min = 1,
     .max = 168,
     .help = "After how many hours a job counts half against its driver"},
    {.key = "dispatch_bigger_classes",
     .kind = CONFIG_INT,
     .fallback = "0",
     .min = 0,
     .max = 3,
     .help = "How many classes bigger than booked a vehicle may be"},
    {.key = "cash_limit",
     .kind = CONFIG_INT,
     .fallback = "0",
     .min = 0,
     .max = 1000000000,
     .help =
         "Cash that a driver may hold before he is offered no more jobs that bring him cash, in "
         "minor units; 0: any"},
    {.key = "collect_max",
     .kind = CONFIG_INT,
     .fallback = "1000000",
     .min = 1,
     .max = 1000000000,
     .help = "Cash that a driver may be asked to collect at one stop, in minor units"},
    {.key = "chain_eta_s",
     .kind = CONFIG_DURATION,
     .fallback = "0",
     .max = 1800,
     .help = "Who is likely to finish what he carries within so long may be asked for what comes "
             "next; 0 for nobody"},
    {.key = "chain_late_s",
     .kind = CONFIG_DURATION,
     .fallback = "600",
     .min = 30,
     .max = 1200,
     .help = "What a driver was to do next goes to another when he finishes so much later than "
             "was thought"},
    {.key = "search_radius_m",
     .kind = CONFIG_INT,
     .fallback = "3000",
     .min = 100,
     .max = 200000,
     .help = "How far from the pickup the search for drivers begins"},
    {.key = "search_radius_max_m",
     .kind = CONFIG_INT,
     .fallback = "30000",
     .min = 100,
     .max = 500000,
     .help = "How far the search widens"},
    {.key = "search_timeout_s",
     .kind = CONFIG_DURATION,
     .fallback = "180",
     .min = 5,
     .max = 86400,
     .help = "When a booking that nobody takes expires"},
    {.key = "fixes_per_hour_max",
     .kind = CONFIG_INT,
     .fallback = "100000",
     .max = 1000000000,
     .help = "Positions of one driver that an hour may store; 0 for no limit"},
    {.key = "trail_days",
     .kind = CONFIG_INT,
     .fallback = "30",
     .min = 1,
     .max = 3660,
     .help = "Days that drivers' positions are kept, and searches for drivers after their end"},
    {.key = "trail_simplify_m",
     .kind = CONFIG_INT,
     .fallback = "5",
     .max = 1000,
     .help = "Positions that are old are simplified: where a driver was is then known to so many "
             "metres; 0 for never"},
    {.key = "trail_simplify_days",
     .kind = CONFIG_INT,
     .fallback = "7",
     .min = 1,
     .max = 3660,
     .help = "Days after which positions are simplified"},
    {.key = "arrival_radius_m",
     .kind = CONFIG_INT,
     .fallback = "120",
     .min = 20,
     .max = 5000,
     .help = "How near a stop a driver has come to it; twice as far he has left it"},
    {.key = "arrival_status",
     .kind = CONFIG_ENUM,
     .fallback = "suggest",
     .names = arrivals,
     .help = "Whether coming to a stop is suggested as the driver's status, or is it"},
    {.key = "stale_after_s",
     .kind = CONFIG_DURATION,
     .fallback = "180",
     .min = 30,
     .max = 86400,
     .help = "Alert when a driver under way has sent no position for so long"},
    {.key = "off_route_m",
     .kind = CONFIG_INT,
     .fallback = "300",
     .min = 50,
     .max = 100000,
     .help = "Alert when a driver is farther than that from his way for a while"},
    {.key = "unassigned_after_s",
     .kind = CONFIG_DURATION,
     .fallback = "60",
     .min = 5,
     .max = 86400,
     .help = "Alert when a driver has been looked for that long"},
};
TABLE(dispatch, "Drivers and dispatch");

/* Control characters cannot be in a setting. What else an address may not be, the mailer says. */
static bool is_sender(struct str s) {
    return memchr(s.p, '@', s.len) != NULL;
}

static const char *const mailers[] = {"none", "smtp", "smtps", "file", NULL};
static const char *const mail_tls_names[] = {"auto", "required", "off", NULL};
static const char *const message_urls[] = {"https", "http", NULL};
static const struct config_setting mail[] = {
    {.key = "mail",
     .kind = CONFIG_URL,
     .fallback = "none",
     .names = mailers,
     .help = "How e-mail leaves: none, smtp://USER@HOST:PORT (with STARTTLS), "
             "smtps://USER@HOST:PORT, or file:DIR, a folder of .eml files. With a password: "
             "--mail-file"},
    {.key = "mail_from",
     .kind = CONFIG_STRING,
     .fallback = "Lorry <lorry@localhost>",
     .min = 3,
     .max = 320,
     .valid = is_sender,
     .expects = "an address, or a name and an address: Lorry <lorry@example.com>",
     .help = "Whom e-mail is from"},
    {.key = "mail_tls",
     .kind = CONFIG_ENUM,
     .fallback = "auto",
     .names = mail_tls_names,
     .help = "STARTTLS with smtp://: auto, where the server has it (it must where the URL has a "
             "user); required; off"},
    {.key = "mail_ca",
     .kind = CONFIG_PATH,
     .placeholder = "FILE",
     .help = "PEM file of who may vouch for the mail server; without it the system's"},
    {.key = "message_url",
     .kind = CONFIG_URL,
     .names = message_urls,
     .help = "Where text messages and push go: a receiver of yours that hands them on "
             "(docs/notifications.md)"},
    {.key = "message_secret",
     .kind = CONFIG_STRING,
     .secret = true,
     .help = "What signs them: whsec_ and base64"},
    {.key = "webhook_ca",
     .kind = CONFIG_PATH,
     .placeholder = "FILE",
     .help = "PEM file of who may vouch for webhooks' receivers; without it the system's"},
    {.key = "webhook_allow_private",
     .kind = CONFIG_BOOL,
     .fallback = "false",
     .help = "Webhooks may lead to private addresses, and be http://: for tests"},
};
TABLE(mail, "Notifications");

static const struct config_setting demo[] = {
    {.key = "demo",
     .kind = CONFIG_BOOL,
     .fallback = "false",
     .help = "Fill the city with simulated drivers and customers"},
    {.key = "demo_drivers",
     .kind = CONFIG_INT,
     .fallback = "40",
     .min = 1,
     .max = 5000,
     .help = "How many drivers"},
    {.key = "demo_bookings_per_hour",
     .kind = CONFIG_INT,
     .fallback = "120",
     .min = 1,
     .max = 1000000,
     .help = "How many bookings in an hour of the city's time"},
    {.key = "demo_speed",
     .kind = CONFIG_INT,
     .fallback = "3",
     .min = 1,
     .max = 100,
     .help = "How many times faster than life the city lives; 1 is life"},
};
TABLE(demo, "Demo");

static const struct config_setting output[] = {
    {.key = "json", .kind = CONFIG_BOOL, .fallback = "false", .help = "Write JSON, for programs"},
};
TABLE(output, "Output");

#define SERVE                                                                                      \
    &settings_data, &settings_files, &settings_server, &settings_tracing, &settings_tokens,        \
        &settings_auth, &settings_booking, &settings_dispatch, &settings_mail, &settings_demo,     \
        &settings_parts, &settings_bus
const struct config_table *const settings_of_serve[] = {SERVE, NULL};
const struct config_table *const settings_of_config[] = {SERVE, &settings_output, NULL};

static void check_store(struct config *c) {
    if (!config_text(c, "store_read").p)
        return;
    enum settings_store store = settings_store(c);
    enum settings_store read = (enum settings_store)(config_enum(c, "store_read") + 1);
    bool postgres = store == STORE_POSTGRES || store == STORE_POSTGRESQL;
    if (!postgres || (read != STORE_POSTGRES && read != STORE_POSTGRESQL))
        config_refuse(c, "store_read", "needs a PostgreSQL store, whose replica it is");
}

/* Which parts go together: one process, or any number of them. */
static void check_parts(struct config *c) {
    bool several = config_enum(c, "bus") != BUS_INPROC;
    if (several && settings_store(c) == STORE_SQLITE)
        config_refuse(c, "bus",
                      "needs a store that processes can share (--store postgres://... or "
                      "mongodb://...): the file of sqlite is one process's");
    if (several && config_enum(c, "cache") == CACHE_MEMORY)
        config_refuse(c, "bus",
                      "needs --cache redis://... beside it: over that processes hear of "
                      "each other");
    if (!several && config_enum(c, "cache") != CACHE_MEMORY)
        config_refuse(c, "cache",
                      "is for several processes, which need --bus amqp://... beside it");
    if (!several && config_list(c, "service") != SERVICES_ALL)
        config_refuse(
            c, "service",
            "must be all of them where there is no --bus amqp://... over which the others "
            "could be reached");
    if (config_bool(c, "demo") && config_list(c, "service") != SERVICES_ALL)
        config_refuse(c, "demo",
                      "needs all services in the process; for a city on several of them "
                      "there is \"lorry simulate URL\"");
}

enum settings_store settings_store(const struct config *c) {
    return (enum settings_store)config_enum(c, "store");
}

int settings_check(struct config *c) {
    int32_t before = c->problems.count;
    check_store(c);
    check_parts(c);
    int64_t radius = config_int(c, "search_radius_m");
    if (config_int(c, "search_radius_max_m") < radius)
        config_refuse(c, "search_radius_max_m", "must not be below search_radius_m, which is %lld",
                      (long long)radius);
    int64_t access = config_int(c, "access_ttl_s");
    if (config_int(c, "refresh_ttl_s") <= access)
        config_refuse(c, "refresh_ttl_s", "must be more than access_ttl_s, which is %lld",
                      (long long)access);
    int64_t offer = config_int(c, "offer_timeout_s");
    if (config_int(c, "search_timeout_s") < offer)
        config_refuse(c, "search_timeout_s", "must not be below offer_timeout_s, which is %lld",
                      (long long)offer);
    int64_t fixes = config_int(c, "fixes_per_hour_max");
    if (fixes > 0 && fixes < LOCATIONS_FIXES_MAX)
        config_refuse(c, "fixes_per_hour_max", "must be 0 or have room for one batch, which is %d",
                      LOCATIONS_FIXES_MAX);
    return c->problems.count > before ? ERR_INVALID : 0;
}
