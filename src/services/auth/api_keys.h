/* API keys: how machines come in. A key acts for the account that made it, with that account's
 * role, in the areas that its scopes name (runtime/area.h) and nowhere else.
 *
 *   key = "lry_<ULID of its id>_<base64url of 32 bytes>"
 *
 * The store has a hash of the last part; the key itself is shown once. It is looked up at every
 * request, together with its account, so that a key that is revoked, or whose account is disabled,
 * is of no use from that moment on, in every process.
 *
 * States: made → (used, any number of times) → revoked or expired: the document goes.
 */
#ifndef LORRY_SERVICES_AUTH_API_KEYS_H
#define LORRY_SERVICES_AUTH_API_KEYS_H

#include "services/auth/internal.h"

#define API_KEY_START "lry_"
#define API_KEY_SECRET_BYTES 32
#define API_KEYS_MAX 50 /* of one account */
#define API_KEY_NAME_MAX 100
#define API_KEY_DAYS_MAX 3650
#define API_KEY_DAYS_DEFAULT 365
#define API_KEY_USED_US (INT64_C(600) * 1000000) /* how exactly its last use is known */

struct api_key {
    struct aggregate_head head; /* id: "apk_…" */
    struct str user_id, name;
    struct str begins; /* the first characters of the key, to know it by */
    struct str hash;
    struct str *scopes;
    int32_t scope_count;
    int64_t created_us, expires_us;
    int64_t last_used_us; /* 0: never */
};
/* Index key: whose it is. */
extern const struct store_collection api_keys_collection;
extern const struct aggregate api_key_aggregate;

struct api_key_body {
    struct str name;
    struct str *scopes;
    int32_t scope_count;
    int64_t expires_in_days; /* I64_ABSENT: API_KEY_DAYS_DEFAULT */
};
extern const struct schema api_key_body_schema;
void api_key_check(struct call *c, const void *body, struct field_errors *errors);

/* Commands. Their service is a struct auth_service. */
extern const struct command_type api_key_make, api_key_revoke, api_key_used, api_key_forget;

void handle_api_keys(struct call *c);
void handle_api_key_make(struct call *c);
void handle_api_key_revoke(struct call *c);

#endif
