/* What a search must know beside its document: who is near, and how long each would need. It is
 * asked of the roster and the router on the executor's thread, before anything is decided.
 *
 * Searches of one batch, or of batches that follow each other quickly, would all ask for the same
 * nearest driver, and all but one in vain. So a search reserves whom it is likely to choose; the
 * others pass him over until the claim has reached him, or the reservation has run out.
 */
#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "services/driver/cash.h"
#include "services/driver/search.h"

#include <math.h>
#include <string.h>

#define FREE_MAX 64      /* the nearest free ones looked at: some of them were asked before */
#define BUSY_MAX 8       /* the nearest of all: for the trace */
#define ENDING_MAX 8     /* the nearest of those about to finish */
#define GUESS_MPS 8      /* in a straight line, before the router is asked */
#define FREE_IN_S_MIN 30 /* nobody is done at once, however long it has taken him */
#define NEAR_MAX (FREE_MAX + ENDING_MAX + BUSY_MAX)

/* Where the near are looked for, and by whom. */
struct look {
    const struct driver_options *o;
    const struct fleet_index *index, *ending;
    const struct search *search;
    struct str id; /* of the search, on the executor's thread: others' reservations are kept;
                      absent elsewhere, where they may not be read */
    int64_t now_us, radius_m;
    struct arena *arena;
};

/* Why M cannot be asked now, free as he is or soon will be (his vehicle is empty then);
 * REASON_NONE: he can. */
static enum dispatch_reason bar_of_free(const struct look *l, const struct member *m) {
    const struct ev_load *load = l->search->load;
    if (l->id.p != NULL && m->reserved_until_us > l->now_us &&
        !str_eq(str_from(m->reserved_for), l->id))
        return REASON_RESERVED;
    if (cash_barred(l->o, m->merits.cash_held, l->search->cash))
        return REASON_CASH_LIMIT;
    return vehicle_fits(m->capacity, load) ? REASON_NONE : REASON_TOO_SMALL;
}

static enum dispatch_reason bar_of(const struct look *l, const struct member *m, bool free) {
    if (m->booking_id[0] != '\0')
        return REASON_BUSY;
    return free ? bar_of_free(l, m) : REASON_HOLDS_OFFER;
}

/* What speaks for and against M, but for the way, in the units of dispatch.h. */
static void fill_values(const struct driver_options *o, const struct search *search,
                        const struct member *m, int64_t now_us, int64_t value[DISPATCH_PARTS]) {
    const struct merits *is = &m->merits;
    int64_t load =
        dispatch_load_milli(is->load_milli, is->load_at_us, now_us, o->fairness_half_life_s);
    int64_t idle_min = (now_us - is->free_since_us) / (60 * US_PER_S);
    bool waits = is->free_since_us > 0 && idle_min > 0;
    value[PART_ETA] = -1;
    value[PART_RATING] = is->rating_x100;
    value[PART_JOBS] = load / 10;
    value[PART_IDLE] = !waits                             ? 0
                       : idle_min < DISPATCH_IDLE_MIN_MAX ? idle_min
                                                          : DISPATCH_IDLE_MIN_MAX;
    value[PART_ACCEPTANCE] = is->acceptance_percent;
    value[PART_CLASS] = m->vehicle > search->vehicle ? m->vehicle - search->vehicle : 0;
}

static bool is_near(const struct search_facts *f, struct str driver_id) {
    for (int32_t i = 0; i < f->near_count; i++) {
        if (str_eq(f->near[i].driver_id, driver_id))
            return true;
    }
    return false;
}

static void add_near(const struct look *l, const struct fleet_hit *hit, struct search_facts *f) {
    const struct member *m = hit->item->owner;
    if (is_near(f, str_from(m->id)))
        return;
    struct search_near *n = &f->near[f->near_count++];
    *n = (struct search_near){.driver_id = arena_str(l->arena, str_from(m->id)),
                              .name = arena_str(l->arena, m->name),
                              .at = hit->item->at,
                              .distance_m = llround(hit->distance_m),
                              .bar = bar_of(l, m, hit->item->free)};
    fill_values(l->o, l->search, m, l->now_us, n->value);
}

/* Is he, for the time he still needs, as far as somebody whom this circle leaves out? Such a one is
 * found by the next, and the two are weighed then. */
static bool is_beyond(const struct look *l, const struct fleet_hit *hit, int64_t free_in_s) {
    bool widens = l->id.p != NULL && l->radius_m < l->o->search_radius_max_m;
    return widens && llround(hit->distance_m) + free_in_s * GUESS_MPS > l->radius_m;
}

/* He will be free soon, and near: he is looked at as if he were there, later. */
static void add_ending(const struct look *l, const struct fleet_hit *hit, struct search_facts *f) {
    const struct member *m = hit->item->owner;
    int64_t free_in_s = (m->ends_us - l->now_us) / US_PER_S;
    bool soon = free_in_s <= l->o->chain_eta_s;
    const struct fleet_item *is = fleet_index_get(l->index, str_from(m->id));
    bool heard = is != NULL && is->at_us > l->now_us - POSITION_FRESH_US;
    if (!soon || !heard || is_beyond(l, hit, free_in_s) || is_near(f, str_from(m->id)))
        return;
    struct search_near *n = &f->near[f->near_count++];
    *n = (struct search_near){.driver_id = arena_str(l->arena, str_from(m->id)),
                              .name = arena_str(l->arena, m->name),
                              .at = hit->item->at,
                              .distance_m = llround(hit->distance_m),
                              .bar = bar_of_free(l, m),
                              .after = arena_str(l->arena, str_from(m->booking_id)),
                              .free_in_s = free_in_s > FREE_IN_S_MIN ? free_in_s : FREE_IN_S_MIN};
    fill_values(l->o, l->search, m, l->now_us, n->value);
    n->value[PART_IDLE] = 0; /* he does not wait */
}

/* How long by road, for the first CANDIDATES_MAX of those who can be asked. */
static void ask_router(const struct look *l, const struct dispatch_candidate *plan,
                       struct search_facts *f) {
    struct point from[CANDIDATES_MAX];
    int32_t who[CANDIDATES_MAX], count = 0;
    for (int32_t i = 0; i < f->near_count && count < CANDIDATES_MAX; i++) {
        if (plan[i].standing == DISPATCH_BARRED)
            continue;
        from[count] = f->near[plan[i].tag].at;
        who[count++] = plan[i].tag;
    }
    if (count == 0)
        return;
    struct router_leg legs[CANDIDATES_MAX];
    struct point to = {l->search->pickup->lat_e7, l->search->pickup->lng_e7};
    l->o->router->ops->many_to_one(l->o->router, from, count, to, (enum vehicle)l->search->vehicle,
                                   legs);
    for (int32_t i = 0; i < count; i++)
        f->near[who[i]].value[PART_ETA] =
            f->near[who[i]].free_in_s + (legs[i].duration_s > 0 ? legs[i].duration_s : 0);
}

void search_reserve(struct driver_service *s, struct str driver_id, struct str search_id,
                    int64_t now_us) {
    struct member *m = roster_find(s->roster, driver_id);
    CHECK(m != NULL && search_id.len < sizeof m->reserved_for);
    m->reserved_until_us = now_us + SEARCH_RESERVE_US;
    memset(m->reserved_for, 0, sizeof m->reserved_for);
    memcpy(m->reserved_for, search_id.p, search_id.len);
    if (s->o.peers != NULL)
        follow_reserved(s, m);
}

/* Of those near, the ones worth a place in the facts: who can be asked, then the others. */
static void keep_best(struct search_facts *f) {
    int32_t kept = 0;
    for (int32_t pass = 0; pass < 2; pass++) {
        for (int32_t i = kept; i < f->near_count && kept < CANDIDATES_MAX; i++) {
            if ((f->near[i].value[PART_ETA] >= 0) != (pass == 0))
                continue;
            struct search_near found = f->near[i];
            memmove(&f->near[kept + 1], &f->near[kept], (size_t)(i - kept) * sizeof(found));
            f->near[kept++] = found;
        }
    }
    f->near_count = kept;
}

static unsigned vehicles_that_serve(const struct driver_options *o, int32_t vehicle) {
    unsigned serve = 0;
    for (int32_t v = vehicle; v < VEHICLE_COUNT && v <= vehicle + o->bigger_classes; v++)
        serve |= 1u << v;
    return serve;
}

/* Rounded up; 0: anybody can. */
static int32_t load_kg(const struct ev_load *load) {
    int64_t kg = load != NULL ? (load->weight_g + 999) / 1000 : 0;
    return kg < CAPACITY_KG_MAX ? (int32_t)kg : CAPACITY_KG_MAX;
}

/* The nearest of those FILTER lets pass who are about to finish; an item's time there is another.
 */
static void find_ending(const struct look *l, struct point to, struct fleet_filter filter,
                        struct search_facts *f) {
    struct fleet_hit hits[ENDING_MAX];
    filter.newer_than_us = 0;
    int32_t count =
        fleet_index_nearest(l->ending, to, (double)l->radius_m, &filter, ENDING_MAX, hits);
    for (int32_t i = 0; i < count; i++)
        add_ending(l, &hits[i], f);
}

/* The nearest of the index: those who can be asked, and a few of the others. */
static void find_near(const struct look *l, struct search_facts *f) {
    struct fleet_filter filter = {.vehicles = vehicles_that_serve(l->o, l->search->vehicle),
                                  .free_only = true,
                                  .newer_than_us = l->now_us - POSITION_FRESH_US,
                                  .carries_kg = load_kg(l->search->load)};
    struct point to = {l->search->pickup->lat_e7, l->search->pickup->lng_e7};
    double radius_m = (double)l->radius_m;
    struct fleet_hit hits[FREE_MAX];
    f->near = arena_array(l->arena, struct search_near, NEAR_MAX);
    int32_t count = fleet_index_nearest(l->index, to, radius_m, &filter, FREE_MAX, hits);
    for (int32_t i = 0; i < count; i++)
        add_near(l, &hits[i], f);
    if (l->o->chain_eta_s > 0)
        find_ending(l, to, filter, f);
    filter.free_only = false;
    filter.carries_kg = 0; /* the trace says who was too small */
    count = fleet_index_nearest(l->index, to, radius_m, &filter, BUSY_MAX, hits);
    for (int32_t i = 0; i < count; i++)
        add_near(l, &hits[i], f);
}

/* First by a guess of the way, to see who is worth asking the router about; then for good. */
static struct dispatch_candidate *measure(const struct look *l, struct search_facts *f) {
    struct dispatch_candidate *plan = arena_array(l->arena, struct dispatch_candidate, NEAR_MAX);
    for (int32_t i = 0; i < f->near_count; i++)
        f->near[i].value[PART_ETA] = f->near[i].bar == REASON_NONE
                                         ? f->near[i].free_in_s + f->near[i].distance_m / GUESS_MPS
                                         : -1;
    search_plan(l->o, l->search, f, 0, l->now_us, l->arena, plan);
    for (int32_t i = 0; i < f->near_count; i++)
        f->near[i].value[PART_ETA] = -1;
    ask_router(l, plan, f);
    keep_best(f);
    return plan;
}

struct dispatch_candidate *search_look(struct driver_service *s, const struct search *search,
                                       struct str id, int32_t wave, int64_t now_us, struct arena *a,
                                       struct search_facts *ret_facts) {
    struct look l = {.o = &s->o,
                     .index = roster_index(s->roster),
                     .ending = roster_ending(s->roster),
                     .search = search,
                     .id = id,
                     .now_us = now_us,
                     .radius_m = search->radius_m,
                     .arena = a};
    find_near(&l, ret_facts);
    struct dispatch_candidate *plan = measure(&l, ret_facts);
    search_plan(&s->o, search, ret_facts, wave, now_us, a, plan);
    return plan;
}

static void gather(struct command *cmd, const struct search *search, int64_t now_us,
                   struct search_facts *f) {
    struct driver_service *s = cmd->service;
    const struct dispatch_candidate *plan =
        search_look(s, search, cmd->id, search_room(&s->o, search, now_us), now_us, cmd->arena, f);
    for (int32_t i = 0; i < f->near_count && plan[i].chosen; i++)
        search_reserve(s, plan[i].driver_id, cmd->id, now_us);
}

struct dispatch_candidate *search_candidates(struct driver_service *s, const struct search *search,
                                             int64_t radius_m, int64_t now_us, struct arena *a,
                                             struct search_facts *ret_facts) {
    struct look l = {.o = &s->o,
                     .index = roster_lock(s->roster),
                     .ending = roster_ending(s->roster),
                     .search = search,
                     .now_us = now_us,
                     .radius_m = radius_m,
                     .arena = a};
    find_near(&l, ret_facts);
    roster_unlock(s->roster);
    l.index = l.ending = NULL; /* what was found is ours */
    struct dispatch_candidate *plan = measure(&l, ret_facts);
    search_plan(&s->o, search, ret_facts, 1, now_us, a, plan);
    return plan;
}

void search_release(const struct command *cmd, const struct search *keep) {
    struct driver_service *s = cmd->service;
    const struct search_facts *f = cmd->facts;
    for (int32_t i = 0; f != NULL && i < f->near_count; i++) {
        struct member *m = roster_find(s->roster, f->near[i].driver_id);
        if (m == NULL || !str_eq(str_from(m->reserved_for), cmd->id))
            continue;
        bool kept = false;
        for (int32_t n = 0; keep != NULL && n < keep->asked_count; n++)
            kept = kept || (keep->asked[n].outcome == OUTCOME_OFFERED &&
                            str_eq(keep->asked[n].driver_id, f->near[i].driver_id));
        if (!kept)
            m->reserved_until_us = 0;
    }
}

/* ---- loads ---- */

int search_load_begin(struct command *cmd, struct store *store, int64_t now_us) {
    (void)store;
    const struct driver_service *s = cmd->service;
    struct search_facts *f = arena_new(cmd->arena, struct search_facts);
    struct search search = {0};
    cmd->facts = f;
    search_fill(&search, cmd->args, s->o.search_radius_m);
    if (now_us < search.search_until_us && s->o.window_us == 0) /* else it waits for its window */
        gather(cmd, &search, now_us, f);
    return 0;
}

/* The search as the store has it. One that this batch has changed may be newer: then decide works
 * with who is near as of the old circle, and the next round mends it. */
static int load(struct command *cmd, struct store *store, int64_t now_us, bool only_due) {
    cmd->facts = arena_new(cmd->arena, struct search_facts);
    void *state;
    int err = aggregate_get(&search_aggregate, store, executor_parser(cmd->executor), cmd->id,
                            cmd->arena, &state);
    if (err == ERR_NOT_FOUND)
        return 0;
    if (err < 0)
        return err;
    const struct search *s = state;
    bool due = s->wake_at_us != 0 && s->wake_at_us <= now_us;
    if (due && only_due)
        window_solve(cmd, store, now_us);
    if (s->status == SEARCH_OPEN && s->begun && now_us < s->search_until_us && (due || !only_due))
        gather(cmd, s, now_us, cmd->facts);
    return 0;
}

/* As of what the booking says now, and of whom the search as it was had asked. */
int search_load_anew(struct command *cmd, struct store *store, int64_t now_us) {
    const struct driver_service *s = cmd->service;
    const struct ev_booking *b = cmd->args;
    cmd->facts = arena_new(cmd->arena, struct search_facts);
    void *state;
    int err = aggregate_get(&search_aggregate, store, executor_parser(cmd->executor), cmd->id,
                            cmd->arena, &state);
    if (err == ERR_NOT_FOUND)
        return 0;
    if (err < 0)
        return err;
    struct search search = *(const struct search *)state;
    if (b->state != BOOKING_REQUESTED || b->held || b->stop_count < 2 ||
        now_us >= b->search_until_us)
        return 0;
    search_fill(&search, b, s->o.search_radius_m);
    gather(cmd, &search, now_us, cmd->facts);
    return 0;
}

int search_load(struct command *cmd, struct store *store, int64_t now_us) {
    return load(cmd, store, now_us, false);
}

int search_load_wake(struct command *cmd, struct store *store, int64_t now_us) {
    return load(cmd, store, now_us, true);
}

/* The driver that the event is about: is there such a one, and what is his name? */
int search_load_named(struct command *cmd, struct store *store, int64_t now_us) {
    (void)now_us;
    const struct ev_booking *b = cmd->args;
    struct search_facts *f = arena_new(cmd->arena, struct search_facts);
    cmd->facts = f;
    struct str driver_id = b->driver_id.p != NULL ? b->driver_id : b->offer->driver_id;
    void *state;
    int err = aggregate_get(&driver_aggregate, store, executor_parser(cmd->executor), driver_id,
                            cmd->arena, &state);
    if (err < 0 && err != ERR_NOT_FOUND)
        return err;
    f->unknown_driver = err == ERR_NOT_FOUND;
    if (err == 0)
        f->named = ((const struct driver *)state)->name;
    return 0;
}
