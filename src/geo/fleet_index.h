/* The fleet index: where every driver on duty is, in memory; nearest-k, exact by true distance, at
 * any radius; and all in a box. A quadtree over latitude and longitude whose leaves hold a few
 * dozen: its cells are small where many are and large where nobody is, so a street, a city and a
 * country cost a search about the same. Each cell counts its drivers by class and freedom, so a
 * search for the rare kind skips what has none.
 *
 * Not locked: the owner does that (many readers, one writer). Readers change nothing.
 */
#ifndef LORRY_GEO_FLEET_INDEX_H
#define LORRY_GEO_FLEET_INDEX_H

#include "geo/geo.h"

#define FLEET_KEY_MAX 32

struct fleet_item {
    char key[FLEET_KEY_MAX]; /* the driver's id, NUL-terminated: unique */
    struct point at;
    uint8_t vehicle;     /* enum vehicle */
    bool free;           /* on duty and without a claim */
    int16_t bearing_deg; /* -1 unknown */
    int32_t speed_cmps;  /* -1 unknown */
    int32_t capacity_kg; /* of the vehicle; 0 unknown */
    int64_t at_us;
    void *owner; /* the caller's own */
};
struct fleet_hit {
    const struct fleet_item *item; /* valid until the next change */
    double distance_m;
};
struct fleet_filter {
    uint32_t vehicles; /* bit 1 << enum vehicle; 0: all */
    bool free_only;
    int64_t newer_than_us; /* 0: any */
    int32_t carries_kg;    /* so much, or unknown; 0: any. Of the nearest, not of a box */
};

struct fleet_index;
struct fleet_index *fleet_index_new(void);
struct fleet_index *fleet_index_free(struct fleet_index *x); /* NULL ok; returns NULL */
/* Inserts or replaces by key (1 to FLEET_KEY_MAX - 1 bytes; a place on the globe: CHECKed).
 * Returns the item in the index: valid until it is removed; a replacement is seen through it. */
const struct fleet_item *fleet_index_put(struct fleet_index *x, const struct fleet_item *item);
bool fleet_index_remove(struct fleet_index *x, struct str key);
const struct fleet_item *fleet_index_get(const struct fleet_index *x, struct str key);
size_t fleet_index_count(const struct fleet_index *x);
/* The nearest K (≤ HITS' room) within RADIUS_M, nearest first; ties by key. Returns how many. F
 * NULL: any. */
int32_t fleet_index_nearest(const struct fleet_index *x, struct point at, double radius_m,
                            const struct fleet_filter *f, int32_t k, struct fleet_hit *hits);
/* Up to MAX items in the box, in no order. Returns how many. */
int32_t fleet_index_box(const struct fleet_index *x, struct box b, const struct fleet_filter *f,
                        int32_t max, const struct fleet_item **ret_items);

#endif
