/* What all people have in common: an account, a session whose tokens they renew, and now and then
 * the bad idea to use a spent one again. Most of their requests are vouched for, because signatures
 * cost time; some carry their access token.
 */
#include "base/check.h"
#include "sim/sim.h"

#include <stdio.h>

#define REGISTER_AGAIN_US (65 * US_PER_S)
#define REFRESH_EVERY_US (60 * US_PER_S)

struct identity sim_person_identity(const struct person *p) {
    return (struct identity){.user_id = str_from(p->user_id),
                             .name = p->name,
                             .sid = STR("ses_simulated"),
                             .role = p->role,
                             .expires_us = p->sim->now_us + US_PER_DAY};
}

void sim_person_init(struct sim *sim, struct person *p, enum role role, int32_t index) {
    *p = (struct person){.sim = sim, .role = role, .index = index};
    p->slot.person = p->auth_slot.person = p;
    p->name = arena_printf(&sim->arena, "%s %d", role_names[role], index);
    p->email = arena_printf(&sim->arena, "%s%d@example.com", role_names[role], index);
    p->password = arena_printf(&sim->arena, "a long password of %d", index);
}

/* ---- tokens ---- */

static void take_tokens(struct person *p, const struct sim_answer *a) {
    struct arena *arena = &p->sim->arena;
    p->spent = p->refresh;
    p->refresh = arena_str(arena, sim_json_str(a->json, "refresh_token"));
    p->access = arena_str(arena, sim_json_str(a->json, "access_token"));
}

static void send_auth(struct person *p, const char *path, struct str body, sim_answer_fn then) {
    sim_slot_send(&p->auth_slot,
                  &(struct sim_request){
                      .service = SIM_AUTH, .method = "POST", .path = str_from(path), .body = body},
                  then);
}

/* A registration that was cut in the middle holds its e-mail for a minute. */
static void register_again(struct sim *sim, void *arg, uint64_t token) {
    (void)sim;
    (void)token;
    sim_person_register(arg);
}

static void on_login(struct person *p, const struct sim_answer *a) {
    if (a->status == 401 && !p->ready) {
        sim_after(p->sim, REGISTER_AGAIN_US, register_again, p, 0);
        return;
    }
    SIM_EXPECT(p->sim, a->status == 200, "who has an account may sign in",
               "%s was answered with %d: %.*s", p->user_id, a->status, STR_ARG(a->body));
    if (a->status != 200 || !a->is_json)
        return;
    bool first = !p->ready;
    struct json_value user;
    if (first && json_get(a->json, "user", &user)) {
        struct str id = sim_json_str(user, "id");
        snprintf(p->user_id, sizeof(p->user_id), "%.*s", STR_ARG(id));
        snprintf(p->driver_id, sizeof(p->driver_id), "drv%.*s", STR_ARG(str_sub(id, 3, id.len)));
        p->ready = true;
    }
    p->refresh = STR_NONE; /* of the session before */
    take_tokens(p, a);
    if (first)
        p->on_ready(p);
}

static void login(struct person *p) {
    send_auth(p, "/v1/auth/login",
              arena_printf(&p->sim->arena, "{\"email\":\"%.*s\",\"password\":\"%.*s\"}",
                           STR_ARG(p->email), STR_ARG(p->password)),
              on_login);
}

static void on_register(struct person *p, const struct sim_answer *a) {
    if (a->status == 409) { /* the first answer was lost */
        login(p);
        return;
    }
    SIM_EXPECT(p->sim, a->status == 201, "registering works", "%d: %.*s", a->status,
               STR_ARG(a->body));
    if (a->status == 201) {
        struct sim_answer same = *a;
        same.status = 200;
        on_login(p, &same);
    }
}

void sim_person_register(struct person *p) {
    send_auth(p, "/v1/auth/register",
              arena_printf(&p->sim->arena,
                           "{\"email\":\"%.*s\",\"password\":\"%.*s\",\"name\":\"%.*s\","
                           "\"phone\":\"+4670123%04d\",\"role\":\"%s\"}",
                           STR_ARG(p->email), STR_ARG(p->password), STR_ARG(p->name), p->index,
                           role_names[p->role]),
              on_register);
}

/* ---- what he is told ---- */

static void on_chosen(struct person *p, const struct sim_answer *a) {
    SIM_EXPECT(p->sim, a->status == 200, "people choose what they are told", "%s got %d: %.*s",
               p->user_id, a->status, STR_ARG(a->body));
    p->chosen = true;
    p->on_chosen(p);
}

void sim_person_choose(struct person *p, void (*then)(struct person *p)) {
    struct sim *sim = p->sim;
    struct buf body;
    p->on_chosen = then;
    if (sim_chance(sim, 0.4)) {
        then(p);
        return;
    }
    p->kinds = (unsigned)rng_next(&sim->rng);
    buf_init(&body, &sim->arena, 256);
    buf_add_cstr(&body, "{\"message\":[],\"email\":[");
    for (int k = 0; sim_kinds[k] != NULL; k++) {
        if ((p->kinds & 1u << k) != 0)
            buf_printf(&body, "%s\"%s\"", body.p[body.len - 1] == '[' ? "" : ",", sim_kinds[k]);
    }
    buf_add_cstr(&body, "]}");
    sim_slot_send(&p->slot,
                  &(struct sim_request){.service = SIM_NOTIFICATION,
                                        .method = "PUT",
                                        .path = STR("/v1/notifications/preferences"),
                                        .body = buf_str(&body),
                                        .key = sim_new_key(sim)},
                  on_chosen);
}

/* ---- renewing, and spending twice ---- */

static struct str refresh_body(struct person *p, struct str token) {
    return arena_printf(&p->sim->arena, "{\"refresh_token\":\"%.*s\"}", STR_ARG(token));
}

static void on_family_ended(struct person *p, const struct sim_answer *a) {
    SIM_EXPECT(p->sim, a->status == 401, "a spent token ends its family",
               "the newest token of %s was still good after a spent one had come again",
               p->user_id);
    login(p);
}

static void on_spent(struct person *p, const struct sim_answer *a) {
    SIM_EXPECT(p->sim, a->status == 401, "a refresh token serves once",
               "%s was answered with %d for a spent token", p->user_id, a->status);
    send_auth(p, "/v1/auth/refresh", refresh_body(p, p->refresh), on_family_ended);
}

/* All sessions but this one: its tokens stay good, as the next refresh will tell. */
static void on_others_ended(struct person *p, const struct sim_answer *a) {
    if (a->status == 401) { /* a refresh that the network doubles ends its own family */
        login(p);
        return;
    }
    SIM_EXPECT(p->sim, a->status == 204, "the session that ends the others goes on",
               "%s was answered with %d: %.*s", p->user_id, a->status, STR_ARG(a->body));
}

static void end_others(struct person *p) {
    sim_slot_send(&p->auth_slot,
                  &(struct sim_request){.service = SIM_AUTH,
                                        .method = "DELETE",
                                        .path = STR("/v1/me/sessions"),
                                        .token = p->access},
                  on_others_ended);
}

static void on_refresh(struct person *p, const struct sim_answer *a) {
    bool lost = p->auth_slot.tries > 1; /* the first answer may have been: then it is spent */
    if (a->status == 401 && lost) {
        login(p);
        return;
    }
    SIM_EXPECT(p->sim, a->status == 200, "a fresh refresh token is good",
               "%s was answered with %d: %.*s", p->user_id, a->status, STR_ARG(a->body));
    if (a->status != 200 || !a->is_json)
        return;
    take_tokens(p, a);
    if (sim_chance(p->sim, 0.3))
        send_auth(p, "/v1/auth/refresh", refresh_body(p, p->spent), on_spent);
    else if (sim_chance(p->sim, 0.1))
        end_others(p);
}

static void renew(struct sim *sim, void *arg, uint64_t token) {
    struct person *p = arg;
    (void)token;
    if (sim->calm)
        return;
    if (!p->auth_slot.busy && p->refresh.p != NULL && !sim_person_minds_key(p))
        send_auth(p, "/v1/auth/refresh", refresh_body(p, p->refresh), on_refresh);
    sim_person_refresh_now_and_then(p);
}

void sim_person_refresh_now_and_then(struct person *p) {
    int64_t in_us = (int64_t)rng_exponential(&p->sim->rng, (double)REFRESH_EVERY_US);
    sim_after(p->sim, in_us, renew, p, 0);
}
