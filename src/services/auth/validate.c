#include "services/auth/validate.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static struct str lower_str(struct str s, struct arena *a) {
    char *out = arena_bytes(a, s.len + 1);
    for (size_t i = 0; i < s.len; i++)
        out[i] = lower(s.p[i]);
    out[s.len] = 0;
    return (struct str){out, s.len};
}

static struct str trim(struct str s) {
    while (s.len > 0 && s.p[0] == ' ')
        s = str_sub(s, 1, s.len - 1);
    while (s.len > 0 && s.p[s.len - 1] == ' ')
        s = str_sub(s, 0, s.len - 1);
    return s;
}

struct str email_normalise(struct str email, struct arena *a) {
    return lower_str(trim(email), a);
}

/* Labels of 1..63 letters, digits and hyphens with single dots between. */
static bool is_domain(struct str s) {
    size_t label = 0;
    for (size_t i = 0; i <= s.len; i++) {
        char c = i < s.len ? s.p[i] : '.';
        bool inner = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (c == '.') {
            if (label == 0 || label > 63 || s.p[i - 1] == '-')
                return false;
            label = 0;
        } else if (inner || (c == '-' && label > 0)) {
            label++;
        } else {
            return false;
        }
    }
    return true;
}

const char *email_fault(struct str email) {
    if (email.len == 0)
        return "must not be empty";
    if (email.len > EMAIL_MAX)
        return "must have at most 254 characters";
    for (size_t i = 0; i < email.len; i++) {
        if (email.p[i] <= ' ' || email.p[i] > '~')
            return "must be of visible ASCII characters, without spaces";
        if (strchr("<>()[],;:\\\"", email.p[i]) != NULL)
            return "must be a plain address such as asha@example.com";
    }
    const char *at = memchr(email.p, '@', email.len);
    if (at == NULL)
        return "must have an @, as in asha@example.com";
    size_t local = (size_t)(at - email.p);
    struct str domain = str_sub(email, local + 1, email.len - local - 1);
    if (memchr(domain.p, '@', domain.len) != NULL)
        return "must have one @ only";
    if (local == 0 || local > 64)
        return "must have 1 to 64 characters before the @";
    return is_domain(domain) ? NULL : "must have a domain name after the @";
}

const char *phone_fault(struct str phone) {
    struct str digits =
        phone.len > 0 && phone.p[0] == '+' ? str_sub(phone, 1, phone.len - 1) : phone;
    bool good = digits.len >= 6 && digits.len <= 15; /* E.164 has at most 15 */
    for (size_t i = 0; good && i < digits.len; i++)
        good = digits.p[i] >= '0' && digits.p[i] <= '9';
    return good ? NULL : "must be 6 to 15 digits after a +, as in +46701234567";
}

/* The length of the white space or invisible character that NAME (valid UTF-8) begins with, or 0.
 */
static size_t blank_at(struct str name) {
    static const char *const blanks[] = {" ",
                                         "\xC2\xA0",
                                         "\xC2\xAD",
                                         "\xCD\x8F",
                                         "\xE1\x85\x9F",
                                         "\xE1\x85\xA0",
                                         "\xE2\x80\xAF",
                                         "\xE2\x81\x9F",
                                         "\xE2\x81\xA0",
                                         "\xE2\xA0\x80",
                                         "\xE3\x80\x80",
                                         "\xE3\x85\xA4",
                                         "\xEF\xBB\xBF",
                                         "\xEF\xBE\xA0"};
    for (size_t i = 0; i < COUNT_OF(blanks); i++) {
        if (str_starts(name, blanks[i]))
            return strlen(blanks[i]);
    }
    bool general = str_starts(name, "\xE2\x80") && (unsigned char)name.p[2] <= 0x8F; /* to U+200F */
    return general ? 3 : 0;
}

const char *name_fault(struct str name) {
    size_t at = 0, blank;
    while ((blank = blank_at(str_sub(name, at, name.len - at))) > 0)
        at += blank;
    return at == name.len ? "must not be blank" : NULL;
}

static int compare(const void *key, const void *item) {
    return strcmp(key, *(const char *const *)item);
}

const char *password_fault(struct str password, struct str email) {
    struct arena scratch;
    arena_init(&scratch, 1024);
    struct str plain = lower_str(password, &scratch);
    const char *at = email.len > 0 ? memchr(email.p, '@', email.len) : NULL;
    struct str local = at != NULL ? str_sub(email, 0, (size_t)(at - email.p)) : STR_NONE;
    const char *fault = NULL;
    if (email.len > 0 && (str_eq(plain, email) || str_eq(plain, local)))
        fault = "must not be the e-mail";
    else if (bsearch(plain.p, common_passwords, (size_t)common_password_count,
                     sizeof(common_passwords[0]), compare) != NULL)
        fault = "is one of the commonest passwords";
    arena_free(&scratch);
    return fault;
}
