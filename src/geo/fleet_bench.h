/* What the fleet index can do on this machine, for `lorry bench`: one thread, in process, nothing
 * but the index. The same seed lays the same fleet and asks the same questions.
 */
#ifndef LORRY_GEO_FLEET_BENCH_H
#define LORRY_GEO_FLEET_BENCH_H

#include <stdint.h>

enum fleet_spread {
    FLEET_CITY,    /* even over 20 km × 20 km */
    FLEET_COUNTRY, /* towns of all sizes over 1,500 km */
    FLEET_STREET,  /* all on one kilometre of one street */
    FLEET_SPREAD_COUNT
};
extern const char *const fleet_spread_names[]; /* "city", "country", "street", NULL */

struct fleet_bench {
    enum fleet_spread spread;
    int32_t drivers, k;
    double radius_m;
    int32_t queries, moves;
    uint64_t seed;
};
struct fleet_bench_result {
    double nearest_per_s; /* searches for K within RADIUS_M around places where drivers are */
    double moves_per_s;   /* a driver's next fix, up to 50 m on */
    double found_mean;    /* hits of a search: shows that the question was a real one */
};
void fleet_bench_run(const struct fleet_bench *b, struct fleet_bench_result *ret_result);

#endif
