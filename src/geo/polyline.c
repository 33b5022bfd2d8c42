/* Encoded polylines: each coordinate as the difference to the one before it, in 10^-6 degrees,
 * zigzag so that small is short whatever its sign, five bits a character. What lies between our 7
 * decimals and the format's 6 is rounded for each point by itself, so errors do not add up.
 */
#include "base/err.h"
#include "geo/geo.h"

#define E7_PER_E6 10
#define CHARS_MAX                                                                                  \
    7 /* of one number: 2 × 360 × 10^6 has 30 bits; the encoding of others may pad               \
       */
#define LAT_E6_MAX (INT64_C(90) * 1000000)
#define LNG_E6_MAX (INT64_C(180) * 1000000)

static int64_t e6_of(int32_t e7) {
    int64_t half = e7 < 0 ? -E7_PER_E6 / 2 : E7_PER_E6 / 2;
    return (e7 + half) / E7_PER_E6;
}

static void put_number(struct buf *b, int64_t value) {
    uint64_t bits = ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0);
    for (; bits >= 0x20; bits >>= 5)
        buf_add_char(b, (char)((bits & 0x1F) + 0x20 + 63));
    buf_add_char(b, (char)(bits + 63));
}

struct str polyline_encode(const struct point *points, int32_t count, struct arena *a) {
    struct buf b;
    buf_init(&b, a, (size_t)(count > 0 ? count : 0) * 6 + 16); /* streets take 4 to 6 a point */
    int64_t lat = 0, lng = 0;
    for (int32_t i = 0; i < count; i++) {
        int64_t to_lat = e6_of(points[i].lat_e7), to_lng = e6_of(points[i].lng_e7);
        put_number(&b, to_lat - lat);
        put_number(&b, to_lng - lng);
        lat = to_lat;
        lng = to_lng;
    }
    return buf_str(&b);
}

static int take_number(struct str text, size_t *at, int64_t *ret_value) {
    uint64_t bits = 0;
    for (unsigned i = 0; i < CHARS_MAX && *at < text.len; i++) {
        unsigned char c = (unsigned char)text.p[(*at)++];
        if (c < 63 || c > 126)
            return ERR_INVALID;
        bits |= (uint64_t)((c - 63) & 0x1F) << (5 * i);
        if (c - 63 < 0x20) {
            int64_t half = (int64_t)(bits >> 1);
            *ret_value = bits & 1 ? -half - 1 : half;
            return 0;
        }
    }
    return ERR_INVALID;
}

int polyline_decode(struct str text, struct arena *a, struct point **ret_points,
                    int32_t *ret_count) {
    if (text.len / 2 > INT32_MAX)
        return ERR_INVALID;
    struct point *points = arena_array(a, struct point, text.len / 2);
    int32_t count = 0;
    int64_t lat = 0, lng = 0;
    for (size_t at = 0; at < text.len; count++) {
        int64_t north, east;
        if (take_number(text, &at, &north) || take_number(text, &at, &east))
            return ERR_INVALID;
        lat += north;
        lng += east;
        if (lat < -LAT_E6_MAX || lat > LAT_E6_MAX || lng < -LNG_E6_MAX || lng > LNG_E6_MAX)
            return ERR_INVALID;
        points[count] = (struct point){(int32_t)lat * E7_PER_E6, (int32_t)lng * E7_PER_E6};
    }
    *ret_points = points;
    *ret_count = count;
    return 0;
}
