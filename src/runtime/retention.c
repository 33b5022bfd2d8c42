#include "runtime/retention.h"

#include "base/check.h"
#include "base/timestamp.h"

#include <string.h>

#define RETENTION_PAGE_MAX 100
#define RETENTION_LIVING_US (5 * US_PER_S) /* after a page in which all stay */
#define RETENTION_IDLE_US (60 * US_PER_S)  /* after a round */

/* Removes those of DOCS that are over. Returns how many those are, or an error. */
static int remove_over(const struct retention *r, struct store *writer,
                       const struct store_doc *docs, int32_t count, int64_t before_us,
                       int64_t now_us, struct arena *a) {
    struct store_change *changes = arena_array(a, struct store_change, count + 1);
    struct json_parser *parser = json_parser_new();
    int32_t n = 0;
    for (int32_t i = 0; i < count; i++) {
        void *state;
        if (aggregate_decode(r->aggregate, &docs[i], parser, a, &state) < 0 ||
            !r->over(state, before_us))
            continue;
        changes[n++] = (struct store_change){.collection = r->aggregate->collection,
                                             .id = docs[i].id,
                                             .expected_version = docs[i].version,
                                             .remove = true,
                                             .commit_id = STR("prune"),
                                             .at_us = now_us};
    }
    json_parser_free(parser);
    /* One that was changed meanwhile stays, and is looked at in the next round. */
    int err = n > 0 ? writer->ops->commit(writer, changes, n, NULL, 0) : 0;
    return err < 0 ? err : n;
}

static void come_to(struct retention *r, struct str id) {
    CHECK(id.len < sizeof(r->after));
    if (id.len > 0)
        memcpy(r->after, id.p, id.len);
    r->after[id.len] = 0;
}

void retention_tick(struct retention *r, struct store *writer, struct str below_id,
                    int64_t before_us, int64_t now_us) {
    bool set_back = r->next_us > now_us + RETENTION_IDLE_US; /* the clock was */
    if (now_us < r->next_us && !set_back)
        return;
    struct arena a;
    struct store_doc *docs;
    int32_t count;
    arena_init(&a, 65536);
    struct store_query q = {.collection = r->aggregate->collection,
                            .after = r->after[0] != 0 ? str_from(r->after) : STR_NONE,
                            .until = below_id,
                            .ascending = true,
                            .limit = RETENTION_PAGE_MAX};
    int gone = writer->ops->list(writer, &q, &a, &docs, &count);
    if (gone == 0 && count > 0)
        gone = remove_over(r, writer, docs, count, before_us, now_us, &a);
    if (gone >= 0) { /* else the store has other worries: with the next tick */
        bool more = count == RETENTION_PAGE_MAX;
        come_to(r, more ? docs[count - 1].id : STR_NONE);
        r->next_us = !more      ? now_us + RETENTION_IDLE_US
                     : gone > 0 ? now_us
                                : now_us + RETENTION_LIVING_US;
    }
    arena_free(&a);
}
