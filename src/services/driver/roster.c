/* Members live on the heap, owned by the map of the roster; an item of the index points at its
 * member, so a member is freed only after it has left the index. A signal goes out for each new
 * position of somebody on duty, and one when he goes; where others share the store, one for each
 * change of his document, too.
 */
#include "services/driver/roster.h"

#include "base/check.h"
#include "base/err.h"
#include "base/map.h"
#include "dispatch/dispatch.h"
#include "services/driver/cash.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct roster {
    struct map members; /* by id */
    struct fleet_index *index, *ending;
    pthread_rwlock_t lock; /* guards both indexes and the public part of members */
    struct bus *bus;
    bool shared;
    _Atomic int64_t on, busy, count;
};

struct roster *roster_new(struct bus *bus, bool shared) {
    struct roster *r = xcalloc(1, sizeof(*r));
    r->bus = bus;
    r->shared = shared;
    r->index = fleet_index_new();
    r->ending = fleet_index_new();
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
    fleet_index_free(r->ending);
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

struct signal_position roster_signal(const struct member *m) {
    struct signal_position s;
    memset(&s, 0, sizeof s);
    memcpy(s.driver_id, m->id, sizeof s.driver_id);
    memcpy(s.booking_id, m->booking_id, sizeof s.booking_id);
    s.at = m->newest.at;
    s.bearing_deg = m->newest.bearing_deg;
    s.speed_cmps = m->newest.speed_cmps;
    s.at_us = m->newest.at_us;
    s.vehicle = m->vehicle;
    s.off = !m->placed;
    return s;
}

static void signal_member(struct roster *r, const struct member *m) {
    struct signal_position s = roster_signal(m);
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
                              .capacity_kg = (int32_t)m->capacity.kg,
                              .owner = m};
    memcpy(item.key, m->id, sizeof item.key);
    fleet_index_put(r->index, &item);
}

/* The same for where he will be when he has finished. Behind the write lock. */
static void place_end(struct roster *r, struct member *m) {
    bool stands = m->duty == DUTY_BUSY && m->booking_id[0] != '\0' && m->next_id[0] == '\0' &&
                  m->ends_us != 0 && strcmp(m->ends_of, m->booking_id) == 0;
    if (!stands && m->ending)
        fleet_index_remove(r->ending, str_from(m->id));
    m->ending = stands;
    if (!stands)
        return;
    struct fleet_item item = {.at = m->ends_at,
                              .vehicle = m->vehicle,
                              .free = true,
                              .bearing_deg = -1,
                              .speed_cmps = -1,
                              .at_us = m->ends_us,
                              .capacity_kg = (int32_t)m->capacity.kg,
                              .owner = m};
    memcpy(item.key, m->id, sizeof item.key);
    fleet_index_put(r->ending, &item);
}

void roster_heard_ends(struct roster *r, const struct signal_ends *s) {
    struct member *m = roster_find(r, str_from(s->driver_id));
    if (m == NULL || (s->at_us == 0 && strcmp(m->ends_of, s->booking_id) != 0))
        return;
    pthread_rwlock_wrlock(&r->lock);
    memcpy(m->ends_of, s->booking_id, sizeof m->ends_of);
    m->ends_at = s->at;
    m->ends_us = s->at_us;
    place_end(r, m);
    pthread_rwlock_unlock(&r->lock);
}

void roster_ends(struct roster *r, const struct signal_ends *s) {
    const struct member *m = roster_find(r, str_from(s->driver_id));
    bool known = m != NULL && m->ends_us == s->at_us && strcmp(m->ends_of, s->booking_id) == 0;
    roster_heard_ends(r, s);
    if (r->shared && !known)
        r->bus->ops->signal(r->bus, SIGNAL_ENDS, s, sizeof *s);
}

int roster_about_to_finish(struct roster *r, struct str driver_id, struct signal_ends *ret) {
    pthread_rwlock_rdlock(&r->lock);
    const struct fleet_item *item = fleet_index_get(r->ending, driver_id);
    if (item != NULL) {
        const struct member *m = item->owner;
        memset(ret, 0, sizeof *ret);
        memcpy(ret->driver_id, m->id, sizeof ret->driver_id);
        memcpy(ret->booking_id, m->ends_of, sizeof ret->booking_id);
        ret->at = m->ends_at;
        ret->at_us = m->ends_us;
    }
    pthread_rwlock_unlock(&r->lock);
    return item != NULL ? 0 : ERR_NOT_FOUND;
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

/* Counters of documents from before there were such are absent. */
static int64_t or_none(int64_t x) {
    return x > 0 ? x : 0;
}

static struct merits merits_of(const struct driver *d) {
    int64_t refused = or_none(d->declined) + or_none(d->timed_out) + or_none(d->released);
    return (struct merits){
        .rating_x100 = dispatch_rating_x100(or_none(d->stars_sum), or_none(d->stars_count)),
        .acceptance_percent = dispatch_acceptance_percent(or_none(d->accepted), refused),
        .load_milli = or_none(d->load_milli),
        .load_at_us = d->load_at_us,
        .free_since_us = d->free_since_us,
        .cash_held = cash_coming(d)};
}

static struct signal_driver news_of(const struct driver *d) {
    struct signal_driver n;
    memset(&n, 0, sizeof n);
    CHECK(d->head.id.len < sizeof n.driver_id);
    memcpy(n.driver_id, d->head.id.p, d->head.id.len);
    if (driver_active(d))
        memcpy(n.booking_id, d->claim->booking_id.p, d->claim->booking_id.len);
    size_t name = d->name.len < sizeof n.name ? d->name.len : sizeof n.name - 1;
    if (name > 0)
        memcpy(n.name, d->name.p, name);
    n.duty = (uint8_t)d->duty;
    n.vehicle = d->vehicle != NULL ? (uint8_t)d->vehicle->kind : VEHICLE_NONE;
    n.capacity = vehicle_capacity(d->vehicle);
    n.claimed = d->claim != NULL;
    if (d->next != NULL)
        memcpy(n.next_id, d->next->booking_id.p, d->next->booking_id.len);
    n.version = d->head.version;
    n.merits = merits_of(d);
    return n;
}

/* False: it is known. */
static bool take(struct roster *r, struct member *m, const struct signal_driver *d) {
    if (d->version <= m->version)
        return false; /* a commit whose answer was lost is heard of late */
    m->version = d->version;
    if (d->booking_id[0] == '\0' ? d->claimed : d->next_id[0] != '\0')
        m->reserved_until_us = 0; /* what he was reserved for has come */
    pthread_rwlock_wrlock(&r->lock);
    count_duty(r, m->duty, -1);
    m->duty = d->duty;
    count_duty(r, m->duty, 1);
    m->vehicle = d->vehicle;
    m->capacity = d->capacity;
    m->claimed = d->claimed;
    memcpy(m->next_id, d->next_id, sizeof m->next_id);
    m->merits = d->merits;
    memcpy(m->booking_id, d->booking_id, sizeof m->booking_id);
    if (!str_is(m->name, d->name)) {
        free((void *)(uintptr_t)m->name.p);
        m->name = d->name[0] != '\0' ? name_copy(str_from(d->name)) : STR_NONE;
    }
    place(r, m);
    place_end(r, m);
    pthread_rwlock_unlock(&r->lock);
    return true;
}

void roster_driver(struct roster *r, const struct driver *d) {
    struct member *m = roster_meet(r, d->head.id);
    const struct signal_driver news = news_of(d);
    bool was_placed = m->placed;
    if (!take(r, m, &news))
        return;
    if (m->placed || was_placed)
        signal_member(r, m);
    if (r->shared)
        r->bus->ops->signal(r->bus, SIGNAL_DRIVER, &news, sizeof news);
}

struct member *roster_found(struct roster *r, const struct driver *d) {
    struct member *m = roster_meet(r, d->head.id);
    const struct signal_driver news = news_of(d);
    take(r, m, &news);
    return m;
}

void roster_heard(struct roster *r, const struct signal_driver *d) {
    struct member *m = roster_meet(r, str_from(d->driver_id));
    bool was_placed = m->placed;
    /* Who has said it may not know yet where he is now, and when this process said that it did not
     * know what he carries. */
    if (take(r, m, d) && m->ours && (m->placed || was_placed))
        signal_member(r, m);
}

/* False: he has a newer one, or is not on duty. */
static bool take_fix(struct roster *r, struct member *m, const struct fix *f, bool ours) {
    if (m->has_fix && f->at_us <= m->newest.at_us)
        return false;
    m->newest = *f;
    m->has_fix = true;
    m->ours = ours;
    if (m->duty == DUTY_OFF)
        return false;
    pthread_rwlock_wrlock(&r->lock);
    place(r, m);
    pthread_rwlock_unlock(&r->lock);
    return true;
}

void roster_fix(struct roster *r, struct member *m, const struct fix *f) {
    if (take_fix(r, m, f, true))
        signal_member(r, m);
}

void roster_found_fix(struct roster *r, struct member *m, const struct fix *f) {
    take_fix(r, m, f, false);
}

void roster_heard_position(struct roster *r, const struct signal_position *s, int64_t now_us) {
    if (s->off)
        return; /* his document says so, too */
    struct member *m = roster_find(r, str_from(s->driver_id));
    if (m == NULL) {
        m = roster_meet(r, str_from(s->driver_id));
        m->known = true; /* who signals knows what the store has */
    }
    if (m->known)
        m->known_us = now_us;
    take_fix(r, m,
             &(struct fix){.at_us = s->at_us,
                           .at = s->at,
                           .accuracy_cm = -1,
                           .speed_cmps = s->speed_cmps,
                           .bearing_deg = s->bearing_deg},
             false);
}

void roster_each_live(struct roster *r, void (*each)(void *arg, struct member *m), void *arg) {
    void *m;
    for (size_t i = 0; map_next(&r->members, &i, &m);) {
        if (((struct member *)m)->duty != DUTY_OFF || ((struct member *)m)->claimed)
            each(arg, m);
    }
}

const struct fleet_index *roster_index(const struct roster *r) {
    return r->index;
}

const struct fleet_index *roster_ending(const struct roster *r) {
    return r->ending;
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
        CHECK(!gone[i]->placed && !gone[i]->ending);
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
