/* Matching is a walk over the table: some fifty entries, most of which differ in their number of
 * segments or their first letters.
 */
#include "runtime/routes.h"

#include "base/check.h"

#include <string.h>

static int32_t count_segments(struct str path) {
    int32_t n = 0;
    for (size_t i = 0; i < path.len; i++)
        n += path.p[i] == '/';
    return n;
}

void routes_add(struct routes *r, const struct route_entry *entries, int32_t count, void *service) {
    for (int32_t i = 0; i < count; i++) {
        CHECK(r->count < ROUTES_MAX);
        struct route_slot *slot = &r->slots[r->count++];
        slot->entry = &entries[i];
        slot->service = service;
        slot->segment_count = count_segments(str_from(entries[i].pattern));
    }
}

/* The segment that begins at P (after its '/'), up to END. */
static struct str segment_at(const char *p, const char *end) {
    const char *slash = memchr(p, '/', (size_t)(end - p));
    return (struct str){p, (size_t)((slash != NULL ? slash : end) - p)};
}

static bool match_path(const struct route_entry *entry, struct str path, struct str params[4]) {
    const char *pattern = entry->pattern;
    const char *pattern_end = pattern + strlen(pattern);
    const char *p = path.p, *end = path.p + path.len;
    int32_t n = 0;
    while (pattern < pattern_end && p < end) {
        if (*p != '/')
            return false;
        struct str want = segment_at(pattern + 1, pattern_end);
        struct str have = segment_at(p + 1, end);
        if (want.len > 0 && want.p[0] == '{') {
            if (have.len == 0)
                return false;
            CHECK(n < 4);
            params[n++] = have;
        } else if (!str_eq(want, have)) {
            return false;
        }
        pattern = want.p + want.len;
        p = have.p + have.len;
    }
    return pattern == pattern_end && p == end;
}

static bool method_fits(const char *method, struct str asked) {
    return str_is(asked, method) || (str_is(asked, "HEAD") && strcmp(method, "GET") == 0);
}

struct route_slot *routes_match(struct routes *r, struct call *c, struct str *ret_allow) {
    int32_t segments = count_segments(c->request.path);
    char allow[ROUTE_METHODS_TEXT_MAX] = "";
    for (int32_t i = 0; i < r->count; i++) {
        struct route_slot *slot = &r->slots[i];
        if (slot->segment_count != segments || !match_path(slot->entry, c->request.path, c->params))
            continue;
        if (method_fits(slot->entry->method, c->request.method))
            return slot;
        if (allow[0] != 0)
            strncat(allow, ", ", sizeof(allow) - strlen(allow) - 1);
        strncat(allow, slot->entry->method, sizeof(allow) - strlen(allow) - 1);
    }
    *ret_allow = allow[0] != 0 ? arena_str(&c->arena, str_from(allow)) : STR_NONE;
    return NULL;
}

unsigned routes_flags(const struct routes *r, struct str method, struct str path) {
    struct str params[4];
    for (int32_t i = 0; i < r->count; i++) {
        const struct route_entry *entry = r->slots[i].entry;
        if (method_fits(entry->method, method) && match_path(entry, path, params))
            return entry->flags;
    }
    return 0;
}

void routes_count(struct route_slot *slot, int status, int64_t duration_us) {
    int class = status / 100;
    slot->by_class[class >= 0 && class <= 5 ? class : 5]++;
    histogram_record(&slot->latency, duration_us);
}
