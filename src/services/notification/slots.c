/* Slots: how much is under way to each receiver, so that a slow one holds up nobody else. A slot
 * that is full tells those who come when its turn will be theirs, by how long it has lately taken:
 * one after the other, not all again in a second.
 */
#include "services/notification/delivery.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#define GAP_MIN_US (20 * US_PER_MS)

struct slot {
    int32_t under_way;
    int64_t next_us;    /* the time given to whoever came last */
    int64_t latency_us; /* smoothed */
    char key[SLOT_KEY_MAX];
};

void slots_init(struct slots *l) {
    pthread_mutex_init(&l->lock, NULL);
    map_init(&l->by_key);
}

void slots_free(struct slots *l) {
    size_t iter = 0;
    void *slot;
    while (map_next(&l->by_key, &iter, &slot))
        free(slot);
    map_free(&l->by_key);
    pthread_mutex_destroy(&l->lock);
}

static struct slot *slot_of(struct slots *l, struct str key) {
    struct slot *slot = map_get(&l->by_key, key);
    if (slot != NULL)
        return slot;
    CHECK(key.len < SLOT_KEY_MAX);
    slot = xcalloc(1, sizeof(*slot));
    memcpy(slot->key, key.p, key.len);
    map_put(&l->by_key, str_from(slot->key), slot);
    return slot;
}

static int64_t postpone(struct slot *slot, int32_t max, int64_t now_us) {
    int64_t gap_us = slot->latency_us / max;
    gap_us = gap_us < GAP_MIN_US ? GAP_MIN_US : gap_us;
    if (slot->next_us < now_us || slot->next_us > now_us + SLOT_POSTPONE_MAX_US)
        slot->next_us = now_us; /* the queue has passed, or the clock was put back */
    slot->next_us += gap_us;
    return slot->next_us;
}

int64_t slots_take(struct slots *l, struct str key, int32_t max, int64_t now_us) {
    int64_t again_us = 0;
    pthread_mutex_lock(&l->lock);
    struct slot *slot = slot_of(l, key);
    if (slot->under_way < max)
        slot->under_way++;
    else
        again_us = postpone(slot, max, now_us);
    pthread_mutex_unlock(&l->lock);
    return again_us;
}

void slots_give(struct slots *l, struct str key, int64_t latency_us, int64_t now_us) {
    pthread_mutex_lock(&l->lock);
    struct slot *slot = map_get(&l->by_key, key);
    CHECK(slot != NULL && slot->under_way > 0);
    slot->under_way--;
    if (latency_us != SLOT_NOT_USED)
        slot->latency_us += (latency_us - slot->latency_us) / 4;
    if (slot->under_way == 0 && slot->next_us < now_us) {
        map_remove(&l->by_key, key);
        free(slot);
    }
    pthread_mutex_unlock(&l->lock);
}
