/* Members live on the heap, owned by the map of the roster; an item of the index points at its
 * member, so a member is freed only after it has left the index. A signal goes out for each new
 * position of somebody on duty, and one when he goes.
 */
#include "services/driver/roster.h"

#include "base/check.h"
#include "base/err.h"
#include "base/map.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct roster {
    struct map members; /* by id */
    struct fleet_index *index;
    pthread_rwlock_t lock; /* guards index and the public part of members */
    struct bus *bus;
    _Atomic int64_t on, busy, count;
};

struct roster *roster_new(struct bus *bus) {
    struct roster *r = xcalloc(1, sizeof(*r));
    r->bus = bus;
    r->index = fleet_index_new();
    map_init(&r->members);
    /* Readers come thirty thousand times a second; they must not keep the writer out for good. */
    pthread_rwlockattr_t attr;
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    CHECK(pthread_rwlock_init(&r->lock, &attr) == 0);
    pthread_rwlockattr_destroy(&attr);
    return r;
}

static void member_free(struct member *m) {
    free((void *)(uintptr_t)m->name.p);
    free(m);
}

struct roster *roster_free(struct roster *r) {
    if (r == NULL)
        return NULL;
    void *m;
    for (size_t i = 0; map_next(&r->members, &i, &m);)
        member_free(m);
    map_free(&r->members);
    fleet_index_free(r->index);
    pthread_rwlock_destroy(&r->lock);
    free(r);
    return NULL;
}

struct member *roster_find(struct roster *r, struct str driver_id) {
    return map_get(&r->members, driver_id);
}

struct member *roster_meet(struct roster *r, struct str driver_id) {
    struct member *m = map_get(&r->members, driver_id);
    if (m != NULL)
        return m;
    CHECK(driver_id.len < sizeof m->id);
    m = xcalloc(1, sizeof(*m));
    memcpy(m->id, driver_id.p, driver_id.len);
    m->duty = DUTY_OFF;
    map_put(&r->members, str_from(m->id), m);
    r->count++;
    return m;
}

/* ---- the map ---- */

static void signal_member(struct roster *r, const struct member *m, bool off) {
    struct signal_position s;
    memset(&s, 0, sizeof s);
    memcpy(s.driver_id, m->id, sizeof s.driver_id);
    memcpy(s.booking_id, m->booking_id, sizeof s.booking_id);
    s.at = m->newest.at;
    s.bearing_deg = m->newest.bearing_deg;
    s.speed_cmps = m->newest.speed_cmps;
    s.at_us = m->newest.at_us;
    s.vehicle = m->vehicle;
    s.off = off;
    r->bus->ops->signal(r->bus, SIGNAL_POSITION, &s, sizeof s);
}

/* Puts M where his newest fix is, or takes him away. Behind the write lock. */
static void place(struct roster *r, struct member *m) {
    bool stands = m->duty != DUTY_OFF && m->has_fix;
    if (!stands && m->placed)
        fleet_index_remove(r->index, str_from(m->id));
    m->placed = stands;
    if (!stands)
        return;
    struct fleet_item item = {.at = m->newest.at,
                              .vehicle = m->vehicle,
                              .free = m->duty == DUTY_ON && !m->claimed,
                              .bearing_deg = (int16_t)m->newest.bearing_deg,
                              .speed_cmps = m->newest.speed_cmps,
                              .at_us = m->newest.at_us,
                              .owner = m};
    memcpy(item.key, m->id, sizeof item.key);
    fleet_index_put(r->index, &item);
}

static struct str name_copy(struct str name) {
    if (name.p == NULL)
        return STR_NONE;
    char *p = xmalloc(name.len + 1);
    memcpy(p, name.p, name.len);
    p[name.len] = '\0';
    return (struct str){p, name.len};
}

static void count_duty(struct roster *r, uint8_t duty, int64_t by) {
    if (duty == DUTY_ON)
        r->on += by;
    else if (duty == DUTY_BUSY)
        r->busy += by;
}

void roster_driver(struct roster *r, const struct driver *d) {
    struct member *m = roster_meet(r, d->head.id);
    if (d->head.version <= m->version)
        return; /* a commit whose answer was lost is heard of late */
    m->version = d->head.version;
    if (d->claim != NULL)
        m->reserved_until_us = 0; /* what he was reserved for has come */
    bool was_placed = m->placed;
    uint8_t vehicle = d->vehicle != NULL ? (uint8_t)d->vehicle->kind : VEHICLE_NONE;
    pthread_rwlock_wrlock(&r->lock);
    count_duty(r, m->duty, -1);
    m->duty = (uint8_t)d->duty;
    count_duty(r, m->duty, 1);
    m->vehicle = vehicle;
    m->claimed = d->claim != NULL;
    memset(m->booking_id, 0, sizeof m->booking_id);
    if (driver_active(d))
        memcpy(m->booking_id, d->claim->booking_id.p, d->claim->booking_id.len);
    if (!str_eq(m->name, d->name)) {
        free((void *)(uintptr_t)m->name.p);
        m->name = name_copy(d->name);
    }
    place(r, m);
    pthread_rwlock_unlock(&r->lock);
    if (m->placed || was_placed)
        signal_member(r, m, !m->placed);
}

void roster_fix(struct roster *r, struct member *m, const struct fix *f) {
    if (m->has_fix && f->at_us <= m->newest.at_us)
        return;
    m->newest = *f;
    m->has_fix = true;
    if (m->duty == DUTY_OFF)
        return;
    pthread_rwlock_wrlock(&r->lock);
    place(r, m);
    pthread_rwlock_unlock(&r->lock);
    signal_member(r, m, false);
}

const struct fleet_index *roster_index(const struct roster *r) {
    return r->index;
}

void roster_trim(struct roster *r, size_t max) {
    size_t idle = r->members.count - (size_t)(r->on + r->busy);
    if (idle <= max)
        return;
    /* All of them at once, seldom: what is asked for again is read from the store again. */
    struct member **gone = xcalloc(idle, sizeof(struct member *));
    size_t count = 0;
    void *at;
    for (size_t i = 0; map_next(&r->members, &i, &at) && count < idle;) {
        struct member *m = at;
        if (m->duty == DUTY_OFF && !m->claimed && m->pending == NULL)
            gone[count++] = m;
    }
    for (size_t i = 0; i < count; i++) {
        CHECK(!gone[i]->placed);
        map_remove(&r->members, str_from(gone[i]->id));
        member_free(gone[i]);
    }
    r->count -= (int64_t)count;
    free(gone);
}

/* ---- any thread ---- */

const struct fleet_index *roster_lock(struct roster *r) {
    pthread_rwlock_rdlock(&r->lock);
    return r->index;
}

void roster_unlock(struct roster *r) {
    pthread_rwlock_unlock(&r->lock);
}

int roster_position(struct roster *r, struct str driver_id, struct fleet_position *ret) {
    const struct fleet_item *item = fleet_index_get(roster_lock(r), driver_id);
    if (item != NULL)
        *ret = fleet_position_of(item);
    roster_unlock(r);
    return item != NULL ? 0 : ERR_NOT_FOUND;
}

struct roster_counts roster_counts(const struct roster *r) {
    return (struct roster_counts){.on = r->on, .busy = r->busy, .members = r->count};
}
