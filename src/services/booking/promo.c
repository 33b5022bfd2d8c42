/* The shapes of promo codes, and their rules. */
#include "services/booking/promo.h"

#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "services/booking/price.h"

#include <stddef.h>

/* ---- shapes ---- */

#define AT(type, member) .offset = offsetof(struct type, member)
#define COUNT_AT(type, member) .count_offset = offsetof(struct type, member)
#define OURS (S_OUT | S_STORE)

static const struct schema_field hold_fields[] = {
    {"booking_id", S_ID, S_STORE, AT(promo_hold, booking_id), .hint = "bkg"},
    {"customer_id", S_ID, S_STORE, AT(promo_hold, customer_id), .hint = "usr"},
    {"until", S_TIME, S_STORE, AT(promo_hold, until_us)},
    {"settled", S_BOOL, S_STORE, AT(promo_hold, settled)},
};
static const struct schema hold_schema = SCHEMA(struct promo_hold, "StoredPromoHold", hold_fields);

#define CHANGEABLE(type, mask)                                                                     \
    {"note", S_STR, (mask), AT(type, note), .min = 0, .max = REASON_CHARS_MAX},                    \
        {"valid_to", S_TIME, (mask), AT(type, until_us)},                                          \
        {"minimum_total",         S_I64,    (mask),                                                \
         AT(type, minimum_total), .min = 0, .max = TARIFF_AMOUNT_MAX},                             \
        {"uses_max", S_I64, (mask), AT(type, uses_max), .min = 1, .max = PROMO_USES_MAX}, {        \
        "uses_per_customer_max", S_I64, (mask), AT(type, customer_uses_max),                       \
            .min = 1, .max = PROMO_CUSTOMER_USES_MAX                                               \
    }

static const struct schema_field promo_fields[] = {
    {"code", S_LINE, S_ALL | S_REQUIRED, AT(promo, code), .min = PROMO_CODE_CHARS_MIN,
     .max = PROMO_CODE_CHARS_MAX},
    {"percent", S_I64, S_ALL, AT(promo, percent), .min = 1, .max = 100},
    {"amount", S_I64, S_ALL, AT(promo, amount), .min = 1, .max = TARIFF_AMOUNT_MAX},
    {"cap", S_I64, S_ALL, AT(promo, cap), .min = 1, .max = TARIFF_AMOUNT_MAX},
    {"valid_from", S_TIME, S_ALL, AT(promo, from_us)},
    CHANGEABLE(promo, S_ALL),
    {"zones", S_STR_LIST, S_ALL, AT(promo, zones), COUNT_AT(promo, zone_count), .min = 0,
     .max = PROMO_LIST_MAX},
    {"vehicles", S_STR_LIST, S_ALL, AT(promo, vehicles), COUNT_AT(promo, vehicle_count), .min = 0,
     .max = PROMO_LIST_MAX},
    {"first_only", S_BOOL, S_ALL, AT(promo, first_only)},
    {"ended", S_BOOL, OURS, AT(promo, ended)},
    {"used", S_I64, OURS, AT(promo, used)},
    {"holds", S_LIST, S_STORE, AT(promo, holds), COUNT_AT(promo, hold_count), .sub = &hold_schema,
     .max = PROMO_HOLDS_MAX},
    {"created_at", S_TIME, OURS, AT(promo, created_us)},
    {"created_by", S_ID, OURS, AT(promo, created_by), .hint = "usr"},
    {"version", S_I64, S_OUT, AT(promo, head.version)},
};
const struct schema promo_schema = STRICT_SCHEMA(struct promo, "PromoCodeRequest", promo_fields);

static const struct schema_field patch_fields[] = {CHANGEABLE(promo_patch, S_IN)};
const struct schema promo_patch_schema =
    STRICT_SCHEMA(struct promo_patch, "PromoCodePatch", patch_fields);

static const struct schema_field use_fields[] = {
    {"booking_id", S_ID, S_STORE, AT(promo_use, booking_id), .hint = "bkg"},
    {"freed", S_BOOL, S_STORE, AT(promo_use, freed)},
};
static const struct schema use_schema = SCHEMA(struct promo_use, "StoredPromoUse", use_fields);
static const struct schema_field uses_fields[] = {
    {"code", S_STR, S_STORE, AT(promo_uses, code)},
    {"customer_id", S_ID, S_STORE, AT(promo_uses, customer_id), .hint = "usr"},
    {"uses", S_LIST, S_STORE, AT(promo_uses, uses), COUNT_AT(promo_uses, use_count),
     .sub = &use_schema, .max = PROMO_CUSTOMER_USES_MAX + PROMO_FREED_MAX},
};
static const struct schema uses_schema = SCHEMA(struct promo_uses, "StoredPromoUses", uses_fields);

const struct store_collection promo_collection = {.name = "promo_codes", .timers = true};
const struct store_collection promo_uses_collection = {.name = "promo_uses"};

/* The first hold that runs out, or is to be forgotten. */
static int64_t promo_wake_at(const void *state) {
    const struct promo *p = state;
    int64_t at_us = 0;
    for (int32_t i = 0; i < p->hold_count; i++) {
        if (at_us == 0 || p->holds[i].until_us < at_us)
            at_us = p->holds[i].until_us;
    }
    return at_us;
}

const struct aggregate promo_aggregate = {&promo_collection, &promo_schema, NULL, promo_wake_at};
const struct aggregate promo_uses_aggregate = {&promo_uses_collection, &uses_schema, NULL, NULL};

/* ---- names ---- */

struct str promo_normal(struct str code, struct arena *a) {
    while (code.len > 0 && code.p[0] == ' ')
        code = str_sub(code, 1, code.len);
    while (code.len > 0 && code.p[code.len - 1] == ' ')
        code.len--;
    if (code.len < PROMO_CODE_CHARS_MIN || code.len > PROMO_CODE_CHARS_MAX)
        return STR_NONE;
    char *text = arena_bytes(a, code.len + 1);
    for (size_t i = 0; i < code.len; i++) {
        char c = code.p[i];
        c = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
        if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return STR_NONE;
        text[i] = c;
    }
    text[code.len] = '\0';
    return (struct str){text, code.len};
}

struct str promo_id(struct str code, struct arena *a) {
    return arena_printf(a, "prm_%.*s", STR_ARG(code));
}

struct str promo_uses_id(struct str code, struct str customer_id, struct arena *a) {
    struct str who = id_with_prefix(a, customer_id, "pru");
    return arena_printf(a, "pru_%.*s_%.*s", STR_ARG(code), STR_ARG(str_sub(who, 4, who.len)));
}

/* ---- rules ---- */

enum problem promo_closed(const struct promo *p, int64_t now_us) {
    if (p->ended || (p->until_us != 0 && now_us >= p->until_us))
        return PROBLEM_PROMO_EXPIRED;
    if (p->from_us != 0 && now_us < p->from_us)
        return PROBLEM_PROMO_EXPIRED;
    if (p->uses_max != I64_ABSENT && p->used >= p->uses_max)
        return PROBLEM_PROMO_USED_UP;
    return PROBLEM_COUNT;
}

static bool has(const struct str *list, int32_t count, struct str name) {
    for (int32_t i = 0; i < count; i++) {
        if (str_eq(list[i], name))
            return true;
    }
    return false;
}

struct str promo_unfit(const struct promo *p, int32_t vehicle, struct str zone,
                       const struct price *price, struct arena *a) {
    if (p->vehicle_count > 0 &&
        !has(p->vehicles, p->vehicle_count, str_from(vehicle_names[vehicle])))
        return arena_printf(a, "is not for a %s", vehicle_names[vehicle]);
    if (p->zone_count > 0 && (zone.p == NULL || !has(p->zones, p->zone_count, zone)))
        return STR("is not for trips that begin here");
    if (p->minimum_total != I64_ABSENT && price->total < p->minimum_total)
        return arena_printf(a, "is for trips from %lld on, in minor units of %.*s",
                            (long long)p->minimum_total, STR_ARG(price->currency));
    return STR_NONE;
}

struct discount promo_discount(const struct promo *p) {
    return (struct discount){.code = p->code,
                             .percent = p->percent,
                             .amount = p->amount,
                             .cap = p->cap,
                             .minimum = p->minimum_total};
}

const char *promo_words(enum problem p) {
    switch (p) {
    case PROBLEM_PROMO_EXPIRED:
        return "this promo code is not valid now";
    case PROBLEM_PROMO_USED_UP:
        return "this promo code has been used as often as it may be";
    case PROBLEM_PROMO_NOT_FOR_THIS:
        return "this promo code is not for this booking";
    default:
        return "there is no such promo code";
    }
}

/* ---- the one who uses it ---- */

static bool counts_as_booked(struct str state) {
    return !str_is(state, booking_state_names[BOOKING_CANCELLED]) &&
           !str_is(state, booking_state_names[BOOKING_EXPIRED]);
}

/* Has KEY's customer a booking that was neither cancelled nor expired? Beyond a page of those that
 * were, he counts as having come before. */
static int came_before(struct str key, struct store *store, struct json_parser *parser,
                       struct arena *a, bool *ret) {
    struct store_query q = {.collection = &booking_collection,
                            .index = booking_collection.indexes[0],
                            .key = key,
                            .limit = 50};
    struct store_doc *docs;
    int32_t count;
    int err = store->ops->list(store, &q, a, &docs, &count);
    for (int32_t i = 0; i < count && err == 0 && !*ret; i++) {
        void *state;
        err = aggregate_decode(&booking_aggregate, &docs[i], parser, a, &state);
        if (err == 0)
            *ret = counts_as_booked(
                str_from(booking_state_names[((const struct booking *)state)->state]));
    }
    *ret = *ret || (err == 0 && count == q.limit);
    return err;
}

int promo_know(const struct promo *p, struct str customer_id, struct store *store,
               struct json_parser *parser, struct arena *a, struct promo_facts *ret) {
    void *state;
    int err = aggregate_get(&promo_uses_aggregate, store, parser,
                            promo_uses_id(p->code, customer_id, a), a, &state);
    if (err < 0 && err != ERR_NOT_FOUND)
        return err;
    ret->uses = err == 0 ? state : NULL;
    err = 0;
    ret->came_before = false;
    if (p->first_only) {
        err = came_before(booking_open_key(a, customer_id), store, parser, a, &ret->came_before);
        if (err == 0 && !ret->came_before)
            err = came_before(customer_id, store, parser, a, &ret->came_before);
    }
    return err;
}

/* How often CUSTOMER_ID uses P beside BOOKING_ID. */
static int64_t uses_of(const struct promo *p, const struct promo_facts *f, struct str customer_id,
                       struct str booking_id) {
    int64_t uses = 0;
    for (int32_t i = 0; f->uses != NULL && i < f->uses->use_count; i++)
        uses += !f->uses->uses[i].freed && !str_eq(f->uses->uses[i].booking_id, booking_id);
    for (int32_t i = 0; i < p->hold_count; i++) {
        const struct promo_hold *h = &p->holds[i];
        bool known = str_eq(h->booking_id, booking_id) || !str_eq(h->customer_id, customer_id);
        for (int32_t n = 0; f->uses != NULL && n < f->uses->use_count && !known; n++)
            known = str_eq(f->uses->uses[n].booking_id, h->booking_id);
        uses += !known;
    }
    return uses;
}

enum problem promo_denied(const struct promo *p, const struct promo_facts *f,
                          struct str customer_id, struct str booking_id, int64_t now_us) {
    enum problem closed = promo_closed(p, now_us);
    if (closed != PROBLEM_COUNT)
        return closed;
    int64_t uses = uses_of(p, f, customer_id, booking_id);
    if (p->first_only && (f->came_before || uses > 0))
        return PROBLEM_PROMO_NOT_FOR_THIS;
    if (p->customer_uses_max != I64_ABSENT && uses >= p->customer_uses_max)
        return PROBLEM_PROMO_USED_UP;
    return PROBLEM_COUNT;
}
