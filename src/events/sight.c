#include "events/sight.h"

#include "base/buf.h"
#include "base/check.h"
#include "events/events.h"

#include <string.h>

#define MASK "\xE2\x80\xA2\xE2\x80\xA2\xE2\x80\xA2\xE2\x80\xA2" /* four bullets */
#define SHOWN_DIGITS 2
#define MASKED_DIGITS_MIN 6 /* of fewer, two would be too many */

static const struct sights table[VIEWER_COUNT][STAGE_COUNT] = {
    [VIEWER_CUSTOMER] = {[STAGE_OPEN] = {SIGHT_WHOLE, SIGHT_NONE},
                         [STAGE_LIVE] = {SIGHT_WHOLE, SIGHT_LINE},
                         [STAGE_OVER] = {SIGHT_WHOLE, SIGHT_MASKED},
                         [STAGE_PAST] = {SIGHT_WHOLE, SIGHT_MASKED}},
    [VIEWER_DRIVER] = {[STAGE_OPEN] = {SIGHT_NONE, SIGHT_NONE},
                       [STAGE_LIVE] = {SIGHT_LINE, SIGHT_WHOLE},
                       [STAGE_OVER] = {SIGHT_LINE, SIGHT_WHOLE},
                       [STAGE_PAST] = {SIGHT_MASKED, SIGHT_WHOLE}},
    [VIEWER_STAFF] = {[STAGE_OPEN] = {SIGHT_WHOLE, SIGHT_WHOLE},
                      [STAGE_LIVE] = {SIGHT_WHOLE, SIGHT_WHOLE},
                      [STAGE_OVER] = {SIGHT_WHOLE, SIGHT_WHOLE},
                      [STAGE_PAST] = {SIGHT_WHOLE, SIGHT_WHOLE}},
    [VIEWER_LINK] = {[STAGE_OPEN] = {SIGHT_NONE, SIGHT_NONE},
                     [STAGE_LIVE] = {SIGHT_NONE, SIGHT_NAME},
                     [STAGE_OVER] = {SIGHT_NONE, SIGHT_NAME},
                     [STAGE_PAST] = {SIGHT_NONE, SIGHT_NAME}},
    [VIEWER_ASKED] = {[STAGE_OPEN] = {SIGHT_NONE, SIGHT_NONE},
                      [STAGE_LIVE] = {SIGHT_NONE, SIGHT_NONE},
                      [STAGE_OVER] = {SIGHT_NONE, SIGHT_NONE},
                      [STAGE_PAST] = {SIGHT_NONE, SIGHT_NONE}},
};

enum sight_stage sight_stage(int32_t state, int64_t ended_us, int64_t now_us, int64_t kept_us) {
    if (state < BOOKING_ASSIGNED)
        return STAGE_OPEN;
    if (state < BOOKING_DELIVERED)
        return STAGE_LIVE;
    return now_us - ended_us < kept_us ? STAGE_OVER : STAGE_PAST;
}

struct sights sight_of(enum sight_viewer viewer, enum sight_stage stage) {
    CHECK(viewer < VIEWER_COUNT && stage < STAGE_COUNT);
    return table[viewer][stage];
}

bool sight_has_notes(enum sight contacts) {
    return contacts >= SIGHT_LINE;
}

bool sight_has_link(enum sight contacts) {
    return contacts == SIGHT_WHOLE;
}

/* ---- a name, a number ---- */

static struct str first_word(struct str text) {
    size_t n = 0;
    while (n < text.len && text.p[n] != ' ')
        n++;
    return str_sub(text, 0, n);
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Spaces between its digits do not count. */
static struct str masked(struct str number, struct arena *a) {
    char shown[SHOWN_DIGITS + 1] = {0};
    int digits = 0;
    for (size_t i = number.len; i > 0; i--) {
        if (!is_digit(number.p[i - 1]))
            continue;
        if (digits < SHOWN_DIGITS)
            shown[SHOWN_DIGITS - 1 - digits] = number.p[i - 1];
        digits++;
    }
    return digits >= MASKED_DIGITS_MIN ? arena_printf(a, MASK " %s", shown) : STR(MASK);
}

struct str sight_name(enum sight sight, struct str name) {
    if (sight == SIGHT_NONE || name.p == NULL)
        return STR_NONE;
    return sight >= SIGHT_LINE ? name : first_word(name);
}

struct str sight_number(enum sight sight, struct str number, struct str line, struct arena *a) {
    if (sight < SIGHT_MASKED || number.p == NULL)
        return STR_NONE;
    if (sight == SIGHT_MASKED)
        return masked(number, a);
    return sight == SIGHT_LINE && line.len > 0 ? line : number;
}

/* ---- a copy ---- */

/* Goes through JSON text, token by token, and writes it again. What it masks is found by the names
 * of members, which are ours: inside of what people have written every quote is escaped. */
struct copier {
    struct sights sights;
    struct str text, key; /* key: of the last member that began */
    size_t at;
    struct buf out;
    struct arena *a;
    int depth;
    int person;       /* depth of the object that is about somebody; 0: none */
    enum sight sight; /* of him */
};

/* The token of a string that begins at TEXT[at], quotes included. */
static struct str string_at(struct str text, size_t at) {
    size_t end = at + 1;
    while (end < text.len && text.p[end] != '"')
        end += text.p[end] == '\\' ? 2 : 1;
    return str_sub(text, at, end + 1 - at);
}

static bool is_name(const struct copier *c) {
    size_t at = c->at;
    while (at < c->text.len && strchr(" \t\r\n", c->text.p[at]) != NULL)
        at++;
    return at < c->text.len && c->text.p[at] == ':';
}

static void add_value(struct copier *c, struct str token) {
    struct str inner = str_sub(token, 1, token.len - 2), shown = inner;
    bool note = str_is(c->key, "\"note\"") || str_is(c->key, "\"notes\"");
    bool mine = c->person != 0 && c->depth == c->person;
    bool link = str_is(c->key, "\"tracking_token\"");
    if ((note && !sight_has_notes(c->sights.contacts)) ||
        (link && !sight_has_link(c->sights.contacts))) {
        buf_add_cstr(&c->out, "null");
        return;
    }
    if (mine && str_is(c->key, "\"name\""))
        shown = sight_name(c->sight, inner);
    else if (mine && str_is(c->key, "\"phone\""))
        shown = sight_number(c->sight, inner, STR_NONE, c->a);
    if (shown.p == NULL) {
        buf_add_cstr(&c->out, "null");
        return;
    }
    buf_add_char(&c->out, '"');
    buf_add_str(&c->out, shown);
    buf_add_char(&c->out, '"');
}

static void begin_object(struct copier *c) {
    c->depth++;
    bool contact = str_is(c->key, "\"contact\""), driver = str_is(c->key, "\"driver\"");
    if (c->person != 0 || !(contact || driver))
        return;
    c->person = c->depth;
    c->sight = contact ? c->sights.contacts : c->sights.driver;
}

static void end_object(struct copier *c) {
    if (c->depth == c->person)
        c->person = 0;
    c->depth--;
    c->key = STR_NONE;
}

static void step(struct copier *c) {
    char ch = c->text.p[c->at];
    if (ch == '"') {
        struct str token = string_at(c->text, c->at);
        c->at += token.len;
        if (!is_name(c)) {
            add_value(c, token);
            return;
        }
        c->key = token;
        buf_add_str(&c->out, token);
        return;
    }
    if (ch == '{')
        begin_object(c);
    else if (ch == '}')
        end_object(c);
    buf_add_char(&c->out, ch);
    c->at++;
}

struct str sight_copy(struct str view, enum sight_viewer viewer, struct arena *a) {
    struct copier c = {.sights = sight_of(viewer, STAGE_PAST), .text = view, .a = a};
    if (c.sights.contacts == SIGHT_WHOLE && c.sights.driver == SIGHT_WHOLE)
        return view;
    buf_init(&c.out, a, view.len + 64);
    while (c.at < view.len)
        step(&c);
    return buf_str(&c.out);
}
