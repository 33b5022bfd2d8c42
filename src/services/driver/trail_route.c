/* GET /v1/drivers/{id}/trail: where he was, from oldest to newest. A page's cursor is the time of
 * its last fix. */
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "services/driver/service_internal.h"
#include "services/driver/trail.h"

#define TRAIL_PAGE_DEFAULT 2000

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
