/* GET /v1/bookings: newest first. The narrowest index that fits is walked: a customer's own, a
 * driver's own; staff see all, by phase when the filter is one. What the index does not say is
 * filtered on the way. A page that would have to look through more than LIST_SCAN_MAX documents
 * ends early, with a cursor that goes on from there: so a page may be short, and only a null
 * next_cursor means the end.
 */
#include "base/check.h"
#include "services/booking/internal.h"

#define LIST_SCAN_MAX 1000
#define MASK_OF(state) (1u << (state))
#define MASK_OPEN                                                                                  \
    (MASK_OF(BOOKING_REQUESTED) | MASK_OF(BOOKING_OFFERED) | MASK_OF(BOOKING_ASSIGNED) |           \
     MASK_OF(BOOKING_ARRIVED_PICKUP) | MASK_OF(BOOKING_PICKED_UP) |                                \
     MASK_OF(BOOKING_ARRIVED_DROPOFF))
#define MASK_FINAL                                                                                 \
    (MASK_OF(BOOKING_DELIVERED) | MASK_OF(BOOKING_CANCELLED) | MASK_OF(BOOKING_EXPIRED) |          \
     MASK_OF(BOOKING_FAILED))
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
            call_problem(c, PROBLEM_BAD_PARAMETER,
                         "state must be active, finished, or states of a booking (requested, "
                         "offered, assigned, arrived_pickup, picked_up, arrived_dropoff, "
                         "delivered, cancelled, expired, failed), with commas between them");
            return false;
        }
        mask |= word_mask;
        at = end + 1;
    }
    *ret_mask = mask;
    return true;
}

/* Which index to walk for CALL's caller. */
static void choose_index(struct call *c, unsigned mask, struct store_query *q) {
    if (c->who.role == ROLE_CUSTOMER) {
        q->index = "customer_id";
        q->key = c->who.user_id;
    } else if (c->who.role == ROLE_DRIVER) {
        q->index = "driver_id";
        q->key = id_with_prefix(&c->arena, c->who.user_id, "drv");
    } else if ((mask & MASK_FINAL) == 0) {
        q->index = "phase";
        q->key = STR(PHASE_OPEN);
    } else if ((mask & (mask - 1)) == 0) {
        q->index = "phase";
        q->key = str_from(booking_state_names[__builtin_ctz(mask)]);
    }
}

struct page {
    struct jw w;
    int32_t limit, written, scanned;
    bool more;
    struct str last_id; /* the last one looked at that the cursor may stand for */
};

/* Writes what fits of DOCS. 0, or an error of decoding. */
static int write_docs(struct call *c, struct page *p, unsigned mask, const struct store_doc *docs,
                      int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        if (p->scanned == LIST_SCAN_MAX) {
            p->more = true;
            return 0;
        }
        void *state;
        int err =
            aggregate_decode(&booking_aggregate, &docs[i], c->worker->parser, &c->arena, &state);
        if (err < 0)
            return err;
        const struct booking *b = state;
        bool fits = (mask & MASK_OF(b->state)) != 0;
        if (fits && p->written == p->limit) {
            p->more = true;
            return 0;
        }
        if (fits) {
            booking_write(&p->w, b, 0);
            p->written++;
        }
        p->scanned++;
        p->last_id = b->head.id;
    }
    return 0;
}

void handle_list(struct call *c) {
    struct page p = {0};
    unsigned mask;
    struct store_query q = {.collection = &booking_collection};
    if (!call_page(c, &p.limit, &q.after) || !read_filter(c, &mask))
        return;
    choose_index(c, mask, &q);
    q.limit = p.limit < STORE_LIST_MAX ? p.limit + 1 : STORE_LIST_MAX;
    struct buf out;
    buf_init(&out, &c->arena, 4096);
    jw_init(&p.w, &out);
    jw_object(&p.w);
    jw_key(&p.w, "items");
    jw_array(&p.w);
    struct store *reader = c->worker->reader;
    for (bool end = false; !end && !p.more;) {
        struct store_doc *docs;
        int32_t count;
        int err = reader->ops->list(reader, &q, &c->arena, &docs, &count);
        if (err == 0)
            err = write_docs(c, &p, mask, docs, count);
        if (err < 0) {
            call_error(c, err);
            return;
        }
        end = count < q.limit;
        q.after = p.last_id;
    }
    jw_end(&p.w);
    page_cursor(&p.w, &c->arena, p.more, p.last_id);
    jw_end(&p.w);
    call_json(c, 200, buf_str(&out));
}
