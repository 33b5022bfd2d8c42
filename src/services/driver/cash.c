/* What happens to a driver's book. The decisions are pure. */
#include "services/driver/cash.h"

#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "runtime/audit.h"
#include "runtime/csv.h"

#include <stddef.h>
#include <string.h>

/* ---- tables ---- */

#define ENTRY(member) .offset = offsetof(struct cash_entry, member)
static const struct schema_field entry_fields[] = {
    {"driver_id", S_ID, S_STORE | S_OUT, ENTRY(driver_id), .hint = "drv"},
    {"kind", S_ENUM, S_STORE | S_OUT, ENTRY(kind), .names = cash_kind_names},
    {"at", S_TIME, S_STORE | S_OUT, ENTRY(at_us)},
    {"currency", S_STR, S_STORE | S_OUT, ENTRY(currency)},
    {"lines", S_OBJECT, S_STORE, ENTRY(lines), .sub = &cash_lines_schema},
    {"booking_id", S_ID, S_STORE | S_OUT, ENTRY(booking_id), .hint = "bkg"},
    {"customer_id", S_ID, S_STORE, ENTRY(customer_id), .hint = "usr"},
    {"stop", S_I64, S_STORE | S_OUT, ENTRY(stop)},
    {"by", S_ID, S_STORE | S_OUT, ENTRY(by), .hint = "usr"},
    {"reason", S_STR, S_STORE | S_OUT, ENTRY(reason)},
    {"reference", S_STR, S_STORE | S_OUT, ENTRY(reference)},
    {"reverses", S_ID, S_STORE | S_OUT, ENTRY(reverses), .hint = "cse"},
    {"reversed_by", S_ID, S_STORE | S_OUT, ENTRY(reversed_by), .hint = "cse"},
};
static const struct schema entry_schema = SCHEMA(struct cash_entry, "CashEntry", entry_fields);
const struct store_collection cash_entry_collection = {.name = "cash_entries"};
const struct aggregate cash_entry_aggregate = {.collection = &cash_entry_collection,
                                               .schema = &entry_schema};

struct settlement_body {
    int32_t kind; /* of its own names, from KIND_HANDED_IN */
    int64_t amount;
    int64_t balance; /* what he holds, or for paid_out is owed, as whoever records it has seen it */
    struct str reference, reason;
};
struct reversal_body {
    struct str reason;
};
static const char *const settlement_names[] = {NULL, "handed_in", "kept", "paid_out", NULL};
#define SETTLED(member) .offset = offsetof(struct settlement_body, member)
static const struct schema_field settlement_fields[] = {
    {"kind", S_ENUM, S_IN | S_REQUIRED, SETTLED(kind), .names = settlement_names,
     .hint = "kind of settlement"},
    {"amount", S_I64, S_IN | S_REQUIRED, SETTLED(amount), .min = 1, .max = CASH_AMOUNT_MAX,
     .hint = "whole minor units of the currency"},
    {"balance", S_I64, S_IN | S_REQUIRED, SETTLED(balance), .min = INT64_MIN + 1, .max = INT64_MAX},
    {"reference", S_LINE, S_IN, SETTLED(reference), .min = 1, .max = CASH_REFERENCE_CHARS_MAX},
    {"reason", S_STR, S_IN, SETTLED(reason), .min = 1, .max = REASON_CHARS_MAX},
};
const struct schema settlement_body_schema =
    STRICT_SCHEMA(struct settlement_body, "SettlementRequest", settlement_fields);
static const struct schema_field reversal_fields[] = {
    {"reason", S_STR, S_IN | S_REQUIRED, .offset = offsetof(struct reversal_body, reason), .min = 1,
     .max = REASON_CHARS_MAX},
};
const struct schema reversal_body_schema =
    STRICT_SCHEMA(struct reversal_body, "ReversalRequest", reversal_fields);

/* ---- the book ---- */

int64_t cash_sum(const struct cash_lines *lines) {
    int64_t sum = 0;
    for (int i = CASH_NONE + 1; i < CASH_ACCOUNT_COUNT; i++)
        sum += lines->amount[i] != I64_ABSENT ? lines->amount[i] : 0;
    return sum;
}

struct cash_book *cash_copy(struct arena *a, const struct cash_book *from) {
    if (from == NULL)
        return NULL;
    struct cash_book *copy = arena_copy(a, from, sizeof(*copy));
    copy->currency = arena_str(a, copy->currency);
    return copy;
}

/* An account that was not kept yet when it was written is empty. */
static int64_t in(const struct cash_lines *lines, int account) {
    return lines->amount[account] != I64_ABSENT ? lines->amount[account] : 0;
}

void cash_add(struct driver *d, struct str currency, const struct cash_lines *lines,
              struct arena *a) {
    CHECK(cash_sum(lines) == 0);
    if (d->cash == NULL) {
        d->cash = arena_new(a, struct cash_book);
        *d->cash = (struct cash_book){.currency = arena_str(a, currency)};
    }
    for (int i = CASH_NONE + 1; i < CASH_ACCOUNT_COUNT; i++)
        d->cash->sum.amount[i] = in(&d->cash->sum, i) + in(lines, i);
    d->cash->sum.amount[CASH_NONE] = 0;
    CHECK(cash_sum(&d->cash->sum) == 0);
}

static int64_t of(const struct driver *d, enum cash_account account) {
    return d != NULL && d->cash != NULL ? in(&d->cash->sum, account) : 0;
}

int64_t cash_held(const struct driver *d) {
    return of(d, CASH_HELD);
}

int64_t cash_coming(const struct driver *d) {
    return cash_held(d) + (driver_active(d) && d->claim->cash > 0 ? d->claim->cash : 0);
}

static void move(struct cash_lines *lines, enum cash_account from, enum cash_account to,
                 int64_t amount) {
    lines->amount[from] -= amount;
    lines->amount[to] += amount;
}

/* ---- the one way into a book ---- */

static struct str ulid_of(struct str id) {
    CHECK(id.len > ULID_TEXT_LEN);
    return str_sub(id, id.len - ULID_TEXT_LEN, id.len);
}

/* Where the entry "cse_…" of a driver lies. */
static struct str entry_id(struct arena *a, struct str driver_id, struct str public_id) {
    return arena_printf(a, "%.*s_%.*s", STR_ARG(ulid_of(driver_id)), STR_ARG(ulid_of(public_id)));
}

static struct cash_entry entry_of(const struct ev_cash *said, int64_t at_us) {
    return (struct cash_entry){.driver_id = said->driver_id,
                               .kind = said->kind,
                               .at_us = said->at_us != 0 ? said->at_us : at_us,
                               .currency = said->currency,
                               .lines = said->lines,
                               .booking_id = said->booking_id,
                               .customer_id = said->customer_id,
                               .stop = said->stop,
                               .by = said->by,
                               .reason = said->reason,
                               .reference = said->reference,
                               .reverses = said->reverses};
}

/* Into the balances of NEXT, which is being edited; the entry is written of the event of it. */
static void post(struct driver *next, const struct ev_cash *said, const struct command *cmd,
                 const struct decide_ctx *ctx, struct decision *ret) {
    cash_add(next, said->currency, &said->lines, ctx->arena);
    decision_event(ret, cmd, ctx, EV_CASH_SETTLED, cmd->id, &ev_cash_schema, said);
}

struct post_facts {
    bool posted; /* its entry is there: it is in the balances */
};

/* What was heard before is known by its event only for some days; an event may be given again after
 * that (`lorry dead-letters`). Its entry stays. */
static int load_post(struct command *cmd, struct store *store, int64_t now_us) {
    const struct ev_cash *said = cmd->args;
    struct post_facts *facts = arena_new(cmd->arena, struct post_facts);
    struct store_doc doc;
    (void)now_us;
    cmd->facts = facts;
    int err =
        store->ops->get(store, &cash_entry_collection,
                        entry_id(cmd->arena, said->driver_id, said->entry_id), cmd->arena, &doc);
    facts->posted = err == 0;
    return err == ERR_NOT_FOUND ? 0 : err;
}

static void decide_post(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    const struct ev_cash *said = cmd->args;
    const struct post_facts *facts = cmd->facts;
    if (state == NULL || facts->posted)
        return;
    struct driver *next = driver_edit(cmd, ctx, state, ret);
    post(next, said, cmd, ctx, ret);
    if (said->kind != KIND_REVERSED)
        return;
    struct ev_notice notice = {.kind = STR("cash_reversed"),
                               .days = I64_ABSENT,
                               .reason = said->reason,
                               .amount = I64_ABSENT};
    driver_notice(next, &notice, cmd, ctx, ret);
}
static const struct command_type post_type = {.name = "cash.post",
                                              .aggregate = &driver_aggregate,
                                              .load = load_post,
                                              .decide = decide_post,
                                              .applied = driver_applied};

bool cash_sound(const struct ev_booking *b) {
    return b->money != NULL && id_valid(b->driver_id, "drv") && cash_sum(b->money) == 0;
}

/* The entry is named by the event that brought it. */
void cash_take(struct event_turn *t, const struct ev_booking *b, enum cash_kind kind) {
    if (!cash_sound(b) || !id_valid(t->event->id, "evt"))
        return;
    struct ev_cash *said = arena_new(t->arena, struct ev_cash);
    *said = (struct ev_cash){.entry_id = id_with_prefix(t->arena, t->event->id, "cse"),
                             .driver_id = b->driver_id,
                             .user_id = id_with_prefix(t->arena, b->driver_id, "usr"),
                             .kind = (int32_t)kind,
                             .currency = b->currency,
                             .lines = *b->money,
                             .at_us = t->event->at_us,
                             .booking_id = b->booking_id,
                             .customer_id = b->customer_id,
                             .stop = b->money_stop};
    event_command(t, &post_type, b->driver_id, said);
}

void on_collected(struct event_turn *t, const void *data) {
    cash_take(t, data, KIND_COLLECTED);
}

static bool settles(const struct ev_cash *said) {
    return id_valid(said->driver_id, "drv") && id_valid(said->entry_id, "cse") &&
           cash_sum(&said->lines) == 0;
}

void on_reversed(struct event_turn *t, const void *data) {
    const struct ev_cash *said = data;
    if (settles(said))
        event_command(t, &post_type, said->driver_id, arena_copy(t->arena, said, sizeof(*said)));
}

/* ---- entries, made by events ---- */

static void decide_enter(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    if (state != NULL)
        return; /* its event has come before */
    decision_state(ret, cmd, NULL, arena_copy(ctx->arena, cmd->args, sizeof(struct cash_entry)));
}
static const struct command_type enter_type = {
    .name = "cash.enter", .aggregate = &cash_entry_aggregate, .decide = decide_enter};

void on_settled(struct event_turn *t, const void *data) {
    const struct ev_cash *said = data;
    if (!settles(said))
        return;
    struct cash_entry entry = entry_of(said, t->event->at_us);
    event_command(t, &enter_type, entry_id(t->arena, said->driver_id, said->entry_id),
                  arena_copy(t->arena, &entry, sizeof(entry)));
}

/* ---- settlements ---- */

/* 409 with what it is now. */
static void refuse_balance(const struct command *cmd, int64_t balance, struct decision *ret) {
    problem_fill_more(&ret->response, cmd->arena, cmd->request_id, PROBLEM_CASH_CHANGED,
                      arena_printf(cmd->arena, "the balance is %lld by now", (long long)balance),
                      NULL, arena_printf(cmd->arena, "\"balance\":%lld", (long long)balance), 0);
}

static void refuse_amount(const struct command *cmd, int64_t most, struct decision *ret) {
    decision_invalid(ret, cmd, "/amount", "must be at most %lld", (long long)(most > 0 ? most : 0));
}

static void write_lines(struct jw *w, const struct cash_lines *lines) {
    jw_key(w, "lines");
    jw_array(w);
    for (int i = CASH_NONE + 1; i < CASH_ACCOUNT_COUNT; i++) {
        if (in(lines, i) == 0)
            continue;
        jw_object(w);
        jw_kv_str(w, "account", str_from(cash_account_names[i]));
        jw_kv_i64(w, "amount", in(lines, i));
        jw_end(w);
    }
    jw_end(w);
}

static void entry_write(struct jw *w, const struct cash_entry *e, struct str public_id) {
    jw_object(w);
    jw_kv_str(w, "id", public_id);
    schema_write_fields(&entry_schema, e, S_OUT, w);
    write_lines(w, &e->lines);
    jw_end(w);
}

/* The answer: the entry, which its event will bring into the store. */
static void answer_entry(const struct decide_ctx *ctx, const struct ev_cash *said,
                         struct decision *ret) {
    struct cash_entry e = entry_of(said, ctx->now_us);
    struct buf out;
    struct jw w;
    buf_init(&out, ctx->arena, 512);
    jw_init(&w, &out);
    entry_write(&w, &e, said->entry_id);
    decision_json(ret, 201, buf_str(&out));
}

static void decide_settle(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct settlement_body *body = cmd->args;
    const struct driver *d = state;
    if (d == NULL) {
        decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "there is no such driver");
        return;
    }
    int32_t kind = KIND_HANDED_IN + body->kind - 1;
    int64_t held = cash_held(d), owed = -of(d, CASH_EARNINGS);
    int64_t balance = kind == KIND_PAID_OUT ? owed : held;
    int64_t most = kind == KIND_KEPT && owed < held ? owed : balance;
    if (body->balance != balance) {
        refuse_balance(cmd, balance, ret);
        return;
    }
    if (body->amount > most) {
        refuse_amount(cmd, most, ret);
        return;
    }
    struct ev_cash said = {.entry_id = id_new(ctx->arena, "cse", ctx->now_us, ctx->rng),
                           .driver_id = cmd->id,
                           .user_id = d->user_id,
                           .kind = kind,
                           .currency = d->cash->currency,
                           .by = cmd->who.user_id,
                           .reason = body->reason,
                           .reference = body->reference,
                           .stop = I64_ABSENT};
    move(&said.lines, kind == KIND_PAID_OUT ? CASH_TILL : CASH_HELD,
         kind == KIND_HANDED_IN ? CASH_TILL : CASH_EARNINGS, body->amount);
    struct driver *next = driver_edit(cmd, ctx, d, ret);
    struct ev_notice notice = {.kind = STR("cash_settled"),
                               .days = I64_ABSENT,
                               .reason = said.reason,
                               .amount = body->amount,
                               .currency = said.currency};
    post(next, &said, cmd, ctx, ret);
    driver_notice(next, &notice, cmd, ctx, ret);
    decision_audit(ret, cmd, ctx, "cash.settled", NULL, &said,
                   &(struct audit_more){.schema = &ev_cash_schema, .kept = true});
    answer_entry(ctx, &said, ret);
}

static const struct command_type settle_type = {.name = "cash.settle",
                                                .aggregate = &driver_aggregate,
                                                .decide = decide_settle,
                                                .applied = driver_applied};

void cash_settle(struct call *c) {
    if (call_header(c, "idempotency-key").p == NULL) {
        call_problem(c, PROBLEM_BAD_PARAMETER,
                     "a settlement needs an Idempotency-Key, so that it is never recorded twice");
        return;
    }
    if (id_valid(c->params[0], "drv"))
        call_command(c, &settle_type, c->params[0], c->body);
    else
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such driver");
}

/* ---- putting right ---- */

struct reverse_args {
    struct str driver_id, reason, public_id; /* of the entry that is reversed */
};

static void decide_reverse(const struct command *cmd, const struct decide_ctx *ctx,
                           const void *state, struct decision *ret) {
    const struct reverse_args *args = cmd->args;
    const struct cash_entry *old = state;
    if (old == NULL) {
        decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "there is no such entry");
        return;
    }
    bool settlement = old->kind >= KIND_HANDED_IN && old->kind <= KIND_PAID_OUT;
    if (!settlement || old->reversed_by.p != NULL) {
        decision_problem(ret, cmd, PROBLEM_CASH_REVERSED,
                         settlement ? "this settlement has been reversed"
                                    : "this entry is no settlement");
        return;
    }
    struct ev_cash said = {.entry_id = id_new(ctx->arena, "cse", ctx->now_us, ctx->rng),
                           .driver_id = args->driver_id,
                           .user_id = id_with_prefix(ctx->arena, args->driver_id, "usr"),
                           .kind = KIND_REVERSED,
                           .currency = old->currency,
                           .by = cmd->who.user_id,
                           .reason = args->reason,
                           .reverses = args->public_id,
                           .stop = I64_ABSENT};
    for (int i = CASH_NONE + 1; i < CASH_ACCOUNT_COUNT; i++)
        said.lines.amount[i] = -in(&old->lines, i);
    struct cash_entry *next = arena_copy(ctx->arena, old, sizeof(*next));
    next->reversed_by = said.entry_id;
    decision_state(ret, cmd, old, next);
    decision_event(ret, cmd, ctx, EV_CASH_REVERSED, args->driver_id, &ev_cash_schema, &said);
    decision_audit(ret, cmd, ctx, "cash.reversed", NULL, &said,
                   &(struct audit_more){.schema = &ev_cash_schema,
                                        .kept = true,
                                        .reason = args->reason,
                                        .subject_id = args->driver_id});
    answer_entry(ctx, &said, ret);
}

static const struct command_type reverse_type = {
    .name = "cash.reverse", .aggregate = &cash_entry_aggregate, .decide = decide_reverse};

void cash_reverse(struct call *c) {
    const struct reversal_body *body = c->body;
    if (!id_valid(c->params[0], "drv") || !id_valid(c->params[1], "cse")) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such entry");
        return;
    }
    struct reverse_args *args = arena_new(&c->arena, struct reverse_args);
    *args = (struct reverse_args){c->params[0], body->reason, c->params[1]};
    call_command(c, &reverse_type, entry_id(&c->arena, args->driver_id, args->public_id), args);
}

/* ---- reading ---- */

static void write_balances(struct jw *w, const struct driver_service *s, const struct driver *d) {
    bool kept = d != NULL && d->cash != NULL;
    jw_kv_str(w, "currency", kept ? d->cash->currency : str_from(s->o.currency));
    jw_kv_i64(w, "cash_held", cash_held(d));
    jw_kv_i64(w, "earnings_owed", -of(d, CASH_EARNINGS));
    jw_kv_i64(w, "owes_company", cash_held(d) + of(d, CASH_EARNINGS));
    jw_kv_i64(w, "owed_to_customers", -of(d, CASH_CUSTOMERS));
    jw_kv_i64(w, "fares_due", of(d, CASH_FARES));
    jw_kv_i64(w, "commission", -of(d, CASH_COMMISSION));
    jw_kv_i64(w, "tax", -of(d, CASH_TAX));
    jw_kv_i64(w, "discounts", of(d, CASH_DISCOUNTS));
    jw_kv_i64(w, "till", of(d, CASH_TILL));
    jw_key(w, "limit");
    if (s->o.cash_limit > 0)
        jw_i64(w, s->o.cash_limit);
    else
        jw_null(w);
    jw_key(w, "limit_reached");
    jw_bool(w, s->o.cash_limit > 0 && cash_held(d) >= s->o.cash_limit);
}

static void reply_balances(struct call *c, struct str driver_id) {
    void *state = NULL;
    struct buf out;
    struct jw w;
    int err = aggregate_get(&driver_aggregate, c->worker->reader, c->worker->parser, driver_id,
                            &c->arena, &state);
    bool own = c->who.role == ROLE_DRIVER; /* he may ask before he has a document */
    if (err < 0 && !(err == ERR_NOT_FOUND && own)) {
        call_error(c, err);
        return;
    }
    const struct driver *d = state;
    buf_init(&out, &c->arena, 512);
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "driver_id", driver_id);
    jw_kv_str(&w, "name", d != NULL ? d->name : STR_NONE);
    write_balances(&w, c->service, d);
    jw_end(&w);
    response_header(&c->response, "Cache-Control", STR("private, no-store"));
    call_json(c, 200, buf_str(&out));
}

/* The driver of the path, or absent: replied. */
static struct str path_driver(struct call *c) {
    if (id_valid(c->params[0], "drv"))
        return c->params[0];
    call_problem(c, PROBLEM_NOT_FOUND, "there is no such driver");
    return STR_NONE;
}

void cash_own(struct call *c) {
    reply_balances(c, driver_id_of(&c->arena, c->who.user_id));
}

void cash_of(struct call *c) {
    struct str id = path_driver(c);
    if (id.p != NULL)
        reply_balances(c, id);
}

static void write_all(struct page *p, const void *state, const void *arg) {
    const struct driver *d = state;
    jw_object(&p->w);
    jw_kv_str(&p->w, "driver_id", d->head.id);
    jw_kv_str(&p->w, "name", d->name);
    write_balances(&p->w, arg, d);
    jw_end(&p->w);
}

void cash_all(struct call *c) {
    struct page p;
    if (page_list(&p, c, &driver_aggregate, -1, STR_NONE, write_all, c->service))
        page_reply(&p, p.more, p.last_id);
}

/* A stretch of a driver's entries, newest first. */
struct entries {
    struct str driver_id;
    struct store_query q;
    bool csv;
};

static const char *const format_names[] = {NULL, "json", "csv", NULL};

/* The lowest id of an entry of AT or later. */
static struct str floor_id(struct arena *a, struct str driver_id, int64_t at_us) {
    struct rng zero = {0}; /* only the time in the id counts */
    return entry_id(a, driver_id, id_new(a, "cse", at_us, &zero));
}

/* False: replied. */
static bool ask_entries(struct call *c, struct str driver_id, struct entries *e) {
    int32_t limit, format = 0;
    int64_t from_us = 0, to_us = 0;
    struct str after;
    if (!call_page(c, &limit, &after) || !call_query_enum(c, "format", format_names, &format) ||
        !call_query_time(c, "from", &from_us) || !call_query_time(c, "to", &to_us))
        return false;
    struct str his = ulid_of(driver_id);
    struct str above = arena_printf(&c->arena, "%.*s_~", STR_ARG(his));
    if (to_us > 0)
        above = floor_id(&c->arena, driver_id, to_us);
    bool foreign = after.len <= his.len || !str_eq(str_sub(after, 0, his.len), his);
    if (after.p != NULL && foreign) {
        call_problem(c, PROBLEM_BAD_PARAMETER, "cursor must be the next_cursor of an earlier page");
        return false;
    }
    *e = (struct entries){.driver_id = driver_id,
                          .csv = format == 2,
                          .q = {.collection = &cash_entry_collection,
                                .after = after.p != NULL ? after : above,
                                .until = from_us > 0
                                             ? floor_id(&c->arena, driver_id, from_us - 1000)
                                             : arena_printf(&c->arena, "%.*s_", STR_ARG(his)),
                                .limit = format == 2 ? STORE_LIST_MAX : limit}};
    return true;
}

static struct str public_id(struct arena *a, struct str id) {
    return arena_printf(a, "cse_%.*s", STR_ARG(ulid_of(id)));
}

static void csv_row(struct buf *out, const struct cash_entry *e, struct arena *a) {
    char at[TIMESTAMP_TEXT_MAX];
    timestamp_format(e->at_us, at);
    buf_printf(out, "%s,%.*s,%s,%.*s,", at, STR_ARG(public_id(a, e->head.id)),
               cash_kind_names[e->kind], STR_ARG(e->booking_id));
    if (e->stop != I64_ABSENT)
        buf_printf(out, "%lld", (long long)e->stop);
    buf_printf(out, ",%.*s", STR_ARG(e->currency));
    for (int i = CASH_NONE + 1; i < CASH_ACCOUNT_COUNT; i++)
        buf_printf(out, ",%lld", (long long)in(&e->lines, i));
    buf_printf(out, ",%.*s,%.*s,", STR_ARG(e->by), STR_ARG(e->reverses));
    csv_text(out, e->reference);
    buf_add_char(out, ',');
    csv_text(out, e->reason);
    buf_add_cstr(out, "\r\n");
}

static void reply_csv(struct call *c, struct entries *e) {
    struct store *store = c->worker->reader;
    struct buf out;
    int32_t count, rows = 0;
    buf_init(&out, &c->arena, 4096);
    buf_add_cstr(&out, "at,id,kind,booking_id,stop,currency");
    for (int i = CASH_NONE + 1; i < CASH_ACCOUNT_COUNT; i++)
        buf_printf(&out, ",%s", cash_account_names[i]);
    buf_add_cstr(&out, ",by,reverses,reference,reason\r\n");
    do {
        struct store_doc *docs;
        int err = store->ops->list(store, &e->q, &c->arena, &docs, &count);
        for (int32_t i = 0; i < count && err == 0; i++) {
            void *state;
            err = aggregate_decode(&cash_entry_aggregate, &docs[i], c->worker->parser, &c->arena,
                                   &state);
            if (err == 0)
                csv_row(&out, state, &c->arena);
            e->q.after = docs[i].id;
        }
        if (err < 0) {
            call_error(c, err);
            return;
        }
        rows += count;
    } while (count == e->q.limit && rows <= CASH_CSV_ENTRIES_MAX);
    if (rows > CASH_CSV_ENTRIES_MAX)
        call_problem(c, PROBLEM_BAD_PARAMETER, "that is more than %d entries: ask for fewer days",
                     CASH_CSV_ENTRIES_MAX);
    else
        call_csv(c, arena_printf(&c->arena, "cash-%.*s.csv", STR_ARG(e->driver_id)), buf_str(&out));
}

static void reply_page(struct call *c, const struct entries *e) {
    struct store *store = c->worker->reader;
    struct store_doc *docs;
    struct page p;
    int32_t count;
    int err = store->ops->list(store, &e->q, &c->arena, &docs, &count);
    page_begin(&p, c);
    for (int32_t i = 0; i < count && err == 0; i++) {
        void *state;
        err =
            aggregate_decode(&cash_entry_aggregate, &docs[i], c->worker->parser, &c->arena, &state);
        if (err == 0)
            entry_write(&p.w, state, public_id(&c->arena, docs[i].id));
    }
    if (err < 0)
        call_error(c, err);
    else
        page_reply(&p, count == e->q.limit, count > 0 ? docs[count - 1].id : STR_NONE);
}

static void reply_entries(struct call *c, struct str driver_id) {
    struct entries e;
    if (driver_id.p == NULL || !ask_entries(c, driver_id, &e))
        return;
    response_header(&c->response, "Cache-Control", STR("private, no-store"));
    if (e.csv)
        reply_csv(c, &e);
    else
        reply_page(c, &e);
}

void cash_entries_own(struct call *c) {
    reply_entries(c, driver_id_of(&c->arena, c->who.user_id));
}

void cash_entries_of(struct call *c) {
    reply_entries(c, path_driver(c));
}
