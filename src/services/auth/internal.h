/* The auth service's own struct, shared by its files: auth_service.c (tables, start, memory),
 * auth_http.c (handlers), setup.c (the first administrator), accounts.c, sessions.c, keys.c
 * (aggregates), login_guard.c (rates).
 *
 * Who touches what: options are read-only after new. `parser`, `admin_guard`, `signer` and
 * `ring_version` are the executor thread's (of the one executor there is). `jwks` is under `lock`;
 * the counters are atomic.
 */
#ifndef LORRY_SERVICES_AUTH_INTERNAL_H
#define LORRY_SERVICES_AUTH_INTERNAL_H

#include "services/auth/auth_service.h"
#include "services/auth/keys.h"
#include "services/auth/sessions.h"

#include <pthread.h>
#include <stdatomic.h>

enum login_outcome { LOGIN_RIGHT, LOGIN_WRONG, LOGIN_LIMITED, LOGIN_OVERLOADED, LOGIN_OUTCOMES };

struct auth_service {
    struct hasher *hasher;
    struct cache *cache;
    struct token_verifier *verifier;
    struct entropy *entropy;
    const struct log *log;
    struct bus *bus;
    struct peers *peers; /* NULL: nobody else writes to the store */
    struct store *store; /* with peers: the executor's, on its thread */
    struct str issuer;
    int64_t access_ttl_us, refresh_ttl_us, key_rotation_us;
    int32_t login_failures_max, account_failures_max, address_failures_max, registers_per_hour_max;

    struct json_parser *parser;
    const struct command *admin_guard; /* the one command that may take an administrator away */
    struct signer signer;
    int64_t ring_version, next_ring_read_us;
    int64_t ended_read_us; /* with peers: when what has ended lately was last read */
    _Atomic bool has_keys;
    void (*fill)(void *arg); /* NULL: this server cannot be filled with the demo city */
    void *fill_arg;

    pthread_mutex_t lock;
    struct buf jwks;

    _Atomic uint64_t key_uses;
    _Atomic uint64_t factors[2]; /* codes: wrong, right */
    _Atomic uint64_t logins[LOGIN_OUTCOMES], registers, refreshes, reuses, audited;
    int64_t audit_keep_us;
    enum factor_rule require_factor;
    auth_engaged_fn engaged;
    int64_t erase_next_us; /* executor's thread: eraser_tick */
    bool sends_mail;
    struct str public_url; /* absent: no links in mails */
};

/* How long anything about an access token can matter after it was signed. */
static inline int64_t auth_token_life_us(const struct auth_service *a) {
    return a->access_ttl_us + 2 * TOKEN_SKEW_US;
}
/* ID ("ses_…" or "usr_…") has ended at AT: access tokens from before are void, here and, with
 * peers, in every process. Of a user's sessions KEPT goes on (absent: none). Executor thread. */
void auth_revoke(struct auth_service *a, struct str id, struct str kept, int64_t at_us);
/* The ring has changed: with peers, they read it. Executor thread. */
void auth_tell_ring(struct auth_service *a);
/* Signs with this ring from here on, and publishes it. Executor thread. ERR_CORRUPT. */
int auth_take_ring(struct auth_service *a, const struct key_ring *ring);
/* The JWKS document, copied into ARENA; absent while there is no ring. Any thread. */
struct str auth_jwks(struct auth_service *a, struct arena *arena);

/* export.c */
void handle_export(struct call *c);
/* erase.c */
void handle_erase(struct call *c);
void handle_erase_user(struct call *c);
void on_erased(struct event_turn *t, const void *data);
extern const struct store_collection auth_erasure_collection;
struct eraser;
extern const struct eraser auth_eraser;
/* session_routes.c */
void session_write(struct jw *w, const struct session *s, const struct identity *who);
void handle_sessions(struct call *c);
void handle_session_revoke(struct call *c);
void handle_sessions_revoke(struct call *c);

/* Adds FAULT (NULL: none) to ERRORS, unless the schema has said something of the field. */
void auth_check_field(struct call *c, struct field_errors *errors, const char *pointer,
                      const char *fault);

#define AUTH_ROUTES 33
extern const struct route_entry auth_routes[AUTH_ROUTES];

#endif
