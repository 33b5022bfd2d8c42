/* A booking for later is looked for schedule_lead before its window. Half of that is for finding
 * who will come, and half for his way: where the nearest free driver takes longer, the search
 * begins as much earlier, at most schedule_lead_max before the window.
 *
 * Nothing of it is kept. How far drivers are is of now, so it is looked at again every minute, by
 * each process that has an executor; what comes of it is a command that judges by the booking as it
 * is then, so that it does not matter how many send it, or that one is lost.
 */
#include "services/booking/early.h"

#include "base/check.h"
#include "base/err.h"
#include "services/booking/schedule.h"

#include <string.h>

int64_t early_search_at(const struct booking_service *s, const struct booking *b, int64_t eta_s) {
    int64_t near_us = s->o.schedule_lead_us / 2, ahead_us = 0;
    int64_t ahead_max_us = s->o.schedule_lead_max_us - s->o.schedule_lead_us;
    if (eta_s != I64_ABSENT && eta_s * US_PER_S > near_us)
        ahead_us = eta_s * US_PER_S - near_us;
    if (ahead_us > ahead_max_us)
        ahead_us = ahead_max_us > 0 ? ahead_max_us : 0;
    return b->dispatch_at_us - ahead_us;
}

/* ---- the beginning ---- */

static void decide_begin(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    const struct booking *b = state;
    const int64_t *eta_s = cmd->args;
    if (b == NULL || b->state != BOOKING_SCHEDULED ||
        ctx->now_us < early_search_at(cmd->service, b, *eta_s))
        return; /* it has begun, or has been given another time */
    struct edit e;
    edit_begin(&e, cmd, ctx, b);
    e.b->dispatch_at_us = ctx->now_us;
    schedule_begin(&e);
    edit_commit(&e, ret);
}

static const struct command_type booking_begin_early = {
    .name = "booking.begin_early",
    .aggregate = &booking_aggregate,
    .decide = decide_begin,
    .applied = booking_applied,
};

/* ---- looking around ---- */

/* True: B could begin now already if somebody had far to come, and has been looked at. */
static bool look(struct booking_service *s, const struct booking *b, int64_t now_us) {
    int64_t ahead_max_us = s->o.schedule_lead_max_us - s->o.schedule_lead_us;
    if (b->state != BOOKING_SCHEDULED || b->dispatch_at_us - ahead_max_us > now_us)
        return false;
    int64_t eta_s =
        booking_pickup_eta_s(s, place_point(&b->stops[0].place), (enum vehicle)b->vehicle);
    /* One that is lost is sent again in a minute, and its wake-up comes at its time. */
    if (eta_s != I64_ABSENT && now_us >= early_search_at(s, b, eta_s))
        executor_send(s->executor, &booking_begin_early, s, b->head.id, &eta_s, sizeof eta_s);
    return true;
}

/* The first of DOCS, which lie by wake-up and id, behind that which was read last. */
static int32_t turn_of(const struct early_turn *t, const struct store_doc *docs, int32_t count) {
    const struct str id = {t->id, t->id_len};
    for (int32_t i = 0; i < count; i++) {
        if (docs[i].wake_at_us > t->wake_at_us ||
            (docs[i].wake_at_us == t->wake_at_us && str_cmp(docs[i].id, id) > 0))
            return i;
    }
    return 0;
}

static void keep_turn(struct early_turn *t, const struct store_doc *doc) {
    CHECK(doc->id.len <= sizeof t->id);
    t->wake_at_us = doc->wake_at_us;
    t->id_len = doc->id.len;
    memcpy(t->id, doc->id.p, doc->id.len);
}

/* In turn, so that each is looked at in time however many there are. */
static void look_around(struct booking_service *s, struct store *writer, struct json_parser *parser,
                        int64_t now_us, struct arena *a) {
    struct store_doc *docs;
    int32_t count, looks = 0, reads = 0;
    int64_t until_us = now_us + s->o.schedule_lead_max_us - s->o.schedule_lead_us;
    if (writer->ops->due(writer, &booking_collection, until_us, EARLY_PAGE_MAX, a, &docs, &count) <
        0)
        return;
    int32_t first = turn_of(&s->early_turn, docs, count);
    for (int32_t n = 0; n < count && looks < EARLY_LOOKS_MAX && reads < EARLY_READS_MAX; n++) {
        const struct store_doc *doc = &docs[(first + n) % count];
        void *state;
        if (doc->wake_at_us <= now_us)
            continue;
        reads++;
        keep_turn(&s->early_turn, doc);
        if (aggregate_get(&booking_aggregate, writer, parser, doc->id, a, &state) == 0)
            looks += look(s, state, now_us);
    }
}

void early_tick(struct booking_service *s, struct store *writer, int64_t now_us) {
    bool never = s->executor == NULL || s->o.fleet == NULL ||
                 s->o.schedule_lead_max_us <= s->o.schedule_lead_us;
    if (never || now_us < s->early_next_us)
        return;
    s->early_next_us = now_us + EARLY_LOOK_US;
    struct arena a;
    arena_init(&a, 16384);
    look_around(s, writer, executor_parser(s->executor), now_us, &a);
    arena_free(&a);
}
