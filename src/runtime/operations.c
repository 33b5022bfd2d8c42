/* What operators ask: alive, ready, figures, and what a problem means. */
#include "base/check.h"
#include "base/timestamp.h"
#include "runtime/metrics.h"
#include "runtime/runtime_internal.h"

#include <stdio.h>
#include <string.h>

#define STORE_SILENT_US (3 * US_PER_S)

static void healthz(struct call *c) {
    call_json(c, 200, STR("{\"status\":\"alive\"}"));
}

/* A store beside the process may go away; one in it is there. The executor asks it once a second,
 * and has no time to while it waits for it. */
static bool store_ok(const struct runtime *r) {
    return r->o.peers == NULL || clock_mono_us() - r->store_ok_us < STORE_SILENT_US;
}

static void write_part(struct jw *w, const char *name, bool ok) {
    jw_kv_str(w, name, ok ? STR("ok") : STR("away"));
}

/* Not ready while a part is away without which no request could be served. */
static bool write_parts(struct jw *w, const struct runtime *r) {
    bool ready = store_ok(r);
    write_part(w, "store", ready);
    for (int32_t i = 0; i < RUNTIME_HEALTH_MAX && r->o.health[i].name != NULL; i++) {
        const struct health *h = &r->o.health[i];
        bool ok = h->ok(h->arg);
        write_part(w, h->name, ok);
        ready = ready && (ok || !h->needed);
    }
    return ready;
}

static void readyz(struct call *c) {
    const struct runtime *r = c->service;
    struct buf parts, out;
    struct jw w;
    bool ready = true;
    buf_init(&parts, &c->arena, 128);
    if (r->o.peers != NULL) {
        jw_init(&w, &parts);
        jw_object(&w);
        ready = write_parts(&w, r);
        jw_end(&w);
    }
    const char *status = r->draining ? "draining" : ready ? "ready" : "waiting";
    buf_init(&out, &c->arena, 192);
    buf_printf(&out, "{\"status\":\"%s\"", status);
    if (r->o.peers != NULL)
        buf_printf(&out, ",\"parts\":%.*s", STR_ARG(buf_str(&parts)));
    buf_add_cstr(&out, "}");
    if (r->draining || !ready)
        response_header(&c->response, "Retry-After", STR("5"));
    call_json(c, r->draining || !ready ? 503 : 200, buf_str(&out));
}

static void problem_page(struct call *c) {
    for (int32_t i = 0; i < PROBLEM_COUNT; i++) {
        const struct problem_def *p = &problem_table[i];
        if (!str_is(c->params[0], p->slug))
            continue;
        c->response.content_type = "text/html; charset=utf-8";
        response_header(&c->response, "Cache-Control", STR("public, max-age=86400"));
        response_header(&c->response, "Content-Security-Policy",
                        STR("default-src 'none'; style-src 'unsafe-inline'"));
        call_json(c, 200,
                  arena_printf(&c->arena,
                               "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"
                               "<meta name=\"viewport\" content=\"width=device-width\">"
                               "<title>%s</title><style>body{font:16px/1.5 sans-serif;"
                               "max-width:40em;margin:3em auto;padding:0 1em}</style>"
                               "<h1>%s</h1><p>HTTP status %d, type <code>/problems/%s</code></p>"
                               "<p>%s</p></html>\n",
                               p->title, p->title, p->status, p->slug, p->explain));
        return;
    }
    call_problem(c, PROBLEM_NOT_FOUND, "there is no such problem");
}

/* ---- metrics, in the text format of Prometheus ---- */

#define ROUTE_LABELS_MAX 160

static const int64_t edges_us[] = {500,   1000,   2500,   5000,    10000,   25000,
                                   50000, 100000, 250000, 1000000, 5000000, 10000000};

static void route_metrics(struct buf *out, const struct runtime *r) {
    char labels[ROUTE_LABELS_MAX];
    metric_head(out, "lorry_http_requests_total", "counter",
                "Requests answered, by route and class of status (0xx: became WebSockets).");
    for (int32_t i = 0; i < r->routes.count; i++) {
        const struct route_slot *slot = &r->routes.slots[i];
        for (int class = 0; class < 6; class ++) {
            if (slot->by_class[class] == 0)
                continue;
            buf_printf(out,
                       "lorry_http_requests_total{method=\"%s\",route=\"%s\",code=\"%dxx\"} %llu\n",
                       slot->entry->method, slot->entry->pattern, class,
                       (unsigned long long)slot->by_class[class]);
        }
    }
    buf_printf(out, "lorry_http_requests_total{method=\"\",route=\"unrouted\",code=\"4xx\"} %llu\n",
               (unsigned long long)r->unrouted);
    metric_head(out, "lorry_http_request_duration_seconds", "histogram", "From arrival to answer.");
    for (int32_t i = 0; i < r->routes.count; i++) {
        const struct route_slot *slot = &r->routes.slots[i];
        if (slot->latency.count == 0)
            continue;
        snprintf(labels, sizeof(labels), "method=\"%s\",route=\"%s\"", slot->entry->method,
                 slot->entry->pattern);
        metric_histogram(out, "lorry_http_request_duration_seconds", labels, &slot->latency,
                         edges_us, (int)COUNT_OF(edges_us));
    }
}

static void executor_metrics(struct buf *out, struct executor *x, int64_t now_us) {
    struct executor_stats s;
    executor_stats(x, &s);
    metric_write(out, "lorry_commands_total", "counter", "Commands taken by the executor.",
                 (double)s.commands);
    metric_write(out, "lorry_commit_batches_total", "counter", "Durable writes.",
                 (double)s.batches);
    metric_write(out, "lorry_commits_total", "counter", "Commands whose change is durable.",
                 (double)s.commits);
    metric_write(out, "lorry_commit_conflicts_total", "counter",
                 "Commits that met another's version.", (double)s.conflicts);
    metric_write(out, "lorry_duplicates_total", "counter",
                 "Events dropped because they had their effect.", (double)s.duplicates);
    metric_write(out, "lorry_store_errors_total", "counter", "Writes that the store refused.",
                 (double)s.store_errors);
    metric_write(out, "lorry_timers_total", "counter", "Wake-ups of aggregates.", (double)s.timers);
    metric_write(out, "lorry_events_published_total", "counter", "Events given to the bus.",
                 (double)s.events_published);
    metric_write(out, "lorry_events_confirmed_total", "counter",
                 "Events that every consumer has had.", (double)s.events_confirmed);
    metric_write(out, "lorry_mailbox_depth", "gauge", "Commands that wait.",
                 (double)s.mailbox_depth);
    metric_write(out, "lorry_outbox_in_flight", "gauge", "Events published and not confirmed.",
                 (double)s.outbox_in_flight);
    metric_write(
        out, "lorry_outbox_behind", "gauge",
        "Events written by this process that the bus has not confirmed, with several processes.",
        (double)s.outbox_behind);
    double age = s.outbox_oldest_us > 0 ? (double)(now_us - s.outbox_oldest_us) / 1e6 : 0;
    metric_write(out, "lorry_outbox_age_seconds", "gauge",
                 "Age of the oldest event that the bus has not confirmed, to the second.",
                 age > 0 ? age : 0);
    metric_write(out, "lorry_parked_replies", "gauge", "Replies that wait for what follows.",
                 (double)s.parked);
}

static void metrics(struct call *c) {
    struct runtime *r = c->service;
    struct buf out;
    buf_init(&out, &c->arena, 16384);
    metric_head(&out, "lorry_info", "gauge", "Version.");
    buf_add_cstr(&out, "lorry_info{version=\"" LORRY_VERSION "\"} 1\n");
    metric_write(&out, "lorry_start_time_seconds", "gauge", "When this process started, Unix time.",
                 (double)r->started_us / 1e6);
    metric_write(&out, "lorry_ready", "gauge", "1, 0 while draining.", r->draining ? 0 : 1);
    executor_metrics(&out, r->o.executor, c->now_us);
    if (r->o.metrics != NULL)
        r->o.metrics(r->o.metrics_arg, &out);
    if (r->o.bus->ops->metrics != NULL)
        r->o.bus->ops->metrics(r->o.bus, &out);
    if (r->o.cache != NULL && r->o.cache->ops->metrics != NULL)
        r->o.cache->ops->metrics(r->o.cache, &out);
    spans_metrics(r->o.spans, &out);
    for (int32_t i = 0; i < r->service_count; i++) {
        if (r->services[i].def->metrics != NULL)
            r->services[i].def->metrics(r->services[i].self, &out);
    }
    route_metrics(&out, r);
    c->response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    call_json(c, 200, buf_str(&out));
}

const struct route_entry operations_routes[] = {
    {"GET", "/healthz", ROLES_PUBLIC, healthz, NULL, 0, "getHealth"},
    {"GET", "/readyz", ROLES_PUBLIC, readyz, NULL, 0, "getReadiness"},
    {"GET", "/metrics", ROLES_PUBLIC, metrics, NULL, 0, "getMetrics"},
    {"GET", "/problems/{slug}", ROLES_PUBLIC, problem_page, NULL, 0, "getProblem"},
};
const int32_t operations_route_count = (int32_t)COUNT_OF(operations_routes);
