/* Proofs of an address: what is mailed to it and comes back once. They confirm an e-mail, allow a
 * new password, or carry an account over to another address.
 *
 *   token = "<ULID of the account>.<base64url of 16 bytes>"
 *
 * The account's document has a hash of the last part, one of each kind: asking again makes the one
 * before void. Each has its time and serves once, since it goes in the same write as its effect.
 *
 * Whether an address has an account nobody learns by asking: the answer is given before anything is
 * written, in the same words, after the same reads.
 */
#ifndef LORRY_SERVICES_AUTH_PROOFS_H
#define LORRY_SERVICES_AUTH_PROOFS_H

#include "services/auth/accounts.h"
#include "services/auth/internal.h"

#define PROOF_SECRET_BYTES 16
#define PROOF_TOKEN_MAX 64
#define PROOF_VERIFY_US (INT64_C(3) * 86400 * 1000000)
#define PROOF_RESET_US (INT64_C(3600) * 1000000)
#define PROOF_EMAIL_US (INT64_C(3600) * 1000000)
#define MAILS_WINDOW_US (INT64_C(3600) * 1000000)
#define MAILS_PER_ACCOUNT_MAX 5  /* that strangers may ask for, in the window */
#define MAILS_PER_ADDRESS_MAX 50 /* asked for from one address */

/* What goes into a proof, drawn on the network thread. */
struct fresh_proof {
    struct str hash, token;
    struct str language; /* of the mail; may be absent */
};
struct fresh_proof proof_draw(struct auth_service *auth, struct call *c, struct str user_id);

/* For decide. Puts a proof into NEXT and has TEMPLATE mailed to TO. */
void proof_begin(struct decision *d, const struct command *cmd, const struct decide_ctx *ctx,
                 struct account *next, enum proof_kind kind, const struct fresh_proof *fresh,
                 struct str to);
/* The proof of ACCOUNT that HASH is of, or NULL. */
const struct account_proof *proof_find(const struct account *account, unsigned kinds,
                                       struct str hash, int64_t now_us);
/* Tells the owner of TO, without any proof. */
void proof_tell(struct decision *d, const struct command *cmd, const struct decide_ctx *ctx,
                const struct account *account, const char *template, struct str to);

/* Commands on the account. Their service is a struct auth_service. */
struct proof_args {
    struct fresh_proof fresh;
    int32_t kind;        /* begin: enum proof_kind */
    struct str email;    /* begin, of PROOF_EMAIL: the new one */
    struct str hash;     /* of the token that came */
    struct str password; /* reset, password: the new one's hash */
    int64_t reserved_us; /* email: when it was reserved */
};
extern const struct command_type account_proof_begin, account_verify, account_reset,
    account_move_email, account_password;

extern const struct schema email_schema, reset_schema, token_schema, change_password_schema,
    change_email_schema;
void handle_reset_begin(struct call *c);
void handle_reset(struct call *c);
void reset_check(struct call *c, const void *body, struct field_errors *errors);
void handle_verify_begin(struct call *c);
void handle_verify(struct call *c);
void handle_password(struct call *c);
void password_check(struct call *c, const void *body, struct field_errors *errors);
void handle_email_begin(struct call *c);
void email_check(struct call *c, const void *body, struct field_errors *errors);

#endif
