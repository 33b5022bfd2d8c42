/* What a booking carries: goods of so many pieces, how heavy and how large each is and how it wants
 * to be handled; and whether a class of vehicle can take them. Pure; any thread.
 *
 * Weight and volume may be unknown: then they count as nothing, and nobody is turned away for them.
 */
#ifndef LORRY_BOOKING_GOODS_H
#define LORRY_BOOKING_GOODS_H

#include "events/events.h"

#define GOODS_MAX 20 /* kinds of goods in a booking */
#define GOODS_NAME_CHARS_MAX 80
#define GOODS_WEIGHT_G_MAX INT64_C(40000000)    /* of a piece: 40 t */
#define GOODS_VOLUME_CM3_MAX INT64_C(100000000) /* of a piece: 100 m³ */
#define GOODS_PIECES_MAX 1000
#define CLASS_KG_MAX 40000 /* that a class of vehicle can be said to take */
#define CLASS_L_MAX 200000

struct goods {
    struct str name;
    int64_t weight_g, volume_cm3; /* of a piece; I64_ABSENT: unknown */
    int64_t count;                /* I64_ABSENT: one */
    struct str *handling;         /* of handling_names, each once */
    int32_t handling_count;
};
extern const struct schema goods_schema; /* in, out and kept */

/* What a class of vehicle takes; 0 or I64_ABSENT: what is usual for it. Pieces are not counted
 * here: they are a driver's own matter. */
struct capacity capacity_of(int32_t vehicle, int64_t kg, int64_t l);

/* All of it together; handling: what any of it wants, in the order of handling_names. In A. */
void goods_load(const struct goods *goods, int32_t count, struct arena *a, struct ev_load *ret);
/* Why VEHICLE of capacity C does not take LOAD, as a sentence without a subject ("weigh 35 kg, and
 * a bike carries 20 kg"), in A; absent: it does. */
struct str goods_unfit(const struct ev_load *load, int32_t vehicle, struct capacity c,
                       struct arena *a);
/* What the schema cannot say: handling that is not known, or stands there twice. */
void goods_check(const struct goods *goods, int32_t count, struct arena *a,
                 struct field_errors *errors);

#endif
