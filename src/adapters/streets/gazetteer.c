/* Every name is folded once: small letters, accents gone, so that "Goteborg" finds "Göteborg". A
 * street is a run of segments of one name; where a name occurs in places far apart each is a street
 * of its own. The search walks all names: a city has some thousand, and each is judged by a few
 * comparisons; only when too few begin like the text are letters allowed to be wrong.
 *
 * Two names with a comma or the like between them are a corner, if those streets meet; else what
 * stands behind the comma (a town) is left out. House numbers are not known here: where nothing is
 * called so, the street without the number is what is meant.
 */
#include "adapters/streets/gazetteer.h"

#include "base/buf.h"
#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#define APART_M                                                                                    \
    1500.0 /* pieces of one name farther from its street than this are another street              \
            */
#define FOLDED_MAX 256
#define TYPOS_MAX 2
#define TYPO_CHARS_MAX 64
#define CROSSINGS_MAX 64     /* segments of a street that are looked at for a cross street */
#define CROSS_STREET_M 500.0 /* a corner farther away says nothing of where it is */
#define SAME_CORNER_M 200.0
#define CORNERS_FIRST_MAX 32 /* streets of the first name that are tried for a corner */

struct street {
    uint32_t name;
    uint32_t first, count; /* in `segments` */
    uint32_t cm;           /* the length; the longer of two equals comes first */
    struct point middle;
};
struct gazetteer {
    const struct graph *g;
    uint32_t *segments; /* with a name, street by street */
    struct street *streets;
    uint32_t street_count;
    char *folded; /* of names, one after the other, each ended by 0 */
    uint32_t *folded_at;
    uint32_t *node_first, *node_segments; /* which named segments meet at a node */
};

/* ---- folding ---- */

/* Latin letters with marks (U+00C0 up to U+017F) by what they are without; 0: as it is. */
static char plain_letter(uint32_t c) {
    static const char latin1[] = "aaaaaaaceeeeiiiidnooooo\0ouuuuyts"
                                 "aaaaaaaceeeeiiiidnooooo\0ouuuuyty";
    static const char extended[] = "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiii\0\0jjkkk"
                                   "llllllllllnnnnnnn\0\0oooooo\0\0rrrrrrssssssssttttttuuuuuuuuuuuu"
                                   "wwyyyzzzzzzs";
    if (c >= 0xc0 && c <= 0xff)
        return latin1[c - 0xc0];
    if (c >= 0x100 && c < 0x100 + sizeof extended - 1)
        return extended[c - 0x100];
    return 0;
}

/* One character of UTF-8 from S at *AT, which moves on. S is valid, or bytes stand for themselves.
 */
static uint32_t next_char(struct str s, size_t *at) {
    unsigned char c = (unsigned char)s.p[(*at)++];
    int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
    uint32_t value = more == 0 ? c : c & (0x3fU >> more);
    while (more-- > 0 && *at < s.len && ((unsigned char)s.p[*at] & 0xc0) == 0x80)
        value = value << 6 | ((unsigned char)s.p[(*at)++] & 0x3f);
    return value;
}

/* Greek and Cyrillic capitals as small letters; 0: it is none. All of them are two bytes. */
static uint32_t small_letter(uint32_t c) {
    if ((c >= 0x391 && c <= 0x3a9) || (c >= 0x410 && c <= 0x42f))
        return c + 0x20;
    return c >= 0x400 && c <= 0x40f ? c + 0x50 : 0;
}

/* Writes what S is searched by: words of plain small letters with one space between. */
static size_t fold(struct str s, char out[FOLDED_MAX]) {
    size_t n = 0;
    for (size_t at = 0; at < s.len && n + 5 < FOLDED_MAX;) {
        size_t from = at;
        uint32_t c = next_char(s, &at);
        char plain = plain_letter(c);
        uint32_t small = small_letter(c);
        if (c >= 'A' && c <= 'Z')
            out[n++] = (char)(c + 32);
        else if (c == 0xdf) /* as Swiss and typewriters have it */
            out[n++] = 's', out[n++] = 's';
        else if (small != 0)
            out[n++] = (char)(0xc0 | small >> 6), out[n++] = (char)(0x80 | (small & 0x3f));
        else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            out[n++] = (char)c;
        else if (plain != 0)
            out[n++] = plain;
        else if (c >= 0x80)
            while (from < at)
                out[n++] = s.p[from++];
        else if (n > 0 && out[n - 1] != ' ')
            out[n++] = ' ';
    }
    while (n > 0 && out[n - 1] == ' ')
        n--;
    out[n] = 0;
    return n;
}

static void fold_names(struct gazetteer *z) {
    struct buf all;
    char folded[FOLDED_MAX];
    buf_init(&all, NULL, 4096);
    z->folded_at = xcalloc((size_t)z->g->counts.names + 1, sizeof *z->folded_at);
    for (uint32_t i = 0; i < z->g->counts.names; i++) {
        z->folded_at[i] = (uint32_t)all.len;
        buf_add(&all, folded, fold(graph_name(z->g, i), folded));
        buf_add_char(&all, 0);
    }
    buf_add_char(&all, 0);
    z->folded = all.p;
}

/* ---- streets ---- */

struct bearer {
    uint32_t name, segment;
};

static int by_name(const void *left, const void *right) {
    const struct bearer *a = left, *b = right;
    if (a->name != b->name)
        return a->name < b->name ? -1 : 1;
    return a->segment < b->segment ? -1 : a->segment > b->segment;
}

static struct point middle_of(const struct graph *g, uint32_t segment) {
    const struct segment *s = &g->segments[segment];
    return geo_toward(g->at[s->ends[0]], g->at[s->ends[1]], 0.5);
}

/* Takes from BEARERS[first..last) those near the first one as a street, the rest to the end;
 * returns where the rest begins. */
static size_t take_street(struct gazetteer *z, struct bearer *bearers, size_t first, size_t last) {
    const struct graph *g = z->g;
    struct street *street = &z->streets[z->street_count++];
    struct point seed = middle_of(g, bearers[first].segment);
    double lat = 0, lng = 0, sum = 0;
    size_t end = first;
    *street = (struct street){.name = bearers[first].name, .first = (uint32_t)first};
    for (size_t i = first; i < last; i++) {
        struct point at = middle_of(g, bearers[i].segment);
        if (geo_distance_m(seed, at) > APART_M)
            continue;
        double cm = g->segments[bearers[i].segment].cm;
        lat += cm * ((double)at.lat_e7 - seed.lat_e7);
        lng += cm * ((double)at.lng_e7 - seed.lng_e7);
        sum += cm;
        struct bearer swap = bearers[end];
        bearers[end++] = bearers[i];
        bearers[i] = swap;
    }
    street->count = (uint32_t)(end - first);
    street->cm = (uint32_t)sum;
    struct point mean = {(int32_t)(seed.lat_e7 + lat / sum), (int32_t)(seed.lng_e7 + lng / sum)};
    double best_m = 1e12;
    for (size_t i = first; i < end; i++) { /* the mean may lie beside the road */
        struct point at = middle_of(g, bearers[i].segment);
        double m = geo_distance_m(mean, at);
        if (m < best_m) {
            best_m = m;
            street->middle = at;
        }
    }
    return end;
}

static void make_streets(struct gazetteer *z) {
    const struct graph *g = z->g;
    struct bearer *bearers = xcalloc((size_t)g->counts.segments + 1, sizeof *bearers);
    size_t count = 0, end;
    for (uint32_t i = 0; i < g->counts.segments; i++) {
        if (g->segments[i].name != NONE)
            bearers[count++] = (struct bearer){g->segments[i].name, i};
    }
    qsort(bearers, count, sizeof *bearers, by_name);
    z->streets = xcalloc(count + 1, sizeof *z->streets);
    for (size_t first = 0; first < count; first = end) {
        for (end = first; end < count && bearers[end].name == bearers[first].name;)
            end++;
        for (size_t at = first; at < end;)
            at = take_street(z, bearers, at, end);
    }
    z->streets = xrealloc(z->streets, (z->street_count + 1) * sizeof *z->streets);
    z->segments = xcalloc(count + 1, sizeof *z->segments);
    for (size_t i = 0; i < count; i++)
        z->segments[i] = bearers[i].segment;
    free(bearers);
}

/* Lists the named segments at each node: counted, then filled in. */
static void join_nodes(struct gazetteer *z) {
    const struct graph *g = z->g;
    uint32_t *next = xcalloc((size_t)g->counts.nodes + 1, sizeof *next), total = 0;
    for (uint32_t i = 0; i < g->counts.segments; i++) {
        for (int end = 0; g->segments[i].name != NONE && end < 2; end++)
            next[g->segments[i].ends[end]]++;
    }
    z->node_first = xcalloc((size_t)g->counts.nodes + 1, sizeof *z->node_first);
    for (uint32_t node = 0; node < g->counts.nodes; node++) {
        z->node_first[node] = total;
        total += next[node];
        next[node] = z->node_first[node];
    }
    z->node_first[g->counts.nodes] = total;
    z->node_segments = xcalloc((size_t)total + 1, sizeof *z->node_segments);
    for (uint32_t i = 0; i < g->counts.segments; i++) {
        for (int end = 0; g->segments[i].name != NONE && end < 2; end++)
            z->node_segments[next[g->segments[i].ends[end]]++] = i;
    }
    free(next);
}

struct gazetteer *gazetteer_new(const struct graph *g) {
    struct gazetteer *z = xcalloc(1, sizeof(*z));
    z->g = g;
    fold_names(z);
    make_streets(z);
    join_nodes(z);
    return z;
}

struct gazetteer *gazetteer_free(struct gazetteer *z) {
    if (z == NULL)
        return NULL;
    free(z->segments);
    free(z->streets);
    free(z->folded);
    free(z->folded_at);
    free(z->node_first);
    free(z->node_segments);
    free(z);
    return NULL;
}

/* ---- searching ---- */

enum { NO_MATCH = 100 };

/* How few letters have to be put in, left out, changed or swapped to make of TEXT a beginning of
 * NAME; MAX + 1 for more than MAX. (Damerau and Levenshtein's distance, of the best prefix.) */
static int typos(struct str text, const char *name, int max) {
    int rows[3][TYPO_CHARS_MAX + 1];
    size_t len = strlen(name) < TYPO_CHARS_MAX ? strlen(name) : TYPO_CHARS_MAX;
    if (text.len + (size_t)max < len)
        len = text.len + (size_t)max; /* what comes after cannot matter */
    for (size_t j = 0; j <= len; j++)
        rows[0][j] = (int)j;
    for (size_t i = 1; i <= text.len; i++) {
        int *row = rows[i % 3], *last = rows[(i - 1) % 3], *before = rows[(i + 1) % 3];
        int least = row[0] = (int)i;
        for (size_t j = 1; j <= len; j++) {
            int cost = text.p[i - 1] != name[j - 1];
            int best = last[j - 1] + cost;
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && text.p[i - 1] == name[j - 2] && text.p[i - 2] == name[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
            least = best < least ? best : least;
        }
        if (least > max)
            return max + 1;
    }
    int best = max + 1;
    for (size_t j = 0; j <= len; j++)
        best = rows[text.len % 3][j] < best ? rows[text.len % 3][j] : best;
    return best;
}

/* Do words of NAME begin with those of TEXT, in their order? "av ipir" is "Avenida Ipiranga", and
 * "rua andradas" the "Rua dos Andradas". */
static bool words_fit(struct str text, const char *name) {
    for (size_t from = 0; from < text.len;) {
        size_t to = from;
        while (to < text.len && text.p[to] != ' ')
            to++;
        while (name != NULL && strncmp(name, text.p + from, to - from) != 0) {
            name = strchr(name, ' ');
            name = name != NULL ? name + 1 : NULL;
        }
        if (name == NULL)
            return false;
        name = strchr(name, ' '); /* the next word is looked for behind this one */
        name = name != NULL ? name + 1 : NULL;
        from = to + 1;
    }
    return true;
}

/* As typos(), of the best word to begin at; those behind the first cost more. */
static int typos_anywhere(struct str text, const char *name, int max) {
    int best = typos(text, name, max);
    if (best <= max)
        return best;
    for (const char *at = strchr(name, ' '); at != NULL; at = strchr(at + 1, ' ')) {
        int wrong = typos(text, at + 1, max);
        best = wrong < best ? wrong : best;
    }
    return best <= max ? best + TYPOS_MAX : NO_MATCH;
}

/* How well NAME (folded) fits: 0 it is TEXT, 1 it begins so, 2 a word of it does, 3 its words do
 * one by one, 4 and more: with letters wrong. */
static int fit(struct str text, const char *name, int typos_max) {
    struct str whole = str_from(name);
    if (str_eq(whole, text))
        return 0;
    if (whole.len >= text.len && memcmp(name, text.p, text.len) == 0)
        return 1;
    for (const char *at = strchr(name, ' '); at != NULL; at = strchr(at + 1, ' ')) {
        if (strncmp(at + 1, text.p, text.len) == 0)
            return 2;
    }
    if (words_fit(text, name))
        return 3;
    int wrong = typos_max > 0 ? typos_anywhere(text, name, typos_max) : NO_MATCH;
    return wrong < NO_MATCH ? 3 + wrong : NO_MATCH;
}

struct match {
    int fit;
    uint32_t cm;
    uint32_t street;
};

static bool better(struct match a, struct match b) {
    if (a.fit != b.fit)
        return a.fit < b.fit;
    return a.cm != b.cm ? a.cm > b.cm : a.street < b.street;
}

static int32_t insert(struct match *found, int32_t count, int32_t limit, struct match m) {
    if (count == limit && !better(m, found[count - 1]))
        return count;
    int32_t at = count < limit ? count : limit - 1;
    for (; at > 0 && better(m, found[at - 1]); at--)
        found[at] = found[at - 1];
    found[at] = m;
    return count < limit ? count + 1 : count;
}

/* The name of a street that crosses S near its middle; absent when none does. */
static struct str crossing(const struct gazetteer *z, const struct street *s) {
    const struct graph *g = z->g;
    double best_m = 1e12;
    uint32_t best = NONE;
    for (uint32_t i = 0; i < s->count && i < CROSSINGS_MAX; i++) {
        const struct segment *segment = &g->segments[z->segments[s->first + i]];
        for (int end = 0; end < 2; end++) {
            uint32_t node = segment->ends[end];
            double m = geo_distance_m(s->middle, g->at[node]);
            for (uint32_t k = z->node_first[node]; m < best_m && k < z->node_first[node + 1]; k++) {
                uint32_t name = g->segments[z->node_segments[k]].name;
                if (name != s->name) {
                    best = name;
                    best_m = m;
                }
            }
        }
    }
    return graph_name(g, best);
}

/* ---- a place on a street, and what crosses there ---- */

/* Looks at NODE for a street other than NAME, and adds the pieces of NAME there to QUEUE. */
static uint32_t look_at_node(const struct gazetteer *z, uint32_t node, uint32_t name,
                             uint32_t queue[CROSSINGS_MAX], uint32_t *count) {
    uint32_t other = NONE;
    for (uint32_t k = z->node_first[node]; k < z->node_first[node + 1]; k++) {
        uint32_t segment = z->node_segments[k], i = 0;
        if (z->g->segments[segment].name != name) {
            other = z->g->segments[segment].name;
            continue;
        }
        while (i < *count && queue[i] != segment)
            i++;
        if (i == *count && i < CROSSINGS_MAX)
            queue[(*count)++] = segment;
    }
    return other;
}

/* Goes from SEGMENT along its street, both ways, and takes the corner that is nearest to AT. */
struct str gazetteer_cross_street(const struct gazetteer *z, uint32_t segment, struct point at) {
    const struct graph *g = z->g;
    uint32_t queue[CROSSINGS_MAX] = {segment}, count = 1, best = NONE, name;
    double best_m = CROSS_STREET_M;
    name = g->segments[segment].name;
    for (uint32_t i = 0; i < count; i++) {
        for (int end = 0; end < 2; end++) {
            uint32_t node = g->segments[queue[i]].ends[end];
            double m = geo_distance_m(at, g->at[node]);
            uint32_t other = m < best_m ? look_at_node(z, node, name, queue, &count) : NONE;
            if (other != NONE) {
                best = other;
                best_m = m;
            }
        }
    }
    return graph_name(g, best);
}

/* ---- what people type ---- */

/* The streets that WANTED (folded) may mean, best first. */
static int32_t find(const struct gazetteer *z, struct str wanted, bool may_err, struct match *found,
                    int32_t limit) {
    int32_t count = 0;
    may_err = may_err && wanted.len >= 4 && wanted.len <= TYPO_CHARS_MAX;
    for (int wrong = 0; wrong <= (may_err ? 1 : 0) && count < limit; wrong++) {
        int typos_max = wrong == 0 ? 0 : wanted.len >= 8 ? TYPOS_MAX : 1;
        count = 0;
        for (uint32_t i = 0; i < z->street_count; i++) {
            const struct street *s = &z->streets[i];
            int f = fit(wanted, z->folded + z->folded_at[s->name], typos_max);
            if (f < NO_MATCH)
                count = insert(found, count, limit, (struct match){f, s->cm, i});
        }
    }
    return count;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Where the last word of TEXT begins. */
static size_t last_word(struct str text) {
    size_t from = text.len;
    while (from > 0 && text.p[from - 1] != ' ')
        from--;
    return from;
}

/* TEXT (folded) without the number of a house at its end ("12", "12b", "12 b") or its beginning;
 * the same if it has none, or is nothing else. */
static struct str without_number(struct str text) {
    size_t from = last_word(text), to = 0;
    if (from > 1 && from + 1 == text.len) {
        size_t before = last_word(str_sub(text, 0, from - 1));
        from = is_digit(text.p[before]) ? before : from;
    }
    if (from > 1 && is_digit(text.p[from]))
        return str_sub(text, 0, from - 1);
    while (to < text.len && text.p[to] != ' ')
        to++;
    if (to + 1 < text.len && is_digit(text.p[0]))
        return str_sub(text, to + 1, text.len - to - 1);
    return text;
}

static int32_t find_street(const struct gazetteer *z, struct str wanted, struct match *found,
                           int32_t limit) {
    struct str bare = without_number(wanted);
    if (bare.len < wanted.len && find(z, wanted, false, found, 1) == 0)
        wanted = bare;
    return find(z, wanted, true, found, limit);
}

/* Where street S meets one that is called like WANTED; *RET_NAME is how. False: nowhere. */
static bool corner_of(const struct gazetteer *z, const struct street *s, struct str wanted,
                      int typos_max, uint32_t *ret_name, struct point *ret_at) {
    const struct graph *g = z->g;
    int best = NO_MATCH;
    for (uint32_t i = 0; i < s->count; i++) {
        const struct segment *segment = &g->segments[z->segments[s->first + i]];
        for (int end = 0; end < 2; end++) {
            uint32_t node = segment->ends[end];
            for (uint32_t k = z->node_first[node]; k < z->node_first[node + 1]; k++) {
                uint32_t name = g->segments[z->node_segments[k]].name;
                int f = name != s->name ? fit(wanted, z->folded + z->folded_at[name], typos_max)
                                        : NO_MATCH;
                if (f < best) {
                    best = f;
                    *ret_name = name;
                    *ret_at = g->at[node];
                }
            }
        }
    }
    return best < NO_MATCH;
}

/* Is AT, where streets of these names meet, one of PLACES already? A wide road meets the other with
 * each of its lanes. */
static bool is_there(const struct atlas_place *places, int32_t count, struct atlas_place p) {
    for (int32_t i = 0; i < count; i++) {
        if (str_eq(places[i].label, p.label) && str_eq(places[i].detail, p.detail) &&
            geo_distance_m(places[i].at, p.at) < SAME_CORNER_M)
            return true;
    }
    return false;
}

/* Where streets called FIRST and SECOND meet. */
static int32_t find_corners(const struct gazetteer *z, struct str first, struct str second,
                            int32_t limit, struct arena *a, struct atlas_place *ret_places) {
    struct match found[CORNERS_FIRST_MAX];
    int32_t streets = find_street(z, first, found, CORNERS_FIRST_MAX), count = 0;
    second = without_number(second);
    for (int wrong = 0; wrong <= (second.len >= 4 ? 1 : 0) && count == 0; wrong++) {
        for (int32_t i = 0; i < streets && count < limit; i++) {
            const struct street *s = &z->streets[found[i].street];
            uint32_t name;
            struct point at;
            if (!corner_of(z, s, second, wrong, &name, &at))
                continue;
            struct atlas_place p = {.label = graph_name(z->g, s->name),
                                    .detail = arena_str(a, graph_name(z->g, name)),
                                    .at = at};
            if (!is_there(ret_places, count, p))
                ret_places[count++] = p;
        }
    }
    return count;
}

/* Where TEXT falls into two parts; its length: nowhere. */
static size_t parting(struct str text) {
    size_t at = 0;
    while (at < text.len && strchr(",/&+;", text.p[at]) == NULL)
        at++;
    return at;
}

int32_t gazetteer_search(const struct gazetteer *z, struct str text, int32_t limit, struct arena *a,
                         struct atlas_place *ret_places) {
    char folded[FOLDED_MAX], folded_rest[FOLDED_MAX];
    struct match found[ATLAS_PLACES_MAX];
    CHECK(limit >= 1 && limit <= ATLAS_PLACES_MAX);
    size_t at = parting(text);
    struct str wanted = {folded, fold(str_sub(text, 0, at), folded)}, rest = STR_NONE;
    if (at < text.len)
        rest =
            (struct str){folded_rest, fold(str_sub(text, at + 1, text.len - at - 1), folded_rest)};
    if (wanted.len == 0)
        return 0;
    int32_t corners = rest.len > 0 ? find_corners(z, wanted, rest, limit, a, ret_places) : 0;
    if (corners > 0)
        return corners;
    int32_t count = find_street(z, wanted, found, limit);
    for (int32_t i = 0; i < count; i++) {
        const struct street *s = &z->streets[found[i].street];
        struct str cross = crossing(z, s);
        ret_places[i] = (struct atlas_place){
            .label = graph_name(z->g, s->name), .detail = arena_str(a, cross), .at = s->middle};
    }
    return count;
}
