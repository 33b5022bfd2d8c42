/* What a driver has earned: a document for each of his days (UTC), to which every delivered booking
 * adds once, by its event. A stretch of days is a stretch of ids, so reading needs no index. */
#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "services/driver/service_internal.h"

#define EARNINGS_DAYS_MAX 366
#define EARNINGS_DAYS_DEFAULT 30

struct str earnings_id(struct arena *a, struct str driver_id, const char *date) {
    CHECK(driver_id.len > ULID_TEXT_LEN);
    return arena_printf(a, "%s_%s", driver_id.p + driver_id.len - ULID_TEXT_LEN, date);
}

/* Of a day from before there was a gross, what is known. */
static int64_t day_gross(const struct earnings_day *day) {
    return day->gross != I64_ABSENT ? day->gross : day->total;
}

static void decide_add(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                       struct decision *ret) {
    const struct earning_args *args = cmd->args;
    const struct earnings_day *old = state;
    struct earnings_day *day = arena_new(ctx->arena, struct earnings_day);
    *day = (struct earnings_day){
        .driver_id = args->driver_id, .date = args->date, .currency = args->currency};
    if (old != NULL) {
        day->total = old->total;
        day->gross = day_gross(old);
        day->bookings = old->bookings;
    }
    day->total += args->amount;
    day->gross += args->gross;
    day->bookings += args->delivered ? 1 : 0;
    decision_state(ret, cmd, old, day);
}

const struct command_type earnings_add_type = {
    .name = "earnings.add", .aggregate = &earnings_aggregate, .decide = decide_add};

/* ---- reading ---- */

/* A time or a date of the query, as the start of its day. False: replied. */
static bool query_day(struct call *c, const char *name, int64_t *day_us) {
    struct str text = call_query(c, name);
    if (text.p == NULL)
        return true;
    if (text.len == 10)
        text = arena_printf(&c->arena, "%.*sT00:00:00Z", STR_ARG(text));
    int64_t at_us;
    if (timestamp_parse(text, &at_us) < 0) {
        call_problem(c, PROBLEM_BAD_PARAMETER,
                     "%s must be a date such as 2026-11-23, or a time of that day", name);
        return false;
    }
    *day_us = at_us - at_us % US_PER_DAY;
    return true;
}

struct sum {
    int64_t total, gross, bookings;
    struct str currency;
};

static void write_gross(struct jw *w, int64_t gross, int64_t total) {
    jw_kv_i64(w, "gross", gross);
    jw_kv_i64(w, "commission", gross - total);
}

static int write_days(struct call *c, struct store_query *q, struct jw *w, struct sum *sum) {
    struct store *store = c->worker->reader;
    int32_t count;
    do { /* at most EARNINGS_DAYS_MAX documents lie between the bounds */
        struct store_doc *docs;
        int err = store->ops->list(store, q, &c->arena, &docs, &count);
        if (err < 0)
            return err;
        for (int32_t i = 0; i < count; i++) {
            void *state;
            err = aggregate_decode(&earnings_aggregate, &docs[i], c->worker->parser, &c->arena,
                                   &state);
            if (err < 0)
                return err;
            const struct earnings_day *day = state;
            jw_object(w);
            jw_kv_str(w, "date", day->date);
            jw_kv_i64(w, "total", day->total);
            jw_kv_i64(w, "bookings", day->bookings);
            write_gross(w, day_gross(day), day->total);
            jw_end(w);
            sum->total += day->total;
            sum->gross += day_gross(day);
            sum->bookings += day->bookings;
            sum->currency = day->currency;
            q->after = docs[i].id;
        }
    } while (count == q->limit);
    return 0;
}

void earnings_get(struct call *c) {
    const struct driver_service *s = c->service;
    int64_t to_us = c->now_us - c->now_us % US_PER_DAY;
    if (!query_day(c, "to", &to_us))
        return;
    int64_t from_us = to_us - (EARNINGS_DAYS_DEFAULT - 1) * US_PER_DAY;
    from_us = from_us > 0 ? from_us : 0;
    if (!query_day(c, "from", &from_us))
        return;
    if (from_us > to_us || to_us - from_us >= EARNINGS_DAYS_MAX * US_PER_DAY) {
        call_problem(c, PROBLEM_BAD_PARAMETER, "from must be 0 to %d days before to",
                     EARNINGS_DAYS_MAX - 1);
        return;
    }
    char from[11], until[11];
    timestamp_date(from_us, from);
    timestamp_date(to_us + US_PER_DAY, until);
    struct str driver_id = driver_id_of(&c->arena, c->who.user_id);
    /* "after" leaves its own id out, so it must be just below the first day's */
    from[9]--;
    struct str below = earnings_id(&c->arena, driver_id, from);
    struct store_query q = {.collection = &earnings_collection,
                            .after = arena_printf(&c->arena, "%.*s~", STR_ARG(below)),
                            .until = earnings_id(&c->arena, driver_id, until),
                            .ascending = true,
                            .may_lag = true,
                            .limit = STORE_LIST_MAX};
    struct buf days, out;
    buf_init(&days, &c->arena, 1024);
    struct jw w;
    jw_init(&w, &days);
    jw_array(&w);
    struct sum sum = {.currency = str_from(s->o.currency)};
    int err = write_days(c, &q, &w, &sum);
    if (err < 0) {
        call_error(c, err);
        return;
    }
    jw_end(&w);
    buf_init(&out, &c->arena, days.len + 128);
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "currency", sum.currency);
    jw_kv_i64(&w, "total", sum.total);
    jw_kv_i64(&w, "bookings", sum.bookings);
    write_gross(&w, sum.gross, sum.total);
    jw_key(&w, "days");
    jw_raw(&w, buf_str(&days));
    jw_end(&w);
    call_json(c, 200, buf_str(&out));
}
