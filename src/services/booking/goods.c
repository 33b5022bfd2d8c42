#include "services/booking/goods.h"

#include "base/check.h"

#include <stddef.h>

#define AT(member) .flags = S_ALL, .offset = offsetof(struct goods, member)

static const struct schema_field goods_fields[] = {
    {"name", S_LINE, S_ALL | S_REQUIRED, offsetof(struct goods, name), .min = 1,
     .max = GOODS_NAME_CHARS_MAX},
    {"weight_g", S_I64, AT(weight_g), .min = 0, .max = GOODS_WEIGHT_G_MAX},
    {"volume_cm3", S_I64, AT(volume_cm3), .min = 0, .max = GOODS_VOLUME_CM3_MAX},
    {"count", S_I64, AT(count), .min = 1, .max = GOODS_PIECES_MAX},
    {"handling", S_STR_LIST, AT(handling), .count_offset = offsetof(struct goods, handling_count),
     .min = 0, .max = HANDLING_COUNT - 1},
};
const struct schema goods_schema = STRICT_SCHEMA(struct goods, "Goods", goods_fields);

struct capacity capacity_of(int32_t vehicle, int64_t kg, int64_t l) {
    CHECK(vehicle > VEHICLE_NONE && vehicle < VEHICLE_COUNT);
    const struct capacity *usual = &vehicle_usual[vehicle];
    return (struct capacity){.kg = kg > 0 ? kg : usual->kg, .l = l > 0 ? l : usual->l};
}

static int32_t handling_named(struct str name) {
    for (int32_t i = 1; i < HANDLING_COUNT; i++) {
        if (str_is(name, handling_names[i]))
            return i;
    }
    return HANDLING_NONE;
}

void goods_load(const struct goods *goods, int32_t count, struct arena *a, struct ev_load *ret) {
    bool wanted[HANDLING_COUNT] = {false};
    CHECK(count >= 0 && count <= GOODS_MAX);
    *ret = (struct ev_load){.handling = arena_array(a, struct str, HANDLING_COUNT)};
    for (int32_t i = 0; i < count; i++) {
        const struct goods *g = &goods[i];
        int64_t pieces = g->count > 0 ? g->count : 1;
        ret->pieces += pieces;
        ret->weight_g += g->weight_g > 0 ? g->weight_g * pieces : 0;
        ret->volume_cm3 += g->volume_cm3 > 0 ? g->volume_cm3 * pieces : 0;
        for (int32_t h = 0; h < g->handling_count; h++)
            wanted[handling_named(g->handling[h])] = true;
    }
    for (int32_t h = HANDLING_NONE + 1; h < HANDLING_COUNT; h++) {
        if (wanted[h])
            ret->handling[ret->handling_count++] = str_from(handling_names[h]);
    }
}

/* "35", "0.5": whole and at most one decimal, rounded up, so that what is too much never reads as
 * what would fit. */
static struct str in_thousands(int64_t value, struct arena *a) {
    int64_t tenths = (value + 99) / 100;
    if (tenths % 10 == 0)
        return arena_printf(a, "%lld", (long long)(tenths / 10));
    return arena_printf(a, "%lld.%lld", (long long)(tenths / 10), (long long)(tenths % 10));
}

struct str goods_unfit(const struct ev_load *load, int32_t vehicle, struct capacity c,
                       struct arena *a) {
    const char *name = vehicle_names[vehicle];
    if (load->weight_g > c.kg * 1000)
        return arena_printf(a, "weigh %.*s kg, and a %s carries %lld kg",
                            STR_ARG(in_thousands(load->weight_g, a)), name, (long long)c.kg);
    if (load->volume_cm3 > c.l * 1000)
        return arena_printf(a, "take %.*s l, and a %s holds %lld l",
                            STR_ARG(in_thousands(load->volume_cm3, a)), name, (long long)c.l);
    return STR_NONE;
}

static struct str all_handling(struct arena *a) {
    struct buf out;
    buf_init(&out, a, 128);
    for (int32_t i = HANDLING_NONE + 1; i < HANDLING_COUNT; i++)
        buf_printf(&out, "%s%s", i > HANDLING_NONE + 1 ? ", " : "", handling_names[i]);
    return buf_str(&out);
}

void goods_check(const struct goods *goods, int32_t count, struct arena *a,
                 struct field_errors *errors) {
    for (int32_t i = 0; i < count; i++) {
        bool seen[HANDLING_COUNT] = {false};
        for (int32_t h = 0; h < goods[i].handling_count; h++) {
            int32_t known = handling_named(goods[i].handling[h]);
            if (known == HANDLING_NONE)
                field_errors_add(errors, a, arena_printf(a, "/goods/%d/handling/%d", i, h),
                                 "must be one of %.*s", STR_ARG(all_handling(a)));
            else if (seen[known])
                field_errors_add(errors, a, arena_printf(a, "/goods/%d/handling/%d", i, h),
                                 "stands here twice");
            seen[known] = true;
        }
    }
}
