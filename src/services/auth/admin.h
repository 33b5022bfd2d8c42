/* What an operator does to accounts from the command line (`lorry user …`), on the store itself and
 * with the same decisions and checks as over HTTP: it makes the first administrator of an empty
 * platform. Events go into the outbox with the change, so a server that runs on the same store
 * hears of them by its pump.
 *
 * One thread. Errors: ERR_INVALID (not valid; says why), ERR_NOT_FOUND, ERR_DUPLICATE (the e-mail
 * is taken), ERR_DENIED (the last administrator), ERR_UNAVAILABLE (no memory to hash with), and the
 * store's. *RET_WHY is a sentence in A whenever the result is < 0.
 */
#ifndef LORRY_SERVICES_AUTH_ADMIN_H
#define LORRY_SERVICES_AUTH_ADMIN_H

#include "services/auth/accounts.h"

struct auth_admin;
struct auth_admin_options {
    struct store *store; /* the one that writes; stays the caller's */
    struct entropy *entropy;
    const struct clock *clock;
    int64_t access_ttl_s; /* of the server: how long a retired key must be known; 0: the default */
};
struct auth_admin *auth_admin_new(const struct auth_admin_options *o);
struct auth_admin *auth_admin_free(struct auth_admin *m); /* NULL ok; returns NULL */

struct auth_admin_user {
    struct str email, name, phone; /* phone may be absent */
    struct str password;
    enum role role; /* any but ROLE_NONE */
};
int auth_admin_add(struct auth_admin *m, const struct auth_admin_user *user, struct arena *a,
                   struct str *ret_id, struct str *ret_why);
/* WHO is an e-mail or a user id. */
int auth_admin_set_role(struct auth_admin *m, struct str who, enum role role, struct arena *a,
                        struct str *ret_why);
int auth_admin_disable(struct auth_admin *m, struct str who, bool disabled, struct arena *a,
                       struct str *ret_why);
/* Takes his second factor away; none: nothing to do. Ends his sessions. */
int auth_admin_reset_factor(struct auth_admin *m, struct str who, struct arena *a,
                            struct str *ret_why);
/* All accounts, oldest first; ROLE_NONE: of every role. ACCOUNT is valid during the call. */
int auth_admin_list(struct auth_admin *m, enum role role,
                    void (*each)(void *arg, const struct account *account), void *arg,
                    struct arena *a, struct str *ret_why);
/* Draws a code with which the first administrator is made over the web (setup.h); the one before
 * counts no more. RET_CODE lives in A. ERR_DENIED: there is an administrator. */
int auth_admin_offer_setup(struct auth_admin *m, struct arena *a, struct str *ret_code,
                           struct str *ret_why);
enum auth_key_use { AUTH_KEY_RETIRED, AUTH_KEY_SIGNS, AUTH_KEY_NEXT };
struct auth_admin_key {
    struct str kid;
    enum auth_key_use use;
    int64_t created_us;
    int64_t until_us; /* signs: when the next one takes over; retired: when no token of it lives on;
                         next: 0 */
};
/* The keys that tokens are signed with, oldest first; KEY is valid during the call. ERR_NOT_FOUND
 * where no server has made any yet. */
int auth_admin_keys(struct auth_admin *m, void (*each)(void *arg, const struct auth_admin_key *key),
                    void *arg, struct arena *a, struct str *ret_why);
/* Retires the key that signs. A running server takes the new one up within some seconds. */
int auth_admin_rotate_keys(struct auth_admin *m, struct arena *a, struct str *ret_why);

#endif
