#include "services/booking/standing.h"

#include "base/err.h"
#include "services/booking/erase.h"
#include "services/booking/ledger.h"
#include "services/booking/recurrence.h"

#include <stddef.h>

static const struct schema_field fields[] = {
    {"since", S_TIME, S_STORE, offsetof(struct disabled_account, since_us)},
    {"at", S_TIME, S_STORE, offsetof(struct disabled_account, at_us)},
};
static const struct schema schema = SCHEMA(struct disabled_account, "DisabledAccount", fields);
const struct store_collection disabled_collection = {.name = "disabled_accounts"};
const struct aggregate disabled_aggregate = {.collection = &disabled_collection, .schema = &schema};

static int is_there(const struct aggregate *g, struct store *store, struct json_parser *parser,
                    struct str id, struct arena *a, void **ret_state) {
    *ret_state = NULL;
    int err = aggregate_get(g, store, parser, id, a, ret_state);
    return err == ERR_NOT_FOUND ? 0 : err;
}

int standing_of(struct store *store, struct json_parser *parser, struct str user_id,
                struct arena *a, enum standing *ret, int64_t *ret_since_us) {
    void *erased, *disabled = NULL;
    int err = is_there(booking_eraser.aggregate, store, parser, user_id, a, &erased);
    if (err == 0 && erased == NULL)
        err = is_there(&disabled_aggregate, store, parser, user_id, a, &disabled);
    int64_t since_us = disabled != NULL ? ((struct disabled_account *)disabled)->since_us : 0;
    *ret = erased != NULL ? STANDING_ERASED : since_us != 0 ? STANDING_DISABLED : STANDING_GOOD;
    if (ret_since_us != NULL)
        *ret_since_us = since_us;
    return err;
}

/* ---- an account is disabled, or no longer ---- */

struct stop_facts {
    struct store_doc *docs; /* what recurs of it */
    int32_t count;
};

static int load_disable(struct command *cmd, struct store *store, int64_t now_us) {
    struct stop_facts *facts = arena_new(cmd->arena, struct stop_facts);
    struct store_query q = {.collection = &recurrence_collection,
                            .index = recurrence_collection.indexes[1],
                            .key = cmd->id,
                            .limit = RECURRENCES_MAX};
    (void)now_us;
    cmd->facts = facts;
    return store->ops->list(store, &q, cmd->arena, &facts->docs, &facts->count);
}

/* News that was overtaken by newer changes nothing. */
static bool is_old_news(const struct disabled_account *known, int64_t at_us) {
    return known != NULL && at_us < (known->at_us != 0 ? known->at_us : known->since_us);
}

static void note_standing(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, int64_t since_us, struct decision *ret) {
    struct disabled_account *d = arena_new(ctx->arena, struct disabled_account);
    *d = (struct disabled_account){.since_us = since_us, .at_us = *(const int64_t *)cmd->args};
    decision_state(ret, cmd, state, d);
}

/* If he was disabled already he may have been enabled in between, and that be on its way: what was
 * begun before this does not go on. */
static void decide_disable(const struct command *cmd, const struct decide_ctx *ctx,
                           const void *state, struct decision *ret) {
    const struct stop_facts *facts = cmd->facts;
    const struct ev_of_user said = {cmd->id, *(const int64_t *)cmd->args};
    if (is_old_news(state, said.since_us))
        return;
    note_standing(cmd, ctx, state, said.since_us, ret);
    for (int32_t i = 0; i < facts->count; i++)
        decision_event(ret, cmd, ctx, EV_RECURRENCE_STOPPED, facts->docs[i].id, &ev_of_user_schema,
                       &said);
}
static const struct command_type disable_type = {.name = "booking.disable_account",
                                                 .aggregate = &disabled_aggregate,
                                                 .load = load_disable,
                                                 .decide = decide_disable};

static void decide_enable(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    if (!is_old_news(state, *(const int64_t *)cmd->args))
        note_standing(cmd, ctx, state, 0, ret);
}
static const struct command_type enable_type = {
    .name = "booking.enable_account", .aggregate = &disabled_aggregate, .decide = decide_enable};

void standing_on_account(struct event_turn *t, const void *data) {
    const struct ev_account *said = data;
    if (id_valid(said->user_id, "usr"))
        event_command(t, said->disabled ? &disable_type : &enable_type,
                      arena_str(t->arena, said->user_id),
                      arena_copy(t->arena, &t->event->at_us, sizeof(t->event->at_us)));
}

bool standing_over(const void *state, int64_t before_us) {
    const struct disabled_account *d = state;
    return d->since_us == 0 && d->at_us < before_us;
}

void standing_on_stopped(struct event_turn *t, const void *data) {
    const struct ev_of_user *said = data;
    if (id_valid(t->event->key, "rec"))
        event_command(t, &recurrence_stop, arena_str(t->arena, t->event->key),
                      arena_copy(t->arena, &said->since_us, sizeof(said->since_us)));
}

/* ---- bookings of who is erased ---- */

void standing_ask(struct decision *d, const struct command *cmd, const struct decide_ctx *ctx,
                  struct str booking_id, struct str user_id) {
    const struct ev_of_user said = {user_id, 0};
    decision_event(d, cmd, ctx, EV_STANDING_ASKED, booking_id, &ev_of_user_schema, &said);
}

static int load_orphan(struct command *cmd, struct store *store, int64_t now_us) {
    const struct ev_of_user *said = cmd->args;
    enum standing *facts = arena_new(cmd->arena, enum standing);
    (void)now_us;
    cmd->facts = facts;
    return standing_of(store, executor_parser(cmd->executor), said->user_id, cmd->arena, facts,
                       NULL);
}

/* What is on its way already is brought to its end. */
static void decide_orphan(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct booking *b = state;
    const enum standing *standing = cmd->facts;
    if (b == NULL || *standing != STANDING_ERASED || b->state > BOOKING_ARRIVED_PICKUP)
        return;
    struct edit e;
    edit_begin(&e, cmd, ctx, b);
    booking_call_off(&e, STR("its customer's account was erased"));
    edit_commit(&e, ret);
}
static const struct command_type orphan_type = {.name = "booking.orphan",
                                                .aggregate = &booking_aggregate,
                                                .load = load_orphan,
                                                .decide = decide_orphan,
                                                .applied = booking_applied};

void standing_on_asked(struct event_turn *t, const void *data) {
    const struct ev_of_user *said = data;
    if (id_valid(t->event->key, "bkg") && id_valid(said->user_id, "usr"))
        event_command(t, &orphan_type, arena_str(t->arena, t->event->key),
                      arena_copy(t->arena, said, sizeof(*said)));
}
