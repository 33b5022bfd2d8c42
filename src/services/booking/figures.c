#include "services/booking/figures.h"

#include "base/timestamp.h"
#include "json/writer.h"

#include <stddef.h>
#include <string.h>

#define AT(type, member) .flags = S_STORE, .offset = offsetof(struct type, member)
#define COUNT_AT(name, which)                                                                      \
    { name, S_I64, AT(figure, counts.n[which]) }
static const struct schema_field figure_fields[] = {
    {"at", S_TIME, AT(figure, at_us)},
    {"zone", S_STR, AT(figure, zone)},
    {"driver_id", S_ID, AT(figure, driver_id), .hint = "drv"},
    {"since", S_TIME, AT(figure, since_us)},
    COUNT_AT("requested", COUNT_REQUESTED),
    COUNT_AT("delivered", COUNT_DELIVERED),
    COUNT_AT("cancelled", COUNT_CANCELLED),
    COUNT_AT("expired", COUNT_EXPIRED),
    COUNT_AT("failed", COUNT_FAILED),
    COUNT_AT("accepted", COUNT_ACCEPTED),
    COUNT_AT("declined", COUNT_DECLINED),
    COUNT_AT("timed_out", COUNT_TIMED_OUT),
    COUNT_AT("assigned", COUNT_ASSIGNED),
    COUNT_AT("wait_s", COUNT_ASSIGN_WAIT_S),
    COUNT_AT("pickups", COUNT_PICKUPS),
    COUNT_AT("on_time", COUNT_ON_TIME),
    COUNT_AT("revenue", COUNT_REVENUE),
    COUNT_AT("fees", COUNT_FEES),
    COUNT_AT("tax", COUNT_TAX),
    COUNT_AT("commission", COUNT_COMMISSION),
    COUNT_AT("earnings", COUNT_EARNINGS),
    COUNT_AT("ratings", COUNT_RATINGS),
    COUNT_AT("stars", COUNT_STARS),
    COUNT_AT("busy_s", COUNT_BUSY_S),
    COUNT_AT("duty_s", COUNT_DUTY_S),
    COUNT_AT("by_customer", COUNT_OF_CUSTOMER),
};
const struct schema figure_schema = SCHEMA(struct figure, "Figure", figure_fields);

void counts_fill(struct counts *c) {
    for (int i = 0; i < COUNTS; i++) {
        if (c->n[i] == I64_ABSENT)
            c->n[i] = 0;
    }
}

void counts_strip(struct counts *c) {
    for (int i = 0; i < COUNTS; i++) {
        if (c->n[i] == 0)
            c->n[i] = I64_ABSENT;
    }
}

void counts_add(struct counts *to, const struct counts *from) {
    for (int i = 0; i < COUNTS; i++)
        to->n[i] += from->n[i];
}

/* ---- of a booking ---- */

struct tally {
    struct figure *figures;
    int32_t count;
    const struct booking *b;
};

static struct counts *of_house(struct tally *t, int64_t at_us) {
    struct figure *f = &t->figures[t->count++];
    *f = (struct figure){.at_us = at_us, .zone = t->b->terms.zone};
    return &f->counts;
}

/* The driver's figure; NULL where there is room for no more of them. */
static struct figure *of_driver(struct tally *t, struct str driver_id) {
    for (int32_t i = FIGURES_HOUSE; i < t->count; i++) {
        if (str_eq(t->figures[i].driver_id, driver_id))
            return &t->figures[i];
    }
    if (t->count >= FIGURES_MAX || driver_id.p == NULL)
        return NULL;
    struct figure *f = &t->figures[t->count++];
    *f = (struct figure){
        .at_us = t->b->ended_at_us, .zone = t->b->terms.zone, .driver_id = driver_id};
    return f;
}

static void count_offer(struct tally *t, struct counts *house, struct str driver_id,
                        enum count which) {
    struct figure *f = of_driver(t, driver_id);
    house->n[which]++;
    if (f != NULL)
        f->counts.n[which]++;
}

/* How drivers answered. An offer that was withdrawn, or that another one was quicker to take, was
 * no answer of theirs; nor is a dispatcher's choice. */
static void count_offers(struct tally *t, struct counts *house) {
    for (int32_t i = 0; i < t->b->timeline_count; i++) {
        const struct timeline_entry *e = &t->b->timeline[i];
        if (e->type == ENTRY_ASSIGNED && e->actor_kind == ROLE_DRIVER)
            count_offer(t, house, e->driver_id, COUNT_ACCEPTED);
        else if (e->type == ENTRY_OFFER_CLOSED &&
                 str_is(e->reason, close_reason_names[CLOSE_DECLINED]))
            count_offer(t, house, e->driver_id, COUNT_DECLINED);
        else if (e->type == ENTRY_OFFER_CLOSED &&
                 str_is(e->reason, close_reason_names[CLOSE_TIMED_OUT]))
            count_offer(t, house, e->driver_id, COUNT_TIMED_OUT);
    }
}

static const struct timeline_entry *first_entry(const struct booking *b, int32_t type,
                                                int32_t state) {
    for (int32_t i = 0; i < b->timeline_count; i++) {
        if (b->timeline[i].type == type && (state == BOOKING_NONE || b->timeline[i].state == state))
            return &b->timeline[i];
    }
    return NULL;
}

static void count_end(const struct booking *b, struct counts *c) {
    static const enum count ends[BOOKING_STATE_COUNT] = {
        [BOOKING_DELIVERED] = COUNT_DELIVERED, [BOOKING_CANCELLED] = COUNT_CANCELLED,
        [BOOKING_EXPIRED] = COUNT_EXPIRED,     [BOOKING_FAILED] = COUNT_FAILED,
        [BOOKING_RETURNED] = COUNT_FAILED, /* not deliverable: one figure for both */
    };
    c->n[ends[b->state]]++;
    const struct timeline_entry *cancelled = first_entry(b, ENTRY_CANCELLED, BOOKING_NONE);
    if (cancelled != NULL && cancelled->actor_kind == ROLE_CUSTOMER)
        c->n[COUNT_OF_CUSTOMER]++;
    const struct timeline_entry *assigned = first_entry(b, ENTRY_ASSIGNED, BOOKING_NONE);
    const struct timeline_entry *requested = first_entry(b, ENTRY_REQUESTED, BOOKING_NONE);
    if (assigned != NULL && requested != NULL) {
        c->n[COUNT_ASSIGNED]++;
        c->n[COUNT_ASSIGN_WAIT_S] += (assigned->at_us - requested->at_us) / US_PER_S;
    }
    const struct timeline_entry *there = first_entry(b, ENTRY_PROGRESSED, BOOKING_ARRIVED_PICKUP);
    int64_t due_us = b->pickup_window != NULL ? b->pickup_window->to_us : b->pickup_due_us;
    if (there != NULL && due_us != 0) {
        c->n[COUNT_PICKUPS]++;
        c->n[COUNT_ON_TIME] += there->at_us <= due_us + ON_TIME_US ? 1 : 0;
    }
    if (b->rating != NULL) {
        c->n[COUNT_RATINGS]++;
        c->n[COUNT_STARS] += b->rating->stars;
    }
}

/* Cash goes from hand to hand: it earns nobody anything. */
static void count_money(const struct booking *b, struct counts *c) {
    for (int32_t i = 0; i < b->ledger_count; i++) {
        const struct ledger_line *l = &b->ledger[i];
        if (l->code == LINE_CASH || l->code == LINE_COLLECTED)
            continue;
        if (l->account == LEDGER_CUSTOMER)
            c->n[COUNT_REVENUE] -= l->amount;
        if (l->account == LEDGER_CUSTOMER && l->code == LINE_FEE)
            c->n[COUNT_FEES] -= l->amount;
        if (l->account == LEDGER_TAX)
            c->n[COUNT_TAX] += l->amount;
        if (l->account == LEDGER_HOUSE)
            c->n[COUNT_COMMISSION] += l->amount;
        if (l->account == LEDGER_DRIVER)
            c->n[COUNT_EARNINGS] += l->amount;
    }
}

static void count_driver(struct tally *t, const struct counts *end) {
    const struct booking *b = t->b;
    struct figure *f = b->driver != NULL ? of_driver(t, b->driver->id) : NULL;
    if (f == NULL)
        return;
    counts_add(&f->counts, end);
    for (int32_t i = b->timeline_count; i-- > 0 && f->since_us == 0;) {
        const struct timeline_entry *e = &b->timeline[i];
        bool begins = e->type == ENTRY_ASSIGNED || e->type == ENTRY_DRIVER_FREE;
        if (begins && str_eq(e->driver_id, b->driver->id)) /* before, he was busy with another */
            f->since_us = e->at_us;
    }
    if (f->since_us != 0)
        f->counts.n[COUNT_BUSY_S] = (b->ended_at_us - f->since_us) / US_PER_S;
}

int32_t figures_of(const struct booking *b, struct figure *ret) {
    struct tally t = {.figures = ret, .b = b};
    if (b == NULL)
        return 0;
    of_house(&t, b->created_at_us)->n[COUNT_REQUESTED] = 1;
    if (b->ended_at_us == 0)
        return t.count;
    struct counts end = {{0}}, *house = of_house(&t, b->ended_at_us);
    count_end(b, &end);
    count_money(b, &end);
    count_offers(&t, house);
    counts_add(house, &end);
    count_driver(&t, &end);
    return t.count;
}

bool figures_carried(int32_t entry_type) {
    return entry_type == ENTRY_SCHEDULED || entry_type == ENTRY_REQUESTED ||
           entry_type == ENTRY_DELIVERED || entry_type == ENTRY_CANCELLED ||
           entry_type == ENTRY_EXPIRED || entry_type == ENTRY_FAILED ||
           entry_type == ENTRY_RETURNED || entry_type == ENTRY_RATED;
}

/* ---- what has become more ---- */

bool counts_none(const struct counts *c) {
    static const struct counts none;
    return memcmp(c, &none, sizeof(none)) == 0;
}

/* The one of OLD's that is of the same as I of NEXT's: first stands the request, then the end, then
 * drivers in any order. */
static const struct figure *same_of(const struct figure *old, int32_t old_count,
                                    const struct figure *next, int32_t i) {
    if (i < FIGURES_HOUSE)
        return i < old_count ? &old[i] : NULL;
    for (int32_t k = FIGURES_HOUSE; k < old_count; k++) {
        if (str_eq(old[k].driver_id, next[i].driver_id))
            return &old[k];
    }
    return NULL;
}

/* A booking that has not ended has one, and there are many of those. */
static int32_t tally_of(const struct booking *b, struct arena *a, struct figure **ret) {
    *ret = arena_array(a, struct figure, b != NULL && b->ended_at_us != 0 ? FIGURES_MAX : 1);
    return figures_of(b, *ret);
}

struct str figures_more(const struct booking *old, const struct booking *next, struct arena *a) {
    if (old != NULL && next->ended_at_us == 0)
        return STR_NONE; /* most changes: on its way */
    struct figure *of_old, *of_next;
    int32_t old_count = tally_of(old, a, &of_old), count = tally_of(next, a, &of_next);
    int32_t written = 0;
    struct buf out;
    struct jw w;
    buf_init(&out, a, 256);
    jw_init(&w, &out);
    jw_array(&w);
    for (int32_t i = 0; i < count; i++) {
        const struct figure *before = same_of(of_old, old_count, of_next, i);
        struct figure more = of_next[i];
        for (int n = 0; n < COUNTS && before != NULL; n++)
            more.counts.n[n] -= before->counts.n[n];
        if (counts_none(&more.counts))
            continue;
        if (more.counts.n[COUNT_BUSY_S] == 0)
            more.since_us = 0;
        counts_strip(&more.counts);
        schema_write(&figure_schema, &more, S_STORE, &w);
        written++;
    }
    jw_end(&w);
    return written > 0 ? buf_str(&out) : STR_NONE;
}
