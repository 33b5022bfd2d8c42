/* Saved places: what a customer calls the places he books from and to, and who is there. One
 * document for each customer, which is bounded, so that it is read and written whole; nobody but
 * he ever sees it. A booking keeps what it was made with: it does not change when a saved place
 * does.
 */
#include "services/booking/saved_places.h"

#include "base/check.h"
#include "base/err.h"
#include "base/id.h"

#include <stddef.h>
#include <string.h>

#define AT(member) .offset = offsetof(struct saved_place, member)

static const struct schema_field contact_fields[] = {
    {"name", S_STR, .flags = S_STORE | S_OUT, .offset = offsetof(struct contact, name)},
    {"phone", S_STR, .flags = S_STORE | S_OUT, .offset = offsetof(struct contact, phone)},
};
static const struct schema contact_schema =
    SCHEMA(struct contact, "StoredPlaceContact", contact_fields);

static const struct schema_field place_fields[] = {
    {"id", S_ID, S_STORE | S_OUT, AT(id), .hint = "plc"},
    {"label", S_STR, S_STORE | S_OUT, AT(label)},
    {"lat", S_DEG7, S_STORE | S_OUT, AT(place.lat_e7), .min = -90, .max = 90},
    {"lng", S_DEG7, S_STORE | S_OUT, AT(place.lng_e7), .min = -180, .max = 180},
    {"address", S_STR, S_STORE | S_OUT, AT(place.address)},
    {"contact", S_OBJECT_PTR, S_STORE | S_OUT, AT(contact), .sub = &contact_schema},
    {"created_at", S_TIME, S_STORE | S_OUT, AT(created_at_us)},
};
static const struct schema place_schema = SCHEMA(struct saved_place, "SavedPlace", place_fields);

static const struct schema_field places_fields[] = {
    {"id", S_ID, S_OUT, offsetof(struct saved_places, head.id), .hint = "svd"},
    {"version", S_I64, S_OUT, offsetof(struct saved_places, head.version)},
    {"user_id", S_ID, S_STORE, offsetof(struct saved_places, user_id), .hint = "usr"},
    {"items", S_LIST, .flags = S_STORE, .offset = offsetof(struct saved_places, items),
     .count_offset = offsetof(struct saved_places, count), .sub = &place_schema,
     .max = SAVED_PLACES_MAX},
};
static const struct schema places_schema =
    SCHEMA(struct saved_places, "StoredSavedPlaces", places_fields);

const struct store_collection saved_places_collection = {.name = "saved_places",
                                                         .indexes = {"user"}};

/* By whose they are, so that erasing him finds them at once. */
static void places_keys(const void *state, struct arena *a, struct str ret_keys[STORE_KEYS_MAX]) {
    (void)a;
    ret_keys[0] = ((const struct saved_places *)state)->user_id;
}

const struct aggregate saved_places_aggregate = {&saved_places_collection, &places_schema,
                                                 places_keys, NULL};

static struct str list_id(struct arena *a, struct str user_id) {
    return id_with_prefix(a, user_id, "svd");
}

static struct str place_view(const struct saved_place *p, struct arena *a) {
    return schema_text(&place_schema, p, S_OUT, a);
}

static int32_t find(const struct saved_places *s, struct str id) {
    for (int32_t i = 0; s != NULL && i < s->count; i++) {
        if (str_eq(s->items[i].id, id))
            return i;
    }
    return -1;
}

/* A new state with room for one more. */
static struct saved_places *edit(const struct command *cmd, const struct saved_places *old,
                                 struct arena *a) {
    struct saved_places *s = arena_new(a, struct saved_places);
    s->user_id = cmd->who.user_id;
    s->items = arena_array(a, struct saved_place, SAVED_PLACES_MAX);
    if (old != NULL && old->count > 0)
        memcpy(s->items, old->items, (size_t)old->count * sizeof(*s->items));
    s->count = old != NULL ? old->count : 0;
    return s;
}

/* ---- decisions; their argument is what was sent, with the id of the path ---- */

static void decide_save(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    const struct saved_places *old = state;
    if (old != NULL && old->count >= SAVED_PLACES_MAX) {
        decision_problem(ret, cmd, PROBLEM_TOO_MANY_PLACES,
                         "you have saved %d places, which is as many as there may be",
                         SAVED_PLACES_MAX);
        return;
    }
    struct saved_places *s = edit(cmd, old, ctx->arena);
    struct saved_place *p = &s->items[s->count++];
    *p = *(const struct saved_place *)cmd->args;
    p->id = id_new(ctx->arena, "plc", ctx->now_us, ctx->rng);
    p->created_at_us = ctx->now_us;
    decision_state(ret, cmd, old, s);
    decision_json(ret, 201, place_view(p, ctx->arena));
}

static void decide_put(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                       struct decision *ret) {
    const struct saved_places *old = state;
    const struct saved_place *sent = cmd->args;
    int32_t i = find(old, sent->id);
    if (i < 0) {
        decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "you have no such place");
        return;
    }
    struct saved_places *s = edit(cmd, old, ctx->arena);
    s->items[i] = *sent;
    s->items[i].created_at_us = old->items[i].created_at_us;
    decision_state(ret, cmd, old, s);
    decision_json(ret, 200, place_view(&s->items[i], ctx->arena));
}

static void decide_remove(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct saved_places *old = state;
    int32_t i = find(old, ((const struct saved_place *)cmd->args)->id);
    if (i < 0)
        return; /* 204, as the first time */
    struct saved_places *s = edit(cmd, old, ctx->arena);
    memmove(&s->items[i], &s->items[i + 1], (size_t)(s->count - i - 1) * sizeof(*s->items));
    s->count--;
    decision_state(ret, cmd, old, s);
}

static const struct command_type place_save = {
    .name = "place.save", .aggregate = &saved_places_aggregate, .decide = decide_save};
static const struct command_type place_put = {
    .name = "place.put", .aggregate = &saved_places_aggregate, .decide = decide_put};
static const struct command_type place_remove = {
    .name = "place.remove", .aggregate = &saved_places_aggregate, .decide = decide_remove};

/* ---- routes ---- */

static const struct schema_field body_fields[] = {
    {"label", S_LINE, S_IN | S_REQUIRED, AT(label), .min = 1, .max = SAVED_LABEL_CHARS_MAX},
    {"lat", S_DEG7, S_IN | S_REQUIRED, AT(place.lat_e7), .min = -90, .max = 90},
    {"lng", S_DEG7, S_IN | S_REQUIRED, AT(place.lng_e7), .min = -180, .max = 180},
    {"address", S_LINE, S_IN, AT(place.address), .min = 1, .max = ADDRESS_CHARS_MAX},
    {"contact", S_OBJECT_PTR, S_IN, AT(contact), .sub = &contact_body_schema},
};
const struct schema saved_place_body_schema =
    SCHEMA(struct saved_place, "SavedPlaceRequest", body_fields);

static void send(struct call *c, const struct command_type *type, const struct saved_place *sent,
                 struct str id) {
    struct saved_place *args = arena_new(&c->arena, struct saved_place);
    if (sent != NULL)
        *args = *sent;
    args->id = id;
    call_command(c, type, list_id(&c->arena, c->who.user_id), args);
}

/* Of the path; false: replied, and the call is gone. */
static bool place_id(struct call *c) {
    bool sound = id_valid(c->params[0], "plc");
    if (!sound)
        call_problem(c, PROBLEM_NOT_FOUND, "you have no such place");
    return sound;
}

void handle_save_place(struct call *c) {
    send(c, &place_save, c->body, STR_NONE);
}
void handle_put_saved_place(struct call *c) {
    if (place_id(c))
        send(c, &place_put, c->body, c->params[0]);
}
void handle_delete_saved_place(struct call *c) {
    if (place_id(c))
        send(c, &place_remove, NULL, c->params[0]);
}

void handle_saved_places(struct call *c) {
    void *state = NULL;
    int err = aggregate_get(&saved_places_aggregate, c->worker->reader, c->worker->parser,
                            list_id(&c->arena, c->who.user_id), &c->arena, &state);
    if (err < 0 && err != ERR_NOT_FOUND) {
        call_error(c, err);
        return;
    }
    const struct saved_places *s = state;
    struct page p;
    page_begin(&p, c);
    for (int32_t i = 0; s != NULL && i < s->count; i++)
        schema_write(&place_schema, &s->items[i], S_OUT, &p.w);
    page_reply(&p, false, STR_NONE); /* the list is bounded: it comes whole */
}
