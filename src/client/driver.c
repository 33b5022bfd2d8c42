/* A driver: signs in, tells his vehicle, goes on duty, roams, takes most offers, drives to each
 * stop along the streets, does what is to be done there, and sends a fix every two seconds all the
 * while. Fixes wait here until they are acknowledged as durable.
 */
#include "base/check.h"
#include "base/timestamp.h"
#include "client/city_internal.h"
#include "geo/geo.h"

#include <stdlib.h>
#include <string.h>

struct job_stop {
    struct point at;
    bool done;
};

struct line { /* where he drives: a line, at what pace */
    struct point *points;
    double *along_m; /* of each point from the first */
    int32_t count;
    double length_m, speed_mps, at_m;
};

struct fix {
    int64_t at_us;
    struct point at;
    double speed_mps;
    int32_t bearing_deg;
};

struct driver {
    struct person person;
    enum vehicle vehicle;
    bool on_duty, deciding, has_job, posting;
    bool offer_waits; /* an offer that came before the answer that ended the last job */
    bool offer_next;  /* the offer is of what comes after his job */
    char offer_id[PERSON_TEXT_MAX], offer_booking[PERSON_TEXT_MAX];
    char next_id[PERSON_TEXT_MAX]; /* what he has taken to do after it; "" nothing */
    char booking_id[PERSON_TEXT_MAX], state[PERSON_TEXT_MAX];
    struct job_stop stops[JOB_STOPS_MAX];
    int32_t stop_count;
    struct point at;
    int32_t bearing_deg;
    struct line line;
    struct arena line_arena;
    int64_t rest_until_us; /* real: roaming pauses, loading at a stop */
    struct net_timer *ticker, *timer, *thinker;
    int64_t last_us;
    struct fix fixes[FIXES_WAITING_MAX]; /* oldest first */
    int32_t fix_count, in_frame;         /* the first IN_FRAME are on their way */
    int64_t frame_id, sent_us;
};

static struct driver *of(struct person *p) {
    return (struct driver *)p;
}

static struct arena *scratch(struct driver *d) {
    arena_reset(&d->person.city->scratch);
    return &d->person.city->scratch;
}

/* ---- driving ---- */

static void drive_to(struct driver *d, struct point to, double pace) {
    struct city *c = d->person.city;
    struct point ends[2] = {d->at, to};
    struct route route;
    arena_reset(&d->line_arena);
    c->o.router->ops->route(c->o.router, ends, 2, d->vehicle, true, &d->line_arena, &route);
    struct line *l = &d->line;
    *l = (struct line){.points = route.points, .count = route.point_count};
    l->along_m = arena_array(&d->line_arena, double, l->count + 1);
    for (int32_t i = 1; i < l->count; i++)
        l->along_m[i] = l->along_m[i - 1] + geo_distance_m(l->points[i - 1], l->points[i]);
    l->length_m = l->count > 0 ? l->along_m[l->count - 1] : 0;
    double duration_s = route.duration_s > 0 ? (double)route.duration_s : 1;
    l->speed_mps = l->length_m / duration_s * pace;
}

static bool arrived(const struct driver *d) {
    return d->line.count == 0 || d->line.at_m >= d->line.length_m;
}

static void move(struct driver *d, double seconds) {
    struct line *l = &d->line;
    if (arrived(d))
        return;
    l->at_m += l->speed_mps * seconds;
    if (l->at_m >= l->length_m) {
        l->at_m = l->length_m;
        d->at = l->points[l->count - 1];
        return;
    }
    int32_t i = 1;
    while (i < l->count - 1 && l->along_m[i] < l->at_m)
        i++;
    double span = l->along_m[i] - l->along_m[i - 1];
    double part = span > 0 ? (l->at_m - l->along_m[i - 1]) / span : 1;
    d->at = geo_toward(l->points[i - 1], l->points[i], part);
    d->bearing_deg = geo_bearing_deg(l->points[i - 1], l->points[i]);
}

/* ---- fixes ---- */

static void send_fixes(struct driver *d) {
    if (d->fix_count == 0 || d->in_frame > 0 || !d->person.live)
        return;
    int32_t n = d->fix_count < FIX_FRAME_MAX ? d->fix_count : FIX_FRAME_MAX;
    struct buf out;
    buf_init(&out, scratch(d), 4096);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "type", STR("location"));
    jw_kv_i64(&w, "id", ++d->frame_id);
    jw_key(&w, "fixes");
    jw_array(&w);
    for (int32_t i = 0; i < n; i++) {
        const struct fix *f = &d->fixes[i];
        jw_object(&w);
        jw_kv_time(&w, "at", f->at_us);
        jw_kv_point(&w, f->at);
        jw_kv_i64(&w, "accuracy_m", 8);
        jw_key(&w, "speed_mps");
        jw_fixed(&w, (int64_t)(f->speed_mps * 100), 2);
        jw_kv_i64(&w, "bearing_deg", f->bearing_deg);
        jw_end(&w);
    }
    jw_end(&w);
    jw_end(&w);
    if (person_socket_send(&d->person, buf_str(&out))) {
        d->in_frame = n;
        d->sent_us = net_now_us(d->person.city->net);
    }
}

static void add_fix(struct driver *d) {
    if (d->person.city->stopped)
        return; /* the city has ended in this turn of the loop: nobody would hear of its ack */
    if (d->fix_count == FIXES_WAITING_MAX)
        return; /* ten minutes without a server: the newest are dropped, none that was promised */
    d->fixes[d->fix_count++] = (struct fix){.at_us = clock_wall_us(),
                                            .at = d->at,
                                            .speed_mps = arrived(d) ? 0 : d->line.speed_mps,
                                            .bearing_deg = d->bearing_deg};
    d->person.city->sum.fixes_sent++;
}

static void on_ack(struct driver *d, struct json_value root) {
    if (json_member_i64(root, "id", -1) != d->frame_id || d->in_frame == 0)
        return;
    int64_t taken = json_member_i64(root, "stored", 0) + json_member_i64(root, "duplicates", 0);
    audit_fixes(d->person.city, &d->person, d->in_frame, taken);
    d->person.city->sum.fixes_acknowledged += d->in_frame;
    d->fix_count -= d->in_frame;
    memmove(d->fixes, d->fixes + d->in_frame, sizeof(d->fixes[0]) * (size_t)d->fix_count);
    d->in_frame = 0;
    send_fixes(d);
}

bool driver_has_unacked(const struct driver *d) {
    return d->fix_count > 0;
}

/* ---- the job ---- */

static int32_t next_stop(const struct driver *d) {
    for (int32_t i = 0; i < d->stop_count; i++) {
        if (!d->stops[i].done)
            return i;
    }
    return -1;
}

static void think(struct driver *d);
static void take_job(struct driver *d, struct json_value booking);

static void next_answer(struct person *p, void *arg, const struct net_answer *a) {
    (void)arg;
    struct json_value root;
    if (a->status == 200 && !of(p)->has_job && city_json(p->city, a->body, &root))
        take_job(of(p), root);
}

static void keep_next(struct driver *d, struct str booking_id) {
    snprintf(d->next_id, sizeof(d->next_id), "%.*s", STR_ARG(booking_id));
}

static bool comes_after(struct json_value booking) {
    struct json_value driver;
    return json_get(booking, "driver", &driver) && json_kind(driver) == JSON_IS_OBJECT &&
           json_member(driver, "free_at").len > 0;
}

/* What he has taken to do after this, as it is now. */
static void go_on(struct driver *d) {
    struct str path = arena_printf(scratch(d), "/v1/bookings/%s", d->next_id);
    d->next_id[0] = '\0';
    person_call(&d->person, "GET", path, STR_NONE, false, next_answer, NULL);
}

static void drop_job(struct driver *d) {
    d->has_job = false;
    d->line.count = 0;
    d->rest_until_us = 0;
    net_cancel(d->timer);
    d->timer = NULL;
    if (d->next_id[0] != '\0')
        go_on(d);
    else if (d->offer_waits)
        think(d);
}

static void job_done(struct driver *d) {
    drop_job(d);
    d->rest_until_us = net_now_us(d->person.city->net) + city_real_us(d->person.city, 10);
}

static bool over(struct str state) {
    return str_is(state, "delivered") || str_is(state, "cancelled") || str_is(state, "expired") ||
           str_is(state, "failed") || str_is(state, "returned");
}

static bool read_point(struct json_value place, struct point *ret_point) {
    struct json_value v;
    double lat, lng;
    if (!json_get(place, "lat", &v) || json_f64(v, &lat) < 0 || !json_get(place, "lng", &v) ||
        json_f64(v, &lng) < 0)
        return false;
    *ret_point = point_of(lat, lng);
    return true;
}

/* Takes over what the server says of the job. */
static void read_job(struct driver *d, struct json_value booking) {
    struct json_value stops;
    struct point at;
    d->stop_count = 0;
    snprintf(d->state, sizeof(d->state), "%.*s", STR_ARG(json_member(booking, "state")));
    if (!json_get(booking, "stops", &stops))
        return;
    for (struct json_iter it = json_iter(stops); json_next(&it) && d->stop_count < JOB_STOPS_MAX;) {
        if (!read_point(it.value, &at))
            return;
        struct str state = json_member(it.value, "state");
        d->stops[d->stop_count++] =
            (struct job_stop){.at = at, .done = str_is(state, "done") || str_is(state, "failed")};
    }
    /* picked_up is what makes the pickup done, whatever its stop says */
    if (d->stop_count > 0 &&
        (strcmp(d->state, "picked_up") == 0 || strcmp(d->state, "arrived_dropoff") == 0))
        d->stops[0].done = true;
}

static void drive_on(struct driver *d) {
    int32_t i = next_stop(d);
    if (i >= 0 && strncmp(d->state, "arrived", 7) != 0)
        drive_to(d, d->stops[i].at, 1);
    else
        d->line.count = 0;
}

static void take_job(struct driver *d, struct json_value booking) {
    snprintf(d->booking_id, sizeof(d->booking_id), "%.*s", STR_ARG(json_member(booking, "id")));
    read_job(d, booking);
    d->has_job = !over(str_from(d->state)) && d->stop_count >= 2;
    if (d->has_job)
        drive_on(d);
}

static void post_status(void *arg);

static void post_after(struct driver *d, double wait_s) {
    d->timer = net_after(d->person.city->net, city_real_us(d->person.city, wait_s), post_status, d);
}

/* What has become of his stop; REASON, or NULL. */
static void say(struct driver *d, int32_t stop, const char *status, const char *reason,
                person_answer_fn answer) {
    struct arena *a = scratch(d);
    struct str more = reason != NULL ? arena_printf(a, ",\"reason\":\"%s\"", reason) : STR("");
    d->posting = true;
    person_call(&d->person, "POST", arena_printf(a, "/v1/bookings/%s/status", d->booking_id),
                arena_printf(a, "{\"status\":\"%s\",\"stop\":%d%.*s}", status, stop, STR_ARG(more)),
                true, answer, NULL);
}

static void collected(struct person *p, void *arg, const struct net_answer *a) {
    (void)arg;
    of(p)->posting = false;
    if (a->status != 200)
        drop_job(of(p)); /* somebody else sees to it */
    else if (of(p)->timer == NULL)
        post_after(of(p), 1);
}

/* Takes what is due at his stop, whole. */
static void due_answer(struct person *p, void *arg, const struct net_answer *a) {
    (void)arg;
    struct driver *d = of(p);
    struct json_value root, stops;
    int32_t stop = next_stop(d);
    d->posting = false;
    if (!d->has_job || stop < 0 || a->status != 200 || !city_json(p->city, a->body, &root) ||
        !json_get(root, "stops", &stops))
        return;
    for (struct json_iter it = json_iter(stops); json_next(&it);) {
        if (json_member_i64(it.value, "stop", -1) != stop)
            continue;
        int64_t due = json_member_i64(it.value, "due", 0);
        struct arena *s = scratch(d);
        d->posting = true;
        person_call(p, "POST", arena_printf(s, "/v1/bookings/%s/collection", d->booking_id),
                    arena_printf(s, "{\"stop\":%d,\"amount\":%lld}", stop, (long long)due), true,
                    collected, NULL);
        return;
    }
}

static void stop_failed(struct person *p, void *arg, const struct net_answer *a);

/* What is in the way of handing over: cash is taken; who is to show what a simulated person cannot
 * (a PIN, a picture) is not there. */
static void clear_the_way(struct driver *d, struct str problem) {
    if (!str_is(problem, "/problems/cash-missing")) {
        say(d, next_stop(d), "failed", "nobody could show what the stop asks for", stop_failed);
        return;
    }
    d->posting = true;
    person_call(&d->person, "GET",
                arena_printf(scratch(d), "/v1/bookings/%s/collection", d->booking_id), STR_NONE,
                true, due_answer, NULL);
}

static void status_answer(struct person *p, void *arg, const struct net_answer *a) {
    (void)arg;
    struct driver *d = of(p);
    struct json_value root;
    d->posting = false;
    if (!d->has_job || !city_json(p->city, a->body, &root))
        return;
    if (a->status == 200) {
        audit_acknowledged(p->city, p, root);
        read_job(d, root);
        if (over(str_from(d->state)))
            job_done(d);
        else
            drive_on(d);
    } else if (a->status == 409 || a->status == 404) {
        struct str state = json_member(root, "state"), problem = json_member(root, "type");
        if (str_is(problem, "/problems/cash-missing") || str_is(problem, "/problems/proof-missing"))
            clear_the_way(d, problem);
        else if (state.len == 0 || over(state))
            drop_job(d); /* somebody moved it meanwhile (a cancel): the socket tells, or it is gone
                            for us */
    }
}

/* Refused once more, it is somebody else's to see to. */
static void stop_failed(struct person *p, void *arg, const struct net_answer *a) {
    if (a->status == 200) {
        status_answer(p, arg, a);
        return;
    }
    of(p)->posting = false;
    drop_job(of(p));
}

static void post_status(void *arg) {
    struct driver *d = arg;
    d->timer = NULL;
    int32_t stop = next_stop(d);
    if (!d->has_job || d->posting || stop < 0)
        return;
    const char *status = strcmp(d->state, "assigned") == 0         ? "arrived_pickup"
                         : strcmp(d->state, "arrived_pickup") == 0 ? "picked_up"
                         : strcmp(d->state, "picked_up") == 0      ? "arrived_dropoff"
                         : strcmp(d->state, "returning") == 0      ? "arrived_return"
                         : strcmp(d->state, "arrived_return") == 0 ? "returned"
                                                                   : "delivered";
    say(d, stop, status, NULL, status_answer);
}

/* At a stop: say so; loading and handing over take a while. */
static void work(struct driver *d) {
    if (!arrived(d) || d->posting || d->timer != NULL)
        return;
    bool at_stop = strncmp(d->state, "arrived", 7) == 0;
    double wait_s = at_stop ? 20 + rng_unit(&d->person.city->rng) * 60 : 0.5;
    post_after(d, wait_s);
}

/* ---- offers ---- */

static void accept_answer(struct person *p, void *arg, const struct net_answer *a) {
    (void)arg;
    struct driver *d = of(p);
    struct json_value root;
    d->deciding = false;
    if (a->status != 200 || !city_json(p->city, a->body, &root))
        return;
    struct str id = json_member(root, "id");
    bool other = d->has_job && !str_is(id, d->booking_id);
    audit_accepted(p->city, id, p->email, other && (!d->offer_next || d->next_id[0] != '\0'));
    audit_acknowledged(p->city, p, root);
    if (!d->has_job)
        take_job(d, root);
    else if (other)
        keep_next(d, id);
}

static void decline_answer(struct person *p, void *arg, const struct net_answer *a) {
    (void)arg;
    (void)a;
    of(p)->deciding = false;
}

static void decide(void *arg) {
    struct driver *d = arg;
    d->thinker = NULL;
    bool accept = rng_unit(&d->person.city->rng) < 0.9;
    struct arena *a = scratch(d);
    struct str path =
        arena_printf(a, "/v1/bookings/%s/%s", d->offer_booking, accept ? "accept" : "decline");
    person_call(&d->person, "POST", path,
                arena_printf(a,
                             accept ? "{\"offer_id\":\"%s\"}"
                                    : "{\"offer_id\":\"%s\",\"reason\":\"too far\"}",
                             d->offer_id),
                true, accept ? accept_answer : decline_answer, NULL);
}

static void think(struct driver *d) {
    d->offer_waits = false;
    d->deciding = true;
    net_cancel(d->thinker);
    double think_s = 1 + rng_unit(&d->person.city->rng) * 4;
    d->thinker = net_after(d->person.city->net, city_real_us(d->person.city, think_s), decide, d);
}

static void on_offer(struct driver *d, struct json_value offer) {
    if (d->deciding)
        return; /* a restart's leftover; it times out */
    snprintf(d->offer_id, sizeof(d->offer_id), "%.*s", STR_ARG(json_member(offer, "id")));
    snprintf(d->offer_booking, sizeof(d->offer_booking), "%.*s",
             STR_ARG(json_member(offer, "booking_id")));
    d->offer_next = json_member(offer, "free_at").len > 0;
    if (d->has_job && !d->offer_next)
        d->offer_waits = true;
    else
        think(d);
}

static void on_booking(struct driver *d, struct json_value booking) {
    struct str id = json_member(booking, "id");
    struct str state = json_member(booking, "state");
    if (d->has_job && str_is(id, d->booking_id) && over(state)) {
        if (!d->posting)
            drop_job(d);
    } else if (str_is(id, d->next_id) && !str_is(state, "assigned")) {
        d->next_id[0] = '\0'; /* cancelled, or given to somebody else */
    } else if (str_is(state, "assigned") && comes_after(booking)) {
        keep_next(d, id); /* a dispatcher's assignment, for later … */
    } else if (!d->has_job && !d->deciding && str_is(state, "assigned")) {
        take_job(d, booking); /* … or for now */
    }
}

/* ---- getting ready ---- */

static void tick(void *arg) {
    struct driver *d = arg;
    struct city *c = d->person.city;
    int64_t now_us = net_now_us(c->net);
    double seconds = (double)(now_us - d->last_us) / 1e6 * c->o.speed;
    d->last_us = now_us;
    move(d, seconds);
    if (d->has_job)
        work(d);
    else if (arrived(d) && now_us >= d->rest_until_us && !c->ending) {
        struct str name;
        drive_to(d, c->o.place(c->o.place_arg, &c->rng, &name), 0.7);
        d->rest_until_us = now_us + city_real_us(c, 120);
    }
    if (!c->ending || d->has_job)
        add_fix(d);
    if (d->in_frame > 0 && now_us - d->sent_us > 10 * US_PER_S)
        d->in_frame = 0; /* the ack was lost with its socket: send them again */
    send_fixes(d);
}

/* A fix every two seconds, as people's phones send them. Where life runs much faster than that,
 * more often: else most of a job's time would be waiting for the next tick. */
static int64_t tick_us(const struct city *c) {
    double us = FIX_EVERY_US * 10 / c->o.speed;
    if (us < FIX_EVERY_US_MIN)
        return FIX_EVERY_US_MIN;
    return us < FIX_EVERY_US ? (int64_t)us : FIX_EVERY_US;
}

static void begin_ticking(struct driver *d) {
    struct city *c = d->person.city;
    d->on_duty = true;
    c->drivers_ready++;
    d->last_us = net_now_us(c->net);
    if (d->ticker == NULL)
        d->ticker = net_every(c->net, tick_us(c), tick, d);
    add_fix(d);
    send_fixes(d);
}

static void earlier_answer(struct person *p, void *arg, const struct net_answer *a) {
    (void)arg;
    struct driver *d = of(p);
    struct json_value root, items;
    if (a->status == 200 && city_json(p->city, a->body, &root) && json_get(root, "items", &items)) {
        for (struct json_iter it = json_iter(items); json_next(&it);) {
            if (comes_after(it.value))
                keep_next(d, json_member(it.value, "id"));
            else if (!d->has_job)
                take_job(d, it.value);
        }
    }
    begin_ticking(d);
}

static void duty_answer(struct person *p, void *arg, const struct net_answer *a) {
    (void)arg;
    if (a->status != 200) {
        city_complain(
            p->city, p,
            a->status == 403
                ? "cannot go on duty (the server wants drivers approved: give an --admin, "
                  "or start it with --driver-approval auto)"
                : "cannot go on duty",
            a);
        return;
    }
    /* Who was seen lately goes on from there: after a restart nobody has jumped. */
    struct json_value root, position;
    if (city_json(p->city, a->body, &root) && json_get(root, "position", &position) &&
        json_kind(position) == JSON_IS_OBJECT)
        read_point(position, &of(p)->at);
    person_call(p, "GET", STR("/v1/bookings?state=active&limit=2"), STR_NONE, false, earlier_answer,
                NULL);
}

static void go_on_duty(struct person *p, void *arg, const struct net_answer *a) {
    (void)arg;
    (void)a;
    person_call(p, "POST", STR("/v1/driver/duty"), STR("{\"duty\":\"on\"}"), false, duty_answer,
                NULL);
}

static void approve(struct driver *d, struct str driver_id) {
    struct city *c = d->person.city;
    struct arena *a = scratch(d);
    if (c->admin == NULL || !c->admin->signed_in)
        return;
    person_call(c->admin, "PATCH", arena_printf(a, "/v1/drivers/%.*s", STR_ARG(driver_id)),
                STR("{\"status\":\"approved\"}"), false, NULL, NULL);
}

static void vehicle_answer(struct person *p, void *arg, const struct net_answer *a) {
    struct driver *d = of(p);
    struct json_value root;
    if (a->status == 200 && city_json(p->city, a->body, &root) &&
        str_is(json_member(root, "status"), "pending"))
        approve(d, json_member(root, "id"));
    /* the approval, if one is needed, is on its way on another connection */
    if (p->city->admin != NULL)
        net_after(p->city->net, US_PER_S, (void (*)(void *))arg, d);
    else
        go_on_duty(p, NULL, a);
}

static void duty_later(void *arg) {
    go_on_duty(arg, NULL, NULL);
}

static void driver_ready(struct person *p) {
    struct driver *d = of(p);
    static const char *const plates[] = {NULL, "BIK", "CAR", "VAN", "TRK"};
    static const int capacity[] = {0, 20, 300, 900, 8000};
    struct arena *a = scratch(d);
    person_call(
        p, "PUT", STR("/v1/driver"),
        arena_printf(a, "{\"vehicle\":{\"class\":\"%s\",\"plate\":\"%s%03d\",\"capacity_kg\":%d}}",
                     vehicle_names[d->vehicle], plates[d->vehicle], p->number % 1000,
                     capacity[d->vehicle]),
        false, vehicle_answer, (void *)duty_later);
}

static void driver_event(struct person *p, struct str type, struct json_value data) {
    struct driver *d = of(p);
    if (str_is(type, "booking.updated"))
        on_booking(d, data);
    else if (str_is(type, "offer.made"))
        on_offer(d, data);
    else if (str_is(type, "booking.unassigned") &&
             str_is(json_member(data, "booking_id"), d->next_id))
        d->next_id[0] = '\0'; /* he took too long */
    else if (str_is(type, "ack"))
        on_ack(d, data);
    else if (str_is(type, "ready") || str_is(type, "resumed"))
        d->in_frame = 0; /* a new socket: what had no ack goes again */
}

static const struct person_kind driver_kind = {"driver", driver_ready, driver_event};

/* Of twenty drivers: two on bikes, six in cars, nine in vans, three in trucks. */
static enum vehicle vehicle_of(int32_t number) {
    static const char mix[] = "vcvtcvbvcvtcvbvcvtcv";
    char c = mix[number % 20];
    return c == 'b'   ? VEHICLE_BIKE
           : c == 'c' ? VEHICLE_CAR
           : c == 'v' ? VEHICLE_VAN
                      : VEHICLE_TRUCK;
}

struct driver *driver_new(struct city *city, int32_t number) {
    struct driver *d = xcalloc(1, sizeof(*d));
    struct str name;
    d->vehicle = vehicle_of(number);
    d->at = city->o.place(city->o.place_arg, &city->rng, &name);
    arena_init(&d->line_arena, 4096);
    person_make(&d->person, city, &driver_kind, "driver", number);
    person_begin(&d->person);
    return d;
}

void driver_free(struct driver *d) {
    net_cancel(d->ticker);
    net_cancel(d->timer);
    net_cancel(d->thinker);
    person_free(&d->person);
    arena_free(&d->line_arena);
    free(d);
}

struct person *driver_person(struct driver *d) {
    return &d->person;
}
