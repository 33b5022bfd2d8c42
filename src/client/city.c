/* The city: makes its people, lets bookings arrive as a Poisson process, ends, sums up. */
#include "client/city.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "client/city_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define SETTLE_US (120 * US_PER_S)
#define PROGRESS_US (INT64_C(5) * US_PER_S)
#define PROGRESS_LINES_US (INT64_C(30) * US_PER_S) /* between lines for people */
#define AHEAD_MAX 8                                /* people who are signing in at once */

#define REACH_US (INT64_C(6) * US_PER_S) /* how long to knock at a server that is not there */
/* Who is cut off in the middle would be told of what he cannot see any more: when even the time to
 * settle is over nobody asks anything more, and what was asked has so long to be answered and seen.
 */
#define HUSH_US (INT64_C(3) * US_PER_S)
#define COMPLAINTS_MAX 5
#define LIVE_LINE_MAX 256
#define LIVE_COLUMNS 79 /* where the terminal does not tell */

static void arrive(void *arg);

/* ---- output ---- */

/* One line that is drawn over itself: cut to the terminal's width, else it would wrap and stay. */
static void status_line(struct city *c, double elapsed_s, int64_t open) {
    const struct city_summary *s = &c->sum;
    struct winsize size = {0};
    char line[LIVE_LINE_MAX];
    snprintf(line, sizeof(line),
             "%5.0f s%s  drivers %d/%d  bookings %lld  on their way %lld  delivered %lld  "
             "cancelled %lld  expired %lld  fixes %lld  p99 %.1f ms",
             elapsed_s,
             s->violations > 0 ? "  AUDIT FAILED"
             : c->ending       ? "  ending"
                               : "",
             c->drivers_ready, c->driver_count, (long long)s->requested, (long long)open,
             (long long)s->delivered, (long long)s->cancelled, (long long)s->expired,
             (long long)s->fixes_acknowledged, (double)histogram_quantile(&c->latency, 0.99) / 1e3);
    bool known = ioctl(fileno(c->o.out), TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    fprintf(c->o.out, "\r\033[K%.*s", known ? size.ws_col - 1 : LIVE_COLUMNS, line);
}

static void progress(struct city *c) {
    const struct city_summary *s = &c->sum;
    double elapsed_s = (double)(net_now_us(c->net) - c->started_us) / 1e6;
    int64_t open = s->requested - s->delivered - s->cancelled - s->expired - s->failed;
    if (c->o.output == CITY_LIVE)
        status_line(c, elapsed_s, open);
    else if (c->o.output == CITY_LINES)
        fprintf(c->o.out,
                "  %.0f s: %d drivers on duty, %lld bookings on their way, %lld delivered, "
                "%lld fixes%s\n",
                elapsed_s, c->drivers_ready, (long long)open, (long long)s->delivered,
                (long long)s->fixes_acknowledged, s->violations > 0 ? "  AUDIT FAILED" : "");
    else if (c->o.output == CITY_JSON)
        fprintf(c->o.out,
                "{\"type\":\"progress\",\"elapsed_s\":%.1f,\"drivers\":%d,\"requested\":%lld,"
                "\"open\":%lld,\"delivered\":%lld,\"cancelled\":%lld,\"expired\":%lld,"
                "\"failed\":%lld,\"fixes_acknowledged\":%lld,\"violations\":%lld}\n",
                elapsed_s, c->drivers_ready, (long long)s->requested, (long long)open,
                (long long)s->delivered, (long long)s->cancelled, (long long)s->expired,
                (long long)s->failed, (long long)s->fixes_acknowledged, (long long)s->violations);
    fflush(c->o.out);
}

void city_fate(struct city *c, struct str booking_id, const char *fate, int64_t took_us,
               int64_t total, struct str currency) {
    double took_s = (double)took_us / 1e6;
    switch (c->o.output) {
    case CITY_LIVE:
        fputs("\r\033[K", c->o.out);
        /* fall through */
    case CITY_LINES:
        fprintf(c->o.out, "  %.*s  %-9s  after %5.1f s  %6.2f %.*s\n", STR_ARG(booking_id), fate,
                took_s, (double)total / 100, STR_ARG(currency));
        break;
    case CITY_JSON:
        fprintf(c->o.out,
                "{\"type\":\"fate\",\"booking_id\":\"%.*s\",\"fate\":\"%s\",\"took_s\":%.3f,"
                "\"total\":%lld,\"currency\":\"%.*s\"}\n",
                STR_ARG(booking_id), fate, took_s, (long long)total, STR_ARG(currency));
        break;
    case CITY_SILENT:
        break;
    }
    fflush(c->o.out);
}

void city_complain(struct city *c, const struct person *p, const char *what,
                   const struct net_answer *a) {
    struct json_value root;
    if (c->complaints++ >= COMPLAINTS_MAX)
        return;
    struct str why = city_json(c, a->body, &root) ? json_member(root, "detail") : STR_NONE;
    if (c->o.output == CITY_LIVE)
        fputs("\r\033[K", c->o.out);
    fflush(c->o.out);
    fprintf(stderr, "simulate: %s %s: status %d%s%.*s\n", p->email, what, a->status,
            why.len > 0 ? ", " : "", STR_ARG(why));
    if (c->complaints == COMPLAINTS_MAX)
        fputs("simulate: (further ones are not shown)\n", stderr);
}

void city_print_summary(const struct city_summary *s, bool json, FILE *out) {
    if (json) {
        fprintf(out,
                "{\"type\":\"summary\",\"elapsed_s\":%.1f,\"requested\":%lld,\"delivered\":%lld,"
                "\"cancelled\":%lld,\"expired\":%lld,\"failed\":%lld,\"unfinished\":%lld,"
                "\"assign_p50_s\":%.3f,\"assign_p95_s\":%.3f,\"latency_p50_ms\":%.3f,"
                "\"latency_p99_ms\":%.3f,\"requests\":%lld,\"errors\":%lld,\"reconnects\":%lld,"
                "\"fixes_sent\":%lld,\"fixes_acknowledged\":%lld,\"events_seen\":%lld,"
                "\"violations\":%lld}\n",
                (double)s->elapsed_us / 1e6, (long long)s->requested, (long long)s->delivered,
                (long long)s->cancelled, (long long)s->expired, (long long)s->failed,
                (long long)s->unfinished, (double)s->assign_p50_us / 1e6,
                (double)s->assign_p95_us / 1e6, (double)s->latency_p50_us / 1e3,
                (double)s->latency_p99_us / 1e3, (long long)s->requests, (long long)s->errors,
                (long long)s->reconnects, (long long)s->fixes_sent,
                (long long)s->fixes_acknowledged, (long long)s->events_seen,
                (long long)s->violations);
        return;
    }
    fprintf(out,
            "\n%.0f seconds\n"
            "  bookings     %lld: %lld delivered, %lld cancelled, %lld expired, %lld failed, "
            "%lld unfinished\n"
            "  to assign    p50 %.1f s, p95 %.1f s\n"
            "  API latency  p50 %.2f ms, p99 %.2f ms over %lld requests, %lld without an answer or "
            "5xx\n"
            "  fixes        %lld sent, %lld acknowledged as durable\n"
            "  sockets      %lld booking events seen, %lld reconnects\n"
            "  audit        %s\n",
            (double)s->elapsed_us / 1e6, (long long)s->requested, (long long)s->delivered,
            (long long)s->cancelled, (long long)s->expired, (long long)s->failed,
            (long long)s->unfinished, (double)s->assign_p50_us / 1e6,
            (double)s->assign_p95_us / 1e6, (double)s->latency_p50_us / 1e3,
            (double)s->latency_p99_us / 1e3, (long long)s->requests, (long long)s->errors,
            (long long)s->fixes_sent, (long long)s->fixes_acknowledged, (long long)s->events_seen,
            (long long)s->reconnects, s->violations == 0 ? "clean" : "FAILED");
}

/* ---- people ---- */

static int32_t customers_max(const struct city *c) {
    int32_t n = c->o.customers_max > 0 ? c->o.customers_max : c->o.drivers * 4;
    return n < 20 ? 20 : n;
}

static int32_t signing_in(const struct city *c) {
    int32_t n = 0;
    for (int32_t i = 0; i < c->driver_count; i++)
        n += !driver_person(c->drivers[i])->was_ready;
    for (int32_t i = 0; i < c->customer_count; i++)
        n += !customer_person(c->customers[i])->was_ready;
    return n;
}

static struct customer *keen_customer(struct city *c) {
    for (int32_t i = 0; i < c->customer_count; i++) {
        if (customer_keen(c->customers[i]))
            return c->customers[i];
    }
    return NULL;
}

static struct customer *idle_customer(struct city *c) {
    struct customer *keen = keen_customer(c);
    if (keen != NULL)
        return keen;
    int32_t start =
        c->customer_count > 0 ? (int32_t)rng_below(&c->rng, (uint64_t)c->customer_count) : 0;
    for (int32_t i = 0; i < c->customer_count; i++) {
        struct customer *one = c->customers[(start + i) % c->customer_count];
        if (customer_idle(one))
            return one;
    }
    return NULL;
}

static void grow(struct city *c) {
    int32_t room = AHEAD_MAX - signing_in(c);
    for (; room > 0 && c->driver_count < c->o.drivers; room--) {
        c->drivers[c->driver_count] = driver_new(c, c->driver_count);
        c->driver_count++;
    }
    /* a few customers ahead of those who are busy */
    int32_t busy = 0;
    for (int32_t i = 0; i < c->customer_count; i++)
        busy += customer_busy(c->customers[i]);
    for (; room > 0 && c->customer_count < customers_max(c) && c->customer_count < busy + 10;
         room--) {
        c->customers[c->customer_count] = customer_new(c, c->customer_count);
        c->customer_count++;
    }
}

/* ---- arrivals ---- */

static void plan_arrival(struct city *c) {
    if (c->o.bookings_per_hour <= 0)
        return;
    double wait_s = rng_exponential(&c->rng, 3600 / c->o.bookings_per_hour);
    c->arrival = net_after(c->net, city_real_us(c, wait_s), arrive, c);
}

static void arrive(void *arg) {
    struct city *c = arg;
    c->arrival = NULL;
    if (c->ending)
        return;
    struct customer *customer = c->drivers_ready > 0 ? idle_customer(c) : NULL;
    if (customer != NULL)
        customer_book(customer);
    plan_arrival(c);
}

/* ---- the end ---- */

static bool all_settled(struct city *c) {
    for (int32_t i = 0; i < c->customer_count; i++) {
        if (customer_busy(c->customers[i]))
            return false;
    }
    for (int32_t i = 0; i < c->driver_count; i++) {
        if (driver_has_unacked(c->drivers[i]))
            return false;
    }
    return audit_settled(c);
}

static void end(struct city *c) {
    c->stopped = true;
    net_stop(c->net);
}

static void begin_end(struct city *c, int64_t elapsed_us) {
    c->ending = true;
    c->sum.elapsed_us = elapsed_us;
    if (c->o.speed < END_SPEED)
        c->o.speed = END_SPEED;
}

static void clock_tick(void *arg) {
    struct city *c = arg;
    int64_t elapsed_us = net_now_us(c->net) - c->started_us;
    int64_t settle_us = c->o.settle_us > 0 ? c->o.settle_us : SETTLE_US;
    int64_t every_us = c->o.output == CITY_LINES ? PROGRESS_LINES_US : PROGRESS_US;
    int asked = c->stop_asked;
    if (!c->reached && (asked > 0 || (elapsed_us > REACH_US && !person_any_waits(c)))) {
        end(c);
        return;
    }
    if (!c->ending && (asked > 0 || (c->o.duration_us > 0 && elapsed_us >= c->o.duration_us))) {
        begin_end(c, elapsed_us);
    }
    int64_t over_us = c->ending ? elapsed_us - c->sum.elapsed_us - settle_us : -1;
    if (c->ending && (asked > 1 || all_settled(c) || over_us > HUSH_US)) {
        end(c);
        return;
    }
    c->hushed = over_us > 0;
    if (c->hushed && c->askings == NULL && audit_settled(c)) {
        end(c);
        return;
    }
    for (int32_t i = 0; c->ending && i < c->customer_count; i++)
        customer_end(c->customers[i]);
    if (!c->ending)
        grow(c);
    if (!c->reached)
        return;
    if (c->o.output == CITY_LIVE || elapsed_us / every_us != (elapsed_us - US_PER_S / 4) / every_us)
        progress(c);
}

static void sum_up(struct city *c) {
    struct city_summary *s = &c->sum;
    s->unfinished = s->requested - s->delivered - s->cancelled - s->expired - s->failed;
    if (c->stop_asked <= 1) /* who is stopped at once leaves things half done */
        audit_end(c, s->unfinished);
    if (c->stop_asked == 0 && c->drivers_ready == 0)
        audit_violation(c, "no driver could go on duty, so nothing was tried");
    for (int32_t i = 0; c->stop_asked <= 1 && i < c->driver_count; i++) {
        if (driver_has_unacked(c->drivers[i]))
            audit_waiting(c, driver_person(c->drivers[i]));
    }
    s->assign_p50_us = histogram_quantile(&c->assign, 0.5);
    s->assign_p95_us = histogram_quantile(&c->assign, 0.95);
    s->latency_p50_us = histogram_quantile(&c->latency, 0.5);
    s->latency_p99_us = histogram_quantile(&c->latency, 0.99);
    s->elapsed_us = net_now_us(c->net) - c->started_us;
    for (int64_t i = 0; i < s->violations && i < VIOLATIONS_KEPT; i++)
        fprintf(stderr, "simulate: audit: %s\n", c->violations[i]);
}

/* ---- life ---- */

struct city *city_new(const struct city_options *o, const char **ret_why) {
    struct net *net = net_new(o->url, ret_why);
    if (net == NULL)
        return NULL;
    struct city *c = xcalloc(1, sizeof(*c));
    c->o = *o;
    c->net = net;
    c->parser = json_parser_new();
    rng_seed(&c->rng, o->seed);
    arena_init(&c->scratch, 65536);
    map_init(&c->bookings);
    c->drivers = xcalloc((size_t)o->drivers + 1, sizeof(struct driver *));
    c->customers = xcalloc((size_t)customers_max(c), sizeof(struct customer *));
    return c;
}

static void admin_ready(struct person *p) {
    (void)p;
}

static void admin_event(struct person *p, struct str type, struct json_value data) {
    (void)p;
    (void)type;
    (void)data;
}

static const struct person_kind admin_kind = {"admin", admin_ready, admin_event};

/* The admin signs in with a password of his own, so the city's is not his. */
static void admin_begin(struct city *c) {
    if (c->o.admin_email == NULL)
        return;
    c->admin = xcalloc(1, sizeof(*c->admin));
    person_make(c->admin, c, &admin_kind, "admin", 0);
    snprintf(c->admin->email, sizeof(c->admin->email), "%s", c->o.admin_email);
    person_begin(c->admin);
}

int city_run(struct city *c, struct city_summary *ret_summary) {
    c->started_us = net_now_us(c->net);
    admin_begin(c);
    c->clock_timer = net_every(c->net, US_PER_S / 4, clock_tick, c);
    plan_arrival(c);
    net_run(c->net);
    if (c->o.output == CITY_LIVE)
        fputs("\n", c->o.out);
    if (!c->reached && c->stop_asked == 0)
        return ERR_UNAVAILABLE;
    sum_up(c);
    *ret_summary = c->sum;
    return 0;
}

void city_stop(struct city *c) {
    c->stop_asked++;
}

void city_free(struct city *c) {
    if (c == NULL)
        return;
    c->stopped = true;
    for (int32_t i = 0; i < c->driver_count; i++)
        driver_free(c->drivers[i]);
    for (int32_t i = 0; i < c->customer_count; i++)
        customer_free(c->customers[i]);
    if (c->admin != NULL) {
        person_free(c->admin);
        free(c->admin);
    }
    audit_free(c);
    net_free(c->net);
    json_parser_free(c->parser);
    arena_free(&c->scratch);
    map_free(&c->bookings);
    free(c->drivers);
    free(c->customers);
    free(c);
}
