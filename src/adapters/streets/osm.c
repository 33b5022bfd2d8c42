/* OSM's tags to what a motor vehicle makes of a road (wiki.openstreetmap.org/wiki/Key:highway,
 * Key:access, Key:oneway, Key:maxspeed). Speeds are those that cars reach on average in a town, as
 * in OSRM's car profile: a signposted limit counts for four fifths.
 */
#include "adapters/streets/build.h"

#include "base/check.h"

#include <string.h>

#define KMH_MIN 3
#define KMH_MAX 120
#define KMH_BARE 30 /* a line about which nothing is known */
#define KMH_PARKING 10
#define LIMIT_SHARE 0.8 /* of a signposted limit */
#define LIMIT_MAX 250
#define KM_PER_MILE 1.609344

struct highway {
    const char *name;
    uint8_t kmh;
    bool meets_customers; /* people stand there */
    enum road_class class;
};
static const struct highway highways[] = {
    {"motorway", 90, false, ROAD_MOTORWAY},  {"motorway_link", 45, false, ROAD_MOTORWAY},
    {"trunk", 85, false, ROAD_TRUNK},        {"trunk_link", 40, false, ROAD_TRUNK},
    {"primary", 65, true, ROAD_PRIMARY},     {"primary_link", 30, false, ROAD_PRIMARY},
    {"secondary", 55, true, ROAD_SECONDARY}, {"secondary_link", 25, false, ROAD_SECONDARY},
    {"tertiary", 40, true, ROAD_TERTIARY},   {"tertiary_link", 20, true, ROAD_TERTIARY},
    {"unclassified", 25, true, ROAD_MINOR},  {"residential", 25, true, ROAD_MINOR},
    {"living_street", 10, true, ROAD_MINOR}, {"service", 15, false, ROAD_SERVICE},
    {"road", 20, true, ROAD_MINOR},
};

static struct str tag(struct json_value properties, const char *key) {
    struct json_value v;
    if (json_kind(properties) != JSON_IS_OBJECT || !json_get(properties, key, &v))
        return STR_NONE;
    return json_text(v); /* absent unless a string */
}

static bool one_of(struct str s, const char *const *words) {
    for (; s.p && *words; words++) {
        if (str_is(s, *words))
            return true;
    }
    return false;
}

static const struct highway *highway_of(struct str name) {
    for (size_t i = 0; i < COUNT_OF(highways); i++) {
        if (str_is(name, highways[i].name))
            return &highways[i];
    }
    return NULL;
}

/* The most specific key decides: motorcar=yes opens what access=no closes. */
static bool may_drive(struct json_value properties) {
    static const char *const keys[] = {"motorcar", "motor_vehicle", "vehicle", "access"};
    static const char *const shut[] = {"no",  "private", "agricultural", "forestry", "emergency",
                                       "psv", "bus",     "military",     NULL};
    static const char *const shut_service[] = {"bus", "emergency_access", NULL};
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct str value = tag(properties, keys[i]);
        if (value.p && one_of(value, shut))
            return false;
        if (value.p)
            break;
    }
    return !one_of(tag(properties, "service"), shut_service) &&
           !str_is(tag(properties, "area"), "yes") &&
           !str_is(tag(properties, "oneway"), "reversible");
}

/* "50", "50 km/h", "30 mph", "none", "walk"; 0 for what says no number. */
static double limit_kmh(struct json_value properties) {
    struct json_value v;
    if (json_kind(properties) != JSON_IS_OBJECT || !json_get(properties, "maxspeed", &v))
        return 0;
    double number = 0;
    if (json_f64(v, &number) == 0)
        return number >= 1 && number <= LIMIT_MAX ? number : 0;
    struct str s = json_text(v);
    if (str_is(s, "none"))
        return KMH_MAX / LIMIT_SHARE;
    if (str_is(s, "walk"))
        return 7;
    size_t digits = 0;
    while (digits < s.len && digits < 4 && s.p[digits] >= '0' && s.p[digits] <= '9')
        number = number * 10 + (s.p[digits++] - '0');
    struct str unit = str_sub(s, digits, s.len);
    if (str_is(unit, " mph") || str_is(unit, "mph"))
        number *= KM_PER_MILE;
    else if (unit.len && !str_is(unit, " km/h"))
        return 0;
    return number >= 1 && number <= LIMIT_MAX ? number : 0;
}

static uint8_t speed(struct json_value properties, const struct highway *highway) {
    static const char *const parking[] = {"parking_aisle", "parking", "drive-through", NULL};
    double kmh = highway ? highway->kmh : KMH_BARE, limit = limit_kmh(properties);
    if (one_of(tag(properties, "service"), parking))
        kmh = KMH_PARKING;
    if (limit > 0)
        kmh = limit * LIMIT_SHARE;
    kmh = kmh < KMH_MIN ? KMH_MIN : kmh > KMH_MAX ? KMH_MAX : kmh;
    return (uint8_t)(kmh + 0.5);
}

/* Which ways it is open: 1 along the line, -1 against it, 0 both. */
static int one_way(struct json_value properties) {
    static const char *const along[] = {"yes", "true", "1", NULL};
    static const char *const against[] = {"-1", "reverse", NULL};
    static const char *const both[] = {"no", "false", "0", "alternating", NULL};
    static const char *const round[] = {"roundabout", "circular", NULL};
    struct str value = tag(properties, "oneway");
    struct json_value v;
    if (!value.p && json_kind(properties) == JSON_IS_OBJECT && json_get(properties, "oneway", &v)) {
        int64_t number = 0; /* converters make numbers and booleans of it */
        if (json_kind(v) == JSON_IS_BOOL)
            return json_bool(v);
        if (json_i64(v, &number) == 0 && number >= -1 && number <= 1)
            return (int)number;
    }
    if (one_of(value, along))
        return 1;
    if (one_of(value, against))
        return -1;
    if (one_of(value, both))
        return 0;
    return one_of(tag(properties, "junction"), round) ||
           str_is(tag(properties, "highway"), "motorway");
}

bool road_of_tags(struct json_value properties, bool bare, struct road *ret_road) {
    const struct highway *highway = highway_of(tag(properties, "highway"));
    if ((!highway && !bare) || !may_drive(properties))
        return false;
    uint8_t kmh = speed(properties, highway);
    int way = one_way(properties);
    *ret_road = (struct road){.kmh = {way >= 0 ? kmh : 0, way <= 0 ? kmh : 0},
                              .meets_customers = !highway || highway->meets_customers,
                              .class = highway ? highway->class : ROAD_MINOR,
                              .name = tag(properties, "name")};
    return true;
}
