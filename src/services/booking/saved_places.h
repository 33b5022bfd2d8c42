/* The places that a customer has given a name: home, the depot, the neighbour who takes parcels. */
#ifndef LORRY_BOOKING_SAVED_PLACES_H
#define LORRY_BOOKING_SAVED_PLACES_H

#include "services/booking/internal.h"

#define SAVED_PLACES_MAX 50
#define SAVED_LABEL_CHARS_MAX 60

struct saved_place {
    struct str id, label;
    struct place place;
    struct contact *contact; /* who is there; NULL: not said */
    int64_t created_at_us;
};
struct saved_places { /* id: the customer's, with the prefix svd */
    struct aggregate_head head;
    struct str user_id;
    struct saved_place *items; /* oldest first */
    int32_t count;
};
extern const struct store_collection saved_places_collection;
extern const struct aggregate saved_places_aggregate;
extern const struct schema saved_place_body_schema;

void handle_saved_places(struct call *c);
void handle_save_place(struct call *c);
void handle_put_saved_place(struct call *c);
void handle_delete_saved_place(struct call *c);

#endif
