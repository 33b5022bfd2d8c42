/* Looks at a bundle, line by line, offline. The signature alone says whether anything was changed;
 * the chain, the seals and the numbers of the entries say what. custody.h tells their form.
 */
#include "services/booking/custody.h"

#include "base/check.h"
#include "base/err.h"
#include "services/booking/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FAULT_BYTES_MAX 256
#define LABEL_BYTES_MAX 80 /* of what a file says about itself, in a fault */

struct check {
    struct custody_report *report;
    struct arena *a;
    struct json_parser *parser;
    struct str jwks;
    struct str before; /* the chain up to here */
    int64_t seq, said_entries, said_unchained;
    int32_t line;
    int64_t proof_after; /* the last stop that was told of; -1: none yet */
};

static void fault(struct check *k, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fault(struct check *k, const char *format, ...) {
    struct custody_report *r = k->report;
    char text[FAULT_BYTES_MAX];
    va_list args;
    if (r->fault_count == CUSTODY_FAULTS_MAX) {
        r->fault_more++;
        return;
    }
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    r->faults[r->fault_count++] = arena_str(k->a, str_from(text));
}

/* ---- members ---- */

static struct str text_member(struct json_value object, const char *key) {
    struct json_value v;
    return json_kind(object) == JSON_IS_OBJECT && json_get(object, key, &v) &&
                   json_kind(v) == JSON_IS_STRING
               ? json_text(v)
               : STR_NONE;
}

static int64_t number_member(struct json_value object, const char *key) {
    struct json_value v;
    int64_t n;
    return json_kind(object) == JSON_IS_OBJECT && json_get(object, key, &v) && json_i64(v, &n) == 0
               ? n
               : -1;
}

static struct str canonical(struct json_value v, struct arena *a) {
    struct buf out;
    struct jw w;
    buf_init(&out, a, 512);
    jw_init(&w, &out);
    json_write(v, &w);
    return buf_str(&out);
}

/* ---- entries ---- */

/* "entry 3 (booking.assigned, 2026-…)": what the file says of itself, cut to size. */
static const char *label(struct json_value entry, int64_t seq, char room[LABEL_BYTES_MAX]) {
    struct str type = text_member(entry, "type"), at = text_member(entry, "at");
    snprintf(room, LABEL_BYTES_MAX, "entry %lld (%.*s, %.*s)", (long long)seq,
             type.len < 24 ? (int)type.len : 24, type.p != NULL ? type.p : "",
             at.len < 28 ? (int)at.len : 28, at.p != NULL ? at.p : "");
    return room;
}

static void missing(struct check *k, int64_t from, int64_t to) {
    if (from == to)
        fault(k, "entry %lld is missing", (long long)from);
    else if (from < to)
        fault(k, "entries %lld to %lld are missing", (long long)from, (long long)to);
}

static void check_seal(struct check *k, struct json_value line, struct json_value entry,
                       const char *name) {
    struct json_value sealed;
    if (!json_get(line, "sealed", &sealed)) {
        k->report->sealed++;
        return;
    }
    struct str text = canonical(sealed, k->a);
    if (!str_eq(digest_of(&text, 1, k->a), text_member(entry, "seal")))
        fault(k, "%s: what is sealed in it (who, why, the proof) was changed", name);
}

static void check_link(struct check *k, struct json_value line, struct json_value entry,
                       const char *name) {
    struct str chain = text_member(line, "chain");
    if (chain.p == NULL) {
        k->report->unchained++;
        if (k->seq > k->said_unchained)
            fault(k, "%s is not chained", name);
        return;
    }
    const struct str texts[] = {k->before, STR("\n"), canonical(entry, k->a)};
    if (!str_eq(digest_of(texts, COUNT_OF(texts), k->a), chain))
        fault(k, "%s was changed, or what stands before it: its chain does not fit", name);
    k->before = arena_str(k->a, chain);
}

static void check_entry(struct check *k, struct json_value line, struct json_value entry) {
    char room[LABEL_BYTES_MAX];
    int64_t seq = number_member(entry, "seq");
    const char *name = label(entry, seq, room);
    if (k->proof_after >= 0 || seq <= k->seq) {
        fault(k, "%s stands in the wrong place (line %d)", name, (int)k->line);
        return;
    }
    missing(k, k->seq + 1, seq - 1);
    k->seq = seq;
    k->report->entries++;
    check_seal(k, line, entry, name);
    check_link(k, line, entry, name);
}

/* ---- the other lines ---- */

static void check_head(struct check *k, struct json_value line) {
    k->report->booking_id = arena_str(k->a, text_member(line, "booking_id"));
    k->report->made_at = arena_str(k->a, text_member(line, "made_at"));
    k->said_entries = number_member(line, "entries");
    k->said_unchained = number_member(line, "unchained");
    if (number_member(line, "custody") != 1)
        fault(k, "line 1 does not begin a custody bundle of version 1");
    k->before = custody_first_link(k->report->booking_id, k->a);
}

/* TEXT: all lines before this one. */
static void check_signature(struct check *k, struct json_value v, struct str text) {
    struct signature s = {.kid = arena_str(k->a, text_member(v, "kid")),
                          .public_b64 = arena_str(k->a, text_member(v, "x")),
                          .value_b64 = arena_str(k->a, text_member(v, "value"))};
    struct str said = arena_str(k->a, text_member(v, "digest"));
    struct str digest = digest_of(&text, 1, k->a), known = STR_NONE;
    int found_before = k->report->fault_count;
    k->report->kid = s.kid;
    if (!str_is(text_member(v, "alg"), "EdDSA"))
        fault(k, "the signature is not of EdDSA");
    if (!str_eq(said, digest))
        fault(k, found_before > 0 ? "the lines are not those that were signed"
                                  : "the lines are not those that were signed; the chain holds: "
                                    "line 1, an entry from before there were chains, or what a "
                                    "stop was proven by was changed");
    if (!signature_good(&s, STR(CUSTODY_MARK), said, k->a))
        fault(k, "the signature is not one of its digest by the key it names");
    int err = k->jwks.p != NULL ? jwks_find(k->parser, k->jwks, s.kid, k->a, &known) : 0;
    if (err == ERR_INVALID)
        fault(k, "the file of keys is no JWKS document of Ed25519 keys");
    else if (err < 0)
        fault(k, "the key %.*s is not among the platform's keys", STR_ARG(s.kid));
    else if (known.p != NULL && !str_eq(known, s.public_b64))
        fault(k, "the key %.*s is not the platform's key of that name", STR_ARG(s.kid));
}

/* One line without its line break. BEFORE: all lines before it. True: it was the last there is to
 * be. */
static bool check_line(struct check *k, struct str text, struct str before) {
    struct json_value line, v;
    bool head = k->line++ == 0;
    if (json_parse(k->parser, text, &line) < 0) {
        fault(k, "line %d is no JSON", (int)k->line);
        return false;
    }
    if (!str_eq(canonical(line, k->a), text))
        fault(k, "line %d is not in the canonical form: it was changed", (int)k->line);
    if (head)
        check_head(k, line);
    else if (json_kind(line) != JSON_IS_OBJECT)
        fault(k, "line %d is nothing that a bundle has", (int)k->line);
    else if (json_get(line, "entry", &v))
        check_entry(k, line, v);
    else if (json_get(line, "signature", &v)) {
        missing(k, k->seq + 1, k->said_entries);
        check_signature(k, v, before);
        return true;
    } else if (json_get(line, "proof", &v) && number_member(line, "stop") > k->proof_after)
        k->proof_after = number_member(line, "stop");
    else
        fault(k, "line %d is nothing that a bundle has there", (int)k->line);
    return false;
}

void custody_check(struct str text, struct str jwks, struct arena *a, struct custody_report *ret) {
    struct check k = {
        .report = ret, .a = a, .parser = json_parser_new(), .jwks = jwks, .proof_after = -1};
    size_t at = 0;
    bool done = false;
    *ret = (struct custody_report){0};
    while (at < text.len && !done) {
        const char *end = memchr(text.p + at, '\n', text.len - at);
        size_t len = end != NULL ? (size_t)(end - text.p) - at : text.len - at;
        if (end == NULL)
            fault(&k, "the last line has no end: the file was cut off");
        done = check_line(&k, (struct str){text.p + at, len}, (struct str){text.p, at});
        at += len + (end != NULL);
    }
    if (!done)
        fault(&k, "there is no signature: the file was cut off");
    else if (at < text.len)
        fault(&k, "something stands behind the signature");
    json_parser_free(k.parser);
}

#define HEX_LEN 64
#define NAMED "\"sha256\":\"" /* not within a string: there its quotes are escaped */

int32_t custody_pictures(struct str text, struct str ret_hex[CUSTODY_PICTURES_MAX]) {
    const size_t head = strlen(NAMED);
    int32_t count = 0;
    for (size_t at = 0; count < CUSTODY_PICTURES_MAX;) {
        const char *p = memmem(text.p + at, text.len - at, NAMED, head);
        if (p == NULL)
            break;
        at = (size_t)(p - text.p) + head;
        if (text.len - at <= HEX_LEN || text.p[at + HEX_LEN] != '"')
            continue; /* custody_check has a word on that */
        struct str hex = {text.p + at, HEX_LEN};
        int32_t i = 0;
        while (i < count && !str_eq(ret_hex[i], hex))
            i++;
        ret_hex[i] = hex;
        count += i == count;
    }
    return count;
}

bool custody_names(struct str text, struct str sha256_hex) {
    char member[96];
    int len = snprintf(member, sizeof(member), "\"sha256\":\"%.*s\"", STR_ARG(sha256_hex));
    CHECK(len > 0 && (size_t)len < sizeof(member));
    return memmem(text.p, text.len, member, (size_t)len) != NULL;
}
