#include "apps/modules.h"

#include "apps/beside.h"
#include "base/check.h"
#include "base/err.h"
#include "base/module_build.h"

#include <dlfcn.h>
#include <string.h>

/* Where they lie: beside the program in the folder of its build; where `ninja install` and the
 * package put them. */
#define IN_BUILD "."
#define INSTALLED "../lib/lorry"

static const struct {
    const char *file;
    const char *packages; /* of Debian: what brings the libraries that it needs */
} modules[] = {
    [MODULE_AMQP] = {"lorry-amqp.so", "librabbitmq4"},
    [MODULE_CURL] = {"lorry-curl.so", "libcurl3-gnutls"},
    [MODULE_MONGO] = {"lorry-mongo.so", "libmongoc-1.0-0"},
    [MODULE_OTLP] = {"lorry-otlp.so", "libcurl3-gnutls"},
    [MODULE_POSTGRES] = {"lorry-postgres.so", "libpq5"},
    [MODULE_REDIS] = {"lorry-redis.so", "libhiredis0.14"},
};

int module_load(enum module_name which, struct arena *a, const void **ret_module,
                struct str *ret_why) {
    char path[1024];
    const char *file = modules[which].file;
    if (!beside_find(IN_BUILD, INSTALLED, file, path, sizeof path)) {
        *ret_why = arena_printf(a,
                                "%s is missing: it is neither beside this program nor in %s from "
                                "there; Debian's package lorry brings it",
                                file, INSTALLED);
        return ERR_NOT_FOUND;
    }
    /* Never closed: its threads may live on. */
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        *ret_why = arena_printf(a, "cannot load %s: %s; it needs Debian's package %s", file,
                                dlerror(), modules[which].packages);
        return ERR_NOT_FOUND;
    }
    const struct module *module = dlsym(handle, MODULE_SYMBOL);
    if (module == NULL || strcmp(module->build, MODULE_BUILD) != 0) {
        *ret_why = arena_printf(a,
                                "%s is of another build (%s) than this program (%s); both are in "
                                "Debian's package lorry",
                                path, module != NULL ? module->build : "unknown", MODULE_BUILD);
        return ERR_INVALID; /* cppcheck-suppress resourceLeak */
    }
    *ret_module = module;
    return 0; /* cppcheck-suppress resourceLeak */
}
