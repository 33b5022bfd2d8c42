/* API keys of people: somebody makes one, uses it for what its scope lets it do and for what it
 * does not, takes it back, and tries it again. Keys are looked up in the store of accounts, so this
 * is done where all services share one.
 */
#include "sim/sim.h"

static void use(struct person *p, const char *method, const char *path, struct str body,
                sim_answer_fn then) {
    sim_slot_send(&p->auth_slot,
                  &(struct sim_request){.service = SIM_BOOKING,
                                        .method = method,
                                        .path = str_from(path),
                                        .body = body,
                                        .token = p->key,
                                        .device = true},
                  then);
}

static void on_dead(struct person *p, const struct sim_answer *a) {
    SIM_EXPECT(p->sim, a->status == 401, "a key that was taken back never works",
               "one of %s was answered with %d: %.*s", p->user_id, a->status, STR_ARG(a->body));
}

static void on_revoked(struct person *p, const struct sim_answer *a) {
    bool again = a->status == 404 && p->auth_slot.tries > 1; /* the first answer was lost */
    SIM_EXPECT(p->sim, a->status == 204 || again, "people take their keys back", "%s got %d: %.*s",
               p->user_id, a->status, STR_ARG(a->body));
    p->key_dead = true;
    use(p, "GET", "/v1/bookings", STR_NONE, on_dead);
}

static void on_beyond(struct person *p, const struct sim_answer *a) {
    SIM_EXPECT(p->sim, a->status == 403, "a key does what its scopes say, and nothing else",
               "one of %s was answered with %d: %.*s", p->user_id, a->status, STR_ARG(a->body));
    sim_slot_send(&p->auth_slot,
                  &(struct sim_request){.service = SIM_AUTH,
                                        .method = "DELETE",
                                        .path = arena_printf(&p->sim->arena, "/v1/api-keys/%.*s",
                                                             STR_ARG(p->key_id))},
                  on_revoked);
}

static void on_used(struct person *p, const struct sim_answer *a) {
    SIM_EXPECT(p->sim, a->status == 200, "a key is good until it is taken back",
               "one of %s was answered with %d: %.*s", p->user_id, a->status, STR_ARG(a->body));
    use(p, "POST", "/v1/quotes",
        STR("{\"stops\":[{\"lat\":57.7,\"lng\":11.97},{\"lat\":57.71,\"lng\":11.98}],"
            "\"vehicle\":\"van\"}"),
        on_beyond);
}

static void on_made(struct person *p, const struct sim_answer *a) {
    SIM_EXPECT(p->sim, a->status == 201 && a->is_json, "people make keys", "%s got %d: %.*s",
               p->user_id, a->status, STR_ARG(a->body));
    if (a->status != 201 || !a->is_json)
        return;
    p->key = arena_str(&p->sim->arena, sim_json_str(a->json, "key"));
    p->key_id = arena_str(&p->sim->arena, sim_json_str(a->json, "id"));
    p->key_dead = false;
    use(p, "GET", "/v1/bookings", STR_NONE, on_used);
}

bool sim_person_minds_key(struct person *p) {
    struct sim *sim = p->sim;
    if (sim->profile.topology == SIM_FOUR_NODES || p->role != ROLE_CUSTOMER ||
        !sim_chance(sim, 0.3))
        return false;
    if (p->key_dead && sim_chance(sim, 0.3)) {
        use(p, "GET", "/v1/bookings", STR_NONE, on_dead);
        return true;
    }
    sim_slot_send(&p->auth_slot,
                  &(struct sim_request){.service = SIM_AUTH,
                                        .method = "POST",
                                        .path = STR("/v1/api-keys"),
                                        .body = STR("{\"name\":\"till\","
                                                    "\"scopes\":[\"bookings:read\"]}")},
                  on_made);
    return true;
}
