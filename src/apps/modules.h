/* The program's modules (base/module.h): drivers that are loaded when a setting asks for them. */
#ifndef LORRY_APPS_MODULES_H
#define LORRY_APPS_MODULES_H

#include "base/arena.h"
#include "base/module.h"
#include "base/str.h"

enum module_name {
    MODULE_AMQP,
    MODULE_CURL,
    MODULE_MONGO,
    MODULE_OTLP,
    MODULE_POSTGRES,
    MODULE_REDIS
};

/* Loads it, or finds it loaded; it stays for as long as the process. Gives the struct that the
 * driver's header names (struct postgres_module). Any thread.
 * ERR_NOT_FOUND: there is no such file, or a library that it needs is missing; ERR_INVALID: it is
 * of another build. *RET_WHY (in A) names the file and the Debian package. */
int module_load(enum module_name which, struct arena *a, const void **ret_module,
                struct str *ret_why);

#endif
