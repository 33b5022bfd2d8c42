/* What houses side by side share beside their disk: one in-process bus whose groups they are all
 * members of, and signals that each hears of the others when it polls, or, when told so, does not.
 */
#ifndef LORRY_TESTING_STREET_H
#define LORRY_TESTING_STREET_H

#include "ports/bus.h"

#include <stdbool.h>

#define STREET_DOORS_MAX 4

struct street;
/* BUS is its from here on; it closes with the last door. */
struct street *street_new(struct bus *bus);
/* The bus as one house has it. */
struct bus *street_door(struct street *s);
void street_deafen(struct street *s, bool deaf);
void street_hold(struct street *s, bool held); /* signals are late: heard when it ends */

#endif
