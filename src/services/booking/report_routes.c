/* GET /v1/reports/{name}: reads the days that were asked for, adds them up by what was asked for,
 * and writes a table of it, as JSON or CSV. A report is a row in `reports`; a column is a count, or
 * what two of them make.
 */
#include "base/check.h"
#include "base/err.h"
#include "base/map.h"
#include "base/timestamp.h"
#include "runtime/csv.h"
#include "services/booking/internal.h"
#include "services/booking/report.h"

#include <stdlib.h>
#include <string.h>

#define REPORT_DAYS_MAX 366
#define REPORT_DAYS_DEFAULT 30
#define REPORT_DOCS_MAX 20000 /* read for one answer: some 100 ms */
#define COLUMNS_MAX 8
#define HOURS_OF_DAY 24

enum by { BY_NONE, BY_DAY, BY_HOUR, BY_ZONE, BY_CLASS, BY_DRIVER };
static const char *const by_names[] = {NULL, "day", "hour", "zone", "class", "driver", NULL};
static const char *const compare_names[] = {NULL, "previous", NULL};
static const char *const format_names[] = {NULL, "json", "csv", NULL};

/* What a column tells, and so how it is written. */
enum unit { UNIT_COUNT, UNIT_MONEY, UNIT_SECONDS, UNIT_RATIO, UNIT_MEAN };
static const char *const unit_names[] = {"count", "money", "seconds", "ratio", "stars"};

#define BIT(count) (1u << (count))
#define ENDED (BIT(COUNT_DELIVERED) | BIT(COUNT_CANCELLED) | BIT(COUNT_EXPIRED) | BIT(COUNT_FAILED))
#define ANSWERED (BIT(COUNT_ACCEPTED) | BIT(COUNT_DECLINED) | BIT(COUNT_TIMED_OUT))
struct column {
    const char *name;
    enum unit unit;
    uint32_t of;  /* BITs of counts that are added */
    uint32_t per; /* divided by the sum of these; 0: by nothing */
};
struct report {
    const char *name;
    bool drivers; /* counted of drivers only: has no zones */
    struct column columns[COLUMNS_MAX];
};
static const struct report reports[] = {
    {"bookings",
     false,
     {{"requested", UNIT_COUNT, BIT(COUNT_REQUESTED), 0},
      {"delivered", UNIT_COUNT, BIT(COUNT_DELIVERED), 0},
      {"cancelled", UNIT_COUNT, BIT(COUNT_CANCELLED), 0},
      {"expired", UNIT_COUNT, BIT(COUNT_EXPIRED), 0},
      {"failed", UNIT_COUNT, BIT(COUNT_FAILED), 0},
      {"assign_wait", UNIT_SECONDS, BIT(COUNT_ASSIGN_WAIT_S), BIT(COUNT_ASSIGNED)}}},
    {"on-time",
     false,
     {{"pickups", UNIT_COUNT, BIT(COUNT_PICKUPS), 0},
      {"on_time", UNIT_COUNT, BIT(COUNT_ON_TIME), 0},
      {"on_time_rate", UNIT_RATIO, BIT(COUNT_ON_TIME), BIT(COUNT_PICKUPS)}}},
    {"acceptance",
     false,
     {{"offers", UNIT_COUNT, ANSWERED, 0},
      {"accepted", UNIT_COUNT, BIT(COUNT_ACCEPTED), 0},
      {"declined", UNIT_COUNT, BIT(COUNT_DECLINED), 0},
      {"timed_out", UNIT_COUNT, BIT(COUNT_TIMED_OUT), 0},
      {"acceptance_rate", UNIT_RATIO, BIT(COUNT_ACCEPTED), ANSWERED}}},
    {"utilisation",
     true,
     {{"duty", UNIT_SECONDS, BIT(COUNT_DUTY_S), 0},
      {"busy", UNIT_SECONDS, BIT(COUNT_BUSY_S), 0},
      {"utilisation", UNIT_RATIO, BIT(COUNT_BUSY_S), BIT(COUNT_DUTY_S)},
      {"delivered", UNIT_COUNT, BIT(COUNT_DELIVERED), 0}}},
    {"revenue",
     false,
     {{"delivered", UNIT_COUNT, BIT(COUNT_DELIVERED), 0},
      {"revenue", UNIT_MONEY, BIT(COUNT_REVENUE), 0},
      {"fees", UNIT_MONEY, BIT(COUNT_FEES), 0},
      {"tax", UNIT_MONEY, BIT(COUNT_TAX), 0},
      {"earnings", UNIT_MONEY, BIT(COUNT_EARNINGS), 0},
      {"commission", UNIT_MONEY, BIT(COUNT_COMMISSION), 0}}},
    {"cancellations",
     false,
     {{"ended", UNIT_COUNT, ENDED, 0},
      {"cancelled", UNIT_COUNT, BIT(COUNT_CANCELLED), 0},
      {"by_customer", UNIT_COUNT, BIT(COUNT_OF_CUSTOMER), 0},
      {"fees", UNIT_MONEY, BIT(COUNT_FEES), 0},
      {"cancellation_rate", UNIT_RATIO, BIT(COUNT_CANCELLED), ENDED}}},
    {"earnings",
     true,
     {{"delivered", UNIT_COUNT, BIT(COUNT_DELIVERED), 0},
      {"earnings", UNIT_MONEY, BIT(COUNT_EARNINGS), 0},
      {"commission", UNIT_MONEY, BIT(COUNT_COMMISSION), 0},
      {"per_delivery", UNIT_MONEY, BIT(COUNT_EARNINGS), BIT(COUNT_DELIVERED)}}},
    {"ratings",
     false,
     {{"ratings", UNIT_COUNT, BIT(COUNT_RATINGS), 0},
      {"rating", UNIT_MEAN, BIT(COUNT_STARS), BIT(COUNT_RATINGS)}}},
};

/* ---- what was asked for ---- */

struct stretch {
    int64_t from, to; /* days since 1970, both counted */
};
struct asked {
    const struct report *report;
    struct stretch days;
    int32_t by, compare, format;
    struct zone zone;
    struct str timezone, currency;
};

static const struct report *report_named(struct str name) {
    for (size_t i = 0; i < COUNT_OF(reports); i++) {
        if (str_is(name, reports[i].name))
            return &reports[i];
    }
    return NULL;
}

/* False: replied. */
static bool query_date(struct call *c, const char *name, int64_t *days) {
    struct str text = call_query(c, name);
    int32_t year, month, day;
    if (text.p == NULL)
        return true;
    if (!date_parse(text, &year, &month, &day) || year < 1970 || year > 2261) {
        call_problem(c, PROBLEM_BAD_PARAMETER, "%s must be a date such as 2026-11-29", name);
        return false;
    }
    *days = date_days(year, month, day);
    return true;
}

static int64_t today(const struct call *c, const struct zone *z) {
    struct zone_time t;
    zone_local(z, c->now_us, &t);
    return date_days(t.year, t.month, t.day);
}

static bool ask_days(struct call *c, struct asked *q) {
    struct stretch *d = &q->days;
    d->to = today(c, &q->zone);
    if (!query_date(c, "to", &d->to))
        return false;
    d->from = d->to - (REPORT_DAYS_DEFAULT - 1);
    if (!query_date(c, "from", &d->from))
        return false;
    if (d->from > d->to || d->to - d->from >= REPORT_DAYS_MAX) {
        call_problem(c, PROBLEM_BAD_PARAMETER, "from must be 0 to %d days before to",
                     REPORT_DAYS_MAX - 1);
        return false;
    }
    return true;
}

/* False: replied. */
static bool ask_report(struct call *c, struct asked *q) {
    q->report = report_named(c->params[0]);
    q->by = BY_DAY;
    q->format = 1;
    if (!ask_days(c, q) || !call_query_enum(c, "by", by_names, &q->by) ||
        !call_query_enum(c, "compare", compare_names, &q->compare) ||
        !call_query_enum(c, "format", format_names, &q->format))
        return false;
    if (q->report == NULL) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such report");
        return false;
    }
    if (q->report->drivers && q->by == BY_ZONE) {
        call_problem(c, PROBLEM_BAD_PARAMETER, "%s is not counted by zone", q->report->name);
        return false;
    }
    return true;
}

/* ---- adding up ---- */

struct row {
    struct str key;
    struct counts now, before;
};
struct table {
    const struct asked *q;
    struct arena *a;
    struct map by_key;
    struct row **rows;
    int32_t count, room, docs;
    struct counts now, before; /* of all rows */
};

static struct str date_of(struct arena *a, int64_t days) {
    char date[11];
    timestamp_date(days * US_PER_DAY, date);
    return arena_str(a, str_from(date));
}

static struct row *row_of(struct table *t, struct str key) {
    struct row *row = map_get(&t->by_key, key);
    if (row != NULL)
        return row;
    if (t->count == t->room) {
        int32_t room = t->room == 0 ? 64 : 2 * t->room;
        struct row **rows = arena_array(t->a, struct row *, room);
        if (t->count > 0)
            memcpy(rows, t->rows, (size_t)t->count * sizeof(struct row *));
        t->rows = rows;
        t->room = room;
    }
    row = arena_new(t->a, struct row);
    *row = (struct row){.key = key};
    t->rows[t->count++] = row;
    map_put(&t->by_key, key, row);
    return row;
}

/* Days and hours are all there, whether something happened in them or not. */
static void begin_rows(struct table *t) {
    const struct stretch *d = &t->q->days;
    for (int64_t day = d->from; t->q->by == BY_DAY && day <= d->to; day++)
        row_of(t, date_of(t->a, day));
    for (int hour = 0; t->q->by == BY_HOUR && hour < HOURS_OF_DAY; hour++)
        row_of(t, arena_printf(t->a, "%02d", hour));
}

/* DAY lies SHIFT days before the one that its row is of. */
static struct str key_of(const struct table *t, const struct report_day *day, int64_t hour,
                         int64_t shift) {
    int32_t year, month, of_month;
    switch ((enum by)t->q->by) {
    case BY_HOUR:
        return arena_printf(t->a, "%02lld", (long long)hour);
    case BY_ZONE:
        return day->zone.p != NULL ? day->zone : STR("");
    case BY_CLASS:
        return str_from(vehicle_names[day->vehicle]);
    case BY_DRIVER:
        return day->driver_id;
    case BY_NONE:
    case BY_DAY:
        break;
    }
    if (shift == 0 || !date_parse(day->date, &year, &month, &of_month))
        return day->date;
    return date_of(t->a, date_days(year, month, of_month) + shift);
}

static void add_day(struct table *t, struct report_day *day, int64_t shift) {
    for (int32_t i = 0; i < day->hour_count; i++) {
        struct counts *counts = &day->hours[i].counts;
        struct row *row = row_of(t, key_of(t, day, day->hours[i].hour, shift));
        counts_fill(counts);
        counts_add(shift != 0 ? &row->before : &row->now, counts);
        counts_add(shift != 0 ? &t->before : &t->now, counts);
    }
}

/* Adds the days of D, which lie SHIFT days before those that were asked for. */
static int add_days(struct table *t, struct call *c, const struct stretch *d, int64_t shift) {
    struct store *store = c->worker->reader;
    char kind = t->q->report->drivers || t->q->by == BY_DRIVER ? 'd' : 'c';
    /* "after" leaves its own id out: nothing has just this one */
    struct store_query query = {
        .collection = &report_collection,
        .after = arena_printf(t->a, "%c_%.*s", kind, STR_ARG(date_of(t->a, d->from))),
        .until = arena_printf(t->a, "%c_%.*s", kind, STR_ARG(date_of(t->a, d->to + 1))),
        .ascending = true,
        .may_lag = true,
        .limit = STORE_LIST_MAX};
    int32_t count;
    do {
        struct store_doc *docs;
        int err = store->ops->list(store, &query, t->a, &docs, &count);
        for (int32_t i = 0; i < count && err == 0; i++) {
            void *state;
            err = aggregate_decode(&report_aggregate, &docs[i], c->worker->parser, t->a, &state);
            if (err == 0)
                add_day(t, state, shift);
            query.after = docs[i].id;
        }
        t->docs += count;
        if (err < 0 || t->docs > REPORT_DOCS_MAX)
            return err < 0 ? err : ERR_LIMIT;
    } while (count == query.limit);
    return 0;
}

static int compare_rows(const void *a, const void *b) {
    const struct row *const *x = a, *const *y = b;
    return str_cmp((*x)->key, (*y)->key);
}

/* ---- out ---- */

static int64_t sum_of(const struct counts *c, uint32_t bits) {
    int64_t sum = 0;
    for (int i = 0; i < COUNTS; i++)
        sum += (bits & BIT(i)) != 0 ? c->n[i] : 0;
    return sum;
}

/* False: there is no such value, because there was nothing to divide by. */
static bool value_of(const struct column *col, const struct counts *c, int64_t *ret_value,
                     int *ret_decimals) {
    int64_t value = sum_of(c, col->of);
    *ret_decimals = 0;
    if (col->per != 0) {
        int64_t per = sum_of(c, col->per);
        int64_t scale = col->unit == UNIT_RATIO ? 10000 : col->unit == UNIT_MEAN ? 100 : 1;
        if (per <= 0)
            return false;
        int64_t twice = 2 * value * scale;
        value = (twice >= 0 ? twice + per : twice - per) / (2 * per); /* half away from zero */
        *ret_decimals = scale == 10000 ? 4 : scale == 100 ? 2 : 0;
    }
    *ret_value = value;
    return true;
}

static void write_values(struct jw *w, const struct report *report, const struct counts *c) {
    jw_object(w);
    for (const struct column *col = report->columns; col->name != NULL; col++) {
        int64_t value;
        int decimals;
        jw_key(w, col->name);
        if (value_of(col, c, &value, &decimals))
            jw_fixed(w, value, decimals);
        else
            jw_null(w);
    }
    jw_end(w);
}

static void write_stretch(struct jw *w, struct arena *a, const struct stretch *d) {
    jw_kv_str(w, "from", date_of(a, d->from));
    jw_kv_str(w, "to", date_of(a, d->to));
}

static struct stretch before_that(const struct stretch *d) {
    return (struct stretch){d->from - (d->to - d->from + 1), d->from - 1};
}

static void write_columns(struct jw *w, const struct report *report) {
    jw_key(w, "columns");
    jw_array(w);
    for (const struct column *col = report->columns; col->name != NULL; col++) {
        jw_object(w);
        jw_kv_str(w, "name", str_from(col->name));
        jw_kv_str(w, "unit", str_from(unit_names[col->unit]));
        jw_end(w);
    }
    jw_end(w);
}

static void write_rows(struct jw *w, const struct table *t) {
    bool compare = t->q->compare != 0;
    jw_key(w, "items");
    jw_array(w);
    for (int32_t i = 0; i < t->count; i++) {
        jw_object(w);
        jw_kv_str(w, "key", t->rows[i]->key);
        jw_key(w, "values");
        write_values(w, t->q->report, &t->rows[i]->now);
        if (compare) {
            jw_key(w, "previous");
            write_values(w, t->q->report, &t->rows[i]->before);
        }
        jw_end(w);
    }
    jw_end(w);
}

static void reply_json(struct call *c, const struct table *t) {
    const struct asked *q = t->q;
    struct buf out;
    struct jw w;
    buf_init(&out, t->a, 1024 + (size_t)t->count * 256);
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "report", str_from(q->report->name));
    write_stretch(&w, t->a, &q->days);
    jw_kv_str(&w, "by", str_from(by_names[q->by]));
    jw_kv_str(&w, "timezone", q->timezone);
    jw_kv_str(&w, "currency", q->currency);
    write_columns(&w, q->report);
    write_rows(&w, t);
    jw_key(&w, "totals");
    write_values(&w, q->report, &t->now);
    if (q->compare != 0) {
        struct stretch before = before_that(&q->days);
        jw_key(&w, "previous");
        jw_object(&w);
        write_stretch(&w, t->a, &before);
        jw_key(&w, "totals");
        write_values(&w, q->report, &t->before);
        jw_end(&w);
    }
    jw_end(&w);
    call_json(c, 200, buf_str(&out));
}

static void csv_values(struct buf *out, const struct report *report, const struct counts *c) {
    for (const struct column *col = report->columns; col->name != NULL; col++) {
        int64_t value;
        int decimals;
        buf_add_char(out, ',');
        if (!value_of(col, c, &value, &decimals))
            continue;
        struct jw w;
        jw_init(&w, out);
        jw_fixed(&w, value, decimals);
    }
}

static void csv_head(struct buf *out, const struct report *report, const char *prefix) {
    for (const struct column *col = report->columns; col->name != NULL; col++)
        buf_printf(out, ",%s%s", prefix, col->name);
}

static void reply_csv(struct call *c, const struct table *t) {
    const struct asked *q = t->q;
    struct buf out;
    buf_init(&out, t->a, 256 + (size_t)t->count * 128);
    buf_add_cstr(&out, by_names[q->by]);
    csv_head(&out, q->report, "");
    if (q->compare != 0)
        csv_head(&out, q->report, "previous_");
    buf_add_cstr(&out, "\r\n");
    for (int32_t i = 0; i < t->count; i++) {
        csv_text(&out, t->rows[i]->key);
        csv_values(&out, q->report, &t->rows[i]->now);
        if (q->compare != 0)
            csv_values(&out, q->report, &t->rows[i]->before);
        buf_add_cstr(&out, "\r\n");
    }
    call_csv(c,
             arena_printf(t->a, "%s-%.*s-%.*s.csv", q->report->name,
                          STR_ARG(date_of(t->a, q->days.from)), STR_ARG(date_of(t->a, q->days.to))),
             buf_str(&out));
}

/* The book is the shelf's: what is kept of it is copied. */
static int take_zone(struct call *c, struct asked *q) {
    struct booking_service *s = c->service;
    struct tariff_book *book = shelf_take(&s->tariffs);
    const struct tariffs *t = tariff_book_at(book, c->now_us)->t;
    q->timezone = t->timezone.p != NULL ? arena_str(&c->arena, t->timezone) : STR("UTC");
    q->currency = arena_str(&c->arena, t->currency);
    shelf_give(&s->tariffs, book);
    return zone_load(ZONE_DIR, q->timezone, &c->arena, &q->zone);
}

void handle_report(struct call *c) {
    struct asked q = {0};
    if (take_zone(c, &q) < 0)
        q.zone = zone_utc; /* as tariffs do, where the system has no zones */
    if (!ask_report(c, &q))
        return;
    struct table t = {.q = &q, .a = &c->arena};
    map_init(&t.by_key);
    begin_rows(&t);
    int err = add_days(&t, c, &q.days, 0);
    if (err == 0 && q.compare != 0) {
        struct stretch before = before_that(&q.days);
        err = add_days(&t, c, &before, q.days.to - q.days.from + 1);
    }
    map_free(&t.by_key);
    if (err == ERR_LIMIT) {
        call_problem(c, PROBLEM_BAD_PARAMETER, "that is too much to add up: ask for fewer days");
        return;
    }
    if (err < 0) {
        call_error(c, err);
        return;
    }
    if (t.count > 1)
        qsort(t.rows, (size_t)t.count, sizeof(struct row *), compare_rows);
    response_header(&c->response, "Cache-Control", STR("private, no-store"));
    (q.format == 2 ? reply_csv : reply_json)(c, &t);
}
