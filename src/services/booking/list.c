/* GET /v1/bookings: newest first. The narrowest index that fits is walked: of a customer's or a
 * driver's own the key of the open ones or that of those that have ended, or both, merged; staff
 * see all, by phase when the filter is one. What the index does not say is filtered on the way, by
 * large pages. A page that would have to look through more than LIST_SCAN_MAX documents
 * ends early, with a cursor that goes on from there: so a page may be short, and only a null
 * next_cursor means the end.
 */
#include "base/check.h"
#include "services/booking/internal.h"

#define LIST_SCAN_MAX 1000
#define MASK_OF(state) (1u << (state))
#define MASK_OPEN                                                                                  \
    (MASK_OF(BOOKING_SCHEDULED) | MASK_OF(BOOKING_REQUESTED) | MASK_OF(BOOKING_OFFERED) |          \
     MASK_OF(BOOKING_ASSIGNED) | MASK_OF(BOOKING_ARRIVED_PICKUP) | MASK_OF(BOOKING_PICKED_UP) |    \
     MASK_OF(BOOKING_ARRIVED_DROPOFF) | MASK_OF(BOOKING_RETURNING) |                               \
     MASK_OF(BOOKING_ARRIVED_RETURN))
#define MASK_FINAL                                                                                 \
    (MASK_OF(BOOKING_DELIVERED) | MASK_OF(BOOKING_RETURNED) | MASK_OF(BOOKING_CANCELLED) |         \
     MASK_OF(BOOKING_EXPIRED) | MASK_OF(BOOKING_FAILED))
#define MASK_ALL (MASK_OPEN | MASK_FINAL)

/* The states that a word of the filter stands for; 0: none. */
static unsigned mask_of_word(struct str word) {
    if (str_is(word, "active"))
        return MASK_OPEN;
    if (str_is(word, "finished"))
        return MASK_FINAL;
    for (int32_t state = BOOKING_NONE + 1; state < BOOKING_STATE_COUNT; state++) {
        if (str_is(word, booking_state_names[state]))
            return MASK_OF(state);
    }
    return 0;
}

/* state=, a list with commas. False: replied. */
static bool read_filter(struct call *c, unsigned *ret_mask) {
    struct str text = call_query(c, "state");
    *ret_mask = MASK_ALL;
    if (text.p == NULL)
        return true;
    unsigned mask = 0;
    for (size_t at = 0; at <= text.len;) {
        size_t end = at;
        while (end < text.len && text.p[end] != ',')
            end++;
        unsigned word_mask = mask_of_word(str_sub(text, at, end - at));
        if (word_mask == 0) {
            call_problem(
                c, PROBLEM_BAD_PARAMETER,
                "state must be active, finished, or states of a booking (scheduled, "
                "requested, offered, assigned, arrived_pickup, picked_up, arrived_dropoff, "
                "returning, arrived_return, delivered, cancelled, expired, failed, returned), with "
                "commas between them");
            return false;
        }
        mask |= word_mask;
        at = end + 1;
    }
    *ret_mask = mask;
    return true;
}

/* What is walked. */
struct source {
    struct store_query q;
    struct str open_key; /* absent, or: what lies under this one, too */
    unsigned covers;     /* the states of what lies there */
};

/* A customer's, a driver's: the key of what is open, that of what has ended, or both. */
static void choose_own(struct call *c, unsigned mask, struct source *ret) {
    const struct booking_service *s = c->service;
    bool drives = c->who.role == ROLE_DRIVER;
    struct str own = drives ? id_with_prefix(&c->arena, c->who.user_id, "drv") : c->who.user_id;
    struct str open = booking_open_key(&c->arena, own);
    bool told_apart = !drives || atomic_load_explicit(&s->open_keys.gone, memory_order_acquire);
    ret->q.index = drives ? "driver_id" : "customer_id";
    ret->q.key = own;
    if ((mask & MASK_OPEN) == 0) {
        ret->covers = MASK_FINAL;
    } else if ((mask & MASK_FINAL) == 0 && told_apart) {
        ret->q.key = open;
        ret->covers = MASK_OPEN;
    } else {
        ret->open_key = open;
    }
}

/* Which index to walk for CALL's caller. His own list shows what he has been told is done; that of
 * everybody's may be some seconds behind. */
static void choose_index(struct call *c, unsigned mask, struct source *ret) {
    struct store_query *q = &ret->q;
    ret->covers = MASK_ALL;
    if (c->who.role == ROLE_CUSTOMER || c->who.role == ROLE_DRIVER) {
        choose_own(c, mask, ret);
        return;
    }
    q->may_lag = true;
    if ((mask & MASK_FINAL) == 0) {
        q->index = "phase";
        q->key = STR(PHASE_OPEN);
        ret->covers = MASK_OPEN;
    } else if ((mask & (mask - 1)) == 0) {
        q->index = "phase";
        q->key = str_from(booking_state_names[__builtin_ctz(mask)]);
        ret->covers = mask;
    }
}

struct walk {
    struct page page;
    int32_t limit, written, scanned;
    bool more;
    struct str last_id; /* the last one looked at that the cursor may stand for */
};

/* Writes what fits of DOCS. 0, or an error of decoding. */
static int write_docs(struct call *c, struct walk *walk, unsigned mask,
                      const struct store_doc *docs, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        if (walk->scanned == LIST_SCAN_MAX) {
            walk->more = true;
            return 0;
        }
        void *state;
        int err =
            aggregate_decode(&booking_aggregate, &docs[i], c->worker->parser, &c->arena, &state);
        if (err < 0)
            return err;
        const struct booking *b = state;
        bool fits = (mask & MASK_OF(b->state)) != 0;
        if (fits && walk->written == walk->limit) {
            walk->more = true;
            return 0;
        }
        if (fits) {
            struct booking_sight seen =
                booking_sight(c->service, b, booking_hats(b, &c->who), c->now_us);
            booking_write(&walk->page.w, b, NULL, &seen);
            walk->written++;
        }
        walk->scanned++;
        walk->last_id = b->head.id;
    }
    return 0;
}

/* The next documents of Q and of OPEN (its key alone differs), in one order. Where one of the two
 * may have more than it gave, the order is only known up to its last: the rest comes next time.
 * OPEN is read first: what ends meanwhile comes twice then, rather than not at all, and once is
 * taken out. */
static int merged_docs(struct store *reader, const struct store_query *q,
                       const struct store_query *open, struct arena *a, struct store_doc **ret_docs,
                       int32_t *ret_count, bool *ret_end) {
    struct store_doc *x = NULL, *y = NULL;
    int32_t x_count = 0, y_count = 0, n = 0, i = 0, j = 0;
    int err = reader->ops->list(reader, open, a, &x, &x_count);
    if (err == 0)
        err = reader->ops->list(reader, q, a, &y, &y_count);
    if (err < 0)
        return err;
    struct store_doc *docs = arena_array(a, struct store_doc, x_count + y_count + 1);
    bool x_more = x_count == q->limit, y_more = y_count == q->limit;
    while ((i < x_count || j < y_count) && !(x_more && i == x_count) && !(y_more && j == y_count)) {
        int order = i == x_count ? 1 : j == y_count ? -1 : str_cmp(y[j].id, x[i].id);
        i += order <= 0;
        if (order < 0)
            docs[n++] = x[i - 1];
        else
            docs[n++] = y[j++];
    }
    *ret_docs = docs;
    *ret_count = n;
    *ret_end = !x_more && !y_more;
    return 0;
}

static int next_docs(struct call *c, const struct source *from, struct store_doc **ret_docs,
                     int32_t *ret_count, bool *ret_end) {
    struct store *reader = c->worker->reader;
    const struct store_query *q = &from->q;
    if (from->open_key.p != NULL) {
        struct store_query open = *q;
        open.key = from->open_key;
        return merged_docs(reader, q, &open, &c->arena, ret_docs, ret_count, ret_end);
    }
    int err = reader->ops->list(reader, q, &c->arena, ret_docs, ret_count);
    if (err == 0)
        *ret_end = *ret_count < q->limit;
    return err;
}

void handle_list(struct call *c) {
    struct walk walk = {0};
    unsigned mask;
    struct source from = {.q = {.collection = &booking_collection}};
    if (!call_page(c, &walk.limit, &from.q.after) || !read_filter(c, &mask))
        return;
    choose_index(c, mask, &from);
    bool all = (from.covers & ~mask) == 0; /* else nobody knows how many have to be looked at */
    from.q.limit = all && walk.limit < STORE_LIST_MAX ? walk.limit + 1 : STORE_LIST_MAX;
    page_begin(&walk.page, c);
    for (bool end = false; !end && !walk.more;) {
        struct store_doc *docs;
        int32_t count;
        int err = next_docs(c, &from, &docs, &count, &end);
        if (err == 0)
            err = write_docs(c, &walk, mask, docs, count);
        if (err < 0) {
            call_error(c, err);
            return;
        }
        from.q.after = walk.last_id;
    }
    page_reply(&walk.page, walk.more, walk.last_id);
}
