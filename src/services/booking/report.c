#include "services/booking/report.h"

#include "base/check.h"
#include "base/timestamp.h"

#include <stddef.h>
#include <string.h>

#define HOUR_US (INT64_C(3600) * US_PER_S)
#define HOURS_OF_DAY 24
#define COUNT_MAX INT64_C(1000000000000) /* of one event; a broker may hold anything */
#define ZONE_SEED 0x7265706f7274ULL

/* ---- documents ---- */

#define AT(type, member) .flags = S_STORE, .offset = offsetof(struct type, member)
#define HOUR_AT(name, which)                                                                       \
    { name, S_I64, AT(report_hour, counts.n[which]) }
static const struct schema_field hour_fields[] = {
    {"hour", S_I64, AT(report_hour, hour)},
    HOUR_AT("requested", COUNT_REQUESTED),
    HOUR_AT("delivered", COUNT_DELIVERED),
    HOUR_AT("cancelled", COUNT_CANCELLED),
    HOUR_AT("expired", COUNT_EXPIRED),
    HOUR_AT("failed", COUNT_FAILED),
    HOUR_AT("accepted", COUNT_ACCEPTED),
    HOUR_AT("declined", COUNT_DECLINED),
    HOUR_AT("timed_out", COUNT_TIMED_OUT),
    HOUR_AT("assigned", COUNT_ASSIGNED),
    HOUR_AT("wait_s", COUNT_ASSIGN_WAIT_S),
    HOUR_AT("pickups", COUNT_PICKUPS),
    HOUR_AT("on_time", COUNT_ON_TIME),
    HOUR_AT("revenue", COUNT_REVENUE),
    HOUR_AT("fees", COUNT_FEES),
    HOUR_AT("tax", COUNT_TAX),
    HOUR_AT("commission", COUNT_COMMISSION),
    HOUR_AT("earnings", COUNT_EARNINGS),
    HOUR_AT("ratings", COUNT_RATINGS),
    HOUR_AT("stars", COUNT_STARS),
    HOUR_AT("busy_s", COUNT_BUSY_S),
    HOUR_AT("duty_s", COUNT_DUTY_S),
    HOUR_AT("by_customer", COUNT_OF_CUSTOMER),
};
static const struct schema hour_schema =
    SCHEMA(struct report_hour, "StoredReportHour", hour_fields);

static const struct schema_field day_fields[] = {
    {"id", S_STR, .flags = S_OUT, .offset = offsetof(struct report_day, head.id)},
    {"version", S_I64, .flags = S_OUT, .offset = offsetof(struct report_day, head.version)},
    {"date", S_STR, AT(report_day, date)},
    {"vehicle", S_ENUM, AT(report_day, vehicle), .names = vehicle_names},
    {"zone", S_STR, AT(report_day, zone)},
    {"driver_id", S_ID, AT(report_day, driver_id), .hint = "drv"},
    {"hours", S_LIST, AT(report_day, hours),
     .count_offset = offsetof(struct report_day, hour_count), .sub = &hour_schema,
     .max = HOURS_OF_DAY},
};
static const struct schema day_schema = SCHEMA(struct report_day, "StoredReportDay", day_fields);
const struct store_collection report_collection = {.name = "report_days"};
const struct aggregate report_aggregate = {&report_collection, &day_schema, NULL, NULL};

static const struct schema_field event_fields[] = {
    {"vehicle", S_ENUM, AT(report_event, vehicle), .names = vehicle_names},
    {"figures", S_LIST, AT(report_event, figures),
     .count_offset = offsetof(struct report_event, figure_count), .sub = &figure_schema,
     .max = FIGURES_MAX},
};
const struct schema report_event_schema = SCHEMA(struct report_event, "ReportEvent", event_fields);

/* ---- adding ---- */

/* The hour's counts in DAY, made if need be, in their place. */
static struct counts *hour_of(struct report_day *day, int64_t hour) {
    int32_t i = day->hour_count;
    while (i > 0 && day->hours[i - 1].hour > hour)
        i--;
    if (i > 0 && day->hours[i - 1].hour == hour)
        return &day->hours[i - 1].counts;
    CHECK(day->hour_count < HOURS_OF_DAY);
    memmove(&day->hours[i + 1], &day->hours[i],
            (size_t)(day->hour_count - i) * sizeof(*day->hours));
    day->hours[i] = (struct report_hour){.hour = hour};
    day->hour_count++;
    return &day->hours[i].counts;
}

/* ARGS is a report_day of what is to be added. */
static void decide_add(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                       struct decision *ret) {
    const struct report_day *args = cmd->args, *old = state;
    struct report_day *day = arena_new(ctx->arena, struct report_day);
    *day = *args;
    day->hours = arena_array(ctx->arena, struct report_hour, HOURS_OF_DAY);
    day->hour_count = 0;
    for (int32_t i = 0; old != NULL && i < old->hour_count; i++) {
        struct report_hour hour = old->hours[i];
        counts_fill(&hour.counts);
        if (hour.hour >= 0 && hour.hour < HOURS_OF_DAY)
            counts_add(hour_of(day, hour.hour), &hour.counts);
    }
    for (int32_t i = 0; i < args->hour_count; i++)
        counts_add(hour_of(day, args->hours[i].hour), &args->hours[i].counts);
    for (int32_t i = 0; i < day->hour_count; i++)
        counts_strip(&day->hours[i].counts);
    decision_state(ret, cmd, old, day);
}

const struct command_type report_add = {
    .name = "report.add", .aggregate = &report_aggregate, .decide = decide_add};

/* ---- events ---- */

struct str report_date(struct arena *a, const struct zone *z, int64_t at_us, int32_t *ret_hour) {
    struct zone_time t;
    zone_local(z, at_us, &t);
    *ret_hour = t.hour;
    return arena_printf(a, "%04d-%02d-%02d", t.year, t.month, t.day);
}

static struct str day_id(struct arena *a, const struct report_day *day) {
    const char *vehicle = vehicle_names[day->vehicle];
    if (day->driver_id.p != NULL) /* by the ULID: its prefix is always the same */
        return arena_printf(a, "d_%.*s_%s_%s", STR_ARG(day->date),
                            day->driver_id.p + day->driver_id.len - ULID_TEXT_LEN, vehicle);
    return arena_printf(a, "c_%.*s_%s_%016llx", STR_ARG(day->date), vehicle,
                        (unsigned long long)str_hash(day->zone, ZONE_SEED));
}

/* A day in the making: what one figure adds to it. */
static struct report_day *begin_day(struct event_turn *t, const struct figure *f, int32_t vehicle,
                                    struct str date) {
    struct report_day *day = arena_new(t->arena, struct report_day);
    *day = (struct report_day){.date = date,
                               .vehicle = vehicle,
                               .zone = f->driver_id.p == NULL ? f->zone : STR_NONE,
                               .driver_id = f->driver_id};
    day->hours = arena_array(t->arena, struct report_hour, HOURS_OF_DAY);
    return day;
}

static void send_day(struct event_turn *t, struct report_day *day) {
    event_command(t, &report_add, day_id(t->arena, day), day);
}

/* The seconds of COUNT from SINCE_US on, each in its hour; the rounding of the parts adds up. */
static void take_span(struct event_turn *t, const struct figure *f, int32_t vehicle,
                      const struct zone *z, enum count which) {
    int64_t from_us = f->since_us, done_s = 0, total_s = f->counts.n[which];
    if (f->at_us - from_us > REPORT_SPAN_US)
        from_us = f->at_us - REPORT_SPAN_US;
    struct report_day *day = NULL;
    for (int64_t at_us = from_us; at_us < f->at_us && done_s < total_s;) {
        struct zone_time local;
        zone_local(z, at_us, &local);
        int64_t into_us = (local.minute * 60 + local.second) * US_PER_S + at_us % US_PER_S;
        int64_t next_us = at_us + HOUR_US - into_us;
        next_us = next_us < f->at_us ? next_us : f->at_us;
        int64_t until_s = next_us == f->at_us ? total_s : (next_us - from_us) / US_PER_S;
        int32_t hour;
        struct str date = report_date(t->arena, z, at_us, &hour);
        if (day == NULL || !str_eq(day->date, date)) {
            if (day != NULL)
                send_day(t, day);
            day = begin_day(t, f, vehicle, date);
        }
        until_s = until_s < total_s ? until_s : total_s;
        hour_of(day, hour)->n[which] += until_s - done_s;
        done_s = until_s;
        at_us = next_us;
    }
    if (day != NULL)
        send_day(t, day);
}

static bool figure_sound(const struct figure *f) {
    for (int i = 0; i < COUNTS; i++) {
        if (f->counts.n[i] < -COUNT_MAX || f->counts.n[i] > COUNT_MAX)
            return false;
    }
    return f->at_us > 0 && f->at_us <= TIMESTAMP_US_MAX && f->since_us >= 0 &&
           f->since_us <= f->at_us && (f->driver_id.p == NULL || id_valid(f->driver_id, "drv"));
}

void report_take(struct event_turn *t, const struct figure *figure, int32_t vehicle,
                 const struct zone *z) {
    struct figure f = *figure;
    counts_fill(&f.counts);
    if (!figure_sound(&f) || vehicle == VEHICLE_NONE)
        return;
    if (f.since_us != 0 && f.counts.n[COUNT_BUSY_S] > 0)
        take_span(t, &f, vehicle, z, COUNT_BUSY_S);
    if (f.since_us != 0 && f.counts.n[COUNT_DUTY_S] > 0)
        take_span(t, &f, vehicle, z, COUNT_DUTY_S);
    f.counts.n[COUNT_BUSY_S] = f.counts.n[COUNT_DUTY_S] = 0;
    if (counts_none(&f.counts))
        return;
    int32_t hour;
    struct report_day *day = begin_day(t, &f, vehicle, report_date(t->arena, z, f.at_us, &hour));
    *hour_of(day, hour) = f.counts;
    send_day(t, day);
}
