/* Batch assignment. Searches that wait for the end of the same window are due at the same moment.
 * The first of them to be loaded solves for all: whom each could ask, and what it would cost, makes
 * a matrix; its cheapest assignment is put down as reservations. From there on each search goes its
 * own way as ever: it finds the others' drivers reserved, and its own free. So a batch is nothing
 * but a better order of reservations, and whatever goes wrong (a restart forgets who waits, another
 * process has searches of its own) leaves the greedy way.
 *
 * A search's costs are measured from the best of its own candidates (dispatch.h); between searches
 * that shifts whole rows, which changes no assignment in which each gets a driver.
 */
#include "base/check.h"
#include "base/err.h"
#include "dispatch/assign.h"
#include "services/driver/search.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW_SEARCHES_MAX 64 /* solved together; more look for themselves */
#define WINDOW_DRIVERS_MAX ASSIGN_SIDE_MAX

struct due {
    char id[ID_TEXT_MAX];
    int64_t wake_at_us;
};

int64_t window_end_us(const struct driver_options *o, int64_t at_us) {
    if (o->window_us <= 0)
        return at_us;
    return (at_us + o->window_us - 1) / o->window_us * o->window_us;
}

void window_note(struct driver_service *w, struct str id, const struct search *s) {
    if (w->o.window_us <= 0)
        return;
    bool waits = s != NULL && s->status == SEARCH_OPEN && s->wake_at_us > 0;
    struct due *due = map_get(&w->window.due, id);
    if (!waits) {
        free(map_remove(&w->window.due, id));
        return;
    }
    if (due == NULL) {
        due = xcalloc(1, sizeof(*due));
        CHECK(id.len < sizeof due->id);
        memcpy(due->id, id.p, id.len);
        map_put(&w->window.due, str_from(due->id), due);
    }
    due->wake_at_us = s->wake_at_us;
}

void window_free(struct driver_service *w) {
    void *due;
    for (size_t i = 0; map_next(&w->window.due, &i, &due);)
        free(due);
    map_free(&w->window.due);
}

/* ---- the matrix ---- */

struct batch {
    struct str search[WINDOW_SEARCHES_MAX], driver[WINDOW_DRIVERS_MAX];
    int32_t searches, drivers;
    int64_t *cost; /* WINDOW_SEARCHES_MAX × WINDOW_DRIVERS_MAX */
};

static int by_id(const void *left, const void *right) {
    return strcmp((*(const struct due *const *)left)->id, (*(const struct due *const *)right)->id);
}

/* Who is due, in the order of their ids: the same whatever the map's order is. */
static int32_t find_due(struct driver_service *w, int64_t now_us,
                        const struct due *ret_due[WINDOW_SEARCHES_MAX]) {
    int32_t count = 0;
    void *at;
    for (size_t i = 0; count < WINDOW_SEARCHES_MAX && map_next(&w->window.due, &i, &at);) {
        if (((const struct due *)at)->wake_at_us <= now_us)
            ret_due[count++] = at;
    }
    qsort(ret_due, (size_t)count, sizeof(ret_due[0]), by_id);
    return count;
}

/* The column of a driver; -1: there is room for no more. */
static int32_t column_of(struct batch *b, struct str driver_id) {
    for (int32_t i = 0; i < b->drivers; i++) {
        if (str_eq(b->driver[i], driver_id))
            return i;
    }
    if (b->drivers == WINDOW_DRIVERS_MAX)
        return -1;
    b->driver[b->drivers] = driver_id;
    return b->drivers++;
}

static void add_search(struct batch *b, struct str id, const struct dispatch_candidate *plan,
                       int32_t count) {
    int64_t *row = &b->cost[(int64_t)b->searches * WINDOW_DRIVERS_MAX];
    for (int32_t c = 0; c < WINDOW_DRIVERS_MAX; c++)
        row[c] = ASSIGN_NEVER;
    for (int32_t i = 0; i < count; i++) {
        /* While there are favourites nobody else is asked; who was silent, last of all. */
        if (plan[i].standing != DISPATCH_FRESH || plan[i].reason == REASON_NOT_FAVOURITE)
            continue;
        int32_t c = column_of(b, plan[i].driver_id);
        if (c >= 0)
            row[c] = plan[i].cost < ASSIGN_COST_MAX ? plan[i].cost : ASSIGN_COST_MAX;
    }
    b->search[b->searches++] = id;
}

static void fill(struct batch *b, const struct due *const *due, int32_t count, struct command *cmd,
                 struct store *store, int64_t now_us) {
    struct driver_service *w = cmd->service;
    for (int32_t i = 0; i < count; i++) {
        void *state;
        struct str id = arena_str(cmd->arena, str_from(due[i]->id));
        if (aggregate_get(&search_aggregate, store, executor_parser(cmd->executor), id, cmd->arena,
                          &state) < 0)
            continue; /* it will say so itself */
        const struct search *s = state;
        struct search_facts f = {0};
        if (s->status != SEARCH_OPEN || !s->begun || s->wake_at_us > now_us ||
            search_room(&w->o, s, now_us) == 0)
            continue;
        const struct dispatch_candidate *plan = search_look(w, s, id, 0, now_us, cmd->arena, &f);
        add_search(b, id, plan, f.near_count);
    }
}

void window_solve(struct command *cmd, struct store *store, int64_t now_us) {
    struct driver_service *w = cmd->service;
    const struct due *due[WINDOW_SEARCHES_MAX];
    if (w->o.window_us <= 0 || now_us - w->window.solved_us < w->o.window_us / 2)
        return;
    w->window.solved_us = now_us;
    int32_t count = find_due(w, now_us, due);
    if (count < 2)
        return; /* alone it finds its best itself */
    struct batch *b = arena_new(cmd->arena, struct batch);
    b->searches = b->drivers = 0;
    b->cost = arena_array(cmd->arena, int64_t, WINDOW_SEARCHES_MAX * WINDOW_DRIVERS_MAX);
    fill(b, due, count, cmd, store, now_us);
    /* The rows as they lie are as wide as can be: close them up. */
    int64_t *cost = arena_array(cmd->arena, int64_t, b->searches * b->drivers + 1);
    for (int32_t r = 0; r < b->searches; r++)
        memcpy(&cost[(int64_t)r * b->drivers], &b->cost[(int64_t)r * WINDOW_DRIVERS_MAX],
               (size_t)b->drivers * sizeof(int64_t));
    int32_t column[WINDOW_SEARCHES_MAX];
    assign_solve(cost, b->searches, b->drivers, cmd->arena, column);
    for (int32_t r = 0; r < b->searches; r++) {
        if (column[r] >= 0)
            search_reserve(w, b->driver[column[r]], b->search[r], now_us);
    }
}
