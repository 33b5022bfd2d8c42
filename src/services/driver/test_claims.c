/* The claim on a driver: every event in every state, twice; and whole bookings over a network that
 * delays, doubles and reorders, until everything has settled. Pure: decide functions are called as
 * they are, and each new state goes through its JSON, as it would through the store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/id.h"
#include "base/rng.h"
#include "base/timestamp.h"
#include "services/driver/service_internal.h"

#include <stdio.h>
#include <string.h>

#define NOW (INT64_C(1795428000) * US_PER_S)
#define ULID(n) "01ARZ3NDEKTSV4RRFFQ69G5FA" #n

static struct arena arena;
static struct json_parser *parser;
static struct rng rng;
static struct driver_service service = {.o = {.offer_timeout_s = 20, .fairness_half_life_s = 3600}};

static const struct driver *through_store(const struct driver *d) {
    struct store_doc doc = {.id = d->head.id,
                            .version = d->head.version,
                            .state = schema_text(driver_aggregate.schema, d, S_STORE, &arena)};
    void *state;
    CHECK(aggregate_decode(&driver_aggregate, &doc, parser, &arena, &state) == 0);
    return state;
}

/* Decides; returns the new state (or STATE when nothing changes). */
static const struct driver *apply(const struct command_type *type, const void *args,
                                  const struct driver *state, int64_t now_us,
                                  struct decision *ret) {
    struct command cmd = {.type = type,
                          .service = &service,
                          .id = state != NULL ? state->head.id : STR("drv_" ULID(0)),
                          .args = (void *)(uintptr_t)args,
                          .arena = &arena};
    struct decide_ctx ctx = {.now_us = now_us, .rng = &rng, .arena = &arena};
    *ret = (struct decision){0};
    type->decide(&cmd, &ctx, state, ret);
    return ret->state != NULL ? through_store(ret->state) : state;
}

/* ---- every event in every state ---- */

enum state_name { NOBODY, PENDING, OFF, FREE, CLAIMED, SHOWN, ACTIVE, SUSPENDED, LEFT, STATES };

static const struct driver *make(enum state_name name) {
    if (name == NOBODY)
        return NULL;
    struct driver *d = arena_new(&arena, struct driver);
    struct driver_vehicle *v = arena_new(&arena, struct driver_vehicle);
    *v = (struct driver_vehicle){.kind = VEHICLE_VAN, .plate = STR("ABC123"), .capacity_kg = 800};
    *d =
        (struct driver){.head = {STR("drv_" ULID(0)), 1},
                        .user_id = STR("usr_" ULID(0)),
                        .name = STR("Ola Berg"),
                        .status = name == PENDING ? STATUS_PENDING : STATUS_APPROVED,
                        .duty = name == PENDING || name == OFF || name == LEFT ? DUTY_OFF : DUTY_ON,
                        .vehicle = v};
    if (name >= CLAIMED) {
        d->claim = arena_new(&arena, struct driver_claim);
        *d->claim = (struct driver_claim){.booking_id = STR("bkg_" ULID(1)),
                                          .offer_id = STR("ofr_" ULID(1)),
                                          .since_us = NOW,
                                          .expires_at_us = name == SHOWN ? NOW + 1 : 0,
                                          .ask_at_us = NOW};
    }
    if (name == ACTIVE || name == SUSPENDED) {
        d->claim->active = true;
        d->duty = DUTY_BUSY;
    }
    if (name == SUSPENDED)
        d->status = STATUS_SUSPENDED;
    return through_store(d);
}

static const struct ev_claim *claim(const char *booking, const char *offer, bool manual,
                                    enum vehicle vehicle) {
    struct ev_claim *c = arena_new(&arena, struct ev_claim);
    schema_clear(&ev_claim_schema, c);
    c->booking_id = str_from(booking);
    c->offer_id = str_from(offer);
    c->manual = manual;
    c->vehicle = (int32_t)vehicle;
    return c;
}

static const struct ev_booking *booking(const char *id, const char *offer, const char *reason,
                                        enum booking_state state) {
    struct ev_booking *b = arena_new(&arena, struct ev_booking);
    schema_clear(&ev_booking_schema, b);
    b->booking_id = str_from(id);
    b->state = (int32_t)state;
    b->stars = 4;
    b->offer = arena_new(&arena, struct ev_offer);
    *b->offer = (struct ev_offer){
        .id = str_from(offer), .reason = str_from(reason), .expires_at_us = NOW + 20 * US_PER_S};
    return b;
}

#define B1 "bkg_" ULID(1)
#define B2 "bkg_" ULID(2)
#define O1 "ofr_" ULID(1)
#define O2 "ofr_" ULID(2)
#define O3 "ofr_" ULID(3)

struct incoming {
    const char *name;
    const struct command_type *type;
    const void *args;
    /* For each state: . nothing; O claimed and said so; R refused; s shown; f free again; A active
     * now; D active, and the other offer given back; m only remembered; q asks; r rated */
    const char *expected;
};

static char what(const struct driver *before, const struct driver *after,
                 const struct decision *d) {
    const char *said = d->event_count > 0 ? d->events[0].type.p : "";
    if (strcmp(said, EV_DISPATCH_OFFERED) == 0)
        return 'O';
    if (strcmp(said, EV_DISPATCH_REFUSED) == 0)
        return 'R';
    if (strcmp(said, EV_DRIVER_DROPPED) == 0)
        return 'D';
    if (strcmp(said, EV_DRIVER_CLAIM_STALE) == 0)
        return 'q';
    if (before == after)
        return '.';
    if (after->stars_count > before->stars_count)
        return 'r';
    if (before->claim != NULL && after->claim == NULL)
        return 'f';
    if (after->claim != NULL && after->claim->active && !driver_active(before))
        return 'A';
    if (after->claim != NULL && before->claim != NULL &&
        before->claim->expires_at_us != after->claim->expires_at_us)
        return 's';
    return 'm';
}

static void test_every_event_in_every_state(void **unused) {
    (void)unused;
    const struct incoming all[] = {
        /*                                                 nobody pending off free claimed shown
                                                           active suspended left */
        {"claim for another", &driver_claim_type, claim(B2, O2, false, VEHICLE_VAN), ".RRORRRRR"},
        {"claim, other class", &driver_claim_type, claim(B2, O2, false, VEHICLE_BIKE), ".RRRRRRRR"},
        {"its own claim again", &driver_claim_type, claim(B1, O1, false, VEHICLE_VAN), ".RRO....."},
        {"a dispatcher's, same booking", &driver_claim_type, claim(B1, O3, true, VEHICLE_VAN),
         ".RRORRRRR"},
        {"a dispatcher's, another", &driver_claim_type, claim(B2, O3, true, VEHICLE_VAN),
         ".RRORRRRR"},
        {"offered", &driver_offered_type, booking(B1, O1, NULL, BOOKING_OFFERED), "....ss..s"},
        {"another offered", &driver_offered_type, booking(B2, O2, NULL, BOOKING_OFFERED),
         "........."},
        {"closed", &driver_closed_type, booking(B1, O1, "declined", BOOKING_REQUESTED),
         ".mmmff..f"},
        {"another closed", &driver_closed_type, booking(B2, O2, "timed_out", BOOKING_REQUESTED),
         ".mmmmmmmm"},
        {"assigned", &driver_assigned_type, booking(B1, O1, NULL, BOOKING_ASSIGNED), ".AAAAA..A"},
        {"another assigned", &driver_assigned_type, booking(B2, O2, NULL, BOOKING_ASSIGNED),
         ".AAADD..D"},
        {"delivered", &driver_ended_type, booking(B1, O1, NULL, BOOKING_DELIVERED), ".mmmfffff"},
        {"another cancelled", &driver_ended_type, booking(B2, O2, NULL, BOOKING_CANCELLED),
         ".mmmmmmmm"},
        {"rated", &driver_rated_type, booking(B1, O1, NULL, BOOKING_DELIVERED), ".rrrrrrrr"},
        {"time to ask", &driver_wake_type, NULL, "....qq..q"},
    };
    for (size_t e = 0; e < sizeof all / sizeof all[0]; e++) {
        for (enum state_name s = NOBODY; s < STATES; s++) {
            struct decision d;
            const struct driver *before = make(s);
            const struct driver *after = apply(all[e].type, all[e].args, before, NOW + 1, &d);
            char got = what(before, after, &d);
            if (got != all[e].expected[s])
                fail_msg("%s in state %d: %c instead of %c", all[e].name, (int)s, got,
                         all[e].expected[s]);
            const struct driver *twice = apply(all[e].type, all[e].args, after, NOW + 1, &d);
            char again = what(after, twice, &d);
            bool may = again == '.' || (again == got && (got == 'R' || got == 'r'));
            if (got == 's') /* the same expiry */
                may = after->claim->expires_at_us == twice->claim->expires_at_us;
            if (!may)
                fail_msg("%s in state %d, again: %c", all[e].name, (int)s, again);
        }
    }
    arena_reset(&arena);
}

static void test_duty_after_the_end(void **unused) {
    (void)unused;
    const struct ev_booking *end = booking(B1, O1, NULL, BOOKING_DELIVERED);
    struct decision d;
    const struct driver *free = apply(&driver_ended_type, end, make(ACTIVE), NOW, &d);
    assert_int_equal(free->duty, DUTY_ON);
    assert_int_equal(free->delivered, 1);
    assert_null(free->claim);
    const struct driver *gone = apply(&driver_ended_type, end, make(SUSPENDED), NOW, &d);
    assert_int_equal(gone->duty, DUTY_OFF);
    /* what is over stays over */
    const struct ev_booking *late = booking(B1, O1, NULL, BOOKING_ASSIGNED);
    assert_null(apply(&driver_assigned_type, late, free, NOW, &d)->claim);
    assert_null(apply(&driver_claim_type, claim(B1, O3, false, VEHICLE_VAN), free, NOW, &d)->claim);
    arena_reset(&arena);
}

/* He asked what had become of his claim, and the answer, that it was all over, overtook the news
 * that he had won it. When that comes he holds another claim, which is none of its business. */
static void test_won_and_over_before_it_was_heard(void **unused) {
    (void)unused;
    struct decision d;
    const struct driver *s = make(CLAIMED);
    s = apply(&driver_wake_type, NULL, s, NOW + 1, &d);
    assert_string_equal(d.events[0].type.p, EV_DRIVER_CLAIM_STALE);
    s = apply(&driver_closed_type, booking(B1, O1, "withdrawn", BOOKING_DELIVERED), s, NOW, &d);
    assert_null(s->claim);
    s = apply(&driver_claim_type, claim(B2, O2, false, VEHICLE_VAN), s, NOW, &d);
    const struct driver *held = s;
    s = apply(&driver_assigned_type, booking(B1, O1, NULL, BOOKING_ASSIGNED), s, NOW, &d);
    assert_int_equal(d.event_count, 0);
    assert_ptr_equal(s, held);
    s = apply(&driver_ended_type, booking(B1, O1, NULL, BOOKING_DELIVERED), s, NOW, &d);
    assert_int_equal(s->delivered, 1);
    assert_true(str_is(s->claim->offer_id, O2));
    /* the other he may still win */
    s = apply(&driver_assigned_type, booking(B2, O2, NULL, BOOKING_ASSIGNED), s, NOW, &d);
    assert_true(driver_active(s));
    arena_reset(&arena);
}

static void test_refusals_say_why(void **unused) {
    (void)unused;
    static const struct {
        enum state_name state;
        enum vehicle vehicle;
        const char *why;
    } cases[] = {{PENDING, VEHICLE_VAN, "not approved"},
                 {OFF, VEHICLE_VAN, "off duty"},
                 {FREE, VEHICLE_TRUCK, "drives another class of vehicle"},
                 {CLAIMED, VEHICLE_VAN, "holds another offer"},
                 {ACTIVE, VEHICLE_VAN, "busy with another booking"},
                 {SUSPENDED, VEHICLE_VAN, "suspended"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct decision d;
        apply(&driver_claim_type, claim(B2, O2, false, cases[i].vehicle), make(cases[i].state), NOW,
              &d);
        struct ev_claim said;
        assert_int_equal(schema_load(&ev_claim_schema, parser, d.events[0].data, &arena, &said), 0);
        assert_true(str_is(said.reason, cases[i].why));
        assert_true(str_is(said.offer_id, O2));
        assert_true(str_is(said.driver_user_id, "usr_" ULID(0)));
    }
    arena_reset(&arena);
}

static void test_memory_is_bounded(void **unused) {
    (void)unused;
    const struct driver *d = make(FREE);
    for (int i = 0; i < 3 * ENDED_MAX; i++) {
        struct ev_booking b = *booking(B2, O2, "declined", BOOKING_REQUESTED);
        b.offer->id = id_new(&arena, "ofr", NOW, &rng);
        struct decision decision;
        d = apply(&driver_closed_type, &b, d, NOW, &decision);
        assert_true(str_eq(d->ended[d->ended_count - 1], b.offer->id));
    }
    assert_int_equal(d->ended_count, ENDED_MAX);
    arena_reset(&arena);
}

/* ---- whole bookings over a bad network ---- */

#define DRIVERS 3
#define BOOKINGS 12
#define OFFERS_MAX 8
#define WIRE_MAX 4096

struct offer_model {
    struct str id;
    int32_t driver; /* -1: only known as closed */
    bool open;
    const char *reason;
};
struct booking_model {
    struct str id;
    struct offer_model offers[OFFERS_MAX];
    int32_t offer_count, won; /* -1: nobody */
    bool over;
};
struct message {
    const struct command_type *type; /* NULL: to the booking */
    const char *event;
    int32_t driver, booking;
    struct ev_claim claim;
    struct ev_booking said;
};
struct world {
    struct rng rng;
    int64_t now_us;
    const struct driver *drivers[DRIVERS];
    struct booking_model bookings[BOOKINGS];
    struct message wire[WIRE_MAX];
    int32_t wire_count;
};

static void send(struct world *w, const struct message *m) {
    CHECK(w->wire_count < WIRE_MAX);
    w->wire[w->wire_count++] = *m;
}

static void tell(struct world *w, int32_t b, int32_t o, const struct command_type *type,
                 enum booking_state state) {
    const struct offer_model *offer = &w->bookings[b].offers[o];
    struct message m = {.type = type, .driver = offer->driver, .booking = b};
    m.said = *booking(w->bookings[b].id.p, offer->id.p, offer->reason, state);
    m.said.offer->expires_at_us = w->now_us + 20 * US_PER_S;
    send(w, &m);
}

static void close_offer(struct world *w, int32_t b, int32_t o, const char *reason) {
    struct offer_model *offer = &w->bookings[b].offers[o];
    if (offer->open)
        offer->reason = reason;
    offer->open = false;
    tell(w, b, o, &driver_closed_type, BOOKING_REQUESTED);
}

/* What the booking does when it hears of a driver: as the booking service would. */
static void booking_hears(struct world *w, const struct message *m) {
    struct booking_model *b = &w->bookings[m->booking];
    int32_t o = 0;
    while (o < b->offer_count && !str_eq(b->offers[o].id, m->claim.offer_id))
        o++;
    bool known = o < b->offer_count;
    if (!known) {
        if (b->offer_count == OFFERS_MAX)
            return; /* then he asks again */
        bool take = strcmp(m->event, EV_DISPATCH_OFFERED) == 0 && !b->over && b->won < 0;
        b->offers[b->offer_count++] = (struct offer_model){
            .id = m->claim.offer_id, .driver = m->driver, .open = take, .reason = "withdrawn"};
        if (take)
            tell(w, m->booking, o, &driver_offered_type, BOOKING_OFFERED);
        else
            close_offer(w, m->booking, o, NULL);
    } else if (strcmp(m->event, EV_DRIVER_CLAIM_STALE) == 0) {
        if (b->won == o && !b->over)
            tell(w, m->booking, o, &driver_assigned_type, BOOKING_ASSIGNED);
        else
            close_offer(w, m->booking, o, "timed_out");
    } else if (strcmp(m->event, EV_DRIVER_DROPPED) == 0 && b->offers[o].open) {
        close_offer(w, m->booking, o, "declined");
    }
}

static void driver_hears(struct world *w, const struct message *m) {
    struct decision d;
    int32_t who = m->driver;
    const void *args = m->type == &driver_claim_type ? (const void *)&m->claim : &m->said;
    w->drivers[who] = apply(m->type, args, w->drivers[who], w->now_us, &d);
    for (int32_t i = 0; i < d.event_count; i++) {
        struct message out = {.event = d.events[i].type.p, .driver = who, .booking = -1};
        CHECK(schema_load(&ev_claim_schema, parser, d.events[i].data, &arena, &out.claim) == 0);
        for (int32_t b = 0; b < BOOKINGS; b++)
            out.booking = str_eq(w->bookings[b].id, out.claim.booking_id) ? b : out.booking;
        CHECK(out.booking >= 0);
        if (m->type == &driver_assigned_type)
            fail_msg("what he won took another claim from him: %s", out.event);
        if (strcmp(out.event, EV_DISPATCH_REFUSED) != 0)
            send(w, &out);
    }
}

static void deliver_one(struct world *w, bool doubles) {
    int32_t at = (int32_t)rng_below(&w->rng, (uint64_t)w->wire_count);
    struct message m = w->wire[at];
    if (!doubles || rng_below(&w->rng, 5) != 0)
        w->wire[at] = w->wire[--w->wire_count];
    if (m.type == NULL)
        booking_hears(w, &m);
    else
        driver_hears(w, &m);
}

static void claim_somebody(struct world *w, int32_t b) {
    if (w->bookings[b].over || w->bookings[b].won >= 0 ||
        w->bookings[b].offer_count > OFFERS_MAX / 2)
        return;
    struct message m = {
        .type = &driver_claim_type, .driver = (int32_t)rng_below(&w->rng, DRIVERS), .booking = b};
    m.claim = *claim(w->bookings[b].id.p, id_new(&arena, "ofr", w->now_us, &w->rng).p, false,
                     VEHICLE_VAN);
    send(w, &m);
}

/* A driver answers, or nobody does. */
static void move_booking(struct world *w, int32_t b) {
    struct booking_model *m = &w->bookings[b];
    if (m->over)
        return;
    if (m->won >= 0) {
        m->over = true;
        tell(w, b, m->won, &driver_ended_type, BOOKING_DELIVERED);
        return;
    }
    for (int32_t o = 0; o < m->offer_count; o++) {
        if (!m->offers[o].open)
            continue;
        if (rng_below(&w->rng, 3) > 0) {
            close_offer(w, b, o, rng_below(&w->rng, 2) ? "declined" : "timed_out");
            return;
        }
        m->offers[o].open = false;
        m->won = o;
        tell(w, b, o, &driver_assigned_type, BOOKING_ASSIGNED);
        for (int32_t other = 0; other < m->offer_count; other++) {
            if (m->offers[other].open)
                close_offer(w, b, other, "accepted_elsewhere");
        }
        return;
    }
}

static void change_duty(struct world *w, int32_t who) {
    struct duty_body body = {.duty = rng_below(&w->rng, 3) ? DUTY_ON : DUTY_OFF};
    struct message m = {.type = &driver_duty_type, .driver = who};
    struct decision d;
    w->drivers[who] = apply(&driver_duty_type, &body, w->drivers[who], w->now_us, &d);
    for (int32_t i = 0; i < d.event_count; i++) {
        m = (struct message){.event = d.events[i].type.p, .driver = who};
        CHECK(schema_load(&ev_claim_schema, parser, d.events[i].data, &arena, &m.claim) == 0);
        for (int32_t b = 0; b < BOOKINGS; b++)
            m.booking = str_eq(w->bookings[b].id, m.claim.booking_id) ? b : m.booking;
        send(w, &m);
    }
}

/* No booking is under way with two drivers; who is under way with it is the one who won it. */
static void check_world(const struct world *w) {
    for (int32_t d = 0; d < DRIVERS; d++) {
        const struct driver *one = w->drivers[d];
        assert_true((one->duty == DUTY_BUSY) == driver_active(one));
        if (!driver_active(one))
            continue;
        for (int32_t b = 0; b < BOOKINGS; b++) {
            const struct booking_model *m = &w->bookings[b];
            if (!str_eq(m->id, one->claim->booking_id))
                continue;
            assert_true(m->won >= 0);
            assert_int_equal(m->offers[m->won].driver, d);
        }
    }
}

static void run_world(uint64_t seed) {
    struct world *w = arena_new(&arena, struct world);
    rng_seed(&w->rng, seed);
    w->now_us = NOW;
    for (int32_t d = 0; d < DRIVERS; d++) {
        struct driver *driver = (struct driver *)(uintptr_t)make(FREE);
        driver->head.id = id_new(&arena, "drv", NOW, &w->rng);
        driver->user_id = id_with_prefix(&arena, driver->head.id, "usr");
        w->drivers[d] = driver;
    }
    for (int32_t b = 0; b < BOOKINGS; b++)
        w->bookings[b] =
            (struct booking_model){.id = id_new(&arena, "bkg", NOW, &w->rng), .won = -1};
    for (int32_t step = 0; step < 600; step++) {
        w->now_us += 100 * US_PER_MS;
        int32_t b = (int32_t)rng_below(&w->rng, BOOKINGS);
        switch (rng_below(&w->rng, 5)) {
        case 0:
            claim_somebody(w, b);
            break;
        case 1:
            move_booking(w, b);
            break;
        case 2:
            if (rng_below(&w->rng, 4) == 0)
                change_duty(w, (int32_t)rng_below(&w->rng, DRIVERS));
            break;
        default:
            if (w->wire_count > 0)
                deliver_one(w, true);
        }
        check_world(w);
    }
    /* Then all bookings end, and nothing is doubled any more: everybody must become free. */
    for (int32_t round = 0; round < 20; round++) {
        for (int32_t b = 0; b < BOOKINGS; b++) {
            move_booking(w, b);
            for (int32_t o = 0; round > 5 && o < w->bookings[b].offer_count; o++) {
                if (w->bookings[b].offers[o].open)
                    close_offer(w, b, o, "timed_out");
            }
        }
        while (w->wire_count > 0)
            deliver_one(w, false);
        w->now_us += 60 * US_PER_S;
        for (int32_t d = 0; d < DRIVERS; d++) {
            struct message ask = {.type = &driver_wake_type, .driver = d};
            driver_hears(w, &ask);
        }
        check_world(w);
    }
    for (int32_t d = 0; d < DRIVERS; d++)
        assert_null(w->drivers[d]->claim);
}

static void test_bookings_over_a_bad_network(void **unused) {
    (void)unused;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        run_world(seed);
        arena_reset(&arena);
    }
}

/* From the moment at which it expires, whether its wake-up has come or not. */
static void test_expired_document(void **state) {
    (void)state;
    service.o.document_kinds = STR("insurance");
    struct driver *paper = arena_copy(&arena, make(FREE), sizeof(*paper));
    struct document doc = {.id = STR("doc_" ULID(1)),
                           .kind = STR("insurance"),
                           .state = DOCUMENT_APPROVED,
                           .expires_at_us = NOW + 1};
    paper->documents = &doc;
    paper->document_count = 1;
    struct decision d;
    const struct ev_claim *want = claim(B2, O2, false, VEHICLE_VAN);
    assert_non_null(apply(&driver_claim_type, want, paper, NOW, &d)->claim);
    apply(&driver_claim_type, want, paper, NOW + 1, &d);
    assert_null(d.state);
    assert_int_equal(d.event_count, 1);
    assert_true(str_is(d.events[0].type, EV_DISPATCH_REFUSED));
    service.o.document_kinds = STR_NONE;
}

int main(void) {
    arena_init(&arena, 1 << 16);
    parser = json_parser_new();
    rng_seed(&rng, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_event_in_every_state),
        cmocka_unit_test(test_duty_after_the_end),
        cmocka_unit_test(test_won_and_over_before_it_was_heard),
        cmocka_unit_test(test_refusals_say_why),
        cmocka_unit_test(test_memory_is_bounded),
        cmocka_unit_test(test_bookings_over_a_bad_network),
        cmocka_unit_test(test_expired_document),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    json_parser_free(parser);
    arena_free(&arena);
    return failed;
}
