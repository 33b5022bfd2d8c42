/* Promo codes: made, found, refused, used once with a booking and given back; the last use has one
 * winner. */
#include "services/booking/promo.h"
#include "services/booking/test_town.h"

#define PROMO(code, rest) "{\"code\":\"" code "\"," rest "}"
#define WITH(code) TWO_STOPS ",\"vehicle\":\"van\",\"promo_code\":\"" code "\"}"
#define VAN_TOTAL 12900

static struct identity admin_of(struct town *t) {
    return house_who(t->h, ROLE_ADMIN, NULL);
}

static void make(struct town *t, const char *body) {
    struct house_answer a = ask(t, admin_of(t), "POST", "/v1/promo-codes", body);
    assert_int_equal(a.status, 201);
}

static struct house_answer quote(struct town *t, struct identity who, const char *body) {
    return ask(t, who, "POST", "/v1/quotes", body);
}

static struct house_answer book_quote(struct town *t, struct identity who, struct house_answer q) {
    assert_int_equal(q.status, 201);
    struct house_answer b =
        ask(t, who, "POST", "/v1/bookings", format(t, "{\"quote_id\":\"%s\"}", member(t, q, "id")));
    if (b.status == 201)
        t->booking = member(t, b, "id");
    return b;
}

static int64_t used(struct town *t, const char *code) {
    struct house_answer a = ask(t, admin_of(t), "GET", format(t, "/v1/promo-codes/%s", code), NULL);
    struct json_value root, value;
    int64_t n = -1;
    assert_int_equal(a.status, 200);
    assert_int_equal(json_parse(t->parser, a.body, &root), 0);
    assert_true(json_get(root, "used", &value));
    json_i64(value, &n);
    return n;
}

static bool refused(struct house_answer a, int status, const char *problem) {
    return a.status == status && has(a, problem);
}

/* ---- the price ---- */

static void test_price(void **unused) {
    (void)unused;
    struct arena a;
    struct rng rng;
    arena_init(&a, 4096);
    rng_seed(&rng, 77);
    for (int i = 0; i < 20000; i++) {
        struct price_item items[] = {
            {ITEM_BASE, I64_ABSENT, rng_between(&rng, 0, 1000)},
            {ITEM_DISTANCE, 100, rng_between(&rng, 0, 100000)},
        };
        struct price_tax taxes[] = {{STR("VAT"), rng_between(&rng, 0, 3000), 0},
                                    {STR("city"), rng_between(&rng, 0, 200), 0}};
        struct price old = {.items = items,
                            .item_count = 2,
                            .taxes = taxes,
                            .tax_count = 2,
                            .taxes_included = rng_below(&rng, 2) == 0};
        bool percent = rng_below(&rng, 2) == 0;
        struct discount d = {.percent = percent ? rng_between(&rng, 1, 100) : I64_ABSENT,
                             .amount = percent ? I64_ABSENT : rng_between(&rng, 1, 120000),
                             .cap = percent && rng_below(&rng, 2) == 0 ? rng_between(&rng, 1, 5000)
                                                                       : I64_ABSENT};
        struct price p, again;
        int64_t full = items[0].amount + items[1].amount, sum = 0;
        price_promo(&old, &d, &a, &p);
        for (int32_t n = 0; n < p.item_count; n++)
            sum += p.items[n].amount;
        assert_true(sum == p.total && p.total >= 0);
        int64_t off = price_discount(&p), after = full - off;
        assert_true(off >= 0 && off <= full);
        assert_true(percent || off == (d.amount < full ? d.amount : full));
        assert_true(!percent || d.cap == I64_ABSENT || off <= d.cap);
        assert_true(!percent || d.cap != I64_ABSENT || off == price_part(full, d.percent, 100));
        int64_t rates = taxes[0].rate_bp + taxes[1].rate_bp;
        int64_t whole = BASIS_POINTS + (old.taxes_included ? rates : 0);
        for (int n = 0; n < 2; n++) /* of what is left */
            assert_int_equal(p.taxes[n].amount, price_part(after, taxes[n].rate_bp, whole));
        assert_int_equal(price_gross(&p), p.total - price_tax(&p) + off);
        price_promo(&p, &d, &a, &again); /* in place of the first */
        assert_int_equal(again.total, p.total);
        arena_reset(&a);
    }
    arena_free(&a);
}

/* ---- the office ---- */

static void test_office(void **unused) {
    (void)unused;
    struct town *t = town_new(31);
    struct identity admin = admin_of(t);
    struct house_answer a = ask(
        t, admin, "POST", "/v1/promo-codes",
        PROMO("spring_26", "\"percent\":20,\"cap\":5000,\"uses_max\":100,\"note\":\"for all\""));
    assert_int_equal(a.status, 201);
    assert_true(has(a, "\"code\":\"SPRING_26\"") && has(a, "\"used\":0") &&
                has(a, "\"version\":1"));
    a = ask(t, admin, "POST", "/v1/promo-codes", PROMO("SPRING_26", "\"amount\":1"));
    assert_true(refused(a, 409, "/problems/promo-exists"));
    a = ask(t, admin, "PATCH", "/v1/promo-codes/spring_26", "{\"uses_max\":7,\"note\":\"fewer\"}");
    assert_true(a.status == 200 && has(a, "\"uses_max\":7") && has(a, "\"note\":\"fewer\""));
    assert_true(has(a, "\"percent\":20")); /* what is not said stays */
    struct house_request end = {.method = "POST",
                                .path = "/v1/promo-codes/SPRING_26/end",
                                .who = admin,
                                .headers = {{STR("if-match"), STR("\"1\"")}}};
    assert_int_equal(house_call(t->h, &end).status, 412);
    end.headers[0].value = STR("\"2\"");
    assert_true(has(house_call(t->h, &end), "\"ended\":true"));
    assert_int_equal(ask(t, admin, "POST", end.path, NULL).status, 200);
    assert_true(has(ask(t, admin, "GET", "/v1/promo-codes", NULL), "\"code\":\"SPRING_26\""));
    static const char *const gone[] = {"/v1/promo-codes/NONE", "/v1/promo-codes/x",
                                       "/v1/promo-codes/a%20b"};
    for (size_t i = 0; i < COUNT_OF(gone); i++)
        assert_int_equal(ask(t, admin, "GET", gone[i], NULL).status, 404);
    assert_int_equal(ask(t, admin, "PATCH", gone[0], "{}").status, 404);
    assert_int_equal(ask(t, admin, "POST", "/v1/promo-codes/NONE/end", NULL).status, 404);
    assert_int_equal(ask(t, t->staff, "GET", "/v1/promo-codes", NULL).status, 403);
    assert_int_equal(ask(t, t->customer, "POST", "/v1/promo-codes", "{}").status, 403);
    town_free(t);
}

static void test_bad_input(void **unused) {
    (void)unused;
    struct town *t = town_new(32);
    static const struct {
        const char *body, *pointer;
    } cases[] = {
        {"{\"percent\":5}", "/code"},
        {PROMO("ab", "\"percent\":5"), "/code"},
        {PROMO("ABCDEFGHIJKLMNOPQRSTUVWXY", "\"percent\":5"), "/code"},
        {PROMO("A B C", "\"percent\":5"), "/code"},
        {PROMO("ÅÄÖ", "\"percent\":5"), "/code"},
        {PROMO("CODE", "\"note\":\"x\""), "/percent"},
        {PROMO("CODE", "\"percent\":5,\"amount\":5"), "/percent"},
        {PROMO("CODE", "\"percent\":0"), "/percent"},
        {PROMO("CODE", "\"percent\":101"), "/percent"},
        {PROMO("CODE", "\"percent\":1.5"), "/percent"},
        {PROMO("CODE", "\"amount\":0"), "/amount"},
        {PROMO("CODE", "\"amount\":100000001"), "/amount"},
        {PROMO("CODE", "\"amount\":5,\"cap\":5"), "/cap"},
        {PROMO("CODE", "\"percent\":5,\"cap\":0"), "/cap"},
        {PROMO("CODE", "\"percent\":5,\"valid_to\":\"2020-01-01T00:00:00Z\""), "/valid_to"},
        {PROMO("CODE", "\"percent\":5,\"valid_from\":\"tomorrow\""), "/valid_from"},
        {PROMO("CODE", "\"percent\":5,\"minimum_total\":-1"), "/minimum_total"},
        {PROMO("CODE", "\"percent\":5,\"uses_max\":0"), "/uses_max"},
        {PROMO("CODE", "\"percent\":5,\"uses_max\":1000001"), "/uses_max"},
        {PROMO("CODE", "\"percent\":5,\"uses_per_customer_max\":101"), "/uses_per_customer_max"},
        {PROMO("CODE", "\"percent\":5,\"vehicles\":[\"van\",\"plane\"]"), "/vehicles/1"},
        {PROMO("CODE", "\"percent\":5,\"zones\":[7]"), "/zones/0"},
        {PROMO("CODE", "\"percent\":5,\"first_only\":\"yes\""), "/first_only"},
        {PROMO("CODE", "\"percent\":5,\"max_uses\":1"), "/max_uses"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct house_answer a = ask(t, admin_of(t), "POST", "/v1/promo-codes", cases[i].body);
        if (a.status != 422 || !has(a, format(t, "\"pointer\":\"%s\"", cases[i].pointer)))
            fail_msg("%s: %d %.*s", cases[i].body, a.status, STR_ARG(a.body));
    }
    make(t, PROMO("CODE", "\"percent\":5"));
    struct house_answer a = ask(t, admin_of(t), "PATCH", "/v1/promo-codes/CODE",
                                "{\"uses_max\":0,\"valid_to\":7,\"minimum_total\":-1,\"cap\":5}");
    assert_true(a.status == 422 && has(a, "/uses_max") && has(a, "/valid_to") &&
                has(a, "/minimum_total") && has(a, "/cap"));
    town_free(t);
}

/* ---- what is said at the quote ---- */

static void test_quotes(void **unused) {
    (void)unused;
    struct town *t = town_new(33);
    make(t, PROMO("TWENTY", "\"percent\":20"));
    make(t, PROMO("LITTLE", "\"percent\":50,\"cap\":100"));
    make(t, PROMO("HUGE", "\"amount\":99999999"));
    make(t, PROMO("BIKES", "\"percent\":10,\"vehicles\":[\"bike\"]"));
    make(t, PROMO("HARBOUR", "\"percent\":10,\"zones\":[\"harbour\"]"));
    make(t, PROMO("DEAR", "\"percent\":10,\"minimum_total\":12901"));
    make(t, PROMO("LATER", "\"percent\":10,\"valid_from\":\"2026-11-23T11:00:00Z\""));
    make(t, PROMO("SOON_OVER", "\"percent\":10,\"valid_to\":\"2026-11-23T11:00:00Z\""));
    struct house_answer a = quote(t, t->customer, WITH(" twenty "));
    assert_true(a.status == 201 && has(a, "\"total\":10320") &&
                has(a, "\"promo_code\":\"TWENTY\""));
    assert_true(has(a, "{\"code\":\"promo\",\"quantity\":20,\"unit\":\"%\",\"amount\":-2580}"));
    assert_true(has(quote(t, t->customer, WITH("LITTLE")), "\"total\":12800"));
    a = quote(t, t->customer, WITH("HUGE"));
    assert_true(has(a, "\"total\":0") && has(a, "{\"code\":\"promo\",\"amount\":-12900}"));
    a = quote(t, t->customer, WITH("BIKES"));
    assert_true(refused(a, 422, "/problems/promo-not-for-this") && has(a, "is not for a van"));
    a = quote(t, t->customer, TWO_STOPS ",\"promo_code\":\"BIKES\"}");
    assert_true(a.status == 201 && has(a, "\"promo_unfit\":\"is not for a van\""));
    assert_true(refused(quote(t, t->customer, WITH("HARBOUR")), 422, "promo-not-for-this"));
    a = quote(t, t->customer, WITH("DEAR"));
    assert_true(refused(a, 422, "promo-not-for-this") && has(a, "from 12901 on"));
    assert_true(refused(quote(t, t->customer, WITH("LATER")), 409, "/problems/promo-expired"));
    assert_int_equal(quote(t, t->customer, WITH("SOON_OVER")).status, 201);
    house_advance(t->h, 3600 * US_PER_S);
    assert_true(refused(quote(t, t->customer, WITH("SOON_OVER")), 409, "/problems/promo-expired"));
    assert_int_equal(quote(t, t->customer, WITH("LATER")).status, 201);
    ask(t, admin_of(t), "POST", "/v1/promo-codes/TWENTY/end", NULL);
    a = quote(t, t->customer, WITH("TWENTY"));
    assert_true(refused(a, 409, "/problems/promo-expired") &&
                has(a, "\"pointer\":\"/promo_code\""));
    assert_int_equal(used(t, "TWENTY"), 0); /* a quote uses nothing */
    town_free(t);
}

static void test_guesses(void **unused) {
    (void)unused;
    struct town *t = town_new(34);
    make(t, PROMO("RIGHT", "\"percent\":20"));
    for (int i = 0; i < PROMO_GUESSES_MAX; i++) {
        const char *body = i % 2 == 0 ? WITH("WRONG") : WITH("?!");
        assert_true(refused(quote(t, t->customer, body), 422, "/problems/promo-unknown"));
    }
    struct house_answer a = quote(t, t->customer, WITH("RIGHT"));
    assert_int_equal(a.status, 429);
    assert_string_not_equal(header_of(t, a, "Retry-After"), "");
    assert_int_equal(quote(t, t->customer, VAN_QUOTE).status, 201); /* without one */
    assert_int_equal(quote(t, t->other, WITH("RIGHT")).status, 201);
    house_advance(t->h, PROMO_GUESSES_US + US_PER_S);
    assert_int_equal(quote(t, t->customer, WITH("RIGHT")).status, 201);
    town_free(t);
}

/* ---- using one ---- */

static void test_used(void **unused) {
    (void)unused;
    struct town *t = town_new(35);
    make(t, PROMO("ONCE", "\"percent\":20,\"uses_max\":2,\"uses_per_customer_max\":1"));
    struct house_answer q = quote(t, t->customer, WITH("ONCE"));
    struct house_answer again = quote(t, t->customer, WITH("ONCE"));
    struct house_answer b = book_quote(t, t->customer, q);
    assert_int_equal(b.status, 201);
    assert_true(has(b, "\"promo_code\":\"ONCE\"") && has(b, "\"total\":10320"));
    assert_int_equal(used(t, "ONCE"), 1);
    house_settle(t->h);
    assert_true(refused(book_quote(t, t->customer, again), 409, "/problems/promo-used-up"));
    assert_true(refused(quote(t, t->customer, WITH("ONCE")), 409, "/problems/promo-used-up"));
    assert_true(refused(book_quote(t, t->customer, q), 409, "/problems/quote-used"));
    assert_int_equal(used(t, "ONCE"), 1);
    const char *first = t->booking;
    assert_int_equal(book_quote(t, t->other, quote(t, t->other, WITH("ONCE"))).status, 201);
    assert_int_equal(used(t, "ONCE"), 2);
    struct identity third = house_who(t->h, ROLE_CUSTOMER, NULL);
    assert_true(refused(quote(t, third, WITH("ONCE")), 409, "/problems/promo-used-up"));
    /* cancelled: the use comes back, once */
    t->booking = first;
    assert_int_equal(act(t, t->customer, "cancel", NULL).status, 200);
    house_settle(t->h);
    assert_int_equal(used(t, "ONCE"), 1);
    act(t, t->customer, "cancel", NULL);
    house_settle(t->h);
    assert_int_equal(used(t, "ONCE"), 1);
    b = book_quote(t, t->customer, quote(t, t->customer, WITH("ONCE")));
    assert_int_equal(b.status, 201);     /* his is free again, too */
    house_advance(t->h, 190 * US_PER_S); /* nobody takes them: both expire */
    assert_int_equal(used(t, "ONCE"), 0);
    town_free(t);
}

static void test_same_key(void **unused) {
    (void)unused;
    struct town *t = town_new(36);
    make(t, PROMO("KEYED", "\"amount\":100,\"uses_max\":1"));
    struct house_answer q = quote(t, t->customer, WITH("KEYED"));
    struct house_request r = {.method = "POST",
                              .path = "/v1/bookings",
                              .body = format(t, "{\"quote_id\":\"%s\"}", member(t, q, "id")),
                              .who = t->customer,
                              .headers = {{STR("idempotency-key"), STR("k1")}}};
    struct house_answer a = house_call(t->h, &r), b = house_call(t->h, &r);
    assert_true(a.status == 201 && b.status == 201 && str_eq(a.body, b.body));
    assert_int_equal(used(t, "KEYED"), 1);
    town_free(t);
}

static void test_first_only(void **unused) {
    (void)unused;
    struct town *t = town_new(37);
    make(t, PROMO("WELCOME", "\"percent\":50,\"first_only\":true"));
    struct house_answer one = quote(t, t->customer, WITH("WELCOME"));
    struct house_answer two = quote(t, t->customer, WITH("WELCOME"));
    struct house_answer a, b;
    struct house_request r = {.method = "POST",
                              .path = "/v1/bookings",
                              .body = format(t, "{\"quote_id\":\"%s\"}", member(t, one, "id")),
                              .who = t->customer};
    house_begin(t->h, &r, &a); /* both at once: one is the first */
    r.body = format(t, "{\"quote_id\":\"%s\"}", member(t, two, "id"));
    house_begin(t->h, &r, &b);
    house_settle(t->h);
    assert_true((a.status == 201) != (b.status == 201));
    assert_true(has(a.status == 201 ? b : a, "/problems/promo-not-for-this"));
    assert_true(refused(quote(t, t->customer, WITH("WELCOME")), 422, "is for a first booking"));
    book(t, t->other);
    assert_true(refused(quote(t, t->other, WITH("WELCOME")), 422, "is for a first booking"));
    act(t, t->other, "cancel", NULL); /* nothing was carried: he has not come before */
    assert_int_equal(quote(t, t->other, WITH("WELCOME")).status, 201);
    town_free(t);
}

static void test_ledger(void **unused) {
    (void)unused;
    struct town *t = town_new(38);
    make(t, PROMO("TWENTY", "\"percent\":20"));
    book_quote(t, t->customer, quote(t, t->customer, WITH("TWENTY")));
    take(t, t->driver);
    status(t, "arrived_pickup", 0);
    status(t, "picked_up", 0);
    status(t, "arrived_dropoff", 1);
    assert_int_equal(status(t, "delivered", 1), 200);
    struct house_answer a =
        ask(t, t->staff, "GET", format(t, "/v1/bookings/%s/ledger", t->booking), NULL);
    assert_true(has(a, "\"account\":\"promo\",\"code\":\"discount\",\"amount\":-2580"));
    assert_true(has(a, "\"account\":\"customer\",\"code\":\"charge\",\"amount\":-10320"));
    assert_true(
        has(a, "\"account\":\"driver\",\"code\":\"earning\",\"amount\":10320")); /* of all */
    house_settle(t->h);
    assert_int_equal(used(t, "TWENTY"), 1); /* for good */
    town_free(t);
}

/* ---- the last use, and uses without a booking ---- */

#define HOUSES 2

static void test_last_use(void **unused) {
    (void)unused;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct town t = {.parser = json_parser_new()};
        struct house *h[HOUSES];
        struct booking_service *services[HOUSES];
        struct house_answer answers[HOUSES];
        struct fake_router router = {.router.ops = &fake_router_ops};
        t.h = h[0] = house_new(seed);
        h[1] = house_beside(h[0], seed + 100);
        for (int i = 0; i < HOUSES; i++)
            services[i] = booking_service_new(&(struct booking_options){.router = &router.router,
                                                                        .entropy = &h[i]->entropy,
                                                                        .bus = h[i]->bus,
                                                                        .peers = h[i]->peers});
        for (int i = 0; i < HOUSES; i++)
            house_open(h[i], (struct service[]){booking_service(services[i])}, 1);
        make(&t, PROMO("LAST", "\"percent\":20,\"uses_max\":1"));
        struct house_request r[HOUSES];
        for (int i = 0; i < HOUSES; i++) {
            struct identity who = house_who(h[0], ROLE_CUSTOMER, NULL);
            struct house_answer q = quote(&t, who, WITH("LAST"));
            r[i] = (struct house_request){
                .method = "POST",
                .path = "/v1/bookings",
                .body = format(&t, "{\"quote_id\":\"%s\"}", member(&t, q, "id")),
                .who = who};
        }
        for (int i = 0; i < HOUSES; i++)
            house_begin(h[i], &r[i], &answers[i]);
        house_settle(h[0]);
        int won = answers[0].status == 201 ? 0 : 1;
        assert_int_equal(answers[won].status, 201);
        assert_true(refused(answers[1 - won], 409, "/problems/promo-used-up"));
        assert_int_equal(used(&t, "LAST"), 1);
        json_parser_free(t.parser);
        house_free(h[0]);
        for (int i = 0; i < HOUSES; i++)
            booking_service_free(services[i]);
    }
}

/* The hold alone, as a process leaves it that dies before it has made the booking. */
static void test_hold_runs_out(void **unused) {
    (void)unused;
    struct arena a;
    struct rng rng;
    arena_init(&a, 4096);
    rng_seed(&rng, 3);
    int64_t now_us = INT64_C(1795428000) * US_PER_S;
    struct ev_promo use = {STR("LAST"), id_new(&a, "bkg", now_us, &rng),
                           id_new(&a, "usr", now_us, &rng)};
    struct promo_facts facts = {.create_until_us = now_us + PROMO_CREATE_US};
    struct promo p = {.code = use.code,
                      .percent = 20,
                      .amount = I64_ABSENT,
                      .cap = I64_ABSENT,
                      .minimum_total = I64_ABSENT,
                      .uses_max = 1,
                      .customer_uses_max = I64_ABSENT};
    struct command cmd = {.args = &use, .facts = &facts, .arena = &a, .id = promo_id(use.code, &a)};
    struct decide_ctx ctx = {.now_us = now_us, .rng = &rng, .arena = &a};
    struct decision d = {0};
    promo_reserve.decide(&cmd, &ctx, &p, &d);
    const struct promo *held = d.state;
    assert_true(held->used == 1 && held->hold_count == 1 && d.response.status < 400);
    assert_int_equal(promo_aggregate.wake_at(held), now_us + PROMO_HOLD_US);
    assert_true(PROMO_HOLD_US > PROMO_CREATE_US); /* no booking is made after its hold has gone */
    d = (struct decision){0};
    promo_reserve.decide(&cmd, &ctx, held, &d); /* the same again: no other use */
    assert_int_equal(((const struct promo *)d.state)->used, 1);
    struct ev_promo other = {use.code, id_new(&a, "bkg", now_us, &rng), use.customer_id};
    cmd.args = &other;
    d = (struct decision){0};
    promo_reserve.decide(&cmd, &ctx, held, &d);
    assert_true(d.state == NULL && d.response.status == 409);
    /* too early, then with a booking, then without */
    d = (struct decision){0};
    promo_wake.decide(&cmd, &ctx, held, &d);
    assert_null(d.state);
    ctx.now_us += PROMO_HOLD_US;
    promo_wake.decide(&cmd, &ctx, held, &d);
    const struct promo *waits = d.state;
    assert_true(waits->used == 1 && waits->hold_count == 1);
    facts.gone[facts.gone_count++] = use.booking_id;
    d = (struct decision){0};
    promo_wake.decide(&cmd, &ctx, held, &d);
    const struct promo *free_again = d.state;
    assert_true(free_again->used == 0 && free_again->hold_count == 0);
    assert_int_equal(promo_aggregate.wake_at(free_again), 0);
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_price),         cmocka_unit_test(test_office),
        cmocka_unit_test(test_bad_input),     cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_guesses),       cmocka_unit_test(test_used),
        cmocka_unit_test(test_same_key),      cmocka_unit_test(test_first_only),
        cmocka_unit_test(test_ledger),        cmocka_unit_test(test_last_use),
        cmocka_unit_test(test_hold_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
