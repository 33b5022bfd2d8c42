/* What auth's tests share: a house of one thread with auth in it, a hasher that waits to be told,
 * requests and how their answers are read.
 */
#ifndef LORRY_SERVICES_AUTH_TEST_KIT_H
#define LORRY_SERVICES_AUTH_TEST_KIT_H

#include "services/auth/admin.h"
#include "services/auth/internal.h"

#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "testing/house.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A hasher that does its work when it is told to: many attempts can be under way at once. */
struct patient {
    struct hasher hasher;
    struct hasher *instant;
    struct hash_job *jobs[64];
    int32_t count, max;
};

static inline int patient_submit(struct hasher *h, struct hash_job *job) {
    struct patient *p = (struct patient *)h;
    if (p->count >= p->max)
        return ERR_FULL;
    p->jobs[p->count++] = job;
    return 0;
}

static inline bool patient_full(struct hasher *h) {
    return ((struct patient *)h)->count >= ((struct patient *)h)->max;
}

static inline int64_t patient_waiting(struct hasher *h) {
    return ((struct patient *)h)->count;
}

static inline void patient_release(struct patient *p) {
    int32_t count = p->count;
    p->count = 0;
    for (int32_t i = 0; i < count; i++)
        p->instant->ops->submit(p->instant, p->jobs[i]);
}

static const struct hasher_ops patient_ops = {patient_submit, patient_full, patient_waiting, NULL};

/* ---- the house ---- */

struct fixture {
    struct house *house;
    struct auth_service *auth;
    struct auth_options options;
    struct hasher *instant;
    struct patient patient;
    struct json_parser *parser;
    struct arena *arena;
};

static inline void open_house(struct fixture *f) {
    f->options.cache = f->house->cache;
    f->options.verifier = f->house->verifier;
    f->auth = auth_service_new(&f->options);
    struct service services[] = {auth_service(f->auth)};
    house_open(f->house, services, 1);
}

static inline int setup(void **state) {
    struct fixture *f = xcalloc(1, sizeof(*f));
    f->house = house_new(7);
    f->arena = &f->house->arena;
    f->parser = json_parser_new();
    f->instant = hasher_instant_new();
    f->patient = (struct patient){.hasher.ops = &patient_ops, .instant = f->instant, .max = 64};
    strcpy(f->patient.hasher.dummy, f->instant->dummy);
    f->options = auth_options_default();
    f->options.hasher = f->instant;
    f->options.entropy = &f->house->entropy;
    open_house(f);
    *state = f;
    return 0;
}

static inline int teardown(void **state) {
    struct fixture *f = *state;
    auth_service_free(f->auth);
    house_free(f->house);
    json_parser_free(f->parser);
    f->instant->ops->close(f->instant);
    free(f);
    return 0;
}

/* Everything in memory is lost, the disk stays. */
static inline void crash(struct fixture *f) {
    house_crash(f->house);
    auth_service_free(f->auth);
    open_house(f);
}

static inline void reopen_with(struct fixture *f, struct hasher *hasher) {
    f->options.hasher = hasher;
    crash(f);
}

/* ---- asking and reading ---- */

static inline struct house_request request(struct fixture *f, const char *method, const char *path,
                                           const char *token, const char *body) {
    struct house_request r = {.method = method, .path = path, .body = body};
    if (token != NULL)
        r.headers[0] =
            (struct header){STR("authorization"), arena_printf(f->arena, "Bearer %s", token)};
    return r;
}

static inline struct house_answer ask(struct fixture *f, const char *method, const char *path,
                                      const char *token, const char *body) {
    struct house_request r = request(f, method, path, token, body);
    return house_call(f->house, &r);
}

/* The string at the path of keys in an answer ("user", "id"), NULL-terminated; NULL if none. */
static const char *text_at(struct fixture *f, struct house_answer a, const char *key,
                           const char *sub) {
    struct json_value v;
    assert_int_equal(json_parse(f->parser, a.body, &v), 0);
    if (!json_get(v, key, &v) || (sub != NULL && !json_get(v, sub, &v)) ||
        json_kind(v) != JSON_IS_STRING)
        return NULL;
    return arena_cstr(f->arena, json_text(v));
}

static inline int64_t count_at(struct fixture *f, struct house_answer a, const char *key) {
    struct json_value v;
    assert_int_equal(json_parse(f->parser, a.body, &v), 0);
    assert_true(json_get(v, key, &v));
    return (int64_t)json_count(v);
}

static inline bool is_problem(struct fixture *f, struct house_answer a, enum problem p) {
    const char *type = text_at(f, a, "type", NULL);
    return a.status == problem_table[p].status && type != NULL &&
           strcmp(type + strlen("/problems/"), problem_table[p].slug) == 0;
}

static inline int64_t retry_after(struct house_answer a) {
    for (int32_t i = 0; i < a.response.header_count; i++) {
        int64_t s;
        if (str_is(a.response.headers[i].name, "Retry-After") &&
            str_to_i64(a.response.headers[i].value, &s) == 0)
            return s;
    }
    return -1;
}

struct signed_in {
    const char *id, *access, *refresh;
    int status;
};

static inline struct signed_in signed_in(struct fixture *f, struct house_answer a) {
    struct signed_in s = {.status = a.status};
    if (a.status < 300) {
        s.id = text_at(f, a, "user", "id");
        s.access = text_at(f, a, "access_token", NULL);
        s.refresh = text_at(f, a, "refresh_token", NULL);
    }
    return s;
}

#define PASSWORD "correct horse 9"

static inline struct house_answer try_register(struct fixture *f, const char *email,
                                               const char *role) {
    return ask(f, "POST", "/v1/auth/register", NULL,
               arena_printf(f->arena,
                            "{\"email\":\"%s\",\"password\":\"" PASSWORD
                            "\",\"name\":\"Asha\",\"phone\":\"+46701234567\",\"role\":\"%s\"}",
                            email, role)
                   .p);
}

static inline struct signed_in registered(struct fixture *f, const char *email) {
    struct signed_in s = signed_in(f, try_register(f, email, "customer"));
    assert_int_equal(s.status, 201);
    return s;
}

static const char *login_body(struct fixture *f, const char *email, const char *password) {
    return arena_printf(f->arena, "{\"email\":\"%s\",\"password\":\"%s\"}", email, password).p;
}

static inline struct house_answer login(struct fixture *f, const char *email,
                                        const char *password) {
    return ask(f, "POST", "/v1/auth/login", NULL, login_body(f, email, password));
}

static const char *token_body(struct fixture *f, const char *token) {
    return arena_printf(f->arena, "{\"refresh_token\":\"%s\"}", token).p;
}

static inline struct signed_in refresh(struct fixture *f, const char *token) {
    return signed_in(f, ask(f, "POST", "/v1/auth/refresh", NULL, token_body(f, token)));
}

static inline int me_status(struct fixture *f, const char *access) {
    return ask(f, "GET", "/v1/me", access, NULL).status;
}

/* An operator's tools on the house's disk, as the command line has them. */
static inline struct signed_in added(struct fixture *f, const char *email, enum role role) {
    struct store *store = memory_disk_open(f->house->disk, true, NULL);
    struct auth_admin *m = auth_admin_new(&(struct auth_admin_options){
        .store = store, .entropy = &f->house->entropy, .clock = &f->house->clock});
    struct str id, why = STR_NONE;
    int err = auth_admin_add(m,
                             &(struct auth_admin_user){.email = str_from(email),
                                                       .name = STR("Ola"),
                                                       .password = STR("argon " PASSWORD),
                                                       .role = role},
                             f->arena, &id, &why);
    assert_int_equal(err, 0);
    auth_admin_free(m);
    store->ops->close(store);
    house_settle(f->house);
    return (struct signed_in){.id = arena_cstr(f->arena, id)};
}

static inline struct house_answer set_user(struct fixture *f, struct str admin, const char *id,
                                           const char *body) {
    struct house_request r = {.method = "PATCH",
                              .path = arena_printf(f->arena, "/v1/users/%s", id).p,
                              .body = body,
                              .who = house_who(f->house, ROLE_ADMIN, admin.p)};
    return house_call(f->house, &r);
}

static inline int64_t documents(struct fixture *f) {
    struct memory_disk_stats stats;
    memory_disk_stats(f->house->disk, &stats);
    return stats.documents;
}

#endif
