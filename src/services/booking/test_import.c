/* Imports through the routes: files as people send them and as nobody should, crashes between rows,
 * and what is there afterwards. */
#include "services/booking/import.h"
#include "services/booking/test_town.h"

#define PATH "/v1/booking-imports"
#define HEAD                                                                                       \
    "reference,pickup_lat,pickup_lng,pickup_address,dropoff_lat,dropoff_lng,vehicle,notes\n"
#define GOOD "57.7089,11.9746,Drottningtorget,57.6969,11.9865,van,"

static struct house_answer send_as(struct town *t, struct identity who, struct str file,
                                   const char *type, const char *query, const char *key) {
    struct house_request r = {.method = "POST",
                              .path = format(t, PATH "%s", query),
                              .bytes = file,
                              .who = who,
                              .headers = {{STR("content-type"), str_from(type)},
                                          {STR("idempotency-key"), str_from(key)}}};
    if (key == NULL)
        r.headers[1] = (struct header){STR_NONE, STR_NONE};
    return house_call(t->h, &r);
}

static struct house_answer csv(struct town *t, const char *file) {
    return send_as(t, t->customer, str_from(file), "text/csv", "", NULL);
}

static struct house_answer get(struct town *t, const char *id, const char *rest) {
    return ask(t, t->customer, "GET", format(t, PATH "/%s%s", id, rest), NULL);
}

/* The import in A, once it has ended. */
static struct house_answer ended(struct town *t, struct house_answer a) {
    const char *id = member(t, a, "id");
    for (int i = 0; i < 200; i++) {
        house_advance(t->h, 200000);
        a = get(t, id, "");
        if (!has(a, "\"ended_at\":null"))
            return a;
    }
    fail_msg("it never ends: %.*s", STR_ARG(a.body));
    return a;
}

static int bookings(struct town *t, struct identity who) {
    struct house_answer a = ask(t, who, "GET", "/v1/bookings?limit=200", NULL);
    int count = 0;
    for (struct str rest = a.body; rest.len > 0; rest = str_sub(rest, 1, rest.len))
        count += str_starts(rest, "\"tracking_token\":");
    return count;
}

/* ---- what is sound ---- */

static void test_csv(void **unused) {
    (void)unused;
    struct town *t = town_new(1);
    struct house_answer a = csv(t, HEAD "a," GOOD "\"ring \"\"twice\"\", please\"\r\n"
                                        "\r\n"
                                        "b," GOOD "\n"
                                        "c,91," GOOD "\n"
                                        "d,57.7,11.9,x,57.6969,11.9865,plane,");
    assert_int_equal(a.status, 201);
    assert_true(has(a, "\"state\":\"running\"") && has(a, "\"all\":4") && has(a, "\"failed\":2"));
    const char *id = member(t, a, "id");
    a = ended(t, a);
    assert_true(has(a, "\"state\":\"done\"") && has(a, "\"booked\":2") && has(a, "\"failed\":2"));
    assert_int_equal(bookings(t, t->customer), 2);
    struct house_answer rows = get(t, id, "/rows?state=failed");
    assert_true(has(rows, "\"row\":3") && has(rows, "\"row\":4") && !has(rows, "\"row\":1,"));
    assert_true(has(rows, "\"pointer\":\"/vehicle\",\"detail\":\"unknown vehicle class: plane"));
    rows = get(t, id, "/rows?limit=1");
    assert_true(has(rows, "\"reference\":\"a\"") && !has(rows, "\"reference\":\"b\""));
    struct house_answer b = ask(t, t->customer, "GET",
                                format(t, "/v1/bookings/%s", member(t, rows, "booking_id")), NULL);
    assert_true(has(b, "ring \\\"twice\\\", please") &&
                has(b, format(t, "\"made_by\":\"%s\"", id)) &&
                has(b, "\"address\":\"Drottningtorget\""));
    rows = get(t, id, format(t, "/rows?limit=1&cursor=%s", member(t, rows, "next_cursor")));
    assert_true(has(rows, "\"reference\":\"b\""));
    assert_int_equal(get(t, id, "/rows?cursor=eA").status, 422);
    assert_int_equal(ask(t, t->other, "GET", format(t, PATH "/%s", id), NULL).status, 404);
    assert_int_equal(ask(t, t->staff, "GET", format(t, PATH "/%s", id), NULL).status, 200);
    assert_int_equal(ask(t, t->driver, "GET", PATH, NULL).status, 403);
    assert_true(has(ask(t, t->customer, "GET", PATH, NULL), id));
    assert_false(has(ask(t, t->other, "GET", PATH, NULL), id));
    town_free(t);
}

static void test_json(void **unused) {
    (void)unused;
    struct town *t = town_new(2);
    struct house_answer a = send_as(
        t, t->customer,
        STR("{\"rows\":[{\"stops\":[{\"lat\":57.7089,\"lng\":11.9746},{\"lat\":57.69,\"lng\":11.98}"
            ","
            "{\"lat\":57.6969,\"lng\":11.9865,\"contact\":{\"name\":\"Bo\"}}],\"vehicle\":\"van\","
            "\"goods\":[{\"name\":\"box\",\"weight_g\":2000,\"count\":3}],\"reference\":\"x\"},"
            "7,{\"vehicle\":\"van\"},{\"stops\":[{\"lat\":57.7,\"lng\":11.9},{\"lat\":57.7,"
            "\"lng\":11.9}],\"vehicle\":\"van\"}]}"),
        "application/json; charset=utf-8", "?dry_run=false", NULL);
    assert_int_equal(a.status, 201);
    const char *id = member(t, a, "id");
    a = ended(t, a);
    assert_true(has(a, "\"booked\":1") && has(a, "\"failed\":3") && has(a, "\"format\":\"json\""));
    struct house_answer rows = get(t, id, "/rows?state=failed");
    assert_true(has(rows, "\"pointer\":\"\",\"detail\":\"must be an object\"") &&
                has(rows, "\"pointer\":\"/stops\",\"detail\":\"is required\"") &&
                has(rows, "are all at the same place"));
    assert_true(has(ask(t, t->customer, "GET", "/v1/bookings", NULL), "\"weight_g\":2000"));
    town_free(t);
}

static void test_dry_run(void **unused) {
    (void)unused;
    struct town *t = town_new(3);
    struct str file = STR(HEAD "a," GOOD "\nb,1,2,far,57.6969,11.9865,van,\n");
    struct house_answer a = send_as(t, t->customer, file, "text/csv", "?dry_run=true", "k1");
    assert_int_equal(a.status, 201);
    a = ended(t, a);
    assert_true(has(a, "\"dry_run\":true") && has(a, "\"valid\":1") && has(a, "\"failed\":1") &&
                has(a, "\"currency\":\"SEK\"") && !has(a, "\"total\":0"));
    assert_int_equal(bookings(t, t->customer), 0);
    /* the real one with the key of the dry run is another request */
    a = send_as(t, t->customer, file, "text/csv", "", "k1");
    assert_int_equal(a.status, 422);
    assert_true(has(a, "/problems/idempotency-mismatch"));
    assert_int_equal(send_as(t, t->customer, file, "text/csv", "?dry_run=maybe", NULL).status, 422);
    town_free(t);
}

/* ---- once ---- */

static void test_same_key(void **unused) {
    (void)unused;
    struct town *t = town_new(4);
    struct str file = STR(HEAD "a," GOOD "\nb," GOOD "\n");
    struct house_answer a = send_as(t, t->customer, file, "text/csv", "", "k");
    const char *id = member(t, a, "id");
    for (int i = 0; i < 3; i++) {
        struct house_answer again = send_as(t, t->customer, file, "text/csv", "", "k");
        assert_int_equal(again.status, 201);
        assert_string_equal(member(t, again, "id"), id);
    }
    ended(t, a);
    assert_int_equal(bookings(t, t->customer), 2);
    a = send_as(t, t->customer, STR(HEAD "a," GOOD "\n"), "text/csv", "", "k");
    assert_int_equal(a.status, 422);
    town_free(t);
}

/* The process goes after every so many milliseconds, until all is done. */
static void test_crashes(void **unused) {
    (void)unused;
    for (uint64_t seed = 10; seed < 16; seed++) {
        struct town *t = town_new(seed);
        struct buf file;
        buf_init(&file, &t->h->arena, 4096);
        buf_add_cstr(&file, HEAD);
        for (int i = 0; i < 40; i++)
            buf_printf(&file, "r%d," GOOD "\n", i);
        struct house_answer a = send_as(t, t->customer, buf_str(&file), "text/csv", "", NULL);
        const char *id = member(t, a, "id");
        for (int i = 0; i < 12; i++) {
            house_advance(t->h, (int64_t)(7000 * (seed - 9) + 13000 * (uint64_t)i));
            town_reopen(t, 0);
        }
        a = ended(t, get(t, id, ""));
        assert_true(has(a, "\"booked\":40"));
        assert_int_equal(bookings(t, t->customer), 40);
        town_free(t);
    }
}

/* What a broker gives a second time makes no second booking. */
static void test_event_twice(void **unused) {
    (void)unused;
    struct town *t = town_new(5);
    struct str made_by = house_id(t->h, "imp");
    struct field_errors errors = {0};
    struct order_stop stops[] = {{{577089000, 119746000, STR_NONE}, NULL},
                                 {{576969000, 119865000, STR_NONE}, NULL}};
    struct order o = {.stops = stops, .stop_count = 2, .vehicle = VEHICLE_VAN};
    struct quote_set *set = order_price(
        t->service, &o, &(struct order_owner){t->customer.user_id, ROLE_CUSTOMER, made_by},
        t->h->now_us, &t->h->arena, &errors);
    assert_non_null(set);
    for (int i = 0; i < 3; i++) { /* other ids: the dedupe key does not help */
        struct event e = {.id = house_id(t->h, "evt"),
                          .type = STR(EV_BOOKING_ORDERED),
                          .key = order_booking_id(made_by, 1, t->h->now_us, &t->h->arena),
                          .at_us = t->h->now_us,
                          .data = schema_text(&quote_set_schema, set, S_STORE, &t->h->arena)};
        assert_int_equal(t->h->bus->ops->publish(t->h->bus, &e, confirmed, NULL), 0);
        house_settle(t->h);
    }
    assert_int_equal(bookings(t, t->customer), 1);
    /* nothing that could be booked: let go of */
    set->quote_count = 0;
    struct event e = {.id = house_id(t->h, "evt"),
                      .type = STR(EV_BOOKING_ORDERED),
                      .key = order_booking_id(made_by, 2, t->h->now_us, &t->h->arena),
                      .at_us = t->h->now_us,
                      .data = schema_text(&quote_set_schema, set, S_STORE, &t->h->arena)};
    assert_int_equal(t->h->bus->ops->publish(t->h->bus, &e, confirmed, NULL), 0);
    house_settle(t->h);
    assert_int_equal(bookings(t, t->customer), 1);
    town_free(t);
}

/* ---- bounds ---- */

static struct str many(struct town *t, int rows) {
    struct buf file;
    buf_init(&file, &t->h->arena, (size_t)rows * 64);
    buf_add_cstr(&file, HEAD);
    for (int i = 0; i < rows; i++)
        buf_printf(&file, "r%d," GOOD "\n", i);
    return buf_str(&file);
}

static void test_bounds(void **unused) {
    (void)unused;
    struct town *t = town_new(6);
    assert_int_equal(
        send_as(t, t->customer, many(t, IMPORT_ROWS_MAX + 1), "text/csv", "", NULL).status, 422);
    struct buf large;
    buf_init(&large, &t->h->arena, IMPORT_BYTES_MAX + 64);
    while (large.len <= IMPORT_BYTES_MAX)
        buf_add_cstr(&large, HEAD);
    assert_int_equal(send_as(t, t->customer, buf_str(&large), "text/csv", "", NULL).status, 413);
    struct house_answer a =
        send_as(t, t->customer, many(t, IMPORT_ROWS_MAX), "text/csv", "?dry_run=true", NULL);
    assert_int_equal(a.status, 201);
    const char *first = member(t, a, "id");
    for (int i = 1; i < IMPORTS_OPEN_MAX; i++)
        assert_int_equal(send_as(t, t->customer, many(t, 200), "text/csv", "", NULL).status, 201);
    a = send_as(t, t->customer, many(t, 1), "text/csv", "", NULL);
    assert_int_equal(a.status, 409);
    assert_true(has(a, "/problems/too-many-imports"));
    assert_int_equal(send_as(t, t->other, many(t, 1), "text/csv", "", NULL).status, 201);
    assert_int_equal(ask(t, t->other, "POST", format(t, PATH "/%s/cancel", first), NULL).status,
                     404);
    assert_int_equal(ask(t, t->customer, "POST", format(t, PATH "/%s/cancel", first), NULL).status,
                     200);
    assert_int_equal(send_as(t, t->customer, many(t, 1), "text/csv", "", NULL).status, 201);
    town_free(t);
}

/* Those that meet in one batch count each other. */
static void test_bound_at_once(void **unused) {
    (void)unused;
    struct town *t = town_new(30);
    struct house_answer a[IMPORTS_OPEN_MAX + 3] = {0};
    int made = 0;
    struct str file = many(t, 200);
    for (int i = 0; i < IMPORTS_OPEN_MAX + 3; i++)
        house_begin(t->h,
                    &(struct house_request){.method = "POST",
                                            .path = PATH,
                                            .bytes = file,
                                            .who = t->customer,
                                            .headers = {{STR("content-type"), STR("text/csv")}}},
                    &a[i]);
    house_settle(t->h);
    for (int i = 0; i < IMPORTS_OPEN_MAX + 3; i++)
        made += a[i].status == 201;
    assert_int_equal(made, IMPORTS_OPEN_MAX);
    town_free(t);
}

/* A customer's open bookings are bounded, and each row beyond that is told so. */
static void test_open_bookings(void **unused) {
    (void)unused;
    struct town *t = town_new(7);
    town_reopen(t, 20);
    struct house_answer a = send_as(t, t->customer, many(t, 50), "text/csv", "", NULL);
    const char *id = member(t, a, "id");
    a = ended(t, a);
    assert_true(has(a, "\"booked\":20") && has(a, "\"failed\":30"));
    assert_int_equal(bookings(t, t->customer), 20);
    assert_true(has(get(t, id, "/rows?state=failed"), "you have 20 open bookings"));
    town_free(t);
}

static void test_cancel(void **unused) {
    (void)unused;
    struct town *t = town_new(8);
    struct house_answer a = send_as(t, t->customer, many(t, 90), "text/csv", "", NULL);
    const char *id = member(t, a, "id");
    house_advance(t->h, 100000);
    a = ask(t, t->customer, "POST", format(t, PATH "/%s/cancel", id), NULL);
    assert_int_equal(a.status, 200);
    assert_true(has(a, "cancel"));
    a = ended(t, a);
    assert_true(has(a, "\"state\":\"cancelled\"") && has(a, "\"ordered\":0") &&
                has(a, "\"waiting\":0"));
    int made = bookings(t, t->customer);
    assert_true(made > 0 && made < 90);
    assert_true(has(a, format(t, "\"booked\":%d,", made)));
    house_advance(t->h, 60 * US_PER_S);
    assert_int_equal(bookings(t, t->customer), made);
    a = ask(t, t->customer, "POST", format(t, PATH "/%s/cancel", id), NULL);
    assert_int_equal(a.status, 200); /* as it is */
    a = ended(t, csv(t, HEAD "a," GOOD "\n"));
    a = ask(t, t->customer, "POST", format(t, PATH "/%s/cancel", member(t, a, "id")), NULL);
    assert_int_equal(a.status, 409);
    town_free(t);
}

/* ---- what is not sound ---- */

static void refused(struct town *t, struct str file, const char *type, int status,
                    const char *says) {
    struct house_answer a = send_as(t, t->customer, file, type, "", NULL);
    assert_int_equal(a.status, status);
    if (!has(a, says))
        fail_msg("no \"%s\" in %.*s", says, STR_ARG(a.body));
}

static void test_refused_files(void **unused) {
    (void)unused;
    struct town *t = town_new(9);
    refused(t, STR(""), "text/csv", 422, "is none that there is");
    refused(t, STR(HEAD), "text/csv", 422, "has no rows");
    refused(t, STR("pickup_lat,pickup_lat\n1,2\n"), "text/csv", 422, "is there twice");
    refused(t, STR("pickup_lat,price\n1,2\n"), "text/csv", 422, "\\\"price\\\" is none");
    refused(t, STR("pickup_lat\n1\n"), "text/csv", 422, "the column pickup_lng is missing");
    refused(t, STR("a\"b,c\n"), "text/csv", 422, "a quote stands inside a field");
    refused(t, STR("\xFF\xFE\x61\0,\n"), "text/csv", 422, "the first line");
    refused(t, STR("{\"rows\":[]}"), "application/json", 422, "at least one");
    refused(t, STR("{\"rows\":{}}"), "application/json", 422, "at least one");
    refused(t, STR("[1]"), "application/json", 422, "at least one");
    refused(t, STR("{\"rows\":[}"), "application/json", 400, "/problems/malformed-json");
    refused(t, STR("{}"), "application/xml", 415, "text/csv or application/json");
    assert_int_equal(bookings(t, t->customer), 0);
    town_free(t);
}

/* Each of these rows is refused alone; the one behind it is booked. */
static void bad_row(struct town *t, struct str row, const char *says) {
    struct buf file;
    buf_init(&file, &t->h->arena, row.len + 256);
    buf_add_cstr(&file, HEAD);
    buf_add_str(&file, row);
    buf_add_cstr(&file, "\ngood," GOOD "\n");
    struct house_answer a =
        send_as(t, t->customer, buf_str(&file), "text/csv", "?dry_run=true", NULL);
    assert_int_equal(a.status, 201);
    const char *id = member(t, a, "id");
    a = ended(t, a);
    if (!has(a, "\"valid\":1") || !has(a, "\"failed\":1"))
        fail_msg("%s: %.*s", says, STR_ARG(a.body));
    a = get(t, id, "/rows?state=failed");
    if (!has(a, says))
        fail_msg("no \"%s\" in %.*s", says, STR_ARG(a.body));
}

static void test_bad_rows(void **unused) {
    (void)unused;
    struct town *t = town_new(20);
    bad_row(t, STR("a,57.7\0,11.9,x,57.6,11.9,van,"), "has a NUL");
    bad_row(t, STR("a\xC3\x28,57.7,11.9,x,57.6,11.9,van,"), "is not UTF-8");
    bad_row(t, STR("a,57.7,11.9,\"x\" y,57.6,11.9,van,"), "something follows a closing quote");
    bad_row(t, STR("a,57.7,11.9,x\"y,57.6,11.9,van,"), "a quote stands inside");
    bad_row(t, STR("a,57.7,11.9,x,57.6,11.9,van,,,"), "more fields than there are columns");
    bad_row(t, STR("a,57.7,11.9"), "\"pointer\":\"/dropoff_lat\",\"detail\":\"is required\"");
    bad_row(t, STR("a,north,11.9,x,57.6,11.9,van,"), "\"pointer\":\"/pickup_lat\"");
    bad_row(t, STR("a,1e400,11.9,x,57.6,11.9,van,"), "\"pointer\":\"/pickup_lat\"");
    bad_row(t, STR("a,99999999999999999999999999999999,11.9,x,57.6,11.9,van,"), "/pickup_lat");
    bad_row(t, STR("a,-.5,11.9,x,57.6,11.9,van,"), "/pickup_lat");
    bad_row(t, STR("a,57.7,NaN,x,57.6,11.9,van,"), "/pickup_lng");
    bad_row(t, STR("a,57.7,200,x,57.6,11.9,van,"), "/pickup_lng");
    bad_row(t, STR("a,57.7,11.9,x\ry,57.6,11.9,van,"), "/pickup_address");
    struct buf huge;
    buf_init(&huge, &t->h->arena, 20000);
    buf_add_cstr(&huge, "a,57.7,11.9,\"");
    for (int i = 0; i < IMPORT_FIELD_BYTES_MAX + 1; i++)
        buf_add_char(&huge, 'x');
    buf_add_cstr(&huge, "\",57.6,11.9,van,");
    bad_row(t, buf_str(&huge), "a field is too long");
    /* a quote that is not closed takes the rest of the file with it, and says so */
    struct house_answer a = csv(t, HEAD "a," GOOD "\nb,57.7,11.9,\"x,57.6,11.9,van,\nc," GOOD "\n");
    a = ended(t, a);
    assert_true(has(a, "\"all\":2") && has(a, "\"booked\":1") && has(a, "\"failed\":1"));
    town_free(t);
}

/* A megabyte of nothing but quotes costs no more than it weighs, and the reader ends. */
static void test_hostile(void **unused) {
    (void)unused;
    struct town *t = town_new(21);
    static const char *const patterns[] = {"\"\",",  "\"",   ",", "\n",          "\r",
                                           "\"\"\n", "\"\n", ";", "a,\"b\",\r\n"};
    for (size_t p = 0; p < COUNT_OF(patterns); p++) {
        struct buf file;
        buf_init(&file, &t->h->arena, CALL_BODY_BYTES_MAX);
        buf_add_cstr(&file, HEAD);
        while (file.len + 16 < CALL_BODY_BYTES_MAX)
            buf_add_cstr(&file, patterns[p]);
        struct house_answer a =
            send_as(t, t->other, buf_str(&file), "text/csv", "?dry_run=true", NULL);
        assert_true(a.status == 201 || a.status == 422);
        if (a.status == 201)
            assert_false(has(a, "\"waiting\":1"));
    }
    town_free(t);
}

/* Bytes at random behind a sound head: never a crash, never a row that is booked by chance alone.
 */
static void test_random(void **unused) {
    (void)unused;
    static const char alphabet[] = "\",;\r\n\0\xC3\xA5"
                                   "57.7van-eE+ \t\xFF";
    struct town *t = town_new(22);
    struct rng rng;
    rng_seed(&rng, 22);
    for (int round = 0; round < 2000; round++) {
        char text[256];
        size_t len = rng_below(&rng, sizeof(text));
        for (size_t i = 0; i < len; i++)
            text[i] = alphabet[rng_below(&rng, sizeof(alphabet))];
        struct arena a;
        arena_init(&a, 4096);
        struct buf file;
        buf_init(&file, &a, 512);
        buf_add_cstr(&file, HEAD);
        buf_add_str(&file, (struct str){text, len});
        struct import im = {0};
        struct str why;
        const struct import_source src = {t->service, t->parser, &a, t->h->now_us};
        if (import_read_csv(&src, buf_str(&file), &im, &why))
            for (int32_t i = 0; i < im.row_count; i++)
                assert_true(im.rows[i].state == ROW_WAITING ||
                            (im.rows[i].state == ROW_FAILED && im.rows[i].error_count > 0));
        arena_free(&a);
    }
    town_free(t);
}

static void test_excel(void **unused) {
    (void)unused;
    struct town *t = town_new(23);
    struct house_answer a =
        csv(t, "\xEF\xBB\xBFPickup_Lat; pickup_lng;dropoff_lat;dropoff_lng;VEHICLE;notes\r\n"
               "57.7089;11.9746;57.6969;11.9865;van;\"a, b; c\r\nd\"\r\n");
    a = ended(t, a);
    assert_true(has(a, "\"booked\":1"));
    assert_true(has(ask(t, t->customer, "GET", "/v1/bookings", NULL), "\"notes\":\"a, b; c"));
    town_free(t);
}

/* ---- whose it was ---- */

static void test_erased(void **unused) {
    (void)unused;
    struct town *t = town_new(24);
    struct house_answer a = ended(t, csv(t, HEAD "a," GOOD "\n"));
    const char *id = member(t, a, "id");
    struct ev_erased said = {.user_id = t->customer.user_id};
    struct event e = {.id = house_id(t->h, "evt"),
                      .type = STR(EV_ACCOUNT_ERASED),
                      .key = t->customer.user_id,
                      .at_us = t->h->now_us,
                      .data = schema_text(&ev_erased_schema, &said, S_STORE, &t->h->arena)};
    assert_int_equal(t->h->bus->ops->publish(t->h->bus, &e, confirmed, NULL), 0);
    house_settle(t->h);
    house_advance(t->h, 10 * US_PER_S);
    assert_int_equal(get(t, id, "").status, 404);
    town_free(t);
}

/* The rest of an import whose account is disabled meanwhile is not booked, and says why; news from
 * before it was sent is no matter. */
static void disable(struct town *t, bool disabled, int64_t at_us) {
    struct ev_account said = {.user_id = t->customer.user_id,
                              .name = STR("Asha"),
                              .email = STR("asha@example.com"),
                              .role = ROLE_CUSTOMER,
                              .disabled = disabled};
    struct event e = {.id = house_id(t->h, "evt"),
                      .type = STR(EV_ACCOUNT_CHANGED),
                      .key = said.user_id,
                      .at_us = at_us,
                      .data = schema_text(&ev_account_schema, &said, S_STORE, &t->h->arena)};
    assert_int_equal(t->h->bus->ops->publish(t->h->bus, &e, confirmed, NULL), 0);
    house_settle(t->h);
}

static void test_disabled(void **unused) {
    (void)unused;
    struct town *t = town_new(31);
    struct house_answer a = send_as(t, t->customer, many(t, 90), "text/csv", "", NULL);
    const char *id = member(t, a, "id");
    house_advance(t->h, 100000);
    disable(t, true, t->h->now_us);
    a = ended(t, a);
    assert_true(has(a, "\"state\":\"cancelled\"") && has(a, "\"ordered\":0") &&
                has(a, "\"waiting\":0"));
    int made = bookings(t, t->customer);
    assert_true(made > 0 && made < 90);
    assert_true(has(a, format(t, "\"booked\":%d,", made)));
    assert_true(has(get(t, id, "/rows?state=cancelled"), "the account was disabled"));
    disable(t, false, t->h->now_us);
    house_advance(t->h, 60 * US_PER_S);
    assert_int_equal(bookings(t, t->customer), made);
    disable(t, true, t->h->now_us);
    house_advance(t->h, US_PER_S);
    a = ended(t, csv(t, HEAD "a," GOOD "\n")); /* he is enabled; that is on its way */
    assert_true(has(a, "\"state\":\"done\"") && has(a, "\"booked\":1"));
    town_free(t);
}

static void test_kept_a_month(void **unused) {
    (void)unused;
    struct town *t = town_new(25);
    struct house_answer a = ended(t, csv(t, HEAD "a,91," GOOD "\n"));
    const char *id = member(t, a, "id");
    house_advance(t->h, 29 * US_PER_DAY);
    assert_int_equal(get(t, id, "").status, 200);
    house_advance(t->h, 2 * US_PER_DAY);
    assert_int_equal(get(t, id, "").status, 404);
    town_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv),           cmocka_unit_test(test_json),
        cmocka_unit_test(test_dry_run),       cmocka_unit_test(test_same_key),
        cmocka_unit_test(test_crashes),       cmocka_unit_test(test_event_twice),
        cmocka_unit_test(test_bounds),        cmocka_unit_test(test_bound_at_once),
        cmocka_unit_test(test_open_bookings), cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_refused_files), cmocka_unit_test(test_bad_rows),
        cmocka_unit_test(test_hostile),       cmocka_unit_test(test_random),
        cmocka_unit_test(test_excel),         cmocka_unit_test(test_erased),
        cmocka_unit_test(test_disabled),      cmocka_unit_test(test_kept_a_month)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
