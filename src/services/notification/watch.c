/* What a socket watches: bookings whose news are its account's anyway, and for staff one area of
 * the map. A watch holds a stamp: what has changed since is sent with the tick, the newest only,
 * and nothing while the client has enough to read already.
 *
 * Word of a booking comes a moment after its customer's 201. Who asks in between waits for it, up
 * to WATCH_WAIT_US, before he is refused.
 */
#include "services/notification/internal.h"

#include "base/check.h"
#include "base/err.h"
#include "base/id.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the list ---- */

static struct watch *watch_find(struct session *s, struct str booking_id, bool area) {
    for (int32_t i = 0; i < s->watch_count; i++) {
        struct watch *w = &s->watches[i];
        if (w->area == area && (area || str_is(booking_id, w->booking_id)))
            return w;
    }
    return NULL;
}

/* A fresh watch, in place of one of the same if there was one. NULL: there are too many. */
static struct watch *watch_add(struct session *s, struct str booking_id, bool area) {
    struct watch *w = watch_find(s, booking_id, area);
    if (w == NULL) {
        if (s->watch_count == SESSION_WATCHES_MAX)
            return NULL;
        if (s->watches == NULL)
            s->watches = xcalloc(SESSION_WATCHES_MAX, sizeof(struct watch));
        s->part->watcher_count += s->watch_count == 0;
        w = &s->watches[s->watch_count++];
    } else {
        s->watches_asked -= w->asked_us != 0;
    }
    *w = (struct watch){.area = area};
    copy_text(w->booking_id, sizeof(w->booking_id), booking_id);
    return w;
}

static void watch_drop(struct session *s, struct watch *w) {
    s->watches_asked -= w->asked_us != 0;
    *w = s->watches[--s->watch_count];
    s->part->watcher_count -= s->watch_count == 0;
}

static void too_many(struct session *s, const struct frame_in *f) {
    session_error(s, f, 400, "invalid-request", STR("too many watches on this socket"));
}

/* VALUE is JSON text. */
static void watching(struct session *s, const char *key, struct str value) {
    session_send_text(s, arena_printf(&s->part->scratch, "{\"type\":\"watching\",\"%s\":%.*s}", key,
                                      STR_ARG(value)));
}

static bool is_staff(const struct session *s) {
    return s->role == ROLE_DISPATCHER || s->role == ROLE_ADMIN;
}

/* ---- areas ---- */

/* "bbox":[west,south,east,north] in degrees; west > east crosses the antimeridian. */
static bool read_bbox(struct json_value root, struct json_value *ret_list, struct box *ret_box) {
    double v[4];
    int n = 0;
    if (!json_get(root, "bbox", ret_list) || json_kind(*ret_list) != JSON_IS_ARRAY)
        return false;
    for (struct json_iter it = json_iter(*ret_list); json_next(&it); n++) {
        if (n == 4 || json_f64(it.value, &v[n]) < 0)
            return false;
    }
    if (n != 4 || fabs(v[0]) > 180 || fabs(v[2]) > 180 || v[1] < -90 || v[3] > 90 || v[1] > v[3])
        return false;
    struct point south_west = point_of(v[1], v[0]), north_east = point_of(v[3], v[2]);
    *ret_box =
        (struct box){south_west.lat_e7, south_west.lng_e7, north_east.lat_e7, north_east.lng_e7};
    return true;
}

static void watch_area(struct session *s, const struct frame_in *f, struct json_value root) {
    struct box box;
    struct json_value list;
    if (!is_staff(s)) {
        session_error(s, f, 403, "forbidden", STR("only staff watch an area"));
        return;
    }
    if (!read_bbox(root, &list, &box)) {
        session_error(s, f, 400, "invalid-request",
                      STR("bbox must be [west, south, east, north] in degrees"));
        return;
    }
    struct watch *w = watch_add(s, STR(""), true);
    if (w == NULL) {
        too_many(s, f);
        return;
    }
    w->box = box;
    struct buf echo;
    buf_init(&echo, &s->part->scratch, 96);
    struct jw j;
    jw_init(&j, &echo);
    json_write(list, &j);
    watching(s, "bbox", buf_str(&echo));
    session_positions(s);
}

/* ---- bookings ---- */

/* 0 if S may watch it (*RET_HIS: for he is its driver), ERR_DENIED, ERR_NOT_FOUND if there has been
 * no word of it yet, or an error of the store. */
static int may_watch(struct session *s, struct str booking_id, bool *ret_his) {
    void *state;
    struct worker *w = s->part->worker;
    int err = aggregate_get(&watchable_aggregate, w->reader, w->parser, booking_id,
                            &s->part->scratch, &state);
    if (err < 0)
        return err;
    const struct watchable *b = state;
    bool any = is_staff(s) || str_is(b->customer_id, s->user_id);
    *ret_his = !any && str_is(b->driver_user_id, s->user_id);
    return any || *ret_his ? 0 : ERR_DENIED;
}

static void refuse(struct session *s, const struct frame_in *f, int err) {
    if (err == ERR_DENIED || err == ERR_NOT_FOUND)
        session_error(s, f, 403, "forbidden", STR("you may not watch this booking"));
    else
        session_error(s, f, 503, "store-unavailable", str_from(err_text(err)));
}

static void confirm(struct session *s, struct str booking_id) {
    watching(s, "booking_id", arena_printf(&s->part->scratch, "\"%.*s\"", STR_ARG(booking_id)));
}

static void watch_booking(struct session *s, const struct frame_in *f, int64_t now_us) {
    bool his = false;
    int err = may_watch(s, f->booking_id, &his);
    if (err < 0 && err != ERR_NOT_FOUND) {
        refuse(s, f, err);
        return;
    }
    struct watch *w = watch_add(s, f->booking_id, false);
    if (w == NULL) {
        too_many(s, f);
        return;
    }
    if (err == ERR_NOT_FOUND) {
        w->asked_us = now_us;
        s->watches_asked++;
        return;
    }
    w->his = his;
    confirm(s, f->booking_id);
    session_positions(s);
}

void session_watches_asked(struct session *s, int64_t now_us) {
    for (int32_t i = s->watch_count - 1; i >= 0; i--) { /* a drop moves the last one */
        struct watch *w = &s->watches[i];
        if (w->asked_us == 0)
            continue;
        arena_reset(&s->part->scratch);
        const struct frame_in f = {
            .booking_id = arena_str(&s->part->scratch, str_from(w->booking_id)), .id = I64_ABSENT};
        int err = may_watch(s, f.booking_id, &w->his);
        bool late = now_us - w->asked_us >= WATCH_WAIT_US || now_us < w->asked_us;
        if (err == 0) {
            w->asked_us = 0;
            s->watches_asked--;
            confirm(s, f.booking_id);
        } else if (err != ERR_NOT_FOUND || late) {
            watch_drop(s, w);
            refuse(s, &f, err);
        }
    }
}

void session_watch(struct session *s, const struct frame_in *f, struct json_value root,
                   int64_t now_us) {
    struct json_value unused;
    if (f->booking_id.p != NULL)
        watch_booking(s, f, now_us);
    else if (json_get(root, "bbox", &unused))
        watch_area(s, f, root);
    else
        session_error(s, f, 400, "invalid-request", STR("booking_id or bbox is required"));
}

void session_unwatch(struct session *s, const struct frame_in *f) {
    struct watch *w = watch_find(s, f->booking_id, f->booking_id.p == NULL);
    if (w != NULL)
        watch_drop(s, w);
    session_send_text(s, STR("{\"type\":\"unwatched\"}"));
}

/* ---- positions ---- */

/* False: the client has enough to read. */
static bool send_position(struct session *s, const struct position *p, bool for_booking) {
    arena_reset(&s->part->scratch);
    struct str text = position_frame(&p->latest, for_booking, &s->part->scratch);
    if (s->socket->ops->queued_bytes(s->socket) > SESSION_POSITIONS_BURST_MAX ||
        !session_send_text(s, text))
        return false;
    s->part->service->positions_sent++;
    return true;
}

/* A booking may be taken from its driver while he watches it: what DRIVER_ID does is his to hear
 * only as long as that is himself. No word of the change is waited for, which may come later. */
static bool may_hear(const struct session *s, const struct watch *watch, const char *driver_id) {
    struct str he = str_from(driver_id), me = str_from(s->user_id);
    if (!watch->his)
        return true;
    return he.len > ULID_TEXT_LEN && me.len > ULID_TEXT_LEN &&
           str_eq(str_sub(he, he.len - ULID_TEXT_LEN, he.len),
                  str_sub(me, me.len - ULID_TEXT_LEN, me.len));
}

static bool send_booking(struct session *s, struct watch *watch) {
    uint64_t stamp;
    struct position found;
    struct positions *p = &s->part->service->positions;
    if (positions_of_booking(p, str_from(watch->booking_id), watch->stamp, &found, &stamp) > 0 &&
        may_hear(s, watch, found.latest.driver_id) && !send_position(s, &found, true))
        return false;
    struct signal_eta eta;
    if (positions_eta(p, str_from(watch->booking_id), watch->stamp, &eta) &&
        may_hear(s, watch, eta.driver_id)) {
        arena_reset(&s->part->scratch);
        if (!session_send_text(s, eta_frame(&eta, &s->part->scratch)))
            return false;
    }
    watch->stamp = stamp;
    return true;
}

static bool send_area(struct session *s, struct watch *watch) {
    uint64_t stamp;
    int32_t end;
    struct position *found = s->part->found;
    int32_t n = positions_in_box(&s->part->service->positions, watch->box, watch->stamp, watch->at,
                                 found, POSITIONS_FRAME_MAX, &end, &stamp);
    if (watch->at == 0)
        watch->round = stamp;
    for (int32_t i = 0; i < n; i++) {
        if (!send_position(s, &found[i], false)) {
            watch->at = found[i].index;
            return false;
        }
    }
    watch->at = end;
    if (end == 0)
        watch->stamp = watch->round;
    return true;
}

void session_positions(struct session *s) {
    if (s->full || s->socket->ops->queued_bytes(s->socket) > SESSION_POSITIONS_QUEUE_MAX)
        return; /* the newest will do when he has read what waits */
    if (s->part->found == NULL)
        s->part->found = xcalloc(POSITIONS_FRAME_MAX, sizeof(struct position));
    for (int32_t i = 0; i < s->watch_count; i++) {
        struct watch *w = &s->watches[i];
        if (w->asked_us == 0 && !(w->area ? send_area(s, w) : send_booking(s, w)))
            return;
    }
}
