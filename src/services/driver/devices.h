/* Devices: what reports a driver's positions without his being signed in (a phone with Traccar
 * Client or OwnTracks, a unit in the vehicle). Each has a token of its own, which is shown once,
 * kept as its hash, and may report positions and nothing else. Whoever made it, the driver or the
 * staff, may take it back; that ends it at once.
 *
 * A token is "<device's id>_<secret>": it names the document that knows its hash.
 */
#ifndef LORRY_DRIVER_DEVICES_H
#define LORRY_DRIVER_DEVICES_H

#include "runtime/aggregate.h"
#include "runtime/service.h"

#define DEVICES_MAX 10 /* of one driver */
#define DEVICE_NAME_CHARS_MAX 60
#define DEVICE_SECRET_BYTES 16 /* twice as many hex digits */
#define DEVICE_HASH_BYTES 32

struct device {
    struct aggregate_head head;
    struct str driver_id, name;
    struct str token_hash; /* BLAKE2b of the whole token, hex */
    int64_t created_at_us;
};
extern const struct store_collection device_collection;
extern const struct aggregate device_aggregate;

struct device_body {
    struct str name;
};
extern const struct schema device_body_schema;

/* The hash of TOKEN, as the document has it. */
struct str device_token_hash(struct arena *a, struct str token);
/* The device that TOKEN is of. ERR_NOT_FOUND: it is nobody's (any more); or an error of the store.
 */
int device_of_token(struct store *store, struct json_parser *p, struct str token, struct arena *a,
                    struct device **ret_device);

/* Routes. */
void devices_own(struct call *c);
void devices_own_make(struct call *c);
void devices_own_remove(struct call *c);
void devices_of(struct call *c);
void devices_make(struct call *c);
void devices_remove(struct call *c);

#endif
