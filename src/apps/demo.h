/* The demo city: accounts to sign in with, and a simulation against the platform's own public
 * surface, in a thread of this process. The simulation is the one of `lorry simulate`.
 */
#ifndef LORRY_APPS_DEMO_H
#define LORRY_APPS_DEMO_H

#include "apps/platform.h"

struct demo;
/* Makes the demo accounts where they are missing, prints the logins. An exit status. */
int demo_start(struct platform *p, struct demo **ret_demo);
/* As demo_start, into a platform that people use: no accounts with a password that everybody knows,
 * and its drivers need no approval (nor do others, until the next start). */
int demo_fill(struct platform *p, struct demo **ret_demo);
/* The city begins to live: one line per booking's fate from here on. NULL ok. */
void demo_go(struct demo *d);
/* Ends the city, prints its summary. 0, or 1 if its audit failed. NULL ok. */
int demo_stop(struct demo *d);

#endif
