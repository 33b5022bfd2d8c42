/* The newest position of every driver, written by whoever signals (the executor's thread) and read
 * by the network threads' ticks. Each change gets a stamp, so that a watcher is given just what is
 * newer than what he has; what he misses in between is never sent. He goes through the fleet in
 * rounds: as much as he can take in one tick, and on from there in the next, so that nobody is left
 * out however often others move.
 *
 * Who has gone off duty is forgotten when every watcher has had time to hear of it, and who has not
 * been heard of for half a day, too: so there are about as many as drive. The place of one who is
 * forgotten stays empty until the next newcomer takes it; nobody moves, because rounds are going
 * on.
 */
#include "services/notification/internal.h"

#include <stdlib.h>
#include <string.h>

void positions_init(struct positions *p) {
    pthread_rwlock_init(&p->lock, NULL);
    map_init(&p->by_driver);
    map_init(&p->by_booking);
    map_init(&p->etas);
}

void positions_free(struct positions *p) {
    free(p->free_places);
    for (int32_t i = 0; i < p->count; i++) {
        if (p->all[i] != NULL) {
            free(p->all[i]->eta);
            free(p->all[i]->next_eta);
        }
        free(p->all[i]);
    }
    free(p->all);
    free(p->stamps);
    map_free(&p->by_driver);
    map_free(&p->by_booking);
    map_free(&p->etas);
    pthread_rwlock_destroy(&p->lock);
}

static void forget_booking(struct positions *p, struct position *position) {
    struct str booking_id = str_from(position->latest.booking_id);
    if (booking_id.len > 0 && map_get(&p->by_booking, booking_id) == position)
        map_remove(&p->by_booking, booking_id);
}

/* Returns NULL. */
static struct eta_heard *forget_eta(struct positions *p, struct eta_heard *eta) {
    if (eta != NULL && map_get(&p->etas, str_from(eta->said.booking_id)) == eta)
        map_remove(&p->etas, str_from(eta->said.booking_id));
    free(eta);
    return NULL;
}

/* He has another booking under way, or none: what was told of that one is told on. */
static void take_booking(struct positions *p, struct position *position) {
    const char *now = position->latest.booking_id;
    if (position->eta != NULL && strcmp(position->eta->said.booking_id, now) != 0)
        position->eta = forget_eta(p, position->eta);
    if (position->next_eta == NULL || strcmp(position->next_eta->said.booking_id, now) != 0)
        return;
    forget_eta(p, position->eta);
    position->eta = position->next_eta;
    position->next_eta = NULL;
}

static int32_t free_place(struct positions *p) {
    if (p->free_count > 0)
        return p->free_places[--p->free_count];
    if (p->count == p->cap) {
        p->cap = p->cap > 0 ? p->cap * 2 : 64;
        p->all = xrealloc(p->all, (size_t)p->cap * sizeof(struct position *));
        p->stamps = xrealloc(p->stamps, (size_t)p->cap * sizeof(*p->stamps));
        p->free_places = xrealloc(p->free_places, (size_t)p->cap * sizeof(*p->free_places));
    }
    return p->count++;
}

/* A place in the table for a driver who is not known. */
static struct position *position_add(struct positions *p, const char *driver_id, size_t len) {
    struct position *position = xcalloc(1, sizeof(*position));
    memcpy(position->latest.driver_id, driver_id, len);
    map_put(&p->by_driver, str_from(position->latest.driver_id), position);
    position->index = free_place(p);
    p->all[position->index] = position;
    return position;
}

/* ---- whom to forget: two lists in the order of when they were heard of ---- */

static void list_leave(struct positions *p, struct position *position) {
    struct position_list *list = position->latest.off ? &p->off : &p->on;
    *(position->before != NULL ? &position->before->next : &list->first) = position->next;
    *(position->next != NULL ? &position->next->before : &list->last) = position->before;
}

static void list_join(struct positions *p, struct position *position, int64_t now_us) {
    struct position_list *list = position->latest.off ? &p->off : &p->on;
    position->heard_us = now_us;
    position->before = list->last;
    position->next = NULL;
    *(list->last != NULL ? &list->last->next : &list->first) = position;
    list->last = position;
}

static void forget(struct positions *p, struct position *position) {
    forget_booking(p, position);
    list_leave(p, position);
    map_remove(&p->by_driver, str_from(position->latest.driver_id));
    p->all[position->index] = NULL;
    p->stamps[position->index] = 0; /* newer than nobody's stamp: passed over */
    p->free_places[p->free_count++] = position->index;
    forget_eta(p, position->eta);
    forget_eta(p, position->next_eta);
    free(position);
}

static void forget_old(struct positions *p, struct position_list *list, int64_t keep_us,
                       int64_t now_us) {
    while (list->first != NULL &&
           (now_us - list->first->heard_us >= keep_us || now_us < list->first->heard_us))
        forget(p, list->first);
}

void positions_on_signal(void *consumer, struct str topic, const void *data, size_t len) {
    (void)topic;
    struct notification_service *n = consumer;
    struct signal_position copy;
    if (!signal_position_read(data, len, &copy))
        return;
    notification_service_position(n, &copy);
}

void notification_service_position(struct notification_service *n,
                                   const struct signal_position *said) {
    struct positions *p = &n->positions;
    int64_t now_us = n->o.clock->now_us(n->o.clock);
    pthread_rwlock_wrlock(&p->lock);
    forget_old(p, &p->off, POSITION_OFF_KEEP_US, now_us);
    forget_old(p, &p->on, POSITION_KEEP_US, now_us);
    struct position *position = map_get(&p->by_driver, str_from(said->driver_id));
    /* What was read from the store, or another replica, may be behind; and that somebody has gone
     * who was not there is no news. */
    if (position != NULL ? said->at_us < position->latest.at_us : said->off) {
        pthread_rwlock_unlock(&p->lock);
        return;
    }
    if (position != NULL) {
        forget_booking(p, position);
        list_leave(p, position);
    } else {
        position = position_add(p, said->driver_id, sizeof(said->driver_id));
    }
    position->latest = *said;
    take_booking(p, position);
    list_join(p, position, now_us);
    position->stamp = p->stamps[position->index] = ++p->stamp;
    if (said->booking_id[0] != 0)
        map_put(&p->by_booking, str_from(position->latest.booking_id), position);
    pthread_rwlock_unlock(&p->lock);
}

int32_t positions_in_box(struct positions *p, struct box box, uint64_t after, int32_t at,
                         struct position *out, int32_t max, int32_t *ret_at, uint64_t *ret_stamp) {
    int32_t n = 0;
    pthread_rwlock_rdlock(&p->lock);
    for (; at < p->count; at++) {
        const struct position *position = p->all[at];
        /* Who has just come need not hear of those who have gone. */
        if (p->stamps[at] <= after || (after == 0 && position->latest.off) ||
            !box_has(box, position->latest.at))
            continue;
        if (n == max)
            break;
        out[n++] = *position;
    }
    *ret_at = at < p->count ? at : 0;
    *ret_stamp = p->stamp;
    pthread_rwlock_unlock(&p->lock);
    return n;
}

int32_t positions_of_booking(struct positions *p, struct str booking_id, uint64_t after,
                             struct position *out, uint64_t *ret_stamp) {
    int32_t n = 0;
    pthread_rwlock_rdlock(&p->lock);
    *ret_stamp = p->stamp;
    const struct position *position = map_get(&p->by_booking, booking_id);
    if (position != NULL && position->stamp > after && !position->latest.off)
        out[n++] = *position;
    pthread_rwlock_unlock(&p->lock);
    return n;
}

/* Of a driver who is not on the map nobody is told. */
void positions_on_eta(void *consumer, struct str topic, const void *data, size_t len) {
    (void)topic;
    struct notification_service *n = consumer;
    struct positions *p = &n->positions;
    struct signal_eta said;
    if (!signal_eta_read(data, len, &said))
        return;
    pthread_rwlock_wrlock(&p->lock);
    struct position *position = map_get(&p->by_driver, str_from(said.driver_id));
    if (position != NULL) {
        bool now = strcmp(position->latest.booking_id, said.booking_id) == 0;
        struct eta_heard **of = now ? &position->eta : &position->next_eta;
        forget_eta(p, *of);
        *of = xmalloc(sizeof(**of));
        **of = (struct eta_heard){said, ++p->stamp};
        map_put(&p->etas, str_from((*of)->said.booking_id), *of);
    }
    pthread_rwlock_unlock(&p->lock);
}

bool positions_eta(struct positions *p, struct str booking_id, uint64_t after,
                   struct signal_eta *ret) {
    pthread_rwlock_rdlock(&p->lock);
    const struct eta_heard *eta = map_get(&p->etas, booking_id);
    bool news = eta != NULL && eta->stamp > after;
    if (news)
        *ret = eta->said;
    pthread_rwlock_unlock(&p->lock);
    return news;
}

struct str eta_frame(const struct signal_eta *s, struct arena *a) {
    struct buf out;
    struct jw w;
    buf_init(&out, a, 512);
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "type", STR("eta"));
    jw_key(&w, "data");
    jw_object(&w);
    jw_kv_str(&w, "booking_id", str_from(s->booking_id));
    jw_key(&w, "stops");
    jw_array(&w);
    for (int32_t i = 0; i < s->stop_count; i++) {
        jw_object(&w);
        jw_kv_i64(&w, "index", i);
        jw_kv_time(&w, "eta", s->stops[i].eta_us);
        jw_kv_time(&w, "eta_from", s->stops[i].early_us);
        jw_kv_time(&w, "eta_to", s->stops[i].late_us);
        jw_end(&w);
    }
    jw_end(&w);
    jw_end(&w);
    jw_end(&w);
    return buf_str(&out);
}

struct str position_frame(const struct signal_position *s, bool for_booking, struct arena *a) {
    struct buf out;
    buf_init(&out, a, 256);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "type", STR("position"));
    jw_key(&w, "data");
    jw_object(&w);
    if (!for_booking)
        jw_kv_str(&w, "driver_id", str_from(s->driver_id));
    if (s->booking_id[0] != 0)
        jw_kv_str(&w, "booking_id", str_from(s->booking_id));
    jw_kv_point(&w, s->at);
    jw_key(&w, "bearing_deg");
    if (s->bearing_deg >= 0)
        jw_i64(&w, s->bearing_deg);
    else
        jw_null(&w);
    jw_key(&w, "speed_mps");
    if (s->speed_cmps >= 0)
        jw_fixed(&w, s->speed_cmps, 2);
    else
        jw_null(&w);
    jw_kv_time(&w, "at", s->at_us);
    if (!for_booking) {
        jw_kv_str(&w, "vehicle", str_from(vehicle_names[s->vehicle]));
        jw_kv_str(&w, "duty",
                  s->off                  ? STR("off")
                  : s->booking_id[0] != 0 ? STR("busy")
                                          : STR("on"));
    }
    jw_end(&w);
    jw_end(&w);
    return buf_str(&out);
}
