/* GET /v1/me/export: what auth knows of a person, in one document, and where the rest is: each
 * service gives its own, by the routes that its owner has anyway.
 */
#include "base/err.h"
#include "services/auth/api_keys.h"
#include "services/auth/audit_log.h"
#include "services/auth/internal.h"

/* Up to a page of the documents of G whose INDEX says WHOSE, newest first, written by WRITE. */
static int write_list(struct call *c, struct jw *w, const char *name, const struct aggregate *g,
                      int index, struct str whose,
                      void (*write)(struct jw *w, const void *state, const struct call *c)) {
    struct store_query q = {.collection = g->collection,
                            .index = g->collection->indexes[index],
                            .key = whose,
                            .limit = STORE_LIST_MAX};
    struct store_doc *docs;
    int32_t count = 0;
    int err = c->worker->reader->ops->list(c->worker->reader, &q, &c->arena, &docs, &count);
    if (err < 0)
        return err;
    jw_key(w, name);
    jw_array(w);
    for (int32_t i = 0; i < count; i++) {
        void *state;
        if (aggregate_decode(g, &docs[i], c->worker->parser, &c->arena, &state) == 0)
            write(w, state, c);
    }
    jw_end(w);
    return 0;
}

static void write_shown(struct jw *w, const struct schema *schema, const void *state) {
    schema_write(schema, state, S_OUT, w);
}

static void write_key(struct jw *w, const void *state, const struct call *c) {
    (void)c;
    write_shown(w, api_key_aggregate.schema, state);
}

static void write_entry(struct jw *w, const void *state, const struct call *c) {
    (void)c;
    write_shown(w, audit_aggregate.schema, state);
}

static void write_session(struct jw *w, const void *state, const struct call *c) {
    session_write(w, state, &c->who);
}

static void write_elsewhere(struct jw *w, enum role role) {
    static const struct {
        const char *what, *path;
        unsigned roles;
    } rest[] = {
        {"bookings", "/v1/bookings", ROLES(ROLE_CUSTOMER) | ROLES(ROLE_DRIVER)},
        {"favourite_drivers", "/v1/me/favourite-drivers", ROLES(ROLE_CUSTOMER)},
        {"saved_places", "/v1/me/places", ROLES(ROLE_CUSTOMER)},
        {"imports", "/v1/booking-imports", ROLES(ROLE_CUSTOMER) | ROLES_STAFF},
        {"recurrences", "/v1/recurrences", ROLES(ROLE_CUSTOMER) | ROLES_STAFF},
        {"profile", "/v1/driver", ROLES(ROLE_DRIVER)},
        {"earnings", "/v1/driver/earnings", ROLES(ROLE_DRIVER)},
        {"cash", "/v1/driver/cash", ROLES(ROLE_DRIVER)},
        {"cash_entries", "/v1/driver/cash/entries", ROLES(ROLE_DRIVER)},
        {"notifications", "/v1/notifications", ROLES_ANY},
    };
    jw_key(w, "elsewhere");
    jw_array(w);
    for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
        if ((rest[i].roles & ROLES(role)) == 0)
            continue;
        jw_object(w);
        jw_kv_str(w, "what", str_from(rest[i].what));
        jw_kv_str(w, "path", str_from(rest[i].path));
        jw_end(w);
    }
    jw_end(w);
}

void handle_export(struct call *c) {
    const struct account *account = call_state(c, &account_aggregate, c->who.user_id);
    if (account == NULL)
        return;
    struct str me = account->head.id;
    struct buf out;
    struct jw w;
    buf_init(&out, &c->arena, 16384);
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_time(&w, "exported_at", c->now_us);
    jw_key(&w, "account");
    write_shown(&w, &account_schema, account);
    int err = write_list(c, &w, "sessions", &session_aggregate, 1, me, write_session);
    if (err == 0)
        err = write_list(c, &w, "api_keys", &api_key_aggregate, 0, me, write_key);
    if (err == 0)
        err = write_list(c, &w, "acts", &audit_aggregate, 0, me, write_entry);
    if (err == 0)
        err = write_list(c, &w, "acts_on_you", &audit_aggregate, 1, me, write_entry);
    if (err < 0) {
        call_error(c, err);
        return;
    }
    write_elsewhere(&w, (enum role)account->role);
    jw_end(&w);
    response_header(&c->response, "Cache-Control", STR("no-store"));
    call_json(c, 200, buf_str(&out));
}
