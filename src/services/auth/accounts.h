/* Accounts, and the reservations that make an e-mail unique.
 *
 * A command touches one aggregate, so an account (keyed by its user's id) cannot by itself refuse
 * an e-mail that another one has. The e-mail is therefore an aggregate of its own, keyed by a hash
 * of the address, that names the one user who has it: registering first reserves the e-mail and
 * then creates the account. The other way, an account keyed by a hash of its e-mail, would need
 * only one write; but the id would let whoever sees it test guesses of the address, users would not
 * list in the order in which they came, and an e-mail could never change.
 *
 * Between the two writes a crash leaves a reservation whose account never came. After
 * RESERVATION_US another register of that e-mail takes it over. So that the first one cannot come
 * back from the dead, an account must be created within RESERVATION_US / 2 of its reservation.
 *
 * Reading goes the same way: e-mail → reservation → user id → account. An account that goes to
 * another e-mail reserves that first; its reservation of the old one counts for nothing from then
 * on, since the account says otherwise.
 */
#ifndef LORRY_SERVICES_AUTH_ACCOUNTS_H
#define LORRY_SERVICES_AUTH_ACCOUNTS_H

#include "base/units.h"
#include "runtime/executor.h"

#define RESERVATION_US (INT64_C(60) * 1000000)

/* TOTP (factor.h). */
struct account_factor {
    struct str secret;    /* base32; absent: none in force */
    struct str pending;   /* base32: enrolled and not confirmed; absent: none */
    int64_t last_step;    /* of the newest code that was taken: neither it nor an older one again */
    struct str *recovery; /* hashes of the codes that are left */
    int32_t recovery_count;
};

enum proof_kind { PROOF_NONE, PROOF_VERIFY, PROOF_RESET, PROOF_EMAIL };
#define PROOFS_MAX 3   /* one of each kind */
struct account_proof { /* of an address: proofs.h */
    int32_t kind;      /* enum proof_kind */
    struct str hash;
    struct str email; /* PROOF_EMAIL: where the account goes */
    int64_t expires_us;
};

struct account {
    struct aggregate_head head;
    struct str email; /* trimmed, lower case */
    struct str name, phone;
    struct str password_hash;
    int32_t role; /* enum role */
    bool disabled;
    bool email_verified;
    struct account_proof *proofs;
    int32_t proof_count;           /* ≤ PROOFS_MAX */
    bool second_factor;            /* there is one in force */
    struct account_factor *factor; /* NULL: never was */
    int64_t created_us;
    int64_t erased_us; /* 0: not; else all above but role and created_us says nothing of anybody */
    /* All sessions that were opened until then have ended; 0: never happened. */
    int64_t sessions_void_us;
    struct str session_kept; /* but for this one, which goes on; absent: none does */
};

struct reservation {
    struct aggregate_head head;
    struct str user_id;
    int64_t reserved_us;
};

extern const struct schema account_schema; /* S_OUT: the "user" of the API */
extern const struct store_collection accounts_collection, emails_collection;
extern const struct aggregate account_aggregate, reservation_aggregate;

/* The reservation's id for a normalised e-mail. */
struct str email_id(struct arena *a, struct str email);
/* The account that has EMAIL (normalised). ERR_NOT_FOUND, ERR_BUSY, ERR_IO, ERR_CORRUPT. */
int account_by_email(struct store *store, struct json_parser *p, struct str email, struct arena *a,
                     struct account **ret_account);

/* The index key under which what ended around AT_US is found again at the next start. */
#define ENDED_HOUR_US (INT64_C(3600) * 1000000)
struct str ended_hour(struct arena *a, int64_t at_us);

/* Is there an administrator beside ID (absent: at all) who can sign in? With STORE's and P's
 * thread. */
int account_other_admin(struct json_parser *p, struct store *store, struct str id, struct arena *a,
                        bool *ret_found);

/* Has SESSION (its id tells when it was opened) ended because all of the account's did? */
bool account_voids(const struct account *account, struct str sid);

/* Commands. Their service is a struct auth_service. */
struct reserve_args {
    struct str user_id;
};
struct fresh_proof;
struct create_args {
    struct account account;          /* head unset */
    const struct fresh_proof *proof; /* of the address, to be mailed; NULL: none */
    int64_t reserved_us;
};
struct edit_args {
    struct str name;  /* absent: as it is */
    struct str phone; /* absent: as it is; "": none from now on */
};
struct set_args {
    int32_t role;       /* 0: as it is */
    int32_t disabled;   /* enum tri */
    int64_t leaving_us; /* since when leaving.h is held for it; 0: it is not */
};
/* One who can sign in. */
static inline bool account_is_admin(const struct account *account) {
    return account->role == ROLE_ADMIN && !account->disabled;
}
/* Can it take an administrator away? Then leaving.h comes first, if he is one. */
bool may_lose_admin(const struct set_args *args);
extern const struct command_type email_reserve, account_create, account_edit, account_set;
/* Ends all sessions of the account but the one of who says so. No args. */
extern const struct command_type account_sessions_end;

/* For decide of what takes an administrator away. False: D has the problem. */
bool admin_may_leave(struct decision *d, const struct command *cmd, const struct decide_ctx *ctx,
                     bool other_admin, int64_t leaving_us);
/* For decide: EV_ACCOUNT_REGISTERED or _CHANGED. */
void account_event(struct decision *d, const struct command *cmd, const struct decide_ctx *ctx,
                   const char *type, const struct account *account);
/* For decide: all sessions of NEXT's account end now, but for KEPT (absent: none is). */
void account_void_sessions(struct decision *d, const struct command *cmd,
                           const struct decide_ctx *ctx, struct account *next, struct str kept);
/* `applied` of what may have done so. */
void account_voided(const struct command *cmd, const struct decision *d, const void *state);

#endif
