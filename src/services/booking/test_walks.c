/* Anything that can happen to a booking, in any order, from seeds. */
#include "services/booking/test_world.h"

#define WALK_OFFERS 200
struct walk {
    struct world *w;
    struct rng rng; /* what happens; not what is decided */
    struct str ids[WALK_OFFERS];
    int drivers[WALK_OFFERS];
    bool held[WALK_OFFERS]; /* the driver has a claim by it */
    int count;
    uint64_t reluctance; /* to accept; to fail */
};

/* An offer of before, or a new one. */
static int some_offer(struct walk *k) {
    if (k->count < WALK_OFFERS && (k->count == 0 || rng_below(&k->rng, 3) == 0)) {
        k->ids[k->count] = id_new(&k->w->arena, "ofr", k->w->now_us, &k->rng);
        k->drivers[k->count] = (int)rng_below(&k->rng, DRIVERS);
        return k->count++;
    }
    uint64_t recent = rng_below(&k->rng, 4) != 0 && k->count > 3 ? 3 : (uint64_t)k->count;
    return k->count - 1 - (int)rng_below(&k->rng, recent);
}

static void walk_claim(struct walk *k) {
    static const struct command_type *const types[] = {
        &booking_offered, &booking_offered, &booking_dropped, &booking_stale, &booking_refused};
    int i = some_offer(k);
    const struct command_type *type = types[rng_below(&k->rng, COUNT_OF(types))];
    struct ev_claim *claim = claim_of(k->w, k->drivers[i], k->ids[i]);
    if (k->w->b->offer_count > 0 && rng_below(&k->rng, 4) == 0) {
        const struct booking_offer *o = &k->w->b->offers[rng_below(&k->rng, 1)];
        claim->manual = o->wanted;
        claim->offer_id = o->id;
        claim->driver_id = o->driver.id;
        claim->driver_user_id = o->driver.user_id;
    } else if (type != &booking_refused) {
        k->held[i] = true;
    }
    run(k->w, type, (struct identity){0}, claim, NULL);
}

static void walk_step(struct walk *k) {
    struct world *w = k->w;
    int driver = (int)rng_below(&k->rng, DRIVERS);
    int i = some_offer(k);
    switch (rng_below(&k->rng, 12)) {
    case 0:
        if (rng_below(&k->rng, k->reluctance) == 0)
            accept(w, k->drivers[i], k->ids[i]);
        break;
    case 1:
        decline(w, k->drivers[i], k->ids[i]);
        break;
    case 2:
        w->now_us += rng_between(&k->rng, 0, 24 * US_PER_S);
        wake(w);
        break;
    case 3:
        if (rng_below(&k->rng, 20) == 0)
            cancel(w, rng_below(&k->rng, 2) == 0 ? w->customer : w->staff);
        break;
    case 4:
        if (rng_below(&k->rng, 4) == 0)
            reassign(w, driver, rng_below(&k->rng, 4) == 0 ? NULL : "nearer");
        else if (rng_below(&k->rng, 8) == 0)
            unassign(w, w->staff, (enum tri)rng_below(&k->rng, 3));
        else if (rng_below(&k->rng, 8) == 0)
            release(w, driver);
        break;
    case 5:
    case 6:
    case 7:
        if (w->b->driver != NULL) {
            int32_t state = (int32_t)rng_between(&k->rng, BOOKING_ARRIVED_PICKUP, BOOKING_FAILED);
            int64_t stop = rng_below(&k->rng, 2) == 0 ? rng_between(&k->rng, 0, 3) : I64_ABSENT;
            for (int n = 0; n < DRIVERS && rng_below(&k->rng, 8) != 0; i++) {
                if (str_eq(w->drivers[n].user_id, w->b->driver->user_id))
                    driver = n;
            }
            if (state != BOOKING_FAILED || rng_below(&k->rng, k->reluctance) == 0)
                status(w, driver, state, stop);
        }
        break;
    case 8:
        rate(w, w->customer, 5);
        break;
    default:
        walk_claim(k);
    }
}

/* Claims that were told to go are gone; all others are open offers or the assignment. */
static void check_claims(struct walk *k) {
    const struct booking *b = k->w->b;
    for (int i = 0; i < k->count; i++) {
        if (told_of(k->w, EV_BOOKING_OFFER_CLOSED, k->ids[i]) ||
            told_of(k->w, EV_BOOKING_UNASSIGNED, k->ids[i]))
            k->held[i] = false;
        bool open = booking_offer_index(b, k->ids[i]) >= 0;
        bool won = b->driver != NULL && str_eq(b->driver->offer_id, k->ids[i]);
        assert_true(!k->held[i] || open || won);
    }
}

static void test_walks(void **unused) {
    (void)unused;
    int ends[BOOKING_STATE_COUNT] = {0};
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct walk k = {.w = world_new(seed), .reluctance = 1 + seed % 4 * 15};
        rng_seed(&k.rng, seed * 7919);
        create(k.w, 2 + (int32_t)(seed % 3));
        for (int step = 0; step < 250; step++) {
            k.w->d = (struct decision){0};
            walk_step(&k);
            check_claims(&k);
        }
        ends[k.w->b->state]++;
        world_free(k.w);
    }
    /* the walks do get about */
    assert_true(ends[BOOKING_DELIVERED] > 0 && ends[BOOKING_CANCELLED] > 0);
    assert_true(ends[BOOKING_EXPIRED] > 0 && ends[BOOKING_FAILED] > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_walks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
