#include "apps/admin_store.h"

#include "apps/platform.h"
#include "apps/settings.h"
#include "base/err.h"

#include <stdio.h>
#include <unistd.h>

bool admin_store_open(struct config *c, bool begin, int64_t access_ttl_s,
                      struct admin_store *ret_store) {
    struct admin_store *o = ret_store;
    struct str why;
    const char *dir = config_cstr(c, "data");
    if (!begin && settings_store(c) == STORE_SQLITE && access(dir, F_OK) != 0) {
        fprintf(stderr, "lorry: there is no folder %s; --data names the one of the server\n", dir);
        return false;
    }
    if (platform_open_store(c, &c->arena, &o->stores, &o->store, &why) < 0) {
        fprintf(stderr, "lorry: %.*s\n", STR_ARG(why));
        return false;
    }
    entropy_machine(&o->entropy);
    clock_machine(&o->clock);
    o->admin = auth_admin_new(&(struct auth_admin_options){.store = o->store,
                                                           .entropy = &o->entropy,
                                                           .clock = &o->clock,
                                                           .access_ttl_s = access_ttl_s});
    return true;
}

int admin_store_close(struct admin_store *o, int err, struct str why) {
    auth_admin_free(o->admin);
    o->store->ops->close(o->store);
    stores_close(&o->stores);
    if (err == 0)
        return 0;
    fprintf(stderr, "lorry: %.*s\n", STR_ARG(why));
    return 1;
}
