/* The first administrator of an empty platform, over the web: whoever can read what the server
 * printed at its start may make him, once.
 *
 * The server draws a code, prints it, and keeps its hash in the store, in the one document of this
 * collection: so any process of several answers for it, and the newest code is the one that counts.
 * It ends with the first administrator, after SETUP_CODE_US, or with SETUP_TRIES_MAX wrong ones.
 *
 * Two who hold the code: the first one's claim shuts the other out for SETUP_CLAIM_US. His account
 * must be there within half of that (as for a reservation, accounts.h), so that a claim that is
 * taken over after a crash cannot come back from the dead and make a second administrator.
 */
#ifndef LORRY_SERVICES_AUTH_SETUP_H
#define LORRY_SERVICES_AUTH_SETUP_H

#include "base/units.h"
#include "runtime/executor.h"
#include "services/auth/accounts.h"

#define SETUP_CODE_CHARS 12 /* of 32: 60 bits */
#define SETUP_CODE_TEXT_MAX 16
#define SETUP_CODE_US (INT64_C(3600) * 1000000)
#define SETUP_CLAIM_US RESERVATION_US
#define SETUP_TRIES_MAX 20
/* How long after his account was made the first administrator may ask for the demo city. */
#define SETUP_FILL_US (INT64_C(3600) * 1000000)

struct setup {
    struct aggregate_head head; /* id: SETUP_ID */
    struct str code_hash;
    int64_t expires_us;
    int64_t tries;      /* wrong ones */
    struct str user_id; /* who claims, or claimed; absent: nobody */
    int64_t claimed_us;
};
#define SETUP_ID "setup"
extern const struct store_collection setup_collection;
extern const struct aggregate setup_aggregate;

/* "K7QM-2XPA-9TRD" from BYTES of randomness. */
void setup_code_text(const unsigned char bytes[SETUP_CODE_CHARS], char out[SETUP_CODE_TEXT_MAX]);
/* What the store keeps of a code. Spaces, hyphens and lower case do not matter; nor do O for 0, I
 * and L for 1. */
struct str setup_code_hash(struct str code, struct arena *a);

/* Commands. Their service is a struct auth_service. Offer: a new code counts from now on, unless
 * there is an administrator (409 setup-done). Claim: 403 setup-code, 409 setup-done. */
struct setup_args {
    struct str code_hash;
    struct str user_id; /* claim: of the account that will be made */
};
extern const struct command_type setup_offer, setup_claim;

/* Rows of auth's route table. */
extern const struct schema setup_request_schema;
void setup_check(struct call *c, const void *body, struct field_errors *errors);
void setup_look(struct call *c);
void setup_admin(struct call *c);
void setup_fill(struct call *c);

#endif
