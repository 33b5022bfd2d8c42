/* Messages: multipart/alternative of plain text and HTML where there is HTML, quoted-printable or
 * base64, whichever is shorter (a text in Hindi would triple). Lines are at most 76 bytes.
 */
#include "adapters/mail/mime.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"

#include <string.h>
#include <time.h>

#define LINE_MAX 76
#define WORD_MAX 42 /* bytes that one encoded word holds: 75 with base64 and its frame */

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* ---- addresses ---- */

static bool is_alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_domain(struct str s) {
    if (s.len == 0 || s.p[0] == '.' || s.p[0] == '-' || s.p[s.len - 1] == '.')
        return false;
    for (size_t i = 0; i < s.len; i++) {
        bool dots = s.p[i] == '.' && s.p[i - 1] == '.';
        if (dots || (!is_alnum(s.p[i]) && s.p[i] != '.' && s.p[i] != '-'))
            return false;
    }
    return true;
}

static bool is_local(struct str s, bool ascii_only) {
    if (s.len == 0 || s.p[0] == '.' || s.p[0] == '-' || s.p[s.len - 1] == '.')
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x80 ? ascii_only : c <= ' ' || c == 0x7f || strchr("()<>[]:;@\\,\"", c) != NULL)
            return false;
        if (c == '.' && s.p[i - 1] == '.')
            return false;
    }
    return true;
}

bool mime_is_address(struct str s, bool ascii_only) {
    const char *at = s.len > 0 ? memchr(s.p, '@', s.len) : NULL;
    if (at == NULL || s.len > MAIL_ADDRESS_MAX || !str_is_utf8(s, &(size_t){0}))
        return false;
    size_t before = (size_t)(at - s.p);
    return is_local(str_sub(s, 0, before), ascii_only) &&
           is_domain(str_sub(s, before + 1, s.len - before - 1));
}

static struct str trimmed(struct str s) {
    while (s.len > 0 && s.p[0] == ' ')
        s = str_sub(s, 1, s.len);
    while (s.len > 0 && s.p[s.len - 1] == ' ')
        s.len--;
    if (s.len >= 2 && s.p[0] == '"' && s.p[s.len - 1] == '"')
        s = str_sub(s, 1, s.len - 2);
    return s;
}

int mime_sender(struct str s, struct str *ret_name, struct str *ret_address) {
    struct str name = STR_NONE, address = s;
    const char *open = s.len > 0 ? memchr(s.p, '<', s.len) : NULL;
    if (open != NULL && s.p[s.len - 1] == '>') {
        size_t before = (size_t)(open - s.p);
        name = trimmed(str_sub(s, 0, before));
        address = str_sub(s, before + 1, s.len - before - 2);
    }
    if (!mime_is_address(address, true) || (name.len > 0 && !str_is_utf8(name, &(size_t){0})))
        return ERR_INVALID;
    *ret_name = name.len > 0 ? name : STR_NONE;
    *ret_address = address;
    return 0;
}

/* ---- encodings ---- */

static void add_base64(struct buf *b, struct str s) {
    for (size_t i = 0; i < s.len; i += 3) {
        size_t n = s.len - i < 3 ? s.len - i : 3;
        uint32_t v = 0;
        for (size_t k = 0; k < 3; k++)
            v = v << 8 | (k < n ? (unsigned char)s.p[i + k] : 0u);
        for (size_t k = 0; k < 4; k++)
            buf_add_char(b, k <= n ? base64_digits[v >> (18 - 6 * k) & 63] : '=');
    }
}

/* S with the line ends that a text has on its way. */
static struct str with_crlf(struct arena *a, struct str s) {
    struct buf b;
    buf_init(&b, a, s.len + 256);
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '\n')
            buf_add_char(&b, '\r');
        buf_add_char(&b, s.p[i]);
    }
    return buf_str(&b);
}

static void add_base64_lines(struct buf *b, struct str s) {
    const size_t bytes = (size_t)LINE_MAX / 4 * 3;
    s = with_crlf(b->arena, s);
    for (size_t i = 0; i < s.len; i += bytes) {
        add_base64(b, str_sub(s, i, bytes));
        buf_add_cstr(b, "\r\n");
    }
}

/* Is the byte at I one that quoted-printable leaves as it is? A space before a line's end is not,
 * nor a dot at its beginning, which some relays lose. */
static bool is_literal(struct str s, size_t i, size_t column) {
    char c = s.p[i];
    bool last = i + 1 == s.len || s.p[i + 1] == '\n';
    if (c == ' ' || c == '\t')
        return !last;
    return c > ' ' && c < 0x7f && c != '=' && !(c == '.' && column == 0);
}

static void add_quoted(struct buf *b, struct str s) {
    size_t column = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '\n') {
            buf_add_cstr(b, "\r\n");
            column = 0;
            continue;
        }
        bool literal = is_literal(s, i, column);
        if (column + (literal ? 1 : 3) >= LINE_MAX) {
            buf_add_cstr(b, "=\r\n");
            column = 0;
            literal = is_literal(s, i, column);
        }
        if (literal)
            buf_add_char(b, s.p[i]);
        else
            buf_printf(b, "=%02X", (unsigned)(unsigned char)s.p[i]);
        column += literal ? 1 : 3;
    }
    buf_add_cstr(b, "\r\n");
}

static void add_body(struct buf *b, const char *type, struct str s) {
    size_t high = 0;
    for (size_t i = 0; i < s.len; i++)
        high += (unsigned char)s.p[i] >= 0x80;
    bool base64 = high * 6 > s.len;
    buf_printf(b,
               "Content-Type: %s; charset=utf-8\r\n"
               "Content-Transfer-Encoding: %s\r\n\r\n",
               type, base64 ? "base64" : "quoted-printable");
    if (base64)
        add_base64_lines(b, s);
    else
        add_quoted(b, s);
}

/* ---- headers ---- */

static bool is_plain(struct str s) {
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < ' ' || s.p[i] > '~')
            return false;
    }
    return s.len <= LINE_MAX - 10 && memmem(s.p, s.len, "=?", 2) == NULL;
}

/* As many bytes of S from AT on as one encoded word takes, never half a character. */
static size_t word_len(struct str s, size_t at) {
    size_t n = s.len - at < WORD_MAX ? s.len - at : WORD_MAX;
    while (n > 1 && at + n < s.len && ((unsigned char)s.p[at + n] & 0xc0) == 0x80)
        n--;
    return n;
}

/* S as unstructured text or, QUOTED, as a phrase. */
static void add_words(struct buf *b, struct str s, bool quoted) {
    bool special = quoted && (memchr(s.p, '"', s.len) != NULL || memchr(s.p, '\\', s.len) != NULL);
    if (is_plain(s) && !special) {
        buf_printf(b, quoted ? "\"%.*s\"" : "%.*s", STR_ARG(s));
        return;
    }
    for (size_t at = 0, n; at < s.len; at += n) {
        n = word_len(s, at);
        buf_add_cstr(b, at > 0 ? "\r\n =?utf-8?B?" : "=?utf-8?B?");
        add_base64(b, str_sub(s, at, n));
        buf_add_cstr(b, "?=");
    }
}

static void add_date(struct buf *b, int64_t at_us) {
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t at = (time_t)(at_us / US_PER_S);
    struct tm t;
    gmtime_r(&at, &t);
    buf_printf(b, "Date: %s, %02d %s %d %02d:%02d:%02d +0000\r\n", days[t.tm_wday], t.tm_mday,
               months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

static void add_headers(struct buf *b, const struct mail *mail, struct str name,
                        struct str address) {
    const char *at = memchr(address.p, '@', address.len);
    struct str domain = str_sub(address, (size_t)(at + 1 - address.p), address.len);
    add_date(b, mail->at_us);
    buf_add_cstr(b, "From: ");
    if (name.p != NULL) {
        add_words(b, name, true);
        buf_add_char(b, ' ');
    }
    buf_printf(b, "<%.*s>\r\nTo: <%.*s>\r\nSubject: ", STR_ARG(address), STR_ARG(mail->to));
    add_words(b, mail->subject, false);
    buf_printf(b, "\r\nMessage-ID: <%.*s@%.*s>\r\n", STR_ARG(mail->id), STR_ARG(domain));
    if (mail->language.p != NULL)
        buf_printf(b, "Content-Language: %.*s\r\n", STR_ARG(mail->language));
    /* RFC 3834: so that holiday replies are not sent to us. */
    buf_add_cstr(b, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n");
}

static bool is_token(struct str s, size_t max) {
    for (size_t i = 0; i < s.len; i++) {
        if (!is_alnum(s.p[i]) && s.p[i] != '_' && s.p[i] != '-')
            return false;
    }
    return s.len > 0 && s.len <= max;
}

static bool is_sound(const struct mail *m) {
    size_t chars;
    return is_token(m->id, 64) && mime_is_address(m->to, true) && m->subject.len > 0 &&
           (m->language.p == NULL || is_token(m->language, 16)) &&
           str_is_utf8(m->subject, &chars) && str_is_utf8(m->text, &chars) &&
           (m->html.p == NULL || str_is_utf8(m->html, &chars));
}

int mime_compose(const struct mail *mail, struct str from, struct arena *a, struct str *ret_text) {
    struct str name, address;
    if (!is_sound(mail) || mime_sender(from, &name, &address) < 0)
        return ERR_INVALID;
    if (mail->subject.len > MAIL_SUBJECT_MAX || mail->text.len > MAIL_TEXT_MAX ||
        mail->html.len > MAIL_TEXT_MAX)
        return ERR_LIMIT;
    struct buf b;
    buf_init(&b, a, 2 * (mail->text.len + mail->html.len) + 1024);
    add_headers(&b, mail, name, address);
    if (mail->html.p == NULL) {
        add_body(&b, "text/plain", mail->text);
    } else { /* "=_" stands in neither encoding, so the boundary cannot be in a part */
        buf_printf(
            &b, "Content-Type: multipart/alternative;\r\n boundary=\"=_%.*s\"\r\n\r\n--=_%.*s\r\n",
            STR_ARG(mail->id), STR_ARG(mail->id));
        add_body(&b, "text/plain", mail->text);
        buf_printf(&b, "--=_%.*s\r\n", STR_ARG(mail->id));
        add_body(&b, "text/html", mail->html);
        buf_printf(&b, "--=_%.*s--\r\n", STR_ARG(mail->id));
    }
    *ret_text = buf_str(&b);
    return 0;
}
