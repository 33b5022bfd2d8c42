/* The auth service put together: its tables, what it reads at the start, and what it keeps in
 * memory. Memory is the signing key, the JWKS text, what has ended lately, and counters; all of it
 * can be read again, and with other processes on the same store it is, when their signals were
 * missed.
 */
#include "services/auth/auth_service.h"

#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "events/events.h"
#include "runtime/eraser.h"
#include "runtime/metrics.h"
#include "services/auth/api_keys.h"
#include "services/auth/audit_log.h"
#include "services/auth/internal.h"
#include "services/auth/leaving.h"
#include "services/auth/setup.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define RING_READ_US (10 * US_PER_S)  /* how soon a rotation by another process is heard of */
#define ENDED_READ_US (20 * US_PER_S) /* how often, at most, what has ended is read again */

#define SIGNAL_ENDED "ended2" /* struct signal_ended: C, as it lies in memory */
#define SIGNAL_KEYS "keys"    /* no data: there is a new ring */
struct signal_ended {
    char id[ID_TEXT_MAX];
    char kept[ID_TEXT_MAX]; /* "": none */
    int64_t at_us;
};
static void listen(struct auth_service *a);

struct auth_options auth_options_default(void) {
    return (struct auth_options){.issuer = "lorry",
                                 .access_ttl_s = 900,
                                 .refresh_ttl_s = 30 * INT64_C(86400),
                                 .key_rotation_s = 30 * INT64_C(86400),
                                 .login_failures_max = 5,
                                 .account_failures_max = 100,
                                 .address_failures_max = 50,
                                 .registers_per_hour_max = 600,
                                 .audit_days = 730};
}

struct auth_service *auth_service_new(const struct auth_options *o) {
    CHECK(o->access_ttl_s >= 1 && o->access_ttl_s <= ACCESS_TTL_S_MAX);
    CHECK(o->refresh_ttl_s > o->access_ttl_s && o->refresh_ttl_s <= REFRESH_TTL_S_MAX);
    struct auth_service *a = xcalloc(1, sizeof(*a));
    a->hasher = o->hasher;
    a->cache = o->cache;
    a->verifier = o->verifier;
    a->entropy = o->entropy;
    a->log = o->log;
    a->bus = o->bus;
    a->peers = o->peers;
    a->fill = o->fill;
    a->fill_arg = o->fill_arg;
    a->issuer = str_from(o->issuer);
    a->access_ttl_us = o->access_ttl_s * US_PER_S;
    a->refresh_ttl_us = o->refresh_ttl_s * US_PER_S;
    a->key_rotation_us = o->key_rotation_s * US_PER_S;
    /* So that a rotation by the clock never meets a ring full of keys that are still needed. */
    CHECK(a->key_rotation_us > auth_token_life_us(a));
    a->login_failures_max = o->login_failures_max;
    a->account_failures_max = o->account_failures_max;
    a->address_failures_max = o->address_failures_max;
    a->registers_per_hour_max = o->registers_per_hour_max;
    a->require_factor = o->require_factor;
    a->sends_mail = o->sends_mail;
    a->engaged = o->engaged;
    a->public_url = str_from(o->public_url);
    a->audit_keep_us = o->audit_days * US_PER_DAY;
    a->parser = json_parser_new();
    pthread_mutex_init(&a->lock, NULL);
    buf_init(&a->jwks, NULL, 0);
    if (o->peers != NULL)
        listen(a);
    return a;
}

struct auth_service *auth_service_free(struct auth_service *a) {
    if (a == NULL)
        return NULL;
    json_parser_free(a->parser);
    pthread_mutex_destroy(&a->lock);
    buf_free(&a->jwks);
    sodium_memzero(&a->signer, sizeof(a->signer));
    free(a);
    return NULL;
}

/* ---- memory ---- */

static void revoke(struct auth_service *a, struct str id, struct str kept, int64_t at_us) {
    if (a->verifier == NULL)
        return;
    if (kept.len > 0)
        token_spare(a->verifier, kept, auth_token_life_us(a), at_us);
    token_revoke(a->verifier, id, auth_token_life_us(a), at_us);
}

void auth_revoke(struct auth_service *a, struct str id, struct str kept, int64_t at_us) {
    revoke(a, id, kept, at_us);
    struct signal_ended said = {.at_us = at_us};
    if (a->peers == NULL || id.len >= sizeof(said.id) || kept.len >= sizeof(said.kept))
        return;
    memcpy(said.id, id.p, id.len);
    if (kept.len > 0)
        memcpy(said.kept, kept.p, kept.len);
    a->bus->ops->signal(a->bus, SIGNAL_ENDED, &said, sizeof(said));
}

void auth_tell_ring(struct auth_service *a) {
    if (a->peers != NULL)
        a->bus->ops->signal(a->bus, SIGNAL_KEYS, "", 0);
}

int auth_take_ring(struct auth_service *a, const struct key_ring *ring) {
    if (a->has_keys && ring->head.version <= a->ring_version)
        return 0;
    struct signer signer;
    int err = signer_load(&signer, ring);
    if (err < 0)
        return err;
    struct arena scratch;
    arena_init(&scratch, 4096);
    struct str jwks = key_ring_jwks(ring, &scratch);
    err = a->verifier != NULL ? token_verifier_keys(a->verifier, jwks) : 0;
    pthread_mutex_lock(&a->lock);
    a->signer = signer;
    a->jwks.len = 0;
    buf_add_str(&a->jwks, jwks);
    pthread_mutex_unlock(&a->lock);
    sodium_memzero(&signer, sizeof(signer));
    arena_free(&scratch);
    a->ring_version = ring->head.version;
    a->has_keys = true;
    return err < 0 ? ERR_CORRUPT : 0;
}

int auth_service_sign(void *self, struct str purpose, struct str text, struct arena *a,
                      struct signature *ret) {
    struct auth_service *auth = self;
    if (!auth->has_keys)
        return ERR_UNAVAILABLE;
    struct signer signer;
    pthread_mutex_lock(&auth->lock);
    signer = auth->signer;
    pthread_mutex_unlock(&auth->lock);
    signer_sign(&signer, purpose, text, a, ret);
    sodium_memzero(&signer, sizeof(signer));
    return 0;
}

struct str auth_jwks(struct auth_service *a, struct arena *arena) {
    struct str copy = STR_NONE;
    pthread_mutex_lock(&a->lock);
    if (a->has_keys)
        copy = arena_str(arena, buf_str(&a->jwks));
    pthread_mutex_unlock(&a->lock);
    return copy;
}

static int read_ring(struct auth_service *a, struct store *store) {
    struct arena scratch;
    arena_init(&scratch, 8192);
    void *state;
    int err =
        aggregate_get(&key_ring_aggregate, store, a->parser, STR(KEY_RING_ID), &scratch, &state);
    if (err == 0)
        err = auth_take_ring(a, state);
    else if (err == ERR_NOT_FOUND)
        err = 0; /* an empty platform: the first use makes it */
    arena_free(&scratch);
    return err;
}

/* ---- what other processes say ---- */

static void on_ended(void *consumer, struct str topic, const void *data, size_t len) {
    (void)topic;
    struct signal_ended said;
    if (len != sizeof(said))
        return;
    memcpy(&said, data, sizeof(said));
    if (memchr(said.id, 0, sizeof(said.id)) && memchr(said.kept, 0, sizeof(said.kept)))
        revoke(consumer, str_from(said.id), str_from(said.kept), said.at_us);
}

static void on_keys(void *consumer, struct str topic, const void *data, size_t len) {
    (void)topic;
    (void)data;
    (void)len;
    struct auth_service *a = consumer;
    if (a->store == NULL || read_ring(a, a->store) < 0)
        a->next_ring_read_us = 0; /* with the next tick, then */
}

static void listen(struct auth_service *a) {
    CHECK(a->bus->ops->listen(a->bus, SIGNAL_ENDED, on_ended, a) == 0);
    CHECK(a->bus->ops->listen(a->bus, SIGNAL_KEYS, on_keys, a) == 0);
}

/* ---- the start: what has ended lately must stay ended ---- */

static void revoke_session(struct auth_service *a, const void *state) {
    const struct session *s = state;
    revoke(a, s->head.id, STR_NONE, s->ended_us);
}

static void revoke_user(struct auth_service *a, const void *state) {
    const struct account *account = state;
    revoke(a, account->head.id, account->session_kept, account->sessions_void_us);
}

/* Calls EACH for every document of G whose INDEX says that something of it ended in HOUR. */
static int each_ended(struct auth_service *a, struct store *store, const struct aggregate *g,
                      const char *index, struct str hour,
                      void (*each)(struct auth_service *a, const void *state)) {
    struct store_query q = {.collection = g->collection,
                            .index = index,
                            .key = hour,
                            .ascending = true,
                            .limit = STORE_LIST_MAX};
    struct arena page;
    struct store_doc *docs;
    char last[STORE_ID_MAX];
    int32_t count = 0;
    int err;
    arena_init(&page, 65536);
    do {
        arena_reset(&page);
        err = store->ops->list(store, &q, &page, &docs, &count);
        for (int32_t i = 0; err == 0 && i < count; i++) {
            void *state;
            err = aggregate_decode(g, &docs[i], a->parser, &page, &state);
            if (err == 0)
                each(a, state);
        }
        if (err == 0 && count > 0) {
            q.after = (struct str){last, docs[count - 1].id.len};
            CHECK(q.after.len <= sizeof(last));
            for (size_t i = 0; i < q.after.len; i++)
                last[i] = docs[count - 1].id.p[i];
        }
    } while (err == 0 && count == q.limit);
    arena_free(&page);
    return err;
}

static int read_ended(struct auth_service *a, struct store *reader, int64_t now_us) {
    int err = 0;
    int64_t from_us = now_us - auth_token_life_us(a);
    for (int64_t at_us = from_us - from_us % ENDED_HOUR_US; err == 0 && at_us <= now_us;
         at_us += ENDED_HOUR_US) {
        struct arena scratch;
        arena_init(&scratch, 256);
        struct str hour = ended_hour(&scratch, at_us);
        err = each_ended(a, reader, &session_aggregate, sessions_collection.indexes[0], hour,
                         revoke_session);
        if (err == 0)
            err = each_ended(a, reader, &account_aggregate, accounts_collection.indexes[1], hour,
                             revoke_user);
        arena_free(&scratch);
    }
    return err;
}

/* Where tokens are verified in other processes the keys must be there before the first of them.
 * Whoever starts first makes them. */
static int first_ring(struct auth_service *a, struct store *store, int64_t now_us) {
    struct arena scratch;
    struct rng rng;
    uint64_t seed;
    arena_init(&scratch, 8192);
    a->entropy->fill(a->entropy, &seed, sizeof(seed));
    rng_seed(&rng, seed);
    struct command cmd = {
        .type = &keys_tend, .service = a, .id = STR(KEY_RING_ID), .arena = &scratch};
    struct decide_ctx ctx = {.now_us = now_us, .rng = &rng, .arena = &scratch};
    struct decision d = {0};
    int err = keys_tend.load(&cmd, store, now_us);
    if (err == 0) {
        keys_tend.decide(&cmd, &ctx, NULL, &d);
        struct store_change change = {
            .collection = &keys_collection,
            .id = STR(KEY_RING_ID),
            .state = schema_text(key_ring_aggregate.schema, d.state, S_STORE, &scratch),
            .wake_at_us = key_ring_aggregate.wake_at(d.state),
            .commit_id = id_new(&scratch, "cmt", now_us, &rng),
            .at_us = now_us};
        err = store->ops->commit(store, &change, 1, NULL, 0);
        err = err < 0 ? err : change.result == ERR_CONFLICT ? 0 : change.result;
    }
    arena_free(&scratch);
    return err < 0 ? err : read_ring(a, store);
}

static int auth_start(void *self, struct store *reader, int64_t now_us) {
    struct auth_service *a = self;
    int err = read_ring(a, reader);
    if (err == 0 && a->peers != NULL && !a->has_keys)
        err = first_ring(a, reader, now_us);
    if (err == 0)
        err = read_ended(a, reader, now_us);
    a->ended_read_us = now_us;
    if (a->peers != NULL)
        a->store = reader;
    return err;
}

/* Again, if its signals were missed. What cannot be read now is read later: tokens are short. */
static void follow_ended(struct auth_service *a, struct store *writer, int64_t now_us) {
    if (a->peers == NULL || a->ended_read_us >= peers_missed_us(a->peers, now_us) ||
        now_us - a->ended_read_us < ENDED_READ_US)
        return;
    if (read_ended(a, writer, now_us) == 0)
        a->ended_read_us = now_us;
}

static void auth_follow(void *self, struct store *writer, int64_t now_us) {
    struct auth_service *a = self;
    follow_ended(a, writer, now_us);
    if (a->has_keys && now_us < a->next_ring_read_us)
        return;
    a->next_ring_read_us = now_us + RING_READ_US;
    int err = read_ring(a, writer);
    if (err < 0)
        log_warn(a->log, "the signing keys cannot be read now: %s", err_text(err));
}

/* ---- events ---- */

static void on_session_ended(struct event_turn *t, const void *data) {
    const struct ev_session *e = data;
    auth_revoke(t->service, e->sid.p != NULL ? e->sid : e->user_id, e->kept, t->event->at_us);
}

static void on_audit(struct event_turn *t, const void *data) {
    ((struct auth_service *)t->service)->audited++;
    on_audit_recorded(t, data);
}

static const struct event_entry auth_events[] = {
    {EV_SESSION_ENDED, &ev_session_schema, on_session_ended},
    {EV_AUDIT_RECORDED, &ev_audit_schema, on_audit},
    {EV_ACCOUNT_ERASED, &ev_erased_schema, on_erased},
};

/* ---- once a second ---- */

static void auth_tick(void *self, struct store *writer, int64_t now_us) {
    struct auth_service *a = self;
    if (a->audit_keep_us > 0)
        audit_prune(writer, now_us - a->audit_keep_us);
    eraser_tick(&auth_eraser, writer, &a->erase_next_us, now_us);
}

/* ---- tables ---- */

static const char *const login_outcome_names[LOGIN_OUTCOMES] = {"right", "wrong", "limited",
                                                                "overloaded"};

static void auth_metrics(void *self, struct buf *out) {
    struct auth_service *a = self;
    metric_head(out, "lorry_auth_logins_total", "counter", "Attempts to sign in, by outcome.");
    for (int i = 0; i < LOGIN_OUTCOMES; i++)
        buf_printf(out, "lorry_auth_logins_total{outcome=\"%s\"} %llu\n", login_outcome_names[i],
                   (unsigned long long)a->logins[i]);
    metric_write(out, "lorry_auth_registers_total", "counter", "Accounts that were made.",
                 (double)a->registers);
    metric_write(out, "lorry_auth_refreshes_total", "counter", "Refresh tokens exchanged.",
                 (double)a->refreshes);
    metric_write(out, "lorry_auth_reuses_total", "counter",
                 "Refresh tokens that came twice; their sessions were ended.", (double)a->reuses);
    metric_head(out, "lorry_auth_second_factor_total", "counter",
                "Codes of second factors, by whether they were right.");
    buf_printf(out,
               "lorry_auth_second_factor_total{outcome=\"right\"} %llu\n"
               "lorry_auth_second_factor_total{outcome=\"wrong\"} %llu\n",
               (unsigned long long)a->factors[1], (unsigned long long)a->factors[0]);
    metric_write(out, "lorry_auth_api_key_requests_total", "counter", "Requests with an API key.",
                 (double)a->key_uses);
    metric_write(out, "lorry_auth_audited_total", "counter",
                 "Notes of the audit log that came in, repeated ones among them.",
                 (double)a->audited);
    metric_write(out, "lorry_auth_hashes_waiting", "gauge", "Passwords that wait to be hashed.",
                 (double)a->hasher->ops->waiting(a->hasher));
}

static const struct command_type *const auth_timers[] = {&session_forget, &keys_tend,
                                                         &api_key_forget, NULL};
static const struct store_collection *const auth_collections[] = {
    &accounts_collection,     &emails_collection,
    &sessions_collection,     &keys_collection,
    &setup_collection,        &audit_collection,
    &api_keys_collection,     &leaving_collection,
    &auth_erasure_collection, NULL};

struct service auth_service(struct auth_service *a) {
    static const struct service_def def = {.name = "auth",
                                           .routes = auth_routes,
                                           .route_count = AUTH_ROUTES,
                                           .events = auth_events,
                                           .event_count = COUNT_OF(auth_events),
                                           .timers = auth_timers,
                                           .collections = auth_collections,
                                           .start = auth_start,
                                           .tick = auth_tick,
                                           .follow = auth_follow,
                                           .metrics = auth_metrics};
    return (struct service){&def, a};
}
