/* The settings of the platform, in groups; a command lists the groups that it takes. What is set
 * here reaches the services as plain structs: none of them knows of configuration.
 */
#ifndef LORRY_APPS_SETTINGS_H
#define LORRY_APPS_SETTINGS_H

#include "apps/config.h"

/* Of config_enum(c, "driver_approval"). log_level gives an enum log_level. */
enum approval { APPROVAL_MANUAL, APPROVAL_AUTO };
enum arrival { ARRIVAL_SUGGEST, ARRIVAL_AUTO };
enum settings_dispatch { DISPATCH_GREEDY, DISPATCH_BATCH }; /* of "dispatch" */
enum offer_refill { OFFER_REFILL_EACH, OFFER_REFILL_WAVE }; /* of "offer_refill" */
enum shifts { SHIFTS_SHOWN, SHIFTS_REQUIRED };

/* Of settings_store, config_enum(c, "bus") and config_enum(c, "cache"). */
enum settings_store { STORE_SQLITE, STORE_POSTGRES, STORE_POSTGRESQL, STORE_MONGODB, STORE_SRV };
enum settings_bus { BUS_INPROC, BUS_AMQP, BUS_AMQPS };
enum settings_cache { CACHE_MEMORY, CACHE_REDIS, CACHE_REDIS_UNIX, CACHE_REDIS_SENTINEL };
enum settings_mail { MAIL_BY_NONE, MAIL_BY_SMTP, MAIL_BY_SMTPS, MAIL_BY_FILE }; /* of "mail" */
enum settings_files {
    FILES_IN_DATA,
    FILES_IN_FOLDER,
    FILES_IN_S3,
    FILES_IN_S3_HTTP
}; /* of "files" */
/* Of config_list(c, "service"): bits by these. */
enum settings_service {
    SERVICE_AUTH,
    SERVICE_BOOKING,
    SERVICE_DRIVER,
    SERVICE_NOTIFICATION,
    SERVICE_COUNT
};
#define SERVICES_ALL 15u
extern const char *const service_names[];

extern const struct config_table settings_data;    /* data, store: where the state lies */
extern const struct config_table settings_files;   /* files, files_ca, …: what people upload */
extern const struct config_table settings_parts;   /* service, cache: several processes */
extern const struct config_table settings_bus;     /* bus, bus_ca: what carries events */
extern const struct config_table settings_server;  /* listen, workers, connections_max, log_level */
extern const struct config_table settings_tracing; /* otlp, otlp_sample */
extern const struct config_table settings_tokens;  /* issuer, access_ttl_s, refresh_ttl_s */
extern const struct config_table settings_auth;    /* login_failures_max, hash_workers, … */
extern const struct config_table settings_booking; /* tariffs, area, quote_ttl_s, currency, … */
extern const struct config_table settings_dispatch; /* offer_timeout_s, search_radius_m, … */
extern const struct config_table settings_mail;     /* mail, mail_from, mail_tls, mail_ca */
extern const struct config_table settings_demo;     /* demo, demo_drivers, … */
extern const struct config_table settings_output;   /* json */

/* All that `lorry serve` takes; ends with NULL. `lorry config` takes the same and settings_output.
 */
extern const struct config_table *const settings_of_serve[];
extern const struct config_table *const settings_of_config[];

/* Checks across settings of `lorry serve`: refuses in C what does not go together. Returns 0 or
 * ERR_INVALID. */
int settings_check(struct config *c);
enum settings_store settings_store(const struct config *c);

#endif
