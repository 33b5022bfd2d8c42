/* Where more is asked for than there is. The town is cut into cells; of each, by vehicle class, the
 * bookings that look for a driver (demand) and the free drivers in and around it (supply) are
 * counted every SURGE_EVERY_US, and smoothed: a sample is a quarter of the new value. What is added
 * to a price for it is the tariff's to say (tariffs_surge).
 *
 * Bookings are counted in the store, so that every process comes to about the same; drivers are
 * asked of the fleet port. Cells without demand are not kept: there is no surge there.
 *
 * The executor's thread samples; any thread looks.
 */
#ifndef LORRY_BOOKING_SURGE_H
#define LORRY_BOOKING_SURGE_H

#include "ports/fleet.h"
#include "ports/store.h"
#include "services/booking/types.h"

#include <pthread.h>

#define SURGE_EVERY_US (INT64_C(5) * 1000000)
#define SURGE_CELLS_MAX 1024
#define SURGE_LAT_E7 200000 /* a cell is 0.02 degrees high: 2.2 km … */
#define SURGE_LNG_E7 400000 /* … and twice as many degrees wide: 2.4 km in Göteborg */

struct surge_cell {
    int32_t lat, lng, vehicle; /* which one */
    int64_t demand_milli, supply_milli;
    int64_t asked; /* of the sample at hand */
};
struct surge {
    pthread_mutex_t lock; /* of the cells, for an instant */
    struct surge_cell cells[SURGE_CELLS_MAX];
    int32_t count;
    int64_t next_us; /* executor's thread */
};

void surge_init(struct surge *s);
void surge_free(struct surge *s);

/* Takes a sample when it is time to. WINDOW_US: how long a booking that is for now may look for a
 * driver, and be older than that by its quote: what looks for one and is older was for later. FLEET
 * may be NULL: then nobody is free. An error of the store leaves things as they are. */
void surge_sample(struct surge *s, struct store *store, struct fleet *fleet, int64_t window_us,
                  int64_t now_us);
/* Forgets everything: no tariff asks for it. */
void surge_clear(struct surge *s);
/* About PICKUP, in thousandths; both 0 where nothing is asked for. */
void surge_at(struct surge *s, struct point pickup, enum vehicle vehicle, int64_t *ret_demand_milli,
              int64_t *ret_supply_milli);

#endif
