/* The newest position of every driver, written by whoever signals (the executor's thread) and read
 * by the network threads' ticks. Each change gets a stamp, so that a watcher is given just what is
 * newer than what he has; what he misses in between is never sent. The table is also a list in the
 * order of the stamps, so that looking for what is new costs as much as there is new, and he who
 * cannot take it all gets next time what has waited longest.
 */
#include "services/notification/internal.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

void positions_init(struct positions *p) {
    pthread_rwlock_init(&p->lock, NULL);
    map_init(&p->by_driver);
    map_init(&p->by_booking);
}

void positions_free(struct positions *p) {
    size_t iter = 0;
    void *position;
    while (map_next(&p->by_driver, &iter, &position))
        free(position);
    map_free(&p->by_driver);
    map_free(&p->by_booking);
    pthread_rwlock_destroy(&p->lock);
}

static void forget_booking(struct positions *p, struct position *position) {
    struct str booking_id = str_from(position->latest.booking_id);
    if (booking_id.len > 0 && map_get(&p->by_booking, booking_id) == position)
        map_remove(&p->by_booking, booking_id);
}

static void move_to_end(struct positions *p, struct position *position) {
    if (p->last == position)
        return;
    if (position->next != NULL) { /* it is in the list */
        *(position->before != NULL ? &position->before->next : &p->first) = position->next;
        position->next->before = position->before;
        position->next = NULL;
    }
    position->before = p->last;
    *(p->last != NULL ? &p->last->next : &p->first) = position;
    p->last = position;
}

void positions_on_signal(void *consumer, struct str topic, const void *data, size_t len) {
    (void)topic;
    struct notification_service *n = consumer;
    struct positions *p = &n->positions;
    CHECK(len == sizeof(struct signal_position));
    const struct signal_position *said = data;
    pthread_rwlock_wrlock(&p->lock);
    struct position *position = map_get(&p->by_driver, str_from(said->driver_id));
    if (position == NULL) {
        position = xcalloc(1, sizeof(*position));
        memcpy(position->latest.driver_id, said->driver_id, sizeof(said->driver_id));
        map_put(&p->by_driver, str_from(position->latest.driver_id), position);
    }
    forget_booking(p, position);
    position->latest = *said;
    position->stamp = ++p->stamp;
    move_to_end(p, position);
    if (said->booking_id[0] != 0)
        map_put(&p->by_booking, str_from(position->latest.booking_id), position);
    pthread_rwlock_unlock(&p->lock);
}

int32_t positions_in_box(struct positions *p, struct box box, uint64_t after, struct position *out,
                         int32_t max, uint64_t *ret_stamp) {
    int32_t n = 0;
    pthread_rwlock_rdlock(&p->lock);
    uint64_t stamp = p->stamp;
    const struct position *at = NULL;
    for (const struct position *newer = p->last; newer != NULL && newer->stamp > after;
         newer = newer->before)
        at = newer;
    for (; at != NULL; at = at->next) {
        /* Who has just come need not hear of those who have gone. */
        if ((after == 0 && at->latest.off) || !box_has(box, at->latest.at))
            continue;
        if (n == max) {
            stamp = out[n - 1].stamp;
            break;
        }
        out[n++] = *at;
    }
    pthread_rwlock_unlock(&p->lock);
    *ret_stamp = stamp;
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
