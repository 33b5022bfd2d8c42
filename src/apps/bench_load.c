/* Load over HTTP from one thread: people sign up, then each connection asks, waits for the answer,
 * asks again; or, at a fixed rate, asks by the clock, and the latency counts from when it should
 * have asked.
 */
#include "apps/bench.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/histogram.h"
#include "base/timestamp.h"
#include "json/reader.h"
#include "json/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEOPLE_MAX 64
#define CONNECTIONS 64
#define FIXES_IN_BATCH 100
#define RADII 4
#define NEAREST_DEPTH 16 /* pipelined on each connection */
#define MIXED_DEPTH 4

struct load;
struct client {
    struct load *load;
    struct net_conn *conn;
    int32_t number, turn;
    bool driver;
    char token[1024], booking_id[64], quote_id[64];
    int64_t fix_at_us;
    int64_t due_us; /* of the request on its way, for a paced load */
    bool busy;
};

/* What a connection asks next: writes a whole request into OUT. */
typedef void (*next_fn)(struct client *c, struct buf *out);

struct load {
    struct net *net;
    struct rng rng;
    struct json_parser *parser;
    struct client clients[PEOPLE_MAX];
    int32_t count, ready;
    next_fn next;
    void (*answered)(struct client *c, const struct net_answer *a);
    struct buf request;
    struct histogram latency;
    int64_t from_us, until_us, done, failed;
    int failed_status; /* the last one's; 0: there was no answer */
    double rate;       /* requests a second; 0: as fast as answers come */
    enum bench_kind only;
    int32_t depth; /* requests on their way on each connection, pipelined; 0: one */
    int64_t asked;
    long long run; /* of this one: so that its people are new to a server that had some before */
    bool over;
};

/* ---- requests ---- */

static void begin(struct client *c, struct buf *out, const char *method, const char *path) {
    (void)c;
    buf_printf(out, "%s %s HTTP/1.1\r\nHost: lorry\r\n", method, path);
}

static void finish(struct client *c, struct buf *out, struct str body) {
    if (c->token[0] != 0)
        buf_printf(out, "Authorization: Bearer %s\r\n", c->token);
    if (body.len > 0)
        buf_printf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body.len);
    buf_add_cstr(out, "\r\n");
    if (body.len > 0)
        buf_add_str(out, body);
}

static void ask(struct client *c);

static void on_answer(void *arg, const struct net_answer *a) {
    struct client *c = arg;
    struct load *l = c->load;
    c->busy = false;
    int64_t now_us = clock_mono_us();
    bool counts = now_us >= l->from_us && now_us < l->until_us;
    if (counts && a->status >= 200 && a->status < 300) {
        l->done++;
        histogram_record(&l->latency, l->rate > 0 ? now_us - c->due_us : a->took_us);
    } else if (counts) {
        l->failed++;
        l->failed_status = a->status;
    }
    if (l->answered != NULL)
        l->answered(c, a);
    if (now_us >= l->until_us && !l->over) {
        l->over = true;
        net_stop(l->net);
    }
    if (!l->over && l->rate <= 0)
        ask(c);
}

static void ask(struct client *c) {
    struct load *l = c->load;
    l->request.len = 0;
    l->next(c, &l->request);
    c->busy = true;
    net_send_raw(c->conn, buf_str(&l->request), on_answer, c);
}

/* Every millisecond: as many requests as should have been asked by now. */
static void pace(void *arg) {
    struct load *l = arg;
    int64_t now_us = clock_mono_us();
    int64_t due = (int64_t)((double)(now_us - (l->from_us - US_PER_S)) / 1e6 * l->rate);
    for (int32_t i = 0; l->asked < due && i < l->count; i++) {
        struct client *c = &l->clients[(l->asked + i) % l->count];
        if (c->busy)
            continue;
        c->due_us = l->from_us - US_PER_S + (int64_t)((double)l->asked * 1e6 / l->rate);
        l->asked++;
        ask(c);
    }
}

/* ---- people ---- */

static void go_on_duty(struct client *c);

static void signed_up(void *arg, const struct net_answer *a) {
    struct client *c = arg;
    struct json_value root, token;
    if (a->status != 201 || json_parse(c->load->parser, a->body, &root) < 0 ||
        !json_get(root, "access_token", &token)) {
        fprintf(stderr, "bench: cannot sign up: status %d\n", a->status);
        net_stop(c->load->net);
        return;
    }
    snprintf(c->token, sizeof(c->token), "%.*s", STR_ARG(json_text(token)));
    if (c->driver)
        go_on_duty(c);
    else if (++c->load->ready == c->load->count)
        net_stop(c->load->net);
}

static void sign_up(struct client *c) {
    char body[256];
    snprintf(body, sizeof(body),
             "{\"email\":\"bench%lld-%d@bench.example\",\"password\":\"a bench password 1\","
             "\"name\":\"Bench %d\",\"phone\":\"+46700000000\",\"role\":\"%s\"}",
             c->load->run, c->number, c->number, c->driver ? "driver" : "customer");
    net_send(c->conn,
             &(struct net_request){
                 .method = "POST", .path = STR("/v1/auth/register"), .body = str_from(body)},
             signed_up, c);
}

static void duty_done(void *arg, const struct net_answer *a) {
    struct client *c = arg;
    if (a->status != 200)
        fprintf(stderr, "bench: no duty: status %d\n", a->status);
    if (++c->load->ready == c->load->count)
        net_stop(c->load->net);
}

static void vehicle_done(void *arg, const struct net_answer *a) {
    (void)a;
    struct client *c = arg;
    net_send(c->conn,
             &(struct net_request){.method = "POST",
                                   .path = STR("/v1/driver/duty"),
                                   .token = str_from(c->token),
                                   .body = STR("{\"duty\":\"on\"}")},
             duty_done, c);
}

static void go_on_duty(struct client *c) {
    net_send(c->conn,
             &(struct net_request){
                 .method = "PUT",
                 .path = STR("/v1/driver"),
                 .token = str_from(c->token),
                 .body = STR(
                     "{\"vehicle\":{\"class\":\"van\",\"plate\":\"BEN1\",\"capacity_kg\":800}}")},
             vehicle_done, c);
}

static int load_open(struct load *l, const struct bench_server *s, int32_t customers,
                     int32_t drivers, uint64_t seed) {
    const char *why;
    memset(l, 0, sizeof(*l));
    l->run = clock_wall_us();
    l->net = net_new(s->url, &why);
    l->parser = json_parser_new();
    rng_seed(&l->rng, seed);
    buf_init(&l->request, NULL, 16384);
    l->count = customers + drivers;
    for (int32_t i = 0; i < l->count; i++) {
        struct client *c = &l->clients[i];
        c->load = l;
        c->number = i;
        c->driver = i >= customers;
        c->conn = net_conn_new(l->net);
        c->fix_at_us = clock_wall_us() - 20 * US_PER_DAY;
        sign_up(c);
    }
    net_run(l->net);
    return l->ready == l->count ? 0 : ERR_UNAVAILABLE;
}

/* Runs the load for SECONDS after one of warming up. */
static int load_run(struct load *l, int32_t seconds) {
    l->from_us = clock_mono_us() + US_PER_S;
    l->until_us = l->from_us + seconds * US_PER_S;
    struct net_timer *pacer = l->rate > 0 ? net_every(l->net, US_PER_MS, pace, l) : NULL;
    int32_t depth = l->depth > 0 ? l->depth : 1;
    for (int32_t i = 0; l->rate <= 0 && i < l->count * depth; i++)
        ask(&l->clients[i % l->count]);
    net_run(l->net);
    net_cancel(pacer);
    if (l->failed > l->done / 1000) {
        int64_t all = l->done + l->failed;
        fprintf(stderr, "bench: %lld of %lld answers were not 2xx, the last was %d\n",
                (long long)l->failed, (long long)all, l->failed_status);
        return ERR_UNAVAILABLE;
    }
    return 0;
}

static void load_close(struct load *l) {
    l->over = true;
    net_free(l->net);
    json_parser_free(l->parser);
    buf_free(&l->request);
}

/* ---- fixes ---- */

static void next_fixes(struct client *c, struct buf *out, int32_t count) {
    struct load *l = c->load;
    struct buf body;
    struct jw w;
    buf_init(&body, NULL, 16384);
    jw_init(&w, &body);
    jw_object(&w);
    jw_key(&w, "fixes");
    jw_array(&w);
    for (int32_t i = 0; i < count; i++) {
        c->fix_at_us += 100 * US_PER_MS;
        jw_object(&w);
        jw_kv_time(&w, "at", c->fix_at_us);
        jw_kv_point(&w, point_of(57.7 + rng_unit(&l->rng) / 50, 11.97 + rng_unit(&l->rng) / 50));
        jw_kv_i64(&w, "accuracy_m", 8);
        jw_key(&w, "speed_mps");
        jw_fixed(&w, 91, 1);
        jw_kv_i64(&w, "bearing_deg", 45);
        jw_end(&w);
    }
    jw_end(&w);
    jw_end(&w);
    begin(c, out, "POST", "/v1/driver/locations");
    finish(c, out, buf_str(&body));
    buf_free(&body);
}

static void next_batch(struct client *c, struct buf *out) {
    next_fixes(c, out, FIXES_IN_BATCH);
}

int bench_fixes(struct bench_run *r) {
    struct bench_server s;
    struct load *l = xcalloc(1, sizeof(*l));
    int err = bench_server_start(&s, 0, NULL);
    if (err == 0)
        err = load_open(l, &s, 0, CONNECTIONS, r->seed);
    l->next = next_batch;
    if (err == 0)
        err = load_run(l, r->seconds);
    r->figures[0] = (double)l->done * FIXES_IN_BATCH / r->seconds;
    r->figures[1] = (double)histogram_quantile(&l->latency, 0.99) / 1e3;
    load_close(l);
    bench_server_stop(&s);
    free(l);
    return err;
}

/* ---- nearest ---- */

static void next_nearest(struct client *c, struct buf *out) {
    static const int radius_m[RADII] = {250, 1000, 3000, 10000};
    struct load *l = c->load;
    char path[160];
    snprintf(path, sizeof(path), "/v1/drivers/nearby?lat=%.5f&lng=%.5f&radius_m=%d&limit=10",
             57.7 + (rng_unit(&l->rng) - 0.5) / 10, 11.97 + (rng_unit(&l->rng) - 0.5) / 6,
             radius_m[c->turn++ % RADII]);
    begin(c, out, "GET", path);
    finish(c, out, STR_NONE);
}

int bench_nearest(struct bench_run *r) {
    struct bench_server s;
    struct load *l = xcalloc(1, sizeof(*l));
    int err = bench_server_start(&s, 100000, NULL);
    if (err == 0)
        err = load_open(l, &s, CONNECTIONS, 0, r->seed);
    l->next = next_nearest;
    l->depth = NEAREST_DEPTH;
    if (err == 0)
        err = load_run(l, r->seconds);
    r->figures[0] = (double)l->done / r->seconds;
    r->figures[1] = (double)histogram_quantile(&l->latency, 0.99) / 1e3;
    load_close(l);
    bench_server_stop(&s);
    free(l);
    return err;
}

/* ---- mixed ---- */

static struct point city_point(struct load *l) {
    return point_of(57.7 + (rng_unit(&l->rng) - 0.5) / 25, 11.97 + (rng_unit(&l->rng) - 0.5) / 15);
}

static void next_quote(struct client *c, struct buf *out) {
    struct point a = city_point(c->load), b = city_point(c->load);
    char body[200];
    snprintf(body, sizeof(body),
             "{\"stops\":[{\"lat\":%.6f,\"lng\":%.6f},{\"lat\":%.6f,\"lng\":%.6f}],"
             "\"vehicle\":\"van\"}",
             point_lat(a), point_lng(a), point_lat(b), point_lng(b));
    begin(c, out, "POST", "/v1/quotes");
    finish(c, out, str_from(body));
}

/* A customer's tenth: a quote, a booking of it, its cancelling, in turn. */
static void next_business(struct client *c, struct buf *out) {
    char text[160];
    if (c->quote_id[0] != 0) {
        snprintf(text, sizeof(text), "{\"quote_id\":\"%s\",\"payment\":\"cash\"}", c->quote_id);
        c->quote_id[0] = 0;
        begin(c, out, "POST", "/v1/bookings");
        finish(c, out, str_from(text));
    } else if (c->booking_id[0] != 0) {
        snprintf(text, sizeof(text), "/v1/bookings/%s/cancel", c->booking_id);
        c->booking_id[0] = 0;
        begin(c, out, "POST", text);
        finish(c, out, STR("{\"reason\":\"bench\"}"));
    } else {
        next_quote(c, out);
    }
}

static void mixed_answered(struct client *c, const struct net_answer *a) {
    struct json_value root, list, id;
    if (a->status != 201 || json_parse(c->load->parser, a->body, &root) < 0)
        return;
    if (json_get(root, "quotes", &list)) {
        struct json_iter it = json_iter(list);
        if (json_next(&it) && json_get(it.value, "id", &id))
            snprintf(c->quote_id, sizeof(c->quote_id), "%.*s", STR_ARG(json_text(id)));
    } else if (json_get(root, "id", &id)) {
        snprintf(c->booking_id, sizeof(c->booking_id), "%.*s", STR_ARG(json_text(id)));
    }
}

static void next_read(struct client *c, struct buf *out) {
    char path[96];
    if (c->turn % 3 == 0 && c->booking_id[0] != 0)
        snprintf(path, sizeof(path), "/v1/bookings/%s", c->booking_id);
    else
        snprintf(path, sizeof(path), "%s", c->turn % 3 == 1 ? "/v1/bookings?limit=10" : "/v1/me");
    begin(c, out, "GET", path);
    finish(c, out, STR_NONE);
}

/* Of the connections a fifth are drivers, who send fixes; the others read (6 of 8), look for
 * vehicles near (1 of 8) and do business (1 of 8): 60 % reads, 20 % fixes, 10 % nearby, 10 %
 * business. */
static void next_mixed(struct client *c, struct buf *out) {
    c->turn++;
    if (c->driver)
        next_fixes(c, out, 5);
    else if (c->turn % 8 == 0)
        next_business(c, out);
    else if (c->turn % 8 == 4)
        next_nearest(c, out);
    else
        next_read(c, out);
}

/* One kind of it alone, by --only. */
static void next_of_kind(struct client *c, struct buf *out) {
    static const next_fn kinds[] = {next_read, NULL, next_nearest, next_business};
    c->turn += c->load->only == BENCH_READS;
    kinds[c->load->only](c, out);
}

static void next_five(struct client *c, struct buf *out) {
    next_fixes(c, out, 5);
}

static int open_mixed(struct load *l, const struct bench_server *s, const struct bench_run *r) {
    bool fixes = r->only == BENCH_FIXES;
    int err = load_open(l, s, fixes ? 0 : 40, fixes ? 50 : 10, r->seed);
    l->next = r->only == BENCH_ALL ? next_mixed : fixes ? next_five : next_of_kind;
    l->only = r->only;
    if (r->only != BENCH_ALL && !fixes)
        l->count = 40; /* the drivers are there, and still */
    return err;
}

static int mixed(struct bench_run *r, double rate) {
    struct bench_server s = {0};
    struct load *l = xcalloc(1, sizeof(*l));
    int err = 0;
    if (r->url != NULL)
        snprintf(s.url, sizeof(s.url), "%s", r->url);
    else
        err = bench_server_start(&s, 0, r->streets);
    if (err == 0)
        err = open_mixed(l, &s, r);
    l->answered = mixed_answered;
    l->rate = rate;
    /* A proxy closes a connection after so many requests, and what is pipelined then is lost. */
    l->depth = r->url != NULL ? 1 : MIXED_DEPTH;
    if (err == 0 && r->url != NULL)
        fprintf(stderr, "bench: everybody is signed up\n"); /* who measures the server begins now */
    if (err == 0)
        err = load_run(l, r->seconds);
    r->figures[0] = (double)l->done / r->seconds;
    r->figures[1] = (double)histogram_quantile(&l->latency, 0.5) / 1e3;
    r->figures[2] = (double)histogram_quantile(&l->latency, 0.99) / 1e3;
    load_close(l);
    if (r->url == NULL)
        bench_server_stop(&s);
    free(l);
    return err;
}

int bench_mixed(struct bench_run *r) {
    return mixed(r, 0);
}

int bench_mixed_half(struct bench_run *r) {
    return mixed(r, 7500);
}

/* ---- idle sockets ---- */

#define SOCKETS 10000
#define SOCKETS_AT_ONCE 200

struct crowd {
    struct net *net;
    struct str token;
    int32_t asked, open;
};

static void crowd_more(struct crowd *w);

static void crowd_open(void *arg) {
    (void)arg;
}

static void crowd_text(void *arg, struct str message) {
    struct crowd *w = arg;
    if (memmem(message.p, message.len, "\"ready\"", 7) == NULL)
        return;
    if (++w->open == SOCKETS)
        net_stop(w->net);
    crowd_more(w);
}

static void crowd_closed(void *arg, int code) {
    struct crowd *w = arg;
    (void)code;
    if (w->open < SOCKETS)
        net_stop(w->net);
}

static const struct net_socket_events crowd_events = {crowd_open, crowd_text, crowd_closed};

static void crowd_more(struct crowd *w) {
    if (w->asked < SOCKETS) {
        w->asked++;
        net_socket_open(w->net, STR("/v1/ws"), w->token, &crowd_events, w);
    }
}

int bench_sockets(struct bench_run *r) {
    struct bench_server s;
    struct load *l = xcalloc(1, sizeof(*l));
    int err = bench_server_start(&s, 0, NULL);
    if (err == 0)
        err = load_open(l, &s, 1, 0, r->seed);
    struct crowd w = {.net = l->net, .token = str_from(l->clients[0].token)};
    int64_t before = bench_server_memory(&s, "RssAnon");
    for (int32_t i = 0; err == 0 && i < SOCKETS_AT_ONCE; i++)
        crowd_more(&w);
    if (err == 0)
        net_run(l->net);
    r->figures[0] = (double)(bench_server_memory(&s, "RssAnon") - before) / SOCKETS;
    r->figures[1] = w.open;
    load_close(l);
    bench_server_stop(&s);
    free(l);
    return err < 0 || w.open < SOCKETS ? ERR_UNAVAILABLE : 0;
}
