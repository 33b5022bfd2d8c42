/* An address without the number of its house, for a driver who is only asked (sight.h).
 *
 * Addresses are what people type, in many countries: there is no grammar of them. The words of each
 * part (between commas) are looked at one by one, then by what is beside them. What might be a
 * house is left out ("12", "B-12", "12/3", "#14", a postcode); what has a number for its name stays
 * ("7th Main", "Sector 62", "100 Feet Road"). In doubt it is a house: a driver finds the place by
 * the map, and a name that is short of its number is still a name.
 */
#include "base/buf.h"
#include "events/sight.h"

#define WORDS_MAX 64        /* of one part; what comes after them is not told */
#define HOUSE_LETTERS_MAX 2 /* together: "B-12", "BG 14", "12 bis" */

enum glyph { GLYPH_DIGIT, GLYPH_LETTER, GLYPH_OTHER };
enum kind {
    WORD_NAME,
    WORD_MARK,  /* neither letter nor digit: "-", "#" */
    WORD_HOUSE, /* left out */
};
struct word {
    struct str text, told; /* told: what may be said of it; of a house nothing */
    enum kind kind;
    bool plain; /* a number and at most one letter, which may be a name after all */
};

static bool is_letter(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Of the character at TEXT[at]; its bytes. Digits: European, Arabic, Persian, Devanagari. */
static size_t glyph_at(struct str text, size_t at, enum glyph *ret) {
    const unsigned char *p = (const unsigned char *)text.p + at;
    size_t left = text.len - at, n = p[0] < 0xC0 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    n = n < left ? n : left;
    bool digit = (p[0] >= '0' && p[0] <= '9') ||
                 (n == 2 && p[0] == 0xD9 && p[1] >= 0xA0 && p[1] <= 0xA9) ||
                 (n == 2 && p[0] == 0xDB && p[1] >= 0xB0 && p[1] <= 0xB9) ||
                 (n == 3 && p[0] == 0xE0 && p[1] == 0xA5 && p[2] >= 0xA6 && p[2] <= 0xAF);
    /* signs of Latin-1 (a space, a half), dashes, quotes, the sign for "number" */
    bool sign = p[0] == 0xC2 || (n == 3 && p[0] == 0xE2 && (p[1] == 0x80 || p[1] == 0x84));
    bool letter = p[0] < 0x80 ? is_letter(text.p[at]) : !sign;
    *ret = digit ? GLYPH_DIGIT : letter ? GLYPH_LETTER : GLYPH_OTHER;
    return n;
}

/* From AT on: where what is (IS) or is not KIND begins. *RET_LETTERS: how many were passed. */
static size_t skip(struct str text, size_t at, enum glyph kind, bool is, int *ret_letters) {
    enum glyph g;
    for (*ret_letters = 0; at < text.len;) {
        size_t n = glyph_at(text, at, &g);
        if ((g == kind) == is)
            break;
        *ret_letters += g == GLYPH_LETTER;
        at += n;
    }
    return at;
}

/* WORD without the marks around it, and the points in it, is one of NAMES (ends with NULL). */
static bool is_one_of(struct str word, const char *const *names) {
    char bare[24] = {0};
    size_t len = 0;
    enum glyph g;
    for (size_t at = 0, n; at < word.len; at += n) {
        n = glyph_at(word, at, &g);
        if (g == GLYPH_OTHER)
            continue;
        if (len + n >= sizeof(bare))
            return false;
        for (size_t i = 0; i < n; i++)
            bare[len++] = word.p[at + i];
    }
    for (; *names != NULL; names++) {
        if (str_eq_nocase((struct str){bare, len}, *names))
            return true;
    }
    return false;
}

/* What has a number for its name. */
static bool is_area(struct str word) {
    static const char *const names[] = {
        "sector",   "phase",
        "stage",    "ward",
        "zone",     "pocket",
        "district", "route",
        "highway",  "nh",
        "sh",       "\xE0\xA4\xB8\xE0\xA5\x87\xE0\xA4\x95\xE0\xA5\x8D\xE0\xA4\x9F\xE0\xA4\xB0",
        NULL};
    return is_one_of(word, names);
}

static bool is_road(struct str word) {
    static const char *const names[] = {"road",    "street",     "lane",  "gali",
                                        "route",   "avenue",     "calle", "rua",
                                        "carrera", "v\xC3\xA4g", NULL};
    return is_one_of(word, names);
}

static bool is_number_sign(struct str word) {
    static const char *const names[] = {"no", "nr", "number", "nummer", NULL};
    return is_one_of(word, names);
}

/* What says no more than that a house follows. */
static bool is_label(struct str word, bool first) {
    static const char *const names[] = {"flat", "plot", "door", "apt", "unit", "suite",
                                        "lgh",  "hno",  "dno",  "sno", NULL};
    static const char *const more[] = {"house", "h",    "shop",      "room",
                                       "villa", "bldg", "apartment", NULL};
    return is_number_sign(word) || is_one_of(word, names) || (first && is_one_of(word, more));
}

static bool is_feet(struct str word) {
    static const char *const names[] = {"ft", "feet", "foot", NULL};
    return is_one_of(word, names);
}

/* "7th", "80ft", "2:a", "5वीं": the REST of a word after its number makes a name of it. */
static bool is_ordinal(struct str rest) {
    static const char *const names[] = {"st", "nd", "rd", "th", NULL};
    static const char *const colon[] = {"a", "e", NULL};
    return is_one_of(rest, names) || is_feet(rest) ||
           (str_starts(rest, ":") && is_one_of(rest, colon)) ||
           str_starts(rest, "\xE0\xA4\xB5"); /* of Hindi's: va */
}

static bool is_house_rest(struct str run) {
    static const char *const names[] = {"bis", "ter", "quater", NULL};
    return is_one_of(run, names);
}

/* Of a word whose first digit is at AT, after LETTERS letters: "Sector-62" is one that has a number
 * for its name, of "Kungsgatan12" the name is told, of "B-12" nothing. */
static struct str told_of_name(struct str word, size_t at, int letters) {
    struct str name = str_sub(word, 0, at);
    int n;
    if (is_area(name))
        return str_sub(word, 0, skip(word, at, GLYPH_DIGIT, false, &n));
    if (letters <= HOUSE_LETTERS_MAX || is_label(name, true))
        return STR_NONE;
    while (name.len > 0 && (unsigned char)name.p[name.len - 1] < 0x80 &&
           !is_letter(name.p[name.len - 1]))
        name.len--;
    return name;
}

/* Of one that begins with a digit, whose number ends at AT: "7th" is a name, of "12-Kungsgatan" the
 * name is told, of "12", "12B" and "12/3" nothing. */
static struct str told_of_number(struct str word, size_t at) {
    int letters;
    if (is_ordinal(str_sub(word, at, word.len)))
        return word;
    while (at < word.len) {
        size_t from = skip(word, at, GLYPH_LETTER, true, &letters);
        at = skip(word, from, GLYPH_LETTER, false, &letters);
        if (letters <= HOUSE_LETTERS_MAX || is_house_rest(str_sub(word, from, at - from)))
            continue;
        size_t digit = skip(word, from, GLYPH_DIGIT, true, &letters);
        word = str_sub(word, from, word.len);
        return digit - from < word.len ? told_of_name(word, digit - from, letters) : word;
    }
    return STR_NONE;
}

static struct word read_word(struct str text) {
    int before, letters;
    size_t at = skip(text, 0, GLYPH_DIGIT, true, &before);
    size_t end = skip(text, at, GLYPH_DIGIT, false, &letters);
    struct word w = {.text = text, .told = text, .kind = before > 0 ? WORD_NAME : WORD_MARK};
    if (at == text.len)
        return w;
    w.told = before > 0 ? told_of_name(text, at, before) : told_of_number(text, end);
    w.kind = w.told.len > 0 ? WORD_NAME : WORD_HOUSE;
    bool more = skip(text, end, GLYPH_DIGIT, true, &letters) < text.len;
    w.plain = before == 0 && w.kind == WORD_HOUSE && !more && letters <= 1;
    return w;
}

/* Is the number W[i] part of a name, by the words beside it? "Sector 62", "Road No. 12", "100 Feet
 * Road", "Rue du 8 Mai", "Rua 25 de Abril". */
static bool belongs_to_a_name(const struct word *w, int i, int count) {
    static const char *const of[] = {"du", "des", "del", "de", NULL};
    if (!w[i].plain)
        return false;
    bool numbered = i > 0 && is_number_sign(w[i - 1].text);
    int before = i - (numbered ? 2 : 1);
    if (before >= 0 && is_area(w[before].text))
        return true;
    if (before == 0 && is_road(w[0].text))
        return true;
    if (i + 1 < count && is_feet(w[i + 1].text))
        return true;
    if (i + 2 < count && str_eq_nocase(w[i + 1].text, "de"))
        return true;
    return i > 0 && i + 1 < count && w[i + 1].kind == WORD_NAME && is_one_of(w[i - 1].text, of);
}

static bool is_one_letter(struct str word) {
    return word.len == 1 && is_letter(word.p[0]);
}

static void leave_out(struct word *w) {
    w->told = STR_NONE;
}

/* With a house goes what is about it: its staircase ("12 B", "12 bis"), its block where that is all
 * that comes before it ("B 12"), what it is called ("Flat 3", "No. 12"), and marks ("# 14"). */
static void leave_out_around(struct word *w, int i, int count) {
    bool after = i + 1 < count && (is_one_letter(w[i + 1].text) || is_house_rest(w[i + 1].text) ||
                                   w[i + 1].kind == WORD_MARK);
    if (after)
        leave_out(&w[i + 1]);
    for (int k = i - 1; k >= 0; k--) {
        bool about = w[k].kind == WORD_MARK || is_label(w[k].text, k == 0) ||
                     (k == 0 && is_one_letter(w[k].text));
        if (!about)
            break;
        leave_out(&w[k]);
    }
}

static void add_part(struct buf *out, struct str part) {
    struct word words[WORDS_MAX];
    int count = 0;
    bool begun = false;
    for (size_t at = 0; at < part.len && count < WORDS_MAX;) {
        size_t end = at;
        while (end < part.len && part.p[end] != ' ')
            end++;
        if (end > at)
            words[count++] = read_word(str_sub(part, at, end - at));
        at = end + 1;
    }
    for (int i = 0; i < count; i++) {
        if (belongs_to_a_name(words, i, count))
            words[i] = (struct word){.text = words[i].text, .told = words[i].text};
    }
    for (int i = 0; i < count; i++) {
        if (words[i].kind == WORD_HOUSE)
            leave_out_around(words, i, count);
    }
    for (int i = 0; i < count; i++) {
        if (words[i].told.len == 0)
            continue;
        if (begun || out->len > 0)
            buf_add_cstr(out, begun ? " " : ", ");
        buf_add_str(out, words[i].told);
        begun = true;
    }
}

struct str sight_street(struct str address, struct arena *a) {
    struct buf out;
    if (address.p == NULL)
        return STR_NONE;
    buf_init(&out, a, address.len + 8);
    for (size_t at = 0; at < address.len;) {
        size_t end = at;
        while (end < address.len && address.p[end] != ',')
            end++;
        add_part(&out, str_sub(address, at, end - at));
        at = end + 1;
    }
    return out.len > 0 ? buf_str(&out) : STR_NONE;
}
