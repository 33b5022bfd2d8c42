/* The locations port: where a driver's fixes go in, whichever way they came (a request's body, a
 * WebSocket's frame). What is acknowledged is durable.
 *
 * Adapters: the driver service (all in one). To come: another process's.
 */
#ifndef LORRY_PORTS_LOCATIONS_H
#define LORRY_PORTS_LOCATIONS_H

#include "base/arena.h"
#include "json/schema.h"

#define LOCATIONS_FIXES_MAX 1000 /* in one batch */

struct locations_result {
    int32_t stored, duplicates;
    struct str rejected; /* JSON text: [{"index":3,"pointer":"/fixes/3/lat","detail":"…"}] */
    int64_t through_us;  /* the driver's newest durable fix, 0: he has none */
};
/* ERR 0: R is filled and all it counts is durable. Else (ERR_FULL, ERR_BUSY, ERR_IO, ERR_LIMIT …)
 * some of the batch may be stored; sending it again is harmless. R lives in the arena that was
 * given to submit. Executor's thread. */
typedef void (*locations_done_fn)(void *arg, int err, const struct locations_result *r);

struct locations;
struct locations_ops {
    /* Takes the fixes of {"fixes":[…]} in BODY for the driver who is USER_ID ("usr_…", copied).
     * 0: DONE follows exactly once, and until then arena A belongs to the port. Else DONE is not
     * called: ERR_INVALID: the shape is wrong, as ERRORS says; ERR_FULL: too much waits;
     * ERR_LIMIT: the driver has sent as many as an hour may have, and nothing of these is stored;
     * he may come again in *RET_WAIT_S. BODY is read before it returns. Any thread that may use
     * BODY's parser. */
    int (*submit)(struct locations *l, struct str user_id, struct json_value body, int64_t now_us,
                  struct arena *a, struct field_errors *errors, locations_done_fn done, void *arg,
                  int32_t *ret_wait_s);
};
struct locations {
    const struct locations_ops *ops;
};

#endif
