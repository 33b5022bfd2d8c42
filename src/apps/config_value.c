/* The kinds of settings: how each is read from text, and how each says what it wants. All memory
 * is from the arena given.
 */
#include "apps/config.h"

#include "base/check.h"
#include "base/err.h"

#include <arpa/inet.h>
#include <string.h>

#define DISTANCE_LEN_MAX 48

static const char *const words_true[] = {"true", "yes", "on", "1", NULL};
static const char *const words_false[] = {"false", "no", "off", "0", NULL};

static int32_t index_in(const char *const *names, struct str text) {
    for (int32_t i = 0; names[i]; i++) {
        if (str_is(text, names[i]))
            return i;
    }
    return -1;
}

static bool in_range(const struct config_setting *s, int64_t number) {
    return (s->min == 0 && s->max == 0) || (number >= s->min && number <= s->max);
}

/* One line of UTF-8 without control characters: what may stand in a log or a table. */
static bool is_line(struct str text) {
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)
            return false;
    }
    size_t chars;
    return str_is_utf8(text, &chars);
}

static bool string_fits(const struct config_setting *s, struct str text) {
    bool any = s->min == 0 && s->max == 0;
    int64_t len = (int64_t)text.len;
    if (len < (any ? 1 : s->min) || len > (any ? 1000 : s->max))
        return false;
    return !s->valid || s->valid(text);
}

/* "15m" into 900: digits, then at most one unit. */
static int parse_duration(struct str text, int64_t *ret_seconds) {
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    int64_t unit = 1, number;
    for (size_t i = 0; text.len > 1 && i < COUNT_OF(units); i++) {
        if (text.p[text.len - 1] == units[i].letter) {
            unit = units[i].seconds;
            text.len--;
            break;
        }
    }
    if (str_to_i64(text, &number) < 0 || __builtin_mul_overflow(number, unit, ret_seconds))
        return ERR_INVALID;
    return 0;
}

/* "HOST:PORT"; an IPv6 literal stands in brackets, because its colons are its own. */
static int parse_address(struct str text, struct arena *a, struct config_value *ret_value) {
    size_t colon = text.len;
    while (colon > 0 && text.p[colon - 1] != ':')
        colon--;
    if (colon < 2)
        return ERR_INVALID;
    struct str host = str_sub(text, 0, colon - 1), port = str_sub(text, colon, text.len);
    int64_t number;
    if (port.len > 5 || str_to_i64(port, &number) < 0 || number < 0 || number > 65535)
        return ERR_INVALID;

    unsigned char binary[sizeof(struct in6_addr)];
    int family = AF_INET;
    if (str_is(host, "localhost")) {
        host = STR("127.0.0.1");
    } else if (host.p[0] == '[' && host.p[host.len - 1] == ']') {
        host = str_sub(host, 1, host.len - 2);
        family = AF_INET6;
    }
    const char *literal = arena_cstr(a, host);
    if (inet_pton(family, literal, binary) != 1)
        return ERR_INVALID;
    ret_value->host = str_from(literal);
    ret_value->number = number;
    ret_value->text =
        arena_printf(a, family == AF_INET6 ? "[%s]:%d" : "%s:%d", literal, (int)number);
    return 0;
}

static int parse_number(const struct config_setting *s, struct str text, struct arena *a,
                        struct config_value *ret_value) {
    int64_t number;
    int rc = s->kind == CONFIG_INT ? str_to_i64(text, &number) : parse_duration(text, &number);
    if (rc < 0 || !in_range(s, number))
        return ERR_INVALID;
    ret_value->number = number;
    ret_value->text = arena_printf(a, "%lld", (long long)number);
    return 0;
}

/* "auth,booking": each of names at most once counts. */
static int parse_list(const struct config_setting *s, struct str text, struct arena *a,
                      struct config_value *ret_value) {
    struct buf out;
    int64_t bits = 0;
    for (size_t at = 0, end; at <= text.len; at = end + 1) {
        for (end = at; end < text.len && text.p[end] != ','; end++)
            ;
        int32_t index = index_in(s->names, str_sub(text, at, end - at));
        if (index < 0)
            return ERR_INVALID;
        bits |= INT64_C(1) << index;
    }
    buf_init(&out, a, 64);
    for (int32_t i = 0; s->names[i]; i++) {
        if (bits >> i & 1)
            buf_printf(&out, "%s%s", out.len > 0 ? "," : "", s->names[i]);
    }
    ret_value->number = bits;
    ret_value->text = arena_str(a, buf_str(&out));
    return 0;
}

/* What follows the name of a URL. A file's may be a path alone, as in file:mail. */
static bool is_rest(const char *name, struct str rest) {
    if (strcmp(name, "file") == 0 && rest.len > 1 && rest.p[0] == ':')
        return true;
    return str_starts(rest, "://") && rest.len > 3;
}

static int parse_url(const struct config_setting *s, struct str text, struct arena *a,
                     struct config_value *ret_value) {
    for (int32_t i = 0; s->names[i]; i++) {
        size_t len = strlen(s->names[i]);
        struct str rest = str_sub(text, len, text.len);
        bool word = s->fallback != NULL && strcmp(s->fallback, s->names[i]) == 0;
        if (!str_starts(text, s->names[i]) || (word ? rest.len > 0 : !is_rest(s->names[i], rest)))
            continue;
        ret_value->number = i;
        ret_value->text = arena_str(a, text);
        return 0;
    }
    return ERR_INVALID;
}

bool config_has_file(const struct config_setting *s) {
    return s->secret || s->kind == CONFIG_URL;
}

/* FROM of TEXT up to UNTIL is not shown. */
static struct str without(struct str text, size_t from, size_t until, struct arena *a) {
    return arena_printf(a, "%.*s***%.*s", (int)from, text.p, (int)(text.len - until),
                        text.p + until);
}

static size_t find_in(struct str text, const char *what) {
    for (size_t at = 0; at < text.len; at++) {
        if (str_starts(str_sub(text, at, text.len), what))
            return at;
    }
    return text.len;
}

struct str config_masked(struct str text, struct arena *a) {
    size_t scheme = find_in(text, "://");
    if (scheme == text.len)
        return text;
    size_t word = find_in(text, "password=") + strlen("password="), end = word;
    if (word < text.len) { /* PostgreSQL's way; first, because it stands behind the other */
        while (end < text.len && text.p[end] != '&')
            end++;
        text = without(text, word, end, a);
    }
    size_t colon = scheme + 3, at = text.len;
    while (at > colon && text.p[at - 1] != '@')
        at--;
    while (colon < at && text.p[colon] != ':')
        colon++;
    /* The last @ ends it, for a password may have one that was not escaped. */
    return at > scheme + 3 && colon < at ? without(text, colon + 1, at - 1, a) : text;
}

int config_parse(const struct config_setting *s, struct str text, struct arena *a,
                 struct config_value *ret_value) {
    if (!text.p || text.len > CONFIG_VALUE_BYTES_MAX || !is_line(text))
        return ERR_INVALID;
    switch (s->kind) {
    case CONFIG_STRING:
        if (!string_fits(s, text))
            return ERR_INVALID;
        ret_value->text = arena_str(a, text);
        return 0;
    case CONFIG_PATH:
        if (text.len == 0)
            return ERR_INVALID;
        ret_value->text = arena_str(a, text);
        return 0;
    case CONFIG_INT:
    case CONFIG_DURATION:
        return parse_number(s, text, a, ret_value);
    case CONFIG_BOOL: {
        bool yes = index_in(words_true, text) >= 0;
        if (!yes && index_in(words_false, text) < 0)
            return ERR_INVALID;
        ret_value->number = yes;
        ret_value->text = yes ? STR("true") : STR("false");
        return 0;
    }
    case CONFIG_ENUM: {
        int32_t index = index_in(s->names, text);
        if (index < 0)
            return ERR_INVALID;
        ret_value->number = index;
        ret_value->text = str_from(s->names[index]);
        return 0;
    }
    case CONFIG_LIST:
        return parse_list(s, text, a, ret_value);
    case CONFIG_URL:
        return parse_url(s, text, a, ret_value);
    case CONFIG_ADDRESS:
        return parse_address(text, a, ret_value);
    }
    UNREACHABLE();
}

static struct str join(const char *const *names, struct arena *a) {
    struct buf out;
    buf_init(&out, a, 64);
    for (int32_t i = 0; names[i]; i++)
        buf_printf(&out, "%s%s", i > 0 ? ", " : "", names[i]);
    return buf_str(&out);
}

struct str config_expects(const struct config_setting *s, struct arena *a) {
    bool any = s->min == 0 && s->max == 0;
    switch (s->kind) {
    case CONFIG_STRING:
        if (s->expects)
            return str_from(s->expects);
        return arena_printf(a, "a line of %lld to %lld bytes", any ? 1LL : (long long)s->min,
                            any ? 1000LL : (long long)s->max);
    case CONFIG_PATH:
        return STR("a path");
    case CONFIG_INT:
        if (any)
            return STR("a whole number");
        return arena_printf(a, "a whole number from %lld to %lld", (long long)s->min,
                            (long long)s->max);
    case CONFIG_DURATION:
        return arena_printf(a, "a time from %lld to %lld seconds, such as 90, 90s, 15m, 24h or 30d",
                            (long long)s->min, (long long)s->max);
    case CONFIG_BOOL:
        return STR("true or false");
    case CONFIG_ENUM: {
        struct str names = join(s->names, a);
        return arena_printf(a, s->names[1] ? "one of %.*s" : "%.*s", STR_ARG(names));
    }
    case CONFIG_LIST: {
        struct str names = join(s->names, a);
        return arena_printf(a, "some of %.*s, with commas between", STR_ARG(names));
    }
    case CONFIG_URL: {
        struct str names = join(s->fallback ? s->names + 1 : s->names, a);
        return arena_printf(a, "%s%sa URL that begins with one of %.*s",
                            s->fallback ? s->fallback : "", s->fallback ? ", or " : "",
                            STR_ARG(names));
    }
    case CONFIG_ADDRESS:
        return STR("an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080");
    }
    UNREACHABLE();
}

struct str config_flag_name(const char *key, bool from_file, struct arena *a) {
    struct str name = arena_printf(a, "--%s%s", key, from_file ? "-file" : "");
    char *letters = arena_cstr(a, name);
    for (char *p = letters; *p; p++)
        *p = *p == '_' ? '-' : *p;
    return str_from(letters);
}

struct str config_env_name(const char *key, bool from_file, struct arena *a) {
    struct str name = arena_printf(a, "LORRY_%s%s", key, from_file ? "_FILE" : "");
    char *letters = arena_cstr(a, name);
    for (char *p = letters; *p; p++)
        *p = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
    return str_from(letters);
}

static int32_t least(int32_t a, int32_t b) {
    return a < b ? a : b;
}

/* Optimal string alignment: Levenshtein and the swap of two neighbours, row by row. */
int32_t config_distance(struct str a, struct str b) {
    if (a.len > DISTANCE_LEN_MAX || b.len > DISTANCE_LEN_MAX)
        return 99;
    int32_t rows[3][DISTANCE_LEN_MAX + 1] = {{0}};
    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = (int32_t)j;
    for (size_t i = 1; i <= a.len; i++) {
        const int32_t *above = rows[(i - 1) % 3], *two_above = rows[(i + 1) % 3];
        int32_t *row = rows[i % 3];
        row[0] = (int32_t)i;
        for (size_t j = 1; j <= b.len; j++) {
            bool same = a.p[i - 1] == b.p[j - 1];
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + !same);
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
                row[j] = least(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a.len % 3][b.len];
}
