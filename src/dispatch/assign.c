#include "dispatch/assign.h"

#include "base/check.h"

#include <string.h>

#define FAR INT64_MAX

/* Columns are counted from 1 in here; column 0 is where a path begins. So are rows. There are never
 * more rows than columns: else the two are exchanged. */
struct solver {
    const int64_t *cost;
    int32_t rows, columns, width; /* width: of COST as it lies */
    bool turned;
    int64_t never;  /* stands in for ASSIGN_NEVER: more than all others together */
    int64_t *u, *v; /* potentials of rows and columns */
    int32_t *row_of,
        *before;  /* of each column: its row, 0 none; the column before it on the path */
    int64_t *far; /* of each column: the shortest way to it so far */
    bool *done;
};

static int64_t cost_of(const struct solver *s, int32_t row, int32_t column) {
    int32_t r = s->turned ? column : row, c = s->turned ? row : column;
    int64_t cost = s->cost[(int64_t)(r - 1) * s->width + (c - 1)];
    return cost == ASSIGN_NEVER ? s->never : cost;
}

/* Looks from the row of column AT at all columns that are not done; returns the nearest of them. */
static int32_t look_from(struct solver *s, int32_t at, int64_t *ret_step) {
    int32_t row = s->row_of[at], nearest = 0;
    int64_t least = FAR;
    for (int32_t j = 1; j <= s->columns; j++) {
        if (s->done[j])
            continue;
        int64_t reduced = cost_of(s, row, j) - s->u[row] - s->v[j];
        CHECK(reduced >= 0);
        if (reduced < s->far[j]) {
            s->far[j] = reduced;
            s->before[j] = at;
        }
        if (s->far[j] < least) {
            least = s->far[j];
            nearest = j;
        }
    }
    *ret_step = least;
    return nearest;
}

/* Gives ROW a column, moving others along the shortest path. */
static void add_row(struct solver *s, int32_t row) {
    for (int32_t j = 0; j <= s->columns; j++) {
        s->far[j] = FAR;
        s->done[j] = false;
    }
    s->row_of[0] = row;
    int32_t at = 0;
    while (s->row_of[at] != 0) {
        s->done[at] = true;
        int64_t step;
        int32_t next = look_from(s, at, &step);
        CHECK(next > 0); /* no fewer columns than rows: one is free */
        for (int32_t j = 0; j <= s->columns; j++) {
            if (s->done[j]) {
                s->u[s->row_of[j]] += step;
                s->v[j] -= step;
            } else if (s->far[j] != FAR) {
                s->far[j] -= step;
            }
        }
        at = next;
    }
    while (at != 0) {
        int32_t back = s->before[at];
        s->row_of[at] = s->row_of[back];
        at = back;
    }
}

static int64_t highest(const int64_t *cost, int64_t count) {
    int64_t most = 0;
    for (int64_t i = 0; i < count; i++) {
        CHECK(cost[i] == ASSIGN_NEVER || (cost[i] >= 0 && cost[i] <= ASSIGN_COST_MAX));
        if (cost[i] != ASSIGN_NEVER && cost[i] > most)
            most = cost[i];
    }
    return most;
}

int32_t assign_solve(const int64_t *cost, int32_t rows, int32_t columns, struct arena *a,
                     int32_t *ret_column) {
    CHECK(rows >= 0 && rows <= ASSIGN_SIDE_MAX && columns >= 0 && columns <= ASSIGN_SIDE_MAX);
    for (int32_t r = 0; r < rows; r++)
        ret_column[r] = -1;
    if (rows == 0 || columns == 0)
        return 0;
    bool turned = rows > columns;
    struct solver s = {.cost = cost,
                       .rows = turned ? columns : rows,
                       .columns = turned ? rows : columns,
                       .width = columns,
                       .turned = turned};
    s.never = (highest(cost, (int64_t)rows * columns) + 1) * (s.rows + 1);
    s.u = arena_array(a, int64_t, s.rows + 1);
    s.v = arena_array(a, int64_t, s.columns + 1);
    s.row_of = arena_array(a, int32_t, s.columns + 1);
    s.before = arena_array(a, int32_t, s.columns + 1);
    s.far = arena_array(a, int64_t, s.columns + 1);
    s.done = arena_array(a, bool, s.columns + 1);
    memset(s.u, 0, (size_t)(s.rows + 1) * sizeof(int64_t));
    memset(s.v, 0, (size_t)(s.columns + 1) * sizeof(int64_t));
    memset(s.row_of, 0, (size_t)(s.columns + 1) * sizeof(int32_t));
    for (int32_t row = 1; row <= s.rows; row++)
        add_row(&s, row);
    int32_t pairs = 0;
    for (int32_t j = 1; j <= s.columns; j++) {
        if (s.row_of[j] == 0 || cost_of(&s, s.row_of[j], j) == s.never)
            continue;
        ret_column[(turned ? j : s.row_of[j]) - 1] = (turned ? s.row_of[j] : j) - 1;
        pairs++;
    }
    return pairs;
}

int32_t assign_greedily(const int64_t *cost, int32_t rows, int32_t columns, struct arena *a,
                        int32_t *ret_column) {
    bool *taken = arena_array(a, bool, columns + 1);
    memset(taken, 0, (size_t)columns + 1);
    int32_t pairs = 0;
    for (int32_t r = 0; r < rows; r++) {
        int64_t best = ASSIGN_NEVER;
        ret_column[r] = -1;
        for (int32_t c = 0; c < columns; c++) {
            int64_t here = cost[(int64_t)r * columns + c];
            if (!taken[c] && here < best) {
                best = here;
                ret_column[r] = c;
            }
        }
        if (ret_column[r] >= 0)
            taken[ret_column[r]] = true;
        pairs += ret_column[r] >= 0;
    }
    return pairs;
}
