/* Answers, held against what is durable at that moment: what is acknowledged is there, and the same
 * idempotency key has the same answer.
 */
#include "sim/oracle.h"

#include <string.h>

static bool is_write(const struct sim_call *c) {
    return strcmp(c->request->method, "GET") != 0;
}

/* A document that a client is shown must be durable in that version or a later one. */
static void check_durable(struct oracle *o, const struct sim_call *c, const char *collection,
                          struct str id, int64_t version) {
    int64_t durable = shadow_version(o, collection, id);
    SIM_EXPECT(o->sim, version >= 1 && version <= durable, "what is acknowledged is durable",
               "%s %.*s was answered %d with version %lld of %.*s, but %lld is durable",
               c->request->method, STR_ARG(c->request->path), c->answer.status, (long long)version,
               STR_ARG(id), (long long)durable);
}

static void check_document(struct oracle *o, const struct sim_call *c, struct json_value root) {
    static const struct {
        const char *prefix, *collection;
    } kinds[] = {{"bkg_", "bookings"}, {"drv_", "drivers"}, {"usr_", "accounts"}};
    struct json_value user;
    if (json_get(root, "user", &user)) /* of auth's answers */
        root = user;
    struct str id = sim_json_str(root, "id");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (str_starts(id, kinds[i].prefix))
            check_durable(o, c, kinds[i].collection, id, sim_json_i64(root, "version"));
    }
}

static void check_quotes(struct oracle *o, const struct sim_call *c, struct json_value quotes) {
    for (struct json_iter it = json_iter(quotes); json_next(&it);) {
        struct arena a;
        arena_init(&a, 128);
        struct str id = sim_json_str(it.value, "id");
        SIM_EXPECT(o->sim,
                   id_valid(id, "qte") && shadow_version(o, "quotes", id_variant(&a, id, 0)) == 1,
                   "what is acknowledged is durable", "%.*s: quote %.*s is not there",
                   STR_ARG(c->request->path), STR_ARG(id));
        arena_free(&a);
    }
}

/* A manual assignment's answer waits for what follows from it, and says more than was kept. */
static bool is_parked_route(const struct sim_call *c) {
    return str_ends(c->request->path, "/assign");
}

static void check_idempotent(struct oracle *o, const struct sim_call *c) {
    const struct sim_request *r = c->request;
    if (r->key.p == NULL || c->person == NULL || is_parked_route(c))
        return;
    struct arena a;
    arena_init(&a, 256);
    struct str full = arena_printf(&a, "%s %s %.*s %.*s", c->person->user_id, r->method,
                                   STR_ARG(r->path), STR_ARG(r->key));
    const struct shadow_answer *kept = map_get(&o->answers, full);
    bool same_body = kept != NULL && kept->body_hash == str_hash(r->body, 0x1d3);
    int status = c->answer.status;
    if (kept != NULL && same_body && status < 500 && status != 401 && status != 429)
        SIM_EXPECT(o->sim,
                   status == kept->status &&
                       (kept->empty || str_hash(c->answer.body, 0) == kept->answer_hash),
                   "same key, same answer", "%.*s was answered %d once and %d now: %.*s",
                   STR_ARG(full), kept->status, status, STR_ARG(c->answer.body));
    if (kept != NULL && !same_body)
        SIM_EXPECT(o->sim, status >= 400, "same key, other body: refused", "%.*s was answered %d",
                   STR_ARG(full), status);
    arena_free(&a);
}

void oracle_reply(struct sim *sim, const struct sim_call *c) {
    struct oracle *o = sim->oracle;
    struct json_value root, quotes;
    check_idempotent(o, c);
    if (c->answer.status >= 300 || c->answer.body.len == 0 ||
        json_parse(o->parser, c->answer.body, &root) < 0)
        return;
    check_document(o, c, root);
    oracle_no_number(sim, c);
    if (c->person != NULL && str_starts(sim_json_str(root, "id"), "bkg_"))
        oracle_people(sim, c->person, root, !is_write(c));
    if (is_write(c) && json_get(root, "quotes", &quotes))
        check_quotes(o, c, quotes);
}
