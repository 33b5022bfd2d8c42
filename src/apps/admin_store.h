/* The store of a server, opened beside it by a command that an operator types (`lorry user`, `lorry
 * keys`). One thread.
 */
#ifndef LORRY_APPS_ADMIN_STORE_H
#define LORRY_APPS_ADMIN_STORE_H

#include "apps/parts.h"
#include "ports/clock.h"
#include "ports/entropy.h"
#include "services/auth/admin.h"

struct admin_store {
    struct stores stores;
    struct store *store;
    struct auth_admin *admin;
    struct entropy entropy;
    struct clock clock;
};

/* BEGIN: a folder that is not there is made; for most commands it is a slip of the pen.
 * ACCESS_TTL_S: as in auth_admin_options. False: it has said why. */
bool admin_store_open(struct config *c, bool begin, int64_t access_ttl_s,
                      struct admin_store *ret_store);
/* The exit status of a command that ended with ERR (0: well), having said WHY. */
int admin_store_close(struct admin_store *o, int err, struct str why);

#endif
