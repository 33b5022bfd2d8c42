#include "services/driver/track.h"

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
               is_straight(fixes, from, to + 1, tolerance_m))
            to++;
        fixes[kept++] = fixes[from]; /* never ahead of where it reads */
        from = to > from ? to : from + 1;
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
