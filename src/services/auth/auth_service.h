/* The auth service: accounts, roles, credentials, sessions, signing keys. It signs access tokens;
 * everyone else verifies them by its public keys (runtime/token.h).
 *
 * Collections: accounts, emails (accounts.h), sessions (sessions.h), keys (keys.h), audit_log
 * (audit_log.h), api_keys (api_keys.h), setup (setup.h).
 */
#ifndef LORRY_SERVICES_AUTH_AUTH_SERVICE_H
#define LORRY_SERVICES_AUTH_AUTH_SERVICE_H

#include "runtime/service.h"
#include "runtime/signature.h"
#include "services/auth/hasher.h"

#define ACCESS_TTL_S_MAX 86400
#define REFRESH_TTL_S_MAX (INT64_C(366) * 86400)

enum factor_rule { FACTOR_NOBODY, FACTOR_ADMIN, FACTOR_STAFF }; /* who must have a second factor */

/* Ids of open bookings of a user, as customer or driver: in A, at most so many. 0 or an error of
 * STORE. On the executor's thread. */
#define ENGAGED_MAX 20
typedef int (*auth_engaged_fn)(struct store *store, struct json_parser *parser, struct str user_id,
                               struct arena *a, struct str ret_ids[ENGAGED_MAX],
                               int32_t *ret_count);

struct auth_options {
    struct hasher *hasher; /* the caller's: closed after the network, before the executor */
    struct cache *cache;
    struct token_verifier *verifier;
    struct entropy *entropy; /* used on network threads and the executor's: any thread */
    const struct log *log;
    struct bus *bus;     /* with peers: what has ended, and new keys, are signalled on it */
    struct peers *peers; /* others that write to the same store; NULL: nobody */
    /* Fills the platform with the demo city, as the first administrator has asked. Any thread; must
     * not block; may come more than once. NULL: this server cannot. */
    void (*fill)(void *arg);
    void *fill_arg;
    const char *issuer;     /* "lorry": the verifier's */
    int64_t access_ttl_s;   /* 900; 1..ACCESS_TTL_S_MAX */
    int64_t refresh_ttl_s;  /* 30 days; over access_ttl_s */
    int64_t key_rotation_s; /* 30 days; over access_ttl_s and a minute */
    /* Rates; 0: no limit. */
    int32_t login_failures_max;   /* 5 wrong passwords for one e-mail from one address in 15 min */
    int32_t account_failures_max; /* 100 for one e-mail from all addresses but its owner's */
    int32_t address_failures_max; /* 50 from one address in 15 minutes */
    int32_t registers_per_hour_max; /* 600 from one address */
    bool sends_mail;                /* who listens to EV_MAIL_WANTED sends it on its way */
    const char *public_url; /* where people reach the web app, for links in mails; NULL: none */
    enum factor_rule require_factor; /* FACTOR_NOBODY */
    auth_engaged_fn engaged;         /* who has any cannot be erased; NULL: nobody has */
    int64_t audit_days; /* 730: how long entries of the audit log are kept; 0: for ever */
};
/* The defaults above, and no ports. */
struct auth_options auth_options_default(void);

struct auth_service;
/* Options are copied; what they point at must outlive the service. */
struct auth_service *auth_service_new(const struct auth_options *o);
struct auth_service *auth_service_free(struct auth_service *a); /* NULL ok; returns NULL */
struct service auth_service(struct auth_service *a);
/* For runtime_options' api_key: who sends KEY ("lry_…"), with the strings in C's arena. ERR_DENIED,
 * or the store's errors. On C's thread. */
int auth_service_api_key(void *self, struct call *c, struct str key, struct identity *ret_who);

/* A sign_fn (runtime/signature.h) of an auth service, which may be a passive one. */
int auth_service_sign(void *self, struct str purpose, struct str text, struct arena *a,
                      struct signature *ret);

#endif
