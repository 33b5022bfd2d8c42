/* A customer's favourite drivers. */
#ifndef LORRY_BOOKING_FAVOURITES_H
#define LORRY_BOOKING_FAVOURITES_H

#include "services/booking/internal.h"

struct favourite {
    struct str driver_id, name, booking_id; /* of the booking that he was named by */
    int64_t at_us;
};
struct favourites { /* id: the customer's, with the prefix fav */
    struct aggregate_head head;
    struct favourite *items; /* oldest first */
    int32_t count;
};
extern const struct store_collection favourites_collection;
extern const struct aggregate favourites_aggregate;
extern const struct schema favourite_body_schema;

/* The ids of USER_ID's, in A; none is no error. STORE's thread. */
int favourites_of(struct store *store, struct json_parser *p, struct str user_id, struct arena *a,
                  struct str **ret_ids, int32_t *ret_count);

void handle_favourites(struct call *c);
void handle_put_favourite(struct call *c);
void handle_delete_favourite(struct call *c);

#endif
