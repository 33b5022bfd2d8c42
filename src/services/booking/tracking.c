/* Tracking links: no login, so the token is the key. It is the booking's ULID and 128 random bits:
 * the first finds the document without an index, the second is compared in constant time. The link
 * dies some days after the booking has ended. The driver is seen only while he is on his way to one
 * of this booking's stops.
 */
#include "base/check.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "services/booking/internal.h"

#include <string.h>

#define LINK_KEPT_US (7 * US_PER_DAY)
/* An older position says nothing of when he will be there. */
#define POSITION_FRESH_US (600 * US_PER_S)

void tracking_secret(const unsigned char bytes[SECRET_BYTES], char ret_text[SECRET_LEN + 1]) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    int count = 0, n = 0;
    for (int i = 0; i < SECRET_BYTES; i++) {
        bits = bits << 8 | bytes[i];
        for (count += 8; count >= 6; count -= 6)
            ret_text[n++] = alphabet[bits >> (count - 6) & 63];
    }
    ret_text[n++] = alphabet[bits << (6 - count) & 63];
    CHECK(n == SECRET_LEN);
    ret_text[n] = 0;
}

struct str tracking_token(const struct booking *b, char room[ULID_TEXT_LEN + SECRET_LEN]) {
    CHECK(b->secret.len == SECRET_LEN && b->head.id.len > ULID_TEXT_LEN);
    memcpy(room, b->head.id.p + b->head.id.len - ULID_TEXT_LEN, ULID_TEXT_LEN);
    memcpy(room + ULID_TEXT_LEN, b->secret.p, SECRET_LEN);
    return (struct str){room, ULID_TEXT_LEN + SECRET_LEN};
}

bool tracking_split(struct str token, struct arena *a, struct str *ret_booking_id,
                    struct str *ret_secret) {
    if (token.len != ULID_TEXT_LEN + SECRET_LEN)
        return false;
    struct str id = arena_printf(a, "bkg_%.*s", ULID_TEXT_LEN, token.p);
    if (!id_valid(id, "bkg"))
        return false;
    *ret_booking_id = id;
    *ret_secret = str_sub(token, ULID_TEXT_LEN, SECRET_LEN);
    return true;
}

/* The journey's, smoothed; or, before it has any (or where nobody keeps it), reckoned now. */
static void live_etas(struct call *c, const struct booking *b, int32_t next, struct live *ret) {
    const struct booking_service *s = c->service;
    struct fleet *fleet = s->o.fleet;
    struct router_leg leg;
    if (fleet->ops->etas != NULL &&
        fleet->ops->etas(fleet, c->worker->reader, c->worker->parser, b->head.id, &c->arena,
                         &ret->etas) == 0 &&
        ret->etas.stop_count == b->stop_count && ret->etas.stops[next].at_us != 0) {
        ret->eta_us = ret->etas.stops[next].at_us;
        return;
    }
    ret->etas = (struct fleet_etas){0};
    s->o.router->ops->many_to_one(s->o.router, &ret->position.at, 1,
                                  place_point(&b->stops[next].place), (enum vehicle)b->vehicle,
                                  &leg);
    ret->eta_us = c->now_us + leg.duration_s * US_PER_S;
    ret->etas.stop_count = next + 1;
    ret->etas.stops[next].at_us = ret->eta_us;
}

void booking_live(struct call *c, const struct booking *b, struct live *ret) {
    const struct booking_service *s = c->service;
    *ret = (struct live){0};
    struct fleet *fleet = s->o.fleet;
    int32_t next = booking_next_stop(b);
    bool arrived = booking_is_at_stop(b->state);
    if (fleet == NULL || b->driver == NULL || next == b->stop_count)
        return;
    if (arrived && fleet->ops->etas != NULL) /* at those after this one; where he is is known */
        fleet->ops->etas(fleet, c->worker->reader, c->worker->parser, b->head.id, &c->arena,
                         &ret->etas);
    if (!booking_is_under_way(b->state))
        return;
    if (booking_waits(b)) { /* where he is meanwhile is another customer's */
        bool known = fleet->ops->etas != NULL &&
                     fleet->ops->etas(fleet, c->worker->reader, c->worker->parser, b->head.id,
                                      &c->arena, &ret->etas) == 0 &&
                     ret->etas.stop_count == b->stop_count && ret->etas.stops[next].at_us != 0;
        if (!known) {
            ret->etas = (struct fleet_etas){.stop_count = next + 1};
            ret->etas.stops[next].at_us = b->pickup_due_us;
        }
        ret->eta_us = ret->etas.stops[next].at_us;
        return;
    }
    if (fleet->ops->position(fleet, b->driver->id, &ret->position) < 0)
        return;
    ret->known = true;
    if (c->now_us - ret->position.at_us > POSITION_FRESH_US)
        return;
    live_etas(c, b, next, ret);
}

struct str tracking_stop_token(const struct booking *b, int32_t i,
                               char room[ULID_TEXT_LEN + SECRET_LEN]) {
    const struct stop_proof *p = b->stops[i].proof;
    if (p == NULL || p->secret.p == NULL)
        return STR_NONE;
    (void)tracking_token(b, room);
    CHECK(p->secret.len == SECRET_LEN);
    memcpy(room + ULID_TEXT_LEN, p->secret.p, SECRET_LEN);
    return (struct str){room, ULID_TEXT_LEN + SECRET_LEN};
}

/* Whose link SECRET makes: a stop's, or -1: the booking's. False: nobody's. All are compared,
 * whichever it is. */
static bool link_of(const struct booking *b, struct str secret, int32_t *ret_stop) {
    bool found = str_eq_secret(b->secret, secret);
    *ret_stop = -1;
    for (int32_t i = 0; i < b->stop_count; i++) {
        const struct stop_proof *p = b->stops[i].proof;
        if (p != NULL && p->secret.p != NULL && str_eq_secret(p->secret, secret)) {
            found = true;
            *ret_stop = i;
        }
    }
    return found;
}

/* The booking of the link in the path, or NULL: replied. */
static const struct booking *linked(struct call *c, int32_t *ret_stop) {
    struct str id, secret;
    if (!tracking_split(c->params[0], &c->arena, &id, &secret)) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such link");
        return NULL;
    }
    const struct booking *b = call_state(c, &booking_aggregate, id);
    if (b == NULL)
        return NULL;
    if (!link_of(b, secret, ret_stop)) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is nothing here"); /* as for no booking at all */
        return NULL;
    }
    if (b->ended_at_us != 0 && c->now_us > b->ended_at_us + LINK_KEPT_US) {
        call_problem(c, PROBLEM_LINK_EXPIRED, "the booking ended more than %d days ago",
                     (int)(LINK_KEPT_US / US_PER_DAY));
        return NULL;
    }
    return b;
}

void handle_track(struct call *c) {
    int32_t stop;
    const struct booking *b = linked(c, &stop);
    if (b == NULL)
        return;
    struct live live;
    booking_live(c, b, &live);
    if (stop >= 0 && booking_next_stop(b) != stop)
        live.known = false; /* by a stop's own link he is seen on his way to that stop only */
    response_header(&c->response, "Cache-Control", STR("no-store"));
    call_json(c, 200, booking_tracking_view(b, &live, stop, &c->arena));
}

/* The link has been looked at here, so that guessing costs the executor nothing; that there is but
 * one rating is the decision's to see. */
void handle_track_rating(struct call *c) {
    int32_t stop;
    const struct booking *b = linked(c, &stop);
    if (b == NULL)
        return;
    struct link_rating *args = arena_new(&c->arena, struct link_rating);
    *args = (struct link_rating){.body = *(const struct rating_body *)c->body, .stop = stop};
    c->who = (struct identity){0}; /* a link says nothing of who has it */
    call_command(c, &booking_rate_by_link, b->head.id, args);
}

/* What shows a stop that is done, to whoever has the link. */
void handle_track_file(struct call *c) {
    const struct booking_service *s = c->service;
    int32_t stop;
    const struct booking *b = linked(c, &stop);
    if (b == NULL)
        return;
    for (int32_t i = 0; s->o.files != NULL && i < b->stop_count; i++) {
        const struct stop_proof *p = b->stops[i].proof;
        if (p != NULL && b->stops[i].state == STOP_DONE &&
            (str_eq(p->photo.id, c->params[1]) || str_eq(p->signature.id, c->params[1]))) {
            s->o.files->ops->serve(s->o.files, c, c->params[1], b->head.id);
            return;
        }
    }
    call_problem(c, PROBLEM_NOT_FOUND, "there is no such file");
}
