/* The demo city: accounts to sign in with, and a simulation against the platform's own public
 * surface, in a thread of this process. The simulation is the one of `lorry simulate`.
 */
#ifndef LORRY_APPS_DEMO_H
#define LORRY_APPS_DEMO_H

#include "apps/platform.h"

struct demo;
/* Makes the demo accounts where they are missing, prints the logins, starts the city. An exit
 * status. */
int demo_start(struct platform *p, struct demo **ret_demo);
/* Ends the city, prints its summary. 0, or 1 if its audit failed. NULL ok. */
int demo_stop(struct demo *d);

#endif
