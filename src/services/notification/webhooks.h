/* Webhooks by the Standard Webhooks specification (standardwebhooks.com): who is to be told of
 * what, and how it is signed. An admin's webhook hears of every booking, a customer's of his own.
 *
 *   webhooks.c         the aggregate, who gets what, the signature
 *   webhook_routes.c   /v1/webhooks, /v1/deliveries
 */
#ifndef LORRY_SERVICES_NOTIFICATION_WEBHOOKS_H
#define LORRY_SERVICES_NOTIFICATION_WEBHOOKS_H

#include "services/notification/delivery.h"

#define WEBHOOKS_MAX 2000 /* in all: they are held in memory */
#define WEBHOOKS_OF_ONE_MAX 20
#define WEBHOOK_URL_MAX 1000
#define WEBHOOK_SECRET_BYTES 32
#define WEBHOOK_OLD_SECRET_US US_PER_DAY /* that it is good for after a rotation */
#define WEBHOOK_KEEP_TRYING_US (3 * US_PER_DAY)
#define WEBHOOKS_FOLLOW_US (INT64_C(5) * US_PER_S) /* with peers: how often they are read again */
#define WEBHOOK_TEST "webhook.test"

enum webhook_status { WEBHOOK_NONE, WEBHOOK_ENABLED, WEBHOOK_DISABLED };
struct webhook {
    struct aggregate_head head; /* "whk_…" */
    struct str owner_id;
    bool all; /* hears of everybody's bookings */
    int32_t status;
    struct str status_reason;
    struct str url, description;
    struct str *events; /* types; none: all */
    int32_t event_count;
    struct str secret, old_secret; /* "whsec_" and base64 */
    int64_t old_secret_until_us;
    int64_t created_us, updated_us;
};
extern const struct aggregate webhook_aggregate;
extern const struct store_collection webhook_collection;
extern const struct schema webhook_body_schema, webhook_patch_schema;

/* The signature of a message at a time of its own: "v1,…", twice while the old secret is good. */
struct str webhook_signature(const struct webhook *w, struct str id, int64_t at_s, struct str body,
                             int64_t now_us, struct arena *a);
/* "whsec_…" of WEBHOOK_SECRET_BYTES random bytes. */
struct str webhook_secret(struct entropy *e, struct arena *a);

/* What memory knows of one: executor thread. */
struct webhook_known {
    char id[ID_TEXT_MAX], owner_id[ID_TEXT_MAX];
    bool all;
    uint32_t events; /* a bit for each type */
};
/* Reads all of them. 0 or an error. */
int webhooks_read(struct notification_service *n, struct store *store);
void webhooks_follow(struct notification_service *n, struct store *store, int64_t now_us);
/* A delivery for each that is to hear of the event. */
void webhooks_add(struct event_turn *t, const struct ev_booking *b);
/* Of one whose account is disabled, or no admin's any more: what he may not hear of, he does not.
 */
void webhooks_on_account(struct event_turn *t, const struct ev_account *said);
void webhooks_on_erased(struct event_turn *t, const struct ev_erased *said);
/* May WHO see and change it? What hears of everybody is the admins', whoever made it. */
bool webhook_is_of(const struct webhook *w, const struct identity *who);
void on_webhook_exhausted(struct event_turn *t, const void *data);

extern const struct command_type webhook_create, webhook_change, webhook_remove, webhook_rotate;
extern const struct command_type delivery_by_hand, delivery_again;

struct webhook_body {
    struct str url, description;
    struct str *events;
    int32_t event_count;
    int32_t status; /* of a patch */
};
struct webhook_args {
    const struct webhook_body *body;
    struct str secret;
};
void write_webhook(struct jw *w, const struct webhook *h, struct str secret, struct arena *a);
void webhook_check(struct call *c, const void *body, struct field_errors *errors);

void route_webhooks(struct call *c);
void route_webhook(struct call *c);
void route_webhook_create(struct call *c);
void route_webhook_patch(struct call *c);
void route_webhook_delete(struct call *c);
void route_webhook_secret(struct call *c);
void route_webhook_test(struct call *c);
void route_webhook_deliveries(struct call *c);
void route_deliveries(struct call *c);
void route_delivery_retry(struct call *c);

#endif
