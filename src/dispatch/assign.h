/* The assignment problem: as many pairs of a booking and a driver as there can be, and of all ways
 * to make that many the one that costs least together. Integers, so the same answer everywhere.
 *
 * The algorithm is the shortest augmenting path one of R. Jonker and A. Volgenant, "A Shortest
 * Augmenting Path Algorithm for Dense and Sparse Linear Assignment Problems", Computing 38 (1987),
 * without its preparing steps: rows are added one after the other, each by a shortest path in the
 * reduced costs, which potentials keep ≥ 0. O(rows² × columns) time, O(rows + columns) memory
 * beside the costs.
 */
#ifndef LORRY_DISPATCH_ASSIGN_H
#define LORRY_DISPATCH_ASSIGN_H

#include "base/arena.h"

#include <stdint.h>

#define ASSIGN_SIDE_MAX 512             /* rows; and columns */
#define ASSIGN_COST_MAX INT32_MAX       /* of a pair that may be */
#define ASSIGN_NEVER (INT64_C(1) << 62) /* a pair that may not be */

/* COST[row × COLUMNS + column] is 0..ASSIGN_COST_MAX or ASSIGN_NEVER. RET_COLUMN[row] is the column
 * it gets, or -1. Returns how many rows got one. Scratch in A. */
int32_t assign_solve(const int64_t *cost, int32_t rows, int32_t columns, struct arena *a,
                     int32_t *ret_column);
/* The same by taking the rows as they come, each its cheapest column that is left: what there was
 * before, to compare with. */
int32_t assign_greedily(const int64_t *cost, int32_t rows, int32_t columns, struct arena *a,
                        int32_t *ret_column);

#endif
