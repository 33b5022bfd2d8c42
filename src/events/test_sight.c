#include "base/check.h"
#include "base/test.h"
#include "base/timestamp.h"
#include "events/events.h"
#include "events/sight.h"

#include <string.h>

#define DOTS "\xE2\x80\xA2\xE2\x80\xA2\xE2\x80\xA2\xE2\x80\xA2"

static struct arena arena;

static int setup(void **state) {
    (void)state;
    arena_init(&arena, 4096);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    arena_free(&arena);
    return 0;
}

static void assert_text(struct str got, const char *want) {
    if (want == NULL) {
        assert_null(got.p);
        return;
    }
    if (!str_is(got, want))
        fail_msg("%.*s instead of %s", STR_ARG(got), want);
}

/* What each looks at, at each stage: the contact's name and number, the note, the driver's name and
 * number. The house has a number of its own. */
struct cell {
    enum sight_viewer viewer;
    enum sight_stage stage;
    const char *contact, *phone;
    bool note;
    const char *driver, *driver_phone;
};
#define CONTACT "Bo Ek", "+46701234567"
#define DRIVER "Ola Berg", "+46707654321"
#define LINE "+4631100100"
static const struct cell cells[] = {
    {VIEWER_CUSTOMER, STAGE_OPEN, CONTACT, true, NULL, NULL},
    {VIEWER_CUSTOMER, STAGE_LIVE, CONTACT, true, "Ola Berg", LINE},
    {VIEWER_CUSTOMER, STAGE_OVER, CONTACT, true, "Ola", DOTS " 21"},
    {VIEWER_CUSTOMER, STAGE_PAST, CONTACT, true, "Ola", DOTS " 21"},
    {VIEWER_DRIVER, STAGE_OPEN, NULL, NULL, false, NULL, NULL},
    {VIEWER_DRIVER, STAGE_LIVE, "Bo Ek", LINE, true, DRIVER},
    {VIEWER_DRIVER, STAGE_OVER, "Bo Ek", LINE, true, DRIVER},
    {VIEWER_DRIVER, STAGE_PAST, "Bo", DOTS " 67", false, DRIVER},
    {VIEWER_STAFF, STAGE_OPEN, CONTACT, true, DRIVER},
    {VIEWER_STAFF, STAGE_LIVE, CONTACT, true, DRIVER},
    {VIEWER_STAFF, STAGE_OVER, CONTACT, true, DRIVER},
    {VIEWER_STAFF, STAGE_PAST, CONTACT, true, DRIVER},
    {VIEWER_LINK, STAGE_OPEN, NULL, NULL, false, NULL, NULL},
    {VIEWER_LINK, STAGE_LIVE, NULL, NULL, false, "Ola", NULL},
    {VIEWER_LINK, STAGE_OVER, NULL, NULL, false, "Ola", NULL},
    {VIEWER_LINK, STAGE_PAST, NULL, NULL, false, "Ola", NULL},
    {VIEWER_ASKED, STAGE_OPEN, NULL, NULL, false, NULL, NULL},
    {VIEWER_ASKED, STAGE_LIVE, NULL, NULL, false, NULL, NULL},
    {VIEWER_ASKED, STAGE_OVER, NULL, NULL, false, NULL, NULL},
    {VIEWER_ASKED, STAGE_PAST, NULL, NULL, false, NULL, NULL},
};

static void everybody_sees_what_is_his_to_see(void **state) {
    (void)state;
    bool seen[VIEWER_COUNT][STAGE_COUNT] = {{0}};
    for (size_t i = 0; i < COUNT_OF(cells); i++) {
        const struct cell *c = &cells[i];
        struct sights s = sight_of(c->viewer, c->stage);
        seen[c->viewer][c->stage] = true;
        assert_text(sight_name(s.contacts, STR("Bo Ek")), c->contact);
        assert_text(sight_number(s.contacts, STR("+46701234567"), STR(LINE), &arena), c->phone);
        assert_int_equal(sight_has_notes(s.contacts), c->note);
        assert_text(sight_name(s.driver, STR("Ola Berg")), c->driver);
        assert_text(sight_number(s.driver, STR("+46707654321"), STR(LINE), &arena),
                    c->driver_phone);
    }
    for (int v = 0; v < VIEWER_COUNT; v++)
        for (int stage = 0; stage < STAGE_COUNT; stage++)
            assert_true(seen[v][stage]);
}

static void a_booking_is_open_live_over_and_past(void **state) {
    (void)state;
    const int64_t end = 1000 * US_PER_S, kept = 60 * US_PER_S;
    for (int32_t s = BOOKING_SCHEDULED; s <= BOOKING_OFFERED; s++)
        assert_int_equal(sight_stage(s, 0, end, kept), STAGE_OPEN);
    for (int32_t s = BOOKING_ASSIGNED; s <= BOOKING_ARRIVED_RETURN; s++)
        assert_int_equal(sight_stage(s, 0, end, kept), STAGE_LIVE);
    for (int32_t s = BOOKING_DELIVERED; s < BOOKING_STATE_COUNT; s++) {
        assert_int_equal(sight_stage(s, end, end, kept), STAGE_OVER);
        assert_int_equal(sight_stage(s, end, end + kept - 1, kept), STAGE_OVER);
        assert_int_equal(sight_stage(s, end, end + kept, kept), STAGE_PAST);
        assert_int_equal(sight_stage(s, end, end, 0), STAGE_PAST);
    }
}

static void a_number_is_masked(void **state) {
    (void)state;
    static const char *const numbers[][2] = {{"+46701234567", DOTS " 67"},
                                             {"070-123 45 6 7", DOTS " 67"},
                                             {"112112", DOTS " 12"},
                                             {"11211", DOTS},
                                             {"ask Bo", DOTS},
                                             {"", DOTS}};
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        assert_text(sight_number(SIGHT_MASKED, str_from(numbers[i][0]), STR(LINE), &arena),
                    numbers[i][1]);
    assert_text(sight_number(SIGHT_MASKED, STR_NONE, STR(LINE), &arena), NULL);
    assert_text(sight_number(SIGHT_LINE, STR_NONE, STR(LINE), &arena), NULL); /* there was none */
    assert_text(sight_number(SIGHT_LINE, STR("0701"), STR_NONE, &arena), "0701");
    assert_text(sight_number(SIGHT_WHOLE, STR("0701"), STR(LINE), &arena), "0701");
    assert_text(sight_name(SIGHT_NAME, STR("Ola Berg Ek")), "Ola");
    assert_text(sight_name(SIGHT_WHOLE, STR_NONE), NULL);
}

static void a_street_is_told_without_its_house(void **state) {
    (void)state;
    static const char *const addresses[][2] = {
        {"Drottningtorget", "Drottningtorget"},
        {"Kungsgatan 12", "Kungsgatan"},
        {"Kungsgatan 12B, 411 19 G\xC3\xB6teborg", "Kungsgatan, G\xC3\xB6teborg"},
        {"Kungsgatan 12 B  lgh 1102", "Kungsgatan"},
        {"12-14 High Street,London", "High Street, London"},
        {"5th Avenue 7/2", "5th Avenue"},
        {"12", NULL},
        {" , 3 ,", NULL},
        {"", NULL},
        {"Corner of A and B", "Corner of A and B"},
        {"\xE0\xA4\x97\xE0\xA4\xB2\xE0\xA5\x80 \xE0\xA5\xA7\xE0\xA5\xA8",
         "\xE0\xA4\x97\xE0\xA4\xB2\xE0\xA5\x80"},
        {"\xD8\xB4\xD8\xA7\xD8\xB1\xD8\xB9 \xD9\xA1\xD9\xA2", "\xD8\xB4\xD8\xA7\xD8\xB1\xD8\xB9"},
    };
    for (size_t i = 0; i < COUNT_OF(addresses); i++)
        assert_text(sight_street(str_from(addresses[i][0]), &arena), addresses[i][1]);
    assert_text(sight_street(STR_NONE, &arena), NULL);
}

/* As people write them in India and in Europe. */
static void a_house_may_begin_with_a_letter(void **state) {
    (void)state;
    static const char *const addresses[][2] = {
        /* a house, or a flat */
        {"B-12, Lajpat Nagar", "Lajpat Nagar"},
        {"12-B Hauz Khas", "Hauz Khas"},
        {"C/14 Green Park", "Green Park"},
        {"#14, MG Road", "MG Road"},
        {"# 14 MG Road", "MG Road"},
        {"B 12, Sector 62 Road, Noida - 201301", "Sector 62 Road, Noida"},
        {"A1/204, Prestige Tower, 100 Feet Road, Bengaluru 560038",
         "Prestige Tower, 100 Feet Road, Bengaluru"},
        {"H.No. 4-1-1024, Abids", "Abids"},
        {"H.No.14, Abids", "Abids"},
        {"Flat-3B, Door No. 5/2, 2nd Stage", "2nd Stage"},
        {"Plot No. 12, Road No. 36, Jubilee Hills", "Road No. 36, Jubilee Hills"},
        {"House 12, White House 14", "White House"},
        {"BG-7, 12A/1/B, T2-1502", NULL},
        {"(12) Park Street", "Park Street"},
        {"12\xE2\x80\x93"
         "14 High Street",
         "High Street"},
        {"12\xC2\xBD Mill Lane", "Mill Lane"},
        {"No. 10 Downing Street, SW1A 2AA", "Downing Street"},
        {"221B Baker Street", "Baker Street"},
        {"12 bis Rue de Rivoli, 12/bis", "Rue de Rivoli"},
        {"Nr. 5 Hauptstra\xC3\x9F"
         "e",
         "Hauptstra\xC3\x9F"
         "e"},
        {"Kungsgatan12", "Kungsgatan"},
        {"12-Kungsgatan", "Kungsgatan"},
        {"12-Block7", "Block"},
        {"Tower3-1502", "Tower"},
        {"\xD8\xB4\xD8\xA7\xD8\xB1\xD8\xB9 \xD9\xA1\xD9\xA2\xD8\xA3",
         "\xD8\xB4\xD8\xA7\xD8\xB1\xD8\xB9"},
        /* a name */
        {"7th Main, 1st Cross, HAL 2nd Stage", "7th Main, 1st Cross, HAL 2nd Stage"},
        {"Sector 62 Road", "Sector 62 Road"},
        {"Sector-62, Phase II", "Sector-62, Phase II"},
        {"Sector 62A 14", "Sector 62A"},
        {"Sector-62/B-12", "Sector-62"},
        {"Phase 2/14", "Phase"},
        {"100 Feet Road", "100 Feet Road"},
        {"100-Feet Road 7", "100-Feet Road"},
        {"80ft Road", "80ft Road"},
        {"NH-48, NH 48, NH48", "NH-48, NH 48, NH48"},
        {"7th Main Road 14", "7th Main Road"},
        {"MG Road No. 12", "MG Road"},
        {"2:a L\xC3\xA5nggatan 5", "2:a L\xC3\xA5nggatan"},
        {"Stra\xC3\x9F"
         "e des 17. Juni 135",
         "Stra\xC3\x9F"
         "e des 17. Juni"},
        {"Rue du 8 Mai 1945 12", "Rue du 8 Mai"},
        {"Rua 25 de Abril 7", "Rua 25 de Abril"},
        {"Calle 12 # 34-56", "Calle 12"},
        {"Avenue A, Corner of A and B", "Avenue A, Corner of A and B"},
        {"\xE0\xA4\xB8\xE0\xA5\x87\xE0\xA4\x95\xE0\xA5\x8D\xE0\xA4\x9F\xE0\xA4\xB0 \xE0\xA5\xAC"
         "\xE0\xA5\xA8",
         "\xE0\xA4\xB8\xE0\xA5\x87\xE0\xA4\x95\xE0\xA5\x8D\xE0\xA4\x9F\xE0\xA4\xB0 \xE0\xA5\xAC"
         "\xE0\xA5\xA8"},
    };
    for (size_t i = 0; i < COUNT_OF(addresses); i++)
        assert_text(sight_street(str_from(addresses[i][0]), &arena), addresses[i][1]);
}

/* Whatever it is, nothing is told that was not there, and cut anywhere it is read all the same. */
static void any_text_is_an_address(void **state) {
    (void)state;
    static const char whole[] = "B-12 \xE0\xA5\xA7\xE0\xA5\xA8 #\xE2\x84\x96"
                                "5 - , 2:a \xD9\xA1 x";
    for (size_t len = 0; len < sizeof(whole); len++) {
        char *cut = arena_copy(&arena, whole, len + 1);
        assert_true(sight_street((struct str){cut, len}, &arena).len <= len);
    }
    char many[400];
    memset(many, '1', sizeof(many));
    for (size_t i = 1; i < sizeof(many); i += 2)
        many[i] = ' ';
    assert_text(sight_street((struct str){many, sizeof(many)}, &arena), NULL);
}

#define VIEW(bo, phone, note, ola, number, notes)                                                  \
    "{\"id\":\"bkg_1\",\"stops\":[{\"address\":\"\\\"contact\\\":{\\\"phone\\\":\\\"1\\\"}\","     \
    "\"contact\":{\"name\":" bo ",\"phone\":" phone "},\"note\":" note                             \
    ",\"proof\":{\"name\":\"Cy Dahl\"}},{\"contact\":null,\"note\":null}],"                        \
    "\"goods\":[{\"name\":\"a box\"}],\"driver\":{\"id\":\"drv_1\",\"name\":" ola                  \
    ",\"phone\":" number ",\"rating\":4.5,\"more\":{\"phone\":\"1\"}},\"notes\":" notes "}"

static void a_copy_shows_what_is_shown_in_the_end(void **state) {
    (void)state;
    struct str whole = STR(VIEW("\"Bo Ek\"", "\"+46701234567\"", "\"code \\\"12\\\"\"",
                                "\"Ola Berg\"", "\"+46707654321\"", "\"ring twice\""));
    assert_text(sight_copy(whole, VIEWER_STAFF, &arena), whole.p);
    assert_text(sight_copy(whole, VIEWER_CUSTOMER, &arena),
                VIEW("\"Bo Ek\"", "\"+46701234567\"", "\"code \\\"12\\\"\"", "\"Ola\"",
                     "\"" DOTS " 21\"", "\"ring twice\""));
    assert_text(
        sight_copy(whole, VIEWER_DRIVER, &arena),
        VIEW("\"Bo\"", "\"" DOTS " 67\"", "null", "\"Ola Berg\"", "\"+46707654321\"", "null"));
    assert_text(sight_copy(whole, VIEWER_ASKED, &arena),
                VIEW("null", "null", "null", "null", "null", "null"));
    struct str none = STR(VIEW("null", "null", "null", "null", "null", "null"));
    assert_text(sight_copy(none, VIEWER_DRIVER, &arena), none.p);
    assert_text(sight_copy(none, VIEWER_CUSTOMER, &arena), none.p);
}

static void a_link_is_its_customers_and_staffs(void **state) {
    (void)state;
    struct str whole = STR("{\"id\":\"bkg_1\",\"tracking_token\":\"01M\",\"reason\":null}");
    const char *none = "{\"id\":\"bkg_1\",\"tracking_token\":null,\"reason\":null}";
    for (int v = 0; v < VIEWER_COUNT; v++) {
        bool has = v == VIEWER_CUSTOMER || v == VIEWER_STAFF;
        assert_text(sight_copy(whole, (enum sight_viewer)v, &arena), has ? whole.p : none);
        for (int stage = 0; stage < STAGE_COUNT; stage++)
            assert_int_equal(
                sight_has_link(sight_of((enum sight_viewer)v, (enum sight_stage)stage).contacts),
                has);
    }
}

/* However the text was written again on its way, and whatever is left of it. */
static void a_copy_is_made_of_any_text(void **state) {
    (void)state;
    assert_text(sight_copy(STR("{ \"driver\" : { \"phone\" : \"+46707654321\" } }"),
                           VIEWER_CUSTOMER, &arena),
                "{ \"driver\" : { \"phone\" : \"" DOTS " 21\" } }");
    struct str whole = STR(VIEW("\"Bo Ek\"", "\"+46701234567\"", "\"code\"", "\"Ola Berg\"",
                                "\"+46707654321\"", "\"ring\\n\""));
    for (size_t len = 0; len <= whole.len; len++) {
        struct str copy = sight_copy(str_sub(whole, 0, len), VIEWER_DRIVER, &arena);
        for (size_t i = 0; i + 8 <= copy.len; i++)
            assert_memory_not_equal(copy.p + i, "70123456", 8);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_sees_what_is_his_to_see),
        cmocka_unit_test(a_booking_is_open_live_over_and_past),
        cmocka_unit_test(a_number_is_masked),
        cmocka_unit_test(a_street_is_told_without_its_house),
        cmocka_unit_test(a_house_may_begin_with_a_letter),
        cmocka_unit_test(any_text_is_an_address),
        cmocka_unit_test(a_copy_shows_what_is_shown_in_the_end),
        cmocka_unit_test(a_link_is_its_customers_and_staffs),
        cmocka_unit_test(a_copy_is_made_of_any_text),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
