/* The tariffs over HTTP. A version is a document that never changes, and its id is its number: so
 * two admins who write at once meet in the same id, and one of them hears of it. If-Match counts
 * the newest version, whether that holds yet or waits for its day.
 */
#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "services/booking/internal.h"

#define PAST_US (60 * US_PER_S) /* so much may effective_at lie back: clocks differ */

/* ---- PUT /v1/tariffs ---- */

struct put_facts {
    const struct tariffs *newest;
    int64_t if_match;
};

void check_tariffs(struct call *c, const void *body, struct field_errors *errors) {
    const struct tariffs *t = body;
    tariffs_check(t, "items", ZONE_DIR, &c->arena, errors);
    if (t->effective_us == 0)
        return;
    if (t->effective_us < c->now_us - PAST_US)
        field_errors_add(errors, &c->arena, STR("/effective_at"), "must not lie in the past");
    if (t->effective_us > c->now_us + TARIFF_AHEAD_DAYS_MAX * US_PER_DAY)
        field_errors_add(errors, &c->arena, STR("/effective_at"), "must lie within %d days",
                         TARIFF_AHEAD_DAYS_MAX);
}

/* Which version it will be follows from the newest. If-Match speaks of that one, not of the
 * document to be written, which is why it is not left to the executor. */
static int load_put(struct command *cmd, struct store *store, int64_t now_us) {
    (void)now_us;
    const struct booking_service *s = cmd->service;
    struct put_facts *facts = cmd->facts;
    if (facts == NULL) {
        facts = arena_new(cmd->arena, struct put_facts);
        facts->if_match = cmd->if_match;
        cmd->if_match = 0;
        cmd->facts = facts;
    }
    int err = tariffs_newest(store, executor_parser(cmd->executor), s->o.tariffs, cmd->arena,
                             &facts->newest);
    if (err == 0)
        cmd->id = tariff_id(cmd->arena, facts->newest->number + 1);
    return err;
}

/* What still counts once T is there: what holds now, what will, and T. False: too many. */
static bool look_ahead(const struct tariffs *newest, int64_t now_us, struct arena *a,
                       struct tariffs *t) {
    static const struct tariff_ref first = {.number = 1};
    const struct tariff_ref *old = newest->ahead_count > 0 ? newest->ahead : &first;
    int32_t count = newest->ahead_count > 0 ? newest->ahead_count : 1;
    int64_t holds = newest->ahead_count > 0 ? tariffs_number_at(newest, now_us) : first.number;
    t->ahead = arena_array(a, struct tariff_ref, count + 1);
    for (int32_t i = 0; i < count; i++) {
        bool counts = old[i].number == holds || old[i].effective_us > now_us;
        bool replaced = old[i].effective_us == t->effective_us ||
                        (old[i].number == holds && t->effective_us <= now_us);
        if (counts && !replaced)
            t->ahead[t->ahead_count++] = old[i];
    }
    t->ahead[t->ahead_count++] = (struct tariff_ref){t->number, t->effective_us};
    return t->ahead_count <= TARIFF_AHEAD_MAX;
}

static void decide_put(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                       struct decision *ret) {
    const struct put_facts *facts = cmd->facts;
    const struct tariffs *newest = facts->newest;
    struct tariffs *t = arena_copy(ctx->arena, cmd->args, sizeof(struct tariffs));
    if (state != NULL || (facts->if_match > 0 && facts->if_match != newest->number)) {
        decision_problem(ret, cmd, PROBLEM_PRECONDITION_FAILED, "the newest version is %lld",
                         (long long)newest->number + (state != NULL ? 1 : 0));
        return;
    }
    if (!str_eq(t->currency, newest->currency)) {
        decision_invalid(ret, cmd, "/currency", "this house reckons in %.*s",
                         STR_ARG(newest->currency));
        return;
    }
    tariffs_fill(t, ctx->arena);
    t->number = newest->number + 1;
    t->created_us = ctx->now_us;
    t->created_by = cmd->who.user_id;
    if (t->effective_us < ctx->now_us)
        t->effective_us = ctx->now_us;
    if (!look_ahead(newest, ctx->now_us, ctx->arena, t)) {
        decision_invalid(ret, cmd, "/effective_at", "%d versions wait for their day already",
                         TARIFF_AHEAD_MAX - 1);
        return;
    }
    decision_state(ret, cmd, NULL, t);
    decision_json(ret, 200, tariffs_json(t, ctx->arena));
    decision_etag(ret, cmd, t->number);
}

static void put_applied(const struct command *cmd, const struct decision *d, const void *state) {
    (void)state;
    struct booking_service *s = cmd->service;
    const struct tariffs *t = d->state;
    if (t != NULL)
        shelf_written(&s->tariffs, executor_store(cmd->executor), t->created_us);
}

static const struct command_type tariff_put = {
    .name = "tariff.put",
    .aggregate = &tariff_aggregate,
    .load = load_put,
    .decide = decide_put,
    .applied = put_applied,
};

void handle_put_tariffs(struct call *c) {
    call_command(c, &tariff_put, tariff_id(&c->arena, 0), c->body);
}

/* ---- reads: from the store, so that who has written sees it ---- */

/* Version NUMBER, or NULL: replied. */
static const struct tariffs *version_of(struct call *c, const struct tariffs *newest,
                                        int64_t number) {
    const struct booking_service *s = c->service;
    if (number == newest->number)
        return newest;
    if (number == 1)
        return s->o.tariffs;
    return call_state(c, &tariff_aggregate, tariff_id(&c->arena, number));
}

void handle_tariffs(struct call *c) {
    const struct booking_service *s = c->service;
    const struct tariffs *newest;
    int64_t number = 0;
    if (!call_query_i64(c, "version", 1, INT64_C(1) << 40, &number))
        return;
    int err =
        tariffs_newest(c->worker->reader, c->worker->parser, s->o.tariffs, &c->arena, &newest);
    if (err < 0) {
        call_error(c, err);
        return;
    }
    if (number == 0)
        number = tariffs_number_at(newest, c->now_us);
    const struct tariffs *t = version_of(c, newest, number);
    if (t == NULL)
        return;
    response_header(&c->response, "ETag",
                    arena_printf(&c->arena, "\"%lld\"", (long long)newest->number));
    response_header(&c->response, "Cache-Control", STR("private, no-cache"));
    call_json(c, 200, tariffs_json(t, &c->arena));
}

static void write_version(struct page *p, const void *state, const void *arg) {
    const struct tariffs *t = state;
    (void)arg;
    jw_object(&p->w);
    jw_kv_i64(&p->w, "version", t->number);
    jw_kv_time(&p->w, "effective_at", t->effective_us);
    jw_kv_time(&p->w, "created_at", t->created_us);
    jw_kv_str(&p->w, "created_by", t->created_by);
    jw_kv_str(&p->w, "note", t->note);
    jw_end(&p->w);
}

void handle_tariff_versions(struct call *c) {
    const struct booking_service *s = c->service;
    struct page p;
    if (!page_list(&p, c, &tariff_aggregate, -1, STR_NONE, write_version, NULL))
        return;
    if (!p.more) /* the house's own is no document, and comes last */
        write_version(&p, s->o.tariffs, NULL);
    page_reply(&p, p.more, p.last_id);
}
