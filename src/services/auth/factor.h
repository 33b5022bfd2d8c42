/* The second factor of an account: an authenticator's codes (totp.h), and recovery codes for when
 * that is lost.
 *
 * States: none → enrolled (a secret is pending; nothing is asked for yet) → in force (a code of it
 * has come; other sessions end) → none again, by its owner with a code, by an admin or the shell.
 * Each code serves once: one of the clock by its step, which must be beyond the last one, a
 * recovery code by leaving the list. Both in the account's own document, so two at once cannot both
 * win.
 *
 * The secret lies in the store as it is, since the server must reckon with it; recovery codes lie
 * there as hashes.
 */
#ifndef LORRY_SERVICES_AUTH_FACTOR_H
#define LORRY_SERVICES_AUTH_FACTOR_H

#include "services/auth/accounts.h"
#include "services/auth/internal.h"
#include "services/auth/totp.h"

#define CODE_MAX_CHARS 40
#define RECOVERY_CODES 10
#define RECOVERY_BYTES 10 /* 80 bits: 16 characters of base32 */

struct code_args {
    struct str code;
};
struct factor_begin_args {
    struct str secret; /* base32 */
};
struct factor_confirm_args {
    struct str code;
    struct str hashes[RECOVERY_CODES];
    struct str reply; /* JSON: the recovery codes, shown this once */
};
/* Commands on the account. Their service is a struct auth_service. */
extern const struct command_type factor_begin, factor_confirm, factor_use, factor_remove,
    factor_reset;

/* Must the account have a second factor, and has none? Then its tokens are restricted. */
bool factor_missing(const struct auth_service *auth, const struct account *account);
/* What the store keeps of a recovery code, however it was typed. */
struct str recovery_hash(struct str code, struct arena *a);

extern const struct schema password_schema, code_schema;
/* Of a body by password_schema. */
struct str password_of(const void *body);
void handle_factor_begin(struct call *c);
void handle_factor_confirm(struct call *c);
void handle_factor_remove(struct call *c);
void handle_factor_reset(struct call *c);

#endif
