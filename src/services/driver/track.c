#include "services/driver/track.h"

#include "base/check.h"
#include "base/timestamp.h"
#include "geo/geo.h"

#include <math.h>
#include <string.h>

/* How many fixes one straight line may stand for: the farthest of them is looked for at each step,
 * so this bounds the work for a fix. */
#define WINDOW_MAX 200

static bool gap_before(const struct fix *fixes, int32_t i) {
    return i > 0 && fixes[i].at_us - fixes[i - 1].at_us > TRACK_GAP_US;
}

/* ---- fewer fixes ---- */

/* Do all between FROM and TO lie on the line between these two? */
static bool is_straight(const struct fix *fixes, int32_t from, int32_t to, double tolerance_m) {
    double fraction;
    for (int32_t i = from + 1; i < to; i++)
        if (geo_off_line_m(fixes[from].at, fixes[to].at, fixes[i].at, &fraction) > tolerance_m)
            return false;
    return true;
}

int32_t track_simplify(struct fix *fixes, int32_t count, double tolerance_m) {
    int32_t kept = 0;
    for (int32_t from = 0; from < count;) {
        int32_t to = from; /* how far one line reaches */
        while (to + 1 < count && !gap_before(fixes, to + 1) && to + 1 - from <= WINDOW_MAX &&
               (to == from || fixes[to + 1].at_us - fixes[from].at_us <= TRACK_GAP_US) &&
               is_straight(fixes, from, to + 1, tolerance_m))
            to++;
        fixes[kept++] = fixes[from]; /* never ahead of where it reads */
        from = to > from ? to : from + 1;
    }
    return kept;
}

/* The fix between FROM and TO that is farthest from where the line has him at its time, if that is
 * farther than TOLERANCE_M; where all are near but the line lasts longer than a gap, one near its
 * middle, so that leaving out makes no gap; else -1. */
static int32_t split_at(const struct fix *fixes, int32_t from, int32_t to, double tolerance_m) {
    const struct fix *a = &fixes[from], *b = &fixes[to];
    int64_t whole_us = b->at_us - a->at_us;
    int32_t worst = -1, middle = -1;
    for (int32_t i = from + 1; i < to; i++) {
        int64_t since_us = fixes[i].at_us - a->at_us;
        struct point there = geo_toward(a->at, b->at, (double)since_us / (double)whole_us);
        double off_m = geo_distance_m(there, fixes[i].at);
        if (off_m > tolerance_m) {
            worst = i;
            tolerance_m = off_m;
        }
        if (middle < 0 && (since_us >= whole_us / 2 || i + 1 == to))
            middle = i;
    }
    return worst < 0 && whole_us > TRACK_GAP_US ? middle : worst;
}

int32_t track_thin(struct fix *fixes, int32_t count, double tolerance_m) {
    int32_t ends[WINDOW_MAX + 1], kept = 0; /* where the lines that are still to be judged end */
    for (int32_t from = 0; from < count;) {
        int32_t to = from, depth = 0;
        while (to + 1 < count && !gap_before(fixes, to + 1) && to - from < WINDOW_MAX)
            to++;
        if (from == 0 || gap_before(fixes, from))
            fixes[kept++] = fixes[from]; /* never ahead of where it reads */
        ends[depth++] = to;
        while (from < to) {
            int32_t middle = split_at(fixes, from, ends[depth - 1], tolerance_m);
            if (middle >= 0) {
                CHECK(depth <= WINDOW_MAX);
                ends[depth++] = middle;
                continue;
            }
            from = ends[--depth];
            fixes[kept++] = fixes[from];
        }
        if (to + 1 == count || gap_before(fixes, to + 1))
            from = to + 1;
    }
    return kept;
}

/* ---- at equal steps ---- */

bool track_at(const struct fix *fixes, int32_t count, int64_t at_us, int32_t *next,
              struct fix *ret_fix) {
    while (*next < count && fixes[*next].at_us < at_us)
        ++*next;
    int32_t i = *next;
    if (i == count)
        return false;
    if (fixes[i].at_us == at_us) {
        *ret_fix = fixes[i];
        return true;
    }
    if (i == 0 || gap_before(fixes, i))
        return false;
    const struct fix *a = &fixes[i - 1], *b = &fixes[i];
    double fraction = (double)(at_us - a->at_us) / (double)(b->at_us - a->at_us);
    *ret_fix = *a;
    ret_fix->at_us = at_us;
    ret_fix->at = geo_toward(a->at, b->at, fraction);
    return true;
}

/* ---- files ---- */

static void add_degrees(struct buf *out, int32_t e7) {
    struct jw w;
    jw_init(&w, out);
    jw_deg7(&w, e7);
}

void track_gpx(const struct fix *fixes, int32_t count, struct str name, struct buf *out) {
    char at[TIMESTAMP_TEXT_MAX];
    buf_printf(out,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
               "<gpx version=\"1.1\" creator=\"Lorry\""
               " xmlns=\"http://www.topografix.com/GPX/1/1\">\n<trk><name>%.*s</name>\n",
               STR_ARG(name));
    for (int32_t i = 0; i < count; i++) {
        if (i == 0 || gap_before(fixes, i))
            buf_add_cstr(out, i == 0 ? "<trkseg>\n" : "</trkseg>\n<trkseg>\n");
        buf_add_cstr(out, "<trkpt lat=\"");
        add_degrees(out, fixes[i].at.lat_e7);
        buf_add_cstr(out, "\" lon=\"");
        add_degrees(out, fixes[i].at.lng_e7);
        timestamp_format(fixes[i].at_us, at);
        buf_printf(out, "\"><time>%s</time></trkpt>\n", at);
    }
    buf_add_cstr(out, count > 0 ? "</trkseg>\n</trk>\n</gpx>\n" : "</trk>\n</gpx>\n");
}

/* Of each stretch a list of EACH's; a line has two ends, so one that is a point has it twice. */
static void write_stretches(const struct fix *fixes, int32_t count, struct jw *w,
                            void (*each)(const struct fix *f, struct jw *w)) {
    jw_array(w);
    for (int32_t i = 0; i < count; i++) {
        bool begins = i == 0 || gap_before(fixes, i);
        bool ends = i + 1 == count || gap_before(fixes, i + 1);
        if (begins)
            jw_array(w);
        each(&fixes[i], w);
        if (begins && ends)
            each(&fixes[i], w);
        if (ends)
            jw_end(w);
    }
    jw_end(w);
}

static void write_place(const struct fix *f, struct jw *w) {
    jw_array(w);
    jw_deg7(w, f->at.lng_e7);
    jw_deg7(w, f->at.lat_e7);
    jw_end(w);
}

static void write_time(const struct fix *f, struct jw *w) {
    jw_time(w, f->at_us);
}

void track_geojson(const struct fix *fixes, int32_t count, struct str name, struct buf *out) {
    struct jw w;
    jw_init(&w, out);
    jw_object(&w);
    jw_kv_str(&w, "type", STR("Feature"));
    jw_key(&w, "geometry");
    jw_object(&w);
    jw_kv_str(&w, "type", STR("MultiLineString"));
    jw_key(&w, "coordinates");
    write_stretches(fixes, count, &w, write_place);
    jw_end(&w);
    jw_key(&w, "properties");
    jw_object(&w);
    jw_kv_str(&w, "name", name);
    jw_key(&w, "coordTimes");
    write_stretches(fixes, count, &w, write_time);
    jw_end(&w);
    jw_end(&w);
}
