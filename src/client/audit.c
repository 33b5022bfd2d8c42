/* The audit: for every booking which versions somebody was told of, and which his socket showed. */
#include "base/check.h"
#include "base/timestamp.h"
#include "client/city_internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define VERSIONS_MAX 128 /* of one booking that are told apart */

/* One account's view of one booking: a bit a version. */
struct audit_view {
    struct audit_view *next;
    struct person *person;
    uint64_t acknowledged[VERSIONS_MAX / 64], seen[VERSIONS_MAX / 64];
};
struct audit_booking {
    char id[PERSON_TEXT_MAX];
    char driver_id[PERSON_TEXT_MAX];
    char accepted_by[PERSON_TEXT_MAX];
    struct audit_view *views;
};

void audit_violation(struct city *c, const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (c->sum.violations < VIOLATIONS_KEPT)
        vsnprintf(c->violations[c->sum.violations], sizeof(c->violations[0]), format, args);
    va_end(args);
    c->sum.violations++;
}

static struct audit_booking *booking_of(struct city *c, struct str id) {
    struct audit_booking *b = map_get(&c->bookings, id);
    if (b != NULL || id.len == 0 || id.len >= PERSON_TEXT_MAX)
        return b;
    b = xcalloc(1, sizeof(*b));
    memcpy(b->id, id.p, id.len);
    map_put(&c->bookings, str_from(b->id), b);
    return b;
}

static struct audit_view *view_of(struct audit_booking *b, struct person *p) {
    for (struct audit_view *v = b->views; v != NULL; v = v->next) {
        if (v->person == p)
            return v;
    }
    struct audit_view *v = xcalloc(1, sizeof(*v));
    *v = (struct audit_view){.next = b->views, .person = p};
    b->views = v;
    return v;
}

static bool bit(const uint64_t *bits, int64_t i) {
    return (bits[i / 64] >> (i % 64) & 1) != 0;
}

static void set_bit(uint64_t *bits, int64_t i) {
    bits[i / 64] |= UINT64_C(1) << (i % 64);
}

static void check_driver(struct city *c, struct audit_booking *b, struct json_value booking) {
    struct json_value driver;
    if (!json_get(booking, "driver", &driver) || json_kind(driver) != JSON_IS_OBJECT)
        return;
    struct str id = json_member(driver, "id");
    if (b->driver_id[0] == 0 && id.len < PERSON_TEXT_MAX)
        memcpy(b->driver_id, id.p, id.len);
    else if (!str_is(id, b->driver_id))
        audit_violation(c, "booking %s has two drivers: %s and %.*s", b->id, b->driver_id,
                        STR_ARG(id));
}

void audit_acknowledged(struct city *c, struct person *p, struct json_value booking) {
    struct audit_booking *b = booking_of(c, json_member(booking, "id"));
    int64_t version = json_member_i64(booking, "version", 0);
    if (b == NULL || version <= 0 || version >= VERSIONS_MAX)
        return;
    set_bit(view_of(b, p)->acknowledged, version);
    check_driver(c, b, booking);
}

void audit_seen(struct city *c, struct person *p, struct json_value booking) {
    struct audit_booking *b = booking_of(c, json_member(booking, "id"));
    int64_t version = json_member_i64(booking, "version", 0);
    c->sum.events_seen++;
    if (b == NULL || version <= 0 || version >= VERSIONS_MAX)
        return;
    struct audit_view *v = view_of(b, p);
    if (bit(v->seen, version))
        audit_violation(c, "%s saw version %lld of %s twice", p->email, (long long)version, b->id);
    set_bit(v->seen, version);
    check_driver(c, b, booking);
}

void audit_seq(struct city *c, struct person *p, int64_t seq) {
    if (seq <= p->seq)
        audit_violation(c, "%s got seq %lld after %lld", p->email, (long long)seq,
                        (long long)p->seq);
    p->seq = seq;
}

void audit_fixes(struct city *c, const struct person *p, int64_t sent, int64_t durable) {
    if (sent != durable)
        audit_violation(c, "%s sent %lld fixes and was told of %lld", p->email, (long long)sent,
                        (long long)durable);
}

void audit_waiting(struct city *c, const struct person *p) {
    audit_violation(c, "%s has fixes that were never acknowledged", p->email);
}

void audit_accepted(struct city *c, struct str booking_id, const char *driver_email, bool had_job) {
    struct audit_booking *b = booking_of(c, booking_id);
    if (had_job)
        audit_violation(c, "driver %s was given %.*s while on another booking", driver_email,
                        STR_ARG(booking_id));
    if (b == NULL)
        return;
    if (b->accepted_by[0] != 0 && strcmp(b->accepted_by, driver_email) != 0)
        audit_violation(c, "booking %s was accepted by %s and by %s", b->id, b->accepted_by,
                        driver_email);
    snprintf(b->accepted_by, sizeof(b->accepted_by), "%s", driver_email);
}

static int64_t unseen(const struct audit_view *v) {
    for (int64_t i = 0; i < VERSIONS_MAX; i++) {
        if (bit(v->acknowledged, i) && !bit(v->seen, i))
            return i;
    }
    return -1;
}

bool audit_settled(struct city *c) {
    size_t iter = 0;
    void *each;
    while (map_next(&c->bookings, &iter, &each)) {
        for (struct audit_view *v = ((struct audit_booking *)each)->views; v != NULL; v = v->next) {
            if (unseen(v) >= 0)
                return false;
        }
    }
    return true;
}

void audit_end(struct city *c, int64_t unfinished) {
    size_t iter = 0;
    void *each;
    if (unfinished > 0)
        audit_violation(c, "%lld bookings had not ended when the time to settle was over",
                        (long long)unfinished);
    while (map_next(&c->bookings, &iter, &each)) {
        struct audit_booking *b = each;
        for (struct audit_view *v = b->views; v != NULL; v = v->next) {
            int64_t version = unseen(v);
            if (version >= 0)
                audit_violation(c, "%s was told of version %lld of %s and never saw it pushed",
                                v->person->email, (long long)version, b->id);
        }
    }
}

void audit_free(struct city *c) {
    size_t iter = 0;
    void *each;
    while (map_next(&c->bookings, &iter, &each)) {
        struct audit_booking *b = each;
        while (b->views != NULL) {
            struct audit_view *v = b->views;
            b->views = v->next;
            free(v);
        }
        free(b);
    }
    map_free(&c->bookings);
}
