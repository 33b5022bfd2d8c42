/* Sessions. One is a family of refresh tokens: it begins at a sign-in and each refresh puts a new
 * token in place of the one before, which is then spent. A spent token that comes again ends the
 * family, for one of the two who hold it should not.
 *
 *   refresh token = "<sid>.<base64url of 16 bytes that the family shares and 32 of its own>"
 *
 * The store has hashes only: one of the family's part, one of the newest token's own part. They
 * tell the three cases apart without keeping every token there was: another family's part is a
 * guess and changes nothing, the right part with the newest secret is the token, the right part
 * with another secret can only come from someone who has held a token of this family.
 *
 * States: open → (refresh, any number of times) → ended, or expired by the clock; some days after
 * either, the document goes by its wake-up.
 */
#ifndef LORRY_SERVICES_AUTH_SESSIONS_H
#define LORRY_SERVICES_AUTH_SESSIONS_H

#include "services/auth/accounts.h"

#define FAMILY_BYTES 16
#define SECRET_BYTES 32
#define REFRESH_TOKEN_MAX 128
#define DEVICE_BYTES_MAX 200
#define SESSION_KEPT_US (INT64_C(2) * 86400 * 1000000) /* after its end; over any access TTL */

struct session {
    struct aggregate_head head; /* id: "ses_…" */
    struct str user_id;
    struct str family_hash, current_hash;
    int64_t generation; /* 1: as opened */
    int64_t opened_us, refreshed_us, expires_us;
    int64_t ended_us;  /* 0: open */
    struct str device; /* what the client calls itself, DEVICE_BYTES_MAX; absent: it does not */
};
/* Index keys: the hour of its end, once it has ended; whose it is, until then. */
extern const struct store_collection sessions_collection;
extern const struct aggregate session_aggregate;

/* A refresh token in its parts. */
struct refresh_token {
    struct str sid;
    unsigned char family[FAMILY_BYTES], secret[SECRET_BYTES];
};
/* *RET's sid lies in TEXT. ERR_INVALID. */
int refresh_token_parse(struct str text, struct refresh_token *ret);
struct str refresh_token_text(const struct refresh_token *t, struct arena *a);
/* What the store keeps of a part. */
struct str refresh_part_hash(const unsigned char *part, size_t len, struct arena *a);

/* Commands. Their service is a struct auth_service. */
struct session_args {
    struct str user_id;     /* open */
    struct str device;      /* open, refresh: may be absent */
    struct str family_hash; /* all */
    struct str secret_hash; /* refresh: of the token that came */
    struct str fresh_hash;  /* open, refresh: of the token that goes out */
};
/* After open and refresh: the account as it was in the same load. */
struct session_facts {
    struct account *account; /* NULL: there is none */
};
extern const struct command_type session_open, session_refresh, session_end, session_forget;
/* Ends a session of who says so. No args. */
extern const struct command_type session_revoke;

/* What C's client calls itself (User-Agent), cut and cleaned; absent: nothing. */
struct str session_device(struct call *c);

#endif
