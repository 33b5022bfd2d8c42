/* GET /v1/drivers/{id}/trail: where he was, from oldest to newest. A page's cursor is the time of
 * its last fix. And the same stretch as a file (…/trail/file), and at equal steps (…/playback). */
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "services/driver/service_internal.h"
#include "services/driver/track.h"
#include "services/driver/trail.h"

#define TRAIL_PAGE_DEFAULT 2000
#define TRAIL_FILE_FIXES_MAX 20000 /* a day of one every five seconds */

/* After the fix that the cursor names. False: replied. */
static bool take_cursor(struct call *c, struct str cursor, int64_t *from_us) {
    int64_t after_us;
    if (cursor.p == NULL)
        return true;
    if (str_to_i64(cursor, &after_us) < 0 || after_us < 0 || after_us == INT64_MAX) {
        call_problem(c, PROBLEM_BAD_PARAMETER, "cursor must be the next_cursor of an earlier page");
        return false;
    }
    if (after_us >= *from_us)
        *from_us = after_us + 1;
    return true;
}

/* Is there such a driver? One who has sent fixes but never looked at his profile is none yet.
 * False: replied. */
static bool driver_exists(struct call *c, struct str id) {
    struct store_doc doc;
    struct store *store = c->worker->reader;
    int err = id_valid(id, "drv") ? store->ops->get(store, &driver_collection, id, &c->arena, &doc)
                                  : ERR_NOT_FOUND;
    if (err < 0)
        call_error(c, err);
    return err == 0;
}

static void reply_page(struct call *c, struct str id, const struct trail_page *page) {
    struct buf out;
    buf_init(&out, &c->arena, 256 + (size_t)page->count * 128);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "driver_id", id);
    jw_key(&w, "fixes");
    jw_array(&w);
    for (int32_t i = 0; i < page->count; i++) {
        jw_object(&w);
        fix_write(&w, &page->fixes[i]);
        jw_end(&w);
    }
    jw_end(&w);
    struct str last = STR_NONE;
    if (page->more)
        last = arena_printf(&c->arena, "%lld", (long long)page->fixes[page->count - 1].at_us);
    page_cursor(&w, &c->arena, page->more, last);
    jw_end(&w);
    call_json(c, 200, buf_str(&out));
}

void trail_get(struct call *c) {
    struct str id = c->params[0], cursor;
    int64_t until_us = c->now_us + FIX_AHEAD_US, from_us = c->now_us - US_PER_DAY;
    int32_t limit;
    if (!call_query_time(c, "from", &from_us) || !call_query_time(c, "to", &until_us) ||
        !call_page(c, &limit, &cursor) || !take_cursor(c, cursor, &from_us))
        return;
    if (call_query(c, "limit").p == NULL)
        limit = TRAIL_PAGE_DEFAULT; /* a line on a map, not a list to read */
    if (!driver_exists(c, id))
        return;
    struct trail_page page;
    int err = trail_read(c->worker->reader, c->worker->parser, id, from_us, until_us, limit,
                         &c->arena, &page);
    if (err == ERR_LIMIT)
        call_problem(c, PROBLEM_BAD_PARAMETER, "too many fixes: ask for a shorter stretch of time");
    else if (err < 0)
        call_error(c, err);
    else
        reply_page(c, id, &page);
}

/* ---- the whole of a stretch ---- */

/* The fixes of ?from= to ?to= of the driver in the path. False: replied. */
static bool take_stretch(struct call *c, int64_t *ret_from_us, int64_t *ret_until_us,
                         struct trail_page *ret_page) {
    int64_t until_us = c->now_us, from_us = c->now_us - US_PER_DAY;
    if (!call_query_time(c, "from", &from_us) || !call_query_time(c, "to", &until_us))
        return false;
    if (from_us >= until_us) {
        call_problem(c, PROBLEM_BAD_PARAMETER, "from must be before to");
        return false;
    }
    if (!driver_exists(c, c->params[0]))
        return false;
    int err = trail_read(c->worker->reader, c->worker->parser, c->params[0], from_us, until_us,
                         TRAIL_FILE_FIXES_MAX, &c->arena, ret_page);
    if (err == ERR_LIMIT || (err == 0 && ret_page->more))
        call_problem(c, PROBLEM_BAD_PARAMETER, "more than %d fixes: ask for a shorter stretch",
                     TRAIL_FILE_FIXES_MAX);
    else if (err < 0)
        call_error(c, err);
    *ret_from_us = from_us;
    *ret_until_us = until_us;
    return err == 0 && !ret_page->more;
}

void trail_file(struct call *c) {
    static const char *const formats[] = {NULL, "gpx", "geojson", NULL};
    int32_t format = 1;
    double tolerance_m = 0;
    int64_t from_us, until_us;
    struct trail_page page;
    struct buf out;
    if (!call_query_enum(c, "format", formats, &format) ||
        !call_query_f64(c, "simplify_m", false, 0, TRACK_TOLERANCE_M_MAX, &tolerance_m) ||
        !take_stretch(c, &from_us, &until_us, &page))
        return;
    if (tolerance_m > 0)
        page.count = track_simplify(page.fixes, page.count, tolerance_m);
    buf_init(&out, &c->arena, 512 + (size_t)page.count * 96);
    (format == 1 ? track_gpx : track_geojson)(page.fixes, page.count, c->params[0], &out);
    response_header(&c->response, "Content-Disposition",
                    arena_printf(&c->arena, "attachment; filename=\"%.*s.%s\"",
                                 STR_ARG(c->params[0]), formats[format]));
    response_header(&c->response, "Cache-Control", STR("private, no-store"));
    c->response.status = 200;
    c->response.content_type = format == 1 ? "application/gpx+xml" : "application/geo+json";
    c->response.body = buf_str(&out);
    c->reply(c);
}

void trail_playback(struct call *c) {
    int64_t step_s = 10, from_us, until_us;
    struct trail_page page;
    struct buf out;
    struct jw w;
    int32_t next = 0;
    if (!call_query_i64(c, "step_s", 1, 3600, &step_s) ||
        !take_stretch(c, &from_us, &until_us, &page))
        return;
    if ((until_us - from_us) / (step_s * US_PER_S) >= TRACK_STEPS_MAX) {
        call_problem(c, PROBLEM_BAD_PARAMETER,
                     "more than %d steps: ask for a shorter stretch, or longer steps",
                     TRACK_STEPS_MAX);
        return;
    }
    buf_init(&out, &c->arena, 4096);
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "driver_id", c->params[0]);
    jw_kv_time(&w, "from", from_us);
    jw_kv_i64(&w, "step_s", step_s);
    jw_key(&w, "positions");
    jw_array(&w);
    for (int64_t at_us = from_us; at_us <= until_us; at_us += step_s * US_PER_S) {
        struct fix f;
        if (!track_at(page.fixes, page.count, at_us, &next, &f)) {
            jw_null(&w);
            continue;
        }
        jw_object(&w);
        fix_write(&w, &f);
        jw_end(&w);
    }
    jw_end(&w);
    jw_end(&w);
    call_json(c, 200, buf_str(&out));
}
