/* Tariffs in and out, and which of their rules holds. A file, or the body of a request, is checked
 * whole: whoever wrote it gets every mistake at once. */
#include "services/booking/tariff.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct tariff default_rates[] = {
    {.vehicle = VEHICLE_BIKE,
     .base = 4900,
     .per_km = 900,
     .per_minute = 250,
     .minimum = 5900,
     .per_stop = 1500,
     .capacity_kg = 30,
     .capacity_l = 120},
    {.vehicle = VEHICLE_CAR,
     .base = 6900,
     .per_km = 1200,
     .per_minute = 250,
     .minimum = 8900,
     .per_stop = 2500,
     .capacity_kg = 300,
     .capacity_l = 800},
    {.vehicle = VEHICLE_VAN,
     .base = 9900,
     .per_km = 1500,
     .per_minute = 260,
     .minimum = 12900,
     .per_stop = 3500,
     .capacity_kg = 800,
     .capacity_l = 8000},
    {.vehicle = VEHICLE_TRUCK,
     .base = 19900,
     .per_km = 2900,
     .per_minute = 600,
     .minimum = 29900,
     .per_stop = 7500,
     .capacity_kg = 8000,
     .capacity_l = 40000},
};
const struct tariffs tariffs_default = {.number = 1,
                                        .currency = {"SEK", 3},
                                        .rates = default_rates,
                                        .rate_count = COUNT_OF(default_rates),
                                        .commission_bp = I64_ABSENT};

static const char *const day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

/* ---- shapes ---- */

#define ALL S_ALL
#define AT(type, member) .offset = offsetof(struct type, member)
#define COUNT_AT(type, member) .count_offset = offsetof(struct type, member)
#define AMOUNT(member, more_flags)                                                                 \
    {                                                                                              \
#member, S_I64, ALL | (more_flags), offsetof(struct tariff, member),                       \
            .min = 0, .max = TARIFF_AMOUNT_MAX                                                     \
    }

static const struct schema_field tariff_fields[] = {
    {"vehicle", S_ENUM, ALL | S_REQUIRED, AT(tariff, vehicle), .names = vehicle_names,
     .hint = "vehicle class"},
    {"zone", S_LINE, ALL, AT(tariff, zone), .min = 1, .max = TARIFF_ZONE_CHARS_MAX},
    AMOUNT(base, S_REQUIRED),
    AMOUNT(per_km, S_REQUIRED),
    AMOUNT(per_minute, S_REQUIRED),
    AMOUNT(minimum, S_REQUIRED),
    AMOUNT(per_stop, 0),
    AMOUNT(waiting_per_minute, 0),
    {"waiting_free_minutes", S_I64, ALL, AT(tariff, waiting_free_minutes), .min = 0, .max = 1440},
    {"capacity_kg", S_I64, ALL, AT(tariff, capacity_kg), .min = 1, .max = CLASS_KG_MAX},
    {"capacity_l", S_I64, ALL, AT(tariff, capacity_l), .min = 1, .max = CLASS_L_MAX},
};
static const struct schema tariff_schema = SCHEMA(struct tariff, "Tariff", tariff_fields);

static const struct schema_field point_fields[] = {
    {"lat", S_DEG7, ALL | S_REQUIRED, AT(point, lat_e7), .min = -90, .max = 90},
    {"lng", S_DEG7, ALL | S_REQUIRED, AT(point, lng_e7), .min = -180, .max = 180},
};
static const struct schema point_schema = SCHEMA(struct point, "TariffZonePoint", point_fields);

static const struct schema_field zone_fields[] = {
    {"name", S_LINE, ALL | S_REQUIRED, AT(tariff_zone, name), .min = 1,
     .max = TARIFF_ZONE_CHARS_MAX},
    {"area", S_LIST, ALL | S_REQUIRED, AT(tariff_zone, area), COUNT_AT(tariff_zone, area_count),
     .min = 3, .max = TARIFF_ZONE_POINTS_MAX, .sub = &point_schema},
};
static const struct schema zone_schema = SCHEMA(struct tariff_zone, "TariffZone", zone_fields);

#define ADD_PERCENT                                                                                \
    {                                                                                              \
        "add_percent", S_I64, ALL | S_REQUIRED, AT(time_rate, add_percent),                        \
            .min = 0, .max = TARIFF_PERCENT_MAX                                                    \
    }
static const struct schema_field night_fields[] = {
    {"from", S_LINE, ALL | S_REQUIRED, AT(time_rate, from), .min = 5, .max = 5},
    {"to", S_LINE, ALL | S_REQUIRED, AT(time_rate, to), .min = 5, .max = 5},
    ADD_PERCENT,
};
static const struct schema night_schema = SCHEMA(struct time_rate, "TariffNight", night_fields);
static const struct schema_field weekend_fields[] = {
    {"days", S_STR_LIST, ALL, AT(time_rate, days), COUNT_AT(time_rate, day_count), .min = 1,
     .max = 7},
    ADD_PERCENT,
};
static const struct schema weekend_schema =
    SCHEMA(struct time_rate, "TariffWeekend", weekend_fields);
static const struct schema_field holiday_fields[] = {
    {"dates", S_STR_LIST, ALL | S_REQUIRED, AT(time_rate, dates), COUNT_AT(time_rate, date_count),
     .min = 1, .max = TARIFF_DATES_MAX},
    ADD_PERCENT,
};
static const struct schema holiday_schema =
    SCHEMA(struct time_rate, "TariffHoliday", holiday_fields);

static const struct schema_field surge_fields[] = {
    {"from_percent", S_I64, ALL, AT(surge_terms, from_percent), .min = 1, .max = 10000},
    {"full_percent", S_I64, ALL | S_REQUIRED, AT(surge_terms, full_percent), .min = 1,
     .max = 10000},
    {"add_percent", S_I64, ALL | S_REQUIRED, AT(surge_terms, add_percent), .min = 0,
     .max = TARIFF_PERCENT_MAX},
};
static const struct schema surge_schema = SCHEMA(struct surge_terms, "TariffSurge", surge_fields);

static const struct schema_field tax_fields[] = {
    {"name", S_LINE, ALL | S_REQUIRED, AT(tax, name), .min = 1, .max = TAX_NAME_CHARS_MAX},
    {"rate_bp", S_I64, ALL | S_REQUIRED, AT(tax, rate_bp), .min = 0, .max = BASIS_POINTS},
};
static const struct schema tax_schema = SCHEMA(struct tax, "TariffTax", tax_fields);

static const struct schema_field cancel_fields[] = {
    {"free_minutes", S_I64, ALL, AT(cancel_terms, free_minutes), .min = 0, .max = 1440},
    {"assigned_percent", S_I64, ALL | S_REQUIRED, AT(cancel_terms, assigned_percent), .min = 0,
     .max = 100},
    {"arrived_percent", S_I64, ALL | S_REQUIRED, AT(cancel_terms, arrived_percent), .min = 0,
     .max = 100},
    {"late_minutes", S_I64, ALL, AT(cancel_terms, late_minutes), .min = 0,
     .max = INT64_C(7) * 24 * 60},
    {"late_percent", S_I64, ALL, AT(cancel_terms, late_percent), .min = 0, .max = 100},
};
static const struct schema cancel_schema =
    SCHEMA(struct cancel_terms, "TariffCancellation", cancel_fields);

static const struct schema_field return_fields[] = {
    {"percent", S_I64, ALL | S_REQUIRED, AT(return_terms, percent), .min = 0,
     .max = TARIFF_PERCENT_MAX},
};
static const struct schema return_schema =
    SCHEMA(struct return_terms, "TariffReturns", return_fields);

static const struct schema_field ref_fields[] = {
    {"version", S_I64, S_STORE, AT(tariff_ref, number)},
    {"effective_at", S_TIME, S_STORE, AT(tariff_ref, effective_us)},
};
static const struct schema ref_schema = SCHEMA(struct tariff_ref, "StoredTariffRef", ref_fields);

/* The rates have another name in a file than in the API. */
#define TERMS_FIELDS(rates_name, mask)                                                               \
    {"currency", S_LINE, (mask) | S_REQUIRED, AT(tariffs, currency), .min = 3, .max = 3},            \
        {rates_name,                                                                                 \
         S_LIST,                                                                                     \
         (mask) | S_REQUIRED,                                                                        \
         AT(tariffs, rates),                                                                         \
         COUNT_AT(tariffs, rate_count),                                                              \
         .min = 1,                                                                                   \
         .max = TARIFF_RATES_MAX,                                                                    \
         .sub = &tariff_schema},                                                                     \
        {"timezone", S_LINE, (mask), AT(tariffs, timezone), .min = 1, .max = ZONE_NAME_MAX},         \
        {"zones",                                                                                    \
         S_LIST,                                                                                     \
         (mask),                                                                                     \
         AT(tariffs, zones),                                                                         \
         COUNT_AT(tariffs, zone_count),                                                              \
         .max = TARIFF_ZONES_MAX,                                                                    \
         .sub = &zone_schema},                                                                       \
        {"night", S_OBJECT_PTR, (mask), AT(tariffs, night), .sub = &night_schema},                   \
        {"weekend", S_OBJECT_PTR, (mask), AT(tariffs, weekend), .sub = &weekend_schema},             \
        {"holiday", S_OBJECT_PTR, (mask), AT(tariffs, holiday), .sub = &holiday_schema},             \
        {"surge", S_OBJECT_PTR, (mask), AT(tariffs, surge), .sub = &surge_schema},                   \
        {"taxes",                                                                                    \
         S_LIST,                                                                                     \
         (mask),                                                                                     \
         AT(tariffs, taxes),                                                                         \
         COUNT_AT(tariffs, tax_count),                                                               \
         .max = TAXES_MAX,                                                                           \
         .sub = &tax_schema},                                                                        \
        {"taxes_included", S_BOOL, (mask), AT(tariffs, taxes_included)},                             \
        {"commission_bp", S_I64, (mask), AT(tariffs, commission_bp), .min = 0, .max = BASIS_POINTS}, \
        {"cancellation", S_OBJECT_PTR, (mask), AT(tariffs, cancellation), .sub = &cancel_schema},    \
    {                                                                                                \
        "returns", S_OBJECT_PTR, (mask), AT(tariffs, returns), .sub = &return_schema                 \
    }

static const struct schema_field tariffs_fields[] = {
    TERMS_FIELDS("items", ALL),
    {"note", S_STR, ALL, AT(tariffs, note), .min = 1, .max = REASON_CHARS_MAX},
    {"effective_at", S_TIME, ALL, AT(tariffs, effective_us)},
    {"version", S_I64, S_OUT | S_STORE, AT(tariffs, number)},
    {"created_at", S_TIME, S_OUT | S_STORE, AT(tariffs, created_us)},
    {"created_by", S_ID, S_STORE, AT(tariffs, created_by), .hint = "usr"},
    {"ahead", S_LIST, S_STORE, AT(tariffs, ahead), COUNT_AT(tariffs, ahead_count),
     .max = TARIFF_AHEAD_MAX, .sub = &ref_schema},
};
const struct schema tariffs_schema = SCHEMA(struct tariffs, "TariffsRequest", tariffs_fields);

static const struct schema_field file_fields[] = {TERMS_FIELDS("tariffs", S_IN)};
static const struct schema file_schema = SCHEMA(struct tariffs, "TariffFile", file_fields);

const struct store_collection tariff_collection = {.name = "tariffs"};
const struct aggregate tariff_aggregate = {&tariff_collection, &tariffs_schema, NULL, NULL};

struct str tariff_id(struct arena *a, int64_t number) {
    return arena_printf(a, "trf_%0*lld", ULID_TEXT_LEN, (long long)number);
}

/* ---- what a schema cannot say ---- */

struct checking {
    const struct tariffs *t;
    const char *rates;
    struct arena *a;
    struct field_errors *errors;
};

static int32_t zone_named(const struct tariffs *t, struct str name) {
    for (int32_t i = 0; i < t->zone_count; i++) {
        if (str_eq(t->zones[i].name, name))
            return i;
    }
    return -1;
}

static void check_rates(struct checking *c) {
    const struct tariffs *t = c->t;
    for (int32_t i = 0; i < t->rate_count; i++) {
        const struct tariff *rate = &t->rates[i];
        if (rate->zone.p != NULL && zone_named(t, rate->zone) < 0)
            field_errors_add(c->errors, c->a, arena_printf(c->a, "/%s/%d/zone", c->rates, i),
                             "there is no such zone among /zones");
        for (int32_t j = 0; j < i && rate->vehicle != VEHICLE_NONE; j++) {
            if (t->rates[j].vehicle != rate->vehicle || !str_eq(t->rates[j].zone, rate->zone))
                continue;
            field_errors_add(c->errors, c->a, arena_printf(c->a, "/%s/%d/vehicle", c->rates, i),
                             "%s stands here twice", vehicle_names[rate->vehicle]);
            break;
        }
    }
}

static double twice_area(const struct tariff_zone *z) {
    double sum = 0;
    for (int32_t i = 0, j = z->area_count - 1; i < z->area_count; j = i++)
        sum += (double)z->area[j].lng_e7 * z->area[i].lat_e7 -
               (double)z->area[i].lng_e7 * z->area[j].lat_e7;
    return sum < 0 ? -sum : sum;
}

static void check_zones(struct checking *c) {
    const struct tariffs *t = c->t;
    for (int32_t i = 0; i < t->zone_count; i++) {
        const struct tariff_zone *z = &t->zones[i];
        if (z->name.p != NULL && zone_named(t, z->name) < i)
            field_errors_add(c->errors, c->a, arena_printf(c->a, "/zones/%d/name", i),
                             "stands here twice");
        bool whole = z->area_count >= 3;
        for (int32_t p = 0; p < z->area_count; p++)
            whole &= z->area[p].lat_e7 != DEG7_ABSENT && z->area[p].lng_e7 != DEG7_ABSENT;
        if (whole && twice_area(z) < 1)
            field_errors_add(c->errors, c->a, arena_printf(c->a, "/zones/%d/area", i),
                             "encloses nothing");
    }
}

int32_t weekday_named(struct str name) {
    for (int32_t i = 0; i < 7; i++) {
        if (str_is(name, day_names[i]))
            return i;
    }
    return -1;
}

static void check_times(struct checking *c) {
    const struct time_rate *night = c->t->night, *weekend = c->t->weekend;
    const struct time_rate *holiday = c->t->holiday;
    int32_t y, m, d;
    if (night != NULL && night->from.p != NULL && clock_minutes(night->from) < 0)
        field_errors_add(c->errors, c->a, STR("/night/from"), "must be a time like 22:00");
    if (night != NULL && night->to.p != NULL && clock_minutes(night->to) < 0)
        field_errors_add(c->errors, c->a, STR("/night/to"), "must be a time like 06:00");
    for (int32_t i = 0; weekend != NULL && i < weekend->day_count; i++) {
        if (weekday_named(weekend->days[i]) < 0)
            field_errors_add(c->errors, c->a, arena_printf(c->a, "/weekend/days/%d", i),
                             "must be one of mon, tue, wed, thu, fri, sat, sun");
    }
    for (int32_t i = 0; holiday != NULL && i < holiday->date_count; i++) {
        if (!date_parse(holiday->dates[i], &y, &m, &d))
            field_errors_add(c->errors, c->a, arena_printf(c->a, "/holiday/dates/%d", i),
                             "must be a date like 2026-12-25");
    }
}

static void check_money(struct checking *c) {
    const struct tariffs *t = c->t;
    int64_t rates_bp = 0;
    for (int32_t i = 0; i < t->tax_count; i++)
        rates_bp += t->taxes[i].rate_bp != I64_ABSENT ? t->taxes[i].rate_bp : 0;
    if (rates_bp > BASIS_POINTS)
        field_errors_add(c->errors, c->a, STR("/taxes"), "are more than %d basis points together",
                         BASIS_POINTS);
    const struct surge_terms *s = t->surge;
    if (s != NULL && s->full_percent != I64_ABSENT && s->from_percent != I64_ABSENT &&
        s->full_percent <= s->from_percent)
        field_errors_add(c->errors, c->a, STR("/surge/full_percent"),
                         "must be more than from_percent");
    for (size_t i = 0; i < t->currency.len; i++) {
        if (t->currency.p[i] < 'A' || t->currency.p[i] > 'Z') {
            field_errors_add(c->errors, c->a, STR("/currency"),
                             "must be an ISO 4217 code: three capital letters, such as SEK");
            break;
        }
    }
}

void tariffs_check(const struct tariffs *t, const char *rates, const char *zone_dir,
                   struct arena *a, struct field_errors *errors) {
    struct checking c = {t, rates, a, errors};
    struct zone zone;
    check_rates(&c);
    check_zones(&c);
    check_times(&c);
    check_money(&c);
    if (t->timezone.p != NULL && zone_load(zone_dir, t->timezone, a, &zone) < 0)
        field_errors_add(errors, a, STR("/timezone"),
                         "must be a timezone of the IANA database, such as Europe/Stockholm");
}

static void none_is_zero(int64_t *value) {
    if (*value == I64_ABSENT)
        *value = 0;
}

void tariffs_fill(struct tariffs *t, struct arena *a) {
    struct tariff *rates = arena_copy(a, t->rates, (size_t)t->rate_count * sizeof(*rates));
    for (int32_t i = 0; i < t->rate_count; i++) {
        none_is_zero(&rates[i].per_stop);
        none_is_zero(&rates[i].waiting_per_minute);
        none_is_zero(&rates[i].waiting_free_minutes);
        struct capacity c = rate_capacity(&rates[i]);
        rates[i].capacity_kg = c.kg;
        rates[i].capacity_l = c.l;
    }
    t->rates = rates;
    t->currency = arena_str(a, t->currency);
    if (t->surge != NULL) {
        struct surge_terms *surge = arena_copy(a, t->surge, sizeof(*surge));
        if (surge->from_percent == I64_ABSENT)
            surge->from_percent = surge->full_percent > 100 ? 100 : 1;
        t->surge = surge;
    }
    if (t->cancellation != NULL) {
        struct cancel_terms *terms = arena_copy(a, t->cancellation, sizeof(*terms));
        none_is_zero(&terms->free_minutes);
        t->cancellation = terms;
    }
}

/* Parses TEXT with a parser of its own: configuration is read once. */
int tariffs_parse(struct str json, struct arena *a, struct tariffs *ret,
                  struct field_errors *errors) {
    struct json_parser *parser = json_parser_new();
    struct json_value root;
    struct tariffs t = {0};
    if (json_parse(parser, json, &root) < 0) {
        int line = 0, column = 0;
        struct str what = STR_NONE;
        json_error_at(json, a, &line, &column, &what);
        field_errors_add(errors, a, STR(""), "is not JSON: line %d, column %d: %.*s", line, column,
                         STR_ARG(what));
    } else {
        schema_read(&file_schema, root, S_IN, a, STR(""), &t, errors);
        tariffs_check(&t, "tariffs", ZONE_DIR, a, errors);
    }
    if (errors->count == 0) {
        tariffs_fill(&t, a);
        t.number = 1;
        *ret = t;
    }
    json_parser_free(parser);
    return errors->count == 0 ? 0 : ERR_INVALID;
}

int tariffs_load(const char *path, struct arena *a, struct tariffs *ret,
                 struct str *ret_complaint) {
    struct str text;
    int err = booking_file_read(path, a, &text);
    if (err < 0) {
        *ret_complaint = arena_printf(a, "%s: %s", path, err_text(err));
        return err;
    }
    struct field_errors errors = {0};
    err = tariffs_parse(text, a, ret, &errors);
    if (err < 0)
        *ret_complaint = booking_file_complaint(path, &errors, a);
    return err;
}

/* ---- which rule holds ---- */

static struct str zone_at(const struct tariffs *t, struct point at) {
    for (int32_t i = 0; i < t->zone_count; i++) {
        struct ring ring = {t->zones[i].area, t->zones[i].area_count};
        if (polygon_has(&(struct polygon){&ring, 1}, at))
            return t->zones[i].name;
    }
    return STR_NONE;
}

const struct tariff *tariffs_rate(const struct tariffs *t, enum vehicle vehicle,
                                  struct point pickup, struct str *ret_zone) {
    const struct tariff *rate = NULL;
    *ret_zone = zone_at(t, pickup);
    for (int32_t i = 0; i < t->rate_count; i++) {
        const struct tariff *other = &t->rates[i];
        if (other->vehicle != (int32_t)vehicle)
            continue;
        if (other->zone.p == NULL)
            rate = rate != NULL ? rate : other;
        else if (str_eq(other->zone, *ret_zone))
            return other;
    }
    return rate;
}

bool tariffs_offers(const struct tariffs *t, int32_t vehicle) {
    for (int32_t i = 0; i < t->rate_count; i++) {
        if (t->rates[i].vehicle == vehicle)
            return true;
    }
    return false;
}

static bool night_holds(const struct time_rate *r, const struct zone_time *now) {
    int32_t from = clock_minutes(r->from), to = clock_minutes(r->to);
    int32_t at = now->hour * 60 + now->minute;
    return from <= to ? at >= from && at < to : at >= from || at < to;
}

static bool weekend_holds(const struct time_rate *r, const struct zone_time *now) {
    for (int32_t i = 0; i < r->day_count; i++) {
        if (weekday_named(r->days[i]) == now->weekday)
            return true;
    }
    return r->day_count == 0 && (now->weekday == 0 || now->weekday == 6);
}

static bool holiday_holds(const struct time_rate *r, const struct zone_time *now) {
    int32_t y, m, d;
    for (int32_t i = 0; i < r->date_count; i++) {
        if (date_parse(r->dates[i], &y, &m, &d) && y == now->year && m == now->month &&
            d == now->day)
            return true;
    }
    return false;
}

int32_t tariffs_time(const struct tariffs *t, const struct zone *zone, int64_t at_us,
                     int64_t *ret_percent) {
    const struct {
        const struct time_rate *rate;
        bool (*holds)(const struct time_rate *r, const struct zone_time *now);
        int32_t code;
    } rules[] = {{t->holiday, holiday_holds, ITEM_HOLIDAY},
                 {t->weekend, weekend_holds, ITEM_WEEKEND},
                 {t->night, night_holds, ITEM_NIGHT}};
    struct zone_time now;
    int32_t code = ITEM_NONE;
    int64_t percent = 0;
    zone_local(zone, at_us, &now);
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        if (rules[i].rate != NULL && rules[i].rate->add_percent > percent &&
            rules[i].holds(rules[i].rate, &now)) {
            code = rules[i].code;
            percent = rules[i].rate->add_percent;
        }
    }
    *ret_percent = percent;
    return code;
}

int64_t tariffs_surge(const struct tariffs *t, int64_t demand_milli, int64_t supply_milli) {
    const struct surge_terms *s = t->surge;
    CHECK(demand_milli >= 0 && supply_milli >= 0);
    if (s == NULL || demand_milli == 0)
        return 0;
    int64_t percent = s->full_percent;
    if (supply_milli < 1000)
        supply_milli = 1000;
    if (demand_milli / supply_milli < s->full_percent)
        percent = demand_milli * 100 / supply_milli;
    if (percent <= s->from_percent)
        return 0;
    if (percent >= s->full_percent)
        return s->add_percent;
    int64_t add =
        s->add_percent * (percent - s->from_percent) / (s->full_percent - s->from_percent);
    return add / SURGE_STEP_PERCENT * SURGE_STEP_PERCENT;
}

/* ---- out ---- */

struct str tariffs_classes(const struct tariffs *t, struct arena *a) {
    struct buf out;
    buf_init(&out, a, 64);
    for (int32_t v = VEHICLE_NONE + 1; v < VEHICLE_COUNT; v++) {
        if (tariffs_offers(t, v))
            buf_printf(&out, "%s%s", out.len > 0 ? ", " : "", vehicle_names[v]);
    }
    return buf_str(&out);
}

struct str tariffs_json(const struct tariffs *t, struct arena *a) {
    struct buf out;
    struct jw w;
    buf_init(&out, a, 1024);
    jw_init(&w, &out);
    jw_object(&w);
    schema_write_fields(&tariffs_schema, t, S_OUT, &w);
    jw_key(&w, "next_cursor");
    jw_null(&w);
    jw_end(&w);
    return buf_str(&out);
}

/* ---- files of configuration ---- */

int booking_file_read(const char *path, struct arena *a, struct str *ret_text) {
    FILE *f = fopen(path, "rbe");
    if (f == NULL)
        return ERR_NOT_FOUND;
    char *bytes = arena_bytes(a, BOOKING_FILE_BYTES_MAX + 1);
    size_t n = fread(bytes, 1, BOOKING_FILE_BYTES_MAX + 1, f);
    int err = ferror(f) ? ERR_IO : n > BOOKING_FILE_BYTES_MAX ? ERR_LIMIT : 0;
    fclose(f);
    if (err == 0)
        *ret_text = (struct str){bytes, n};
    return err;
}

struct str booking_file_complaint(const char *path, const struct field_errors *errors,
                                  struct arena *a) {
    struct buf out;
    buf_init(&out, a, 256);
    for (int i = 0; i < errors->count; i++)
        buf_printf(&out, "%s%s: %.*s%s%.*s", i > 0 ? "\n" : "", path,
                   STR_ARG(errors->items[i].pointer), errors->items[i].pointer.len > 0 ? " " : "",
                   STR_ARG(errors->items[i].detail));
    if (errors->more > 0)
        buf_printf(&out, "\n%s: and %d more", path, errors->more);
    return buf_str(&out);
}
