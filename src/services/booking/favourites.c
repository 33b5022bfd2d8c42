/* Favourite drivers: those a customer wants again. He names one by a booking that the driver has
 * delivered for him; a booking with prefer_favourites has them asked before others. One document
 * for each customer, which is bounded, so that it is read and written whole.
 */
#include "services/booking/favourites.h"

#include "base/check.h"
#include "base/err.h"
#include "base/id.h"

#include <stddef.h>
#include <string.h>

#define AT(type, member) .flags = S_STORE | S_OUT, .offset = offsetof(struct type, member)

static const struct schema_field favourite_fields[] = {
    {"driver_id", S_ID, AT(favourite, driver_id), .hint = "drv"},
    {"name", S_STR, .flags = S_STORE | S_OUT | S_NULL, .offset = offsetof(struct favourite, name)},
    {"booking_id", S_ID, AT(favourite, booking_id), .hint = "bkg"},
    {"at", S_TIME, AT(favourite, at_us)},
};
static const struct schema favourite_schema =
    SCHEMA(struct favourite, "FavouriteDriver", favourite_fields);

static const struct schema_field favourites_fields[] = {
    {"id", S_ID, S_OUT, offsetof(struct favourites, head.id), .hint = "fav"},
    {"version", S_I64, S_OUT, offsetof(struct favourites, head.version)},
    {"items", S_LIST, AT(favourites, items), .count_offset = offsetof(struct favourites, count),
     .sub = &favourite_schema, .max = FAVOURITES_MAX},
};
static const struct schema favourites_schema =
    SCHEMA(struct favourites, "StoredFavourites", favourites_fields);
const struct store_collection favourites_collection = {.name = "favourites"};
const struct aggregate favourites_aggregate = {&favourites_collection, &favourites_schema, NULL,
                                               NULL};

static struct str list_id(struct arena *a, struct str user_id) {
    return id_with_prefix(a, user_id, "fav");
}

int favourites_of(struct store *store, struct json_parser *p, struct str user_id, struct arena *a,
                  struct str **ret_ids, int32_t *ret_count) {
    void *state;
    *ret_count = 0;
    int err = aggregate_get(&favourites_aggregate, store, p, list_id(a, user_id), a, &state);
    if (err < 0)
        return err == ERR_NOT_FOUND ? 0 : err;
    const struct favourites *f = state;
    *ret_ids = arena_array(a, struct str, f->count + 1);
    for (int32_t i = 0; i < f->count; i++)
        (*ret_ids)[(*ret_count)++] = f->items[i].driver_id;
    return 0;
}

static int32_t find(const struct favourites *f, struct str driver_id) {
    for (int32_t i = 0; f != NULL && i < f->count; i++) {
        if (str_eq(f->items[i].driver_id, driver_id))
            return i;
    }
    return -1;
}

static struct str view(const struct favourites *f, struct arena *a) {
    struct buf out;
    struct jw w;
    buf_init(&out, a, 512);
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "items");
    jw_array(&w);
    for (int32_t i = 0; f != NULL && i < f->count; i++)
        schema_write(&favourite_schema, &f->items[i], S_OUT, &w);
    jw_end(&w);
    jw_key(&w, "next_cursor"); /* the list is bounded: it comes whole */
    jw_null(&w);
    jw_end(&w);
    return buf_str(&out);
}

/* A new state with room for one more. */
static struct favourites *edit(const struct favourites *old, struct arena *a) {
    struct favourites *f = arena_new(a, struct favourites);
    f->items = arena_array(a, struct favourite, FAVOURITES_MAX);
    if (old != NULL && old->count > 0)
        memcpy(f->items, old->items, (size_t)old->count * sizeof(*f->items));
    f->count = old != NULL ? old->count : 0;
    return f;
}

/* ---- adding one ---- */

struct add_args {
    struct str driver_id, booking_id;
};

/* As the booking that he names shows it. */
static struct str favourite_name(const struct booking *b) {
    return sight_name(sight_of(VIEWER_CUSTOMER, STAGE_OVER).driver, b->driver->name);
}

/* Facts: the booking named, if there is one. */
static int load_add(struct command *cmd, struct store *store, int64_t now_us) {
    (void)now_us;
    const struct add_args *args = cmd->args;
    void *state = NULL;
    int err = aggregate_get(&booking_aggregate, store, executor_parser(cmd->executor),
                            args->booking_id, cmd->arena, &state);
    cmd->facts = state;
    return err == ERR_NOT_FOUND ? 0 : err;
}

static void decide_add(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                       struct decision *ret) {
    const struct favourites *old = state;
    const struct add_args *args = cmd->args;
    const struct booking *b = cmd->facts;
    if (find(old, args->driver_id) >= 0) {
        decision_json(ret, 200, view(old, ctx->arena));
        return;
    }
    if (b == NULL || !str_eq(b->customer_id, cmd->who.user_id) || b->state != BOOKING_DELIVERED ||
        b->driver == NULL || !str_eq(b->driver->id, args->driver_id)) {
        decision_invalid(ret, cmd, "/booking_id",
                         "is no booking that this driver has delivered for you");
        return;
    }
    if (old != NULL && old->count == FAVOURITES_MAX) {
        decision_problem(ret, cmd, PROBLEM_TOO_MANY_FAVOURITES,
                         "you have %d favourite drivers, which is as many as there may be",
                         FAVOURITES_MAX);
        return;
    }
    struct favourites *f = edit(old, ctx->arena);
    f->items[f->count++] = (struct favourite){.driver_id = args->driver_id,
                                              .name = favourite_name(b),
                                              .booking_id = b->head.id,
                                              .at_us = ctx->now_us};
    decision_state(ret, cmd, old, f);
    decision_json(ret, 200, view(f, ctx->arena));
}

static const struct command_type favourite_add = {.name = "favourite.add",
                                                  .aggregate = &favourites_aggregate,
                                                  .load = load_add,
                                                  .decide = decide_add};

static void decide_remove(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct favourites *old = state;
    const struct add_args *args = cmd->args;
    int32_t i = find(old, args->driver_id);
    if (i < 0)
        return; /* 204, as the first time */
    struct favourites *f = edit(old, ctx->arena);
    memmove(&f->items[i], &f->items[i + 1], (size_t)(f->count - i - 1) * sizeof(*f->items));
    f->count--;
    decision_state(ret, cmd, old, f);
}

static const struct command_type favourite_remove = {
    .name = "favourite.remove", .aggregate = &favourites_aggregate, .decide = decide_remove};

/* ---- routes ---- */

static const struct schema_field body_fields[] = {
    {"booking_id", S_ID, S_IN | S_REQUIRED, offsetof(struct favourite, booking_id), .hint = "bkg"},
};
const struct schema favourite_body_schema =
    SCHEMA(struct favourite, "FavouriteRequest", body_fields);

static void send(struct call *c, const struct command_type *type, struct str booking_id) {
    if (!id_valid(c->params[0], "drv")) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such driver");
        return;
    }
    struct add_args *args = arena_new(&c->arena, struct add_args);
    *args = (struct add_args){c->params[0], booking_id};
    call_command(c, type, list_id(&c->arena, c->who.user_id), args);
}

void handle_put_favourite(struct call *c) {
    send(c, &favourite_add, ((const struct favourite *)c->body)->booking_id);
}
void handle_delete_favourite(struct call *c) {
    send(c, &favourite_remove, STR_NONE);
}

void handle_favourites(struct call *c) {
    void *state = NULL;
    int err = aggregate_get(&favourites_aggregate, c->worker->reader, c->worker->parser,
                            list_id(&c->arena, c->who.user_id), &c->arena, &state);
    if (err < 0 && err != ERR_NOT_FOUND)
        call_error(c, err);
    else
        call_json(c, 200, view(state, &c->arena));
}
